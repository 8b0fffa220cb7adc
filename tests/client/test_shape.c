/* test_shape.c: shapes and elements of views, joins, creation, products: what the client decides
 * itself; and that errors say op, shapes and what was expected, and keep the first text through
 * NULLs.
 */
#include "try.h"

static void test_views(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 3, 4)), *one = gt_ones(gt, GT_SHAPE(1, 2, 1));

	SHAPED(gt_reshape(x, GT_SHAPE(4, -1)), 4, 6);
	SHAPED(gt_reshape(x, GT_SHAPE(-1)), 24);
	SHAPED(gt_reshape(gt_zeros(gt, GT_SHAPE(0, 3)), GT_SHAPE(-1, 3)), 0, 3);
	SHAPED(gt_reshape(gt_index(x, GT_AT(0), GT_AT(0), GT_AT(0)), GT_SHAPE(-1, 1)), 1, 1);
	SHAPED(gt_permute(x, GT_SHAPE(-1, 0, 1)), 4, 2, 3);
	SHAPED(gt_transpose(x, -1, 0), 4, 3, 2);
	SHAPED(gt_transpose(gt_ones(gt, GT_SHAPE()), 0, -1), );
	SHAPED(gt_squeeze(one, GT_ALL_AXES), 2);
	SHAPED(gt_squeeze(one, 0), 2, 1);
	SHAPED(gt_squeeze(one, 1), 1, 2, 1);
	SHAPED(gt_unsqueeze(x, -1), 2, 3, 4, 1);
	SHAPED(gt_unsqueeze(x, 0), 1, 2, 3, 4);
	SHAPED(gt_expand(one, GT_SHAPE(5, 3, -1, 4)), 5, 3, 2, 4);
	SHAPED(gt_flatten(x), 24);
	SHAPED(gt_flatten(x, .first = 1), 2, 12);
	SHAPED(gt_flatten(x, .last = -2), 6, 4);
	SHAPED(gt_flatten(gt_ones(gt, GT_SHAPE())), 1);
	SAME(gt_index(gt_flip(x, GT_SHAPE(0, -1)), GT_AT(0), GT_AT(0)), 15, 14, 13, 12);
	FAILS(gt_reshape(x, GT_SHAPE(5, -1)), GT_ESHAPE, "no size of dim 1 makes 24 elements");
	FAILS(gt_reshape(x, GT_SHAPE(-1, -1)), GT_EINVAL, "dims 0 and 1 are both -1");
	FAILS(gt_reshape(x, GT_SHAPE(5, 5)), GT_ESHAPE, "24 elements do not fill shape (5, 5)");
	FAILS(gt_reshape(gt_zeros(gt, GT_SHAPE(0, 3)), GT_SHAPE(-1, 0)), GT_ESHAPE, "reshape");
	FAILS(gt_permute(x, GT_SHAPE(0, 1)), GT_EINVAL, "each of the 3 dims once");
	FAILS(gt_permute(x, GT_SHAPE(0, 1, 1)), GT_EINVAL, "each of the 3 dims once");
	FAILS(gt_permute(x, GT_SHAPE(0, 1, INT64_C(1) << 33)), GT_EINVAL, "axis 8589934592");
	FAILS(gt_flip(x, GT_SHAPE(INT64_C(1) << 32)), GT_EINVAL, "axis 4294967296");
	FAILS(gt_flip(x, ((gt_shape){ .rank = 9 })), GT_EINVAL, "9 axes");
	FAILS(gt_flip(x, ((gt_shape){ .rank = -1 })), GT_EINVAL, "-1 axes");
	FAILS(gt_transpose(x, 0, 3), GT_EINVAL, "axis 3 is out of range for rank 3, expected -3 to "
		"2");
	FAILS(gt_expand(x, GT_SHAPE(2, 3, 5)), GT_ESHAPE, "expand");
	FAILS(gt_expand(x, GT_SHAPE(3, 4)), GT_ESHAPE, "expand");
	FAILS(gt_flatten(x, .first = 2, .last = 1), GT_EINVAL, "dim 2 does not come before dim 1");
}

static void test_split(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(5, 2)), *out[5];

	assert_int_equal(gt_split(x, 2, 0, out), 3);
	SHAPED(out[0], 2, 2);
	SHAPED(out[2], 1, 2);
	assert_int_equal(gt_split(x, 10, -1, out), 1);
	SHAPED(out[0], 5, 2);
	assert_int_equal(gt_split(gt_zeros(gt, GT_SHAPE(0, 2)), 3, 0, out), 1);
	SHAPED(out[0], 0, 2);
	REFUSES(gt_split(x, 0, 0, out), GT_EINVAL, "in pieces of 0");
	REFUSES(gt_split(gt_ones(gt, GT_SHAPE()), 1, 0, out), GT_ESHAPE, "rank 0");
}

static void test_joins(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 2)), *y = gt_ones(gt, GT_SHAPE(2, 1));
	gt_tensor *list[200], *all;

	SAME(gt_cat(((gt_tensor *[]){ x, y, x }), 3, -1), 0, 1, 1, 0, 1, 2, 3, 1, 2, 3);
	SAME(gt_cat(((gt_tensor *[]){ x }), 1, 0), 0, 1, 2, 3);
	SAME(gt_cat(((gt_tensor *[]){ gt_zeros(gt, GT_SHAPE(0)), x }), 2, 1), 0, 1, 2, 3);
	SHAPED(gt_stack(((gt_tensor *[]){ x, x, x }), 3, 0), 3, 2, 2);
	SHAPED(gt_stack(((gt_tensor *[]){ x, x, x }), 3, -1), 2, 2, 3);
	SAME(gt_stack(((gt_tensor *[]){ x, gt_neg(x) }), 2, 2), 0, 0, 1, -1, 2, -2, 3, -3);
	for (int k = 0; k < 200; k++)
		list[k] = gt_full(gt, GT_SHAPE(1), k);
	all = gt_cat(list, 200, 0);
	SHAPED(all, 200);
	assert_true(gt_item(gt_sum(gt_ne(all, gt_arange(gt, 0, 200, 1)))) == 0);
	FAILS(gt_cat(list, 0, 0), GT_EINVAL, "at least one tensor, got 0");
	FAILS(gt_cat(((gt_tensor *[]){ x, y }), 2, 0), GT_ESHAPE, "cat");
	FAILS(gt_cat(((gt_tensor *[]){ x, x }), 2, 2), GT_EINVAL, "axis 2 is out of range");
	FAILS(gt_cat(((gt_tensor *[]){ gt_ones(gt, GT_SHAPE()) }), 1, 0), GT_ESHAPE, "rank 0");
	FAILS(gt_stack(((gt_tensor *[]){ x, y }), 2, 0), GT_ESHAPE,
		"tensor 1 has shape (2, 1), the first (2, 2)");
}

static void test_products(void **state)
{
	gt_client *gt = *state;
	gt_tensor *v = try_count(gt, GT_SHAPE(3)), *a = try_count(gt, GT_SHAPE(2, 3));
	gt_tensor *b = try_count(gt, GT_SHAPE(4, 1, 2, 3)), *e = gt_zeros(gt, GT_SHAPE(2, 0));

	SAME(gt_matmul(v, v), 5);
	SAME(gt_matmul(a, v), 5, 14);
	SAME(gt_matmul(gt_ones(gt, GT_SHAPE(2)), a), 3, 5, 7);
	SHAPED(gt_matmul(b, v), 4, 1, 2);
	SHAPED(gt_matmul(gt_ones(gt, GT_SHAPE(2)), b), 4, 1, 3);
	SHAPED(gt_matmul(b, gt_ones(gt, GT_SHAPE(5, 3, 7))), 4, 5, 2, 7);
	SAME(gt_matmul(e, gt_zeros(gt, GT_SHAPE(0, 2))), 0, 0, 0, 0);
	FAILS(gt_matmul(a, a), GT_ESHAPE, "float32 (2, 3) and float32 (2, 3)");
	FAILS(gt_matmul(v, gt_ones(gt, GT_SHAPE())), GT_ESHAPE,
		"one dim or more on both sides, got float32 (3,) and float32 ()");
	FAILS(gt_matmul(gt_ones(gt, GT_SHAPE(4)), v), GT_ESHAPE, "matmul");
}

static void test_creation(void **state)
{
	gt_client *gt = *state;

	SAME(gt_arange(gt, 5, 0, -2), 5, 3, 1);
	SAME(gt_arange(gt, 0, 1, 0.3), 0, 0.3f, 0.6f, 0.9f);
	SHAPED(gt_arange(gt, 3, 3, 1), 0);
	SAME(gt_linspace(gt, -1, 1, 4, .dtype = GT_FLOAT64), -1, -1 + 2.0 / 3, 1 - 2.0 / 3, 1);
	SAME(gt_linspace(gt, 3, 9, 1), 3);
	SHAPED(gt_linspace(gt, 3, 9, 0), 0);
	SAME(gt_eye(gt, 2, 3, .dtype = GT_INT32), 1, 0, 0, 0, 1, 0);
	SAME(gt_from(gt, GT_BOOL, GT_SHAPE(3), (const uint8_t[]){ 0, 7, 255 }), 0, 1, 1);
	SAME(gt_from(gt, GT_BOOL, GT_SHAPE(1), (const uint8_t[]){ 9 }), 1);
	SAME(gt_from(gt, GT_INT64, GT_SHAPE(1), (const int64_t[]){ -5 }), -5);
	SHAPED(gt_from(gt, GT_INT64, GT_SHAPE(4, 0), NULL), 4, 0);
	SHAPED(gt_randn_like(gt_zeros(gt, GT_SHAPE(2, 5))), 2, 5);
	FAILS(gt_arange(gt, 0, 5, -1), GT_EINVAL, "-1 does not lead from 0 to 5");
	FAILS(gt_arange(gt, 0, 5, 0), GT_EINVAL, "arange");
	FAILS(gt_arange(gt, 0.0, NAN, 1), GT_EINVAL, "arange");
	FAILS(gt_zeros(gt, GT_SHAPE(2, -3)), GT_ESHAPE, "dim 1 has size -3");
	FAILS(gt_zeros(gt, GT_SHAPE(1 << 30, 1 << 30)), GT_ELIMIT, "2^40");
	FAILS(gt_zeros(gt, ((gt_shape){ .rank = 9 })), GT_ELIMIT, "rank 9");
	FAILS(gt_from(gt, GT_INT64, GT_SHAPE(2), NULL), GT_EINVAL, "16 bytes of data, got NULL");
	FAILS(gt_linspace(gt, 0, 1, -1), GT_ESHAPE, "arange");
	FAILS(gt_full(gt, GT_SHAPE(2), gt_ones(gt, GT_SHAPE())), GT_EINVAL, "expected a number");
}

static void test_random(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x, *y, *z, *i;

	gt_manual_seed(gt, 3);
	x = gt_randn(gt, GT_SHAPE(1000));
	y = gt_randn(gt, GT_SHAPE(1000));
	gt_manual_seed(gt, 3);
	z = gt_randn(gt, GT_SHAPE(1000));
	assert_true(gt_item(gt_sum(gt_ne(x, z))) == 0);
	assert_true(gt_item(gt_sum(gt_eq(x, y))) < 10);
	assert_true(fabs(gt_item(gt_mean(x))) < 0.2);
	i = gt_randint(gt, -2, 3, GT_SHAPE(1000));
	assert_int_equal(gt_item_int(gt_min(i)), -2);
	assert_int_equal(gt_item_int(gt_max(i)), 2);
}

static void test_reductions(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 3, 4)), *zero = gt_zeros(gt, GT_SHAPE(0, 3));

	SHAPED(gt_sum(x), );
	SHAPED(gt_sum(x, .axis = -2), 2, 4);
	SHAPED(gt_sum(x, .naxes = 2, .axes = { -1, 0 }, .keepdims = true), 1, 3, 1);
	SHAPED(gt_argmax(x, .axis = 1), 2, 4);
	NEAR(gt_std(gt_index(x, GT_AT(0), GT_AT(0)), .correction = 0), 1.1180339887498949);
	SAME(gt_sum(zero, .axis = 0), 0, 0, 0);
	SAME(gt_softmax(gt_ones(gt, GT_SHAPE()), 0), 1);
	FAILS(gt_max(zero, .axis = 0), GT_ESHAPE, "dim 0 is reduced but has size 0");
	FAILS(gt_sum(x, .axis = 3), GT_EINVAL, "sum: axis 3 is out of range for rank 3");
	FAILS(gt_sum(x, .naxes = 2, .axes = { 0, -3 }), GT_EINVAL, "axis 0 is named twice");
	FAILS(gt_argmin(x, .naxes = 2, .axes = { 0, 1 }), GT_EINVAL, "argmin");
	FAILS(gt_softmax(x, 4), GT_EINVAL, "softmax: axis 4");
}

static void test_null_keeps_first_error(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2, 3)), *y = gt_ones(gt, GT_SHAPE(4)), *bad;

	gt_clear_error();
	bad = gt_softmax(gt_matmul(gt_relu(gt_add(x, y)), x), 0);
	bad = gt_index(gt_cat(((gt_tensor *[]){ bad, x }), 2, 0), GT_BY(bad));
	bad = gt_cross_entropy(gt_layer_norm(bad, 1), gt_reshape(bad, GT_SHAPE(2)));
	assert_null(bad);
	assert_true(isnan(gt_item(bad)));
	assert_int_equal(gt_backward(bad), GT_ESHAPE);
	assert_int_equal(gt_copy(bad, 1), GT_ESHAPE);
	assert_int_equal(gt_index_set(x, bad, GT_AT(0)), GT_ESHAPE);
	assert_string_equal(gt_last_error(),
		"add: shapes (2, 3) and (4,) do not broadcast: dim 1 is 3 and 4");
	gt_clear_error();
	FAILS(gt_exp(NULL), GT_EINVAL, "exp: expected a tensor, got NULL");
	FAILS(gt_add_at(NULL, gt_arg_int(1), gt_arg_float(2)), GT_EINVAL, "got numbers only");
}

static void test_two_clients(void **state)
{
	gt_client *gt = *state, *other = gt_open(NULL);
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2)), *y = gt_ones(other, GT_SHAPE(2));

	FAILS(gt_add(x, y), GT_EINVAL, "add: the inputs belong to different clients");
	FAILS(gt_matmul(x, y), GT_EINVAL, "different clients");
	FAILS(gt_cat(((gt_tensor *[]){ x, y }), 2, 0), GT_EINVAL, "different clients");
	REFUSES(gt_copy(x, y), GT_EINVAL, "different clients");
	FAILS(gt_index(x, GT_BY(gt_zeros(other, GT_SHAPE(1), .dtype = GT_INT64))), GT_EINVAL,
		"different clients");
	REFUSES(gt_set_grad(x, y), GT_EINVAL, "different clients");
	gt_close(other);
	SAME(x, 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRY(test_views), TRY(test_split), TRY(test_joins), TRY(test_products),
		TRY(test_creation), TRY(test_random), TRY(test_reductions),
		TRY(test_null_keeps_first_error), TRY(test_two_clients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
