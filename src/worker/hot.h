/* hot.h: hot paths of one tenant: what its stream repeats is found, and replayed.
 *
 * Two sides that share three things. The executor (whoever holds the role) writes records of what
 * it runs, matches the stream against the plans it has, and lets plans execute what matches. The
 * miner's side (hot_miner.c: a thread of low priority, or the executor itself when that thread is
 * behind or GT_COMPILE_SYNC asks for it) reads the records, finds regions, builds plans. Between
 * them: the ring of records, the post by which plans come, and counters.
 *
 * Nothing that a client can see depends on any of it. In tier T1 each op is executed when it
 * arrives, its value is filed under its id like any other, so reads, foreign ops, late frees and
 * the end of a match find what they would find without.
 */
#ifndef WORKER_HOT_H
#define WORKER_HOT_H

#include <pthread.h>
#include "hotpath/miner.h"
#include "region/plan.h"
#include "worker/tenant.h"

#define HOT_RUNS_MAX 16          /* plans of a tenant */
#define HOT_LOOPS_MAX 256        /* of which statistics tell */

/* A plan, where the stream is in it, and the values its slots were bound to last. */
typedef struct hot_run {
	plan *plan;
	match match;
	value **values;          /* by slot: hints for store_hint, never more */
	uint64_t runs, exits;    /* completed, broken off */
} hot_run;

/* What the miner's side has to say; letters are linked, the newest first. */
typedef struct hot_letter {
	struct hot_letter *next;
	uint64_t signature;
	hot_run *run;            /* a new plan; NULL: the plan of that signature retires */
} hot_letter;

typedef struct hot_counts {
	counter ops;             /* with a result, executed since detection began */
	counter replayed;        /* of them: by a plan */
	counter runs;            /* of plans, completed */
	counter passengers, exits;
} hot_counts;

typedef struct hot {
	tenant *tenant;

	/* The executor's. */
	recorder recorder;
	hot_run *runs[HOT_RUNS_MAX];     /* the one that took an op last is the first */
	unsigned count;
	hot_counts counts;
	bool sync;                       /* GT_COMPILE_SYNC: mine in place */
	uint64_t started;                /* the slice, on the clock */
	uint64_t busy;                   /* ns in slices before this one */
	uint64_t fresh;                  /* when the ring was last seen empty */
	uint64_t helped;                 /* when the executor mined last */

	_Alignas(CACHE_LINE) _Atomic(hot_letter *) post;

	/* The miner's side; `mining` is held. The executor only ever tries to take it. */
	_Alignas(CACHE_LINE) pthread_mutex_t mining;
	miner *miner;
	struct hot *next;                /* among those that are mined; `lock` of hot_miner.c */
	uint64_t turn;
	_Atomic uint64_t drained;        /* when the ring was last found empty */
} hot;

/* Look for hot paths in the tenant's stream from now on; by the executor. */
void hot_begin(tenant *t, uint64_t threshold);
/* The threshold at which this worker's tenants look for hot paths now; 0: they do not. */
uint64_t hot_wanted(const worker *w);
/* The tenant goes; nobody executes its stream any more. */
void hot_end(tenant *t);

/* An instruction with a result that runs eagerly, as recorder_op; one without, before it is run. */
void hot_note(hot *h, const ins *i, const meta *const *in, const meta *out);
void hot_note_control(hot *h, const ins *i);
/* Execute `i` if it is the next op of a plan: `out`, filed and empty, becomes its value. False: it
 * is not; nothing has been done. */
bool hot_replay(tenant *t, const ins *i, value *out);
/* A slice of the stream begins, or is over. */
void hot_slice_begin(hot *h);
void hot_slice_end(hot *h);

/* ---- hot_miner.c ---- */

/* The tenants that are mined; any thread. */
void hot_miner_add(hot *h);
void hot_miner_remove(hot *h);
/* Mine what is in the ring, at most so many steps; `mining` is held. False if nothing is left. */
bool hot_mine(hot *h, size_t steps);
/* The same without what comes of it: no step takes long. */
bool hot_mine_records(hot *h, size_t steps);
/* There are records: see that somebody comes. Cheap where the thread is up. */
void hot_miner_wake(void);

/* What the worker's tenants did, those that are gone included. */
void hot_get_stats(worker *w, hot_stats *out);

/* ---- hot_stats.c ---- */

/* Add the tenant's figures; `mining` is held. */
void hot_add_stats(hot *h, hot_stats *to);
/* The same with everything mined that was recorded so far; `mining` is not held. */
void hot_catch_up(hot *h, hot_stats *to);

/* ---- hot_print.c ---- */

void hot_say_enabled(const worker *w, uint64_t threshold);
void hot_say_detected(const proposal *p);

#endif
