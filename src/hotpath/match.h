/* match.h: whether a stream runs through a region, exactly.
 *
 * A pattern is what of a region decides that: per op the head of the instruction, and per input
 * which *slot* it is. Slots number the values of a run: the results of ops 0 .. n - 1, then the
 * live-ins. A match is one run under way: the next op expected, and the ids its slots are bound to.
 *
 * Instruction i is op `at` of the run if the heads are equal, each input id is the one that its
 * slot is bound to (a live-in is bound on first sight) and the inputs' dtypes, ranks and
 * broadcasting are the op's. This is isomorphism of graphs in stream order: no hash takes part, so
 * no collision can give a wrong answer. The matcher knows ids, never values or kernels:
 *
 *	MATCH_OP         match_wired said yes, the caller found the metas equal (match_fits)
 *	                 and told match_take; the slots have the bound ids
 *	MATCH_PASSENGER  the instruction is foreign; the match stays where it is
 *	MATCH_EXIT       foreign once too often: the match is over, which match_leave makes true
 */
#ifndef HOTPATH_MATCH_H
#define HOTPATH_MATCH_H

#include "hotpath/region.h"

#define MATCH_FOREIGN_MAX 64     /* ops in a row that are not the region's */
#define MATCH_ENTERING 8         /* ops after which a run is under way: a miss is an exit */

/* An input: a slot; with MATCH_BIND, of a live-in seen here for the first time. */
#define MATCH_BIND   (UINT32_C(1) << 31)
#define MATCH_SCALAR UINT32_MAX

#define PATTERN_NEAR 2
typedef struct pattern_op {
	uint64_t head;           /* op, words, kinds, nin, nopd: an instruction's first 8 bytes */
	uint64_t attr, metas;
	uint32_t first, nin;     /* inputs[first ..] .. */
	uint32_t in[PATTERN_NEAR];       /* .. and here, if they are that few: one step less */
} pattern_op;

typedef struct pattern {
	uint32_t n, slots;
	uint32_t foreign_max;
	pattern_op *ops;
	uint32_t *inputs;
} pattern;

void pattern_init(pattern *p, const region *r);
void pattern_fini(pattern *p);
/* How many ops from the beginning are the same in both, wiring included. */
uint32_t pattern_common(const pattern *a, const pattern *b);

typedef enum match_answer { MATCH_OP, MATCH_PASSENGER, MATCH_EXIT } match_answer;

typedef struct match {
	const pattern *p;
	const pattern_op *ops;   /* the pattern's */
	uint64_t *ids;           /* by slot */
	uint32_t at;             /* next op expected; 0: no run is under way */
	uint32_t foreign;        /* ops in a row that were not the region's */
} match;

void match_init(match *m, const pattern *p);
void match_fini(match *m);

static inline uint64_t match_head(const ins *i)
{
	uint64_t head;

	memcpy(&head, i, sizeof head);
	return head;
}

static inline const uint32_t *pattern_inputs(const pattern *p, const pattern_op *o)
{
	return LIKELY(o->nin <= PATTERN_NEAR) ? o->in : p->inputs + o->first;
}

static inline bool pattern_heads(const pattern_op *o, const ins *i)
{
	return o->head == match_head(i) && o->attr == i->attr.bits;
}

/* Whether head and ids are those of the op expected. Binds live-ins seen for the first time; if the
 * instruction is not taken after all, they will be bound again. */
static inline bool match_wired(match *m, const ins *i)
{
	const pattern_op *o = &m->p->ops[m->at];
	const uint32_t *in = m->p->inputs + o->first;

	if (!pattern_heads(o, i))
		return false;
	for (uint32_t k = 0; k < o->nin; k++) {
		const uint32_t slot = in[k];

		if (slot == MATCH_SCALAR)
			continue;
		if (slot & MATCH_BIND)
			m->ids[slot & ~MATCH_BIND] = ins_in(i)[k];
		else if (m->ids[slot] != ins_in(i)[k])
			return false;
	}
	return true;
}

/* Whether a value of the run that is under way has that id. */
bool match_knows(const match *m, uint64_t id);

/* The rest of the question, asked of record_metas' word. */
static inline bool match_fits(const match *m, uint64_t metas)
{
	return m->p->ops[m->at].metas == metas;
}

/* The instruction is the op expected, and made `out`. True if that was the run's last: the match
 * stands at its beginning. */
static inline bool match_take(match *m, uint64_t out)
{
	m->ids[m->at] = out;
	m->foreign = 0;
	if (++m->at < m->p->n)
		return false;
	m->at = 0;
	return true;
}

/* The instruction is not the op expected. */
match_answer match_miss(match *m);
void match_leave(match *m);              /* back to the beginning */
/* Stand where `from` stands, in a region that is the same up to there. */
void match_follow(match *m, const match *from);

#endif
