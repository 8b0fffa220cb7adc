/* test_fused_part.c: one long row by several threads gives the bits of one call. */
#include "check.h"

#include <stdlib.h>
#include "group/group_make.h"
#include "group/helpers.h"
#include "worker/fused_step.h"

enum { COLS = (1 << 17) + 4096 * 3 + 5 };

/* Mean distance of x and y, and the largest x. */
typedef struct sample {
	group g;
	fused_code code;
	fuse_step s;
	fused_step st;
	kernel_arg args[GROUP_ARGS];
	uint64_t scalars[1];
	float mean, most;
} sample;

static void make_sample(sample *s, float *x, float *y, int64_t cols)
{
	group *g = &s->g;
	const float n = (float)cols;
	int a, d;

	make_start(g, GROUP_ROWS);
	a = make_load(g, GT_FLOAT32, ACCESS_RUN);
	d = make_op(g, OP_sub, a, make_load(g, GT_FLOAT32, ACCESS_RUN), 0);
	d = make_reduce(g, OP_sum, make_op(g, OP_abs, d, 0, 0));
	make_store(g, make_op(g, OP_div, d, make_scalar(g, GT_FLOAT32), 0), ACCESS_SAME);
	make_store(g, make_reduce(g, OP_max, a), ACCESS_SAME);
	s->code.g = g;
	s->s = (fuse_step){ .rows = 1, .cols = cols };
	s->st = (fused_step){ .s = &s->s, .code = &s->code, .args = s->args,
		.scalars = s->scalars, .bytes = 8 * cols };
	s->args[0].data = x;
	s->args[1].data = y;
	s->args[2].data = &s->mean;
	s->args[3].data = &s->most;
	memcpy(s->scalars, &n, sizeof n);
}

static float *numbers(void)
{
	float *x = malloc(COLS * sizeof *x);

	for (int k = 0; k < COLS; k++)
		x[k] = (float)rand() / (float)RAND_MAX - 0.5f;
	return x;
}

static void compare(sample *s, pool *threads, bool shared)
{
	const kernel_call c = { 1, s->s.cols, s->args, s->scalars, helpers };
	float mean, most;

	assert_int_equal(fused_part_run(threads, &s->st), shared);
	if (!shared)
		return;
	mean = s->mean;
	most = s->most;
	fused_kernel_run(&s->code, &c);
	assert_memory_equal(&mean, &s->mean, sizeof mean);
	assert_memory_equal(&most, &s->most, sizeof most);
}

static void test_bits(void **unused)
{
	static const int64_t counts[] = { COLS, 1 << 17, 65536 + 4096, 65536 + 1 };
	float *x = numbers(), *y = numbers();

	(void)unused;
	for (int threads = 1; threads <= 3; threads++) {
		pool *p = pool_new(threads);

		for (size_t k = 0; k < COUNT(counts); k++) {
			sample *s = calloc(1, sizeof *s);

			make_sample(s, x, y, counts[k]);
			compare(s, p, true);
			free(s);
		}
		pool_free(p);
	}
	free(x);
	free(y);
}

/* More than one row is shared out by rows; a little is not worth it; and what is stored along the
 * row may depend on all of it. */
static void test_not_shared(void **unused)
{
	float *x = numbers(), *y = numbers();
	sample *s = calloc(1, sizeof *s);
	pool *p = pool_new(2);

	(void)unused;
	make_sample(s, x, y, 1 << 17);
	s->s.rows = 2;
	compare(s, p, false);
	make_sample(s, x, y, 4096);
	compare(s, p, false);
	make_sample(s, x, y, 1 << 17);
	make_store(&s->g, make_op(&s->g, OP_sub, 0, 4, 0), ACCESS_RUN);
	compare(s, p, false);
	pool_free(p);
	free(s);
	free(x);
	free(y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_not_shared),
	};

	return cmocka_run_group_tests_name("fused_part", tests, NULL, NULL);
}
