/* bench_warm.c: what it costs a process to look up what the last one kept, up to a plan that is
 * posted: a training step of the laboratory's MLP. Medians and minima over processes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/base.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "cache/cache.h"
#include "embed/embed.h"
#include "ir/batch.h"
#include "tools/lab.h"
#include "worker/hot.h"

enum { STEPS = 30, PROCESSES = 25, AT_ONCE = 64, SKIPPED = 77 };

typedef struct client { struct link *l; batch b; } client;
typedef struct look { uint64_t first, second, kernels; } look;

static void demand(gt_err e)
{
	if (e) {
		fprintf(stderr, "%s\n", gt_last_error());
		_exit(1);
	}
}

static void flush(client *c)
{
	demand(c->l->ops->flush(c->l, c->b.words, c->b.used, c->b.count, 0));
	c->b.used = c->b.count = 0;
}

static void sink(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	client *c = ctx;

	(void)in;
	(void)out;
	if (i->op == OP_fetch)
		return;
	if (ins_blob(i))
		blob_hold(ins_blob(i));
	batch_push(&c->b, i);
	if (c->b.count == AT_ONCE)
		flush(c);
}

/* Have the loop found, compiled, kept. */
static void learn(look *to)
{
	const lab_options o = { .steps = STEPS };
	client c = { .l = NULL };
	worker_stats s;

	(void)to;
	demand(embed_open(&c.l));
	lab_run(lab_find("mlp"), &o, sink, &c, NULL);
	flush(&c);
	demand(c.l->ops->sync(c.l, NULL));
	demand(embed_stats(c.l, &s));
	c.l->ops->close(c.l);
	batch_fini(&c.b);
}

static uint64_t look_up(hot *h)
{
	const uint64_t begin = clock_thread_cpu_ns();

	h->warmed = false;
	hot_warm(h, UINT32_MAX);
	return clock_thread_cpu_ns() - begin;
}

static void measure(look *to)
{
	const worker_options o = { .threads = 1, .memory = 1 << 30, .runahead = 4096 };
	hot *h = mem_lines(ALIGN_UP(sizeof *h, CACHE_LINE));
	cache_stats s;
	worker *w;

	demand(worker_new(&o, &w));
	h->tenant = worker_admit(w, 0);
	h->loops = true;
	h->tier = HOT_COMPILED;
	to->first = look_up(h);
	to->second = look_up(h);
	cache_stats_of(cache_shared(), &s);
	to->kernels = s.hits[CACHE_KERNEL];
}

/* In a process of its own. */
static void perform(void (*part)(look *to), look *to)
{
	const pid_t child = fork();
	int status;

	if (!child) {
		part(to);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		exit(1);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, uint64_t *ns)
{
	qsort(ns, PROCESSES, sizeof *ns, by_size);
	printf("%-56s %8.3f ms, at least %.3f ms\n", what, (double)ns[PROCESSES / 2] / 1e6,
		(double)ns[0] / 1e6);
}

static void set_all(const char *folder)
{
	demand(flag_set(FLAG_GT_CACHE_DIR, folder));
	demand(flag_set(FLAG_GT_AUTO_COMPILE, "1"));
	demand(flag_set(FLAG_GT_COMPILE_SYNC, "1"));
	demand(flag_set(FLAG_GT_HOTPATH_TIER, "2"));
	demand(flag_set(FLAG_GT_QUIET, "1"));
}

int main(void)
{
	look *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t first[PROCESSES], second[PROCESSES];
	char folder[] = "/tmp/gt-bench-warm-XXXXXX", command[64], path[64];

	if (shared == MAP_FAILED || !mkdtemp(folder))
		return 1;
	snprintf(path, sizeof path, "%s/gt", folder);
	set_all(path);
	perform(learn, shared);
	for (unsigned k = 0; k < PROCESSES; k++) {
		perform(measure, shared);
		first[k] = shared->first;
		second[k] = shared->second;
	}
	snprintf(command, sizeof command, "rm -rf %s", folder);
	if (system(command) || !shared->kernels) {
		printf("nothing was compiled: is there a code generator?\n");
		return SKIPPED;
	}
	printf("a step of 49 ops, %llu kernels; CPU time\n", (unsigned long long)shared->kernels);
	print("looked up, fused, its plan posted", first);
	print("once more in the same process", second);
	return 0;
}
