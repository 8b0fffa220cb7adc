/* test_bench_figures.c: the arithmetic of `gt bench compile` and its text, on times made up
 * here. */
#include "check.h"

#include <string.h>
#include "base/base.h"
#include "base/mem.h"
#include "tools/bench.h"

enum { N = 10, WARMUP = 2 };

/* A run of N iterations: `warm` seconds each at first, then `steady`. */
static bench_run *run_of(double warm, double steady, double wait)
{
	bench_run *r = mem_zero(sizeof *r);

	for (unsigned k = 0; k < N; k++)
		r->times[k] = k < WARMUP ? warm : steady;
	r->wait = wait;
	return r;
}

static void expect(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%s", part, text);
}

static void expect_near(double a, double b)
{
	assert_true(a > b * (1 - 1e-12) && a < b * (1 + 1e-12));
}

static void test_sums(void **state)
{
	bench_run *e = run_of(1, 0.5, 0), *c = run_of(2, 0.125, 0.25);
	const bench_figures f = bench_figure("w", N, WARMUP, e, c);

	(void)state;
	expect_near(f.warm.eager, 2);
	expect_near(f.warm.compiled, 4);
	expect_near(f.steady.eager, 4);
	expect_near(f.steady.compiled, 1);
	expect_near(f.total.compiled, 5);
	expect_near(bench_speedup(&f.steady), 4);
	expect_near(f.total.eager_least, 0.5);
	expect_near(f.total.compiled_least, 0.125);
	assert_int_equal(f.warm.count + f.steady.count, f.total.count);
	mem_free(e);
	mem_free(c);
}

static void test_break_even(void **state)
{
	const double eager[] = { 1, 1, 1, 1, 1, 1 }, slow[] = { 2, 2, 2, 2, 2, 2 };
	const double late[] = { 2, 2, 0.5, 0.5, 0.5, 0.5 }, same[] = { 1, 1, 1, 1, 1, 1 };
	const double lost[] = { 1, 1, 1, 1, 1, 1.5 };

	(void)state;
	/* Two behind after the warm-up, half a second won in each iteration since. */
	assert_int_equal(bench_break_even(eager, late, 6, 2, 0), 6);
	assert_int_equal(bench_break_even(eager, late, 5, 2, 0), 0);
	/* The wait counts, once and after the warm-up. */
	assert_int_equal(bench_break_even(eager, late, 6, 2, 0.25), 0);
	assert_int_equal(bench_break_even(eager, late, 6, 6, 9), 6);
	assert_int_equal(bench_break_even(eager, slow, 6, 2, 0), 0);
	assert_int_equal(bench_break_even(eager, same, 6, 2, 0), 1);
	/* Ahead is only who stays ahead. */
	assert_int_equal(bench_break_even(eager, lost, 6, 2, 0), 0);
	assert_int_equal(bench_break_even(eager, lost, 5, 2, 0), 1);
}

static void test_settling(void **state)
{
	bench_run *e = run_of(1, 1, 0), *c = run_of(1, 0.5, 1.25);

	(void)state;
	assert_true(bench_wait(e, c) == 1.25);
	*e = (bench_run){ .settled = 4, .settling = 4 };
	c->settled = 4;
	c->settling = 6;                 /* two seconds more than as many eager iterations */
	assert_true(bench_wait(e, c) == 1.25 + 2);
	c->settled = 2;                  /* fewer, as each took long */
	assert_true(bench_wait(e, c) == 1.25 + 4);
	c->settled = 8;                  /* what settling wins is not counted */
	assert_true(bench_wait(e, c) == 1.25);
	mem_free(e);
	mem_free(c);
}

static void test_projection(void **state)
{
	bench_run *e = run_of(1, 1, 0), *c = run_of(8, 0.5, 1), *slow = run_of(1, 2, 0);
	bench_figures f = bench_figure("w", N, WARMUP, e, c);

	(void)state;
	/* 14 s lost in the warm-up and 1 s waiting; 4 s won since; 11 s more at 0.5 s each. */
	assert_int_equal(f.break_even, 0);
	expect_near(f.projected, N + 22);
	f = bench_figure("w", N, WARMUP, e, slow);
	assert_true(f.projected <= 0);
	f = bench_figure("w", N, WARMUP, e, e);
	assert_int_equal(f.break_even, 1);
	expect_near(f.projected, 1);
	mem_free(e);
	mem_free(c);
	mem_free(slow);
}

static void test_units(void **state)
{
	char text[BENCH_TIME_MAX];

	(void)state;
	assert_string_equal(bench_time(1.65, text), "1.650s");
	assert_string_equal(bench_time(0.0123456, text), "12.346ms");
	assert_string_equal(bench_time(0.0000042, text), "4.2µs");
	assert_string_equal(bench_time(0, text), "0.0µs");
}

/* A block of a run against itself, a faster or a slower one. */
static void expect_block(const bench_run *e, const bench_run *c, const char *const *parts, size_t n)
{
	const bench_figures f = bench_figure("Some Work", N, WARMUP, e, c);
	buf out = { 0 };

	bench_print(&f, &out);
	for (size_t k = 0; k < n; k++)
		expect(buf_text(&out), parts[k]);
	buf_fini(&out);
}

static void test_blocks(void **state)
{
	static const char *const wins[] = { "WORKLOAD: Some Work\nIterations: 10 (warmup: 2)\n=====",
		"Warmup (first 2 iters):                              2.000s         2.000s          1.00x\n",
		"Steady state (remaining 8 iters):                    8.000s         2.000s          4.00x\n"
		"  Per iteration:                                     1.000s      250.000ms          4.00x\n",
		"VERDICT: ✅ COMPILE WINS (2.50x faster overall)\n"
		"         Steady-state: 4.00x faster\n",
		"Break-even point: iteration 4\n",
		"Waiting for compilation: 1.000s (counted in the break-even)\n" };
	static const char *const loses[] = { "❌ NO COMPILE WINS (2.50x faster overall)\n",
		"Steady-state: 4.00x slower\n", "Break-even point: never\n" };
	static const char *const even[] = { "➖ EVEN (1.00x overall)\n",
		"Break-even point: iteration 1\n" };
	bench_run *a = run_of(1, 1, 0), *b = run_of(1, 0.25, 1);

	(void)state;
	expect_block(a, b, wins, COUNT(wins));
	expect_block(b, a, loses, COUNT(loses));
	expect_block(a, a, even, COUNT(even));
	mem_free(a);
	mem_free(b);
}

static void test_tables_and_json(void **state)
{
	bench_run *e = run_of(1e-5, 1e-5, 0), *c = run_of(1e-5, 5e-6, 6e-6);
	bench_figures f[2];
	buf out = { 0 };

	(void)state;
	f[0] = bench_figure("Gains", N, WARMUP, e, c);
	f[1] = bench_figure("Loses", N, WARMUP, c, e);
	bench_print_summary(f, 2, &out);
	expect(buf_text(&out), "Gains                               +6.0µs          2.00x            4   "
		"compile, runs of 4+\n");
	expect(buf_text(&out), "0.50x        never   no compile\n");
	bench_print_patterns(f, 2, &out);
	expect(buf_text(&out), "Gains                           10.0µs         5.0µs       2.00x");
	bench_print_json(f, 2, &out);
	expect(buf_text(&out), "\"workload\": \"Gains\", \"iterations\": 10, \"warmup\": 2");
	expect(buf_text(&out), "\"verdict\": \"compile\", \"break_even\": 4");
	expect(buf_text(&out), "\"verdict\": \"eager\", \"break_even\": null");
	buf_fini(&out);
	mem_free(e);
	mem_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_break_even),
		cmocka_unit_test(test_settling),
		cmocka_unit_test(test_projection),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_tables_and_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
