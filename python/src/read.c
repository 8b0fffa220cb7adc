/* read.c: reading: elements as Python numbers, lists, buffers; never copied where a buffer will do.
 *
 * A Memory owns one fetch and offers its elements by the buffer protocol, read-only. Arrays and
 * memoryviews hold it, so the elements live as long as any of them, also after gt.disconnect().
 */
#include "gtpy.h"

typedef struct memory {
	PyObject_HEAD
	gt_fetch *f;
	uint64_t epoch;
	gt_dtype dtype;
	gt_shape shape;
	Py_ssize_t dims[GT_RANK_MAX], strides[GT_RANK_MAX];   /* what buffers point to */
} memory;

static PyTypeObject *memory_type;

gt_fetch *read_fetch(gt_tensor *t)
{
	gt_fetch *f = gt_read_begin(t);

	if (!f)
		return error_raise();
	if (session_wait(f))
		return f;
	gt_fetch_end(f);
	return NULL;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static PyObject *make_memory(gt_tensor *t)
{
	gt_fetch *f = read_fetch(t);
	memory *m = f ? PyObject_New(memory, memory_type) : NULL;
	Py_ssize_t stride;

	if (!m) {
		gt_fetch_end(f);
		return NULL;
	}
	m->f = f;
	m->epoch = session.epoch;
	m->dtype = gt_dtype_of(t);
	m->shape = gt_shape_of(t);
	stride = (Py_ssize_t)gt_dtype_size(m->dtype);
	for (int k = m->shape.rank - 1; k >= 0; k--) {
		m->dims[k] = (Py_ssize_t)m->shape.dims[k];
		m->strides[k] = stride;
		stride *= m->dims[k];
	}
	return (PyObject *)m;
}

static void memory_dealloc(PyObject *self)
{
	memory *m = (memory *)self;
	PyTypeObject *type = Py_TYPE(self);

	if (!session_foreign(m->epoch))
		gt_fetch_end(m->f);
	PyObject_Free(self);
	Py_DECREF(type);
}

static int memory_buffer(PyObject *self, Py_buffer *view, int flags)
{
	static char nothing[8];
	memory *m = (memory *)self;
	void *data = (void *)(uintptr_t)gt_fetch_data(m->f);
	Py_ssize_t count = 1;

	if (flags & PyBUF_WRITABLE) {
		view->obj = NULL;
		PyErr_SetString(PyExc_BufferError,
				"the elements of a tensor are read-only: copy them");
		return -1;
	}
	if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && m->shape.rank > 1) {
		view->obj = NULL;
		PyErr_SetString(PyExc_BufferError,
				"the elements of a tensor are read in row-major order only");
		return -1;
	}
	for (int k = 0; k < m->shape.rank; k++)
		count *= m->dims[k];
	view->obj = Py_NewRef(self);
	view->buf = data ? data : nothing;
	view->itemsize = (Py_ssize_t)gt_dtype_size(m->dtype);
	view->len = count * view->itemsize;
	view->readonly = 1;
	view->ndim = m->shape.rank;
	view->format = flags & PyBUF_FORMAT ? (char *)(uintptr_t)dtype_format(m->dtype) : NULL;
	view->shape = flags & PyBUF_ND ? m->dims : NULL;
	view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? m->strides : NULL;
	view->suboffsets = NULL;
	view->internal = NULL;
	return 0;
}

static PyType_Slot memory_slots[] = {
	{ Py_tp_dealloc, memory_dealloc },
	{ Py_bf_getbuffer, memory_buffer },
	{ Py_tp_doc, "Elements that were read, for the buffer protocol." },
	{ 0 },
};

static PyType_Spec memory_spec = {
	.name = "gt._gt.Memory",
	.basicsize = sizeof(memory),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = memory_slots,
};

bool read_init(PyObject *module)
{
	(void)module;
	memory_type = (PyTypeObject *)PyType_FromSpec(&memory_spec);
	return memory_type != NULL;
}

int read_buffer(PyObject *self, Py_buffer *view, int flags)
{
	gt_tensor *t = tensor_get(self);
	PyObject *m = t ? make_memory(t) : NULL;
	int failed = m ? PyObject_GetBuffer(m, view, flags) : -1;

	if (!m)
		view->obj = NULL;
	Py_XDECREF(m);
	return failed;
}

/* ---- NumPy ---------------------------------------------------------------------------------- */

static PyObject *array_of(PyObject *self, const char *function)
{
	gt_tensor *t = tensor_get(self);
	PyObject *numpy = t ? PyImport_ImportModule("numpy") : NULL;
	PyObject *m = numpy ? make_memory(t) : NULL;
	PyObject *array = m ? PyObject_CallMethod(numpy, function, "O", m) : NULL;

	Py_XDECREF(numpy);
	Py_XDECREF(m);
	return array;
}

PyObject *method_numpy(PyObject *self, PyObject **a)
{
	bool copy;

	return operand_bool(a[0], false, &copy) ? array_of(self, copy ? "array" : "asarray") : NULL;
}

/* NumPy's protocol: copy True asks for an array of one's own. */
PyObject *method___array__(PyObject *self, PyObject **a)
{
	bool copy = a[1] && a[1] == Py_True;
	PyObject *plain = array_of(self, copy ? "array" : "asarray"), *out;

	if (!plain || !a[0] || a[0] == Py_None)
		return plain;
	out = PyObject_CallMethod(plain, "astype", "O", a[0]);
	Py_DECREF(plain);
	return out;
}

/* ---- Python numbers ------------------------------------------------------------------------- */

static PyObject *number(gt_dtype d, const void *data, int64_t i)
{
	switch (d) {
	case GT_FLOAT32:
		return PyFloat_FromDouble(((const float *)data)[i]);
	case GT_FLOAT64:
		return PyFloat_FromDouble(((const double *)data)[i]);
	case GT_INT32:
		return PyLong_FromLong(((const int32_t *)data)[i]);
	case GT_INT64:
		return PyLong_FromLongLong(((const int64_t *)data)[i]);
	default:
		return PyBool_FromLong(((const uint8_t *)data)[i]);
	}
}

PyObject *read_item(PyObject *self)
{
	gt_tensor *t = tensor_get(self);
	gt_fetch *f;
	PyObject *out;

	if (!t)
		return NULL;
	if (UNLIKELY(gt_count(t) != 1))
		return error_set(GT_EINVAL,
				"a tensor of %lld elements is not one number: use .tolist()",
				(long long)gt_count(t));
	f = read_fetch(t);
	if (!f)
		return NULL;
	out = number(gt_dtype_of(t), gt_fetch_data(f), 0);
	gt_fetch_end(f);
	return out;
}

PyObject *method_item(PyObject *self, PyObject **a)
{
	(void)a;
	return read_item(self);
}

typedef struct walk { gt_dtype dtype; const gt_shape *shape; const void *data; int64_t next; } walk;

static PyObject *list_of(walk *w, int axis)
{
	PyObject *list;

	if (axis == w->shape->rank)
		return number(w->dtype, w->data, w->next++);
	list = PyList_New((Py_ssize_t)w->shape->dims[axis]);
	for (int64_t i = 0; list && i < w->shape->dims[axis]; i++) {
		PyObject *item = list_of(w, axis + 1);

		if (!item)
			Py_CLEAR(list);
		else
			PyList_SetItem(list, (Py_ssize_t)i, item);
	}
	return list;
}

PyObject *method_tolist(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	gt_fetch *f = t ? read_fetch(t) : NULL;
	gt_shape shape = gt_shape_of(t);
	PyObject *out;

	(void)a;
	if (!f)
		return NULL;
	out = list_of(&(walk){ gt_dtype_of(t), &shape, gt_fetch_data(f), 0 }, 0);
	gt_fetch_end(f);
	return out;
}

/* f"{loss:.3f}": the number of a tensor without dims, else the text of repr. */
PyObject *method___format__(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	PyObject *value, *text;

	if (!t)
		return NULL;
	value = gt_rank(t) == 0 ? read_item(self) : PyObject_Repr(self);
	text = value ? PyObject_Format(value, a[0]) : NULL;
	Py_XDECREF(value);
	return text;
}

PyObject *read_shape(const gt_shape *s)
{
	PyObject *out = PyTuple_New(s->rank < 0 ? 0 : s->rank);

	for (int k = 0; out && k < s->rank; k++) {
		PyObject *dim = PyLong_FromLongLong(s->dims[k]);

		if (!dim)
			Py_CLEAR(out);
		else
			PyTuple_SetItem(out, k, dim);
	}
	return out;
}
