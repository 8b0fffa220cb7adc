/* print.c: groups as text, for dumps and people:
 *
 *	group rows
 *	  arg 0: float32, run
 *	  arg 1: float32, same, written; or: counts, picked from
 *	  %0 = load 0 : float32
 *	  %1 = sum %0 : float32
 *	  store 1, %1
 */
#include "group/group.h"
#include "ir/dtype.h"

static const char *const mode_names[] = { "element", "rows", "cols" };
static const char *const access_names[] = { "run", "same", "step" };

static void print_node(const group *g, int at, buf *to)
{
	const group_node *n = &g->nodes[at];

	if (n->what == NODE_STORE) {
		buf_printf(to, "  store %u, %%%u\n", n->at, n->in[0]);
		return;
	}
	buf_printf(to, "  %%%d = ", at);
	if (n->what == NODE_LOAD || n->what == NODE_SCALAR || n->what == NODE_PICK)
		buf_printf(to, "%s %u%s", n->what == NODE_LOAD ? "load" :
			n->what == NODE_PICK ? "pick" : "scalar", n->at,
			n->what == NODE_PICK ? "," : "");
	else
		buf_printf(to, "%s", op_rows[n->op].name);
	for (int k = 0; k < group_inputs(n); k++)
		buf_printf(to, "%s%%%u", k ? ", " : " ", n->in[k]);
	if (n->what == NODE_DRAW)
		buf_printf(to, ", scalars %u to %d", n->at, n->at + group_draw_scalars(n) - 1);
	buf_printf(to, " : %s\n", dtype_name(n->dtype));
}

void group_print(const group *g, buf *to)
{
	buf_printf(to, "group %s\n", mode_names[g->mode]);
	for (int k = 0; k < g->args_count; k++)
		buf_printf(to, "  arg %d: %s, %s%s%s%s%s\n", k, dtype_name(g->args[k].dtype),
			access_names[g->args[k].access], g->args[k].fixed ? ", fixed" : "",
			g->args[k].out ? ", written" : "", g->args[k].counts ? ", counts" : "",
			g->args[k].picked ? ", picked from" : "");
	for (int k = 0; k < g->nodes_count; k++)
		print_node(g, k, to);
}
