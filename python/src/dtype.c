/* dtype.c: gt.float32 and its sisters, one object a row of GT_DTYPES, and what else names one. */
#include "gtpy.h"

typedef struct dtype {
	PyObject_HEAD
	gt_dtype d;
} dtype;

static PyTypeObject *dtype_type;
static PyObject *objects[GT_DTYPE_COUNT];

#define ROW_FORMAT(name, n, ctype, text, kind, bytes) [n] = FORMAT_##kind##bytes,
#define FORMAT_FLOAT4 "f"
#define FORMAT_FLOAT8 "d"
#define FORMAT_INT4   "i"
#define FORMAT_INT8   "q"
#define FORMAT_BOOL1  "?"
static const char *const formats[GT_DTYPE_COUNT] = { GT_DTYPES(ROW_FORMAT) };

#define ROW_FLOAT(name, n, ctype, text, kind, bytes) [n] = #kind[0] == 'F',
static const bool floats[GT_DTYPE_COUNT] = { GT_DTYPES(ROW_FLOAT) };

PyObject *dtype_object(gt_dtype d)
{
	return Py_NewRef(objects[d]);
}

const char *dtype_format(gt_dtype d)
{
	return formats[d];
}

/* "l" is the C long, as NumPy names its int64. */
gt_dtype dtype_of_format(const char *format)
{
	if (!format || *format == '\0')
		return GT_DTYPE_NONE;
	if (*format == '@' || *format == '=' || *format == '<')
		format++;
	if (format[1] != '\0')
		return GT_DTYPE_NONE;
	for (int d = 1; d < GT_DTYPE_COUNT; d++)
		if (formats[d][0] == *format || (*format == 'l' && formats[d][0] == 'q'))
			return (gt_dtype)d;
	return GT_DTYPE_NONE;
}

/* ---- dtypes by name ------------------------------------------------------------------------- */

/* False: no such name (no exception). */
static bool find(const char *name, gt_dtype *to)
{
	if (strncmp(name, "gt.", 3) == 0)
		name += 3;
	for (int d = 1; d < GT_DTYPE_COUNT; d++) {
		if (strcmp(gt_dtype_name((gt_dtype)d), name) == 0) {
			*to = (gt_dtype)d;
			return true;
		}
	}
	return false;
}

static bool refuse(PyObject *o)
{
	PyObject *list = PyUnicode_FromString("");

	for (int d = 1; d < GT_DTYPE_COUNT && list; d++) {
		PyObject *longer = PyUnicode_FromFormat("%U%s%s", list, d > 1 ? ", " : "",
				gt_dtype_name((gt_dtype)d));

		Py_DECREF(list);
		list = longer;
	}
	if (list)
		error_set(GT_EDTYPE, "%R is no dtype of gt: expected one of %U", o, list);
	Py_XDECREF(list);
	return false;
}

/* The name an object goes by: a string itself, numpy.dtype's name, numpy.float32's __name__. */
static bool find_named(PyObject *o, gt_dtype *to)
{
	PyObject *name = NULL;
	const char *text;
	bool found = false;

	if (PyUnicode_Check(o))
		name = Py_NewRef(o);
	else if (PyObject_HasAttrString(o, "name"))
		name = PyObject_GetAttrString(o, "name");
	else if (PyType_Check(o))
		name = PyObject_GetAttrString(o, "__name__");
	text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
	if (text)
		found = find(text, to);
	Py_XDECREF(name);
	PyErr_Clear();
	return found;
}

bool dtype_get(PyObject *o, gt_dtype absent, gt_dtype *to)
{
	*to = absent;
	if (!o || o == Py_None)
		return true;
	if (LIKELY(Py_TYPE(o) == dtype_type))
		*to = ((dtype *)o)->d;
	else if (o == (PyObject *)&PyFloat_Type)
		*to = GT_FLOAT64;
	else if (o == (PyObject *)&PyLong_Type)
		*to = GT_INT64;
	else if (o == (PyObject *)&PyBool_Type)
		*to = GT_BOOL;
	else
		return find_named(o, to) || refuse(o);
	return true;
}

/* ---- the type ------------------------------------------------------------------------------- */

static gt_dtype of(PyObject *self)
{
	return ((dtype *)self)->d;
}

static PyObject *repr(PyObject *self)
{
	return PyUnicode_FromFormat("gt.%s", gt_dtype_name(of(self)));
}

static PyObject *get_name(PyObject *self, void *closure)
{
	(void)closure;
	return PyUnicode_FromString(gt_dtype_name(of(self)));
}

static PyObject *get_itemsize(PyObject *self, void *closure)
{
	(void)closure;
	return PyLong_FromSize_t(gt_dtype_size(of(self)));
}

static PyObject *get_is_floating_point(PyObject *self, void *closure)
{
	(void)closure;
	return PyBool_FromLong(floats[of(self)]);
}

/* copy and pickle: the one object of that name in the module. */
static PyObject *reduce(PyObject *self, PyObject *none)
{
	(void)none;
	return PyUnicode_FromString(gt_dtype_name(of(self)));
}

static PyMethodDef methods[] = {
	{ "__reduce__", reduce, METH_NOARGS, NULL },
	{ 0 },
};

static PyGetSetDef properties[] = {
	{ "name", get_name, NULL, "The dtype's name, as NumPy spells it.", NULL },
	{ "itemsize", get_itemsize, NULL, "Bytes of one element.", NULL },
	{ "is_floating_point", get_is_floating_point, NULL, "Whether it is a floating-point dtype.",
			NULL },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_repr, repr },
	{ Py_tp_getset, properties },
	{ Py_tp_methods, methods },
	{ Py_tp_doc, "An element type: gt.float32 and so on." },
	{ 0 },
};

static PyType_Spec spec = {
	.name = "gt.dtype",
	.basicsize = sizeof(dtype),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
	.slots = slots,
};

bool dtype_init(PyObject *module)
{
	dtype_type = (PyTypeObject *)PyType_FromSpec(&spec);
	if (!dtype_type || PyModule_AddObjectRef(module, "dtype", (PyObject *)dtype_type) < 0)
		return false;
	for (int d = 1; d < GT_DTYPE_COUNT; d++) {
		dtype *o = PyObject_New(dtype, dtype_type);

		if (!o)
			return false;
		o->d = (gt_dtype)d;
		objects[d] = (PyObject *)o;
		if (PyModule_AddObjectRef(module, gt_dtype_name((gt_dtype)d), objects[d]) < 0)
			return false;
	}
	return true;
}
