/* test_stress.c: many clients on their own threads at one worker: every read is right, none hangs.
 *
 * Each client keeps a running sum in a chain of adds, with reads, pauses, back-pressure and
 * expensive marks where its own random numbers say so; other threads wait for some of the answers;
 * some clients leave without reading. An alarm ends the test if it hangs.
 */
#include "check.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/flags.h"
#include "base/mem.h"
#include "embed/embed.h"
#include "play.h"

enum { CLIENTS = 4, SESSIONS = 30, STEPS = 1500, HANGS_AFTER = 100 };

typedef struct random_ { uint64_t x; } random_;

static unsigned below(random_ *r, unsigned n)
{
	r->x = r->x * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(r->x >> 33) % n;
}

static void put_step(batch *b, uint64_t k)
{
	ins_room room;
	ins *i = ins_init(&room, OP_add, k + 1);

	ins_put_input(i, k);
	ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 1 });
	batch_push(b, i);
	i = ins_init(&room, OP_free, 0);
	ins_put_input(i, k);
	batch_push(b, i);
}

static answer *put_fetch(batch *b, uint64_t k)
{
	answer *a = answer_new();
	ins_room room;
	ins *i = ins_init(&room, OP_fetch, 0);

	ins_put_input(i, k);
	ins_put_operand(i, (int64_t)(intptr_t)a);
	batch_push(b, i);
	return a;
}

static void flush(struct link *l, batch *b, uint64_t cost)
{
	if (l->ops->flush(l, b->words, b->used, b->count, cost))
		abort();
	b->used = b->count = 0;
}

static void check(const answer *a, uint64_t k)
{
	if (atomic_load(&a->state) != ANSWER_READY || *(const float *)a->data != (float)k) {
		fprintf(stderr, "step %d: wrong\n", (int)k);
		abort();
	}
}

typedef struct other { struct link *l; answer *a; } other;

static void *wait_elsewhere(void *arg)
{
	other *o = arg;

	if (o->l->ops->wait(o->l, o->a, NULL))
		abort();
	link_drop(o->l);
	answer_drop(o->a);
	free(o);
	return NULL;
}

static pthread_t spawn_wait(struct link *l, answer *a)
{
	other *o = malloc(sizeof *o);
	pthread_t thread;

	*o = (other){ l, a };
	link_hold(l);
	pthread_create(&thread, NULL, wait_elsewhere, o);
	return thread;
}

static void run_session(random_ *r)
{
	struct link *l;
	batch b = { 0 };
	ins_room room;
	ins *i = ins_init(&room, OP_full, 1);
	pthread_t threads[4];
	unsigned spawned = 0, steps = below(r, STEPS);

	if (embed_open(&l))
		abort();
	i->attr.dtype = GT_FLOAT32;
	ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 1 });
	batch_push(&b, i);
	for (uint64_t k = 1; k < steps; k++) {
		answer *a;

		put_step(&b, k);
		if (!below(r, 8))
			flush(l, &b, below(r, 2) ? 100000 : 0);
		if (below(r, 12))
			continue;
		a = put_fetch(&b, k + 1);
		flush(l, &b, below(r, 3) ? 0 : 100000);
		if (spawned < 4 && !below(r, 8)) {
			threads[spawned++] = spawn_wait(l, a);
			continue;
		}
		if (!below(r, 6))
			usleep(below(r, 300));
		if (l->ops->wait(l, a, NULL))
			abort();
		check(a, k + 1);
		answer_drop(a);
		if (!below(r, 10) && l->ops->sync(l, NULL))
			abort();
	}
	flush(l, &b, 0);
	batch_fini(&b);
	l->ops->close(l);
	while (spawned)
		pthread_join(threads[--spawned], NULL);
}

static void *client(void *arg)
{
	random_ r = { (uint64_t)(uintptr_t)arg };

	for (int k = 0; k < SESSIONS; k++)
		run_session(&r);
	return NULL;
}

static void run_clients(const char *runahead, const char *workers)
{
	pthread_t threads[CLIENTS];

	assert_int_equal(flag_set(FLAG_GT_RUNAHEAD, runahead), GT_OK);
	assert_int_equal(flag_set(FLAG_GT_WORKERS, workers), GT_OK);
	for (uintptr_t k = 0; k < CLIENTS; k++)
		pthread_create(&threads[k], NULL, client, (void *)(k * 7919 + 17));
	for (int k = 0; k < CLIENTS; k++)
		pthread_join(threads[k], NULL);
}

static void test_long_rings(void **state)
{
	(void)state;
	run_clients("4096", "1");
}

static void test_short_rings(void **state)
{
	(void)state;
	run_clients("4", "1");
}

static void test_tiny_rings_two_workers(void **state)
{
	(void)state;
	run_clients("1", "2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_rings),
		cmocka_unit_test(test_short_rings),
		cmocka_unit_test(test_tiny_rings_two_workers),
	};

	alarm(HANGS_AFTER);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
