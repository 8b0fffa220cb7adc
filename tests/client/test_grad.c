/* test_grad.c: every gradient against finite differences, in float64, once and twice.
 *
 * A row of the op table with a gradient but without a case here fails. A case is a function of up
 * to three tensors; its result is weighted with fixed numbers and summed, so that no two elements
 * can be exchanged unnoticed.
 */
#include "try.h"

#include "client/grad.h"

#undef GT_HERE
#define GT_HERE NULL

#define INPUTS_MAX 3
#define STEP 1e-6
#define TOLERANCE 1e-6

typedef struct grad_case {
	op op;
	const char *name;
	gt_tensor *(*f)(gt_client *gt, gt_tensor **x);
	int n;
	gt_shape shapes[INPUTS_MAX];
	double low, high;        /* elements of the inputs */
} grad_case;

/* ---- the functions --------------------------------------------------------------------------- */

#define FUNCTION(name, ...) \
	static gt_tensor *name(gt_client *gt, gt_tensor **x) { (void)gt; return __VA_ARGS__; }

static gt_tensor *ints(gt_client *gt, gt_shape s, const int64_t *list)
{
	return gt_from(gt, GT_INT64, s, list);
}
#define INTS(shape, ...) ints(gt, shape, (const int64_t[]){ __VA_ARGS__ })
#define PAIR GT_SHAPE(2)

FUNCTION(f_cast, gt_cast(gt_cast(x[0], GT_FLOAT32), GT_FLOAT64))
FUNCTION(f_neg, gt_neg(x[0]))
FUNCTION(f_abs, gt_abs(x[0]))
FUNCTION(f_sign, gt_add(gt_sign(x[0]), x[0]))
FUNCTION(f_square, gt_square(x[0]))
FUNCTION(f_reciprocal, gt_reciprocal(x[0]))
FUNCTION(f_sqrt, gt_sqrt(x[0]))
FUNCTION(f_rsqrt, gt_rsqrt(x[0]))
FUNCTION(f_exp, gt_exp(x[0]))
FUNCTION(f_expm1, gt_expm1(x[0]))
FUNCTION(f_log, gt_log(x[0]))
FUNCTION(f_log1p, gt_log1p(x[0]))
FUNCTION(f_sin, gt_sin(x[0]))
FUNCTION(f_cos, gt_cos(x[0]))
FUNCTION(f_tanh, gt_tanh(x[0]))
FUNCTION(f_sigmoid, gt_sigmoid(x[0]))
FUNCTION(f_relu, gt_relu(x[0]))
FUNCTION(f_gelu, gt_gelu(x[0]))
FUNCTION(f_silu, gt_silu(x[0]))
FUNCTION(f_erf, gt_erf(x[0]))
FUNCTION(f_softplus, gt_softplus(x[0]))
FUNCTION(f_floor, gt_add(gt_floor(x[0]), x[0]))
FUNCTION(f_ceil, gt_add(gt_ceil(x[0]), x[0]))
FUNCTION(f_round, gt_add(gt_round(x[0]), x[0]))
FUNCTION(f_clone, gt_clone(x[0]))

FUNCTION(f_add, gt_add(x[0], x[1]))
FUNCTION(f_add_number, gt_add(2, gt_add(x[0], 1.5)))
FUNCTION(f_sub, gt_sub(x[0], x[1]))
FUNCTION(f_sub_number, gt_sub(2, x[0]))
FUNCTION(f_mul, gt_mul(x[0], x[1]))
FUNCTION(f_mul_self, gt_mul(x[0], x[0]))
FUNCTION(f_mul_number, gt_mul(3, x[0]))
FUNCTION(f_div, gt_div(x[0], x[1]))
FUNCTION(f_div_number, gt_div(3, gt_div(x[0], 2)))
FUNCTION(f_mod, gt_mod(x[0], x[1]))
FUNCTION(f_pow, gt_pow(x[0], x[1]))
FUNCTION(f_pow_number, gt_pow(x[0], 3.5))
FUNCTION(f_number_pow, gt_pow(2.5, x[0]))
FUNCTION(f_pow_short, gt_add(gt_add(gt_pow(x[0], 2), gt_pow(x[0], 0.5)),
	gt_add(gt_pow(x[0], -1), gt_add(gt_pow(x[0], 1), gt_pow(x[0], 0)))))
FUNCTION(f_minimum, gt_minimum(x[0], x[1]))
FUNCTION(f_minimum_number, gt_minimum(x[0], 0.25))
FUNCTION(f_maximum, gt_maximum(x[0], x[1]))
FUNCTION(f_maximum_number, gt_maximum(-0.25, x[0]))
FUNCTION(f_where, gt_where(gt_gt(x[0], 0), gt_square(x[0]), x[1]))
FUNCTION(f_where_number, gt_where(gt_gt(x[0], 0), 1, x[0]))
FUNCTION(f_clamp, gt_clamp(x[0], x[1], x[2]))
FUNCTION(f_clamp_number, gt_clamp(x[0], -0.5, 0.5))
FUNCTION(f_clamp_below, gt_clamp(x[0], 0.5, INFINITY))
FUNCTION(f_clamp_bounds, gt_clamp(0.1, x[0], x[1]))

FUNCTION(f_sum, gt_sum(gt_square(x[0])))
FUNCTION(f_sum_axis, gt_sum(gt_square(x[0]), .axis = 1))
FUNCTION(f_sum_axes, gt_sum(gt_square(x[0]), .naxes = 2, .axes = { 0, -1 }, .keepdims = true))
FUNCTION(f_prod, gt_prod(x[0], .axis = 1))
FUNCTION(f_prod_all, gt_prod(x[0]))
FUNCTION(f_max, gt_max(x[0], .axis = 0))
FUNCTION(f_max_all, gt_square(gt_max(x[0], .keepdims = true)))
FUNCTION(f_min, gt_min(x[0], .naxes = 2, .axes = { 0, 1 }))
FUNCTION(f_mean, gt_mean(gt_square(x[0]), .axis = -1))
FUNCTION(f_var, gt_var(x[0], .axis = 1))
FUNCTION(f_var_all, gt_var(x[0], .correction = 0, .keepdims = true))
FUNCTION(f_std, gt_std(x[0], .axis = 0))
FUNCTION(f_logsumexp, gt_logsumexp(x[0], .axis = 1))
FUNCTION(f_logsumexp_all, gt_logsumexp(x[0], .keepdims = true))
FUNCTION(f_softmax, gt_softmax(x[0], 1))
FUNCTION(f_softmax_0, gt_softmax(x[0], 0))
FUNCTION(f_log_softmax, gt_log_softmax(x[0], -1))
FUNCTION(f_layer_norm, gt_layer_norm(x[0], 1))
FUNCTION(f_layer_norm_2, gt_layer_norm(x[0], 2, .weight = x[1], .bias = x[2], .eps = 0.1))
FUNCTION(f_matmul, gt_matmul(x[0], x[1]))

FUNCTION(f_reshape, gt_reshape(x[0], GT_SHAPE(3, -1)))
FUNCTION(f_permute, gt_permute(x[0], GT_SHAPE(2, 0, 1)))
FUNCTION(f_expand, gt_expand(x[0], GT_SHAPE(4, 2, 3)))
FUNCTION(f_slice, gt_index(x[0], GT_STEP(2, GT_NO_BOUND, -1), GT_FROM(1, 3)))
FUNCTION(f_flip, gt_flip(x[0], GT_SHAPE(1)))
FUNCTION(f_cat, gt_cat(x, 3, 1))
FUNCTION(f_stack, gt_stack(x, 2, 1))
FUNCTION(f_tril, gt_tril(x[0]))
FUNCTION(f_triu, gt_triu(x[0], .diagonal = -1))
FUNCTION(f_gather, gt_gather(x[0], INTS(GT_SHAPE(2, 2), 0, 2, 2, 2), 1))
FUNCTION(f_scatter_add, gt_scatter_add(x[0], INTS(GT_SHAPE(2, 2), 0, 2, 1, 1), x[1], 1))
FUNCTION(f_index_select, gt_index_select(x[0], INTS(GT_SHAPE(2, 2), 1, 0, 1, -1), 1))
FUNCTION(f_embedding, gt_embedding(x[0], INTS(GT_SHAPE(3), 1, 0, 1)))
FUNCTION(f_index_2, gt_index(x[0], GT_BY(INTS(PAIR, 1, -1)), GT_ALL, GT_BY(INTS(PAIR, 0, 2))))
FUNCTION(f_index_mask, gt_index(x[0], GT_BY(gt_gt(x[0], 0))))

/* All slices of a tensor, whose gradients become one; with one of them twice, one left out, in
 * another order, overlapping, none that is alone. */
static gt_tensor *f_split(gt_client *gt, gt_tensor **x)
{
	gt_tensor *y = gt_square(x[0]), *part[3];

	(void)gt;
	gt_split(y, 2, 1, part);
	return gt_add(gt_mul(part[0], gt_sin(part[1])), gt_mul(part[2], x[1]));
}

static gt_tensor *f_split_more(gt_client *gt, gt_tensor **x)
{
	gt_tensor *part[3], *whole;

	(void)gt;
	gt_split(x[0], 1, 0, part);
	whole = gt_mul(gt_square(part[1]), gt_add(part[2], part[0]));
	return gt_add(gt_mul(whole, part[1]), gt_sum(gt_square(x[0]), .axis = 0));
}

static gt_tensor *f_split_some(gt_client *gt, gt_tensor **x)
{
	gt_tensor *part[3];

	(void)gt;
	gt_split(x[0], 2, 1, part);
	return gt_mul(gt_exp(part[2]), part[1]);
}

static gt_tensor *f_slices_overlap(gt_client *gt, gt_tensor **x)
{
	gt_tensor *a = gt_index(x[0], GT_FROM(0, 2)), *b = gt_index(x[0], GT_FROM(1, 3));

	(void)gt;
	return gt_mul(a, gt_square(b));
}

static gt_tensor *f_slices_turned(gt_client *gt, gt_tensor **x)
{
	gt_tensor *b = gt_index(x[0], GT_FROM(2, 4)), *a = gt_index(x[0], GT_FROM(0, 2));

	(void)gt;
	return gt_mul(a, gt_square(b));
}

/* In place, on what was computed. */
static gt_tensor *f_slice_set(gt_client *gt, gt_tensor **x)
{
	gt_tensor *y = gt_square(x[0]);

	(void)gt;
	gt_index_set(y, gt_square(x[1]), GT_ALL, GT_FROM(0, 2));
	return y;
}

static gt_tensor *f_slice_set_number(gt_client *gt, gt_tensor **x)
{
	gt_tensor *y = gt_square(x[0]);

	(void)gt;
	gt_index_set(y, 7, GT_AT(1));
	return y;
}

static gt_tensor *f_view_write(gt_client *gt, gt_tensor **x)
{
	gt_tensor *y = gt_square(x[0]), *row = gt_index(gt_transpose(y, 0, 1), GT_AT(1));

	(void)gt;
	gt_update(row, "mul", x[1]);
	return gt_mul(y, gt_sum(row));
}

static gt_tensor *f_index_set(gt_client *gt, gt_tensor **x)
{
	gt_tensor *y = gt_square(x[0]);

	gt_index_set(y, gt_square(x[1]), GT_BY(INTS(PAIR, 1, 0)));
	return y;
}

static gt_tensor *f_mask_set(gt_client *gt, gt_tensor **x)
{
	gt_tensor *y = gt_square(x[0]);

	(void)gt;
	gt_index_set(y, gt_sum(x[1]), GT_BY(gt_gt(x[0], 0)));
	return y;
}

/* index_add has no function of its own: it is what index_select's gradient is made of. */
static gt_tensor *f_index_add(gt_client *gt, gt_tensor **x)
{
	gt_tensor *index = INTS(PAIR, 1, 1);

	return move_rows(NULL, OP_index_add, x[0], index, x[1], 0);
}

FUNCTION(f_mse, gt_mse_loss(x[0], x[1]))
FUNCTION(f_bce, gt_binary_cross_entropy(x[0], x[1]))
FUNCTION(f_bce_logits, gt_binary_cross_entropy_with_logits(x[0], x[1], .reduction = GT_SUM))
FUNCTION(f_cross_entropy, gt_cross_entropy(x[0], INTS(PAIR, 2, 0)))
FUNCTION(f_cross_entropy_none, gt_cross_entropy(x[0], INTS(PAIR, 2, 0), GT_NONE))
FUNCTION(f_soft_cross_entropy, gt_cross_entropy(x[0], x[1]))
FUNCTION(f_attention, gt_scaled_dot_product_attention(x[0], x[1], x[2]))
FUNCTION(f_attention_causal,
	gt_scaled_dot_product_attention(x[0], x[1], x[2], .causal = true))

/* ---- the cases ------------------------------------------------------------------------------- */

#define S(...) { (int)(sizeof((int64_t[]){ 0, ##__VA_ARGS__ }) / 8) - 1, { __VA_ARGS__ } }
#define CASE(o, f, n, low, high, ...) \
	{ OP_##o, #f, f, n, { __VA_ARGS__ }, low, high }
#define M23 S(2, 3)

static const grad_case cases[] = {
	CASE(neg, f_neg, 1, -2, 2, M23), CASE(abs, f_abs, 1, -2, 2, M23),
	CASE(sign, f_sign, 1, -2, 2, M23), CASE(square, f_square, 1, -2, 2, M23),
	CASE(reciprocal, f_reciprocal, 1, 0.5, 2, M23), CASE(sqrt, f_sqrt, 1, 0.5, 2, M23),
	CASE(rsqrt, f_rsqrt, 1, 0.5, 2, M23), CASE(exp, f_exp, 1, -2, 2, M23),
	CASE(expm1, f_expm1, 1, -2, 2, M23), CASE(log, f_log, 1, 0.5, 2, M23),
	CASE(log1p, f_log1p, 1, -0.5, 2, M23), CASE(sin, f_sin, 1, -2, 2, M23),
	CASE(cos, f_cos, 1, -2, 2, M23), CASE(tanh, f_tanh, 1, -2, 2, M23),
	CASE(sigmoid, f_sigmoid, 1, -2, 2, M23), CASE(relu, f_relu, 1, -2, 2, M23),
	CASE(gelu, f_gelu, 1, -2, 2, M23), CASE(silu, f_silu, 1, -2, 2, M23),
	CASE(erf, f_erf, 1, -2, 2, M23), CASE(softplus, f_softplus, 1, -2, 2, M23),
	CASE(floor, f_floor, 1, 0.1, 0.9, M23), CASE(ceil, f_ceil, 1, 0.1, 0.9, M23),
	CASE(round, f_round, 1, 0.1, 0.4, M23), CASE(clone, f_clone, 1, -2, 2, M23),

	CASE(add, f_add, 2, -2, 2, M23, M23), CASE(add, f_add, 2, -2, 2, M23, S(3)),
	CASE(add, f_add, 2, -2, 2, S(2, 1), S(4, 1, 3)), CASE(add, f_add, 2, -2, 2, S(), M23),
	CASE(add, f_add_number, 1, -2, 2, M23), CASE(add, f_add, 2, -2, 2, S(0, 3), S(3)),
	CASE(sub, f_sub, 2, -2, 2, M23, S(3)), CASE(sub, f_sub, 2, -2, 2, S(1, 3), S(2, 1)),
	CASE(sub, f_sub_number, 1, -2, 2, M23),
	CASE(mul, f_mul, 2, -2, 2, M23, M23), CASE(mul, f_mul, 2, -2, 2, S(3), M23),
	CASE(mul, f_mul, 2, -2, 2, M23, S()), CASE(mul, f_mul_self, 1, -2, 2, M23),
	CASE(mul, f_mul_number, 1, -2, 2, M23),
	CASE(div, f_div, 2, 0.5, 2, M23, M23), CASE(div, f_div, 2, 0.5, 2, S(2, 1), S(3)),
	CASE(div, f_div_number, 1, 0.5, 2, M23),
	CASE(mod, f_mod, 2, 0.6, 1, M23, S(3)),
	CASE(pow, f_pow, 2, 0.5, 2, M23, M23), CASE(pow, f_pow, 2, 0.5, 2, S(3), S(2, 1)),
	CASE(pow, f_pow_number, 1, 0.5, 2, M23), CASE(pow, f_number_pow, 1, -2, 2, M23),
	CASE(pow, f_pow_short, 1, 0.5, 2, M23),
	CASE(minimum, f_minimum, 2, -2, 2, M23, S(3)),
	CASE(minimum, f_minimum_number, 1, -2, 2, M23),
	CASE(maximum, f_maximum, 2, -2, 2, S(2, 1), M23),
	CASE(maximum, f_maximum_number, 1, -2, 2, M23),
	CASE(where, f_where, 2, -2, 2, M23, S(3)), CASE(where, f_where_number, 1, -2, 2, M23),
	CASE(clamp, f_clamp, 3, -2, 2, M23, S(3), S(2, 1)),
	CASE(clamp, f_clamp_number, 1, -2, 2, M23), CASE(clamp, f_clamp_bounds, 2, -2, 2, M23,
	S(3)),

	CASE(sum, f_sum, 1, -2, 2, M23), CASE(sum, f_sum_axis, 1, -2, 2, S(2, 3, 2)),
	CASE(sum, f_sum_axes, 1, -2, 2, S(2, 3, 2)), CASE(sum, f_sum, 1, -2, 2, S()),
	CASE(prod, f_prod, 1, 0.5, 2, M23), CASE(prod, f_prod_all, 1, -2, 2, M23),
	CASE(max, f_max, 1, -2, 2, M23), CASE(max, f_max_all, 1, -2, 2, M23),
	CASE(min, f_min, 1, -2, 2, S(2, 3, 2)),
	CASE(mean, f_mean, 1, -2, 2, M23), CASE(mean, f_mean, 1, -2, 2, S(2, 1, 3)),
	CASE(var, f_var, 1, -2, 2, S(2, 4)), CASE(var, f_var_all, 1, -2, 2, M23),
	CASE(var, f_std, 1, -2, 2, S(4, 2)),
	CASE(logsumexp, f_logsumexp, 1, -2, 2, M23),
	CASE(logsumexp, f_logsumexp_all, 1, -2, 2, M23),
	CASE(softmax, f_softmax, 1, -2, 2, M23), CASE(softmax, f_softmax_0, 1, -2, 2, S(3, 2, 2)),
	CASE(log_softmax, f_log_softmax, 1, -2, 2, M23),
	CASE(layer_norm, f_layer_norm, 1, -2, 2, S(3, 4)),
	CASE(layer_norm, f_layer_norm_2, 3, -2, 2, S(2, 2, 3), M23, M23),
	CASE(matmul, f_matmul, 2, -2, 2, M23, S(3, 4)), CASE(matmul, f_matmul, 2, -2, 2, S(3),
	S(3)),
	CASE(matmul, f_matmul, 2, -2, 2, M23, S(3)), CASE(matmul, f_matmul, 2, -2, 2, S(2), M23),
	CASE(matmul, f_matmul, 2, -2, 2, S(2, 2, 3), S(3, 2)),
	CASE(matmul, f_matmul, 2, -2, 2, S(2, 3), S(2, 3, 2)),
	CASE(matmul, f_matmul, 2, -2, 2, S(2, 1, 2, 3), S(2, 3, 2)),
	CASE(matmul, f_matmul, 2, -2, 2, S(2, 0), S(0, 3)),
	CASE(matmul, f_matmul, 2, -2, 2, S(0, 2, 3), S(3, 2)),

	CASE(reshape, f_reshape, 1, -2, 2, M23), CASE(permute, f_permute, 1, -2, 2, S(2, 3, 2)),
	CASE(expand, f_expand, 1, -2, 2, S(2, 1)), CASE(expand, f_expand, 1, -2, 2, S(1, 2, 3)),
	CASE(slice, f_slice, 1, -2, 2, S(4, 3)), CASE(slice, f_flip, 1, -2, 2, M23),
	CASE(slice, f_split, 2, -2, 2, S(3, 6), S(3, 2)),
	CASE(slice, f_split_more, 1, -2, 2, S(3, 2)),
	CASE(slice, f_split_some, 1, -2, 2, S(2, 6)),
	CASE(slice, f_slices_overlap, 1, -2, 2, S(3, 2)),
	CASE(slice, f_slices_turned, 1, -2, 2, S(4)),
	CASE(slice_set, f_slice_set, 2, -2, 2, M23, S(2)),
	CASE(slice_set, f_slice_set_number, 1, -2, 2, M23),
	CASE(slice_set, f_view_write, 2, -2, 2, M23, S()),
	CASE(cat, f_cat, 3, -2, 2, M23, S(2, 1), S(2, 2)), CASE(cat, f_stack, 2, -2, 2, M23, M23),
	CASE(tril, f_tril, 1, -2, 2, S(2, 3, 3)), CASE(triu, f_triu, 1, -2, 2, S(3, 3)),
	CASE(gather, f_gather, 1, -2, 2, M23),
	CASE(scatter_add, f_scatter_add, 2, -2, 2, M23, S(2, 2)),
	CASE(scatter_add, f_scatter_add, 2, -2, 2, M23, M23),
	CASE(index_select, f_index_select, 1, -2, 2, M23),
	CASE(index_select, f_embedding, 1, -2, 2, M23),
	CASE(index_select, f_index_2, 1, -2, 2, S(2, 2, 3)),
	CASE(index_select, f_index_mask, 1, -2, 2, M23),
	CASE(index_add, f_index_add, 2, -2, 2, M23, M23),
	CASE(index_set, f_index_set, 2, -2, 2, S(3, 2), S(2)),
	CASE(where, f_mask_set, 2, -2, 2, M23, S(2)),

	CASE(square, f_mse, 2, -2, 2, M23, M23), CASE(log, f_bce, 2, 0.1, 0.9, M23, M23),
	CASE(softplus, f_bce_logits, 2, 0.1, 0.9, M23, M23),
	CASE(gather, f_cross_entropy, 1, -2, 2, M23),
	CASE(gather, f_cross_entropy_none, 1, -2, 2, M23),
	CASE(log_softmax, f_soft_cross_entropy, 2, -2, 2, M23, M23),
	CASE(matmul, f_attention, 3, -2, 2, S(2, 2, 3), S(2, 4, 3), S(4, 2)),
	CASE(softmax, f_attention_causal, 3, -2, 2, M23, M23, M23),
};

/* ---- the check ------------------------------------------------------------------------------- */

typedef struct trial {
	gt_client *gt;
	const grad_case *c;
	bool twice;              /* check the gradient of the gradient */
	double data[INPUTS_MAX][64];
} trial;

/* Distinct, not too near to each other: no ties, no kinks within a step. */
static double number(const grad_case *c, int input, int k)
{
	const double u = fmod(0.137 + 0.6180339887498949 * (13 * input + k + 1), 1);

	return c->low + (c->high - c->low) * u;
}

static int64_t count(gt_shape s)
{
	int64_t n = 1;

	for (int k = 0; k < s.rank; k++)
		n *= s.dims[k];
	return n;
}

/* Different weights for different elements. */
static gt_tensor *weigh(gt_client *gt, gt_tensor *y, double phase)
{
	gt_tensor *w = gt_reshape(gt_sin(gt_add(gt_arange(gt, 0, gt_count(y), 1,
		.dtype = GT_FLOAT64), phase)), gt_shape_of(y));

	return gt_sum(gt_mul(gt_mul(y, w), 1.7));
}

/* The number whose gradient is checked; inputs into x[], requiring one. */
static gt_tensor *value_at(const trial *t, gt_tensor **x)
{
	gt_tensor *y, *d[INPUTS_MAX], *sum = NULL;

	for (int k = 0; k < t->c->n; k++)
		x[k] = gt_requires_grad(gt_from(t->gt, GT_FLOAT64, t->c->shapes[k], t->data[k]));
	y = weigh(t->gt, t->c->f(t->gt, x), 1);
	if (!t->twice)
		return y;
	if (gt_gradients(&y, 1, x, t->c->n, d, .create_graph = true, .allow_unused = true))
		return NULL;
	for (int k = 0; k < t->c->n; k++) {
		gt_tensor *part = d[k] ? weigh(t->gt, d[k], 2 + k) : NULL;

		sum = sum && part ? gt_add(sum, part) : part ? part : sum;
	}
	return sum;
}

static double number_at(const trial *t)
{
	gt_scope *s = gt_scope_begin(t->gt);
	gt_tensor *x[INPUTS_MAX];
	const double v = gt_item(value_at(t, x));

	if (gt_last_error_code())
		fail_msg("%s: %s", t->c->name, gt_last_error());
	gt_scope_end(s);
	return v;
}

static double difference(trial *t, int input, int k)
{
	const double at = t->data[input][k];
	double high, low;

	t->data[input][k] = at + STEP;
	high = number_at(t);
	t->data[input][k] = at - STEP;
	low = number_at(t);
	t->data[input][k] = at;
	return (high - low) / (2 * STEP);
}

static void compare(trial *t, int input, gt_tensor *d)
{
	const int64_t n = count(t->c->shapes[input]);
	double got[64] = { 0 };

	if (d)
		assert_int_equal(try_read(d, got), n);
	for (int k = 0; k < n; k++) {
		const double want = difference(t, input, k);

		if (!(fabs(got[k] - want) <= TOLERANCE * (1 + fabs(want))))
			fail_msg("%s%s: input %d, element %d: gradient %.10g, differences %.10g",
				t->c->name, t->twice ? " twice" : "", input, k, got[k], want);
	}
}

static void check_case(trial *t)
{
	gt_scope *s = gt_scope_begin(t->gt);
	gt_tensor *x[INPUTS_MAX], *d[INPUTS_MAX], *y = value_at(t, x);

	if (!y && gt_last_error_code())
		fail_msg("%s: %s", t->c->name, gt_last_error());
	/* A gradient that depends on nothing has no gradient: finite differences find 0, too. */
	if (y && gt_needs_grad(y)) {
		if (gt_gradients(&y, 1, x, t->c->n, d, .allow_unused = true))
			fail_msg("%s: %s", t->c->name, gt_last_error());
		for (int k = 0; k < t->c->n; k++)
			compare(t, k, d[k]);
	}
	gt_scope_end(s);
}

static void run_all(gt_client *gt, bool twice)
{
	static trial t;

	gt_clear_error();
	for (size_t k = 0; k < COUNT(cases); k++) {
		t = (trial){ .gt = gt, .c = &cases[k], .twice = twice };
		for (int n = 0; n < t.c->n; n++)
			for (int e = 0; e < count(t.c->shapes[n]); e++)
				t.data[n][e] = number(t.c, n, e);
		check_case(&t);
	}
}

static void test_once(void **state) { run_all(*state, false); }
static void test_twice(void **state) { run_all(*state, true); }

/* float32 does not stand finite differences: the cast's gradient is known. */
static void test_cast(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_requires_grad(gt_full(gt, GT_SHAPE(2), 1.5, .dtype = GT_FLOAT64));
	gt_tensor *y = f_cast(gt, &x);

	WORKS(gt_backward(gt_sum(gt_mul(y, 3))));
	assert_int_equal(gt_dtype_of(gt_grad(x)), GT_FLOAT64);
	SAME(gt_grad(x), 3, 3);
}

static void test_every_row_has_a_case(void **state)
{
	(void)state;
	for (unsigned code = 1; code < OP_CODES; code++) {
		bool found = code == OP_cast;

		if (!grad_rows[code] || !grad_rows[code]->run)
			continue;
		for (size_t k = 0; k < COUNT(cases) && !found; k++)
			found = cases[k].op == code;
		if (!found)
			fail_msg("%s has a gradient but no case", op_rows[code].name);
	}
}

/* Where the derivative is a matter of choice: PyTorch's. */
static gt_tensor *gradient_at(gt_client *gt, double at, gt_tensor *(*f)(gt_client *, gt_tensor **))
{
	gt_tensor *x = gt_requires_grad(gt_full(gt, GT_SHAPE(), at)), *d, *y = f(gt, &x);

	WORKS(gt_gradients(&y, 1, &x, 1, &d));
	return d;
}

FUNCTION(f_pow_0, gt_pow(x[0], 0.0))

static void test_kinks(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_requires_grad(gt_full(gt, GT_SHAPE(3), 2.0));
	gt_tensor *z = gt_requires_grad(gt_zeros(gt, GT_SHAPE(3)));

	SAME(gradient_at(gt, 0, f_relu), 0);
	SAME(gradient_at(gt, 0, f_abs), 0);
	SAME(gradient_at(gt, 0.25, f_minimum_number), 0.5);
	SAME(gradient_at(gt, -0.25, f_maximum_number), 0.5);
	SAME(gradient_at(gt, 0.5, f_clamp_number), 1);
	SAME(gradient_at(gt, 0.5, f_clamp_below), 1);
	SAME(gradient_at(gt, NAN, f_clamp_below), 0);
	SAME(gradient_at(gt, 0, f_pow_0), 0);
	WORKS(gt_backward(gt_max(x)));
	NEAR(gt_grad(x), 1.0 / 3, 1.0 / 3, 1.0 / 3);
	WORKS(gt_backward(gt_prod(z)));
	SAME(gt_grad(z), 0, 0, 0);
}

static void test_prod_zero(void **state)
{
	gt_client *gt = *state;
	const float data[] = { 2, 0, 3, 4, 5, 6 };
	gt_tensor *x = gt_requires_grad(gt_from(gt, GT_FLOAT32, GT_SHAPE(2, 3), data));

	WORKS(gt_backward(gt_sum(gt_prod(x, .axis = 1))));
	SAME(gt_grad(x), 0, 6, 0, 30, 24, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRY(test_once), TRY(test_twice), TRY(test_cast), TRY(test_kinks),
		TRY(test_prod_zero), cmocka_unit_test(test_every_row_has_a_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
