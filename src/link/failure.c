/* failure.c: the shared reason of values that do not exist. */
#include "link/link.h"

#include "base/mem.h"

failure *failure_new(gt_err code, uint32_t site, const char *text)
{
	size_t n = strlen(text) + 1;
	failure *f = mem_alloc(sizeof *f + n);

	atomic_init(&f->refs, 1);
	f->code = code;
	f->site = site;
	memcpy(f->text, text, n);
	return f;
}

void failure_hold(failure *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
}

void failure_drop(failure *f)
{
	if (f && atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) == 1)
		mem_free(f);
}
