/* leap.c: which stretch of the stream a leap is, and the account of it. */
#include "worker/fused_course.h"

#include "base/mem.h"

#define LEAST     3              /* parts that a leap is worth */
#define COST_MOST 50000          /* ns that are spent without a look around */
#define WORDS_MOST 4096          /* of a leap: compared, then executed while they are in the cache */
#define NEAR      4              /* parts without result that are looked through for one */
#define MISSES    8              /* runs in a row that were another than the script; */
#define LOOSE_MISSES 512         /* .. that were its, as far as it goes */
#define STUMBLES  4              /* leaps of a run that were none, before it is left at that */

/* ---- what is not filed ----------------------------------------------------------------------- */

static uint64_t id_of(const leap_rest *o, uint32_t at)
{
	return o->base + o->r->script.results[at];
}

/* The op with that result; the region's length: none. */
static uint32_t op_of(const leap_rest *o, uint64_t id)
{
	const uint32_t n = o->r->script.n;
	uint32_t low = 0, high = n;

	while (low < high) {
		const uint32_t mid = (low + high) / 2;

		if (id_of(o, mid) < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < n && id_of(o, low) == id ? low : n;
}

static void strike(leap_rest *o, tenant *t, uint32_t at)
{
	o->is[at] = false;
	if (!--o->head.count && t->store.unfiled == &o->head)
		t->store.unfiled = NULL;
}

static value *put_value(tenant *t, hot_run *r, uint32_t at, uint64_t id)
{
	value *v = store_take(&t->store);

	v->op = r->plan->region->ops[at].op;
	store_put(&t->store, id, v);
	r->values[at] = v;
	return v;
}

static value *file(leap_rest *o, uint32_t at)
{
	value *v = put_value(o->t, o->r, at, id_of(o, at));

	strike(o, o->t, at);
	if (o->f)
		fused_show(o->f, at, v);
	else
		calls_show(&o->r->calls, at, v);
	return v;
}

/* Before any of them is looked for: a run on its course lists nothing. */
static void list_rest(leap_rest *o)
{
	if (o->f)
		fused_leave_course(o->f);
}

/* A run on its course goes on as if nobody had asked. */
static value *show(leap_rest *o, uint32_t at)
{
	value *v = put_value(o->t, o->r, at, id_of(o, at));

	fused_course_show(o->f, at, v);
	if (!--o->head.count && o->t->store.unfiled == &o->head)
		o->t->store.unfiled = NULL;
	return v;
}

static value *file_id(store_unfiled *u, uint64_t id)
{
	leap_rest *o = CONTAINER(u, leap_rest, head);
	const uint32_t at = op_of(o, id);

	if (at < o->r->script.n && o->f && o->f->course && fused_course_has(o->f, at))
		return show(o, at);
	list_rest(o);
	return at < o->r->script.n && o->is[at] ? file(o, at) : NULL;
}

/* Results of T1 still have to be given back. */
static void release(leap_rest *o, uint32_t at)
{
	strike(o, o->t, at);
	if (o->f)
		fused_free_slot(o->f, at);
	else
		calls_release(&o->r->calls, at);
}

static bool drop_id(store_unfiled *u, uint64_t id)
{
	leap_rest *o = CONTAINER(u, leap_rest, head);
	const uint32_t at = op_of(o, id);

	list_rest(o);
	if (at == o->r->script.n || !o->is[at])
		return false;
	release(o, at);
	calls_give_back(&o->r->calls);
	return true;
}

void leap_file_all(tenant *t)
{
	leap_rest *o;

	if (LIKELY(!t->store.unfiled))
		return;
	o = CONTAINER(t->store.unfiled, leap_rest, head);
	list_rest(o);
	for (uint32_t k = 0; o->head.count; k++)
		if (o->is[k])
			file(o, k);
}

/* Those that there may be are of this run, in this tier. */
static void keep_rest(tenant *t, hot_run *r, fused_run *f, uint64_t base)
{
	leap_rest *o = &r->rest;

	if (o->base != base || o->f != f || (t->store.unfiled && t->store.unfiled != &o->head))
		leap_file_all(t);
	if (o->f != f)
		list_rest(o);
	if (o->base != base)
		o->next = 0;
	if (!o->is) {
		o->head = (store_unfiled){ .file = file_id, .drop = drop_id };
		o->is = mem_zero(r->script.n * sizeof *o->is);
		o->r = r;
		o->t = t;
	}
	o->base = base;
	o->f = f;
	if (f)
		f->rest = o;
}

void leap_leave(leap *l, uint32_t at)
{
	l->r->rest.is[at] = true;
	l->r->rest.head.count++;
	l->values++;
}

/* The leap ended in front of part `end`: what was to be freed behind it is left. */
static void leave_rest(leap *l, uint32_t end)
{
	for (uint32_t k = l->from; k < end; k++) {
		const script_part *p = &l->s->parts[k];

		if (p->kind == PART_OP && p->freed >= end && p->freed < l->to)
			leap_leave(l, p->op);
	}
}

/* The leap is over: let them be found. */
static void show_rest(const leap *l)
{
	leap_rest *o = &l->r->rest;
	store *s = &l->t->store;

	if (l->at)
		s->highest = MAX(s->highest, id_of(o, l->at - 1));
	if (!o->head.count) {
		s->unfiled = s->unfiled == &o->head ? NULL : s->unfiled;
		return;
	}
	o->head.first = o->base;
	o->head.last = id_of(o, l->s->n - 1);
	s->unfiled = &o->head;
}

void leap_rest_fini(leap_rest *o)
{
	mem_free(o->is);
}

/* ---- for those who leap ---------------------------------------------------------------------- */

void leap_note(const leap *l, const ins *i)
{
	recorder *to = &l->t->hot->recorder;

	if (i->op == OP_free)
		recorder_free(to, ins_in(i)[0]);
	else
		recorder_control(to, i);
}

void leap_control(leap *l, const script_part *p, const ins *i)
{
	tenant *t = l->t;

	if (!l->quiet)
		leap_note(l, i);
	if (p->kind == PART_FREE && p->op != SCRIPT_NEVER && l->r->rest.is[p->op]) {
		release(&l->r->rest, p->op);
		l->values--;
	} else if (p->kind == PART_FREE)
		l->values -= store_drop(&t->store, ins_in(i)[0]);
	else if (i->op == OP_enter)
		signals_enter(&t->signals, ins_name(i));
	else
		signals_leave(&t->signals);
}

bool leap_frees(leap *l, const script_part *p, const ins *i)
{
	if (p->op == SCRIPT_NEVER || !leap_makes(l, p->op)) {
		leap_control(l, p, i);
		return false;
	}
	if (!l->quiet)
		recorder_free(&l->t->hot->recorder, ins_in(i)[0]);
	return true;
}

value *leap_file(leap *l, uint32_t at, const ins *i)
{
	l->values++;
	return put_value(l->t, l->r, at, i->out);
}

/* ---- where is the stream in the script? ------------------------------------------------------ */

/* The part that `i` would be; `count`: none. */
static uint32_t find_part(const hot_run *r, uint32_t at, const ins *i, uint64_t base)
{
	const script *s = &r->script;
	uint32_t part = at ? s->ops[at - 1] + 1 : s->ops[0];

	if (i->out)
		return s->ops[at];
	if (r->rest.base == base)
		part = MAX(part, r->rest.next);
	for (uint32_t end = MIN(s->ops[at], part + NEAR); at && part < end; part++)
		if (script_is(s, part, i, base))
			return part;
	return s->count;
}

/* What a whole run costs, as far as the plan knows. */
static uint64_t cost_of_run(hot_run *r)
{
	if (r->priced == r->plan->changes + 1)
		return r->price;
	r->priced = r->plan->changes + 1;
	r->price = 0;
	for (uint32_t k = 0; k < r->script.n; k++)
		r->price += r->plan->slots[k].cost;
	return r->price;
}

/* How far the estimated costs let it go; frees go with what they are behind. */
static uint32_t limit_cost(hot_run *r, uint32_t from, uint32_t to)
{
	const script *s = &r->script;
	uint64_t cost = 0;
	uint32_t part = from;

	if (LIKELY(cost_of_run(r) <= COST_MOST))
		return to;
	for (; part < to && cost < COST_MOST; part++)
		if (s->parts[part].kind == PART_OP)
			cost += r->plan->slots[s->parts[part].op].cost;
	while (part < to && s->parts[part].kind != PART_OP)
		part++;
	return part;
}

/* The stretch from part l->from on that lies in the ring; l->to is set. No more is compared than is
 * leapt: what lies behind would be compared again each time. */
static void measure(leap *l, const ring *q, uint64_t base)
{
	const script *s = l->s;
	const uint64_t pos = q->at & (q->size - 1);
	const uint64_t there = MIN(ring_ahead(q), q->size - pos);
	const uint32_t at = s->parts[l->from].at;
	const uint32_t end = s->parts[limit_cost(l->r, l->from, s->count)].at;
	const uint32_t n = MIN((uint32_t)MIN(there, (uint64_t)(end - at)), WORDS_MOST);

	l->words = q->words + pos;
	l->to = script_part_of(s, at + script_same(s, at, n, l->words, base));
}

/* The run that would get the next op before all others: the one that took the last one, or that
 * which begins again. */
static hot_run *candidate(const hot *h, unsigned *k)
{
	const bool goes_on = h->took_k != HOT_RUNS_MAX && (h->under_way >> h->took_k & 1);

	*k = goes_on ? h->took_k : h->again;
	if (*k == HOT_RUNS_MAX || (h->under_way & ((1u << *k) - 1)))
		return NULL;
	return script_ready(&h->runs[*k]->script) ? h->runs[*k] : NULL;
}

/* Nobody wants to see each op. */
static bool is_plain(const hot *h)
{
	return !h->trial && !h->checks && !h->recorder.excluded && !h->learner && !h->watch.from &&
		!h->tenant->worker->options.prints;
}

/* All results are new: no id that is in use, or was. Behind the last id there is none that is. */
static bool is_fresh(const tenant *t, const leap *l, uint64_t base)
{
	const script *s = l->s;
	const uint32_t first = s->ops[l->at];
	const uint64_t last = base + s->results[s->n - 1];

	return (first >= l->to || (last >= base && base + s->results[l->at] > t->store.highest)) &&
		store_count(&t->store) + (l->to - l->from) <= STORE_VALUES_MAX;
}

/* ---- the account ----------------------------------------------------------------------------- */

static void move_match(const leap *l, uint32_t before, uint64_t base)
{
	const script *s = l->s;
	match *m = &l->r->match;

	for (uint32_t k = before; k < l->at; k++)
		m->ids[k] = base + s->results[k];
	m->foreign = 0;
	m->at = l->at;
}

/* The leap is over, and it got somewhere. */
static void account(leap *l, unsigned k, uint32_t before, uint64_t base, uint32_t end)
{
	tenant *t = l->t;
	worker *w = t->worker;
	hot *h = t->hot;
	hot_run *r = l->r;
	const uint32_t ops = l->at - before, parts = end - l->from;

	t->line.ring.at += l->s->parts[end].at - l->s->parts[l->from].at;
	t->line.ring.done += parts;
	counter_add(&w->instructions, parts);
	counter_add(&w->operations, ops);
	counter_add(&w->products, l->products);
	counter_add(&w->values, l->values);
	if (!ops)
		return;
	h->again = HOT_RUNS_MAX;
	h->took = r;
	h->took_k = k;
	counter_add(&h->counts.ops, ops);
	counter_add(&h->counts.replayed, ops);
	counter_add(&h->counts.leapt, ops);
	r->moved = hot_ops(h) - 1;
	move_match(l, before, base);
	if (l->at == r->plan->region->n) {
		r->match.at = 0;
		hot_complete(h, k);
	}
}

/* The run is not what the script says: after some such runs in a row another one is learnt. Of what
 * is loose, the script may know no more than that two runs were not alike, one of them with a short
 * batch. */
static void miss(tenant *t, hot_run *r, uint32_t part)
{
	const uint32_t most = r->script.parts[part].kind == PART_LOOSE ? LOOSE_MISSES : MISSES;

	if (r->runs == r->missed)
		return;
	r->misses = r->runs == r->missed + 1 ? r->misses + 1 : 1;
	r->missed = r->runs;
	if (r->misses < most)
		return;
	leap_file_all(t);
	list_rest(&r->rest);
	r->misses = 0;
	r->noting = false;
	r->calls.known = false;
	script_forget(&r->script);
}

/* Behind the last op. */
static uint32_t leap_behind(leap *l)
{
	for (uint32_t k = l->from; k < l->to; k++)
		leap_control(l, &l->s->parts[k], leap_ins(l, k));
	calls_give_back(&l->r->calls);
	return l->to;
}

/* Tier T2 if the run is one of it. `from` if nobody can leap. */
static uint32_t perform(leap *l, const ins *i, uint64_t base)
{
	hot_run *r = l->r;
	fused *u = &r->fused;

	if (l->at == l->s->n) {
		keep_rest(l->t, r, r->rest.f, base);
		return fused_on_course_behind(l) ? fused_leap_behind(l) : leap_behind(l);
	}
	if (fused_wanted(u, l->at)) {
		u->chosen = NULL;
		if (!l->at && (!match_wired(&r->match, i) || !fused_accept(l->t, r, i) ||
				!u->chosen))
			return l->from;
		if (!l->at)
			fused_course_begin(r, u->now);
		keep_rest(l->t, r, u->now, base);
		return fused_leap(l);
	}
	if (!calls_ready(&r->calls) || u->sample ||
			(!l->at && fused_wants_sample(l->t->hot, u)))
		return l->from;
	keep_rest(l->t, r, NULL, base);
	return calls_leap(l);
}

/* Where the run stands: at its op `at`, or behind its last one. */
static bool find_place(leap *l, const hot *h, unsigned k, const ins *i, uint64_t *base)
{
	const hot_run *r = l->r;
	const bool goes_on = h->under_way >> k & 1;

	l->s = &r->script;
	l->at = goes_on || i->out ? r->match.at : l->s->n;
	*base = l->at ? r->match.ids[0] : i->out;
	l->silent = l->at ? r->silent : r->settled || h->crowded;
	l->quiet = l->silent || h->silent;
	if (!l->at && !hot_allowed((hot *)h, (hot_run *)r))
		return false;
	l->from = find_part(r, l->at, i, *base);
	return l->from < l->s->count;
}

/* How many parts are worth it: behind the last op of a run on its course any, which would take it
 * off that. In Python what was read is mostly freed behind the read, alone. */
static uint32_t least(const leap *l)
{
	return l->at == l->s->n && fused_on_course_behind(l) ? 1 : LEAST;
}

unsigned leap_try(tenant *t, const ins *i)
{
	hot *h = t->hot;
	unsigned k;
	hot_run *r = hot_is_over(h) ? NULL : candidate(h, &k);
	leap l = { .t = t, .r = r };
	uint64_t base;
	uint32_t end, before;

	if (!r || r->stumbles >= STUMBLES || !is_plain(h) ||
			!find_place(&l, h, k, i, &base))
		return 0;
	before = l.at;
	measure(&l, &t->line.ring, base);
	if (l.to < l.from + least(&l) || !is_fresh(t, &l, base)) {
		r->stumbles += l.to == l.from;
		if (l.to == l.from && i->out)
			miss(t, r, l.from);
		return 0;
	}
	end = perform(&l, i, base);
	if (end == l.from) {     /* other shapes, or not yet: nor will it at the next op */
		r->stumbles++;
		return 0;
	}
	if (end < l.to && !l.listed)
		leave_rest(&l, end);
	r->rest.next = end;
	show_rest(&l);
	if (!before && l.at)
		hot_enter(h, k);
	account(&l, k, before, base, end);
	if (UNLIKELY(h->sync))
		hot_mine_in_place(h);
	return end - l.from;
}
