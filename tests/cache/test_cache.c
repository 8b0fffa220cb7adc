/* test_cache.c: what is put is found again, by this process and others; whatever stands in the way
 * is a miss. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/base.h"
#include "base/flags.h"
#include "base/mem.h"
#include "cache/entry.h"
#include "cache/folder.h"

#define NOBODY 1234
#define MIB (UINT64_C(1) << 20)

typedef struct place { char top[32], path[64]; cache *c; } place;

static cache_bytes text(const char *s) { return (cache_bytes){ s, strlen(s) }; }

static int setup(void **state)
{
	place *p = mem_zero(sizeof *p);

	strcpy(p->top, "/tmp/gt-cache-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	snprintf(p->path, sizeof p->path, "%s/gt", p->top);
	p->c = cache_open(p->path, 64 * MIB);
	*state = p;
	return 0;
}

static int teardown(void **state)
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
static void reopen(place *p)
{
	cache_close(p->c);
	p->c = cache_open(p->path, 64 * MIB);
}

static bool has(cache *c, const char *key, const char *value)
{
	buf b = { 0 };
	const bool hit = cache_get(c, CACHE_KERNEL, text(key), &b);

	if (hit && !entry_same((cache_bytes){ b.data, b.size }, text(value)))
		fail_msg("'%s' has another value", key);
	buf_fini(&b);
	return hit;
}

static bool keep(cache *c, const char *key, const char *value)
{
	return cache_put(c, CACHE_KERNEL, text(key), text(value));
}

static const char *path_of(const place *p, const char *key)
{
	static char path[160];
	char name[ENTRY_NAME_MAX];

	snprintf(path, sizeof path, "%s/%s", p->path, entry_name(CACHE_KERNEL, text(key), name));
	return path;
}

static size_t load(const char *path, uint8_t *to, size_t room)
{
	const int fd = open(path, O_RDONLY);
	const ssize_t n = read(fd, to, room);

	assert_true(fd >= 0 && n >= 0);
	close(fd);
	return (size_t)n;
}

static void store(const char *path, const void *data, size_t n)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, data, n) == (ssize_t)n);
	close(fd);
}

static cache_stats stats(const cache *c)
{
	cache_stats s;

	cache_stats_of(c, &s);
	return s;
}

/* ---- what it is for ---- */

static void test_round_trip(void **state)
{
	place *p = *state;
	buf b = { 0 };
	struct stat st;

	assert_false(has(p->c, "a", ""));
	assert_int_equal(stat(p->path, &st), -1);        /* asking makes nothing */
	assert_true(keep(p->c, "a", "1"));
	assert_true(keep(p->c, "b", ""));
	assert_true(cache_put(p->c, CACHE_RECIPES, text("a"), text("other kind")));
	assert_true(has(p->c, "a", "1") && has(p->c, "b", "") && !has(p->c, "c", ""));
	reopen(p);
	assert_true(has(p->c, "a", "1") && has(p->c, "b", ""));
	assert_true(cache_get(p->c, CACHE_RECIPES, text("a"), &b));
	assert_int_equal(b.size, 10);
	assert_true(keep(p->c, "a", "2"));
	assert_true(has(p->c, "a", "2"));
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(path_of(p, "a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	buf_fini(&b);
}

static void test_stats(void **state)
{
	place *p = *state;
	cache_stats s;

	has(p->c, "a", "");
	keep(p->c, "a", "1234");
	has(p->c, "a", "1234");
	has(p->c, "a", "1234");
	s = stats(p->c);
	assert_int_equal(s.hits, 2);
	assert_int_equal(s.misses, 1);
	assert_int_equal(s.puts, 1);
	assert_int_equal(s.lost + s.damaged + s.evicted, 0);
	assert_int_equal(s.bytes_read, 8);
	assert_int_equal(s.bytes_written, 4);
	s = stats(NULL);
	assert_int_equal(s.hits, 0);
}

static void test_off(void **state)
{
	(void)state;
	assert_false(has(NULL, "a", ""));
	assert_false(keep(NULL, "a", "1"));
	cache_close(NULL);
}

/* ---- damage ---- */

static void test_cut_anywhere(void **state)
{
	place *p = *state;
	uint8_t whole[256];
	size_t n;

	keep(p->c, "key", "some value");
	n = load(path_of(p, "key"), whole, sizeof whole);
	assert_int_equal(n, ENTRY_HEAD + 3 + 10 + ENTRY_SUM);
	for (size_t k = 0; k < n; k++) {
		store(path_of(p, "key"), whole, k);
		if (has(p->c, "key", ""))
			fail_msg("found although cut to %zu of %zu bytes", k, n);
	}
	assert_int_equal(stats(p->c).damaged, n);
	whole[n] = 0;
	store(path_of(p, "key"), whole, n + 1);
	assert_false(has(p->c, "key", ""));
	store(path_of(p, "key"), whole, n);
	assert_true(has(p->c, "key", "some value"));
}

static void test_flipped_anywhere(void **state)
{
	place *p = *state;
	uint8_t whole[256];
	size_t n;

	keep(p->c, "key", "some value");
	n = load(path_of(p, "key"), whole, sizeof whole);
	for (size_t bit = 0; bit < 8 * n; bit++) {
		whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
		store(path_of(p, "key"), whole, n);
		if (has(p->c, "key", ""))
			fail_msg("found although bit %zu is flipped", bit);
		whole[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	keep(p->c, "key", "a new value");
	assert_true(has(p->c, "key", "a new value"));
}

/* As if two keys had one hash: the file of one under the name of the other. */
static void test_collision(void **state)
{
	place *p = *state;
	char first[160];

	keep(p->c, "first", "1");
	strcpy(first, path_of(p, "first"));
	assert_int_equal(rename(first, path_of(p, "second")), 0);
	assert_false(has(p->c, "second", ""));
	assert_int_equal(stats(p->c).damaged, 1);
	keep(p->c, "second", "2");
	assert_true(has(p->c, "second", "2"));
}

static void test_version(void **state)
{
	place *p = *state;
	uint8_t whole[256];
	entry e;
	size_t n;

	keep(p->c, "key", "value");
	n = load(path_of(p, "key"), whole, sizeof whole);
	assert_null(entry_decode(whole, n, &e));
	whole[7]++;
	assert_string_equal(entry_decode(whole, n, &e), "of another version");
	whole[0]++;
	assert_string_equal(entry_decode(whole, n, &e), "not a file of this cache");
	assert_string_equal(entry_decode(whole, 3, &e), "cut short");
}

static void test_names(void **state)
{
	char name[ENTRY_NAME_MAX];
	cache_kind kind;

	(void)state;
	for (unsigned k = 0; k < CACHE_KINDS; k++) {
		assert_true(entry_is_name(entry_name((cache_kind)k, text("x"), name), &kind));
		assert_int_equal(kind, k);
	}
	name[0] = 'g';
	assert_false(entry_is_name(name, &kind));
	assert_false(entry_is_name("", &kind));
	assert_false(entry_is_name("../x", &kind));
	assert_false(entry_is_name("0123456789abcdef0123456789abcdef", &kind));
	assert_false(entry_is_name("0123456789abcdef0123456789abcdef.txt", &kind));
}

/* ---- who may write there ---- */

static void refused(place *p, const char *what)
{
	reopen(p);
	if (has(p->c, "a", "1"))
		fail_msg("read although %s", what);
	if (keep(p->c, "b", "2"))
		fail_msg("written although %s", what);
	assert_int_equal(stats(p->c).lost, 1);
}

static void test_directory(void **state)
{
	place *p = *state;
	char other[80];

	keep(p->c, "a", "1");
	assert_int_equal(chmod(p->path, 0720), 0);
	refused(p, "the group may write");
	assert_int_equal(chmod(p->path, 0702), 0);
	refused(p, "others may write");
	assert_int_equal(chmod(p->path, 0755), 0);
	reopen(p);
	assert_true(has(p->c, "a", "1"));

	snprintf(other, sizeof other, "%s/other", p->top);
	assert_int_equal(rename(p->path, other), 0);
	assert_int_equal(symlink(other, p->path), 0);
	refused(p, "it is a link");
	strcat(p->path, "/");
	refused(p, "it is a link, named with a slash");
	p->path[strlen(p->path) - 1] = '\0';
	assert_int_equal(unlink(p->path), 0);
	store(p->path, "x", 1);
	refused(p, "it is a file");
}

static void test_owner(void **state)
{
	place *p = *state;
	int fd;

	if (geteuid()) {         /* only root can give something away */
		assert_string_equal(folder_open("/usr", false, &fd), "belongs to another user");
		return;
	}
	keep(p->c, "a", "1");
	keep(p->c, "c", "3");
	assert_int_equal(chown(path_of(p, "c"), NOBODY, NOBODY), 0);
	assert_false(has(p->c, "c", ""));
	assert_int_equal(chown(p->path, NOBODY, NOBODY), 0);
	refused(p, "it belongs to another user");
}

static void test_files(void **state)
{
	place *p = *state;
	char aside[96];

	keep(p->c, "a", "1");
	snprintf(aside, sizeof aside, "%s/aside", p->top);
	assert_int_equal(rename(path_of(p, "a"), aside), 0);
	assert_int_equal(symlink(aside, path_of(p, "a")), 0);
	assert_false(has(p->c, "a", ""));
	keep(p->c, "a", "2");            /* replaces the link, does not write through it */
	assert_true(has(p->c, "a", "2"));
	assert_int_equal(unlink(path_of(p, "a")), 0);
	assert_int_equal(rename(aside, path_of(p, "a")), 0);
	assert_true(has(p->c, "a", "1"));

	assert_int_equal(chmod(path_of(p, "a"), 0620), 0);
	assert_false(has(p->c, "a", ""));
	assert_int_equal(unlink(path_of(p, "a")), 0);
	assert_int_equal(mkfifo(path_of(p, "a"), 0600), 0);
	assert_false(has(p->c, "a", ""));        /* and does not wait for a writer */
	assert_int_equal(unlink(path_of(p, "a")), 0);
	assert_int_equal(mkdir(path_of(p, "a"), 0700), 0);
	assert_false(has(p->c, "a", ""));
	assert_int_equal(stats(p->c).damaged, 4);
}

/* The file that holds the sum is not written through a link either. */
static void test_usage_link(void **state)
{
	place *p = *state;
	char usage[96], victim[96];
	uint8_t found[8];

	keep(p->c, "a", "1");
	snprintf(usage, sizeof usage, "%s/usage", p->path);
	snprintf(victim, sizeof victim, "%s/victim", p->top);
	store(victim, "precious", 8);
	assert_int_equal(unlink(usage), 0);
	assert_int_equal(symlink(victim, usage), 0);
	assert_true(keep(p->c, "b", "2"));
	assert_int_equal(load(victim, found, sizeof found), 8);
	assert_memory_equal(found, "precious", 8);
}

/* ---- disks that do not take it ---- */

/* For root nothing is read-only: become somebody else. */
static int child_read_only(const place *p)
{
	cache *c = cache_open(p->path, 64 * MIB);

	if (!geteuid() && (chown(p->top, NOBODY, NOBODY) || chown(p->path, NOBODY, NOBODY) ||
	    chown(path_of(p, "a"), NOBODY, NOBODY) || seteuid(NOBODY)))
		return 1;
	if (chmod(p->path, 0500))
		return 2;
	if (!has(c, "a", "1"))
		return 3;
	if (keep(c, "b", "2") || keep(c, "c", "3"))
		return 4;
	if (!has(c, "a", "1") || stats(c).lost != 2)
		return 5;
	return chmod(p->path, 0700) ? 6 : 0;
}

static int wait_for(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void test_read_only(void **state)
{
	place *p = *state;
	pid_t child;

	keep(p->c, "a", "1");
	if (!(child = fork()))
		_exit(child_read_only(p));
	assert_int_equal(wait_for(child), 0);
}

/* No more than `limit` bytes fit into a file: what a full disk looks like to the one who writes. */
static int child_full(const place *p, rlim_t limit)
{
	const struct rlimit r = { limit, limit };
	static char large[100000];
	cache *c = cache_open(p->path, 64 * MIB);

	memset(large, 'x', sizeof large - 1);
	if (setrlimit(RLIMIT_FSIZE, &r))
		return 1;
	if (!has(c, "a", "1"))
		return 2;
	if (keep(c, "large", large))
		return 3;
	if (has(c, "large", "") || !has(c, "a", "1"))
		return 4;
	return stats(c).lost == 1 ? 0 : 5;
}

static void expect_files(const place *p, const char *command, const char *expected)
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

static void test_full(void **state)
{
	static const rlim_t limits[] = { 0, 1, ENTRY_HEAD, 5000, 99999 };
	place *p = *state;

	keep(p->c, "a", "1");
	for (size_t k = 0; k < COUNT(limits); k++) {
		const pid_t child = fork();

		if (!child)
			_exit(child_full(p, limits[k]));
		assert_int_equal(wait_for(child), 0);
	}
	expect_files(p, "ls -A | grep -c new", "0\n");
}

/* The same on a disk of 64 KiB. */
static void test_full_disk(void **state)
{
	place *p = *state;
	char key[16];
	int kept = 0;

	assert_int_equal(mkdir(p->path, 0700), 0);
	if (mount("gt-test", p->path, "tmpfs", 0, "size=64k,mode=0700"))
		return;          /* it takes root, and not every machine lets root; see test_full */
	for (int k = 0; k < 100; k++) {
		snprintf(key, sizeof key, "%d", k);
		kept += keep(p->c, key, "value");
	}
	assert_in_range(kept, 4, 16);
	assert_int_equal(stats(p->c).lost, 100 - kept);
	for (int k = 0; k < 100; k++) {
		snprintf(key, sizeof key, "%d", k);
		assert_int_equal(has(p->c, key, "value"), k < kept);
	}
	cache_close(p->c);
	p->c = NULL;
	assert_int_equal(umount2(p->path, MNT_DETACH), 0);
}

static void test_vanished(void **state)
{
	place *p = *state;
	char command[96];

	keep(p->c, "a", "1");
	snprintf(command, sizeof command, "rm -rf %s", p->path);
	assert_int_equal(system(command), 0);
	assert_false(has(p->c, "a", ""));
	assert_true(keep(p->c, "b", "2"));
	assert_true(has(p->c, "b", "2"));
}

/* ---- the limit ---- */

static void set_age(const place *p, const char *key, int seconds)
{
	const time_t then = time(NULL) - seconds;
	const struct timespec times[2] = { { then, 0 }, { then, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, path_of(p, key), times, 0), 0);
}

static int age(const place *p, const char *key)
{
	struct stat st;

	assert_int_equal(stat(path_of(p, key), &st), 0);
	return (int)(time(NULL) - st.st_mtime);
}

/* Room for 16 blocks: 16 small entries; the 17th drives out what is above 14. */
static void test_limit(void **state)
{
	place *p = *state;
	cache *c = cache_open(p->path, 65536);
	char key[16];

	for (int k = 0; k < 16; k++) {
		snprintf(key, sizeof key, "%d", k);
		assert_true(keep(c, key, "value"));
		set_age(p, key, 10000 - k);
	}
	assert_int_equal(stats(c).evicted, 0);
	assert_true(has(c, "0", "value") && has(c, "2", "value"));
	assert_in_range(age(p, "2"), 0, 10);
	assert_in_range(age(p, "3"), 9990, 10010);
	assert_true(keep(c, "new", "value"));
	assert_int_equal(stats(c).evicted, 3);
	for (int k = 0; k < 16; k++) {
		snprintf(key, sizeof key, "%d", k);
		assert_int_equal(has(c, key, "value"), k != 1 && k != 3 && k != 4);
	}
	assert_true(has(c, "new", "value"));
	cache_close(c);
}

static void test_too_large(void **state)
{
	place *p = *state;
	static char large[20000];
	cache *c = cache_open(p->path, 65536), *none = cache_open(p->path, 0);

	memset(large, 'x', sizeof large - 1);
	assert_true(keep(c, "small", "1"));
	assert_false(keep(c, "large", large));
	assert_true(keep(c, "other", "2"));      /* only that one was too large */
	assert_int_equal(stats(c).lost, 1);
	assert_false(keep(none, "x", "1"));
	cache_close(c);
	cache_close(none);
}

/* Whatever the sum says: damaged it is made anew, and far too large it is corrected. */
static void test_usage(void **state)
{
	static const uint64_t wrong[][3] = { { 0 }, { UINT64_MAX, 1, 1 },
		{ UINT64_C(0x3145474153555447), UINT64_MAX - 5, 1 },
		{ UINT64_C(0x3145474153555447), 0, UINT64_MAX } };
	place *p = *state;
	char usage[96], key[16];
	uint64_t sum[3];

	keep(p->c, "a", "1");
	snprintf(usage, sizeof usage, "%s/usage", p->path);
	for (size_t k = 0; k < COUNT(wrong); k++) {
		snprintf(key, sizeof key, "%zu", k);
		store(usage, wrong[k], k ? sizeof wrong[k] : 5);
		assert_true(keep(p->c, key, "value"));
		assert_int_equal(load(usage, (uint8_t *)sum, sizeof sum), sizeof sum);
		assert_int_equal(sum[1], (k + 2) * 4096);
	}
	assert_true(has(p->c, "a", "1"));
	assert_int_equal(stats(p->c).evicted, 0);
}

/* What a killed writer left is removed once nobody can be writing it any more. */
static void test_rests(void **state)
{
	const struct timespec old[2] = { { time(NULL) - 7200, 0 }, { time(NULL) - 7200, 0 } };
	place *p = *state;
	char path[96], usage[96];

	keep(p->c, "a", "1");
	snprintf(path, sizeof path, "%s/.new-0123456789abcdef", p->path);
	store(path, "half", 4);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	snprintf(path, sizeof path, "%s/.new-fresh", p->path);
	store(path, "half", 4);
	snprintf(usage, sizeof usage, "%s/usage", p->path);
	assert_int_equal(unlink(usage), 0);
	keep(p->c, "b", "2");
	expect_files(p, "ls -A | grep new", ".new-fresh\n");
}

/* ---- many at once ---- */

#define WRITERS 6
#define ROUNDS 150

/* Each writes and reads the same few keys; a value says its key, so whatever is found is right or
 * it is not. */
static int child_write(const place *p, unsigned seed)
{
	cache *c = cache_open(p->path, 65536);
	char key[16], value[4000];

	for (unsigned k = 0; k < ROUNDS; k++) {
		const unsigned n = (k * 7 + seed * 3) % 40;
		buf b = { 0 };

		snprintf(key, sizeof key, "key %u", n);
		memset(value, 'a' + (int)n % 26, 100 + n * 90);
		value[100 + n * 90] = '\0';
		if (k % 3 && !keep(c, key, value))
			return 1;
		if (cache_get(c, CACHE_KERNEL, text(key), &b) &&
		    !entry_same((cache_bytes){ b.data, b.size }, text(value)))
			return 2;
		buf_fini(&b);
	}
	if (stats(c).damaged)
		return 3;
	cache_close(c);
	return 0;
}

static void count_bytes(void *ctx, const cache_file *f)
{
	assert_null(f->wrong);
	*(uint64_t *)ctx += f->size;
}

static void test_processes(void **state)
{
	place *p = *state;
	pid_t children[WRITERS];
	uint64_t bytes = 0;

	for (unsigned k = 0; k < WRITERS; k++)
		if (!(children[k] = fork()))
			_exit(child_write(p, k));
	for (unsigned k = 0; k < WRITERS; k++)
		assert_int_equal(wait_for(children[k]), 0);
	expect_files(p, "ls -A | grep -c new", "0\n");
	assert_int_equal(cache_each(p->c, count_bytes, &bytes), GT_OK);
	assert_in_range(bytes, 4096, 2 * 65536);
}

/* ---- looking at it ---- */

typedef struct seen { unsigned fine, wrong; char name[ENTRY_NAME_MAX]; } seen;

static void see(void *ctx, const cache_file *f)
{
	seen *s = ctx;

	s->fine += !f->wrong;
	s->wrong += !!f->wrong;
	if (f->wrong)
		strcpy(s->name, f->name);
}

static void test_each(void **state)
{
	place *p = *state;
	seen s = { 0 };

	assert_int_equal(cache_each(p->c, see, &s), GT_OK);
	assert_int_equal(s.fine + s.wrong, 0);
	keep(p->c, "a", "1");
	keep(p->c, "b", "2");
	keep(p->c, "c", "3");
	assert_int_equal(truncate(path_of(p, "b"), 30), 0);
	assert_int_equal(cache_each(p->c, see, &s), GT_OK);
	assert_int_equal(s.fine, 2);
	assert_int_equal(s.wrong, 1);
	assert_int_equal(cache_remove(p->c, s.name), GT_OK);
	assert_int_equal(cache_remove(p->c, s.name), GT_EIO);
	assert_int_equal(cache_remove(p->c, "usage"), GT_EIO);
	assert_int_equal(cache_remove(p->c, "../gt"), GT_EIO);
	s = (seen){ 0 };
	assert_int_equal(cache_each(p->c, see, &s), GT_OK);
	assert_int_equal(s.fine, 2);
	assert_int_equal(s.wrong, 0);
	assert_int_equal(chmod(p->path, 0777), 0);
	assert_int_equal(cache_each(p->c, see, &s), GT_EIO);
}

static void check_place(const char *setting, const char *expected)
{
	char *path = cache_place(setting);

	if (expected)
		assert_string_equal(path, expected);
	else
		assert_null(path);
	mem_free(path);
}

static void test_place(void **state)
{
	(void)state;
	setenv("HOME", "/home/me", 1);
	unsetenv("XDG_CACHE_HOME");
	check_place("", NULL);
	check_place("/somewhere/else", "/somewhere/else");
	check_place("$XDG_CACHE_HOME/gt", "/home/me/.cache/gt");
	check_place("$XDG_CACHE_HOMELESS/gt", "$XDG_CACHE_HOMELESS/gt");
	setenv("XDG_CACHE_HOME", "relative", 1);
	check_place("$XDG_CACHE_HOME/gt", "/home/me/.cache/gt");
	setenv("XDG_CACHE_HOME", "/var/me", 1);
	check_place("$XDG_CACHE_HOME/gt", "/var/me/gt");
	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	check_place("$XDG_CACHE_HOME/gt", NULL);
}

/* Missing folders above are made, for this user only. */
static void test_deep(void **state)
{
	place *p = *state;
	char path[96];
	cache *c;

	snprintf(path, sizeof path, "%s/x/y/z///", p->top);
	c = cache_open(path, MIB);
	assert_true(keep(c, "a", "1"));
	assert_true(has(c, "a", "1"));
	cache_close(c);
}

/* One line for the first damaged entry, none for the second. */
static void test_said_once(void **state)
{
	place *p = *state;
	char line[512] = "";
	FILE *f = tmpfile();
	const int err = dup(STDERR_FILENO);

	assert_non_null(f);
	keep(p->c, "a", "1");
	keep(p->c, "b", "2");
	assert_int_equal(truncate(path_of(p, "a"), 30), 0);
	assert_int_equal(truncate(path_of(p, "b"), 30), 0);
	dup2(fileno(f), STDERR_FILENO);
	has(p->c, "a", "");              /* silent by default */
	flag_set(FLAG_GT_DEBUG_COMPILE, "1");
	has(p->c, "a", "");
	has(p->c, "b", "");
	flag_set(FLAG_GT_DEBUG_COMPILE, "0");
	dup2(err, STDERR_FILENO);
	close(err);
	rewind(f);
	assert_non_null(fgets(line, sizeof line, f));
	assert_non_null(strstr(line, "gt: code cache: "));
	assert_non_null(strstr(line, "cut short"));
	assert_null(fgets(line, sizeof line, f));
	fclose(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip), TEST(test_stats), TEST(test_off), TEST(test_cut_anywhere),
		TEST(test_flipped_anywhere), TEST(test_collision), TEST(test_version),
		TEST(test_names), TEST(test_directory), TEST(test_owner), TEST(test_files),
		TEST(test_usage_link), TEST(test_read_only), TEST(test_full), TEST(test_full_disk),
		TEST(test_vanished), TEST(test_limit), TEST(test_too_large), TEST(test_usage),
		TEST(test_rests), TEST(test_processes), TEST(test_each), TEST(test_place),
		TEST(test_deep), TEST(test_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
