/* promote.c: in which dtype inputs meet, and casting them to it.
 *
 * PyTorch's rule (https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc):
 * tensors with dims decide; a tensor of rank 0, and after it a number, counts only if its kind
 * (bool, int, float) is higher than what was decided before it.
 */
#include "client/client.h"

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
static bool fits(op o, gt_arg a, gt_dtype d)
{
	if (d != GT_INT32 || a.kind != GT_ARG_INT || a.i == (int32_t)a.i)
		return true;
	fail(GT_EINVAL, "%s: %lld is not an int32; cast the tensor to int64", op_rows[o].name,
		(long long)a.i);
	return false;
}

int promote_cast(op o, const gt_site *site, gt_arg *args, int n, gt_dtype d, gt_tensor **casts)
{
	int made = 0;

	for (int k = 0; k < n; k++) {
		const bool tensor = args[k].kind == GT_ARG_TENSOR;

		if (tensor ? args[k].t->v->m.dtype == d : fits(o, args[k], d))
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
