/* duel.h: one stream, executed twice or three times: what a client can see must be the same. */
#ifndef DIFFERENTIAL_DUEL_H
#define DIFFERENTIAL_DUEL_H

#include "base/buf.h"
#include "differential/stream.h"
#include "worker/worker.h"

/* How hot paths are looked for. */
typedef enum mode {
	MODE_EAGER,
	MODE_SYNC,       /* found in place, at a fixed instruction */
	MODE_THREAD      /* found in the background; the client waits for it now and then */
} mode;

/* How a client hands its stream over; all that follows from `seed` is the same in every mode. */
typedef struct manner {
	uint64_t seed;
	bool plain;      /* 256 instructions at a time, each piece waited for: as `gt run` does */
	bool threaded;   /* the worker's thread executes, too, not only who waits */
	bool vanishes;   /* the client goes in the middle of the stream */
	unsigned threshold;
	bool compiles;   /* GT_COMPILE */
	bool checks;     /* GT_CHECK */
	bool fuses;      /* plans are fused, not only replayed */
	unsigned threads;        /* of the pool the second time, one eagerly; 0: as GT_THREADS says */
	bool machine;    /* fused kernels are machine code, which takes time to make; else interpreted */
	const char *cache;       /* directory: what the second time learns a third one begins with */
	bool sabotage;   /* the second time tanh is sin: does the tester notice? */
} manner;

/* What came of it. */
typedef struct duel_stats {
	hot_stats hot;
	uint64_t tensors;        /* alive at the end */
	bool warm;               /* the third time replayed more than the second */
} duel_stats;

/* Play `s` (and beside it, on a second session, `other`, unless that is NULL) eagerly and in mode
 * `m`. True if everything read was the same; else *why has a line about the first difference.
 * stats, if not NULL, gets those of the last time. */
bool duel(const stream *s, const stream *other, const manner *how, mode m, duel_stats *stats,
	buf *why);

#endif
