/* create.c: tensors from nothing: data, constants, ranges, random numbers. */
#include "client/client.h"

#include <math.h>

/* ---- checking what users ask for ------------------------------------------------------------- */

static bool check_dtype(const char *what, gt_dtype d)
{
	if (d > GT_DTYPE_NONE && d < GT_DTYPE_COUNT)
		return true;
	fail(GT_EDTYPE, "%s: unknown dtype %d", what, (int)d);
	return false;
}

/* Sizes into m; the limits are shape_infer's, but an upload must know its bytes before. */
static bool check_shape(const char *what, const gt_shape *s, meta *m)
{
	int64_t count = 1;

	if (s->rank < 0 || s->rank > GT_RANK_MAX) {
		fail(GT_ELIMIT, "%s: rank %d, the limit is %d", what, s->rank, GT_RANK_MAX);
		return false;
	}
	m->rank = (uint8_t)s->rank;
	for (int k = 0; k < s->rank; k++) {
		m->dims[k] = s->dims[k];
		if (s->dims[k] < 0) {
			fail(GT_ESHAPE, "%s: dim %d has size %lld, expected 0 or more", what, k,
				(long long)s->dims[k]);
			return false;
		}
		if (__builtin_mul_overflow(count, MAX(s->dims[k], 1), &count) ||
		    count > SHAPE_ELEMENTS_MAX) {
			fail(GT_ELIMIT, "%s: more than 2^40 elements, the limit of one tensor",
				what);
			return false;
		}
	}
	return true;
}

/* Emit a creation of that shape: `first` operands, then the sizes. Owned. */
static gt_tensor *create(gt_client *gt, const gt_site *site, op o, gt_dtype d, const gt_arg *in,
		int nin, const int64_t *first, int nfirst, const gt_shape *shape)
{
	int64_t opd[3 + GT_RANK_MAX];
	meta m;

	if (!check_dtype(op_rows[o].name, d) || !check_shape(op_rows[o].name, shape, &m))
		return NULL;
	for (int k = 0; k < nfirst; k++)
		opd[k] = first[k];
	for (int k = 0; k < shape->rank; k++)
		opd[nfirst + k] = shape->dims[k];
	return tensor_own(emit(gt, site, o, (attr){ .dtype = (uint8_t)d }, in, nin, opd,
		nfirst + shape->rank));
}

static gt_shape shape_like(const gt_tensor *x)
{
	return gt_shape_of(x);
}

static gt_dtype dtype_or(gt_make options, gt_dtype preset)
{
	return options.dtype ? options.dtype : preset;
}

/* ---- constants ------------------------------------------------------------------------------- */

static gt_tensor *full(const gt_site *site, gt_client *gt, gt_shape shape, gt_arg fill, gt_dtype d)
{
	if (fill.kind == GT_ARG_TENSOR) {
		fail(GT_EINVAL, "full: the value is a tensor, expected a number");
		return NULL;
	}
	if (!promote_fits("full", fill, d))
		return NULL;
	return create(gt, site, OP_full, d, &fill, 1, NULL, 0, &shape);
}

gt_tensor *gt_full_at(const gt_site *site, gt_client *gt, gt_shape shape, gt_arg fill,
		gt_make options)
{
	if (!client_ready(gt, "full"))
		return NULL;
	return full(site, gt, shape, fill, fill.kind == GT_ARG_TENSOR ? GT_DTYPE_NONE :
		dtype_or(options, dtype_of_scalar(arg_kind(fill))));
}

gt_tensor *gt_full_like_at(const gt_site *site, gt_tensor *x, gt_arg fill, gt_make options)
{
	if (!tensor_ready(x, "full_like"))
		return NULL;
	return full(site, x->gt, shape_like(x), fill, dtype_or(options, gt_dtype_of(x)));
}

gt_tensor *gt_eye_at(const gt_site *site, gt_client *gt, int64_t n, int64_t m, gt_make options)
{
	const gt_shape shape = { 2, { n, m } };

	if (!client_ready(gt, "eye"))
		return NULL;
	return create(gt, site, OP_eye, dtype_or(options, GT_FLOAT32), NULL, 0, NULL, 0, &shape);
}

/* ---- data ------------------------------------------------------------------------------------ */

/* The one element at `data`, which may be part of a file: aligned to nothing. */
static gt_arg element(gt_dtype d, const void *data)
{
	union { float f; double d; int32_t i; int64_t l; uint8_t b; } v;

	memcpy(&v, data, dtype_size(d));
	switch (d) {
	case GT_FLOAT32:
		return gt_arg_float(v.f);
	case GT_FLOAT64:
		return gt_arg_float(v.d);
	case GT_INT32:
		return gt_arg_int(v.i);
	case GT_INT64:
		return gt_arg_int(v.l);
	default:
		return gt_arg_bool(v.b != 0);
	}
}

static blob *copy_of(gt_dtype d, const void *data, size_t bytes)
{
	blob *b = blob_new(bytes);

	if (!b) {
		fail(GT_EMEMORY, "from: no memory for a copy of %zu bytes", bytes);
		return NULL;
	}
	if (bytes)
		memcpy(b->data, data, bytes);
	/* Kernels take it for granted that a bool is 0 or 1. */
	for (size_t k = 0; d == GT_BOOL && k < bytes; k++)
		((uint8_t *)b->data)[k] = ((uint8_t *)b->data)[k] != 0;
	return b;
}

#define UPLOAD_AT_ONCE (1 << 20)

gt_tensor *gt_from_at(const gt_site *site, gt_client *gt, gt_dtype dtype, gt_shape shape,
		const void *data)
{
	gt_tensor *x;
	size_t bytes;
	blob *b;
	meta m;

	if (!client_ready(gt, "from") || !check_dtype("from", dtype) ||
	    !check_shape("from", &shape, &m))
		return NULL;
	bytes = (size_t)meta_count(&m) * dtype_size(dtype);
	if (bytes && !data) {
		fail(GT_EINVAL, "from: expected %zu bytes of data, got NULL", bytes);
		return NULL;
	}
	if (bytes == dtype_size(dtype))
		return full(site, gt, shape, element(dtype, data), dtype);
	if (!(b = copy_of(dtype, data, bytes)))
		return NULL;
	gt->uploads = true;
	/* The shape was checked: what can still fail is the link, and that takes the blob. */
	x = create(gt, site, OP_upload, dtype, NULL, 0, (int64_t[]){ (int64_t)(uintptr_t)b }, 1,
		&shape);
	if (x && bytes >= UPLOAD_AT_ONCE && stream_flush(gt))
		return NULL;
	return x;
}

/* ---- random numbers -------------------------------------------------------------------------- */

static gt_tensor *draw(const gt_site *site, gt_client *gt, op o, gt_dtype d, const gt_arg *in,
		int nin, gt_shape shape)
{
	const int64_t first[] = { (int64_t)gt->seed, (int64_t)gt->draw };
	gt_tensor *x = create(gt, site, o, d, in, nin, first, 2, &shape);

	gt->draw += x != NULL;
	return x;
}

gt_tensor *gt_rand_at(const gt_site *site, gt_client *gt, gt_shape shape, gt_make options)
{
	if (!client_ready(gt, "rand"))
		return NULL;
	return draw(site, gt, OP_rand, dtype_or(options, GT_FLOAT32), NULL, 0, shape);
}

gt_tensor *gt_randn_at(const gt_site *site, gt_client *gt, gt_shape shape, gt_make options)
{
	if (!client_ready(gt, "randn"))
		return NULL;
	return draw(site, gt, OP_randn, dtype_or(options, GT_FLOAT32), NULL, 0, shape);
}

gt_tensor *gt_rand_like_at(const gt_site *site, gt_tensor *x, gt_make options)
{
	if (!tensor_ready(x, "rand_like"))
		return NULL;
	return draw(site, x->gt, OP_rand, dtype_or(options, gt_dtype_of(x)), NULL, 0,
		shape_like(x));
}

gt_tensor *gt_randn_like_at(const gt_site *site, gt_tensor *x, gt_make options)
{
	if (!tensor_ready(x, "randn_like"))
		return NULL;
	return draw(site, x->gt, OP_randn, dtype_or(options, gt_dtype_of(x)), NULL, 0,
		shape_like(x));
}

gt_tensor *gt_randint_at(const gt_site *site, gt_client *gt, int64_t low, int64_t high,
		gt_shape shape, gt_make options)
{
	const gt_arg in[] = { gt_arg_int(low), gt_arg_int(high) };
	const gt_dtype d = dtype_or(options, GT_INT64);

	if (!client_ready(gt, "randint"))
		return NULL;
	if (low >= high) {
		fail(GT_EINVAL, "randint: expected low < high, got %lld and %lld", (long long)low,
			(long long)high);
		return NULL;
	}
	if (!promote_fits("randint", gt_arg_int(low), d) ||
			!promote_fits("randint", gt_arg_int(high - 1), d))
		return NULL;
	return draw(site, gt, OP_randint, d, in, 2, shape);
}

/* ---- ranges ---------------------------------------------------------------------------------- */

static double number(gt_arg a)
{
	return a.kind == GT_ARG_FLOAT ? a.f : (double)a.i;
}

/* How many steps lead from start to before stop; -1 if none ever does, or too many. */
static int64_t count_ints(int64_t start, int64_t stop, int64_t by)
{
	const __int128 way = (__int128)stop - start, sign = by < 0 ? -1 : 1;
	__int128 n;

	if (!by || way * sign < 0)
		return -1;
	n = (way + by - sign) / by;
	return n <= SHAPE_ELEMENTS_MAX ? (int64_t)n : -1;
}

static int64_t count_floats(double start, double stop, double by)
{
	const double n = ceil((stop - start) / by);

	return n >= 0 && n <= (double)SHAPE_ELEMENTS_MAX ? (int64_t)n : -1;
}

gt_tensor *gt_arange_at(const gt_site *site, gt_client *gt, gt_arg start, gt_arg stop, gt_arg by,
		gt_make options)
{
	const bool floats = start.kind == GT_ARG_FLOAT || stop.kind == GT_ARG_FLOAT ||
		by.kind == GT_ARG_FLOAT;
	gt_arg in[] = { gt_arg_int(start.i), gt_arg_int(by.i) };
	gt_shape shape = { .rank = 1 };

	if (!client_ready(gt, "arange"))
		return NULL;
	if (start.kind == GT_ARG_TENSOR || stop.kind == GT_ARG_TENSOR || by.kind == GT_ARG_TENSOR) {
		fail(GT_EINVAL, "arange: start, stop and step are numbers, not tensors");
		return NULL;
	}
	if (floats) {
		in[0] = gt_arg_float(number(start));
		in[1] = gt_arg_float(number(by));
	}
	shape.dims[0] = floats ? count_floats(number(start), number(stop), number(by))
	                       : count_ints(start.i, stop.i, by.i);
	if (shape.dims[0] < 0) {
		fail(GT_EINVAL, "arange: %g does not lead from %g to %g in at most 2^40 steps",
			number(by), number(start), number(stop));
		return NULL;
	}
	return create(gt, site, OP_arange, dtype_or(options, floats ? GT_FLOAT32 : GT_INT64), in, 2,
		NULL, 0, &shape);
}

static gt_tensor *count_from(const gt_site *site, gt_client *gt, double start, double by, int64_t n,
		gt_dtype d)
{
	const gt_arg in[] = { gt_arg_float(start), gt_arg_float(by) };

	return create(gt, site, OP_arange, d, in, 2, NULL, 0, &(gt_shape){ 1, { n } });
}

/* The lower half counts up from start, the upper half down from stop: both ends are exact. */
gt_tensor *gt_linspace_at(const gt_site *site, gt_client *gt, double start, double stop, int64_t n,
		gt_make options)
{
	const gt_dtype d = dtype_or(options, GT_FLOAT32);
	const double by = n > 1 ? (stop - start) / (double)(n - 1) : 0;
	gt_tensor *halves[2];
	frame f;

	if (!client_ready(gt, "linspace"))
		return NULL;
	if (n < 2)
		return count_from(site, gt, start, by, n, d);
	f = frame_begin(gt);
	halves[0] = count_from(site, gt, start, by, n / 2, d);
	halves[1] = gt_flip_at(site, count_from(site, gt, stop, -by, n - n / 2, d),
		(gt_shape){ 1, { 0 } });
	return frame_end(f, gt_cat_at(site, halves, 2, 0));
}
