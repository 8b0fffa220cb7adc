/* node.c: the value of a node, computed where it is first asked for and remembered for that place.
 *
 * Places nest: the entry of the kernel, a row, the vectors of a row; in GROUP_COLS also a column
 * stage, where values of a whole column are made. What a place computes is forgotten when the code
 * of the next one begins, because it would not dominate it. */
#include "codegen/emit.h"

#include <stdio.h>

void node_name(emit *e, int node, val v)
{
	const group_node *n = &e->g->nodes[node];
	char name[32];
	size_t length = 0;

	LLVMGetValueName2(v, &length);
	if (length || LLVMIsConstant(v))
		return;
	snprintf(name, sizeof name, "n%d.%s", node, n->what == NODE_LOAD ? "load" :
		n->what == NODE_SCALAR ? "scalar" : n->what == NODE_PICK ? "pick" :
		op_rows[n->op].name);
	LLVMSetValueName2(v, name, strlen(name));
}

void node_forget(emit *e, bool rows, bool cols)
{
	for (int k = 0; k < e->g->nodes_count; k++)
		if (e->shapes[k].rows == rows && e->shapes[k].cols == cols)
			e->value[k] = NULL;
}

/* Address of the element of a contiguous row at column e->at. */
static val run_address(emit *e, gt_dtype d, val line, val first)
{
	val column = first ? LLVMBuildSub(e->b, e->at, first, "") : e->at;

	return emit_address(e, line,
		LLVMBuildMul(e->b, column, emit_size(e, (int64_t)dtype_size(d)), ""));
}

/* ---- Memory: line by line. ---- */

static val get_line(emit *e, gt_dtype d, group_access access, val line, val step)
{
	return access == ACCESS_RUN ? emit_get(e, d, run_address(e, d, line, NULL), "")
		: emit_gather(e, d, line, step);
}

static val number_line(emit *e, group_access access, val line, val step)
{
	return emit_numbers(e, line, access == ACCESS_RUN ? emit_size(e, 8) : step);
}

static val get_lines(emit *e, gt_dtype d, group_access access, int arg)
{
	val parts[EMIT_LINES];
	int lanes = e->lanes;

	emit_lanes(e, emit_columns_each(e));
	for (int k = 0; k < e->lines; k++)
		parts[k] = e->g->args[arg].counts ?
			number_line(e, access, e->line[arg][k], e->col_step[arg]) :
			get_line(e, d, access, e->line[arg][k], e->col_step[arg]);
	emit_lanes(e, lanes);
	return emit_join(e, parts, e->lines);
}

static void put_lines(emit *e, gt_dtype d, group_access access, int arg, val v)
{
	int lanes = e->lanes, each = emit_columns_each(e);

	emit_lanes(e, each);
	for (int k = 0; k < e->lines; k++) {
		val part = e->lines == 1 ? v : emit_part(e, v, k, each);

		if (access == ACCESS_RUN)
			emit_put(e, d, part, run_address(e, d, e->line[arg][k], NULL));
		else
			emit_scatter(e, d, part, e->line[arg][k], e->col_step[arg]);
	}
	emit_lanes(e, lanes);
}

/* The value of the j-th row; with `offset`, a number a row, so many bytes behind it. */
static val get_one(emit *e, gt_dtype d, int arg, int j, val offset)
{
	val line = e->line[arg][j];

	if (e->g->args[arg].counts)
		return emit_number(e, line);
	if (offset)
		line = emit_address(e, line, LLVMBuildExtractElement(e->b, offset,
			LLVMConstInt(e->i32, (uint64_t)j, 0), ""));
	return emit_get_one(e, d, line, "");
}

/* One value a row. */
static val get_same(emit *e, gt_dtype d, int arg, val offset)
{
	val v = emit_splat(e, get_one(e, d, arg, 0, offset));

	for (int j = 1; j < e->batch; j++) {
		val own = get_one(e, d, arg, j, offset);

		for (int k = j; k < e->lanes; k += e->batch)
			v = LLVMBuildInsertElement(e->b, v, own,
				LLVMConstInt(e->i32, (uint64_t)k, 0), "");
	}
	return v;
}

static void put_same(emit *e, gt_dtype d, int arg, val v)
{
	for (int k = 0; k < e->batch; k++)
		emit_put_one(e, d, LLVMBuildExtractElement(e->b, v,
				LLVMConstInt(e->i32, (uint64_t)k, 0), ""), e->line[arg][k]);
}

void node_keep(emit *e, int node)
{
	put_lines(e, e->g->nodes[node].dtype, ACCESS_RUN, e->keep[node], node_value(e, node));
}

/* ---- Values. ---- */

static val load(emit *e, int arg)
{
	const group_arg *a = &e->g->args[arg];

	return a->access == ACCESS_SAME ? get_same(e, a->dtype, arg, NULL)
		: get_lines(e, a->dtype, a->access, arg);
}

/* Bytes from a column to the next. */
static val step_of(emit *e, int arg)
{
	const group_arg *a = &e->g->args[arg];

	return a->access == ACCESS_STEP ? e->col_step[arg] : emit_size(e,
		a->access == ACCESS_SAME ? 0 : (int64_t)dtype_size((gt_dtype)a->dtype));
}

/* A row that lies as a whole somewhere else (the vectors of an embedding), or each element. */
static val pick_line(emit *e, const group_arg *a, val line, val step, val offset, bool along)
{
	if (along)
		return emit_pick(e, (gt_dtype)a->dtype, line, step, offset);
	line = emit_address(e, line, LLVMBuildExtractElement(e->b, offset,
		LLVMConstInt(e->i32, 0, 0), ""));
	return get_line(e, (gt_dtype)a->dtype, (group_access)a->access, line, step);
}

static val pick(emit *e, const group_node *n)
{
	const group_arg *a = &e->g->args[n->at];
	const bool along = e->shapes[n->in[0]].cols;
	const int lanes = e->lanes, each = emit_columns_each(e);
	val offset = node_value(e, n->in[0]), parts[EMIT_LINES];

	if (a->access == ACCESS_SAME && !along)
		return get_same(e, (gt_dtype)a->dtype, n->at, offset);
	for (int k = 0; k < e->lines; k++)
		parts[k] = e->lines == 1 ? offset : emit_part(e, offset, k, each);
	emit_lanes(e, each);
	for (int k = 0; k < e->lines; k++)
		parts[k] = pick_line(e, a, e->line[n->at][k], step_of(e, n->at), parts[k], along);
	emit_lanes(e, lanes);
	return emit_join(e, parts, e->lines);
}

static val read_scalar(emit *e, const group_node *n)
{
	val at = emit_address(e, e->scalars, emit_size(e, 8 * n->at));

	return emit_splat(e, emit_get_one(e, n->dtype, at, ""));
}

static val compute(emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];
	val x[3] = { 0 }, quotient = divide_row(e, node);

	if (quotient)
		return quotient;
	for (int k = 0; k < group_inputs(n); k++)
		x[k] = node_value(e, n->in[k]);
	return arith_op(e, n->op, e->g->nodes[n->in[n->op == OP_where]].dtype, n->dtype, x);
}

bool node_is_kept(const emit *e, int node)
{
	return e->keep[node] >= 0 && e->pass > e->shapes[node].level;
}

static val make(emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];

	if (e->column[node])
		return emit_get(e, n->dtype, run_address(e, n->dtype, e->column[node], e->tile),
			"");
	if (node_is_kept(e, node))
		return get_lines(e, n->dtype, ACCESS_RUN, e->keep[node]);
	switch (n->what) {
	case NODE_LOAD:   return load(e, n->at);
	case NODE_SCALAR: return read_scalar(e, n);
	case NODE_DRAW:   return draw_value(e, node);
	case NODE_PICK:   return pick(e, n);
	default:          return compute(e, node);
	}
}

val node_widen(emit *e, val v)
{
	int had = (int)LLVMGetVectorSize(LLVMTypeOf(v)), each = emit_columns_each(e);
	val from[EMIT_LANES];

	if (had == e->lanes)
		return v;
	for (int k = 0; k < e->lanes; k++)
		from[k] = LLVMConstInt(e->i32, (uint64_t)(k / each), 0);
	return LLVMBuildShuffleVector(e->b, v, LLVMGetUndef(LLVMTypeOf(v)),
		LLVMConstVector(from, (unsigned)e->lanes), "");
}

val node_value(emit *e, int node)
{
	if (!e->value[node]) {
		e->value[node] = make(e, node);
		node_name(e, node, e->value[node]);
	}
	return node_widen(e, e->value[node]);
}

void node_store(emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];
	const group_arg *a = &e->g->args[n->at];
	val v = node_value(e, n->in[0]);

	if (a->access == ACCESS_SAME)
		put_same(e, a->dtype, n->at, v);
	else
		put_lines(e, a->dtype, a->access, n->at, v);
}

/* What is written may lie where something is read: all loads come first. */
void node_stage(emit *e, bool rows, bool cols, int level)
{
	for (int stores = 0; stores < 2; stores++)
		for (int k = 0; k < e->g->nodes_count; k++) {
			const group_node *n = &e->g->nodes[k];
			const group_shape *s = &e->shapes[k];

			if (s->rows != rows || s->cols != cols || s->level != level)
				continue;
			if (stores && n->what == NODE_STORE)
				node_store(e, k);
			if (!stores && n->what != NODE_STORE && n->what != NODE_REDUCE)
				node_value(e, k);
		}
}
