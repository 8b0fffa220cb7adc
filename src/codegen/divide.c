/* divide.c: dividing the elements of a row by one number, correctly rounded, in a third of the time
 * that 512 bits of divider take.
 *
 * By Markstein's theorem: y is 1 / a rounded; q = x * y is off by less than two units in the last
 * place, by less than one after one correction by the remainder; then the remainder is exact and
 * the second correction gives the nearest float: the bits of x / a. It needs quotients and
 * remainders that stay normal: 2^-60 <= |x| < 2^60 and 2^-40 <= |a| < 2^40 see to that. +0 is fine,
 * too; -0 would lose its sign. A vector with anything else is divided.
 */
#include "codegen/emit.h"

static bool is_worth(const emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];

	return e->isa == ISA_AVX512 && n->what == NODE_OP && n->op == OP_div &&
		n->dtype == GT_FLOAT32 && e->shapes[n->in[0]].cols && !e->shapes[n->in[1]].cols;
}

static val bits_of(emit *e, val x)
{
	val bits = LLVMBuildBitCast(e->b, x, e->vector[GT_INT32], "");

	return LLVMBuildAnd(e->b, bits, emit_i32(e, 0x7fffffff), "");
}

/* 2^-power <= |x| < 2^power. */
static val is_near_one(emit *e, val x, uint32_t power)
{
	uint32_t low = (127 - power) << 23, high = (127 + power) << 23;
	val above = LLVMBuildSub(e->b, bits_of(e, x), emit_i32(e, low), "");

	return LLVMBuildICmp(e->b, LLVMIntULT, above, emit_i32(e, high - low), "");
}

static val any_of(emit *e, val mask)
{
	type bits = LLVMIntTypeInContext(e->context, (unsigned)e->lanes);

	return LLVMBuildICmp(e->b, LLVMIntNE, LLVMBuildBitCast(e->b, mask, bits, ""),
		LLVMConstNull(bits), "");
}

void divide_prepare(emit *e, bool rows, int level)
{
	for (int k = 0; k < e->g->nodes_count; k++) {
		int by = e->g->nodes[k].in[1];
		val a;

		if (!is_worth(e, k) || e->shapes[by].rows != rows || e->shapes[by].level != level)
			continue;
		a = node_value(e, by);
		e->inverse[by] = LLVMBuildFDiv(e->b, emit_float(e, 1), a, "inverse");
		e->divides[by] = any_of(e, LLVMBuildNot(e->b, is_near_one(e, a, 40), ""));
	}
}

static val correct(emit *e, val q, val x, val minus_a, val y)
{
	type t = e->vector[GT_FLOAT32];
	val rest[] = { minus_a, q, x }, step[] = { NULL, y, q };

	step[0] = emit_intrinsic(e, "llvm.fma", t, rest, 3);
	return emit_intrinsic(e, "llvm.fma", t, step, 3);
}

/* Is there a lane for which the short way is wrong? */
static val has_exception(emit *e, val x)
{
	val bits = LLVMBuildBitCast(e->b, x, e->vector[GT_INT32], "");
	val bad = LLVMBuildAnd(e->b, LLVMBuildNot(e->b, is_near_one(e, x, 60), ""),
		LLVMBuildICmp(e->b, LLVMIntNE, bits, emit_i32(e, 0), ""), "");

	if (e->mask)
		bad = LLVMBuildAnd(e->b, bad, emit_mask(e), "");
	return any_of(e, bad);
}

val divide_row(emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];
	int by = n->in[1];
	val x, a, y, q, minus, slow;
	branch b;

	if (!is_worth(e, node) || !e->inverse[by])
		return NULL;
	x = node_value(e, n->in[0]);
	a = node_value(e, by);
	y = node_widen(e, e->inverse[by]);
	minus = LLVMBuildFNeg(e->b, a, "");
	q = LLVMBuildFMul(e->b, x, y, "");
	q = correct(e, correct(e, q, x, minus, y), x, minus, y);
	branch_open(e, &b, "divide", LLVMBuildOr(e->b, has_exception(e, x), e->divides[by], ""));
	slow = LLVMBuildFDiv(e->b, x, a, "");
	return branch_close(e, &b, slow, q);
}
