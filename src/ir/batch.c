/* batch.c: a growing vector of records. */
#include "ir/batch.h"

#include "base/mem.h"

void batch_push(batch *b, const ins *i)
{
	if (b->capacity - b->used < i->words) {
		b->capacity = MAX(2 * b->capacity, (size_t)8 * INS_WORDS_MAX);
		b->words = mem_grow(b->words, b->capacity * sizeof(*b->words));
	}
	memcpy(b->words + b->used, i, i->words * sizeof(*b->words));
	b->used += i->words;
	b->count++;
}

void batch_reset(batch *b)
{
	for (const ins *i = NULL; (i = batch_next(b, i)); )
		if (ins_blob(i))
			blob_drop(ins_blob(i));
	b->used = b->count = 0;
}

void batch_fini(batch *b)
{
	batch_reset(b);
	mem_free(b->words);
	*b = (batch){ 0 };
}
