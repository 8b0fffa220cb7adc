/* gtpy.h: what the files of the extension gt._gt share.
 *
 * The extension is a thin layer on the public C API: it turns Python values into arguments, calls,
 * and wraps the result. It knows tensors by their handles only. One client serves the whole
 * process; the global interpreter lock guards it. All functions need the lock and, where they fail,
 * leave a Python exception set; pointers to PyObject are borrowed and results are new references
 * unless a comment says otherwise.
 */
#ifndef GTPY_H
#define GTPY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <gt/gt.h>

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- session.c: the one client -------------------------------------------------------------- */

/* Tensors of an earlier epoch are dead: disconnect, a fork, the end of the program begin one. */
struct session {
	gt_client *client;    /* NULL until the first use */
	uint64_t epoch;
	bool client_grad;     /* the gradient mode that the client has now */
};
extern struct session session;
extern __thread bool session_grad;    /* the gradient mode of this thread */

gt_client *session_client(void);      /* opened at first use */
void *session_dead(void);             /* raises why a tensor of an earlier epoch cannot be used */
void session_sync_grad(void);
/* True if this process was forked from the one that `epoch` began in: its locks are not ours. */
bool session_foreign(uint64_t epoch);
/* Wait for a read without the interpreter's lock; Ctrl-C ends the wait. False: exception set. */
bool session_wait(gt_fetch *f);
/* Set the exception that a signal handler raised while a call waited, if one did. */
bool session_raise(void);
extern PyMethodDef session_functions[];

/* ---- errors.c ------------------------------------------------------------------------------- */

bool error_init(PyObject *module);
/* The thread's last gt error as an exception; an error found here, as PyErr_Format. Both NULL. */
void *error_raise(void);
void *error_set(gt_err e, const char *format, ...);

/* ---- site.c --------------------------------------------------------------------------------- */

/* Where the user's program is: the innermost frame outside the package. NULL if there is none. */
const gt_site *site_find(void);
extern PyMethodDef site_functions[];

/* The place to give to a gt_*_at function, right before the call: also makes the client's gradient
 * mode the one of this thread. */
static inline const gt_site *site_here(void)
{
	if (UNLIKELY(session.client_grad != session_grad))
		session_sync_grad();
	return site_find();
}

/* ---- dtype.c -------------------------------------------------------------------------------- */

bool dtype_init(PyObject *module);
PyObject *dtype_object(gt_dtype d);                     /* gt.float32 */
/* From gt.float32, "float32", float, numpy.float32, numpy.dtype; NULL and None give `absent`. */
bool dtype_get(PyObject *o, gt_dtype absent, gt_dtype *to);
/* Of the buffer protocol; GT_DTYPE_NONE if not ours. */
gt_dtype dtype_of_format(const char *format);
const char *dtype_format(gt_dtype d);

/* ---- tensor.c ------------------------------------------------------------------------------- */

typedef struct tensor {
	PyObject_HEAD
	gt_tensor *t;
	uint64_t epoch;
	PyObject *weak;
} tensor;
extern PyTypeObject *tensor_type;

bool tensor_init(PyObject *module);
/* Takes t. NULL: raises the last gt error. */
PyObject *tensor_wrap(gt_tensor *t);
/* `o`, if it is a tensor, else a new one with the numbers of a list, an array, a scalar; dtype
 * GT_DTYPE_NONE: by the values. */
PyObject *tensor_from(PyObject *o, gt_dtype dtype);

static inline bool tensor_is(PyObject *o)
{
	return Py_TYPE(o) == tensor_type;
}

/* The handle of a live tensor. NULL: exception set, also where `o` is no tensor. */
static inline gt_tensor *tensor_get(PyObject *o)
{
	if (UNLIKELY(!tensor_is(o))) {
		PyErr_Format(PyExc_TypeError, "a tensor was expected, not %R", Py_TYPE(o));
		return NULL;
	}
	if (UNLIKELY(((tensor *)o)->epoch != session.epoch))
		return session_dead();
	return ((tensor *)o)->t;
}

/* ---- operand.c: Python values as arguments -------------------------------------------------- */

/* A tensor or a number. `held` keeps a tensor alive that was made from a list or an array. */
typedef struct operand { gt_arg arg; PyObject *held; } operand;
int operand_other(PyObject *o, operand *to);

/* 1; 0 if `o` is nothing to calculate with (no exception); -1 with an exception. */
static inline int operand_get(PyObject *o, operand *to)
{
	if (UNLIKELY(!tensor_is(o) || ((tensor *)o)->epoch != session.epoch))
		return operand_other(o, to);
	to->arg = gt_arg_tensor(((tensor *)o)->t);
	to->held = NULL;
	return 1;
}

static inline void operand_end(operand *x)
{
	Py_XDECREF(x->held);
}

bool operand_need(PyObject *o, operand *to);            /* as operand_get, but 0 raises TypeError */
static inline bool operand_given(PyObject *o) { return o && o != Py_None; }
bool operand_int(PyObject *o, int64_t *to);
bool operand_axis(PyObject *o, int *to);
bool operand_bool(PyObject *o, bool absent, bool *to);  /* NULL gives `absent` */
bool operand_double(PyObject *o, double absent, double *to);
bool operand_shape(PyObject *o, gt_shape *to);          /* an int or a sequence; NULL is () */
bool operand_axes(PyObject *o, gt_reduce *to);          /* None, an int, a sequence */
bool operand_reduction(PyObject *o, gt_reduction *to);  /* 'mean', 'sum', 'none'; NULL is 'mean' */

/* ---- sig.c: arguments by position and name -------------------------------------------------- */

/* A signature as written in methods.def: "axis/dim=None, keepdims/keepdim=False": a name and its
 * other spellings; with = it may be left out. "*shape" collects positional arguments: one sequence,
 * or several ints; what follows it has to be named. Prepared at the first call. */
#define SIG_MAX 10
#define SIG_SPELLINGS 4
typedef struct sig {
	const char *name, *spec;
	int n;                /* 0: not prepared yet (or no arguments) */
	bool ready, variadic;
	bool required[SIG_MAX];
	PyObject *keys[SIG_MAX][SIG_SPELLINGS];
} sig;
/* One place more than arguments: a tuple made for a variadic argument; the caller drops it. */
typedef PyObject *sig_args[SIG_MAX + 1];
/* Absent arguments are NULL. */
bool sig_parse(sig *s, PyObject *const *args, Py_ssize_t n, PyObject *names, sig_args to);

/* ---- the functions of methods.def and of the op table --------------------------------------- */

#define METHOD(name, spec, doc)   PyObject *method_##name(PyObject *self, PyObject **a);
#define BOTH(name, spec, doc)     PyObject *method_##name(PyObject *self, PyObject **a);
#define FUNCTION(name, spec, doc) PyObject *function_##name(PyObject **a);
#include "methods.def"
PyMethodDef *method_functions(void);    /* of the module */
PyMethodDef *method_methods(void);      /* of Tensor */

/* ---- caller.c ------------------------------------------------------------------------------- */

bool caller_init(PyObject *module);

/* ---- debug.c -------------------------------------------------------------------------------- */

extern PyMethodDef debug_functions[];

/* ---- hotpath.c ------------------------------------------------------------------------------ */

bool hotpath_init(PyObject *module);
extern PyMethodDef hotpath_functions[];

/* ---- number.c, index.c, short.c, read.c, grad.c, make.c, nest.c ----------------------------- */

/* A function of two numbers or tensors; NotImplemented if one is neither. */
typedef gt_tensor *number_binary_at(const gt_site *, gt_arg, gt_arg);
PyObject *number_binary(PyObject *a, PyObject *b, number_binary_at *f);
extern PyType_Slot number_slots[];

PyObject *index_get(PyObject *self, PyObject *key);
int index_set(PyObject *self, PyObject *key, PyObject *value);    /* value NULL: del */
PyObject *index_item(PyObject *self, Py_ssize_t i);
PyObject *index_iter(PyObject *self);
Py_ssize_t index_length(PyObject *self);

int short_contains(PyObject *self, PyObject *value);

bool read_init(PyObject *module);
gt_fetch *read_fetch(gt_tensor *t);                    /* a read that has finished. Gives it. */
PyObject *read_item(PyObject *self);                   /* the one element as a Python number */
int read_buffer(PyObject *self, Py_buffer *view, int flags);
PyObject *read_shape(const gt_shape *s);               /* a tuple */

extern PyGetSetDef grad_properties[];
PyObject *make_numbers(PyObject *o, gt_dtype dtype);   /* a tensor with the numbers in `o` */
/* Numbers of nested sequences, row-major. Gives *data (PyMem_Free). *dtype GT_DTYPE_NONE: chosen
 * by the values. */
bool nest_read(PyObject *o, gt_dtype *dtype, gt_shape *shape, void **data);

#endif
