/* short.c: methods of a few lines: in-place forms, casts, facts, copying. */
#include "gtpy.h"

/* ---- x + alpha * y -------------------------------------------------------------------------- */

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

/* ---- copies into a tensor ------------------------------------------------------------------- */

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

PyObject *method_clamp_(PyObject *self, PyObject **a)
{
	PyObject *x = method_clamp(self, a);
	PyObject *out = x ? method_copy_(self, &x) : NULL;

	Py_XDECREF(x);
	return out;
}

/* ---- casts ---------------------------------------------------------------------------------- */

static bool is_cpu(PyObject *o)
{
	return PyUnicode_Check(o) && PyUnicode_CompareWithASCIIString(o, "cpu") == 0;
}

/* x.to(dtype), x.to('cpu'), x.to(other), x.to('cpu', dtype): what the first argument is decides. */
PyObject *method_to(PyObject *self, PyObject **a)
{
	PyObject *what = a[0];
	gt_dtype d = GT_DTYPE_NONE;

	if (what && tensor_is(what))
		d = gt_dtype_of(((tensor *)what)->t);
	else if (what && !is_cpu(what) && !dtype_get(what, GT_DTYPE_NONE, &d))
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

/* ---- facts ---------------------------------------------------------------------------------- */

PyObject *method_size(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	gt_shape shape;
	int64_t n;
	int axis;

	if (!t)
		return NULL;
	shape = gt_shape_of(t);
	if (!operand_given(a[0]))
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

/* ---- copying and pickling ------------------------------------------------------------------- */

PyObject *method___reduce_ex__(PyObject *self, PyObject **a)
{
	(void)self, (void)a;
	PyErr_SetString(PyExc_TypeError,
			"tensors are not pickled: save them with gt.save, or send x.numpy()");
	return NULL;
}

static PyObject *twin(PyObject *self, gt_tensor *elements)
{
	PyObject *x = tensor_wrap(elements);

	if (x && gt_needs_grad(((tensor *)self)->t) &&
			gt_set_requires_grad(elements, true) != GT_OK) {
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
		return error_set(GT_EGRAD, "only leaves of a gradient's graph can be deep-copied: "
				"use .detach() first");
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
	any = tensor_wrap(gt_any_at(site_here(), tensor_get(equal),
			(gt_reduce){ .axis = GT_ALL_AXES }));
	truth = any ? read_item(any) : NULL;
	if (truth)
		found = PyObject_IsTrue(truth);
	Py_DECREF(equal);
	Py_XDECREF(any);
	Py_XDECREF(truth);
	return found;
}
