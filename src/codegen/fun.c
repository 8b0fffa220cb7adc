/* fun.c: ir/fun.def as vector code: every step of a definition is one call of LLVM's builder. The
 * first argument of all functions is the emit `gen`, which the macros name: fun.def has an `e` of
 * its own. */
#include "codegen/emit.h"

#include <math.h>
#include "ir/tree.h"

static val fun_bits(emit *gen, gt_dtype d, val x)
{
	return LLVMBuildBitCast(gen->b, x, gen->vector[d], "");
}

/* The steps of fun_fma_soft in engine/fun.h, for machines without the instruction. */
static val fun_fma_soft(emit *gen, val a, val b, val c)
{
	LLVMBuilderRef s = gen->b;
	type d = gen->vector[GT_FLOAT64];
	val p = LLVMBuildFMul(s, LLVMBuildFPExt(s, a, d, ""), LLVMBuildFPExt(s, b, d, ""), "");
	val wide = LLVMBuildFPExt(s, c, d, ""), sum = LLVMBuildFAdd(s, p, wide, "");
	val t = LLVMBuildFSub(s, sum, p, "");
	val error = LLVMBuildFAdd(s, LLVMBuildFSub(s, p, LLVMBuildFSub(s, sum, t, ""), ""),
		LLVMBuildFSub(s, wide, t, ""), "");
	val bits = fun_bits(gen, GT_INT64, sum);
	val inward = LLVMBuildLShr(s, LLVMBuildXor(s, fun_bits(gen, GT_INT64, error), bits, ""),
		emit_i64(gen, 63), "");
	val one = emit_i64(gen, 1);
	val way = LLVMBuildSub(s, one, LLVMBuildShl(s, inward, one, ""), "");
	val even = LLVMBuildSub(s, LLVMBuildAnd(s, bits, one, ""), one, "");
	val odd = LLVMBuildAdd(s, bits, LLVMBuildAnd(s, way, even, ""), "");
	val inexact = LLVMBuildFCmp(s, LLVMRealONE, error, emit_double(gen, 0), "");

	sum = LLVMBuildSelect(s, inexact, fun_bits(gen, GT_FLOAT64, odd), sum, "");
	return LLVMBuildFPTrunc(s, sum, gen->vector[GT_FLOAT32], "");
}

static val fun_fma(emit *gen, val a, val b, val c)
{
	val args[] = { a, b, c };

	if (gen->isa == ISA_BASE)
		return fun_fma_soft(gen, a, b, c);
	return emit_intrinsic(gen, "llvm.fma", gen->vector[GT_FLOAT32], args, 3);
}

static val fun_same(emit *gen, const char *name, gt_dtype d, val x)
{
	return emit_intrinsic(gen, name, gen->vector[d], &x, 1);
}

/* x 2^n, n as exp_steps gives it, by the instruction that does it with one rounding. */
static val fun_scalef(emit *gen, val x, val y)
{
	static const char name[] = "llvm.x86.avx512.mask.scalef.ps.512";
	const unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
	val call = LLVMGetIntrinsicDeclaration(gen->module, id, NULL, 0), parts[EMIT_LINES];
	val n = LLVMBuildFSub(gen->b, y, emit_float(gen, 0x1.8p23f), "");
	const int lanes = gen->lanes;

	for (int k = 0; k < lanes / TREE_LANES; k++) {
		val args[] = { emit_part(gen, x, k, TREE_LANES), emit_part(gen, n, k, TREE_LANES),
			NULL, LLVMConstInt(LLVMInt16TypeInContext(gen->context), 0xffff, 0),
			LLVMConstInt(gen->i32, 4, 0) };   /* round as the thread does */

		args[2] = args[0];
		parts[k] = LLVMBuildCall2(gen->b, LLVMGlobalGetValueType(call), call, args,
			COUNT(args), "");
	}
	return emit_join(gen, parts, lanes / TREE_LANES);
}

/* A helper of fun.def that is an instruction of the machine; NULL if it is none. */
static val fun_instruction(emit *gen, const char *name, val x, val y)
{
	return gen->isa == ISA_AVX512 && gen->lanes % TREE_LANES == 0 && !strcmp(name, "scale")
		? fun_scalef(gen, x, y) : NULL;
}

#define FUN_STATIC static __attribute__((unused))
typedef struct fun_pair { val first, second; } fun_pair;

/* ---- Bodies. ---- */

#define FUN1(name, ulp, f64) FUN_STATIC val fun_##name(emit *gen, val x) {
#define FUN1_IN(name, ulp, limit, f64) FUN_STATIC val fun_near_##name(emit *gen, val x) {
#define FUN2(name, ulp, f64) FUN_STATIC val fun_##name(emit *gen, val x, val y) {
#define FUN_PAIR(name) FUN_STATIC fun_pair fun_##name(emit *gen, val x, val y) {
#define HELP1(name) FUN_STATIC val fun_##name(emit *gen, val x) {
#define HELP2(name) \
	FUN_STATIC val fun_##name(emit *gen, val x, val y) \
	{ \
		const val instruction = fun_instruction(gen, #name, x, y); \
 \
		if (instruction) \
			return instruction;
#define HELP1_D(name) FUN_STATIC val fun_##name(emit *gen, val x) {
#define HELP1_FD(name) FUN_STATIC val fun_##name(emit *gen, val x) {
#define CALL1(name, a) fun_##name(gen, a)
#define CALL2(name, a, b) fun_##name(gen, a, b)
#define LET_F(name, value) const val name = (value);
#define LET_D(name, value) const val name = (value);
#define LET_I(name, value) const val name = (value);
#define LET_L(name, value) const val name = (value);
#define LET_M(name, value) const val name = (value);
#define RET(value) return (value);
#define RET2(a, b) return (fun_pair){ (a), (b) };
#define END }

#define BUILDER gen->b          /* macros below have a parameter b */
#define F(c) emit_float(gen, (float)(c))
#define D(c) emit_double(gen, (double)(c))
#define I(c) emit_i32(gen, (uint32_t)(c))
#define L(c) emit_i64(gen, (uint64_t)(c))
#define INF emit_float(gen, __builtin_inff())
#define NOT_A_NUMBER emit_float(gen, __builtin_nanf(""))
#define ADD(a, b) LLVMBuildFAdd(BUILDER, a, b, "")
#define SUB(a, b) LLVMBuildFSub(BUILDER, a, b, "")
#define MUL(a, b) LLVMBuildFMul(BUILDER, a, b, "")
#define DIV(a, b) LLVMBuildFDiv(BUILDER, a, b, "")
#define FMA(a, b, c) fun_fma(gen, a, b, c)
#define SQRT(a) fun_same(gen, "llvm.sqrt", GT_FLOAT32, a)
#define NEG(a) LLVMBuildFNeg(BUILDER, a, "")
#define ABS(a) fun_same(gen, "llvm.fabs", GT_FLOAT32, a)
#define DADD ADD
#define DSUB SUB
#define DMUL MUL
#define DDIV DIV
#define DABS(a) fun_same(gen, "llvm.fabs", GT_FLOAT64, a)
#define IADD(a, b) LLVMBuildAdd(BUILDER, a, b, "")
#define ISUB(a, b) LLVMBuildSub(BUILDER, a, b, "")
#define IAND(a, b) LLVMBuildAnd(BUILDER, a, b, "")
#define IOR(a, b) LLVMBuildOr(BUILDER, a, b, "")
#define IXOR(a, b) LLVMBuildXor(BUILDER, a, b, "")
#define ISHL(a, by) LLVMBuildShl(BUILDER, a, I(by), "")
#define ISHR(a, by) LLVMBuildLShr(BUILDER, a, I(by), "")
#define ISAR(a, by) LLVMBuildAShr(BUILDER, a, I(by), "")
#define LADD IADD
#define LAND IAND
#define LXOR IXOR
#define LSHL(a, by) LLVMBuildShl(BUILDER, a, L(by), "")
#define LT(a, b) LLVMBuildFCmp(BUILDER, LLVMRealOLT, a, b, "")
#define LE(a, b) LLVMBuildFCmp(BUILDER, LLVMRealOLE, a, b, "")
#define EQ(a, b) LLVMBuildFCmp(BUILDER, LLVMRealOEQ, a, b, "")
#define DLT LT
#define DEQ EQ
#define ILT(a, b) LLVMBuildICmp(BUILDER, LLVMIntSLT, a, b, "")
#define IEQ(a, b) LLVMBuildICmp(BUILDER, LLVMIntEQ, a, b, "")
#define AND IAND
#define OR IOR
#define NOT(a) LLVMBuildNot(BUILDER, a, "")
#define SEL(m, a, b) LLVMBuildSelect(BUILDER, m, a, b, "")
#define DSEL SEL
#define ISEL SEL
#define I2F(a) LLVMBuildSIToFP(BUILDER, a, gen->vector[GT_FLOAT32], "")
#define I2D(a) LLVMBuildSIToFP(BUILDER, a, gen->vector[GT_FLOAT64], "")
#define F2D(a) LLVMBuildFPExt(BUILDER, a, gen->vector[GT_FLOAT64], "")
#define D2F(a) LLVMBuildFPTrunc(BUILDER, a, gen->vector[GT_FLOAT32], "")
#define AS_F(a) fun_bits(gen, GT_FLOAT32, a)
#define AS_I(a) fun_bits(gen, GT_INT32, a)
#define AS_D(a) fun_bits(gen, GT_FLOAT64, a)
#define AS_L(a) fun_bits(gen, GT_INT64, a)
#include "ir/fun.def"

/* ---- Whole functions where there is a near and a far part. ---- */

/* Far lanes are rare: only where there is one, the helper computes all, and those are taken. */
static val join_far(emit *gen, helper h, float limit, val x, val near)
{
	val size = fun_same(gen, "llvm.fabs", GT_FLOAT32, x), any, all;
	val far = LLVMBuildFCmp(gen->b, LLVMRealOGT, size, emit_float(gen, limit), "far");
	branch b;

	if (gen->mask)
		far = LLVMBuildAnd(gen->b, far, emit_mask(gen), "");
	any = LLVMBuildBitCast(gen->b, far,
		LLVMIntTypeInContext(gen->context, (unsigned)gen->lanes), "");
	any = LLVMBuildICmp(gen->b, LLVMIntNE, any, LLVMConstNull(LLVMTypeOf(any)), "");
	branch_open(gen, &b, "far", any);
	all = arith_helper(gen, h, GT_FLOAT32, x, NULL);
	all = LLVMBuildSelect(gen->b, far, all, near, "");
	return branch_close(gen, &b, all, near);
}

#define FUN1_IN(name, ulp, limit, f64) \
	FUN_STATIC val fun_##name(emit *gen, val x) \
	{ \
		val near = fun_near_##name(gen, x); \
 \
		return join_far(gen, HELPER_far_##name##_FLOAT32, limit, x, near); \
	}
#include "ir/fun.def"

/* fun_erfc is part of the table, but no op. */
enum { OP_erfc = 0 };

val fun_unary(emit *gen, op o, val x)
{
	static val (*const functions[OP_CODES])(emit *, val) = {
#define FUN1(name, ulp, f64) [OP_##name] = fun_##name,
#include "ir/fun.def"
	};

	return functions[o] ? functions[o](gen, x) : NULL;
}

val fun_pow32(emit *gen, val x, val y) { return fun_pow(gen, x, y); }

void fun_normal32(emit *gen, val x, val y, val numbers[2])
{
	const fun_pair p = fun_normal(gen, x, y);

	numbers[0] = p.first;
	numbers[1] = p.second;
}
