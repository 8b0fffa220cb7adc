/* hot.c: the executor's side of hot paths: records, the post, slices. */
#include "worker/hot.h"

#include "base/clock.h"
#include "base/flags.h"
#include "base/mem.h"
#include "hotpath/enable.h"

#define RING_WORDS (1u << 19)
#define SYNC_STEPS 4096
/* A backlog of that age is worked off by the executor: readily at first, for a program may be short;
 * for long at most a 64th of its time. */
#define BACKLOG_NS    10000000u
#define HELP_EVERY_NS 1000000u
#define HELP_NS       150000u
#define HELP_CREDIT   30000000u
#define HELP_SHARE    64
#define HELP_STEPS    64
#define HELP_OPS      1024u      /* the longest plan that is made then: about 0.1 ms */
#define LOOK_NS       20000u     /* work in a slice that a look at the clock is nothing against */

/* ---- the post -------------------------------------------------------------------------------- */

/* Giving megabytes back to the system takes long: that is left to the miner's side. */
static void give_up(hot *h, hot_run *r)
{
	r->next = atomic_load(&h->dead);
	while (!atomic_compare_exchange_weak(&h->dead, &r->next, r))
		;
}

hot_run *hot_find_run(const hot *h, uint64_t signature)
{
	for (unsigned k = 0; k < h->count; k++)
		if (h->runs[k]->plan->region->signature == signature)
			return h->runs[k];
	return NULL;
}

void hot_drop(hot *h, hot_run *r)
{
	unsigned k = 0;
	uint32_t below;

	h->quiet = false;
	leap_file_all(h->tenant);
	hot_side_gone(h, r);
	while (h->runs[k] != r)
		k++;
	hot_stop(h, k);
	if (h->learner == r)
		h->learner = NULL;
	if (h->trial == r) {
		h->trial = NULL;
		h->mute = false;
	}
	fused_settle(&r->fused);
	h->lost -= r->verdict == HOT_BLACKLISTED;
	give_up(h, r);
	below = (1u << k) - 1;
	h->count--;
	memmove(h->runs + k, h->runs + k + 1, (h->count - k) * sizeof *h->runs);
	h->under_way = (h->under_way & below) | (h->under_way >> 1 & ~below);
	h->again = h->took_k = HOT_RUNS_MAX;
}

static hot_run *oldest(const hot *h)
{
	hot_run *r = h->runs[0];

	for (unsigned k = 1; k < h->count; k++)
		if (h->runs[k]->completed < r->completed)
			r = h->runs[k];
	return r;
}

static void retire(hot *h, uint64_t signature)
{
	hot_run *r = hot_find_run(h, signature);

	if (r)
		hot_drop(h, r);
}

/* The miner has found a region by itself that came from the last process, so that there is a plan:
 * that one stays, and hears where in the program its ops are. */
static bool is_kept(hot *h, const hot_run *found)
{
	const region *r = found->plan->region;

	for (unsigned k = 0; k < h->count; k++) {
		region *own = h->runs[k]->plan->region;

		if (!h->runs[k]->kept || own->signature != r->signature || own->n != r->n)
			continue;
		h->runs[k]->kept = false;
		for (uint32_t n = 0; n < r->n; n++)
			own->ops[n].site = r->ops[n].site;
		return true;
	}
	return false;
}

/* The longest come first. Where there is no room the one that completed longest ago goes. */
static void adopt(hot *h, hot_run *r)
{
	uint32_t below;
	unsigned k = 0;

	if (is_kept(h, r)) {
		give_up(h, r);
		return;
	}
	retire(h, r->plan->region->signature);
	if (h->count == HOT_RUNS_MAX)
		hot_drop(h, oldest(h));
	if (r->of && !hot_side_adopt(h, r)) {
		give_up(h, r);
		return;
	}
	while (k < h->count && h->runs[k]->plan->region->n >= r->plan->region->n)
		k++;
	memmove(h->runs + k + 1, h->runs + k, (h->count - k) * sizeof *h->runs);
	h->runs[k] = r;
	h->count++;
	below = (1u << k) - 1;
	h->under_way = (h->under_way & below) | (h->under_way & ~below) << 1;
	h->again = h->took_k = HOT_RUNS_MAX;
	h->quiet = false;
	hot_judge_new(h, r);
	hot_rest_plan(h, r);
}

/* The last process's, which the miner has not found although it ran beside what is settled now: of
 * the same ops it makes another loop, as good luck had it then. What is rare, and no rival, is found
 * and kept again. */
static void drop_rivals(hot *h)
{
	const uint64_t since = hot_ops(h) - MIN(hot_ops(h), REGION_PERIOD_MAX);

	for (unsigned k = 0; k < h->count;) {
		hot_run *r = h->runs[k++];

		if (!r->kept || !r->runs || r->completed < since)
			continue;
		hot_forget_kept(h, r->plan->region->signature);
		hot_drop(h, r);
		k = 0;           /* its sides have gone with it */
	}
}

static void settle(hot *h, uint64_t signature, bool settled)
{
	hot_run *r = hot_find_run(h, signature);

	if (!r)
		return;
	r->settled = settled;
	if (!settled)
		return;
	drop_rivals(h);
	hot_rest_settled(h);
}

/* Letters lie newest first: read them from the other end. */
static void read_letter(hot *h, hot_letter *l)
{
	if (!l)
		return;
	read_letter(h, l->next);
	switch (l->what) {
	case PROPOSAL_HOT:
		adopt(h, l->run);
		break;
	case PROPOSAL_REPLACED:
	case PROPOSAL_RETIRED:
		retire(h, l->signature);
		break;
	case PROPOSAL_SETTLED:
	case PROPOSAL_UNSETTLED:
		settle(h, l->signature, l->what == PROPOSAL_SETTLED);
		break;
	}
	mem_free(l);
}

static void read_made(hot *h, job *j)
{
	if (!j)
		return;
	read_made(h, j->next);
	fused_receive(h, j);
}

/* A plan that is kept from the last process is posted before its fusions: those that are seen
 * here are of plans that are read before them. */
static void read_post(hot *h)
{
	job *made = NULL;

	if (UNLIKELY(atomic_load_explicit(&h->made, memory_order_relaxed) != NULL))
		made = atomic_exchange(&h->made, NULL);
	if (UNLIKELY(atomic_load_explicit(&h->post, memory_order_relaxed) != NULL))
		read_letter(h, atomic_exchange(&h->post, NULL));
	read_made(h, made);
}

/* ---- recording ------------------------------------------------------------------------------- */

void hot_mine_in_place(hot *h)
{
	pthread_mutex_lock(&h->mining);
	while (hot_mine(h, SYNC_STEPS) || compile_some(h, true))
		;
	pthread_mutex_unlock(&h->mining);
	read_post(h);
}

void hot_note(hot *h, const ins *i, const meta *const *in, const meta *out)
{
	if (UNLIKELY(h->learner != NULL))
		hot_unlearn(h);
	h->quiet = false;
	if (LIKELY(!h->mute))
		recorder_op(&h->recorder, i, in, out);
	past_put(&h->past, i);
	counter_add(&h->counts.ops, 1);
	if (UNLIKELY(h->sync))
		hot_mine_in_place(h);
}

/* What becomes of values that the miner has not heard of is of no interest to it. */
void hot_note_control(hot *h, const ins *i)
{
	if (UNLIKELY(h->learner != NULL))
		hot_learn_control(h, i);
	if ((h->silent && !h->watch.from) || h->mute)
		return;
	if (LIKELY(i->op == OP_free))
		recorder_free(&h->recorder, ins_in(i)[0]);
	else
		recorder_control(&h->recorder, i);
}

bool hot_help(hot *h)
{
	const uint64_t now = clock_ns();

	if (pthread_mutex_trylock(&h->mining))
		return false;
	while (hot_mine_records(h, HELP_STEPS) && clock_ns() < now + HELP_NS)
		;
	hot_make_plans(h, HELP_OPS);
	pthread_mutex_unlock(&h->mining);
	h->helped = clock_ns();
	h->helping += h->helped - now;
	if (h->started)          /* that was no work of the stream's */
		h->started += h->helped - now;
	return true;
}

/* The thread does not come by: the machine is busy. */
static void mine_backlog(hot *h, uint64_t now)
{
	const uint64_t since = MAX(h->fresh, atomic_load_explicit(&h->drained,
		memory_order_relaxed));

	if (LIKELY(now < since + BACKLOG_NS || now < h->helped + HELP_EVERY_NS) ||
			h->helping > HELP_CREDIT + h->busy / HELP_SHARE)
		return;
	hot_help(h);
}

void hot_slice_begin_slow(hot *h)
{
	read_post(h);
	hot_rest_slice(h);
	if (h->rest.phase == HOT_RESTS)
		return;
	if (UNLIKELY(hot_ops(h) - h->swept >= HOT_SWEEP_OPS))
		hot_side_sweep(h);
	if (!h->started && !h->quiet && !(h->rest.aloof && h->rest.phase == HOT_LISTENS)) {
		h->started = clock_ns();
		h->rest.reads++;
	}
	h->crowded = recorder_is_behind(&h->recorder, RING_WORDS / 4) || hot_rest_mutes(h);
}

/* What the time is now, and whether the miner keeps up. */
static void look_around(hot *h)
{
	const uint64_t now = clock_ns();

	h->busy += h->started ? now - h->started : 0;
	h->rest.reads++;
	h->started = now;
	h->looked = hot_ops(h);
	hot_mark_pace(h);
	if (recorder_is_empty(&h->recorder)) {
		h->fresh = now;
		return;
	}
	hot_miner_wake();
	mine_backlog(h, now);
}

void hot_slice_end_slow(hot *h)
{
	if (hot_ops(h) - h->looked >= HOT_MARK_OPS || h->tenant->worker->spent >= LOOK_NS)
		look_around(h);
}

void hot_pause(hot *h)
{
	if (h->started)
		look_around(h);
	h->started = 0;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

uint64_t hot_wanted(const worker *w)
{
	const uint64_t wish = hotpath_enabled();

	if (LIKELY(!wish) && (w->options.threshold || !w->options.compiles))
		return w->options.threshold;
	if (!wish)
		return (uint64_t)flag_int(FLAG_GT_HOTPATH_THRESHOLD);
	return wish == UINT64_MAX ? (uint64_t)flag_int(FLAG_GT_HOTPATH_THRESHOLD) : wish;
}

void hot_begin(tenant *t, uint64_t threshold)
{
	const bool loops = hotpath_enabled() || t->worker->options.threshold;
	const miner_options o = { .threshold = threshold,
		.scopes_only = !loops,
		.everything = t->worker->options.compiles,
		.min_seq = (uint64_t)flag_int(FLAG_GT_HOTPATH_MIN_SEQ),
		.window = (uint64_t)flag_int(FLAG_GT_HOTPATH_WINDOW) };
	hot *h = mem_lines(ALIGN_UP(sizeof *h, CACHE_LINE));

	if (loops && !atomic_exchange(&t->worker->looks, threshold))
		hot_say_enabled(t->worker, threshold);
	h->tenant = t;
	h->again = h->took_k = HOT_RUNS_MAX;
	h->loops = loops;
	h->sync = flag_int(FLAG_GT_COMPILE_SYNC);
	h->talks = flag_int(FLAG_GT_DEBUG_COMPILE);
	h->checks = flag_int(FLAG_GT_CHECK);
	h->tier = (hot_tier)flag_int(FLAG_GT_HOTPATH_TIER);
	h->started = clock_ns();
	hot_rest_init(h);
	recorder_init(&h->recorder, RING_WORDS);
	pthread_mutex_init(&h->mining, NULL);
	h->miner = miner_new(&o);
	t->hot = t->heard = h;
	past_begin(&h->past, &t->store);
	hot_warm(h, h->sync ? UINT32_MAX : HOT_WARM_OPS);        /* nobody else knows it yet */
	read_post(h);
	hot_miner_add(h);
}

void hot_leave(tenant *t)
{
	if (t->hot && t->hot->watch.from)
		hot_side_drop(t->hot);
	leap_file_all(t);
	for (unsigned k = 0; t->hot && k < t->hot->count; k++)
		hot_stop(t->hot, k);
}

void hot_end(tenant *t)
{
	hot *h = t->hot;

	if (!h)
		return;
	hot_miner_remove(h);
	read_post(h);
	while (h->count)
		hot_drop(h, h->runs[h->count - 1]);
	if (h->wrong)
		failure_drop(h->wrong);
	hot_bury(h);
	hot_warm_end(h);
	compile_cancel(h);
	miner_free(h->miner);
	past_fini(&h->past);
	recorder_fini(&h->recorder);
	pthread_mutex_destroy(&h->mining);
	mem_free(h);
	t->hot = t->heard = NULL;
}
