/* check.c: what a well-formed group is, and where its values vary. */
#include "base/base.h"
#include "base/error.h"
#include "group/group.h"
#include "ir/dtype.h"

int group_inputs(const group_node *n)
{
	switch (n->what) {
	case NODE_OP:     return op_rows[n->op].nin;
	case NODE_REDUCE:
	case NODE_STORE:
	case NODE_DRAW:
	case NODE_PICK:   return 1;
	default:          return 0;
	}
}

int group_draw_scalars(const group_node *n) { return n->op == OP_randint ? 4 : 2; }

/* ---- Shapes. ---- */

static group_shape shape_of(const group *g, const group_node *n, const group_shape *shapes)
{
	group_shape s = { 0 };

	for (int k = 0; k < group_inputs(n); k++) {
		s.rows |= shapes[n->in[k]].rows;
		s.cols |= shapes[n->in[k]].cols;
		s.level = MAX(s.level, shapes[n->in[k]].level);
	}
	if (n->what == NODE_REDUCE)
		return (group_shape){ g->mode == GROUP_ROWS, g->mode == GROUP_COLS, s.level + 1 };
	if (n->what == NODE_LOAD || n->what == NODE_STORE || n->what == NODE_PICK) {
		s.rows |= !g->args[n->at].fixed;
		s.cols |= g->args[n->at].access != ACCESS_SAME;
	}
	return s;
}

void group_shapes(const group *g, group_shape shapes[GROUP_NODES])
{
	for (int k = 0; k < g->nodes_count; k++)
		shapes[k] = shape_of(g, &g->nodes[k], shapes);
}

/* ---- The check. ---- */

typedef struct checker {
	const group *g;
	int reductions;
	bool stored[GROUP_ARGS];
	group_shape shapes[GROUP_NODES];
} checker;

static bool is_dtype(unsigned d) { return d > GT_DTYPE_NONE && d < GT_DTYPE_COUNT; }

static gt_err check_args(const group *g)
{
	for (int k = 0; k < g->args_count; k++) {
		const group_arg *a = &g->args[k];

		if (!is_dtype(a->dtype) || a->access > ACCESS_STEP)
			return fail(GT_EPROTO,
				"group: argument %d has dtype %u and access %u; there are "
				"dtypes 1 to %d, accesses 0 to %d", k, a->dtype, a->access,
				GT_DTYPE_COUNT - 1, ACCESS_STEP);
		if (a->out && a->fixed && g->mode != GROUP_COLS)
			return fail(GT_EPROTO,
				"group: argument %d is written and the same for all rows, "
				"which only a reduction over rows may have", k);
		if (a->out && a->access == ACCESS_SAME && g->mode == GROUP_COLS)
			return fail(GT_EPROTO,
				"group: argument %d is one value for all columns, which a "
				"reduction over rows does not write", k);
		if ((a->counts && a->dtype != GT_INT64) || a->out + a->counts + a->picked > 1)
			return fail(GT_EPROTO,
				"group: argument %d of dtype %s is %s%s%s; what counts is int64, "
				"and neither it nor what is picked from is written", k,
				dtype_name((gt_dtype)a->dtype), a->out ? "written " : "",
				a->counts ? "counting " : "", a->picked ? "picked from" : "");
	}
	return GT_OK;
}

/* What an op makes of inputs of dtype d. */
static gt_dtype result_of(const op_row *row, gt_dtype d)
{
	switch (row->result) {
	case RESULT_bool: return GT_BOOL;
	case RESULT_sum:  return dtype_kind_of(d) == KIND_FLOAT ? d : GT_INT64;
	default:          return d;
	}
}

static gt_err check_op(const checker *c, int at)
{
	const group_node *n = &c->g->nodes[at];
	const op_row *row = op_row_of(n->op);
	int first = n->op == OP_where;
	gt_dtype d = c->g->nodes[n->in[first]].dtype;

	for (int k = 0; k < row->nin; k++) {
		gt_dtype want = k < first ? GT_BOOL : d;

		if (c->g->nodes[n->in[k]].dtype != want)
			return fail(GT_EPROTO, "group: node %d: input %d of %s is %s, expected %s",
				at, k, row->name, dtype_name(c->g->nodes[n->in[k]].dtype),
				dtype_name(want));
	}
	if (!op_takes(row, dtype_kind_of(d)))
		return fail(GT_EPROTO, "group: node %d: %s does not take %s", at, row->name,
			dtype_name(d));
	if ((n->op == OP_floordiv || n->op == OP_mod) && dtype_kind_of(d) == KIND_INT)
		return fail(GT_EPROTO,
			"group: node %d: %s of integers may fail; ops of a group may not",
			at, row->name);
	if (n->op != OP_cast && n->dtype != result_of(row, d))
		return fail(GT_EPROTO, "group: node %d: %s of %s gives %s, not %s", at, row->name,
			dtype_name(d), dtype_name(result_of(row, d)), dtype_name(n->dtype));
	return GT_OK;
}

static bool is_reduction(unsigned code)
{
	return code == OP_sum || code == OP_prod || code == OP_max || code == OP_min ||
		code == OP_any || code == OP_all;
}

static gt_err check_reduce(checker *c, int at)
{
	const group_node *n = &c->g->nodes[at];
	gt_dtype d = c->g->nodes[n->in[0]].dtype, want = result_of(op_row_of(n->op), d);

	if (c->g->mode == GROUP_ELEMENT)
		return fail(GT_EPROTO, "group: node %d reduces in a group that does not", at);
	if (n->dtype != want)
		return fail(GT_EPROTO, "group: node %d: %s of %s gives %s, not %s", at,
			op_rows[n->op].name, dtype_name(d), dtype_name(want), dtype_name(n->dtype));
	if (++c->reductions > GROUP_REDUCTIONS)
		return fail(GT_EPROTO, "group: more than %d reductions", GROUP_REDUCTIONS);
	return GT_OK;
}

static gt_err check_arg(const checker *c, int at, bool out)
{
	const group_node *n = &c->g->nodes[at];
	const group_arg *a;

	if (n->at >= c->g->args_count)
		return fail(GT_EPROTO, "group: node %d names argument %u of %u", at, n->at,
			c->g->args_count);
	a = &c->g->args[n->at];
	if (a->out != out || a->dtype != n->dtype)
		return fail(GT_EPROTO, "group: node %d %s %s, but argument %u is %s %s", at,
			out ? "writes" : "reads", dtype_name(n->dtype), n->at,
			a->out ? "a written" : "a read", dtype_name(a->dtype));
	if (a->picked != (n->what == NODE_PICK))
		return fail(GT_EPROTO, "group: node %d: argument %u is%s to be picked from", at,
			n->at, a->picked ? "" : " not");
	return GT_OK;
}

static gt_err check_number(const checker *c, int at)
{
	const group_node *n = &c->g->nodes[at];

	if (c->g->nodes[n->in[0]].dtype == GT_INT64)
		return GT_OK;
	return fail(GT_EPROTO, "group: node %d: a place is %s, expected int64", at,
		dtype_name(c->g->nodes[n->in[0]].dtype));
}

static bool is_draw(unsigned code)
{
	return code == OP_rand || code == OP_randn || code == OP_randint;
}

static gt_err check_draw(const checker *c, int at)
{
	const group_node *n = &c->g->nodes[at];
	const dtype_kind kind = dtype_kind_of((gt_dtype)n->dtype);

	if (kind != KIND_FLOAT && (n->op != OP_randint || kind != KIND_INT))
		return fail(GT_EPROTO, "group: node %d: %s of %s", at, op_rows[n->op].name,
			dtype_name((gt_dtype)n->dtype));
	if (n->at + group_draw_scalars(n) > c->g->scalars_count)
		return fail(GT_EPROTO, "group: node %d names scalars %u to %d of %u", at, n->at,
			n->at + group_draw_scalars(n) - 1, c->g->scalars_count);
	return check_number(c, at);
}

static gt_err check_store(checker *c, int at)
{
	const group_node *n = &c->g->nodes[at];
	const group_arg *a;
	gt_err e = check_arg(c, at, true);

	if (e)
		return e;
	a = &c->g->args[n->at];
	if (c->g->nodes[n->in[0]].dtype != n->dtype)
		return fail(GT_EPROTO, "group: node %d stores %s to an argument of %s", at,
			dtype_name(c->g->nodes[n->in[0]].dtype), dtype_name(n->dtype));
	if (c->stored[n->at])
		return fail(GT_EPROTO, "group: argument %u is written twice", n->at);
	c->stored[n->at] = true;
	if (c->shapes[n->in[0]].cols && a->access == ACCESS_SAME)
		return fail(GT_EPROTO,
			"group: node %d stores what varies along the row to argument %u, "
			"one value a row", at, n->at);
	if (c->shapes[n->in[0]].rows && a->fixed)
		return fail(GT_EPROTO,
			"group: node %d stores what varies from row to row to argument %u, "
			"the same for all rows", at, n->at);
	return GT_OK;
}

static gt_err check_what(checker *c, int at)
{
	const group_node *n = &c->g->nodes[at];
	gt_err e;

	switch (n->what) {
	case NODE_LOAD:
		return check_arg(c, at, false);
	case NODE_SCALAR:
		return n->at < c->g->scalars_count ? GT_OK : fail(GT_EPROTO,
			"group: node %d names scalar %u of %u", at, n->at, c->g->scalars_count);
	case NODE_OP:
		return check_op(c, at);
	case NODE_REDUCE:
		return check_reduce(c, at);
	case NODE_DRAW:
		return check_draw(c, at);
	case NODE_PICK:
		e = check_arg(c, at, false);
		return e ? e : check_number(c, at);
	default:
		return check_store(c, at);
	}
}

static gt_err check_node(checker *c, int at)
{
	const group_node *n = &c->g->nodes[at];
	const op_row *row = op_row_of(n->op);
	gt_err e;

	if (n->what >= NODE_COUNT || !is_dtype(n->dtype))
		return fail(GT_EPROTO, "group: node %d is of kind %u and dtype %u", at, n->what,
			n->dtype);
	if ((n->what == NODE_OP && !(row && row->kind == KIND_ELEMENT)) ||
		(n->what == NODE_REDUCE && !is_reduction(n->op)) ||
		(n->what == NODE_DRAW && !is_draw(n->op)))
		return fail(GT_EPROTO, "group: node %d: op %u (%s) cannot be in a group", at, n->op,
			row ? row->name : "unknown");
	for (int k = 0; k < group_inputs(n); k++)
		if (n->in[k] >= at || c->g->nodes[n->in[k]].what == NODE_STORE)
			return fail(GT_EPROTO,
				"group: node %d uses node %u, which is no earlier value",
				at, n->in[k]);
	e = check_what(c, at);
	if (!e)
		c->shapes[at] = shape_of(c->g, n, c->shapes);
	return e;
}

gt_err group_check(const group *g)
{
	checker c = { .g = g };
	gt_err e;

	if (g->mode > GROUP_COLS || g->nodes_count > GROUP_NODES || g->args_count > GROUP_ARGS ||
		g->scalars_count > GROUP_SCALARS)
		return fail(GT_EPROTO,
			"group: mode %u, %u nodes, %u arguments, %u scalars; at most "
			"%d, %d, %d, %d", g->mode, g->nodes_count, g->args_count, g->scalars_count,
			GROUP_COLS, GROUP_NODES, GROUP_ARGS, GROUP_SCALARS);
	e = check_args(g);
	for (int k = 0; !e && k < g->nodes_count; k++)
		e = check_node(&c, k);
	for (int k = 0; !e && k < g->args_count; k++)
		if (g->args[k].out && !c.stored[k])
			e = fail(GT_EPROTO, "group: argument %d is never written", k);
	return e;
}
