/* fuse_group.c: which ops become one kernel.
 *
 * In the order of the region each op begins as a kernel of its own and then tries to become one
 * with the kernels that make its inputs. That is done if the two fit into one space and into the
 * limits, if nobody waits for it, and if it is cheaper (fuse_cost.h). Kernels grow along the wires
 * only: two that merely read the same stay two.
 *
 * Nobody waits: a kernel runs behind its last op, so whoever needs a result of it must come behind
 * that op. Then steps never run later than the last op that they are made of, kernels are convex,
 * and there are no cycles.
 *
 * Each attempt looks at the members of two kernels, at most FUSE_MEMBERS, so the whole takes time
 * in proportion to the region.
 */
#include "region/fuse_kernel.h"

#include "region/fuse_cost.h"

static fuse_unit *unit_at(const fuse_graph *g, uint32_t u)
{
	return &g->units.at[u];
}

static const ins *row_of(const fuse_graph *g, uint32_t v)
{
	return g->f->values.at[v].row;
}

/* The unit that makes input k of v; FUSE_NONE if none does. */
static uint32_t maker(const fuse_graph *g, uint32_t v, unsigned k)
{
	const ins *row = row_of(g, v);

	if (ins_kind(row, k))
		return FUSE_NONE;
	return g->nodes[g->nodes[fuse_input_of(row, k)].root].unit;
}

/* ---- an attempt ---- */

static fuse_why agree_on_mode(const fuse_unit *a, const fuse_unit *b, fuse_reduction *r)
{
	*r = a->reduction.mode ? a->reduction : b->reduction;
	if (a->reduction.mode && b->reduction.mode &&
		(a->reduction.mode != b->reduction.mode ||
		a->reduction.reduced != b->reduction.reduced ||
		a->reduction.kept != b->reduction.kept))
		return WHY_MODE;
	return WHY_FUSED;
}

/* Both units' members, by position. */
static void list_members(fuse_kernel *x)
{
	const fuse_graph *g = x->g;
	uint32_t a = unit_at(g, x->units[0])->members, b = unit_at(g, x->units[1])->members;

	x->count = 0;
	while (a != FUSE_NONE || b != FUSE_NONE) {
		uint32_t *next = b == FUSE_NONE || (a != FUSE_NONE &&
			g->nodes[a].position < g->nodes[b].position) ? &a : &b;

		x->members[x->count++] = *next;
		*next = g->nodes[*next].next;
	}
}

/* From a larger space to that of one of the units: all of its members' maps begin with it. */
static bool embed(fuse_kernel *x, uint32_t unit, const fuse_map *by)
{
	for (uint32_t s = 0; s < x->count; s++) {
		const fuse_node *n = &x->g->nodes[x->members[s]];

		if (n->unit == unit && (!fuse_map_compose(&n->map, by, &x->maps[s]) ||
			!fuse_map_repeats(&x->maps[s])))
			return false;
	}
	return true;
}

/* Put the smaller one of two spaces into the larger one. `wire` goes from the space of the unit
 * that reads to the value at hand, `made` from the space of the one that makes it. */
static fuse_why find_space(fuse_kernel *x, const fuse_map *wire, const fuse_map *made)
{
	const fuse_unit *maker = unit_at(x->g, x->units[0]), *user = unit_at(x->g, x->units[1]);
	fuse_map makes, uses;
	bool fits;

	fuse_map_identity(maker->space, &makes);
	fuse_map_identity(user->space, &uses);
	x->space = MAX(maker->space, user->space);
	if (maker->space < user->space) {
		if (maker->reduction.mode || !fuse_map_equal(made, &makes))
			return WHY_SPACE;
		fits = embed(x, x->units[0], wire) && embed(x, x->units[1], &uses);
	} else if (maker->space > user->space) {
		if (user->reduction.mode || !fuse_map_equal(wire, &uses))
			return WHY_SPACE;
		fits = embed(x, x->units[0], &makes) && embed(x, x->units[1], made);
	} else {
		fits = embed(x, x->units[0], &makes) && embed(x, x->units[1], &uses);
	}
	return fits ? WHY_FUSED : WHY_SPACE;
}

/* Does somebody outside need a member before the last one has come? */
static bool keeps_waiting(const fuse_kernel *x, uint32_t last)
{
	const fuse_graph *g = x->g;

	for (uint32_t s = 0; s < x->count; s++) {
		const fuse_node *n = &g->nodes[x->members[s]];

		for (uint32_t k = 0; k < n->users_count; k++) {
			const fuse_node *user = &g->nodes[g->users[n->users + k]];

			if (user->position < last && user->unit != x->units[0] &&
				user->unit != x->units[1])
				return true;
		}
	}
	return false;
}

bool fuse_group_dear(const fuse_kernel *x, uint64_t two)
{
	switch (x->g->in->taste) {
	case FUSE_FEWEST:
		return false;
	case FUSE_CAREFUL:
		return x->cost >= two;
	default:
		return x->cost > COST_SLACK(two);
	}
}

/* A bias gradient and the update that it is for: the sum would be computed when the optimiser runs,
 * and what it is the sum of, large and no longer in the cache, be kept until then. */
static bool waits_long(const fuse_graph *g, const fuse_unit *a, const fuse_unit *b, uint32_t made)
{
	return b->origin > a->origin + FUSE_WAIT && a->reduction.mode &&
		meta_count(&g->f->values.at[made].m) < a->space;
}

/* Can the unit that makes input k of v, a member of `to`, be one with it? Then x is that kernel. */
static fuse_why try(fuse_kernel *x, uint32_t v, unsigned k, uint32_t from, uint32_t to)
{
	fuse_graph *g = x->g;
	const fuse_unit *a = unit_at(g, from), *b = unit_at(g, to);
	const uint32_t made = g->nodes[fuse_input_of(row_of(g, v), k)].root;
	fuse_map wire;
	fuse_why why;

	if (a->call || b->call)
		return WHY_CALL;
	if (g->nodes[v].class == CLASS_PLACED)
		return WHY_PICKED;
	if (MAX(a->origin, b->origin) > MIN(a->deadline, b->deadline))
		return WHY_LATE;
	if (waits_long(g, a, b, made))
		return WHY_WAIT;
	if (a->count + b->count > FUSE_MEMBERS)
		return WHY_LIMIT;
	if ((why = agree_on_mode(a, b, &x->reduction)))
		return why;
	if (!fuse_kernel_wire(g, v, k, b->space, &wire))
		return WHY_VIEW;
	x->units[0] = from;
	x->units[1] = to;
	list_members(x);
	if (keeps_waiting(x, MAX(a->last, b->last)))
		return WHY_BETWEEN;
	if ((why = find_space(x, &wire, &g->nodes[made].map)) || (why = fuse_kernel_lay_out(x)))
		return why;
	return fuse_group_dear(x, a->cost + b->cost) ? WHY_COST : WHY_FUSED;
}

/* Make unit `to` the kernel x. */
static void merge(fuse_kernel *x, uint32_t from, uint32_t to)
{
	fuse_graph *g = x->g;
	fuse_unit *a = unit_at(g, from), *b = unit_at(g, to);

	a->alive = false;
	*b = (fuse_unit){ .alive = true, .reduction = x->reduction, .count = x->count,
		.first = MIN(a->first, b->first), .last = MAX(a->last, b->last),
		.origin = MAX(a->origin, b->origin), .deadline = MIN(a->deadline, b->deadline),
		.members = x->members[0], .space = x->space, .cost = x->cost,
		.product = FUSE_NONE, .adds = FUSE_NONE };
	for (uint32_t s = 0; s < x->count; s++) {
		fuse_node *n = &g->nodes[x->members[s]];

		n->unit = to;
		n->map = x->maps[s];
		n->next = s + 1 < x->count ? x->members[s + 1] : FUSE_NONE;
	}
}

/* ---- the order of attempts ---- */

static bool is_kernel_material(const fuse_graph *g, uint32_t v)
{
	const fuse_class class = (fuse_class)g->nodes[v].class;

	return !g->in->alone && (class == CLASS_COPY || class == CLASS_ELEMENT ||
		class == CLASS_REDUCE || class == CLASS_PLACED);
}

/* A unit of v alone. */
static uint32_t begin(fuse_graph *g, uint32_t v)
{
	const fuse_value *o = &g->f->values.at[v];
	fuse_node *n = &g->nodes[v];
	fuse_unit u = { .alive = true, .call = !is_kernel_material(g, v), .first = n->position,
		.last = n->position, .origin = o->op, .deadline = n->deadline, .members = v,
		.count = 1, .product = FUSE_NONE, .adds = FUSE_NONE };
	const meta *in = o->row->nin && !ins_kind(o->row, 0) ?
		&g->f->values.at[fuse_input_of(o->row, 0)].m : NULL;

	n->unit = g->units.count;
	if (!u.call && n->class == CLASS_REDUCE) {
		u.space = meta_count(in);
		u.reduction = fuse_reduction_of(in, o->row->attr.axes);
		fuse_map_reduce(in, o->row->attr.axes, &n->map);
	} else if (!u.call) {
		u.space = meta_count(&o->m);
		fuse_map_identity(u.space, &n->map);
	}
	FUSE_PUSH(&g->units, u);
	if (u.call)
		return n->unit;
	if (fuse_kernel_of(g->trial, n->unit))
		unit_at(g, n->unit)->call = true;
	unit_at(g, n->unit)->cost = g->trial->cost;
	return n->unit;
}

static void group_op(fuse_graph *g, uint32_t v)
{
	const uint32_t own = begin(g, v);
	fuse_node *n = &g->nodes[v];

	for (unsigned k = 0; k < row_of(g, v)->nin && k < COUNT(n->refused); k++) {
		const uint32_t from = maker(g, v, k);
		fuse_why why;

		if (from == FUSE_NONE || from == own)
			continue;
		why = try(g->trial, v, k, from, own);
		n->refused[k] = (uint8_t)why;
		if (!why)
			merge(g->trial, from, own);
	}
}

/* ---- what comes of it ---- */

static bool takes_full(const fuse_graph *g, uint32_t v)
{
	const ins *row = row_of(g, v);

	for (unsigned k = 0; k < row->nin; k++)
		if (!ins_kind(row, k) &&
			g->nodes[g->nodes[fuse_input_of(row, k)].root].class == CLASS_FULL)
			return true;
	return false;
}

/* The eager kernel of a single op is as good and is there already; but a tensor of one value,
 * which a kernel does without, would have to be made for it. */
static void call_single(fuse_graph *g)
{
	for (uint32_t k = 0; k < g->units.count; k++) {
		fuse_unit *u = unit_at(g, k);

		if (u->alive && u->count == 1 && u->product == FUSE_NONE &&
			u->adds == FUSE_NONE && !takes_full(g, u->members))
			u->call = true;
	}
}

/* A composite of which a part is a call would be worse than its own kernel. Numbers of columns are
 * no such part, nor is a cat of less. */
static bool keep_whole(fuse_graph *g)
{
	const fusion *f = g->f;
	bool good = true;

	for (uint32_t at = 0; at < f->order.count; at++) {
		const fuse_value *o = &f->values.at[f->order.at[at]];
		const uint32_t unit = g->nodes[f->order.at[at]].unit;

		if (!o->composed || unit == FUSE_NONE || !unit_at(g, unit)->call ||
			op_rows[o->row->op].kind == KIND_CREATE || o->row->op == OP_cat)
			continue;
		g->whole[o->op] = true;
		good = false;
	}
	return good;
}

static bool called_with(const fuse_graph *g, const fuse_node *n)
{
	for (uint32_t k = 0; k < n->users_count; k++) {
		const uint32_t user = g->users[n->users + k];
		const fuse_unit *u = unit_at(g, g->nodes[user].unit);

		if (u->call || u->product == user)
			return true;
	}
	return false;
}

/* Tensors of one value that somebody wants in memory. */
static void make_fulls(fuse_graph *g)
{
	for (uint32_t at = 0; at < g->f->order.count; at++) {
		const uint32_t v = g->f->order.at[at];
		const fuse_node *n = &g->nodes[v];

		if (n->class == CLASS_FULL && n->needed && (n->pin || called_with(g, n)))
			begin(g, v);
	}
}

bool fuse_group_make(fuse_graph *g)
{
	g->trial = mem_zero(sizeof(*g->trial));
	g->trial->g = g;
	for (uint32_t at = 0; at < g->f->order.count; at++) {
		const uint32_t v = g->f->order.at[at];

		if (g->nodes[v].needed && fuse_computed(&g->nodes[v]))
			group_op(g, v);
	}
	fuse_product_join(g);
	fuse_add_join(g);
	call_single(g);
	if (!keep_whole(g))
		return false;
	make_fulls(g);
	return true;
}
