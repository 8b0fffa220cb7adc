/* fused_step.c: the steps of a fusion on a run's values. */
#include "worker/hot.h"

#include "group/helpers.h"
#include "group/reference.h"

#define CHUNK_COLS 64            /* pieces of rows begin at multiples: vectors stay whole */

/* ---- memory for results ---------------------------------------------------------------------- */

static size_t bytes_of(const fused_run *f, uint32_t slot)
{
	const meta *m = &f->p->f->values.at[slot].m;

	return (size_t)meta_count(m) * dtype_size((gt_dtype)m->dtype);
}

static bool find_place(fused_run *f, const fused_step *st, uint32_t slot, fused_place *to)
{
	const fuse_value *o = &f->p->f->values.at[slot];

	if (!f->p->own[slot] && fused_arena_serves(f, st->s->launch)) {
		*to = (fused_place){ (char *)f->arena->s->data + o->at, NULL, SLOT_ARENA };
		return true;
	}
	to->s = storage_new(f->tenant->worker->engine->memory, bytes_of(f, slot));
	to->data = to->s ? to->s->data : NULL;
	to->how = 0;
	return to->s;
}

static void give_back(fused_place *all, uint32_t count)
{
	while (count--)
		if (all[count].s)
			storage_drop(all[count].s);
}

static bool find_places(fused_run *f, const fused_step *st, fused_place *all)
{
	for (uint32_t k = 0; k < st->out_count; k++)
		if (!find_place(f, st, st->out[k], &all[k])) {
			give_back(all, k);
			return false;
		}
	return true;
}

/* The step has run. */
static void finish(fused_run *f, const fused_step *st, const fused_place *out)
{
	for (uint32_t k = 0; k < st->out_count; k++)
		fused_present(f, st->out[k], out[k].data, out[k].s, out[k].how);
	for (uint32_t k = 0; k < st->in_count; k++)
		fused_unneed(f, st->in[k]);
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* A call of a kernel, cut in pieces of so many rows or columns. */
typedef struct cut {
	const fused_code *code;
	const kernel_call *whole;
	int64_t size;
	bool by_cols;
} cut;

static void run_code(const fused_code *c, const kernel_call *what)
{
	if (LIKELY(c->run != NULL))
		c->run(what);
	else
		group_run(c->g, what);
}

static int64_t step_of(const group_arg *a, const kernel_arg *at)
{
	return a->access == ACCESS_RUN ? (int64_t)dtype_size((gt_dtype)a->dtype) :
		a->access == ACCESS_SAME ? 0 : at->col;
}

static void run_piece(void *ctx, int64_t k)
{
	const cut *c = ctx;
	const group *g = c->code->g;
	kernel_call piece = *c->whole;
	kernel_arg args[GROUP_ARGS];
	const int64_t from = k * c->size;
	int64_t *length = c->by_cols ? &piece.cols : &piece.rows;

	*length = MIN(c->size, *length - from);
	for (unsigned a = 0; a < g->args_count; a++) {
		args[a] = piece.args[a];
		args[a].data = (char *)args[a].data + from *
			(c->by_cols ? step_of(&g->args[a], &args[a]) : args[a].row);
	}
	piece.args = args;
	run_code(c->code, &piece);
}

static bool writes_repeatedly(const group *g)
{
	for (unsigned k = 0; k < g->args_count; k++)
		if (g->args[k].out && g->args[k].access == ACCESS_SAME)
			return true;
	return false;
}

/* Rows are cut if there are enough of them, else columns where the group allows it. */
static void run_cut(pool *p, const fused_code *c, const kernel_call *all, int64_t bytes)
{
	const int64_t most = (bytes + POOL_GRAIN_BYTES - 1) / POOL_GRAIN_BYTES;
	cut to = { .code = c, .whole = all };
	int64_t length;

	to.by_cols = c->g->mode == GROUP_COLS || (c->g->mode == GROUP_ELEMENT &&
		all->rows < most && all->rows < all->cols && !writes_repeatedly(c->g));
	length = to.by_cols ? all->cols : all->rows;
	to.size = (length + most - 1) / most;
	if (to.by_cols)
		to.size = ALIGN_UP(to.size, CHUNK_COLS);
	if (to.size >= length)
		run_code(c, all);
	else
		pool_run(p, (length + to.size - 1) / to.size, run_piece, &to);
}

static void convert_scalars(const fused_run *f, const fused_step *st, unsigned count)
{
	const fuse_scalar *from = f->p->f->scalars.at + st->s->scalars;

	for (unsigned k = 0; k < count; k++) {
		const uint64_t bits = from[k].op == REGION_NEVER ? from[k].bits :
			ins_in(f->run[from[k].op])[from[k].input];

		st->scalars[k] = 0;
		engine_scalar((dtype_kind)from[k].kind, (scalar){ .bits = bits },
			(gt_dtype)from[k].dtype, &st->scalars[k]);
	}
}

static void set_args(const fused_run *f, const fused_step *st, const fused_place *out)
{
	const group *g = st->code->g;
	const fuse_arg *from = f->p->f->args.at + st->s->args;

	for (unsigned k = 0; k < g->args_count; k++)
		st->args[k].data = g->args[k].out ? out++->data : f->slots[from[k].value].data;
}

/* The kernel over rows and columns, for each index of the outer dims. */
static void run_space(const fused_run *f, const fused_step *st)
{
	const fuse_step *s = st->s;
	const group *g = st->code->g;
	const fuse_arg *from = f->p->f->args.at + s->args;
	pool *threads = f->tenant->worker->engine->pool;
	const kernel_call all = { s->rows, s->cols, st->args, st->scalars, helpers };
	const bool cuts = pool_worth(threads, st->bytes);
	int64_t at[FUSE_OUTER] = { 0 };
	int d;

	for (d = 0; d < s->outer_count; d++)
		if (!s->outer[d])
			return;
	do {
		if (cuts)
			run_cut(threads, st->code, &all, st->bytes);
		else
			run_code(st->code, &all);
		for (d = s->outer_count - 1; d >= 0; d--) {
			const int64_t by = ++at[d] < s->outer[d] ? 1 : 1 - s->outer[d];

			for (unsigned k = 0; k < g->args_count; k++)
				st->args[k].data = (char *)st->args[k].data +
					by * from[k].outer[d];
			if (by == 1)
				break;
			at[d] = 0;
		}
	} while (d >= 0);
}

/* New code, and a plan's first run: what a kernel is called with comes from the plan. */
static bool is_on_probation(const fused_run *f, const fused_step *st)
{
	return !f->p->completed || f->tenant->hot->checks ||
		atomic_load_explicit(&st->code->proved, memory_order_relaxed) < CODE_TRUSTED;
}

static bool launch_kernel(fused_run *f, const fused_step *st)
{
	fused_place out[GROUP_ARGS];

	if (UNLIKELY(!find_places(f, st, out)))
		return false;
	if (UNLIKELY(atomic_load_explicit(&st->code->barred, memory_order_relaxed))) {
		if (!fused_replace(f, st, out)) {
			give_back(out, st->out_count);
			return false;
		}
	} else {
		convert_scalars(f, st, st->code->g->scalars_count);
		set_args(f, st, out);
		run_space(f, st);
		if (UNLIKELY(is_on_probation(f, st)))
			fused_prove(f, st, out);
	}
	counter_add(&f->tenant->hot->counts.kernels, 1);
	finish(f, st, out);
	return true;
}

/* ---- calls, views ---------------------------------------------------------------------------- */

static void set_inputs(const fused_run *f, const fused_step *st, const ins *i)
{
	unsigned tensors = 0;

	for (unsigned k = 0; k < i->nin; k++)
		if (ins_kind(i, k))
			engine_scalar((dtype_kind)ins_kind(i, k),
				(scalar){ .bits = ins_in(i)[k] },
				(gt_dtype)st->views[k].m.dtype, &st->words[k]);
		else
			st->views[k].data = f->slots[st->in[tensors++]].data;
}

/* What arrived long ago need not be computed once more, if it lies as the others expect it. */
static bool is_there(const fused_run *f, uint32_t slot)
{
	const fused_slot *s = &f->slots[slot];

	return s->state & SLOT_LATE && !s->late->why && s->late->v.contiguous;
}

static bool launch_call(fused_run *f, fused_step *st)
{
	const uint32_t slot = st->s->value;
	const ins *i = fusion_row(f->p->f, slot, f->run);
	kernel *run = f->tenant->worker->engine->kernels[i->op];
	fused_place out;

	if (is_there(f, slot)) {
		for (uint32_t k = 0; k < st->in_count; k++)
			fused_unneed(f, st->in[k]);
		return true;
	}
	if (UNLIKELY(!run || !find_place(f, st, slot, &out)))
		return false;
	set_inputs(f, st, i);
	st->views[i->nin].data = out.data;
	st->call.i = i;
	if (UNLIKELY(run(&st->call))) {
		give_back(&out, 1);
		fused_late(f, f->p->f->values.at[slot].op);      /* fails in the op's words */
		return false;
	}
	finish(f, st, &out);
	return true;
}

static void launch_view(fused_run *f, const fused_step *st)
{
	const uint32_t base = *st->in, slot = *st->out;
	const uint8_t how = f->slots[base].state & SLOT_ARENA;
	storage *s = how ? NULL : fused_storage(f, base);

	if (s)
		storage_hold(s);
	fused_present(f, slot, (char *)f->slots[base].data +
		fusion_offset(f->p->f, slot, f->run), s, how);
	fused_unneed(f, base);
}

/* ---- all of an op's -------------------------------------------------------------------------- */

bool fused_launch(fused_run *f, uint32_t at)
{
	const uint32_t end = f->p->ops[at + 1].steps;

	for (; f->step < end; f->step++) {
		fused_step *st = &f->p->steps[f->step];
		bool done = true;

		if (st->s->kind == STEP_KERNEL)
			done = launch_kernel(f, st);
		else if (st->s->kind == STEP_CALL)
			done = launch_call(f, st);
		else
			launch_view(f, st);
		if (UNLIKELY(!done))
			return false;
	}
	return true;
}
