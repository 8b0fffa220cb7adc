/* test_stream.c: properties of random valid instructions of every row: they are accepted, inferred,
 * and go through wire and text and back without losing a bit. */
#include "check.h"

#include "base/buf.h"
#include "gen.h"
#include "ir/text.h"
#include "ir/wire.h"

#define ROUNDS 300   /* instructions a row */

static void each_row(void (*test)(gen *g, const ins *i))
{
	for (unsigned code = 0; code < OP_CODES; code++)
		for (unsigned n = 0; op_row_of(code) && n < ROUNDS; n++) {
			gen g = { .state = code * 1000003u + n };

			test(&g, gen_ins(&g, code));
		}
}

static void infers(gen *g, const ins *i)
{
	meta m = { .rank = 99 };
	gt_err e;

	if ((e = ins_check(i, i->words)))
		fail_msg("%s", gt_last_error());
	e = shape_infer(i, g->in, &m);
	assert_int_equal(e, op_has_result(g->row) ? GT_OK : GT_EINVAL);
	if (!e) {
		assert_in_range(m.dtype, 1, GT_DTYPE_COUNT - 1);
		assert_in_range(m.rank, 0, GT_RANK_MAX);
		for (int k = 0; k < m.rank; k++)
			assert_in_range(m.dims[k], 0, SHAPE_ELEMENTS_MAX);
	}
	gen_drop(i);
}

static void test_valid(void **state)
{
	(void)state;
	each_row(infers);
}

static void through_wire(gen *g, const ins *i)
{
	batch one = { 0 }, two = { 0 };
	buf bytes = { 0 }, again = { 0 };
	reader r;

	(void)g;
	batch_push(&one, i);
	assert_int_equal(wire_put_batch(&bytes, &one), GT_OK);
	r = (reader){ .data = bytes.data, .size = bytes.size };
	if (wire_get_batch(&r, &two))
		fail_msg("%s", gt_last_error());
	assert_int_equal(r.pos, bytes.size);
	assert_int_equal(two.count, 1);
	assert_true(gen_same_ins(i, batch_next(&two, NULL)));
	assert_int_equal(wire_put_batch(&again, &two), GT_OK);
	assert_int_equal(again.size, bytes.size);
	assert_memory_equal(again.data, bytes.data, bytes.size);
	batch_fini(&one);
	batch_fini(&two);
	buf_fini(&bytes);
	buf_fini(&again);
}

static void test_wire(void **state)
{
	(void)state;
	each_row(through_wire);
}

static void through_text(gen *g, const ins *i)
{
	static text_reader t;
	buf text = { 0 }, again = { 0 };
	ins_room room;
	bool end;

	if (*g->row->operands == 't')   /* tickets are not part of the text */
		g->room.head.tail[1] = 0;
	text_put(&text, i, NULL);
	text_open_string(&t, (char *)text.data, text.size, NULL);
	if (text_get(&t, &room, &end))
		fail_msg("%s in %s", gt_last_error(), buf_text(&text));
	assert_false(end);
	assert_true(gen_same_ins(i, &room.head));
	text_put(&again, &room.head, NULL);
	assert_string_equal(buf_text(&again), buf_text(&text));
	gen_drop(i);
	gen_drop(&room.head);
	assert_int_equal(text_get(&t, &room, &end), GT_OK);
	assert_true(end);
	buf_fini(&text);
	buf_fini(&again);
}

static void test_text(void **state)
{
	(void)state;
	each_row(through_text);
}

/* One stream of everything: text read in crumbs, to wire in batches, and back. */
typedef struct crumbs { const char *s; size_t left; } crumbs;

static size_t read_crumb(void *ctx, char *to, size_t n)
{
	crumbs *c = ctx;
	const size_t some = MIN(MIN(n, (size_t)7), c->left);

	memcpy(to, c->s, some);
	c->s += some;
	c->left -= some;
	return some;
}

static void test_stream(void **state)
{
	static text_reader t;
	buf text = { 0 }, bytes = { 0 }, back = { 0 };
	batch b = { 0 };
	gen g = { .state = 5 };
	ins_room room;
	bool end;

	(void)state;
	for (unsigned n = 0; n < 3000; n++) {
		unsigned code = (unsigned)gen_range(&g, 0, OP_CODES - 1);

		if (!op_row_of(code))
			continue;
		text_put(&text, gen_ins(&g, code), NULL);
		gen_drop(&g.room.head);
	}
	crumbs c = { (char *)text.data, text.size };

	wire_put_header(&bytes);
	text_open(&t, read_crumb, &c, NULL);
	for (;;) {
		assert_int_equal(text_get(&t, &room, &end), GT_OK);
		if (!end)
			batch_push(&b, &room.head);
		if (end || b.count == 100) {
			assert_int_equal(wire_put_batch(&bytes, &b), GT_OK);
			batch_reset(&b);
		}
		if (end)
			break;
	}
	reader r = { .data = bytes.data, .size = bytes.size };

	assert_int_equal(wire_get_header(&r), GT_OK);
	while (r.pos < r.size) {
		uint64_t size;
		const size_t begin = r.pos;

		assert_int_equal(wire_batch_size(r.data + r.pos, &size), GT_OK);
		assert_int_equal(wire_get_batch(&r, &b), GT_OK);
		assert_int_equal(r.pos - begin, size);
		for (const ins *i = NULL; (i = batch_next(&b, i)); )
			text_put(&back, i, NULL);
		batch_reset(&b);
	}
	assert_string_equal(buf_text(&back), buf_text(&text));
	batch_fini(&b);
	buf_fini(&text);
	buf_fini(&bytes);
	buf_fini(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
