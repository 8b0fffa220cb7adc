/* index.c: x[...] and x[...] = value, as in Python.
 *
 * In two stages. Ints, slices, ellipsis and new dims make a view: one slice and, where dims come or
 * go, one reshape. What is left are index tensors, each standing at some dim of that view:
 *
 *	a mask (bool) of rank r is read, and becomes one index into its r dims merged into one;
 *	one index: index_select along its dim, whose place the dims of the index take;
 *	several: their dims are brought together (in front, unless they are neighbours), merged into
 *	one, and indexed by one number made of all. Each index goes through arange(size) first: that
 *	makes negative ones positive and finds those out of range, naming the index that was given.
 *
 * Assignment takes the same way; writing to a view writes to what it views (alias.c).
 */
#include "client/client.h"

#include "base/mem.h"

#define DIMS_MAX (2 * GT_RANK_MAX)   /* with new dims and before the limit is checked */

/* An index tensor at dims [at, at + span) of the view; a mask has its rank as span. */
typedef struct pick { gt_tensor *t; int at, span; } pick;

typedef struct plan {
	const gt_site *site;
	gt_tensor *x;
	int64_t opd[3 * GT_RANK_MAX];    /* the slice, by dim of x */
	int64_t dims[DIMS_MAX];          /* of the view */
	int from[DIMS_MAX];              /* which dim of x that is; -1: new */
	int rank;
	bool whole;                      /* the slice takes everything */
	pick picks[GT_RANK_MAX];
	int npicks;
} plan;

/* ---- reading the subscripts ------------------------------------------------------------------ */

static bool is_mask(const gt_tensor *t) { return t->v->m.dtype == GT_BOOL; }

/* How many dims of x a subscript takes. */
static int takes(const gt_index *s)
{
	if (s->kind == GT_INDEX_TENSOR)
		return is_mask(s->t) ? s->t->v->m.rank : 1;
	return s->kind == GT_INDEX_INT || s->kind == GT_INDEX_SLICE;
}

static void put_slice(plan *p, int dim, int64_t first, int64_t count, int64_t by)
{
	p->opd[3 * dim] = first;
	p->opd[3 * dim + 1] = count;
	p->opd[3 * dim + 2] = by;
	p->whole = p->whole && !first && by == 1 && count == p->x->v->m.dims[dim];
}

static void put_dim(plan *p, int64_t size, int from)
{
	p->from[p->rank] = from;
	p->dims[p->rank++] = size;
}

static gt_err put_int(plan *p, const gt_index *s, int dim)
{
	const int64_t size = p->x->v->m.dims[dim], i = s->i < 0 ? s->i + size : s->i;

	if (i < 0 || i >= size)
		return fail(GT_EINDEX, "index: %lld is out of range for dim %d of size %lld",
			(long long)s->i, dim, (long long)size);
	put_slice(p, dim, i, 1, 1);
	return GT_OK;
}

static int64_t between(int64_t low, int64_t i, int64_t high)
{
	return i < low ? low : i > high ? high : i;
}

/* Python's slice.indices. */
static gt_err put_range(plan *p, const gt_index *s, int dim)
{
	const int64_t size = p->x->v->m.dims[dim], low = s->step < 0 ? -1 : 0, high = size + low;
	int64_t first = s->start, stop = s->stop, n = 0;

	if (!s->step || s->step == INT64_MIN)
		return fail(GT_EINVAL, "index: a slice with step %lld", (long long)s->step);
	if (first == GT_NO_BOUND)
		first = s->step < 0 ? high : low;
	else
		first = between(low, first < 0 ? first + size : first, high);
	if (stop == GT_NO_BOUND)
		stop = s->step < 0 ? low : high;
	else
		stop = between(low, stop < 0 ? stop + size : stop, high);
	if (s->step > 0 && stop > first)
		n = (stop - first - 1) / s->step + 1;
	if (s->step < 0 && stop < first)
		n = (first - stop - 1) / -s->step + 1;
	put_slice(p, dim, n ? first : 0, n, s->step);
	put_dim(p, n, dim);
	return GT_OK;
}

static void put_all(plan *p, int dim)
{
	put_slice(p, dim, 0, p->x->v->m.dims[dim], 1);
	put_dim(p, p->x->v->m.dims[dim], dim);
}

static gt_err put_tensor(plan *p, const gt_index *s, int dim)
{
	const int span = takes(s);
	const meta *m = &s->t->v->m, *x = &p->x->v->m;
	char tm[SHAPE_TEXT_MAX], tx[SHAPE_TEXT_MAX];

	if (dtype_kind_of((gt_dtype)m->dtype) == KIND_FLOAT)
		return fail(GT_EDTYPE, "index: an index tensor is %s, expected int64, int32 or "
			"bool",
			dtype_name((gt_dtype)m->dtype));
	if (p->npicks == GT_RANK_MAX)
		return fail(GT_ELIMIT, "index: more than %d index tensors", GT_RANK_MAX);
	p->picks[p->npicks++] = (pick){ s->t, p->rank, span };
	for (int k = 0; k < span; k++) {
		if (is_mask(s->t) && m->dims[k] != x->dims[dim + k])
			return fail(GT_ESHAPE, "index: a mask of shape %s does not fit shape %s at "
				"dim %d",
				shape_text(m, tm, sizeof tm), shape_text(x, tx, sizeof tx),
				dim + k);
		put_all(p, dim + k);
	}
	return GT_OK;
}

static gt_err put(plan *p, const gt_index *s, int dim)
{
	switch (s->kind) {
	case GT_INDEX_INT:
		return put_int(p, s, dim);
	case GT_INDEX_SLICE:
		return put_range(p, s, dim);
	case GT_INDEX_NEW:
		put_dim(p, 1, -1);
		return GT_OK;
	case GT_INDEX_TENSOR:
		return put_tensor(p, s, dim);
	default:
		return GT_OK;
	}
}

/* How many dims of x no subscript names: the ellipsis, or what follows the last one. */
static gt_err check_list(const gt_tensor *x, const gt_index *list, int n, int *rest)
{
	int ellipses = 0, fresh = 0;

	*rest = x->v->m.rank;
	for (int k = 0; k < n; k++) {
		if (list[k].kind == GT_INDEX_TENSOR) {
			if (!tensor_ready(list[k].t, "index"))
				return gt_last_error_code();
			if (list[k].t->gt != x->gt)
				return fail(GT_EINVAL, "index: the inputs belong to different "
					"clients");
		}
		*rest -= takes(&list[k]);
		ellipses += list[k].kind == GT_INDEX_ELLIPSIS;
		fresh += list[k].kind == GT_INDEX_NEW;
	}
	if (*rest < 0)
		return fail(GT_EINDEX, "index: %d subscripts for a tensor of rank %d",
			x->v->m.rank - *rest, x->v->m.rank);
	if (ellipses > 1)
		return fail(GT_EINDEX, "index: more than one ellipsis");
	if (fresh > GT_RANK_MAX)
		return fail(GT_ELIMIT, "index: %d new dims, the limit is rank %d", fresh,
			GT_RANK_MAX);
	return GT_OK;
}

static gt_err make_plan(plan *p, const gt_site *site, gt_tensor *x, const gt_index *list, int n)
{
	int rest, dim = 0;
	gt_err e = check_list(x, list, n, &rest);

	p->site = site;
	p->x = x;
	p->whole = true;
	for (int k = 0; k < n && !e; k++) {
		e = put(p, &list[k], dim);
		dim += takes(&list[k]);
		if (list[k].kind == GT_INDEX_ELLIPSIS)
			for (; rest; rest--)
				put_all(p, dim++);
	}
	while (dim < x->v->m.rank && !e)
		put_all(p, dim++);
	if (!e && p->rank > GT_RANK_MAX)
		return fail(GT_ELIMIT, "index: the result has rank %d, the limit is %d", p->rank,
			GT_RANK_MAX);
	return e;
}

/* ---- stage one: the view --------------------------------------------------------------------- */

/* Whether the view's dims are those of the slice. */
static bool same_dims(const plan *p)
{
	bool same = p->rank == p->x->v->m.rank;

	for (int k = 0; same && k < p->rank; k++)
		same = p->from[k] == k;
	return same;
}

/* Owned; x itself if there is nothing to do. */
static gt_tensor *view_of(const plan *p)
{
	gt_tensor *v = p->x;

	if (!p->whole)
		v = tensor_own(alias_view(p->site, v, OP_slice, (attr){ 0 }, p->opd,
			3 * v->v->m.rank));
	if (v && !same_dims(p))
		v = tensor_own(view_reshape(p->site, v, p->dims, p->rank));
	return v;
}

/* ---- stage two: index tensors ---------------------------------------------------------------- */

/* The places where a mask is true, counted row-major: int64, 1-D, owned. Waits for the mask. */
static gt_tensor *places(const gt_site *site, gt_tensor *mask)
{
	const int64_t count = meta_count(&mask->v->m);
	gt_fetch *f = gt_fetch_begin(mask);
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

		if (!is_mask(t->t))
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

static gt_tensor *bring_to_front(const plan *p, gt_tensor *v)
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
	return gt_permute_at(p->site, v, order);
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
static gt_tensor *resolve(plan *p, gt_tensor *v)
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

	if (!tensor_ready(x, "index") || make_plan(&p, site, x, list, n))
		return NULL;
	f = frame_begin(x->gt);
	v = view_of(&p);
	/* A view even of everything: writing to it writes to x, keeping it does not keep x. */
	if (v == x && !p.npicks)
		v = tensor_own(view_reshape(site, x, p.dims, p.rank));
	if (p.npicks && v && (v = resolve(&p, v)))
		v = gt_index_select_at(site, v, p.picks[0].t, p.picks[0].at);
	return frame_end(f, v);
}

/* ---- assignment ------------------------------------------------------------------------------ */

/* The elements to write in x's dtype, and (a tensor) no wider than `dims` broadcast. */
static gt_err fit(const plan *p, gt_arg *a, const meta *to)
{
	char ta[SHAPE_TEXT_MAX], tb[SHAPE_TEXT_MAX];
	const meta *m;
	int extra = 0;

	if (a->kind != GT_ARG_TENSOR) {
		*a = promote_number(*a, gt_dtype_of(p->x));
		return GT_OK;
	}
	if (!(a->t = gt_cast_at(p->site, a->t, gt_dtype_of(p->x))))
		return gt_last_error_code();
	m = &a->t->v->m;
	/* Leading dims of size 1 do no harm. */
	while (m->rank - extra > to->rank && m->dims[extra] == 1)
		extra++;
	if (extra)
		a->t = tensor_own(view_reshape(p->site, a->t, m->dims + extra, m->rank - extra));
	if (!a->t)
		return gt_last_error_code();
	if (dims_fits(&a->t->v->m, to))
		return GT_OK;
	return fail(GT_ESHAPE, "index: shape %s does not broadcast to %s, the shape written to",
		shape_text(&a->t->v->m, ta, sizeof ta), shape_text(to, tb, sizeof tb));
}

/* The value under the dims of the slice: those that ints take have size 1, new ones go. */
static gt_tensor *under_slice(const plan *p, gt_tensor *t)
{
	const meta *m = &t->v->m;
	const int head = p->rank - m->rank;
	int64_t dims[GT_RANK_MAX];

	for (int k = 0; k < p->x->v->m.rank; k++)
		dims[k] = 1;
	for (int k = MAX(head, 0); k < p->rank; k++)
		if (p->from[k] >= 0)
			dims[p->from[k]] = m->dims[k - head];
	return tensor_own(view_reshape(p->site, t, dims, p->x->v->m.rank));
}

/* Without index tensors: one slice_set on x itself. */
static gt_tensor *set_slice(plan *p, gt_arg a)
{
	meta to = { .rank = (uint8_t)p->rank };
	gt_arg in[] = { gt_arg_tensor(p->x), a };

	memcpy(to.dims, p->dims, (size_t)p->rank * sizeof *p->dims);
	if (fit(p, &in[1], &to))
		return NULL;
	if (in[1].kind == GT_ARG_TENSOR && !same_dims(p) && !(in[1].t = under_slice(p, in[1].t)))
		return NULL;
	return tensor_own(emit(p->x->gt, p->site, OP_slice_set, (attr){ 0 }, in, 2, p->opd,
		3 * p->x->v->m.rank));
}

/* One mask, one element: v with it where the mask is true. Nothing is read. */
static gt_tensor *set_where(plan *p, gt_tensor *v, gt_arg a)
{
	const pick *t = &p->picks[0];
	gt_shape dims = { .rank = v->v->m.rank - t->at };
	gt_tensor *mask;

	for (int k = 0; k < dims.rank; k++)
		dims.dims[k] = k < t->span ? t->t->v->m.dims[k] : 1;
	mask = gt_reshape_at(p->site, t->t, dims);
	if (a.kind == GT_ARG_TENSOR &&
	    (!(a.t = gt_cast_at(p->site, a.t, gt_dtype_of(v))) ||
	     !(a.t = gt_reshape_at(p->site, a.t, (gt_shape){ 0, { 0 } }))))
		return NULL;
	return gt_where_at(p->site, gt_arg_tensor(mask), promote_number(a, gt_dtype_of(v)),
		gt_arg_tensor(v));
}

static bool one_mask(const plan *p, gt_arg a)
{
	return p->npicks == 1 && is_mask(p->picks[0].t) && p->picks[0].span &&
		(a.kind != GT_ARG_TENSOR || meta_count(&a.t->v->m) == 1);
}

/* The value broadcast to the places that the index names, as index_set wants it. */
static gt_tensor *source_of(const plan *p, gt_tensor *v, gt_arg a, int64_t count)
{
	const meta *m = &v->v->m, *index = &p->picks[0].t->v->m;
	const int at = p->picks[0].at;
	gt_shape whole = { 0 }, flat = { .rank = m->rank };
	meta to;

	if (m->rank + index->rank - 1 > GT_RANK_MAX) {
		fail(GT_ELIMIT, "index: the elements to write have rank %d, the limit is %d",
			m->rank + index->rank - 1, GT_RANK_MAX);
		return NULL;
	}
	for (int k = 0; k < m->rank; k++) {
		flat.dims[k] = k == at ? count : m->dims[k];
		for (int n = 0; k == at && n < index->rank; n++)
			whole.dims[whole.rank++] = index->dims[n];
		if (k != at)
			whole.dims[whole.rank++] = m->dims[k];
	}
	to = (meta){ .rank = (uint8_t)whole.rank };
	memcpy(to.dims, whole.dims, sizeof to.dims);
	if (fit(p, &a, &to))
		return NULL;
	if (a.kind != GT_ARG_TENSOR)
		return gt_full_at(p->site, v->gt, flat, a, (gt_make){ gt_dtype_of(v) });
	return gt_reshape_at(p->site, gt_expand_at(p->site, a.t, whole), flat);
}

static gt_tensor *set_index(plan *p, gt_tensor *v, gt_arg a)
{
	const int64_t count = meta_count(&p->picks[0].t->v->m);
	gt_tensor *index = gt_reshape_at(p->site, p->picks[0].t, (gt_shape){ 1, { count } });
	gt_tensor *source = source_of(p, v, a, count);

	if (!index || !source)
		return NULL;
	return move_rows(p->site, OP_index_set, v, index, source, p->picks[0].at);
}

/* Write through whichever view of x the indices ended up at. */
static gt_err set(plan *p, gt_arg a)
{
	gt_tensor *v = p->x, *r;

	if (!p->npicks) {
		r = set_slice(p, a);
	} else if (!(v = view_of(p))) {
		r = NULL;
	} else if (one_mask(p, a)) {
		r = set_where(p, v, a);
	} else {
		v = resolve(p, v);
		r = v ? set_index(p, v, a) : NULL;
	}
	return r ? inplace_write(p->site, v, r, "index") : gt_last_error_code();
}

gt_err gt_index_set_at(const gt_site *site, gt_tensor *x, const gt_index *list, int n, gt_arg from)
{
	const gt_arg in[] = { gt_arg_tensor(x), from };
	plan p = { 0 };
	gt_err e;
	frame f;

	if (!emit_client("index", in, 2))
		return gt_last_error_code();
	if ((e = alias_check_write(x, "index", from.kind == GT_ARG_TENSOR && from.t->node)) ||
	    (e = make_plan(&p, site, x, list, n)))
		return e;
	f = frame_begin(x->gt);
	e = set(&p, from);
	frame_end(f, NULL);
	return e;
}
