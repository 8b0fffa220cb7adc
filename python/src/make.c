/* make.c: functions that make tensors: from data, filled, random, in sequence. */
#include "gtpy.h"

/* ---- common arguments ----------------------------------------------------------------------- */

static bool check_device(PyObject *device)
{
	if (!device || device == Py_None)
		return true;
	if (PyUnicode_Check(device) && PyUnicode_CompareWithASCIIString(device, "cpu") == 0)
		return true;
	error_set(GT_EUNSUPPORTED, "device %R: there is only 'cpu'", device);
	return false;
}

/* What creation functions have in common at the end: dtype, requires_grad, device. */
typedef struct common { gt_client *client; gt_make make; bool requires_grad; } common;

static bool read_common(PyObject **a, common *to)
{
	to->client = session_client();
	return to->client && dtype_get(a[0], GT_DTYPE_NONE, &to->make.dtype) &&
			operand_bool(a[1], false, &to->requires_grad) && check_device(a[2]);
}

static PyObject *finish(gt_tensor *t, const common *c)
{
	PyObject *x = tensor_wrap(t);

	if (x && c->requires_grad && gt_set_requires_grad(t, true) != GT_OK) {
		Py_DECREF(x);
		return error_raise();
	}
	return x;
}

/* ---- from data ------------------------------------------------------------------------------ */

static gt_tensor *upload(const Py_buffer *view, gt_dtype dtype)
{
	gt_shape shape = { .rank = view->ndim };
	void *copy = NULL;
	gt_tensor *t = NULL;

	for (int k = 0; k < view->ndim; k++)
		shape.dims[k] = view->shape[k];
	if (!PyBuffer_IsContiguous(view, 'C')) {
		copy = PyMem_Malloc((size_t)view->len + 1);
		if (!copy)
			return (gt_tensor *)PyErr_NoMemory();
		if (PyBuffer_ToContiguous(copy, view, view->len, 'C') < 0)
			goto out;
	}
	t = gt_from_at(site_here(), session.client, dtype, shape, copy ? copy : view->buf);
out:
	PyMem_Free(copy);
	return t;
}

/* 1 with a tensor in *to; 0 if its dtype is not ours or NumPy has no buffer for it; or -1. */
static int from_buffer(PyObject *o, PyObject **to)
{
	Py_buffer view;
	gt_dtype d;

	*to = NULL;
	if (PyObject_GetBuffer(o, &view, PyBUF_FULL_RO) < 0) {
		if (!PyObject_HasAttrString(o, "dtype"))
			return -1;
		PyErr_Clear();
		return 0;
	}
	d = dtype_of_format(view.format);
	if (view.ndim > GT_RANK_MAX)
		error_set(GT_ELIMIT, "an array of %d dims; the limit is %d", view.ndim,
				GT_RANK_MAX);
	else if (d != GT_DTYPE_NONE)
		*to = tensor_wrap(upload(&view, d));
	PyBuffer_Release(&view);
	return *to ? 1 : PyErr_Occurred() ? -1 : 0;
}

/* An array that is not ours to read as it is: NumPy may convert it to the dtype asked for. */
static PyObject *converted(PyObject *o, gt_dtype dtype)
{
	PyObject *dt = PyObject_GetAttrString(o, "dtype"), *same, *x = NULL;

	if (dtype == GT_DTYPE_NONE || !PyObject_HasAttrString(o, "astype")) {
		error_set(GT_EDTYPE, "an array of %S cannot become a tensor as it is: give dtype=, "
				"as in gt.tensor(a, dtype=gt.float32)",
				dt ? dt : (PyObject *)Py_TYPE(o));
		Py_XDECREF(dt);
		return NULL;
	}
	Py_XDECREF(dt);
	same = PyObject_CallMethod(o, "astype", "s", gt_dtype_name(dtype));
	if (same && from_buffer(same, &x) == 0)
		error_set(GT_EDTYPE, "astype(%s) gave %R", gt_dtype_name(dtype), Py_TYPE(same));
	Py_XDECREF(same);
	return x;
}

static PyObject *recast(PyObject *x, gt_dtype dtype)
{
	PyObject *out = tensor_from(x, dtype);

	Py_DECREF(x);
	return out;
}

static PyObject *from_array(PyObject *o, gt_dtype dtype)
{
	PyObject *x;
	int found = from_buffer(o, &x);

	if (found < 0)
		return NULL;
	return found ? recast(x, dtype) : converted(o, dtype);
}

static PyObject *from_lists(PyObject *o, gt_dtype dtype)
{
	gt_shape shape;
	void *data;
	gt_tensor *t;

	if (!nest_read(o, &dtype, &shape, &data))
		return NULL;
	t = session_client() ? gt_from_at(site_here(), session.client, dtype, shape, data) : NULL;
	PyMem_Free(data);
	return tensor_wrap(t);
}

static PyObject *from_protocol(PyObject *o, gt_dtype dtype)
{
	PyObject *array = PyObject_CallMethod(o, "__array__", NULL);
	PyObject *x = array ? make_numbers(array, dtype) : NULL;

	Py_XDECREF(array);
	return x;
}

PyObject *make_numbers(PyObject *o, gt_dtype dtype)
{
	bool list = PyList_Check(o) || PyTuple_Check(o);

	if (!session_client())
		return NULL;
	if (!list && !PyBytes_Check(o) && !PyByteArray_Check(o) && PyObject_CheckBuffer(o))
		return from_array(o, dtype);
	if (!list && !PyNumber_Check(o) && PyObject_HasAttrString(o, "__array__"))
		return from_protocol(o, dtype);
	if (list || PyNumber_Check(o) ||
			(PySequence_Check(o) && !PyUnicode_Check(o) && !PyBytes_Check(o)))
		return from_lists(o, dtype);
	PyErr_Format(PyExc_TypeError,
			"no tensor can be made of %R: expected numbers, nested lists of numbers, "
			"or an array", Py_TYPE(o));
	return NULL;
}

/* What was made here is its only owner's already; a tensor that was given is copied. */
static PyObject *copied(PyObject *o, gt_dtype dtype)
{
	PyObject *x = tensor_from(o, dtype);
	gt_tensor *copy;

	if (!x || !tensor_is(o))
		return x;
	copy = gt_clone_at(site_here(), tensor_get(x));
	Py_DECREF(x);
	x = tensor_wrap(copy ? gt_detach_at(site_here(), copy) : NULL);
	gt_drop(copy);
	return x;
}

PyObject *function_tensor(PyObject **a)
{
	common c;
	PyObject *x;

	if (!read_common(a + 1, &c))
		return NULL;
	x = copied(a[0], c.make.dtype);
	if (x && c.requires_grad && gt_set_requires_grad(tensor_get(x), true) != GT_OK) {
		Py_DECREF(x);
		return error_raise();
	}
	return x;
}

PyObject *function_as_tensor(PyObject **a)
{
	gt_dtype d;

	if (!dtype_get(a[1], GT_DTYPE_NONE, &d) || !check_device(a[2]))
		return NULL;
	return tensor_from(a[0], d);
}

PyObject *function_from_numpy(PyObject **a)
{
	if (!tensor_is(a[0]) && PyObject_CheckBuffer(a[0]))
		return session_client() ? from_array(a[0], GT_DTYPE_NONE) : NULL;
	PyErr_Format(PyExc_TypeError,
			"from_numpy: expected an array, not %R; gt.tensor takes lists and numbers",
			Py_TYPE(a[0]));
	return NULL;
}

/* ---- filled --------------------------------------------------------------------------------- */

static PyObject *filled(PyObject *size, PyObject **rest, gt_arg value)
{
	gt_shape shape;
	common c;

	if (!operand_shape(size, &shape) || !read_common(rest, &c))
		return NULL;
	return finish(gt_full_at(site_here(), c.client, shape, value, c.make), &c);
}

PyObject *function_zeros(PyObject **a)
{
	return filled(a[0], a + 1, gt_arg_float(0));
}

PyObject *function_ones(PyObject **a)
{
	return filled(a[0], a + 1, gt_arg_float(1));
}

PyObject *function_empty(PyObject **a)
{
	return filled(a[0], a + 1, gt_arg_float(0));
}

static bool scalar(PyObject *o, operand *v)
{
	if (!operand_need(o, v))
		return false;
	if (v->arg.kind != GT_ARG_TENSOR)
		return true;
	operand_end(v);
	PyErr_SetString(PyExc_TypeError,
			"the fill value has to be a number: take a tensor's by .item()");
	return false;
}

PyObject *function_full(PyObject **a)
{
	operand v;

	return scalar(a[1], &v) ? filled(a[0], a + 2, v.arg) : NULL;
}

static PyObject *filled_like(PyObject *model, PyObject **rest, gt_arg value)
{
	gt_tensor *x = tensor_get(model);
	common c;

	if (!x || !read_common(rest, &c))
		return NULL;
	return finish(gt_full_like_at(site_here(), x, value, c.make), &c);
}

PyObject *function_zeros_like(PyObject **a)
{
	return filled_like(a[0], a + 1, gt_arg_int(0));
}

PyObject *function_ones_like(PyObject **a)
{
	return filled_like(a[0], a + 1, gt_arg_int(1));
}

PyObject *function_empty_like(PyObject **a)
{
	return filled_like(a[0], a + 1, gt_arg_int(0));
}

PyObject *function_full_like(PyObject **a)
{
	operand v;

	return scalar(a[1], &v) ? filled_like(a[0], a + 2, v.arg) : NULL;
}

/* ---- random --------------------------------------------------------------------------------- */

typedef gt_tensor *random_at(const gt_site *, gt_client *, gt_shape, gt_make);
typedef gt_tensor *random_like_at(const gt_site *, gt_tensor *, gt_make);

static PyObject *drawn(PyObject **a, random_at *f)
{
	gt_shape shape;
	common c;

	if (!operand_shape(a[0], &shape) || !read_common(a + 1, &c))
		return NULL;
	return finish(f(site_here(), c.client, shape, c.make), &c);
}

PyObject *function_rand(PyObject **a)
{
	return drawn(a, gt_rand_at);
}

PyObject *function_randn(PyObject **a)
{
	return drawn(a, gt_randn_at);
}

static PyObject *drawn_like(PyObject **a, random_like_at *f)
{
	gt_tensor *x = tensor_get(a[0]);
	common c;

	if (!x || !read_common(a + 1, &c))
		return NULL;
	return finish(f(site_here(), x, c.make), &c);
}

PyObject *function_rand_like(PyObject **a)
{
	return drawn_like(a, gt_rand_like_at);
}

PyObject *function_randn_like(PyObject **a)
{
	return drawn_like(a, gt_randn_like_at);
}

/* randint(high, shape) and randint(low, high, shape). */
PyObject *function_randint(PyObject **a)
{
	bool from_zero = !a[2];
	PyObject *high = from_zero ? a[0] : a[1], *size = from_zero ? a[1] : a[2];
	int64_t lo = 0, hi;
	gt_shape shape;
	common c;

	if (!high || !size) {
		PyErr_SetString(PyExc_TypeError,
				"randint: expected (high, shape) or (low, high, shape)");
		return NULL;
	}
	if ((!from_zero && !operand_int(a[0], &lo)) || !operand_int(high, &hi) ||
			!operand_shape(size, &shape) || !read_common(a + 3, &c))
		return NULL;
	return finish(gt_randint_at(site_here(), c.client, lo, hi, shape, c.make), &c);
}

/* ---- in sequence ---------------------------------------------------------------------------- */

/* arange(stop), arange(start, stop), arange(start, stop, step). */
PyObject *function_arange(PyObject **a)
{
	operand start = { gt_arg_int(0), NULL }, stop, step = { gt_arg_int(1), NULL };
	PyObject *last = a[1] ? a[1] : a[0];
	common c;

	if (!last) {
		PyErr_SetString(PyExc_TypeError,
				"arange: expected (stop), (start, stop) or (start, stop, step)");
		return NULL;
	}
	if ((a[1] && a[0] && !scalar(a[0], &start)) || !scalar(last, &stop) ||
			(a[2] && !scalar(a[2], &step)) || !read_common(a + 3, &c))
		return NULL;
	return finish(gt_arange_at(site_here(), c.client, start.arg, stop.arg, step.arg,
			c.make), &c);
}

PyObject *function_linspace(PyObject **a)
{
	double start, stop;
	int64_t n;
	common c;

	if (!operand_double(a[0], 0, &start) || !operand_double(a[1], 0, &stop) ||
			!operand_int(a[2], &n) || !read_common(a + 3, &c))
		return NULL;
	return finish(gt_linspace_at(site_here(), c.client, start, stop, n, c.make), &c);
}

PyObject *function_eye(PyObject **a)
{
	int64_t n, m;
	common c;

	if (!operand_int(a[0], &n) || !operand_int(a[1] && a[1] != Py_None ? a[1] : a[0], &m) ||
			!read_common(a + 2, &c))
		return NULL;
	return finish(gt_eye_at(site_here(), c.client, n, m, c.make), &c);
}
