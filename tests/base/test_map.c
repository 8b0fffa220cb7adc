/* test_map.c: the id map against an array that cannot be wrong, and the interner. */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "base/map.h"

#define KEYS 4096

/* xorshift: the tests repeat themselves exactly. */
static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

/* Keys that stress the scatter: counters, multiples of the group, high bits only, the last ones. */
static uint64_t key_of(int family, uint64_t k)
{
	switch (family) {
	case 0:
		return k + 1;
	case 1:
		return (k + 1) * 16;
	case 2:
		return (k + 1) << 48;
	default:
		return UINT64_MAX - k;
	}
}

static void compare(const idmap *m, void *const *model, int family)
{
	size_t seen = 0;

	for (uint64_t k = 0; k < KEYS; k++)
		assert_ptr_equal(idmap_get(m, key_of(family, k)), model[k]);
	for (size_t i = 0; (i = idmap_next(m, i)); seen++)
		assert_ptr_equal(idmap_get(m, m->slots[i - 1].key), m->slots[i - 1].value);
	assert_int_equal(seen, m->count);
}

/* Phases of mostly putting and mostly taking, so that the map grows, empties and grows again. */
static void random_against_model(int family)
{
	static void *model[KEYS];
	idmap m = { 0 };
	uint64_t seed = 88172645463325252u + (uint64_t)family;
	size_t live = 0;

	memset(model, 0, sizeof model);
	for (int step = 0; step < 200000; step++) {
		uint64_t r = next_random(&seed), k = (r >> 8) % KEYS;
		bool put = (int)(r % 100) < (step / 20000 % 2 ? 25 : 75);

		live -= model[k] != NULL;
		if (put) {
			model[k] = (void *)(uintptr_t)(step + 1);
			idmap_put(&m, key_of(family, k), model[k]);
		} else {
			assert_ptr_equal(idmap_take(&m, key_of(family, k)), model[k]);
			model[k] = NULL;
		}
		live += model[k] != NULL;
		assert_int_equal(m.count, live);
		if (step % 10000 == 0)
			compare(&m, model, family);
	}
	compare(&m, model, family);
	idmap_fini(&m);
}

static void test_random(void **state)
{
	(void)state;
	for (int family = 0; family < 4; family++)
		random_against_model(family);
}

static void test_empty(void **state)
{
	idmap m = { 0 };

	(void)state;
	assert_null(idmap_get(&m, 1));
	assert_null(idmap_take(&m, 1));
	assert_int_equal(idmap_next(&m, 0), 0);
	idmap_fini(&m);
	idmap_fini(&m);
}

/* A session's life: a window of live ids that moves. The table must not grow with the ids
 * passed. */
static void test_moving_window(void **state)
{
	idmap m = { 0 };
	size_t capacity = 0;

	(void)state;
	for (uint64_t id = 1; id <= 1000000; id++) {
		idmap_put(&m, id, &m);
		if (id > 100)
			assert_ptr_equal(idmap_take(&m, id - 100), &m);
		if (id == 1000)
			capacity = m.capacity;
	}
	assert_int_equal(m.count, 100);
	assert_int_equal(m.capacity, capacity);
	idmap_fini(&m);
}

/* Four neighbours to a cache line, sixteen side by side. */
static void test_neighbours(void **state)
{
	idmap m = { 0 };

	(void)state;
	for (uint64_t id = 64; id < 80; id++)
		idmap_put(&m, id, &m);
	assert_int_equal((uintptr_t)m.slots % CACHE_LINE, 0);
	for (size_t i = 0, n = 0; (i = idmap_next(&m, i)); n++)
		assert_int_equal(m.slots[i - 1].key, 64 + n);
	idmap_fini(&m);
}

static void test_interner(void **state)
{
	interner *in = interner_new();
	char text[32];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 5000; i++) {
			int n = snprintf(text, sizeof text, "name%u", i);

			assert_int_equal(interner_put(in, text, (size_t)n), i);
		}
	}
	assert_string_equal(interner_get(in, 0), "name0");
	assert_string_equal(interner_get(in, 4999), "name4999");
	assert_null(interner_get(in, 5000));
	assert_null(interner_get(in, UINT32_MAX));

	/* The length counts, not a NUL. */
	assert_int_equal(interner_put(in, "name0!", 5), 0);
	assert_int_equal(interner_put(in, "", 0), 5000);
	assert_int_equal(interner_put(in, "a\0b", 3), 5001);
	assert_int_equal(interner_put(in, "a\0c", 3), 5002);
	assert_int_equal(interner_put(in, "a\0b", 3), 5001);
	interner_free(in);
	interner_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_moving_window),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_interner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
