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

#define SHUFFLE __builtin_shufflevector

/* Lanes of the lower (upper) halves of a and b alternating: a0 b0 a1 b1 ... */
#if VF == 16
#define VF_LOWER(a, b) \
	SHUFFLE(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define VF_UPPER(a, b) \
	SHUFFLE(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VF == 8
#define VF_LOWER(a, b) SHUFFLE(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define VF_UPPER(a, b) SHUFFLE(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define VF_LOWER(a, b) SHUFFLE(a, b, 0, 4, 1, 5)
#define VF_UPPER(a, b) SHUFFLE(a, b, 2, 6, 3, 7)
#endif

/* Rows become columns. Every pass shuffles row k with row k + VF/2 as a perfect riffle of the whole
 * square does with a pack of cards; after log2(VF) of them each element sits at its mirror
 * place. */
INLINE void vf_transpose(vf *rows)
{
	vf next[VF];

	UNROLL
	for (int width = 1; width < VF; width *= 2) {
		UNROLL
		for (int k = 0; k < VF / 2; k++) {
			next[2 * k] = VF_LOWER(rows[k], rows[k + VF / 2]);
			next[2 * k + 1] = VF_UPPER(rows[k], rows[k + VF / 2]);
		}
		UNROLL
		for (int k = 0; k < VF; k++)
			rows[k] = next[k];
	}
}

#endif
