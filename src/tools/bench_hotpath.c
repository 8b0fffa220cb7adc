/* bench_hotpath.c: what it costs to notice that a stream repeats, and what comes of it, for every
 * program of the stream laboratory.
 *
 *	recording  in the executor, ns an op, its frees included
 *	matching   in the executor, ns an op against the best region found
 *	mining     in the background, ns of CPU time an op; the longest slice of 64 steps, us
 *	replay     iteration in which the best region could be replayed first
 *	covered    per cent of the ops that hot loops took, from that iteration on
 *	replayed   per cent of the ops that a worker's plans executed, in the second half of a
 *	           shorter run
 *	memory     of the miner at the end, KiB
 *
 * Minima of many passes where a pass is short; mining is what it was, the growth of the history and
 * the search in the first iterations included.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "hotpath/match.h"
#include "hotpath/miner.h"
#include "tools/lab.h"
#include "tools/tools.h"

#define RING_WORDS (1u << 16)
#define SLICE      64            /* steps of mining at a time */
#define AT_ONCE    512           /* instructions between slices, as a backlog would come */
#define OPS        1000000u      /* of a stream, about .. */
#define STEPS_MAX  10000u        /* .. but not more steps than that, */
#define STEPS_MIN  16u           /* and not fewer */
#define REPLAYED   200000u       /* ops that are executed, about .. */
#define REPLAYED_STEPS 600u      /* .. but not more steps than that */
#define SAMPLES    2048u         /* instructions for recording and matching */
#define WORDS_MAX  12u           /* of such an instruction */
#define PASSES     100u
#define HOT_MAX    64

/* An instruction as the executor sees it. */
typedef struct sample {
	const meta *in[2];
	meta metas[2], out;
	bool makes;
	union { ins head; uint64_t words[WORDS_MAX]; } i;
} sample;

typedef struct trial {
	const lab_program *program;
	lab_options options;
	uint64_t *marks;
	recorder ring;
	miner *miner;
	uint64_t ops, waiting, nanoseconds, longest;
	uint64_t price;                  /* of a look at the clock, which is in no time */
	proposal hot[HOT_MAX];
	unsigned hot_count;
	uint64_t *hot_covered;           /* per step: what hot loops had taken when it began */
	unsigned step;
	sample *samples;
	unsigned count;
} trial;

/* ---- the stream ----------------------------------------------------------------------------- */

static void take_proposals(trial *t)
{
	proposal p;

	while (miner_next(t->miner, &p)) {
		if (p.what != PROPOSAL_HOT)
			continue;
		if (t->hot_count < HOT_MAX)
			t->hot[t->hot_count++] = p;
		else
			region_free(p.region);
	}
}

/* What a look at the clock costs, ns: it goes into the system. */
static uint64_t clock_price(void)
{
	uint64_t begin = clock_thread_cpu_ns(), least = UINT64_MAX;

	for (unsigned k = 0; k < PASSES; k++) {
		const uint64_t end = clock_thread_cpu_ns();

		least = MIN(least, end - begin);
		begin = end;
	}
	return least;
}

static void work_off(trial *t)
{
	uint64_t begin = clock_thread_cpu_ns(), end, took;
	bool more = true;

	while (more) {
		more = miner_run(t->miner, &t->ring, SLICE) == SLICE;
		end = clock_thread_cpu_ns();
		took = end - begin - MIN(end - begin, t->price);
		t->nanoseconds += took;
		t->longest = MAX(t->longest, took);
		begin = end;
	}
	take_proposals(t);
}

/* Instructions from the middle of the stream; uploads, which have their data with them, are left
 * out. */
static void keep(trial *t, const ins *i, const meta *const *in, const meta *out)
{
	sample *s = &t->samples[t->count];

	if (t->ops <= t->marks[t->options.steps / 2] || t->count == SAMPLES || i->nin > 2 ||
			i->words > WORDS_MAX || i->op == OP_upload)
		return;
	t->count++;
	memcpy(&s->i, i, i->words * sizeof(uint64_t));
	s->makes = out != NULL;
	if (!out)
		return;
	meta_copy(&s->out, out);
	for (unsigned k = 0; k < i->nin; k++) {
		s->in[k] = in[k] ? &s->metas[k] : NULL;
		if (in[k])
			meta_copy(&s->metas[k], in[k]);
	}
}

static void note_step(trial *t)
{
	miner_stats s;

	if (t->step == t->options.steps || t->ops != t->marks[t->step])
		return;
	work_off(t);
	miner_stats_of(t->miner, &s);
	t->hot_covered[t->step++] = s.hot_covered;
}

static void sink(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	trial *t = ctx;

	if (out)
		note_step(t);
	keep(t, i, in, out);
	if (out)
		recorder_op(&t->ring, i, in, out);
	else
		recorder_control(&t->ring, i);
	t->ops += out != NULL;
	if (++t->waiting == AT_ONCE) {
		t->waiting = 0;
		work_off(t);
	}
}

static void count(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	(void)i, (void)in;
	*(uint64_t *)ctx += out != NULL;
}

/* ---- recording and matching, on the samples ------------------------------------------------- */

static unsigned ops_in_samples(const trial *t)
{
	unsigned ops = 0;

	for (unsigned k = 0; k < t->count; k++)
		ops += t->samples[k].makes;
	return ops;
}

/* The ring is emptied outside of the time taken. */
static uint64_t record_all(const trial *t, recorder *r)
{
	const uint64_t begin = clock_ns();
	uint64_t end;
	const record *first;

	for (unsigned k = 0; k < t->count; k++)
		if (t->samples[k].makes)
			recorder_op(r, &t->samples[k].i.head, t->samples[k].in, &t->samples[k].out);
		else
			recorder_control(r, &t->samples[k].i.head);
	end = clock_ns();
	while ((first = recorder_peek(r)))
		recorder_pop(r, first);
	return end - begin;
}

static void match_op(match *m, const sample *s)
{
	const ins *i = &s->i.head;
	const unsigned kind = op_rows[i->op].kind;

	if (match_wired(m, i) && match_fits(m, record_metas(kind, i->nin, s->in, &s->out)))
		match_take(m, i->out);
	else
		match_miss(m);
}

static uint64_t match_all(const trial *t, match *m)
{
	const uint64_t begin = clock_ns();

	for (unsigned k = 0; k < t->count; k++)
		if (t->samples[k].makes)
			match_op(m, &t->samples[k]);
	return clock_ns() - begin;
}

static double measure_recording(const trial *t)
{
	uint64_t best = UINT64_MAX;
	recorder r;

	recorder_init(&r, RING_WORDS);
	for (unsigned k = 0; k < PASSES; k++) {
		const uint64_t took = record_all(t, &r);

		best = MIN(best, took);
	}
	recorder_fini(&r);
	return (double)best / ops_in_samples(t);
}

static double measure_matching(const trial *t, const region *g)
{
	uint64_t best = UINT64_MAX;
	pattern p;
	match m;

	pattern_init(&p, g);
	match_init(&m, &p);
	for (unsigned k = 0; k < PASSES; k++) {
		const uint64_t took = match_all(t, &m);

		best = MIN(best, took);
	}
	match_fini(&m);
	pattern_fini(&p);
	return (double)best / ops_in_samples(t);
}

/* ---- a program ------------------------------------------------------------------------------ */

/* The region whose loop took most; NULL if there is none. */
static const proposal *best_of(const trial *t)
{
	miner_loop loops[256];
	const size_t n = miner_loops(t->miner, loops, COUNT(loops));
	const proposal *best = NULL;
	uint64_t most = 0;

	for (size_t k = 0; k < n; k++)
		for (unsigned j = 0; j < t->hot_count; j++)
			if (t->hot[j].signature == loops[k].signature &&
					loops[k].runs * loops[k].n > most) {
				most = loops[k].runs * loops[k].n;
				best = &t->hot[j];
			}
	return best;
}

/* Iterations count from 1: the one that op `at` belongs to. A region that was found by then runs
 * anew from there on: wherever in the iteration it was cut, its next run begins with that op. */
static unsigned iteration_of(const trial *t, uint64_t at)
{
	unsigned k = 1;

	while (k < t->options.steps && t->marks[k] <= at)
		k++;
	return k;
}

static void print_replayed(const trial *t)
{
	const uint64_t step = t->marks[1] - t->marks[0];
	const unsigned most = (unsigned)MIN(REPLAYED_STEPS, MAX(REPLAYED / step, 24));
	double percent;

	if (bench_replay(t->program, MIN(most, t->options.steps), t->marks, &percent))
		printf(" %8s", gt_last_error());
	else
		printf(" %8.1f", percent);
}

static void print_row(const trial *t)
{
	const proposal *best = best_of(t);
	miner_stats s;

	miner_stats_of(t->miner, &s);
	printf("%-12s %8" PRIu64 " %6" PRIu64 " %9.1f", t->program->name, t->ops,
		t->marks[t->options.steps - 1] - t->marks[t->options.steps - 2],
		measure_recording(t));
	if (best)
		printf(" %8.1f", measure_matching(t, best->region));
	else
		printf(" %8s", "-");
	printf(" %6.0f %7.1f", (double)t->nanoseconds / (double)t->ops, (double)t->longest / 1000);
	if (best) {
		const unsigned from = iteration_of(t, best->at);
		const uint64_t ops = t->ops - t->marks[from - 1];

		printf(" %6u %8.1f", from, 100.0 *
			(double)(s.hot_covered - t->hot_covered[from - 1]) / (double)ops);
	} else {
		printf(" %6s %8s", "-", "-");
	}
	print_replayed(t);
	printf(" %7zu\n", s.bytes / 1024);
}

static unsigned steps_for(const lab_program *p)
{
	uint64_t marks[3], ops = 0;
	const lab_options o = { .steps = 3, .seed = 1 };

	lab_run(p, &o, count, &ops, marks);
	return (unsigned)MAX(MIN(OPS / (marks[2] - marks[1]), STEPS_MAX), STEPS_MIN);
}

static void open_trial(trial *t, const lab_program *p)
{
	static const miner_options options = MINER_OPTIONS;
	uint64_t ops = 0;

	t->program = p;
	t->price = clock_price();
	t->options = (lab_options){ .steps = steps_for(p), .seed = 1 };
	t->marks = mem_zero(t->options.steps * sizeof(*t->marks));
	t->hot_covered = mem_zero(t->options.steps * sizeof(*t->hot_covered));
	t->samples = mem_zero(SAMPLES * sizeof(*t->samples));
	lab_run(p, &t->options, count, &ops, t->marks);
	recorder_init(&t->ring, RING_WORDS);
	t->miner = miner_new(&options);
}

static void close_trial(trial *t)
{
	for (unsigned k = 0; k < t->hot_count; k++)
		region_free(t->hot[k].region);
	miner_free(t->miner);
	recorder_fini(&t->ring);
	mem_free(t->samples);
	mem_free(t->hot_covered);
	mem_free(t->marks);
}

static void measure(const lab_program *p)
{
	trial *t = mem_lines(sizeof(*t));

	open_trial(t, p);
	lab_run(p, &t->options, sink, t, NULL);
	work_off(t);
	print_row(t);
	fflush(stdout);
	close_trial(t);
	mem_free(t);
}

static int complain(const char *name)
{
	const char *names[64] = { NULL };

	assert(lab_program_count <= COUNT(names));
	for (unsigned k = 0; k < lab_program_count; k++)
		names[k] = lab_programs[k].name;
	tool_unknown("program", name, names, lab_program_count);
	fputs("gt: the programs are", stderr);
	for (unsigned k = 0; k < lab_program_count; k++)
		fprintf(stderr, " %s", names[k]);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

int bench_hotpath(int argc, char **argv)
{
	for (int k = 1; k < argc; k++)
		if (!lab_find(argv[k]))
			return complain(argv[k]);
	printf("%-12s %8s %6s %9s %8s %6s %7s %6s %8s %8s %7s\n", "program", "ops", "step",
		"recording", "matching", "mining", "longest", "replay", "covered", "replayed",
		"memory");
	printf("%-12s %8s %6s %9s %8s %6s %7s %6s %8s %8s %7s\n", "", "", "ops", "ns/op", "ns/op",
		"ns/op", "us", "iter.", "%", "%", "KiB");
	for (unsigned k = 0; k < lab_program_count && argc == 1; k++)
		measure(&lab_programs[k]);
	for (int k = 1; k < argc; k++)
		measure(lab_find(argv[k]));
	return EXIT_DONE;
}
