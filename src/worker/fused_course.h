/* fused_course.h: what a fused run does when all of it comes as its script says.
 *
 * A run counts who still needs what, op by op (fused.h). But for runs that come word for word in
 * leaps the counts are the same each time, so what follows from them is listed once: which live-ins
 * are bound when, which steps are launched, which results are filed and shown, whose memory is
 * dropped. That list is the plan's *course*. A run that is on it does what is listed and counts
 * nothing; the part of the script where it stands tells what of it is alive and not filed.
 *
 * On a course one reference holds a storage for all values that lie in it; results asked for while
 * they are in memory are filed, and leave the run where it is.
 *
 * Whatever is not foreseen (somebody asks for a value that is not in memory, an input looks
 * otherwise, the stream turns, there is no memory) takes the run off the course first: it is counted
 * up to where it stands, by the same functions as ever, and from then on is a run like all others.
 */
#ifndef WORKER_FUSED_COURSE_H
#define WORKER_FUSED_COURSE_H

#include "worker/hot.h"

typedef enum course_what {
	COURSE_FITS,             /* op: its numbers have to be what the plan was made for */
	COURSE_INPUTS,           /* op: live-ins come with it */
	COURSE_LOOK,             /* op: live-ins are there still, unless a free was theirs */
	COURSE_FILE,             /* op: its tensor outlives the run */
	COURSE_UPLOAD,           /* op */
	COURSE_CHECK,            /* op: its indices are in range */
	COURSE_LAUNCH,           /* step, and those together with it */
	COURSE_SHOW,             /* slot: its tensor, which is filed, is in memory from now on */
	COURSE_GIVE,             /* slot: the same, and its memory is the tensor's from now on */
	COURSE_DROP,             /* slot: nothing lies in its memory any more */
	COURSE_CONTROL           /* part: a free of something else, a scope's border */
} course_what;

typedef struct course_act { uint32_t what, which; } course_act;

/* Before part k of the script. */
typedef struct course_part {
	uint32_t acts;           /* so many were done */
	uint32_t left;           /* values that are made and not filed, to be freed later in the run */
	uint32_t products;       /* and `spent`: of all ops before it */
	uint64_t spent;
} course_part;

/* What is counted of a run that is complete and has come to that part. */
typedef struct course_end {
	uint32_t part, alive;
	fused_slot *slots;       /* needs and states */
} course_end;

typedef struct fused_course {
	const script *s;
	uint64_t number;         /* script.learnt when it was made */
	course_part *parts;      /* s->count + 1 */
	course_act *acts;
	uint32_t count, room;
	uint32_t *last;          /* per slot: the step behind which its memory is dropped, from 1 on; 0 */
	uint32_t done;           /* from that part on nothing is left of a run; SCRIPT_NEVER */
	course_end ends[2];      /* where runs left last; */
	uint32_t ended;          /* .. so many were noted */
	bool serves;             /* else it holds something that only counting runs can do */
} fused_course;

/* ---- fused_course.c -------------------------------------------------------------------------- */

/* A run begins, with a leap: put it on its plan's course if there is one for runs like it. */
void fused_course_begin(hot_run *r, fused_run *f);
void fused_course_free(fused_course *c);
/* The run is complete: true if it stays on its course for what is freed behind it. Else it has left
 * that. */
bool fused_course_ends(fused_run *f);
/* Count the run, which is on a course, as far as it has come: up to its part f->part; `at` is the
 * op of the part before that if its steps from `step` on have not run, else SCRIPT_NEVER. */
void fused_course_leave_at(fused_run *f, uint32_t at, uint32_t step);

static inline void fused_leave_course(fused_run *f)
{
	if (UNLIKELY(f->course != NULL))
		fused_course_leave_at(f, SCRIPT_NEVER, 0);
}

/* Whether the result of op n is alive and not filed, before part k. */
static inline bool fused_course_leaves(const fused_course *c, uint32_t n, uint32_t k)
{
	const script_part *p = &c->s->parts[c->s->ops[n]];

	return c->s->ops[n] < k && p->freed != SCRIPT_NEVER && p->freed >= k;
}

/* The tensor of op `at`, which is not filed, is in memory, and may be filed without leaving the
 * course; then `v` is its value. */
bool fused_course_has(const fused_run *f, uint32_t at);
void fused_course_show(fused_run *f, uint32_t at, value *v);
/* It is about to be freed where the script says. */
void fused_course_hide(fused_run *f, uint32_t at);
/* f->shown[slot] sees what the slot has. */
void fused_course_publish(fused_run *f, uint32_t slot);

/* For fused_run.c, of runs that have a pass: memory would be dropped, a tensor be shown. */
void fused_pass_drop(fused_run *f, uint32_t slot);
void fused_pass_show(fused_run *f, uint32_t slot);

/* ---- fused_run.c ----------------------------------------------------------------------------- */

/* Of fused_arena_serves: what depends on others; what depends on the run's own frees. */
bool fused_arena_is_free(fused_run *f, uint32_t at);
bool fused_is_late(fused_run *f, uint64_t time);

#endif
