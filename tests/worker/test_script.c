/* test_script.c: the words of a run compared with its script, however many at a time and wherever
 * they begin: what differs is found where it is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "make.h"
#include "worker/script.h"

enum { OPS = 9, ROOM = 256 };

typedef struct words {
	uint64_t at[ROOM];
	uint32_t count;
} words;

static void put(words *w, const ins *i)
{
	assert_true(w->count + i->words <= ROOM);
	ins_copy(w->at + w->count, i);
	w->count += i->words;
}

/* A run whose first result is `base`: each value is the one before times a number, and freed behind
 * the next one. */
static void put_run(words *w, script *s, uint64_t base)
{
	for (uint32_t k = 0; k < OPS; k++) {
		ins_room room;
		ins *i = make_scaled(&room, base + k, k ? base + k - 1 : 3, (double)(base + k));

		put(w, i);
		assert_true(!s || script_note(s, i, k));
		if (!k)
			continue;
		i = make_op(&room, OP_free, 0, base + k - 1, 0);
		put(w, i);
		assert_true(!s || script_note(s, i, SCRIPT_NEVER));
	}
}

static void learn(script *s, uint64_t base)
{
	words w = { .count = 0 };

	script_init(s, OPS);
	assert_true(script_begin(s, false));
	put_run(&w, s, base);
	w.count = 0;
	assert_true(script_begin(s, true));
	put_run(&w, s, base + OPS);
	script_begin(s, true);
	assert_true(script_ready(s));
	assert_int_equal(s->words, w.count);
}

static uint32_t same_slowly(const script *s, uint32_t from, uint32_t n, const uint64_t *now,
	uint64_t base)
{
	uint32_t k = 0;

	while (k < n && !((now[k] - s->then[from + k] - (s->moves[from + k] & base)) &
			s->keep[from + k]))
		k++;
	return k;
}

/* All stretches of it, in memory that ends where they do. */
static void compare(const script *s, const words *w, uint64_t base)
{
	for (uint32_t from = 0; from < s->words; from++)
		for (uint32_t n = 0; n <= s->words - from; n++) {
			uint64_t *part = mem_alloc((n + !n) * sizeof *part);

			memcpy(part, w->at + from, n * sizeof *part);
			assert_int_equal(script_same(s, from, n, part, base),
				same_slowly(s, from, n, part, base));
			mem_free(part);
		}
}

static void test_same(void **state)
{
	const uint64_t base = 1000;
	script s;
	words w = { .count = 0 };

	(void)state;
	learn(&s, 100);
	put_run(&w, NULL, base);
	assert_int_equal(script_same(&s, 0, s.words, w.at, base), s.words);
	compare(&s, &w, base);
	for (uint32_t k = 0; k < s.words; k++) {
		w.at[k] ^= UINT64_C(1) << (k * 7 % 64);
		compare(&s, &w, base);
		assert_int_equal(script_same(&s, 0, s.words, w.at, base), s.keep[k] ? k : s.words);
		w.at[k] ^= UINT64_C(1) << (k * 7 % 64);
	}
	compare(&s, &w, base + 1);
	script_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
