/* test_embed.c: sessions in one process: starting, waiting, interrupting, leaving. */
#include "check.h"
#include <gt/gt.h>
#include <pthread.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/flags.h"
#include "base/mem.h"
#include "embed/embed.h"
#include "embed/system.h"
#include "play.h"
#include "worker/hot.h"

#define SECOND UINT64_C(1000000000)

static struct link *open_link(void)
{
	struct link *l;

	assert_int_equal(embed_open(&l), GT_OK);
	return l;
}

static worker_stats stats(struct link *l)
{
	worker_stats s;

	assert_int_equal(embed_stats(l, &s), GT_OK);
	return s;
}

static void test_open_and_close(void **state)
{
	(void)state;
	for (int k = 0; k < 20; k++) {
		struct link *l = open_link();

		if (k % 2)
			assert_true(play_float(l, "t1 = full float32 2.0 [3]\nfetch t1") == 2);
		l->ops->close(l);
	}
}

/* t1 of one session is not t1 of another. */
static void test_sessions_are_separate(void **state)
{
	struct link *a = open_link(), *b = open_link();
	failure *f;

	(void)state;
	play_text(a, "t1 = full float32 1.0 [3]");
	play_text(b, "t1 = full float32 2.0 [3]");
	assert_true(play_float(a, "fetch t1") == 1);
	assert_true(play_float(b, "fetch t1") == 2);
	play_text(a, "t2 = full float32 1.0 [3]");
	f = play_failure(b, "fetch t2");
	assert_int_equal(f->code, GT_EPROTO);
	failure_drop(f);
	a->ops->close(a);
	assert_true(play_float(b, "fetch t1") == 2);
	b->ops->close(b);
}

/* What a session had is free as soon as it is closed, also when nobody ever ran it. */
static void test_leaving_frees(void **state)
{
	struct link *a = open_link(), *b = open_link();
	play p;

	(void)state;
	play_text(a, "t1 = full float32 1.0 [1000,1000]");
	a->ops->sync(a, NULL);
	assert_int_equal(stats(b).bytes, 4000000);
	assert_int_equal(stats(b).tensors, 1);
	p = play_text(a, "t2 = add t1, 1.0\nfetch t2\n");
	a->ops->close(a);
	assert_int_equal(stats(b).bytes, 0);
	assert_int_equal(stats(b).tensors, 0);
	assert_int_equal(atomic_load(&p.answers[0]->state), ANSWER_CANCELLED);
	play_end(&p);
	b->ops->close(b);
}

/* An answer outlives its session and the whole system. */
static void test_answers_outlive_everything(void **state)
{
	struct link *l = open_link();
	play p = play_text(l, "t1 = arange float32 0.0, 1.0 [100000]\nfetch t1");
	const float *x = play_wait(&p, 0)->data;

	(void)state;
	l->ops->close(l);
	assert_true(x[0] == 0 && x[99999] == 99999);
	play_end(&p);
}

/* 300 products that take seconds together, pushed and marked as expensive. */
static play start_long_work(struct link *l)
{
	batch b = { 0 };
	play p = { .l = l };

	play_parse(&p, &b, "t1 = full float32 0.0 [600,600]\nt2 = matmul t1, t1\n");
	for (int k = 3; k < 300; k++) {
		char text[64];

		snprintf(text, sizeof text, "t%d = matmul t1, t%d\nfree t%d\n", k, k - 1, k - 1);
		play_parse(&p, &b, text);
	}
	play_parse(&p, &b, "fetch t299\n");
	p.e = l->ops->flush(l, b.words, b.used, b.count, SECOND);
	b.used = b.count = 0;
	batch_fini(&b);
	return p;
}

static void test_close_in_the_middle(void **state)
{
	struct link *other = open_link();

	(void)state;
	for (int k = 0; k < 3; k++) {
		struct link *l = open_link();
		play p = start_long_work(l);
		uint64_t start;

		usleep((useconds_t)k * 20000);
		start = clock_ns();
		l->ops->close(l);
		assert_true(clock_ns() - start < SECOND);
		assert_int_equal(atomic_load(&p.answers[0]->state), ANSWER_CANCELLED);
		assert_int_equal(stats(other).bytes, 0);
		play_end(&p);
	}
	other->ops->close(other);
}

/* ---- waiting on other threads ---- */

typedef struct waiter { pthread_t thread; struct link *l; answer *a; gt_err e; } waiter;

static void *wait_thread(void *arg)
{
	waiter *w = arg;

	w->e = w->l->ops->wait(w->l, w->a, NULL);
	return NULL;
}

static void start_waiting(waiter *w, struct link *l, answer *a)
{
	*w = (waiter){ .l = l, .a = a };
	pthread_create(&w->thread, NULL, wait_thread, w);
}

static void test_several_threads_wait(void **state)
{
	struct link *l = open_link();
	waiter w[3];

	(void)state;
	for (int round = 0; round < 100; round++) {
		play p = play_text(l, "t1 = full float32 1.0 [100]\nfetch t1\n"
			"t2 = exp t1\nfetch t2\n"
			"t3 = log t2\nfetch t3\nfree t1\nfree t2\nfree t3");

		for (int k = 0; k < 3; k++)
			start_waiting(&w[k], l, p.answers[k]);
		for (int k = 0; k < 3; k++) {
			pthread_join(w[k].thread, NULL);
			assert_int_equal(w[k].e, GT_OK);
			assert_int_equal(atomic_load(&p.answers[k]->state), ANSWER_READY);
		}
		play_end(&p);
	}
	l->ops->close(l);
}

static void test_close_under_waiters(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct link *l = open_link();
		play p = start_long_work(l);
		waiter w[2];

		start_waiting(&w[0], l, p.answers[0]);
		start_waiting(&w[1], l, p.answers[0]);
		usleep((useconds_t)round * 500);
		link_hold(l);
		link_hold(l);
		l->ops->close(l);
		for (int k = 0; k < 2; k++) {
			pthread_join(w[k].thread, NULL);
			assert_int_equal(w[k].e, GT_OK);
			link_drop(l);
		}
		assert_int_equal(atomic_load(&p.answers[0]->state), ANSWER_CANCELLED);
		play_end(&p);
	}
}

static void test_wait_after_close(void **state)
{
	struct link *l = open_link();
	answer *never = answer_new();

	(void)state;
	link_hold(l);
	l->ops->close(l);
	assert_int_equal(l->ops->wait(l, never, NULL), GT_ECLOSED);
	link_drop(l);
	answer_drop(never);
	answer_drop(never);
}

/* ---- interrupts ---- */

static int say_stop(void *n)
{
	return ++*(int *)n == 2;
}

static void test_interrupt(void **state)
{
	struct link *l = open_link();
	int polls = 0;
	interrupt in = { say_stop, &polls };
	play p = start_long_work(l);
	uint64_t start = clock_ns();

	(void)state;
	assert_int_equal(l->ops->wait(l, p.answers[0], &in), GT_EINTERRUPT);
	assert_true(clock_ns() - start < 2 * SECOND);
	assert_int_equal(polls, 2);
	assert_true(answer_pending(p.answers[0]));
	polls = 0;
	assert_int_equal(l->ops->sync(l, &in), GT_EINTERRUPT);
	/* The work was not cancelled. */
	assert_int_equal(l->ops->wait(l, p.answers[0], NULL), GT_OK);
	assert_int_equal(atomic_load(&p.answers[0]->state), ANSWER_READY);
	play_end(&p);
	l->ops->close(l);
}

/* A client, and what it is told that uses it in the callback of a call of its own. */
typedef struct intruder {
	gt_client *gt;
	gt_err told;
	int polls;
} intruder;

static int intrude(void *of)
{
	intruder *o = of;

	o->told = gt_flush(o->gt);
	gt_close(o->gt);
	return ++o->polls == 2;
}

/* While it waits for the compiler (which has something else to do), a client is not to be used, let
 * alone closed. */
static void test_interrupt_of_compiling(void **state)
{
	intruder o = { .told = GT_OK };
	hot *h;
	place p;

	(void)state;
	assert_int_equal(flag_set(FLAG_GT_AUTO_COMPILE, "1"), GT_OK);
	o.gt = gt_open(NULL);
	gt_ones(o.gt, GT_SHAPE());
	assert_int_equal(gt_sync(o.gt), GT_OK);
	assert_int_equal(system_join(&p), GT_OK);
	h = p.worker->tenants[0]->hot;
	gt_set_interrupt(o.gt, intrude, &o);
	pthread_mutex_lock(&h->mining);
	assert_int_equal(gt_compile_wait(o.gt), GT_EINTERRUPT);
	pthread_mutex_unlock(&h->mining);
	assert_int_equal(o.told, GT_ESTATE);
	assert_int_equal(o.polls, 2);
	assert_int_equal(gt_compile_wait(o.gt), GT_OK);
	assert_true(line_close(tenant_line(p.tenant)));
	system_leave(&p);
	gt_close(o.gt);
	assert_int_equal(flag_set(FLAG_GT_AUTO_COMPILE, "0"), GT_OK);
}

/* ---- settings ---- */

static void test_three_workers(void **state)
{
	struct link *l[6];

	(void)state;
	assert_int_equal(system_set_workers(0), GT_EINVAL);
	assert_int_equal(system_set_workers(3), GT_OK);
	for (int k = 0; k < 6; k++) {
		l[k] = open_link();
		assert_int_equal(system_set_workers(1), GT_ESTATE);
		play_text(l[k], "t1 = full float32 1.0 [1000]");
		l[k]->ops->sync(l[k], NULL);
	}
	for (int k = 0; k < 6; k++)
		assert_int_equal(stats(l[k]).tensors, 2);   /* two sessions each */
	for (int k = 0; k < 6; k++)
		l[k]->ops->close(l[k]);
	assert_int_equal(system_set_workers(1), GT_OK);
}

static void test_short_runahead(void **state)
{
	struct link *l;
	batch b = { 0 };
	play p = { 0 };

	(void)state;
	assert_int_equal(flag_set(FLAG_GT_RUNAHEAD, "4"), GT_OK);
	p.l = l = open_link();
	play_parse(&p, &b, "t1 = full float32 0.0 [8]\n");
	for (int k = 2; k <= 2000; k++) {
		char text[64];

		snprintf(text, sizeof text, "t%d = add t%d, 1.0\nfree t%d\n", k, k - 1, k - 1);
		play_parse(&p, &b, text);
	}
	play_parse(&p, &b, "fetch t2000\n");
	assert_int_equal(l->ops->flush(l, b.words, b.used, b.count, 0), GT_OK);
	b.used = b.count = 0;
	batch_fini(&b);
	assert_true(*(const float *)play_wait(&p, 0)->data == 1999);
	play_end(&p);
	l->ops->close(l);
	assert_int_equal(flag_set(FLAG_GT_RUNAHEAD, "4096"), GT_OK);
}

static void test_reference_backend(void **state)
{
	struct link *l;

	(void)state;
	assert_int_equal(flag_set(FLAG_GT_BACKEND, "reference"), GT_OK);
	l = open_link();
	assert_true(play_float(l, "t1 = full float32 2.0 [3]\nt2 = sum t1 axes=[0]\n"
		"fetch t2") == 6);
	l->ops->close(l);
	assert_int_equal(flag_set(FLAG_GT_BACKEND, "cpu"), GT_OK);
}

static void test_stats_of_other_links(void **state)
{
	static const link_ops none;
	struct link l = { .ops = &none };
	worker_stats s;

	(void)state;
	assert_int_equal(embed_stats(&l, &s), GT_ESTATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_and_close),
		cmocka_unit_test(test_sessions_are_separate),
		cmocka_unit_test(test_leaving_frees),
		cmocka_unit_test(test_answers_outlive_everything),
		cmocka_unit_test(test_close_in_the_middle),
		cmocka_unit_test(test_several_threads_wait),
		cmocka_unit_test(test_close_under_waiters),
		cmocka_unit_test(test_wait_after_close),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_interrupt_of_compiling),
		cmocka_unit_test(test_three_workers),
		cmocka_unit_test(test_short_runahead),
		cmocka_unit_test(test_reference_backend),
		cmocka_unit_test(test_stats_of_other_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
