/* cover.c: now and then, how much of the stream the known loops cover, and what follows from it:
 * an alignment, a longer history, loops that retire, a loop that is all there is.
 */
#include "hotpath/track.h"

#define CHECK_LAST    4096u
#define ALIGN_LAST    65536u     /* ops between two alignments that lead to nothing, in the end */
#define SHARE_ENOUGH  80u        /* per cent covered below which an alignment is tried */
#define SHARE_ALL     95u        /* of one loop alone, above: it is all there is */
#define LOOKS_MOST    (REGION_PERIOD_MAX / CHECK_LAST)    /* they span the longest period */
#define PARTIAL_MOST  2u         /* at first it may have been found between two looks */
#define SHARE_SMALL   25u        /* a loop that takes less of what others take as well retires */

/* Whether a long candidate is well on its way, or a loop is being counted right now: wait. */
static bool is_promising(const track *t)
{
	for (unsigned k = 0; k < TRACK_CANDIDATES; k++) {
		const candidate *c = &t->candidates[k];

		if (c->run >= 64 && c->run >= c->period / 8 && c->run < c->period)
			return true;
	}
	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		const loop *l = &t->loops[k];

		if (l->n && l->streak >= l->n && (!l->hot || t->share < SHARE_ENOUGH))
			return true;
	}
	return false;
}

/* Others took its ops as well: its runs are not counted twice. */
static void retire(track *t, loop *l)
{
	const uint32_t n = l->n;

	track_tell(t, PROPOSAL_RETIRED, l);
	l->replaced = true;
	track_evict(t, l);
	track_refuse(t, n);
}

/* Settled: nearly everything for so long that no longer period can be around it. */
static void judge_settled(track *t, loop *l, uint64_t ops)
{
	const uint64_t share = l->taken * 100 / ops;

	if (l->settled < LOOKS_MOST) {
		l->settled = share >= SHARE_ALL ? l->settled + 1 : 0;
		l->partial = share >= SHARE_ALL ? 0 : l->partial + 1;
		if (l->settled == LOOKS_MOST)
			track_tell(t, PROPOSAL_SETTLED, l);
	} else if (share < SHARE_ENOUGH) {
		l->settled = 0;
		track_tell(t, PROPOSAL_UNSETTLED, l);
	}
}

bool cover_settles(const loop *l)
{
	return l->hot && !l->replaced && l->settled < LOOKS_MOST && l->partial < PARTIAL_MOST;
}

/* A hot loop that takes little, and hardly anything that no other one takes, is of no use. One that
 * takes nothing stays: the program may come back to it. A loop that is a part of a long period has
 * its turn once in a while. */
static void judge_use(track *t, loop *l, uint64_t ops)
{
	if (!l->taken)
		return;
	if (l->taken * 100 >= ops * SHARE_SMALL || l->alone * 100 >= ops)
		l->idle = 0;
	else if (++l->idle == LOOKS_MOST)
		retire(t, l);
}

static void judge_hot(track *t, loop *l, uint64_t ops)
{
	judge_settled(t, l, ops);
	judge_use(t, l, ops);
}

/* What the loops did in the last `ops` ops; returns how many the best of them took. */
static uint64_t judge_loops(track *t, uint64_t ops)
{
	uint64_t most = 0;

	t->enough = false;
	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		loop *l = &t->loops[k];

		most = MAX(most, l->taken);
		t->enough |= l->hot && !l->replaced && loop_is_nearly_all(l, l->taken, ops);
		if (l->hot && !l->replaced && ops >= CHECK_LAST)
			judge_hot(t, l, ops);
		l->taken = l->alone = 0;
	}
	return most;
}

static void try_alignment(track *t)
{
	if (t->ops < t->align_at || is_promising(t))
		return;
	t->align_at = t->ops + t->align_step;
	t->align_step = MIN(2 * t->align_step, ALIGN_LAST);
	job_align(t);
}

void cover_check(track *t)
{
	const uint64_t ops = t->ops - t->check_ops, most = judge_loops(t, ops);
	const unsigned before = t->share;

	t->single = (unsigned)(most * 100 / ops);
	t->share = (unsigned)((t->covered - t->check_covered) * 100 / ops);
	if (t->single < SHARE_ALL)
		t->solo_since = t->ops;
	t->check_ops = t->ops;
	t->check_covered = t->covered;
	t->check_step = MIN(2 * t->check_step, CHECK_LAST);
	t->check_at = t->ops + t->check_step;
	if (t->share < SHARE_ENOUGH / 2)
		memset(t->refused, 0, sizeof(t->refused));
	if (t->share + 20 < before) {    /* something else has begun */
		t->align_step = ALIGN_FIRST;
		t->align_at = t->ops;
		follow_resume(t, UINT64_MAX);
	}
	if (t->single < SHARE_ENOUGH)
		try_alignment(t);
}

/* Whether a period that held for a while asks for more than there is room for, twice. */
static bool needs_more(const track *t)
{
	for (unsigned k = 0; k < TRACK_CANDIDATES; k++)
		if (t->candidates[k].run >= 64 && t->candidates[k].period * 2 > t->h.room)
			return true;
	return false;
}

/* A full history grows unless one loop is all there has been in most of it. */
bool cover_wants_growth(const track *t)
{
	const bool most = t->share < SHARE_ENOUGH || needs_more(t);

	return t->h.room < (most ? TRACK_WINDOW_MAX : TRACK_WINDOW_MAX / 2) &&
		t->ops - t->solo_since < t->h.room / 4 * 3;
}
