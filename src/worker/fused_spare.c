/* fused_spare.c: memory for a plan's small results, from run to run.
 *
 * Results with memory of their own are made and freed in every run: losses, norms, parameters of
 * small layers. The allocator's lock, taken twice for each of them, takes as long as computing it.
 * So what goes in a run on its course is kept for a result of the same size. What went last is
 * taken first: it is in the cache.
 */
#include "worker/fused.h"

#define BYTES_MAX 8192           /* of what is kept */

/* The number of a size, from 1 on, or where it could be; 0: there is no room. */
static unsigned number_of(const fused_plan *p, uint64_t bytes)
{
	for (unsigned k = 0; k < COUNT(p->spare_bytes); k++)
		if (p->spare_bytes[k] == bytes || !p->spare_bytes[k])
			return k + 1;
	return 0;
}

void fused_spare_plan(fused_plan *p)
{
	for (uint32_t v = 0; v < p->n; v++) {
		const uint64_t bytes = p->bytes[v];

		if (!p->own[v] || p->f->values.at[v].base != v || !bytes || bytes > BYTES_MAX)
			continue;
		p->spare_of[v] = (uint8_t)number_of(p, bytes);
		if (p->spare_of[v])
			p->spare_bytes[p->spare_of[v] - 1] = (uint32_t)bytes;
	}
}

storage *fused_spare_take(fused_plan *p, uint32_t slot)
{
	fused_spare *s;

	if (!p->spare_of[slot])
		return NULL;
	s = &p->spares[p->spare_of[slot] - 1];
	return s->count ? s->all[--s->count] : NULL;
}

bool fused_spare_keep(fused_plan *p, storage *s)
{
	unsigned number;
	fused_spare *to;

	if (s->size > BYTES_MAX || s->release ||
			__atomic_load_n(&s->refs, __ATOMIC_ACQUIRE) != 1)
		return false;
	number = number_of(p, s->size);
	to = number && p->spare_bytes[number - 1] ? &p->spares[number - 1] : NULL;
	if (!to || to->count == COUNT(to->all))
		return false;
	to->all[to->count++] = s;
	return true;
}

void fused_spare_drop(fused_plan *p)
{
	for (unsigned k = 0; k < COUNT(p->spares); k++)
		storage_drop_all(p->spares[k].all, (unsigned)p->spares[k].count);
}
