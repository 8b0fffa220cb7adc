/* batch.h: instructions behind one another in one piece of memory, as the decoders make them. */
#ifndef IR_BATCH_H
#define IR_BATCH_H

#include "ir/ins.h"

/* All zero is an empty batch. Pushing may move the records: no pointer to one survives it. */
typedef struct batch {
	uint64_t *words;
	size_t used, capacity;   /* in words */
	size_t count;            /* instructions */
} batch;

/* Append a copy of `i`. Takes the reference to its blob. */
void batch_push(batch *b, const ins *i);
/* Drop all instructions with their blobs; reset keeps the memory for the next ones. */
void batch_reset(batch *b);
void batch_fini(batch *b);

/* for (const ins *i = NULL; (i = batch_next(b, i)); ) */
static inline const ins *batch_next(const batch *b, const ins *i)
{
	const uint64_t *next = i ? (const uint64_t *)i + i->words : b->words;

	return b->used && next < b->words + b->used ? (const ins *)next : NULL;
}

#endif
