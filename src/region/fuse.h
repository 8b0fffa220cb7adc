/* fuse.h: from a region to a fused plan: few kernels instead of many ops.
 *
 * A fusion is made for concrete shapes, strides and operands; the machine code it needs is not: its
 * groups hold no sizes. A new batch size takes a new fusion (no compiler is called), whose groups
 * have the same keys. Scalar values are never part of it, those of composites excepted, which
 * decide what the decomposition looks like.
 *
 * Values are numbered like a match's slots (hotpath/match.h): results of the region's ops, then its
 * live-ins; then what decompositions add. Every value has a `row`, the primitive instruction that
 * makes it from other values, whether or not the fusion does it that way: so whatever is missing
 * when a run is left half-way can be computed by eager kernels (fusion_slice, fusion_row).
 *
 * Order and time. Steps are ordered by `launch`: the op of the region after which they may run.
 * Times are op numbers; those of the next run count on from n, REGION_NEVER is never.
 *
 * Used as follows: look that fusion_fits is true of each instruction of the run and that the
 * live-ins' metas and strides are those it was made for; then run the steps, each when its launch
 * op has arrived. The address of a value is that of its own storage, arena + `at`, or for views and
 * aliases base + fusion_offset.
 *
 * The arena is planned for frees that come when they came before (region_op.freed). So it may be
 * written by a step only while none is late: every result of this run with `freed` before the
 * step's launch, and of the last one with `freed` - n before it, has been freed. Otherwise the
 * step's results take storages of their own, and the arena belongs to whoever still looks into it.
 *
 *	fuse_map     linear maps between shapes
 *	fuse_graph   composites expanded (fuse_index: a scatter_add, fuse_cat: a cat, too), the
 *	             graph simplified (fuse_simplify); where values lie
 *	fuse_kernel  would these ops make a kernel, and which?
 *	fuse_place   rows made from where their elements are: random numbers, indices
 *	fuse_cost    what a kernel costs: decides what is fused
 *	fuse_group   ops to groups; fuse_product: kernels behind products; fuse_add: kernels whose
 *	             results are added at indices
 *	fuse_emit    groups to group.h's form, steps; fuse_gather: several kernels in one launch
 *	fuse_memory  what is stored where, how long; fuse_arena: where exactly
 */
#ifndef REGION_FUSE_H
#define REGION_FUSE_H

#include "base/mem.h"
#include "engine/engine.h"
#include "group/group.h"
#include "group/kernel.h"
#include "hotpath/region.h"

#define FUSE_SMALL 64            /* bytes of results that are stored in any case */
#define FUSE_OUTER 6
#define FUSE_TOGETHER 64         /* kernels in a launch */
#define FUSE_NONE  UINT32_MAX

typedef struct fuse_input {
	const region *r;
	const ins *const *run;   /* per op: an instruction of one run; ids are not looked at */
	const view *live_ins;    /* metas and strides */
	uint32_t small;          /* FUSE_SMALL */
	bool alone;              /* every op a call of its own: what is compared with */
	uint8_t taste;           /* fuse_taste */
} fuse_input;

/* When two kernels that could be one become one. The bits are the same with each. */
typedef enum fuse_taste {
	FUSE_BALANCED,           /* unless that costs clearly more, by the cost model */
	FUSE_FEWEST,             /* always */
	FUSE_CAREFUL,            /* if that costs less */
	FUSE_TASTES
} fuse_taste;

/* Where a value is found. */
typedef enum fuse_where {
	FUSE_DEAD,               /* nowhere: nothing needs it */
	FUSE_LIVE_IN,
	FUSE_STORED,             /* in a storage of its own */
	FUSE_ARENA,              /* in the region's arena, at `at` */
	FUSE_FUSED,              /* nowhere: inside a kernel */
	FUSE_VIEW,               /* in the memory of `base` */
	FUSE_ALIAS               /* it is `base`, same shape and strides */
} fuse_where;

/* Why a value is in memory although it is made by a kernel, or a kernel ends where it does. */
typedef enum fuse_why {
	WHY_FUSED,               /* it is not */
	WHY_LIVE_OUT, WHY_READ, WHY_SMALL,
	WHY_CALL,                /* made or used by an op that is a call of its eager kernel */
	WHY_VIEW,                /* used through a slice or a permutation */
	WHY_SPACE,               /* shapes without a common space */
	WHY_MODE,                /* reductions in different directions or of different lengths */
	WHY_STEPS,               /* an operand takes uneven steps through the space */
	WHY_TWICE,               /* would have to be stored more than once an element */
	WHY_LIMIT,               /* too many ops, arguments, scalars or vector instructions */
	WHY_BETWEEN,             /* ops in between need its results */
	WHY_LATE,                /* what is read must not wait for later ops */
	WHY_COST,                /* by the cost model one kernel is slower than two */
	WHY_WAIT,                /* a product or a sum would have to wait for too many ops */
	WHY_BEHIND,              /* a product: the kernel behind it does not take its place */
	WHY_PIECES,              /* no piece of the product has all that the kernel needs */
	WHY_PICKED,              /* indices, and what they pick from */
	WHY_ADDED,               /* to be added at indices, in another order than the kernel's */
	WHY_COUNT
} fuse_why;
const char *fuse_why_text(fuse_why why);

typedef struct fuse_value {
	const ins *row;          /* inputs are numbers of values + 1; NULL: live-in */
	uint32_t op;             /* of the region; REGION_NEVER: live-in */
	bool composed;           /* its row is part of a decomposition: its scalars are constants */
	bool slides;             /* lies behind a slice: `offset` depends on the run's bounds */
	uint8_t where;           /* fuse_where */
	uint8_t why;             /* fuse_why it is in memory; WHY_FUSED: it is not, or a view */
	uint32_t step;           /* that makes it, FUSE_NONE */
	uint32_t from;           /* VIEW, ALIAS: the value that it shows */
	uint32_t base;           /* the value whose memory it lies in; its own number if none */
	int64_t offset;          /* bytes from element 0 of base, as seen */
	int64_t strides[GT_RANK_MAX];
	meta m;
	uint32_t until;          /* what it holds may be needed until this op has arrived: by steps,
	                            under its own name, or to compute fused values anew */
	uint64_t at;             /* FUSE_ARENA: bytes from the arena's start */
} fuse_value;

typedef enum fuse_kind {
	STEP_KERNEL,             /* groups[group] over outer × rows × cols */
	STEP_PRODUCT,            /* the product values[value].row, and the same on each piece of it: cols
	                            are its columns, outer × rows its rows (engine/product.h) */
	STEP_ADD,                /* the same as KERNEL, a piece at a time, and each piece of `source` added
	                            at the indices of values[value].row, an index_add or scatter_add */
	STEP_CALL,               /* the eager kernel of values[value].row; an upload: the data */
	STEP_VIEW, STEP_ALIAS    /* values[value] exists from here on */
} fuse_kind;

typedef struct fuse_step {
	uint8_t kind;            /* fuse_kind */
	uint8_t outer_count;
	uint32_t launch;
	uint32_t together;       /* KERNEL: so many kernels right behind it are the same launch; none of
	                            them reads what another one makes */
	uint32_t value;          /* of PRODUCT, ADD, CALL, VIEW, ALIAS */
	uint32_t source;         /* ADD: the member that is added. Unless others read it, it is nowhere in
	                            memory as a whole: the argument that the kernel writes it to has
	                            FUSE_NONE as its value */
	uint32_t onto;           /* PRODUCT: it is computed in the memory of this value: itself, or a
	                            result of the kernel, which then takes its place */
	uint32_t group;
	uint32_t args, scalars;  /* first in fusion.args, .scalars: as many as the group has */
	uint32_t members, members_count;   /* fusion.members: values it computes, in order */
	int64_t rows, cols;
	int64_t each;            /* PRODUCT: see product_after */
	int64_t outer[FUSE_OUTER];         /* the kernel is called for each index, last fastest */
} fuse_step;

/* Element 0 of `value` is where the argument begins; steps in bytes. One that counts (group.h)
 * begins at KERNEL_NUMBERS: no value. */
typedef struct fuse_arg {
	uint32_t value;
	int64_t row, col, outer[FUSE_OUTER];
} fuse_arg;

/* Convert as engine_scalar(kind, bits, dtype); bits are those of input `input` of the run's
 * instruction `op` (behind the inputs come its operands), or `bits` if op is REGION_NEVER. */
typedef struct fuse_scalar {
	uint32_t op;
	uint8_t input, kind, dtype;
	uint64_t bits;
} fuse_scalar;

/* Behind op `op`, if not before, look that all indices in `value`, which is in memory by then, choose
 * from `size` places (engine/index.h). If they do not, the op has failed and nothing may be
 * launched any more. At most one an op, in the order of ops. */
typedef struct fuse_check { uint32_t op, value; int64_t size; } fuse_check;

typedef struct fuse_group { buf key; group *g; } fuse_group;   /* group_encode */

/* A value in memory that a later step takes although both could be one kernel, and why not. */
typedef struct fuse_edge { uint32_t value, user; uint8_t why; } fuse_edge;

/* One of a list of T. */
#define FUSE_LIST(T) struct { T *at; uint32_t count, room; }

typedef struct fusion {
	const region *r;
	uint32_t live_ins, ops;                  /* of r: counts */
	FUSE_LIST(fuse_value) values;
	FUSE_LIST(uint32_t) order;               /* values with a row, inputs first */
	FUSE_LIST(fuse_step) steps;
	FUSE_LIST(fuse_arg) args;
	FUSE_LIST(fuse_scalar) scalars;
	FUSE_LIST(uint32_t) members;
	FUSE_LIST(fuse_group) groups;            /* distinct */
	FUSE_LIST(fuse_edge) edges;
	FUSE_LIST(fuse_check) checks;
	const ins **seen;                        /* per op: the run's instruction */
	uint64_t arena_size;
	uint64_t bytes_max, eager_bytes_max;     /* alive at a time, live-ins not counted */
	uint32_t rows_before, rows_after;        /* primitive rows: expanded; left by simplifying */
	arena memory;
} fusion;

/* The instruction that makes a value in that run: its inputs are those of `row`. */
static inline const ins *fusion_row(const fusion *f, uint32_t value, const ins *const *run)
{
	const fuse_value *o = &f->values.at[value];

	return o->composed ? o->row : run[o->op];
}

/* Is it the result of an op of the region, or only a part of one? */
static inline bool fusion_visible(const fusion *f, uint32_t value)
{
	return value < f->ops;
}

/* Gives *out. Fails where the run does not fit the region: shapes do not infer. Borrows in->r for
 * as long as the fusion lives. */
gt_err fuse_make(const fuse_input *in, fusion **out);
void   fusion_free(fusion *f);                   /* NULL is fine */

/* Is instruction `i`, op `op` of a later run, one that the fusion was made for? Sizes, counts and
 * steps of slices, whether those stay in their input, the scalars of composites and an empty range to
 * draw from count; where slices begin, seeds and scalars do not. */
bool fusion_fits(const fusion *f, uint32_t op, const ins *i);
/* .. and do its scalars count? Then one that has the same sizes need not fit. */
bool fusion_asks_numbers(const ins *i);

/* Bytes from element 0 of the base to element 0 of the view, for that run. */
int64_t fusion_offset(const fusion *f, uint32_t value, const ins *const *run);

/* The value whose elements `value` shows, through views and aliases. */
static inline uint32_t fusion_root(const fusion *f, uint32_t value)
{
	while (f->values.at[value].from != value)
		value = f->values.at[value].from;
	return value;
}

/* ADD: does the sum begin as one number everywhere, whose tensor nobody needs to make? */
static inline bool fusion_adds_to_full(const fusion *f, const fuse_step *s)
{
	const uint32_t base = (uint32_t)(ins_in(f->values.at[s->value].row)[0] - 1);
	const ins *row = f->values.at[fusion_root(f, base)].row;

	return row && row->op == OP_full;
}

/* The rows that compute `value` from values that are there, inputs first: appended to `rows` by
 * number, `rows` having room for f->order.count. Returns how many. */
uint32_t fusion_slice(const fusion *f, uint32_t value,
	bool (*there)(void *ctx, uint32_t value), void *ctx, uint32_t *rows);

/* Ops before and after, steps, groups, and for every value in memory why it is. */
void fusion_print(const fusion *f, buf *to);

/* Where values are after a run. */
typedef struct fuse_memory {
	void **data;             /* element 0 of each value in memory; of others NULL */
	void **own;              /* what is to be freed, one a value */
	void *arena;
	uint32_t count;
} fuse_memory;

/* Run the steps up to those of op `last`, everything on one thread and on memory from malloc: calls
 * by the kernels of `e`, groups by `kernels`, one a group, or by group_run if that is NULL.
 * live_ins[m] is element 0 of live-in m. Gives *memory, also after an error. */
gt_err fusion_run_reference(const fusion *f, const engine *e, kernel_fn *const *kernels,
	const ins *const *run, void *const *live_ins, uint32_t last, fuse_memory *memory);
void   fuse_memory_free(fuse_memory *memory);

#endif
