/* hot_judge.c: never slower: what plans cost, and what becomes of those that do not pay.
 *
 * Time is the executor's, spent in slices of the stream; waiting for a client is nobody's. Runs are
 * timed from completion to completion, short ones several at a time (a stretch). What the stream
 * cost before there was a plan says what to expect. If the least of sixteen stretches is dearer
 * than that, or the shapes have changed since, the plan goes on trial: eager stretches and replayed
 * ones take turns until there are sixteen of each, and the leasts are compared. A plan that loses
 * is barred for a while, which doubles each time, and at last for good.
 *
 * With GT_COMPILE_SYNC nothing is judged: tests want the same runs every time.
 */
#include "worker/hot.h"

#include <stdlib.h>
#include "base/clock.h"

#define STRETCH_OPS 64           /* a stretch has at least as many */
#define GAIN        98           /* per cent of eager's time that replay's must not exceed / 100 */
#define TRIES_MAX   64           /* eager stretches of a trial; those that were disturbed too */
#define BARRED_RUNS 64           /* the first time */
#define LIVES       5

uint64_t hot_busy(const hot *h)
{
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

/* ---- before there was a plan ----------------------------------------------------------------- */

void hot_mark_pace(hot *h)
{
	const uint64_t ops = hot_ops(h);

	if (h->marked && ops - h->marks[(h->marked - 1) % HOT_MARKS].ops < HOT_MARK_OPS)
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

static void begin_trial(hot_run *r)
{
	r->verdict = HOT_ON_TRIAL;
	r->replay.n = r->eager.n = r->tries = 0;
}

/* The next stretch runs eagerly; of what is settled the miner is told as if it were replayed. */
static void run_eagerly(hot *h, hot_run *r)
{
	if (r->root) {           /* hot_side.c sees to it, the next time it could run */
		r->tries++;
		r->declined = true;
		return;
	}
	if (h->under_way || r->tries++ > TRIES_MAX)
		return;
	h->trial = r;
	h->mute = r->settled;
	r->until = hot_ops(h) + (uint64_t)r->reps * r->plan->region->n;
}

void hot_judge_eager(hot *h)
{
	hot_run *r = h->trial;

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

static void bar(hot *h, hot_run *r)
{
	const uint64_t penalty = (uint64_t)BARRED_RUNS << r->demotions;

	r->ratio = (double)hot_times_least(&r->eager) / (double)hot_times_least(&r->replay);
	r->verdict = ++r->demotions > LIVES ? HOT_BLACKLISTED : HOT_BARRED;
	/* A few odd runs more, so that two plans do not come back in step for ever. */
	r->skips = penalty + (r->moved * UINT64_C(0x9e3779b97f4a7c15) >> 58);
	r->until = hot_ops(h);
	if (!r->root) {          /* nobody sees how often a root could run */
		r->until += r->skips * r->plan->region->n;
		r->skips = 0;
	}
	r->since = 0;
	counter_add(r->verdict == HOT_BLACKLISTED ? &h->counts.blacklisted : &h->counts.demotions,
		1);
	if (r->verdict == HOT_BLACKLISTED)
		hot_bar_kept(h, r->plan->region->signature);
	if (h->talks)
		hot_say_disabled(r);
}

/* It was T2 that was too slow; what T1 takes will be seen. */
static void demote(hot *h, hot_run *r)
{
	fused_judge_bar(h, r);
	r->verdict = HOT_RUNS;
	r->warm = hot_times_least(&r->eager);
	r->replay.n = 0;
}

static bool is_dearer(uint64_t replay, uint64_t eager)
{
	return replay * GAIN > eager * 100;
}

static void try_further(hot *h, hot_run *r)
{
	const bool over = r->tries > TRIES_MAX;

	if (!over && (r->eager.n < HOT_TIMES || r->replay.n < HOT_TIMES)) {
		if (r->eager.n < HOT_TIMES)
			run_eagerly(h, r);
		return;
	}
	if (!over && is_dearer(hot_times_least(&r->replay), hot_times_least(&r->eager))) {
		if (r->fused.count && !r->fused.judge.off)
			demote(h, r);
		else
			bar(h, r);
		return;
	}
	r->verdict = HOT_RUNS;
	r->warm = over ? UINT64_MAX / 128 : hot_times_least(&r->eager);
}

static void judge(hot *h, hot_run *r)
{
	if (r->verdict == HOT_ON_TRIAL)
		try_further(h, r);
	else if (r->replay.n >= HOT_TIMES && r->replay.n % HOT_TIMES == 0 &&
			is_dearer(hot_times_least(&r->replay), r->warm))
		begin_trial(r);
}

/* Other shapes, other times. Those before there was a plan were of the first. */
static void forget(hot_run *r)
{
	if (r->replay.n)
		r->warm = 0;
	r->replay.n = r->eager.n = 0;
	r->verdict = HOT_RUNS;
}

void hot_judge_run(hot *h, hot_run *r)
{
	uint64_t now;

	if (h->sync)
		return;
	take_eager(r);
	if (++r->stretch < r->reps)
		return;
	now = hot_busy(h);
	r->stretch = 0;
	if (r->changes != r->plan->changes) {
		forget(r);
	} else if (r->since) {
		hot_times_add(&r->replay, now - r->since);
		fused_judge_stretch(h, r, now - r->since);
	}
	r->since = now;
	r->changes = r->plan->changes;
	judge(h, r);
}

void hot_judge_side(hot *h, hot_run *r, uint64_t ns)
{
	if (r->changes != r->plan->changes) {
		forget(r);
	} else {
		hot_times_add(&r->replay, ns);
		fused_judge_stretch(h, r, ns);
	}
	r->changes = r->plan->changes;
	judge(h, r);
}

void hot_judge_exit(hot_run *r)
{
	r->since = r->stretch = r->fused.judge.taken = 0;
	r->untested = 0;
}

bool hot_allowed(hot *h, hot_run *r)
{
	if (LIKELY(r->verdict < HOT_BARRED))
		return true;
	if (r->verdict == HOT_BLACKLISTED || hot_ops(h) < r->until)
		return false;
	r->verdict = HOT_RUNS;
	r->warm = hot_times_least(&r->eager);
	r->replay.n = 0;
	return true;
}
