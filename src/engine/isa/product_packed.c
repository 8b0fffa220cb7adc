/* product_packed.c: products of float32 with both sides packed, bits as defined in product.c.
 *
 * Where a is large, its rows lie in many pages and, a power of two apart, in few sets of the
 * caches; where it is transposed, each cache line holds one value of k for many rows. So ROWS rows
 * by DEPTH columns of it are made contiguous, which then stay in the second-level cache: tile
 * behind tile, and in each of them the rows interleaved. Strips of b as wide as a tile are packed
 * one at a time, for the first-level cache; while the tiles run over one, the next one is fetched.
 * A block of ROWS rows by COLUMNS columns of the result stays in the caches over all of k.
 */
#include "engine/isa/product_packed.h"

#include "engine/isa/product_pack.h"
#include "engine/isa/product_tile.h"

#define ROWS 512
#define COLUMNS 4096
#define WIDTH 2
#define STRIP (WIDTH * VF)
#define PART 256                   /* columns of what is told of at a time: it is in a cache yet */
#if VF == 16
#define HEIGHT 14                  /* rows of a tile */
#else
#define HEIGHT 6
#endif
#define GROUP 8                    /* tiles that are packed together */

_Static_assert(DEPTH * ROWS + VF <= PRODUCT_SCRATCH, "a block and what its last store writes");

#define TILE(rows, width) \
	static void tile_##rows##_##width(const tile *t) { tile_run(t, rows, width, TILE_PACKED); }
#define TILE_ENTRY(rows, width) [rows] = tile_##rows##_##width,
#if VF == 16
#define TILES(X, w) \
	X(1, w) X(2, w) X(3, w) X(4, w) X(5, w) X(6, w) X(7, w) \
	X(8, w) X(9, w) X(10, w) X(11, w) X(12, w) X(13, w) X(14, w)
#else
#define TILES(X, w) X(1, w) X(2, w) X(3, w) X(4, w) X(5, w) X(6, w)
#endif

TILES(TILE, 1)
TILES(TILE, 2)

static void (*const tiles[WIDTH + 1][HEIGHT + 1])(const tile *t) = {
	[1] = {TILES(TILE_ENTRY, 1)}, [2] = {TILES(TILE_ENTRY, 2)},
};

/* Rows of a block in tiles: equal heights, not full ones and a rest. Of `count` tiles the first
 * `higher` have a row more than `low`. */
typedef struct heights { int64_t count, low, higher; } heights;

static heights cut_rows(int64_t rows)
{
	int64_t count = (rows + HEIGHT - 1) / HEIGHT;

	return (heights){count, rows / count, rows % count};
}

static int64_t height_of(const heights *h, int64_t t)
{
	return h->low + (t < h->higher);
}

static int64_t row_of(const heights *h, int64_t t)
{
	return t * h->low + MIN(t, h->higher);
}

/* a is transposed: its rows are columns of memory. A few tiles together, for they share lines. */
static void pack_turned(float *to, const float *a, int64_t a_col, int64_t depth, const heights *h)
{
	for (int64_t group = 0; group < h->count; group += GROUP) {
		const float *from = a + row_of(h, group);
		int64_t end = MIN(h->count, group + GROUP);

		for (int64_t k = 0; k < depth; k++, from += a_col)
			for (int64_t t = group; t < end; t++) {
				int64_t rows = height_of(h, t), at = row_of(h, t);
				vf_mask part = vf_first(MIN(VF, rows));
				const float *x = from + at - row_of(h, group);
				float *place = to + at * depth + k * rows;

				__builtin_prefetch(x + 8 * a_col);
				vf_store_part(place, vf_load_part(x, part), part);
			}
	}
}

/* Rows of a are rows of memory: squares turn on the way, of `there` rows that there are from here on.
 * The lanes behind the rows of a tile are written, too, and written over by what comes next. */
static void pack_straight(float *to, const float *a, int64_t a_row, int64_t depth, int64_t rows,
		int64_t there)
{
	for (int64_t k = 0; k < depth; k += VF)
		if (there >= VF && depth - k >= VF)
			pack_square(to + k * rows, rows, a + k, a_row);
		else
			pack_part(to + k * rows, rows, a + k, a_row, MIN(VF, depth - k), rows);
}

static void pack_any_rows(float *to, const float *a, int64_t a_row, int64_t a_col, int64_t depth,
		int64_t rows)
{
	for (int64_t k = 0; k < depth; k++)
		for (int64_t r = 0; r < rows; r++)
			*to++ = a[r * a_row + k * a_col];
}

static void pack_block(float *to, const product *p, const float *a, int64_t depth,
		const heights *h)
{
	if (p->a_row == 1 && HEIGHT <= VF) {
		pack_turned(to, a, p->a_col, depth, h);
		return;
	}
	for (int64_t t = 0; t < h->count; t++) {
		int64_t rows = height_of(h, t);

		if (p->a_col == 1 && HEIGHT <= VF)
			pack_straight(to, a, p->a_row, depth, rows,
					row_of(h, h->count) - row_of(h, t));
		else
			pack_any_rows(to, a, p->a_row, p->a_col, depth, rows);
		to += rows * depth;
		a += rows * p->a_row;
	}
}

/* The tile fetches part of the strip of b that comes next: rows of it if each lies in one piece, else
 * columns. `at` counts what the tiles before it fetch. */
static void fetch_next(tile *t, const product *p, const float *next, int64_t at)
{
	if (!next || at >= t->k) {
		t->next = t->b;
		t->next_row = 0;
	} else if (p->b_col == 1) {
		t->next = next + at * p->b_row;
		t->next_row = p->b_row;
	} else {
		t->next = next + at / STRIP * STRIP + at % STRIP * p->b_col;
		t->next_row = p->b_col;
	}
}

/* One strip of b, packed, under all tiles of a block; `next` is the next one or NULL. */
static void run_strip(tile t, const product *p, const heights *h, int64_t columns,
		const float *next)
{
	int width = (int)((columns + VF - 1) / VF);

	t.last = columns - (width - 1) * VF;
	for (int64_t k = 0; k < h->count; k++) {
		int64_t rows = height_of(h, k);

		fetch_next(&t, p, next, k * (t.k / TILE_FETCH));
		tiles[width][rows](&t);
		t.a += rows * t.k;
		t.out += rows * t.out_row;
	}
}

/* Strips of b under the block of a that is packed, to a block of p's result that begins at `row` and
 * at column j. The last time whoever waits for the result is told of some strips at a time. */
static void run_strips(tile t, const product *p, const heights *h, const float *b, int64_t row,
		int64_t j, int64_t columns, bool last)
{
	_Alignas(64) float strip[DEPTH * STRIP];
	int64_t rows = row_of(h, h->count), part = 0;

	t.b = strip;
	for (int64_t at = 0; at < columns; at += STRIP, b += STRIP * p->b_col) {
		int64_t width = MIN(STRIP, columns - at), end = at + width;
		bool more = end + STRIP <= columns && (p->b_col == 1 || p->b_row == 1);

		pack_strip(strip, b, p->b_row, p->b_col, t.k, width);
		run_strip(t, p, h, width, more ? b + STRIP * p->b_col : NULL);
		t.out += STRIP;
		if (last && p->done && (end - part == PART || end == columns)) {
			p->done(p->ctx, row, rows, j + part, end - part);
			part = end;
		}
	}
}

/* Rows i and columns j and following ones of the result, over all of k. */
static void run_block(const product *p, int64_t i, int64_t rows, int64_t j, int64_t columns)
{
	const float *a = (const float *)p->a + i * p->a_row;
	const float *b = (const float *)p->b + j * p->b_col;
	heights h = cut_rows(rows);

	for (int64_t k = 0; k < p->k; k += DEPTH, a += DEPTH * p->a_col, b += DEPTH * p->b_row) {
		tile t = {.a = p->scratch, .add = k > 0, .out_row = p->out_row,
			.out = (float *)p->out + i * p->out_row + j, .k = MIN(DEPTH, p->k - k)};

		pack_block(p->scratch, p, a, t.k, &h);
		run_strips(t, p, &h, b, i, j, columns, k + DEPTH >= p->k);
	}
}

void ISA(product_packed)(const product *p)
{
	int64_t room = ROWS * DEPTH / MIN(DEPTH, p->k);
	int64_t row_blocks = (p->m + room - 1) / room;
	int64_t column_blocks = (p->n + COLUMNS - 1) / COLUMNS;
	int64_t rows = (p->m + row_blocks - 1) / row_blocks;
	int64_t columns = ALIGN_UP((p->n + column_blocks - 1) / column_blocks, STRIP);

	for (int64_t i = 0; i < p->m; i += rows)
		for (int64_t j = 0; j < p->n; j += columns)
			run_block(p, i, MIN(rows, p->m - i), j, MIN(columns, p->n - j));
}
