/* hot_explain.c: everything that is known of a tenant's hot paths, in words. */
#include "worker/hot.h"

#include <inttypes.h>
#include "hotpath/region.h"

#define FREEZE_NS  UINT64_C(1000000000)
#define LINES_MOST 256u          /* ops of a region that are listed */

/* Of a plan: does it run? */
static void put_verdict(const hot *h, const hot_run *r, buf *to)
{
	if (r->verdict == HOT_BLACKLISTED)
		buf_printf(to, "not replayed any more: slower than eager execution, %u times",
			r->demotions);
	else if (r->verdict == HOT_BARRED && r->root)
		buf_printf(to, "barred for %" PRIu64 " times: slower than eager execution",
			r->skips);
	else if (r->verdict == HOT_BARRED)
		buf_printf(to, "barred for %" PRIu64 " operations: slower than eager execution",
			r->until - MIN(r->until, hot_ops((hot *)h)));
	else if (!r->runs)
		buf_printf(to, "not yet: it has a plan, but no run went through that");
	else
		buf_printf(to, "HOT PATH \u2713");
}

static void put_status(const hot *h, const miner_loop *l, const hot_run *r, buf *to)
{
	const uint64_t threshold = atomic_load(&h->tenant->worker->looks);

	if (r)
		put_verdict(h, r, to);
	else if (!l->hot && l->runs < threshold)
		buf_printf(to, "not yet: %" PRIu64 " of %" PRIu64 " times", l->runs, threshold);
	else if (!l->hot)
		buf_printf(to, "not yet: too small a part of what is executed");
	else
		buf_printf(to, "not replayed: other plans serve");
}

void hot_put_time(const hot_run *r, uint64_t ns, buf *to)
{
	const double us = (double)ns / r->reps / 1000;

	buf_printf(to, us < 1000 ? "%.2f us" : "%.0f us", us);
}

static void put_times(const hot_run *r, buf *to)
{
	const uint64_t eager = r->eager.n ? hot_times_least(&r->eager) : r->warm;

	if (!r->replay.n)
		return;
	buf_printf(to, "  a run of the executor: replayed ");
	hot_put_time(r, hot_times_least(&r->replay), to);
	buf_printf(to, " (median ");
	hot_put_time(r, hot_times_median(&r->replay), to);
	buf_printf(to, ")");
	if (eager && eager < UINT64_MAX / 256) { /* it is known */
		buf_printf(to, ", eager ");
		hot_put_time(r, eager, to);
	}
	buf_printf(to, "\n");
}

static void put_places(const hot_run *r, buf *to)
{
	const region *g = r->plan->region;
	const char *between = ":";

	if (!r->exits)
		return;
	buf_printf(to, "  broke off %" PRIu64 " times", r->exits);
	for (unsigned k = 0; k < HOT_PLACES; k++) {
		if (!r->places[k].count)
			continue;
		buf_printf(to, "%s %u where %%%u = %s was expected", between, r->places[k].count,
			r->places[k].at, op_rows[g->ops[r->places[k].at].op].name);
		between = ",";
	}
	buf_printf(to, "\n");
}

/* With the place in the program, and the kernel that it is a part of. */
static void put_ops(const hot_run *r, const explain_wish *wish, buf *to)
{
	const fused_plan *p = r->fused.count ? r->fused.plans[0] : NULL;
	const region *g = r->plan->region;
	char place[256];

	for (uint32_t k = 0; k < MIN(g->n, LINES_MOST); k++) {
		buf_printf(to, "  ");
		region_print_op(g, k, to);
		if (g->ops[k].site && wish->names.name(wish->names.ctx,
				g->ops[k].site, place, sizeof place))
			buf_printf(to, "    %s", place);
		if (p && fused_kernel_of(p, k))
			buf_printf(to, "    in %s", fused_kernel_of(p, k));
		buf_printf(to, "\n");
	}
	if (g->n > LINES_MOST)
		buf_printf(to, "  ... and %u more\n", g->n - LINES_MOST);
}

/* What roots and sides have in common. */
static void put_plan_of(const hot_run *r, const explain_wish *wish, buf *to)
{
	const region *g = r->plan->region;
	uint32_t outs = 0;

	for (uint32_t k = 0; k < g->n; k++)
		outs += g->ops[k].live_out;
	buf_printf(to, "  %u live-ins, %u live-outs; operation by operation (T1), %" PRIu64
		" runs replayed\n", g->live_ins_count, outs, r->runs);
	fused_explain(r, wish->full, to);
	put_places(r, to);
	put_times(r, to);
	if (r->demotions)
		buf_printf(to, "  demoted %u times, at last for %.2fx of eager\n", r->demotions,
			r->ratio);
	put_ops(r, wish, to);
}

static void put_side(hot *h, const hot_run *s, const explain_wish *wish, buf *to)
{
	const region *g = s->plan->region, *from = s->from->plan->region;
	const uint64_t ops = hot_ops(h);
	char name[REGION_NAME_MAX];

	buf_printf(to, " Side plan %s ", region_name(g->signature, g->n, name));
	if (s->from == s->root)
		buf_printf(to, "where ");
	else
		buf_printf(to, "of side %012" PRIx64 " where ", from->signature);
	buf_printf(to, "%%%u = %s was expected: %.1f %% of all operations: ", s->place,
		op_rows[from->ops[s->place].op].name,
		ops ? 100.0 * (double)s->runs * g->n / (double)ops : 0.0);
	put_verdict(h, s, to);
	buf_printf(to, "\n");
	put_plan_of(s, wish, to);
}

static void put_run(hot *h, const hot_run *r, const explain_wish *wish, buf *to)
{
	const region *g = r->plan->region;

	buf_printf(to, "  period %u operations, cut at the %s: %" PRIu64 " bytes are handed on\n",
		g->n, cut_why_text(g->cut_why), g->cut_bytes);
	put_plan_of(r, wish, to);
	for (unsigned k = 0; k < h->count; k++)
		if (h->runs[k]->root == r)
			put_side(h, h->runs[k], wish, to);
}

static void put_loop(hot *h, const miner_loop *l, const explain_wish *wish, buf *to)
{
	const hot_run *r = hot_find_run(h, l->signature);
	char name[REGION_NAME_MAX];

	buf_printf(to, "%s executed %" PRIu64 " times: ", region_name(l->signature, l->n, name),
		l->runs);
	put_status(h, l, r, to);
	buf_printf(to, "\n");
	if (r)
		put_run(h, r, wish, to);
}

static void put_all(hot *h, const explain_wish *wish, buf *to)
{
	miner_loop loops[HOT_LOOPS_MAX];
	const size_t n = miner_loops(h->miner, loops, COUNT(loops));
	const uint64_t ops = hot_ops(h), replayed = atomic_load(&h->counts.replayed);

	buf_printf(to, "%" PRIu64 " operations, %.1f %% of them replayed; %" PRIu64
		" passengers, %" PRIu64 " exits\n", ops,
		ops ? 100.0 * (double)replayed / (double)ops : 0.0,
		(uint64_t)atomic_load(&h->counts.passengers), (uint64_t)atomic_load(&h->counts.exits));
	for (size_t k = 0; k < n; k++)
		put_loop(h, &loops[k], wish, to);
	if (!n)
		buf_printf(to, "nothing has been seen to repeat\n");
}

/* Executing pauses meanwhile: what plans count has no lock. */
void worker_explain(tenant *t, const explain_wish *wish, buf *to)
{
	hot_stats s = { 0 };
	bool frozen;

	if (wish->kernel) {
		code_print(wish->kernel, to);
		return;
	}
	if (!t->hot) {
		buf_printf(to, hot_wanted(t->worker) ? "no operation has been executed\n" :
			"hot paths are not looked for (GT_AUTO_COMPILE=1 does)\n");
		return;
	}
	hot_catch_up(t->hot, &s);
	frozen = worker_freeze(t->worker, false, FREEZE_NS);
	if (frozen) {
		pthread_mutex_lock(&t->hot->mining);
		put_all(t->hot, wish, to);
		pthread_mutex_unlock(&t->hot->mining);
	} else {
		buf_printf(to, "the worker is busy with a long operation\n");
	}
	worker_thaw(t->worker, frozen);
}
