/* bench_work.c: the workloads of `gt bench compile`, those of benchmarks/compilation_benchmark.py.
 *
 * Each iteration ends in one number that depends on everything in it: gradients that update no
 * parameter are squared and added to the loss.
 */
#include <math.h>
#include "base/base.h"
#include "tools/bench.h"

/* ---- parts ---- */

static gt_tensor *draw(bench_state *s, int64_t n, int64_t m)
{
	return gt_randn(s->gt, m ? GT_SHAPE(n, m) : GT_SHAPE(n));
}

static gt_tensor *draw_leaf(bench_state *s, int64_t n, int64_t m)
{
	return gt_requires_grad(draw(s, n, m));
}

/* loss + the sum of the squares of all gradients of the leaves. */
static gt_tensor *read_gradients(gt_tensor *loss, gt_tensor *const *leaves, unsigned n)
{
	gt_tensor *total = gt_detach(loss);

	gt_backward(loss);
	for (unsigned k = 0; k < n; k++)
		total = gt_add(total, gt_sum(gt_square(gt_grad(leaves[k]))));
	return total;
}

/* ---- the four ---- */

static gt_tensor *step_matmul(bench_state *s)
{
	gt_tensor *leaves[4], *product;

	for (unsigned k = 0; k < COUNT(leaves); k++)
		leaves[k] = draw_leaf(s, 64, 64);
	product = leaves[0];
	for (unsigned k = 1; k < COUNT(leaves); k++)
		product = gt_matmul(product, leaves[k]);
	return read_gradients(gt_mean(product), leaves, COUNT(leaves));
}

static gt_tensor *step_attention(bench_state *s)
{
	gt_tensor *leaves[3], *scores;

	for (unsigned k = 0; k < COUNT(leaves); k++)
		leaves[k] = draw_leaf(s, 64, 64);
	scores = gt_mul(gt_matmul(leaves[0], gt_transpose(leaves[1], 0, 1)), 0.125);
	return read_gradients(gt_mean(gt_square(gt_matmul(gt_softmax(scores, -1), leaves[2]))),
		leaves, COUNT(leaves));
}

static gt_tensor *step_mixed(bench_state *s)
{
	gt_tensor *a = draw_leaf(s, 32, 32), *b = draw_leaf(s, 32, 32), *c = draw_leaf(s, 32, 0);
	gt_tensor *leaves[] = { a, b, c };
	gt_tensor *h = gt_relu(gt_add(gt_matmul(a, b), c));
	gt_tensor *g = gt_mul(gt_sigmoid(gt_mul(h, 0.5)), gt_tanh(gt_sub(a, b)));
	gt_tensor *r = gt_add(gt_exp(gt_neg(gt_mul(g, g))), gt_div(h, gt_add(1.0, gt_abs(b))));
	gt_tensor *spread = gt_square(gt_sub(r, gt_mean(r, .axis = 0)));

	return read_gradients(gt_mean(gt_sum(spread, .axis = 1)), leaves, COUNT(leaves));
}

/* Weights and biases by turns into kept[]. */
static void make_mlp(bench_state *s, const int64_t *sizes, unsigned layers)
{
	for (unsigned k = 0; k < layers; k++) {
		gt_tensor *w = gt_mul(draw(s, sizes[k], sizes[k + 1]),
			1 / sqrt((double)sizes[k]));

		s->kept[2 * k] = gt_requires_grad(gt_keep(w));
		s->kept[2 * k + 1] = gt_requires_grad(gt_keep(
			gt_zeros(s->gt, GT_SHAPE(sizes[k + 1]))));
	}
}

static void update(bench_state *s, unsigned n)
{
	const bool was = gt_grad_mode(s->gt, false);

	for (unsigned k = 0; k < n; k++) {
		gt_update(s->kept[k], "sub", gt_mul(gt_grad(s->kept[k]), 0.01));
		gt_set_grad(s->kept[k], NULL);
	}
	gt_grad_mode(s->gt, was);
}

/* One step of stochastic gradient descent on fresh data. */
static gt_tensor *train_mlp(bench_state *s, const int64_t *sizes, unsigned layers, int64_t batch)
{
	gt_tensor *h = draw(s, batch, sizes[0]), *y = draw(s, batch, sizes[layers]), *loss;

	for (unsigned k = 0; k < layers; k++) {
		h = gt_add(gt_matmul(h, s->kept[2 * k]), s->kept[2 * k + 1]);
		if (k + 1 < layers)
			h = gt_relu(h);
	}
	loss = gt_mean(gt_square(gt_sub(h, y)));
	gt_backward(loss);
	update(s, 2 * layers);
	return loss;
}

static const int64_t small_sizes[] = { 32, 64, 32, 10 }, large_sizes[] = { 784, 256, 10 };

static void make_small(bench_state *s)
{
	make_mlp(s, small_sizes, COUNT(small_sizes) - 1);
}

static gt_tensor *step_small(bench_state *s)
{
	return train_mlp(s, small_sizes, COUNT(small_sizes) - 1, 16);
}

/* ---- patterns ---- */

static void make_large(bench_state *s)
{
	make_mlp(s, large_sizes, COUNT(large_sizes) - 1);
}

static gt_tensor *step_large(bench_state *s)
{
	return train_mlp(s, large_sizes, COUNT(large_sizes) - 1, 128);
}

static void make_pair(bench_state *s)
{
	for (unsigned k = 0; k < 2; k++)
		s->kept[k] = gt_keep(draw(s, 256, 256));
}

static gt_tensor *step_product(bench_state *s)
{
	return gt_sum(gt_relu(gt_matmul(s->kept[0], s->kept[1])));
}

/* Twelve operations on 2^16 numbers. */
static gt_tensor *step_chain(bench_state *s)
{
	gt_tensor *x = s->kept[0], *y = s->kept[1];
	gt_tensor *z = gt_sub(gt_relu(gt_mul(gt_add(x, y), 0.5)), y);

	z = gt_add(gt_abs(gt_mul(gt_add(gt_mul(z, z), 1.0), y)), 0.25);
	return gt_sum(gt_add(gt_mul(gt_sub(z, y), 2.0), y));
}

static void make_matrix(bench_state *s)
{
	s->kept[0] = gt_keep(draw(s, 128, 128));
}

static gt_tensor *step_reductions(bench_state *s)
{
	gt_tensor *x = s->kept[0];
	gt_tensor *centred = gt_sub(x, gt_mean(x, .axis = 1, .keepdims = true));
	gt_tensor *spread = gt_mean(gt_mul(centred, centred), .axis = 1, .keepdims = true);
	gt_tensor *z = gt_div(centred, gt_sqrt(gt_add(spread, 1e-5)));

	return gt_add(gt_sum(gt_max(z, .axis = 1)), gt_mean(gt_square(gt_sum(z, .axis = 0))));
}

static void make_three(bench_state *s)
{
	for (unsigned k = 0; k < 3; k++)
		s->kept[k] = gt_keep(draw(s, 8, 8));
}

static gt_tensor *step_simple(bench_state *s)
{
	gt_tensor *a = s->kept[0], *b = s->kept[1];
	gt_tensor *h = gt_mul(gt_relu(gt_add(gt_matmul(a, b), s->kept[2])), 0.5);

	return gt_mean(gt_add(gt_abs(gt_mul(gt_tanh(gt_sub(h, a)), b)), 0.5));
}

const bench_work bench_works[] = {
	{ "Simple Matmul Chain", false, NULL,        step_matmul },
	{ "MLP Training Step",   false, make_small,  step_small },
	{ "Attention Block",     false, NULL,        step_attention },
	{ "Mixed Operations",    false, NULL,        step_mixed },
	{ "Matmul + ReLU",       true,  make_pair,   step_product },
	{ "Elementwise Chain",   true,  make_pair,   step_chain },
	{ "Reduction Sequence",  true,  make_matrix, step_reductions },
	{ "Simple Ops",          true,  make_three,  step_simple },
	{ "MLP 784-256-10",      true,  make_large,  step_large },
};
const size_t bench_work_count = COUNT(bench_works);
