/* hotpath.c: gt._gt._Detector, the hot path detector of gt/hotpath.h as a Python type.
 * gt.hotpath_detector adds what is only spelling. */
#include <gt/hotpath.h>
#include "gtpy.h"

typedef struct detector {
	PyObject_HEAD
	gt_hotpath *h;
} detector;

static gt_hotpath *handle(PyObject *self)
{
	return ((detector *)self)->h;
}

static bool get_threshold(PyObject *o, uint64_t absent, uint64_t *to)
{
	int64_t n;

	*to = absent;
	if (!operand_given(o))
		return true;
	if (!operand_int(o, &n))
		return false;
	if (n < 1)
		return error_set(GT_EINVAL, "hot_threshold: at least 1 is needed, got %lld",
				(long long)n);
	*to = (uint64_t)n;
	return true;
}

static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *names)
{
	static char *keys[] = { "hot_threshold", "shape_agnostic", NULL };
	allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	PyObject *number = NULL, *self;
	uint64_t threshold;
	int agnostic = 0;

	if (!PyArg_ParseTupleAndKeywords(args, names, "|Op:HotPathDetector", keys, &number,
			&agnostic) || !get_threshold(number, 10, &threshold))
		return NULL;
	self = alloc(type, 0);
	if (!self)
		return NULL;
	((detector *)self)->h = gt_hotpath_new(threshold, agnostic);
	return self;
}

static void dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

	gt_hotpath_free(handle(self));
	release(self);
	Py_DECREF(type);
}

/* ---- marked iterations ---------------------------------------------------------------------- */

static PyObject *begin_iteration(PyObject *self, PyObject *none)
{
	(void)none;
	gt_hotpath_begin(handle(self));
	return Py_NewRef(Py_None);
}

static PyObject *end_iteration(PyObject *self, PyObject *none)
{
	(void)none;
	return PyBool_FromLong(gt_hotpath_end(handle(self)));
}

static PyObject *should_compile(PyObject *self, PyObject *none)
{
	(void)none;
	return PyBool_FromLong(gt_hotpath_should_compile(handle(self)));
}

static PyObject *record_operation(PyObject *self, PyObject *args, PyObject *names)
{
	static char *keys[] = { "op", "input_shape", NULL };
	gt_shape shape = { .rank = -1 };
	PyObject *dims = NULL;
	const char *op;

	if (!PyArg_ParseTupleAndKeywords(args, names, "s|O:record_operation", keys, &op, &dims) ||
			(operand_given(dims) && !operand_shape(dims, &shape)))
		return NULL;
	gt_hotpath_operation(handle(self), op, shape.dims, shape.rank);
	return Py_NewRef(Py_None);
}

/* ---- instructions --------------------------------------------------------------------------- */

/* What a value is called: a string, or anything else as str() writes it. */
static PyObject *name_of(PyObject *o)
{
	return PyUnicode_Check(o) ? Py_NewRef(o) : PyObject_Str(o);
}

/* The names of all inputs, as a new tuple: their text lives as long as it does. */
static PyObject *names_of(PyObject *inputs)
{
	PyObject *list = operand_given(inputs) ? PySequence_Tuple(inputs) : PyTuple_New(0), *all;
	const Py_ssize_t n = list ? PyTuple_Size(list) : 0;

	all = list ? PyTuple_New(n) : NULL;
	for (Py_ssize_t k = 0; all && k < n; k++) {
		PyObject *name = name_of(PyTuple_GetItem(list, k));

		if (name)
			PyTuple_SetItem(all, k, name);
		else
			Py_CLEAR(all);
	}
	Py_XDECREF(list);
	return all;
}

static PyObject *note(gt_hotpath *h, const char *type, const char *op, const char *result,
	PyObject *names)
{
	const size_t n = (size_t)PyTuple_Size(names);
	const char **texts = PyMem_Malloc((n + 1) * sizeof(*texts));
	size_t length, k = 0;
	gt_err e = GT_OK;
	int hot;

	if (!texts)
		return PyErr_NoMemory();
	while (k < n && (texts[k] = PyUnicode_AsUTF8AndSize(
			PyTuple_GetItem(names, (Py_ssize_t)k), NULL)))
		k++;
	if (k == n)
		e = gt_hotpath_instruction(h, type, op, result, texts, n, &hot, &length);
	PyMem_Free(texts);
	if (k < n || e)
		return error_raise();
	return Py_BuildValue("(Nn)", PyBool_FromLong(hot), (Py_ssize_t)length);
}

static PyObject *record_instruction(PyObject *self, PyObject *args, PyObject *names)
{
	static char *keys[] = { "op_type", "op_name", "result_id", "input_ids", NULL };
	PyObject *result, *inputs = NULL, *answer = NULL;
	const char *type, *op, *text;

	if (!PyArg_ParseTupleAndKeywords(args, names, "ssO|O:record_instruction", keys, &type, &op,
			&result, &inputs))
		return NULL;
	result = name_of(result);
	inputs = result ? names_of(inputs) : NULL;
	text = inputs ? PyUnicode_AsUTF8AndSize(result, NULL) : NULL;
	if (text)
		answer = note(handle(self), type, op, text, inputs);
	Py_XDECREF(result);
	Py_XDECREF(inputs);
	return answer;
}

static PyObject *get_stats(PyObject *self, PyObject *none)
{
	gt_hotpath_counts c;

	(void)none;
	gt_hotpath_count(handle(self), &c);
	return Py_BuildValue("{sKsKsKsKsKsK}", "total_batches", c.total_batches,
		"hot_batches_executed", c.hot_batches_executed,
		"unique_patterns", c.unique_patterns, "hot_paths", c.hot_paths,
		"hot_threshold", c.hot_threshold, "total_instructions", c.total_instructions);
}

static PyMethodDef methods[] = {
	{ "begin_iteration", begin_iteration, METH_NOARGS,
		"begin_iteration()\n\nBegin an iteration; what was recorded since the last end of "
		"one is forgotten." },
	{ "end_iteration", end_iteration, METH_NOARGS,
		"end_iteration()\n\nEnd the iteration. True once the same one was seen hot_threshold "
		"times." },
	{ "should_compile", should_compile, METH_NOARGS,
		"should_compile()\n\nWhether the last iteration that ended is hot." },
	{ "record_operation", (PyCFunction)(void (*)(void))record_operation,
		METH_VARARGS | METH_KEYWORDS,
		"record_operation(op, input_shape=None)\n\nAn operation of the iteration; outside of "
		"one it begins it." },
	{ "record_instruction", (PyCFunction)(void (*)(void))record_instruction,
		METH_VARARGS | METH_KEYWORDS,
		"record_instruction(op_type, op_name, result_id, input_ids=())\n\nAn instruction with "
		"its place in the graph: loops are found by wiring, whatever values are called.\n\n"
		"Returns (is_hot, sequence_length): whether it belongs to a hot loop, and that loop's "
		"length (else 0)." },
	{ "get_stats", get_stats, METH_NOARGS,
		"get_stats()\n\nCounts, as a dictionary: total_batches, hot_batches_executed, "
		"unique_patterns, hot_paths, hot_threshold, total_instructions." },
	{ 0 },
};

static PyType_Slot slots[] = {
	{ Py_tp_new, make },
	{ Py_tp_dealloc, dealloc },
	{ Py_tp_methods, methods },
	{ Py_tp_doc, "_Detector(hot_threshold=10, shape_agnostic=False)\n\nThe hot path detector." },
	{ 0 },
};

static PyType_Spec spec = {
	.name = "gt._gt._Detector",
	.basicsize = sizeof(detector),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = slots,
};

static PyObject *enable(PyObject *module, PyObject *number)
{
	uint64_t threshold;

	(void)module;
	if (!get_threshold(number, 0, &threshold))
		return NULL;
	gt_hotpath_enable(threshold);
	return Py_NewRef(Py_None);
}

PyMethodDef hotpath_functions[] = {
	{ "_enable_hot_paths", enable, METH_O,
		"Switch detection on in this process; the threshold, or None for the setting's." },
	{ 0 },
};

bool hotpath_init(PyObject *module)
{
	PyObject *type = PyType_FromSpec(&spec);
	const bool done = type && PyModule_AddObjectRef(module, "_Detector", type) == 0;

	Py_XDECREF(type);
	return done;
}
