/* grad.c: backward passes.
 *
 * Nodes are numbered in the order in which they were recorded, so a heap by number visits each node
 * after all that depend on it: a topological order without a list of the tape. A node on the heap
 * carries the gradient collected so far. Saved values are given up as the pass goes on.
 *
 * With inputs (gt_gradients), a search marks the nodes that lead to them first; the others are not
 * visited, nor are leaves' .grad touched.
 */
#include "client/grad.h"

#include <stdlib.h>
#include "base/mem.h"

#define GRADIENT(name, use0, use1, use2) \
	const grad_row grad_row_##name = { grad_##name, { use0, use1, use2 } };
#include "client/grad.def"
const grad_row grad_row_none = { NULL, { 0 } };

const grad_row *const grad_rows[OP_CODES] = {
#define OP(name, code, kind, nin) [code] =
#define GRAD(name) &grad_row_##name,
#include "ir/ops.def"
};

typedef struct pass {
	gt_client *gt;
	const gt_site *site;
	node **heap;             /* largest number first */
	size_t n, room;
	bool retain, create;
	uint32_t mark;           /* of wanted nodes; 0: all are */
	size_t frame;            /* where the open frame's handles begin */
	uint32_t signal;         /* entered for gradients; 0: none */
	gt_tensor *const *inputs;
	int n_in;
	gt_tensor **out;
	gt_err error;
} pass;

/* ---- the heap -------------------------------------------------------------------------------- */

static void heap_push(pass *p, node *n)
{
	size_t k = p->n;

	VEC_ROOM(p->heap, p->n, p->room);
	p->n++;
	for (; k && p->heap[(k - 1) / 2]->seq < n->seq; k = (k - 1) / 2)
		p->heap[k] = p->heap[(k - 1) / 2];
	p->heap[k] = n;
}

static node *heap_pop(pass *p)
{
	node *top = p->heap[0], *last = p->heap[--p->n];
	size_t k = 0, child;

	while ((child = 2 * k + 1) < p->n) {
		if (child + 1 < p->n && p->heap[child + 1]->seq > p->heap[child]->seq)
			child++;
		if (p->heap[child]->seq <= last->seq)
			break;
		p->heap[k] = p->heap[child];
		k = child;
	}
	p->heap[k] = last;
	return top;
}

/* ---- what gradients call --------------------------------------------------------------------- */

static bool wanted(const pass *p, const node *n)
{
	return n && (!p->mark || (n->mark == p->mark && n->flags & NODE_WANTED));
}

bool grad_wants(const grad *g, int k)
{
	return wanted(g->pass, g->n->in[k].from);
}

/* A handle on a saved value, as the tape knows it. */
static gt_tensor *saved(grad *g, value *v, node *from)
{
	gt_tensor *x = tensor_new(g->pass->gt, value_hold(v));

	x->node = node_hold(from);
	return tensor_own(x);
}

static unsigned scalar_kind(const node *n, int k)
{
	return k < INS_SCALARS_MAX ? INS_KIND(n->kinds, k) : 0;
}

gt_arg grad_in(grad *g, int k)
{
	const edge *e = &g->n->in[k];
	const unsigned kind = scalar_kind(g->n, k);

	if (kind == KIND_FLOAT)
		return gt_arg_float(e->s.f);
	if (kind)
		return kind == KIND_INT ? gt_arg_int(e->s.i) : gt_arg_bool(e->s.i != 0);
	return gt_arg_tensor(grad_x(g, k));
}

gt_tensor *grad_x(grad *g, int k)
{
	assert(g->n->saved >> k & 1);
	return saved(g, g->n->in[k].v, g->n->in[k].from);
}

gt_tensor *grad_y(grad *g)
{
	assert(g->n->flags & NODE_KEEPS_OUT);
	return saved(g, g->n->out, g->n);
}

const meta *grad_meta(const grad *g, int k)
{
	return &g->n->in[k].v->m;
}

/* Loose; NULL on error. */
static gt_tensor *sum_of(pass *p, const gt_site *site, gt_tensor *a, gt_tensor *b)
{
	frame f = frame_begin(p->gt);

	return frame_end_loose(f, gt_add_at(site, gt_arg_tensor(a), gt_arg_tensor(b)));
}

/* A reference to d: the frame's own, if d was made in it, so that no count changes. */
static gt_tensor *take(pass *p, gt_tensor *d)
{
	if (d->slot < 0 || (size_t)d->slot < p->frame)
		return tensor_hold(d);
	p->gt->owned[d->slot] = NULL;
	d->slot = SLOT_NONE;
	return d;
}

static void add_to(pass *p, const gt_site *site, node *n, gt_tensor *d)
{
	gt_tensor *sum;

	if (!n->dy) {
		n->dy = take(p, d);
		heap_push(p, node_hold(n));
		return;
	}
	if (!(sum = sum_of(p, site, n->dy, d))) {
		p->error = gt_last_error_code();
		return;
	}
	tensor_release(n->dy);
	n->dy = sum;
}

static void give_to(grad *g, node *n, gt_tensor *d)
{
	if (g->pass->error)
		return;
	if (d)
		add_to(g->pass, g->site, n, d);
	else
		g->pass->error = gt_last_error_code();
}

void grad_pass(grad *g, int k, gt_tensor *d)
{
	give_to(g, g->n->in[k].from, d);
}

void grad_skip(grad *g, int k, gt_tensor *d)
{
	give_to(g, g->n->in[k].from->in[0].from, d);
}

void grad_give(grad *g, int k, gt_tensor *d)
{
	if (!grad_wants(g, k) || g->pass->error)
		return;
	if (d && !dims_same(&d->v->m, grad_meta(g, k)))
		d = grad_sum_to(g, d, grad_meta(g, k));
	grad_pass(g, k, d);
}

const node *grad_alone(const grad *g, int k)
{
	const node *from = g->n->in[k].from;

	return grad_wants(g, k) && from->refs == 1 && from->signal == g->n->signal ? from : NULL;
}

/* ---- one node -------------------------------------------------------------------------------- */

/* The handle of a leaf's .grad stays, whatever comes on top: users may hold it. */
static void accumulate(pass *p, gt_tensor *leaf, gt_tensor *dy)
{
	gt_tensor *sum;

	if (!leaf->grad) {
		leaf->grad = tensor_same(dy);
		return;
	}
	if (!tensor_ready(leaf->grad, "backward") ||
	    !(sum = sum_of(p, p->site, leaf->grad, dy))) {
		p->error = gt_last_error_code();
	} else if (p->create) {
		tensor_release(leaf->grad);
		leaf->grad = sum;
	} else {
		p->error = alias_write(p->site, leaf->grad, sum);
		tensor_release(sum);
	}
}

/* Gradients run under the signal that their instructions named. */
static void follow_signal(pass *p, uint32_t signal)
{
	if (LIKELY(p->signal == signal))
		return;
	if (p->signal)
		p->error = signal_issue_leave(p->gt, signal_begins(p->gt, p->signal));
	if (signal && !p->error)
		p->error = signal_issue_enter(p->gt, signal);
	p->signal = signal;
}

static bool leads_on(const pass *p, const node *n)
{
	for (unsigned k = 0; k < n->nin; k++)
		if (wanted(p, n->in[k].from))
			return true;
	return false;
}

static void run_gradient(pass *p, node *n, gt_tensor *dy, const grad_slices *slices)
{
	grad g = { p, n, sites_get(p->gt->sites, n->site), dy, slices };
	frame f;

	if (n->flags & NODE_SPENT) {
		p->error = fail(GT_EGRAD, "backward: a second time through the graph of '%s', "
			"whose saved values were given up the first time; pass retain_graph there "
			"to keep them",
			op_rows[n->op].name);
		return;
	}
	follow_signal(p, n->signal);
	if (p->error)
		return;
	if (g.site) {
		p->gt->site = g.site;
		p->gt->site_number = n->site;
	}
	f = frame_begin(p->gt);
	p->frame = f.mark;
	grad_rows[n->op]->run(&g);
	frame_end(f, NULL);
	if (!p->retain)
		node_spend(p->gt, n);
}

static void capture(pass *p, const node *n, gt_tensor *dy)
{
	for (int k = 0; k < p->n_in; k++)
		if (p->inputs[k]->node == n)
			p->out[k] = tensor_same(dy);
}

/* ---- slices that are all of a tensor --------------------------------------------------------- */

/* The only axis along which the slice is not everything; -1: there are more, or it leaves gaps. */
static int cut_axis(node *n)
{
	const int64_t *opd = node_opd(n);
	const meta *m = &n->in[0].v->m;
	int axis = -1;

	for (int k = 0; k < m->rank; k++) {
		if (opd[3 * k + 2] != 1)
			return -1;
		if (opd[3 * k + 1] == m->dims[k])
			continue;
		if (axis >= 0)
			return -1;
		axis = k;
	}
	return axis;
}

static int64_t first_of(node *n, int axis)
{
	return node_opd(n)[3 * axis];
}

static int64_t end_of(node *n, int axis)
{
	return node_opd(n)[3 * axis] + node_opd(n)[3 * axis + 1];
}

/* Is n the slice of the same tensor that ends where `next` begins? */
static bool goes_before(node *n, node *next, int axis)
{
	return n->op == OP_slice && n->in[0].from == next->in[0].from &&
		n->signal == next->signal && cut_axis(n) == axis &&
		end_of(n, axis) == first_of(next, axis);
}

/* Those that `all`, which holds the last one, needs to be all of their tensor: they are visited
 * next, as they were recorded right before it. Returns how many there are in it. */
static unsigned gather_slices(pass *p, node **all)
{
	const int axis = all[0]->op == OP_slice ? cut_axis(all[0]) : -1;
	unsigned count = 1;

	if (axis < 0 || end_of(all[0], axis) != all[0]->in[0].v->m.dims[axis])
		return 1;
	while (count < GRAD_SLICES_MAX && p->n && first_of(all[count - 1], axis) &&
			goes_before(p->heap[0], all[count - 1], axis))
		all[count++] = heap_pop(p);
	while (first_of(all[count - 1], axis) && count > 1)
		heap_push(p, all[--count]);
	return count;
}

static void list_slices(node *const *all, unsigned count, grad_slices *to)
{
	to->n = (int)count;
	to->axis = count > 1 ? cut_axis(all[0]) : 0;
	for (unsigned k = 0; k < count; k++) {
		to->dy[count - 1 - k] = all[k]->dy;
		all[k]->dy = NULL;
	}
}

/* ---- the pass -------------------------------------------------------------------------------- */

static void look_at(pass *p, const node *n, gt_tensor *dy)
{
	if (p->mark && n->mark == p->mark && n->flags & NODE_CAPTURED)
		capture(p, n, dy);
}

static void visit(pass *p, node *n)
{
	node *all[GRAD_SLICES_MAX];
	grad_slices slices;
	gt_tensor *dy = n->dy;
	unsigned count;

	all[0] = n;
	count = gather_slices(p, all);
	list_slices(all, count, &slices);
	for (unsigned k = 0; k < count && !p->error; k++)
		look_at(p, all[k], slices.dy[count - 1 - k]);
	if (!p->error) {
		if (n->op != NODE_LEAF && leads_on(p, n))
			run_gradient(p, n, dy, &slices);
		else if (n->op == NODE_LEAF && n->owner && !p->mark)
			accumulate(p, n->owner, dy);
	}
	for (unsigned k = 0; k < count; k++) {
		tensor_release(slices.dy[k]);
		node_drop(p->gt, all[k]);
	}
}

static gt_err run(pass *p)
{
	const bool recording = p->gt->recording;

	p->gt->recording = p->create;
	while (p->n)
		visit(p, heap_pop(p));
	if (p->signal)
		signal_issue_leave(p->gt, signal_begins(p->gt, p->signal));
	p->gt->recording = recording;
	mem_free(p->heap);
	return p->error;
}

/* ---- where passes begin ---------------------------------------------------------------------- */

/* Put output x on the heap with its seed, NULL = 1. */
static gt_err begin(pass *p, gt_tensor *x, gt_tensor *seed, const char *what)
{
	char tx[SHAPE_TEXT_MAX], ts[SHAPE_TEXT_MAX];
	gt_tensor *d;
	frame f;

	if (!tensor_ready(x, what) || (seed && !tensor_ready(seed, what)))
		return gt_last_error_code();
	if (x->gt != p->gt || (seed && seed->gt != p->gt))
		return fail(GT_EINVAL, "%s: the tensors belong to different clients", what);
	if (!x->node)
		return fail(GT_EGRAD, "%s: the tensor does not depend on one that requires a "
			"gradient",
			what);
	if (!seed && meta_count(&x->v->m) != 1)
		return fail(GT_EGRAD, "%s: a gradient for %s must be given; only one element needs "
			"none",
			what, meta_text(&x->v->m, tx, sizeof tx));
	if (seed && !dims_same(&seed->v->m, &x->v->m))
		return fail(GT_ESHAPE, "%s: the gradient has shape %s, the tensor %s", what,
			shape_text(&seed->v->m, ts, sizeof ts),
			shape_text(&x->v->m, tx, sizeof tx));
	if (p->mark && !wanted(p, x->node))
		return GT_OK;
	f = frame_begin(p->gt);
	p->frame = f.mark;
	d = seed ? gt_cast_at(p->site, seed, gt_dtype_of(x))
	         : gt_full_like_at(p->site, x, gt_arg_float(1), (gt_make){ 0 });
	if (d)
		add_to(p, p->site, x->node, d);
	else
		p->error = gt_last_error_code();
	frame_end(f, NULL);
	return p->error;
}

gt_err gt_backward_at(const gt_site *site, gt_tensor *x, gt_tensor *seed, bool retain_graph)
{
	pass p = { .site = site, .retain = retain_graph };

	if (!tensor_ready(x, "backward"))
		return gt_last_error_code();
	p.gt = x->gt;
	p.error = begin(&p, x, seed, "backward");
	return run(&p);
}

/* ---- marking what leads to inputs ------------------------------------------------------------ */

typedef struct nodes { node **list; size_t n, room; } nodes;

/* Nodes below the oldest input cannot lead to any. */
static void reach(nodes *found, node *n, uint32_t mark, uint64_t oldest)
{
	if (!n || n->seq < oldest || n->mark == mark)
		return;
	n->mark = mark;
	n->flags &= (uint8_t)~(NODE_WANTED | NODE_CAPTURED);
	VEC_ROOM(found->list, found->n, found->room);
	found->list[found->n++] = n;
}

static int by_age(const void *a, const void *b)
{
	const uint64_t x = (*(node *const *)a)->seq, y = (*(node *const *)b)->seq;

	return (x > y) - (x < y);
}

static void mark_wanted(pass *p, gt_tensor *const *outputs, int n_out)
{
	uint64_t oldest = UINT64_MAX;
	nodes found = { 0 };

	/* 0 stands for "all". */
	p->mark = p->gt->mark += 1 + (p->gt->mark == UINT32_MAX);
	for (int k = 0; k < p->n_in; k++)
		oldest = MIN(oldest, p->inputs[k]->node->seq);
	for (int k = 0; k < n_out; k++)
		reach(&found, outputs[k]->node, p->mark, oldest);
	for (size_t at = 0; at < found.n; at++)
		for (unsigned k = 0; k < found.list[at]->nin; k++)
			reach(&found, found.list[at]->in[k].from, p->mark, oldest);
	for (int k = 0; k < p->n_in; k++)
		if (p->inputs[k]->node->mark == p->mark)
			p->inputs[k]->node->flags |= NODE_WANTED | NODE_CAPTURED;
	if (found.n)
		qsort(found.list, found.n, sizeof *found.list, by_age);
	for (size_t at = 0; at < found.n; at++)
		if (leads_on(p, found.list[at]))
			found.list[at]->flags |= NODE_WANTED;
	mem_free(found.list);
}

static gt_err check_tensors(gt_client *gt, gt_tensor *const *list, int n, const char *role)
{
	for (int k = 0; k < n; k++) {
		if (!tensor_ready(list[k], "gradients"))
			return gt_last_error_code();
		if (list[k]->gt != gt)
			return fail(GT_EINVAL, "gradients: the tensors belong to different "
				"clients");
		if (!list[k]->node)
			return fail(GT_EGRAD, "gradients: %s %d does not require a gradient", role,
				k);
	}
	return GT_OK;
}

/* Give the captured gradients to the user, or none of them. */
static gt_err hand_out(pass *p, bool allow_unused)
{
	for (int k = 0; k < p->n_in && !p->error && !allow_unused; k++)
		if (!p->out[k])
			p->error = fail(GT_EGRAD, "gradients: no output depends on input %d; pass "
				"allow_unused if that may be", k);
	for (int k = 0; k < p->n_in; k++) {
		if (p->error) {
			tensor_release(p->out[k]);
			p->out[k] = NULL;
		}
		tensor_own(p->out[k]);
	}
	return p->error;
}

gt_err gt_gradients_at(const gt_site *site, gt_tensor *const *outputs, gt_tensor *const *seeds,
		int n_out, gt_tensor *const *inputs, int n_in, bool retain_graph, bool create_graph,
		bool allow_unused, gt_tensor **out)
{
	pass p = { .site = site, .retain = retain_graph || create_graph, .create = create_graph,
		.inputs = inputs, .n_in = n_in, .out = out };

	if (n_out < 1 || n_in < 1)
		return fail(GT_EINVAL, "gradients: of %d outputs by %d inputs, expected one or "
			"more of each", n_out, n_in);
	for (int k = 0; k < n_in; k++)
		out[k] = NULL;
	if (!tensor_ready(outputs[0], "gradients"))
		return gt_last_error_code();
	p.gt = outputs[0]->gt;
	if ((p.error = check_tensors(p.gt, outputs, n_out, "output")) ||
	    (p.error = check_tensors(p.gt, inputs, n_in, "input")))
		return p.error;
	mark_wanted(&p, outputs, n_out);
	for (int k = 0; k < n_out && !p.error; k++)
		p.error = begin(&p, outputs[k], seeds ? seeds[k] : NULL, "gradients");
	run(&p);
	return hand_out(&p, allow_unused);
}
