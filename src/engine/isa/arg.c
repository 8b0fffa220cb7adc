/* arg.c: argmax and argmin over one axis or all.
 *
 * In rows the extreme itself is found first, as max and min do, and then looked for; columns carry
 * value and position side by side. Positions come in ascending order, so the first of equals stays.
 */
#include "engine/isa/folds.h"
#include "engine/isa/source.h"
#include "engine/rows.h"

#define ROWS_MAX 64
#define STRIP 128                  /* columns side by side */
#define CHUNK_BYTES (64 * 1024)

/* One way of searching in one working type. */
typedef struct search {
	void (*rows)(const void *x, int64_t step, int64_t rows, int64_t n, void *values, void *at);
	void (*columns)(const void *x, int64_t step, int64_t rows, int64_t w, int64_t first,
			void *values, void *at);
	/* Take what is better of n values found in one block, whose elements begin at position
	 * `first`. */
	void (*merge)(const void *values, const void *at, int64_t n, int64_t first, void *best,
			int64_t *out);
} search;

#define SEARCH(name, type, tag, index, how)                                                 \
	static void name##_##tag##_rows(const void *x, int64_t step, int64_t rows, int64_t n, \
			void *values, void *at)                                             \
	{                                                                                   \
		extremes_##tag(how, x, step, rows, n, values, at);                          \
	}                                                                                   \
	static void name##_##tag##_columns(const void *x, int64_t step, int64_t rows,       \
			int64_t w, int64_t first, void *values, void *at)                   \
	{                                                                                   \
		extremes_of_columns_##tag(how, x, step, rows, w, first, values, at);        \
	}                                                                                   \
	static void name##_##tag##_merge(const void *values, const void *at, int64_t n,     \
			int64_t first, void *best, int64_t *out)                            \
	{                                                                                   \
		const type *found = values;                                                 \
                                                                                            \
		for (int64_t j = 0; j < n; j++)                                             \
			if (first == 0 || better_##tag(how, found[j], ((type *)best)[j])) { \
				((type *)best)[j] = found[j];                               \
				out[j] = first + ((const index *)at)[j];                    \
			}                                                                   \
	}
#define SEARCH_ENTRY(name, tag) {name##_##tag##_rows, name##_##tag##_columns, name##_##tag##_merge}
SEARCH(max, float, f32, int32_t, FOLD_MAX)
SEARCH(max, double, f64, int64_t, FOLD_MAX)
SEARCH(max, int64_t, i64, int64_t, FOLD_MAX)
SEARCH(min, float, f32, int32_t, FOLD_MIN)
SEARCH(min, double, f64, int64_t, FOLD_MIN)
SEARCH(min, int64_t, i64, int64_t, FOLD_MIN)
static const search searches[2][WORKING_TYPES] = {
	{SEARCH_ENTRY(max, f32), SEARCH_ENTRY(max, f64), SEARCH_ENTRY(max, i64)},
	{SEARCH_ENTRY(min, f32), SEARCH_ENTRY(min, f64), SEARCH_ENTRY(min, i64)},
};

typedef struct plan {
	const search *f;
	source s;
	int64_t *out;
	int64_t chunk;             /* rows: sequences a chunk */
	int64_t strips;            /* columns: of each row of neighbours */
} plan;

static void run_rows(void *ctx, int64_t k)
{
	_Alignas(64) char buffer[SOURCE_ROWS * TREE_BLOCK * sizeof(int64_t)];
	_Alignas(64) char values[ROWS_MAX * sizeof(int64_t)], at[ROWS_MAX * sizeof(int64_t)];
	_Alignas(64) char best[ROWS_MAX * sizeof(int64_t)];
	const plan *p = ctx;
	int64_t together = source_in_place(&p->s) ? ROWS_MAX : SOURCE_ROWS, n, step;
	int64_t end = MIN((k + 1) * p->chunk, p->s.kept.count);

	for (int64_t o = k * p->chunk; o < end; o += together)
		for (int64_t first = 0; first < p->s.reduced.count; first += n) {
			int64_t rows = MIN(together, end - o);
			const void *x;

			n = MIN(TREE_BLOCK, p->s.reduced.count - first);
			x = source_rows(&p->s, o, rows, first, n, buffer, &step);
			p->f->rows(x, step, rows, n, values, at);
			p->f->merge(values, at, rows, first, best, p->out + o);
		}
}

/* Extremes of elements first .. first + n - 1 of w neighbouring sequences from o on. */
static void search_columns(const plan *p, int64_t o, int64_t w, int64_t first, int64_t n,
		char *values, char *at)
{
	_Alignas(64) char row[STRIP * sizeof(int64_t)];
	const char *in = source_at(&p->s, o);

	p->s.get(values, in + axes_offset(&p->s.reduced, first) * (int64_t)p->s.in_size, 1, w);
	memset(at, 0, (size_t)w * p->s.size);
	for (int64_t done = 0; done < n; ) {
		axes_run run = axes_next(&p->s.reduced, first + done, n - done);
		const char *x = in + run.offset * (int64_t)p->s.in_size;

		if (p->s.direct)
			p->f->columns(x, run.step, run.n, w, done, values, at);
		else
			for (int64_t i = 0; i < run.n; i++, x += run.step * (int64_t)p->s.in_size) {
				p->s.get(row, x, 1, w);
				p->f->columns(row, w, 1, w, done + i, values, at);
			}
		done += run.n;
	}
}

static void run_columns(void *ctx, int64_t k)
{
	_Alignas(64) char values[STRIP * sizeof(int64_t)], at[STRIP * sizeof(int64_t)];
	_Alignas(64) char best[STRIP * sizeof(int64_t)];
	const plan *p = ctx;
	int64_t width = p->s.kept.dims[p->s.kept.rank - 1], column = k % p->strips * STRIP;
	int64_t o = k / p->strips * width + column, w = MIN(STRIP, width - column);

	for (int64_t first = 0; first < p->s.reduced.count; first += TREE_BLOCK) {
		search_columns(p, o, w, first, MIN(TREE_BLOCK, p->s.reduced.count - first),
				values, at);
		p->f->merge(values, at, w, first, best, p->out + o);
	}
}

static gt_err find_extremes(const kcall *c, const int how)
{
	plan p = {.out = c->out->data};
	int64_t chunks, bytes;
	bool columns;

	source_init(&p.s, c->in[0], c->i->attr.axes, false);
	p.f = &searches[how == FOLD_MIN][p.s.working];
	if (p.s.kept.count == 0)
		return GT_OK;
	columns = source_has_columns(&p.s);
	bytes = p.s.reduced.count * (int64_t)p.s.in_size;
	if (columns) {
		int64_t width = p.s.kept.dims[p.s.kept.rank - 1];
		p.strips = (width + STRIP - 1) / STRIP;
		chunks = p.s.kept.count / width * p.strips;
	} else {
		p.chunk = MAX(1, CHUNK_BYTES / bytes);
		chunks = (p.s.kept.count + p.chunk - 1) / p.chunk;
	}
	if (chunks > 1 && p.s.kept.count * bytes >= POOL_GRAIN_BYTES)
		pool_run(c->engine->pool, chunks, columns ? run_columns : run_rows, &p);
	else
		for (int64_t k = 0; k < chunks; k++)
			(columns ? run_columns : run_rows)(&p, k);
	return GT_OK;
}

static gt_err argmax(const kcall *c) { return find_extremes(c, FOLD_MAX); }
static gt_err argmin(const kcall *c) { return find_extremes(c, FOLD_MIN); }

void ISA(arg_rows)(kernel **table)
{
	table[OP_argmax] = argmax;
	table[OP_argmin] = argmin;
}
