/* gt/stats.h: what the worker behind a client has done so far. */
#ifndef GT_STATS_H
#define GT_STATS_H

#include <gt/gt.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GT_TOP_SEQUENCES 8

/* A loop that was found in what a client executes. */
typedef struct gt_sequence {
	uint64_t hash;               /* of its operations and their wiring; 48 bits */
	uint64_t runs;
	uint32_t operations;
	bool hot;
} gt_sequence;

/* Of the whole worker, which may serve several clients. */
typedef struct gt_worker_stats {
	int worker;                  /* its number */
	uint64_t instructions;       /* executed; free and fetch count as well */
	uint64_t products;           /* of them: matrix products */
	uint64_t faults;             /* of them: failed by themselves, not through their inputs */
	uint64_t tensors;            /* alive */
	uint64_t bytes, bytes_max;   /* memory of the tensors alive, and the most it ever was */

	/* Instructions with a result: executed one by one, or by compiled code. */
	struct { uint64_t total, eager, compiled; } operations;

	/* Hot paths. A batch is one run of a loop, replayed or not; the runs before a loop was
	 * known to be one are counted when it is found. */
	struct {
		uint64_t total_batches;
		uint64_t hot_batches_executed;       /* those after the threshold */
		uint64_t unique_patterns, hot_paths; /* loops; those that are hot */
		uint64_t hot_threshold;              /* 0: loops are not looked for */
		uint64_t total_instructions;         /* operations since they are */
		uint64_t hot_instructions;           /* of them: replayed */
		double coverage;                     /* their share, 0 .. 1 */
		uint64_t matches;                    /* runs that were replayed whole */
		uint64_t passengers;                 /* foreign operations in the middle of runs */
		uint64_t exits;                      /* runs that broke off */
		uint64_t demotions, blacklisted;     /* slower than one by one: for a while, for good */
		unsigned sequences;                  /* how many of these: */
		gt_sequence top_sequences[GT_TOP_SEQUENCES];
	} hotpath;

	/* Compiled code. A kernel is what a fused group of operations becomes; a loop needs
	 * several, and other loops, or other shapes, may need the same ones. */
	struct {
		uint64_t cache_size;                 /* kernels that this process has */
		uint64_t cache_hits, cache_misses;   /* kernels asked for that it had, or not */
		double hit_rate;                     /* share of the hits, 0 .. 1 */
		uint64_t persistent_hits;            /* of the misses: found on the disk */
		uint64_t compiles;                   /* the others: made by the compiler */
		uint64_t failures;                   /* loops that could not be compiled */
		uint64_t recompiles;                 /* loops once more: other shapes, results that are read */
		uint64_t demotions, blacklisted;     /* compiled loops no faster than replayed ones */
		double compile_seconds;              /* of a background thread */
		uint64_t kernels;                    /* launched */
		uint64_t launches_saved;             /* compared with one launch an operation */
		uint64_t bytes_saved;                /* results that were never written */
	} compilation;
} gt_worker_stats;

/* Does not wait for what was issued: call gt_sync() first to count all of it. What was executed is
 * looked through for loops first. */
GT_API gt_err gt_stats(gt_client *gt, gt_worker_stats *out);

/* What the worker knows of the loops in what this client issued, as text for people: for each its
 * operations with their places in the program, how often it ran, whether it is replayed or why not;
 * what it was compiled to, a line a kernel, and why kernels end where they do. Waits for what was
 * issued. Writes at most `size` bytes, the end included, and returns the length of the whole text,
 * as snprintf does; 0 is an error.
 *
 *	gt_explain(gt, text, sizeof text);
 *	gt_explain(gt, text, sizeof text, .kernel = "add_relu_3f2a91c0"); */
typedef struct gt_explain_options {
	bool full;                   /* each loop before and after it was simplified, step by step */
	const char *kernel;          /* only that kernel: its operations, LLVM's representation of it
	                                and the assembly, which are made anew for that; if there is
	                                none of that name, the names of all */
} gt_explain_options;
GT_API size_t gt_explain_with(gt_client *gt, char *text, size_t size, gt_explain_options options);
#define gt_explain(gt, text, size, ...) \
	gt_explain_with(gt, text, size, (gt_explain_options){ __VA_ARGS__ })

#ifdef __cplusplus
}
#endif
#endif
