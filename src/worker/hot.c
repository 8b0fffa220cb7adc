/* hot.c: the executor's side of hot paths: recording, matching, replaying. */
#include "worker/hot.h"

#include "base/clock.h"
#include "base/flags.h"
#include "base/mem.h"
#include "hotpath/enable.h"
#include "ir/cost.h"

#define RING_WORDS (1u << 17)
#define SYNC_STEPS 4096
/* A backlog of that age is worked off by the executor, at most a tenth of its time. */
#define BACKLOG_NS    20000000u
#define HELP_EVERY_NS 2000000u
#define HELP_NS       150000u
#define HELP_STEPS    64

/* ---- the post -------------------------------------------------------------------------------- */

static void free_run(hot_run *r)
{
	plan_free(r->plan);
	match_fini(&r->match);
	mem_free(r->values);
	mem_free(r);
}

static void drop_run(hot *h, unsigned k)
{
	free_run(h->runs[k]);
	h->count--;
	memmove(h->runs + k, h->runs + k + 1, (h->count - k) * sizeof *h->runs);
}

static void retire(hot *h, uint64_t signature)
{
	for (unsigned k = h->count; k--;)
		if (h->runs[k]->plan->region->signature == signature)
			drop_run(h, k);
}

/* A new plan is tried first; where there is no room the one that ran longest ago goes. */
static void adopt(hot *h, hot_run *r)
{
	retire(h, r->plan->region->signature);
	if (h->count == HOT_RUNS_MAX)
		drop_run(h, h->count - 1);
	memmove(h->runs + 1, h->runs, h->count * sizeof *h->runs);
	h->runs[0] = r;
	h->count++;
}

/* Letters lie newest first: read them from the other end. */
static void read_letter(hot *h, hot_letter *l)
{
	if (!l)
		return;
	read_letter(h, l->next);
	if (l->run)
		adopt(h, l->run);
	else
		retire(h, l->signature);
	mem_free(l);
}

static void read_post(hot *h)
{
	if (UNLIKELY(atomic_load_explicit(&h->post, memory_order_relaxed) != NULL))
		read_letter(h, atomic_exchange(&h->post, NULL));
}

/* ---- recording ------------------------------------------------------------------------------- */

/* Tests want plans to come at a fixed instruction: this one. */
static void mine_in_place(hot *h)
{
	if (LIKELY(!h->sync))
		return;
	pthread_mutex_lock(&h->mining);
	while (hot_mine(h, SYNC_STEPS))
		;
	pthread_mutex_unlock(&h->mining);
	read_post(h);
}

void hot_note(hot *h, const ins *i, const meta *const *in, const meta *out)
{
	recorder_op(&h->recorder, i, in, out);
	counter_add(&h->counts.ops, 1);
	mine_in_place(h);
}

void hot_note_control(hot *h, const ins *i)
{
	recorder_control(&h->recorder, i);
}

/* The thread does not come by (the machine is busy): do some of its work, but never its long
 * pieces. */
static void mine_backlog(hot *h, uint64_t now)
{
	const uint64_t since = MAX(h->fresh, atomic_load_explicit(&h->drained,
		memory_order_relaxed));

	if (LIKELY(now < since + BACKLOG_NS || now < h->helped + HELP_EVERY_NS) ||
			pthread_mutex_trylock(&h->mining))
		return;
	while (hot_mine_records(h, HELP_STEPS) && clock_ns() < now + HELP_NS)
		;
	pthread_mutex_unlock(&h->mining);
	h->helped = clock_ns();
}

void hot_slice_begin(hot *h)
{
	read_post(h);
	h->started = clock_ns();
}

void hot_slice_end(hot *h)
{
	const uint64_t now = clock_ns();

	h->busy += now - h->started;
	if (recorder_is_empty(&h->recorder)) {
		h->fresh = now;
		return;
	}
	hot_miner_wake();
	mine_backlog(h, now);
}

/* ---- matching and replaying ------------------------------------------------------------------ */

/* The input's value; NULL if it is unknown or poisoned: then eager execution knows what to say. */
static value *find_input(tenant *t, hot_run *r, uint32_t slot, uint64_t id)
{
	value *v = store_hint(&t->store, r->values[slot], id);

	return v && !v->why ? r->values[slot] = v : NULL;
}

/* The slot whose value live-in `slot` was in the run before: what it is now, if the loop goes on. */
static void look_ahead(hot_run *r, uint32_t slot)
{
	const region *g = r->plan->region;
	const uint32_t carried = g->live_ins[slot - g->n].carried;

	if (carried != REGION_NEVER)
		r->values[slot] = r->values[carried];
}

/* Find the inputs' values and their stamp; false if one is missing. */
static bool gather(tenant *t, hot_run *r, const ins *i, call *c, uint64_t *stamp)
{
	const pattern *p = &r->plan->pattern;
	const uint32_t *in = p->inputs + p->ops[r->match.at].first;

	*stamp = 0;
	for (unsigned k = 0; k < i->nin; k++) {
		const uint32_t slot = in[k] & ~MATCH_BIND;
		value *v;

		c->metas[k] = NULL;
		if (in[k] == MATCH_SCALAR)
			continue;
		if (in[k] & MATCH_BIND)
			look_ahead(r, slot);
		if (UNLIKELY(!(v = find_input(t, r, slot, ins_in(i)[k]))))
			return false;
		call_put(c, k, v);
		*stamp += in[k] & MATCH_BIND ? plan_bind(r->plan, slot, &v->v.m) :
			r->plan->slots[slot].version;
	}
	return true;
}

/* The result's meta, known or inferred; false if the op is another one than the plan's. */
static bool infer(tenant *t, hot_run *r, const ins *i, const call *c, uint64_t stamp, meta *out)
{
	const uint32_t at = r->match.at;
	plan *p = r->plan;

	if (UNLIKELY(exec_check_count(t, i)))
		return false;
	if (LIKELY(plan_knows(p, at, stamp, i))) {
		meta_copy(out, &p->slots[at].m);
		return true;
	}
	if (shape_infer(i, c->metas, out) ||
			!match_fits(&r->match, record_metas(op_rows[i->op].kind, i->nin,
				c->metas, out)))
		return false;
	plan_learn(p, at, stamp, i, out, cost_ns(i->op, i->nin ? c->metas[0] : NULL, out));
	return true;
}

static bool accept(tenant *t, hot_run *r, const ins *i, call *c, value *out)
{
	uint64_t stamp;

	return match_wired(&r->match, i) && gather(t, r, i, c, &stamp) &&
		infer(t, r, i, c, stamp, &out->v.m);
}

/* The op belongs to run k, which moves to the front; the others have seen a foreign op. */
static void prefer(hot *h, unsigned k)
{
	hot_run *r = h->runs[k];

	memmove(h->runs + 1, h->runs, k * sizeof *h->runs);
	h->runs[0] = r;
}

static void count_miss(hot *h, hot_run *r)
{
	const bool entered = r->match.at >= MATCH_ENTERING || 2 * r->match.at >= r->plan->pattern.n;

	if (match_miss(&r->match) != MATCH_EXIT || !entered)
		return;
	r->exits++;
	counter_add(&h->counts.exits, 1);
}

static void execute(tenant *t, hot_run *r, const ins *i, call *c, value *out)
{
	const uint32_t at = r->match.at;
	hot *h = t->hot;

	recorder_op(&h->recorder, i, c->metas, &out->v.m);
	t->worker->spent += r->plan->slots[at].cost;
	exec_finish(t, i, c, r->plan->steps[at].run, out);
	r->values[at] = out;
	counter_add(&h->counts.ops, 1);
	counter_add(&h->counts.replayed, 1);
	if (match_take(&r->match, i->out)) {
		r->runs++;
		counter_add(&h->counts.runs, 1);
	}
}

bool hot_replay(tenant *t, const ins *i, value *out)
{
	hot *h = t->hot;
	bool passes = false;
	call c;

	for (unsigned k = 0; k < h->count; k++) {
		hot_run *r = h->runs[k];

		if (!accept(t, r, i, &c, out)) {
			passes |= r->match.at != 0;
			count_miss(h, r);
			continue;
		}
		if (k)
			prefer(h, k);
		execute(t, r, i, &c, out);
		mine_in_place(h);
		return true;
	}
	if (passes)
		counter_add(&h->counts.passengers, 1);
	return false;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

uint64_t hot_wanted(const worker *w)
{
	const uint64_t wish = hotpath_enabled();

	if (LIKELY(!wish))
		return w->options.threshold;
	return wish == UINT64_MAX ? (uint64_t)flag_int(FLAG_GT_HOTPATH_THRESHOLD) : wish;
}

void hot_begin(tenant *t, uint64_t threshold)
{
	const miner_options o = { .threshold = threshold,
		.min_seq = (uint64_t)flag_int(FLAG_GT_HOTPATH_MIN_SEQ),
		.window = (uint64_t)flag_int(FLAG_GT_HOTPATH_WINDOW) };
	hot *h = mem_lines(ALIGN_UP(sizeof *h, CACHE_LINE));

	if (!atomic_exchange(&t->worker->looks, threshold))
		hot_say_enabled(t->worker, threshold);
	h->tenant = t;
	h->sync = flag_int(FLAG_GT_COMPILE_SYNC);
	recorder_init(&h->recorder, RING_WORDS);
	pthread_mutex_init(&h->mining, NULL);
	h->miner = miner_new(&o);
	t->hot = h;
	hot_miner_add(h);
}

void hot_end(tenant *t)
{
	hot *h = t->hot;

	if (!h)
		return;
	hot_miner_remove(h);
	read_post(h);
	while (h->count)
		drop_run(h, h->count - 1);
	miner_free(h->miner);
	recorder_fini(&h->recorder);
	pthread_mutex_destroy(&h->mining);
	mem_free(h);
	t->hot = NULL;
}
