/* tiles.c: the elementwise calls that need no walk.
 *
 * Nearly all small calls are one tile as they stand, and for those a walk would cost more than
 * the work. So this comes first: contiguous inputs that are as large as the result, a single
 * value, a row for all rows of the result (trailing dims) or a column for all columns (leading
 * dims). Counts tell which: an input that broadcasts to the result and has as many elements as
 * some of its dims has those dims.
 */
#include "engine/isa/tiles.h"

/* Larger calls are cut by a walk, if only to share them out. */
#define ELEMENTS_MAX (POOL_GRAIN_BYTES / ((1 + TILE_INPUTS) * (int64_t)sizeof(int64_t)))

typedef struct fit {
	const meta *out;
	int64_t count, cols;           /* cols: 0 until an input decides it */
	unsigned single;
} fit;

static int64_t trailing(const meta *m, int dims)
{
	int64_t n = 1;

	for (int d = m->rank - dims; d < m->rank; d++)
		n *= m->dims[d];
	return n;
}

/* Elements of a row of the result if `m` is a row or a column of it, else 0. */
static int64_t find_cols(const fit *f, const meta *m, int64_t n, bool *column)
{
	int first = 0, last = m->rank;
	int64_t rest;

	while (m->dims[first] == 1)
		first++;
	if (trailing(f->out, m->rank - first) == n)
		return n;
	while (m->dims[last - 1] == 1)
		last--;
	rest = trailing(f->out, m->rank - last);
	*column = m->rank == f->out->rank && n * rest == f->count;
	return *column ? rest : 0;
}

static bool fit_input(fit *f, const view *v, int k, tile *t)
{
	int64_t n = meta_count(&v->m), cols;
	bool column = false;

	if (!v->contiguous)
		return false;
	t->in[k] = v->data;
	t->in_row[k] = n == f->count ? -1 : 0;     /* -1: to become cols */
	if (n == f->count || n == 1) {
		f->single |= (unsigned)(n != f->count) << k;
		return true;
	}
	cols = find_cols(f, &v->m, n, &column);
	if (!cols || (f->cols && f->cols != cols))
		return false;
	f->cols = cols;
	if (column) {
		t->in_row[k] = 1;
		f->single |= 1u << k;
	}
	return true;
}

static bool fit_call(const kcall *c, const tile_op *how, int64_t count, tile *t, loop **body)
{
	fit f = { .out = &c->out->m, .count = count };

	for (int k = 0; k < how->inputs; k++)
		if (!fit_input(&f, c->in[k], k, t))
			return false;
	t->out = c->out->data;
	t->cols = t->out_row = f.cols ? f.cols : count;
	t->rows = f.cols ? count / f.cols : 1;
	for (int k = 0; k < how->inputs; k++)
		if (t->in_row[k] < 0)
			t->in_row[k] = t->cols;
	*body = how->loops[f.single];
	return *body != NULL;
}

void ISA(tiles_run)(const kcall *c, const tile_op *how)
{
	int64_t count = meta_count(&c->out->m);
	loop *body;
	tile t;

	if (count * how->weight <= ELEMENTS_MAX &&
			count && fit_call(c, how, count, &t, &body)) {
		body(&t);
		return;
	}
	if (count)
		ISA(walk_run)(c, how);
}
