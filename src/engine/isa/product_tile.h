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
	int64_t last;              /* lanes of the last vector of each row, */
	bool padded;               /* which are all there in b, though */
	bool add;                  /* to what is in out */
	bool far;                  /* a comes from far away: what the next tiles read is asked for */
	const float *begin;        /* what the chain has come to before, rows of WIDTH_MAX vectors;
	                            * NULL: it begins here */
	float *to;                 /* TILE_PACKING: where the rows of b go, one behind the other */
	const float *next;         /* TILE_PACKED: what is to be fetched meanwhile, */
	int64_t next_row;          /* k / TILE_FETCH rows as wide as the tile */
} tile;

/* TILE_PACKING makes the strip of b contiguous on its way, which costs next to nothing: stores and
 * loads go on beside the multiplications. Its rows are whole vectors. */
typedef enum tile_kind { TILE_PLAIN, TILE_PACKING, TILE_PACKED } tile_kind;

#define TILE_FETCH 8               /* values of k from one row that is fetched to the next */
#define TILE_LINE (CACHE_LINE / (int64_t)sizeof(float))

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

/* Ask for part of a row that comes from far away. */
INLINE void tile_fetch(const float *p, const int width)
{
	UNROLL
	for (int j = 0; j < width * VF; j += TILE_LINE)
		__builtin_prefetch(p + j);
}

/* Add the products of one value of k: of elements of a, a_row apart, and of a row of b. */
INLINE void tile_step(vf sum[][WIDTH_MAX], const float *a, int64_t a_row, const vf *b,
		const int rows, const int width)
{
	UNROLL
	for (int r = 0; r < rows; r++) {
		vf x = vf_splat(a[r * a_row]);
		UNROLL
		for (int c = 0; c < width; c++)
			sum[r][c] = vf_fma(x, b[c], sum[r][c]);
	}
}

/* What of a is asked for meanwhile: in each step the next line of a column, where the rows of a are
 * columns of memory and each value of k is in another line; or a line of the rows below, where those
 * are rows of memory. Sixteen rows are more than a tile has, but to count them costs more. */
typedef enum tile_ahead { TILE_NEAR, TILE_COLUMNS, TILE_ROWS } tile_ahead;

/* The chain of a tile; `rows`, `width`, `whole`, `ahead` and `kind` are constants wherever this is
 * expanded, all arrays live in registers. A masked load takes a place among the multiplications,
 * which is 4 % of six rows by four vectors: it is for vectors that are not whole. */
INLINE void tile_sum(const tile *t, vf sum[][WIDTH_MAX], const int rows, const int width,
		const bool whole, const tile_ahead ahead, vf_mask last)
{
	const float *a = t->a, *b = t->b, *below = a + rows * t->a_row + t->k - TILE_LINE;
	vf row[WIDTH_MAX];

	for (int64_t k = t->k; k > 0; k--, a += t->a_col, b += t->b_row) {
		if (ahead == TILE_COLUMNS)
			__builtin_prefetch(a + TILE_LINE, 0, 2);
		else if (ahead == TILE_ROWS)
			__builtin_prefetch(below + (k - 1) % TILE_LINE * t->a_row
					- (k - 1) / TILE_LINE * TILE_LINE, 0, 2);
		if (whole)
			tile_load_whole(row, b, width);
		else
			tile_load(row, b, width, last);
		tile_step(sum, a, t->a_row, row, rows, width);
	}
}

/* The same, which keeps the rows of b. They come from far away. Strides are read once, as for all
 * that the compiler knows the stores might change them. */
INLINE void tile_sum_packing(const tile *t, vf sum[][WIDTH_MAX], const int rows, const int width)
{
	const int64_t a_row = t->a_row, a_col = t->a_col, b_row = t->b_row;
	const float *a = t->a, *b = t->b;
	float *to = t->to;
	vf row[WIDTH_MAX];

	for (int64_t k = t->k; k > 0; k--, a += a_col, b += b_row, to += width * VF) {
		tile_fetch(b + TILE_FETCH * b_row, width);
		__builtin_prefetch(a + TILE_LINE, 0, 2);
		tile_load_whole(row, b, width);
		tile_step(sum, a, a_row, row, rows, width);
		UNROLL
		for (int c = 0; c < width; c++)
			vf_store(to + c * VF, row[c]);
	}
}

/* The same where the rows of a are interleaved, rows[k] behind rows[k - 1], and those of b are as
 * wide as the tile. Rows of the result and of t->next come from far away: they are asked for one by
 * one, since memory would be slow to give a (which is in the second-level cache) if all were asked
 * for at once. Those of the result are ahead of their tile, as there are more steps than rows. */
INLINE void tile_sum_packed(const tile *t, vf sum[][WIDTH_MAX], const int rows, const int width)
{
	const float *a = t->a, *b = t->b, *next = t->next, *out = t->out;
	const int64_t next_row = t->next_row, out_row = t->out_row;
	int64_t k = t->k;
	vf row[WIDTH_MAX];

	for (; k >= TILE_FETCH; k -= TILE_FETCH, next += next_row, out += out_row) {
		tile_fetch(out, width);
		tile_fetch(next, width);
		UNROLL
		for (int q = 0; q < TILE_FETCH; q++, a += rows, b += width * VF) {
			tile_load_whole(row, b, width);
			tile_step(sum, a, 1, row, rows, width);
		}
	}
	for (; k > 0; k--, a += rows, b += width * VF) {
		tile_load_whole(row, b, width);
		tile_step(sum, a, 1, row, rows, width);
	}
}

INLINE void tile_run(const tile *t, const int rows, const int width, const tile_kind kind)
{
	const vf_mask last = vf_first(t->last);
	const int64_t out_row = t->out_row;
	const bool add = t->add;
	float *out = t->out;
	vf sum[ROWS_MAX][WIDTH_MAX], row[WIDTH_MAX];

	UNROLL
	for (int r = 0; r < rows; r++)
		UNROLL
		for (int c = 0; c < width; c++)
			sum[r][c] = (vf){0};
	if (kind != TILE_PACKED && t->begin)
		UNROLL
		for (int r = 0; r < rows; r++)
			tile_load(sum[r], t->begin + r * WIDTH_MAX * VF, width, last);
	if (kind == TILE_PACKED)
		tile_sum_packed(t, sum, rows, width);
	else if (kind == TILE_PACKING)
		tile_sum_packing(t, sum, rows, width);
	else if (t->last == VF && t->far && t->a_row == 1)
		tile_sum(t, sum, rows, width, true, TILE_COLUMNS, last);
	else if (t->last == VF && t->far)
		tile_sum(t, sum, rows, width, true, TILE_ROWS, last);
	else if (t->last == VF || t->padded)
		tile_sum(t, sum, rows, width, true, TILE_NEAR, last);
	else
		tile_sum(t, sum, rows, width, false, TILE_NEAR, last);
	if (add)
		UNROLL
		for (int r = 0; r < rows; r++) {
			tile_load(row, out + r * out_row, width, last);
			UNROLL
			for (int c = 0; c < width; c++)
				sum[r][c] = row[c] + sum[r][c];
		}
	UNROLL
	for (int r = 0; r < rows; r++)
		tile_store(out + r * out_row, sum[r], width, last);
}

#endif
