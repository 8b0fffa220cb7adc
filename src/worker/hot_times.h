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

/* hot_judge.c; of none, 0. */
uint64_t hot_times_least(const hot_times *t);
uint64_t hot_times_median(const hot_times *t);

#endif
