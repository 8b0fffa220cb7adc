/* hot_past.h: what a young session executed eagerly, word for word: so that a loop's first plan can
 * be compiled from a run that was over before anybody knew that there is a loop.
 *
 * The executor appends, the miner's side reads behind it. It ends after PAST_WORDS: a program that
 * runs for longer can wait for one more run.
 */
#ifndef WORKER_HOT_PAST_H
#define WORKER_HOT_PAST_H

#include "worker/compile.h"

#define PAST_WORDS (1u << 17)

typedef struct past {
	uint64_t *words;                 /* NULL as long as none is written */
	_Atomic uint32_t written;        /* of them; PAST_WORDS: no more come */
	_Atomic uint32_t ready;          /* the system provides those */
} past;

void past_fini(past *p);

/* The executor's: `i`, which has a result, runs eagerly. */
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
