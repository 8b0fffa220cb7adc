/* test_fuse_cat.c: cats of what was copied by a reshape first (fuse_cat.c): one copy instead of
 * two, the same bits, wherever the run is left; other cats are what they are.
 */
#include "region/fuse_program.h"

static program *begin(const char *what)
{
	return program_new(trial_reference, what);
}

static val cat(program *p, const val *all, unsigned count, unsigned axis)
{
	room r;

	program_begin(&r, OP_cat);
	r.i->attr.axis = (uint8_t)axis;
	for (unsigned k = 0; k < count; k++)
		program_in(&r, all[k]);
	return program_put(p, &r);
}

/* Heads (2, heads, 5, 3) next to one another: (2, 5, heads * 3). */
static val heads(program *p, int64_t count, bool moved)
{
	static const int perm[] = { 0, 2, 1, 3 };
	const int64_t dims[] = { 2, moved ? count : 5, moved ? 5 : count, 3 };
	const int64_t flat[] = { 2, 5, count * 3 };
	const val x = program_live(p, GT_FLOAT32, 4, dims, PLAIN);
	const val y = op1(p, OP_neg, x);

	return shaped(p, OP_reshape, moved ? permute(p, y, 4, perm) : y, 3, flat);
}

/* Calls of an op in the plan. */
static unsigned count_calls(const fusion *f, unsigned code)
{
	unsigned n = 0;

	for (uint32_t k = 0; k < f->steps.count; k++)
		n += f->steps.at[k].kind == STEP_CALL &&
			f->values.at[f->steps.at[k].value].row->op == code;
	return n;
}

static void check(program *p, const val *kept, int count, unsigned copies)
{
	fusion *f;

	program_end(p);
	program_keep(p, kept, count);
	f = program_fuse(p, false);
	assert_int_equal(count_calls(f, OP_cat), 1);
	if (count_calls(f, OP_reshape) != copies) {
		program_show(f);
		fail_msg("%s: %u copies, expected %u", p->what, count_calls(f, OP_reshape),
			copies);
	}
	program_check(p, f);
	for (uint32_t last = 0; last < p->n; last++)
		program_leave(p, f, last);
	program_vary(p);
	program_check(p, f);
	fusion_free(f);
	program_free(p);
}

static void test_unfolded(void **state)
{
	program *p = begin("heads");
	val all[3], kept[2];

	(void)state;
	for (int k = 0; k < 3; k++)
		all[k] = heads(p, 2 + k, true);
	kept[0] = op1(p, OP_exp, cat(p, all, 3, 2));
	check(p, kept, 1, 0);

	p = begin("kept");
	for (int k = 0; k < 3; k++)
		all[k] = heads(p, 4, true);
	kept[0] = cat(p, all, 3, 2);
	kept[1] = reduce(p, OP_sum, kept[0], 3, false);
	check(p, kept, 2, 0);
}

static void test_others(void **state)
{
	program *p = begin("along another axis");
	val all[2], kept;

	(void)state;
	all[0] = heads(p, 4, true);
	all[1] = heads(p, 4, true);
	kept = cat(p, all, 2, 1);
	check(p, &kept, 1, 2);

	p = begin("one that is no copy");
	all[0] = heads(p, 4, true);
	all[1] = heads(p, 4, false);
	kept = cat(p, all, 2, 2);
	check(p, &kept, 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unfolded), cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests_name("fuse_cat", tests, trial_open, trial_close_all);
}
