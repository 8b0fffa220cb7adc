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
	snprintf(name, sizeof name, "n%d.%s", node,
		n->what == NODE_LOAD ? "load" : n->what == NODE_SCALAR ? "scalar" : op_rows[n->op].name);
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

static val load(emit *e, int arg)
{
	const group_arg *a = &e->g->args[arg];
	val line = e->line[arg];

	switch (a->access) {
	case ACCESS_RUN:
		return emit_get(e, a->dtype, run_address(e, a->dtype, line, NULL), "");
	case ACCESS_SAME:
		return emit_splat(e, emit_get_one(e, a->dtype, line, ""));
	default:
		return emit_gather(e, a->dtype, line, e->col_step[arg]);
	}
}

static val read_scalar(emit *e, const group_node *n)
{
	val at = emit_address(e, e->scalars, emit_size(e, 8 * n->at));

	return emit_splat(e, emit_get_one(e, n->dtype, at, ""));
}

static val compute(emit *e, const group_node *n)
{
	val x[3] = { 0 };

	for (int k = 0; k < group_inputs(n); k++)
		x[k] = node_value(e, n->in[k]);
	return arith_op(e, n->op, e->g->nodes[n->in[n->op == OP_where]].dtype, n->dtype, x);
}

/* Stored on the way by an earlier pass. */
static bool is_kept(const emit *e, int node)
{
	return e->keep[node] >= 0 && e->pass > e->shapes[node].level;
}

static val make(emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];

	if (e->column[node])
		return emit_get(e, n->dtype, run_address(e, n->dtype, e->column[node], e->tile), "");
	if (is_kept(e, node))
		return emit_get(e, n->dtype,
			run_address(e, n->dtype, e->line[e->keep[node]], NULL), "");
	switch (n->what) {
	case NODE_LOAD:   return load(e, n->at);
	case NODE_SCALAR: return read_scalar(e, n);
	default:          return compute(e, n);
	}
}

val node_value(emit *e, int node)
{
	if (!e->value[node]) {
		e->value[node] = make(e, node);
		node_name(e, node, e->value[node]);
	}
	return e->value[node];
}

void node_store(emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];
	const group_arg *a = &e->g->args[n->at];
	val v = node_value(e, n->in[0]), line = e->line[n->at];

	switch (a->access) {
	case ACCESS_RUN:
		emit_put(e, a->dtype, v, run_address(e, a->dtype, line, NULL));
		break;
	case ACCESS_SAME:
		emit_put_one(e, a->dtype,
			LLVMBuildExtractElement(e->b, v, LLVMConstInt(e->i32, 0, 0), ""), line);
		break;
	default:
		emit_scatter(e, a->dtype, v, line, e->col_step[n->at]);
	}
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
