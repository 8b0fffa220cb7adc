/* role.c: the bell of a worker's thread, and stopping everybody. */
#include "link/role.h"

#include <sched.h>
#include "base/clock.h"
#include "base/cpu.h"
#include "link/futex.h"

/* How long a worker's thread looks for work before it sleeps: about as long as a client takes to
 * hand over more while it goes through a step. With 5 us it sleeps between two halves of a step,
 * and the client wakes it each time or runs all of it alone (steps of 20 us took 1.4 times as long,
 * of 45 us 1.15); with 20 us and more it stands in the way of readers who run their steps
 * themselves. */
#define SPIN_NS 12000
#define LOOKS_PER_CLOCK 16
#define BELL_ASLEEP 1u
#define BELL_RING 2u

void role_init(role *r, bool (*hire)(role *r))
{
	*r = (role){ .hire = hire, .spins = cpu_cores() > 1 };
}

void role_ring(role *r)
{
	uint32_t bell = atomic_load(&r->bell);

	while (!atomic_compare_exchange_weak(&r->bell, &bell, (bell + BELL_RING) & ~BELL_ASLEEP))
		;
	if (UNLIKELY(atomic_load(&r->hired) != THREAD_RUNS) && !r->hire(r))
		return;
	if (bell & BELL_ASLEEP)
		futex_wake(&r->bell, 1);
}

static bool spin(role *r, uint32_t seen)
{
	uint64_t until = clock_ns() + SPIN_NS;

	do {
		for (int k = 0; k < LOOKS_PER_CLOCK; k++) {
			if (atomic_load(&r->bell) != seen)
				return true;
			__builtin_ia32_pause();
		}
	} while (clock_ns() < until);
	return false;
}

void role_rest(role *r, uint32_t seen)
{
	if (r->spins && spin(r, seen))
		return;
	if (!atomic_compare_exchange_strong(&r->bell, &seen, seen | BELL_ASLEEP))
		return;
	while (atomic_load(&r->bell) == (seen | BELL_ASLEEP))
		futex_wait(&r->bell, seen | BELL_ASLEEP, UINT64_MAX);
}

bool role_freeze(role *r, enum role_frost frost, uint64_t ns)
{
	uint64_t until = clock_ns() + ns;

	atomic_store(&r->frozen, frost);
	while (atomic_exchange(&r->held, 1)) {
		if (clock_ns() > until)
			return false;
		sched_yield();
	}
	return true;
}

void role_thaw(role *r, bool held)
{
	atomic_store(&r->frozen, ROLE_WARM);
	/* Who could not get the role meanwhile has left a mark. */
	if (held ? role_drop(r) : atomic_load(&r->urgent) > 0)
		role_ring(r);
}
