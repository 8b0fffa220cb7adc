/* test_cover.c: what looks at the coverage lead to: loops that retire, settle, unsettle. */
#include "check.h"
#include <string.h>
#include "hotpath/track.h"

#define LOOK 4096u               /* ops between two of them, once the stream is under way */
#define LOOKS 16u                /* in a row that decide */

/* A track with one hot loop, which is never matched: what it took is said here. */
typedef struct trial { track t; loop *l; } trial;

static void begin(trial *x)
{
	track_init(&x->t, 10, 3, 64);
	x->l = &x->t.loops[3];
	*x->l = (loop){ .signature = 77, .n = 5, .runs = 100, .hot = true };
	x->t.check_step = LOOK;
}

/* One look, at which the loop took so many ops of the last LOOK, and alone so many. */
static void look(trial *x, uint64_t taken, uint64_t alone)
{
	x->t.ops += LOOK;
	x->t.covered += LOOK;
	x->l->taken = taken;
	x->l->alone = alone;
	cover_check(&x->t);
	assert_int_equal(x->l->taken, 0);
}

static bool told(trial *x, proposal_what what)
{
	track_event e;

	if (!track_next(&x->t, &e))
		return false;
	assert_int_equal(e.what, what);
	assert_int_equal(e.signature, 77);
	assert_int_equal(e.n, 5);
	assert_null(e.region);
	assert_false(track_next(&x->t, &e));
	return true;
}

static void test_retires(void **state)
{
	trial x;

	(void)state;
	begin(&x);
	for (unsigned k = 0; k + 1 < LOOKS; k++)
		look(&x, LOOK / 8, 0);
	assert_false(told(&x, PROPOSAL_RETIRED));
	look(&x, LOOK / 8, 0);
	assert_true(told(&x, PROPOSAL_RETIRED));
	assert_int_equal(x.l->n, 0);
	assert_int_equal(x.t.past_runs, 0);      /* others took its ops, and count them */
	track_fini(&x.t);
}

/* It takes what nobody else does, or much, or it is somebody else's turn. */
static void test_stays(void **state)
{
	static const struct { uint64_t taken, alone; } reasons[] = {
		{ LOOK / 8, LOOK / 50 }, { LOOK / 2, 0 }, { LOOK / 4, 0 },
	};
	trial x;

	(void)state;
	begin(&x);
	for (unsigned k = 0; k < 60; k++)
		if (k % 15 == 14)
			look(&x, reasons[k / 15 % 3].taken, reasons[k / 15 % 3].alone);
		else
			look(&x, LOOK / 8, 0);
	for (unsigned k = 0; k < 40; k++)
		look(&x, 0, 0);
	assert_false(told(&x, PROPOSAL_RETIRED));
	assert_int_equal(x.l->n, 5);
	track_fini(&x.t);
}

static void test_settles(void **state)
{
	trial x;

	(void)state;
	begin(&x);
	for (unsigned k = 0; k + 1 < LOOKS; k++)
		look(&x, LOOK, LOOK);
	look(&x, LOOK * 9 / 10, LOOK);           /* not nearly all: from the beginning again */
	for (unsigned k = 0; k + 1 < LOOKS; k++)
		look(&x, LOOK, LOOK);
	assert_false(told(&x, PROPOSAL_SETTLED));
	look(&x, LOOK * 96 / 100, LOOK);
	assert_true(told(&x, PROPOSAL_SETTLED));
	for (unsigned k = 0; k < 2 * LOOKS; k++)
		look(&x, LOOK * 85 / 100, LOOK);
	assert_false(told(&x, PROPOSAL_UNSETTLED));
	look(&x, LOOK * 70 / 100, LOOK);
	assert_true(told(&x, PROPOSAL_UNSETTLED));
	track_fini(&x.t);
}

/* Who makes room for another loop is told, and its runs still count. */
/* Whether it is worth while to wait for that is known much sooner. */
static void test_is_about_to_settle(void **state)
{
	trial x;

	(void)state;
	begin(&x);
	assert_true(track_settles(&x.t));
	look(&x, LOOK / 2, 0);           /* it was found in between */
	assert_true(track_settles(&x.t));
	for (unsigned k = 0; k < LOOKS; k++) {
		assert_true(track_settles(&x.t));
		look(&x, LOOK * 97 / 100, 0);
	}
	assert_true(told(&x, PROPOSAL_SETTLED));
	assert_false(track_settles(&x.t));
	look(&x, LOOK / 2, 0);
	assert_true(told(&x, PROPOSAL_UNSETTLED));
	look(&x, LOOK / 2, 0);
	look(&x, LOOK / 2, 0);
	assert_false(track_settles(&x.t)); /* a part of a program */
	track_fini(&x.t);
}

static void test_evicted(void **state)
{
	trial x;

	(void)state;
	begin(&x);
	track_evict(&x.t, x.l);
	assert_true(told(&x, PROPOSAL_RETIRED));
	assert_int_equal(x.t.past_runs, 100);
	assert_int_equal(x.t.past_hot_runs, 90);
	track_fini(&x.t);
}

/* A history that was outgrown goes slice by slice: pages given back read as nothing. */
static void test_give_back(void **state)
{
	const uint64_t words = UINT64_C(65536) * HISTORY_WORDS;
	uint64_t slices = 0, left = 0;
	history h;

	(void)state;
	history_init(&h, 65536);
	memset(h.words, 1, words * sizeof(*h.words));
	while (history_give_back(&h, slices))
		slices++;
	for (uint64_t k = 0; k < words; k++)
		left += h.words[k] != 0;
	assert_in_range(slices, 100, 1000);
	assert_true(left * sizeof(*h.words) < 8192);     /* the ends, which share pages */
	history_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retires), cmocka_unit_test(test_stays),
		cmocka_unit_test(test_settles), cmocka_unit_test(test_is_about_to_settle),
		cmocka_unit_test(test_evicted), cmocka_unit_test(test_give_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
