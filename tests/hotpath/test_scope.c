/* test_scope.c: scopes that the program marks: regions from their first completion on, or not
 * looked at; and streams that are compiled whole. */
#include "check.h"
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "tools/lab.h"
#include "hotpath/miner.h"

#define STEPS_MAX 2000
#define HOT_MAX   128

/* A program's steps, each with marks around it. */
typedef struct trial {
	recorder r;
	miner *m;
	uint64_t ops, marks[STEPS_MAX + 1];
	unsigned steps, step;
	void (*border)(struct trial *t, bool begins);    /* of step `step` */
	proposal hot[HOT_MAX];
	unsigned hot_count, retired;
	bool dropped;                                    /* the plan of hot[0] */
	miner_stats stats;
} trial;

static void drain(trial *t)
{
	proposal p;

	while (miner_run(t->m, &t->r, 1000) == 1000)
		;
	while (miner_next(t->m, &p)) {
		t->retired += p.what == PROPOSAL_RETIRED;
		t->dropped |= (p.what == PROPOSAL_RETIRED || p.what == PROPOSAL_REPLACED) &&
			t->hot_count && p.signature == t->hot[0].signature;
		if (p.what != PROPOSAL_HOT)
			continue;
		assert_true(t->hot_count < HOT_MAX);
		t->hot[t->hot_count++] = p;
	}
}

static void count(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	(void)i, (void)in;
	((trial *)ctx)->ops += out != NULL;
}

static void sink(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	trial *t = ctx;

	if (out && t->step < t->steps && t->ops == t->marks[t->step]) {
		if (t->step)
			t->border(t, false);
		t->border(t, true);
		t->step++;
	}
	if (out)
		recorder_op(&t->r, i, in, out);
	else
		recorder_control(&t->r, i);
	t->ops += out != NULL;
	drain(t);
}

static trial *try(const char *name, unsigned steps, miner_options options,
	void (*border)(trial *, bool))
{
	const lab_options o = { .steps = steps, .seed = 3 };
	trial *t = mem_lines(ALIGN_UP(sizeof(*t), CACHE_LINE));

	lab_run(lab_find(name), &o, count, t, t->marks);
	t->ops = 0;
	t->steps = steps;
	t->border = border;
	recorder_init(&t->r, 1 << 14);
	t->m = miner_new(&options);
	lab_run(lab_find(name), &o, sink, t, NULL);
	t->border(t, false);
	drain(t);
	miner_stats_of(t->m, &t->stats);
	return t;
}

static void end(trial *t)
{
	for (unsigned k = 0; k < t->hot_count; k++)
		region_free(t->hot[k].region);
	miner_free(t->m);
	recorder_fini(&t->r);
	mem_free(t);
}

static void enter(trial *t, const char *name, scope_wish wish)
{
	ins_room room;
	ins *i = ins_init(&room, OP_enter, 0);

	ins_put_name(i, name, strlen(name));
	recorder_enter(&t->r, i, wish);
}

static void leave(trial *t)
{
	ins_room room;

	recorder_control(&t->r, ins_init(&room, OP_leave, 0));
}

static void check_sound(const region *r)
{
	uint32_t seen = 0;

	assert_int_equal(r->signature, region_signature(r));
	for (uint32_t i = 0; i < r->n; i++)
		for (unsigned k = 0; k < r->ops[i].nin; k++) {
			const int32_t in = r->inputs[r->ops[i].first + k];

			if (in == REGION_SCALAR)
				continue;
			assert_true(in >= 0 ? (uint32_t)in < i : REGION_LIVE_IN(in) <= seen);
			seen += in < 0 && REGION_LIVE_IN(in) == seen;
		}
	assert_int_equal(seen, r->live_ins_count);
}

#define SCOPES_ONLY ((miner_options){ .threshold = 10, .min_seq = 3, .window = 4096, \
	.scopes_only = true })

static void unmarked(trial *t, bool begins) { (void)t, (void)begins; }

/* ---- scopes to be compiled ------------------------------------------------------------------ */

static void compiled(trial *t, bool begins)
{
	if (begins)
		enter(t, "step", SCOPE_COMPILE);
	else
		leave(t);
}

/* The first step is the region, and all that follow are runs of it. */
static void test_first(void **state)
{
	trial *t = try("mlp", 100, SCOPES_ONLY, compiled);
	const region *r = t->hot[0].region;
	unsigned out = 0;

	(void)state;
	assert_int_equal(t->hot_count, 1);
	assert_true(t->hot[0].scope);
	assert_int_equal(t->hot[0].at, t->marks[1]);
	assert_int_equal(t->hot[0].runs, 1);
	assert_int_equal(t->hot[0].n, t->marks[1] - t->marks[0]);
	check_sound(r);
	assert_int_equal(r->ops[0].op, OP_upload);
	assert_int_equal(r->cut_why, CUT_SCOPE);
	assert_int_equal(r->live_ins_count, 6);
	/* The parameters; the data, the last layer's result and the loss are called by a name. */
	for (uint32_t i = 0; i < r->n; i++)
		out += r->ops[i].live_out;
	assert_int_equal(out, 6 + 3);
	assert_int_equal(t->stats.runs, 100);
	assert_int_equal(t->stats.hot_runs, 99);
	assert_int_equal(t->stats.loops, 1);
	assert_int_equal(t->stats.ops, t->ops);
	end(t);
}

/* Detection goes on beside it, and finds the same. */
static void test_both(void **state)
{
	trial *t = try("mlp", 100, (miner_options)MINER_OPTIONS, compiled);
	miner_loop found[2];

	(void)state;
	assert_int_equal(t->hot_count, 2);
	assert_true(t->hot[0].scope && !t->hot[1].scope);
	assert_int_equal(t->hot[0].n, t->hot[1].n);
	assert_int_equal(t->hot[0].signature, t->hot[1].signature);
	assert_int_equal(t->stats.runs, 100);    /* one region, counted once */
	assert_int_equal(t->stats.hot_runs, 99);
	assert_int_equal(t->stats.loops, 1);
	assert_int_equal(t->stats.hot_loops, 1);
	assert_int_equal(miner_loops(t->m, found, 2), 1);
	assert_true(found[0].runs == 100 && found[0].hot);
	end(t);
}

static void feed(trial *t, unsigned code, unsigned nin)
{
	record_room room = { .head = { .op = (uint16_t)code, .nin = (uint8_t)nin,
		.words = (uint16_t)(RECORD_HEAD_WORDS + nin) } };

	if (nin)
		room.head.in[0] = t->ops;
	if (code < RECORD_GAP)
		room.head.out = ++t->ops;
	miner_feed(t->m, &room.head);
	drain(t);
}

static void one_part(trial *t)
{
	feed(t, RECORD_BEGIN, 0);
	feed(t, OP_upload, 0);
	feed(t, OP_relu, 1);
	feed(t, OP_exp, 1);
	feed(t, OP_sum, 1);
	feed(t, RECORD_END, 0);
}

/* A loop around them replaces the parts; their scope wants them still, so their plan stays. */
static void test_kept(void **state)
{
	trial *t = try("tiny", 0, (miner_options)MINER_OPTIONS, unmarked);

	(void)state;
	for (unsigned step = 0; step < 100; step++) {
		for (unsigned k = 0; k < 8; k++)
			one_part(t);
		for (unsigned k = 0; k < 12; k++)
			feed(t, k % 3 ? OP_tanh : OP_abs, 1);
	}
	assert_int_equal(t->hot_count, 3);
	assert_true(t->hot[0].scope && !t->hot[1].scope && !t->hot[2].scope);
	assert_int_equal(t->hot[0].signature, t->hot[1].signature);
	assert_int_equal(t->hot[2].n, 8 * t->hot[0].n + 12);
	assert_false(t->dropped);
	end(t);
}

static void alternating(trial *t, bool begins)
{
	if (!begins)
		leave(t);
	else
		enter(t, "step", t->step % 2 ? SCOPE_EXCLUDE : SCOPE_COMPILE);
}

/* A scope with four in it, the third one excluded; then one to be compiled in an excluded one. */
static void nested(trial *t, bool begins)
{
	static const scope_wish wishes[] = { SCOPE_COMPILE, SCOPE_PLAIN, SCOPE_EXCLUDE, SCOPE_PLAIN,
		SCOPE_COMPILE };

	if (begins && (t->step == 0 || t->step == 4))
		enter(t, "outer", t->step ? SCOPE_EXCLUDE : SCOPE_COMPILE);
	if (begins)
		enter(t, "inner", wishes[t->step]);
	else
		leave(t);
	if (!begins && t->step >= 4)
		leave(t);
}

static void test_nested(void **state)
{
	trial *t = try("stateless", 5, SCOPES_ONLY, nested);

	(void)state;
	assert_int_equal(t->hot_count, 2);
	assert_int_equal(t->hot[0].n, 12);
	assert_int_equal(t->hot[1].n, 6);
	assert_int_equal(t->stats.ops, 30);
	assert_int_equal(t->r.depth, 0);
	end(t);
}

static void test_excluded(void **state)
{
	trial *t = try("mlp", 100, (miner_options)MINER_OPTIONS, alternating);

	(void)state;
	assert_true(t->hot[0].scope);
	for (unsigned k = 0; k < t->hot_count; k++)
		assert_int_equal(t->hot[k].n, t->marks[1] - t->marks[0]);
	assert_true(t->stats.covered < t->ops / 2);
	assert_int_equal(t->stats.ops, t->ops);
	assert_int_equal(t->stats.lost, 0);
	end(t);
}

static void excluded(trial *t, bool begins)
{
	if (begins)
		enter(t, "step", SCOPE_EXCLUDE);
	else
		leave(t);
}

/* Under any setting. */
static void test_all_excluded(void **state)
{
	miner_options o = MINER_OPTIONS;
	trial *t;

	(void)state;
	o.everything = true;
	t = try("mlp", 100, o, excluded);
	assert_int_equal(t->hot_count, 1);       /* what comes before the first step */
	assert_int_equal(t->hot[0].n, t->marks[0]);
	assert_int_equal(t->stats.covered, 0);
	assert_int_equal(t->stats.ops, t->ops);
	end(t);
}

/* ---- what may go wrong ---------------------------------------------------------------------- */

static void spoiled(trial *t, bool begins)
{
	record_room gap = { .head = { .op = RECORD_GAP, .words = RECORD_HEAD_WORDS, .out = 7 } };

	compiled(t, begins);
	if (!begins || t->step != 0)
		return;
	drain(t);
	miner_feed(t->m, &gap.head);
}

/* Records of the first step are missing: the second one is the region. */
static void test_gap(void **state)
{
	trial *t = try("mlp", 20, SCOPES_ONLY, spoiled);

	(void)state;
	assert_int_equal(t->hot_count, 1);
	assert_int_equal(t->hot[0].at, t->marks[2]);
	assert_int_equal(t->stats.runs, 19);
	end(t);
}

/* Others every time: after a while a scope has to come twice, and the oldest make room. */
static void test_fruitless(void **state)
{
	trial *t = try("random", 200, SCOPES_ONLY, compiled);

	(void)state;
	assert_in_range(t->hot_count, 16, 40);
	assert_in_range(t->retired, 16, t->hot_count);
	assert_true(t->stats.bytes < 4u << 20);
	end(t);
}

static void one_scope(trial *t, bool begins)
{
	if (begins && t->step == 0)
		enter(t, "all", SCOPE_COMPILE);
}

static void test_long(void **state)
{
	trial *t = try("huge", 8, SCOPES_ONLY, one_scope);

	(void)state;
	assert_int_equal(t->hot_count, 1);
	assert_int_equal(t->hot[0].n, 65536);
	check_sound(t->hot[0].region);
	end(t);
}

/* Deeper than anybody nests: plain scopes, left again as they were entered. */
static void test_depth(void **state)
{
	const miner_options o = SCOPES_ONLY;
	recorder r;
	miner *m = miner_new(&o);
	trial *t = mem_lines(ALIGN_UP(sizeof(*t), CACHE_LINE));

	(void)state;
	recorder_init(&r, 1 << 14);
	t->r = r;
	for (unsigned k = 0; k < 100; k++)
		enter(t, "deep", k < SCOPE_DEPTH_MAX ? SCOPE_PLAIN : SCOPE_EXCLUDE);
	assert_int_equal(t->r.excluded, 0);
	for (unsigned k = 0; k < 120; k++)
		leave(t);
	assert_int_equal(t->r.depth, 0);
	enter(t, "out", SCOPE_EXCLUDE);
	assert_int_equal(t->r.excluded, 1);
	recorder_fini(&t->r);
	miner_free(m);
	mem_free(t);
}

/* ---- compiled whole ------------------------------------------------------------------------- */

static void flushed(trial *t, bool begins)
{
	if (begins)
		recorder_flush(&t->r);
}

/* Without a scope a region ends where the stream is flushed, or a value is read. */
static void test_everything(void **state)
{
	miner_options o = SCOPES_ONLY;
	trial *t;

	(void)state;
	o.everything = true;
	t = try("dropout", 50, o, flushed);
	assert_int_equal(t->hot_count, 2);       /* and what comes before the first step */
	assert_int_equal(t->hot[0].n, t->marks[0]);
	assert_int_equal(t->hot[1].n, t->marks[1] - t->marks[0]);
	assert_int_equal(t->stats.runs, 1 + 49); /* the last one is not over */
	end(t);
	t = try("mlp", 50, o, compiled);
	assert_int_equal(t->hot[1].n, t->marks[1] - t->marks[0]);
	assert_int_equal(t->stats.runs, 1 + 50);
	end(t);
}

static void test_reads(void **state)
{
	miner_options o = SCOPES_ONLY;
	trial *t;

	(void)state;
	o.everything = true;
	t = try("mlp", 50, o, unmarked);         /* reads the loss of every tenth step */
	assert_int_equal(t->hot_count, 2);
	assert_int_equal(t->hot[1].n, t->marks[20] - t->marks[10]);
	assert_int_equal(t->stats.runs, 1 + 4);
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first), cmocka_unit_test(test_both),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_nested), cmocka_unit_test(test_excluded),
		cmocka_unit_test(test_all_excluded), cmocka_unit_test(test_gap),
		cmocka_unit_test(test_fruitless), cmocka_unit_test(test_long),
		cmocka_unit_test(test_depth), cmocka_unit_test(test_everything),
		cmocka_unit_test(test_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
