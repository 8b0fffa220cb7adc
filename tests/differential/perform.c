/* perform.c: run a program: what a client would send while it did.
 *
 * Values are counted by the names and lists that hold them; the last one's end sends the free, at
 * once or, as with a garbage collector, some time later.
 */
#include "differential/program.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/error.h"
#include "base/mem.h"
#include "ir/shape.h"

typedef struct value { uint64_t id; meta m; unsigned refs; } value;
typedef struct list { size_t *items, count, room; } list;

typedef struct run {
	const program *p;
	dice d;
	stream out;
	value *values;           /* from 1 */
	size_t count, room;
	size_t regs[REGS];       /* 0: none */
	list kept, late;
	uint64_t id, draw;
	int64_t sizes[SYM_COUNT];
	unsigned lazy;           /* per cent of the frees that come late */
	bool sites_vary;
	int number, last;        /* of the run under way, and of all */
	tag tag;
} run;

static void push(list *l, size_t v)
{
	VEC_ROOM(l->items, l->count, l->room);
	l->items[l->count++] = v;
}

/* ---- values ---------------------------------------------------------------------------------- */

static void send_control(run *r, unsigned code, size_t v)
{
	ins_room room;
	ins *i = ins_init(&room, code, 0);

	ins_put_input(i, r->values[v].id);
	if (code == OP_fetch)
		ins_put_operand(i, 0);
	i->site = 1 + r->tag.statement;
	stream_add(&r->out, i, r->tag);
}

static void drop(run *r, size_t v)
{
	if (!v || --r->values[v].refs)
		return;
	if (dice_chance(&r->d, r->lazy))
		push(&r->late, v);
	else
		send_control(r, OP_free, v);
}

static void collect(run *r)
{
	for (size_t k = 0; k < r->late.count; k++)
		send_control(r, OP_free, r->late.items[k]);
	r->late.count = 0;
}

static void bind(run *r, int reg, size_t v)
{
	const size_t old = r->regs[reg];

	r->values[v].refs += v != 0;
	r->regs[reg] = v;
	drop(r, old);
}

static void clear(run *r, list *l)
{
	for (size_t k = 0; k < l->count; k++)
		drop(r, l->items[k]);
	l->count = 0;
}

/* ---- instructions ---------------------------------------------------------------------------- */

static int64_t size_of(const run *r, dim d)
{
	int64_t n = 1;

	for (; d; d >>= 4)
		n *= r->sizes[d & 15];
	return n;
}

static void put_sizes(run *r, ins *i, const type *t)
{
	for (int k = 0; k < t->rank; k++)
		ins_put_operand(i, size_of(r, t->dims[k]));
}

static bool goes_wrong(run *r, const statement *s)
{
	return s->risky && r->number > 4 && dice_chance(&r->d, 6);
}

static void put_number(run *r, ins *i, const statement *s, int k)
{
	const number *n = &s->numbers[k];
	double v = n->base;
	dtype_kind kind = n->kind;

	if (s->steers && k == 1)
		v = (double)MAX(size_of(r, s->t.bound), 1) + (goes_wrong(r, s) ? 2 : 0);
	else if (s->risky && goes_wrong(r, s))
		v = 0;
	if (n->varies)
		v *= dice_chance(&r->d, 10) ? 1 : 1 + (double)dice_range(&r->d, 0, 9) / 16;
	if (n->flips && dice_chance(&r->d, 15))
		kind = KIND_INT;
	if (kind == KIND_FLOAT)
		ins_put_scalar(i, kind, (scalar){ .f = v });
	else
		ins_put_scalar(i, kind, (scalar){ .i = kind == KIND_BOOL ? v != 0 : (int64_t)v });
}

static void put_slice(run *r, ins *i, const statement *s, const meta *x)
{
	for (int k = 0; k < x->rank; k++) {
		const int64_t n = x->dims[k];
		const bool here = k == s->axis;

		if (here && s->cut == CUT_ONE) {
			ins_put_operand(i, dice_range(&r->d, 0, (int)n - 1));
			ins_put_operand(i, 1);
			ins_put_operand(i, 1);
		} else {
			const bool back = here && s->cut == CUT_BACK && n;

			ins_put_operand(i, back ? n - 1 : 0);
			ins_put_operand(i, n);
			ins_put_operand(i, back ? -1 : 1);
		}
	}
}

static void put_data(run *r, ins *i, const type *t)
{
	int64_t n = 1;
	blob *b;

	for (int k = 0; k < t->rank; k++)
		n *= size_of(r, t->dims[k]);
	b = blob_new((size_t)n * dtype_size((gt_dtype)t->dtype));
	for (int64_t k = 0; k < n; k++) {
		const double v = (double)dice_range(&r->d, -64, 64) / 32;

		if (t->dtype == GT_FLOAT32)
			((float *)b->data)[k] = (float)v;
		else
			((double *)b->data)[k] = v;
	}
	ins_put_operand(i, (int64_t)(intptr_t)b);
	put_sizes(r, i, t);
}

static void put_operands(run *r, ins *i, const statement *s, const meta *const *in)
{
	switch (s->op) {
	case OP_upload:
		put_data(r, i, &s->t);
		break;
	case OP_rand:
	case OP_randn:
	case OP_randint:
		ins_put_operand(i, 42);
		ins_put_operand(i, (int64_t)r->draw++);
		put_sizes(r, i, &s->t);
		break;
	case OP_full:
	case OP_arange:
	case OP_eye:
	case OP_reshape:
	case OP_expand:
		put_sizes(r, i, &s->t);
		break;
	case OP_slice:
	case OP_slice_set:
		put_slice(r, i, s, in[0]);
		break;
	case OP_tril:
	case OP_triu:
		ins_put_operand(i, dice_range(&r->d, -1, 1));
		break;
	case OP_one_hot:
		ins_put_operand(i, size_of(r, s->t.dims[s->t.rank - 1]));
		break;
	}
}

static _Noreturn void broken(const run *r, const ins *i)
{
	fprintf(stderr, "seed %llu: statement %u makes an invalid %s: %s\n",
		(unsigned long long)r->p->seed, r->tag.statement, op_rows[i->op].name,
		gt_last_error());
	abort();
}

/* Send a statement with a result; the value, held by nobody. */
static size_t send_op(run *r, const statement *s)
{
	const meta *in[INS_INPUTS_MAX] = { NULL };
	ins_room room;
	ins *i;
	value v = { 0 };

	r->id += 1 + (r->p->id_step > 1 ? dice_bits(&r->d) % r->p->id_step : 0);
	i = ins_init(&room, s->op, v.id = r->id);
	i->attr = s->attr;
	i->site = 1 + r->tag.statement + (r->sites_vary ? 1000 * r->tag.run : 0);
	for (int k = 0; k < s->nin; k++) {
		if (s->in[k] == REG_SCALAR) {
			put_number(r, i, s, k);
			continue;
		}
		ins_put_input(i, r->values[r->regs[s->in[k]]].id);
		in[k] = &r->values[r->regs[s->in[k]]].m;
	}
	put_operands(r, i, s, in);
	if (ins_check(i, INS_WORDS_MAX) || shape_infer(i, in, &v.m))
		broken(r, i);
	stream_add(&r->out, i, r->tag);
	VEC_ROOM(r->values, r->count, r->room);
	r->values[r->count] = v;
	return r->count++;
}

static void send_mark(run *r, unsigned code, int mode)
{
	ins_room room;
	ins *i = ins_init(&room, code, 0);

	if (code == OP_enter)
		ins_put_name(i, "forward", 7);
	if (code == OP_begin)
		ins_put_operand(i, mode);
	stream_add(&r->out, i, r->tag);
}

/* ---- statements ------------------------------------------------------------------------------ */

static bool is_due(run *r, const statement *s)
{
	for (int k = 0; k < s->nin; k++)
		if (s->in[k] != REG_SCALAR && !r->regs[s->in[k]])
			return false;
	switch (s->when) {
	case WHEN_ALWAYS:
		return true;
	case WHEN_EVERY:
		return r->number % s->every == s->phase;
	case WHEN_CHANCE:
		return dice_chance(&r->d, 20);
	default:
		return r->number == r->last;
	}
}

static void keep(run *r, const statement *s)
{
	const size_t v = r->regs[s->in[0]];

	if (s->dst >= 0) {
		bind(r, s->dst, v);
	} else {
		r->values[v].refs++;
		push(&r->kept, v);
	}
}

static void perform_module(run *r, const module *m, int from, int to);

static void perform_inner(run *r)
{
	const program *p = r->p;
	int times = p->inner_varies ? dice_range(&r->d, 0, p->inner) : p->inner;

	for (; times; times--)
		perform_module(r, &p->modules[1], 0, p->modules[1].count);
}

static void perform_statement(run *r, const statement *s)
{
	switch (s->op) {
	case OP_fetch:
		send_control(r, OP_fetch, r->regs[s->in[0]]);
		break;
	case DO_KEEP:
		keep(r, s);
		break;
	case DO_CLEAR:
		clear(r, &r->kept);
		break;
	case DO_INNER:
		perform_inner(r);
		break;
	default:
		bind(r, s->dst, send_op(r, s));
	}
}

/* What is not looked at again goes. */
static void end_lives(run *r, const module *m, int at)
{
	for (int k = 0; k <= at; k++) {
		const statement *s = &m->list[k];

		if (s->dst >= STATES_MAX && s->life == LIFE_USE && s->last_use == at)
			bind(r, s->dst, 0);
	}
	if (r->late.count && dice_chance(&r->d, 4))
		collect(r);
}

static void end_step(run *r, const module *m)
{
	for (int k = 0; k < m->count; k++)
		if (m->list[k].dst >= STATES_MAX && m->list[k].life == LIFE_STEP)
			bind(r, m->list[k].dst, 0);
}

static void perform_module(run *r, const module *m, int from, int to)
{
	if (m->signals && !from)
		send_mark(r, OP_enter, 0);
	if (m->marks && !from)
		send_mark(r, OP_begin, m->marks - 1);
	for (int k = from; k < to; k++) {
		r->tag.statement = (uint32_t)((m - r->p->modules) * STATEMENTS_MAX + k);
		if (is_due(r, &m->list[k]))
			perform_statement(r, &m->list[k]);
		end_lives(r, m, k);
	}
	if (to < m->count)
		return;
	end_step(r, m);
	if (m->marks)
		send_mark(r, OP_end, 0);
	if (m->signals)
		send_mark(r, OP_leave, 0);
}

/* ---- schedules ------------------------------------------------------------------------------- */

static void perform_all(run *r, int which)
{
	const module *m = &r->p->modules[which];
	const bool early = r->p->ends_early && r->number == r->last;

	perform_module(r, m, 0, early ? dice_range(&r->d, 0, m->count) : m->count);
}

/* Two modules, a few statements of each in turn. */
static void weave(run *r)
{
	const module *m[2] = { &r->p->modules[0], &r->p->modules[1] };
	dice fixed = { r->p->seed };
	dice *d = r->p->inner_varies ? &r->d : &fixed;
	int at[2] = { 0, 0 };

	while (at[0] < m[0]->count || at[1] < m[1]->count) {
		const int k = dice_range(d, 0, 1), n = dice_range(d, 1, 4);
		const int to = MIN(at[k] + n, m[k]->count);

		if (at[k] < m[k]->count)
			perform_module(r, m[k], at[k], to);
		at[k] = to;
	}
}

/* Module 0, or its beginning and then module 1; what it has bound for the step ends with it. */
static void perform_fork(run *r)
{
	const program *p = r->p;

	if (!dice_chance(&r->d, 15)) {
		perform_all(r, 0);
		return;
	}
	perform_module(r, &p->modules[0], 0, p->fork);
	perform_all(r, 1);
	end_step(r, &p->modules[0]);
}

static void perform_run(run *r)
{
	const program *p = r->p;

	switch (p->schedule) {
	case RUN_ALTERNATE:
		perform_all(r, r->number & 1);
		break;
	case RUN_BRANCH:
		perform_all(r, dice_range(&r->d, 0, p->count - 1));
		break;
	case RUN_SEQUENCE:
		perform_all(r, r->number / (p->every + 6) & 1);
		break;
	case RUN_DETOUR:
		perform_fork(r);
		break;
	case RUN_WOVEN:
		weave(r);
		break;
	case RUN_EVALUATE:
		perform_all(r, 0);
		if (r->number % p->every == p->every - 1)
			perform_all(r, 1);
		break;
	default:
		perform_all(r, 0);
	}
}

static void set_batch(run *r)
{
	const program *p = r->p;
	const int64_t b = p->sizes[SYM_BATCH];
	int64_t *to = &r->sizes[SYM_BATCH];

	switch (p->batches) {
	case BATCH_FIXED:
		break;
	case BATCH_PARTIAL:
		*to = r->number % p->every == p->every - 1 ? 1 + b / 2 : b;
		break;
	case BATCH_RANDOM:
		*to = dice_range(&r->d, 1, (int)b + 2);
		break;
	case BATCH_GROWS:
		*to = b + r->number / p->every % BATCH_GROWTH;
		break;
	default:
		*to = dice_chance(&r->d, 15) ? 0 : b;
	}
}

static void make_states(run *r)
{
	for (int k = 0; k < r->p->state_count; k++) {
		const statement s = { .op = OP_randn, .t = r->p->states[k],
			.attr = { .dtype = r->p->states[k].dtype } };

		bind(r, k, send_op(r, &s));
	}
}

/* Read everything that is left, then free it. */
static void finish(run *r)
{
	r->tag.statement = MODULES_MAX * STATEMENTS_MAX;
	for (size_t v = 1; v < r->count; v++)
		if (r->values[v].refs)
			send_control(r, OP_fetch, v);
	r->lazy = 0;
	clear(r, &r->kept);
	for (int k = 0; k < REGS; k++)
		bind(r, k, 0);
	collect(r);
}

stream program_perform(const program *p)
{
	run r = { .p = p, .d = { p->seed ^ 0xabcdef }, .last = p->runs - 1 };
	stream out;

	memcpy(r.sizes, p->sizes, sizeof r.sizes);
	VEC_ROOM(r.values, r.count, r.room);
	r.values[r.count++] = (value){ 0 };
	r.lazy = dice_chance(&r.d, 70) ? 0 : (unsigned)dice_range(&r.d, 5, 95);
	r.sites_vary = dice_chance(&r.d, 30);
	r.tag.statement = MODULES_MAX * STATEMENTS_MAX;
	make_states(&r);
	for (r.number = 0; r.number <= r.last; r.number++) {
		r.tag.run = (uint32_t)r.number;
		set_batch(&r);
		perform_run(&r);
	}
	finish(&r);
	out = r.out;
	mem_free(r.values);
	mem_free(r.kept.items);
	mem_free(r.late.items);
	return out;
}
