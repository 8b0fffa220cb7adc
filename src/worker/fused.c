/* fused.c: the way of an op through a run of tier T2, and the choice of plans.
 *
 * A run begins with the plan that was used last. It goes on as long as each op is what the plan was
 * made for: the region's (match.h), of the same sizes (fusion_fits), and live-ins of the same
 * shapes and strides. The first op that is not ends it, and T1 takes over in the middle; nothing has
 * to be undone. What was copied down by then and what follows is a sample: the next such run has a
 * plan.
 */
#include "worker/fused_course.h"

#include <stdio.h>
#include "base/mem.h"
#include "engine/index.h"

#define PATIENCE   8             /* runs, after a plan that went unused; doubles */
#define USES_LEAST 2             /* of a plan that was worth it */

/* ---- samples --------------------------------------------------------------------------------- */

static void note_ins(job *j, uint32_t at, const ins *i)
{
	memcpy((void *)(uintptr_t)j->run[at], i, i->words * sizeof(uint64_t));
}

void fused_note(hot_run *r, const ins *i, const call *c)
{
	const pattern *p = &r->plan->pattern;
	const uint32_t at = r->match.at, *in = p->inputs + p->ops[at].first;
	job *j = r->fused.sample;

	note_ins(j, at, i);
	for (unsigned k = 0; k < i->nin; k++)
		if (in[k] != MATCH_SCALAR && in[k] & MATCH_BIND)
			job_note(j, (in[k] & ~MATCH_BIND) - p->n, &c->values[k]->v,
				c->values[k]->s);
}

static void drop_sample(hot *h, fused *u)
{
	compile_give_up(h, u->sample);
	u->sample = NULL;
}

/* A sample out of a run that could not go on, as far as it came. */
static void sample_run(tenant *t, hot_run *r, const fused_run *f)
{
	const fused_plan *p = f->p;
	job *j = job_new(r->plan->region, t->worker->engine);

	for (uint32_t k = 0; k < f->at; k++) {
		note_ins(j, k, f->run[k]);
		for (unsigned n = 0; n < f->run[k]->nin; n++) {
			const uint32_t slot = fused_input(p, k, n);

			if (slot != FUSE_NONE && slot >= p->n)
				fused_view_planned(p, slot, &j->live_ins[slot - p->n]);
		}
	}
	r->fused.sample = j;
}

/* ---- does the op fit? ------------------------------------------------------------------------ */

bool fused_fits_view(const fused_plan *p, uint32_t slot, const view *v)
{
	const fuse_value *o = &p->f->values.at[slot];

	if (!plan_same_meta(&o->m, &v->m))
		return false;
	for (int k = 0; k < v->m.rank; k++)
		if (v->strides[k] != o->strides[k] && v->m.dims[k] != 1)
			return false;
	return true;
}

typedef enum fit { FIT_YES, FIT_NOT, FIT_MISSING } fit;

/* Bind the live-ins that come with the op; r->values has them then. */
static fit find_live_ins(tenant *t, hot_run *r, const fused_plan *p, const ins *i)
{
	const pattern *q = &r->plan->pattern;
	const uint32_t *in = q->inputs + q->ops[r->match.at].first;
	fit all = FIT_YES;

	for (unsigned k = 0; k < i->nin; k++) {
		const uint32_t slot = in[k] & ~MATCH_BIND;
		value *v;

		if (in[k] == MATCH_SCALAR)
			continue;
		if (slot < q->n) {
			/* What a leap has left gets its value now. */
			if (UNLIKELY(!(r->fused.now->slots[slot].state & SLOT_SHOWN)) &&
					!store_find(&t->store, ins_in(i)[k]))
				return FIT_MISSING;
			continue;
		}
		v = hot_find(t, r, slot, ins_in(i)[k], in[k] & MATCH_BIND);
		if (UNLIKELY(!v))
			return FIT_MISSING;
		if (in[k] & MATCH_BIND && UNLIKELY(!fused_fits_view(p, slot, &v->v)))
			all = FIT_NOT;
	}
	return all;
}

static fit fits(tenant *t, hot_run *r, const fused_plan *p, const ins *i)
{
	const uint32_t at = r->match.at;

	if (p->ops[at].checks && !fusion_fits(p->f, at, i))
		return FIT_NOT;
	return find_live_ins(t, r, p, i);
}

/* T1 goes on where a run of T2 ends: what it knows of the ops before is out of date. */
static void leave(tenant *t, hot_run *r, bool samples)
{
	fused *u = &r->fused;

	u->strange |= samples;
	if (samples && !u->asked && !u->patience)
		sample_run(t, r, u->now);
	fused_run_end(u->now);
	u->now = NULL;
	plan_forget(r->plan, r->match.at);
}

/* The first plan that the region's first op fits. */
static fit choose(tenant *t, hot_run *r, const ins *i)
{
	fused *u = &r->fused;
	fit is = FIT_NOT;

	for (unsigned k = 0; k < u->count && is == FIT_NOT; k++)
		if ((is = fits(t, r, u->plans[k], i)) == FIT_YES)
			u->chosen = u->plans[k];
	return is;
}

/* Without memory for its arena the run is T1's. */
static void begin(tenant *t, hot_run *r)
{
	fused *u = &r->fused;
	fused_plan *p = u->chosen;
	unsigned k = 0;

	u->now = fused_run_begin(t, p);
	if (!u->now)
		u->chosen = NULL;
	if (UNLIKELY(t->hot->talks) && !p->completed && u->now)
		hot_say_launching(r);
	if (u->plans[0] != p)
		fused_judge_forget(&u->judge);
	while (u->plans[k] != p)
		k++;
	memmove(u->plans + 1, u->plans, k * sizeof *u->plans);
	u->plans[0] = p;
	p->used = r->runs;
}

bool fused_accept(tenant *t, hot_run *r, const ins *i)
{
	fused *u = &r->fused;
	fit is;

	if (UNLIKELY(exec_check_count(t, i)))
		return false;
	if (!u->now) {
		is = choose(t, r, i);
		u->strange |= is == FIT_NOT;
		if (is == FIT_YES)
			begin(t, r);
		return is != FIT_MISSING;
	}
	fused_leave_course(u->now);
	is = fits(t, r, u->now->p, i);
	if (LIKELY(is == FIT_YES)) {
		u->chosen = u->now->p;
		return true;
	}
	if (is == FIT_NOT)
		leave(t, r, true);
	return is == FIT_NOT;
}

/* ---- then take it ---------------------------------------------------------------------------- */

void fused_bind(hot_run *r, fused_run *f, const ins *i)
{
	const pattern *q = &r->plan->pattern;
	const uint32_t *in = q->inputs + q->ops[f->at].first;

	for (unsigned k = 0; k < i->nin; k++) {
		const uint32_t slot = in[k] & ~MATCH_BIND;

		if (in[k] == MATCH_SCALAR || !(in[k] & MATCH_BIND))
			continue;
		storage_hold(r->values[slot]->s);
		fused_present(f, slot, r->values[slot]->v.data, r->values[slot]->s, 0);
	}
}

void fused_copy(fused_run *f, uint32_t at, const ins *i)
{
	ins_copy((uint64_t *)(uintptr_t)f->run[at], i);
}

static void file(fused_run *f, uint32_t at, const ins *i, value *out)
{
	fused_copy(f, at, i);
	meta_copy(&out->v.m, &f->p->f->values.at[at].m);
	out->run = f;
	out->slot = at;
	f->shown[at] = out;
	f->slots[at].state |= SLOT_SHOWN;
	f->at = at + 1;
}

static void put_record(hot *h, const fused_plan *p, uint32_t at, const ins *i)
{
	const meta *metas[INS_INPUTS_MAX];

	for (unsigned k = 0; k < i->nin; k++) {
		const uint32_t slot = fused_input(p, at, k);

		metas[k] = slot == FUSE_NONE ? NULL : &p->f->values.at[slot].m;
	}
	recorder_op(&h->recorder, i, metas, &p->f->values.at[at].m);
}

bool fused_points_inside(const fused_run *f, uint32_t at)
{
	const fuse_check *c = &f->p->f->checks.at[f->p->ops[at].check - 1];
	const kcall by = { .i = f->run[at] };
	view indices;

	if (!f->course && (!(f->slots[c->value].state & SLOT_PRESENT) ||
			fused_failure(f, c->value)))
		return false;
	fused_view(f, c->value, &indices);
	return !index_check(&by, &indices, c->size);
}

bool fused_arrive(fused_run *f, uint32_t at)
{
	const fused_op *o = &f->p->ops[at];

	if (UNLIKELY(o->eager || (o->check && !fused_points_inside(f, at)))) {
		fused_late(f, at);
		if (UNLIKELY(fused_failure(f, at) != NULL))
			return false;
	}
	return fused_launch(f, at);
}

void fused_take(tenant *t, hot_run *r, const ins *i, value *out)
{
	fused *u = &r->fused;
	const uint32_t at = r->match.at;
	fused_run *f = u->now;

	if (!r->silent)
		put_record(t->hot, f->p, at, i);
	fused_bind(r, f, i);
	file(f, at, i, out);
	t->worker->spent += f->p->ops[at].cost;
	counter_add(&t->hot->counts.compiled, 1);
	if (LIKELY(fused_arrive(f, at)))
		return;
	fused_run_end(f);
	u->now = NULL;
	plan_forget(r->plan, at + 1);
}

/* ---- runs ------------------------------------------------------------------------------------ */

bool fused_wants_sample(const hot *h, const fused *u)
{
	return h->tier >= HOT_COMPILED && !u->asked && !u->patience && (!u->count || u->strange);
}

/* A run of T1 begins: with the region's first op, or where it parts from another region's. */
void fused_enter(hot *h, hot_run *r)
{
	fused *u = &r->fused;

	if (r->match.at || !fused_wants_sample(h, u))
		return;
	u->sample = job_new(r->plan->region, h->tenant->worker->engine);
}

static bool is_sample_of(const fused_plan *p, const job *j)
{
	for (uint32_t m = 0; m < p->r->live_ins_count; m++)
		if (!fused_fits_view(p, p->n + m, &j->live_ins[m]))
			return false;
	for (uint32_t k = 0; k < p->n; k++)
		if (!fusion_fits(p->f, k, j->run[k]))
			return false;
	return true;
}

static const fused_plan *find_plan(const fused *u, const job *j)
{
	for (unsigned k = 0; k < u->count; k++)
		if (is_sample_of(u->plans[k], j))
			return u->plans[k];
	return NULL;
}

static void post(hot *h, hot_run *r)
{
	fused *u = &r->fused;

	if (u->count && !u->sample->cause)
		u->sample->cause = mem_string("other shapes or strides");
	if (h->talks)
		hot_say_compiling(u->sample);
	u->asked = true;
	compile_post(h, u->sample);
	u->sample = NULL;
}

/* Hand it over, unless there is a plan for it. */
static void post_sample(hot *h, hot_run *r)
{
	if (find_plan(&r->fused, r->fused.sample))
		drop_sample(h, &r->fused);
	else
		post(h, r);
}

/* Something that is fused away is read all the time: have it in memory. */
static void ask_again(hot *h, hot_run *r)
{
	fused *u = &r->fused;
	fused_plan *p = u->now->p;
	const uint32_t at = p->read_often - 1;
	char text[64];

	p->read_often = 0;
	for (uint32_t k = 0; k < p->n; k++)
		r->plan->region->ops[k].read |= p->r->ops[k].read;
	sample_run(h->tenant, r, u->now);
	snprintf(text, sizeof text, "live-out added (t%u = %s)", at,
		op_rows[r->plan->region->ops[at].op].name);
	u->sample->cause = mem_string(text);
	u->sample->instead = p;
	counter_add(&h->counts.recompiles, 1);
	post(h, r);
}

void fused_complete(hot *h, hot_run *r)
{
	fused *u = &r->fused;

	u->patience -= u->patience != 0;
	if (u->now) {
		fused_plan *p = u->now->p;

		p->completed++;
		u->runs++;
		u->judge.taken++;
		u->strange = false;
		counter_add(&h->counts.launches_saved, p->launches_saved);
		counter_add(&h->counts.bytes_saved, p->bytes_saved);
		if (UNLIKELY(p->read_often && !u->asked))
			ask_again(h, r);
		fused_run_end(u->now);
		u->now = NULL;
		return;
	}
	if (u->sample)
		post_sample(h, r);
}

void fused_stop(hot *h, hot_run *r)
{
	fused *u = &r->fused;

	drop_sample(h, u);
	if (u->now)
		fused_run_end(u->now);
	u->now = NULL;
}

/* ---- plans ----------------------------------------------------------------------------------- */

/* Gives the plan, of which nothing is pending any more. */
static fused_plan *drop_plan(fused *u, unsigned k)
{
	fused_plan *p = u->plans[k];

	memmove(u->plans + k, u->plans + k + 1, (--u->count - k) * sizeof *u->plans);
	fused_plan_settle(p);
	return p;
}

/* Plans that hardly serve are not made for ever. */
static fused_plan *drop_last(fused *u)
{
	const bool served = u->plans[u->count - 1]->completed >= USES_LEAST;

	u->fruitless = served ? 0 : u->fruitless + 1;
	if (u->fruitless)
		u->patience = (uint64_t)PATIENCE << MIN(u->fruitless, 20u);
	return drop_plan(u, u->count - 1);
}

/* In front, since its shapes were the latest. Of too many the one goes that was not used for
 * longest. Gives the plan that went, of which there is one at most; NULL: none did. */
static fused_plan *add_plan(fused *u, fused_plan *p, const fused_plan *instead)
{
	fused_plan *gone = NULL;

	for (unsigned k = 0; k < u->count; k++)
		if (u->plans[k] == instead && !(u->now && u->now->p == instead)) {
			gone = drop_plan(u, k);
			break;
		}
	if (u->count == FUSED_PLANS_MAX)
		gone = drop_last(u);
	memmove(u->plans + 1, u->plans, u->count++ * sizeof *u->plans);
	u->plans[0] = p;
	if (!u->judge.until)
		fused_judge_forget(&u->judge);
	return gone;
}

static hot_run *find_run(hot *h, uint64_t signature)
{
	for (unsigned k = 0; k < h->count; k++)
		if (h->runs[k]->plan->region->signature == signature)
			return h->runs[k];
	return NULL;
}

static void count_job(hot *h, const job *j)
{
	counter_add(&h->counts.loaded, j->loaded);
	counter_add(&h->counts.compiles, j->compiled);
	counter_add(&h->counts.hits, j->found);
	counter_add(&h->counts.compile_ns, j->ns);
	counter_add(&h->counts.failures, !j->made && !j->vain);
	counter_add(&h->counts.recompiles, job_recompiled(j));
}

static void take_made(hot_run *r, job *j)
{
	fused *u = &r->fused;

	u->asked = u->strange = false;
	if (!j->made) {
		u->failed += !j->vain;
		u->vain += j->vain;
		u->patience = (uint64_t)PATIENCE << MIN(u->failed + u->vain + 4, 30u);
		return;
	}
	if (!u->made++)
		hot_judge_made(r);
	if (!j->instead && find_plan(u, j))
		return;                  /* .. and so does a second one for the same */
	j->made = add_plan(u, j->made, j->instead);      /* goes with the job */
}

/* Of a sample that the miner found and one that the executor took meanwhile, the later. */
static bool came_before(const hot_run *r, const job *j)
{
	return r && j->made && !j->instead && find_plan(&r->fused, j);
}

void fused_receive(hot *h, job *j)
{
	hot_run *r = find_run(h, j->signature);

	count_job(h, j);
	/* One message a region will do. */
	if (!j->vain && (j->made || !r || !r->fused.failed) && !came_before(r, j))
		hot_say_compiled(h, j);
	if (r)
		take_made(r, j);
	if (r && r->fused.count)
		hot_rest_plan(h, r);
	compile_give_up(h, j);
}

void fused_fini(fused *u)
{
	job_free(u->sample);
	while (u->count)
		fused_plan_free(u->plans[--u->count]);
}

void fused_settle(fused *u)
{
	for (unsigned k = 0; k < u->count; k++)
		fused_plan_settle(u->plans[k]);
}
