/* reference_product.c: matrix products as the definition says, one element after the other. */
#include "base/cpu.h"
#include "engine/engine.h"

/* *out = sum over k of a[k * a_step] * b[k * b_step]. */
typedef void dot(void *out, const void *a, int64_t a_step, const void *b, int64_t b_step,
		int64_t n);

static void dot_f32(void *out, const void *a, int64_t a_step, const void *b, int64_t b_step,
		int64_t n)
{
	const float *x = a, *y = b;
	float sum = 0;

	for (int64_t k = 0; k < n; k++)
		sum += x[k * a_step] * y[k * b_step];
	*(float *)out = sum;
}

static void dot_f64(void *out, const void *a, int64_t a_step, const void *b, int64_t b_step,
		int64_t n)
{
	const double *x = a, *y = b;
	double sum = 0;

	for (int64_t k = 0; k < n; k++)
		sum += x[k * a_step] * y[k * b_step];
	*(double *)out = sum;
}

/* Integers wrap: unsigned arithmetic does that without undefined behaviour. */
static void dot_i32(void *out, const void *a, int64_t a_step, const void *b, int64_t b_step,
		int64_t n)
{
	const uint32_t *x = a, *y = b;
	uint32_t sum = 0;

	for (int64_t k = 0; k < n; k++)
		sum += x[k * a_step] * y[k * b_step];
	*(uint32_t *)out = sum;
}

static void dot_i64(void *out, const void *a, int64_t a_step, const void *b, int64_t b_step,
		int64_t n)
{
	const uint64_t *x = a, *y = b;
	uint64_t sum = 0;

	for (int64_t k = 0; k < n; k++)
		sum += x[k * a_step] * y[k * b_step];
	*(uint64_t *)out = sum;
}

static dot *const dots[GT_DTYPE_COUNT] = {
	[GT_FLOAT32] = dot_f32, [GT_FLOAT64] = dot_f64, [GT_INT32] = dot_i32, [GT_INT64] = dot_i64,
};

/* Offset in x, in elements, of the matrix that makes matrix number `at` of the result. */
static int64_t matrix_offset(const view *x, const meta *out, int64_t at)
{
	int64_t offset = 0;
	int missing = out->rank - x->m.rank;

	for (int d = out->rank - 3; d >= 0; d--) {
		int64_t k = at % out->dims[d];

		at /= out->dims[d];
		if (d >= missing && x->m.dims[d - missing] > 1)
			offset += k * x->strides[d - missing];
	}
	return offset;
}

/* out[..., m, n] = sum_k a[..., m, k] * b[..., k, n]; leading dims broadcast. */
gt_err kernel_matmul(const kcall *c)
{
	const view *a = c->in[0], *b = c->in[1];
	const meta *out = &c->out->m;
	int64_t m = out->dims[out->rank - 2], n = out->dims[out->rank - 1],
			k = a->m.dims[a->m.rank - 1];
	const int64_t *as = a->strides + a->m.rank - 2, *bs = b->strides + b->m.rank - 2;
	int64_t size = (int64_t)dtype_size(out->dtype), count = meta_count(out);
	char *to = c->out->data;

	cpu_fp_flush(out->dtype == GT_FLOAT32);
	for (int64_t e = 0; e < count; e++, to += size) {
		int64_t j = e % n, i = e / n % m, matrix = e / n / m;
		int64_t a_at = matrix_offset(a, out, matrix) + i * as[0];
		int64_t b_at = matrix_offset(b, out, matrix) + j * bs[1];

		dots[out->dtype](to, (const char *)a->data + a_at * size, as[1],
				(const char *)b->data + b_at * size, bs[0], k);
	}
	cpu_fp_flush(false);
	return GT_OK;
}
