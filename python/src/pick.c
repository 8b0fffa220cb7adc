/* pick.c: methods that take tensors apart and put them together: pieces, joins, by index. */
#include "gtpy.h"

/* ---- pieces --------------------------------------------------------------------------------- */

static bool read_axis(gt_tensor *t, PyObject *o, int *axis)
{
	*axis = 0;
	if (o && !operand_axis(o, axis))
		return false;
	if (gt_dim(t, *axis) < 0) {
		error_raise();
		return false;
	}
	return true;
}

/* x[.., start : start + n, ..] */
static PyObject *piece(gt_tensor *t, int axis, int64_t start, int64_t n)
{
	gt_index list[GT_RANK_MAX];
	int last = axis < 0 ? axis + gt_rank(t) : axis;

	for (int k = 0; k < last; k++)
		list[k] = (gt_index)GT_ALL;
	list[last] = (gt_index)GT_FROM(start, start + n);
	return tensor_wrap(gt_index_at(site_here(), t, list, last + 1));
}

static bool wrong_sizes(PyObject *sizes, int axis, int64_t dim)
{
	error_set(GT_ESHAPE, "split: sizes %R do not add up to dim %d, which is %lld", sizes, axis,
			(long long)dim);
	return false;
}

static bool put_piece(PyObject *out, Py_ssize_t k, PyObject *x)
{
	if (x)
		PyTuple_SetItem(out, k, x);
	return x;
}

/* Piece k, which begins at *start, into `out`. */
static bool split_off(gt_tensor *t, int axis, PyObject *sizes, Py_ssize_t k, int64_t *start,
		PyObject *out)
{
	PyObject *size = PySequence_GetItem(sizes, k);
	int64_t dim = gt_dim(t, axis), n, from = *start;
	bool ok = size && operand_int(size, &n);

	Py_XDECREF(size);
	if (!ok)
		return false;
	if (n < 0 || n > dim - from)
		return wrong_sizes(sizes, axis, dim);
	*start += n;
	return put_piece(out, k, piece(t, axis, from, n));
}

static PyObject *split_by_list(gt_tensor *t, int axis, PyObject *sizes)
{
	Py_ssize_t count = PySequence_Size(sizes);
	PyObject *out = PyTuple_New(count);
	int64_t start = 0;
	bool ok = out;

	for (Py_ssize_t k = 0; ok && k < count; k++)
		ok = split_off(t, axis, sizes, k, &start, out);
	if (ok && start != gt_dim(t, axis))
		ok = wrong_sizes(sizes, axis, gt_dim(t, axis));
	if (!ok)
		Py_CLEAR(out);
	return out;
}

/* Takes the n handles of `list`. */
static PyObject *tuple_of(gt_tensor **list, int n)
{
	PyObject *out = PyTuple_New(n);
	int k = 0;

	for (; out && k < n; k++) {
		PyObject *x = tensor_wrap(list[k]);

		if (!x)
			Py_CLEAR(out);
		else
			PyTuple_SetItem(out, k, x);
	}
	for (; k < n; k++)
		gt_drop(list[k]);
	return out;
}

/* An empty dim still has one piece. */
static PyObject *one_piece(gt_tensor *t, int axis)
{
	PyObject *x = piece(t, axis, 0, 0), *out = x ? PyTuple_Pack(1, x) : NULL;

	Py_XDECREF(x);
	return out;
}

static PyObject *split_evenly(gt_tensor *t, int axis, int64_t size)
{
	int64_t dim = gt_dim(t, axis), count;
	gt_tensor **list;
	PyObject *out;
	int n;

	if (size < 0 || (size == 0 && dim > 0))
		return error_set(GT_EINVAL, "split: expected a size of at least 1, got %lld",
				(long long)size);
	if (dim == 0)
		return one_piece(t, axis);
	count = (dim - 1) / size + 1;
	list = PyMem_Calloc((size_t)count, sizeof(*list));
	if (!list)
		return PyErr_NoMemory();
	n = gt_split_at(site_here(), t, size, axis, list);
	out = n < 0 ? error_raise() : tuple_of(list, n);
	PyMem_Free(list);
	return out;
}

PyObject *method_split(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	int64_t size;
	int axis;

	if (!t || !read_axis(t, a[1], &axis))
		return NULL;
	if (PyList_Check(a[0]) || PyTuple_Check(a[0]))
		return split_by_list(t, axis, a[0]);
	return operand_int(a[0], &size) ? split_evenly(t, axis, size) : NULL;
}

PyObject *method_chunk(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	int64_t n, dim;
	int axis;

	if (!t || !operand_int(a[0], &n) || !read_axis(t, a[1], &axis))
		return NULL;
	if (n < 1)
		return error_set(GT_EINVAL, "chunk: expected at least 1 piece, got %lld",
				(long long)n);
	dim = gt_dim(t, axis);
	return split_evenly(t, axis, dim == 0 ? 1 : (dim - 1) / n + 1);
}

PyObject *method_unbind(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	gt_index list[GT_RANK_MAX];
	PyObject *out;
	int64_t n;
	int axis;

	if (!t || !read_axis(t, a[0], &axis))
		return NULL;
	n = gt_dim(t, axis);
	axis = axis < 0 ? axis + gt_rank(t) : axis;
	for (int k = 0; k < axis; k++)
		list[k] = (gt_index)GT_ALL;
	out = PyTuple_New((Py_ssize_t)n);
	for (int64_t k = 0; out && k < n; k++) {
		PyObject *x;

		list[axis] = (gt_index)GT_AT(k);
		x = tensor_wrap(gt_index_at(site_here(), t, list, axis + 1));
		if (!x)
			Py_CLEAR(out);
		else
			PyTuple_SetItem(out, (Py_ssize_t)k, x);
	}
	return out;
}

/* ---- several tensors into one --------------------------------------------------------------- */

typedef gt_tensor *join_at(const gt_site *, gt_tensor *const *, int, int);

/* Each member of `sequence` as a tensor, in a new tuple. */
static PyObject *tensors_of(PyObject *sequence, const char *name)
{
	PyObject *list = PySequence_Tuple(sequence), *out;
	Py_ssize_t n = list ? PyTuple_Size(list) : 0;

	if (!list)
		return NULL;
	if (n == 0 || n > INT32_MAX) {
		Py_DECREF(list);
		return error_set(GT_EINVAL, "%s: expected at least one tensor", name);
	}
	out = PyTuple_New(n);
	for (Py_ssize_t k = 0; out && k < n; k++) {
		PyObject *x = tensor_from(PyTuple_GetItem(list, k), GT_DTYPE_NONE);

		if (!x || !tensor_get(x)) {
			Py_XDECREF(x);
			Py_CLEAR(out);
		} else {
			PyTuple_SetItem(out, k, x);
		}
	}
	Py_DECREF(list);
	return out;
}

static PyObject *join(PyObject **a, const char *name, join_at *f)
{
	PyObject *tuple = tensors_of(a[0], name), *out = NULL;
	Py_ssize_t n = tuple ? PyTuple_Size(tuple) : 0;
	gt_tensor **list = tuple ? PyMem_Calloc((size_t)n, sizeof(*list)) : NULL;
	int axis = 0;

	if (tuple && !list)
		PyErr_NoMemory();
	for (Py_ssize_t k = 0; list && k < n; k++)
		list[k] = ((tensor *)PyTuple_GetItem(tuple, k))->t;
	if (list && (!a[1] || operand_axis(a[1], &axis)))
		out = tensor_wrap(f(site_here(), list, (int)n, axis));
	PyMem_Free(list);
	Py_XDECREF(tuple);
	return out;
}

PyObject *function_cat(PyObject **a)
{
	return join(a, "cat", gt_cat_at);
}

PyObject *function_stack(PyObject **a)
{
	return join(a, "stack", gt_stack_at);
}

/* ---- by index ------------------------------------------------------------------------------- */

PyObject *method_gather(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self), *index = t ? tensor_get(a[1]) : NULL;
	int axis;

	if (!index || !operand_axis(a[0], &axis))
		return NULL;
	return tensor_wrap(gt_gather_at(site_here(), t, index, axis));
}

PyObject *method_scatter_add(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self), *index = t ? tensor_get(a[1]) : NULL;
	gt_tensor *source = index ? tensor_get(a[2]) : NULL;
	int axis;

	if (!source || !operand_axis(a[0], &axis))
		return NULL;
	return tensor_wrap(gt_scatter_add_at(site_here(), t, index, source, axis));
}

PyObject *method_index_select(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	PyObject *index = t ? tensor_from(a[1], GT_DTYPE_NONE) : NULL, *out = NULL;
	int axis;

	if (index && operand_axis(a[0], &axis))
		out = tensor_wrap(gt_index_select_at(site_here(), t, tensor_get(index), axis));
	Py_XDECREF(index);
	return out;
}

static PyObject *choose(PyObject *condition, PyObject *yes, PyObject *no)
{
	operand c = { .held = NULL }, x = { .held = NULL }, y = { .held = NULL };
	PyObject *out = NULL;

	if (operand_need(condition, &c) && operand_need(yes, &x) && operand_need(no, &y))
		out = tensor_wrap(gt_where_at(site_here(), c.arg, x.arg, y.arg));
	operand_end(&c);
	operand_end(&x);
	operand_end(&y);
	return out;
}

PyObject *function_where(PyObject **a)
{
	return choose(a[0], a[1], a[2]);
}

PyObject *method_where(PyObject *self, PyObject **a)
{
	return choose(a[0], self, a[1]);
}

/* The value is cast to x's dtype first: a fill does not promote. */
PyObject *method_masked_fill(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	operand mask = { .held = NULL }, value = { .held = NULL };
	gt_tensor *filled = NULL, *cast = NULL;

	if (t && operand_need(a[0], &mask) && operand_need(a[1], &value)) {
		filled = gt_where_at(site_here(), mask.arg, value.arg, gt_arg_tensor(t));
		cast = filled ? gt_cast_at(site_here(), filled, gt_dtype_of(t)) : NULL;
	}
	gt_drop(filled);
	operand_end(&mask);
	operand_end(&value);
	return tensor_wrap(cast);
}

PyObject *method_masked_fill_(PyObject *self, PyObject **a)
{
	PyObject *x = method_masked_fill(self, a), *list[] = { x }, *out;

	if (!x)
		return NULL;
	out = method_copy_(self, list);
	Py_DECREF(x);
	return out;
}
