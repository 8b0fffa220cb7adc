/* test_cache.c: what is put is found again, by this process and others, until there is too much;
 * what is damaged is not there. */
#include "place.h"

#include <pthread.h>

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
	assert_int_equal(s.hits[CACHE_KERNEL], 2);
	assert_int_equal(s.misses[CACHE_KERNEL], 1);
	assert_int_equal(s.hits[CACHE_RECIPES] + s.misses[CACHE_RECIPES], 0);
	assert_int_equal(s.puts, 1);
	assert_int_equal(s.lost + s.damaged + s.evicted, 0);
	assert_int_equal(s.bytes_read, 8);
	assert_int_equal(s.bytes_written, 4);
	s = stats(NULL);
	assert_int_equal(s.hits[CACHE_KERNEL], 0);
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

/* ---- the limit ---- */

static void set_age(const place *p, const char *key, int seconds)
{
	const time_t then = time(NULL) - seconds;
	const struct timespec times[2] = { { then, 0 }, { then, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, path_of(p, key), times, 0), 0);
}

/* time() may be a tick behind the clock that files have their times from. */
static int age(const place *p, const char *key)
{
	struct timespec now;
	struct stat st;

	assert_int_equal(stat(path_of(p, key), &st), 0);
	clock_gettime(CLOCK_REALTIME, &now);
	return (int)(now.tv_sec - st.st_mtime);
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

/* Threads share a cache, the moment in which its directory is made included. */
static void *write_in_thread(void *ctx)
{
	cache *c = ctx;
	char key[16];
	intptr_t found = 0;

	for (int k = 0; k < 50; k++) {
		snprintf(key, sizeof key, "%d", k % 10);
		if (k % 3)
			keep(c, key, "value");
		found += has(c, key, "value");
	}
	return (void *)found;
}

static void test_threads(void **state)
{
	place *p = *state;
	pthread_t threads[WRITERS];
	uint64_t hits = 0;
	void *found;

	for (unsigned k = 0; k < WRITERS; k++)
		assert_int_equal(pthread_create(&threads[k], NULL, write_in_thread, p->c), 0);
	for (unsigned k = 0; k < WRITERS; k++) {
		pthread_join(threads[k], &found);
		hits += (uint64_t)(intptr_t)found;
	}
	assert_int_equal(stats(p->c).hits[CACHE_KERNEL], hits);
	assert_int_equal(stats(p->c).misses[CACHE_KERNEL], WRITERS * 50 - hits);
	assert_int_equal(stats(p->c).puts, WRITERS * 33);
	assert_int_equal(stats(p->c).lost + stats(p->c).damaged, 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip), TEST(test_stats), TEST(test_off), TEST(test_cut_anywhere),
		TEST(test_flipped_anywhere), TEST(test_collision), TEST(test_version),
		TEST(test_names), TEST(test_limit), TEST(test_too_large), TEST(test_usage),
		TEST(test_rests), TEST(test_processes), TEST(test_threads), TEST(test_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
