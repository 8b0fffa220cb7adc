/* hot_print.c: the lines that hot paths write on standard output. */
#include "worker/hot.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"

/* One call of stdio a line: lines of threads do not mix, and a pipe sees each at once. */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char text[512];
	va_list ap;

	if (flag_int(FLAG_GT_QUIET))
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	fputs(text, stdout);
	fflush(stdout);
}

void hot_say_enabled(const worker *w, uint64_t threshold)
{
	say("Worker worker_%d: Hot path detection enabled (threshold=%llu)\n", w->options.number,
		(unsigned long long)threshold);
}

/* The region's ops, those that only create values at its beginning left out, as far as fit. */
static void say_ops(const proposal *p)
{
	char ops[256] = "";
	size_t used = 0;
	uint32_t k = 0;

	while (k < p->n && op_rows[p->region->ops[k].op].kind == KIND_CREATE)
		k++;
	for (const char *between = ""; k < p->n && used < sizeof ops - 32; k++, between = " -> ")
		used += (size_t)snprintf(ops + used, sizeof ops - used, "%s%s", between,
			op_rows[p->region->ops[k].op].name);
	say("[COMPILE] Detected hot sequence: %s%s (executed %llu times)\n", ops,
		k < p->n ? " -> ..." : "", (unsigned long long)p->runs);
}

void hot_say_stats(const worker *w)
{
	const hot_stats *s = &w->past;

	say("Worker worker_%d: %llu operations, %llu replayed (%.1f %%); %llu batches, %llu hot; "
		"%llu patterns, %llu hot paths; %llu matches, %llu passengers, %llu exits, "
		"%llu demotions, %llu blacklisted; %llu runs of side plans\n", w->options.number,
		(unsigned long long)s->ops, (unsigned long long)s->replayed,
		s->ops ? 100.0 * (double)s->replayed / (double)s->ops : 0.0,
		(unsigned long long)s->batches, (unsigned long long)s->hot_batches,
		(unsigned long long)s->patterns, (unsigned long long)s->hot_paths,
		(unsigned long long)s->matches, (unsigned long long)s->passengers,
		(unsigned long long)s->exits, (unsigned long long)s->demotions,
		(unsigned long long)s->blacklisted, (unsigned long long)s->sides);
	if (s->compiled || s->failures)
		say("Worker worker_%d: %llu operations compiled; %llu kernels launched, %llu "
			"launches saved, %llu bytes not written; groups: %llu known, %llu from the "
			"disk, %llu compiled; %.3f s of compiling, %llu recompiles, %llu failures, "
			"%llu demotions, %llu blacklisted\n", w->options.number,
			(unsigned long long)s->compiled, (unsigned long long)s->kernels,
			(unsigned long long)s->launches_saved, (unsigned long long)s->bytes_saved,
			(unsigned long long)s->hits, (unsigned long long)s->loaded,
			(unsigned long long)s->compiles, (double)s->compile_ns / 1e9,
			(unsigned long long)s->recompiles, (unsigned long long)s->failures,
			(unsigned long long)s->fused_demotions,
			(unsigned long long)s->fused_blacklisted);
}

void hot_say_detected(const proposal *p)
{
	char name[REGION_NAME_MAX];

	if (p->side.of)
		say("[HotPath] Detected hot sequence after %llu reps: %s, where %012llx is left at "
			"%%%u\n", (unsigned long long)p->runs,
			region_name(p->signature, p->n, name), (unsigned long long)p->side.of,
			p->side.at);
	else
		say("[HotPath] Detected hot sequence after %llu reps: %s\n",
			(unsigned long long)p->runs, region_name(p->signature, p->n, name));
	if (flag_int(FLAG_GT_DEBUG_COMPILE))
		say_ops(p);
}

void hot_say_starting(const hot_run *r)
{
	say("[HotPath] Starting hot sequence (length=%u)\n", r->plan->region->n);
}

/* ---- tier T2 --------------------------------------------------------------------------------- */

static void say_recompiling(const job *j)
{
	say("[COMPILE] Recompiling %012llx: %s\n", (unsigned long long)j->signature, j->cause);
}

/* Whether other shapes need other code is known when it is over. */
void hot_say_compiling(const job *j)
{
	if (j->instead)
		say_recompiling(j);
	else if (!j->cause)
		say("[COMPILE] Compiling sequence... %012llx (background)\n",
			(unsigned long long)j->signature);
}

#define FAILURES_MAX 32          /* texts that are told; more say nothing new */

/* What is wrong with one region (no code generator, say) is mostly wrong with all, of all workers:
 * the process is told once of each text. */
static bool is_news(const char *error)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static char *told[FAILURES_MAX];
	static unsigned count;
	bool news;
	unsigned k = 0;

	pthread_mutex_lock(&lock);
	while (k < count && strcmp(told[k], error))
		k++;
	news = k == count && count < FAILURES_MAX;
	if (news)
		told[count++] = mem_string(error);
	pthread_mutex_unlock(&lock);
	return news;
}

/* Where nobody asked for loops to be found, nobody wants to hear of compilers that are missing. */
void hot_say_compiled(const hot *h, const job *j)
{
	if (!h->talks && !atomic_load(&h->tenant->worker->looks))
		return;
	if (j->error && !j->cause) {
		if (is_news(j->error))
			say("[HotPath] Compilation failed, falling back to eager: %s\n", j->error);
		return;
	}
	if (!j->made)
		return;
	if (!j->cause)
		say("[HotPath] Successfully compiled %u ops\n", j->made->n);
	if (h->talks && j->made->tried)
		say("[COMPILE] Tuned %012llx: of %u ways measured%s the best takes %.2fx of the usual "
			"one's time\n", (unsigned long long)j->signature, j->made->tried,
			j->remembered ? " before" : "",
			(double)j->made->tuned_ns / (double)MAX(j->made->usual_ns, 1));
	if (h->talks && job_recompiled(j))
		say_recompiling(j);
	if (h->talks)
		say("[COMPILE] %s (%.3fs): %u ops -> %u kernels\n", j->at_hand ?
			"Loaded from the cache" : j->cause && !j->compiled ?
			"The same code for other shapes" : "Compilation complete",
			(double)j->ns / 1e9, j->made->n, j->made->kernels);
}

void hot_say_launching(const hot_run *r)
{
	say("[HotPath] Compiling and executing %u operations\n", r->plan->region->n);
}

void hot_say_resting(const hot *h)
{
	const double with = (double)hot_times_median(&h->rest.times[0]);

	say("[COMPILE] Nothing is recorded or replayed for %llu operations: that would take %.2fx as "
		"long\n", (unsigned long long)h->rest.length,
		with / (double)hot_times_median(&h->rest.times[1]));
}

void hot_say_speedup(const hot_run *r)
{
	const hot_times *times = r->fused.judge.times;
	const uint64_t eager = r->eager.n ? hot_times_least(&r->eager) :
		r->warm < UINT64_MAX / 256 ? r->warm : 0;
	const uint64_t before = eager ? eager : hot_times_least(&times[0]);

	if (before && times[1].n)
		say("[COMPILE] Speedup: %.1fx on subsequent executions\n",
			(double)before / (double)hot_times_least(&times[1]));
}

void hot_say_demoted(const hot_run *r)
{
	const fused_judge *j = &r->fused.judge;

	say("[COMPILE] Disabled %012llx: %.2fx of %s over %u runs%s\n",
		(unsigned long long)r->plan->region->signature, j->ratio,
		j->by_eager ? "eager" : "replay", j->over, j->blacklisted ? ", for good" : "");
}

/* ---- leaving --------------------------------------------------------------------------------- */

/* The first sixteen, then fewer and fewer. */
void hot_say_missing(hot *h, const hot_run *r, const ins *i)
{
	const uint32_t n = ++h->complaints;

	if (n > 16 && (n & (n - 1)))
		return;
	say("[HotPath] Input missing, flushing buffer and executing eagerly: t%llu, %s, where %s "
		"was expected\n", (unsigned long long)i->out, op_rows[i->op].name,
		op_rows[r->plan->region->ops[r->match.at].op].name);
}

void hot_say_disabled(const hot_run *r)
{
	say("[COMPILE] Disabled %012llx: %.2fx of eager over %u runs%s\n",
		(unsigned long long)r->plan->region->signature, r->ratio, r->over,
		r->verdict == HOT_BLACKLISTED ? ", for good" : "");
}
