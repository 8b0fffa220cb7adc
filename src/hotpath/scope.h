/* scope.h: regions that the program asked for: a scope's ops as they came, from its first
 * completion on. No counting, no cutting: where it begins and ends is the program's business.
 *
 * The list (stretch.h) grows op by op while the scope runs; at the end it is known already, or it
 * is a new region. A scope whose ops are others every time (fruitless regions, one after the other)
 * has to be seen twice.
 */
#ifndef HOTPATH_SCOPE_H
#define HOTPATH_SCOPE_H

#include "hotpath/stretch.h"

#define SCOPE_OPS_MAX     65536u /* a longer one becomes several regions */
#define SCOPES_MAX        64     /* regions known at a time; the one not seen for longest goes */
#define SCOPES_FRUITLESS  32u    /* that went without a second run, in a row */

typedef struct scope {
	uint64_t signature, runs, last;
	uint32_t n;
	bool told;               /* handed out */
} scope;

typedef struct scopes {
	scope known[SCOPES_MAX];
	uint64_t clock;          /* completions so far */
	unsigned fruitless;
	bool open;               /* ops are listed */
	bool everything;         /* outside of scopes, too: regions end at reads and flushes */
	stretch run;             /* the one at hand */
} scopes;

typedef struct scope_news {
	region *region;          /* Gives; NULL: nothing new */
	uint64_t runs;
	scope retired;           /* that had to make room; n is 0: none */
} scope_news;

void scopes_init(scopes *s, bool everything);
void scopes_fini(scopes *s);

void scopes_begin(scopes *s);
void scopes_op(scopes *s, const record *r);
void scopes_free(scopes *s, uint64_t id);
/* The run is over: a scope has ended, or outside of all a value was read. */
scope_news scopes_end(scopes *s);
/* Ops are missing: what was listed is no run. */
void scopes_spoil(scopes *s);
/* Whether the region was handed out and not retired since. */
bool scopes_told(scopes *s, uint64_t signature);
/* A plan ran; false if the region is none of these. */
bool scopes_replay(scopes *s, uint64_t signature);

#endif
