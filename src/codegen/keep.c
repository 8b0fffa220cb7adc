/* keep.c: which values are worth storing on the way, or getting back from where they are stored.
 *
 * A value that is known in one pass and used in a later one is computed again there, unless that is
 * dear and there is a place: an argument that the group writes anyway, as softmax has for e^(x -
 * max) in its result. A row is in the cache, so getting it back costs one load. Any length of row
 * is served, which a buffer of the kernel's own could not do; and the bits are the same either way,
 * because the place has the dtype of the value. Values of which the first is done with when the
 * second is made take turns in one place.
 *
 * In GROUP_COLS a tile of all rows may be far away by the next pass, so nothing is stored for that
 * alone; but what is stored anyway is taken from there.
 */
#include "codegen/emit.h"

/* Steps of vector code from which a value is kept. By measurement, softmax takes 1.3 to 1.4 times
 * as long if it computes its exponentials twice; whether a difference is kept makes no
 * difference. */
enum { DEAR = 10 };

static bool may_keep(const emit *e, int node)
{
	const uint8_t what = e->g->nodes[node].what;

	return e->shapes[node].cols && (what == NODE_OP || what == NODE_DRAW);
}

static bool is_chunk(const emit *e, int node) { return e->shapes[node].cols; }

static int cost_of(const emit *e, int node, bool *seen)
{
	const group_node *n = &e->g->nodes[node];
	int cost;

	if (seen[node] || !is_chunk(e, node))
		return 0;
	seen[node] = true;
	cost = cost_node(n);
	for (int k = 0; k < group_inputs(n); k++)
		cost += cost_of(e, n->in[k], seen);
	return cost;
}

static bool is_dear(const emit *e, int node)
{
	bool seen[GROUP_NODES] = { false };

	return cost_of(e, node, seen) >= DEAR;
}

/* The last pass that computes node k: its own, or one in which `last` says that a value is computed
 * which takes it in. A reduction is known a pass after it was made. */
static int last_computed(const emit *e, int node, const int *last)
{
	int found = e->shapes[node].level;

	for (int k = node + 1; k < e->g->nodes_count; k++)
		for (int j = 0; j < group_inputs(&e->g->nodes[k]); j++)
			if (e->g->nodes[k].in[j] == node)
				found = MAX(found, last[k] - (e->g->nodes[k].what == NODE_REDUCE));
	return found;
}

/* The last pass that looks at the value of each node along the row: what a node is computed from is
 * looked at in all passes that compute it, which for one that is kept, or one a row, is the first
 * only. */
static void find_uses(const emit *e, const bool *kept, int *used)
{
	int made[GROUP_NODES];

	for (int k = e->g->nodes_count; k--;) {
		used[k] = last_computed(e, k, made);
		made[k] = kept[k] || !is_chunk(e, k) ? e->shapes[k].level : used[k];
	}
}

/* An argument for the value: the one that it is stored to, or one that is written last of all.
 * `until` has, by argument, the pass that looks at it last. */
static int find_place(const emit *e, int node, const int *until)
{
	int place = -1;

	for (int k = 0; k < e->g->nodes_count; k++) {
		const group_node *n = &e->g->nodes[k];

		if (n->what != NODE_STORE || n->dtype != e->g->nodes[node].dtype ||
			e->g->args[n->at].access != ACCESS_RUN ||
			until[n->at] > e->shapes[node].level)
			continue;
		if (n->in[0] == node)
			return n->at;
		if (e->shapes[k].level == e->levels)
			place = n->at;
	}
	return place;
}

/* Nodes come in the order of their passes, so one that is done with makes room for the next. Gives
 * one for which there is no place; -1: none. */
static int find_places(emit *e, const bool *kept)
{
	int until[GROUP_ARGS] = { 0 }, used[GROUP_NODES];

	find_uses(e, kept, used);
	for (int pass = 0; pass < e->levels; pass++)
		for (int k = 0; k < e->g->nodes_count; k++) {
			if (!kept[k] || e->shapes[k].level != pass || used[k] == pass)
				continue;
			e->keep[k] = find_place(e, k, until);
			if (e->keep[k] < 0)
				return k;
			until[e->keep[k]] = used[k];
		}
	return -1;
}

/* What has no place is computed again, and what it is computed from is looked at longer. */
static void plan_rows(emit *e)
{
	bool kept[GROUP_NODES];
	int odd;

	for (int k = 0; k < e->g->nodes_count; k++)
		kept[k] = may_keep(e, k) && is_dear(e, k);
	while ((odd = find_places(e, kept)) >= 0) {
		kept[odd] = false;
		for (int k = 0; k < e->g->nodes_count; k++)
			e->keep[k] = -1;
	}
}

/* ---- GROUP_COLS ---- */

/* The argument that the value is stored to along the row as it is; -1: none. */
static int stored_to(const emit *e, int node)
{
	for (int k = node + 1; k < e->g->nodes_count; k++) {
		const group_node *n = &e->g->nodes[k];

		if (n->what == NODE_STORE && n->in[0] == node && n->dtype == e->g->nodes[node].dtype &&
			e->g->args[n->at].access == ACCESS_RUN && !e->g->args[n->at].fixed)
			return n->at;
	}
	return -1;
}

/* From the last one on: what is kept asks for nothing in later passes. */
static void plan_cols(emit *e)
{
	int last[GROUP_NODES];

	for (int k = e->g->nodes_count; k--;) {
		const group_shape *s = &e->shapes[k];

		last[k] = last_computed(e, k, last);
		if (!s->rows || !s->cols || last[k] == s->level || !is_dear(e, k))
			continue;
		e->keep[k] = stored_to(e, k);
		if (e->keep[k] >= 0)
			last[k] = s->level;
	}
}

void keep_plan(emit *e)
{
	for (int k = 0; k < e->g->nodes_count; k++)
		e->keep[k] = -1;
	if (e->g->mode == GROUP_COLS)
		plan_cols(e);
	else if (e->g->mode == GROUP_ROWS && !e->brief)
		plan_rows(e);
}
