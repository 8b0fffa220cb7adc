/* recipe.c: recipes to bytes and back.
 *
 *	u8 version, u32 ops, u32 live-ins, u8 why it was cut, u8 flags, u64 bytes across the cut
 *	an op       u16 op, u16 kinds, u8 inputs, u8 operands, u8 flags, u32 size, u32 freed,
 *	            u64 attr, u64 metas, u64 token, u32 an input
 *	a live-in   u32 carried
 *	u8 runs     each: per op the scalars, then the operands that count, u64 each; per live-in u8
 *	            dtype, u8 rank, and per dim u64 size, u64 stride
 *
 * What follows from the rest is not written: signature, first and last uses.
 */
#include "cache/recipe.h"

#include <gt/gt.h>
#include "base/error.h"
#include "ir/shape.h"

#define RECIPE_VERSION 1
#define OP_BYTES 43                      /* at least */
#define STRIDE_MAX SHAPE_ELEMENTS_MAX

/* Of a region; above them its mode. */
enum { FLAG_UNIQUE = 1, FLAG_NOISY = 2, FLAGS = 3, MODE_SHIFT = 2 };
enum { FLAG_LIVE_OUT = 1, FLAG_READ = 2 };       /* of an op */

/* Data, seeds and draw numbers come first among the operands, and no shape depends on them. */
static unsigned first_operand(const region_op *o)
{
	const char *kinds = op_rows[o->op].operands;
	unsigned k = 0;

	while (k < o->nopd && (kinds[k] == 'u' || kinds[k] == 'b'))
		k++;
	return k;
}

static bool is_scalar(const region_op *o, unsigned k)
{
	return k < INS_SCALARS_MAX && INS_KIND(o->kinds, k);
}

/* ---- to bytes ------------------------------------------------------------------------------- */

static void put_op(const region *r, const region_op *o, buf *to)
{
	buf_put_u16(to, o->op);
	buf_put_u16(to, o->kinds);
	buf_put_u8(to, o->nin);
	buf_put_u8(to, o->nopd);
	buf_put_u8(to, (uint8_t)((o->live_out ? FLAG_LIVE_OUT : 0) | (o->read ? FLAG_READ : 0)));
	buf_put_u32(to, o->size);
	buf_put_u32(to, o->freed);
	buf_put_u64(to, o->attr);
	buf_put_u64(to, o->metas);
	buf_put_u64(to, o->token);
	for (unsigned k = 0; k < o->nin; k++)
		buf_put_u32(to, (uint32_t)r->inputs[o->first + k]);
}

static void put_region(const region *r, buf *to)
{
	buf_put_u8(to, RECIPE_VERSION);
	buf_put_u32(to, r->n);
	buf_put_u32(to, r->live_ins_count);
	buf_put_u8(to, (uint8_t)r->cut_why);
	buf_put_u8(to, (uint8_t)((r->cut_unique ? FLAG_UNIQUE : 0) | (r->noisy ? FLAG_NOISY : 0) |
		r->mode << MODE_SHIFT));
	buf_put_u64(to, r->cut_bytes);
	for (uint32_t i = 0; i < r->n; i++)
		put_op(r, &r->ops[i], to);
	for (uint32_t m = 0; m < r->live_ins_count; m++)
		buf_put_u32(to, r->live_ins[m].carried);
}

static void put_run(const region *r, const recipe_run *run, buf *to)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const region_op *o = &r->ops[i];

		for (unsigned k = 0; k < o->nin; k++)
			if (is_scalar(o, k))
				buf_put_u64(to, ins_in(run->ops[i])[k]);
		for (unsigned k = first_operand(o); k < o->nopd; k++)
			buf_put_u64(to, (uint64_t)ins_opd(run->ops[i])[k]);
	}
	for (uint32_t m = 0; m < r->live_ins_count; m++) {
		const meta *is = &run->live_ins[m];

		buf_put_u8(to, is->dtype);
		buf_put_u8(to, is->rank);
		for (int d = 0; d < is->rank; d++) {
			buf_put_u64(to, (uint64_t)is->dims[d]);
			buf_put_u64(to, (uint64_t)run->strides[m][d]);
		}
	}
}

void recipe_encode(const region *r, const recipe_run *runs, unsigned count, buf *to)
{
	assert(r->n <= RECIPE_OPS && count <= RECIPE_RUNS);
	put_region(r, to);
	buf_put_u8(to, (uint8_t)count);
	for (unsigned k = 0; k < count; k++)
		put_run(r, &runs[k], to);
}

/* ---- from bytes: the region ----------------------------------------------------------------- */

static gt_err wrong(const char *what)
{
	return fail(GT_EPROTO, "recipe: %s", what);
}

/* Counts first, so that no more memory is asked for than the bytes can fill. */
static gt_err get_head(reader *r, region *to)
{
	const uint8_t version = reader_u8(r);
	uint8_t why, flags;

	to->n = reader_u32(r);
	to->live_ins_count = reader_u32(r);
	why = reader_u8(r);
	flags = reader_u8(r);
	to->cut_bytes = reader_u64(r);
	to->cut_why = (cut_why)why;
	to->cut_unique = flags & FLAG_UNIQUE;
	to->noisy = flags & FLAG_NOISY;
	to->mode = flags >> MODE_SHIFT;
	if (r->cut || version != RECIPE_VERSION)
		return wrong("of another version, or cut short");
	if (!to->n || to->n > RECIPE_OPS || to->n > (r->size - r->pos) / OP_BYTES)
		return wrong("number of ops");
	if (to->live_ins_count > (r->size - r->pos) / sizeof(uint32_t))
		return wrong("number of live-ins");
	return why > CUT_SCOPE || to->mode >= GT_COMPILE_MODE_COUNT ? wrong("flags") : GT_OK;
}

static gt_err get_fields(reader *r, region_op *o)
{
	uint8_t flags;

	o->op = reader_u16(r);
	o->kinds = reader_u16(r);
	o->nin = reader_u8(r);
	o->nopd = reader_u8(r);
	flags = reader_u8(r);
	o->size = reader_u32(r);
	o->freed = reader_u32(r);
	o->attr = reader_u64(r);
	o->metas = reader_u64(r);
	o->token = reader_u64(r);
	o->live_out = flags & FLAG_LIVE_OUT;
	o->read = flags & FLAG_READ;
	o->last_use = REGION_NEVER;
	return flags > (FLAG_LIVE_OUT | FLAG_READ) || o->nin > INS_INPUTS_MAX ||
		o->nopd > INS_OPERANDS_MAX ? wrong("fields of an op") : GT_OK;
}

/* Input k of op i. Live-ins are numbered as they come by. */
static bool take_input(region *to, uint32_t i, unsigned k, int32_t in, uint32_t *seen)
{
	if (is_scalar(&to->ops[i], k) || in == REGION_SCALAR)
		return is_scalar(&to->ops[i], k) && in == REGION_SCALAR;
	if (in >= 0) {
		if ((uint32_t)in >= i)
			return false;
		to->ops[in].last_use = i;
		return true;
	}
	if (REGION_LIVE_IN(in) > *seen || REGION_LIVE_IN(in) >= to->live_ins_count)
		return false;
	if (REGION_LIVE_IN(in) == *seen)
		to->live_ins[(*seen)++].first_use = i;
	return true;
}

static gt_err get_op(reader *r, region *to, uint32_t i, uint32_t *seen, uint32_t *room)
{
	region_op *o = &to->ops[i];
	gt_err e = get_fields(r, o);

	o->first = to->inputs_count;
	for (unsigned k = 0; k < o->nin && !e; k++) {
		const int32_t in = (int32_t)reader_u32(r);

		VEC_ROOM(to->inputs, to->inputs_count, *room);
		to->inputs[to->inputs_count++] = in;
		if (!take_input(to, i, k, in, seen))
			e = wrong("an input");
	}
	if (!e && o->freed != REGION_NEVER && o->freed >= 2 * to->n)
		e = wrong("place of a free");
	return e;
}

/* The id of an input: its slot, counted from 1. */
static uint64_t value_of(const region *r, int32_t in)
{
	return in >= 0 ? (uint32_t)in + 1 : r->n + REGION_LIVE_IN(in) + 1;
}

/* Op i as an instruction, its scalars and operands 0. */
static void make_ins(const region *r, uint32_t i, ins_room *room)
{
	const region_op *o = &r->ops[i];
	ins *to = ins_init(room, o->op, i + 1);

	to->attr.bits = o->attr;
	for (unsigned k = 0; k < o->nin; k++)
		if (is_scalar(o, k))
			ins_put_scalar(to, (dtype_kind)INS_KIND(o->kinds, k), (scalar){ .i = 0 });
		else
			ins_put_input(to, value_of(r, r->inputs[o->first + k]));
	for (unsigned k = 0; k < o->nopd; k++)
		ins_put_operand(to, 0);
}

/* Everything that the op table knows about an op. */
static gt_err check_op(const region *r, uint32_t i)
{
	const op_row *row = op_row_of(r->ops[i].op);
	ins_room room;
	int64_t *opd;

	if (!row || !op_has_result(row))
		return wrong("an op");
	make_ins(r, i, &room);
	if (room.head.kinds != r->ops[i].kinds)
		return wrong("kinds of scalars");
	opd = (int64_t *)room.head.tail + room.head.nin;
	if (*row->operands == 'b' && r->ops[i].nopd)
		*opd = 1;                /* data will come with the run */
	return ins_check(&room.head, room.head.words);
}

static gt_err get_region(reader *r, region *to)
{
	uint32_t seen = 0, room = 0;
	gt_err e = get_head(r, to);

	if (e)
		return e;
	to->ops = mem_zero(to->n * sizeof *to->ops);
	to->live_ins = mem_zero((to->live_ins_count + 1) * sizeof *to->live_ins);
	for (uint32_t i = 0; i < to->n && !e; i++)
		if (!(e = get_op(r, to, i, &seen, &room)))
			e = check_op(to, i);
	for (uint32_t m = 0; m < to->live_ins_count && !e; m++) {
		to->live_ins[m].carried = reader_u32(r);
		if (to->live_ins[m].carried != REGION_NEVER && to->live_ins[m].carried >= to->n)
			e = wrong("what carries a live-in");
	}
	if (!e && (r->cut || seen != to->live_ins_count))
		e = wrong("cut short, or live-ins that are not used");
	to->signature = e ? 0 : region_signature(to);
	return e;
}

/* ---- from bytes: runs ----------------------------------------------------------------------- */

static const ins *get_ins(reader *r, const region *g, uint32_t i, arena *memory)
{
	const region_op *o = &g->ops[i];
	ins_room room;
	int64_t *opd;
	ins *kept;

	make_ins(g, i, &room);
	opd = (int64_t *)room.head.tail + room.head.nin;
	for (unsigned k = 0; k < o->nin; k++)
		if (is_scalar(o, k))
			room.head.tail[k] = reader_u64(r);
	for (unsigned k = first_operand(o); k < o->nopd; k++)
		opd[k] = (int64_t)reader_u64(r);
	kept = arena_alloc(memory, room.head.words * sizeof(uint64_t));
	memcpy(kept, &room, room.head.words * sizeof(uint64_t));
	return kept;
}

static gt_err get_live_in(reader *r, meta *m, int64_t *strides)
{
	int64_t count = 1;

	m->dtype = reader_u8(r);
	m->rank = reader_u8(r);
	if (!m->dtype || m->dtype >= GT_DTYPE_COUNT || m->rank > GT_RANK_MAX)
		return wrong("dtype or rank of a live-in");
	for (int d = 0; d < m->rank; d++) {
		m->dims[d] = (int64_t)reader_u64(r);
		strides[d] = (int64_t)reader_u64(r);
		if (m->dims[d] < 0 || strides[d] < -STRIDE_MAX || strides[d] > STRIDE_MAX ||
		    __builtin_mul_overflow(count, MAX(m->dims[d], 1), &count) ||
		    count > SHAPE_ELEMENTS_MAX)
			return wrong("size or stride of a live-in");
	}
	return GT_OK;
}

/* A bool is 0 or 1, and the like. */
static gt_err check_scalars(const ins *i)
{
	for (unsigned k = 0; k < i->nin; k++)
		if (ins_kind(i, k) == KIND_BOOL && ins_in(i)[k] > 1)
			return wrong("a bool that is neither 0 nor 1");
	return GT_OK;
}

/* Its shapes infer, and are those of the region. `metas` is by slot: the live-ins' are there. */
static gt_err infer(const region *r, const recipe_run *run, meta *metas)
{
	gt_err e = GT_OK;

	for (uint32_t i = 0; i < r->n && !e; i++) {
		const ins *now = run->ops[i];
		meta *out = &metas[i];
		meta_list in;

		for (unsigned k = 0; k < now->nin; k++)
			in.in[k] = ins_kind(now, k) ? NULL : &metas[ins_in(now)[k] - 1];
		if (!(e = check_scalars(now)) && !(e = shape_infer(now, in.in, out)) &&
		    record_metas(op_rows[now->op].kind, now->nin, in.in, out) != r->ops[i].metas)
			e = wrong("a run that is none of the region");
	}
	return e;
}

static gt_err get_run(reader *r, const region *g, recipe_run *run, arena *memory)
{
	meta *metas = arena_alloc(memory, (g->live_ins_count + g->n) * sizeof *metas);
	int64_t (*strides)[GT_RANK_MAX] = arena_alloc(memory,
		(g->live_ins_count + 1) * sizeof *strides);
	const ins **ops = arena_alloc(memory, g->n * sizeof *ops);
	gt_err e = GT_OK;

	for (uint32_t i = 0; i < g->n; i++)
		ops[i] = get_ins(r, g, i, memory);
	for (uint32_t m = 0; m < g->live_ins_count && !e; m++)
		e = get_live_in(r, &metas[g->n + m], strides[m]);
	*run = (recipe_run){ ops, metas + g->n, strides, metas };
	if (!e && r->cut)
		e = wrong("cut short");
	return e ? e : infer(g, run, metas);
}

static gt_err get(reader *r, recipe *to)
{
	gt_err e = get_region(r, to->region);

	if (e)
		return e;
	to->count = reader_u8(r);
	if (r->cut || to->count > RECIPE_RUNS)
		return wrong("number of runs");
	for (unsigned k = 0; k < to->count && !e; k++)
		e = get_run(r, to->region, &to->runs[k], &to->memory);
	return e || r->pos == r->size ? e : wrong("bytes behind its end");
}

gt_err recipe_decode(const void *data, size_t size, recipe **out)
{
	reader r = { .data = data, .size = size };
	recipe *to = mem_zero(sizeof *to);
	gt_err e;

	to->region = mem_zero(sizeof *to->region);
	e = get(&r, to);
	if (e) {
		recipe_free(to);
		to = NULL;
	}
	*out = to;
	return e;
}

void recipe_free(recipe *r)
{
	if (!r)
		return;
	region_free(r->region);
	arena_fini(&r->memory);
	mem_free(r);
}

region *recipe_take(recipe *r)
{
	region *taken = r->region;

	r->region = NULL;
	return taken;
}
