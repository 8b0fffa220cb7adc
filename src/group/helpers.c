/* helpers.c: loops around functions of fun.def and arith.def, and random numbers, for kernels to
 * call. */
#include "group/helpers.h"

#include "base/cpu.h"
#include "base/philox.h"
#include "engine/arith.h"
#include "engine/random.h"

#define DEFINE_1(name, dtype, type, call)                                                        \
	static void name##_##dtype(void *out, const void *a, const void *b, int64_t lanes)       \
	{                                                                                        \
		const type *x = a;                                                               \
		type *y = out;                                                                   \
                                                                                                 \
		(void)b;                                                                         \
		for (int64_t k = 0; k < lanes; k++)                                              \
			y[k] = call(x[k]);                                                       \
	}
#define DEFINE_2(name, dtype, type)                                                              \
	static void name##_##dtype(void *out, const void *a, const void *b, int64_t lanes)       \
	{                                                                                        \
		const type *x = a, *y = b;                                                       \
		type *z = out;                                                                   \
                                                                                                 \
		for (int64_t k = 0; k < lanes; k++)                                              \
			z[k] = arith_##name##_##dtype(x[k], y[k]);                               \
	}

#define FUN1(name, ulp, f64) DEFINE_1(name, FLOAT64, double, fun64_##name)
#define FUN1_IN(name, ulp, limit, f64) \
	DEFINE_1(name, FLOAT64, double, fun64_##name) \
	DEFINE_1(far_##name, FLOAT32, float, fun_far_##name)
#include "ir/fun.def"
#define FUN2(name, ulp, f64) DEFINE_2(name, FLOAT64, double)
#include "ir/fun.def"
HELPERS_BINARY(DEFINE_2)

/* ---- Random numbers. ---- */

static const random_rows *const rows_of[ISA_COUNT] = {
	[ISA_BASE] = &random_rows_base, [ISA_AVX2] = &random_rows_avx2,
	[ISA_AVX512] = &random_rows_avx512,
};

static uint64_t random_word(uint64_t element, const uint64_t *s)
{
	uint32_t words[4];
	const int at = element % 2 ? 2 : 0;

	philox_block(words, element / 2, s[0], s[1]);
	return words[at] | (uint64_t)words[at + 1] << 32;
}

static void random_words(uint64_t *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw)
{
	for (int64_t k = 0; k < n; k++)
		out[k] = random_word(first + (uint64_t)k, (uint64_t[]){ seed, draw });
}

/* How many elements from the k-th on follow one another: for those the generator runs once. */
static int64_t neighbours(const int64_t *at, int64_t k, int64_t lanes)
{
	int64_t n = 1;

	while (k + n < lanes && at[k + n] == at[k] + n)
		n++;
	return n;
}

#define DEFINE_DRAW(name, dtype, type, fill)                                                     \
	static void run_##name##_##dtype(void *out, const void *a, const void *b, int64_t lanes) \
	{                                                                                        \
		const uint64_t *first = a, *s = b;                                               \
                                                                                                 \
		fill(out, *first, lanes, s[0], s[1]);                                            \
	}                                                                                        \
	static void name##_##dtype(void *out, const void *a, const void *b, int64_t lanes)       \
	{                                                                                        \
		const int64_t *at = a;                                                           \
		const uint64_t *s = b;                                                           \
		type *to = out;                                                                  \
                                                                                                 \
		for (int64_t k = 0, n; k < lanes; k += n) {                                      \
			n = neighbours(at, k, lanes);                                            \
			fill(to + k, (uint64_t)at[k], n, s[0], s[1]);                            \
		}                                                                                \
	}
DEFINE_DRAW(rand, FLOAT32, float, rows_of[cpu_isa_level()]->uniform_f32)
DEFINE_DRAW(rand, FLOAT64, double, rows_of[cpu_isa_level()]->uniform_f64)
DEFINE_DRAW(randn, FLOAT32, float, rows_of[cpu_isa_level()]->normal_f32)
DEFINE_DRAW(randn, FLOAT64, double, rows_of[cpu_isa_level()]->normal_f64)
DEFINE_DRAW(words, INT64, uint64_t, random_words)

kernel_helper *const helpers[HELPER_COUNT] = {
#define FUN1(name, ulp, f64) [HELPER_##name##_FLOAT64] = name##_FLOAT64,
#define FUN1_IN(name, ulp, limit, f64) [HELPER_##name##_FLOAT64] = name##_FLOAT64, \
	[HELPER_far_##name##_FLOAT32] = far_##name##_FLOAT32,
#define FUN2(name, ulp, f64) [HELPER_##name##_FLOAT64] = name##_FLOAT64,
#include "ir/fun.def"
#define HELPER_ROW(name, dtype, type) [HELPER_##name##_##dtype] = name##_##dtype,
	HELPERS_BINARY(HELPER_ROW)
	HELPERS_DRAW(HELPER_ROW)
#define HELPER_RUN(name, dtype, type) [HELPER_run_##name##_##dtype] = run_##name##_##dtype,
	HELPERS_DRAW(HELPER_RUN)
};
