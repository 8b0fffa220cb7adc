/* grad_reduce.c: gradients of reductions, normalisations and products. */
#include "client/grad.h"

#define X grad_x(g, 0)
#define RESULT grad_y(g)

/* The reduced dims as size 1. */
static meta kept_shape(grad *g)
{
	meta m;

	meta_copy(&m, grad_meta(g, 0));
	for (int k = 0; k < m.rank; k++)
		if (g->n->attr.axes >> k & 1)
			m.dims[k] = 1;
	return m;
}

/* t, of the result's shape, so that it broadcasts to the input: reduced dims in front need not be
 * there, others have size 1. */
static gt_tensor *kept(grad *g, gt_tensor *t)
{
	const unsigned axes = g->n->attr.axes;
	const meta m = kept_shape(g);

	return axes & (axes + 1) ? grad_as(g, t, &m) : t;
}

/* The same dims again, kept. */
static gt_reduce again(const grad *g)
{
	gt_reduce r = { .axis = GT_ALL_AXES, .keepdims = true };

	for (int k = 0; k < GT_RANK_MAX; k++)
		if (g->n->attr.axes >> k & 1)
			r.axes[r.naxes++] = k;
	return r;
}

static gt_tensor *sum(grad *g, gt_tensor *t) { return gt_sum_at(g->site, t, again(g)); }
static gt_tensor *mean(grad *g, gt_tensor *t) { return gt_mean_at(g->site, t, again(g)); }

/* How many elements make one of the result. */
static double size_reduced(grad *g)
{
	const meta *m = grad_meta(g, 0);
	double n = 1;

	for (int k = 0; k < m->rank; k++)
		if (g->n->attr.axes >> k & 1)
			n *= (double)m->dims[k];
	return n;
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* What each element is given. A single number stays one through sums of sums, so that it is
 * broadcast once: the gradient of a sum may be given a number where a tensor belongs. */
static void give_share(grad *g, gt_tensor *share)
{
	const node *inner = grad_alone(g, 0);

	if (!share || share->v->m.rank)
		share = kept(g, share);
	else if (inner && (inner->op == OP_sum || inner->op == OP_mean)) {
		grad_pass(g, 0, share);
		return;
	}
	grad_give(g, 0, grad_broadcast(g, share, grad_meta(g, 0)));
}

void grad_sum(grad *g)
{
	give_share(g, g->dy);
}

void grad_mean(grad *g)
{
	give_share(g, gt_div(g->dy, size_reduced(g)));
}

void grad_var(grad *g)   /* 2 (x - mean) / (n - correction) */
{
	gt_tensor *x = X;
	const double scale = 2 / (size_reduced(g) - grad_in(g, 1).f);

	grad_give(g, 0, gt_mul(gt_mul(kept(g, g->dy), scale), gt_sub(x, mean(g, x))));
}

/* The product of the others: with one zero among the elements only that one has a gradient, with
 * two none has. */
void grad_prod(grad *g)
{
	gt_tensor *x = X, *zero = gt_eq(x, 0), *n = sum(g, zero);
	gt_tensor *rest = gt_prod_at(g->site, gt_where(zero, 1, x), again(g));
	gt_tensor *at_zero = gt_where(gt_eq(n, 1), rest, 0);
	gt_tensor *elsewhere = gt_div(gt_where(gt_eq(n, 0), rest, 0), gt_where(zero, 1, x));

	grad_give(g, 0, gt_mul(kept(g, g->dy), gt_where(zero, at_zero, elsewhere)));
}

void grad_extreme(grad *g)   /* shared by equals */
{
	gt_tensor *hit = gt_eq(X, kept(g, RESULT));
	gt_tensor *n = gt_cast(sum(g, hit), (gt_dtype)g->n->dtype);

	grad_give(g, 0, gt_where(hit, gt_div(kept(g, g->dy), n), 0));
}

void grad_logsumexp(grad *g) /* softmax(x) */
{
	grad_give(g, 0, gt_mul(kept(g, g->dy), gt_exp(gt_sub(X, kept(g, RESULT)))));
}

/* ---- normalisations -------------------------------------------------------------------------- */

void grad_softmax(grad *g)   /* y (dy - sum(dy y)) */
{
	gt_tensor *y = RESULT;
	gt_tensor *s = gt_sum(gt_mul(g->dy, y), .axis = g->n->attr.axis, .keepdims = true);

	grad_give(g, 0, gt_mul(y, gt_sub(g->dy, s)));
}

void grad_log_softmax(grad *g)   /* dy - exp(y) sum(dy) */
{
	gt_tensor *s = gt_sum(g->dy, .axis = g->n->attr.axis, .keepdims = true);

	grad_give(g, 0, gt_sub(g->dy, gt_mul(gt_exp(RESULT), s)));
}

/* (dy - mean(dy) - y mean(dy y)) / sqrt(var + eps): Ba, Kiros, Hinton, Layer Normalization,
 * 2016. */
void grad_layer_norm(grad *g)
{
	gt_tensor *x = X, *y = RESULT;
	gt_tensor *scale = gt_rsqrt(gt_add(gt_var_at(g->site, x, 0, again(g)), grad_in(g, 1)));
	gt_tensor *centred = gt_sub(g->dy, mean(g, g->dy));

	grad_give(g, 0, gt_mul(scale, gt_sub(centred, gt_mul(y, mean(g, gt_mul(g->dy, y))))));
}

/* ---- products -------------------------------------------------------------------------------- */

/* All but the last dim as one. */
static gt_tensor *as_rows(grad *g, gt_tensor *x)
{
	const meta *m = &x->v->m;
	meta flat = { .rank = 2, .dims = { 1, m->dims[m->rank - 1] } };

	for (int k = 0; k < m->rank - 1; k++)
		flat.dims[0] *= m->dims[k];
	return grad_as(g, x, &flat);
}

/* The left input and dy. A matrix that was shared by a batch gets one product, not a sum of
 * products. */
static gt_tensor *left_of(grad *g, gt_tensor **dy)
{
	gt_tensor *a = X;

	*dy = g->dy;
	if (grad_meta(g, 1)->rank > 2 || a->v->m.rank == 2)
		return a;
	*dy = as_rows(g, *dy);
	return *dy ? as_rows(g, a) : NULL;
}

/* a^T dy. */
static gt_tensor *matmul_right(grad *g)
{
	gt_tensor *dy, *a = left_of(g, &dy);

	return a ? gt_matmul(grad_transpose(g, a), dy) : NULL;
}

/* Whether a node is that of a matrix's transposition. */
static bool transposes(const node *n)
{
	return n && n->op == OP_permute && n->in[0].v->m.rank == 2 && n->attr.perm[0] == 1;
}

/* The gradient of b where b^T was multiplied by: dy^T a, in order in memory, as its transpose would
 * not be. */
static gt_tensor *matmul_transposed(grad *g)
{
	gt_tensor *dy, *a = left_of(g, &dy);

	return a ? gt_matmul(grad_transpose(g, dy), a) : NULL;
}

void grad_matmul(grad *g)
{
	/* Asked before a handle on input 1 counts as one more user. */
	const bool transposed = transposes(grad_alone(g, 1));

	if (grad_wants(g, 0))
		grad_give(g, 0, gt_matmul(g->dy, grad_transpose(g, grad_x(g, 1))));
	if (transposed)
		grad_skip(g, 1, matmul_transposed(g));
	else if (grad_wants(g, 1))
		grad_give(g, 1, matmul_right(g));
}
