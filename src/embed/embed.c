/* embed.c: the link between a client and the system of its own process.
 *
 * A link has a gate through which waiting threads pass, so that closing can tell when the last has
 * left; references (link_hold) keep the gate itself in place for those that come later.
 */
#include "embed/embed.h"

#include "base/error.h"
#include "base/mem.h"
#include "cache/plugin.h"
#include "embed/system.h"
#include "link/futex.h"

#define GATE_CLOSED ((uint32_t)1 << 31)

typedef struct embedded {
	struct link link;
	place place;
	line *line;
	uint32_t forks;                  /* of the process, when it was opened */
	_Atomic uint32_t gate;           /* threads inside, and whether more may enter */
} embedded;

static embedded *embedded_of(struct link *l)
{
	return CONTAINER(l, embedded, link);
}

static gt_err check_fork(const embedded *m)
{
	if (LIKELY(m->forks == system_forks()))
		return GT_OK;
	return fail(GT_EFORK, "this process was forked after the client was opened, and the "
		"workers stayed with its parent; open a new client in the child (gt_open)");
}

static gt_err embedded_flush(struct link *l, const uint64_t *records, size_t words, size_t n,
		uint64_t cost)
{
	embedded *m = embedded_of(l);
	parcel p = { records, words, n, cost, l->light };
	gt_err e = check_fork(m);

	if (UNLIKELY(e)) {
		line_discard_all(records, n);
		return e;
	}
	return dispatcher_flush(m->place.session, &p, &l->interrupt);
}

static bool enter(embedded *m)
{
	return !(atomic_fetch_add(&m->gate, 1) & GATE_CLOSED);
}

static void leave(embedded *m)
{
	if (atomic_fetch_sub(&m->gate, 1) == (GATE_CLOSED | 1))
		futex_wake(&m->gate, 1);
}

static void close_gate(embedded *m)
{
	uint32_t inside = atomic_fetch_or(&m->gate, GATE_CLOSED) | GATE_CLOSED;

	for (; inside != GATE_CLOSED; inside = atomic_load(&m->gate))
		futex_wait(&m->gate, inside, UINT64_MAX);
}

static gt_err embedded_wait(struct link *l, answer *a, const interrupt *in)
{
	embedded *m = embedded_of(l);
	goal g = { .kind = GOAL_ANSWER, .a = a };
	gt_err e;

	if (!answer_pending(a))
		return GT_OK;
	if ((e = check_fork(m)))
		return e;
	if (enter(m))
		e = line_wait(m->line, &g, in);
	else if (answer_pending(a))
		e = fail(GT_ECLOSED, "the client is closed");
	leave(m);
	return e;
}

static gt_err embedded_sync(struct link *l, const interrupt *in)
{
	embedded *m = embedded_of(l);
	gt_err e = check_fork(m);

	return e ? e : line_sync(m->line, in);
}

static void embedded_close(struct link *l)
{
	embedded *m = embedded_of(l);

	/* In a forked child, and while the process exits, nobody is there to let go of the
	 * session. */
	if (m->forks == system_forks() && line_close(m->line)) {
		close_gate(m);
		system_leave(&m->place);
	}
	link_drop(l);
}

static void embedded_free(struct link *l)
{
	mem_free(embedded_of(l));
}

static const link_ops embedded_ops = {
	.flush = embedded_flush,
	.wait = embedded_wait,
	.sync = embedded_sync,
	.close = embedded_close,
	.free = embedded_free,
};

gt_err embed_open(struct link **out)
{
	embedded *m = mem_zero(sizeof *m);
	gt_err e = system_join(&m->place);

	if (e) {
		mem_free(m);
		return e;
	}
	m->link.ops = &embedded_ops;
	atomic_init(&m->link.refs, 1);
	m->line = tenant_line(m->place.tenant);
	m->forks = system_forks();
	plugin_watch_exit();
	*out = &m->link;
	return GT_OK;
}

/* Whether the link is one of this process's. */
static gt_err check_link(struct link *l)
{
	if (l->ops != &embedded_ops)
		return fail(GT_ESTATE, "the client is not connected to a worker of this process");
	return check_fork(embedded_of(l));
}

gt_err embed_stats(struct link *l, worker_stats *out)
{
	gt_err e = check_link(l);

	if (!e)
		worker_get_stats(embedded_of(l)->place.worker, out);
	return e;
}

gt_err embed_compile_wait(struct link *l)
{
	gt_err e = check_link(l);

	return e ? e : worker_compile_wait(embedded_of(l)->place.worker, &l->interrupt);
}

gt_err embed_explain(struct link *l, const explain_wish *wish, buf *to)
{
	gt_err e = check_link(l);

	if (!e)
		worker_explain(embedded_of(l)->place.tenant, wish, to);
	return e;
}
