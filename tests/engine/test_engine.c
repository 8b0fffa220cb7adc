/* test_engine.c: the tables, scalars on their way into kernels, costs, and the kernels that
 * create. */
#include "duel.h"

/* ---- The tables. ---- */

/* Views never run; the others of these kinds have no kernel. */
static bool computes(unsigned code)
{
	return op_rows[code].name && op_rows[code].kind != KIND_CONTROL && code != OP_upload &&
		(op_rows[code].kind != KIND_VIEW || code == OP_reshape);
}

static void test_every_computing_row_has_kernels(void **state)
{
	kernel *table[OP_CODES];

	(void)state;
	for (unsigned code = 0; code < OP_CODES; code++)
		assert_int_equal(engine_reference[code] != NULL, computes(code));
	for (cpu_isa level = ISA_BASE; level <= cpu_isa_level(); level++) {
		engine_rows(table, level);
		for (unsigned code = 0; code < OP_CODES; code++)
			assert_int_equal(table[code] != NULL, computes(code));
	}
}

static void test_open_and_close(void **state)
{
	engine *e;

	(void)state;
	assert_int_equal(engine_open(ENGINE_CPU, 2, 1 << 20, &e), GT_OK);
	assert_string_equal(e->name, "cpu");
	assert_int_equal(pool_threads(e->pool), 2);
	assert_ptr_not_equal(e->kernels[OP_add], engine_reference[OP_add]);
	engine_close(e);
	assert_int_equal(engine_open(ENGINE_REFERENCE, 1, 1 << 20, &e), GT_OK);
	assert_string_equal(e->name, "reference");
	assert_ptr_equal(e->kernels[OP_add], engine_reference[OP_add]);
	engine_close(e);
	engine_close(NULL);
}

/* ---- Scalars. ---- */

static void test_scalars(void **state)
{
	float f32;
	double f64;
	int32_t i32;
	int64_t i64;
	uint8_t b;

	(void)state;
	engine_scalar(KIND_FLOAT, (scalar){ .f = 0.1 }, GT_FLOAT32, &f32);
	assert_true(f32 == 0.1f);
	engine_scalar(KIND_INT, (scalar){ .i = -3 }, GT_FLOAT64, &f64);
	assert_true(f64 == -3);
	engine_scalar(KIND_INT, (scalar){ .i = 1ll << 32 }, GT_BOOL, &b);
	assert_int_equal(b, 1);
	engine_scalar(KIND_FLOAT, (scalar){ .f = -2.9 }, GT_INT64, &i64);
	assert_int_equal(i64, -2);
	engine_scalar(KIND_BOOL, (scalar){ .i = 1 }, GT_INT32, &i32);
	assert_int_equal(i32, 1);
	engine_scalar(KIND_BOOL, (scalar){ .i = 0 }, GT_BOOL, &b);
	assert_int_equal(b, 0);
}

static gt_dtype dtype_of(op code, int k, unsigned kinds, const meta *a, const meta *b, gt_dtype out)
{
	ins i = { .op = (uint16_t)code, .kinds = (uint16_t)kinds,
		.nin = (uint8_t)op_rows[code].nin };
	const meta *in[3] = { a, b };
	meta result = { .dtype = out };

	return engine_scalar_dtype(&i, k, in, &result);
}

static void test_scalar_dtypes(void **state)
{
	meta f32 = { .dtype = GT_FLOAT32 }, i64 = { .dtype = GT_INT64 };
	meta flag = { .dtype = GT_BOOL };
	unsigned second = KIND_FLOAT << 2, ints = KIND_INT | KIND_INT << 2;

	(void)state;
	assert_int_equal(dtype_of(OP_add, 1, second, &f32, NULL, GT_FLOAT32), GT_FLOAT32);
	assert_int_equal(dtype_of(OP_lt, 1, KIND_INT << 2, &i64, NULL, GT_BOOL), GT_INT64);
	assert_int_equal(dtype_of(OP_lt, 0, KIND_INT, NULL, &i64, GT_BOOL), GT_INT64);
	assert_int_equal(dtype_of(OP_where, 1, second, &flag, NULL, GT_FLOAT32), GT_FLOAT32);
	assert_int_equal(dtype_of(OP_where, 0, KIND_BOOL, NULL, &f32, GT_FLOAT32), GT_BOOL);
	assert_int_equal(dtype_of(OP_full, 0, KIND_INT, NULL, NULL, GT_INT32), GT_INT32);
	assert_int_equal(dtype_of(OP_arange, 0, ints, NULL, NULL, GT_INT32), GT_INT64);
	assert_int_equal(dtype_of(OP_arange, 0, KIND_INT | second, NULL, NULL, GT_INT32),
		GT_FLOAT64);
	assert_int_equal(dtype_of(OP_arange, 0, ints, NULL, NULL, GT_FLOAT32), GT_FLOAT64);
	assert_int_equal(dtype_of(OP_randint, 0, ints, NULL, NULL, GT_INT32), GT_INT64);
	assert_int_equal(dtype_of(OP_layer_norm, 1, second, &f32, NULL, GT_FLOAT32), GT_FLOAT32);
}

/* ---- Creation. ---- */

static const meta sizes[] = {
	{ .rank = 0 }, { .rank = 1, .dims = { 0 } }, { .rank = 1, .dims = { 1 } },
	{ .rank = 1, .dims = { 17 } }, { .rank = 2, .dims = { 3, 5 } },
	{ .rank = 2, .dims = { 70, 1001 } }, { .rank = 1, .dims = { 300001 } },
};

/* The instruction with `head` operands in front of the sizes. */
static duel creation(op code, gt_dtype dtype, const int64_t *head, int n, const meta *m)
{
	duel t;

	ins_init(&t.room, code, 1);
	t.room.head.attr.dtype = (uint8_t)dtype;
	for (int k = 0; k < op_rows[code].nin; k++)
		ins_put_scalar(&t.room.head, KIND_INT, (scalar){ .i = 0 });
	for (int k = 0; k < n; k++)
		ins_put_operand(&t.room.head, head[k]);
	for (int k = 0; k < m->rank; k++)
		ins_put_operand(&t.room.head, m->dims[k]);
	return t;
}

static view scalar_view(gt_dtype dtype, void *data)
{
	return (view){ .data = data, .m.dtype = dtype, .contiguous = true };
}

static void test_full(void **state)
{
	(void)state;
	for (gt_dtype dtype = 1; dtype < GT_DTYPE_COUNT; dtype++)
		for (size_t n = 0; n < COUNT(sizes); n++) {
			duel t = creation(OP_full, dtype, NULL, 0, &sizes[n]);
			int64_t value;

			duel_value(dtype, &value);
			t.in[0] = scalar_view(dtype, &value);
			duel_begin(&t);
			if (meta_count(&sizes[n]))
				assert_true(duel_same(dtype, t.out.data, &value));
			duel_check(&t);
			duel_end(&t);
		}
}

static void test_arange(void **state)
{
	double start = -3.25, step = 0.1;
	int64_t first = INT64_MAX - 5, stride = 3;

	(void)state;
	for (gt_dtype dtype = 1; dtype < GT_DTYPE_COUNT; dtype++)
		for (size_t n = 0; n < COUNT(sizes); n++) {
			duel t = creation(OP_arange, dtype, NULL, 0, &sizes[n]);

			if (sizes[n].rank != 1 || dtype == GT_BOOL)
				continue;
			t.in[0] = scalar_view(GT_FLOAT64, &start);
			t.in[1] = scalar_view(GT_FLOAT64, &step);
			duel_run(&t);
			t.in[0] = scalar_view(GT_INT64, &first);
			t.in[1] = scalar_view(GT_INT64, &stride);
			duel_run(&t);
		}
}

static void test_arange_numbers(void **state)
{
	int64_t start = 5, step = -2, *out;
	duel t = creation(OP_arange, GT_INT64, NULL, 0, &(meta){ .rank = 1, .dims = { 4 } });

	(void)state;
	t.in[0] = scalar_view(GT_INT64, &start);
	t.in[1] = scalar_view(GT_INT64, &step);
	duel_begin(&t);
	out = t.out.data;
	for (int n = 0; n < 4; n++)
		assert_int_equal(out[n], 5 - 2 * n);
	duel_end(&t);
}

static void test_eye(void **state)
{
	(void)state;
	for (gt_dtype dtype = 1; dtype < GT_DTYPE_COUNT; dtype++)
		for (int64_t rows = 0; rows < 5; rows++)
			for (int64_t cols = 0; cols < 5; cols++) {
				meta m = { .rank = 2, .dims = { rows, cols } };
				duel t = creation(OP_eye, dtype, NULL, 0, &m);

				duel_begin(&t);
				for (int64_t n = 0; dtype == GT_BOOL && n < rows * cols; n++)
					assert_int_equal(((uint8_t *)t.out.data)[n],
						n / cols == n % cols);
				duel_check(&t);
				duel_end(&t);
			}
}

static void test_random(void **state)
{
	static const struct { op code; gt_dtype dtype; } rows[] = {
		{ OP_rand, GT_FLOAT32 }, { OP_rand, GT_FLOAT64 }, { OP_randn, GT_FLOAT32 },
		{ OP_randn, GT_FLOAT64 }, { OP_randint, GT_INT32 }, { OP_randint, GT_INT64 },
	};
	int64_t low = -5, high = 100;

	(void)state;
	for (size_t k = 0; k < COUNT(rows); k++)
		for (size_t n = 0; n < COUNT(sizes); n++) {
			duel t = creation(rows[k].code, rows[k].dtype, (int64_t[]){ 42, 7 }, 2,
				&sizes[n]);

			t.in[0] = scalar_view(GT_INT64, &low);
			t.in[1] = scalar_view(GT_INT64, &high);
			duel_run(&t);
		}
}

static void test_randint_limits(void **state)
{
	int64_t low = 7, high = 7, wide = (int64_t)1 << 40;
	duel t = creation(OP_randint, GT_INT32, (int64_t[]){ 1, 2 }, 2, &sizes[3]);

	(void)state;
	t.in[0] = scalar_view(GT_INT64, &low);
	t.in[1] = scalar_view(GT_INT64, &high);
	duel_begin(&t);
	assert_int_equal(t.error, GT_EINVAL);
	assert_string_equal(t.text, "randint: no integers in [7, 7); the lower limit must be less");
	duel_check(&t);
	duel_end(&t);
	t.in[1] = scalar_view(GT_INT64, &wide);
	duel_run(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_computing_row_has_kernels),
		cmocka_unit_test(test_open_and_close),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_scalar_dtypes),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_arange),
		cmocka_unit_test(test_arange_numbers),
		cmocka_unit_test(test_eye),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_randint_limits),
	};

	return cmocka_run_group_tests(tests, NULL, duel_engines_free);
}
