/* graphs.h: graphs that share nothing, told apart while the stream goes by.
 *
 * A value holds a graph's number, 0 for leaves. An op joins the graphs of its inputs (a forwarding
 * table, compacted when it is full); one that joins at least two leaves begins a graph. What is
 * made of a single leaf is a leaf still, so that preparing fresh data begins no graph of its own.
 * Leaves belong to no graph: two models may share their data.
 */
#ifndef HOTPATH_GRAPHS_H
#define HOTPATH_GRAPHS_H

#include "hotpath/token.h"
#include "hotpath/track.h"

#define GRAPHS_TRACKS 4
#define GRAPHS_MAX    65536u

/* A track goes because its graph has become part of another one. */
typedef void graphs_lost(void *ctx, const track *t);

typedef struct graphs {
	uint32_t *into;          /* forwarding; into[g] == g for roots */
	uint32_t *ops;           /* of roots: ops so far */
	uint32_t count;          /* numbers in use, 0 included */
	uint64_t total;          /* ops so far, leaves included */
	uint32_t owner[GRAPHS_TRACKS];   /* root whose ops the track gets; 0: free */
	track tracks[GRAPHS_TRACKS];
	uint64_t threshold, min_seq, window;
	graphs_lost *lost;       /* is told of it first; NULL: nobody */
	void *lost_ctx;
	bool on;
} graphs;

void graphs_start(graphs *g, tokens *t, uint64_t threshold, uint64_t min_seq, uint64_t window);
void graphs_stop(graphs *g);
/* The op made `made`: number it. Its graph's track, NULL if it has none. */
track *graphs_route(graphs *g, tokens *t, const record *r, sig *made);
/* Track k if it is in use, else NULL. */
static inline track *graphs_track(graphs *g, unsigned k)
{
	return g->on && g->owner[k] ? &g->tracks[k] : NULL;
}

#endif
