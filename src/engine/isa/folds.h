/* folds.h: blocks of the reduction tree (ir/tree.h), vectorised, for the types that reductions work
 * in. */
#ifndef ENGINE_ISA_FOLDS_H
#define ENGINE_ISA_FOLDS_H

#include "engine/arith.h"
#include "engine/isa/vec.h"
#include "ir/tree.h"

/* How elements are joined. FOLD_SQUARES is the sum of squared distances from a centre. */
enum { FOLD_SUM, FOLD_PROD, FOLD_MAX, FOLD_MIN, FOLD_SQUARES };

#define FOLD_START(type, name, low, high, nothing)                            \
	INLINE type start_##name(const int how)                               \
	{                                                                     \
		switch (how) {                                                \
		case FOLD_PROD: return 1;                                     \
		case FOLD_MAX:  return low;                                   \
		case FOLD_MIN:  return high;                                  \
		default:        return nothing;                               \
		}                                                             \
	}
FOLD_START(float, f32, -INFINITY, INFINITY, -0.0f)
FOLD_START(double, f64, -INFINITY, INFINITY, -0.0)
FOLD_START(int64_t, i64, INT64_MIN, INT64_MAX, 0)
#undef FOLD_START

/* ---- float: lanes in registers. ---- */

#define LANE_VECTORS (TREE_LANES / VF)

INLINE vf join_vectors(const int how, vf a, vf b)
{
	switch (how) {
	case FOLD_PROD: return a * b;
	case FOLD_MAX:  return vf_maximum(a, b);
	case FOLD_MIN:  return vf_minimum(a, b);
	default:        return a + b;
	}
}

/* The lanes of four sequences become four numbers. Two sequences share a vector as soon as half of
 * it is enough for one; element k of the comments is lane k. */
INLINE void join_lanes(const int how, vf lanes[4][LANE_VECTORS], float *out)
{
#if VF == 16
#define LOWER_HALVES(a, b) \
	SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define UPPER_HALVES(a, b) \
	SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define LOWER_QUARTERS(a, b) \
	SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
#define UPPER_QUARTERS(a, b) \
	SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)
#define SWAP_PAIRS(a) SHUFFLE(a, a, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)
#define SWAP_ONES(a) SHUFFLE(a, a, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)
	vf a = lanes[0][0], b = lanes[1][0], c = lanes[2][0], d = lanes[3][0];
	vf ab = join_vectors(how, LOWER_HALVES(a, b), UPPER_HALVES(a, b));      /* a0-7 b0-7 */
	vf cd = join_vectors(how, LOWER_HALVES(c, d), UPPER_HALVES(c, d));
	/* a0-3 b0-3 c0-3 d0-3 */
	vf all = join_vectors(how, LOWER_QUARTERS(ab, cd), UPPER_QUARTERS(ab, cd));

	all = join_vectors(how, all, SWAP_PAIRS(all));
	all = join_vectors(how, all, SWAP_ONES(all));
	UNROLL
	for (int q = 0; q < 4; q++)
		out[q] = all[4 * q];
#undef LOWER_HALVES
#undef UPPER_HALVES
#undef LOWER_QUARTERS
#undef UPPER_QUARTERS
#undef SWAP_PAIRS
#undef SWAP_ONES
#else
	vf rows[4];

	UNROLL
	for (int q = 0; q < 4; q++) {
#if VF == 8
		vf all = join_vectors(how, lanes[q][0], lanes[q][1]);                 /* 0-7 */
		all = join_vectors(how, all, SHUFFLE(all, all, 4, 5, 6, 7, 0, 1, 2, 3));
		all = join_vectors(how, all, SHUFFLE(all, all, 2, 3, 0, 1, 6, 7, 4, 5));
		rows[q] = join_vectors(how, all, SHUFFLE(all, all, 1, 0, 3, 2, 5, 4, 7, 6));
#else
		vf low = join_vectors(how, lanes[q][0], lanes[q][2]);                 /* 0-3 */
		vf all = join_vectors(how, low, join_vectors(how, lanes[q][1], lanes[q][3]));
		all = join_vectors(how, all, SHUFFLE(all, all, 2, 3, 0, 1));
		rows[q] = join_vectors(how, all, SHUFFLE(all, all, 1, 0, 3, 2));
#endif
		out[q] = rows[q][0];
	}
#endif
}

INLINE vf term_vector(const int how, vf x, vf centre)
{
	vf d = x - centre;

	return how == FOLD_SQUARES ? d * d : x;
}

/* As four_f64 and four_i64 of fold.h. */
INLINE void four_f32(const int how, const float *const *p, const float *centre, int64_t n,
		float *out)
{
	vf lanes[4][LANE_VECTORS], start = vf_splat(start_f32(how)), c[4];
	int64_t i = 0;

	UNROLL
	for (int q = 0; q < 4; q++) {
		c[q] = vf_splat(how == FOLD_SQUARES ? centre[q] : 0);
		UNROLL
		for (int v = 0; v < LANE_VECTORS; v++)
			lanes[q][v] = start;
	}
	for (; i + TREE_LANES <= n; i += TREE_LANES)
		UNROLL
		for (int q = 0; q < 4; q++)
			UNROLL
			for (int v = 0; v < LANE_VECTORS; v++)
				lanes[q][v] = join_vectors(how, lanes[q][v],
						term_vector(how, vf_load(p[q] + i + v * VF), c[q]));
	UNROLL
	for (int v = 0; v < LANE_VECTORS; v++) {
		int64_t left = n - i - v * VF;
		if (left <= 0)
			break;
		vf_mask part = vf_first(MIN(left, VF));
		UNROLL
		for (int q = 0; q < 4; q++) {
			vf x = term_vector(how, vf_load_part(p[q] + i + v * VF, part), c[q]);
			lanes[q][v] = join_vectors(how, lanes[q][v], vf_choose(part, x, start));
		}
	}
	join_lanes(how, lanes, out);
}

#define FOLD_FOUR_ELSEWHERE
#define W float
#define DTYPE FLOAT32
#define TAG f32
#define INDEX int32_t
#include "engine/isa/fold.h"
#undef FOLD_FOUR_ELSEWHERE
#undef W
#undef DTYPE
#undef TAG
#undef INDEX

/* ---- double and int64_t: lanes in memory. ---- */

#define W double
#define DTYPE FLOAT64
#define TAG f64
#define INDEX int64_t
#include "engine/isa/fold.h"
#undef W
#undef DTYPE
#undef TAG
#undef INDEX

#define W int64_t
#define DTYPE INT64
#define TAG i64
#define INDEX int64_t
#include "engine/isa/fold.h"
#undef W
#undef DTYPE
#undef TAG
#undef INDEX

#endif
