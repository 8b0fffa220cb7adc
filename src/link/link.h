/* link.h: how a stream travels from a client to whoever executes it, and how answers come back.
 *
 * A client knows a link and nothing behind it. In one process the link is a bounded ring per
 * session and worker, filled by the client (through the dispatcher, a library that runs inside the
 * client's flush) and emptied by whoever holds the worker's executor role.
 */
#ifndef LINK_H
#define LINK_H

#include <stdatomic.h>
#include <gt/error.h>
#include "ir/ins.h"

/* Why an instruction failed: shared by every value that depends on it. Reference counted
 * (atomic). */
typedef struct failure {
	_Atomic uint32_t refs;
	gt_err code;
	uint32_t site;             /* the failed instruction's place, which the client can name */
	char text[];               /* op, what was wrong, shapes, signal */
} failure;
failure *failure_new(gt_err code, uint32_t site, const char *text);
void     failure_hold(failure *f);
void     failure_drop(failure *f);

/* The answer to one fetch. Made by the client, filled once by the executor, then immutable until
 * both have let go. */
typedef enum answer_state {
	ANSWER_PENDING, ANSWER_READY, ANSWER_FAILED, ANSWER_CANCELLED
} answer_state;
typedef struct answer {
	_Atomic uint32_t state;    /* answer_state; stored by the executor after all the rest */
	_Atomic uint32_t refs;
	_Atomic uint32_t sleepers; /* threads in answer_sleep */
	meta m;
	const void *data;          /* contiguous */
	failure *why;              /* FAILED */
	void *owner;               /* what keeps data alive */
	void (*release)(void *owner);
} answer;
answer *answer_new(void);      /* two references: the stream's and the client's */
void    answer_drop(answer *a);
/* Executor's side: give the answer (takes `owner` / `why`), wake waiters, drop the stream's
 * reference. */
void    answer_give(answer *a, const meta *m, const void *data, void *owner,
		void (*release)(void *owner));
void    answer_fail(answer *a, failure *why);
void    answer_cancel(answer *a);
/* Sleep while the answer is pending, at most `ns` (UINT64_MAX: for ever). May return early without
 * a reason. */
void    answer_sleep(answer *a, uint64_t ns);

static inline bool answer_pending(const answer *a)
{
	return atomic_load_explicit(&a->state, memory_order_acquire) == ANSWER_PENDING;
}

/* Called every INTERRUPT_NS or so by a thread that waits; non-zero ends the wait with
 * GT_EINTERRUPT. Whoever waits holds no lock and no role meanwhile, so the callback may block (to
 * take an interpreter's lock). */
typedef struct interrupt { int (*poll)(void *ctx); void *ctx; } interrupt;
#define INTERRUPT_NS 50000000

#define LINK_URGENT_NS 20000       /* estimated work that is begun at once */

/* What a client needs of whoever runs its stream; called by the client's thread only, except
 * wait. */
struct link;                       /* no typedef: unistd.h has a function of that name */
typedef struct link_ops {
	/* Take `n` whole instructions (`words` 8-byte words). Blocks while the link is full
	 * (back-pressure), polling l->interrupt while it does. `cost` is their estimated time in
	 * ns, without what a reader is about to run itself, and with what was left out so and is
	 * not read after all. Takes the references that uploads and fetches carry, also on error.
	 * GT_EINTERRUPT: the wait was broken off; the instructions are kept and go first at the
	 * next call, but their fetches are cancelled. Other errors: nothing was and nothing will be
	 * executed. */
	gt_err (*flush)(struct link *l, const uint64_t *records, size_t words, size_t n,
			uint64_t cost);
	/* Wait for an answer whose fetch was flushed: help, or sleep. Any thread. GT_OK as soon as
	 * the answer is no longer pending, whatever it says. */
	gt_err (*wait)(struct link *l, answer *a, const interrupt *in);
	/* Wait until everything flushed has run. */
	gt_err (*sync)(struct link *l, const interrupt *in);
	/* Cancel what has not run (pending answers become CANCELLED), free everything of the
	 * session, wait until no thread is inside `wait`; later calls give GT_ECLOSED. Gives the
	 * client's reference back. */
	void (*close)(struct link *l);
	/* The last reference went: free the memory. Any thread. */
	void (*free)(struct link *l);
} link_ops;

/* Made with one reference, the client's. A fetch that another thread may wait for holds one more,
 * so that a close in between finds the link closed, not gone. */
struct link {
	const link_ops *ops;
	_Atomic uint32_t refs;
	interrupt interrupt;       /* the client's; poll is NULL if it has none */
	bool light;                /* the client's: no upload is among what it flushes next; without
	                              that, somebody looks for them */
};
void link_hold(struct link *l);
void link_drop(struct link *l);

#endif
