/* test_graphs.c: graphs that share nothing are told apart, and told apart anew after a pause. */
#include "check.h"
#include <string.h>
#include "hotpath/graphs.h"

/* An op that makes `out` of two values: where it is filed. */
static uint32_t route(graphs *g, tokens *t, uint64_t out, uint64_t a, uint64_t b)
{
	record_room room;
	record *r = &room.head;
	sig *made;

	memset(&room, 0, sizeof room);
	r->op = OP_add;
	r->nin = 2;
	r->words = RECORD_HEAD_WORDS + 2;
	r->out = out;
	r->in[0] = a;
	r->in[1] = b;
	tokens_op(t, r, &made);
	graphs_route(g, t, r, made);
	return made->graph;
}

static void test_apart(void **state)
{
	uint32_t a, b;
	graphs g;
	tokens t;

	(void)state;
	tokens_init(&t);
	graphs_start(&g, &t, 10, 3, 64);
	a = route(&g, &t, 101, 1, 2);
	assert_int_equal(route(&g, &t, 102, 101, 3), a);
	b = route(&g, &t, 103, 1, 2);
	assert_int_not_equal(b, a);
	/* What has inputs of both makes one graph of them. */
	a = route(&g, &t, 104, 102, 103);
	assert_int_equal(route(&g, &t, 105, 101, 4), a);
	assert_int_equal(route(&g, &t, 106, 103, 4), a);
	graphs_stop(&g);
	tokens_fini(&t);
}

/* Values outlive the numbers they had. */
static void test_again(void **state)
{
	graphs g;
	tokens t;

	(void)state;
	tokens_init(&t);
	graphs_start(&g, &t, 10, 3, 64);
	for (uint64_t k = 0; k < 1000; k++)
		route(&g, &t, 10000 + k, 2 * k + 1, 2 * k + 2);
	assert_int_equal(g.count, 1001);
	graphs_stop(&g);
	graphs_start(&g, &t, 10, 3, 64);
	assert_int_equal(route(&g, &t, 20000, 10999, 10998), 1);
	assert_true(g.count <= 3);
	graphs_stop(&g);
	tokens_fini(&t);
}

static void note_lost(void *count, const track *t)
{
	(void)t;
	++*(unsigned *)count;
}

#define CHAIN 300                /* ops: worth a track */

static void run_two_chains(graphs *g, tokens *t)
{
	for (uint64_t k = 0; k < CHAIN; k++) {
		route(g, t, 1001 + k, k ? 1000 + k : 1, 2);
		route(g, t, 2001 + k, k ? 2000 + k : 3, 4);
	}
	assert_true(graphs_track(g, 0) && graphs_track(g, 1));
}

/* Two graphs that were searched become one: whoever counts on their loops is told. */
static void test_lost(void **state)
{
	unsigned lost = 0;
	graphs g;
	tokens t;

	(void)state;
	tokens_init(&t);
	graphs_start(&g, &t, 10, 3, 64);
	g.lost = note_lost;
	g.lost_ctx = &lost;
	run_two_chains(&g, &t);
	assert_int_equal(lost, 0);
	route(&g, &t, 3001, 1000 + CHAIN, 2000 + CHAIN);
	assert_int_equal(lost, 1);
	assert_true(!graphs_track(&g, 0) != !graphs_track(&g, 1));
	graphs_stop(&g);
	tokens_fini(&t);
}

/* Tracks stay when numbers are short, also where none of their values is left. */
static void test_compact(void **state)
{
	graphs g;
	tokens t;

	(void)state;
	tokens_init(&t);
	graphs_start(&g, &t, 10, 3, 64);
	run_two_chains(&g, &t);
	for (uint64_t k = 1; k <= CHAIN; k++) {
		tokens_free(&t, 1000 + k);
		tokens_free(&t, 2000 + k);
	}
	for (uint64_t k = 0; k < GRAPHS_MAX + 1000; k++)
		route(&g, &t, 10000 + k, 1, 2);
	assert_true(g.count < GRAPHS_MAX);
	assert_true(graphs_track(&g, 0) && graphs_track(&g, 1));
	graphs_stop(&g);
	tokens_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_compact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
