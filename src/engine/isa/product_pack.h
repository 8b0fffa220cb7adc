/* product_pack.h: parts of the right side of a product made contiguous: rows behind one another,
 * each a whole number of vectors.
 */
#ifndef ENGINE_ISA_PRODUCT_PACK_H
#define ENGINE_ISA_PRODUCT_PACK_H

#include "engine/isa/vec.h"

/* to[k][j] = b[k][j] for j < n, rows of `to_row`; the rest of the last vector is of no account. */
static void pack_rows(float *to, int64_t to_row, const float *b, int64_t b_row, int64_t depth,
		int64_t n)
{
	int64_t whole = (n - 1) / VF * VF;
	vf_mask last = vf_first(n - whole);

	for (int64_t k = 0; k < depth; k++, to += to_row, b += b_row) {
		__builtin_prefetch(b + 8 * b_row + whole);
		for (int64_t j = 0; j < whole; j += VF) {
			__builtin_prefetch(b + 8 * b_row + j);
			vf_store(to + j, vf_load(b + j));
		}
		vf_store(to + whole, vf_load_part(b + whole, last));
	}
}

/* Rows of memory become columns, VF of each. */
INLINE void pack_square(float *to, int64_t to_row, const float *b, int64_t b_col)
{
	vf square[VF];

	vf_load_columns(square, b, b_col);
	UNROLL
	for (int q = 0; q < VF; q++)
		vf_store(to + q * to_row, square[q]);
}

/* The same, of fewer: `depth` values of k for n columns, of which the last stands for the others. */
static void pack_part(float *to, int64_t to_row, const float *b, int64_t b_col, int64_t depth,
		int64_t n)
{
	_Alignas(64) float whole[VF * VF];
	vf_mask part = vf_first(depth);
	vf square[VF];

	UNROLL
	for (int q = 0; q < VF; q++)
		vf_store(whole + q * VF, vf_load_part(b + MIN(q, n - 1) * b_col, part));
	vf_load_columns(square, whole, VF);
	UNROLL
	for (int q = 0; q < VF; q++)
		if (q < depth)
			vf_store(to + q * to_row, square[q]);
}

/* The same from columns: b[k][j] is b[j * b_col + k]. */
static void pack_columns(float *to, int64_t to_row, const float *b, int64_t b_col, int64_t depth,
		int64_t n)
{
	for (int64_t j = 0; j < n; j += VF, to += VF, b += VF * b_col)
		for (int64_t k = 0; k < depth; k += VF)
			if (n - j >= VF && depth - k >= VF)
				pack_square(to + k * to_row, to_row, b + k, b_col);
			else
				pack_part(to + k * to_row, to_row, b + k, b_col,
						MIN(VF, depth - k), MIN(VF, n - j));
}

static void pack_any(float *to, int64_t to_row, const float *b, int64_t b_row, int64_t b_col,
		int64_t depth, int64_t n)
{
	for (int64_t k = 0; k < depth; k++)
		for (int64_t j = 0; j < to_row; j++)
			to[k * to_row + j] = j < n ? b[k * b_row + j * b_col] : 0;
}

/* The same from b of any layout, to rows of whole vectors. */
static void pack_strip(float *to, const float *b, int64_t b_row, int64_t b_col, int64_t depth,
		int64_t n)
{
	int64_t to_row = ALIGN_UP(n, VF);

	if (b_col == 1)
		pack_rows(to, to_row, b, b_row, depth, n);
	else if (b_row == 1)
		pack_columns(to, to_row, b, b_col, depth, n);
	else
		pack_any(to, to_row, b, b_row, b_col, depth, n);
}

#endif
