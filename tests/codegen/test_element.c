/* test_element.c: every elementwise op on every dtype, compiled for every instruction set of this
 * machine, against the interpreter; ways in which arguments lie; sizes around the vectors'. */
#include "duel_group.h"

static const int64_t sizes[] = { 0, 1, 15, 16, 17, 33, 100 };

static void run_sizes(const group *g)
{
	duel_code code;

	assert_int_equal(group_check(g), GT_OK);
	duel_compile(g, &code);
	for (int64_t rows = 0; rows <= 3; rows++)
		for (size_t k = 0; k < COUNT(sizes); k++)
			duel_run(g, &code, rows, sizes[k], rows == 2);
	duel_drop(&code);
}

/* The op on loads of its own, and on one input that is the same for the row. */
static void make(group *g, op o, gt_dtype in, gt_dtype out, group_access access)
{
	int x[3] = { 0 }, result;

	make_start(g, GROUP_ELEMENT);
	for (int k = 0; k < op_rows[o].nin; k++)
		x[k] = make_load(g, o == OP_where && !k ? GT_BOOL : in,
			k == 1 ? ACCESS_SAME : access);
	result = make_op(g, o, x[0], x[1], x[2]);
	if (o == OP_cast)
		g->nodes[result].dtype = (uint8_t)out;
	make_store(g, result, access);
}

static void test_ops(void **state)
{
	int count = 0;

	(void)state;
	for (int o = 0; o < OP_CODES; o++)
		for (int in = 1; in < GT_DTYPE_COUNT; in++)
			for (int out = 1; out < GT_DTYPE_COUNT; out++) {
				group g;

				if (!op_row_of(o) || op_rows[o].kind != KIND_ELEMENT ||
					(o != OP_cast && out != in))
					continue;
				make(&g, o, in, out, ACCESS_RUN);
				if (group_check(&g))
					continue;
				run_sizes(&g);
				count++;
			}
	print_message("%d ops on dtypes\n", count);
	assert_true(count > 120);
}

static void test_access(void **state)
{
	(void)state;
	for (int d = 1; d < GT_DTYPE_COUNT; d++)
		for (int in = ACCESS_RUN; in <= ACCESS_STEP; in++)
			for (int out = ACCESS_RUN; out <= ACCESS_STEP; out++)
				for (int fixed = 0; fixed < 2; fixed++) {
					group g;

					make_start(&g, GROUP_ELEMENT);
					make_load(&g, d, in);
					g.args[0].fixed = fixed;
					make_store(&g, 0, out);
					if (in == ACCESS_SAME || out != ACCESS_SAME)
						run_sizes(&g);
				}
}

/* Scalars of the call, and a value that is nothing but scalars. */
static void test_scalars(void **state)
{
	(void)state;
	for (int d = 1; d < GT_DTYPE_COUNT; d++) {
		group g;
		int x, s;

		make_start(&g, GROUP_ELEMENT);
		x = make_load(&g, d, ACCESS_RUN);
		s = make_op(&g, OP_mul, make_scalar(&g, d), make_scalar(&g, d), 0);
		make_store(&g, make_op(&g, OP_add, x, s, 0), ACCESS_RUN);
		make_store(&g, s, ACCESS_SAME);
		make_store(&g, s, ACCESS_RUN);
		run_sizes(&g);
	}
}

/* Draws of all kinds by elements that are neighbours, the same for a row, or further apart. */
static void test_draws(void **state)
{
	static const op draws[] = { OP_rand, OP_randn, OP_randint };

	(void)state;
	for (size_t k = 0; k < COUNT(draws); k++)
		for (int d = 1; d < GT_DTYPE_COUNT; d++)
			for (int access = ACCESS_RUN; access <= ACCESS_STEP; access++) {
				group g;

				make_start(&g, GROUP_ELEMENT);
				make_store(&g, make_draw(&g, draws[k], (gt_dtype)d,
						make_count(&g, (group_access)access)), ACCESS_RUN);
				if (!group_check(&g))
					run_sizes(&g);
			}
}

/* What lies somewhere else: whole rows of it, or each element. */
static void test_picks(void **state)
{
	(void)state;
	for (int d = 1; d < GT_DTYPE_COUNT; d++)
		for (int where = ACCESS_RUN; where <= ACCESS_STEP; where++)
			for (int access = ACCESS_RUN; access <= ACCESS_STEP; access++)
				for (int fixed = 0; fixed < 2; fixed++) {
					group g;
					int at;

					make_start(&g, GROUP_ELEMENT);
					at = make_load(&g, GT_INT64, (group_access)where);
					make_store(&g, make_pick(&g, (gt_dtype)d,
							(group_access)access, at), ACCESS_RUN);
					g.args[1].fixed = fixed;
					run_sizes(&g);
				}
}

/* Every float32 function on many floats of every size, far ones included. */
static void test_floats(void **state)
{
	enum { COUNT_OF = 1 << 16 };
	float *x = malloc(COUNT_OF * sizeof *x), *y = malloc(COUNT_OF * sizeof *y),
		*z = malloc(COUNT_OF * sizeof *z);

	(void)state;
	for (uint32_t k = 0; k < COUNT_OF; k++) {
		uint32_t bits = k * 65537u + (uint32_t)duel_random(65536);
		memcpy(&x[k], &bits, sizeof bits);
	}
	for (int o = 0; o < OP_CODES; o++) {
		kernel_arg args[] = { { x, 0, 0 }, { y, 0, 0 } };
		kernel_call c = { 1, COUNT_OF, args, NULL, helpers };
		duel_code code;
		group g;

		if (!op_row_of(o) || op_rows[o].kind != KIND_ELEMENT || op_rows[o].nin != 1 ||
			o == OP_cast)
			continue;
		make_start(&g, GROUP_ELEMENT);
		make_store(&g, make_op(&g, o, make_load(&g, GT_FLOAT32, ACCESS_RUN), 0, 0),
			ACCESS_RUN);
		if (group_check(&g) || g.args[1].dtype != GT_FLOAT32)
			continue;
		group_run(&g, &c);
		args[1].data = z;
		duel_compile(&g, &code);
		for (cpu_isa isa = ISA_BASE; isa <= cpu_isa_level(); isa++) {
			code.m[isa][REST_TAIL].run(&c);
			for (int k = 0; k < COUNT_OF; k++)
				if (!duel_same(GT_FLOAT32, &y[k], &z[k]))
					fail_msg("%s(%a) at level %d: %a, expected %a",
						op_rows[o].name,
						x[k], isa, z[k], y[k]);
		}
		duel_drop(&code);
	}
	free(x);
	free(y);
	free(z);
}

/* A significand close to 1 or to 2, where estimates of quotients are at their worst. */
static uint32_t at_end(uint32_t bits)
{
	return bits & 1 ? bits | 0x7fff00 : bits & 0xff8000ff;
}

/* The significand whose quotient by a, which is odd, is r / 2a units in the last place away from
 * half way between two floats; r is odd, and `rest` r modulo a. 0: there is none. */
static uint32_t near_half(uint32_t a, uint32_t rest)
{
	uint32_t x = rest;

	for (int k = 0; k < 25; k++)     /* x * 2^25 = rest modulo a */
		x = (x + (x & 1 ? a : 0)) / 2;
	if (x < 1u << 23)
		x = 2 * x % a + a;
	return x < 1u << 24 ? x : 0;
}

static void choose_divisors(float *a, int rows)
{
	for (int k = 0; k < rows; k++) {
		uint32_t bits = (uint32_t)duel_random(1ull << 32);

		if (k % 2)
			bits = (bits & 0x807fffff) | (uint32_t)(87 + duel_random(80)) << 23;
		if (k % 4 == 3)
			bits = at_end(bits);
		if (k % 4 == 1)
			bits |= 1;
		memcpy(&a[k], &bits, sizeof bits);
	}
}

/* Half of the rows stay in the range of the short way: there it must round, also where that hangs
 * on the last bits. */
static void choose_dividends(float *x, const float *a, int rows, int cols)
{
	for (int k = 0; k < rows * cols; k++) {
		const int row = k / cols, col = k % cols;
		uint32_t bits = (uint32_t)duel_random(1ull << 32), by, half = 0;

		memcpy(&by, &a[row], sizeof by);
		by = (by & 0x7fffff) | 0x800000;
		if (row % 2)
			bits = (bits & 0x807fffff) | (uint32_t)(67 + duel_random(120)) << 23;
		if (row % 4 == 3)
			bits = at_end(bits);
		if (row % 4 == 1 && col < 64)
			half = near_half(by, col % 2 ? (uint32_t)col : by - (uint32_t)col - 1);
		if (half)
			bits = (bits & 0xff800000) | (half & 0x7fffff);
		memcpy(&x[k], &bits, sizeof bits);
	}
}

/* Rows divided by one number each, which has a short way: all kinds of floats by all kinds. */
static void test_divide(void **state)
{
	enum { ROWS = 600, COLS = 1024 };
	float *x = malloc(ROWS * COLS * sizeof *x), *y = malloc(ROWS * COLS * sizeof *y), a[ROWS];
	kernel_arg args[] = { { x, COLS * 4, 0 }, { a, 4, 0 }, { y, COLS * 4, 0 } };
	kernel_call c = { ROWS, COLS, args, NULL, helpers };
	duel_code code;
	group g;

	(void)state;
	choose_divisors(a, ROWS);
	choose_dividends(x, a, ROWS, COLS);
	make_start(&g, GROUP_ELEMENT);
	make_load(&g, GT_FLOAT32, ACCESS_RUN);
	make_load(&g, GT_FLOAT32, ACCESS_SAME);
	make_store(&g, make_op(&g, OP_div, 0, 1, 0), ACCESS_RUN);
	duel_compile(&g, &code);
	for (cpu_isa isa = ISA_BASE; isa <= cpu_isa_level(); isa++) {
		code.m[isa][REST_MASK].run(&c);
		for (int k = 0; k < ROWS * COLS; k++) {
			float q = x[k] / a[k / COLS];

			if (!duel_same(GT_FLOAT32, &y[k], &q))
				fail_msg("%a / %a: %a, expected %a", x[k], a[k / COLS], y[k], q);
		}
	}
	duel_drop(&code);
	free(x);
	free(y);
}

/* What is written may lie where something is read, also something that is read twice. */
static void test_in_place(void **state)
{
	duel_code code;
	float x[40], y[40];
	kernel_arg args[3] = { { x, 80, 0 }, { x, 80, 0 }, { x, 80, 0 } };
	kernel_call c = { 2, 20, args, NULL, helpers };
	group g;
	int a, b;

	(void)state;
	make_start(&g, GROUP_ELEMENT);
	a = make_load(&g, GT_FLOAT32, ACCESS_RUN);
	make_store(&g, make_op(&g, OP_add, a, a, 0), ACCESS_RUN);
	b = make_load(&g, GT_FLOAT32, ACCESS_RUN);
	make_store(&g, make_op(&g, OP_mul, b, a, 0), ACCESS_RUN);
	args[3 - 1] = args[0];
	duel_compile(&g, &code);
	for (cpu_isa isa = ISA_BASE; isa <= cpu_isa_level(); isa++) {
		kernel_arg four[4] = { { x, 80, 0 }, { x, 80, 0 }, { x, 80, 0 }, { y, 80, 0 } };

		for (int k = 0; k < 40; k++)
			x[k] = (float)k;
		c.args = four;
		code.m[isa][REST_MASK].run(&c);
		for (int k = 0; k < 40; k++)
			assert_true(x[k] == (float)(2 * k) && y[k] == (float)(k * k));
	}
	duel_drop(&code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ops),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_draws),
		cmocka_unit_test(test_picks),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_divide),
		cmocka_unit_test(test_in_place),
	};

	duel_open();
	return cmocka_run_group_tests_name("element", tests, NULL, NULL);
}
