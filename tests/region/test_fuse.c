/* test_fuse.c: programs as people write them, run op by op and as fusions: the same bits, at the
 * end and wherever the run is left; and the kernels that come of them. */
#include "region/fuse_program.h"

#define DIMS(...) (int)COUNT(((int64_t[]){ __VA_ARGS__ })), (const int64_t[]){ __VA_ARGS__ }
#define LIVE(p, ...) program_live(p, GT_FLOAT32, DIMS(__VA_ARGS__), PLAIN)

/* Of products that kernels follow. */
static uint64_t largest_operand(const fusion *f)
{
	uint64_t most = 0;

	for (uint32_t k = 0; k < f->steps.count; k++)
		for (unsigned in = 0; f->steps.at[k].kind == STEP_PRODUCT && in < 2; in++) {
			const ins *row = f->values.at[f->steps.at[k].value].row;
			const meta *m = &f->values.at[ins_in(row)[in] - 1].m;

			most = MAX(most, (uint64_t)meta_count(m) * dtype_size((gt_dtype)m->dtype));
		}
	return most;
}

/* End of a test: what is kept; expected numbers of kernels, those behind products among them,
 * groups, calls. */
static void finish(program *p, const val *kept, int count, unsigned kernels, unsigned groups,
	unsigned calls)
{
	unsigned made;
	fusion *f;

	program_end(p);
	program_keep(p, kept, count);
	f = program_fuse(p, false);
	made = count_steps(f, STEP_KERNEL) + count_steps(f, STEP_PRODUCT);
	if (getenv("FUSE_SHOW"))
		program_show(f);
	program_check(p, f);
	for (uint32_t last = 0; last < p->n; last++)
		program_leave(p, f, last);
	if (made != kernels || f->groups.count != groups ||
		count_steps(f, STEP_CALL) != calls) {
		program_show(f);
		fail_msg("%s: %u kernels of %u groups, %u calls; expected %u, %u, %u", p->what,
			made, f->groups.count, count_steps(f, STEP_CALL),
			kernels, groups, calls);
	}
	/* A kernel writes while what it reads is alive, op by op it is freed in between: the arena
	 * may be a little larger than all that is alive op by op, rounding to lines aside. Behind a
	 * product, its operands are alive, too. */
	if (f->arena_size > f->eager_bytes_max + f->eager_bytes_max / 8 + 64 * p->n +
		largest_operand(f)) {
		program_show(f);
		fail_msg("%s: more bytes alive than op by op", p->what);
	}
	fusion_free(f);
	program_free(p);
}
#define FINISH(p, kernels, groups, calls, ...) \
	finish(p, (const val[]){ __VA_ARGS__ }, (int)COUNT(((val[]){ __VA_ARGS__ })), kernels, \
		groups, calls)

static program *begin(const char *what)
{
	return program_new(trial_reference, what);
}

static void test_chain(void **state)
{
	program *p = begin("chain");
	val x = LIVE(p, 3, 40), y = x;

	(void)state;
	for (int k = 0; k < 12; k++)
		y = k % 3 ? op1(p, OP_relu, ops(p, OP_add, y, 0.25)) : op2(p, OP_mul, y, x);
	FINISH(p, 1, 1, 0, y);
}

/* Two dense layers, squared error, gradients, SGD: the new parameters and the loss. */
static void make_mlp(program *p, int64_t rows, val kept[5])
{
	const val x = LIVE(p, rows, 20), y = LIVE(p, rows, 10);
	const val w1 = LIVE(p, 20, 32), b1 = LIVE(p, 32), w2 = LIVE(p, 32, 10), b2 = LIVE(p, 10);
	const val h = op2(p, OP_matmul, x, w1), hb = op2(p, OP_add, h, b1);
	const val a = op1(p, OP_relu, hb), o = op2(p, OP_matmul, a, w2);
	const val d = op2(p, OP_sub, op2(p, OP_add, o, b2), y);
	const val loss = reduce(p, OP_mean, op1(p, OP_square, d), 3, false);
	const val g = ops(p, OP_mul, d, 2. / 160), gb2 = reduce(p, OP_sum, g, 1, false);
	const val gw2 = op2(p, OP_matmul, transpose(p, a), g);
	const val ga = op2(p, OP_matmul, g, transpose(p, w2));
	const val gh = op2(p, OP_mul, ga, cast(p, ops(p, OP_gt, hb, 0), GT_FLOAT32));
	const val gb1 = reduce(p, OP_sum, gh, 1, false);
	const val gw1 = op2(p, OP_matmul, transpose(p, x), gh);

	kept[0] = loss;
	kept[1] = op2(p, OP_sub, w1, ops(p, OP_mul, gw1, 0.1));
	kept[2] = op2(p, OP_sub, b1, ops(p, OP_mul, gb1, 0.1));
	kept[3] = op2(p, OP_sub, w2, ops(p, OP_mul, gw2, 0.1));
	kept[4] = op2(p, OP_sub, b2, ops(p, OP_mul, gb2, 0.1));
}

static void test_mlp(void **state)
{
	program *p = begin("mlp");
	val kept[5];

	(void)state;
	make_mlp(p, 16, kept);
	finish(p, kept, 5, 9, 6, 0);
}

static void test_softmax(void **state)
{
	program *p = begin("softmax");
	const val x = LIVE(p, 4, 3, 50);

	(void)state;
	FINISH(p, 1, 1, 0, along(p, OP_softmax, ops(p, OP_mul, x, 0.125), 2));
	p = begin("softmax along columns");
	FINISH(p, 1, 1, 0, along(p, OP_softmax, ops(p, OP_mul, LIVE(p, 4, 7, 50), 0.125), 1));
	p = begin("log-sum-exp");
	FINISH(p, 1, 1, 0, reduce(p, OP_logsumexp, LIVE(p, 30, 70), 2, false));
}

static void test_layer_norm(void **state)
{
	program *p = begin("layer norm");
	const val x = LIVE(p, 6, 5, 64), w = LIVE(p, 64), b = LIVE(p, 64);
	const val n = normalize(p, op2(p, OP_add, x, LIVE(p, 6, 5, 64)), 4);

	(void)state;
	FINISH(p, 1, 1, 0, op2(p, OP_add, op2(p, OP_mul, n, w), b));
}

/* Self-attention with a mask, layer norm and a residual. */
static val make_attention(program *p, int64_t batch, int64_t length)
{
	const val x = LIVE(p, batch, length, 16), wq = LIVE(p, 16, 16), wk = LIVE(p, 16, 16);
	const val wv = LIVE(p, 16, 16), n = normalize(p, x, 4);
	const int heads[] = { 0, 2, 1, 3 };
	val q = op2(p, OP_matmul, n, wq), k = op2(p, OP_matmul, n, wk);
	val v = op2(p, OP_matmul, n, wv), s;

	q = permute(p, shaped(p, OP_reshape, q, DIMS(batch, length, 4, 4)), 4, heads);
	k = permute(p, shaped(p, OP_reshape, k, DIMS(batch, length, 4, 4)), 4, heads);
	v = permute(p, shaped(p, OP_reshape, v, DIMS(batch, length, 4, 4)), 4, heads);
	s = op2(p, OP_matmul, q, transpose(p, k));
	s = op2(p, OP_add, ops(p, OP_mul, s, 0.5), LIVE(p, length, length));
	s = op2(p, OP_matmul, along(p, OP_softmax, s, 3), v);
	s = shaped(p, OP_reshape, permute(p, s, 4, heads), DIMS(batch, length, 16));
	return op2(p, OP_add, s, x);
}

static void test_attention(void **state)
{
	program *p = begin("attention");

	(void)state;
	FINISH(p, 3, 3, 4, make_attention(p, 2, 8));
}

static void test_cross_entropy(void **state)
{
	program *p = begin("cross entropy");
	const val x = LIVE(p, 12, 10), hot = LIVE(p, 12, 10);
	const val l = along(p, OP_log_softmax, x, 1);
	const val loss = op1(p, OP_neg, reduce(p, OP_mean, reduce(p, OP_sum,
		op2(p, OP_mul, l, hot), 2, false), 1, false));
	const val g = ops(p, OP_div, op2(p, OP_sub, op1(p, OP_exp, l), hot), 12);

	(void)state;
	FINISH(p, 3, 3, 0, loss, reduce(p, OP_sum, g, 1, false), g);
}

static void test_adam(void **state)
{
	program *p = begin("adam");
	val kept[24];

	(void)state;
	for (int k = 0; k < 8; k++) {
		const int64_t rows = 3 + k;
		const val w = LIVE(p, rows, 33), g = LIVE(p, rows, 33);
		const val m = LIVE(p, rows, 33), v = LIVE(p, rows, 33);
		const val m2 = op2(p, OP_add, ops(p, OP_mul, m, .9), ops(p, OP_mul, g, .1));
		const val v2 = op2(p, OP_add, ops(p, OP_mul, v, .99),
			ops(p, OP_mul, op1(p, OP_square, g), .01));
		const val step = op2(p, OP_div, ops(p, OP_mul, m2, .01),
			ops(p, OP_add, op1(p, OP_sqrt, v2), 1e-8));

		kept[3 * k] = m2;
		kept[3 * k + 1] = v2;
		kept[3 * k + 2] = op2(p, OP_sub, w, step);
	}
	finish(p, kept, 24, 8, 1, 0);
}

static void test_broadcasting(void **state)
{
	program *p = begin("broadcasting");
	const val x = LIVE(p, 4, 5, 6), a = LIVE(p, 6), b = LIVE(p, 5, 1), c = LIVE(p, 4, 1, 1);
	const val d = LIVE(p, 4, 1, 6), e = LIVE(p, 1, 5, 6);
	val y = op2(p, OP_add, op2(p, OP_mul, x, a), b);

	(void)state;
	y = op2(p, OP_sub, op2(p, OP_add, op2(p, OP_mul, y, c), d), e);
	y = op2(p, OP_mul, y, full(p, GT_FLOAT32, 3, DIMS(5, 6)));
	FINISH(p, 1, 1, 0, y);
}

static void test_bias_gradients(void **state)
{
	program *p = begin("bias gradients");
	const val g = LIVE(p, 9, 40), b = LIVE(p, 40), mask = LIVE(p, 9, 40);
	const val s = reduce(p, OP_sum, op2(p, OP_mul, g, mask), 1, false);

	(void)state;
	FINISH(p, 1, 1, 0, op2(p, OP_sub, b, ops(p, OP_mul, s, 0.1)));
}

/* ---- sizes ---- */

static fusion *fuse_size(int which, int64_t size, program **p)
{
	val kept[5];
	int count = 5;

	*p = begin(which ? "attention" : "mlp");
	if (!which)
		make_mlp(*p, size, kept);
	else
		kept[0] = make_attention(*p, which == 1 ? size : 4, which == 1 ? 24 : size);
	count = which ? 1 : 5;
	program_end(*p);
	program_keep(*p, kept, count);
	return program_fuse(*p, false);
}

static bool has_group(const fusion *f, const buf *key)
{
	bool has = false;

	for (uint32_t k = 0; k < f->groups.count; k++)
		has |= f->groups.at[k].key.size == key->size &&
			!memcmp(f->groups.at[k].key.data, key->data, key->size);
	return has;
}

/* A program in another batch size, or with sequences of another length, uses the groups that there
 * are. Only what is so short that calls cost more than they save is cut in another way. */
static void test_sizes(void **state)
{
	static const int64_t sizes[] = { 2, 3, 7, 16, 17, 64, 100 };

	(void)state;
	for (int which = 0; which < 3; which++) {
		program *p, *q;
		fusion *first = fuse_size(which, 32, &p);

		for (unsigned k = 0; k < COUNT(sizes); k++) {
			fusion *f = fuse_size(which, MAX(sizes[k], which == 2 ? 6 : 0), &q);

			for (uint32_t g = 0; g < f->groups.count; g++)
				if (!has_group(first, &f->groups.at[g].key)) {
					program_show(first);
					program_show(f);
					fail_msg("%s %d: size %d has a group of its own", q->what,
						which, (int)sizes[k]);
				}
			fusion_free(f);
			program_free(q);
		}
		fusion_free(first);
		program_free(p);
	}
}

/* ---- simplifying ---- */

static fusion *fuse_kept(program *p, const val *kept, int count)
{
	fusion *f;

	program_end(p);
	program_keep(p, kept, count);
	f = program_fuse(p, false);
	program_check(p, f);
	return f;
}

static void test_same(void **state)
{
	program *p = begin("same");
	const val x = LIVE(p, 6, 8), t = transpose(p, transpose(p, x));
	const val n = op1(p, OP_neg, op1(p, OP_neg, x)), c = cast(p, x, GT_FLOAT32);
	const val r = shaped(p, OP_reshape, shaped(p, OP_reshape, x, DIMS(48)), DIMS(6, 8));
	const val e = op1(p, OP_exp, x), again = op1(p, OP_exp, x), k = op1(p, OP_clone, e);
	const val m = reduce(p, OP_mean, shaped(p, OP_reshape, x, DIMS(6, 8, 1)), 4, true);
	const val all[] = { t, n, c, r, again, k, m };
	fusion *f = fuse_kept(p, all, (int)COUNT(all));

	(void)state;
	for (unsigned j = 0; j < COUNT(all); j++)
		assert_int_equal(f->values.at[all[j]].base, j == 4 || j == 5 ? e : (val)p->n);
	assert_int_equal(f->values.at[again].where, FUSE_ALIAS);
	assert_int_equal(count_steps(f, STEP_KERNEL), 0);
	assert_int_equal(count_steps(f, STEP_CALL), 1);
	fusion_free(f);
	program_free(p);
}

/* Scalars are data, even if they are equal in this run; other strides are another tensor; so are
 * slices, whose bounds may differ in the next run. */
static void test_not_same(void **state)
{
	program *p = begin("not the same");
	const val x = LIVE(p, 6, 8), a = ops(p, OP_mul, x, 1), b = ops(p, OP_mul, x, 1);
	const val t = transpose(p, x), c = op1(p, OP_clone, t);
	const val all[] = { a, b, c };
	fusion *f = fuse_kept(p, all, 3);

	(void)state;
	for (unsigned j = 0; j < COUNT(all); j++)
		assert_int_equal(f->values.at[all[j]].where, FUSE_STORED);
	fusion_free(f);
	program_free(p);
}

static void test_dead(void **state)
{
	program *p = begin("dead");
	const val x = LIVE(p, 6, 8), y = op1(p, OP_neg, x);
	const val dead = op1(p, OP_tanh, op1(p, OP_exp, y));
	fusion *f = fuse_kept(p, &y, 1);

	(void)state;
	assert_int_equal(f->values.at[dead].where, FUSE_DEAD);
	assert_int_equal(f->steps.count, 1);
	program_leave(p, f, (uint32_t)dead);
	fusion_free(f);
	program_free(p);
}

/* Results of at most so many bytes are there for whoever prints them. */
static void test_small(void **state)
{
	program *p = begin("small");
	const val x = LIVE(p, 6, 8), s = reduce(p, OP_sum, x, 3, false), y = op1(p, OP_neg, x);
	fusion *f;

	(void)state;
	p->small = FUSE_SMALL;
	f = fuse_kept(p, &y, 1);
	assert_int_equal(f->values.at[s].where, FUSE_STORED);
	assert_int_equal(f->values.at[s].why, WHY_SMALL);
	fusion_free(f);
	program_free(p);
}

/* .. unless nothing but numbers make them, as the gradient of a mean begins: a sum of columns has
 * no place to store one value for all of them. */
static void test_given(void **state)
{
	program *p = begin("given");
	const val x = LIVE(p, 6, 8), one = full(p, GT_FLOAT32, 1, DIMS(1, 1));
	const val part = ops(p, OP_div, one, 48), g = op2(p, OP_mul, x, part);
	const val s = op2(p, OP_sub, g, reduce(p, OP_sum, g, 1, true));
	fusion *f;

	(void)state;
	p->small = FUSE_SMALL;
	f = fuse_kept(p, &s, 1);
	assert_int_equal(f->values.at[part].where, FUSE_FUSED);
	assert_int_equal(count_steps(f, STEP_KERNEL), 1);
	for (uint32_t at = 0; at < (uint32_t)p->n; at++)
		program_leave(p, f, at);
	fusion_free(f);
	program_free(p);
}

/* ---- later runs ---- */

static ins *slice_of(program *p, val x, ins_room *copy)
{
	room r;

	program_begin(&r, OP_slice);
	program_in(&r, x);
	ins_put_operand(r.i, 3);
	ins_put_operand(r.i, 4);
	ins_put_operand(r.i, 1);
	program_put(p, &r);
	memcpy(copy, r.i, r.i->words * sizeof(uint64_t));
	return &copy->head;
}

static void test_fits(void **state)
{
	program *p = begin("fits");
	const val x = LIVE(p, 20);
	ins_room copy;
	ins *slice = slice_of(p, x, &copy), *add, *norm, *size;
	const val a = ops(p, OP_add, x, 2), n = normalize(p, x, 1);
	const val z = full(p, GT_FLOAT32, 1, DIMS(20));
	fusion *f = fuse_kept(p, (const val[]){ 0, a, n, z }, 4);

	(void)state;
	add = (ins *)p->run[a];
	norm = (ins *)p->run[n];
	size = (ins *)p->run[z];
	assert_true(fusion_fits(f, 0, slice));
	slice->tail[1] = 5;
	assert_true(fusion_fits(f, 0, slice));       /* from elsewhere, as much */
	slice->tail[2] = 5;
	assert_false(fusion_fits(f, 0, slice));
	slice->tail[2] = 4;
	slice->tail[3] = 2;
	assert_false(fusion_fits(f, 0, slice));
	add->tail[1] = (scalar){ .f = 3 }.bits;
	assert_true(fusion_fits(f, (uint32_t)a, add));
	assert_false(fusion_fits(f, (uint32_t)n, add));
	norm->tail[1] = (scalar){ .f = 1e-3 }.bits;
	assert_false(fusion_fits(f, (uint32_t)n, norm));
	size->tail[0] = (scalar){ .f = 7 }.bits;
	assert_true(fusion_fits(f, (uint32_t)z, size));
	size->tail[1] = 21;
	assert_false(fusion_fits(f, (uint32_t)z, size));
	fusion_free(f);
	program_free(p);
}

/* A run that is not one of the region, or whose shapes do not fit, is an error and no more. */
static void test_refused(void **state)
{
	program *p = begin("refused");
	const val x = LIVE(p, 20), y = op1(p, OP_exp, x);
	const fuse_input in = { .r = &p->r, .run = p->run, .live_ins = p->views,
		.small = FUSE_SMALL };
	fusion *f;

	(void)state;
	op2(p, OP_add, y, x);
	program_end(p);
	p->views[0].m.dims[0] = 3;
	p->views[0].m.dtype = GT_INT32;
	assert_int_equal(fuse_make(&in, &f), GT_EDTYPE);
	assert_null(f);
	p->ops[0].op = OP_log;
	assert_int_equal(fuse_make(&in, &f), GT_EINVAL);
	program_free(p);
}

static void test_print(void **state)
{
	program *p = begin("print");
	const val x = LIVE(p, 4, 20), y = along(p, OP_softmax, op2(p, OP_matmul, x,
		LIVE(p, 20, 20)), 1);
	fusion *f = fuse_kept(p, &y, 1);
	buf text = { 0 };

	(void)state;
	fusion_print(f, &text);
	assert_non_null(strstr(buf_text(&text), "2 ops, 6 rows expanded, 6 left; 1 kernels"));
	assert_non_null(strstr(buf_text(&text), "behind %1: product, on each piece of it group 0 "
		"(rows) over 4 x 20"));
	assert_non_null(strstr(buf_text(&text), "%0 = matmul in0, in1 : float32 (4, 20)"));
	buf_fini(&text);
	fusion_free(f);
	program_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain), cmocka_unit_test(test_mlp),
		cmocka_unit_test(test_softmax), cmocka_unit_test(test_layer_norm),
		cmocka_unit_test(test_attention), cmocka_unit_test(test_cross_entropy),
		cmocka_unit_test(test_adam), cmocka_unit_test(test_broadcasting),
		cmocka_unit_test(test_bias_gradients), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_same), cmocka_unit_test(test_not_same),
		cmocka_unit_test(test_dead), cmocka_unit_test(test_small),
		cmocka_unit_test(test_given), cmocka_unit_test(test_fits),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests_name("fuse", tests, trial_open, trial_close_all);
}
