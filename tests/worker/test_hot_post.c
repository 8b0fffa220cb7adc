/* test_hot_post.c: what the executor makes of the miner's letters. */
#include "check.h"
#include "base/mem.h"
#include "one_tenant.h"

/* Two loops, one behind the other: two plans. */
static void run_two(void)
{
	play p = run_numbered("t1 = full float32 1.5 [3,5]\n", 0);

	play_end(&p);
	for (unsigned k = 100; k < 112; k++) {
		p = run_numbered("t%01 = mul t1, t1\nt%02 = add t%01, t1\nt%03 = tanh t%02\n"
			"fetch t%03\nfree t%01\nfree t%02\nfree t%03\n", k);
		play_end(&p);
	}
	for (unsigned k = 200; k < 212; k++) {
		p = run_numbered("t%01 = exp t1\nt%02 = sub t%01, t1\nt%03 = div t%02, t1\n"
			"t%04 = abs t%03\nfetch t%04\nfree t%01\nfree t%02\nfree t%03\nfree t%04\n", k);
		play_end(&p);
	}
	assert_int_equal(t->hot->count, 2);
}

static void tell_settled(const hot_run *r)
{
	hot_letter *l = mem_alloc(sizeof *l);

	*l = (hot_letter){ .what = PROPOSAL_SETTLED, .signature = r->plan->region->signature };
	atomic_store(&t->hot->post, l);
	hot_slice_begin(t->hot);
	hot_slice_end(t->hot);
	assert_true(r->settled);
}

/* What the last process kept, and the miner has not found although it ran, gives way to what is
 * found to be nearly everything, and is forgotten; not so if the miner has found it, or if it has
 * not run. */
static void test_rivals(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 4; way++) {
		const bool kept = way != 1, ran = way != 2, late = way != 3, gone = kept && ran && late;
		hot_run *rival;
		hot *h;

		admit_tenant(3, false);
		run_two();
		h = t->hot;
		rival = h->runs[1];
		assert_true(h->runs[0]->runs && rival->runs);
		rival->kept = kept;
		rival->runs = ran ? rival->runs : 0;
		if (!late)
			counter_add(&h->counts.ops, REGION_PERIOD_MAX);
		tell_settled(h->runs[0]);
		assert_int_equal(h->count, gone ? 1 : 2);
		assert_int_equal(atomic_load(&h->notes) != NULL, gone);
		hot_read_notes(h);
		assert_null(h->barred);  /* found anew it is kept */
		dismiss_tenant();
	}
}

/* Two more, longer ones: four plans. */
static void run_four(void)
{
	play p;

	run_two();
	for (unsigned k = 300; k < 312; k++) {
		p = run_numbered("t%01 = sqrt t1\nt%02 = mul t%01, t1\nt%03 = neg t%02\n"
			"t%04 = relu t%03\nt%05 = add t%04, t1\nfetch t%05\n"
			"free t%01\nfree t%02\nfree t%03\nfree t%04\nfree t%05\n", k);
		play_end(&p);
	}
	for (unsigned k = 400; k < 412; k++) {
		p = run_numbered("t%01 = sigmoid t1\nt%02 = div t%01, t1\nt%03 = abs t%02\n"
			"t%04 = tanh t%03\nt%05 = sub t%04, t1\nt%06 = exp t%05\nfetch t%06\n"
			"free t%01\nfree t%02\nfree t%03\nfree t%04\nfree t%05\nfree t%06\n", k);
		play_end(&p);
	}
	assert_int_equal(t->hot->count, 4);
}

/* Its sides go with it, which may be longer and so come first; nobody else does. */
static void test_sides_of_rivals(void **state)
{
	hot_run *settled, *side, *other, *rival;

	(void)state;
	admit_tenant(3, false);
	run_four();
	settled = t->hot->runs[0];
	side = t->hot->runs[1];
	other = t->hot->runs[2];
	rival = t->hot->runs[3];
	side->from = side->root = rival;
	rival->sides = rival->family = 1;
	rival->kept = true;
	tell_settled(settled);
	assert_int_equal(t->hot->count, 2);
	assert_ptr_equal(t->hot->runs[0], settled);
	assert_ptr_equal(t->hot->runs[1], other);
	dismiss_tenant();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rivals),
		cmocka_unit_test(test_sides_of_rivals) };

	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_CACHE_DIR, "");
	set(FLAG_GT_COMPILE_SYNC, "1");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
