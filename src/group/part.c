/* part.c: rows that are computed in pieces. */
#include "engine/reference.h"
#include "group/group.h"
#include "ir/tree.h"

bool group_splits(const group *g)
{
	group_shape shapes[GROUP_NODES];
	bool reduces = false;

	if (g->mode != GROUP_ROWS)
		return false;
	group_shapes(g, shapes);
	for (int k = 0; k < g->nodes_count; k++) {
		const group_node *n = &g->nodes[k];

		reduces = reduces || n->what == NODE_REDUCE;
		if (shapes[k].level > 1 || (n->what == NODE_STORE && shapes[k].cols &&
			shapes[k].level))
			return false;
	}
	return reduces;
}

static void combine(const group_node *n, const uint64_t *a, uint64_t *b)
{
	static const op ops[OP_CODES] = {
		[OP_sum] = OP_add, [OP_prod] = OP_mul, [OP_max] = OP_maximum, [OP_min] = OP_minimum,
		[OP_any] = OP_or, [OP_all] = OP_and,
	};
	const void *x[] = { a, b };

	reference_element(ops[n->op], (gt_dtype)n->dtype, (gt_dtype)n->dtype, b, x);
}

/* Step 4 of ir/tree.h with pieces for blocks: `from` has one every `step` numbers. The result is
 * that of all their blocks, because all pieces but the last are whole subtrees. */
static uint64_t join(const group_node *n, const uint64_t *from, int64_t pieces, int64_t step)
{
	uint64_t level[TREE_LEVELS], all;
	int k;

	for (int64_t at = 0; at < pieces; at++) {
		uint64_t one = from[at * step];

		for (k = 0; at >> k & 1; k++)
			combine(n, &level[k], &one);
		level[k] = one;
	}
	k = __builtin_ctzll((uint64_t)pieces);
	all = level[k];
	for (k++; k < TREE_LEVELS; k++)
		if (pieces >> k & 1)
			combine(n, &level[k], &all);
	return all;
}

void group_join(const group *g, uint64_t *results, int64_t pieces)
{
	int64_t count = 0, at = 0;

	for (int k = 0; k < g->nodes_count; k++)
		count += g->nodes[k].what == NODE_REDUCE;
	for (int k = 0; k < g->nodes_count; k++)
		if (g->nodes[k].what == NODE_REDUCE) {
			results[at] = join(&g->nodes[k], results + at, pieces, count);
			at++;
		}
}
