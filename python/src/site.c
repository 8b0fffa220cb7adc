/* site.c: where the user's program is, cheaply.
 *
 * A place is a code object and an offset into it; its file and line are looked up once and kept, one
 * site for all places of a line.
 * Frames of the package itself are skipped, so an operation inside gt.nn is attributed to the line
 * that called the layer. Code objects of places are kept alive, so that their addresses stay names.
 *
 * The limited API has no way to an offset but the attribute f_lasti; the two functions of the full
 * API are taken where the interpreter exports them, which saves about 30 ns an operation.
 */
#include <dlfcn.h>
#include "gtpy.h"

#define PLACES_MAX 65536     /* those beyond are unknown: a program that makes code without end */

typedef struct place {
	PyObject *code;          /* NULL: free */
	int offset;
	bool inside;             /* of the package */
	gt_site *site;
} place;

static place *table;         /* open addressing, at most half full */
static uint32_t capacity, count;
static const char *home;     /* the package's folder, with a slash */
static size_t home_length;
static int (*frame_lasti)(PyFrameObject *);
static PyFrameObject *(*frame_back)(PyFrameObject *);
static PyObject *text_lasti, *text_back, *text_filename, *text_qualname;

static int offset_of(PyFrameObject *f)
{
	PyObject *o;
	long v;

	if (LIKELY(frame_lasti))
		return frame_lasti(f);
	o = PyObject_GetAttr((PyObject *)f, text_lasti);
	v = o ? PyLong_AsLong(o) : -1;
	Py_XDECREF(o);
	PyErr_Clear();
	return (int)v;
}

static PyFrameObject *caller_of(PyFrameObject *f)   /* borrowed: frames below a running one stay */
{
	PyObject *o;

	if (LIKELY(frame_back))
		o = (PyObject *)frame_back(f);
	else if (!(o = PyObject_GetAttr((PyObject *)f, text_back)))
		PyErr_Clear();
	Py_XDECREF(o);
	return o == Py_None ? NULL : (PyFrameObject *)o;
}

static uint32_t slot_of(const PyObject *code, int offset)
{
	uint64_t h = ((uintptr_t)code >> 4) * 0x9e3779b97f4a7c15u +
			(uint64_t)offset * 0xc2b2ae3d27d4eb4fu;
	uint32_t k = (uint32_t)(h >> 32) & (capacity - 1);

	while (table[k].code && (table[k].code != code || table[k].offset != offset))
		k = (k + 1) & (capacity - 1);
	return k;
}

static bool grow(void)
{
	place *old = table;
	uint32_t n = capacity;
	place *wider = PyMem_Calloc(n ? 2 * n : 1024, sizeof(place));

	if (!wider)
		return false;
	table = wider;
	capacity = n ? 2 * n : 1024;
	for (uint32_t k = 0; k < n; k++)
		if (old[k].code)
			table[slot_of(old[k].code, old[k].offset)] = old[k];
	PyMem_Free(old);
	return true;
}

/* Text that lives as long as the code object does; "" if there is none. */
static const char *code_text(PyObject *code, PyObject *name)
{
	PyObject *s = PyObject_GetAttr(code, name);
	const char *text = s && PyUnicode_Check(s) ? PyUnicode_AsUTF8AndSize(s, NULL) : NULL;

	Py_XDECREF(s);
	PyErr_Clear();
	return text ? text : "";
}

static bool learn(place *p, PyFrameObject *f)
{
	const char *file = code_text(p->code, text_filename);

	p->inside = home_length && strncmp(file, home, home_length) == 0;
	p->site = PyMem_Malloc(sizeof(*p->site));
	if (!p->site)
		return false;
	p->site->file = file;
	p->site->line = PyFrame_GetLineNumber(f);
	p->site->function = code_text(p->code, text_qualname);
	return true;
}

/* A free slot for a place not seen before; NULL if there is no room. */
static place *take(PyObject *code, int offset)
{
	place *p;

	if (count == PLACES_MAX || (2 * (count + 1) > capacity && !grow()))
		return NULL;
	p = &table[slot_of(code, offset)];
	Py_INCREF(code);
	count++;
	*p = (place){ .code = code, .offset = offset };
	return p;
}

/* All of a line has one site: an interpreter that rewrites what runs often calls the same function
 * from another offset from then on, and a loop would seem to come from elsewhere. Kept where no
 * offset is. */
static const place *place_of_line(PyFrameObject *f, PyObject *code)
{
	const int key = -3 - PyFrame_GetLineNumber(f);
	place *p = capacity ? &table[slot_of(code, key)] : NULL;

	if (p && p->code)
		return p;
	p = take(code, key);
	return p && learn(p, f) ? p : NULL;
}

/* A place not seen before. NULL if there is no room: the operation goes on without a place. */
static const place *add_place(PyFrameObject *f, PyObject *code, int offset)
{
	const place *line = place_of_line(f, code);
	const bool inside = line && line->inside;
	gt_site *site = line ? line->site : NULL;
	place *p = site ? take(code, offset) : NULL;

	if (!p)
		return NULL;
	p->inside = inside;
	p->site = site;
	return p;
}

static const place *place_of(PyFrameObject *f)
{
	PyObject *code = (PyObject *)PyFrame_GetCode(f);
	int offset = offset_of(f);
	const place *p = capacity ? &table[slot_of(code, offset)] : NULL;

	if (UNLIKELY(!p || !p->code))
		p = add_place(f, code, offset);
	Py_DECREF(code);
	return p;
}

const gt_site *site_find(void)
{
	PyFrameObject *f = PyEval_GetFrame();
	const place *p = NULL;

	while (f && (p = place_of(f)) && p->inside)
		f = caller_of(f);
	return p ? p->site : NULL;
}

static PyObject *set_home(PyObject *module, PyObject *path)
{
	Py_ssize_t n;
	const char *text = PyUnicode_AsUTF8AndSize(path, &n);

	(void)module;
	if (!text)
		return NULL;
	Py_INCREF(path);    /* for good: `home` points into it */
	home = text;
	home_length = (size_t)n;
	text_lasti = PyUnicode_InternFromString("f_lasti");
	text_back = PyUnicode_InternFromString("f_back");
	text_filename = PyUnicode_InternFromString("co_filename");
	text_qualname = PyUnicode_InternFromString("co_qualname");
	*(void **)&frame_lasti = dlsym(RTLD_DEFAULT, "PyFrame_GetLasti");
	*(void **)&frame_back = dlsym(RTLD_DEFAULT, "PyFrame_GetBack");
	return Py_NewRef(Py_None);
}

PyMethodDef site_functions[] = {
	{ "_set_home", set_home, METH_O, "Tell the folder whose frames are not the user's." },
	{ 0 },
};
