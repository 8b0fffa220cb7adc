/* sig.c: arguments by position and by name, for functions called with a C array.
 *
 * No dictionary is made, and names are compared as pointers first: the compiler interns the names
 * that a program writes, and so do we.
 */
#include "gtpy.h"

/* ---- reading a spec ------------------------------------------------------------------------- */

/* One argument: "axis/dim=None". Returns where it ends. */
static const char *read_argument(sig *s, int k, const char *p)
{
	int spelling = 0;
	size_t n;

	if (*p == '*') {
		s->variadic = true;
		p++;
	}
	do {
		n = strcspn(p, "/,=");
		assert(spelling < SIG_SPELLINGS);
		PyObject *text = PyUnicode_FromStringAndSize(p, (Py_ssize_t)n);
		if (text)
			PyUnicode_InternInPlace(&text);
		s->keys[k][spelling++] = text;
		p += n;
	} while (*p++ == '/');
	p--;
	s->required[k] = *p != '=' && !(k == 0 && s->variadic);
	return p + strcspn(p, ",");
}

static void prepare(sig *s)
{
	const char *p = s->spec;

	while (*p) {
		assert(s->n < SIG_MAX);
		p = read_argument(s, s->n++, p);
		p += strspn(p, ", ");
	}
	s->ready = true;
}

/* ---- taking arguments ----------------------------------------------------------------------- */

static bool has_spelling(const sig *s, int k, PyObject *name)
{
	for (int i = 0; i < SIG_SPELLINGS && s->keys[k][i]; i++)
		if (s->keys[k][i] == name || PyUnicode_Compare(s->keys[k][i], name) == 0)
			return true;
	return false;
}

static int find(const sig *s, PyObject *name)
{
	for (int k = 0; k < s->n; k++)
		if (s->keys[k][0] == name || s->keys[k][1] == name)
			return k;
	for (int k = 0; k < s->n; k++)
		if (has_spelling(s, k, name))
			return k;
	return -1;
}

static bool take_named(sig *s, PyObject *const *values, PyObject *names, PyObject **to)
{
	Py_ssize_t n = PyTuple_Size(names);

	for (Py_ssize_t i = 0; i < n; i++) {
		PyObject *name = PyTuple_GetItem(names, i);
		int k = find(s, name);

		if (k < 0 || to[k]) {
			PyErr_Format(PyExc_TypeError, k < 0 ? "%s() got an unexpected keyword "
					"argument '%U'; expected %s(%s)" :
					"%s() got argument '%U' twice; expected %s(%s)",
					s->name, name, s->name, s->spec);
			return false;
		}
		to[k] = values[i];
	}
	return true;
}

/* reshape(2, 3) and reshape((2, 3)) both give (2, 3); reshape(6) gives 6. */
static bool take_variadic(PyObject *const *args, Py_ssize_t n, PyObject **to)
{
	if (n == 1) {
		to[0] = args[0];
	} else if (n > 1) {
		PyObject *all = PyTuple_New(n);

		if (!all)
			return false;
		for (Py_ssize_t i = 0; i < n; i++)
			PyTuple_SetItem(all, i, Py_NewRef(args[i]));
		to[0] = to[SIG_MAX] = all;
	}
	return true;
}

static bool take_positional(sig *s, PyObject *const *args, Py_ssize_t n, PyObject **to)
{
	if (s->variadic)
		return take_variadic(args, n, to);
	if (n > s->n) {
		PyErr_Format(PyExc_TypeError, "%s() takes at most %d arguments, got %zd; expected "
				"%s(%s)", s->name, s->n, n, s->name, s->spec);
		return false;
	}
	for (Py_ssize_t i = 0; i < n; i++)
		to[i] = args[i];
	return true;
}

static bool check_required(const sig *s, PyObject **to)
{
	for (int k = 0; k < s->n; k++) {
		if (s->required[k] && !to[k]) {
			PyErr_Format(PyExc_TypeError, "%s() misses the argument '%U'; expected "
					"%s(%s)", s->name, s->keys[k][0], s->name, s->spec);
			return false;
		}
	}
	return true;
}

bool sig_parse(sig *s, PyObject *const *args, Py_ssize_t n, PyObject *names, sig_args to)
{
	bool ok;

	if (UNLIKELY(!s->ready))
		prepare(s);
	for (int k = 0; k < s->n; k++)
		to[k] = NULL;
	to[SIG_MAX] = NULL;
	ok = take_positional(s, args, n, to) && (!names || take_named(s, args + n, names, to)) &&
			check_required(s, to);
	if (!ok)
		Py_CLEAR(to[SIG_MAX]);
	return ok;
}
