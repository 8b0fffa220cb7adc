/* group_make.h: groups by hand. Every function returns the node that it appended. */
#ifndef TESTS_GROUP_MAKE_H
#define TESTS_GROUP_MAKE_H

#include <string.h>
#include "group/group.h"
#include "ir/dtype.h"

#define MAKE __attribute__((unused)) static

MAKE void make_start(group *g, group_mode mode)
{
	memset(g, 0, sizeof *g);
	g->mode = (uint8_t)mode;
}

MAKE int make_node(group *g, group_what what, gt_dtype d, unsigned code, int at)
{
	group_node *n = &g->nodes[g->nodes_count];

	*n = (group_node){ .what = (uint8_t)what, .dtype = (uint8_t)d, .op = (uint16_t)code,
		.at = (uint16_t)at };
	return g->nodes_count++;
}

MAKE int make_load(group *g, gt_dtype d, group_access access)
{
	g->args[g->args_count] = (group_arg){ .dtype = (uint8_t)d, .access = (uint8_t)access };
	return make_node(g, NODE_LOAD, d, 0, g->args_count++);
}

/* Numbers of elements; what is drawn by them: two or four more scalars. */
MAKE int make_count(group *g, group_access access)
{
	const int at = make_load(g, GT_INT64, access);

	g->args[g->args_count - 1].counts = true;
	return at;
}

MAKE int make_draw(group *g, op code, gt_dtype d, int element)
{
	const int at = make_node(g, NODE_DRAW, d, code, g->scalars_count);

	g->nodes[at].in[0] = (uint16_t)element;
	g->scalars_count += (uint16_t)group_draw_scalars(&g->nodes[at]);
	return at;
}

MAKE int make_pick(group *g, gt_dtype d, group_access access, int offset)
{
	const int at = make_node(g, NODE_PICK, d, 0, g->args_count);

	g->args[g->args_count++] = (group_arg){ .dtype = (uint8_t)d, .access = (uint8_t)access,
		.picked = true };
	g->nodes[at].in[0] = (uint16_t)offset;
	return at;
}

MAKE int make_scalar(group *g, gt_dtype d)
{
	return make_node(g, NODE_SCALAR, d, 0, g->scalars_count++);
}

/* Inputs beyond the row's are not looked at. The result's dtype is what the row says; make_cast
 * says its own. */
MAKE int make_op(group *g, op code, int a, int b, int c)
{
	gt_dtype d = (gt_dtype)g->nodes[code == OP_where ? b : a].dtype;
	int at = make_node(g, NODE_OP, op_rows[code].result == RESULT_bool ? GT_BOOL : d, code, 0);

	g->nodes[at].in[0] = (uint16_t)a;
	g->nodes[at].in[1] = (uint16_t)b;
	g->nodes[at].in[2] = (uint16_t)c;
	return at;
}

MAKE int make_cast(group *g, gt_dtype to, int a)
{
	int at = make_op(g, OP_cast, a, 0, 0);

	g->nodes[at].dtype = (uint8_t)to;
	return at;
}

MAKE int make_reduce(group *g, op code, int a)
{
	gt_dtype d = (gt_dtype)g->nodes[a].dtype;
	int at;

	if (op_rows[code].result == RESULT_bool)
		d = GT_BOOL;
	else if (op_rows[code].result == RESULT_sum && dtype_kind_of(d) != KIND_FLOAT)
		d = GT_INT64;
	at = make_node(g, NODE_REDUCE, d, code, 0);
	g->nodes[at].in[0] = (uint16_t)a;
	return at;
}

/* Along what is reduced. */
MAKE int make_softmax_of(group *g, int a)
{
	const int e = make_op(g, OP_exp, make_op(g, OP_sub, a, make_reduce(g, OP_max, a), 0), 0, 0);

	return make_op(g, OP_div, e, make_reduce(g, OP_sum, e), 0);
}

MAKE int make_store(group *g, int value, group_access access)
{
	gt_dtype d = (gt_dtype)g->nodes[value].dtype;
	int at = make_node(g, NODE_STORE, d, 0, g->args_count);

	g->args[g->args_count++] = (group_arg){ .dtype = (uint8_t)d, .access = (uint8_t)access,
		.out = true };
	g->nodes[at].in[0] = (uint16_t)value;
	return at;
}

#endif
