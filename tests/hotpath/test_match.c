/* test_match.c: what matches and what does not. A region is made from a piece of text; another text
 * is matched against it, and the answers are written down one letter an op: m matched, M the run's
 * last, p passenger, x exit. */
#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "hotpath/match.h"
#include "ir/shape.h"
#include "ir/text.h"

#define VALUES_MAX 512

/* Instructions of a text one after another, with what they do to the metas of the values. */
typedef struct script {
	text_reader *text;
	ins_room room;
	meta values[VALUES_MAX];
	const meta *in[INS_INPUTS_MAX];
	meta out;
} script;

static script *open_text(const char *text)
{
	script *r = mem_zero(sizeof *r);

	r->text = mem_zero(sizeof *r->text);
	text_open_string(r->text, text, strlen(text), NULL);
	return r;
}

static void close_text(script *r)
{
	mem_free(r->text);
	mem_free(r);
}

/* The next op; NULL at the end. Its metas are in r->in and r->out. */
static const ins *next_op(script *r)
{
	const ins *i = &r->room.head;
	bool end;

	do {
		gt_err e = text_get(r->text, &r->room, &end);

		assert_int_equal(e, GT_OK);
		if (end)
			return NULL;
	} while (!op_has_result(&op_rows[i->op]));
	for (unsigned k = 0; k < i->nin; k++)
		r->in[k] = ins_kind(i, k) ? NULL : &r->values[ins_in(i)[k]];
	assert_int_equal(shape_infer(i, r->in, &r->out), GT_OK);
	assert_true(i->out < VALUES_MAX);
	r->values[i->out] = r->out;
	return i;
}

static uint64_t metas_of(const script *r, const ins *i)
{
	return record_metas(op_rows[i->op].kind, i->nin, r->in, &r->out);
}

/* ---- a region from text: every op of it behind the first `skip` ---- */

static int32_t input_number(region *g, const uint64_t *made, uint64_t *live, uint64_t id)
{
	for (uint32_t k = 0; k < g->n; k++)
		if (made[k] == id)
			return (int32_t)k;
	for (uint32_t k = 0; k < g->live_ins_count; k++)
		if (live[k] == id)
			return (int32_t)~k;
	live[g->live_ins_count] = id;
	return (int32_t)~g->live_ins_count++;
}

static region *region_of(const char *text, unsigned skip)
{
	uint64_t made[VALUES_MAX], live[VALUES_MAX];
	region *g = mem_zero(sizeof *g);
	script *r = open_text(text);
	const ins *i;

	g->ops = mem_zero(VALUES_MAX * sizeof *g->ops);
	g->inputs = mem_zero(4 * VALUES_MAX * sizeof *g->inputs);
	while ((i = next_op(r))) {
		region_op *o = &g->ops[g->n];

		if (skip && skip--)
			continue;
		*o = (region_op){ .op = i->op, .kinds = i->kinds, .nin = i->nin, .nopd = i->nopd,
			.attr = i->attr.bits, .metas = metas_of(r, i), .first = g->inputs_count };
		for (unsigned k = 0; k < i->nin; k++)
			g->inputs[g->inputs_count++] = ins_kind(i, k) ? REGION_SCALAR :
				input_number(g, made, live, ins_in(i)[k]);
		made[g->n++] = i->out;
	}
	close_text(r);
	return g;
}

/* ---- the trial ---- */

static char answer_to(match *m, const ins *i, uint64_t metas)
{
	if (match_wired(m, i) && match_fits(m, metas))
		return match_take(m, i->out) ? 'M' : 'm';
	if (match_miss(m) == MATCH_PASSENGER)
		return 'p';
	match_leave(m);
	return 'x';
}

static void check(const char *of, unsigned skip, const char *text, const char *expected)
{
	region *g = region_of(of, skip);
	script *r = open_text(text);
	char got[VALUES_MAX] = "";
	pattern p;
	match m;
	const ins *i;

	pattern_init(&p, g);
	match_init(&m, &p);
	for (size_t n = 0; (i = next_op(r)); n++)
		got[n] = answer_to(&m, i, metas_of(r, i));
	assert_string_equal(got, expected);
	match_fini(&m);
	pattern_fini(&p);
	close_text(r);
	region_free(g);
}

#define INPUTS \
	"t1 = full float32 1.0 [4,4]\n" \
	"t2 = full float32 2.0 [4,4]\n"

static const char step[] = INPUTS "t3 = matmul t1, t2\nt4 = relu t3\nt5 = sub t4, t1\n";

static void test_runs(void **state)
{
	(void)state;
	check(step, 2, step, "ppmmM");
	/* Other names, frees and reads in between; twice. */
	check(step, 2, INPUTS "t9 = matmul t2, t1\nt8 = relu t9\nfree t9\nt7 = sub t8, t2\n"
		"t20 = matmul t7, t2\nfetch t20\nt21 = relu t20\nt22 = sub t21, t7\n",
		"ppmmMmmM");
	/* Sizes are no part of it. */
	check(step, 2, "t1 = full float32 1.0 [2,3]\nt2 = full float32 1.0 [3,3]\n"
		"t3 = matmul t1, t2\nt4 = relu t3\nt5 = sub t4, t1\n", "ppmmM");
}

static void test_wiring(void **state)
{
	(void)state;
	/* e = g(a, d) is not g(b, c), a - b is not b - a, x * x is not x * y. */
	check(step, 2, INPUTS "t3 = matmul t1, t2\nt4 = relu t1\nt5 = sub t4, t1\n", "ppmpp");
	check(step, 2, INPUTS "t3 = matmul t1, t2\nt4 = relu t3\nt5 = sub t1, t4\n", "ppmmp");
	check(step, 2, INPUTS "t3 = matmul t1, t2\nt4 = relu t3\nt5 = sub t4, t2\n", "ppmmp");
	check(INPUTS "t3 = mul t1, t1\nt4 = exp t3\n", 2, INPUTS "t3 = mul t1, t2\nt4 = exp t3\n",
		"pppp");
	check(INPUTS "t3 = mul t1, t1\nt4 = exp t3\n", 2, INPUTS "t3 = mul t2, t2\nt4 = exp t3\n",
		"ppmM");
	/* A live-in means the same value in the whole run, and any other in the next. */
	check(INPUTS "t3 = add t1, t2\nt4 = mul t3, t2\n", 2,
		INPUTS "t3 = add t1, t2\nt4 = mul t3, t2\nt5 = add t4, t1\nt6 = mul t5, t1\n"
		"t7 = add t4, t1\nt8 = mul t7, t2\n", "ppmMmMmp");
}

static void test_descs(void **state)
{
	static const char of[] = "t1 = full float32 1.0 [4,4]\nt2 = sum t1 axes=[0]\n"
		"t3 = mul t2, 2.0\n";

	(void)state;
	check(of, 1, of, "pmM");
	check(of, 1, "t1 = full float32 1.0 [4,4]\nt2 = sum t1 axes=[0]\nt3 = mul t2, 9.5\n",
		"pmM");
	check(of, 1, "t1 = full float32 1.0 [4,4]\nt2 = sum t1 axes=[1]\nt3 = mul t2, 2.0\n",
		"ppp");
	check(of, 1, "t1 = full float32 1.0 [4,4]\nt2 = sum t1 axes=[0] keepdims\n"
		"t3 = mul t2, 2.0\n", "ppp");
	check(of, 1, "t1 = full float32 1.0 [4,4]\nt2 = sum t1 axes=[0]\nt3 = mul t2, 2\n",
		"pmp");
	check(of, 1, "t1 = full float32 1.0 [4,4]\nt2 = sum t1 axes=[0]\nt3 = mul 2.0, t2\n",
		"pmp");
	check(of, 1, "t1 = full float64 1.0 [4,4]\nt2 = sum t1 axes=[0]\nt3 = mul t2, 2.0\n",
		"ppp");
	check(of, 1, "t1 = full float32 1.0 [2,4,4]\nt2 = sum t1 axes=[0]\nt3 = mul t2, 2.0\n",
		"ppp");
	/* Broadcasting is part of it. */
	check(INPUTS "t3 = add t1, t2\nt4 = exp t3\n", 2,
		"t1 = full float32 1.0 [4,4]\nt2 = full float32 1.0 [1,4]\n"
		"t3 = add t1, t2\nt4 = exp t3\n", "pppp");
}

static void test_passengers(void **state)
{
	char text[8192], expected[256] = "ppm";

	(void)state;
	check(step, 2, INPUTS "t3 = matmul t1, t2\nt9 = sum t3 axes=[0]\nt4 = relu t3\n"
		"t10 = exp t4\nt5 = sub t4, t1\n", "ppmpmpM");
	/* Too many end the match; the next beginning begins anew. */
	snprintf(text, sizeof text, INPUTS "t3 = matmul t1, t2\n");
	for (unsigned k = 0; k < 5; k++)
		snprintf(text + strlen(text), 64, "t%u = exp t1\n", 10 + k);
	strcat(text, "t4 = relu t3\nt5 = sub t4, t1\nt6 = matmul t1, t2\nt7 = relu t6\n"
		"t8 = sub t7, t1\n");
	strcat(expected, "ppppx" "pp" "mmM");
	check(step, 2, text, expected);
}

/* Of a run of 600 ops nothing is waited for beyond MATCH_FOREIGN_MAX, a short beginning less. */
static void check_limit(unsigned behind, unsigned expected)
{
	char *text = mem_zero(1 << 16);
	unsigned got = 0;
	region *g;
	pattern p;
	match m;

	for (unsigned k = 1; k <= 500; k++)
		snprintf(text + strlen(text), 64, "t%u = full float32 1.0 [2]\n", k);
	g = region_of(text, 0);
	pattern_init(&p, g);
	match_init(&m, &p);
	m.at = behind;
	while (match_miss(&m) == MATCH_PASSENGER)
		got++;
	assert_int_equal(got, expected);
	match_leave(&m);
	assert_int_equal(m.at, 0);
	/* Where no run is under way nothing can end. */
	for (unsigned k = 0; k < 1000; k++)
		assert_int_equal(match_miss(&m), MATCH_PASSENGER);
	match_fini(&m);
	pattern_fini(&p);
	region_free(g);
	mem_free(text);
}

static void test_limits(void **state)
{
	(void)state;
	check_limit(MATCH_ENTERING, MATCH_FOREIGN_MAX);
	check_limit(1, 8);
}

static uint32_t common(const char *a, const char *b)
{
	region *x = region_of(a, 2), *y = region_of(b, 2);
	pattern p, q;
	uint32_t n;

	pattern_init(&p, x);
	pattern_init(&q, y);
	n = pattern_common(&p, &q);
	assert_int_equal(n, pattern_common(&q, &p));
	pattern_fini(&p);
	pattern_fini(&q);
	region_free(x);
	region_free(y);
	return n;
}

static void test_common(void **state)
{
	(void)state;
	assert_int_equal(common(step, step), 3);
	assert_int_equal(common(step, INPUTS "t3 = matmul t1, t2\nt4 = relu t3\n"
		"t5 = add t4, t1\nt6 = exp t5\n"), 2);
	assert_int_equal(common(step, INPUTS "t3 = matmul t2, t1\nt4 = relu t3\n"
		"t5 = sub t4, t1\nt6 = exp t5\n"), 2);
	assert_int_equal(common(step, INPUTS "t3 = matmul t1, t1\nt4 = relu t3\n"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs), cmocka_unit_test(test_wiring),
		cmocka_unit_test(test_descs), cmocka_unit_test(test_passengers),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_common),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
