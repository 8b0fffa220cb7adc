/* Layers and optimisers: the module tree, what layers compute, and update formulas against plain
 * C. */
#include <gt/nn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "check.h"

static gt_client *open_client(void)
{
	gt_client *gt = gt_open(NULL);

	assert_non_null(gt);
	return gt;
}

static void expect(gt_tensor *x, const float *want, size_t n, float tolerance)
{
	float have[64];

	assert_true(n <= 64);
	assert_int_equal(gt_read(x, have, n * sizeof *have), GT_OK);
	for (size_t k = 0; k < n; k++)
		if (!(fabsf(have[k] - want[k]) <= tolerance * fmaxf(1, fabsf(want[k]))))
			fail_msg("element %zu is %.9g, expected %.9g", k, have[k], want[k]);
}

static void expect_error(gt_err e, const char *part)
{
	assert_int_equal(gt_last_error_code(), e);
	if (!strstr(gt_last_error(), part))
		fail_msg("the error says '%s', expected '%s' in it", gt_last_error(), part);
}

/* ---- layers -------------------------------------------------------------------------------- */

static void linear_computes_x_wt_plus_b(void **state)
{
	gt_client *gt = open_client();
	gt_module *m = gt_linear(gt, 3, 2);
	const float w[] = { 1, 2, 3, -1, 0, 1 }, b[] = { 10, 20 }, x[] = { 1, 1, 1, 0, 2, -1 };
	const float y[] = { 16, 20, 11, 19 };
	gt_tensor *weight = gt_from(gt, GT_FLOAT32, GT_SHAPE(2, 3), w);

	(void)state;
	assert_int_equal(gt_module_load(m, "weight", weight), GT_OK);
	assert_int_equal(gt_module_load(m, "bias", gt_from(gt, GT_FLOAT32, GT_SHAPE(2), b)), GT_OK);
	expect(gt_forward(m, gt_from(gt, GT_FLOAT32, GT_SHAPE(2, 3), x)), y, 4, 0);
	gt_module_free(m);
	gt_close(gt);
}

static void initial_weights_lie_within_their_bound(void **state)
{
	gt_client *gt = open_client();
	gt_module *m = gt_linear(gt, 400, 50), *plain = gt_linear(gt, 4, 4, .no_bias = true);
	gt_tensor *w = gt_module_tensor(m, "weight");
	double largest = gt_item(gt_max(gt_abs(w))), spread = gt_item(gt_std(w));

	(void)state;
	assert_true(largest <= 1.0 / 20 && largest > 0.99 / 20);
	assert_true(fabs(spread - 0.05 / sqrt(3)) < 0.001);   /* of a uniform distribution */
	assert_true(gt_is_leaf(w) && gt_needs_grad(w));
	assert_int_equal(gt_module_parameters(plain, NULL, 0), 1);
	gt_module_free(m);
	gt_module_free(plain);
	gt_close(gt);
}

static void layer_norm_and_embedding_start_as_documented(void **state)
{
	gt_client *gt = open_client();
	gt_module *norm = gt_layer_norm_layer(gt, 4, 0), *rows = gt_embedding_layer(gt, 5, 4);
	const float x[] = { 1, 2, 3, 4 };
	const float y[] = { -1.3416408f, -0.4472136f, 0.4472136f, 1.3416408f };
	const int64_t which[] = { 4, 0, 4 };
	gt_tensor *index = gt_from(gt, GT_INT64, GT_SHAPE(3), which);
	gt_tensor *w = gt_module_tensor(rows, "weight");
	gt_tensor *out = gt_forward(rows, index);
	float picked[12], all[20];

	(void)state;
	expect(gt_forward(norm, gt_from(gt, GT_FLOAT32, GT_SHAPE(1, 4), x)), y, 4, 1e-6f);
	assert_int_equal(gt_read(out, picked, sizeof picked), GT_OK);
	assert_int_equal(gt_read(w, all, sizeof all), GT_OK);
	assert_memory_equal(picked, all + 16, 16);
	assert_memory_equal(picked + 4, all, 16);
	assert_memory_equal(picked + 8, all + 16, 16);
	gt_module_free(norm);
	gt_module_free(rows);
	gt_close(gt);
}

static void dropout_drops_in_training_only(void **state)
{
	gt_client *gt = open_client();
	gt_module *m = gt_sequential(gt, gt_dropout_layer(gt, 0.25), gt_relu_layer(gt));
	gt_tensor *x = gt_ones(gt, GT_SHAPE(4000));
	double kept = gt_item(gt_sum(gt_cast(gt_gt(gt_forward(m, x), 0), GT_FLOAT32)));

	(void)state;
	assert_true(kept > 2800 && kept < 3200);
	assert_true(fabs(gt_item(gt_max(gt_forward(m, x))) - 1 / 0.75) < 1e-6);
	gt_module_train(m, false);
	assert_false(gt_module_training(gt_module_child(m, "0")));
	assert_true(gt_item(gt_sum(gt_forward(m, x))) == 4000);
	gt_module_free(m);
	gt_close(gt);
}

/* ---- the tree ------------------------------------------------------------------------------ */

static void write_path(void *ctx, const char *path, gt_tensor *x, bool is_parameter)
{
	(void)x;
	strcat(ctx, path);
	strcat(ctx, is_parameter ? " " : "! ");
}

static void count_kind(void *ctx, gt_module *m)
{
	*(int *)ctx += !strcmp(gt_module_kind(m), "Linear");
}

static void state_is_named_by_path_in_order(void **state)
{
	gt_client *gt = open_client();
	gt_module *inner = gt_sequential(gt, gt_linear(gt, 2, 2), gt_tanh_layer(gt));
	gt_module *m = gt_sequential(gt, inner, gt_linear(gt, 2, 1, .no_bias = true));
	char paths[200] = "";
	int linears = 0;
	gt_tensor *list[3];

	(void)state;
	assert_int_equal(gt_module_add_buffer(m, "steps", gt_zeros(gt, GT_SHAPE())), GT_OK);
	gt_module_state(m, write_path, paths);
	assert_string_equal(paths, "0.0.weight 0.0.bias 1.weight steps! ");
	assert_int_equal(gt_module_parameters(m, list, 3), 3);
	assert_ptr_equal(list[1], gt_module_tensor(m, "0.0.bias"));
	gt_module_apply(m, count_kind, &linears);
	assert_int_equal(linears, 2);
	gt_module_free(m);
	gt_close(gt);
}

/* Paths are as long as trees are deep. */
static void deep_trees_have_all_their_state(void **state)
{
	gt_client *gt = open_client();
	gt_module *m = gt_linear(gt, 1, 1);
	gt_tensor *weight = gt_module_tensor(m, "weight"), *list[2];
	char path[50 * 1000] = "", found[2 * sizeof path] = "";

	(void)state;
	for (int k = 0; k < 2000; k++) {
		m = gt_sequential(gt, m);
		strcat(path, "0.");
	}
	strcat(path, "weight");
	assert_int_equal(gt_module_parameters(m, list, 2), 2);
	assert_ptr_equal(list[0], weight);
	assert_ptr_equal(gt_module_tensor(m, path), weight);
	gt_module_state(m, write_path, found);
	assert_memory_equal(found, path, strlen(path));
	gt_module_free(m);
	gt_close(gt);
}

static void null_modules_propagate(void **state)
{
	gt_client *gt = open_client();

	(void)state;
	gt_clear_error();
	assert_null(gt_forward(NULL, gt_ones(gt, GT_SHAPE(1))));
	expect_error(GT_EINVAL, "got NULL");
	gt_clear_error();
	assert_null(gt_module_tensor(NULL, "weight"));
	expect_error(GT_EINVAL, "got NULL");
	assert_null(gt_module_child(NULL, "0"));
	assert_null(gt_module_kind(NULL));
	assert_null(gt_module_client(NULL));
	assert_null(gt_module_data(NULL));
	assert_false(gt_module_training(NULL));
	assert_true(isnan(gt_optim_lr(NULL)));
	gt_optim_set_lr(NULL, 1);
	gt_close(gt);
}

static void mistakes_are_named(void **state)
{
	gt_client *gt = open_client();
	gt_module *m = gt_sequential(gt, gt_linear(gt, 3, 2), gt_relu_layer(gt));

	(void)state;
	assert_null(gt_module_tensor(m, "0.wieght"));
	expect_error(GT_EINVAL, "it has weight, bias");
	assert_null(gt_module_tensor(m, "0"));
	expect_error(GT_EINVAL, "'0' is a module");
	assert_int_equal(gt_module_add(m, "a.b", gt_relu_layer(gt)), GT_EINVAL);
	assert_int_equal(gt_module_add(m, "1", gt_relu_layer(gt)), GT_EINVAL);
	expect_error(GT_EINVAL, "already");
	assert_int_equal(gt_module_load(m, "0.bias", gt_zeros(gt, GT_SHAPE(3))), GT_ESHAPE);
	assert_null(gt_linear(gt, 0, 4));
	expect_error(GT_EINVAL, "number of inputs");
	gt_clear_error();
	assert_null(gt_sequential(gt, gt_relu_layer(gt), gt_linear(gt, -1, 4)));
	expect_error(GT_EINVAL, "number of inputs");
	gt_clear_error();
	assert_null(gt_forward(m, gt_ones(gt, GT_SHAPE(5, 4))));
	expect_error(GT_ESHAPE, "(5, 4)");
	assert_null(gt_dropout_layer(gt, 1.5));
	assert_null(gt_sgd(m, .lr = -1));
	gt_module_free(m);
	gt_close(gt);
}

/* ---- optimisers ---------------------------------------------------------------------------- */

/* The gradient of sum(c * w) is c: three steps with known gradients. */
typedef struct trial { gt_client *gt; gt_tensor *w; float at[2]; } trial;
static const float gradients[3][2] = { { 0.5f, -2 }, { 1, 1 }, { -0.25f, 3 } };

static trial begin_trial(void)
{
	trial t = { open_client(), NULL, { 1, -1 } };

	t.w = gt_requires_grad(gt_from(t.gt, GT_FLOAT32, GT_SHAPE(2), t.at));
	return t;
}

static void step_trial(trial *t, gt_optim *o, int k)
{
	gt_tensor *c = gt_from(t->gt, GT_FLOAT32, GT_SHAPE(2), gradients[k]);

	gt_zero_grad(o);
	assert_int_equal(gt_backward(gt_sum(gt_mul(c, t->w))), GT_OK);
	assert_int_equal(gt_step(o), GT_OK);
}

static void end_trial(trial *t, gt_optim *o)
{
	expect(t->w, t->at, 2, 2e-6f);
	gt_optim_free(o);
	gt_close(t->gt);
}

static void sgd_case(gt_sgd_options p)
{
	trial t = begin_trial();
	gt_optim *o = gt_sgd_of(&t.w, 1, p);
	double b[2] = { 0 };

	for (int k = 0; k < 3; k++) {
		step_trial(&t, o, k);
		for (int j = 0; j < 2; j++) {
			double d = gradients[k][j] + p.weight_decay * t.at[j];

			b[j] = k ? p.momentum * b[j] + (1 - p.dampening) * d : d;
			if (p.momentum != 0)
				d = p.nesterov ? d + p.momentum * b[j] : b[j];
			t.at[j] = (float)(t.at[j] - p.lr * d);
		}
	}
	end_trial(&t, o);
}

static void sgd_follows_its_formula(void **state)
{
	(void)state;
	sgd_case((gt_sgd_options){ .lr = 0.1 });
	sgd_case((gt_sgd_options){ .lr = 0.1, .momentum = 0.9, .weight_decay = 0.01 });
	sgd_case((gt_sgd_options){ .lr = 0.1, .momentum = 0.9, .dampening = 0.5 });
	sgd_case((gt_sgd_options){ .lr = 0.1, .momentum = 0.8, .nesterov = true });
}

static void adam_case(gt_adam_options p, bool decoupled)
{
	trial t = begin_trial();
	gt_optim *o = decoupled ? gt_adamw_of(&t.w, 1, p) : gt_adam_of(&t.w, 1, p);
	double m[2] = { 0 }, v[2] = { 0 };

	for (int k = 0; k < 3; k++) {
		step_trial(&t, o, k);
		for (int j = 0; j < 2; j++) {
			double w = t.at[j];
			double g = gradients[k][j] + (decoupled ? 0 : p.weight_decay * w);

			if (decoupled)
				w -= p.lr * p.weight_decay * w;
			m[j] = p.beta1 * m[j] + (1 - p.beta1) * g;
			v[j] = p.beta2 * v[j] + (1 - p.beta2) * g * g;
			w -= p.lr * (m[j] / (1 - pow(p.beta1, k + 1))) /
				(sqrt(v[j] / (1 - pow(p.beta2, k + 1))) + p.eps);
			t.at[j] = (float)w;
		}
	}
	end_trial(&t, o);
}

static void adam_follows_its_formula(void **state)
{
	gt_adam_options p = { .lr = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-3,
		.weight_decay = 0.1 };

	(void)state;
	adam_case(p, false);
	adam_case(p, true);
	p.weight_decay = 0;
	adam_case(p, false);
}

static void clipping_scales_all_gradients_together(void **state)
{
	gt_client *gt = open_client();
	gt_tensor *list[3] = { gt_requires_grad(gt_zeros(gt, GT_SHAPE(1))),
		gt_requires_grad(gt_zeros(gt, GT_SHAPE(1))),
		gt_requires_grad(gt_zeros(gt, GT_SHAPE(1))) };
	const float half[] = { 1.5f }, other[] = { 2 };

	(void)state;
	gt_backward(gt_sum(gt_add(gt_mul(list[0], 3.0), gt_mul(list[2], 4.0))));
	assert_true(gt_item(gt_clip_grad_norm(list, 3, 2.5)) == 5);
	expect(gt_grad(list[0]), half, 1, 1e-6f);
	expect(gt_grad(list[2]), other, 1, 1e-6f);
	assert_null(gt_grad(list[1]));
	gt_clip_grad_norm(list, 3, 100);
	expect(gt_grad(list[0]), half, 1, 1e-6f);
	gt_close(gt);
}

static void a_small_network_learns(void **state)
{
	gt_client *gt = open_client();
	gt_module *net = gt_sequential(gt, gt_linear(gt, 4, 16), gt_gelu_layer(gt),
		gt_linear(gt, 16, 1));
	gt_optim *opt = gt_adam(net, .lr = 0.01);
	gt_tensor *x = gt_randn(gt, GT_SHAPE(64, 4));
	gt_tensor *y = gt_sin(gt_sum(x, .axis = 1, .keepdims = true));
	double first = 0, last = 0;

	(void)state;
	for (int k = 0; k < 300; k++) {
		gt_scope *s = gt_scope_begin(gt);
		gt_tensor *loss = gt_mse_loss(gt_forward(net, x), y);

		gt_zero_grad(opt);
		gt_backward(loss);
		assert_int_equal(gt_step(opt), GT_OK);
		last = gt_item(loss);
		if (!k)
			first = last;
		gt_scope_end(s);
	}
	assert_true(last < first / 5);
	gt_optim_free(opt);
	gt_module_free(net);
	gt_close(gt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear_computes_x_wt_plus_b),
		cmocka_unit_test(initial_weights_lie_within_their_bound),
		cmocka_unit_test(layer_norm_and_embedding_start_as_documented),
		cmocka_unit_test(dropout_drops_in_training_only),
		cmocka_unit_test(state_is_named_by_path_in_order),
		cmocka_unit_test(deep_trees_have_all_their_state),
		cmocka_unit_test(null_modules_propagate),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(sgd_follows_its_formula),
		cmocka_unit_test(adam_follows_its_formula),
		cmocka_unit_test(clipping_scales_all_gradients_together),
		cmocka_unit_test(a_small_network_learns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
