/* scope.c: the run at hand, and the regions known. */
#include "hotpath/scope.h"

#include "base/mem.h"

void scopes_init(scopes *s, bool everything)
{
	memset(s, 0, sizeof(*s));
	s->everything = everything;
	stretch_init(&s->run);
	if (everything)
		scopes_begin(s);
}

void scopes_fini(scopes *s)
{
	stretch_fini(&s->run);
}

void scopes_begin(scopes *s)
{
	stretch_begin(&s->run);
	s->open = true;
}

void scopes_spoil(scopes *s)
{
	s->open = false;
	if (s->everything)
		scopes_begin(s);
}

void scopes_op(scopes *s, const record *r)
{
	stretch_op(&s->run, r);
}

void scopes_free(scopes *s, uint64_t id)
{
	if (s->open)
		stretch_free(&s->run, id);
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

static scope_news complete(scopes *s)
{
	const uint64_t signature = region_signature(s->run.list);
	scope_news news = { .region = NULL };
	scope *known = find(s, signature);

	if (!known) {
		known = make_place(s, &news);
		known->signature = signature;
		known->n = s->run.list->n;
		s->fruitless++;
	} else if (known->runs == 1) {
		s->fruitless = 0;
	}
	known->runs++;
	known->last = ++s->clock;
	if (!known->told && (known->runs > 1 || s->fruitless <= SCOPES_FRUITLESS)) {
		known->told = true;
		news.runs = known->runs;
		news.region = stretch_give(&s->run, signature, CUT_SCOPE);
	}
	return news;
}

scope_news scopes_end(scopes *s)
{
	scope_news news = { .region = NULL };

	if (s->open && s->run.list->n)
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
