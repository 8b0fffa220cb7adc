/* track.h: one stream of ops, searched for loops: the whole of a client's, or one graph of it.
 *
 * At most eight candidate periods, at most sixteen loops. Where the fingerprint of the last eight
 * tokens occurred before says a distance; a distance seen four times running is a candidate; a
 * candidate that held for as many ops as it is long is built into a region, and from then on the
 * region's runs are counted. Where this covers too little, two approximate periods are aligned.
 * All work is cut into steps of about one op. While something is built the stream has to wait, so
 * the caller asks track_busy before each push.
 */
#ifndef HOTPATH_TRACK_H
#define HOTPATH_TRACK_H

#include "hotpath/align.h"
#include "hotpath/loop.h"

#define TRACK_WINDOW_MAX 131072u
#define TRACK_CANDIDATES 8
#define TRACK_LOOPS      LOOP_INNER_MAX
#define CHECK_FIRST      256u    /* ops before the coverage is looked at first */
#define ALIGN_FIRST      256u    /* ops between two alignments at first */

typedef struct candidate {
	uint64_t period;         /* 0: free */
	uint64_t run;            /* ops in a row that equal those a period earlier */
	uint64_t due;            /* run at which it is looked at */
	uint64_t last;           /* op at which it last held */
} candidate;

typedef struct track_event {
	proposal_what what;
	uint32_t n;
	uint64_t signature, runs;
	region *region;          /* HOT: Gives; else NULL */
} track_event;

typedef struct track {
	history h;
	uint64_t threshold, min_seq;
	/* Where a gram was last seen (its high bits, the op); how far back an op's gram was. */
	uint64_t *seen;
	uint32_t *before;
	uint64_t solid;          /* ops since the last gap */
	uint64_t roll;           /* hash of the last tokens */
	uint64_t distance;
	unsigned repeated;       /* how many times running that distance was seen */
	candidate candidates[TRACK_CANDIDATES];
	loop loops[TRACK_LOOPS];         /* n == 0: free */
	/* Which of them count, bit by bit; which are in a run, or ended one with the last op; the low
	 * bits of the tokens that runs of the others begin with, as numbers of bits; when the next
	 * one goes on that pauses. */
	uint32_t followed, awake;
	uint64_t beginnings, resume;
	uint64_t refused[8];             /* periods that are only repetitions of a loop */
	unsigned refusals;

	/* The work at hand; JOB_NONE: ops may be pushed. */
	enum { JOB_NONE, JOB_GROW, JOB_ALIGN, JOB_BUILD, JOB_RELATE, JOB_CREDIT, JOB_FOLLOW,
		JOB_COMPARE } job;
	history larger;
	build build;
	align align;
	uint64_t period;         /* of what is being built */
	bool proven;             /* it was seen at least four times running, exactly */
	loop young;              /* built, not yet among the loops */
	loop probe;              /* loop k following young's ops; borrows its arrays */
	uint64_t start;          /* op where its first run in the history begins */
	uint64_t counted;        /* op up to which its runs are counted already */
	uint64_t i, base;
	unsigned k;
	loop *subject;           /* whose run is compared: young, or a loop's last one */
	uint64_t *bound;         /* live-ins of the run being compared */
	uint32_t bound_room;
	uint32_t added;          /* live-ins from that number on were not there before this run */
	uint64_t tries[3];       /* anchors of alignments yet to be tried, the last one first */
	unsigned tries_count;

	uint64_t ops, covered;                   /* all that came, and those some loop took */
	uint64_t check_at, check_step;           /* when coverage is looked at next */
	uint64_t check_ops, check_covered;       /* at the last look */
	unsigned share;                          /* per cent covered between the last two looks */
	unsigned single;                         /* per cent that the best loop covered */
	bool enough;                             /* a hot one was nearly all, and no short one */
	uint64_t passed;                         /* op at which it went on behind some not pushed */
	uint64_t solo_since;                     /* op at which it was not nearly all last */
	uint64_t align_at, align_step;           /* when an alignment is tried next */
	uint64_t past_runs, past_hot_runs;       /* of hot loops that are gone */

	track_event events[4 * TRACK_LOOPS];     /* a ring */
	unsigned events_in, events_out;
} track;

void track_init(track *t, uint64_t threshold, uint64_t min_seq, uint64_t window);
void track_fini(track *t);

static inline bool track_busy(const track *t) { return t->job != JOB_NONE; }
void track_step(track *t);               /* one step of the work at hand */
/* The next op; not while busy. Who took it: nobody, a loop that is being counted, a hot one. */
typedef enum track_took { TRACK_FOREIGN, TRACK_KNOWN, TRACK_HOT } track_took;
track_took track_push(track *t, const record *r, uint64_t token);
void track_push_event(track *t, const record *r);
/* The ops that follow do not continue those before. */
void track_gap(track *t);
/* So many ops were not pushed, and nobody looked whose they were: a loop that goes on behind them at
 * a multiple of its length has gone on all the time. */
void track_pass(track *t, uint64_t ops);
/* A run of loop l, and a gap: its ops were not pushed. */
void track_replay(track *t, loop *l);
/* What happened to a loop since the last push or step; false if nothing did. Ask after each. */
bool track_next(track *t, track_event *e);
loop *track_find(track *t, uint64_t signature);
size_t track_bytes(const track *t);      /* memory held */

/* outlook.c. Loops take the stream, and all of them will go on for long before they are hot: to
 * count their runs it is enough to look now and then (track_pass). */
bool track_is_far(const track *t);
/* Or a longer one than those that are hot will soon be: so many ops make it hot; 0: no. */
uint64_t track_hopes(const track *t);
/* Or one that is hot will be settled, if it goes on. */
bool track_settles(const track *t);

/* job.c: how each kind of work begins. */
void job_grow(track *t);
void job_build(track *t, candidate *c);
void job_align(track *t);
void job_compare(track *t, loop *l);      /* the run that loop l has just completed */
/* track.c, for job.c: the gram that ends at op n was seen; `young` is complete, or is dropped. */
void track_learn(track *t, uint64_t n);
void track_adopt(track *t);
void track_refuse(track *t, uint64_t period);
void track_evict(track *t, loop *l);
/* An alignment has taken a foreign op for one of the loop's: another one may do better. */
void track_try_another(track *t, loop *l);
/* From here on it is counted how much of the stream the loop takes. */
void track_judge(track *t, loop *l);
/* Loop l completed a run, or two of them were compared by now. */
void track_check_hot(track *t, loop *l);
void track_tell(track *t, proposal_what what, loop *l);

/* follow.c: op n of the stream has come. */
track_took follow_op(track *t, uint64_t n, uint64_t token, uint64_t desc);
/* The loops are others than before, or count no more. */
void follow_list(track *t);
/* It is not followed for so many ops. */
void follow_pause(track *t, loop *l, uint64_t ops);
/* Loops that pause up to that op, or less long, go on now. */
void follow_resume(track *t, uint64_t at);

/* cover.c: what comes now and then. */
void cover_check(track *t);
/* The loop is hot, and as far as was seen nearly everything: if it stays so it will be settled. */
bool cover_settles(const loop *l);
bool cover_wants_growth(const track *t);         /* the history is full */

#endif
