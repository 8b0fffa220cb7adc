/* product.h: how a matrix product is cut and who computes which piece.
 *
 * Which kernel runs, and where the matrix is cut for it, are functions of sizes, dtype and strides
 * alone: compiled code asks here too, so it gets the same bits.
 */
#ifndef ENGINE_PRODUCT_H
#define ENGINE_PRODUCT_H

#include "engine/engine.h"

/* out[m,n] = a[m,k] * b[k,n]. Strides in elements; columns of out are contiguous. */
typedef struct product {
	const void *a, *b;
	void *out;
	int64_t m, n, k;
	int64_t a_row, a_col, b_row, b_col, out_row;
	bool dot;      /* of two vectors: m = n = 1, and not a piece of something larger */
	bool a_near;   /* this thread has just read a, for other columns of the same product */
	bool a_large;  /* what a is part of fills most of a near cache */
	float *scratch;   /* PRODUCT_SCRATCH floats, which make a large product faster; or NULL */
	/* With scratch: told of each part of the result as soon as it is there; or NULL. */
	void (*done)(void *ctx, int64_t row, int64_t rows, int64_t column, int64_t columns);
	void *ctx;
} product;

#define PRODUCT_SCRATCH ((int64_t)512 * 256 + 16)

/* Computes a whole product on the calling thread. Every element is a function of its row of a and
 * its column of b (see isa/product.c), so cutting m or n anywhere changes no bit. */
typedef void product_tiles(const product *p);

/* Rows and columns of a piece of a large product, one call of BLAS or one that packs its left side;
 * the last ones may have fewer. */
void product_grid(int64_t m, int64_t n, int64_t k, int64_t *rows, int64_t *columns);

/* What is to be done to the result of a product piece by piece, by the thread that has just computed
 * the piece and has it in its cache. Rows are those of all matrices, one laid under the other;
 * every element is in one piece. Which pieces there are follows from sizes and threads alone. */
typedef struct product_after {
	void (*run)(void *ctx, int64_t row, int64_t rows, int64_t column, int64_t columns);
	void *ctx;
	bool whole_rows;       /* a piece needs all columns; */
	bool whole_columns;    /* all rows; not both */
	int64_t each;          /* what it costs an element, in multiplications of the product */
} product_after;

/* Pieces of products of fewer columns than that have whole rows anyway. With more, whole rows cost a
 * tenth of the product: each piece packs all of b (bench_behind). */
#define PRODUCT_WHOLE_ROWS 256

/* The matmul `c` by c->engine, with c->after on all of its result, if there is one. */
gt_err product_run(const kcall *c);

/* The matmul row, given the tiles of an instruction set. */
gt_err product_matmul(const kcall *c, product_tiles *tiles);

#endif
