/* fused_run.c: what a run holds, and until when. */
#include "worker/fused_course.h"

#define LODGES 4u                /* times as large as a value: the arena is too much to be kept for it */

/* ---- needs ----------------------------------------------------------------------------------- */

static void drop(fused_run *f, fused_slot *s)
{
	if (UNLIKELY(f->pass != NULL))
		fused_pass_drop(f, (uint32_t)(s - f->slots));
	else if (s->state & SLOT_LATE)
		store_return(&f->tenant->store, s->late);
	else if (!(s->state & SLOT_ARENA) && s->s)
		storage_drop(s->s);
	s->state &= (uint8_t)~(SLOT_PRESENT | SLOT_LATE | SLOT_ARENA);
}

/* The op is in memory, or nobody wants it: what it would be made from is needed less. What goes by
 * that is listed on the run's stack. */
static uint32_t let_go(fused_run *f, uint32_t slot, uint32_t depth)
{
	const fused_plan *p = f->p;
	fused_slot *s = &f->slots[slot];
	const uint32_t *inputs;
	unsigned nin;

	if (slot >= p->n || (s->state & SLOT_LET_GO))
		return depth;
	s->state |= SLOT_LET_GO;
	inputs = p->inputs + p->ops[slot].first;
	nin = p->ops[slot].nin;
	for (unsigned k = 0; k < nin; k++) {
		const uint32_t in = inputs[k];

		if (in != FUSE_NONE && !--f->slots[in].need)
			f->stack[depth++] = in;
	}
	return depth;
}

static void go(fused_run *f, uint32_t depth)
{
	while (depth) {
		const uint32_t slot = f->stack[--depth];
		fused_slot *s = &f->slots[slot];

		f->alive--;
		s->state |= SLOT_GONE;
		if (s->state & SLOT_PRESENT)
			drop(f, s);
		depth = let_go(f, slot, depth);
	}
}

void fused_unneed(fused_run *f, uint32_t slot)
{
	if (--f->slots[slot].need)
		return;
	f->stack[0] = slot;
	go(f, 1);
}

void fused_present(fused_run *f, uint32_t slot, void *data, void *from, uint8_t how)
{
	fused_slot *s = &f->slots[slot];

	if (s->state & SLOT_PRESENT)
		drop(f, s);
	s->data = data;
	s->from = from;
	s->state |= SLOT_PRESENT | how;
	if (s->state & SLOT_SHOWN)
		fused_publish(f, slot);
	if (s->state & SLOT_GONE)
		drop(f, s);
	go(f, let_go(f, slot, 0));
}

/* ---- tensors --------------------------------------------------------------------------------- */

void fused_view_planned(const fused_plan *p, uint32_t slot, view *out)
{
	const fuse_value *o = &p->f->values.at[slot];

	meta_copy(&out->m, &o->m);
	for (int k = 0; k < o->m.rank; k++)
		out->strides[k] = o->strides[k];
	out->contiguous = p->contiguous[slot];
	out->data = NULL;
}

void fused_view(const fused_run *f, uint32_t slot, view *out)
{
	const fused_slot *s = &f->slots[slot];

	if (s->state & SLOT_LATE) {
		*out = s->late->v;
		return;
	}
	fused_view_planned(f->p, slot, out);
	out->data = s->data;
}

void fused_publish(fused_run *f, uint32_t slot)
{
	const fused_slot *s = &f->slots[slot];
	value *v = f->shown[slot];

	if (UNLIKELY(f->pass != NULL)) {
		fused_pass_show(f, slot);
		return;
	}
	if (v->s || v->why)              /* computed late before it was launched */
		return;
	fused_view(f, slot, &v->v);
	if (s->state & SLOT_LATE && s->late->why) {
		failure_hold(v->why = s->late->why);
		return;
	}
	v->s = fused_storage(f, slot);
	storage_hold(v->s);
	f->arena->known += v->s == f->arena->s;
}

static void forget(fused_run *f, uint32_t slot)
{
	value *v = f->shown[slot];

	v->run = NULL;
	f->arena->known -= v->s && v->s == f->arena->s;
	f->slots[slot].state = (uint8_t)((f->slots[slot].state & ~SLOT_SHOWN) | SLOT_FREED);
}

value *fused_resolve(value *v)
{
	fused_leave_course(v->run);
	fused_late(v->run, v->slot);
	return v;
}

/* Somebody asks for what is nowhere. In two of four runs: have it in memory. */
static void note_demand(fused_plan *p, uint32_t slot)
{
	const uint64_t run = p->completed + 1, before = p->read[slot];

	if (before && before < run && before + 3 >= run) {
		p->r->ops[slot].read = true;
		p->read_often = slot + 1;
	}
	p->read[slot] = run;
}

value *fused_read(value *v)
{
	note_demand(v->run->p, v->slot);
	return fused_resolve(v);
}

static void recycle(fused_run *f);

/* Everything is gone that anybody could ask for. */
void fused_look(fused_run *f)
{
	if (f->over && !f->alive && !f->held)
		recycle(f);
}

void fused_free_slot(fused_run *f, uint32_t slot)
{
	f->slots[slot].state |= SLOT_FREED;
	fused_unneed(f, slot);
	fused_look(f);
}

void fused_free(value *v)
{
	fused_run *f = v->run;
	const uint32_t slot = v->slot;

	fused_leave_course(f);
	forget(f, slot);
	fused_unneed(f, slot);
	fused_look(f);
}

/* ---- arenas ---------------------------------------------------------------------------------- */

static bool is_private(const fused_arena *a)
{
	return a->known == __atomic_load_n(&a->s->refs, __ATOMIC_ACQUIRE);
}

/* Is something not freed yet that was freed by then when the plan was made? */
bool fused_is_late(fused_run *f, uint64_t time)
{
	const fused_plan *p = f->p;

	while (f->due < p->due_count && (f->slots[p->due[f->due]].state & SLOT_FREED))
		f->due++;
	return f->due < p->due_count && p->due_at[f->due] < time;
}

bool fused_arena_serves(fused_run *f, uint32_t at)
{
	return !fused_is_late(f, at) && fused_arena_is_free(f, at);
}

bool fused_arena_is_free(fused_run *f, uint32_t at)
{
	const fused_arena *a = f->arena;

	return is_private(a) &&
		!(a->before && fused_is_late(a->before, (uint64_t)at + f->p->n));
}

static void drop_arena(fused_arena *a)
{
	if (a->s)
		storage_drop(a->s);
	*a = (fused_arena){ 0 };
}

/* One that only the run before this one uses, another one that nobody does, or a new one. What a
 * broken run has in its arena may be needed for what it did not get to. */
static fused_arena *find_arena(fused_plan *p, fused_run *before)
{
	const fused_arena *shared = before && !before->broken ? before->arena : NULL;
	fused_arena *idle = NULL;

	for (int k = 0; k < FUSED_ARENAS; k++) {
		fused_arena *a = &p->arenas[k];

		if (a->s && is_private(a) && a->runs <= (uint32_t)(a == shared))
			return a;
		if (!a->runs)
			idle = a;
	}
	return idle;
}

static bool take_arena(fused_run *f, fused_run *before)
{
	fused_plan *p = f->p;
	fused_arena *a = find_arena(p, before);

	if (!a)
		return false;
	if (a->s && !is_private(a))      /* it belongs to those who look into it */
		drop_arena(a);
	if (!a->s) {
		a->s = storage_new(f->tenant->worker->engine->memory, p->f->arena_size);
		a->known = 1;
	}
	if (!a->s)
		return false;
	a->before = a->runs ? before : NULL;
	a->now = f;
	a->runs++;
	f->arena = a;
	return true;
}

static void leave_arena(fused_run *f)
{
	fused_arena *a = f->arena;

	a->runs--;
	if (a->now == f)
		a->now = NULL;
	if (a->before == f)
		a->before = NULL;
}

/* ---- lodgers --------------------------------------------------------------------------------- */

/* The value is a small part of the arena. */
static bool lodges(const value *v)
{
	const fused_run *f = v->run;

	return v->s && v->s == f->arena->s && v->s->size >= LODGES * f->p->bytes[v->slot];
}

void fused_move_out(value *v)
{
	fused_run *f = v->run;
	const uint64_t bytes = f->p->bytes[v->slot];
	storage *own;

	if (!lodges(v) || !v->v.contiguous)
		return;
	own = storage_new(f->tenant->worker->engine->memory, MAX(bytes, 1));
	if (!own)
		return;
	memcpy(own->data, v->v.data, bytes);
	f->arena->known--;
	storage_drop(v->s);
	v->s = own;
	v->v.data = own->data;
}

/* ---- beginning and end ----------------------------------------------------------------------- */

static fused_run *new_run(tenant *t, fused_plan *p)
{
	fused_run *f = mem_zero(sizeof *f);

	f->p = p;
	f->tenant = t;
	f->slots = mem_alloc((p->slots + 1) * sizeof *f->slots);
	f->shown = mem_alloc((p->n + 1) * sizeof *f->shown);
	f->words = mem_alloc((p->words + 1) * sizeof *f->words);
	f->run = mem_alloc((p->n + 1) * sizeof *f->run);
	f->stack = mem_alloc((p->slots + 1) * sizeof *f->stack);
	for (uint32_t k = 0; k < p->n; k++)
		f->run[k] = (const ins *)(f->words + p->ops[k].words);
	return f;
}

static void free_run(fused_run *f)
{
	mem_free(f->slots);
	mem_free(f->shown);
	mem_free(f->words);
	mem_free(f->run);
	mem_free(f->stack);
	mem_free(f->script);
	mem_free(f);
}

static void recycle(fused_run *f)
{
	fused_plan *p = f->p;
	fused_run **at = &p->runs;

	f->course = NULL;
	if (f->rest && f->rest->f == f)
		f->rest->f = NULL;
	f->rest = NULL;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	leave_arena(f);
	f->next = p->idle;
	p->idle = f;
}

/* Tensors that are in memory can do without their run. */
static void detach(fused_run *f, uint32_t slot)
{
	fused_move_out(f->shown[slot]);
	forget(f, slot);
	fused_unneed(f, slot);
}

/* Nothing is left of the run afterwards, unless tensors are pending. */
static bool dissolve(fused_run *f)
{
	assert(!f->course);
	for (uint32_t k = 0; k < f->at; k++)
		if ((f->slots[k].state & (SLOT_SHOWN | SLOT_PRESENT)) == SLOT_SHOWN)
			return false;
	f->held = true;
	for (uint32_t k = 0; k < f->at; k++)
		if (f->slots[k].state & SLOT_SHOWN)
			detach(f, k);
	f->held = false;
	assert(!f->alive);
	recycle(f);
	return true;
}

static void settle(fused_run *f)
{
	f->held = true;
	fused_leave_course(f);
	for (uint32_t k = 0; k < f->at; k++)
		if ((f->slots[k].state & (SLOT_SHOWN | SLOT_PRESENT)) == SLOT_SHOWN) {
			note_demand(f->p, k);
			fused_late(f, k);
		}
	f->held = false;
	dissolve(f);
}

/* Of the runs that are over only the latest stays as it is: most of what it made is freed soon. The
 * others stay while they have to, but not many. */
static void clear_stale(fused_plan *p)
{
	fused_run *f = p->runs ? p->runs->next : NULL, *next;
	unsigned stale = 0;

	for (; f; f = next) {
		next = f->next;
		if (!dissolve(f) && ++stale > FUSED_STALE_MAX)
			settle(f);
	}
}

void fused_run_reset(fused_run *f)
{
	memcpy(f->slots, f->p->fresh, f->p->slots * sizeof *f->slots);
	f->at = f->step = f->due = 0;
	f->alive = f->p->alive;
}

fused_run *fused_run_begin(tenant *t, fused_plan *p)
{
	fused_run *f, *before;

	leap_file_all(t);
	if (p->runs)             /* all that is left of it may be filed already */
		fused_leave_course(p->runs);
	clear_stale(p);
	before = p->runs;
	f = p->idle ? p->idle : new_run(t, p);
	if (p->idle == f)
		p->idle = f->next;
	if (!take_arena(f, before)) {
		f->next = p->idle;
		p->idle = f;
		return NULL;
	}
	fused_run_reset(f);
	f->over = f->broken = f->held = false;
	f->next = before;
	p->runs = f;
	return f;
}

void fused_run_end(fused_run *f)
{
	const fused_plan *p = f->p;

	if (f->course && fused_course_ends(f))
		return;
	f->over = f->held = true;
	f->broken = f->step < p->f->steps.count;
	for (; f->step < p->f->steps.count; f->step++)
		for (uint32_t k = 0; k < p->steps[f->step].in_count; k++)
			fused_unneed(f, p->steps[f->step].in[k]);
	for (uint32_t k = f->at; k < p->n; k++) {
		f->slots[k].state |= SLOT_FREED;
		fused_unneed(f, k);
	}
	f->held = false;
	fused_look(f);
}

void fused_plan_settle(fused_plan *p)
{
	if (p->runs)
		leap_file_all(p->runs->tenant);
	while (p->runs)
		settle(p->runs);
}

void fused_plan_free(fused_plan *p)
{
	fused_run *f, *next;

	if (!p)
		return;
	for (f = p->idle; f; f = next) {
		next = f->next;
		free_run(f);
	}
	fused_course_free(p->course);
	for (int k = 0; k < FUSED_ARENAS; k++)
		drop_arena(&p->arenas[k]);
	fused_spare_drop(p);
	region_free(p->r);
	fusion_free(p->f);
	arena_fini(&p->memory);
	mem_free(p);
}
