/* bench_replay.c: what detection, matching and replaying cost the executor, an op with its free.
 *
 * A loop of PERIOD small elementwise ops whose kernels are replaced by ones that do nothing: what
 * is left is the executor's own time. Fused, the few kernels that are left do run, on 64 elements.
 * Eager, recorded, replayed and fused rounds take turns; minima. Then the same where the client is
 * so slow that there is only one op in the ring at a time; that includes handing it over, and
 * looking at the clock before and behind it where loops are looked for.
 *
 *	bench_replay [PERIOD]...
 */
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/error.h"
#include "base/flags.h"
#include "ir/batch.h"
#include "worker/hot.h"

enum { ROUNDS = 60, OPS = 3000, NEVER = 1 << 30, ELEMENTS = 64 };

static gt_err null_kernel(const kcall *c)
{
	(void)c;
	return GT_OK;
}

static void stop(void)
{
	fprintf(stderr, "%s\n", gt_last_error());
	exit(1);
}

/* One way of running the loop: a worker, and where its stream is. */
typedef struct way {
	const char *what;
	uint64_t threshold;
	bool slowly;                     /* an op at a time */
	bool fused;                      /* tier T2, with the engine's kernels and what they become */
	unsigned period;
	worker *w;
	tenant *t;
	line *l;
	uint64_t next;                   /* id */
	double best;
} way;

static void put(batch *b, unsigned code, uint64_t out, uint64_t x, uint64_t y)
{
	ins_room room;
	ins *i = ins_init(&room, code, out);

	if (x)
		ins_put_input(i, x);
	if (y)
		ins_put_input(i, y);
	if (code == OP_full) {
		i->attr.dtype = GT_FLOAT32;
		ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 1 });
		ins_put_operand(i, ELEMENTS);
	}
	batch_push(b, i);
}

/* Whole periods of t(k+2) = t(k+1) op t(k), free t(k), about OPS of them. */
static void put_loop(way *a, batch *b)
{
	static const uint16_t codes[] = { OP_add, OP_sub, OP_mul, OP_maximum };
	const unsigned periods = OPS / a->period + 1;

	for (unsigned k = 0; k < periods * a->period; k++, a->next++) {
		unsigned r = (k % a->period) * 2654435761u >> 16;

		put(b, codes[(r ^ r >> 3) % COUNT(codes)], a->next, a->next - 1, a->next - 2);
		put(b, OP_free, 0, a->next - 2, 0);
	}
}

static void open_way(way *a)
{
	worker_options o = { .threads = 1, .memory = UINT64_C(1) << 32, .runahead = 16 * OPS,
		.threshold = a->threshold };
	batch b = { 0 };

	if (worker_new(&o, &a->w))
		stop();
	if (!a->fused) {
		a->w->engine->kernels[OP_add] = a->w->engine->kernels[OP_sub] = null_kernel;
		a->w->engine->kernels[OP_mul] = a->w->engine->kernels[OP_maximum] = null_kernel;
	}
	a->t = worker_admit(a->w, 0);
	a->l = tenant_line(a->t);
	a->best = 1e9;
	put(&b, OP_full, 1, 0, 0);
	put(&b, OP_full, 2, 0, 0);
	a->next = 3;
	if (line_push(a->l, &(parcel){ b.words, b.used, b.count, 0, false }, NULL))
		stop();
	batch_fini(&b);
}

static void push(const way *a, const uint64_t *words, size_t used, size_t count)
{
	if (line_push(a->l, &(parcel){ words, used, count, 0, false }, NULL))
		stop();
}

/* Each op with the free behind it. */
static void run_slowly(const way *a, const batch *b)
{
	for (size_t at = 0, used; at < b->used; at += used) {
		const ins *i = (const ins *)(b->words + at);

		used = i->words + INS_HEAD_WORDS + 1u;
		push(a, b->words + at, used, 2);
		line_sync(a->l, NULL);
	}
}

static void run_round(way *a)
{
	batch b = { 0 };
	uint64_t start;

	put_loop(a, &b);
	if (flag_set(FLAG_GT_HOTPATH_TIER, a->fused ? "2" : "1"))
		stop();
	if (!a->slowly)
		push(a, b.words, b.used, b.count);
	start = clock_ns();
	a->slowly ? run_slowly(a, &b) : (void)line_sync(a->l, NULL);
	a->best = MIN(a->best, (double)(clock_ns() - start) / ((double)b.count / 2));
	b.count = b.used = 0;
	batch_fini(&b);
	if (a->threshold && a->threshold < NEVER)        /* let the miner have its plan ready */
		worker_get_stats(a->w, &(worker_stats){ 0 });
	if (a->fused)
		worker_compile_wait(a->w, NULL);
}

static void bench(unsigned period)
{
	way ways[] = { { .what = "eager" }, { .what = "recorded", .threshold = NEVER },
		{ .what = "replayed", .threshold = 3 },
		{ .what = "fused", .threshold = 3, .fused = true },
		{ .what = "slowly: eager", .slowly = true },
		{ .what = "replayed", .threshold = 3, .slowly = true } };
	worker_stats s, f;

	for (unsigned k = 0; k < COUNT(ways); k++) {
		ways[k].period = period;
		open_way(&ways[k]);
	}
	for (unsigned r = 0; r < ROUNDS; r++)
		for (unsigned k = 0; k < COUNT(ways); k++)
			run_round(&ways[k]);
	worker_get_stats(ways[2].w, &s);
	worker_get_stats(ways[3].w, &f);
	printf("period %6u  ", period);
	for (unsigned k = 0; k < COUNT(ways); k++)
		printf("  %s %6.1f ns", ways[k].what, ways[k].best);
	printf("   replayed %.1f %%, fused %.1f %%\n",
		100.0 * (double)s.hot.replayed / (double)s.hot.ops,
		100.0 * (double)f.hot.compiled / (double)f.hot.ops);
	for (unsigned k = 0; k < COUNT(ways); k++) {
		line_close(ways[k].l);
		tenant_free(ways[k].t);
		worker_free(ways[k].w);
	}
}

int main(int argc, char **argv)
{
	static const unsigned periods[] = { 3, 9, 20, 60, 300, 3000, 14000 };

	if (flags_load() || flag_set(FLAG_GT_QUIET, "1"))
		stop();
	for (int k = 1; k < argc; k++)
		bench((unsigned)MAX(atoi(argv[k]), 1));
	for (unsigned k = 0; argc == 1 && k < COUNT(periods); k++)
		bench(periods[k]);
	return 0;
}
