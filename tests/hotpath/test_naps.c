/* test_naps.c: streams in which nothing repeats are hardly looked at, and a loop that begins in one
 * is found all the same; a recorder that naps wakes at each border and when something stirs.
 */
#include "mined.h"

/* After a million ops without a loop most are not looked at; a loop that begins then is found all
 * the same, soon. */
static void test_doze(void **state)
{
	const lab_options o = { .steps = 1, .seed = 1 };
	const lab_options more = { .steps = 12000, .seed = 1, .first_id = 1u << 20 };
	const lab_options loops = { .steps = 8000, .seed = 1, .first_id = 1u << 28 };
	trial *t = try_in("random", &o, 0, 1000);
	uint64_t skipped, begin;

	(void)state;
	lab_run(lab_find("random"), &more, sink, t, NULL);
	miner_stats_of(t->m, &t->stats);
	skipped = t->stats.skipped;
	assert_true(skipped > 150000 && t->stats.hot_covered == 0);
	begin = t->ops;
	lab_run(lab_find("mlp"), &loops, sink, t, NULL);
	drain(t);
	/* Found in the whole stream, and in one of the graphs that were looked at until then. */
	assert_int_equal(t->hot[0].n, 49);
	assert_int_equal(t->hot_count - t->retired, 1);
	assert_true(t->hot[0].at - begin < 270000);
	miner_stats_of(t->m, &t->stats);
	assert_true(t->stats.skipped - skipped < 270000);
	end(t);
}

/* A loop that is far from being hot is looked at now and then, and its runs are counted on. The
 * executor does not even write what nobody will look at. */
static void test_far(void **state)
{
	const lab_options o = { .steps = 60000, .seed = 1 };
	const miner_options options = { .threshold = 1000000000, .min_seq = 3, .window = 4096 };
	trial *t = mem_lines(ALIGN_UP(sizeof(*t), CACHE_LINE));

	(void)state;
	recorder_init(&t->r, 1 << 14);
	t->m = miner_new(&options);
	lab_run(lab_find("mlp"), &o, sink, t, NULL);
	drain(t);
	while (t->r.nap) {               /* until the next one that is seen */
		t->r.unseen = t->r.nap;
		recorder_flush(&t->r);
		drain(t);
	}
	miner_stats_of(t->m, &t->stats);
	assert_int_equal(t->stats.loops, 1);
	assert_int_equal(t->stats.hot_loops, 0);
	assert_true(t->stats.skipped > t->ops / 10 * 8);
	assert_in_range(t->stats.runs, 54000, 60000);
	assert_int_equal(t->stats.lost, 0);
	end(t);
}

static void begin_nap(recorder *r, uint64_t unseen)
{
	const record *first;

	recorder_nap(r, 1000);
	for (unsigned k = 0; k < 100; k++)
		recorder_free(r, k);
	assert_int_equal(r->nap, 1000);
	while ((first = recorder_peek(r)))
		recorder_pop(r, first);
	r->unseen = unseen;
}

/* Then a border. */
static void check_nap(recorder *r, uint64_t unseen, unsigned border)
{
	const record *first = recorder_peek(r);

	assert_int_equal(r->nap, 0);
	assert_non_null(first);
	assert_int_equal(first->op, RECORD_NAP);
	assert_int_equal(first->out, unseen);
	recorder_pop(r, first);
	assert_non_null(first = recorder_peek(r));
	assert_int_equal(first->op, border);
	recorder_pop(r, first);
}

/* A scope that is to be compiled ends a nap, where it begins and where it ends. */
static void test_nap_ends(void **state)
{
	ins_room room;
	ins *i = ins_init(&room, OP_enter, 0);
	recorder r;

	(void)state;
	recorder_init(&r, 1 << 10);
	ins_put_name(i, "forward", 7);
	begin_nap(&r, 7);
	recorder_enter(&r, i, SCOPE_COMPILE);
	check_nap(&r, 7, RECORD_BEGIN);
	begin_nap(&r, 9);
	i = ins_init(&room, OP_leave, 0);
	recorder_control(&r, i);
	check_nap(&r, 9, RECORD_END);
	recorder_fini(&r);
}

/* Nothing repeats, so the miner naps; but the executor sees that the program has changed: what
 * comes is looked at from then on. */
static void test_stir(void **state)
{
	const lab_options o = { .steps = 4000, .seed = 1 };
	const lab_options loops = { .steps = 100, .seed = 1, .first_id = 1u << 28 };
	const miner_options options = MINER_OPTIONS;
	trial *t = mem_lines(ALIGN_UP(sizeof(*t), CACHE_LINE));

	(void)state;
	recorder_init(&t->r, 1 << 14);
	t->m = miner_new(&options);
	t->slice = 100;
	lab_run(lab_find("random"), &o, sink, t, NULL);
	drain(t);
	recorder_pass(&t->r, 1000);      /* to be left out of a nap, or to be one */
	t->ops += 1000;
	assert_true(recorder_naps(&t->r) > 1000);
	recorder_stir(&t->r);
	assert_int_equal(recorder_naps(&t->r), 0);
	lab_run(lab_find("mlp"), &loops, sink, t, NULL);
	drain(t);
	miner_stats_of(t->m, &t->stats);
	assert_int_equal(t->stats.ops, t->ops);
	assert_int_equal(t->stats.lost, 0);
	assert_int_equal(last_hot(t)->n, 49);
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doze), cmocka_unit_test(test_far),
		cmocka_unit_test(test_nap_ends), cmocka_unit_test(test_stir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
