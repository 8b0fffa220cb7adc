/* product_tile.h: a few rows and columns of a product, with their sums in registers.
 *
 * Included by the two files that compute products of float32; product.c has the definition.
 */
#ifndef ENGINE_ISA_PRODUCT_TILE_H
#define ENGINE_ISA_PRODUCT_TILE_H

#include "engine/isa/vec.h"

#define DEPTH 256                  /* of a chain */
#define ROWS_MAX 14                /* of a tile */
#if VF == 16                       /* 32 registers */
#define WIDTH_MAX 4                /* vectors in a row of a tile */
#else                              /* 16 registers */
#define WIDTH_MAX 2
#endif

typedef struct tile {
	const float *a, *b;
	float *out;
	int64_t a_row, a_col, b_row, out_row, k;
	int64_t last;              /* lanes of the last vector of each row */
	bool add;                  /* to what is in out */
} tile;

INLINE void tile_load(vf *row, const float *p, int width, vf_mask last)
{
	UNROLL
	for (int c = 0; c < width - 1; c++)
		row[c] = vf_load(p + c * VF);
	row[width - 1] = vf_load_part(p + (width - 1) * VF, last);
}

INLINE void tile_load_whole(vf *row, const float *p, int width)
{
	UNROLL
	for (int c = 0; c < width; c++)
		row[c] = vf_load(p + c * VF);
}

INLINE void tile_store(float *p, const vf *row, int width, vf_mask last)
{
	UNROLL
	for (int c = 0; c < width - 1; c++)
		vf_store(p + c * VF, row[c]);
	vf_store_part(p + (width - 1) * VF, row[width - 1], last);
}

/* What is in out comes from far away: it is asked for before the sums begin. */
INLINE void tile_prefetch(const tile *t, const int rows, const int width)
{
	const float *out = t->out;

	UNROLL
	for (int r = 0; r < rows; r++, out += t->out_row)
		UNROLL
		for (int c = 0; c < width; c++)
			__builtin_prefetch(out + c * VF, 1);
}

/* `rows`, `width` and `packed` are constants wherever this is expanded; all arrays live in
 * registers. With `packed` the rows of a are interleaved, rows[k] behind rows[k - 1], and those of
 * b are as wide as the tile. */
INLINE void tile_run(const tile *t, const int rows, const int width, const bool packed)
{
	const float *a = t->a, *b = t->b;
	const int64_t a_row = packed ? 1 : t->a_row, a_col = packed ? rows : t->a_col;
	const int64_t b_row = packed ? width * VF : t->b_row;
	vf_mask last = vf_first(t->last);
	float *out = t->out;
	vf sum[ROWS_MAX][WIDTH_MAX], row[WIDTH_MAX];

	if (packed)
		tile_prefetch(t, rows, width);
	UNROLL
	for (int r = 0; r < rows; r++)
		UNROLL
		for (int c = 0; c < width; c++)
			sum[r][c] = (vf){0};
	for (int64_t k = t->k; k > 0; k--, a += a_col, b += b_row) {
		if (packed)
			tile_load_whole(row, b, width);
		else
			tile_load(row, b, width, last);
		UNROLL
		for (int r = 0; r < rows; r++) {
			vf x = vf_splat(a[r * a_row]);
			UNROLL
			for (int c = 0; c < width; c++)
				sum[r][c] = vf_fma(x, row[c], sum[r][c]);
		}
	}
	UNROLL
	for (int r = 0; r < rows; r++, out += t->out_row) {
		if (t->add) {
			tile_load(row, out, width, last);
			UNROLL
			for (int c = 0; c < width; c++)
				sum[r][c] = row[c] + sum[r][c];
		}
		tile_store(out, sum[r], width, last);
	}
}

#endif
