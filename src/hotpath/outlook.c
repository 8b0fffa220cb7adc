/* outlook.c: what may be expected of a stream soon. */
#include "hotpath/track.h"

#define HOPE_OPS (UINT64_C(1) << 20)     /* to come before a loop is hot: that is not far */
#define HOPE_RUN 256u                    /* ops that a candidate held for */
#define FAR_OPS  (UINT64_C(1) << 24)     /* to come before a loop is hot: that is far */

bool track_is_far(const track *t)
{
	bool any = false;

	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		const loop *l = &t->loops[k];

		if (!l->n || l->replaced)
			continue;
		if (l->hot || !loop_proven(l) || l->runs >= t->threshold ||
				t->threshold - l->runs < FAR_OPS / l->n)
			return false;
		any = true;
	}
	return any;
}

static uint64_t longest_hot(const track *t)
{
	uint64_t n = 0;

	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if (t->loops[k].hot && !t->loops[k].replaced)
			n = MAX(n, t->loops[k].n);
	return n;
}

/* It completed a run lately, and those that it lacks are not many ops. */
static bool is_near(const track *t, const loop *l)
{
	return !l->replaced && !l->hot && l->runs < t->threshold &&
		t->threshold - l->runs < HOPE_OPS / l->n && t->ops - l->last < 2 * (uint64_t)l->n;
}

uint64_t track_hopes(const track *t)
{
	const uint64_t longest = longest_hot(t);
	uint64_t period = 0;

	if (t->enough)
		return 0;
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if (t->loops[k].n > longest && is_near(t, &t->loops[k]))
			period = MAX(period, t->loops[k].n);
	for (unsigned k = 0; k < TRACK_CANDIDATES; k++)
		if (t->candidates[k].period > longest && t->candidates[k].run >= HOPE_RUN)
			period = MAX(period, t->candidates[k].period);
	return MIN(period * MIN(t->threshold, HOPE_OPS), HOPE_OPS);
}

bool track_settles(const track *t)
{
	bool any = false;

	for (unsigned k = 0; k < TRACK_LOOPS && !any; k++)
		any = cover_settles(&t->loops[k]);
	return any;
}
