/* loop.h: a loop that was found: its region, and a follower that counts its runs in the stream.
 *
 * The follower expects the region's ops in order and lets foreign ones pass. It enters by tokens,
 * which tell one layer from the next, and goes on by descs, which a foreign op in the dataflow does
 * not change; where there are foreign ops in every run, only the first op is told by its token. It
 * counts; whether a run matches exactly is for the matcher to find out.
 */
#ifndef HOTPATH_LOOP_H
#define HOTPATH_LOOP_H

#include "hotpath/build.h"

#define LOOP_INNER_MAX   16
#define LOOP_ENDS        64      /* ends of runs that are known */
#define LOOP_FOREIGN_MAX 64      /* foreign ops in a row before a run counts as broken off */

typedef struct loop {
	/* What every op of the stream asks for, together. */
	uint64_t expect;         /* token or desc of the next op expected */
	uint32_t n;
	uint32_t at;             /* next op expected */
	uint64_t streak;         /* ops in a row that were expected */
	uint32_t foreign;        /* ops in a row that were not */
	bool hot;
	bool replaced;           /* a hot loop that contains it took over: does not count any more */
	bool noisy;
	bool fresh;              /* has ops that bring fresh data */
	uint64_t taken, alone;   /* ops since the last look at the coverage; no other took them */
	uint64_t extra;          /* ops since it was judged that no hot or shorter loop took */
	uint64_t *tokens, *descs;
	uint64_t *pos;           /* ops of the run at hand, until enough were compared */

	uint64_t signature;
	region *region;          /* until it is given away */
	uint64_t made_at;        /* op where the run it was made from begins */
	unsigned exact;          /* runs that were compared and equal the region, up to `asked` */
	unsigned asked;
	unsigned inexact;        /* runs that were compared and do not */
	uint32_t widened;        /* inputs that were other values from run to run */
	uint32_t losses;         /* runs in a row that broke off behind the beginning */
	unsigned doubts;         /* how often it had enough runs and took too little meanwhile */
	uint64_t paused;         /* op of the track up to which it is not followed; 0: it is */
	uint32_t inner;          /* bit k: when it is hot, it takes over from loop k .. */
	uint32_t times[LOOP_INNER_MAX];  /* .. which it completes that often in a run, 0: unknown, */
	uint64_t before[LOOP_INNER_MAX]; /* and which had completed so often when this was judged */

	uint64_t runs;           /* complete ones, those credited included */
	uint64_t done_at;        /* op that completed the last one; 0: none */
	uint64_t ends[LOOP_ENDS];        /* ops that completed the last ones that were followed, .. */
	uint64_t ended;          /* .. of so many */
	uint64_t last;           /* op count of the track when it last completed */
	uint64_t since, since_runs;      /* when it was last judged, and its runs then */
	unsigned settled;        /* looks in a row at which it was nearly all that came, .. */
	unsigned partial;        /* .. and at which it was not */
	unsigned idle;           /* looks in a row at which it was of no use */
} loop;

void loop_init(loop *l, region *r);      /* Takes r */
void loop_fini(loop *l);
/* The rest of loop_follow: the loop is in a run, or its first op has come. */
bool loop_step(loop *l, uint64_t n, uint64_t token, uint64_t desc);
/* Look at the next op of the stream, op n; true if it is one of the loop's. */
static inline bool loop_follow(loop *l, uint64_t n, uint64_t token, uint64_t desc)
{
	if (l->at || token == l->expect)
		return loop_step(l, n, token, desc);
	l->streak = 0;
	return false;
}

/* The loop was compared often enough: it may be handed out. A noisy one is asked more: what else
 * foreign ops do to it takes some runs to show. */
#define LOOP_EXACT       2
#define LOOP_EXACT_NOISY 8
static inline bool loop_proven(const loop *l) { return l->exact >= l->asked; }
void loop_proved(loop *l);               /* runs were compared: enough of them? */

/* It took so many of those ops: a loop around it would gain nothing but its own size. Of a short one
 * many runs in one are faster than one by one. */
#define LOOP_LONG 32u
static inline bool loop_is_nearly_all(const loop *l, uint64_t took, uint64_t ops)
{
	return l->n >= LOOP_LONG && took * 100 >= ops * 99;
}

/* It is nearly all of a period of n ops, several times over: that is a loop with a foreign op every
 * tenth time, or hundredth. */
static inline bool loop_makes_up(const loop *l, uint64_t took, uint64_t n)
{
	return took * 10 >= n * 9 && n >= 2 * (uint64_t)l->n &&
		(n <= LOOP_ENDS * (uint64_t)l->n || loop_is_nearly_all(l, took, n));
}

/* The op that completed the last run that was followed; 0: none. */
static inline uint64_t loop_last_end(const loop *l)
{
	return l->ended ? l->ends[(l->ended - 1) % LOOP_ENDS] : 0;
}

/* loop_makes_up, of the n ops up to op `at`, as far as its last runs say. */
static inline bool loop_made_up(const loop *l, uint64_t at, uint64_t n)
{
	const uint64_t runs = (n * 9 + 10 * (uint64_t)l->n - 1) / (10 * (uint64_t)l->n);

	return n >= 2 * (uint64_t)l->n && runs <= MIN(l->ended, LOOP_ENDS) &&
		l->ends[(l->ended - runs) % LOOP_ENDS] + n > at;
}

static inline void loop_lose(loop *l)    /* the stream has a gap here */
{
	l->at = l->foreign = 0;
	l->streak = 0;
	l->expect = l->n ? l->tokens[0] : 0;
}

#endif
