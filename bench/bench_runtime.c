/* bench_runtime.c: what link, dispatcher and worker cost beyond the kernels: medians of many
 * rounds.
 *
 * The kernel of `add` is replaced by one that does nothing, so that a chain of small adds shows the
 * executor's own time. Each limit is the one promised; the last column says whether it holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/error.h"
#include "base/flags.h"
#include "embed/embed.h"
#include "ir/batch.h"
#include "worker/tenant.h"

enum { ROUNDS = 301, CHAIN = 1024, FLUSH = 64 };

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *x, int n)
{
	qsort(x, (size_t)n, sizeof *x, by_value);
	return x[n / 2];
}

static void report(const char *what, double ns, double limit)
{
	const char *unit = limit >= 1e6 ? "ms" : limit >= 1e3 ? "us" : "ns";
	double scale = limit >= 1e6 ? 1e6 : limit >= 1e3 ? 1e3 : 1;

	printf("%-52s %9.2f %s   at most %6.0f   %s\n", what, ns / scale, unit, limit / scale,
		ns <= limit ? "ok" : "MISSED");
}

/* ---- the executor's own time ----------------------------------------------------------------- */

static gt_err null_kernel(const kcall *c)
{
	(void)c;
	return GT_OK;
}

static worker *open_worker(void)
{
	worker_options o = { .threads = 1, .memory = UINT64_C(1) << 32, .runahead = 4 * CHAIN };
	worker *w;

	if (flags_load() || worker_new(&o, &w)) {
		fprintf(stderr, "%s\n", gt_last_error());
		exit(1);
	}
	return w;
}

static void put_add(batch *b, uint64_t out, uint64_t x, uint64_t y)
{
	ins_room room;
	ins *i = ins_init(&room, OP_add, out);

	ins_put_input(i, x);
	ins_put_input(i, y);
	batch_push(b, i);
}

static void put_free(batch *b, uint64_t id)
{
	ins_room room;
	ins *i = ins_init(&room, OP_free, 0);

	ins_put_input(i, id);
	batch_push(b, i);
}

static void put_full(batch *b, uint64_t out)
{
	ins_room room;
	ins *i = ins_init(&room, OP_full, out);

	i->attr.dtype = GT_FLOAT32;
	ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 1 });
	ins_put_operand(i, 16);
	batch_push(b, i);
}

/* t(k+2) = t(k+1) + t(k); free t(k): CHAIN adds. Leaves the last two, frees them at the end. */
static void make_chain(batch *b)
{
	put_full(b, 1);
	put_full(b, 2);
	for (uint64_t k = 1; k <= CHAIN; k++) {
		put_add(b, k + 2, k + 1, k);
		put_free(b, k);
	}
	put_free(b, CHAIN + 1);
	put_free(b, CHAIN + 2);
}

/* Push the batch FLUSH instructions at a time; nanoseconds. */
static double push(line *l, const batch *b)
{
	const uint64_t *at = b->words, *end = b->words + b->used;
	uint64_t start = clock_ns();

	while (at < end) {
		const uint64_t *from = at;
		size_t n = 0;

		for (; n < FLUSH && at < end; n++)
			at += ((const ins *)at)->words;
		if (line_push(l, &(parcel){ from, (size_t)(at - from), n, 0, false }, NULL))
			exit(1);
	}
	return (double)(clock_ns() - start);
}

static void bench_executor(bool null)
{
	static double pushes[ROUNDS], runs[ROUNDS];
	worker *w = open_worker();
	line *l = tenant_line(worker_admit(w, 0));
	batch b = { 0 };

	if (null)
		w->engine->kernels[OP_add] = null_kernel;
	make_chain(&b);
	for (int r = 0; r < ROUNDS; r++) {
		uint64_t start;

		pushes[r] = push(l, &b) / (double)b.count;
		start = clock_ns();
		line_sync(l, NULL);
		runs[r] = (double)(clock_ns() - start) / CHAIN;
	}
	if (null) {
		report("push of an instruction", median(pushes, ROUNDS), 10);
		report("executor, an add and a free, kernel left out", median(runs, ROUNDS), 100);
	} else {
		report("executor, an add of 16 and a free, kernel included",
			median(runs, ROUNDS), 200);
	}
	line_close(l);
	tenant_free(CONTAINER(l, tenant, line));
	worker_free(w);
	batch_fini(&b);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void fail_if(gt_err e)
{
	if (e) {
		fprintf(stderr, "%s\n", gt_last_error());
		exit(1);
	}
}

static void flush(struct link *l, batch *b)
{
	fail_if(l->ops->flush(l, b->words, b->used, b->count, 0));
	b->used = b->count = 0;
}

static answer *put_fetch(batch *b, uint64_t id)
{
	answer *a = answer_new();
	ins_room room;
	ins *i = ins_init(&room, OP_fetch, 0);

	ins_put_input(i, id);
	ins_put_operand(i, (int64_t)(intptr_t)a);
	batch_push(b, i);
	return a;
}

static void read_back(struct link *l, batch *b, uint64_t id)
{
	answer *a = put_fetch(b, id);

	flush(l, b);
	fail_if(l->ops->wait(l, a, NULL));
	answer_drop(a);
}

/* Time of `adds` small adds and a read of the last one. */
static double read_after(struct link *l, batch *b, int adds)
{
	static double times[ROUNDS];
	static uint64_t id = 10;

	for (int r = 0; r < ROUNDS; r++) {
		uint64_t start, first = id;

		for (int k = 0; k < adds; k++, id++)
			put_add(b, id + 1, 1, 2);
		start = clock_ns();
		read_back(l, b, adds ? id : 1);
		times[r] = (double)(clock_ns() - start);
		while (first++ < id)
			put_free(b, first);
		flush(l, b);
	}
	return median(times, ROUNDS);
}

static void bench_reading(void)
{
	struct link *l;
	batch b = { 0 };
	double few, many;

	fail_if(embed_open(&l));
	put_full(&b, 1);
	put_full(&b, 2);
	read_back(l, &b, 2);
	report("read of a ready tensor", read_after(l, &b, 0), 2000);
	few = read_after(l, &b, 8);
	many = read_after(l, &b, 40);
	/* What does not grow with the work is what reading and helping cost. */
	report("read that helps, beyond the work itself", few - (many - few) / 32 * 8, 1000);
	l->ops->close(l);
	batch_fini(&b);
}

/* ---- starting -------------------------------------------------------------------------------- */

static double start_once(void)
{
	uint64_t start = clock_ns();
	struct link *l;
	batch b = { 0 };

	fail_if(embed_open(&l));
	put_full(&b, 1);
	read_back(l, &b, 1);
	start = clock_ns() - start;
	l->ops->close(l);
	batch_fini(&b);
	return (double)start;
}

static void bench_starting(void)
{
	static double times[31];

	report("start to first result, first time in the process", start_once(), 5e6);
	for (size_t k = 0; k < COUNT(times); k++)
		times[k] = start_once();
	report("start to first result, again", median(times, COUNT(times)), 5e6);
}

int main(void)
{
	bench_starting();
	bench_executor(true);
	bench_executor(false);
	bench_reading();
	return 0;
}
