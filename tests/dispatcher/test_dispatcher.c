/* test_dispatcher.c: placement, limits, counters, and dumps on good and bad disks. */
#include "check.h"
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "dispatcher/dispatcher.h"
#include "play.h"

/* ---- a line that nobody empties, and a link on it ---- */

static bool run_nothing(line *l, const goal *g, uint64_t until)
{
	(void)g;
	(void)until;
	if (atomic_load(&l->state) != LINE_CLOSING)
		return false;
	line_cancel(l);
	line_gone(l);
	return true;
}

static bool hire_nobody(role *r)
{
	(void)r;
	return false;
}

typedef struct fixture {
	struct link link;
	role role;
	line line;
	dispatcher d;
	session *s;
} fixture;

static gt_err flush(struct link *l, const uint64_t *records, size_t words, size_t n, uint64_t cost)
{
	return dispatcher_flush(CONTAINER(l, fixture, link)->s,
		&(parcel){ records, words, n, cost, false }, NULL);
}

static const link_ops ops = { .flush = flush };

static fixture *open_fixture(void)
{
	fixture *f = mem_lines(sizeof *f);

	f->link.ops = &ops;
	role_init(&f->role, hire_nobody);
	line_init(&f->line, &f->role, 1000, run_nothing);
	dispatcher_init(&f->d, 1);
	assert_int_equal(dispatcher_open(&f->d, &f->s), GT_OK);
	f->s->line = &f->line;
	return f;
}

static void close_fixture(fixture *f)
{
	line_close(&f->line);
	dispatcher_close(&f->d, f->s);
	dispatcher_fini(&f->d);
	line_fini(&f->line);
	mem_free(f);
}

/* ---- placement ---- */

static void test_least_loaded(void **state)
{
	static const unsigned expected[] = { 0, 1, 2, 0, 1, 2 };
	session *s[7];
	dispatcher d;

	(void)state;
	dispatcher_init(&d, 3);
	for (int k = 0; k < 6; k++) {
		assert_int_equal(dispatcher_open(&d, &s[k]), GT_OK);
		assert_int_equal(s[k]->worker, expected[k]);
		assert_int_equal(s[k]->number, k);
	}
	dispatcher_close(&d, s[1]);
	dispatcher_open(&d, &s[1]);
	assert_int_equal(s[1]->worker, 1);
	assert_int_equal(s[1]->number, 6);       /* a number is never used twice */
	dispatcher_close(&d, s[2]);
	dispatcher_close(&d, s[5]);
	dispatcher_open(&d, &s[2]);
	dispatcher_open(&d, &s[5]);
	assert_int_equal(s[2]->worker, 2);
	assert_int_equal(s[5]->worker, 2);
	for (int k = 0; k < 6; k++)
		dispatcher_close(&d, s[k]);
	dispatcher_fini(&d);
}

static void test_too_many(void **state)
{
	session *s[DISPATCHER_SESSIONS_MAX], *one;
	dispatcher d;

	(void)state;
	dispatcher_init(&d, 2);
	for (int k = 0; k < DISPATCHER_SESSIONS_MAX; k++)
		assert_int_equal(dispatcher_open(&d, &s[k]), GT_OK);
	assert_int_equal(dispatcher_open(&d, &one), GT_ELIMIT);
	assert_non_null(strstr(gt_last_error(), "1024 clients"));
	dispatcher_close(&d, s[500]);
	assert_int_equal(dispatcher_open(&d, &s[500]), GT_OK);
	for (int k = 0; k < DISPATCHER_SESSIONS_MAX; k++)
		dispatcher_close(&d, s[k]);
	dispatcher_fini(&d);
}

static void test_counters(void **state)
{
	fixture *f = open_fixture();
	play p;

	(void)state;
	p = play_text(&f->link, "t1 = upload float32 [3] {1, 2, 3}\nt2 = add t1, 1.0\n");
	assert_int_equal(p.e, GT_OK);
	assert_int_equal(atomic_load(&f->s->stats.instructions), 2);
	/* Heads, then blob and size, then two inputs; and the data. */
	assert_int_equal(atomic_load(&f->s->stats.bytes), (4 + 2 + 4 + 2) * 8 + 12);
	close_fixture(f);
}

/* ---- dumps ---- */

static char directory[] = "/tmp/gt-dump-XXXXXX";

static int make_directory(void **state)
{
	(void)state;
	return !mkdtemp(directory) || flag_set(FLAG_GT_DUMP, directory);
}

static int remove_directory(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(directory);

	(void)state;
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
		unlink(path);
	}
	closedir(d);
	rmdir(directory);
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	return flag_set(FLAG_GT_DUMP, "");
}

static size_t read_dump(const fixture *f, char *to, size_t size)
{
	char path[512];
	FILE *file;
	size_t n;

	snprintf(path, sizeof path, "%s/%d.%u.gts", directory, (int)getpid(), f->s->number);
	file = fopen(path, "r");
	assert_non_null(file);
	n = fread(to, 1, size - 1, file);
	to[n] = '\0';
	fclose(file);
	return n;
}

/* What the dump says, read again and dumped again, says the same. */
static void test_dump(void **state)
{
	static const char *const program =
		"t1 = upload float32 [3] {1, -0.0, nan}\n"
		"enter \"forward\"\n"
		"t2 = add t1, 1.5\n"
		"leave\n"
		"free t1\n";
	char first[4096], second[4096];
	fixture *f = open_fixture();

	(void)state;
	play_text(&f->link, program);
	play_text(&f->link, "t3 = sum t2 axes=[0]\n");
	assert_true(read_dump(f, first, sizeof first) > 0);
	assert_non_null(strstr(first, "t2 = add t1, 1.5"));
	assert_non_null(strstr(first, "t3 = sum t2 axes=[0]"));
	close_fixture(f);
	f = open_fixture();
	play_text(&f->link, first);
	read_dump(f, second, sizeof second);
	assert_string_equal(first, second);
	close_fixture(f);
}

static void test_dump_makes_its_directory(void **state)
{
	char text[4096];
	fixture *f;

	(void)state;
	assert_int_equal(rmdir(directory), 0);
	f = open_fixture();
	play_text(&f->link, "t1 = full float32 1.0 [2]\n");
	assert_true(read_dump(f, text, sizeof text) > 0);
	close_fixture(f);
}

/* Runs `body` with stderr in a pipe, which no file limit concerns, and returns what was said. */
static void listen(void (*body)(void), char *said, size_t size)
{
	int before = dup(STDERR_FILENO), ends[2];
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	body();
	dup2(before, STDERR_FILENO);
	close(before);
	close(ends[1]);
	n = read(ends[0], said, size - 1);
	said[n > 0 ? n : 0] = '\0';
	close(ends[0]);
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void play_to_nowhere(void)
{
	fixture *f;

	flag_set(FLAG_GT_DUMP, "/nonexistent/directory");
	f = open_fixture();
	assert_int_equal(play_text(&f->link, "t1 = full float32 1.0 [2]\n").e, GT_OK);
	close_fixture(f);
}

static void test_no_directory(void **state)
{
	char said[1024];

	(void)state;
	listen(play_to_nowhere, said, sizeof said);
	assert_non_null(strstr(said, "cannot create /nonexistent/directory"));
	assert_int_equal(lines(said), 1);
}

/* A file that may not grow stands for a full disk. */
static void play_to_full_disk(void)
{
	struct rlimit before, small;
	fixture *f = open_fixture();

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = before;
	small.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &small);
	for (int k = 0; k < 5; k++)
		assert_int_equal(play_text(&f->link, "enter \"a\"\nleave\n").e, GT_OK);
	setrlimit(RLIMIT_FSIZE, &before);
	close_fixture(f);
}

static void test_full_disk(void **state)
{
	char said[1024];

	(void)state;
	listen(play_to_full_disk, said, sizeof said);
	assert_non_null(strstr(said, "cannot write "));
	assert_int_equal(lines(said), 1);
}

#define TEST_DUMP(f) cmocka_unit_test_setup_teardown(f, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_least_loaded),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_counters),
		TEST_DUMP(test_dump),
		TEST_DUMP(test_dump_makes_its_directory),
		TEST_DUMP(test_no_directory),
		TEST_DUMP(test_full_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
