/* math.c: methods that calculate and are more than a row of the op table: products, clamp,
 * extremes, variance.
 */
#include "gtpy.h"

#include <math.h>

/* ---- products ------------------------------------------------------------------------------- */

/* matmul; `other` may be a list or an array. rank_a < 0: any ranks, else these. */
static PyObject *product(PyObject *self, PyObject *other, const char *name, int rank_a, int rank_b)
{
	gt_tensor *x = tensor_get(self), *y;
	PyObject *held = x ? tensor_from(other, GT_DTYPE_NONE) : NULL, *out = NULL;

	y = held ? tensor_get(held) : NULL;
	if (y && rank_a >= 0 && (gt_rank(x) != rank_a || gt_rank(y) != rank_b))
		error_set(GT_ESHAPE, "%s: expected tensors of %d and %d dims, got %d and %d", name,
				rank_a, rank_b, gt_rank(x), gt_rank(y));
	else if (y)
		out = tensor_wrap(gt_matmul_at(site_here(), x, y));
	Py_XDECREF(held);
	return out;
}

PyObject *method_matmul(PyObject *self, PyObject **a)
{
	return product(self, a[0], "matmul", -1, -1);
}

PyObject *method_mm(PyObject *self, PyObject **a)
{
	return product(self, a[0], "mm", 2, 2);
}

PyObject *method_bmm(PyObject *self, PyObject **a)
{
	return product(self, a[0], "bmm", 3, 3);
}

PyObject *method_mv(PyObject *self, PyObject **a)
{
	return product(self, a[0], "mv", 2, 1);
}

PyObject *method_dot(PyObject *self, PyObject **a)
{
	return product(self, a[0], "dot", 1, 1);
}

PyObject *method_outer(PyObject *self, PyObject **a)
{
	gt_tensor *x = tensor_get(self), *y, *column;
	PyObject *held = x ? tensor_from(a[0], GT_DTYPE_NONE) : NULL, *out = NULL;

	y = held ? tensor_get(held) : NULL;
	if (y && (gt_rank(x) != 1 || gt_rank(y) != 1)) {
		error_set(GT_ESHAPE, "outer: expected two vectors, got tensors of %d and %d dims",
				gt_rank(x), gt_rank(y));
	} else if (y) {
		column = gt_unsqueeze_at(site_here(), x, 1);
		out = tensor_wrap(gt_mul_at(site_here(), gt_arg_tensor(column), gt_arg_tensor(y)));
		gt_drop(column);
	}
	Py_XDECREF(held);
	return out;
}

/* ---- clamp ---------------------------------------------------------------------------------- */

static bool floats(const gt_tensor *t)
{
	return gt_dtype_of(t) == GT_FLOAT32 || gt_dtype_of(t) == GT_FLOAT64;
}

/* Takes nothing; *low and *high are valid where the arguments are given. Integers have no infinite
 * bound, and no gradient to tell clamp from an extreme. */
static gt_tensor *clamped(gt_tensor *t, PyObject **a, const operand *low, const operand *high)
{
	const bool below = operand_given(a[0]), above = operand_given(a[1]);
	const gt_arg x = gt_arg_tensor(t);

	if ((below && above) || floats(t))
		return gt_clamp_at(site_here(), x, below ? low->arg : gt_arg_float(-INFINITY),
			above ? high->arg : gt_arg_float(INFINITY));
	if (below)
		return gt_maximum_at(site_here(), x, low->arg);
	return gt_minimum_at(site_here(), x, high->arg);
}

PyObject *method_clamp(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	operand low = { .held = NULL }, high = { .held = NULL };
	PyObject *out = NULL;

	if (!t)
		return NULL;
	if (!operand_given(a[0]) && !operand_given(a[1]))
		return error_set(GT_EINVAL, "clamp: at least one of min and max is needed");
	if ((!operand_given(a[0]) || operand_need(a[0], &low)) &&
			(!operand_given(a[1]) || operand_need(a[1], &high)))
		out = tensor_wrap(clamped(t, a, &low, &high));
	operand_end(&low);
	operand_end(&high);
	return out;
}

/* ---- extremes ------------------------------------------------------------------------------- */

typedef gt_tensor *reduce_at(const gt_site *, gt_tensor *, gt_reduce);

static PyObject *pair_of(PyObject *values, PyObject *indices)
{
	static PyStructSequence_Field fields[] = {
		{ "values", "the elements" },
		{ "indices", "where they are" },
		{ 0 },
	};
	static PyStructSequence_Desc desc = {
		"gt.ValuesIndices", "Result of max and min along a dim.", fields, 2,
	};
	static PyTypeObject *type;
	PyObject *out;

	if (!type)
		type = PyStructSequence_NewType(&desc);
	out = type && values && indices ? PyStructSequence_New(type) : NULL;
	if (!out) {
		Py_XDECREF(values);
		Py_XDECREF(indices);
		return NULL;
	}
	PyStructSequence_SetItem(out, 0, values);
	PyStructSequence_SetItem(out, 1, indices);
	return out;
}

static PyObject *without_axis(gt_tensor *t, int axis)
{
	return t ? tensor_wrap(gt_squeeze_at(site_here(), t, axis)) : error_raise();
}

/* Values are gathered at the indices, so the gradient goes to them alone, as in PyTorch. */
static PyObject *values_indices(gt_tensor *t, gt_reduce r, reduce_at *index_of)
{
	bool keep = r.keepdims || gt_rank(t) == 0;
	gt_tensor *at, *values = NULL;
	PyObject *out = NULL;

	r.keepdims = true;
	at = index_of(site_here(), t, r);
	if (!at)
		return error_raise();
	values = gt_rank(t) == 0 ? gt_clone_at(site_here(), t)
			: gt_gather_at(site_here(), t, at, r.axis);
	if (!keep)
		out = pair_of(without_axis(values, r.axis), without_axis(at, r.axis));
	else if (values)
		out = pair_of(tensor_wrap(gt_keep(values)), tensor_wrap(gt_keep(at)));
	gt_drop(at);
	gt_drop(values);
	return out ? out : error_raise();
}

static PyObject *extreme(PyObject *self, PyObject **a, reduce_at *f, reduce_at *index_of,
		number_binary_at *of_two)
{
	gt_tensor *t = tensor_get(self);
	gt_reduce r;

	if (a[0] && tensor_is(a[0]))
		return number_binary(self, a[0], of_two);
	if (!t || !operand_axes(a[0], &r) || !operand_bool(a[1], false, &r.keepdims))
		return NULL;
	if (r.naxes == 0 && r.axis != GT_ALL_AXES && index_of)
		return values_indices(t, r, index_of);
	return tensor_wrap(f(site_here(), t, r));
}

PyObject *method_max(PyObject *self, PyObject **a)
{
	return extreme(self, a, gt_max_at, gt_argmax_at, gt_maximum_at);
}

PyObject *method_min(PyObject *self, PyObject **a)
{
	return extreme(self, a, gt_min_at, gt_argmin_at, gt_minimum_at);
}

PyObject *method_amax(PyObject *self, PyObject **a)
{
	return extreme(self, a, gt_max_at, NULL, gt_maximum_at);
}

PyObject *method_amin(PyObject *self, PyObject **a)
{
	return extreme(self, a, gt_min_at, NULL, gt_minimum_at);
}

typedef gt_tensor *spread_at(const gt_site *, gt_tensor *, double, gt_reduce);

/* `unbiased` is PyTorch's older way to say correction 1 or 0; var(False) means it, too. */
static PyObject *spread(PyObject *self, PyObject **a, spread_at *f)
{
	gt_tensor *t = tensor_get(self);
	bool alone = a[0] && PyBool_Check(a[0]);
	PyObject *unbiased = alone ? a[0] : a[1];
	double correction;
	gt_reduce r;

	if (!t || !operand_axes(alone ? NULL : a[0], &r) ||
			!operand_bool(a[2], false, &r.keepdims) ||
			!operand_double(a[3], 1, &correction))
		return NULL;
	if (operand_given(unbiased))
		correction = PyObject_IsTrue(unbiased) > 0;
	return tensor_wrap(f(site_here(), t, correction, r));
}

PyObject *method_var(PyObject *self, PyObject **a)
{
	return spread(self, a, gt_var_at);
}

PyObject *method_std(PyObject *self, PyObject **a)
{
	return spread(self, a, gt_std_at);
}
