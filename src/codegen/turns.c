/* turns.c: rows that take turns, pass by pass.
 *
 * What is one value a row is computed for the batch at once, a lane a row. For the passes over
 * columns it goes by memory: a row takes its own lane from there, and what its reductions give is
 * put there. Several rows take a turn together where a pass does little.
 */
#include "codegen/rows.h"

static bool is_used_along(const emit *e, int node)
{
	for (int k = node + 1; k < e->g->nodes_count; k++)
		for (int j = 0; j < group_inputs(&e->g->nodes[k]); j++)
			if (e->g->nodes[k].in[j] == node && (e->shapes[k].cols ||
				e->g->nodes[k].what == NODE_REDUCE))
				return true;
	return false;
}

/* Memory for a lane a row. */
static val new_lanes(emit *e, gt_dtype d)
{
	return emit_slot(e, LLVMArrayType(e->i8, EMIT_NARROW * (unsigned)dtype_size(d)), "turns");
}

static val lane_address(emit *e, gt_dtype d, val lanes, val turn)
{
	return emit_address(e, lanes,
		LLVMBuildMul(e->b, turn, emit_size(e, (int64_t)dtype_size(d)), ""));
}

static void put_lanes(emit *e, gt_dtype d, val v, val lanes)
{
	int had = e->lanes;

	emit_lanes(e, EMIT_NARROW);
	emit_put(e, d, v, lanes);
	emit_lanes(e, had);
}

static val get_own(emit *e, gt_dtype d, val lanes, val turn)
{
	return emit_splat(e, emit_get_one(e, d, lane_address(e, d, lanes, turn), ""));
}

/* `all` with the lanes of the turn from `v`. Those beyond get theirs as well: if there are no
 * further rows they go on as the last one. */
static val set_own(emit *e, val all, val v, val turn)
{
	val numbers[EMIT_NARROW], gets;
	int had = e->lanes;

	for (int k = 0; k < EMIT_NARROW; k++)
		numbers[k] = LLVMConstInt(e->i32, (uint64_t)k, 0);
	emit_lanes(e, EMIT_NARROW);
	turn = emit_splat(e, LLVMBuildTrunc(e->b, turn, e->i32, ""));
	emit_lanes(e, had);
	gets = LLVMBuildICmp(e->b, LLVMIntSLE, turn, LLVMConstVector(numbers, EMIT_NARROW), "");
	return LLVMBuildSelect(e->b, gets, v, all, "");
}

/* Values of the batch that rows take with them: from values[k], whose memory is lanes[k]. */
static void put_values(emit *e, const val *values, val *lanes, bool inverse)
{
	for (int k = 0; k < e->g->nodes_count; k++) {
		const gt_dtype d = inverse ? GT_FLOAT32 : (gt_dtype)e->g->nodes[k].dtype;

		lanes[k] = NULL;
		if (!values[k] || !e->shapes[k].rows || e->shapes[k].cols || !is_used_along(e, k))
			continue;
		lanes[k] = new_lanes(e, d);
		put_lanes(e, d, values[k], lanes[k]);
	}
}

static void get_values(emit *e, val *values, const val *lanes, bool inverse, val turn)
{
	for (int k = 0; k < e->g->nodes_count; k++)
		if (lanes[k])
			values[k] = get_own(e, inverse ? GT_FLOAT32 :
				(gt_dtype)e->g->nodes[k].dtype, lanes[k], turn);
}

/* A pass of few instructions waits for its own sums, each of which adds to the one before: it does
 * as many rows at a time as it takes to have something to do. Where there is more to do, the
 * processor finds that by looking ahead, and twice as many values would not stay in registers. */
static int cost_now(const emit *e, int node, bool *seen)
{
	const group_node *n = &e->g->nodes[node];
	int cost;

	if (seen[node] || !e->shapes[node].cols)
		return 0;
	seen[node] = true;
	if (node_is_kept(e, node))
		return 1;
	cost = cost_node(n);
	for (int k = 0; k < group_inputs(n); k++)
		cost += cost_now(e, n->in[k], seen);
	return cost;
}

static int rows_together(const emit *e, const pass *p)
{
	enum { FEW = 6, SOME = 16 };
	bool seen[GROUP_NODES] = { false };
	int cost = 0, rows;

	for (int k = 0; k < e->g->nodes_count; k++)
		if (rows_stored_now(e, k))
			cost += cost_now(e, e->g->nodes[k].in[0], seen);
		else if (rows_kept_now(e, k))
			cost += cost_now(e, k, seen);
	for (int k = 0; k < p->count; k++)
		cost += cost_now(e, e->g->nodes[p->nodes[k]].in[0], seen);
	rows = cost > SOME ? 1 : cost > FEW ? 2 : 4;
	return e->isa == ISA_AVX512 && p->count && p->count * rows <= GROUP_REDUCTIONS ? rows : 1;
}

/* Those beyond the last row are the last row. */
static void find_turns(emit *e, pass *p, val row, val number, const val *lanes,
	const val *inverse_lanes)
{
	const val last = LLVMBuildSub(e->b, e->rows, emit_size(e, 1), "");

	node_forget(e, true, true);      /* those of other passes */
	node_forget(e, false, true);
	for (int j = 0; j < p->together; j++) {
		const val i = LLVMBuildAdd(e->b, number, emit_size(e, j), "");
		const val r = LLVMBuildAdd(e->b, row, i, "");

		get_values(e, e->value, lanes, false, i);
		get_values(e, e->inverse, inverse_lanes, true, i);
		for (int k = 0; k < e->g->args_count; k++)
			e->line[k][0] = p->rows[j].line[k] =
				rows_line(e, k, j ? emit_min(e, r, last) : r);
		memcpy(p->rows[j].value, e->value, sizeof e->value);
		memcpy(p->rows[j].inverse, e->inverse, sizeof e->inverse);
	}
}

void turns_take(emit *e, pass *p, val row)
{
	val left = LLVMBuildSub(e->b, e->rows, row, ""), results[GROUP_REDUCTIONS];
	val values[GROUP_NODES], inverses[GROUP_NODES], lanes[GROUP_NODES],
		inverse_lanes[GROUP_NODES], lines[GROUP_ARGS][EMIT_LINES];
	loop l;

	memcpy(values, e->value, sizeof values);
	memcpy(inverses, e->inverse, sizeof inverses);
	memcpy(lines, e->line, sizeof lines);
	put_values(e, values, lanes, false);
	put_values(e, inverses, inverse_lanes, true);
	for (int k = 0; k < p->count; k++)
		results[k] = LLVMConstNull(LLVMVectorType(
			e->element[tree_dtype(e, p->nodes[k])], EMIT_NARROW));
	p->together = rows_together(e, p);
	loop_open(e, &l, "turn", emit_size(e, 0), emit_min(e, left, emit_size(e, e->batch)),
		emit_size(e, p->together), p->count, results);
	find_turns(e, p, row, l.i, lanes, inverse_lanes);
	rows_do(e, p);
	for (int k = 0; k < p->count; k++)
		results[k] = set_own(e, l.carry[k], e->value[p->nodes[k]], l.i);
	loop_close(e, &l, results);
	memcpy(e->value, values, sizeof values);
	memcpy(e->inverse, inverses, sizeof inverses);
	memcpy(e->line, lines, sizeof lines);
	for (int k = 0; k < p->count; k++)
		e->value[p->nodes[k]] = l.carry[k];
}

/* ---- A vector of each. ---- */

static void take_turn(emit *e, const own *t)
{
	for (int k = 0; k < e->g->args_count; k++)
		e->line[k][0] = t->line[k];
	memcpy(e->value, t->value, sizeof e->value);
	memcpy(e->inverse, t->inverse, sizeof e->inverse);
}

/* What is the same for all rows is computed for the first of them. Beyond the last row they are one
 * and the same, so nothing is stored before all have their values. */
void turns_vector(emit *e, const pass *p, val *carry)
{
	own rows[EMIT_LINES];

	memcpy(rows, p->rows, sizeof rows);
	for (int j = 0; j < p->together; j++) {
		for (int k = 0; j && k < e->g->nodes_count; k++)
			if (!e->shapes[k].rows && e->shapes[k].cols)
				rows[j].value[k] = rows[j - 1].value[k];
		take_turn(e, &rows[j]);
		rows_values(e, p, carry + j * p->count);
		memcpy(rows[j].value, e->value, sizeof e->value);
	}
	for (int j = 0; j < p->together; j++) {
		take_turn(e, &rows[j]);
		rows_stores(e);
	}
}
