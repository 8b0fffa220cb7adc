/* index_set.c: x[...] = value: one slice_set, where or index_set on the view that index.c makes. */
#include "client/index.h"

/* The elements to write in x's dtype, and (a tensor) no wider than `dims` broadcast. */
static gt_err fit(const plan *p, gt_arg *a, const meta *to)
{
	char ta[SHAPE_TEXT_MAX], tb[SHAPE_TEXT_MAX];
	const meta *m;
	int extra = 0;

	if (a->kind != GT_ARG_TENSOR) {
		if (!promote_fits("index", *a, gt_dtype_of(p->x)))
			return gt_last_error_code();
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
	if (in[1].kind == GT_ARG_TENSOR && !index_same_dims(p) && !(in[1].t = under_slice(p,
		in[1].t)))
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

	if (a.kind != GT_ARG_TENSOR && !promote_fits("index", a, gt_dtype_of(v)))
		return NULL;
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
	return p->npicks == 1 && index_is_mask(p->picks[0].t) && p->picks[0].span &&
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

/* v with the elements at the indices replaced: what resolve did to v, undone. */
static gt_tensor *set_resolved(plan *p, gt_tensor *v, gt_arg a)
{
	gt_tensor *w = index_resolve(p, v), *r = w ? set_index(p, w, a) : NULL;
	gt_shape back = { .rank = p->front.rank };

	if (r && back.rank) {
		for (int k = 0; k < back.rank; k++)
			back.dims[p->front.dims[k]] = k;
		r = gt_permute_at(p->site, gt_reshape_at(p->site, r, p->unmerged), back);
	}
	if (!r || dims_same(&r->v->m, &v->v->m))
		return r;
	return gt_reshape_at(p->site, r, gt_shape_of(v));
}

/* Write to the view of x that the indices are indices into. */
static gt_err set(plan *p, gt_arg a)
{
	gt_tensor *v = p->x, *r;

	if (!p->npicks)
		r = set_slice(p, a);
	else if (!(v = index_view(p)))
		r = NULL;
	else
		r = one_mask(p, a) ? set_where(p, v, a) : set_resolved(p, v, a);
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
	    (e = index_plan(&p, site, x, list, n)))
		return e;
	f = frame_begin(x->gt);
	e = set(&p, from);
	frame_end(f, NULL);
	return e;
}
