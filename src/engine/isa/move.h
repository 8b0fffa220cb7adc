/* move.h: copying a matrix of elements between any two pairs of strides. */
#ifndef ENGINE_ISA_MOVE_H
#define ENGINE_ISA_MOVE_H

#include "engine/rows.h"

/* Strides in elements. */
typedef struct matrix_move {
	char *to;
	const char *from;
	int64_t rows, cols;
	int64_t to_row, to_col, from_row, from_col;
} matrix_move;

void ISA(move_matrix)(const matrix_move *m, size_t size);

#endif
