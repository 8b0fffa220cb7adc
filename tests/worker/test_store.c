/* test_store.c: values by id, and the path of signals. */
#include "check.h"
#include <stdlib.h>
#include "worker/signals.h"
#include "worker/store.h"

static void test_values_come_and_go(void **state)
{
	allocator *memory = allocator_new(1 << 20);
	allocator_stats stats;
	store s = { 0 };

	(void)state;
	for (uint64_t id = 1; id <= 1000; id++) {
		value *v = store_take(&s);

		assert_null(v->s);
		assert_null(v->why);
		v->s = storage_new(memory, 64);
		store_put(&s, id, v);
	}
	assert_int_equal(store_count(&s), 1000);
	assert_null(store_get(&s, 1001));
	for (uint64_t id = 1; id <= 1000; id += 2)
		assert_true(store_drop(&s, id));
	assert_false(store_drop(&s, 1));
	assert_false(store_drop(&s, 5000));
	assert_int_equal(store_count(&s), 500);
	allocator_get_stats(memory, &stats);
	assert_int_equal(stats.live, 500 * 64);
	store_fini(&s);
	allocator_get_stats(memory, &stats);
	assert_int_equal(stats.live, 0);
	allocator_free(memory);
}

static void test_values_are_reused(void **state)
{
	store s = { 0 };
	value *v = store_take(&s);

	(void)state;
	store_put(&s, 7, v);
	v->why = failure_new(GT_EINDEX, 0, "why");
	store_drop(&s, 7);
	assert_ptr_equal(store_take(&s), v);
	assert_null(v->why);
	store_return(&s, v);
	store_fini(&s);
}

static void test_path(void **state)
{
	signals *s = calloc(1, sizeof *s);

	(void)state;
	assert_string_equal(signals_path(s), "");
	signals_leave(s);
	assert_string_equal(signals_path(s), "");
	signals_enter(s, "forward");
	signals_enter(s, "attention");
	assert_string_equal(signals_path(s), "forward/attention");
	signals_leave(s);
	assert_string_equal(signals_path(s), "forward");
	signals_enter(s, "x");
	assert_string_equal(signals_path(s), "forward/x");
	signals_leave(s);
	signals_leave(s);
	assert_string_equal(signals_path(s), "");
	free(s);
}

static void test_deep_path(void **state)
{
	signals *s = calloc(1, sizeof *s);
	char name[INS_NAME_MAX + 1];

	(void)state;
	memset(name, 'n', INS_NAME_MAX);
	name[INS_NAME_MAX] = '\0';
	for (int k = 0; k < SIGNALS_DEPTH_MAX + 10; k++)
		signals_enter(s, name);
	assert_int_equal(strlen(signals_path(s)), SIGNALS_DEPTH_MAX * (INS_NAME_MAX + 1) - 1);
	for (int k = 0; k < SIGNALS_DEPTH_MAX + 9; k++)
		signals_leave(s);
	assert_string_equal(signals_path(s), name);
	signals_leave(s);
	assert_string_equal(signals_path(s), "");
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_come_and_go),
		cmocka_unit_test(test_values_are_reused),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_deep_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
