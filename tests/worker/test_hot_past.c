/* test_hot_past.c: a loop's first fused plan is made of a run that was executed before the loop was
 * known to be one; on a tenant seen from inside. */
#include "check.h"
#include <gt/gt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "one_tenant.h"

static int open_tenant(void **state)
{
	(void)state;
	admit_fused(3);
	return 0;
}

/* run_numbered where nothing fails. */
static void run(const char *text, unsigned k)
{
	play p = run_numbered(text, k);

	for (size_t n = 0; n < p.n; n++)
		assert_int_equal(p.answers[n]->state, ANSWER_READY);
	play_end(&p);
}

static const hot_run *play_loop(const char *first, const char *body, unsigned n)
{
	run(first, 0);
	for (unsigned k = 1; k <= n; k++)
		run(body, k);
	assert_int_equal(t->hot->count, 1);
	return t->hot->runs[0];
}

#define FIRST "t1 = randn float32 [6,4] seed=1 draw=1\n"

/* Every run that is replayed is one of the fused plan, for there was no sample to be taken of one.
 * The live-in is a view whose strides are not its own. */
static void test_first_run(void **state)
{
	const hot_run *r = play_loop(FIRST "t2 = permute t1 perm=[1,0]\n",
		"t%3 = mul t2, 0.5\nt%4 = tanh t%3\nt%5 = sum t%4 axes=[1]\nfree t%3\nfree t%4\n"
		"fetch t%5\nfree t%5\n", 9);
	const fused_plan *p = r->fused.plans[0];

	(void)state;
	assert_true(r->runs >= 4);
	assert_int_equal(r->fused.count, 1);
	assert_int_equal(r->fused.runs, r->runs);
	assert_int_equal(p->f->values.at[p->n].strides[0], 1);
	assert_int_equal(p->f->values.at[p->n].strides[1], 4);
}

/* Sizes that were others in earlier runs: those of the latest one count. It is the one before the
 * run in which the loop is noticed, which is the last that is eager. */
static void test_latest_run(void **state)
{
	const char *body = "t%2 = slice t1 first=[0,0] count=[%,4] step=[1,1]\nt%3 = exp t%2\n"
		"t%4 = sum t%3 axes=[0,1]\nfree t%2\nfree t%3\nfetch t%4\nfree t%4\n";
	const hot_run *r;

	(void)state;
	run(FIRST, 0);
	for (unsigned k = 1; k <= 6; k++)
		run(body, k);
	assert_int_equal(t->hot->count, 1);
	r = t->hot->runs[0];
	assert_true(r->fused.count >= 1);
	assert_int_equal(r->fused.plans[r->fused.count - 1]->f->values.at[0].m.dims[0],
		6 - (int64_t)r->runs - 1);
}

/* What ran before the past begins is unknown: the first run that is replayed is the sample, as
 * ever. */
static void test_unknown(void **state)
{
	const hot_run *r;

	(void)state;
	run(FIRST "t2 = neg t1\n", 0);
	atomic_store(&t->hot->past.written, 0);
	memset(t->hot->past.words, 0, PAST_WORDS * sizeof(uint64_t));
	run("t3 = neg t2\n", 0);
	r = play_loop("free t3\n", "t%4 = mul t2, 0.5\nt%5 = tanh t%4\nt%6 = sum t%5 axes=[0]\n"
		"free t%4\nfree t%5\nfetch t%6\nfree t%6\n", 9);
	assert_int_equal(r->fused.count, 1);
	assert_int_equal(r->fused.runs, r->runs - 1);
}

/* It ends where it was said to, and what is in it then stays. */
static void test_end(void **state)
{
	unsigned k = 0;

	(void)state;
	run(FIRST, 0);
	while (atomic_load(&t->hot->past.written) < PAST_WORDS) {
		run("t%2 = add t1, %\nt%3 = reshape t%2 [24]\nfree t%2\nfree t%3\n", ++k);
		assert_true(k < PAST_WORDS);
	}
	run("t%4 = neg t1\nfree t%4\n", k);
	assert_int_equal(atomic_load(&t->hot->past.written), PAST_WORDS);
}

#define BODY "t%3 = mul t1, 0.5\nt%4 = tanh t%3\nt%5 = sum t%4 axes=[1]\nfree t%3\nfree t%4\n" \
	"fetch t%5\nfree t%5\n"

/* Wide enough that to compile it is worth while (test_fused_worth.c). */
#define WIDE "t1 = randn float32 [60,40] seed=1 draw=1\n"

/* What comes behind the wait is of the fused plan. What came before it may have been replayed already,
 * where the miner's thread was faster than the stream. */
static void expect_compiled(unsigned k)
{
	const hot_run *r;
	uint64_t runs, before;

	assert_int_equal(worker_compile_wait(w, NULL), GT_OK);
	r = t->hot->count ? t->hot->runs[0] : NULL;
	runs = r ? r->runs : 0;
	before = r ? r->fused.runs : 0;
	run(BODY, k);
	assert_int_equal(t->hot->count, 1);
	r = t->hot->runs[0];
	assert_int_equal(r->fused.count, 1);
	assert_int_equal(r->runs, runs + 1);
	assert_int_equal(r->fused.runs, before + 1);
}

/* The plan is made by the executor, who has no time to look for a sample; so many runs come before
 * anybody else has. */
static void plan_quickly(unsigned more)
{
	hot *h;

	set(FLAG_GT_COMPILE_SYNC, "0");
	run(WIDE, 0);
	h = t->hot;
	pthread_mutex_lock(&h->mining);
	for (unsigned k = 1; k <= 6; k++)
		run(BODY, k);
	while (hot_mine_records(h, 64))
		;
	hot_make_plans(h, 1024);
	for (unsigned k = 7; k < 7 + more; k++)
		run(BODY, k);
	pthread_mutex_unlock(&h->mining);
}

/* Who waits finds the sample. */
static void test_wait_behind_a_quick_plan(void **state)
{
	(void)state;
	plan_quickly(0);
	expect_compiled(7);
}

/* Nobody listened when the parameters were made: what they are like is known all the same. */
static void test_marked_later(void **state)
{
	const hot_run *r;

	close_tenant(state);
	admit_fused(0);
	run(WIDE "t2 = permute t1 perm=[1,0]\n", 0);
	for (unsigned k = 1; k <= 4; k++)
		run("begin mode=1\nt%3 = mul t2, 0.5\nt%4 = tanh t%3\nt%5 = sum t%4 axes=[1]\nfree t%3\n"
			"free t%4\nend\nfetch t%5\nfree t%5\n", k);
	r = t->hot->runs[0];
	assert_int_equal(t->hot->count, 1);
	assert_int_equal(r->runs, 3);
	assert_int_equal(r->fused.runs, 3);
	assert_int_equal(r->fused.plans[0]->f->values.at[3].strides[0], 1);
}

/* The same for who waits: what was found is compiled then. */
static void test_wait_behind_a_part(void **state)
{
	close_tenant(state);
	admit_fused(0);
	set(FLAG_GT_COMPILE_SYNC, "0");
	run(WIDE, 0);
	run("begin mode=1\n" BODY "end\n", 1);
	assert_int_equal(worker_compile_wait(w, NULL), GT_OK);
	run("begin mode=1\n" BODY "end\n", 2);
	assert_int_equal(t->hot->runs[0]->fused.runs, 1);
}

/* What the part's first operations were: another part's, which has a plan by now. */
static void test_wait_behind_a_longer_part(void **state)
{
	const char *more = "begin mode=1\n" BODY "t%6 = exp t1\nt%7 = sum t%6 axes=[0]\nfree t%6\n"
		"fetch t%7\nfree t%7\nend\n";

	close_tenant(state);
	admit_fused(0);
	set(FLAG_GT_COMPILE_SYNC, "0");
	run(WIDE, 0);
	run("begin mode=1\n" BODY "end\nt%6 = neg t1\nfree t%6\n", 1);
	assert_int_equal(worker_compile_wait(w, NULL), GT_OK);
	run(more, 2);
	assert_int_equal(worker_compile_wait(w, NULL), GT_OK);
	run(more, 3);
	assert_int_equal(t->hot->count, 2);
	assert_int_equal(t->hot->runs[0]->plan->region->n, 5);
	assert_int_equal(t->hot->runs[0]->fused.runs, 1);
}

static int enough(void *asked)
{
	return ++*(int *)asked == 2;
}

/* Who waits may be told to stop, whatever is waited for: here the compiler is at work elsewhere. */
static void test_wait_is_broken_off(void **state)
{
	int asked = 0;
	const interrupt in = { enough, &asked };

	(void)state;
	run(WIDE, 0);
	pthread_mutex_lock(&t->hot->mining);
	assert_int_equal(worker_compile_wait(w, &in), GT_EINTERRUPT);
	assert_int_equal(asked, 2);
	pthread_mutex_unlock(&t->hot->mining);
	assert_int_equal(worker_compile_wait(w, &in), GT_OK);
}

/* How often a line that begins like that was written to the file. */
static unsigned count_lines(FILE *f, const char *beginning)
{
	char text[256];
	unsigned n = 0;

	rewind(f);
	while (fgets(text, sizeof text, f))
		n += !strncmp(text, beginning, strlen(beginning));
	return n;
}

/* The executor takes a sample while the miner has yet to look for one: that there is a plan is said
 * once. */
static void test_two_samples(void **state)
{
	FILE *f = tmpfile();
	const int out = dup(1);

	(void)state;
	set(FLAG_GT_QUIET, "0");
	fflush(stdout);
	dup2(fileno(f), 1);
	plan_quickly(1);
	expect_compiled(8);
	fflush(stdout);
	dup2(out, 1);
	close(out);
	set(FLAG_GT_QUIET, "1");
	assert_int_equal(count_lines(f, "[HotPath] Successfully compiled 3 ops"), 1);
	fclose(f);
}

/* However the miner's thread and the executor share the work. */
static void test_wait_of_young_sessions(void **state)
{
	set(FLAG_GT_COMPILE_SYNC, "0");
	for (unsigned n = 0; n < 200; n++) {
		run(WIDE, 0);
		for (unsigned k = 1; k <= 6; k++)
			run(BODY, k);
		expect_compiled(7);
		close_tenant(state);
		admit_tenant(3, false);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_tenant, close_tenant)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_run),
		TEST(test_latest_run),
		TEST(test_unknown),
		TEST(test_end),
		TEST(test_wait_behind_a_quick_plan),
		TEST(test_marked_later),
		TEST(test_wait_behind_a_part),
		TEST(test_wait_behind_a_longer_part),
		TEST(test_two_samples),
		TEST(test_wait_is_broken_off),
		TEST(test_wait_of_young_sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
