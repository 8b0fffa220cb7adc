/* test_error.c: the last error is the thread's own, survives wrapping, and is cut, not overrun. */
#include "check.h"

#include <pthread.h>
#include <string.h>
#include "base/base.h"
#include "base/error.h"

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(gt_error_name(GT_OK), "GT_OK");
	assert_string_equal(gt_error_name(GT_ESHAPE), "GT_ESHAPE");
	assert_string_equal(gt_error_name((gt_err)-12345), "unknown error");
}

static void test_set_and_clear(void **state)
{
	(void)state;
	gt_clear_error();
	assert_string_equal(gt_last_error(), "");
	assert_int_equal(gt_last_error_code(), GT_OK);
	assert_int_equal(fail(GT_EINDEX, "row %d of %d", 7, 5), GT_EINDEX);
	assert_string_equal(gt_last_error(), "row 7 of 5");
	assert_int_equal(gt_last_error_code(), GT_EINDEX);
	gt_clear_error();
	assert_string_equal(gt_last_error(), "");
	assert_int_equal(gt_last_error_code(), GT_OK);
}

static void test_wraps_itself(void **state)
{
	(void)state;
	fail(GT_EIO, "inner");
	fail(GT_EIO, "outer (%s)", gt_last_error());
	assert_string_equal(gt_last_error(), "outer (inner)");
}

static void test_cut(void **state)
{
	char text[3 * ERROR_TEXT_MAX];

	(void)state;
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	fail(GT_EINVAL, "%s", text);
	assert_int_equal(strlen(gt_last_error()), ERROR_TEXT_MAX - 1);
}

static void *other_thread(void *seen)
{
	*(gt_err *)seen = gt_last_error_code();
	fail(GT_ECLOSED, "of the other thread");
	return NULL;
}

static void test_per_thread(void **state)
{
	gt_err seen = GT_EINTERNAL;
	pthread_t t;

	(void)state;
	fail(GT_EINVAL, "of this thread");
	assert_int_equal(pthread_create(&t, NULL, other_thread, &seen), 0);
	pthread_join(t, NULL);
	assert_int_equal(seen, GT_OK);
	assert_string_equal(gt_last_error(), "of this thread");
}

/* Numbers are part of the wire: none may be used twice. */
static void test_numbers_differ(void **state)
{
#define NUMBER(name, n, py, text) n,
	static const int numbers[] = { GT_ERRORS(NUMBER) };
#undef NUMBER

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		assert_true(numbers[i] > 0);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(numbers[i], numbers[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_set_and_clear),
		cmocka_unit_test(test_wraps_itself),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_per_thread),
		cmocka_unit_test(test_numbers_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
