/* fun.h: the scalar functions of ir/fun.def as C.
 *
 * fun_<name>(x) is float32, fun64_<name>(x) float64; pow takes two arguments. map_<name>(out, in,
 * n) and map64_<name> run over n contiguous elements; out may be in, but not overlap it otherwise.
 * pow has map_pow(out, a, b, n). The loops are plain C that gcc and clang turn into vector code at
 * -O3 with -fno-math-errno -fno-trapping-math for whatever instruction set the including file is
 * compiled for; the bits are the same for all of them. Build with -ffp-contract=off.
 */
#ifndef ENGINE_FUN_H
#define ENGINE_FUN_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Two normal numbers made of two random words by fun_normal. */
typedef struct fun_pair { float first, second; } fun_pair;

#define FUN_INLINE static inline __attribute__((always_inline, unused))

/* Iterations of the next loop do not depend on each other. clang's word for it is an order, which
 * it complains about where it cannot obey; left alone it checks for overlap when the loop starts.
 */
#ifdef __clang__
#define FUN_LOOP
#else
#define FUN_LOOP _Pragma("GCC ivdep")
#endif

FUN_INLINE uint32_t fun_as_i(float f) { uint32_t i; memcpy(&i, &f, sizeof i); return i; }
FUN_INLINE float fun_as_f(uint32_t i) { float f; memcpy(&f, &i, sizeof f); return f; }
FUN_INLINE uint64_t fun_as_l(double d) { uint64_t l; memcpy(&l, &d, sizeof l); return l; }
FUN_INLINE double fun_as_d(uint64_t l) { double d; memcpy(&d, &l, sizeof d); return d; }

/* a*b + c rounded once, for machines without the instruction. The product of two floats is exact
 * in a double and so is the error of the sum; the sum is rounded to odd (an inexact one with an
 * even last bit moves one step towards the truth), after which rounding to float cannot go wrong
 * twice. */
FUN_INLINE float fun_fma_soft(float a, float b, float c)
{
	double p = (double)a * b, s = p + c, t = s - p;
	double error = (p - (s - t)) + (c - t);
	uint64_t bits = fun_as_l(s), inward = (fun_as_l(error) ^ bits) >> 63;
	double odd = fun_as_d(bits + ((1 - 2 * inward) & ((bits & 1) - 1)));

	/* Neither where s is infinite or NaN: then the error is NaN. */
	return (float)(((error < 0) | (error > 0)) ? odd : s);
}

#ifdef __FMA__
FUN_INLINE float fun_fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
FUN_INLINE float fun_fma(float a, float b, float c) { return fun_fma_soft(a, b, c); }
#endif

/* Far from 0 the reduction of sin and cos needs hundreds of bits: libm has them. */
FUN_INLINE float fun_far_sin(float x) { return (float)sin((double)x); }
FUN_INLINE float fun_far_cos(float x) { return (float)cos((double)x); }

/* First expansion of fun.def: bodies. A row with a limit becomes fun_near_<name>. */
#define FUN1(name, ulp, f64) FUN_INLINE float fun_##name(float x) {
#define FUN1_IN(name, ulp, limit, f64) FUN_INLINE float fun_near_##name(float x) {
#define FUN2(name, ulp, f64) FUN_INLINE float fun_##name(float x, float y) {
#define FUN_PAIR(name) FUN_INLINE fun_pair fun_##name(uint32_t x, uint32_t y) {
#define HELP1(name) FUN_INLINE float fun_##name(float x) {
#define HELP2(name) FUN_INLINE float fun_##name(float x, float y) {
#define HELP1_D(name) FUN_INLINE double fun_##name(double x) {
#define HELP1_FD(name) FUN_INLINE double fun_##name(float x) {
#define CALL1(name, a) fun_##name(a)
#define CALL2(name, a, b) fun_##name(a, b)
#define LET_F(name, value) const float name = (value);
#define LET_D(name, value) const double name = (value);
#define LET_I(name, value) const uint32_t name = (value);
#define LET_L(name, value) const uint64_t name = (value);
#define LET_M(name, value) const bool name = (value);
#define RET(value) return (value);
#define RET2(a, b) return (fun_pair){(a), (b)};
#define END }

#define F(c) ((float)(c))
#define D(c) ((double)(c))
#define I(c) ((uint32_t)(c))
#define L(c) ((uint64_t)(c))
#define INF __builtin_inff()
#define NOT_A_NUMBER __builtin_nanf("")
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define DIV(a, b) ((a) / (b))
#define FMA(a, b, c) fun_fma(a, b, c)
#define SQRT(a) __builtin_sqrtf(a)
#define NEG(a) (-(a))
#define ABS(a) __builtin_fabsf(a)
#define DADD(a, b) ((a) + (b))
#define DSUB(a, b) ((a) - (b))
#define DMUL(a, b) ((a) * (b))
#define DDIV(a, b) ((a) / (b))
#define DABS(a) __builtin_fabs(a)
#define IADD(a, b) ((a) + (b))
#define ISUB(a, b) ((a) - (b))
#define IAND(a, b) ((a) & (b))
#define IOR(a, b) ((a) | (b))
#define IXOR(a, b) ((a) ^ (b))
#define ISHL(a, by) ((a) << (by))
#define ISHR(a, by) ((a) >> (by))
#define ISAR(a, by) ((uint32_t)((int32_t)(a) >> (by)))
#define LADD(a, b) ((a) + (b))
#define LAND(a, b) ((a) & (b))
#define LXOR(a, b) ((a) ^ (b))
#define LSHL(a, by) ((a) << (by))
#define LT(a, b) ((a) < (b))
#define LE(a, b) ((a) <= (b))
#define EQ(a, b) ((a) == (b))
#define DLT(a, b) ((a) < (b))
#define DEQ(a, b) ((a) == (b))
#define ILT(a, b) ((int32_t)(a) < (int32_t)(b))
#define IEQ(a, b) ((a) == (b))
#define AND(a, b) ((a) & (b))
#define OR(a, b) ((a) | (b))
#define NOT(a) (!(a))
#define SEL(m, a, b) ((m) ? (a) : (b))
#define DSEL(m, a, b) ((m) ? (a) : (b))
#define ISEL(m, a, b) ((m) ? (a) : (b))
#define I2F(a) ((float)(int32_t)(a))
#define I2D(a) ((double)(int32_t)(a))
#define F2D(a) ((double)(a))
#define D2F(a) ((float)(a))
#define AS_F(a) fun_as_f(a)
#define AS_I(a) fun_as_i(a)
#define AS_D(a) fun_as_d(a)
#define AS_L(a) fun_as_l(a)
#include "ir/fun.def"

/* Second expansion: the whole function where it is made of a near and a far part. */
#define FUN1_IN(name, ulp, limit, f64)                                              \
	FUN_INLINE float fun_##name(float x)                                        \
	{                                                                           \
		return __builtin_fabsf(x) > limit ? fun_far_##name(x) : fun_near_##name(x); \
	}
#include "ir/fun.def"

/* Third expansion: loops. Where a lane of a block is far, the whole block goes one by one. */
enum { FUN_BLOCK = 256 };

#define FUN1(name, ulp, f64)                                                        \
	static inline void map_##name(float *out, const float *in, int64_t n)       \
	{                                                                           \
		FUN_LOOP                                                            \
		for (int64_t i = 0; i < n; i++)                                     \
			out[i] = fun_##name(in[i]);                                 \
	}
#define FUN2(name, ulp, f64)                                                        \
	static inline void map_##name(float *out, const float *a, const float *b, int64_t n) \
	{                                                                           \
		FUN_LOOP                                                            \
		for (int64_t i = 0; i < n; i++)                                     \
			out[i] = fun_##name(a[i], b[i]);                            \
	}
#define FUN1_IN(name, ulp, limit, f64)                                              \
	static inline void map_##name(float *out, const float *in, int64_t n)       \
	{                                                                           \
		for (int64_t at = 0; at < n; at += FUN_BLOCK) {                     \
			int64_t end = n - at < FUN_BLOCK ? n : at + FUN_BLOCK;      \
			int far = 0;                                                \
			for (int64_t i = at; i < end; i++)                          \
				far |= __builtin_fabsf(in[i]) > limit;              \
			if (far) {                                                  \
				for (int64_t i = at; i < end; i++)                  \
					out[i] = fun_##name(in[i]);                 \
				continue;                                           \
			}                                                           \
			FUN_LOOP                                                    \
			for (int64_t i = at; i < end; i++)                          \
				out[i] = fun_near_##name(in[i]);                    \
		}                                                                   \
	}
#include "ir/fun.def"

/* Fourth expansion: float64. */
#define FUN1(name, ulp, f64)                                                        \
	FUN_INLINE double fun64_##name(double x) { return f64; }                    \
	static inline void map64_##name(double *out, const double *in, int64_t n)   \
	{                                                                           \
		FUN_LOOP                                                            \
		for (int64_t i = 0; i < n; i++)                                     \
			out[i] = fun64_##name(in[i]);                               \
	}
#define FUN2(name, ulp, f64)                                                        \
	FUN_INLINE double fun64_##name(double x, double y) { return f64; }          \
	static inline void map64_##name(double *out, const double *a, const double *b, int64_t n) \
	{                                                                           \
		FUN_LOOP                                                            \
		for (int64_t i = 0; i < n; i++)                                     \
			out[i] = fun64_##name(a[i], b[i]);                          \
	}
#include "ir/fun.def"

#endif
