/* test_nn.c: losses, normalisation, dropout and attention against numbers worked out by hand (or
 * by the formulas of PyTorch's documentation, in double).
 */
#include "try.h"

static const float logits[] = { 1, 2, 3, 0, -1, 4 };

static gt_tensor *floats(gt_client *gt, gt_shape s, const float *data)
{
	return gt_from(gt, GT_FLOAT32, s, data);
}

static double log_prob(const float *row, int n, int k)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum += exp(row[i]);
	return row[k] - log(sum);
}

static void test_cross_entropy(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = floats(gt, GT_SHAPE(2, 3), logits);
	gt_tensor *t = gt_from(gt, GT_INT64, GT_SHAPE(2), (const int64_t[]){ 2, 1 });
	const double a = -log_prob(logits, 3, 2), b = -log_prob(logits + 3, 3, 1);

	NEAR(gt_cross_entropy(x, t), (a + b) / 2);
	NEAR(gt_cross_entropy(x, t, .reduction = GT_SUM), a + b);
	NEAR(gt_cross_entropy(x, t, GT_NONE), a, b);
	NEAR(gt_nll_loss(gt_log_softmax(x, 1), t, GT_NONE), a, b);
	NEAR(gt_cross_entropy(x, gt_cast(t, GT_INT32), GT_NONE), a, b);
	NEAR(gt_cross_entropy(gt_index(x, GT_AT(0)), gt_full(gt, GT_SHAPE(), 2)), a);
	NEAR(gt_cross_entropy(x, floats(gt, GT_SHAPE(2, 3), (const float[]){ 0, 0, 1, 0, 1, 0 })),
		(a + b) / 2);
	/* Classes are dim 1, whatever follows. */
	SHAPED(gt_cross_entropy(gt_zeros(gt, GT_SHAPE(2, 3, 4)), gt_zeros(gt, GT_SHAPE(2, 4),
		.dtype = GT_INT64), GT_NONE), 2, 4);
	FAILS(gt_cross_entropy(x, gt_zeros(gt, GT_SHAPE(3), .dtype = GT_INT64)), GT_ESHAPE,
		"cross_entropy: input float32 (2, 3) and target int64 (3,)");
	FAILS(gt_cross_entropy(x, gt_zeros(gt, GT_SHAPE(2))), GT_ESHAPE, "expected equal shapes");
	FAILS(gt_cross_entropy(x, t, (gt_reduction)9), GT_EINVAL, "unknown reduction 9");
	FAILS(gt_cross_entropy(x, gt_ne(t, 1)), GT_EDTYPE, "classes are bool");
	assert_true(isnan(gt_item(gt_cross_entropy(x, gt_full(gt, GT_SHAPE(2), 3)))));
	REFUSES(gt_last_error_code(), GT_EINDEX, "index 3");
}

/* What is ignored has no loss and no gradient, and does not count in the mean. */
static void test_ignored_classes(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_requires_grad(floats(gt, GT_SHAPE(2, 3), logits));
	gt_tensor *t = gt_from(gt, GT_INT64, GT_SHAPE(2), (const int64_t[]){ -100, 1 });
	gt_tensor *t32 = gt_cast(gt_maximum(t, -1), GT_INT32);
	const double b = -log_prob(logits + 3, 3, 1);

	NEAR(gt_cross_entropy(x, t), b);
	NEAR(gt_cross_entropy(x, t, .reduction = GT_SUM), b);
	NEAR(gt_cross_entropy(x, t, GT_NONE), 0, b);
	NEAR(gt_nll_loss(gt_log_softmax(x, 1), t32, GT_NONE, .ignore_index = -1), 0, b);
	WORKS(gt_backward(gt_cross_entropy(x, t)));
	NEAR(gt_grad(x), 0, 0, 0, exp(log_prob(logits + 3, 3, 0)),
		exp(log_prob(logits + 3, 3, 1)) - 1, exp(log_prob(logits + 3, 3, 2)));
	assert_true(isnan(gt_item(gt_cross_entropy(x, gt_full_like(t, -100)))));
	REFUSES(gt_last_error_code(), GT_OK, "");
}

static void test_losses(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = floats(gt, GT_SHAPE(3), (const float[]){ 0, 0.25f, 1 });
	gt_tensor *y = floats(gt, GT_SHAPE(3), (const float[]){ 1, 0.5f, 1 });
	const double half = -(0.5 * log(0.25) + 0.5 * log(0.75));

	SAME(gt_mse_loss(x, y, GT_NONE), 1, 0.0625, 0);
	NEAR(gt_mse_loss(x, y), 1.0625 / 3);
	NEAR(gt_binary_cross_entropy(x, y, GT_NONE), 100, half, 0);
	NEAR(gt_binary_cross_entropy_with_logits(gt_mul(x, 100), y, GT_NONE),
		log(2), log1p(exp(-25)) + 0.5 * 25, log1p(exp(-100)));
	NEAR(gt_binary_cross_entropy_with_logits(floats(gt, GT_SHAPE(1), (const float[]){ -200 }),
		gt_ones(gt, GT_SHAPE(1))), 200);
	FAILS(gt_mse_loss(x, gt_ones(gt, GT_SHAPE(1))), GT_ESHAPE,
		"mse_loss: input float32 (3,) and target float32 (1,), expected equal shapes");
}

/* The gradient of the bounded logarithm is finite where x is 0 or 1. */
static void test_bce_gradient(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_requires_grad(floats(gt, GT_SHAPE(3), (const float[]){ 0, 0.25f, 1 }));
	gt_tensor *y = floats(gt, GT_SHAPE(3), (const float[]){ 0, 1, 1 });

	WORKS(gt_backward(gt_binary_cross_entropy(x, y, GT_SUM)));
	NEAR(gt_grad(x), 1, -4, -1);
}

static void test_layer_norm(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = floats(gt, GT_SHAPE(2, 3), logits), *w, *b;
	const double s = sqrt(2.0 / 3 + 1e-5);

	w = floats(gt, GT_SHAPE(3), (const float[]){ 1, 2, 3 });
	b = floats(gt, GT_SHAPE(3), (const float[]){ 10, 20, 30 });
	NEAR(gt_index(gt_layer_norm(x, 1), GT_AT(0)), -1 / s, 0, 1 / s);
	NEAR(gt_index(gt_layer_norm(x, 1, .weight = w, .bias = b), GT_AT(0)), 10 - 1 / s, 20,
		30 + 3 / s);
	NEAR(gt_index(gt_layer_norm(x, 1, .bias = b, .eps = 0.0), GT_AT(0)),
		10 - 1 / sqrt(2.0 / 3), 20, 30 + 1 / sqrt(2.0 / 3));
	NEAR(gt_mean(gt_layer_norm(x, 2)), 0);
	FAILS(gt_layer_norm(x, 3), GT_EINVAL, "over 3 dims of a tensor of rank 2");
	FAILS(gt_layer_norm(x, 2, .weight = w), GT_ESHAPE,
		"weight float32 (3,) does not have the shape of the last 2 dims of float32 (2, 3)");
}

static void test_dropout(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(1000)), *y = gt_dropout(x, 0.25, true);
	const double kept = gt_item(gt_sum(gt_gt(y, 0)));

	assert_true(kept > 680 && kept < 820);
	NEAR(gt_max(y), 1 / 0.75);
	SAME(gt_min(y), 0);
	assert_ptr_equal(gt_dropout(x, 0.25, false), x);
	assert_ptr_equal(gt_dropout(x, 0, true), x);
	SAME(gt_max(gt_dropout(gt_mul(x, INFINITY), 1, true)), 0);
	FAILS(gt_dropout(x, 1.5, true), GT_EINVAL, "dropout: probability 1.5, expected 0 to 1");
	FAILS(gt_dropout(x, NAN, true), GT_EINVAL, "dropout");
}

/* One query, two keys, in double. */
static void test_attention(void **state)
{
	gt_client *gt = *state;
	gt_tensor *q = floats(gt, GT_SHAPE(1, 4), (const float[]){ 1, 2, 0, -1 });
	gt_tensor *k = floats(gt, GT_SHAPE(2, 4), (const float[]){ 1, 0, 1, 0, 0, 1, 0, 1 });
	gt_tensor *v = floats(gt, GT_SHAPE(2, 1), (const float[]){ 10, 20 }), *mask;
	const double e0 = exp(0.5), e1 = exp(0.5), all = e0 + e1;

	NEAR(gt_scaled_dot_product_attention(q, k, v), (10 * e0 + 20 * e1) / all);
	mask = gt_from(gt, GT_BOOL, GT_SHAPE(2), (const uint8_t[]){ 0, 1 });
	NEAR(gt_scaled_dot_product_attention(q, k, v, .mask = mask), 20);
	mask = gt_from(gt, GT_BOOL, GT_SHAPE(2), (const uint8_t[]){ 0, 0 });
	q = gt_requires_grad(q);
	SAME(gt_scaled_dot_product_attention(q, k, v, .mask = mask), 0);
	WORKS(gt_backward(gt_sum(gt_scaled_dot_product_attention(q, k, v, .mask = mask))));
	SAME(gt_grad(q), 0, 0, 0, 0);
	mask = floats(gt, GT_SHAPE(2), (const float[]){ (float)log(3), 0 });
	NEAR(gt_scaled_dot_product_attention(q, k, v, .mask = mask),
		(30 * e0 + 20 * e1) / (3 * e0 + e1));
	NEAR(gt_scaled_dot_product_attention(q, k, v, .causal = true), 10);
	NEAR(gt_scaled_dot_product_attention(gt_mul(q, 2), gt_mul(k, floats(gt, GT_SHAPE(2, 1),
		(const float[]){ 1, 3 })), v, .scale = 0.25),
		(10 * exp(0.5) + 20 * exp(1.5)) / (exp(0.5) + exp(1.5)));
	SHAPED(gt_scaled_dot_product_attention(gt_zeros(gt, GT_SHAPE(2, 3, 5, 4)), k, v), 2, 3, 5,
		1);
	FAILS(gt_scaled_dot_product_attention(q, v, v), GT_ESHAPE,
		"got float32 (1, 4), float32 (2, 1) and float32 (2, 1)");
	FAILS(gt_scaled_dot_product_attention(q, k, v, .mask = mask, .causal = true), GT_EINVAL,
		"a mask and causal");
	FAILS(gt_scaled_dot_product_attention(q, k, v, .dropout = 2), GT_EINVAL, "dropout");
}

static void test_embedding(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = try_count(gt, GT_SHAPE(3, 2)), *i = gt_arange(gt, 2, -1, -2);

	SAME(gt_embedding(w, i), 4, 5, 0, 1);
	SAME(gt_one_hot(i, 3), 0, 0, 1, 1, 0, 0);
	assert_int_equal(gt_dtype_of(gt_one_hot(i, 3)), GT_INT64);
	SHAPED(gt_embedding(w, gt_zeros(gt, GT_SHAPE(4, 5), .dtype = GT_INT32)), 4, 5, 2);
	FAILS(gt_embedding(w, w), GT_EDTYPE, "the index is float32");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRY(test_cross_entropy), TRY(test_ignored_classes), TRY(test_losses), TRY(test_bce_gradient),
		TRY(test_layer_norm), TRY(test_dropout), TRY(test_attention), TRY(test_embedding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
