/* reference.h: what the reference kernels share. They visit elements one by one, in row-major
 * order of an index, and let strides do the rest; nothing here is meant to be fast.
 */
#ifndef ENGINE_REFERENCE_H
#define ENGINE_REFERENCE_H

#include "engine/engine.h"

/* kernel_<name> for every name in the KERNEL column. */
#define KERNEL(name) kernel kernel_##name;
#include "ir/ops.def"

/* One element of a row of KIND_ELEMENT. The inputs x, of dtype `in` (where: b and c), point at one
 * element each. Integer divisors are not zero. */
void reference_element(op o, gt_dtype in, gt_dtype out, void *to, const void *const *x);

/* The index of element n of a tensor of that shape. */
static inline void reference_index(const meta *m, int64_t n, int64_t *index)
{
	for (int k = m->rank - 1; k >= 0; k--) {
		index[k] = n % m->dims[k];
		n /= m->dims[k];
	}
}

/* The element of `v` at an index of `rank` dims, to which v broadcasts: dims align at the end,
 * and one of size 1 is repeated. */
static inline void *reference_at(const view *v, const int64_t *index, int rank)
{
	int64_t offset = 0;

	for (int k = 0; k < v->m.rank; k++)
		if (v->m.dims[k] != 1)
			offset += index[rank - v->m.rank + k] * v->strides[k];
	return (char *)v->data + offset * (int64_t)dtype_size(v->m.dtype);
}

/* The element of `v` that meets element n of the result. */
static inline void *reference_meets(const view *v, const meta *out, int64_t n)
{
	int64_t index[GT_RANK_MAX];

	reference_index(out, n, index);
	return reference_at(v, index, out->rank);
}

/* Element n of a contiguous view. */
static inline void *reference_out(const view *v, int64_t n)
{
	return (char *)v->data + n * (int64_t)dtype_size(v->m.dtype);
}

#endif
