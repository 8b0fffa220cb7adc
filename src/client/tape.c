/* tape.c: the record of what was computed, for gradients.
 *
 * The tape is a graph without a list: an output's handle owns its node, a node its inputs' nodes.
 * So what nobody can reach is gone, whether gradients were switched off or not. Values are held as
 * far as grad.def says that gradients look at them; of the others a node knows the shape.
 */
#include "client/grad.h"

static size_t node_size(unsigned nin, unsigned nopd)
{
	return sizeof(node) + nin * sizeof(edge) + nopd * sizeof(int64_t);
}

#define FLOWS 128   /* a gradient is wanted, whatever it looks at */

/* Which elements the wanted gradients look at: X0, X1, X2, Y; 0 if none is wanted. */
static unsigned uses(const grad_row *row, const ins *i, const gt_arg *in)
{
	unsigned use = 0;

	for (unsigned k = 0; k < i->nin; k++)
		if (in[k].kind == GT_ARG_TENSOR && in[k].t->node)
			use |= FLOWS | (k < COUNT(row->use) ? row->use[k] : 0u);
	return use;
}

static void put_edges(node *n, const ins *i, const gt_arg *in, unsigned use)
{
	for (unsigned k = 0; k < i->nin; k++) {
		edge *e = &n->in[k];

		if (in[k].kind != GT_ARG_TENSOR) {
			*e = (edge){ .s = { .bits = i->tail[k] } };
			continue;
		}
		e->from = node_hold(in[k].t->node);
		e->v = in[k].t->v;
		if (k < COUNT(((grad_row *)0)->use) && use >> k & 1) {
			n->saved |= UINT64_C(1) << k;
			value_hold(e->v);
		} else {
			e->v->weak++;
		}
	}
}

void tape_record(gt_tensor *out, const ins *i, const gt_arg *in)
{
	const grad_row *row = grad_rows[i->op];
	gt_client *gt = out->gt;
	unsigned use;
	node *n;

	if (!(use = uses(row, i, in)) || !row->run ||
	    dtype_kind_of((gt_dtype)out->v->m.dtype) != KIND_FLOAT)
		return;
	n = slab_get(&gt->slab, node_size(i->nin, i->nopd));
	*n = (node){ .seq = gt->next_seq++, .refs = 1, .op = i->op, .kinds = i->kinds,
		.nin = i->nin, .nopd = i->nopd, .dtype = out->v->m.dtype, .site = i->site,
		.signal = gt->backward, .attr = i->attr };
	put_edges(n, i, in, use);
	for (unsigned k = 0; k < i->nopd; k++)
		node_opd(n)[k] = ins_opd(i)[k];
	if (use & Y) {
		n->flags |= NODE_KEEPS_OUT;
		n->out = value_hold(out->v);
	}
	out->node = n;
}

node *node_leaf(gt_tensor *owner)
{
	gt_client *gt = owner->gt;
	node *n = slab_get(&gt->slab, node_size(0, 0));

	*n = (node){ .seq = gt->next_seq++, .refs = 1, .op = NODE_LEAF,
		.dtype = owner->v->m.dtype, .owner = owner };
	return n;
}

/* ---- giving up ------------------------------------------------------------------------------- */

static bool is_scalar(const node *n, unsigned k)
{
	return k < INS_SCALARS_MAX && INS_KIND(n->kinds, k);
}

void node_spend(gt_client *gt, node *n)
{
	if (n->flags & NODE_KEEPS_OUT) {
		value_drop(gt, n->out);
		n->out = NULL;
		n->flags = (uint8_t)((n->flags & ~NODE_KEEPS_OUT) | NODE_SPENT);
	}
	while (n->saved) {
		value *v = n->in[__builtin_ctzll(n->saved)].v;

		n->saved &= n->saved - 1;
		n->flags |= NODE_SPENT;
		v->weak++;
		value_drop(gt, v);
	}
}

/* Put the input nodes that only `n` held on the list, free the rest of n. */
static node *take_apart(gt_client *gt, node *n, node *list)
{
	node_spend(gt, n);
	for (unsigned k = 0; k < n->nin; k++) {
		node *from = n->in[k].from;

		if (!is_scalar(n, k))
			value_drop_weak(gt, n->in[k].v);
		if (from && !--from->refs) {
			from->next = list;
			list = from;
		}
	}
	slab_put(&gt->slab, n, node_size(n->nin, n->nopd));
	return list;
}

/* Chains are as long as a program runs: no recursion. */
void node_drop(gt_client *gt, node *n)
{
	if (!n || --n->refs)
		return;
	n->next = NULL;
	while (n) {
		node *rest = n->next;

		n = take_apart(gt, n, rest);
	}
}
