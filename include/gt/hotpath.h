/* gt/hotpath.h: the hot path detector on its own: tell it what a program does, and it says what
 * repeats. It executes nothing and needs no client. One thread at a time. */
#ifndef GT_HOTPATH_H
#define GT_HOTPATH_H

#include <stddef.h>
#include <stdint.h>
#include <gt/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gt_hotpath gt_hotpath;

typedef struct gt_hotpath_counts {
	uint64_t total_batches;          /* iterations and runs of loops that were found */
	uint64_t hot_batches_executed;   /* of them: those after the threshold */
	uint64_t unique_patterns, hot_paths;
	uint64_t hot_threshold;
	uint64_t total_instructions;
} gt_hotpath_counts;

/* What was seen `threshold` times is hot. `shape_agnostic`: shapes are no part of an iteration.
 * NULL if the threshold is 0. gt_hotpath_free(NULL) does nothing. */
GT_API gt_hotpath *gt_hotpath_new(uint64_t threshold, int shape_agnostic);
GT_API void gt_hotpath_free(gt_hotpath *h);

/* Iterations that the program marks itself, of any length. An operation outside of one begins it;
 * beginning one forgets what was recorded since the last end. End returns 1 once the same iteration
 * was seen often enough, else 0; gt_hotpath_should_compile tells again. */
GT_API void gt_hotpath_begin(gt_hotpath *h);
GT_API int gt_hotpath_end(gt_hotpath *h);
GT_API int gt_hotpath_should_compile(const gt_hotpath *h);

/* An operation by name and input shape (rank < 0: unknown). */
GT_API void gt_hotpath_operation(gt_hotpath *h, const char *name, const int64_t *dims, int rank);

/* An instruction with its place in the graph: loops are found without marks, by wiring, whatever
 * the values are called. *hot: it belongs to a hot loop, whose length goes to *length (else 0);
 * both may be NULL. Inside a marked iteration it is part of that too. At most 64 inputs
 * (GT_ELIMIT). Names are remembered until gt_hotpath_free. */
GT_API gt_err gt_hotpath_instruction(gt_hotpath *h, const char *type, const char *name,
	const char *result, const char *const *inputs, size_t n, int *hot, size_t *length);

GT_API void gt_hotpath_count(gt_hotpath *h, gt_hotpath_counts *to);

/* Look for hot paths in what this process executes, as GT_AUTO_COMPILE=1 does; also after workers
 * have started: they begin with their next instruction. A threshold of 0 is GT_HOTPATH_THRESHOLD's.
 * Any thread. */
GT_API void gt_hotpath_enable(uint64_t threshold);

#ifdef __cplusplus
}
#endif
#endif
