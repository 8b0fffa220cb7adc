/* test_store.c: the caching allocator: sizes, limit, reuse, foreign memory, failing, threads. */
#include "check.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "base/base.h"
#include "base/mem.h"
#include "engine/store.h"

#define MIB ((size_t)1 << 20)

static allocator_stats stats_of(allocator *a)
{
	allocator_stats s;

	allocator_get_stats(a, &s);
	return s;
}

/* ---- Sizes. ---- */

static void check_size(allocator *a, size_t size)
{
	storage *s = storage_new(a, size);

	assert_non_null(s);
	assert_int_equal(s->size, size);
	assert_int_equal(s->refs, 1);
	assert_int_equal((uintptr_t)s->data % CACHE_LINE, 0);
	memset(s->data, 0x5A, size);
	storage_drop(s);
}

static void test_all_sizes(void **state)
{
	allocator *a = allocator_new(UINT64_MAX);

	(void)state;
	for (size_t size = 0; size < 3000; size++)
		check_size(a, size);
	for (size_t size = 3000; size < 40 * MIB; size += size / 7)
		check_size(a, size);
	assert_int_equal(stats_of(a).live, 0);
	allocator_free(a);
}

/* What the cache keeps for a size is at most an eighth more. */
static void test_little_is_wasted(void **state)
{
	allocator *a = allocator_new(UINT64_MAX);

	(void)state;
	for (size_t size = 512; size < 5 * MIB; size += size / 5 + 1) {
		storage_drop(storage_new(a, size));
		assert_in_range(stats_of(a).cached, size, size + size / 8 + CACHE_LINE);
		allocator_trim(a);
		assert_int_equal(stats_of(a).cached, 0);
	}
	allocator_free(a);
}

/* Large ones that are not huge are there before they are written to. */
static void test_pages_are_provided(void **state)
{
	allocator *a = allocator_new(UINT64_MAX);
	storage *s = storage_new(a, MIB);
	unsigned char there[MIB / 4096];

	(void)state;
	assert_non_null(s);
	assert_int_equal(mincore(s->data, MIB, there), 0);
	for (size_t k = 0; k < COUNT(there); k++)
		assert_true(there[k] & 1);
	storage_drop(s);
	allocator_free(a);
}

static void test_blocks_are_reused(void **state)
{
	allocator *a = allocator_new(UINT64_MAX);
	static const size_t sizes[] = { 1, 100, 5000, 32768, 32769, 3 * MIB };

	(void)state;
	for (size_t n = 0; n < COUNT(sizes); n++) {
		storage *s = storage_new(a, sizes[n]);
		void *data = s->data;
		uint64_t calls;

		storage_drop(s);
		calls = stats_of(a).system_calls;
		for (int k = 0; k < 1000; k++) {
			s = storage_new(a, sizes[n]);
			assert_ptr_equal(s->data, data);
			storage_drop(s);
		}
		assert_int_equal(stats_of(a).system_calls, calls);
	}
	allocator_free(a);
}

/* Many blocks at once: none overlaps another, and all slabs go back. */
static void test_blocks_do_not_overlap(void **state)
{
	enum { N = 3000 };
	allocator *a = allocator_new(UINT64_MAX);
	static storage *s[N];

	(void)state;
	for (int n = 0; n < N; n++) {
		s[n] = storage_new(a, (size_t)(n * 37 % 20000) + 8);
		memset(s[n]->data, n & 0xff, s[n]->size);
	}
	for (int n = 0; n < N; n++) {
		const uint8_t *data = s[n]->data;

		assert_int_equal(data[0], n & 0xff);
		assert_int_equal(data[s[n]->size - 1], n & 0xff);
	}
	for (int n = 0; n < N; n += 2)
		storage_drop(s[n]);
	allocator_trim(a);
	for (int n = 1; n < N; n += 2) {
		assert_int_equal(*(uint8_t *)s[n]->data, n & 0xff);
		storage_drop(s[n]);
	}
	allocator_trim(a);
	assert_int_equal(stats_of(a).cached, 0);
	for (int n = 0; n < N; n++)
		s[n] = storage_new(a, 4096);
	for (int n = 0; n < N; n++)
		storage_drop(s[n]);
	allocator_free(a);
}

/* ---- The limit. ---- */

static void test_limit(void **state)
{
	allocator *a = allocator_new(10 * MIB);
	storage *first = storage_new(a, 6 * MIB), *second;

	(void)state;
	assert_non_null(first);
	assert_null(storage_new(a, 4 * MIB + 1));
	second = storage_new(a, 4 * MIB);
	assert_non_null(second);
	assert_null(storage_new(a, 1));
	assert_int_equal(stats_of(a).live, 10 * MIB);
	storage_drop(second);
	second = storage_new(a, 1);
	assert_non_null(second);
	storage_drop(first);
	storage_drop(second);
	assert_int_equal(stats_of(a).live, 0);
	assert_int_equal(stats_of(a).live_max, 10 * MIB);
	assert_null(storage_new(a, SIZE_MAX));
	allocator_free(a);
}

/* Blocks of other sizes in the cache do not stand in the way. */
static void test_cache_is_emptied_before_failing(void **state)
{
	allocator *a = allocator_new(10 * MIB);
	storage *s[9];

	(void)state;
	for (int n = 0; n < 9; n++)
		s[n] = storage_new(a, MIB);
	for (int n = 0; n < 9; n++)
		storage_drop(s[n]);
	assert_true(stats_of(a).cached >= 9 * MIB);
	s[0] = storage_new(a, 8 * MIB);
	assert_non_null(s[0]);
	assert_int_equal(stats_of(a).cached, 0);
	storage_drop(s[0]);
	allocator_free(a);
}

static void test_chosen_failure(void **state)
{
	allocator *a = allocator_new(UINT64_MAX);
	storage *s;

	(void)state;
	mem_fail_nth(2);
	s = storage_new(a, 100);
	assert_non_null(s);
	assert_null(storage_new(a, 100));
	storage_drop(s);
	s = storage_new(a, 100);
	assert_non_null(s);
	storage_drop(s);
	mem_fail_nth(0);
	allocator_free(a);
}

/* ---- References, foreign memory, the end. ---- */

static void count_release(void *ctx)
{
	++*(int *)ctx;
}

static void test_foreign_memory(void **state)
{
	allocator *a = allocator_new(MIB);
	char bytes[8];
	int released = 0;
	storage *s = storage_wrap(a, bytes, sizeof(bytes), count_release, &released);

	(void)state;
	assert_ptr_equal(s->data, bytes);
	storage_hold(s);
	storage_drop(s);
	assert_int_equal(released, 0);
	storage_drop(s);
	assert_int_equal(released, 1);
	storage_drop(storage_wrap(a, bytes, sizeof(bytes), NULL, NULL));
	allocator_free(a);
}

static void test_foreign_memory_counts(void **state)
{
	allocator *a = allocator_new(MIB);
	char byte;
	int released = 0;
	storage *s = storage_wrap(a, &byte, MIB - 100, count_release, &released);

	(void)state;
	assert_int_equal(stats_of(a).live, MIB - 100);
	assert_null(storage_wrap(a, &byte, 101, count_release, &released));
	assert_null(storage_new(a, 101));
	mem_fail_nth(1);
	assert_null(storage_wrap(a, &byte, 1, NULL, NULL));
	mem_fail_nth(0);
	assert_int_equal(released, 0);
	allocator_free(a);
	storage_drop(s);             /* outlives its allocator */
	assert_int_equal(released, 1);
}

static void test_references(void **state)
{
	allocator *a = allocator_new(MIB);
	storage *s = storage_new(a, 1000);

	(void)state;
	storage_hold(s);
	storage_drop(s);
	assert_int_equal(stats_of(a).live, 1000);
	storage_drop(s);
	assert_int_equal(stats_of(a).live, 0);
	allocator_free(a);
}

/* Exports outlive the worker; the leak check finds what the last of them leaves behind. */
static void test_storages_outlive_the_allocator(void **state)
{
	static const size_t sizes[] = { 100, 40000, 3 * MIB, 200 };
	allocator *a = allocator_new(UINT64_MAX);
	storage *s[COUNT(sizes)];

	(void)state;
	for (size_t n = 0; n < COUNT(sizes); n++)
		s[n] = storage_new(a, sizes[n]);
	allocator_free(a);
	for (size_t n = 0; n < COUNT(sizes); n++) {
		memset(s[n]->data, 1, sizes[n]);
		storage_drop(s[n]);
	}
	allocator_free(NULL);
}

/* ---- Threads: one makes, another holds and drops. ---- */

enum { ROUNDS = 20000, SHELF = 64 };

typedef struct shelf {
	allocator *a;
	storage *_Atomic places[SHELF];
} shelf;

static void *churn(void *ctx)
{
	shelf *sh = ctx;
	unsigned random = 12345;

	for (int n = 0; n < ROUNDS; n++) {
		storage *s, *old;

		random = random * 1103515245 + 12345;
		s = storage_new(sh->a, random >> 8 & 0xffff);
		memset(s->data, 1, s->size);
		old = __atomic_exchange_n((storage **)&sh->places[n % SHELF], s, __ATOMIC_ACQ_REL);
		if (old) {
			storage_hold(old);
			storage_drop(old);
			storage_drop(old);
		}
		if (n % 5000 == 0)
			allocator_trim(sh->a);
	}
	return NULL;
}

static void test_threads(void **state)
{
	shelf sh = { .a = allocator_new(UINT64_MAX) };
	pthread_t threads[3];

	(void)state;
	for (size_t n = 0; n < COUNT(threads); n++)
		assert_int_equal(pthread_create(&threads[n], NULL, churn, &sh), 0);
	for (size_t n = 0; n < COUNT(threads); n++)
		pthread_join(threads[n], NULL);
	for (size_t n = 0; n < SHELF; n++)
		if (sh.places[n])
			storage_drop(sh.places[n]);
	assert_int_equal(stats_of(sh.a).live, 0);
	assert_int_equal(stats_of(sh.a).allocations, COUNT(threads) * ROUNDS);
	allocator_free(sh.a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_little_is_wasted),
		cmocka_unit_test(test_pages_are_provided),
		cmocka_unit_test(test_blocks_are_reused),
		cmocka_unit_test(test_blocks_do_not_overlap),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_cache_is_emptied_before_failing),
		cmocka_unit_test(test_chosen_failure),
		cmocka_unit_test(test_foreign_memory),
		cmocka_unit_test(test_foreign_memory_counts),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_storages_outlive_the_allocator),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
