/* layers.c: the layers of gt/nn.h. */
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>

/* End the making of a layer: its initial tensors were made in scope `s`. */
static gt_module *finish(gt_scope *s, gt_module *m, gt_err e)
{
	gt_scope_end(s);
	if (!e)
		return m;
	gt_module_free(m);
	return NULL;
}

static gt_err check_size(const char *kind, const char *what, int64_t n)
{
	if (n > 0)
		return GT_OK;
	return fail(GT_EINVAL, "%s: %s must be at least 1, got %lld", kind, what, (long long)n);
}

/* ---- linear ---------------------------------------------------------------------------------- */

static gt_tensor *uniform(gt_client *gt, gt_shape shape, double bound)
{
	return gt_sub(gt_mul(gt_rand(gt, shape), 2 * bound), bound);
}

static gt_tensor *linear_forward(const gt_site *site, gt_module *m, gt_tensor *x)
{
	gt_tensor *weight = tensor_at(m, 0), *bias = tensor_at(m, 1);
	gt_tensor *y = gt_matmul_at(site, x, gt_transpose_at(site, weight, 0, 1));

	return bias ? gt_add_at(site, gt_arg_tensor(y), gt_arg_tensor(bias)) : y;
}

/* Kaiming uniform with a = sqrt(5) comes to +-1/sqrt(in) for the weight, PyTorch's bound for the
 * bias. */
gt_module *gt_linear_with(gt_client *gt, int64_t in, int64_t out, gt_linear_options options)
{
	gt_module *m = gt_module_new(gt, "Linear", linear_forward, 0);
	gt_scope *s = m ? gt_scope_begin(gt) : NULL;
	const double bound = 1 / sqrt((double)in);
	gt_err e;

	if (!m)
		return NULL;
	if (!(e = check_size("Linear", "the number of inputs", in)) &&
	    !(e = check_size("Linear", "the number of outputs", out)))
		e = gt_module_add_parameter(m, "weight", uniform(gt, GT_SHAPE(out, in), bound));
	if (!e && !options.no_bias)
		e = gt_module_add_parameter(m, "bias", uniform(gt, GT_SHAPE(out), bound));
	return finish(s, m, e);
}

/* ---- embedding, layer norm, dropout ---------------------------------------------------------- */

static gt_tensor *embedding_forward(const gt_site *site, gt_module *m, gt_tensor *x)
{
	return gt_embedding_at(site, tensor_at(m, 0), x);
}

gt_module *gt_embedding_layer(gt_client *gt, int64_t n, int64_t width)
{
	gt_module *m = gt_module_new(gt, "Embedding", embedding_forward, 0);
	gt_scope *s = m ? gt_scope_begin(gt) : NULL;
	gt_err e;

	if (!m)
		return NULL;
	if (!(e = check_size("Embedding", "the number of rows", n)) &&
	    !(e = check_size("Embedding", "the width", width)))
		e = gt_module_add_parameter(m, "weight", gt_randn(gt, GT_SHAPE(n, width)));
	return finish(s, m, e);
}

static gt_tensor *layer_norm_forward(const gt_site *site, gt_module *m, gt_tensor *x)
{
	const double eps = *(double *)gt_module_data(m);

	return gt_layer_norm_at(site, x, 1, tensor_at(m, 0), tensor_at(m, 1), eps);
}

gt_module *gt_layer_norm_layer(gt_client *gt, int64_t width, double eps)
{
	gt_module *m = gt_module_new(gt, "LayerNorm", layer_norm_forward, sizeof eps);
	gt_scope *s = m ? gt_scope_begin(gt) : NULL;
	gt_err e;

	if (!m)
		return NULL;
	*(double *)gt_module_data(m) = eps;
	if (!(e = check_size("LayerNorm", "the width", width)) &&
	    !(e = gt_module_add_parameter(m, "weight", gt_ones(gt, GT_SHAPE(width)))))
		e = gt_module_add_parameter(m, "bias", gt_zeros(gt, GT_SHAPE(width)));
	return finish(s, m, e);
}

static gt_tensor *dropout_forward(const gt_site *site, gt_module *m, gt_tensor *x)
{
	return gt_dropout_at(site, x, *(double *)gt_module_data(m), gt_module_training(m));
}

gt_module *gt_dropout_layer(gt_client *gt, double p)
{
	gt_module *m;

	if (!(p >= 0 && p <= 1)) {
		fail(GT_EINVAL, "Dropout: the probability must be between 0 and 1, got %g", p);
		return NULL;
	}
	m = gt_module_new(gt, "Dropout", dropout_forward, sizeof p);
	if (m)
		*(double *)gt_module_data(m) = p;
	return m;
}

/* ---- activations, sequences ------------------------------------------------------------------ */

typedef struct activation { gt_tensor *(*function)(const gt_site *, gt_tensor *); } activation;

static gt_tensor *activation_forward(const gt_site *site, gt_module *m, gt_tensor *x)
{
	return ((activation *)gt_module_data(m))->function(site, x);
}

gt_module *gt_activation(gt_client *gt, const char *kind,
		gt_tensor *(*function)(const gt_site *, gt_tensor *))
{
	gt_module *m = gt_module_new(gt, kind, activation_forward, sizeof(activation));

	if (m)
		((activation *)gt_module_data(m))->function = function;
	return m;
}

static gt_tensor *sequential_forward(const gt_site *site, gt_module *m, gt_tensor *x)
{
	gt_module *child;

	for (size_t k = 0; (child = module_at(m, k)); k++)
		x = gt_forward_at(site, child, x);
	return x;
}

gt_module *gt_sequential_of(gt_client *gt, gt_module *const *list, int n)
{
	gt_module *m = gt_module_new(gt, "Sequential", sequential_forward, 0);
	gt_err e = m ? GT_OK : gt_last_error_code();

	for (int k = 0; k < n; k++) {
		char name[16];

		snprintf(name, sizeof name, "%d", k);
		if (e || !m)
			gt_module_free(list[k]);
		else
			e = gt_module_add(m, name, list[k]);
	}
	if (!e)
		return m;
	gt_module_free(m);
	return NULL;
}
