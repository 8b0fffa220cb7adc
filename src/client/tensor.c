/* tensor.c: values, handles, and whom handles belong to.
 *
 * Results made while a frame is open go to the frame, else to the innermost scope, else (manual
 * clients) to the caller. Frames and scopes are marks in one stack of handles, gt->owned; a handle
 * knows its place there, so that gt_keep finds it.
 */
#include "client/client.h"

#include "base/mem.h"

/* ---- values ---------------------------------------------------------------------------------- */

void value_free(gt_client *gt, value *v)
{
	if (UNLIKELY(v->memo))
		read_forget(gt, v);
	stream_free(gt, v->id);
	value_drop_weak(gt, v);
}

/* ---- handles --------------------------------------------------------------------------------- */

gt_tensor *tensor_new(gt_client *gt, value *v)
{
	gt_tensor *x = slab_get(&gt->slab, sizeof *x);

	*x = (gt_tensor){ .gt = gt, .v = v, .refs = 1, .slot = SLOT_NONE };
	gt->handles++;
	return x;
}

gt_tensor *tensor_same(const gt_tensor *x)
{
	gt_tensor *same;

	if (!x)
		return NULL;
	same = tensor_new(x->gt, value_hold(x->v));
	same->node = node_hold(x->node);
	return same;
}

/* Alone, nobody else can be changing the count. */
static bool last_reference(gt_tensor *x)
{
	return __atomic_load_n(&x->refs, __ATOMIC_ACQUIRE) == 1 ||
		__atomic_sub_fetch(&x->refs, 1, __ATOMIC_ACQ_REL) == 0;
}

static void free_handle(gt_tensor *x)
{
	gt_client *gt = x->gt;

	if (x->group)
		alias_leave(x);
	if (x->node) {
		if (tensor_is_leaf(x))
			x->node->owner = NULL;
		node_drop(gt, x->node);
	}
	value_drop(gt, x->v);
	slab_put(&gt->slab, x, sizeof *x);
	gt->handles--;
}

/* A gradient may have one of its own, and so on: no recursion. */
void tensor_free(gt_tensor *x)
{
	gt_tensor *grad;

	do {
		grad = x->grad;
		free_handle(x);
		x = grad;
	} while (x && last_reference(x));
}

void tensor_release(gt_tensor *x)
{
	if (x && last_reference(x))
		tensor_free(x);
}

/* ---- who owns what --------------------------------------------------------------------------- */

static void push(gt_client *gt, gt_tensor *x)
{
	VEC_ROOM(gt->owned, gt->nowned, gt->owned_room);
	x->slot = x->slot == SLOT_NONE ? (int32_t)gt->nowned : SLOT_SEVERAL;
	gt->owned[gt->nowned++] = x;
}

gt_tensor *tensor_own(gt_tensor *x)
{
	if (LIKELY(x) && (!x->gt->manual || x->gt->frames))
		push(x->gt, x);
	return x;
}

/* The slot that gives x away: of several the latest. */
static int32_t slot_of(const gt_tensor *x)
{
	if (x->slot != SLOT_SEVERAL)
		return x->slot;
	for (size_t k = x->gt->nowned; k--; )
		if (x->gt->owned[k] == x)
			return (int32_t)k;
	return SLOT_NONE;
}

void tensor_disown(gt_tensor *x)
{
	const int32_t slot = slot_of(x);

	if (slot < 0) {
		tensor_hold(x);
		return;
	}
	x->gt->owned[slot] = NULL;
	if (x->slot >= 0)
		x->slot = SLOT_NONE;
	while (x->gt->nowned && !x->gt->owned[x->gt->nowned - 1] && !x->gt->frames &&
	       (!x->gt->scope || x->gt->nowned > x->gt->scope->mark))
		x->gt->nowned--;
}

static void release_from(gt_client *gt, size_t mark)
{
	while (gt->nowned > mark) {
		gt_tensor *x = gt->owned[--gt->nowned];

		if (!x)
			continue;
		if (x->slot >= 0)
			x->slot = SLOT_NONE;
		tensor_release(x);
	}
}

frame frame_begin(gt_client *gt)
{
	gt->frames++;
	return (frame){ gt, gt->nowned };
}

/* A result from outside the frame (an input that is also the answer) gets a share of its own. */
gt_tensor *frame_end_loose(frame f, gt_tensor *result)
{
	const int32_t slot = result ? slot_of(result) : SLOT_NONE;

	if (slot >= 0 && (size_t)slot >= f.mark)
		tensor_disown(result);
	else if (result)
		tensor_hold(result);
	release_from(f.gt, f.mark);
	f.gt->frames--;
	return result;
}

gt_tensor *frame_end(frame f, gt_tensor *result)
{
	return tensor_own(frame_end_loose(f, result));
}

/* ---- the public side ------------------------------------------------------------------------- */

gt_scope *gt_scope_begin(gt_client *gt)
{
	gt_scope *s;

	if (!client_ready(gt, "gt_scope_begin"))
		return NULL;
	s = slab_get(&gt->slab, sizeof *s);
	*s = (gt_scope){ .gt = gt, .outer = gt->scope, .mark = gt->nowned };
	return gt->scope = s;
}

void gt_scope_end(gt_scope *s)
{
	gt_client *gt;
	bool last;

	if (!s)
		return;
	gt = s->gt;
	if (UNLIKELY(gt->state == CLIENT_BUSY)) {
		client_refuse(gt);
		return;
	}
	release_from(gt, s->mark);
	do {
		gt_scope *inner = gt->scope;

		last = inner == s;
		gt->scope = inner->outer;
		slab_put(&gt->slab, inner, sizeof *inner);
	} while (!last);
}

gt_tensor *gt_keep(gt_tensor *x)
{
	if (x)
		tensor_disown(x);
	return x;
}

/* Handles of a closed client, with the gradients that only they hold: nothing but the count is
 * left. */
static void drop_closed(gt_tensor *x)
{
	gt_client *gt = x->gt;
	uint32_t n = 0;

	do {
		x = x->grad;
		n++;
	} while (x && last_reference(x));
	client_drop_closed(gt, n);
}

/* Any thread may be here, or the interrupt callback of a call that waits, in which nothing may be
 * added to the batch. Only the last reference goes on the list, so that a handle is on it once. */
static void leave_for_client(gt_tensor *x)
{
	gt_client *gt = x->gt;
	gt_tensor *head;

	if (!last_reference(x))
		return;
	head = __atomic_load_n(&gt->dropped, __ATOMIC_ACQUIRE);
	do {
		if (UNLIKELY(head == CLIENT_NO_MORE)) {
			drop_closed(x);
			return;
		}
		x->next = head;
	} while (!__atomic_compare_exchange_n(&gt->dropped, &head, x, true, __ATOMIC_ACQ_REL,
		__ATOMIC_ACQUIRE));
}

void gt_drop(gt_tensor *x)
{
	int32_t slot;

	if (!x)
		return;
	if (x->gt->manual) {
		leave_for_client(x);
		return;
	}
	if ((slot = slot_of(x)) >= 0)
		tensor_disown(x);
	if (UNLIKELY(x->gt->state == CLIENT_BUSY))
		leave_for_client(x);
	else
		tensor_release(x);
}

/* Whether freeing x alone adds at most one record, and one that does not fill the batch: then
 * nothing is handed over and nothing can wait. */
static bool frees_little(const gt_tensor *x)
{
	const gt_client *gt = x->gt;

	return !x->group && !x->grad && (!x->node || x->node->refs > 1) &&
		gt->count < BATCH_INS - 1 && gt->cost < BATCH_NS - FREE_NS &&
		gt->used <= BATCH_WORDS - 2 * INS_WORDS_MAX;
}

void gt_drop_here(gt_tensor *x)
{
	if (!x)
		return;
	if (UNLIKELY(!x->gt->manual || x->gt->state != CLIENT_OPEN || !frees_little(x)))
		gt_drop(x);
	else if (last_reference(x))
		free_handle(x);
}

/* ---- looking --------------------------------------------------------------------------------- */

gt_client *gt_client_of(const gt_tensor *x)
{
	return x && x->gt->state != CLIENT_CLOSED ? x->gt : NULL;
}

gt_dtype gt_dtype_of(const gt_tensor *x)
{
	return x ? (gt_dtype)x->v->m.dtype : GT_DTYPE_NONE;
}

int gt_rank(const gt_tensor *x)
{
	return x ? x->v->m.rank : -1;
}

int64_t gt_dim(const gt_tensor *x, int axis)
{
	int k;

	if (!x)
		return -1;
	if (!x->v->m.rank) {
		fail(GT_EINVAL, "dim: a tensor of rank 0 has no dims");
		return -1;
	}
	k = dims_axis("dim", axis, x->v->m.rank);
	return k < 0 ? -1 : x->v->m.dims[k];
}

gt_shape gt_shape_of(const gt_tensor *x)
{
	gt_shape s = { .rank = -1 };

	if (x) {
		s.rank = x->v->m.rank;
		for (int k = 0; k < s.rank; k++)
			s.dims[k] = x->v->m.dims[k];
	}
	return s;
}

int64_t gt_count(const gt_tensor *x)
{
	return x ? meta_count(&x->v->m) : -1;
}

const char *gt_dtype_name(gt_dtype d)
{
	return dtype_name(d);
}

size_t gt_dtype_size(gt_dtype d)
{
	return (unsigned)d < GT_DTYPE_COUNT ? dtype_size(d) : 0;
}
