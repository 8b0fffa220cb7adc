/* bench_hotpath.c: what it costs to notice loops: ns an op of recording (in the executor) and of
 * mining (in the background), the longest slice of mining, coverage, memory; for every program of
 * the stream laboratory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/mem.h"
#include "hotpath/miner.h"
#include "lab.h"

#define RING_WORDS (1u << 16)
#define SLICE      64            /* steps of mining at a time */
#define AT_ONCE    512           /* instructions between slices, as a backlog would come */

/* ---- recording ---- */

#define SAMPLES 2000
typedef struct sample {
	const meta *in[4];
	meta metas[4], out;
	bool makes;
	ins_room i;
} sample;
typedef struct samples { sample *s; unsigned count; } samples;

static void keep(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	samples *all = ctx;
	sample *s = &all->s[all->count];

	if (all->count == SAMPLES || i->nin > 4 || i->op == OP_upload)
		return;
	all->count++;
	memcpy(&s->i, i, i->words * sizeof(uint64_t));
	s->makes = out != NULL;
	if (!out)
		return;
	s->out = *out;
	for (unsigned k = 0; k < i->nin; k++) {
		s->in[k] = in[k] ? &s->metas[k] : NULL;
		if (in[k])
			meta_copy(&s->metas[k], in[k]);
	}
}

/* One pass over all samples; the ring is emptied outside of the time taken. */
static uint64_t record_all(const samples *all, recorder *r)
{
	const uint64_t begin = clock_ns();
	uint64_t end;
	const record *first;

	for (unsigned k = 0; k < all->count; k++)
		if (all->s[k].makes)
			recorder_op(r, &all->s[k].i.head, all->s[k].in, &all->s[k].out);
		else
			recorder_control(r, &all->s[k].i.head);
	end = clock_ns();
	while ((first = recorder_peek(r)))
		recorder_pop(r, first);
	return end - begin;
}

static void bench_recording(void)
{
	const lab_options o = { .steps = 60, .seed = 1 };
	samples all = { mem_zero(SAMPLES * sizeof(sample)), 0 };
	uint64_t best = UINT64_MAX;
	unsigned ops = 0;
	recorder r;

	lab_run(lab_find("mlp"), &o, keep, &all, NULL);
	for (unsigned k = 0; k < all.count; k++)
		ops += all.s[k].makes;
	recorder_init(&r, RING_WORDS);
	for (unsigned k = 0; k < 300; k++) {
		const uint64_t took = record_all(&all, &r);

		best = took < best ? took : best;
	}
	printf("recording: %.1f ns an instruction, %.1f ns an op with its frees\n",
		(double)best / all.count, (double)best / ops);
	recorder_fini(&r);
	mem_free(all.s);
}

/* ---- mining ---- */

typedef struct mining {
	recorder ring;
	miner *m;
	uint64_t ops, waiting, nanoseconds, longest, first_hot;
} mining;

static void take_proposals(mining *x)
{
	proposal p;

	while (miner_next(x->m, &p)) {
		x->first_hot = x->first_hot ? x->first_hot : p.at;
		region_free(p.region);
	}
}

static void work_off(mining *x)
{
	uint64_t begin = clock_thread_cpu_ns(), end;
	bool more = true;

	while (more) {
		more = miner_run(x->m, &x->ring, SLICE) == SLICE;
		end = clock_thread_cpu_ns();
		x->nanoseconds += end - begin;
		x->longest = MAX(x->longest, end - begin);
		begin = end;
	}
	take_proposals(x);
}

static void sink(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	mining *x = ctx;

	if (out)
		recorder_op(&x->ring, i, in, out);
	else
		recorder_control(&x->ring, i);
	x->ops += out != NULL;
	if (++x->waiting == AT_ONCE) {
		x->waiting = 0;
		work_off(x);
	}
}

static void bench_mining(const lab_program *p)
{
	static const miner_options options = MINER_OPTIONS;
	const lab_options o = { .steps = strcmp(p->name, "huge") ? 2000 : 40, .seed = 1 };
	mining *x = mem_lines(ALIGN_UP(sizeof(*x), CACHE_LINE));
	miner_stats s;

	recorder_init(&x->ring, RING_WORDS);
	x->m = miner_new(&options);
	lab_run(p, &o, sink, x, NULL);
	work_off(x);
	miner_stats_of(x->m, &s);
	printf("%-12s %8" PRIu64 " ops %6.0f ns/op %8.1f us %7.1f %% %8zu KiB %9" PRIu64 "\n", p->name,
		x->ops, (double)x->nanoseconds / (double)x->ops, (double)x->longest / 1000,
		100.0 * (double)s.covered / (double)s.ops, s.bytes / 1024, x->first_hot);
	miner_free(x->m);
	recorder_fini(&x->ring);
	mem_free(x);
}

int main(void)
{
	bench_recording();
	printf("%-12s %12s %12s %11s %9s %12s %9s\n", "mining", "", "", "longest", "covered",
		"memory", "first hot");
	for (unsigned k = 0; k < lab_program_count; k++)
		bench_mining(&lab_programs[k]);
	return 0;
}
