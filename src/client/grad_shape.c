/* grad_shape.c: gradients of operations that move elements, and the helpers that reshape.
 *
 * Views made here are loose: nobody writes to a gradient on its way.
 */
#include "client/grad.h"

static gt_tensor *move(grad *g, op o, attr a, gt_tensor *x, const int64_t *opd, int nopd)
{
	const gt_arg in = gt_arg_tensor(x);

	if (!x)
		return NULL;
	return tensor_own(emit(x->gt, g->site, o, a, &in, 1, opd, nopd));
}

/* ---- helpers --------------------------------------------------------------------------------- */

gt_tensor *grad_as(grad *g, gt_tensor *x, const meta *to)
{
	if (!x || dims_same(&x->v->m, to))
		return x;
	return move(g, OP_reshape, (attr){ 0 }, x, to->dims, to->rank);
}

gt_tensor *grad_broadcast(grad *g, gt_tensor *x, const meta *to)
{
	if (!x || dims_same(&x->v->m, to))
		return x;
	return move(g, OP_expand, (attr){ 0 }, x, to->dims, to->rank);
}

gt_tensor *grad_zeros(grad *g, int k)
{
	const meta *m = grad_meta(g, k);
	const gt_arg zero = gt_arg_float(0);

	return tensor_own(emit(g->dy->gt, g->site, OP_full, (attr){ .dtype = m->dtype }, &zero, 1,
		m->dims, m->rank));
}

/* Dims in front of those of `to`, and dims that it has as 1, were broadcast. */
gt_tensor *grad_sum_to(grad *g, gt_tensor *x, const meta *to)
{
	const meta *m = &x->v->m;
	const int head = m->rank - to->rank;
	unsigned axes = (1u << head) - 1;
	attr a;

	for (int k = 0; k < to->rank; k++)
		if (to->dims[k] == 1 && m->dims[head + k] != 1)
			axes |= 1u << (head + k);
	a = (attr){ .axes = (uint8_t)axes };
	return axes ? grad_as(g, move(g, OP_sum, a, x, NULL, 0), to) : grad_as(g, x, to);
}

gt_tensor *grad_transpose(grad *g, gt_tensor *x)
{
	const int rank = x->v->m.rank;
	attr a = { 0 };

	for (int k = 0; k < rank; k++)
		a.perm[k] = (uint8_t)(k < rank - 2 ? k : 2 * rank - 3 - k);
	return move(g, OP_permute, a, x, NULL, 0);
}

/* ---- views ----------------------------------------------------------------------------------- */

void grad_reshape(grad *g)
{
	grad_give(g, 0, grad_as(g, g->dy, grad_meta(g, 0)));
}

void grad_permute(grad *g)   /* back by the inverse */
{
	attr a = { 0 };

	for (int k = 0; k < g->dy->v->m.rank; k++)
		a.perm[g->n->attr.perm[k]] = (uint8_t)k;
	grad_give(g, 0, move(g, OP_permute, a, g->dy, NULL, 0));
}

void grad_expand(grad *g)    /* grad_give sums */
{
	grad_give(g, 0, g->dy);
}

static gt_tensor *put_slice(grad *g, gt_arg into, gt_arg what)
{
	const gt_arg in[] = { into, what };

	if (into.kind == GT_ARG_TENSOR && !into.t)
		return NULL;
	return tensor_own(emit(g->dy->gt, g->site, OP_slice_set, (attr){ 0 }, in, 2, node_opd(g->n),
		g->n->nopd));
}

void grad_slice(grad *g)     /* into zeros; those of all slices behind one another */
{
	if (g->slices->n > 1)
		grad_give(g, 0, gt_cat_at(g->site, g->slices->dy, g->slices->n, g->slices->axis));
	else
		grad_give(g, 0, put_slice(g, gt_arg_tensor(grad_zeros(g, 0)), gt_arg_tensor(g->dy)));
}

/* What was replaced has no part in the result; what replaced it, its own. */
void grad_slice_set(grad *g)
{
	if (grad_wants(g, 0))
		grad_give(g, 0, put_slice(g, gt_arg_tensor(g->dy), gt_arg_float(0)));
	if (grad_wants(g, 1))
		grad_give(g, 1, move(g, OP_slice, (attr){ 0 }, g->dy, node_opd(g->n), g->n->nopd));
}

void grad_clone(grad *g)
{
	grad_give(g, 0, g->dy);
}

void grad_cast(grad *g)
{
	grad_give(g, 0, gt_cast(g->dy, (gt_dtype)grad_meta(g, 0)->dtype));
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Elements [first, first + count) of dy along an axis. */
static gt_tensor *narrow(grad *g, int axis, int64_t first, int64_t count)
{
	const meta *m = &g->dy->v->m;
	int64_t opd[3 * GT_RANK_MAX];

	for (int k = 0; k < m->rank; k++) {
		opd[3 * k] = k == axis ? first : 0;
		opd[3 * k + 1] = k == axis ? count : m->dims[k];
		opd[3 * k + 2] = 1;
	}
	return move(g, OP_slice, (attr){ 0 }, g->dy, opd, 3 * m->rank);
}

void grad_cat(grad *g)
{
	const int axis = g->n->attr.axis;
	int64_t at = 0;

	for (int k = 0; k < g->n->nin; k++) {
		const int64_t size = grad_meta(g, k)->dims[axis];

		if (grad_wants(g, k))
			grad_give(g, k, narrow(g, axis, at, size));
		at += size;
	}
}

void grad_tril(grad *g)
{
	grad_give(g, 0, gt_tril(g->dy, node_opd(g->n)[0]));
}

void grad_triu(grad *g)
{
	grad_give(g, 0, gt_triu(g->dy, node_opd(g->n)[0]));
}

/* ---- by index -------------------------------------------------------------------------------- */

void grad_gather(grad *g)
{
	grad_give(g, 0, gt_scatter_add(grad_zeros(g, 0), grad_x(g, 1), g->dy, g->n->attr.axis));
}

/* The source may be larger than the index: what lies outside of it was not used. */
void grad_scatter_add(grad *g)
{
	const meta *source = grad_meta(g, 2), *index = grad_meta(g, 1);
	int64_t opd[3 * GT_RANK_MAX];
	gt_tensor *d;

	grad_give(g, 0, g->dy);
	if (!grad_wants(g, 2))
		return;
	d = gt_gather(g->dy, grad_x(g, 1), g->n->attr.axis);
	if (!d || dims_same(source, index)) {
		grad_give(g, 2, d);
		return;
	}
	for (int k = 0; k < index->rank; k++) {
		opd[3 * k] = 0;
		opd[3 * k + 1] = index->dims[k];
		opd[3 * k + 2] = 1;
	}
	grad_give(g, 2, tensor_own(emit(g->dy->gt, g->site, OP_slice_set, (attr){ 0 },
		(gt_arg[]){ gt_arg_tensor(grad_zeros(g, 2)), gt_arg_tensor(d) }, 2, opd,
		3 * index->rank)));
}

/* dy and the index with the index's dims as one. */
void grad_index_select(grad *g)
{
	const int axis = g->n->attr.axis;
	gt_tensor *index = grad_x(g, 1);
	meta flat, rows;

	meta_copy(&rows, grad_meta(g, 0));
	rows.dims[axis] = meta_count(&index->v->m);
	flat = (meta){ .rank = 1, .dims = { rows.dims[axis] } };
	grad_give(g, 0, move_rows(g->site, OP_index_add, grad_zeros(g, 0), grad_as(g, index, &flat),
		grad_as(g, g->dy, &rows), axis));
}

void grad_index_add(grad *g)
{
	grad_give(g, 0, g->dy);
	if (grad_wants(g, 2))
		grad_give(g, 2, gt_index_select(g->dy, grad_x(g, 1), g->n->attr.axis));
}

/* Of equal indices all sources are given the gradient, as in PyTorch, though the last one won. */
void grad_index_set(grad *g)
{
	const int axis = g->n->attr.axis;

	if (grad_wants(g, 0))
		grad_give(g, 0, move_rows(g->site, OP_index_set, g->dy, grad_x(g, 1),
			grad_zeros(g, 2), axis));
	if (grad_wants(g, 2))
		grad_give(g, 2, gt_index_select(g->dy, grad_x(g, 1), axis));
}
