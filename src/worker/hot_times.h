/* hot_times.h: the latest times of something, ns of the executor. */
#ifndef WORKER_HOT_TIMES_H
#define WORKER_HOT_TIMES_H

#include <stdint.h>

#define HOT_TIMES 16
typedef struct hot_times {
	uint64_t last[HOT_TIMES];
	uint32_t n;                      /* all that came */
} hot_times;

static inline void hot_times_add(hot_times *t, uint64_t ns)
{
	t->last[t->n++ % HOT_TIMES] = ns;
}

/* Which of two ways is faster? They take turns until each was seen hot_times_wanted times, and are
 * compared; if neither is clearly faster that is done again with twice as many, up to sixteen. So a
 * way that loses by a lot runs twice or four times, and who is tried for long is no worse. */
#define HOT_ROUNDS 4
static inline uint32_t hot_times_wanted(unsigned round)
{
	return 2u << round;
}
/* -1: a is clearly faster than b. 1: clearly slower. 0: neither, so far. */
int hot_times_compare(const hot_times *a, const hot_times *b, unsigned round);

/* hot_judge.c; of none, 0. */
uint64_t hot_times_least(const hot_times *t);
uint64_t hot_times_median(const hot_times *t);

#endif
