/* test_handles.c: who owns what and for how long: scopes, kept and dropped handles, manual clients
 * whose handles are dropped by any thread, closing in the middle of everything, forks.
 */
#include "fake.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static size_t live(gt_client *gt)
{
	WORKS(gt_flush(gt));
	return fake_of(gt)->live;
}

/* ---- scopes ---------------------------------------------------------------------------------- */

static void test_scopes(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2)), *kept, *inner_kept;
	gt_scope *outer = gt_scope_begin(gt), *inner;

	gt_neg(x);
	inner = gt_scope_begin(gt);
	kept = gt_keep(gt_exp(gt_neg(x)));
	inner_kept = gt_abs(x);
	assert_int_equal(live(gt), 5);
	gt_scope_end(inner);
	assert_int_equal(live(gt), 3);
	gt_keep(kept);                          /* a second share */
	gt_scope_begin(gt);                     /* ended by its outer one */
	gt_neg(x);
	gt_scope_end(outer);
	assert_int_equal(live(gt), 2);
	gt_drop(kept);
	assert_int_equal(live(gt), 2);
	gt_drop(kept);
	assert_int_equal(live(gt), 1);
	gt_drop(x);                             /* owned by the client: given back early */
	assert_int_equal(live(gt), 0);
	(void)inner_kept;
	gt_scope_end(NULL);
	gt_drop(NULL);
	assert_null(gt_keep(NULL));
}

/* A call that gives back its input owns it once more. */
static void test_same_handle_twice(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2)), *same, *kept;
	gt_scope *s = gt_scope_begin(gt);

	same = gt_cast(x, GT_FLOAT32);
	assert_ptr_equal(same, x);
	assert_ptr_equal(gt_dropout(x, 0.5, false), x);
	kept = gt_keep(same);
	gt_scope_end(s);
	assert_int_equal(live(gt), 1);
	gt_drop(kept);
	assert_int_equal(live(gt), 1);
	gt_drop(x);
	assert_int_equal(live(gt), 0);
}

/* A gradient lives with its tensor, not with the scope in which it was made. */
static void test_gradient_outlives_scope(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE()));
	gt_scope *s = gt_scope_begin(gt);

	WORKS(gt_backward(gt_mul(w, 2)));
	gt_scope_end(s);
	assert_non_null(gt_grad(w));
	assert_int_equal(live(gt), 2);
	gt_drop(w);
	assert_int_equal(live(gt), 0);
}

/* Internal steps of composed calls belong to nobody afterwards, also when they fail half way. */
static void test_frames(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(3, 3)), *t = gt_zeros(gt, GT_SHAPE(3),
		.dtype = GT_INT64);
	gt_scope *s = gt_scope_begin(gt);

	gt_scaled_dot_product_attention(x, x, x, .dropout = 0.5, .causal = true);
	gt_cross_entropy(x, t);
	gt_linspace(gt, 0, 1, 10);
	gt_index(x, GT_BY(t), GT_BY(t));
	assert_int_equal(live(gt), 6);
	assert_null(gt_scaled_dot_product_attention(x, x, x, .dropout = 1.5));
	assert_null(gt_stack(((gt_tensor *[]){ x, t }), 2, 0));
	assert_null(gt_add(gt_cast(x, GT_FLOAT64), t) ? NULL : x);
	gt_scope_end(s);
	assert_int_equal(live(gt), 2);
	gt_clear_error();
}

/* ---- manual clients -------------------------------------------------------------------------- */

static int manual_setup(void **state)
{
	*state = fake_open(&(gt_options){ .manual = 1 });
	return 0;
}
#define MANUAL(test) cmocka_unit_test_setup_teardown(test, manual_setup, NULL)

static void test_manual(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(3)), *y = gt_softmax(x, 0), *z = gt_std(x);
	gt_scope *s = gt_scope_begin(gt);

	gt_scope_end(s);
	assert_int_equal(live(gt), 3);
	gt_drop(y);
	gt_drop(z);
	assert_int_equal(live(gt), 1);
	gt_keep(x);
	gt_drop(x);
	assert_int_equal(live(gt), 1);
	gt_drop(x);
	gt_close(gt);
}

/* On the client's own thread handles go at once: unless that takes many records, or the one that
 * fills the batch. */
static void test_drop_here(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(3)), *w = gt_ones(gt, GT_SHAPE(3)), *y;
	gt_tensor *many[BATCH_INS];
	int n = 0;

	gt_drop_here(NULL);
	gt_keep(x);
	gt_drop_here(x);
	assert_int_equal(live(gt), 2);
	y = gt_neg(x);
	gt_drop_here(y);
	assert_null(gt->dropped);
	assert_int_equal(live(gt), 2);
	WORKS(gt_set_requires_grad(w, true));
	y = gt_tanh(w);
	many[0] = gt_exp(y);
	gt_drop_here(y);          /* its node stays */
	assert_null(gt->dropped);
	gt_drop_here(many[0]);    /* with nodes behind it: at the next call */
	assert_ptr_equal(gt->dropped, many[0]);
	y = gt_neg(x);
	while (gt->count < BATCH_INS - 1)
		many[n++] = gt_neg(x);
	gt_drop_here(y);
	assert_ptr_equal(gt->dropped, y);
	assert_int_equal(gt->count, BATCH_INS - 1);
	while (n)
		gt_drop_here(many[--n]);
	gt_drop_here(w);
	gt_close(gt);
	gt_drop_here(x);          /* as gt_drop: the last one takes the memory along */
}

typedef struct dropper { gt_tensor **list; int n; } dropper;

static void *drop_all(void *arg)
{
	const dropper *d = arg;

	for (int k = 0; k < d->n; k++)
		gt_drop(d->list[k]);
	return NULL;
}

#define EACH 5000
#define THREADS 3

/* Other threads drop while this one works. */
static void test_drops_on_threads(void **state)
{
	static gt_tensor *list[THREADS][EACH];
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE());
	pthread_t thread[THREADS];
	dropper d[THREADS];

	for (int t = 0; t < THREADS; t++)
		for (int k = 0; k < EACH; k++)
			list[t][k] = k & 1 ? gt_keep(x) : gt_neg(x);
	for (int t = 0; t < THREADS; t++) {
		d[t] = (dropper){ list[t], EACH };
		assert_int_equal(pthread_create(&thread[t], NULL, drop_all, &d[t]), 0);
	}
	for (int k = 0; k < EACH; k++)
		gt_drop(gt_exp(x));
	for (int t = 0; t < THREADS; t++)
		pthread_join(thread[t], NULL);
	assert_int_equal(live(gt), 1);
	gt_drop(x);
	assert_int_equal(live(gt), 0);
	gt_close(gt);
}

/* After the close handles tell so, and the last one dropped takes the memory along. */
static void test_drops_after_close(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_requires_grad(gt_ones(gt, GT_SHAPE(2))), *y = gt_index(x, GT_AT(0)), *z;

	z = gt_mul(y, 3);
	WORKS(gt_backward(z));
	gt_drop(z);
	z = gt_mul(y, 3);
	gt_close(gt);
	FAILS(gt_neg(x), GT_ECLOSED, "was closed");
	FAILS(gt_matmul(x, y), GT_ECLOSED, "was closed");
	REFUSES(gt_copy(x, 1), GT_ECLOSED, "was closed");
	REFUSES(gt_backward(z), GT_ECLOSED, "was closed");
	assert_true(isnan(gt_item(y)));
	assert_null(gt_fetch_begin(y));
	assert_null(gt_client_of(x));
	assert_null(gt_grad(x));
	assert_int_equal(gt_dim(x, 0), 2);
	gt_clear_error();
	gt_drop(x);
	gt_drop(z);
	gt_drop(y);
}

static void test_close_against_drops(void **state)
{
	gt_client *gt = *state;

	for (int round = 0; round < 50; round++) {
		gt_tensor *list[200];
		dropper d = { list, 200 };
		pthread_t thread;

		gt = gt ? gt : fake_open(&(gt_options){ .manual = 1 });
		for (int k = 0; k < 200; k++)
			list[k] = gt_ones(gt, GT_SHAPE(2));
		assert_int_equal(pthread_create(&thread, NULL, drop_all, &d), 0);
		gt_close(gt);
		pthread_join(thread, NULL);
		gt = NULL;
	}
}

/* ---- closing --------------------------------------------------------------------------------- */

static void test_close_with_everything(void **state)
{
	gt_client *gt = fake_open(NULL);
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(2)));

	(void)state;
	gt_scope_begin(gt);
	gt_scope_begin(gt);
	gt_keep(gt_transpose(gt_mul(gt_reshape(w, GT_SHAPE(2, 1)), 2), 0, 1));
	gt_item(gt_sum(w));
	gt_from(gt, GT_FLOAT32, GT_SHAPE(2), (const float[]){ 1, 2 });   /* not handed over */
	WORKS(gt_enter(gt, "open"));
	gt_close(gt);
	gt_close(NULL);
}

/* Gradients of gradients of ...: giving the first back gives all back, without recursion. */
static void test_chain_of_gradients(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(1));

	for (int k = 0; k < 90000; k++) {
		gt_tensor *next = gt_ones(gt, GT_SHAPE(1));

		WORKS(gt_set_grad(next, x));
		gt_drop(x);
		x = next;
	}
	gt_drop(x);
	x = gt_zeros(gt, GT_SHAPE(1));
	assert_int_equal(live(gt), 1);
	gt_drop(x);
	gt_close(gt);
}

/* Ctrl-C while what was dropped is handed over ends the call that does it; nothing is lost. */
static void test_interrupted_drops(void **state)
{
	gt_client *gt = *state;
	fake *f = fake_of(gt);
	gt_tensor *x = gt_ones(gt, GT_SHAPE()), *y, *many[500];

	for (size_t k = 0; k < COUNT(many); k++)
		many[k] = gt_neg(x);
	WORKS(gt_flush(gt));
	for (size_t k = 0; k < COUNT(many); k++)
		gt_drop(many[k]);
	f->refuse = GT_EINTERRUPT;
	f->flushes = 0;
	FAILS(gt_neg(x), GT_EINTERRUPT, "interrupted");
	assert_int_equal(f->flushes, 1);
	f->refuse = GT_OK;
	y = gt_neg(x);
	assert_non_null(y);
	assert_int_equal(live(gt), 2);
	gt_drop(y);
	gt_drop(x);
	gt_close(gt);
}

/* A close sends nothing: it would wait for room behind work that nobody wants any more. */
static void test_close_sends_nothing(void **state)
{
	gt_client *gt = fake_open(&(gt_options){ .manual = 1 });
	fake *f = fake_of(gt);
	gt_tensor *many[500];

	(void)state;
	for (size_t k = 0; k < COUNT(many); k++)
		many[k] = gt_ones(gt, GT_SHAPE());
	WORKS(gt_flush(gt));
	for (size_t k = 0; k < COUNT(many); k++)
		gt_drop(many[k]);
	link_hold(&f->link);
	f->flushes = 0;
	gt_close(gt);
	assert_int_equal(f->flushes, 0);
	assert_int_equal(f->closes, 1);
	link_drop(&f->link);
}

static void test_null_clients(void **state)
{
	(void)state;
	gt_clear_error();
	FAILS(gt_zeros(NULL, GT_SHAPE(2)), GT_EINVAL, "full");
	FAILS(gt_scope_begin(NULL), GT_EINVAL, "gt_scope_begin");
	REFUSES(gt_flush(NULL), GT_EINVAL, "gt_flush");
	REFUSES(gt_sync(NULL), GT_EINVAL, "gt_sync");
	REFUSES(gt_enter(NULL, "x"), GT_EINVAL, "gt_enter");
	gt_manual_seed(NULL, 1);
	gt_set_interrupt(NULL, NULL, NULL);
	assert_false(gt_grad_mode(NULL, true));
	assert_int_equal(gt_rank(NULL), -1);
	assert_int_equal(gt_count(NULL), -1);
	assert_int_equal(gt_dim(NULL, 0), -1);
	assert_int_equal(gt_dtype_of(NULL), GT_DTYPE_NONE);
	assert_int_equal(gt_shape_of(NULL).rank, -1);
	assert_null(gt_client_of(NULL));
	assert_null(gt_signal_current(NULL));
	gt_clear_error();
}

/* The child says what to do; the parent goes on. */
static void test_fork(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE());
	int status;
	pid_t child;

	child = fork();
	if (!child) {
		bool right;

		for (int k = 0; k < 1000; k++)
			gt_from(gt, GT_INT32, GT_SHAPE(2), (const int32_t[]){ 1, 2 });
		right = gt_flush(gt) == GT_EFORK && isnan(gt_item(x)) &&
			gt_last_error_code() == GT_EFORK &&
			strstr(gt_last_error(), "open a new client in the child");

		gt_close(gt);
		_exit(right ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(live(gt), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE(test_scopes), FAKE(test_same_handle_twice), FAKE(test_gradient_outlives_scope),
		FAKE(test_frames), MANUAL(test_manual), MANUAL(test_drop_here),
		MANUAL(test_drops_on_threads),
		MANUAL(test_drops_after_close), MANUAL(test_close_against_drops),
		MANUAL(test_chain_of_gradients), MANUAL(test_interrupted_drops), cmocka_unit_test(test_close_sends_nothing),
		cmocka_unit_test(test_close_with_everything), cmocka_unit_test(test_null_clients),
		FAKE(test_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
