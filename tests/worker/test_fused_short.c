/* test_fused_short.c: short rows joined to long ones give the bits of the rows one by one. */
#include "check.h"

#include <stdlib.h>
#include "group/group_make.h"
#include "group/helpers.h"
#include "group/reference.h"
#include "worker/fused_step.h"

enum { ROWS = 90, COLS = 63, ARGS = 6 };

static uint64_t state = 88172645463325252u;

static uint64_t random_below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

/* out = (x + bias) * scale, mask = x < bias; `gap` elements between rows of x. */
typedef struct sample {
	group g;
	kernel_arg args[ARGS];
	double memory[ARGS][ROWS * (COLS + 1)];
	uint64_t scalars[2];             /* of a draw */
	int64_t rows, cols;
} sample;

static void make_group(sample *s, gt_dtype d)
{
	int x, bias, scale;

	make_start(&s->g, GROUP_ELEMENT);
	x = make_load(&s->g, d, ACCESS_RUN);
	bias = make_load(&s->g, d, ACCESS_RUN);
	s->g.args[1].fixed = true;
	scale = make_load(&s->g, d, ACCESS_SAME);
	s->g.args[2].fixed = true;
	make_store(&s->g, make_op(&s->g, OP_mul, make_op(&s->g, OP_add, x, bias, 0), scale, 0),
		ACCESS_RUN);
	make_store(&s->g, make_op(&s->g, OP_lt, x, bias, 0), ACCESS_RUN);
}

static void put(gt_dtype d, void *memory, size_t at)
{
	const int64_t v = (int64_t)random_below(2001) - 1000;

	switch (d) {
	case GT_FLOAT32: ((float *)memory)[at] = (float)v / 16; break;
	case GT_FLOAT64: ((double *)memory)[at] = (double)v / 16; break;
	case GT_INT32:   ((int32_t *)memory)[at] = (int32_t)v; break;
	default:         ((int64_t *)memory)[at] = v; break;
	}
}

static void make_data(sample *s, gt_dtype d, int64_t gap)
{
	for (int k = 0; k < s->g.args_count; k++) {
		const group_arg *a = &s->g.args[k];
		const int64_t size = (int64_t)dtype_size((gt_dtype)a->dtype);

		memset(s->memory[k], 0x5a, sizeof s->memory[k]);
		for (size_t at = 0; !a->out && at < ROWS * (COLS + 1); at++)
			put(d, s->memory[k], at);
		s->args[k] = (kernel_arg){ s->memory[k], a->fixed ? 0 : (s->cols + gap) * size, 0 };
	}
}

/* Whether it was joined. What it wrote is what the rows write one by one. */
static bool run_both(sample *s)
{
	static double wanted[ARGS][ROWS * (COLS + 1)];
	const kernel_call c = { s->rows, s->cols, s->args, s->scalars, helpers };
	kernel_arg args[ARGS];
	kernel_call plain = c;
	const fused_code code = { .g = &s->g };
	bool joined;

	memcpy(wanted, s->memory, sizeof wanted);
	memcpy(args, s->args, sizeof args);
	for (int k = 0; k < s->g.args_count; k++)
		args[k].data = s->g.args[k].counts ? args[k].data : wanted[k];
	plain.args = args;
	joined = fused_short_run(&code, &c);
	if (joined)
		group_run(&s->g, &plain);
	assert_memory_equal(s->memory, wanted, sizeof wanted);
	return joined;
}

static sample *new_sample(gt_dtype d, int64_t rows, int64_t cols, int64_t gap)
{
	sample *s = calloc(1, sizeof *s);

	s->rows = rows;
	s->cols = cols;
	make_group(s, d);
	make_data(s, d, gap);
	return s;
}

static void test_joined(void **unused)
{
	static const gt_dtype dtypes[] = { GT_FLOAT32, GT_FLOAT64, GT_INT32, GT_INT64 };
	int joined = 0;

	(void)unused;
	for (int64_t cols = 1; cols <= COLS; cols++)
		for (int64_t rows = 2; rows <= ROWS; rows += 1 + (int64_t)random_below(9)) {
			sample *s = new_sample(dtypes[random_below(COUNT(dtypes))], rows, cols, 0);

			joined += run_both(s);
			free(s);
		}
	assert_true(joined > 1000);
}

/* Rows apart from each other, and a value for each row. */
static void test_not_joined(void **unused)
{
	sample *s = new_sample(GT_FLOAT32, 20, 10, 1);

	(void)unused;
	assert_false(run_both(s));
	free(s);
	s = new_sample(GT_FLOAT32, 20, 10, 0);
	s->g.args[2].fixed = false;
	s->args[2].row = 4;
	assert_false(run_both(s));
	free(s);
}

/* Nothing to repeat: all rows are one. */
static void test_no_repeats(void **unused)
{
	sample *s = new_sample(GT_FLOAT64, 90, 63, 0);

	(void)unused;
	s->g.args[1].fixed = false;
	s->args[1].row = s->args[0].row;
	assert_true(run_both(s));
	free(s);
}

/* Random numbers go on from row to row. Where the draw begins does not matter. */
static void make_noise(sample *s, int64_t first)
{
	int number, bias;

	make_start(&s->g, GROUP_ELEMENT);
	number = make_count(&s->g, ACCESS_RUN);
	bias = make_load(&s->g, GT_FLOAT32, ACCESS_RUN);
	s->g.args[1].fixed = true;
	make_store(&s->g, make_op(&s->g, OP_add, make_draw(&s->g, OP_randn, GT_FLOAT32, number),
		bias, 0), ACCESS_RUN);
	make_data(s, GT_FLOAT32, 0);
	s->args[0] = (kernel_arg){ KERNEL_NUMBERS + 8 * first, 8 * s->cols, 0 };
}

static void test_draws(void **unused)
{
	(void)unused;
	for (int64_t cols = 1; cols <= COLS; cols++)
		for (int64_t rows = 2; rows <= 30; rows += 1 + (int64_t)random_below(5)) {
			sample *s = new_sample(GT_FLOAT32, rows, cols, 0);

			make_noise(s, (int64_t)random_below(1000));
			assert_true(run_both(s) || 2 * cols > 64);
			free(s);
		}
}

/* From how many rows on. */
static void test_when(void **unused)
{
	sample *s = new_sample(GT_FLOAT32, 16, 10, 0);
	const int64_t plain = code_short_rows(&s->g);
	int64_t drawn;

	(void)unused;
	make_noise(s, 0);
	drawn = code_short_rows(&s->g);
	assert_true(drawn > 1 && drawn < plain);
	s->g.mode = GROUP_COLS;
	assert_int_equal(code_short_rows(&s->g), 0);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_joined),
		cmocka_unit_test(test_not_joined),
		cmocka_unit_test(test_no_repeats),
		cmocka_unit_test(test_draws),
		cmocka_unit_test(test_when),
	};

	return cmocka_run_group_tests_name("fused_short", tests, NULL, NULL);
}
