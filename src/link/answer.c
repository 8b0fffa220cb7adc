/* answer.c: the answer to one fetch.
 *
 * The state is also the word that waiters sleep on. Giving stores the state, then looks for
 * sleepers; a sleeper counts itself, then looks at the state (in the kernel): one of them sees the
 * other.
 */
#include "link/link.h"

#include "base/mem.h"
#include "link/futex.h"

answer *answer_new(void)
{
	answer *a = mem_zero(sizeof *a);

	atomic_init(&a->state, ANSWER_PENDING);
	atomic_init(&a->refs, 2);
	return a;
}

void answer_drop(answer *a)
{
	if (atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) > 1)
		return;
	if (a->release)
		a->release(a->owner);
	failure_drop(a->why);
	mem_free(a);
}

static void settle(answer *a, answer_state state)
{
	atomic_store(&a->state, state);
	if (atomic_load(&a->sleepers))
		futex_wake(&a->state, INT_MAX);
	answer_drop(a);
}

void answer_give(answer *a, const meta *m, const void *data, void *owner,
		void (*release)(void *owner))
{
	meta_copy(&a->m, m);
	a->data = data;
	a->owner = owner;
	a->release = release;
	settle(a, ANSWER_READY);
}

void answer_fail(answer *a, failure *why)
{
	a->why = why;
	settle(a, ANSWER_FAILED);
}

void answer_cancel(answer *a)
{
	settle(a, ANSWER_CANCELLED);
}

void answer_sleep(answer *a, uint64_t ns)
{
	atomic_fetch_add(&a->sleepers, 1);
	futex_wait(&a->state, ANSWER_PENDING, ns);
	atomic_fetch_sub(&a->sleepers, 1);
}
