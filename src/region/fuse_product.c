/* fuse_product.c: kernels that run on the pieces of a product, while those are in the cache.
 *
 * A kernel that reads a product may become one step with it: each piece of the product
 * (engine/product.h) is followed by the kernel on just that piece, by the thread that has computed
 * it. The product's bits stay as they are. The product is then computed when the
 * kernel runs, later than it could be; it is no member of the kernel, which reads it from memory as
 * any other operand.
 *
 * If nobody else asks for the product, it lies in the memory of a result of the kernel, which takes
 * its place element by element. Otherwise it has memory of its own.
 */
#include "region/fuse_kernel.h"

#include "engine/product.h"
#include "region/fuse_cost.h"

static const fuse_value *value_of(const fuse_kernel *x, uint32_t v)
{
	return &x->g->f->values.at[v];
}

static bool is_product(const fuse_graph *g, uint32_t v)
{
	const fuse_node *n = &g->nodes[v];

	return n->class == CLASS_CALL && n->unit != FUSE_NONE && g->units.at[n->unit].call &&
		g->f->values.at[v].row->op == OP_matmul && fuse_bytes(&g->f->values.at[v]);
}

/* ---- may they? ---- */

/* Is there a user that the kernel on its pieces does not stand for? */
static bool is_used_outside(const fuse_kernel *x, uint32_t matmul, uint32_t before)
{
	const fuse_graph *g = x->g;
	const fuse_node *n = &g->nodes[matmul];

	for (uint32_t k = 0; k < n->users_count; k++) {
		const fuse_node *user = &g->nodes[g->users[n->users + k]];

		if (user->unit != x->units[0] && user->position < before)
			return true;
	}
	return false;
}

static fuse_why may_wait(const fuse_kernel *x, uint32_t matmul)
{
	const fuse_unit *u = &x->g->units.at[x->units[0]];

	if (u->origin > x->g->nodes[matmul].deadline)
		return WHY_LATE;
	if (u->origin - value_of(x, matmul)->op > FUSE_WAIT)
		return WHY_WAIT;
	return is_used_outside(x, matmul, u->last) ? WHY_BETWEEN : WHY_FUSED;
}

/* Element by element, in the product's order, as one operand: views of it would be others. */
static bool reads_in_order(const fuse_kernel *x, uint32_t matmul)
{
	uint32_t operands = 0;
	fuse_map all;

	fuse_map_identity(x->space, &all);
	for (uint32_t k = 0; k < x->args_count; k++) {
		if (x->args[k].out || x->g->nodes[x->args[k].value].root != matmul)
			continue;
		if (operands++ || x->args[k].picked || !fuse_map_equal(&x->args[k].map, &all))
			return false;
	}
	return x->space == meta_count(&value_of(x, matmul)->m);
}

/* Pieces of rows of some columns for single elements, of whole rows for what reduces along them, of
 * whole columns for what reduces down all of them. Only columns count: with the rows, which are the
 * batch, decisions would change from run to run. */
static fuse_why look_at_pieces(const fuse_kernel *x)
{
	const fuse_reduction *r = &x->reduction;
	bool good = true;

	if (r->mode == GROUP_ROWS)
		good = r->reduced == x->columns && x->columns < PRODUCT_WHOLE_ROWS;
	else if (r->mode == GROUP_COLS)
		good = r->kept == x->columns && !x->outer_count;
	return good ? WHY_FUSED : WHY_PIECES;
}

/* Rows follow one another in all operands: those of a piece are called as one, as long as pieces
 * have whole rows. Then short rows cost nothing. */
static bool is_flat(const fuse_kernel *x)
{
	for (uint32_t k = 0; k < x->args_count; k++)
		if ((x->col >= 0 && x->args[k].steps[x->col] != 1) ||
			(x->row >= 0 && x->args[k].steps[x->row] != x->columns))
			return false;
	return !x->reduction.mode && x->columns < PRODUCT_WHOLE_ROWS;
}

/* ---- become one ---- */

/* On success the unit is what x is. */
static fuse_why try(fuse_kernel *x, uint32_t unit, uint32_t matmul)
{
	fuse_unit *u = &x->g->units.at[unit];
	fuse_why why = may_wait(x, matmul);

	if (!why && !reads_in_order(x, matmul))
		why = WHY_SPACE;
	if (why)
		return why;
	u->product = matmul;
	why = fuse_kernel_of(x, unit);
	if (!why)
		why = look_at_pieces(x);
	if (!why && is_flat(x))
		x->cost = fuse_kernel_cost(x, true);
	if (!why && fuse_group_dear(x, u->cost + COST_LAUNCH))
		why = WHY_COST;
	if (why)
		u->product = FUSE_NONE;
	return why;
}

static void become_one(fuse_kernel *x, uint32_t unit, uint32_t matmul)
{
	fuse_graph *g = x->g;
	fuse_unit *u = &g->units.at[unit];
	fuse_node *n = &g->nodes[matmul];

	g->units.at[n->unit].alive = false;
	n->unit = unit;
	u->first = MIN(u->first, n->position);
	u->deadline = MIN(u->deadline, n->deadline);
	u->cost = x->cost;
}

/* Who reads the product in the kernel, and why not on its pieces. */
static void note(fuse_graph *g, uint32_t unit, uint32_t matmul, fuse_why why)
{
	for (uint32_t v = g->units.at[unit].members; v != FUSE_NONE; v = g->nodes[v].next) {
		const ins *row = g->f->values.at[v].row;

		for (unsigned k = 0; k < row->nin && k < COUNT(g->nodes[v].refused); k++)
			if (!ins_kind(row, k) && g->nodes[fuse_input_of(row, k)].root == matmul)
				g->nodes[v].refused[k] = (uint8_t)why;
	}
}

/* The products that the kernel reads, the latest first. */
static uint32_t list_products(const fuse_kernel *x, uint32_t *products)
{
	const fuse_node *nodes = x->g->nodes;
	uint32_t count = 0;

	for (uint32_t k = 0; k < x->args_count; k++) {
		const uint32_t v = nodes[x->args[k].value].root;
		uint32_t at = count;

		if (x->args[k].out || !is_product(x->g, v))
			continue;
		for (; at && nodes[products[at - 1]].position < nodes[v].position; at--)
			products[at] = products[at - 1];
		products[at] = v;
		count++;
	}
	return count;
}

/* Of several products the last one: the others are there already when it is computed. */
static void join(fuse_graph *g, uint32_t unit)
{
	fuse_kernel *x = g->trial;
	uint32_t products[GROUP_ARGS], count;
	fuse_why why = fuse_kernel_of(x, unit);

	assert(!why);
	count = list_products(x, products);
	for (uint32_t k = 0; k < count; k++) {
		why = try(x, unit, products[k]);
		note(g, unit, products[k], why);
		if (!why) {
			become_one(x, unit, products[k]);
			return;
		}
		(void)fuse_kernel_of(x, unit);
	}
}

void fuse_product_join(fuse_graph *g)
{
	for (uint32_t u = 0; u < g->units.count; u++)
		if (g->units.at[u].alive && !g->units.at[u].call)
			join(g, u);
}

/* ---- where the product lies ---- */

/* A tensor that outlives the step would keep the product's operands in memory. */
uint32_t fuse_product_place(const fuse_kernel *x, uint32_t matmul)
{
	const fuse_graph *g = x->g;
	const fuse_value *o = value_of(x, matmul);
	fuse_map all;

	fuse_map_identity(x->space, &all);
	if (x->reduction.mode || g->nodes[matmul].pin ||
		is_used_outside(x, matmul, UINT32_MAX) ||
		g->f->r->ops[o->op].freed > g->units.at[x->units[0]].origin)
		return matmul;
	for (uint32_t k = 0; k < x->args_count; k++) {
		const fuse_operand *a = &x->args[k];

		if (a->out && value_of(x, a->value)->m.dtype == o->m.dtype &&
			fuse_map_equal(&a->map, &all))
			return a->value;
	}
	return matmul;
}
