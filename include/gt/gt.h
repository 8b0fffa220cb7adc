/* gt/gt.h: GT, a multiplexing tensor framework: tensors and gradients for C.
 *
 *	gt_client *gt = gt_open(NULL);
 *	gt_tensor *w = gt_requires_grad(gt_randn(gt, GT_SHAPE(784, 10)));
 *	gt_scope *s = gt_scope_begin(gt);
 *	gt_tensor *loss = gt_mean(gt_square(gt_sub(gt_matmul(x, w), y)));
 *	gt_backward(loss);
 *	printf("%g\n", gt_item(loss));
 *	gt_scope_end(s);
 *	gt_close(gt);
 *
 * Everything is asynchronous except reading. Shape and dtype errors are reported at the call; everything else
 * (an index out of range, no memory) at the first read of a value that depends on it.
 *
 * Errors: functions return NULL or a negative gt_err; gt_last_error() has the text. A NULL tensor given to any
 * function gives NULL and keeps the first error's text, so a chain of calls needs one check, at its end.
 *
 * Ownership: a result belongs to the innermost open scope of its client (or to the client itself) and goes with it; gt_keep()
 * takes one out. With options.manual results belong to the caller, who gives each back by gt_drop().
 *
 * Threads: a client, with its tensors, belongs to one thread at a time. Clients are independent of each other.
 *
 * Functions that issue instructions are macros passing the place of the call (for error messages) to a
 * function of the same name + "_at".
 */
#ifndef GT_H
#define GT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gt/api.h>
#include <gt/dtype.h>
#include <gt/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gt_client gt_client;   /* a connection: the stream of one user */
typedef struct gt_tensor gt_tensor;   /* a handle on a value that exists or will */
typedef struct gt_scope gt_scope;     /* owns the results made while it is innermost */

/* ---- places, arguments, shapes ------------------------------------------------------------------- */

/* Where in the user's program. Must stay valid as long as the client. */
typedef struct gt_site { const char *file; int line; const char *function; } gt_site;
#define GT_HERE (__extension__({ static const gt_site gt_here_ = { __FILE__, __LINE__, __func__ }; &gt_here_; }))

/* A tensor or a C number: gt_mul(x, 2.0), gt_sub(1, x). */
typedef enum gt_arg_kind { GT_ARG_TENSOR, GT_ARG_BOOL, GT_ARG_INT, GT_ARG_FLOAT } gt_arg_kind;
typedef struct gt_arg { gt_arg_kind kind; union { gt_tensor *t; int64_t i; double f; }; } gt_arg;
static inline gt_arg gt_arg_tensor(gt_tensor *t) { gt_arg a = { GT_ARG_TENSOR, { 0 } }; a.t = t; return a; }
static inline gt_arg gt_arg_bool(bool b) { gt_arg a = { GT_ARG_BOOL, { 0 } }; a.i = b; return a; }
static inline gt_arg gt_arg_int(int64_t i) { gt_arg a = { GT_ARG_INT, { 0 } }; a.i = i; return a; }
static inline gt_arg gt_arg_float(double f) { gt_arg a = { GT_ARG_FLOAT, { 0 } }; a.f = f; return a; }
static inline gt_arg gt_arg_same(gt_arg a) { return a; }
#define GT_ARG(x) _Generic((x), gt_arg: gt_arg_same, gt_tensor *: gt_arg_tensor, bool: gt_arg_bool, \
	float: gt_arg_float, double: gt_arg_float, default: gt_arg_int)(x)

typedef struct gt_shape { int rank; int64_t dims[GT_RANK_MAX]; } gt_shape;
/* GT_SHAPE(2, 3); GT_SHAPE() is the shape of a scalar. */
#define GT_SHAPE(...) ((gt_shape){ (int)(sizeof((int64_t[]){ 0, ##__VA_ARGS__ }) / sizeof(int64_t)) - 1, { __VA_ARGS__ } })

/* ---- clients ------------------------------------------------------------------------------------- */

typedef struct gt_options {
	int manual;           /* 1: results belong to the caller (gt_drop), not to scopes */
} gt_options;

/* Start the embedded dispatcher and worker (shared by all clients of the process) and connect. NULL on error. */
GT_API gt_client *gt_open(const gt_options *options);
/* Cancel what was not read, free everything the client owned. NULL is fine. All its handles become invalid. */
GT_API void gt_close(gt_client *gt);
/* Wait until everything issued has run. GT_OK also if values were poisoned. */
GT_API gt_err gt_sync(gt_client *gt);
/* Hand over what was issued so far without waiting. */
GT_API gt_err gt_flush(gt_client *gt);
/* Restart the random numbers: the same seed gives the same numbers. */
GT_API void gt_manual_seed(gt_client *gt, uint64_t seed);
/* While a call waits, `poll` is called every 50 ms or so on the waiting thread; non-zero ends the wait with GT_EINTERRUPT. */
GT_API void gt_set_interrupt(gt_client *gt, int (*poll)(void *ctx), void *ctx);
GT_API const char *gt_version(void);

/* ---- ownership ----------------------------------------------------------------------------------- */

GT_API gt_scope  *gt_scope_begin(gt_client *gt);
GT_API void       gt_scope_end(gt_scope *s);              /* scopes end in reverse order; NULL is fine */
GT_API gt_tensor *gt_keep(gt_tensor *x);                  /* out of its scope: now the caller's; returns x */
GT_API void       gt_drop(gt_tensor *x);                  /* give back what gt_keep took; NULL is fine */

/* ---- looking at a tensor (never waits) ----------------------------------------------------------- */

GT_API gt_client *gt_client_of(const gt_tensor *x);
GT_API gt_dtype   gt_dtype_of(const gt_tensor *x);
GT_API int        gt_rank(const gt_tensor *x);
GT_API int64_t    gt_dim(const gt_tensor *x, int axis);   /* negative axes count from the end; -1 on error */
GT_API gt_shape   gt_shape_of(const gt_tensor *x);
GT_API int64_t    gt_count(const gt_tensor *x);           /* number of elements */
GT_API const char *gt_dtype_name(gt_dtype d);
GT_API size_t     gt_dtype_size(gt_dtype d);

/* ---- reading (waits) ----------------------------------------------------------------------------- */

/* Copy all elements, row-major, to `to`; `bytes` must be exactly count * dtype size. */
GT_API gt_err  gt_read(gt_tensor *x, void *to, size_t bytes);
/* The one element of a tensor of one element. NaN / 0 on error: see gt_last_error_code(). */
GT_API double  gt_item(gt_tensor *x);
GT_API int64_t gt_item_int(gt_tensor *x);

/* Reading in steps: begin issues the read; wait may run on another thread or without the lock that guards the client;
 * data is then valid (contiguous, read-only, no copy) until end. Each begin needs its end. */
typedef struct gt_fetch gt_fetch;
GT_API gt_fetch   *gt_fetch_begin(gt_tensor *x);          /* NULL on error */
GT_API bool        gt_fetch_ready(const gt_fetch *f);
GT_API gt_err      gt_fetch_wait(gt_fetch *f);
GT_API const void *gt_fetch_data(const gt_fetch *f);      /* NULL for zero elements, or before it is ready */
GT_API void        gt_fetch_end(gt_fetch *f);             /* any thread; also after gt_close */

/* ---- creation ------------------------------------------------------------------------------------ */

typedef struct gt_make { gt_dtype dtype; } gt_make;       /* GT_DTYPE_NONE: float32 (full, arange: by the values; *_like: the same) */

GT_API gt_tensor *gt_from_at(const gt_site *, gt_client *gt, gt_dtype dtype, gt_shape shape, const void *data);
GT_API gt_tensor *gt_full_at(const gt_site *, gt_client *gt, gt_shape shape, gt_arg value, gt_make options);
GT_API gt_tensor *gt_rand_at(const gt_site *, gt_client *gt, gt_shape shape, gt_make options);
GT_API gt_tensor *gt_randn_at(const gt_site *, gt_client *gt, gt_shape shape, gt_make options);
GT_API gt_tensor *gt_randint_at(const gt_site *, gt_client *gt, int64_t low, int64_t high, gt_shape shape, gt_make options);
GT_API gt_tensor *gt_arange_at(const gt_site *, gt_client *gt, gt_arg start, gt_arg stop, gt_arg step, gt_make options);
GT_API gt_tensor *gt_linspace_at(const gt_site *, gt_client *gt, double start, double stop, int64_t n, gt_make options);
GT_API gt_tensor *gt_eye_at(const gt_site *, gt_client *gt, int64_t n, int64_t m, gt_make options);
#define gt_from(gt, dtype, shape, data) gt_from_at(GT_HERE, gt, dtype, shape, data)
#define gt_full(gt, shape, value, ...) gt_full_at(GT_HERE, gt, shape, GT_ARG(value), (gt_make){ __VA_ARGS__ })
#define gt_zeros(gt, shape, ...) gt_full_at(GT_HERE, gt, shape, gt_arg_float(0), (gt_make){ __VA_ARGS__ })
#define gt_ones(gt, shape, ...) gt_full_at(GT_HERE, gt, shape, gt_arg_float(1), (gt_make){ __VA_ARGS__ })
#define gt_rand(gt, shape, ...) gt_rand_at(GT_HERE, gt, shape, (gt_make){ __VA_ARGS__ })
#define gt_randn(gt, shape, ...) gt_randn_at(GT_HERE, gt, shape, (gt_make){ __VA_ARGS__ })
#define gt_randint(gt, low, high, shape, ...) gt_randint_at(GT_HERE, gt, low, high, shape, (gt_make){ __VA_ARGS__ })
#define gt_arange(gt, start, stop, step, ...) \
	gt_arange_at(GT_HERE, gt, GT_ARG(start), GT_ARG(stop), GT_ARG(step), (gt_make){ __VA_ARGS__ })
#define gt_linspace(gt, start, stop, n, ...) gt_linspace_at(GT_HERE, gt, start, stop, n, (gt_make){ __VA_ARGS__ })
#define gt_eye(gt, n, m, ...) gt_eye_at(GT_HERE, gt, n, m, (gt_make){ __VA_ARGS__ })

/* ---- operations made from the op table: gt_exp, gt_add, gt_where, gt_sum, gt_softmax, ... --------- */

/* gt_sum(x): over all dims; gt_sum(x, .axis = 1); gt_sum(x, .naxes = 2, .axes = { 0, 1 }, .keepdims = true). */
#define GT_ALL_AXES INT32_MIN
typedef struct gt_reduce { int axis; int naxes; int axes[GT_RANK_MAX]; bool keepdims; } gt_reduce;
/* GT_REDUCE(...) builds one with axis = GT_ALL_AXES unless named; defined in gt/options.h */
#include <gt/options.h>
#include <gt/ops.h>

/* ---- operations written by hand ------------------------------------------------------------------ */

GT_API gt_tensor *gt_matmul_at(const gt_site *, gt_tensor *a, gt_tensor *b);
GT_API gt_tensor *gt_var_at(const gt_site *, gt_tensor *x, double correction, gt_reduce options);
GT_API gt_tensor *gt_std_at(const gt_site *, gt_tensor *x, double correction, gt_reduce options);
GT_API gt_tensor *gt_cast_at(const gt_site *, gt_tensor *x, gt_dtype dtype);
GT_API gt_tensor *gt_detach_at(const gt_site *, gt_tensor *x);
GT_API gt_tensor *gt_reshape_at(const gt_site *, gt_tensor *x, gt_shape shape);           /* one dim may be -1 */
GT_API gt_tensor *gt_permute_at(const gt_site *, gt_tensor *x, gt_shape order);           /* GT_SHAPE(2, 0, 1) */
GT_API gt_tensor *gt_transpose_at(const gt_site *, gt_tensor *x, int a, int b);
GT_API gt_tensor *gt_squeeze_at(const gt_site *, gt_tensor *x, int axis);                 /* GT_ALL_AXES: every dim of size 1 */
GT_API gt_tensor *gt_unsqueeze_at(const gt_site *, gt_tensor *x, int axis);
GT_API gt_tensor *gt_expand_at(const gt_site *, gt_tensor *x, gt_shape shape);            /* -1 keeps a dim */
GT_API gt_tensor *gt_flatten_at(const gt_site *, gt_tensor *x, int first, int last);
GT_API gt_tensor *gt_flip_at(const gt_site *, gt_tensor *x, gt_shape axes);
GT_API gt_tensor *gt_cat_at(const gt_site *, gt_tensor *const *list, int n, int axis);
GT_API gt_tensor *gt_stack_at(const gt_site *, gt_tensor *const *list, int n, int axis);
/* Pieces of `size` along axis, the last one shorter; out[] has room for ceil(dim / size). Returns the number or a gt_err. */
GT_API int gt_split_at(const gt_site *, gt_tensor *x, int64_t size, int axis, gt_tensor **out);
GT_API gt_tensor *gt_tril_at(const gt_site *, gt_tensor *x, int64_t diagonal);
GT_API gt_tensor *gt_triu_at(const gt_site *, gt_tensor *x, int64_t diagonal);
GT_API gt_tensor *gt_gather_at(const gt_site *, gt_tensor *x, gt_tensor *index, int axis);
GT_API gt_tensor *gt_scatter_add_at(const gt_site *, gt_tensor *x, gt_tensor *index, gt_tensor *source, int axis);
GT_API gt_tensor *gt_index_select_at(const gt_site *, gt_tensor *x, gt_tensor *index, int axis);
GT_API gt_tensor *gt_embedding_at(const gt_site *, gt_tensor *weight, gt_tensor *index);
GT_API gt_tensor *gt_one_hot_at(const gt_site *, gt_tensor *index, int64_t classes);

/* x[...]: one entry per subscript, as in Python. */
typedef enum gt_index_kind { GT_INDEX_INT, GT_INDEX_SLICE, GT_INDEX_ELLIPSIS, GT_INDEX_NEW, GT_INDEX_TENSOR } gt_index_kind;
#define GT_NO_BOUND INT64_MIN
typedef struct gt_index {
	gt_index_kind kind;
	int64_t i;                       /* INT */
	int64_t start, stop, step;       /* SLICE; GT_NO_BOUND where absent, step 1 */
	gt_tensor *t;                    /* TENSOR: integers, or a bool mask (a documented read) */
} gt_index;
GT_API gt_tensor *gt_index_at(const gt_site *, gt_tensor *x, const gt_index *list, int n);
GT_API gt_err     gt_index_set_at(const gt_site *, gt_tensor *x, const gt_index *list, int n, gt_arg value);   /* x[list] = value */

/* ---- in place: the handle gets a new value; a view writes through to its base ---------------------- */

/* x[...] = value, broadcast and cast to x; fails on a leaf that requires a gradient, outside no_grad. */
GT_API gt_err gt_copy_at(const gt_site *, gt_tensor *x, gt_arg value);
/* x = x op value; name is a BINARY row's name: gt_update(w, "sub", g). */
GT_API gt_err gt_update_at(const gt_site *, gt_tensor *x, const char *op, gt_arg value);

/* ---- functional nn -------------------------------------------------------------------------------- */

typedef enum gt_reduction { GT_MEAN, GT_SUM, GT_NONE } gt_reduction;
GT_API gt_tensor *gt_layer_norm_at(const gt_site *, gt_tensor *x, int ndims, gt_tensor *weight, gt_tensor *bias, double eps);   /* weight, bias: NULL = none */
GT_API gt_tensor *gt_dropout_at(const gt_site *, gt_tensor *x, double p, bool training);
GT_API gt_tensor *gt_cross_entropy_at(const gt_site *, gt_tensor *logits, gt_tensor *target, gt_reduction r);
GT_API gt_tensor *gt_nll_loss_at(const gt_site *, gt_tensor *log_probs, gt_tensor *target, gt_reduction r);
GT_API gt_tensor *gt_mse_loss_at(const gt_site *, gt_tensor *x, gt_tensor *y, gt_reduction r);
GT_API gt_tensor *gt_binary_cross_entropy_at(const gt_site *, gt_tensor *x, gt_tensor *y, gt_reduction r);
GT_API gt_tensor *gt_binary_cross_entropy_with_logits_at(const gt_site *, gt_tensor *x, gt_tensor *y, gt_reduction r);
/* softmax(q k^T / sqrt(d) [+ mask]) v; mask: bool (true = attend) or float, NULL = none. */
GT_API gt_tensor *gt_scaled_dot_product_attention_at(const gt_site *, gt_tensor *q, gt_tensor *k, gt_tensor *v,
		gt_tensor *mask, double dropout, bool causal);

/* ---- gradients ------------------------------------------------------------------------------------ */

GT_API gt_tensor *gt_requires_grad(gt_tensor *x);                     /* mark a leaf; returns x */
GT_API gt_err     gt_set_requires_grad(gt_tensor *x, bool on);
GT_API bool       gt_needs_grad(const gt_tensor *x);                  /* does a gradient flow to or through it */
GT_API bool       gt_is_leaf(const gt_tensor *x);
GT_API gt_err     gt_backward_at(const gt_site *, gt_tensor *x, gt_tensor *gradient, bool retain_graph);   /* gradient NULL: x has one element */
GT_API gt_tensor *gt_grad(gt_tensor *x);                              /* borrowed; NULL without error if there is none */
GT_API gt_err     gt_set_grad(gt_tensor *x, gt_tensor *gradient);     /* NULL: forget it */
/* Gradients of sum(outputs * seeds) with respect to inputs into out[n_in]; unused inputs give NULL there and, unless
 * allow_unused, GT_EGRAD. seeds may be NULL. create_graph makes the gradients differentiable. */
GT_API gt_err gt_gradients_at(const gt_site *, gt_tensor *const *outputs, gt_tensor *const *seeds, int n_out,
		gt_tensor *const *inputs, int n_in, bool retain_graph, bool create_graph, bool allow_unused, gt_tensor **out);
/* Gradients are off between begin and end; nests; per client. Returns what to give back to gt_grad_mode. */
GT_API bool gt_grad_mode(gt_client *gt, bool on);                     /* returns the previous mode */
GT_API bool gt_grad_enabled(const gt_client *gt);

/* ---- signals ---------------------------------------------------------------------------------------- */

/* Name the part of the program that follows; signals nest (64 deep). The name is copied. A signal without configuration changes nothing. */
GT_API gt_err gt_enter(gt_client *gt, const char *name);
GT_API gt_err gt_enter_with(gt_client *gt, const char *name, const char *backward);   /* gradients of these ops run under signal `backward` */
GT_API gt_err gt_leave(gt_client *gt);
GT_API const char *gt_signal_current(const gt_client *gt);             /* innermost name; NULL if none */

#include <gt/calls.h>   /* gt_matmul(a, b) etc.: the macros that pass GT_HERE */

#ifdef __cplusplus
}
#endif
#endif
