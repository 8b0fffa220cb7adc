/* engine.h: eager kernels: one function per op, called with views.
 *
 * An engine is a table of kernels: the portable reference for every row of the op table,
 * overridden by faster rows (isa/, product.c, ...) that give the same bits; products agree by
 * tolerance. Kernels read any strides (0 for broadcast dims, negative for flipped ones) and
 * write contiguous outputs. They know nothing of ids, streams or sessions.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "engine/pool.h"
#include "engine/store.h"
#include "ir/shape.h"

/* A tensor in memory. `data` points at element (0, ..., 0); strides in elements. */
typedef struct view {
	void *data;
	meta m;
	int64_t strides[GT_RANK_MAX];
	bool contiguous;        /* row-major without gaps; always true for rank 0 */
} view;

/* One kernel call. Scalar inputs are views of rank 0, already converted to the dtype the kernel
 * computes in. */
typedef struct kcall {
	const ins *i;           /* attributes and operands */
	const view *in[INS_INPUTS_MAX];
	/* Allocated, contiguous; overlaps no input, but for rows of KIND_ELEMENT it may be exactly
	 * one of them, if dims and dtype are the same. */
	const view *out;
	const struct engine *engine;
	const struct product_after *after;   /* of product_run, else NULL */
} kcall;

/* Errors (index out of range, integer division by zero) are set by fail(); the output is then
 * undefined. */
typedef gt_err kernel(const kcall *c);

typedef struct engine {
	kernel *kernels[OP_CODES];   /* NULL: not computed by a kernel (views, control, upload) */
	pool *pool;
	allocator *memory;
	const char *name;            /* "cpu" or "reference" */
} engine;

/* In the order of GT_BACKEND. */
typedef enum engine_backend { ENGINE_CPU, ENGINE_REFERENCE } engine_backend;

gt_err engine_open(engine_backend backend, int threads, uint64_t memory_limit, engine **out);
void   engine_close(engine *e);

/* Convert a scalar input to `dtype`: writes dtype_size bytes to `to`. Int to bool is != 0, float
 * to int truncates. */
void engine_scalar(dtype_kind kind, scalar s, gt_dtype dtype, void *to);

/* The dtype that scalar input k of `i` is converted to, given the inputs' metas and the
 * result's. */
gt_dtype engine_scalar_dtype(const ins *i, int k, const meta *const *in, const meta *out);

/* The portable reference for every row (reference*.c): tables and tests start from it. */
extern kernel *const engine_reference[OP_CODES];

#endif
