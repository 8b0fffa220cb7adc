/* bench_figures.c: what `gt bench compile` makes of its measurements: sums, speed-ups, break-even;
 * as blocks, tables or JSON. Measures nothing.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "tools/bench.h"

#define EVEN  0.02               /* as near to 1 as this, neither side wins */
#define WIDE  "=========================================================================" \
	"================"
#define LIGHT "-------------------------------------------------------------------------" \
	"----------------"
#define RULE  80                 /* of WIDE, under the head of a block */

/* ---- arithmetic ---- */

double bench_speedup(const bench_phase *p)
{
	return p->compiled > 0 ? p->eager / p->compiled : 1;
}

static bench_phase sum_up(const double *eager, const double *compiled, unsigned n)
{
	bench_phase p = { .count = n, .eager_least = INFINITY, .compiled_least = INFINITY };

	for (unsigned k = 0; k < n; k++) {
		p.eager += eager[k];
		p.compiled += compiled[k];
		p.eager_least = fmin(p.eager_least, eager[k]);
		p.compiled_least = fmin(p.compiled_least, compiled[k]);
	}
	return p;
}

unsigned bench_break_even(const double *eager, const double *compiled, unsigned n,
		unsigned warmup, double wait)
{
	unsigned since = 0;
	double lead = 0;

	for (unsigned k = 0; k < n; k++) {
		lead += eager[k] - compiled[k] - (k == warmup ? wait : 0);
		if (lead < 0)
			since = 0;
		else if (!since)
			since = k + 1;
	}
	return since;
}

/* Where the break-even will be if it goes on as in the steady state; 0: never. */
static double project(const bench_figures *f)
{
	const bench_phase *s = &f->steady, *t = &f->total;
	const double gain = (s->eager - s->compiled) / s->count;

	if (gain <= 0)
		return 0;
	return f->iterations + ceil((t->compiled + f->wait - t->eager) / gain);
}

double bench_wait(const bench_run *eager, const bench_run *compiled)
{
	const double each = eager->settled ? eager->settling / eager->settled : 0;

	return compiled->wait + fmax(0, compiled->settling - compiled->settled * each);
}

bench_figures bench_figure(const char *name, unsigned iterations, unsigned warmup,
		const bench_run *eager, const bench_run *compiled)
{
	const double *e = eager->times, *c = compiled->times;
	bench_figures f = { .name = name, .iterations = iterations, .warmup = warmup,
		.eager = eager, .compiled = compiled };

	f.warm = sum_up(e, c, warmup);
	f.steady = sum_up(e + warmup, c + warmup, iterations - warmup);
	f.total = sum_up(e, c, iterations);
	f.wait = bench_wait(eager, compiled);
	f.break_even = bench_break_even(e, c, iterations, warmup, f.wait);
	f.projected = f.break_even ? f.break_even : project(&f);
	return f;
}

/* ---- text ---- */

const char *bench_time(double seconds, char to[BENCH_TIME_MAX])
{
	if (seconds >= 1)
		snprintf(to, BENCH_TIME_MAX, "%.3fs", seconds);
	else if (seconds >= 1e-3)
		snprintf(to, BENCH_TIME_MAX, "%.3fms", seconds * 1e3);
	else
		snprintf(to, BENCH_TIME_MAX, "%.1fµs", seconds * 1e6);
	return to;
}

/* The time, `width` columns wide: µ takes two bytes and one column. */
static void put_time(buf *out, double seconds, int width)
{
	char text[BENCH_TIME_MAX];

	bench_time(seconds, text);
	buf_printf(out, "%*s", width + (strchr(text, '\xc2') != NULL), text);
}

static void put_row(buf *out, const char *label, double eager, double compiled, double speedup)
{
	buf_printf(out, "%-41s", label);
	put_time(out, eager, 18);
	put_time(out, compiled, 15);
	buf_printf(out, "%14.2fx\n", speedup);
}

static void put_phase(buf *out, const char *label, const char *each, const bench_phase *p)
{
	const double speedup = bench_speedup(p);

	put_row(out, label, p->eager, p->compiled, speedup);
	put_row(out, each, p->eager / p->count, p->compiled / p->count, speedup);
}

typedef enum winner { WINNER_EVEN, WINNER_COMPILE, WINNER_EAGER } winner;

static winner winner_of(double speedup)
{
	if (speedup > 1 + EVEN)
		return WINNER_COMPILE;
	return speedup < 1 - EVEN ? WINNER_EAGER : WINNER_EVEN;
}

static void put_verdict(buf *out, const bench_figures *f)
{
	const double all = bench_speedup(&f->total), steady = bench_speedup(&f->steady);
	const winner w = winner_of(all);

	if (w == WINNER_COMPILE)
		buf_printf(out, "\nVERDICT: ✅ COMPILE WINS (%.2fx faster overall)\n", all);
	else if (w == WINNER_EAGER)
		buf_printf(out, "\nVERDICT: ❌ NO COMPILE WINS (%.2fx faster overall)\n", 1 / all);
	else
		buf_printf(out, "\nVERDICT: ➖ EVEN (%.2fx overall)\n", all);
	buf_printf(out, "         Steady-state: %.2fx %s\n", steady >= 1 ? steady : 1 / steady,
		steady >= 1 ? "faster" : "slower");
}

static void put_break_even(buf *out, const bench_figures *f)
{
	char text[BENCH_TIME_MAX];

	if (f->break_even)
		buf_printf(out, "Break-even point: iteration %u\n", f->break_even);
	else if (f->projected > 0)
		buf_printf(out, "Break-even point: about iteration %.0f (projected)\n",
			f->projected);
	else
		buf_printf(out, "Break-even point: never\n");
	buf_printf(out, "Waiting for compilation: %s (counted in the break-even)\n",
		bench_time(f->wait, text));
}

static void put_replay(buf *out, const bench_figures *f)
{
	const gt_worker_stats *s = &f->compiled->stats;
	char text[BENCH_TIME_MAX];

	buf_printf(out, "Compilation stats: cache size %" PRIu64 ", hits %" PRIu64 ", misses %" PRIu64
		", hit rate %.1f%%, compile %s\n", s->compilation.cache_size,
		s->compilation.cache_hits, s->compilation.cache_misses,
		100 * s->compilation.hit_rate,
		bench_time(s->compilation.compile_seconds, text));
	buf_printf(out, "Hot paths: %" PRIu64 ", runs replayed %" PRIu64 ", operations in them %.1f%%"
		" · Launch reduction: %.0f → %.0f per iteration\n\n", s->hotpath.hot_paths,
		s->hotpath.matches, 100 * s->hotpath.coverage, f->eager->launches,
		f->compiled->launches);
}

void bench_print(const bench_figures *f, buf *out)
{
	char warm[64], steady[64];

	snprintf(warm, sizeof warm, "Warmup (first %u iters):", f->warmup);
	snprintf(steady, sizeof steady, "Steady state (remaining %u iters):",
		f->iterations - f->warmup);
	buf_printf(out, "WORKLOAD: %s\nIterations: %u (warmup: %u)\n%.*s\n\n", f->name,
		f->iterations, f->warmup, RULE, WIDE);
	buf_printf(out, "%-41s%18s%15s%15s\n%s\n", "Results", "No Compile", "Compile",
		"Speedup", LIGHT);
	put_phase(out, warm, "  Per iteration:", &f->warm);
	put_phase(out, steady, "  Per iteration:", &f->steady);
	buf_printf(out, "%s\n", LIGHT);
	put_phase(out, "TOTAL TIME:", "Average per iteration:", &f->total);
	put_verdict(out, f);
	put_break_even(out, f);
	put_replay(out, f);
}

void bench_print_patterns(const bench_figures *f, size_t n, buf *out)
{
	buf_printf(out, "PATTERNS\n%s\n%-24s%14s%14s%12s%20s\n%s\n", WIDE, "Pattern", "No Compile",
		"Compile", "Speedup", "Launches", LIGHT);
	for (size_t k = 0; k < n; k++) {
		const bench_phase *s = &f[k].steady;

		buf_printf(out, "%-24s", f[k].name);
		put_time(out, s->eager / s->count, 14);
		put_time(out, s->compiled / s->count, 14);
		buf_printf(out, "%11.2fx%10.0f → %7.0f\n", bench_speedup(s), f[k].eager->launches,
			f[k].compiled->launches);
	}
	buf_printf(out, "\n");
}

/* How long a run has to be for compiling to be the better choice. */
static void put_best_for(buf *out, const bench_figures *f)
{
	if (f->projected <= 0)
		buf_printf(out, "%13s   no compile\n", "never");
	else if (f->projected <= f->warmup)
		buf_printf(out, "%13.0f   compile, any run\n", f->projected);
	else
		buf_printf(out, "%13.0f   compile, runs of %.0f+\n", f->projected, f->projected);
}

void bench_print_summary(const bench_figures *f, size_t n, buf *out)
{
	char text[BENCH_TIME_MAX], signed_text[BENCH_TIME_MAX + 1];

	buf_printf(out, "SUMMARY\n%s\n%-24s%18s%15s%13s   Best for\n%s\n", WIDE, "Workload",
		"Warm-up overhead", "Steady state", "Break-even", LIGHT);
	for (size_t k = 0; k < n; k++) {
		const double extra = f[k].warm.compiled - f[k].warm.eager + f[k].wait;

		snprintf(signed_text, sizeof signed_text, "%c%s", extra < 0 ? '-' : '+',
			bench_time(fabs(extra), text));
		buf_printf(out, "%-24s%*s%14.2fx", f[k].name,
			18 + (strchr(text, '\xc2') != NULL), signed_text,
			bench_speedup(&f[k].steady));
		put_best_for(out, &f[k]);
	}
}

/* ---- JSON ---- */

static void put_json_phase(buf *out, const char *name, const bench_phase *p)
{
	buf_printf(out, "  \"%s\": {\"eager\": %.9g, \"compiled\": %.9g, \"eager_each\": %.9g, "
		"\"compiled_each\": %.9g, \"eager_least\": %.9g, \"compiled_least\": %.9g, "
		"\"speedup\": %.6g},\n", name, p->eager, p->compiled, p->eager / p->count,
		p->compiled / p->count, p->eager_least, p->compiled_least, bench_speedup(p));
}

static void put_json_stats(buf *out, const gt_worker_stats *s)
{
	buf_printf(out, "  \"operations\": {\"total\": %" PRIu64 ", \"eager\": %" PRIu64
		", \"compiled\": %" PRIu64 "},\n", s->operations.total, s->operations.eager,
		s->operations.compiled);
	buf_printf(out, "  \"hotpath\": {\"hot_paths\": %" PRIu64 ", \"matches\": %" PRIu64
		", \"coverage\": %.6f},\n", s->hotpath.hot_paths, s->hotpath.matches,
		s->hotpath.coverage);
}

static void put_json(buf *out, const bench_figures *f)
{
	static const char *const verdicts[] = { "even", "compile", "eager" };

	buf_printf(out, " {\n  \"workload\": \"%s\", \"iterations\": %u, \"warmup\": %u, "
		"\"wait\": %.9g,\n", f->name, f->iterations, f->warmup, f->wait);
	buf_printf(out, "  \"settling\": {\"iterations\": %u, \"seconds\": %.9g},\n",
		f->compiled->settled, f->compiled->settling);
	put_json_phase(out, "warmup_phase", &f->warm);
	put_json_phase(out, "steady", &f->steady);
	put_json_phase(out, "total", &f->total);
	buf_printf(out, "  \"verdict\": \"%s\", \"break_even\": ",
		verdicts[winner_of(bench_speedup(&f->total))]);
	buf_printf(out, f->break_even ? "%u" : "null", f->break_even);
	buf_printf(out, ", \"break_even_projected\": ");
	buf_printf(out, f->projected > 0 ? "%.0f" : "null", f->projected);
	buf_printf(out, ",\n");
	put_json_stats(out, &f->compiled->stats);
	buf_printf(out, "  \"launches\": {\"eager\": %.9g, \"compiled\": %.9g}\n }",
		f->eager->launches, f->compiled->launches);
}

void bench_print_json(const bench_figures *f, size_t n, buf *out)
{
	buf_printf(out, "[\n");
	for (size_t k = 0; k < n; k++) {
		put_json(out, &f[k]);
		buf_printf(out, k + 1 < n ? ",\n" : "\n");
	}
	buf_printf(out, "]\n");
}
