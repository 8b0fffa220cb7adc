/* hot_past.c: a loop's last eager run, found again and made a sample. */
#include "worker/hot_past.h"

#include "base/map.h"
#include "base/mem.h"
#include "hotpath/match.h"
#include "ir/shape.h"

void past_fini(past *p)
{
	for (unsigned k = 0; k < PAST_CHUNKS; k++)
		mem_free(p->chunks[k]);
}

/* An instruction lies in one chunk; what is left of the one before is zeros, which are no op. */
void past_put_slow(past *p, const ins *i)
{
	uint32_t at = atomic_load_explicit(&p->written, memory_order_relaxed);

	if (at % PAST_CHUNK + i->words > PAST_CHUNK)
		at = ALIGN_UP(at, PAST_CHUNK);
	if (at < PAST_WORDS) {
		uint64_t **chunk = &p->chunks[at / PAST_CHUNK];

		if (!*chunk)
			*chunk = mem_zero(PAST_CHUNK * sizeof **chunk);
		memcpy(*chunk + at % PAST_CHUNK, i, i->words * sizeof **chunk);
		at += i->words;
	}
	atomic_store_explicit(&p->written, at, memory_order_release);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* An op that ran, and what its result looked like. */
typedef struct done {
	const ins *i;
	view v;                          /* without data */
	uint64_t metas;
	bool known;
} done;

typedef struct memory {
	done *all;
	size_t count, room;
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

static void read_all(const past *p, memory *m)
{
	const uint32_t end = atomic_load_explicit(&p->written, memory_order_acquire);

	for (uint32_t at = 0; at < end;) {
		const ins *i = (const ins *)(p->chunks[at / PAST_CHUNK] + at % PAST_CHUNK);
		done *d;

		if (!i->op) {
			at = ALIGN_UP(at + 1, PAST_CHUNK);
			continue;
		}
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

	for (size_t from = m->count; from-- > 0;) {
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
