/* ring.h: a bounded queue of instruction records between one producer and one consumer.
 *
 * Positions count words and instructions since the beginning and never wrap; the place of a word is
 * its position modulo the size. A record is never cut in two: where one does not fit before the
 * end, a record with op 0 fills the rest. The consumer reads records in place and gives room back
 * in slices, not one by one.
 */
#ifndef LINK_RING_H
#define LINK_RING_H

#include <stdatomic.h>
#include "ir/ins.h"

typedef struct ring {
	uint64_t *words;
	uint64_t size;                                 /* words, a power of two */
	uint64_t capacity;                             /* instructions */

	_Alignas(CACHE_LINE) _Atomic uint64_t tail;    /* words pushed */
	uint64_t pushed;                               /* instructions pushed; producer only */

	_Alignas(CACHE_LINE) _Atomic uint64_t head;    /* words given back */
	_Atomic uint64_t released;                     /* instructions given back */
	uint64_t at, done;                             /* consumer only: next word, count */
	uint64_t seen;                                 /* consumer only: the tail as last seen */
} ring;

void ring_init(ring *r, uint64_t capacity);
void ring_fini(ring *r);

/* Producer: push the first records of `words` words, `n` instructions, as far as there is room.
 * Returns how many instructions went in, and their words in *taken. */
size_t ring_push(ring *r, const uint64_t *records, size_t words, size_t n, size_t *taken);

/* Producer: instructions in the ring, at most. */
static inline uint64_t ring_used(ring *r)
{
	return r->pushed - atomic_load(&r->released);
}

/* Consumer: the next record, NULL if there is none. Valid until ring_release. */
static inline const ins *ring_next(ring *r)
{
	for (;;) {
		const ins *i;

		if (r->at == r->seen && r->at == (r->seen = atomic_load(&r->tail)))
			return NULL;
		i = (const ins *)&r->words[r->at & (r->size - 1)];
		if (LIKELY(i->op))
			return i;
		r->at += i->words;
	}
}

/* Consumer: the record behind the one that ring_next returned (*at == 0), or behind the one at *at,
 * as far as the ring is known already; NULL if there is none. */
static inline const ins *ring_after(const ring *r, uint64_t *at)
{
	const ins *i = (const ins *)&r->words[(*at ? *at : r->at) & (r->size - 1)];

	*at = (*at ? *at : r->at) + i->words;
	while (*at != r->seen) {
		i = (const ins *)&r->words[*at & (r->size - 1)];
		if (LIKELY(i->op))
			return i;
		*at += i->words;
	}
	return NULL;
}

/* Consumer: words from the record that ring_next returned on, as far as the ring is known
 * already. */
static inline uint64_t ring_ahead(const ring *r)
{
	return r->seen - r->at;
}

/* Consumer: done with what ring_next returned; its bytes stay until ring_release. */
static inline void ring_pop(ring *r, const ins *i)
{
	r->at += i->words;
	r->done++;
}

/* Consumer: give back the room of everything popped. Sequentially consistent, see line.h. */
static inline void ring_release(ring *r)
{
	atomic_store_explicit(&r->head, r->at, memory_order_release);
	atomic_store(&r->released, r->done);
}

#endif
