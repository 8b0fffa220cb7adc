/* test_side.c: stretches behind places where runs leave their region: which of them are proposed,
 * and as what.
 */
#include "check.h"
#include <string.h>
#include "hotpath/miner.h"

#define LEFT UINT64_C(0x123456)

typedef struct trial {
	miner *m;
	uint64_t id;             /* of the last value */
} trial;

static void begin(trial *t, uint64_t threshold)
{
	const miner_options o = { .threshold = threshold, .min_seq = 3, .window = 4096 };

	*t = (trial){ miner_new(&o), 1000 };
}

static void mark(trial *t, unsigned code, uint64_t what, uint64_t out)
{
	const record r = { .op = (uint16_t)code, .words = RECORD_HEAD_WORDS, .attr = what,
		.out = out };

	miner_feed(t->m, &r);
}

/* out = code(a, b); its id. */
static uint64_t put(trial *t, unsigned code, uint64_t a, uint64_t b)
{
	record_room room;
	record *r = &room.head;

	memset(&room, 0, sizeof room);
	r->op = (uint16_t)code;
	r->nin = 2;
	r->words = RECORD_HEAD_WORDS + 2;
	r->out = ++t->id;
	r->in[0] = a;
	r->in[1] = b;
	miner_feed(t->m, r);
	return t->id;
}

static void drop(trial *t, uint64_t id)
{
	const record r = { .op = OP_free, .words = RECORD_FREE_WORDS, .out = id };

	miner_feed(t->m, &r);
}

/* Ops of a stretch: a chain on `from` with `twist` in its third op; returns what it made last. */
static uint64_t chain(trial *t, uint64_t from, unsigned twist)
{
	const uint64_t a = put(t, OP_add, from, 7), b = put(t, OP_mul, a, from);
	const uint64_t c = put(t, twist, b, a);

	drop(t, a);
	drop(t, b);
	return c;
}

static void stretch_at(trial *t, uint64_t at, unsigned twist, uint64_t ns)
{
	mark(t, RECORD_LEFT, LEFT, at);
	chain(t, t->id, twist);
	mark(t, RECORD_BACK, 0, ns);
}

/* The next proposal, which is a side's; NULL if there is none. */
static region *next_side(trial *t, proposal *p)
{
	while (miner_next(t->m, p)) {
		if (p->what == PROPOSAL_HOT && p->side.of)
			return p->region;
		region_free(p->region);
	}
	return NULL;
}

static void check_none(trial *t)
{
	proposal p;

	assert_null(next_side(t, &p));
}

/* Often enough: that region, that place, and the least that it took. */
static void test_proposed(void **state)
{
	proposal p;
	region *r;
	trial t;

	(void)state;
	begin(&t, 10);
	for (unsigned k = 0; k < 3; k++)
		stretch_at(&t, 5, OP_sub, 900 - 100 * k);
	check_none(&t);
	stretch_at(&t, 5, OP_sub, 800);
	r = next_side(&t, &p);
	assert_non_null(r);
	assert_int_equal(p.side.of, LEFT);
	assert_int_equal(p.side.at, 5);
	assert_int_equal(p.runs, 4);
	assert_int_equal(p.eager, 700);
	assert_int_equal(p.signature, r->signature);
	assert_int_equal(r->n, 3);
	assert_int_equal(r->cut_why, CUT_SIDE);
	/* From outside: what was there before, and 7; inside: the chain, of which the end stays. */
	assert_int_equal(r->live_ins_count, 2);
	assert_int_equal(r->inputs[2], 0);
	assert_int_equal(r->inputs[3], ~0);
	assert_false(r->ops[0].live_out || r->ops[1].live_out);
	assert_true(r->ops[2].live_out);
	assert_int_equal(r->ops[0].freed, 2);
	region_free(r);
	/* Once. */
	for (unsigned k = 0; k < 20; k++)
		stretch_at(&t, 5, OP_sub, 800);
	check_none(&t);
	miner_free(t.m);
}

/* Other ops, and the same ops elsewhere, are others. */
static void test_apart(void **state)
{
	static const unsigned twists[] = { OP_sub, OP_maximum, OP_add };
	uint64_t seen[6];
	unsigned count = 0;
	proposal p;
	trial t;

	(void)state;
	begin(&t, 10);
	for (unsigned k = 0; k < 24; k++) {
		region *r;

		stretch_at(&t, k % 2, twists[k % 3], 0);
		r = next_side(&t, &p);
		assert_true(!r == (k < 18));
		if (!r)
			continue;
		assert_int_equal(p.side.at, k % 2);
		assert_int_equal(p.eager, UINT64_MAX);
		for (unsigned j = 0; j < count; j++)
			assert_true(seen[j] != p.signature);
		seen[count++] = p.signature;
		region_free(r);
	}
	miner_free(t.m);
}

/* A threshold that is lower than that is enough. */
static void test_threshold(void **state)
{
	proposal p;
	region *r;
	trial t;

	(void)state;
	begin(&t, 1);
	stretch_at(&t, 5, OP_sub, 900);
	r = next_side(&t, &p);
	assert_non_null(r);
	region_free(r);
	miner_free(t.m);
}

static void repeat(trial *t, void (*one)(trial *t))
{
	for (unsigned k = 0; k < 10; k++)
		one(t);
	check_none(t);
}

static void go_astray(trial *t)
{
	mark(t, RECORD_LEFT, LEFT, 5);
	chain(t, t->id, OP_sub);
	mark(t, RECORD_ASTRAY, 0, 0);
	mark(t, RECORD_BACK, 0, 100);
}

static void lose_records(trial *t)
{
	mark(t, RECORD_LEFT, LEFT, 5);
	chain(t, t->id, OP_sub);
	mark(t, RECORD_GAP, 0, 3);
	mark(t, RECORD_BACK, 0, 100);
}

static void skip_records(trial *t)
{
	mark(t, RECORD_LEFT, LEFT, 5);
	chain(t, t->id, OP_sub);
	mark(t, RECORD_SKIP, 0, 3);
	mark(t, RECORD_BACK, 0, 100);
}

static void be_short(trial *t)
{
	mark(t, RECORD_LEFT, LEFT, 5);
	put(t, OP_add, t->id, 7);
	put(t, OP_mul, t->id, 7);
	mark(t, RECORD_BACK, 0, 100);
}

/* What is no stretch, or one with holes, or too short. */
static void test_none(void **state)
{
	trial t;

	(void)state;
	begin(&t, 10);
	repeat(&t, go_astray);
	repeat(&t, lose_records);
	repeat(&t, skip_records);
	repeat(&t, be_short);
	miner_free(t.m);
}

static void test_too_long(void **state)
{
	trial t;

	(void)state;
	begin(&t, 1);
	mark(&t, RECORD_LEFT, LEFT, 5);
	for (unsigned k = 0; k <= SIDE_OPS_MAX; k++)
		put(&t, OP_add, t.id, 7);
	mark(&t, RECORD_BACK, 0, 100);
	check_none(&t);
	miner_free(t.m);
}

/* More than can be known at a time: those that do not come again give way. */
static void test_forgotten(void **state)
{
	proposal p;
	region *r;
	trial t;

	(void)state;
	begin(&t, 10);
	for (unsigned k = 0; k < 1000; k++)
		stretch_at(&t, k, OP_sub, 0);
	check_none(&t);
	for (unsigned k = 0; k < 4; k++)
		stretch_at(&t, 5, OP_sub, 0);
	r = next_side(&t, &p);
	assert_non_null(r);
	/* Its plan is gone: it may come again. */
	mark(&t, RECORD_UNUSED, p.signature, 0);
	region_free(r);
	for (unsigned k = 0; k < 3; k++)
		stretch_at(&t, 5, OP_sub, 0);
	check_none(&t);
	stretch_at(&t, 5, OP_sub, 0);
	r = next_side(&t, &p);
	assert_non_null(r);
	region_free(r);
	miner_free(t.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proposed),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
