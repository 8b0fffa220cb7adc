/* hot_stats.c: what is known of hot paths, for statistics. */
#include "worker/hot.h"

#include <stdlib.h>

static uint64_t load(counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

static int by_runs(const void *a, const void *b)
{
	const miner_loop *x = a, *y = b;
	const uint64_t left = x->runs * x->n, right = y->runs * y->n;

	return left != right ? (left < right) - (left > right) :
		(x->signature > y->signature) - (x->signature < y->signature);
}

/* The loops that took most ops, in front; `to` has room for twice as many. */
static void add_top(hot *h, hot_stats *to)
{
	miner_loop all[HOT_TOP + HOT_LOOPS_MAX];
	const size_t kept = to->top_count;
	size_t n;

	memcpy(all, to->top, kept * sizeof *all);
	n = kept + miner_loops(h->miner, all + kept, HOT_LOOPS_MAX);
	qsort(all, n, sizeof *all, by_runs);
	to->top_count = (unsigned)MIN(n, (size_t)HOT_TOP);
	memcpy(to->top, all, to->top_count * sizeof *all);
}

static void add_compilation(hot *h, hot_stats *to)
{
	hot_counts *c = &h->counts;

	to->compiled += load(&c->compiled);
	to->followed += load(&c->followed);
	to->left += load(&c->left);
	to->reused += load(&c->reused);
	to->hits += load(&c->hits);
	to->loaded += load(&c->loaded);
	to->compiles += load(&c->compiles);
	to->failures += load(&c->failures);
	to->recompiles += load(&c->recompiles);
	to->compile_ns += load(&c->compile_ns);
	to->kernels += load(&c->kernels);
	to->launches_saved += load(&c->launches_saved);
	to->bytes_saved += load(&c->bytes_saved);
	to->fused_demotions += load(&c->fused_demotions);
	to->fused_blacklisted += load(&c->fused_blacklisted);
}

void hot_add_stats(hot *h, hot_stats *to)
{
	miner_stats m;

	miner_stats_of(h->miner, &m);
	to->batches += m.runs;
	to->hot_batches += m.hot_runs;
	to->patterns += m.loops;
	to->hot_paths += m.hot_loops;
	to->ops += load(&h->counts.ops);
	to->replayed += load(&h->counts.replayed);
	to->leapt += load(&h->counts.leapt);
	to->matches += load(&h->counts.runs);
	to->passengers += load(&h->counts.passengers);
	to->exits += load(&h->counts.exits);
	to->sides += load(&h->counts.sides);
	to->demotions += load(&h->counts.demotions);
	to->blacklisted += load(&h->counts.blacklisted);
	add_compilation(h, to);
	add_top(h, to);
}

void hot_catch_up(hot *h, hot_stats *to)
{
	hot_mine_all(h);
	pthread_mutex_lock(&h->mining);
	hot_add_stats(h, to);
	pthread_mutex_unlock(&h->mining);
}
