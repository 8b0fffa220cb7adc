/* test_guard.c: what others could have written is not read, no link is followed; a disk that takes
 * nothing is a cache that finds nothing. */
#include "place.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include "base/flags.h"
#include "cache/folder.h"

#define NOBODY 1234

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

/* ---- where it is --------------------------------------------------------------------------- */

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
	const struct CMUnitTest tests[] = {
		TEST(test_directory), TEST(test_owner), TEST(test_files), TEST(test_usage_link),
		TEST(test_read_only), TEST(test_full), TEST(test_full_disk), TEST(test_vanished),
		TEST(test_place), TEST(test_deep), TEST(test_said_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
