/* test_leave.c: processes that fork, and processes that exit in the middle of work.
 *
 * Each case runs in a child, whose status tells: 0 is right.
 */
#include "check.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "embed/embed.h"
#include "play.h"

#define SECOND UINT64_C(1000000000)
#define URGENT SECOND                    /* estimated cost that wakes the worker's thread */

/* Run `body` in a child that then exits; its status. */
static int in_child(void (*body)(void))
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		body();
		exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define REQUIRE(x)                                                               \
	do {                                                                     \
		if (!(x)) {                                                      \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__,   \
				#x, gt_last_error());                            \
			_exit(1);                                                \
		}                                                                \
	} while (0)

/* ThreadSanitizer must let children of a process with threads start their own. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

static struct link *l;                   /* the parent's */

static void start_work(struct link *to)
{
	batch b = { 0 };
	play p = { .l = to };

	play_parse(&p, &b, "t1 = full float32 0.0 [500,500]\nt2 = matmul t1, t1\n");
	for (int k = 3; k < 400; k++) {
		char text[64];

		snprintf(text, sizeof text, "t%d = matmul t1, t%d\nfree t%d\n", k, k - 1, k - 1);
		play_parse(&p, &b, text);
	}
	REQUIRE(!to->ops->flush(to, b.words, b.used, b.count, URGENT));
	b.used = b.count = 0;
	batch_fini(&b);
}

/* ---- fork ---- */

static void use_parents_link(void)
{
	uint64_t enter[INS_WORDS_MAX];
	ins *i = ins_init((ins_room *)enter, OP_leave, 0);
	answer *a = answer_new();
	worker_stats s;

	REQUIRE(l->ops->flush(l, enter, i->words, 1, 0) == GT_EFORK);
	REQUIRE(strstr(gt_last_error(), "open a new client in the child"));
	REQUIRE(l->ops->wait(l, a, NULL) == GT_EFORK);
	REQUIRE(l->ops->sync(l, NULL) == GT_EFORK);
	REQUIRE(embed_stats(l, &s) == GT_EFORK);
	answer_drop(a);
	answer_drop(a);
	l->ops->close(l);
}

static void open_ones_own(void)
{
	struct link *own;

	REQUIRE(!embed_open(&own));
	REQUIRE(play_cost(own, "t1 = full float32 4.0 [2]", URGENT).e == GT_OK);
	REQUIRE(play_float(own, "t2 = add t1, 1.0\nfetch t2") == 5);
	own->ops->close(own);
}

static void fork_again(void)
{
	struct link *own;

	REQUIRE(!embed_open(&own));
	REQUIRE(play_float(own, "t1 = full float32 4.0 [2]\nfetch t1") == 4);
	REQUIRE(!in_child(open_ones_own));
	REQUIRE(play_float(own, "t2 = add t1, 1.0\nfetch t2") == 5);
	own->ops->close(own);
}

static int open_parent(void **state)
{
	(void)state;
	assert_int_equal(embed_open(&l), GT_OK);
	assert_true(play_float(l, "t1000 = full float32 9.0 [2]\nfetch t1000") == 9);
	return 0;
}

static int close_parent(void **state)
{
	(void)state;
	assert_true(play_float(l, "fetch t1000") == 9);
	l->ops->close(l);
	return 0;
}

static void test_fork(void **state)
{
	(void)state;
	assert_int_equal(in_child(use_parents_link), 0);
	assert_int_equal(in_child(open_ones_own), 0);
	assert_int_equal(in_child(fork_again), 0);
}

/* The thread sanitizer does not let the child of a process with threads start any itself. */
#ifdef __SANITIZE_THREAD__
#define CHILD_STARTS_THREADS false
#else
#define CHILD_STARTS_THREADS true
#endif

static void test_fork_in_the_middle(void **state)
{
	(void)state;
	start_work(l);
	for (int k = 0; k < 10; k++) {
		usleep(3000);
		if (CHILD_STARTS_THREADS && k % 2 == 0)
			assert_int_equal(in_child(open_ones_own), 0);
		else
			assert_int_equal(in_child(use_parents_link), 0);
	}
	assert_true(play_float(l, "t2000 = sum t399 axes=[0,1]\nfetch t2000") == 0);
}

/* ---- exit ---- */

/* Never closed, but not forgotten either: the leak checker looks as well. */
static struct link *left_over;

static struct link *opened(void)
{
	REQUIRE(!embed_open(&left_over));
	return left_over;
}

static void leave_idle(void)
{
	REQUIRE(play_float(opened(), "t1 = full float32 4.0 [2]\nfetch t1") == 4);
}

static void leave_working(void)
{
	start_work(opened());
	usleep(20000);
}

static void *wait_for_ever(void *arg)
{
	struct link *own = arg;

	own->ops->sync(own, NULL);
	return NULL;
}

static void leave_a_helper(void)
{
	struct link *own = opened();
	pthread_t thread;

	start_work(own);
	pthread_create(&thread, NULL, wait_for_ever, own);
	pthread_detach(thread);
	usleep(20000);
}

static void use_too_late(void)
{
	struct link *own;

	REQUIRE(left_over->ops->sync(left_over, NULL) == GT_ECLOSED);
	REQUIRE(embed_open(&own) == GT_ESTATE);
	left_over->ops->close(left_over);
}

/* Handlers run in reverse: this one after GT's. */
static void leave_with_a_late_handler(void)
{
	atexit(use_too_late);
	start_work(opened());
}

static void test_exit(void **state)
{
	static void (*const bodies[])(void) = {
		leave_idle, leave_working, leave_a_helper, leave_with_a_late_handler,
	};

	(void)state;
	for (size_t k = 0; k < COUNT(bodies); k++) {
		uint64_t start = clock_ns();

		assert_int_equal(in_child(bodies[k]), 0);
		assert_true(clock_ns() - start < 5 * SECOND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit),
		cmocka_unit_test_setup_teardown(test_fork, open_parent, close_parent),
		cmocka_unit_test_setup_teardown(test_fork_in_the_middle, open_parent, close_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
