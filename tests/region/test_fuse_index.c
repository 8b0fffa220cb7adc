/* test_fuse_index.c: adding at indices as a comparison (fuse_index.c): the bits of the eager
 * kernel, interpreted and compiled, wherever the run is left; what is out of range is refused.
 */
#include "region/fuse_program.h"

typedef struct picking {
	gt_dtype dtype;
	int rank;
	int64_t dims[3];
	unsigned axis;
	layout how;
} picking;

static bool calls(const fusion *f, unsigned code)
{
	for (uint32_t k = 0; k < f->steps.count; k++)
		if (f->steps.at[k].kind == STEP_CALL &&
			f->values.at[f->steps.at[k].value].row->op == code)
			return true;
	return false;
}

static program *begin(const char *what)
{
	return program_new(trial_reference, what);
}

static val indexed(program *p, unsigned code, unsigned axis, val base, val index, val source)
{
	room r;

	program_begin(&r, code);
	r.i->attr.axis = (uint8_t)axis;
	program_in(&r, base);
	program_in(&r, index);
	if (code == OP_scatter_add)
		program_in(&r, source);
	return program_put(p, &r);
}

static void put_class(const view *to, int64_t at, int64_t class)
{
	((int64_t *)to->data)[at] = class;
}

/* The dims without the axis, which becomes 1. */
static const int64_t *one_a_row(const picking *k, int64_t one[3])
{
	memcpy(one, k->dims, sizeof k->dims);
	one[k->axis] = 1;
	return one;
}

/* A live-in of classes, some of them counted from the end. */
static val classes(program *p, const picking *k)
{
	const int64_t n = k->dims[k->axis];
	int64_t one[3];
	const val v = program_live(p, GT_INT64, k->rank, one_a_row(k, one), PLAIN);
	const view *to = program_view(p, v);

	for (int64_t at = 0; at < meta_count(&to->m); at++)
		put_class(to, at, (int64_t)(trial_random() % (uint64_t)(2 * n)) - n);
	return v;
}

static void end(program *p, fusion *f)
{
	fusion_free(f);
	program_free(p);
}

/* ---- where it is done ---- */

static const picking pickings[] = {
	{ GT_FLOAT32, 2, { 12, 10 }, 1, PLAIN },
	{ GT_FLOAT32, 2, { 17, 16 }, 1, PLAIN },
	{ GT_FLOAT32, 2, { 1, 15 }, 1, PLAIN },
	{ GT_FLOAT64, 2, { 65, 17 }, 1, TRANSPOSED },
	{ GT_FLOAT32, 2, { 3, 5000 }, 1, PLAIN },
	{ GT_FLOAT32, 3, { 4, 3, 33 }, 2, TRANSPOSED },
	{ GT_FLOAT32, 3, { 4, 7, 18 }, 1, PLAIN },
	{ GT_FLOAT32, 2, { 9, 1 }, 1, PLAIN },
};

/* The loss as gt_cross_entropy makes it, and its gradient. */
static void test_cross_entropy(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(pickings); n++) {
		const picking *k = &pickings[n];
		program *p = begin("cross entropy");
		int64_t one[3];
		const val x = program_live(p, k->dtype, k->rank, k->dims, k->how);
		const val at = classes(p, k);
		const val l = along(p, OP_log_softmax, x, k->axis);
		const val loss = op1(p, OP_neg, indexed(p, OP_gather, k->axis, l, at, 0));
		const val dy = full(p, k->dtype, -0.25, k->rank, one_a_row(k, one));
		const val zeros = full(p, k->dtype, 0, k->rank, k->dims);
		const val d = indexed(p, OP_scatter_add, k->axis, zeros, at, dy);
		const val s = reduce(p, OP_sum, d, 1u << k->axis, true);
		const val kept[] = { loss,
			op2(p, OP_sub, d, op2(p, OP_mul, op1(p, OP_exp, l), s)) };
		fusion *f = program_fuse_kept(p, kept, 2);

		assert_false(calls(f, OP_scatter_add));
		program_check_all(p, f);
		end(p, f);
	}
}

/* A gradient that nothing is zero of: the base is read, what is added varies. */
static void test_base(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(pickings); n++) {
		const picking *k = &pickings[n];
		program *p = begin("base");
		int64_t one[3];
		const val x = program_live(p, k->dtype, k->rank, k->dims, k->how);
		const val at = classes(p, k);
		const val y = indexed(p, OP_gather, k->axis, x, at, 0);
		const val dy = program_live(p, k->dtype, k->rank, one_a_row(k, one), PLAIN);
		const val d = op1(p, OP_neg, indexed(p, OP_scatter_add, k->axis, x, at, dy));
		const val kept[] = { y, d };
		fusion *f = program_fuse_kept(p, kept, 2);

		assert_false(calls(f, OP_scatter_add));
		assert_int_equal(count_steps(f, STEP_KERNEL), 1);
		program_check_all(p, f);
		end(p, f);
	}
}

/* What is looked at when the op arrives has been launched by then: it is no part of the
 * comparison. */
static void test_index_made_here(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(pickings); n++) {
		const picking *k = &pickings[n];
		program *p = begin("index made here");
		int64_t one[3];
		const val x = program_live(p, k->dtype, k->rank, k->dims, k->how);
		const val from = classes(p, k), at = op2(p, OP_minimum, from, from);
		const val dy = program_live(p, k->dtype, k->rank, one_a_row(k, one), PLAIN);
		const val d = op1(p, OP_neg, indexed(p, OP_scatter_add, k->axis, x, at, dy));
		fusion *f = program_fuse_kept(p, &d, 1);
		const fuse_check *c = f->checks.at;

		assert_false(calls(f, OP_scatter_add));
		assert_int_equal(f->checks.count, 1);
		assert_true(f->steps.at[f->values.at[c->value].step].launch < c->op);
		program_check_all(p, f);
		end(p, f);
	}
}

/* ---- where it is not ---- */

/* A scatter_add to 7 columns of so many rows at so many picks a row. */
static void expect_call(const char *what, int64_t rows, int64_t picks)
{
	const picking k = { GT_FLOAT32, 2, { rows, 7 }, 1, PLAIN };
	const int64_t many[] = { rows, picks };
	program *p = begin(what);
	const val base = program_live(p, GT_FLOAT32, 2, k.dims, PLAIN);
	val at = classes(p, &k), kept;
	fusion *f;

	if (picks > 1) {
		at = program_live(p, GT_INT64, 2, many, PLAIN);
		for (int64_t n = 0; n < many[0] * picks; n++)
			put_class(program_view(p, at), n, n % 3);
	}
	kept = op1(p, OP_exp, indexed(p, OP_scatter_add, 1, base, at,
		program_live(p, GT_FLOAT32, 2, many, PLAIN)));
	f = program_fuse_kept(p, &kept, 1);
	assert_true(calls(f, OP_scatter_add));
	program_check_all(p, f);
	end(p, f);
}

static void test_calls(void **state)
{
	(void)state;
	expect_call("several a row", 5, 2);
	expect_call("no rows", 0, 1);
}

/* Nobody else looks at the indices. */
static void test_out_of_range(void **state)
{
	const picking k = { GT_FLOAT32, 2, { 6, 10 }, 1, PLAIN };
	program *p = begin("out of range");
	int64_t one[3];
	const val x = program_live(p, GT_FLOAT32, 2, k.dims, PLAIN), at = classes(p, &k);
	const val dy = program_live(p, GT_FLOAT32, 2, one_a_row(&k, one), PLAIN);
	void *live[3];
	val kept;
	fusion *f;
	fuse_memory m;

	(void)state;
	kept = op1(p, OP_exp, indexed(p, OP_scatter_add, 1, x, at, dy));
	f = program_fuse_kept(p, &kept, 1);
	assert_false(calls(f, OP_scatter_add));
	program_check_all(p, f);
	for (int n = 0; n < 3; n++)
		live[n] = p->live[n].v.data;
	for (int side = -1; side < 2; side += 2) {
		put_class(program_view(p, at), 3, side < 0 ? -11 : 10);
		assert_int_equal(fusion_run_reference(f, p->e, NULL, p->run, live, p->n - 1, &m),
			GT_EINDEX);
		fuse_memory_free(&m);
	}
	end(p, f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cross_entropy), cmocka_unit_test(test_base),
		cmocka_unit_test(test_index_made_here),
		cmocka_unit_test(test_calls), cmocka_unit_test(test_out_of_range),
	};
	const int failed = cmocka_run_group_tests_name("fuse_index", tests, trial_open,
		trial_close_all);

	program_codes_free();
	return failed;
}
