/* graphs.c: the forwarding table and which graphs have a track. */
#include "hotpath/graphs.h"

#include "base/mem.h"

#define WORTH_A_TRACK 32u        /* ops that a graph must have had */

void graphs_start(graphs *g, tokens *t, uint64_t threshold, uint64_t min_seq, uint64_t window)
{
	memset(g, 0, sizeof(*g));
	for (uint32_t i = 0; i < t->capacity; i++)
		t->slots[i].graph = 0;   /* numbers of the last time mean nothing any more */
	g->into = mem_alloc(GRAPHS_MAX * sizeof(*g->into));
	g->ops = mem_alloc(GRAPHS_MAX * sizeof(*g->ops));
	g->count = 1;
	g->into[0] = 0;
	g->threshold = threshold;
	g->min_seq = min_seq;
	g->window = window;
	g->on = true;
}

void graphs_stop(graphs *g)
{
	if (!g->on)
		return;
	for (unsigned k = 0; k < GRAPHS_TRACKS; k++)
		if (g->owner[k])
			track_fini(&g->tracks[k]);
	mem_free(g->into);
	mem_free(g->ops);
	memset(g, 0, sizeof(*g));
}

static uint32_t root(graphs *g, uint32_t a)
{
	while (g->into[a] != a)
		a = g->into[a] = g->into[g->into[a]];
	return a;
}

/* New numbers on the way: of roots, 0 where they have none yet. */
typedef struct renumbering {
	uint32_t *number, *ops, count;
} renumbering;

static void renumber(graphs *g, renumbering *n, uint32_t *at)
{
	const uint32_t r = *at ? root(g, *at) : 0;

	if (r && !n->number[r] && n->count < GRAPHS_MAX / 2) {
		n->ops[n->count] = g->ops[r];
		n->number[r] = n->count++;
	}
	*at = n->number[r];
}

/* All numbers in use are roots again, as few as possible; tracks, which come first, keep their
 * graphs. */
static void compact(graphs *g, tokens *t)
{
	renumbering n = { mem_zero(GRAPHS_MAX * sizeof(*n.number)),
		mem_alloc(GRAPHS_MAX * sizeof(*n.ops)), 1 };

	for (unsigned k = 0; k < GRAPHS_TRACKS; k++)
		renumber(g, &n, &g->owner[k]);
	for (uint32_t i = 0; i < t->capacity; i++)
		if (t->slots[i].id)
			renumber(g, &n, &t->slots[i].graph);
	for (uint32_t k = 0; k < n.count; k++)
		g->into[k] = k;
	mem_free(g->ops);
	mem_free(n.number);
	g->ops = n.ops;
	g->count = n.count;
}

static void drop_track(graphs *g, uint32_t r)
{
	for (unsigned k = 0; k < GRAPHS_TRACKS; k++)
		if (g->owner[k] == r) {
			if (g->lost)
				g->lost(g->lost_ctx, &g->tracks[k]);
			track_fini(&g->tracks[k]);
			g->owner[k] = 0;
		}
}

/* The larger graph swallows the smaller one, whose track has seen only a part. */
static uint32_t join(graphs *g, uint32_t a, uint32_t b)
{
	if (g->ops[a] < g->ops[b])
		return join(g, b, a);
	g->into[b] = a;
	g->ops[a] += g->ops[b];
	drop_track(g, b);
	return a;
}

static uint32_t begin_graph(graphs *g)
{
	g->into[g->count] = g->count;
	g->ops[g->count] = 0;
	return g->count++;
}

/* The graph of a value, 0 for leaves; one that was made before graphs were looked at begins one. */
static uint32_t graph_of(graphs *g, tokens *t, uint64_t id)
{
	sig *s = tokens_find(t, id);

	if (!s || s->leaf)
		return 0;
	if (!s->graph)
		s->graph = begin_graph(g);
	return root(g, s->graph);
}

/* The graph that the inputs join, 0 if all of them are leaves. */
static uint32_t join_inputs(graphs *g, tokens *t, const record *r)
{
	uint32_t all = 0;

	for (unsigned k = 0; k < r->nin; k++) {
		const uint32_t one = record_scalar(r, k) ? 0 : graph_of(g, t, r->in[k]);

		if (one)
			all = all && all != one ? join(g, all, one) : one;
	}
	return all;
}

static track *track_of(graphs *g, uint32_t r)
{
	for (unsigned k = 0; k < GRAPHS_TRACKS; k++)
		if (g->owner[k] == r)
			return &g->tracks[k];
	/* One that is nearly the whole stream would find what is found there. */
	if (g->ops[r] < WORTH_A_TRACK || g->ops[r] * UINT64_C(10) > g->total * 9)
		return NULL;
	for (unsigned k = 0; k < GRAPHS_TRACKS; k++)
		if (!g->owner[k]) {
			track_init(&g->tracks[k], g->threshold, g->min_seq, g->window);
			g->owner[k] = r;
			return &g->tracks[k];
		}
	return NULL;
}

track *graphs_route(graphs *g, tokens *t, const record *r, sig *made)
{
	uint32_t all;

	g->total++;
	if (made->leaf)
		return NULL;
	/* Room for a number an input and one more: compaction comes before, never in between. */
	if (g->count + r->nin + 1 > GRAPHS_MAX)
		compact(g, t);
	all = join_inputs(g, t, r);
	if (!all)
		all = begin_graph(g);
	made->graph = all;
	g->ops[all]++;
	return track_of(g, all);
}
