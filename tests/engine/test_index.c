/* test_index.c: gather, scatter_add, index_select, index_add, index_set, one_hot. */
#include "duel.h"

static const gt_dtype dtypes[] = { GT_FLOAT32, GT_FLOAT64, GT_INT32, GT_INT64, GT_BOOL };

typedef struct shape_axis { meta m; int axis; } shape_axis;

static const shape_axis shapes[] = {
	{ { .rank = 1, .dims = { 7 } }, 0 },
	{ { .rank = 2, .dims = { 6, 5 } }, 0 }, { { .rank = 2, .dims = { 6, 5 } }, 1 },
	{ { .rank = 3, .dims = { 3, 4, 20 } }, 0 }, { { .rank = 3, .dims = { 3, 4, 20 } }, 1 },
	{ { .rank = 3, .dims = { 3, 4, 20 } }, 2 }, { { .rank = 2, .dims = { 4, 0 } }, 0 },
	{ { .rank = 2, .dims = { 1, 3 } }, 0 },
};
static const shape_axis large_shapes[] = {
	{ { .rank = 2, .dims = { 1000, 300 } }, 0 }, { { .rank = 2, .dims = { 300, 1000 } }, 1 },
};

/* ---- Indices. ---- */


/* An index tensor whose values are all in range for `size`, negative ones among them. */
static duel_input new_indices(const meta *shape, int64_t size, gt_dtype dtype)
{
	duel_input t = duel_input_new(shape, dtype, (duel_layout)duel_random(REPEATED));
	int64_t step = (int64_t)dtype_size(dtype);

	for (int64_t n = 0; n < t.count && size; n++) {
		scalar index = { .i = (int64_t)duel_random(2 * (uint64_t)size) - size };

		engine_scalar(KIND_INT, index, dtype, t.memory + n * step);
	}
	return t;
}

static duel new_duel(op code, int axis)
{
	duel t;

	ins_init(&t.room, code, 1);
	t.room.head.attr.axis = (uint8_t)axis;
	for (int k = 0; k < op_rows[code].nin; k++)
		ins_put_input(&t.room.head, 1);
	return t;
}

static duel_layout any_full_layout(void)
{
	return (duel_layout)duel_random(ONES);
}

static void run_with(duel *t, duel_input *in, int n)
{
	for (int k = 0; k < n; k++)
		t->in[k] = in[k].v;
	duel_run(t);
	for (int k = 0; k < n; k++)
		duel_input_free(&in[k]);
}

/* ---- Each op, against the reference. ---- */

static void try_gather(const shape_axis *s, gt_dtype dtype)
{
	duel t = new_duel(OP_gather, s->axis);
	meta index = s->m;
	duel_input in[2];

	for (int d = 0; d < index.rank; d++)
		if (d != s->axis && index.dims[d])
			index.dims[d] -= (int64_t)duel_random((uint64_t)index.dims[d]);
	index.dims[s->axis] = (int64_t)duel_random(9);
	in[0] = duel_input_new(&s->m, dtype, any_full_layout());
	in[1] = new_indices(&index, s->m.dims[s->axis], GT_INT64);
	run_with(&t, in, 2);
}

static void try_scatter(const shape_axis *s, gt_dtype dtype)
{
	duel t = new_duel(OP_scatter_add, s->axis);
	meta index = s->m, source;
	duel_input in[3];

	index.dims[s->axis] = (int64_t)duel_random(9);
	source = index;
	for (int d = 0; d < index.rank; d++) {
		source.dims[d] += (int64_t)duel_random(2);
		if (d != s->axis && index.dims[d])
			index.dims[d] -= (int64_t)duel_random((uint64_t)index.dims[d]);
	}
	in[0] = duel_input_new(&s->m, dtype, any_full_layout());
	in[1] = new_indices(&index, s->m.dims[s->axis], GT_INT64);
	in[2] = duel_input_new(&source, dtype, any_full_layout());
	run_with(&t, in, 3);
}

static void try_select(const shape_axis *s, gt_dtype dtype, const meta *index)
{
	duel t = new_duel(OP_index_select, s->axis);
	duel_input in[2];

	in[0] = duel_input_new(&s->m, dtype, any_full_layout());
	in[1] = new_indices(index, s->m.dims[s->axis], GT_INT64);
	run_with(&t, in, 2);
}

static void try_put(op code, const shape_axis *s, gt_dtype dtype)
{
	duel t = new_duel(code, s->axis);
	meta index = { .rank = 1, .dims = { (int64_t)duel_random(12) } }, source = s->m;
	duel_input in[3];

	source.dims[s->axis] = index.dims[0];
	in[0] = duel_input_new(&s->m, dtype, any_full_layout());
	in[1] = new_indices(&index, s->m.dims[s->axis], GT_INT64);
	in[2] = duel_input_new(&source, dtype, any_full_layout());
	run_with(&t, in, 3);
}

static void try_all(const shape_axis *s, gt_dtype dtype)
{
	static const meta index_shapes[] = {
		{ .rank = 0 }, { .rank = 1, .dims = { 0 } }, { .rank = 1, .dims = { 5 } },
		{ .rank = 2, .dims = { 3, 4 } },
	};

	try_gather(s, dtype);
	for (size_t n = 0; n < COUNT(index_shapes); n++)
		try_select(s, dtype, &index_shapes[n]);
	try_put(OP_index_set, s, dtype);
	if (dtype != GT_BOOL) {
		try_put(OP_index_add, s, dtype);
		try_scatter(s, dtype);
	}
}

static void test_every_op(void **state)
{
	(void)state;
	for (size_t n = 0; n < COUNT(shapes); n++)
		for (size_t d = 0; d < COUNT(dtypes); d++)
			for (int repeat = 0; repeat < 20; repeat++)
				try_all(&shapes[n], dtypes[d]);
}

static void test_large(void **state)
{
	static const meta many = { .rank = 1, .dims = { 1500 } };

	(void)state;
	for (size_t n = 0; n < COUNT(large_shapes); n++)
		for (int repeat = 0; repeat < 3; repeat++) {
			try_select(&large_shapes[n], GT_FLOAT32, &many);
			try_gather(&large_shapes[n], GT_FLOAT32);
			try_scatter(&large_shapes[n], GT_FLOAT32);
			try_put(OP_index_add, &large_shapes[n], GT_FLOAT32);
		}
}

static void try_one_hot(const meta *shape, gt_dtype dtype, int64_t size)
{
	duel t = new_duel(OP_one_hot, 0);
	duel_input in = new_indices(shape, size, dtype);

	ins_put_operand(&t.room.head, size);
	run_with(&t, &in, 1);
}

static void test_one_hot(void **state)
{
	static const meta index_shapes[] = {
		{ .rank = 0 }, { .rank = 1, .dims = { 0 } }, { .rank = 1, .dims = { 9 } },
		{ .rank = 3, .dims = { 2, 3, 4 } },
	};

	(void)state;
	for (size_t n = 0; n < COUNT(index_shapes); n++)
		for (int repeat = 0; repeat < 20; repeat++) {
			try_one_hot(&index_shapes[n], GT_INT64, 5);
			try_one_hot(&index_shapes[n], GT_INT32, 1);
		}
}

/* ---- Numbers. ---- */

static view numbers(gt_dtype dtype, void *data, int rank, int64_t rows, int64_t cols)
{
	view v = { .data = data, .contiguous = true,
		.m = { .dtype = dtype, .rank = (uint8_t)rank, .dims = { rows, cols } } };

	shape_contiguous(&v.m, v.strides);
	return v;
}

static void check_numbers(duel *t, const int64_t *want, int n)
{
	duel_begin(t);
	assert_int_equal(t->error, GT_OK);
	assert_int_equal(meta_count(&t->out.m), n);
	assert_memory_equal(t->out.data, want, (size_t)n * sizeof(*want));
	duel_check(t);
	duel_end(t);
}

static void test_numbers(void **state)
{
	int64_t x[] = { 1, 2, 3, 4, 5, 6 }, index[] = { 2, 0, -1 }, ones[] = { 10, 20, 30 };
	duel t = new_duel(OP_index_select, 0);

	(void)state;
	t.in[0] = numbers(GT_INT64, x, 2, 3, 2);
	t.in[1] = numbers(GT_INT64, index, 1, 3, 0);
	check_numbers(&t, (int64_t[]){ 5, 6, 1, 2, 5, 6 }, 6);
	t = new_duel(OP_gather, 1);
	t.in[0] = numbers(GT_INT64, x, 2, 2, 3);
	t.in[1] = numbers(GT_INT64, index, 2, 1, 3);
	check_numbers(&t, (int64_t[]){ 3, 1, 3 }, 3);
	t = new_duel(OP_gather, 0);
	t.in[0] = numbers(GT_INT64, x, 2, 3, 2);
	t.in[1] = numbers(GT_INT64, index, 2, 1, 2);
	check_numbers(&t, (int64_t[]){ 5, 2 }, 2);
	t = new_duel(OP_index_add, 0);
	t.in[0] = numbers(GT_INT64, x, 1, 3, 0);
	t.in[1] = numbers(GT_INT64, index, 1, 3, 0);
	t.in[2] = numbers(GT_INT64, ones, 1, 3, 0);
	check_numbers(&t, (int64_t[]){ 21, 2, 43 }, 3);
	t.room.head.op = OP_scatter_add;
	check_numbers(&t, (int64_t[]){ 21, 2, 43 }, 3);
	t.room.head.op = OP_index_set;      /* of equal indices the last wins */
	check_numbers(&t, (int64_t[]){ 20, 2, 30 }, 3);
	t = new_duel(OP_one_hot, 0);
	ins_put_operand(&t.room.head, 3);
	t.in[0] = numbers(GT_INT64, index, 1, 3, 0);
	check_numbers(&t, (int64_t[]){ 0, 0, 1, 1, 0, 0, 0, 0, 1 }, 9);
}

/* ---- Errors. ---- */

static void check_error(duel *t, const char *text)
{
	duel_begin(t);
	assert_int_equal(t->error, GT_EINDEX);
	assert_string_equal(t->text, text);
	duel_check(t);
	duel_end(t);
}

static void test_errors(void **state)
{
	int64_t x[20] = { 0 }, index[] = { 0, -10, 9, 10 }, low[] = { INT64_MIN, INT64_MAX };
	duel t = new_duel(OP_index_select, 0);

	(void)state;
	t.in[0] = numbers(GT_INT64, x, 2, 10, 2);
	t.in[1] = numbers(GT_INT64, index, 1, 4, 0);
	check_error(&t, "index_select: index 10 at position 3 is out of range for size 10");
	t.in[1] = numbers(GT_INT64, low, 1, 2, 0);
	check_error(&t, "index_select: index -9223372036854775808 at position 0 is out of range "
		"for size 10");
	t.in[1] = numbers(GT_INT64, low + 1, 0, 0, 0);
	check_error(&t, "index_select: index 9223372036854775807 at position 0 is out of range "
		"for size 10");
	t.in[0] = numbers(GT_INT64, x, 2, 0, 2);
	t.in[1] = numbers(GT_INT64, index, 1, 1, 0);
	check_error(&t, "index_select: index 0 at position 0 is out of range for size 0");
	t.in[0] = numbers(GT_INT64, x, 2, 10, 0);     /* also where no element would be read */
	t.in[1] = numbers(GT_INT64, index, 1, 4, 0);
	check_error(&t, "index_select: index 10 at position 3 is out of range for size 10");
}

static void test_errors_of_each_op(void **state)
{
	int64_t x[10] = { 0 }, index[] = { 4, 0, -3, 0 };
	view strided = numbers(GT_INT64, index, 1, 2, 0);
	duel t;

	(void)state;
	strided.strides[0] = 2;
	strided.contiguous = false;
	for (unsigned code = OP_gather; code <= OP_index_set; code++) {
		char text[128];

		t = new_duel(code, 0);
		t.in[0] = numbers(GT_INT64, x, 1, 3, 0);
		t.in[1] = strided;
		t.in[2] = numbers(GT_INT64, x, 1, 2, 0);
		snprintf(text, sizeof(text), "%s: index 4 at position 0 is out of range for size 3",
			op_rows[code].name);
		check_error(&t, text);
	}
	t = new_duel(OP_one_hot, 0);
	ins_put_operand(&t.room.head, 2);
	index[0] = 1;
	t.in[0] = strided;
	check_error(&t, "one_hot: index -3 at position 1 is out of range for size 2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_errors_of_each_op),
		cmocka_unit_test(test_every_op),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_one_hot),
	};

	return cmocka_run_group_tests(tests, NULL, duel_engines_free);
}
