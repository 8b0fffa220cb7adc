/* calls.c: leaps of tier T1: the ops of a run as calls of kernels with all set that never changes.
 *
 * Shapes, strides and kernels are those of a run that was executed op by op and noted. Memory is
 * taken and given back in the order of eager execution, so no more of it is alive whenever some is
 * taken; but what is freed waits for the next results, which get it if they want as much. Before the
 * allocator is asked for anything it gets back what waits.
 *
 * A result that is freed before the leap is over lives in its slot; others are filed.
 */
#include "worker/hot.h"

#include "base/mem.h"
#include "ir/cost.h"

#define PATIENCE  2              /* runs, after one whose calls were of no use; doubles */
#define DOUBLINGS 5
#define MISFITS   8              /* inputs that look otherwise, before the calls are learnt anew */

/* ---- what is noted --------------------------------------------------------------------------- */

void calls_init(calls *c, const pattern *p)
{
	const pattern_op *last = &p->ops[p->n - 1];

	*c = (calls){ .n = p->n };
	c->slots = mem_zero(p->slots * sizeof *c->slots);
	c->steps = mem_zero(p->n * sizeof *c->steps);
	c->in = mem_zero((last->first + last->nin + 1) * sizeof *c->in);
}

void calls_fini(calls *c)
{
	mem_free(c->slots);
	mem_free(c->steps);
	mem_free(c->in);
}

static void give_up(calls *c)
{
	c->next = SCRIPT_NEVER;
	c->patience = (uint64_t)PATIENCE << MIN(c->tries++, DOUBLINGS);
}

bool calls_begin(calls *c, const plan *p)
{
	c->next = 0;
	if (c->patience) {
		c->patience--;
		return false;
	}
	if (!c->slots)
		calls_init(c, &p->pattern);
	return true;
}

static bool same_view(const view *a, const view *b)
{
	if (a->contiguous != b->contiguous || !plan_same_meta(&a->m, &b->m))
		return false;
	for (int k = 0; k < a->m.rank; k++)
		if (a->strides[k] != b->strides[k])
			return false;
	return true;
}

static void note_view(view *to, const view *from)
{
	meta_copy(&to->m, &from->m);
	for (int k = 0; k < from->m.rank; k++)
		to->strides[k] = from->strides[k];
	to->contiguous = from->contiguous;
}

static void note_inputs(calls *c, const plan *p, uint32_t at, const ins *i, const call *k,
	const value *out)
{
	const pattern_op *o = &p->pattern.ops[at];

	for (unsigned n = 0; n < o->nin; n++) {
		call_in *to = &c->in[o->first + n];

		*to = (call_in){ .slot = p->pattern.inputs[o->first + n],
			.kind = (uint8_t)ins_kind(i, n) };
		if (to->slot == MATCH_SCALAR)
			to->dtype = (uint8_t)engine_scalar_dtype(i, (int)n, k->metas, &out->v.m);
		else if (to->slot & MATCH_BIND)
			note_view(&c->slots[to->slot & ~MATCH_BIND].v, &k->values[n]->v);
	}
}

/* What fails by what it is given, or brings memory with it, is the walk's. */
static bool is_alone(const ins *i, const meta *out)
{
	return i->op == OP_upload || ((i->op == OP_floordiv || i->op == OP_mod) &&
		dtype_kind_of((gt_dtype)out->dtype) == KIND_INT);
}

/* Kernels of other kinds may take memory of their own for a while. */
static bool uses_scratch(unsigned code)
{
	const unsigned kind = op_rows[code].kind;

	return kind != KIND_ELEMENT && kind != KIND_CREATE && kind != KIND_VIEW;
}

/* The run has to be the script's, sizes included, or calls of other shapes would be made of it. */
static bool is_scripted(const script *s, uint32_t at, const ins *i, uint64_t base)
{
	return s->parts[s->ops[at]].kind == PART_LOOSE || script_is(s, s->ops[at], i, base);
}

bool calls_note(calls *c, const plan *p, const script *s, uint64_t base, uint32_t at, const ins *i,
	const call *k, const value *out)
{
	call_step *to;

	if (at != c->next || out->why || !is_scripted(s, at, i, base)) {
		give_up(c);
		return false;
	}
	to = &c->steps[c->next++];
	*to = (call_step){ .run = p->steps[at].run, .first = p->pattern.ops[at].first,
		.code = i->op, .nin = i->nin, .alone = is_alone(i, &out->v.m),
		.scratch = uses_scratch(i->op), .cost = p->slots[at].cost, .size = p->slots[at].size,
		.bytes = (uint64_t)meta_count(&out->v.m) * dtype_size((gt_dtype)out->v.m.dtype) };
	to->view = op_rows[i->op].kind == KIND_VIEW && out->s == k->values[0]->s;
	if (to->view)
		to->offset = (const char *)out->v.data - (const char *)k->values[0]->v.data;
	note_view(&c->slots[at].v, &out->v);
	note_inputs(c, p, at, i, k, out);
	return true;
}

/* ---- whose memory may be had ----------------------------------------------------------------- */

/* The frees right behind part `part`: that of the value which word `id` names, or SCRIPT_NEVER. */
static uint32_t freed_next(const script *s, uint32_t part, uint32_t id)
{
	for (uint32_t k = part + 1; s->parts[k].kind == PART_FREE; k++) {
		const uint32_t word = s->parts[k].at + INS_HEAD_WORDS;

		if (s->then[word] == s->then[id] && s->moves[word] == s->moves[id])
			return k;
	}
	return SCRIPT_NEVER;
}

static bool may_take(const view *in, const view *out)
{
	return in->contiguous && in->m.dtype == out->m.dtype && plan_same_meta(&in->m, &out->m);
}

static void find_taken(calls *c, const script *s, uint32_t at)
{
	call_step *to = &c->steps[at];
	const uint32_t part = s->ops[at], ids = s->parts[part].at + INS_HEAD_WORDS;

	if (op_rows[to->code].kind != KIND_ELEMENT || to->code == OP_clone)
		return;
	for (unsigned k = 0; k < MIN(to->nin, 8u); k++) {
		const call_in *in = &c->in[to->first + k];
		uint32_t freed;

		if (in->slot == MATCH_SCALAR || !may_take(&c->slots[in->slot & ~MATCH_BIND].v,
				&c->slots[at].v))
			continue;
		if ((freed = freed_next(s, part, ids + k)) == SCRIPT_NEVER)
			continue;
		to->takes |= (uint8_t)(1u << k);
		to->freed = MAX(to->freed, freed);
	}
}

/* Whether the plan knows of every step that the next run would be the same. */
static bool rests(const calls *c, const plan *p)
{
	for (uint32_t k = 0; k < c->n; k++)
		if (p->steps[k].epoch != p->epoch)
			return false;
	return true;
}

void calls_end(calls *c, const plan *p, const script *s)
{
	if (c->next != c->n) {
		give_up(c);
		return;
	}
	for (uint32_t k = 0; k < c->n; k++)
		find_taken(c, s, k);
	c->epoch = rests(c, p) ? p->epoch : 0;
	c->known = true;
	c->tries = c->misfits = 0;
}

/* ---- inputs ---------------------------------------------------------------------------------- */

/* It was made on the way, or left behind by an earlier leap of the run: nobody else has it. */
static bool is_own(const leap *l, uint32_t slot)
{
	return slot < l->r->calls.n && (leap_makes(l, slot) || l->r->rest.is[slot]);
}

/* An input that was there before the leap; false if it is not any more, or looks otherwise. */
static __attribute__((noinline)) bool load(leap *l, calls *c, uint32_t in, uint64_t id)
{
	const uint32_t slot = in & ~MATCH_BIND;
	match *m = &l->r->match;
	call_slot *s = &c->slots[slot];
	const value *v;

	if (!(in & MATCH_BIND) && m->ids[slot] != id)
		return false;
	if (slot < c->n && l->r->rest.is[slot]) {
		s->leap = c->leap;
		return true;
	}
	v = hot_find(l->t, l->r, slot, id, in & MATCH_BIND);
	if (!v)
		return false;
	if (!same_view(&s->v, &v->v)) {
		c->known = ++c->misfits < MISFITS;
		return false;
	}
	m->ids[slot] = id;
	s->v.data = v->v.data;
	s->s = v->s;
	s->leap = c->leap;
	return true;
}

/* Room for the scalars of a call. */
typedef struct numbers {
	view views[INS_SCALARS_MAX];
	uint64_t words[INS_SCALARS_MAX];
} numbers;

static bool set_inputs(leap *l, calls *c, const call_step *st, const ins *i, kcall *k, numbers *to)
{
	const call_in *in = c->in + st->first;

	for (unsigned n = 0; n < st->nin; n++) {
		call_slot *s;

		if (in[n].slot == MATCH_SCALAR) {
			call_number(&to->views[n], &to->words[n], in[n].kind, ins_in(i)[n],
				(gt_dtype)in[n].dtype);
			k->in[n] = &to->views[n];
			continue;
		}
		s = &c->slots[in[n].slot & ~MATCH_BIND];
		if (UNLIKELY(s->leap != c->leap) && !load(l, c, in[n].slot, ins_in(i)[n]))
			return false;
		k->in[n] = &s->v;
	}
	return true;
}

/* ---- memory ---------------------------------------------------------------------------------- */

void calls_give_back(calls *c)
{
	if (!c->waits)
		return;
	storage_drop_all(c->waiting, c->waits);
	c->waits = 0;
}

/* Of those that wait, one of so many bytes; NULL: there is none. */
static storage *take_waiting(calls *c, uint64_t bytes)
{
	for (unsigned k = c->waits; k--;)
		if (c->waiting[k]->size == bytes) {
			storage *s = c->waiting[k];

			c->waiting[k] = c->waiting[--c->waits];
			return s;
		}
	return NULL;
}

/* The input whose memory the result may have; NULL: none. */
static call_slot *find_dying(const leap *l, calls *c, const call_step *st, uint32_t at)
{
	const uint32_t part = l->s->ops[at], ids = l->s->parts[part].at + INS_HEAD_WORDS;

	for (unsigned left = st->takes; left; left &= left - 1) {
		const unsigned n = (unsigned)__builtin_ctz(left);
		call_slot *s = &c->slots[c->in[st->first + n].slot & ~MATCH_BIND];

		if (UNLIKELY(st->freed >= l->to) && freed_next(l->s, part, ids + n) >= l->to)
			continue;
		if (s->s && !s->s->release && s->v.data == s->s->data &&
				__atomic_load_n(&s->s->refs, __ATOMIC_ACQUIRE) == 1)
			return s;
	}
	return NULL;
}

/* Memory for a result; NULL: there is none. */
static storage *find_room(const leap *l, calls *c, const call_step *st)
{
	storage *s = c->waits ? take_waiting(c, st->bytes) : NULL;

	if (!s || st->scratch)
		calls_give_back(c);
	return s ? s : storage_new(l->t->worker->engine->memory, st->bytes);
}

void calls_release(calls *c, uint32_t at)
{
	storage *s = c->slots[at].s;

	c->slots[at].s = NULL;
	if (!s)
		return;
	if (s->release || __atomic_load_n(&s->refs, __ATOMIC_ACQUIRE) != 1) {
		storage_drop(s);
		return;
	}
	if (c->waits == CALLS_WAITING)
		calls_give_back(c);
	c->waiting[c->waits++] = s;
}

/* ---- the leap -------------------------------------------------------------------------------- */

void calls_show(const calls *c, uint32_t at, value *v)
{
	const call_slot *s = &c->slots[at];

	note_view(&v->v, &s->v);
	v->v.data = s->v.data;
	v->s = s->s;
}

/* The result has the memory of `from`. Who made that on the way has no use for it any more; a value
 * that is filed has, until it is freed. */
static void hand_over(const leap *l, const calls *c, call_slot *from)
{
	if (is_own(l, (uint32_t)(from - c->slots)))
		from->s = NULL;
	else
		store_hold(from->s);
}

/* A view's bytes behind its input: as noted, unless it is a slice that begins anywhere. False: that
 * leaves the input. */
static bool find_offset(const leap *l, const call_step *st, uint32_t at, const ins *i,
	const view *from, int64_t *bytes)
{
	const view *to = &l->r->calls.slots[at].v;
	int64_t strides[GT_RANK_MAX], elements = 0;

	*bytes = st->offset;
	if (LIKELY(!l->s->parts[l->s->ops[at]].slides))
		return true;
	if (!shape_slice_inside(i, &from->m))
		return false;
	shape_view(i, &from->m, from->strides, &to->m, strides, &elements);
	*bytes = elements * (int64_t)dtype_size((gt_dtype)to->m.dtype);
	return true;
}

static bool show_view(const leap *l, calls *c, const call_step *st, uint32_t at, const ins *i)
{
	call_slot *to = &c->slots[at], *from = &c->slots[c->in[st->first].slot & ~MATCH_BIND];
	int64_t bytes;

	if (UNLIKELY(!find_offset(l, st, at, i, &from->v, &bytes)))
		return false;
	store_hold(to->s = from->s);
	to->v.data = (char *)from->v.data + bytes;
	return true;
}

static bool compute(leap *l, calls *c, const call_step *st, uint32_t at, kcall *k)
{
	call_slot *to = &c->slots[at], *from;

	if (st->view)
		return show_view(l, c, st, at, k->i);
	if (UNLIKELY(!st->run))
		return false;
	from = find_dying(l, c, st, at);
	to->s = from ? from->s : find_room(l, c, st);
	if (UNLIKELY(!to->s))
		return false;
	to->v.data = to->s->data;
	k->out = &to->v;
	if (UNLIKELY(st->run(k))) {
		if (!from)
			storage_drop(to->s);
		return false;
	}
	if (from)
		hand_over(l, c, from);
	return true;
}

static bool take(leap *l, calls *c, const script_part *part, const ins *i, kcall *k, numbers *to)
{
	const uint32_t at = part->op;
	const call_step *st = &c->steps[at];
	const plan *p = l->r->plan;

	if (UNLIKELY(st->alone) || UNLIKELY(!set_inputs(l, c, st, i, k, to)))
		return false;
	k->i = i;
	if (UNLIKELY(!compute(l, c, st, at, k)))
		return false;
	if (!l->silent)
		recorder_put(&l->t->hot->recorder, i, p->pattern.ops[at].metas, st->size);
	c->slots[at].leap = c->leap;
	if (part->freed == SCRIPT_NEVER)
		calls_show(c, at, leap_file(l, at, i));
	else if (part->freed >= l->to)
		leap_leave(l, at);
	l->at = at + 1;
	l->products += part->product;
	l->t->worker->spent += st->cost;
	return true;
}

uint32_t calls_leap(leap *l)
{
	calls *c = &l->r->calls;
	numbers scalars;
	uint32_t part = l->from;
	kcall k;

	k.engine = l->t->worker->engine;
	k.after = NULL;
	c->leap++;
	for (; part < l->to; part++) {
		const script_part *p = &l->s->parts[part];
		const ins *i = leap_ins(l, part);

		if (p->kind == PART_OP) {
			if (UNLIKELY(!take(l, c, p, i, &k, &scalars)))
				break;
		} else if (p->kind == PART_FREE) {
			if (leap_frees(l, p, i))
				calls_release(c, p->op);
		} else {
			leap_control(l, p, i);
		}
	}
	calls_give_back(c);
	if (UNLIKELY(c->epoch != l->r->plan->epoch) && l->at && l->at < c->n)
		plan_forget(l->r->plan, l->at);  /* it may know other shapes than these */
	return part;
}
