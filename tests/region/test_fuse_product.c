/* test_fuse_product.c: which kernels run on the pieces of a product, and the reason that is given
 * where they do not; where the product lies; the bits. And what runs as one launch. */
#include "region/fuse_program.h"

#define DIMS(...) (int)COUNT(((int64_t[]){ __VA_ARGS__ })), (const int64_t[]){ __VA_ARGS__ }
#define LIVE(p, ...) program_live(p, GT_FLOAT32, DIMS(__VA_ARGS__), PLAIN)

static program *begin(const char *what)
{
	return program_new(trial_reference, what);
}

static val product(program *p, int64_t m, int64_t n, int64_t k)
{
	return op2(p, OP_matmul, LIVE(p, m, k), LIVE(p, k, n));
}

static const fuse_step *step_of(const fusion *f, val v)
{
	return &f->steps.at[f->values.at[v].step];
}

static fuse_why edge(const fusion *f, val v, val user)
{
	for (uint32_t k = 0; k < f->edges.count; k++)
		if (f->edges.at[k].value == (uint32_t)v && f->edges.at[k].user == (uint32_t)user)
			return (fuse_why)f->edges.at[k].why;
	return WHY_FUSED;
}

/* The same bits at the end and wherever the run is left. */
static fusion *fuse(program *p, const val *kept, int count)
{
	fusion *f;

	program_end(p);
	program_keep(p, kept, count);
	f = program_fuse(p, false);
	if (getenv("FUSE_SHOW"))
		program_show(f);
	program_check(p, f);
	for (uint32_t last = 0; last < p->n; last++)
		program_leave(p, f, last);
	return f;
}

static void end(program *p, fusion *f)
{
	fusion_free(f);
	program_free(p);
}

/* Ends the program, the last value of which is kept: `user` reads product `v` for the given
 * reason by a step of its own, or on its pieces. */
static void decide(program *p, val v, val user, fuse_why why)
{
	const val kept = (val)p->n - 1;
	fusion *f = fuse(p, &kept, 1);

	if (edge(f, v, user) != why) {
		program_show(f);
		fail_msg("%s: %s, expected: %s", p->what, fuse_why_text(edge(f, v, user)),
			fuse_why_text(why));
	}
	assert_int_equal(step_of(f, v)->kind, why ? STEP_CALL : STEP_PRODUCT);
	if (!why)
		assert_int_equal(f->values.at[v].step, f->values.at[user].step);
	end(p, f);
}

/* ---- what follows a product ---- */

static void test_elements(void **state)
{
	program *p = begin("bias and activation");
	val y = product(p, 30, 50, 40), z;

	(void)state;
	z = op2(p, OP_add, y, LIVE(p, 50));
	op1(p, OP_gelu, z);
	decide(p, y, z, WHY_FUSED);
	p = begin("residual, scaled");
	y = product(p, 30, 50, 40);
	z = ops(p, OP_mul, y, 0.5);
	op2(p, OP_add, LIVE(p, 30, 50), z);
	decide(p, y, z, WHY_FUSED);
	p = begin("gradient of a relu");
	y = product(p, 30, 50, 40);
	z = op2(p, OP_mul, y, cast(p, ops(p, OP_gt, LIVE(p, 30, 50), 0), GT_FLOAT32));
	decide(p, y, z, WHY_FUSED);
	p = begin("of another shape");
	y = product(p, 30, 50, 40);
	z = op2(p, OP_add, shaped(p, OP_reshape, y, DIMS(5, 6, 50)), LIVE(p, 5, 6, 50));
	decide(p, y, z, WHY_FUSED);
	p = begin("integers");
	y = op2(p, OP_matmul, program_live(p, GT_INT32, DIMS(6, 7), PLAIN),
		program_live(p, GT_INT32, DIMS(7, 20), PLAIN));
	z = op1(p, OP_relu, y);
	decide(p, y, z, WHY_FUSED);
}

static void test_rows(void **state)
{
	static const struct { int64_t n; fuse_why why; } cases[] = { { 10, WHY_FUSED },
		{ 64, WHY_FUSED }, { 255, WHY_FUSED }, { 256, WHY_PIECES }, { 300, WHY_PIECES } };

	(void)state;
	for (unsigned k = 0; k < COUNT(cases); k++) {
		program *p = begin("softmax of scores");
		val y = product(p, 9, cases[k].n, 8), z;

		z = ops(p, OP_mul, y, 0.125);
		along(p, OP_softmax, z, 1);
		decide(p, y, z, cases[k].why);
		p = begin("layer norm of a projection");
		y = product(p, 9, cases[k].n, 8);
		z = op2(p, OP_add, y, LIVE(p, 9, cases[k].n));
		normalize(p, z, 2);
		decide(p, y, z, cases[k].why);
	}
}

/* Column sums: a bias gradient behind the gradient it is the sum of. */
static void test_columns(void **state)
{
	static const int64_t columns[] = { 2, 10, 255, 256, 300 };

	(void)state;
	for (unsigned k = 0; k < COUNT(columns); k++) {
		program *p = begin("bias gradient");
		const val y = product(p, 20, columns[k], 5);
		const val z = op2(p, OP_mul, y, LIVE(p, 20, columns[k]));
		const val s = reduce(p, OP_sum, z, 1, false);
		fusion *f = fuse(p, (const val[]){ z, s }, 2);

		assert_int_equal(step_of(f, y)->kind, STEP_PRODUCT);
		assert_ptr_equal(step_of(f, y), step_of(f, s));
		end(p, f);
	}
}

/* Short rows are as good as long ones if a piece's are one row, or if they are as short without the
 * product. Beside one number they would be one without it: that is cheaper. */
static void test_narrow(void **state)
{
	static const int64_t columns[] = { 1, 2, 10 };

	(void)state;
	for (unsigned k = 0; k < COUNT(columns); k++)
		for (int how = 0; how < 3; how++) {
			program *p = begin("narrow");
			const val y = product(p, 300, columns[k], 7);
			const bool one = how == 2 || (how == 1 && columns[k] == 1);

			decide(p, y, how == 0 ? op1(p, OP_exp, y) : op2(p, OP_add, y,
				how == 1 ? LIVE(p, columns[k]) : LIVE(p, 1, 1)),
				one ? WHY_COST : WHY_FUSED);
		}
}

/* What would be called for each small matrix runs once for all of them. */
static void test_dear(void **state)
{
	static const struct { int64_t matrices, n; fuse_why why; } cases[] = { { 200, 4, WHY_COST },
		{ 200, 40, WHY_FUSED }, { 1, 4, WHY_FUSED } };

	(void)state;
	for (unsigned k = 0; k < COUNT(cases); k++) {
		const int64_t n = cases[k].n;
		program *p = begin("small matrices, a mask for all of them");
		const val y = op2(p, OP_matmul, LIVE(p, cases[k].matrices, n, 8),
			LIVE(p, cases[k].matrices, 8, n));

		decide(p, y, op2(p, OP_add, y, LIVE(p, n, n)), cases[k].why);
	}
}

static void test_other_pieces(void **state)
{
	program *p = begin("all of it");
	val y = product(p, 30, 40, 20), z = op1(p, OP_exp, y);

	(void)state;
	reduce(p, OP_sum, z, 3, true);
	decide(p, y, z, WHY_STEPS);
	p = begin("transposed");
	y = product(p, 30, 30, 20);
	z = op2(p, OP_add, LIVE(p, 30, 30), transpose(p, y));
	decide(p, y, z, WHY_SPACE);
	p = begin("once as it is, once transposed");
	y = product(p, 30, 30, 20);
	z = op2(p, OP_add, y, transpose(p, y));
	decide(p, y, z, WHY_SPACE);
	p = begin("broadcast");
	y = product(p, 30, 30, 20);
	z = op2(p, OP_add, LIVE(p, 4, 30, 30), y);
	decide(p, y, z, WHY_SPACE);
}

/* Scores of attention: the mask is the same for all heads. */
static void test_stacks(void **state)
{
	program *p = begin("scores");
	val y = op2(p, OP_matmul, LIVE(p, 2, 3, 20, 8), LIVE(p, 2, 3, 8, 20)), z;

	(void)state;
	z = op2(p, OP_add, ops(p, OP_mul, y, 0.5), LIVE(p, 20, 20));
	along(p, OP_softmax, z, 3);
	decide(p, y, y + 1, WHY_FUSED);
	p = begin("columns of each matrix");
	y = op2(p, OP_matmul, LIVE(p, 3, 20, 8), LIVE(p, 3, 8, 300));
	z = op1(p, OP_exp, y);
	reduce(p, OP_sum, z, 2, false);
	decide(p, y, z, WHY_PIECES);
}

/* ---- when ---- */

static void test_wait(void **state)
{
	static const int ops_between[] = { 31, 32 };

	(void)state;
	for (unsigned k = 0; k < COUNT(ops_between); k++) {
		program *p = begin("wait");
		const val x = LIVE(p, 30, 30), y = product(p, 30, 30, 20);
		val last = x;

		for (int n = 0; n < ops_between[k]; n++)
			last = op2(p, OP_matmul, last, x);
		decide(p, y, op2(p, OP_mul, y, x), k ? WHY_WAIT : WHY_FUSED);
	}
}

static void test_between(void **state)
{
	program *p = begin("between");
	const val y = product(p, 30, 30, 20);
	const val best = cast(p, reduce(p, OP_argmax, y, 2, true), GT_FLOAT32);

	(void)state;
	decide(p, y, op2(p, OP_add, y, best), WHY_BETWEEN);
}

static void test_read(void **state)
{
	program *p = begin("read");
	const val y = product(p, 30, 30, 20), z = op1(p, OP_exp, y);
	fusion *f;

	(void)state;
	p->ops[y].read = true;
	f = fuse(p, (const val[]){ y, z }, 2);
	assert_int_equal(edge(f, y, z), WHY_LATE);
	end(p, f);
}

/* The last one; the other is there already. */
static void test_two(void **state)
{
	program *p = begin("two products");
	const val a = product(p, 30, 30, 20), b = product(p, 30, 30, 10);
	const val sum = op2(p, OP_add, a, b), y = op1(p, OP_tanh, sum);
	fusion *f = fuse(p, &y, 1);

	(void)state;
	assert_int_equal(step_of(f, a)->kind, STEP_CALL);
	assert_int_equal(step_of(f, b)->kind, STEP_PRODUCT);
	assert_int_equal(step_of(f, b)->value, b);
	assert_ptr_equal(step_of(f, b), step_of(f, y));
	end(p, f);
}

/* ---- where ---- */

/* The product lies where one of `others` does, or, if that is the product itself, in memory of its
 * own. */
static void check_place(program *p, val y, val place, const val *kept, int count)
{
	fusion *f = fuse(p, kept, count);
	const fuse_step *s = step_of(f, y);

	assert_int_equal(s->kind, STEP_PRODUCT);
	assert_int_equal(s->onto, place);
	assert_int_equal(f->values.at[y].where == FUSE_FUSED, place != y);
	end(p, f);
}

static void test_place(void **state)
{
	program *p = begin("in place");
	val y = product(p, 30, 30, 20), z = op1(p, OP_exp, y);

	(void)state;
	check_place(p, y, z, &z, 1);
	p = begin("kept");
	y = product(p, 30, 30, 20);
	z = op1(p, OP_exp, y);
	check_place(p, y, y, (const val[]){ y, z }, 2);
	p = begin("used again");
	y = product(p, 30, 30, 20);
	z = op1(p, OP_exp, y);
	z = op2(p, OP_matmul, z, y);
	check_place(p, y, y, &z, 1);
	p = begin("other dtype");
	y = product(p, 30, 30, 20);
	z = cast(p, y, GT_FLOAT64);
	check_place(p, y, y, &z, 1);
	p = begin("rows");
	y = product(p, 30, 30, 20);
	z = along(p, OP_softmax, y, 1);
	check_place(p, y, y, &z, 1);
}

/* A tensor that lives on would keep the operands alive. */
static void test_outlives(void **state)
{
	program *p = begin("outlives");
	const val y = product(p, 30, 30, 20), z = op1(p, OP_exp, y);
	const val last = op2(p, OP_matmul, z, z);
	fusion *f;

	(void)state;
	program_end(p);
	program_keep(p, &last, 1);
	p->ops[y].freed = last;
	f = program_fuse(p, false);
	program_check(p, f);
	assert_int_equal(step_of(f, y)->onto, y);
	end(p, f);
}

/* ---- bits ---- */

static val decorate(program *p, val y, int how)
{
	const meta *m = &program_view(p, y)->m;
	const int64_t rows = m->dims[0], cols = m->dims[1];
	const gt_dtype d = (gt_dtype)m->dtype;

	switch (how) {
	case 0:
		return op1(p, OP_relu, op2(p, OP_add, y,
			program_live(p, d, 1, &cols, STEPPED)));
	case 1:
		return op2(p, OP_add, y, program_live(p, d, 2, m->dims, TRANSPOSED));
	case 2:
		return op2(p, OP_mul, y, program_live(p, d, DIMS(rows, 1), PLAIN));
	case 3:
		return cast(p, op1(p, OP_square, y), d == GT_FLOAT64 ? GT_FLOAT32 : GT_FLOAT64);
	case 4:
		y = dtype_kind_of(d) == KIND_FLOAT ? y : cast(p, y, GT_FLOAT32);
		return along(p, OP_softmax, y, 1);
	case 5:
		return normalize(p, dtype_kind_of(d) == KIND_FLOAT ? y : cast(p, y, GT_FLOAT32), 2);
	default:
		y = op2(p, OP_mul, y, cast(p, op2(p, OP_gt, y, program_live(p, d, 0, NULL, PLAIN)), d));
		return reduce(p, OP_sum, y, 1, false);
	}
}

static void test_bits(void **state)
{
	static const int64_t rows[] = { 0, 1, 15, 17, 64 }, columns[] = { 0, 1, 15, 16, 17, 257 };
	static const gt_dtype dtypes[] = { GT_FLOAT32, GT_FLOAT64, GT_INT32 };
	unsigned steps = 0;

	(void)state;
	for (unsigned at = 0; at < COUNT(rows) * COUNT(columns) * 7; at++) {
		program *p = begin("bits");
		const int64_t m = rows[at % 5], n = columns[at / 5 % 6], k = at % 4 * 5;
		const gt_dtype d = dtypes[at / 11 % 3];
		const val a = program_live(p, d, DIMS(m, k), at % 3 ? PLAIN : TRANSPOSED);
		const val y = op2(p, OP_matmul, a, program_live(p, d, DIMS(k, n), PLAIN));
		const val z = decorate(p, y, (int)at / 30);
		fusion *f = fuse(p, &z, 1);

		for (uint32_t s = 0; s < f->steps.count; s++)
			steps += f->steps.at[s].kind == STEP_PRODUCT;
		end(p, f);
	}
	assert_true(steps > 60);
}

/* ---- together ---- */

static void check_print(const fusion *f, const char *expected)
{
	buf text = { 0 };

	fusion_print(f, &text);
	if (!strstr(buf_text(&text), expected))
		fail_msg("'%s' is not in:\n%s", expected, buf_text(&text));
	buf_fini(&text);
}

/* Parameters of all sizes and an optimiser: with a momentum, or without. */
static void make_updates(program *p, int count, val *kept, bool momentum)
{
	for (int k = 0; k < count; k++) {
		const val w = LIVE(p, 3 + k, 20), g = LIVE(p, 3 + k, 20);
		val step = g;

		if (momentum) {
			step = op2(p, OP_add, ops(p, OP_mul, LIVE(p, 3 + k, 20), .9), g);
			kept[count + k] = step;
		}
		kept[k] = op2(p, OP_sub, w, ops(p, OP_mul, step, .1));
	}
}

static void test_updates(void **state)
{
	(void)state;
	for (int momentum = 0; momentum < 2; momentum++) {
		program *p = begin("updates");
		val kept[20];
		fusion *f;

		make_updates(p, 10, kept, momentum);
		f = fuse(p, kept, momentum ? 20 : 10);
		assert_int_equal(f->steps.count, 10);
		assert_int_equal(f->steps.at[0].together, 9);
		assert_int_equal(f->groups.count, 1);
		check_print(f, "over 1 x 60, in one launch with the next 9\n");
		for (uint32_t k = 0; k < f->steps.count; k++) {
			assert_int_equal(f->steps.at[k].launch, p->n - 1);
			assert_true(!k || !f->steps.at[k].together);
		}
		end(p, f);
	}
}

/* What is read is not kept waiting, and nobody waits for the read one either. */
static void test_updates_read(void **state)
{
	program *p = begin("an update is read");
	val kept[6];
	fusion *f;

	(void)state;
	make_updates(p, 6, kept, false);
	p->ops[kept[2]].read = true;
	f = fuse(p, kept, 6);
	assert_int_equal(f->steps.at[0].together, 2);
	assert_int_equal(f->steps.at[0].launch, kept[2]);
	assert_int_equal(f->steps.at[3].together, 2);
	end(p, f);
}

/* A result that the next kernel reads, and a call in between, end the launch. */
static void test_updates_apart(void **state)
{
	program *p = begin("chain of kernels");
	const val x = LIVE(p, 30, 20), y = op1(p, OP_exp, x), s = reduce(p, OP_sum, y, 1, true);
	const val t = op2(p, OP_sub, y, s), u = reduce(p, OP_sum, t, 2, false);
	val kept[4];
	fusion *f = fuse(p, (const val[]){ s, t, u }, 3);

	(void)state;
	for (uint32_t k = 0; k < f->steps.count; k++)
		assert_int_equal(f->steps.at[k].together, 0);
	end(p, f);
	p = begin("a product in between");
	make_updates(p, 2, kept, false);
	kept[2] = product(p, 10, 10, 10);
	make_updates(p, 1, kept + 3, false);
	f = fuse(p, kept, 4);
	assert_int_equal(f->steps.at[0].together, 1);
	assert_int_equal(f->steps.at[2].kind, STEP_CALL);
	assert_int_equal(f->steps.at[3].together, 0);
	end(p, f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elements), cmocka_unit_test(test_rows),
		cmocka_unit_test(test_columns), cmocka_unit_test(test_narrow),
		cmocka_unit_test(test_dear),
		cmocka_unit_test(test_other_pieces),
		cmocka_unit_test(test_stacks), cmocka_unit_test(test_wait),
		cmocka_unit_test(test_between), cmocka_unit_test(test_read),
		cmocka_unit_test(test_two), cmocka_unit_test(test_place),
		cmocka_unit_test(test_outlives), cmocka_unit_test(test_bits),
		cmocka_unit_test(test_updates), cmocka_unit_test(test_updates_read),
		cmocka_unit_test(test_updates_apart),
	};

	return cmocka_run_group_tests_name("fuse_product", tests, trial_open, trial_close_all);
}
