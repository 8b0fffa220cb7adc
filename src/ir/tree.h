/* tree.h: the one reduction tree. Every sum, product, maximum, ... of every kernel in every tier
 * follows it, so that strides, threads, vector width and fusion never change a bit of a result.
 * Frozen: tests hold it.
 *
 * The reduced dims are flattened row-major: elements 0 .. n - 1. `+` below is the combining
 * operation; its left operand always stands for earlier blocks or lower lanes. `identity` satisfies
 * identity + x = x = x + identity to the bit; for sums of floats that is -0.0, not 0.0, which would
 * turn -0.0 into 0.0.
 *
 *  1. Blocks.  Block b holds elements 4,096 b .. 4,096 b + 4,095, the last block what is left.
 *  2. Lanes.   In a block, element i belongs to lane i mod 16. Every lane starts as the identity
 *              and adds its elements in ascending order: lane = lane + x. (Missing elements may be
 *              added as identities or left out: the same bits. That is what the identity is for.)
 *  3. Fold.    lane[k] = lane[k] + lane[k + 8] for k < 8, then with 4, 2 and 1: lane[0] is the
 *              block's result. Lanes without elements hold the identity: one rule for every n.
 *  4. Pairs.   The results of m blocks: of one, itself; else left + right, where left is the result
 *              of the first p blocks, p the largest power of two below m, and right that of the
 *              others. A binary counter of partial results (push, result) does this in one pass
 *              with one value a level.
 *  5. Nothing. Of no elements: 0 (for floats +0.0), 1, false, true; there is no such maximum.
 *
 * Sums and products of ints wrap and any order would do; of floats, elements and lanes have the
 * tensor's dtype. Means, variances, softmax and the like (compose.h) take their sums and maxima
 * from here.
 */
#ifndef IR_TREE_H
#define IR_TREE_H

#include <stdint.h>

#define TREE_LANES  16
#define TREE_BLOCK  4096
#define TREE_LEVELS 32   /* 2^40 elements are 2^28 blocks */

static inline int64_t tree_blocks(int64_t n) { return (n + TREE_BLOCK - 1) / TREE_BLOCK; }

/* Define the type NAME (start it with all zero) and, for elements of type T,
 *
 *	T    NAME_fold(T lane[TREE_LANES])           step 3, destroys lane
 *	T    NAME_block(const T *x, int64_t n)       steps 2 and 3 of n <= TREE_BLOCK elements
 *	void NAME_push(NAME *t, T block)             step 4: the result of the next block
 *	T    NAME_result(const NAME *t)              after at least one push
 *	T    NAME_all(const T *x, int64_t n, T nothing)   all steps, the plain way
 *
 * COMBINE(a, b) is an expression. */
#define TREE_DEFINE(NAME, T, IDENTITY, COMBINE)                                                  \
typedef struct NAME { uint64_t blocks; T level[TREE_LEVELS]; } NAME;                             \
                                                                                                 \
static inline T NAME##_fold(T *lane)                                                             \
{                                                                                                \
	for (int half = TREE_LANES / 2; half; half /= 2)                                         \
		for (int k = 0; k < half; k++)                                                   \
			lane[k] = COMBINE(lane[k], lane[k + half]);                              \
	return lane[0];                                                                          \
}                                                                                                \
                                                                                                 \
static inline T NAME##_block(const T *x, int64_t n)                                              \
{                                                                                                \
	T lane[TREE_LANES];                                                                      \
	int64_t i = 0;                                                                           \
                                                                                                 \
	for (int k = 0; k < TREE_LANES; k++)                                                     \
		lane[k] = IDENTITY;                                                              \
	for (; i + TREE_LANES <= n; i += TREE_LANES)                                             \
		for (int k = 0; k < TREE_LANES; k++)                                             \
			lane[k] = COMBINE(lane[k], x[i + k]);                                    \
	for (int k = 0; k < n - i; k++)                                                          \
		lane[k] = COMBINE(lane[k], x[i + k]);                                            \
	return NAME##_fold(lane);                                                                \
}                                                                                                \
                                                                                                 \
/* level[k] holds the result of 2^k blocks where bit k of `blocks` is set. */                    \
static inline void NAME##_push(NAME *t, T block)                                                 \
{                                                                                                \
	int k = 0;                                                                               \
                                                                                                 \
	for (; t->blocks >> k & 1; k++)                                                          \
		block = COMBINE(t->level[k], block);                                             \
	t->level[k] = block;                                                                     \
	t->blocks++;                                                                             \
}                                                                                                \
                                                                                                 \
static inline T NAME##_result(const NAME *t)                                                     \
{                                                                                                \
	int k = __builtin_ctzll(t->blocks);                                                      \
	T all = t->level[k];                                                                     \
                                                                                                 \
	for (k++; k < TREE_LEVELS; k++)                                                          \
		if (t->blocks >> k & 1)                                                          \
			all = COMBINE(t->level[k], all);                                         \
	return all;                                                                              \
}                                                                                                \
                                                                                                 \
static inline __attribute__((unused)) T NAME##_all(const T *x, int64_t n, T nothing)             \
{                                                                                                \
	NAME t = { 0 };                                                                          \
                                                                                                 \
	for (int64_t at = 0; at < n; at += TREE_BLOCK)                                           \
		NAME##_push(&t, NAME##_block(x + at, n - at < TREE_BLOCK ? n - at : TREE_BLOCK)); \
	return n ? NAME##_result(&t) : nothing;                                                  \
}

#endif
