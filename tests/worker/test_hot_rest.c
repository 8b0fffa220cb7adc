/* test_hot_rest.c: when nobody listens to a stream, and that nothing depends on it. In most of the
 * tests time is made here: so much an op, listening and still. */
#include "check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "one_tenant.h"

#define SLICE 64
#define OP    UINT64_C(100000)           /* ns: what the test itself takes is nothing beside it */

typedef struct bench {
	hot *h;
	tenant *t;
	worker w;
	hot_run r;
	plan plan;
	region region;
	uint64_t ops, still;             /* executed; of them still */
	bool tells;                      /* listening, all ops are told as a whole */
	bool whole;                      /* no run is left before its end */
} bench;

static void begin(bench *b, bool plans)
{
	memset(b, 0, sizeof *b);
	b->h = mem_lines(ALIGN_UP(sizeof *b->h, CACHE_LINE));
	b->t = mem_lines(ALIGN_UP(sizeof *b->t, CACHE_LINE));
	recorder_init(&b->h->recorder, 1 << 12);
	b->h->tenant = b->t;
	b->t->worker = &b->w;
	b->t->hot = b->t->heard = b->h;
	b->h->again = b->h->took_k = HOT_RUNS_MAX;
	b->region.n = 10;
	b->plan.region = &b->region;
	b->r.plan = &b->plan;
	b->r.tested = true;              /* long known */
	b->r.replay.n = HOT_TIMES;
	b->h->helping = UINT64_MAX / 2;  /* nobody mines here */
	hot_rest_init(b->h);
	if (!plans)
		return;
	b->h->runs[0] = &b->r;
	b->h->count = 1;
	hot_rest_plan(b->h, &b->r);
}

static void end(bench *b)
{
	assert_int_equal(hot_ops(b->h), b->ops);
	recorder_fini(&b->h->recorder);
	mem_free(b->h);
	mem_free(b->t);
}

/* A slice of the stream, with the hooks that a worker calls. */
static void slice(bench *b, uint64_t listening, uint64_t still)
{
	hot *h = b->h;

	if (!hot_rests_on(h))
		hot_rest_slice(h);
	atomic_fetch_add(&b->w.operations, SLICE);
	if (!h->rest.still)
		atomic_fetch_add(&h->counts.ops, SLICE);
	h->rest.exits += !b->whole;      /* or ops as long as these would not be tried */
	if (!h->rest.still && b->tells)
		h->rest.told += SLICE;
	h->busy += SLICE * (h->rest.still || h->rest.aloof ? still : listening);
	b->ops += SLICE;
	b->still += h->rest.still ? SLICE : 0;
	hot_rest_count(h);
	b->r.completed = hot_ops(h);
	if (h->rest.phase != HOT_RESTS)
		h->started = clock_ns();
}

/* Until the phase is that one, or most ops have come. */
static bool run_to(bench *b, hot_phase phase, uint64_t most, uint64_t listening, uint64_t still)
{
	const uint64_t until = b->ops + most;

	while (b->h->rest.phase != phase && b->ops < until)
		slice(b, listening, still);
	return b->h->rest.phase == phase;
}

static void test_it_rests(void **state)
{
	uint64_t from, lengths[2];
	bench b;

	(void)state;
	begin(&b, true);
	for (unsigned k = 0; k < 2; k++) {
		assert_true(run_to(&b, HOT_RESTS, 20000, 11 * OP, 10 * OP));
		assert_null(b.t->heard);
		assert_int_equal(b.h->started, 0);
		from = b.ops;
		assert_true(run_to(&b, HOT_LISTENS, 1 << 20, 11 * OP, 10 * OP));
		assert_ptr_equal(b.t->heard, b.h);
		lengths[k] = b.ops - from;
	}
	assert_in_range(lengths[1], 2 * lengths[0] - SLICE, 2 * lengths[0] + SLICE);
	from = b.ops;                    /* it listens for a while before it is tried again */
	assert_true(run_to(&b, HOT_LEADS, 1 << 20, 11 * OP, 10 * OP));
	assert_true(b.ops - from >= lengths[1] / 16 - SLICE);
	end(&b);
}

/* What loses by a lot is found out soon, what does not lose is tried rarely. */
static void test_it_goes_on(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	assert_true(run_to(&b, HOT_RESTS, 4500, 30 * OP, 10 * OP));
	end(&b);
	begin(&b, true);
	assert_false(run_to(&b, HOT_RESTS, 1 << 22, 10 * OP, 10 * OP));
	assert_true(b.still > 0 && b.still < 60000);
	end(&b);
}

/* Pieces of long plans are long: what of a trial is executed still stays a small part of all ops. */
static void test_long_trials_are_rare(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	b.region.n = 5000;
	assert_false(run_to(&b, HOT_RESTS, 1 << 24, 10 * OP, 10 * OP));
	assert_true(b.still > 0 && b.still < b.ops / 16);
	end(&b);
}

/* Plans far ahead need no trial. */
static void test_what_is_told_is_not_tried(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	b.tells = true;
	assert_false(run_to(&b, HOT_RESTS, 1 << 20, 20 * OP, 10 * OP));
	assert_int_equal(b.still, 0);
	end(&b);
}

/* What an op takes to be listened to is lost in what long ones take; but runs that are left may cost
 * more than that. */
static void test_long_ops_are_not_tried(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	b.whole = true;
	assert_false(run_to(&b, HOT_LEADS, 1 << 20, 2 * OP, OP));
	hot_rest_exit(b.h, &b.r);
	assert_true(run_to(&b, HOT_RESTS, 1 << 17, 2 * OP, OP));
	end(&b);
}

/* What is recorded op by op until a loop is settled takes longer than it will: a trial of a short one
 * is as if it were, for a long one the miner is waited for; what was told before that is forgotten. */
static void test_settling_is_waited_for(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	atomic_store(&b.h->settles, true);
	assert_false(hot_rest_mutes(b.h));
	assert_true(run_to(&b, HOT_LEADS, 1 << 12, 10 * OP, 20 * OP));
	assert_true(hot_rest_mutes(b.h));
	assert_true(run_to(&b, HOT_TRIES, 1 << 12, 10 * OP, 20 * OP));
	assert_true(hot_rest_mutes(b.h));
	atomic_store(&b.h->settles, false);
	assert_false(hot_rest_mutes(b.h));
	end(&b);
	begin(&b, true);                 /* of middle size: if it is far ahead */
	b.region.n = 300;
	b.r.clear = true;
	atomic_store(&b.h->settles, true);
	assert_false(run_to(&b, HOT_LEADS, 1 << 16, 20 * OP, 10 * OP));
	b.r.clear = false;
	assert_true(run_to(&b, HOT_LEADS, 1 << 10, 20 * OP, 10 * OP));
	end(&b);
	begin(&b, true);
	b.region.n = 2000;
	atomic_store(&b.h->settles, true);
	assert_false(run_to(&b, HOT_LEADS, 1 << 16, 20 * OP, 10 * OP));
	atomic_store(&b.h->settles, false);
	hot_rest_settled(b.h);
	b.tells = true;
	assert_false(run_to(&b, HOT_LEADS, 1 << 20, 20 * OP, 10 * OP));
	b.tells = false;
	hot_rest_settled(b.h);           /* that is no excuse for long */
	assert_true(run_to(&b, HOT_RESTS, 1 << 18, 20 * OP, 10 * OP));
	end(&b);
}

/* A young plan is waited for, not for ever. */
static void test_young_plans_are_waited_for(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	b.r.replay.n = 0;
	assert_false(run_to(&b, HOT_LEADS, 1024 + 64 * 32 - SLICE, 20 * OP, 10 * OP));
	assert_true(run_to(&b, HOT_LEADS, 1024, 20 * OP, 10 * OP));
	end(&b);
}

/* As long as new plans come the program is not known yet. */
static void test_new_plans_are_waited_for(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	for (unsigned k = 0; k < 10; k++) {
		hot_rest_plan(b.h, &b.r);
		assert_false(run_to(&b, HOT_LEADS, 1000, 20 * OP, 10 * OP));
	}
	assert_true(run_to(&b, HOT_LEADS, 1000, 20 * OP, 10 * OP));
	end(&b);
}

static void rest(bench *b)
{
	begin(b, true);
	assert_true(run_to(b, HOT_RESTS, 20000, 20 * OP, 10 * OP));
}

/* A slice of what rests is mostly no more than counted; news are looked for, and letters read. */
static void test_it_rests_on(void **state)
{
	static hot_letter letter;
	bench b;

	(void)state;
	begin(&b, true);
	assert_false(hot_rests_on(b.h));
	end(&b);
	rest(&b);
	for (unsigned k = 0; k < 4 * HOT_FRONT_EVERY; k++) {
		const bool looks = b.h->rest.slices % HOT_FRONT_EVERY == 0;
		const uint64_t ops = hot_ops(b.h);

		assert_int_equal(hot_rests_on(b.h), !looks);
		b.h->rest.slices -= !looks;
		slice(&b, OP, OP);
		assert_int_equal(hot_ops(b.h), ops + SLICE);
	}
	b.h->rest.slices = 1;
	atomic_store(&b.h->post, &letter);
	assert_false(hot_rests_on(b.h));
	atomic_store(&b.h->post, NULL);
	assert_true(hot_rests_on(b.h));
	hot_rest_count(b.h);
	end(&b);
}

static void test_who_waits_ends_it(void **state)
{
	bench b;

	(void)state;
	rest(&b);
	atomic_store(&b.h->rest.stirred, true);
	slice(&b, OP, OP);
	assert_int_equal(b.h->rest.phase, HOT_LISTENS);
	assert_ptr_equal(b.t->heard, b.h);
	end(&b);
}

/* A trial that is interrupted is begun anew, but each time later. */
static void test_who_waits_interrupts_trials(void **state)
{
	uint64_t from, before = 0;
	bench b;

	(void)state;
	begin(&b, true);
	for (unsigned k = 0; k < 4; k++) {
		from = b.ops;
		assert_true(run_to(&b, HOT_LEADS, 1 << 22, 20 * OP, 10 * OP));
		assert_true(b.ops - from > 3 * before);
		before = b.ops - from;
		atomic_store(&b.h->rest.stirred, true);
		slice(&b, OP, OP);
		assert_int_equal(b.h->rest.phase, HOT_LISTENS);
	}
	end(&b);
}

static void test_a_plan_ends_it(void **state)
{
	bench b;

	(void)state;
	rest(&b);
	hot_rest_plan(b.h, &b.r);
	assert_int_equal(b.h->rest.phase, HOT_LISTENS);
	end(&b);
}

/* In the middle of a slice; and never again. */
static void test_a_scope_ends_it(void **state)
{
	bench b;

	(void)state;
	rest(&b);
	hot_rest_slice(b.h);
	atomic_fetch_add(&b.w.operations, 5);
	b.ops += 5;
	hot_rest_never(b.h);
	assert_int_equal(b.h->rest.phase, HOT_LISTENS);
	assert_int_equal(hot_ops(b.h), b.ops);
	assert_false(run_to(&b, HOT_RESTS, 1 << 22, 20 * OP, 10 * OP));
	end(&b);
}

/* What other tenants execute in between is not counted. */
static void test_ops_are_counted(void **state)
{
	bench b;

	(void)state;
	rest(&b);
	slice(&b, OP, OP);
	atomic_fetch_add(&b.w.operations, 1000);
	hot_rest_end(b.h);
	assert_int_equal(hot_ops(b.h), b.ops);
	end(&b);
}

static void set_front(bench *b, ins *i, uint32_t site)
{
	ring *r = &b->t->line.ring;

	i->site = site;
	r->words = (uint64_t *)(void *)i;
	r->size = 64;
	r->at = 0;
	r->seen = 1;
}

/* Slices begin with other lines than ever: another part of the program. */
static void test_news_end_it(void **state)
{
	ins_room room;
	ins *i = ins_init(&room, OP_add, 0);
	bench b;

	(void)state;
	rest(&b);
	for (unsigned k = 0; k < 100; k++) {
		set_front(&b, i, 1 + k / 50);
		slice(&b, OP, OP);
	}
	assert_int_equal(b.h->rest.phase, HOT_RESTS);
	for (unsigned k = 0; k < 100; k++) {
		set_front(&b, i, 100 + k);
		slice(&b, OP, OP);
	}
	assert_int_equal(b.h->rest.phase, HOT_LISTENS);
	end(&b);
}

/* Nothing is found at all: to record for ever is of no use. */
static void test_without_plans(void **state)
{
	bench b;

	(void)state;
	begin(&b, false);
	assert_false(run_to(&b, HOT_RESTS, REGION_PERIOD_MAX, OP, OP));
	assert_true(run_to(&b, HOT_RESTS, 1 << 13, OP, OP));
	end(&b);
	begin(&b, false);                /* a plan is on its way, but none comes */
	atomic_store(&b.h->hopes, 1 << 20);
	assert_false(run_to(&b, HOT_RESTS, 4 << 16, OP, OP));
	assert_true(run_to(&b, HOT_RESTS, 1 << 13, OP, OP));
	end(&b);
	begin(&b, false);                /* soon, if at all: that is waited for twice as long */
	assert_false(run_to(&b, HOT_RESTS, REGION_PERIOD_MAX, OP, OP));
	atomic_store(&b.h->hopes, 10000);
	assert_false(run_to(&b, HOT_RESTS, 20000, OP, OP));
	assert_true(run_to(&b, HOT_RESTS, 1 << 13, OP, OP));
	end(&b);
}

/* It listens and is heard, and no plan runs. */
static bool is_aloof(const bench *b)
{
	const hot *h = b->h;

	return h->rest.aloof && !h->rest.still && b->t->heard == h && hot_is_over(h);
}

/* Plans that lose do not run, but all is recorded, as long as a longer loop may be found: there is
 * hope, more is made than freed, the miner has not seen it all. */
static void test_aloof(void **state)
{
	bench b;

	(void)state;
	for (unsigned why = 0; why < 3; why++) {
		begin(&b, true);
		if (why == 0)
			atomic_store(&b.h->hopes, 4000);
		else if (why == 1)
			b.t->store.ids.count = 10000;
		else
			atomic_store(&b.h->recorder.written, 1 << 13);
		pthread_mutex_lock(&b.h->mining);        /* nobody helps */
		assert_false(run_to(&b, HOT_RESTS, 10000, 20 * OP, 10 * OP));
		pthread_mutex_unlock(&b.h->mining);
		assert_true(is_aloof(&b));
		assert_int_equal(b.h->rest.phase, HOT_LISTENS);
		assert_int_equal(b.still, 0);
		atomic_store(&b.h->hopes, 0);
		b.t->store.ids.count = 600;
		atomic_store(&b.h->recorder.written, 0);
		b.h->recorder.seen = 0;
		assert_true(run_to(&b, HOT_RESTS, 8192, 20 * OP, 10 * OP));
		end(&b);
	}
}

/* That they lost against being aloof is not believed: it may have been chance. */
static void test_tried_twice(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	atomic_store(&b.h->hopes, 4000);
	assert_false(run_to(&b, HOT_RESTS, 10000, 20 * OP, 10 * OP));
	assert_true(is_aloof(&b));
	assert_true(run_to(&b, HOT_TRIES, 8192, 20 * OP, 10 * OP));
	assert_false(run_to(&b, HOT_RESTS, 1 << 16, 10 * OP, 20 * OP));
	assert_true(b.still > 0);
	assert_false(b.h->rest.aloof);
	end(&b);
}

/* What makes more than it frees for longer than a loop may be is none. */
static void test_not_aloof_for_ever(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	b.t->store.ids.count = 1 << 20;
	assert_false(run_to(&b, HOT_RESTS, REGION_PERIOD_MAX, 20 * OP, 10 * OP));
	assert_true(run_to(&b, HOT_RESTS, 1 << 14, 20 * OP, 10 * OP));
	end(&b);
}

/* A plan that comes runs; and a trial without it says nothing. */
static void test_a_plan_ends_aloofness(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	atomic_store(&b.h->hopes, 20000);
	assert_false(run_to(&b, HOT_RESTS, 40000, 20 * OP, 10 * OP));
	assert_true(is_aloof(&b));
	hot_rest_plan(b.h, &b.r);
	assert_false(b.h->rest.aloof);
	assert_false(hot_is_over(b.h));
	assert_true(run_to(&b, HOT_TRIES, 1 << 16, 20 * OP, 10 * OP));
	hot_rest_plan(b.h, &b.r);
	assert_int_equal(b.h->rest.phase, HOT_LISTENS);
	assert_false(b.h->rest.aloof);
	end(&b);
}

/* The miner naps and no plan may run. */
static void test_naps(void **state)
{
	bench b;

	(void)state;
	begin(&b, true);
	b.h->recorder.nap = 10 * SLICE;
	slice(&b, OP, OP);
	assert_int_equal(b.h->rest.phase, HOT_LISTENS);
	b.r.verdict = HOT_BLACKLISTED;
	slice(&b, OP, OP);
	assert_int_equal(b.h->rest.phase, HOT_RESTS);
	assert_true(run_to(&b, HOT_LISTENS, 11 * SLICE, OP, OP));
	assert_int_equal(b.ops, 12 * SLICE);
	assert_int_equal(recorder_naps(&b.h->recorder), 0);
	end(&b);
}

/* ---- in a worker ----------------------------------------------------------------------------- */

#define RUNS 120

/* Every read of every step, with the tenant falling still and waking in the middle of runs, or
 * not. */
static void run_steps(bool turns, float *to)
{
	play p = run_numbered("t1 = full float32 1.5 [3,5]\nt2 = full float32 0.5 [3,5]\n"
		"t400 = full float32 1.0 [5]\n", 0);
	uint64_t still = 0;

	play_end(&p);
	for (unsigned k = 100; k < 100 + RUNS; k++) {
		p = run_numbered("t%01 = mul t1, t400\nt%02 = add t%01, t2\nt%03 = tanh t%02\n"
			"free t%02\nt%04 = sum t%03 axes=[0]\nt%05 = mul t%03, t%04\n"
			"t%06 = exp t%05\n", k);
		play_end(&p);
		if (turns && k > 100 + RUNS / 4 && k % 5 < 3) {
			t->hot->rest.due = 0;
			t->hot->rest.waited = UINT64_MAX / 2;
			t->hot->rest.exits = 1;  /* however long ops take here */
		}
		still += t->hot->rest.still;
		p = run_numbered("fetch t%04\nt%07 = sub t%06, t%01\nfetch t%03\n"
			"fetch t%07\nfree t%07\nfree t%06\nfree t%04\nfree t%03\n"
			"free t%01\nfree t%05\n", k);
		assert_int_equal(p.n, 3);
		for (unsigned j = 0; j < 3; j++) {
			assert_int_equal(p.answers[j]->state, ANSWER_READY);
			*to++ = *(const float *)p.answers[j]->data;
		}
		play_end(&p);
	}
	assert_true(turns ? still > RUNS / 8 && still < RUNS : !still);
	assert_true(t->hot->counts.compiled > 2 * RUNS);
}

static void test_nothing_depends_on_it(void **state)
{
	static float turned[3 * RUNS], plain[3 * RUNS];

	(void)state;
	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_CACHE_DIR, "");
	set(FLAG_GT_COMPILE_SYNC, "1");
	admit_tenant(5, false);
	run_steps(false, plain);
	dismiss_tenant();
	admit_tenant(5, false);
	run_steps(true, turned);
	dismiss_tenant();
	set(FLAG_GT_COMPILE_SYNC, "0");
	assert_memory_equal(turned, plain, sizeof plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_rests), cmocka_unit_test(test_it_goes_on),
		cmocka_unit_test(test_long_trials_are_rare),
		cmocka_unit_test(test_what_is_told_is_not_tried),
		cmocka_unit_test(test_long_ops_are_not_tried),
		cmocka_unit_test(test_settling_is_waited_for),
		cmocka_unit_test(test_young_plans_are_waited_for),
		cmocka_unit_test(test_new_plans_are_waited_for),
		cmocka_unit_test(test_it_rests_on), cmocka_unit_test(test_who_waits_ends_it),
		cmocka_unit_test(test_who_waits_interrupts_trials),
		cmocka_unit_test(test_a_plan_ends_it),
		cmocka_unit_test(test_a_scope_ends_it), cmocka_unit_test(test_ops_are_counted),
		cmocka_unit_test(test_aloof), cmocka_unit_test(test_not_aloof_for_ever),
		cmocka_unit_test(test_a_plan_ends_aloofness), cmocka_unit_test(test_tried_twice),
		cmocka_unit_test(test_news_end_it), cmocka_unit_test(test_without_plans),
		cmocka_unit_test(test_naps), cmocka_unit_test(test_nothing_depends_on_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
