/* move.c: methods that give the same elements another shape, order or place. */
#include "gtpy.h"

/* ---- shapes --------------------------------------------------------------------------------- */

PyObject *method_reshape(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	gt_shape shape;

	if (!t || !operand_shape(a[0], &shape))
		return NULL;
	return tensor_wrap(gt_reshape_at(site_here(), t, shape));
}

PyObject *method_view(PyObject *self, PyObject **a)
{
	return method_reshape(self, a);
}

PyObject *method_view_as(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self), *other = t ? tensor_get(a[0]) : NULL;

	return other ? tensor_wrap(gt_reshape_at(site_here(), t, gt_shape_of(other))) : NULL;
}

PyObject *method_permute(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	gt_shape order;

	if (!t || !operand_shape(a[0], &order))
		return NULL;
	return tensor_wrap(gt_permute_at(site_here(), t, order));
}

PyObject *method_transpose(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	int x, y;

	if (!t || !operand_axis(a[0], &x) || !operand_axis(a[1], &y))
		return NULL;
	return tensor_wrap(gt_transpose_at(site_here(), t, x, y));
}

PyObject *method_swapaxes(PyObject *self, PyObject **a)
{
	return method_transpose(self, a);
}

PyObject *method_t(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);

	(void)a;
	if (!t)
		return NULL;
	if (gt_rank(t) > 2)
		return error_set(GT_ESHAPE,
				"t: expected at most 2 dims, got %d; .mT exchanges the last two",
				gt_rank(t));
	return gt_rank(t) == 2 ? tensor_wrap(gt_transpose_at(site_here(), t, 0, 1))
			: Py_NewRef(self);
}

/* Several axes: from the last to the first, so that removing one does not move the others. */
static PyObject *squeeze_several(gt_tensor *t, gt_reduce *r)
{
	gt_tensor *out = gt_keep(t), *next;
	bool remove[GT_RANK_MAX] = { false };

	for (int k = 0; k < r->naxes; k++) {
		int axis = r->axes[k] < 0 ? r->axes[k] + gt_rank(t) : r->axes[k];

		if (gt_dim(t, r->axes[k]) < 0) {
			gt_drop(out);
			return error_raise();
		}
		remove[axis] = true;
	}
	for (int k = gt_rank(t) - 1; k >= 0; k--) {
		if (!remove[k])
			continue;
		next = gt_squeeze_at(site_here(), out, k);
		gt_drop(out);
		out = next;
	}
	return tensor_wrap(out);
}

PyObject *method_squeeze(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	gt_reduce r;

	if (!t || !operand_axes(a[0], &r))
		return NULL;
	if (r.naxes > 0)
		return squeeze_several(t, &r);
	return tensor_wrap(gt_squeeze_at(site_here(), t, r.axis));
}

PyObject *method_unsqueeze(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	int axis;

	if (!t || !operand_axis(a[0], &axis))
		return NULL;
	return tensor_wrap(gt_unsqueeze_at(site_here(), t, axis));
}

PyObject *method_expand(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	gt_shape shape;

	if (!t || !operand_shape(a[0], &shape))
		return NULL;
	return tensor_wrap(gt_expand_at(site_here(), t, shape));
}

PyObject *method_broadcast_to(PyObject *self, PyObject **a)
{
	return method_expand(self, a);
}

PyObject *method_expand_as(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self), *other = t ? tensor_get(a[0]) : NULL;

	return other ? tensor_wrap(gt_expand_at(site_here(), t, gt_shape_of(other))) : NULL;
}

PyObject *method_flatten(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	int first = 0, last = -1;

	if (!t || (a[0] && !operand_axis(a[0], &first)) || (a[1] && !operand_axis(a[1], &last)))
		return NULL;
	return tensor_wrap(gt_flatten_at(site_here(), t, first, last));
}

PyObject *method_flip(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	gt_shape axes;

	if (!t || !operand_shape(a[0], &axes))
		return NULL;
	return tensor_wrap(gt_flip_at(site_here(), t, axes));
}

typedef gt_tensor *triangle_at(const gt_site *, gt_tensor *, int64_t);

static PyObject *triangle(PyObject *self, PyObject **a, triangle_at *f)
{
	gt_tensor *t = tensor_get(self);
	int64_t diagonal = 0;

	if (!t || (a[0] && !operand_int(a[0], &diagonal)))
		return NULL;
	return tensor_wrap(f(site_here(), t, diagonal));
}

PyObject *method_tril(PyObject *self, PyObject **a)
{
	return triangle(self, a, gt_tril_at);
}

PyObject *method_triu(PyObject *self, PyObject **a)
{
	return triangle(self, a, gt_triu_at);
}
