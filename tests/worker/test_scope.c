/* test_scope.c: parts that are marked, GT_COMPILE and GT_CHECK, on a tenant seen from inside. */
#include "check.h"
#include "one_tenant.h"

static int open_tenant(uint64_t threshold, bool compiles)
{
	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_COMPILE_SYNC, "1");
	admit_tenant(threshold, compiles);
	return 0;
}

static int open_plain(void **state) { (void)state; return open_tenant(0, false); }
static int open_loops(void **state) { (void)state; return open_tenant(2, false); }
static int open_all(void **state) { (void)state; return open_tenant(0, true); }

static int open_checked(void **state)
{
	set(FLAG_GT_CHECK, "1");
	return open_loops(state);
}

static void make_first(void)
{
	play p = run_text("t1 = full float32 1.0 [2]");

	play_end(&p);
}

/* `text` again and again, "%" in it being a number that grows; `n` times, from `from` on. */
static void repeat(const char *text, unsigned from, unsigned n)
{
	for (unsigned k = from; k < from + n; k++) {
		play p = run_numbered(text, 1000 + k);

		play_end(&p);
	}
}

static hot_stats stats(void)
{
	worker_stats s;

	worker_get_stats(w, &s);
	return s.hot;
}

#define STEP "t1% = add t1, 1.0\nt2% = mul t1%, t1%\nt3% = exp t2%\nfree t1%\nfree t2%\nfree t3%\n"

/* From the second time on, though nobody looks for loops. */
static void test_marked_parts(void **state)
{
	(void)state;
	make_first();
	repeat(STEP, 0, 5);
	assert_int_equal(stats().replayed, 0);
	repeat("begin mode=1\n" STEP "end\n", 10, 4);
	assert_int_equal(stats().matches, 3);
	assert_int_equal(stats().replayed, 9);
}

/* The first is how the second begins: where they are in the program tells them apart. */
static void test_parts_that_begin_alike(void **state)
{
	(void)state;
	make_first();
	repeat("begin mode=1\nt1% = add t1, 1.0 @ 7\nt2% = mul t1%, t1% @ 7\nend\n"
		"begin mode=1\nt3% = add t1, 1.0 @ 8\nt4% = mul t3%, t3% @ 8\n"
		"t5% = exp t4% @ 8\nend\n"
		"free t1%\nfree t2%\nfree t3%\nfree t4%\nfree t5%\n", 0, 40);
	/* At first the second is not known. */
	assert_int_equal(stats().matches, 1 + 2 * 39);
	assert_int_equal(stats().replayed, 2 + 5 * 39);
}

static void test_excluded_parts(void **state)
{
	(void)state;
	make_first();
	repeat("begin mode=0\n" STEP "end\n", 0, 20);
	assert_int_equal(stats().replayed, 0);
	assert_int_equal(stats().hot_paths, 0);
	repeat(STEP, 20, 20);
	assert_true(stats().matches >= 15);
	const uint64_t before = stats().replayed;
	/* The loop is known by now; in a part that is left alone it is not replayed. */
	repeat("begin mode=0\n" STEP "end\n", 40, 5);
	assert_int_equal(stats().replayed, before);
}

/* GT_COMPILE: without marks a region ends where a value is read. */
static void test_everything(void **state)
{
	(void)state;
	make_first();
	repeat("t1% = add t1, 1.0\nt2% = mul t1%, t1%\nt3% = exp t2%\nfetch t3%\n"
		"free t1%\nfree t2%\nfree t3%\n", 0, 8);
	assert_true(stats().matches >= 5);
}

/* Or where the client says that it waits. */
static void test_pieces(void **state)
{
	(void)state;
	make_first();
	repeat(STEP "end\n", 0, 8);
	assert_true(stats().matches >= 6);
}

/* ---- GT_CHECK -------------------------------------------------------------------------------- */

static kernel *right;
static unsigned wrongs;

static gt_err wrong_mul(const kcall *c)
{
	gt_err e = right(c);

	if (wrongs++ == 2)
		((float *)c->out->data)[1] = 7;
	return e;
}

/* Make a step of the loop's plan go wrong at its third run from now. */
static void spoil(void)
{
	assert_int_equal(t->hot->count, 1);
	plan *p = t->hot->runs[0]->plan;

	for (uint32_t k = 0; k < p->region->n; k++)
		if (p->region->ops[k].op == OP_mul) {
			right = p->steps[k].run;
			p->steps[k].run = wrong_mul;
		}
	wrongs = 0;
}

static void test_check(void **state)
{
	const answer *a;
	play p;

	(void)state;
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_TIER, "1"), GT_OK);
	make_first();
	repeat(STEP, 0, 10);
	assert_true(stats().matches > 0);
	p = run_text("t2 = add t1, 5.0\nfetch t2");
	assert_int_equal(p.answers[0]->state, ANSWER_READY);
	play_end(&p);
	spoil();
	repeat(STEP, 20, 1);
	p = run_text("fetch t1\n");
	assert_int_equal(p.answers[0]->state, ANSWER_READY);
	play_end(&p);
	repeat(STEP, 30, 10);
	assert_true(wrongs > 2);
	/* Whatever is read next says so, once; and values are right all the same. */
	p = run_text("fetch t1\nt3 = add t1, 1.0\nt4 = mul t3, t3\nfetch t4\n");
	a = p.answers[0];
	assert_int_equal(a->state, ANSWER_FAILED);
	assert_int_equal(a->why->code, GT_ECHECK);
	assert_non_null(strstr(a->why->text, "(mul) of Stream("));
	assert_non_null(strstr(a->why->text, "): element 1 is 7, eagerly 4"));
	assert_int_equal(p.answers[1]->state, ANSWER_READY);
	assert_true(((const float *)p.answers[1]->data)[1] == 4);
	play_end(&p);
}

#define TEST(f, open) cmocka_unit_test_setup_teardown(f, open, close_tenant)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_marked_parts, open_plain),
		TEST(test_parts_that_begin_alike, open_plain),
		TEST(test_excluded_parts, open_loops),
		TEST(test_everything, open_all),
		TEST(test_pieces, open_all),
		TEST(test_check, open_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
