/* axes.h: the dims of a tensor sorted into those that a reduction keeps and those that it runs
 * over. */
#ifndef ENGINE_AXES_H
#define ENGINE_AXES_H

#include "engine/engine.h"

/* A list of dims, outermost first. Dims of size 1 are left out; neighbours that one step can walk
 * are one. */
typedef struct axes {
	int rank;
	int64_t dims[GT_RANK_MAX], steps[GT_RANK_MAX];   /* in elements */
	int64_t count;                                   /* of indices */
} axes;

static inline void axes_append(axes *a, int64_t dim, int64_t step)
{
	int last = a->rank - 1;

	a->count *= dim;
	if (dim == 1)
		return;
	if (last >= 0 && a->steps[last] == dim * step) {
		a->dims[last] *= dim;
		a->steps[last] = step;
	} else {
		a->dims[a->rank] = dim;
		a->steps[a->rank++] = step;
	}
}

/* Bit k of `mask` chooses dim k for `reduced`. */
static inline void axes_split(const view *x, unsigned mask, axes *kept, axes *reduced)
{
	kept->rank = reduced->rank = 0;
	kept->count = reduced->count = 1;
	for (int k = 0; k < x->m.rank; k++)
		axes_append(mask >> k & 1 ? reduced : kept, x->m.dims[k], x->strides[k]);
}

/* Offset of index number `at` in row-major order. */
static inline int64_t axes_offset(const axes *a, int64_t at)
{
	int64_t offset = 0;

	for (int k = a->rank - 1; k > 0; k--) {
		offset += at % a->dims[k] * a->steps[k];
		at /= a->dims[k];
	}
	return a->rank > 0 ? offset + at * a->steps[0] : 0;
}

/* Index numbers from `at` on come in runs of one step each: where the run that holds `at` goes on
 * and how long. */
typedef struct axes_run { int64_t offset, step, n; } axes_run;

static inline axes_run axes_next(const axes *a, int64_t at, int64_t limit)
{
	int64_t inner = a->rank > 0 ? a->dims[a->rank - 1] : 1;
	int64_t left = a->rank > 1 ? inner - at % inner : inner - at;

	return (axes_run){axes_offset(a, at), a->rank > 0 ? a->steps[a->rank - 1] : 1,
			left < limit ? left : limit};
}

#endif
