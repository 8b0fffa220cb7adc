/* test_fuse_place.c: rows that are made from where their elements are (fuse_place.c): random
 * numbers, ranges, picked elements, one-hot vectors. In kernels of every kind they have the eager
 * bits, interpreted and compiled, wherever the run is left; indices out of range are refused before
 * a kernel uses them.
 */
#include "region/fuse_program.h"

#define DIMS(...) (int)COUNT(((int64_t[]){ __VA_ARGS__ })), (const int64_t[]){ __VA_ARGS__ }

static program *begin(const char *what)
{
	return program_new(trial_reference, what);
}

/* All of it becomes `kernels` kernels and no call, unless that is -1. */
static void check(program *p, const val *kept, int count, int kernels)
{
	fusion *f;

	p->taste = FUSE_FEWEST;
	f = program_fuse_kept(p, kept, count);
	if (kernels >= 0 && (count_steps(f, STEP_CALL) ||
		count_steps(f, STEP_KERNEL) + count_steps(f, STEP_PRODUCT) != (unsigned)kernels)) {
		program_show(f);
		fail_msg("%s: expected %d kernels and no call", p->what, kernels);
	}
	program_check_all(p, f);
	fusion_free(f);
	program_free(p);
}

/* ---- random numbers, ranges ---- */

static val draw(program *p, unsigned code, gt_dtype d, int rank, const int64_t *dims)
{
	room r;

	program_begin(&r, code);
	r.i->attr.dtype = (uint8_t)d;
	if (code == OP_randint) {
		program_int(&r, -5);
		program_int(&r, 1000);
	}
	ins_put_operand(r.i, INT64_C(0x123456789abcdef));
	ins_put_operand(r.i, (INT64_C(1) << 40) + 3);
	for (int k = 0; k < rank; k++)
		ins_put_operand(r.i, dims[k]);
	return program_put(p, &r);
}

static val range(program *p, gt_dtype d, double start, double step, int64_t n)
{
	room r;

	program_begin(&r, OP_arange);
	r.i->attr.dtype = (uint8_t)d;
	if (d == GT_INT32 || d == GT_INT64) {
		program_int(&r, (int64_t)start);
		program_int(&r, (int64_t)step);
	} else {
		program_scalar(&r, start);
		program_scalar(&r, step);
	}
	ins_put_operand(r.i, n);
	return program_put(p, &r);
}

typedef struct drawing { unsigned code; gt_dtype d; } drawing;

static const drawing drawings[] = {
	{ OP_rand, GT_FLOAT32 }, { OP_rand, GT_FLOAT64 }, { OP_randn, GT_FLOAT32 },
	{ OP_randn, GT_FLOAT64 }, { OP_randint, GT_INT32 }, { OP_randint, GT_INT64 },
	{ OP_randint, GT_FLOAT32 },
};

static const int64_t sizes[][2] = {
	{ 1, 1 }, { 1, 15 }, { 1, 16 }, { 1, 17 }, { 3, 10 }, { 40, 3 }, { 5, 64 }, { 7, 65 },
	{ 2, 5000 },
};

/* Beside a live-in of any layout, as long or as few as the shapes broadcast. */
static void draw_beside(const drawing *k, const int64_t *size, layout how, unsigned form)
{
	const int64_t one_a_row[] = { size[0], 1 }, one_a_column[] = { 1, size[1] };
	const int64_t *dims[][2] = { { size, size }, { one_a_row, size }, { one_a_column, size },
		{ size, one_a_row }, { size, one_a_column } };
	program *p = begin("drawn");
	const val x = program_live(p, k->d, 2, dims[form][1], how);
	const val r = draw(p, k->code, k->d, 2, dims[form][0]);
	const val y = op2(p, OP_mul, r, x), z = op2(p, OP_sub, y, x);

	check(p, &z, 1, form == 1 || form == 2 ? -1 : 1);
}

static void test_draws(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT(drawings); k++)
		for (size_t n = 0; n < COUNT(sizes); n++)
			for (unsigned form = 0; form < 5; form++)
				draw_beside(&drawings[k], sizes[n], form ? PLAIN :
					(layout)(n % LAYOUTS), form);
}

/* Sums of what is drawn: along rows, down columns, of everything. */
static void test_reductions(void **state)
{
	(void)state;
	for (size_t k = 0; k < 4; k++)
		for (size_t n = 0; n < COUNT(sizes); n++)
			for (unsigned axes = 1; axes < 4; axes++) {
				program *p = begin("drawn and summed");
				const val x = program_live(p, drawings[k].d, 2, sizes[n], PLAIN);
				const val r = draw(p, drawings[k].code, drawings[k].d, 2,
					sizes[n]);
				const val y = op2(p, OP_add, op1(p, OP_neg, r), x);
				const val s = reduce(p, OP_sum, y, axes, true);
				const val kept[] = { y, op2(p, OP_div, y, s) };

				check(p, kept, 2, 1);
			}
}

/* Dropout of x, whose mask is kept for the gradient. */
static val drop(program *p, val x, val *mask)
{
	const meta m = program_view(p, x)->m;
	const val r = draw(p, OP_rand, GT_FLOAT32, m.rank, m.dims);
	room w;

	*mask = ops(p, OP_ge, r, 0.25);
	program_begin(&w, OP_where);
	program_in(&w, *mask);
	program_in(&w, x);
	program_scalar(&w, 0);
	return ops(p, OP_mul, program_put(p, &w), 1 / 0.75);
}

/* In a chain; of softmax; of a product, with a bias and on its pieces. */
static void test_dropout(void **state)
{
	static const int64_t dims[][2] = { { 1, 1 }, { 16, 16 }, { 12, 10 }, { 40, 65 },
		{ 3, 4097 }, { 130, 300 } };

	(void)state;
	for (size_t n = 0; n < COUNT(dims); n++) {
		program *p = begin("dropout");
		val kept[2], x = program_live(p, GT_FLOAT32, 2, dims[n], PLAIN);

		kept[0] = op1(p, OP_exp, drop(p, op1(p, OP_relu, x), &kept[1]));
		check(p, kept, 2, 1);
		p = begin("dropout of softmax");
		x = program_live(p, GT_FLOAT32, 2, dims[n], PLAIN);
		kept[0] = drop(p, along(p, OP_softmax, x, 1), &kept[1]);
		check(p, kept, 2, 1);
		p = begin("dropout of a product");
		x = op2(p, OP_matmul, program_live(p, GT_FLOAT32, 2, dims[n], PLAIN),
			program_live(p, GT_FLOAT32, DIMS(dims[n][1], 72), PLAIN));
		x = op2(p, OP_add, x, program_live(p, GT_FLOAT32, DIMS(72), PLAIN));
		kept[0] = drop(p, op1(p, OP_relu, x), &kept[1]);
		check(p, kept, 2, 1);
	}
}

static void test_ranges(void **state)
{
	static const gt_dtype dtypes[] = { GT_FLOAT32, GT_FLOAT64, GT_INT32, GT_INT64 };

	(void)state;
	for (size_t k = 0; k < COUNT(dtypes); k++)
		for (size_t n = 0; n < COUNT(sizes); n++) {
			program *p = begin("range");
			const val x = program_live(p, dtypes[k], 2, sizes[n], PLAIN);
			const val a = range(p, dtypes[k], -3.25, 0.1 * (double)(k + 11),
				sizes[n][1]);
			const val y = op2(p, OP_add, op2(p, OP_mul, a, x), x);

			check(p, &y, 1, 1);
		}
}

/* Two tensors of the same shape are drawn with the same numbers of elements: one operand. */
static void test_shared(void **state)
{
	program *p = begin("two of a shape");
	const val a = draw(p, OP_rand, GT_FLOAT32, DIMS(6, 7));
	const val b = draw(p, OP_randn, GT_FLOAT32, DIMS(6, 7)), y = op2(p, OP_mul, a, b);
	fusion *f = program_fuse_kept(p, &y, 1);

	(void)state;
	assert_int_equal(count_steps(f, STEP_KERNEL), 1);
	assert_int_equal(f->groups.at[0].g->args_count, 2);
	program_check_all(p, f);
	fusion_free(f);
	program_free(p);
}

/* ---- indices ---- */

static val indices(program *p, gt_dtype d, int rank, const int64_t *dims, layout how, int64_t n)
{
	const val v = program_live(p, d, rank, dims, how);
	const view *to = program_view(p, v);
	int64_t span = meta_count(&to->m) != 0;

	for (int k = 0; k < rank && span; k++)
		span += (dims[k] - 1) * to->strides[k];
	for (int64_t at = 0; at < span; at++) {
		const int64_t index = (int64_t)(trial_random() % (uint64_t)(2 * n)) - n;

		if (d == GT_INT32)
			((int32_t *)to->data)[at] = (int32_t)index;
		else
			((int64_t *)to->data)[at] = index;
	}
	return v;
}

static val picked(program *p, unsigned code, unsigned axis, val x, val index)
{
	room r;

	program_begin(&r, code);
	r.i->attr.axis = (uint8_t)axis;
	program_in(&r, x);
	program_in(&r, index);
	return program_put(p, &r);
}

static val hot(program *p, val index, int64_t n)
{
	room r;

	program_begin(&r, OP_one_hot);
	program_in(&r, index);
	ins_put_operand(r.i, n);
	return program_put(p, &r);
}

static const gt_dtype dtypes[] = { GT_FLOAT32, GT_FLOAT64, GT_INT32, GT_INT64, GT_BOOL };
static const layout steady[] = { PLAIN, TRANSPOSED };

/* Rows, columns or blocks of a table of three dims, beside something; an index of two dims. */
static void test_select(void **state)
{
	static const int64_t tables[][3] = { { 9, 4, 16 }, { 5, 17, 3 }, { 1, 1, 65 }, { 70, 1, 1 } };

	(void)state;
	for (size_t n = 0; n < COUNT(tables); n++)
		for (unsigned axis = 0; axis < 3; axis++)
			for (size_t d = 0; d < COUNT(dtypes); d++) {
				program *p = begin("selected");
				const val x = program_live(p, dtypes[d], 3, tables[n],
					(layout)((n + axis + d) % LAYOUTS));
				const val at = indices(p, GT_INT64, DIMS(3, 5),
					steady[n % 2], tables[n][axis]);
				const val y = picked(p, OP_index_select, axis, x, at);
				const meta m = program_view(p, y)->m;
				const val z = op2(p, OP_maximum, y, program_live(p, dtypes[d], 1,
						&m.dims[m.rank - 1], PLAIN));
				const val kept[] = { op2(p, OP_ne, z, y),
					reduce(p, OP_max, cast(p, z, GT_FLOAT32), 1u << (m.rank - 1),
						false) };

				/* Of one element there is nothing to be had along it. */
				check(p, kept, 2, m.dims[m.rank - 1] > 1 ? 1 : -1);
			}
}

static void test_gather(void **state)
{
	static const int64_t tables[][2] = { { 9, 16 }, { 5, 3 }, { 65, 17 }, { 1, 40 } };

	(void)state;
	for (size_t n = 0; n < COUNT(tables); n++)
		for (unsigned axis = 0; axis < 2; axis++)
			for (size_t d = 0; d < COUNT(dtypes); d++) {
				const int64_t many[] = { axis ? tables[n][0] : 33,
					axis ? 33 : tables[n][1] };
				program *p = begin("gathered");
				const val x = program_live(p, dtypes[d], 2, tables[n],
					(layout)((n + axis + d) % LAYOUTS));
				const val at = indices(p, GT_INT64, 2, many,
					steady[n % 2], tables[n][axis]);
				const val y = picked(p, OP_gather, axis, x, at);
				const val z = op1(p, OP_not, cast(p, y, GT_BOOL));

				check(p, &z, 1, 1);
			}
}

static void test_hot(void **state)
{
	static const int64_t counts[] = { 1, 2, 10, 16, 33 };

	(void)state;
	for (size_t n = 0; n < COUNT(counts); n++)
		for (size_t how = 0; how < COUNT(steady); how++) {
			program *p = begin("one-hot");
			const val at = indices(p, how ? GT_INT32 : GT_INT64, DIMS(6, 5),
				steady[how], counts[n]);
			const val y = hot(p, at, counts[n]);
			const val x = program_live(p, GT_FLOAT32, DIMS(6, 5, counts[n]), PLAIN);
			const val z = op2(p, OP_mul, cast(p, y, GT_FLOAT32), x);
			const val kept[] = { z, reduce(p, OP_sum, z, 4, false) };

			check(p, kept, 2, counts[n] > 1 ? 1 : -1);
		}
}

/* The indices come from another kernel, which does not wait for more: they are in memory when the
 * op arrives that they are for. */
static void test_made_here(void **state)
{
	program *p = begin("indices made here");
	const val u = draw(p, OP_rand, GT_FLOAT32, DIMS(20));
	const val at = cast(p, ops(p, OP_mul, u, 8), GT_INT64);
	const val x = program_live(p, GT_FLOAT32, DIMS(8, 24), PLAIN);
	const val y = op1(p, OP_exp, picked(p, OP_index_select, 0, x, at));
	const val kept[] = { y, op1(p, OP_neg, at) };
	fusion *f = program_fuse_kept(p, kept, 2);

	(void)state;
	assert_int_equal(f->checks.count, 1);
	assert_int_equal(f->checks.at[0].value, at);
	assert_int_equal(f->checks.at[0].size, 8);
	assert_true(f->steps.at[f->values.at[at].step].launch < f->checks.at[0].op);
	program_check(p, f);
	for (uint32_t last = 0; last < p->n; last++)
		program_leave(p, f, last);
	fusion_free(f);
	program_free(p);
}

/* What is picked from is in memory as a whole, and the text says so. */
static void test_edges(void **state)
{
	program *p = begin("picked from what is made here");
	const val x = op1(p, OP_exp, program_live(p, GT_FLOAT32, DIMS(8, 24), PLAIN));
	const val at = indices(p, GT_INT64, DIMS(20), PLAIN, 8);
	const val y = picked(p, OP_index_select, 0, x, at), z = op1(p, OP_neg, y);
	fusion *f = program_fuse_kept(p, &z, 1);

	(void)state;
	assert_int_equal(f->edges.count, 1);
	assert_int_equal(f->edges.at[0].value, x);
	assert_int_equal(f->edges.at[0].user, y);
	assert_int_equal(f->edges.at[0].why, WHY_PICKED);
	program_check_all(p, f);
	fusion_free(f);
	program_free(p);
}

/* ---- what is refused ---- */

static void refuse(program *p, val at, val kept, int64_t n)
{
	fusion *f = program_fuse_kept(p, &kept, 1);
	void *live[PROGRAM_LIVE];
	fuse_memory m;

	assert_int_equal(f->checks.count, 1);
	program_check_all(p, f);
	for (uint32_t k = 0; k < p->live_count; k++)
		live[k] = p->live[k].v.data;
	for (int side = 0; side < 2; side++) {
		const int64_t bad = side ? n : -n - 1;
		char text[160];

		((int64_t *)program_view(p, at)->data)[2] = bad;
		assert_int_equal(fusion_run_reference(f, p->e, NULL, p->run, live, p->n - 1, &m),
			GT_EINDEX);
		snprintf(text, sizeof text, "%s: index %lld at position 2 is out of range for "
			"size %lld", op_rows[p->run[0]->op].name, (long long)bad, (long long)n);
		assert_string_equal(gt_last_error(), text);
		fuse_memory_free(&m);
	}
	fusion_free(f);
	program_free(p);
}

static void test_out_of_range(void **state)
{
	program *p = begin("selected out of range");
	val x = program_live(p, GT_FLOAT32, DIMS(8, 5), PLAIN);
	val at = indices(p, GT_INT64, DIMS(4), PLAIN, 8);

	(void)state;
	refuse(p, at, op1(p, OP_exp, picked(p, OP_index_select, 0, x, at)), 8);
	p = begin("gathered out of range");
	x = program_live(p, GT_FLOAT32, DIMS(8, 5), PLAIN);
	at = indices(p, GT_INT64, DIMS(8, 1), PLAIN, 5);
	refuse(p, at, op1(p, OP_exp, picked(p, OP_gather, 1, x, at)), 5);
	p = begin("one-hot out of range");
	at = indices(p, GT_INT64, DIMS(8), PLAIN, 5);
	refuse(p, at, op1(p, OP_neg, hot(p, at, 5)), 5);
}

/* The eager kernel refuses an empty range; such a run is none of the fusion's. */
static void test_empty_range(void **state)
{
	program *p = begin("empty range");
	const val r = draw(p, OP_randint, GT_INT64, DIMS(6)), y = op1(p, OP_neg, r);
	fusion *f = program_fuse_kept(p, &y, 1);
	ins *i = (ins *)(uintptr_t)p->run[r];

	(void)state;
	assert_true(fusion_fits(f, (uint32_t)r, i));
	i->tail[1] = i->tail[0];
	assert_false(fusion_fits(f, (uint32_t)r, i));
	fusion_free(f);
	program_free(p);
}

/* Nothing to do, or nothing in memory to pick from: the eager kernels'. */
static void test_calls(void **state)
{
	program *p = begin("nothing is drawn");
	val x = draw(p, OP_rand, GT_FLOAT32, DIMS(0, 4)), y = op1(p, OP_neg, x), at;

	(void)state;
	check(p, &y, 1, -1);
	p = begin("nothing is picked");
	x = program_live(p, GT_FLOAT32, DIMS(3, 4), PLAIN);
	at = indices(p, GT_INT64, DIMS(0), PLAIN, 3);
	y = op1(p, OP_neg, picked(p, OP_index_select, 0, x, at));
	check(p, &y, 1, -1);
	p = begin("picked from one value");
	x = full(p, GT_FLOAT32, 2.5, DIMS(3, 4));
	at = indices(p, GT_INT64, DIMS(7), PLAIN, 3);
	y = op1(p, OP_neg, picked(p, OP_index_select, 0, x, at));
	check(p, &y, 1, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_draws), cmocka_unit_test(test_reductions),
		cmocka_unit_test(test_dropout), cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_shared), cmocka_unit_test(test_select),
		cmocka_unit_test(test_gather), cmocka_unit_test(test_hot),
		cmocka_unit_test(test_made_here), cmocka_unit_test(test_edges),
		cmocka_unit_test(test_out_of_range), cmocka_unit_test(test_empty_range),
		cmocka_unit_test(test_calls),
	};
	const int failed = cmocka_run_group_tests_name("fuse_place", tests, trial_open,
		trial_close_all);

	program_codes_free();
	return failed;
}
