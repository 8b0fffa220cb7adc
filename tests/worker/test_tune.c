/* test_tune.c: max-autotune, by machine code: the bits stay, the choice is remembered. On a tenant
 * seen from inside. */
#include "check.h"
#include <gt/gt.h>
#include <stdio.h>
#include <stdlib.h>
#include "cache/plugin.h"
#include "one_tenant.h"

#define FIRST "t1 = randn float32 [64] seed=1 draw=1\nt2 = randn float32 [512,64] seed=1 draw=2\n" \
	"t3 = permute t2 perm=[1,0]\n"
#define BODY "t%4 = exp t1\nt%5 = add t2, t%4\nt%6 = tanh t%5\nt%7 = sum t%6 axes=[0]\n" \
	"t%8 = sum t3 axes=[1]\nt%9 = mul t%8, t%7\nfree t%4\nfree t%5\nfree t%6\nfree t%7\n" \
	"free t%8\n"
#define ROUNDS 8

static char folder[] = "/tmp/gt-tune-XXXXXX";
static void run_all(const char *text, unsigned k)
{
	play p = run_numbered(text, k);

	play_end(&p);
}

static void open_tenant(void)
{
	admit_tenant(0, false);
	run_all(FIRST, 0);
}

/* The last of some runs: as a part of that mode; 0: left alone. */
static void play_body(int mode, float last[64])
{
	char begin[32];

	snprintf(begin, sizeof begin, "begin mode=%d\n", mode);
	for (unsigned k = 1; k <= ROUNDS; k++) {
		play p;

		run_all(begin, 0);
		run_all(BODY, k);
		run_all("end\n", 0);
		p = run_numbered("fetch t%9\nfree t%9\n", k);
		assert_int_equal(p.answers[0]->state, ANSWER_READY);
		memcpy(last, p.answers[0]->data, 64 * sizeof *last);
		play_end(&p);
	}
}

static const fused_plan *only_plan(void)
{
	assert_int_equal(t->hot->count, 1);
	assert_int_equal(t->hot->runs[0]->fused.count, 1);
	return t->hot->runs[0]->fused.plans[0];
}

static uint64_t choices_found(void)
{
	cache_stats s;

	cache_stats_of(cache_shared(), &s);
	return s.hits[CACHE_TUNED];
}

static hot_stats stats(void)
{
	hot_stats s = { 0 };

	hot_catch_up(t->hot, &s);
	return s;
}

/* Measured once, on data that are the run's; the second worker takes the same code without
 * measuring. */
static void test_choice(void **state)
{
	float eager[64], got[64];
	const fused_plan *p;
	fused_code *codes[16];
	uint32_t steps, tried;
	hot_stats s;

	(void)state;
	open_tenant();
	play_body(GT_COMPILE_OFF, eager);
	dismiss_tenant();
	open_tenant();
	play_body(GT_COMPILE_MAX_AUTOTUNE, got);
	assert_memory_equal(got, eager, sizeof got);
	p = only_plan();
	assert_true(p->completed >= 2);
	tried = p->tried;
	steps = p->f->steps.count;
	assert_true(steps <= COUNT(codes));
	for (uint32_t k = 0; k < steps; k++)
		codes[k] = p->steps[k].code;
	assert_true(tried > FUSE_TASTES);        /* ways to emit kernels, too */
	s = stats();
	assert_true(s.compiles > p->f->groups.count && s.hits <= tried * p->f->groups.count);
	assert_true(p->tuned_ns && p->tuned_ns <= p->usual_ns);
	assert_int_equal(choices_found(), 0);
	dismiss_tenant();

	open_tenant();
	play_body(GT_COMPILE_MAX_AUTOTUNE, got);
	assert_memory_equal(got, eager, sizeof got);
	p = only_plan();
	assert_int_equal(choices_found(), 1);
	assert_int_equal(p->tried, tried);
	assert_int_equal(p->f->steps.count, steps);
	for (uint32_t k = 0; k < steps; k++)
		assert_ptr_equal(p->steps[k].code, codes[k]);
	s = stats();
	assert_int_equal(s.hits, p->f->groups.count);
	assert_int_equal(s.compiles + s.loaded, 0);
	dismiss_tenant();
}

/* Other shapes are another question. */
static void test_shapes(void **state)
{
	const uint64_t before = choices_found();
	float got[64];

	(void)state;
	open_tenant();
	run_all("t2 = neg t1\n", 0);     /* in use already: refused */
	run_all("free t2\nfree t3\n", 0);
	run_all("t2 = randn float32 [96,64] seed=1 draw=2\nt3 = permute t2 perm=[1,0]\n", 0);
	play_body(GT_COMPILE_MAX_AUTOTUNE, got);
	assert_true(only_plan()->tried > 0);
	assert_int_equal(choices_found(), before);
	dismiss_tenant();
}

/* A session ends while its loop is being measured: nothing is left, nothing is used afterwards. */
static void test_end_in_the_middle(void **state)
{
	(void)state;
	for (unsigned pieces = 0; pieces < 12; pieces++) {
		hot *h;

		set(FLAG_GT_COMPILE_SYNC, "0");
		open_tenant();
		run_all("free t2\nfree t3\n", 0);
		run_all("t2 = randn float32 [200,64] seed=1 draw=2\nt3 = permute t2 perm=[1,0]\n", 0);
		run_all("begin mode=3\n", 0);
		h = t->hot;
		pthread_mutex_lock(&h->mining);
		run_all(BODY "end\n", 1);
		while (hot_mine(h, 1024))
			;
		for (unsigned k = 2; k < 4; k++) {
			run_all("begin mode=3\n", 0);
			run_all(BODY "end\n", k);
		}
		for (unsigned k = 0; k < pieces; k++)
			compile_some(h, true);
		pthread_mutex_unlock(&h->mining);
		dismiss_tenant();
	}
	set(FLAG_GT_COMPILE_SYNC, "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_end_in_the_middle),
	};
	const codegen *generator;
	char command[64];
	int failed;

	if (plugin_open(&generator)) {
		print_message("built without LLVM: there is nothing to choose from\n");
		return 0;
	}
	if (!mkdtemp(folder))
		return 1;
	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_COMPILE_SYNC, "1");
	set(FLAG_GT_HOTPATH_TIER, "2");
	set(FLAG_GT_CACHE_DIR, folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command) || failed;
}
