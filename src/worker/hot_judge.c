/* hot_judge.c: never slower: what plans cost, and what becomes of those that do not pay.
 *
 * Time is the executor's, spent in slices of the stream; waiting for a client is nobody's. Runs are
 * timed from completion to completion, short ones several at a time (a stretch). What the stream
 * cost before there was a plan says what to expect. If the least of the first stretches, and later
 * of any sixteen, is dearer than that, or the shapes have changed since, the plan goes on trial:
 * eager stretches and replayed ones take turns, and the leasts are compared (hot_times_compare). A
 * plan that loses is barred for a while, which doubles each time, and at last for good. One that
 * nothing speaks against is timed one stretch in sixteen. Where many stretches have other shapes than
 * the one before there is no least time that says anything: medians of sixteen are compared.
 *
 * With GT_COMPILE_SYNC nothing is judged: tests want the same runs every time.
 */
#include "worker/hot.h"

#include <stdlib.h>
#include "base/clock.h"

#define STRETCH_OPS 32           /* a stretch has at least as many */
#define GAIN        98           /* per cent of the other's time that the faster one takes at most */
#define FIRST       4            /* replayed stretches that are compared with times before */
#define MOVED       8            /* what a stretch with new shapes adds to hot_run.moves, */
#define MOVES       16           /* above which that is how the loop is, */
#define MOVES_MAX   (4 * MOVES)  /* and from which stretches as before take one each */
#define TESTED_AT   (2 * HOT_TIMES)
#define CLEAR       40           /* hundredths of eager's time: that is not tested */
#define AHEAD       90           /* that is far ahead (hot_rest.c) */
#define RESTS       15           /* stretches that are not timed, behind one that is */
#define UNUSED      8192         /* ops without a run: nobody waits for what will be said of it */
#define TRIES_MAX   64           /* eager stretches of a trial; those that were disturbed too */
#define BARRED_RUNS 64           /* the first time */
#define LIVES       5

uint64_t hot_busy(hot *h)
{
	if (UNLIKELY(!h->started))       /* it was quiet */
		h->started = clock_ns();
	return h->busy + (clock_ns() - h->started);
}

/* ---- times ----------------------------------------------------------------------------------- */

uint64_t hot_times_least(const hot_times *t)
{
	uint64_t least = UINT64_MAX;

	for (unsigned k = 0; k < MIN(t->n, HOT_TIMES); k++)
		least = MIN(least, t->last[k]);
	return t->n ? least : 0;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t hot_times_median(const hot_times *t)
{
	uint64_t sorted[HOT_TIMES];
	const unsigned n = MIN(t->n, HOT_TIMES);

	memcpy(sorted, t->last, sizeof sorted);
	qsort(sorted, n, sizeof *sorted, by_size);
	return n ? sorted[n / 2] : 0;
}

/* By so many hundredths, of few times: noise is as large. In the last round what it takes counts. */
int hot_times_compare(const hot_times *a, const hot_times *b, unsigned round)
{
	static const uint64_t margins[HOT_ROUNDS] = { 30, 10, 4, 100 - GAIN };
	const uint64_t x = hot_times_least(a), y = hot_times_least(b), m = margins[round];

	if (x * 100 <= y * (100 - m))
		return -1;
	return y * 100 <= x * (100 - m);
}

/* ---- before there was a plan ----------------------------------------------------------------- */

/* A young session's loops are found after a few dozen ops. */
void hot_mark_pace(hot *h)
{
	const uint64_t ops = hot_ops(h), least = ops < HOT_YOUNG_OPS ? HOT_YOUNG_MARK : HOT_MARK_OPS;

	if (h->marked && ops - h->marks[(h->marked - 1) % HOT_MARKS].ops < least)
		return;
	h->marks[h->marked++ % HOT_MARKS] = (hot_mark){ ops, h->busy };
}

/* The least that any `ops` ops in a row cost, of the latest sixteen such pieces; 0: unknown. Any
 * rotation of a loop costs what the loop does. */
static uint64_t least_pace(const hot *h, uint64_t ops)
{
	const uint64_t first = h->marked - MIN(h->marked, HOT_MARKS);
	uint64_t least = UINT64_MAX;
	unsigned pieces = 0;

	if (!h->marked)
		return 0;
	for (uint64_t j = h->marked - 1, i = j; i > first && pieces < HOT_TIMES;) {
		const hot_mark *to = &h->marks[j % HOT_MARKS], *from = &h->marks[--i % HOT_MARKS];

		if (to->ops - from->ops < ops)
			continue;
		least = MIN(least, (uint64_t)((double)(to->busy - from->busy) * (double)ops /
			(double)(to->ops - from->ops)));
		pieces++;
		j = i;
	}
	return pieces ? least : 0;
}

void hot_judge_new(hot *h, hot_run *r)
{
	const uint32_t n = r->plan->region->n;

	r->reps = r->root ? 1 : MAX(STRETCH_OPS / n, 1);
	if (!r->root)            /* of a side the miner knows what it took */
		r->warm = least_pace(h, (uint64_t)n * r->reps);
	r->moved = r->completed = hot_ops(h);
}

/* ---- trials ---------------------------------------------------------------------------------- */

static bool moves(const hot_run *r)
{
	return r->moves > MOVES;
}

static void begin_trial(hot_run *r)
{
	r->verdict = HOT_ON_TRIAL;
	r->tested = true;
	r->replay.n = r->eager.n = r->tries = 0;
	r->round = moves(r) ? HOT_ROUNDS - 1 : 0;
}

/* The next stretch runs eagerly; of what is settled the miner is told as if it were replayed. */
static void run_eagerly(hot *h, hot_run *r)
{
	const uint64_t n = r->plan->region->n;

	if (r->root) {           /* hot_side.c sees to it, the next time it could run */
		r->tries++;
		r->declined = true;
		return;
	}
	if (h->under_way || r->tries++ > TRIES_MAX)
		return;
	h->trial = r;
	h->mute = r->settled;
	r->lead = hot_ops(h) + (HOT_LEAD_OPS - 1) / n * n;       /* whole runs */
	r->until = r->lead + r->reps * n;
}

void hot_judge_eager(hot *h)
{
	hot_run *r = h->trial;

	if (hot_ops(h) == r->lead)
		r->since = hot_busy(h);
	if (hot_ops(h) < r->until)
		return;
	r->untested = hot_busy(h) - r->since;
	h->trial = NULL;
	for (uint32_t k = 0; h->mute && k < r->reps; k++)
		recorder_replay(&h->recorder, r->plan->region->signature, r->plan->region->n);
	h->mute = false;
	r->since = 0;
}

/* The eager stretch counts if a run of the plan came right behind it: then it was the loop. */
static void take_eager(hot_run *r)
{
	const uint64_t n = r->plan->region->n;

	if (r->untested && r->moved + 1 - r->until <= n + n / 4 + MATCH_ENTERING)
		hot_times_add(&r->eager, r->untested);
	r->untested = 0;
}

/* What stands for all of them. */
static uint64_t time_of(const hot_run *r, const hot_times *t)
{
	return moves(r) ? hot_times_median(t) : hot_times_least(t);
}

/* Eager time over replay's. */
static double ratio_of(const hot_run *r)
{
	return (double)time_of(r, &r->eager) / (double)time_of(r, &r->replay);
}

static void bar(hot *h, hot_run *r)
{
	const uint64_t penalty = (uint64_t)BARRED_RUNS << r->demotions;

	r->ratio = ratio_of(r);
	r->over = MIN(r->replay.n, HOT_TIMES);
	r->verdict = ++r->demotions > LIVES ? HOT_BLACKLISTED : HOT_BARRED;
	/* A few odd runs more, so that two plans do not come back in step for ever. */
	r->skips = penalty + (r->moved * UINT64_C(0x9e3779b97f4a7c15) >> 58);
	r->until = hot_ops(h);
	if (!r->root) {          /* nobody sees how often a root could run */
		r->until += r->skips * r->plan->region->n;
		r->skips = 0;
		if (h->count == 1)       /* what is eager now need not be recorded either */
			recorder_nap(&h->recorder, (r->until - hot_ops(h)) / 2);
	}
	r->since = 0;
	counter_add(r->verdict == HOT_BLACKLISTED ? &h->counts.blacklisted : &h->counts.demotions,
		1);
	if (r->verdict == HOT_BLACKLISTED) {
		h->lost++;
		hot_bar_kept(h, r->plan->region->signature);
	}
	if (h->talks)
		hot_say_disabled(r);
}

/* It was T2 that was too slow; what T1 takes will be seen. */
static void demote(hot *h, hot_run *r)
{
	fused_judge_lost(h, r, ratio_of(r), MIN(r->replay.n, HOT_TIMES));
	r->verdict = HOT_RUNS;
	r->warm = time_of(r, &r->eager);
	r->replay.n = 0;
}

static bool is_dearer(uint64_t replay, uint64_t eager)
{
	return replay * GAIN > eager * 100;
}

static int compare_medians(const hot_times *a, const hot_times *b)
{
	return is_dearer(hot_times_median(a), hot_times_median(b));
}

static void lose(hot *h, hot_run *r)
{
	if (r->fused.count && !r->fused.judge.off)
		demote(h, r);
	else
		bar(h, r);
}

static void win(hot_run *r, uint64_t warm)
{
	r->verdict = HOT_RUNS;
	r->warm = warm;
}

static void try_further(hot *h, hot_run *r)
{
	const uint32_t wanted = hot_times_wanted(r->round);
	int than;

	if (r->tries > TRIES_MAX) {
		win(r, UINT64_MAX / 128);
		return;
	}
	if (r->eager.n < wanted)
		run_eagerly(h, r);
	if (r->eager.n < wanted || r->replay.n < wanted)
		return;
	than = moves(r) ? compare_medians(&r->replay, &r->eager) :
		hot_times_compare(&r->replay, &r->eager, r->round);
	if (than > 0)
		lose(h, r);
	else if (than < 0 || r->round == HOT_ROUNDS - 1)
		win(r, time_of(r, &r->eager));
	else
		r->round++;
}

/* There are enough times of what is to stay to be looked at. */
static bool is_due(const hot_run *r)
{
	const uint32_t n = r->replay.n;

	return !fused_judge_tries(&r->fused) && n &&
		((n == FIRST && r->warm) || n % HOT_TIMES == 0);
}

/* What a young session took may have been the price of everything that is done for the first time.
 * Once, later, eager execution shows what it takes by then, unless it cannot win. */
static bool is_suspect(const hot_run *r)
{
	const uint64_t ns = time_of(r, &r->replay);

	return is_dearer(ns, r->warm) || (!r->tested && r->replay.n >= TESTED_AT &&
		ns * 100 > r->warm * CLEAR);
}

static void judge(hot *h, hot_run *r)
{
	if (r->verdict == HOT_ON_TRIAL)
		try_further(h, r);
	else if (is_due(r) && is_suspect(r))
		begin_trial(r);
}

/* A stretch was timed, and nothing is open. */
static bool may_rest(const hot_run *r)
{
	return r->verdict == HOT_RUNS && !fused_judge_tries(&r->fused) &&
		r->replay.n >= (r->tested ? HOT_TIMES : TESTED_AT + 1u);
}

bool hot_judge_settles(const hot *h, const hot_run *r)
{
	const bool waits = r->fused.asked && !r->fused.count;

	if (r->verdict >= HOT_BARRED || r->moves == MOVES_MAX ||
			hot_ops(h) - r->completed > UNUSED)
		return false;
	return r->verdict == HOT_ON_TRIAL || waits || !may_rest(r);
}

static void add_time(hot *h, hot_run *r, uint64_t ns)
{
	if (r->verdict == HOT_ON_TRIAL || !fused_judge_tries(&r->fused))
		hot_times_add(&r->replay, ns);
	r->clear = r->warm < UINT64_MAX / 256 &&
		time_of(r, &r->replay) * 100 <= r->warm * AHEAD;
	fused_judge_stretch(h, r, ns);
}

/* Other shapes, other times. Those before there was a plan were of the first. */
static void forget(hot_run *r)
{
	if (r->replay.n)
		r->warm = 0;
	r->replay.n = r->eager.n = r->fused.judge.times[0].n = 0;
	r->verdict = HOT_RUNS;
}

/* Whether times before this stretch say nothing of it: its shapes are new, and that is rare; or it has
 * just become usual, or ceased to be. */
static bool has_moved(hot_run *r)
{
	const bool changed = r->changes != r->plan->changes, usual = moves(r);

	if (changed)
		r->moves = MIN(r->moves + MOVED, MOVES_MAX);
	else
		r->moves -= r->moves > 0;
	return moves(r) != usual || (changed && !usual);
}

/* The border of two stretches. */
static void end_stretch(hot *h, hot_run *r)
{
	const uint64_t now = hot_busy(h);

	r->stretch = 0;
	if (has_moved(r)) {
		forget(r);
		r->warm = moves(r) ? 0 : r->warm;
	} else if (r->since) {
		add_time(h, r, now - r->since);
		r->rests = may_rest(r) ? RESTS * r->reps : 0;
	}
	r->fused.judge.taken = 0;
	r->since = now;
	r->changes = r->plan->changes;
	judge(h, r);
}

void hot_judge_run(hot *h, hot_run *r)
{
	if (h->sync)
		return;
	take_eager(r);
	if (r->rests && r->verdict == HOT_RUNS) {
		r->rests--;
		hot_judge_exit(r);
		h->quiet = r->rests && h->count == 1 && h->rest.phase == HOT_LISTENS;
	} else if (!r->since || ++r->stretch >= r->reps) {
		end_stretch(h, r);
	}
}

void hot_judge_side(hot *h, hot_run *r, uint64_t ns)
{
	if (r->changes != r->plan->changes) {
		forget(r);
	} else {
		add_time(h, r, ns);
	}
	r->changes = r->plan->changes;
	judge(h, r);
}

void hot_judge_exit(hot_run *r)
{
	r->since = r->stretch = r->fused.judge.taken = 0;
	r->untested = 0;
}

void hot_judge_made(hot_run *r)
{
	if (r->verdict != HOT_BARRED)
		return;
	r->until = 0;
	r->skips = 0;
}

bool hot_allowed(hot *h, hot_run *r)
{
	if (LIKELY(r->verdict < HOT_BARRED))
		return true;
	if (r->verdict == HOT_BLACKLISTED || hot_ops(h) < r->until)
		return false;
	r->verdict = HOT_RUNS;
	r->warm = time_of(r, &r->eager);
	r->replay.n = 0;
	return true;
}
