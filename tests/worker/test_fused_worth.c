/* test_fused_worth.c: which loops are compiled: a few small ops take no longer one by one. */
#include "check.h"
#include "one_tenant.h"

#define SETUP "t1 = full float32 0.5 [%,%]\nt2 = full float32 0.25 [%,%]\n"
#define STEPS 60

static void open_tenant(const char *sync)
{
	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_CACHE_DIR, "");
	set(FLAG_GT_COMPILE_SYNC, sync);
	set(FLAG_GT_HOTPATH_TIER, "2");
	set(FLAG_GT_HOTPATH_CODE, "interpreted");
	admit_tenant(10, false);
}

/* So many ops, each of the one before and t2: they could all be one kernel. */
static void run_step(unsigned k, unsigned ops)
{
	static const char *const names[] = { "add", "sub", "mul", "maximum" };
	buf b = { 0 };
	play p;

	for (unsigned j = 0; j < ops; j++) {
		const unsigned id = 1000 + 100 * k + j;

		buf_printf(&b, "t%u = %s t%u, t2\n", id,
			names[(j * 2654435761u >> 16) % COUNT(names)], j ? id - 1 : 1);
		if (j)
			buf_printf(&b, "free t%u\n", id - 1);
	}
	buf_printf(&b, "free t%u\n", 1000 + 100 * k + ops - 1);
	p = play_line(tenant_line(t), buf_text(&b));
	play_end(&p);
	buf_fini(&b);
}

/* The plans that a loop of so many ops on tensors of width x width gets. */
static unsigned count_plans(unsigned ops, unsigned width, const char *sync, unsigned *vain)
{
	unsigned plans;
	play p;

	open_tenant(sync);
	p = run_numbered(SETUP, width);
	play_end(&p);
	for (unsigned k = 0; k < 2 * STEPS; k++) {
		run_step(k, ops);
		if (k == STEPS)
			assert_int_equal(worker_compile_wait(w, NULL), GT_OK);
	}
	assert_int_equal(t->hot->count, 1);
	plans = t->hot->runs[0]->fused.count;
	*vain = t->hot->runs[0]->fused.vain;
	assert_true(atomic_load(&t->hot->counts.failures) == 0);
	dismiss_tenant();
	return plans;
}

static void test_few_small_ops_are_not_compiled(void **state)
{
	unsigned vain;

	(void)state;
	assert_int_equal(count_plans(3, 8, "0", &vain), 0);
	assert_true(vain > 0);
}

static void test_many_are(void **state)
{
	unsigned vain;

	(void)state;
	assert_int_equal(count_plans(20, 8, "0", &vain), 1);
	assert_int_equal(vain, 0);
}

static void test_large_ones_are(void **state)
{
	unsigned vain;

	(void)state;
	assert_int_equal(count_plans(3, 128, "0", &vain), 1);
	assert_int_equal(vain, 0);
}

/* Tests want all that there is. */
static void test_in_place_all_are(void **state)
{
	unsigned vain;

	(void)state;
	assert_int_equal(count_plans(3, 8, "1", &vain), 1);
	set(FLAG_GT_COMPILE_SYNC, "0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_few_small_ops_are_not_compiled),
		cmocka_unit_test(test_many_are), cmocka_unit_test(test_large_ones_are),
		cmocka_unit_test(test_in_place_all_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
