/* leap.h: many instructions of a run at once.
 *
 * What of a run under way lies in the ring and is word for word as its script says (script.h) needs
 * no matching, no shapes, and for values that are made and freed on the way no place in the store
 * either: nobody else gets to look in between. Such a stretch is a *leap*. It may begin and end
 * at any instruction; behind it everything is as the walk (hot_walk.c) would have left it: what
 * is alive can be had by its id, the match stands at the next op. Where something is in the way (an
 * input that is gone or has another shape, no memory, a kernel that fails) the leap ends in front of
 * that op, which is then taken, and fails, as ever.
 *
 * Values that are alive behind a leap and that the script frees later in the run are not filed either,
 * unless somebody asks for one (store_unfiled): mostly they are freed by a later leap, behind a read.
 * There is one run at a time with such values; when another one begins they are filed.
 *
 *	leap         which stretch, and the account of it
 *	calls        tier T1: the ops one by one
 *	fused_leap   tier T2: what arrives, for a fused run
 */
#ifndef WORKER_LEAP_H
#define WORKER_LEAP_H

#include "region/plan.h"
#include "worker/script.h"
#include "worker/tenant.h"

struct hot_run;

/* The values of a run that are not filed. */
typedef struct leap_rest {
	store_unfiled head;      /* of the store while there are any */
	tenant *t;
	struct hot_run *r;
	struct fused_run *f;     /* they are this one's; NULL: those of r->calls */
	uint64_t base;           /* the run's first result */
	uint32_t next;           /* part behind its last leap */
	bool *is;                /* by op: its result is one of them */
} leap_rest;

typedef struct leap {
	tenant *t;
	struct hot_run *r;
	const script *s;
	uint32_t from, to;       /* parts */
	const uint64_t *words;   /* in the ring, of part `from` */
	uint32_t at;             /* op of the region that comes next */
	bool silent, quiet;      /* ops are not recorded one by one; nor are frees */
	uint64_t products;
	uint64_t values;         /* filed, less those freed */
	bool listed;             /* what is left behind is known */
} leap;

static inline const ins *leap_ins(const leap *l, uint32_t part)
{
	return (const ins *)(l->words + (l->s->parts[part].at - l->s->parts[l->from].at));
}

/* Whether the result of op n was made on the way, or will be. */
static inline bool leap_makes(const leap *l, uint32_t n)
{
	return l->s->ops[n] >= l->from && l->s->ops[n] < l->to;
}

/* Of a value that is alive behind the leap and freed later in the run. */
void leap_leave(leap *l, uint32_t at);
/* File what is not. */
void leap_file_all(tenant *t);
void leap_rest_fini(leap_rest *o);

#define LEAP_WORDS 16            /* known of the ring, before a leap is tried */

/* If there is a run that goes on in the ring as its script says: execute as much of it as there is.
 * `i` is the next instruction. Returns how many it were; they are popped; 0: nothing was done. */
unsigned leap_try(tenant *t, const ins *i);

/* Tell the miner of an instruction without result. */
void leap_note(const leap *l, const ins *i);
/* For those who leap: an instruction without result that is no free of their own. */
void leap_control(leap *l, const script_part *p, const ins *i);
/* A free: true if it is one of their own, of the result of op p->op; else it is done. */
bool leap_frees(leap *l, const script_part *p, const ins *i);
/* A value that is there behind the leap, filed under the id of the result of `i`. */
value *leap_file(leap *l, uint32_t at, const ins *i);

/* ---- calls.c --------------------------------------------------------------------------------- */

/* A slot of the pattern: its shape and strides never change, or the calls are of no use. */
typedef struct call_slot {
	view v;
	storage *s;              /* in a leap: where it lies, NULL: gone; .. */
	uint64_t leap;           /* .. the number of that leap */
} call_slot;

typedef struct call_in { uint32_t slot; uint8_t kind, dtype; } call_in;

typedef struct call_step {
	kernel *run;
	uint32_t first;          /* of its inputs */
	uint32_t freed;          /* behind that part all is freed that it may take over */
	uint32_t code;           /* op */
	uint32_t cost, size;     /* as plan_slot's */
	uint8_t nin;
	uint8_t takes;           /* bit k: its result may lie where input k does, at its last use */
	bool scratch;            /* its kernel may take memory of its own */
	bool view;               /* of its input, `offset` bytes further */
	bool alone;              /* never in a leap */
	uint64_t bytes;          /* of its result */
	int64_t offset;
} call_step;

#define CALLS_WAITING 16

typedef struct calls {
	call_slot *slots;
	call_step *steps;
	call_in *in;
	uint32_t n, next;        /* ops, and the next that is to be noted */
	bool known;              /* all that it takes */
	uint64_t epoch;          /* of the plan if it knows the same shapes; else 0 */
	unsigned misfits;        /* inputs that looked otherwise */
	uint64_t leap;           /* so many were made */
	uint64_t patience;       /* runs before it is tried again */
	uint32_t tries;
	storage *waiting[CALLS_WAITING];         /* freed in this leap, for the next results */
	unsigned waits;
} calls;

void calls_init(calls *c, const pattern *p);
void calls_fini(calls *c);

static inline bool calls_ready(const calls *c) { return c->known; }

/* A run of T1 begins, whose script is known. True: calls_note is to be told of it. */
bool calls_begin(calls *c, const plan *p);
/* Op `at` of the run that began with result `base` has run. False: the calls are not learnt this
 * time. */
bool calls_note(calls *c, const plan *p, const script *s, uint64_t base, uint32_t at, const ins *i,
	const call *k, const value *out);
/* The run is complete, all of it noted. */
void calls_end(calls *c, const plan *p, const script *s);
/* Make the leap; returns the part behind it. */
uint32_t calls_leap(leap *l);
/* The result of op `at`, which was left behind: for its value, and freed. */
void calls_show(const calls *c, uint32_t at, value *v);
void calls_release(calls *c, uint32_t at);
void calls_give_back(calls *c);          /* then, once */

/* ---- fused_leap.c ---------------------------------------------------------------------------- */

uint32_t fused_leap(leap *l);
/* Behind the last op, for runs that are on their course there, too. */
bool fused_on_course_behind(const leap *l);
uint32_t fused_leap_behind(leap *l);
void fused_show(struct fused_run *f, uint32_t at, value *v);

#endif
