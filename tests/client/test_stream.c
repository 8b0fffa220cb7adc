/* test_stream.c: exactly which instructions calls become, when they are handed over, and that
 * values are freed after their last use (the fake link watches every id).
 */
#include "fake.h"

#include <time.h>
#include <unistd.h>
#include "base/flags.h"

static void test_ops(void **state)
{
	gt_client *gt = *state;
	gt_scope *s = gt_scope_begin(gt);
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2, 3)), *i = gt_zeros(gt, GT_SHAPE(3),
		.dtype = GT_INT32);

	gt_exp(x);
	gt_add(x, 2);
	gt_sub(1.5, x);
	gt_exp(i);
	gt_add(x, i);
	gt_sum(x, .axis = -1, .keepdims = true);
	gt_softmax(x, -1);
	gt_where(gt_gt(x, 0), x, 0);
	gt_scope_end(s);
	SENDS(gt, "t1 = full float32 1.0 [2,3]\n"
		"t2 = full int32 0.0 [3]\n"
		"t3 = exp t1\n"
		"t4 = add t1, 2\n"
		"t5 = sub 1.5, t1\n"
		"t6 = cast t2 dtype=float32\n"
		"t7 = exp t6\n"
		"free t6\n"
		"t8 = cast t2 dtype=float32\n"
		"t9 = add t1, t8\n"
		"free t8\n"
		"t10 = sum t1 axes=[1] keepdims\n"
		"t11 = softmax t1 axis=1\n"
		"t12 = gt t1, 0\n"
		"t13 = where t12, t1, 0\n"
		"free t13\nfree t12\nfree t11\nfree t10\nfree t9\nfree t7\nfree t5\nfree t4\n"
		"free t3\nfree t2\nfree t1\n");
	assert_int_equal(fake_of(gt)->live, 0);
}

static void test_pow(void **state)
{
	gt_client *gt = *state;
	gt_scope *s = gt_scope_begin(gt);
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2)), *i = gt_ones(gt, GT_SHAPE(2), .dtype = GT_INT64);

	gt_pow(x, 2);
	gt_pow(x, 0.5);
	gt_pow(x, -1);
	gt_pow(x, 1);
	gt_pow(x, 0);
	gt_pow(x, 3);
	gt_pow(i, 2);
	gt_pow(i, 0.5);
	gt_pow(2, x);
	FAILS(gt_pow(i, -2), GT_EINVAL, "pow: integers to the negative power -2");
	SENDS(gt, "t1 = full float32 1.0 [2]\nt2 = full int64 1.0 [2]\n"
		"t3 = square t1\nt4 = sqrt t1\nt5 = reciprocal t1\nt6 = clone t1\n"
		"t7 = full float32 1 [2]\nt8 = pow t1, 3\nt9 = square t2\n"
		"t10 = cast t2 dtype=float32\nt11 = sqrt t10\nfree t10\nt12 = pow 2, t1\n");
	gt_scope_end(s);
}

static void test_create(void **state)
{
	gt_client *gt = *state;
	const int64_t two[] = { 5, -6 };
	const double one = 0.1;

	gt_from(gt, GT_INT64, GT_SHAPE(2), two);
	gt_from(gt, GT_FLOAT64, GT_SHAPE(1, 1), &one);
	gt_from(gt, GT_FLOAT32, GT_SHAPE(0, 3), NULL);
	gt_full(gt, GT_SHAPE(), (bool)true);   /* `true` by itself is an int in C11 */
	gt_full(gt, GT_SHAPE(), 7);
	gt_arange(gt, 10, 0, -3);
	gt_arange(gt, 0, 1, 0.25);
	gt_eye(gt, 2, 3);
	gt_linspace(gt, 0, 1, 5);
	SENDS(gt, "t1 = upload int64 [2] {5, -6}\n"
		"t2 = full float64 0.1 [1,1]\n"
		"t3 = upload float32 [0,3] {}\n"
		"t4 = full bool true []\n"
		"t5 = full int64 7 []\n"
		"t6 = arange int64 10, -3 [4]\n"
		"t7 = arange float32 0.0, 0.25 [4]\n"
		"t8 = eye float32 [2,3]\n"
		"t9 = arange float32 0.0, 0.25 [2]\n"
		"t10 = arange float32 1.0, -0.25 [3]\n"
		"t11 = slice t10 first=[2] count=[3] step=[-1]\n"
		"t12 = cat t9, t11 axis=0\n"
		"free t11\nfree t10\nfree t9\n");
}

static void test_random(void **state)
{
	gt_client *gt = *state;

	gt_rand(gt, GT_SHAPE(2));
	gt_randn(gt, GT_SHAPE(2), .dtype = GT_FLOAT64);
	FAILS(gt_rand(gt, GT_SHAPE(2), .dtype = GT_INT64), GT_EDTYPE, "rand");
	gt_randint(gt, -3, 4, GT_SHAPE(2));
	gt_manual_seed(gt, 42);
	gt_rand(gt, GT_SHAPE(2));
	FAILS(gt_randint(gt, 4, 4, GT_SHAPE(2)), GT_EINVAL, "low < high, got 4 and 4");
	SENDS(gt, "t1 = rand float32 [2] seed=0 draw=0\n"
		"t2 = randn float64 [2] seed=0 draw=1\n"
		"t3 = randint int64 -3, 4 [2] seed=0 draw=2\n"
		"t4 = rand float32 [2] seed=42 draw=0\n");
}

static void test_backward(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2, 3));
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(3, 4)));
	gt_tensor *b = gt_requires_grad(gt_ones(gt, GT_SHAPE(4)));
	gt_scope *s = gt_scope_begin(gt);
	gt_tensor *loss = gt_mean(gt_relu(gt_add(gt_matmul(x, w), b)));

	SENDS(gt, "t1 = full float32 1.0 [2,3]\nt2 = full float32 1.0 [3,4]\n"
		"t3 = full float32 1.0 [4]\n"
		"t4 = matmul t1, t2\nt5 = add t4, t3\nt6 = relu t5\nt7 = mean t6 axes=[0,1]\n");
	WORKS(gt_backward(loss));
	SENDS(gt, "t8 = full float32 1.0 []\n"
		"t9 = div t8, 8.0\nt10 = expand t9 [2,4]\nfree t9\nfree t8\n"
		"t11 = gt t6, 0\nt12 = where t11, t10, 0\nfree t11\nfree t10\n"
		"t13 = sum t12 axes=[0]\n"
		"t14 = permute t1 perm=[1,0]\nt15 = matmul t14, t12\nfree t14\nfree t12\n");
	gt_scope_end(s);
	SENDS(gt, "free t7\nfree t6\nfree t5\nfree t4\n");
	assert_int_equal(fake_of(gt)->live, 5);
	WORKS(gt_set_grad(w, NULL));
	SENDS(gt, "free t15\n");
}

/* The slices that a tensor was split in have one gradient: no zeros, no sum. */
static void test_slices(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(2, 4))), *part[2];
	gt_scope *s = gt_scope_begin(gt);

	gt_split(w, 2, 1, part);
	WORKS(gt_backward(gt_sum(gt_mul(part[0], part[1]))));
	gt_scope_end(s);
	SENDS(gt, "t1 = full float32 1.0 [2,4]\n"
		"t2 = slice t1 first=[0,0] count=[2,2] step=[1,1]\n"
		"t3 = slice t1 first=[0,2] count=[2,2] step=[1,1]\nt4 = mul t2, t3\n"
		"t5 = sum t4 axes=[0,1]\n"
		"t6 = full float32 1.0 []\nt7 = expand t6 [2,2]\nfree t6\n"
		"t8 = mul t7, t3\nt9 = mul t7, t2\nfree t7\n"
		"t10 = cat t8, t9 axis=1\nfree t8\nfree t9\n"
		"free t5\nfree t4\nfree t3\nfree t2\n");
}

/* Only what a gradient looks at is kept: here x for dw, and nothing for the sums. */
static void test_saved(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2)), *y, *keep;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE(2)));
	gt_scope *s = gt_scope_begin(gt);

	y = gt_add(gt_add(gt_mul(w, gt_add(x, 1)), x), 2);
	keep = gt_keep(gt_sum(y));
	gt_scope_end(s);
	SENDS(gt, "t1 = full float32 1.0 [2]\nt2 = full float32 1.0 [2]\n"
		"t3 = add t1, 1\nt4 = mul t2, t3\nt5 = add t4, t1\nt6 = add t5, 2\n"
		"t7 = sum t6 axes=[0]\nfree t6\nfree t5\nfree t4\n");
	WORKS(gt_backward(keep));
	SENDS(gt, "t8 = full float32 1.0 []\nt9 = expand t8 [2]\nfree t8\n"
		"t10 = mul t9, t3\nfree t3\nfree t9\n");
	gt_drop(keep);
}

static void test_handing_over(void **state)
{
	gt_client *gt = *state;
	fake *f = fake_of(gt);
	gt_tensor *x = gt_ones(gt, GT_SHAPE(2));

	for (int k = 1; k < BATCH_INS - 1; k++)
		gt_neg(x);
	assert_int_equal(f->flushes, 0);
	gt_neg(x);
	assert_int_equal(f->flushes, 1);
	assert_int_equal(f->last_n, BATCH_INS);
	assert_true(f->last_cost > BATCH_INS);
	WORKS(gt_flush(gt));
	assert_int_equal(f->flushes, 1);
	gt_ones(gt, GT_SHAPE(1000, 1000));      /* costs more than the limit by itself */
	assert_int_equal(f->flushes, 2);
	gt_item(gt_sum(x));
	assert_int_equal(f->flushes, 3);
	assert_true(f->link.light);
	gt_from(gt, GT_INT32, GT_SHAPE(2), (const int[]){ 1, 2 });
	assert_int_equal(f->flushes, 3);
	WORKS(gt_flush(gt));
	assert_false(f->link.light);            /* somebody has to look for the upload */
}

/* Some 30 us of work, which fill a batch, and what the link was told that it costs. */
static uint64_t cost_of_work(gt_client *gt)
{
	gt_ones(gt, GT_SHAPE(60 * 1024));
	return fake_of(gt)->last_cost;
}

/* What is read soon is its reader's to run: the link hears of its cost only if no read comes, or if
 * nobody is going to wait. */
static void test_habit(void **state)
{
	enum { WORK = 30000 };
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE());
	gt_fetch *f;

	assert_true(cost_of_work(gt) >= WORK);
	gt_item(x);
	assert_int_equal(fake_of(gt)->last_cost, 0);
	assert_int_equal(cost_of_work(gt), 0);
	assert_int_equal(cost_of_work(gt), 0);
	assert_true(cost_of_work(gt) >= 3 * WORK);       /* the read does not come */
	assert_true(cost_of_work(gt) >= WORK);
	gt_item(gt_neg(x));
	assert_int_equal(fake_of(gt)->last_cost, 0);     /* the rest is the reader's */
	for (int k = 0; k < 30; k++)
		gt_item(gt_neg(x));
	assert_true(cost_of_work(gt) >= WORK);           /* more than twice what was issued of late */
	gt_item(gt_neg(x));
	gt_item(gt_neg(x));                              /* another read in the same step */
	assert_int_equal(cost_of_work(gt), 0);
	WORKS(gt_flush(gt));                             /* the program wants it done */
	assert_int_equal(fake_of(gt)->last_n, 0);
	assert_true(fake_of(gt)->last_cost >= WORK);
	gt_item(gt_neg(x));
	cost_of_work(gt);
	gt_item(gt_neg(x));
	assert_int_equal(cost_of_work(gt), 0);
	f = gt_fetch_begin(gt_neg(x));
	assert_true(fake_of(gt)->last_cost >= WORK);
	gt_fetch_end(f);
}

/* Who does not wait wants it begun, however little it is, and even if somebody was going to wait. */
static void test_begun_at_once(void **state)
{
	gt_client *gt = *state;
	fake *f = fake_of(gt);
	gt_tensor *x = gt_ones(gt, GT_SHAPE());
	gt_fetch *read, *fetch;

	gt_item(x);
	fetch = gt_fetch_begin(gt_neg(x));
	assert_true(f->last_cost >= LINK_URGENT_NS);
	gt_fetch_end(fetch);
	f->hold = true;
	x = gt_neg(x);
	read = gt_read_begin(x);
	assert_int_equal(f->last_cost, 0);
	fetch = gt_fetch_begin(x);
	assert_true(f->last_cost >= LINK_URGENT_NS);
	gt_fetch_end(fetch);
	gt_fetch_end(read);
	gt_fetch_end(gt_read_begin(gt_neg(x)));
	assert_int_equal(f->last_cost, 0);
	WORKS(gt_flush(gt));
	assert_true(f->last_cost >= LINK_URGENT_NS);
}

/* In steps as at once. */
static void test_habit_in_steps(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE());

	cost_of_work(gt);
	gt_fetch_end(gt_read_begin(gt_neg(x)));
	assert_int_equal(fake_of(gt)->last_cost, 0);
	assert_int_equal(cost_of_work(gt), 0);
	gt_fetch_end(gt_sync_begin(gt));
	assert_int_equal(fake_of(gt)->last_cost, 0);
	assert_int_equal(cost_of_work(gt), 0);
}

/* 150 us of work, the read at once or a millisecond later; the sum of what the link was told. */
static uint64_t cost_of_step(gt_client *gt, gt_tensor *x, bool late)
{
	uint64_t cost = 0;

	for (int k = 0; k < 5; k++)
		cost += cost_of_work(gt);
	if (late)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	gt_item(gt_neg(x));
	return cost;
}

/* Much work is the reader's too, if nobody else could have begun earlier. A busy machine may come
 * in between: then once more. */
static void test_habit_of_much(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE());
	int tries = 1000;

	assert_true(cost_of_step(gt, x, false) >= 150000);
	assert_true(cost_of_step(gt, x, false) >= 150000);   /* not known yet */
	while (cost_of_step(gt, x, false) && --tries)
		;
	assert_true(tries > 0);
	cost_of_step(gt, x, true);
	assert_true(cost_of_step(gt, x, true) >= 150000);
	for (int k = 0; k < 2; k++) {                    /* too much: the read does not matter */
		gt_ones(gt, GT_SHAPE(10 * 1024 * 1024));
		assert_true(fake_of(gt)->last_cost >= 4000000);
		gt_item(gt_neg(x));
	}
}

/* The link refuses: the call that noticed fails, the client goes on. */
static void test_refused(void **state)
{
	gt_client *gt = *state;
	fake *f = fake_of(gt);
	gt_tensor *x = gt_ones(gt, GT_SHAPE());

	f->refuse = GT_EMEMORY;
	FAILS(gt_ones(gt, GT_SHAPE(1000, 1000)), GT_EMEMORY, "refused");
	assert_true(isnan(gt_item(x)));
	REFUSES(gt_last_error_code(), GT_EMEMORY, "refused");
	f->refuse = GT_OK;
	f->text.size = 0;
	gt_neg(x);
	SENDS(gt, "t3 = neg t1\n");
	assert_int_equal(f->live, 2);
}

static void test_cat_tree(void **state)
{
	gt_client *gt = *state;
	gt_tensor *list[130], *x = gt_ones(gt, GT_SHAPE(2)), *y;
	gt_scope *s = gt_scope_begin(gt);

	for (int k = 0; k < 130; k++)
		list[k] = x;
	y = gt_cat(list, 130, 0);
	SHAPED(y, 260);
	WORKS(gt_flush(gt));
	fake_of(gt)->text.size = 0;
	gt_cat(list, 2, 0);
	SENDS(gt, "t6 = cat t1, t1 axis=0\n");
	gt_scope_end(s);
}

static void test_index(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(4, 5)), *m = gt_ones(gt, GT_SHAPE(4), .dtype = GT_BOOL);
	gt_tensor *i = gt_zeros(gt, GT_SHAPE(3), .dtype = GT_INT64), *v = gt_ones(gt, GT_SHAPE(5));
	gt_scope *s = gt_scope_begin(gt);

	SENDS(gt, "t1 = full float32 1.0 [4,5]\nt2 = full bool 1.0 [4]\nt3 = full int64 0.0 [3]\n"
		"t4 = full float32 1.0 [5]\n");
	gt_index(x, GT_AT(-1), GT_FROM(1, 3));
	SENDS(gt, "t5 = slice t1 first=[3,1] count=[1,2] step=[1,1]\nt6 = reshape t5 [2]\nfree "
		"t5\n");
	gt_index(x, GT_ELLIPSIS, GT_NEW);
	SENDS(gt, "t7 = reshape t1 [4,5,1]\n");
	gt_index(x, GT_BY(i));
	SENDS(gt, "t8 = index_select t1, t3 axis=0\n");
	WORKS(gt_index_set(x, 2, GT_AT(0)));
	SENDS(gt, "t9 = slice_set t1, 2 first=[0,0] count=[1,5] step=[1,1]\nfree t1\n");
	WORKS(gt_index_set(x, v, GT_AT(1)));
	SENDS(gt, "t10 = reshape t4 [1,5]\n"
		"t11 = slice_set t9, t10 first=[1,0] count=[1,5] step=[1,1]\nfree t9\nfree t10\n");
	WORKS(gt_index_set(x, 3, GT_BY(m)));
	SENDS(gt, "t12 = reshape t2 [4,1]\nt13 = where t12, 3, t11\nfree t11\nfree t12\n");
	WORKS(gt_index_set(x, v, GT_BY(i)));
	SENDS(gt, "t14 = reshape t3 [3]\nt15 = expand t4 [3,5]\nt16 = reshape t15 [3,5]\n"
		"t17 = index_set t13, t14, t16 axis=0\n"
		"free t13\nfree t16\nfree t15\nfree t14\n");
	gt_scope_end(s);
}

static void test_signals(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE())), *y;

	assert_null(gt_signal_current(gt));
	WORKS(gt_enter(gt, "forward"));
	WORKS(gt_enter_with(gt, "attention", "attention-backward"));
	assert_string_equal(gt_signal_current(gt), "attention");
	y = gt_mul(w, 2);
	WORKS(gt_leave(gt));
	assert_string_equal(gt_signal_current(gt), "forward");
	y = gt_mul(y, 3);
	WORKS(gt_leave(gt));
	WORKS(gt_backward(y));
	SENDS(gt, "t1 = full float32 1.0 []\nenter \"forward\"\nenter \"attention\"\n"
		"t2 = mul t1, 2\nleave\nt3 = mul t2, 3\nleave\n"
		"t4 = full float32 1.0 []\nt5 = mul t4, 3\nfree t4\n"
		"enter \"attention-backward\"\nt6 = mul t5, 2\nfree t5\nleave\n");
	REFUSES(gt_leave(gt), GT_ESTATE, "leave without an enter");
	REFUSES(gt_enter(gt, ""), GT_EINVAL, "expected a name of 1 to 127 bytes");
	REFUSES(gt_enter(gt, NULL), GT_EINVAL, "expected a name");
	REFUSES(gt_enter(gt, "0123456789012345678901234567890123456789012345678901234567890123"
		"0123456789012345678901234567890123456789012345678901234567890123"), GT_EINVAL,
		"more than 127 bytes");
	for (int k = 0; k < 64; k++)
		WORKS(gt_enter(gt, "deep"));
	REFUSES(gt_enter(gt, "deeper"), GT_ELIMIT, "'deeper' would be nested deeper than 64");
	for (int k = 0; k < 64; k++)
		WORKS(gt_leave(gt));
}

/* GT_DEBUG_CLIENT: what is handed over is printed, with the user's lines. */
static void test_debug(void **state)
{
	char path[] = "/tmp/gt-test-XXXXXX", text[256] = "";
	const int file = mkstemp(path), saved = dup(STDERR_FILENO);
	gt_client *gt;

	(void)state;
	assert_true(file >= 0 && saved >= 0);
	WORKS(flag_set(FLAG_GT_DEBUG_CLIENT, "1"));
	gt = fake_open(NULL);
	WORKS(flag_set(FLAG_GT_DEBUG_CLIENT, "0"));
	gt_neg(gt_ones(gt, GT_SHAPE(2)));
	fflush(stderr);
	dup2(file, STDERR_FILENO);
	WORKS(gt_flush(gt));
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	assert_true(pread(file, text, sizeof text - 1, 0) > 0);
	assert_non_null(strstr(text, "t2 = neg t1"));
	assert_non_null(strstr(text, "test_stream.c\":"));
	gt_close(gt);
	close(file);
	close(saved);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE(test_ops), FAKE(test_pow), FAKE(test_create), FAKE(test_random),
		FAKE(test_backward), FAKE(test_slices), FAKE(test_saved), FAKE(test_handing_over),
		FAKE(test_habit), FAKE(test_begun_at_once), FAKE(test_habit_in_steps),
		FAKE(test_habit_of_much), FAKE(test_refused),
		FAKE(test_cat_tree), FAKE(test_index), FAKE(test_signals),
		cmocka_unit_test(test_debug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
