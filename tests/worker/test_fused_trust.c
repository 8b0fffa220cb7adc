/* test_fused_trust.c: kernels that are wrong, on a tenant seen from inside: nobody gets to see what
 * they compute, and they are not used any more. Plans that are replaced, and who frees them. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "check.h"
#include "one_tenant.h"
#include "spoil.h"

#define STEP "t%2 = mul t1, 0.5\nt%3 = add t%2, 1.0\nt%4 = tanh t%3\nt%5 = mul t%4, t%2\n" \
	"free t%2\nfree t%3\nfree t%4\nfetch t%5\nfree t%5\n"
#define FIRST "t1 = full float32 1.0 [50]\n"

static int open_tenant(void **state)
{
	(void)state;
	admit_fused(2);
	return 0;
}

static int open_checked(void **state)
{
	set(FLAG_GT_CHECK, "1");
	return open_tenant(state);
}

/* STEP with numbers of its own. */
static play run_step(unsigned k)
{
	return run_numbered(STEP, k);
}

/* What the step gave the first time: bits that all others have to give. */
static float expected[50];

static void check_steps(unsigned from, unsigned n)
{
	for (unsigned k = from; k < from + n; k++) {
		play p = run_step(k);

		assert_int_equal(p.answers[0]->state, ANSWER_READY);
		if (k == 1)
			memcpy(expected, p.answers[0]->data, sizeof expected);
		assert_memory_equal(p.answers[0]->data, expected, sizeof expected);
		play_end(&p);
	}
}

/* ---- spoiling -------------------------------------------------------------------------------- */

static fused_code *spoil(void)
{
	assert_int_equal(t->hot->count, 1);
	fused *u = &t->hot->runs[0]->fused;
	fused_plan *p = u->plans[0];

	assert_int_equal(u->count, 1);
	for (uint32_t k = 0; k < p->f->steps.count; k++)
		if (p->steps[k].code) {
			spoil_code(p->steps[k].code);
			return p->steps[k].code;
		}
	fail_msg("the loop has no kernel");
	return NULL;
}

/* The only file in a folder. */
static void find_file(const char *folder, char path[300])
{
	DIR *d = opendir(folder);
	unsigned files = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		if (*e->d_name != '.' && ++files)
			snprintf(path, 300, "%s/%s", folder, e->d_name);
	closedir(d);
	assert_int_equal(files, 1);
}

static void read_text(const char *path, char *text, size_t room)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, room - 1, f);
	assert_true(n > 0 && n < room - 1);
	text[n] = '\0';
	fclose(f);
}

/* The script that was kept gives, played by somebody else, what is right, to the bit; and it is
 * compiled when it is played. */
static void check_script(const char *path)
{
	static char text[1 << 16];
	play p;

	read_text(path, text, sizeof text);
	close_tenant(NULL);
	assert_int_equal(open_tenant(NULL), 0);
	p = run_text(text);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.answers[0]->state, ANSWER_READY);
	assert_memory_equal(p.answers[0]->data, expected, sizeof expected);
	play_end(&p);
	assert_int_equal(t->hot->count, 1);
	assert_true(atomic_load(&t->hot->counts.compiled) > 0);
}

/* Found at its first run: the result is the eager one's, there is no second run, and what it was
 * computed from is kept. */
static void test_wrong_code(void **state)
{
	char folder[] = "/tmp/gt-trust-XXXXXX", path[300];
	fused_code *c;
	play p = run_text(FIRST);

	(void)state;
	play_end(&p);
	check_steps(1, 10);
	assert_non_null(mkdtemp(folder));
	setenv("TMPDIR", folder, true);
	c = spoil();
	check_steps(20, 10);
	assert_int_equal(launches, 1);
	assert_true(atomic_load(&c->barred));
	mend_code(c);
	find_file(folder, path);
	assert_non_null(strstr(path, c->name));
	check_script(path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* With GT_CHECK code that was right for long is looked at, too, and the next read says so. */
static void test_check(void **state)
{
	fused_code *c;
	play p = run_text(FIRST);

	(void)state;
	play_end(&p);
	check_steps(1, 10);
	setenv("TMPDIR", "/dev/null", true);     /* nowhere: it is said, and nothing else happens */
	c = spoil();
	atomic_store(&c->proved, 100);
	p = run_step(20);
	assert_int_equal(p.answers[0]->state, ANSWER_FAILED);
	assert_int_equal(p.answers[0]->why->code, GT_ECHECK);
	assert_non_null(strstr(p.answers[0]->why->text, "element 7 is "));
	play_end(&p);
	check_steps(30, 3);
	assert_int_equal(launches, 1);
	mend_code(c);
}

/* Trusted after two runs: then it is launched alone. */
static void test_trust(void **state)
{
	play p = run_text(FIRST);
	fused_plan *f;

	(void)state;
	play_end(&p);
	check_steps(1, 10);
	f = t->hot->runs[0]->fused.plans[0];
	assert_true(f->completed > CODE_TRUSTED);
	for (uint32_t k = 0; k < f->f->steps.count; k++)
		if (f->steps[k].code)
			assert_true(atomic_load(&f->steps[k].code->proved) >= CODE_TRUSTED);
}

/* A plan that another one takes the place of is freed by the miner's side, not by the executor:
 * with `mining` held it is still there. */
static void test_replaced_plan(void **state)
{
	play p = run_text(FIRST);
	const fused_plan *before;
	hot *h;

	(void)state;
	play_end(&p);
	check_steps(1, 10);
	h = t->hot;
	pthread_mutex_lock(&h->mining);
	h->sync = false;
	compile_bury(h);
	before = h->runs[0]->fused.plans[0];
	h->runs[0]->fused.plans[0]->read_often = 1;
	check_steps(20, 1);
	assert_true(compile_busy(h));
	while (compile_some(h, true))
		;
	check_steps(30, 1);
	assert_int_equal(h->runs[0]->fused.count, 1);
	assert_ptr_not_equal(h->runs[0]->fused.plans[0], before);
	assert_non_null(atomic_load(&h->done));
	assert_ptr_equal(atomic_load(&h->done)->made, before);
	hot_bury(h);
	assert_null(atomic_load(&h->done));
	pthread_mutex_unlock(&h->mining);
}

/* How many lines on standard output tell of failures with these texts, one region's each. */
static unsigned count_told(hot *h, char *const *texts, unsigned n)
{
	const int before = dup(STDOUT_FILENO);
	FILE *f = tmpfile();
	char text[512];
	unsigned lines = 0;

	assert_non_null(f);
	fflush(stdout);
	assert_true(dup2(fileno(f), STDOUT_FILENO) >= 0);
	for (unsigned k = 0; k < n; k++)
		hot_say_compiled(h, &(job){ .error = texts[k] });
	assert_true(dup2(before, STDOUT_FILENO) >= 0);
	close(before);
	rewind(f);
	while (fgets(text, sizeof text, f))
		lines += strstr(text, "Compilation failed") != NULL;
	fclose(f);
	return lines;
}

/* Without a code generator no region can be compiled: one line says so, not one a region. */
static void test_failure_is_told_once(void **state)
{
	char none[] = "no code generator", other[] = "the disk is full";
	hot h = { .talks = true };

	(void)state;
	set(FLAG_GT_QUIET, "0");
	assert_int_equal(count_told(&h, (char *const []){ none, none, none }, 3), 1);
	assert_int_equal(count_told(&h, (char *const []){ none, other, other }, 3), 1);
	assert_int_equal(count_told(&h, (char *const []){ other, none, other, none }, 4), 0);
	set(FLAG_GT_QUIET, "1");
}

#define TEST(f, open) cmocka_unit_test_setup_teardown(f, open, close_tenant)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wrong_code, open_tenant),
		TEST(test_check, open_checked),
		TEST(test_trust, open_tenant),
		TEST(test_replaced_plan, open_tenant),
		TEST(test_failure_is_told_once, open_tenant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
