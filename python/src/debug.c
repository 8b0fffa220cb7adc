/* debug.c: what gt.debug shows: the figures of gt/stats.h as dicts, and gt_explain's text. */
#include <gt/stats.h>
#include "gtpy.h"

/* "operations": dict(...), out of the values' struct. */
static PyObject *operations_of(const gt_worker_stats *s)
{
	return Py_BuildValue("{s:K,s:K,s:K}", "total", s->operations.total, "eager",
			s->operations.eager, "compiled", s->operations.compiled);
}

static PyObject *sequences_of(const gt_worker_stats *s)
{
	PyObject *list = PyList_New(0);

	for (unsigned k = 0; list && k < s->hotpath.sequences; k++) {
		const gt_sequence *q = &s->hotpath.top_sequences[k];
		char hash[24];
		PyObject *one;

		PyOS_snprintf(hash, sizeof(hash), "%012llx", (unsigned long long)q->hash);
		one = Py_BuildValue("{s:s,s:I,s:K,s:N}", "hash", hash, "length", q->operations,
				"executed", q->runs, "hot", PyBool_FromLong(q->hot));
		if (!one || PyList_Append(list, one))
			Py_CLEAR(list);
		Py_XDECREF(one);
	}
	return list;
}

static PyObject *hotpath_of(const gt_worker_stats *s)
{
	PyObject *top = sequences_of(s);

	if (!top)
		return NULL;
	return Py_BuildValue("{s:K,s:K,s:K,s:K,s:K,s:K,s:K,s:d,s:K,s:K,s:K,s:K,s:K,s:N}",
			"total_batches", s->hotpath.total_batches,
			"hot_batches_executed", s->hotpath.hot_batches_executed,
			"unique_patterns", s->hotpath.unique_patterns,
			"hot_paths", s->hotpath.hot_paths,
			"hot_threshold", s->hotpath.hot_threshold,
			"total_instructions", s->hotpath.total_instructions,
			"hot_instructions", s->hotpath.hot_instructions,
			"coverage", s->hotpath.coverage,
			"matches", s->hotpath.matches,
			"passengers", s->hotpath.passengers,
			"exits", s->hotpath.exits,
			"demotions", s->hotpath.demotions,
			"blacklisted", s->hotpath.blacklisted,
			"top_sequences", top);
}

static PyObject *memory_of(const gt_worker_stats *s)
{
	return Py_BuildValue("{s:K,s:K,s:K}", "tensors", s->tensors, "bytes", s->bytes,
			"bytes_max", s->bytes_max);
}

static PyObject *compilation_of(const gt_worker_stats *s)
{
	return Py_BuildValue("{s:K,s:K,s:K,s:d,s:K,s:K,s:K,s:K,s:K,s:K,s:d,s:K,s:K,s:K}",
			"cache_size", s->compilation.cache_size,
			"cache_hits", s->compilation.cache_hits,
			"cache_misses", s->compilation.cache_misses,
			"hit_rate", s->compilation.hit_rate,
			"persistent_hits", s->compilation.persistent_hits,
			"compiles", s->compilation.compiles,
			"failures", s->compilation.failures,
			"recompiles", s->compilation.recompiles,
			"demotions", s->compilation.demotions,
			"blacklisted", s->compilation.blacklisted,
			"compile_seconds", s->compilation.compile_seconds,
			"kernels", s->compilation.kernels,
			"launches_saved", s->compilation.launches_saved,
			"bytes_saved", s->compilation.bytes_saved);
}

/* (number of the worker, its figures), or None while there is no client. */
static PyObject *stats(PyObject *module, PyObject *none)
{
	PyObject *operations, *hotpath, *compilation, *memory;
	gt_worker_stats s;

	(void)module, (void)none;
	if (!session.client)
		return Py_NewRef(Py_None);
	if (gt_stats(session.client, &s))
		return error_raise();
	operations = operations_of(&s);
	hotpath = operations ? hotpath_of(&s) : NULL;
	compilation = hotpath ? compilation_of(&s) : NULL;
	memory = compilation ? memory_of(&s) : NULL;
	if (memory)
		return Py_BuildValue("(i{s:N,s:N,s:N,s:N})", s.worker, "operations", operations,
				"hotpath", hotpath, "compilation", compilation, "memory", memory);
	Py_XDECREF(operations);
	Py_XDECREF(hotpath);
	Py_XDECREF(compilation);
	return NULL;
}

static PyObject *explain(PyObject *module, PyObject *args)
{
	gt_explain_options o = { 0 };
	PyObject *answer;
	char *text;
	size_t n;
	int full;

	(void)module;
	if (!PyArg_ParseTuple(args, "pz:explain", &full, &o.kernel))
		return NULL;
	o.full = full;
	if (!session.client)
		return PyUnicode_FromString("nothing has been executed yet\n");
	/* It may have grown in between: then it is cut. */
	n = gt_explain_with(session.client, NULL, 0, o) + 1024;
	text = PyMem_Malloc(n);
	if (!text)
		return PyErr_NoMemory();
	answer = gt_explain_with(session.client, text, n, o) ? PyUnicode_DecodeUTF8(text,
			(Py_ssize_t)strlen(text), "replace") : (PyObject *)error_raise();
	PyMem_Free(text);
	return answer;
}

PyMethodDef debug_functions[] = {
	{ "_worker_stats", stats, METH_NOARGS,
		"What the client's worker has done so far: (its number, a dict), or None." },
	{ "_explain", explain, METH_VARARGS, "What is known of the loops of this program." },
	{ 0 },
};
