/* test_reductions.c: every reduction on every dtype in both directions, sizes around the tree's
 * lanes and blocks; reductions of reductions; values that are kept on the way. */
#include "duel_group.h"

static const int64_t lengths[] = { 0, 1, 2, 15, 16, 17, 31, 100, 4095, 4096, 4097, 8192, 12289,
	20481 };

static void run_lengths(const group *g, int most)
{
	duel_code code;

	if (group_check(g))
		fail_msg("%s", gt_last_error());
	duel_compile(g, &code);
	for (size_t k = 0; k < COUNT(lengths); k++)
		for (int64_t lines = 0; lines <= (lengths[k] > 100 ? 3 : MAX(most, 6)); lines += most > 5
			? 11 : 1)
			duel_run(g, &code, g->mode == GROUP_ROWS ? lines : lengths[k],
				g->mode == GROUP_ROWS ? lengths[k] : lines, k % 2);
	duel_drop(&code);
}

static void store_result(group *g, int value)
{
	bool cols = g->mode == GROUP_COLS;

	make_store(g, value, cols ? ACCESS_RUN : ACCESS_SAME);
	g->args[g->args_count - 1].fixed = cols;
}

static void test_all(void **state)
{
	static const op ops[] = { OP_sum, OP_prod, OP_max, OP_min, OP_any, OP_all };

	(void)state;
	for (int mode = GROUP_ROWS; mode <= GROUP_COLS; mode++)
		for (size_t k = 0; k < COUNT(ops); k++)
			for (int d = 1; d < GT_DTYPE_COUNT; d++) {
				group g;

				make_start(&g, mode);
				store_result(&g, make_reduce(&g, ops[k], make_load(&g, d,
					ACCESS_RUN)));
				run_lengths(&g, mode == GROUP_COLS && d == GT_FLOAT32 ? 70 : 3);
			}
}

/* Reductions of what lies in other ways, and of what does not vary. */
static void test_access(void **state)
{
	(void)state;
	for (int mode = GROUP_ROWS; mode <= GROUP_COLS; mode++)
		for (int access = ACCESS_RUN; access <= ACCESS_STEP; access++)
			for (int fixed = 0; fixed < 2; fixed++) {
				group g;

				make_start(&g, mode);
				store_result(&g, make_reduce(&g, OP_sum, make_load(&g, GT_FLOAT32,
					access)));
				g.args[0].fixed = fixed;
				store_result(&g, make_reduce(&g, OP_max, make_scalar(&g,
					GT_FLOAT32)));
				run_lengths(&g, 3);
			}
}

static void make_softmax(group *g, group_mode mode)
{
	make_start(g, mode);
	make_store(g, make_softmax_of(g, make_load(g, GT_FLOAT32, ACCESS_RUN)), ACCESS_RUN);
}

static void test_softmax(void **state)
{
	group g;

	(void)state;
	make_softmax(&g, GROUP_ROWS);
	run_lengths(&g, 3);
	make_softmax(&g, GROUP_COLS);
	run_lengths(&g, 70);
}

/* Softmax of what a softmax is added to, added to what is left: the first one's exponentials are
 * looked at until the end, by what is computed again in each pass. */
static void test_softmax_twice(void **state)
{
	group g;
	int x;

	(void)state;
	make_start(&g, GROUP_ROWS);
	x = make_load(&g, GT_FLOAT32, ACCESS_RUN);
	for (int k = 0; k < 2; k++) {
		const int less = make_op(&g, OP_sub, make_load(&g, GT_FLOAT32, ACCESS_RUN), x, 0);

		x = make_op(&g, OP_add, less, make_softmax_of(&g, x), 0);
	}
	make_store(&g, x, ACCESS_RUN);
	run_lengths(&g, 3);
}

/* Two functions that are stored, and what is made of both less its mean: the second pass takes the
 * functions from where they were stored by the first. */
static void test_kept_columns(void **state)
{
	group g;
	int x, e, t, y, mean;

	(void)state;
	make_start(&g, GROUP_COLS);
	x = make_load(&g, GT_FLOAT32, ACCESS_RUN);
	e = make_op(&g, OP_exp, x, 0, 0);
	t = make_op(&g, OP_tanh, make_op(&g, OP_mul, e, x, 0), 0, 0);
	make_store(&g, t, ACCESS_RUN);
	make_store(&g, e, ACCESS_RUN);
	y = make_op(&g, OP_add, make_op(&g, OP_mul, t, e, 0), x, 0);
	mean = make_op(&g, OP_mul, make_reduce(&g, OP_sum, y), make_scalar(&g, GT_FLOAT32), 0);
	make_store(&g, make_op(&g, OP_sub, y, mean, 0), ACCESS_RUN);
	store_result(&g, make_reduce(&g, OP_sum, make_op(&g, OP_mul, e, mean, 0)));
	run_lengths(&g, 70);
}

/* (x - mean) / sqrt(var + eps) * weight + bias of gelu(x), which is stored as well. */
static void make_layer_norm(group *g, bool store_gelu)
{
	int x, share, mean, d, var, r, y;

	make_start(g, GROUP_ROWS);
	x = make_op(g, OP_gelu, make_load(g, GT_FLOAT32, ACCESS_RUN), 0, 0);
	if (store_gelu)
		make_store(g, x, ACCESS_RUN);
	share = make_scalar(g, GT_FLOAT32);
	mean = make_op(g, OP_mul, make_reduce(g, OP_sum, x), share, 0);
	d = make_op(g, OP_sub, x, mean, 0);
	var = make_op(g, OP_mul, make_reduce(g, OP_sum, make_op(g, OP_square, d, 0, 0)), share, 0);
	r = make_op(g, OP_rsqrt, make_op(g, OP_add, var, make_scalar(g, GT_FLOAT32), 0), 0, 0);
	y = make_op(g, OP_mul, make_op(g, OP_mul, d, r, 0), make_load(g, GT_FLOAT32, ACCESS_RUN),
		0);
	g->args[g->args_count - 1].fixed = true;
	make_store(g, make_op(g, OP_add, y, make_load(g, GT_FLOAT32, ACCESS_RUN), 0), ACCESS_RUN);
	make_store(g, mean, ACCESS_SAME);
}

static void test_layer_norm(void **state)
{
	group g;

	(void)state;
	for (int k = 0; k < 2; k++) {
		make_layer_norm(&g, k);
		run_lengths(&g, 3);
	}
}

/* Softmax of a layer norm with weight and bias: two values are kept on the way, one after the other
 * in the same place, which gets the result in the end. `sum_too`: they are wanted outside as
 * well. */
static void make_norm_softmax(group *g, bool sum_too)
{
	int x, n, d, w, y, e;

	make_start(g, GROUP_ROWS);
	x = make_load(g, GT_FLOAT32, ACCESS_RUN);
	n = make_scalar(g, GT_FLOAT32);
	d = make_op(g, OP_sub, x, make_op(g, OP_div, make_reduce(g, OP_sum, x), n, 0), 0);
	y = make_reduce(g, OP_sum, make_op(g, OP_square, d, 0, 0));
	y = make_op(g, OP_div, d, make_op(g, OP_sqrt, make_op(g, OP_abs, y, 0, 0), 0, 0), 0);
	w = make_load(g, GT_FLOAT32, ACCESS_RUN);
	g->args[g->args_count - 1].fixed = true;
	y = make_op(g, OP_mul, y, w, 0);
	y = make_op(g, OP_add, y, make_load(g, GT_FLOAT32, ACCESS_RUN), 0);
	e = make_op(g, OP_exp, make_op(g, OP_sub, y, make_reduce(g, OP_max, y), 0), 0, 0);
	if (sum_too)
		make_store(g, y, ACCESS_RUN);
	make_store(g, make_op(g, OP_div, e, make_reduce(g, OP_sum, e), 0), ACCESS_RUN);
	if (sum_too)
		make_store(g, make_reduce(g, OP_sum, make_op(g, OP_mul, e, y, 0)), ACCESS_SAME);
}

static void test_norm_softmax(void **state)
{
	group g;

	(void)state;
	for (int k = 0; k < 2; k++) {
		make_norm_softmax(&g, k);
		run_lengths(&g, 3);
	}
}

/* A bias gradient with its update: b - rate * sum over rows, once a column; and the sums broadcast
 * back into every row. */
static void test_bias(void **state)
{
	group g;
	int s, b, y;

	(void)state;
	make_start(&g, GROUP_COLS);
	s = make_reduce(&g, OP_sum, make_load(&g, GT_FLOAT32, ACCESS_RUN));
	b = make_load(&g, GT_FLOAT32, ACCESS_RUN);
	g.args[1].fixed = true;
	y = make_op(&g, OP_sub, b, make_op(&g, OP_mul, s, make_scalar(&g, GT_FLOAT32), 0), 0);
	store_result(&g, y);
	make_store(&g, make_op(&g, OP_exp, y, 0, 0), ACCESS_STEP);
	make_store(&g, make_op(&g, OP_mul, make_load(&g, GT_FLOAT32, ACCESS_SAME), y, 0),
		ACCESS_RUN);
	run_lengths(&g, 70);
}

/* Tiles of columns are wider where there are more rows, narrower for more reductions. */
static void test_tiles(void **state)
{
	static const int64_t rows[] = { 3, 256, 257 }, cols[] = { 64, 127, 129, 256, 257, 300 };
	group g;

	(void)state;
	for (int count = 1; count <= 5; count += 2) {
		duel_code code;

		make_softmax(&g, GROUP_COLS);
		for (int k = 2; k < count; k++)
			store_result(&g, make_reduce(&g, OP_prod, make_load(&g, GT_FLOAT64,
				ACCESS_RUN)));
		duel_compile(&g, &code);
		for (size_t r = 0; r < COUNT(rows); r++)
			for (size_t c = 0; c < COUNT(cols); c++)
				duel_run(&g, &code, rows[r], cols[c], c % 2);
		duel_drop(&code);
	}
}

/* Several reductions of several dtypes at once, and one of a far sine. */
static void test_many(void **state)
{
	(void)state;
	for (int mode = GROUP_ROWS; mode <= GROUP_COLS; mode++) {
		group g;
		int x, c, n;

		make_start(&g, mode);
		x = make_load(&g, GT_FLOAT32, ACCESS_RUN);
		c = make_op(&g, OP_lt, x, make_scalar(&g, GT_FLOAT32), 0);
		n = make_reduce(&g, OP_sum, c);
		store_result(&g, n);
		store_result(&g, make_reduce(&g, OP_any, c));
		store_result(&g, make_reduce(&g, OP_sum, make_op(&g, OP_sin, x, 0, 0)));
		store_result(&g, make_reduce(&g, OP_prod, make_cast(&g, GT_FLOAT64, x)));
		make_store(&g, make_op(&g, OP_mul, make_cast(&g, GT_INT64, c), n, 0), ACCESS_RUN);
		run_lengths(&g, 3);
	}
}

/* Rows from..to of GROUP_ROWS, columns from..to of GROUP_COLS. */
static void run_piece(const image *m, group_mode mode, float *x, float *y, int64_t from, int64_t to)
{
	enum { ROWS = 37, COLS = 75 };
	int64_t step = mode == GROUP_ROWS ? from * COLS : from;
	kernel_arg args[] = { { x + step, COLS * 4, 0 }, { y + step, COLS * 4, 0 } };
	bool rows = mode == GROUP_ROWS;
	kernel_call c = { rows ? to - from : ROWS, rows ? COLS : to - from, args, NULL, helpers };

	m->run(&c);
}

/* Separate calls for pieces of the space give the bits of one call. */
static void test_pieces(void **state)
{
	float x[37 * 75], whole[37 * 75], y[37 * 75];

	(void)state;
	for (size_t k = 0; k < COUNT(x); k++)
		x[k] = (float)duel_float();
	for (int mode = GROUP_ROWS; mode <= GROUP_COLS; mode++) {
		int64_t end = mode == GROUP_ROWS ? 37 : 75;
		duel_code code;
		group g;

		make_softmax(&g, mode);
		duel_compile(&g, &code);
		for (cpu_isa isa = ISA_BASE; isa <= cpu_isa_level(); isa++) {
			const image *m = &code.m[isa][REST_TAIL];

			run_piece(m, mode, x, whole, 0, end);
			for (int64_t from = 0, size = 1; from < end; from += size, size += 3)
				run_piece(m, mode, x, y, from, MIN(from + size, end));
			for (size_t k = 0; k < COUNT(x); k++)
				assert_true(duel_same(GT_FLOAT32, &whole[k], &y[k]));
		}
		duel_drop(&code);
	}
}

/* ---- A row in pieces. ---- */

enum { PARTS_COLS = 9 * 4096 + 77, PARTS_STORES = 4 };

/* Reductions of several dtypes, what comes of one, and something stored along the row. */
static void make_parts(group *g)
{
	int x, c;

	make_start(g, GROUP_ROWS);
	x = make_load(g, GT_FLOAT32, ACCESS_RUN);
	c = make_op(g, OP_lt, x, make_scalar(g, GT_FLOAT32), 0);
	make_store(g, make_op(g, OP_neg, x, 0, 0), ACCESS_RUN);
	x = make_reduce(g, OP_sum, make_op(g, OP_square, x, 0, 0));
	make_store(g, make_op(g, OP_sqrt, x, 0, 0), ACCESS_SAME);
	make_store(g, make_reduce(g, OP_sum, c), ACCESS_SAME);
	make_store(g, make_reduce(g, OP_any, c), ACCESS_SAME);
}

static void call_part(const group *g, kernel_fn *run, const kernel_call *c)
{
	if (run)
		run(c);
	else
		group_run(g, c);
}

/* By pieces of `size` columns; `run` NULL: the interpreter. */
static void run_parts(const group *g, kernel_fn *run, float *x, int64_t cols, int64_t size,
	float *along, uint64_t *stores)
{
	const float zero = 0;
	uint64_t results[3 * 16], scalars[1] = { 0 }, unused;
	int64_t pieces = (cols + size - 1) / size;

	memcpy(scalars, &zero, sizeof zero);
	for (int64_t k = 0; k <= pieces; k++) {
		const bool rest = k == pieces;
		kernel_arg args[] = { { x + k * size, 0, 0 }, { along + k * size, 0, 0 },
			{ rest ? &stores[0] : &unused, 0, 0 }, { rest ? &stores[1] : &unused, 0, 0 },
			{ rest ? &stores[2] : &unused, 0, 0 },
			{ results + (rest ? 0 : 3 * k), 0, 0 } };
		const kernel_call c = { KERNEL_PART, rest ? 0 : MIN(size, cols - k * size), args,
			scalars, helpers };

		if (rest)
			group_join(g, results, pieces);
		call_part(g, run, &c);
	}
}

static void run_whole(const group *g, float *x, int64_t cols, float *along, uint64_t *stores)
{
	const float zero = 0;
	uint64_t scalars[1] = { 0 };
	kernel_arg args[] = { { x, 0, 0 }, { along, 0, 0 }, { &stores[0], 0, 0 },
		{ &stores[1], 0, 0 }, { &stores[2], 0, 0 } };
	const kernel_call c = { 1, cols, args, scalars, helpers };

	memcpy(scalars, &zero, sizeof zero);
	group_run(g, &c);
}

static void test_parts(void **state)
{
	static const int64_t counts[] = { 4097, 8192, 3 * 4096, 5 * 4096 + 1, PARTS_COLS };
	static float x[PARTS_COLS], along[PARTS_COLS], wanted[PARTS_COLS];
	duel_code code;
	group g;

	(void)state;
	make_parts(&g);
	assert_true(group_splits(&g));
	duel_compile(&g, &code);
	for (size_t k = 0; k < COUNT(x); k++)
		x[k] = (float)duel_random(2000) / 64 - 15;
	for (size_t k = 0; k < COUNT(counts); k++)
		for (int64_t size = 4096; size <= 4 * 4096; size *= 2)
			for (int way = 0; way <= ISA_COUNT * 3; way++) {
				kernel_fn *run = way ? code.m[(way - 1) / 3][(way - 1) % 3].run : NULL;
				uint64_t got[PARTS_STORES] = { 0 }, all[PARTS_STORES] = { 0 };

				if (way && !run)
					continue;
				run_whole(&g, x, counts[k], wanted, all);
				run_parts(&g, run, x, counts[k], size, along, got);
				assert_memory_equal(got, all, sizeof all);
				assert_memory_equal(along, wanted, (size_t)counts[k] * 4);
			}
	duel_drop(&code);
}

/* What a later pass needs, or stores along the row, needs all of the row. */
static void test_splits(void **state)
{
	group g;

	(void)state;
	make_softmax(&g, GROUP_ROWS);
	assert_false(group_splits(&g));
	make_start(&g, GROUP_COLS);
	store_result(&g, make_reduce(&g, OP_sum, make_load(&g, GT_FLOAT32, ACCESS_RUN)));
	assert_false(group_splits(&g));
	make_start(&g, GROUP_ELEMENT);
	make_store(&g, make_load(&g, GT_FLOAT32, ACCESS_RUN), ACCESS_RUN);
	assert_false(group_splits(&g));
}

/* The sum of nothing is +0, of any number of -0 it is -0: the identity is -0. */
static void test_zeros(void **state)
{
	static const int64_t counts[] = { 0, 1, 15, 16, 17, 40 };
	float x[40], y[1];

	(void)state;
	for (size_t k = 0; k < COUNT(x); k++)
		x[k] = -0.0f;
	for (int mode = GROUP_ROWS; mode <= GROUP_COLS; mode++) {
		duel_code code;
		group g;

		make_start(&g, mode);
		store_result(&g, make_reduce(&g, OP_sum, make_load(&g, GT_FLOAT32, ACCESS_RUN)));
		duel_compile(&g, &code);
		for (size_t k = 0; k < COUNT(counts); k++)
			for (cpu_isa isa = ISA_BASE; isa <= cpu_isa_level(); isa++) {
				kernel_arg args[] = { { x, 4, 0 }, { y, 0, 0 } };
				bool cols = mode == GROUP_COLS;
				kernel_call c = { cols ? counts[k] : 1, cols ? 1 : counts[k], args,
					NULL,
					helpers };

				y[0] = 1;
				code.m[isa][REST_TAIL].run(&c);
				assert_true(y[0] == 0 && !signbit(y[0]) == !counts[k]);
			}
		duel_drop(&code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_softmax),
		cmocka_unit_test(test_softmax_twice),
		cmocka_unit_test(test_kept_columns),
		cmocka_unit_test(test_layer_norm),
		cmocka_unit_test(test_norm_softmax),
		cmocka_unit_test(test_bias),
		cmocka_unit_test(test_tiles),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_zeros),
	};

	duel_open();
	return cmocka_run_group_tests_name("reductions", tests, NULL, NULL);
}
