/* test_random.c: random groups of every mode, compiled for one of this machine's instruction sets
 * each, against the interpreter: any op on any dtype, any access, values stored or not, reductions
 * of reductions.
 *
 *	test_codegen_random [count [seed]]
 */
#include "duel_group.h"

#include <time.h>

static uint64_t seed;
static int total = 500;
static unsigned softmaxes = 1;           /* are among what is added */

/* A value of dtype d that the group has, or -1. */
static int pick(const group *g, int d)
{
	int found = -1, seen = 0;

	for (int k = 0; k < g->nodes_count; k++)
		if (g->nodes[k].what != NODE_STORE && (!d || g->nodes[k].dtype == d) &&
			!duel_random((uint64_t)++seen))
			found = k;
	return found;
}

static void add_load(group *g)
{
	make_load(g, (gt_dtype)(1 + duel_random(2 * (GT_DTYPE_COUNT - 1)) % (GT_DTYPE_COUNT - 1)),
		(group_access)duel_random(3));
	g->args[g->args_count - 1].fixed = !duel_random(4);
}

static gt_dtype any_dtype(void)
{
	return (gt_dtype)(1 + duel_random(GT_DTYPE_COUNT - 1));
}

/* Several behind each other take turns in one place (keep.c). */
static bool add_softmax(group *g)
{
	const int x = pick(g, GT_FLOAT32), y = pick(g, GT_FLOAT32);

	if (g->mode == GROUP_ELEMENT || x < 0 || g->nodes_count > GROUP_NODES - 12)
		return false;
	make_op(g, OP_add, make_op(g, OP_sub, y, x, 0), make_softmax_of(g, x), 0);
	return true;
}

/* Numbers of elements, what is drawn by them, what is picked: group_check says what may be. */
static void add_placed(group *g)
{
	static const op draws[] = { OP_rand, OP_randn, OP_randint };
	const group_access access = (group_access)duel_random(3);

	if (g->scalars_count + 4 > GROUP_SCALARS)
		return;
	if (duel_random(2)) {
		const int at = make_count(g, access);

		g->args[g->args_count - 1].fixed = !duel_random(4);
		if (duel_random(4))
			make_draw(g, draws[duel_random(3)], any_dtype(), at);
	} else {
		const int at = make_load(g, GT_INT64, access);

		g->args[g->args_count - 1].fixed = !duel_random(4);
		make_pick(g, any_dtype(), (group_access)duel_random(3), at);
		g->args[g->args_count - 1].fixed = !duel_random(3);
	}
}

static bool add_op(group *g)
{
	int o = (int)duel_random(OP_CODES), x[3], d;

	if (!op_row_of((unsigned)o) || op_rows[o].kind != KIND_ELEMENT)
		return false;
	x[0] = pick(g, o == OP_where ? GT_BOOL : 0);
	if (x[0] < 0)
		return false;
	x[1] = pick(g, o == OP_where ? 0 : g->nodes[x[0]].dtype);
	d = g->nodes[x[1]].dtype;
	x[2] = pick(g, d);
	make_op(g, (op)o, x[0], x[1], x[2]);
	if (o == OP_cast)
		g->nodes[g->nodes_count - 1].dtype = (uint8_t)(1 + duel_random(GT_DTYPE_COUNT - 1));
	return true;
}

static bool add_reduce(group *g)
{
	static const op ops[] = { OP_sum, OP_sum, OP_max, OP_min, OP_prod, OP_any, OP_all };

	if (g->mode == GROUP_ELEMENT)
		return false;
	make_reduce(g, ops[duel_random(COUNT(ops))], pick(g, 0));
	return true;
}

/* A store of the last value or of any, where it may be stored. */
static bool add_store(group *g)
{
	group_shape s[GROUP_NODES];
	int v = duel_random(2) ? pick(g, 0) : g->nodes_count - 1;
	bool fixed;
	group_access access;

	if (g->nodes[v].what == NODE_STORE)
		return false;
	group_shapes(g, s);
	fixed = g->mode == GROUP_COLS && !s[v].rows && (s[v].level || duel_random(2));
	access = s[v].cols || g->mode == GROUP_COLS ? ACCESS_RUN : ACCESS_SAME;
	if (access == ACCESS_SAME ? !duel_random(3) : !duel_random(4))
		access = duel_random(2) ? ACCESS_STEP : ACCESS_RUN;
	make_store(g, v, access);
	g->args[g->args_count - 1].fixed = fixed;
	return true;
}

static void make_random(group *g)
{
	int size = 3 + (int)duel_random(duel_random(8) ? 12 : 50);

	make_start(g, (group_mode)duel_random(3));
	add_load(g);
	while (g->nodes_count < size && g->args_count < GROUP_ARGS - 3) {
		uint64_t what = duel_random(22 + softmaxes);
		group before = *g;

		if (what < 3)
			add_load(g);
		else if (what < 4 && g->scalars_count < GROUP_SCALARS)
			make_scalar(g, (gt_dtype)(1 + duel_random(GT_DTYPE_COUNT - 1)));
		else if (what < 6)
			add_reduce(g);
		else if (what < 8)
			add_store(g);
		else if (what < 10)
			add_placed(g);
		else if (what < 22)
			add_op(g);
		else
			add_softmax(g);
		if (g->nodes_count != before.nodes_count && !g->args[0].out) {
			/* Only well-formed groups: a written argument has its store already. */
			if (group_check(g))
				*g = before;
		}
	}
	while (!add_store(g))
		;
}

static int64_t random_size(bool reduced)
{
	static const int64_t sizes[] = { 0, 1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 65, 100 };

	return reduced && !duel_random(12) ? 4090 + (int64_t)duel_random(13)
		: sizes[duel_random(COUNT(sizes))];
}

/* Half of them the machine's own. */
static cpu_isa random_isa(void)
{
	return duel_random(2) ? cpu_isa_level() : (cpu_isa)duel_random(cpu_isa_level() + 1);
}

static int64_t random_length(codegen_rest rest)
{
	if (rest == REST_SHORT)
		return 1 + (int64_t)duel_random(CODEGEN_SHORT);
	return CODEGEN_EVEN * (duel_random(12) ? 1 + (int64_t)duel_random(8) :
		TREE_BLOCK / CODEGEN_EVEN);
}

/* Code for short rows, or for even ones. */
static void run_rows(const group *g)
{
	const codegen_rest rest = duel_random(2) ? REST_SHORT : REST_EVEN;
	duel_code code;

	memset(&code, 0, sizeof code);
	duel_unroll = 0;
	duel_compile_for(g, &code, random_isa(), rest);
	for (int k = 0; k < 3; k++)
		duel_run(g, &code, (int64_t)duel_random(7), random_length(rest), duel_random(2));
	duel_drop(&code);
}

/* One set of instructions a group: compiling takes nearly all of the time. */
static void run_one(int number)
{
	duel_code code;
	group g;

	make_random(&g);
	if (group_check(&g))
		fail_msg("seed %llu, group %d: %s", (unsigned long long)seed, number,
			gt_last_error());
	memset(&code, 0, sizeof code);
	duel_unroll = duel_random(2) ? 0 : (uint8_t)(1 << duel_random(3));
	duel_compile_for(&g, &code, random_isa(), (codegen_rest)(REST_MASK + duel_random(2)));
	for (int k = 0; k < 3; k++) {
		int64_t rows = g.mode == GROUP_COLS ? random_size(true) : (int64_t)duel_random(7);
		int64_t cols = g.mode == GROUP_COLS && rows > 100 ? 3
			: random_size(g.mode == GROUP_ROWS);

		duel_run(&g, &code, rows, cols, duel_random(2));
	}
	duel_drop(&code);
	if (g.mode == GROUP_ROWS)
		run_rows(&g);
}

static void run_seed(uint64_t from, int k)
{
	duel_state = (from + (uint64_t)k) * 0x9e3779b97f4a7c15u | 1;
	for (int warm = 0; warm < 8; warm++)
		duel_random(2);
	run_one(k);
}

static void test_random(void **state)
{
	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int k = 0; k < total; k++)
		run_seed(seed, k);
}

/* Groups whose code was wrong once: numbers drawn down columns, two vectors at a time and a rest of
 * one. */
static void test_wrong_once(void **state)
{
	static const uint64_t seeds[] = { 1795338713 };

	(void)state;
	softmaxes = 0;                   /* as there were none then */
	for (size_t k = 0; k < COUNT(seeds); k++)
		run_seed(seeds[k], 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random), cmocka_unit_test(test_wrong_once),
	};

	total = argc > 1 ? atoi(argv[1]) : total;
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL);
	duel_open();
	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
