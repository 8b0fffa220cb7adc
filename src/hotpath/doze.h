/* doze.h: when a miner need not look at every op: nothing has repeated for long, or what does is far
 * from being hot. Then it looks now and then and naps in between, each nap twice as long as the one
 * before while nothing comes of the looks.
 */
#ifndef HOTPATH_DOZE_H
#define HOTPATH_DOZE_H

#include "hotpath/track.h"

#define DOZE_AFTER    262144u    /* ops that no loop took before the first nap */
#define DOZE_FAR      16u        /* looks at loops, one in 4,096 ops, that found all of them far */
#define DOZE_LOOK     8192u      /* ops that are looked at between naps, .. */
#define DOZE_LONG_IN  16u        /* .. and one time in so many as many as long loops take */
#define DOZE_NAPS_MAX 31u        /* times DOZE_LOOK */

typedef struct doze {
	bool asleep;
	uint64_t since, until;           /* op; awake: not to nap before that one */
	unsigned length, naps;           /* of the next nap, times DOZE_LOOK; those so far */
	unsigned far;                    /* looks in a row that found all loops far */
} doze;

/* Op `ops` comes, the last that meant anything was `idle` ago. */
static inline bool doze_wants_nap(doze *d, uint64_t ops, uint64_t idle)
{
	if (ops < d->until)
		return false;
	if (idle >= DOZE_AFTER || d->far >= DOZE_FAR)
		return true;
	d->length = 1;
	return false;
}

/* How many ops it is for. */
static inline uint64_t doze_begin(doze *d, uint64_t ops)
{
	const uint64_t length = MAX(d->length, 1) * (uint64_t)DOZE_LOOK;

	d->asleep = true;
	d->since = ops;
	d->until = ops + length;
	d->length = MIN(2 * MAX(d->length, 1), DOZE_NAPS_MAX);
	return length;
}

/* How many it has been. */
static inline uint64_t doze_end(doze *d, uint64_t ops)
{
	const bool longer = ++d->naps % DOZE_LONG_IN == 0;

	d->asleep = false;
	d->until = ops + (longer ? TRACK_WINDOW_MAX : DOZE_LOOK);
	return ops - d->since;
}

#endif
