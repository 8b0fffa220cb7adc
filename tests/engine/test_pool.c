/* test_pool.c: every chunk runs exactly once, and everything it wrote is there when pool_run
 * returns. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/base.h"
#include "base/cpu.h"
#include "engine/pool.h"

enum { CHUNKS_MAX = 5000 };

typedef struct job {
	int64_t runs[CHUNKS_MAX];      /* plain memory: the pool orders it */
} job;

static void count_run(void *ctx, int64_t k)
{
	((job *)ctx)->runs[k]++;
}

static void check_job(pool *p, int64_t chunks)
{
	static job j;

	memset(&j, 0, sizeof(j));
	pool_run(p, chunks, count_run, &j);
	for (int64_t k = 0; k < CHUNKS_MAX; k++)
		assert_int_equal(j.runs[k], k < chunks);
}

static void test_each_chunk_once(void **state)
{
	static const int64_t counts[] = { 0, 1, 2, 3, 17, 1000, CHUNKS_MAX };

	(void)state;
	for (int threads = 1; threads <= 5; threads++) {
		pool *p = pool_new(threads);

		assert_int_equal(pool_threads(p), threads);
		for (size_t n = 0; n < COUNT(counts); n++)
			check_job(p, counts[n]);
		pool_free(p);
	}
}

/* The order of a sweep on one thread: there, and back the next time. */
typedef struct order {
	int64_t at[4];
	int count;
} order;

static void note(void *ctx, int64_t k)
{
	order *o = ctx;

	o->at[o->count++] = k;
}

static void test_sweep(void **state)
{
	static const int64_t there[] = { 0, 1, 2, 3 }, back[] = { 3, 2, 1, 0 };
	pool *p = pool_new(1);
	bool turned = false;
	static job small;

	(void)state;
	for (int n = 0; n < 4; n++) {
		order o = { .count = 0 };

		pool_sweep(p, 4, note, &o);
		assert_int_equal(o.count, 4);
		if (!n)
			turned = o.at[0] == 3;
		pool_sweep(p, 1, count_run, &small);      /* which does not matter */
		assert_memory_equal(o.at, (n % 2) != turned ? back : there, sizeof o.at);
	}
	pool_free(p);
}

static void test_sweep_of_threads(void **state)
{
	pool *p = pool_new(3);
	static job j;

	(void)state;
	for (int n = 0; n < 4; n++)
		pool_sweep(p, 1000, count_run, &j);
	for (int64_t k = 0; k < CHUNKS_MAX; k++)
		assert_int_equal(j.runs[k], k < 1000 ? 4 : 0);
	pool_free(p);
}

/* Jobs in quick succession, and after pauses long enough for the threads to fall asleep. */
static void test_bursts(void **state)
{
	pool *p = pool_new(3);

	(void)state;
	for (int n = 0; n < 2000; n++)
		check_job(p, n % 7);
	for (int n = 0; n < 20; n++) {
		usleep(300);
		check_job(p, 50);
	}
	pool_free(p);
}

/* ---- Which threads there are. ---- */

static int thread_count(void)
{
	char line[128];
	int n = 0;
	FILE *f = fopen("/proc/self/status", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Threads: %d", &n) == 1)
			break;
	fclose(f);
	return n;
}

static void test_threads_start_late_and_end(void **state)
{
	int before = thread_count();
	pool *one = pool_new(1), *three = pool_new(3);

	(void)state;
	check_job(one, 100);
	check_job(three, 1);
	assert_int_equal(thread_count(), before);
	check_job(three, 2);
	assert_int_equal(thread_count(), before + 2);
	pool_free(one);
	pool_free(three);
	assert_int_equal(thread_count(), before);
	pool_free(NULL);
}

/* ---- Help arrives: a chunk that waits for another one ends. ---- */

static void meet(void *ctx, int64_t k)
{
	_Atomic int *arrived = ctx;

	(void)k;
	atomic_fetch_add(arrived, 1);
	while (atomic_load(arrived) < 2)
		sched_yield();
}

static void test_threads_help(void **state)
{
	pool *p = pool_new(2);

	(void)state;
	for (int n = 0; n < 50; n++) {
		_Atomic int arrived = 0;

		if (n % 10 == 0)
			usleep(300);
		pool_run(p, 2, meet, (void *)&arrived);
	}
	pool_free(p);
}

/* ---- What the threads are like. ---- */

typedef struct setting {
	_Atomic int arrived;
	pthread_t caller;
	uint32_t control;
	sigset_t blocked;
} setting;

static void look(void *ctx, int64_t k)
{
	setting *s = ctx;

	if (!pthread_equal(pthread_self(), s->caller)) {
		s->control = cpu_fp_enter();
		pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
	}
	meet((void *)&s->arrived, k);
}

/* Denormals are honoured whatever the caller's register says, and signals go to the program's own
 * threads. */
static void test_threads_are_set_up(void **state)
{
	uint32_t clean = cpu_fp_enter(), plain;
	pool *p = pool_new(2);
	setting s = { .caller = pthread_self() };

	(void)state;
	plain = cpu_fp_enter();
	cpu_fp_leave(plain | 0x8040);              /* flush denormals, as some programs do */
	pool_run(p, 2, look, &s);
	assert_int_equal(cpu_fp_enter() & 0x8040, 0x8040);
	cpu_fp_leave(clean);
	assert_int_equal(s.control & 0xffc0, plain & 0xffc0);
	assert_true(sigismember(&s.blocked, SIGINT));
	assert_true(sigismember(&s.blocked, SIGTERM));
	pool_free(p);
}

static void test_worth(void **state)
{
	pool *one = pool_new(1), *two = pool_new(2);

	(void)state;
	assert_false(pool_worth(one, INT64_MAX));
	assert_true(pool_worth(two, 4 * POOL_GRAIN_BYTES));
	assert_false(pool_worth(two, POOL_GRAIN_BYTES - 1));
	pool_free(one);
	pool_free(two);
}

/* A child has no threads but its own, and does all the work itself, whether its parent's were
 * awake or asleep. */
static void check_fork(pool *p)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		static job j;
		bool all = true;

		pool_run(p, 100, count_run, &j);
		for (int k = 0; k < 100; k++)
			all &= j.runs[k] == 1;
		pool_free(p);
		_exit(all ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_fork(void **state)
{
	pool *p = pool_new(3);

	(void)state;
	check_job(p, 100);
	check_fork(p);
	usleep(5000);
	check_fork(p);
	check_job(p, 100);
	pool_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_chunk_once),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_sweep_of_threads),
		cmocka_unit_test(test_bursts),
		cmocka_unit_test(test_threads_start_late_and_end),
		cmocka_unit_test(test_threads_help),
		cmocka_unit_test(test_threads_are_set_up),
		cmocka_unit_test(test_worth),
		cmocka_unit_test(test_fork),
	};

	alarm(100);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
