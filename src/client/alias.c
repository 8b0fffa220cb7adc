/* alias.c: handles that share storage, although values do not change.
 *
 * A view remembers how it came from its base: a chain of hops, one view instruction each. Base and
 * views are a group, which has the base's current value. A write through a member runs the chain
 * backwards (the view's new elements are put into what it views, and so on down to the base),
 * gives the base the result and counts the group's version up; every other member sees at its next
 * use that it is behind, and runs its chain forwards on the new base. So what in-place means never
 * reaches the stream.
 *
 * Gradients follow by themselves, because both ways are ordinary recorded instructions. A chain
 * that leads through detach, or was made while nothing was recorded, does not carry them: writes
 * through it change the base's value and leave its node.
 */
#include "client/client.h"

#include "base/mem.h"

/* ---- hops ------------------------------------------------------------------------------------ */

static size_t hop_size(const hop *s)
{
	return sizeof *s + s->head.nopd * sizeof(int64_t);
}

static void drop_hop(gt_client *gt, hop *s)
{
	while (s && !--s->refs) {
		hop *inner = s->inner;

		slab_put(&gt->slab, s, hop_size(s));
		s = inner;
	}
}

/* Make of the record `i`, applied to what `last` made, one that is applied to what `last` views. So
 * the view of a view of a view in a loop does not grow. */
static void compose(const hop *last, ins *i)
{
	int64_t *opd = (int64_t *)i->tail + i->nin;
	const int64_t *before = ins_opd(&last->head);
	uint8_t *perm = i->attr.perm;

	if (i->op == OP_permute)
		for (int k = 0; k < last->from.rank; k++)
			perm[k] = last->head.attr.perm[perm[k]];
	if (i->op == OP_slice)
		for (int k = 0; k < i->nopd; k += 3) {
			opd[k] = before[k] + opd[k] * before[k + 2];
			opd[k + 2] *= before[k + 2];
		}
}

/* A view of x by `i`; NULL: detach. */
static hop *hop_new(gt_tensor *x, ins *i, const meta *to)
{
	const hop *last = x->hops;
	const bool tracked = i && x->gt->recording, root = !last;
	const unsigned nopd = i ? i->nopd : 0;
	int64_t from[GT_RANK_MAX], offset = 0;
	hop *s = slab_get(&x->gt->slab, sizeof *s + nopd * sizeof(int64_t));

	if (root)
		shape_contiguous(&x->v->m, from);
	*s = (hop){ .inner = x->hops, .refs = 1, .tracked = tracked };
	s->head.nopd = (uint8_t)nopd;
	if (!i)
		memcpy(s->strides, root ? from : last->strides, sizeof s->strides);
	else
		shape_view(i, &x->v->m, root ? from : last->strides, to, s->strides, &offset);
	meta_copy(&s->from, &x->v->m);
	if (!root && last->head.op == (i ? i->op : HOP_DETACH) && last->tracked == tracked) {
		if (i)
			compose(last, i);
		s->inner = last->inner;
		meta_copy(&s->from, &last->from);
	}
	if (i) {
		s->head.op = i->op;
		s->head.site = i->site;
		s->head.attr = i->attr;
		memcpy(s->head.tail, ins_opd(i), nopd * sizeof(int64_t));
	}
	if (s->inner)
		s->inner->refs++;
	return s;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void join(gt_tensor *x, group *g, bool tracked)
{
	g->refs++;
	g->tracked += tracked;
	x->group = g;
	x->version = g->version;
	x->tracked = tracked;
}

static group *group_of(gt_tensor *base)
{
	group *g = base->group;

	if (g)
		return g;
	g = slab_get(&base->gt->slab, sizeof *g);
	*g = (group){ .base = value_hold(base->v), .node = node_hold(base->node) };
	join(base, g, true);
	return g;
}

static void become_view(gt_tensor *view, gt_tensor *x, ins *i)
{
	group *g = group_of(x);

	view->hops = hop_new(x, i, &view->v->m);
	join(view, g, x->tracked && view->hops->tracked);
}

void alias_leave(gt_tensor *x)
{
	gt_client *gt = x->gt;
	group *g = x->group;

	drop_hop(gt, x->hops);
	if (x->tracked && !--g->tracked) {
		node_drop(gt, g->node);
		g->node = NULL;
	}
	x->group = NULL;
	x->hops = NULL;
	x->tracked = false;
	if (--g->refs)
		return;
	value_drop(gt, g->base);
	slab_put(&gt->slab, g, sizeof *g);
}

void alias_detach(gt_tensor *view, gt_tensor *x)
{
	become_view(view, x, NULL);
}

/* A reshape of elements that do not lie in order is a copy. */
static bool shares(const gt_tensor *x, const ins *i, const meta *out)
{
	int64_t strides[GT_RANK_MAX], offset = 0;

	return i->op != OP_reshape || !x->hops ||
		shape_view(i, &x->v->m, x->hops->strides, out, strides, &offset);
}

gt_tensor *alias_view(const gt_site *site, gt_tensor *x, op o, attr a, const int64_t *opd, int nopd)
{
	const gt_arg in = gt_arg_tensor(x);
	gt_tensor *view = emit(x->gt, site, o, a, &in, 1, opd, nopd);
	ins_room room;

	if (!view)
		return NULL;
	ins_init(&room, o, view->v->id)->attr = a;
	room.head.site = site_number(x->gt, site);
	ins_put_input(&room.head, x->v->id);
	for (int k = 0; k < nopd; k++)
		ins_put_operand(&room.head, opd[k]);
	if (shares(x, &room.head, &view->v->m))
		become_view(view, x, &room.head);
	return view;
}

/* ---- forwards -------------------------------------------------------------------------------- */

static gt_tensor *apply(const hop *s, gt_tensor *x)
{
	const gt_arg in = gt_arg_tensor(x);

	if (s->head.op == HOP_DETACH)
		return tensor_new(x->gt, value_hold(x->v));
	return emit(x->gt, sites_get(x->gt->sites, s->head.site), (op)s->head.op, s->head.attr, &in,
		1, ins_opd(&s->head), s->head.nopd);
}

/* The hops from the base to `last`, in that order, in new memory; *depth of them. */
static hop **chain_of(hop *last, size_t *depth)
{
	hop **chain, *s;
	size_t n = 0;

	for (s = last; s; s = s->inner)
		n++;
	*depth = n;
	chain = n ? mem_alloc(n * sizeof *chain) : NULL;
	for (s = last; s; s = s->inner)
		chain[--n] = s;
	return chain;
}

/* The base, seen through the chain that ends with `last` (NULL: the base itself). Loose. Recorded
 * as it was when the views were made, whatever the mode is now. */
static gt_tensor *derive(gt_client *gt, const group *g, hop *last)
{
	const bool recording = gt->recording;
	gt_tensor *x = tensor_new(gt, value_hold(g->base));
	size_t depth;
	hop **chain = chain_of(last, &depth);

	x->node = node_hold(g->node);
	for (size_t k = 0; k < depth && x; k++) {
		gt_tensor *from = x;

		gt->recording = chain[k]->tracked;
		x = apply(chain[k], from);
		tensor_release(from);
	}
	gt->recording = recording;
	mem_free(chain);
	return x;
}

static void rebind(gt_tensor *x, gt_tensor *r, bool with_node)
{
	value *old = x->v;

	x->v = value_hold(r->v);
	value_drop(x->gt, old);
	if (with_node && x->node != r->node) {
		node *was = x->node;

		x->node = node_hold(r->node);
		node_drop(x->gt, was);
	}
}

bool alias_sync(gt_tensor *x)
{
	gt_tensor *now = derive(x->gt, x->group, x->hops);

	if (!now)
		return false;
	rebind(x, now, x->tracked && !tensor_is_leaf(x));
	x->version = x->group->version;
	tensor_release(now);
	return true;
}

/* ---- backwards ------------------------------------------------------------------------------- */

static gt_tensor *put_slice(const gt_site *site, gt_client *gt, const group *g, const hop *s,
		gt_tensor *x)
{
	gt_tensor *whole = derive(gt, g, s->inner), *result;

	if (!whole)
		return NULL;
	result = emit(gt, site, OP_slice_set, (attr){ 0 },
		(gt_arg[]){ gt_arg_tensor(whole), gt_arg_tensor(x) }, 2, ins_opd(&s->head),
		s->head.nopd);
	tensor_release(whole);
	return result;
}

static gt_tensor *put_permuted(const gt_site *site, const hop *s, gt_tensor *x)
{
	int order[GT_RANK_MAX];

	for (int k = 0; k < s->from.rank; k++)
		order[s->head.attr.perm[k]] = k;
	return view_permute(site, x, order);
}

/* What hop s viewed, after x took the place of what it showed. Loose. */
static gt_tensor *put_back(const gt_site *site, gt_client *gt, const group *g, const hop *s,
		gt_tensor *x)
{
	switch (s->head.op) {
	case OP_slice:
		return put_slice(site, gt, g, s, x);
	case OP_permute:
		return put_permuted(site, s, x);
	case OP_reshape:
	case OP_expand:   /* of one element, else alias_check_write had refused */
		return view_reshape(site, x, s->from.dims, s->from.rank);
	default:
		return tensor_same(x);
	}
}

/* The base after view x took the elements of r. Loose. */
static gt_tensor *new_base(const gt_site *site, const gt_tensor *x, gt_tensor *r)
{
	gt_tensor *now = tensor_same(r);

	for (const hop *s = x->hops; s && now; s = s->inner) {
		gt_tensor *was = now;

		now = put_back(site, x->gt, x->group, s, was);
		tensor_release(was);
	}
	return now;
}

/* Whether two elements of x are the same in memory. */
static bool overlaps(const gt_tensor *x)
{
	for (int k = 0; x->hops && k < x->v->m.rank; k++)
		if (!x->hops->strides[k] && x->v->m.dims[k] > 1)
			return true;
	return false;
}

static bool detached(const hop *s)
{
	while (s && s->head.op != HOP_DETACH)
		s = s->inner;
	return s != NULL;
}

gt_err alias_check_write(gt_tensor *x, const char *what, bool needs_grad)
{
	const group *g = x->group;

	if (overlaps(x))
		return fail(GT_EINVAL, "%s: several elements of this expanded view are one in "
			"memory; clone it before writing to it", what);
	if (!x->gt->recording)
		return GT_OK;
	if (tensor_is_leaf(x))
		return fail(GT_EGRAD, "%s: a leaf that requires a gradient cannot be written to "
			"while gradients are recorded; do it under no_grad, or write to a "
			"clone", what);
	if (!g || !x->hops)
		return GT_OK;
	if (detached(x->hops))
		return x->hops->head.op != HOP_DETACH && x->node ? fail(GT_EGRAD, "%s: a view of a "
			"detached tensor that requires a gradient cannot be written to while "
			"gradients are recorded; do it under no_grad, or write to a clone", what) :
			GT_OK;
	if (g->node && g->node->op == NODE_LEAF)
		return fail(GT_EGRAD, "%s: a view of a leaf that requires a gradient cannot be "
			"written to while gradients are recorded; do it under no_grad, or write to "
			"a clone",
			what);
	if (!x->tracked && (g->node || needs_grad))
		return fail(GT_EGRAD, "%s: this view was made under no_grad and cannot be written "
			"to while gradients are recorded; make the view again, or write under "
			"no_grad",
			what);
	return GT_OK;
}

static gt_err write_group(const gt_site *site, gt_tensor *x, gt_tensor *r)
{
	gt_client *gt = x->gt;
	group *g = x->group;
	const bool recording = gt->recording;
	gt_tensor *base;
	value *old = g->base;

	gt->recording = recording && x->tracked;
	base = new_base(site, x, r);
	gt->recording = recording;
	if (!base)
		return gt_last_error_code();
	g->base = value_hold(base->v);
	value_drop(gt, old);
	if (recording && x->tracked && g->node != base->node) {
		node *was = g->node;

		g->node = node_hold(base->node);
		node_drop(gt, was);
	}
	tensor_release(base);
	x->version = ++g->version;
	return GT_OK;
}

gt_err alias_write(const gt_site *site, gt_tensor *x, gt_tensor *r)
{
	gt_err e;

	if (x->group && x->group->refs == 1)
		alias_leave(x);
	if (x->group && (e = write_group(site, x, r)))
		return e;
	rebind(x, r, x->gt->recording);
	return GT_OK;
}
