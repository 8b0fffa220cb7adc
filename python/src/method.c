/* method.c: the tables of functions and methods, and the short ones among those.
 *
 * Rows come from methods.def (written by hand, in other files) and from the op table (calls.def,
 * made by scripts/gen_ops.py): each becomes an entry with a parsed signature and documentation.
 */
#include "gtpy.h"

typedef PyObject *method(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names);

/* ---- a method as a function of the module --------------------------------------------------- */

static bool names_input(PyObject *name)
{
	return PyUnicode_CompareWithASCIIString(name, "input") == 0 ||
			PyUnicode_CompareWithASCIIString(name, "x") == 0;
}

/* f(input=x, ...): the first argument came by name. Rare, so made simple. */
static PyObject *call_named(PyObject *self, PyObject *const *values, PyObject *names, int at,
		method *f)
{
	Py_ssize_t n = PyTuple_Size(names), k = 0;
	PyObject *rest[SIG_MAX + 1], *rest_names = PyTuple_New(n - 1), *out = NULL;

	(void)self;
	for (Py_ssize_t i = 0; rest_names && i < n && k <= SIG_MAX; i++) {
		if (i == at)
			continue;
		rest[k] = values[i];
		PyTuple_SetItem(rest_names, k++, Py_NewRef(PyTuple_GetItem(names, i)));
	}
	if (rest_names)
		out = f(values[at], rest, 0, rest_names);
	Py_XDECREF(rest_names);
	return out;
}

static PyObject *as_function(method *f, const char *name, PyObject *const *args, Py_ssize_t n,
		PyObject *names)
{
	Py_ssize_t named = n == 0 && names ? PyTuple_Size(names) : 0;
	PyObject *x, *out;

	for (int k = 0; k < named && named <= SIG_MAX; k++)
		if (names_input(PyTuple_GetItem(names, k)))
			return call_named(NULL, args, names, k, f);
	if (n < 1) {
		PyErr_Format(PyExc_TypeError, "%s() misses its first argument, a tensor", name);
		return NULL;
	}
	if (LIKELY(tensor_is(args[0])))
		return f(args[0], args + 1, n - 1, names);
	x = tensor_from(args[0], GT_DTYPE_NONE);
	out = x ? f(x, args + 1, n - 1, names) : NULL;
	Py_XDECREF(x);
	return out;
}

/* ---- rows of the op table ------------------------------------------------------------------- */

typedef gt_tensor *unary_at(const gt_site *, gt_tensor *);
typedef gt_tensor *reduce_at(const gt_site *, gt_tensor *, gt_reduce);
typedef gt_tensor *axis_at(const gt_site *, gt_tensor *, int);

static PyObject *unary(PyObject *self, unary_at *f)
{
	gt_tensor *t = tensor_get(self);

	return t ? tensor_wrap(f(site_here(), t)) : NULL;
}

static PyObject *unary_of(PyObject *o, unary_at *f)
{
	PyObject *x, *out;

	if (LIKELY(tensor_is(o)))
		return unary(o, f);
	x = tensor_from(o, GT_DTYPE_NONE);
	out = x ? unary(x, f) : NULL;
	Py_XDECREF(x);
	return out;
}

/* One of the two has to be a tensor: where both are numbers the first is made one. */
static PyObject *binary(PyObject *a, PyObject *b, number_binary_at *f)
{
	PyObject *x = tensor_is(a) || tensor_is(b) ? Py_NewRef(a) : tensor_from(a, GT_DTYPE_NONE);
	PyObject *out = x ? number_binary(x, b, f) : NULL;

	Py_XDECREF(x);
	if (out != Py_NotImplemented)
		return out;
	Py_DECREF(out);
	PyErr_Format(PyExc_TypeError, "tensors and numbers were expected, not %R and %R",
			Py_TYPE(a), Py_TYPE(b));
	return NULL;
}

static PyObject *binary_call(PyObject *const *args, Py_ssize_t n, const char *name,
		number_binary_at *f)
{
	if (LIKELY(n == 2))
		return binary(args[0], args[1], f);
	PyErr_Format(PyExc_TypeError, "%s() takes 2 arguments, got %zd", name, n);
	return NULL;
}

static PyObject *reduce(PyObject *self, PyObject **a, reduce_at *f)
{
	gt_tensor *t = tensor_get(self);
	gt_reduce r;
	gt_tensor *y;
	gt_dtype d;
	PyObject *x, *out;

	if (!t || !operand_axes(a[0], &r) || !operand_bool(a[1], false, &r.keepdims) ||
			!dtype_get(a[2], GT_DTYPE_NONE, &d))
		return NULL;
	if (LIKELY(d == GT_DTYPE_NONE))
		return tensor_wrap(f(site_here(), t, r));
	x = tensor_from(self, d);
	y = x ? f(site_here(), tensor_get(x), r) : NULL;
	/* Sums of small integers are int64 unless the caller says otherwise. */
	out = y ? tensor_wrap(gt_cast_at(site_here(), y, d)) : NULL;
	gt_drop(y);
	Py_XDECREF(x);
	return out;
}

static PyObject *along(PyObject *self, PyObject **a, axis_at *f)
{
	gt_tensor *t = tensor_get(self);
	int axis = -1;
	gt_dtype d;
	PyObject *x, *out;

	if (!t || (a[0] && !operand_axis(a[0], &axis)) || !dtype_get(a[1], GT_DTYPE_NONE, &d))
		return NULL;
	if (LIKELY(d == GT_DTYPE_NONE))
		return tensor_wrap(f(site_here(), t, axis));
	x = tensor_from(self, d);
	out = x ? tensor_wrap(f(site_here(), tensor_get(x), axis)) : NULL;
	Py_XDECREF(x);
	return out;
}

/* Rows have names such as bool, which must reach the end of the macros below as they are. */
#undef bool

/* ---- functions with the interpreter's signature --------------------------------------------- */

#define PARSED(name_, spec_, call) \
{ \
	static sig s = { .name = #name_, .spec = spec_ }; \
	sig_args a; \
	PyObject *out = NULL; \
	if (sig_parse(&s, args, n, names, a)) { \
		out = call; \
		Py_XDECREF(a[SIG_MAX]); \
	} \
	return out; \
}
#define AS_METHOD(name) \
static PyObject *m_##name(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
#define AS_FUNCTION(name) \
static PyObject *f_##name(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *names)
#define METHOD_AS_FUNCTION(name) \
AS_FUNCTION(name) { (void)module; return as_function(m_##name, #name, args, n, names); }
#define ROW_AS_FUNCTION(name) \
AS_FUNCTION(row_##name) { (void)module; return as_function(m_row_##name, #name, args, n, names); }

#define METHOD(name, spec, doc)   AS_METHOD(name) PARSED(name, spec, method_##name(self, a))
#define BOTH(name, spec, doc)     METHOD(name, spec, doc) METHOD_AS_FUNCTION(name)
#define FUNCTION(name, spec, doc) \
static PyObject *parsed_##name(PyObject *const *args, Py_ssize_t n, PyObject *names) \
		PARSED(name, spec, function_##name(a)) \
AS_FUNCTION(name) { (void)module; return parsed_##name(args, n, names); }
#include "methods.def"

#define REDUCE_SPEC "axis/dim=None, keepdims/keepdim=False, dtype=None"
#define AXIS_SPEC   "axis/dim=-1, dtype=None"

#define ROW_UNARY(op, py, doc) \
static PyObject *m_row_##py(PyObject *self, PyObject *none) \
{ \
	(void)none; \
	return unary(self, gt_##op##_at); \
} \
static PyObject *f_row_##py(PyObject *module, PyObject *x) \
{ \
	(void)module; \
	return unary_of(x, gt_##op##_at); \
}
#define ROW_BINARY(op, py, doc) \
static PyObject *m_row_##py(PyObject *self, PyObject *x) { return binary(self, x, gt_##op##_at); } \
static PyObject *f_row_##py(PyObject *module, PyObject *const *args, Py_ssize_t n) \
{ \
	(void)module; \
	return binary_call(args, n, #py, gt_##op##_at); \
}
#define ROW_REDUCE(op, py, doc) \
AS_METHOD(row_##py) PARSED(py, REDUCE_SPEC, reduce(self, a, gt_##op##_at)) \
ROW_AS_FUNCTION(py)
#define ROW_AXIS(op, py, doc) \
AS_METHOD(row_##py) PARSED(py, AXIS_SPEC, along(self, a, gt_##op##_at)) \
ROW_AS_FUNCTION(py)
/* where and clamp have optional arguments or another order, so they are written by hand. */
#define ROW_TERNARY(op, py, doc)
#include "calls.def"
#undef ROW_UNARY
#undef ROW_BINARY
#undef ROW_REDUCE
#undef ROW_AXIS

/* ---- the tables ----------------------------------------------------------------------------- */

#define FAST METH_FASTCALL | METH_KEYWORDS
#define ENTRY(name, f, flags, doc) { name, (PyCFunction)(void (*)(void))(f), flags, doc }

#define METHOD(name, spec, doc) ENTRY(#name, m_##name, FAST, #name "(" spec ")\n\n" doc),
#define BOTH(name, spec, doc)   METHOD(name, spec, doc)
#define ROW_UNARY(op, py, doc)  ENTRY(#py, m_row_##py, METH_NOARGS, #py "()\n\n" doc),
#define ROW_BINARY(op, py, doc) ENTRY(#py, m_row_##py, METH_O, #py "(other)\n\n" doc),
#define ROW_REDUCE(op, py, doc) ENTRY(#py, m_row_##py, FAST, #py "(" REDUCE_SPEC ")\n\n" doc),
#define ROW_AXIS(op, py, doc)   ENTRY(#py, m_row_##py, FAST, #py "(" AXIS_SPEC ")\n\n" doc),
static PyMethodDef methods[] = {
#include "methods.def"
#include "calls.def"
	{ 0 },
};
#undef ROW_UNARY
#undef ROW_BINARY
#undef ROW_REDUCE
#undef ROW_AXIS

#define BOTH(name, spec, doc)     ENTRY(#name, f_##name, FAST, #name "(input, " spec ")\n\n" doc),
#define FUNCTION(name, spec, doc) ENTRY(#name, f_##name, FAST, #name "(" spec ")\n\n" doc),
#define ROW_ENTRY(py, flags, spec, doc) \
	ENTRY(#py, f_row_##py, flags, #py "(input" spec ")\n\n" doc),
#define ROW_UNARY(op, py, doc)    ROW_ENTRY(py, METH_O, "", doc)
#define ROW_BINARY(op, py, doc)   ROW_ENTRY(py, METH_FASTCALL, ", other", doc)
#define ROW_REDUCE(op, py, doc)   ROW_ENTRY(py, FAST, ", " REDUCE_SPEC, doc)
#define ROW_AXIS(op, py, doc)     ROW_ENTRY(py, FAST, ", " AXIS_SPEC, doc)
static PyMethodDef functions[] = {
#include "methods.def"
#include "calls.def"
	{ 0 },
};

/* A row written by hand stands for the one of the op table that has its name. */
static PyMethodDef *without_doubles(PyMethodDef *list)
{
	PyMethodDef *to = list;

	for (PyMethodDef *from = list; from->ml_name; from++) {
		PyMethodDef *seen = list;

		while (seen < to && strcmp(seen->ml_name, from->ml_name) != 0)
			seen++;
		if (seen == to)
			*to++ = *from;
	}
	*to = (PyMethodDef){ 0 };
	return list;
}

PyMethodDef *method_methods(void)
{
	return without_doubles(methods);
}

PyMethodDef *method_functions(void)
{
	return without_doubles(functions);
}
