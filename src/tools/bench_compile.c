/* bench_compile.c: `gt bench compile`, what compiling hot paths costs and brings, from C.
 *
 * Each workload runs twice, in processes of their own: settings are read once in a process, and
 * neither run inherits what the other found. A child sends a bench_run through a pipe; what is made
 * of two of them stands in bench_figures.c.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "tools/bench.h"
#include "tools/tools.h"

enum { ITERATIONS = 100, QUICK = 30, WARMUP = 5 };

/* Fresh code is proved, then compared with the other ways to run the loop: that takes a hundred
 * runs or two. */
#define SETTLING         256
#define SETTLING_SECONDS 1.0     /* at most, where iterations are long */

typedef struct options {
	const char *wanted;              /* part of a workload's name; NULL: all */
	unsigned iterations;
	bool json;
} options;

/* ---- the child ---- */

static double seconds_since(uint64_t begin)
{
	return (double)(clock_ns() - begin) / 1e9;
}

static void iterate(const bench_work *w, bench_state *s, double *times, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		const uint64_t begin = clock_ns();
		gt_scope *scope = gt_scope_begin(s->gt);

		gt_item(w->step(s));
		gt_scope_end(scope);
		times[k] = seconds_since(begin);
	}
}

/* Seconds until what the iterations so far made hot is compiled. */
static double wait_for_compiler(gt_client *gt)
{
	const uint64_t begin = clock_ns();

	gt_compile_wait(gt);
	return seconds_since(begin);
}

/* Kernels started so far: one an operation, but for those that compiled code spared. */
static uint64_t launches_of(const gt_worker_stats *s)
{
	return s->operations.total - s->compilation.launches_saved;
}

/* Iterations that are not part of the steady state, of the eager run as many: see bench_wait. */
static void settle(const bench_work *w, bench_state *s, bench_run *r)
{
	while (r->settled < SETTLING && r->settling < SETTLING_SECONDS) {
		double seconds;

		iterate(w, s, &seconds, 1);
		r->settling += seconds;
		r->settled++;
	}
}

static double measure_steady(const bench_work *w, bench_state *s, bench_run *r, unsigned n)
{
	gt_worker_stats before;

	gt_stats(s->gt, &before);
	iterate(w, s, r->times + WARMUP, n);
	gt_sync(s->gt);
	gt_stats(s->gt, &r->stats);
	return (double)(launches_of(&r->stats) - launches_of(&before)) / n;
}

/* The whole run; false with gt_last_error() set. */
static bool measure_here(const bench_work *w, bench_run *r, unsigned iterations)
{
	bench_state s = { .gt = gt_open(NULL) };

	if (!s.gt)
		return false;
	if (w->make)
		w->make(&s);
	iterate(w, &s, r->times, WARMUP);
	r->wait = wait_for_compiler(s.gt);
	settle(w, &s, r);
	r->wait += wait_for_compiler(s.gt);     /* what was found meanwhile */
	r->launches = measure_steady(w, &s, r, iterations - WARMUP);
	for (unsigned k = 0; k < BENCH_KEPT_MAX; k++)
		gt_drop(s.kept[k]);
	gt_close(s.gt);
	return !gt_last_error_code();
}

/* Settings of the run, for those that the user did not choose: hot before the warm-up ends. */
static void choose_settings(bool compile)
{
	char threshold[16];

	snprintf(threshold, sizeof threshold, "%d", WARMUP - 2);
	setenv("GT_AUTO_COMPILE", compile ? "1" : "0", true);
	setenv("GT_HOTPATH_THRESHOLD", threshold, false);
	setenv("GT_QUIET", "1", false);
}

static bool write_all(int fd, const void *from, size_t n)
{
	const char *p = from;

	while (n) {
		const ssize_t some = write(fd, p, n);

		if (some < 0 && errno != EINTR)
			return false;
		p += some > 0 ? some : 0;
		n -= some > 0 ? (size_t)some : 0;
	}
	return true;
}

static int run_child(const bench_work *w, unsigned iterations, bool compile, int fd)
{
	bench_run *r = mem_zero(sizeof *r);
	int status = EXIT_WRONG;

	choose_settings(compile);
	if (!measure_here(w, r, iterations))
		tool_fail(EXIT_WRONG, "%s: %s", w->name, gt_last_error());
	else if (write_all(fd, r, sizeof *r))
		status = EXIT_DONE;
	mem_free(r);
	return status;
}

/* ---- the parent ---- */

static bool read_all(int fd, void *to, size_t n)
{
	char *p = to;

	while (n) {
		const ssize_t some = read(fd, p, n);

		if (!some || (some < 0 && errno != EINTR))
			return false;
		p += some > 0 ? some : 0;
		n -= some > 0 ? (size_t)some : 0;
	}
	return true;
}

/* One run in a process of its own; false: it failed and has said why. */
static bool measure(const bench_work *w, unsigned iterations, bool compile, bench_run *to)
{
	int ends[2], status;
	bool whole;
	pid_t child;

	fflush(NULL);
	if (pipe(ends) || (child = fork()) < 0) {
		tool_fail(EXIT_WRONG, "%s: %s", w->name, strerror(errno));
		return false;
	}
	if (!child) {
		close(ends[0]);
		_exit(run_child(w, iterations, compile, ends[1]));
	}
	close(ends[1]);
	whole = read_all(ends[0], to, sizeof *to);
	close(ends[0]);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (whole && WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	if (!WIFEXITED(status))
		tool_fail(EXIT_WRONG, "%s: its process was ended by signal %d", w->name,
			WTERMSIG(status));
	return false;
}

static bool is_wanted(const options *o, const bench_work *w)
{
	return !o->wanted || strcasestr(w->name, o->wanted);
}

/* Both runs of every wanted workload; how many there are, or -1. */
static int measure_all(const options *o, bench_run *runs, bench_figures *to)
{
	int n = 0;

	for (size_t k = 0; k < bench_work_count; k++) {
		bench_run *eager = &runs[2 * n], *compiled = eager + 1;

		if (!is_wanted(o, &bench_works[k]))
			continue;
		if (!measure(&bench_works[k], o->iterations, false, eager) ||
				!measure(&bench_works[k], o->iterations, true, compiled))
			return -1;
		to[n++] = bench_figure(bench_works[k].name, o->iterations, WARMUP, eager,
			compiled);
	}
	return n;
}

static bool is_pattern(const char *name)
{
	for (size_t k = 0; k < bench_work_count; k++)
		if (!strcmp(bench_works[k].name, name))
			return bench_works[k].pattern;
	return false;
}

/* Blocks first, then the patterns as one table: the works stand in that order. */
static void print_all(const bench_figures *f, size_t n, buf *out)
{
	size_t blocks = 0;

	while (blocks < n && !is_pattern(f[blocks].name))
		bench_print(&f[blocks++], out);
	if (blocks < n)
		bench_print_patterns(f + blocks, n - blocks, out);
	bench_print_summary(f, n, out);
}

/* ---- the command ---- */

/* EXIT_DONE, or what to end with after a word about what is wrong; so parse(). */
static int parse_iterations(options *o, const char *text)
{
	char *end = NULL;
	const unsigned long n = strtoul(text, &end, 10);

	if (*end || n <= WARMUP || n > BENCH_ITERATIONS_MAX)
		return tool_fail(EXIT_USAGE, "--iters %s: expected %d to %d, of which the first %d "
			"are the warm-up", text, WARMUP + 1, BENCH_ITERATIONS_MAX, WARMUP);
	o->iterations = (unsigned)n;
	return EXIT_DONE;
}

static int parse(options *o, int argc, char **argv)
{
	for (int k = 1; k < argc; k++) {
		if (!strcmp(argv[k], "--json")) {
			o->json = true;
		} else if (!strcmp(argv[k], "--quick")) {
			o->iterations = QUICK;
		} else if (!strcmp(argv[k], "--workload") && k + 1 < argc) {
			o->wanted = argv[++k];
		} else if (!strcmp(argv[k], "--iters") && k + 1 < argc) {
			if (parse_iterations(o, argv[++k]))
				return EXIT_USAGE;
		} else {
			return tool_usage("bench");
		}
	}
	return EXIT_DONE;
}

static int check_wanted(const options *o)
{
	for (size_t k = 0; k < bench_work_count; k++)
		if (is_wanted(o, &bench_works[k]))
			return EXIT_DONE;
	assert(o->wanted);
	tool_fail(EXIT_USAGE, "no workload is called '%s'; there are:", o->wanted);
	for (size_t k = 0; k < bench_work_count; k++)
		fprintf(stderr, "  %s\n", bench_works[k].name);
	return EXIT_USAGE;
}

int bench_compile(int argc, char **argv)
{
	options o = { .iterations = ITERATIONS };
	bench_figures figures[32];
	bench_run *runs;
	buf out = { 0 };
	int n;

	static_assert(COUNT(figures) >= 9, "room for all workloads");
	if (parse(&o, argc, argv) || check_wanted(&o))
		return EXIT_USAGE;
	runs = mem_zero(2 * bench_work_count * sizeof *runs);
	n = measure_all(&o, runs, figures);
	if (n > 0 && o.json)
		bench_print_json(figures, (size_t)n, &out);
	else if (n > 0)
		print_all(figures, (size_t)n, &out);
	fputs(buf_text(&out), stdout);
	buf_fini(&out);
	mem_free(runs);
	return n > 0 ? EXIT_DONE : EXIT_WRONG;
}
