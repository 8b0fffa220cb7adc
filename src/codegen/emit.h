/* emit.h: one group on its way to LLVM's representation; what the files of this room share.
 *
 *	emit.c     types, constants, memory, loops
 *	fun.c      the functions of ir/fun.def as vector code
 *	arith.c    every elementwise op as vector code
 *	node.c     the value of a node where it is wanted
 *	keep.c     which values are stored on the way instead of being computed again
 *	tree.c     the reduction tree
 *	rows.c     kernels of GROUP_ELEMENT and GROUP_ROWS
 *	cols.c     kernels of GROUP_COLS
 *	object.c   the machine's object file made an image
 *	compile.c  all of it in order
 *
 * Every value is a vector of `lanes` neighbours along the row, also one that is the same in all of
 * them; a bool is a vector of single bits. No value depends on a flag of fast arithmetic.
 */
#ifndef CODEGEN_EMIT_H
#define CODEGEN_EMIT_H

#include <llvm-c/Core.h>
#include "base/base.h"
#include "codegen/codegen.h"
#include "group/helpers.h"
#include "ir/dtype.h"

typedef LLVMValueRef val;
typedef LLVMTypeRef type;
typedef LLVMBasicBlockRef block;

typedef struct emit {
	const group *g;
	group_shape shapes[GROUP_NODES];
	int levels;                      /* highest of the shapes' */
	cpu_isa isa;
	int lanes;
	bool masks;                      /* REST_MASK */

	LLVMContextRef context;
	LLVMModuleRef module;
	LLVMBuilderRef b;
	val function;
	block entry;                     /* for stack slots */
	type i1, i8, i32, i64, f32, f64, ptr;
	type element[GT_DTYPE_COUNT];    /* bool: i1 */
	type vector[GT_DTYPE_COUNT];

	/* From the call. */
	val rows, cols, helpers, scalars;
	val data[GROUP_ARGS], row_step[GROUP_ARGS], col_step[GROUP_ARGS];

	/* Where the code is. */
	val line[GROUP_ARGS];            /* address of column 0 of the row */
	val at, end;                     /* first column of the vector; columns end here */
	val mask;                        /* lanes below `end`; NULL: all are */
	int pass;                        /* levels up to here are known */
	val value[GROUP_NODES];          /* where known in this place */

	int keep[GROUP_NODES];           /* argument that holds the value for later passes, or -1 */
	val column[GROUP_NODES];         /* GROUP_COLS: memory of values of a column, for one tile */
	val tile;                        /* first column of that memory */
} emit;

/* ---- emit.c ---- */

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

/* A vector of dtype d at an address, lanes of the mask only (others read as 0). */
val  emit_get(emit *e, gt_dtype d, val address, const char *name);
void emit_put(emit *e, gt_dtype d, val v, val address);
/* One element. */
val  emit_get_one(emit *e, gt_dtype d, val address, const char *name);
void emit_put_one(emit *e, gt_dtype d, val v, val address);
/* The same with elements `step` bytes apart, from column e->at of a row at `line`. */
val  emit_gather(emit *e, gt_dtype d, val line, val step);
void emit_scatter(emit *e, gt_dtype d, val v, val line, val step);

/* for (i = from; i < to; i += step), with values that every turn makes anew: loop_open's are the
 * first ones, afterwards in `carry`; loop_close takes the next ones and leaves the last in carry. */
typedef struct loop {
	block head, exit;
	val i, step;
	int count;
	val carry[GROUP_REDUCTIONS];
} loop;
void loop_open(emit *e, loop *l, const char *name, val from, val to, val step, int count,
	const val *first);
void loop_close(emit *e, loop *l, const val *next);

/* Run `body` for the vectors of columns from..to of the row, with e->at, e->end and e->mask set;
 * `carry` goes through it. `from` is a multiple of the lanes. */
typedef void emit_body(emit *e, val *carry, void *context);
void emit_columns(emit *e, val from, val to, int count, val *carry, emit_body *body,
	void *context);

/* An if: code between open and close runs where `condition` is true. `close` gives the value that
 * was `inside`, or `otherwise`. */
typedef struct branch { block from, join; } branch;
void branch_open(emit *e, branch *b, const char *name, val condition);
val  branch_close(emit *e, branch *b, val inside, val otherwise);   /* NULL, NULL: no value */

/* ---- fun.c, arith.c ---- */

/* A float32 op of fun.def; NULL if it has none. */
val fun_unary(emit *e, op o, val x);
val fun_pow32(emit *e, val x, val y);

/* Row `o` of the table on inputs of dtype `in`. */
val arith_op(emit *e, op o, gt_dtype in, gt_dtype out, const val *x);
val arith_helper(emit *e, helper h, gt_dtype d, val x, val y);   /* y may be NULL */

/* ---- node.c ---- */

val  node_value(emit *e, int node);
void node_name(emit *e, int node, val v);
/* Forget values of nodes which vary so (a kind of place that is being left or entered). */
void node_forget(emit *e, bool rows, bool cols);
/* Compute all nodes of the given shape and level that are no reductions, then do their stores. */
void node_stage(emit *e, bool rows, bool cols, int level);
void node_store(emit *e, int node);

/* ---- tree.c ---- */

/* The reductions whose inputs are known in pass `pass`. */
int  tree_list(const emit *e, int pass, int nodes[GROUP_REDUCTIONS]);
gt_dtype tree_dtype(const emit *e, int node);
val  tree_combine(emit *e, int node, val a, val b);
val  tree_identity(emit *e, int node);           /* vector */
val  tree_nothing(emit *e, int node);            /* vector */
/* The node's input in the dtype of the tree. */
val  tree_input(emit *e, int node);
/* Step 3 of ir/tree.h: 16 lanes in a vector, to one element. */
val  tree_fold(emit *e, int node, val lanes);
/* Step 4. `levels`: memory for TREE_LEVELS values `stride` bytes apart; v may be an element or a
 * vector. `blocks` counts those before. */
void tree_push(emit *e, int node, val levels, int64_t stride, val blocks, val v);
val  tree_result(emit *e, int node, val levels, int64_t stride, val blocks, bool vector);

/* ---- keep.c, rows.c, cols.c, object.c ---- */

void keep_plan(emit *e);
void rows_emit(emit *e);
void cols_emit(emit *e);
#define EMIT_ENTRY "kernel"      /* name of the function */
/* `object` is 8-byte aligned. */
gt_err object_image(const void *object, size_t size, cpu_isa isa, buf *to);

#endif
