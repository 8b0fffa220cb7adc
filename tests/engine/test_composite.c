/* test_composite.c: composite kernels give the bits of their decomposition run on the reference,
 * whatever the axes, the layout, the instruction set and the number of threads; the decomposition
 * gives the values of the formulas.
 */
#include "trial.h"

typedef struct special { const char *name; double values[3]; } special;

/* What a row may hold besides ordinary numbers; 0 changes little. */
static const special specials[] = {
	{"ordinary", {0, 0, 0}}, {"with nan", {NAN, 0, 0}}, {"with inf", {INFINITY, 1, 2}},
	{"with -inf", {-INFINITY, -INFINITY, -INFINITY}}, {"large", {1e30, -1e30, 300}},
	{"tiny", {1e-42, -1e-42, 0}}
};

static ins *make(ins_room *room, op o, unsigned axes, int axis, double number)
{
	ins *i = ins_init(room, o, 2);

	if (op_rows[o].attrs & ATTR_AXIS)
		i->attr.axis = (uint8_t)axis;
	else
		i->attr.axes = (uint8_t)axes;
	if (op_rows[o].attrs & ATTR_KEEPDIMS)
		i->attr.keepdims = axes & 1;
	ins_put_input(i, 1);
	if (op_rows[o].nin == 2)
		ins_put_scalar(i, KIND_FLOAT, (scalar){.f = number});
	return i;
}

/* Engines with threads of their own take part if the tensor is large enough to be shared. */
static void compare(const ins *i, const tensor *x, layout how, const char *kind)
{
	bool large = meta_count(&x->v.m) >= 16 * 1024;
	char what[200], shape[64];
	tensor expected = trial_run(trial_reference, i, x), got;

	for (int f = 0; f < trial_fast_count; f += large ? 1 : 2) {
		snprintf(what, sizeof what, "%s of %s, %s, %s, axes %x, %s", op_rows[i->op].name,
				meta_text(&x->v.m, shape, sizeof shape), layout_names[how], kind,
				i->attr.axes | i->attr.axis << 8, trial_fast[f].name);
		got = trial_run(trial_fast[f].e, i, x);
		trial_same(&expected, &got, what);
		trial_close(&got);
	}
	trial_close(&expected);
}

static void compare_rows(const tensor *x, layout how, const char *kind)
{
	static const op reductions[] = {OP_mean, OP_var, OP_logsumexp};
	int rank = x->v.m.rank;
	ins_room room;

	for (unsigned axes = 0; axes < 1u << rank; axes++)
		for (size_t o = 0; o < COUNT(reductions); o++)
			compare(make(&room, reductions[o], axes, 0, 1), x, how, kind);
	for (int first = 0; first < rank; first++) {
		unsigned trailing = ((1u << rank) - 1) & ~((1u << first) - 1);
		compare(make(&room, OP_layer_norm, trailing, 0, 1e-5), x, how, kind);
	}
	for (int axis = 0; axis < rank; axis++) {
		compare(make(&room, OP_softmax, 0, axis, 0), x, how, kind);
		compare(make(&room, OP_log_softmax, 0, axis, 0), x, how, kind);
	}
}

static void compare_all(gt_dtype dtype, int rank, const int64_t *dims)
{
	for (layout how = PLAIN; how < LAYOUTS; how++)
		for (size_t s = 0; s < (how == PLAIN ? COUNT(specials) : 2); s++) {
			tensor x = trial_tensor(dtype, rank, dims, how);
			for (int k = 0; k < 3; k++)
				trial_plant(&x, specials[s].values[k]);
			compare_rows(&x, how, specials[s].name);
			trial_close(&x);
		}
}

static void test_vectors(void **state)
{
	static const int64_t sizes[] = {
		0, 1, 2, 3, 15, 16, 17, 100, 4095, 4096, 4097, 10000
	};

	(void)state;
	for (gt_dtype d = GT_FLOAT32; d <= GT_FLOAT64; d++)
		for (size_t n = 0; n < COUNT(sizes); n++)
			compare_all(d, 1, &sizes[n]);
}

static void test_matrices(void **state)
{
	static const int64_t shapes[][2] = {
		{1, 1}, {1, 17}, {17, 1}, {16, 10}, {10, 16}, {64, 64}, {2, 4097}, {0, 5}, {5, 0},
		{130, 33}, {600, 3}
	};

	(void)state;
	for (gt_dtype d = GT_FLOAT32; d <= GT_FLOAT64; d++)
		for (size_t n = 0; n < COUNT(shapes); n++)
			compare_all(d, 2, shapes[n]);
}

static void test_cubes(void **state)
{
	static const int64_t shapes[][3] = {
		{4, 5, 6}, {2, 1, 9}, {1, 20, 1}, {3, 2, 70}
	};

	(void)state;
	for (gt_dtype d = GT_FLOAT32; d <= GT_FLOAT64; d++)
		for (size_t n = 0; n < COUNT(shapes); n++)
			compare_all(d, 3, shapes[n]);
}

/* Large enough for threads to share; rows of several blocks with and without a rest. */
static void test_large(void **state)
{
	static const int64_t shapes[][2] = {
		{100, 257}, {2, 4 * 4096}, {1, 4 * 4096 + 1}, {1, 9 * 4096 - 1}, {3, 9000}
	};

	(void)state;
	for (size_t n = 0; n < COUNT(shapes); n++)
		for (layout how = PLAIN; how <= TRANSPOSED; how++) {
			tensor x = trial_tensor(GT_FLOAT32, 2, shapes[n], how);
			compare_rows(&x, how, "ordinary");
			trial_close(&x);
		}
}

/* Shares from 1 down to the smallest float: softmax may divide by multiplying only where that
 * rounds right. */
static void test_shares(void **state)
{
	(void)state;
	for (int times = 0; times < 20; times++) {
		tensor x = trial_tensor(GT_FLOAT32, 2, (int64_t[]){16, 1000}, PLAIN);
		float *e = x.v.data;
		ins_room room;

		for (int64_t k = 0; k < 16000; k++)
			e[k] = e[k] * (float)(5 * (times + 1)) - 40;
		compare(make(&room, OP_softmax, 0, 1, 0), &x, PLAIN, "from 1 to the smallest");
		trial_close(&x);
	}
}

/* ---- The decomposition itself, in double. ---- */

static double run_value(op o, int64_t n, const double *values, double number, int64_t at)
{
	tensor x = trial_tensor(GT_FLOAT64, 1, &n, PLAIN), got;
	ins_room room;
	double result;

	for (int64_t k = 0; k < n; k++)
		trial_set(x.v.data, GT_FLOAT64, k, values[k]);
	got = trial_run(trial_reference, make(&room, o, 1, 0, number), &x);
	result = trial_get(&got, at);
	trial_close(&got);
	trial_close(&x);
	return result;
}

static void check_near(double got, double expected)
{
	if (!(fabs(got - expected) <= 1e-13 * (1 + fabs(expected))))
		fail_msg("%.17g, expected %.17g", got, expected);
}

static void test_values(void **state)
{
	static const double v[] = {1, 2, 4, -3};
	static const double low[] = {-INFINITY, -INFINITY}, high[] = {1, INFINITY};
	double sum = exp(1) + exp(2) + exp(4) + exp(-3);

	(void)state;
	check_near(run_value(OP_mean, 4, v, 0, 0), 1);
	check_near(run_value(OP_var, 4, v, 1, 0), 26.0 / 3);
	check_near(run_value(OP_var, 4, v, 0, 0), 26.0 / 4);
	check_near(run_value(OP_logsumexp, 4, v, 0, 0), log(sum));
	check_near(run_value(OP_softmax, 4, v, 0, 2), exp(4) / sum);
	check_near(run_value(OP_log_softmax, 4, v, 0, 3), -3 - log(sum));
	check_near(run_value(OP_layer_norm, 4, v, 0.5, 1), 1 / sqrt(7));
	assert_true(isnan(run_value(OP_mean, 0, v, 0, 0)));
	assert_true(isnan(run_value(OP_var, 1, v, 1, 0)));
	assert_true(run_value(OP_logsumexp, 0, v, 0, 0) == -INFINITY);
	assert_true(run_value(OP_logsumexp, 2, low, 0, 0) == -INFINITY);
	assert_true(run_value(OP_logsumexp, 2, high, 0, 0) == INFINITY);
	assert_true(isnan(run_value(OP_softmax, 2, low, 0, 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_matrices),
		cmocka_unit_test(test_cubes),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_shares),
	};
	return cmocka_run_group_tests(tests, trial_open, trial_close_all);
}
