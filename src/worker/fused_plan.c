/* fused_plan.c: a fusion as tables that runs are made from. On the compiler's thread. */
#include "worker/fused.h"

#include <stdlib.h>
#include "ir/cost.h"
#include "region/fuse_cost.h"

/* What a fused run takes more than one of T1's, and an op of it less, ns; and bytes that are not
 * written, nor read again: by bench_replay, whose loops of 3, 9, 20 and 60 elementwise ops on 64
 * elements take 192, 342, 400 and 840 ns fused, and 141, 260, 500 and 1,380 in T1. */
#define RUN_COST     105
#define OP_GAIN      11
#define BYTES_A_NS   32
#define DRAWN_A_BYTE 4           /* vector instructions that take as long as a byte does */

static void *take(fused_plan *p, size_t n, size_t size)
{
	void *room = arena_alloc(&p->memory, (n + 1) * size);

	memset(room, 0, (n + 1) * size);
	return room;
}

static uint32_t slot_of(const ins *row, unsigned k)
{
	return (uint32_t)(ins_in(row)[k] - 1);
}

static void list_inputs(fused_plan *p)
{
	p->inputs = take(p, p->r->inputs_count, sizeof *p->inputs);
	for (uint32_t k = 0; k < p->r->inputs_count; k++) {
		const int32_t in = p->r->inputs[k];

		p->inputs[k] = in == REGION_SCALAR ? FUSE_NONE : in >= 0 ? (uint32_t)in :
			p->n + REGION_LIVE_IN(in);
	}
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* What a product and its kernel, or a kernel and adding, have in common. */
static bool is_joint(const fuse_step *s, const group_arg *a, const fuse_arg *from)
{
	if (s->kind == STEP_ADD)
		return a->out && (from->value == FUSE_NONE || from->value == s->source);
	return s->kind == STEP_PRODUCT && !a->out && from->value == s->value;
}

static void list_args(fused_plan *p, fused_step *to, const group *g, uint32_t *in, uint32_t *out)
{
	const fuse_arg *from = p->f->args.at + to->s->args;

	to->args = take(p, g->args_count, sizeof *to->args);
	to->scalars = take(p, g->scalars_count, sizeof *to->scalars);
	to->arg = GROUP_ARGS;
	for (unsigned k = 0; k < g->args_count; k++) {
		to->args[k] = (kernel_arg){ NULL, from[k].row, from[k].col };
		if (g->args[k].counts)
			continue;
		if (is_joint(to->s, &g->args[k], &from[k]))
			to->arg = k;
		if (g->args[k].out && from[k].value != FUSE_NONE)
			out[to->out_count++] = from[k].value;
		else if (!g->args[k].out && to->arg != k)
			in[to->in_count++] = from[k].value;
		if (g->args[k].access != ACCESS_SAME)
			to->bytes += to->s->rows * to->s->cols *
				(int64_t)dtype_size((gt_dtype)g->args[k].dtype);
	}
}

/* Threads are worth it for what takes time, which is told by bytes. */
static int64_t bytes_drawn(const fused_step *st, const group *g)
{
	int64_t bytes = 0;

	for (unsigned k = 0; k < g->nodes_count; k++)
		if (g->nodes[k].what == NODE_DRAW)
			bytes += (int64_t)(fuse_cost_weight(g->nodes[k].op) / DRAWN_A_BYTE *
				dtype_size((gt_dtype)g->nodes[k].dtype)) * st->s->rows * st->s->cols;
	return bytes;
}

static void prepare_kernel(fused_plan *p, fused_step *to, const group *g)
{
	uint32_t *in = take(p, g->args_count, sizeof *in), *out = take(p, g->args_count, sizeof *out);

	to->in = in;
	to->out = out;
	to->places = take(p, g->args_count, sizeof *to->places);
	list_args(p, to, g, in, out);
	to->bytes += bytes_drawn(to, g);
}

static void set_view(const fused_plan *p, uint32_t slot, view *to)
{
	const fuse_value *o = &p->f->values.at[slot];

	meta_copy(&to->m, &o->m);
	memcpy(to->strides, o->strides, sizeof to->strides);
	to->contiguous = p->contiguous[slot];
}

/* Views of the inputs, scalars included, then of the result. */
static void list_operands(fused_plan *p, fused_step *to, const engine *e, uint32_t *in)
{
	const fuse_value *o = &p->f->values.at[to->s->value];
	const ins *row = o->row;
	const meta *metas[INS_INPUTS_MAX];

	to->views = take(p, row->nin + 1u, sizeof *to->views);
	to->words = take(p, row->nin, sizeof *to->words);
	for (unsigned k = 0; k < row->nin; k++) {
		metas[k] = ins_kind(row, k) ? NULL : &p->f->values.at[slot_of(row, k)].m;
		to->call.in[k] = &to->views[k];
		if (ins_kind(row, k))
			continue;
		in[to->in_count++] = slot_of(row, k);
		set_view(p, slot_of(row, k), &to->views[k]);
	}
	for (unsigned k = 0; k < row->nin; k++)
		if (ins_kind(row, k)) {
			to->views[k] = (view){ .data = &to->words[k], .contiguous = true };
			to->views[k].m.dtype = (uint8_t)engine_scalar_dtype(row, (int)k, metas,
				&o->m);
		}
	set_view(p, to->s->value, &to->views[row->nin]);
	to->call.out = &to->views[row->nin];
	to->call.engine = e;
}

static void prepare_call(fused_plan *p, fused_step *to, const engine *e)
{
	const unsigned nin = p->f->values.at[to->s->value].row->nin;
	uint32_t *in = take(p, nin, sizeof *in), *out = take(p, 1, sizeof *out);

	to->in = in;
	to->out = out;
	*out = to->s->value;
	to->out_count = 1;
	list_operands(p, to, e, in);
}

/* Nothing is broadcast or skipped: rows follow one another in all operands. */
static bool is_flat(const fused_step *st, const group *g)
{
	bool flat = g->mode == GROUP_ELEMENT;

	for (unsigned k = 0; k < g->args_count; k++)
		flat = flat && g->args[k].access == ACCESS_RUN && !g->args[k].fixed &&
			st->args[k].row == st->s->cols * (int64_t)dtype_size((gt_dtype)g->args[k].dtype);
	return flat;
}

static void prepare_product(fused_plan *p, fused_step *to, const group *g, const engine *e)
{
	const unsigned nin = p->f->values.at[to->s->value].row->nin;
	uint32_t *in = take(p, nin + g->args_count, sizeof *in);
	uint32_t *out = take(p, g->args_count + 1u, sizeof *out);

	to->in = in;
	to->out = out;
	to->places = take(p, g->args_count + 1u, sizeof *to->places);
	list_operands(p, to, e, in);
	list_args(p, to, g, in, out);
	if (to->s->onto == to->s->value)
		out[to->out_count++] = to->s->value;
	while (out[to->onto] != to->s->onto)
		to->onto++;
	to->flat = is_flat(to, g);
}

static void prepare_add(fused_plan *p, fused_step *to, const group *g, const engine *e)
{
	const ins *row = p->f->values.at[to->s->value].row;
	uint32_t *in = take(p, row->nin + g->args_count, sizeof *in);
	uint32_t *out = take(p, g->args_count + 1u, sizeof *out);

	to->in = in;
	to->out = out;
	to->places = take(p, g->args_count + 1u, sizeof *to->places);
	to->views = take(p, row->nin + 1u, sizeof *to->views);
	for (unsigned k = 0; k < row->nin; k++)
		set_view(p, slot_of(row, k), &to->views[k]);
	set_view(p, to->s->value, &to->views[row->nin]);
	to->onto_full = fusion_adds_to_full(p->f, to->s);
	for (unsigned k = to->onto_full; k < 2; k++)
		in[to->in_count++] = slot_of(row, k);
	list_args(p, to, g, in, out);
	to->onto = to->out_count;
	out[to->out_count++] = to->s->value;
	to->call.engine = e;
}

static void prepare_view(fused_plan *p, fused_step *to)
{
	uint32_t *slots = take(p, 2, sizeof *slots);

	slots[0] = p->f->values.at[to->s->value].base;
	slots[1] = to->s->value;
	to->in = slots;
	to->out = slots + 1;
	to->in_count = to->out_count = 1;
}

static void prepare_steps(fused_plan *p, fused_code *const *codes, const engine *e)
{
	const fusion *f = p->f;

	p->steps = take(p, f->steps.count, sizeof *p->steps);
	for (uint32_t k = 0; k < f->steps.count; k++) {
		fused_step *to = &p->steps[k];

		to->s = &f->steps.at[k];
		if (to->s->kind <= STEP_ADD) {
			to->code = codes[to->s->group];
			p->kernels += 1 - to->s->together;
		}
		if (to->s->kind == STEP_KERNEL) {
			prepare_kernel(p, to, f->groups.at[to->s->group].g);
		} else if (to->s->kind == STEP_PRODUCT) {
			prepare_product(p, to, f->groups.at[to->s->group].g, e);
		} else if (to->s->kind == STEP_ADD) {
			prepare_add(p, to, f->groups.at[to->s->group].g, e);
		} else if (to->s->kind == STEP_CALL) {
			prepare_call(p, to, e);
		} else {
			prepare_view(p, to);
		}
	}
}

/* ---- ops ------------------------------------------------------------------------------------- */

/* By what it is given, not by its shapes. What was taken apart cannot, nor what looks at its indices
 * when it arrives. */
static bool may_fail(const ins *i, const fuse_value *o, bool is_checked)
{
	return !o->composed && !is_checked && (op_rows[i->op].kind == KIND_INDEX ||
		((i->op == OP_floordiv || i->op == OP_mod) &&
		dtype_kind_of((gt_dtype)o->m.dtype) == KIND_INT));
}

static bool is_late(const fused_plan *p, uint32_t at)
{
	const fuse_value *o = &p->f->values.at[at];

	return o->step == FUSE_NONE || p->f->steps.at[o->step].launch > at;
}

static void prepare_ops(fused_plan *p)
{
	uint32_t step = 0, check = 0;

	p->ops = take(p, p->n + 1u, sizeof *p->ops);
	for (uint32_t k = 0; k <= p->n; k++) {
		fused_op *to = &p->ops[k];
		const ins *i = p->f->seen[k];
		const fuse_value *o = &p->f->values.at[k];
		uint32_t first;

		while (step < p->f->steps.count && p->f->steps.at[step].launch < k)
			step++;
		to->steps = step;
		to->words = p->words;
		if (k == p->n)
			break;
		p->words += INS_HEAD_WORDS + i->nin + i->nopd;
		to->first = p->r->ops[k].first;
		to->nin = i->nin;
		if (check < p->f->checks.count && p->f->checks.at[check].op == k)
			to->check = ++check;
		to->checks = i->nopd || op_rows[i->op].kind == KIND_COMPOSITE;
		to->eager = i->op == OP_upload || (may_fail(i, o, to->check) && is_late(p, k));
		first = i->nin ? fused_input(p, k, 0) : FUSE_NONE;
		to->cost = cost_ns(i->op, first == FUSE_NONE ? NULL : &p->f->values.at[first].m,
			&o->m);
	}
}

/* ---- needs ----------------------------------------------------------------------------------- */

static void count_needs(fused_plan *p)
{
	p->fresh = take(p, p->slots, sizeof *p->fresh);
	for (uint32_t k = 0; k < p->f->steps.count; k++)
		for (uint32_t j = 0; j < p->steps[k].in_count; j++)
			p->fresh[p->steps[k].in[j]].need++;
	for (uint32_t k = 0; k < p->n; k++) {
		p->fresh[k].need++;
		for (unsigned j = 0; j < p->r->ops[k].nin; j++)
			if (fused_input(p, k, j) != FUSE_NONE)
				p->fresh[fused_input(p, k, j)].need++;
	}
	for (uint32_t v = 0; v < p->slots; v++) {
		p->alive += p->fresh[v].need != 0;
		if (!p->fresh[v].need)
			p->fresh[v].state = SLOT_GONE;
	}
}

static void extend(uint32_t *until, uint32_t slot, uint32_t to)
{
	until[slot] = MAX(until[slot], to);
}

/* What `v` would be made from, should somebody ask, and what it lies in. */
static void pass_on(const fused_plan *p, uint32_t v, uint32_t *until)
{
	const fuse_value *o = &p->f->values.at[v];
	const bool there = o->where == FUSE_STORED || o->where == FUSE_ARENA ||
		((o->where == FUSE_VIEW || o->where == FUSE_ALIAS) && o->step != FUSE_NONE);

	if (o->where == FUSE_VIEW || o->where == FUSE_ALIAS)
		extend(until, o->base, until[v]);
	if (v >= p->n)
		return;
	for (unsigned k = 0; k < p->r->ops[v].nin; k++)
		if (fused_input(p, v, k) != FUSE_NONE)
			extend(until, fused_input(p, v, k), there && o->step != FUSE_NONE ?
				p->f->steps.at[o->step].launch : until[v]);
}

/* The arena was planned for values computed anew row by row. Here they are computed op by op, which
 * of composites may need an input for longer: such a value gets memory of its own. */
static void check_arena(fused_plan *p)
{
	const fusion *f = p->f;
	uint32_t *until = mem_zero((p->slots + 1) * sizeof *until);

	for (uint32_t k = 0; k < f->steps.count; k++) {
		for (uint32_t j = 0; j < p->steps[k].in_count; j++)
			extend(until, p->steps[k].in[j], f->steps.at[k].launch);
		for (uint32_t j = 0; j < p->steps[k].out_count; j++)
			extend(until, p->steps[k].out[j], f->steps.at[k].launch);
	}
	for (uint32_t k = 0; k < p->n; k++)
		extend(until, k, p->r->ops[k].freed);
	for (uint32_t k = f->order.count; k-- > 0;)
		pass_on(p, f->order.at[k], until);
	for (uint32_t v = 0; v < p->slots; v++)
		p->own[v] = f->values.at[v].where != FUSE_ARENA || until[v] > f->values.at[v].until;
	/* What the next run begins with it may read later than its tensor is freed. */
	for (uint32_t m = 0; m < p->r->live_ins_count; m++)
		if (p->r->live_ins[m].carried != REGION_NEVER)
			p->own[f->values.at[p->r->live_ins[m].carried].base] = true;
	mem_free(until);
}

/* ---- results in the memory of operands ---- */

/* Does the step read memory of `base`, but for argument `but`? */
static bool reads(const fused_plan *p, const fused_step *st, uint32_t base, unsigned but)
{
	const fuse_arg *args = p->f->args.at + st->s->args;

	for (unsigned k = 0; k < st->code->g->args_count; k++)
		if (k != but && !st->code->g->args[k].out && args[k].value != FUSE_NONE &&
			p->f->values.at[args[k].value].base == base)
			return true;
	return false;
}

static bool others_read(const fused_plan *p, uint32_t first, uint32_t at, uint32_t base)
{
	for (uint32_t k = first; k <= first + p->f->steps.at[first].together; k++)
		if (k != at && reads(p, &p->steps[k], base, UINT32_MAX))
			return true;
	return false;
}

static bool lie_alike(const fused_plan *p, const fused_step *st, unsigned a, unsigned b)
{
	const group *g = st->code->g;
	const fuse_arg *x = p->f->args.at + st->s->args + a, *y = p->f->args.at + st->s->args + b;
	bool alike = g->args[a].dtype == g->args[b].dtype && x->row == y->row && x->col == y->col;

	for (unsigned d = 0; d < st->s->outer_count; d++)
		alike = alike && x->outer[d] == y->outer[d];
	return alike && p->bytes[x->value] == p->bytes[y->value];
}

/* An operand that has memory of its own, all of it, in whose place argument `out` may be. */
static uint32_t find_taken(const fused_plan *p, uint32_t first, uint32_t at, unsigned out)
{
	const fused_step *st = &p->steps[at];
	const group *g = st->code->g;

	for (unsigned k = 0; k < g->args_count; k++) {
		const uint32_t v = p->f->args.at[st->s->args + k].value;

		if (!g->args[k].out && v != FUSE_NONE && !g->args[k].picked && p->own[v] &&
			p->f->values.at[v].base == v && lie_alike(p, st, k, out) &&
			!reads(p, st, v, k) && !others_read(p, first, at, v))
			return v;
	}
	return FUSE_NONE;
}

static bool is_taken(const fused_step *st, uint32_t count, uint32_t v)
{
	for (uint32_t k = 0; k < count; k++)
		if (st->takes[k] == v)
			return true;
	return false;
}

/* Step `at` of the launch that begins with `first`. */
static void find_takes(fused_plan *p, uint32_t first, uint32_t at)
{
	fused_step *st = &p->steps[at];
	const group *g = st->code->g;
	uint32_t out = 0;

	st->takes = take(p, st->out_count, sizeof *st->takes);
	for (unsigned k = 0; k < g->args_count; k++) {
		uint32_t v;

		if (!g->args[k].out)
			continue;
		v = p->own[st->out[out]] ? find_taken(p, first, at, k) : FUSE_NONE;
		st->takes[out] = v != FUSE_NONE && is_taken(st, out, v) ? FUSE_NONE : v;
		out++;
	}
}

static void find_all_takes(fused_plan *p)
{
	for (uint32_t first = 0; first < p->f->steps.count; first++) {
		const fuse_step *s = &p->f->steps.at[first];

		for (uint32_t k = first; s->kind == STEP_KERNEL && k <= first + s->together; k++)
			if (p->steps[k].code->g->mode == GROUP_ELEMENT)
				find_takes(p, first, k);
		first += s->together;
	}
}

/* ---- frees ----------------------------------------------------------------------------------- */

typedef struct due { uint32_t at, op; } due;

static int by_time(const void *a, const void *b)
{
	const due *x = a, *y = b;

	return x->at != y->at ? (x->at < y->at ? -1 : 1) : (x->op > y->op) - (x->op < y->op);
}

static void sort_frees(fused_plan *p)
{
	due *all = mem_alloc((p->n + 1) * sizeof *all);

	p->due = take(p, p->n, sizeof *p->due);
	p->due_at = take(p, p->n, sizeof *p->due_at);
	for (uint32_t k = 0; k < p->n; k++)
		if (p->r->ops[k].freed != REGION_NEVER)
			all[p->due_count++] = (due){ p->r->ops[k].freed, k };
	qsort(all, p->due_count, sizeof *all, by_time);
	for (uint32_t k = 0; k < p->due_count; k++) {
		p->due[k] = all[k].op;
		p->due_at[k] = all[k].at;
	}
	mem_free(all);
}

/* ---- what it saves --------------------------------------------------------------------------- */

static uint64_t bytes_of(const meta *m)
{
	return (uint64_t)meta_count(m) * dtype_size((gt_dtype)m->dtype);
}

static void count_savings(const region *r, const fusion *f, uint32_t *saved, uint64_t *bytes)
{
	uint32_t launches = 0, now = 0;

	*bytes = 0;
	for (uint32_t k = 0; k < f->steps.count; k++)
		now += (f->steps.at[k].kind <= STEP_CALL) - f->steps.at[k].together;
	for (uint32_t k = 0; k < r->n; k++) {
		const fuse_value *o = &f->values.at[k];

		if (op_rows[o->row->op].kind == KIND_VIEW)
			continue;
		launches++;
		if (o->where == FUSE_FUSED || o->where == FUSE_DEAD)
			*bytes += bytes_of(&o->m);
	}
	*saved = launches > now ? launches - now : 0;
}

bool fused_is_vain(const region *r, const fusion *f)
{
	uint32_t saved;
	uint64_t bytes;

	count_savings(r, f, &saved, &bytes);
	if (!saved && !bytes)
		return true;
	return OP_GAIN * r->n + bytes / BYTES_A_NS < RUN_COST;
}

/* ---- all of it ------------------------------------------------------------------------------- */

fused_plan *fused_plan_new(region *r, fusion *f, fused_code *const *codes, const engine *e)
{
	fused_plan *p = mem_zero(sizeof *p);

	p->r = r;
	p->f = f;
	p->n = r->n;
	p->slots = f->values.count;
	p->own = take(p, p->slots, sizeof *p->own);
	p->spare_of = take(p, p->slots, sizeof *p->spare_of);
	p->contiguous = take(p, p->slots, sizeof *p->contiguous);
	p->bytes = take(p, p->slots, sizeof *p->bytes);
	for (uint32_t v = 0; v < p->slots; v++) {
		p->contiguous[v] = shape_is_contiguous(&f->values.at[v].m,
			f->values.at[v].strides);
		p->bytes[v] = bytes_of(&f->values.at[v].m);
	}
	list_inputs(p);
	prepare_steps(p, codes, e);
	prepare_ops(p);
	count_needs(p);
	check_arena(p);
	fused_spare_plan(p);
	find_all_takes(p);
	sort_frees(p);
	count_savings(p->r, f, &p->launches_saved, &p->bytes_saved);
	p->read = take(p, p->n, sizeof *p->read);
	return p;
}
