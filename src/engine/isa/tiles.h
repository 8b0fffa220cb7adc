/* tiles.h: running an elementwise loop over tensors of any strides.
 *
 * A loop computes `rows` × `cols` elements; the columns of an input are neighbours, or one value
 * for the whole row. tiles.c runs the calls that have this form already; walk.c cuts the others
 * into such pieces, brings inputs with other strides into that form, and shares the pieces out
 * among the threads of the pool.
 */
#ifndef ENGINE_ISA_TILES_H
#define ENGINE_ISA_TILES_H

#include "engine/rows.h"

#define TILE_INPUTS 3

typedef struct tile {
	void *out;
	const void *in[TILE_INPUTS];
	int64_t rows, cols;
	int64_t out_row, in_row[TILE_INPUTS];   /* elements from one row to the next */
} tile;

typedef void loop(const tile *t);

/* How an op runs on one dtype: loops[mask], where bit k of the mask says that input k is one
 * value for the row. loops[0] always exists; for a NULL the values are spread out into rows. */
typedef struct tile_op {
	int inputs;
	int weight;                  /* time for an element, in units of what add takes */
	loop *const *loops;
} tile_op;

void ISA(tiles_run)(const kcall *c, const tile_op *how);

/* The same for any call whose result is not empty, slower to begin. */
void ISA(walk_run)(const kcall *c, const tile_op *how);

/* A block of elements of `size` bytes on its way from one place to another; strides in elements,
 * dims equal. */
typedef struct tile_move {
	int rank;
	size_t size;
	int64_t dims[GT_RANK_MAX];
	int64_t to_strides[GT_RANK_MAX], from_strides[GT_RANK_MAX];
	void *to;
	const void *from;
} tile_move;

void ISA(walk_copy)(const tile_move *m, pool *p);

#endif
