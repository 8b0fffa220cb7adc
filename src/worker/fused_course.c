/* fused_course.c: a plan's course, made by counting a run that computes nothing; and the end of a
 * run's being on it, which is the same pass over what the run has done.
 */
#include "worker/fused_course.h"

#include "base/mem.h"

/* A run being counted, part by part; `to` is the list that is made of it, NULL: none is. */
typedef struct fused_pass {
	fused_course *to;
	uint32_t *holders;       /* per slot: values that lie in its memory */
	bool frees;              /* there was a free of something that the run has not made */
	bool in_step;            /* what goes now goes behind step f->step, */
	uint32_t before;         /* .. before which there were so many acts */
} fused_pass;

static void put(fused_pass *p, course_what what, uint32_t which)
{
	fused_course *c = p->to;

	if (!c)
		return;
	VEC_ROOM(c->acts, c->count, c->room);
	c->acts[c->count++] = (course_act){ what, which };
}

/* The slot whose memory a slot lies in: one reference serves for all of them. */
static uint32_t root_of(const fused_run *f, uint32_t slot)
{
	return f->p->f->values.at[slot].base;
}

/* The run's reference becomes the tensor's, which was shown by the same step. */
static bool is_given(const fused_run *f, uint32_t slot)
{
	fused_course *c = f->pass->to;

	if (!c || !f->pass->in_step || !f->p->own[slot])
		return false;
	for (uint32_t k = f->pass->before; k < c->count; k++)
		if (c->acts[k].what == COURSE_SHOW && c->acts[k].which == slot) {
			c->acts[k].what = COURSE_GIVE;
			return true;
		}
	return false;
}

void fused_pass_drop(fused_run *f, uint32_t slot)
{
	const uint32_t root = root_of(f, slot);

	if (f->slots[slot].state & SLOT_ARENA || --f->pass->holders[root])
		return;
	if (!is_given(f, root))
		put(f->pass, COURSE_DROP, root);
	if (f->pass->to && f->pass->in_step)
		f->pass->to->last[root] = f->step + 1;
}

void fused_pass_show(fused_run *f, uint32_t slot)
{
	put(f->pass, COURSE_SHOW, slot);
}

/* A tensor that is filed and has memory of its own needs its run no more. */
static void let_tensor_go(fused_run *f, uint32_t slot)
{
	fused_slot *s = &f->slots[slot];

	if (!(s->state & SLOT_SHOWN) || s->state & SLOT_ARENA)
		return;
	s->state = (uint8_t)((s->state & ~SLOT_SHOWN) | SLOT_FREED);
	fused_unneed(f, slot);
}

static void present(fused_run *f, uint32_t slot, uint8_t how)
{
	fused_slot *s = &f->slots[slot];

	f->pass->holders[root_of(f, slot)] += !how;
	fused_present(f, slot, s->data, s->from, how);
	let_tensor_go(f, slot);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void pass_results(fused_run *f, const fused_step *st)
{
	for (uint32_t k = 0; k < st->out_count; k++) {
		const uint8_t how = f->p->own[st->out[k]] ? 0 : SLOT_ARENA;

		if (how && f->pass->to && fused_is_late(f, st->s->launch))
			f->pass->to->serves = false;
		present(f, st->out[k], how);
	}
}

static void pass_step(fused_run *f, const fused_step *st)
{
	if (st->s->kind == STEP_VIEW || st->s->kind == STEP_ALIAS)
		present(f, *st->out, f->slots[*st->in].state & SLOT_ARENA);
	else if (st->s->kind != STEP_CALL || f->p->f->values.at[*st->out].row->op != OP_upload)
		pass_results(f, st);
	for (uint32_t k = 0; k < st->in_count; k++)
		fused_unneed(f, st->in[k]);
}

static void pass_steps(fused_run *f, uint32_t end)
{
	uint32_t together = 0;

	for (; f->step < end; f->step++) {
		const fused_step *st = &f->p->steps[f->step];

		if (together) {
			together--;
		} else {
			put(f->pass, COURSE_LAUNCH, f->step);
			together = st->s->together;
		}
		f->pass->before = f->pass->to ? f->pass->to->count : 0;
		f->pass->in_step = true;
		pass_step(f, st);
		f->pass->in_step = false;
	}
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The words of the script that matter are those of every run on the course: what is to be seen by
 * them need not be looked at again. Loose parts are in no leap. */
static void check_sizes(fused_run *f, const script_part *part)
{
	const ins *i = (const ins *)(f->course->s->then + part->at);

	if (!f->pass->to || part->kind == PART_LOOSE)
		return;
	if (fusion_asks_numbers(i) || part->slides)
		put(f->pass, COURSE_FITS, part->op);
	else if (!fusion_fits(f->p->f, part->op, i))
		f->pass->to->serves = false;
}

static void pass_inputs(fused_run *f, uint32_t at)
{
	const hot_run *r = CONTAINER(f->rest, hot_run, rest);
	const pattern *q = &r->plan->pattern;
	const uint32_t *in = pattern_inputs(q, &q->ops[at]);
	bool binds = false, others = false;

	for (unsigned k = 0; k < q->ops[at].nin; k++)
		if (in[k] != MATCH_SCALAR && (in[k] & ~MATCH_BIND) >= q->n) {
			binds |= (in[k] & MATCH_BIND) != 0;
			others |= !(in[k] & MATCH_BIND);
		}
	if (binds)
		put(f->pass, COURSE_INPUTS, at);
	else if (others && f->pass->frees)
		put(f->pass, COURSE_LOOK, at);
	for (unsigned k = 0; k < q->ops[at].nin && binds; k++)
		if (in[k] != MATCH_SCALAR && in[k] & MATCH_BIND)
			present(f, in[k] & ~MATCH_BIND, 0);
}

static void pass_op(fused_run *f, const script_part *part, uint32_t end)
{
	const uint32_t at = part->op, check = f->p->ops[at].check;
	const bool uploads = f->p->f->seen[at]->op == OP_upload;

	check_sizes(f, part);
	pass_inputs(f, at);
	if (uploads)
		put(f->pass, COURSE_UPLOAD, at);
	else if (f->p->ops[at].eager && f->pass->to)
		f->pass->to->serves = false;
	if (part->freed == SCRIPT_NEVER) {
		put(f->pass, COURSE_FILE, at);
		f->slots[at].state |= SLOT_SHOWN;
	}
	f->at = at + 1;
	if (uploads)
		present(f, at, 0);
	if (check) {
		assert(f->slots[f->p->f->checks.at[check - 1].value].state & SLOT_PRESENT);
		put(f->pass, COURSE_CHECK, at);
	}
	pass_steps(f, end);
}

static bool is_op(const script *s, uint32_t k)
{
	const uint32_t at = s->parts[k].op;

	return at != SCRIPT_NEVER && s->ops[at] == k;
}

static void pass_part(fused_run *f, uint32_t k)
{
	const script_part *part = &f->course->s->parts[k];

	if (is_op(f->course->s, k)) {
		pass_op(f, part, f->p->ops[part->op + 1].steps);
	} else if (part->op != SCRIPT_NEVER) {
		f->slots[part->op].state |= SLOT_FREED;
		fused_unneed(f, part->op);
	} else {
		f->pass->frees |= part->kind == PART_FREE;
		put(f->pass, COURSE_CONTROL, k);
	}
}

/* ---- making ---------------------------------------------------------------------------------- */

/* Part k has been counted. */
static void add_up(const fused_run *f, fused_course *c, uint32_t k)
{
	const script_part *part = &c->s->parts[k];
	course_part *next = &c->parts[k + 1];

	*next = c->parts[k];
	next->acts = c->count;
	if (is_op(c->s, k)) {
		next->left += part->freed != SCRIPT_NEVER;
		next->products += part->product;
		next->spent += f->p->ops[part->op].cost;
	} else {
		next->left -= part->op != SCRIPT_NEVER;
	}
	if (c->done == SCRIPT_NEVER && !f->alive && f->at == c->s->n)
		c->done = k + 1;
}

/* By counting `f`, which has just begun and begins anew afterwards. */
static fused_course *make(fused_run *f, const script *s)
{
	fused_course *c = mem_zero(sizeof *c);
	fused_pass pass = { .to = c,
		.holders = mem_zero((f->p->slots + 1) * sizeof *pass.holders) };

	*c = (fused_course){ .s = s, .number = s->learnt, .serves = true, .done = SCRIPT_NEVER,
		.parts = mem_zero((s->count + 1) * sizeof *c->parts),
		.last = mem_zero((f->p->slots + 1) * sizeof *c->last) };
	f->course = c;
	f->pass = &pass;
	for (uint32_t k = 0; k < s->count; k++) {
		pass_part(f, k);
		add_up(f, c, k);
	}
	mem_free(pass.holders);
	f->pass = NULL;
	f->course = NULL;
	fused_run_reset(f);
	return c;
}

void fused_course_free(fused_course *c)
{
	if (!c)
		return;
	for (unsigned k = 0; k < COUNT(c->ends); k++)
		mem_free(c->ends[k].slots);
	mem_free(c->parts);
	mem_free(c->acts);
	mem_free(c->last);
	mem_free(c);
}

/* Every kernel has proved itself. */
static bool is_trusted(const fused_plan *p)
{
	for (uint32_t k = 0; k < p->f->steps.count; k++)
		if (p->steps[k].code && atomic_load_explicit(&p->steps[k].code->proved,
				memory_order_relaxed) < CODE_TRUSTED)
			return false;
	return p->completed;
}

/* A course is for one script, and made once the plan has shown what it can. */
static fused_course *find_course(hot_run *r, fused_run *f)
{
	fused_plan *p = f->p;

	if (p->course && p->course->number == r->script.learnt)
		return p->course;
	if (!is_trusted(p))
		return NULL;
	fused_course_free(p->course);
	return p->course = make(f, &r->script);
}

/* The words of the run are kept as they lie in the stream. */
static void take_words(fused_run *f, const fused_course *c)
{
	const script *s = c->s;

	if (f->scripted == c->number)
		return;
	mem_free(f->script);
	f->script = mem_alloc((s->words + 1) * sizeof *f->script);
	f->scripted = c->number;
	for (uint32_t k = 0; k < s->n; k++)
		f->run[k] = (const ins *)(f->script + s->parts[s->ops[k]].at);
}

void fused_course_begin(hot_run *r, fused_run *f)
{
	fused_course *c;

	f->rest = &r->rest;
	c = find_course(r, f);
	if (!c || !c->serves)
		return;
	take_words(f, c);
	f->course = c;
	f->part = f->asked_count = 0;
}

/* ---- tensors that are asked for -------------------------------------------------------------- */

bool fused_course_has(const fused_run *f, uint32_t at)
{
	const fuse_value *o = &f->p->f->values.at[at];

	if (!fused_course_leaves(f->course, at, f->part) || f->asked_count == FUSED_ASKED_MAX ||
			o->step == FUSE_NONE || f->p->f->steps.at[o->step].launch >= f->at)
		return false;
	for (uint32_t k = 0; k < f->asked_count; k++)
		if (f->asked[k] == at)
			return false;
	return o->where != FUSE_FUSED && o->where != FUSE_DEAD;
}

void fused_course_publish(fused_run *f, uint32_t slot)
{
	value *v = f->shown[slot];
	const uint32_t root = root_of(f, slot);

	fused_view_planned(f->p, slot, &v->v);
	v->v.data = f->slots[slot].data;
	if (f->p->own[root]) {
		store_hold(v->s = f->slots[root].s);
	} else {
		storage_hold(v->s = f->arena->s);
		f->arena->known++;
	}
}

void fused_course_show(fused_run *f, uint32_t at, value *v)
{
	f->asked[f->asked_count++] = at;
	f->shown[at] = v;
	v->run = f;
	v->slot = at;
	fused_course_publish(f, at);
}

void fused_course_hide(fused_run *f, uint32_t at)
{
	value *v = f->shown[at];

	for (uint32_t k = 0; k < f->asked_count; k++)
		if (f->asked[k] == at)
			f->asked[k] = f->asked[--f->asked_count];
	f->arena->known -= v->s == f->arena->s;
	v->run = NULL;
}

/* ---- leaving --------------------------------------------------------------------------------- */

/* Each value in memory holds it, instead of one for all of them. */
static void share_out(fused_run *f)
{
	memset(f->stack, 0, f->p->slots * sizeof *f->stack);
	for (uint32_t v = 0; v < f->p->slots; v++) {
		const uint32_t root = root_of(f, v);

		if ((f->slots[v].state & (SLOT_PRESENT | SLOT_ARENA)) != SLOT_PRESENT)
			continue;
		f->slots[v].s = f->slots[root].s;
		if (f->stack[root]++)
			storage_hold(f->slots[v].s);
	}
}

static void count_up(fused_run *f, uint32_t at, uint32_t step)
{
	const uint32_t end = f->part - (at != SCRIPT_NEVER);
	fused_pass pass = { .holders = mem_zero((f->p->slots + 1) * sizeof *pass.holders) };

	f->pass = &pass;
	for (uint32_t k = 0; k < end; k++)
		pass_part(f, k);
	if (at != SCRIPT_NEVER)
		pass_op(f, &f->course->s->parts[end], step);
	mem_free(pass.holders);
	f->pass = NULL;
}

/* Most runs that leave their course do so when they are complete, at the same part each time: some of
 * what they made is freed in the next run. */
static void note_end(const fused_run *f)
{
	fused_course *c = f->course;
	course_end *to = &c->ends[c->ended++ % COUNT(c->ends)];

	if (!to->slots)
		to->slots = mem_alloc((f->p->slots + 1) * sizeof *to->slots);
	to->part = f->part;
	to->alive = f->alive;
	memcpy(to->slots, f->slots, f->p->slots * sizeof *to->slots);
}

/* The same where it was counted once. */
static bool take_end(fused_run *f)
{
	const course_end *from = f->course->ends, *end = from + COUNT(f->course->ends);

	while (from < end && (!from->slots || from->part != f->part))
		from++;
	if (from == end)
		return false;
	for (uint32_t v = 0; v < f->p->slots; v++) {
		f->slots[v].need = from->slots[v].need;
		f->slots[v].state = from->slots[v].state;
	}
	f->alive = from->alive;
	f->at = f->p->n;
	f->step = f->p->f->steps.count;
	return true;
}

void fused_course_leave_at(fused_run *f, uint32_t at, uint32_t step)
{
	const fused_course *c = f->course;
	const bool held = f->held;

	counter_add(&f->tenant->hot->counts.left, 1);
	f->held = true;
	if (at != SCRIPT_NEVER || !take_end(f)) {
		count_up(f, at, step);
		if (at == SCRIPT_NEVER && f->at == f->p->n)
			note_end(f);
	}
	f->held = held;
	share_out(f);
	for (uint32_t k = 0; k < c->s->n; k++)
		f->rest->is[k] = fused_course_leaves(c, k, f->part);
	for (uint32_t k = 0; k < f->asked_count; k++) {
		f->rest->is[f->asked[k]] = false;
		f->slots[f->asked[k]].state |= SLOT_SHOWN;
	}
	f->course = NULL;
	fused_look(f);
}

bool fused_course_ends(fused_run *f)
{
	const fused_course *c = f->course;

	if (f->at < f->p->n || c->done == SCRIPT_NEVER) {
		fused_leave_course(f);
		return false;
	}
	f->over = true;
	if (f->part >= c->done) {
		f->alive = 0;
		fused_look(f);
	}
	return true;
}
