/* slab.h: a client's small objects (handles, values, nodes) from free lists by size.
 *
 * Everything is given back at once by slab_fini, so a client ends without walking its tape. One
 * thread at a time.
 */
#ifndef CLIENT_SLAB_H
#define CLIENT_SLAB_H

#include <stddef.h>
#include "base/base.h"

#define SLAB_STEP 16
#define SLAB_MAX 2048        /* bytes of the largest object */

typedef struct slab {
	void *free[SLAB_MAX / SLAB_STEP + 1];
	struct slab_chunk *chunks;
	char *at, *end;      /* what is left of the newest chunk */
	size_t live;         /* objects handed out */
} slab;

void *slab_refill(slab *s, size_t class);
void  slab_fini(slab *s);

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_CHECKED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_CHECKED 1
#endif
#endif
#ifdef SLAB_CHECKED
#include <sanitizer/asan_interface.h>
#define SLAB_HIDE(p, n) __asan_poison_memory_region(p, n)
#define SLAB_SHOW(p, n) __asan_unpoison_memory_region(p, n)
#else
#define SLAB_HIDE(p, n) ((void)(p), (void)(n))
#define SLAB_SHOW(p, n) ((void)(p), (void)(n))
#endif

/* An object of `size` <= SLAB_MAX bytes, not cleared. */
static inline void *slab_get(slab *s, size_t size)
{
	const size_t class = (size + SLAB_STEP - 1) / SLAB_STEP;
	void *p = s->free[class];

	s->live++;
	if (UNLIKELY(!p))
		return slab_refill(s, class);
	SLAB_SHOW(p, class * SLAB_STEP);
	s->free[class] = *(void **)p;
	return p;
}

/* Give back what slab_get gave for the same size. */
static inline void slab_put(slab *s, void *p, size_t size)
{
	const size_t class = (size + SLAB_STEP - 1) / SLAB_STEP;

	s->live--;
	*(void **)p = s->free[class];
	s->free[class] = p;
	SLAB_HIDE(p, class * SLAB_STEP);
}

#endif
