/* test_hot_side.c: loops that leave their region at one place now and then: side plans. What is
 * read is the same as without, and soon everything is replayed, whatever the step did this time.
 */
#include "loop_text.h"

/* A parameter ($2 follows @2) and what is read of it; ten ops. */
#define TAIL \
	"$2 = sub @2, $1\nfree @2\nfree $0\n" \
	"$3 = matmul $2, t1\nfree $1\n$4 = relu $3\nfree $3\n" \
	"$5 = sum $4 axes=[0]\nfree $4\n$6 = mul $5, t2\n$7 = tanh $6\nfree $6\nfree $5\n" \
	"$8 = exp $7\n$9 = sqrt $8\nfree $8\nfetch $9\nfree $9\nfree $7\n"

/* One step in so many, without a period. */
static bool seldom(unsigned k, unsigned n)
{
	uint64_t z = (k + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % n == 0;
}

/* Steps 100 .. 159: ops executed in them that no plan replayed. */
static unsigned left_over(const char *(*step)(unsigned k), uint64_t *sides)
{
	const program first = { SETUP, step, 99 }, all = { SETUP, step, 159 };
	const hot_stats a = compare(&first), b = compare(&all);

	*sides = b.sides - a.sides;
	assert_true(b.sides <= b.matches);
	return (unsigned)((b.ops - a.ops) - (b.replayed - a.replayed));
}

/* The last op of a program may be a run's that is not complete, and a foreign one or two are not
 * worth a failure: but not as many as a single stretch has. */
static void check(const char *(*step)(unsigned k), unsigned sides)
{
	uint64_t got;
	const unsigned left = left_over(step, &got);

	if (left > 6 || got + 1 < sides)
		fail_msg("%u operations were not replayed; %u runs of side plans, expected %u",
			left, (unsigned)got, sides);
}

/* ---- places ---------------------------------------------------------------------------------- */

/* Behind the step. */
static const char *evaluates(unsigned k)
{
	return !seldom(k, 5) ? HEAD TAIL :
		HEAD TAIL "$10 = matmul $2, $2\n$11 = tanh $10\n$12 = sum $11 axes=[0,1]\n"
		"free $10\nfree $11\nfetch $12\nfree $12\n";
}

static void test_evaluation(void **state)
{
	(void)state;
	check(evaluates, 12);
}

/* In the middle of it, with what the run that is left has made, and other state. */
#define BRANCH \
	"$2 = add @2, $1\nfree @2\n$3 = mul $0, $1\nfree $0\nfree $1\n" \
	"$4 = tanh $3\nfree $3\n"
static const char *branches(unsigned k)
{
	return !seldom(k, 6) ? HEAD TAIL : HEAD BRANCH "fetch $4\nfree $4\n";
}

static void test_branch(void **state)
{
	(void)state;
	check(branches, 7);
}

/* The same ops upon another value: what follows differs by its wiring alone. */
#define REST(g) \
	"$2 = sub @2, " g "\nfree @2\nfree $0\n" \
	"$3 = matmul $2, t1\nfree $1\n$4 = relu $3\nfree $3\n" \
	"$5 = sum $4 axes=[0]\nfree $4\n$6 = mul $5, t2\n$7 = tanh $6\nfree $6\nfree $5\n" \
	"$8 = exp $7\n$9 = sqrt $8\nfree $8\nfetch $9\nfree $9\nfree $7\n"
static const char *clips(unsigned k)
{
	return !seldom(k, 7) ? HEAD REST("$1") :
		HEAD "$10 = mul $1, 0.125\n" REST("$10") "free $10\n";
}

static void test_clipping(void **state)
{
	(void)state;
	check(clips, 8);
}

/* Two branches at one place, and they begin alike. */
static const char *two_ways(unsigned k)
{
	return seldom(k, 8) ? HEAD BRANCH "$5 = exp $4\n$6 = sqrt $5\nfetch $6\nfree $4\n" :
		seldom(k + 1000, 8) ? HEAD BRANCH "$5 = sqrt $4\n$6 = exp $5\nfetch $6\nfree $4\n" :
		HEAD TAIL;
}

static void test_two_branches(void **state)
{
	(void)state;
	check(two_ways, 12);
}

/* Of a branch that is taken now and then another one leads off, still more seldom. */
static const char *nested(unsigned k)
{
	return !seldom(k, 4) ? HEAD TAIL : !seldom(k + 1000, 2) ?
		HEAD BRANCH "$5 = exp $4\n$6 = sqrt $5\n$7 = exp $6\nfetch $7\nfree $4\n" :
		HEAD BRANCH "$5 = neg $4\n$6 = relu $5\n$7 = tanh $6\nfetch $7\nfree $4\n";
}

static void test_branch_of_branch(void **state)
{
	(void)state;
	check(nested, 20);
}

/* What is evaluated begins as the step does. */
#define FRESH "$0 = full float32 0.25 [4,4]\n$1 = matmul $0, @2\nfree $0\n"
static const char *lookalike(unsigned k)
{
	return !seldom(k, 5) ? FRESH TAIL : FRESH TAIL "$10 = full float32 0.5 [4,4]\n"
		"$11 = matmul $10, $2\nfree $10\n$12 = neg $11\n$13 = abs $12\nfree $11\n"
		"$14 = sum $13 axes=[0,1]\nfree $12\nfree $13\nfetch $14\n";
}

static void test_lookalike(void **state)
{
	(void)state;
	check(lookalike, 12);
}

/* Other data goes half the way, then the step begins anew. */
#define HALF \
	"$10 = mul @2, 0.5\n$11 = add $10, t1\n$12 = sub @2, $11\nfree $10\n" \
	"$13 = matmul $12, t1\nfree $11\nfree $12\nfetch $13\nfree $13\n"
static const char *halves(unsigned k)
{
	return !seldom(k, 6) ? HEAD TAIL : HALF HEAD TAIL;
}

static void test_begun_anew(void **state)
{
	(void)state;
	check(halves, 0);
}

/* ---- what may happen there ------------------------------------------------------------------- */

/* A divisor is zero now and then: what depends on it fails with the same text. */
static const char *fails(unsigned k)
{
	static const char *const ways[] = {
		HEAD TAIL "$10 = upload int64 [2] {1, 2}\n$11 = floordiv t3, $10\n$12 = neg $11\n"
			"fetch $12\n$13 = add $12, 1\nfetch $13\n",
		HEAD TAIL "$10 = upload int64 [2] {1, 0}\n$11 = floordiv t3, $10\n$12 = neg $11\n"
			"fetch $12\n$13 = add $12, 1\nfetch $13\n",
	};

	return !seldom(k, 5) ? HEAD TAIL : ways[seldom(k + 1000, 3)];
}

static void test_errors(void **state)
{
	const program p = { SETUP, fails, 150 };
	const hot_stats s = compare(&p);

	(void)state;
	assert_true(failed >= 16);
	assert_true(s.sides >= 10);
}

/* A side is entered, and something else comes: the branch was another one this time. */
static const char *strays(unsigned k)
{
	return !seldom(k, 4) ? HEAD TAIL : k < 80 || !seldom(k + 1000, 2) ?
		HEAD BRANCH "fetch $4\n" :
		HEAD "$2 = add @2, $1\nfree @2\n$3 = exp $0\n$4 = sqrt $3\nfetch $4\n"
		"free $0\nfree $1\n";
}

static void test_left_again(void **state)
{
	const program p = { SETUP, strays, 150 };

	(void)state;
	assert_true(compare(&p).sides >= 15);
}

/* What a stretch has made is looked at much later, or never given back. */
static const char *keeps(unsigned k)
{
	static char text[1024];

	snprintf(text, sizeof text, "%s%s", HEAD, !seldom(k, 5) ? TAIL :
		"$2 = sub @2, $1\n$3 = mul $1, $0\n$4 = permute $3 perm=[1,0]\n$5 = exp $4\n");
	if (k > 20 && seldom(k - 11, 5))
		sprintf(text + strlen(text), "fetch t%u\nfetch t%u\nfree t%u\n",
			100 + (k - 11) * STRIDE + 4, 100 + (k - 11) * STRIDE + 5,
			100 + (k - 11) * STRIDE + 3);
	return text;
}

static void test_kept_values(void **state)
{
	const program p = { SETUP, keeps, 150 };

	(void)state;
	assert_true(compare(&p).sides >= 15);
}

/* The program ends anywhere in a stretch. */
static unsigned lines_of_last;
static const char *ends(unsigned k)
{
	static char text[1024];
	char *end = text;

	if (k != 90)
		return branches(k);
	strcpy(text, branches(k));
	for (unsigned n = 0; n < lines_of_last && *end; n++)
		end = strchr(end, '\n') + 1;
	*end = '\0';
	return text;
}

static void test_ends(void **state)
{
	const program p = { SETUP, ends, 90 };

	(void)state;
	for (lines_of_last = 0; lines_of_last <= 11; lines_of_last++) {
		assert_true(compare(&p).sides >= 6);
		assert_int_equal(failed, 0);
	}
}

/* ---- when there is none ---------------------------------------------------------------------- */

/* Something else every time is no side. */
static const char *wanders(unsigned k)
{
	static const char *const codes[] = { "exp", "tanh", "relu", "neg", "abs" };
	static char text[1024];

	snprintf(text, sizeof text, HEAD TAIL "%s", "");
	if (seldom(k, 3))
		sprintf(text + strlen(text), "$10 = %s $2\n$11 = %s $10\n$12 = %s $11\n"
			"$13 = tanh $12\nfetch $13\n", codes[k % 5], codes[k / 5 % 5],
			codes[k / 25 % 5]);
	return text;
}

static void test_other_every_time(void **state)
{
	const program p = { SETUP, wanders, 150 };

	(void)state;
	assert_int_equal(compare(&p).sides, 0);
}

/* ---- plans come and go ----------------------------------------------------------------------- */

static bool no_name(void *ctx, uint32_t site, char *text, size_t size)
{
	(void)ctx, (void)site, (void)text, (void)size;
	return false;
}

/* What explain says; Gives. */
static char *explain(struct link *l)
{
	const explain_wish wish = { .names = { no_name, NULL } };
	buf text = { 0 };
	char *s;

	assert_int_equal(l->ops->sync(l, NULL), GT_OK);
	assert_int_equal(embed_explain(l, &wish, &text), GT_OK);
	s = strdup(buf_text(&text));
	buf_fini(&text);
	return s;
}

static bool has_side(struct link *l)
{
	char *text = explain(l);
	const bool is = strstr(text, " Side plan Stream(") != NULL;

	free(text);
	return is;
}

static struct link *open_hot(void)
{
	struct link *l;
	play p;

	set(FLAG_GT_QUIET, true);
	set(FLAG_GT_AUTO_COMPILE, true);
	set(FLAG_GT_COMPILE_SYNC, true);
	assert_int_equal(embed_open(&l), GT_OK);
	p = play_text(l, SETUP);
	play_end(&p);
	return l;
}

/* Steps from .. to - 1, evaluating every fifth time if asked to. */
static void play_steps(struct link *l, unsigned from, unsigned to, bool evaluates_too)
{
	static char text[8192];

	for (unsigned k = from; k < to; k++) {
		play p;

		write_step(text, evaluates_too ? evaluates(k) : HEAD TAIL, k);
		p = play_text(l, text);
		for (size_t j = 0; j < p.n; j++)
			play_wait(&p, j);
		play_end(&p);
	}
}

static void test_explained(void **state)
{
	struct link *l = open_hot();
	char *text;

	(void)state;
	play_steps(l, 1, 101, true);
	text = explain(l);
	assert_non_null(strstr(text, " was expected: "));
	assert_non_null(strstr(text, "% of all operations: HOT PATH"));
	free(text);
	l->ops->close(l);
}

/* A side that is not taken any more goes; should the program come back to it so does the side. */
static void test_unused(void **state)
{
	struct link *l = open_hot();

	(void)state;
	play_steps(l, 1, 101, true);
	assert_true(has_side(l));
	play_steps(l, 101, 3000, false);
	assert_true(has_side(l));
	play_steps(l, 3000, 16000, false);
	assert_false(has_side(l));
	play_steps(l, 16000, 16050, true);
	assert_true(has_side(l));
	l->ops->close(l);
}

static int run_all(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evaluation),
		cmocka_unit_test(test_branch),
		cmocka_unit_test(test_clipping),
		cmocka_unit_test(test_two_branches),
		cmocka_unit_test(test_branch_of_branch),
		cmocka_unit_test(test_lookalike),
		cmocka_unit_test(test_begun_anew),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_left_again),
		cmocka_unit_test(test_kept_values),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_other_every_time),
		cmocka_unit_test(test_explained),
		cmocka_unit_test(test_unused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Op by op, the same with every op checked, and by fused plans. */
int main(void)
{
	int wrong;

	if (flag_set(FLAG_GT_HOTPATH_TIER, "1") || flag_set(FLAG_GT_CACHE_DIR, ""))
		return 1;
	wrong = run_all();
	set(FLAG_GT_CHECK, true);
	wrong += run_all();
	set(FLAG_GT_CHECK, false);
	if (flag_set(FLAG_GT_HOTPATH_TIER, "2") || flag_set(FLAG_GT_HOTPATH_CODE, "interpreted"))
		return 1;
	return wrong + run_all();
}
