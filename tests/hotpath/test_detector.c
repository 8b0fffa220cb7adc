/* test_detector.c: the detector on its own: marked iterations, and loops found by wiring. */
#include "check.h"
#include <stdio.h>
#include <gt/hotpath.h>

static void two_ops(gt_hotpath *h, int64_t size)
{
	const int64_t dims[] = { size, size };

	gt_hotpath_operation(h, "matmul", dims, 2);
	gt_hotpath_operation(h, "relu", dims, 2);
}

/* Hot with the tenth time; the first operation begins an iteration by itself. */
static void test_iterations(void **state)
{
	gt_hotpath *h = gt_hotpath_new(10, 0);
	gt_hotpath_counts c;

	(void)state;
	for (int k = 1; k <= 100; k++) {
		if (k % 2)
			gt_hotpath_begin(h);
		two_ops(h, 64);
		assert_int_equal(gt_hotpath_end(h), k >= 10);
		assert_int_equal(gt_hotpath_should_compile(h), k >= 10);
	}
	gt_hotpath_count(h, &c);
	assert_int_equal(c.total_batches, 100);
	assert_int_equal(c.hot_batches_executed, 90);
	assert_int_equal(c.unique_patterns, 1);
	assert_int_equal(c.hot_paths, 1);
	assert_int_equal(c.hot_threshold, 10);
	assert_int_equal(c.total_instructions, 200);
	assert_int_equal(gt_hotpath_end(h), 0);  /* nothing was begun */
	gt_hotpath_free(h);
}

static void test_shapes(void **state)
{
	(void)state;
	for (int agnostic = 0; agnostic < 2; agnostic++) {
		gt_hotpath *h = gt_hotpath_new(3, agnostic);
		int hot = 0;

		for (int k = 1; k <= 3; k++) {
			two_ops(h, k);
			hot = gt_hotpath_end(h);
		}
		assert_int_equal(hot, agnostic);
		gt_hotpath_free(h);
	}
}

/* Beginning again forgets what was recorded. */
static void test_begin(void **state)
{
	gt_hotpath *h = gt_hotpath_new(2, 0);

	(void)state;
	two_ops(h, 4);
	assert_int_equal(gt_hotpath_end(h), 0);
	gt_hotpath_operation(h, "exp", NULL, -1);
	gt_hotpath_begin(h);
	two_ops(h, 4);
	assert_int_equal(gt_hotpath_end(h), 1);
	gt_hotpath_free(h);
}

static int put(gt_hotpath *h, const char *name, const char *out, const char *a, const char *b,
	size_t *length)
{
	const char *const in[] = { a, b };
	int hot;

	assert_int_equal(GT_OK,
		gt_hotpath_instruction(h, "binary", name, out, in, b ? 2 : 1, &hot, length));
	return hot;
}

/* h = x @ w, r = relu(h), w = w - r, under fresh names (or the same ones) each time. */
static void check_loop(int fresh)
{
	gt_hotpath *h = gt_hotpath_new(10, 0);
	char names[4][16], w[16] = "w";
	size_t length = 0;
	int hot = 0;
	gt_hotpath_counts c;

	for (int k = 0; k < 100; k++) {
		for (int j = 0; j < 4; j++)
			snprintf(names[j], sizeof(names[j]), "t%d", fresh ? 4 * k + j : j);
		put(h, "matmul", names[0], "x", w, &length);
		put(h, "relu", names[1], names[0], NULL, &length);
		put(h, "mul", names[2], names[1], names[0], &length);
		hot = put(h, "sub", names[3], w, names[2], &length);
		snprintf(w, sizeof(w), "%s", names[3]);
		if (k == 5)
			assert_int_equal(hot, 0);
		if (k >= 12) {
			assert_int_equal(hot, 1);
			assert_int_equal(length, 4);
		}
	}
	gt_hotpath_count(h, &c);
	assert_in_range(c.total_batches, 99, 100);
	assert_int_equal(c.hot_batches_executed, c.total_batches - 10);
	assert_int_equal(c.unique_patterns, 1);
	assert_int_equal(c.hot_paths, 1);
	gt_hotpath_free(h);
}

static void test_loops(void **state)
{
	(void)state;
	check_loop(1);
	check_loop(0);
}

/* In marked iterations wiring counts, names do not. */
static int wired(gt_hotpath *h, const char *a, const char *b, const char *c, const char *d,
	int swap)
{
	size_t length;

	gt_hotpath_begin(h);
	put(h, "mul", c, a, b, &length);
	put(h, "sub", d, swap ? a : c, swap ? c : a, &length);
	return gt_hotpath_end(h);
}

static void test_wiring(void **state)
{
	gt_hotpath *h = gt_hotpath_new(2, 0);

	(void)state;
	assert_int_equal(wired(h, "a", "b", "c", "d", 0), 0);
	assert_int_equal(wired(h, "a", "b", "c", "d", 1), 0);
	assert_int_equal(wired(h, "a", "a", "c", "d", 0), 0);
	assert_int_equal(wired(h, "p", "q", "r", "s", 0), 1);
	assert_int_equal(wired(h, "p", "q", "r", "s", 1), 1);
	gt_hotpath_free(h);
}

static void test_errors(void **state)
{
	const char *in[65];
	gt_hotpath *h = gt_hotpath_new(1, 0);

	(void)state;
	assert_null(gt_hotpath_new(0, 0));
	assert_int_equal(gt_last_error_code(), GT_EINVAL);
	for (int k = 0; k < 65; k++)
		in[k] = "x";
	assert_int_equal(gt_hotpath_instruction(h, "n", "cat", "y", in, 64, NULL, NULL), GT_OK);
	assert_int_equal(gt_hotpath_instruction(h, "n", "cat", "y", in, 65, NULL, NULL), GT_ELIMIT);
	gt_hotpath_free(h);
	gt_hotpath_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iterations), cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_begin), cmocka_unit_test(test_loops),
		cmocka_unit_test(test_wiring), cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
