/* product.c: matrix products of float32 in register tiles.
 *
 * The definition, the same for every instruction set, layout and number of threads:
 *
 *   out[i][j] = (chain 0 + chain 1) + ...       chain c covers DEPTH values of k from c * DEPTH on
 *   chain     = fma(a[i][k], b[k][j], ... fma(a[i][k], b[k][j], 0)) in ascending k
 *
 * and for the dot product of two vectors, where one chain would be as slow as the adder's latency,
 * lanes and blocks as in the reduction tree, see dot().
 *
 * The loops: a panel of DEPTH rows by PANEL columns of b is made contiguous (its cache lines would
 * collide otherwise), cut into strips as wide as a tile; every tile of a few rows of a then runs
 * over each strip with its sums in registers. Elements of a are read one by one and broadcast, so
 * a's strides matter little.
 */
#include "engine/product.h"
#include "engine/arith.h"
#include "engine/isa/vec.h"
#include "engine/rows.h"
#include "ir/tree.h"

#define DEPTH 256
#define PANEL 64
#define ROWS_MAX 12                /* of a tile */
#if VF == 16                       /* 32 registers */
#define WIDTH_MAX 4                /* vectors in a row of a tile */
#else                              /* 16 registers */
#define WIDTH_MAX 2
#endif
#define STRIP (WIDTH_MAX * VF)

typedef struct tile {
	const float *a, *b;
	float *out;
	int64_t a_row, a_col, b_row, out_row, k;
	int64_t last;              /* lanes of the last vector of each row */
	bool add;                  /* to what is in out */
} tile;

INLINE void tile_load(vf *row, const float *p, int width, vf_mask last)
{
	UNROLL
	for (int c = 0; c < width - 1; c++)
		row[c] = vf_load(p + c * VF);
	row[width - 1] = vf_load_part(p + (width - 1) * VF, last);
}

INLINE void tile_store(float *p, const vf *row, int width, vf_mask last)
{
	UNROLL
	for (int c = 0; c < width - 1; c++)
		vf_store(p + c * VF, row[c]);
	vf_store_part(p + (width - 1) * VF, row[width - 1], last);
}

/* `rows` and `width` are constants wherever this is expanded; all arrays live in registers. */
INLINE void tile_run(const tile *t, const int rows, const int width)
{
	const float *a = t->a, *b = t->b;
	const int64_t a_row = t->a_row, a_col = t->a_col, b_row = t->b_row;
	vf_mask last = vf_first(t->last);
	float *out = t->out;
	vf sum[ROWS_MAX][WIDTH_MAX], row[WIDTH_MAX];

	UNROLL
	for (int r = 0; r < rows; r++)
		UNROLL
		for (int c = 0; c < width; c++)
			sum[r][c] = (vf){0};
	for (int64_t k = t->k; k > 0; k--, a += a_col, b += b_row) {
		tile_load(row, b, width, last);
		UNROLL
		for (int r = 0; r < rows; r++) {
			vf x = vf_splat(a[r * a_row]);
			UNROLL
			for (int c = 0; c < width; c++)
				sum[r][c] = vf_fma(x, row[c], sum[r][c]);
		}
	}
	UNROLL
	for (int r = 0; r < rows; r++, out += t->out_row) {
		if (t->add) {
			tile_load(row, out, width, last);
			UNROLL
			for (int c = 0; c < width; c++)
				sum[r][c] = row[c] + sum[r][c];
		}
		tile_store(out, sum[r], width, last);
	}
}

#define TILE(rows, width) \
	static void tile_##rows##_##width(const tile *t) { tile_run(t, rows, width); }
#define TILES_6(X, w) X(1, w) X(2, w) X(3, w) X(4, w) X(5, w) X(6, w)
#define TILES_8(X, w) TILES_6(X, w) X(7, w) X(8, w)
#define TILES_12(X, w) TILES_8(X, w) X(9, w) X(10, w) X(11, w) X(12, w)
#define TILE_ENTRY(rows, width) [rows] = tile_##rows##_##width,

/* As many rows as registers allow, one left for a's element and one for each vector of b. */
TILES_12(TILE, 1)
#if VF == 16
TILES_12(TILE, 2)
TILES_8(TILE, 3)
TILES_6(TILE, 4)
#else
TILES_6(TILE, 2)
#endif

typedef struct tile_shapes { int rows_max; void (*run[ROWS_MAX + 1])(const tile *t); } tile_shapes;

static const tile_shapes tiles[WIDTH_MAX + 1] = {
	[1] = {12, {TILES_12(TILE_ENTRY, 1)}},
#if VF == 16
	[2] = {12, {TILES_12(TILE_ENTRY, 2)}},
	[3] = {8, {TILES_8(TILE_ENTRY, 3)}},
	[4] = {6, {TILES_6(TILE_ENTRY, 4)}},
#else
	[2] = {6, {TILES_6(TILE_ENTRY, 2)}},
#endif
};

/* to[k][j] = b[k][j] for j < n, rows of `to_row`; the rest of the last vector becomes 0. */
static void pack_rows(float *to, int64_t to_row, const float *b, int64_t b_row, int64_t depth,
		int64_t n)
{
	int64_t whole = (n - 1) / VF * VF;
	vf_mask last = vf_first(n - whole);

	for (int64_t k = 0; k < depth; k++, to += to_row, b += b_row) {
		__builtin_prefetch(b + 8 * b_row);
		for (int64_t j = 0; j < whole; j += VF)
			vf_store(to + j, vf_load(b + j));
		vf_store(to + whole, vf_load_part(b + whole, last));
	}
}

/* The same from columns: b[k][j] is b[j * b_col + k]. Squares of VF by VF turn in registers. */
static void pack_columns(float *to, int64_t to_row, const float *b, int64_t b_col, int64_t depth,
		int64_t n)
{
	for (int64_t j = 0; j < n; j += VF)
		for (int64_t k = 0; k < depth; k += VF) {
			int64_t columns = MIN(VF, n - j), rows = MIN(VF, depth - k);
			vf_mask part = vf_first(rows);
			vf square[VF];

			UNROLL
			for (int q = 0; q < VF; q++)
				square[q] = q >= columns ? (vf){0}
					: vf_load_part(b + (j + q) * b_col + k, part);
			vf_transpose(square);
			UNROLL
			for (int q = 0; q < VF; q++)
				if (q < rows)
					vf_store(to + (k + q) * to_row + j, square[q]);
		}
}

static void pack_any(float *to, int64_t to_row, const float *b, int64_t b_row, int64_t b_col,
		int64_t depth, int64_t n)
{
	for (int64_t k = 0; k < depth; k++)
		for (int64_t j = 0; j < to_row; j++)
			to[k * to_row + j] = j < n ? b[k * b_row + j * b_col] : 0;
}

/* Strips of a panel, one behind the other, each with rows as wide as its tiles. */
static void pack_panel(float *to, const product *p, int64_t k, int64_t depth, int64_t j, int64_t n)
{
	const float *b = (const float *)p->b + k * p->b_row + j * p->b_col;

	for (int64_t at = 0; at < n; at += STRIP, b += STRIP * p->b_col, to += depth * STRIP) {
		int64_t width = MIN(STRIP, n - at), to_row = ALIGN_UP(width, VF);

		if (p->b_col == 1)
			pack_rows(to, to_row, b, p->b_row, depth, width);
		else if (p->b_row == 1)
			pack_columns(to, to_row, b, p->b_col, depth, width);
		else
			pack_any(to, to_row, b, p->b_row, p->b_col, depth, width);
	}
}

/* All rows of one strip; t->out and t->a stand at the first. */
static void run_rows(tile t, int64_t m, int64_t columns)
{
	int width = (int)((columns + VF - 1) / VF);
	int64_t count = (m + tiles[width].rows_max - 1) / tiles[width].rows_max;
	int64_t low = m / count, higher = m % count;   /* equal heights, not full ones and a rest */

	t.last = columns - (width - 1) * VF;
	for (int64_t k = 0; k < count; k++) {
		int64_t rows = low + (k < higher);

		tiles[width].run[rows](&t);
		t.a += rows * t.a_row;
		t.out += rows * t.out_row;
	}
}

/* `m` rows from t.a on times one panel: packed strips, or part of b as it is, with rows t.b_row
 * apart. */
static void run_panel(tile t, const float *panel, bool packed, int64_t m, int64_t n)
{
	for (int64_t at = 0; at < n; at += STRIP, t.out += STRIP) {
		int64_t width = MIN(STRIP, n - at);

		t.b = packed ? panel + at * t.k : panel + at;
		if (packed)
			t.b_row = ALIGN_UP(width, VF);
		run_rows(t, m, width);
	}
}

static void run_product(const product *p)
{
	_Alignas(64) float panel[DEPTH * PANEL];
	/* Rows of b serve as they are if they are close together or not used often enough to pay
	 * for packing. */
	bool in_place = p->b_col == 1 && (p->b_row <= 2 * PANEL || p->m <= ROWS_MAX);

	for (int64_t j = 0; j < p->n; j += PANEL)
		for (int64_t k = 0; k < p->k; k += DEPTH) {
			int64_t n = MIN(PANEL, p->n - j);
			tile t = {.a = (const float *)p->a + k * p->a_col, .add = k > 0,
				.a_row = p->a_row, .a_col = p->a_col, .b_row = p->b_row,
				.out = (float *)p->out + j, .out_row = p->out_row,
				.k = MIN(DEPTH, p->k - k)};
			const float *b = panel;

			if (in_place)
				b = (const float *)p->b + k * p->b_row + j;
			else
				pack_panel(panel, p, k, t.k, j, n);
			run_panel(t, b, !in_place, p->m, n);
		}
}

/* ---- Dot products: the tree of sums, but lanes join by fused multiply-add and start at 0. ---- */

TREE_DEFINE(dot_tree, float, 0, arith_add_FLOAT32)

static float dot_block(const float *a, int64_t a_step, const float *b, int64_t b_step, int64_t n)
{
	float lanes[TREE_LANES] = {0};
	int64_t k = 0;

	if (a_step == 1 && b_step == 1) {
		vf sums[TREE_LANES / VF] = {0};

		for (; k + TREE_LANES <= n; k += TREE_LANES)
			UNROLL
			for (int v = 0; v < TREE_LANES / VF; v++)
				sums[v] = vf_fma(vf_load(a + k + v * VF), vf_load(b + k + v * VF),
						sums[v]);
		memcpy(lanes, sums, sizeof lanes);
	}
	for (; k < n; k++)
		lanes[k % TREE_LANES] = fun_fma(a[k * a_step], b[k * b_step],
				lanes[k % TREE_LANES]);
	return dot_tree_fold(lanes);
}

static float dot(const product *p)
{
	const float *a = p->a, *b = p->b;
	int64_t a_step = p->a_col, b_step = p->b_row;
	dot_tree t = {0};

	for (int64_t k = 0; k < p->k; k += TREE_BLOCK)
		dot_tree_push(&t, dot_block(a + k * a_step, a_step, b + k * b_step, b_step,
				MIN(TREE_BLOCK, p->k - k)));
	return dot_tree_result(&t);
}

static void product_tiles_run(const product *p)
{
	if (p->dot) {
		*(float *)p->out = dot(p);
	} else if (p->n == 1 && p->out_row == 1) {
		/* A column is wasted on vectors of columns: compute the transpose, a row. */
		product turned = {.a = p->b, .b = p->a, .out = p->out, .m = 1, .n = p->m,
				.k = p->k, .a_row = 0,
			.a_col = p->b_row, .b_row = p->a_col, .b_col = p->a_row, .out_row = p->m};
		run_product(&turned);
	} else {
		run_product(p);
	}
}

static gt_err matmul(const kcall *c)
{
	return product_matmul(c, product_tiles_run, VF == 16);
}

void ISA(product_rows)(kernel **table)
{
	table[OP_matmul] = matmul;
}
