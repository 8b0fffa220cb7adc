/* match.c: patterns made from regions, and misses. */
#include "hotpath/match.h"

#include "base/mem.h"

static uint64_t head_of(const region_op *o)
{
	const ins i = { .op = o->op, .kinds = o->kinds, .nin = o->nin, .nopd = o->nopd,
		.words = (uint16_t)(INS_HEAD_WORDS + o->nin + o->nopd) };

	return match_head(&i);
}

/* The first input in the order of the stream that is live-in m binds it. */
static uint32_t input_of(const region *r, int32_t in, uint32_t *bound)
{
	uint32_t m;

	if (in == REGION_SCALAR)
		return MATCH_SCALAR;
	if (in >= 0)
		return (uint32_t)in;
	m = REGION_LIVE_IN(in);
	if (m < *bound)
		return r->n + m;
	++*bound;
	return (r->n + m) | MATCH_BIND;
}

/* What misses one op of a short loop shall not wait for it many periods long. */
static uint32_t foreign_max(const region *r)
{
	return MIN(MATCH_FOREIGN_MAX, 4 + r->n / 8);
}

void pattern_init(pattern *p, const region *r)
{
	uint32_t bound = 0;

	*p = (pattern){ .n = r->n, .slots = r->n + r->live_ins_count,
		.foreign_max = foreign_max(r) };
	p->ops = mem_alloc(r->n * sizeof *p->ops);
	p->inputs = mem_alloc((r->inputs_count + 1) * sizeof *p->inputs);
	for (uint32_t k = 0; k < r->n; k++) {
		const region_op *o = &r->ops[k];

		p->ops[k] = (pattern_op){ head_of(o), o->attr, o->metas, o->first, o->nin, { 0 } };
	}
	for (uint32_t k = 0; k < r->inputs_count; k++)
		p->inputs[k] = input_of(r, r->inputs[k], &bound);
	assert(bound == r->live_ins_count);
	for (uint32_t k = 0; k < r->n; k++)
		for (uint32_t j = 0; j < MIN(p->ops[k].nin, PATTERN_NEAR); j++)
			p->ops[k].in[j] = p->inputs[p->ops[k].first + j];
}

void pattern_fini(pattern *p)
{
	mem_free(p->ops);
	mem_free(p->inputs);
}

/* Slots of live-ins lie behind the results, of which there may be more in the other pattern. */
static bool same_input(const pattern *a, uint32_t x, const pattern *b, uint32_t y)
{
	uint32_t live_x = x & ~MATCH_BIND, live_y = y & ~MATCH_BIND;

	if (x == MATCH_SCALAR || y == MATCH_SCALAR || live_x < a->n || live_y < b->n)
		return x == y && (x == MATCH_SCALAR || (live_x < a->n && live_y < b->n));
	return live_x - a->n == live_y - b->n && !(x & MATCH_BIND) == !(y & MATCH_BIND);
}

static bool same_op(const pattern *a, const pattern *b, uint32_t at)
{
	const pattern_op *x = &a->ops[at], *y = &b->ops[at];

	if (x->head != y->head || x->attr != y->attr || x->metas != y->metas)
		return false;
	for (uint32_t k = 0; k < x->nin; k++)
		if (!same_input(a, a->inputs[x->first + k], b, b->inputs[y->first + k]))
			return false;
	return true;
}

uint32_t pattern_common(const pattern *a, const pattern *b)
{
	uint32_t at = 0;

	while (at < a->n && at < b->n && same_op(a, b, at))
		at++;
	return at;
}

void match_init(match *m, const pattern *p)
{
	*m = (match){ .p = p, .ops = p->ops };
	m->ids = mem_zero(p->slots * sizeof *m->ids);
}

void match_fini(match *m)
{
	mem_free(m->ids);
}

void match_leave(match *m)
{
	m->at = m->foreign = 0;
}

match_answer match_miss(match *m)
{
	const uint32_t most = m->at < MATCH_ENTERING ? MIN(MATCH_ENTERING, m->p->foreign_max) :
		m->p->foreign_max;

	if (!m->at || ++m->foreign <= most)
		return MATCH_PASSENGER;
	return MATCH_EXIT;
}

bool match_knows(const match *m, uint64_t id)
{
	for (uint32_t k = 0; k < m->at; k++) {
		const uint32_t *in = m->p->inputs + m->p->ops[k].first;

		if (m->ids[k] == id)
			return true;
		for (unsigned n = 0; n < m->p->ops[k].nin; n++)
			if (in[n] != MATCH_SCALAR && in[n] & MATCH_BIND &&
					m->ids[in[n] & ~MATCH_BIND] == id)
				return true;
	}
	return false;
}

void match_follow(match *m, const match *from)
{
	const pattern *p = m->p, *q = from->p;

	m->at = from->at;
	m->foreign = from->foreign;
	memcpy(m->ids, from->ids, m->at * sizeof *m->ids);
	/* Live-ins are numbered in order of first sight: those seen so far are the same. */
	memcpy(m->ids + p->n, from->ids + q->n, MIN(p->slots - p->n, q->slots - q->n) *
		sizeof *m->ids);
}
