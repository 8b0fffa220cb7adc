/* fuse_memory.c: where values lie and until when.
 *
 * A value in memory is needed until the last step that reads it has run, until its tensor and all
 * that show parts of it are freed, and until every value is freed that would have to be computed
 * from it anew, being nowhere itself. Only values whose end is seen in the region get a place in
 * the arena; what ends in the next run has its place for itself, so that the next run, which begins
 * meanwhile, finds everything where it expects it.
 */
#include "region/fuse_graph.h"

#include <stdlib.h>

#define ARENA_LINE 64

static fuse_value *value_of(const fuse_graph *g, uint32_t v)
{
	return &g->f->values.at[v];
}

static uint64_t bytes_of(const fuse_value *o)
{
	return (uint64_t)meta_count(&o->m) * dtype_size((gt_dtype)o->m.dtype);
}

/* ---- where ---- */

static void place_by_step(fuse_graph *g, uint32_t at)
{
	const fuse_step *s = &g->f->steps.at[at];
	const fuse_arg *args = g->f->args.at + s->args;
	const group *to;

	if (s->kind != STEP_KERNEL) {
		static const uint8_t where[] = { [STEP_CALL] = FUSE_STORED,
			[STEP_VIEW] = FUSE_VIEW, [STEP_ALIAS] = FUSE_ALIAS };

		value_of(g, s->value)->where = where[s->kind];
		value_of(g, s->value)->step = at;
		return;
	}
	for (uint32_t k = 0; k < s->members_count; k++)
		value_of(g, g->f->members.at[s->members + k])->step = at;
	to = g->f->groups.at[s->group].g;
	for (unsigned k = 0; k < to->args_count; k++)
		if (to->args[k].out)
			value_of(g, args[k].value)->where = FUSE_STORED;
}

static void find_places(fuse_graph *g)
{
	for (uint32_t v = 0; v < g->f->values.count; v++) {
		const fuse_node *n = &g->nodes[v];

		value_of(g, v)->where = n->class == CLASS_LIVE_IN ? FUSE_LIVE_IN :
			n->needed ? FUSE_FUSED : FUSE_DEAD;
	}
	for (uint32_t k = 0; k < g->f->steps.count; k++)
		place_by_step(g, k);
}

/* ---- until when ---- */

static void extend(fuse_graph *g, uint32_t v, uint32_t until)
{
	fuse_value *o = value_of(g, v);

	o->until = MAX(o->until, until);
}

static void read_by_step(fuse_graph *g, const fuse_step *s)
{
	const ins *row;

	if (s->kind == STEP_KERNEL) {
		const unsigned count = g->f->groups.at[s->group].g->args_count;

		for (unsigned k = 0; k < count; k++)
			extend(g, g->f->args.at[s->args + k].value, s->launch);
		return;
	}
	extend(g, s->value, s->launch);
	row = value_of(g, s->value)->row;
	for (unsigned k = 0; k < row->nin && s->kind == STEP_CALL; k++)
		if (!ins_kind(row, k))
			extend(g, fuse_input_of(row, k), s->launch);
}

/* In reverse order: what v is made of, or lies in, is needed as long as v. */
static void pass_on(fuse_graph *g, uint32_t v)
{
	const fuse_value *o = value_of(g, v);

	if (fusion_visible(g->f, v))
		extend(g, v, g->f->r->ops[o->op].freed);
	if (o->where == FUSE_STORED)
		return;
	if (g->nodes[v].class == CLASS_SAME)
		extend(g, o->from, o->until);
	for (unsigned k = 0; k < o->row->nin; k++)
		if (!ins_kind(o->row, k))
			extend(g, fuse_input_of(o->row, k), o->until);
}

static void find_ends(fuse_graph *g)
{
	for (uint32_t k = 0; k < g->f->steps.count; k++)
		read_by_step(g, &g->f->steps.at[k]);
	for (uint32_t at = g->f->order.count; at-- > 0;)
		pass_on(g, g->f->order.at[at]);
}

/* ---- the arena ---- */

/* Places are dealt out from the largest value to the smallest: each takes the lowest place at which
 * nobody lies at one of its times. That looks at all pairs, so of many values, which are then
 * mostly small ones of many equal layers, only the largest PACKED are dealt out in this way; the
 * others follow in order of their birth, in the gaps that the dead leave behind the end. */
#define PACKED 1024

typedef struct place { uint32_t value, birth, until; uint64_t at, size; } place;
typedef struct gap { uint64_t at, size; } gap;

typedef struct places {
	fuse_graph *g;
	FUSE_LIST(place) all;            /* by birth */
	FUSE_LIST(gap) gaps;             /* by address, never neighbours */
	uint64_t end;
	uint32_t *first_ending;          /* per time: list of what ends then, of `all` */
	uint32_t *next_ending;
} places;

static bool may_be_placed(const fuse_graph *g, uint32_t v, uint32_t birth)
{
	const fuse_value *o = value_of(g, v);

	return o->where == FUSE_STORED && !g->nodes[v].pin && o->until != REGION_NEVER &&
		bytes_of(o) && (uint64_t)o->until < (uint64_t)g->f->ops + birth;
}

static void list_value(places *p, uint32_t v, uint32_t birth)
{
	const fuse_value *o = value_of(p->g, v);

	if (may_be_placed(p->g, v, birth))
		FUSE_PUSH(&p->all, ((place){ v, birth, o->until, UINT64_MAX,
			ALIGN_UP(bytes_of(o), (uint64_t)ARENA_LINE) }));
}

static void list_places(places *p)
{
	const fusion *f = p->g->f;

	for (uint32_t k = 0; k < f->steps.count; k++) {
		const fuse_step *s = &f->steps.at[k];

		if (s->kind == STEP_CALL)
			list_value(p, s->value, s->launch);
		for (uint32_t m = 0; s->kind == STEP_KERNEL && m < s->members_count; m++)
			list_value(p, f->members.at[s->members + m], s->launch);
	}
}

/* ---- from the largest to the smallest ---- */

/* Times go in a circle: what ends in the next run is there at this one's beginning. */
static bool meet(const places *p, const place *a, const place *b)
{
	const uint32_t n = p->g->f->ops;
	const uint32_t from_a = (b->birth + n - a->birth) % n;
	const uint32_t from_b = (a->birth + n - b->birth) % n;

	return from_a <= a->until - a->birth || from_b <= b->until - b->birth;
}

static int compare_sizes(const void *a, const void *b)
{
	const place *x = *(place *const *)a, *y = *(place *const *)b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return x->birth != y->birth ? (x->birth < y->birth ? -1 : 1) :
		x->value < y->value ? -1 : 1;
}

/* placed[0 .. count - 1] are by address; x is inserted. */
static void pack(const places *p, place **placed, uint32_t count, place *x)
{
	uint64_t at = 0;
	uint32_t k;

	for (k = 0; k < count && placed[k]->at < at + x->size; k++)
		if (meet(p, placed[k], x))
			at = MAX(at, placed[k]->at + placed[k]->size);
	x->at = at;
	for (k = count; k && placed[k - 1]->at > at; k--)
		placed[k] = placed[k - 1];
	placed[k] = x;
}

/* The largest ones, and all that end in the next run. */
static void pack_largest(places *p)
{
	place **by_size = mem_alloc((p->all.count + 1) * sizeof(*by_size));
	place **placed = mem_alloc((p->all.count + 1) * sizeof(*placed));
	uint32_t count = 0;

	for (uint32_t k = 0; k < p->all.count; k++)
		by_size[k] = &p->all.at[k];
	qsort(by_size, p->all.count, sizeof(*by_size), compare_sizes);
	for (uint32_t k = 0; k < p->all.count; k++) {
		place *x = by_size[k];

		if (k >= PACKED && x->until < p->g->f->ops)
			continue;
		pack(p, placed, count++, x);
		p->end = MAX(p->end, x->at + x->size);
	}
	mem_free(by_size);
	mem_free(placed);
}

/* ---- by birth ---- */

static void insert_gap(places *p, uint32_t k, gap x)
{
	FUSE_PUSH(&p->gaps, x);
	memmove(p->gaps.at + k + 1, p->gaps.at + k, (p->gaps.count - 1 - k) * sizeof(gap));
	p->gaps.at[k] = x;
}

static void remove_gap(places *p, uint32_t k)
{
	p->gaps.count--;
	memmove(p->gaps.at + k, p->gaps.at + k + 1, (p->gaps.count - k) * sizeof(gap));
}

static void give_back(places *p, uint64_t at, uint64_t size)
{
	uint32_t low = 0, high = p->gaps.count;

	while (low < high) {
		const uint32_t middle = (low + high) / 2;

		if (p->gaps.at[middle].at < at)
			low = middle + 1;
		else
			high = middle;
	}
	insert_gap(p, low, (gap){ at, size });
	if (low + 1 < p->gaps.count && at + size == p->gaps.at[low + 1].at) {
		p->gaps.at[low].size += p->gaps.at[low + 1].size;
		remove_gap(p, low + 1);
	}
	if (low && p->gaps.at[low - 1].at + p->gaps.at[low - 1].size == at) {
		p->gaps.at[low - 1].size += p->gaps.at[low].size;
		remove_gap(p, low);
	}
}

/* The smallest gap that is large enough, else the end. */
static uint64_t take_gap(places *p, uint64_t size)
{
	uint32_t best = FUSE_NONE;
	uint64_t at = p->end;

	for (uint32_t k = 0; k < p->gaps.count; k++)
		if (p->gaps.at[k].size >= size &&
			(best == FUSE_NONE || p->gaps.at[k].size < p->gaps.at[best].size))
			best = k;
	if (best == FUSE_NONE) {
		p->end += size;
		return at;
	}
	at = p->gaps.at[best].at;
	p->gaps.at[best].at += size;
	p->gaps.at[best].size -= size;
	if (!p->gaps.at[best].size)
		remove_gap(p, best);
	return at;
}

static void fill_by_birth(places *p)
{
	const uint32_t n = p->g->f->ops;
	uint32_t time = 0;

	p->first_ending = mem_alloc((n + 1) * sizeof(uint32_t));
	p->next_ending = mem_alloc((p->all.count + 1) * sizeof(uint32_t));
	memset(p->first_ending, 0xff, (n + 1) * sizeof(uint32_t));
	for (uint32_t k = 0; k < p->all.count; k++) {
		place *x = &p->all.at[k];

		for (; time < x->birth; time++)
			for (uint32_t d = p->first_ending[time]; d != FUSE_NONE;
				d = p->next_ending[d])
				give_back(p, p->all.at[d].at, p->all.at[d].size);
		if (x->at != UINT64_MAX)
			continue;
		x->at = take_gap(p, x->size);
		p->next_ending[k] = p->first_ending[x->until];
		p->first_ending[x->until] = k;
	}
	mem_free(p->first_ending);
	mem_free(p->next_ending);
}

static void fill_arena(fuse_graph *g)
{
	places p = { .g = g };

	list_places(&p);
	pack_largest(&p);
	fill_by_birth(&p);
	for (uint32_t k = 0; k < p.all.count; k++) {
		value_of(g, p.all.at[k].value)->where = FUSE_ARENA;
		value_of(g, p.all.at[k].value)->at = p.all.at[k].at;
	}
	g->f->arena_size = p.end;
	mem_free(p.all.at);
	mem_free(p.gaps.at);
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
				bytes_of(value_of(g, k)));
	most = largest_sum(change, f->ops);
	mem_free(until);
	return most;
}

static void count_bytes(fuse_graph *g)
{
	fusion *f = g->f;
	int64_t *change = mem_zero((f->ops + 1) * sizeof(*change));

	for (uint32_t v = 0; v < f->values.count; v++) {
		const fuse_value *o = value_of(g, v);

		if (o->where == FUSE_STORED)
			count_alive(change, f->ops, f->steps.at[o->step].launch, o->until,
				bytes_of(o));
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
		fill_arena(g);
	count_bytes(g);
}
