/* mined.h: a program of the laboratory, mined as its stream comes, and what was found in it. */
#ifndef MINED_H
#define MINED_H

#include "check.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "tools/lab.h"
#include "hotpath/miner.h"

#define MINED __attribute__((unused)) static
#define STEPS_MAX 3000
#define HOT_MAX   64

/* A program's stream, mined as it comes. */
typedef struct trial {
	recorder r;
	miner *m;
	uint64_t ops, marks[STEPS_MAX];
	uint64_t covered_at, covered;    /* what was covered when op covered_at came */
	uint64_t hot_covered;
	proposal hot[HOT_MAX];           /* with regions */
	unsigned hot_count, replaced, retired, settled;
	miner_stats stats;
	size_t slice;                    /* 0: mine after each instruction; else at that many */
	size_t waiting;
} trial;

MINED void drain(trial *t)
{
	proposal p;

	while (miner_run(t->m, &t->r, 1000) == 1000)
		;
	while (miner_next(t->m, &p)) {
		t->replaced += p.what == PROPOSAL_REPLACED;
		t->retired += p.what == PROPOSAL_RETIRED;
		t->settled += p.what == PROPOSAL_SETTLED;
		t->settled -= p.what == PROPOSAL_UNSETTLED;
		if (p.what == PROPOSAL_HOT) {
			assert_non_null(p.region);
			assert_true(t->hot_count < HOT_MAX);
			t->hot[t->hot_count++] = p;
		}
	}
}

MINED void sink(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	trial *t = ctx;

	if (out)
		recorder_op(&t->r, i, in, out);
	else
		recorder_control(&t->r, i);
	t->ops += out != NULL;
	if (++t->waiting >= t->slice) {
		t->waiting = 0;
		drain(t);
	}
	if (t->ops == t->covered_at) {
		miner_stats_of(t->m, &t->stats);
		t->covered = t->stats.covered;
		t->hot_covered = t->stats.hot_covered;
	}
}

MINED trial *try_in(const char *name, const lab_options *o, uint64_t measure_from, size_t slice)
{
	static const miner_options options = MINER_OPTIONS;
	trial *t = mem_lines(ALIGN_UP(sizeof(*t), CACHE_LINE));

	recorder_init(&t->r, 1 << 14);
	t->m = miner_new(&options);
	t->covered_at = measure_from;
	t->slice = slice;
	lab_run(lab_find(name), o, sink, t, t->marks);
	drain(t);
	miner_stats_of(t->m, &t->stats);
	assert_int_equal(t->stats.ops, t->ops);
	assert_int_equal(t->stats.lost, 0);
	return t;
}

MINED trial *try(const char *name, const lab_options *o, uint64_t measure_from)
{
	return try_in(name, o, measure_from, 0);
}

MINED void end(trial *t)
{
	for (unsigned k = 0; k < t->hot_count; k++)
		region_free(t->hot[k].region);
	miner_free(t->m);
	recorder_fini(&t->r);
	mem_free(t);
}

MINED uint64_t share(const trial *t)
{
	return (t->stats.covered - t->covered) * 100 / (t->ops - t->covered_at);
}

MINED uint64_t hot_share(const trial *t)
{
	return (t->stats.hot_covered - t->hot_covered) * 100 / (t->ops - t->covered_at);
}

MINED const proposal *last_hot(const trial *t)
{
	assert_true(t->hot_count > 0);
	return &t->hot[t->hot_count - 1];
}

#endif
