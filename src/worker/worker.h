/* worker.h: a worker: executes the instructions of the sessions placed on it.
 *
 * A session on a worker is a tenant: the line its instructions come by, its values, the signals it
 * is in. Whoever holds the worker's role (link/role.h) executes: the worker's thread, which is
 * started when first needed, or a client's thread that waits for a result.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/buf.h"
#include "engine/engine.h"
#include "hotpath/miner.h"
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
	uint64_t threshold;          /* runs after which a path is hot; 0: none are looked for */
	bool compiles;               /* what runs between two reads is compiled, too */
} worker_options;

#define HOT_TOP 8

/* Hot paths; a run of a loop is a batch. */
typedef struct hot_stats {
	uint64_t threshold;          /* 0: they are not looked for */
	uint64_t batches;            /* runs of loops, replayed or not, those before they were hot
	                                included */
	uint64_t hot_batches;        /* of them: those after the threshold */
	uint64_t patterns, hot_paths;        /* loops, and those that are hot */
	uint64_t ops, replayed;      /* executed since detection began; of them by plans */
	uint64_t leapt;              /* of those: many at once */
	uint64_t matches;            /* runs that plans completed */
	uint64_t passengers, exits;
	uint64_t sides;              /* of the matches: runs of side plans */
	uint64_t demotions, blacklisted;

	uint64_t compiled;           /* of the replayed ops: in runs of fused plans */
	uint64_t followed;           /* of those: as their course says */
	uint64_t left;               /* runs that left it, those too that were complete by then */
	uint64_t reused;             /* results of kernels in the memory of what they replace */
	uint64_t codes;              /* kernels of the process */
	uint64_t hits, loaded, compiles;     /* kernels asked for: there, on the disk, new */
	uint64_t failures, recompiles, compile_ns;
	uint64_t kernels, launches_saved, bytes_saved;
	uint64_t fused_demotions, fused_blacklisted;
	unsigned top_count;
	miner_loop top[HOT_TOP];     /* the loops that took most ops */
} hot_stats;

typedef struct worker_stats {
	int number;                  /* of the worker */
	uint64_t instructions;       /* executed */
	uint64_t operations;         /* of them: with a result */
	uint64_t products;           /* of them: matrix products */
	uint64_t faults;             /* of them: failed by themselves, not by their inputs */
	uint64_t tensors;            /* alive */
	uint64_t bytes, bytes_max;   /* of tensors alive, and their high-water mark */
	hot_stats hot;
} worker_stats;

gt_err worker_new(const worker_options *o, worker **out);
/* Ends the thread. All tenants are gone. */
void   worker_free(worker *w);
/* Any thread. Lets the miner catch up. */
void   worker_get_stats(worker *w, worker_stats *out);

/* Return when everything that was given to the compiler is compiled, helping with it; GT_EINTERRUPT if
 * `in` ends that. */
gt_err worker_compile_wait(worker *w, const interrupt *in);

/* What a site number stands for, as text; false if nothing is known. */
typedef struct site_names {
	bool (*name)(void *ctx, uint32_t site, char *text, size_t size);
	void *ctx;
} site_names;

typedef struct explain_wish {
	site_names names;
	bool full;                   /* every step of every plan */
	const char *kernel;          /* only the kernel of that name, in full; NULL: regions */
} explain_wish;

/* What is known of a tenant's hot paths, in words. Any thread that does not execute. */
void worker_explain(tenant *t, const explain_wish *wish, buf *to);

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
