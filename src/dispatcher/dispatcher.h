/* dispatcher.h: whose instruction it is and where it goes.
 *
 * A library without a thread: it runs inside the clients' flushes. What a flush touches belongs to
 * its session; the table of sessions has a lock, which opening and closing take and nobody waits
 * with. The ids of a session name values of that session only, because each session has a store of
 * its own.
 */
#ifndef DISPATCHER_DISPATCHER_H
#define DISPATCHER_DISPATCHER_H

#include <pthread.h>
#include "dispatcher/dump.h"
#include "link/line.h"

#define DISPATCHER_SESSIONS_MAX 1024

/* Counted by the session's thread, read by any. */
typedef struct session_stats {
	_Atomic uint64_t instructions;
	_Atomic uint64_t bytes;          /* of records and uploads */
} session_stats;

typedef struct session {
	uint32_t number;                 /* c0, c1, ... never used twice */
	unsigned worker;                 /* where it lives */
	line *line;                      /* the way there; set by who opened the session */
	dump *dump;                      /* NULL unless GT_DUMP */
	session_stats stats;
	struct session *next;            /* in the table */
} session;

typedef struct dispatcher {
	pthread_mutex_t lock;
	session *sessions;
	unsigned count, *loads, workers; /* sessions, in all and by worker */
	uint32_t numbers;                /* given so far */
} dispatcher;

void   dispatcher_init(dispatcher *d, unsigned workers);
void   dispatcher_fini(dispatcher *d);          /* all sessions are closed */

/* A new session on the least loaded worker. GT_ELIMIT when there are too many. */
gt_err dispatcher_open(dispatcher *d, session **out);
/* As link_ops.flush. */
gt_err dispatcher_flush(session *s, const parcel *p, const interrupt *in);
void   dispatcher_close(dispatcher *d, session *s);

#endif
