/* gt/calls.h: the macros that users write: each passes the place of the call (GT_HERE) and its
 * optional arguments to the function described in gt/gt.h. Those made from the op table are in
 * gt/ops.h.
 */
#ifndef GT_CALLS_H
#define GT_CALLS_H

/* Creation; trailing option: .dtype = GT_INT64 */
/* The last argument may be a compound literal: (const float[]){ 1, 2 }. */
#define gt_from(gt, dtype, shape, ...) gt_from_at(GT_HERE, gt, dtype, shape, __VA_ARGS__)
#define gt_full(gt, shape, value, ...) \
	gt_full_at(GT_HERE, gt, shape, GT_ARG(value), (gt_make){ __VA_ARGS__ })
#define gt_zeros(gt, shape, ...) \
	gt_full_at(GT_HERE, gt, shape, gt_arg_float(0), (gt_make){ __VA_ARGS__ })
#define gt_ones(gt, shape, ...) \
	gt_full_at(GT_HERE, gt, shape, gt_arg_float(1), (gt_make){ __VA_ARGS__ })
#define gt_full_like(x, value, ...) \
	gt_full_like_at(GT_HERE, x, GT_ARG(value), (gt_make){ __VA_ARGS__ })
#define gt_zeros_like(x, ...) \
	gt_full_like_at(GT_HERE, x, gt_arg_int(0), (gt_make){ __VA_ARGS__ })
#define gt_ones_like(x, ...) \
	gt_full_like_at(GT_HERE, x, gt_arg_int(1), (gt_make){ __VA_ARGS__ })
#define gt_rand(gt, shape, ...) gt_rand_at(GT_HERE, gt, shape, (gt_make){ __VA_ARGS__ })
#define gt_randn(gt, shape, ...) gt_randn_at(GT_HERE, gt, shape, (gt_make){ __VA_ARGS__ })
#define gt_rand_like(x, ...) gt_rand_like_at(GT_HERE, x, (gt_make){ __VA_ARGS__ })
#define gt_randn_like(x, ...) gt_randn_like_at(GT_HERE, x, (gt_make){ __VA_ARGS__ })
#define gt_randint(gt, low, high, shape, ...) \
	gt_randint_at(GT_HERE, gt, low, high, shape, (gt_make){ __VA_ARGS__ })
#define gt_arange(gt, start, stop, step, ...) \
	gt_arange_at(GT_HERE, gt, GT_ARG(start), GT_ARG(stop), GT_ARG(step), \
		(gt_make){ __VA_ARGS__ })
#define gt_linspace(gt, start, stop, n, ...) \
	gt_linspace_at(GT_HERE, gt, start, stop, n, (gt_make){ __VA_ARGS__ })
#define gt_eye(gt, n, m, ...) gt_eye_at(GT_HERE, gt, n, m, (gt_make){ __VA_ARGS__ })

/* Numbers. */
#define gt_matmul(a, b) gt_matmul_at(GT_HERE, a, b)
#define gt_var(x, ...) gt_var_with_(GT_HERE, x, GT_SPREAD(__VA_ARGS__))
#define gt_std(x, ...) gt_std_with_(GT_HERE, x, GT_SPREAD(__VA_ARGS__))
static inline gt_tensor *gt_var_with_(const gt_site *s, gt_tensor *x, gt_spread o)
{
	return gt_var_at(s, x, o.correction, o.reduce);
}
static inline gt_tensor *gt_std_with_(const gt_site *s, gt_tensor *x, gt_spread o)
{
	return gt_std_at(s, x, o.correction, o.reduce);
}
#define gt_cast(x, dtype) gt_cast_at(GT_HERE, x, dtype)

/* Shape. */
#define gt_detach(x) gt_detach_at(GT_HERE, x)
#define gt_reshape(x, shape) gt_reshape_at(GT_HERE, x, shape)
#define gt_permute(x, order) gt_permute_at(GT_HERE, x, order)
#define gt_transpose(x, a, b) gt_transpose_at(GT_HERE, x, a, b)
#define gt_squeeze(x, axis) gt_squeeze_at(GT_HERE, x, axis)
#define gt_unsqueeze(x, axis) gt_unsqueeze_at(GT_HERE, x, axis)
#define gt_expand(x, shape) gt_expand_at(GT_HERE, x, shape)
/* gt_flatten(x, .first = 1): dims first .. last become one; all unless named. */
#define gt_flatten(x, ...) \
	gt_flatten_with_(GT_HERE, x, GT_PRESET(gt_range, (.first = 0, .last = -1), ##__VA_ARGS__))
static inline gt_tensor *gt_flatten_with_(const gt_site *s, gt_tensor *x, gt_range o)
{
	return gt_flatten_at(s, x, o.first, o.last);
}
#define gt_split(x, size, axis, out) gt_split_at(GT_HERE, x, size, axis, out)
#define gt_flip(x, axes) gt_flip_at(GT_HERE, x, axes)
/* gt_cat(list, n, axis), gt_stack(list, n, axis); the list may be a compound literal. */
#define gt_cat(...) gt_cat_at(GT_HERE, __VA_ARGS__)
#define gt_stack(...) gt_stack_at(GT_HERE, __VA_ARGS__)
#define gt_tril(x, ...) gt_tril_at(GT_HERE, x, ((gt_diagonal){ __VA_ARGS__ }).diagonal)
#define gt_triu(x, ...) gt_triu_at(GT_HERE, x, ((gt_diagonal){ __VA_ARGS__ }).diagonal)

/* By index. */
#define gt_gather(x, index, axis) gt_gather_at(GT_HERE, x, index, axis)
#define gt_scatter_add(x, index, source, axis) \
	gt_scatter_add_at(GT_HERE, x, index, source, axis)
#define gt_index_select(x, index, axis) gt_index_select_at(GT_HERE, x, index, axis)
#define gt_embedding(weight, index) gt_embedding_at(GT_HERE, weight, index)
#define gt_one_hot(index, classes) gt_one_hot_at(GT_HERE, index, classes)
#define GT_LIST_(...) (const gt_index[]){ __VA_ARGS__ }, \
	(int)(sizeof((const gt_index[]){ __VA_ARGS__ }) / sizeof(gt_index))
#define gt_index(x, ...) gt_index_at(GT_HERE, x, GT_LIST_(__VA_ARGS__))
#define gt_index_set(x, value, ...) \
	gt_index_set_at(GT_HERE, x, GT_LIST_(__VA_ARGS__), GT_ARG(value))

/* In place. */
#define gt_copy(x, value) gt_copy_at(GT_HERE, x, GT_ARG(value))
#define gt_update(x, op, value) gt_update_at(GT_HERE, x, op, GT_ARG(value))

/* Functional nn. */
typedef struct gt_norm_options_ { gt_tensor *weight, *bias; double eps; } gt_norm_options_;
#define gt_layer_norm(x, ndims, ...) \
	gt_layer_norm_with_(GT_HERE, x, ndims, \
		GT_PRESET(gt_norm_options_, (.eps = 1e-5), ##__VA_ARGS__))
static inline gt_tensor *gt_layer_norm_with_(const gt_site *s, gt_tensor *x, int ndims,
		gt_norm_options_ o)
{
	return gt_layer_norm_at(s, x, ndims, o.weight, o.bias, o.eps);
}
#define gt_dropout(x, p, training) gt_dropout_at(GT_HERE, x, p, training)
/* Losses; trailing option: .reduction = GT_SUM; of classes also: .ignore_index = -1 */
#define gt_cross_entropy(logits, target, ...) \
	gt_cross_entropy_at(GT_HERE, logits, target, GT_CLASS_LOSS(__VA_ARGS__))
#define gt_nll_loss(log_probs, target, ...) \
	gt_nll_loss_at(GT_HERE, log_probs, target, GT_CLASS_LOSS(__VA_ARGS__))
#define gt_mse_loss(x, y, ...) \
	gt_mse_loss_at(GT_HERE, x, y, ((gt_loss){ __VA_ARGS__ }).reduction)
#define gt_binary_cross_entropy(x, y, ...) \
	gt_binary_cross_entropy_at(GT_HERE, x, y, ((gt_loss){ __VA_ARGS__ }).reduction)
#define gt_binary_cross_entropy_with_logits(x, y, ...) \
	gt_binary_cross_entropy_with_logits_at(GT_HERE, x, y, \
		((gt_loss){ __VA_ARGS__ }).reduction)
typedef struct gt_attention_options_ {
	gt_tensor *mask;
	double dropout;
	bool causal;
	double scale;
} gt_attention_options_;
#define gt_scaled_dot_product_attention(q, k, v, ...) \
	gt_attention_with_(GT_HERE, q, k, v, GT_PRESET(gt_attention_options_, \
		(.scale = __builtin_nan("")), ##__VA_ARGS__))
static inline gt_tensor *gt_attention_with_(const gt_site *s, gt_tensor *q, gt_tensor *k,
		gt_tensor *v, gt_attention_options_ o)
{
	return gt_scaled_dot_product_attention_at(s, q, k, v, o.mask, o.dropout, o.causal, o.scale);
}

/* Gradients. */
typedef struct gt_backward_options_ {
	gt_tensor *gradient;
	bool retain_graph;
} gt_backward_options_;
#define gt_backward(x, ...) \
	gt_backward_with_(GT_HERE, x, (gt_backward_options_){ __VA_ARGS__ })
static inline gt_err gt_backward_with_(const gt_site *s, gt_tensor *x, gt_backward_options_ o)
{
	return gt_backward_at(s, x, o.gradient, o.retain_graph);
}
/* gt_gradients(outputs, 1, inputs, 2, out, .create_graph = true) */
typedef struct gt_gradients_options_ {
	gt_tensor *const *seeds;
	bool retain_graph, create_graph, allow_unused;
} gt_gradients_options_;
#define gt_gradients(outputs, n_out, inputs, n_in, out, ...) \
	gt_gradients_with_(GT_HERE, outputs, n_out, inputs, n_in, out, \
		(gt_gradients_options_){ __VA_ARGS__ })
static inline gt_err gt_gradients_with_(const gt_site *s, gt_tensor *const *outputs, int n_out,
		gt_tensor *const *inputs, int n_in, gt_tensor **out, gt_gradients_options_ o)
{
	return gt_gradients_at(s, outputs, o.seeds, n_out, inputs, n_in, o.retain_graph,
		o.create_graph, o.allow_unused, out);
}

#endif
