/* slab.c: where the free lists of slab.h get their memory. */
#include "client/slab.h"

#include "base/mem.h"

#define CHUNK_BYTES 65536

typedef struct slab_chunk { struct slab_chunk *next; char pad[8]; } slab_chunk;

static void open_chunk(slab *s)
{
	slab_chunk *c = mem_alloc(CHUNK_BYTES);

	c->next = s->chunks;
	s->chunks = c;
	s->at = (char *)(c + 1);
	s->end = (char *)c + CHUNK_BYTES;
	SLAB_HIDE(s->at, (size_t)(s->end - s->at));
}

/* What is left of a chunk that is too small for the next object goes to waste: at most 1 in 32. */
void *slab_refill(slab *s, size_t class)
{
	const size_t size = class * SLAB_STEP;
	void *p;

	if (!s->at || size > (size_t)(s->end - s->at))
		open_chunk(s);
	p = s->at;
	s->at += size;
	SLAB_SHOW(p, size);
	return p;
}

void slab_fini(slab *s)
{
	while (s->chunks) {
		slab_chunk *next = s->chunks->next;

		SLAB_SHOW(s->chunks, CHUNK_BYTES);
		mem_free(s->chunks);
		s->chunks = next;
	}
	*s = (slab){ 0 };
}
