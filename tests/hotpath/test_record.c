/* test_record.c: records come out as they went in; a full ring loses stretches and says so. */
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include "hotpath/record.h"

#define ROOM 1024

/* Instruction number n: its length and contents follow from n. */
static void put(recorder *r, uint64_t n)
{
	static const meta some = { .dtype = GT_FLOAT32, .rank = 1, .dims = { 8 } };
	const meta *in[INS_INPUTS_MAX];
	ins_room room;
	ins *i = ins_init(&room, OP_cat, n);

	for (uint64_t k = 0; k <= n * 7 % 9; k++) {
		in[k] = &some;
		ins_put_input(i, n + k + 1);
	}
	recorder_op(r, i, in, &some);
}

static void check(const record *r, uint64_t n)
{
	assert_int_equal(r->op, OP_cat);
	assert_int_equal(r->out, n);
	assert_int_equal(r->nin, n * 7 % 9 + 1);
	assert_int_equal(r->words, RECORD_HEAD_WORDS + r->nin);
	assert_int_equal(r->size, 2);
	for (unsigned k = 0; k < r->nin; k++)
		assert_int_equal(r->in[k], n + k + 1);
}

static void test_order(void **state)
{
	uint64_t in = 1, out = 1;
	recorder r;

	(void)state;
	recorder_init(&r, ROOM);
	for (unsigned round = 0; round < 2000; round++) {
		const record *first;

		for (unsigned k = 0; k < round % 30; k++)
			put(&r, in++);
		while ((first = recorder_peek(&r))) {
			check(first, out++);
			recorder_pop(&r, first);
		}
	}
	assert_int_equal(in, out);
	assert_null(recorder_peek(&r));
	recorder_fini(&r);
}

/* A miner that keeps up sees the same two chunks over and over, however large the ring is. */
static void test_few_chunks(void **state)
{
	const record *first;
	recorder r;

	(void)state;
	recorder_init(&r, 1 << 16);
	recorder_make_ready(&r);
	for (uint64_t n = 1; n < 50000; n++) {
		put(&r, n);
		first = recorder_peek(&r);
		check(first, n);
		assert_true((const uint64_t *)first < r.words + 2 * r.chunk);
		recorder_pop(&r, first);
	}
	recorder_fini(&r);
}

/* The system provides what is used next, a part at a time, up to all there is. */
static void test_made_ready(void **state)
{
	const uint64_t room = 4 * RECORD_READY;
	uint64_t n = 0;
	recorder r;

	(void)state;
	recorder_init(&r, room);
	for (unsigned k = 0; k < 3; k++)
		recorder_make_ready(&r);
	assert_int_equal(r.ready, RECORD_READY);
	while (r.written < room - 2 * r.chunk) {
		put(&r, n++);
		recorder_make_ready(&r);
		assert_true(r.ready >= MIN(r.written + RECORD_READY / 2, room));
		assert_true(r.ready <= r.written + 3 * RECORD_READY / 2);
	}
	assert_int_equal(r.ready, room);
	assert_int_equal(r.begun, room - r.chunk);
	recorder_fini(&r);
}

/* As many as are lost before a gap can end, and the one that ends it. */
static void put_some(recorder *r, uint64_t *n)
{
	for (unsigned k = 0; k <= RECORD_LOOK_EVERY; k++)
		put(r, (*n)++);
}

/* Take one; what a gap says was lost is passed over in *out. */
static bool take(recorder *r, uint64_t *out, uint64_t *gaps)
{
	const record *first = recorder_peek(r);

	if (!first)
		return false;
	if (first->op == RECORD_GAP) {
		assert_true(first->out > 0);
		*out += first->out;
		++*gaps;
	} else {
		check(first, (*out)++);
	}
	recorder_pop(r, first);
	return true;
}

static void test_full(void **state)
{
	uint64_t out = 1, gaps = 0, in = 1;
	recorder r;

	(void)state;
	recorder_init(&r, ROOM);
	while (in < 500)
		put(&r, in++);
	for (unsigned k = 0; k < 5; k++)
		assert_true(take(&r, &out, &gaps));
	put(&r, in++);                   /* less than half is free: lost as well */
	assert_int_equal(gaps, 0);
	while (take(&r, &out, &gaps))
		;
	assert_true(out < 200);
	put_some(&r, &in);
	while (take(&r, &out, &gaps))
		;
	assert_int_equal(out, in);
	assert_int_equal(gaps, 1);
	recorder_fini(&r);
}

static void test_events(void **state)
{
	const unsigned codes[] = { OP_free, OP_fetch, OP_enter, OP_leave };
	recorder r;

	(void)state;
	recorder_init(&r, ROOM);
	for (unsigned k = 0; k < COUNT(codes); k++) {
		ins_room room;
		ins *i = ins_init(&room, codes[k], 0);

		if (op_rows[codes[k]].nin)
			ins_put_input(i, 77);
		if (codes[k] == OP_enter)
			ins_put_name(i, "forward", 7);
		recorder_control(&r, i);
	}
	recorder_replay(&r, 5, 100);
	for (unsigned k = 0; k < COUNT(codes); k++) {
		const record *e = recorder_peek(&r);

		assert_int_equal(e->op, codes[k]);
		assert_int_equal(e->out, op_rows[codes[k]].nin ? 77 : 0);
		if (e->words > RECORD_FREE_WORDS)
			assert_int_equal(e->attr != 0, codes[k] == OP_enter);
		else
			assert_int_equal(e->op, OP_free);
		recorder_pop(&r, e);
	}
	assert_int_equal(recorder_peek(&r)->op, RECORD_REPLAY);
	assert_int_equal(recorder_peek(&r)->out, 100);
	recorder_fini(&r);
}

/* Ops that nobody noted: told at once, or with the nap or the excluded scope that they lie in. */
static void test_pass(void **state)
{
	recorder r;

	(void)state;
	recorder_init(&r, ROOM);
	recorder_pass(&r, 7);
	assert_int_equal(recorder_peek(&r)->op, RECORD_NAP);
	assert_int_equal(recorder_peek(&r)->out, 7);
	recorder_pop(&r, recorder_peek(&r));
	r.nap = 100;
	r.unseen = 1;
	r.end = 0;
	recorder_pass(&r, 90);
	assert_null(recorder_peek(&r));
	assert_int_equal(recorder_naps(&r), 9);
	recorder_pass(&r, 90);
	assert_int_equal(recorder_naps(&r), 0);
	recorder_flush(&r);              /* ends it */
	assert_int_equal(recorder_peek(&r)->op, RECORD_NAP);
	assert_int_equal(recorder_peek(&r)->out, 181);
	recorder_pop(&r, recorder_peek(&r));
	assert_int_equal(recorder_peek(&r)->op, RECORD_FLUSH);
	recorder_fini(&r);
}

/* A rest begins inside of two scopes and ends outside of both: what is to be compiled is told apart
 * all the same. */
static void test_rest_in_scopes(void **state)
{
	ins_room room;
	ins *i = ins_init(&room, OP_enter, 0);
	recorder r;

	(void)state;
	recorder_init(&r, ROOM);
	ins_put_name(i, "forward", 7);
	recorder_enter(&r, i, SCOPE_PLAIN);
	recorder_enter(&r, i, SCOPE_PLAIN);
	recorder_rest(&r);
	recorder_pass(&r, 10);
	recorder_enter(&r, i, SCOPE_COMPILE);
	assert_int_equal(r.compiled, 1);
	i = ins_init(&room, OP_leave, 0);
	recorder_control(&r, i);
	assert_int_equal(r.compiled, 0);
	recorder_control(&r, i);         /* one of the two after all */
	assert_int_equal(r.depth, 0);
	recorder_fini(&r);
}

#define MANY 200000
typedef struct producer { recorder r; _Atomic bool done; } producer;

static void *produce(void *ctx)
{
	producer *p = ctx;

	for (uint64_t n = 1; n <= MANY; n++)
		put(&p->r, n);
	atomic_store(&p->done, true);
	return NULL;
}

static void test_threads(void **state)
{
	uint64_t out = 1, gaps = 0, next = MANY + 1;
	pthread_t thread;
	producer p = { .done = false };

	(void)state;
	recorder_init(&p.r, ROOM);
	assert_int_equal(pthread_create(&thread, NULL, produce, &p), 0);
	while (!atomic_load(&p.done))
		if (!take(&p.r, &out, &gaps))
			sched_yield();
	pthread_join(thread, NULL);
	while (take(&p.r, &out, &gaps))
		;
	put_some(&p.r, &next);           /* closes a gap that was open at the end */
	while (take(&p.r, &out, &gaps))
		;
	assert_int_equal(out, next);
	recorder_fini(&p.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order), cmocka_unit_test(test_full),
		cmocka_unit_test(test_few_chunks), cmocka_unit_test(test_made_ready), cmocka_unit_test(test_pass),
		cmocka_unit_test(test_rest_in_scopes),
		cmocka_unit_test(test_events), cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
