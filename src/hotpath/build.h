/* build.h: from two periods of history to a region, in steps that each look at one op.
 *
 * The two periods are a list of 2n ops of the history: neighbours for an exact loop, what is common
 * to both where foreign ops come between. In order: is the period not itself a repetition; what is
 * alive where; where to cut; the canonical list; what is used later. The history must not change
 * before the building is done.
 */
#ifndef HOTPATH_BUILD_H
#define HOTPATH_BUILD_H

#include "hotpath/history.h"
#include "hotpath/region.h"
#include "hotpath/scratch.h"

#define BUILD_GRAM 8             /* tokens that tell the beginning of a region */

typedef enum build_state { BUILD_IDLE, BUILD_BUSY, BUILD_DONE, BUILD_REFUSED } build_state;

typedef struct build {
	build_state state;
	const history *h;
	uint64_t *pos;           /* 2n ops of the history, ascending */
	uint32_t n, capacity;
	bool noisy;
	unsigned phase;
	uint64_t i;              /* where the phase is */
	uint32_t *index;         /* per op: the phase's own; 2n */
	int64_t *bytes;          /* n + 1: alive across the cut before op c */
	uint32_t cut;            /* the region is pos[cut .. cut + n - 1] */
	scratch made;            /* id -> index into pos */
	scratch other;           /* grams; then id -> live-in */
	region *region;
	uint32_t inputs_room, live_ins_room;
} build;

void build_init(build *b);               /* idle */
void build_fini(build *b);
/* Begin. pos[2n] is filled by the caller into build_room's memory. */
uint64_t *build_room(build *b, uint32_t n);
void build_begin(build *b, const history *h, bool noisy);
/* One step; false when there is none left: DONE (the region is there, build_take gives it away) or
 * REFUSED (the period is a multiple of a shorter one). */
bool build_step(build *b);
region *build_take(build *b);

static inline uint64_t build_token(const build *b, uint32_t i)
{
	return history_token(b->h, b->pos[i]);
}

/* cut.c: the phases that choose the cut, see there. Each does step b->i and tells if it is the
 * last. */
bool cut_alive(build *b);
bool cut_sum(build *b);
bool cut_choose(build *b);

#endif
