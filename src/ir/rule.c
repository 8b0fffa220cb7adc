/* rule.c: shape rules of creation, element by element ops, reductions and products. */
#include "ir/rule.h"

gt_err rule_none(const call *c)
{
	return fail(GT_EINVAL, "%s: has no result", c->row->name);
}

/* ---- creation ---- */

static gt_err create(const call *c, unsigned at)
{
	const gt_err e = call_dtype(c, 0, c->i->nin);

	return e ? e : call_sizes(c, at, c->i->nopd - at);
}

gt_err rule_sizes(const call *c)    /* an upload has its data before the sizes */
{
	return create(c, *c->row->operands == 'b');
}

gt_err rule_random(const call *c)   /* seed, draw number, sizes */
{
	return create(c, 2);
}

/* ---- element by element ---- */

static bool same_dims(const meta *a, const meta *b)
{
	bool same = a->rank == b->rank;

	for (int k = 0; same && k < a->rank; k++)
		same = a->dims[k] == b->dims[k];
	return same;
}

/* Shape of two inputs of which any may be a scalar. */
static gt_err meet(const call *c, const meta *a, const meta *b)
{
	if (a && b && !same_dims(a, b))
		return shape_broadcast(c->row->name, a, b, c->out);
	call_take_dims(c, a ? a : b);
	return GT_OK;
}

static gt_err meet3(const call *c)
{
	const meta *a = c->in[0], *b = c->in[1];
	meta both;
	const call first = { c->i, c->row, c->in, &both };
	gt_err e;

	if (!a && !b)
		return meet(c, NULL, c->in[2]);
	return (e = meet(&first, a, b)) ? e : meet(c, &both, c->in[2]);
}

gt_err rule_same(const call *c)
{
	const gt_err e = call_dtype(c, 0, 1);

	if (!e)
		call_take_dims(c, c->in[0]);
	return e;
}

gt_err rule_same_axis(const call *c)
{
	const gt_err e = call_axis(c);

	return e ? e : rule_same(c);
}

/* Normalisation over the last dims: the mask is a run of ones that ends at the rank. */
gt_err rule_same_axes(const call *c)
{
	const unsigned axes = c->i->attr.axes, end = 1u << c->in[0]->rank;

	if (!axes || axes >= end || (axes & -axes) + axes != end)
		return call_refuse(c, GT_ESHAPE,
			"axes must be the last dims, at least one; the mask is %#x", axes);
	return rule_same(c);
}

gt_err rule_broadcast(const call *c)
{
	const gt_err e = call_dtype(c, 0, 2);

	return e ? e : meet(c, c->in[0], c->in[1]);
}

gt_err rule_broadcast3(const call *c)
{
	const gt_err e = call_dtype(c, 0, 3);

	return e ? e : meet3(c);
}

gt_err rule_where(const call *c)
{
	const meta *a = c->in[0];
	const bool condition = a ? a->dtype == GT_BOOL : ins_kind(c->i, 0) == KIND_BOOL;
	gt_err e;

	if (!condition)
		return call_refuse(c, GT_EDTYPE, "the condition must be bool");
	return (e = call_dtype(c, 1, 2)) ? e : meet3(c);
}

/* ---- reductions ---- */

gt_err rule_reduce(const call *c)
{
	const meta *x = c->in[0];
	const unsigned axes = c->i->attr.axes;
	gt_err e;

	if (axes >> x->rank)
		return call_refuse(c, GT_ESHAPE, "axis %d is out of range for rank %u",
			31 - __builtin_clz(axes), x->rank);
	if (c->i->attr.keepdims > 1)
		return call_refuse(c, GT_EINVAL,
			"keepdims is %u, expected 0 or 1", c->i->attr.keepdims);
	if ((e = call_dtype(c, 0, c->i->nin)))
		return e;
	c->out->rank = 0;
	for (unsigned k = 0; k < x->rank; k++) {
		if (!(axes >> k & 1))
			c->out->dims[c->out->rank++] = x->dims[k];
		else if (c->i->attr.keepdims)
			c->out->dims[c->out->rank++] = 1;
	}
	return GT_OK;
}

/* Reductions without a neutral element. Those whose result is an index take one axis, or all. */
gt_err rule_reduce_nonempty(const call *c)
{
	const meta *x = c->in[0];
	const unsigned axes = c->i->attr.axes, all = (1u << x->rank) - 1;

	for (unsigned k = 0; k < x->rank; k++)
		if (axes >> k & 1 && !x->dims[k])
			return call_refuse(c, GT_ESHAPE,
				"dim %u is reduced but has size 0, and of no elements "
				"there is none to choose",
				k);
	if (c->row->result == RESULT_index && axes != all && (!axes || axes & (axes - 1)))
		return call_refuse(c, GT_EINVAL, "reduces one axis or all, not the mask %#x", axes);
	return rule_reduce(c);
}

/* ---- products ---- */

gt_err rule_matmul(const call *c)
{
	const meta *a = c->in[0], *b = c->in[1];
	meta heads[2];
	gt_err e;

	if (a->rank < 2 || b->rank < 2)
		return call_refuse(c, GT_ESHAPE, "both inputs must have two dims or more");
	if ((e = call_dtype(c, 0, 2)))
		return e;
	if (a->dims[a->rank - 1] != b->dims[b->rank - 2])
		return call_refuse(c, GT_ESHAPE, "inner sizes %lld and %lld differ",
			(long long)a->dims[a->rank - 1], (long long)b->dims[b->rank - 2]);
	meta_copy(&heads[0], a);
	meta_copy(&heads[1], b);
	heads[0].rank = (uint8_t)(a->rank - 2);
	heads[1].rank = (uint8_t)(b->rank - 2);
	if ((e = shape_broadcast(c->row->name, &heads[0], &heads[1], c->out)))
		return call_refuse(c, e, "leading dims do not broadcast");
	c->out->dims[c->out->rank++] = a->dims[a->rank - 2];
	c->out->dims[c->out->rank++] = b->dims[b->rank - 1];
	return call_limit(c);
}
