/* fused_judge.c: is a fused plan worth it? T2 has to gain on T1.
 *
 * The least of sixteen stretches of T2 is compared with the least that T1 was seen to take before,
 * in leaps if it can. If that is no clear gain, or T1 was hardly seen, there is a trial: stretches of T1 and of T2 take
 * turns until there are sixteen of each. If T2 loses, T1 it is for a while, which doubles each time,
 * and at last for good. Whether the winner is faster than eager execution hot_judge.c finds out.
 */
#include "worker/hot.h"

#define GAIN        98           /* T2's time must not exceed so many hundredths of T1's */
#define CLEAR       40           /* .. and of eager execution's */
#define SEEN        2            /* stretches of T1 that say what it takes */
#define TRIES_MAX   64           /* stretches of a trial; those that were disturbed too */
#define BARRED_RUNS 64           /* the first time */
#define LIVES       5

static bool gains(const fused_judge *j)
{
	return hot_times_least(&j->times[1]) * 100 <= hot_times_least(&j->times[0]) * GAIN;
}

/* So much faster than eager execution was that T1 need not be asked: it saves tens of ns an op. */
static bool is_clear(const hot_run *r)
{
	return hot_times_least(&r->fused.judge.times[1]) * 100 <= r->warm * CLEAR &&
		r->warm < UINT64_MAX / 256;
}

/* T1 was seen as it is: runs that will be leaps were. */
static bool knows_replay(const hot_run *r)
{
	return r->fused.judge.times[0].n >= SEEN &&
		(!script_ready(&r->script) || calls_ready(&r->calls));
}

/* From now on T1's runs are leaps. */
void fused_judge_leaps(fused_judge *j)
{
	j->times[0].n = 0;
	if (!j->on_trial && !j->off) {
		j->settled = false;
		j->times[1].n = 0;
	}
}

void fused_judge_forget(fused_judge *j)
{
	j->times[0].n = j->times[1].n = 0;
	j->on_trial = j->settled = false;
	j->taken = 0;
	j->off = j->blacklisted || j->until;
}

static void settle(hot *h, hot_run *r)
{
	fused_judge *j = &r->fused.judge;

	j->settled = true;
	j->on_trial = j->off = false;
	if (h->talks)
		hot_say_speedup(r);
}

void fused_judge_bar(hot *h, hot_run *r)
{
	fused_judge *j = &r->fused.judge;
	const uint64_t penalty = (uint64_t)BARRED_RUNS << j->demotions;

	j->ratio = hot_times_least(&j->times[1]) ? (double)hot_times_least(&j->times[0]) /
		(double)hot_times_least(&j->times[1]) : 0;
	j->blacklisted = ++j->demotions > LIVES;
	j->until = r->runs + penalty + (hot_ops(h) * UINT64_C(0x9e3779b97f4a7c15) >> 58);
	fused_judge_forget(j);
	counter_add(j->blacklisted ? &h->counts.fused_blacklisted : &h->counts.fused_demotions, 1);
	if (j->blacklisted)
		hot_bar_kept(h, r->plan->region->signature);
	if (h->talks)
		hot_say_demoted(r);
}

static void begin_trial(fused_judge *j)
{
	j->on_trial = true;
	j->tries = 0;
	j->times[0].n = j->times[1].n = 0;
}

static void try_further(hot *h, hot_run *r)
{
	fused_judge *j = &r->fused.judge;

	j->off = !j->off;
	if (j->times[0].n >= HOT_TIMES && j->times[1].n >= HOT_TIMES)
		gains(j) ? settle(h, r) : fused_judge_bar(h, r);
	else if (++j->tries > TRIES_MAX)         /* too lively a place to judge */
		settle(h, r);
}

static void judge(hot *h, hot_run *r)
{
	fused_judge *j = &r->fused.judge;

	if (j->on_trial) {
		try_further(h, r);
	} else if (!j->settled && j->times[1].n >= HOT_TIMES) {
		if ((knows_replay(r) && gains(j)) || is_clear(r))
			settle(h, r);
		else
			begin_trial(j);
	}
}

void fused_judge_stretch(hot *h, hot_run *r, uint64_t ns)
{
	fused_judge *j = &r->fused.judge;
	const uint32_t taken = j->taken;

	j->taken = 0;
	if (j->until && !j->blacklisted && r->runs >= j->until) {
		j->until = 0;
		j->off = false;
	}
	if (r->verdict != HOT_RUNS || j->until)
		return;
	if (!taken)
		hot_times_add(&j->times[0], ns);
	else if (taken == r->reps)
		hot_times_add(&j->times[1], ns);
	if (r->fused.count)
		judge(h, r);
}
