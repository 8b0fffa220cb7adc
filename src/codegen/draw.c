/* draw.c: random numbers as vector code: what base/philox.h and engine/random.h say, said to LLVM.
 *
 * Neighbours share their words: a block of the generator makes four numbers (of eight bytes: two).
 * So where a vector begins at the first number of a block, the generator runs once for each block
 * of the vector, a counter in each 64-bit lane, and the words are dealt out. The round keys are
 * computed once a call, and read from the stack.
 *
 * Where it begins inside of a block, or has too few blocks to fill a register (rows that reduce), the
 * engine's generator makes the numbers of the next columns beforehand, on the stack. Elements that
 * are no neighbours in what is drawn are asked for one by one.
 */
#include "base/philox.h"     /* first: a name of it is a type's in emit.h */
#include "codegen/emit.h"

enum { KEYS = 2 * PHILOX_ROUNDS };

/* Columns that are made beforehand; in GROUP_COLS, where a row's part of a tile is done at a time,
 * no more than the smallest tile has. */
enum { AHEAD = 256, AHEAD_COLS = 64 };

static val scalar_of(emit *e, const group_node *n, int k)
{
	return emit_get_one(e, GT_INT64,
		emit_address(e, e->scalars, emit_size(e, 8 * (n->at + k))), "");
}

static val low_half(emit *e, val x)
{
	const val mask = LLVMConstInt(e->i64, UINT32_MAX, 0);

	return LLVMBuildAnd(e->b, x, LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind ?
		emit_splat(e, mask) : mask, "");
}

/* The keys of all rounds, in the low halves. */
static void put_keys(emit *e, val seed, val keys)
{
	val key[] = { seed, LLVMBuildLShr(e->b, seed, emit_size(e, 32), "") };
	loop l;

	loop_open(e, &l, "key", emit_size(e, 0), emit_size(e, KEYS * 8), emit_size(e, 16), 2, key);
	for (int k = 0; k < 2; k++) {
		const val at = LLVMBuildAdd(e->b, l.i, emit_size(e, 8 * k), "");

		emit_put_one(e, GT_INT64, low_half(e, l.carry[k]), emit_address(e, keys, at));
		key[k] = LLVMBuildAdd(e->b, l.carry[k],
			emit_size(e, k ? PHILOX_KEY1 : PHILOX_KEY0), "");
	}
	loop_close(e, &l, key);
}

void draw_prepare(emit *e)
{
	for (int k = 0; k < e->g->nodes_count; k++) {
		const group_node *n = &e->g->nodes[k];

		if (n->what != NODE_DRAW)
			continue;
		e->keys[k] = emit_slot(e, LLVMArrayType(e->i64, KEYS), "keys");
		put_keys(e, scalar_of(e, n, 0), e->keys[k]);
	}
}

/* ---- The generator. ---- */

static val high_half(emit *e, val x) { return LLVMBuildLShr(e->b, x, emit_i64(e, 32), ""); }

/* Only the low halves of the factors count: one instruction. */
static val multiply(emit *e, val x, uint32_t by)
{
	return LLVMBuildMul(e->b, low_half(e, x), emit_i64(e, by), "");
}

/* `at` bytes behind the first one, and `behind` that. */
static val round_key(emit *e, int node, val at, int64_t behind)
{
	const val address = emit_address(e, e->keys[node],
		LLVMBuildAdd(e->b, at, emit_size(e, behind), ""));

	return emit_splat(e, emit_get_one(e, GT_INT64, address, ""));
}

static val exclusive(emit *e, val a, val b, val c)
{
	return LLVMBuildXor(e->b, LLVMBuildXor(e->b, a, b, ""), c, "");
}

/* The words of blocks, one a lane, in the low halves. Ten rounds in a row would be no faster, as each
 * waits for the one before, and half of the code. */
static void make_words(emit *e, int node, val blocks, val words[4])
{
	const val draw = emit_splat(e, scalar_of(e, &e->g->nodes[node], 1));
	const val first[] = { blocks, high_half(e, blocks), draw, high_half(e, draw) };
	val p, q, next[4];
	loop l;

	loop_open(e, &l, "round", emit_size(e, 0), emit_size(e, KEYS * 8), emit_size(e, 16), 4,
		first);
	p = multiply(e, l.carry[0], PHILOX_MUL0);
	q = multiply(e, l.carry[2], PHILOX_MUL1);
	next[0] = exclusive(e, high_half(e, q), l.carry[1], round_key(e, node, l.i, 0));
	next[1] = q;
	next[2] = exclusive(e, high_half(e, p), l.carry[3], round_key(e, node, l.i, 8));
	next[3] = p;
	loop_close(e, &l, next);
	memcpy(words, l.carry, 4 * sizeof *words);
}

/* Two words as 64 bits, the first one low. */
static val pair(emit *e, val low, val high)
{
	return LLVMBuildOr(e->b, low_half(e, low), LLVMBuildShl(e->b, high, emit_i64(e, 32), ""),
		"");
}

/* a0 b0 a1 b1 ... */
static val interleave(emit *e, val a, val b)
{
	const unsigned lanes = LLVMGetVectorSize(LLVMTypeOf(a));
	val from[EMIT_LANES];

	for (unsigned k = 0; k < 2 * lanes; k++)
		from[k] = LLVMConstInt(e->i32, k / 2 + k % 2 * lanes, 0);
	return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(from, 2 * lanes), "");
}

/* ---- Numbers made of words. ---- */

/* Of 32 bits a lane, or 64. */
static val as_lanes(emit *e, gt_dtype d, val pairs)
{
	const unsigned bits = 64 * LLVMGetVectorSize(LLVMTypeOf(pairs));
	const unsigned each = d == GT_INT32 ? 32 : 64;

	return LLVMBuildBitCast(e->b, pairs, LLVMVectorType(e->element[d], bits / each), "");
}

static val uniform_narrow(emit *e, val words)
{
	const val top = LLVMBuildLShr(e->b, words, emit_i32(e, 8), "");

	return LLVMBuildFMul(e->b, LLVMBuildSIToFP(e->b, top, e->vector[GT_FLOAT32], ""),
		emit_float(e, 0x1p-24f), "");
}

static val uniform_wide(emit *e, val words)
{
	const val top = LLVMBuildLShr(e->b, words, emit_i64(e, 11), "");

	return LLVMBuildFMul(e->b, LLVMBuildSIToFP(e->b, top, e->vector[GT_FLOAT64], ""),
		emit_double(e, 0x1p-53), "");
}

/* The high 64 bits of a product. */
static val multiply_high(emit *e, val a, val b)
{
	LLVMBuilderRef s = e->b;
	const val a0 = low_half(e, a), a1 = high_half(e, a), b0 = low_half(e, b),
		b1 = high_half(e, b);
	const val t = LLVMBuildAdd(s, LLVMBuildMul(s, a1, b0, ""),
		high_half(e, LLVMBuildMul(s, a0, b0, "")), "");
	const val u = LLVMBuildAdd(s, LLVMBuildMul(s, a0, b1, ""), low_half(e, t), "");

	return LLVMBuildAdd(s, LLVMBuildAdd(s, LLVMBuildMul(s, a1, b1, ""), high_half(e, t), ""),
		high_half(e, u), "");
}

static val within(emit *e, const group_node *n, val words)
{
	const val low = scalar_of(e, n, 2), high = scalar_of(e, n, 3);
	const val range = emit_splat(e, LLVMBuildSub(e->b, high, low, ""));
	const val x = LLVMBuildAdd(e->b, emit_splat(e, low), multiply_high(e, words, range), "");

	return arith_op(e, OP_cast, GT_INT64, (gt_dtype)n->dtype, &x);
}

/* Pairs of neighbours are made of their two words. */
static val normal_narrow(emit *e, const val w[4], int lanes)
{
	const val x = as_lanes(e, GT_INT32, pair(e, w[0], w[2]));
	const val y = as_lanes(e, GT_INT32, pair(e, w[1], w[3]));
	val numbers[2];

	emit_lanes(e, lanes / 2);
	fun_normal32(e, x, y, numbers);
	emit_lanes(e, lanes);
	return interleave(e, numbers[0], numbers[1]);
}

static bool is_narrow(const group_node *n) { return n->dtype == GT_FLOAT32 && n->op != OP_randint; }

/* first, first + 1, ..: so many, for each of the lines, one behind the other. */
static val count_from(emit *e, const val *first, int each)
{
	const int lanes = e->lanes;
	val parts[EMIT_LINES];

	emit_lanes(e, each);
	for (int k = 0; k < e->lines; k++)
		parts[k] = LLVMBuildAdd(e->b, emit_splat(e, first[k]), emit_lane_numbers(e), "");
	emit_lanes(e, lanes);
	return emit_join(e, parts, e->lines);
}

/* A vector of numbers; each line begins with the first number of a block. */
static val make_blocks(emit *e, int node, const val *first)
{
	const group_node *n = &e->g->nodes[node];
	const int lanes = e->lanes, each = is_narrow(n) ? 4 : 2;
	val w[4], words, from[EMIT_LINES];

	for (int k = 0; k < e->lines; k++)
		from[k] = LLVMBuildLShr(e->b, first[k], emit_size(e, each / 2), "block");
	emit_lanes(e, lanes / each);
	make_words(e, node, count_from(e, from, emit_columns_each(e)), w);
	if (n->op == OP_randn)
		return normal_narrow(e, w, lanes);
	words = interleave(e, pair(e, w[0], w[1]), pair(e, w[2], w[3]));
	emit_lanes(e, lanes);
	if (n->op == OP_randint)
		return within(e, n, words);
	return is_narrow(n) ? uniform_narrow(e, as_lanes(e, GT_INT32, words)) :
		uniform_wide(e, words);
}

/* ---- Numbers of any elements. ---- */

static val call_helper(emit *e, helper h, const group_node *n, gt_dtype d, val elements)
{
	const val s = emit_address(e, e->scalars, emit_size(e, 8 * n->at));

	return arith_helper_on(e, h, d, elements, s);
}

static val make_any(emit *e, const group_node *n, val elements)
{
	const bool narrow = n->dtype == GT_FLOAT32;

	switch (n->op) {
	case OP_rand:
		return call_helper(e, narrow ? HELPER_rand_FLOAT32 : HELPER_rand_FLOAT64, n,
			(gt_dtype)n->dtype, elements);
	case OP_randn:
		return call_helper(e, narrow ? HELPER_randn_FLOAT32 : HELPER_randn_FLOAT64, n,
			(gt_dtype)n->dtype, elements);
	default:
		return within(e, n, call_helper(e, HELPER_words_INT64, n, GT_INT64, elements));
	}
}

/* ---- Numbers made beforehand. ---- */

static int64_t columns_ahead(const emit *e)
{
	return e->g->mode == GROUP_COLS ? AHEAD_COLS : AHEAD;
}

/* What lies there: randint's are words. */
static gt_dtype dtype_ahead(const group_node *n)
{
	return n->op == OP_randint ? GT_INT64 : (gt_dtype)n->dtype;
}

static helper run_of(const group_node *n)
{
	const bool narrow = n->dtype == GT_FLOAT32;

	if (n->op == OP_randint)
		return HELPER_run_words_INT64;
	if (n->op == OP_rand)
		return narrow ? HELPER_run_rand_FLOAT32 : HELPER_run_rand_FLOAT64;
	return narrow ? HELPER_run_randn_FLOAT32 : HELPER_run_randn_FLOAT64;
}

/* Numbers first, first + 1, .. for the columns from e->at on, as many as there are. */
static void fill(emit *e, const group_node *n, val first, val memory)
{
	const val left = LLVMBuildSub(e->b, e->cols, e->at, "");
	const val from = emit_slot(e, e->i64, "from");
	const val args[] = { memory, from, emit_address(e, e->scalars, emit_size(e, 8 * n->at)),
		emit_min(e, left, emit_size(e, columns_ahead(e))) };

	LLVMBuildStore(e->b, first, from);
	arith_call(e, run_of(n), args);
}

/* One line of the vector. Columns begin anew with each row, block and tile. */
static val take_line(emit *e, int node, int line, val first)
{
	const group_node *n = &e->g->nodes[node];
	const gt_dtype d = dtype_ahead(n);
	const int64_t size = (int64_t)dtype_size(d);
	val *memory = &e->drawn[node][line], at = e->at;
	branch b;

	if (!*memory)
		*memory = emit_slot(e, LLVMArrayType(e->i8,
			(unsigned)((columns_ahead(e) + EMIT_LANES) * size)), "drawn");
	if (e->g->mode == GROUP_COLS)
		at = LLVMBuildSub(e->b, at, e->tile, "");
	at = LLVMBuildAnd(e->b, at, emit_size(e, columns_ahead(e) - 1), "");
	branch_open(e, &b, "fill", LLVMBuildICmp(e->b, LLVMIntEQ, at, emit_size(e, 0), ""));
	fill(e, n, first, *memory);
	branch_close(e, &b, NULL, NULL);
	at = LLVMBuildLoad2(e->b, e->vector[d],
		emit_address(e, *memory, LLVMBuildMul(e->b, at, emit_size(e, size), "")), "");
	LLVMSetAlignment(at, (unsigned)size);
	return at;
}

static val take_ahead(emit *e, int node, const val *first)
{
	const group_node *n = &e->g->nodes[node];
	const int lanes = e->lanes;
	val parts[EMIT_LINES], all;

	emit_lanes(e, emit_columns_each(e));
	for (int k = 0; k < e->lines; k++)
		parts[k] = take_line(e, node, k, first[k]);
	emit_lanes(e, lanes);
	all = emit_join(e, parts, e->lines);
	return n->op == OP_randint ? within(e, n, all) : all;
}

/* ---- A vector. ---- */

/* Do all lines begin with the first number of a block? */
static val are_whole(emit *e, const val *first, int64_t each)
{
	val inside = emit_size(e, 0);

	for (int k = 0; k < e->lines; k++)
		inside = LLVMBuildOr(e->b, inside, first[k], "");
	inside = LLVMBuildAnd(e->b, inside, emit_size(e, each - 1), "");
	return LLVMBuildICmp(e->b, LLVMIntEQ, inside, emit_size(e, 0), "whole");
}

/* Normal numbers of float64 are the C library's. */
static bool is_ahead(const emit *e, const group_node *n)
{
	static const int counters[ISA_COUNT] = { 2, 4, 8 };
	const int blocks = e->lanes / (is_narrow(n) ? 4 : 2);

	return (n->op == OP_randn && n->dtype == GT_FLOAT64) ||
		(e->g->mode != GROUP_ELEMENT && blocks < counters[e->isa]);
}

static bool are_neighbours(const emit *e, const group_node *n)
{
	const group_node *from = &e->g->nodes[n->in[0]];

	return from->what == NODE_LOAD && e->g->args[from->at].counts &&
		e->g->args[from->at].access == ACCESS_RUN;
}

val draw_value(emit *e, int node)
{
	const group_node *n = &e->g->nodes[node];
	const int arg = e->g->nodes[n->in[0]].at;
	val first[EMIT_LINES], whole, v;
	branch b;

	if (!are_neighbours(e, n))
		return make_any(e, n, node_value(e, n->in[0]));
	for (int k = 0; k < e->lines; k++)
		first[k] = LLVMBuildAdd(e->b, emit_number(e, e->line[arg][k]), e->at, "first");
	if (is_ahead(e, n))
		return take_ahead(e, node, first);
	whole = are_whole(e, first, is_narrow(n) ? 4 : 2);
	branch_open(e, &b, "blocks", whole);
	v = branch_close(e, &b, make_blocks(e, node, first), LLVMConstNull(e->vector[n->dtype]));
	branch_open(e, &b, "apart", LLVMBuildNot(e->b, whole, ""));
	return branch_close(e, &b, take_ahead(e, node, first), v);
}
