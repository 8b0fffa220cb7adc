/* numeric.c: numeric operations with more to say than their row: products, spread, casts. */
#include "client/client.h"

/* x with a dim of size 1 at `axis`, loose. */
static gt_tensor *with_dim(const gt_site *site, gt_tensor *x, int axis)
{
	const int64_t n = x->v->m.dims[0];

	return view_reshape(site, x, (int64_t[]){ axis ? n : 1, axis ? 1 : n }, 2);
}

/* The product as if 1-D inputs were a row, a column; their dims of the result then go. */
static gt_tensor *product_1d(const gt_site *site, gt_tensor *a, gt_tensor *b)
{
	frame f = frame_begin(a->gt);
	const bool row = a->v->m.rank == 1, column = b->v->m.rank == 1;
	int64_t dims[GT_RANK_MAX];
	gt_tensor *whole;
	int n = 0;

	a = row ? tensor_own(with_dim(site, a, 0)) : a;
	b = column ? tensor_own(with_dim(site, b, 1)) : b;
	whole = gt_matmul_at(site, a, b);
	for (int k = 0; whole && k < whole->v->m.rank; k++)
		if (!(row && k == whole->v->m.rank - 2) && !(column && k == whole->v->m.rank - 1))
			dims[n++] = whole->v->m.dims[k];
	return frame_end(f, whole ? tensor_own(view_reshape(site, whole, dims, n)) : NULL);
}

gt_tensor *gt_matmul_at(const gt_site *site, gt_tensor *a, gt_tensor *b)
{
	const gt_arg in[] = { gt_arg_tensor(a), gt_arg_tensor(b) };
	gt_client *gt = emit_client("matmul", in, 2);
	char ta[SHAPE_TEXT_MAX], tb[SHAPE_TEXT_MAX];

	if (!gt)
		return NULL;
	if (LIKELY(a->v->m.rank > 1 && b->v->m.rank > 1))
		return tensor_own(emit(gt, site, OP_matmul, (attr){ 0 }, in, 2, NULL, 0));
	if (a->v->m.rank && b->v->m.rank)
		return product_1d(site, a, b);
	fail(GT_ESHAPE, "matmul: expected one dim or more on both sides, got %s and %s",
		meta_text(&a->v->m, ta, sizeof ta), meta_text(&b->v->m, tb, sizeof tb));
	return NULL;
}

gt_tensor *gt_var_at(const gt_site *site, gt_tensor *x, double correction, gt_reduce options)
{
	const gt_arg in[] = { gt_arg_tensor(x), gt_arg_float(correction) };
	int mask;

	if (!tensor_ready(x, "var") || (mask = dims_axes("var", &options, x->v->m.rank)) < 0)
		return NULL;
	return tensor_own(emit(x->gt, site, OP_var,
		(attr){ .axes = (uint8_t)mask, .keepdims = options.keepdims }, in, 2, NULL, 0));
}

gt_tensor *gt_std_at(const gt_site *site, gt_tensor *x, double correction, gt_reduce options)
{
	frame f;

	if (!tensor_ready(x, "std"))
		return NULL;
	f = frame_begin(x->gt);
	return frame_end(f, gt_sqrt_at(site, gt_var_at(site, x, correction, options)));
}

gt_tensor *gt_cast_at(const gt_site *site, gt_tensor *x, gt_dtype dtype)
{
	if (!tensor_ready(x, "cast"))
		return NULL;
	return tensor_own(promote_tensor(site, x, dtype));
}
