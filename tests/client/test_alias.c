/* test_alias.c: values that look like memory: PyTorch's documented cases of views and in-place
 * writes (https://pytorch.org/docs/stable/tensor_view.html,
 * notes/autograd.html#in-place-operations), and the combinations that functionalisation could get
 * wrong.
 */
#include "try.h"

/* ---- who sees a write ------------------------------------------------------------------------ */

static void test_view_writes_to_base(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 3)), *y = gt_index(x, GT_AT(0));

	WORKS(gt_update(y, "add", 10));
	SAME(x, 10, 11, 12, 3, 4, 5);
	SAME(y, 10, 11, 12);
}

static void test_base_writes_to_view(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 3)), *y = gt_index(x, GT_AT(1));
	gt_tensor *z = gt_transpose(x, 0, 1);

	WORKS(gt_update(x, "mul", 2));
	SAME(y, 6, 8, 10);
	SAME(z, 0, 6, 2, 8, 4, 10);
	WORKS(gt_copy(x, 1));
	SAME(y, 1, 1, 1);
}

static void test_siblings(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(4)), *low = gt_index(x, GT_FROM(0, 3));
	gt_tensor *high = gt_index(x, GT_FROM(1, 4)), *flat = gt_reshape(x, GT_SHAPE(2, 2));

	WORKS(gt_copy(low, 9));
	SAME(high, 9, 9, 3);
	WORKS(gt_index_set(high, 7, GT_AT(-1)));
	SAME(flat, 9, 9, 9, 7);
	SAME(low, 9, 9, 9);
	SAME(x, 9, 9, 9, 7);
}

static void test_chain(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 3, 4));
	gt_tensor *y = gt_index(gt_permute(x, GT_SHAPE(2, 0, 1)), GT_STEP(3, GT_NO_BOUND, -2),
		GT_AT(1));
	gt_tensor *z = gt_flatten(gt_unsqueeze(gt_squeeze(gt_reshape(gt_index(x, GT_AT(0)),
		GT_SHAPE(1, 12)), 0), 0));

	SHAPED(y, 2, 3);
	SAME(y, 15, 19, 23, 13, 17, 21);
	WORKS(gt_copy(y, -1));
	SAME(gt_index(x, GT_AT(1)), 12, -1, 14, -1, 16, -1, 18, -1, 20, -1, 22, -1);
	WORKS(gt_update(z, "add", 100));
	SAME(gt_index(x, GT_AT(0), GT_AT(0)), 100, 101, 102, 103);
	WORKS(gt_copy(x, 5));
	SAME(y, 5, 5, 5, 5, 5, 5);
}

/* View of a view of a view: the chain must not grow with the loop. */
static void test_long_chain(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 3)), *y = gt_keep(gt_transpose(x, 0, 1));

	for (int k = 0; k < 2000; k++) {
		gt_scope *s = gt_scope_begin(gt);
		gt_tensor *next = gt_keep(k % 3 == 2 ? gt_reshape(y, gt_shape_of(y)) :
			gt_transpose(y, 0, 1));

		gt_drop(y);
		y = next;
		gt_scope_end(s);
	}
	WORKS(gt_update(y, "mul", 10));
	SAME(x, 0, 10, 20, 30, 40, 50);
	gt_drop(y);
}

static void test_slices_of_slices(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(12));
	gt_tensor *y = gt_index(gt_index(x, GT_STEP(10, GT_NO_BOUND, -3)), GT_STEP(1, 4, 2));

	SAME(y, 7, 1);
	WORKS(gt_copy(y, gt_from(gt, GT_FLOAT32, GT_SHAPE(2), (const float[]){ -7, -1 })));
	SAME(x, 0, -1, 2, 3, 4, 5, 6, -7, 8, 9, 10, 11);
}

static void test_detach_shares(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_requires_grad(gt_ones(gt, GT_SHAPE(2))), *y = gt_detach(x);

	assert_false(gt_needs_grad(y));
	WORKS(gt_update(y, "add", 1));
	SAME(x, 2, 2);
	assert_true(gt_needs_grad(x));
	assert_true(gt_is_leaf(x));
}

static void test_clone_does_not(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2)), *y = gt_clone(x), *z = gt_pow(x, 1);

	WORKS(gt_copy(y, 5));
	WORKS(gt_copy(z, 6));
	SAME(x, 0, 1);
	WORKS(gt_copy(x, 7));
	SAME(y, 5, 5);
}

/* Reshape of what does not lie in order copies, and so do flip and index tensors. */
static void test_copies(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 3)), *t = gt_transpose(x, 0, 1);
	gt_tensor *flat = gt_reshape(t, GT_SHAPE(6)), *view = gt_reshape(t, GT_SHAPE(3, 2, 1));

	WORKS(gt_copy(flat, 0));
	WORKS(gt_copy(gt_flip(x, GT_SHAPE(0)), 0));
	WORKS(gt_copy(gt_index_select(x, gt_zeros(gt, GT_SHAPE(1), .dtype = GT_INT64), 0), 0));
	SAME(x, 0, 1, 2, 3, 4, 5);
	WORKS(gt_copy(view, 8));
	SAME(x, 8, 8, 8, 8, 8, 8);
}

static void test_base_dies_first(void **state)
{
	gt_client *gt = *state;
	gt_scope *s = gt_scope_begin(gt);
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 2)), *a = gt_keep(gt_index(x, GT_AT(0)));
	gt_tensor *b = gt_keep(gt_flatten(x));

	gt_scope_end(s);
	WORKS(gt_copy(a, 9));
	SAME(b, 9, 9, 2, 3);
	gt_drop(a);
	WORKS(gt_copy(b, 1));
	SAME(b, 1, 1, 1, 1);
	gt_drop(b);
}

static void test_expanded(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 1)), *y = gt_expand(x, GT_SHAPE(2, 3));

	REFUSES(gt_update(y, "add", 1), GT_EINVAL, "add: several elements of this expanded view "
		"are one");
	WORKS(gt_copy(gt_expand(x, GT_SHAPE(1, 2, 1)), 4));
	SAME(x, 4, 4);
	SAME(y, 4, 4, 4, 4, 4, 4);
}

static void test_split(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(5)), *part[3];

	assert_int_equal(gt_split(x, 2, 0, part), 3);
	SAME(part[2], 4);
	WORKS(gt_copy(part[1], 0));
	SAME(x, 0, 1, 0, 0, 4);
}

/* x[0] = x[1]: the elements are read before they are written. */
static void test_overlap(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(4));

	WORKS(gt_index_set(x, gt_index(x, GT_FROM(0, 3)), GT_FROM(1, 4)));
	SAME(x, 0, 0, 1, 2);
	WORKS(gt_copy(x, x));
	SAME(x, 0, 0, 1, 2);
	WORKS(gt_update(x, "add", x));
	SAME(x, 0, 0, 2, 4);
}

/* ---- dtypes and shapes of writes ------------------------------------------------------------- */

static void test_dtypes(void **state)
{
	gt_client *gt = *state;
	gt_tensor *i = gt_ones(gt, GT_SHAPE(2), .dtype = GT_INT64), *f = gt_ones(gt, GT_SHAPE(2));
	gt_tensor *d = gt_full(gt, GT_SHAPE(2), 2.5, .dtype = GT_FLOAT64);

	REFUSES(gt_update(i, "add", 0.5), GT_EDTYPE,
		"add in place: the result is float32, which does not become int64");
	REFUSES(gt_update(i, "div", 2), GT_EDTYPE, "div in place");
	WORKS(gt_update(f, "mul", d));
	assert_int_equal(gt_dtype_of(f), GT_FLOAT32);
	SAME(f, 2.5, 2.5);
	WORKS(gt_copy(i, d));
	SAME(i, 2, 2);
	WORKS(gt_index_set(i, 7.9, GT_AT(0)));
	WORKS(gt_index_set(i, -7.9, GT_BY(gt_eq(i, 2))));
	SAME(i, 7, -7);
	REFUSES(gt_update(f, "add", gt_ones(gt, GT_SHAPE(3, 2))), GT_ESHAPE,
		"add in place: the result has shape (3, 2), expected (2,)");
	REFUSES(gt_copy(f, gt_ones(gt, GT_SHAPE(3))), GT_ESHAPE,
		"copy: shape (3,) does not broadcast to (2,)");
	REFUSES(gt_update(f, "exp", 1), GT_EINVAL, "'exp' is not an operation with two inputs");
	REFUSES(gt_update(f, "fma", 1), GT_EINVAL, "'fma'");
}

/* ---- gradients ------------------------------------------------------------------------------- */

static void test_leaf_refuses(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(2))), *view = gt_index(w, GT_AT(0));
	gt_tensor *blind;
	bool was;

	REFUSES(gt_update(w, "sub", 1), GT_EGRAD, "sub: a leaf that requires a gradient");
	REFUSES(gt_copy(view, 1), GT_EGRAD, "copy: a view of a leaf that requires a gradient");
	REFUSES(gt_index_set(w, 1, GT_AT(0)), GT_EGRAD, "index: a leaf");
	was = gt_grad_mode(gt, false);
	blind = gt_index(w, GT_AT(1));
	WORKS(gt_update(w, "sub", 0.5));
	WORKS(gt_copy(view, 3));
	gt_grad_mode(gt, was);
	SAME(w, 3, 0.5);
	assert_true(gt_is_leaf(w) && gt_needs_grad(w));
	assert_true(gt_needs_grad(view));
	assert_false(gt_needs_grad(blind));
	REFUSES(gt_copy(blind, 1), GT_EGRAD, "copy: a view of a leaf");
	blind = gt_index(gt_requires_grad(gt_detach(gt_ones(gt, GT_SHAPE(2)))), GT_AT(0));
	REFUSES(gt_copy(blind, 1), GT_EGRAD, "a view of a detached tensor that requires");
	WORKS(gt_backward(gt_sum(gt_mul(view, 5))));
	SAME(gt_grad(w), 5, 0);
}

static void test_no_grad_view(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(2))), *y = gt_mul(w, 2), *view;

	gt_grad_mode(gt, false);
	view = gt_index(y, GT_AT(0));
	gt_grad_mode(gt, true);
	REFUSES(gt_update(view, "add", 1), GT_EGRAD, "this view was made under no_grad");
	gt_grad_mode(gt, false);
	WORKS(gt_update(view, "add", 1));
	gt_grad_mode(gt, true);
	SAME(y, 3, 2);
}

static void test_recorded_write(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(try_count(gt, GT_SHAPE(2, 2))), *y = gt_mul(w, 3);
	gt_tensor *row = gt_index(y, GT_AT(0)), *column = gt_index(y, GT_ALL, GT_AT(1));

	WORKS(gt_update(row, "mul", 10));       /* y = 3 w, the first row 30 w */
	SAME(y, 0, 30, 6, 9);
	assert_true(gt_needs_grad(column));
	WORKS(gt_backward(gt_sum(column), .retain_graph = true));
	SAME(gt_grad(w), 0, 30, 0, 3);
	WORKS(gt_backward(gt_sum(y)));
	SAME(gt_grad(w), 30, 60, 3, 6);
}

/* A buffer that requires nothing is given a history by what is written to it. */
static void test_history_comes_in(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_full(gt, GT_SHAPE(), 2.0));
	gt_tensor *out = gt_zeros(gt, GT_SHAPE(3)), *view = gt_index(out, GT_FROM(0, 2));

	assert_true(gt_is_leaf(out));
	WORKS(gt_index_set(out, gt_square(w), GT_AT(1)));
	assert_false(gt_is_leaf(out));
	assert_true(gt_needs_grad(view));
	WORKS(gt_backward(gt_sum(gt_mul(view, 3))));
	SAME(gt_grad(w), 12);
}

/* What gradients saved keeps its value, so no version error as in PyTorch is needed. */
static void test_saved_values_stay(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_full(gt, GT_SHAPE(), 3.0)), *x = gt_full(gt, GT_SHAPE(),
		5.0);
	gt_tensor *y = gt_mul(w, x);

	WORKS(gt_copy(x, 100));
	WORKS(gt_backward(y));
	SAME(gt_grad(w), 5);
}

static void test_write_through_detach(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_full(gt, GT_SHAPE(2), 3.0)), *y = gt_mul(w, 2);
	gt_tensor *view = gt_index(gt_detach(y), GT_AT(0));

	WORKS(gt_copy(view, 50));
	SAME(y, 50, 6);
	WORKS(gt_backward(gt_sum(y)));
	SAME(gt_grad(w), 2, 2);
}

static void test_copy_carries_gradient(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_full(gt, GT_SHAPE(2), 3.0)), *y = gt_zeros(gt,
		GT_SHAPE(2));
	gt_tensor *d[2], *in[2] = { w, y }, *z;

	WORKS(gt_copy(y, w));
	assert_false(gt_is_leaf(y));
	z = gt_sum(gt_mul(y, w));
	WORKS(gt_gradients(&z, 1, in, 2, d));
	SAME(d[0], 6, 6);
	SAME(d[1], 3, 3);
}

/* Overwritten, a tensor goes on to require a gradient, which is zero. */
static void test_copy_keeps_gradient(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_full(gt, GT_SHAPE(2), 3.0)), *y = gt_mul(w, 2);
	gt_tensor *z = gt_mul(gt_index(w, GT_AT(0)), 2);

	WORKS(gt_copy(y, 7));
	WORKS(gt_copy(z, gt_ones(gt, GT_SHAPE())));
	SAME(y, 7, 7);
	assert_true(gt_needs_grad(y) && gt_needs_grad(z));
	WORKS(gt_backward(gt_add(gt_sum(y), z)));
	SAME(gt_grad(w), 0, 0);
}

static void test_gradient_in_place(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(2))), *g;

	WORKS(gt_backward(gt_sum(w)));
	g = gt_grad(w);
	WORKS(gt_copy(g, 0));
	SAME(gt_grad(w), 0, 0);
	WORKS(gt_backward(gt_sum(gt_mul(w, 4))));
	assert_ptr_equal(g, gt_grad(w));
	SAME(g, 4, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRY(test_view_writes_to_base), TRY(test_base_writes_to_view), TRY(test_siblings),
		TRY(test_chain), TRY(test_long_chain), TRY(test_slices_of_slices),
		TRY(test_detach_shares), TRY(test_clone_does_not), TRY(test_copies),
		TRY(test_base_dies_first), TRY(test_expanded), TRY(test_split), TRY(test_overlap),
		TRY(test_dtypes), TRY(test_leaf_refuses), TRY(test_no_grad_view),
		TRY(test_recorded_write), TRY(test_history_comes_in), TRY(test_saved_values_stay),
		TRY(test_write_through_detach), TRY(test_copy_carries_gradient),
		TRY(test_copy_keeps_gradient),
		TRY(test_gradient_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
