/* gt/nn.h: layers and optimisers in C, on the public tensor API alone.
 *
 *	gt_module *net = gt_sequential(gt, gt_linear(gt, 64, 128), gt_relu_layer(gt),
 *		gt_linear(gt, 128, 10));
 *	gt_optim *opt = gt_sgd(net, .lr = 0.1);
 *	...
 *	gt_zero_grad(opt);
 *	gt_backward(gt_cross_entropy(gt_forward(net, x), y));
 *	gt_step(opt);
 *
 * For clients with scopes (not options.manual). Modules and optimisers own their tensors whatever
 * scope they were made in; free both before gt_close. NULL modules and tensors propagate as
 * everywhere: the first error's text is kept.
 */
#ifndef GT_NN_H
#define GT_NN_H

#include <gt/gt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- modules --------------------------------------------------------------------------------- */

typedef struct gt_module gt_module;

/* What a kind of module computes. `site` is the user's place of the gt_forward call. */
typedef gt_tensor *gt_forward_fn(const gt_site *site, gt_module *m, gt_tensor *x);

/* An empty module of your own kind, with `extra` zeroed bytes at gt_module_data. `kind`
 * ("Linear") must stay valid. */
GT_API gt_module *gt_module_new(gt_client *gt, const char *kind, gt_forward_fn *forward,
		size_t extra);
/* With its children, parameters and buffers. NULL is fine. */
GT_API void gt_module_free(gt_module *m);
GT_API void *gt_module_data(gt_module *m);
GT_API const char *gt_module_kind(const gt_module *m);
GT_API gt_client *gt_module_client(const gt_module *m);

/* Names are copied, are unique in their module and hold no dot. A parameter comes to require a
 * gradient; a buffer is state without one. The module keeps `x` for itself. GT_EINVAL for a
 * bad name. */
GT_API gt_err gt_module_add_parameter(gt_module *m, const char *name, gt_tensor *x);
GT_API gt_err gt_module_add_buffer(gt_module *m, const char *name, gt_tensor *x);
/* Takes `child`, also on error. */
GT_API gt_err gt_module_add(gt_module *m, const char *name, gt_module *child);

/* By dotted path, "0.weight" or "encoder.0"; borrowed. NULL (GT_EINVAL, the text names the
 * module and what it has) if there is none. */
GT_API gt_tensor *gt_module_tensor(gt_module *m, const char *path);
GT_API gt_module *gt_module_child(gt_module *m, const char *path);

/* All parameters and buffers, depth first, in the order they were added: named parameters and
 * the state. */
typedef void gt_state_fn(void *ctx, const char *path, gt_tensor *x, bool is_parameter);
GT_API void gt_module_state(gt_module *m, gt_state_fn *each, void *ctx);
/* x[...] = value for the tensor at `path`: loads one entry of a state. Shapes must be equal
 * (GT_ESHAPE). */
GT_API gt_err gt_module_load(gt_module *m, const char *path, gt_tensor *value);
/* Writes at most `room` parameters to out (borrowed), returns how many there are. */
GT_API int gt_module_parameters(gt_module *m, gt_tensor **out, int room);
/* m and all modules below it, children first. */
GT_API void gt_module_apply(gt_module *m, void (*each)(void *ctx, gt_module *m), void *ctx);

/* Training mode (the default), for m and all below: dropout drops. */
GT_API void gt_module_train(gt_module *m, bool on);
GT_API bool gt_module_training(const gt_module *m);

GT_API gt_tensor *gt_forward_at(const gt_site *, gt_module *m, gt_tensor *x);
#define gt_forward(m, x) gt_forward_at(GT_HERE, m, x)

/* From now on each forward pass of m is compiled as a whole, or left alone (GT_COMPILE_OFF), as
 * between gt_compile_begin and gt_compile_end. Nothing else about m changes. */
GT_API gt_err gt_compile(gt_module *m, gt_compile_mode mode);

/* ---- layers; weights are initialised as PyTorch does
 * ------------------------------------------- */

/* x W^T + b over the last dim: (..., in) -> (..., out); weight (out, in), bias (out), both
 * uniform in +-1/sqrt(in). */
typedef struct gt_linear_options { bool no_bias; } gt_linear_options;
GT_API gt_module *gt_linear_with(gt_client *gt, int64_t in, int64_t out, gt_linear_options options);
#define gt_linear(gt, in, out, ...) gt_linear_with(gt, in, out, (gt_linear_options){ __VA_ARGS__ })

/* Rows of weight (n, width), standard normal, by an integer tensor: (...) -> (..., width). */
GT_API gt_module *gt_embedding_layer(gt_client *gt, int64_t n, int64_t width);

/* gt_layer_norm over the last dim with weight (ones) and bias (zeros). */
GT_API gt_module *gt_layer_norm_layer(gt_client *gt, int64_t width, double eps);

/* gt_dropout with probability p, in training mode. */
GT_API gt_module *gt_dropout_layer(gt_client *gt, double p);

/* A function without parameters as a module: gt_activation(gt, "ReLU", gt_relu_at). */
GT_API gt_module *gt_activation(gt_client *gt, const char *kind,
		gt_tensor *(*function)(const gt_site *, gt_tensor *));
#define gt_relu_layer(gt) gt_activation(gt, "ReLU", gt_relu_at)
#define gt_gelu_layer(gt) gt_activation(gt, "GELU", gt_gelu_at)
#define gt_tanh_layer(gt) gt_activation(gt, "Tanh", gt_tanh_at)
#define gt_sigmoid_layer(gt) gt_activation(gt, "Sigmoid", gt_sigmoid_at)

/* One after the other; children are named "0", "1", ... Takes them; any NULL gives NULL (and
 * frees the others). */
GT_API gt_module *gt_sequential_of(gt_client *gt, gt_module *const *list, int n);
#define gt_sequential(gt, ...) gt_sequential_of(gt, (gt_module *[]){ __VA_ARGS__ }, \
	(int)(sizeof((gt_module *[]){ __VA_ARGS__ }) / sizeof(gt_module *)))

/* ---- optimisers; formulas: documentation of torch.optim, 2.x
 * ------------------------------------ */

typedef struct gt_optim gt_optim;

/* d = g + weight_decay w; b = momentum b + (1 - dampening) d (first: b = d); d = nesterov ? d
 * + momentum b : b; w = w - lr d. */
typedef struct gt_sgd_options {
	double lr, momentum, dampening, weight_decay;
	bool nesterov;
} gt_sgd_options;

/* Adam (D. Kingma, J. Ba, 2015) and AdamW (I. Loshchilov, F. Hutter, 2019): m = beta1 m + (1 -
 * beta1) g; v = beta2 v + (1 - beta2) g^2; w = w - lr (m / (1 - beta1^t)) / (sqrt(v / (1 -
 * beta2^t)) + eps). Weight decay: Adam adds weight_decay w to g, AdamW first takes lr
 * weight_decay w from w. */
typedef struct gt_adam_options {
	double lr, beta1, beta2, eps, weight_decay;
} gt_adam_options;

/* For all parameters of a module, which must outlive the optimiser; or, "_of", for a list of
 * leaves. */
GT_API gt_optim *gt_sgd_with(gt_module *m, gt_sgd_options options);
GT_API gt_optim *gt_sgd_of(gt_tensor *const *list, int n, gt_sgd_options options);
GT_API gt_optim *gt_adam_with(gt_module *m, gt_adam_options options);
GT_API gt_optim *gt_adam_of(gt_tensor *const *list, int n, gt_adam_options options);
GT_API gt_optim *gt_adamw_with(gt_module *m, gt_adam_options options);
GT_API gt_optim *gt_adamw_of(gt_tensor *const *list, int n, gt_adam_options options);
/* Unless named: SGD lr 0.001; Adam lr 0.001, beta1 0.9, beta2 0.999, eps 1e-8, weight_decay 0;
 * AdamW weight_decay 0.01. */
#define GT_SGD_OPTIONS(...) GT_PRESET(gt_sgd_options, (.lr = 0.001), ##__VA_ARGS__)
#define GT_ADAM_OPTIONS(...) \
	GT_PRESET(gt_adam_options, (.lr = 0.001, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8), \
		##__VA_ARGS__)
#define gt_sgd(m, ...) gt_sgd_with(m, GT_SGD_OPTIONS(__VA_ARGS__))
#define gt_adam(m, ...) gt_adam_with(m, GT_ADAM_OPTIONS(__VA_ARGS__))
#define gt_adamw(m, ...) gt_adamw_with(m, GT_ADAM_OPTIONS(.weight_decay = 0.01, ##__VA_ARGS__))

GT_API void   gt_optim_free(gt_optim *o);                 /* NULL is fine */
GT_API void   gt_zero_grad(gt_optim *o);                  /* forget the gradients */
/* Update every parameter that has a gradient. */
GT_API gt_err gt_step_at(const gt_site *, gt_optim *o);
#define gt_step(o) gt_step_at(GT_HERE, o)
#define gt_sgd_step(o) gt_step(o)
GT_API double gt_optim_lr(const gt_optim *o);
GT_API void   gt_optim_set_lr(gt_optim *o, double lr);

/* Scale the gradients of the list so that their joint 2-norm is at most max_norm: g * min(1,
 * max_norm / (norm + 1e-6)). Returns the norm before (a tensor, not read). */
GT_API gt_tensor *gt_clip_grad_norm_at(const gt_site *, gt_tensor *const *list, int n,
		double max_norm);
#define gt_clip_grad_norm(list, n, max_norm) gt_clip_grad_norm_at(GT_HERE, list, n, max_norm)

#ifdef __cplusplus
}
#endif
#endif
