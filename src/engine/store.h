/* store.h: memory of tensors: reference-counted storages from a caching allocator with a limit.
 *
 * One allocator a worker. Any thread may hold and drop a storage (exports to NumPy outlive the
 * client); freed blocks go back to size-class lists and are reused without asking the system.
 * Blocks are 64-byte aligned.
 */
#ifndef ENGINE_STORE_H
#define ENGINE_STORE_H

#include <stddef.h>
#include <stdint.h>
#include <gt/error.h>

typedef struct allocator allocator;

typedef struct storage {
	void *data;             /* 64-byte aligned; NULL only if size is 0 */
	size_t size;            /* bytes asked for */
	uint32_t refs;          /* atomic */
	uint32_t size_class;
	allocator *from;
	void (*release)(void *ctx);   /* of foreign memory */
	void *ctx;
} storage;

typedef struct allocator_stats {
	uint64_t live, live_max;      /* bytes in storages handed out, and their high-water mark */
	uint64_t cached;              /* bytes kept for reuse */
	uint64_t limit;
	uint64_t allocations, system_calls;
} allocator_stats;

allocator *allocator_new(uint64_t limit);
/* Frees the cache. Storages still held stay valid; the allocator goes with the last of them. */
void       allocator_free(allocator *a);

/* A storage of `size` bytes with one reference, contents undefined. NULL if the limit would be
 * exceeded even after the cache is emptied, or the system has none (or GT_FAIL_ALLOC says so):
 * the caller words the error. */
storage *storage_new(allocator *a, size_t size);
/* A storage of foreign memory, which counts against the limit all the same: else uploads would
 * be without one. NULL as above; nothing was taken then. */
storage *storage_wrap(allocator *a, void *data, size_t size, void (*release)(void *ctx), void *ctx);
void     storage_hold(storage *s);
void     storage_drop(storage *s);
/* Drop n of them, of one allocator, which is asked once. */
void     storage_drop_all(storage *const *all, unsigned n);
void     allocator_trim(allocator *a);                /* give the cache back to the system */
void     allocator_get_stats(allocator *a, allocator_stats *out);

#endif
