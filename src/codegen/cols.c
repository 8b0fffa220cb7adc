/* cols.c: kernels of GROUP_COLS.
 *
 *	for each tile of 64 to 256 columns
 *		values of the columns that need no reduction
 *		for each pass
 *			for each block of 4,096 rows            (if the pass reduces)
 *				for each row of the block
 *					for each vector of the tile
 *						values, reductions, stores
 *				fold; push
 *			values of the columns that need these reductions
 *
 * Row r adds to lane r mod 16 of its columns. 16 lanes of a tile are a table in the nearest cache,
 * and a tile's part of a row is a few neighbouring lines of memory: all of what is read is used.
 */
#include "codegen/emit.h"

#include "base/mem.h"
#include "ir/tree.h"

/* Columns of a tile, and of the widest; bytes on the stack that a wide one may take. */
enum { TILE = 64, TILE_MAX = 256, WIDE_BYTES = 128 << 10 };

typedef struct reduction {
	int node;
	val lanes;               /* TREE_LANES rows of a tile */
	val levels;              /* TREE_LEVELS rows of a tile */
} reduction;

typedef struct pass {
	int number, count;
	reduction r[GROUP_REDUCTIONS];
	val row;                 /* within the block: which lane */
	val blocks, many;
} pass;

static int64_t reduction_bytes(const emit *e, int node)
{
	return (TREE_LANES + 1) * (int64_t)dtype_size(tree_dtype(e, node)) + TREE_LEVELS * 8;
}

/* A wide tile reads longer stretches of each row, which the processor fetches ahead better: half of
 * the time where memory is far. */
static int64_t tile_columns(const emit *e)
{
	int64_t bytes = 0, columns = TILE_MAX;

	for (int k = 0; k < e->g->nodes_count; k++)
		if (e->g->nodes[k].what == NODE_REDUCE)
			bytes += reduction_bytes(e, k);
	while (columns > TILE && columns * bytes > WIDE_BYTES)
		columns /= 2;
	return columns;
}

static int64_t tile_bytes(const emit *e, int node)
{
	return tile_columns(e) * (int64_t)dtype_size(tree_dtype(e, node));
}

/* From lane to lane. At multiples of a page's part they would look the same to a processor that
 * compares the low bits of addresses: a load would wait for the store to another lane. */
static int64_t lane_bytes(const emit *e, int node)
{
	return tile_bytes(e, node) + CACHE_LINE;
}

static void do_vector(emit *e, val *carry, void *context);

/* Of a table of tiles: the place of column e->at in row k. */
static val tile_address(emit *e, int node, val table, val k)
{
	val size = emit_size(e, (int64_t)dtype_size(tree_dtype(e, node)));
	val column = LLVMBuildMul(e->b, LLVMBuildSub(e->b, e->at, e->tile, ""), size, "");

	if (k)
		table = emit_address(e, table,
			LLVMBuildMul(e->b, k, emit_size(e, lane_bytes(e, node)), ""));
	return emit_address(e, table, column);
}

/* Run `body` over the columns of the tile. What is done once a tile and not once a row is not worth
 * a second loop for the rest, where masks are instructions. */
static void for_columns(emit *e, val end, emit_body *body, void *context)
{
	const bool masks = e->masks;
	const int wide = e->wide;

	if (body != do_vector) {
		e->masks = masks || e->isa == ISA_AVX512;
		e->wide = e->lanes;
	}
	emit_columns(e, e->tile, end, 0, NULL, body, context);
	e->masks = masks;
	e->wide = wide;
}

/* The same in the tile's own memory, which has whole vectors: nobody looks at what comes of columns
 * that there are none of. */
static void for_memory(emit *e, val end, emit_body *body, void *context)
{
	e->even = true;
	emit_columns(e, e->tile, end, 0, NULL, body, context);
	e->even = false;
}

/* ---- Values of a column. ---- */

static bool is_column(const emit *e, int node)
{
	return e->shapes[node].cols && !e->shapes[node].rows;
}

static bool is_computed(const emit *e, int node)
{
	const uint8_t what = e->g->nodes[node].what;

	return what == NODE_OP || what == NODE_DRAW || what == NODE_PICK;
}

/* Loads of fixed arguments are as quick as the tile's memory would be. */
static bool needs_memory(const emit *e, int node)
{
	return is_column(e, node) && (e->g->nodes[node].what == NODE_REDUCE ||
		is_computed(e, node));
}

static void compute_column(emit *e, int node)
{
	val memory = e->column[node];

	e->column[node] = NULL;
	emit_put(e, tree_dtype(e, node), node_value(e, node), tile_address(e, node, memory, NULL));
	e->column[node] = memory;
}

static void do_stage(emit *e, val *carry, void *context)
{
	int level = *(const int *)context;

	(void)carry;
	node_forget(e, false, true);
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_column(e, k) && is_computed(e, k) && e->shapes[k].level == level)
			compute_column(e, k);
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_column(e, k) && e->g->nodes[k].what == NODE_STORE &&
			e->shapes[k].level == level)
			node_store(e, k);
}

static void column_stage(emit *e, int level, val end)
{
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_column(e, k) && e->shapes[k].level == level &&
			(is_computed(e, k) || e->g->nodes[k].what == NODE_STORE)) {
			for_columns(e, end, do_stage, &level);
			return;
		}
}

/* ---- One row. ---- */

static bool is_stored_now(const emit *e, int node)
{
	return e->g->nodes[node].what == NODE_STORE && e->shapes[node].rows &&
		e->shapes[node].cols &&
		e->shapes[node].level == e->pass;
}

static bool has_rows(const emit *e, const pass *p)
{
	if (p->count)
		return true;
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_stored_now(e, k))
			return true;
	return false;
}

static void do_vector(emit *e, val *carry, void *context)
{
	const pass *p = context;

	(void)carry;
	node_forget(e, true, true);
	node_forget(e, false, true);
	for (int k = 0; k < p->count; k++) {
		int node = p->r[k].node;
		gt_dtype d = tree_dtype(e, node);
		val lane = tile_address(e, node, p->r[k].lanes, p->row);
		val sum = tree_combine(e, node, emit_get(e, d, lane, "lane"), tree_input(e, node));

		emit_put(e, d, sum, lane);
	}
	for (int k = 0; k < e->g->nodes_count; k++)
		if (is_stored_now(e, k))
			node_store(e, k);
}

static void find_lines(emit *e, val row)
{
	for (int k = 0; k < e->g->args_count; k++)
		if (!e->g->args[k].fixed)
			e->line[k][0] = emit_address(e, e->data[k],
				LLVMBuildMul(e->b, row, e->row_step[k], ""));
}

/* What is one value a row, in the smallest register. */
static void row_stage(emit *e, bool rows)
{
	int lanes = e->lanes;

	emit_lanes(e, EMIT_NARROW);
	node_stage(e, rows, false, 0);
	divide_prepare(e, rows, 0);
	emit_lanes(e, lanes);
}

static void do_rows(emit *e, pass *p, val from, val to, val end)
{
	loop l;

	loop_open(e, &l, "row", from, to, emit_size(e, 1), 0, NULL);
	find_lines(e, l.i);
	node_forget(e, true, false);
	row_stage(e, true);
	p->row = LLVMBuildAnd(e->b, l.i, emit_size(e, TREE_LANES - 1), "lane");
	for_columns(e, end, do_vector, p);
	loop_close(e, &l, NULL);
}

/* ---- Reductions. ---- */

static void start_nothing(emit *e, val *carry, void *context)
{
	const pass *p = context;

	(void)carry;
	for (int k = 0; k < p->count; k++) {
		int node = p->r[k].node;

		emit_put(e, tree_dtype(e, node), tree_nothing(e, node),
			tile_address(e, node, e->column[node], NULL));
	}
}

static void start_lanes(emit *e, val *carry, void *context)
{
	const pass *p = context;

	(void)carry;
	for (int k = 0; k < p->count; k++) {
		const int node = p->r[k].node;
		const val nothing = tree_identity(e, node);

		for (int lane = 0; lane < TREE_LANES; lane++)
			emit_put(e, tree_dtype(e, node), nothing,
				tile_address(e, node, p->r[k].lanes, emit_size(e, lane)));
	}
}

/* Step 3 of ir/tree.h, for all columns of a vector at a time. */
static val fold(emit *e, const reduction *r)
{
	val lane[TREE_LANES];

	for (int k = 0; k < TREE_LANES; k++)
		lane[k] = emit_get(e, tree_dtype(e, r->node),
			tile_address(e, r->node, r->lanes, emit_size(e, k)), "lane");
	for (int half = TREE_LANES / 2; half; half /= 2)
		for (int k = 0; k < half; k++)
			lane[k] = tree_combine(e, r->node, lane[k], lane[k + half]);
	return lane[0];
}

/* A vector of the counter's memory, which has its own layout: whole vectors, lane by lane. */
static val counter_address(emit *e, val levels)
{
	val column = LLVMBuildSub(e->b, e->at, e->tile, "");

	return emit_address(e, levels, LLVMBuildMul(e->b, column, emit_size(e, 8), ""));
}

static void fold_block(emit *e, val *carry, void *context)
{
	const pass *p = context;

	(void)carry;
	for (int k = 0; k < p->count; k++) {
		const reduction *r = &p->r[k];
		val v = fold(e, r);
		branch b;

		emit_put(e, tree_dtype(e, r->node), v,
			tile_address(e, r->node, e->column[r->node], NULL));
		branch_open(e, &b, "more", p->many);
		tree_push(e, r->node, counter_address(e, r->levels), tile_columns(e) * 8,
			p->blocks, v);
		branch_close(e, &b, NULL, NULL);
	}
}

static void join_blocks(emit *e, val *carry, void *context)
{
	const pass *p = context;

	(void)carry;
	for (int k = 0; k < p->count; k++) {
		const reduction *r = &p->r[k];

		emit_put(e, tree_dtype(e, r->node), tree_result(e, r->node,
				counter_address(e, r->levels), tile_columns(e) * 8, p->blocks),
			tile_address(e, r->node, e->column[r->node], NULL));
	}
}

static val block_number(emit *e, val row)
{
	return LLVMBuildLShr(e->b, row, emit_size(e, __builtin_ctz(TREE_BLOCK)), "blocks");
}

static void reduce_tile(emit *e, pass *p, val end)
{
	loop l;
	branch b;
	val to;

	for_memory(e, end, start_nothing, p);
	p->many = LLVMBuildICmp(e->b, LLVMIntSGT, e->rows, emit_size(e, TREE_BLOCK), "many");
	loop_open(e, &l, "block", emit_size(e, 0), e->rows, emit_size(e, TREE_BLOCK), 0, NULL);
	for_memory(e, end, start_lanes, p);
	to = emit_min(e, LLVMBuildAdd(e->b, l.i, emit_size(e, TREE_BLOCK), ""), e->rows);
	do_rows(e, p, l.i, to, end);
	p->blocks = block_number(e, l.i);
	for_memory(e, end, fold_block, p);
	loop_close(e, &l, NULL);
	branch_open(e, &b, "many", p->many);
	p->blocks = block_number(e, LLVMBuildAdd(e->b, e->rows, emit_size(e, TREE_BLOCK - 1), ""));
	for_memory(e, end, join_blocks, p);
	branch_close(e, &b, NULL, NULL);
}

/* ---- The kernel. ---- */

static void do_tile(emit *e, pass *passes, val end)
{
	for (int k = 0; k <= e->levels; k++) {
		e->pass = k;
		column_stage(e, k, end);
		if (passes[k].count)
			reduce_tile(e, &passes[k], end);
		else if (has_rows(e, &passes[k]))
			do_rows(e, &passes[k], emit_size(e, 0), e->rows, end);
	}
}

static val table(emit *e, int64_t bytes, const char *name)
{
	return emit_slot(e, LLVMArrayType(e->i8, (unsigned)bytes), name);
}

static void make_tables(emit *e, pass *passes)
{
	for (int k = 0; k < e->g->nodes_count; k++)
		if (needs_memory(e, k))
			e->column[k] = table(e, tile_bytes(e, k), "column");
	for (int k = 0; k <= e->levels; k++) {
		int nodes[GROUP_REDUCTIONS];

		passes[k].number = k;
		passes[k].count = tree_list(e, k, nodes);
		for (int j = 0; j < passes[k].count; j++)
			passes[k].r[j] = (reduction){
				.node = nodes[j],
				.lanes = table(e, TREE_LANES * lane_bytes(e, nodes[j]), "lanes"),
				.levels = table(e, TREE_LEVELS * tile_columns(e) * 8, "levels"),
			};
	}
}

/* Few rows stay in the nearest cache if the tile is not the widest. */
static val choose_tile(emit *e)
{
	const int64_t most = tile_columns(e);
	val few = LLVMBuildICmp(e->b, LLVMIntSLE, e->rows, emit_size(e, TILE_MAX), "few");

	return LLVMBuildSelect(e->b, few, emit_size(e, MIN(most, TILE_MAX / 2)),
		emit_size(e, most), "columns");
}

void cols_emit(emit *e)
{
	pass *passes = mem_zero((size_t)(e->levels + 1) * sizeof *passes);
	val columns = choose_tile(e);
	loop l;

	keep_plan(e);
	make_tables(e, passes);
	for (int k = 0; k < e->g->args_count; k++)
		e->line[k][0] = e->data[k];
	row_stage(e, false);
	loop_open(e, &l, "tile", emit_size(e, 0), e->cols, columns, 0, NULL);
	e->tile = l.i;
	do_tile(e, passes,
		emit_min(e, LLVMBuildAdd(e->b, l.i, columns, ""), e->cols));
	loop_close(e, &l, NULL);
	mem_free(passes);
}
