/* test_hot.c: programs with and without hot paths: the same bits, and as much replayed as
 * promised. */
#include "drive.h"

/* The program's reads and every 7th result, which changes the place from step to step. */
static worker_stats run(drive *d, const char *name, const lab_options *o, drive_mode mode)
{
	worker_stats s;

	drive_open(d, mode);
	lab_run(lab_find(name), o, drive_sink, d, NULL);
	s = drive_stats(d);
	drive_close(d);
	return s;
}

static hot_stats compare(const char *name, const lab_options *o, unsigned read_every,
	drive_mode mode)
{
	drive eager = { .read_every = read_every }, hot = { .read_every = read_every };
	worker_stats s, before;

	before = run(&eager, name, o, DRIVE_EAGER);
	s = run(&hot, name, o, mode);
	drive_compare(&eager, &hot, name);
	/* Memory is taken and given back in the same order; answers that are read keep theirs. */
	if (!read_every && mode == DRIVE_SYNC)
		assert_int_equal(s.bytes_max, before.bytes_max);
	return s.hot;
}

static const char *const programs[] = { "mlp", "dropout", "recurrent", "gan", "accumulate",
	"stateless", "tiny", "pair", "branchy", "batches", "growing", "evaluate", "validate", "rare",
	"clip", "adam", "transformer", "random" };

static void test_same_bits(void **state)
{
	(void)state;
	for (unsigned k = 0; k < COUNT(programs); k++) {
		const lab_options o = { .steps = 40, .seed = k };
		const lab_options noisy = { .steps = 40, .seed = k, .noise_every = 2,
			.noise_place = 3, .noise_dependent = k % 2 };

		compare(programs[k], &o, 7, DRIVE_SYNC);
		compare(programs[k], &noisy, 11, DRIVE_SYNC);
	}
}

static void test_same_bits_in_the_background(void **state)
{
	(void)state;
	for (unsigned k = 0; k < COUNT(programs); k++) {
		const lab_options o = { .steps = 150, .seed = k, .noise_every = 9 };

		compare(programs[k], &o, 13, DRIVE_THREAD);
	}
}

/* Fused plans, by the interpreter of groups. */
static void test_same_bits_fused(void **state)
{
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_TIER, "2"), GT_OK);
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_CODE, "interpreted"), GT_OK);
	test_same_bits(state);
	test_same_bits_in_the_background(state);
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_TIER, "1"), GT_OK);
}

/* Hundred equal steps at threshold ten: a hundred batches, ninety of them hot, one pattern; the
 * steps behind the tenth are replayed from their first op to their last. */
static void test_counts(void **state)
{
	const lab_options o = { .steps = 100, .seed = 1 };
	hot_stats s = compare("stateless", &o, 0, DRIVE_SYNC);

	(void)state;
	assert_int_equal(s.threshold, 10);
	assert_int_equal(s.batches, 100);
	assert_int_equal(s.hot_batches, 90);
	assert_int_equal(s.patterns, 1);
	assert_int_equal(s.hot_paths, 1);
	assert_int_equal(s.matches, 90);
	assert_int_equal(s.ops, 600);
	assert_int_equal(s.replayed, 540);
	assert_int_equal(s.passengers, 0);
	assert_int_equal(s.exits, 0);
	assert_int_equal(s.top_count, 1);
	assert_int_equal(s.top[0].n, 6);
	assert_int_equal(s.top[0].runs, 100);
}

/* The first replay is that of iteration threshold + 1. */
static void check_first_replay(const char *name)
{
	const lab_options ten = { .steps = 11, .seed = 1 }, more = { .steps = 31, .seed = 1 };
	hot_stats before = compare(name, &ten, 0, DRIVE_SYNC);
	hot_stats after = compare(name, &more, 0, DRIVE_SYNC);

	/* The cut may lie anywhere in a step: one of the steps counted is not whole. */
	if (after.matches < 19 || before.matches > 1)
		fail_msg("%s: %u runs replayed after 11 steps, %u after 31", name,
			(unsigned)before.matches, (unsigned)after.matches);
}

static void test_first_replay(void **state)
{
	(void)state;
	check_first_replay("mlp");
	check_first_replay("dropout");
	check_first_replay("gan");
	check_first_replay("tiny");
	check_first_replay("accumulate");
}

/* Per cent replayed of what comes behind the first `skip` steps. */
static unsigned coverage(const char *name, const lab_options *o, unsigned skip)
{
	lab_options first = *o;
	hot_stats a, b;

	first.steps = skip;
	a = compare(name, &first, 0, DRIVE_SYNC);
	b = compare(name, o, 0, DRIVE_SYNC);
	return (unsigned)((b.replayed - a.replayed) * 100 / (b.ops - a.ops));
}

static void check_coverage(const char *name, const lab_options *o, unsigned skip, unsigned least)
{
	const unsigned got = coverage(name, o, skip);

	if (got < least)
		fail_msg("%s, noise every %u at %u: %u %% replayed, expected %u", name,
			o->noise_every, o->noise_place, got, least);
}

static void test_coverage(void **state)
{
	static const char *const plain[] = { "mlp", "dropout", "gan", "accumulate", "stateless",
		"tiny", "batches", "adam" };
	const lab_options o = { .steps = 100, .seed = 1 }, late = { .steps = 300, .seed = 1 };

	(void)state;
	for (unsigned k = 0; k < COUNT(plain); k++)
		check_coverage(plain[k], &o, 30, 98);
	/* Side plans: an evaluation every tenth step, branches that are taken now and then. */
	check_coverage("evaluate", &late, 100, 98);
	check_coverage("validate", &late, 150, 98);
	check_coverage("clip", &late, 150, 98);
	check_coverage("rare", &late, 200, 98);
}

static void test_noise(void **state)
{
	(void)state;
	for (unsigned place = 0; place < 4; place++) {
		const lab_options often = { .steps = 400, .seed = 7, .noise_every = 1,
			.noise_place = place };
		const lab_options seldom = { .steps = 300, .seed = 7, .noise_every = 10,
			.noise_place = place };

		check_coverage("mlp", &often, 250, 80);
		check_coverage("mlp", &seldom, 100, 93);
	}
}

/* Foreign ops in every step that the step goes on with, now here, now there: what is common to all
 * steps is replayed, whatever values come to it. */
static void test_dependent_noise(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 30; seed++) {
		const lab_options o = { .steps = 400, .seed = seed, .noise_every = 1,
			.noise_place = 3, .noise_dependent = true };

		check_coverage("mlp", &o, 200, 90);
	}
}

/* A period of a thousand ops in which its own beginning nearly comes again and again. */
static void put_chain(drive *d, uint64_t *id, unsigned times)
{
	static const uint16_t codes[] = { OP_add, OP_sub, OP_mul, OP_maximum };

	for (unsigned k = 0; k < 1000 * times; k++, ++*id) {
		const unsigned r = (k % 1000) * 2654435761u >> 16;
		ins_room room;
		ins *i = ins_init(&room, codes[(r ^ r >> 3) % COUNT(codes)], *id);

		ins_put_input(i, *id - 1);
		ins_put_input(i, *id - 2);
		drive_ins(d, i);
		ins_put_input(i = ins_init(&room, OP_free, 0), *id - 2);
		drive_ins(d, i);
	}
}

static worker_stats run_chain(drive *d, drive_mode mode)
{
	worker_stats s;
	uint64_t id = 3;

	drive_open(d, mode);
	for (uint64_t k = 1; k < 3; k++) {
		ins_room room;
		ins *i = ins_init(&room, OP_full, k);

		i->attr.dtype = GT_FLOAT32;
		ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 1 });
		ins_put_operand(i, 4);
		drive_ins(d, i);
	}
	put_chain(d, &id, 40);
	drive_read(d, id - 1);
	s = drive_stats(d);
	drive_close(d);
	return s;
}

/* What looks like the region's beginning and is not must not hide the real one for ever. */
static void test_lookalikes(void **state)
{
	drive eager = { .flush = 64 }, hot = { .flush = 64 };
	worker_stats s;

	(void)state;
	run_chain(&eager, DRIVE_EAGER);
	s = run_chain(&hot, DRIVE_SYNC);
	drive_compare(&eager, &hot, "chain");
	assert_in_range(s.hot.matches, 25, 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_bits),
		cmocka_unit_test(test_same_bits_in_the_background),
		cmocka_unit_test(test_same_bits_fused),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_first_replay),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_dependent_noise),
		cmocka_unit_test(test_lookalikes),
	};

	/* What is counted, and how much memory it takes, is that of T1. */
	if (flag_set(FLAG_GT_HOTPATH_TIER, "1"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
