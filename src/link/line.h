/* line.h: one session's way to one worker inside a process: a ring, and how its two ends wait for
 * each other.
 *
 * The producer's end belongs to the client's thread, the consumer's end to whoever holds the
 * worker's role (role.h). Any thread may wait for an answer. Every wait is the same loop: if the
 * role is free and no other line is marked, take it and run this line; else mark the line, look for
 * a moment, sleep; poll the interrupt with nothing held.
 *
 * The consumer gives room back and reports progress in slices. Sleeping on progress is safe because
 * a watcher counts itself and then looks at the ring, while the consumer gives room back and then
 * looks for watchers.
 */
#ifndef LINK_LINE_H
#define LINK_LINE_H

#include "base/buf.h"
#include "link/link.h"
#include "link/ring.h"
#include "link/role.h"

#define LINE_UPLOADS_MAX ((uint64_t)256 << 20)   /* bytes on their way; one alone may be larger */

enum line_state { LINE_OPEN, LINE_CLOSING, LINE_GONE };

/* What a thread waits for: an answer, or so many instructions given back, or the end of the
 * session. */
typedef struct goal {
	enum goal_kind { GOAL_ANSWER, GOAL_DONE, GOAL_GONE } kind;
	answer *a;
	uint64_t done;
} goal;

/* Run the line's instructions until the goal is reached, nothing is left, another line is marked,
 * or the clock shows `until`. Called with the role held. If the line is closing: cancel the rest,
 * free what the session has, call line_gone. True if it got anything done. */
typedef struct line line;
typedef bool line_run(line *l, const goal *g, uint64_t until);

struct line {
	ring ring;
	role *role;
	line_run *run;

	_Alignas(CACHE_LINE) _Atomic uint32_t urgent; /* the mark */
	_Atomic uint32_t state;                       /* line_state */
	_Atomic uint32_t progress, watchers;
	_Atomic uint64_t consumed;                    /* bytes of uploads executed */

	/* The producer's own. */
	_Alignas(CACHE_LINE) uint64_t uploaded;       /* bytes of uploads pushed */
	uint64_t cost;                                /* estimated, since the ring was empty */
	buf spill;                                    /* of an interrupted push: goes first */
	size_t spilled;                               /* instructions in it */
};

void line_init(line *l, role *r, uint64_t runahead, line_run *run);
void line_fini(line *l);

/* What a client flushes at a time. */
typedef struct parcel {
	const uint64_t *records;
	size_t words, n;                 /* how many words, and instructions */
	uint64_t cost;                   /* their estimated ns */
	bool light;                      /* none of them is an upload */
} parcel;

/* As link_ops.flush. */
gt_err line_push(line *l, const parcel *p, const interrupt *in);
/* The same where no upload among the records brings bytes: nobody need look for one. */
gt_err line_push_light(line *l, const parcel *p, const interrupt *in);
/* Any thread. GT_ECLOSED if the line went and the goal can no longer be reached. */
gt_err line_wait(line *l, const goal *g, const interrupt *in);
/* Wait until everything pushed has run. */
gt_err line_sync(line *l, const interrupt *in);
/* Cancel, have everything of the session freed, return when the consumer's end no longer knows the
 * line. False if the process is exiting: then everything stays as it is. */
bool line_close(line *l);

/* Say that somebody relies on the line being run. Any thread. */
void line_mark(line *l);
/* Give up the references that a record, or n of them, carry: data are dropped, answers
 * cancelled. */
void line_discard(const ins *i);
void line_discard_all(const uint64_t *records, size_t n);

static inline bool line_reached(line *l, const goal *g)
{
	switch (g->kind) {
	case GOAL_ANSWER:
		return !answer_pending(g->a);
	case GOAL_DONE:
		return atomic_load(&l->ring.released) >= g->done;
	default:
		return atomic_load(&l->state) == LINE_GONE;
	}
}

/* ---- the consumer's end; the role is held ---------------------------------------------------- */

/* Does somebody rely on another line of this worker? */
static inline bool line_crowded(line *l)
{
	return atomic_load(&l->role->urgent) > (int32_t)atomic_load(&l->urgent);
}

/* Take the mark off. The caller then looks at the ring once more. */
static inline void line_unmark(line *l)
{
	if (atomic_load(&l->urgent) && atomic_exchange(&l->urgent, 0))
		atomic_fetch_sub(&l->role->urgent, 1);
}

/* Before the role is dropped: an empty line needs no mark, and a mark would wake the worker's
 * thread. What was pushed just now may rely on the mark that was found there. */
static inline void line_tidy(line *l)
{
	if (!atomic_load(&l->urgent) || ring_next(&l->ring))
		return;
	line_unmark(l);
	if (ring_next(&l->ring))
		line_mark(l);
}

void line_signal(line *l);

/* Give back the room of what was popped, wake who waits for that. */
static inline void line_release(line *l)
{
	ring_release(&l->ring);
	if (UNLIKELY(atomic_load(&l->watchers)))
		line_signal(l);
}

/* Cancel what is left in the ring. */
void line_cancel(line *l);
/* The last thing the consumer does: afterwards the line may be gone. */
void line_gone(line *l);

#endif
