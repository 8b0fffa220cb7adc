/* test_fused_place.c: random numbers and indices in kernels, on a tenant seen from inside: the bits
 * of eager execution by one thread and by several; an index out of range fails in eager words, at
 * its op, whatever runs before and behind it.
 */
#include "check.h"
#include "one_tenant.h"

#define GOOD  13                 /* steps, those until the loop is a fused plan's among them */
#define STEPS 18

/* A program: what comes before the loop, and a step, with a number of its own for each %. */
typedef struct program {
	const char *what, *before, *step;
} program;

static void open_tenant(int threads, uint64_t threshold, bool checks, const char *code)
{
	const worker_options o = { .threads = threads, .memory = 1 << 28, .runahead = 4096,
		.threshold = threshold };

	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_COMPILE_SYNC, "1");
	set(FLAG_GT_CACHE_DIR, "");
	set(FLAG_GT_HOTPATH_TIER, "2");
	set(FLAG_GT_HOTPATH_CODE, code);
	set(FLAG_GT_CHECK, checks ? "1" : "0");
	assert_int_equal(worker_new(&o, &w), GT_OK);
	t = worker_admit(w, 0);
}

/* ---- what eager execution reads ---- */

static play eager[STEPS];

static void run_before(const program *g)
{
	play p = run_numbered(g->before, 0);

	play_end(&p);
}

static void run_eagerly(const program *g)
{
	open_tenant(1, 0, false, "interpreted");
	run_before(g);
	for (unsigned k = 0; k < STEPS; k++)
		eager[k] = run_numbered(g->step, k + 1);
	dismiss_tenant();
}

static void forget(void)
{
	for (unsigned k = 0; k < STEPS; k++)
		play_end(&eager[k]);
}

static void compare(const program *g, unsigned step, const answer *a, const answer *b)
{
	if (a->state != b->state)
		fail_msg("%s: step %u: state %d, eagerly %d: %s", g->what, step, a->state, b->state,
			a->why ? a->why->text : b->why->text);
	if (a->state == ANSWER_FAILED) {
		assert_string_equal(a->why->text, b->why->text);
		assert_int_equal(a->why->site, b->why->site);
	} else if (memcmp(a->data, b->data, (size_t)meta_count(&b->m) *
			dtype_size((gt_dtype)b->m.dtype))) {
		fail_msg("%s: step %u: other bits", g->what, step);
	}
}

static const fused_plan *plan_now(const program *g)
{
	if (t->hot->count != 1 || t->hot->runs[0]->fused.count != 1)
		fail_msg("%s: no plan", g->what);
	return t->hot->runs[0]->fused.plans[0];
}

/* Nothing that is drawn or picked is a call; no step's results had to be replaced. */
static void check_plan(const program *g)
{
	const fusion *f = plan_now(g)->f;

	assert_true(plan_now(g)->completed > 1);
	for (uint32_t k = 0; k < f->steps.count; k++) {
		const fused_code *own = plan_now(g)->steps[k].code;
		const unsigned code = f->steps.at[k].kind != STEP_CALL ? OP_upload :
			f->values.at[f->steps.at[k].value].row->op;

		if (op_rows[code].kind == KIND_INDEX || (op_rows[code].kind == KIND_CREATE &&
			code != OP_upload))
			fail_msg("%s: %s is a call", g->what, op_rows[code].name);
		if (own && own->barred)
			fail_msg("%s: other bits in step %u", g->what, k);
	}
}

static void run_hot(const program *g, int threads, bool checks, const char *code)
{
	open_tenant(threads, 2, checks, code);
	run_before(g);
	for (unsigned k = 0; k < STEPS; k++) {
		play p = run_numbered(g->step, k + 1);

		for (size_t n = 0; n < p.n; n++)
			compare(g, k + 1, p.answers[n], eager[k].answers[n]);
		play_end(&p);
		if (k == GOOD)
			check_plan(g);
	}
	dismiss_tenant();
	set(FLAG_GT_CHECK, "0");
}

static void check_program(const program *g)
{
	run_eagerly(g);
	run_hot(g, 3, false, "interpreted");
	run_hot(g, 2, true, "interpreted");
	run_hot(g, 1, false, "compiled");
	if (!SANITIZED) {
		run_hot(g, 1, false, "interpreted");
		run_hot(g, 3, false, "compiled");
	}
	forget();
}

/* ---- programs ---- */

#define DROPOUT(shape) "t%2 = rand float32 draw=% [" shape "] seed=9\n" \
	"t%3 = ge t%2, 0.25\nfree t%2\nt%4 = where t%3, t1, 0\nfree t%3\n" \
	"t%5 = mul t%4, 1.25\nfree t%4\nfetch t%5\nfree t%5\n"
#define NUMBERS(id, shape) "t" #id " = randn float32 draw=" #id " [" shape "] seed=5\n"

static const program programs[] = {
	{ "dropout", NUMBERS(1, "13,17"), DROPOUT("13,17") },
	{ "dropout on threads", NUMBERS(1, "400,1111"), DROPOUT("400,1111") },
	{ "dropout, whole blocks", NUMBERS(1, "700000"), DROPOUT("700000") },
	{ "normal numbers, short rows", NUMBERS(1, "10"),
		"t%2 = randn float32 draw=% [300,10] seed=9\nt%3 = add t%2, t1\nfree t%2\n"
		"t%4 = tanh t%3\nfree t%3\nfetch t%4\nfree t%4\n" },
	{ "integers, summed down", NUMBERS(1, "1"),
		"t%2 = randint int64 -7, 1000 draw=% [5000,33] seed=9\nt%3 = mul t%2, t%2\n"
		"t%4 = sum t%3 axes=[0]\nfree t%2\nfree t%3\nfetch t%4\nfree t%4\n" },
	{ "one long row", NUMBERS(1, "300001"),
		"t%2 = rand float32 draw=% [300001] seed=9\nt%3 = mul t%2, t1\nfree t%2\n"
		"t%4 = sum t%3 axes=[0]\nfree t%3\nfetch t%4\nfree t%4\n" },
	{ "behind a product", NUMBERS(1, "300,90") NUMBERS(4, "90,100"),
		"t%1 = matmul t1, t4\nt%2 = rand float32 draw=% [300,100] seed=9\n"
		"t%3 = ge t%2, 0.25\nfree t%2\nt%4 = where t%3, t%1, 0\nfree t%1\nfree t%3\n"
		"t%5 = relu t%4\nfree t%4\nfetch t%5\nfree t%5\n" },
	{ "embedding", NUMBERS(1, "65,128") NUMBERS(4, "64,128")
		"t6 = randint int64 -65, 65 draw=9 [4,64] seed=1\n",
		"t%2 = index_select t1, t6 axis=0\nt%3 = add t%2, t4\nfree t%2\n"
		"t%4 = relu t%3\nfree t%3\nfetch t%4\nfree t%4\n" },
	{ "indices made here", NUMBERS(1, "65,128"),
		"t%1 = randint int64 -65, 65 draw=% [500] seed=1\nt%6 = abs t%1\nfree t%1\n"
		"t%7 = minimum t%6, 64\nfree t%6\n"
		"t%2 = index_select t1, t%7 axis=0\nfree t%7\nt%3 = neg t%2\nfree t%2\n"
		"t%4 = relu t%3\nfree t%3\nfetch t%4\nfree t%4\n" },
	{ "an embedding's gradient", NUMBERS(1, "4,64,128") NUMBERS(4, "128")
		"t6 = randint int64 -65, 65 draw=9 [256] seed=1\n",
		"t%1 = full float32 0.0 [65,128]\nt%2 = mul t1, %\nt%3 = mul t%2, t4\nfree t%2\n"
		"t%4 = reshape t%3 [256,128]\nt%5 = index_add t%1, t6, t%4 axis=0\n"
		"free t%1\nfree t%3\nfree t%4\nfetch t%5\nfree t%5\n" },
	{ "rows added in pieces", NUMBERS(1, "9000,40")
		"t6 = randint int64 -7, 7 draw=9 [9000] seed=1\n",
		"t%1 = full float32 1.5 [7,40]\nt%2 = mul t1, %\nt%3 = softmax t%2 axis=1\n"
		"free t%2\nt%5 = index_add t%1, t6, t%3 axis=0\n"
		"free t%1\nfree t%3\nfetch t%5\nfree t%5\n" },
	{ "rows that are read, too", NUMBERS(1, "9000,40")
		"t6 = randint int64 -7, 7 draw=9 [9000] seed=1\n",
		"t%1 = full float32 1.5 [7,40]\nt%2 = mul t1, %\nt%3 = softmax t%2 axis=1\n"
		"free t%2\nt%5 = index_add t%1, t6, t%3 axis=0\nfree t%1\n"
		"t%7 = permute t%3 perm=[1,0]\nt%8 = matmul t%7, t%3\nfree t%3\nfree t%7\n"
		"fetch t%5\nfetch t%8\nfree t%5\nfree t%8\n" },
	{ "several numbers a row", NUMBERS(1, "9000,40") NUMBERS(4, "9000,5")
		"t6 = randint int64 -5, 5 draw=9 [9000,40] seed=1\n",
		"t%2 = mul t1, %\nt%3 = exp t%2\nfree t%2\n"
		"t%5 = scatter_add t4, t6, t%3 axis=1\nfree t%3\nfetch t%5\nfree t%5\n" },
	{ "added to some of the rows", NUMBERS(1, "900,40") NUMBERS(4, "1100,50")
		"t6 = randint int64 -50, 50 draw=9 [900,40] seed=1\n",
		"t%1 = mul t4, %\nt%2 = mul t1, %\nt%3 = exp t%2\nfree t%2\n"
		"t%5 = scatter_add t%1, t6, t%3 axis=1\nfree t%3\nfetch t%5\n"
		"free t%1\nfree t%5\n" },
	{ "one-hot", "t6 = randint int64 -33, 33 draw=9 [40] seed=1\n",
		"t%2 = one_hot t6 [33]\nt%3 = cast t%2 dtype=float32\nfree t%2\n"
		"t%4 = add t%3, %\nfree t%3\nfetch t%4\nfree t%4\n" },
};

static void test_bits(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT(programs); k++)
		check_program(&programs[k]);
}

/* ---- indices out of range ---- */

/* From step 15 on the index is one that there is not. */
static const program refused[] = {
	{ "selected", NUMBERS(1, "15,20"),
		"t%1 = upload int64 [3] {0, -15, %}\n"
		"enter \"look\"\nt%2 = index_select t1, t%1 axis=0\nleave\n"
		"t%3 = neg t%2\nfree t%2\nt%4 = tanh t%3\nfree t%3\nt%5 = exp t1\n"
		"fetch t%4\nfetch t%5\nfree t%1\nfree t%4\nfree t%5\n" },
	{ "gathered late", NUMBERS(1, "1,15"),
		"t%1 = upload int64 [1,1] {%}\n"
		"enter \"look\"\nt%2 = gather t1, t%1 axis=1\nleave\n"
		"t%5 = exp t1\nt%6 = sum t%5 axes=[1] keepdims\n"
		"t%3 = add t%2, t%6\nfree t%2\nt%4 = tanh t%3\nfree t%3\n"
		"fetch t%4\nfetch t%5\nfree t%1\nfree t%4\nfree t%5\nfree t%6\n" },
	{ "one-hot", NUMBERS(1, "15"),
		"t%1 = upload int64 [2] {-1, %}\n"
		"enter \"look\"\nt%2 = one_hot t%1 [15]\nleave\n"
		"t%3 = cast t%2 dtype=float32\nfree t%2\nt%4 = add t%3, t1\nfree t%3\n"
		"fetch t%4\nfree t%1\nfree t%4\n" },
	{ "added as made", NUMBERS(1, "2,15"),
		"t%1 = upload int64 [2] {-1, %}\nt%7 = full float32 1.0 [15,15]\n"
		"t%6 = mul t1, t1\nt%8 = exp t%6\nfree t%6\n"
		"enter \"look\"\nt%2 = index_add t%7, t%1, t%8 axis=0\nleave\n"
		"t%3 = exp t%2\nfree t%2\nfree t%7\nfree t%8\nt%4 = add t%3, 1.0\nfree t%3\n"
		"fetch t%4\nfree t%1\nfree t%4\n" },
	{ "added", NUMBERS(1, "2,15"),
		"t%1 = upload int64 [2,1] {-1, %}\nt%7 = full float32 1.0 [2,1]\n"
		"enter \"look\"\nt%2 = scatter_add t1, t%1, t%7 axis=1\nleave\n"
		"t%3 = exp t%2\nfree t%2\nfree t%7\nt%4 = add t%3, t1\nfree t%3\n"
		"fetch t%4\nfree t%1\nfree t%4\n" },
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT(refused); k++) {
		const program *g = &refused[k];

		run_eagerly(g);
		assert_int_equal(eager[GOOD].answers[0]->state, ANSWER_READY);
		assert_int_equal(eager[GOOD + 1].answers[0]->state, ANSWER_FAILED);
		assert_int_equal(eager[GOOD + 1].answers[0]->why->code, GT_EINDEX);
		assert_non_null(strstr(eager[GOOD + 1].answers[0]->why->text, "in signal 'look'"));
		run_hot(g, 1, false, "interpreted");
		run_hot(g, 2, true, "interpreted");
		run_hot(g, 1, false, "compiled");
		forget();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bits), cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("fused_place", tests, NULL, NULL);
}
