/* reference.c: the table of reference kernels, and those that create or copy. */
#include "engine/reference.h"

#include "engine/arith.h"


#define kernel_none NULL
kernel *const engine_reference[OP_CODES] = {
#define OP(name, code, kind, nin) [code] =
#define KERNEL(name) kernel_##name
#define END ,
#include "ir/ops.def"
};
#undef kernel_none

/* The same elements in row-major order; the shape may differ (reshape). */
gt_err kernel_copy(const kcall *c)
{
	int64_t count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++)
		memcpy(reference_out(c->out, n), reference_meets(c->in[0], &c->in[0]->m, n),
			dtype_size(c->out->m.dtype));
	return GT_OK;
}

gt_err kernel_full(const kcall *c)
{
	int64_t count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++)
		memcpy(reference_out(c->out, n), c->in[0]->data, dtype_size(c->out->m.dtype));
	return GT_OK;
}

gt_err kernel_arange(const kcall *c)
{
	const void *start = c->in[0]->data, *step = c->in[1]->data;
	int64_t count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++) {
		scalar s;

		if (c->in[0]->m.dtype == GT_FLOAT64)
			s.f = *(const double *)start + (double)n * *(const double *)step;
		else
			s.i = arith_add_INT64(*(const int64_t *)start,
				arith_mul_INT64(n, *(const int64_t *)step));
		engine_scalar(dtype_kind_of(c->in[0]->m.dtype), s, (gt_dtype)c->out->m.dtype,
			reference_out(c->out, n));
	}
	return GT_OK;
}

gt_err kernel_eye(const kcall *c)
{
	int64_t columns = c->out->m.dims[1], count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++)
		engine_scalar(KIND_INT, (scalar){ .i = n / columns == n % columns },
			(gt_dtype)c->out->m.dtype, reference_out(c->out, n));
	return GT_OK;
}
