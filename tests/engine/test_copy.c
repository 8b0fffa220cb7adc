/* test_copy.c: rows that move elements by shape alone: reshape, cat, triangles, slices. */
#include "duel.h"

static const gt_dtype by_size[] = { GT_BOOL, GT_INT32, GT_FLOAT32, GT_FLOAT64 };

/* ---- reshape (as a copy) ---- */

static void try_reshape(const meta *from, gt_dtype dtype, duel_layout layout)
{
	duel_input x = duel_input_new(from, dtype, layout);
	duel t;

	ins_init(&t.room, OP_reshape, 1);
	ins_put_input(&t.room.head, 1);
	ins_put_operand(&t.room.head, meta_count(&x.v.m));
	t.in[0] = x.v;
	duel_run(&t);
	duel_input_free(&x);
}

static void test_reshape(void **state)
{
	static const meta shapes[] = {
		{ .rank = 0 }, { .rank = 1, .dims = { 0 } }, { .rank = 2, .dims = { 7, 9 } },
		{ .rank = 3, .dims = { 3, 1, 40 } }, { .rank = 4, .dims = { 3, 17, 5, 18 } },
		{ .rank = 2, .dims = { 1003, 517 } },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(shapes); n++)
		for (size_t d = 0; d < COUNT(by_size); d++)
			for (duel_layout layout = 0; layout < DUEL_LAYOUTS; layout++)
				try_reshape(&shapes[n], by_size[d], layout);
}

/* The order of a reshape is that of the view, not of memory. */
static void test_reshape_order(void **state)
{
	int32_t x[] = { 0, 1, 2, 3, 4, 5 }, want[] = { 0, 3, 1, 4, 2, 5 };
	duel t;

	(void)state;
	ins_init(&t.room, OP_reshape, 1);
	ins_put_input(&t.room.head, 1);
	ins_put_operand(&t.room.head, 6);
	t.in[0] = (view){ .data = x, .m = { .dtype = GT_INT32, .rank = 2, .dims = { 3, 2 } },
		.strides = { 1, 3 } };
	duel_begin(&t);
	assert_memory_equal(t.out.data, want, sizeof(want));
	duel_check(&t);
	duel_end(&t);
}

/* ---- cat ---- */

static void try_cat(const meta *shape, int axis, int nin, gt_dtype dtype)
{
	duel_input x[INS_INPUTS_MAX];
	duel t;

	ins_init(&t.room, OP_cat, 1);
	t.room.head.attr.axis = (uint8_t)axis;
	for (int k = 0; k < nin; k++) {
		meta m = *shape;

		m.dims[axis] = (int64_t)duel_random(4);
		x[k] = duel_input_new(&m, dtype, (duel_layout)duel_random(ONES));
		t.in[k] = x[k].v;
		ins_put_input(&t.room.head, 1);
	}
	duel_run(&t);
	for (int k = 0; k < nin; k++)
		duel_input_free(&x[k]);
}

static void test_cat(void **state)
{
	static const meta shapes[] = {
		{ .rank = 1, .dims = { 1 } }, { .rank = 2, .dims = { 5, 6 } },
		{ .rank = 3, .dims = { 3, 4, 19 } },
		{ .rank = 3, .dims = { 2, 0, 3 } }, { .rank = 2, .dims = { 70000, 3 } },
	};
	static const int inputs[] = { 1, 2, 7, INS_INPUTS_MAX };

	(void)state;
	for (size_t n = 0; n < COUNT(shapes); n++)
		for (size_t d = 0; d < COUNT(by_size); d++)
			for (int axis = 0; axis < shapes[n].rank; axis++)
				for (size_t k = 0; k < COUNT(inputs); k++)
					if (inputs[k] < 3 || shapes[n].dims[0] < 1000)
						try_cat(&shapes[n], axis, inputs[k], by_size[d]);
}

/* ---- tril, triu ---- */

static void try_triangle(op code, const meta *shape, int64_t diagonal, gt_dtype dtype)
{
	duel_input x = duel_input_new(shape, dtype, (duel_layout)duel_random(ONES));
	duel t;

	ins_init(&t.room, code, 1);
	ins_put_input(&t.room.head, 1);
	ins_put_operand(&t.room.head, diagonal);
	t.in[0] = x.v;
	duel_run(&t);
	duel_input_free(&x);
}

static void test_triangles(void **state)
{
	static const meta shapes[] = {
		{ .rank = 2, .dims = { 5, 5 } }, { .rank = 2, .dims = { 3, 7 } },
		{ .rank = 2, .dims = { 7, 3 } }, { .rank = 3, .dims = { 2, 4, 4 } },
		{ .rank = 2, .dims = { 0, 4 } }, { .rank = 2, .dims = { 4, 0 } },
	};
	static const int64_t diagonals[] = {
		0, 1, -1, 2, -3, 7, -7, 100, -100, INT64_MAX, INT64_MIN
	};

	(void)state;
	for (size_t n = 0; n < COUNT(shapes); n++)
		for (size_t k = 0; k < COUNT(diagonals); k++)
			for (size_t d = 0; d < COUNT(by_size); d++) {
				try_triangle(OP_tril, &shapes[n], diagonals[k], by_size[d]);
				try_triangle(OP_triu, &shapes[n], diagonals[k], by_size[d]);
			}
}

static void test_triangle_numbers(void **state)
{
	int32_t x[] = { 1, 2, 3, 4, 5, 6 };
	int32_t lower[] = { 1, 0, 0, 4, 5, 0 }, upper[] = { 0, 2, 3, 0, 0, 6 };
	duel t;

	(void)state;
	ins_init(&t.room, OP_tril, 1);
	ins_put_input(&t.room.head, 1);
	ins_put_operand(&t.room.head, 0);
	t.in[0] = (view){ .data = x, .m = { .dtype = GT_INT32, .rank = 2, .dims = { 2, 3 } },
		.strides = { 3, 1 }, .contiguous = true };
	duel_begin(&t);
	assert_memory_equal(t.out.data, lower, sizeof(lower));
	duel_end(&t);
	t.room.head.op = OP_triu;
	t.room.head.tail[1] = 1;
	duel_begin(&t);
	assert_memory_equal(t.out.data, upper, sizeof(upper));
	duel_end(&t);
}

/* ---- slice_set ---- */

/* A random slice of a dim: a first element, a count and a step that stay inside. */
static void random_slice(int64_t size, int64_t *opd)
{
	opd[2] = (int64_t)duel_random(3) + 1;
	opd[1] = size ? (int64_t)duel_random((uint64_t)((size - 1) / opd[2] + 2)) : 0;
	opd[0] = opd[1] ? (int64_t)duel_random((uint64_t)(size - (opd[1] - 1) * opd[2])) : 0;
	if (opd[1] && duel_random(2)) {
		opd[0] += (opd[1] - 1) * opd[2];
		opd[2] = -opd[2];
	}
}

static void try_slice_set(const meta *shape, gt_dtype dtype)
{
	duel_input x = duel_input_new(shape, dtype, (duel_layout)duel_random(ONES)), source;
	meta part = *shape;
	duel t;

	ins_init(&t.room, OP_slice_set, 1);
	ins_put_input(&t.room.head, 1);
	ins_put_input(&t.room.head, 1);
	for (int k = 0; k < shape->rank; k++) {
		int64_t opd[3];

		random_slice(shape->dims[k], opd);
		part.dims[k] = opd[1];
		for (int n = 0; n < 3; n++)
			ins_put_operand(&t.room.head, opd[n]);
	}
	source = duel_input_new(&part, dtype, (duel_layout)duel_random(DUEL_LAYOUTS));
	t.in[0] = x.v;
	t.in[1] = source.v;
	duel_run(&t);
	duel_input_free(&x);
	duel_input_free(&source);
}

static void test_slice_set(void **state)
{
	static const meta shapes[] = {
		{ .rank = 0 }, { .rank = 1, .dims = { 30 } }, { .rank = 2, .dims = { 9, 11 } },
		{ .rank = 3, .dims = { 4, 5, 40 } }, { .rank = 2, .dims = { 0, 3 } },
	};
	static const meta large = { .rank = 2, .dims = { 900, 700 } };

	(void)state;
	for (size_t n = 0; n < COUNT(shapes); n++)
		for (size_t d = 0; d < COUNT(by_size); d++)
			for (int repeat = 0; repeat < 50; repeat++)
				try_slice_set(&shapes[n], by_size[d]);
	for (int repeat = 0; repeat < 4; repeat++)
		try_slice_set(&large, GT_FLOAT32);
}

static void test_slice_set_numbers(void **state)
{
	int64_t x[] = { 0, 1, 2, 3, 4, 5 }, source[] = { 10, 11, 12 };
	int64_t want[] = { 0, 12, 2, 11, 4, 10 };
	duel t;

	(void)state;
	ins_init(&t.room, OP_slice_set, 1);
	ins_put_input(&t.room.head, 1);
	ins_put_input(&t.room.head, 1);
	ins_put_operand(&t.room.head, 5);
	ins_put_operand(&t.room.head, 3);
	ins_put_operand(&t.room.head, -2);
	t.in[0] = (view){ .data = x, .m = { .dtype = GT_INT64, .rank = 1, .dims = { 6 } },
		.strides = { 1 }, .contiguous = true };
	t.in[1] = (view){ .data = source, .m = { .dtype = GT_INT64, .rank = 1, .dims = { 3 } },
		.strides = { 1 }, .contiguous = true };
	duel_begin(&t);
	assert_memory_equal(t.out.data, want, sizeof(want));
	duel_check(&t);
	duel_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reshape),
		cmocka_unit_test(test_reshape_order),
		cmocka_unit_test(test_cat),
		cmocka_unit_test(test_triangles),
		cmocka_unit_test(test_triangle_numbers),
		cmocka_unit_test(test_slice_set),
		cmocka_unit_test(test_slice_set_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, duel_engines_free);
}
