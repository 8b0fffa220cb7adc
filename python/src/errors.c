/* errors.c: gt's errors as Python exceptions, one class a row of GT_ERRORS.
 *
 * Every class derives from GTError (a RuntimeError, so code written for other frameworks catches
 * it) and from the builtin that fits: the one of the same name where there is one. Classes that
 * share a builtin's name would shadow it in `from gt import *`, so the package offers them in
 * gt.errors only.
 */
#include "gtpy.h"

#define ROW_CLASS(name, n, py, text) { n, py, text },
static const struct { int number; const char *name, *doc; } rows[] = { GT_ERRORS(ROW_CLASS) };
#define ROWS ((int)(sizeof(rows) / sizeof(rows[0])))
static PyObject *classes[ROWS];

static PyObject *builtin(const char *name)   /* borrowed; NULL without exception */
{
	return PyDict_GetItemString(PyEval_GetBuiltins(), name);
}

/* The builtin that code which does not know gt would catch. */
static PyObject *nearest_builtin(int number)
{
	switch (-number) {
	case GT_ESHAPE:
	case GT_EPROTO:
	case GT_ELIMIT:
		return PyExc_ValueError;
	case GT_EDTYPE:
		return PyExc_TypeError;
	case GT_EMEMORY:
		return PyExc_MemoryError;
	case GT_EUNSUPPORTED:
		return PyExc_NotImplementedError;
	default:
		return NULL;
	}
}

static PyObject *make_class(PyObject *base, int k)
{
	PyObject *same = builtin(rows[k].name), *bases, *class;
	PyObject *other = same ? same : nearest_builtin(rows[k].number);
	char name[64];

	if (same == PyExc_KeyboardInterrupt)
		return Py_NewRef(same);
	bases = other ? PyTuple_Pack(2, base, other) : PyTuple_Pack(1, base);
	if (!bases)
		return NULL;
	PyOS_snprintf(name, sizeof(name), "gt.%s%s", same ? "errors." : "", rows[k].name);
	class = PyErr_NewExceptionWithDoc(name, rows[k].doc, bases, NULL);
	Py_DECREF(bases);
	return class;
}

bool error_init(PyObject *module)
{
	PyObject *list = PyDict_New();
	PyObject *base = PyErr_NewExceptionWithDoc("gt.GTError",
			"An error of gt; every other one derives from it.",
			PyExc_RuntimeError, NULL);

	if (!list || !base || PyDict_SetItemString(list, "GTError", base) < 0)
		return false;
	for (int k = 0; k < ROWS; k++) {
		classes[k] = make_class(base, k);
		if (!classes[k] || PyDict_SetItemString(list, rows[k].name, classes[k]) < 0)
			return false;
	}
	Py_DECREF(base);
	return PyModule_AddObjectRef(module, "_errors", list) == 0;
}

static PyObject *class_of(gt_err e)
{
	for (int k = 0; k < ROWS; k++)
		if (rows[k].number == -(int)e)
			return classes[k];
	return PyExc_SystemError;
}

/* A text that is too long was cut, perhaps inside a character. */
static void raise_text(PyObject *class, const char *text)
{
	PyObject *s = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");

	if (s)
		PyErr_SetObject(class, s);
	Py_XDECREF(s);
}

void *error_raise(void)
{
	/* A handler of the user's ended the wait: its exception says more than "interrupted". */
	if (!session_raise() && !PyErr_Occurred()) {
		raise_text(class_of(gt_last_error_code()), gt_last_error());
		gt_clear_error();
	}
	return NULL;
}

void *error_set(gt_err e, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	PyErr_FormatV(class_of(e), format, list);
	va_end(list);
	return NULL;
}
