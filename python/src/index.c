/* index.c: x[...] and x[...] = value: subscripts as the C API takes them.
 *
 * An int, a slice, `...`, None, a tensor, a list, an array, or a tuple of those. True stands for
 * None, as in NumPy; False, which would pick nothing along a new dim, is refused.
 */
#include "gtpy.h"

#define SUBSCRIPTS_MAX 32

typedef struct subscripts {
	int n, n_held;
	gt_index list[SUBSCRIPTS_MAX];
	PyObject *held[SUBSCRIPTS_MAX];    /* tensors made from lists and arrays */
} subscripts;

static bool add_int(gt_index *to, PyObject *o)
{
	to->kind = GT_INDEX_INT;
	to->i = PyLong_AsLongLong(o);
	if (to->i != -1 || !PyErr_Occurred())
		return true;
	if (PyErr_ExceptionMatches(PyExc_OverflowError))
		error_set(GT_EINDEX, "index %S is out of range", o);
	return false;
}

/* PySlice_Unpack turns an absent bound into the end of the int64 range on its side: the lowest one
 * is GT_NO_BOUND, the others are cut to the dim. */
static bool add_slice(gt_index *to, PyObject *o)
{
	Py_ssize_t start, stop, step;

	if (PySlice_Unpack(o, &start, &stop, &step) < 0)
		return false;
	to->kind = GT_INDEX_SLICE;
	to->start = start;
	to->stop = stop;
	to->step = step;
	return true;
}

static bool add_tensor(subscripts *s, gt_index *to, PyObject *o)
{
	to->kind = GT_INDEX_TENSOR;
	to->t = tensor_get(o);
	if (!to->t)
		return false;
	if (gt_dtype_of(to->t) == GT_FLOAT32 || gt_dtype_of(to->t) == GT_FLOAT64) {
		error_set(GT_EINDEX,
				"a tensor used as an index has to be of integers or bools, not %s",
				gt_dtype_name(gt_dtype_of(to->t)));
		return false;
	}
	s->held[s->n_held++] = Py_NewRef(o);
	return true;
}

static bool add_numbers(subscripts *s, gt_index *to, PyObject *o)
{
	bool empty = (PyList_Check(o) || PyTuple_Check(o)) && PySequence_Size(o) == 0;
	PyObject *x = tensor_from(o, empty ? GT_INT64 : GT_DTYPE_NONE);
	bool ok = x && add_tensor(s, to, x);

	Py_XDECREF(x);
	return ok;
}

static bool is_list(PyObject *o)
{
	return PyList_Check(o) || PyTuple_Check(o) || PyRange_Check(o) || PyObject_CheckBuffer(o);
}

/* An array without dims is an int too, so __index__ is tried first. */
static bool add_other(subscripts *s, gt_index *to, PyObject *o)
{
	PyObject *n = PyIndex_Check(o) ? PyNumber_Index(o) : NULL;
	bool ok;

	PyErr_Clear();
	if (n) {
		ok = add_int(to, n);
		Py_DECREF(n);
		return ok;
	}
	if (is_list(o) || PyObject_HasAttrString(o, "__array__"))
		return add_numbers(s, to, o);
	error_set(GT_EINDEX, "%R is no index: expected ints, slices, ..., None, lists, integer "
			"tensors or bool masks", o);
	return false;
}

static bool add(subscripts *s, PyObject *o)
{
	gt_index *to = &s->list[s->n];

	if (s->n == SUBSCRIPTS_MAX) {
		error_set(GT_ELIMIT, "more than %d subscripts", SUBSCRIPTS_MAX);
		return false;
	}
	s->n++;
	if (PyLong_CheckExact(o))
		return add_int(to, o);
	if (PySlice_Check(o))
		return add_slice(to, o);
	if (tensor_is(o))
		return add_tensor(s, to, o);
	to->kind = o == Py_Ellipsis ? GT_INDEX_ELLIPSIS : GT_INDEX_NEW;
	if (o == Py_Ellipsis || o == Py_None || o == Py_True)
		return true;
	if (o != Py_False)
		return add_other(s, to, o);
	error_set(GT_EUNSUPPORTED, "x[False] picks nothing: use a slice of no elements, or a mask");
	return false;
}

static void end(subscripts *s)
{
	while (s->n_held > 0)
		Py_DECREF(s->held[--s->n_held]);
}

static bool read_key(subscripts *s, PyObject *key)
{
	bool ok = true;

	s->n = s->n_held = 0;
	if (!PyTuple_Check(key)) {
		ok = add(s, key);
	} else {
		Py_ssize_t n = PyTuple_Size(key);

		for (Py_ssize_t k = 0; ok && k < n; k++)
			ok = add(s, PyTuple_GetItem(key, k));
	}
	if (!ok)
		end(s);
	return ok;
}

PyObject *index_get(PyObject *self, PyObject *key)
{
	gt_tensor *t = tensor_get(self);
	subscripts s;
	PyObject *out;

	if (!t || !read_key(&s, key))
		return NULL;
	out = tensor_wrap(gt_index_at(site_here(), t, s.list, s.n));
	end(&s);
	return out;
}

int index_set(PyObject *self, PyObject *key, PyObject *value)
{
	gt_tensor *t = tensor_get(self);
	subscripts s;
	operand v;
	gt_err e;

	if (!value)
		PyErr_SetString(PyExc_TypeError, "elements of a tensor cannot be deleted");
	if (!value || !t || !operand_need(value, &v))
		return -1;
	if (!read_key(&s, key)) {
		operand_end(&v);
		return -1;
	}
	e = gt_index_set_at(site_here(), t, s.list, s.n, v.arg);
	end(&s);
	operand_end(&v);
	if (e)
		error_raise();
	return e ? -1 : 0;
}

PyObject *index_item(PyObject *self, Py_ssize_t i)
{
	gt_tensor *t = tensor_get(self);
	gt_index one = { .kind = GT_INDEX_INT, .i = i };

	return t ? tensor_wrap(gt_index_at(site_here(), t, &one, 1)) : NULL;
}

Py_ssize_t index_length(PyObject *self)
{
	gt_tensor *t = ((tensor *)self)->t;

	if (gt_rank(t) > 0)
		return (Py_ssize_t)gt_dim(t, 0);
	PyErr_SetString(PyExc_TypeError, "a tensor without dims has no len()");
	return -1;
}

PyObject *index_iter(PyObject *self)
{
	gt_tensor *t = tensor_get(self);

	if (!t)
		return NULL;
	if (gt_rank(t) > 0)
		return PySeqIter_New(self);
	PyErr_SetString(PyExc_TypeError, "iteration over a tensor without dims");
	return NULL;
}
