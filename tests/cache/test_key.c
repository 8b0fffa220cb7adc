/* test_key.c: a kernel's key tells apart whatever makes another code. */
#include "check.h"

#include <sched.h>
#include <string.h>
#include "base/base.h"
#include "cache/entry.h"
#include "cache/key.h"

static cache_bytes bytes(const buf *b) { return (cache_bytes){ b->data, b->size }; }

static void put(buf *to, const char *code, cpu_isa isa, codegen_rest rest, int level)
{
	const codegen_options o = { .isa = isa, .rest = rest, .level = level };

	to->size = 0;
	key_put(to, (cache_bytes){ code, strlen(code) }, &o);
}

static void test_differ(void **state)
{
	buf keys[6] = { { 0 } };

	(void)state;
	put(&keys[0], "group", ISA_AVX2, REST_AUTO, 0);
	put(&keys[1], "groups", ISA_AVX2, REST_AUTO, 0);
	put(&keys[2], "group", ISA_BASE, REST_AUTO, 0);
	put(&keys[3], "group", ISA_AVX2, REST_TAIL, 0);
	put(&keys[4], "group", ISA_AVX2, REST_AUTO, -1);
	put(&keys[5], "", ISA_AVX2, REST_AUTO, 0);
	for (size_t i = 0; i < COUNT(keys); i++)
		for (size_t j = 0; j < COUNT(keys); j++)
			assert_int_equal(entry_same(bytes(&keys[i]), bytes(&keys[j])), i == j);
	put(&keys[1], "group", ISA_AVX2, REST_AUTO, 0);
	assert_true(entry_same(bytes(&keys[0]), bytes(&keys[1])));
	for (size_t i = 0; i < COUNT(keys); i++)
		buf_fini(&keys[i]);
}

/* What a machine, a build, an LLVM of another kind would ask for is another key: each byte of it
 * counts, and lies in one of the parts. */
static void test_parts(void **state)
{
	char machine[MACHINE_NAME_MAX];
	buf b = { 0 }, features = { 0 };
	key k;

	(void)state;
	machine_describe(machine, &features);
	put(&b, "group", ISA_AVX512, REST_MASK, -2);
	assert_true(key_get(bytes(&b), &k));
	assert_int_equal(k.version, CODEGEN_VERSION);
	assert_int_equal(strlen(k.generator), 32);
	assert_true(*k.llvm);
	assert_string_equal(k.machine, machine);
	assert_true(entry_same(k.features, bytes(&features)));
	assert_int_equal(k.isa, ISA_AVX512);
	assert_int_equal(k.rest, REST_MASK);
	assert_int_equal(k.level, -2);
	assert_true(entry_same(k.group, (cache_bytes){ "group", 5 }));
	for (size_t n = 0; n < b.size; n++)
		assert_false(key_get((cache_bytes){ b.data, n }, &k));
	buf_put_u8(&b, 0);
	assert_false(key_get(bytes(&b), &k));
	buf_fini(&features);
	buf_fini(&b);
}

/* The same on every core, or nothing would ever be found again. */
static void test_machine(void **state)
{
	char name[2][MACHINE_NAME_MAX];
	buf first = { 0 }, again = { 0 };
	cpu_set_t mine;

	(void)state;
	machine_describe(name[0], &first);
	assert_true(strlen(name[0]) > 8);
	assert_true(first.size > 32);
	assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
	for (int k = 0; k < CPU_SETSIZE; k++) {
		cpu_set_t one;

		if (!CPU_ISSET(k, &mine))
			continue;
		CPU_ZERO(&one);
		CPU_SET(k, &one);
		assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
		again.size = 0;
		machine_describe(name[1], &again);
		assert_true(entry_same(bytes(&first), bytes(&again)));
		assert_string_equal(name[0], name[1]);
	}
	assert_int_equal(sched_setaffinity(0, sizeof mine, &mine), 0);
	buf_fini(&first);
	buf_fini(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differ), cmocka_unit_test(test_parts),
		cmocka_unit_test(test_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
