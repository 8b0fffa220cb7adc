/* side.c: the stretch at hand, and those that came before. */
#include "hotpath/side.h"

#include "base/mem.h"
#include "hotpath/mix.h"

void sides_init(sides *s, uint64_t threshold, uint64_t min_seq)
{
	memset(s, 0, sizeof(*s));
	s->enough = MIN(threshold, SIDES_RUNS);
	s->min_seq = MAX(min_seq, 1);
	stretch_init(&s->run);
}

void sides_fini(sides *s)
{
	stretch_fini(&s->run);
}

void sides_begin(sides *s, side_place where)
{
	s->open = true;
	s->place = where;
	stretch_begin(&s->run);
}

void sides_op(sides *s, const record *r)
{
	stretch_op(&s->run, r);
	if (s->run.list->n > SIDE_OPS_MAX)
		sides_spoil(s);
}

void sides_free(sides *s, uint64_t id)
{
	if (s->open)
		stretch_free(&s->run, id);
}

void sides_spoil(sides *s)
{
	s->open = false;
}

/* The same ops behind another place are another side. */
static uint64_t signature_of(const sides *s)
{
	const uint64_t ops = region_signature(s->run.list);
	const uint64_t all = mix(mix(ops, s->place.of), s->place.at) >> 16;

	return all ? all : 1;
}

static side *find(sides *s, uint64_t signature)
{
	for (unsigned k = 0; k < SIDES_MAX; k++)
		if (s->known[k].signature == signature)
			return &s->known[k];
	return NULL;
}

/* A place for one that is new; the one that was not seen for longest goes, but its plan stays. */
static side *make_place(sides *s, uint64_t signature)
{
	side *to = &s->known[0];

	for (unsigned k = 1; k < SIDES_MAX && to->signature; k++)
		if (!s->known[k].signature || s->known[k].last < to->last)
			to = &s->known[k];
	*to = (side){ .signature = signature, .eager = UINT64_MAX };
	return to;
}

static side_news complete(sides *s, uint64_t ns)
{
	const uint64_t signature = signature_of(s);
	side_news news = { .place = s->place };
	side *known = find(s, signature);

	if (!known)
		known = make_place(s, signature);
	known->last = ++s->clock;
	known->eager = MIN(known->eager, ns ? ns : UINT64_MAX);
	if (++known->runs < s->enough || known->told)
		return news;
	known->told = true;
	news.runs = known->runs;
	news.eager = known->eager;
	news.region = stretch_give(&s->run, signature, CUT_SIDE);
	return news;
}

side_news sides_end(sides *s, uint64_t ns)
{
	side_news news = { .region = NULL };

	if (s->open && s->run.list->n >= s->min_seq)
		news = complete(s, ns);
	s->open = false;
	return news;
}

void sides_forget(sides *s, uint64_t signature)
{
	side *known = find(s, signature);

	if (known)
		memset(known, 0, sizeof(*known));
}
