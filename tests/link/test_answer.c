/* test_answer.c: answers and failures: who frees what, and that sleepers wake. */
#include "check.h"
#include <pthread.h>
#include "link/link.h"

static int released;

static void count_release(void *owner)
{
	(void)owner;
	released++;
}

static void test_ready(void **state)
{
	answer *a = answer_new();
	meta m = { .dtype = GT_FLOAT32, .rank = 2, .dims = { 3, 4 } };
	int data = 7;

	(void)state;
	released = 0;
	assert_true(answer_pending(a));
	answer_give(a, &m, &data, &data, count_release);
	assert_false(answer_pending(a));
	assert_int_equal(atomic_load(&a->state), ANSWER_READY);
	assert_ptr_equal(a->data, &data);
	assert_int_equal(a->m.dims[1], 4);
	assert_int_equal(released, 0);
	answer_drop(a);
	assert_int_equal(released, 1);
}

/* The client lets go first: the data go with the stream's reference. */
static void test_unwanted(void **state)
{
	answer *a = answer_new();
	meta m = { .dtype = GT_BOOL };

	(void)state;
	released = 0;
	answer_drop(a);
	answer_give(a, &m, &m, &m, count_release);
	assert_int_equal(released, 1);
}

static void test_failed(void **state)
{
	failure *f = failure_new(GT_EINDEX, 12, "index 7 is out of range");
	answer *a = answer_new(), *b = answer_new();

	(void)state;
	failure_hold(f);
	answer_fail(a, f);
	answer_fail(b, f);
	assert_int_equal(atomic_load(&a->state), ANSWER_FAILED);
	assert_string_equal(b->why->text, "index 7 is out of range");
	assert_int_equal(b->why->site, 12);
	answer_drop(a);
	assert_int_equal(b->why->code, GT_EINDEX);
	answer_drop(b);
	failure_drop(NULL);
}

static void test_cancelled(void **state)
{
	answer *a = answer_new();

	(void)state;
	answer_cancel(a);
	assert_int_equal(atomic_load(&a->state), ANSWER_CANCELLED);
	answer_drop(a);
}

static void test_sleep_ends(void **state)
{
	answer *a = answer_new();

	(void)state;
	answer_sleep(a, 1000000);            /* the time is up */
	assert_true(answer_pending(a));
	answer_cancel(a);
	answer_sleep(a, UINT64_MAX);         /* no longer pending: does not sleep */
	answer_drop(a);
}

static void *give_later(void *a)
{
	meta m = { .dtype = GT_INT64 };

	answer_give(a, &m, NULL, NULL, NULL);
	return NULL;
}

static void *sleep_on(void *a)
{
	while (answer_pending(a))
		answer_sleep(a, UINT64_MAX);
	return NULL;
}

static void test_all_sleepers_wake(void **state)
{
	(void)state;
	for (int round = 0; round < 300; round++) {
		answer *a = answer_new();
		pthread_t sleepers[3], giver;

		for (int k = 0; k < 3; k++)
			pthread_create(&sleepers[k], NULL, sleep_on, a);
		pthread_create(&giver, NULL, give_later, a);
		for (int k = 0; k < 3; k++)
			pthread_join(sleepers[k], NULL);
		pthread_join(giver, NULL);
		answer_drop(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_unwanted),
		cmocka_unit_test(test_failed),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_sleep_ends),
		cmocka_unit_test(test_all_sleepers_wake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
