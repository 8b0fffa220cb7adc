/* role.h: who runs a worker's instructions.
 *
 * Running is a role: one word that a thread takes and drops. The worker's own thread takes it when
 * its bell rings; a thread that waits for a result takes it when it is free and runs its own line
 * meanwhile (it *helps*), because waking another thread costs more than a small step of work.
 *
 * Work that nobody waits for may lie in a ring for as long as it is cheap. Somebody who relies on a
 * line being run (its reader sleeps, its producer waits for room, its queue has become expensive)
 * marks the line urgent; `urgent` counts the marked lines. The promise: while a marked line has
 * work, the role is held by a thread that will look at the marks when it drops the role, or the
 * bell has been rung since. It is kept by three orders, each of sequentially consistent operations:
 *
 *	who marks:    mark, then look at the role; free: ring the bell
 *	who drops:    free the role, then look at the marks; any left: ring the bell
 *	who runs:     take the mark off a line that looks empty, then look at the line once more
 *
 * tests/model/role.pml checks them. The mark is counted before it is set and uncounted after it is
 * taken off, so the count errs upwards only, which costs a needless look.
 */
#ifndef LINK_ROLE_H
#define LINK_ROLE_H

#include <stdatomic.h>
#include "base/base.h"

typedef struct role role;
struct role {
	_Atomic uint32_t held;
	_Atomic int32_t urgent;
	_Atomic uint32_t frozen;                      /* role_freeze */
	bool spins;                                   /* a core is free to wait on */
	bool (*hire)(role *r);                        /* start the thread; false: there is none */

	/* Counts the rings; the thread sleeps on it. The lowest bit says that it does: in the same
	 * word, so that a ring which comes late cannot take away the flag of a later sleep. */
	_Alignas(CACHE_LINE) _Atomic uint32_t bell;
	_Atomic uint32_t hired;                       /* role_thread */
};

enum role_frost { ROLE_WARM, ROLE_PAUSED, ROLE_ENDED };
enum role_thread { THREAD_NONE, THREAD_RUNS, THREAD_REFUSED };

void role_init(role *r, bool (*hire)(role *r));

static inline bool role_try(role *r)
{
	return !atomic_load(&r->held) && !atomic_load(&r->frozen) && !atomic_exchange(&r->held, 1);
}

/* Free the role and look at the marks: true if there are any. */
static inline bool role_drop(role *r)
{
	atomic_store(&r->held, 0);
	return atomic_load(&r->urgent) > 0;
}

/* Make the worker's thread try to take the role. */
void role_ring(role *r);
/* The worker's thread: sleep until the bell has been rung since it stood at `seen`. */
void role_rest(role *r, uint32_t seen);
/* Stop all running at the next border between instructions, for a while (PAUSED) or for good
 * (ENDED), and hold the role; false if whoever holds it has not dropped it after `ns`. */
bool role_freeze(role *r, enum role_frost frost, uint64_t ns);
/* The end of a pause; `held` is what role_freeze returned. */
void role_thaw(role *r, bool held);

#endif
