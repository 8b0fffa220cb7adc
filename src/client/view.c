/* view.c: the same elements seen under another shape. What writing through a view means:
 * alias.c. */
#include "client/client.h"

static int64_t product(const int64_t *dims, int rank)
{
	int64_t n = 1;

	for (int k = 0; k < rank; k++)
		n *= dims[k];
	return n;
}

/* ---- loose, for the other files -------------------------------------------------------------- */

gt_tensor *view_reshape(const gt_site *site, gt_tensor *x, const int64_t *dims, int rank)
{
	return alias_view(site, x, OP_reshape, (attr){ 0 }, dims, rank);
}

gt_tensor *view_permute(const gt_site *site, gt_tensor *x, const int *order)
{
	attr a = { 0 };

	for (int k = 0; k < x->v->m.rank; k++)
		a.perm[k] = (uint8_t)order[k];
	return alias_view(site, x, OP_permute, a, NULL, 0);
}

gt_tensor *view_expand(const gt_site *site, gt_tensor *x, const int64_t *dims, int rank)
{
	return alias_view(site, x, OP_expand, (attr){ 0 }, dims, rank);
}

/* ---- public ---------------------------------------------------------------------------------- */

gt_tensor *gt_detach_at(const gt_site *site, gt_tensor *x)
{
	gt_tensor *same;

	(void)site;
	if (!tensor_ready(x, "detach"))
		return NULL;
	same = tensor_new(x->gt, value_hold(x->v));
	alias_detach(same, x);
	return tensor_own(same);
}

static bool check_rank(const char *what, int rank)
{
	if (rank >= 0 && rank <= GT_RANK_MAX)
		return true;
	fail(GT_ELIMIT, "%s: rank %d, the limit is %d", what, rank, GT_RANK_MAX);
	return false;
}

/* Give the dim that is -1 the size that uses up the elements. Other errors are shape_infer's. */
static bool fill_in(const gt_tensor *x, gt_shape *s)
{
	const int64_t count = meta_count(&x->v->m);
	char text[SHAPE_TEXT_MAX];
	int64_t others = 1;
	int at = -1;

	for (int k = 0; k < s->rank; k++) {
		if (s->dims[k] != -1) {
			if (__builtin_mul_overflow(others, s->dims[k], &others))
				return true;
		} else if (at >= 0) {
			fail(GT_EINVAL, "reshape: dims %d and %d are both -1, expected at most one",
				at, k);
			return false;
		} else {
			at = k;
		}
	}
	if (at < 0)
		return true;
	if (others < 1 || count % others) {
		fail(GT_ESHAPE, "reshape: no size of dim %d makes %lld elements of the others; "
			"input %s",
			at, (long long)count, meta_text(&x->v->m, text, sizeof text));
		return false;
	}
	s->dims[at] = count / others;
	return true;
}

gt_tensor *gt_reshape_at(const gt_site *site, gt_tensor *x, gt_shape shape)
{
	if (!tensor_ready(x, "reshape") || !check_rank("reshape", shape.rank) || !fill_in(x,
		&shape))
		return NULL;
	return tensor_own(view_reshape(site, x, shape.dims, shape.rank));
}

gt_tensor *gt_permute_at(const gt_site *site, gt_tensor *x, gt_shape order)
{
	int perm[GT_RANK_MAX], seen = 0;

	if (!tensor_ready(x, "permute"))
		return NULL;
	for (int k = 0; order.rank == x->v->m.rank && k < order.rank; k++) {
		if ((perm[k] = dims_axis("permute", order.dims[k], order.rank)) < 0)
			return NULL;
		seen |= 1 << perm[k];
	}
	if (order.rank != x->v->m.rank || seen != (1 << order.rank) - 1) {
		fail(GT_EINVAL, "permute: expected each of the %d dims once", x->v->m.rank);
		return NULL;
	}
	return tensor_own(view_permute(site, x, perm));
}

gt_tensor *gt_transpose_at(const gt_site *site, gt_tensor *x, int a, int b)
{
	int perm[GT_RANK_MAX];

	if (!tensor_ready(x, "transpose") || (a = dims_axis("transpose", a, x->v->m.rank)) < 0 ||
	    (b = dims_axis("transpose", b, x->v->m.rank)) < 0)
		return NULL;
	for (int k = 0; k < x->v->m.rank; k++)
		perm[k] = k == a ? b : k == b ? a : k;
	return tensor_own(view_permute(site, x, perm));
}

gt_tensor *gt_squeeze_at(const gt_site *site, gt_tensor *x, int axis)
{
	int64_t dims[GT_RANK_MAX];
	int n = 0;

	if (!tensor_ready(x, "squeeze"))
		return NULL;
	if (axis != GT_ALL_AXES && (axis = dims_axis("squeeze", axis, x->v->m.rank)) < 0)
		return NULL;
	for (int k = 0; k < x->v->m.rank; k++)
		if (x->v->m.dims[k] != 1 || (axis != GT_ALL_AXES && axis != k))
			dims[n++] = x->v->m.dims[k];
	return tensor_own(view_reshape(site, x, dims, n));
}

gt_tensor *gt_unsqueeze_at(const gt_site *site, gt_tensor *x, int axis)
{
	int64_t dims[GT_RANK_MAX + 1];
	int rank;

	if (!tensor_ready(x, "unsqueeze"))
		return NULL;
	rank = x->v->m.rank + 1;
	if (!check_rank("unsqueeze", rank) || (axis = dims_axis("unsqueeze", axis, rank)) < 0)
		return NULL;
	for (int k = 0; k < rank; k++)
		dims[k] = k < axis ? x->v->m.dims[k] : k == axis ? 1 : x->v->m.dims[k - 1];
	return tensor_own(view_reshape(site, x, dims, rank));
}

gt_tensor *gt_expand_at(const gt_site *site, gt_tensor *x, gt_shape shape)
{
	int head;

	if (!tensor_ready(x, "expand") || !check_rank("expand", shape.rank))
		return NULL;
	head = shape.rank - x->v->m.rank;
	for (int k = MAX(head, 0); k < shape.rank; k++)
		if (shape.dims[k] == -1)
			shape.dims[k] = x->v->m.dims[k - head];
	return tensor_own(view_expand(site, x, shape.dims, shape.rank));
}

gt_tensor *gt_flatten_at(const gt_site *site, gt_tensor *x, int first, int last)
{
	int64_t dims[GT_RANK_MAX];
	const meta *m;
	int n = 0;

	if (!tensor_ready(x, "flatten"))
		return NULL;
	m = &x->v->m;
	if ((first = dims_axis("flatten", first, m->rank)) < 0 ||
	    (last = dims_axis("flatten", last, m->rank)) < 0)
		return NULL;
	if (first > last) {
		fail(GT_EINVAL, "flatten: dim %d does not come before dim %d", first, last);
		return NULL;
	}
	for (int k = 0; k < first; k++)
		dims[n++] = m->dims[k];
	dims[n++] = m->rank ? product(m->dims + first, last - first + 1) : 1;
	for (int k = last + 1; k < m->rank; k++)
		dims[n++] = m->dims[k];
	return tensor_own(view_reshape(site, x, dims, n));
}

/* A loose view of dims [first, first + count) along one axis. */
static gt_tensor *narrow(const gt_site *site, gt_tensor *x, int axis, int64_t first, int64_t count)
{
	int64_t opd[3 * GT_RANK_MAX];

	for (int k = 0; k < x->v->m.rank; k++) {
		opd[3 * k] = k == axis ? first : 0;
		opd[3 * k + 1] = k == axis ? count : x->v->m.dims[k];
		opd[3 * k + 2] = 1;
	}
	return alias_view(site, x, OP_slice, (attr){ 0 }, opd, 3 * x->v->m.rank);
}

int gt_split_at(const gt_site *site, gt_tensor *x, int64_t size, int axis, gt_tensor **out)
{
	gt_tensor *piece = NULL;
	int64_t dim, n;

	if (!tensor_ready(x, "split"))
		return gt_last_error_code();
	if (!x->v->m.rank)
		return fail(GT_ESHAPE, "split: a tensor of rank 0 has no dim to split");
	if ((axis = dims_axis("split", axis, x->v->m.rank)) < 0)
		return gt_last_error_code();
	dim = x->v->m.dims[axis];
	if (size < 1 || (n = MAX((dim + size - 1) / size, 1)) > INT32_MAX)
		return fail(GT_EINVAL, "split: dim %d of size %lld in pieces of %lld", axis,
			(long long)dim, (long long)size);
	for (int64_t k = 0; k < n; k++) {
		piece = narrow(site, x, axis, k * size, MIN(size, dim - k * size));
		if (!piece) {
			while (k--)
				tensor_release(out[k]);
			return gt_last_error_code();
		}
		out[k] = piece;
	}
	for (int64_t k = 0; k < n; k++)
		tensor_own(out[k]);
	return (int)n;
}
