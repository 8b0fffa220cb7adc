/* fuse_kernel.h: would these values make a kernel, and what would it look like?
 *
 * A kernel computes over a space of so many elements. Each member has a map from the space to its
 * own elements (fuse_node.map); operands in memory have one from the space to places. Cutting the
 * space where any of them does gives its digits: the innermost one is the kernel's columns, another
 * its rows, the others a loop around it. Reductions say themselves where they are cut.
 */
#ifndef REGION_FUSE_KERNEL_H
#define REGION_FUSE_KERNEL_H

#include "region/fuse_graph.h"

#define FUSE_MEMBERS 100
#define FUSE_WEIGHT  200         /* vector instructions */

/* What waits keeps its operands in memory. Between a product and its bias, mask or activation there
 * are few ops; with a residual, or behind the other half of a gradient, some. */
#define FUSE_WAIT     32         /* ops */

typedef struct fuse_operand {
	uint32_t value;
	bool out;
	bool counts;                     /* int64 numbers of elements, which `value` is made from */
	bool picked;                     /* read at places that indices say */
	fuse_map map;
	int64_t steps[FUSE_SEGS];        /* elements, per digit */
} fuse_operand;

typedef struct fuse_kernel {
	fuse_graph *g;
	uint32_t units[2];               /* whose members they are; FUSE_NONE */
	uint32_t count;
	uint32_t members[FUSE_MEMBERS];  /* by position; node.slot is the index here */
	fuse_map maps[FUSE_MEMBERS];
	int64_t space;
	int64_t columns;                 /* a product's, which are to be the kernel's; 0: free */
	fuse_reduction reduction;
	uint32_t args_count, scalars, reductions, weight;
	uint32_t extra;                  /* nodes beside one a member */
	fuse_operand args[GROUP_ARGS];
	fuse_cuts cuts;
	int64_t digits[FUSE_SEGS];       /* cuts.count + 1 of them, innermost first */
	int col, row;                    /* digits; -1: of size 1 */
	int outer[FUSE_OUTER], outer_count;   /* the other digits, innermost first */
	unsigned levels;
	uint64_t cost;
} fuse_kernel;

/* What a member's input is in the kernel. */
typedef enum fuse_source { SOURCE_SCALAR, SOURCE_FULL, SOURCE_MEMBER, SOURCE_LOAD } fuse_source;

/* Input `k` of member number `slot`. *at: the member, or the operand in args (added if new). */
fuse_why fuse_kernel_input(fuse_kernel *x, uint32_t slot, unsigned k, fuse_source *source,
	uint32_t *at);

/* An operand as it is, but for its steps; one that is there already counts once. */
fuse_why fuse_kernel_operand(fuse_kernel *x, const fuse_operand *what, uint32_t *at);
static inline gt_dtype fuse_operand_dtype(const fuse_kernel *x, const fuse_operand *a)
{
	return a->counts ? GT_INT64 : (gt_dtype)x->g->f->values.at[a->value].m.dtype;
}
/* Is v computed by the kernel? */
bool fuse_kernel_has(const fuse_kernel *x, uint32_t v);

/* fuse_place.c: the operands of a member of CLASS_PLACED: at[0], and of what is picked or one-hot
 * at[1]. */
fuse_why fuse_place_operands(fuse_kernel *x, uint32_t slot, uint32_t at[2]);
unsigned fuse_place_scalars(const ins *row);

/* From the space of v's unit to the value at the root of its input k. False if views in between
 * show it in another order, or parts of it. */
bool fuse_kernel_wire(const fuse_graph *g, uint32_t v, unsigned k, int64_t space, fuse_map *m);

/* members, maps, space and reduction are given: find the rest. WHY_FUSED if they make a kernel. */
fuse_why fuse_kernel_lay_out(fuse_kernel *x);

/* What it costs; `flat`: if the rows of a call are one. */
uint64_t fuse_kernel_cost(const fuse_kernel *x, bool flat);

/* The kernel of a unit as it is. */
fuse_why fuse_kernel_of(fuse_kernel *x, uint32_t unit);

/* fuse_group.c: is the kernel not worth being one, instead of two that cost so much? */
bool fuse_group_dear(const fuse_kernel *x, uint64_t two);

/* fuse_product.c: the value in whose memory the product is computed that kernel x runs on: itself,
 * or a result of x that may take its place. */
uint32_t fuse_product_place(const fuse_kernel *x, uint32_t product);

/* Must the member be stored for somebody outside? */
bool fuse_kernel_stores(const fuse_kernel *x, uint32_t slot);

/* Of a product: elements in a row. */
static inline int64_t fuse_columns(const fuse_value *o)
{
	return o->m.dims[o->m.rank - 1];
}

static inline int64_t fuse_kernel_size(const fuse_kernel *x, int digit)
{
	return digit < 0 ? 1 : x->digits[digit];
}

#endif
