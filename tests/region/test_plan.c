/* test_plan.c: what a plan knows from the last run, and when it has to ask again. */
#include "check.h"
#include "base/mem.h"
#include "region/plan.h"

static engine *e;

static int open_engine(void **state)
{
	(void)state;
	return engine_open(ENGINE_REFERENCE, 1, 1 << 20, &e);
}

static int close_engine(void **state)
{
	(void)state;
	engine_close(e);
	return 0;
}

/* in0 + in1, then its reshape, then random numbers, then an upload. */
static plan *make_plan(void)
{
	static const region_op ops[] = {
		{ .op = OP_add, .nin = 2, .first = 0 },
		{ .op = OP_reshape, .nin = 1, .nopd = 2, .first = 2 },
		{ .op = OP_randn, .nopd = 4, .first = 3 },
		{ .op = OP_upload, .nopd = 3, .first = 3 },
	};
	static const int32_t inputs[] = { ~0, ~1, 0 };
	region *r = mem_zero(sizeof *r);

	*r = (region){ .n = 4, .inputs_count = 3, .live_ins_count = 2 };
	r->ops = mem_alloc(sizeof ops);
	memcpy(r->ops, ops, sizeof ops);
	r->inputs = mem_alloc(sizeof inputs);
	memcpy(r->inputs, inputs, sizeof inputs);
	r->live_ins = mem_zero(2 * sizeof *r->live_ins);
	return plan_new(r, e);
}

static meta matrix(int64_t rows, int64_t cols)
{
	return (meta){ .dtype = GT_FLOAT32, .rank = 2, .dims = { rows, cols } };
}

static const ins *with_operands(ins_room *room, unsigned code, unsigned n, const int64_t *opd)
{
	ins *i = ins_init(room, code, 9);

	for (unsigned k = 0; k < n; k++)
		ins_put_operand(i, opd[k]);
	return i;
}

static void test_versions(void **state)
{
	plan *p = make_plan();
	meta a = matrix(2, 3), b = matrix(3, 2);
	uint32_t first = plan_bind(p, 4, &a);

	(void)state;
	assert_int_equal(plan_bind(p, 4, &a), first);
	assert_int_equal(plan_bind(p, 4, &b), first + 1);
	/* What was there before is a change all the same: a step may have been left out. */
	assert_int_equal(plan_bind(p, 4, &a), first + 2);
	b.dtype = GT_INT64;
	assert_int_equal(plan_bind(p, 5, &b), 1);
	plan_free(p);
	plan_free(NULL);
}

static void test_stamps(void **state)
{
	plan *p = make_plan();
	const meta a = matrix(2, 3);
	ins_room room;
	const ins *add = ins_init(&room, OP_add, 9);
	uint64_t stamp = plan_bind(p, 4, &a) + plan_bind(p, 5, &a);

	(void)state;
	assert_ptr_equal(p->steps[0].run, e->kernels[OP_add]);
	assert_false(plan_knows(p, 0, stamp, add));
	plan_learn(p, 0, stamp, add, &a, 50);
	assert_true(plan_knows(p, 0, stamp, add));
	assert_int_equal(p->slots[0].version, 1);
	assert_int_equal(p->slots[0].cost, 50);
	assert_false(plan_knows(p, 0, stamp + 1, add));
	assert_int_equal(plan_stamp(p, 0), stamp);
	/* Learning the same again is no change for those that use it. */
	plan_learn(p, 0, stamp + 1, add, &a, 50);
	assert_int_equal(p->slots[0].version, 1);
	plan_free(p);
}

/* A step rests as long as no slot changes; then its stamp is asked, and it may rest again. */
static void test_epochs(void **state)
{
	plan *p = make_plan();
	const meta a = matrix(2, 3), b = matrix(3, 2);
	ins_room room;
	const ins *add = ins_init(&room, OP_add, 9);

	(void)state;
	assert_false(plan_rests(p, 0, add));
	plan_bind(p, 4, &a);
	plan_bind(p, 5, &a);
	plan_learn(p, 0, plan_stamp(p, 0), add, &a, 50);
	assert_int_equal(p->slots[0].size, record_size(&a));
	assert_true(plan_knows(p, 0, plan_stamp(p, 0), add));
	assert_true(plan_rests(p, 0, add));
	plan_bind(p, 3, &b);             /* no input of step 0 */
	assert_false(plan_rests(p, 0, add));
	assert_true(plan_knows(p, 0, plan_stamp(p, 0), add));
	assert_true(plan_rests(p, 0, add));
	plan_bind(p, 4, &b);
	assert_false(plan_rests(p, 0, add));
	assert_false(plan_knows(p, 0, plan_stamp(p, 0), add));
	plan_forget(p, 1);
	assert_false(plan_rests(p, 0, add));
	plan_free(p);
}

/* Sizes count, draw numbers and data do not. */
static void test_operands(void **state)
{
	static const int64_t sizes[] = { 2, 3 }, others[] = { 3, 2 };
	static const int64_t random[] = { 7, 1, 2, 3 }, later[] = { 8, 2, 2, 3 },
		larger[] = { 7, 1, 2, 4 };
	static const int64_t data[] = { 4096, 2, 3 }, next[] = { 8192, 2, 3 };
	const meta m = matrix(2, 3);
	plan *p = make_plan();
	ins_room room;

	(void)state;
	plan_learn(p, 1, 0, with_operands(&room, OP_reshape, 2, sizes), &m, 1);
	assert_true(plan_knows(p, 1, 0, with_operands(&room, OP_reshape, 2, sizes)));
	assert_false(plan_knows(p, 1, 0, with_operands(&room, OP_reshape, 2, others)));
	plan_learn(p, 2, 0, with_operands(&room, OP_randn, 4, random), &m, 1);
	assert_true(plan_knows(p, 2, 0, with_operands(&room, OP_randn, 4, later)));
	assert_false(plan_knows(p, 2, 0, with_operands(&room, OP_randn, 4, larger)));
	plan_learn(p, 3, 0, with_operands(&room, OP_upload, 3, data), &m, 1);
	assert_true(plan_knows(p, 3, 0, with_operands(&room, OP_upload, 3, next)));
	/* Every step has a place of its own. */
	assert_true(plan_knows(p, 1, 0, with_operands(&room, OP_reshape, 2, sizes)));
	plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_stamps),
		cmocka_unit_test(test_epochs),
		cmocka_unit_test(test_operands),
	};

	return cmocka_run_group_tests(tests, open_engine, close_engine);
}
