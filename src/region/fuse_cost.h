/* fuse_cost.h: what a kernel costs, which decides what becomes one.
 *
 * The model, in picoseconds on one core. A kernel costs
 *
 *	its launch                              COST_LAUNCH, and COST_CALL a further call (outer)
 *	a row                                   COST_ROW a pass: loop control, masks, broadcasts
 *	arithmetic or memory, whichever is more
 *	    a vector instruction                COST_VECTOR for COST_LANES elements; a row's last
 *	                                        vector counts whole. Values that are one a row cost
 *	                                        the same once a row, those that come of reductions
 *	                                        over rows once a column. Every level of reductions
 *	                                        reads or computes its operands again: one
 *	                                        instruction an element and level.
 *	    a byte read or written              COST_BYTE, wherever it lies: what is near depends on
 *	                                        what ran before, and a step between near and far
 *	                                        would keep apart what is just near enough each
 *
 * Two kernels become one unless that costs clearly more, by COST_SLACK: small differences are
 * nothing the model knows, what joins now may draw in more later, and decisions that hang on sizes
 * by a hair would give every batch size groups of its own. What follows, and is tested:
 *	- a chain over one space always becomes one: no launch, no store, no load;
 *	- a value that would be computed anew in every row (a bias before it is added) joins if that
 *	  is cheap: a product of two does, an exponential does not, unless there are few rows or
 *	  memory takes longer anyway;
 *	- reductions take their producers along, and what follows from their results.
 *
 * A kernel that reads a product becomes one step with it (fuse_product.c) unless its rows, cut where
 * the product's are, cost clearly more than a launch of its own: what is saved beyond the launch,
 * the product's way to memory and back, the model does not know. How threads share the product and
 * what follows it out is decided by COST_VECTOR and COST_MULTIPLY.
 */
#ifndef REGION_FUSE_COST_H
#define REGION_FUSE_COST_H

#include <stdint.h>

#define COST_LAUNCH 150000       /* steps, storages and scalars set up, too */
#define COST_CALL    25000
#define COST_ROW      3000
#define COST_VECTOR    350
#define COST_SLACK(x) ((x) + (x) / 4)
#define COST_LANES      16
#define COST_BYTE       40
#define COST_MULTIPLY   12       /* and add, in a product */

typedef struct fuse_work {
	int64_t calls, rows, cols;
	unsigned each;           /* vector instructions an element */
	unsigned line;           /* for values that are one a row */
	unsigned column;         /* for what becomes of reductions over rows */
	unsigned levels;         /* of reductions */
	uint64_t bytes;
} fuse_work;

uint64_t fuse_cost(const fuse_work *w);

/* About how many vector instructions a row of the op table is, on one vector of float32. */
unsigned fuse_cost_weight(unsigned code);

#endif
