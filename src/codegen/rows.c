/* rows.c: kernels of GROUP_ELEMENT and GROUP_ROWS.
 *
 *	for each row
 *		values of the row that need no reduction
 *		for each pass                           (GROUP_ELEMENT: one)
 *			for each block of 4,096 columns         (if the pass reduces)
 *				for each vector of the block
 *					values, reductions, stores
 *				fold; push
 *			values of the row that need these reductions
 *
 * Vectors have 16 lanes where something is reduced, the lanes of the tree, however many registers
 * that takes.
 */
#include "codegen/emit.h"

#include "base/mem.h"
#include "ir/tree.h"

typedef struct pass {
	int number;
	int count, nodes[GROUP_REDUCTIONS];   /* reductions */
	val levels[GROUP_REDUCTIONS];
} pass;

/* ---- What a vector does. ---- */

static bool is_stored_now(const emit *e, int node)
{
	return e->g->nodes[node].what == NODE_STORE && e->shapes[node].cols &&
		e->shapes[node].level == e->pass;
}

/* Kept by this pass, somewhere else than where it is stored anyway. */
static bool is_kept_now(const emit *e, int node)
{
	if (e->keep[node] < 0 || e->shapes[node].level != e->pass)
		return false;
	for (int k = 0; k < e->g->nodes_count; k++)
		if (e->g->nodes[k].what == NODE_STORE && e->g->nodes[k].at == e->keep[node])
			return e->g->nodes[k].in[0] != node;
	return false;
}

static bool has_columns(const emit *e, const pass *p)
{
	if (p->count)
		return true;
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_stored_now(e, k))
			return true;
	return false;
}

static void keep(emit *e, int node)
{
	gt_dtype d = e->g->nodes[node].dtype;
	val offset = LLVMBuildMul(e->b, e->at, emit_size(e, (int64_t)dtype_size(d)), "");

	emit_put(e, d, node_value(e, node), emit_address(e, e->line[e->keep[node]], offset));
}

static val accumulate(emit *e, int node, val lanes)
{
	val next = tree_combine(e, node, lanes, tree_input(e, node));

	return e->mask ? LLVMBuildSelect(e->b, e->mask, next, lanes, "") : next;
}

/* Every value before the first store: what is written may lie where something is read. */
static void do_vector(emit *e, val *carry, void *context)
{
	const pass *p = context;

	node_forget(e, true, true);
	node_forget(e, false, true);
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_stored_now(e, k))
			node_value(e, e->g->nodes[k].in[0]);
	for (int k = 0; k < p->count; k++)
		carry[k] = accumulate(e, p->nodes[k], carry[k]);
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_kept_now(e, k))
			node_value(e, k);
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_kept_now(e, k))
			keep(e, k);
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_stored_now(e, k))
			node_store(e, k);
}

/* ---- Passes. ---- */

/* One block of a pass that reduces: `folded` gets a result each. */
static void do_block(emit *e, pass *p, val at, val *folded)
{
	val end = emit_min(e, LLVMBuildAdd(e->b, at, emit_size(e, TREE_BLOCK), ""), e->cols);
	val lanes[GROUP_REDUCTIONS];

	for (int k = 0; k < p->count; k++)
		lanes[k] = tree_identity(e, p->nodes[k]);
	emit_columns(e, at, end, p->count, lanes, do_vector, p);
	for (int k = 0; k < p->count; k++)
		folded[k] = tree_fold(e, p->nodes[k], lanes[k]);
}

static void push_block(emit *e, pass *p, val at, const val *folded)
{
	val blocks = LLVMBuildLShr(e->b, at, emit_size(e, __builtin_ctz(TREE_BLOCK)), "blocks");

	for (int k = 0; k < p->count; k++)
		tree_push(e, p->nodes[k], p->levels[k], 8, blocks, folded[k]);
}

static val one_of(emit *e, val v)
{
	return LLVMBuildExtractElement(e->b, v, LLVMConstInt(e->i32, 0, 0), "");
}

/* Of all blocks, where there is more than one. */
static void join_blocks(emit *e, pass *p, val many, val *folded)
{
	val blocks = LLVMBuildAdd(e->b, e->cols, emit_size(e, TREE_BLOCK - 1), "");

	blocks = LLVMBuildLShr(e->b, blocks, emit_size(e, __builtin_ctz(TREE_BLOCK)), "");
	for (int k = 0; k < p->count; k++) {
		branch b;
		val all;

		branch_open(e, &b, "many", many);
		all = tree_result(e, p->nodes[k], p->levels[k], 8, blocks, false);
		folded[k] = branch_close(e, &b, all, folded[k]);
	}
}

/* Rows of one block, the usual ones, never touch the counter's memory. */
static void reduce_row(emit *e, pass *p)
{
	val many = LLVMBuildICmp(e->b, LLVMIntSGT, e->cols, emit_size(e, TREE_BLOCK), "many");
	val folded[GROUP_REDUCTIONS];
	loop l;
	branch b;

	for (int k = 0; k < p->count; k++)
		folded[k] = one_of(e, tree_nothing(e, p->nodes[k]));
	loop_open(e, &l, "block", emit_size(e, 0), e->cols, emit_size(e, TREE_BLOCK), p->count, folded);
	do_block(e, p, l.i, folded);
	branch_open(e, &b, "more", many);
	push_block(e, p, l.i, folded);
	branch_close(e, &b, NULL, NULL);
	loop_close(e, &l, folded);
	for (int k = 0; k < p->count; k++)
		folded[k] = l.carry[k];
	join_blocks(e, p, many, folded);
	for (int k = 0; k < p->count; k++) {
		e->value[p->nodes[k]] = emit_splat(e, folded[k]);
		node_name(e, p->nodes[k], e->value[p->nodes[k]]);
	}
}

static void do_pass(emit *e, pass *p)
{
	e->pass = p->number;
	if (p->count)
		reduce_row(e, p);
	else if (has_columns(e, p))
		emit_columns(e, emit_size(e, 0), e->cols, 0, NULL, do_vector, p);
}

static void find_lines(emit *e, val row)
{
	for (int k = 0; k < e->g->args_count; k++) {
		e->line[k] = e->data[k];
		if (!e->g->args[k].fixed)
			e->line[k] = emit_address(e, e->data[k],
				LLVMBuildMul(e->b, row, e->row_step[k], ""));
	}
}

void rows_emit(emit *e)
{
	pass *passes = mem_zero((size_t)(e->levels + 1) * sizeof *passes);
	loop l;

	keep_plan(e);
	for (int k = 0; k <= e->levels; k++) {
		passes[k].number = k;
		passes[k].count = tree_list(e, k, passes[k].nodes);
		for (int j = 0; j < passes[k].count; j++)
			passes[k].levels[j] = emit_slot(e, LLVMArrayType(e->i64, TREE_LEVELS), "levels");
	}
	for (int k = 0; k < e->g->args_count; k++)
		e->line[k] = e->data[k];
	node_stage(e, false, false, 0);
	loop_open(e, &l, "row", emit_size(e, 0), e->rows, emit_size(e, 1), 0, NULL);
	find_lines(e, l.i);
	for (int k = 0; k <= e->levels; k++) {
		node_stage(e, true, false, k);
		do_pass(e, &passes[k]);
	}
	loop_close(e, &l, NULL);
	mem_free(passes);
}
