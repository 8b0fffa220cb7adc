/* cache.h: what one process learns, kept for the next: compiled kernels, and which loops to expect.
 *
 * Values by key, both plain bytes; each entry is a file of its own in one directory. Nothing in
 * here can fail: an entry that is damaged, truncated, somebody else's or cannot be read or written
 * is an entry that is not there. Why is said once, under GT_DEBUG_COMPILE, and counted.
 *
 * What is kept is executed, so the directory must be the user's own and nobody else may write to
 * it; otherwise nothing is read from it. Any number of processes may use it at once: entries appear
 * and vanish whole, and no lock is held for longer than it takes to add up file sizes.
 *
 *	entry    an entry as bytes
 *	folder   the directory: opened with care, files written whole
 *	evict    what goes when there is too much
 *	key      what a kernel's code depends on
 *	kernels  compiled groups
 *	recipe   regions and the shapes seen in them, as bytes
 *	recipes  those of one program
 *	tuned    what max-autotune chose
 *	place    which directory; the process's own cache
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include <gt/error.h>
#include "base/buf.h"

/* What an entry is, the extension of its file. */
typedef enum cache_kind { CACHE_KERNEL, CACHE_RECIPES, CACHE_TUNED, CACHE_KINDS } cache_kind;

#define CACHE_VALUE_MAX (64u << 20)      /* bytes of a key and a value */

typedef struct cache_bytes { const void *data; size_t size; } cache_bytes;

typedef struct cache_stats {
	uint64_t hits[CACHE_KINDS], misses[CACHE_KINDS];         /* of cache_get */
	uint64_t damaged;        /* of the misses: a file was there, of another key or damaged */
	uint64_t puts, lost;     /* written; not written, whatever the reason */
	uint64_t evicted;        /* files that went because there was too much */
	uint64_t bytes_read, bytes_written;      /* of values */
} cache_stats;

typedef struct cache cache;

/* Touches no disk before the first get or put; makes the directory with the first put. `limit` is
 * in bytes of the disk, of all entries together; it may be exceeded by what is written in the
 * moment in which somebody else adds up. */
cache *cache_open(const char *directory, uint64_t limit);
void   cache_close(cache *c);            /* NULL is fine */

/* The process's own, as GT_CACHE_DIR and GT_CACHE_SIZE say; never closed. NULL: it is off. */
cache *cache_shared(void);
/* The directory that GT_CACHE_DIR=`setting` means; NULL: none. Gives (mem_free). */
char *cache_place(const char *setting);

/* Append the value of exactly this key; false: there is none. Any thread. A NULL cache has none. */
bool cache_get(cache *c, cache_kind kind, cache_bytes key, buf *value);
/* Keep it, in the place of an older one. False: it was not kept. Any thread. */
bool cache_put(cache *c, cache_kind kind, cache_bytes key, cache_bytes value);

void cache_stats_of(const cache *c, cache_stats *s);     /* of a NULL cache all 0 */

/* ---- for `gt cache` ---- */

typedef struct cache_file {
	const char *name;        /* of the file, in the directory */
	cache_kind kind;
	uint64_t size;           /* bytes it takes on the disk */
	int64_t used;            /* when it was read or written last: seconds since 1970 */
	const char *wrong;       /* why it is no entry; NULL: it is one, and these are its parts */
	cache_bytes key, value;
} cache_file;

/* Every entry, the least recently used first; looking is no use. GT_EIO if the directory cannot be
 * used; one that does not exist is empty. */
gt_err cache_each(cache *c, void (*each)(void *ctx, const cache_file *f), void *ctx);
/* Remove the file of that name; GT_EIO. Names that are none of an entry are refused. */
gt_err cache_remove(cache *c, const char *name);
const char *cache_directory(const cache *c);

#endif
