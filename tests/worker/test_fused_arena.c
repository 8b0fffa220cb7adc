/* test_fused_arena.c: small results lie in the arena of a plan; what is kept of them, as tensors, as
 * answers or by views, does not keep all of it.
 */
#include "check.h"
#include "one_tenant.h"

#define STEPS 64
#define KEPT  4                  /* of one in so many steps the last result is kept */
#define SIDE  96
#define BYTES (SIDE * SIDE * sizeof(float))

#define SETUP "t1 = randn float32 draw=1 [96,96] seed=5\n"
#define STEP \
	"t%1 = matmul t1, t1\nt%2 = matmul t%1, t1\nt%3 = tanh t%2\nfree t%2\n" \
	"t%4 = matmul t%3, t%1\nfree t%1\nfree t%3\n" \
	"t%5 = add t%4, %\nt%6 = sum t%5 axes=[0,1]\nt%7 = mul t%6, 0.5\n" \
	"free t%4\nfree t%5\nfree t%6\n"

/* What is kept, and how. */
typedef enum way { TENSORS, ANSWERS, VIEWS, WAYS } way;

static const char *step_of(way how, unsigned k)
{
	static const char *const kept[WAYS] = { STEP, STEP "fetch t%7\nfree t%7\n",
		STEP "t%8 = expand t%7 [3]\nfree t%7\n" };

	return k % KEPT ? STEP "free t%7\n" : kept[how];
}

static uint64_t live(void)
{
	allocator_stats s;

	allocator_get_stats(w->engine->memory, &s);
	return s.live;
}

static void read_kept(way how, play *kept)
{
	const char *text = how == TENSORS ? "fetch t%7\nfree t%7\n" : "fetch t%8\nfree t%8\n";

	for (unsigned k = 0; k < STEPS; k += KEPT) {
		play_end(&kept[k]);
		kept[k] = run_numbered(text, k + 1);
	}
}

/* Runs the program, collects what it reads, and checks what is alive behind half of it and at the
 * end. */
static void run(way how, uint64_t threshold, float *read)
{
	play kept[STEPS] = { 0 }, first;
	uint64_t half = 0;

	admit_fused(threshold);
	first = run_numbered(SETUP, 0);
	for (unsigned k = 0; k < STEPS; k++) {
		kept[k] = run_numbered(step_of(how, k), k + 1);
		half = k == STEPS / 2 ? live() : half;
	}
	if (threshold) {
		assert_true(t->hot->count && t->hot->runs[0]->fused.count);
		assert_true(t->hot->runs[0]->fused.plans[0]->f->arena_size > 2 * BYTES);
		assert_true(live() < half + 4 * BYTES);
	}
	if (how != ANSWERS)
		read_kept(how, kept);
	for (unsigned k = 0; k < STEPS; k += KEPT) {
		assert_int_equal(kept[k].n, 1);
		assert_int_equal(kept[k].answers[0]->state, ANSWER_READY);
		memcpy(read + k, kept[k].answers[0]->data, sizeof *read);
	}
	for (unsigned k = 0; k < STEPS; k++)
		play_end(&kept[k]);
	play_end(&first);
	dismiss_tenant();
}

static void test_kept(void **state)
{
	float eager[STEPS] = { 0 }, fast[STEPS] = { 0 };

	(void)state;
	for (way how = 0; how < WAYS; how++) {
		run(how, 0, eager);
		run(how, 2, fast);
		assert_memory_equal(eager, fast, sizeof eager);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_kept) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
