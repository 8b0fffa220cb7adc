/* move.c: copying a matrix of elements between any two pairs of strides.
 *
 * Three cases are worth their own code: rows that are contiguous on both sides, rows made of one
 * value, and rows that are columns on the other side (a transpose, done in squares of one vector
 * each way). Everything else is a plain loop. Elements are moved as integers of their size; their
 * dtype does not matter.
 */
#include "engine/isa/move.h"

#include "engine/isa/vec.h"

static void move_rows(const matrix_move *m, size_t size)
{
	size_t bytes = (size_t)m->cols * size;
	int64_t to_step = m->to_row * (int64_t)size, from_step = m->from_row * (int64_t)size;

	if (m->to_row == m->cols && m->from_row == m->cols) {
		memcpy(m->to, m->from, bytes * (size_t)m->rows);
		return;
	}
	for (int64_t r = 0; r < m->rows; r++)
		memcpy(m->to + r * to_step, m->from + r * from_step, bytes);
}

#define DEFINE_MOVES(bytes, type)                                                        \
	static void fill_rows_##bytes(const matrix_move *m)                              \
	{                                                                                \
		const int64_t cols = m->cols;                                            \
                                                                                         \
		for (int64_t r = 0; r < m->rows; r++) {                                  \
			type *to = (type *)m->to + r * m->to_row;                        \
			type value = ((const type *)m->from)[r * m->from_row];           \
                                                                                         \
			for (int64_t k = 0; k < cols; k++)                               \
				to[k] = value;                                           \
		}                                                                        \
	}                                                                                \
	static void move_any_##bytes(const matrix_move *m)                               \
	{                                                                                \
		for (int64_t r = 0; r < m->rows; r++) {                                  \
			type *restrict to = (type *)m->to + r * m->to_row;               \
			const type *from = (const type *)m->from + r * m->from_row;      \
                                                                                         \
			for (int64_t k = 0; k < m->cols; k++)                            \
				to[k * m->to_col] = from[k * m->from_col];               \
		}                                                                        \
	}
DEFINE_MOVES(1, uint8_t)
DEFINE_MOVES(4, uint32_t)
DEFINE_MOVES(8, uint64_t)

static void fill_rows(const matrix_move *m, size_t size)
{
	if (size == 4)
		fill_rows_4(m);
	else if (size == 8)
		fill_rows_8(m);
	else
		fill_rows_1(m);
}

static void move_any(const matrix_move *m, size_t size)
{
	if (size == 4)
		move_any_4(m);
	else if (size == 8)
		move_any_8(m);
	else
		move_any_1(m);
}

/* Whole squares of 4-byte elements; rows are contiguous in `to`, columns in `from`. */
static void transpose_squares(const matrix_move *m, int64_t rows, int64_t cols)
{
	for (int64_t r = 0; r < rows; r += VF)
		for (int64_t k = 0; k < cols; k += VF) {
			float *to = (float *)m->to + r * m->to_row + k;
			const float *from = (const float *)m->from + k * m->from_col + r;
			vf square[VF];

			vf_load_columns(square, from, m->from_col);
			UNROLL
			for (int j = 0; j < VF; j++)
				vf_store(to + j * m->to_row, square[j]);
		}
}

/* The part of m that begins at (row, col) and ends where m ends. */
static matrix_move rest_of(const matrix_move *m, int64_t row, int64_t col, size_t size)
{
	matrix_move rest = *m;

	rest.rows -= row;
	rest.cols -= col;
	rest.to += (row * m->to_row + col * m->to_col) * (int64_t)size;
	rest.from += (row * m->from_row + col * m->from_col) * (int64_t)size;
	return rest;
}

static void transpose_4(const matrix_move *m)
{
	int64_t rows = m->rows / VF * VF, cols = m->cols / VF * VF;
	matrix_move right = rest_of(m, 0, cols, 4), below = rest_of(m, rows, 0, 4);

	transpose_squares(m, rows, cols);
	right.rows = rows;
	move_any_4(&right);
	move_any_4(&below);
}

/* The same elements with rows and columns exchanged on both sides. */
static matrix_move turned(const matrix_move *m)
{
	return (matrix_move){ m->to, m->from, m->cols, m->rows,
		m->to_col, m->to_row, m->from_col, m->from_row };
}

void ISA(move_matrix)(const matrix_move *m, size_t size)
{
	matrix_move t = turned(m);

	if (m->to_col == 1 && m->from_col == 1)
		move_rows(m, size);
	else if (m->to_col == 1 && m->from_col == 0)
		fill_rows(m, size);
	else if (m->to_col == 1 && m->from_row == 1 && size == 4)
		transpose_4(m);
	else if (m->to_row == 1 && m->from_col == 1 && size == 4)
		transpose_4(&t);
	else if (m->rows > m->cols && m->to_col != 1)
		move_any(&t, size);
	else
		move_any(m, size);
}
