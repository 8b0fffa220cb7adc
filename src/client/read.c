/* read.c: the only calls that wait.
 *
 * A fetch is an instruction that carries an answer; the value remembers the answer, so that
 * reading it again issues nothing. A remembered answer keeps the data alive: for most values that
 * is their own storage, but elements that a view shows out of order were copied for the answer, so
 * there only small ones are remembered.
 */
#include "client/client.h"

#include <math.h>
#include <stdio.h>
#include "base/mem.h"

struct gt_fetch {
	answer *a;
	struct link *link;
	sites *sites;
	interrupt interrupt;
};

#define VIEW_MEMO_BYTES 4096

/* ---- remembered answers ---------------------------------------------------------------------- */

static void remember(gt_client *gt, value *v, answer *a)
{
	memo *m = slab_get(&gt->slab, sizeof *m);

	*m = (memo){ .a = a, .next = gt->memos };
	if (m->next)
		m->next->prev = m;
	gt->memos = v->memo = m;
	atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
}

void read_forget(gt_client *gt, value *v)
{
	memo *m = v->memo;

	answer_drop(m->a);
	if (m->prev)
		m->prev->next = m->next;
	else
		gt->memos = m->next;
	if (m->next)
		m->next->prev = m->prev;
	slab_put(&gt->slab, m, sizeof *m);
	v->memo = NULL;
}

void read_forget_all(gt_client *gt)
{
	for (; gt->memos; gt->memos = gt->memos->next)
		answer_drop(gt->memos->a);
}

static bool worth_remembering(const value *v)
{
	return !v->viewed || meta_count(&v->m) * (int64_t)dtype_size((gt_dtype)v->m.dtype) <=
		VIEW_MEMO_BYTES;
}

/* ---- asking and waiting ---------------------------------------------------------------------- */

/* Append the fetch, of nothing without a value, and hand everything over; NULL on error. Gives one
 * reference. */
static answer *ask(gt_client *gt, value *v, bool awaited)
{
	answer *a = answer_new();
	ins *i = stream_room(gt);

	*i = (ins){ .op = OP_fetch, .words = INS_HEAD_WORDS + 2, .nin = 1, .nopd = 1 };
	i->tail[0] = v ? v->id : 0;
	i->tail[1] = (uint64_t)(uintptr_t)a;
	if (stream_commit(gt, 0) ||
			(awaited ? stream_flush_awaited(gt) : stream_flush_now(gt))) {
		answer_drop(a);
		return NULL;
	}
	if (v && worth_remembering(v))
		remember(gt, v, a);
	return a;
}

/* It was asked for by somebody who was going to wait. */
static bool hurry(gt_client *gt, answer *a)
{
	if (!answer_pending(a) || stream_flush_now(gt) == GT_OK)
		return true;
	answer_drop(a);
	return false;
}

static answer *read_begin(gt_tensor *x, bool awaited)
{
	gt_client *gt = x->gt;
	const memo *m = x->v->memo;

	if (client_check_fork(gt))
		return NULL;
	if (m && atomic_load(&m->a->state) == ANSWER_CANCELLED)
		read_forget(gt, x->v);
	else if (m) {
		atomic_fetch_add_explicit(&m->a->refs, 1, memory_order_relaxed);
		return awaited || hurry(gt, m->a) ? m->a : NULL;
	}
	return ask(gt, x->v, awaited);
}

/* What failed, and where in the user's program. */
static gt_err report(const failure *f, const sites *s)
{
	const gt_site *at = sites_get(s, f->site);
	char place[ERROR_TEXT_MAX / 2];

	if (!at)
		return fail(f->code, "%s", f->text);
	snprintf(place, sizeof place, "; at %s:%d (%s)", at->file, at->line, at->function);
	/* The place is what users look for: rather the text is cut. */
	return fail(f->code, "%.*s%s", ERROR_TEXT_MAX - 1 - (int)strlen(place), f->text, place);
}

static gt_err wait_for(struct link *l, const sites *s, answer *a, const interrupt *in)
{
	gt_err e;

	if (answer_pending(a) && (e = l->ops->wait(l, a, in)))
		return e;
	switch (atomic_load_explicit(&a->state, memory_order_acquire)) {
	case ANSWER_READY:
		return GT_OK;
	case ANSWER_FAILED:
		return report(a->why, s);
	default:
		return fail(GT_ECLOSED, "the client was closed, or a wait interrupted, before the "
			"value was read");
	}
}

/* x's answer, complete, with one reference; NULL on error. */
static answer *read_now(gt_tensor *x)
{
	gt_client *gt = x->gt;
	answer *a = read_begin(x, true);
	gt_err e;

	if (!a)
		return NULL;
	if (LIKELY(atomic_load_explicit(&a->state, memory_order_acquire) == ANSWER_READY))
		return a;
	gt->state = CLIENT_BUSY;
	e = wait_for(gt->link, gt->sites, a, &gt->link->interrupt);
	gt->state = CLIENT_OPEN;
	if (!e)
		return a;
	answer_drop(a);
	return NULL;
}

/* ---- public ---------------------------------------------------------------------------------- */

gt_err gt_read(gt_tensor *x, void *to, size_t bytes)
{
	size_t has;
	answer *a;

	if (!tensor_ready(x, "read"))
		return gt_last_error_code();
	has = (size_t)meta_count(&x->v->m) * dtype_size((gt_dtype)x->v->m.dtype);
	if (bytes != has) {
		char text[SHAPE_TEXT_MAX];

		return fail(GT_EINVAL, "read: %zu bytes of room for %s, which has %zu", bytes,
			meta_text(&x->v->m, text, sizeof text), has);
	}
	if (has && !to)
		return fail(GT_EINVAL, "read: expected %zu bytes of room, got NULL", has);
	if (!(a = read_now(x)))
		return gt_last_error_code();
	if (has)
		memcpy(to, a->data, has);
	answer_drop(a);
	return GT_OK;
}

/* The one element; false on error. */
static bool read_one(gt_tensor *x, const char *what, gt_dtype *d, scalar *to)
{
	char text[SHAPE_TEXT_MAX];
	answer *a;

	if (!tensor_ready(x, what))
		return false;
	if (meta_count(&x->v->m) != 1) {
		fail(GT_ESHAPE, "%s: expected one element, got %s", what,
			meta_text(&x->v->m, text, sizeof text));
		return false;
	}
	if (!(a = read_now(x)))
		return false;
	*d = (gt_dtype)x->v->m.dtype;
	to->bits = 0;
	memcpy(to, a->data, dtype_size(*d));
	answer_drop(a);
	gt_clear_error();
	return true;
}

static double as_double(gt_dtype d, scalar s)
{
	float f;

	switch (d) {
	case GT_FLOAT32:
		memcpy(&f, &s, sizeof f);
		return f;
	case GT_FLOAT64:
		return s.f;
	case GT_INT32:
		return (int32_t)s.bits;
	default:
		return (double)s.i;
	}
}

double gt_item(gt_tensor *x)
{
	gt_dtype d;
	scalar s;

	return read_one(x, "item", &d, &s) ? as_double(d, s) : NAN;
}

int64_t gt_item_int(gt_tensor *x)
{
	gt_dtype d;
	scalar s;

	if (!read_one(x, "item", &d, &s))
		return 0;
	if (dtype_kind_of(d) == KIND_FLOAT) {
		const double f = as_double(d, s);

		if (f >= -0x1p63 && f < 0x1p63)
			return (int64_t)f;
		fail(GT_EINVAL, "item: %g does not fit into an int64", f);
		return 0;
	}
	return d == GT_INT32 ? (int32_t)s.bits : s.i;
}

/* Takes the answer's reference. */
static gt_fetch *fetch_of(gt_client *gt, answer *a)
{
	gt_fetch *f;

	if (!a)
		return NULL;
	f = mem_alloc(sizeof *f);
	*f = (gt_fetch){ .a = a, .link = gt->link, .sites = sites_hold(gt->sites),
		.interrupt = gt->link->interrupt };
	link_hold(f->link);
	return f;
}

gt_fetch *gt_fetch_begin(gt_tensor *x)
{
	return tensor_ready(x, "fetch") ? fetch_of(x->gt, read_begin(x, false)) : NULL;
}

gt_fetch *gt_read_begin(gt_tensor *x)
{
	return tensor_ready(x, "read") ? fetch_of(x->gt, read_begin(x, true)) : NULL;
}

/* The stream runs in order: what answers last has seen everything run. */
gt_fetch *gt_sync_begin(gt_client *gt)
{
	if (!client_ready(gt, "gt_sync_begin") || signal_issue_pause(gt))
		return NULL;
	return fetch_of(gt, ask(gt, NULL, true));
}

bool gt_fetch_ready(const gt_fetch *f)
{
	return f && !answer_pending(f->a);
}

gt_err gt_fetch_wait(gt_fetch *f)
{
	if (!f)
		return fail(GT_EINVAL, "fetch: expected a fetch, got NULL");
	return wait_for(f->link, f->sites, f->a, &f->interrupt);
}

const void *gt_fetch_data(const gt_fetch *f)
{
	if (!f || atomic_load_explicit(&f->a->state, memory_order_acquire) != ANSWER_READY ||
	    !meta_count(&f->a->m))
		return NULL;
	return f->a->data;
}

void gt_fetch_end(gt_fetch *f)
{
	if (!f)
		return;
	answer_drop(f->a);
	sites_drop(f->sites);
	link_drop(f->link);
	mem_free(f);
}
