/* fuse_memory.c: where values lie and until when.
 *
 * A value in memory is needed until the last step that reads it has run, until its tensor and all
 * that show parts of it are freed, and until every value is freed that would have to be computed
 * from it anew, being nowhere itself. Only values whose end is seen in the region get a place in
 * the arena (fuse_arena.c).
 */
#include "region/fuse_graph.h"

/* ---- where ---- */

static void place_by_step(fuse_graph *g, uint32_t at)
{
	const fuse_step *s = &g->f->steps.at[at];
	const group *to;

	if (s->kind != STEP_KERNEL) {
		static const uint8_t where[] = { [STEP_PRODUCT] = FUSE_STORED,
			[STEP_ADD] = FUSE_STORED, [STEP_CALL] = FUSE_STORED, [STEP_VIEW] = FUSE_VIEW,
			[STEP_ALIAS] = FUSE_ALIAS };

		if (s->kind != STEP_PRODUCT || s->onto == s->value)
			fuse_value_at(g, s->value)->where = where[s->kind];
		fuse_value_at(g, s->value)->step = at;
	}
	if (s->kind > STEP_ADD)
		return;
	for (uint32_t k = 0; k < s->members_count; k++)
		fuse_value_at(g, g->f->members.at[s->members + k])->step = at;
	to = g->f->groups.at[s->group].g;
	for (unsigned k = 0; k < to->args_count; k++)
		if (to->args[k].out && g->f->args.at[s->args + k].value != FUSE_NONE)
			fuse_value_at(g, g->f->args.at[s->args + k].value)->where = FUSE_STORED;
}

static void find_places(fuse_graph *g)
{
	for (uint32_t v = 0; v < g->f->values.count; v++) {
		const fuse_node *n = &g->nodes[v];

		fuse_value_at(g, v)->where = n->class == CLASS_LIVE_IN ? FUSE_LIVE_IN :
			n->needed ? FUSE_FUSED : FUSE_DEAD;
	}
	for (uint32_t k = 0; k < g->f->steps.count; k++)
		place_by_step(g, k);
}

/* ---- until when ---- */

static void extend(fuse_graph *g, uint32_t v, uint32_t until)
{
	fuse_value *o = fuse_value_at(g, v);

	o->until = MAX(o->until, until);
}

static void extend_inputs(fuse_graph *g, const ins *i, uint32_t until)
{
	for (unsigned k = 0; k < i->nin; k++)
		if (!ins_kind(i, k))
			extend(g, fuse_input_of(i, k), until);
}

static void read_by_step(fuse_graph *g, const fuse_step *s)
{
	if (s->kind <= STEP_ADD) {
		const unsigned count = g->f->groups.at[s->group].g->args_count;

		for (unsigned k = 0; k < count; k++)
			if (g->f->args.at[s->args + k].value != FUSE_NONE)
				extend(g, g->f->args.at[s->args + k].value, s->launch);
	}
	if (s->kind != STEP_KERNEL)
		extend(g, s->value, s->launch);
	if (s->kind != STEP_KERNEL && s->kind <= STEP_CALL)
		extend_inputs(g, fuse_value_at(g, s->value)->row, s->launch);
}

/* In reverse order: what v is made of, or lies in, is needed as long as v. A composite may be
 * computed anew as one op, too: then from what the program gave it. */
static void pass_on(fuse_graph *g, uint32_t v)
{
	const fuse_value *o = fuse_value_at(g, v);

	if (fusion_visible(g->f, v))
		extend(g, v, g->f->r->ops[o->op].freed);
	if (o->where == FUSE_STORED)
		return;
	if (g->nodes[v].class == CLASS_SAME)
		extend(g, o->from, o->until);
	extend_inputs(g, o->row, o->until);
	if (o->composed && fusion_visible(g->f, v))
		extend_inputs(g, g->f->seen[o->op], o->until);
}

static void find_ends(fuse_graph *g)
{
	for (uint32_t k = 0; k < g->f->steps.count; k++)
		read_by_step(g, &g->f->steps.at[k]);
	for (uint32_t k = 0; k < g->f->checks.count; k++)
		extend(g, g->f->checks.at[k].value, g->f->checks.at[k].op);
	for (uint32_t at = g->f->order.count; at-- > 0;)
		pass_on(g, g->f->order.at[at]);
}

/* ---- how much ---- */

static void count_alive(int64_t *change, uint32_t n, uint32_t from, uint32_t until, uint64_t bytes)
{
	change[from] += (int64_t)bytes;
	change[MIN(until, n - 1) + 1] -= (int64_t)bytes;
}

static uint64_t largest_sum(const int64_t *change, uint32_t n)
{
	int64_t sum = 0, most = 0;

	for (uint32_t k = 0; k < n; k++) {
		sum += change[k];
		most = MAX(most, sum);
	}
	return (uint64_t)most;
}

/* The value whose memory op `at` of the unchanged region lies in; FUSE_NONE if a live-in's. */
static uint32_t eager_root(const fuse_graph *g, uint32_t at)
{
	const region *r = g->f->r;

	while (op_rows[r->ops[at].op].kind == KIND_VIEW) {
		const int32_t in = r->inputs[r->ops[at].first];

		if (in < 0)
			return FUSE_NONE;
		at = (uint32_t)in;
	}
	return at;
}

/* Every op's result from its own time until it and its views are freed. */
static uint64_t eager_bytes(const fuse_graph *g, int64_t *change)
{
	const fusion *f = g->f;
	uint32_t *until = mem_zero((f->ops + 1) * sizeof(*until));
	uint64_t most;

	memset(change, 0, (f->ops + 1) * sizeof(*change));
	for (uint32_t k = 0; k < f->ops; k++) {
		const uint32_t root = eager_root(g, k);

		if (root != FUSE_NONE)
			until[root] = MAX(until[root], f->r->ops[k].freed);
	}
	for (uint32_t k = 0; k < f->ops; k++)
		if (eager_root(g, k) == k)
			count_alive(change, f->ops, k, MAX(k, until[k]),
				fuse_bytes(fuse_value_at(g, k)));
	most = largest_sum(change, f->ops);
	mem_free(until);
	return most;
}

static void count_bytes(fuse_graph *g)
{
	fusion *f = g->f;
	int64_t *change = mem_zero((f->ops + 1) * sizeof(*change));

	for (uint32_t v = 0; v < f->values.count; v++) {
		const fuse_value *o = fuse_value_at(g, v);

		if (o->where == FUSE_STORED)
			count_alive(change, f->ops, f->steps.at[o->step].launch, o->until,
				fuse_bytes(o));
	}
	f->bytes_max = largest_sum(change, f->ops) + f->arena_size;
	f->eager_bytes_max = eager_bytes(g, change);
	mem_free(change);
}

void fuse_memory_plan(fuse_graph *g)
{
	find_places(g);
	find_ends(g);
	if (!g->in->alone)
		fuse_arena_fill(g);
	count_bytes(g);
}
