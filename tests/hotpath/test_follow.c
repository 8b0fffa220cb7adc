/* test_follow.c: which loops see an op: as if each of them saw all; those that take too little in
 * the end pause, until their time has come or the stream is another one. */
#include "check.h"
#include <string.h>
#include "hotpath/token.h"
#include "hotpath/track.h"
#include "tools/lab.h"

#define ROOM (1u << 16)

typedef struct trial {
	recorder ring;
	tokens tokens;
	track t;
	loop before[TRACK_LOOPS];        /* they borrow the arrays */
	uint64_t paused, compared;       /* loops, op by op */
	uint64_t resumed;
} trial;

static void begin(trial *x)
{
	memset(x, 0, sizeof *x);
	recorder_init(&x->ring, ROOM);
	tokens_init(&x->tokens);
	track_init(&x->t, 10, 3, 4096);
}

static void end(trial *x)
{
	track_fini(&x->t);
	tokens_fini(&x->tokens);
	recorder_fini(&x->ring);
}

static bool counts(const loop *l)
{
	return l->n && !l->replaced && !l->paused;
}

static void work_off(track *t)
{
	track_event e;

	do {
		while (track_next(t, &e))
			region_free(e.region);
		if (track_busy(t))
			track_step(t);
	} while (track_busy(t) || t->events_in != t->events_out);
}

/* What each loop would be if it saw the op, whoever else does. */
static void expect(trial *x, uint64_t token, uint64_t desc)
{
	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		loop *l = &x->before[k];

		*l = x->t.loops[k];
		x->resumed += l->n && l->paused && l->paused <= x->t.ops + 1;
		if (!counts(l))
			continue;
		l->pos = NULL;
		loop_follow(l, x->t.h.next, token, desc);
	}
}

/* A loop that has not come or gone with this op. */
static void compare(trial *x, unsigned k)
{
	const loop *l = &x->t.loops[k], *o = &x->before[k];

	if (!counts(l) || !counts(o) || l->signature != o->signature)
		return;
	assert_true(x->t.followed >> k & 1);
	assert_int_equal(l->at, o->at);
	assert_int_equal(l->streak, o->streak);
	assert_int_equal(l->foreign, o->foreign);
	assert_true(l->expect == o->expect);
	assert_true(l->runs >= o->runs);
	if (!(x->t.awake >> k & 1))
		assert_true(x->t.beginnings >> l->expect % 64 & 1);
	x->compared++;
}

static void push(trial *x, const record *r, uint64_t token)
{
	expect(x, token, token_desc(r));
	track_push(&x->t, r, token);
	if (!track_busy(&x->t))
		for (unsigned k = 0; k < TRACK_LOOPS; k++)
			compare(x, k);
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		x->paused += x->t.loops[k].n && x->t.loops[k].paused;
	work_off(&x->t);
}

static void sink(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	trial *x = ctx;
	const record *r;
	sig *made;

	if (out)
		recorder_op(&x->ring, i, in, out);
	else
		recorder_control(&x->ring, i);
	while ((r = recorder_peek(&x->ring))) {
		if (op_has_result(&op_rows[r->op]))
			push(x, r, tokens_op(&x->tokens, r, &made));
		else
			track_push_event(&x->t, r);
		if (r->op == OP_free)
			tokens_free(&x->tokens, r->out);
		recorder_pop(&x->ring, r);
	}
}

static void run(trial *x, const char *name, unsigned steps)
{
	const lab_options o = { .steps = steps, .seed = 3 };

	lab_run(lab_find(name), &o, sink, x, NULL);
}

static void test_as_if_all_saw_it(void **state)
{
	static const char *const programs[] = { "mlp", "validate", "rare", "branchy", "gan",
		"accumulate", "clip", "tiny" };

	(void)state;
	for (unsigned k = 0; k < COUNT(programs); k++) {
		trial x;

		begin(&x);
		run(&x, programs[k], 400);
		assert_true(x.compared > 1000);
		end(&x);
	}
}

/* The combinations of two branches: none of them is what the program does. */
static void test_pauses(void **state)
{
	trial x;

	(void)state;
	begin(&x);
	run(&x, "branchy", 3000);
	assert_true(x.paused > 100000);
	assert_true(x.resumed > 3);
	end(&x);
}

static bool any_pauses(const track *t)
{
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if (t->loops[k].n && t->loops[k].paused)
			return true;
	return false;
}

/* What pauses may be what the program does by now. */
static void test_something_else_begins(void **state)
{
	record r = { .op = OP_randn, .words = RECORD_HEAD_WORDS };
	uint64_t token = 1;
	trial x;

	(void)state;
	begin(&x);
	run(&x, "branchy", 3000);
	assert_true(any_pauses(&x.t));
	for (unsigned k = 0; k < 2 * 4096 && any_pauses(&x.t); k++) {
		r.out = (UINT64_C(1) << 40) + k;
		token = token * UINT64_C(6364136223846793005) + 1442695040888963407;
		push(&x, &r, token);
	}
	assert_true(x.t.share < 80);
	assert_false(any_pauses(&x.t));
	end(&x);
}

/* Of the runs of a loop, the last so many are known: were they nearly all of the last n ops? */
static void test_made_up(void **state)
{
	loop l = { .n = 10 };

	(void)state;
	for (uint64_t k = 0; k < 100; k++) {     /* the last one ends with op 999 */
		l.ends[l.ended++ % LOOP_ENDS] = 10 * k + 9;
		assert_int_equal(loop_last_end(&l), 10 * k + 9);
	}
	assert_true(loop_made_up(&l, 999, 200));
	assert_true(loop_made_up(&l, 1000, 200));
	assert_true(loop_made_up(&l, 1018, 200));        /* 18 of them */
	assert_false(loop_made_up(&l, 1029, 200));       /* 17 */
	assert_false(loop_made_up(&l, 999, 19));
	assert_true(loop_made_up(&l, 999, 20));
	assert_true(loop_made_up(&l, 999, 64 * 10));
	assert_false(loop_made_up(&l, 999, 720));        /* so many are not known */
	l.ended = 1;
	assert_false(loop_made_up(&l, 999, 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_if_all_saw_it),
		cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_something_else_begins),
		cmocka_unit_test(test_made_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
