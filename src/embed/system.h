/* system.h: the process's dispatcher and workers; starting, stopping, forking, exiting. */
#ifndef EMBED_SYSTEM_H
#define EMBED_SYSTEM_H

#include "dispatcher/dispatcher.h"
#include "worker/worker.h"

typedef struct gt_system gt_system;

/* Where a session lives. */
typedef struct place {
	gt_system *system;
	session *session;
	worker *worker;
	tenant *tenant;
} place;

/* A new session; starts what is not there yet. */
gt_err system_join(place *p);
/* How many workers the next start has, in place of GT_WORKERS. GT_ESTATE while some run. */
gt_err system_set_workers(int n);
/* After line_close, when no thread waits by the line. */
void   system_leave(place *p);

/* How often this process was forked off since its first session: sessions of an older count are the
 * parent's. */
uint32_t system_forks(void);

#endif
