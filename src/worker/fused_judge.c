/* fused_judge.c: is a fused plan worth it? T2 has to gain on T1.
 *
 * When there is a plan, stretches of T2 and of T1 take turns in blocks until one is clearly faster
 * (hot_times_compare); what T1 was seen to take before counts to begin with, and T2 need not be
 * compared where it takes less than half of what eager execution did. What comes right behind a
 * change of tiers does not count, nor do runs beside which code is proved, nor those that learn to
 * leap: a tier is judged by what it will be. If T2 loses, T1 it is for a while, which doubles each
 * time, and at last for good. Whether the winner is faster than eager execution hot_judge.c finds
 * out.
 */
#include "worker/hot.h"

#define CLEAR       40           /* hundredths of eager's time that T2 takes at most where it is
                                    not compared */
#define KNOWN       4            /* stretches of T1 before there was a plan that count */
#define PROOFS      3            /* runs of a plan beside which code may be proved */
#define LEARNS      8            /* runs in which leaps are learnt, or never */
#define TRIES_MAX   128          /* stretches of a trial; those that were disturbed too */
#define BARRED_RUNS 64           /* the first time; */
#define FAR         115          /* .. four times as many if T2 took more than that per cent of T1 */
#define LIVES       5

/* So much faster than eager execution was that T1 need not be asked: it saves tens of ns an op. */
static bool is_clear(const hot_run *r)
{
	return hot_times_least(&r->fused.judge.times[1]) * 100 <= r->warm * CLEAR &&
		r->warm < UINT64_MAX / 256;
}

bool fused_judge_tries(const fused *u)
{
	const fused_judge *j = &u->judge;

	return u->count && !j->settled && !j->until && !j->blacklisted && !j->waits;
}

/* From now on T1's runs are leaps. */
void fused_judge_leaps(fused_judge *j)
{
	j->times[0].n = 0;
	j->skips = 1;
}

static void begin_trial(fused_judge *j)
{
	j->round = j->tries = 0;
	j->skips = 1;
	j->times[0].n = MIN(j->times[0].n, KNOWN);
	j->times[1].n = 0;
}

/* Where plans take turns each of them would be on trial all the time. */
void fused_judge_forget(fused_judge *j)
{
	if (j->begun)
		j->times[0].n = 0;
	j->waits = j->begun ? HOT_TIMES : 0;
	j->begun = true;
	j->settled = false;
	j->taken = 0;
	j->off = j->blacklisted || j->until;
	begin_trial(j);
}

static void settle(hot *h, hot_run *r)
{
	fused_judge *j = &r->fused.judge;

	j->settled = true;
	j->off = false;
	r->replay.n = 0;
	if (h->talks)
		hot_say_speedup(r);
}

static bool is_far(const fused_judge *j)
{
	return hot_times_least(&j->times[1]) * 100 > hot_times_least(&j->times[0]) * FAR;
}

static void bar(hot *h, hot_run *r)
{
	fused_judge *j = &r->fused.judge;
	const uint64_t penalty = (uint64_t)BARRED_RUNS << (j->demotions + 2 * is_far(j));

	j->blacklisted = ++j->demotions > LIVES;
	j->until = r->runs + penalty + (hot_ops(h) * UINT64_C(0x9e3779b97f4a7c15) >> 58);
	j->settled = false;
	j->off = true;
	r->replay.n = 0;
	counter_add(j->blacklisted ? &h->counts.fused_blacklisted : &h->counts.fused_demotions, 1);
	if (j->blacklisted)
		hot_bar_kept(h, r->plan->region->signature);
	if (h->talks)
		hot_say_demoted(r);
}

static void lose(hot *h, hot_run *r)
{
	fused_judge *j = &r->fused.judge;

	j->ratio = (double)hot_times_least(&j->times[0]) / (double)hot_times_least(&j->times[1]);
	j->over = MIN(j->times[1].n, HOT_TIMES);
	j->by_eager = false;
	bar(h, r);
}

void fused_judge_lost(hot *h, hot_run *r, double ratio, uint32_t over)
{
	r->fused.judge.ratio = ratio;
	r->fused.judge.over = over;
	r->fused.judge.by_eager = true;
	bar(h, r);
}

/* Both were seen often enough for this round. */
static void decide(hot *h, hot_run *r)
{
	fused_judge *j = &r->fused.judge;
	const int than = hot_times_compare(&j->times[1], &j->times[0], j->round);

	if (than < 0)
		settle(h, r);
	else if (than > 0 || j->round == HOT_ROUNDS - 1)
		lose(h, r);
	else
		j->round++;
}

/* Stretches behind a change of tiers that do not count: short ones run cold for a while. */
static uint32_t lead_of(const hot_run *r)
{
	return 1 + HOT_LEAD_OPS / (r->reps * r->plan->region->n);
}

static void judge(hot *h, hot_run *r)
{
	fused_judge *j = &r->fused.judge;
	const uint32_t wanted = hot_times_wanted(j->round);

	if (j->times[1].n >= hot_times_wanted(0) && is_clear(r)) {
		settle(h, r);
	} else if (j->times[!j->off].n < wanted) {
		return;
	} else if (j->times[j->off].n < wanted) {
		j->off = !j->off;
		j->skips = lead_of(r);
	} else {
		decide(h, r);
	}
}

/* The stretch was of a tier as it will be. */
static bool counts(const hot_run *r, unsigned tier)
{
	const fused *u = &r->fused;

	if (!script_ready(&r->script))
		return r->runs > LEARNS * (uint64_t)r->reps;
	if (!tier)
		return calls_ready(&r->calls);
	return u->count && u->plans[0]->completed >= PROOFS + lead_of(r);
}

/* T1 has been on for as long as it had to be; the stretch at hand is its last one. */
static void look_at_penalty(hot_run *r)
{
	fused_judge *j = &r->fused.judge;

	if (!j->until || j->blacklisted || r->runs < j->until)
		return;
	j->until = 0;
	j->off = false;
	begin_trial(j);
	j->skips = 1 + lead_of(r);
}

void fused_judge_stretch(hot *h, hot_run *r, uint64_t ns)
{
	fused_judge *j = &r->fused.judge;
	const uint32_t taken = j->taken;
	const unsigned tier = taken != 0;

	j->taken = 0;
	look_at_penalty(r);
	if (r->verdict != HOT_RUNS || (taken && taken != r->reps))
		return;
	if (fused_judge_tries(&r->fused) && ++j->tries > TRIES_MAX) {
		settle(h, r);            /* too lively a place to judge */
		return;
	}
	if (!counts(r, tier))
		return;
	if (j->skips) {
		j->skips--;
		return;
	}
	hot_times_add(&j->times[tier], ns);
	j->waits -= tier && j->waits;
	if (fused_judge_tries(&r->fused))
		judge(h, r);
}
