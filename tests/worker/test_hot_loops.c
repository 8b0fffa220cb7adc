/* test_hot_loops.c: loops written as text, with what may happen in the middle of them: errors,
 * reads, late frees, aliases, foreign ops, branches, an end. Eager and replayed, the same is read.
 */
#include "loop_text.h"

/* A parameter ($2 follows @2), a loss ($5), temporaries; eight ops. */
#define TAIL \
	"$2 = sub @2, $1\nfree @2\nfree $0\n" \
	"$3 = matmul $2, t1\nfree $1\n$4 = relu $3\nfree $3\n" \
	"$5 = sum $4 axes=[0]\nfree $4\n$6 = mul $5, t2\n$7 = tanh $6\nfree $6\nfree $5\n" \
	"fetch $7\nfree $7\n"

static const char *plain(unsigned k)
{
	(void)k;
	return HEAD TAIL;
}

static void test_plain(void **state)
{
	const program p = { SETUP, plain, 40 };
	hot_stats s = compare(&p);

	(void)state;
	assert_int_equal(s.hot_paths, 1);
	assert_true(s.matches >= 28 && s.batches >= 39);
	assert_int_equal(s.passengers + s.exits, 0);
}

/* ---- errors ---------------------------------------------------------------------------------- */

/* Every tenth divisor is zero: what depends on it fails with the same text, no other step does. */
static const char *divides(unsigned k)
{
	return k % 10 == 5 ? HEAD TAIL "$8 = upload int64 [2] {1, 0}\n$9 = floordiv t3, $8\n"
		"$10 = neg $9\nfetch $10\n$11 = add $10, 1\nfetch $11\n" :
		HEAD TAIL "$8 = upload int64 [2] {1, 2}\n$9 = floordiv t3, $8\n"
		"$10 = neg $9\nfetch $10\n$11 = add $10, 1\nfetch $11\n";
}

static void test_errors(void **state)
{
	const program p = { SETUP, divides, 45 };
	hot_stats s = compare(&p);

	(void)state;
	assert_int_equal(failed, 5 * 2);
	assert_true(s.matches >= 28);
}

/* The error is in the loop's own state: all that follows is poisoned, until it starts anew. */
static const char *spoils(unsigned k)
{
	return k == 25 ? "$2 = index_select t1, t3 axis=0\nfetch $2\n" :
		k == 35 ? "$2 = full float32 0.25 [4,4]\n" : HEAD TAIL;
}

static void test_poisoned_state(void **state)
{
	const program p = { SETUP, spoils, 60 };
	hot_stats s = compare(&p);

	(void)state;
	assert_int_equal(failed, 10);
	assert_true(s.matches >= 33);
}

/* The gradient of a picked class. In a fused plan only the picking looks at the indices; where one
 * of them is out of range both fail, each with its own text, also if nobody reads what is
 * picked. */
#define LOSS(third, read) \
	"$0 = upload int64 [20,1] {0, 3, " third ", -1, 9, -10, 5, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, " \
	"-2, -3, -4}\n$1 = log_softmax @2 axis=1\n$3 = gather $1, $0 axis=1\n" read "free $3\n" \
	"$5 = full float32 0.0 [20,10]\n$6 = full float32 -0.25 [20,1]\n" \
	"$7 = scatter_add $5, $0, $6 axis=1\nfree $0\nfree $5\nfree $6\n" \
	"$8 = exp $1\nfree $1\n$9 = sub $7, $8\nfree $7\nfree $8\nfetch $9\nfree $9\n" \
	"$2 = mul @2, 0.75\nfree @2\n"
#define READ "$4 = sum $3 axes=[0,1]\nfetch $4\nfree $4\n"

static const char *picks(unsigned k)
{
	return k % 10 == 5 ? LOSS("10", READ) : LOSS("6", READ);
}

static const char *picks_unread(unsigned k)
{
	return k % 10 == 5 ? LOSS("-11", "") : LOSS("-9", "");
}

static void test_picked(void **state)
{
	const char *const setup = "t102 = randn float32 [20,10] seed=3 draw=1\n";
	const program read = { setup, picks, 45 }, unread = { setup, picks_unread, 45 };

	(void)state;
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_CODE, "interpreted"), GT_OK);
	assert_true(compare(&read).compiled >= 200);
	assert_int_equal(failed, 5 * 2);
	assert_true(compare(&unread).compiled >= 150);
	assert_int_equal(failed, 5);
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_CODE, "compiled"), GT_OK);
}

/* Ids that are unknown, freed, or in use already. */
static const char *wrong_ids(unsigned k)
{
	return k == 20 ? "$0 = mul @2, 0.5\n$1 = add $0, t77\nfetch $1\n$2 = add @2, 0.5\n" :
		k == 30 ? HEAD "free $0\n$8 = exp $0\nfetch $8\n" TAIL :
		k == 38 ? HEAD "$1 = exp $0\n" TAIL "fetch $1\n" :
		HEAD TAIL;
}

static void test_wrong_ids(void **state)
{
	const program p = { SETUP, wrong_ids, 50 };

	(void)state;
	assert_true(compare(&p).matches >= 20);
	assert_true(failed >= 3);
}

/* ---- who sees what --------------------------------------------------------------------------- */

/* Old values kept as views and as copies, read much later; parameters seen through an alias. */
static const char *keeps(unsigned k)
{
	static char text[1024];
	char *to = text;

	to += sprintf(to, "%s", HEAD);
	to += sprintf(to, "$2 = sub @2, $1\nfree $0\n$8 = permute @2 perm=[1,0]\n"
		"$9 = clone $2\n$3 = matmul $2, t1\nfree $1\n$4 = relu $3\nfree $3\n"
		"$5 = sum $4 axes=[0]\nfree $4\n$7 = tanh $5\nfree $5\nfetch $7\n");
	if (k > 12)
		to += sprintf(to, "fetch t%u\nfetch t%u\nfree t%u\nfree t%u\nfree t%u\n",
			100 + (k - 10) * STRIDE + 8, 100 + (k - 10) * STRIDE + 9,
			100 + (k - 10) * STRIDE + 8, 100 + (k - 10) * STRIDE + 2,
			100 + (k - 10) * STRIDE + 9);
	return text;
}

static void test_kept_values(void **state)
{
	const program p = { SETUP, keeps, 50 };

	(void)state;
	assert_true(compare(&p).matches >= 35);
	assert_int_equal(failed, 0);
}

/* Frees: at once, one step late, never; a read of everything now and then. */
static const char *frees(unsigned k)
{
	static const char *const ways[] = {
		"$0 = mul @2, 0.5\n$1 = add $0, t1\nfree $0\n$2 = sub @2, $1\nfree @2\nfree $1\n"
			"$3 = exp $2\nfetch $3\nfree $3\n",
		"$0 = mul @2, 0.5\n$1 = add $0, t1\n$2 = sub @2, $1\n$3 = exp $2\n"
			"fetch $3\nfree @0\nfree @1\nfree @3\n",
		"$0 = mul @2, 0.5\n$1 = add $0, t1\n$2 = sub @2, $1\n$3 = exp $2\n"
			"fetch $0\nfetch $1\nfetch $2\nfetch $3\n",
	};

	return ways[k % 7 == 3 ? 1 : k % 7 == 6 ? 2 : 0];
}

static void test_frees(void **state)
{
	const program p = { SETUP, frees, 60 };
	hot_stats s = compare(&p);

	(void)state;
	/* When something is freed is no part of a loop. */
	assert_true(s.matches >= 48);
	assert_int_equal(s.exits, 0);
}

/* Scalars change in every step: no part of it either. */
static const char *schedules(unsigned k)
{
	static char text[512];

	snprintf(text, sizeof text, "$0 = mul @2, %g\n$1 = add $0, t1\n$2 = sub @2, $1\nfree @2\n"
		"free $0\nfree $1\nfetch $2\n", 0.5 / k);
	return text;
}

static void test_scalars(void **state)
{
	const program p = { SETUP, schedules, 60 };

	(void)state;
	assert_true(compare(&p).matches >= 48);
}

/* Sizes change in every step, to 0 and 1 as well. */
static const char *sizes(unsigned k)
{
	static char text[512];

	snprintf(text, sizeof text, "$0 = full float32 1.5 [%u,4]\n$1 = matmul $0, t1\nfree $0\n"
		"$2 = relu $1\nfree $1\n$3 = sum $2 axes=[0]\nfree $2\nfetch $3\nfree $3\n",
		k % 5 == 4 ? 0 : k % 3 == 1 ? 2 + k % 9 : 7);
	return text;
}

static void test_sizes(void **state)
{
	const program p = { SETUP, sizes, 60 };

	(void)state;
	assert_true(compare(&p).matches >= 45);
}

/* ---- foreign ops, exits, branches ------------------------------------------------------------ */

/* One op a step that has nothing to do with it, in three places. */
static const char *logs(unsigned k)
{
	static const char *const ways[] = {
		"$12 = exp t2\nfetch $12\nfree $12\n" HEAD TAIL,
		HEAD "$12 = exp t2\nfetch $12\nfree $12\n" TAIL,
		HEAD TAIL "$12 = exp t2\nfetch $12\nfree $12\n",
		HEAD "$12 = exp $0\nfetch $12\nfree $12\n" TAIL,
		HEAD TAIL,
	};

	return ways[k < 20 ? 4 : k % 5];
}

static void test_passengers(void **state)
{
	const program p = { SETUP, logs, 60 };
	hot_stats s = compare(&p);

	(void)state;
	assert_true(s.matches >= 48);
	assert_int_equal(s.exits, 0);
	assert_true(s.passengers >= 8 && s.passengers <= 33);
}

/* The loop breaks off in the middle, for good or for a while. */
static const char *breaks(unsigned k)
{
	static const char *const halves[] = {
		"$8 = exp t1\n$9 = sqrt $8\n$10 = exp $9\n$11 = sqrt $10\n$12 = exp $11\n"
		"$13 = sqrt $12\n$14 = exp $13\n$15 = sqrt $14\nfetch $15\n$2 = mul $15, 0.125\n",
		HEAD "$8 = exp $1\n$9 = sqrt $8\n$10 = exp $9\n$11 = sqrt $10\n$12 = exp $11\n"
		"$13 = sqrt $12\n$14 = exp $13\n$15 = sqrt $14\nfetch $15\n$2 = mul $15, 0.125\n",
	};

	return k < 20 || k % 8 ? HEAD TAIL : halves[k / 8 % 2];
}

static void test_exits(void **state)
{
	const program p = { SETUP, breaks, 60 };
	hot_stats s = compare(&p);

	(void)state;
	assert_int_equal(s.exits, 3);
	assert_true(s.matches >= 42);
}

/* Two kinds of steps that begin alike. */
static const char *branches(unsigned k)
{
	return (k * 2654435761u >> 13) % 5 < 3 ? HEAD TAIL :
		HEAD "$2 = add @2, $1\nfree @2\nfree $0\nfree $1\n$3 = neg $2\n$4 = tanh $3\n"
		"free $3\nfetch $4\nfree $4\n";
}

static void test_branches(void **state)
{
	const program p = { SETUP, branches, STEPS_MAX };
	hot_stats s = compare(&p);

	(void)state;
	assert_true(s.hot_paths >= 1);
	assert_true(s.matches >= 30);
}

/* The program's end may lie anywhere in a run. */
static void test_ends(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 14; n++) {
		const program p = { SETUP, plain, 12 + n % 3 };

		compare(&p);
		assert_int_equal(failed, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_poisoned_state),
		cmocka_unit_test(test_picked),
		cmocka_unit_test(test_wrong_ids),
		cmocka_unit_test(test_kept_values),
		cmocka_unit_test(test_frees),
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_passengers),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_branches),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
