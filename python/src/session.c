/* session.c: the one client of the process: opened at first use, closed by disconnect or the end.
 *
 * The interpreter's lock guards the client; only waiting for a read happens without it. A wait
 * comes back to the interpreter at every poll and goes on after signal handlers have run: nothing
 * that holds the worker's executor may wait for the lock, for the holder of the lock may be waiting
 * for the worker.
 *
 * Closing, a fork and the end of the program begin a new epoch, by which tensors know that their
 * handles are gone. While a handler of the user's runs inside a call of ours, the epoch is 0:
 * nothing works.
 */
#include <pthread.h>
#include "gtpy.h"

struct session session = { .epoch = 1, .client_grad = true };
__thread bool session_grad = true;

typedef enum state { OPEN, CLOSED, FORKED, ENDED } state;
static state now;
static uint64_t fork_epoch;          /* epochs up to this one belong to a parent process */
static bool in_handler;
static unsigned long main_thread;    /* the one that ended gt: the interpreter ends on it */
static __thread bool waiting;        /* this thread waits without the interpreter's lock */

static const char *const in_handler_text =
	"gt cannot be used in a signal handler that interrupted gt: set a flag and return";
static const char *const fork_text =
	"gt was in use before this process was forked; its workers stayed behind in the parent: "
	"start processes with multiprocessing's 'spawn' method, or use gt only after the fork";

/* ---- opening and closing -------------------------------------------------------------------- */

static int run_handlers(void)
{
	struct session saved = session;
	int failed;

	session.epoch = 0;
	session.client = NULL;
	in_handler = true;
	failed = PyErr_CheckSignals();
	in_handler = false;
	session = saved;
	return failed;
}

/* What a handler raised during a call of ours, until the call is over: it may go well all the same,
 * when only the handing over of freed tensors was interrupted. */
static PyObject *raised[3];

bool session_raise(void)
{
	if (!raised[0])
		return false;
	PyErr_Restore(raised[0], raised[1], raised[2]);
	memset(raised, 0, sizeof(raised));
	return true;
}

/* The interpreter calls this on the main thread, between two of its instructions. */
static int raise_late(void *unused)
{
	(void)unused;
	return session_raise() ? -1 : 0;
}

static int poll(void *ctx)
{
	(void)ctx;
	if (waiting)
		return 1;
	if (run_handlers() == 0)
		return 0;
	if (!raised[0] && Py_AddPendingCall(raise_late, NULL) < 0)
		return 1;
	for (int k = 0; k < 3; k++)      /* of an earlier wait in the same call: the later counts */
		Py_CLEAR(raised[k]);
	PyErr_Fetch(&raised[0], &raised[1], &raised[2]);
	return 1;
}

static void forked(void)
{
	fork_epoch = session.epoch++;
	if (session.client)
		now = FORKED;
	session.client = NULL;
	session.client_grad = true;
}

/* Threads that outlive the main one's work end quietly: nobody is left to read a traceback. */
static void *ended(void)
{
	if (PyThread_get_thread_ident() == main_thread)
		return error_set(GT_ECLOSED, "gt is closed: the program is ending");
	PyErr_SetNone(PyExc_SystemExit);
	return NULL;
}

static gt_client *open_client(void)
{
	static bool watching;
	gt_options options = { .manual = 1 };

	if (in_handler)
		return error_set(GT_ESTATE, in_handler_text);
	if (now == FORKED)
		return error_set(GT_EFORK, fork_text);
	if (now == ENDED)
		return ended();
	if (!watching && pthread_atfork(NULL, NULL, forked) != 0)
		return (gt_client *)PyErr_NoMemory();
	watching = true;
	session.client = gt_open(&options);
	if (!session.client)
		return error_raise();
	gt_set_interrupt(session.client, poll, NULL);
	session.client_grad = true;
	now = OPEN;
	return session.client;
}

gt_client *session_client(void)
{
	return LIKELY(session.client) ? session.client : open_client();
}

void *session_dead(void)
{
	if (in_handler)
		return error_set(GT_ESTATE, in_handler_text);
	if (now == FORKED)
		return error_set(GT_EFORK, fork_text);
	if (now == ENDED)
		return ended();
	return error_set(GT_ECLOSED, "this tensor went with its connection, which is closed; "
			"make a new one (read what has to survive before gt.disconnect())");
}

bool session_foreign(uint64_t epoch)
{
	return epoch <= fork_epoch;
}

/* The lock is given back meanwhile: a thread that helps the worker may need it to end its wait. */
static void close_client(state next)
{
	gt_client *c = session.client;

	if (now != FORKED)
		now = next;
	session.client = NULL;
	if (!c)
		return;
	session.epoch++;
	Py_BEGIN_ALLOW_THREADS
	gt_close(c);
	Py_END_ALLOW_THREADS
}

static PyObject *disconnect(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	if (in_handler)
		return error_set(GT_ESTATE, in_handler_text);
	close_client(CLOSED);
	return Py_NewRef(Py_None);
}

static PyObject *end(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	main_thread = PyThread_get_thread_ident();
	close_client(ENDED);
	return Py_NewRef(Py_None);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static gt_err wait_unlocked(gt_fetch *f)
{
	gt_err e;

	waiting = true;
	Py_BEGIN_ALLOW_THREADS
	e = gt_fetch_wait(f);
	Py_END_ALLOW_THREADS
	waiting = false;
	return e;
}

bool session_wait(gt_fetch *f)
{
	gt_err e;

	do {
		e = gt_fetch_ready(f) ? gt_fetch_wait(f) : wait_unlocked(f);
		if (e == GT_EINTERRUPT && PyErr_CheckSignals() < 0)
			return false;
	} while (e == GT_EINTERRUPT);
	if (e == GT_ECLOSED && now == ENDED)
		return ended();
	return !e || error_raise();
}

static PyObject *synchronize(PyObject *module, PyObject *none)
{
	gt_fetch *f;
	bool done;

	(void)module, (void)none;
	if (!session.client)
		return Py_NewRef(Py_None);
	if (!(f = gt_sync_begin(session.client)))
		return error_raise();
	done = session_wait(f);
	gt_fetch_end(f);
	return done ? Py_NewRef(Py_None) : NULL;
}

/* ---- gradient mode, random numbers, workers, signals ---------------------------------------- */

void session_sync_grad(void)
{
	if (session.client)
		gt_grad_mode(session.client, session_grad);
	session.client_grad = session_grad;
}

static PyObject *set_grad(PyObject *module, PyObject *on)
{
	int v = PyObject_IsTrue(on);
	bool before = session_grad;

	(void)module;
	if (v < 0)
		return NULL;
	session_grad = v;
	return PyBool_FromLong(before);
}

static PyObject *is_grad_enabled(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	return PyBool_FromLong(session_grad);
}

static PyObject *manual_seed(PyObject *module, PyObject *seed)
{
	PyObject *n = PyNumber_Index(seed);
	unsigned long long v = n ? PyLong_AsUnsignedLongLongMask(n) : 0;
	gt_client *c = n ? session_client() : NULL;

	(void)module;
	Py_XDECREF(n);
	if (!c)
		return NULL;
	gt_manual_seed(c, v);
	return Py_NewRef(Py_None);
}

static PyObject *workers(PyObject *module, PyObject *number)
{
	int64_t n;

	(void)module;
	if (!operand_int(number, &n))
		return NULL;
	if (session.client)
		return error_set(GT_ESTATE, "workers have started already: call gt.workers(n) "
				"before the first tensor is made, or after gt.disconnect()");
	if (n < 1 || n > INT_MAX)
		return error_set(GT_EINVAL, "workers: %lld are asked for, expected 1 to 1024",
				(long long)n);
	return gt_set_workers((int)n) ? error_raise() : Py_NewRef(Py_None);
}

static PyObject *enter(PyObject *module, PyObject *args)
{
	const char *name, *backward = NULL;
	gt_client *c;

	(void)module;
	if (!PyArg_ParseTuple(args, "s|z:enter", &name, &backward) || !(c = session_client()))
		return NULL;
	if ((backward ? gt_enter_with(c, name, backward) : gt_enter(c, name)) != GT_OK)
		return error_raise();
	return Py_NewRef(Py_None);
}

/* After a disconnect there is nothing to leave: a `with` block around it must end quietly. */
static PyObject *leave(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	if (!session.client && now != FORKED)
		return Py_NewRef(Py_None);
	if (!session_client() || gt_leave(session.client) != GT_OK)
		return PyErr_Occurred() ? NULL : error_raise();
	return Py_NewRef(Py_None);
}

static PyObject *compile_begin(PyObject *module, PyObject *mode)
{
	const long m = PyLong_AsLong(mode);

	(void)module;
	if ((m == -1 && PyErr_Occurred()) || !session_client())
		return NULL;
	if (gt_compile_begin(session.client, (gt_compile_mode)m) != GT_OK)
		return error_raise();
	return Py_NewRef(Py_None);
}

/* As leave. */
static PyObject *compile_end(PyObject *module, PyObject *none)
{
	(void)module, (void)none;
	if (!session.client && now != FORKED)
		return Py_NewRef(Py_None);
	if (!session_client() || gt_compile_end(session.client) != GT_OK)
		return PyErr_Occurred() ? NULL : error_raise();
	return Py_NewRef(Py_None);
}

static PyObject *compile_wait(PyObject *module, PyObject *none)
{
	PyObject *done = synchronize(module, none);

	if (done && session.client && gt_compile_wait(session.client) != GT_OK) {
		Py_DECREF(done);
		return error_raise();
	}
	return done;
}

/* A negative mode: as if it never had one. */
static PyObject *signal_compile(PyObject *module, PyObject *args)
{
	const char *name;
	gt_client *c;
	int mode;

	(void)module;
	if (!PyArg_ParseTuple(args, "si:compile", &name, &mode) || !(c = session_client()))
		return NULL;
	if ((mode < 0 ? gt_signal_forget(c, name) :
			gt_signal_compile(c, name, (gt_compile_mode)mode)) != GT_OK)
		return error_raise();
	return Py_NewRef(Py_None);
}

static PyObject *current(PyObject *module, PyObject *none)
{
	const char *name = session.client ? gt_signal_current(session.client) : NULL;

	(void)module, (void)none;
	return name ? PyUnicode_FromString(name) : Py_NewRef(Py_None);
}

PyMethodDef session_functions[] = {
	{ "disconnect", disconnect, METH_NOARGS,
			"disconnect()\n\nStop the workers and free every tensor. "
		"The next use of gt starts anew; tensors made before raise ClosedError." },
	{ "synchronize", synchronize, METH_NOARGS,
			"synchronize()\n\nWait until everything issued has run." },
	{ "manual_seed", manual_seed, METH_O,
			"manual_seed(n)\n\nRestart the random numbers: the same n gives "
		"the same numbers." },
	{ "workers", workers, METH_O,
			"workers(n)\n\nUse n embedded workers, 1 to 1024: before the first use of "
		"gt, or after disconnect()." },
	{ "gpu_workers", workers, METH_O, "gpu_workers(n)\n\nThe same as workers(n)." },
	{ "is_grad_enabled", is_grad_enabled, METH_NOARGS,
			"is_grad_enabled()\n\nWhether this thread records "
		"operations for gradients." },
	{ "_set_grad", set_grad, METH_O,
			"Set the gradient mode of this thread; returns the one before." },
	{ "compile_wait", compile_wait, METH_NOARGS,
			"compile_wait()\n\nWait until everything issued has run, and what was found "
		"in it by then is compiled." },
	{ "_compile_begin", compile_begin, METH_O, "Begin a part of that mode." },
	{ "_compile_end", compile_end, METH_NOARGS, "End the innermost part." },
	{ "_signal_compile", signal_compile, METH_VARARGS, "Compile the parts of a signal." },
	{ "_enter", enter, METH_VARARGS, "Enter a signal." },
	{ "_leave", leave, METH_NOARGS, "Leave the innermost signal." },
	{ "_current", current, METH_NOARGS, "Name of the innermost signal, or None." },
	{ "_end", end, METH_NOARGS, "Close for good: the program is ending." },
	{ 0 },
};
