/* fused_product.c: a product, and on each piece of it, as soon as that is there, the kernel that
 * reads it. */
#include "worker/fused_step.h"

#include "engine/product.h"
#include "group/helpers.h"

typedef struct behind {
	const fused_step *st;
	const fuse_arg *from;
} behind;

/* Rows of one index of the outer dims. */
static void run_rows(const behind *b, int64_t index, int64_t row, int64_t rows, int64_t column,
	int64_t columns)
{
	const fused_step *st = b->st;
	const fuse_step *s = st->s;
	const group *g = st->code->g;
	const bool flat = st->flat && columns == s->cols;
	kernel_arg args[GROUP_ARGS];
	const kernel_call piece = { flat ? 1 : rows, flat ? rows * columns : columns, args,
		st->scalars, helpers };

	for (unsigned k = 0; k < g->args_count; k++) {
		const kernel_arg *a = &st->args[k];
		int64_t at = row * a->row + column * fused_arg_step(&g->args[k], a), rest = index;

		for (int d = s->outer_count; d-- > 0; rest /= s->outer[d])
			at += rest % s->outer[d] * b->from[k].outer[d];
		args[k] = *a;
		args[k].data = (char *)a->data + at;
	}
	fused_kernel_run(st->code, &piece);
}

static void run_piece(void *ctx, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
	const behind *b = ctx;
	const int64_t height = b->st->s->rows, end = row + rows;

	while (row < end) {
		const int64_t from = row % height, count = MIN(end - row, height - from);

		run_rows(b, row / height, from, count, column, columns);
		row += count;
	}
}

static gt_err run_product(const fused_run *f, fused_step *st, const fused_place *out)
{
	const uint8_t mode = st->code->g->mode;
	behind b = { st, f->p->f->args.at + st->s->args };
	const product_after after = { .run = run_piece, .ctx = &b,
		.whole_rows = mode == GROUP_ROWS, .whole_columns = mode == GROUP_COLS,
		.each = st->s->each };
	const ins *i = fusion_row(f->p->f, st->s->value, f->run);
	gt_err e;

	fused_set_inputs(f, st, i);
	st->views[i->nin].data = st->args[st->arg].data = out[st->onto].data;
	st->call.i = i;
	st->call.after = &after;
	e = product_run(&st->call);
	st->call.after = NULL;
	return e;
}

/* Somebody asked for the product before. */
static void copy_product(const fused_run *f, const fused_step *st, const fused_place *out)
{
	const meta *m = &f->p->f->values.at[st->s->value].m;

	if (st->s->onto == st->s->value)
		memcpy(out[st->onto].data, f->slots[st->s->value].data,
			(size_t)meta_count(m) * dtype_size((gt_dtype)m->dtype));
	fused_kernel_spread(f, st);
}

bool fused_product_run(fused_run *f, fused_step *st, const fused_place *out)
{
	const uint32_t slot = st->s->value;

	if (UNLIKELY(fused_is_there(f, slot))) {
		copy_product(f, st, out);
	} else if (UNLIKELY(run_product(f, st, out))) {
		if (!f->course)
			fused_late(f, f->p->f->values.at[slot].op);   /* fails in the op's words */
		return false;
	}
	return true;
}
