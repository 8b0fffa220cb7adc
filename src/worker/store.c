/* store.c: slabs of values, and their end. */
#include "worker/store.h"

#include "base/mem.h"

#define SLAB_VALUES 64

struct store_slab {
	struct store_slab *next;
	value values[SLAB_VALUES];
};

static void add_slab(store *s)
{
	struct store_slab *slab = mem_alloc(sizeof *slab);

	slab->next = s->slabs;
	s->slabs = slab;
	/* Backwards, so that values are first handed out in the order of their addresses. */
	for (int k = SLAB_VALUES; k--;) {
		slab->values[k].next = s->idle;
		s->idle = &slab->values[k];
	}
}

value *store_take(store *s)
{
	value *v;

	if (UNLIKELY(!s->idle))
		add_slab(s);
	v = s->idle;
	s->idle = v->next;
	v->s = NULL;
	v->why = NULL;
	v->run = NULL;
	v->id = 0;
	return v;
}

void store_return(store *s, value *v)
{
	if (v->run)
		fused_free(v);
	if (v->s)
		storage_drop(v->s);
	if (UNLIKELY(v->why != NULL))
		failure_drop(v->why);
	v->id = 0;
	v->next = s->idle;
	s->idle = v;
}

bool store_drop(store *s, uint64_t id)
{
	value *v = idmap_take(&s->ids, id);
	store_unfiled *u = s->unfiled;

	if (v)
		store_return(s, v);
	else if (u && id >= u->first && id <= u->last)
		return u->drop(u, id);
	return v;
}

void store_fini(store *s)
{
	struct store_slab *slab = s->slabs, *next;

	for (size_t k = 0; (k = idmap_next(&s->ids, k));)
		store_return(s, s->ids.slots[k - 1].value);
	for (; slab; slab = next) {
		next = slab->next;
		mem_free(slab);
	}
	idmap_fini(&s->ids);
	*s = (store){ 0 };
}
