/* group.h: a fusion group: several ops of a region as one kernel, as data.
 *
 * A group computes over a space of rows × cols elements. Its nodes are straight-line code for one
 * element, in order; a node may stand for a value that is the same for a whole row, or a whole
 * column. Rounding is that of the single ops: every node is one op of the table on its dtype, and
 * reductions follow ir/tree.h; so a compiled group gives the bits of its ops run one by one.
 *
 * There are no sizes, addresses or scalar values in a group: those come with the call (kernel.h).
 * Two groups with equal keys are the same code.
 */
#ifndef GROUP_GROUP_H
#define GROUP_GROUP_H

#include "base/buf.h"
#include "ir/op.h"

#define GROUP_NODES   192
#define GROUP_ARGS     24
#define GROUP_SCALARS  32
#define GROUP_REDUCTIONS 16

/* What the group reduces over, if anything. All its reductions do. */
typedef enum group_mode {
	GROUP_ELEMENT,           /* nothing */
	GROUP_ROWS,              /* over cols: a result is one value a row */
	GROUP_COLS               /* over rows: a result is one value a column */
} group_mode;

/* How an argument lies along a row. From one row to the next it may lie in any way (kernel.h). */
typedef enum group_access {
	ACCESS_RUN,              /* neighbours in memory */
	ACCESS_SAME,             /* one value for the whole row */
	ACCESS_STEP              /* any other step, given by the call */
} group_access;

/* `fixed`: the same for all rows, kernel_arg.row is 0 at every call. Worth saying of what is read
 * (a bias): loads and what is computed from fixed loads only need not be repeated. It has to be
 * said of what GROUP_COLS writes once a column, and of nothing else that is written.
 *
 * `counts`: int64 numbers that tell where an element is, as if they were read from an endless table
 * (KERNEL_NUMBERS in kernel.h): whoever cuts a call in pieces treats it as any other argument.
 * `picked`: NODE_PICK reads it, at places that only the data say. */
typedef struct group_arg {
	uint8_t dtype;           /* gt_dtype */
	uint8_t access;          /* group_access */
	bool out;                /* written, else read */
	bool fixed;
	bool counts, picked;     /* of what is read */
} group_arg;

typedef enum group_what {
	NODE_LOAD,               /* element of args[at] */
	NODE_SCALAR,             /* scalars[at] of the call, already of the node's dtype */
	NODE_OP,                 /* row `op` of the table, of KIND_ELEMENT, infallible */
	NODE_REDUCE,             /* OP_sum, prod, max, min, any or all of in[0]: see group_mode */
	NODE_STORE,              /* in[0] to args[at], which no other node names */
	NODE_DRAW,               /* element in[0], an int64 number, of what OP_rand, randn or randint
	                            make (engine/random.h) of scalars[at] and the next one, seed and
	                            draw number; of randint the next two are the limits */
	NODE_PICK,               /* what lies in[0] bytes, an int64 number, behind the element of
	                            args[at] */
	NODE_COUNT
} group_what;

/* Inputs of an op have the dtypes the op computes in: for cast and comparisons the result's dtype
 * differs from theirs. Infallible: not floordiv and mod of integers. A value that varies along the
 * row must not be stored to an argument of ACCESS_SAME, one that varies from row to row not to a
 * fixed one. GROUP_COLS writes no argument of ACCESS_SAME. Of nothing, a sum is 0, a product 1, any
 * false, all true, and here max and min are 0. */
typedef struct group_node {
	uint8_t what, dtype;     /* group_what; gt_dtype of the value (STORE: the argument) */
	uint16_t op;
	uint16_t in[3];          /* earlier nodes */
	uint16_t at;
} group_node;

typedef struct group {
	uint8_t mode;            /* group_mode */
	uint16_t nodes_count, args_count, scalars_count;
	group_node nodes[GROUP_NODES];
	group_arg args[GROUP_ARGS];
} group;

/* In which directions the value of a node may vary, and how many passes over the space come before
 * it can be known: 0, or one more than the reductions it depends on. A reduction varies in the
 * direction that it leaves. A store varies as what is stored, and where it is stored. */
typedef struct group_shape { bool rows, cols; uint8_t level; } group_shape;
void group_shapes(const group *g, group_shape shapes[GROUP_NODES]);

/* Inputs of a node: 0 .. 3. */
int group_inputs(const group_node *n);
/* Of a NODE_DRAW: how many scalars of the call, 8 bytes each. */
int group_draw_scalars(const group_node *n);

/* Can one row be computed in pieces (kernel.h)? Of GROUP_ROWS those whose reductions depend on none
 * and which write along the row nothing that depends on one. */
bool group_splits(const group *g);
/* results[piece][number of the reduction], 8 bytes each, of several pieces: results[0] becomes that
 * of all. */
void group_join(const group *g, uint64_t *results, int64_t pieces);

/* Is it well formed, as said above? GT_EPROTO: groups also come from files. Fields that a node does
 * not use are not looked at. */
gt_err group_check(const group *g);

/* A canonical encoding, equal for groups that are the same code and only for them; appended. */
void   group_encode(const group *g, buf *to);
gt_err group_decode(const void *data, size_t size, group *g);   /* checks; unused fields are 0 */

/* What people call it: some of its ops and a hash, "add_relu_3f2a91c0". Letters, digits and _ only.
 * Returns text. */
#define GROUP_NAME_MAX 80
const char *group_name(const group *g, char text[GROUP_NAME_MAX]);

/* One node a line: "%4 = add %2, %3 : float32". */
void group_print(const group *g, buf *to);

#endif
