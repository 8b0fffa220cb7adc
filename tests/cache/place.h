/* place.h: a cache in a folder of its own for every test, and a look at its files. */
#ifndef TESTS_CACHE_PLACE_H
#define TESTS_CACHE_PLACE_H

#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/base.h"
#include "base/mem.h"
#include "cache/entry.h"

#define PLACE __attribute__((unused)) static
#define MIB (UINT64_C(1) << 20)
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

typedef struct place { char top[32], path[64]; cache *c; } place;

PLACE cache_bytes text(const char *s) { return (cache_bytes){ s, strlen(s) }; }

PLACE int setup(void **state)
{
	place *p = mem_zero(sizeof *p);

	strcpy(p->top, "/tmp/gt-cache-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	snprintf(p->path, sizeof p->path, "%s/gt", p->top);
	p->c = cache_open(p->path, 64 * MIB);
	*state = p;
	return 0;
}

PLACE int teardown(void **state)
{
	place *p = *state;
	char command[80];

	cache_close(p->c);
	snprintf(command, sizeof command, "rm -rf %s", p->top);
	assert_int_equal(system(command), 0);
	mem_free(p);
	return 0;
}

/* The cache as another process would see it. */
PLACE void reopen(place *p)
{
	cache_close(p->c);
	p->c = cache_open(p->path, 64 * MIB);
}

PLACE bool has(cache *c, const char *key, const char *value)
{
	buf b = { 0 };
	const bool hit = cache_get(c, CACHE_KERNEL, text(key), &b);

	if (hit && !entry_same((cache_bytes){ b.data, b.size }, text(value)))
		fail_msg("'%s' has another value", key);
	buf_fini(&b);
	return hit;
}

PLACE bool keep(cache *c, const char *key, const char *value)
{
	return cache_put(c, CACHE_KERNEL, text(key), text(value));
}

PLACE const char *path_of(const place *p, const char *key)
{
	static char path[160];
	char name[ENTRY_NAME_MAX];

	snprintf(path, sizeof path, "%s/%s", p->path, entry_name(CACHE_KERNEL, text(key), name));
	return path;
}

PLACE size_t load(const char *path, uint8_t *to, size_t room)
{
	const int fd = open(path, O_RDONLY);
	const ssize_t n = read(fd, to, room);

	assert_true(fd >= 0 && n >= 0);
	close(fd);
	return (size_t)n;
}

PLACE void store(const char *path, const void *data, size_t n)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	close(fd);
}

PLACE cache_stats stats(const cache *c)
{
	cache_stats s;

	cache_stats_of(c, &s);
	return s;
}

PLACE int wait_for(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

PLACE void expect_files(const place *p, const char *command, const char *expected)
{
	char line[160], found[80] = "";
	FILE *f;

	snprintf(line, sizeof line, "cd %s && %s", p->path, command);
	f = popen(line, "r");
	assert_non_null(f);
	if (!fgets(found, sizeof found, f))
		found[0] = '\0';
	pclose(f);
	assert_string_equal(found, expected);
}

#endif
