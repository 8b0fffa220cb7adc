/* product.c: matrix products of float32 in register tiles.
 *
 * The definition, the same for every instruction set, layout and number of threads:
 *
 *   out[i][j] = (chain 0 + chain 1) + ...       chain c covers DEPTH values of k from c * DEPTH on
 *   chain     = fma(a[i][k], b[k][j], ... fma(a[i][k], b[k][j], 0)) in ascending k
 *
 * with denormals flushed: as elements they count as 0, and sums that come out denormal become 0.
 * (Each multiplication of one costs a hundred times what others do, and an element is multiplied n
 * times: three per cent of denormal weights make a product of an attention twenty times as slow.)
 *
 * For the dot product of two vectors, where one chain would be as slow as the adder's latency,
 * lanes and blocks as in the reduction tree, see dot().
 *
 * The loops: a strip of DEPTH rows of b, as wide as a tile, is made contiguous (its cache lines
 * would collide otherwise), by the first tile on its way if it can; every tile of a few rows of a
 * then runs over half of it, and later over the other half, with its sums in registers. Elements of
 * a are read one by one and broadcast, so a's strides matter little as long as a is small; for
 * others see product_packed.c.
 */
#include "engine/product.h"
#include "engine/arith.h"
#include "engine/isa/product_pack.h"
#include "engine/isa/product_packed.h"
#include "engine/isa/product_tile.h"
#include "engine/rows.h"
#include "ir/tree.h"

#define HALF (DEPTH / 2)
#define SUMS_ROWS 256              /* that have half a chain behind them */
#define ROW_CLOSE 64               /* rows of b that lie so near one another */
#define ROWS_FEW 12                /* too few to pay for packing */
#define NARROW_ROWS 256            /* of a block that turns */
#define NARROW_SIZE 512            /* of a left side */
#define STRIP (WIDTH_MAX * VF)

#define TILE(rows, width) \
	static void tile_##rows##_##width(const tile *t) { tile_run(t, rows, width, TILE_PLAIN); }
#define PACKING(rows, width) \
	static void packing_##rows(const tile *t) { tile_run(t, rows, width, TILE_PACKING); }
#define TILES_6(X, w) X(1, w) X(2, w) X(3, w) X(4, w) X(5, w) X(6, w)
#define TILES_8(X, w) TILES_6(X, w) X(7, w) X(8, w)
#define TILES_12(X, w) TILES_8(X, w) X(9, w) X(10, w) X(11, w) X(12, w)
#define TILE_ENTRY(rows, width) [rows] = tile_##rows##_##width,
#define PACKING_ENTRY(rows, width) [rows] = packing_##rows,

/* As many rows as registers allow, one left for a's element and one for each vector of b. */
TILES_12(TILE, 1)
#if VF == 16
TILES_12(TILE, 2)
TILES_8(TILE, 3)
TILES_6(TILE, 4)
#else
TILES_6(TILE, 2)
#endif
TILES_6(PACKING, WIDTH_MAX)

typedef struct tile_shapes { int rows_max; void (*run[13])(const tile *t); } tile_shapes;

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

static void (*const packing_tiles[7])(const tile *t) = {TILES_6(PACKING_ENTRY, WIDTH_MAX)};

/* What is needed on the way. */
typedef struct room { _Alignas(64) float strip[DEPTH * STRIP], sums[SUMS_ROWS * STRIP]; } room;

/* The strip is packed now, if it was not before. */
static void use_packed(tile *t)
{
	if (t->to) {
		t->b = t->to;
		t->b_row = STRIP;
		t->to = NULL;
	}
}

/* All rows of one strip; t->out and t->a stand at the first, and move. With t->to the first tile
 * packs. */
static void run_rows(tile *t, int64_t m, int64_t columns)
{
	int width = (int)((columns + VF - 1) / VF);
	int64_t count = (m + tiles[width].rows_max - 1) / tiles[width].rows_max;
	int64_t low = m / count, higher = m % count;   /* equal heights, not full ones and a rest */

	t->last = columns - (width - 1) * VF;
	for (int64_t k = 0; k < count; k++) {
		int64_t rows = low + (k < higher);

		(t->to ? packing_tiles : tiles[width].run)[rows](t);
		use_packed(t);
		t->a += rows * t->a_row;
		t->out += rows * t->out_row;
		if (t->begin)
			t->begin += rows * STRIP;
	}
}

/* A long chain comes in two halves, between which sums wait: half a strip stays in the first-level
 * cache. */
static void run_halves(tile t, room *r, int64_t m, int64_t columns)
{
	tile first = t;

	first.k = (t.k + 1) / 2;
	first.add = false;
	first.out = r->sums;
	first.out_row = STRIP;
	t.a += first.k * t.a_col;
	t.b += first.k * t.b_row;
	if (t.to)
		t.to += first.k * STRIP;
	t.k -= first.k;
	t.begin = r->sums;
	run_rows(&first, m, columns);
	run_rows(&t, m, columns);
}

/* Whether tiles ask for what the next ones read of a: where no strip has run over it yet, of a large
 * one, and of one whose columns are rows of memory, several lines each. */
static bool is_far(const product *p, int64_t j)
{
	if (j > 0 || p->a_near)
		return false;
	return p->a_row == 1 ? p->m > TILE_LINE : p->a_col == 1 && p->a_large;
}

/* One chain of the columns from j on. */
static void run_chain(const product *p, room *r, bool in_place, int64_t j, int64_t k)
{
	int64_t columns = MIN(STRIP, p->n - j);
	tile t = {.a = (const float *)p->a + k * p->a_col, .a_row = p->a_row, .a_col = p->a_col,
		.b = (const float *)p->b + k * p->b_row + j * p->b_col, .b_row = p->b_row,
		.out = (float *)p->out + j, .out_row = p->out_row, .add = k > 0,
		.far = is_far(p, j), .k = MIN(DEPTH, p->k - k)};

	if (!in_place && p->b_col == 1 && columns == STRIP) {
		t.to = r->strip;
	} else if (!in_place) {
		pack_strip(r->strip, t.b, p->b_row, p->b_col, t.k, columns);
		t.b = r->strip;
		t.b_row = ALIGN_UP(columns, VF);
		t.padded = true;
	}
	if (t.k <= HALF) {
		run_rows(&t, p->m, columns);
		return;
	}
	for (int64_t i = 0; i < p->m; i += SUMS_ROWS) {
		run_halves(t, r, MIN(SUMS_ROWS, p->m - i), columns);
		t.a += SUMS_ROWS * t.a_row;
		t.out += SUMS_ROWS * t.out_row;
		use_packed(&t);
	}
}

static void run_product(const product *p)
{
	room r;
	/* Rows of b serve as they are if they are close together or not used often enough to pay
	 * for packing. */
	bool in_place = p->b_col == 1 && (p->b_row <= ROW_CLOSE || p->m <= ROWS_FEW);

	for (int64_t j = 0; j < p->n; j += STRIP)
		for (int64_t k = 0; k < p->k; k += DEPTH)
			run_chain(p, &r, in_place, j, k);
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

/* A column is wasted on vectors of columns: compute the transpose, a row, to out. */
static void run_column(const product *p, float *out)
{
	const product turned = {.a = p->b, .b = p->a, .out = out, .m = 1, .n = p->m, .k = p->k,
		.a_row = 0, .a_col = p->b_row, .b_row = p->a_col, .b_col = p->a_row,
		.out_row = p->m};

	run_product(&turned);
}

/* Columns that fill no vector leave lanes and loads unused: the transpose has long rows, but few.
 * Where a is transposed it serves as it is, as the right side; else it has to be packed, which pays
 * for a quarter of a vector. Very small products are over before it would pay. */
static bool is_narrow(const product *p)
{
	if (p->n >= VF || p->m < VF || p->m * p->k < NARROW_SIZE)
		return false;
	return p->a_row == 1 || (p->a_col == 1 && p->k >= VF && p->n <= VF / 4);
}

/* The transpose, block by block, each of which then turns. */
static void run_narrow(const product *p)
{
	_Alignas(64) float block[VF * NARROW_ROWS];   /* rows behind the last are of no account */
	product turned = {.a = p->b, .out = block, .m = p->n, .k = p->k, .a_row = p->b_col,
		.a_col = p->b_row, .b_row = p->a_col, .b_col = p->a_row,
		.out_row = NARROW_ROWS};
	vf_mask columns = vf_first(p->n);
	vf square[VF];

	for (int64_t i = 0; i < p->m; i += NARROW_ROWS) {
		float *out = (float *)p->out + i * p->out_row;

		turned.b = (const float *)p->a + i * p->a_row;
		turned.n = MIN(NARROW_ROWS, p->m - i);
		run_product(&turned);
		for (int64_t j = 0; j < turned.n; j += VF, out += VF * p->out_row) {
			vf_load_columns(square, block + j, NARROW_ROWS);
			UNROLL
			for (int q = 0; q < VF; q++)
				if (j + q < turned.n)
					vf_store_part(out + q * p->out_row, square[q], columns);
		}
	}
}

/* ---- Operands that repeat a row or a column, as gradients of means do: so does the result. ---- */

static void fill_row(float *row, float x, int64_t n)
{
	const vf all = vf_splat(x);
	int64_t j = 0;

	for (; j + VF <= n; j += VF)
		vf_store(row + j, all);
	vf_store_part(row + j, all, vf_first(n - j));
}

static void run_equal_columns(const product *p)
{
	float column[DEPTH];
	product part = *p;

	for (int64_t i = 0; i < p->m; i += DEPTH) {
		part.m = MIN(DEPTH, p->m - i);
		part.a = (const float *)p->a + i * p->a_row;
		run_column(&part, column);
		for (int64_t k = 0; k < part.m; k++)
			fill_row((float *)p->out + (i + k) * p->out_row, column[k], p->n);
	}
}

static void run_equal_rows(const product *p)
{
	product row = *p;
	float *out = p->out;

	row.m = 1;
	if (p->b_col || p->n == 1)
		run_product(&row);
	else
		run_equal_columns(&row);
	for (int64_t i = 1; i < p->m; i++)
		memcpy(out + i * p->out_row, out, (size_t)p->n * sizeof *out);
}

static void product_tiles_run(const product *p)
{
	if (p->dot)
		*(float *)p->out = dot(p);
	else if (!p->a_row && p->m > 1)
		run_equal_rows(p);
	else if (!p->b_col && p->n > 1)
		run_equal_columns(p);
	else if (p->n == 1 && p->out_row == 1)
		run_column(p, p->out);
	else if (p->scratch)
		ISA(product_packed)(p);
	else if (is_narrow(p))
		run_narrow(p);
	else
		run_product(p);
}

static gt_err matmul(const kcall *c)
{
	return product_matmul(c, product_tiles_run);
}

void ISA(product_rows)(kernel **table)
{
	table[OP_matmul] = matmul;
}
