/* dispatcher.c: the table of sessions, placement, and what happens to a stream on its way to its
 * worker. */
#include "dispatcher/dispatcher.h"

#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "ir/op.h"

void dispatcher_init(dispatcher *d, unsigned workers)
{
	*d = (dispatcher){ .workers = workers };
	pthread_mutex_init(&d->lock, NULL);
	d->loads = mem_zero(workers * sizeof *d->loads);
}

void dispatcher_fini(dispatcher *d)
{
	assert(!d->count);
	mem_free(d->loads);
	pthread_mutex_destroy(&d->lock);
}

static unsigned least_loaded(const dispatcher *d)
{
	unsigned best = 0;

	for (unsigned k = 1; k < d->workers; k++)
		if (d->loads[k] < d->loads[best])
			best = k;
	return best;
}

static void enroll(dispatcher *d, session *s)
{
	s->number = d->numbers++;
	s->worker = least_loaded(d);
	s->next = d->sessions;
	d->sessions = s;
	d->count++;
	d->loads[s->worker]++;
}

gt_err dispatcher_open(dispatcher *d, session **out)
{
	session *s = mem_lines(sizeof *s);
	bool fits;

	pthread_mutex_lock(&d->lock);
	fits = d->count < DISPATCHER_SESSIONS_MAX;
	if (fits)
		enroll(d, s);
	pthread_mutex_unlock(&d->lock);
	if (!fits) {
		mem_free(s);
		return fail(GT_ELIMIT, "%d clients are open, which is the limit; close some "
			"(gt_close)", DISPATCHER_SESSIONS_MAX);
	}
	if (*flag_text(FLAG_GT_DUMP))
		s->dump = dump_open(flag_text(FLAG_GT_DUMP), s->number);
	*out = s;
	return GT_OK;
}

/* One thread writes a session's counters, so no locked instruction is needed. */
static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
		memory_order_relaxed);
}

/* Our own instructions are right; sanitized builds make sure. Foreign ones are checked where they
 * arrive. */
#ifdef __SANITIZE_ADDRESS__
#define CHECK_OWN(i, p) \
	assert(!ins_check((i), (i)->words) && ((i)->op != OP_upload || !(p)->light))
#define LOOKS_AT(p) true
#else
#define CHECK_OWN(i, p) ((void)0)
#define LOOKS_AT(p) (!(p)->light)
#endif

/* The bytes that uploads bring. */
static uint64_t bytes_uploaded(const parcel *p)
{
	const uint64_t *records = p->records;
	uint64_t bytes = 0;

	for (size_t k = 0; LOOKS_AT(p) && k < p->n; k++) {
		const ins *i = (const ins *)records;

		CHECK_OWN(i, p);
		if (UNLIKELY(i->op == OP_upload))
			bytes += ins_blob(i)->size;
		records += i->words;
	}
	return bytes;
}

gt_err dispatcher_flush(session *s, const parcel *p, const interrupt *in)
{
	const uint64_t uploaded = bytes_uploaded(p);

	add(&s->stats.instructions, p->n);
	add(&s->stats.bytes, p->words * sizeof *p->records + uploaded);
	if (UNLIKELY(s->dump != NULL))
		dump_put(s->dump, p->records, p->n);
	return uploaded ? line_push(s->line, p, in) : line_push_light(s->line, p, in);
}

void dispatcher_close(dispatcher *d, session *s)
{
	session **at = &d->sessions;

	pthread_mutex_lock(&d->lock);
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	d->count--;
	d->loads[s->worker]--;
	pthread_mutex_unlock(&d->lock);
	dump_close(s->dump);
	mem_free(s);
}
