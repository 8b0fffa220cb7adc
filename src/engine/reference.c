/* reference.c: the table of reference kernels, and those that create or copy. */
#include "engine/reference.h"

#include "base/error.h"
#include "engine/arith.h"
#include "engine/random.h"

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

/* ---- Random tensors: every element asked for by itself. ---- */

static uint64_t seed(const kcall *c)
{
	return (uint64_t)ins_opd(c->i)[0];
}

static uint64_t draw(const kcall *c)
{
	return (uint64_t)ins_opd(c->i)[1];
}

gt_err kernel_rand(const kcall *c)
{
	const random_rows *r = &random_rows_base;
	int64_t count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++)
		if (c->out->m.dtype == GT_FLOAT32)
			r->uniform_f32(reference_out(c->out, n), (uint64_t)n, 1, seed(c), draw(c));
		else
			r->uniform_f64(reference_out(c->out, n), (uint64_t)n, 1, seed(c), draw(c));
	return GT_OK;
}

gt_err kernel_randn(const kcall *c)
{
	const random_rows *r = &random_rows_base;
	int64_t count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++)
		if (c->out->m.dtype == GT_FLOAT32)
			r->normal_f32(reference_out(c->out, n), (uint64_t)n, 1, seed(c), draw(c));
		else
			r->normal_f64(reference_out(c->out, n), (uint64_t)n, 1, seed(c), draw(c));
	return GT_OK;
}

gt_err kernel_randint(const kcall *c)
{
	int64_t low = *(const int64_t *)c->in[0]->data, high = *(const int64_t *)c->in[1]->data;
	int64_t count = meta_count(&c->out->m);

	if (low >= high)
		return fail(GT_EINVAL, "randint: no integers in [%lld, %lld); "
			"the lower limit must be less", (long long)low, (long long)high);
	for (int64_t n = 0; n < count; n++) {
		scalar s;

		random_rows_base.integer_i64(&s.i, (uint64_t)n, 1, seed(c), draw(c), low, high);
		engine_scalar(KIND_INT, s, (gt_dtype)c->out->m.dtype, reference_out(c->out, n));
	}
	return GT_OK;
}
