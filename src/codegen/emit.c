/* emit.c: the small words of the code generator: constants, memory, loops, branches. */
#include "codegen/emit.h"

#include <stdio.h>

void emit_lanes(emit *e, int lanes)
{
	e->lanes = lanes;
	for (int d = GT_DTYPE_NONE + 1; d < GT_DTYPE_COUNT; d++)
		e->vector[d] = LLVMVectorType(e->element[d], (unsigned)lanes);
}

/* ---- Constants. ---- */

val emit_splat(emit *e, val one)
{
	val v, lanes[EMIT_LANES];

	if (LLVMIsConstant(one)) {
		for (int k = 0; k < e->lanes; k++)
			lanes[k] = one;
		return LLVMConstVector(lanes, (unsigned)e->lanes);
	}
	v = LLVMGetUndef(LLVMVectorType(LLVMTypeOf(one), (unsigned)e->lanes));
	v = LLVMBuildInsertElement(e->b, v, one, LLVMConstInt(e->i32, 0, 0), "");
	return LLVMBuildShuffleVector(e->b, v, LLVMGetUndef(LLVMTypeOf(v)),
		LLVMConstNull(LLVMVectorType(e->i32, (unsigned)e->lanes)), "");
}

val emit_int(emit *e, gt_dtype d, int64_t v)
{
	return emit_splat(e, dtype_kind_of(d) == KIND_FLOAT
		? LLVMConstReal(e->element[d], (double)v)
		: LLVMConstInt(e->element[d], (uint64_t)v, d != GT_BOOL));
}

/* By their bits: LLVMConstReal has no NaN of a given sign, and none is wanted. */
val emit_float(emit *e, float v)
{
	uint32_t bits;

	memcpy(&bits, &v, sizeof bits);
	return emit_splat(e, LLVMConstBitCast(LLVMConstInt(e->i32, bits, 0), e->f32));
}

val emit_double(emit *e, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	return emit_splat(e, LLVMConstBitCast(LLVMConstInt(e->i64, bits, 0), e->f64));
}

val emit_i32(emit *e, uint32_t v) { return emit_splat(e, LLVMConstInt(e->i32, v, 0)); }
val emit_i64(emit *e, uint64_t v) { return emit_splat(e, LLVMConstInt(e->i64, v, 0)); }

val emit_intrinsic(emit *e, const char *name, type t, val *args, unsigned n)
{
	unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
	type types[2] = { t, e->ptr };
	bool memory = !strncmp(name, "llvm.masked", 11);
	bool vector = strstr(name, "gather") || strstr(name, "scatter");

	if (vector)
		types[1] = LLVMVectorType(e->ptr, (unsigned)e->lanes);
	return LLVMBuildCall2(e->b,
		LLVMIntrinsicGetType(e->context, id, types, memory ? 2 : 1),
		LLVMGetIntrinsicDeclaration(e->module, id, types, memory ? 2 : 1), args, n, "");
}

/* ---- Memory. ---- */

val emit_slot(emit *e, type t, const char *name)
{
	LLVMBuilderRef b = LLVMCreateBuilderInContext(e->context);
	val slot, last = LLVMGetBasicBlockTerminator(e->entry);

	if (last)
		LLVMPositionBuilderBefore(b, last);
	else
		LLVMPositionBuilderAtEnd(b, e->entry);
	slot = LLVMBuildAlloca(b, t, name);
	LLVMSetAlignment(slot, 64);
	LLVMDisposeBuilder(b);
	return slot;
}

val emit_address(emit *e, val base, val offset)
{
	return LLVMBuildGEP2(e->b, e->i8, base, &offset, 1, "");
}

val emit_min(emit *e, val a, val b)
{
	return LLVMBuildSelect(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, a, b, ""), a, b, "");
}

/* Bools are bytes in memory and bits in vectors. */
static type memory_type(emit *e, gt_dtype d, bool vector)
{
	type t = d == GT_BOOL ? e->i8 : e->element[d];

	return vector ? LLVMVectorType(t, (unsigned)e->lanes) : t;
}

static val from_memory(emit *e, gt_dtype d, val v, const char *name)
{
	if (d != GT_BOOL)
		return v;
	return LLVMBuildICmp(e->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), name);
}

static val to_memory(emit *e, gt_dtype d, val v, bool vector)
{
	return d == GT_BOOL ? LLVMBuildZExt(e->b, v, memory_type(e, d, vector), "") : v;
}

static unsigned alignment(gt_dtype d) { return (unsigned)dtype_size(d); }

static val all_lanes(emit *e) { return emit_int(e, GT_BOOL, 1); }

val emit_get(emit *e, gt_dtype d, val address, const char *name)
{
	type t = memory_type(e, d, true);
	val v;

	if (e->mask) {
		val args[] = { address, LLVMConstInt(e->i32, alignment(d), 0), e->mask,
			LLVMConstNull(t) };
		v = emit_intrinsic(e, "llvm.masked.load", t, args, 4);
	} else {
		v = LLVMBuildLoad2(e->b, t, address, name);
		LLVMSetAlignment(v, alignment(d));
	}
	return from_memory(e, d, v, name);
}

void emit_put(emit *e, gt_dtype d, val v, val address)
{
	v = to_memory(e, d, v, true);
	if (e->mask) {
		val args[] = { v, address, LLVMConstInt(e->i32, alignment(d), 0), e->mask };
		emit_intrinsic(e, "llvm.masked.store", LLVMTypeOf(v), args, 4);
	} else {
		LLVMSetAlignment(LLVMBuildStore(e->b, v, address), alignment(d));
	}
}

val emit_get_one(emit *e, gt_dtype d, val address, const char *name)
{
	val v = LLVMBuildLoad2(e->b, memory_type(e, d, false), address, name);

	LLVMSetAlignment(v, alignment(d));
	return from_memory(e, d, v, name);
}

void emit_put_one(emit *e, gt_dtype d, val v, val address)
{
	LLVMSetAlignment(LLVMBuildStore(e->b, to_memory(e, d, v, false), address), alignment(d));
}

val emit_part(emit *e, val v, int which, int lanes)
{
	val numbers[EMIT_LANES];

	for (int k = 0; k < lanes; k++)
		numbers[k] = LLVMConstInt(e->i32, (uint64_t)(which * lanes + k), 0);
	return LLVMBuildShuffleVector(e->b, v, LLVMGetUndef(LLVMTypeOf(v)),
		LLVMConstVector(numbers, (unsigned)lanes), "");
}

val emit_join(emit *e, const val *parts, int count)
{
	int lanes = count * (int)LLVMGetVectorSize(LLVMTypeOf(parts[0]));
	val numbers[EMIT_LANES], halves[2] = { parts[0], parts[count - 1] };

	if (count == 1)
		return parts[0];
	for (int k = 0; count > 2 && k < 2; k++)
		halves[k] = emit_join(e, parts + k * count / 2, count / 2);
	for (int k = 0; k < lanes; k++)
		numbers[k] = LLVMConstInt(e->i32, (uint64_t)k, 0);
	return LLVMBuildShuffleVector(e->b, halves[0], halves[1],
		LLVMConstVector(numbers, (unsigned)lanes), "");
}

val emit_mask(emit *e)
{
	val all[EMIT_LINES];

	for (int k = 0; k < e->lines; k++)
		all[k] = e->mask;
	return e->mask ? emit_join(e, all, e->lines) : NULL;
}

val emit_lane_numbers(emit *e)
{
	val lanes[EMIT_LANES];

	for (int k = 0; k < e->lanes; k++)
		lanes[k] = LLVMConstInt(e->i64, (uint64_t)k, 0);
	return LLVMConstVector(lanes, (unsigned)e->lanes);
}

/* `further`: bytes behind that, a number a lane, or NULL. */
static val lane_addresses(emit *e, val line, val step, val further)
{
	val n = LLVMBuildAdd(e->b, emit_splat(e, e->at), emit_lane_numbers(e), "");
	val offset = LLVMBuildMul(e->b, n, emit_splat(e, step), "");

	if (further)
		offset = LLVMBuildAdd(e->b, offset, further, "");
	return LLVMBuildGEP2(e->b, e->i8, line, &offset, 1, "");
}

val emit_number(emit *e, val address)
{
	val n = LLVMBuildAShr(e->b, LLVMBuildPtrToInt(e->b, address, e->i64, ""), emit_size(e, 3),
		"");

	return LLVMBuildSub(e->b, n, emit_size(e, 1), "");
}

val emit_numbers(emit *e, val line, val step)
{
	val n = LLVMBuildPtrToInt(e->b, lane_addresses(e, line, step, NULL),
		e->vector[GT_INT64], "");

	n = LLVMBuildAShr(e->b, n, emit_i64(e, 3), "");
	return LLVMBuildSub(e->b, n, emit_i64(e, 1), "");
}

static bool has_gather(const emit *e, gt_dtype d) { return e->isa == ISA_AVX512 && d != GT_BOOL; }

/* Without the instruction: lanes behind the end read the last column instead. */
static val gather_one_by_one(emit *e, gt_dtype d, val line, val step, val further)
{
	val v = LLVMGetUndef(e->vector[d]);

	for (int k = 0; k < e->lanes; k++) {
		val n = LLVMBuildAdd(e->b, e->at, emit_size(e, k), "");

		if (e->mask)
			n = emit_min(e, n, LLVMBuildSub(e->b, e->end, emit_size(e, 1), ""));
		n = LLVMBuildMul(e->b, n, step, "");
		if (further)
			n = LLVMBuildAdd(e->b, n, LLVMBuildExtractElement(e->b, further,
				LLVMConstInt(e->i32, (uint64_t)k, 0), ""), "");
		v = LLVMBuildInsertElement(e->b, v,
			emit_get_one(e, d, emit_address(e, line, n), ""),
			LLVMConstInt(e->i32, (uint64_t)k, 0), "");
	}
	return v;
}

val emit_pick(emit *e, gt_dtype d, val line, val step, val offset)
{
	if (has_gather(e, d)) {
		val args[] = { lane_addresses(e, line, step, offset),
			LLVMConstInt(e->i32, alignment(d), 0), e->mask ? e->mask : all_lanes(e),
			LLVMConstNull(e->vector[d]) };
		return emit_intrinsic(e, "llvm.masked.gather", e->vector[d], args, 4);
	}
	return gather_one_by_one(e, d, line, step, offset);
}

val emit_gather(emit *e, gt_dtype d, val line, val step)
{
	return emit_pick(e, d, line, step, NULL);
}

void emit_scatter(emit *e, gt_dtype d, val v, val line, val step)
{
	val args[] = { to_memory(e, d, v, true), lane_addresses(e, line, step, NULL),
		LLVMConstInt(e->i32, alignment(d), 0), e->mask ? e->mask : all_lanes(e) };

	emit_intrinsic(e, "llvm.masked.scatter", LLVMTypeOf(args[0]), args, 4);
}

/* ---- Loops and branches. ---- */

static block new_block(emit *e, const char *name, const char *part)
{
	char full[64];

	snprintf(full, sizeof full, "%s.%s", name, part);
	return LLVMAppendBasicBlockInContext(e->context, e->function, full);
}

void loop_open(emit *e, loop *l, const char *name, val from, val to, val step, int count,
	const val *first)
{
	l->before = LLVMGetInsertBlock(e->b);
	l->body = new_block(e, name, "body");
	l->exit = new_block(e, name, "exit");
	l->to = to;
	l->step = step;
	l->count = count;
	LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, from, to, ""), l->body, l->exit);
	LLVMPositionBuilderAtEnd(e->b, l->body);
	l->i = LLVMBuildPhi(e->b, e->i64, name);
	LLVMAddIncoming(l->i, &from, &l->before, 1);
	for (int k = 0; k < count; k++) {
		l->first[k] = first[k];
		l->carry[k] = LLVMBuildPhi(e->b, LLVMTypeOf(first[k]), "");
		LLVMAddIncoming(l->carry[k], &l->first[k], &l->before, 1);
	}
}

void loop_close(emit *e, loop *l, const val *next)
{
	val i = LLVMBuildNSWAdd(e->b, l->i, l->step, "");
	block last = LLVMGetInsertBlock(e->b), ends[] = { l->before, last };

	LLVMAddIncoming(l->i, &i, &last, 1);
	for (int k = 0; k < l->count; k++)
		LLVMAddIncoming(l->carry[k], (val *)&next[k], &last, 1);
	LLVMBuildCondBr(e->b, LLVMBuildICmp(e->b, LLVMIntSLT, i, l->to, ""), l->body, l->exit);
	LLVMMoveBasicBlockAfter(l->exit, last);
	LLVMPositionBuilderAtEnd(e->b, l->exit);
	for (int k = 0; k < l->count; k++) {
		val both[] = { l->first[k], next[k] };

		l->carry[k] = LLVMBuildPhi(e->b, LLVMTypeOf(next[k]), "");
		LLVMAddIncoming(l->carry[k], both, ends, 2);
	}
}

/* Of a line's vector the first `left` columns. */
static val first_columns(emit *e, val left)
{
	val numbers[EMIT_LANES], mask;
	int lanes = e->lanes, columns = emit_columns_each(e);

	left = LLVMBuildTrunc(e->b, left, e->i32, "left");
	for (int k = 0; k < columns; k++)
		numbers[k] = LLVMConstInt(e->i32, (uint64_t)k, 0);
	emit_lanes(e, columns);
	mask = LLVMBuildICmp(e->b, LLVMIntSLT, LLVMConstVector(numbers, (unsigned)columns),
		emit_splat(e, left), "mask");
	emit_lanes(e, lanes);
	return mask;
}

val emit_vector_mask(emit *e)
{
	val left = LLVMBuildSub(e->b, e->end, e->at, "");

	if (e->rest[0] && !e->masks)
		return e->rest[0];
	return first_columns(e, emit_min(e, left, emit_size(e, emit_columns_each(e))));
}

void emit_rest(emit *e)
{
	const int each = emit_columns_each(e);
	const int most = e->wide / e->lanes * each;
	val left = e->cols;

	if (e->isa != ISA_AVX512 || e->masks || e->even || most > (int)COUNT(e->rest) * each)
		return;
	if (!e->brief)
		left = LLVMBuildAnd(e->b, left, emit_size(e, most - 1), "left");
	for (int k = 0; k < most / each; k++)
		e->rest[k] = first_columns(e, LLVMBuildSub(e->b, left, emit_size(e, k * each), ""));
}

/* Behind a main loop of two vectors at a time there may be two: each has a mask of its own, which
 * goes through the loop. */
static void rest_loop(emit *e, val from, val to, emit_body *body, void *context)
{
	loop l;

	loop_open(e, &l, "rest", from, to, emit_size(e, emit_columns_each(e)), 1, e->rest);
	e->at = l.i;
	e->end = to;
	e->mask = l.carry[0];
	body(e, NULL, context);
	e->mask = NULL;
	loop_close(e, &l, e->rest + 1);
}

static void columns_loop(emit *e, const char *name, val from, val to, bool masked, int count,
	val *carry, emit_body *body, void *context)
{
	loop l;

	loop_open(e, &l, name, from, to, emit_size(e, emit_columns_each(e)), count, carry);
	e->at = l.i;
	e->end = to;
	e->mask = masked ? emit_vector_mask(e) : NULL;
	for (int k = 0; k < count; k++)
		carry[k] = l.carry[k];
	body(e, carry, context);
	e->mask = NULL;
	loop_close(e, &l, carry);
	for (int k = 0; k < count; k++)
		carry[k] = l.carry[k];
}

void emit_columns(emit *e, val from, val to, int count, val *carry, emit_body *body,
	void *context)
{
	const int lanes = e->lanes;
	val whole = from;

	if (e->even) {
		columns_loop(e, "col", from, to, false, count, carry, body, context);
		return;
	}
	if (!e->masks) {
		if (e->g->mode != GROUP_ROWS)
			emit_lanes(e, e->wide);
		whole = LLVMBuildSub(e->b, to, from, "");
		whole = LLVMBuildAnd(e->b, whole, emit_size(e, -emit_columns_each(e)), "");
		whole = LLVMBuildAdd(e->b, from, whole, "whole");
		columns_loop(e, "col", from, whole, false, count, carry, body, context);
		emit_lanes(e, lanes);
	}
	if (!e->masks && e->rest[1] && e->wide > lanes)
		rest_loop(e, whole, to, body, context);
	else
		columns_loop(e, e->masks ? "col" : "rest", whole, to, true, count, carry, body,
			context);
}

void branch_open(emit *e, branch *b, const char *name, val condition)
{
	block inside = new_block(e, name, "then");

	b->from = LLVMGetInsertBlock(e->b);
	b->join = new_block(e, name, "join");
	LLVMBuildCondBr(e->b, condition, inside, b->join);
	LLVMPositionBuilderAtEnd(e->b, inside);
}

val branch_close(emit *e, branch *b, val inside, val otherwise)
{
	block last = LLVMGetInsertBlock(e->b);
	val v = NULL;

	LLVMBuildBr(e->b, b->join);
	LLVMMoveBasicBlockAfter(b->join, last);
	LLVMPositionBuilderAtEnd(e->b, b->join);
	if (inside) {
		v = LLVMBuildPhi(e->b, LLVMTypeOf(inside), "");
		LLVMAddIncoming(v, &inside, &last, 1);
		LLVMAddIncoming(v, &otherwise, &b->from, 1);
	}
	return v;
}
