/* source.h: the elements of a reduction, on their way into its working type.
 *
 * Three types do the work: float, double, and int64_t for integers, bools and truth values.
 * Elements are read in place if they are contiguous and of that type already, else a block at a
 * time through a buffer. Included by files in isa/ that reduce.
 */
#ifndef ENGINE_ISA_SOURCE_H
#define ENGINE_ISA_SOURCE_H

#include "engine/arith.h"
#include "engine/axes.h"
#include "engine/isa/move.h"
#include "engine/isa/vec.h"
#include "ir/tree.h"

enum { IN_F32, IN_F64, IN_I64, WORKING_TYPES };

/* Read n elements, `step` apart, into contiguous memory of the working type; write n results. */
typedef void getter(void *to, const void *from, int64_t step, int64_t n);
typedef void putter(void *to, const void *from, int64_t n);

#define GET(name, type, from_type, expr)                                                    \
	static void name(void *to, const void *from, int64_t step, int64_t n)               \
	{                                                                                   \
		const from_type *x = from;                                                  \
                                                                                            \
		for (int64_t k = 0; k < n; k++)                                             \
			((type *)to)[k] = expr;                                             \
	}
#define GET_SAME(dtype, type, unused) GET(get_##dtype, type, type, x[k * step])
#define GET_INT(dtype, type, unused) GET(get_##dtype, int64_t, type, x[k * step])
#define GET_TRUTH(dtype, type, unused) GET(get_truth_##dtype, int64_t, type, x[k * step] != 0)
#define PUT(dtype, type, from_type)                                                         \
	static void put_##dtype(void *to, const void *from, int64_t n)                      \
	{                                                                                   \
		for (int64_t k = 0; k < n; k++)                                             \
			((type *)to)[k] = (type)((const from_type *)from)[k];               \
	}
EACH_FLOAT(GET_SAME, )
EACH_INT(GET_INT, )
EACH_BOOL(GET_INT, )
EACH_DTYPE(GET_TRUTH, )
PUT(FLOAT32, float, float)
PUT(FLOAT64, double, double)
EACH_INT(PUT, int64_t)
EACH_BOOL(PUT, int64_t)

typedef struct element_type { uint8_t working; getter *get, *get_truth; putter *put; } element_type;

static const element_type types[GT_DTYPE_COUNT] = {
#define TYPE(dtype, type, working) \
	[GT_##dtype] = {working, get_##dtype, get_truth_##dtype, put_##dtype},
	TYPE(FLOAT32, float, IN_F32)
	TYPE(FLOAT64, double, IN_F64)
	EACH_INT(TYPE, IN_I64)
	EACH_BOOL(TYPE, IN_I64)
};

typedef struct source {
	const char *in;
	axes kept, reduced;
	getter *get;
	bool direct;               /* elements are of the working type already */
	uint8_t working;
	size_t in_size, size;      /* of an element in memory, and in the working type */
} source;

/* `truth`: elements count as 1 where they are not 0. */
INLINE void source_init(source *s, const view *x, unsigned mask, bool truth)
{
	static const size_t sizes[WORKING_TYPES] = {sizeof(float), sizeof(double), sizeof(int64_t)};
	gt_dtype dtype = x->m.dtype;

	s->in = x->data;
	s->working = truth ? IN_I64 : types[dtype].working;
	s->get = truth ? types[dtype].get_truth : types[dtype].get;
	s->in_size = dtype_size(dtype);
	s->size = sizes[s->working];
	s->direct = !truth && s->in_size == s->size;
	axes_split(x, mask, &s->kept, &s->reduced);
}

/* Where the elements of result number o begin. */
INLINE const char *source_at(const source *s, int64_t o)
{
	return s->in + axes_offset(&s->kept, o) * (int64_t)s->in_size;
}

/* Are the elements of each sequence contiguous, of the working type, and sequences equally far
 * apart? */
INLINE bool source_in_place(const source *s)
{
	return s->direct && s->kept.rank <= 1
		&& (s->reduced.rank == 0 || (s->reduced.rank == 1 && s->reduced.steps[0] == 1));
}

/* Of a transposed tensor neighbours in memory are `inner` apart in the sequence. How many of those
 * stretches from element `at` on, of the next n elements, lie side by side: 0 if too few do to be
 * turned. */
INLINE int64_t source_stretches(const source *s, int64_t at, int64_t n)
{
	const axes *a = &s->reduced;
	int64_t inner, outer, rows;

	if (!s->direct || s->size != sizeof(float) || a->rank < 2 || a->steps[a->rank - 2] != 1)
		return 0;
	inner = a->dims[a->rank - 1];
	outer = a->dims[a->rank - 2];
	if (at % inner)
		return 0;
	rows = MIN(n / inner, outer - at / inner % outer);
	return rows < VF ? 0 : rows;
}

/* Elements first .. first + n - 1 of sequence o, made contiguous. */
INLINE void source_read(const source *s, int64_t o, int64_t first, int64_t n, char *to)
{
	const char *in = source_at(s, o);

	for (int64_t done = 0; done < n; ) {
		axes_run run = axes_next(&s->reduced, first + done, n - done);
		int64_t rows = source_stretches(s, first + done, n - done);
		const matrix_move m = { .to = to + (size_t)done * s->size, .rows = rows,
			.from = in + run.offset * (int64_t)s->in_size, .cols = run.n,
			.to_row = run.n, .to_col = 1, .from_row = 1, .from_col = run.step };

		if (rows)
			ISA(move_matrix)(&m, s->size);
		else
			s->get(m.to, m.from, run.step, run.n);
		done += rows ? rows * run.n : run.n;
	}
}

/* Elements first .. first + n - 1, at most TREE_BLOCK, of `count` sequences from o on, as rows
 * `step` apart: in place, or copied to `buffer`, which has room for SOURCE_ROWS blocks and is not
 * used for more. */
#define SOURCE_ROWS 4
INLINE const void *source_rows(const source *s, int64_t o, int64_t count, int64_t first, int64_t n,
		char *buffer, int64_t *step)
{
	*step = TREE_BLOCK;
	if (source_in_place(s)) {
		*step = s->kept.rank ? s->kept.steps[0] : 0;
		return source_at(s, o) + (size_t)first * s->in_size;
	}
	for (int64_t q = 0; q < count; q++)
		source_read(s, o + q, first, n, buffer + (size_t)(q * TREE_BLOCK) * s->size);
	return buffer;
}

/* Do neighbours in memory belong to different results, enough of them to reduce side by side? */
INLINE bool source_has_columns(const source *s)
{
	int last = s->kept.rank - 1;

	return last >= 0 && s->kept.steps[last] == 1 && s->kept.dims[last] >= 4
			&& s->reduced.rank > 0;
}

#endif
