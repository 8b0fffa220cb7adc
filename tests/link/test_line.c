/* test_line.c: back-pressure, interrupts, credit for uploads and closing, with a consumer that only
 * counts. */
#include "check.h"
#include <pthread.h>
#include <unistd.h>
#include "base/error.h"
#include "base/mem.h"
#include "ir/batch.h"
#include "ir/op.h"
#include "link/line.h"

/* Checks that instructions come in order: their sites count up. */
typedef struct consumer {
	line line;
	role role;
	uint32_t last;                   /* site of the latest */
	unsigned runs, hires;
	bool evicted;
} consumer;

static void consume(consumer *c, const ins *i)
{
	assert_int_equal(i->site, c->last + 1);
	c->last = i->site;
	if (i->op == OP_fetch) {
		meta m = { .dtype = GT_BOOL };

		answer_give((answer *)(uintptr_t)ins_opd(i)[0], &m, NULL, NULL, NULL);
	} else if (i->op == OP_upload) {
		atomic_fetch_add(&c->line.consumed, ins_blob(i)->size);
		blob_drop(ins_blob(i));
	}
}

/* One instruction a slice. */
static bool run(line *l, const goal *g, uint64_t until)
{
	consumer *c = CONTAINER(l, consumer, line);
	bool ran = false;

	(void)until;
	c->runs++;
	while (atomic_load(&l->state) == LINE_OPEN && !line_reached(l, g)) {
		const ins *i = ring_next(&l->ring);

		if (!i) {
			line_unmark(l);
			break;
		}
		consume(c, i);
		ring_pop(&l->ring, i);
		line_release(l);
		ran = true;
	}
	line_tidy(l);
	if (atomic_load(&l->state) != LINE_CLOSING)
		return ran;
	c->evicted = true;
	line_cancel(l);
	line_gone(l);
	return true;
}

static bool hire_nobody(role *r)
{
	CONTAINER(r, consumer, role)->hires++;
	atomic_store(&r->hired, THREAD_REFUSED);
	return false;
}

static consumer *open_consumer(uint64_t runahead)
{
	consumer *c = mem_lines(sizeof *c);

	role_init(&c->role, hire_nobody);
	line_init(&c->line, &c->role, runahead, run);
	return c;
}

static void close_consumer(consumer *c)
{
	assert_true(line_close(&c->line));
	assert_true(c->evicted);
	assert_int_equal(atomic_load(&c->role.urgent), 0);
	assert_int_equal(atomic_load(&c->role.held), 0);
	line_fini(&c->line);
	mem_free(c);
}

static void put_enters(batch *b, uint32_t first, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		ins_room room;
		ins *i = ins_init(&room, OP_enter, 0);

		i->site = first + k;
		ins_put_name(i, "signal", 6);
		batch_push(b, i);
	}
}

static answer *put_fetch(batch *b, uint32_t site)
{
	answer *a = answer_new();
	ins_room room;
	ins *i = ins_init(&room, OP_fetch, 0);

	i->site = site;
	ins_put_input(i, 1);
	ins_put_operand(i, (int64_t)(intptr_t)a);
	batch_push(b, i);
	return a;
}

static void put_upload(batch *b, uint32_t site, size_t size)
{
	static blob huge[16];
	ins_room room;
	ins *i = ins_init(&room, OP_upload, site);

	/* Nobody looks at the bytes: a blob of that size in name, never released. */
	huge[site] = (blob){ .refs = 2, .size = size };
	i->site = site;
	ins_put_operand(i, (int64_t)(intptr_t)&huge[site]);
	batch_push(b, i);
}

/* The link has the references then. */
static gt_err push(consumer *c, batch *b, uint64_t cost, const interrupt *in)
{
	gt_err e = line_push(&c->line, &(parcel){ b->words, b->used, b->count, cost, false }, in);

	b->used = b->count = 0;
	return e;
}

static void test_nothing_runs_unasked(void **state)
{
	consumer *c = open_consumer(100);
	batch b = { 0 };

	(void)state;
	put_enters(&b, 1, 50);
	assert_int_equal(push(c, &b, LINK_URGENT_NS - 1, NULL), GT_OK);
	assert_int_equal(c->runs, 0);
	assert_int_equal(c->hires, 0);
	assert_int_equal(line_sync(&c->line, NULL), GT_OK);
	assert_int_equal(c->last, 50);
	assert_int_equal(c->hires, 0);       /* the caller did it */
	batch_fini(&b);
	close_consumer(c);
}

static void test_expensive_work_rings(void **state)
{
	consumer *c = open_consumer(100);
	batch b = { 0 };

	(void)state;
	put_enters(&b, 1, 1);
	push(c, &b, LINK_URGENT_NS / 2, NULL);
	assert_int_equal(c->hires, 0);
	put_enters(&b, 2, 1);
	push(c, &b, LINK_URGENT_NS / 2, NULL);   /* together it is worth it */
	assert_int_equal(c->hires, 1);
	assert_int_equal(atomic_load(&c->role.urgent), 1);
	line_sync(&c->line, NULL);
	put_enters(&b, 3, 1);
	push(c, &b, LINK_URGENT_NS / 2, NULL);   /* counts from the last empty ring */
	assert_int_equal(c->hires, 1);
	batch_fini(&b);
	close_consumer(c);
}

static void test_back_pressure(void **state)
{
	(void)state;
	for (uint64_t runahead = 1; runahead < 10; runahead++) {
		consumer *c = open_consumer(runahead);
		batch b = { 0 };

		put_enters(&b, 1, 1000);
		assert_int_equal(push(c, &b, 0, NULL), GT_OK);
		assert_true(c->last >= 1000 - runahead && c->last < 1000);
		assert_int_equal(line_sync(&c->line, NULL), GT_OK);
		assert_int_equal(c->last, 1000);
		batch_fini(&b);
		close_consumer(c);
	}
}

static int count_polls(void *n)
{
	return ++*(int *)n >= 2;
}

/* Somebody else holds the role and does nothing: the push is broken off, nothing is lost or
 * reordered. */
static void test_interrupted_push(void **state)
{
	consumer *c = open_consumer(4);
	int polls = 0;
	interrupt in = { count_polls, &polls };
	answer *a;
	batch b = { 0 };

	(void)state;
	atomic_store(&c->role.held, 1);
	put_enters(&b, 1, 6);
	put_enters(&b, 7, 1);
	assert_int_equal(push(c, &b, 0, &in), GT_EINTERRUPT);
	assert_int_equal(polls, 2);
	assert_int_equal(c->line.spilled, 3);
	put_enters(&b, 8, 2);
	a = put_fetch(&b, 10);
	polls = 0;
	assert_int_equal(push(c, &b, 0, &in), GT_EINTERRUPT);
	assert_int_equal(atomic_load(&a->state), ANSWER_CANCELLED);
	assert_int_equal(c->line.spilled, 5);
	answer_drop(a);
	atomic_store(&c->role.held, 0);
	put_enters(&b, 10, 1);
	assert_int_equal(push(c, &b, 0, &in), GT_OK);
	assert_int_equal(c->line.spilled, 0);
	assert_int_equal(line_sync(&c->line, NULL), GT_OK);
	assert_int_equal(c->last, 10);
	batch_fini(&b);
	close_consumer(c);
}

static void test_interrupted_wait(void **state)
{
	consumer *c = open_consumer(4);
	int polls = 0;
	interrupt in = { count_polls, &polls };
	goal g = { .kind = GOAL_ANSWER };
	batch b = { 0 };

	(void)state;
	g.a = put_fetch(&b, 1);
	push(c, &b, 0, NULL);
	atomic_store(&c->role.held, 1);
	assert_int_equal(line_wait(&c->line, &g, &in), GT_EINTERRUPT);
	atomic_store(&c->role.held, 0);
	assert_int_equal(line_wait(&c->line, &g, &in), GT_OK);   /* the answer was not lost */
	assert_int_equal(atomic_load(&g.a->state), ANSWER_READY);
	answer_drop(g.a);
	batch_fini(&b);
	close_consumer(c);
}

static void test_sync_sends_what_was_left(void **state)
{
	consumer *c = open_consumer(2);
	int polls = 1;
	interrupt in = { count_polls, &polls };
	batch b = { 0 };

	(void)state;
	atomic_store(&c->role.held, 1);
	put_enters(&b, 1, 5);
	assert_int_equal(push(c, &b, 0, &in), GT_EINTERRUPT);
	atomic_store(&c->role.held, 0);
	assert_int_equal(line_sync(&c->line, NULL), GT_OK);
	assert_int_equal(c->last, 5);
	batch_fini(&b);
	close_consumer(c);
}

static void test_uploads_have_credit(void **state)
{
	consumer *c = open_consumer(100);
	batch b = { 0 };
	size_t third = LINE_UPLOADS_MAX / 3;

	(void)state;
	for (uint32_t k = 1; k <= 3; k++)
		put_upload(&b, k, third);
	push(c, &b, 0, NULL);
	assert_int_equal(c->last, 0);
	put_upload(&b, 4, third);            /* waits for half of the ring */
	push(c, &b, 0, NULL);
	assert_int_equal(c->last, 2);
	put_enters(&b, 5, 3);                /* needs no credit */
	push(c, &b, 0, NULL);
	assert_int_equal(c->last, 2);
	put_upload(&b, 8, 3 * LINE_UPLOADS_MAX);   /* alone it may be larger */
	push(c, &b, 0, NULL);
	assert_true(c->last >= 4 && c->last < 8);
	line_sync(&c->line, NULL);
	assert_int_equal(c->last, 8);
	batch_fini(&b);
	close_consumer(c);
}

static void test_close_cancels(void **state)
{
	consumer *c = open_consumer(10);
	batch b = { 0 };
	answer *a, *late;
	goal g = { .kind = GOAL_ANSWER };

	(void)state;
	put_enters(&b, 1, 2);
	a = put_fetch(&b, 3);
	push(c, &b, 0, NULL);
	assert_true(line_close(&c->line));
	assert_int_equal(c->last, 0);
	assert_int_equal(atomic_load(&a->state), ANSWER_CANCELLED);
	answer_drop(a);
	late = g.a = put_fetch(&b, 4);
	assert_int_equal(push(c, &b, 0, NULL), GT_ECLOSED);
	assert_int_equal(atomic_load(&late->state), ANSWER_CANCELLED);
	answer_drop(late);
	g.a = answer_new();                  /* one that was never sent */
	assert_int_equal(line_wait(&c->line, &g, NULL), GT_ECLOSED);
	answer_drop(g.a);
	answer_drop(g.a);
	batch_fini(&b);
	close_consumer(c);
}

static void test_close_cancels_leftovers(void **state)
{
	consumer *c = open_consumer(2);
	int polls = 1;
	interrupt in = { count_polls, &polls };
	batch b = { 0 };

	(void)state;
	atomic_store(&c->role.held, 1);
	put_enters(&b, 1, 3);
	put_upload(&b, 4, 10);
	assert_int_equal(push(c, &b, 0, &in), GT_EINTERRUPT);
	atomic_store(&c->role.held, 0);
	batch_fini(&b);
	close_consumer(c);
}

/* Another line of the worker is relied on: the helper leaves the role to the worker's thread, which
 * there is none of here, so it helps all the same. */
static void test_helps_without_a_thread(void **state)
{
	consumer *c = open_consumer(10);
	batch b = { 0 };

	(void)state;
	atomic_fetch_add(&c->role.urgent, 1);
	put_enters(&b, 1, 5);
	push(c, &b, 0, NULL);
	assert_int_equal(line_sync(&c->line, NULL), GT_OK);
	assert_true(c->hires >= 1);
	atomic_fetch_sub(&c->role.urgent, 1);
	batch_fini(&b);
	close_consumer(c);
}

static void *drop_later(void *arg)
{
	consumer *c = arg;

	usleep(20000);
	atomic_store(&c->role.held, 0);
	return NULL;
}

/* Whoever sleeps on progress finds the role again without anybody waking it, because no thread
 * can. */
static void test_looks_again_without_a_thread(void **state)
{
	consumer *c = open_consumer(10);
	pthread_t other;
	batch b = { 0 };

	(void)state;
	atomic_store(&c->role.hired, THREAD_REFUSED);
	atomic_store(&c->role.held, 1);
	put_enters(&b, 1, 5);
	push(c, &b, 0, NULL);
	pthread_create(&other, NULL, drop_later, c);
	assert_int_equal(line_sync(&c->line, NULL), GT_OK);
	assert_int_equal(c->last, 5);
	pthread_join(other, NULL);
	batch_fini(&b);
	close_consumer(c);
}

static void test_freeze(void **state)
{
	consumer *c = open_consumer(10);
	batch b = { 0 };

	(void)state;
	put_enters(&b, 1, 5);
	push(c, &b, 0, NULL);
	assert_true(role_freeze(&c->role, ROLE_PAUSED, 1000000));
	assert_false(role_try(&c->role));
	role_thaw(&c->role, true);
	assert_int_equal(line_sync(&c->line, NULL), GT_OK);
	assert_true(role_try(&c->role));
	assert_false(role_freeze(&c->role, ROLE_PAUSED, 1000000));
	role_thaw(&c->role, false);
	role_drop(&c->role);
	assert_true(role_freeze(&c->role, ROLE_ENDED, 1000000));
	put_enters(&b, 6, 1);
	push(c, &b, 0, NULL);
	assert_int_equal(line_sync(&c->line, NULL), GT_ECLOSED);
	assert_false(line_close(&c->line));  /* as at exit: everything stays */
	line_fini(&c->line);
	mem_free(c);
	batch_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_runs_unasked),
		cmocka_unit_test(test_expensive_work_rings),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_interrupted_push),
		cmocka_unit_test(test_interrupted_wait),
		cmocka_unit_test(test_sync_sends_what_was_left),
		cmocka_unit_test(test_uploads_have_credit),
		cmocka_unit_test(test_close_cancels),
		cmocka_unit_test(test_close_cancels_leftovers),
		cmocka_unit_test(test_helps_without_a_thread),
		cmocka_unit_test(test_looks_again_without_a_thread),
		cmocka_unit_test(test_freeze),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
