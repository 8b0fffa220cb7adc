/* test_fused_arena.c: results that other kernels read lie in the arena of a plan; what is kept of
 * them, as tensors, as answers or by views, does not keep all of it.
 */
#include "check.h"
#include "one_tenant.h"

#define STEPS 64
#define KEPT  4                  /* of one in so many steps the last result is kept */
#define SIDE  96
#define BYTES (SIDE * SIDE * sizeof(float))
#define READ  (SIDE * 8)         /* elements of what is kept */

#define SETUP "t1 = randn float32 draw=1 [96,96] seed=5\nt2 = randn float32 draw=2 [96,8] seed=5\n"
#define STEP \
	"t%1 = matmul t1, t1\nt%2 = matmul t%1, t1\nt%3 = tanh t%2\nfree t%2\n" \
	"t%4 = matmul t%3, t%1\nfree t%1\nfree t%3\n" \
	"t%5 = add t%4, %\nt%7 = matmul t%5, t2\nt%9 = matmul t%4, t%7\nt%6 = tanh t%9\n" \
	"free t%4\nfree t%5\nfetch t%6\nfree t%6\nfree t%9\n"

/* What is kept, and how. */
typedef enum way { TENSORS, ANSWERS, VIEWS, WAYS } way;

static const char *step_of(way how, unsigned k)
{
	static const char *const kept[WAYS] = { STEP, STEP "fetch t%7\nfree t%7\n",
		STEP "t%8 = permute t%7 perm=[1,0]\nfree t%7\n" };

	return k % KEPT ? STEP "free t%7\n" : kept[how];
}

static uint64_t live(void)
{
	allocator_stats s;

	allocator_get_stats(w->engine->memory, &s);
	return s.live;
}

/* The last answer, into `read`. */
static void take(const play *p, float *read)
{
	const answer *a = p->answers[p->n - 1];

	assert_int_equal(a->state, ANSWER_READY);
	assert_int_equal(meta_count(&a->m), READ);
	memcpy(read, a->data, READ * sizeof *read);
}

/* Runs the program, collects what it kept, and checks what is alive behind half of it and at the
 * end. */
static void run(way how, uint64_t threshold, float (*read)[READ])
{
	play kept[STEPS] = { 0 }, first;
	uint64_t half = 0;

	admit_fused(threshold);
	first = run_numbered(SETUP, 0);
	for (unsigned k = 0; k < STEPS; k++) {
		kept[k] = run_numbered(step_of(how, k), k + 1);
		if (how != ANSWERS || k % KEPT)
			play_end(&kept[k]);
		half = k == STEPS / 2 ? live() : half;
	}
	if (threshold) {
		assert_true(t->hot->count && t->hot->runs[0]->fused.count);
		assert_true(t->hot->runs[0]->fused.plans[0]->f->arena_size > 2 * BYTES);
		assert_true(live() < half + 4 * BYTES);
	}
	for (unsigned k = 0; k < STEPS; k += KEPT) {
		if (how != ANSWERS)
			kept[k] = run_numbered(how == TENSORS ? "fetch t%7\n" : "fetch t%8\n", k + 1);
		take(&kept[k], read[k / KEPT]);
		play_end(&kept[k]);
	}
	play_end(&first);
	dismiss_tenant();
}

static void test_kept(void **state)
{
	static float eager[STEPS / KEPT][READ], fast[STEPS / KEPT][READ];

	(void)state;
	for (way how = 0; how < WAYS; how++) {
		run(how, 0, eager);
		run(how, 2, fast);
		assert_memory_equal(eager, fast, sizeof eager);
	}
}

/* Small results have memory of their own, which is that of the run before: nothing is asked of the
 * allocator any more, and all of it goes with the plan. */
#define SMALL \
	"t%1 = mul t1, t1\nt%2 = sum t%1 axes=[0,1]\nt%3 = tanh t%2\nt%4 = add t%3, t%2\n" \
	"t%5 = sum t%1 axes=[0]\nt%6 = tanh t%5\nfree t%1\nfree t%2\nfree t%3\nfree t%4\n" \
	"free t%5\nfree t%6\n"

static void test_small(void **state)
{
	uint64_t before = 0;
	allocator_stats s;
	play p;

	(void)state;
	admit_fused(2);
	p = run_numbered(SETUP, 0);
	play_end(&p);
	for (unsigned k = 0; k < STEPS; k++) {
		p = run_numbered(SMALL, k + 1);
		play_end(&p);
		allocator_get_stats(w->engine->memory, &s);
		before = k == STEPS / 2 ? s.allocations : before;
	}
	assert_true(t->hot->count && t->hot->runs[0]->fused.plans[0]->course);
	assert_int_equal(s.allocations, before);
	dismiss_tenant();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
