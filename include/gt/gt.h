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
 * Names, argument order, broadcasting, dtype promotion and results are PyTorch's; where PyTorch and
 * NumPy differ, PyTorch's. Everything is asynchronous except reading.
 *
 * Errors. Functions return NULL or a negative gt_err; gt_last_error() has the text: what was
 * expected, what came, what to do. Shape and dtype errors are reported at the call (GT_ESHAPE,
 * GT_EDTYPE, GT_EINVAL, GT_ELIMIT); everything else (an index out of range, integer division by
 * zero, no memory) at the first read of a value that depends on it, with the place of the call that
 * failed. A NULL tensor given to any function gives NULL and keeps the first error's text, so a
 * chain of calls needs one check, at its end.
 *
 * Ownership. A result belongs to the innermost open scope of its client (outside of all scopes: to
 * the client) and goes with it; gt_keep() takes one out. With options.manual results belong to the
 * caller, who gives each back by gt_drop().
 *
 * Threads. A client, with its tensors, belongs to one thread at a time. Clients are independent of
 * each other. What may be called from any thread says so.
 *
 * Dims. "axis" is a dim; negative ones count from the end. Rank is at most 8, a tensor has at most
 * 2^40 elements; sizes of zero are legal everywhere.
 *
 * Functions that issue instructions are macros (gt/calls.h, gt/ops.h): they pass the place of the
 * call to a function of the same name with "_at", which other languages call directly. The macros
 * want gcc or clang, gnu11 or newer. Below, each _at function is described under its macro's form.
 */
#ifndef GT_H
#define GT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <gt/api.h>
#include <gt/dtype.h>
#include <gt/error.h>
#include <gt/options.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gt_client gt_client;   /* a connection: the stream of one user */
typedef struct gt_tensor gt_tensor;   /* a handle on a value that exists or will */
typedef struct gt_scope gt_scope;     /* owns the results made while it is innermost */

/* ---- places, arguments, shapes ------------------------------------------------------------- */

/* Where in the user's program. Must stay as it is, and where it is, as long as the client. */
typedef struct gt_site { const char *file; int line; const char *function; } gt_site;
#define GT_HERE (__extension__({                                                             \
	static const gt_site gt_here_ = { __FILE__, __LINE__, __func__ }; &gt_here_; }))

/* A tensor or a C number: gt_mul(x, 2.0), gt_sub(1, x). GT_ARG makes one of either; the functions
 * below are what it chooses from. */
typedef enum gt_arg_kind { GT_ARG_TENSOR, GT_ARG_BOOL, GT_ARG_INT, GT_ARG_FLOAT } gt_arg_kind;
typedef struct gt_arg {
	gt_arg_kind kind;
	union { gt_tensor *t; int64_t i; double f; };
} gt_arg;
static inline gt_arg gt_arg_tensor(gt_tensor *t)
{
	gt_arg a = { GT_ARG_TENSOR, { t } };
	return a;
}
static inline gt_arg gt_arg_bool(bool b)
{
	gt_arg a = { GT_ARG_BOOL, { 0 } };
	a.i = b;
	return a;
}
static inline gt_arg gt_arg_int(int64_t i)
{
	gt_arg a = { GT_ARG_INT, { 0 } };
	a.i = i;
	return a;
}
static inline gt_arg gt_arg_float(double f)
{
	gt_arg a = { GT_ARG_FLOAT, { 0 } };
	a.f = f;
	return a;
}
static inline gt_arg gt_arg_same(gt_arg a) { return a; }
#define GT_ARG(x) _Generic((x), gt_arg: gt_arg_same, gt_tensor *: gt_arg_tensor,             \
	bool: gt_arg_bool, float: gt_arg_float, double: gt_arg_float, default: gt_arg_int)(x)

/* GT_SHAPE(2, 3); GT_SHAPE() is the shape of a scalar. */
typedef struct gt_shape { int rank; int64_t dims[GT_RANK_MAX]; } gt_shape;
#define GT_SHAPE(...) ((gt_shape){                                                           \
	(int)(sizeof((int64_t[]){ 0, ##__VA_ARGS__ }) / sizeof(int64_t)) - 1, { __VA_ARGS__ } })

/* ---- clients ------------------------------------------------------------------------------- */

/* Start the embedded dispatcher and worker (shared by all clients of the process) and connect.
 * options: NULL for none. NULL on error. */
GT_API gt_client *gt_open(const gt_options *options);

/* How many embedded workers there are from the next start on, 1 to 1024: before the first client of
 * the process, or after the last was closed (else GT_ESTATE). Clients share them out among
 * themselves. Any thread. */
GT_API gt_err gt_set_workers(int n);

/* Cancel what was not read, free everything the client owned. NULL is fine. Its handles become
 * invalid, with one exception: under options.manual a handle that was not given back stays (any use
 * is GT_ECLOSED; shape and dtype can still be asked) and wants its gt_drop. The client itself is
 * invalid at once. Fetches stay valid until their end. Inside the interrupt callback of the same
 * client it does nothing (GT_ESTATE). */
GT_API void gt_close(gt_client *gt);

/* Wait until everything issued has run. GT_OK also if values were poisoned on the way. */
GT_API gt_err gt_sync(gt_client *gt);

/* Hand over what was issued so far, without waiting for it. */
GT_API gt_err gt_flush(gt_client *gt);

/* Restart the random numbers: the same seed gives the same numbers, whatever ran before. A client
 * starts as if seeded with 0. */
GT_API void gt_manual_seed(gt_client *gt, uint64_t seed);

/* While a call waits, `poll` is called every 50 ms or so on the waiting thread; when it returns
 * non-zero the wait ends with GT_EINTERRUPT. NULL: none. */
GT_API void gt_set_interrupt(gt_client *gt, int (*poll)(void *ctx), void *ctx);

/* "0.1.0" */
GT_API const char *gt_version(void);

/* ---- ownership ----------------------------------------------------------------------------- */

GT_API gt_scope *gt_scope_begin(gt_client *gt);

/* Give back everything the scope still owns, and with it every scope opened inside and still open.
 * NULL is fine. Inside the interrupt callback of the same client it does nothing (GT_ESTATE). */
GT_API void gt_scope_end(gt_scope *s);

/* Take a result out of its scope: it is the caller's now. Of a handle that no scope owns (kept
 * already, or borrowed from gt_grad) the caller gets a share of his own. Each gt_keep wants one
 * gt_drop. Returns x. */
GT_API gt_tensor *gt_keep(gt_tensor *x);

/* Give back what gt_keep took, or, with options.manual, a result; of a result that a scope owns:
 * give it back early. NULL is fine. With options.manual: any thread, at any time, also after
 * gt_close. */
GT_API void gt_drop(gt_tensor *x);

/* As gt_drop, and cheaper, but only where every other function of x's client may be called, too: on
 * the thread that it belongs to, or under the lock that keeps other threads out. Never waits. */
GT_API void gt_drop_here(gt_tensor *x);

/* ---- looking at a tensor (never waits) ----------------------------------------------------- */

GT_API gt_client  *gt_client_of(const gt_tensor *x);         /* NULL after gt_close */
GT_API gt_dtype    gt_dtype_of(const gt_tensor *x);          /* GT_DTYPE_NONE for NULL */
GT_API int         gt_rank(const gt_tensor *x);              /* -1 for NULL */
GT_API int64_t     gt_dim(const gt_tensor *x, int axis);     /* -1 on error */
GT_API gt_shape    gt_shape_of(const gt_tensor *x);          /* rank -1 for NULL */
GT_API int64_t     gt_count(const gt_tensor *x);             /* number of elements; -1 for NULL */
GT_API const char *gt_dtype_name(gt_dtype d);                /* "float32" */
GT_API size_t      gt_dtype_size(gt_dtype d);                /* bytes */

/* ---- reading (waits) ----------------------------------------------------------------------- */

/* Copy all elements, row-major, to `to`; `bytes` must be count * dtype size. */
GT_API gt_err gt_read(gt_tensor *x, void *to, size_t bytes);

/* The one element of a tensor of one element, converted. NaN (gt_item) or 0 (gt_item_int) on error:
 * gt_last_error_code() tells an error from a true NaN; success leaves it at GT_OK. */
GT_API double  gt_item(gt_tensor *x);
GT_API int64_t gt_item_int(gt_tensor *x);

/* Reading in steps. begin issues the read (NULL on error); wait may be called on any thread and
 * without the lock that guards the client; then data is valid (contiguous, read-only, not copied)
 * until end. Each begin needs its end. Reading a value a second time issues nothing.
 * What gt_fetch_begin asks for is made meanwhile. Behind the other two gt_fetch_wait comes next: who
 * waits may be who computes, and nobody else is woken for that. */
typedef struct gt_fetch gt_fetch;
GT_API gt_fetch   *gt_fetch_begin(gt_tensor *x);
GT_API gt_fetch   *gt_read_begin(gt_tensor *x);     /* gt_read in steps */
GT_API gt_fetch   *gt_sync_begin(gt_client *gt);    /* of no value: gt_sync in steps */
GT_API bool        gt_fetch_ready(const gt_fetch *f);         /* any thread */
GT_API gt_err      gt_fetch_wait(gt_fetch *f);                /* any thread; also repeatedly */
GT_API const void *gt_fetch_data(const gt_fetch *f);          /* NULL: no elements, or not ready */
GT_API void        gt_fetch_end(gt_fetch *f);                 /* any thread; also after gt_close */

/* ---- creation ------------------------------------------------------------------------------ */

/* gt_from(gt, GT_FLOAT32, GT_SHAPE(2, 3), data): the elements at `data`, row-major, copied now. */
GT_API gt_tensor *gt_from_at(const gt_site *, gt_client *gt, gt_dtype dtype, gt_shape shape,
		const void *data);

/* gt_full(gt, shape, value, .dtype = d): every element is `value`; dtype by the value's kind (bool,
 * int64, float32) unless named. gt_zeros, gt_ones: float32 unless named. The _like forms take
 * client, shape and (unless named) dtype from x. */
GT_API gt_tensor *gt_full_at(const gt_site *, gt_client *gt, gt_shape shape, gt_arg value,
		gt_make options);
GT_API gt_tensor *gt_full_like_at(const gt_site *, gt_tensor *x, gt_arg value, gt_make options);

/* gt_rand(gt, shape): uniform in [0, 1). gt_randn: standard normal. Floats only. Philox4x32-10
 * (Salmon et al., SC 2011) keyed by the seed, counting draws and elements: no other instruction of
 * the program, and no placement, changes a number. */
GT_API gt_tensor *gt_rand_at(const gt_site *, gt_client *gt, gt_shape shape, gt_make options);
GT_API gt_tensor *gt_randn_at(const gt_site *, gt_client *gt, gt_shape shape, gt_make options);
GT_API gt_tensor *gt_rand_like_at(const gt_site *, gt_tensor *x, gt_make options);
GT_API gt_tensor *gt_randn_like_at(const gt_site *, gt_tensor *x, gt_make options);

/* gt_randint(gt, low, high, shape): integers in [low, high); int64 unless named. low < high, else
 * GT_EINVAL. */
GT_API gt_tensor *gt_randint_at(const gt_site *, gt_client *gt, int64_t low, int64_t high,
		gt_shape shape, gt_make options);

/* gt_arange(gt, start, stop, step): start + i * step for i = 0 .. ceil((stop - start) / step) - 1;
 * int64 if all three are integers, else float32, unless named. A step of 0, or one that leads away
 * from stop: GT_EINVAL. */
GT_API gt_tensor *gt_arange_at(const gt_site *, gt_client *gt, gt_arg start, gt_arg stop,
		gt_arg step, gt_make options);

/* gt_linspace(gt, start, stop, n): n evenly spaced numbers, both ends exact: the lower half counts
 * up from start, the upper half down from stop, as PyTorch does. */
GT_API gt_tensor *gt_linspace_at(const gt_site *, gt_client *gt, double start, double stop,
		int64_t n, gt_make options);

/* gt_eye(gt, n, m): (n, m), ones on the diagonal. */
GT_API gt_tensor *gt_eye_at(const gt_site *, gt_client *gt, int64_t n, int64_t m,
		gt_make options);

/* ---- operations made from the op table: gt_exp, gt_add, gt_where, gt_sum, gt_softmax, ... -- */

/* Promotion of binary and ternary operations, as PyTorch: the kinds are ordered bool, int, float;
 * among tensors with dims the wider dtype of the highest kind; a tensor without dims, and in the
 * same way a C number, counts only if its kind is higher (a C number then as int64 or float32).
 * Functions such as gt_exp make float32 of ints and bools; gt_mean, gt_var, gt_softmax and other
 * statistics refuse them (GT_EDTYPE).
 *
 * gt_pow with a number as exponent chooses once: 2 squares, 0.5 is sqrt, -1 reciprocal, 1 the same
 * elements, 0 ones; a negative exponent on integers is GT_EINVAL.
 * gt_clamp with one bound only: INFINITY or -INFINITY is the other. At a bound its gradient is x's,
 * where gt_maximum and gt_minimum share it. */
#include <gt/ops.h>

/* ---- operations written by hand ------------------------------------------------------------ */

/* gt_matmul(a, b): matrix product over the last dim of a and the last but one of b.
 *   (m, k) (k, n) -> (m, n); leading dims broadcast: (.., m, k) (.., k, n) -> (.., m, n);
 *   (k) (k) -> () is the dot product; a 1-D a is a row, a 1-D b a column, that dim then goes. */
GT_API gt_tensor *gt_matmul_at(const gt_site *, gt_tensor *a, gt_tensor *b);

/* gt_var(x, .axis = a, .correction = 1): sum((x - mean)^2) / (n - correction). gt_std: its root. */
GT_API gt_tensor *gt_var_at(const gt_site *, gt_tensor *x, double correction, gt_reduce options);
GT_API gt_tensor *gt_std_at(const gt_site *, gt_tensor *x, double correction, gt_reduce options);

/* gt_cast(x, dtype): floats become integers by truncation. The same dtype gives x itself, owned
 * once more. */
GT_API gt_tensor *gt_cast_at(const gt_site *, gt_tensor *x, gt_dtype dtype);

/* gt_detach(x): the same storage, no gradient: writing to one shows in the other. */
GT_API gt_tensor *gt_detach_at(const gt_site *, gt_tensor *x);

/* Views. The result shares x's storage: gt_copy and friends write through, in both directions.
 * (gt_reshape and gt_flatten of elements that do not lie in order, as after gt_permute, may have to
 * copy, as in PyTorch; writing through an expanded view is GT_EINVAL.) */
GT_API gt_tensor *gt_reshape_at(const gt_site *, gt_tensor *x, gt_shape shape); /* one may be -1 */
GT_API gt_tensor *gt_permute_at(const gt_site *, gt_tensor *x, gt_shape order); /* GT_SHAPE(1, 0) */
GT_API gt_tensor *gt_transpose_at(const gt_site *, gt_tensor *x, int a, int b);
GT_API gt_tensor *gt_expand_at(const gt_site *, gt_tensor *x, gt_shape shape);  /* -1 keeps a dim */
/* axis GT_ALL_AXES: every dim of size 1. A dim of another size is left alone. */
GT_API gt_tensor *gt_squeeze_at(const gt_site *, gt_tensor *x, int axis);
GT_API gt_tensor *gt_unsqueeze_at(const gt_site *, gt_tensor *x, int axis);
GT_API gt_tensor *gt_flatten_at(const gt_site *, gt_tensor *x, int first, int last);
/* Pieces of `size` along axis, the last one shorter; out[] has room for ceil(dim / size). Returns
 * how many, or a gt_err (out[] is then untouched). */
GT_API int gt_split_at(const gt_site *, gt_tensor *x, int64_t size, int axis, gt_tensor **out);

/* Copies. */
GT_API gt_tensor *gt_flip_at(const gt_site *, gt_tensor *x, gt_shape axes);
/* gt_cat(list, n, axis): behind one another along axis, other dims equal; dtypes promote; n > 0.
 * gt_stack: along a new dim; shapes equal. */
GT_API gt_tensor *gt_cat_at(const gt_site *, gt_tensor *const *list, int n, int axis);
GT_API gt_tensor *gt_stack_at(const gt_site *, gt_tensor *const *list, int n, int axis);
/* gt_tril(x, .diagonal = d): the last two dims, zero above that diagonal; gt_triu: below. */
GT_API gt_tensor *gt_tril_at(const gt_site *, gt_tensor *x, int64_t diagonal);
GT_API gt_tensor *gt_triu_at(const gt_site *, gt_tensor *x, int64_t diagonal);

/* By index. Indices are int64 or int32; negative ones count from the end; one out of range is
 * GT_EINDEX at the first read.
 * gt_gather(x, index, axis): out[i][j] = x[index[i][j]][j] for axis 0; index has x's rank.
 * gt_scatter_add(x, index, source, axis): x with source[i][j] added at [index[i][j]][j].
 * gt_index_select(x, index, axis): slices of x; the dims of index take the place of axis.
 * gt_embedding(weight, index): rows of weight: gt_index_select along axis 0.
 * gt_one_hot(index, classes): int64, 1 at the index along a new last dim. */
GT_API gt_tensor *gt_gather_at(const gt_site *, gt_tensor *x, gt_tensor *index, int axis);
GT_API gt_tensor *gt_scatter_add_at(const gt_site *, gt_tensor *x, gt_tensor *index,
		gt_tensor *source, int axis);
GT_API gt_tensor *gt_index_select_at(const gt_site *, gt_tensor *x, gt_tensor *index, int axis);
GT_API gt_tensor *gt_embedding_at(const gt_site *, gt_tensor *weight, gt_tensor *index);
GT_API gt_tensor *gt_one_hot_at(const gt_site *, gt_tensor *index, int64_t classes);

/* x[...]: one entry per subscript, as in Python.
 *
 *	gt_index(x, GT_AT(0))                              x[0]
 *	gt_index(x, GT_FROM(2, 5), GT_ELLIPSIS, GT_NEW)    x[2:5, ..., None]
 *	gt_index(x, GT_STEP(GT_NO_BOUND, GT_NO_BOUND, -1)) x[::-1]
 *	gt_index(x, GT_BY(rows), GT_BY(cols))              x[rows, cols]
 *
 * Ints, slices, ellipsis and new dims make views. Index tensors copy: several broadcast together;
 * the dims of the result stand where the first of them stood, or in front if something lies between
 * them (ints are taken first and do not count, as in PyTorch). A bool mask takes as many subscripts
 * as it has dims and is read at once to know how many elements it picks: a wait. */
typedef enum gt_index_kind {
	GT_INDEX_INT, GT_INDEX_SLICE, GT_INDEX_ELLIPSIS, GT_INDEX_NEW, GT_INDEX_TENSOR
} gt_index_kind;
#define GT_NO_BOUND INT64_MIN
typedef struct gt_index {
	gt_index_kind kind;
	int64_t i;                   /* INT; out of range is GT_EINDEX, at the call */
	int64_t start, stop, step;   /* SLICE; GT_NO_BOUND where absent; step not 0 */
	gt_tensor *t;                /* TENSOR: integers, or a bool mask */
} gt_index;
#define GT_AT(n) { .kind = GT_INDEX_INT, .i = (n) }
#define GT_STEP(from, to, by) \
	{ .kind = GT_INDEX_SLICE, .start = (from), .stop = (to), .step = (by) }
#define GT_FROM(from, to) GT_STEP(from, to, 1)
#define GT_ALL GT_STEP(GT_NO_BOUND, GT_NO_BOUND, 1)
#define GT_ELLIPSIS { .kind = GT_INDEX_ELLIPSIS }
#define GT_NEW { .kind = GT_INDEX_NEW }
#define GT_BY(tensor) { .kind = GT_INDEX_TENSOR, .t = (tensor) }
GT_API gt_tensor *gt_index_at(const gt_site *, gt_tensor *x, const gt_index *list, int n);

/* ---- in place: the handle gets a new value; a view writes through to its base -------------- */

/* All of these write to x: x, what it is a view of and its views show the new elements. While
 * gradients are on, a leaf that requires one, or a view of it, is GT_EGRAD; elsewhere the write is
 * recorded and gradients flow through it. Values that gradients saved are kept as they were. GT_OK
 * or the error; x is unchanged on error.
 *
 * gt_copy(x, value): x[...] = value, broadcast and cast to x; its history is then value's,
 *   and where value has none, x still requires a gradient, of zero, if it did before.
 * gt_update(x, "sub", value): x = x op value, op the name of a row with two inputs; shape and dtype
 *   of x stay (a result of a higher kind is GT_EDTYPE).
 * gt_index_set(x, value, subscripts...): x[subscripts] = value; among equal indices the last wins.
 *   A bool mask is not read if value is one number or element. */
GT_API gt_err gt_copy_at(const gt_site *, gt_tensor *x, gt_arg value);
GT_API gt_err gt_update_at(const gt_site *, gt_tensor *x, const char *op, gt_arg value);
GT_API gt_err gt_index_set_at(const gt_site *, gt_tensor *x, const gt_index *list, int n,
		gt_arg value);

/* ---- functional nn ------------------------------------------------------------------------- */

/* gt_layer_norm(x, ndims, .weight = w, .bias = b, .eps = 1e-5): (x - mean) / sqrt(var + eps) over
 * the last ndims dims (biased variance), then * weight + bias, each NULL or of those dims. */
GT_API gt_tensor *gt_layer_norm_at(const gt_site *, gt_tensor *x, int ndims, gt_tensor *weight,
		gt_tensor *bias, double eps);

/* gt_dropout(x, p, training): zeros with probability p, the rest divided by 1 - p; x if not
 * training. 0 <= p <= 1, else GT_EINVAL. */
GT_API gt_tensor *gt_dropout_at(const gt_site *, gt_tensor *x, double p, bool training);

/* gt_cross_entropy(logits, target, .reduction = GT_MEAN, .ignore_index = -100):
 * -log softmax(logits)[target]. Classes lie along dim 1 of logits (dim 0 if it has one dim).
 * target: ints of the shape of logits without that dim, or floats of its whole shape
 * (probabilities). Where an int target is ignore_index the loss is 0, and GT_MEAN is over the
 * others. gt_nll_loss: the same on log probabilities, ints only. */
GT_API gt_tensor *gt_cross_entropy_at(const gt_site *, gt_tensor *logits, gt_tensor *target,
		gt_class_loss options);
GT_API gt_tensor *gt_nll_loss_at(const gt_site *, gt_tensor *log_probs, gt_tensor *target,
		gt_class_loss options);

/* gt_mse_loss(x, y): (x - y)^2.
 * gt_binary_cross_entropy(x, y): -(y log x + (1 - y) log(1 - x)), logs not below -100.
 * gt_binary_cross_entropy_with_logits(x, y): the same of sigmoid(x), as softplus(x) - x y. */
GT_API gt_tensor *gt_mse_loss_at(const gt_site *, gt_tensor *x, gt_tensor *y, gt_reduction r);
GT_API gt_tensor *gt_binary_cross_entropy_at(const gt_site *, gt_tensor *x, gt_tensor *y,
		gt_reduction r);
GT_API gt_tensor *gt_binary_cross_entropy_with_logits_at(const gt_site *, gt_tensor *x,
		gt_tensor *y, gt_reduction r);

/* gt_scaled_dot_product_attention(q, k, v, .mask = m, .dropout = p, .causal = true, .scale = f):
 * softmax(q k^T f [+ mask]) v, with q (.., l, d), k (.., s, d), v (.., s, e); result (.., l, e).
 * f is 1 / sqrt(d) unless named (NaN here). mask broadcasts to (.., l, s): bool (true = attend) or
 * float (added); not together with causal (GT_EINVAL), under which row i attends to columns 0 ..
 * i. */
GT_API gt_tensor *gt_scaled_dot_product_attention_at(const gt_site *, gt_tensor *q, gt_tensor *k,
		gt_tensor *v, gt_tensor *mask, double dropout, bool causal, double scale);

/* ---- gradients ----------------------------------------------------------------------------- */

/* Mark a leaf (a tensor that no recorded operation made) of a float dtype; returns x, or NULL with
 * GT_EDTYPE or GT_EGRAD. */
GT_API gt_tensor *gt_requires_grad(gt_tensor *x);
GT_API gt_err     gt_set_requires_grad(gt_tensor *x, bool on);
GT_API bool       gt_needs_grad(const gt_tensor *x);     /* does a gradient flow to or through it */
GT_API bool       gt_is_leaf(const gt_tensor *x);
/* The operation that made x, where gradients flow through it ("add"); NULL for a leaf. */
GT_API const char *gt_grad_op(const gt_tensor *x);

/* gt_backward(loss, .gradient = g, .retain_graph = true): add to the .grad of every leaf that x
 * depends on the gradient of sum(x * gradient). gradient NULL: x has one element, of gradient 1.
 * Saved values are given up on the way unless retain_graph; a second time is then GT_EGRAD. */
GT_API gt_err gt_backward_at(const gt_site *, gt_tensor *x, gt_tensor *gradient,
		bool retain_graph);

GT_API gt_tensor *gt_grad(gt_tensor *x);     /* borrowed; NULL, without error, if there is none */
GT_API gt_err     gt_set_grad(gt_tensor *x, gt_tensor *gradient);      /* NULL: forget it */

/* Gradients of sum(outputs * seeds) with respect to inputs, into out[n_in]. seeds, or any of them,
 * may be NULL as in gt_backward. An input that no output depends on gives NULL in out[] and, unless
 * allow_unused, GT_EGRAD (out[] is then all NULL). create_graph (which implies retain_graph) makes
 * the gradients themselves differentiable. .grad is not touched. */
GT_API gt_err gt_gradients_at(const gt_site *, gt_tensor *const *outputs,
		gt_tensor *const *seeds, int n_out, gt_tensor *const *inputs, int n_in,
		bool retain_graph, bool create_graph, bool allow_unused, gt_tensor **out);

/* Switch recording on or off for what follows; returns the previous mode:
 *	bool was = gt_grad_mode(gt, false); ... gt_grad_mode(gt, was); */
GT_API bool gt_grad_mode(gt_client *gt, bool on);
GT_API bool gt_grad_enabled(const gt_client *gt);

/* ---- signals ------------------------------------------------------------------------------- */

/* Name the part of the program that follows. Signals nest, 64 deep (GT_ELIMIT); a name has 1 to 127
 * bytes and is copied. A signal without configuration changes nothing. gt_enter_with: the gradients
 * of what is recorded inside run under the signal `backward`. gt_leave without an open signal is
 * GT_ESTATE. */
GT_API gt_err gt_enter(gt_client *gt, const char *name);
GT_API gt_err gt_enter_with(gt_client *gt, const char *name, const char *backward);
GT_API gt_err gt_leave(gt_client *gt);
GT_API const char *gt_signal_current(const gt_client *gt);    /* innermost name; NULL if none */

/* ---- parts that are compiled --------------------------------------------------------------- */

/* Say which part of the program is one piece of work: what is issued between begin and end is
 * compiled as a whole, from its second run on, whatever GT_AUTO_COMPILE says; what it computes does
 * not change by a bit. GT_COMPILE_OFF leaves the part alone instead, also inside another. Parts
 * nest, 64 deep (GT_ELIMIT); of nested ones the outermost is the piece. An end without a begin is
 * GT_ESTATE. */

/* The modes, as GT_COMPILE_MODE and Python call them. No mode changes a bit of what is computed.
 *
 *	default          kernels of as many operations as the cost model finds good
 *	reduce-overhead  as few kernels as there can be, whatever they cost by that model; small
 *	                 parts do not wait until the compiler's share of the time is theirs
 *	max-autotune     several ways to group operations and to emit kernels are measured in the
 *	                 background on what a run was computed from; the fastest is taken, and kept
 *	                 for the next process
 *
 * Where the program names none, GT_COMPILE_MODE does (loops that are found, GT_COMPILE=1). Of two
 * parts that are the same operations the mode of the first counts. */
#define GT_COMPILE_MODES(MODE) \
	MODE(DEFAULT, "default") \
	MODE(REDUCE_OVERHEAD, "reduce-overhead") \
	MODE(MAX_AUTOTUNE, "max-autotune")
typedef enum gt_compile_mode {
	GT_COMPILE_OFF,
#define GT_COMPILE_MODE_ENUM(name, text) GT_COMPILE_##name,
	GT_COMPILE_MODES(GT_COMPILE_MODE_ENUM)
#undef GT_COMPILE_MODE_ENUM
	GT_COMPILE_MODE_COUNT
} gt_compile_mode;
GT_API gt_err gt_compile_begin(gt_client *gt, gt_compile_mode mode);
GT_API gt_err gt_compile_end(gt_client *gt);

/* From its next gt_enter on, each part under that signal is such a part; with
 * gt_enter_with("forward", "backward") that is so for the gradients if "backward" is configured. */
GT_API gt_err gt_signal_compile(gt_client *gt, const char *name, gt_compile_mode mode);
GT_API gt_err gt_signal_forget(gt_client *gt, const char *name);    /* as before */

/* Wait until everything issued has run, and what was found in it by then is compiled. GT_EINTERRUPT: by
 * gt_set_interrupt; compiling goes on in the background. */
GT_API gt_err gt_compile_wait(gt_client *gt);

#include <gt/calls.h>

#ifdef __cplusplus
}
#endif
#endif
