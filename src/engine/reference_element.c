/* reference_element.c: reference kernels that compute every element of the result by itself. */
#include "engine/arith.h"
#include "engine/reference.h"

#include "base/error.h"

typedef void unary(void *out, const void *x);
typedef void binary(void *out, const void *a, const void *b);

/* ---- One function for every op and dtype, from the tables. ---- */

#define DEFINE_1(dtype, type, name, result)                                              \
	static void name##_##dtype(void *out, const void *x)                             \
	{                                                                                \
		*(result *)out = arith_##name##_##dtype(*(const type *)x);               \
	}
#define DEFINE_1_SAME(dtype, type, name) DEFINE_1(dtype, type, name, type)
#define DEFINE_1_BOOL(dtype, type, name) DEFINE_1(dtype, type, name, uint8_t)
#define DEFINE_2(dtype, type, name, result)                                              \
	static void name##_##dtype(void *out, const void *a, const void *b)              \
	{                                                                                \
		*(result *)out = arith_##name##_##dtype(*(const type *)a, *(const type *)b); \
	}
#define DEFINE_2_SAME(dtype, type, name) DEFINE_2(dtype, type, name, type)
#define DEFINE_2_BOOL(dtype, type, name) DEFINE_2(dtype, type, name, uint8_t)

#define FUN1(name, ulp, f64) EACH_FLOAT(DEFINE_1_SAME, name)
#include "ir/fun.def"
#define UNARY_I(name, i) EACH_INT(DEFINE_1_SAME, name)
#define UNARY_BI(name, b, i) EACH_BOOL(DEFINE_1_SAME, name) EACH_INT(DEFINE_1_SAME, name)
#define TEST_BIF(name, b, i, f) EACH_DTYPE(DEFINE_1_BOOL, name)
#define BINARY_BIF(name, b, i, f) EACH_DTYPE(DEFINE_2_SAME, name)
#define BINARY_IF(name, i, f) EACH_NUMBER(DEFINE_2_SAME, name)
#define BINARY_F(name, f) EACH_FLOAT(DEFINE_2_SAME, name)
#define BINARY_BI(name, b, i) EACH_BOOL(DEFINE_2_SAME, name) EACH_INT(DEFINE_2_SAME, name)
#define COMPARE(name, any) EACH_DTYPE(DEFINE_2_BOOL, name)
#include "engine/arith.def"

#define ROW(dtype, type, name) [OP_##name][GT_##dtype] = name##_##dtype,

static unary *const unaries[OP_CODES][GT_DTYPE_COUNT] = {
#define FUN1(name, ulp, f64) EACH_FLOAT(ROW, name)
#include "ir/fun.def"
#define UNARY_I(name, i) EACH_INT(ROW, name)
#define UNARY_BI(name, b, i) EACH_BOOL(ROW, name) EACH_INT(ROW, name)
#define TEST_BIF(name, b, i, f) EACH_DTYPE(ROW, name)
#include "engine/arith.def"
};

static binary *const binaries[OP_CODES][GT_DTYPE_COUNT] = {
#define BINARY_BIF(name, b, i, f) EACH_DTYPE(ROW, name)
#define BINARY_IF(name, i, f) EACH_NUMBER(ROW, name)
#define BINARY_F(name, f) EACH_FLOAT(ROW, name)
#define BINARY_BI(name, b, i) EACH_BOOL(ROW, name) EACH_INT(ROW, name)
#define COMPARE(name, any) EACH_DTYPE(ROW, name)
#include "engine/arith.def"
};

#define DEFINE_CAST_TO(to, type, from, from_type)                                        \
	static void cast_##from##_##to(void *out, const void *x)                         \
	{                                                                                \
		*(type *)out = arith_cast_##from##_##to(*(const from_type *)x);          \
	}
/* EACH_DTYPE inside EACH_DTYPE does not expand: the pairs are spelled by their first half. */
EACH_DTYPE(DEFINE_CAST_TO, FLOAT32, float)
EACH_DTYPE(DEFINE_CAST_TO, FLOAT64, double)
EACH_DTYPE(DEFINE_CAST_TO, INT32, int32_t)
EACH_DTYPE(DEFINE_CAST_TO, INT64, int64_t)
EACH_DTYPE(DEFINE_CAST_TO, BOOL, uint8_t)

#define CAST_ROW(to, type, from) [GT_##from][GT_##to] = cast_##from##_##to,
static unary *const casts[GT_DTYPE_COUNT][GT_DTYPE_COUNT] = {
	EACH_DTYPE(CAST_ROW, FLOAT32)
	EACH_DTYPE(CAST_ROW, FLOAT64)
	EACH_DTYPE(CAST_ROW, INT32)
	EACH_DTYPE(CAST_ROW, INT64)
	EACH_DTYPE(CAST_ROW, BOOL)
};

#define DEFINE_CLAMP(dtype, type, unused)                                                \
	static void clamp_##dtype(void *out, const void *x, const void *low, const void *high) \
	{                                                                                \
		*(type *)out = arith_clamp_##dtype(*(const type *)x, *(const type *)low, \
			*(const type *)high);                                            \
	}
EACH_NUMBER(DEFINE_CLAMP, )

#define CLAMP_ROW(dtype, type, unused) [GT_##dtype] = clamp_##dtype,
static void (*const clamps[])(void *, const void *, const void *, const void *) = {
	EACH_NUMBER(CLAMP_ROW, )
};

static void choose(gt_dtype d, void *to, const void *const *x)
{
	memcpy(to, x[*(const uint8_t *)x[0] ? 1 : 2], dtype_size(d));
}

void reference_element(op o, gt_dtype in, gt_dtype out, void *to, const void *const *x)
{
	switch (op_rows[o].nin) {
	case 1:
		if (o == OP_clone)
			memcpy(to, x[0], dtype_size(out));
		else if (o == OP_cast)
			casts[in][out](to, x[0]);
		else
			unaries[o][in](to, x[0]);
		break;
	case 2:
		binaries[o][in](to, x[0], x[1]);
		break;
	default:
		if (o == OP_where)
			choose(out, to, x);
		else
			clamps[out](to, x[0], x[1], x[2]);
	}
}

/* ---- The kernels. ---- */

static gt_err apply(const kcall *c, unary *f)
{
	int64_t count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++)
		f(reference_out(c->out, n), reference_meets(c->in[0], &c->out->m, n));
	return GT_OK;
}

gt_err kernel_unary(const kcall *c)
{
	return apply(c, unaries[c->i->op][c->in[0]->m.dtype]);
}

gt_err kernel_cast(const kcall *c)
{
	return apply(c, casts[c->in[0]->m.dtype][c->out->m.dtype]);
}

static bool divides_integers(const kcall *c)
{
	return (c->i->op == OP_floordiv || c->i->op == OP_mod) &&
		dtype_kind_of(c->out->m.dtype) == KIND_INT;
}

static bool is_zero(const view *v, const void *element)
{
	static const char zero[sizeof(int64_t)];

	return !memcmp(element, zero, dtype_size(v->m.dtype));
}

gt_err kernel_binary(const kcall *c)
{
	binary *f = binaries[c->i->op][c->in[0]->m.dtype];
	bool divides = divides_integers(c);
	int64_t count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++) {
		const void *a = reference_meets(c->in[0], &c->out->m, n);
		const void *b = reference_meets(c->in[1], &c->out->m, n);

		if (divides && is_zero(c->in[1], b))
			return fail(GT_EDIVIDE, "%s: integer division by zero at position %lld",
				op_rows[c->i->op].name, (long long)n);
		f(reference_out(c->out, n), a, b);
	}
	return GT_OK;
}

gt_err kernel_where(const kcall *c)
{
	int64_t count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++) {
		bool yes = *(const uint8_t *)reference_meets(c->in[0], &c->out->m, n);

		memcpy(reference_out(c->out, n), reference_meets(c->in[yes ? 1 : 2], &c->out->m, n),
			dtype_size(c->out->m.dtype));
	}
	return GT_OK;
}

gt_err kernel_clamp(const kcall *c)
{
	int64_t count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++)
		clamps[c->out->m.dtype](reference_out(c->out, n),
			reference_meets(c->in[0], &c->out->m, n),
			reference_meets(c->in[1], &c->out->m, n),
			reference_meets(c->in[2], &c->out->m, n));
	return GT_OK;
}
