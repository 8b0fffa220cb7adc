/* test_miner.c: loops of the laboratory's programs are found, and what is found is right. */
#include "mined.h"

/* The period is found, hot when step threshold is over, with nothing longer or left over. */
static void check_plain(const char *name, unsigned steps)
{
	const lab_options o = { .steps = steps, .seed = 3 };
	trial *t = try(name, &o, 0);
	const uint64_t period = t->marks[1] - t->marks[0];
	const proposal *p = last_hot(t);

	if (p->n != period || share(t) < 90)
		fail_msg("%s: period %u instead of %u", name, p->n, (unsigned)period);
	/* The cut may lie anywhere in a step, and tokens need two steps to settle. */
	assert_true(p->at <= t->marks[11]);
	assert_in_range(t->stats.runs, steps - 1, steps);
	assert_int_equal(t->stats.hot_runs, t->stats.runs - 10);
	assert_int_equal(t->stats.loops, 1);
	assert_int_equal(t->stats.hot_loops, 1);
	end(t);
}

static void test_plain(void **state)
{
	static const char *const names[] = { "mlp", "dropout", "recurrent", "gan", "accumulate",
		"stateless", "batches", "deep" };

	(void)state;
	for (unsigned k = 0; k < COUNT(names); k++)
		check_plain(names[k], 100);
}

/* Steps of 14,000 ops: as soon as any other. */
static void test_long(void **state)
{
	(void)state;
	check_plain("huge", 13);
}

/* Steps of 30,000 and 60,000 ops: the first ones may have left the history before they are
 * credited, so they are hot a little later. */
static void test_longest(void **state)
{
	static const char *const names[] = { "giant", "vast" };
	const lab_options o = { .steps = 15, .seed = 3 };

	(void)state;
	for (unsigned k = 0; k < COUNT(names); k++) {
		trial *t = try(names[k], &o, 0);

		assert_int_equal(last_hot(t)->n, t->marks[1] - t->marks[0]);
		assert_true(last_hot(t)->at <= t->marks[13]);
		assert_int_equal(t->stats.loops, 1);
		assert_true(share(t) >= 98);
		assert_true(t->stats.bytes < 64u << 20);
		end(t);
	}
}

/* Hundred equal steps are counted as hundred, ninety of them hot: the first ones are credited. */
static void test_credit(void **state)
{
	const lab_options o = { .steps = 100, .seed = 3 };
	trial *t = try("stateless", &o, 0);

	(void)state;
	assert_int_equal(t->stats.runs, 100);
	assert_int_equal(t->stats.hot_runs, 90);
	assert_int_equal(t->stats.loops, 1);
	assert_int_equal(t->stats.hot_loops, 1);
	assert_int_equal(last_hot(t)->at, t->marks[10]);
	end(t);
}

/* What each program's row promises is covered, once found. */
static void test_coverage(void **state)
{
	(void)state;
	for (unsigned k = 0; k < lab_program_count; k++) {
		const lab_program *p = &lab_programs[k];
		const lab_options o = { .steps = p->heavy ? 20 : 600, .seed = 5 };
		trial *t = try(p->name, &o, 0);
		trial *later = try(p->name, &o, t->ops / 2 + t->ops % 2);

		if (share(later) < p->coverage)
			fail_msg("%s: %u %% covered, expected %u", p->name, (unsigned)share(later),
				p->coverage);
		end(later);
		end(t);
	}
}

/* Foreign ops: no period that is a multiple, coverage as promised. */
static void check_noise(unsigned every, unsigned place, bool dependent, uint64_t least)
{
	const lab_options o = { .steps = 500, .seed = 7, .noise_every = every,
		.noise_place = place, .noise_dependent = dependent };
	const lab_options plain = { .steps = 2 };
	trial *p = try("mlp", &plain, 0);
	const uint64_t period = p->marks[1] - p->marks[0];
	trial *t = try("mlp", &o, 12000);

	if (share(t) < least)
		fail_msg("noise every %u at %u: %u %% covered, expected %u", every, place,
			(unsigned)share(t), (unsigned)least);
	for (unsigned k = 0; k < t->hot_count; k++)
		assert_in_range(t->hot[k].n, period - 2, period + 5);
	end(t);
	end(p);
}

static void test_noise(void **state)
{
	(void)state;
	for (unsigned place = 0; place < 4; place++) {
		check_noise(10, place, false, 95);
		check_noise(1, place, false, 90);
	}
	check_noise(10, 3, true, 90);
}

/* Foreign ops in every step that the step goes on with: few plans that stay, and cover it. */
static void test_dependent(void **state)
{
	(void)state;
	for (unsigned place = 0; place < 4; place++) {
		const lab_options o = { .steps = 500, .seed = 7, .noise_every = 1,
			.noise_place = place, .noise_dependent = true };
		trial *t = try("mlp", &o, 12000);

		if (hot_share(t) < 90)
			fail_msg("dependent noise at %u: %u %%", place, (unsigned)hot_share(t));
		assert_in_range(t->hot_count, 1, 6);
		end(t);
	}
}

/* Two hundred layers with foreign ops in every step: the step is found, not only the layers. */
static void test_noisy_deep(void **state)
{
	const lab_options o = { .steps = 60, .seed = 7, .noise_every = 1, .noise_place = 3 };
	trial *t = try("deep", &o, 100000);

	(void)state;
	assert_in_range(last_hot(t)->n, 2780, 2812);
	assert_true(last_hot(t)->region->noisy);
	assert_true(hot_share(t) >= 98);
	end(t);
}

static bool has_hot(const trial *t, uint32_t n)
{
	for (unsigned k = 0; k < t->hot_count; k++)
		if (t->hot[k].n == n)
			return true;
	return false;
}

/* Two kinds of steps in no fixed order: a plan for each, and next to none for what they happen to
 * make up. */
static void test_branches(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		const lab_options o = { .steps = 1000, .seed = seed };
		trial *t = try("branchy", &o, 20000);

		assert_true(has_hot(t, 49) && has_hot(t, 40));
		assert_in_range(t->hot_count, 2, 3);
		assert_true(hot_share(t) >= 97);
		assert_int_equal(t->replaced + t->retired, 0);
		end(t);
	}
}

/* Two models woven into each other at random: each is found soon, once and for good; and since they
 * are all there is, the whole stream is hardly looked at any more. */
static void test_pair(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		const lab_options o = { .steps = 3000, .seed = seed };
		trial *t = try("pair", &o, 20 * 43);

		assert_int_equal(t->hot_count, 2);
		assert_true(has_hot(t, 24) && has_hot(t, 19));
		for (unsigned k = 0; k < t->hot_count; k++)
			assert_true(t->hot[k].at <= t->marks[17]);
		assert_true(hot_share(t) >= 99);
		assert_int_equal(t->replaced + t->retired, 0);
		assert_true(t->stats.bytes < 8u << 20);
		end(t);
	}
}

/* A layer fills many looks at the coverage but never settles; the step around it does, for good. */
static void test_settled(void **state)
{
	const lab_options o = { .steps = 60, .seed = 3 };
	trial *t = try("deep", &o, 0), *poor;

	(void)state;
	assert_int_equal(t->settled, 1);
	assert_int_equal(t->retired, 0);
	poor = try("branchy", &o, 0);
	assert_int_equal(poor->settled, 0);
	end(poor);
	end(t);
}

/* Renamed, begun elsewhere, without frees: the same region, cut at the same place. */
static void test_same(void **state)
{
	static const char *const names[] = { "mlp", "transformer", "gan", "stateless", "adam" };
	static const lab_options o[] = {
		{ .steps = 40, .seed = 1 },
		{ .steps = 40, .seed = 1, .first_id = 1u << 30, .id_step = 7 },
		{ .steps = 40, .seed = 1, .no_frees = true },
		{ .steps = 57, .seed = 9 },
	};

	(void)state;
	for (unsigned k = 0; k < COUNT(names); k++) {
		uint64_t signature = 0;

		for (unsigned j = 0; j < COUNT(o); j++) {
			trial *t = try(names[k], &o[j], 0);
			const proposal *p = last_hot(t);

			assert_true(j == 0 || p->signature == signature);
			signature = p->signature;
			assert_true(signature >> 48 == 0 && signature);
			end(t);
		}
	}
}

/* A region is a list that stands on its own: inputs are earlier ops or known live-ins. */
static void check_region(const region *r)
{
	uint32_t seen = 0;

	assert_int_equal(r->signature, region_signature(r));
	for (uint32_t i = 0; i < r->n; i++) {
		const region_op *o = &r->ops[i];

		assert_non_null(op_row_of(o->op));
		assert_true(o->first + o->nin <= r->inputs_count);
		for (unsigned k = 0; k < o->nin; k++) {
			const int32_t in = r->inputs[o->first + k];

			if (in == REGION_SCALAR)
				continue;
			if (in >= 0) {
				assert_true((uint32_t)in < i);
				assert_true(r->ops[in].last_use >= i);
				continue;
			}
			/* Live-ins are numbered in order of first sight. */
			assert_true(REGION_LIVE_IN(in) <= seen);
			seen += REGION_LIVE_IN(in) == seen;
		}
	}
	assert_int_equal(seen, r->live_ins_count);
}

static void test_region(void **state)
{
	const lab_options o = { .steps = 30, .seed = 1 };
	trial *t = try("mlp", &o, 0);
	const region *r = last_hot(t)->region;
	unsigned carried = 0, out = 0;

	(void)state;
	check_region(r);
	/* It begins with the upload of fresh data, hands over six parameters and nothing else that
	 * is computed with, and each parameter is what the run before made. */
	assert_int_equal(r->ops[0].op, OP_upload);
	assert_int_equal(r->cut_why, CUT_FRESH);
	assert_true(r->cut_unique && !r->noisy);
	assert_int_equal(r->live_ins_count, 6);
	for (uint32_t m = 0; m < r->live_ins_count; m++) {
		const uint32_t from = r->live_ins[m].carried;

		carried += from != REGION_NEVER && r->ops[from].op == OP_sub &&
			r->ops[from].live_out;
	}
	assert_int_equal(carried, 6);
	for (uint32_t i = 0; i < r->n; i++)
		out += r->ops[i].live_out;
	assert_in_range(out, 6, 7);      /* and the loss, if it was read in that run */
	/* x, h and the loss are freed when the next run binds them again. */
	assert_true(r->ops[0].freed != REGION_NEVER && r->ops[0].freed >= r->n);
	end(t);
}

static void test_regions(void **state)
{
	(void)state;
	for (unsigned k = 0; k < lab_program_count; k++) {
		const lab_options o = { .steps = lab_programs[k].heavy ? 12 : 100,
			.seed = 2, .noise_every = 3, .noise_place = 3 };
		trial *t = try(lab_programs[k].name, &o, 0);

		for (unsigned j = 0; j < t->hot_count; j++)
			check_region(t->hot[j].region);
		end(t);
	}
}

/* The cut hands over as little as any rotation does: in the deep net the parameters. */
static void test_cut(void **state)
{
	const lab_options o = { .steps = 14, .seed = 1 };
	trial *t = try("deep", &o, 0);
	const region *r = last_hot(t)->region;

	(void)state;
	assert_int_equal(r->n, t->marks[1] - t->marks[0]);
	assert_true(r->cut_bytes <= 200 * (8 * 8 + 8) * 4 * 17 / 16);
	end(t);
}

/* Nothing repeats: nothing is proposed, and memory stays bounded. */
static void test_random(void **state)
{
	const lab_options o = { .steps = 2000, .seed = 1 };
	trial *t = try("random", &o, 0);

	(void)state;
	assert_int_equal(t->hot_count, 0);
	assert_true(t->stats.bytes < 64u << 20);
	end(t);
}

/* Lost records: the loop is found again, and counted on. */
static void test_gap(void **state)
{
	const lab_options o = { .steps = 60, .seed = 1 };
	trial *t = try("mlp", &o, 0);
	const uint64_t runs = t->stats.runs;
	record_room gap = { .head = { .op = RECORD_GAP, .words = RECORD_HEAD_WORDS, .out = 1000 } };
	const lab_options more = { .steps = 60, .seed = 1, .first_id = 1 << 20 };

	(void)state;
	miner_feed(t->m, &gap.head);
	lab_run(lab_find("mlp"), &more, sink, t, NULL);
	miner_stats_of(t->m, &t->stats);
	assert_int_equal(t->stats.lost, 1000);
	assert_int_equal(t->stats.loops, 1);
	assert_true(t->stats.runs >= runs + 55);
	end(t);
}

static uint64_t put(miner *m, unsigned code, uint64_t in, uint64_t id)
{
	record_room room = { .head = { .op = (uint16_t)code, .nin = 2,
		.words = RECORD_HEAD_WORDS + 2, .out = id } };

	room.words[RECORD_HEAD_WORDS] = room.words[RECORD_HEAD_WORDS + 1] = in;
	miner_feed(m, &room.head);
	return id;
}

/* What comes between every hundred steps comes again, too; but all of that as one loop would be no
 * better than its steps, only larger. */
static void test_nearly_all(void **state)
{
	static const miner_options options = { .threshold = 10, .min_seq = 3, .window = 1 << 14 };
	static const uint16_t codes[] = { OP_add, OP_mul, OP_sub, OP_div };
	miner *m = miner_new(&options);
	uint64_t id = 1, x = 1;
	miner_loop loops[16];
	size_t count;

	(void)state;
	for (unsigned step = 0; step < 1500; step++) {
		for (unsigned k = 0; k < 40; k++)
			x = put(m, codes[k * 40503u >> 5 & 3], x, ++id);
		if (step % 100 == 99)
			put(m, OP_maximum, x, ++id);
	}
	count = miner_loops(m, loops, COUNT(loops));
	assert_int_equal(count, 1);
	assert_int_equal(loops[0].n, 40);
	assert_true(loops[0].hot && loops[0].runs > 1480);
	miner_free(m);
}

/* Behind a loop comes another one of as many ops, as a training loop behind the one that makes its
 * parameters: it is found as soon as if the first one had never been. */
static void test_as_long(void **state)
{
	static const miner_options options = { .threshold = 10, .min_seq = 3, .window = 1 << 14 };
	static const uint16_t codes[][2] = { { OP_add, OP_mul }, { OP_sub, OP_maximum } };
	miner *m = miner_new(&options);
	uint64_t id = 1, x = 1;
	miner_loop loops[16];

	(void)state;
	for (unsigned part = 0; part < 2; part++) {
		for (unsigned run = 0; run < 16; run++)
			for (unsigned k = 0; k < 13; k++)
				x = put(m, codes[part][k * 40503u >> 5 & 1], x, ++id);
		assert_int_equal(miner_loops(m, loops, COUNT(loops)), part + 1);
		for (unsigned k = 0; k <= part; k++)
			assert_true(loops[k].n == 13 && loops[k].hot);
	}
	miner_free(m);
}

/* A plan ran: counted as runs of its loop. */
static void test_replay(void **state)
{
	const lab_options o = { .steps = 60, .seed = 1 };
	trial *t = try("mlp", &o, 0);
	record_room replay = { .head = { .op = RECORD_REPLAY, .words = RECORD_HEAD_WORDS,
		.attr = last_hot(t)->signature, .out = last_hot(t)->n } };
	miner_stats s;

	(void)state;
	for (unsigned k = 0; k < 40; k++)
		miner_feed(t->m, &replay.head);
	miner_stats_of(t->m, &s);
	assert_int_equal(s.runs, t->stats.runs + 40);
	assert_int_equal(s.ops, t->stats.ops + 40 * last_hot(t)->n);
	end(t);
}

/* Mined at once or as a backlog: the same comes out. */
static void test_backlog(void **state)
{
	const lab_options o = { .steps = 40, .seed = 1 };
	trial *t = try("transformer", &o, 0), *late = try_in("transformer", &o, 0, 500);
	miner_loop loops[16];

	(void)state;
	assert_int_equal(t->hot_count, late->hot_count);
	for (unsigned k = 0; k < t->hot_count; k++) {
		assert_int_equal(t->hot[k].signature, late->hot[k].signature);
		assert_int_equal(t->hot[k].at, late->hot[k].at);
	}
	assert_true(miner_loops(t->m, loops, 16) >= 1);
	assert_int_equal(loops[0].n, t->marks[1] - t->marks[0]);
	assert_true(loops[0].hot);
	end(t);
	end(late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_long),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_credit), cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_noise), cmocka_unit_test(test_same),
		cmocka_unit_test(test_dependent), cmocka_unit_test(test_noisy_deep),
		cmocka_unit_test(test_branches), cmocka_unit_test(test_pair),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_region), cmocka_unit_test(test_regions),
		cmocka_unit_test(test_cut), cmocka_unit_test(test_random),
		cmocka_unit_test(test_gap), cmocka_unit_test(test_nearly_all),
		cmocka_unit_test(test_as_long),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_backlog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
