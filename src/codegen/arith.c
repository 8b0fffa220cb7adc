/* arith.c: the elementwise rows as vector code: what engine/arith.def says in C, said to LLVM.
 * tests/codegen holds every row against it. What has no short vector form calls the engine's own
 * function lane by lane (group/helpers.h). */
#include "codegen/emit.h"

/* ---- Helpers. ---- */

void arith_call(emit *e, helper h, const val args[4])
{
	type word = e->ptr, kinds[] = { word, word, word, e->i64 };
	type f = LLVMFunctionType(LLVMVoidTypeInContext(e->context), kinds, 4, 0);
	val number = LLVMConstInt(e->i64, h, 0);
	val entry = LLVMBuildGEP2(e->b, e->ptr, e->helpers, &number, 1, "");
	val call = LLVMBuildLoad2(e->b, e->ptr, entry, "helper");

	LLVMBuildCall2(e->b, f, call, (val *)args, 4, "");
}

val arith_helper_on(emit *e, helper h, gt_dtype d, val x, val b)
{
	type t = e->vector[d];
	val out = emit_slot(e, t, "helped"), a = emit_slot(e, LLVMTypeOf(x), "first");
	val args[] = { out, a, b ? b : a, emit_size(e, e->lanes) };

	LLVMBuildStore(e->b, x, a);
	arith_call(e, h, args);
	return LLVMBuildLoad2(e->b, t, out, "");
}

val arith_helper(emit *e, helper h, gt_dtype d, val x, val y)
{
	val b = y ? emit_slot(e, e->vector[d], "second") : NULL;

	if (y)
		LLVMBuildStore(e->b, y, b);
	return arith_helper_on(e, h, d, x, b);
}

/* HELPER_<name>_FLOAT64 of a function of fun.def. */
static val call_double(emit *e, op o, val x, val y)
{
	enum { OP_erfc = 0 };
	static const helper numbers[OP_CODES] = {
#define FUN1(name, ulp, f64) [OP_##name] = HELPER_##name##_FLOAT64,
#define FUN2(name, ulp, f64) FUN1(name, ulp, f64)
#include "ir/fun.def"
	};

	return arith_helper(e, numbers[o], GT_FLOAT64, x, y);
}

/* ---- One input. ---- */

static val compare(emit *e, LLVMRealPredicate p, val a, val b)
{
	return LLVMBuildFCmp(e->b, p, a, b, "");
}

static val select_of(emit *e, val mask, val a, val b)
{
	return LLVMBuildSelect(e->b, mask, a, b, "");
}

static val unary_double(emit *e, op o, val x)
{
	val zero = emit_double(e, 0), one = emit_double(e, 1);
	type t = e->vector[GT_FLOAT64];

	switch (o) {
	case OP_neg:
		return LLVMBuildFNeg(e->b, x, "");
	case OP_abs:
		return emit_intrinsic(e, "llvm.fabs", t, &x, 1);
	case OP_sign:
		x = select_of(e, compare(e, LLVMRealOEQ, x, zero), zero, x);
		x = select_of(e, compare(e, LLVMRealOLT, x, zero), emit_double(e, -1), x);
		return select_of(e, compare(e, LLVMRealOGT, x, zero), one, x);
	case OP_relu:
		return select_of(e, compare(e, LLVMRealOLE, x, zero), zero, x);
	case OP_square:
		return LLVMBuildFMul(e->b, x, x, "");
	case OP_reciprocal:
		return LLVMBuildFDiv(e->b, one, x, "");
	case OP_sqrt:
		return emit_intrinsic(e, "llvm.sqrt", t, &x, 1);
	case OP_rsqrt:
		return LLVMBuildFDiv(e->b, one, emit_intrinsic(e, "llvm.sqrt", t, &x, 1), "");
	default:
		return call_double(e, o, x, NULL);
	}
}

static val unary_int(emit *e, op o, gt_dtype d, val x)
{
	val zero = emit_int(e, d, 0);
	val above = LLVMBuildICmp(e->b, LLVMIntSGT, x, zero, "");
	val below = LLVMBuildICmp(e->b, LLVMIntSLT, x, zero, "");

	switch (o) {
	case OP_neg:    return LLVMBuildNeg(e->b, x, "");
	case OP_abs:    return select_of(e, below, LLVMBuildNeg(e->b, x, ""), x);
	case OP_sign:   return select_of(e, below, emit_int(e, d, -1),
				select_of(e, above, emit_int(e, d, 1), zero));
	case OP_square: return LLVMBuildMul(e->b, x, x, "");
	case OP_relu:   return select_of(e, above, x, zero);
	case OP_not:    return LLVMBuildNot(e->b, x, "");
	default:        return x;        /* floor, ceil, round */
	}
}

static val is_finite(emit *e, gt_dtype d, val x)
{
	return compare(e, LLVMRealOEQ, LLVMBuildFSub(e->b, x, x, ""), emit_int(e, d, 0));
}

static val unary(emit *e, op o, gt_dtype d, val x)
{
	bool is_float = dtype_kind_of(d) == KIND_FLOAT;

	if (o == OP_clone)
		return x;
	if (o == OP_isnan)
		return is_float ? compare(e, LLVMRealUNO, x, x) : emit_int(e, GT_BOOL, 0);
	if (o == OP_isfinite)
		return is_float ? is_finite(e, d, x) : emit_int(e, GT_BOOL, 1);
	if (d == GT_BOOL)
		return LLVMBuildNot(e->b, x, "");
	if (d == GT_FLOAT32)
		return fun_unary(e, o, x);
	return d == GT_FLOAT64 ? unary_double(e, o, x) : unary_int(e, o, d, x);
}

/* Out of range and NaN: the smallest integer. */
static val float_to_int(emit *e, gt_dtype from, gt_dtype to, val x)
{
	double limit = to == GT_INT32 ? 0x1p31 : 0x1p63;
	val high = emit_splat(e, LLVMConstReal(e->element[from], limit));
	val low = emit_splat(e, LLVMConstReal(e->element[from], -limit));
	val fits = LLVMBuildAnd(e->b, compare(e, LLVMRealOGE, x, low),
		compare(e, LLVMRealOLT, x, high), "");
	val smallest = emit_int(e, to, to == GT_INT32 ? INT32_MIN : INT64_MIN);

	x = select_of(e, fits, x, low);
	return select_of(e, fits, LLVMBuildFPToSI(e->b, x, e->vector[to], ""), smallest);
}

static val cast(emit *e, gt_dtype from, gt_dtype to, val x)
{
	bool from_float = dtype_kind_of(from) == KIND_FLOAT,
		to_float = dtype_kind_of(to) == KIND_FLOAT;

	if (from == to)
		return x;
	if (to == GT_BOOL)
		return from_float ? compare(e, LLVMRealUNE, x, emit_int(e, from, 0))
			: LLVMBuildICmp(e->b, LLVMIntNE, x, emit_int(e, from, 0), "");
	if (from == GT_BOOL)
		return select_of(e, x, emit_int(e, to, 1), emit_int(e, to, 0));
	if (from_float && to_float)
		return LLVMBuildFPCast(e->b, x, e->vector[to], "");
	if (from_float)
		return float_to_int(e, from, to, x);
	if (to_float)
		return LLVMBuildSIToFP(e->b, x, e->vector[to], "");
	return LLVMBuildIntCast2(e->b, x, e->vector[to], 1, "");
}

/* ---- Two inputs. ---- */

/* a < b || a != a ? a : b. In floats as two choices: the inner one is an instruction, and with the
 * outer one for a mask if that says where to take it. */
static val extreme(emit *e, op o, gt_dtype d, val a, val b)
{
	bool least = o == OP_minimum;
	val v;

	if (dtype_kind_of(d) == KIND_FLOAT) {
		v = select_of(e, compare(e, least ? LLVMRealOLT : LLVMRealOGT, a, b), a, b);
		return select_of(e, compare(e, LLVMRealORD, a, a), v, a);
	}
	v = LLVMBuildICmp(e->b, least ? LLVMIntSLT : LLVMIntSGT, a, b, "");
	return select_of(e, v, a, b);
}

static val binary_bool(emit *e, op o, val a, val b)
{
	LLVMBuilderRef s = e->b;

	switch (o) {
	case OP_add: case OP_maximum: case OP_or: return LLVMBuildOr(s, a, b, "");
	case OP_mul: case OP_minimum: case OP_and: return LLVMBuildAnd(s, a, b, "");
	case OP_ne: case OP_xor: return LLVMBuildXor(s, a, b, "");
	case OP_eq: return LLVMBuildNot(s, LLVMBuildXor(s, a, b, ""), "");
	case OP_lt: return LLVMBuildAnd(s, LLVMBuildNot(s, a, ""), b, "");
	case OP_le: return LLVMBuildOr(s, LLVMBuildNot(s, a, ""), b, "");
	case OP_gt: return LLVMBuildAnd(s, a, LLVMBuildNot(s, b, ""), "");
	default:    return LLVMBuildOr(s, a, LLVMBuildNot(s, b, ""), "");       /* ge */
	}
}

static val binary_int(emit *e, op o, gt_dtype d, val a, val b)
{
	LLVMBuilderRef s = e->b;

	switch (o) {
	case OP_add: return LLVMBuildAdd(s, a, b, "");
	case OP_sub: return LLVMBuildSub(s, a, b, "");
	case OP_mul: return LLVMBuildMul(s, a, b, "");
	case OP_and: return LLVMBuildAnd(s, a, b, "");
	case OP_or:  return LLVMBuildOr(s, a, b, "");
	case OP_xor: return LLVMBuildXor(s, a, b, "");
	case OP_eq:  return LLVMBuildICmp(s, LLVMIntEQ, a, b, "");
	case OP_ne:  return LLVMBuildICmp(s, LLVMIntNE, a, b, "");
	case OP_lt:  return LLVMBuildICmp(s, LLVMIntSLT, a, b, "");
	case OP_le:  return LLVMBuildICmp(s, LLVMIntSLE, a, b, "");
	case OP_gt:  return LLVMBuildICmp(s, LLVMIntSGT, a, b, "");
	case OP_ge:  return LLVMBuildICmp(s, LLVMIntSGE, a, b, "");
	case OP_pow:
		return arith_helper(e, d == GT_INT32 ? HELPER_pow_INT32 : HELPER_pow_INT64,
			d, a, b);
	default:
		return extreme(e, o, d, a, b);
	}
}

static val binary_float(emit *e, op o, gt_dtype d, val a, val b)
{
	LLVMBuilderRef s = e->b;
	bool narrow = d == GT_FLOAT32;

	switch (o) {
	case OP_add: return LLVMBuildFAdd(s, a, b, "");
	case OP_sub: return LLVMBuildFSub(s, a, b, "");
	case OP_mul: return LLVMBuildFMul(s, a, b, "");
	case OP_div: return LLVMBuildFDiv(s, a, b, "");
	case OP_eq:  return compare(e, LLVMRealOEQ, a, b);
	case OP_ne:  return compare(e, LLVMRealUNE, a, b);
	case OP_lt:  return compare(e, LLVMRealOLT, a, b);
	case OP_le:  return compare(e, LLVMRealOLE, a, b);
	case OP_gt:  return compare(e, LLVMRealOGT, a, b);
	case OP_ge:  return compare(e, LLVMRealOGE, a, b);
	case OP_pow: return narrow ? fun_pow32(e, a, b) : call_double(e, o, a, b);
	case OP_mod:
		return arith_helper(e, narrow ? HELPER_mod_FLOAT32 : HELPER_mod_FLOAT64, d, a, b);
	case OP_floordiv:
		return arith_helper(e, narrow ? HELPER_floordiv_FLOAT32 : HELPER_floordiv_FLOAT64,
			d, a, b);
	default:
		return extreme(e, o, d, a, b);
	}
}

static val binary(emit *e, op o, gt_dtype d, val a, val b)
{
	switch (dtype_kind_of(d)) {
	case KIND_BOOL: return binary_bool(e, o, a, b);
	case KIND_INT:  return binary_int(e, o, d, a, b);
	default:        return binary_float(e, o, d, a, b);
	}
}

val arith_op(emit *e, op o, gt_dtype in, gt_dtype out, const val *x)
{
	if (o == OP_cast)
		return cast(e, in, out, x[0]);
	if (o == OP_where)
		return select_of(e, x[0], x[1], x[2]);
	if (o == OP_clamp)
		return binary(e, OP_minimum, in, binary(e, OP_maximum, in, x[0], x[1]), x[2]);
	return op_rows[o].nin == 1 ? unary(e, o, in, x[0]) : binary(e, o, in, x[0], x[1]);
}
