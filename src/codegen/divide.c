/* divide.c: dividing the elements of a row by one number, correctly rounded, in a quarter of the
 * time that 512 bits of divider take.
 *
 * y is 1 / a rounded, q = x * y, r = x - q * a, and q + r * y, by two fused steps, is the nearest
 * float: the bits of x / a. For x * y is less than one unit in the last place of q away from x / a,
 * as the significands of x and a are less than 2; so where x / a is nearly half way between two
 * floats, which a quotient never is exactly, q is one of the two, r is exact, and Markstein's
 * theorem holds. Where it is not, what r * y is off by does not matter. It needs quotients and
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

/* 2^-power <= |x| < 2^power if this is below range_of(power). */
static val above(emit *e, val x, uint32_t power)
{
	return LLVMBuildSub(e->b, bits_of(e, x), emit_i32(e, (127 - power) << 23), "");
}

static val range_of(emit *e, uint32_t power) { return emit_i32(e, power << 24); }

static val is_far(emit *e, val x, uint32_t power)
{
	return LLVMBuildICmp(e->b, LLVMIntUGE, above(e, x, power), range_of(e, power), "far");
}

static val any_of(emit *e, val mask)
{
	type bits = LLVMIntTypeInContext(e->context, LLVMGetVectorSize(LLVMTypeOf(mask)));

	return LLVMBuildICmp(e->b, LLVMIntNE, LLVMBuildBitCast(e->b, mask, bits, ""),
		LLVMConstNull(bits), "");
}

/* Of the lanes that count: rows side by side have the same mask, so the farthest of them is looked
 * at. */
static val any_far(emit *e, val x, uint32_t power)
{
	const int lanes = e->lanes, each = emit_columns_each(e);
	val most = above(e, x, power), parts[EMIT_LINES], far;

	for (int k = 0; k < e->lines; k++)
		parts[k] = emit_part(e, most, k, each);
	emit_lanes(e, each);
	for (int k = 1; k < e->lines; k++)
		parts[0] = emit_intrinsic(e, "llvm.umax", e->vector[GT_INT32],
			(val[]){ parts[0], parts[k] }, 2);
	far = LLVMBuildICmp(e->b, LLVMIntUGE, parts[0], range_of(e, power), "");
	if (e->mask)
		far = LLVMBuildAnd(e->b, far, e->mask, "");
	emit_lanes(e, lanes);
	return any_of(e, far);
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
		e->divides[by] = any_of(e, is_far(e, a, 40));
	}
}

/* q + (x - q * a) * y */
static val correct(emit *e, val q, val x, val minus_a, val y)
{
	type t = e->vector[GT_FLOAT32];
	val rest[] = { minus_a, q, x }, step[] = { NULL, y, q };

	step[0] = emit_intrinsic(e, "llvm.fma", t, rest, 3);
	return emit_intrinsic(e, "llvm.fma", t, step, 3);
}

/* Of the lanes that count, but for zeros. */
static val any_divides(emit *e, val x)
{
	val bits = LLVMBuildBitCast(e->b, x, e->vector[GT_INT32], "");
	val odd = LLVMBuildICmp(e->b, LLVMIntNE, bits, emit_i32(e, 0), "");

	odd = LLVMBuildAnd(e->b, odd, is_far(e, x, 60), "");
	return any_of(e, e->mask ? LLVMBuildAnd(e->b, odd, emit_mask(e), "") : odd);
}

/* Zeros look like exceptions at first, and are told from them where there is one: most vectors have
 * none. Rows of one vector are not worth the code. */
val divide_row(emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];
	int by = n->in[1];
	val x, a, y, q, slow;
	branch odd, b;

	if (!is_worth(e, node) || !e->inverse[by])
		return NULL;
	x = node_value(e, n->in[0]);
	a = node_value(e, by);
	y = node_widen(e, e->inverse[by]);
	q = LLVMBuildFMul(e->b, x, y, "");
	q = correct(e, q, x, LLVMBuildFNeg(e->b, a, ""), y);
	branch_open(e, &odd, "odd", LLVMBuildOr(e->b, any_far(e, x, 60), e->divides[by], ""));
	if (e->brief)
		return branch_close(e, &odd, LLVMBuildFDiv(e->b, x, a, ""), q);
	branch_open(e, &b, "divide", LLVMBuildOr(e->b, any_divides(e, x), e->divides[by], ""));
	slow = LLVMBuildFDiv(e->b, x, a, "");
	return branch_close(e, &odd, branch_close(e, &b, slow, q), q);
}
