/* spoil.h: a kernel's code that is made wrong, to see who notices. */
#ifndef WORKER_SPOIL_H
#define WORKER_SPOIL_H

#include "check.h"
#include "group/reference.h"
#include "worker/hot.h"

static const fused_code *spoilt;
static unsigned launches;                /* of it */

/* What it ought to do, and then one element is another one. */
static inline void wrong_kernel(const kernel_call *c)
{
	const group *g = spoilt->g;

	launches++;
	group_run(g, c);
	for (unsigned k = 0; k < g->args_count; k++)
		if (g->args[k].out)
			((float *)c->args[k].data)[7] += 1;
}

/* Wrong from now on, and as unproved as if it were new. */
static inline void spoil_code(fused_code *c)
{
	spoilt = c;
	c->run = wrong_kernel;
	atomic_store(&c->proved, 0);
	launches = 0;
}

/* Code is one a process: leave it as it was. */
static inline void mend_code(fused_code *c)
{
	c->run = NULL;
	atomic_store(&c->barred, false);
}

#endif
