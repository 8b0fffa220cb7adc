/* test_fuse_add.c: kernels whose results are added at indices as they are made (fuse_add.c): the
 * bits of the eager kernel, interpreted and compiled, wherever the run is left; who else wants the
 * numbers keeps the two apart; what is out of range is refused.
 */
#include "region/fuse_program.h"

typedef struct adding {
	unsigned code;
	gt_dtype dtype;
	int rank;
	int64_t dims[3], places; /* of the source; of the sum along the axis */
	unsigned axis;
} adding;

static const adding addings[] = {
	{ OP_index_add, GT_FLOAT32, 2, { 40, 17 }, 5, 0 },
	{ OP_index_add, GT_FLOAT64, 2, { 1, 16 }, 3, 0 },
	{ OP_index_add, GT_INT32, 1, { 65 }, 4, 0 },
	{ OP_index_add, GT_FLOAT32, 2, { 9, 33 }, 7, 1 },
	{ OP_index_add, GT_INT64, 3, { 4, 6, 15 }, 2, 1 },
	{ OP_index_add, GT_FLOAT32, 3, { 5, 3, 8 }, 9, 0 },
	{ OP_index_add, GT_FLOAT32, 3, { 5, 3, 8 }, 1, 2 },
	{ OP_scatter_add, GT_FLOAT32, 2, { 12, 10 }, 4, 1 },
	{ OP_scatter_add, GT_FLOAT32, 2, { 12, 17 }, 30, 0 },
	{ OP_scatter_add, GT_INT64, 3, { 4, 3, 5 }, 3, 1 },
	{ OP_scatter_add, GT_FLOAT64, 1, { 5000 }, 7, 0 },
};

static const fuse_step *step_of(const fusion *f, unsigned code)
{
	for (uint32_t k = 0; k < f->steps.count; k++) {
		const fuse_step *s = &f->steps.at[k];

		if ((s->kind == STEP_CALL || s->kind == STEP_ADD) &&
			f->values.at[s->value].row->op == code)
			return s;
	}
	fail_msg("no %s", op_rows[code].name);
	return NULL;
}

static val added(program *p, const adding *a, val base, val index, val source)
{
	room r;

	program_begin(&r, a->code);
	r.i->attr.axis = (uint8_t)a->axis;
	program_in(&r, base);
	program_in(&r, index);
	program_in(&r, source);
	return program_put(p, &r);
}

/* Places, most of them more than once, some counted from the end. */
static val indices(program *p, const adding *a)
{
	const bool one = a->code == OP_index_add;
	const val v = program_live(p, GT_INT64, one ? 1 : a->rank, one ? &a->dims[a->axis] :
		a->dims, PLAIN);
	const view *to = program_view(p, v);

	for (int64_t at = 0; at < meta_count(&to->m); at++)
		((int64_t *)to->data)[at] = (int64_t)(trial_random() %
			(uint64_t)(2 * a->places)) - a->places;
	return v;
}

static const int64_t *sum_dims(const adding *a, int64_t dims[3])
{
	memcpy(dims, a->dims, sizeof a->dims);
	dims[a->axis] = a->places;
	return dims;
}

static program *begin(const char *what)
{
	return program_new(trial_reference, what);
}

static void check(program *p, fusion *f)
{
	program_check_all(p, f);
	fusion_free(f);
	program_free(p);
}

/* ---- where it is done ---- */

/* A chain of two, on numbers of any layout, into zeros: no tensor for either. */
static void test_into_zeros(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(addings); n++) {
		const adding *a = &addings[n];
		program *p = begin("into zeros");
		int64_t dims[3];
		const val x = program_live(p, a->dtype, a->rank, a->dims, (layout)(n % LAYOUTS));
		const val zeros = full(p, a->dtype, 0, a->rank, sum_dims(a, dims));
		const val at = indices(p, a), y = op2(p, OP_mul, op1(p, OP_neg, x), x);
		const val sum = added(p, a, zeros, at, y);
		fusion *f = program_fuse_kept(p, &sum, 1);
		const fuse_step *s = step_of(f, a->code);

		if (s->kind == STEP_ADD) {
			assert_int_equal(f->values.at[s->source].where, FUSE_FUSED);
			assert_int_equal(f->values.at[zeros].where, FUSE_FUSED);
			assert_int_equal(f->checks.count, 1);
		} else {
			assert_int_not_equal(n % LAYOUTS, PLAIN);
		}
		check(p, f);
	}
}

/* What there is already is read, whatever its layout; the source is used up, something beside it is
 * kept. */
static void test_into_a_base(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(addings); n++) {
		const adding *a = &addings[n];
		program *p = begin("into a base");
		int64_t dims[3];
		const val x = program_live(p, a->dtype, a->rank, a->dims, PLAIN);
		const val base = program_live(p, a->dtype, a->rank, sum_dims(a, dims),
			(layout)(n % LAYOUTS));
		const val at = indices(p, a), y = op2(p, OP_add, x, x);
		const val kept[] = { y, added(p, a, base, at, op2(p, OP_mul, y, x)) };
		fusion *f = program_fuse_kept(p, kept, 2);

		assert_int_equal(step_of(f, a->code)->kind, STEP_ADD);
		assert_int_equal(f->values.at[y].step, f->values.at[kept[1]].step);
		check(p, f);
	}
}

/* Rows that are reduced, shown in another shape, and a base that is a number repeated. */
static void test_rows(void **state)
{
	static const int64_t sizes[][3] = { { 4, 5, 33 }, { 1, 1, 17 }, { 3, 40, 16 } };

	(void)state;
	for (size_t n = 0; n < COUNT(sizes); n++) {
		const int64_t flat[] = { sizes[n][0] * sizes[n][1], sizes[n][2] };
		const int64_t one[] = { 1, flat[1] }, dims[] = { 6, flat[1] };
		const adding a = { OP_index_add, GT_FLOAT32, 2, { flat[0], flat[1] }, 6, 0 };
		program *p = begin("rows");
		const val x = program_live(p, GT_FLOAT32, 3, sizes[n], PLAIN);
		const val y = along(p, OP_softmax, op2(p, OP_mul, x, x), 2);
		const val base = shaped(p, OP_expand, full(p, GT_FLOAT32, 0.5, 2, one), 2, dims);
		const val at = indices(p, &a);
		const val sum = added(p, &a, base, at, shaped(p, OP_reshape, y, 2, flat));
		fusion *f = program_fuse_kept(p, &sum, 1);

		assert_int_equal(step_of(f, OP_index_add)->kind, STEP_ADD);
		assert_int_equal(f->groups.at[step_of(f, OP_index_add)->group].g->mode, GROUP_ROWS);
		check(p, f);
	}
}

/* ---- what others want, too ---- */

static const adding plain = { OP_index_add, GT_FLOAT32, 2, { 6, 10 }, 4, 0 };

typedef struct parts { val x, base, at, y; } parts;

static program *begin_plain(const char *what, parts *to)
{
	program *p = begin(what);
	int64_t dims[3];

	to->x = program_live(p, plain.dtype, 2, plain.dims, PLAIN);
	to->base = program_live(p, plain.dtype, 2, sum_dims(&plain, dims), PLAIN);
	to->at = indices(p, &plain);
	to->y = op2(p, OP_mul, to->x, to->x);
	return p;
}

/* It is in memory, and added from there. */
static void expect_stored(program *p, const parts *k, const val *kept, int count)
{
	fusion *f = program_fuse_kept(p, kept, count);

	assert_int_equal(step_of(f, OP_index_add)->kind, STEP_ADD);
	assert_true(f->values.at[k->y].where == FUSE_STORED ||
		f->values.at[k->y].where == FUSE_ARENA);
	check(p, f);
}

static void test_wanted(void **state)
{
	program *p;
	parts k;
	val kept[2];

	(void)state;
	p = begin_plain("the source is kept", &k);
	kept[0] = added(p, &plain, k.base, k.at, k.y);
	kept[1] = k.y;
	expect_stored(p, &k, kept, 2);

	p = begin_plain("the source is used later", &k);
	kept[0] = added(p, &plain, k.base, k.at, k.y);
	kept[1] = op2(p, OP_matmul, k.base, transpose(p, k.y));
	expect_stored(p, &k, kept, 2);
}

/* ---- where it is not ---- */

static void expect_call(program *p, const val *kept, int count)
{
	fusion *f = program_fuse_kept(p, kept, count);

	assert_int_equal(step_of(f, OP_index_add)->kind, STEP_CALL);
	check(p, f);
}

static void test_calls(void **state)
{
	program *p;
	parts k;
	val kept[2];

	(void)state;
	p = begin_plain("nobody makes the source", &k);
	kept[0] = added(p, &plain, k.base, k.at, k.x);
	expect_call(p, kept, 1);

	p = begin_plain("the source is used before", &k);
	kept[1] = op2(p, OP_matmul, k.base, transpose(p, k.y));
	kept[0] = added(p, &plain, k.base, k.at, k.y);
	expect_call(p, kept, 2);

	p = begin_plain("the base comes from the kernel", &k);
	kept[0] = added(p, &plain, k.y, k.at, k.y);
	expect_call(p, kept, 1);
}

/* In the middle of a larger row: a slice is no whole row of the kernel. */
static void test_transposed(void **state)
{
	const int64_t turned[] = { 10, 6 };
	program *p = begin("turned");
	const adding a = { OP_index_add, GT_FLOAT32, 2, { 6, 10 }, 4, 0 };
	const val x = program_live(p, GT_FLOAT32, 2, turned, PLAIN);
	const val zeros = full(p, GT_FLOAT32, 0, 2, (const int64_t[]){ 4, 10 });
	const val at = indices(p, &a);
	const val y = transpose(p, op1(p, OP_exp, x));
	const val sum = added(p, &a, zeros, at, y);

	(void)state;
	expect_call(p, &sum, 1);
}

/* All of it is one row, which has to be there as a whole before any number is known. */
static void test_one_long_row(void **state)
{
	const adding a = { OP_index_add, GT_FLOAT32, 1, { 65 }, 4, 0 };
	program *p = begin("one long row");
	const val x = program_live(p, GT_FLOAT32, 1, a.dims, PLAIN);
	const val zeros = full(p, GT_FLOAT32, 0, 1, (const int64_t[]){ 4 });
	const val at = indices(p, &a);
	const val sum = added(p, &a, zeros, at, along(p, OP_softmax, op2(p, OP_mul, x, x), 0));

	(void)state;
	expect_call(p, &sum, 1);
}

static void test_out_of_range(void **state)
{
	parts k;
	program *p = begin_plain("out of range", &k);
	const val sum = added(p, &plain, k.base, k.at, k.y);
	fusion *f = program_fuse_kept(p, &sum, 1);
	void *live[3];
	fuse_memory m;

	(void)state;
	assert_int_equal(step_of(f, OP_index_add)->kind, STEP_ADD);
	for (int n = 0; n < 3; n++)
		live[n] = p->live[n].v.data;
	for (int side = -1; side < 2; side += 2) {
		((int64_t *)program_view(p, k.at)->data)[3] = side < 0 ? -5 : 4;
		assert_int_equal(fusion_run_reference(f, p->e, NULL, p->run, live, p->n - 1, &m),
			GT_EINDEX);
		fuse_memory_free(&m);
	}
	fusion_free(f);
	program_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_into_zeros), cmocka_unit_test(test_into_a_base),
		cmocka_unit_test(test_rows), cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_transposed), cmocka_unit_test(test_one_long_row),
		cmocka_unit_test(test_out_of_range),
	};
	const int failed = cmocka_run_group_tests_name("fuse_add", tests, trial_open,
		trial_close_all);

	program_codes_free();
	return failed;
}
