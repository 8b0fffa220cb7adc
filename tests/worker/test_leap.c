/* test_leap.c: runs of a loop taken in leaps, cut anywhere and disturbed in all the ways there are:
 * what is read is what eager execution gives, and nothing stays behind.
 */
#include "drive.h"
#include "make.h"
#include "worker/script.h"

enum { ROWS = 8, COLS = 6, TABLE = 3 * ROWS, STEPS = 120, MADE = 10 };

typedef struct loop {
	drive d;
	uint64_t next, w;                /* id; what is carried */
	uint64_t rows, table;            /* indices of all rows; what they choose from */
	unsigned cut, since;             /* so many instructions are executed at a time; 0: 64 */
} loop;

/* What a test does besides the plain step; `from` is the step it begins in. */
typedef struct way {
	const char *what;
	unsigned cut, steps;
	unsigned foreign;                /* every so many steps an op in the middle, */
	unsigned between;                /* .. between two steps */
	unsigned turned;                 /* .. frees in another order */
	unsigned read;                   /* .. a read in the middle */
	unsigned broken;                 /* .. the step ends early */
	unsigned late;                   /* .. a result is freed a step later */
	unsigned swapped;                /* .. the weight is another value of the same shape */
	unsigned other;                  /* .. of other strides */
	unsigned gone;                   /* .. an input is freed before its last use */
	unsigned sizes;                  /* .. another batch size */
	unsigned scopes;                 /* .. in a scope */
	unsigned asks;                   /* .. all that was made is read before it is freed */
	unsigned twice;                  /* .. something is freed twice */
	unsigned wrong;                  /* .. indices are out of range (if it picks or slides) */
	unsigned empty;                  /* .. no integer lies in the range (if it draws) */
	bool early;                      /* most is freed as soon as it can be: two are left, */
	unsigned keeps;                  /* .. and every so many steps one of them is kept on */
	bool names;                      /* values are freed when the next step has made its own */
	bool last;                       /* all is freed in the step but what is read, which is freed
	                                    behind the read, alone */
	bool data;                       /* the first value is uploaded */
	bool draws;                      /* .. is of random integers */
	bool picks;                      /* rows by indices */
	bool slides;                     /* the first value is a slice, each step of other rows, */
	bool back;                       /* .. from the last one to the first */
	bool vanishes;                   /* the client goes in the middle of a step */
	bool whole;                      /* no run breaks off */
	unsigned leapt;                  /* per cent of the operations, at least; */
	unsigned followed;               /* .. on a course, in tier T2 */
	unsigned left;                   /* runs in a hundred that leave it, at most; 0: any */
} way;

static void send(loop *l, const ins *i)
{
	drive_ins(&l->d, i);
	if (!l->cut || ++l->since < l->cut)
		return;
	l->since = 0;
	drive_sync(&l->d);
}

static uint64_t put(loop *l, unsigned code, uint64_t x, uint64_t y)
{
	ins_room room;
	ins *i = make_op(&room, code, l->next++, x, y);

	if (code == OP_permute)
		i->attr.perm[0] = 1;
	if (code == OP_sum)
		i->attr.axes = 1;
	send(l, i);
	return l->next - 1;
}

static uint64_t put_scaled(loop *l, uint64_t x, double by)
{
	ins_room room;

	send(l, make_scaled(&room, l->next++, x, by));
	return l->next - 1;
}

static uint64_t put_rand(loop *l, int64_t rows, int64_t cols)
{
	ins_room room;
	ins *i = ins_init(&room, OP_rand, l->next);

	i->attr.dtype = GT_FLOAT32;
	ins_put_operand(i, 7);
	ins_put_operand(i, (int64_t)l->next++);
	ins_put_operand(i, rows);
	ins_put_operand(i, cols);
	send(l, i);
	return l->next - 1;
}

static uint64_t put_data(loop *l, int64_t rows, int64_t cols)
{
	ins_room room;
	ins *i = make_upload(&room, l->next++, rows, cols);

	send(l, i);
	blob_drop(ins_blob(i));
	return l->next - 1;
}

/* So many rows of the table from `first` on. */
static uint64_t put_slice(loop *l, int64_t first, int64_t rows, int64_t step)
{
	const int64_t operands[] = { first, rows, step, 0, COLS, 1 };
	ins_room room;
	ins *i = ins_init(&room, OP_slice, l->next++);

	ins_put_input(i, l->table);
	for (unsigned k = 0; k < COUNT(operands); k++)
		ins_put_operand(i, operands[k]);
	send(l, i);
	return l->next - 1;
}

static uint64_t put_randint(loop *l, int64_t low, int64_t rows, int64_t cols)
{
	ins_room room;
	ins *i = ins_init(&room, OP_randint, l->next);

	i->attr.dtype = GT_FLOAT32;
	ins_put_scalar(i, KIND_INT, (scalar){ .i = low });
	ins_put_scalar(i, KIND_INT, (scalar){ .i = 9 });
	ins_put_operand(i, 7);
	ins_put_operand(i, (int64_t)l->next++);
	ins_put_operand(i, rows);
	ins_put_operand(i, cols);
	send(l, i);
	return l->next - 1;
}

/* first, first + 1, .. */
static uint64_t put_rows(loop *l, int64_t first)
{
	ins_room room;
	ins *i = ins_init(&room, OP_arange, l->next++);

	i->attr.dtype = GT_INT64;
	ins_put_scalar(i, KIND_INT, (scalar){ .i = first });
	ins_put_scalar(i, KIND_INT, (scalar){ .i = 1 });
	ins_put_operand(i, ROWS);
	send(l, i);
	return l->next - 1;
}

static void put_free(loop *l, uint64_t x)
{
	ins_room room;

	send(l, make_free(&room, x));
}

static void put_scope(loop *l, unsigned code)
{
	ins_room room;
	ins *i = ins_init(&room, code, 0);

	if (code == OP_enter)
		ins_put_name(i, "layer", 5);
	send(l, i);
}

static bool is_time(unsigned every, unsigned k)
{
	return every && k > STEPS / 4 && k % every == every - 1;
}

static void free_made(loop *l, const uint64_t *made, unsigned n, bool turned)
{
	for (unsigned j = 0; j < n; j++)
		put_free(l, made[turned ? n - 1 - j : j]);
}

/* Of a step that is wrong the last rows would lie behind the table, or in front of it. */
static uint64_t put_batch(loop *l, const way *a, unsigned k, int64_t rows)
{
	const int64_t first = is_time(a->wrong, k) ? TABLE - 1 : k * 5 % (TABLE - ROWS + 1);

	return a->back ? put_slice(l, TABLE - 1 - first, rows, -1) : put_slice(l, first, rows, 1);
}

/* Returns false if the step ended early. */
static bool compute(loop *l, const way *a, unsigned k, uint64_t *made)
{
	const int64_t rows = is_time(a->sizes, k) ? ROWS / 2 : ROWS;
	uint64_t picked;

	if (is_time(a->scopes, k))
		put_scope(l, OP_enter);
	made[0] = a->slides ? put_batch(l, a, k, rows) : a->data ? put_data(l, rows, COLS) : a->draws ?
		put_randint(l, is_time(a->empty, k) ? 9 : -9, rows, COLS) :
		put_rand(l, rows, COLS);
	made[1] = put(l, OP_matmul, made[0], l->w);
	made[2] = put(l, OP_tanh, made[1], 0);
	if (is_time(a->gone, k))
		put_free(l, made[2]);
	made[3] = put(l, OP_permute, made[2], 0);
	made[4] = put_scaled(l, made[3], 0.5 + k);
	if (is_time(a->foreign, k))
		put_free(l, put(l, OP_exp, made[4], 0));
	made[5] = put(l, OP_add, made[4], made[3]);
	if (is_time(a->broken, k))
		return false;
	if (is_time(a->read, k))
		drive_read(&l->d, made[4]);
	picked = a->picks ? put(l, OP_index_select, l->table, l->rows) : made[2];
	made[6] = put(l, OP_mul, picked, made[1]);
	if (a->picks)
		put_free(l, picked);
	made[7] = put(l, OP_sum, made[6], 0);
	made[8] = put_scaled(l, made[7], 0.01 / (k + 1));
	if (a->early)
		free_made(l, made, 5, false);
	made[9] = put(l, OP_sub, l->w, made[8]);
	if (is_time(a->scopes, k))
		put_scope(l, OP_leave);
	return true;
}

/* What a step with wrong indices leaves is of no use to the next one. */
static void turn_wrong(loop *l, const way *a, unsigned k)
{
	const bool wrong = is_time(a->wrong, k), right = k && is_time(a->wrong, k - 1);

	if (!wrong && !right)
		return;
	if (a->picks) {
		put_free(l, l->rows);
		l->rows = put_rows(l, wrong);
	}
	if (right) {
		put_free(l, l->w);
		l->w = put_rand(l, COLS, COLS);
	}
}

/* As a program does that gives the same names to what it makes in each step. */
static void free_last(loop *l, const uint64_t *made, uint64_t *last)
{
	for (unsigned j = 0; j < MADE - 1; j++) {
		if (last[j])
			put_free(l, last[j]);
		last[j] = made[j];
	}
}

static void carry(loop *l, const way *a, unsigned k, uint64_t w)
{
	put_free(l, l->w);
	l->w = w;
	if (is_time(a->twice, k))
		put_free(l, w - 3);
	if (a->picks || a->slides)
		turn_wrong(l, a, k);
	if (!is_time(a->swapped, k) && !is_time(a->other, k) && !is_time(a->gone, k))
		return;
	put_free(l, l->w);
	l->w = put_rand(l, COLS, COLS);
	if (!is_time(a->other, k))
		return;
	w = put(l, OP_permute, l->w, 0);
	put_free(l, l->w);
	l->w = w;
}

/* What is left of a step; `kept` is from a step before. */
static void free_left(loop *l, const way *a, unsigned k, const uint64_t *made, uint64_t *kept)
{
	free_made(l, made + 6, 3, true);
	if (!is_time(a->keeps, k)) {
		put_free(l, made[5]);
	} else {
		if (*kept)
			put_free(l, *kept);
		*kept = made[5];
	}
}

static void free_but_last(loop *l, const uint64_t *made)
{
	for (unsigned j = 0; j < MADE - 2; j++)
		put_free(l, made[j]);
}

static void play(loop *l, const way *a)
{
	uint64_t made[MADE] = { 0 }, last[MADE] = { 0 }, late = 0, kept = 0;

	l->next = 1;
	l->w = put_rand(l, COLS, COLS);
	if (a->picks) {
		l->rows = put_rows(l, 0);
		l->table = put_rand(l, ROWS, COLS);
	} else if (a->slides) {
		l->table = put_rand(l, TABLE, COLS);
	}
	for (unsigned k = 0; k < a->steps; k++) {
		const bool whole = compute(l, a, k, made), keeps = is_time(a->late, k);

		if (a->vanishes && k + 1 == a->steps)
			return;
		if (k % 5 == 0 && !a->last)
			drive_read(&l->d, made[whole ? 8 : 5]);
		for (unsigned j = 0; is_time(a->asks, k) && whole && j < MADE; j++)
			if (!a->early || j == 5)
				drive_read(&l->d, made[j]);
		if (late)
			put_free(l, late);
		late = keeps ? made[5] : 0;
		if (a->last) {
			free_but_last(l, made);
			carry(l, a, k, made[9]);
			drive_read(&l->d, made[8]);
			put_free(l, made[8]);
			continue;
		}
		if (a->names)
			free_last(l, made, last);
		else if (a->early)
			free_left(l, a, k, made, &kept);
		else
			free_made(l, made, keeps ? 5 : 6, is_time(a->turned, k));
		if (whole) {
			if (!a->names && !a->early)
				free_made(l, made + 6, 3, false);
			carry(l, a, k, made[9]);
		}
		if (is_time(a->between, k))
			put_free(l, put_scaled(l, l->w, k));
	}
	drive_read(&l->d, l->w);
}

static worker_stats run(loop *l, const way *a, const char *tier, drive_mode mode)
{
	worker_stats s;

	assert_int_equal(flag_set(FLAG_GT_HOTPATH_TIER, tier), GT_OK);
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_CODE, "interpreted"), GT_OK);
	l->cut = mode == DRIVE_THREAD ? 0 : a->cut;
	l->d.flush = l->cut ? 1000 : 0;
	drive_open(&l->d, mode);
	play(l, a);
	s = drive_stats(&l->d);
	drive_close(&l->d);
	return s;
}

/* The same reads with and without leaps, in both tiers; as much in leaps as is expected. */
static void compare(const way *a)
{
	static const struct { const char *tier; drive_mode mode; } ways[] = {
		{ "1", DRIVE_SYNC }, { "2", DRIVE_SYNC }, { "1", DRIVE_THREAD },
		{ "2", DRIVE_THREAD } };

	for (unsigned k = 0; k < COUNT(ways); k++) {
		loop eager = { .next = 0 }, hot = { .next = 0 };
		const worker_stats before = run(&eager, a, "1", DRIVE_EAGER);
		const worker_stats s = run(&hot, a, ways[k].tier, ways[k].mode);

		drive_compare(&eager.d, &hot.d, a->what);
		assert_int_equal(s.tensors, before.tensors);
		assert_int_equal(s.faults, before.faults);
		assert_int_equal(s.instructions, before.instructions);
		assert_int_equal(s.operations, before.operations);
		assert_int_equal(s.products, before.products);
		if (a->whole && ways[k].mode == DRIVE_SYNC)
			assert_int_equal(s.hot.exits, 0);
		if (ways[k].mode == DRIVE_SYNC && s.hot.leapt * 100 < s.hot.ops * a->leapt)
			fail_msg("%s, cut %u, tier %s: %u of %u operations in leaps, expected %u %%",
				a->what, a->cut, ways[k].tier, (unsigned)s.hot.leapt,
				(unsigned)s.hot.ops, a->leapt);
		if (ways[k].mode == DRIVE_SYNC && *ways[k].tier == '2' &&
				s.hot.followed * 100 < s.hot.ops * a->followed)
			fail_msg("%s, cut %u: %u of %u operations on a course, expected %u %%",
				a->what, a->cut, (unsigned)s.hot.followed, (unsigned)s.hot.ops,
				a->followed);
		if (a->left && s.hot.left * 100 > s.hot.matches * a->left)
			fail_msg("%s, cut %u: %u of %u runs left their course, expected %u %%",
				a->what, a->cut, (unsigned)s.hot.left, (unsigned)s.hot.matches,
				a->left);
	}
}

/* The ring holds any part of a run, and any number of them. */
static void test_cut_anywhere(void **state)
{
	static const unsigned cuts[] = { 1, 2, 3, 5, 7, 9, 13, 19, 20, 21, 37, 200 };

	(void)state;
	for (unsigned k = 0; k < COUNT(cuts); k++) {
		const way a = { .what = "plain", .cut = cuts[k], .steps = STEPS, .whole = true,
			.leapt = cuts[k] < 5 ? 0 : 50, .followed = cuts[k] < 5 ? 0 : 50 };

		compare(&a);
	}
}

/* Records lie around the end of the ring, which is shorter than the program. */
static void test_around_the_end(void **state)
{
	const way a = { .what = "long", .cut = 501, .steps = 12 * STEPS, .leapt = 90,
		.followed = 90, .whole = true };

	(void)state;
	compare(&a);
}

static void test_disturbed(void **state)
{
	static const way ways[] = {
		{ .what = "foreign", .foreign = 3, .leapt = 20, .followed = 30 },
		{ .what = "between", .between = 3, .leapt = 20, .followed = 40 },
		{ .what = "turned", .turned = 2, .leapt = 20, .followed = 60 },
		{ .what = "read", .read = 3, .leapt = 20, .followed = 60 },
		{ .what = "broken", .broken = 7, .leapt = 20, .followed = 40 },
		{ .what = "late", .late = 4, .leapt = 20, .followed = 40 },
		{ .what = "swapped", .swapped = 3, .leapt = 5, .followed = 15 },
		{ .what = "other", .other = 11, .leapt = 0, .followed = 10 },
		{ .what = "gone", .gone = 5, .leapt = 20, .followed = 25 },
		{ .what = "sizes", .sizes = 6, .leapt = 0, .followed = 40 },
		{ .what = "scopes", .scopes = 1, .leapt = 20, .followed = 60 },
		{ .what = "asks", .asks = 1, .leapt = 20, .followed = 60 },
		{ .what = "asks at times", .asks = 4, .leapt = 20, .followed = 60 },
		{ .what = "twice", .twice = 2, .leapt = 20, .followed = 60 },
		{ .what = "last", .last = true, .leapt = 20, .followed = 60, .left = 10 },
		{ .what = "names", .names = true, .leapt = 20, .followed = 60 },
		{ .what = "names, reads", .names = true, .read = 3, .leapt = 20, .followed = 60 },
		{ .what = "names, asks", .names = true, .asks = 1, .sizes = 9 },
		{ .what = "data", .data = true, .followed = 60 },
		{ .what = "data and reads", .data = true, .asks = 3, .read = 4, .turned = 5,
			.followed = 50 },
		{ .what = "picks", .picks = true, .leapt = 20, .followed = 60 },
		{ .what = "picks wrongly", .picks = true, .wrong = 6 },
		{ .what = "slides", .slides = true, .leapt = 60, .followed = 60 },
		{ .what = "slides back", .slides = true, .back = true, .leapt = 60, .followed = 60 },
		{ .what = "slides, sizes", .slides = true, .sizes = 6, .asks = 4 },
		{ .what = "slides wrongly", .slides = true, .wrong = 6 },
		{ .what = "slides back wrongly", .slides = true, .back = true, .wrong = 5 },
		{ .what = "draws", .draws = true, .leapt = 20, .followed = 60 },
		{ .what = "draws nothing", .draws = true, .empty = 6, .swapped = 6 },
		{ .what = "early", .early = true, .leapt = 20, .followed = 60 },
		{ .what = "early, asks", .early = true, .asks = 1, .leapt = 20, .followed = 40 },
		{ .what = "asked, then kept", .early = true, .asks = 1, .keeps = 5 },
		{ .what = "asked, then kept, read", .early = true, .asks = 2, .keeps = 8, .read = 3 },
		{ .what = "asked, kept, gone", .early = true, .asks = 1, .keeps = 5,
			.vanishes = true },
		{ .what = "asked, kept, then other", .early = true, .asks = 1, .keeps = 9,
			.foreign = 2, .sizes = 17 },
		{ .what = "vanishes", .vanishes = true, .leapt = 20, .followed = 60 },
		{ .what = "all", .foreign = 5, .between = 7, .turned = 3, .read = 11, .broken = 13,
			.late = 4, .swapped = 17, .sizes = 19 },
	};
	static const unsigned cuts[] = { 11, 64, 203 };

	(void)state;
	for (unsigned k = 0; k < COUNT(ways); k++)
		for (unsigned c = 0; c < COUNT(cuts); c++) {
			way a = ways[k];

			a.cut = cuts[c];
			a.steps = STEPS;
			a.leapt = cuts[c] < 20 ? 0 : a.leapt;
			a.followed = cuts[c] < 20 ? 0 : a.followed;
			a.left = cuts[c] < 20 ? 0 : a.left;
			compare(&a);
		}
}

/* ---- what is written where it is read -------------------------------------------------------- */

enum { WEIGHTS = 3 };

/* Momentum for several weights, of which the launch comes behind the last one's: by then all but
 * that one's old values are freed. Now and then somebody looks at an old one, has a view of it, or
 * keeps it. */
static void update(loop *l, unsigned held, unsigned steps)
{
	static const uint8_t gradients[WEIGHTS] = { OP_exp, OP_tanh, OP_neg };
	uint64_t w[WEIGHTS], m[WEIGHTS], kept = 0;

	l->next = 1;
	for (unsigned j = 0; j < WEIGHTS; j++) {
		w[j] = put_rand(l, COLS + j, COLS);
		m[j] = put_rand(l, COLS + j, COLS);
	}
	for (unsigned k = 0; k < steps; k++) {
		const bool looks = is_time(held, k);

		if (kept)
			put_free(l, kept);
		kept = looks && k % 2 ? put(l, OP_permute, w[k % WEIGHTS], 0) : 0;
		for (unsigned j = 0; j < WEIGHTS; j++) {
			const uint64_t drawn = put_rand(l, COLS + j, COLS);
			const uint64_t g = put(l, gradients[j], drawn, 0);
			const uint64_t slow = put_scaled(l, m[j], 0.75);
			const uint64_t fast = put(l, OP_add, slow, g);
			const uint64_t next = put(l, OP_sub, w[j], fast);

			if (looks && !kept && j == k % WEIGHTS) {
				drive_read(&l->d, w[j]);
				kept = w[j];
			} else {
				put_free(l, w[j]);
			}
			put_free(l, m[j]);
			put_free(l, slow);
			put_free(l, g);
			put_free(l, drawn);
			w[j] = next;
			m[j] = fast;
		}
		if (k % 7 == 0)
			for (unsigned j = 0; j < WEIGHTS; j++)
				drive_read(&l->d, k % 2 ? m[j] : w[j]);
	}
	for (unsigned j = 0; j < WEIGHTS; j++)
		drive_read(&l->d, w[j]);
	if (kept)
		drive_read(&l->d, kept);
}

static worker_stats run_updates(loop *l, unsigned held, const char *code, drive_mode mode)
{
	worker_stats s;

	assert_int_equal(flag_set(FLAG_GT_HOTPATH_TIER, "2"), GT_OK);
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_CODE, code), GT_OK);
	l->d.flush = 64;
	drive_open(&l->d, mode);
	update(l, held, 2 * STEPS);
	s = drive_stats(&l->d);
	drive_close(&l->d);
	return s;
}

static void test_in_place(void **state)
{
	static const unsigned often[] = { 0, 9, 4 };

	(void)state;
	for (unsigned k = 0; k < COUNT(often); k++) {
		static const char *const codes[] = { "interpreted", "compiled" };

		for (unsigned c = 0; c < COUNT(codes); c++) {
			loop eager = { .next = 0 }, hot = { .next = 0 };
			worker_stats s;

			run_updates(&eager, often[k], codes[c], DRIVE_EAGER);
			s = run_updates(&hot, often[k], codes[c], DRIVE_SYNC);
			drive_compare(&eager.d, &hot.d, "updates in place");
			if (!often[k])
				assert_true(s.hot.reused > 3 * STEPS);
		}
	}
}

/* A region's first op comes elsewhere as well: a stream that is joined in its middle begins runs in
 * vain. The first that is none of those is learnt from. */
static void test_learnt_behind_guesses(void **state)
{
	ins_room room;
	ins *i = make_op(&room, OP_neg, 2, 1, 0);
	script s;

	(void)state;
	script_init(&s, 100);
	for (unsigned k = 0; k < 300; k++) {
		assert_true(script_begin(&s, false));
		assert_true(script_note(&s, i, 0));
		if (k % 2)
			assert_false(script_begin(&s, true));    /* right into the next one */
		script_give_up(&s);
	}
	assert_true(script_begin(&s, false));
	for (unsigned k = 0; k < 50; k++)
		assert_true(script_note(&s, i, k));
	script_give_up(&s);              /* of a run that broke off there is nothing to be learnt */
	assert_false(script_begin(&s, false));
	script_fini(&s);
}

/* With GT_CHECK each op is looked at: there are no leaps. */
static void test_checked(void **state)
{
	const way a = { .what = "checked", .cut = 64, .steps = STEPS };
	loop hot = { .next = 0 };

	(void)state;
	drive_set(FLAG_GT_CHECK, true);
	assert_int_equal(run(&hot, &a, "1", DRIVE_SYNC).hot.leapt, 0);
	drive_drop(&hot.d);
	drive_set(FLAG_GT_CHECK, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_around_the_end),
		cmocka_unit_test(test_disturbed),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_learnt_behind_guesses),
		cmocka_unit_test(test_checked),
	};

	if (flag_set(FLAG_GT_CACHE_DIR, ""))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
