/* scope.c: the list of the run at hand, and the regions known. */
#include "hotpath/scope.h"

#include "base/mem.h"

#define FIRST_ROOM 64u

void scopes_init(scopes *s, bool everything)
{
	memset(s, 0, sizeof(*s));
	s->everything = everything;
	s->list = mem_zero(sizeof(*s->list));
	if (everything)
		scopes_begin(s);
}

void scopes_fini(scopes *s)
{
	region_free(s->list);
	scratch_fini(&s->made);
	scratch_fini(&s->bound);
}

void scopes_begin(scopes *s)
{
	s->list->n = s->list->inputs_count = s->list->live_ins_count = 0;
	scratch_begin(&s->made, FIRST_ROOM);
	scratch_begin(&s->bound, FIRST_ROOM);
	s->open = true;
}

void scopes_spoil(scopes *s)
{
	s->open = false;
	if (s->everything)
		scopes_begin(s);
}

/* ---- the list ------------------------------------------------------------------------------- */

static int32_t live_in(scopes *s, uint64_t id)
{
	region *r = s->list;
	uint32_t m = scratch_get(&s->bound, id);

	if (m == SCRATCH_NONE) {
		VEC_ROOM(r->live_ins, r->live_ins_count, s->live_ins_room);
		m = r->live_ins_count++;
		r->live_ins[m] = (region_live_in){ r->n, REGION_NEVER };
		scratch_put(&s->bound, id, m);
	}
	return (int32_t)~m;
}

static int32_t input_of(scopes *s, const record *from, unsigned k)
{
	uint32_t p;

	if (record_scalar(from, k))
		return REGION_SCALAR;
	p = scratch_get(&s->made, from->in[k]);
	if (p == SCRATCH_NONE)
		return live_in(s, from->in[k]);
	s->list->ops[p].last_use = s->list->n;
	return (int32_t)p;
}

void scopes_op(scopes *s, const record *from)
{
	region *r = s->list;
	region_op *o;

	VEC_ROOM(r->ops, r->n, s->ops_room);
	o = &r->ops[r->n];
	*o = (region_op){ .op = from->op, .kinds = from->kinds, .nin = from->nin,
		.nopd = from->nopd, .live_out = true, .site = from->site, .size = from->size,
		.first = r->inputs_count, .last_use = REGION_NEVER, .freed = REGION_NEVER,
		.attr = from->attr, .metas = from->metas };
	for (unsigned k = 0; k < from->nin; k++) {
		const int32_t in = input_of(s, from, k);

		VEC_ROOM(r->inputs, r->inputs_count, s->inputs_room);
		r->inputs[r->inputs_count++] = in;
	}
	scratch_put(&s->made, from->out, r->n++);
}

void scopes_free(scopes *s, uint64_t id)
{
	const uint32_t p = s->open && s->list->n ? scratch_get(&s->made, id) : SCRATCH_NONE;

	if (p == SCRATCH_NONE)
		return;
	s->list->ops[p].live_out = false;
	s->list->ops[p].freed = s->list->n - 1;
}

/* ---- regions -------------------------------------------------------------------------------- */

static scope *find(scopes *s, uint64_t signature)
{
	for (unsigned k = 0; k < SCOPES_MAX; k++)
		if (s->known[k].n && s->known[k].signature == signature)
			return &s->known[k];
	return NULL;
}

static scope *oldest(scopes *s)
{
	scope *to = &s->known[0];

	for (unsigned k = 1; k < SCOPES_MAX && to->n; k++)
		if (!s->known[k].n || s->known[k].last < to->last)
			to = &s->known[k];
	return to;
}

/* A place for a new region; who had it goes. */
static scope *make_place(scopes *s, scope_news *news)
{
	scope *to = oldest(s);

	if (to->told)
		news->retired = *to;
	memset(to, 0, sizeof(*to));
	return to;
}

/* The list is given away, as a region of its own. */
static region *give_list(scopes *s)
{
	region *r = s->list;

	s->list = mem_zero(sizeof(*s->list));
	s->ops_room = s->inputs_room = s->live_ins_room = 0;
	r->cut_why = CUT_SCOPE;
	r->cut_unique = true;
	return r;
}

static scope_news complete(scopes *s)
{
	const uint64_t signature = region_signature(s->list);
	scope_news news = { .region = NULL };
	scope *known = find(s, signature);

	if (!known) {
		known = make_place(s, &news);
		known->signature = signature;
		known->n = s->list->n;
		s->fruitless++;
	} else if (known->runs == 1) {
		s->fruitless = 0;
	}
	known->runs++;
	known->last = ++s->clock;
	if (!known->told && (known->runs > 1 || s->fruitless <= SCOPES_FRUITLESS)) {
		known->told = true;
		news.runs = known->runs;
		news.region = give_list(s);
		news.region->signature = signature;
	}
	return news;
}

scope_news scopes_end(scopes *s)
{
	scope_news news = { .region = NULL };

	if (s->open && s->list->n)
		news = complete(s);
	scopes_spoil(s);
	return news;
}

bool scopes_told(scopes *s, uint64_t signature)
{
	const scope *known = find(s, signature);

	return known && known->told;
}

bool scopes_replay(scopes *s, uint64_t signature)
{
	scope *known = find(s, signature);

	if (!known)
		return false;
	known->runs++;
	known->last = ++s->clock;
	return true;
}
