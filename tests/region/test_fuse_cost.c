/* test_fuse_cost.c: what becomes one kernel and what does not, and the reason that is given. */
#include "region/fuse_program.h"

#include "region/fuse_cost.h"
#include "region/fuse_kernel.h"

#define DIMS(...) (int)COUNT(((int64_t[]){ __VA_ARGS__ })), (const int64_t[]){ __VA_ARGS__ }
#define LIVE(p, ...) program_live(p, GT_FLOAT32, DIMS(__VA_ARGS__), PLAIN)

/* The reason for which `user` does not take `v` in its kernel; WHY_FUSED if it does. */
static fuse_why why_not(program *p, val v, val user)
{
	fusion *f = program_fuse(p, false);
	fuse_why why = WHY_FUSED;
	bool found = false;

	program_check(p, f);
	for (uint32_t k = 0; k < f->edges.count; k++)
		if (f->edges.at[k].value == (uint32_t)v && f->edges.at[k].user == (uint32_t)user) {
			why = (fuse_why)f->edges.at[k].why;
			found = true;
		}
	if (!found)
		assert_int_equal(f->values.at[v].step, f->values.at[user].step);
	fusion_free(f);
	return why;
}

/* Ends the program: the last value is kept. */
static fuse_why decide(program *p, val v, val user)
{
	const val kept = (val)p->n - 1;
	fuse_why why;

	program_end(p);
	program_keep(p, &kept, 1);
	why = why_not(p, v, user);
	program_free(p);
	return why;
}

static program *begin(const char *what)
{
	return program_new(trial_reference, what);
}

static fuse_why bias(unsigned code, int64_t rows)
{
	program *p = begin("bias");
	const val x = LIVE(p, rows, 64), b = LIVE(p, 64), e = op1(p, code, b);

	return decide(p, e, op2(p, OP_add, x, e));
}

/* What is computed again in each row has to be cheap, or rows few. */
static void test_again(void **state)
{
	(void)state;
	assert_int_equal(bias(OP_square, 1000), WHY_FUSED);
	assert_int_equal(bias(OP_exp, 1000), WHY_COST);
	assert_int_equal(bias(OP_exp, 2), WHY_FUSED);
}

/* .. or memory takes longer anyway. */
static void test_again_behind_memory(void **state)
{
	(void)state;
	for (int operands = 0; operands < 4; operands += 3) {
		program *p = begin("memory");
		val x = LIVE(p, 1000, 64), e;

		for (int k = 0; k < operands; k++)
			x = op2(p, OP_mul, x, LIVE(p, 1000, 64));
		e = op1(p, OP_exp, LIVE(p, 64));
		assert_int_equal(decide(p, e, op2(p, OP_add, x, e)), operands ? WHY_FUSED :
			WHY_COST);
	}
}

static void test_chain(void **state)
{
	static const int64_t sizes[] = { 1, 7, 64, 1000, 40000 };

	(void)state;
	for (unsigned k = 0; k < COUNT(sizes); k++) {
		program *p = begin("chain");
		const val x = LIVE(p, sizes[k]), y = op1(p, OP_exp, x);

		assert_int_equal(decide(p, y, op1(p, OP_tanh, y)), WHY_FUSED);
	}
}

static val draw(program *p, unsigned code, int rank, const int64_t *dims)
{
	room r;

	program_begin(&r, code);
	r.i->attr.dtype = GT_FLOAT32;
	ins_put_operand(r.i, 3);
	ins_put_operand(r.i, 4);
	for (int k = 0; k < rank; k++)
		ins_put_operand(r.i, dims[k]);
	return program_put(p, &r);
}

/* Where an element is used once, drawing it there costs nothing more. One row of numbers is not
 * drawn again for each of many rows. */
static fuse_why draw_row(unsigned code, int64_t rows, bool once)
{
	program *p = begin("drawn");
	const val x = LIVE(p, rows, 64);
	const val r = once ? draw(p, code, DIMS(rows, 64)) : draw(p, code, DIMS(64));

	return decide(p, r, op2(p, OP_mul, x, r));
}

static void test_draws(void **state)
{
	static const unsigned codes[] = { OP_rand, OP_randn };
	static const int64_t rows[] = { 1, 2, 16, 1000 };

	(void)state;
	for (unsigned c = 0; c < COUNT(codes); c++) {
		for (unsigned k = 0; k < COUNT(rows); k++)
			assert_int_equal(draw_row(codes[c], rows[k], true), WHY_FUSED);
		assert_int_equal(draw_row(codes[c], 2, false), WHY_FUSED);
		assert_int_equal(draw_row(codes[c], 1000, false), WHY_COST);
	}
}

static val first_of_all(program *p, int64_t n)
{
	const val at = program_live(p, GT_INT64, DIMS(n), PLAIN);

	memset(program_view(p, at)->data, 0, (size_t)n * sizeof(int64_t));
	return at;
}

static val select_rows(program *p, val x, val at)
{
	room r;

	program_begin(&r, OP_index_select);
	program_in(&r, x);
	program_in(&r, at);
	return program_put(p, &r);
}

/* What follows takes the picking along; what comes before, the table or the index, ends there. */
static void test_picks(void **state)
{
	static const int64_t many[] = { 1, 20, 500 };

	(void)state;
	for (unsigned k = 0; k < COUNT(many); k++) {
		program *p = begin("picked");
		val x, y = select_rows(p, LIVE(p, 9, 64), first_of_all(p, many[k]));

		assert_int_equal(decide(p, y, op1(p, OP_neg, y)), WHY_FUSED);
		p = begin("picked from");
		x = op1(p, OP_exp, LIVE(p, 9, 64));
		y = select_rows(p, x, first_of_all(p, many[k]));
		op1(p, OP_neg, y);
		assert_int_equal(decide(p, x, y), WHY_PICKED);
	}
}

static void test_reduction(void **state)
{
	static const unsigned axes[] = { 1, 2, 3 };

	(void)state;
	for (unsigned k = 0; k < COUNT(axes); k++) {
		program *p = begin("producer");
		const val y = op1(p, OP_square, LIVE(p, 60, 50));

		assert_int_equal(decide(p, y, reduce(p, OP_sum, y, axes[k], false)), WHY_FUSED);
		p = begin("consumer");
		{
			const val s = reduce(p, OP_sum, LIVE(p, 60, 50), axes[k], true);

			assert_int_equal(decide(p, s, op1(p, OP_sqrt, s)), WHY_FUSED);
		}
	}
}

/* A bias gradient does not wait for the optimiser; what is as large as its operands may. */
static void test_wait(void **state)
{
	(void)state;
	for (int far = 0; far < 2; far++)
		for (int sums = 0; sums < 2; sums++) {
			program *p = begin("wait");
			const val x = LIVE(p, 60, 50), w = LIVE(p, 50, 50), y = op1(p, OP_square, x);
			const val s = sums ? reduce(p, OP_sum, y, 1, false) : y;
			val last = w;

			for (int k = 0; k < FUSE_WAIT - 1 + far; k++)
				last = op2(p, OP_matmul, last, w);
			assert_int_equal(decide(p, s, ops(p, OP_mul, s, 0.1)), far && sums ?
				WHY_WAIT : WHY_FUSED);
		}
}

static void test_mode(void **state)
{
	program *p = begin("two directions");
	const val x = LIVE(p, 60, 50), m = reduce(p, OP_max, x, 2, true), d = op2(p, OP_sub, x, m);

	(void)state;
	assert_int_equal(decide(p, d, reduce(p, OP_sum, d, 1, false)), WHY_MODE);
}

static void test_views(void **state)
{
	program *p = begin("transposed");
	val x = LIVE(p, 30, 30), y = op1(p, OP_exp, x);

	(void)state;
	assert_int_equal(decide(p, y, op2(p, OP_add, x, transpose(p, y))), WHY_SPACE);
	p = begin("slice");
	x = LIVE(p, 30);
	y = op1(p, OP_exp, x);
	{
		room r;
		val s;

		program_begin(&r, OP_slice);
		program_in(&r, y);
		ins_put_operand(r.i, 5);
		ins_put_operand(r.i, 20);
		ins_put_operand(r.i, 1);
		s = program_put(p, &r);
		assert_int_equal(decide(p, y, op1(p, OP_neg, s)), WHY_VIEW);
	}
	p = begin("reshaped");
	x = LIVE(p, 30, 4);
	y = op1(p, OP_exp, x);
	assert_int_equal(decide(p, y, op1(p, OP_neg, shaped(p, OP_reshape, y, DIMS(6, 20)))),
		WHY_FUSED);
}

static void test_steps(void **state)
{
	program *p = begin("uneven");
	const val y = op2(p, OP_add, LIVE(p, 30, 40), LIVE(p, 40));

	(void)state;
	assert_int_equal(decide(p, y, reduce(p, OP_sum, y, 3, false)), WHY_STEPS);
}

static void test_call(void **state)
{
	program *p = begin("index");
	const val y = reduce(p, OP_argmax, LIVE(p, 30, 40, 50), 4, false);

	(void)state;
	assert_int_equal(decide(p, y, op1(p, OP_neg, y)), WHY_CALL);
}

static void test_between(void **state)
{
	program *p = begin("between");
	const val x = LIVE(p, 30, 30), y = op1(p, OP_exp, x), z = op2(p, OP_matmul, y, x);

	(void)state;
	assert_int_equal(decide(p, y, op2(p, OP_add, y, z)), WHY_BETWEEN);
}

static void test_read(void **state)
{
	program *p = begin("read");
	const val x = LIVE(p, 30, 30), y = op1(p, OP_exp, x), z = op1(p, OP_neg, y);
	fusion *f;

	(void)state;
	program_end(p);
	program_keep(p, (const val[]){ y, z }, 2);
	assert_int_equal(why_not(p, y, z), WHY_FUSED);
	p->ops[y].read = true;
	assert_int_equal(why_not(p, y, z), WHY_LATE);
	f = program_fuse(p, false);
	assert_int_equal(f->values.at[y].why, WHY_READ);
	fusion_free(f);
	program_free(p);
}

static void test_limit(void **state)
{
	program *p = begin("long chain");
	val x = LIVE(p, 100);
	fusion *f;

	(void)state;
	for (int k = 0; k < 240; k++)
		x = op1(p, k % 2 ? OP_relu : OP_neg, x);
	program_end(p);
	program_keep(p, &x, 1);
	f = program_fuse(p, false);
	program_check(p, f);
	assert_int_equal(f->edges.count, 2);
	assert_int_equal(f->edges.at[0].why, WHY_LIMIT);
	assert_int_equal(f->steps.count, 3);
	fusion_free(f);
	program_free(p);
}

static void test_model(void **state)
{
	const fuse_work w = { .calls = 1, .rows = 100, .cols = 100, .each = 3, .bytes = 120000 };
	fuse_work more = w;

	(void)state;
	more.each = 30;
	assert_true(fuse_cost(&more) > fuse_cost(&w));
	more = w;
	more.bytes *= 100;
	assert_true(fuse_cost(&more) > fuse_cost(&w));
	more = (fuse_work){ .calls = 1, .rows = 1, .cols = 10000, .each = 3, .bytes = 120000 };
	assert_true(fuse_cost(&more) < fuse_cost(&w));   /* one long row is better than many */
	assert_int_equal(fuse_cost_weight(OP_add), 1);
	assert_int_equal(fuse_cost_weight(OP_relu), 1);
	assert_true(fuse_cost_weight(OP_div) > 1);
	assert_true(fuse_cost_weight(OP_exp) > fuse_cost_weight(OP_div));
}

/* Arithmetic or memory, whichever is more; launches, further calls and passes over rows on top. */
static void test_parts(void **state)
{
	const fuse_work w = { .calls = 1, .rows = 100, .cols = 160, .each = 4, .bytes = 1 << 20 };
	fuse_work more = w;

	(void)state;
	assert_int_equal(fuse_cost(&w), COST_LAUNCH + 100 * COST_ROW + (1 << 20) * COST_BYTE);
	more.each = 5;
	assert_int_equal(fuse_cost(&more), fuse_cost(&w));
	more.bytes = 0;
	assert_int_equal(fuse_cost(&more), COST_LAUNCH + 100 * COST_ROW +
		100 * 10 * 5 * COST_VECTOR);
	more.cols = 161;                 /* the last vector counts whole */
	assert_int_equal(fuse_cost(&more), COST_LAUNCH + 100 * COST_ROW +
		100 * 11 * 5 * COST_VECTOR);
	more.line = 7;
	more.column = 2;
	assert_int_equal(fuse_cost(&more), COST_LAUNCH + 100 * COST_ROW +
		(100 * (11 * 5 + 7) + 11 * 2) * COST_VECTOR);
	more = w;
	more.levels = 2;
	assert_int_equal(fuse_cost(&more) - fuse_cost(&w), 2 * 100 * COST_ROW);
	more = w;
	more.calls = 3;
	assert_int_equal(fuse_cost(&more) - fuse_cost(&w), 2 * (COST_CALL + 100 * COST_ROW));
}

/* What is clearly more than two kernels is not one. */
static void test_slack(void **state)
{
	static const struct { fuse_taste taste; uint64_t cost; bool dear; } cases[] = {
		{ FUSE_BALANCED, 1250, false }, { FUSE_BALANCED, 1251, true },
		{ FUSE_CAREFUL, 999, false }, { FUSE_CAREFUL, 1000, true },
		{ FUSE_FEWEST, 1000000, false },
	};

	(void)state;
	for (unsigned k = 0; k < COUNT(cases); k++) {
		const fuse_input in = { .taste = (uint8_t)cases[k].taste };
		fuse_graph g = { .in = &in };
		fuse_kernel *x = mem_zero(sizeof *x);

		x->g = &g;
		x->cost = cases[k].cost;
		assert_int_equal(fuse_group_dear(x, 1000), cases[k].dear);
		mem_free(x);
	}
}

static void test_texts(void **state)
{
	(void)state;
	for (int k = 0; k < WHY_COUNT; k++)
		assert_non_null(fuse_why_text((fuse_why)k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_draws), cmocka_unit_test(test_picks),
		cmocka_unit_test(test_again), cmocka_unit_test(test_chain),
		cmocka_unit_test(test_reduction), cmocka_unit_test(test_wait),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_views), cmocka_unit_test(test_steps),
		cmocka_unit_test(test_call), cmocka_unit_test(test_between),
		cmocka_unit_test(test_read), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_again_behind_memory),
		cmocka_unit_test(test_model), cmocka_unit_test(test_parts),
		cmocka_unit_test(test_slack), cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests_name("fuse_cost", tests, trial_open, trial_close_all);
}
