/* test_modes.c: what the modes of compiling change, on a tenant seen from inside; and that it is
 * never a bit. */
#include "check.h"
#include <gt/gt.h>
#include <stdio.h>
#include "one_tenant.h"

/* An exponential that would be computed anew in every row: the cost model keeps it apart. */
#define FIRST "t1 = randn float32 [64] seed=1 draw=1\nt2 = randn float32 [2048,64] seed=1 draw=2\n"
#define BODY "t%3 = exp t1\nt%4 = add t2, t%3\nt%5 = mul t%4, 0.5\nt%6 = sum t%5 axes=[0]\n" \
	"free t%3\nfree t%4\nfree t%5\n"

#define ROUNDS 14

static void open_tenant(uint64_t threshold)
{
	play p;

	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_COMPILE_SYNC, "1");
	set(FLAG_GT_HOTPATH_TIER, "2");
	admit_tenant(threshold, false);
	p = play_line(tenant_line(t), FIRST);
	play_end(&p);
}

/* BODY several times over, as a part of that mode; -1: as no part. The last sum, and the plan that
 * it was computed by. */
static const fused_plan *play_body(int mode, float sum[64])
{
	const fused_plan *p;
	char begin[32];
	play now;

	snprintf(begin, sizeof begin, "begin mode=%d\n", mode);
	for (unsigned k = 1; k <= ROUNDS; k++) {
		if (mode >= 0) {
			now = run_numbered(begin, 0);
			play_end(&now);
		}
		now = run_numbered(BODY, k);
		play_end(&now);
		if (mode >= 0) {
			now = run_numbered("end\n", 0);
			play_end(&now);
		}
		now = run_numbered("fetch t%6\nfree t%6\n", k);
		assert_int_equal(now.answers[0]->state, ANSWER_READY);
		memcpy(sum, now.answers[0]->data, 64 * sizeof *sum);
		play_end(&now);
	}
	assert_int_equal(t->hot->count, 1);
	assert_int_equal(t->hot->runs[0]->fused.count, 1);
	p = t->hot->runs[0]->fused.plans[0];
	assert_true(p->completed >= 2);
	return p;
}

static void set_interpreted(void)
{
	set(FLAG_GT_HOTPATH_CODE, "interpreted");
	set(FLAG_GT_CACHE_DIR, "");
}

/* What an eager worker says. */
static void play_eagerly(float sum[64])
{
	play now;

	open_tenant(0);
	now = run_numbered(BODY "fetch t%6\n", 1);
	memcpy(sum, now.answers[0]->data, 64 * sizeof *sum);
	play_end(&now);
	dismiss_tenant();
}

static void test_parts(void **state)
{
	float eager[64], got[64];
	uint32_t steps;

	(void)state;
	set_interpreted();
	play_eagerly(eager);
	open_tenant(0);
	steps = play_body(GT_COMPILE_DEFAULT, got)->f->steps.count;
	assert_memory_equal(got, eager, sizeof got);
	dismiss_tenant();
	open_tenant(0);
	assert_true(play_body(GT_COMPILE_REDUCE_OVERHEAD, got)->f->steps.count < steps);
	assert_int_equal(t->hot->runs[0]->plan->region->mode, GT_COMPILE_REDUCE_OVERHEAD);
	assert_memory_equal(got, eager, sizeof got);
	dismiss_tenant();
}

/* Loops that nobody marked, and parts that are marked otherwise. */
static void test_setting(void **state)
{
	float usual[64], got[64];
	uint32_t steps;

	(void)state;
	set_interpreted();
	open_tenant(2);
	steps = play_body(-1, usual)->f->steps.count;
	dismiss_tenant();
	set(FLAG_GT_COMPILE_MODE, "reduce-overhead");
	open_tenant(2);
	assert_true(play_body(-1, got)->f->steps.count < steps);
	assert_memory_equal(got, usual, sizeof got);
	dismiss_tenant();
	open_tenant(0);
	assert_int_equal(play_body(GT_COMPILE_DEFAULT, got)->f->steps.count, steps);
	dismiss_tenant();
	set(FLAG_GT_COMPILE_MODE, "default");
}

/* The names of the modes are those of the setting, in the same order. */
static void test_names(void **state)
{
	static const char *const names[] = {
#define MODE(name, text) [GT_COMPILE_##name] = text,
		GT_COMPILE_MODES(MODE)
#undef MODE
	};

	(void)state;
	for (int k = GT_COMPILE_DEFAULT; k < GT_COMPILE_MODE_COUNT; k++) {
		set(FLAG_GT_COMPILE_MODE, names[k]);
		assert_int_equal(flag_int(FLAG_GT_COMPILE_MODE), k - GT_COMPILE_DEFAULT);
	}
	set(FLAG_GT_COMPILE_MODE, "default");
	assert_int_equal(flag_set(FLAG_GT_COMPILE_MODE, "fast"), GT_EINVAL);
	assert_non_null(strstr(gt_last_error(),
		"expected one of default|reduce-overhead|max-autotune"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_setting),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
