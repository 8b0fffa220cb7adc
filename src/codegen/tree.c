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

static val half_of(emit *e, val v, int from, int count)
{
	val numbers[TREE_LANES];

	for (int k = 0; k < count; k++)
		numbers[k] = LLVMConstInt(e->i32, (uint64_t)(from + k), 0);
	return LLVMBuildShuffleVector(e->b, v, LLVMGetUndef(LLVMTypeOf(v)),
		LLVMConstVector(numbers, (unsigned)count), "");
}

/* arith_op makes its constants as wide as e->lanes says. */
val tree_fold(emit *e, int node, val lanes)
{
	int whole = e->lanes;

	for (int half = TREE_LANES / 2; half; half /= 2) {
		e->lanes = half;
		lanes = tree_combine(e, node, half_of(e, lanes, 0, half), half_of(e, lanes, half, half));
	}
	e->lanes = whole;
	return LLVMBuildExtractElement(e->b, lanes, LLVMConstInt(e->i32, 0, 0), "");
}

/* ---- Step 4: the binary counter. ---- */

static val level_address(emit *e, val levels, int64_t stride, val k)
{
	return emit_address(e, levels, LLVMBuildMul(e->b, k, emit_size(e, stride), ""));
}

/* Elements of type bool are bits here, too: memory of the kernel's own. */
static val get_level(emit *e, type t, val address)
{
	val v = LLVMBuildLoad2(e->b, t, address, "level");

	LLVMSetAlignment(v, 1);
	return v;
}

static val bit_of(emit *e, val blocks, val k)
{
	val bit = LLVMBuildTrunc(e->b, LLVMBuildLShr(e->b, blocks, k, ""), e->i1, "bit");

	return bit;
}

/* Combine where v may be an element: arith_op knows vectors. */
static val combine_any(emit *e, int node, val a, val b)
{
	int whole = e->lanes;
	val v;

	if (LLVMGetTypeKind(LLVMTypeOf(a)) == LLVMVectorTypeKind)
		return tree_combine(e, node, a, b);
	e->lanes = 1;
	v = tree_combine(e, node, emit_splat(e, a), emit_splat(e, b));
	e->lanes = whole;
	return LLVMBuildExtractElement(e->b, v, LLVMConstInt(e->i32, 0, 0), "");
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
	next = combine_any(e, node,
		get_level(e, LLVMTypeOf(v), level_address(e, levels, stride, l.i)), l.carry[0]);
	loop_close(e, &l, &next);
	store = LLVMBuildStore(e->b, l.carry[0], level_address(e, levels, stride, full));
	LLVMSetAlignment(store, 1);
}

/* From the last level that is full upwards. */
val tree_result(emit *e, int node, val levels, int64_t stride, val blocks, bool vector)
{
	type t = vector ? e->vector[tree_dtype(e, node)] : e->element[tree_dtype(e, node)];
	val args[] = { blocks, LLVMConstInt(e->i1, 0, 0) };
	val lowest = emit_intrinsic(e, "llvm.cttz", e->i64, args, 2);
	val all = get_level(e, t, level_address(e, levels, stride, lowest)), next;
	val from = LLVMBuildAdd(e->b, lowest, emit_size(e, 1), "");
	loop l;
	branch b;

	loop_open(e, &l, "pairs", from, emit_size(e, TREE_LEVELS), emit_size(e, 1), 1, &all);
	branch_open(e, &b, "pair", bit_of(e, blocks, l.i));
	next = combine_any(e, node, get_level(e, t, level_address(e, levels, stride, l.i)), l.carry[0]);
	next = branch_close(e, &b, next, l.carry[0]);
	loop_close(e, &l, &next);
	return l.carry[0];
}
