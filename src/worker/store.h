/* store.h: the values of one session on one worker, by id. */
#ifndef WORKER_STORE_H
#define WORKER_STORE_H

#include "base/map.h"
#include "engine/engine.h"
#include "link/link.h"

#define STORE_VALUES_MAX (1u << 20)   /* live tensors of a session */

/* A tensor, or (why != NULL) the reason why there is none: then only why, op, id and meta.rank
 * count. Values lie in slabs that go with the store: a pointer to one that was dropped can be
 * looked at, and its id tells. */
typedef struct value {
	view v;
	storage *s;
	failure *why;
	uint64_t id;             /* 0: not filed */
	uint16_t op;             /* what made it */
	uint32_t slot;           /* .. of the fused run that makes it, or has made it: */
	struct fused_run *run;   /* NULL: none. With neither s nor why the value is pending */
	struct value *next;      /* on the free list */
} value;

/* Values that have no place in the table, because most likely nobody asks for them before they are
 * freed (leap.h): who knows them files them one by one when somebody does. */
typedef struct store_unfiled {
	uint64_t first, last;    /* their ids are among these */
	uint64_t count;          /* of them; not 0 */
	value *(*file)(struct store_unfiled *u, uint64_t id);    /* NULL: it is none of them */
	bool (*drop)(struct store_unfiled *u, uint64_t id);      /* false: the same */
} store_unfiled;

/* Ids point to values; values come from slabs that go with the store. */
typedef struct store {
	idmap ids;
	store_unfiled *unfiled;  /* NULL: there are none */
	uint64_t highest;        /* id that was ever filed */
	value *idle;
	struct store_slab *slabs;
} store;

void store_fini(store *s);

/* fused_run.c: compute what is pending, by its run (fused.h); its tensor is freed. */
value *fused_resolve(value *v);
value *fused_read(value *v);             /* the same for a client that asks for it */
void   fused_free(value *v);
/* fused_run.c: who keeps a small part of a plan's memory would keep all of it. The value of a run
 * gets memory of its own, if that is so, and there is any. */
void   fused_move_out(value *v);

static inline bool store_pends(const value *v)
{
	return !v->s && !v->why && v->run;
}

/* What is filed under `id`, if anything, be it pending. */
static inline value *store_find(const store *s, uint64_t id)
{
	value *v = idmap_get(&s->ids, id);
	store_unfiled *u = s->unfiled;

	return UNLIKELY(!v && u) && id >= u->first && id <= u->last ? u->file(u, id) : v;
}

/* The same for an id that a result is to have: mostly it is higher than any before. */
static inline value *store_taken(const store *s, uint64_t id)
{
	return LIKELY(id > s->highest) ? NULL : store_find(s, id);
}

/* Every look at a value goes through here or through store_hint. */
static inline value *store_get(const store *s, uint64_t id)
{
	value *v = store_find(s, id);

	return UNLIKELY(v && store_pends(v)) ? fused_resolve(v) : v;
}

/* The same where `v` (NULL, or any value of this store) may well be it. */
static inline value *store_hint(const store *s, value *v, uint64_t id)
{
	return LIKELY(v && v->id == id && !store_pends(v)) ? v : store_get(s, id);
}

/* A value without contents, known to nobody yet; store_put gives it an id that is not in use,
 * store_return takes it back. */
value *store_take(store *s);
void   store_return(store *s, value *v);
static inline void store_put(store *s, uint64_t id, value *v)
{
	v->id = id;
	s->highest = id > s->highest ? id : s->highest;
	idmap_put(&s->ids, id, v);
}

/* Forget `id`; false if it is unknown. */
bool store_drop(store *s, uint64_t id);

/* One more reference to the storage of a value; if nobody else has one, nobody else can change the
 * count. */
static inline void store_hold(storage *s)
{
	if (__atomic_load_n(&s->refs, __ATOMIC_ACQUIRE) == 1)
		__atomic_store_n(&s->refs, 2, __ATOMIC_RELAXED);
	else
		storage_hold(s);
}

static inline uint64_t store_count(const store *s)
{
	return s->ids.count + (s->unfiled ? s->unfiled->count : 0);
}

#endif
