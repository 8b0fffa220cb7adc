/* leap.c: which stretch of the stream a leap is, and the account of it. */
#include "worker/hot.h"

#define LEAST     3              /* parts that a leap is worth */
#define COST_MOST 50000          /* ns that are spent without a look around */
#define NEAR      16             /* parts without result that are looked through for one */
#define MISSES    8              /* runs in a row that were another than the script */

/* ---- for those who leap ---------------------------------------------------------------------- */

static void note_control(hot *h, const ins *i)
{
	if (i->op == OP_free)
		recorder_free(&h->recorder, ins_in(i)[0]);
	else
		recorder_control(&h->recorder, i);
}

void leap_control(leap *l, const script_part *p, const ins *i)
{
	tenant *t = l->t;

	if (!l->silent)
		note_control(t->hot, i);
	if (p->kind == PART_FREE)
		l->values -= store_drop(&t->store, ins_in(i)[0]);
	else if (i->op == OP_enter)
		signals_enter(&t->signals, ins_name(i));
	else
		signals_leave(&t->signals);
}

value *leap_file(leap *l, uint32_t at, const ins *i)
{
	value *v = store_take(&l->t->store);

	v->op = i->op;
	store_put(&l->t->store, i->out, v);
	l->r->values[at] = v;
	l->values++;
	return v;
}

/* ---- where is the stream in the script? ------------------------------------------------------ */

/* The part that `i` would be; `count`: none. */
static uint32_t find_part(const script *s, uint32_t at, const ins *i, uint64_t base)
{
	uint32_t part = at ? s->ops[at - 1] + 1 : s->ops[0];

	if (i->out)
		return s->ops[at];
	for (uint32_t end = MIN(s->ops[at], part + NEAR); at && part < end; part++)
		if (s->parts[part + 1].at - s->parts[part].at == i->words &&
				script_same(s, s->parts[part].at, i->words,
				(const uint64_t *)(const void *)i, base) == i->words)
			return part;
	return s->count;
}

/* How far the estimated costs let it go; frees go with what they are behind. */
static uint32_t limit_cost(const hot_run *r, uint32_t from, uint32_t to)
{
	const script *s = &r->script;
	uint64_t cost = 0;
	uint32_t part = from;

	for (; part < to && cost < COST_MOST; part++)
		if (s->parts[part].kind == PART_OP)
			cost += r->plan->slots[s->parts[part].op].cost;
	while (part < to && s->parts[part].kind != PART_OP)
		part++;
	return part;
}

/* The stretch from part l->from on that lies in the ring; l->to is set. */
static void measure(leap *l, const ring *q, uint64_t base)
{
	const script *s = l->s;
	const uint64_t pos = q->at & (q->size - 1);
	const uint64_t there = MIN(q->seen - q->at, q->size - pos);
	const uint32_t at = s->parts[l->from].at;
	const uint32_t n = (uint32_t)MIN(there, (uint64_t)(s->words - at));

	l->words = q->words + pos;
	l->to = script_part_of(s, at + script_same(s, at, n, l->words, base));
	if (l->to > l->from)
		l->to = limit_cost(l->r, l->from, l->to);
}

/* The run that may leap: the one under way, alone; or that which begins again. */
static hot_run *candidate(hot *h, unsigned *k)
{
	*k = h->under_way ? h->took_k : h->again;
	if (*k == HOT_RUNS_MAX || (h->under_way & ~(1u << *k)) || h->trial || h->checks ||
			h->recorder.excluded || h->tenant->worker->options.prints ||
			h->learner || h->watch.from || !script_ready(&h->runs[*k]->script))
		return NULL;
	if (!h->under_way && !hot_allowed(h, h->runs[*k]))
		return NULL;
	return h->runs[*k];
}

/* All results are new: no id that is in use, or was. */
static bool is_fresh(const tenant *t, const leap *l, uint64_t base)
{
	const script *s = l->s;
	const uint32_t first = s->ops[l->at];

	return first < l->to && base + s->then[s->parts[first].at + 3] > t->store.highest &&
		store_count(&t->store) + (l->to - l->from) <= STORE_VALUES_MAX;
}

/* ---- the account ----------------------------------------------------------------------------- */

static void move_match(const leap *l, uint32_t before, uint64_t base)
{
	const script *s = l->s;
	match *m = &l->r->match;

	for (uint32_t k = before; k < l->at; k++)
		m->ids[k] = base + s->then[s->parts[s->ops[k]].at + 3];
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

/* The run is not what the script says: after some such runs in a row another one is learnt. */
static void miss(hot_run *r)
{
	if (r->runs == r->missed)
		return;
	r->misses = r->runs == r->missed + 1 ? r->misses + 1 : 1;
	r->missed = r->runs;
	if (r->misses < MISSES)
		return;
	r->misses = 0;
	r->noting = false;
	r->calls.epoch = 0;
	script_forget(&r->script);
}

/* Tier T2 if the run is one of it. `from` if nobody can leap. */
static uint32_t perform(leap *l, const ins *i)
{
	hot_run *r = l->r;
	fused *u = &r->fused;

	if (fused_wanted(u, l->at)) {
		u->chosen = NULL;
		if (!l->at && (!match_wired(&r->match, i) || !fused_accept(l->t, r, i) ||
				!u->chosen))
			return l->from;
		return fused_leap(l);
	}
	if (!calls_ready(&r->calls, r->plan) || u->sample ||
			(!l->at && fused_wants_sample(l->t->hot, u)))
		return l->from;
	return calls_leap(l);
}

unsigned leap_try(tenant *t, const ins *i)
{
	hot *h = t->hot;
	unsigned k;
	hot_run *r = candidate(h, &k);
	leap l = { .t = t, .r = r };
	uint64_t base;
	uint32_t end, before;

	if (!r || (!i->out && !r->match.at))
		return 0;
	l.s = &r->script;
	l.at = before = r->match.at;
	base = before ? r->match.ids[0] : i->out;
	l.from = find_part(l.s, before, i, base);
	if (l.from == l.s->count)
		return 0;
	measure(&l, &t->line.ring, base);
	if (l.to < l.from + LEAST || !is_fresh(t, &l, base)) {
		if (l.to == l.from && i->out)
			miss(r);
		return 0;
	}
	l.silent = before ? r->silent : r->settled || h->crowded;
	end = perform(&l, i);
	if (end == l.from)
		return 0;
	if (!before && l.at)
		hot_enter(h, k);
	account(&l, k, before, base, end);
	if (UNLIKELY(h->sync))
		hot_mine_in_place(h);
	return end - l.from;
}
