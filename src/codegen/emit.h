/* emit.h: one group on its way to LLVM's representation; what the files of this room share.
 *
 *	emit.c     types, constants, memory, loops
 *	fun.c      the functions of ir/fun.def as vector code
 *	arith.c    every elementwise op as vector code
 *	divide.c   quotients by one number a row
 *	draw.c     random numbers
 *	node.c     the value of a node where it is wanted
 *	cost.c     about how much a node costs
 *	keep.c     which values are stored on the way instead of being computed again
 *	tree.c     the reduction tree
 *	rows.c     kernels of GROUP_ELEMENT and GROUP_ROWS
 *	turns.c    rows that take turns
 *	cols.c     kernels of GROUP_COLS
 *	object.c   the machine's object file made an image
 *	compile.c  all of it in order
 *
 * Every value is a vector of `lanes` neighbours along the row, also one that is the same in all of
 * them; a bool is a vector of single bits. Where rows go side by side, a vector holds as many
 * neighbours of each, row by row, and a value that is the same for a row a lane of each in turn. No
 * value depends on a flag of fast arithmetic.
 */
#ifndef CODEGEN_EMIT_H
#define CODEGEN_EMIT_H

#include <llvm-c/Core.h>
#include "base/base.h"
#include "codegen/codegen.h"
#include "group/helpers.h"
#include "ir/dtype.h"

#define EMIT_LANES  64           /* at most */
#define EMIT_NARROW  4           /* of values that are the same for a row */
#define EMIT_LINES   4           /* rows in a vector at most, no more than EMIT_NARROW */

typedef LLVMValueRef val;
typedef LLVMTypeRef type;
typedef LLVMBasicBlockRef block;

typedef struct emit {
	const group *g;
	group_shape shapes[GROUP_NODES];
	int levels;                      /* highest of the shapes' */
	cpu_isa isa;
	int lanes;                       /* of vectors where the code is */
	int wide;                        /* of those in the main loop, but for GROUP_ROWS */
	int lines;                       /* rows side by side in a vector: GROUP_ROWS */
	int batch;                       /* rows at a time: those, or more that take turns */
	bool masks;                      /* REST_MASK */
	bool brief;                      /* REST_SHORT */
	bool even;                       /* columns are whole vectors: REST_EVEN */

	LLVMContextRef context;
	LLVMModuleRef module;
	LLVMBuilderRef b;
	val function;
	block entry;                     /* for stack slots */
	type i1, i8, i32, i64, f32, f64, ptr;
	type element[GT_DTYPE_COUNT];    /* bool: i1 */
	type vector[GT_DTYPE_COUNT];

	/* From the call. */
	val rows, cols, helpers, scalars, args;
	val part;                        /* it is a piece of a row (group_splits); NULL: never */
	val data[GROUP_ARGS], row_step[GROUP_ARGS], col_step[GROUP_ARGS];

	/* Where the code is. */
	val line[GROUP_ARGS][EMIT_LINES];  /* address of column 0 of the row */
	val alone;                       /* the row goes side by side with itself; NULL: none does */
	val at, end;                     /* first column of the vector; columns end here */
	val mask;                        /* of one line, columns below `end`; NULL: all are */
	val rest[2];                     /* the only masks that there are, of the vectors behind the
	                                    main loop's; NULL: made where wanted */
	int pass;                        /* levels up to here are known */
	val value[GROUP_NODES];          /* where known in this place */

	val inverse[GROUP_NODES];        /* of a divisor: divide.c */
	val divides[GROUP_NODES];        /* it is out of the range of the short way */
	val keys[GROUP_NODES];           /* of a draw: memory of its round keys, */
	val drawn[GROUP_NODES][EMIT_LINES];      /* .. and of numbers that are made beforehand */
	int keep[GROUP_NODES];           /* argument that holds the value for later passes, or -1 */
	val column[GROUP_NODES];         /* GROUP_COLS: memory of a column's values, one tile */
	val tile;                        /* first column of that memory */
} emit;

/* ---- emit.c ---- */

/* Vectors have that many lanes from here on. */
void emit_lanes(emit *e, int lanes);

/* Splat constants. */
val emit_int(emit *e, gt_dtype d, int64_t v);    /* any dtype, numbers that it holds exactly */
val emit_float(emit *e, float v);
val emit_double(emit *e, double v);
val emit_i32(emit *e, uint32_t v);
val emit_i64(emit *e, uint64_t v);
static inline val emit_size(emit *e, int64_t v) { return LLVMConstInt(e->i64, (uint64_t)v, 1); }

val emit_splat(emit *e, val one);
val emit_intrinsic(emit *e, const char *name, type t, val *args, unsigned n);
val emit_slot(emit *e, type t, const char *name);   /* on the stack, aligned for vectors */
val emit_address(emit *e, val base, val offset);    /* base + offset bytes */
val emit_min(emit *e, val a, val b);                /* of two sizes */

/* A vector of dtype d at an address, lanes of the mask only (others read as 0): one line. */
val  emit_get(emit *e, gt_dtype d, val address, const char *name);
void emit_put(emit *e, gt_dtype d, val v, val address);
/* Lanes that count, of all lines; NULL: all do. */
val  emit_mask(emit *e);
/* What `count` times `lanes` lanes of v are: number `which` of them, and the other way. */
val  emit_part(emit *e, val v, int which, int lanes);
val  emit_join(emit *e, const val *parts, int count);
static inline int emit_columns_each(const emit *e) { return e->lanes / e->lines; }
/* One element. */
val  emit_get_one(emit *e, gt_dtype d, val address, const char *name);
void emit_put_one(emit *e, gt_dtype d, val v, val address);
/* The same with elements `step` bytes apart, from column e->at of a row at `line`. */
val  emit_gather(emit *e, gt_dtype d, val line, val step);
/* .. and `offset` bytes behind that, a number a lane. */
val  emit_pick(emit *e, gt_dtype d, val line, val step, val offset);
/* The number that stands at an address (KERNEL_NUMBERS); those of the row at `line`. */
val  emit_number(emit *e, val address);
val  emit_numbers(emit *e, val line, val step);
/* 0, 1, 2, ..: int64. */
val  emit_lane_numbers(emit *e);
void emit_scatter(emit *e, gt_dtype d, val v, val line, val step);

/* for (i = from; i < to; i += step), with values that every turn makes anew: loop_open's are the
 * first ones, afterwards in `carry`; loop_close takes the next ones and leaves the last in carry.
 * The test is made before the first turn and at the end of each. */
typedef struct loop {
	block before, body, exit;
	val i, to, step;
	int count;
	val first[GROUP_REDUCTIONS], carry[GROUP_REDUCTIONS];
} loop;
void loop_open(emit *e, loop *l, const char *name, val from, val to, val step, int count,
	const val *first);
void loop_close(emit *e, loop *l, const val *next);

/* Run `body` for the vectors of columns from..to of the row, with e->at, e->end and e->mask set;
 * `carry` goes through it. `from` is a multiple of the columns of
 * a vector. The vectors of the main loop have e->wide lanes, but for GROUP_ROWS. */
typedef void emit_body(emit *e, val *carry, void *context);
void emit_columns(emit *e, val from, val to, int count, val *carry, emit_body *body,
	void *context);
/* At the kernel's beginning: every stretch of columns ends at a whole vector or where all of them
 * do, so what is left of the last vector is the same everywhere. */
void emit_rest(emit *e);
/* Columns of the vector at e->at that lie before e->end. */
val  emit_vector_mask(emit *e);

/* An if: code between open and close runs where `condition` is true. `close` gives the value that
 * was `inside`, or `otherwise`. */
typedef struct branch { block from, join; } branch;
void branch_open(emit *e, branch *b, const char *name, val condition);
val  branch_close(emit *e, branch *b, val inside, val otherwise);   /* NULL, NULL: no value */

/* ---- fun.c, arith.c ---- */

/* A float32 op of fun.def; NULL if it has none. */
val fun_unary(emit *e, op o, val x);
val fun_pow32(emit *e, val x, val y);
/* Two normal numbers of two words each. */
void fun_normal32(emit *e, val x, val y, val numbers[2]);

/* Row `o` of the table on inputs of dtype `in`. */
val arith_op(emit *e, op o, gt_dtype in, gt_dtype out, const val *x);
val arith_helper(emit *e, helper h, gt_dtype d, val x, val y);   /* y may be NULL */
val arith_helper_on(emit *e, helper h, gt_dtype d, val x, val b);   /* b: an address */
void arith_call(emit *e, helper h, const val args[4]);

/* ---- divide.c ---- */

/* Make what divisors of the given shape and level need: at the end of their stage. */
void divide_prepare(emit *e, bool rows, int level);
/* The quotient that a node stands for, or NULL if it is better made as any other. */
val  divide_row(emit *e, int node);

/* ---- draw.c ---- */

/* At the kernel's beginning: what all vectors of draws need. */
void draw_prepare(emit *e);
val  draw_value(emit *e, int node);

/* ---- node.c ---- */

val  node_value(emit *e, int node);
/* A value that is the same for a row, for all lanes of the row. */
val  node_widen(emit *e, val v);
void node_name(emit *e, int node, val v);
/* Forget values of nodes which vary so (a kind of place that is being left or entered). */
void node_forget(emit *e, bool rows, bool cols);
/* Compute all nodes of the given shape and level that are no reductions, then do their stores. */
void node_stage(emit *e, bool rows, bool cols, int level);
void node_store(emit *e, int node);
void node_keep(emit *e, int node);               /* where e->keep says */
/* Was it stored there by an earlier pass? */
bool node_is_kept(const emit *e, int node);

/* ---- tree.c ---- */

/* The reductions whose inputs are known in pass `pass`. */
int  tree_list(const emit *e, int pass, int nodes[GROUP_REDUCTIONS]);
gt_dtype tree_dtype(const emit *e, int node);
val  tree_combine(emit *e, int node, val a, val b);
val  tree_identity(emit *e, int node);           /* vector */
val  tree_nothing(emit *e, int node);            /* vector */
/* The node's input in the dtype of the tree. */
val  tree_input(emit *e, int node);
/* Step 3 of ir/tree.h: 16 lanes a line, to a value that is the same for a row (EMIT_NARROW). */
val  tree_fold(emit *e, int node, val lanes);
/* Step 4, for vectors. `levels`: memory for TREE_LEVELS of them, `stride` bytes apart; `blocks`
 * counts those before. */
void tree_push(emit *e, int node, val levels, int64_t stride, val blocks, val v);
val  tree_result(emit *e, int node, val levels, int64_t stride, val blocks);

/* ---- cost.c ---- */

int cost_node(const group_node *n);
int cost_vector(const emit *e);                  /* of all that is done for every vector */

/* ---- keep.c, rows.c, cols.c ---- */

void keep_plan(emit *e);
void rows_emit(emit *e);
void cols_emit(emit *e);

#endif
