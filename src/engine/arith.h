/* arith.h: arithmetic on one element: arith_add_FLOAT32(a, b) and so on for every row of
 * arith.def and every dtype it takes, arith_cast_<to>(x) for all pairs of dtypes, the choices of
 * where and clamp.
 *
 * The reference calls these one by one, the fast rows in loops: the same bits by construction.
 * Integers never trap and never overflow; a zero divisor must be found before.
 */
#ifndef ENGINE_ARITH_H
#define ENGINE_ARITH_H

#include "engine/fun.h"
#include <gt/dtype.h>

#define ARITH_INLINE static inline __attribute__((always_inline, unused))

/* EACH_*(M, ...) expands M(dtype, C type, ...) for the dtypes of a kind. */
#define EACH_FLOAT(M, ...) M(FLOAT32, float, __VA_ARGS__) M(FLOAT64, double, __VA_ARGS__)
#define EACH_INT(M, ...) M(INT32, int32_t, __VA_ARGS__) M(INT64, int64_t, __VA_ARGS__)
#define EACH_BOOL(M, ...) M(BOOL, uint8_t, __VA_ARGS__)
#define EACH_NUMBER(M, ...) EACH_FLOAT(M, __VA_ARGS__) EACH_INT(M, __VA_ARGS__)
#define EACH_DTYPE(M, ...) EACH_NUMBER(M, __VA_ARGS__) EACH_BOOL(M, __VA_ARGS__)

#define ARITH_COUNT(dtype, type, unused) + 1
_Static_assert(EACH_DTYPE(ARITH_COUNT, ) == GT_DTYPE_COUNT - 1, "a kind lacks a dtype");
#undef ARITH_COUNT

/* ---- Division that rounds down, as in Python. ---- */

ARITH_INLINE int64_t arith_floordiv_int(int64_t a, int64_t b)
{
	if (b == -1)
		return (int64_t)(0 - (uint64_t)a);      /* the smallest integer has no negative */
	return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

ARITH_INLINE int64_t arith_mod_int(int64_t a, int64_t b)
{
	int64_t r = b == -1 ? 0 : a % b;

	return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* fmodf, several times as fast while the quotient is small. Then whole * b needs at most 52 bits,
 * and so does the difference, which is therefore exact; it has the wrong sign if the quotient was
 * rounded up to an integer. */
ARITH_INLINE float arith_remainder(float a, float b)
{
	double q = (double)a / (double)b, whole, r;

	if (!(fabs(q) < 0x1p28))
		return fmodf(a, b);             /* also b = 0, infinities and NaN */
	whole = (double)(int64_t)q;
	if (whole == 0)
		return a;
	r = (double)a - whole * (double)b;
	if (r != 0 && (r < 0) != (a < 0))
		r += copysign((double)b, (double)a);
	return (float)copysign(r, (double)a);
}

/* The remainder is exact, so the quotient is off by rounding at most and snaps to the nearest
 * integer. */
#define ARITH_DIVISION(type, suffix, fmod_, floor_)                                            \
	ARITH_INLINE type arith_mod_##suffix(type a, type b)                                   \
	{                                                                                      \
		type r = fmod_(a, b);                                                          \
                                                                                               \
		return r != 0 && (r < 0) != (b < 0) ? r + b : r;                               \
	}                                                                                      \
	ARITH_INLINE type arith_floordiv_##suffix(type a, type b)                              \
	{                                                                                      \
		type r = fmod_(a, b), q, whole;                                                \
                                                                                               \
		if (b == 0)                                                                    \
			return a / b;                                                          \
		q = (a - r) / b;                                                               \
		if (r != 0 && (r < 0) != (b < 0))                                              \
			q -= 1;                                                                \
		if (q == 0)                                                                    \
			return (type)copysign(0, (double)(a / b));                             \
		whole = floor_(q);                                                             \
		return q - whole > (type)0.5 ? whole + 1 : whole;                              \
	}
ARITH_DIVISION(float, float, arith_remainder, floorf)
ARITH_DIVISION(double, double, fmod, floor)
#undef ARITH_DIVISION

/* ---- Powers. ---- */

/* By squaring, wrapping. A negative exponent leaves 0, except for bases 1 and -1. */
ARITH_INLINE int64_t arith_pow_int(int64_t a, int64_t b)
{
	uint64_t result = 1, square = (uint64_t)a;

	if (b < 0)
		return a == 1 ? 1 : a == -1 ? 1 - 2 * (b & 1) : 0;
	for (; b; b >>= 1, square *= square)
		if (b & 1)
			result *= square;
	return (int64_t)result;
}

ARITH_INLINE float arith_pow_float(float a, float b) { return fun_pow(a, b); }
ARITH_INLINE double arith_pow_double(double a, double b) { return fun64_pow(a, b); }

/* ---- The rows. ---- */

#define ARITH_FLOAT(f, a, b) _Generic((a), float: f##_float, double: f##_double)(a, b)
#define WRAP(a) ((uint64_t)(a))
#define ARITH_1(dtype, type, name, expr) \
	ARITH_INLINE type arith_##name##_##dtype(type x) { return (type)(expr); }
#define ARITH_1_BOOL(dtype, type, name, expr) \
	ARITH_INLINE uint8_t arith_##name##_##dtype(type x) { (void)x; return (uint8_t)(expr); }
#define ARITH_2(dtype, type, name, expr) \
	ARITH_INLINE type arith_##name##_##dtype(type a, type b) { return (type)(expr); }
#define ARITH_2_BOOL(dtype, type, name, expr) \
	ARITH_INLINE uint8_t arith_##name##_##dtype(type a, type b) { return (uint8_t)(expr); }

#define UNARY_I(name, i) EACH_INT(ARITH_1, name, i)
#define UNARY_BI(name, b, i) EACH_BOOL(ARITH_1, name, b) EACH_INT(ARITH_1, name, i)
#define TEST_BIF(name, b, i, f) EACH_BOOL(ARITH_1_BOOL, name, b) \
	EACH_INT(ARITH_1_BOOL, name, i) EACH_FLOAT(ARITH_1_BOOL, name, f)
#define BINARY_BIF(name, b, i, f) EACH_BOOL(ARITH_2, name, b) \
	EACH_INT(ARITH_2, name, i) EACH_FLOAT(ARITH_2, name, f)
#define BINARY_IF(name, i, f) EACH_INT(ARITH_2, name, i) EACH_FLOAT(ARITH_2, name, f)
#define BINARY_F(name, f) EACH_FLOAT(ARITH_2, name, f)
#define BINARY_BI(name, b, i) EACH_BOOL(ARITH_2, name, b) EACH_INT(ARITH_2, name, i)
#define COMPARE(name, any) EACH_DTYPE(ARITH_2_BOOL, name, any)
#include "engine/arith.def"

#undef ARITH_1
#undef ARITH_1_BOOL
#undef ARITH_2
#undef ARITH_2_BOOL
#undef WRAP

/* fun.def's functions under the same naming. Tables made from it have an entry for each: a
 * function that is not an operation by itself gets code 0, which no instruction has. */
enum { OP_erfc = 0 };
#define FUN1(name, ulp, f64) \
	ARITH_INLINE float arith_##name##_FLOAT32(float x) { return fun_##name(x); } \
	ARITH_INLINE double arith_##name##_FLOAT64(double x) { return fun64_##name(x); }
#include "ir/fun.def"

/* min(max(x, low), high). */
#define ARITH_CLAMP(dtype, type, unused) \
	ARITH_INLINE type arith_clamp_##dtype(type x, type low, type high) \
	{ \
		return arith_minimum_##dtype(arith_maximum_##dtype(x, low), high); \
	}
EACH_NUMBER(ARITH_CLAMP, )
#undef ARITH_CLAMP

/* ---- Casts. ---- */

/* Floats out of an integer's range, and NaN, become the smallest integer: what x86 does, made
 * explicit because C leaves it undefined and scalar and vector code of one compiler need not
 * agree. 2^31 and 2^63 are exact in either float type. */
#define ARITH_TO_INT(type, x, limit, smallest) \
	((x) >= -(limit) && (x) < (limit) ? (type)(x) : (smallest))

#define ARITH_CAST_FROM_FLOAT(from, type, unused)                                                \
	ARITH_INLINE int32_t arith_cast_##from##_INT32(type x)                                   \
	{                                                                                        \
		return ARITH_TO_INT(int32_t, x, (type)0x1p31, INT32_MIN);                        \
	}                                                                                        \
	ARITH_INLINE int64_t arith_cast_##from##_INT64(type x)                                   \
	{                                                                                        \
		return ARITH_TO_INT(int64_t, x, (type)0x1p63, INT64_MIN);                        \
	}
#define ARITH_CAST_FROM_INT(from, type, unused)                                                  \
	ARITH_INLINE int32_t arith_cast_##from##_INT32(type x) { return (int32_t)x; }            \
	ARITH_INLINE int64_t arith_cast_##from##_INT64(type x) { return (int64_t)x; }
#define ARITH_CAST_FROM(from, type, unused)                                                      \
	ARITH_INLINE float arith_cast_##from##_FLOAT32(type x) { return (float)x; }              \
	ARITH_INLINE double arith_cast_##from##_FLOAT64(type x) { return (double)x; }            \
	ARITH_INLINE uint8_t arith_cast_##from##_BOOL(type x) { return x != 0; }
EACH_FLOAT(ARITH_CAST_FROM_FLOAT, )
EACH_INT(ARITH_CAST_FROM_INT, )
EACH_BOOL(ARITH_CAST_FROM_INT, )
EACH_DTYPE(ARITH_CAST_FROM, )
#undef ARITH_CAST_FROM_FLOAT
#undef ARITH_CAST_FROM_INT
#undef ARITH_CAST_FROM

#endif
