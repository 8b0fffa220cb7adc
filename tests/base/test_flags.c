/* test_flags.c: values, mistakes and warnings. The environment is read once per process, so each
 * environment is tried in a child of its own. */
#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/base.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/mem.h"

/* What a child found out, sent through a pipe. */
typedef struct finding {
	gt_err code;
	char error[ERROR_TEXT_MAX], text[64];
	int64_t number;
} finding;

static char said[4096];   /* what the last child wrote on stderr */

static void child(char *const *variables, flag f, int to)
{
	finding found = { 0 };

	for (; *variables; variables++)
		putenv(*variables);
	flags_load();
	gt_clear_error();
	found.code = flags_load();   /* the second call repeats the first one's result */
	strcpy(found.error, gt_last_error());
	found.number = flag_int(f);
	snprintf(found.text, sizeof found.text, "%s", flag_text(f));
	log_line("a line of the program");
	log_verbose("a chatty line");
	_exit(write(to, &found, sizeof found) != sizeof found);
}

/* Load in a child whose environment has `variables` ("NAME=value", NULL at the end); read `f`. */
static finding load_with(char *const *variables, flag f)
{
	finding found;
	int words[2], result[2], status;
	size_t n = 0;
	pid_t pid;

	assert_int_equal(pipe(words) | pipe(result), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(words[1], STDERR_FILENO);
		child(variables, f, result[1]);
	}
	close(words[1]);
	close(result[1]);
	for (ssize_t got; (got = read(words[0], said + n, sizeof said - 1 - n)) > 0; )
		n += (size_t)got;
	said[n] = '\0';
	assert_int_equal(read(result[0], &found, sizeof found), sizeof found);
	close(words[0]);
	close(result[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return found;
}

#define LOAD(f, ...) load_with((char *[]){ __VA_ARGS__, NULL }, f)

static void test_good_values(void **state)
{
	static const struct {
		char *variable;
		flag f;
		int64_t number;
		const char *text;
	} cases[] = {
		{ "GT_WORKERS=4", FLAG_GT_WORKERS, 4, "4" },
		{ "GT_THREADS=0", FLAG_GT_THREADS, 0, "0" },
		{ "GT_VERBOSE=1", FLAG_GT_VERBOSE, 1, "1" },
		{ "GT_BACKEND=cpu", FLAG_GT_BACKEND, 0, "cpu" },
		{ "GT_BACKEND=reference", FLAG_GT_BACKEND, 1, "reference" },
		{ "GT_ISA=avx512", FLAG_GT_ISA, 3, "avx512" },
		{ "GT_MEMORY=12345", FLAG_GT_MEMORY, 12345, "12345" },
		{ "GT_MEMORY=3k", FLAG_GT_MEMORY, 3 << 10, "3k" },
		{ "GT_MEMORY=5M", FLAG_GT_MEMORY, 5 << 20, "5M" },
		{ "GT_MEMORY=2G", FLAG_GT_MEMORY, INT64_C(2) << 30, "2G" },
		{ "GT_MEMORY=1T", FLAG_GT_MEMORY, INT64_C(1) << 40, "1T" },
		{ "GT_DUMP=/tmp/some where", FLAG_GT_DUMP, 0, "/tmp/some where" },
		{ "GT_RUNAHEAD=1048576", FLAG_GT_RUNAHEAD, 1 << 20, "1048576" },
		{ "GT_FAIL_ALLOC=9223372036854775807", FLAG_GT_FAIL_ALLOC, INT64_MAX,
			"9223372036854775807" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		finding found = LOAD(cases[i].f, cases[i].variable);

		assert_string_equal(found.error, "");
		assert_int_equal(found.code, GT_OK);
		assert_int_equal(found.number, cases[i].number);
		assert_string_equal(found.text, cases[i].text);
	}
}

static void test_malformed(void **state)
{
	static const struct { char *variable; const char *error; } cases[] = {
		{ "GT_WORKERS=0", "GT_WORKERS='0': expected a whole number, 1 to 1024" },
		{ "GT_WORKERS=", "GT_WORKERS='': expected a whole number, 1 to 1024" },
		{ "GT_THREADS=-1", "GT_THREADS='-1': expected a whole number, 0 to 1024" },
		{ "GT_THREADS= 1", "GT_THREADS=' 1': expected a whole number, 0 to 1024" },
		{ "GT_THREADS=2x", "GT_THREADS='2x': expected a whole number, 0 to 1024" },
		{ "GT_THREADS=0x10", "GT_THREADS='0x10': expected a whole number, 0 to 1024" },
		{ "GT_THREADS=1025", "GT_THREADS='1025': expected a whole number, 0 to 1024" },
		{ "GT_WORKERS=4294967296",
			"GT_WORKERS='4294967296': expected a whole number, 1 to 1024" },
		{ "GT_RUNAHEAD=1048577",
			"GT_RUNAHEAD='1048577': expected a whole number, 1 to 1048576" },
		{ "GT_FAIL_ALLOC=9223372036854775808", "GT_FAIL_ALLOC='9223372036854775808': "
			"expected a whole number, 0 to 9223372036854775807" },
		{ "GT_VERBOSE=yes", "GT_VERBOSE='yes': expected 0 or 1" },
		{ "GT_VERBOSE=2", "GT_VERBOSE='2': expected 0 or 1" },
		{ "GT_BACKEND=cuda", "GT_BACKEND='cuda': expected one of cpu|reference" },
		{ "GT_BACKEND=cpu|", "GT_BACKEND='cpu|': expected one of cpu|reference" },
		{ "GT_BACKEND=", "GT_BACKEND='': expected one of cpu|reference" },
	};
	static char *const sizes[] = {
		"GT_MEMORY=0%", "GT_MEMORY=101%", "GT_MEMORY=50%%", "GT_MEMORY=5X", "GT_MEMORY=5MB",
		"GT_MEMORY=-5", "GT_MEMORY=M", "GT_MEMORY=", "GT_MEMORY=9999999T", "GT_MEMORY=1.5G",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		finding found = LOAD(FLAG_GT_RUNAHEAD, cases[i].variable);

		assert_int_equal(found.code, GT_EINVAL);
		assert_string_equal(found.error, cases[i].error);
		assert_int_equal(found.number, 4096);
	}
	for (size_t i = 0; i < COUNT(sizes); i++) {
		finding found = LOAD(FLAG_GT_MEMORY, sizes[i]);

		assert_int_equal(found.code, GT_EINVAL);
		assert_non_null(strstr(found.error, "expected bytes such as 500M"));
		assert_int_equal(found.number, cpu_memory() / 100 * 80);
	}
}

static void test_first_error_stays(void **state)
{
	finding found;

	(void)state;
	found = LOAD(FLAG_GT_RUNAHEAD, "GT_VERBOSE=maybe", "GT_WORKERS=none", "GT_RUNAHEAD=7");
	assert_non_null(strstr(found.error, "GT_WORKERS"));
	assert_int_equal(found.number, 7);
}

static void test_unknown(void **state)
{
	(void)state;
	assert_int_equal(LOAD(FLAG_GT_WORKERS, "GT_WORKER=3").code, GT_OK);
	assert_non_null(strstr(said, "gt: unknown setting GT_WORKER is ignored (did you mean "
		"GT_WORKERS?)"));
	LOAD(FLAG_GT_WORKERS, "GT_VERBOSITY=1", "GT_MEMROY=5");
	assert_non_null(strstr(said, "GT_VERBOSITY is ignored (did you mean GT_VERBOSE?)"));
	assert_non_null(strstr(said, "GT_MEMROY is ignored (did you mean GT_MEMORY?)"));
	LOAD(FLAG_GT_WORKERS, "NOT_GT_WORKER=3", "GTWORKERS=3", "gt_workers=3");
	assert_null(strstr(said, "unknown"));
}

static void test_output(void **state)
{
	(void)state;
	LOAD(FLAG_GT_QUIET, "GT_QUIET=0");
	assert_string_equal(said, "gt: a line of the program\n");
	LOAD(FLAG_GT_QUIET, "GT_VERBOSE=1");
	assert_string_equal(said, "gt: a line of the program\ngt: a chatty line\n");
	LOAD(FLAG_GT_QUIET, "GT_QUIET=1", "GT_VERBOSE=1", "GT_UNKNOWN=1");
	assert_string_equal(said, "");
}

static void say_much(void)
{
	char text[5000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_line("%s", text);
}

static void test_long_line(void **state)
{
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	say_much();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	n = read(ends[0], said, sizeof said - 1);
	close(ends[0]);
	assert_in_range(n, 1000, 2048);
	said[n] = '\0';
	assert_string_equal(said + n - 5, "x...\n");
}

static void test_fail_alloc(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		setenv("GT_FAIL_ALLOC", "2", 1);
		_exit(mem_fails() * 1 + mem_fails() * 2 + mem_fails() * 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 2);
}

static void test_set(void **state)
{
	(void)state;
	assert_int_equal(flag_set(FLAG_GT_WORKERS, "3"), GT_OK);
	assert_int_equal(flag_int(FLAG_GT_WORKERS), 3);
	assert_string_equal(flag_text(FLAG_GT_WORKERS), "3");
	assert_int_equal(flag_set(FLAG_GT_WORKERS, "many"), GT_EINVAL);
	assert_int_equal(flag_int(FLAG_GT_WORKERS), 3);
	assert_string_equal(flag_text(FLAG_GT_WORKERS), "3");
	assert_int_equal(flag_set(FLAG_GT_WORKERS, "1"), GT_OK);
}

static void test_print(void **state)
{
	char *out;
	size_t size, lines = 0;
	FILE *f = open_memstream(&out, &size);

	(void)state;
	assert_non_null(f);
	flags_print(f);
	fclose(f);
	for (size_t i = 0; i < size; i++)
		lines += out[i] == '\n';
	assert_int_equal(lines, FLAG_COUNT);
#define FLAG(name, kind, most, preset, doc)    \
	assert_non_null(strstr(out, #name)); \
	assert_non_null(strstr(out, doc));
#include "base/flags.def"
	free(out);
}

static void *load(void *unused)
{
	(void)unused;
	return (void *)(intptr_t)(flags_load() + flag_int(FLAG_GT_RUNAHEAD));
}

/* In a child, where nothing has been read yet; a race would show under the thread sanitizer. */
static void test_threads(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (!pid) {
		pthread_t threads[8];
		void *got;
		int wrong = 0;

		for (size_t i = 0; i < COUNT(threads); i++)
			pthread_create(&threads[i], NULL, load, NULL);
		for (size_t i = 0; i < COUNT(threads); i++) {
			pthread_join(threads[i], &got);
			wrong += (intptr_t)got != 4096;
		}
		_exit(wrong);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What calls nothing of the flags comes first: a child inherits what its parent has read. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_values),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_first_error_stays),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_fail_alloc),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_print),
	};

	/* The variables of whoever runs the tests are not part of them. */
#define FLAG(name, kind, most, preset, doc) unsetenv(#name);
#include "base/flags.def"
	return cmocka_run_group_tests(tests, NULL, NULL);
}
