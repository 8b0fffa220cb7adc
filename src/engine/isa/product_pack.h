/* product_pack.h: parts of the right side of a product made contiguous: rows behind one another,
 * each a whole number of vectors.
 */
#ifndef ENGINE_ISA_PRODUCT_PACK_H
#define ENGINE_ISA_PRODUCT_PACK_H

#include "engine/isa/vec.h"

/* to[k][j] = b[k][j] for j < n, rows of `to_row`; the rest of the last vector becomes 0. */
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

/* The same from columns: b[k][j] is b[j * b_col + k]. Squares of VF by VF turn in registers. */
static void pack_columns(float *to, int64_t to_row, const float *b, int64_t b_col, int64_t depth,
		int64_t n)
{
	for (int64_t j = 0; j < n; j += VF)
		for (int64_t k = 0; k < depth; k += VF) {
			int64_t columns = MIN(VF, n - j), rows = MIN(VF, depth - k);
			vf_mask part = vf_first(rows);
			vf square[VF];

			UNROLL
			for (int q = 0; q < VF; q++)
				square[q] = q >= columns ? (vf){0}
					: vf_load_part(b + (j + q) * b_col + k, part);
			vf_transpose(square);
			UNROLL
			for (int q = 0; q < VF; q++)
				if (q < rows)
					vf_store(to + (k + q) * to_row + j, square[q]);
		}
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
