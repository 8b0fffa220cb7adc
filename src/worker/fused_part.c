/* fused_part.c: a reduction of everything by several threads.
 *
 * Kernels of GROUP_ROWS are shared out by rows. Where there is but one row its columns are, in
 * pieces that are whole subtrees of the reduction (group/kernel.h): how many there are depends on
 * the size alone, and the bits on neither. */
#include "worker/fused_step.h"

#include "group/helpers.h"
#include "ir/tree.h"

#define PIECES_MAX 64

typedef struct parts {
	const fused_step *st;
	unsigned count;          /* reductions */
	int64_t size;            /* columns of a piece */
	uint64_t results[(PIECES_MAX + 1) * GROUP_REDUCTIONS];
} parts;

static void run_part(void *ctx, int64_t k)
{
	parts *p = ctx;
	const fused_step *st = p->st;
	const group *g = st->code->g;
	uint64_t unused[GROUP_ARGS];
	kernel_arg args[GROUP_ARGS + 1];
	const kernel_call piece = { KERNEL_PART, MIN(p->size, st->s->cols - k * p->size), args,
		st->scalars, helpers };

	for (unsigned a = 0; a < g->args_count; a++) {
		args[a] = st->args[a];
		args[a].data = (char *)args[a].data +
			k * p->size * fused_arg_step(&g->args[a], &args[a]);
		if (g->args[a].out && g->args[a].access == ACCESS_SAME)
			args[a].data = &unused[a];
	}
	args[g->args_count] = (kernel_arg){ .data = p->results + k * p->count };
	fused_kernel_run(st->code, &piece);
}

/* What comes of the results of all pieces. */
static void run_rest(parts *p)
{
	const fused_step *st = p->st;
	const group *g = st->code->g;
	kernel_arg args[GROUP_ARGS + 1];
	const kernel_call rest = { KERNEL_PART, 0, args, st->scalars, helpers };

	memcpy(args, st->args, g->args_count * sizeof *args);
	args[g->args_count] = (kernel_arg){ .data = p->results };
	fused_kernel_run(st->code, &rest);
}

/* Columns of so many pieces that each has about POOL_GRAIN_BYTES: a power of two times
 * TREE_BLOCK. */
static int64_t size_of_piece(const fused_step *st)
{
	const int64_t most = MIN(PIECES_MAX, st->bytes / POOL_GRAIN_BYTES);
	int64_t size = TREE_BLOCK;

	while (size * most < st->s->cols)
		size *= 2;
	return size;
}

bool fused_part_run(pool *threads, const fused_step *st)
{
	const group *g = st->code->g;
	parts p = { .st = st };
	int64_t pieces;

	if (st->s->rows != 1 || st->bytes < 2 * POOL_GRAIN_BYTES || !group_splits(g))
		return false;
	for (unsigned k = 0; k < g->nodes_count; k++)
		p.count += g->nodes[k].what == NODE_REDUCE;
	p.size = size_of_piece(st);
	pieces = (st->s->cols + p.size - 1) / p.size;
	if (pieces < 2)
		return false;
	pool_sweep(threads, pieces, run_part, &p);
	group_join(g, p.results, pieces);
	run_rest(&p);
	return true;
}
