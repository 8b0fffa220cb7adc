/* test_mem.c: failing on demand, dying of exhaustion, the arena. */
#include "check.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/base.h"
#include "base/mem.h"

static void test_fail_nth(void **state)
{
	void *p;

	(void)state;
	mem_fail_nth(3);
	for (int i = 1; i <= 5; i++) {
		p = mem_try(16);
		assert_int_equal(p == NULL, i == 3);
		mem_free(p);
	}
	mem_fail_nth(1);
	mem_fail_nth(0);
	assert_false(mem_fails());
}

static void test_try_huge(void **state)
{
	(void)state;
	assert_null(mem_try(SIZE_MAX / 2));
}

static void test_empty_sizes(void **state)
{
	void *p[] = { mem_alloc(0), mem_zero(0), mem_grow(NULL, 0), mem_try(0), mem_lines(0) };

	(void)state;
	for (size_t i = 0; i < COUNT(p); i++) {
		assert_non_null(p[i]);
		mem_free(p[i]);
	}
}

static void test_lines(void **state)
{
	(void)state;
	for (size_t size = 1; size < 300; size += 37) {
		uint8_t *p = mem_lines(size);

		assert_int_equal((uintptr_t)p % CACHE_LINE, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		mem_free(p);
	}
}

/* Run `f` in a child; the signal that ended it, and what it said on stderr. */
static int death(void (*f)(void), char *said, size_t room)
{
	int status, ends[2];
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		f();
		_exit(0);
	}
	close(ends[1]);
	n = read(ends[0], said, room - 1);
	said[MAX(n, 0)] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void ask_too_much(void)
{
	mem_die(12345);
}

static void test_dies_with_a_word(void **state)
{
	char said[256];

	(void)state;
	assert_int_equal(death(ask_too_much, said, sizeof said), SIGABRT);
	assert_non_null(strstr(said, "gt: out of memory for 12345 bytes"));
}

static void test_vector(void **state)
{
	int *v = NULL;
	uint32_t n = 0, room = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		VEC_ROOM(v, n, room);
		v[n++] = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(v[i], i);
	mem_free(v);
}

static void test_arena(void **state)
{
	arena a = { 0 };
	char *first, *texts[500];
	struct arena_block *kept;

	(void)state;
	first = arena_string(&a, "abcdef", 3);
	for (int i = 0; i < 500; i++) {
		char text[64];
		int n = snprintf(text, sizeof text, "text number %d", i);

		texts[i] = arena_string(&a, text, (size_t)n);
		assert_int_equal((uintptr_t)arena_alloc(&a, (size_t)(i * 7)) % 16, 0);
	}
	assert_string_equal(first, "abc");
	for (int i = 0; i < 500; i++)
		assert_int_equal(atoi(texts[i] + strlen("text number ")), i);

	/* The same work after a reset fits into the one block that was kept. */
	arena_alloc(&a, 10 << 20);
	arena_reset(&a);
	kept = a.block;
	for (int i = 0; i < 1000; i++)
		memset(arena_alloc(&a, 10000), i, 10000);
	assert_ptr_equal(a.block, kept);
	arena_fini(&a);
	assert_null(a.block);
	arena_reset(&a);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail_nth),
		cmocka_unit_test(test_try_huge),
		cmocka_unit_test(test_empty_sizes),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_dies_with_a_word),
		cmocka_unit_test(test_vector),
		cmocka_unit_test(test_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
