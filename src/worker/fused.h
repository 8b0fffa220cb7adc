/* fused.h: tier T2: runs of a region by few kernels instead of many ops.
 *
 * What the stream says stays what counts: each op is compared with the region when it arrives, its
 * value is filed under its id, and only the computing waits until the op has come behind which the
 * fusion's step may run. A value that is filed but not in memory is *pending*: whoever looks at it
 * gets it computed first (store_get), eagerly, from what its run still holds. So leaving a run
 * anywhere costs nothing but the fusion's gain, and nothing that a client sees depends on it.
 *
 * A run holds what may still be needed, by counting. Each slot (a value of the fusion) has `need`:
 * one for its tensor while that is alive, one for each step that has yet to read it, and one for
 * each op made from it that is neither in memory nor unneeded itself. At 0 it goes, and what it was
 * to be made from is needed less. Frees may come in any order, late or never.
 *
 *	fused        the walk: which plan, does the op fit, on and off; samples for the compiler
 *	fused_plan   a fusion as tables that runs are made from
 *	fused_run    slots, needs, arenas; the beginning and end of runs
 *	fused_step   launching: calls and views; fused_kernel: kernels; fused_product: products with
 *	             kernels behind them; fused_short: many short rows; fused_part: one long row
 *	fused_leap   many ops at once (leap.h)
 *	fused_course what such runs need when, told in advance: then nothing is counted (fused_course.h)
 *	fused_late   what was not launched, computed op by op
 *	fused_trust  new kernels beside eager ones
 */
#ifndef WORKER_FUSED_H
#define WORKER_FUSED_H

#include "region/fuse.h"
#include "region/plan.h"
#include "worker/compile.h"
#include "worker/hot_times.h"
#include "worker/tenant.h"

#define FUSED_PLANS_MAX  8       /* of a region: shapes and strides seen */
#define FUSED_ASKED_MAX  4       /* tensors of a run on its course that are filed after all */
#define FUSED_STALE_MAX  2       /* runs that are over, kept for what was fused away */

/* ---- a plan: fused_plan.c -------------------------------------------------------------------- */

typedef struct fused_op {
	uint32_t words;          /* where its instruction lies in a run's words */
	uint32_t cost;
	uint32_t steps;          /* those that launch behind it begin here */
	uint32_t first;          /* of its inputs */
	uint32_t check;          /* in fusion.checks, counted from 1: fused_points_inside first; 0 */
	uint8_t nin;
	bool checks;             /* fusion_fits says more than the match does */
	bool eager;              /* runs when it arrives, whatever its step says: its error has to name
	                            the place it stands at */
} fused_op;

typedef struct fused_step {
	const fuse_step *s;
	const uint32_t *in, *out;        /* slots that it reads and makes */
	uint32_t in_count, out_count;
	fused_code *code;                /* of KERNEL, PRODUCT */
	kernel_arg *args;
	uint64_t *scalars;
	struct fused_place *places;      /* of `out`, while it is launched */
	uint32_t *takes;                 /* KERNEL: per `out` a slot that it reads element by element and
	                                    no other step of the launch does: the result may lie where
	                                    that does; FUSE_NONE. NULL: none may */
	bool replaced;                   /* KERNEL: what is there is what the ops give */
	int64_t bytes;                   /* that a call of the kernel touches */
	kcall call;                      /* of CALL; the views are those of `in` and `out`, in order;
	                                    of PRODUCT, whose operands are the first of `in`, as are the
	                                    base, unless it is full, and indices of ADD */
	view *views;
	uint64_t *words;                 /* its scalars, converted */
	unsigned arg;                    /* PRODUCT, ADD: the kernel's that is the product, the source; */
	uint32_t onto;                   /* .. which of `out` it is computed in, the sum is; */
	bool onto_full;                  /* ADD: which begins as one number, in no memory; */
	bool flat;                       /* PRODUCT: whole rows may be called as one (group/kernel.h) */
} fused_step;

typedef struct fused_slot {
	uint32_t need;
	uint8_t state;
	void *data;                      /* PRESENT: element 0 */
	union {
		void *from;
		storage *s;
		value *late;             /* LATE: a value of its own, in no table */
	};
} fused_slot;

enum {
	SLOT_PRESENT = 1,        /* in memory, or known to have failed */
	SLOT_LATE = 2,           /* computed eagerly */
	SLOT_ARENA = 4,          /* in the arena: `s` is not held */
	SLOT_SHOWN = 8,          /* its tensor is alive */
	SLOT_FREED = 16,         /* its tensor is not, or never will be */
	SLOT_LET_GO = 32,        /* no longer needs what it would be made from */
	SLOT_GONE = 64,          /* need has been 0 */
	SLOT_WANTED = 128        /* fused_late works on it */
};

/* Memory for what does not leave the runs of a plan. */
typedef struct fused_arena {
	storage *s;
	uint32_t known;          /* references that runs and their tensors hold */
	uint32_t runs;           /* that use it: */
	struct fused_run *now, *before;
} fused_arena;

#define FUSED_ARENAS (FUSED_STALE_MAX + 2)

/* Memory that is kept. */
#define FUSED_SPARE_SIZES 8
typedef struct fused_spare {
	uint64_t count;
	storage *all[7];
} fused_spare;

typedef struct fused_plan {
	region *r;                       /* its own copy */
	fusion *f;
	uint32_t n, slots, words;
	fused_op *ops;                   /* n + 1 */
	uint32_t *inputs;                /* slots, as region.inputs; FUSE_NONE: a scalar */
	fused_step *steps;
	fused_slot *fresh;               /* a run's slots before it begins */
	uint32_t alive;                  /* of them, with a need */
	bool *own;                       /* per slot: never in the arena, whatever the fusion says */
	bool *contiguous;
	uint64_t *bytes;                 /* per slot: of its elements */
	uint32_t *due, *due_at;          /* ops by when they are freed, and when that is */
	uint32_t due_count;
	uint32_t kernels;                /* launches of a run */
	uint32_t launches_saved;         /* of a run, compared with its ops one by one */
	uint64_t bytes_saved;            /* results of its ops that are never written */
	uint32_t tried;                  /* max-autotune: ways that were measured; a run as usual, */
	uint64_t usual_ns, tuned_ns;     /* .. and as chosen, on one thread */
	arena memory;

	/* The executor's. */
	struct fused_run *runs, *idle;   /* that are not over with, and those to be used again */
	fused_arena arenas[FUSED_ARENAS];
	uint64_t used;                   /* when a run began last */
	uint64_t completed;
	uint64_t *read;                  /* per op: the run, counted from 1, in which it was last read
	                                    while it was pending */
	uint32_t read_often;             /* an op, counted from 1, that should be in memory, as its
	                                    region_op.read says now; 0: none */
	struct fused_course *course;     /* its runs in leaps; NULL: not made yet */
	fused_spare spares[FUSED_SPARE_SIZES];   /* fused_spare.c: for results of one size each, */
	uint32_t spare_bytes[FUSED_SPARE_SIZES]; /* .. which is that; 0: no more */
	uint8_t *spare_of;               /* .. and per slot, from 1 on; 0: none */
} fused_plan;

/* The slot of input k of an op; FUSE_NONE: a scalar. */
static inline uint32_t fused_input(const fused_plan *p, uint32_t at, unsigned k)
{
	return p->inputs[p->ops[at].first + k];
}

/* Takes r, f; codes[k] is that of group k. */
fused_plan *fused_plan_new(region *r, fusion *f, fused_code *const *codes, const engine *e);
/* What it saves is less than what a fused run takes beyond one op by op: it is not worth compiling. */
bool        fused_is_vain(const region *r, const fusion *f);
void        fused_plan_free(fused_plan *p);      /* its runs are over with; NULL is fine */

/* ---- a run: fused_run.c ---------------------------------------------------------------------- */

typedef struct fused_run {
	fused_plan *p;
	tenant *tenant;
	struct fused_run *next;
	fused_slot *slots;
	value **shown;                   /* by op, SHOWN */
	uint64_t *words;
	const ins **run;                 /* the instructions as they came: into `words`, or `script` */
	fused_arena *arena;
	uint32_t at;                     /* ops that have arrived */
	uint32_t step;                   /* next to launch */
	uint32_t alive;                  /* slots with a need */
	uint32_t due;                    /* of plan.due: all before it are freed */
	bool over;                       /* nothing will be launched any more */
	bool broken;                     /* .. although there were steps left */
	bool held;                       /* somebody works on it: not to be used again yet */
	uint32_t *stack;

	/* fused_course.h. */
	struct fused_course *course;     /* the run is on it; NULL: it is counted */
	struct fused_pass *pass;         /* needs are counted, nothing else is done; else NULL */
	struct leap_rest *rest;          /* on a course: what is not filed, */
	uint32_t part;                   /* .. and the part of the script that comes next; */
	uint32_t asked[FUSED_ASKED_MAX], asked_count;    /* .. ops whose tensors were asked for */
	uint64_t *script;                /* words of the last course's, */
	uint64_t scripted;               /* .. which was this one: fused_course.number; 0: none */
} fused_run;

/* A run of the plan from its first op on; NULL if there is no memory for it. */
fused_run *fused_run_begin(tenant *t, fused_plan *p);
/* Back to where it began: nothing has arrived or is in memory. */
void fused_run_reset(fused_run *f);
/* Nothing is launched any more, and no op arrives. The run may be gone afterwards. */
void fused_run_end(fused_run *f);
/* Compute whatever tensors are pending, and let go of all. The plan may be freed afterwards. */
void fused_plan_settle(fused_plan *p);

/* The slot is in memory at `data`: Takes a reference of the storage `from`; with SLOT_ARENA in `how`
 * none; with SLOT_LATE `from` is the value. */
void fused_present(fused_run *f, uint32_t slot, void *data, void *from, uint8_t how);
void fused_unneed(fused_run *f, uint32_t slot);
/* A run that is over may be used again as soon as nothing is left of it: now, perhaps. */
void fused_look(fused_run *f);
/* The tensor of a slot that has no value is freed. The run may be gone afterwards. */
void fused_free_slot(fused_run *f, uint32_t slot);
/* May a step launched behind op `at` write to the arena? */
bool fused_arena_serves(fused_run *f, uint32_t at);

/* ---- fused_spare.c --------------------------------------------------------------------------- */

/* Of which sizes memory is kept. */
void fused_spare_plan(fused_plan *p);
/* Memory for a result, with one reference; NULL: none is kept. */
storage *fused_spare_take(fused_plan *p, uint32_t slot);
/* True: the reference, which is the last one, is the plan's now. */
bool fused_spare_keep(fused_plan *p, storage *s);
void fused_spare_drop(fused_plan *p);

/* ---- fused_step.c, fused_late.c -------------------------------------------------------------- */

/* Run the steps that wait for op `at`. False if one failed: what it was to make is pending, or
 * failed; nothing more can be launched. */
bool fused_launch(fused_run *f, uint32_t at);
/* Compute op `slot`, which has arrived, from what is there, if it is not in memory. */
void fused_late(fused_run *f, uint32_t slot);
/* The storage that a slot in memory lies in. */
storage *fused_storage(const fused_run *f, uint32_t slot);
/* Why it could not be computed; NULL if it could. */
static inline failure *fused_failure(const fused_run *f, uint32_t slot)
{
	return f->slots[slot].state & SLOT_LATE ? f->slots[slot].late->why : NULL;
}
/* What is in memory, as whoever reads it sees it. */
void fused_view(const fused_run *f, uint32_t slot, view *out);
/* A view as the plan has it, without memory. */
void fused_view_planned(const fused_plan *p, uint32_t slot, view *out);
/* Tell the tensor, if it is alive, what the slot has. */
void fused_publish(fused_run *f, uint32_t slot);

/* ---- the walk: fused.c ----------------------------------------------------------------------- */

/* Is tier T2 worth it? Each stretch of runs (hot_judge.c) is of one tier, or of no use. */
typedef struct fused_judge {
	hot_times times[2];              /* of T1, of T2 */
	uint32_t taken;                  /* T2's runs in the stretch */
	bool off;                        /* runs are T1's, */
	uint64_t until;                  /* .. until that many; 0: on trial */
	bool begun, settled;
	unsigned waits;                  /* stretches of T2 before the trial begins */
	unsigned round, skips;           /* of the trial; stretches that do not count */
	unsigned tries, demotions;
	bool blacklisted;
	double ratio;                    /* the winner's time over T2's when it was demoted last, .. */
	uint32_t over;                   /* .. of so many stretches; */
	bool by_eager;                   /* it was eager execution that won, else T1 */
} fused_judge;

/* What a hot_run knows of tier T2. */
typedef struct fused {
	fused_judge judge;
	fused_plan *plans[FUSED_PLANS_MAX];      /* the one used last first */
	unsigned count;
	fused_run *now;                  /* under way */
	fused_plan *chosen;              /* by fused_accept, for the op at hand; NULL: not T2's */
	job *sample;                     /* this run is copied down */
	bool asked;                      /* a job is with the compiler */
	bool strange;                    /* shapes came that no plan is for */
	unsigned fruitless;              /* plans in a row that went unused */
	uint64_t patience;               /* runs before the next sample */
	uint64_t runs;                   /* completed */
	unsigned made, failed, vain;     /* jobs */
} fused;

struct hot_run;

/* The run that begins now, op by op, would be a sample. */
bool fused_wants_sample(const struct hot *h, const fused *u);

static inline bool fused_wanted(const fused *u, uint32_t at)
{
	return u->now || (!at && u->count && !u->judge.off);
}

/* Whether op r->match.at, wired as it should be, is one for the run under way, or may begin one:
 * r->fused.chosen says. False if an input is unknown or has failed: it is no op of the region. If
 * the op is not T2's although a run was under way, that run is over; T1 goes on. */
bool fused_accept(tenant *t, struct hot_run *r, const ins *i);
/* It is the next op of r->fused.chosen. */
void fused_take(tenant *t, struct hot_run *r, const ins *i, value *out);
/* Of an op that arrives in a run: the live-ins that come with it, which r->values has; its
 * instruction; then, in the order of the stream, what may run now. False: something failed, or
 * there was no memory for it. */
void fused_bind(struct hot_run *r, fused_run *f, const ins *i);
void fused_copy(fused_run *f, uint32_t at, const ins *i);
/* Of an op with a check that has arrived: its indices are in memory, and in range. */
bool fused_points_inside(const fused_run *f, uint32_t at);
bool fused_arrive(fused_run *f, uint32_t at);
/* Whether a live-in is what the plan was made for. */
bool fused_fits_view(const fused_plan *p, uint32_t slot, const view *v);
/* An op that T1 executes: note it down if the run is a sample. */
void fused_note(struct hot_run *r, const ins *i, const call *c);
/* The region's run begins, is complete, breaks off. */
void fused_enter(struct hot *h, struct hot_run *r);
void fused_complete(struct hot *h, struct hot_run *r);
void fused_stop(struct hot *h, struct hot_run *r);
/* A plan came back. Takes j. */
void fused_receive(struct hot *h, job *j);
/* Compute what is pending in runs of these plans. The executor's; then any thread may free them. */
void fused_settle(fused *u);
void fused_fini(fused *u);

/* ---- fused_explain.c ------------------------------------------------------------------------- */

/* A plan in full: what was simplified, every step with its values, why kernels end where they do. */
void fused_print(const fused_plan *p, buf *to);
/* The name of the kernel that op is computed in; NULL: it is not, or alone. */
const char *fused_kernel_of(const fused_plan *p, uint32_t at);

/* ---- fused_judge.c --------------------------------------------------------------------------- */

/* A stretch of `reps` runs took so long. */
void fused_judge_stretch(struct hot *h, struct hot_run *r, uint64_t ns);
/* Another plan: times before are of no use, but for T1's if it is the first. */
void fused_judge_forget(fused_judge *j);
/* A trial is under way: which tier it will be is open. */
bool fused_judge_tries(const fused *u);
/* T1 has learnt to leap: its times before are of no use. */
void fused_judge_leaps(fused_judge *j);
/* Slower than eager execution, whose time was `ratio` of its, over so many stretches: T1 for a while,
 * or for good. */
void fused_judge_lost(struct hot *h, struct hot_run *r, double ratio, uint32_t over);

/* ---- fused_trust.c --------------------------------------------------------------------------- */

/* Where a step's results go: `data` is in `s`, or in the arena (how: SLOT_ARENA). */
typedef struct fused_place { void *data; storage *s; uint8_t how; } fused_place;

/* What a step computes, op by op; the results in `out` are compared with it and, if they differ,
 * replaced. Code that differs is barred, and said to be so. */
void fused_prove(fused_run *f, const fused_step *st, const fused_place *out);
/* The same without results: those of the ops are put there. False: there is no memory. */
bool fused_replace(fused_run *f, const fused_step *st, const fused_place *out);

#endif
