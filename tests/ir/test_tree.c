/* test_tree.c: the reduction tree against its definition, and golden bits: the tree is frozen. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ir/tree.h"

#define ADD(a, b) ((a) + (b))
#define LARGER(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))
TREE_DEFINE(sum32, float, -0.0f, ADD)
TREE_DEFINE(sum64, double, -0.0, ADD)
TREE_DEFINE(max32, float, -INFINITY, LARGER)

static uint32_t bits(float v)
{
	uint32_t b;

	memcpy(&b, &v, sizeof b);
	return b;
}

/* Steps 1 to 5 of tree.h, word for word, with missing elements left out instead of added as
 * identities. */
static float fold_lanes(const float *lane, const int *used, int n, int first)
{
	float left, right;

	if (n == 1)
		return lane[first];
	/* pairs at distance 8, then 4, ...: the last addition joins even and odd lanes */
	left = fold_lanes(lane, used, n / 2, first);
	if (!used[first + 16 / n])
		return left;
	right = fold_lanes(lane, used, n / 2, first + 16 / n);
	return left + right;
}

static float block_by_definition(const float *x, int64_t n)
{
	float lane[16] = { 0 };
	int used[32] = { 0 };

	for (int64_t i = 0; i < n; i++) {
		lane[i % 16] = used[i % 16] ? lane[i % 16] + x[i] : x[i];
		used[i % 16] = 1;
	}
	return fold_lanes(lane, used, 16, 0);
}

static float blocks_by_definition(const float *x, int64_t blocks, int64_t n)
{
	int64_t p = 1;

	if (blocks == 1)
		return block_by_definition(x, n);
	while (p * 2 < blocks)
		p *= 2;
	return blocks_by_definition(x, p, p * TREE_BLOCK) +
		blocks_by_definition(x + p * TREE_BLOCK, blocks - p, n - p * TREE_BLOCK);
}

static float *random_floats(int64_t n)
{
	float *x = malloc((size_t)n * sizeof *x);
	uint64_t r = 7;

	for (int64_t i = 0; i < n; i++) {
		r = r * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		x[i] = (float)((double)(int64_t)r / 4e15) * (float)(1 + (r >> 60));
	}
	return x;
}

static void test_definition(void **state)
{
	const int64_t most = 23 * TREE_BLOCK + 5;
	float *x = random_floats(most);

	(void)state;
	assert_int_equal(bits(sum32_all(x, 0, 0.0f)), 0);
	for (int64_t n = 1; n <= most; n += n < 100 ? 1 : n < 9000 ? 61 : 1237)
		assert_int_equal(bits(sum32_all(x, n, 0.0f)),
			bits(blocks_by_definition(x, tree_blocks(n), n)));
	for (int64_t blocks = 1; blocks <= 23; blocks++)
		assert_int_equal(bits(sum32_all(x, blocks * TREE_BLOCK, 0.0f)),
			bits(blocks_by_definition(x, blocks, blocks * TREE_BLOCK)));
	free(x);
}

/* Padding with identities, as vector kernels do, changes nothing; not even the sign of zero. */
static void test_padding(void **state)
{
	float *x = random_floats(64), padded[64];

	(void)state;
	x[0] = -0.0f;
	for (int n = 1; n < 64; n++) {
		for (int i = 0; i < 64; i++)
			padded[i] = i < n ? x[i] : -0.0f;
		assert_int_equal(bits(sum32_block(x, n)), bits(sum32_block(padded, 64)));
	}
	assert_int_equal(bits(sum32_all(x, 1, 0.0f)), 0x80000000);
	free(x);
}

static void test_maximum(void **state)
{
	float x[5000];

	(void)state;
	for (int i = 0; i < 5000; i++)
		x[i] = -INFINITY;
	assert_true(max32_all(x, 5000, 0) == -INFINITY);
	x[4500] = -3;
	assert_true(max32_all(x, 5000, 0) == -3);
	x[17] = NAN;
	assert_true(isnan(max32_all(x, 5000, 0)));
	assert_false(isnan(max32_all(x, 17, 0)));
}

/* If one of these changes, results that users have seen change. */
static void test_frozen(void **state)
{
	static const struct { int64_t n; uint32_t sum32;
	} golden[] = {
		{ 1, 0x3f800000 },
		{ 3, 0x3feaaaab },
		{ 15, 0x40545dde },
		{ 16, 0x40585dde },
		{ 17, 0x405c21a2 },
		{ 1000, 0x40ef88fb },
		{ 4096, 0x410e5259 },
		{ 4097, 0x410e5359 },
		{ 50000, 0x41365a22 },
	};
	float *x = malloc(50000 * sizeof *x);
	double y[1000];

	(void)state;
	for (int i = 0; i < 50000; i++)
		x[i] = 1.0f / (float)(i + 1);
	for (size_t k = 0; k < sizeof golden / sizeof *golden; k++)
		assert_int_equal(bits(sum32_all(x, golden[k].n, 0.0f)), golden[k].sum32);
	for (int i = 0; i < 1000; i++)
		y[i] = 1.0 / (i + 1);
	assert_true(sum64_all(y, 1000, 0.0) == 0x1.df11f45f4e61ap+2);
	free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_definition),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_maximum),
		cmocka_unit_test(test_frozen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
