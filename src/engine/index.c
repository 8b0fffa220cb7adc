/* index.c: the check that every indexing op begins with. */
#include "engine/index.h"

#include "base/error.h"
#include "engine/reference.h"

static gt_err refuse(const kcall *c, int64_t index, int64_t position, int64_t size)
{
	return fail(GT_EINDEX, "%s: index %lld at position %lld is out of range for size %lld",
		op_rows[c->i->op].name, (long long)index, (long long)position, (long long)size);
}

/* -size <= index < size in one comparison: shifted up by size, what is too low becomes huge. */
static bool fits(int64_t index, int64_t size)
{
	return (uint64_t)index + (uint64_t)size < 2 * (uint64_t)size;
}

/* Whether all of a contiguous run fit, without a branch for each. */
static bool all_fit(const int64_t *index, int64_t n, int64_t size)
{
	bool all = true;

	for (int64_t k = 0; k < n; k++)
		all &= fits(index[k], size);
	return all;
}

gt_err index_check(const kcall *c, const view *indices, int64_t size)
{
	int64_t count = meta_count(&indices->m);

	if (indices->contiguous && indices->m.dtype == GT_INT64 &&
			all_fit(indices->data, count, size))
		return GT_OK;
	for (int64_t n = 0; n < count; n++) {
		int64_t index = index_load(indices->m.dtype,
			reference_meets(indices, &indices->m, n));

		if (!fits(index, size))
			return refuse(c, index, n, size);
	}
	return GT_OK;
}
