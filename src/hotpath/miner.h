/* miner.h: one client's records in, hot regions out.
 *
 * One thread at a time. Work is done in steps of at most about a microsecond, as many as the caller
 * asks for, so a backlog can be worked off in slices as short as one likes. While something long is
 * at hand the ring is not read; if it runs full meanwhile, ops are lost, not time.
 *
 * Scopes that a program names (`compile` of a signal, gt.compile) come by the recorder: the
 * executor says recorder_enter with SCOPE_COMPILE or SCOPE_EXCLUDE instead of recorder_control for
 * `enter`, and recorder_control for every `leave`. A compiled scope is proposed when it ends for
 * the first time, with proposal.scope set: there is nothing to wait for. With options.everything
 * (GT_COMPILE=1) what is in no scope is cut at each fetch and at each recorder_flush, which the
 * executor says where the client waits for what it has sent. With options.scopes_only (neither
 * GT_AUTO_COMPILE nor gt_hotpath_enable) no loop is looked for, and ops outside of scopes cost
 * next to nothing. A region that both a scope and detection propose has one signature: one plan
 * serves both, and stays as long as one of them has not retired it.
 *
 * Where runs of plans are left again and again the executor says so (RECORD_LEFT, RECORD_BACK); a
 * stretch that has come often enough is proposed with proposal.side.of set (side.h).
 */
#ifndef HOTPATH_MINER_H
#define HOTPATH_MINER_H

#include "hotpath/record.h"
#include "hotpath/region.h"

typedef struct miner_options {
	uint64_t threshold;      /* runs before a region is hot; >= 1 */
	uint64_t min_seq;        /* shortest region; >= 1 */
	uint64_t window;         /* ops of history to begin with */
	bool scopes_only;        /* look for no loops: only what scopes ask for is a region */
	bool everything;         /* what is in no scope is a region, too, up to a read or flush */
} miner_options;
#define MINER_OPTIONS { .threshold = 10, .min_seq = 3, .window = 4096 }

/* HOT       worth a plan: it occurred twice, op by op and wire by wire, and goes on
 * REPLACED  a loop that contains it has become hot
 * RETIRED   others do what it does, or nobody does any more: drop its plan
 * SETTLED   nearly all that comes, for longer than any period: from here on its runs may be told by
 *           recorder_replay. Until then a plan's ops have to be recorded one by one like all
 *           others, or the loop around it would never be found
 * UNSETTLED record its ops again */
typedef struct proposal {
	proposal_what what;
	uint64_t signature;
	uint32_t n;
	uint64_t runs;           /* seen so far */
	uint64_t at;             /* ops of the stream when it was made */
	bool scope;              /* a scope's, from its first completion on: nothing was counted */
	side_place side;         /* of != 0: to be entered there only; .. */
	uint64_t eager;          /* .. ns that it took at least; UINT64_MAX: unknown */
	region *region;          /* HOT: Gives (region_free); else NULL */
} proposal;

/* As users count: runs include those credited; what was replaced does not count. */
typedef struct miner_stats {
	uint64_t ops, covered;           /* all ops, and those that known loops took, .. */
	uint64_t hot_covered;            /* .. and of these the hot ones */
	uint64_t runs, hot_runs;         /* total_batches, hot_batches_executed */
	uint64_t loops, hot_loops;       /* unique_patterns, hot_paths */
	uint64_t lost;                   /* ops of which no record reached the miner */
	uint64_t skipped;                /* ops not looked at since nothing repeats */
	size_t bytes;                    /* memory held */
} miner_stats;

typedef struct miner_loop {
	uint64_t signature, runs;
	uint32_t n;
	bool hot;
} miner_loop;

typedef struct miner miner;
miner *miner_new(const miner_options *o);
void   miner_free(miner *m);

/* Up to `steps` steps of work on what is in the ring. Returns how many were done: fewer mean that
 * there is nothing left to do. */
size_t miner_run(miner *m, recorder *r, size_t steps);
/* Whether a step of work is at hand that needs no further record. */
bool   miner_is_busy(miner *m);
/* The same from other sources than a ring: one record, all its work at once. */
void miner_feed(miner *m, const record *r);
/* The oldest proposal not yet taken; false if there is none. */
bool miner_next(miner *m, proposal *p);
/* The same without taking it: NULL if there is none. Until the next call to the miner. */
const proposal *miner_peek(const miner *m);

void miner_stats_of(miner *m, miner_stats *s);
/* The loops that count, up to `room` of them, longest region first. Returns how many. */
size_t miner_loops(miner *m, miner_loop *to, size_t room);
/* A loop longer than the hot ones goes on, or seems to, and will be hot before long: so many ops
 * make it hot, those included that have come. 0: none does. */
uint64_t miner_hopes(miner *m);
/* A hot loop is nearly everything as far as was seen: if it goes on it will be settled. */
bool miner_settles(miner *m);
/* Whether the last op fed belongs to a hot loop; its length. */
bool miner_hot(miner *m, uint32_t *n);

#endif
