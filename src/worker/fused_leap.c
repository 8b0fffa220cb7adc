/* fused_leap.c: a leap of a fused run: its ops arrive without the walk. Results that are freed
 * before the leap is over are known to the run alone: they have no value and no id.
 */
#include "worker/hot.h"

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

uint32_t fused_leap(leap *l)
{
	hot_run *r = l->r;
	walker w = { .l = l, .f = r->fused.now };
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
	counter_add(&l->t->hot->counts.compiled, l->at - r->match.at);
	if (UNLIKELY(w.failed)) {
		fused_run_end(w.f);
		r->fused.now = NULL;
		plan_forget(r->plan, l->at);
	}
	return k;
}
