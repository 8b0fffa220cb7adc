/* rows.c: kernels of GROUP_ELEMENT and GROUP_ROWS.
 *
 *	for each batch of rows
 *		values of the rows that need no reduction
 *		for each pass                           (GROUP_ELEMENT: one)
 *			for each row of the batch
 *				for each block of 4,096 columns         (if the pass reduces)
 *					for each vector of the block            (a lone row: of several)
 *						values, reductions, stores
 *					fold; push
 *			values of the rows that need these reductions
 *
 * Vectors have 16 lanes a row where something is reduced, the lanes of the tree, however many
 * registers that takes. A batch of one would wait: for each fold, each quotient, each sum of the
 * lanes. So rows take turns, pass by pass (turns.c), and the processor, which looks that far ahead,
 * begins with one while the last of the others is being folded. Where nothing is stored along the
 * row a batch is two rows side by side in one vector, because such rows may be long and few, or one
 * if that is enough to do.
 */
#include "codegen/rows.h"

#include "base/mem.h"
#include "ir/tree.h"

enum { LEVEL_BYTES = EMIT_NARROW * 8 };

/* ---- What a vector does. ---- */

bool rows_stored_now(const emit *e, int node)
{
	return e->g->nodes[node].what == NODE_STORE && e->shapes[node].cols &&
		e->shapes[node].level == e->pass;
}

bool rows_kept_now(const emit *e, int node)
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
		if (rows_stored_now(e, k))
			return true;
	return false;
}

static val accumulate(emit *e, int node, val lanes)
{
	val next = tree_input(e, node);

	if (!e->brief)           /* else the lanes are identities, which change nothing */
		next = tree_combine(e, node, lanes, next);
	return e->mask ? LLVMBuildSelect(e->b, emit_mask(e), next, lanes, "") : next;
}

/* The same columns of the batch to come, so that its first pass, which does little but wait for
 * memory, finds them near: layer norm with softmax takes 0.87 of the time. What is written is
 * better left alone. */
static void prefetch_next(emit *e)
{
	for (int k = 0; k < e->g->args_count; k++) {
		const group_arg *a = &e->g->args[k];
		val by, args[4];

		if (a->access != ACCESS_RUN || a->fixed || a->out || a->counts || a->picked)
			continue;
		by = LLVMBuildMul(e->b, e->row_step[k], emit_size(e, e->batch), "");
		by = LLVMBuildAdd(e->b, by, LLVMBuildMul(e->b, e->at,
			emit_size(e, (int64_t)dtype_size((gt_dtype)a->dtype)), ""), "");
		args[0] = emit_address(e, e->line[k][0], by);
		args[1] = LLVMConstInt(e->i32, 0, 0);        /* to be read, */
		args[2] = LLVMConstInt(e->i32, 3, 0);        /* from the first cache, */
		args[3] = LLVMConstInt(e->i32, 1, 0);        /* data */
		emit_intrinsic(e, "llvm.prefetch", e->ptr, args, 4);
	}
}

/* Every value before the first store: what is written may lie where something is read. */
void rows_values(emit *e, const pass *p, val *carry)
{
	if (e->batch > e->lines && e->pass == e->levels)
		prefetch_next(e);
	for (int k = 0; k < e->g->nodes_count; k++)
		if (rows_stored_now(e, k))
			node_value(e, e->g->nodes[k].in[0]);
	for (int k = 0; k < p->count; k++)
		carry[k] = accumulate(e, p->nodes[k], carry[k]);
	for (int k = 0; k < e->g->nodes_count; k++)
		if (rows_kept_now(e, k))
			node_value(e, k);
}

void rows_stores(emit *e)
{
	for (int k = 0; k < e->g->nodes_count; k++)
		if (rows_kept_now(e, k))
			node_keep(e, k);
	for (int k = 0; k < e->g->nodes_count; k++)
		if (rows_stored_now(e, k))
			node_store(e, k);
}

static void do_vector(emit *e, val *carry, void *context)
{
	const pass *p = context;

	if (!e->brief) {
		node_forget(e, true, true);
		node_forget(e, false, true);
	}
	if (p->together > 1) {
		turns_vector(e, p, carry);
		return;
	}
	rows_values(e, p, carry);
	rows_stores(e);
}

/* ---- Passes. ---- */

/* The lanes of reduction k of all rows that take a turn, to a value that is the same for a row. */
static val fold_turns(emit *e, const pass *p, int k, const val *lanes)
{
	const int lines = e->lines, width = e->lanes;
	val parts[EMIT_LINES], v;

	for (int j = 0; j < p->together; j++)
		parts[j] = lanes[j * p->count + k];
	e->lines = lines * p->together;
	emit_lanes(e, width * p->together);
	v = tree_fold(e, p->nodes[k], emit_join(e, parts, p->together));
	e->lines = lines;
	emit_lanes(e, width);
	return v;
}

/* One block of a pass that reduces: `folded` gets a result each. */
static void do_block(emit *e, pass *p, val at, val *folded)
{
	val end = e->even ? e->cols :
		emit_min(e, LLVMBuildAdd(e->b, at, emit_size(e, TREE_BLOCK), ""), e->cols);
	const int count = p->count * p->together;
	val lanes[GROUP_REDUCTIONS];

	for (int k = 0; k < count; k++)
		lanes[k] = tree_identity(e, p->nodes[k % p->count]);
	emit_columns(e, at, end, count, lanes, do_vector, p);
	for (int k = 0; k < p->count; k++)
		folded[k] = fold_turns(e, p, k, lanes);
}

/* ---- A row that is alone does some of its blocks side by side. ---- */

/* How many from column `at` on: as many whole ones as there are, at least 1. NULL where rows have
 * no neighbours. */
static val blocks_aside(emit *e, val at)
{
	val left = LLVMBuildSub(e->b, e->cols, at, ""), whole, several;

	if (!e->alone)
		return NULL;
	whole = LLVMBuildLShr(e->b, left, emit_size(e, __builtin_ctz(TREE_BLOCK)), "");
	whole = emit_min(e, whole, emit_size(e, e->lines));
	several = LLVMBuildICmp(e->b, LLVMIntSGT, whole, emit_size(e, 1), "");
	several = LLVMBuildAnd(e->b, several, e->alone, "several");
	return LLVMBuildSelect(e->b, several, whole, emit_size(e, 1), "aside");
}

/* Let every line be a block further on than the one before; beyond `aside` of them they are the
 * last one's, whose values come out the same. `saved` gets what the lines were. */
static void shift_lines(emit *e, val aside, val saved[][EMIT_LINES])
{
	val last = LLVMBuildSub(e->b, aside, emit_size(e, 1), ""), columns[EMIT_LINES];

	for (int j = 0; j < e->lines; j++)
		columns[j] = LLVMBuildShl(e->b, emit_min(e, emit_size(e, j), last),
			emit_size(e, __builtin_ctz(TREE_BLOCK)), "");
	memcpy(saved, e->line, sizeof e->line);
	for (int k = 0; k < e->g->args_count; k++) {
		const group_arg *a = &e->g->args[k];
		val step = a->access == ACCESS_STEP ? e->col_step[k]
			: emit_size(e, (int64_t)dtype_size(a->dtype));

		for (int j = 1; a->access != ACCESS_SAME && j < e->lines; j++)
			e->line[k][j] = emit_address(e, e->line[k][j],
				LLVMBuildMul(e->b, columns[j], step, ""));
	}
}

/* ---- Blocks. ---- */

static void push_block(emit *e, pass *p, val blocks, const val *folded)
{
	for (int k = 0; k < p->count; k++)
		tree_push(e, p->nodes[k], p->levels[k], LEVEL_BYTES, blocks, folded[k]);
}

/* One turn for each of the blocks side by side: what is a value a line becomes one of the row that
 * is alone. */
static void push_blocks(emit *e, pass *p, val at, val aside, const val *folded)
{
	val blocks = LLVMBuildLShr(e->b, at, emit_size(e, __builtin_ctz(TREE_BLOCK)), "blocks");
	val v[GROUP_REDUCTIONS];
	loop l;

	if (!aside) {
		push_block(e, p, blocks, folded);
		return;
	}
	loop_open(e, &l, "side", emit_size(e, 0), aside, emit_size(e, 1), 0, NULL);
	for (int k = 0; k < p->count; k++) {
		val one = emit_splat(e, LLVMBuildExtractElement(e->b, folded[k], l.i, ""));

		v[k] = LLVMBuildSelect(e->b, e->alone, one, folded[k], "");
	}
	push_block(e, p, LLVMBuildAdd(e->b, blocks, l.i, ""), v);
	loop_close(e, &l, NULL);
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
		all = tree_result(e, p->nodes[k], p->levels[k], LEVEL_BYTES, blocks);
		folded[k] = branch_close(e, &b, all, folded[k]);
	}
}

/* One turn of the loop over blocks. Rows of one block, the usual ones, never touch the counter's
 * memory. */
static void reduce_block(emit *e, pass *p, loop *l, val many, val *folded)
{
	val aside = blocks_aside(e, l->i), saved[GROUP_ARGS][EMIT_LINES];
	int lanes = e->lanes;
	branch b;

	if (aside) {
		shift_lines(e, aside, saved);
		l->step = LLVMBuildShl(e->b, aside, emit_size(e, __builtin_ctz(TREE_BLOCK)), "");
	}
	do_block(e, p, l->i, folded);
	if (aside)
		memcpy(e->line, saved, sizeof e->line);
	emit_lanes(e, EMIT_NARROW);
	branch_open(e, &b, "more", many);
	push_blocks(e, p, l->i, aside, folded);
	branch_close(e, &b, NULL, NULL);
	emit_lanes(e, lanes);
}

/* Of a piece of a row the results are left where those of all pieces are to be joined, for what is
 * left of it, which has no columns, they are taken from there. */
static void exchange(emit *e, const pass *p, val *folded)
{
	const size_t place = (size_t)e->g->args_count * sizeof(kernel_arg);
	val rest = LLVMBuildICmp(e->b, LLVMIntEQ, e->cols, emit_size(e, 0), "rest"), at, v;
	branch b;

	for (int k = 0; k < p->count; k++) {
		const gt_dtype d = tree_dtype(e, p->nodes[k]);

		branch_open(e, &b, "part", e->part);
		at = emit_address(e, e->args, emit_size(e, (int64_t)(place +
			offsetof(kernel_arg, data))));
		at = emit_address(e, LLVMBuildLoad2(e->b, e->ptr, at, "results"),
			emit_size(e, 8 * k));
		v = emit_splat(e, emit_get_one(e, d, at, ""));
		v = LLVMBuildSelect(e->b, rest, v, folded[k], "");
		emit_put_one(e, d, LLVMBuildExtractElement(e->b, v,
			LLVMConstInt(e->i32, 0, 0), ""), at);
		folded[k] = branch_close(e, &b, v, folded[k]);
	}
}

static void set_results(emit *e, const pass *p, const val *folded)
{
	for (int k = 0; k < p->count; k++) {
		e->value[p->nodes[k]] = folded[k];
		node_name(e, p->nodes[k], folded[k]);
	}
}

static void reduce_even_row(emit *e, pass *p)
{
	val folded[GROUP_REDUCTIONS];

	do_block(e, p, emit_size(e, 0), folded);
	set_results(e, p, folded);
}

static void reduce_row(emit *e, pass *p)
{
	val many = LLVMBuildICmp(e->b, LLVMIntSGT, e->cols, emit_size(e, TREE_BLOCK), "many");
	val folded[GROUP_REDUCTIONS];
	int lanes = e->lanes;
	loop l;

	emit_lanes(e, EMIT_NARROW);
	for (int k = 0; k < p->count; k++)
		folded[k] = tree_nothing(e, p->nodes[k]);
	emit_lanes(e, lanes);
	loop_open(e, &l, "block", emit_size(e, 0), e->cols, emit_size(e, TREE_BLOCK), p->count,
		folded);
	reduce_block(e, p, &l, many, folded);
	loop_close(e, &l, folded);
	emit_lanes(e, EMIT_NARROW);
	join_blocks(e, p, many, l.carry);
	if (e->part)
		exchange(e, p, l.carry);
	emit_lanes(e, lanes);
	set_results(e, p, l.carry);
}

/* One row, or as many as there are side by side. */
void rows_do(emit *e, pass *p)
{
	if (p->count && e->even)
		reduce_even_row(e, p);
	else if (p->count)
		reduce_row(e, p);
	else if (has_columns(e, p))
		emit_columns(e, emit_size(e, 0), e->cols, 0, NULL, do_vector, p);
}

val rows_line(emit *e, int arg, val row)
{
	if (e->g->args[arg].fixed)
		return e->data[arg];
	return emit_address(e, e->data[arg], LLVMBuildMul(e->b, row, e->row_step[arg], ""));
}

/* Lines beyond the last row are the last row, which then goes side by side with itself: the same
 * values to the same place. */
static void find_lines(emit *e, val row)
{
	val last = LLVMBuildSub(e->b, e->rows, emit_size(e, 1), "");

	if (e->lines > 1)
		e->alone = LLVMBuildICmp(e->b, LLVMIntEQ, row, last, "alone");
	for (int j = 0; j < e->batch; j++) {
		val r = j ? emit_min(e, LLVMBuildAdd(e->b, row, emit_size(e, j), ""), last) : row;

		for (int k = 0; k < e->g->args_count; k++)
			e->line[k][j] = rows_line(e, k, r);
	}
}

static void do_pass(emit *e, pass *p, val row)
{
	e->pass = p->number;
	if (e->batch == e->lines)
		rows_do(e, p);
	else if (has_columns(e, p))
		turns_take(e, p, row);
}

/* In the smallest register: dividing the widest takes three times as long. */
static void row_stage(emit *e, bool rows, int level)
{
	int lanes = e->lanes;

	emit_lanes(e, EMIT_NARROW);
	node_stage(e, rows, false, level);
	divide_prepare(e, rows, level);
	emit_lanes(e, lanes);
}

/* ---- Rows of one vector (REST_SHORT): no loops, and every value stays in its register. ---- */

static void do_short_pass(emit *e, pass *p)
{
	val lanes[GROUP_REDUCTIONS];

	e->pass = p->number;
	for (int k = 0; k < p->count; k++)
		lanes[k] = tree_identity(e, p->nodes[k]);
	if (has_columns(e, p))
		do_vector(e, lanes, p);
	for (int k = 0; k < p->count; k++) {
		e->value[p->nodes[k]] = tree_fold(e, p->nodes[k], lanes[k]);
		node_name(e, p->nodes[k], e->value[p->nodes[k]]);
	}
}

static void do_short_row(emit *e, pass *passes)
{
	val mask;

	e->at = emit_size(e, 0);
	e->end = e->cols;
	mask = emit_vector_mask(e);
	for (int k = 0; k <= e->levels; k++) {
		row_stage(e, true, k);   /* of values that no mask is for */
		e->mask = mask;
		do_short_pass(e, &passes[k]);
		e->mask = NULL;
	}
}

/* ---- The kernel. ---- */

void rows_emit(emit *e)
{
	pass *passes = mem_zero((size_t)(e->levels + 1) * sizeof *passes);
	loop l;

	keep_plan(e);
	for (int k = 0; k <= e->levels; k++) {
		passes[k].number = k;
		passes[k].together = 1;
		passes[k].count = tree_list(e, k, passes[k].nodes);
		for (int j = 0; !e->brief && !e->even && j < passes[k].count; j++)
			passes[k].levels[j] = emit_slot(e,
				LLVMArrayType(e->i8, TREE_LEVELS * LEVEL_BYTES), "levels");
	}
	for (int k = 0; k < e->g->args_count; k++)
		for (int j = 0; j < e->batch; j++)
			e->line[k][j] = e->data[k];
	row_stage(e, false, 0);
	loop_open(e, &l, "row", emit_size(e, 0), e->rows, emit_size(e, e->batch), 0, NULL);
	find_lines(e, l.i);
	if (e->brief)
		do_short_row(e, passes);
	for (int k = 0; !e->brief && k <= e->levels; k++) {
		row_stage(e, true, k);
		do_pass(e, &passes[k], l.i);
	}
	loop_close(e, &l, NULL);
	mem_free(passes);
}
