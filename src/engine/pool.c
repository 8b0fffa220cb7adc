/* pool.c: the compute pool: threads that join a job while it is open.
 *
 * `state` holds an open bit, the number of pool threads inside the job and a generation. The
 * caller writes the job, opens it, works, closes it, and waits until everybody inside has left; a
 * thread may read the job only after it has joined, that is, has counted itself in while the bit
 * was set. A thread that comes late finds the job closed and touches nothing. A job thus never
 * waits for a thread to wake up: who is not there in time does not take part.
 *
 * Idle threads spin for SPIN_NS, because jobs come in bursts, then sleep. The order that makes
 * sleeping safe: a thread counts itself among the sleepers and then looks at `state`; the caller
 * opens the job and then looks at the sleepers; both sequentially consistent, so at least one
 * sees the other.
 */
#include "engine/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>
#include "base/base.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/mem.h"

#define THREADS_MAX 1024
#define SPIN_NS 20000
#define SPINS_PER_LOOK 8             /* at the clock */
#define SPINS_BEFORE_YIELD 4096

#define INSIDE ((uint64_t)0xffff)    /* mask of the count */
#define OPEN ((uint64_t)1 << 16)
#define GENERATION ((uint64_t)1 << 17)

struct pool {
	_Alignas(CACHE_LINE) _Atomic uint64_t state;
	_Atomic bool stop;
	_Atomic int sleepers;
	_Alignas(CACHE_LINE) _Atomic int64_t next;   /* chunk to claim */
	_Alignas(CACHE_LINE) int64_t chunks;
	void (*body)(void *ctx, int64_t k);
	void *ctx;
	bool back;                   /* so went the last sweep */
	int threads, started;        /* the caller counts in threads, not in started */
	pid_t owner;                 /* the process whose threads these are */
	pthread_t *ids;
	pthread_mutex_t mutex;       /* for sleeping only */
	pthread_cond_t wake;
};

static void work(pool *p)
{
	int64_t k;

	while ((k = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->chunks)
		p->body(p->ctx, k);
}

/* Count this thread in, if the job is open. */
static bool join_job(pool *p, uint64_t state)
{
	while (state & OPEN)
		if (atomic_compare_exchange_weak_explicit(&p->state, &state, state + 1,
				memory_order_acquire, memory_order_relaxed))
			return true;
	return false;
}

static bool is_news(pool *p, uint64_t state, uint64_t seen)
{
	return ((state & OPEN) && state / GENERATION != seen) || atomic_load(&p->stop);
}

/* True as soon as there is something to do; false if nothing came in time. */
static bool spin(pool *p, uint64_t seen)
{
	uint64_t until = clock_ns() + SPIN_NS;

	do {
		for (int k = 0; k < SPINS_PER_LOOK; k++) {
			if (is_news(p, atomic_load_explicit(&p->state, memory_order_relaxed), seen))
				return true;
			__builtin_ia32_pause();
		}
	} while (clock_ns() < until);
	return false;
}

static void sleep_until_job(pool *p, uint64_t seen)
{
	pthread_mutex_lock(&p->mutex);
	atomic_fetch_add(&p->sleepers, 1);
	while (!is_news(p, atomic_load(&p->state), seen))
		pthread_cond_wait(&p->wake, &p->mutex);
	atomic_fetch_sub(&p->sleepers, 1);
	pthread_mutex_unlock(&p->mutex);
}

/* In a forked child the sleepers are memories of the parent's, and so is the state of the lock. */
static void wake_sleepers(pool *p)
{
	if (!atomic_load(&p->sleepers) || p->owner != getpid())
		return;
	/* A sleeper between its look and its wait holds the mutex: taking it once orders us
	 * behind the wait. */
	pthread_mutex_lock(&p->mutex);
	pthread_mutex_unlock(&p->mutex);
	pthread_cond_broadcast(&p->wake);
}

static void *serve(void *arg)
{
	pool *p = arg;
	uint64_t seen = UINT64_MAX;          /* generation of the job last joined */

	cpu_fp_enter();
	while (!atomic_load_explicit(&p->stop, memory_order_acquire)) {
		uint64_t state = atomic_load_explicit(&p->state, memory_order_relaxed);

		if (state / GENERATION != seen && join_job(p, state)) {
			seen = atomic_load_explicit(&p->state, memory_order_relaxed) / GENERATION;
			work(p);
			atomic_fetch_sub_explicit(&p->state, 1, memory_order_release);
		}
		if (!spin(p, seen))
			sleep_until_job(p, seen);
	}
	return NULL;
}

/* Signals belong to the program: the pool's threads take none. If the system refuses a thread,
 * the others and the caller do its share. */
static void start_threads(pool *p)
{
	sigset_t all, before;

	p->owner = getpid();
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (p->started < p->threads - 1 &&
			!pthread_create(&p->ids[p->started], NULL, serve, p)) {
		pthread_setname_np(p->ids[p->started], "gt-compute");
		p->started++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

pool *pool_new(int threads)
{
	pool *p = mem_lines(sizeof(*p));

	p->threads = MIN(MAX(threads, 1), THREADS_MAX);
	p->ids = mem_zero((size_t)p->threads * sizeof(*p->ids));
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->wake, NULL);
	return p;
}

void pool_free(pool *p)
{
	if (!p)
		return;
	/* A forked child has the record but not the threads, and the mutex may be anybody's:
	 * leave them. */
	if (p->started && p->owner == getpid()) {
		atomic_store(&p->stop, true);
		wake_sleepers(p);
		for (int k = 0; k < p->started; k++)
			pthread_join(p->ids[k], NULL);
	}
	mem_free(p->ids);
	mem_free(p);
}

int pool_threads(const pool *p)
{
	return p->threads;
}

bool pool_worth(const pool *p, int64_t bytes)
{
	int sleepers = atomic_load_explicit(&p->sleepers, memory_order_relaxed);
	bool awake = p->started && sleepers < p->started;

	return p->threads > 1 && bytes >= (awake ? POOL_GRAIN_BYTES : 4 * POOL_GRAIN_BYTES);
}

/* The last chunks end within their own time, unless their thread has lost its core: then it may
 * have ours. */
static void wait_until_left(pool *p)
{
	for (int spins = 0; atomic_load_explicit(&p->state, memory_order_acquire) & INSIDE;)
		if (++spins < SPINS_BEFORE_YIELD)
			__builtin_ia32_pause();
		else
			sched_yield();
}

void pool_run(pool *p, int64_t chunks, void (*body)(void *ctx, int64_t k), void *ctx)
{
	if (p->threads == 1 || chunks <= 1) {
		for (int64_t k = 0; k < chunks; k++)
			body(ctx, k);
		return;
	}
	if (UNLIKELY(!p->owner))
		start_threads(p);
	p->chunks = chunks;
	p->body = body;
	p->ctx = ctx;
	atomic_store_explicit(&p->next, 0, memory_order_relaxed);
	atomic_fetch_add(&p->state, GENERATION | OPEN);
	wake_sleepers(p);
	work(p);
	atomic_fetch_and_explicit(&p->state, ~OPEN, memory_order_relaxed);
	wait_until_left(p);
}

typedef struct sweep {
	void (*body)(void *ctx, int64_t k);
	void *ctx;
	int64_t last;
} sweep;

static void go_back(void *ctx, int64_t k)
{
	const sweep *s = ctx;

	s->body(s->ctx, s->last - k);
}

void pool_sweep(pool *p, int64_t chunks, void (*body)(void *ctx, int64_t k), void *ctx)
{
	sweep back = { body, ctx, chunks - 1 };

	if (chunks > 1)
		p->back = !p->back;
	if (p->back)
		pool_run(p, chunks, go_back, &back);
	else
		pool_run(p, chunks, body, ctx);
}
