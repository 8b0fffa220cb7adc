/* test_compile.c: what compiling promises beside the code: LLVM is loaded by the first use and not
 * before, garbage is refused, texts can be read, the same group gives the same bytes, any thread
 * may ask. */
#include "duel_group.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXITS 12

static bool llvm_is_loaded(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[4096];
	bool found = false;

	assert_non_null(f);
	while (fgets(line, sizeof line, f))
		found = found || strstr(line, "libLLVM");
	fclose(f);
	return found;
}

static void make(group *g)
{
	int x, s;

	make_start(g, GROUP_ROWS);
	x = make_load(g, GT_FLOAT32, ACCESS_RUN);
	s = make_reduce(g, OP_sum, make_op(g, OP_exp, x, 0, 0));
	make_store(g, make_op(g, OP_div, x, s, 0), ACCESS_RUN);
}

static codegen_options options(void) { return (codegen_options){ .isa = cpu_isa_level() }; }

static void test_garbage(void **state)
{
	codegen_options o = options();
	buf b = { 0 };
	group g;

	(void)state;
	make(&g);
	g.nodes[2].in[0] = 7;
	assert_int_equal(duel_codegen->compile(&g, &o, &b, NULL, NULL), GT_EPROTO);
	assert_non_null(strstr(duel_codegen->error(), "node 2"));
	make(&g);
	o.isa = ISA_COUNT;
	assert_int_equal(duel_codegen->compile(&g, &o, &b, NULL, NULL), GT_EINVAL);
	o = options();
	o.level = 3;
	assert_int_equal(duel_codegen->compile(&g, &o, &b, NULL, NULL), GT_EINVAL);
	assert_int_equal(b.size, 0);
}

static void test_texts(void **state)
{
	codegen_options o = options();
	buf b = { 0 }, ir = { 0 }, assembly = { 0 };
	group g;

	(void)state;
	make(&g);
	assert_int_equal(duel_codegen->compile(&g, &o, &b, &ir, &assembly), GT_OK);
	assert_non_null(strstr(buf_text(&ir), "define void @kernel(ptr"));
	assert_non_null(strstr(buf_text(&ir), "n1.exp"));
	assert_non_null(strstr(buf_text(&ir), "n2.sum"));
	assert_null(strstr(buf_text(&ir), " fast "));
	assert_null(strstr(buf_text(&ir), "contract"));
	assert_non_null(strstr(buf_text(&assembly), "kernel:"));
	buf_fini(&b);
	buf_fini(&ir);
	buf_fini(&assembly);
}

/* With and without texts, after other groups: the cache compares bytes. */
static void test_same_bytes(void **state)
{
	codegen_options o = options();
	buf a = { 0 }, b = { 0 }, ir = { 0 };
	group g;

	(void)state;
	make(&g);
	assert_int_equal(duel_codegen->compile(&g, &o, &a, NULL, NULL), GT_OK);
	assert_int_equal(duel_codegen->compile(&g, &o, &b, &ir, NULL), GT_OK);
	assert_int_equal(a.size, b.size);
	assert_memory_equal(a.data, b.data, a.size);
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&ir);
}

static size_t size_of(const group *g, int unroll)
{
	codegen_options o = { .isa = ISA_AVX512, .rest = REST_TAIL, .unroll = (uint8_t)unroll };
	buf b = { 0 };
	size_t size;

	assert_int_equal(duel_codegen->compile(g, &o, &b, NULL, NULL), GT_OK);
	size = b.size;
	buf_fini(&b);
	return size;
}

/* Sums go along two rows at a time, unless one is enough to do; two levels never are. */
static void test_lines(void **state)
{
	static const struct { int ops, levels, lines; } cases[] = { { 1, 1, 2 }, { 5, 1, 2 },
		{ 8, 1, 1 }, { 30, 1, 1 }, { 60, 1, 2 }, { 8, 2, 2 } };

	(void)state;
	for (size_t k = 0; k < COUNT(cases); k++) {
		group g;
		int x;

		make_start(&g, GROUP_ROWS);
		x = make_load(&g, GT_FLOAT32, ACCESS_RUN);
		for (int n = 0; n < cases[k].ops; n++)
			x = make_op(&g, n % 2 ? OP_mul : OP_add, x, 0, 0);
		for (int n = 1; n < cases[k].levels; n++)
			x = make_op(&g, OP_sub, 0, make_reduce(&g, OP_max, x), 0);
		make_store(&g, make_reduce(&g, OP_sum, x), ACCESS_SAME);
		assert_int_equal(size_of(&g, 0), size_of(&g, cases[k].lines));
		assert_int_not_equal(size_of(&g, 1), size_of(&g, 2));
	}
}

/* Columns are two vectors at a time where there is much to do for them, and nowhere else. */
static void test_columns(void **state)
{
	(void)state;
	for (int ops = 10; ops <= 70; ops += 30) {
		group g;
		int x;

		make_start(&g, GROUP_COLS);
		x = make_load(&g, GT_FLOAT32, ACCESS_RUN);
		for (int n = 0; n < ops; n++)
			x = make_op(&g, n % 2 ? OP_mul : OP_add, x, 0, 0);
		make_store(&g, make_reduce(&g, OP_sum, x), ACCESS_RUN);
		g.args[1].fixed = true;
		assert_int_equal(size_of(&g, 0), size_of(&g, ops == 10 ? 1 : 2));
		assert_int_not_equal(size_of(&g, 1), size_of(&g, 2));
	}
}

/* The largest group: as many nodes, arguments and reductions as there may be. */
static void test_largest(void **state)
{
	duel_code code;
	group g;
	int x = 0, count = 0;

	(void)state;
	make_start(&g, GROUP_ROWS);
	for (int k = 0; k < GROUP_ARGS - 1; k++)
		x = make_load(&g, GT_FLOAT32, k % 2 ? ACCESS_RUN : ACCESS_STEP);
	while (g.nodes_count < GROUP_NODES - 1)
		x = count < GROUP_REDUCTIONS && g.nodes_count % 8 == 0 && ++count
			? make_op(&g, OP_sub, make_reduce(&g, OP_sum, x), g.nodes_count % 23, 0)
			: make_op(&g, g.nodes_count % 2 ? OP_mul : OP_maximum, x,
				g.nodes_count % 23, 0);
	make_store(&g, x, ACCESS_RUN);
	assert_int_equal(group_check(&g), GT_OK);
	duel_compile(&g, &code);
	duel_run(&g, &code, 3, 37, false);
	duel_drop(&code);
}

static void *compile_many(void *arg)
{
	bool *fine = arg;

	for (int k = 0; k < 10; k++) {
		codegen_options o = options();
		buf b = { 0 };
		group g;

		make(&g);
		*fine = *fine && !duel_codegen->compile(&g, &o, &b, NULL, NULL);
		buf_fini(&b);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[3];
	bool fine[3] = { true, true, true };

	(void)state;
	for (int k = 0; k < 3; k++)
		assert_int_equal(pthread_create(&threads[k], NULL, compile_many, &fine[k]), 0);
	for (int k = 0; k < 3; k++) {
		pthread_join(threads[k], NULL);
		assert_true(fine[k]);
	}
}

static void *compile_for_ever(void *arg)
{
	for (;;) {
		codegen_options o = options();
		buf b = { 0 };
		group g;

		make(&g);
		duel_codegen->compile(&g, &o, &b, NULL, NULL);
		buf_fini(&b);
		atomic_store((_Atomic bool *)arg, true);
	}
	return NULL;
}

/* LLVM's globals go when a process exits: not under the hands of a thread that compiles. */
static void test_exit(void **state)
{
	(void)state;
	for (int k = 0; k < EXITS; k++) {
		static _Atomic bool runs;
		pthread_t thread;
		pid_t child = fork();
		int status = -1;

		if (!child) {
			alarm(60);
			plugin_watch_exit();
			if (pthread_create(&thread, NULL, compile_for_ever, &runs))
				_exit(1);
			while (!runs)
				usleep(100);
			usleep((useconds_t)k * 700);     /* somewhere in the next ones */
			exit(0);
		}
		assert_true(child > 0 && waitpid(child, &status, 0) == child);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_exit),
	};
	bool before = llvm_is_loaded();

	duel_open();
	if (before || !llvm_is_loaded()) {
		fprintf(stderr, "LLVM is loaded %s\n", before ? "before it is needed" : "nowhere");
		return 1;
	}
	return cmocka_run_group_tests_name("compile", tests, NULL, NULL);
}
