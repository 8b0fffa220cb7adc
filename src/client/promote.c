/* promote.c: in which dtype inputs meet, and casting them to it.
 *
 * PyTorch's rule (https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc):
 * tensors with dims decide; a tensor of rank 0, and after it a number, counts only if its kind
 * (bool, int, float) is higher than what was decided before it.
 */
#include "client/client.h"

#include <math.h>

gt_dtype promote(const gt_arg *args, int n)
{
	gt_dtype dims = GT_DTYPE_NONE, zero = GT_DTYPE_NONE, d;
	dtype_kind highest = (dtype_kind)0;

	for (int k = 0; k < n; k++) {
		if (args[k].kind != GT_ARG_TENSOR) {
			highest = MAX(highest, arg_kind(args[k]));
		} else {
			const meta *m = &args[k].t->v->m;
			gt_dtype *among = m->rank ? &dims : &zero;

			*among = *among ? dtype_promote(*among, (gt_dtype)m->dtype)
			                : (gt_dtype)m->dtype;
		}
	}
	d = dims && zero ? dtype_promote_0d(dims, zero) : dims ? dims : zero;
	if (!d)
		return dtype_of_scalar(highest);
	return highest ? dtype_promote_scalar(d, highest) : d;
}

static gt_tensor *cast(const gt_site *site, gt_tensor *x, gt_dtype d)
{
	const gt_arg in = gt_arg_tensor(x);

	return emit(x->gt, site, OP_cast, (attr){ .dtype = (uint8_t)d }, &in, 1, NULL, 0);
}

gt_tensor *promote_tensor(const gt_site *site, gt_tensor *x, gt_dtype d)
{
	return x->v->m.dtype == d ? tensor_hold(x) : cast(site, x, d);
}

/* As in PyTorch, a number must be one of the dtype: the others do not wrap silently. */
bool promote_fits(const char *what, gt_arg a, gt_dtype d)
{
	int bits;

	/* What is no dtype at all is shape inference's to refuse. */
	if ((unsigned)d >= GT_DTYPE_COUNT || dtype_kind_of(d) != KIND_INT ||
	    arg_kind(a) == KIND_BOOL)
		return true;
	bits = 8 * (int)dtype_size(d) - 1;
	if (a.kind == GT_ARG_INT) {
		if (a.i >> bits == a.i >> 63)
			return true;
		fail(GT_EINVAL, "%s: %lld is not an %s; cast the tensor to int64", what,
			(long long)a.i, dtype_name(d));
		return false;
	}
	if (trunc(a.f) >= -ldexp(1, bits) && trunc(a.f) < ldexp(1, bits))
		return true;
	fail(GT_EINVAL, "%s: %g does not become an %s; cast the tensor to a float dtype", what, a.f,
		dtype_name(d));
	return false;
}

int promote_cast(op o, const gt_site *site, gt_arg *args, int n, gt_dtype d, gt_tensor **casts)
{
	int made = 0;

	for (int k = 0; k < n; k++) {
		const bool tensor = args[k].kind == GT_ARG_TENSOR;

		if (tensor ? args[k].t->v->m.dtype == d : promote_fits(op_rows[o].name,
				args[k], d))
			continue;
		if (!tensor || !(casts[made] = cast(site, args[k].t, d))) {
			promote_done(casts, made);
			return -1;
		}
		args[k].t = casts[made++];
	}
	return made;
}

void promote_done(gt_tensor **casts, int n)
{
	while (n-- > 0)
		tensor_release(casts[n]);
}

gt_arg promote_number(gt_arg a, gt_dtype d)
{
	if (a.kind == GT_ARG_TENSOR || arg_kind(a) <= dtype_kind_of(d))
		return a;
	if (dtype_kind_of(d) == KIND_BOOL)
		return gt_arg_bool(a.kind == GT_ARG_FLOAT ? a.f != 0 : a.i != 0);
	/* Out of range is what the engine makes of it, too: the most negative number. */
	return gt_arg_int(a.f >= -0x1p63 && a.f < 0x1p63 ? (int64_t)a.f : INT64_MIN);
}
