/* tree.h: the reduction tree: the one order in which sums, products and extremes join their elements.
 *
 * Elements are numbered in row-major order of the reduced axes, whatever the strides. Blocks of TREE_BLOCK
 * elements follow one another; the last may be shorter.
 *
 *   In a block, element i belongs to lane i mod TREE_LANES. A lane starts with the neutral element and joins
 *   its elements in ascending order, new ones on the right. Lanes are then joined in halves:
 *   lane k with lane k + 8 for k < 8, then k with k + 4, k + 2, k + 1.
 *
 *   Blocks are joined pairwise: of b > 1 blocks the first 2^s, 2^s being the largest power of two below b,
 *   make the left operand and the rest the right one, each by the same rule. A binary counter of partial
 *   results does this in one pass: after block number i is done, join it with the waiting result of level
 *   0, 1, ... while bit 0, 1, ... of i is set; at the end join what waits from the lowest level up, the higher
 *   level on the left.
 *
 * Neutral elements are neutral to the bit, so a lane or an element that is not there takes no part and may be
 * left out: -0.0 for sums (x + -0.0 is x even for x = -0.0), 1 for products, -inf and inf (the ends of the range for
 * integers, false and true for bools) for max and min, false for any, true for all. The sum of no elements is
 * nevertheless +0.0. Joins are those of the rows add, mul, maximum and minimum: where two extremes are equal (0.0 and
 * -0.0) the right one stays, and NaN wins.
 *
 * Why this order: sixteen lanes fill the widest vectors, narrower ones hold a lane group each, so every
 * instruction set gets the same bits at full speed; blocks let threads share a long reduction; pairwise joins keep the
 * error small.
 */
#ifndef IR_TREE_H
#define IR_TREE_H

#include <stdint.h>

#define TREE_LANES 16
#define TREE_BLOCK 4096

/* How many of `blocks` > 1 blocks make the left operand. */
static inline int64_t tree_split(int64_t blocks)
{
	return (int64_t)1 << (63 - __builtin_clzll((uint64_t)blocks - 1));
}

/* Defines the tree as a function, plainly: type name(ctx, n, start) joins get(ctx, 0) .. get(ctx, n - 1).
 * `start` is the neutral element; for n = 0 it is the result. */
#define TREE(name, type, get, join)                                                              \
	static type name##_block(const void *ctx, int64_t first, int64_t n, type start)          \
	{                                                                                        \
		type lanes[TREE_LANES];                                                          \
                                                                                                 \
		for (int k = 0; k < TREE_LANES; k++)                                             \
			lanes[k] = start;                                                        \
		for (int64_t i = 0; i < n; i++)                                                  \
			lanes[i % TREE_LANES] = join(lanes[i % TREE_LANES], get(ctx, first + i)); \
		for (int half = TREE_LANES / 2; half > 0; half /= 2)                             \
			for (int k = 0; k < half; k++)                                           \
				lanes[k] = join(lanes[k], lanes[k + half]);                      \
		return lanes[0];                                                                 \
	}                                                                                        \
                                                                                                 \
	static type name##_blocks(const void *ctx, int64_t first, int64_t n, type start)         \
	{                                                                                        \
		int64_t blocks = (n + TREE_BLOCK - 1) / TREE_BLOCK, left;                        \
                                                                                                 \
		if (blocks <= 1)                                                                 \
			return name##_block(ctx, first, n, start);                               \
		left = tree_split(blocks) * TREE_BLOCK;                                          \
		return join(name##_blocks(ctx, first, left, start),                              \
				name##_blocks(ctx, first + left, n - left, start));              \
	}                                                                                        \
                                                                                                 \
	static type name(const void *ctx, int64_t n, type start)                                 \
	{                                                                                        \
		return name##_blocks(ctx, 0, n, start);                                          \
	}

#endif
