/* reduce.c: sum, prod, max, min, any, all over any axes, in the order of the reduction tree.
 *
 * A reduction runs in one of two ways:
 *
 *   rows      one element of the result at a time, four side by side; its elements are read in
 *             place if they are contiguous and of the working type, else a block at a time through
 *             a buffer.
 *   columns   neighbours in memory belong to different elements of the result: each vector
 *             operation joins one element to each of many sequences, whose lanes are rows of a
 *             small matrix.
 *
 * Long sequences leave a partial result a block; those are joined at the end. Pieces are cut by
 * size alone.
 */
#include "base/error.h"
#include "engine/isa/folds.h"
#include "engine/isa/source.h"
#include "engine/rows.h"

#define STRIP_BYTES 1024            /* joined at a time: their lanes fit half of the first cache */
#define STRIP_BYTES_SHARED 256      /* where wide strips would be too few for several threads */
#define STRIP_MAX (STRIP_BYTES / 4)
#define CHUNK_BYTES (64 * 1024)
#define ROWS_MAX 64                 /* results on the stack */

/* The blocks of one way of joining, in one working type. Sizes in elements. */
typedef struct fold {
	size_t size;
	void (*rows)(const void *x, int64_t step, int64_t rows, int64_t n, void *results);
	void (*add_rows)(void *lanes, int64_t lane, const void *x, int64_t step, int64_t n,
			int64_t w);
	void (*join)(void *a, const void *b, int64_t n);
	void (*fill)(void *to, int64_t n);
} fold;

#define FOLD(name, type, tag, how)                                                          \
	static void name##_##tag##_rows(const void *x, int64_t step, int64_t rows,          \
			int64_t n, void *results)                                           \
	{                                                                                   \
		rows_##tag(how, x, step, rows, n, NULL, results);                           \
	}                                                                                   \
	static void name##_##tag##_add_rows(void *lanes, int64_t lane, const void *x,       \
			int64_t step, int64_t n, int64_t w)                                 \
	{                                                                                   \
		add_rows_##tag(how, lanes, lane, x, step, n, w);                            \
	}                                                                                   \
	static void name##_##tag##_join(void *a, const void *b, int64_t n)                  \
	{                                                                                   \
		join_all_##tag(how, a, b, n);                                               \
	}                                                                                   \
	static void name##_##tag##_fill(void *to, int64_t n)                                \
	{                                                                                   \
		for (int64_t k = 0; k < n; k++)                                             \
			((type *)to)[k] = start_##tag(how);                                 \
	}
#define FOLD_ENTRY(name, type, tag, how)                                                    \
	{sizeof(type), name##_##tag##_rows, name##_##tag##_add_rows, name##_##tag##_join,   \
		name##_##tag##_fill},
#define FOLD_TYPES(X, name, how) \
	X(name, float, f32, how) X(name, double, f64, how) X(name, int64_t, i64, how)
FOLD_TYPES(FOLD, sum, FOLD_SUM)
FOLD_TYPES(FOLD, prod, FOLD_PROD)
FOLD_TYPES(FOLD, max, FOLD_MAX)
FOLD_TYPES(FOLD, min, FOLD_MIN)

static const fold folds[][WORKING_TYPES] = {
#define FOLD_ROW(name, how) [how] = {FOLD_TYPES(FOLD_ENTRY, name, how)},
	FOLD_ROW(sum, FOLD_SUM)
	FOLD_ROW(prod, FOLD_PROD)
	FOLD_ROW(max, FOLD_MAX)
	FOLD_ROW(min, FOLD_MIN)
};

typedef struct plan {
	const fold *f;
	source s;
	putter *put;
	char *out;
	size_t out_size;
	int64_t blocks;            /* of each sequence */
	char *partials;            /* block b of result o at b * outs + o; NULL if blocks is 1 */
	int64_t strip, strips, outer;   /* columns: strips of width `strip`, `outer` times */
	int64_t chunk;             /* rows: sequences a chunk; joining: results a chunk */
} plan;

/* Where the result of block b of sequences o .. o + n - 1 goes. */
static void put_results(const plan *p, int64_t o, int64_t b, const void *results, int64_t n)
{
	if (p->partials)
		memcpy(p->partials + (size_t)(b * p->s.kept.count + o) * p->f->size, results,
				(size_t)n * p->f->size);
	else
		p->put(p->out + (size_t)o * p->out_size, results, n);
}

/* ---- Rows. ---- */

/* Block b of sequences o .. end - 1. */
static void reduce_rows(const plan *p, int64_t o, int64_t end, int64_t b)
{
	_Alignas(64) char buffer[SOURCE_ROWS * TREE_BLOCK * sizeof(int64_t)];
	_Alignas(64) char results[ROWS_MAX * sizeof(int64_t)];
	int64_t first = b * TREE_BLOCK, n = MIN(TREE_BLOCK, p->s.reduced.count - first), step;
	int64_t together = source_in_place(&p->s) ? ROWS_MAX : SOURCE_ROWS;

	for (; o < end; o += together) {
		int64_t rows = MIN(together, end - o);
		const void *x = source_rows(&p->s, o, rows, first, n, buffer, &step);

		p->f->rows(x, step, rows, n, results);
		put_results(p, o, b, results, rows);
	}
}

/* SOURCE_ROWS whole blocks of one sequence from b on. */
static void reduce_blocks(const plan *p, int64_t o, int64_t b)
{
	_Alignas(64) char buffer[SOURCE_ROWS * TREE_BLOCK * sizeof(int64_t)];
	_Alignas(64) char results[SOURCE_ROWS * sizeof(int64_t)];
	const void *x = source_at(&p->s, o) + (size_t)(b * TREE_BLOCK) * p->s.in_size;

	if (!source_in_place(&p->s)) {
		source_read(&p->s, o, b * TREE_BLOCK, SOURCE_ROWS * TREE_BLOCK, buffer);
		x = buffer;
	}
	p->f->rows(x, TREE_BLOCK, SOURCE_ROWS, TREE_BLOCK, results);
	for (int q = 0; q < SOURCE_ROWS; q++)
		put_results(p, o, b + q, results + (size_t)q * p->f->size, 1);
}

/* Short sequences: a chunk is p->chunk of them. Long ones: a chunk is p->chunk blocks of one. */
static void run_rows(void *ctx, int64_t k)
{
	const plan *p = ctx;

	if (p->blocks == 1) {
		reduce_rows(p, k * p->chunk, MIN((k + 1) * p->chunk, p->s.kept.count), 0);
	} else {
		int64_t chunks = (p->blocks + p->chunk - 1) / p->chunk, o = k / chunks;
		int64_t whole = p->s.reduced.count / TREE_BLOCK;
		int64_t b = k % chunks * p->chunk, end = MIN(b + p->chunk, p->blocks);

		for (; b + SOURCE_ROWS <= MIN(end, whole); b += SOURCE_ROWS)
			reduce_blocks(p, o, b);
		for (; b < end; b++)
			reduce_rows(p, o, o + 1, b);
	}
}

static int64_t cut_rows(plan *p)
{
	int64_t bytes = (int64_t)p->f->size * (p->blocks == 1 ? p->s.reduced.count : TREE_BLOCK);
	int64_t parts = p->blocks == 1 ? p->s.kept.count : p->blocks;

	p->chunk = ALIGN_UP(MAX(1, CHUNK_BYTES / MAX(1, bytes)), 4);
	return (parts + p->chunk - 1) / p->chunk * (p->blocks == 1 ? 1 : p->s.kept.count);
}

/* ---- Columns. ---- */

/* Join elements first .. first + n - 1 of `w` neighbouring sequences at `in` to the lanes. */
static void add_columns(const plan *p, char *lanes, const char *in, int64_t first, int64_t n,
		int64_t w)
{
	_Alignas(64) char row[STRIP_MAX * sizeof(int64_t)];

	for (int64_t done = 0; done < n; ) {
		axes_run run = axes_next(&p->s.reduced, first + done, n - done);
		const char *x = in + run.offset * (int64_t)p->s.in_size;

		if (p->s.direct)
			p->f->add_rows(lanes, done % TREE_LANES, x, run.step, run.n, w);
		else
			for (int64_t k = 0; k < run.n; k++, x += run.step * (int64_t)p->s.in_size) {
				p->s.get(row, x, 1, w);
				p->f->add_rows(lanes, (done + k) % TREE_LANES, row, w, 1, w);
			}
		done += run.n;
	}
}

/* Chunk k is one strip of one block. Fewer elements than lanes need no more lanes than elements:
 * the others would hold the neutral element. */
static void run_columns(void *ctx, int64_t k)
{
	_Alignas(64) char lanes[TREE_LANES * STRIP_MAX * sizeof(float)];
	const plan *p = ctx;
	int64_t width = p->s.kept.dims[p->s.kept.rank - 1], size = (int64_t)p->f->size;
	int64_t b = k / (p->outer * p->strips), outer = k / p->strips % p->outer;
	int64_t at = k % p->strips * p->strip;
	int64_t o = outer * width + at, w = MIN(p->strip, width - at);
	int64_t first = b * TREE_BLOCK, n = MIN(TREE_BLOCK, p->s.reduced.count - first);
	int64_t used = TREE_LANES;

	while (used / 2 >= n && used > 1)
		used /= 2;
	p->f->fill(lanes, used * w);
	add_columns(p, lanes, source_at(&p->s, o), first, n, w);
	for (used /= 2; used > 0; used /= 2)
		p->f->join(lanes, lanes + used * w * size, used * w);
	put_results(p, o, b, lanes, w);
}

static int64_t cut_columns(plan *p, bool large)
{
	int64_t width = p->s.kept.dims[p->s.kept.rank - 1];

	p->outer = p->s.kept.count / width;
	p->strip = STRIP_BYTES / (int64_t)p->f->size;
	p->strips = (width + p->strip - 1) / p->strip;
	if (large && p->outer * p->strips * p->blocks < 8) {
		p->strip = STRIP_BYTES_SHARED / (int64_t)p->f->size;
		p->strips = (width + p->strip - 1) / p->strip;
	}
	return p->outer * p->strips * p->blocks;
}

/* ---- All together. ---- */

/* Step 4 of tree.h. Partial results first .. first + blocks - 1 of n sequences from o on: the
 * result ends up in the first. */
static void join_blocks(const plan *p, int64_t o, int64_t n, int64_t first, int64_t blocks)
{
	size_t row = (size_t)p->s.kept.count * p->f->size, at = (size_t)o * p->f->size;
	int64_t left;

	if (blocks == 1)
		return;
	left = (int64_t)1 << (63 - __builtin_clzll((uint64_t)blocks - 1));
	join_blocks(p, o, n, first, left);
	join_blocks(p, o, n, first + left, blocks - left);
	p->f->join(p->partials + (size_t)first * row + at,
			p->partials + (size_t)(first + left) * row + at, n);
}

static void run_join(void *ctx, int64_t k)
{
	const plan *p = ctx;
	int64_t o = k * p->chunk, n = MIN(p->chunk, p->s.kept.count - o);

	join_blocks(p, o, n, 0, p->blocks);
	p->put(p->out + (size_t)o * p->out_size, p->partials + (size_t)o * p->f->size, n);
}

typedef void body(void *ctx, int64_t k);

static void run_chunks(pool *threads, bool large, int64_t chunks, body *run, plan *p)
{
	if (large && chunks > 1)
		pool_run(threads, chunks, run, p);
	else
		for (int64_t k = 0; k < chunks; k++)
			run(p, k);
}

static gt_err run_plan(plan *p, const engine *e)
{
	int64_t bytes = p->s.kept.count * p->s.reduced.count * (int64_t)p->s.in_size, chunks;
	bool large = bytes >= POOL_GRAIN_BYTES;
	bool columns = source_has_columns(&p->s);
	storage *memory = NULL;

	if (!large && p->blocks == 1 && source_in_place(&p->s)) {
		reduce_rows(p, 0, p->s.kept.count, 0);
		return GT_OK;
	}
	if (p->blocks > 1) {
		size_t size = (size_t)(p->s.kept.count * p->blocks) * p->f->size;
		memory = storage_new(e->memory, size);
		if (!memory)
			return fail(GT_EMEMORY, "reduction: no memory for %zu bytes of partial "
					"results", size);
		p->partials = memory->data;
	}
	chunks = columns ? cut_columns(p, large) : cut_rows(p);
	run_chunks(e->pool, large, chunks, columns ? run_columns : run_rows, p);
	if (memory) {
		p->chunk = TREE_BLOCK;
		chunks = (p->s.kept.count + p->chunk - 1) / p->chunk;
		run_chunks(e->pool, large, chunks, run_join, p);
		storage_drop(memory);
	}
	return GT_OK;
}

static gt_err reduce(const kcall *c, const int how, bool truth)
{
	gt_dtype to = c->out->m.dtype;
	plan p = {.put = types[to].put, .out = c->out->data, .out_size = dtype_size(to)};

	source_init(&p.s, c->in[0], c->i->attr.axes, truth);
	p.f = &folds[how][p.s.working];
	if (p.s.kept.count == 0)
		return GT_OK;
	if (p.s.reduced.count == 0)
		return engine_reference[c->i->op](c);
	p.blocks = (p.s.reduced.count + TREE_BLOCK - 1) / TREE_BLOCK;
	return run_plan(&p, c->engine);
}

static gt_err reduce_sum(const kcall *c) { return reduce(c, FOLD_SUM, false); }
static gt_err reduce_prod(const kcall *c) { return reduce(c, FOLD_PROD, false); }
static gt_err reduce_max(const kcall *c) { return reduce(c, FOLD_MAX, false); }
static gt_err reduce_min(const kcall *c) { return reduce(c, FOLD_MIN, false); }
static gt_err reduce_any(const kcall *c) { return reduce(c, FOLD_MAX, true); }
static gt_err reduce_all(const kcall *c) { return reduce(c, FOLD_MIN, true); }

void ISA(reduce_rows)(kernel **table)
{
	table[OP_sum] = reduce_sum;
	table[OP_prod] = reduce_prod;
	table[OP_max] = reduce_max;
	table[OP_min] = reduce_min;
	table[OP_any] = reduce_any;
	table[OP_all] = reduce_all;
}
