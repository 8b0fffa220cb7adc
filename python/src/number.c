/* number.c: Tensor in expressions: operators, in-place operators, conversion to Python numbers. */
#include "gtpy.h"

/* ---- two operands --------------------------------------------------------------------------- */

PyObject *number_binary(PyObject *a, PyObject *b, number_binary_at *f)
{
	operand x, y;
	PyObject *out;
	int ok = operand_get(a, &x);

	if (ok <= 0)
		return ok ? NULL : Py_NewRef(Py_NotImplemented);
	ok = operand_get(b, &y);
	if (ok > 0) {
		out = tensor_wrap(f(site_here(), x.arg, y.arg));
		operand_end(&y);
	} else {
		out = ok ? NULL : Py_NewRef(Py_NotImplemented);
	}
	operand_end(&x);
	return out;
}

#define BINARY(name, op) \
static PyObject *binary_##name(PyObject *a, PyObject *b) \
{ \
	return number_binary(a, b, gt_##op##_at); \
}
BINARY(add, add)
BINARY(subtract, sub)
BINARY(multiply, mul)
BINARY(true_divide, div)
BINARY(floor_divide, floordiv)
BINARY(remainder, mod)
BINARY(and, and)
BINARY(or, or)
BINARY(xor, xor)

static PyObject *power(PyObject *a, PyObject *b, PyObject *modulus)
{
	if (modulus != Py_None) {
		PyErr_SetString(PyExc_TypeError, "pow() of tensors takes no modulus");
		return NULL;
	}
	return number_binary(a, b, gt_pow_at);
}

/* Lists and arrays are made tensors; numbers are no matrices. */
static PyObject *matrix_multiply(PyObject *a, PyObject *b)
{
	operand x, y;
	PyObject *out = NULL;
	int ok = operand_get(a, &x);

	if (ok <= 0)
		return ok ? NULL : Py_NewRef(Py_NotImplemented);
	ok = operand_get(b, &y);
	if (ok > 0 && x.arg.kind == GT_ARG_TENSOR && y.arg.kind == GT_ARG_TENSOR)
		out = tensor_wrap(gt_matmul_at(site_here(), x.arg.t, y.arg.t));
	else if (ok >= 0)
		out = Py_NewRef(Py_NotImplemented);
	if (ok > 0)
		operand_end(&y);
	operand_end(&x);
	return out;
}

/* ---- in place ------------------------------------------------------------------------------- */

static PyObject *update(PyObject *self, PyObject *other, const char *op)
{
	gt_tensor *t = tensor_get(self);
	operand y;
	int ok = t ? operand_get(other, &y) : -1;
	gt_err e;

	if (ok <= 0)
		return ok ? NULL : Py_NewRef(Py_NotImplemented);
	e = gt_update_at(site_here(), t, op, y.arg);
	operand_end(&y);
	return e ? error_raise() : Py_NewRef(self);
}

#define INPLACE(name, op) \
static PyObject *inplace_##name(PyObject *a, PyObject *b) { return update(a, b, op); }
INPLACE(add, "add")
INPLACE(subtract, "sub")
INPLACE(multiply, "mul")
INPLACE(true_divide, "div")
INPLACE(floor_divide, "floordiv")
INPLACE(remainder, "mod")
INPLACE(and, "and")
INPLACE(or, "or")
INPLACE(xor, "xor")

static PyObject *inplace_power(PyObject *a, PyObject *b, PyObject *modulus)
{
	(void)modulus;
	return update(a, b, "pow");
}

/* ---- one operand ---------------------------------------------------------------------------- */

#define UNARY(name, op) \
static PyObject *unary_##name(PyObject *a) \
{ \
	gt_tensor *t = tensor_get(a); \
	return t ? tensor_wrap(gt_##op##_at(site_here(), t)) : NULL; \
}
UNARY(negative, neg)
UNARY(absolute, abs)
UNARY(invert, not)

static PyObject *positive(PyObject *a)
{
	return Py_NewRef(a);
}

/* ---- Python numbers: a read ----------------------------------------------------------------- */

static int as_bool(PyObject *a)
{
	gt_tensor *t = tensor_get(a);
	PyObject *v;
	int truth;

	if (!t)
		return -1;
	if (gt_count(t) != 1) {
		error_set(GT_EINVAL, "the truth of a tensor of %lld elements is ambiguous: "
				"use .any() or .all()", (long long)gt_count(t));
		return -1;
	}
	v = read_item(a);
	truth = v ? PyObject_IsTrue(v) : -1;
	Py_XDECREF(v);
	return truth;
}

static PyObject *converted(PyObject *a, PyObject *(*convert)(PyObject *))
{
	PyObject *v = read_item(a), *out = v ? convert(v) : NULL;

	Py_XDECREF(v);
	return out;
}

static PyObject *as_int(PyObject *a)
{
	return converted(a, PyNumber_Long);
}

static PyObject *as_float(PyObject *a)
{
	return converted(a, PyNumber_Float);
}

static PyObject *as_index(PyObject *a)
{
	gt_tensor *t = tensor_get(a);
	gt_dtype d = t ? gt_dtype_of(t) : GT_DTYPE_NONE;

	if (!t)
		return NULL;
	if (d == GT_FLOAT32 || d == GT_FLOAT64 || gt_count(t) != 1) {
		PyErr_SetString(PyExc_TypeError,
				"only an integer tensor of one element is an index");
		return NULL;
	}
	return as_int(a);
}

PyType_Slot number_slots[] = {
	{ Py_nb_add, binary_add },
	{ Py_nb_subtract, binary_subtract },
	{ Py_nb_multiply, binary_multiply },
	{ Py_nb_true_divide, binary_true_divide },
	{ Py_nb_floor_divide, binary_floor_divide },
	{ Py_nb_remainder, binary_remainder },
	{ Py_nb_power, power },
	{ Py_nb_matrix_multiply, matrix_multiply },
	{ Py_nb_and, binary_and },
	{ Py_nb_or, binary_or },
	{ Py_nb_xor, binary_xor },
	{ Py_nb_inplace_add, inplace_add },
	{ Py_nb_inplace_subtract, inplace_subtract },
	{ Py_nb_inplace_multiply, inplace_multiply },
	{ Py_nb_inplace_true_divide, inplace_true_divide },
	{ Py_nb_inplace_floor_divide, inplace_floor_divide },
	{ Py_nb_inplace_remainder, inplace_remainder },
	{ Py_nb_inplace_power, inplace_power },
	{ Py_nb_inplace_and, inplace_and },
	{ Py_nb_inplace_or, inplace_or },
	{ Py_nb_inplace_xor, inplace_xor },
	{ Py_nb_negative, unary_negative },
	{ Py_nb_positive, positive },
	{ Py_nb_absolute, unary_absolute },
	{ Py_nb_invert, unary_invert },
	{ Py_nb_bool, as_bool },
	{ Py_nb_int, as_int },
	{ Py_nb_float, as_float },
	{ Py_nb_index, as_index },
	{ 0 },
};
