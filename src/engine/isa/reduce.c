/* reduce.c: sum, prod, max, min, any, all over any axes, in the order of the reduction tree.
 *
 * Three types do the work: float, double, and int64_t for integers, bools and truth values. Elements of
 * another dtype are converted on the way. A reduction runs in one of two ways:
 *
 *   rows      one element of the result at a time, four side by side; its elements are read in place if they
 *             are contiguous and of the working type, else a block at a time through a buffer.
 *   columns   neighbours in memory belong to different elements of the result: each vector operation joins
 *             one element to each of many sequences, whose lanes are rows of a small matrix.
 *
 * Long sequences leave a partial result a block; those are joined at the end. Pieces are cut by size alone.
 */
#include "base/error.h"
#include "engine/axes.h"
#include "engine/isa/folds.h"
#include "engine/rows.h"

#define STRIP_BYTES 1024            /* columns joined at a time: their lanes fit half of the first cache */
#define STRIP_BYTES_SHARED 256      /* the same where wide strips would be too few for several threads */
#define STRIP_MAX (STRIP_BYTES / 4)
#define COLUMNS_MIN 4
#define CHUNK_BYTES (64 * 1024)

/* The blocks of one way of joining, in one working type. Sizes in elements. */
typedef struct fold {
	size_t size;
	void (*four)(const void *const *p, int64_t n, void *out);
	void (*add_rows)(void *lanes, int64_t lane, const void *x, int64_t step, int64_t n, int64_t w);
	void (*join)(void *a, const void *b, int64_t n);
	void (*fill)(void *to, int64_t n);
} fold;

#define FOLD(name, type, tag, how)                                                                   \
	static void name##_##tag##_four(const void *const *p, int64_t n, void *out)                  \
	{                                                                                            \
		four_##tag(how, (const type *const *)p, (const type[4]){0}, n, out);                 \
	}                                                                                            \
	static void name##_##tag##_add_rows(void *lanes, int64_t lane, const void *x, int64_t step,  \
			int64_t n, int64_t w)                                                        \
	{                                                                                            \
		add_rows_##tag(how, lanes, lane, x, step, n, w);                                     \
	}                                                                                            \
	static void name##_##tag##_join(void *a, const void *b, int64_t n)                           \
	{                                                                                            \
		join_all_##tag(how, a, b, n);                                                        \
	}                                                                                            \
	static void name##_##tag##_fill(void *to, int64_t n)                                         \
	{                                                                                            \
		for (int64_t k = 0; k < n; k++)                                                      \
			((type *)to)[k] = start_##tag(how);                                          \
	}
#define FOLD_ENTRY(name, type, tag, how) {sizeof(type), name##_##tag##_four, name##_##tag##_add_rows, \
	name##_##tag##_join, name##_##tag##_fill}
#define FOLD_TYPES(X, name, how) X(name, float, f32, how) X(name, double, f64, how) X(name, int64_t, i64, how)
FOLD_TYPES(FOLD, sum, FOLD_SUM)
FOLD_TYPES(FOLD, prod, FOLD_PROD)
FOLD_TYPES(FOLD, max, FOLD_MAX)
FOLD_TYPES(FOLD, min, FOLD_MIN)

enum { IN_F32, IN_F64, IN_I64, WORKING_TYPES };
static const fold folds[][WORKING_TYPES] = {
#define FOLD_ROW(name, how) [how] = {FOLD_ENTRY(name, float, f32, how), FOLD_ENTRY(name, double, f64, how), \
	FOLD_ENTRY(name, int64_t, i64, how)}
	FOLD_ROW(sum, FOLD_SUM), FOLD_ROW(prod, FOLD_PROD), FOLD_ROW(max, FOLD_MAX), FOLD_ROW(min, FOLD_MIN),
};

/* Read n elements, `step` apart, into contiguous memory of the working type; write n results. */
typedef void getter(void *to, const void *from, int64_t step, int64_t n);
typedef void putter(void *to, const void *from, int64_t n);

#define GET(name, type, from_type, expr)                                                             \
	static void name(void *to, const void *from, int64_t step, int64_t n)                        \
	{                                                                                            \
		const from_type *x = from;                                                           \
                                                                                                     \
		for (int64_t k = 0; k < n; k++)                                                      \
			((type *)to)[k] = expr;                                                      \
	}
#define GET_SAME(dtype, type, unused) GET(get_##dtype, type, type, x[k * step])
#define GET_INT(dtype, type, unused) GET(get_##dtype, int64_t, type, x[k * step])
#define GET_TRUTH(dtype, type, unused) GET(get_truth_##dtype, int64_t, type, x[k * step] != 0)
#define PUT(dtype, type, from_type)                                                                  \
	static void put_##dtype(void *to, const void *from, int64_t n)                               \
	{                                                                                            \
		for (int64_t k = 0; k < n; k++)                                                      \
			((type *)to)[k] = (type)((const from_type *)from)[k];                        \
	}
EACH_FLOAT(GET_SAME, )
EACH_INT(GET_INT, )
EACH_BOOL(GET_INT, )
EACH_DTYPE(GET_TRUTH, )
PUT(FLOAT32, float, float)
PUT(FLOAT64, double, double)
EACH_INT(PUT, int64_t)
EACH_BOOL(PUT, int64_t)

static const struct { uint8_t working; getter *get, *get_truth; putter *put; } types[GT_DTYPE_COUNT] = {
#define TYPE(dtype, type, working) [GT_##dtype] = {working, get_##dtype, get_truth_##dtype, put_##dtype},
	TYPE(FLOAT32, float, IN_F32)
	TYPE(FLOAT64, double, IN_F64)
	EACH_INT(TYPE, IN_I64)
	EACH_BOOL(TYPE, IN_I64)
};

typedef struct plan {
	const fold *f;
	getter *get;
	putter *put;
	bool direct;               /* elements are of the working type already */
	axes kept, reduced;
	const char *in;
	char *out;
	size_t in_size, out_size;
	int64_t blocks;            /* of each sequence */
	char *partials;            /* block b of result o at b * outs + o; NULL if blocks is 1 */
	int64_t strip, strips, outer;   /* columns: strips of width `strip`, `outer` times */
	int64_t chunk;             /* rows: sequences a chunk; joining: results a chunk */
} plan;

/* Where the result of block b of sequences o .. o + n - 1 goes. */
static void put_results(const plan *p, int64_t o, int64_t b, const void *results, int64_t n)
{
	if (p->partials)
		memcpy(p->partials + (size_t)(b * p->kept.count + o) * p->f->size, results, (size_t)n * p->f->size);
	else
		p->put(p->out + (size_t)o * p->out_size, results, n);
}

/* ---- Rows. ---- */

/* Elements first .. first + n - 1 of the sequence at `in`, contiguous and of the working type; `buffer` has room. */
static const void *read_block(const plan *p, const char *in, int64_t first, int64_t n, char *buffer)
{
	if (p->direct && (p->reduced.rank == 0 || (p->reduced.rank == 1 && p->reduced.steps[0] == 1)))
		return in + (size_t)first * p->in_size;
	for (int64_t done = 0; done < n; ) {
		axes_run run = axes_next(&p->reduced, first + done, n - done);
		p->get(buffer + (size_t)done * p->f->size, in + run.offset * (int64_t)p->in_size, run.step, run.n);
		done += run.n;
	}
	return buffer;
}

/* Block b of up to four sequences from o on. */
static void reduce_four(const plan *p, int64_t o, int64_t sequences, int64_t b)
{
	_Alignas(64) char buffers[4][TREE_BLOCK * sizeof(int64_t)];
	_Alignas(64) char results[4 * sizeof(int64_t)];
	const void *from[4];
	int64_t first = b * TREE_BLOCK, n = MIN(TREE_BLOCK, p->reduced.count - first);

	for (int q = 0; q < 4; q++)
		if (q < sequences) {
			const char *in = p->in + axes_offset(&p->kept, o + q) * (int64_t)p->in_size;
			from[q] = read_block(p, in, first, n, buffers[q]);
		} else {
			from[q] = from[0];
		}
	p->f->four(from, n, results);
	put_results(p, o, b, results, sequences);
}

/* Four blocks of one sequence. */
static void reduce_four_blocks(const plan *p, int64_t o, int64_t b)
{
	_Alignas(64) char buffers[4][TREE_BLOCK * sizeof(int64_t)];
	_Alignas(64) char results[4 * sizeof(int64_t)];
	const char *in = p->in + axes_offset(&p->kept, o) * (int64_t)p->in_size;
	const void *from[4];

	for (int q = 0; q < 4; q++)
		from[q] = read_block(p, in, (b + q) * TREE_BLOCK, TREE_BLOCK, buffers[q]);
	p->f->four(from, TREE_BLOCK, results);
	for (int q = 0; q < 4; q++)
		put_results(p, o, b + q, results + (size_t)q * p->f->size, 1);
}

/* Short sequences: a chunk is p->chunk of them. Long ones: a chunk is p->chunk blocks of one. */
static void run_rows(void *ctx, int64_t k)
{
	const plan *p = ctx;

	if (p->blocks == 1) {
		int64_t end = MIN((k + 1) * p->chunk, p->kept.count);
		for (int64_t o = k * p->chunk; o < end; o += 4)
			reduce_four(p, o, MIN(4, end - o), 0);
	} else {
		int64_t chunks = (p->blocks + p->chunk - 1) / p->chunk, whole = p->reduced.count / TREE_BLOCK;
		int64_t o = k / chunks, b = k % chunks * p->chunk, end = MIN(b + p->chunk, p->blocks);
		for (; b + 4 <= MIN(end, whole); b += 4)
			reduce_four_blocks(p, o, b);
		for (; b < end; b++)
			reduce_four(p, o, 1, b);
	}
}

static int64_t cut_rows(plan *p)
{
	int64_t bytes = (int64_t)p->f->size * (p->blocks == 1 ? p->reduced.count : TREE_BLOCK);
	int64_t parts = p->blocks == 1 ? p->kept.count : p->blocks;

	p->chunk = ALIGN_UP(MAX(1, CHUNK_BYTES / MAX(1, bytes)), 4);
	return (parts + p->chunk - 1) / p->chunk * (p->blocks == 1 ? 1 : p->kept.count);
}

/* ---- Columns. ---- */

/* Join elements first .. first + n - 1 of `w` neighbouring sequences at `in` to the lanes. */
static void add_columns(const plan *p, char *lanes, const char *in, int64_t first, int64_t n, int64_t w)
{
	_Alignas(64) char row[STRIP_MAX * sizeof(int64_t)];

	for (int64_t done = 0; done < n; ) {
		axes_run run = axes_next(&p->reduced, first + done, n - done);
		const char *x = in + run.offset * (int64_t)p->in_size;

		if (p->direct)
			p->f->add_rows(lanes, done % TREE_LANES, x, run.step, run.n, w);
		else
			for (int64_t k = 0; k < run.n; k++, x += run.step * (int64_t)p->in_size) {
				p->get(row, x, 1, w);
				p->f->add_rows(lanes, (done + k) % TREE_LANES, row, w, 1, w);
			}
		done += run.n;
	}
}

/* Chunk k is one strip of one block. Fewer elements than lanes need no more lanes than elements: the others
 * would hold the neutral element. */
static void run_columns(void *ctx, int64_t k)
{
	_Alignas(64) char lanes[TREE_LANES * STRIP_MAX * sizeof(float)];
	const plan *p = ctx;
	int64_t width = p->kept.dims[p->kept.rank - 1], size = (int64_t)p->f->size;
	int64_t b = k / (p->outer * p->strips), outer = k / p->strips % p->outer, at = k % p->strips * p->strip;
	int64_t o = outer * width + at, w = MIN(p->strip, width - at);
	int64_t first = b * TREE_BLOCK, n = MIN(TREE_BLOCK, p->reduced.count - first);
	int64_t used = TREE_LANES;

	while (used / 2 >= n && used > 1)
		used /= 2;
	p->f->fill(lanes, used * w);
	add_columns(p, lanes, p->in + axes_offset(&p->kept, o) * (int64_t)p->in_size, first, n, w);
	for (used /= 2; used > 0; used /= 2)
		p->f->join(lanes, lanes + used * w * size, used * w);
	put_results(p, o, b, lanes, w);
}

static int64_t cut_columns(plan *p, bool large)
{
	int64_t width = p->kept.dims[p->kept.rank - 1];

	p->outer = p->kept.count / width;
	p->strip = STRIP_BYTES / (int64_t)p->f->size;
	p->strips = (width + p->strip - 1) / p->strip;
	if (large && p->outer * p->strips * p->blocks < 8) {
		p->strip = STRIP_BYTES_SHARED / (int64_t)p->f->size;
		p->strips = (width + p->strip - 1) / p->strip;
	}
	return p->outer * p->strips * p->blocks;
}

/* ---- All together. ---- */

/* Step 4 of tree.h. Partial results first .. first + blocks - 1 of n sequences from o on: the result ends up in the first. */
static void join_blocks(const plan *p, int64_t o, int64_t n, int64_t first, int64_t blocks)
{
	size_t row = (size_t)p->kept.count * p->f->size, at = (size_t)o * p->f->size;
	int64_t left;

	if (blocks == 1)
		return;
	left = (int64_t)1 << (63 - __builtin_clzll((uint64_t)blocks - 1));
	join_blocks(p, o, n, first, left);
	join_blocks(p, o, n, first + left, blocks - left);
	p->f->join(p->partials + (size_t)first * row + at, p->partials + (size_t)(first + left) * row + at, n);
}

static void run_join(void *ctx, int64_t k)
{
	const plan *p = ctx;
	int64_t o = k * p->chunk, n = MIN(p->chunk, p->kept.count - o);

	join_blocks(p, o, n, 0, p->blocks);
	p->put(p->out + (size_t)o * p->out_size, p->partials + (size_t)o * p->f->size, n);
}

static void run_chunks(pool *threads, bool large, int64_t chunks, void (*body)(void *ctx, int64_t k), plan *p)
{
	if (large && chunks > 1)
		pool_run(threads, chunks, body, p);
	else
		for (int64_t k = 0; k < chunks; k++)
			body(p, k);
}

static gt_err run_plan(plan *p, const engine *e)
{
	bool large = p->kept.count * p->reduced.count * (int64_t)p->in_size >= POOL_GRAIN_BYTES;
	int last = p->kept.rank - 1;
	bool columns = last >= 0 && p->kept.steps[last] == 1 && p->kept.dims[last] >= COLUMNS_MIN
		&& p->reduced.rank > 0;
	storage *memory = NULL;

	if (p->blocks > 1) {
		size_t size = (size_t)(p->kept.count * p->blocks) * p->f->size;
		memory = storage_new(e->memory, size);
		if (!memory)
			return fail(GT_EMEMORY, "reduction: no memory for %zu bytes of partial results", size);
		p->partials = memory->data;
	}
	if (columns)
		run_chunks(e->pool, large, cut_columns(p, large), run_columns, p);
	else
		run_chunks(e->pool, large, cut_rows(p), run_rows, p);
	if (memory) {
		p->chunk = TREE_BLOCK;
		run_chunks(e->pool, large, (p->kept.count + p->chunk - 1) / p->chunk, run_join, p);
		storage_drop(memory);
	}
	return GT_OK;
}

static gt_err reduce(const kcall *c, const int how, bool truth)
{
	const view *x = c->in[0];
	gt_dtype from = x->m.dtype, to = c->out->m.dtype;
	int working = truth ? IN_I64 : types[from].working;
	plan p = {.f = &folds[how][working], .get = truth ? types[from].get_truth : types[from].get,
		.put = types[to].put, .direct = !truth && dtype_size(from) == folds[how][working].size,
		.in = x->data, .out = c->out->data, .in_size = dtype_size(from), .out_size = dtype_size(to)};

	axes_split(x, c->i->attr.axes, &p.kept, &p.reduced);
	if (p.kept.count == 0)
		return GT_OK;
	if (p.reduced.count == 0)
		return engine_reference[c->i->op](c);
	p.blocks = (p.reduced.count + TREE_BLOCK - 1) / TREE_BLOCK;
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
