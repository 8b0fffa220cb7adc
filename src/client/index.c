/* index.c: x[...] and x[...] = value, as in Python.
 *
 * In two stages. Ints, slices, ellipsis and new dims make a view: one slice and, where dims come
 * or go, one reshape. What is left are index tensors, each standing at some dim of that view:
 *
 *	a mask (bool) of rank r is read, and becomes one index into its r dims merged into one;
 *	one index: index_select along its dim, whose place the dims of the index take;
 *	several: their dims are brought together (in front, unless they are neighbours), merged into
 *	one, and indexed by one number made of all. Each index goes through arange(size) first: that
 *	makes negative ones positive and finds those out of range, naming the index that was given.
 *
 * Assignment takes the same way, and then back to the view of the first stage; writing to that
 * writes to x (alias.c).
 */
#include "client/index.h"

#include "base/mem.h"

/* ---- stage one: the view --------------------------------------------------------------------- */

/* Whether the view's dims are those of the slice. */
bool index_same_dims(const plan *p)
{
	bool same = p->rank == p->x->v->m.rank;

	for (int k = 0; same && k < p->rank; k++)
		same = p->from[k] == k;
	return same;
}

/* Owned; x itself if there is nothing to do. */
gt_tensor *index_view(const plan *p)
{
	gt_tensor *v = p->x;

	if (!p->whole)
		v = tensor_own(alias_view(p->site, v, OP_slice, (attr){ 0 }, p->opd,
			3 * v->v->m.rank));
	if (v && !index_same_dims(p))
		v = tensor_own(view_reshape(p->site, v, p->dims, p->rank));
	return v;
}

/* ---- stage two: index tensors ---------------------------------------------------------------- */

/* The places where a mask is true, counted row-major: int64, 1-D, owned. Waits for the mask. */
static gt_tensor *places(const gt_site *site, gt_tensor *mask)
{
	const int64_t count = meta_count(&mask->v->m);
	gt_fetch *f = gt_read_begin(mask);
	gt_tensor *index = NULL;
	int64_t *list, n = 0;

	if (f && !gt_fetch_wait(f)) {
		const uint8_t *on = gt_fetch_data(f);

		list = mem_alloc((size_t)count * sizeof *list);
		for (int64_t k = 0; k < count; k++)
			if (on[k])
				list[n++] = k;
		index = gt_from_at(site, mask->gt, GT_INT64, (gt_shape){ 1, { n } }, list);
		mem_free(list);
	}
	gt_fetch_end(f);
	return index;
}

/* v with dims [at, at + span) merged into one (span 0: a new dim of size 1). Owned, or v. */
static gt_tensor *merge(const gt_site *site, gt_tensor *v, int at, int span)
{
	const meta *m = &v->v->m;
	int64_t dims[GT_RANK_MAX + 1], size = 1;
	int n = 0;

	if (span == 1)
		return v;
	for (int k = at; k < at + span; k++)
		size *= m->dims[k];
	for (int k = 0; k < at; k++)
		dims[n++] = m->dims[k];
	dims[n++] = size;
	for (int k = at + span; k < m->rank; k++)
		dims[n++] = m->dims[k];
	return tensor_own(view_reshape(site, v, dims, n));
}

/* Turn masks into indices; later picks move with the dims that go. Returns v, merged; NULL on
 * error. */
static gt_tensor *resolve_masks(plan *p, gt_tensor *v)
{
	for (int k = 0; k < p->npicks && v; k++) {
		pick *t = &p->picks[k];

		if (!index_is_mask(t->t))
			continue;
		if (!(t->t = places(p->site, t->t)))
			return NULL;
		v = merge(p->site, v, t->at, t->span);
		for (int n = k + 1; n < p->npicks; n++)
			p->picks[n].at -= t->span - 1;
		t->span = 1;
	}
	return v;
}

static bool neighbours(const plan *p)
{
	for (int k = 1; k < p->npicks; k++)
		if (p->picks[k].at != p->picks[k - 1].at + 1)
			return false;
	return true;
}

static gt_tensor *bring_to_front(plan *p, gt_tensor *v)
{
	gt_shape order = { .rank = v->v->m.rank };
	unsigned taken = 0;
	int n = 0;

	for (int k = 0; k < p->npicks; k++) {
		order.dims[n++] = p->picks[k].at;
		taken |= 1u << p->picks[k].at;
	}
	for (int k = 0; k < order.rank; k++)
		if (!(taken >> k & 1))
			order.dims[n++] = k;
	p->front = order;
	v = gt_permute_at(p->site, v, order);
	p->unmerged = gt_shape_of(v);
	return v;
}

/* Index t into a dim of that size as non-negative numbers, checked by the engine. */
static gt_tensor *checked(const plan *p, gt_tensor *t, int64_t size)
{
	gt_tensor *all = gt_arange_at(p->site, p->x->gt, gt_arg_int(0), gt_arg_int(size),
		gt_arg_int(1), (gt_make){ GT_INT64 });

	return gt_index_select_at(p->site, all, t, 0);
}

/* One index into the merged dims out of all; sizes of the dims stand in m, from `at` on. */
static gt_tensor *combine(const plan *p, const meta *m, int at)
{
	gt_tensor *sum = checked(p, p->picks[0].t, m->dims[at]);

	for (int k = 1; k < p->npicks && sum; k++) {
		const int64_t size = m->dims[at + k];

		sum = gt_mul_at(p->site, gt_arg_tensor(sum), gt_arg_int(size));
		sum = gt_add_at(p->site, gt_arg_tensor(sum),
			gt_arg_tensor(checked(p, p->picks[k].t, size)));
	}
	return sum;
}

/* All picks as one: afterwards picks[0] is an index into dim picks[0].at of the result. */
gt_tensor *index_resolve(plan *p, gt_tensor *v)
{
	gt_tensor *index;
	int at;

	if (!(v = resolve_masks(p, v)) || p->npicks < 2)
		return v;
	at = neighbours(p) ? p->picks[0].at : 0;
	if (!neighbours(p) && !(v = bring_to_front(p, v)))
		return NULL;
	if (!(index = combine(p, &v->v->m, at)))
		return NULL;
	v = merge(p->site, v, at, p->npicks);
	p->picks[0] = (pick){ index, at, 1 };
	p->npicks = 1;
	return v;
}

gt_tensor *gt_index_at(const gt_site *site, gt_tensor *x, const gt_index *list, int n)
{
	plan p = { 0 };
	gt_tensor *v;
	frame f;

	if (!tensor_ready(x, "index") || index_plan(&p, site, x, list, n))
		return NULL;
	f = frame_begin(x->gt);
	v = index_view(&p);
	/* A view even of everything: writing to it writes to x, keeping it does not keep x. */
	if (v == x && !p.npicks)
		v = tensor_own(view_reshape(site, x, p.dims, p.rank));
	if (p.npicks && v && (v = index_resolve(&p, v)))
		v = gt_index_select_at(site, v, p.picks[0].t, p.picks[0].at);
	return frame_end(f, v);
}
