/* fuse_cat.c: tensors put behind one another that were copied for it first.
 *
 * Attention's heads are moved next to one another by a permutation and a reshape, which has to copy,
 * and then the gradients of queries, keys and values are put behind one another: copied again. But
 *
 *	cat(reshape(x), reshape(y)) = reshape(cat(x, y))
 *
 * if all that the reshapes do is to make one dim of two, where the second one is the same in all of
 * them; cat reads any strides, and the reshape behind it copies nothing.
 */
#include "region/fuse_graph.h"

/* Input k of the cat before it was reshaped; FUSE_NONE if it was not, or without a copy. */
static uint32_t before(const fuse_graph *g, const ins *i, unsigned k)
{
	const uint32_t v = fuse_input_of(i, k);
	const fuse_value *o = &g->f->values.at[v];

	return g->nodes[v].class == CLASS_COPY && o->row->op == OP_reshape ?
		fuse_input_of(o->row, 0) : FUSE_NONE;
}

/* Is `m` x with dims `axis` and the one behind it as one? */
static bool joins(const meta *x, const meta *m, int axis)
{
	bool same = x->rank == m->rank + 1;

	for (int k = 0; same && k < m->rank; k++)
		same = m->dims[k] == (k == axis ? x->dims[k] * x->dims[k + 1] :
			x->dims[k + (k > axis)]);
	return same;
}

bool fuse_cat_unfolds(const fuse_graph *g, const ins *i, const meta *const *in)
{
	const int axis = i->attr.axis;
	int64_t inner = 0;

	if (i->op != OP_cat || g->whole[g->op])
		return false;
	for (unsigned k = 0; k < i->nin; k++) {
		const uint32_t v = before(g, i, k);
		const meta *x = v == FUSE_NONE ? NULL : &g->f->values.at[v].m;

		if (!x || !joins(x, in[k], axis) || (k && x->dims[axis + 1] != inner))
			return false;
		inner = x->dims[axis + 1];
	}
	return true;
}

static gt_err put_reshape(const ins *i, uint64_t of, const meta *out, const composer *to)
{
	ins_room room;
	ins *r = ins_init(&room, OP_reshape, i->out);

	r->site = i->site;
	ins_put_input(r, of);
	for (int k = 0; k < out->rank; k++)
		ins_put_operand(r, out->dims[k]);
	return to->emit(to->ctx, r);
}

gt_err fuse_cat_compose(const fuse_graph *g, const ins *i, const meta *const *in,
	const composer *to)
{
	ins_room room;
	meta out;
	gt_err e = shape_infer(i, in, &out);     /* before values move in memory */
	ins *c = ins_init(&room, OP_cat, to->fresh(to->ctx));

	c->site = i->site;
	c->attr.axis = i->attr.axis;
	for (unsigned k = 0; k < i->nin; k++)
		ins_put_input(c, before(g, i, k) + 1u);
	if (!e)
		e = to->emit(to->ctx, c);
	return e ? e : put_reshape(i, c->out, &out, to);
}
