/* cost.c: about how many vector instructions a node takes. Decides what is worth keeping and how a
 * loop is made, never a bit of a result. */
#include "codegen/emit.h"

/* Ten rounds of a generator are one long chain: two vectors at a time take 0.6 of the time, and
 * masks are nothing beside it. Functions with an error of more than a rounding are polynomials of
 * some twenty steps; in float64 they are calls, as are the others that are dear here. */
int cost_node(const group_node *n)
{
	enum { OP_erfc = 0, FUNCTION = 20, CALL = 60, DRAW = 150 };
	static const uint8_t steps[OP_CODES] = {
#define FUN1(name, ulp, f64) [OP_##name] = (ulp) > 0.5 ? FUNCTION : 1,
#define FUN2(name, ulp, f64) FUN1(name, ulp, f64)
#include "ir/fun.def"
		[OP_div] = 4, [OP_mod] = CALL, [OP_floordiv] = CALL,
	};

	if (n->what == NODE_DRAW)
		return n->op == OP_randn ? DRAW + 2 * FUNCTION : DRAW;
	if (n->what != NODE_OP)
		return n->what == NODE_LOAD || n->what == NODE_REDUCE ||
			n->what == NODE_PICK;
	if (steps[n->op] == FUNCTION && n->dtype != GT_FLOAT32)
		return CALL;
	return MAX(steps[n->op], 1);
}

int cost_vector(const emit *e)
{
	int cost = 0;

	for (int k = 0; k < e->g->nodes_count; k++)
		if (e->shapes[k].cols)
			cost += cost_node(&e->g->nodes[k]);
	return cost;
}
