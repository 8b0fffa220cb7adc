/* test_fused.c: tier T2. Loops are run by fused plans, their groups by machine code or by the
 * interpreter, and left, read and freed in all the ways there are: what is read is what eager
 * execution gives, bit for bit, and nothing stays behind.
 */
#include "drive.h"
#include "make.h"

#define DIM 40
#define STEPS 60

typedef struct loop {
	drive d;
	uint64_t next;                   /* id */
	uint64_t w, b;                   /* what is carried */
} loop;

static uint64_t put(loop *l, unsigned code, uint64_t x, uint64_t y)
{
	ins_room room;

	drive_ins(&l->d, make_op(&room, code, l->next++, x, y));
	return l->next - 1;
}

static uint64_t put_scaled(loop *l, uint64_t x, double by)
{
	ins_room room;

	drive_ins(&l->d, make_scaled(&room, l->next++, x, by));
	return l->next - 1;
}

static uint64_t put_sum(loop *l, uint64_t x, unsigned axes)
{
	ins_room room;
	ins *i = make_op(&room, OP_sum, l->next++, x, 0);

	i->attr.axes = (uint8_t)axes;
	drive_ins(&l->d, i);
	return l->next - 1;
}

static uint64_t put_upload(loop *l, int64_t rows, int64_t cols)
{
	ins_room room;
	ins *i = make_upload(&room, l->next++, rows, cols);

	drive_ins(&l->d, i);
	blob_drop(ins_blob(i));
	return l->next - 1;
}

static void put_free(loop *l, uint64_t x)
{
	ins_room room;

	drive_ins(&l->d, make_free(&room, x));
}

/* What a test does in step k besides the step itself. */
typedef struct way {
	const char *what;
	void (*extra)(loop *l, unsigned k, const uint64_t *made);
	int64_t (*rows)(unsigned k);     /* of the batch; NULL: DIM */
	unsigned late;                   /* results are freed so many steps late */
	unsigned steps;
	bool never;                      /* .. never */
	bool rates;                      /* the learning rate changes */
	bool vanishes;                   /* the client goes in the middle of the last step */
	unsigned cut;                    /* the last step ends after so many ops; 0: it is whole */
} way;

enum { MADE = 9, LATE_MAX = 4 };

/* One step: made[k] are its results in order. Returns false if it was cut short. */
static bool step(loop *l, const way *a, unsigned k, uint64_t *made)
{
	const int64_t rows = a->rows ? a->rows(k) : DIM;
	const unsigned cut = k + 1 == a->steps && a->cut ? a->cut : MADE;
	const double rate = a->rates ? 0.1 / (k + 1) : 0.01;

	for (unsigned n = 0; n < cut; n++)
		switch (n) {
		case 0: made[0] = put_upload(l, rows, DIM); break;
		case 1: made[1] = put(l, OP_mul, made[0], l->w); break;
		case 2: made[2] = put(l, OP_add, made[1], l->b); break;
		case 3: made[3] = put(l, OP_tanh, made[2], 0); break;
		case 4: made[4] = put_sum(l, made[3], 3); break;
		case 5: made[5] = put(l, OP_mul, made[3], made[2]); break;
		case 6: made[6] = put_sum(l, made[5], 1); break;
		case 7: made[7] = put_scaled(l, made[6], rate); break;
		case 8: made[8] = put(l, OP_sub, l->w, made[7]); break;
		}
	return cut == MADE;
}

static void free_made(loop *l, const uint64_t *made)
{
	for (unsigned n = 0; n < 8; n++)
		put_free(l, made[n]);
}

static void play(loop *l, const way *a)
{
	uint64_t made[STEPS * 10][MADE], rows[2];
	const unsigned steps = a->steps;

	assert_true(steps <= COUNT(made));
	l->next = 1;
	for (unsigned k = 0; k < 2; k++) {
		rows[k] = put_upload(l, 1, DIM);
		*(k ? &l->b : &l->w) = put_sum(l, rows[k], 1);
	}
	for (unsigned k = 0; k < steps; k++) {
		if (!step(l, a, k, made[k])) {
			for (unsigned n = 0; n < a->cut && !a->vanishes; n++)
				drive_read(&l->d, made[k][n]);
			return;
		}
		if (a->extra)
			a->extra(l, k, made[k]);
		put_free(l, l->w);
		l->w = made[k][8];
		if (k >= a->late && !a->never)
			free_made(l, made[k - a->late]);
	}
	drive_read(&l->d, l->w);
	for (unsigned k = 0; k < steps && a->never; k++)
		for (unsigned n = 0; n < 8; n++)
			drive_read(&l->d, made[k][n]);
}

typedef enum tier { EAGER, INTERPRETED, COMPILED } tier;

static worker_stats run(loop *l, const way *a, tier how, drive_mode mode)
{
	worker_stats s;

	assert_int_equal(flag_set(FLAG_GT_HOTPATH_TIER, how ? "2" : "1"), GT_OK);
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_CODE, how == COMPILED ? "compiled" :
		"interpreted"), GT_OK);
	drive_open(&l->d, how ? mode : DRIVE_EAGER);
	play(l, a);
	s = drive_stats(&l->d);
	drive_close(&l->d);
	return s;
}

/* The same reads whatever runs the loop. Returns what the last way of running it did. */
static hot_stats compare(const way *a)
{
	static const struct { tier how; drive_mode mode; } ways[] = {
		{ INTERPRETED, DRIVE_THREAD }, { COMPILED, DRIVE_SYNC },
		{ INTERPRETED, DRIVE_SYNC } };
	worker_stats s = { .number = 0 }, before;

	for (unsigned k = 0; k < COUNT(ways); k++) {
		loop eager = { .d.flush = 16 }, hot = { .d.flush = 16 };

		before = run(&eager, a, EAGER, DRIVE_EAGER);
		s = run(&hot, a, ways[k].how, ways[k].mode);
		drive_compare(&eager.d, &hot.d, a->what);
		assert_int_equal(s.tensors, before.tensors);
		assert_int_equal(s.faults, before.faults);
	}
	return s.hot;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void test_plain(void **state)
{
	const way a = { .what = "plain", .steps = STEPS };
	const hot_stats s = compare(&a);

	(void)state;
	/* Ten runs to be hot, one as a sample. */
	assert_true(s.compiled >= (STEPS - 13) * 9);
	assert_int_equal(s.recompiles, 0);
	assert_int_equal(s.failures, 0);
	assert_true(s.kernels >= STEPS - 13);
	assert_true(s.kernels <= 4 * STEPS);
	assert_true(s.launches_saved > s.kernels);
	assert_true(s.bytes_saved > 0);
}

static void read_loss(loop *l, unsigned k, const uint64_t *made)
{
	if (k % 10 == 3)
		drive_read(&l->d, made[4]);
}

/* Small results are always there: printing the loss costs nothing. */
static void test_loss_is_read(void **state)
{
	const way a = { .what = "loss", .steps = STEPS, .extra = read_loss };

	(void)state;
	assert_int_equal(compare(&a).recompiles, 0);
}

static void read_hidden_seldom(loop *l, unsigned k, const uint64_t *made)
{
	if (k % 7 == 3)
		drive_read(&l->d, made[1]);
	if (k % 9 == 5)
		drive_read(&l->d, made[5]);
}

static void test_fused_away_is_read(void **state)
{
	const way a = { .what = "read", .steps = 2 * STEPS, .extra = read_hidden_seldom };
	const hot_stats s = compare(&a);

	(void)state;
	assert_true(s.compiled > STEPS * 9);
	assert_int_equal(s.recompiles, 0);
}

static void read_hidden_later(loop *l, unsigned k, const uint64_t *made)
{
	if (k > STEPS)
		drive_read(&l->d, made[1]);
}

/* What is read all the time becomes a live-out, once. */
static void test_read_all_the_time(void **state)
{
	const way a = { .what = "always", .steps = 2 * STEPS, .extra = read_hidden_later };
	const hot_stats s = compare(&a);

	(void)state;
	assert_true(s.recompiles >= 1 && s.recompiles <= 2);
	assert_true(s.compiled > STEPS * 9);
}

static void test_late_frees(void **state)
{
	(void)state;
	for (unsigned late = 1; late < LATE_MAX; late++) {
		const way a = { .what = "late", .steps = STEPS, .late = late };

		assert_true(compare(&a).compiled > STEPS * 9 / 2);
	}
}

static void test_never_freed(void **state)
{
	const way a = { .what = "kept", .steps = STEPS, .never = true };

	(void)state;
	assert_true(compare(&a).compiled > STEPS * 9 / 2);
}

/* Frees on time while the loop is found, then none. */
static void keep_view(loop *l, unsigned k, const uint64_t *made)
{
	ins_room room;
	ins *i;

	if (k < STEPS / 2 || k % 5)
		return;
	i = ins_init(&room, OP_permute, l->next++);
	i->attr.perm[0] = 1;
	ins_put_input(i, made[2]);
	drive_ins(&l->d, i);
	drive_read(&l->d, put(l, OP_neg, l->next - 1, 0));
}

/* A foreign op looks at what is pending, its view stays when everything else is freed. */
static void test_foreign_views(void **state)
{
	const way a = { .what = "views", .steps = STEPS, .extra = keep_view };

	(void)state;
	assert_true(compare(&a).compiled > STEPS * 9 / 2);
}

static int64_t three_sizes(unsigned k) { return k % 3 == 1 ? 17 : k % 3 ? 1 : DIM; }
static int64_t last_partial(unsigned k) { return k % 8 == 7 ? 5 : DIM; }
static int64_t growing(unsigned k) { return 1 + k; }

static void test_sizes(void **state)
{
	const way three = { .what = "three", .steps = 2 * STEPS, .rows = three_sizes };
	const way partial = { .what = "partial", .steps = 2 * STEPS, .rows = last_partial };
	const way more = { .what = "growing", .steps = STEPS, .rows = growing };
	hot_stats s = compare(&three);

	(void)state;
	assert_true(s.compiled > STEPS * 9);
	assert_true(s.failures == 0);
	s = compare(&partial);
	assert_true(s.compiled > STEPS * 9);
	compare(&more);
}

static void test_rates(void **state)
{
	const way a = { .what = "rates", .steps = 4 * STEPS, .rates = true };
	const hot_stats s = compare(&a);

	(void)state;
	assert_int_equal(s.recompiles, 0);
	assert_true(s.compiled > 3 * STEPS * 9);
}

static void test_ends_in_the_middle(void **state)
{
	(void)state;
	for (unsigned cut = 1; cut < MADE; cut++) {
		const way a = { .what = "cut", .steps = STEPS / 2, .cut = cut };
		const way gone = { .what = "gone", .steps = STEPS / 2, .cut = cut,
			.vanishes = true };

		compare(&a);
		compare(&gone);
	}
}

static void compute_foreign(loop *l, unsigned k, const uint64_t *made)
{
	if (k < STEPS / 2)
		return;
	drive_read(&l->d, put(l, OP_exp, made[5], 0));
	drive_read(&l->d, put(l, OP_add, made[3], made[2]));
}

static void test_passengers(void **state)
{
	const way a = { .what = "passengers", .steps = STEPS, .extra = compute_foreign };

	(void)state;
	assert_true(compare(&a).compiled > 0);
}

/* With GT_CHECK each kernel runs beside eager ones, and nothing is found. */
static void test_check(void **state)
{
	const way a = { .what = "check", .steps = STEPS, .extra = read_loss };

	(void)state;
	drive_set(FLAG_GT_CHECK, true);
	assert_true(compare(&a).compiled > 0);
	drive_set(FLAG_GT_CHECK, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_loss_is_read),
		cmocka_unit_test(test_fused_away_is_read),
		cmocka_unit_test(test_read_all_the_time),
		cmocka_unit_test(test_late_frees),
		cmocka_unit_test(test_never_freed),
		cmocka_unit_test(test_foreign_views),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_ends_in_the_middle),
		cmocka_unit_test(test_passengers),
		cmocka_unit_test(test_check),
	};

	if (flag_set(FLAG_GT_CACHE_DIR, ""))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
