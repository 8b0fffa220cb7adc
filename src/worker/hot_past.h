/* hot_past.h: what a young session executed, word for word, leaps left out: so that a loop's first
 * plan can be compiled from a run that was over before anybody knew that there is a loop.
 *
 * The executor appends, the miner's side reads behind it. It ends after PAST_WORDS: a program that
 * runs for longer can wait for one more run. Where listening began later, with a part that the
 * program marks, say, it begins with what there was: parameters, mostly.
 */
#ifndef WORKER_HOT_PAST_H
#define WORKER_HOT_PAST_H

#include "worker/compile.h"
#include "worker/store.h"

#define PAST_WORDS (1u << 17)
#define PAST_GIVEN 2048          /* values that were there; of more it is not known which matter */

typedef struct past_given {
	uint64_t id;
	view v;                          /* without data */
} past_given;

typedef struct past {
	past_given *given;               /* there from the beginning on */
	uint32_t given_count;
	uint64_t *words;                 /* NULL as long as none is written */
	_Atomic uint32_t written;        /* of them; PAST_WORDS: no more come */
	_Atomic uint32_t ready;          /* the system provides those */
} past;

/* The executor's, before anybody else knows the past: what is in memory already. */
void past_begin(past *p, const store *s);
void past_fini(past *p);

/* The executor's: `i`, which has a result, runs, and not in a leap. */
void past_put_slow(past *p, const ins *i);
static inline void past_put(past *p, const ins *i)
{
	if (UNLIKELY(atomic_load_explicit(&p->written, memory_order_relaxed) < PAST_WORDS))
		past_put_slow(p, i);
}

/* The miner's side: see that the executor finds memory for what comes next. */
void past_make_ready(past *p);
/* The miner's side: the latest run of the region in there as a sample (Gives); NULL: there is none,
 * or not everything is known of it. */
job *past_sample(const past *p, const region *r, const engine *e);

#endif
