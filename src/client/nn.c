/* nn.c: functional neural network operations, made of rows. Formulas as in PyTorch's documentation
 * (https://pytorch.org/docs/stable/nn.functional.html) unless a comment names another source.
 *
 * Everything a function makes on its way belongs to a frame; NULLs run through to the end, so there
 * is one check, the caller's.
 */
#include "client/client.h"

#include <float.h>
#include <math.h>

#define T(x) gt_arg_tensor(x)
#define F(x) gt_arg_float(x)

static gt_tensor *add(const gt_site *site, gt_tensor *a, gt_tensor *b)
{
	return gt_add_at(site, T(a), T(b));
}

static gt_tensor *sub(const gt_site *site, gt_tensor *a, gt_tensor *b)
{
	return gt_sub_at(site, T(a), T(b));
}

static gt_tensor *mul(const gt_site *site, gt_tensor *a, gt_tensor *b)
{
	return gt_mul_at(site, T(a), T(b));
}

/* One number, or all. */
static gt_tensor *reduce(const gt_site *site, gt_tensor *losses, gt_reduction r)
{
	if (r == GT_NONE)
		return losses;
	if (r == GT_SUM)
		return gt_sum_at(site, losses, GT_REDUCE());
	return gt_mean_at(site, losses, GT_REDUCE());
}

static bool check_reduction(const char *what, gt_reduction r)
{
	if (r == GT_MEAN || r == GT_SUM || r == GT_NONE)
		return true;
	fail(GT_EINVAL, "%s: unknown reduction %d, expected GT_MEAN, GT_SUM or GT_NONE", what,
		(int)r);
	return false;
}

/* The client of x and y, both tensors of one client, r legal. */
static gt_client *begin_loss(const char *what, gt_tensor *x, gt_tensor *y, gt_reduction r)
{
	const gt_arg in[] = { T(x), T(y) };
	gt_client *gt = emit_client(what, in, 2);

	return gt && check_reduction(what, r) ? gt : NULL;
}

/* As begin_loss, where shapes must be equal: broadcasting here is nearly always a mistake. */
static gt_client *begin_equal(const char *what, gt_tensor *x, gt_tensor *y, gt_reduction r)
{
	gt_client *gt = begin_loss(what, x, y, r);
	char tx[SHAPE_TEXT_MAX], ty[SHAPE_TEXT_MAX];

	if (!gt || dims_same(&x->v->m, &y->v->m))
		return gt;
	fail(GT_ESHAPE, "%s: input %s and target %s, expected equal shapes", what,
		meta_text(&x->v->m, tx, sizeof tx), meta_text(&y->v->m, ty, sizeof ty));
	return NULL;
}

/* ---- normalisation, dropout ------------------------------------------------------------------ */

/* weight and bias, where given, have the shape of x's last n dims. */
static bool check_affine(const gt_tensor *x, int n, gt_tensor *w, const char *which)
{
	const meta *m = &x->v->m;
	char tx[SHAPE_TEXT_MAX], tw[SHAPE_TEXT_MAX];
	bool fits;

	if (!w)
		return true;
	if (!tensor_ready(w, "layer_norm"))
		return false;
	fits = w->v->m.rank == n;
	for (int k = 0; fits && k < n; k++)
		fits = w->v->m.dims[k] == m->dims[m->rank - n + k];
	if (!fits)
		fail(GT_ESHAPE, "layer_norm: %s %s does not have the shape of the last %d dims of "
			"%s",
			which, meta_text(&w->v->m, tw, sizeof tw), n, meta_text(m, tx, sizeof tx));
	return fits;
}

gt_tensor *gt_layer_norm_at(const gt_site *site, gt_tensor *x, int ndims, gt_tensor *weight,
		gt_tensor *bias, double eps)
{
	gt_tensor *y;
	frame f;
	int rank;

	if (!tensor_ready(x, "layer_norm"))
		return NULL;
	rank = x->v->m.rank;
	if (ndims < 1 || ndims > rank) {
		fail(GT_EINVAL, "layer_norm: over %d dims of a tensor of rank %d, expected 1 to %d",
			ndims, rank, rank);
		return NULL;
	}
	if (!check_affine(x, ndims, weight, "weight") || !check_affine(x, ndims, bias, "bias"))
		return NULL;
	f = frame_begin(x->gt);
	y = tensor_own(emit(x->gt, site, OP_layer_norm,
		(attr){ .axes = (uint8_t)(((1 << ndims) - 1) << (rank - ndims)) },
		(gt_arg[]){ T(x), F(eps) }, 2, NULL, 0));
	if (y && weight)
		y = mul(site, y, weight);
	if (y && bias)
		y = add(site, y, bias);
	return frame_end(f, y);
}

gt_tensor *gt_dropout_at(const gt_site *site, gt_tensor *x, double p, bool training)
{
	gt_tensor *kept;
	frame f;

	if (!tensor_ready(x, "dropout"))
		return NULL;
	if (!(p >= 0 && p <= 1)) {
		fail(GT_EINVAL, "dropout: probability %g, expected 0 to 1", p);
		return NULL;
	}
	if (!training || p == 0)
		return tensor_own(tensor_hold(x));
	f = frame_begin(x->gt);
	/* rand is below 1, so with p = 1 nothing is kept. */
	kept = gt_rand_at(site, x->gt, gt_shape_of(x), (gt_make){ GT_FLOAT32 });
	kept = gt_ge_at(site, T(kept), F(p));
	x = gt_where_at(site, T(kept), T(x), F(0));
	return frame_end(f, p < 1 ? gt_mul_at(site, T(x), F(1 / (1 - p))) : x);
}

/* ---- losses ---------------------------------------------------------------------------------- */

gt_tensor *gt_mse_loss_at(const gt_site *site, gt_tensor *x, gt_tensor *y, gt_reduction r)
{
	gt_client *gt = begin_equal("mse_loss", x, y, r);
	frame f;

	if (!gt)
		return NULL;
	f = frame_begin(gt);
	return frame_end(f, reduce(site, gt_square_at(site, sub(site, x, y)), r));
}

/* max(log x, -100), which is also what it is for x = 0; the gradient there is 0. */
static gt_tensor *bounded_log(const gt_site *site, gt_tensor *x)
{
	gt_tensor *some = gt_gt_at(site, T(x), F(0));
	gt_tensor *log = gt_log_at(site, gt_where_at(site, T(some), T(x), F(1)));

	return gt_where_at(site, T(some), T(gt_maximum_at(site, T(log), F(-100))), F(-100));
}

gt_tensor *gt_binary_cross_entropy_at(const gt_site *site, gt_tensor *x, gt_tensor *y,
		gt_reduction r)
{
	gt_client *gt = begin_equal("binary_cross_entropy", x, y, r);
	gt_tensor *yes, *no;
	frame f;

	if (!gt)
		return NULL;
	f = frame_begin(gt);
	yes = mul(site, y, bounded_log(site, x));
	no = mul(site, gt_sub_at(site, F(1), T(y)), bounded_log(site, gt_sub_at(site, F(1), T(x))));
	return frame_end(f, reduce(site, gt_neg_at(site, add(site, yes, no)), r));
}

gt_tensor *gt_binary_cross_entropy_with_logits_at(const gt_site *site, gt_tensor *x, gt_tensor *y,
		gt_reduction r)
{
	gt_client *gt = begin_equal("binary_cross_entropy_with_logits", x, y, r);
	frame f;

	if (!gt)
		return NULL;
	f = frame_begin(gt);
	return frame_end(f, reduce(site, sub(site, gt_softplus_at(site, x), mul(site, x, y)), r));
}

/* ---- classes --------------------------------------------------------------------------------- */

/* Where classes lie in a tensor of that rank. */
static int class_axis(const gt_tensor *x) { return x->v->m.rank > 1; }

static bool check_classes(const char *what, const gt_tensor *x, const gt_tensor *target)
{
	const meta *m = &x->v->m, *t = &target->v->m;
	char tx[SHAPE_TEXT_MAX], tt[SHAPE_TEXT_MAX];
	const int axis = class_axis(x);
	bool fits = m->rank && t->rank == m->rank - 1;

	if (dtype_kind_of((gt_dtype)t->dtype) != KIND_INT) {
		fail(GT_EDTYPE, "%s: classes are %s, expected int64 or int32", what,
			dtype_name((gt_dtype)t->dtype));
		return false;
	}

	for (int k = 0; fits && k < t->rank; k++)
		fits = t->dims[k] == m->dims[k + (k >= axis)];
	if (!fits)
		fail(GT_ESHAPE, "%s: input %s and target %s, expected the target to have the "
			"input's shape without dim %d, the "
			"classes", what, meta_text(m, tx, sizeof tx),
			meta_text(t, tt, sizeof tt), axis);
	return fits;
}

/* -log_probs[target] where the target counts, elsewhere 0. The mean is over those that count. */
static gt_tensor *picked(const gt_site *site, gt_tensor *log_probs, gt_tensor *target,
		const gt_class_loss *o)
{
	const int axis = class_axis(log_probs);
	gt_tensor *at = gt_unsqueeze_at(site, target, axis), *losses;
	gt_tensor *counts = gt_ne_at(site, T(at), gt_arg_int(o->ignore_index));

	at = gt_where_at(site, T(counts), T(at), gt_arg_int(0));
	losses = gt_gather_at(site, log_probs, at, axis);
	losses = gt_neg_at(site, gt_where_at(site, T(counts), T(losses), F(0)));
	if (o->reduction == GT_NONE)
		return gt_squeeze_at(site, losses, axis);
	losses = gt_sum_at(site, losses, GT_REDUCE());
	if (o->reduction == GT_SUM)
		return losses;
	return gt_div_at(site, T(losses), T(gt_sum_at(site, counts, GT_REDUCE())));
}

gt_tensor *gt_nll_loss_at(const gt_site *site, gt_tensor *log_probs, gt_tensor *target,
		gt_class_loss o)
{
	gt_client *gt = begin_loss("nll_loss", log_probs, target, o.reduction);
	frame f;

	if (!gt || !check_classes("nll_loss", log_probs, target))
		return NULL;
	f = frame_begin(gt);
	return frame_end(f, picked(site, log_probs, target, &o));
}

/* Targets that are probabilities: -sum(target * log p) over classes; the mean is over all
 * others. */
static gt_tensor *soft_cross_entropy(const gt_site *site, gt_tensor *log_probs, gt_tensor *target,
		gt_reduction r)
{
	gt_tensor *losses = gt_sum_at(site, mul(site, target, log_probs),
		GT_REDUCE(.axis = class_axis(log_probs)));

	return gt_neg_at(site, reduce(site, losses, r));
}

gt_tensor *gt_cross_entropy_at(const gt_site *site, gt_tensor *logits, gt_tensor *target,
		gt_class_loss o)
{
	gt_client *gt = begin_loss("cross_entropy", logits, target, o.reduction);
	gt_tensor *log_probs;
	bool soft;
	frame f;

	if (!gt)
		return NULL;
	soft = dtype_kind_of(gt_dtype_of(target)) == KIND_FLOAT;
	if (soft ? !begin_equal("cross_entropy", logits, target, o.reduction) :
	           !check_classes("cross_entropy", logits, target))
		return NULL;
	f = frame_begin(gt);
	log_probs = gt_log_softmax_at(site, logits, class_axis(logits));
	if (!log_probs)
		return frame_end(f, NULL);
	return frame_end(f, soft ? soft_cross_entropy(site, log_probs, target, o.reduction)
	                         : picked(site, log_probs, target, &o));
}

/* ---- attention ------------------------------------------------------------------------------- */

static bool check_attention(const gt_tensor *q, const gt_tensor *k, const gt_tensor *v)
{
	const meta *mq = &q->v->m, *mk = &k->v->m, *mv = &v->v->m;
	char tq[SHAPE_TEXT_MAX], tk[SHAPE_TEXT_MAX], tv[SHAPE_TEXT_MAX];

	if (mq->rank > 1 && mk->rank > 1 && mv->rank > 1 &&
	    mq->dims[mq->rank - 1] == mk->dims[mk->rank - 1] &&
	    mk->dims[mk->rank - 2] == mv->dims[mv->rank - 2])
		return true;
	fail(GT_ESHAPE, "scaled_dot_product_attention: got %s, %s and %s, expected (.., l, d), "
		"(.., s, d) and (.., s, "
		"e)", meta_text(mq, tq, sizeof tq), meta_text(mk, tk, sizeof tk),
		meta_text(mv, tv, sizeof tv));
	return false;
}

/* true where row i may attend to column j: j <= i. */
static gt_tensor *causal_mask(const gt_site *site, const gt_tensor *scores)
{
	const meta *m = &scores->v->m;
	const gt_shape square = { 2, { m->dims[m->rank - 2], m->dims[m->rank - 1] } };

	gt_tensor *all = gt_full_at(site, scores->gt, square, gt_arg_bool(true), (gt_make){ 0 });

	return gt_tril_at(site, all, 0);
}

/* Softmax over the columns that the mask lets through; 0 in a row that it closes, where softmax
 * would divide by nothing. */
static gt_tensor *open_softmax(const gt_site *site, gt_tensor *scores, gt_tensor *mask)
{
	gt_tensor *p = gt_where_at(site, T(mask), T(scores), F(-FLT_MAX));

	p = gt_softmax_at(site, p, -1);
	return gt_where_at(site, T(mask), T(p), F(0));
}

static gt_tensor *masked_softmax(const gt_site *site, gt_tensor *scores, gt_tensor *mask,
		bool causal)
{
	if (mask && mask->v->m.dtype == GT_BOOL)
		return open_softmax(site, scores, mask);
	if (mask)
		scores = add(site, scores, mask);
	if (causal)
		scores = gt_where_at(site, T(causal_mask(site, scores)), T(scores), F(-INFINITY));
	return gt_softmax_at(site, scores, -1);
}

gt_tensor *gt_scaled_dot_product_attention_at(const gt_site *site, gt_tensor *q, gt_tensor *k,
		gt_tensor *v, gt_tensor *mask, double dropout, bool causal, double scale)
{
	const gt_arg in[] = { T(q), T(k), T(v), T(mask) };
	gt_client *gt = emit_client("scaled_dot_product_attention", in, mask ? 4 : 3);
	gt_tensor *scores;
	frame f;

	if (!gt || !check_attention(q, k, v))
		return NULL;
	if (mask && causal) {
		fail(GT_EINVAL, "scaled_dot_product_attention: a mask and causal, expected one of "
			"them");
		return NULL;
	}
	if (isnan(scale))
		scale = 1 / sqrt((double)q->v->m.dims[q->v->m.rank - 1]);
	f = frame_begin(gt);
	q = gt_mul_at(site, T(q), F(scale));
	scores = gt_matmul_at(site, q, gt_transpose_at(site, k, -1, -2));
	if (scores)
		scores = masked_softmax(site, scores, mask, causal);
	if (scores && dropout != 0)
		scores = gt_dropout_at(site, scores, dropout, true);
	return frame_end(f, gt_matmul_at(site, scores, v));
}
