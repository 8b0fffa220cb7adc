/* test_tape.c: backward passes and what the tape holds: accumulation, second passes, gt_gradients,
 * and that memory is given up, for graphs of a million nodes as well.
 */
#include "fake.h"

#define CHAIN 1000000

static gt_tensor *leaf(gt_client *gt, double v)
{
	return gt_requires_grad(gt_full(gt, GT_SHAPE(), v));
}

/* Objects in the client's memory. */
static size_t objects(gt_client *gt)
{
	gt_flush(gt);
	return gt->slab.live;
}

/* ---- passes (on a worker) -------------------------------------------------------------------- */

static void test_accumulates(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = leaf(gt, 3), *g;

	assert_null(gt_grad(w));
	WORKS(gt_backward(gt_square(w)));
	g = gt_keep(gt_grad(w));
	SAME(g, 6);
	WORKS(gt_backward(gt_mul(w, 10)));
	SAME(gt_grad(w), 16);
	SAME(g, 16);
	WORKS(gt_set_grad(w, NULL));
	assert_null(gt_grad(w));
	SAME(g, 16);
	WORKS(gt_set_grad(w, g));
	WORKS(gt_backward(w));
	SAME(gt_grad(w), 17);
	gt_drop(g);
}

static void test_seed(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(2)));
	gt_tensor *y = gt_mul(w, 3), *seed = gt_from(gt, GT_FLOAT32, GT_SHAPE(2),
		(const float[]){ 1, 10 });

	REFUSES(gt_backward(y), GT_EGRAD, "a gradient for float32 (2,) must be given");
	WORKS(gt_backward(y, .gradient = seed));
	SAME(gt_grad(w), 3, 30);
	REFUSES(gt_backward(gt_mul(w, 3), .gradient = gt_ones(gt, GT_SHAPE(3))), GT_ESHAPE,
		"the gradient has shape (3,), the tensor (2,)");
	REFUSES(gt_backward(gt_ones(gt, GT_SHAPE())), GT_EGRAD, "does not depend on one");
}

static void test_twice(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = leaf(gt, 2), *y = gt_exp(w), *z = gt_add(w, 1);

	WORKS(gt_backward(y, .retain_graph = true));
	WORKS(gt_backward(y));
	REFUSES(gt_backward(y), GT_EGRAD, "backward: a second time through the graph of 'exp'");
	/* Nothing was saved for a sum, so nothing is missing. */
	WORKS(gt_backward(z));
	WORKS(gt_backward(z));
}

/* A diamond: each node is visited once, after all that depend on it. */
static void test_diamond(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = leaf(gt, 2), *x = gt_square(w);

	for (int k = 0; k < 60; k++)
		x = gt_add(gt_mul(x, 0.25), gt_mul(x, 0.25));
	for (int k = 0; k < 60; k++)
		x = gt_add(x, x);
	WORKS(gt_backward(x));
	SAME(gt_grad(w), 4);
}

/* A number is handed through sums of sums as it is, unless somebody else has a part in one. */
static void test_sums_of_sums(void **state)
{
	static const gt_reduce rows = { .axis = 0, .keepdims = true }, all = { .axis = GT_ALL_AXES };
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(try_count(gt, GT_SHAPE(2, 3))), *h, *y, *d;

	WORKS(gt_backward(gt_mean(gt_sum(gt_square(w), .axis = 1))));
	SAME(gt_grad(w), 0, 1, 2, 3, 4, 5);
	WORKS(gt_set_grad(w, NULL));
	WORKS(gt_backward(gt_sum_at(NULL, gt_mean_at(NULL, gt_square(w), rows), all)));
	SAME(gt_grad(w), 0, 1, 2, 3, 4, 5);
	WORKS(gt_set_grad(w, NULL));
	WORKS(gt_backward(gt_mean(gt_sum(w, .axis = 1))));       /* down to the leaf */
	SAME(gt_grad(w), 0.5, 0.5, 0.5, 0.5, 0.5, 0.5);
	SHAPED(gt_grad(w), 2, 3);
	h = gt_sum(w, .axis = 0);
	y = gt_mean(h);
	WORKS(gt_gradients(&y, 1, &h, 1, &d, .retain_graph = true));
	SHAPED(d, 3);
	y = gt_add(y, gt_sum(gt_square(h)));
	WORKS(gt_gradients(&y, 1, &w, 1, &d, .create_graph = true));
	NEAR(d, 6 + 1.0 / 3, 10 + 1.0 / 3, 14 + 1.0 / 3, 6 + 1.0 / 3, 10 + 1.0 / 3,
		14 + 1.0 / 3);
}

/* ... and is broadcast once. */
static void test_broadcasts_once(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_requires_grad(gt_ones(gt, GT_SHAPE(2, 3)));
	gt_scope *s = gt_scope_begin(gt);
	gt_tensor *y = gt_keep(gt_sum(gt_sum(x, .axis = 1)));

	gt_scope_end(s);
	gt_flush(gt);
	fake_of(gt)->text.size = 0;
	WORKS(gt_backward(y));
	SENDS(gt, "t4 = full float32 1.0 []\nt5 = expand t4 [2,3]\nfree t4\n");
	gt_drop(y);
}

/* What was multiplied by as its transpose gets its gradient from the product, in order in memory;
 * a transpose that somebody holds or uses again has a gradient of its own. */
static void test_transposed(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_requires_grad(gt_ones(gt, GT_SHAPE(4, 3)));
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(2, 3)));
	gt_scope *s = gt_scope_begin(gt);
	gt_tensor *y = gt_keep(gt_sum(gt_matmul(x, gt_transpose(w, 0, 1))));

	gt_scope_end(s);
	gt_flush(gt);
	fake_of(gt)->text.size = 0;
	WORKS(gt_backward(y));
	SENDS(gt, "t6 = full float32 1.0 []\nt7 = expand t6 [4,2]\nfree t6\n"
		"t8 = permute t3 perm=[1,0]\nt9 = matmul t7, t8\n"
		"t10 = permute t7 perm=[1,0]\nt11 = matmul t10, t1\n"
		"free t10\nfree t8\nfree t3\nfree t7\n");
	gt_drop(y);
}

static void test_transposed_values(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 2, 3)), *h;
	gt_tensor *w = gt_requires_grad(try_count(gt, GT_SHAPE(2, 3))), *t, *y, *d[2];
	gt_tensor *in[] = { NULL, w };

	for (int held = 0; held < 2; held++) {
		gt_scope *s = gt_scope_begin(gt);

		t = gt_transpose(w, 0, 1);
		h = gt_matmul(x, t);
		y = gt_keep(gt_sum(gt_mul(h, gt_from(gt, GT_FLOAT32, GT_SHAPE(2),
			((const float[]){ 1, 10 })))));
		if (held)
			gt_keep(t);
		gt_scope_end(s);
		WORKS(gt_backward(y, .retain_graph = true));
		SAME(gt_grad(w), 18, 22, 26, 180, 220, 260);
		WORKS(gt_set_grad(w, NULL));
		if (held) {
			in[0] = t;
			WORKS(gt_gradients(&y, 1, in, 2, d));
			SHAPED(d[0], 3, 2);
			SAME(d[0], 18, 180, 22, 220, 26, 260);
			SAME(d[1], 18, 22, 26, 180, 220, 260);
			gt_drop(t);
		}
		gt_drop(y);
	}
	/* Twice in one graph, and twice differentiated. */
	t = gt_transpose(w, 0, 1);
	y = gt_sum(gt_matmul(gt_matmul(w, t), gt_matmul(w, t)));
	WORKS(gt_gradients(&y, 1, &w, 1, d, .create_graph = true));
	SAME(d[0], 498, 740, 982, 768, 1190, 1612);
	y = gt_sum(gt_square(gt_matmul(w, gt_transpose(w, 0, 1))));
	WORKS(gt_gradients(&y, 1, &w, 1, d, .create_graph = true));
	y = gt_sum(d[0]);
	WORKS(gt_gradients(&y, 1, &w, 1, d + 1));
	SHAPED(d[1], 2, 3);
}

static void test_gradients(void **state)
{
	gt_client *gt = *state;
	gt_tensor *a = leaf(gt, 2), *b = leaf(gt, 5), *c = leaf(gt, 1);
	gt_tensor *m = gt_mul(a, b), *y[] = { gt_square(m), gt_add(m, a) }, *d[3];
	gt_tensor *in[] = { a, m, c };

	REFUSES(gt_gradients(y, 2, in, 3, d, .retain_graph = true), GT_EGRAD,
		"no output depends on input 2");
	assert_null(d[0]);
	WORKS(gt_gradients(y, 2, in, 3, d, .retain_graph = true, .allow_unused = true));
	SAME(d[0], 2 * 10 * 5 + 5 + 1);
	SAME(d[1], 2 * 10 + 1);
	assert_null(d[2]);
	assert_null(gt_grad(a));
	WORKS(gt_gradients(y, 2, in, 2, d,
		.seeds = (gt_tensor *[]){ gt_full(gt, GT_SHAPE(), 0.5), NULL }));
	SAME(d[1], 11);
	REFUSES(gt_gradients(y, 1, in, 1, d), GT_EGRAD, "a second time through the graph of "
		"'square'");
	in[0] = gt_ones(gt, GT_SHAPE());
	REFUSES(gt_gradients(y, 1, in, 1, d), GT_EGRAD, "input 0 does not require a gradient");
	REFUSES(gt_gradients(y, 0, in, 1, d), GT_EINVAL, "of 0 outputs");
}

/* Only what leads to the inputs is visited: the other branch may be spent. */
static void test_gradients_prune(void **state)
{
	gt_client *gt = *state;
	gt_tensor *a = leaf(gt, 2), *b = leaf(gt, 3), *other = gt_exp(b), *y, *d;

	WORKS(gt_backward(other));
	y = gt_add(gt_square(a), other);
	WORKS(gt_gradients(&y, 1, &a, 1, &d, .retain_graph = true));
	SAME(d, 4);
	REFUSES(gt_backward(y), GT_EGRAD, "a second time through the graph of 'exp'");
}

static void test_create_graph(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = leaf(gt, 2), *y = gt_pow(w, 4), *d, *dd, *ddd;

	WORKS(gt_gradients(&y, 1, &w, 1, &d, .create_graph = true));
	SAME(d, 32);
	WORKS(gt_gradients(&d, 1, &w, 1, &dd, .create_graph = true));
	SAME(dd, 48);
	WORKS(gt_gradients(&dd, 1, &w, 1, &ddd));
	SAME(ddd, 48);
	assert_false(gt_needs_grad(ddd));
}

static void test_modes(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = leaf(gt, 2), *y;

	assert_true(gt_grad_enabled(gt));
	assert_true(gt_grad_mode(gt, false));
	y = gt_mul(w, 2);
	assert_false(gt_needs_grad(y));
	assert_true(gt_is_leaf(y));
	assert_false(gt_grad_mode(gt, true));
	y = gt_mul(w, 2);
	assert_true(gt_needs_grad(y));
	assert_false(gt_is_leaf(y));
	assert_string_equal(gt_grad_op(y), "mul");
	assert_null(gt_grad_op(w));
	assert_false(gt_needs_grad(gt_detach(y)));
	assert_false(gt_needs_grad(gt_gt(y, 0)));
	assert_false(gt_needs_grad(gt_cast(y, GT_INT64)));
	REFUSES(gt_set_requires_grad(y, false), GT_EGRAD, "detach it instead");
	WORKS(gt_set_requires_grad(w, false));
	assert_false(gt_needs_grad(gt_mul(w, 2)));
	WORKS(gt_backward(y));
	assert_null(gt_grad(w));
	FAILS(gt_requires_grad(gt_ones(gt, GT_SHAPE(), .dtype = GT_INT32)), GT_EDTYPE,
		"only floats can have a gradient");
	REFUSES(gt_set_grad(w, gt_ones(gt, GT_SHAPE(2))), GT_ESHAPE, "grad");
	REFUSES(gt_set_grad(w, gt_ones(gt, GT_SHAPE(), .dtype = GT_FLOAT64)), GT_ESHAPE,
		"float64 ()");
	REFUSES(gt_set_grad(w, w), GT_EINVAL, "its own gradient");
}

/* An error in a pass leaves nothing behind. */
static void test_failing_pass(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = leaf(gt, 2), *x = gt_exp(w), *y;

	WORKS(gt_backward(x));
	y = gt_add(gt_mul(gt_exp(w), 3), gt_mul(x, 2));
	REFUSES(gt_backward(y), GT_EGRAD, "a second time");
	WORKS(gt_backward(gt_mul(w, 7)));
	assert_true(gt_grad_enabled(gt));
}

/* ---- memory (on a link that forgets) --------------------------------------------------------- */

/* Evaluation without no_grad: a loop whose state is a new tensor each time holds nothing back. */
static void test_evaluation(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = leaf(gt, 1);
	size_t before = 0;

	for (int k = 0; k < 200; k++) {
		gt_scope *s = gt_scope_begin(gt);
		gt_tensor *h = gt_relu(gt_mul(w, 2));

		gt_softmax(gt_reshape(gt_add(h, h), GT_SHAPE(1)), 0);
		gt_scope_end(s);
		if (k == 10)
			before = objects(gt);
	}
	assert_int_equal(objects(gt), before);
	assert_int_equal(fake_of(gt)->live, 1);
}

static void test_training(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(3, 3)));
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2, 3)), *total = gt_zeros(gt, GT_SHAPE());
	size_t before = 0;

	for (int k = 0; k < 500; k++) {
		gt_scope *s = gt_scope_begin(gt);
		gt_tensor *loss = gt_mean(gt_tanh(gt_matmul(x, gt_transpose(w, 0, 1))));

		WORKS(gt_set_grad(w, NULL));
		WORKS(gt_backward(loss));
		gt_grad_mode(gt, false);
		WORKS(gt_update(w, "sub", gt_mul(gt_grad(w), 0.1)));
		gt_grad_mode(gt, true);
		WORKS(gt_update(total, "add", gt_detach(loss)));
		WORKS(gt_index_set(gt_index(x, GT_AT(0)), 0.5, GT_AT(1)));
		gt_scope_end(s);
		if (k == 10)
			before = objects(gt);
	}
	assert_int_equal(objects(gt), before);
	/* w, its gradient, total; of x what was written last and what x itself last looked at. */
	assert_int_equal(fake_of(gt)->live, 5);
}

/* A detached tensor does not keep the graph it came from. */
static void test_detach_lets_go(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = leaf(gt, 1), *d;
	const size_t before = objects(gt);
	gt_scope *s = gt_scope_begin(gt);

	d = gt_keep(gt_detach(gt_exp(gt_exp(gt_exp(w)))));
	gt_scope_end(s);
	/* The handle, its value, the group, the hop. */
	assert_int_equal(objects(gt), before + 4);
	gt_drop(d);
	assert_int_equal(objects(gt), before);
}

static gt_err forget(struct link *l, const uint64_t *records, size_t words, size_t n, uint64_t cost)
{
	(void)l, (void)records, (void)words, (void)n, (void)cost;
	return GT_OK;
}

/* Chains are freed, and walked backwards, without recursion. */
static void test_long_chain(void **state)
{
	gt_client *gt = *state;
	link_ops ops = *gt->link->ops;
	gt_tensor *w = leaf(gt, 1), *x = gt_keep(gt_mul(w, 1.5));
	const size_t before = objects(gt);

	ops.flush = forget;      /* the fake one counts ids up to FAKE_IDS */
	gt->link->ops = &ops;
	for (int round = 0; round < 2; round++) {
		gt_tensor *y = gt_mul(x, 1.0);

		gt_keep(y);
		for (int k = 0; k < CHAIN; k++) {
			gt_scope *s = gt_scope_begin(gt);
			gt_tensor *next = gt_keep(k & 1 ? gt_add(y, x) : gt_mul(y, 0.5));

			gt_drop(y);
			y = next;
			gt_scope_end(s);
		}
		assert_true(gt->slab.live > CHAIN);
		if (round)
			WORKS(gt_backward(y));
		gt_drop(y);
		WORKS(gt_set_grad(w, NULL));
		assert_int_equal(objects(gt), before);
	}
	gt->link->ops = fake_of(gt)->link.ops;
	gt_drop(x);
	gt_close(gt);
	*state = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRY(test_accumulates), TRY(test_seed), TRY(test_twice), TRY(test_diamond),
		TRY(test_sums_of_sums), TRY(test_transposed_values), TRY(test_gradients), TRY(test_gradients_prune), TRY(test_create_graph),
		TRY(test_modes), TRY(test_failing_pass),
		FAKE(test_broadcasts_once), FAKE(test_transposed), FAKE(test_evaluation), FAKE(test_training), FAKE(test_detach_lets_go),
		FAKE(test_long_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
