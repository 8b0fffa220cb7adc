/* test_elementwise.c: fast elementwise rows give the reference's bits, in every layout; and the
 * reference gives the right numbers where it is easy to say what those are. */
#include "duel.h"
#include "engine/arith.h"

static const meta shapes[] = {
	{ .rank = 0 },
	{ .rank = 1, .dims = { 0 } },
	{ .rank = 1, .dims = { 1 } },
	{ .rank = 1, .dims = { 15 } },
	{ .rank = 1, .dims = { 16 } },
	{ .rank = 1, .dims = { 17 } },
	{ .rank = 1, .dims = { 1000 } },
	{ .rank = 2, .dims = { 3, 0 } },
	{ .rank = 2, .dims = { 5, 3 } },
	{ .rank = 2, .dims = { 33, 18 } },
	{ .rank = 2, .dims = { 2, 70 } },
	{ .rank = 3, .dims = { 2, 1, 37 } },
	{ .rank = 3, .dims = { 3, 20, 17 } },
	{ .rank = 4, .dims = { 2, 3, 4, 5 } },
};
/* Enough for the pool, and tiles in both directions. */
static const meta large_shapes[] = {
	{ .rank = 1, .dims = { 300001 } },
	{ .rank = 2, .dims = { 517, 601 } },
	{ .rank = 3, .dims = { 20, 161, 97 } },
};

static bool takes(unsigned code, gt_dtype dtype)
{
	return strchr(op_rows[code].dtypes, "?bif"[dtype_kind_of(dtype)]) != NULL;
}

/* Divisors of integers are not 0: that is an error with a test of its own. */
static void avoid_zeros(unsigned code, duel_input *b)
{
	int64_t size = (int64_t)dtype_size(b->v.m.dtype);
	static const char zero[8];

	if ((code != OP_floordiv && code != OP_mod) || dtype_kind_of(b->v.m.dtype) != KIND_INT)
		return;
	for (int64_t n = 0; n < b->count * size; n += size)
		if (!memcmp(b->memory + n, zero, (size_t)size))
			b->memory[n] = 3;
}

/* One call with these layouts. */
static void try(unsigned code, gt_dtype dtype, gt_dtype to, const meta *shape,
	const duel_layout *layouts)
{
	duel t = { .room.head = { .op = (uint16_t)code, .nin = (uint8_t)op_rows[code].nin } };
	duel_input in[3];

	if (op_rows[code].attrs & ATTR_DTYPE)
		t.room.head.attr.dtype = to;
	for (int k = 0; k < t.room.head.nin; k++) {
		gt_dtype d = code == OP_where && k == 0 ? GT_BOOL : dtype;

		in[k] = duel_input_new(shape, d, layouts[k]);
		if (k == 1)
			avoid_zeros(code, &in[k]);
		t.in[k] = in[k].v;
	}
	duel_run(&t);
	for (int k = 0; k < t.room.head.nin; k++)
		duel_input_free(&in[k]);
}

/* All layouts of one input; all pairs for add and where, which stand for the walk that all share,
 * and some for the others. */
static void try_layouts(unsigned code, gt_dtype dtype, const meta *shape)
{
	bool all = op_rows[code].nin == 1 || code == OP_add || code == OP_where;
	int count = op_rows[code].nin == 1 ? DUEL_LAYOUTS : DUEL_LAYOUTS * DUEL_LAYOUTS;

	for (int n = 0; n < count; n += all ? 1 : 1 + (int)duel_random(10)) {
		duel_layout layouts[] = { n % DUEL_LAYOUTS, n / DUEL_LAYOUTS,
			(duel_layout)duel_random(DUEL_LAYOUTS) };

		if (code == OP_cast)
			for (gt_dtype to = 1; to < GT_DTYPE_COUNT; to++)
				try(code, dtype, to, shape, layouts);
		else
			try(code, dtype, dtype, shape, layouts);
	}
}

static void try_op(unsigned code, const meta *list, size_t n)
{
	for (gt_dtype dtype = 1; dtype < GT_DTYPE_COUNT; dtype++)
		for (size_t k = 0; k < n && takes(code, dtype); k++)
			try_layouts(code, dtype, &list[k]);
}

static void test_every_op_dtype_and_layout(void **state)
{
	(void)state;
	for (unsigned code = 0; code < OP_CODES; code++)
		if (op_rows[code].name && op_rows[code].kind == KIND_ELEMENT)
			try_op(code, shapes, COUNT(shapes));
}

/* One op of each form; the others run through the same walk. */
static void test_large(void **state)
{
	static const struct { op code; gt_dtype dtype; duel_layout layouts[3]; } cases[] = {
		{ OP_exp, GT_FLOAT32, { PLAIN } }, { OP_exp, GT_FLOAT32, { TRANSPOSED } },
		{ OP_neg, GT_FLOAT64, { MIXED } }, { OP_isnan, GT_FLOAT32, { ROTATED } },
		{ OP_tanh, GT_FLOAT64, { STEPPED } }, { OP_clone, GT_BOOL, { TRANSPOSED } },
		{ OP_clone, GT_FLOAT32, { ROTATED } }, { OP_clone, GT_INT64, { TRANSPOSED } },
		{ OP_add, GT_FLOAT32, { PLAIN, PLAIN } }, { OP_add, GT_FLOAT32, { PLAIN, SINGLE } },
		{ OP_mul, GT_FLOAT32, { TRANSPOSED, ONES } },
		{ OP_sub, GT_FLOAT32, { DROPPED, ROTATED } },
		{ OP_mod, GT_INT64, { REVERSED, STEPPED } },
		{ OP_lt, GT_INT32, { REPEATED, TRANSPOSED } },
		{ OP_where, GT_FLOAT32, { ONES, TRANSPOSED, SINGLE } },
		{ OP_clamp, GT_FLOAT32, { PLAIN, SINGLE, SINGLE } },
		{ OP_clamp, GT_INT32, { MIXED, DROPPED, ONES } },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(cases); n++)
		for (size_t k = 0; k < COUNT(large_shapes); k++)
			try(cases[n].code, cases[n].dtype, 0, &large_shapes[k], cases[n].layouts);
	try(OP_cast, GT_FLOAT32, GT_INT64, &large_shapes[1], (duel_layout[]){ TRANSPOSED });
	try(OP_cast, GT_BOOL, GT_FLOAT32, &large_shapes[0], (duel_layout[]){ PLAIN });
}

/* ---- What the reference computes. ---- */

/* name, dtype, inputs as numbers, the result as a number; NaN means NaN. */
typedef struct expected {
	op code;
	gt_dtype dtype;
	double in[3], out;
} expected;

#define INF __builtin_inf()
#define NOT_A_NUMBER __builtin_nan("")

static const expected numbers[] = {
	{ OP_neg, GT_INT32, { INT32_MIN }, INT32_MIN },
	{ OP_abs, GT_INT32, { INT32_MIN }, INT32_MIN }, { OP_abs, GT_INT64, { -7 }, 7 },
	{ OP_abs, GT_FLOAT32, { -7.5 }, 7.5 },
	{ OP_sign, GT_INT32, { -9 }, -1 }, { OP_sign, GT_FLOAT32, { NOT_A_NUMBER }, NOT_A_NUMBER },
	{ OP_square, GT_INT32, { 65536 }, 0 }, { OP_relu, GT_INT64, { -3 }, 0 },
	{ OP_relu, GT_FLOAT32, { NOT_A_NUMBER }, NOT_A_NUMBER },
	{ OP_floor, GT_INT32, { 5 }, 5 }, { OP_round, GT_FLOAT64, { 2.5 }, 2 },
	{ OP_not, GT_BOOL, { 1 }, 0 }, { OP_not, GT_INT32, { 5 }, -6 },
	{ OP_isnan, GT_FLOAT32, { NOT_A_NUMBER }, 1 }, { OP_isnan, GT_INT32, { 3 }, 0 },
	{ OP_isfinite, GT_FLOAT64, { INF }, 0 }, { OP_isfinite, GT_FLOAT32, { NOT_A_NUMBER }, 0 },
	{ OP_isfinite, GT_BOOL, { 0 }, 1 },
	{ OP_add, GT_INT32, { INT32_MAX, 1 }, INT32_MIN }, { OP_add, GT_BOOL, { 1, 1 }, 1 },
	{ OP_mul, GT_BOOL, { 1, 0 }, 0 }, { OP_mul, GT_INT32, { 65536, 65537 }, 65536 },
	{ OP_sub, GT_INT64, { 3, 5 }, -2 }, { OP_div, GT_FLOAT32, { 1, 0 }, INF },
	{ OP_floordiv, GT_INT32, { -7, 2 }, -4 }, { OP_floordiv, GT_INT32, { 7, -2 }, -4 },
	{ OP_floordiv, GT_INT32, { INT32_MIN, -1 }, INT32_MIN },
	{ OP_floordiv, GT_INT32, { -8, 2 }, -4 },
	{ OP_floordiv, GT_FLOAT32, { -7, 2 }, -4 }, { OP_floordiv, GT_FLOAT32, { 1, 0 }, INF },
	{ OP_floordiv, GT_FLOAT64, { 1, 0.1 }, 9 },
	{ OP_mod, GT_INT32, { -7, 2 }, 1 }, { OP_mod, GT_INT64, { 7, -2 }, -1 },
	{ OP_mod, GT_INT32, { INT32_MIN, -1 }, 0 }, { OP_mod, GT_FLOAT32, { -7, 2 }, 1 },
	{ OP_mod, GT_FLOAT32, { 7.5, -2 }, -0.5 }, { OP_mod, GT_FLOAT32, { 1e10, 3 }, 1 },
	{ OP_mod, GT_FLOAT32, { 1, 0 }, NOT_A_NUMBER },
	{ OP_pow, GT_INT32, { 2, 10 }, 1024 }, { OP_pow, GT_INT32, { 2, 32 }, 0 },
	{ OP_pow, GT_INT64, { 3, 0 }, 1 }, { OP_pow, GT_INT64, { 2, -1 }, 0 },
	{ OP_pow, GT_INT64, { -1, -3 }, -1 }, { OP_pow, GT_INT64, { -1, -4 }, 1 },
	{ OP_pow, GT_INT64, { 0, -1 }, 0 }, { OP_pow, GT_FLOAT64, { 2, -1 }, 0.5 },
	{ OP_minimum, GT_FLOAT32, { 1, NOT_A_NUMBER }, NOT_A_NUMBER },
	{ OP_minimum, GT_FLOAT32, { NOT_A_NUMBER, 1 }, NOT_A_NUMBER },
	{ OP_maximum, GT_FLOAT64, { NOT_A_NUMBER, INF }, NOT_A_NUMBER },
	{ OP_maximum, GT_INT32, { -3, 4 }, 4 }, { OP_minimum, GT_BOOL, { 1, 0 }, 0 },
	{ OP_eq, GT_FLOAT32, { NOT_A_NUMBER, NOT_A_NUMBER }, 0 },
	{ OP_ne, GT_FLOAT32, { NOT_A_NUMBER, 1 }, 1 }, { OP_eq, GT_FLOAT32, { -0.0, 0 }, 1 },
	{ OP_lt, GT_INT32, { -1, 0 }, 1 }, { OP_ge, GT_BOOL, { 0, 1 }, 0 },
	{ OP_and, GT_INT32, { 12, 10 }, 8 }, { OP_or, GT_INT32, { 12, 10 }, 14 },
	{ OP_xor, GT_INT32, { 12, 10 }, 6 }, { OP_xor, GT_BOOL, { 1, 1 }, 0 },
	{ OP_where, GT_FLOAT32, { 1, 2, 3 }, 2 }, { OP_where, GT_INT32, { 0, 2, 3 }, 3 },
	{ OP_clamp, GT_FLOAT32, { 5, 0, 1 }, 1 }, { OP_clamp, GT_INT32, { -5, 0, 1 }, 0 },
	{ OP_clamp, GT_FLOAT32, { 5, 3, 1 }, 1 },
	{ OP_clamp, GT_FLOAT64, { NOT_A_NUMBER, 0, 1 }, NOT_A_NUMBER },
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(numbers); n++) {
		const expected *x = &numbers[n];
		duel t = { .room.head = { .op = x->code, .nin = (uint8_t)op_rows[x->code].nin } };
		double values[3], out;

		for (int k = 0; k < t.room.head.nin; k++) {
			gt_dtype dtype = x->code == OP_where && k == 0 ? GT_BOOL : x->dtype;

			engine_scalar(KIND_FLOAT, (scalar){ .f = x->in[k] }, dtype, &values[k]);
			t.in[k] = (view){ .data = &values[k], .m.dtype = dtype,
				.contiguous = true };
		}
		duel_begin(&t);
		out = duel_number((gt_dtype)t.out.m.dtype, t.out.data);
		if (!duel_same(GT_FLOAT64, &out, &x->out))
			fail_msg("row %zu: %s gives %g, expected %g", n, op_rows[x->code].name,
				out, x->out);
		duel_check(&t);
		duel_end(&t);
	}
}

/* Out of range, the smallest integer; otherwise towards zero. */
static void test_casts(void **state)
{
	static const struct { gt_dtype from; double x; gt_dtype to; double out; } cases[] = {
		{ GT_FLOAT32, 2.9, GT_INT32, 2 }, { GT_FLOAT32, -2.9, GT_INT64, -2 },
		{ GT_FLOAT32, 3e9, GT_INT32, INT32_MIN }, { GT_FLOAT64, 1e30, GT_INT64, -0x1p63 },
		{ GT_FLOAT64, NOT_A_NUMBER, GT_INT32, INT32_MIN },
		{ GT_FLOAT64, -0x1p31, GT_INT32, INT32_MIN },
		{ GT_FLOAT32, NOT_A_NUMBER, GT_BOOL, 1 }, { GT_FLOAT32, -0.0, GT_BOOL, 0 },
		{ GT_INT64, 0x1p32, GT_INT32, 0 }, { GT_INT64, 0x1p32, GT_BOOL, 1 },
		{ GT_BOOL, 1, GT_FLOAT64, 1 }, { GT_INT32, -5, GT_INT64, -5 },
		{ GT_FLOAT64, 1e-46, GT_FLOAT32, 0 }, { GT_FLOAT64, 1e300, GT_FLOAT32, INF },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(cases); n++) {
		duel t = { .room.head = { .op = OP_cast, .nin = 1, .attr.dtype = cases[n].to } };
		double value;

		engine_scalar(KIND_FLOAT, (scalar){ .f = cases[n].x }, cases[n].from, &value);
		t.in[0] = (view){ .data = &value, .m.dtype = cases[n].from, .contiguous = true };
		duel_begin(&t);
		assert_true(duel_number(cases[n].to, t.out.data) == cases[n].out);
		duel_check(&t);
		duel_end(&t);
	}
}

/* Bit for bit fmodf, over all exponents and close to multiples. */
static void test_remainder(void **state)
{
	(void)state;
	for (int n = 0; n < 3000000; n++) {
		uint32_t bits[2] = {
			(uint32_t)duel_random(UINT32_MAX), (uint32_t)duel_random(UINT32_MAX)
		};
		float x[2], want, got;

		if (n % 4)                     /* quotients of up to 2^32 */
			bits[1] = (bits[1] & 0x807fffff) |
				((bits[0] >> 23 & 0xff) - (uint32_t)duel_random(33)) % 256 << 23;
		memcpy(x, bits, sizeof(x));
		if (n % 3 == 0)
			x[0] = x[1] * (float)duel_random(1000);
		want = fmodf(x[0], x[1]);
		got = arith_remainder(x[0], x[1]);
		if (!duel_same(GT_FLOAT32, &want, &got))
			fail_msg("remainder of %a by %a is %a, expected %a", x[0], x[1], got, want);
	}
}

/* The first zero in row-major order of the result is named, wherever it lies in memory. */
static void check_division(op code, int32_t *divisors, int64_t stride0, int64_t stride1,
	const char *text)
{
	int32_t one = 1;
	duel t = { .room.head = { .op = code, .nin = 2 } };

	t.in[0] = (view){ .data = &one, .m.dtype = GT_INT32, .contiguous = true };
	t.in[1] = (view){ .data = divisors, .m = { .dtype = GT_INT32, .rank = 2, .dims = { 2, 3 } },
		.strides = { stride0, stride1 } };
	t.in[1].contiguous = shape_is_contiguous(&t.in[1].m, t.in[1].strides);
	duel_begin(&t);
	assert_int_equal(t.error, GT_EDIVIDE);
	assert_string_equal(t.text, text);
	duel_check(&t);
	duel_end(&t);
}

static void test_division_by_zero(void **state)
{
	int32_t divisors[] = { 5, 5, 0, 5, 5, 5 };

	(void)state;
	check_division(OP_floordiv, divisors, 3, 1,
		"floordiv: integer division by zero at position 2");
	check_division(OP_mod, divisors, 1, 2, "mod: integer division by zero at position 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_casts),
		cmocka_unit_test(test_remainder),
		cmocka_unit_test(test_division_by_zero),
		cmocka_unit_test(test_every_op_dtype_and_layout),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, duel_engines_free);
}
