/* ring.c: the producer's side of the ring, and its memory. */
#include "link/ring.h"

#include "base/mem.h"

#define WORDS_PER_INS 8                    /* a typical instruction has six */
#define WORDS_LEAST (4 * INS_WORDS_MAX)    /* the longest record always fits into an empty ring */

void ring_init(ring *r, uint64_t capacity)
{
	uint64_t size = 1;

	while (size < MAX(capacity * WORDS_PER_INS, (uint64_t)WORDS_LEAST))
		size *= 2;
	*r = (ring){ .size = size, .capacity = capacity };
	r->words = mem_lines(size * sizeof *r->words);
}

void ring_fini(ring *r)
{
	mem_free(r->words);
	r->words = NULL;
}

/* Copy one record to position *tail if it fits before `limit`, filling up the end of the memory
 * first. */
static bool put(ring *r, uint64_t *tail, uint64_t limit, const ins *i)
{
	uint64_t rest = r->size - (*tail & (r->size - 1));
	uint64_t skip = rest < i->words ? rest : 0;

	if (*tail + skip + i->words > limit)
		return false;
	if (skip)
		memcpy(&r->words[r->size - rest], &(uint16_t[4]){ 0, (uint16_t)rest },
			sizeof(uint64_t));
	*tail += skip;
	memcpy(&r->words[*tail & (r->size - 1)], i, i->words * sizeof *r->words);
	*tail += i->words;
	return true;
}

static size_t push_singly(ring *r, const uint64_t *records, size_t n, size_t *taken, uint64_t limit)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	size_t k = 0;

	*taken = 0;
	for (; k < n; k++) {
		const ins *i = (const ins *)(records + *taken);

		if (!put(r, &tail, limit, i))
			break;
		*taken += i->words;
	}
	atomic_store(&r->tail, tail);
	return k;
}

size_t ring_push(ring *r, const uint64_t *records, size_t words, size_t n, size_t *taken)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint64_t at = tail & (r->size - 1), limit = atomic_load(&r->head) + r->size;
	uint64_t room = r->capacity - ring_used(r);

	if (LIKELY(n <= room && at + words <= r->size && tail + words <= limit)) {
		memcpy(&r->words[at], records, words * sizeof *records);
		*taken = words;
		r->pushed += n;
		atomic_store(&r->tail, tail + words);
		return n;
	}
	n = push_singly(r, records, MIN(n, room), taken, limit);
	r->pushed += n;
	return n;
}
