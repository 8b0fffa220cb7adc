/* short.c: methods of a few lines: products, extremes, clamps, in-place forms, casts, facts. */
#include "gtpy.h"
#include <structmember.h>

/* ---- products --------------------------------------------------------------------------------------------- */

/* matmul of operands that may be lists or arrays; rank < 0: any, else both need `rank_a` and `rank_b`. */
static PyObject *product(PyObject *self, PyObject *other, const char *name, int rank_a, int rank_b)
{
	gt_tensor *x = tensor_get(self), *y;
	PyObject *held = x ? tensor_from(other, GT_DTYPE_NONE) : NULL, *out = NULL;

	y = held ? tensor_get(held) : NULL;
	if (y && rank_a >= 0 && (gt_rank(x) != rank_a || gt_rank(y) != rank_b))
		error_set(GT_ESHAPE, "%s: expected tensors of %d and %d dims, got %d and %d", name, rank_a, rank_b,
				gt_rank(x), gt_rank(y));
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
		error_set(GT_ESHAPE, "outer: expected two vectors, got tensors of %d and %d dims", gt_rank(x), gt_rank(y));
	} else if (y) {
		column = gt_unsqueeze_at(site_here(), x, 1);
		out = tensor_wrap(gt_mul_at(site_here(), gt_arg_tensor(column), gt_arg_tensor(y)));
		gt_drop(column);
	}
	Py_XDECREF(held);
	return out;
}

/* ---- x + alpha * y ------------------------------------------------------------------------------------------ */

/* `other` times alpha, where alpha is given. */
static PyObject *scaled(PyObject *other, PyObject *alpha)
{
	return alpha ? PyNumber_Multiply(other, alpha) : Py_NewRef(other);
}

static PyObject *scaled_binary(PyObject *self, PyObject **a, PyObject *(*f)(PyObject *, PyObject *))
{
	PyObject *y = scaled(a[0], a[1]), *out = y ? f(self, y) : NULL;

	Py_XDECREF(y);
	return out;
}

PyObject *method_add(PyObject *self, PyObject **a)
{
	return scaled_binary(self, a, PyNumber_Add);
}

PyObject *method_sub(PyObject *self, PyObject **a)
{
	return scaled_binary(self, a, PyNumber_Subtract);
}

PyObject *method_add_(PyObject *self, PyObject **a)
{
	return scaled_binary(self, a, PyNumber_InPlaceAdd);
}

PyObject *method_sub_(PyObject *self, PyObject **a)
{
	return scaled_binary(self, a, PyNumber_InPlaceSubtract);
}

PyObject *method_mul_(PyObject *self, PyObject **a)
{
	return PyNumber_InPlaceMultiply(self, a[0]);
}

PyObject *method_div_(PyObject *self, PyObject **a)
{
	return PyNumber_InPlaceTrueDivide(self, a[0]);
}

/* ---- copies into a tensor -------------------------------------------------------------------------------------- */

static PyObject *copy_into(PyObject *self, gt_arg value)
{
	gt_tensor *t = tensor_get(self);

	if (!t)
		return NULL;
	return gt_copy_at(site_here(), t, value) ? error_raise() : Py_NewRef(self);
}

PyObject *method_zero_(PyObject *self, PyObject **a)
{
	(void)a;
	return copy_into(self, gt_arg_int(0));
}

PyObject *method_copy_(PyObject *self, PyObject **a)
{
	operand v;
	PyObject *out;

	if (!operand_need(a[0], &v))
		return NULL;
	out = copy_into(self, v.arg);
	operand_end(&v);
	return out;
}

PyObject *method_fill_(PyObject *self, PyObject **a)
{
	return method_copy_(self, a);
}

/* ---- clamp ------------------------------------------------------------------------------------------------------ */

static bool given(PyObject *o)
{
	return o && o != Py_None;
}

/* Takes nothing; *low and *high are valid where the arguments are given. */
static gt_tensor *clamped(gt_tensor *t, PyObject **a, const operand *low, const operand *high)
{
	gt_arg x = gt_arg_tensor(t);

	if (given(a[0]) && given(a[1]))
		return gt_clamp_at(site_here(), x, low->arg, high->arg);
	if (given(a[0]))
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
	if (!given(a[0]) && !given(a[1]))
		return error_set(GT_EINVAL, "clamp: at least one of min and max is needed");
	if ((!given(a[0]) || operand_need(a[0], &low)) && (!given(a[1]) || operand_need(a[1], &high)))
		out = tensor_wrap(clamped(t, a, &low, &high));
	operand_end(&low);
	operand_end(&high);
	return out;
}

PyObject *method_clamp_(PyObject *self, PyObject **a)
{
	PyObject *x = method_clamp(self, a);
	PyObject *out = x ? copy_into(self, gt_arg_tensor(tensor_get(x))) : NULL;

	Py_XDECREF(x);
	return out;
}

/* ---- extremes ---------------------------------------------------------------------------------------------------- */

typedef gt_tensor *reduce_at(const gt_site *, gt_tensor *, gt_reduce);

static PyObject *pair_of(PyObject *values, PyObject *indices)
{
	static PyStructSequence_Field fields[] = {
		{ "values", "the elements" },
		{ "indices", "where they are" },
		{ 0 },
	};
	static PyStructSequence_Desc desc = { "gt.ValuesIndices", "Result of max and min along a dim.", fields, 2 };
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

/* The values are gathered at the indices, so the gradient goes to these elements alone, as in PyTorch. */
static PyObject *values_indices(gt_tensor *t, gt_reduce r, reduce_at *index_of)
{
	bool keep = r.keepdims || gt_rank(t) == 0;
	gt_tensor *at, *values = NULL;
	PyObject *out = NULL;

	r.keepdims = true;
	at = index_of(site_here(), t, r);
	if (!at)
		return error_raise();
	values = gt_rank(t) == 0 ? gt_clone_at(site_here(), t) : gt_gather_at(site_here(), t, at, r.axis);
	if (!keep)
		out = pair_of(without_axis(values, r.axis), without_axis(at, r.axis));
	else if (values)
		out = pair_of(tensor_wrap(gt_keep(values)), tensor_wrap(gt_keep(at)));
	gt_drop(at);
	gt_drop(values);
	return out ? out : error_raise();
}

static PyObject *extreme(PyObject *self, PyObject **a, reduce_at *f, reduce_at *index_of, number_binary_at *of_two)
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

	if (!t || !operand_axes(alone ? NULL : a[0], &r) || !operand_bool(a[2], false, &r.keepdims) ||
			!operand_double(a[3], 1, &correction))
		return NULL;
	if (given(unbiased))
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

/* ---- casts ----------------------------------------------------------------------------------------------------------- */

/* x.to(dtype), x.to('cpu'), x.to(other), x.to('cpu', dtype): what the first argument is decides. */
PyObject *method_to(PyObject *self, PyObject **a)
{
	PyObject *what = a[0];
	gt_dtype d = GT_DTYPE_NONE;

	if (what && tensor_is(what))
		d = gt_dtype_of(((tensor *)what)->t);
	else if (what && (!PyUnicode_Check(what) || PyUnicode_CompareWithASCIIString(what, "cpu") != 0) &&
			!dtype_get(what, GT_DTYPE_NONE, &d))
		return NULL;
	return dtype_get(a[1], d, &d) ? tensor_from(self, d) : NULL;
}

PyObject *method_astype(PyObject *self, PyObject **a)
{
	gt_dtype d;

	return dtype_get(a[0], GT_DTYPE_NONE, &d) ? tensor_from(self, d) : NULL;
}

PyObject *method_type_as(PyObject *self, PyObject **a)
{
	gt_tensor *other = tensor_get(a[0]);

	return other ? tensor_from(self, gt_dtype_of(other)) : NULL;
}

#define CAST(name, dtype) \
PyObject *method_##name(PyObject *self, PyObject **a) { (void)a; return tensor_from(self, dtype); }
CAST(float, GT_FLOAT32)
CAST(double, GT_FLOAT64)
CAST(int, GT_INT32)
CAST(long, GT_INT64)
CAST(bool, GT_BOOL)

/* ---- facts ------------------------------------------------------------------------------------------------------------- */

PyObject *method_size(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	gt_shape shape;
	int64_t n;
	int axis;

	if (!t)
		return NULL;
	shape = gt_shape_of(t);
	if (!given(a[0]))
		return read_shape(&shape);
	if (!operand_axis(a[0], &axis))
		return NULL;
	n = gt_dim(t, axis);
	return n < 0 ? error_raise() : PyLong_FromLongLong(n);
}

PyObject *method_dim(PyObject *self, PyObject **a)
{
	(void)a;
	return PyLong_FromLong(gt_rank(((tensor *)self)->t));
}

PyObject *method_numel(PyObject *self, PyObject **a)
{
	(void)a;
	return PyLong_FromLongLong(gt_count(((tensor *)self)->t));
}

PyObject *method_nelement(PyObject *self, PyObject **a)
{
	return method_numel(self, a);
}

PyObject *method_element_size(PyObject *self, PyObject **a)
{
	(void)a;
	return PyLong_FromSize_t(gt_dtype_size(gt_dtype_of(((tensor *)self)->t)));
}

PyObject *method_is_floating_point(PyObject *self, PyObject **a)
{
	gt_dtype d = gt_dtype_of(((tensor *)self)->t);

	(void)a;
	return PyBool_FromLong(d == GT_FLOAT32 || d == GT_FLOAT64);
}

PyObject *method_contiguous(PyObject *self, PyObject **a)
{
	(void)a;
	return Py_NewRef(self);
}

PyObject *method_is_contiguous(PyObject *self, PyObject **a)
{
	(void)self, (void)a;
	return Py_NewRef(Py_True);
}

PyObject *method_cpu(PyObject *self, PyObject **a)
{
	(void)a;
	return Py_NewRef(self);
}

/* ---- copying and pickling ------------------------------------------------------------------------------------------------ */

PyObject *method___reduce_ex__(PyObject *self, PyObject **a)
{
	(void)self, (void)a;
	PyErr_SetString(PyExc_TypeError, "tensors are not pickled: save them with gt.save, or send x.numpy()");
	return NULL;
}

static PyObject *twin(PyObject *self, gt_tensor *elements)
{
	PyObject *x = tensor_wrap(elements);

	if (x && gt_needs_grad(((tensor *)self)->t) && gt_set_requires_grad(elements, true) != GT_OK) {
		Py_DECREF(x);
		return error_raise();
	}
	return x;
}

PyObject *method___copy__(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);

	(void)a;
	return t ? twin(self, gt_detach_at(site_here(), t)) : NULL;
}

PyObject *method___deepcopy__(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self), *plain, *copy;
	PyObject *key, *x;

	if (!t)
		return NULL;
	if (!gt_is_leaf(t))
		return error_set(GT_EGRAD, "only leaves of a gradient's graph can be deep-copied: use .detach() first");
	plain = gt_detach_at(site_here(), t);
	copy = gt_clone_at(site_here(), plain);
	gt_drop(plain);
	x = twin(self, copy);
	key = x ? PyLong_FromVoidPtr(self) : NULL;
	if (x && (!key || PyObject_SetItem(a[0], key, x) < 0))
		Py_CLEAR(x);
	Py_XDECREF(key);
	return x;
}

/* Whether any element equals `value`. */
int short_contains(PyObject *self, PyObject *value)
{
	PyObject *equal = number_binary(self, value, gt_eq_at), *any, *truth;
	int found = -1;

	if (!equal || equal == Py_NotImplemented) {
		Py_XDECREF(equal);
		return equal ? 0 : -1;
	}
	any = tensor_wrap(gt_any_at(site_here(), tensor_get(equal), (gt_reduce){ .axis = GT_ALL_AXES }));
	truth = any ? read_item(any) : NULL;
	if (truth)
		found = PyObject_IsTrue(truth);
	Py_DECREF(equal);
	Py_XDECREF(any);
	Py_XDECREF(truth);
	return found;
}
