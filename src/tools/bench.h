/* bench.h: what `gt bench compile` measures, computes and prints. */
#ifndef TOOLS_BENCH_H
#define TOOLS_BENCH_H

#include <gt/gt.h>
#include <gt/stats.h>
#include "base/buf.h"

#define BENCH_ITERATIONS_MAX 10000
#define BENCH_KEPT_MAX       8

/* The commands behind `gt bench`: argv[0] is the benchmark's name; they return an exit status. */
int bench_compile(int argc, char **argv);

/* ---- bench_work.c: what is repeated ---- */

typedef struct bench_state {
	gt_client *gt;
	gt_tensor *kept[BENCH_KEPT_MAX];     /* made once */
} bench_state;

typedef struct bench_work {
	const char *name;
	bool pattern;                        /* shown in the table of patterns, not as a block */
	void (*make)(bench_state *s);        /* may be NULL */
	/* One iteration, inside a scope; the value that is read. */
	gt_tensor *(*step)(bench_state *s);
} bench_work;

extern const bench_work bench_works[];
extern const size_t bench_work_count;

/* ---- bench_figures.c: arithmetic and text ---- */

/* What one process measured. */
typedef struct bench_run {
	double wait;                         /* seconds for pending compilations after the warm-up */
	unsigned settled;                    /* iterations between warm-up and steady state, in .. */
	double settling;                     /* .. so many seconds */
	double launches;                     /* kernels an iteration, in the steady state */
	gt_worker_stats stats;
	double times[BENCH_ITERATIONS_MAX];  /* seconds of each iteration */
} bench_run;

typedef struct bench_phase {
	unsigned count;                      /* iterations */
	double eager, compiled;              /* seconds of all of them */
	double eager_least, compiled_least;  /* of one */
} bench_phase;

typedef struct bench_figures {
	const char *name;
	unsigned iterations, warmup;
	bench_phase warm, steady, total;
	double wait;                         /* for compiled code, and what settling cost */
	unsigned break_even;                 /* iteration, from 1; 0: not within these */
	double projected;                    /* the same, beyond them if need be; 0: never */
	const bench_run *eager, *compiled;
} bench_figures;

double bench_speedup(const bench_phase *p);
/* The first iteration from whose end on the compiled total stays at or below the eager one; 0 if
 * it does not get there. The wait comes after the warm-up. */
unsigned bench_break_even(const double *eager, const double *compiled, unsigned n,
		unsigned warmup, double wait);
/* What compiling cost between warm-up and steady state, in seconds: the wait, and what settling
 * took beyond as many iterations of the eager run. */
double bench_wait(const bench_run *eager, const bench_run *compiled);
/* Everything about one workload; keeps pointers to the runs. 0 < warmup < iterations. */
bench_figures bench_figure(const char *name, unsigned iterations, unsigned warmup,
		const bench_run *eager, const bench_run *compiled);

/* "1.650s", "12.345ms", "4.2µs" into `to`; returns it. */
#define BENCH_TIME_MAX 32
const char *bench_time(double seconds, char to[BENCH_TIME_MAX]);

void bench_print(const bench_figures *f, buf *out);
void bench_print_patterns(const bench_figures *f, size_t n, buf *out);
void bench_print_summary(const bench_figures *f, size_t n, buf *out);
void bench_print_json(const bench_figures *f, size_t n, buf *out);

#endif
