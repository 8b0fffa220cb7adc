/* elementwise.c: fast rows that compute every element by itself.
 *
 * A loop for every op, dtype and shape of inputs (`r` a row of values, `1` one value for the
 * row), expanded from arith.def and fun.def; tiles.c runs them over a call. The loops are plain C
 * with arith.h's functions in them, which the compiler turns into vector code for the instruction
 * set. An output may lie exactly where an input does: every element is read before it is written.
 *
 * What the compiler needs for that: `cols` in a variable of its own (a store of bytes or of int64
 * could change t->cols, as far as it knows), and loads that hang on no condition.
 */
#include "engine/isa/tiles.h"

#include "engine/arith.h"

#define ROW(n, type) ((const type *)t->in[n] + r * t->in_row[n])
#define OUT(type) ((type *)t->out + r * t->out_row)

/* ---- One input. ---- */

#define LOOP_1(loop_name, f, type, result)                                               \
	static void loop_name(const tile *t)                                             \
	{                                                                                \
		const int64_t cols = t->cols;                                            \
                                                                                         \
		for (int64_t r = 0; r < t->rows; r++) {                                  \
			result *out = OUT(result);                                       \
			const type *x = ROW(0, type);                                    \
                                                                                         \
			FUN_LOOP                                                         \
			for (int64_t k = 0; k < cols; k++)                               \
				out[k] = f(x[k]);                                        \
		}                                                                        \
	}
#define LOOP_MAP(loop_name, map, type)                                                   \
	static void loop_name(const tile *t)                                             \
	{                                                                                \
		for (int64_t r = 0; r < t->rows; r++)                                    \
			map(OUT(type), ROW(0, type), t->cols);                           \
	}
#define LOOP_1_SAME(d, type, name) LOOP_1(name##_##d, arith_##name##_##d, type, type)
#define LOOP_1_BOOL(d, type, name) LOOP_1(name##_##d, arith_##name##_##d, type, uint8_t)

#define FUN1(name, ulp, f64) \
	LOOP_MAP(name##_FLOAT32, map_##name, float) \
	LOOP_MAP(name##_FLOAT64, map64_##name, double)
#include "ir/fun.def"
#define UNARY_I(name, i) EACH_INT(LOOP_1_SAME, name)
#define UNARY_BI(name, b, i) EACH_BOOL(LOOP_1_SAME, name) EACH_INT(LOOP_1_SAME, name)
#define TEST_BIF(name, b, i, f) EACH_DTYPE(LOOP_1_BOOL, name)
#include "engine/arith.def"

/* Functions take a few times as long as memory; libm's, one element at a time, far longer. */
#define FUN_WEIGHT 2
#define LIBM_WEIGHT 16

#define LOOPS(...) (loop *const[]){ __VA_ARGS__ }
#define UNARY(d, type, name) [OP_##name][GT_##d] = { 1, 1, LOOPS(name##_##d, NULL) },

static const tile_op unaries[OP_CODES][GT_DTYPE_COUNT] = {
#define FUN1(name, ulp, f64) \
	[OP_##name][GT_FLOAT32] = { 1, FUN_WEIGHT, LOOPS(name##_FLOAT32, NULL) }, \
	[OP_##name][GT_FLOAT64] = { 1, LIBM_WEIGHT, LOOPS(name##_FLOAT64, NULL) },
#include "ir/fun.def"
#define UNARY_I(name, i) EACH_INT(UNARY, name)
#define UNARY_BI(name, b, i) EACH_BOOL(UNARY, name) EACH_INT(UNARY, name)
#define TEST_BIF(name, b, i, f) EACH_DTYPE(UNARY, name)
#include "engine/arith.def"
};

static gt_err unary(const kcall *c)
{
	ISA(tiles_run)(c, &unaries[c->i->op][c->in[0]->m.dtype]);
	return GT_OK;
}

/* ---- Casts. ---- */

#define LOOP_CAST(to, to_type, from, from_type) \
	LOOP_1(cast_##from##_##to, arith_cast_##from##_##to, from_type, to_type)
EACH_DTYPE(LOOP_CAST, FLOAT32, float)
EACH_DTYPE(LOOP_CAST, FLOAT64, double)
EACH_DTYPE(LOOP_CAST, INT32, int32_t)
EACH_DTYPE(LOOP_CAST, INT64, int64_t)
EACH_DTYPE(LOOP_CAST, BOOL, uint8_t)

#define CAST(to, type, from) [GT_##from][GT_##to] = { 1, 1, LOOPS(cast_##from##_##to, NULL) },
static const tile_op casts[GT_DTYPE_COUNT][GT_DTYPE_COUNT] = {
	EACH_DTYPE(CAST, FLOAT32)
	EACH_DTYPE(CAST, FLOAT64)
	EACH_DTYPE(CAST, INT32)
	EACH_DTYPE(CAST, INT64)
	EACH_DTYPE(CAST, BOOL)
};

static gt_err cast(const kcall *c)
{
	ISA(tiles_run)(c, &casts[c->in[0]->m.dtype][c->out->m.dtype]);
	return GT_OK;
}

/* ---- Two inputs. ---- */

#define LOOP_2(loop_name, f, type, result, A, B)                                         \
	static void loop_name(const tile *t)                                             \
	{                                                                                \
		const int64_t cols = t->cols;                                            \
                                                                                         \
		for (int64_t r = 0; r < t->rows; r++) {                                  \
			result *out = OUT(result);                                       \
			const type *a = ROW(0, type), *b = ROW(1, type);                 \
                                                                                         \
			FUN_LOOP                                                         \
			for (int64_t k = 0; k < cols; k++)                               \
				out[k] = f(a[A], b[B]);                                  \
		}                                                                        \
	}
#define LOOPS_2(d, type, name, result)                                                   \
	LOOP_2(name##_##d##_rr, arith_##name##_##d, type, result, k, k)                  \
	LOOP_2(name##_##d##_1r, arith_##name##_##d, type, result, 0, k)                  \
	LOOP_2(name##_##d##_r1, arith_##name##_##d, type, result, k, 0)
#define LOOPS_2_SAME(d, type, name) LOOPS_2(d, type, name, type)
#define LOOPS_2_BOOL(d, type, name) LOOPS_2(d, type, name, uint8_t)

#define BINARY_BIF(name, b, i, f) EACH_DTYPE(LOOPS_2_SAME, name)
#define BINARY_IF(name, i, f) EACH_NUMBER(LOOPS_2_SAME, name)
#define BINARY_F(name, f) EACH_FLOAT(LOOPS_2_SAME, name)
#define BINARY_BI(name, b, i) EACH_BOOL(LOOPS_2_SAME, name) EACH_INT(LOOPS_2_SAME, name)
#define COMPARE(name, any) EACH_DTYPE(LOOPS_2_BOOL, name)
#include "engine/arith.def"

enum { WEIGHT_sub = 1, WEIGHT_floordiv = 16, WEIGHT_mod = 16, WEIGHT_pow = 8 };

#define BINARY(d, type, name, weight) [OP_##name][GT_##d] = { 2, weight, \
	LOOPS(name##_##d##_rr, name##_##d##_1r, name##_##d##_r1, NULL) },

static const tile_op binaries[OP_CODES][GT_DTYPE_COUNT] = {
#define BINARY_BIF(name, b, i, f) EACH_DTYPE(BINARY, name, 1)
#define BINARY_IF(name, i, f) EACH_NUMBER(BINARY, name, WEIGHT_##name)
#define BINARY_F(name, f) EACH_FLOAT(BINARY, name, 1)
#define BINARY_BI(name, b, i) EACH_BOOL(BINARY, name, 1) EACH_INT(BINARY, name, 1)
#define COMPARE(name, any) EACH_DTYPE(BINARY, name, 1)
#include "engine/arith.def"
};

static gt_err binary(const kcall *c)
{
	ISA(tiles_run)(c, &binaries[c->i->op][c->in[0]->m.dtype]);
	return GT_OK;
}

/* ---- Integer division: zero divisors are found before the loops meet them. ---- */

static bool run_has_zero(const view *v, const char *p, int64_t n, int64_t stride)
{
	bool zero = false;

	if (v->m.dtype == GT_INT32)
		for (int64_t k = 0; k < n; k++)
			zero |= !((const int32_t *)p)[k * stride];
	else
		for (int64_t k = 0; k < n; k++)
			zero |= !((const int64_t *)p)[k * stride];
	return zero;
}

/* Elements of `v` from dim `d` on, with the earlier indices fixed. */
static bool has_zero(const view *v, const char *p, int d)
{
	int64_t size = (int64_t)dtype_size(v->m.dtype);

	if (v->contiguous)
		return run_has_zero(v, p, meta_count(&v->m), 1);
	if (d == v->m.rank - 1)
		return run_has_zero(v, p, v->m.dims[d], v->strides[d]);
	for (int64_t k = 0; k < v->m.dims[d]; k++)
		if (has_zero(v, p + k * v->strides[d] * size, d + 1))
			return true;
	return false;
}

static gt_err divide(const kcall *c)
{
	const view *b = c->in[1];

	if (dtype_kind_of(b->m.dtype) == KIND_INT && has_zero(b, b->data, 0))
		return engine_reference[c->i->op](c);
	return binary(c);
}

/* ---- Three inputs. ---- */

#define LOOP_WHERE(loop_name, type, B, C)                                                \
	static void loop_name(const tile *t)                                             \
	{                                                                                \
		const int64_t cols = t->cols;                                            \
                                                                                         \
		for (int64_t r = 0; r < t->rows; r++) {                                  \
			type *out = OUT(type);                                           \
			const uint8_t *a = ROW(0, uint8_t);                              \
			const type *b = ROW(1, type), *c = ROW(2, type);                 \
                                                                                         \
			FUN_LOOP                                                         \
			for (int64_t k = 0; k < cols; k++) {                             \
				const type x = b[B], y = c[C];                           \
                                                                                         \
				out[k] = a[k] ? x : y;                                   \
			}                                                                \
		}                                                                        \
	}
#define LOOPS_WHERE(bytes, type)                                                         \
	LOOP_WHERE(where_##bytes##_rrr, type, k, k)                                      \
	LOOP_WHERE(where_##bytes##_r1r, type, 0, k)                                      \
	LOOP_WHERE(where_##bytes##_rr1, type, k, 0)                                      \
	LOOP_WHERE(where_##bytes##_r11, type, 0, 0)
LOOPS_WHERE(1, uint8_t)
LOOPS_WHERE(4, uint32_t)
LOOPS_WHERE(8, uint64_t)

/* Bit 0 of the mask, one condition for a row, has no loop. */
#define WHERE(bytes) [bytes] = { 3, 1, LOOPS(where_##bytes##_rrr, NULL, where_##bytes##_r1r, \
	NULL, where_##bytes##_rr1, NULL, where_##bytes##_r11, NULL) }
static const tile_op wheres[] = { WHERE(1), WHERE(4), WHERE(8) };

static gt_err where(const kcall *c)
{
	ISA(tiles_run)(c, &wheres[dtype_size(c->out->m.dtype)]);
	return GT_OK;
}

/* One bound after the other: gcc finds no vectors in both at once. */
#define CLAMP_BLOCK 128
#define LOOP_CLAMP(loop_name, d, type, B)                                                \
	static void part_of_##loop_name(type *out, const type *x, const type *low,       \
			const type *high, int64_t n)                                     \
	{                                                                                \
		type raised[CLAMP_BLOCK];                                                \
                                                                                         \
		FUN_LOOP                                                                 \
		for (int64_t k = 0; k < n; k++)                                          \
			raised[k] = arith_maximum_##d(x[k], low[B]);                     \
		FUN_LOOP                                                                 \
		for (int64_t k = 0; k < n; k++)                                          \
			out[k] = arith_minimum_##d(raised[k], high[B]);                  \
	}                                                                                \
	static void loop_name(const tile *t)                                             \
	{                                                                                \
		for (int64_t r = 0; r < t->rows; r++) {                                  \
			type *out = OUT(type);                                           \
			const type *x = ROW(0, type), *low = ROW(1, type), *high = ROW(2, type); \
                                                                                         \
			for (int64_t k = 0; k < t->cols; k += CLAMP_BLOCK)               \
				part_of_##loop_name(out + k, x + k, low + (B), high + (B), \
						MIN(CLAMP_BLOCK, t->cols - k));          \
		}                                                                        \
	}
#define LOOPS_CLAMP(d, type, unused)                                                     \
	LOOP_CLAMP(clamp_##d##_rrr, d, type, k)                                          \
	LOOP_CLAMP(clamp_##d##_r11, d, type, 0)
EACH_NUMBER(LOOPS_CLAMP, )

#define CLAMP(d, type, unused) [GT_##d] = { 3, 1, LOOPS(clamp_##d##_rrr, NULL, NULL, NULL, \
	NULL, NULL, clamp_##d##_r11, NULL) },
static const tile_op clamps[] = { EACH_NUMBER(CLAMP, ) };

static gt_err clamp(const kcall *c)
{
	ISA(tiles_run)(c, &clamps[c->out->m.dtype]);
	return GT_OK;
}

/* ---- The rows. ---- */

static bool has_loops(const tile_op *dtypes)
{
	for (int d = 0; d < GT_DTYPE_COUNT; d++)
		if (dtypes[d].loops)
			return true;
	return false;
}

void ISA(elementwise_rows)(kernel **table)
{
	/* Code 0 is no op: it holds the functions that are not rows by themselves (arith.h). */
	for (int code = 1; code < OP_CODES; code++)
		if (has_loops(unaries[code]))
			table[code] = unary;
		else if (has_loops(binaries[code]))
			table[code] = binary;
	table[OP_floordiv] = table[OP_mod] = divide;
	table[OP_cast] = cast;
	table[OP_where] = where;
	table[OP_clamp] = clamp;
}
