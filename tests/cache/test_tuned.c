/* test_tuned.c: choices of max-autotune as bytes: there and back; damaged ones are none. */
#include "place.h"
#include "cache/tuned.h"

static tuned_code codes[] = { { REST_AUTO, 0 }, { REST_TAIL, 4 }, { REST_MASK, 1 } };
static const tuned choice = { .taste = 1, .tried = 18, .usual_ns = 41000, .ns = 35000,
	.count = COUNT(codes), .codes = codes };

static void test_kept(void **state)
{
	const cache_bytes name = { "loop", 4 }, other = { "loop", 3 };
	cache *c = ((place *)*state)->c;
	tuned got;

	assert_false(tuned_get(c, name, &got));
	assert_true(tuned_put(c, name, &choice));
	assert_false(tuned_get(c, other, &got));
	assert_true(tuned_get(c, name, &got));
	assert_int_equal(got.taste, 1);
	assert_int_equal(got.tried, 18);
	assert_int_equal(got.usual_ns, 41000);
	assert_int_equal(got.ns, 35000);
	assert_int_equal(got.count, COUNT(codes));
	assert_memory_equal(got.codes, codes, sizeof codes);
	mem_free(got.codes);
	assert_false(tuned_put(NULL, name, &choice));
	assert_false(tuned_get(NULL, name, &got));
}

/* Every byte changed, and every length. */
static void test_damaged(void **state)
{
	const cache_bytes name = { "loop", 4 };
	cache *c = ((place *)*state)->c;
	buf value = { 0 };
	uint8_t *copy;

	assert_true(tuned_put(c, name, &choice));
	assert_true(cache_get(c, CACHE_TUNED, name, &value));
	assert_true(tuned_is_sound((cache_bytes){ value.data, value.size }));
	for (size_t n = 0; n < value.size; n++) {
		copy = mem_alloc(n + 1);
		memcpy(copy, value.data, n);
		assert_false(tuned_is_sound((cache_bytes){ copy, n }));
		mem_free(copy);
	}
	value.data[0] ^= 1;              /* the version */
	assert_false(tuned_is_sound((cache_bytes){ value.data, value.size }));
	value.data[0] ^= 1;
	value.data[value.size - 1] = 5;  /* vectors at a time */
	assert_false(tuned_is_sound((cache_bytes){ value.data, value.size }));
	value.data[value.size - 1] = 1;
	value.data[value.size - 2] = 3;  /* how rows end */
	assert_false(tuned_is_sound((cache_bytes){ value.data, value.size }));
	buf_fini(&value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kept), TEST(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
