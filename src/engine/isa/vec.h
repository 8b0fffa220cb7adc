/* vec.h: one native vector of floats: 16 lanes with AVX-512, 8 with AVX2, 4 without either.
 *
 * Only what plain loops do not get from the compiler: values that must stay in registers (tiles of
 * products, lanes of reductions), masked tails, transposes. Included by files in isa/ only. Vectors
 * wider than the machine's are not used: gcc keeps those in memory.
 */
#ifndef ENGINE_ISA_VEC_H
#define ENGINE_ISA_VEC_H

#include <immintrin.h>
#include <stdint.h>
#include "base/base.h"
#include "engine/fun.h"

#if defined(__AVX512F__)
#define VEC_BYTES 64
#elif defined(__AVX2__)
#define VEC_BYTES 32
#else
#define VEC_BYTES 16
#endif
#define VF (VEC_BYTES / 4)     /* floats in a vector */

/* Arrays of vectors become registers only if loops over them are gone before the compiler looks for
 * such arrays. clang ignores gcc's pragma, and products are a quarter as fast. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define INLINE static inline __attribute__((always_inline, unused))

typedef float vf __attribute__((vector_size(VEC_BYTES)));
typedef float vf_anywhere __attribute__((vector_size(VEC_BYTES), aligned(4), may_alias));

INLINE vf   vf_load(const float *p) { return *(const vf_anywhere *)p; }
INLINE void vf_store(float *p, vf v) { *(vf_anywhere *)p = v; }
INLINE vf   vf_splat(float x) { return x - (vf){0}; }     /* x - 0 is x, also for -0 */

/* vf_mask chooses the first n lanes, 0 <= n <= VF; other lanes are read as 0 and not written.
 * Memory behind lanes that are not chosen is not touched. vf_choose takes chosen lanes from a,
 * others from b.
 *
 * vf_maximum and vf_minimum are arith_maximum and arith_minimum: the instructions give b where a
 * lane is NaN or both are equal, so only NaN in a needs care. */
#if defined(__AVX512F__)
typedef __mmask16 vf_mask;
INLINE vf_mask vf_first(int64_t n) { return (vf_mask)((1u << n) - 1); }
INLINE vf vf_load_part(const float *p, vf_mask m) { return _mm512_maskz_loadu_ps(m, p); }
INLINE void vf_store_part(float *p, vf v, vf_mask m) { _mm512_mask_storeu_ps(p, m, v); }
INLINE vf vf_choose(vf_mask m, vf a, vf b) { return _mm512_mask_mov_ps(b, m, a); }
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_nan_first(vf a, vf b)
{
	return _mm512_mask_mov_ps(b, _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}
INLINE vf vf_maximum(vf a, vf b) { return vf_nan_first(a, _mm512_max_ps(a, b)); }
INLINE vf vf_minimum(vf a, vf b) { return vf_nan_first(a, _mm512_min_ps(a, b)); }
#elif defined(__AVX2__)
typedef __m256i vf_mask;
INLINE vf_mask vf_first(int64_t n)
{
	const __m256i numbers = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), numbers);
}
INLINE vf vf_load_part(const float *p, vf_mask m) { return _mm256_maskload_ps(p, m); }
INLINE void vf_store_part(float *p, vf v, vf_mask m) { _mm256_maskstore_ps(p, m, v); }
INLINE vf vf_choose(vf_mask m, vf a, vf b)
{
	return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(m));
}
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_nan_first(vf a, vf b)
{
	return _mm256_blendv_ps(b, a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
INLINE vf vf_maximum(vf a, vf b) { return vf_nan_first(a, _mm256_max_ps(a, b)); }
INLINE vf vf_minimum(vf a, vf b) { return vf_nan_first(a, _mm256_min_ps(a, b)); }
#else
typedef int64_t vf_mask;
INLINE vf_mask vf_first(int64_t n) { return n; }
INLINE vf vf_load_part(const float *p, vf_mask n)
{
	vf v = {0};
	for (int k = 0; k < n; k++)
		v[k] = p[k];
	return v;
}
INLINE void vf_store_part(float *p, vf v, vf_mask n)
{
	for (int k = 0; k < n; k++)
		p[k] = v[k];
}
INLINE vf vf_choose(vf_mask n, vf a, vf b)
{
	for (int k = 0; k < n; k++)
		b[k] = a[k];
	return b;
}
INLINE vf vf_nan_first(vf a, vf b)
{
	vf is_nan = _mm_cmpunord_ps(a, a);
	return _mm_or_ps(_mm_and_ps(is_nan, a), _mm_andnot_ps(is_nan, b));
}
INLINE vf vf_maximum(vf a, vf b) { return vf_nan_first(a, _mm_max_ps(a, b)); }
INLINE vf vf_minimum(vf a, vf b) { return vf_nan_first(a, _mm_min_ps(a, b)); }
INLINE vf vf_fma(vf a, vf b, vf c)
{
	vf r;
	UNROLL
	for (int k = 0; k < VF; k++)
		r[k] = fun_fma(a[k], b[k], c[k]);
	return r;
}
#endif

/* ---- Transposes. ---- */

#define SHUFFLE __builtin_shufflevector

/* Lanes i, j, k, l of a and b in each group of four lanes. */
#if VF == 16
#define VF_FOURS(a, b, i, j, k, l) SHUFFLE(a, b, i, j, k, l, i + 4, j + 4, k + 4, l + 4, \
		i + 8, j + 8, k + 8, l + 8, i + 12, j + 12, k + 12, l + 12)
#elif VF == 8
#define VF_FOURS(a, b, i, j, k, l) SHUFFLE(a, b, i, j, k, l, i + 4, j + 4, k + 4, l + 4)
#else
#define VF_FOURS SHUFFLE
#endif

/* Four rows of squares of four by four lanes: each square turns. */
INLINE void vf_turn_fours(vf *to, vf a, vf b, vf c, vf d)
{
	vf ab = VF_FOURS(a, b, 0, VF, 1, VF + 1), cd = VF_FOURS(c, d, 0, VF, 1, VF + 1);

	to[0] = VF_FOURS(ab, cd, 0, 1, VF, VF + 1);
	to[1] = VF_FOURS(ab, cd, 2, 3, VF + 2, VF + 3);
	ab = VF_FOURS(a, b, 2, VF + 2, 3, VF + 3);
	cd = VF_FOURS(c, d, 2, VF + 2, 3, VF + 3);
	to[2] = VF_FOURS(ab, cd, 0, 1, VF, VF + 1);
	to[3] = VF_FOURS(ab, cd, 2, 3, VF + 2, VF + 3);
}

/* One half from p, the other from four rows below. */
INLINE vf vf_load_halves(const float *p, int64_t row)
{
#if VF == 16
	const double *low = (const double *)p, *high = (const double *)(p + 4 * row);

	return (vf)_mm512_insertf64x4(_mm512_castpd256_pd512(_mm256_loadu_pd(low)),
			_mm256_loadu_pd(high), 1);
#elif VF == 8
	return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)),
			_mm_loadu_ps(p + 4 * row), 1);
#else
	(void)row;
	return vf_load(p);
#endif
}

/* Of eight rows, or all if those are four. */
INLINE void vf_load_turned(vf *to, const float *p, int64_t row)
{
	vf_turn_fours(to, vf_load_halves(p, row), vf_load_halves(p + row, row),
			vf_load_halves(p + 2 * row, row), vf_load_halves(p + 3 * row, row));
}

/* The columns of a square of VF by VF whose rows are `row` apart in memory. Only one port shuffles, so
 * loads bring halves of vectors to their places. */
INLINE void vf_load_columns(vf *columns, const float *p, int64_t row)
{
#if VF == 16
	UNROLL
	for (int c = 0; c < VF; c += 8) {
		vf upper[4], lower[4];

		vf_load_turned(upper, p + c, row);
		vf_load_turned(lower, p + c + 8 * row, row);
		UNROLL
		for (int q = 0; q < 4; q++) {
			columns[c + q] = _mm512_shuffle_f32x4(upper[q], lower[q], 0x88);
			columns[c + q + 4] = _mm512_shuffle_f32x4(upper[q], lower[q], 0xdd);
		}
	}
#else
	UNROLL
	for (int c = 0; c < VF; c += 4)
		vf_load_turned(columns + c, p + c, row);
#endif
}

#endif
