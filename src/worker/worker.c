/* worker.c: tenants coming and going, slices of their work, and the worker's thread. */
#include "worker/hot.h"

#include <signal.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/mem.h"

/* After so much of one line it is time to look around: give room back, see who else wants what. */
#define SLICE_INS 64
#define SLICE_NS 100000

/* ---- slices; the role is held ---------------------------------------------------------------- */

static const ins *next(tenant *t)
{
	const ins *i = ring_next(&t->line.ring);

	if (i)
		return i;
	line_unmark(&t->line);
	return ring_next(&t->line.ring);
}

static bool is_stopped(tenant *t)
{
	return atomic_load_explicit(&t->line.state, memory_order_relaxed) != LINE_OPEN ||
		atomic_load_explicit(&t->worker->role.frozen, memory_order_relaxed);
}

/* Execute the next instruction, or as many as a run of a loop has at hand. Returns how many. */
static unsigned step(tenant *t, const ins *i)
{
	const unsigned n = UNLIKELY(t->heard != NULL) && t->heard->leaps &&
		ring_ahead(&t->line.ring) >= LEAP_WORDS ? leap_try(t, i) : 0;

	if (n)
		return n;
	exec_ins(t, i);
	ring_pop(&t->line.ring, i);
	return 1;
}

/* Execute some of a tenant's instructions, no further than until `wanted` (if any) is answered.
 * Returns how many. */
static unsigned run_slice(tenant *t, const answer *wanted)
{
	unsigned n = 0;
	const ins *i;

	t->worker->spent = 0;
	if (UNLIKELY(t->hot != NULL))
		hot_slice_begin(t->hot);
	else if (UNLIKELY(hot_wanted(t->worker)))
		hot_begin(t, hot_wanted(t->worker));
	while (n < SLICE_INS && t->worker->spent < SLICE_NS && !is_stopped(t) && (i = next(t))) {
		n += step(t, i);
		if (wanted && !answer_pending(wanted))
			break;
		if (wanted && line_crowded(&t->line))
			break;
	}
	if (UNLIKELY(t->hot != NULL))
		hot_slice_end(t->hot);
	if (n)
		line_release(&t->line);
	return n;
}

/* The slices that follow, if any, do not follow at once. */
static void pause_hot(tenant *t)
{
	if (UNLIKELY(t->hot != NULL))
		hot_pause(t->hot);
}

/* Move who was admitted since the last time among the tenants. */
static void settle_arrivals(worker *w)
{
	tenant *t = atomic_load(&w->arriving) ? atomic_exchange(&w->arriving, NULL) : NULL;

	for (; t; t = t->next) {
		VEC_ROOM(w->tenants, w->count, w->room);
		w->tenants[w->count++] = t;
	}
}

static void evict(tenant *t)
{
	worker *w = t->worker;
	size_t k = 0;

	settle_arrivals(w);
	while (w->tenants[k] != t)
		k++;
	w->tenants[k] = w->tenants[--w->count];
	line_cancel(&t->line);
	counter_add(&w->values, -store_count(&t->store));
	hot_leave(t);
	store_fini(&t->store);
	line_gone(&t->line);   /* t is no longer ours */
}

/* Asked after the mark may have been taken off: closing is work too. True if the tenant is gone. */
static bool evict_if_closing(tenant *t)
{
	uint32_t state = atomic_load(&t->line.state);

	if (UNLIKELY(state == LINE_CLOSING))
		evict(t);
	return state != LINE_OPEN;
}

/* ---- helping --------------------------------------------------------------------------------- */

/* The helper's thread is a user's: it keeps its floating-point modes and its last error. */
typedef struct manners {
	uint32_t fp;
	uint64_t faults;
	gt_err code;
	char text[ERROR_TEXT_MAX];
} manners;

static void put_manners(manners *m, const worker *w)
{
	m->fp = cpu_fp_enter();
	m->faults = atomic_load_explicit(&w->faults, memory_order_relaxed);
	if (UNLIKELY((m->code = gt_last_error_code()) != GT_OK))
		snprintf(m->text, sizeof m->text, "%s", gt_last_error());
}

static void drop_manners(const manners *m, const worker *w)
{
	cpu_fp_leave(m->fp);
	if (LIKELY(m->faults == atomic_load_explicit(&w->faults, memory_order_relaxed)))
		return;
	gt_clear_error();
	if (m->code)
		fail(m->code, "%s", m->text);
}

static bool is_past(uint64_t until)
{
	return until != UINT64_MAX && clock_ns() >= until;
}

static bool run_line(line *l, const goal *g, uint64_t until)
{
	tenant *t = CONTAINER(l, tenant, line);
	worker *w = t->worker;
	const answer *wanted = g->kind == GOAL_ANSWER ? g->a : NULL;
	unsigned n, total = 0;
	manners m;

	put_manners(&m, w);
	settle_arrivals(w);
	do {
		total += n = run_slice(t, wanted);
	} while (n && !line_reached(l, g) && !line_crowded(l) && !is_past(until));
	pause_hot(t);
	drop_manners(&m, w);
	line_tidy(l);
	return evict_if_closing(t) || total;
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* A slice of every tenant's work in turn, until nothing is left. */
static void serve(worker *w)
{
	unsigned n;

	do {
		n = 0;
		settle_arrivals(w);
		for (size_t k = 0; k < w->count; k++) {
			n += run_slice(w->tenants[k], NULL);
			if (w->count > 1)
				pause_hot(w->tenants[k]);
			if (UNLIKELY(evict_if_closing(w->tenants[k]))) {
				n++;
				k--;        /* the last tenant has taken its place */
			}
		}
	} while (n && !atomic_load(&w->stop) && !atomic_load(&w->role.frozen));
	if (w->count == 1)
		pause_hot(w->tenants[0]);
}

static void *thread_main(void *arg)
{
	worker *w = arg;

	cpu_fp_enter();
	for (;;) {
		uint32_t seen = atomic_load(&w->role.bell);

		if (atomic_load(&w->stop))
			return NULL;
		if (role_try(&w->role)) {
			serve(w);
			if (role_drop(&w->role))
				continue;
		}
		role_rest(&w->role, seen);
	}
}

/* Signals are for the program's own threads. */
static bool start_thread(worker *w)
{
	sigset_t all, before;
	char name[16];
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&w->thread, NULL, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (e) {
		log_line("worker_%d: no thread could be started (%s); clients execute while they "
			"wait", w->options.number, strerror(e));
		return false;
	}
	snprintf(name, sizeof name, "gt-worker-%d", w->options.number);
	pthread_setname_np(w->thread, name);
	return true;
}

static bool hire(role *r)
{
	worker *w = CONTAINER(r, worker, role);
	bool runs;

	pthread_mutex_lock(&w->hiring);
	if (atomic_load(&r->hired) == THREAD_NONE)
		atomic_store(&r->hired, start_thread(w) ? THREAD_RUNS : THREAD_REFUSED);
	runs = atomic_load(&r->hired) == THREAD_RUNS;
	pthread_mutex_unlock(&w->hiring);
	return runs;
}

static void stop_thread(worker *w)
{
	atomic_store(&w->stop, true);
	if (atomic_load(&w->role.hired) != THREAD_RUNS)
		return;
	role_ring(&w->role);
	pthread_join(w->thread, NULL);
	atomic_store(&w->role.hired, THREAD_REFUSED);
}

/* ---- from outside ---------------------------------------------------------------------------- */

gt_err worker_new(const worker_options *o, worker **out)
{
	worker *w = mem_lines(sizeof *w);
	gt_err e;

	role_init(&w->role, hire);
	pthread_mutex_init(&w->hiring, NULL);
	w->options = *o;
	e = engine_open(o->backend, o->threads, o->memory, &w->engine);
	if (e) {
		worker_free(w);
		return e;
	}
	*out = w;
	return GT_OK;
}

void worker_free(worker *w)
{
	stop_thread(w);
	if (w->looks && flag_int(FLAG_GT_DEBUG_COMPILE))
		hot_say_stats(w);
	engine_close(w->engine);
	pthread_mutex_destroy(&w->hiring);
	mem_free(w->tenants);
	mem_free(w);
}

bool worker_freeze(worker *w, bool for_ever, uint64_t ns)
{
	bool frozen = role_freeze(&w->role, for_ever ? ROLE_ENDED : ROLE_PAUSED, ns);

	if (frozen && for_ever)
		stop_thread(w);
	return frozen;
}

void worker_thaw(worker *w, bool frozen)
{
	role_thaw(&w->role, frozen);
}

void worker_get_stats(worker *w, worker_stats *out)
{
	allocator_stats memory;

	allocator_get_stats(w->engine->memory, &memory);
	*out = (worker_stats){
		.number = w->options.number,
		.instructions = atomic_load_explicit(&w->instructions, memory_order_relaxed),
		.operations = atomic_load_explicit(&w->operations, memory_order_relaxed),
		.products = atomic_load_explicit(&w->products, memory_order_relaxed),
		.faults = atomic_load_explicit(&w->faults, memory_order_relaxed),
		.tensors = atomic_load_explicit(&w->values, memory_order_relaxed),
		.bytes = memory.live,
		.bytes_max = memory.live_max,
	};
	hot_get_stats(w, &out->hot);
}

tenant *worker_admit(worker *w, uint32_t session)
{
	tenant *t = mem_lines(sizeof *t);

	line_init(&t->line, &w->role, w->options.runahead, run_line);
	t->worker = w;
	t->session = session;
	t->next = atomic_load(&w->arriving);
	while (!atomic_compare_exchange_weak(&w->arriving, &t->next, t))
		;
	return t;
}

line *tenant_line(tenant *t)
{
	return &t->line;
}

void tenant_free(tenant *t)
{
	hot_end(t);
	line_unmark(&t->line);   /* a waiter that was leaving may have marked it again */
	line_fini(&t->line);
	mem_free(t);
}
