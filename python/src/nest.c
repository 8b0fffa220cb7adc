/* nest.c: the numbers in nested lists.
 *
 * Two passes over the same walk: the first finds the highest kind of number (bool, int, float) and
 * checks that the nesting is even, the second converts. The shape comes from the first element of
 * each level. Anything with a length and elements is a level; a tensor or array of one element, an
 * int or a float counts as a number.
 */
#include "gtpy.h"

typedef enum kind { KIND_BOOL, KIND_INT, KIND_FLOAT } kind;

typedef struct nest {
	gt_shape shape;
	kind highest;
	gt_dtype dtype;      /* of `data`, in the second pass */
	char *data;          /* NULL in the first pass */
	int64_t next;
} nest;

static bool is_level(PyObject *o)
{
	if (PyList_Check(o) || PyTuple_Check(o))
		return true;
	if (tensor_is(o))
		return gt_rank(((tensor *)o)->t) > 0;
	if (PyNumber_Check(o) && !PyObject_CheckBuffer(o))
		return false;
	if (PyUnicode_Check(o) || PyBytes_Check(o) || !PySequence_Check(o))
		return false;
	if (PySequence_Size(o) >= 0)
		return true;
	PyErr_Clear();    /* an array without dims */
	return false;
}

/* ---- the shape ------------------------------------------------------------------------------ */

/* The first element of `o`, whose length goes to s->shape; NULL: there is none, or an exception. */
static PyObject *descend(nest *s, PyObject *o)
{
	Py_ssize_t n = PySequence_Size(o);

	if (n < 0)
		return NULL;
	if (s->shape.rank == GT_RANK_MAX)
		return error_set(GT_ELIMIT, "lists nested deeper than %d levels", GT_RANK_MAX);
	s->shape.dims[s->shape.rank++] = n;
	return n > 0 ? PySequence_GetItem(o, 0) : NULL;
}

static bool find_shape(nest *s, PyObject *o)
{
	PyObject *at = Py_NewRef(o);

	s->shape.rank = 0;
	while (at && is_level(at)) {
		PyObject *first = descend(s, at);

		Py_DECREF(at);
		at = first;
	}
	Py_XDECREF(at);
	return !PyErr_Occurred();
}

static bool uneven(const nest *s, int depth, Py_ssize_t n)
{
	long long expected = depth < s->shape.rank ? (long long)s->shape.dims[depth] : 0;

	if (n < 0)
		error_set(GT_ESHAPE, "nested lists are uneven: a number where dim %d has %lld "
				"elements", depth, expected);
	else if (depth == s->shape.rank)
		error_set(GT_ESHAPE, "nested lists are uneven: a list of %zd where others have a "
				"number, at depth %d", n, depth);
	else
		error_set(GT_ESHAPE, "nested lists are uneven: expected %lld elements at dim %d, "
				"got %zd", expected, depth, n);
	return false;
}

/* ---- one number ----------------------------------------------------------------------------- */

static bool find_kind(nest *s, PyObject *o)
{
	operand v;
	kind k = KIND_BOOL;

	if (PyFloat_Check(o)) {
		k = KIND_FLOAT;
	} else if (PyLong_Check(o)) {
		k = PyBool_Check(o) ? KIND_BOOL : KIND_INT;
	} else {
		if (!operand_need(o, &v))
			return false;
		operand_end(&v);
		if (v.arg.kind == GT_ARG_TENSOR) {
			gt_dtype d = tensor_is(o) ? gt_dtype_of(((tensor *)o)->t) : GT_FLOAT32;
			k = d == GT_BOOL ? KIND_BOOL : d == GT_INT32 ||
					d == GT_INT64 ? KIND_INT : KIND_FLOAT;
		} else {
			k = v.arg.kind == GT_ARG_FLOAT ? KIND_FLOAT : v.arg.kind == GT_ARG_INT
					? KIND_INT : KIND_BOOL;
		}
	}
	if (k > s->highest)
		s->highest = k;
	return true;
}

static bool as_double(PyObject *o, double *v)
{
	*v = PyFloat_AsDouble(o);
	return *v != -1 || !PyErr_Occurred();
}

/* Floats become integers by truncation; NaN, infinities and what does not fit are errors. */
static bool as_integer(PyObject *o, gt_dtype d, int64_t *v)
{
	PyObject *n = PyLong_Check(o) ? Py_NewRef(o) : PyNumber_Long(o);

	*v = n ? PyLong_AsLongLong(n) : 0;
	Py_XDECREF(n);
	if (!PyErr_Occurred() && (d == GT_INT64 || *v == (int32_t)*v))
		return true;
	if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_OverflowError))
		PyErr_Format(PyExc_OverflowError, "%S does not fit into %s", o, gt_dtype_name(d));
	return false;
}

static bool put(nest *s, PyObject *o)
{
	int64_t i = s->next++, v;
	double f;
	int truth;

	switch (s->dtype) {
	case GT_FLOAT32:
	case GT_FLOAT64:
		if (!as_double(o, &f))
			return false;
		if (s->dtype == GT_FLOAT32)
			((float *)s->data)[i] = (float)f;
		else
			((double *)s->data)[i] = f;
		return true;
	case GT_BOOL:
		truth = PyObject_IsTrue(o);
		s->data[i] = truth > 0;
		return truth >= 0;
	default:
		if (!as_integer(o, s->dtype, &v))
			return false;
		if (s->dtype == GT_INT32)
			((int32_t *)s->data)[i] = (int32_t)v;
		else
			((int64_t *)s->data)[i] = v;
		return true;
	}
}

/* ---- the walk ------------------------------------------------------------------------------- */

static bool walk(nest *s, PyObject *o, int depth)
{
	bool level = !PyFloat_Check(o) && !PyLong_Check(o) && is_level(o);
	Py_ssize_t n = level ? PySequence_Size(o) : -1;

	if (level != (depth < s->shape.rank) || (level && n != s->shape.dims[depth]))
		return uneven(s, depth, n);
	if (!level)
		return s->data ? put(s, o) : find_kind(s, o);
	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *item = PySequence_GetItem(o, i);
		bool ok = item && walk(s, item, depth + 1);

		Py_XDECREF(item);
		if (!ok)
			return false;
	}
	return true;
}

static int64_t count_of(const gt_shape *s)
{
	int64_t n = 1;

	for (int k = 0; k < s->rank; k++)
		n *= s->dims[k];
	return n;
}

bool nest_read(PyObject *o, gt_dtype *dtype, gt_shape *shape, void **data)
{
	static const gt_dtype by_kind[] = { GT_BOOL, GT_INT64, GT_FLOAT32 };
	nest s = { .highest = KIND_BOOL };
	int64_t n;

	if (!find_shape(&s, o) || !walk(&s, o, 0))
		return false;
	n = count_of(&s.shape);
	s.dtype = *dtype ? *dtype : n ? by_kind[s.highest] : GT_FLOAT32;
	s.data = PyMem_Malloc((size_t)n * gt_dtype_size(s.dtype) + 1);
	if (!s.data) {
		PyErr_NoMemory();
		return false;
	}
	/* Elements are the user's objects: converting one may have changed the lists meanwhile. */
	if (n && !walk(&s, o, 0)) {
		PyMem_Free(s.data);
		return false;
	}
	*dtype = s.dtype;
	*shape = s.shape;
	*data = s.data;
	return true;
}
