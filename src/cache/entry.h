/* entry.h: an entry of the cache as bytes.
 *
 *	"GTCACHE", u8 version     ENTRY_VERSION
 *	u32 kind                  cache_kind
 *	u32 size of the key
 *	u64 size of the value
 *	key, value
 *	16 bytes                  XXH3-128 of all that comes before
 *
 * Little endian. The file's name is the XXH3-128 of the key. The whole key is kept and compared, so
 * two keys of one hash are a miss and no wrong answer.
 */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include "cache/cache.h"

#define ENTRY_VERSION 1
#define ENTRY_HEAD 24
#define ENTRY_SUM  16
#define ENTRY_NAME_MAX 48
#define CACHE_FILE_MAX (ENTRY_HEAD + CACHE_VALUE_MAX + ENTRY_SUM)

typedef struct entry {
	cache_kind kind;
	cache_bytes key, value;
} entry;

void entry_encode(const entry *e, buf *to);
/* What is wrong with it, NULL if nothing is; key and value point into the data. */
const char *entry_decode(const void *data, size_t size, entry *e);

/* The file's name: 32 hexadecimal digits and the kind. Returns name. */
const char *entry_name(cache_kind kind, cache_bytes key, char name[ENTRY_NAME_MAX]);
/* Whether a file of that name may be an entry; of which kind. */
bool entry_is_name(const char *name, cache_kind *kind);

static inline bool entry_same(cache_bytes a, cache_bytes b)
{
	return a.size == b.size && (!a.size || !__builtin_memcmp(a.data, b.data, a.size));
}

#endif
