/* dlpack.c: exchange with other array libraries by the DLPack protocol, on the cpu.
 *
 * Out: a consumer that knows version 1 gets our elements uncopied and marked read-only; others, who
 * would take them for writable, and those who ask for it get a copy. In: elements are copied, as
 * every upload is. The structures below are the protocol's (https://dmlc.github.io/dlpack), for the
 * ABI alone.
 */
#include <stdlib.h>
#include "gtpy.h"

enum { DL_CPU = 1 };
enum { DL_INT = 0, DL_FLOAT = 2, DL_BOOL = 6 };
enum { DL_READ_ONLY = 1, DL_COPIED = 2 };

typedef struct dl_device { int32_t type, id; } dl_device;
typedef struct dl_dtype { uint8_t code, bits; uint16_t lanes; } dl_dtype;
typedef struct dl_tensor {
	void *data;
	dl_device device;
	int32_t ndim;
	dl_dtype dtype;
	int64_t *shape, *strides;    /* in elements; strides NULL: row-major */
	uint64_t byte_offset;
} dl_tensor;
typedef struct dl_plain {
	dl_tensor t;
	void *context;
	void (*deleter)(struct dl_plain *);
} dl_plain;
typedef struct dl_versioned {
	struct { uint32_t major, minor; } version;
	void *context;
	void (*deleter)(struct dl_versioned *);
	uint64_t flags;
	dl_tensor t;
} dl_versioned;

static const char *const plain_name = "dltensor";
static const char *const versioned_name = "dltensor_versioned";

static dl_dtype dtype_out(gt_dtype d)
{
	uint8_t bits = (uint8_t)(8 * gt_dtype_size(d));
	uint8_t code = d == GT_BOOL ? DL_BOOL : *dtype_format(d) == 'f' || *dtype_format(d) == 'd' ?
			DL_FLOAT : DL_INT;

	return (dl_dtype){ code, bits, 1 };
}

static gt_dtype dtype_in(dl_dtype t)
{
	for (int d = 1; d < GT_DTYPE_COUNT; d++) {
		dl_dtype own = dtype_out((gt_dtype)d);

		if (own.code == t.code && own.bits == t.bits && t.lanes == 1)
			return (gt_dtype)d;
	}
	return GT_DTYPE_NONE;
}

/* ---- out ------------------------------------------------------------------------------------ */

/* What a capsule points to: both forms, of which one is used, and what keeps the elements. */
typedef struct export {
	dl_plain plain;
	dl_versioned versioned;
	gt_fetch *f;             /* NULL: `copy` has the elements */
	void *copy;
	uint64_t epoch;
	int64_t shape[GT_RANK_MAX], strides[GT_RANK_MAX];
} export;

/* Consumers call this on any thread, without the interpreter. */
static void release(export *e)
{
	if (e->f && !session_foreign(e->epoch))
		gt_fetch_end(e->f);
	free(e->copy);
	free(e);
}

static void release_plain(dl_plain *p)
{
	release(p->context);
}

static void release_versioned(dl_versioned *p)
{
	release(p->context);
}

/* A capsule that nobody consumed, which it would have said by another name. */
static void drop_capsule(PyObject *capsule)
{
	const char *name = PyCapsule_GetName(capsule);

	if (strcmp(name, plain_name) == 0)
		release(((dl_plain *)PyCapsule_GetPointer(capsule, name))->context);
	else if (strcmp(name, versioned_name) == 0)
		release(((dl_versioned *)PyCapsule_GetPointer(capsule, name))->context);
}

static bool copy_out(export *e, size_t bytes)
{
	e->copy = malloc(bytes ? bytes : 1);
	if (!e->copy) {
		PyErr_NoMemory();
		return false;
	}
	if (bytes)
		memcpy(e->copy, gt_fetch_data(e->f), bytes);
	gt_fetch_end(e->f);
	e->f = NULL;
	return true;
}

static dl_tensor describe(export *e, gt_tensor *t)
{
	gt_shape s = gt_shape_of(t);
	int64_t stride = 1;

	for (int k = s.rank - 1; k >= 0; k--) {
		e->shape[k] = s.dims[k];
		e->strides[k] = stride;
		stride *= s.dims[k];
	}
	return (dl_tensor){
		.data = e->f ? (void *)(uintptr_t)gt_fetch_data(e->f) : e->copy,
		.device = { DL_CPU, 0 }, .ndim = s.rank, .dtype = dtype_out(gt_dtype_of(t)),
		.shape = e->shape, .strides = e->strides,
	};
}

/* Takes e. */
static PyObject *capsule_of(export *e, gt_tensor *t, bool versioned, uint64_t flags)
{
	PyObject *capsule;

	if (versioned) {
		e->versioned = (dl_versioned){ .version = { 1, 0 }, .context = e,
			.deleter = release_versioned, .flags = flags, .t = describe(e, t) };
		capsule = PyCapsule_New(&e->versioned, versioned_name, drop_capsule);
	} else {
		e->plain = (dl_plain){ .t = describe(e, t), .context = e, .deleter = release_plain };
		capsule = PyCapsule_New(&e->plain, plain_name, drop_capsule);
	}
	if (!capsule)
		release(e);
	return capsule;
}

static bool knows_version_1(PyObject *max_version, bool *to)
{
	PyObject *major = operand_given(max_version) ? PySequence_GetItem(max_version, 0) : NULL;
	int64_t n = 0;
	bool ok = !operand_given(max_version) || (major && operand_int(major, &n));

	Py_XDECREF(major);
	*to = n >= 1;
	return ok;
}

PyObject *method___dlpack__(PyObject *self, PyObject **a)
{
	gt_tensor *t = tensor_get(self);
	bool versioned, copy = a[3] == Py_True;
	export *e;

	if (!t || !knows_version_1(a[1], &versioned))
		return NULL;
	e = calloc(1, sizeof(*e));
	if (!e)
		return PyErr_NoMemory();
	e->epoch = session.epoch;
	e->f = read_fetch(t);
	copy |= !versioned;
	if (!e->f || (copy && !copy_out(e, (size_t)gt_count(t) * gt_dtype_size(gt_dtype_of(t))))) {
		release(e);
		return NULL;
	}
	return capsule_of(e, t, versioned, copy ? DL_COPIED : DL_READ_ONLY);
}

PyObject *method___dlpack_device__(PyObject *self, PyObject **a)
{
	(void)self, (void)a;
	return Py_BuildValue("ii", DL_CPU, 0);
}

/* ---- in ------------------------------------------------------------------------------------- */

/* Elements in row-major order from any strides; returns where the next one goes. */
static char *gather(const dl_tensor *t, int axis, const char *from, char *to, size_t size)
{
	if (axis == t->ndim) {
		memcpy(to, from, size);
		return to + size;
	}
	for (int64_t i = 0; i < t->shape[axis]; i++)
		to = gather(t, axis + 1, from + i * t->strides[axis] * (int64_t)size, to, size);
	return to;
}

static bool acceptable(const dl_tensor *t)
{
	if (t->device.type != DL_CPU)
		error_set(GT_EUNSUPPORTED, "from_dlpack: elements on device type %d; gt takes those of "
				"the cpu (1)", t->device.type);
	else if (dtype_in(t->dtype) == GT_DTYPE_NONE)
		error_set(GT_EDTYPE, "from_dlpack: elements of type code %d with %d bits are none of "
				"gt's dtypes", t->dtype.code, t->dtype.bits);
	else if (t->ndim < 0 || t->ndim > GT_RANK_MAX)
		error_set(GT_ELIMIT, "from_dlpack: %d dims; the limit is %d", t->ndim, GT_RANK_MAX);
	return !PyErr_Occurred();
}

static PyObject *upload(const dl_tensor *t)
{
	gt_dtype d = dtype_in(t->dtype);
	size_t size = gt_dtype_size(d), count = 1;
	gt_shape shape = { .rank = t->ndim };
	const char *data = (const char *)t->data + t->byte_offset;
	char *copy = NULL;
	PyObject *out;

	for (int k = 0; k < t->ndim; k++) {
		shape.dims[k] = t->shape[k];
		if (t->shape[k] < 0 || __builtin_mul_overflow(count, (size_t)t->shape[k], &count) ||
				count > SIZE_MAX / size)
			return error_set(GT_ESHAPE, "from_dlpack: dim %d has size %lld", k,
					(long long)t->shape[k]);
	}
	if (t->strides && count) {
		copy = malloc(count * size);
		if (!copy)
			return PyErr_NoMemory();
		gather(t, 0, data, copy, size);
	}
	out = session_client() ? tensor_wrap(gt_from_at(site_here(), session.client, d, shape,
			copy ? copy : data)) : NULL;
	free(copy);
	return out;
}

static PyObject *take_versioned(PyObject *capsule)
{
	dl_versioned *v = PyCapsule_GetPointer(capsule, versioned_name);
	PyObject *out = NULL;

	if (!v)
		return NULL;
	if (v->version.major != 1)
		error_set(GT_EUNSUPPORTED, "from_dlpack: version %u; gt knows version 1",
				v->version.major);
	else if (acceptable(&v->t))
		out = upload(&v->t);
	PyCapsule_SetName(capsule, "used_dltensor_versioned");
	if (v->deleter)
		v->deleter(v);
	return out;
}

static PyObject *take_plain(PyObject *capsule)
{
	dl_plain *p = PyCapsule_GetPointer(capsule, plain_name);
	PyObject *out = p && acceptable(&p->t) ? upload(&p->t) : NULL;

	if (!p)
		return NULL;
	PyCapsule_SetName(capsule, "used_dltensor");
	if (p->deleter)
		p->deleter(p);
	return out;
}

/* Producers from before version 1 know no max_version. */
static PyObject *ask(PyObject *producer)
{
	PyObject *f = PyObject_GetAttrString(producer, "__dlpack__");
	PyObject *none = PyTuple_New(0), *names = Py_BuildValue("{s(ii)}", "max_version", 1, 0);
	PyObject *capsule = f && none && names ? PyObject_Call(f, none, names) : NULL;

	if (!capsule && f && none && PyErr_ExceptionMatches(PyExc_TypeError)) {
		PyErr_Clear();
		capsule = PyObject_Call(f, none, NULL);
	}
	Py_XDECREF(f);
	Py_XDECREF(none);
	Py_XDECREF(names);
	return capsule;
}

PyObject *function_from_dlpack(PyObject **a)
{
	PyObject *capsule = PyCapsule_CheckExact(a[0]) ? Py_NewRef(a[0]) : ask(a[0]), *out;

	if (!capsule)
		return NULL;
	out = PyCapsule_IsValid(capsule, versioned_name) ? take_versioned(capsule) : take_plain(capsule);
	Py_DECREF(capsule);
	return out;
}
