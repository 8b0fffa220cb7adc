/* worker.h: a worker: executes the instructions of the sessions placed on it.
 *
 * A session on a worker is a tenant: the line its instructions come by, its values, the signals it
 * is in. Whoever holds the worker's role (link/role.h) executes: the worker's thread, which is
 * started when first needed, or a client's thread that waits for a result.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "engine/engine.h"
#include "link/line.h"

typedef struct worker worker;
typedef struct tenant tenant;

typedef struct worker_options {
	int number;                  /* in messages */
	engine_backend backend;
	int threads;                 /* compute threads */
	uint64_t memory;             /* limit of the tensors' bytes */
	uint64_t runahead;           /* instructions a session may be ahead */
	bool prints;                 /* each instruction, on stderr */
} worker_options;

typedef struct worker_stats {
	uint64_t instructions;       /* executed */
	uint64_t products;           /* of them: matrix products */
	uint64_t faults;             /* of them: failed by themselves, not by their inputs */
	uint64_t tensors;            /* alive */
	uint64_t bytes, bytes_max;   /* of tensors alive, and their high-water mark */
} worker_stats;

gt_err worker_new(const worker_options *o, worker **out);
/* Ends the thread. All tenants are gone. */
void   worker_free(worker *w);
void   worker_get_stats(worker *w, worker_stats *out);

/* A new session; its number is for messages. */
tenant *worker_admit(worker *w, uint32_t session);
line   *tenant_line(tenant *t);
/* After line_close, when no thread waits by the line any more. */
void    tenant_free(tenant *t);

/* Return when nothing is being executed and nothing will be until worker_thaw (or ever), or after
 * `ns`: then false. */
bool    worker_freeze(worker *w, bool for_ever, uint64_t ns);
void    worker_thaw(worker *w, bool frozen);

#endif
