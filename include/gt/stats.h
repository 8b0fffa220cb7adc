/* gt/stats.h: what the worker behind a client has done so far. */
#ifndef GT_STATS_H
#define GT_STATS_H

#include <gt/gt.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of the whole worker, which may serve several clients. */
typedef struct gt_worker_stats {
	uint64_t instructions;       /* executed; free and fetch count as well */
	uint64_t products;           /* of them: matrix products */
	uint64_t faults;             /* of them: failed by themselves, not through their inputs */
	uint64_t tensors;            /* alive */
	uint64_t bytes, bytes_max;   /* memory of the tensors alive, and the most it ever was */
} gt_worker_stats;

/* Never waits: call gt_sync() first to count everything that was issued. */
GT_API gt_err gt_stats(gt_client *gt, gt_worker_stats *out);

#ifdef __cplusplus
}
#endif
#endif
