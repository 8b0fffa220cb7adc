/* walk.c: running an elementwise loop over tensors of any strides.
 *
 * A call becomes a walk: dims of size 1 are dropped, dims that lie behind one another in all
 * operands are merged, and what remains are outer dims and a matrix of rows and columns, which is
 * cut into tiles. An input whose columns are neither neighbours nor one value is copied, tile by
 * tile, to scratch memory that stays in the cache; the rows are then the dim in which it does
 * have neighbours, so that the copy is a transpose of whole lines.
 */
#include "engine/isa/tiles.h"

#include "engine/isa/move.h"

#define OPERANDS (1 + TILE_INPUTS)     /* 0 is the result, k + 1 is input k */
#define SCRATCH 4096                   /* elements of a tile that goes through scratch memory */
#define SCRATCH_COLS 64
#define ELEMENT_MAX 8                  /* bytes */
#define CHUNK_BYTES (128 * 1024)       /* of all operands, done by a thread in one go */

typedef struct walk {
	int operands, rank;
	int64_t dims[GT_RANK_MAX + 1];
	int64_t strides[OPERANDS][GT_RANK_MAX + 1];
	int64_t size[OPERANDS];        /* bytes of an element */
	char *base[OPERANDS];
	loop *body;                    /* NULL: move input 0 to the result */
	unsigned packed;               /* bit k: input k goes through scratch memory */
	int64_t tile_rows, tile_cols;
	int64_t row_tiles, col_tiles, tiles, chunk_tiles;
} walk;

/* ---- From a call to a walk. ---- */

/* Input k broadcasts to the result: a missing dim, or one of size 1, has stride 0. */
static void take_input(walk *w, int k, const view *v, int rank)
{
	int missing = rank - v->m.rank;

	w->base[k + 1] = v->data;
	w->size[k + 1] = (int64_t)dtype_size(v->m.dtype);
	for (int d = 0; d < rank; d++)
		w->strides[k + 1][d] = d < missing || v->m.dims[d - missing] == 1 ? 0 :
			v->strides[d - missing];
}

static void take_call(walk *w, const kcall *c, int inputs)
{
	const view *out = c->out;

	w->operands = 1 + inputs;
	w->rank = out->m.rank;
	w->base[0] = out->data;
	w->size[0] = (int64_t)dtype_size(out->m.dtype);
	memcpy(w->dims, out->m.dims, sizeof(out->m.dims));
	shape_contiguous(&out->m, w->strides[0]);
	for (int k = 0; k < inputs; k++)
		take_input(w, k, c->in[k], w->rank);
}

static bool can_merge(const walk *w, int outer, int inner)
{
	for (int n = 0; n < w->operands; n++)
		if (w->strides[n][outer] != w->strides[n][inner] * w->dims[inner])
			return false;
	return true;
}

static void set_dim(walk *w, int to, int64_t size, int from)
{
	w->dims[to] = size;
	for (int n = 0; n < w->operands; n++)
		w->strides[n][to] = from < 0 ? 0 : w->strides[n][from];
}

/* Drop and merge dims, then make sure that there are rows and columns. */
static void collapse(walk *w)
{
	int rank = 0;

	for (int d = 0; d < w->rank; d++) {
		if (w->dims[d] == 1)
			continue;
		if (rank && can_merge(w, rank - 1, d))
			set_dim(w, rank - 1, w->dims[rank - 1] * w->dims[d], d);
		else
			set_dim(w, rank++, w->dims[d], d);
	}
	for (; rank < 2; rank++) {
		if (rank)
			set_dim(w, 1, w->dims[0], 0);
		set_dim(w, 0, 1, -1);
	}
	w->rank = rank;
}

static void swap_dims(walk *w, int a, int b)
{
	int64_t size = w->dims[a];

	w->dims[a] = w->dims[b];
	w->dims[b] = size;
	for (int n = 0; n < w->operands; n++) {
		int64_t stride = w->strides[n][a];

		w->strides[n][a] = w->strides[n][b];
		w->strides[n][b] = stride;
	}
}

static int64_t magnitude(int64_t stride)
{
	return stride < 0 ? -stride : stride;
}

/* Make the dim in which operand n is densest, the last one aside, the rows. */
static void choose_rows(walk *w, int n)
{
	int rows = w->rank - 2, best = rows;

	for (int d = 0; d < rows; d++) {
		int64_t stride = magnitude(w->strides[n][d]);

		if (stride && (stride < magnitude(w->strides[n][best]) || !w->strides[n][best]))
			best = d;
	}
	swap_dims(w, rows, best);
}

/* Pick the loop, and the inputs which that loop cannot read where they are. */
static void choose_loop(walk *w, loop *const *loops)
{
	int col = w->rank - 1;
	unsigned single = 0;

	for (int k = 0; k < w->operands - 1; k++) {
		int64_t stride = w->strides[k + 1][col];

		if (stride == 0)
			single |= 1u << k;
		else if (stride != 1)
			w->packed |= 1u << k;
	}
	for (; !loops[single]; single &= single - 1)
		w->packed |= single & -single;
	w->body = loops[single];
	for (int k = w->operands - 2; k >= 0; k--)
		if ((w->packed >> k & 1) && w->strides[k + 1][col])
			choose_rows(w, k + 1);
}

static int64_t divide_up(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

/* Tiles of about `elements`, whose rows are at most `cols` wide unless there are too few rows. */
static void choose_tiles(walk *w, int64_t elements, int64_t cols)
{
	int64_t rows = w->dims[w->rank - 2];

	w->tile_cols = MIN(w->dims[w->rank - 1], MIN(MAX(cols, elements / rows), elements));
	w->tile_rows = MIN(rows, MAX(elements / w->tile_cols, 1));
	w->row_tiles = divide_up(rows, w->tile_rows);
	w->col_tiles = divide_up(w->dims[w->rank - 1], w->tile_cols);
	w->tiles = w->row_tiles * w->col_tiles;
	for (int d = 0; d < w->rank - 2; d++)
		w->tiles *= w->dims[d];
}

/* ---- The walk. ---- */

typedef struct position {
	int64_t row_tile, col_tile;
	int64_t outer[GT_RANK_MAX];
	int64_t offset[OPERANDS];      /* of the outer dims, in elements */
} position;

static void seek(const walk *w, int64_t tile_number, position *p)
{
	*p = (position){ .col_tile = tile_number % w->col_tiles };
	tile_number /= w->col_tiles;
	p->row_tile = tile_number % w->row_tiles;
	tile_number /= w->row_tiles;
	for (int d = w->rank - 3; d >= 0; d--) {
		p->outer[d] = tile_number % w->dims[d];
		tile_number /= w->dims[d];
		for (int n = 0; n < w->operands; n++)
			p->offset[n] += p->outer[d] * w->strides[n][d];
	}
}

static void step_outer(const walk *w, position *p)
{
	for (int d = w->rank - 3; d >= 0; d--) {
		int64_t back = ++p->outer[d] == w->dims[d] ? w->dims[d] : 0;

		for (int n = 0; n < w->operands; n++)
			p->offset[n] += (1 - back) * w->strides[n][d];
		if (!back)
			return;
		p->outer[d] = 0;
	}
}

static void step(const walk *w, position *p)
{
	if (++p->col_tile < w->col_tiles)
		return;
	p->col_tile = 0;
	if (++p->row_tile < w->row_tiles)
		return;
	p->row_tile = 0;
	step_outer(w, p);
}

static char *address(const walk *w, const position *p, int n)
{
	int64_t row = p->row_tile * w->tile_rows, col = p->col_tile * w->tile_cols;

	return w->base[n] + (p->offset[n] + row * w->strides[n][w->rank - 2] +
		col * w->strides[n][w->rank - 1]) * w->size[n];
}

static void pack(const walk *w, int k, tile *t, char *scratch)
{
	const int64_t *strides = w->strides[k + 1];
	matrix_move m = { scratch, t->in[k], t->rows, t->cols,
		t->cols, 1, strides[w->rank - 2], strides[w->rank - 1] };

	ISA(move_matrix)(&m, (size_t)w->size[k + 1]);
	t->in[k] = scratch;
	t->in_row[k] = t->cols;
}

static void move_tile(const walk *w, const tile *t)
{
	int row = w->rank - 2, col = w->rank - 1;
	matrix_move m = { t->out, t->in[0], t->rows, t->cols,
		w->strides[0][row], w->strides[0][col], w->strides[1][row], w->strides[1][col] };

	ISA(move_matrix)(&m, (size_t)w->size[0]);
}

static void run_tile(const walk *w, const position *p, char (*scratch)[SCRATCH * ELEMENT_MAX])
{
	int row = w->rank - 2;
	tile t = {
		.out = address(w, p, 0),
		.out_row = w->strides[0][row],
		.rows = MIN(w->tile_rows, w->dims[row] - p->row_tile * w->tile_rows),
		.cols = MIN(w->tile_cols, w->dims[row + 1] - p->col_tile * w->tile_cols),
	};

	for (int k = 0; k < w->operands - 1; k++) {
		t.in[k] = address(w, p, k + 1);
		t.in_row[k] = w->strides[k + 1][row];
		if (w->packed >> k & 1)
			pack(w, k, &t, scratch[k]);
	}
	if (w->body)
		w->body(&t);
	else
		move_tile(w, &t);
}

static void run_chunk(void *ctx, int64_t k)
{
	const walk *w = ctx;
	int64_t at = k * w->chunk_tiles, end = MIN(at + w->chunk_tiles, w->tiles);
	_Alignas(CACHE_LINE) char scratch[TILE_INPUTS][SCRATCH * ELEMENT_MAX];
	position p;

	seek(w, at, &p);
	for (; at < end; at++, step(w, &p))
		run_tile(w, &p, scratch);
}

static void run(walk *w, pool *p, int weight)
{
	int64_t count = 1, element = 0, bytes;
	bool cut, moves_apart = !w->body && w->strides[1][w->rank - 1] != 1;

	for (int d = 0; d < w->rank; d++)
		count *= w->dims[d];
	for (int n = 0; n < w->operands; n++)
		element += w->size[n];
	bytes = count * element * weight;
	cut = pool_worth(p, bytes) || (weight == 1 && bytes >= POOL_SWEEP_BYTES);
	if (w->packed || moves_apart)
		choose_tiles(w, SCRATCH, SCRATCH_COLS);
	else
		choose_tiles(w, cut ? CHUNK_BYTES / (element * weight) + 1 : count, INT64_MAX);
	w->chunk_tiles = cut ?
		MAX(CHUNK_BYTES / (w->tile_rows * w->tile_cols * element * weight), 1) : w->tiles;
	pool_sweep(p, divide_up(w->tiles, w->chunk_tiles), run_chunk, w);
}

void ISA(walk_run)(const kcall *c, const tile_op *how)
{
	walk w = { .operands = 0 };

	take_call(&w, c, how->inputs);
	collapse(&w);
	choose_loop(&w, how->loops);
	run(&w, c->engine->pool, how->weight);
}

void ISA(walk_copy)(const tile_move *m, pool *p)
{
	walk w = {
		.operands = 2,
		.rank = m->rank,
		.base = { m->to, (char *)m->from },
		.size = { (int64_t)m->size, (int64_t)m->size },
	};

	memcpy(w.dims, m->dims, sizeof(m->dims));
	memcpy(w.strides[0], m->to_strides, sizeof(m->to_strides));
	memcpy(w.strides[1], m->from_strides, sizeof(m->from_strides));
	for (int d = 0; d < m->rank; d++)
		if (!m->dims[d])
			return;
	collapse(&w);
	if (w.strides[1][w.rank - 1] != 1)
		choose_rows(&w, 1);
	run(&w, p, 1);
}
