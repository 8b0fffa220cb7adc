/* test_fused_product.c: products with kernels behind them, on a tenant seen from inside: the bits
 * of eager execution, by one thread and by several, whoever asks for the product itself, and where
 * the kernel's code is wrong. And many kernels in one launch.
 */
#include "check.h"
#include "base/flags.h"
#include "base/mem.h"
#include "play_line.h"
#include "spoil.h"

#define STEPS 4
#define WARM  10                 /* steps until the loop is a fused plan's */

static worker *w;
static tenant *t;

static void set(flag f, const char *to)
{
	assert_int_equal(flag_set(f, to), GT_OK);
}

static void open_tenant(unsigned threads, bool checks)
{
	const worker_options o = { .threads = (int)threads, .memory = 1 << 28, .runahead = 4096,
		.threshold = 2 };

	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_COMPILE_SYNC, "1");
	set(FLAG_GT_CACHE_DIR, "");
	set(FLAG_GT_HOTPATH_TIER, "2");
	set(FLAG_GT_HOTPATH_CODE, "interpreted");
	set(FLAG_GT_CHECK, checks ? "1" : "0");
	assert_int_equal(worker_new(&o, &w), GT_OK);
	t = worker_admit(w, 0);
}

static void close_tenant(void)
{
	assert_true(line_close(tenant_line(t)));
	tenant_free(t);
	worker_free(w);
	set(FLAG_GT_CHECK, "0");
}

/* ---- a loop ---- */

/* A program: what comes before the loop, and a step, with a number of its own for each %. */
typedef struct program {
	const char *what, *before, *step;
} program;

static play run(const char *text, unsigned k)
{
	buf b = { 0 };
	play p;

	for (; *text; text++)
		if (*text == '%')
			buf_printf(&b, "%u", k);
		else
			buf_put_u8(&b, (uint8_t)*text);
	p = play_line(tenant_line(t), buf_text(&b));
	buf_fini(&b);
	return p;
}

static void run_before(const program *g)
{
	play p = run(g->before, 0);

	play_end(&p);
}

/* What the first, eager step read; all others have to read the same bits. */
static struct { void *data[6]; size_t size[6], n; } expected;

static void forget(void)
{
	for (size_t k = 0; k < expected.n; k++)
		mem_free(expected.data[k]);
	expected.n = 0;
}

/* They are number `first` and so on of what is expected. */
static void check_answers(const program *g, const play *p, unsigned k, size_t first)
{
	for (size_t n = first; n < first + p->n; n++) {
		const answer *a = p->answers[n - first];
		const size_t size = (size_t)meta_count(&a->m) * dtype_size((gt_dtype)a->m.dtype);

		if (a->state != ANSWER_READY)
			fail_msg("%s: step %u: %s", g->what, k, a->why->text);
		if (n == expected.n) {
			expected.data[n] = mem_alloc(size + 1);
			memcpy(expected.data[n], a->data, size);
			expected.size[expected.n++] = size;
		}
		assert_int_equal(size, expected.size[n]);
		if (memcmp(a->data, expected.data[n], size))
			fail_msg("%s: step %u: other bits", g->what, k);
	}
}

static void run_steps(const program *g, unsigned from, unsigned count)
{
	for (unsigned k = from; k < from + count; k++) {
		play p = run(g->step, k);

		check_answers(g, &p, k, 0);
		play_end(&p);
	}
}

static fused_plan *fused_now(void)
{
	assert_int_equal(t->hot->count, 1);
	assert_int_equal(t->hot->runs[0]->fused.count, 1);
	return t->hot->runs[0]->fused.plans[0];
}

static fused_step *product_step(void)
{
	fused_plan *p = fused_now();

	for (uint32_t k = 0; k < p->f->steps.count; k++)
		if (p->steps[k].s->kind == STEP_PRODUCT)
			return &p->steps[k];
	return NULL;
}

/* ---- bits ---- */

#define NUMBERS(id, shape) "t" #id " = randn float32 draw=" #id " [" shape "] seed=5\n"
#define PRODUCT "t%3 = matmul t1, t2\n"
#define BIAS    PRODUCT "t%4 = add t%3, t4\nfree t%3\nt%5 = relu t%4\nfree t%4\n" \
	"fetch t%5\nfree t%5\n"
#define MASK    PRODUCT "t%4 = gt t4, 0.1\nt%5 = cast t%4 dtype=float32\nfree t%4\n" \
	"t%6 = mul t%3, t%5\nfree t%3\nfree t%5\nt%7 = sum t%6 axes=[0]\nfetch t%6\nfetch t%7\n" \
	"free t%6\nfree t%7\n"
#define SOFTMAX PRODUCT "t%4 = mul t%3, 0.125\nfree t%3\nt%5 = softmax t%4 axis=1\nfree t%4\n" \
	"fetch t%5\nfree t%5\n"
#define SCORES  PRODUCT "t%4 = add t%3, t4\nfree t%3\nt%5 = softmax t%4 axis=2\nfree t%4\n" \
	"fetch t%5\nfree t%5\n"
/* The product is used again. */
#define TWICE   PRODUCT "t%4 = relu t%3\nt%5 = matmul t%4, t4\nt%6 = matmul t%3, t4\n" \
	"t%7 = add t%5, t%6\nfree t%3\nfree t%4\nfree t%5\nfree t%6\nfetch t%7\nfree t%7\n"

/* Both operands transposed, and an operand of the kernel. */
#define TURNED  "t%1 = permute t1 perm=[1,0]\nt%2 = permute t2 perm=[1,0]\n" \
	"t%3 = matmul t%1, t%2\nfree t%1\nfree t%2\nt%4 = permute t4 perm=[1,0]\n" \
	"t%5 = add t%3, t%4\nfree t%3\nfree t%4\n" \
	"t%6 = tanh t%5\nfree t%5\nfetch t%6\nfree t%6\n"
#define WIDE    PRODUCT "t%4 = mul t%3, 0.5\nfree t%3\nt%5 = cast t%4 dtype=float32\nfree t%4\n" \
	"fetch t%5\nfree t%5\n"
#define WHOLE   PRODUCT "t%4 = sub t%3, t4\nfree t%3\nt%5 = abs t%4\nfree t%4\n" \
	"fetch t%5\nfree t%5\n"

static const program programs[] = {
	{ "bias", NUMBERS(1, "17,5") NUMBERS(2, "5,16") NUMBERS(4, "16"), BIAS },
	{ "bias, one row", NUMBERS(1, "1,5") NUMBERS(2, "5,100") NUMBERS(4, "100"), BIAS },
	{ "bias, pieces of columns", NUMBERS(1, "130,70") NUMBERS(2, "70,320") NUMBERS(4, "320"),
		BIAS },
	{ "residual, pieces of rows", NUMBERS(1, "300,90") NUMBERS(2, "90,100")
		NUMBERS(4, "300,100"), BIAS },
	{ "bias, BLAS", NUMBERS(1, "300,900") NUMBERS(2, "900,520") NUMBERS(4, "520"), BIAS },
	{ "mask and sum", NUMBERS(1, "130,70") NUMBERS(2, "70,320") NUMBERS(4, "130,320"), MASK },
	{ "mask and sum, BLAS", NUMBERS(1, "300,900") NUMBERS(2, "900,520")
		NUMBERS(4, "300,520"), MASK },
	{ "softmax", NUMBERS(1, "300,50") NUMBERS(2, "50,90"), SOFTMAX },
	{ "scores", NUMBERS(1, "20,40,30") NUMBERS(2, "20,30,40") NUMBERS(4, "40,40"), SCORES },
	{ "turned", NUMBERS(1, "70,150") NUMBERS(2, "290,70") NUMBERS(4, "290,150"), TURNED },
	{ "float64", "t1 = randn float64 draw=1 [300,90] seed=5\n"
		"t2 = randn float64 draw=2 [90,600] seed=5\n", WIDE },
	{ "integers", "t1 = randint int32 -9, 9 [33,20] seed=5 draw=1\n"
		"t2 = randint int32 -9, 9 [20,40] seed=5 draw=2\n"
		"t4 = randint int32 -9, 9 [40] seed=5 draw=3\n", WHOLE },
	{ "twice", NUMBERS(1, "40,40") NUMBERS(2, "40,40") NUMBERS(4, "40,40"), TWICE },
};

static void check_program(const program *g, unsigned threads, bool checks)
{
	const fused_step *st;

	open_tenant(threads, checks);
	run_before(g);
	run_steps(g, 1, WARM);
	st = product_step();
	if (!st)
		fail_msg("%s: no kernel runs on the pieces of a product", g->what);
	run_steps(g, 20, STEPS);
	assert_true(fused_now()->completed >= STEPS);
	assert_true(atomic_load(&st->code->proved) >= CODE_TRUSTED);
	assert_false(atomic_load(&st->code->barred));
	close_tenant();
}

static void test_bits(void **state)
{
	(void)state;
	for (unsigned k = 0; k < COUNT(programs); k++) {
		check_program(&programs[k], 1, false);
		check_program(&programs[k], 3, false);
		check_program(&programs[k], 2, true);
		forget();
	}
}

/* ---- the product itself is asked for ---- */

static void ask(const char *step)
{
	const program *g = &programs[2];
	program other = { "asked", g->before, step };

	open_tenant(2, false);
	run_before(g);
	run_steps(g, 1, WARM);
	assert_non_null(product_step());
	run_steps(g, 20, 2);
	run_steps(&other, 30, 1);
	run_steps(g, 40, 2);
	close_tenant();
	forget();
}

/* Before its kernel runs, and behind it, when another value lies in its place. */
static void test_asked(void **state)
{
	(void)state;
	ask(PRODUCT "t%8 = sum t%3 axes=[0,1]\nfree t%8\nt%4 = add t%3, t4\nfree t%3\n"
		"t%5 = relu t%4\nfree t%4\nfetch t%5\nfree t%5\n");
	ask(PRODUCT "t%4 = add t%3, t4\nt%5 = relu t%4\nfree t%4\nfetch t%5\nt%8 = relu t%3\n"
		"t%9 = add t%8, t%5\nfree t%3\nfree t%5\nfree t%8\nfree t%9\n");
	ask(PRODUCT "t%4 = add t%3, t4\n");
}

/* A product that is read, by a plan that has it in no memory: the kernel goes on with what was
 * computed for the reader. */
static void test_read_early(void **state)
{
	const program *g = &programs[2];
	const program early = { "read early", "", PRODUCT "fetch t%3\nt%4 = add t%3, t4\nfree t%3\n"
		"t%5 = relu t%4\nfree t%4\nfree t%5\n" };
	const program late = { "read late", "", PRODUCT "t%4 = add t%3, t4\nt%5 = relu t%4\n"
		"free t%4\nfetch t%3\nfree t%3\nfree t%5\n" };

	(void)state;
	open_tenant(2, false);
	run_before(g);
	run_steps(&early, 1, 1);
	forget();
	run_steps(g, 2, WARM);
	assert_non_null(product_step());
	forget();
	run_steps(&early, 30, 1);
	run_steps(&late, 31, 1);
	run_steps(&early, 32, 1);
	forget();
	run_steps(g, 40, 3);
	forget();
	close_tenant();
}

/* ---- wrong code ---- */

/* Nobody gets to see it, and it is not called again. */
static void test_wrong_code(void **state)
{
	static const unsigned chosen[] = { 2, 5, 7, 12 };

	(void)state;
	for (unsigned k = 0; k < COUNT(chosen); k++) {
		const program *g = &programs[chosen[k]];
		fused_step *st;
		unsigned before;

		open_tenant(1, false);
		run_before(g);
		run_steps(g, 1, WARM);
		st = product_step();
		spoil_code(st->code);
		run_steps(g, 20, 1);
		assert_true(atomic_load(&st->code->barred));
		before = launches;
		assert_true(before > 0);
		run_steps(g, 30, 3);
		assert_int_equal(launches, before);
		mend_code(st->code);
		close_tenant();
		forget();
	}
}

/* ---- many kernels in one launch ---- */

/* Momentum for three parameters of different shapes, of which two are worth the pool; # is the step
 * before. An op that nobody needs tells where a step begins: one update is like the other. */
#define UPDATE(w, m, v, g) "t%" #v " = mul t#" #m ", 0.9\nt%" #m " = add t%" #v ", " g "\n" \
	"free t#" #m "\nfree t%" #v "\n" \
	"t%" #v "9 = mul t%" #m ", 0.1\nt%" #w " = sub t#" #w ", t%" #v "9\n" \
	"free t%" #v "9\nfree t#" #w "\n"
static const program updates = { "updates",
	"t901 = randn float32 draw=1 [20] seed=5\nt902 = mul t901, 0.5\n"
	"t904 = randn float32 draw=2 [150,200] seed=5\nt905 = mul t904, 0.5\n"
	"t907 = randn float32 draw=3 [30000] seed=5\nt908 = mul t907, 0.5\n"
	NUMBERS(1, "20") NUMBERS(2, "150,200") NUMBERS(3, "30000"),
	"t%00 = neg t1\nfree t%00\n" UPDATE(01, 02, 03, "t1") UPDATE(04, 05, 06, "t2")
	UPDATE(07, 08, 09, "t3") };

static void run_updates(unsigned from, unsigned count)
{
	buf b = { 0 };
	play p;

	for (unsigned k = from; k < from + count; k++)
		for (const char *at = updates.step; *at; at++)
			if (*at == '%' || *at == '#')
				buf_printf(&b, "%u", *at == '#' ? k - 1 : k);
			else
				buf_put_u8(&b, (uint8_t)*at);
	buf_printf(&b, "fetch t%u01\nfetch t%u04\nfetch t%u07\n", from + count - 1,
		from + count - 1, from + count - 1);
	p = play_line(tenant_line(t), buf_text(&b));
	check_answers(&updates, &p, from, from == 10 ? 0 : 3);
	play_end(&p);
	buf_fini(&b);
}

/* Three kernels, one launch: fewer launches than results, and the same bits by any number of
 * threads as op by op. */
static void test_together(void **state)
{
	(void)state;
	for (unsigned threads = 0; threads < 4; threads++) {
		uint64_t before;

		open_tenant(MAX(1, threads), threads == 3);
		set(FLAG_GT_HOTPATH_TIER, threads ? "2" : "0");
		run_before(&updates);
		run_updates(10, 20);
		if (threads) {
			const fusion *f = fused_now()->f;

			/* Four, where the loop begins within an update. */
			assert_in_range(f->steps.count, 3, 4);
			assert_int_equal(f->steps.at[0].together, f->steps.count - 1);
			assert_int_equal(fused_now()->kernels, 1);
			before = t->hot->counts.kernels;
			run_updates(30, 10);
			assert_in_range(t->hot->counts.kernels - before, 8, 10);
		} else {
			run_updates(30, 10);
		}
		close_tenant();
	}
	forget();
}

/* Each of a launch is looked at, though all have the same code, which the first one gives away. */
static void test_together_wrong(void **state)
{
	(void)state;
	for (unsigned wrong = 0; wrong < 2; wrong++) {
		open_tenant(1, false);
		set(FLAG_GT_HOTPATH_TIER, wrong ? "2" : "0");
		run_before(&updates);
		run_updates(10, 20);
		if (wrong)
			spoil_code(fused_now()->steps[0].code);
		run_updates(30, 5);
		if (wrong) {
			assert_true(atomic_load(&spoilt->barred));
			assert_true(launches > 3);       /* large ones in pieces */
			mend_code(fused_now()->steps[0].code);
		}
		close_tenant();
	}
	forget();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bits), cmocka_unit_test(test_asked),
		cmocka_unit_test(test_read_early), cmocka_unit_test(test_wrong_code),
		cmocka_unit_test(test_together), cmocka_unit_test(test_together_wrong),
	};

	return cmocka_run_group_tests_name("fused_product", tests, NULL, NULL);
}
