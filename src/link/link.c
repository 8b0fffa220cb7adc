/* link.c: references on a link. */
#include "link/link.h"

void link_hold(struct link *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
}

void link_drop(struct link *l)
{
	if (atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) == 1)
		l->ops->free(l);
}
