/* test_random.c: random tensors: Philox against its published vectors, every fast form against the
 * plain one, any cut of a tensor against the whole, frozen numbers, and the shape of the
 * distributions. */
#include "check.h"

#include <math.h>
#include <string.h>
#include "base/base.h"
#include "base/cpu.h"
#include "base/philox.h"
#include "engine/fun.h"
#include "engine/random.h"

enum { MANY = 3000 };

static const random_rows *const tables[] = {
	&random_rows_base, &random_rows_avx2, &random_rows_avx512,
};

#define SEED 0x9e3779b97f4a7c15u
#define DRAW 0x1234567890abcdefu

/* The three lines for philox4x32, 10 rounds, of Random123's known answers. */
static void test_known_answers(void **state)
{
	static const struct { uint32_t counter[4], key[2], want[4]; } known[] = {
		{ { 0 }, { 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
		{ { -1u, -1u, -1u, -1u }, { -1u, -1u },
		  { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
		{ { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
		  { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++) {
		uint32_t c[4];

		memcpy(c, known[i].counter, sizeof c);
		philox(c, known[i].key[0], known[i].key[1]);
		assert_memory_equal(c, known[i].want, sizeof c);
	}
}

/* ---- The definition in random.h, read literally. ---- */

static uint32_t word(uint64_t i, uint64_t seed, uint64_t draw)
{
	uint32_t w[4];

	philox_block(w, i / 4, seed, draw);
	return w[i % 4];
}

static uint64_t pair(uint64_t i, uint64_t seed, uint64_t draw)
{
	return word(2 * i, seed, draw) | (uint64_t)word(2 * i + 1, seed, draw) << 32;
}

static float plain_uniform(uint64_t i) { return (float)(word(i, SEED, DRAW) >> 8) / 0x1p24f; }
static double plain_uniform64(uint64_t i) { return (double)(pair(i, SEED, DRAW) >> 11) / 0x1p53; }

static float plain_normal(uint64_t i)
{
	uint64_t j = i & ~(uint64_t)1;
	fun_pair p = fun_normal(word(j, SEED, DRAW), word(j + 1, SEED, DRAW));

	return i % 2 ? p.second : p.first;
}

static double plain_normal64(uint64_t i)
{
	uint64_t j = i & ~(uint64_t)1;
	double u = (double)((pair(j, SEED, DRAW) >> 11) + 1) / 0x1p53;
	double angle = 2 * M_PI * plain_uniform64(j + 1);

	return sqrt(-2 * log(u)) * (i % 2 ? sin(angle) : cos(angle));
}

static int64_t plain_integer(uint64_t i, int64_t low, int64_t high)
{
	unsigned __int128 range = (uint64_t)high - (uint64_t)low;

	return (int64_t)((uint64_t)low + (uint64_t)(pair(i, SEED, DRAW) * range >> 64));
}

/* Tensors that begin at 0, at odd places, and where the block number leaves 32 bits. */
static void test_rows_follow_the_definition(void **state)
{
	static const uint64_t firsts[] = {
		0, 1, 2, 3, 255, 257, ((uint64_t)4 << 32) - 700, ((uint64_t)1 << 60) + 1,
	};
	static float f[MANY];
	static double d[MANY];
	static int64_t n64[MANY];
	static int32_t n32[MANY];

	(void)state;
	for (int isa = 0; isa <= (int)cpu_isa_level(); isa++)
		for (size_t k = 0; k < COUNT(firsts); k++) {
			const random_rows *r = tables[isa];
			uint64_t at = firsts[k];

			r->uniform_f32(f, at, MANY, SEED, DRAW);
			for (uint64_t i = 0; i < MANY; i++)
				assert_true(f[i] == plain_uniform(at + i));
			r->normal_f32(f, at, MANY, SEED, DRAW);
			for (uint64_t i = 0; i < MANY; i++)
				assert_true(f[i] == plain_normal(at + i));
			r->uniform_f64(d, at, MANY, SEED, DRAW);
			for (uint64_t i = 0; i < MANY; i++)
				assert_true(d[i] == plain_uniform64(at + i));
			r->normal_f64(d, at, MANY, SEED, DRAW);
			for (uint64_t i = 0; i < MANY; i++)
				assert_true(fabs(d[i] - plain_normal64(at + i)) <= 1e-14);
			r->integer_i64(n64, at, MANY, SEED, DRAW, -3, 1000000007);
			r->integer_i32(n32, at, MANY, SEED, DRAW, -3, 1000000007);
			for (uint64_t i = 0; i < MANY; i++) {
				assert_true(n64[i] == plain_integer(at + i, -3, 1000000007));
				assert_true(n32[i] == n64[i]);
			}
		}
}

/* Cut into random pieces, a tensor is the same, and nothing beyond a piece is written. */
#define CUT(row, type)                                                                            \
	do {                                                                                      \
		static type whole[MANY], cut[MANY + 1];                                           \
		tables[0]->row(whole, 5, MANY, SEED, DRAW);                                       \
		for (int isa = 0; isa <= (int)cpu_isa_level(); isa++)                             \
			for (int at = 0, n; at < MANY; at += n) {                                 \
				n = piece(at);                                                    \
				cut[at + n] = 77;                                                 \
				tables[isa]->row(cut + at, 5 + (uint64_t)at, n, SEED, DRAW);      \
				assert_true(cut[at + n] == 77);                                   \
				assert_memory_equal(cut, whole, (size_t)(at + n) * sizeof(type)); \
			}                                                                         \
		tables[0]->row(cut, 0, 0, SEED, DRAW);                                            \
		assert_memory_equal(cut, whole, sizeof whole);                                    \
	} while (0)

/* The length of a piece that begins at `at`: mostly short, at times several batches. */
static int piece(int at)
{
	int n = 1 + (int)(word((uint64_t)at, 1, 1) % (at % 7 ? 10 : 700));

	return MIN(n, MANY - at);
}

static void test_any_cut_gives_the_same(void **state)
{
	(void)state;
	CUT(uniform_f32, float);
	CUT(uniform_f64, double);
	CUT(normal_f32, float);
	CUT(normal_f64, double);
}

/* Changing any of these numbers breaks every seed that anyone has written down. normal_f64 is
 * libm's to the last bit, the others are the same on every machine. */
static void test_frozen_numbers(void **state)
{
	static const float uniform[] = {
		0x1.39d5ep-1f, 0x1.dfd524p-2f, 0x1.2bf5p-4f, 0x1.5d0accp-2f,
	};
	static const float normal[] = {
		-0x1.f0bcb8p-1f, 0x1.8d59cep-3f, -0x1.3c51a6p+0f, 0x1.ec8678p+0f,
	};
	static const float odd[] = {
		-0x1.7f10cp+0f, 0x1.408666p+0f, -0x1.f163e2p+0f, 0x1.33a5f2p-7f,
	};
	static const double uniform64[] = { 0x1.dfd524ee73abcp-2, 0x1.5d0acf5c4afd4p-2 };
	static const double normal64[] = { -0x1.54ac03c1a0328p-1, 0x1.0938db380d762p+0 };
	static const int64_t integers[] = { 36, 24, 22, 35 };
	float f[4];
	double d[2];
	int64_t n[4];

	(void)state;
	for (int isa = 0; isa <= (int)cpu_isa_level(); isa++) {
		tables[isa]->uniform_f32(f, 0, 4, 42, 0);
		assert_memory_equal(f, uniform, sizeof f);
		tables[isa]->normal_f32(f, 0, 4, 42, 0);
		assert_memory_equal(f, normal, sizeof f);
		tables[isa]->normal_f32(f, 1000001, 4, 42, 7);
		assert_memory_equal(f, odd, sizeof f);
		tables[isa]->uniform_f64(d, 0, 2, 42, 0);
		assert_memory_equal(d, uniform64, sizeof d);
		tables[isa]->normal_f64(d, 0, 2, 42, 0);
		for (int i = 0; i < 2; i++)
			assert_true(fabs(d[i] - normal64[i]) <= 1e-15);
		tables[isa]->integer_i64(n, 0, 4, 42, 0, -10, 90);
		assert_memory_equal(n, integers, sizeof n);
	}
}

static void test_integer_limits(void **state)
{
	static const int64_t limits[][2] = {
		{ 0, 1 }, { -1, 0 }, { INT64_MIN, INT64_MAX }, { INT64_MIN, INT64_MIN + 1 },
		{ INT64_MAX - 1, INT64_MAX }, { -5, 5 }, { INT32_MIN, (int64_t)INT32_MAX + 1 },
	};
	int64_t n[MANY];

	(void)state;
	for (size_t k = 0; k < COUNT(limits); k++) {
		int64_t low = limits[k][0], high = limits[k][1];

		tables[cpu_isa_level()]->integer_i64(n, 0, MANY, SEED, k, low, high);
		for (int i = 0; i < MANY; i++)
			assert_true(n[i] >= low && n[i] < high);
	}
}

/* ---- Distributions: moments and counts within five standard deviations. The numbers are fixed:
 * no test fails by bad luck. ---- */

enum { SAMPLE = 1 << 20 };

static void test_normal_distribution(void **state)
{
	static float f[SAMPLE];
	double sum[5] = { 0 };
	int beyond2 = 0, beyond4 = 0;
	float most = 0;

	(void)state;
	tables[cpu_isa_level()]->normal_f32(f, 0, SAMPLE, 3, 4);
	for (int i = 0; i < SAMPLE; i++) {
		double power = 1;

		for (int k = 1; k <= 4; k++)
			sum[k] += power *= f[i];
		beyond2 += fabsf(f[i]) > 2;
		beyond4 += fabsf(f[i]) > 4;
		most = MAX(most, fabsf(f[i]));
	}
	assert_true(fabs(sum[1] / SAMPLE) < 5 * sqrt(1. / SAMPLE));
	assert_true(fabs(sum[2] / SAMPLE - 1) < 5 * sqrt(2. / SAMPLE));
	assert_true(fabs(sum[3] / SAMPLE) < 5 * sqrt(15. / SAMPLE));
	assert_true(fabs(sum[4] / SAMPLE - 3) < 5 * sqrt(96. / SAMPLE));
	assert_true(fabs(beyond2 - SAMPLE * erfc(2 * M_SQRT1_2)) < 5 * sqrt(beyond2));
	assert_true(fabs(beyond4 - SAMPLE * erfc(4 * M_SQRT1_2)) < 5 * sqrt(beyond4));
	assert_true(most < 6.67);       /* sqrt(-2 log 2^-32) */
}

static void test_uniform_distribution(void **state)
{
	enum { BINS = 64 };
	static float f[SAMPLE];
	static int64_t n[SAMPLE];
	int bins[BINS] = { 0 }, whole[BINS] = { 0 };
	double chi = 0, chi_whole = 0, expected = (double)SAMPLE / BINS;

	(void)state;
	tables[cpu_isa_level()]->uniform_f32(f, 0, SAMPLE, 3, 4);
	tables[cpu_isa_level()]->integer_i64(n, 0, SAMPLE, 3, 5, 0, BINS);
	for (int i = 0; i < SAMPLE; i++) {
		assert_true(f[i] >= 0 && f[i] < 1);
		bins[(int)(f[i] * BINS)]++;
		whole[n[i]]++;
	}
	for (int k = 0; k < BINS; k++) {
		chi += (bins[k] - expected) * (bins[k] - expected) / expected;
		chi_whole += (whole[k] - expected) * (whole[k] - expected) / expected;
	}
	assert_true(fabs(chi - (BINS - 1)) < 5 * sqrt(2. * (BINS - 1)));
	assert_true(fabs(chi_whole - (BINS - 1)) < 5 * sqrt(2. * (BINS - 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_rows_follow_the_definition),
		cmocka_unit_test(test_any_cut_gives_the_same),
		cmocka_unit_test(test_frozen_numbers),
		cmocka_unit_test(test_integer_limits),
		cmocka_unit_test(test_normal_distribution),
		cmocka_unit_test(test_uniform_distribution),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
