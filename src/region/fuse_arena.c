/* fuse_arena.c: places in the arena for values whose end is known.
 *
 * Times go in a circle: what ends in the next run lies there when that run begins, so the next run
 * finds everything where it expects it.
 */
#include "region/fuse_graph.h"

#include <stdlib.h>

#define ARENA_LINE 64

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
	const fuse_value *o = fuse_value_at(g, v);

	return o->where == FUSE_STORED && !g->nodes[v].pin && o->until != REGION_NEVER &&
		fuse_bytes(o) && (uint64_t)o->until < (uint64_t)g->f->ops + birth;
}

static void list_value(places *p, uint32_t v, uint32_t birth)
{
	const fuse_value *o = fuse_value_at(p->g, v);

	if (may_be_placed(p->g, v, birth))
		FUSE_PUSH(&p->all, ((place){ v, birth, o->until, UINT64_MAX,
			ALIGN_UP(fuse_bytes(o), (uint64_t)ARENA_LINE) }));
}

static void list_places(places *p)
{
	const fusion *f = p->g->f;

	for (uint32_t k = 0; k < f->steps.count; k++) {
		const fuse_step *s = &f->steps.at[k];

		if (s->kind != STEP_KERNEL && s->kind <= STEP_CALL)
			list_value(p, s->value, s->launch);
		for (uint32_t m = 0; s->kind <= STEP_ADD && m < s->members_count; m++)
			list_value(p, f->members.at[s->members + m], s->launch);
	}
}

/* ---- from the largest to the smallest ---- */

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

void fuse_arena_fill(fuse_graph *g)
{
	places p = { .g = g };

	list_places(&p);
	pack_largest(&p);
	fill_by_birth(&p);
	for (uint32_t k = 0; k < p.all.count; k++) {
		fuse_value_at(g, p.all.at[k].value)->where = FUSE_ARENA;
		fuse_value_at(g, p.all.at[k].value)->at = p.all.at[k].at;
	}
	g->f->arena_size = p.end;
	mem_free(p.all.at);
	mem_free(p.gaps.at);
}
