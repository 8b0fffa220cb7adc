/* random.h: the numbers of random tensors.
 *
 * Every function writes elements first .. first+n-1 of the tensor that (seed, draw) names, so a
 * tensor can be filled in any pieces, by any thread, on any machine. What element i is made of,
 * frozen by tests (philox_block gives block b's four words; a pair of words makes 64 bits, low
 * word first):
 *   float32   word i mod 4 of block i / 4
 *   float64, integers   words 2(i mod 2) and the next of block i / 2
 *   uniform   the top 24 (53) bits as a fraction in [0, 1)
 *   normal    Box and Muller on elements 2j and 2j+1: fun_normal of their two words (float64: of
 *             their two pairs, by libm)
 *   integer   low + the high 64 bits of pair * (high - low): no value is likelier than another by
 *             more than one part in 2^64 / (high - low). The number does not depend on the dtype.
 */
#ifndef ENGINE_RANDOM_H
#define ENGINE_RANDOM_H

#include <stdint.h>

typedef struct random_rows {
	void (*uniform_f32)(float *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw);
	void (*uniform_f64)(double *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw);
	void (*normal_f32)(float *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw);
	void (*normal_f64)(double *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw);
	/* In [low, high); low < high, and for int32 both limits fit. */
	void (*integer_i64)(int64_t *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw,
	                    int64_t low, int64_t high);
	void (*integer_i32)(int32_t *out, uint64_t first, int64_t n, uint64_t seed, uint64_t draw,
	                    int64_t low, int64_t high);
} random_rows;

/* The same numbers from each; which one is fastest is for cpu_isa_level to say. */
extern const random_rows random_rows_base, random_rows_avx2, random_rows_avx512;

#endif
