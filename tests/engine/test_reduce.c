/* test_reduce.c: fast reductions give the bits of the reference, whatever the axes, the layout, the
 * instruction set and the number of threads; the reference gives the values of the definition.
 */
#include "trial.h"

/* Engines with threads of their own take part if the tensor is large enough to be shared. */
static void compare(op o, unsigned axes, const tensor *x, layout how)
{
	bool large = meta_count(&x->v.m) * (int64_t)dtype_size(x->v.m.dtype) >= POOL_GRAIN_BYTES;
	ins_room room;
	ins *i = ins_init(&room, o, 2);
	char what[160], shape[64];
	tensor expected, got;

	i->attr.axes = (uint8_t)axes;
	ins_put_input(i, 1);
	expected = trial_run(trial_reference, i, x);
	for (int f = 0; f < trial_fast_count; f += large ? 1 : 2) {
		snprintf(what, sizeof what, "%s of %s, %s, axes %x, %s", op_rows[o].name,
				meta_text(&x->v.m, shape, sizeof shape), layout_names[how], axes,
						trial_fast[f].name);
		got = trial_run(trial_fast[f].e, i, x);
		trial_same(&expected, &got, what);
		trial_close(&got);
	}
	trial_close(&expected);
}

static int64_t reduced_count(const tensor *x, unsigned axes)
{
	int64_t n = 1;

	for (int k = 0; k < x->v.m.rank; k++)
		n *= axes >> k & 1 ? x->v.m.dims[k] : 1;
	return n;
}

/* argmax and argmin take one axis or all. */
static bool is_arg(op o) { return o == OP_argmax || o == OP_argmin; }

static bool legal(op o, const tensor *x, unsigned axes)
{
	unsigned all = (1u << x->v.m.rank) - 1;

	if (reduced_count(x, axes) == 0 && (is_arg(o) || o == OP_max || o == OP_min))
		return false;
	return !is_arg(o) || axes == all || __builtin_popcount(axes) == 1;
}

static const op ops[] = {OP_sum, OP_prod, OP_max, OP_min, OP_any, OP_all, OP_argmax, OP_argmin};

/* Every op over every set of axes of one tensor; float tensors in plain layout once more with
 * special values. */
static void compare_all(gt_dtype dtype, int rank, const int64_t *dims, layout how)
{
	bool is_float = dtype_kind_of(dtype) == KIND_FLOAT;

	for (int special = 0; special <= (is_float && how == PLAIN ? 2 : 0); special++) {
		tensor x = trial_tensor(dtype, rank, dims, how);

		if (special == 1)
			for (int k = 0; k < 3; k++)
				trial_plant(&x, k == 0 ? NAN : k == 1 ? INFINITY : -INFINITY);
		/* Zeros of both signs: which one is the maximum, what is their sum? */
		if (special == 2)
			for (int k = 0; k < 1000; k++)
				trial_plant(&x, k % 3 ? -0.0 : 0.0);
		for (unsigned axes = 0; axes < 1u << rank; axes++)
			for (size_t o = 0; o < COUNT(ops); o++)
				if (legal(ops[o], &x, axes))
					compare(ops[o], axes, &x, how);
		trial_close(&x);
	}
}

static const int64_t sizes[] = {
	0, 1, 2, 3, 8, 15, 16, 17, 33, 100, 4095, 4096, 4097, 10000, 20480
};

static void test_vectors(void **state)
{
	(void)state;
	for (gt_dtype d = GT_FLOAT32; d < GT_DTYPE_COUNT; d++)
		for (layout how = PLAIN; how < LAYOUTS; how++)
			for (size_t n = 0; n < COUNT(sizes); n++)
				compare_all(d, 1, &sizes[n], how);
}

static void test_matrices(void **state)
{
	static const int64_t shapes[][2] = {
		{1, 1}, {1, 17}, {17, 1}, {3, 5}, {16, 10}, {10, 16}, {64, 64}, {2, 4097},
		{4097, 5}, {33, 70}, {70, 33}, {0, 5}, {5, 0}, {9000, 3}
	};

	(void)state;
	for (gt_dtype d = GT_FLOAT32; d < GT_DTYPE_COUNT; d++)
		for (layout how = PLAIN; how < LAYOUTS; how++)
			for (size_t n = 0; n < COUNT(shapes); n++)
				compare_all(d, 2, shapes[n], how);
}

static void test_cubes(void **state)
{
	static const int64_t shapes[][4] = {
		{4, 5, 6, 1}, {2, 3, 4, 5}, {7, 1, 33, 2}, {3, 16, 1, 17}, {2, 35, 2, 20},
		{1, 1, 1, 1}, {3, 0, 2, 2}
	};

	(void)state;
	for (gt_dtype d = GT_FLOAT32; d < GT_DTYPE_COUNT; d++)
		for (layout how = PLAIN; how < LAYOUTS; how++)
			for (size_t n = 0; n < COUNT(shapes); n++)
				compare_all(d, 4, shapes[n], how);
}

/* Large enough for threads to share. */
static void test_large(void **state)
{
	static const int64_t shapes[][3] = {
		{1, 1, 1 << 17}, {1, 256, 300}, {30, 50, 70}, {1, 9000, 33}, {1, 10, 9001},
		{3, 5000, 7}
	};

	(void)state;
	for (layout how = PLAIN; how <= TRANSPOSED; how++)
		for (size_t n = 0; n < COUNT(shapes); n++)
			for (unsigned axes = 1; axes < 8; axes++) {
				tensor x = trial_tensor(GT_FLOAT32, 3, shapes[n], how);
				compare(OP_sum, axes, &x, how);
				compare(OP_max, axes, &x, how);
				if (legal(OP_argmin, &x, axes))
					compare(OP_argmin, axes, &x, how);
				trial_close(&x);
			}
}

static void test_scalars(void **state)
{
	(void)state;
	for (gt_dtype d = GT_FLOAT32; d < GT_DTYPE_COUNT; d++)
		compare_all(d, 0, NULL, PLAIN);
}

/* What the reference itself is worth: the tree written out once more for a size with a rest in
 * lanes and blocks. */
static void test_definition(void **state)
{
	enum { N = 2 * 4096 + 21 };
	int64_t n = N;
	tensor x = trial_tensor(GT_FLOAT32, 1, &n, PLAIN), got;
	const float *e = x.v.data;
	float blocks[3];
	ins_room room;
	ins *i = ins_init(&room, OP_sum, 2);

	(void)state;
	for (int b = 0; b < 3; b++) {
		float lanes[16];
		int end = MIN(N, (b + 1) * 4096);
		for (int k = 0; k < 16; k++)
			lanes[k] = -0.0f;
		for (int k = b * 4096; k < end; k++)
			lanes[k % 16] += e[k];
		for (int half = 8; half; half /= 2)
			for (int k = 0; k < half; k++)
				lanes[k] += lanes[k + half];
		blocks[b] = lanes[0];
	}
	i->attr.axes = 1;
	ins_put_input(i, 1);
	got = trial_run(trial_reference, i, &x);
	assert_true(*(float *)got.v.data == (blocks[0] + blocks[1]) + blocks[2]);
	trial_close(&got);
	trial_close(&x);
}

static double reduce_values(op o, gt_dtype d, const double *values, int64_t n)
{
	tensor x = trial_tensor(d, 1, &n, PLAIN), got;
	ins_room room;
	ins *i = ins_init(&room, o, 2);
	double result;

	for (int64_t k = 0; k < n; k++)
		trial_set(x.v.data, d, k, values[k]);
	i->attr.axes = 1;
	ins_put_input(i, 1);
	got = trial_run(trial_reference, i, &x);
	result = trial_get(&got, 0);
	trial_close(&got);
	trial_close(&x);
	return result;
}

/* Values worked out by hand (integers are a hundred times what is set). */
static void test_values(void **state)
{
	static const double v[] = {1, -2, 0, 3, 3, -2};

	(void)state;
	for (gt_dtype d = GT_FLOAT32; d <= GT_INT64; d++) {
		double unit = dtype_kind_of(d) == KIND_FLOAT ? 1 : 100;
		assert_true(reduce_values(OP_sum, d, v, 6) == 3 * unit);
		assert_true(reduce_values(OP_max, d, v, 6) == 3 * unit);
		assert_true(reduce_values(OP_min, d, v, 6) == -2 * unit);
		assert_true(reduce_values(OP_prod, d, v, 2) == -2 * unit * unit);
		assert_true(reduce_values(OP_argmax, d, v, 6) == 3);
		assert_true(reduce_values(OP_argmin, d, v, 6) == 1);
		assert_true(reduce_values(OP_any, d, v, 6) == 1);
		assert_true(reduce_values(OP_all, d, v, 6) == 0);
		assert_true(reduce_values(OP_all, d, v, 2) == 1);
		assert_true(reduce_values(OP_any, d, v + 2, 1) == 0);
		assert_true(reduce_values(OP_sum, d, v, 0) == 0);
		assert_true(reduce_values(OP_prod, d, v, 0) == 1);
		assert_true(reduce_values(OP_any, d, v, 0) == 0);
		assert_true(reduce_values(OP_all, d, v, 0) == 1);
	}
	assert_true(!signbit(reduce_values(OP_sum, GT_FLOAT32, v, 0)));
	assert_true(reduce_values(OP_sum, GT_BOOL, v, 6) == 4);      /* above -0.5 is true */
	assert_true(reduce_values(OP_argmax, GT_FLOAT32, (const double[]){1, NAN, 5, NAN}, 4) == 1);
	assert_true(reduce_values(OP_argmin, GT_FLOAT64, (double[]){1, NAN, -5, NAN}, 4) == 1);
	assert_true(isnan(reduce_values(OP_max, GT_FLOAT32, (const double[]){1, NAN, 5, 7}, 4)));
	assert_true(isnan(reduce_values(OP_min, GT_FLOAT64, (const double[]){NAN, 1, 5, 7}, 4)));
	assert_true(reduce_values(OP_any, GT_FLOAT32, (const double[]){NAN}, 1) == 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_definition),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_matrices),
		cmocka_unit_test(test_cubes),
		cmocka_unit_test(test_large),
	};
	return cmocka_run_group_tests(tests, trial_open, trial_close_all);
}
