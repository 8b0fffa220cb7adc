/* fused_step.h: what launching kernels, products and calls has in common. */
#ifndef WORKER_FUSED_STEP_H
#define WORKER_FUSED_STEP_H

#include "worker/fused_course.h"

/* ---- fused_step.c ---------------------------------------------------------------------------- */

/* Of a run on its course: the step, and those together with it; nothing is counted. False: that could
 * not be, and nothing was done. */
bool fused_follow(fused_run *f, fused_step *st);
/* Memory for what the step makes, in the order of st->out. False: there is none. */
bool fused_places_find(fused_run *f, const fused_step *st, fused_place *all);
void fused_places_drop(fused_place *all, uint32_t count);
/* The step has run: the first `count` of what it makes are where `out` says. */
void fused_finish(fused_run *f, const fused_step *st, const fused_place *out, uint32_t count);
/* Inputs of st->call: the first tensors of st->in, and scalars. */
void fused_set_inputs(const fused_run *f, const fused_step *st, const ins *i);
/* What arrived long ago need not be computed once more, if it lies as the others expect it. */
bool fused_is_there(const fused_run *f, uint32_t slot);

/* ---- fused_kernel.c -------------------------------------------------------------------------- */

/* Run so many kernels as one launch; what they make is in their places. False: there is no memory. */
bool fused_kernels_compute(fused_run *f, fused_step *first, unsigned count);
/* The same, and all that follows from it. */
bool fused_kernels_launch(fused_run *f, fused_step *first, unsigned count);
/* Set st->args and ->scalars. */
void fused_kernel_prepare(const fused_run *f, const fused_step *st, const fused_place *out);
/* The kernel over rows and columns, for each index of the outer dims, by the pool if that is worth
 * it. */
void fused_kernel_spread(const fused_run *f, const fused_step *st);
void fused_kernel_run(const fused_code *c, const kernel_call *what);
/* New code, and a plan's first run: what a kernel is called with comes from the plan. */
bool fused_on_probation(const fused_run *f, const fused_step *st);

static inline bool fused_is_barred(const fused_step *st)
{
	return atomic_load_explicit(&st->code->barred, memory_order_relaxed);
}

/* Bytes from a column to the next. */
static inline int64_t fused_arg_step(const group_arg *a, const kernel_arg *at)
{
	return a->access == ACCESS_RUN ? (int64_t)dtype_size((gt_dtype)a->dtype) :
		a->access == ACCESS_SAME ? 0 : at->col;
}

/* ---- fused_short.c --------------------------------------------------------------------------- */

/* Does it pay to join the rows? */
static inline bool fused_short_pays(const fused_code *code, const kernel_call *c)
{
	return code->short_rows && c->rows >= code->short_rows && c->cols < 64 && c->cols % 16;
}

/* The kernel, which is of GROUP_ELEMENT, on longer rows made of these. False: they cannot be
 * joined, and nothing was done. */
bool fused_short_run(const fused_code *code, const kernel_call *c);

/* ---- fused_part.c ---------------------------------------------------------------------------- */

/* The kernel on its only row, shared out by columns. False: it is none that can be, or too little
 * work, and nothing was done. */
bool fused_part_run(pool *threads, const fused_step *st);

/* ---- fused_add.c ----------------------------------------------------------------------------- */

/* Run it, its kernel prepared, into its places `out`. False: there is no memory. */
bool fused_add_run(fused_run *f, fused_step *st, const fused_place *out);

/* ---- fused_product.c ------------------------------------------------------------------------- */

/* The same. False: it failed. */
bool fused_product_run(fused_run *f, fused_step *st, const fused_place *out);

#endif
