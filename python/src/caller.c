/* caller.c: the base type of Module: calling one calls its forward.
 *
 * In C, because layers are called all the time, and because a frame less lies between an operation
 * and the user's line, which site.c looks for.
 */
#include "gtpy.h"

static PyObject *text_compiled, *text_call_compiled, *text_forward;

static PyObject *call(PyObject *self, PyObject *args, PyObject *names)
{
	PyObject *mode = PyObject_GetAttr(self, text_compiled), *f, *out;

	if (!mode)
		return NULL;
	f = PyObject_GetAttr(self, mode == Py_None ? text_forward : text_call_compiled);
	out = f ? PyObject_Call(f, args, names) : NULL;
	Py_XDECREF(f);
	Py_DECREF(mode);
	return out;
}

static PyType_Slot slots[] = {
	{ Py_tp_call, call },
	{ Py_tp_doc, "Called as its forward, or, where _compiled is not None, _call_compiled." },
	{ 0 },
};

static PyType_Spec spec = {
	.name = "gt._gt._Caller",
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = slots,
};

bool caller_init(PyObject *module)
{
	PyObject *type = PyType_FromSpec(&spec);
	bool added = type && PyModule_AddObjectRef(module, "_Caller", type) == 0;

	text_compiled = PyUnicode_InternFromString("_compiled");
	text_call_compiled = PyUnicode_InternFromString("_call_compiled");
	text_forward = PyUnicode_InternFromString("forward");
	Py_XDECREF(type);
	return added && text_compiled && text_call_compiled && text_forward;
}
