/* system.c: one dispatcher and its workers for the whole process.
 *
 * A lock guards starting and stopping; no flush and no wait takes it. Workers start when the first
 * session is placed on them.
 *
 * Fork: the child has the memory but none of the threads, so it forgets the system (the parent's
 * sessions answer GT_EFORK) and starts another when it opens a session of its own. Executors are
 * paused meanwhile: the child must not find a lock of the allocator taken by a thread that it does
 * not have.
 *
 * Exit: a worker's thread that goes on while the libraries' destructors run would crash in one of
 * them. So executing ends first, at a border between instructions; memory stays where it is.
 */
#include "embed/system.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/cpu.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/mem.h"

#define EXIT_NS UINT64_C(10000000000)   /* then the process exits all the same */
#define FORK_NS UINT64_C(1000000000)

struct gt_system {
	dispatcher dispatcher;
	unsigned count, sessions;
	struct gt_system *older;         /* abandoned by a fork before this one */
	struct seat { worker *worker; bool frozen; } seats[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static gt_system *running;               /* NULL: none */
static gt_system *abandoned;             /* keeps what fork left over reachable */
static bool exiting;
static _Atomic uint32_t forks;

uint32_t system_forks(void)
{
	return atomic_load_explicit(&forks, memory_order_relaxed);
}

/* ---- fork and exit --------------------------------------------------------------------------- */

static void freeze(bool for_ever, uint64_t ns)
{
	for (unsigned k = 0; running && k < running->count; k++) {
		struct seat *s = &running->seats[k];

		s->frozen = s->worker && worker_freeze(s->worker, for_ever, ns);
	}
}

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
	if (!exiting)
		freeze(false, FORK_NS);
}

static void after_fork_in_parent(void)
{
	for (unsigned k = 0; !exiting && running && k < running->count; k++)
		if (running->seats[k].worker)
			worker_thaw(running->seats[k].worker, running->seats[k].frozen);
	pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
	if (running) {
		running->older = abandoned;
		abandoned = running;
		running = NULL;
	}
	atomic_fetch_add(&forks, 1);
	pthread_mutex_unlock(&lock);
}

static void at_exit(void)
{
	pthread_mutex_lock(&lock);
	exiting = true;
	freeze(true, EXIT_NS);
	pthread_mutex_unlock(&lock);
}

static void install_handlers(void)
{
	static bool installed;

	if (installed)
		return;
	installed = true;
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
	atexit(at_exit);
}

/* ---- starting and stopping; the lock is held ------------------------------------------------- */

static gt_system *start(void)
{
	unsigned count = (unsigned)flag_int(FLAG_GT_WORKERS);
	gt_system *s = mem_zero(sizeof *s + count * sizeof *s->seats);

	install_handlers();
	s->count = count;
	dispatcher_init(&s->dispatcher, count);
	return s;
}

static void stop(gt_system *s)
{
	for (unsigned k = 0; k < s->count; k++)
		if (s->seats[k].worker)
			worker_free(s->seats[k].worker);
	dispatcher_fini(&s->dispatcher);
	mem_free(s);
}

/* A limit in percent of the machine is for all workers together, one in bytes for each. */
static uint64_t memory_limit(unsigned workers)
{
	const char *text = flag_text(FLAG_GT_MEMORY);
	uint64_t limit = (uint64_t)flag_int(FLAG_GT_MEMORY);

	return *text && text[strlen(text) - 1] == '%' ? limit / workers : limit;
}

static gt_err start_worker(gt_system *s, unsigned number)
{
	int threads = (int)flag_int(FLAG_GT_THREADS);
	worker_options o = {
		.number = (int)number,
		.backend = (engine_backend)flag_int(FLAG_GT_BACKEND),
		.threads = threads ? threads : MAX(cpu_cores() / (int)s->count, 1),
		.memory = memory_limit(s->count),
		.runahead = (uint64_t)flag_int(FLAG_GT_RUNAHEAD),
		.prints = flag_int(FLAG_GT_DEBUG_WORKER),
		.compiles = flag_int(FLAG_GT_COMPILE),
		.threshold = flag_int(FLAG_GT_AUTO_COMPILE) ?
			(uint64_t)flag_int(FLAG_GT_HOTPATH_THRESHOLD) : 0,
	};

	if (s->seats[number].worker)
		return GT_OK;
	log_verbose("worker_%u starts: %d threads, memory limit %llu MB", number, o.threads,
		(unsigned long long)(o.memory >> 20));
	return worker_new(&o, &s->seats[number].worker);
}

static gt_err join(gt_system *s, place *p)
{
	gt_err e = dispatcher_open(&s->dispatcher, &p->session);

	if (e)
		return e;
	e = start_worker(s, p->session->worker);
	if (e) {
		dispatcher_close(&s->dispatcher, p->session);
		return e;
	}
	p->system = s;
	p->worker = s->seats[p->session->worker].worker;
	p->tenant = worker_admit(p->worker, p->session->number);
	p->session->line = tenant_line(p->tenant);
	s->sessions++;
	return GT_OK;
}

static void stop_if_unused(void)
{
	if (running->sessions)
		return;
	log_verbose("the last client has left: workers stop");
	stop(running);
	running = NULL;
}

gt_err system_join(place *p)
{
	gt_err e = flags_load();

	if (e)
		return e;
	pthread_mutex_lock(&lock);
	if (exiting) {
		e = fail(GT_ESTATE, "the process is exiting: no client can be opened any more");
	} else {
		if (!running)
			running = start();
		e = join(running, p);
		stop_if_unused();
	}
	pthread_mutex_unlock(&lock);
	return e;
}

gt_err system_set_workers(int n)
{
	char text[16];
	gt_err e;

	snprintf(text, sizeof text, "%d", n);
	if ((e = flags_load()))
		return e;
	pthread_mutex_lock(&lock);
	if (running)
		e = fail(GT_ESTATE, "%u workers run already: their number can change only while no "
			"client is open", running->count);
	else
		e = flag_set(FLAG_GT_WORKERS, text);
	pthread_mutex_unlock(&lock);
	return e;
}

void system_leave(place *p)
{
	dispatcher_close(&p->system->dispatcher, p->session);
	tenant_free(p->tenant);
	pthread_mutex_lock(&lock);
	assert(p->system == running);
	running->sessions--;
	stop_if_unused();
	pthread_mutex_unlock(&lock);
}
