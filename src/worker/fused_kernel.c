/* fused_kernel.c: launching kernels, one or several at a time.
 *
 * What a launch computes is cut in pieces of about POOL_GRAIN_BYTES, which threads claim, or one
 * thread does there and back (pool_sweep). A launch of many small kernels is cut like that of a
 * large one.
 */
#include "worker/fused_step.h"

#include "group/helpers.h"
#include "group/reference.h"

#define CHUNK_COLS 64            /* pieces of rows begin at multiples: vectors stay whole */

void fused_kernel_run(const fused_code *c, const kernel_call *what)
{
	if (UNLIKELY(fused_short_pays(c, what)) && fused_short_run(c, what))
		return;
	if (LIKELY(c->run != NULL))
		c->run(what);
	else
		group_run(c->g, what);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* A call of a kernel, cut in pieces of so many rows or columns. */
typedef struct cut {
	const fused_code *code;
	kernel_call whole;
	int64_t size, pieces;
	bool by_cols;
} cut;

static void run_piece(void *ctx, int64_t k)
{
	const cut *c = ctx;
	const group *g = c->code->g;
	kernel_call piece = c->whole;
	kernel_arg args[GROUP_ARGS];
	const int64_t from = k * c->size;
	int64_t *length = c->by_cols ? &piece.cols : &piece.rows;

	*length = MIN(c->size, *length - from);
	for (unsigned a = 0; a < g->args_count; a++) {
		args[a] = piece.args[a];
		args[a].data = (char *)args[a].data + from *
			(c->by_cols ? fused_arg_step(&g->args[a], &args[a]) : args[a].row);
	}
	piece.args = args;
	fused_kernel_run(c->code, &piece);
}

static bool writes_repeatedly(const group *g)
{
	for (unsigned k = 0; k < g->args_count; k++)
		if (g->args[k].out && g->args[k].access == ACCESS_SAME)
			return true;
	return false;
}

/* Rows are cut if there are enough of them, else columns where the group allows it. */
static cut cut_call(const fused_step *st)
{
	const int64_t most = MAX(1, (st->bytes + POOL_GRAIN_BYTES - 1) / POOL_GRAIN_BYTES);
	const group *g = st->code->g;
	cut to = { .code = st->code, .whole = { st->s->rows, st->s->cols, st->args, st->scalars,
		helpers } };
	int64_t length;

	to.by_cols = g->mode == GROUP_COLS || (g->mode == GROUP_ELEMENT &&
		to.whole.rows < most && to.whole.rows < to.whole.cols && !writes_repeatedly(g));
	length = to.by_cols ? to.whole.cols : to.whole.rows;
	to.size = (length + most - 1) / most;
	if (to.by_cols)
		to.size = ALIGN_UP(to.size, CHUNK_COLS);
	to.pieces = (length + to.size - 1) / to.size;
	return to;
}

static void run_cut(pool *p, const fused_step *st)
{
	cut to = cut_call(st);

	if (to.pieces > 1)
		pool_sweep(p, to.pieces, run_piece, &to);
	else if (!fused_part_run(p, st))
		fused_kernel_run(st->code, &to.whole);
}

/* ---- a kernel -------------------------------------------------------------------------------- */

static void convert_scalars(const fused_run *f, const fused_step *st)
{
	const unsigned count = st->code->g->scalars_count;
	const fuse_scalar *from = f->p->f->scalars.at + st->s->scalars;

	for (unsigned k = 0; k < count; k++) {
		const uint64_t bits = from[k].op == REGION_NEVER ? from[k].bits :
			ins_in(f->run[from[k].op])[from[k].input];

		st->scalars[k] = 0;
		engine_scalar((dtype_kind)from[k].kind, (scalar){ .bits = bits },
			(gt_dtype)from[k].dtype, &st->scalars[k]);
	}
}

void fused_kernel_prepare(const fused_run *f, const fused_step *st, const fused_place *out)
{
	const group *g = st->code->g;
	const fuse_arg *from = f->p->f->args.at + st->s->args;

	convert_scalars(f, st);
	for (unsigned k = 0; k < g->args_count; k++)
		if (from[k].value != FUSE_NONE)
			st->args[k].data = g->args[k].out ? out++->data :
				f->slots[from[k].value].data;
		else if (g->args[k].counts)
			st->args[k].data = KERNEL_NUMBERS;
}

/* To the next index of the outer dims; false behind the last one. */
static bool advance(const fused_step *st, const fuse_arg *from, int64_t *at)
{
	const fuse_step *s = st->s;

	for (int d = s->outer_count - 1; d >= 0; d--) {
		const int64_t by = ++at[d] < s->outer[d] ? 1 : 1 - s->outer[d];

		for (unsigned k = 0; k < st->code->g->args_count; k++)
			st->args[k].data = (char *)st->args[k].data + by * from[k].outer[d];
		if (by == 1)
			return true;
		at[d] = 0;
	}
	return false;
}

/* By one thread, if `threads` is NULL. */
static void run_space(const fused_step *st, const fuse_arg *from, pool *threads)
{
	const kernel_call all = { st->s->rows, st->s->cols, st->args, st->scalars, helpers };
	int64_t at[FUSE_OUTER] = { 0 };

	for (int d = 0; d < st->s->outer_count; d++)
		if (!st->s->outer[d])
			return;
	do {
		if (threads)
			run_cut(threads, st);
		else
			fused_kernel_run(st->code, &all);
	} while (advance(st, from, at));
}

void fused_kernel_spread(const fused_run *f, const fused_step *st)
{
	pool *threads = f->tenant->worker->engine->pool;
	/* Reductions down the columns read wide stretches of rows; pieces would be narrow ones. */
	bool swept = st->bytes >= POOL_SWEEP_BYTES && st->code->g->mode != GROUP_COLS;

	run_space(st, f->p->f->args.at + st->s->args, swept || pool_worth(threads, st->bytes) ?
		threads : NULL);
}

/* ---- several kernels ------------------------------------------------------------------------- */

/* Kernels of one launch. Of those with outer dims each is one piece. */
typedef struct bundle {
	const fused_run *f;
	const fused_step *first;
	unsigned count;
	cut cuts[FUSE_TOGETHER];
} bundle;

static void run_share(void *ctx, int64_t k)
{
	bundle *b = ctx;
	unsigned at = 0;

	for (; k >= b->cuts[at].pieces; at++)
		k -= b->cuts[at].pieces;
	if (b->first[at].s->outer_count)
		run_space(&b->first[at], b->f->p->f->args.at + b->first[at].s->args, NULL);
	else
		run_piece(&b->cuts[at], k);
}

static void run_bundle(const fused_run *f, const fused_step *first, unsigned count)
{
	pool *threads = f->tenant->worker->engine->pool;
	bundle b = { .f = f, .first = first, .count = count };
	int64_t bytes = 0, pieces = 0;

	for (unsigned k = 0; k < count; k++) {
		b.cuts[k] = cut_call(&first[k]);
		if (first[k].s->outer_count)
			b.cuts[k].pieces = 1;
		if (UNLIKELY(first[k].replaced))
			b.cuts[k].pieces = 0;
		pieces += b.cuts[k].pieces;
		bytes += first[k].bytes;
	}
	if (pool_worth(threads, bytes))
		pool_run(threads, pieces, run_share, &b);
	else
		for (int64_t k = 0; k < pieces; k++)
			run_share(&b, k);
}

/* ---- a launch -------------------------------------------------------------------------------- */

bool fused_on_probation(const fused_run *f, const fused_step *st)
{
	return !f->p->completed || f->tenant->hot->checks ||
		atomic_load_explicit(&st->code->proved, memory_order_relaxed) < CODE_TRUSTED;
}

/* Results have places. Of barred code they are there. False: there is no memory. */
static bool begin(fused_run *f, fused_step *st)
{
	st->replaced = fused_is_barred(st);
	if (UNLIKELY(!fused_places_find(f, st, st->places)))
		return false;
	if (LIKELY(!st->replaced)) {
		fused_kernel_prepare(f, st, st->places);
		return true;
	}
	if (fused_replace(f, st, st->places))
		return true;
	fused_places_drop(st->places, st->out_count);
	return false;
}

/* Code may have been barred by a step before. */
static void conclude(fused_run *f, const fused_step *st)
{
	if (UNLIKELY(fused_on_probation(f, st) || fused_is_barred(st)) && !st->replaced)
		fused_prove(f, st, st->places);
	fused_finish(f, st, st->places, st->out_count);
}

bool fused_kernels_compute(fused_run *f, fused_step *first, unsigned count)
{
	for (unsigned k = 0; k < count; k++)
		if (UNLIKELY(!begin(f, &first[k]))) {
			while (k--)
				fused_places_drop(first[k].places, first[k].out_count);
			return false;
		}
	if (count > 1)
		run_bundle(f, first, count);
	else if (LIKELY(!first->replaced))
		fused_kernel_spread(f, first);
	return true;
}

bool fused_kernels_launch(fused_run *f, fused_step *first, unsigned count)
{
	if (UNLIKELY(!fused_kernels_compute(f, first, count)))
		return false;
	for (unsigned k = 0; k < count; k++)
		conclude(f, &first[k]);
	counter_add(&f->tenant->hot->counts.kernels, 1);
	return true;
}
