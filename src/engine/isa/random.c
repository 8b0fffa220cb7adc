/* random.c: random tensors, many Philox counters at once.
 *
 * Three steps over a batch that stays in the first-level cache: words of up to BATCH blocks,
 * numbers made of them in element order, and, where the batch sticks out of the range asked for, a
 * copy of the part inside. The words of a batch lie in four planes: planes[k][b] is word k of
 * block b.
 */
#include <math.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "base/base.h"
#include "base/philox.h"
#include "engine/fun.h"
#include "engine/random.h"
#include "engine/rows.h"

#define BATCH 64        /* blocks; a multiple of CHAINS * LANES */

typedef uint32_t planes[4][BATCH];

/* A word of a counter sits in the low half of a 64-bit lane; the high halves hold leftovers that
 * nobody reads, because the multiplication takes low halves only. */
#ifdef __AVX512F__
#define LANES 8
#define CHAINS 4
typedef uint64_t lanes __attribute__((vector_size(64)));
#define MUL_LOW(a, b) ((lanes)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#define HIGH(a) ((lanes)_mm512_shuffle_epi32((__m512i)(a), 0xf5))
#elif defined __AVX2__
#define LANES 4
typedef uint64_t lanes __attribute__((vector_size(32)));
#define MUL_LOW(a, b) ((lanes)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#define HIGH(a) ((lanes)_mm256_shuffle_epi32((__m256i)(a), 0xf5))
#elif defined __SSE2__
#define LANES 2
typedef uint64_t lanes __attribute__((vector_size(16)));
#define MUL_LOW(a, b) ((lanes)_mm_mul_epu32((__m128i)(a), (__m128i)(b)))
#define HIGH(a) ((lanes)_mm_shuffle_epi32((__m128i)(a), 0xf5))
#else
#define LANES 2
typedef uint64_t lanes __attribute__((vector_size(16)));
#define MUL_LOW(a, b) (((a) & UINT32_MAX) * ((b) & UINT32_MAX))
#define HIGH(a) ((a) >> 32)
#endif

/* A round waits for the one before. So several go side by side, as many as there are registers for. */
#ifndef CHAINS
#define CHAINS 2
#endif

static inline void step(lanes c[4], uint64_t key0, uint64_t key1)
{
	const lanes zero = {0};
	lanes p = MUL_LOW(c[0], zero + PHILOX_MUL0), q = MUL_LOW(c[2], zero + PHILOX_MUL1);

	c[0] = HIGH(q) ^ c[1] ^ key0;
	c[1] = q;
	c[2] = HIGH(p) ^ c[3] ^ key1;
	c[3] = p;
}

/* Of blocks block, block+2, .. */
static inline void start(lanes c[4], uint64_t block, uint64_t draw)
{
	const lanes zero = {0};
	lanes number;

	for (int k = 0; k < LANES; k++)
		number[k] = block + 2 * (uint64_t)k;
	c[0] = number;
	c[1] = number >> 32;
	c[2] = zero + draw;
	c[3] = zero + (draw >> 32);
}

/* Words of blocks at, at+2, ... and, beside them, of at+1, at+3, ...: joined they are in order. A
 * pair or two of such chains. */
static inline __attribute__((always_inline)) void fill_group(planes w, int at, uint64_t block,
	uint64_t seed, uint64_t draw, int chains)
{
	lanes c[CHAINS][4];

	for (int n = 0; n < chains; n++)
		start(c[n], block + (uint64_t)(n / 2 * 2 * LANES + n % 2), draw);
	for (uint32_t r = 0; r < PHILOX_ROUNDS; r++) {
		uint32_t key0 = (uint32_t)seed + r * PHILOX_KEY0;
		uint32_t key1 = (uint32_t)(seed >> 32) + r * PHILOX_KEY1;

		for (int n = 0; n < chains; n++)
			step(c[n], key0, key1);
	}
	for (int n = 0; n < chains; n += 2)
		for (int k = 0; k < 4; k++) {
			lanes word = (c[n][k] & UINT32_MAX) | c[n + 1][k] << 32;
			memcpy(&w[k][at + n * LANES], &word, sizeof word);
		}
}

/* Words of `blocks` blocks from `block` on, rounded up to whole groups. */
static void fill(planes w, uint64_t block, int blocks, uint64_t seed, uint64_t draw)
{
	int at = 0;

	for (; CHAINS > 2 && at + 2 * LANES < blocks; at += CHAINS * LANES)
		fill_group(w, at, block + (uint64_t)at, seed, draw, CHAINS);
	for (; at < blocks; at += 2 * LANES)
		fill_group(w, at, block + (uint64_t)at, seed, draw, 2);
}

static inline uint64_t pair(planes w, int block, int which)
{
	return w[2 * which][block] | (uint64_t)w[2 * which + 1][block] << 32;
}

/* Numbers of whole blocks in element order; `to` has room for them. */
typedef void maker(void *to, planes w, int blocks);

static void make_uniform_f32(void *to, planes w, int blocks)
{
	float *out = to;

	for (int b = 0; b < blocks; b++)
		for (int k = 0; k < 4; k++)
			out[4 * b + k] = (float)(int32_t)(w[k][b] >> 8) * 0x1p-24f;
}

static void make_normal_f32(void *to, planes w, int blocks)
{
	float *out = to;

	for (int b = 0; b < blocks; b++) {
		fun_pair p = fun_normal(w[0][b], w[1][b]), q = fun_normal(w[2][b], w[3][b]);

		out[4 * b] = p.first;
		out[4 * b + 1] = p.second;
		out[4 * b + 2] = q.first;
		out[4 * b + 3] = q.second;
	}
}

static void make_uniform_f64(void *to, planes w, int blocks)
{
	double *out = to;

	for (int b = 0; b < blocks; b++)
		for (int k = 0; k < 2; k++)
			out[2 * b + k] = (double)(int64_t)(pair(w, b, k) >> 11) * 0x1p-53;
}

static void make_normal_f64(void *to, planes w, int blocks)
{
	double *out = to;

	for (int b = 0; b < blocks; b++) {
		double u = (double)(int64_t)((pair(w, b, 0) >> 11) + 1) * 0x1p-53;      /* (0, 1] */
		double angle = (double)(int64_t)(pair(w, b, 1) >> 11) * (0x1p-53 * 2 * M_PI);
		double radius = sqrt(-2 * log(u));

		out[2 * b] = radius * cos(angle);
		out[2 * b + 1] = radius * sin(angle);
	}
}

static void make_pairs(void *to, planes w, int blocks)
{
	uint64_t *out = to;

	for (int b = 0; b < blocks; b++)
		for (int k = 0; k < 2; k++)
			out[2 * b + k] = pair(w, b, k);
}

/* Elements first .. first+n-1 of `size` bytes, of which a block makes `per`. */
static void row(void *out, size_t size, int per, maker *make, uint64_t first, int64_t n,
                uint64_t seed, uint64_t draw)
{
	planes w;
	char spare[BATCH * sizeof w[0][0] * 4] __attribute__((aligned(64)));

	while (n > 0) {
		int skip = (int)(first % (uint64_t)per);
		int64_t left = (skip + n + per - 1) / per;
		int blocks = (int)MIN(left, BATCH);
		int64_t got = MIN(n, blocks * per - skip);
		bool whole = got == blocks * per;

		fill(w, first / (uint64_t)per, blocks, seed, draw);
		make(whole ? out : spare, w, blocks);
		if (!whole)
			memcpy(out, spare + (size_t)skip * size, (size_t)got * size);
		out = (char *)out + (size_t)got * size;
		first += (uint64_t)got;
		n -= got;
	}
}

static void uniform_f32(float *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw)
{
	row(out, sizeof *out, 4, make_uniform_f32, first, n, seed, draw);
}

static void uniform_f64(double *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw)
{
	row(out, sizeof *out, 2, make_uniform_f64, first, n, seed, draw);
}

static void normal_f32(float *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw)
{
	row(out, sizeof *out, 4, make_normal_f32, first, n, seed, draw);
}

static void normal_f64(double *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw)
{
	row(out, sizeof *out, 2, make_normal_f64, first, n, seed, draw);
}

static inline int64_t within(uint64_t random, int64_t low, int64_t high)
{
	uint64_t range = (uint64_t)high - (uint64_t)low;

	return (int64_t)((uint64_t)low + (uint64_t)((unsigned __int128)random * range >> 64));
}

static void integer_i64(int64_t *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw,
                        int64_t low, int64_t high)
{
	row(out, sizeof *out, 2, make_pairs, first, n, seed, draw);
	for (int64_t i = 0; i < n; i++)
		out[i] = within((uint64_t)out[i], low, high);
}

static void integer_i32(int32_t *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw,
                        int64_t low, int64_t high)
{
	int64_t wide[2 * BATCH];

	for (int64_t at = 0; at < n; at += 2 * BATCH) {
		int64_t m = MIN(n - at, 2 * BATCH);

		integer_i64(wide, first + (uint64_t)at, m, seed, draw, low, high);
		for (int64_t i = 0; i < m; i++)
			out[at + i] = (int32_t)wide[i];
	}
}

const random_rows ISA(random_rows) = {
	uniform_f32, uniform_f64, normal_f32, normal_f64, integer_i64, integer_i32,
};
