/* map.h: hash maps from 64-bit ids to pointers and from strings to integers. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Open addressing, linear probing, deletion without tombstones. Keys are non-zero. Neighbouring
 * keys share a cache line (ids are counters: the live ones are mostly neighbours), groups of 16 are
 * scattered. */
typedef struct idmap_slot { uint64_t key; void *value; } idmap_slot;
typedef struct idmap { idmap_slot *slots; size_t count, capacity; unsigned shift; } idmap;

void *idmap_get(const idmap *m, uint64_t key);               /* NULL if absent */
void  idmap_put(idmap *m, uint64_t key, void *value);        /* replaces */
void *idmap_take(idmap *m, uint64_t key);                    /* removes; NULL if absent */
void  idmap_fini(idmap *m);
/* for (size_t i = 0; (i = idmap_next(m, i)); ) use m->slots[i - 1] */
size_t idmap_next(const idmap *m, size_t i);

/* Interned strings: the same text gives the same number, counted from 0. Not thread safe. */
typedef struct interner interner;
interner   *interner_new(void);
void        interner_free(interner *in);
uint32_t    interner_put(interner *in, const char *s, size_t n);
const char *interner_get(const interner *in, uint32_t number);   /* NULL if out of range */

#endif
