/* index.h: reading index tensors. */
#ifndef ENGINE_INDEX_H
#define ENGINE_INDEX_H

#include "engine/engine.h"

/* Kernels that add or put at indices (scatter_add, index_add, index_set) may be given a result that
 * is their first input, in the same memory and as contiguous: more is added to it. */

/* GT_OK if every index of an int32 or int64 view is in -size .. size-1; else the error names the
 * call's op, the first bad index in row-major order and its position. */
gt_err index_check(const kcall *c, const view *indices, int64_t size);

static inline int64_t index_load(gt_dtype dtype, const void *p)
{
	return dtype == GT_INT32 ? *(const int32_t *)p : *(const int64_t *)p;
}

/* The place in 0 .. size-1 that a checked index means: negative ones count from the end. */
static inline int64_t index_place(gt_dtype dtype, const void *p, int64_t size)
{
	int64_t index = index_load(dtype, p);

	return index < 0 ? index + size : index;
}

#endif
