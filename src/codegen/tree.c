/* tree.c: the reduction tree of ir/tree.h in LLVM's words. */
#include "codegen/emit.h"

#include <math.h>
#include "ir/tree.h"

int tree_list(const emit *e, int pass, int nodes[GROUP_REDUCTIONS])
{
	int count = 0;

	for (int k = 0; k < e->g->nodes_count; k++)
		if (e->g->nodes[k].what == NODE_REDUCE && e->shapes[k].level == pass + 1)
			nodes[count++] = k;
	return count;
}

gt_dtype tree_dtype(const emit *e, int node) { return e->g->nodes[node].dtype; }

val tree_combine(emit *e, int node, val a, val b)
{
	static const op ops[OP_CODES] = {
		[OP_sum] = OP_add, [OP_prod] = OP_mul, [OP_max] = OP_maximum, [OP_min] = OP_minimum,
		[OP_any] = OP_or, [OP_all] = OP_and,
	};
	gt_dtype d = tree_dtype(e, node);

	return arith_op(e, ops[e->g->nodes[node].op], d, d, (val[]){ a, b });
}

static val extreme_identity(emit *e, gt_dtype d, bool most)
{
	switch (d) {
	case GT_FLOAT32: return emit_float(e, most ? INFINITY : -INFINITY);
	case GT_FLOAT64: return emit_double(e, most ? (double)INFINITY : -(double)INFINITY);
	case GT_INT32:   return emit_int(e, d, most ? INT32_MAX : INT32_MIN);
	case GT_INT64:   return emit_int(e, d, most ? INT64_MAX : INT64_MIN);
	default:         return emit_int(e, d, most);
	}
}

val tree_identity(emit *e, int node)
{
	gt_dtype d = tree_dtype(e, node);

	switch (e->g->nodes[node].op) {
	case OP_sum:
		return d == GT_FLOAT32 ? emit_float(e, -0.0f) :
			d == GT_FLOAT64 ? emit_double(e, -0.0) : emit_int(e, d, 0);
	case OP_prod:
	case OP_all: return emit_int(e, d, 1);
	case OP_any: return emit_int(e, d, 0);
	default:     return extreme_identity(e, d, e->g->nodes[node].op == OP_min);
	}
}

val tree_nothing(emit *e, int node)
{
	op o = e->g->nodes[node].op;

	return emit_int(e, tree_dtype(e, node), o == OP_prod || o == OP_all);
}

val tree_input(emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];

	return arith_op(e, OP_cast, e->g->nodes[n->in[0]].dtype, n->dtype,
		(val[]){ node_value(e, n->in[0]) });
}

/* Of lines of 2 * half lanes, one behind the other: the first or second half of each, packed the
 * same way; beyond them all over again. */
static val halves_of(emit *e, val v, int lines, int half, bool second, int width)
{
	val numbers[EMIT_LANES];

	for (int k = 0; k < width; k++) {
		int line = k / half % lines, lane = k % half + (second ? half : 0);

		numbers[k] = LLVMConstInt(e->i32, (uint64_t)(line * 2 * half + lane), 0);
	}
	return LLVMBuildShuffleVector(e->b, v, LLVMGetUndef(LLVMTypeOf(v)),
		LLVMConstVector(numbers, (unsigned)width), "");
}

/* The last steps of a line that is alone, in the smallest register: what becomes of lanes behind
 * the first `half` ones is of no use. */
static val fold_narrow(emit *e, int node, val lanes)
{
	val from[EMIT_NARROW];

	emit_lanes(e, EMIT_NARROW);
	for (int half = EMIT_NARROW / 2; half; half /= 2) {
		for (int k = 0; k < EMIT_NARROW; k++)
			from[k] = LLVMConstInt(e->i32, (uint64_t)(k + half) % EMIT_NARROW, 0);
		lanes = tree_combine(e, node, lanes, LLVMBuildShuffleVector(e->b, lanes,
			LLVMGetUndef(LLVMTypeOf(lanes)), LLVMConstVector(from, EMIT_NARROW), ""));
	}
	return LLVMBuildShuffleVector(e->b, lanes, LLVMGetUndef(LLVMTypeOf(lanes)),
		LLVMConstNull(LLVMVectorType(e->i32, EMIT_NARROW)), "");
}

/* arith_op makes its constants as wide as e->lanes says. The last steps stay as wide as the
 * smallest register, because single elements are compared by other, slower instructions. */
val tree_fold(emit *e, int node, val lanes)
{
	const int whole = e->lanes, last = e->lines == 1 ? EMIT_NARROW : 1;

	for (int half = TREE_LANES / 2; half >= last; half /= 2) {
		int width = MAX(half * e->lines, EMIT_NARROW);

		emit_lanes(e, width);
		lanes = tree_combine(e, node, halves_of(e, lanes, e->lines, half, false, width),
			halves_of(e, lanes, e->lines, half, true, width));
	}
	if (e->lines == 1)
		lanes = fold_narrow(e, node, lanes);
	emit_lanes(e, whole);
	return lanes;
}

/* ---- Step 4: the binary counter. ---- */

static val level_address(emit *e, val levels, int64_t stride, val k)
{
	return emit_address(e, levels, LLVMBuildMul(e->b, k, emit_size(e, stride), ""));
}

static val get_level(emit *e, type t, val address)
{
	val v = LLVMBuildLoad2(e->b, t, address, "level");

	LLVMSetAlignment(v, 1);
	return v;
}

/* for (k = 0; blocks >> k & 1; k++) v = level[k] + v; level[k] = v. The trailing ones of `blocks`
 * are the levels that are full. */
void tree_push(emit *e, int node, val levels, int64_t stride, val blocks, val v)
{
	val args[] = { LLVMBuildNot(e->b, blocks, ""), LLVMConstInt(e->i1, 0, 0) };
	val full = emit_intrinsic(e, "llvm.cttz", e->i64, args, 2);
	loop l;
	val next, store;

	loop_open(e, &l, "push", emit_size(e, 0), full, emit_size(e, 1), 1, &v);
	next = tree_combine(e, node,
		get_level(e, LLVMTypeOf(v), level_address(e, levels, stride, l.i)), l.carry[0]);
	loop_close(e, &l, &next);
	store = LLVMBuildStore(e->b, l.carry[0], level_address(e, levels, stride, full));
	LLVMSetAlignment(store, 1);
}

/* From the last level that is full upwards. */
val tree_result(emit *e, int node, val levels, int64_t stride, val blocks)
{
	type t = e->vector[tree_dtype(e, node)];
	val args[] = { blocks, LLVMConstInt(e->i1, 0, 0) };
	val lowest = emit_intrinsic(e, "llvm.cttz", e->i64, args, 2);
	val all = get_level(e, t, level_address(e, levels, stride, lowest)), next, bit;
	val from = LLVMBuildAdd(e->b, lowest, emit_size(e, 1), "");
	loop l;
	branch b;

	loop_open(e, &l, "pairs", from, emit_size(e, TREE_LEVELS), emit_size(e, 1), 1, &all);
	bit = LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, blocks, l.i, ""), e->i1, "bit");
	branch_open(e, &b, "pair", bit);
	next = tree_combine(e, node, get_level(e, t, level_address(e, levels, stride, l.i)),
		l.carry[0]);
	next = branch_close(e, &b, next, l.carry[0]);
	loop_close(e, &l, &next);
	return l.carry[0];
}
