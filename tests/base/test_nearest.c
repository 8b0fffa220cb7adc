/* test_nearest.c: edit distance and the proposals made from it. */
#include "check.h"

#include <string.h>
#include "base/base.h"
#include "base/nearest.h"

static void test_edits(void **state)
{
	static const struct { const char *a, *b; unsigned edits; } cases[] = {
		{ "", "", 0 }, { "", "abc", 3 }, { "abc", "", 3 }, { "abc", "abc", 0 },
		{ "abc", "abd", 1 }, { "abc", "ab", 1 }, { "abc", "abcd", 1 }, { "abc", "acb", 1 },
		{ "ABC", "abc", 0 }, { "kitten", "sitting", 3 }, { "axes", "axis", 1 },
		{ "ca", "abc", 3 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(nearest_edits(cases[i].a, cases[i].b), cases[i].edits);
		assert_int_equal(nearest_edits(cases[i].b, cases[i].a), cases[i].edits);
	}
}

static void test_long(void **state)
{
	char a[500], b[500];

	(void)state;
	memset(a, 'a', sizeof a);
	memset(b, 'b', sizeof b);
	a[499] = b[499] = '\0';
	assert_int_equal(nearest_edits(a, b), NEAREST_MAX);
	assert_int_equal(nearest_edits(a, ""), NEAREST_MAX);
}

static void test_names(void **state)
{
	static const char *const names[] = { "matmul", "mul", "minimum", "maximum" };

	(void)state;
	assert_string_equal(nearest_name("mull", names, 4), "mul");
	assert_string_equal(nearest_name("matmull", names, 4), "matmul");
	assert_string_equal(nearest_name("zzz", names, 4), "mul");
	assert_string_equal(nearest_likely("maxmum", names, 4), "maximum");
	assert_null(nearest_likely("zzz", names, 4));
	assert_null(nearest_name("x", names, 0));
	assert_null(nearest_likely("x", names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
