/* miner_parts.h: what a miner consists of; for miner.c and miner_known.c. */
#ifndef HOTPATH_MINER_PARTS_H
#define HOTPATH_MINER_PARTS_H

#include "hotpath/company.h"
#include "hotpath/doze.h"
#include "hotpath/graphs.h"
#include "hotpath/miner.h"
#include "hotpath/scope.h"
#include "hotpath/side.h"
#include "hotpath/token.h"

struct miner {
	miner_options options;
	tokens tokens;
	track whole;
	graphs graphs;
	scopes scopes;
	sides sides;
	bool in_scope;           /* what is listed is a named scope's, .. */
	uint8_t mode;            /* .. to be compiled so */
	track *last;             /* the track of which a hot loop took the last op, or NULL */

	proposal *queue;
	size_t queued, room, taken;

	uint64_t ops, covered, hot_covered, lost, skipped;
	uint64_t bad_since;      /* op at which the coverage was last good */
	uint64_t look_ops, look_covered;         /* at the last look */
	unsigned looks;          /* in a row at which graphs took nearly everything */
	company company;
	uint64_t idle_since;     /* op that a loop last took */
	recorder *from;          /* whose records are read; NULL: nobody's, or not just now */
	doze doze;
	uint64_t past_runs, past_hot_runs;       /* of tracks that are gone */
};

/* Track k: 0 is the whole stream, then the graphs; NULL where there is none. */
#define TRACKS (1 + GRAPHS_TRACKS)
static inline track *track_at(miner *m, unsigned k)
{
	return k ? graphs_track(&m->graphs, k - 1) : &m->whole;
}

#endif
