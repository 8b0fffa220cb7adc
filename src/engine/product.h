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
} product;

/* Computes a whole product on the calling thread. Every element is a function of its row of a and
 * its column of b (see isa/product.c), so cutting m or n anywhere changes no bit. */
typedef void product_tiles(const product *p);

/* True if GT's own tiles compute it with any instruction set; with AVX-512 they compute some more,
 * else BLAS does. */
bool product_is_tiled(gt_dtype dtype, int64_t m, int64_t n, int64_t k);

/* Rows and columns of a block that goes to BLAS in one call; the last ones may have fewer. */
void product_grid(int64_t m, int64_t n, int64_t k, int64_t *rows, int64_t *columns);

/* The matmul row, given the tiles of an instruction set and whether its vectors are those of
 * AVX-512. */
gt_err product_matmul(const kcall *c, product_tiles *tiles, bool wide);

#endif
