/* evict.h: how much there is, and what goes when it is too much. */
#ifndef CACHE_EVICT_H
#define CACHE_EVICT_H

#include "cache/entry.h"

typedef struct evict_file {
	char name[ENTRY_NAME_MAX];
	cache_kind kind;
	int64_t used;            /* ns since 1970 */
	uint64_t size;           /* bytes it takes on the disk */
} evict_file;

typedef struct evict_list { evict_file *files; size_t count, room; } evict_list;

/* All entries, the least recently used first. Removes what killed writers left behind. False if the
 * directory cannot be read. */
bool evict_scan(int folder, evict_list *list);
void evict_fini(evict_list *list);

/* A file of `size` bytes was written. Returns how many were removed to stay below `limit`. */
uint64_t evict_account(int folder, uint64_t size, uint64_t limit);

#endif
