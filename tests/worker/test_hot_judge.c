/* test_hot_judge.c: what becomes of plans that pay and of plans that do not. Time is made here: the
 * busy time of an executor that does nothing moves on by what a run is said to cost. */
#include "check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "worker/hot.h"

#define MS UINT64_C(1000000)

typedef struct bench {
	hot *h;
	hot_run r;
	plan plan;
	region region;
	unsigned replays, eagers;        /* runs of either kind */
} bench;

static void begin(bench *b, uint32_t n)
{
	memset(b, 0, sizeof *b);
	b->h = mem_lines(ALIGN_UP(sizeof *b->h, CACHE_LINE));
	recorder_init(&b->h->recorder, 1 << 12);
	b->h->runs[0] = &b->r;
	b->h->count = 1;
	b->h->started = clock_ns();
	b->region.n = n;
	b->plan.region = &b->region;
	b->r.plan = &b->plan;
}

static void end(bench *b)
{
	hot_warm_end(b->h);
	recorder_fini(&b->h->recorder);
	mem_free(b->h);
}

static void pass_time(bench *b, uint64_t ns)
{
	b->h->busy += ns;
	b->h->started = clock_ns();      /* what the test itself takes does not count */
	atomic_fetch_add(&b->h->counts.ops, b->region.n);
}

/* One run of the loop, as the plan's state wants it. */
static void run(bench *b, uint64_t eager, uint64_t replay)
{
	if (b->h->trial) {
		pass_time(b, eager);
		b->eagers++;
		hot_judge_eager(b->h);
	} else if (!hot_allowed(b->h, &b->r)) {
		pass_time(b, eager);
		b->eagers++;
	} else {
		pass_time(b, replay);
		b->replays++;
		b->r.moved = hot_ops(b->h) - 1;
		hot_judge_run(b->h, &b->r);
	}
}

static void run_many(bench *b, unsigned times, uint64_t eager, uint64_t replay)
{
	while (times--)
		run(b, eager, replay);
}

/* The pace of the stream before there is a plan. */
static void warm_up(bench *b, uint64_t eager)
{
	for (unsigned k = 0; k < 40; k++) {
		pass_time(b, eager);
		hot_mark_pace(b->h);
	}
	hot_judge_new(b->h, &b->r);
}

static void test_times(void **state)
{
	bench b;

	(void)state;
	begin(&b, 200);
	warm_up(&b, 3 * MS);
	assert_int_equal(b.r.reps, 1);
	assert_int_equal(b.r.warm, 3 * MS);
	run(&b, 0, 2 * MS);              /* the first border */
	run(&b, 0, 5 * MS);
	run(&b, 0, 2 * MS);
	run(&b, 0, 4 * MS);
	assert_int_equal(b.r.replay.n, 3);
	assert_in_range(hot_times_least(&b.r.replay), 2 * MS - MS / 2, 2 * MS + MS / 2);
	assert_in_range(hot_times_median(&b.r.replay), 4 * MS - MS / 2, 4 * MS + MS / 2);
	assert_int_equal(hot_times_least(&b.r.eager), 0);
	end(&b);
}

static void test_short_loops_are_timed_in_stretches(void **state)
{
	bench b;

	(void)state;
	begin(&b, 10);
	warm_up(&b, 1 * MS);
	assert_int_equal(b.r.reps, 3);
	run_many(&b, 4, 0, 1 * MS);      /* the first one ends in the border that they begin at */
	assert_int_equal(b.r.replay.n, 1);
	assert_in_range(hot_times_least(&b.r.replay), 3 * MS - MS / 2, 3 * MS + MS);
	/* A stretch that was broken off is none. */
	run_many(&b, 2, 0, 1 * MS);
	hot_judge_exit(&b.r);
	run_many(&b, 3, 0, 1 * MS);
	assert_int_equal(b.r.replay.n, 1);
	run(&b, 0, 1 * MS);
	assert_int_equal(b.r.replay.n, 2);
	end(&b);
}

static void test_what_pays_stays(void **state)
{
	bench b;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	run_many(&b, 1000, 10 * MS, 10 * MS);
	assert_int_equal(b.eagers, HOT_TIMES);   /* it is tested once */
	assert_int_equal(b.r.verdict, HOT_RUNS);
	end(&b);
}

/* It looks dearer than before, but the program has become dearer: it wins its trial. */
static void test_a_trial_may_be_won(void **state)
{
	bench b;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	run_many(&b, 1000, 20 * MS, 19 * MS);
	assert_int_equal(b.eagers, hot_times_wanted(2));        /* 5 hundredths are not clear before */
	assert_int_equal(b.r.verdict, HOT_RUNS);
	assert_int_equal(atomic_load(&b.h->counts.demotions), 0);
	assert_in_range(b.r.warm, 19 * MS, 21 * MS);
	end(&b);
}

/* Dearer by 10 %: barred, longer each time, at last for good; what it costs is bounded. */
static void test_what_does_not_pay_goes(void **state)
{
	bench b;
	unsigned replays;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	run_many(&b, 80, 10 * MS, 11 * MS);
	assert_int_equal(b.r.verdict, HOT_BARRED);
	assert_int_equal(b.r.demotions, 1);
	assert_true(b.r.ratio > 0.85 && b.r.ratio < 0.95);
	assert_true(b.r.until >= hot_ops(b.h));
	run_many(&b, 20000, 10 * MS, 11 * MS);
	assert_int_equal(b.r.verdict, HOT_BLACKLISTED);
	assert_non_null(atomic_load(&b.h->notes));      /* nor is it kept for the next process */
	assert_int_equal(atomic_load(&b.h->counts.blacklisted), 1);
	replays = b.replays;
	assert_true(replays < 400);
	run_many(&b, 1000, 10 * MS, 11 * MS);
	assert_int_equal(b.replays, replays);
	end(&b);
}

/* A loop may lose while its code is still being made: the bar is T1's, not that of the code. */
static void test_code_is_tried_once_it_is_there(void **state)
{
	bench b;
	unsigned replays;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	run_many(&b, 40, 10 * MS, 11 * MS);
	assert_int_equal(b.r.verdict, HOT_BARRED);
	replays = b.replays;
	run_many(&b, 10, 10 * MS, 8 * MS);
	assert_int_equal(b.replays, replays);
	hot_judge_made(&b.r);
	run_many(&b, 1000, 10 * MS, 8 * MS);
	assert_int_equal(b.replays, replays + 1000);
	assert_int_equal(b.r.verdict, HOT_RUNS);
	/* What runs, or lost for good, is left as it is. */
	hot_judge_made(&b.r);
	assert_int_equal(b.r.verdict, HOT_RUNS);
	b.r.verdict = HOT_BLACKLISTED;
	hot_judge_made(&b.r);
	assert_false(hot_allowed(b.h, &b.r));
	end(&b);
}

/* Other shapes: nothing that was measured before counts, so it is tried. */
static void test_other_shapes(void **state)
{
	bench b;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	run_many(&b, 40, 10 * MS, 10 * MS);
	b.plan.changes++;
	run_many(&b, 100, 1 * MS, 1 * MS);
	assert_in_range(b.eagers, HOT_TIMES, 2 * HOT_TIMES);
	assert_int_equal(b.r.verdict, HOT_RUNS);
	/* Never the same twice: that is how it is, and it costs what it costs. */
	for (unsigned k = 0; k < 100; k++) {
		b.plan.changes++;
		run(&b, (1 + k % 5) * MS, (2 + k % 5) * MS);
	}
	assert_int_equal(b.r.verdict, HOT_BARRED);
	assert_int_equal(b.r.demotions, 1);
	end(&b);
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	for (unsigned k = 0; k < 1000; k++) {
		b.plan.changes++;
		run(&b, (2 + k % 5) * MS, (2 + k % 5) * MS);
	}
	assert_int_equal(b.r.demotions, 0);
	assert_true(b.eagers <= 2 * HOT_TIMES);
	end(&b);
}

/* Sizes are drawn from a few, so now and then they are what they were: it is judged all the
 * same. */
static void test_shapes_that_mostly_change(void **state)
{
	bench b;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	for (unsigned k = 0; k < 200; k++) {
		b.plan.changes += k % 3 != 0;
		run(&b, (10 + k % 5) * MS, (12 + k % 5) * MS);
	}
	assert_true(b.r.demotions > 0);
	assert_true(b.r.ratio > 0.75 && b.r.ratio < 0.95);
	end(&b);
	/* A last batch that is smaller, each epoch, is no such thing. */
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	for (unsigned k = 0; k < 400; k++) {
		b.plan.changes += k % 50 < 2;
		run(&b, 10 * MS, 8 * MS);
	}
	assert_int_equal(b.r.demotions, 0);
	assert_true(b.r.moves <= 16);
	end(&b);
}

/* What comes right behind a replay is not eager execution as it will be. */
static void test_short_eager_stretches_begin_warm(void **state)
{
	uint64_t cold = 0;
	bench b;

	(void)state;
	begin(&b, 40);
	warm_up(&b, 1 * MS);
	for (unsigned k = 0; k < 400; k++) {
		cold = b.h->trial ? cold + 1 : 0;
		run(&b, cold == 1 ? 9 * MS : 1 * MS, 2 * MS);
	}
	assert_true(b.r.demotions > 0);
	assert_in_range(hot_times_least(&b.r.eager), 1 * MS - MS / 2, 1 * MS + MS / 2);
	end(&b);
}

static void test_nothing_is_asked_of_what_lost_for_good(void **state)
{
	bench b;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	assert_false(hot_is_over(b.h));
	run_many(&b, 20000, 10 * MS, 11 * MS);
	assert_int_equal(b.r.verdict, HOT_BLACKLISTED);
	assert_true(hot_is_over(b.h));
	b.h->count++;                    /* another plan */
	assert_false(hot_is_over(b.h));
	b.h->count--;
	end(&b);
}

/* Eager stretches of a trial in which something else ran do not count. */
static void test_disturbed_trials_end(void **state)
{
	bench b;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	for (unsigned k = 0; k < 400; k++) {
		const bool trial = b.h->trial;

		run(&b, 10 * MS, 20 * MS);
		if (trial)
			atomic_fetch_add(&b.h->counts.ops, 300);
	}
	assert_int_equal(b.r.eager.n, 0);
	assert_int_equal(b.r.verdict, HOT_RUNS);
	assert_true(b.eagers <= 70);
	end(&b);
}

/* Of a settled loop the miner hears as much while it runs eagerly as when it is replayed. */
static void test_trials_of_settled_loops(void **state)
{
	const record *first;
	uint64_t told = 0;
	bench b;

	(void)state;
	begin(&b, 100);
	b.region.signature = 42;
	b.r.settled = true;
	warm_up(&b, 10 * MS);
	run_many(&b, 1000, 20 * MS, 19 * MS);
	while ((first = recorder_peek(&b.h->recorder))) {
		assert_int_equal(first->op, RECORD_REPLAY);
		assert_int_equal(first->attr, 42);
		told += first->out;
		recorder_pop(&b.h->recorder, first);
	}
	assert_int_equal(told, (uint64_t)hot_times_wanted(2) * 100);
	assert_false(b.h->mute);
	end(&b);
}

/* ---- side plans ------------------------------------------------------------------------------ */

/* A root of 100 ops and a side of 20 behind its op 7, which every tenth run goes through. */
typedef struct pair {
	bench b;
	hot_run side;
	plan plan;
	pattern pattern;
	pattern_op op;
	region region;
	ins_room room;
	unsigned taken, eagers;
} pair;

static void begin_pair(pair *p, uint64_t eager)
{
	memset(p, 0, sizeof *p);
	begin(&p->b, 100);
	p->region = (region){ .n = 20, .signature = 7 };
	ins_init(&p->room, OP_exp, 1000);
	p->op.head = match_head(&p->room.head);
	p->plan.region = &p->region;
	p->plan.pattern = (pattern){ .n = 20, .ops = &p->op };
	p->side = (hot_run){ .plan = &p->plan, .from = &p->b.r, .root = &p->b.r, .place = 7,
		.warm = eager };
	p->b.r.sides = p->b.r.family = 1;
	p->b.h->runs[1] = &p->side;
	p->b.h->count = 2;
	p->b.h->again = HOT_RUNS_MAX;
	hot_judge_new(p->b.h, &p->side);
}

/* Ten runs of the root, then one that is left at op 7: by way of the side, or eagerly. */
static void go(pair *p, uint64_t eager, uint64_t replay)
{
	hot *h = p->b.h;
	uint32_t found;

	atomic_fetch_add(&h->counts.ops, 1000);
	p->b.r.runs += 10;
	h->took = &p->b.r;
	h->took_k = 0;
	h->under_way = 1;
	p->b.r.match = (match){ .at = 7 };
	found = hot_side_find(h, &p->room.head);
	if (!found)
		hot_side_miss(h);
	h->under_way = 0;
	h->busy += found ? 0 : eager;
	if (found) {
		hot_side_begin(h, &p->side);
		h->busy += replay;
		p->taken++;
	}
	h->started = clock_ns();
	atomic_fetch_add(&h->counts.ops, 20);
	p->side.moved = hot_ops(h) - 1;
	if (found)
		hot_side_complete(h, &p->side);
	else if (h->watch.from)
		hot_side_enter(h, &p->b.r);
	p->side.runs += found != 0;
	p->eagers += !found;
}

static void end_pair(pair *p)
{
	end(&p->b);
}

static void test_side_that_pays(void **state)
{
	pair p;

	(void)state;
	begin_pair(&p, 10 * MS);
	for (unsigned k = 0; k < 200; k++)
		go(&p, 10 * MS, 9 * MS);
	assert_in_range(p.taken, 200 - HOT_TIMES, 199);  /* it is tested once */
	assert_int_equal(p.side.verdict, HOT_RUNS);
	assert_in_range(hot_times_least(&p.side.replay), 9 * MS - MS / 2, 9 * MS + MS / 2);
	assert_int_equal(p.side.reps, 1);
	end_pair(&p);
}

/* It looks dearer than what it took eagerly, once: on trial it runs every other time, and loses. */
static void test_side_that_does_not_pay(void **state)
{
	pair p;

	(void)state;
	begin_pair(&p, 10 * MS);
	for (unsigned k = 0; p.side.verdict != HOT_BARRED; k++) {
		assert_true(k < 16);
		go(&p, 10 * MS, 12 * MS);
	}
	assert_int_equal(p.side.demotions, 1);
	assert_int_equal(p.eagers, hot_times_wanted(1));
	assert_true(p.side.ratio > 0.8 && p.side.ratio < 0.87);
	for (unsigned k = 0; k < 8000; k++)
		go(&p, 10 * MS, 12 * MS);
	assert_int_equal(p.side.verdict, HOT_BLACKLISTED);
	assert_true(p.taken < 400);
	end_pair(&p);
}

/* The whole program has become dearer: it wins. */
static void test_side_that_wins_its_trial(void **state)
{
	pair p;

	(void)state;
	begin_pair(&p, 10 * MS);
	for (unsigned k = 0; k < 200; k++)
		go(&p, 20 * MS, 19 * MS);
	assert_int_equal(p.eagers, hot_times_wanted(2));
	assert_int_equal(p.side.verdict, HOT_RUNS);
	assert_in_range(p.side.warm, 19 * MS, 21 * MS);
	end_pair(&p);
}

/* The beginning seems to come where runs were left. Each time it does is one time more that the
 * next one is believed; if it hardly ever does none is. */
static void test_returns(void **state)
{
	unsigned left = 0;
	pair p;

	(void)state;
	begin_pair(&p, 10 * MS);
	p.b.r.match.at = 7;
	assert_false(hot_side_returns(p.b.h, &p.b.r));   /* never left there */
	p.b.r.places[0] = (hot_place){ 7, 1 };
	for (unsigned k = 0; k < 100; k++) {
		assert_true(hot_side_returns(p.b.h, &p.b.r));
		hot_side_exit(&p.b.r);
		p.b.r.runs++;            /* what began then was completed */
	}
	for (unsigned k = 0; k < 100; k++)
		if (hot_side_returns(p.b.h, &p.b.r)) {
			hot_side_exit(&p.b.r);
			hot_side_exit(&p.b.r);
			left++;
		}
	assert_in_range(left, 5, 12);
	end_pair(&p);
}

/* ---- T2 beside T1 ---------------------------------------------------------------------------- */

/* A plan of two tiers, of which leaps are known. */
typedef struct tiers {
	bench b;
	fused_plan two;
	unsigned ones, twos;             /* runs of either */
} tiers;

static void begin_tiers_of(tiers *s, unsigned n, uint64_t eager)
{
	memset(s, 0, sizeof *s);
	begin(&s->b, n);
	s->b.r.fused.plans[0] = &s->two;
	s->b.r.fused.count = 1;
	fused_judge_forget(&s->b.r.fused.judge);
	warm_up(&s->b, eager);
	s->b.r.runs = 1000;
	s->two.completed = 100;          /* long proved */
}

static void begin_tiers(tiers *s, uint64_t eager)
{
	begin_tiers_of(s, 100, eager);
}

/* Runs as the judge wants them; eager ones where there is no plan. */
static void run_tiers(tiers *s, unsigned times, uint64_t eager, uint64_t one, uint64_t two)
{
	while (times--) {
		const bool off = s->b.r.fused.judge.off;
		const unsigned before = s->b.replays;

		s->b.r.fused.judge.taken += !off && !s->b.h->trial;
		s->b.r.runs++;
		run(&s->b, eager, off ? one : two);
		s->ones += off && s->b.replays > before;
		s->twos += !off && s->b.replays > before;
	}
}

static void end_tiers(tiers *s)
{
	end(&s->b);
}

/* Less than half of what eager execution takes: T1 is not asked. */
static void test_t2_that_is_clearly_faster(void **state)
{
	tiers s;

	(void)state;
	begin_tiers(&s, 10 * MS);
	run_tiers(&s, 200, 10 * MS, 9 * MS, 3 * MS);
	assert_int_equal(s.ones, 0);
	assert_true(s.b.r.fused.judge.settled);
	assert_int_equal(s.b.eagers, 0);
	end_tiers(&s);
}

/* Twice as slow as T1: it is left after a few runs, and seldom comes again. */
static void test_t2_that_is_clearly_slower(void **state)
{
	tiers s;

	(void)state;
	begin_tiers(&s, 10 * MS);
	run_tiers(&s, 16, 10 * MS, 5 * MS, 10 * MS);
	assert_int_equal(s.b.r.fused.judge.demotions, 1);
	assert_true(s.twos <= 5);
	assert_true(s.b.r.fused.judge.ratio > 0.45 && s.b.r.fused.judge.ratio < 0.55);
	run_tiers(&s, 200, 10 * MS, 5 * MS, 10 * MS);
	assert_int_equal(s.b.r.fused.judge.demotions, 1);
	run_tiers(&s, 20000, 10 * MS, 5 * MS, 10 * MS);
	assert_true(s.b.r.fused.judge.blacklisted);
	assert_true(s.twos < 40 * HOT_TIMES);
	assert_int_equal(s.b.eagers, hot_times_wanted(0));      /* T1 is tested once */
	end_tiers(&s);
}

/* A gain of 3 % is seen, one of 1 % is none; either takes the whole trial. */
static void test_t2_that_is_hardly_faster(void **state)
{
	tiers s;

	(void)state;
	begin_tiers(&s, 110 * MS);
	run_tiers(&s, 80, 110 * MS, 100 * MS, 97 * MS);
	assert_true(s.b.r.fused.judge.settled);
	assert_true(s.ones <= HOT_TIMES + HOT_ROUNDS);
	end_tiers(&s);
	begin_tiers(&s, 110 * MS);
	run_tiers(&s, 80, 110 * MS, 100 * MS, 99 * MS);
	assert_int_equal(s.b.r.fused.judge.demotions, 1);
	end_tiers(&s);
}

/* Three runs behind each change of tiers are cold. */
static void run_cold(tiers *s, unsigned times, uint64_t eager, uint64_t one, uint64_t two)
{
	unsigned since = 3;
	bool off = s->b.r.fused.judge.off;

	for (; times--; since++) {
		if (s->b.r.fused.judge.off != off)
			since = 0;
		off = s->b.r.fused.judge.off;
		run_tiers(s, 1, eager, since < 3 ? 4 * one : one, since < 3 ? 8 * two : two);
	}
}

/* That is not what is compared, neither at first nor when T2 has been off for long. */
static void test_short_loops_of_either_tier_are_timed_warm(void **state)
{
	tiers s;

	(void)state;
	begin_tiers_of(&s, 20, 10 * MS);
	run_cold(&s, 100, 10 * MS, 6 * MS, 5 * MS);
	assert_int_equal(s.b.r.fused.judge.demotions, 0);
	assert_true(s.b.r.fused.judge.settled);
	end_tiers(&s);
	begin_tiers_of(&s, 20, 10 * MS);
	run_cold(&s, 40, 10 * MS, 4 * MS, 20 * MS);
	assert_int_equal(s.b.r.fused.judge.demotions, 1);
	run_cold(&s, 600, 10 * MS, 4 * MS, 2 * MS);
	assert_int_equal(s.b.r.fused.judge.demotions, 1);
	assert_true(s.b.r.fused.judge.settled);
	end_tiers(&s);
}

/* Faster than T1, and both slower than eager execution: first T2 goes, then T1. */
static void test_neither_pays(void **state)
{
	tiers s;

	(void)state;
	begin_tiers(&s, 10 * MS);
	run_tiers(&s, 60, 10 * MS, 20 * MS, 15 * MS);
	assert_int_equal(s.b.r.fused.judge.demotions, 1);
	assert_int_equal(s.b.r.demotions, 1);
	assert_true(s.ones + s.twos < 30);
	end_tiers(&s);
}

/* What nothing speaks against is hardly timed any more. */
static void test_what_is_settled_rests(void **state)
{
	bench b;
	uint32_t n;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	run_many(&b, 100, 10 * MS, 8 * MS);
	n = b.r.replay.n;
	run_many(&b, 1000, 10 * MS, 8 * MS);
	assert_in_range(b.r.replay.n - n, 1000 / 20, 1000 / 15);
	/* It has become dearer. */
	run_many(&b, 350, 10 * MS, 13 * MS);
	assert_int_equal(b.r.demotions, 1);
	end(&b);
}

static void test_nothing_is_judged_in_tests(void **state)
{
	bench b;

	(void)state;
	begin(&b, 100);
	warm_up(&b, 10 * MS);
	b.h->sync = true;
	run_many(&b, 1000, 10 * MS, 90 * MS);
	assert_int_equal(b.replays, 1000);
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_short_loops_are_timed_in_stretches),
		cmocka_unit_test(test_what_pays_stays),
		cmocka_unit_test(test_a_trial_may_be_won),
		cmocka_unit_test(test_what_does_not_pay_goes),
		cmocka_unit_test(test_code_is_tried_once_it_is_there),
		cmocka_unit_test(test_other_shapes),
		cmocka_unit_test(test_shapes_that_mostly_change),
		cmocka_unit_test(test_short_eager_stretches_begin_warm),
		cmocka_unit_test(test_nothing_is_asked_of_what_lost_for_good),
		cmocka_unit_test(test_disturbed_trials_end),
		cmocka_unit_test(test_trials_of_settled_loops),
		cmocka_unit_test(test_side_that_pays),
		cmocka_unit_test(test_side_that_does_not_pay),
		cmocka_unit_test(test_side_that_wins_its_trial),
		cmocka_unit_test(test_returns),
		cmocka_unit_test(test_t2_that_is_clearly_faster),
		cmocka_unit_test(test_t2_that_is_clearly_slower),
		cmocka_unit_test(test_t2_that_is_hardly_faster),
		cmocka_unit_test(test_short_loops_of_either_tier_are_timed_warm),
		cmocka_unit_test(test_neither_pays),
		cmocka_unit_test(test_what_is_settled_rests),
		cmocka_unit_test(test_nothing_is_judged_in_tests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
