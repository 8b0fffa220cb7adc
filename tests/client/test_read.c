/* test_read.c: reading: by copy, by number, in steps; answers that are shared, that fail, that
 * never come; and what an error says. Partly on a link that answers as the test wants, partly on a
 * worker.
 */
#include "fake.h"

/* ---- against the fake link ------------------------------------------------------------------- */

static void test_second_read_is_free(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE()), *y = gt_neg(x);
	float f;

	assert_int_equal(gt_item(y), 0);
	SENDS(gt, "t1 = full float32 1.0 []\nt2 = neg t1\nfetch t2\n");
	assert_int_equal(gt_item(y), 0);
	WORKS(gt_read(y, &f, sizeof f));
	gt_fetch_end(gt_fetch_begin(y));
	SENDS(gt, "");
	gt_copy(y, 5);
	gt_item(y);
	SENDS(gt, "t3 = full float32 5 []\nfree t2\nfetch t3\n");
}

static void test_fetch_in_steps(void **state)
{
	gt_client *gt = *state;
	fake *f = fake_of(gt);
	gt_tensor *x = gt_ones(gt, GT_SHAPE());
	gt_fetch *one, *two;
	const meta m = { .dtype = GT_FLOAT32 };
	const float seven = 7;

	f->hold = true;
	one = gt_fetch_begin(x);
	two = gt_fetch_begin(x);
	assert_int_equal(f->npending, 1);
	assert_false(gt_fetch_ready(one));
	assert_null(gt_fetch_data(one));
	answer_give(f->pending[--f->npending], &m, &seven, NULL, NULL);
	assert_true(gt_fetch_ready(one) && gt_fetch_ready(two));
	WORKS(gt_fetch_wait(one));
	gt_fetch_end(one);
	WORKS(gt_fetch_wait(two));
	assert_true(*(const float *)gt_fetch_data(two) == 7);
	gt_fetch_end(two);
	gt_fetch_end(NULL);
	REFUSES(gt_fetch_wait(NULL), GT_EINVAL, "expected a fetch");
	assert_false(gt_fetch_ready(NULL));
}

static int released;
static void count_release(void *owner) { (void)owner; released++; }

/* Data stays until the last reader has gone, also when the client went first. */
static void test_fetch_outlives_client(void **state)
{
	gt_client *gt = fake_open(NULL);
	fake *f = fake_of(gt);
	gt_fetch *given, *open;
	const meta m = { .dtype = GT_FLOAT32 };
	const float seven = 7;

	(void)state;
	released = 0;
	f->hold = true;
	given = gt_fetch_begin(gt_ones(gt, GT_SHAPE()));
	answer_give(f->pending[--f->npending], &m, &seven, &released, count_release);
	open = gt_fetch_begin(gt_zeros(gt, GT_SHAPE()));
	gt_close(gt);
	assert_int_equal(released, 0);
	WORKS(gt_fetch_wait(given));
	assert_true(*(const float *)gt_fetch_data(given) == 7);
	REFUSES(gt_fetch_wait(open), GT_ECLOSED, "the client was closed");
	gt_fetch_end(open);
	gt_fetch_end(given);
	assert_int_equal(released, 1);
}

static int stop_now(void *ctx) { ++*(int *)ctx; return 1; }

/* The callback may call anything; calls on the waiting client are refused, not broken. */
static gt_tensor *nested;
static int call_back(void *ctx)
{
	(void)ctx;
	assert_null(gt_neg(nested));
	assert_int_equal(gt_last_error_code(), GT_ESTATE);
	gt_close(nested->gt);
	return 1;
}

static void test_interrupt(void **state)
{
	gt_client *gt = *state;
	fake *f = fake_of(gt);
	gt_tensor *x = gt_ones(gt, GT_SHAPE());
	int calls = 0;

	f->hold = true;
	gt_set_interrupt(gt, stop_now, &calls);
	assert_true(isnan(gt_item(x)));
	assert_int_equal(gt_last_error_code(), GT_EINTERRUPT);
	assert_int_equal(calls, 1);
	nested = x;
	gt_set_interrupt(gt, call_back, NULL);
	assert_true(isnan(gt_item(x)));
	assert_int_equal(gt_last_error_code(), GT_EINTERRUPT);
	/* The answer that a break-off cancelled is asked for again. */
	answer_cancel(f->pending[--f->npending]);
	f->hold = false;
	assert_int_equal(gt_item(x), 0);
	assert_int_equal(gt_last_error_code(), GT_OK);
}

/* While a flush waits for room, the batch is on its way: giving back is put off, not appended. */
typedef struct gift { gt_tensor *kept; gt_scope *scope; } gift;
static int give_back(void *ctx)
{
	gift *g = ctx;

	gt_drop(g->kept);
	g->kept = NULL;
	gt_scope_end(g->scope);
	assert_int_equal(gt_last_error_code(), GT_ESTATE);
	return 0;
}

static void test_giving_back_under_a_flush(void **state)
{
	gt_client *gt = *state;
	fake *f = fake_of(gt);
	gift g = { .kept = gt_keep(gt_ones(gt, GT_SHAPE(2))), .scope = gt_scope_begin(gt) };
	gt_tensor *x = gt_zeros(gt, GT_SHAPE(3));

	gt_neg(x);
	gt_set_interrupt(gt, give_back, &g);
	f->polls = true;
	SENDS(gt, "t1 = full float32 1.0 [2]\nt2 = full float32 0.0 [3]\nt3 = neg t2\n");
	f->polls = false;
	assert_int_equal(gt_count(gt_neg(x)), 3);
	SENDS(gt, "free t1\nt4 = neg t2\n");
	gt_scope_end(g.scope);
	SENDS(gt, "free t4\nfree t3\nfree t2\n");
}

static void test_failure_names_place(void **state)
{
	gt_client *gt = *state;
	fake *f = fake_of(gt);
	gt_tensor *x = gt_ones(gt, GT_SHAPE()), *y = gt_neg(x);
	const int line = __LINE__ - 1;
	char place[64];
	gt_fetch *fetch;

	snprintf(place, sizeof place, "test_read.c:%d (test_failure_names_place)", line);
	f->why = failure_new(GT_EINDEX, gt->site_number, "neg: broken");
	assert_true(isnan(gt_item(y)));
	assert_int_equal(gt_last_error_code(), GT_EINDEX);
	assert_non_null(strstr(gt_last_error(), "neg: broken; at "));
	assert_non_null(strstr(gt_last_error(), place));
	fetch = gt_fetch_begin(y);
	REFUSES(gt_fetch_wait(fetch), GT_EINDEX, "neg: broken; at ");
	assert_null(gt_fetch_data(fetch));
	gt_fetch_end(fetch);
	failure_drop(f->why);
	f->why = NULL;
}

static void test_place_is_never_cut(void **state)
{
	gt_client *gt = *state;
	char name[120] = "";
	gt_tensor *x;

	memset(name, 'n', sizeof name - 1);
	for (int k = 0; k < 20; k++)
		WORKS(gt_enter(gt, name));
	x = gt_floordiv(gt_ones(gt, GT_SHAPE(2), .dtype = GT_INT64), 0);
	for (int k = 0; k < 20; k++)
		WORKS(gt_leave(gt));
	assert_int_equal(gt_item_int(gt_sum(x)), 0);
	assert_non_null(strstr(gt_last_error(), "in signal 'nnn"));
	REFUSES(gt_last_error_code(), GT_EDIVIDE, "(test_place_is_never_cut)");
}

static void test_many_places(void **state)
{
	static gt_site places[5000];
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE());

	for (int round = 0; round < 2; round++)
		for (int k = 0; k < 5000; k++) {
			gt_scope *s = gt_scope_begin(gt);

			places[k] = (gt_site){ "many.c", k, "f" };
			gt_neg_at(&places[k], x);
			assert_int_equal(sites_get(gt->sites, gt->site_number)->line, k);
			gt_scope_end(s);
		}
	assert_true(gt->sites->n <= 5002);
	assert_null(sites_get(gt->sites, 0));
	assert_null(sites_get(gt->sites, 1u << 30));
}

/* ---- on a worker ----------------------------------------------------------------------------- */

static void test_values(void **state)
{
	gt_client *gt = *state;
	gt_tensor *i = gt_full(gt, GT_SHAPE(1, 1), INT64_MAX), *b = gt_full(gt, GT_SHAPE(),
		(bool)true);
	int64_t big = 0;
	float two[2];

	assert_true(gt_item_int(i) == INT64_MAX);
	WORKS(gt_read(i, &big, sizeof big));
	assert_true(big == INT64_MAX);
	assert_true(gt_item(b) == 1);
	assert_int_equal(gt_item_int(gt_full(gt, GT_SHAPE(), -2.75)), -2);
	assert_int_equal(gt_item_int(gt_full(gt, GT_SHAPE(), -7, .dtype = GT_INT32)), -7);
	assert_true(gt_item(gt_full(gt, GT_SHAPE(), 0.1, .dtype = GT_FLOAT64)) == 0.1);
	assert_true(isnan(gt_item(gt_full(gt, GT_SHAPE(), NAN))));
	assert_int_equal(gt_last_error_code(), GT_OK);
	assert_int_equal(gt_item_int(gt_full(gt, GT_SHAPE(), 1e30)), 0);
	REFUSES(gt_last_error_code(), GT_EINVAL, "does not fit into an int64");
	assert_true(isnan(gt_item(gt_ones(gt, GT_SHAPE(2)))));
	REFUSES(gt_last_error_code(), GT_ESHAPE, "item: expected one element, got float32 (2,)");
	REFUSES(gt_read(gt_ones(gt, GT_SHAPE(2)), two, 4), GT_EINVAL, "read: 4 bytes of room");
	REFUSES(gt_read(gt_ones(gt, GT_SHAPE(2)), NULL, 8), GT_EINVAL, "got NULL");
	WORKS(gt_read(gt_ones(gt, GT_SHAPE(0, 2)), NULL, 0));
	WORKS(gt_sync(gt));
}

/* Waiting in steps, on any thread: no value, and all before has run. */
static void test_sync_in_steps(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_add(gt_ones(gt, GT_SHAPE(3)), gt_ones(gt, GT_SHAPE(3)));
	gt_fetch *of_x = gt_fetch_begin(x), *all = gt_sync_begin(gt), *again = gt_sync_begin(gt);

	WORKS(gt_fetch_wait(again));
	assert_true(gt_fetch_ready(all) && gt_fetch_ready(of_x));
	assert_null(gt_fetch_data(all));
	WORKS(gt_fetch_wait(all));
	gt_fetch_end(all);
	gt_fetch_end(again);
	gt_fetch_end(of_x);
	assert_null(gt_sync_begin(NULL));
	REFUSES(gt_last_error_code(), GT_EINVAL, "gt_sync_begin");
}

/* Of a transposed view every read shows the elements in order. */
static void test_views(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(100, 30)), *t = gt_transpose(x, 0, 1);

	for (int round = 0; round < 2; round++) {
		gt_fetch *f = gt_fetch_begin(t);
		const float *p;

		WORKS(gt_fetch_wait(f));
		p = gt_fetch_data(f);
		assert_true(p[0] == 0 && p[1] == 30 && p[100] == 1);
		gt_fetch_end(f);
	}
}

/* What fails at a worker shows where it is read, with the line of the call; the rest goes on. */
static void test_poison(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE(3)), *nine = gt_full(gt, GT_SHAPE(1), 9);
	gt_tensor *bad = gt_index_select(x, nine, 0), *worse = gt_mul(gt_exp(bad), x);
	const int line = __LINE__ - 1;
	char place[32];

	snprintf(place, sizeof place, "test_read.c:%d", line);
	assert_true(isnan(gt_item(gt_sum(worse))));
	assert_int_equal(gt_last_error_code(), GT_EINDEX);
	assert_non_null(strstr(gt_last_error(), "index 9"));
	assert_non_null(strstr(gt_last_error(), place));
	gt_clear_error();
	SAME(gt_floordiv(gt_full(gt, GT_SHAPE(), 7), 2), 3);
	assert_int_equal(gt_item_int(gt_floordiv(gt_full(gt, GT_SHAPE(), 7), gt_zeros(gt,
		GT_SHAPE(),
		.dtype = GT_INT64))), 0);
	REFUSES(gt_last_error_code(), GT_EDIVIDE, "floordiv");
	SAME(x, 1, 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE(test_second_read_is_free), FAKE(test_fetch_in_steps),
		cmocka_unit_test(test_fetch_outlives_client), FAKE(test_interrupt),
		FAKE(test_giving_back_under_a_flush), FAKE(test_failure_names_place),
		TRY(test_place_is_never_cut), FAKE(test_many_places), TRY(test_values),
		TRY(test_views), TRY(test_poison), TRY(test_sync_in_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
