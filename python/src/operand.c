/* operand.c: Python values as arguments of the C API: numbers, shapes, axes, flags.
 *
 * A Python number stays a number (it takes part in promotion by its kind only), and so does a NumPy
 * scalar; a list or an array becomes a tensor.
 */
#include "gtpy.h"

/* ---- tensors and numbers -------------------------------------------------------------------- */

static int set_int(PyObject *o, operand *to)
{
	long long v = PyLong_AsLongLong(o);

	if (v == -1 && PyErr_Occurred())
		return -1;
	to->arg = gt_arg_int(v);
	return 1;
}

static int set_index(PyObject *o, operand *to)
{
	PyObject *n = PyNumber_Index(o);
	int ok = n ? set_int(n, to) : -1;

	Py_XDECREF(n);
	return ok;
}

static int set_float(PyObject *o, operand *to)
{
	double v = PyFloat_AsDouble(o);

	if (v == -1 && PyErr_Occurred())
		return -1;
	to->arg = gt_arg_float(v);
	return 1;
}

static int set_tensor(PyObject *o, operand *to)
{
	gt_tensor *t;

	to->held = tensor_from(o, GT_DTYPE_NONE);
	if (!to->held || !(t = tensor_get(to->held))) {
		Py_CLEAR(to->held);
		return -1;
	}
	to->arg = gt_arg_tensor(t);
	return 1;
}

/* NumPy's scalars and arrays; an array without dims counts as a scalar. */
static int set_array(PyObject *o, operand *to)
{
	Py_buffer view;
	char kind;

	if (PyObject_GetBuffer(o, &view, PyBUF_FULL_RO) < 0) {
		PyErr_Clear();
		return set_tensor(o, to);
	}
	if (view.ndim) {
		PyBuffer_Release(&view);
		return set_tensor(o, to);
	}
	kind = view.format ? view.format[strcspn(view.format, "?bBhHiIlLqQefdg")] : 'B';
	PyBuffer_Release(&view);
	if (kind == '?') {
		int v = PyObject_IsTrue(o);
		to->arg = gt_arg_bool(v > 0);
		return v < 0 ? -1 : 1;
	}
	return strchr("efdg", kind) ? set_float(o, to) : set_index(o, to);
}

static bool is_text(PyObject *o)
{
	return PyUnicode_Check(o) || PyBytes_Check(o) || PyByteArray_Check(o);
}

int operand_other(PyObject *o, operand *to)
{
	to->held = NULL;
	if (tensor_is(o))
		return tensor_get(o) ? 1 : -1;
	if (PyFloat_Check(o))
		return set_float(o, to);
	if (PyBool_Check(o)) {
		to->arg = gt_arg_bool(o == Py_True);
		return 1;
	}
	if (PyLong_Check(o))
		return set_int(o, to);
	if (o == Py_None || is_text(o) || PyComplex_Check(o))
		return 0;
	if (PyObject_CheckBuffer(o))
		return set_array(o, to);
	if (PyList_Check(o) || PyTuple_Check(o) || PyObject_HasAttrString(o, "__array__"))
		return set_tensor(o, to);
	if (PyIndex_Check(o))
		return set_index(o, to);
	return PyObject_HasAttrString(o, "__float__") ? set_float(o, to) : 0;
}

bool operand_need(PyObject *o, operand *to)
{
	int ok = operand_get(o, to);

	if (ok == 0)
		PyErr_Format(PyExc_TypeError, "a tensor or a number was expected, not %R",
				Py_TYPE(o));
	return ok > 0;
}

/* ---- single values -------------------------------------------------------------------------- */

bool operand_int(PyObject *o, int64_t *to)
{
	PyObject *n = PyNumber_Index(o);

	if (!n)
		return false;
	*to = PyLong_AsLongLong(n);
	Py_DECREF(n);
	return *to != -1 || !PyErr_Occurred();
}

bool operand_axis(PyObject *o, int *to)
{
	int64_t v;

	if (!operand_int(o, &v))
		return false;
	/* Far out of range stays out of range; GT_ALL_AXES is not a number that users can hit. */
	*to = v > INT32_MAX ? INT32_MAX : v <= INT32_MIN ? INT32_MIN + 1 : (int)v;
	return true;
}

bool operand_bool(PyObject *o, bool absent, bool *to)
{
	int v = o ? PyObject_IsTrue(o) : absent;

	*to = v > 0;
	return v >= 0;
}

bool operand_double(PyObject *o, double absent, double *to)
{
	*to = o ? PyFloat_AsDouble(o) : absent;
	return *to != -1 || !PyErr_Occurred();
}

bool operand_reduction(PyObject *o, gt_reduction *to)
{
	static const char *const names[] = {
		[GT_MEAN] = "mean", [GT_SUM] = "sum", [GT_NONE] = "none",
	};
	const char *text = o ? PyUnicode_Check(o) ? PyUnicode_AsUTF8AndSize(o, NULL) : "" : "mean";

	if (!text)
		return false;
	for (int k = GT_MEAN; k <= GT_NONE; k++) {
		if (strcmp(names[k], text) == 0) {
			*to = (gt_reduction)k;
			return true;
		}
	}
	error_set(GT_EINVAL, "reduction is %R: expected 'mean', 'sum' or 'none'", o);
	return false;
}

/* ---- several values ------------------------------------------------------------------------- */

static bool read_dims(PyObject *o, gt_shape *to)
{
	Py_ssize_t n = PySequence_Size(o);

	if (n < 0)
		return false;
	if (n > GT_RANK_MAX) {
		error_set(GT_ELIMIT, "%zd dims are given; the limit is %d", n, GT_RANK_MAX);
		return false;
	}
	to->rank = (int)n;
	for (Py_ssize_t k = 0; k < n; k++) {
		PyObject *dim = PySequence_GetItem(o, k);
		bool ok = dim && operand_int(dim, &to->dims[k]);

		Py_XDECREF(dim);
		if (!ok)
			return false;
	}
	return true;
}

bool operand_shape(PyObject *o, gt_shape *to)
{
	if (!o) {
		to->rank = 0;
		return true;
	}
	if (PyTuple_Check(o) || PyList_Check(o))
		return read_dims(o, to);
	if (PyIndex_Check(o)) {
		to->rank = 1;
		return operand_int(o, &to->dims[0]);
	}
	if (PySequence_Check(o) && !is_text(o))
		return read_dims(o, to);
	PyErr_Format(PyExc_TypeError, "a shape is ints or one tuple of ints, not %R", Py_TYPE(o));
	return false;
}

/* No axes at all mean all of them, as in PyTorch. */
bool operand_axes(PyObject *o, gt_reduce *to)
{
	gt_shape list;

	to->axis = GT_ALL_AXES;
	to->naxes = 0;
	if (!o || o == Py_None)
		return true;
	if (PyLong_Check(o))
		return operand_axis(o, &to->axis);
	if (!operand_shape(o, &list))
		return false;
	for (int k = 0; k < list.rank; k++) {
		int64_t v = list.dims[k];
		to->axes[k] = v > INT32_MAX || v <= INT32_MIN ? INT32_MAX : (int)v;
	}
	to->naxes = list.rank;
	return true;
}
