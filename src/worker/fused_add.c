/* fused_add.c: a kernel whose results are added at indices as they are made: some slices by the
 * kernel, by as many threads as that is worth, then these are added, in their order, by the op's own
 * kernel, which finds them in the cache.
 */
#include "worker/fused_step.h"

#include "group/helpers.h"

#define PIECE_BYTES (256 * 1024) /* of what is added: half of a small cache */
#define PARTS       4            /* that a piece is cut in for threads */

typedef struct adding {
	const fused_step *st;
	char *room;              /* for a piece; NULL: others want all of it, it has memory */
	int64_t slices, slice;   /* of the source; elements, .. */
	int64_t size;            /* .. of so many bytes */
	int64_t from, to, part;  /* the piece, what a thread takes of it */
} adding;

/* Slices from .. to, which are there for the kernel as rows, or as columns of its only row. */
static void run_slices(const adding *a, int64_t from, int64_t to)
{
	const fused_step *st = a->st;
	const group *g = st->code->g;
	const bool by_rows = st->s->rows > 1;
	const int64_t unit = by_rows ? st->s->cols : 1;
	const int64_t first = from * a->slice / unit, count = (to - from) * a->slice / unit;
	kernel_arg args[GROUP_ARGS];
	const kernel_call what = { by_rows ? count : 1, by_rows ? st->s->cols : count, args,
		st->scalars, helpers };

	for (unsigned k = 0; k < g->args_count; k++) {
		args[k] = st->args[k];
		if (k == st->arg && a->room)
			args[k].data = a->room + (from - a->from) * a->slice * a->size;
		else
			args[k].data = (char *)args[k].data + first * (by_rows ? args[k].row :
				fused_arg_step(&g->args[k], &args[k]));
	}
	fused_kernel_run(st->code, &what);
}

static void run_part(void *ctx, int64_t k)
{
	const adding *a = ctx;
	const int64_t from = a->from + k * a->part;

	run_slices(a, from, MIN(from + a->part, a->to));
}

static void run_piece(adding *a, pool *threads)
{
	const int64_t n = a->to - a->from;

	a->part = (n + PARTS - 1) / PARTS;
	if (pool_worth(threads, a->st->bytes / a->slices * n))
		pool_run(threads, (n + a->part - 1) / a->part, run_part, a);
	else
		run_slices(a, a->from, a->to);
}

/* ---- adding ---------------------------------------------------------------------------------- */

static void narrow(view *v, int64_t from, int64_t to)
{
	v->data = (char *)v->data + from * v->strides[0] *
		(int64_t)dtype_size((gt_dtype)v->m.dtype);
	v->m.dims[0] = to - from;
}

/* The piece, to the sum, which begins as `base`. Along the first axis all pieces are added to all of
 * the sum, along another one each to its own part, the last one to what nothing is added to as
 * well. */
static gt_err add_piece(const fused_step *st, const adding *a, const view *base)
{
	const ins *i = st->call.i;
	const bool first = i->attr.axis == 0;
	view in[3] = { *base, st->views[1], st->views[2] }, out = st->views[3];
	const kcall c = { .i = i, .in = { &in[0], &in[1], &in[2] }, .out = &out,
		.engine = st->call.engine };

	if (first && a->from)
		in[0] = out;
	if (!first) {
		const int64_t end = a->to == a->slices ? out.m.dims[0] : a->to;

		narrow(&in[0], a->from, end);
		narrow(&out, a->from, end);
	}
	if (first || i->op == OP_scatter_add)
		narrow(&in[1], a->from, a->to);
	in[1].contiguous = shape_is_contiguous(&in[1].m, in[1].strides);
	in[2].data = a->room ? a->room : (char *)st->args[st->arg].data +
		a->from * a->slice * a->size;
	in[2].m.dims[0] = a->to - a->from;
	return c.engine->kernels[i->op](&c);
}

static gt_err run_pieces(const fused_step *st, adding *a, int64_t each, const view *base)
{
	gt_err e = GT_OK;

	for (a->from = 0; a->from < a->slices && !e; a->from = a->to) {
		a->to = MIN(a->from + each, a->slices);
		run_piece(a, st->call.engine->pool);
		e = add_piece(st, a, base);
	}
	return e;
}

/* The number that the sum begins as, everywhere. */
static gt_err fill(const fused_run *f, const fused_step *st)
{
	const fusion *of = f->p->f;
	const ins *row = of->values.at[st->s->value].row;
	const ins *i = fusion_row(of, fusion_root(of, (uint32_t)(ins_in(row)[0] - 1)), f->run);
	uint64_t word = 0;
	view number = { .data = &word, .contiguous = true, .m = { .dtype = st->views[3].m.dtype } };
	const kcall c = { .i = i, .in = { &number }, .out = &st->views[3],
		.engine = st->call.engine };

	engine_scalar((dtype_kind)ins_kind(i, 0), (scalar){ .bits = ins_in(i)[0] },
		(gt_dtype)number.m.dtype, &word);
	return c.engine->kernels[OP_full](&c);
}

/* Where the indices are, and what the sum begins as. */
static gt_err set_views(const fused_run *f, fused_step *st, const fused_place *out)
{
	const uint32_t *in = st->in;

	st->call.i = fusion_row(f->p->f, st->s->value, f->run);
	st->views[3].data = out[st->onto].data;
	st->views[0].data = st->onto_full ? out[st->onto].data : f->slots[*in++].data;
	st->views[1].data = f->slots[*in].data;
	if (!st->onto_full)
		return GT_OK;
	memcpy(st->views[0].strides, st->views[3].strides, sizeof st->views[0].strides);
	return fill(f, st);
}

/* Room for a piece, unless the source has memory of its own. False: there is none. */
static bool make_room(const fused_run *f, const fused_step *st, int64_t size, storage **room)
{
	*room = NULL;
	if (f->p->f->args.at[st->s->args + st->arg].value != FUSE_NONE)
		return true;
	*room = storage_new(st->call.engine->memory, (size_t)size);
	return *room;
}

bool fused_add_run(fused_run *f, fused_step *st, const fused_place *out)
{
	const meta *m = &st->views[2].m;
	adding a = { .st = st, .slices = m->dims[0], .slice = meta_count(m) / m->dims[0],
		.size = (int64_t)dtype_size((gt_dtype)m->dtype) };
	const int64_t each = MIN(MAX(PIECE_BYTES / (a.slice * a.size), 1), a.slices);
	storage *room;
	gt_err e;

	if (!make_room(f, st, each * a.slice * a.size, &room))
		return false;
	a.room = room ? room->data : NULL;
	if (!(e = set_views(f, st, out)))
		e = run_pieces(st, &a, each, &st->views[0]);
	if (room)
		storage_drop(room);
	return !e;
}
