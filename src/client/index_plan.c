/* index_plan.c: what the subscripts of x[...] ask for: a slice of x, the dims of the view, and
 * where index tensors stand among them.
 */
#include "client/index.h"

/* How many dims of x a subscript takes. */
static int takes(const gt_index *s)
{
	if (s->kind == GT_INDEX_TENSOR)
		return index_is_mask(s->t) ? s->t->v->m.rank : 1;
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
		if (index_is_mask(s->t) && m->dims[k] != x->dims[dim + k])
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

gt_err index_plan(plan *p, const gt_site *site, gt_tensor *x, const gt_index *list, int n)
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
