/* kernel.h: how a compiled group is called. Knows no tensors: addresses, steps, sizes. */
#ifndef GROUP_KERNEL_H
#define GROUP_KERNEL_H

#include <stdint.h>

/* Bytes from element to element; `col` counts for ACCESS_STEP only. What is read may lie in any
 * way; rows of what is written do not overlap. In GROUP_ELEMENT an argument that is written may lie
 * exactly where one that is read lies, if both have the same dtype, access and steps; otherwise
 * what is written overlaps nothing. */
typedef struct kernel_arg {
	void *data;
	int64_t row, col;
} kernel_arg;

/* Where an argument that counts finds number 0: number k lies 8 k bytes further on. Nobody reads
 * there: the address is the number. */
#define KERNEL_NUMBERS ((void *)8)
#define KERNEL_NUMBER(address) (((int64_t)(intptr_t)(address) >> 3) - 1)

/* Functions that images may call, by number (helpers.h): scalar C functions where fun.def says so
 * (far sin and cos), libm's for float64, ... An image holds no address. out[k] = f(a[k], b[k]) for
 * k below `lanes`; helpers of one argument do not look at b. */
typedef void kernel_helper(void *out, const void *a, const void *b, int64_t lanes);

typedef struct kernel_call {
	int64_t rows, cols;              /* at least 0; rows may be KERNEL_PART */
	const kernel_arg *args;
	const uint64_t *scalars;         /* of the node's dtype, in the low bytes */
	kernel_helper *const *helpers;
} kernel_call;

/* Pieces of the space may be computed by separate calls on any threads: any ranges of rows in
 * GROUP_ELEMENT and GROUP_ROWS, any ranges of columns in GROUP_COLS, and in GROUP_ELEMENT if it
 * writes no argument of ACCESS_SAME. The bits do not depend on it. A group of GROUP_ELEMENT whose
 * arguments are all ACCESS_RUN, without gaps between rows, and not fixed may be called as one row
 * of rows * cols elements: rows shorter than a vector cost as much as a vector. A call needs at
 * most 150 KiB of stack for GROUP_COLS, 24 KiB a reduction if that is more; little otherwise, and
 * 10 KiB a draw. */
typedef void kernel_fn(const kernel_call *c);

/* A single row of a group that group_splits is true of may be computed by calls for ranges of its
 * columns. All ranges but the last have the same number of columns, a power of two times
 * TREE_BLOCK. With rows = KERNEL_PART a call leaves the results of the range's reductions at
 * args[args_count].data, 8 bytes each in the order of their nodes, and what it writes once a row is
 * of no use. group_join makes one set of results of those of all ranges; a call of no columns takes
 * them from there and does what is left. */
#define KERNEL_PART (-1)

#endif
