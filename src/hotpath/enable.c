/* enable.c: gt_hotpath_enable: a wish that executors look up. */
#include "hotpath/enable.h"

#include <stdatomic.h>
#include <gt/hotpath.h>

static _Atomic uint64_t wish;

void gt_hotpath_enable(uint64_t threshold)
{
	atomic_store_explicit(&wish, threshold ? threshold : UINT64_MAX, memory_order_relaxed);
}

uint64_t hotpath_enabled(void)
{
	return atomic_load_explicit(&wish, memory_order_relaxed);
}
