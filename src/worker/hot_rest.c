/* hot_rest.c: is it worth listening to the stream at all?
 *
 * Plans are judged one by one (hot_judge.c), against eager execution that is recorded and timed as
 * well. What that costs is on nobody's account there: in a loop of three ops that is waited for,
 * in one that lost its trials, in a program that branches at every turn. So unless nearly all ops
 * are in runs of plans far ahead, told as a whole, or take too long for it to show, the tenant is
 * tried with and without, now and then: pieces of the stream are executed as ever and *still*,
 * eagerly, with nobody listening; the medians of what an op takes are compared, looks at the clock
 * included. If being still is clearly faster the tenant *rests*: it is still for so many ops, not
 * even timed, twice as many each time, and in between it listens for a sixteenth of that: what the
 * program does by then is found like anything else.
 *
 * Of a stream in which a loop may still be found, longer than those that are known, all is heard: if
 * plans lose meanwhile they do not run, and it is *aloof*: only recorded. Trials take turns with that
 * then, or the miner would hear only pieces.
 *
 * A rest is over at once where a part of the program is to be compiled, where somebody waits for
 * the compiler, with a new plan, and when slices begin with ops of kinds and lines that slices never
 * began with. And where no plan may run and the miner naps, it is still meanwhile.
 *
 * With GT_COMPILE_SYNC and GT_CHECK nobody rests: tests want the same runs every time.
 */
#include "worker/hot.h"

#include "base/clock.h"

#define LEAD_RUNS   2u           /* at the beginning of a piece are not timed, or HOT_LEAD_OPS */
#define PIECE_RUNS  8u           /* of the longest plan are a piece, .. */
#define PIECE_LEAST 256u         /* .. and at least, and at most so many ops */
#define PIECE_MOST  16384u
#define ROUNDS      3u
#define RECOVERY    32768u       /* ops of patience (hot_await.c) that a trial gives back */
#define FIRST_RUNS  16u          /* of a plan, .. */
#define FIRST_OPS   1024u        /* .. or more ops, before the first trial */
#define PART        8u           /* of the longest plan, that is small */
#define TOLD        80u          /* per cent told as a whole, by plans far ahead: no trial */
#define EXIT_RUNS   4u
#define DEAR_NS     5000u        /* an op of so many ns and no run left: to listen is no matter */
#define WAIT_FIRST  32768u       /* ops to the next trial, after one that was won; four times .. */
#define WAIT_MOST   (UINT64_C(1) << 24)  /* .. as many each time, .. */
#define TRIAL_PART  16u          /* .. and so many times what the trial took */
#define REST_FIRST  65536u
#define REST_MOST   (UINT64_C(1) << 22)
#define LISTENS     16u          /* of a rest's ops, one in so many behind it, .. */
#define LISTENS_LEAST 8192u      /* .. or so many */
#define NEWS        32u          /* that slices begin with what is new, .. */
#define NEWS_STEP   4u           /* .. each time so much, one less otherwise */

static bool has_plans(const hot *h)
{
	for (unsigned k = 0; k < h->count; k++)
		if (h->runs[k]->verdict < HOT_BARRED)
			return true;
	return false;
}

/* ---- still and back -------------------------------------------------------------------------- */

/* No run is under way any more, and none is timed. */
static void stop_runs(hot *h)
{
	leap_file_all(h->tenant);
	if (h->watch.from)
		hot_side_drop(h);
	for (unsigned k = 0; k < h->count; k++) {
		hot_stop(h, k);
		hot_judge_exit(h->runs[k]);
	}
	if (h->learner)
		hot_unlearn(h);
	h->trial = NULL;
	h->mute = false;
	h->again = h->took_k = HOT_RUNS_MAX;
}

/* What comes is recorded, no more: that is cheap, and what goes on for long is found. */
static void fall_aloof(hot *h)
{
	if (h->rest.aloof)
		return;
	stop_runs(h);
	h->rest.aloof = true;
}

static void fall_still(hot *h)
{
	if (h->rest.still)
		return;
	stop_runs(h);
	recorder_rest(&h->recorder);
	h->rest.still = true;
	h->rest.before = UINT64_MAX;
	h->rest.since = hot_ops(h);
	h->tenant->heard = NULL;
}

static void listen(hot *h)
{
	h->rest.aloof = false;
	if (!h->rest.still)
		return;
	h->rest.still = false;
	h->tenant->heard = h;
	recorder_pass(&h->recorder, hot_ops(h) - h->rest.since);
}

/* The clock is not read any more. */
static void fall_asleep(hot *h, uint64_t ops)
{
	fall_still(h);
	hot_pause(h);
	h->rest.phase = HOT_RESTS;
	h->rest.due = hot_ops(h) + ops;
	h->rest.news = 0;
}

/* What is told as a whole is counted from here on. */
static void ask_anew(hot *h)
{
	h->rest.told = h->rest.exits = 0;
	h->rest.asked = hot_ops(h);
	h->rest.spent = hot_busy(h);
}

/* Times from before would be of another time. */
static void wake(hot *h)
{
	hot_rest *o = &h->rest;

	listen(h);
	h->marked = 0;
	h->fresh = clock_ns();
	o->phase = HOT_LISTENS;
	ask_anew(h);
	o->due = hot_ops(h) + MAX(o->length / LISTENS, LISTENS_LEAST);
	if (o->trial)            /* it was the miner's nap that ended */
		o->due = MAX(o->trial, hot_ops(h) + HOT_STEP_OPS);
	o->trial = 0;
}

static void try_later(hot *h, uint64_t ops)
{
	h->rest.due = hot_ops(h) + ops;
	ask_anew(h);
}

/* Each time later, and so much that trials are a small part of all ops. */
static void put_off(hot *h)
{
	hot_rest *o = &h->rest;

	o->wait = o->wait ? MIN(4 * o->wait, WAIT_MOST) : WAIT_FIRST;
	o->waited -= MIN(o->waited, RECOVERY);
	try_later(h, MAX(o->wait, TRIAL_PART * (hot_ops(h) - o->began)));
}

/* What the program was found to do says little of what it does now. A trial that is always
 * interrupted would be paid for in vain. */
static void stir(hot *h)
{
	const bool naps = recorder_naps(&h->recorder), rests = h->rest.phase == HOT_RESTS;

	wake(h);
	if (!rests)
		put_off(h);
	if (naps)
		recorder_stir(&h->recorder);
	h->rest.length = 0;
	h->rest.heard = hot_ops(h);
	h->rest.live = store_count(&h->tenant->store);
}

void hot_rest_end(hot *h)
{
	if (LIKELY(h->rest.phase == HOT_LISTENS && !h->rest.aloof))
		return;
	hot_rest_count(h);
	stir(h);
}

void hot_rest_never(hot *h)
{
	hot_rest_end(h);
	h->rest.never = true;
	h->rest.due = UINT64_MAX;
}

static void rest(hot *h)
{
	hot_rest *o = &h->rest;

	o->length = o->length ? MIN(2 * o->length, REST_MOST) : REST_FIRST;
	o->wait = 0;
	fall_asleep(h, o->length);
}

/* ---- trials ---------------------------------------------------------------------------------- */

/* What a look at the clock costs, ns. */
static uint64_t clock_price(void)
{
	static _Atomic uint64_t known;
	uint64_t least = atomic_load_explicit(&known, memory_order_relaxed);

	for (unsigned k = 0; k < 16 && (!least || k); k++) {
		const uint64_t from = clock_ns(), took = clock_ns() - from;

		least = least ? MIN(least, MAX(took, 1)) : MAX(took, 1);
	}
	atomic_store_explicit(&known, least, memory_order_relaxed);
	return least;
}

/* So many runs of the longest plan, in ops, within bounds. */
static uint64_t ops_of(const hot *h, uint64_t runs, uint64_t least)
{
	uint64_t longest = 0;

	for (unsigned k = 0; k < h->count; k++)
		longest = MAX(longest, h->runs[k]->plan->region->n);
	return MAX(MIN(runs * longest, PIECE_MOST), least);
}

/* What comes first in a piece pays for what was before; and no run begins before its region does. */
static void lead(hot *h, bool without)
{
	if (!without)
		listen(h);
	else if (h->rest.softly)
		fall_aloof(h);
	else
		fall_still(h);
	h->rest.phase = HOT_LEADS;
	h->rest.due = hot_ops(h) + (without ? HOT_LEAD_OPS :
		ops_of(h, LEAD_RUNS, HOT_LEAD_OPS));
}

/* The piece is the one without plans. */
static bool is_without(const hot_rest *o)
{
	return o->still || o->aloof;
}

static void begin_piece(hot *h)
{
	hot_rest *o = &h->rest;

	h->quiet = false;
	o->busy = hot_busy(h);
	o->from = hot_ops(h);
	o->looks = o->reads;
	o->phase = HOT_TRIES;
	o->due = o->from + ops_of(h, PIECE_RUNS, PIECE_LEAST);
}

/* Of the time between two looks at the clock one of them is a part; who listens has both, who is
 * still would have none. */
static void end_piece(hot *h)
{
	hot_rest *o = &h->rest;
	const uint64_t busy = hot_busy(h) - o->busy, ops = hot_ops(h) - o->from;
	const uint64_t looks = (o->reads - o->looks) * clock_price() / 2;
	const uint64_t ns = is_without(o) ? busy - MIN(busy, looks) : busy + looks;

	hot_times_add(&o->times[is_without(o)], ns * 1000 / ops + 1);
}

bool hot_rest_mutes(const hot *h)
{
	return UNLIKELY(h->rest.phase == HOT_LEADS || h->rest.phase == HOT_TRIES) &&
		!h->rest.softly && hot_settles(h);
}

static void start_trial(hot *h, bool softly)
{
	hot_rest *o = &h->rest;

	o->softly = softly;
	o->began = hot_ops(h);
	o->round = 0;
	o->times[0].n = o->times[1].n = 0;
	lead(h, true);
}

/* Nothing speaks for listening as it is done now. That plans lost once is no reason to rest for long. */
static void go_on_without(hot *h)
{
	if (hot_await_loops(h))
		return;
	if (h->rest.aloof && has_plans(h))
		start_trial(h, false);
	else
		rest(h);
}

/* Listening is not what it costs: its 100 ns an op at most are lost in what ops take, and the times
 * of plans are looked after by themselves; or nearly all is told as a whole. */
static bool is_beyond_doubt(hot *h)
{
	const hot_rest *o = &h->rest;
	const uint64_t ops = hot_ops(h) - o->asked;

	return o->told * 100 >= ops * TOLD ||
		(!o->exits && hot_busy(h) - o->spent >= ops * DEAR_NS);
}

static void begin_trial(hot *h)
{
	hot_rest *o = &h->rest;

	if (o->aloof || !has_plans(h)) {         /* to record costs something, that is known */
		go_on_without(h);
		return;
	}
	if (hot_await_plans(h))
		return;
	if (is_beyond_doubt(h)) {
		try_later(h, WAIT_FIRST);
		return;
	}
	start_trial(h, hot_await_more(h));
}

/* -1: to listen is clearly faster. 1: clearly slower. Of few pieces by much. */
static int compare(const hot_rest *o)
{
	static const uint64_t margins[ROUNDS] = { 20, 6, 2 };
	const uint64_t x = hot_times_median(&o->times[0]), y = hot_times_median(&o->times[1]);
	const uint64_t least = 100 - margins[o->round];

	return x * 100 <= y * least ? -1 : y * 100 <= x * least;
}

static void decide(hot *h)
{
	hot_rest *o = &h->rest;
	const int than = compare(o);

	if (than > 0 && o->softly) {
		fall_aloof(h);
		o->phase = HOT_LISTENS;
		go_on_without(h);
	} else if (than > 0) {
		rest(h);
		if (h->talks)
			hot_say_resting(h);
	} else if (than < 0 || o->round == ROUNDS - 1) {
		o->length /= 2;
		listen(h);
		o->phase = HOT_LISTENS;
		put_off(h);
		o->waited += o->softly ? o->due - hot_ops(h) : 0;
	} else {
		o->round++;
		lead(h, !is_without(o));
	}
}

/* The pieces take turns. */
static void go_on(hot *h)
{
	hot_rest *o = &h->rest;
	const uint32_t wanted = 4u << o->round;

	end_piece(h);
	if (o->times[0].n >= wanted && o->times[1].n >= wanted)
		decide(h);
	else
		lead(h, !is_without(o));
}

/* A trial would say nothing of it. Plans may come for ever: then they are not waited for; nor are
 * those that are small parts of what runs already. */
void hot_rest_plan(hot *h, const hot_run *r)
{
	const uint64_t n = r->plan->region->n, first = MAX(FIRST_RUNS * n, FIRST_OPS);
	hot_rest *o = &h->rest;

	if (o->phase == HOT_RESTS)
		wake(h);
	if (o->due == UINT64_MAX || (o->planned && PART * n < ops_of(h, 1, 1)))
		return;
	if (o->planned) {
		o->claim += first;
		if (!hot_await(h, first) || (o->phase == HOT_LISTENS && !o->aloof))
			return;
		listen(h);
		o->phase = HOT_LISTENS;
	}
	o->planned = true;
	o->due = hot_ops(h) + first;
	ask_anew(h);
}

/* What was recorded op by op until now says nothing of what comes. */
void hot_rest_settled(hot *h)
{
	hot_rest *o = &h->rest;

	if (o->phase != HOT_LISTENS)
		return;
	listen(h);
	ask_anew(h);
	o->due = MAX(o->due, hot_ops(h) + ops_of(h, FIRST_RUNS, FIRST_OPS));
}

/* What that costs no plan's times say: it speaks for a trial as some runs do against it. */
void hot_rest_exit(hot *h, const hot_run *r)
{
	h->rest.exits++;
	h->rest.told -= MIN(h->rest.told, EXIT_RUNS * (uint64_t)r->plan->region->n);
}

void hot_rest_init(hot *h)
{
	h->rest.due = h->sync || h->checks ? UINT64_MAX : HOT_IDLE_OPS;
}

/* ---- slices ---------------------------------------------------------------------------------- */

/* Who is it that the slice begins with? A hash of 1,024 values is enough to tell programs apart. */
static bool is_new(hot *h)
{
	const ins *i = ring_next(&h->tenant->line.ring);
	uint64_t hash, *word, bit;

	if (!i)
		return false;
	hash = ((uint64_t)i->site << 16 ^ i->op) * UINT64_C(0x9e3779b97f4a7c15) >> 54;
	word = &h->rest.fronts[hash / 64];
	bit = UINT64_C(1) << hash % 64;
	if (LIKELY(*word & bit))
		return false;
	*word |= bit;
	return true;
}

static void look_at_front(hot *h)
{
	hot_rest *o = &h->rest;

	if (UNLIKELY(is_new(h)))
		o->news += NEWS_STEP;
	else
		o->news -= o->news != 0;
	if (UNLIKELY(o->phase == HOT_RESTS && o->news >= NEWS))
		stir(h);
}

static void turn(hot *h)
{
	switch (h->rest.phase) {
	case HOT_LISTENS:
		begin_trial(h);
		break;
	case HOT_LEADS:
		begin_piece(h);
		break;
	case HOT_TRIES:
		go_on(h);
		break;
	case HOT_RESTS:
		wake(h);
		break;
	}
}

/* The miner naps, and no plan may run: nobody has a use for what comes. */
static bool is_idle(const hot *h)
{
	return recorder_naps(&h->recorder) && h->rest.phase == HOT_LISTENS && !h->rest.never &&
		!h->sync && !h->checks && !h->under_way && !h->trial && !h->watch.from &&
		(h->rest.aloof || !has_plans(h));
}

/* The next trial is when it would have been. */
static void nap(hot *h)
{
	h->rest.trial = h->rest.due;
	fall_asleep(h, recorder_naps(&h->recorder));
}

void hot_rest_slice(hot *h)
{
	hot_rest *o = &h->rest;

	if (UNLIKELY(atomic_load_explicit(&o->stirred, memory_order_relaxed))) {
		atomic_store_explicit(&o->stirred, false, memory_order_relaxed);
		hot_rest_end(h);
	}
	if (o->slices++ % HOT_FRONT_EVERY == 0)
		look_at_front(h);
	if (UNLIKELY(hot_ops(h) >= o->due))
		turn(h);
	else if (UNLIKELY(h->recorder.nap) && is_idle(h))
		nap(h);
	o->before = atomic_load_explicit(&h->tenant->worker->operations, memory_order_relaxed);
}
