/* grad.c: gradients: the properties and functions that concern the tape. */
#include "gtpy.h"

/* ---- properties ----------------------------------------------------------------------------- */

static PyObject *get_requires_grad(PyObject *self, void *closure)
{
	(void)closure;
	return PyBool_FromLong(gt_needs_grad(((tensor *)self)->t));
}

static bool no_deletion(PyObject *value, const char *name)
{
	if (!value)
		PyErr_Format(PyExc_AttributeError, "%s cannot be deleted", name);
	return value;
}

static int set_requires_grad(PyObject *self, PyObject *value, void *closure)
{
	gt_tensor *t = tensor_get(self);
	bool on;

	(void)closure;
	if (!t || !no_deletion(value, "requires_grad") || !operand_bool(value, false, &on))
		return -1;
	if (gt_set_requires_grad(t, on) == GT_OK)
		return 0;
	error_raise();
	return -1;
}

static PyObject *get_grad(PyObject *self, void *closure)
{
	gt_tensor *t = tensor_get(self), *g = t ? gt_grad(t) : NULL;

	(void)closure;
	if (!t)
		return NULL;
	return g ? tensor_wrap(gt_keep(g)) : Py_NewRef(Py_None);
}

static int set_grad(PyObject *self, PyObject *value, void *closure)
{
	gt_tensor *t = tensor_get(self), *g = NULL;

	(void)closure;
	if (!t || (value && value != Py_None && !(g = tensor_get(value))))
		return -1;
	if (gt_set_grad(t, g) == GT_OK)
		return 0;
	error_raise();
	return -1;
}

static PyObject *get_is_leaf(PyObject *self, void *closure)
{
	(void)closure;
	return PyBool_FromLong(gt_is_leaf(((tensor *)self)->t));
}

/* Only its text is of use: "<MulBackward>". */
static PyObject *get_grad_fn(PyObject *self, void *closure)
{
	const char *op = gt_grad_op(((tensor *)self)->t);
	char name[64];

	(void)closure;
	if (!op)
		return Py_NewRef(Py_None);
	PyOS_snprintf(name, sizeof(name), "<%sBackward>", op);
	if (name[1] >= 'a' && name[1] <= 'z')
		name[1] = (char)(name[1] - 'a' + 'A');
	return PyUnicode_FromString(name);
}

static PyObject *get_data(PyObject *self, void *closure)
{
	gt_tensor *t = tensor_get(self);

	(void)closure;
	return t ? tensor_wrap(gt_detach_at(site_here(), t)) : NULL;
}

/* x.data = y: new elements behind the tape's back. */
static int set_data(PyObject *self, PyObject *value, void *closure)
{
	bool was = session_grad;
	PyObject *list[] = { value }, *out;

	(void)closure;
	if (!no_deletion(value, "data"))
		return -1;
	session_grad = false;
	out = method_copy_(self, list);
	session_grad = was;
	Py_XDECREF(out);
	return out ? 0 : -1;
}

PyGetSetDef grad_properties[] = {
	{ "requires_grad", get_requires_grad, set_requires_grad,
			"Whether gradients flow to or through it.", NULL },
	{ "grad", get_grad, set_grad, "The gradient that backward() left, or None.", NULL },
	{ "is_leaf", get_is_leaf, NULL, "Whether no recorded operation made it.", NULL },
	{ "grad_fn", get_grad_fn, NULL,
			"What made it, as text, where gradients flow through it; or None.", NULL },
	{ "data", get_data, set_data, "The same elements, without gradients.", NULL },
	{ 0 },
};

/* ---- methods -------------------------------------------------------------------------------- */

PyObject *method_detach(PyObject *self, PyObject **a)
{
	(void)a;
	return get_data(self, NULL);
}

PyObject *method_requires_grad_(PyObject *self, PyObject **a)
{
	return set_requires_grad(self, a[0] ? a[0] : Py_True, NULL) < 0 ? NULL : Py_NewRef(self);
}

PyObject *method_backward(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self), *g = NULL;
	PyObject *held = NULL;
	bool retain;
	gt_err e;

	if (!t || !operand_bool(a[1] == Py_None ? NULL : a[1], false, &retain))
		return NULL;
	if (a[0] && a[0] != Py_None) {
		held = tensor_from(a[0], GT_DTYPE_NONE);
		g = held ? tensor_get(held) : NULL;
		if (!g)
			return NULL;
	}
	e = gt_backward_at(site_here(), t, g, retain);
	Py_XDECREF(held);
	return e ? error_raise() : Py_NewRef(Py_None);
}

/* ---- gt.autograd.grad ----------------------------------------------------------------------- */

/* The handles of a tuple of tensors and, where that is allowed, None. PyMem_Free. */
static gt_tensor **handles(PyObject *tuple, bool none_too, int *n)
{
	gt_tensor **list;

	if (!PyTuple_Check(tuple)) {
		PyErr_SetString(PyExc_TypeError, "a tuple of tensors was expected");
		return NULL;
	}
	*n = (int)PyTuple_Size(tuple);
	list = PyMem_Calloc((size_t)*n + 1, sizeof(*list));
	if (!list)
		return (gt_tensor **)PyErr_NoMemory();
	for (int k = 0; k < *n; k++) {
		PyObject *x = PyTuple_GetItem(tuple, k);

		if (none_too && x == Py_None)
			continue;
		list[k] = tensor_get(x);
		if (!list[k]) {
			PyMem_Free(list);
			return NULL;
		}
	}
	return list;
}

/* Takes the handles, of which NULL stands for None. */
static PyObject *results(gt_tensor **list, int n)
{
	PyObject *out = PyTuple_New(n);

	for (int k = 0; k < n; k++) {
		PyObject *x = list[k] ? tensor_wrap(list[k]) : Py_NewRef(Py_None);

		if (!out || !x) {
			Py_XDECREF(x);
			Py_CLEAR(out);
		} else {
			PyTuple_SetItem(out, k, x);
		}
	}
	return out;
}

typedef struct request {
	gt_tensor **outputs, **inputs, **seeds, **to;
	int n_out, n_in, n_seeds;
} request;

static PyObject *gradients(request *r, PyObject **flags)
{
	bool retain, create, unused;

	if (!operand_bool(flags[0], false, &retain) || !operand_bool(flags[1], false, &create) ||
			!operand_bool(flags[2], false, &unused))
		return NULL;
	if (r->n_seeds != r->n_out)
		return error_set(GT_EINVAL, "%d outputs need as many seeds, got %d", r->n_out,
				r->n_seeds);
	if (gt_gradients_at(site_here(), r->outputs, r->seeds, r->n_out, r->inputs, r->n_in,
			retain, create, unused, r->to) != GT_OK)
		return error_raise();
	return results(r->to, r->n_in);
}

PyObject *function__gradients(PyObject **a)
{
	request r = { 0 };
	PyObject *out = NULL;

	r.outputs = handles(a[0], false, &r.n_out);
	r.inputs = r.outputs ? handles(a[1], false, &r.n_in) : NULL;
	r.seeds = r.inputs ? handles(a[2], true, &r.n_seeds) : NULL;
	r.to = r.seeds ? PyMem_Calloc((size_t)r.n_in + 1, sizeof(*r.to)) : NULL;
	if (r.seeds && !r.to)
		PyErr_NoMemory();
	else if (r.to)
		out = gradients(&r, a + 3);
	PyMem_Free(r.outputs);
	PyMem_Free(r.inputs);
	PyMem_Free(r.seeds);
	PyMem_Free(r.to);
	return out;
}
