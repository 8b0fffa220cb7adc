/* hot_miner.c: the miner's side of hot paths, and its thread: one a process, of lowest priority,
 * there as long as anybody's stream is mined.
 *
 * Two locks, neither of which the executor ever waits for while it runs a stream: `lock` guards who
 * is mined, and is held for a few instructions; a tenant's `mining` is held for a slice of work on
 * its records. The thread takes the second before it lets go of the first, so whoever has taken a
 * tenant off the list and then gets its `mining` is alone with it.
 */
#include "worker/hot.h"

#include <gt/gt.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "link/futex.h"

#define SLICE_STEPS 512
#define NAP_NS      UINT64_C(2000000)      /* between looks at streams that are alive */
#define WAIT_NS     100000                 /* for who compiles just now */
#define IDLE_NS     UINT64_C(200000000)    /* without a record: sleep until one is written */
#define NICE        19

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static hot *mined;
static bool runs;                        /* the thread */
static uint64_t turn;                    /* rounds over the list */
static _Atomic uint32_t asleep;          /* the thread waits to be told of records */
static pid_t thread_id;                  /* of the thread, while it runs */
static _Atomic uint32_t waiters;         /* in worker_compile_wait: they do the thread's work */
static uint64_t visits;                  /* of those who mine all tenants; `lock` */

/* ---- mining ---------------------------------------------------------------------------------- */

static void post(hot *h, const proposal *p, hot_run *r)
{
	hot_letter *l = mem_alloc(sizeof *l);

	*l = (hot_letter){ atomic_load(&h->post), p->what, p->signature, r };
	while (!atomic_compare_exchange_weak(&h->post, &l->next, l))
		;
}

/* Takes g. */
static hot_run *new_run(hot *h, region *g)
{
	hot_run *r = mem_zero(sizeof *r);

	r->plan = plan_new(g, h->tenant->worker->engine);
	match_init(&r->match, &r->plan->pattern);
	script_init(&r->script, g->n);
	r->values = mem_zero(r->plan->pattern.slots * sizeof *r->values);
	return r;
}

/* What came of a proposal. Takes its region. */
static hot_run *make_run(hot *h, const proposal *p)
{
	hot_run *r = new_run(h, p->region);

	r->of = p->side.of;
	r->place = p->side.at;
	if (r->of)
		r->warm = MIN(p->eager, UINT64_MAX / 128);
	return r;
}

void hot_post_kept(hot *h, region *g)
{
	const proposal p = { .what = PROPOSAL_HOT, .signature = g->signature };
	hot_run *r = new_run(h, g);

	hot_memo *n = mem_alloc(sizeof *n);

	*n = (hot_memo){ .next = h->kept, .signature = g->signature };
	h->kept = n;
	r->kept = true;
	post(h, &p, r);
}

static bool was_kept(const hot *h, uint64_t signature)
{
	const hot_memo *n = h->kept;

	while (n && n->signature != signature)
		n = n->next;
	return n;
}

void hot_bury(hot *h)
{
	hot_run *r = LIKELY(!atomic_load_explicit(&h->dead, memory_order_relaxed)) ? NULL :
		atomic_exchange(&h->dead, NULL), *next;

	compile_bury(h);
	for (; r; r = next) {
		next = r->next;
		fused_fini(&r->fused);
		plan_free(r->plan);
		match_fini(&r->match);
		script_fini(&r->script);
		calls_fini(&r->calls);
		leap_rest_fini(&r->rest);
		mem_free(r->values);
		mem_free(r);
	}
}

bool hot_mine_records(hot *h, size_t steps)
{
	const bool more = miner_run(h->miner, &h->recorder, steps) == steps;

	atomic_store_explicit(&h->hopes, miner_hopes(h->miner), memory_order_relaxed);
	atomic_store_explicit(&h->settles, miner_settles(h->miner), memory_order_relaxed);
	return more;
}

/* What replaces another one makes it forgotten, which may mean a file. */
static bool is_long(const proposal *p, uint32_t most)
{
	return p->n > most || (most < UINT32_MAX && p->what == PROPOSAL_REPLACED);
}

/* Whether it is compiled from a run that was executed before it was known to be a loop: of a side
 * there is none, what the last process kept has a plan, and max-autotune wants a run's data. */
static bool wants_sample(const hot *h, const proposal *p)
{
	return h->tier >= HOT_COMPILED && !p->side.of && !was_kept(h, p->signature) &&
		job_mode(p->region) != GT_COMPILE_MAX_AUTOTUNE;
}

/* NULL: there is no such run any more; the first one that is replayed will be a sample. */
static job *find_sample(hot *h, const region *r)
{
	job *j = past_sample(&h->past, r, h->tenant->worker->engine);

	if (j && h->talks)
		hot_say_compiling(j);
	return j;
}

/* The run may be gone as soon as it is posted; what is asked for is known before it runs. */
static void make_plan(hot *h, const proposal *p)
{
	job *sample = wants_sample(h, p) ? find_sample(h, p->region) : NULL;
	hot_run *r = make_run(h, p);

	r->fused.asked = sample;
	post(h, p, r);
	if (sample)
		compile_post(h, sample);
}

/* The executor's: looking for a sample takes too long for it. */
static void make_plan_quickly(hot *h, const proposal *p)
{
	if (wants_sample(h, p)) {
		job *j = job_new(p->region, h->tenant->worker->engine);

		j->next = h->unsampled;
		h->unsampled = j;
	}
	post(h, p, make_run(h, p));
}

/* The samples that were not looked for then. If the executor has taken one of its own meanwhile
 * there will be two plans for the same, of which it takes the first. */
static void find_samples(hot *h)
{
	for (job *j = h->unsampled, *next; j; j = next) {
		job *sample = find_sample(h, j->r);

		next = j->next;
		if (sample)
			compile_post(h, sample);
		job_free(j);
	}
	h->unsampled = NULL;
}

void hot_make_plans(hot *h, uint32_t most)
{
	const proposal *next;
	proposal p;

	while ((next = miner_peek(h->miner)) && !is_long(next, most)) {
		miner_next(h->miner, &p);
		if (p.what == PROPOSAL_HOT && !p.scope && h->loops)
			hot_say_detected(&p);
		if (p.what != PROPOSAL_HOT)
			post(h, &p, NULL);
		else if (most < UINT32_MAX)
			make_plan_quickly(h, &p);
		else
			make_plan(h, &p);
		if (p.what == PROPOSAL_REPLACED)
			hot_forget(h, p.signature);
	}
}

bool hot_mine(hot *h, size_t steps)
{
	bool more;

	recorder_make_ready(&h->recorder);
	past_make_ready(&h->past);
	if (UNLIKELY(!h->warmed))
		hot_warm(h, UINT32_MAX);
	more = hot_mine_records(h, steps);
	hot_bury(h);
	hot_read_notes(h);
	hot_make_plans(h, UINT32_MAX);
	if (UNLIKELY(h->unsampled != NULL))
		find_samples(h);
	return more;
}

/* All that was recorded so far; `mining` is held. */
static void mine_all(hot *h)
{
	const uint64_t until = atomic_load(&h->recorder.written);

	while (hot_mine(h, SLICE_STEPS) && (miner_is_busy(h->miner) ||
			atomic_load(&h->recorder.read) < until))
		;
}

void hot_mine_all(hot *h)
{
	pthread_mutex_lock(&h->mining);
	mine_all(h);
	pthread_mutex_unlock(&h->mining);
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* The next tenant whose turn it is, with its `mining` taken; NULL: the round is over. Tenants that
 * somebody else mines just now are left out. */
static hot *next_turn(void)
{
	hot *h;

	pthread_mutex_lock(&lock);
	for (h = mined; h; h = h->next) {
		if (h->turn == turn)
			continue;
		h->turn = turn;
		if (!pthread_mutex_trylock(&h->mining))
			break;
	}
	turn += !h;
	pthread_mutex_unlock(&lock);
	return h;
}

/* A slice of everybody's records; true if there were any. Who waits for it does it sooner: on a busy
 * machine a thread of lowest priority that has a tenant's `mining` makes them wait for long. */
static bool run_round(void)
{
	bool any = false, more;
	hot *h;

	while (!atomic_load(&waiters) && (h = next_turn())) {
		any |= recorder_peek(&h->recorder) != NULL;
		more = hot_mine(h, SLICE_STEPS);
		any |= compile_some(h, false);
		if (!more)
			atomic_store_explicit(&h->drained, clock_ns(), memory_order_relaxed);
		pthread_mutex_unlock(&h->mining);
	}
	return any;
}

/* Nobody is mined any more: the thread ends. */
static bool is_over(void)
{
	bool over;

	pthread_mutex_lock(&lock);
	over = !mined;
	runs = !over;
	thread_id = over ? 0 : thread_id;
	pthread_mutex_unlock(&lock);
	return over;
}

/* Sleep: a nap while streams are alive, else until somebody writes a record. What is written while
 * we fall asleep is seen by the last look, or tells us by hot_miner_wake at the end of the next
 * slice. */
static void rest(uint64_t idle)
{
	if (idle < IDLE_NS) {
		futex_wait(&asleep, 0, NAP_NS);
		return;
	}
	atomic_store(&asleep, 1);
	if (!run_round())
		futex_wait(&asleep, 1, UINT64_MAX);
	atomic_store(&asleep, 0);
}

/* Of the thread: Linux counts threads as processes. What it does while somebody waits is a piece of
 * work that it has begun, which others cannot go on with: then it is not of the lowest priority, if
 * the system allows that. `lock` is held. */
static void set_priority(void)
{
	if (runs && thread_id)
		setpriority(PRIO_PROCESS, (id_t)thread_id, atomic_load(&waiters) ? 0 : NICE);
}

static void *thread_main(void *arg)
{
	uint64_t last = clock_ns(), now;

	pthread_mutex_lock(&lock);
	thread_id = (pid_t)syscall(SYS_gettid);
	set_priority();
	pthread_mutex_unlock(&lock);
	while (!is_over()) {
		while (run_round())
			last = clock_ns();
		now = clock_ns();
		rest(now - last);
		if (now - last >= IDLE_NS)
			last = clock_ns();
	}
	return arg;
}

void hot_miner_wake(void)
{
	if (LIKELY(!atomic_load_explicit(&asleep, memory_order_relaxed)))
		return;
	atomic_store(&asleep, 0);
	futex_wake(&asleep, 1);
}

/* ---- who is mined ---------------------------------------------------------------------------- */

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork_in_parent(void) { pthread_mutex_unlock(&lock); }

/* The child has neither the thread nor the parent's sessions. */
static void after_fork_in_child(void)
{
	mined = NULL;
	runs = false;
	thread_id = 0;
	atomic_store(&waiters, 0);
	atomic_store(&asleep, 0);
	pthread_mutex_unlock(&lock);
}

static void install_handlers(void)
{
	static bool installed;

	if (!installed)
		pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
	installed = true;
}

/* Without the thread, executors mine what is too old. Signals are for the program's own threads. */
static bool start_thread(void)
{
	sigset_t all, before;
	pthread_t thread;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&thread, NULL, thread_main, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (e) {
		log_line("no thread for the miner could be started (%s)", strerror(e));
		return false;
	}
	pthread_setname_np(thread, "gt-miner");
	pthread_detach(thread);
	return true;
}

void hot_miner_add(hot *h)
{
	atomic_store(&h->drained, clock_ns());
	pthread_mutex_lock(&lock);
	install_handlers();
	h->next = mined;
	h->turn = turn - 1;
	mined = h;
	if (!runs)
		runs = start_thread();
	pthread_mutex_unlock(&lock);
}

void hot_miner_remove(hot *h)
{
	hot **at = &mined;

	pthread_mutex_lock(&lock);
	while (*at && *at != h)
		at = &(*at)->next;
	if (*at)
		*at = h->next;
	if (!mined)
		hot_miner_wake();
	pthread_mutex_unlock(&lock);
	pthread_mutex_lock(&h->mining);      /* whoever had it before is gone now */
	pthread_mutex_unlock(&h->mining);
	while (h->talks && hot_mine(h, SLICE_STEPS))
		;                        /* what is told at the end is of everything */
	pthread_mutex_lock(&lock);
	hot_add_stats(h, &h->tenant->worker->past);
	pthread_mutex_unlock(&lock);
}

/* ---- all of a worker's tenants --------------------------------------------------------------- */

/* One of the worker's tenants that was not visited, with its `mining` taken: it cannot go meanwhile,
 * others can come and go. NULL: all were, or somebody else has those that are left: then *wait. */
static hot *next_visit(const worker *w, uint64_t visit, bool *wait)
{
	hot *h;

	*wait = false;
	pthread_mutex_lock(&lock);
	for (h = mined; h; h = h->next) {
		if (h->tenant->worker != w || h->visit >= visit)
			continue;
		if (!pthread_mutex_trylock(&h->mining))
			break;
		*wait = true;
	}
	if (h)
		h->visit = visit;
	pthread_mutex_unlock(&lock);
	return h;
}

static void wait_a_moment(void)
{
	const struct timespec moment = { .tv_nsec = WAIT_NS };

	nanosleep(&moment, NULL);
}

/* Who waits for the compiler, and when to be asked next whether to go on waiting. */
typedef struct patience { const interrupt *in; uint64_t until; } patience;

/* With nothing held. */
static bool goes_on(patience *p)
{
	if (!p || !p->in || !p->in->poll || clock_ns() < p->until)
		return true;
	p->until = clock_ns() + INTERRUPT_NS;
	return !p->in->poll(p->in->ctx);
}

/* All that they recorded so far, unless patience ends. If `stirs` they are to listen from now on. */
static bool mine_tenants(const worker *w, bool stirs, patience *p)
{
	uint64_t visit;
	bool wait;
	hot *h;

	pthread_mutex_lock(&lock);
	visit = ++visits;
	pthread_mutex_unlock(&lock);
	while ((h = next_visit(w, visit, &wait)) || wait) {
		if (h) {
			if (stirs)
				atomic_store(&h->rest.stirred, true);
			mine_all(h);
			pthread_mutex_unlock(&h->mining);
		} else {
			wait_a_moment();
		}
		if (!goes_on(p))
			return false;
	}
	return true;
}

void hot_get_stats(worker *w, hot_stats *out)
{
	mine_tenants(w, false, NULL);
	pthread_mutex_lock(&lock);
	*out = w->past;
	for (hot *h = mined; h; h = h->next) {
		if (h->tenant->worker != w)
			continue;
		pthread_mutex_lock(&h->mining);
		hot_add_stats(h, out);
		pthread_mutex_unlock(&h->mining);
	}
	pthread_mutex_unlock(&lock);
	out->threshold = atomic_load(&w->looks);
	out->codes = code_count();
}

/* ---- waiting for the compiler ---------------------------------------------------------------- */

/* One of the worker's tenants that has jobs, with its `mining` taken. NULL: none has, or somebody
 * else works on them just now: then *wait is true. */
static hot *next_busy(const worker *w, bool *wait)
{
	hot *h;

	*wait = false;
	pthread_mutex_lock(&lock);
	for (h = mined; h; h = h->next) {
		if (h->tenant->worker != w)
			continue;
		if (pthread_mutex_trylock(&h->mining)) {
			*wait = true;
			continue;
		}
		if (compile_busy(h))
			break;
		pthread_mutex_unlock(&h->mining);
	}
	pthread_mutex_unlock(&lock);
	return h;
}

static void begin_waiting(void)
{
	pthread_mutex_lock(&lock);
	atomic_fetch_add(&waiters, 1);
	set_priority();
	pthread_mutex_unlock(&lock);
}

static void end_waiting(void)
{
	pthread_mutex_lock(&lock);
	atomic_fetch_sub(&waiters, 1);
	set_priority();
	pthread_mutex_unlock(&lock);
}

/* The jobs that there are; false: patience has ended. */
static bool help_compile(const worker *w, patience *p)
{
	bool wait;
	hot *h;

	while ((h = next_busy(w, &wait)) || wait) {
		if (h) {
			while (compile_some(h, true) && clock_ns() < p->until)
				;
			pthread_mutex_unlock(&h->mining);
		} else {
			wait_a_moment();
		}
		if (!goes_on(p))
			return false;
	}
	return true;
}

/* All that was recorded is mined first: what is a loop now is among the jobs then. */
gt_err worker_compile_wait(worker *w, const interrupt *in)
{
	patience p = { in, clock_ns() + INTERRUPT_NS };
	bool over;

	begin_waiting();
	over = mine_tenants(w, true, &p) && help_compile(w, &p);
	end_waiting();
	return over ? GT_OK : fail(GT_EINTERRUPT, "interrupted while waiting");
}
