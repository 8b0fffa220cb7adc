/* fused_leap.c: a leap of a fused run: its ops arrive without the walk. Results that are freed
 * before the leap is over are known to the run alone: they have no value and no id.
 *
 * A run on its course (fused_course.h) does what is listed there; another one counts.
 */
#include "worker/fused_step.h"

typedef struct walker {
	leap *l;
	fused_run *f;
	bool failed;             /* the op was taken, but nothing more can be launched */
} walker;

void fused_show(fused_run *f, uint32_t at, value *v)
{
	meta_copy(&v->v.m, &f->p->f->values.at[at].m);
	v->run = f;
	v->slot = at;
	f->shown[at] = v;
	f->slots[at].state |= SLOT_SHOWN;
	if (f->slots[at].state & SLOT_PRESENT)
		fused_publish(f, at);
}

/* An input that was there before the leap; false if it is not any more, or is not what the plan was
 * made for. */
static bool look(const walker *w, uint32_t in, uint64_t id)
{
	const uint32_t slot = in & ~MATCH_BIND, n = w->f->p->n;
	hot_run *r = w->l->r;
	value *v;

	if (slot < n)
		return r->match.ids[slot] == id &&
			(r->rest.is[slot] || w->f->slots[slot].state & SLOT_SHOWN);
	if (!(in & MATCH_BIND) && r->match.ids[slot] != id)
		return false;
	v = hot_find(w->l->t, r, slot, id, in & MATCH_BIND);
	if (UNLIKELY(!v))
		return false;
	if (!(in & MATCH_BIND))
		return true;
	r->match.ids[slot] = id;
	return fused_fits_view(w->f->p, slot, &v->v);
}

static bool look_at_inputs(const walker *w, const pattern_op *o, const uint32_t *in, const ins *i)
{
	for (unsigned k = 0; k < o->nin; k++) {
		if (in[k] == MATCH_SCALAR || (in[k] < w->f->p->n && leap_makes(w->l, in[k])))
			continue;
		if (UNLIKELY(!look(w, in[k], ins_in(i)[k])))
			return false;
	}
	return true;
}

static void put_record(const walker *w, uint32_t at, const ins *i)
{
	recorder_put(&w->l->t->hot->recorder, i, w->l->r->plan->pattern.ops[at].metas,
		record_size(&w->f->p->f->values.at[at].m));
}

static bool take(walker *w, const script_part *part, const ins *i)
{
	leap *l = w->l;
	fused_run *f = w->f;
	const pattern *q = &l->r->plan->pattern;
	const uint32_t at = part->op, *in = pattern_inputs(q, &q->ops[at]);
	const fused_op *o = &f->p->ops[at];

	if ((o->checks && !fusion_fits(f->p->f, at, i)) ||
			!look_at_inputs(w, &q->ops[at], in, i))
		return false;
	if (!l->silent)
		put_record(w, at, i);
	fused_bind(l->r, f, i);
	fused_copy(f, at, i);
	if (part->freed == SCRIPT_NEVER)
		fused_show(f, at, leap_file(l, at, i));
	else if (part->freed >= l->to)
		leap_leave(l, at);
	f->at = l->at = at + 1;
	l->products += part->product;
	l->t->worker->spent += o->cost;
	w->failed = !fused_arrive(f, at);
	if (UNLIKELY(i->op == OP_upload))
		exec_end_upload(l->t, i);
	return true;
}

/* The run is over: nothing more can be launched. */
static void break_off(const leap *l, fused_run *f)
{
	fused_run_end(f);
	l->r->fused.now = NULL;
	plan_forget(l->r->plan, l->at);
}

static uint32_t count_along(leap *l, fused_run *f)
{
	walker w = { .l = l, .f = f };
	uint32_t k = l->from;

	for (; k < l->to && !w.failed; k++) {
		const script_part *part = &l->s->parts[k];
		const ins *i = leap_ins(l, k);

		if (part->kind == PART_OP) {
			if (UNLIKELY(!take(&w, part, i)))
				break;
		} else if (part->kind == PART_FREE) {
			if (leap_frees(l, part, i))
				fused_free_slot(w.f, part->op);
		} else {
			leap_control(l, part, i);
		}
	}
	if (UNLIKELY(w.failed))
		break_off(l, f);
	return k;
}

/* ---- on a course ----------------------------------------------------------------------------- */

static bool find_live_ins(const walker *w, const script_part *part)
{
	const pattern *q = &w->l->r->plan->pattern;
	const pattern_op *o = &q->ops[part->op];
	const uint32_t *in = pattern_inputs(q, o);
	const ins *i = leap_ins(w->l, w->l->s->ops[part->op]);

	for (unsigned k = 0; k < o->nin; k++)
		if (in[k] != MATCH_SCALAR && (in[k] & ~MATCH_BIND) >= q->n &&
				UNLIKELY(ins_in(i)[k] >= w->l->r->rest.base ||
				!look(w, in[k], ins_in(i)[k])))
			return false;
	return true;
}

static void bind_live_ins(const walker *w, uint32_t at)
{
	const hot_run *r = w->l->r;
	const pattern *q = &r->plan->pattern;
	const uint32_t *in = pattern_inputs(q, &q->ops[at]);

	for (unsigned k = 0; k < q->ops[at].nin; k++) {
		const uint32_t slot = in[k] & ~MATCH_BIND;

		if (in[k] == MATCH_SCALAR || !(in[k] & MATCH_BIND))
			continue;
		w->f->slots[slot].data = r->values[slot]->v.data;
		store_hold(w->f->slots[slot].s = r->values[slot]->s);
	}
}

static bool take_upload(const walker *w, uint32_t at)
{
	tenant *t = w->l->t;
	const ins *i = leap_ins(w->l, w->l->s->ops[at]);
	value room = { .s = NULL };

	meta_copy(&room.v.m, &w->f->p->f->values.at[at].m);
	exec_finish(t, i, NULL, NULL, &room);
	if (UNLIKELY(room.why != NULL)) {
		failure_drop(room.why);
		counter_add(&t->worker->faults, (uint64_t)-1);   /* it will fail again, for good */
		return false;
	}
	w->f->slots[at].data = room.v.data;
	w->f->slots[at].s = room.s;
	exec_end_upload(t, i);
	return true;
}

static void file(const walker *w, uint32_t at)
{
	value *v = leap_file(w->l, at, leap_ins(w->l, w->l->s->ops[at]));

	meta_copy(&v->v.m, &w->f->p->f->values.at[at].m);
	v->run = w->f;
	v->slot = at;
	w->f->shown[at] = v;
}

/* What is not in the arena belongs to the value alone from now on. */
static void show(const walker *w, uint32_t slot)
{
	fused_run *f = w->f;

	fused_course_publish(f, slot);
	if (f->p->own[f->p->f->values.at[slot].base])
		f->shown[slot]->run = NULL;
}

/* The same; the run has no use for that memory any more, nor has anybody else. */
static void give(const walker *w, uint32_t slot)
{
	fused_run *f = w->f;
	value *v = f->shown[slot];

	fused_view_planned(f->p, slot, &v->v);
	v->v.data = f->slots[slot].data;
	v->s = f->slots[slot].s;
	v->run = NULL;
}

/* Where a live-in's value has the only other reference, nobody else can change the count. */
static void drop(const walker *w, uint32_t slot)
{
	const hot_run *r = w->l->r;
	storage *s = w->f->slots[slot].s;
	const value *v = slot < w->f->p->n || slot >= r->plan->pattern.slots ? NULL :
		r->values[slot];

	if (v && v->id == r->match.ids[slot] && v->s == s &&
			__atomic_load_n(&s->refs, __ATOMIC_ACQUIRE) == 2)
		__atomic_store_n(&s->refs, 1, __ATOMIC_RELAXED);
	else if (!fused_spare_keep(w->f->p, s))
		storage_drop(s);
}

/* Of a value that has an id. False: it had none. */
static bool free_value(const leap *l, fused_plan *p, uint64_t id)
{
	store *s = &l->t->store;
	value *v = idmap_take(&s->ids, id);

	if (!v)
		return store_drop(s, id);
	if (v->s && !v->run && fused_spare_keep(p, v->s))
		v->s = NULL;
	store_return(s, v);
	return true;
}

/* False: what is freed may be the run's own. */
static bool control(const walker *w, uint32_t part)
{
	const script_part *p = &w->l->s->parts[part];
	const ins *i = leap_ins(w->l, part);

	if (p->kind == PART_FREE && UNLIKELY(ins_in(i)[0] >= w->l->r->rest.base))
		return false;
	if (p->kind == PART_FREE)
		w->l->values -= free_value(w->l, w->f->p, ins_in(i)[0]);
	else
		leap_control(w->l, p, i);
	return true;
}

static bool act(walker *w, const course_act *a)
{
	const script *s = w->l->s;

	switch (a->what) {
	case COURSE_FITS:
		return fusion_fits(w->f->p->f, a->which, leap_ins(w->l, s->ops[a->which]));
	case COURSE_INPUTS:
		if (!find_live_ins(w, &s->parts[s->ops[a->which]]))
			return false;
		bind_live_ins(w, a->which);
		return true;
	case COURSE_LOOK:
		return find_live_ins(w, &s->parts[s->ops[a->which]]);
	case COURSE_FILE:
		file(w, a->which);
		return true;
	case COURSE_UPLOAD:
		return take_upload(w, a->which);
	case COURSE_CHECK:
		return fused_points_inside(w->f, a->which);
	case COURSE_LAUNCH:
		return fused_follow(w->f, &w->f->p->steps[a->which]);
	case COURSE_SHOW:
		show(w, a->which);
		return true;
	case COURSE_GIVE:
		give(w, a->which);
		return true;
	case COURSE_DROP:
		drop(w, a->which);
		return true;
	default:
		return control(w, a->which);
	}
}

/* The act's op has arrived: it is one of those that compute. */
static bool computes(const course_act *a)
{
	return a->what == COURSE_LAUNCH || a->what == COURSE_CHECK;
}

static uint32_t op_of(const walker *w, const course_act *a)
{
	return a->what == COURSE_LAUNCH ? w->f->p->steps[a->which].s->launch : a->which;
}

/* The first part that is not done if the act was not possible. */
static uint32_t part_of(const walker *w, const course_act *a)
{
	return a->what == COURSE_CONTROL ? a->which : w->l->s->ops[op_of(w, a)] + computes(a);
}

/* Tensors that were asked for are filed: the others need not be freed by name. */
static void hide_freed(const leap *l, fused_run *f, uint32_t end)
{
	const script *s = l->s;

	for (uint32_t k = f->asked_count; k--;) {
		const uint32_t at = f->asked[k], part = s->parts[s->ops[at]].freed;

		if (part >= end)
			continue;
		fused_course_hide(f, at);
		free_value(l, f->p, l->r->rest.base + s->results[at]);
	}
}

/* What is not done act by act, of the parts up to `end`. */
static void add_up(leap *l, fused_run *f, uint32_t end)
{
	const course_part *from = &f->course->parts[l->from], *to = &f->course->parts[end];
	const script *s = l->s;

	l->values += (uint64_t)to->left - from->left;
	l->products += to->products - from->products;
	l->t->worker->spent += to->spent - from->spent;
	hide_freed(l, f, end);
	l->r->rest.head.count = to->left - f->asked_count;
	l->listed = true;
	for (; l->at < s->n && s->ops[l->at] < end; l->at++)
		;
	counter_add(&l->t->hot->counts.followed, l->at - f->at);
	f->part = end;
	f->at = l->at;
}

static void put_records(const walker *w, uint32_t end)
{
	const leap *l = w->l;

	for (uint32_t k = l->from; k < end; k++) {
		const script_part *p = &l->s->parts[k];

		if (p->kind != PART_OP && !l->quiet)
			leap_note(l, leap_ins(l, k));
		else if (p->kind == PART_OP && !l->silent)
			put_record(w, p->op, leap_ins(l, k));
	}
}

/* An act was not possible. In front of an op the leap ends there. What could not be computed is
 * tried by a run that counts. */
static void leave(walker *w, const course_act *a)
{
	fused_run *f = w->f;
	const uint32_t at = op_of(w, a);

	if (!computes(a)) {
		fused_leave_course(f);
		return;
	}
	fused_course_leave_at(f, at, a->what == COURSE_LAUNCH ? a->which : f->p->ops[at].steps);
	if (!fused_arrive(f, at))
		break_off(w->l, f);
}

/* The words of its ops are the run's own: the ring's are gone by the time that it leaves its course.
 * What is freed behind them is no op. */
static void copy_words(const leap *l, fused_run *f)
{
	const script *s = l->s;
	const uint32_t from = s->parts[l->from].at;
	const uint32_t end = s->parts[MIN(l->to, s->ops[s->n - 1] + 1)].at;

	if (from < end)
		memcpy(f->script + from, l->words, (end - from) * sizeof *l->words);
}

static uint32_t follow(leap *l, fused_run *f)
{
	const fused_course *c = f->course;
	walker w = { .l = l, .f = f };
	const course_act *a = c->acts + c->parts[l->from].acts;
	const course_act *last = c->acts + c->parts[l->to].acts;
	uint32_t end = l->to;
	const bool quiet = l->quiet;

	l->quiet = true;                 /* ops and the rest are recorded in order, afterwards */
	copy_words(l, f);
	while (a < last && LIKELY(act(&w, a)))
		a++;
	if (UNLIKELY(a < last))
		end = part_of(&w, a);
	l->quiet = quiet;
	if (!l->silent || !quiet)
		put_records(&w, end);
	add_up(l, f, end);
	if (UNLIKELY(a < last))
		leave(&w, a);
	return end;
}

/* Parts that are loose and no op are taken by others (a read): the run has nothing to do there. */
static bool is_here(fused_run *f, const leap *l)
{
	const script_part *p = &l->s->parts[f->part];

	for (; f->part < l->from && p->kind == PART_LOOSE && p->op == SCRIPT_NEVER; p++)
		f->part++;
	return f->part == l->from;
}

uint32_t fused_leap(leap *l)
{
	hot_run *r = l->r;
	fused_run *f = r->fused.now;
	const uint32_t before = l->at;
	uint32_t end;

	if (UNLIKELY(f->course && !is_here(f, l)))
		fused_leave_course(f);
	end = f->course ? follow(l, f) : count_along(l, f);
	counter_add(&l->t->hot->counts.compiled, l->at - before);
	return end;
}

bool fused_on_course_behind(const leap *l)
{
	fused_run *f = l->r->rest.f;

	return f && f->course && is_here(f, l);
}

uint32_t fused_leap_behind(leap *l)
{
	fused_run *f = l->r->rest.f;
	const uint32_t end = follow(l, f);

	if (f->course && end >= f->course->done) {
		f->alive = 0;
		fused_look(f);
	}
	return end;
}
