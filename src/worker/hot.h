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
#include "worker/fused.h"
#include "worker/hot_past.h"
#include "worker/leap.h"
#include "worker/tenant.h"

#define HOT_RUNS_MAX 32          /* plans of a tenant; bits of a word */
#define HOT_LOOPS_MAX 256        /* of which statistics tell */
#define HOT_PLACES 4             /* where runs break off: the latest places are counted */

/* Where runs were left: the op that was expected there, and how often. */
typedef struct hot_place { uint32_t at, count; } hot_place;

/* How far it goes: GT_HOTPATH_TIER. */
typedef enum hot_tier { HOT_FOUND, HOT_REPLAYED, HOT_COMPILED } hot_tier;

/* Of the executor's judgement of a plan: is it slower than eager execution? */
typedef enum hot_verdict { HOT_RUNS, HOT_ON_TRIAL, HOT_BARRED, HOT_BLACKLISTED } hot_verdict;

/* A plan, where the stream is in it, and the values its slots were bound to last. */
typedef struct hot_run {
	struct hot_run *next;    /* among the dead */
	plan *plan;
	match match;
	value **values;          /* by slot: hints for store_hint, never more */
	uint64_t moved, completed;       /* op of the stream taken last; the one it completed with */
	uint32_t doubt;          /* times running that it began and was not the region */
	bool settled;            /* runs are told to the miner as a whole */
	bool silent;             /* this one is */
	bool kept;               /* the last process's: the miner has not proposed it yet */

	/* hot_judge.c: times of `reps` runs from completion to completion. */
	hot_verdict verdict;
	uint32_t reps, stretch;          /* of them, so many are over */
	uint64_t since;                  /* busy time at the last border; 0: none yet */
	uint64_t changes;                /* plan.changes then */
	uint64_t until;                  /* BARRED, or eagerly on trial: op to begin at again */
	uint64_t lead;                   /* of a trial: ops after which the eager stretch begins */
	uint64_t untested;               /* time of the last eager stretch, if it was the loop */
	unsigned tries, round;           /* of the trial */
	bool tested;                     /* it was on trial */
	bool clear;                      /* it is far ahead of eager execution */
	uint32_t moves;                  /* how usual it is that shapes are others than before */
	uint32_t rests;                  /* runs that are not timed: nothing is open */
	uint64_t warm;                   /* eager time of a stretch before there was a plan; 0 */
	hot_times replay, eager;
	unsigned demotions;
	double ratio;                    /* eager time over replay's when it was demoted last, .. */
	uint32_t over;                   /* .. of so many stretches */

	uint64_t runs, exits;            /* completed; broken off */
	hot_place places[HOT_PLACES];

	/* hot_side.c: a plan that begins where another one is left. */
	uint64_t of;                     /* .. of the region of that signature, .. */
	struct hot_run *from, *root;     /* .. which is this run's, and belongs to that one; NULL: it
	                                    is a root itself */
	uint32_t place;                  /* the op that `from` expects there; 0: behind its end */
	uint32_t strays;                 /* ends behind which no beginning came */
	unsigned sides, family;          /* that begin in this one; of a root: all that belong to it */
	uint32_t vain, chances;          /* times in a row that watching a place of it led to nothing;
	                                    .. that one could have been watched */
	uint64_t returns, wrong;         /* runs left because a beginning seemed to come, which .. */
	uint64_t returned;               /* .. was none; runs and 1 when that was last; 0: tried */
	uint64_t seen;                   /* root's runs when it was last entered */
	bool declined;                   /* the next time it runs eagerly, on trial */
	uint64_t skips;                  /* so many times it does, barred */

	fused fused;             /* tier T2 */

	/* leap.h: runs word by word. */
	script script;
	calls calls;
	leap_rest rest;
	bool noting;             /* for `calls` */
	uint64_t priced, price;  /* plan.changes and 1 when a run's cost was added up, and that */
	uint32_t stumbles;       /* leaps of this run that were none */
	uint64_t missed;         /* the latest run that was another than the script, and how many .. */
	uint32_t misses;         /* .. in a row */
} hot_run;

/* What the miner's side has to say; letters are linked, the newest first. */
typedef struct hot_letter {
	struct hot_letter *next;
	proposal_what what;
	uint64_t signature;
	hot_run *run;            /* of HOT */
} hot_letter;

/* A region: that is not to be kept for the next process, whatever comes (`bars`) or as long as it is
 * not found; that was kept by the last one. */
typedef struct hot_memo { struct hot_memo *next; uint64_t signature; bool bars; } hot_memo;

typedef struct hot_counts {
	counter ops;             /* with a result, executed since detection began */
	counter replayed;        /* of them: by a plan */
	counter leapt;           /* of them: in leaps */
	counter runs;            /* of plans, completed */
	counter passengers, exits, demotions, blacklisted;
	counter sides;           /* of the runs: of side plans */

	/* Tier T2. */
	counter compiled;        /* of the replayed ops: in runs of fused plans */
	counter followed;        /* of those: as their course says (fused_course.h) */
	counter left;            /* runs that left their course */
	counter reused;          /* results in the memory of operands */
	counter kernels;         /* launched */
	counter launches_saved, bytes_saved;     /* by runs that were completed */
	counter hits, loaded, compiles;  /* groups: known to the process, found on the disk, new */
	counter failures, recompiles, compile_ns;
	counter fused_demotions, fused_blacklisted;
} hot_counts;

/* What comes behind a place where runs are left, up to the root's beginning. */
typedef struct hot_watch {
	hot_run *from;           /* NULL: nothing is watched */
	uint32_t at;
	uint64_t since, ops;     /* busy time and ops when it began */
	hot_run *declined;       /* the side that could have run there; or NULL */
} hot_watch;

/* Busy time when so many ops had been executed. */
typedef struct hot_mark { uint64_t ops, busy; } hot_mark;
#define HOT_MARKS 1024u
#define HOT_MARK_OPS 128u
#define HOT_YOUNG_OPS 4096u      /* at first there are marks more often */
#define HOT_YOUNG_MARK 8u

/* Whether to listen at all: hot_rest.c. */
typedef enum hot_phase { HOT_LISTENS, HOT_LEADS, HOT_TRIES, HOT_RESTS } hot_phase;
#define HOT_FRONTS 16u           /* words of 64 bits */
#define HOT_FRONT_EVERY 8u       /* slices, of which one is looked at */
#define HOT_LEAD_OPS 64u         /* behind a change of tiers run cold: they are not timed */
#define HOT_STEP_OPS 512u        /* at a time it is waited for what may come */
#define HOT_IDLE_OPS (REGION_PERIOD_MAX + 4096u)         /* in which the longest loop shows */

typedef struct hot_rest {
	hot_phase phase;         /* LEADS, TRIES: the two pieces of a trial's, .. */
	bool still;              /* .. or RESTS: nothing is recorded or matched */
	bool aloof;              /* no plan runs, all is recorded */
	bool softly;             /* the trial is against that, not against being still */
	bool never;              /* somebody has marked a part of the program: always listen */
	bool planned;            /* there was a plan once */
	uint64_t due;            /* op at which the phase is over; UINT64_MAX: never */
	uint64_t trial;          /* RESTS while the miner naps: `due` before that; else 0 */
	uint64_t since;          /* op at which it fell still */
	uint64_t heard, live;    /* .. from which on the program is as it is; values alive then */
	uint64_t before;         /* worker.operations when the slice began */
	uint64_t length, wait;   /* of the next rest; ops to the next trial */
	uint64_t waited, claim;  /* ops that trials were put off; that they may be, for what may come */
	uint64_t began;          /* op at which the trial did, .. */
	unsigned round;          /* .. and how far it has come */
	hot_times times[2];      /* of its pieces: ps an op, listening and still */
	uint64_t from, busy;     /* op and busy time at the piece's beginning */
	uint64_t looks, reads;   /* at the clock, then and so far */
	uint64_t told, asked;    /* ops told as a whole, by plans far ahead, since that op; .. */
	uint64_t spent, exits;   /* .. busy time then, and runs that were left since */
	_Atomic bool stirred;    /* somebody waits for what is hot */
	unsigned slices, news;   /* all of them; the latest of those that were new */
	uint64_t fronts[HOT_FRONTS];     /* a bit for each op that slices began with */
} hot_rest;

typedef struct hot {
	tenant *tenant;

	/* The executor's. */
	recorder recorder;
	hot_run *runs[HOT_RUNS_MAX];     /* longest first */
	unsigned count, lost;            /* of them lost for good */
	uint32_t under_way;              /* bit k: runs[k] has begun and not completed */
	hot_run *took;                   /* runs[took_k], who took an op last: one look less; .. */
	unsigned took_k;                 /* .. a number that no run has if runs[] has changed */
	unsigned again;                  /* the run that completed with the last op; else a number
	                                    that no run has */
	hot_run *learner;                /* its runs are noted for a script; NULL: none's */
	bool leaps;                      /* there is a script */
	hot_watch watch;
	uint64_t swept;                  /* op at which unused sides were looked for */
	hot_run *trial;                  /* runs eagerly, on trial: no plan runs; NULL: none does */
	bool mute;                       /* a settled region runs eagerly, on trial: not recorded */
	bool silent;                     /* a run that is told as a whole is under way */
	bool crowded;                    /* the miner is far behind: no op of a plan is recorded */
	bool loops;                      /* are looked for, not only what scopes ask for */
	bool sync;                       /* GT_COMPILE_SYNC: mine in place */
	bool talks;                      /* GT_DEBUG_COMPILE */
	bool checks;                     /* GT_CHECK */
	hot_tier tier;
	failure *wrong;                  /* what it found, for the next read; NULL: nothing */
	uint32_t complaints;             /* exits that were told of */
	hot_counts counts;
	uint64_t started;                /* time since then is not in `busy` yet; 0: no work, or .. */
	bool quiet;                      /* .. nobody asks: all there is is a plan that rests */
	uint64_t busy;                   /* ns at work */
	uint64_t looked;                 /* op at which the clock was looked at last */
	uint64_t fresh;                  /* when the ring was last seen empty */
	uint64_t helped;                 /* when the executor mined last */
	uint64_t helping;                /* ns that it has mined */
	hot_mark marks[HOT_MARKS];
	uint64_t marked;                 /* all that were made */
	hot_rest rest;

	_Alignas(CACHE_LINE) _Atomic(hot_letter *) post;
	_Atomic(job *) jobs, made;       /* compile.h: to the miner's side, and back */
	_Atomic(hot_run *) dead;         /* given up by the executor; the miner's side frees them */
	_Atomic(job *) done;             /* so are jobs */
	_Atomic(hot_memo *) notes;       /* of the executor: regions to be forgotten */

	/* The miner's side; `mining` is held. The executor only ever tries to take it. */
	_Alignas(CACHE_LINE) pthread_mutex_t mining;
	miner *miner;
	struct hot *next;                /* among those that are mined; `lock` of hot_miner.c */
	uint64_t turn, visit;            /* `lock`, too */
	job *working;                    /* those that it has taken */
	_Atomic uint64_t drained;        /* when the ring was last found empty */
	_Atomic uint64_t hopes;          /* of a plan that is on its way: miner_hopes, .. */
	_Atomic bool settles;            /* .. and miner_settles */
	past past;                       /* what ran at first */
	bool warmed;                     /* what the last process knew was looked up, .. */
	struct hot_shelf *shelf;         /* .. else so far */
	hot_memo *kept;                  /* regions of which there was something */
	job *unsampled;                  /* of plans made by the executor, without a sample */
	buf program;                     /* its name in the cache, once it is asked for */
	hot_memo *barred;                /* not to be kept any more */
} hot;

/* The value of an input; NULL if it is unknown or poisoned: then eager execution knows what to say.
 * `fresh`: a live-in, bound just now. What it was in the run before tells what it is now, if the
 * loop goes on. */
static inline value *hot_find(tenant *t, hot_run *r, uint32_t slot, uint64_t id, bool fresh)
{
	const region *g = r->plan->region;
	value *v;

	if (fresh && g->live_ins[slot - g->n].carried != REGION_NEVER)
		r->values[slot] = r->values[g->live_ins[slot - g->n].carried];
	v = store_hint(&t->store, r->values[slot], id);
	return LIKELY(v && !v->why) ? r->values[slot] = v : NULL;
}

static inline uint64_t hot_ops(const hot *h)
{
	return atomic_load_explicit(&h->counts.ops, memory_order_relaxed);
}

/* A slice begins of a stream that rests, and nothing asks it to end that. It is counted, that is all:
 * who is waited for at every third op has slices of three. */
static inline bool hot_rests_on(hot *h)
{
	hot_rest *o = &h->rest;

	if (o->phase != HOT_RESTS || hot_ops(h) >= o->due || o->slices % HOT_FRONT_EVERY == 0 ||
			atomic_load_explicit(&o->stirred, memory_order_relaxed) ||
			atomic_load_explicit(&h->post, memory_order_relaxed) ||
			atomic_load_explicit(&h->made, memory_order_relaxed))
		return false;
	o->slices++;
	o->before = atomic_load_explicit(&h->tenant->worker->operations, memory_order_relaxed);
	return true;
}

/* A slice is over, or its being still: what ran still is counted. */
static inline void hot_rest_count(hot *h)
{
	uint64_t now;

	if (LIKELY(!h->rest.still) || h->rest.before == UINT64_MAX)
		return;
	now = atomic_load_explicit(&h->tenant->worker->operations, memory_order_relaxed);
	counter_add(&h->counts.ops, now - h->rest.before);
	h->rest.before = UINT64_MAX;
}

/* The miner is about to see that a loop is all there is: miner_settles. */
static inline bool hot_settles(const hot *h)
{
	return atomic_load_explicit(&h->settles, memory_order_relaxed);
}

/* No plan is to run any more. */
static inline bool hot_is_over(const hot *h)
{
	return (h->lost == h->count || h->rest.aloof) && !h->under_way;
}

/* ---- hot.c: the executor's side; the role is held -------------------------------------------- */

/* The threshold at which this worker's tenants look for hot paths now; 0: they do not. */
uint64_t hot_wanted(const worker *w);
/* Look for hot paths in the tenant's stream from now on. */
void hot_begin(tenant *t, uint64_t threshold);
/* The tenant's values are about to go: no plan's run is under way any more. */
void hot_leave(tenant *t);
/* The tenant goes; nobody executes its stream any more. Any thread. */
void hot_end(tenant *t);

/* An instruction with a result that runs eagerly, as recorder_op; one without, before it is run. */
void hot_note(hot *h, const ins *i, const meta *const *in, const meta *out);
void hot_note_control(hot *h, const ins *i);
/* No run of the plan is under way any more, and nothing will be: nor of its sides. */
void hot_drop(hot *h, hot_run *r);
/* The one of that region, or NULL. */
hot_run *hot_find_run(const hot *h, uint64_t signature);
/* hot_check.c: run step r->match.at as exec_finish does, and eagerly; compare. */
void hot_check(tenant *t, hot_run *r, const ins *i, call *c, value *out);
/* The first element that differs, -1 if none does; both are contiguous and alike. NaNs are equal. */
int64_t hot_difference(const value *a, const value *b);
double hot_number(const value *v, int64_t k);
/* Give what was found to a read; false if there is nothing. */
bool hot_check_answer(hot *h, answer *a);
/* hot_scope.c: begin or end of a part that is to be compiled or left alone. */
void hot_scope(tenant *t, const ins *i);
/* After an op, if h->sync. */
void hot_mine_in_place(hot *h);
/* A slice of the stream begins, or is over; with the last of several in a row the work is. */
void hot_slice_begin_slow(hot *h);
static inline void hot_slice_begin(hot *h)
{
	if (!hot_rests_on(h))
		hot_slice_begin_slow(h);
}
void hot_slice_end_slow(hot *h);
static inline void hot_slice_end(hot *h)
{
	hot_rest_count(h);
	if (h->rest.phase != HOT_RESTS)
		hot_slice_end_slow(h);
}
void hot_pause(hot *h);

/* ---- hot_walk.c ---- */

/* There are plans: execute `i` if it is the next op of one: `out`, filed and empty, becomes its value. False: it
 * is not; nothing has been done. */
bool hot_replay(tenant *t, const ins *i, value *out);
/* The run of runs[k] breaks off. */
void hot_exit(hot *h, unsigned k);
/* No run of runs[k] is under way any more, for reasons that are not the stream's. */
void hot_stop(hot *h, unsigned k);
/* An id that is no new one gets a value: runs that know it by another one are over. */
void hot_rebind(hot *h, uint64_t id);
/* Its first op was taken; its last one was. */
void hot_enter(hot *h, unsigned k);
void hot_complete(hot *h, unsigned k);
/* What comes is no part of a plain run: nothing is learnt of this one. */
void hot_unlearn(hot *h);
/* An instruction without result, if a run is learnt. */
void hot_learn_control(hot *h, const ins *i);

/* ---- hot_side.c ---- */

/* Side plans that may begin with this op, as bits: nobody under way expects it. */
uint32_t hot_side_find(hot *h, const ins *i);
/* One of them does: what it comes from is left. */
void hot_side_begin(hot *h, hot_run *r);
void hot_side_complete(hot *h, hot_run *r);
/* The op is nobody's; before it is a passenger of anybody. */
void hot_side_miss(hot *h);
/* An op like the region's first is not the one that r expects: is it its first? */
bool hot_side_returns(const hot *h, hot_run *r);
void hot_side_exit(hot_run *r);          /* r's run breaks off */
/* If h->watch.from or r->family: a run of r begins. */
void hot_side_enter(hot *h, hot_run *r);
/* If h->watch.from: the stretch watched is no side. */
void hot_side_drop(hot *h);
/* r, a side's, is about to be added; false: the run it begins in is not there, or has enough. */
bool hot_side_adopt(hot *h, hot_run *r);
void hot_side_gone(hot *h, hot_run *r);
#define HOT_SWEEP_OPS 65536u     /* between two looks for sides that are not used */
void hot_side_sweep(hot *h);

/* ---- hot_judge.c ---- */

uint64_t hot_busy(hot *h);               /* ns spent on the stream so far */
void hot_mark_pace(hot *h);              /* at the end of a slice */
void hot_judge_new(hot *h, hot_run *r);
/* The plan may run now, as far as its speed is concerned. */
bool hot_allowed(hot *h, hot_run *r);
/* A run was completed, or broke off. */
void hot_judge_run(hot *h, hot_run *r);
void hot_judge_exit(hot_run *r);
/* Its first fused plan is there: what was barred was T1, and T2 has not been tried. */
void hot_judge_made(hot_run *r);
/* A run of a side plan took so long. */
void hot_judge_side(hot *h, hot_run *r, uint64_t ns);
/* What the plan costs is not known yet. */
bool hot_judge_settles(const hot *h, const hot_run *r);
/* There is a trial: is its eager stretch over? */
void hot_judge_eager(hot *h);

/* ---- hot_rest.c ---- */

void hot_rest_init(hot *h);
/* A slice begins: is it time to fall still, or to listen again? */
void hot_rest_slice(hot *h);
/* A plan has come, or a fused one for it: between slices. */
void hot_rest_plan(hot *h, const hot_run *r);
/* Pieces of a trial are executed as they will be when the loop is settled. */
bool hot_rest_mutes(const hot *h);
/* From now on a plan's runs are told as a whole. */
void hot_rest_settled(hot *h);
/* A run broke off, behind its beginning. */
void hot_rest_exit(hot *h, const hot_run *r);
/* Listen from now on; what is known of the program may be out of date. */
void hot_rest_end(hot *h);
/* The program marks what is to be compiled. */
void hot_rest_never(hot *h);

/* ---- hot_await.c ---- */

/* Put off what is due by so many ops, if there is patience left for them. */
bool hot_await(hot *h, uint64_t ops);
/* Plans that will soon cost something else are waited for: what is due was put off. */
bool hot_await_plans(hot *h);
/* So are loops that are yet to be found. */
bool hot_await_loops(hot *h);
/* Whether there are any, as far as is known, and patience for them. */
bool hot_await_more(hot *h);

/* ---- hot_miner.c ---- */

/* The tenants that are mined; any thread. */
void hot_miner_add(hot *h);
void hot_miner_remove(hot *h);
/* Mine what is in the ring, at most so many steps; `mining` is held. False if nothing is left. */
bool hot_mine(hot *h, size_t steps);
/* All that was recorded before the call, and what comes of it; `mining` is not held. */
void hot_mine_all(hot *h);
/* As hot_mine without what comes of it: no step takes long. */
bool hot_mine_records(hot *h, size_t steps);
/* The executor's, where the miner's thread is too slow: do some of its work, never its long pieces,
 * for 0.15 ms. False: the thread is at it. */
bool hot_help(hot *h);
/* Make plans of what was found and send them, up to the first that takes long: it has more than
 * `most` ops (UINT32_MAX: however long), or replaces another one. */
void hot_make_plans(hot *h, uint32_t most);
/* Free what the executor has given up. */
void hot_bury(hot *h);
/* There are records: see that somebody comes. Cheap where the thread is up. */
void hot_miner_wake(void);
/* What the worker's tenants did, those that are gone included. */
void hot_get_stats(worker *w, hot_stats *out);

/* Post a plan of a region that the last process kept. Takes r. */
void hot_post_kept(hot *h, region *r);

/* ---- hot_warm.c: what is kept from process to process; `mining` is held ---- */

/* Look up what is kept, until warmed, and post it: no more than so many ops of runs at a time. */
#define HOT_WARM_OPS 200         /* about 2 ms */
void hot_warm(hot *h, uint32_t ops);
/* A plan was made: keep what it was made of. */
void hot_keep(hot *h, const job *j);
void hot_forget(hot *h, uint64_t signature);
/* The executor's: forget it, and keep it no more as long as the tenant lives. */
void hot_bar_kept(hot *h, uint64_t signature);
/* The executor's: forget it, unless it is found anew. */
void hot_forget_kept(hot *h, uint64_t signature);
void hot_read_notes(hot *h);
void hot_warm_end(hot *h);

/* ---- hot_stats.c ---- */

/* Add the tenant's figures; `mining` is held. */
void hot_add_stats(hot *h, hot_stats *to);
/* The same with everything mined that was recorded so far; `mining` is not held. */
void hot_catch_up(hot *h, hot_stats *to);

/* ---- hot_explain.c, fused_explain.c ---- */

/* What a run takes, of times that are of r->reps runs. */
void hot_put_time(const hot_run *r, uint64_t ns, buf *to);
/* What became of it in tier T2: a line a kernel and a reason; in full all that there is. */
void fused_explain(const hot_run *r, bool full, buf *to);

/* ---- hot_print.c: lines on standard output ---- */

void hot_say_enabled(const worker *w, uint64_t threshold);
void hot_say_detected(const proposal *p);
/* What its tenants did that are gone. */
void hot_say_stats(const worker *w);
void hot_say_starting(const hot_run *r);
void hot_say_missing(hot *h, const hot_run *r, const ins *i);
void hot_say_disabled(const hot_run *r);
void hot_say_compiling(const job *j);
void hot_say_compiled(const hot *h, const job *j);
void hot_say_speedup(const hot_run *r);
void hot_say_demoted(const hot_run *r);
void hot_say_launching(const hot_run *r);
void hot_say_resting(const hot *h);

#endif
