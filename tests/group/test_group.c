/* test_group.c: groups are checked, encoded, printed; the interpreter does what the nodes say. */
#include "check.h"

#include "group/reference.h"
#include "group_make.h"

/* softmax: %0 x, %1 its maximum, %3 e^(x - max), %4 their sum, %5 the quotient. */
static void make_softmax(group *g)
{
	make_start(g, GROUP_ROWS);
	make_store(g, make_softmax_of(g, make_load(g, GT_FLOAT32, ACCESS_RUN)), ACCESS_RUN);
}

static void test_shapes(void **state)
{
	group g;
	group_shape s[GROUP_NODES];

	(void)state;
	make_softmax(&g);
	assert_int_equal(group_check(&g), GT_OK);
	group_shapes(&g, s);
	assert_true(s[0].rows && s[0].cols && s[0].level == 0);
	assert_true(s[1].rows && !s[1].cols && s[1].level == 1);
	assert_true(s[3].cols && s[3].level == 1);
	assert_int_equal(s[6].level, 2);
}

static void test_print(void **state)
{
	group g;
	buf text = { 0 };

	(void)state;
	make_softmax(&g);
	group_print(&g, &text);
	assert_string_equal(buf_text(&text),
		"group rows\n"
		"  arg 0: float32, run\n"
		"  arg 1: float32, run, written\n"
		"  %0 = load 0 : float32\n"
		"  %1 = max %0 : float32\n"
		"  %2 = sub %0, %1 : float32\n"
		"  %3 = exp %2 : float32\n"
		"  %4 = sum %3 : float32\n"
		"  %5 = div %3, %4 : float32\n"
		"  store 1, %5\n");
	buf_fini(&text);
}

static void test_code(void **state)
{
	group g, again;
	buf a = { 0 }, b = { 0 };

	(void)state;
	make_softmax(&g);
	g.nodes[0].op = 77;             /* fields that are not used do not count */
	g.nodes[3].in[2] = 99;
	group_encode(&g, &a);
	assert_int_equal(group_decode(a.data, a.size, &again), GT_OK);
	assert_int_equal(again.nodes[0].op, 0);
	group_encode(&again, &b);
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, a.size);
	for (size_t n = 0; n < a.size; n++)
		assert_int_equal(group_decode(a.data, n, &again), GT_EPROTO);
	buf_put_u8(&a, 0);
	assert_int_equal(group_decode(a.data, a.size, &again), GT_EPROTO);
	buf_fini(&a);
	buf_fini(&b);
}

/* Groups that are wrong in one place each. */
static void test_refused(void **state)
{
	group g;

	(void)state;
#define REFUSED(change) \
	do { \
		make_softmax(&g); \
		change; \
		assert_int_equal(group_check(&g), GT_EPROTO); \
	} while (0)
	REFUSED(g.mode = GROUP_ELEMENT);
	REFUSED(g.mode = GROUP_COLS + 1);
	REFUSED(g.nodes_count = GROUP_NODES + 1);
	REFUSED(g.args_count = GROUP_ARGS + 1);
	REFUSED(g.args_count = 1);
	REFUSED(g.nodes[2].in[1] = 2);
	REFUSED(g.nodes[2].dtype = GT_FLOAT64);
	REFUSED(g.nodes[2].op = OP_matmul);
	REFUSED(g.nodes[2].op = OP_CODES - 1);
	REFUSED(g.nodes[2].op = 0xffff);
	REFUSED(g.nodes[2].op = OP_and);
	REFUSED(g.nodes[1].op = OP_argmax);
	REFUSED(g.nodes[1].op = OP_any);
	REFUSED(g.nodes[0].at = 1);
	REFUSED(g.nodes[0].at = 0xffff);
	REFUSED(g.nodes[0].what = NODE_SCALAR);
	REFUSED(g.nodes[0].what = NODE_COUNT);
	REFUSED(g.args[1].access = ACCESS_SAME);
	REFUSED(g.args[1].access = ACCESS_STEP + 1);
	REFUSED(g.args[1].fixed = true);
	REFUSED(g.args[0].dtype = GT_INT32);
	REFUSED(g.args[0].dtype = GT_DTYPE_COUNT);
	REFUSED(g.nodes[6].at = 0);
	REFUSED(g.nodes_count--);
	REFUSED(make_store(&g, 5, ACCESS_RUN); g.nodes[7].at = 1; g.args_count--);
}

static void make_placed(group *g)
{
	make_start(g, GROUP_ELEMENT);
	make_draw(g, OP_rand, GT_FLOAT32, make_count(g, ACCESS_RUN));
	make_pick(g, GT_FLOAT32, ACCESS_SAME, 0);
	make_store(g, make_op(g, OP_add, 1, 2, 0), ACCESS_RUN);
}

/* Places: what counts, what is drawn and picked by it. */
static void test_placed(void **state)
{
	group g, again;
	buf text = { 0 }, code = { 0 };

	(void)state;
	make_placed(&g);
	assert_int_equal(group_check(&g), GT_OK);
	group_print(&g, &text);
	assert_string_equal(buf_text(&text),
		"group element\n"
		"  arg 0: int64, run, counts\n"
		"  arg 1: float32, same, picked from\n"
		"  arg 2: float32, run, written\n"
		"  %0 = load 0 : int64\n"
		"  %1 = rand %0, scalars 0 to 1 : float32\n"
		"  %2 = pick 1, %0 : float32\n"
		"  %3 = add %1, %2 : float32\n"
		"  store 2, %3\n");
	group_encode(&g, &code);
	assert_int_equal(group_decode(code.data, code.size, &again), GT_OK);
	assert_memory_equal(again.args, g.args, 3 * sizeof *g.args);
	assert_int_equal(again.nodes[1].op, OP_rand);
#define WRONG(change) \
	do { \
		make_placed(&g); \
		change; \
		assert_int_equal(group_check(&g), GT_EPROTO); \
	} while (0)
	WRONG(g.scalars_count = 1);
	WRONG(g.nodes[1].at = 1);
	WRONG(g.nodes[1].op = OP_randint; g.scalars_count = 3);
	WRONG(g.nodes[1].op = OP_add);
	WRONG(g.nodes[1].dtype = GT_INT64);
	WRONG(g.nodes[1].in[0] = 1);
	WRONG(g.nodes[2].in[0] = 1);
	WRONG(g.args[0].dtype = GT_INT32);
	WRONG(g.args[0].picked = true);
	WRONG(g.args[1].picked = false);
	WRONG(g.args[1].counts = true);
	WRONG(g.args[2].counts = true);
	buf_fini(&text);
	buf_fini(&code);
}

static void test_integer_division(void **state)
{
	group g;
	int x;

	(void)state;
	make_start(&g, GROUP_ELEMENT);
	x = make_load(&g, GT_INT32, ACCESS_RUN);
	make_store(&g, make_op(&g, OP_mod, x, x, 0), ACCESS_RUN);
	assert_int_equal(group_check(&g), GT_EPROTO);
}

/* What a reduction over rows gives is stored once a column; values of a row are not. */
static void test_cols(void **state)
{
	group g;
	int x, s;

	(void)state;
	make_start(&g, GROUP_COLS);
	x = make_load(&g, GT_FLOAT32, ACCESS_RUN);
	s = make_reduce(&g, OP_sum, x);
	make_store(&g, s, ACCESS_RUN);
	g.args[1].fixed = true;
	assert_int_equal(group_check(&g), GT_OK);
	g.nodes[2].in[0] = 0;
	assert_int_equal(group_check(&g), GT_EPROTO);
	g.nodes[2].in[0] = 1;
	g.args[1].fixed = false;        /* the sum again in every row: allowed, too */
	assert_int_equal(group_check(&g), GT_OK);
	g.args[1].access = ACCESS_SAME;
	assert_int_equal(group_check(&g), GT_EPROTO);
}

static void test_run_rows(void **state)
{
	float x[2][3] = { { 0, 0, 0 }, { 1, 2, -1e30f } }, y[2][4] = { 0 };
	kernel_arg args[] = { { x, sizeof x[0], 0 }, { y, sizeof y[0], 0 } };
	kernel_call c = { .rows = 2, .cols = 3, .args = args };
	group g;

	(void)state;
	make_softmax(&g);
	group_run(&g, &c);
	assert_true(y[0][0] == 1.0f / 3 && y[0][2] == 1.0f / 3 && y[0][3] == 0);
	assert_true(y[1][0] + y[1][1] == 1 && y[1][2] == 0 && y[1][3] == 0);
}

/* x - mean over rows of two columns, in place of nothing; and the column sums themselves. */
static void test_run_cols(void **state)
{
	float x[3][2] = { { 1, 10 }, { 2, 20 }, { 3, 60 } }, y[3][2], sums[2];
	uint64_t third = 0;
	kernel_arg args[] = { { x, 8, 0 }, { sums, 0, 0 }, { y, 8, 0 } };
	kernel_call c = { .rows = 3, .cols = 2, .args = args, .scalars = &third };
	group g;
	int load, sum;

	(void)state;
	memcpy(&third, &(float){ 1.0f / 3 }, 4);
	make_start(&g, GROUP_COLS);
	load = make_load(&g, GT_FLOAT32, ACCESS_RUN);
	sum = make_reduce(&g, OP_sum, load);
	make_store(&g, sum, ACCESS_RUN);
	g.args[1].fixed = true;
	make_store(&g, make_op(&g, OP_sub, load,
			make_op(&g, OP_mul, sum, make_scalar(&g, GT_FLOAT32), 0), 0), ACCESS_RUN);
	assert_int_equal(group_check(&g), GT_OK);
	group_run(&g, &c);
	assert_true(sums[0] == 6 && sums[1] == 90);
	assert_true(y[0][0] == -1 && y[2][1] == 30);
	c.rows = 0;
	group_run(&g, &c);
	assert_true(sums[0] == 0 && sums[1] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_code),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_placed),
		cmocka_unit_test(test_integer_division),
		cmocka_unit_test(test_cols),
		cmocka_unit_test(test_run_rows),
		cmocka_unit_test(test_run_cols),
	};

	return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
