/* product.c: the matmul row: operands, batches, and the cut into pieces that threads claim.
 *
 * float32 products run on GT's own tiles (isa/product.c), float64 on OpenBLAS (blas.c), integers on
 * the reference.
 */
#include "engine/product.h"

#include <stdatomic.h>
#include <string.h>
#include "base/base.h"
#include "base/cpu.h"
#include "base/error.h"
#include "engine/blas.h"

/* From here on tiles pack their left side: m * n * k; if its rows lie in one piece each, for
 * several threads, as there are fewer pieces; and the columns and rows that share the cost. Equal
 * rows or columns are computed once (isa/product.c). */
#define PACKED_WORK ((int64_t)1 << 25)
#define PACKED_SHARED_WORK ((int64_t)1 << 26)
#define PACKED_COLUMNS 128
#define PACKED_ROWS 64

#define LARGE_SIZE (1 << 18)       /* elements of left sides that come from no near cache */

/* What BLAS gets in one call. Every call packs both sides again, so blocks are large: measured with
 * AVX-512, 256 rows of all columns cost 8 to 18 % more than everything at once, all rows of 1024
 * columns 0 to 4 %, of 512 columns 6 %. */
#define BLOCK_ROWS 1024
#define BLOCK_COLUMNS 1024
#define HALVED_COLUMNS_MIN 512
#define NARROW_ROWS 256            /* of a block where there are too few columns to cut */
#define CACHE_FLOATS (CACHE_LINE / (int64_t)sizeof(float))

/* About 6 us of one core. */
#define PIECE_WORK ((int64_t)1 << 19)
#define PIECE_ROWS_MIN 64
#define PIECE_COLUMNS 64
#define PIECE_NEAR ((int64_t)1 << 16)   /* elements that what follows finds in a near cache */
#define PIECE_ALIGN 16             /* of what follows: vectors stay whole */

/* Memory for the pieces that are being computed, a slot a thread. */
typedef struct scratches {
	storage *memory;
	_Atomic uint64_t free;     /* a bit a slot */
} scratches;

/* A product of stacks of matrices, all of p's sizes; strides per batch dim, 0 where an operand is
 * shared. */
typedef struct stack {
	product p;
	gt_dtype dtype;
	product_tiles *tiles;      /* NULL: BLAS */
	scratches *scratches;      /* NULL: tiles need none */
	bool shared;               /* of packed tiles, which may be cut anywhere: by two threads */
	int batch_rank, threads;
	int64_t matrices, dims[GT_RANK_MAX], a_strides[GT_RANK_MAX], b_strides[GT_RANK_MAX];
	int64_t rows, columns;     /* of a piece */
	int64_t row_pieces, column_pieces;   /* of a matrix */
	int64_t group;             /* matrices of one chunk; 1 if a matrix has several pieces */
	const product_after *after;
	bool follows;              /* a piece has what `after` needs, */
	bool in_parts;             /* any part of it, as packed tiles compute them */
} stack;

/* Where a piece begins in the result of all matrices. */
typedef struct place { const stack *s; int64_t row, column; } place;

static bool is_packed(const product *p, int threads)
{
	double work = (double)p->m * (double)p->n * (double)p->k;
	bool waits = threads > 1 && p->a_col == 1;

	return p->a_row && p->b_col && p->n >= PACKED_COLUMNS && p->m >= PACKED_ROWS &&
		work >= (double)(waits ? PACKED_SHARED_WORK : PACKED_WORK);
}

/* Whether several threads are worth their start. */
static bool is_shared(double m, double n, double k)
{
	return m * n * k >= 2 * (double)PIECE_WORK;
}

/* The size of equal blocks, at least `size` and less than twice that; `n` is at least that, too. */
static int64_t share_out(int64_t n, int64_t size)
{
	int64_t blocks = n / size;

	return (n + blocks - 1) / blocks;
}

void product_grid(int64_t m, int64_t n, int64_t k, int64_t *rows, int64_t *columns)
{
	*rows = m;
	*columns = n;
	if (!is_shared(m, n, k))
		return;
	if (m >= 2 * BLOCK_ROWS)
		*rows = share_out(m, BLOCK_ROWS);
	if (n >= 2 * BLOCK_COLUMNS)
		*columns = ALIGN_UP(share_out(n, BLOCK_COLUMNS), CACHE_FLOATS);
	else if (m < 2 * BLOCK_ROWS && n >= HALVED_COLUMNS_MIN)
		*columns = ALIGN_UP(share_out(n, n / 2), CACHE_FLOATS);
	else if (m < 2 * BLOCK_ROWS && m >= 2 * NARROW_ROWS)
		*rows = share_out(m, NARROW_ROWS);
}

/* Strides of one operand over the result's batch dims. */
static void batch_strides(const view *x, const stack *s, int64_t *strides)
{
	int missing = s->batch_rank - (x->m.rank - 2);

	for (int d = 0; d < s->batch_rank; d++) {
		int own = d - missing;

		strides[d] = own < 0 || x->m.dims[own] == 1 ? 0 : x->strides[own];
	}
}

/* One matrix b for all: the rows of all matrices a are rows of one tall matrix, if they are equally
 * far apart. */
static void fold(stack *s)
{
	int64_t rows = s->p.m, step = s->p.a_row;

	for (int d = s->batch_rank - 1; d >= 0; d--) {
		if (s->dims[d] == 1)
			continue;
		if (s->b_strides[d] || (rows > 1 && s->a_strides[d] != rows * step))
			return;
		if (rows == 1)
			step = s->a_strides[d];
		rows *= s->dims[d];
	}
	s->p.m = rows;
	s->p.a_row = step;
	s->batch_rank = 0;
	s->matrices = 1;
}

static void describe(const kcall *c, const view *a, const view *b, stack *s)
{
	const view *out = c->out;
	int ra = a->m.rank - 2, rb = b->m.rank - 2;

	s->dtype = out->m.dtype;
	s->after = c->after;
	s->scratches = NULL;
	s->shared = s->in_parts = false;
	s->threads = pool_threads(c->engine->pool);
	s->batch_rank = out->m.rank - 2;
	s->p = (product){.a = a->data, .b = b->data, .out = out->data,
		.m = a->m.dims[ra], .k = a->m.dims[ra + 1], .n = b->m.dims[rb + 1],
		.a_row = a->strides[ra], .a_col = a->strides[ra + 1],
		.b_row = b->strides[rb], .b_col = b->strides[rb + 1],
		.out_row = b->m.dims[rb + 1]};
	s->matrices = 1;
	for (int d = 0; d < s->batch_rank; d++)
		s->matrices *= s->dims[d] = out->m.dims[d];
	batch_strides(a, s, s->a_strides);
	batch_strides(b, s, s->b_strides);
	if (s->matrices > 0)
		fold(s);
	s->p.a_large = (double)s->matrices * (double)s->p.m * (double)s->p.k >= LARGE_SIZE;
	s->p.dot = s->p.m == 1 && s->p.n == 1;
}

/* What BLAS can read: rows or columns without gaps inside and without overlap between. */
static bool as_blas(const void *data, int64_t rows, int64_t cols, int64_t row, int64_t col,
		blas_matrix *x)
{
	*x = (blas_matrix){data, rows == 1 ? cols : row, false};
	if ((cols == 1 || col == 1) && x->ld >= cols && x->ld <= BLAS_SIZE_MAX)
		return true;
	*x = (blas_matrix){data, cols == 1 ? rows : col, true};
	return (rows == 1 || row == 1) && x->ld >= rows && x->ld <= BLAS_SIZE_MAX;
}

static void run_blas(const product *p)
{
	blas_matrix a, b;

	as_blas(p->a, p->m, p->k, p->a_row, p->a_col, &a);
	as_blas(p->b, p->k, p->n, p->b_row, p->b_col, &b);
	blas_gemm_f64(p->m, p->n, p->k, a, b, p->out, p->out_row);
}

/* A slot that nobody has, or -1: then tiles go without. */
static int take_slot(scratches *x)
{
	uint64_t all = atomic_load_explicit(&x->free, memory_order_relaxed);

	while (all && !atomic_compare_exchange_weak_explicit(&x->free, &all, all & (all - 1),
			memory_order_acquire, memory_order_relaxed))
		;
	return all ? __builtin_ctzll(all) : -1;
}

/* Tiles take denormals for 0 (isa/product.c), nobody else does. Without scratch they tell nobody of
 * what they have computed. */
static void run_tile(const stack *s, const product *p)
{
	cpu_fp_flush(true);
	s->tiles(p);
	if (p->done && !p->scratch)
		p->done(p->ctx, 0, p->m, 0, p->n);
	cpu_fp_flush(false);
}

static void run_packed(const stack *s, product *p)
{
	int slot = take_slot(s->scratches);

	if (slot >= 0)
		p->scratch = (float *)s->scratches->memory->data + slot * PRODUCT_SCRATCH;
	run_tile(s, p);
	if (slot >= 0)
		atomic_fetch_or_explicit(&s->scratches->free, (uint64_t)1 << slot,
				memory_order_release);
}

static void follow_part(void *ctx, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
	const place *x = ctx;
	const product_after *after = x->s->after;

	cpu_fp_flush(false);
	after->run(after->ctx, x->row + row, rows, x->column + column, columns);
	cpu_fp_flush(true);
}

/* Operands of matrix number `at`. */
static product pick_matrix(const stack *s, int64_t at)
{
	product p = s->p;
	int64_t size = (int64_t)dtype_size(s->dtype), a = 0, b = 0, rest = at;

	for (int d = s->batch_rank - 1; d >= 0; d--) {
		int64_t k = rest % s->dims[d];

		rest /= s->dims[d];
		a += k * s->a_strides[d];
		b += k * s->b_strides[d];
	}
	p.a = (const char *)p.a + a * size;
	p.b = (const char *)p.b + b * size;
	p.out = (char *)p.out + at * p.m * p.n * size;
	return p;
}

/* Piece (row, column) of matrix number `at`, number `order` of those of these rows. */
static void run_piece(const stack *s, int64_t at, int64_t row, int64_t column, int64_t order)
{
	size_t size = dtype_size(s->dtype);
	int64_t i = row * s->rows, j = column * s->columns;
	product p = pick_matrix(s, at);
	place first = {s, at * p.m + i, j};

	p.a = (const char *)p.a + i * p.a_row * (int64_t)size;
	p.b = (const char *)p.b + j * p.b_col * (int64_t)size;
	p.out = (char *)p.out + (i * p.out_row + j) * (int64_t)size;
	p.m = MIN(s->rows, p.m - i);
	p.n = MIN(s->columns, p.n - j);
	p.a_near = order >= s->threads;
	if (s->in_parts) {
		p.done = follow_part;
		p.ctx = &first;
	}
	if (s->scratches)
		run_packed(s, &p);
	else if (s->tiles)
		run_tile(s, &p);
	else
		run_blas(&p);
}

/* Chunks are claimed in their order, so neighbouring ones are worked on at the same time. Pieces of
 * neighbouring columns would share pages, and what is fetched ahead at the end of a row of one
 * belongs to the other: with two threads that cost a tenth of 256 cubed with a relu behind it. */
static int64_t pick_column(const stack *s, int64_t k)
{
	int64_t half = (s->column_pieces + 1) / 2;

	return k % 2 ? half + k / 2 : k / 2;
}

/* The piece or the matrices of a chunk are there. */
static void follow(const stack *s, int64_t chunk)
{
	int64_t pieces = s->row_pieces * s->column_pieces, piece = chunk % pieces;
	int64_t first = chunk / pieces * s->group, row = piece / s->column_pieces * s->rows;
	int64_t column = pick_column(s, piece % s->column_pieces) * s->columns;
	int64_t rows = pieces > 1 ? MIN(s->rows, s->p.m - row)
		: MIN(s->group, s->matrices - first) * s->p.m;

	s->after->run(s->after->ctx, first * s->p.m + row, rows, column,
			MIN(s->columns, s->p.n - column));
}

static void run_chunk(void *ctx, int64_t chunk)
{
	const stack *s = ctx;
	int64_t pieces = s->row_pieces * s->column_pieces;
	int64_t first = chunk / pieces * s->group, piece = chunk % pieces;
	int64_t order = piece % s->column_pieces;

	for (int64_t at = first; at < MIN(first + s->group, s->matrices); at++)
		run_piece(s, at, piece / s->column_pieces, pick_column(s, order), order);
	if (s->follows && !s->in_parts)
		follow(s, chunk);
}

/* ---- What follows a product. ---- */

static bool suits(const stack *s)
{
	if (s->after->whole_columns)
		return s->matrices == 1 && s->row_pieces == 1;
	return !s->after->whole_rows || s->column_pieces == 1;
}

/* Pieces of the product are not those that `after` needs: it has its own. */
typedef struct rest { const product_after *after; int64_t rows, columns, size; } rest;

static void run_rest(void *ctx, int64_t chunk)
{
	const rest *r = ctx;
	int64_t from = chunk * r->size;

	if (r->after->whole_columns)
		r->after->run(r->after->ctx, 0, r->rows, from, MIN(r->size, r->columns - from));
	else
		r->after->run(r->after->ctx, from, MIN(r->size, r->rows - from), 0, r->columns);
}

/* When all of the product is there. */
static void run_after(const stack *s, pool *threads)
{
	rest r = {s->after, s->matrices * s->p.m, s->p.n, 0};
	int64_t length = r.after->whole_columns ? r.columns : r.rows;
	double work = (double)r.rows * (double)r.columns * (double)r.after->each;
	int64_t pieces = (int64_t)MIN(64, work / (double)PIECE_WORK) + 1;

	if (!r.rows || !r.columns)
		return;
	r.size = ALIGN_UP((length + pieces - 1) / pieces, PIECE_ALIGN);
	pool_run(threads, (length + r.size - 1) / r.size, run_rest, &r);
}

/* What a matrix costs, with what follows it. */
static double work_of(const stack *s)
{
	int64_t each = s->after ? s->after->each : 0;

	return (double)s->p.m * (double)s->p.n * (double)(s->p.k + each);
}

static bool by_columns(const stack *s)
{
	return s->p.n >= PRODUCT_WHOLE_ROWS && !(s->after && s->after->whole_rows);
}

/* Every piece of rows packs all of b. One thread needs pieces only for what follows. */
static int64_t least_rows(const stack *s)
{
	if (s->threads > 1)
		return PIECE_ROWS_MIN;
	return s->after ? MAX(PIECE_ROWS_MIN, PIECE_NEAR / s->p.n) : s->p.m;
}

/* Tiles may be cut anywhere; only the work counts. Columns are the better cut: each panel of b is
 * packed once, whereas every piece of rows packs all of them. */
static void cut_tiled(stack *s)
{
	double work = work_of(s);
	double share = MAX((double)PIECE_WORK, work * (double)s->matrices / 64) / work;

	if (share >= 1)
		s->group = (int64_t)share;
	else if (by_columns(s))
		s->columns = ALIGN_UP(MAX(1, (int64_t)((double)s->p.n * share)), PIECE_COLUMNS);
	else
		s->rows = MIN(s->p.m, MAX(least_rows(s), (int64_t)((double)s->p.m * share)));
}

/* Packed tiles have their own blocks; a grid is for threads, and for what follows whole pieces. */
static void cut(stack *s)
{
	s->rows = s->p.m;
	s->columns = s->p.n;
	s->group = 1;
	if (s->tiles && !s->scratches)
		cut_tiled(s);
	else if (!s->scratches || s->shared || (s->after && !s->in_parts))
		product_grid(s->p.m, s->p.n, s->p.k, &s->rows, &s->columns);
	if (s->shared && s->rows == s->p.m && s->columns == s->p.n &&
			s->p.n >= 2 * PACKED_COLUMNS)
		s->columns = ALIGN_UP(share_out(s->p.n, s->p.n / 2), PIECE_ALIGN);
	s->row_pieces = (s->p.m + s->rows - 1) / s->rows;
	s->column_pieces = (s->p.n + s->columns - 1) / s->columns;
}

static void run_stack(stack *s, pool *threads)
{
	double work = work_of(s) * (double)s->matrices;
	int64_t chunks;

	if (s->tiles && s->matrices == 1 && work < 2 * (double)PIECE_WORK) {
		run_tile(s, &s->p);
		if (s->after)
			s->after->run(s->after->ctx, 0, s->p.m, 0, s->p.n);
		return;
	}
	s->in_parts = s->scratches && s->after && !s->after->whole_rows && !s->after->whole_columns;
	cut(s);
	s->follows = s->after && suits(s);
	chunks = (s->matrices + s->group - 1) / s->group * s->row_pieces * s->column_pieces;
	if (work >= 2 * (double)PIECE_WORK && chunks > 1)
		pool_run(threads, chunks, run_chunk, s);
	else
		for (int64_t k = 0; k < chunks; k++)
			run_chunk(s, k);
	if (s->after && !s->follows)
		run_after(s, threads);
}

/* Without memory for it tiles do without. */
static void run_tiles(const kcall *c, stack *s)
{
	int slots = MIN(64, pool_threads(c->engine->pool));
	scratches x = {.free = UINT64_MAX >> (64 - slots)};

	if (is_packed(&s->p, slots))
		x.memory = storage_new(c->engine->memory,
				(size_t)slots * PRODUCT_SCRATCH * sizeof(float));
	if (x.memory)
		s->scratches = &x;
	s->shared = x.memory && slots > 1;
	run_stack(s, c->engine->pool);
	if (x.memory)
		storage_drop(x.memory);
}

/* A contiguous copy of `x` in fresh memory, by the engine's own copy. */
static gt_err copy_operand(const kcall *c, const view *x, view *copy, storage **memory)
{
	static const ins clone = {.op = OP_clone, .nin = 1, .words = INS_HEAD_WORDS + 1};
	size_t size = (size_t)meta_count(&x->m) * dtype_size(x->m.dtype);
	kcall call = {.i = &clone, .in = {x}, .out = copy, .engine = c->engine};

	*memory = storage_new(c->engine->memory, size);
	if (!*memory)
		return fail(GT_EMEMORY, "matmul: no memory for a contiguous copy of an operand "
				"(%zu bytes)", size);
	*copy = (view){.data = (*memory)->data, .m = x->m, .contiguous = true};
	shape_contiguous(&copy->m, copy->strides);
	return c->engine->kernels[OP_clone](&call);
}

/* Copy what BLAS cannot read, then describe `s` anew. */
static gt_err run_large(const kcall *c, stack *s)
{
	const view *a = c->in[0], *b = c->in[1];
	view a_copy, b_copy;
	storage *a_memory = NULL, *b_memory = NULL;
	blas_matrix x;
	gt_err e = blas_load();

	if (!e && !as_blas(s->p.a, s->p.m, s->p.k, s->p.a_row, s->p.a_col, &x)) {
		e = copy_operand(c, a, &a_copy, &a_memory);
		a = &a_copy;
	}
	if (!e && !as_blas(s->p.b, s->p.k, s->p.n, s->p.b_row, s->p.b_col, &x)) {
		e = copy_operand(c, b, &b_copy, &b_memory);
		b = &b_copy;
	}
	if (!e) {
		describe(c, a, b, s);
		s->tiles = NULL;
		run_stack(s, c->engine->pool);
	}
	if (a_memory)
		storage_drop(a_memory);
	if (b_memory)
		storage_drop(b_memory);
	return e;
}

static gt_err run_reference(const kcall *c)
{
	gt_err e = engine_reference[OP_matmul](c);
	stack s;

	describe(c, c->in[0], c->in[1], &s);
	if (!e && s.after)
		run_after(&s, c->engine->pool);
	return e;
}

gt_err product_run(const kcall *c)
{
	kernel *run = c->engine->kernels[OP_matmul];

	return run == engine_reference[OP_matmul] ? run_reference(c) : run(c);
}

gt_err product_matmul(const kcall *c, product_tiles *tiles)
{
	gt_dtype dtype = c->out->m.dtype;
	stack s;

	if (dtype_kind_of(dtype) != KIND_FLOAT)
		return run_reference(c);
	describe(c, c->in[0], c->in[1], &s);
	if (s.matrices == 0 || s.p.m == 0 || s.p.n == 0)
		return GT_OK;
	if (s.p.k == 0) {
		memset(c->out->data, 0, (size_t)meta_count(&c->out->m) * dtype_size(dtype));
		if (s.after)
			run_after(&s, c->engine->pool);
		return GT_OK;
	}
	if (dtype == GT_FLOAT32) {
		s.tiles = tiles;
		run_tiles(c, &s);
		return GT_OK;
	}
	if (MAX(s.p.n, s.p.k) > BLAS_SIZE_MAX)
		return run_reference(c);
	return run_large(c, &s);
}
