/* follow.c: which of the loops an op of the stream belongs to, and what comes of the runs that end
 * with it.
 *
 * Most ops are looked at by the loops alone that are in a run; the others see those that could be
 * their first. Loops that do not count are not followed: should what replaced them stop, they are
 * found again. One that was judged several times and takes too little pauses: a program that
 * branches has more combinations of its turns than a loop can be made of.
 */
#include "hotpath/track.h"

#define LOSSES_MOST   8u         /* runs in a row that break off before it is asked why */

/* Runs that were passed over. */
static void credit_passed(const track *t, loop *l)
{
	const uint64_t ops = t->ops - l->last;

	if (l->last && l->last < t->passed && ops % l->n == 0)
		l->runs += ops / l->n - 1;
}

/* Loop l has just completed a run. */
static void complete(track *t, loop *l)
{
	if (!loop_proven(l) && !track_busy(t))
		job_compare(t, l);
	else
		track_check_hot(t, l);
}

/* Run by run it breaks off: an op that is not the loop's does not come again. */
static void note_losses(track *t, loop *l)
{
	l->losses = 0;
	if (l->noisy && !l->hot)
		track_try_another(t, l);
}

/* ---- which loops see an op ------------------------------------------------------------------- */

static bool counts(const loop *l)
{
	return l->n && !l->replaced && !l->paused;
}

void follow_list(track *t)
{
	t->followed = 0;
	t->beginnings = 0;
	t->resume = UINT64_MAX;
	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		const loop *l = &t->loops[k];

		if (l->n && l->paused)
			t->resume = MIN(t->resume, l->paused);
		if (!counts(l))
			continue;
		t->followed |= 1u << k;
		t->beginnings |= UINT64_C(1) << l->tokens[0] % 64;
	}
	t->awake = t->followed;
}

void follow_pause(track *t, loop *l, uint64_t ops)
{
	l->paused = t->ops + ops;
	loop_lose(l);
	follow_list(t);
}

void follow_resume(track *t, uint64_t at)
{
	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		loop *l = &t->loops[k];

		if (!l->n || !l->paused || l->paused > at)
			continue;
		l->paused = 0;
		track_judge(t, l);
	}
	follow_list(t);
}

/* Whether the loop has to see the next op, whatever that is. */
static void stay_awake(track *t, const loop *l)
{
	const uint32_t bit = 1u << (l - t->loops);

	t->awake = l->at || l->streak ? t->awake | bit : t->awake & ~bit;
}

/* ---- an op ----------------------------------------------------------------------------------- */

track_took follow_op(track *t, uint64_t n, uint64_t token, uint64_t desc)
{
	track_took took = TRACK_FOREIGN;
	uint32_t asked = t->awake;
	loop *least = NULL;
	unsigned takers = 0;

	if (UNLIKELY(t->ops >= t->resume))
		follow_resume(t, t->ops);
	if (t->beginnings >> token % 64 & 1)
		asked = t->followed;
	for (; asked; asked &= asked - 1) {
		loop *l = &t->loops[__builtin_ctz(asked)];
		const uint64_t runs = l->runs;

		if (!counts(l))          /* any more, since this op came */
			continue;
		if (!loop_follow(l, n, token, desc)) {
			if (UNLIKELY(l->losses >= LOSSES_MOST))
				note_losses(t, l);
			stay_awake(t, l);
			continue;
		}
		stay_awake(t, l);
		took = MAX(took, l->hot ? TRACK_HOT : TRACK_KNOWN);
		takers++;
		least = least && least->n < l->n ? least : l;
		if (l->runs != runs) {
			credit_passed(t, l);
			complete(t, l);
		}
	}
	if (takers == 1)
		least->alone++;
	if (took == TRACK_KNOWN)
		least->extra++;
	return took;
}
