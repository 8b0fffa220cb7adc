/* test_table.c: the op table, dtypes and promotion, and what ins_check lets through. */
#include "check.h"

#include <limits.h>
#include "gen.h"
#include "ir/cost.h"

/* ---- the op table ---- */

static void test_rows(void **state)
{
	unsigned rows = 0;

	(void)state;
	assert_null(op_row_of(0));
	assert_null(op_row_of(OP_CODES));
	assert_null(op_row_of(UINT_MAX));
	for (unsigned code = 0; code < OP_CODES; code++) {
		const op_row *row = op_row_of(code);

		if (!row)
			continue;
		rows++;
		assert_int_equal(op_by_name(row->name, strlen(row->name)), code);
		assert_true(row->nin >= -1 && row->nin <= INS_SCALARS_MAX);
		assert_true(row->nin <= (int)strlen(row->inputs));
		assert_int_equal(strspn(row->inputs, "tsa"), strlen(row->inputs));
		assert_int_equal(strspn(row->dtypes, "bif"), strlen(row->dtypes));
		assert_int_equal(strspn(row->operands, "diubst*"), strlen(row->operands));
		assert_int_equal(op_has_result(row), row->result != 0);
		assert_int_not_equal(row->kind, KIND_NONE);
		assert_true(strlen(row->doc) >= 3 && row->doc[strlen(row->doc) - 1] == '.');
		/* A permutation takes all bytes of the attributes. */
		assert_true(!(row->attrs & ATTR_PERM) || row->attrs == ATTR_PERM);
		for (dtype_kind kind = KIND_BOOL; kind <= KIND_FLOAT; kind++)
			assert_int_equal(
				op_takes(row, kind), strchr(row->dtypes, "?bif"[kind]) != NULL);
	}
	assert_true(rows > 80);
	assert_int_equal(op_by_name("ad", 2), 0);
	assert_int_equal(op_by_name("addx", 3), OP_add);
	assert_int_equal(op_by_name("", 0), 0);
}

static void test_operands_fit(void **state)
{
	static const struct { op code; unsigned low, high;
	} fits[] = {
		{ OP_add, 0, 0 },
		{ OP_fetch, 1, 1 },
		{ OP_enter, 1, 99 },
		{ OP_upload, 1, 99 },
		{ OP_eye, 2, 2 },
		{ OP_rand, 2, 99 },
		{ OP_reshape, 0, 99 },
		{ OP_slice, 0, 99 },
		{ OP_tril, 1, 1 },
	};

	(void)state;
	for (size_t k = 0; k < COUNT(fits); k++)
		for (unsigned n = 0; n < 99; n++)
			assert_int_equal(op_operands_fit(op_row_of(fits[k].code), n),
				n >= fits[k].low && n <= fits[k].high);
}

/* ---- dtypes ---- */

static void test_dtypes(void **state)
{
	(void)state;
	assert_int_equal(dtype_size(GT_FLOAT64), 8);
	assert_int_equal(dtype_size(GT_BOOL), 1);
	assert_string_equal(dtype_name(GT_INT32), "int32");
	assert_string_equal(dtype_name(GT_DTYPE_NONE), "none");
	assert_string_equal(dtype_name(GT_DTYPE_COUNT), "unknown");
	for (int d = 1; d < GT_DTYPE_COUNT; d++) {
		const char *name = dtype_name((gt_dtype)d);

		assert_int_equal(dtype_parse(name, strlen(name)), d);
		assert_int_equal(dtype_parse(name, strlen(name) - 1), GT_DTYPE_NONE);
	}
	assert_int_equal(dtype_parse("none", 4), GT_DTYPE_NONE);
}

/* torch.promote_types, and result_type with tensors of rank 0 and Python numbers. */
static void test_promotion(void **state)
{
	enum { F = GT_FLOAT32, D = GT_FLOAT64, I = GT_INT32, L = GT_INT64, B = GT_BOOL };
	static const uint8_t order[] = { B, I, L, F, D };
	static const uint8_t tensors[5][5] = {
		/* either side */
		{ B, I, L, F, D },
		{ I, I, L, F, D },
		{ L, L, L, F, D },
		{ F, F, F, F, D },
		{ D, D, D, D, D },
	};
	static const uint8_t zero_dim[5][5] = {
		/* row: with dims; column: of rank 0 */
		{ B, I, L, F, D },
		{ I, I, I, F, D },
		{ L, L, L, F, D },
		{ F, F, F, F, F },
		{ D, D, D, D, D },
	};
	static const uint8_t scalars[5][3] = {   /* bool, int, float */
		{ B, L, F }, { I, I, F }, { L, L, F }, { F, F, F }, { D, D, D },
	};

	(void)state;
	for (int a = 0; a < 5; a++)
		for (int b = 0; b < 5; b++) {
			const gt_dtype x = (gt_dtype)order[a], y = (gt_dtype)order[b];

			assert_int_equal(dtype_promote(x, y), tensors[a][b]);
			assert_int_equal(dtype_promote_0d(x, y), zero_dim[a][b]);
			if (b < 3)
				assert_int_equal(dtype_promote_scalar(x, (dtype_kind)(b + 1)),
					scalars[a][b]);
		}
}

/* ---- form ---- */

/* Every byte of a valid record's head and every word of its tail changed in turn: ins_check may
 * accept it, but what it accepts keeps the promises that others build on. */
static void test_changed_records(void **state)
{
	unsigned refused = 0, accepted = 0;

	(void)state;
	for (unsigned code = 0; code < OP_CODES; code++) {
		gen g = { .state = code };
		const ins *i;
		blob *b;

		if (!op_row_of(code))
			continue;
		i = gen_ins(&g, code);
		b = ins_blob(i);
		assert_int_equal(ins_check(i, i->words), GT_OK);
		assert_int_equal(ins_check(i, i->words - 1u), GT_EPROTO);
		for (unsigned bit = 0; bit < 8 * offsetof(ins, out); bit++) {
			ins_room copy = { 0 };
			ins *c = &copy.head;

			memcpy(&copy, i, i->words * 8u);
			copy.words[bit / 64] ^= UINT64_C(1) << bit % 64;
			if (ins_check(c, INS_WORDS_MAX)) {
				refused++;
				continue;
			}
			accepted++;
			assert_non_null(op_row_of(c->op));
			assert_int_equal(c->words, INS_HEAD_WORDS + c->nin + c->nopd);
			assert_true(op_operands_fit(op_row_of(c->op), c->nopd));
			assert_int_equal(c->reserved, 0);
		}
		if (b)
			blob_drop(b);
	}
	assert_true(refused > accepted);
	assert_true(accepted > 1000);   /* sites, other ops of the same form */
}

static void test_refused(void **state)
{
	ins_room room;
	ins *i = ins_init(&room, OP_upload, 1);

	(void)state;
	assert_int_equal(ins_check(i, 3), GT_EPROTO);
	i->attr.dtype = GT_BOOL;
	ins_put_operand(i, 0);
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_EPROTO);
	assert_string_equal(gt_last_error(), "upload: carries no data");
	i = ins_init(&room, OP_exp, 1);
	ins_put_input(i, 2);
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_OK);
	i->attr.axis = 1;
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_EPROTO);
	assert_string_equal(gt_last_error(), "exp: an attribute it does not have is set");
	i->attr.axis = 0;
	i->reserved = 1;
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_EPROTO);
	i = ins_init(&room, OP_enter, 0);
	ins_put_name(i, "1234567", 7);
	assert_int_equal(i->nopd, 1);
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_OK);
	i = ins_init(&room, OP_enter, 0);
	ins_put_name(i, "12345678", 8);
	assert_int_equal(i->nopd, 2);
	assert_string_equal(ins_name(i), "12345678");
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_OK);
	((char *)i->tail)[12] = 'x';
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_EPROTO);
	assert_string_equal(gt_last_error(), "enter: bytes behind the end of the name");
	memset(i->tail, 'x', 16);
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_EPROTO);   /* no end */
	i = ins_init(&room, OP_fetch, 0);        /* of nothing: waiting; nothing else is */
	ins_put_input(i, 0);
	ins_put_operand(i, 0);
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_OK);
	i = ins_init(&room, OP_free, 0);
	ins_put_input(i, 0);
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_EPROTO);
	assert_string_equal(gt_last_error(), "free: input 0 is 0, which is no value");
	i = ins_init(&room, OP_permute, 1);
	ins_put_input(i, 2);
	for (int k = 0; k < GT_RANK_MAX; k++)
		i->attr.perm[k] = 255;
	assert_int_equal(ins_check(i, INS_WORDS_MAX), GT_EPROTO);
}

static int released;

static void count_release(blob *b)
{
	released++;
	b->data = NULL;
}

static void test_blobs(void **state)
{
	blob own = { .refs = 1, .release = count_release }, *b = blob_new(100);

	(void)state;
	assert_int_equal((uintptr_t)b->data % 64, 0);
	assert_int_equal(b->size, 100);
	memset(b->data, 1, b->size);
	blob_hold(b);
	blob_drop(b);
	blob_drop(b);
	blob_hold(&own);
	blob_drop(&own);
	assert_int_equal(released, 0);
	blob_drop(&own);
	assert_int_equal(released, 1);
	assert_null(blob_new(SIZE_MAX));
	assert_null(blob_new(SIZE_MAX - 100));
}

/* ---- cost ---- */

static void test_cost_grows(void **state)
{
	meta small = { .dtype = GT_FLOAT32, .rank = 1, .dims = { 16 } };
	meta large = { .dtype = GT_FLOAT32, .rank = 2, .dims = { 1000, 1000 } };
	meta limit = { .dtype = GT_FLOAT32, .rank = 1, .dims = { SHAPE_ELEMENTS_MAX } };
	meta one = { .dtype = GT_FLOAT32, .rank = 0 };

	(void)state;
	assert_in_range(cost_ns(OP_add, &small, &small), 10, 1000);
	assert_in_range(cost_ns(OP_add, &large, &large), 100000, 3000000);
	assert_true(cost_ns(OP_matmul, &large, &large) > 10 * cost_ns(OP_add, &large, &large));
	assert_int_equal(cost_ns(OP_matmul, &limit, &limit), UINT32_MAX);
	/* What is read counts, not only what comes of it. */
	assert_true(cost_ns(OP_sum, &large, &one) > 100 * cost_ns(OP_sum, &small, &one));
	assert_true(cost_ns(OP_reshape, &large, &large) < cost_ns(OP_add, &small, &small));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_operands_fit),
		cmocka_unit_test(test_dtypes),
		cmocka_unit_test(test_promotion),
		cmocka_unit_test(test_changed_records),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_blobs),
		cmocka_unit_test(test_cost_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
