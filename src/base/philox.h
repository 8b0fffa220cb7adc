/* philox.h: Philox4x32-10, the counter-based generator behind every random number.
 *
 * J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers: as easy as 1, 2, 3.
 * SC 2011. Four words of counter and two of key make four random words; nothing is carried from
 * one to the next, so any element of a random tensor can be computed anywhere. This is the plain
 * version; engine/isa/random.c runs many counters at once and is tested against it.
 */
#ifndef BASE_PHILOX_H
#define BASE_PHILOX_H

#include <stdint.h>

#define PHILOX_ROUNDS 10
#define PHILOX_MUL0 0xd2511f53u
#define PHILOX_MUL1 0xcd9e8d57u
#define PHILOX_KEY0 0x9e3779b9u         /* added to the key after every round: */
#define PHILOX_KEY1 0xbb67ae85u         /* golden ratio, square root of 3 */

/* Replace the counter by the random words that belong to it. */
static inline void philox(uint32_t c[4], uint32_t key0, uint32_t key1)
{
	for (int round = 0; round < PHILOX_ROUNDS; round++) {
		uint64_t p = (uint64_t)PHILOX_MUL0 * c[0], q = (uint64_t)PHILOX_MUL1 * c[2];

		c[0] = (uint32_t)(q >> 32) ^ c[1] ^ key0;
		c[1] = (uint32_t)q;
		c[2] = (uint32_t)(p >> 32) ^ c[3] ^ key1;
		c[3] = (uint32_t)p;
		key0 += PHILOX_KEY0;
		key1 += PHILOX_KEY1;
	}
}

/* The four words of block `block` of draw `draw`: key = seed, counter = (block, draw), low words
 * first. */
static inline void philox_block(uint32_t words[4], uint64_t block, uint64_t seed, uint64_t draw)
{
	words[0] = (uint32_t)block;
	words[1] = (uint32_t)(block >> 32);
	words[2] = (uint32_t)draw;
	words[3] = (uint32_t)(draw >> 32);
	philox(words, (uint32_t)seed, (uint32_t)(seed >> 32));
}

#endif
