/* tensor.c: the type Tensor: a handle and nothing else.
 *
 * No __dict__, and not tracked by the cycle collector: a tensor refers to no Python object. A
 * destructor runs on whatever thread drops the last reference; gt_drop is made for that.
 */
#include "gtpy.h"
#include <structmember.h>

PyTypeObject *tensor_type;

PyObject *tensor_wrap(gt_tensor *t)
{
	tensor *x;

	if (UNLIKELY(!t))
		return error_raise();
	x = PyObject_New(tensor, tensor_type);
	if (UNLIKELY(!x)) {
		gt_drop(t);
		return NULL;
	}
	x->t = t;
	x->epoch = session.epoch;
	x->weak = NULL;
	return (PyObject *)x;
}

PyObject *tensor_from(PyObject *o, gt_dtype dtype)
{
	gt_tensor *t;

	if (!tensor_is(o))
		return make_numbers(o, dtype);
	if (dtype == GT_DTYPE_NONE || !(t = tensor_get(o)) || gt_dtype_of(t) == dtype)
		return tensor_get(o) ? Py_NewRef(o) : NULL;
	return tensor_wrap(gt_cast_at(site_here(), t, dtype));
}

static void dealloc(PyObject *self)
{
	tensor *x = (tensor *)self;
	PyTypeObject *type = Py_TYPE(self);

	if (UNLIKELY(x->weak != NULL))
		PyObject_ClearWeakRefs(self);
	/* We hold the interpreter's lock, which guards the client of this epoch; a client of an
	 * earlier one may be closing without it. */
	if (LIKELY(x->epoch == session.epoch))
		gt_drop_here(x->t);
	else if (!session_foreign(x->epoch))
		gt_drop(x->t);
	PyObject_Free(self);
	Py_DECREF(type);
}

/* ---- comparing, showing --------------------------------------------------------------------- */

static PyObject *compare(PyObject *a, PyObject *b, int op)
{
	static number_binary_at *const functions[] = {
		[Py_LT] = gt_lt_at, [Py_LE] = gt_le_at, [Py_EQ] = gt_eq_at,
		[Py_NE] = gt_ne_at, [Py_GT] = gt_gt_at, [Py_GE] = gt_ge_at,
	};

	return number_binary(a, b, functions[op]);
}

static Py_hash_t hash(PyObject *self)
{
	return (Py_hash_t)((uintptr_t)self >> 4);
}

static PyObject *repr(PyObject *self)
{
	PyObject *module = PyImport_ImportModule("gt._repr");
	PyObject *text = module ? PyObject_CallMethod(module, "tensor_repr", "O", self) : NULL;

	Py_XDECREF(module);
	return text;
}

/* gt.Tensor(...) builds nothing: the functions that do say what they build. */
static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *names)
{
	(void)type, (void)args, (void)names;
	PyErr_SetString(PyExc_TypeError, "tensors are made by gt.tensor(data), gt.zeros(shape), "
			"gt.randn(shape), ...");
	return NULL;
}

/* ---- properties ----------------------------------------------------------------------------- */

static PyObject *get_shape(PyObject *self, void *closure)
{
	gt_shape s = gt_shape_of(((tensor *)self)->t);

	(void)closure;
	return read_shape(&s);
}

static PyObject *get_ndim(PyObject *self, void *closure)
{
	(void)closure;
	return PyLong_FromLong(gt_rank(((tensor *)self)->t));
}

static PyObject *get_dtype(PyObject *self, void *closure)
{
	(void)closure;
	return dtype_object(gt_dtype_of(((tensor *)self)->t));
}

static PyObject *get_device(PyObject *self, void *closure)
{
	(void)self, (void)closure;
	return PyUnicode_FromString("cpu");
}

static PyObject *get_itemsize(PyObject *self, void *closure)
{
	(void)closure;
	return PyLong_FromSize_t(gt_dtype_size(gt_dtype_of(((tensor *)self)->t)));
}

static PyObject *get_nbytes(PyObject *self, void *closure)
{
	gt_tensor *t = ((tensor *)self)->t;

	(void)closure;
	return PyLong_FromLongLong(gt_count(t) * (int64_t)gt_dtype_size(gt_dtype_of(t)));
}

/* All dims in reverse; closure non-NULL: the last two exchanged. */
static PyObject *get_transposed(PyObject *self, void *matrix)
{
	gt_tensor *t = tensor_get(self);
	gt_shape order = { 0 };

	if (!t)
		return NULL;
	order.rank = gt_rank(t);
	for (int k = 0; k < order.rank; k++)
		order.dims[k] = matrix ? k : order.rank - 1 - k;
	if (matrix)
		return tensor_wrap(gt_transpose_at(site_here(), t, -2, -1));
	return tensor_wrap(gt_permute_at(site_here(), t, order));
}

static PyGetSetDef properties[] = {
	{ "shape", get_shape, NULL, "The sizes, a tuple of ints.", NULL },
	{ "ndim", get_ndim, NULL, "The number of dims.", NULL },
	{ "dtype", get_dtype, NULL, "The element type.", NULL },
	{ "device", get_device, NULL, "Where the elements are: 'cpu'.", NULL },
	{ "itemsize", get_itemsize, NULL, "Bytes of one element.", NULL },
	{ "nbytes", get_nbytes, NULL, "Bytes of all elements.", NULL },
	{ "T", get_transposed, NULL, "The dims in reverse order.", NULL },
	{ "mT", get_transposed, NULL, "The last two dims exchanged.", "m" },
	{ 0 },
};

/* ---- the type ------------------------------------------------------------------------------- */

static PyMemberDef members[] = {
	{ "__weaklistoffset__", T_PYSSIZET, offsetof(tensor, weak), READONLY, NULL },
	{ 0 },
};

#define SLOTS_MAX 96
static PyType_Slot slots[SLOTS_MAX] = {
	{ Py_tp_new, make },
	{ Py_tp_dealloc, dealloc },
	{ Py_tp_richcompare, compare },
	{ Py_tp_hash, hash },
	{ Py_tp_repr, repr },
	{ Py_tp_iter, index_iter },
	{ Py_tp_members, members },
	{ Py_mp_length, index_length },
	{ Py_mp_subscript, index_get },
	{ Py_mp_ass_subscript, index_set },
	{ Py_sq_length, index_length },
	{ Py_sq_item, index_item },
	{ Py_sq_contains, short_contains },
	{ Py_bf_getbuffer, read_buffer },
	{ Py_tp_doc, "Numbers that exist or will: operations return at once, reading waits." },
};

static PyType_Spec spec = {
	.name = "gt.Tensor",
	.basicsize = sizeof(tensor),
	.flags = Py_TPFLAGS_DEFAULT,
	.slots = slots,
};

static void add_slots(const PyType_Slot *list)
{
	int n = 0;

	while (slots[n].slot)
		n++;
	for (; list->slot; list++) {
		assert(n < SLOTS_MAX - 1);
		slots[n++] = *list;
	}
}

/* Properties of this file and of grad.c in one table, which the type keeps pointing to. */
static PyGetSetDef *all_properties(void)
{
	static PyGetSetDef all[32];
	int n = 0;

	for (const PyGetSetDef *p = properties; p->name; p++)
		all[n++] = *p;
	for (const PyGetSetDef *p = grad_properties; p->name; p++)
		all[n++] = *p;
	assert(n < 32);
	return all;
}

bool tensor_init(PyObject *module)
{
	PyType_Slot more[] = {
		{ Py_tp_getset, all_properties() },
		{ Py_tp_methods, method_methods() },
		{ 0 },
	};

	add_slots(number_slots);
	add_slots(more);
	tensor_type = (PyTypeObject *)PyType_FromSpec(&spec);
	return tensor_type && PyModule_AddObjectRef(module, "Tensor", (PyObject *)tensor_type) == 0;
}
