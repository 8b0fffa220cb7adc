/* code.c: groups as bytes. Each node has the fields that its kind uses and no others, so equal
 * bytes and equal code are one thing. */
#include "base/base.h"
#include "base/error.h"
#include "group/group.h"

#define CODE_VERSION 2

/* Bits of an argument's flags. */
enum { FLAG_OUT = 1, FLAG_FIXED = 2, FLAG_COUNTS = 4, FLAG_PICKED = 8, FLAGS = 15 };

static bool has_op(const group_node *n)
{
	return n->what == NODE_OP || n->what == NODE_REDUCE || n->what == NODE_DRAW;
}

static uint8_t flags_of(const group_arg *a)
{
	return (uint8_t)((a->out ? FLAG_OUT : 0) | (a->fixed ? FLAG_FIXED : 0) |
		(a->counts ? FLAG_COUNTS : 0) | (a->picked ? FLAG_PICKED : 0));
}

static void put_node(const group_node *n, buf *to)
{
	buf_put_u8(to, n->what);
	buf_put_u8(to, n->dtype);
	buf_put_u16(to, has_op(n) ? n->op : n->at);
	if (n->what == NODE_DRAW)
		buf_put_u16(to, n->at);
	for (int k = 0; k < group_inputs(n); k++)
		buf_put_u16(to, n->in[k]);
}

void group_encode(const group *g, buf *to)
{
	buf_put_u8(to, CODE_VERSION);
	buf_put_u8(to, g->mode);
	buf_put_u16(to, g->nodes_count);
	buf_put_u16(to, g->args_count);
	buf_put_u16(to, g->scalars_count);
	for (int k = 0; k < g->args_count; k++) {
		buf_put_u8(to, g->args[k].dtype);
		buf_put_u8(to, g->args[k].access);
		buf_put_u8(to, flags_of(&g->args[k]));
	}
	for (int k = 0; k < g->nodes_count; k++)
		put_node(&g->nodes[k], to);
}

static gt_err get_arg(reader *r, group_arg *a)
{
	uint8_t flags;

	a->dtype = reader_u8(r);
	a->access = reader_u8(r);
	flags = reader_u8(r);
	a->out = flags & FLAG_OUT;
	a->fixed = flags & FLAG_FIXED;
	a->counts = flags & FLAG_COUNTS;
	a->picked = flags & FLAG_PICKED;
	return flags <= FLAGS ? GT_OK : fail(GT_EPROTO,
		"group: argument flags %u, expected at most %d", flags, FLAGS);
}

/* How many inputs to read depends on the op: only one that exists says. */
static gt_err get_node(reader *r, group_node *n)
{
	uint16_t at;

	n->what = reader_u8(r);
	n->dtype = reader_u8(r);
	at = reader_u16(r);
	if (has_op(n))
		n->op = at;
	else
		n->at = at;
	if (n->what == NODE_DRAW)
		n->at = reader_u16(r);
	if (n->what == NODE_OP && !(op_row_of(n->op) && op_rows[n->op].kind == KIND_ELEMENT))
		return fail(GT_EPROTO, "group: op %u cannot be in a group", n->op);
	for (int k = 0; k < group_inputs(n); k++)
		n->in[k] = reader_u16(r);
	return GT_OK;
}

static gt_err get_counts(reader *r, group *g)
{
	uint8_t version = reader_u8(r);

	g->mode = reader_u8(r);
	g->nodes_count = reader_u16(r);
	g->args_count = reader_u16(r);
	g->scalars_count = reader_u16(r);
	if (version != CODE_VERSION)
		return fail(GT_EPROTO, "group: version %u, expected %d", version, CODE_VERSION);
	if (g->nodes_count > GROUP_NODES || g->args_count > GROUP_ARGS)
		return fail(GT_EPROTO, "group: %u nodes and %u arguments, at most %d and %d",
			g->nodes_count, g->args_count, GROUP_NODES, GROUP_ARGS);
	return GT_OK;
}

gt_err group_decode(const void *data, size_t size, group *g)
{
	reader r = { .data = data, .size = size };
	gt_err e;

	memset(g, 0, sizeof *g);
	e = get_counts(&r, g);
	for (int k = 0; !e && k < g->args_count; k++)
		e = get_arg(&r, &g->args[k]);
	for (int k = 0; !e && k < g->nodes_count; k++)
		e = get_node(&r, &g->nodes[k]);
	if (!e && (r.cut || r.pos != size))
		e = fail(GT_EPROTO, "group: %zu bytes, %s", size, r.cut ? "cut short" : "too many");
	return e ? e : group_check(g);
}
