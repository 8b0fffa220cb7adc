/* test_ring.c: records come out as they went in, in order, however the ring wraps and fills. */
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include "ir/op.h"
#include "link/ring.h"

/* A record of `words` words whose tail counts up from `seed`. */
static const ins *record(uint64_t *room, uint64_t seed, unsigned words)
{
	ins *i = (ins *)room;

	memset(i, 0, sizeof *i);
	i->op = OP_cat;
	i->words = (uint16_t)words;
	i->out = seed;
	for (unsigned k = INS_HEAD_WORDS; k < words; k++)
		room[k] = seed + k;
	return i;
}

static unsigned length(uint64_t seed)
{
	unsigned most = INS_WORDS_MAX - INS_HEAD_WORDS;

	return INS_HEAD_WORDS + (unsigned)(seed * 2654435761u >> 7) % (most + 1);
}

static void check_record(const ins *i, uint64_t seed)
{
	uint64_t room[INS_WORDS_MAX];

	assert_memory_equal(i, record(room, seed, length(seed)), length(seed) * 8);
}

static void test_empty(void **state)
{
	ring r;

	(void)state;
	ring_init(&r, 4);
	assert_null(ring_next(&r));
	assert_int_equal(ring_used(&r), 0);
	ring_fini(&r);
}

/* Every capacity, records of all lengths: a thousand times around. */
static void test_wraps(void **state)
{
	uint64_t room[INS_WORDS_MAX];

	(void)state;
	for (uint64_t capacity = 1; capacity < 40; capacity += 3) {
		uint64_t in = 1, out = 1;
		ring r;

		ring_init(&r, capacity);
		while (out < 3000) {
			size_t taken;

			while (in < 3000 && ring_push(&r, (uint64_t *)record(room, in, length(in)),
					length(in), 1, &taken)) {
				assert_int_equal(taken, length(in));
				in++;
			}
			assert_true(ring_used(&r) <= capacity);
			for (unsigned k = 0; k <= out % 5; k++) {
				const ins *i = ring_next(&r);

				if (!i)
					break;
				check_record(i, out++);
				ring_pop(&r, i);
			}
			ring_release(&r);
		}
		assert_null(ring_next(&r));
		ring_fini(&r);
	}
}

static void test_full(void **state)
{
	uint64_t room[INS_WORDS_MAX];
	size_t taken;
	ring r;

	(void)state;
	ring_init(&r, 3);
	for (uint64_t k = 1; k <= 3; k++)
		assert_int_equal(ring_push(&r, (uint64_t *)record(room, k, 5), 5, 1, &taken), 1);
	assert_int_equal(ring_push(&r, (uint64_t *)record(room, 4, 5), 5, 1, &taken), 0);
	assert_int_equal(taken, 0);
	/* Room comes back with the release, not with the pop. */
	ring_pop(&r, ring_next(&r));
	assert_int_equal(ring_push(&r, (uint64_t *)record(room, 4, 5), 5, 1, &taken), 0);
	ring_release(&r);
	assert_int_equal(ring_push(&r, (uint64_t *)record(room, 4, 5), 5, 1, &taken), 1);
	ring_fini(&r);
}

static void test_takes_part_of_a_batch(void **state)
{
	uint64_t batch[10 * 5];
	size_t taken;
	ring r;

	(void)state;
	for (uint64_t k = 0; k < 10; k++)
		record(batch + k * 5, k + 1, 5);
	ring_init(&r, 4);
	assert_int_equal(ring_push(&r, batch, 50, 10, &taken), 4);
	assert_int_equal(taken, 20);
	for (uint64_t k = 0; k < 4; k++) {
		const ins *i = ring_next(&r);

		assert_int_equal(i->out, k + 1);
		ring_pop(&r, i);
	}
	assert_null(ring_next(&r));
	ring_fini(&r);
}

/* Longest records fill the words before the count is reached. */
static void test_full_of_words(void **state)
{
	uint64_t room[INS_WORDS_MAX];
	uint64_t in = 0;
	size_t taken;
	ring r;

	(void)state;
	ring_init(&r, 1000);
	while (ring_push(&r, (uint64_t *)record(room, in + 1, INS_WORDS_MAX), INS_WORDS_MAX, 1,
			&taken))
		in++;
	assert_true(in < 1000 && in >= 1000 * 8 / INS_WORDS_MAX);
	for (uint64_t k = 1; k <= in; k++) {
		const ins *i = ring_next(&r);

		assert_memory_equal(i, record(room, k, INS_WORDS_MAX), sizeof room);
		ring_pop(&r, i);
	}
	ring_release(&r);
	record(room, 1, INS_WORDS_MAX);
	assert_int_equal(ring_push(&r, room, INS_WORDS_MAX, 1, &taken), 1);
	ring_fini(&r);
}

#define CROSSINGS 200000

static void *produce(void *arg)
{
	uint64_t room[INS_WORDS_MAX];
	size_t taken;

	for (uint64_t k = 1; k <= CROSSINGS; k++) {
		record(room, k, length(k));
		while (!ring_push(arg, room, length(k), 1, &taken))
			sched_yield();
	}
	return NULL;
}

static void test_two_threads(void **state)
{
	pthread_t producer;
	ring r;

	(void)state;
	ring_init(&r, 64);
	pthread_create(&producer, NULL, produce, &r);
	for (uint64_t k = 1; k <= CROSSINGS;) {
		const ins *i = ring_next(&r);

		if (!i) {
			ring_release(&r);
			sched_yield();
			continue;
		}
		check_record(i, k++);
		ring_pop(&r, i);
	}
	pthread_join(producer, NULL);
	assert_null(ring_next(&r));
	ring_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_wraps),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_takes_part_of_a_batch),
		cmocka_unit_test(test_full_of_words),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
