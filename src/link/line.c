/* line.c: pushing with back-pressure, and the one loop in which every wait happens. */
#include "link/line.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "ir/op.h"
#include "link/futex.h"

#define LOOKS_PER_CLOCK 16
#define SPIN_NS 20000                  /* how long a reader looks before it sleeps */
#define UNHIRED_NS 1000000         /* without a thread nobody comes: sleepers look for themselves */

void line_init(line *l, role *r, uint64_t runahead, line_run *run)
{
	*l = (line){ .role = r, .run = run };
	ring_init(&l->ring, runahead);
}

void line_fini(line *l)
{
	ring_fini(&l->ring);
	buf_fini(&l->spill);
}

void line_discard(const ins *i)
{
	if (i->op == OP_upload)
		blob_drop(ins_blob(i));
	else if (i->op == OP_fetch)
		answer_cancel((answer *)(uintptr_t)ins_opd(i)[0]);
}

void line_mark(line *l)
{
	role *r = l->role;

	if (!atomic_load(&l->urgent)) {
		atomic_fetch_add(&r->urgent, 1);
		if (atomic_exchange(&l->urgent, 1))
			atomic_fetch_sub(&r->urgent, 1);
	}
	if (!atomic_load(&r->held))
		role_ring(r);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* True as soon as the goal is reached or the role is free: others' help is often short. */
static bool spin(line *l, const goal *g)
{
	uint64_t until = clock_ns() + SPIN_NS;

	do {
		for (int k = 0; k < LOOKS_PER_CLOCK; k++) {
			if (line_reached(l, g) || !atomic_load(&l->role->held))
				return true;
			__builtin_ia32_pause();
		}
	} while (clock_ns() < until);
	return false;
}

static void watch(line *l, const goal *g, uint64_t ns)
{
	uint32_t seen;

	atomic_fetch_add(&l->watchers, 1);
	seen = atomic_load(&l->progress);
	if (!line_reached(l, g))
		futex_wait(&l->progress, seen, ns);
	atomic_fetch_sub(&l->watchers, 1);
}

static void rest(line *l, const goal *g, uint64_t until)
{
	uint64_t now = until == UINT64_MAX ? 0 : clock_ns();
	uint64_t ns = until == UINT64_MAX ? UINT64_MAX : until > now ? until - now : 0;
	uint32_t state = atomic_load(&l->state);

	if (UNLIKELY(atomic_load(&l->role->hired) == THREAD_REFUSED))
		ns = MIN(ns, (uint64_t)UNHIRED_NS);
	if (g->kind == GOAL_ANSWER)
		answer_sleep(g->a, ns);
	else if (g->kind == GOAL_DONE)
		watch(l, g, ns);
	else if (state != LINE_GONE)
		futex_wait(&l->state, state, ns);
}

/* Nobody but us may come if the worker's thread could not be started: then marks of others do not
 * count. */
static bool may_help(line *l)
{
	return !line_crowded(l) || atomic_load(&l->role->hired) == THREAD_REFUSED;
}

/* Run the line, if the role is free and nobody else has a claim; false if that got nothing done. */
static bool help(line *l, const goal *g, uint64_t until)
{
	role *r = l->role;
	bool helped;

	if (!may_help(l) || !role_try(r))
		return false;
	helped = l->run(l, g, until);
	if (role_drop(r))
		role_ring(r);
	return helped;
}

gt_err line_wait(line *l, const goal *g, const interrupt *in)
{
	bool polls = in && in->poll, spins = l->role->spins;
	uint64_t until = UINT64_MAX;

	if (line_reached(l, g))
		return GT_OK;
	if (polls)
		until = clock_ns() + INTERRUPT_NS;
	for (;;) {
		/* Asked first: when the line goes, its answers are settled before. */
		bool gone = atomic_load(&l->state) == LINE_GONE;

		if (line_reached(l, g))
			return GT_OK;
		if (gone)
			return fail(GT_ECLOSED, "the client was closed while it was waited for");
		if (UNLIKELY(atomic_load(&l->role->frozen) == ROLE_ENDED))
			return fail(GT_ECLOSED, "the process is exiting");
		if (!help(l, g, until) && !(spins && spin(l, g))) {
			line_mark(l);
			rest(l, g, until);
		}
		spins = false;
		if (!polls || clock_ns() < until || line_reached(l, g))
			continue;
		if (in->poll(in->ctx))
			return fail(GT_EINTERRUPT, "interrupted while waiting");
		until = clock_ns() + INTERRUPT_NS;
	}
}

gt_err line_sync(line *l, const interrupt *in)
{
	gt_err e = line_push(l, &(parcel){ 0 }, in);   /* what an interrupt left over */
	goal g = { GOAL_DONE, .done = l->ring.pushed };

	return e ? e : line_wait(l, &g, in);
}

/* ---- pushing --------------------------------------------------------------------------------- */

static bool has_credit(line *l, uint64_t bytes)
{
	uint64_t flying = l->uploaded - atomic_load(&l->consumed);

	return !flying || flying + bytes <= LINE_UPLOADS_MAX;
}

/* How many of the records may go together: those before the next upload; an upload goes alone and
 * needs credit. */
static size_t together(line *l, const uint64_t *records, size_t n, size_t *words)
{
	const ins *i = (const ins *)records;
	size_t k = 0;

	*words = i->words;
	if (UNLIKELY(i->op == OP_upload))
		return has_credit(l, ins_blob(i)->size);
	for (*words = 0; k < n && i->op != OP_upload; k++) {
		*words += i->words;
		i = (const ins *)(records + *words);
	}
	return k;
}

/* Push what room and credit allow; returns the instructions, and their words in *taken. */
static size_t push_some(line *l, const uint64_t *records, size_t n, size_t *taken)
{
	const ins *first = (const ins *)records;
	size_t words, may = together(l, records, n, &words), pushed;
	/* Asked before it is pushed: afterwards the executor may free the data. */
	uint64_t bytes = UNLIKELY(first->op == OP_upload) ? ins_blob(first)->size : 0;

	*taken = 0;
	pushed = may ? ring_push(&l->ring, records, words, may, taken) : 0;
	if (pushed)
		l->uploaded += bytes;
	return pushed;
}

/* Wait until half of what is in the ring has run. */
static gt_err wait_for_room(line *l, const interrupt *in)
{
	goal g = { GOAL_DONE, .done = l->ring.pushed - ring_used(&l->ring) / 2 };

	return line_wait(l, &g, in);
}

/* Push what there is room for of a parcel without uploads, which needs no credit. */
static void push_light(line *l, const parcel *p, const uint64_t **at, size_t *n)
{
	size_t taken;

	*n -= ring_push(&l->ring, p->records, p->words, p->n, &taken);
	*at += taken;
}

/* Push everything; on an error *at and *n are what is left. */
static gt_err push_all(line *l, const uint64_t **at, size_t *n, const interrupt *in)
{
	gt_err e = GT_OK;

	while (*n && !e) {
		size_t taken, pushed = push_some(l, *at, *n, &taken);

		*at += taken;
		*n -= pushed;
		if (!pushed)
			e = wait_for_room(l, in);
	}
	return e;
}

void line_discard_all(const uint64_t *records, size_t n)
{
	for (; n; n--) {
		const ins *i = (const ins *)records;

		records += i->words;
		line_discard(i);
	}
}

/* Keep the rest for the next push, which is the only way that nothing is lost and nothing
 * overtakes. Its fetches have lost their reader. */
static void keep(line *l, const uint64_t *records, size_t n)
{
	for (; n; n--) {
		const ins *i = (const ins *)records;

		if (i->op == OP_fetch) {
			line_discard(i);
		} else {
			buf_put(&l->spill, i, i->words * sizeof *records);
			l->spilled++;
		}
		records += i->words;
	}
}

/* What an earlier push left over goes first. */
static gt_err push_spilled(line *l, const interrupt *in)
{
	const uint64_t *at = (const uint64_t *)l->spill.data;
	size_t left = l->spilled, size = l->spill.size;
	gt_err e = push_all(l, &at, &left, in);

	l->spill.size = size - (size_t)((const uint8_t *)at - l->spill.data);
	memmove(l->spill.data, at, l->spill.size);
	l->spilled = left;
	return e;
}

static gt_err push_parcel(line *l, const parcel *p, bool light, const interrupt *in)
{
	const uint64_t *records = p->records;
	size_t n = p->n;
	gt_err e = GT_OK;

	if (UNLIKELY(atomic_load(&l->state) != LINE_OPEN)) {
		line_discard_all(records, n);
		return fail(GT_ECLOSED, "the client is closed");
	}
	l->cost = ring_used(&l->ring) ? l->cost + p->cost : p->cost;
	if (UNLIKELY(l->spilled))
		e = push_spilled(l, in);
	if (LIKELY(!e && light && n))
		push_light(l, p, &records, &n);
	if (LIKELY(!e))
		e = push_all(l, &records, &n, in);
	if (UNLIKELY(e))
		keep(l, records, n);
	if (l->cost >= LINK_URGENT_NS && !atomic_load(&l->urgent))
		line_mark(l);
	return e;
}

gt_err line_push(line *l, const parcel *p, const interrupt *in)
{
	return push_parcel(l, p, false, in);
}

gt_err line_push_light(line *l, const parcel *p, const interrupt *in)
{
	return push_parcel(l, p, true, in);
}

/* ---- the end --------------------------------------------------------------------------------- */

bool line_close(line *l)
{
	goal g = { .kind = GOAL_GONE };

	line_discard_all((const uint64_t *)l->spill.data, l->spilled);
	l->spilled = l->spill.size = 0;
	atomic_store(&l->state, LINE_CLOSING);
	return !line_wait(l, &g, NULL);
}

void line_signal(line *l)
{
	atomic_fetch_add(&l->progress, 1);
	futex_wake(&l->progress, INT_MAX);
}

void line_cancel(line *l)
{
	const ins *i;

	line_unmark(l);
	while ((i = ring_next(&l->ring))) {
		line_discard(i);
		ring_pop(&l->ring, i);
	}
	line_release(l);
}

void line_gone(line *l)
{
	/* Waking needs the address only: the closer may free the line as soon as it sees the
	 * state. */
	atomic_store(&l->state, LINE_GONE);
	futex_wake(&l->state, INT_MAX);
}
