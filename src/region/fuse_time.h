/* fuse_time.h: what the steps of a fusion take: each is run several times over, on one thread and on
 * memory from malloc, with its inputs there. */
#ifndef REGION_FUSE_TIME_H
#define REGION_FUSE_TIME_H

#include "region/fuse.h"

typedef struct fuse_timer fuse_timer;

/* `run` and `live_ins` (element 0 of each) are those of fusion_run_reference and have to stay. */
fuse_timer *fuse_timer_open(const fusion *f, const engine *e, const ins *const *run,
	void *const *live_ins);
void        fuse_timer_close(fuse_timer *t);     /* NULL is fine */

/* Run step `step`, of a kernel by that code (NULL: the interpreter), and say how long it takes, ns
 * of this thread's CPU time, the least of some. Steps in order first; then any of them again. */
gt_err fuse_timer_step(fuse_timer *t, uint32_t step, kernel_fn *code, uint64_t *ns);

#endif
