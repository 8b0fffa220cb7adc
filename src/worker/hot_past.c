/* hot_past.c: a loop's last run, found again and made a sample. */
#include "worker/hot_past.h"

#include "base/map.h"
#include "base/mem.h"
#include "hotpath/match.h"
#include "ir/shape.h"

#define READY         (1u << 14) /* words that are provided at once, .. */
#define READY_QUICKLY (1u << 12) /* .. by the executor; parts of PAST_WORDS */

void past_begin(past *p, const store *s)
{
	const uint64_t all = store_count(s);

	if (LIKELY(!all) || all > PAST_GIVEN)
		return;
	p->given = mem_alloc(all * sizeof *p->given);
	for (size_t k = 0; (k = idmap_next(&s->ids, k));) {
		const value *v = s->ids.slots[k - 1].value;

		if (!v->s)
			continue;
		p->given[p->given_count] = (past_given){ v->id, v->v };
		p->given[p->given_count++].v.data = NULL;
	}
}

void past_fini(past *p)
{
	mem_free(p->given);
	mem_free(p->words);
}

/* Before the executor writes there: page by page it would cost several times as much. */
static void provide(past *p, uint32_t from, uint32_t words)
{
	mem_provide(p->words + from, MIN(words, PAST_WORDS - from) * sizeof *p->words);
	atomic_store_explicit(&p->ready, from + words, memory_order_relaxed);
}

void past_put_slow(past *p, const ins *i)
{
	const uint32_t at = atomic_load_explicit(&p->written, memory_order_relaxed);
	const uint32_t ready = atomic_load_explicit(&p->ready, memory_order_relaxed);
	uint32_t end = at + i->words;

	if (!p->words)
		p->words = mem_zero(PAST_WORDS * sizeof *p->words);      /* untouched */
	if (UNLIKELY(end > ready && ready < PAST_WORDS))
		provide(p, ready, READY_QUICKLY);
	if (end <= PAST_WORDS)
		memcpy(p->words + at, i, i->words * sizeof *p->words);
	else
		end = PAST_WORDS;
	atomic_store_explicit(&p->written, end, memory_order_release);
}

void past_make_ready(past *p)
{
	const uint32_t at = atomic_load_explicit(&p->written, memory_order_acquire);
	const uint32_t ready = atomic_load_explicit(&p->ready, memory_order_relaxed);

	if (at && at < PAST_WORDS && ready < PAST_WORDS && ready <= at + READY / 2)
		provide(p, ready, READY);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* An op that ran, and what its result looked like. */
typedef struct done {
	const ins *i;                    /* NULL: the value was given */
	view v;                          /* without data */
	uint64_t metas;
	bool known;
} done;

typedef struct memory {
	done *all;
	size_t count, room, given;       /* those in front were */
	idmap ids;                       /* to places in `all`, from 1 */
} memory;

static const done *find(const memory *m, uint64_t id)
{
	const uintptr_t at = (uintptr_t)idmap_get(&m->ids, id);

	return at && m->all[at - 1].known ? &m->all[at - 1] : NULL;
}

/* As exec_finish does. */
static void lay_out(const ins *i, const done *first, view *v)
{
	int64_t offset = 0;

	if (op_rows[i->op].kind != KIND_VIEW || !shape_view(i, &first->v.m, first->v.strides, &v->m,
			v->strides, &offset))
		shape_contiguous(&v->m, v->strides);
	v->contiguous = shape_is_contiguous(&v->m, v->strides);
}

static void infer(const memory *m, done *d)
{
	const ins *i = d->i;
	const done *in = NULL;
	meta_list metas;

	for (unsigned k = i->nin; k--;) {
		metas.in[k] = NULL;
		if (ins_kind(i, k))
			continue;
		if (!(in = find(m, ins_in(i)[k])))
			return;
		metas.in[k] = &in->v.m;
	}
	if (shape_infer(i, metas.in, &d->v.m))
		return;
	lay_out(i, in, &d->v);
	d->metas = record_metas(op_rows[i->op].kind, i->nin, metas.in, &d->v.m);
	d->known = true;
}

static void read_given(const past *p, memory *m)
{
	for (uint32_t k = 0; k < p->given_count; k++) {
		VEC_ROOM(m->all, m->count, m->room);
		m->all[m->count++] = (done){ .v = p->given[k].v, .known = true };
		idmap_put(&m->ids, p->given[k].id, (void *)(uintptr_t)m->count);
	}
	m->given = m->count;
}

static void read_all(const past *p, memory *m)
{
	const uint32_t end = atomic_load_explicit(&p->written, memory_order_acquire);

	read_given(p, m);
	for (uint32_t at = 0; at < end;) {
		const ins *i = (const ins *)(p->words + at);
		done *d;

		if (!i->op)              /* for the next one there was no room */
			break;
		VEC_ROOM(m->all, m->count, m->room);
		d = &m->all[m->count++];
		*d = (done){ .i = i };
		infer(m, d);
		idmap_put(&m->ids, i->out, (void *)(uintptr_t)m->count);
		at += i->words;
	}
}

/* ---- the sample ------------------------------------------------------------------------------ */

/* Whether op `from` and those behind it are a run. */
static bool runs(const memory *m, match *at, size_t from)
{
	for (size_t k = from; k < from + at->p->n; k++) {
		const done *d = &m->all[k];

		if (!d->known || !match_wired(at, d->i) || !match_fits(at, d->metas))
			return false;
		match_take(at, d->i->out);
	}
	return true;
}

/* The live-in `id` of a run from op `from` on; NULL if that id has another value by now: ids may be
 * used again. */
static const done *find_live_in(const memory *m, uint64_t id, size_t from)
{
	const done *d = find(m, id);

	return d && d < m->all + from ? d : NULL;
}

/* NULL: it is not known any more what the run began with. */
static job *make_sample(const memory *m, const match *at, size_t from, const region *r,
	const engine *e)
{
	job *j;

	for (uint32_t k = 0; k < r->live_ins_count; k++)
		if (!find_live_in(m, at->ids[r->n + k], from))
			return NULL;
	j = job_new(r, e);
	for (uint32_t k = 0; k < r->n; k++)
		memcpy((void *)(uintptr_t)j->run[k], m->all[from + k].i,
			m->all[from + k].i->words * sizeof(uint64_t));
	for (uint32_t k = 0; k < r->live_ins_count; k++)
		j->live_ins[k] = find_live_in(m, at->ids[r->n + k], from)->v;
	return j;
}

static job *find_run(const memory *m, match *at, const region *r, const engine *e)
{
	job *j;

	for (size_t from = m->count; from-- > m->given;) {
		if (from + r->n > m->count)
			continue;
		if (runs(m, at, from) && (j = make_sample(m, at, from, r, e)))
			return j;
		match_leave(at);
	}
	return NULL;
}

job *past_sample(const past *p, const region *r, const engine *e)
{
	memory m = { 0 };
	pattern like;
	match at;
	job *j;

	read_all(p, &m);
	pattern_init(&like, r);
	match_init(&at, &like);
	j = find_run(&m, &at, r, e);
	match_fini(&at);
	pattern_fini(&like);
	idmap_fini(&m.ids);
	mem_free(m.all);
	return j;
}
