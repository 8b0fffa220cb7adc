/* test_promote.c: in which dtype inputs meet: PyTorch's table
 * (https://pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc), written down by
 * hand.
 */
#include "fake.h"

enum { F32 = GT_FLOAT32, F64 = GT_FLOAT64, I32 = GT_INT32, I64 = GT_INT64, BOO = GT_BOOL };

static const int dtypes[] = { F32, F64, I32, I64, BOO };
#define N 5

static gt_tensor *make(gt_client *gt, int dtype, int rank)
{
	return rank ? gt_ones(gt, GT_SHAPE(2), .dtype = (gt_dtype)dtype)
	            : gt_ones(gt, GT_SHAPE(), .dtype = (gt_dtype)dtype);
}

/* result_type(a, b) of two tensors with dims; the same for two without. */
static const int both[N][N] = {
	{ F32, F64, F32, F32, F32 },
	{ F64, F64, F64, F64, F64 },
	{ F32, F64, I32, I64, I32 },
	{ F32, F64, I64, I64, I64 },
	{ F32, F64, I32, I64, BOO },
};

/* a has dims, b (columns) has none: b counts if its kind is higher. */
static const int with_zero[N][N] = {
	{ F32, F32, F32, F32, F32 },
	{ F64, F64, F64, F64, F64 },
	{ F32, F64, I32, I32, I32 },
	{ F32, F64, I64, I64, I64 },
	{ F32, F64, I32, I64, BOO },
};

static void test_tensors(void **state)
{
	gt_client *gt = *state;

	for (int a = 0; a < N; a++)
		for (int b = 0; b < N; b++) {
			gt_scope *s = gt_scope_begin(gt);

			assert_int_equal(gt_dtype_of(gt_add(make(gt, dtypes[a], 1),
				make(gt, dtypes[b], 1))), both[a][b]);
			assert_int_equal(gt_dtype_of(gt_mul(make(gt, dtypes[a], 0),
				make(gt, dtypes[b], 0))), both[a][b]);
			assert_int_equal(gt_dtype_of(gt_maximum(make(gt, dtypes[a], 1),
				make(gt, dtypes[b], 0))), with_zero[a][b]);
			assert_int_equal(gt_dtype_of(gt_minimum(make(gt, dtypes[b], 0),
				make(gt, dtypes[a], 1))), with_zero[a][b]);
			assert_int_equal(gt_dtype_of(gt_where(make(gt, BOO, 1),
				make(gt, dtypes[a], 1), make(gt, dtypes[b], 1))), both[a][b]);
			assert_int_equal(gt_dtype_of(gt_lt(make(gt, dtypes[a], 1),
				make(gt, dtypes[b], 1))), BOO);
			gt_scope_end(s);
		}
}

/* Columns: bool, int, float. */
static const int with_number[N][3] = {
	{ F32, F32, F32 }, { F64, F64, F64 }, { I32, I32, F32 }, { I64, I64, F32 }, { BOO, I64,
		F32 },
};

static void test_numbers(void **state)
{
	gt_client *gt = *state;

	for (int a = 0; a < N; a++)
		for (int rank = 0; rank < 2; rank++) {
			gt_scope *s = gt_scope_begin(gt);
			gt_tensor *x = make(gt, dtypes[a], rank);

			assert_int_equal(gt_dtype_of(gt_add(x, (bool)true)), with_number[a][0]);
			assert_int_equal(gt_dtype_of(gt_add(x, 2)), with_number[a][1]);
			assert_int_equal(gt_dtype_of(gt_add(2.5, x)), with_number[a][2]);
			assert_int_equal(gt_dtype_of(gt_add(x, 2.5f)), with_number[a][2]);
			assert_int_equal(gt_dtype_of(gt_ge(x, 2.5)), BOO);
			gt_scope_end(s);
		}
}

static void test_rows(void **state)
{
	gt_client *gt = *state;
	gt_tensor *i = make(gt, I32, 1), *b = make(gt, BOO, 1), *d = make(gt, F64, 1);

	assert_int_equal(gt_dtype_of(gt_exp(i)), F32);
	assert_int_equal(gt_dtype_of(gt_exp(b)), F32);
	assert_int_equal(gt_dtype_of(gt_exp(d)), F64);
	assert_int_equal(gt_dtype_of(gt_div(i, i)), F32);
	assert_int_equal(gt_dtype_of(gt_div(i, 2)), F32);
	assert_int_equal(gt_dtype_of(gt_div(1, d)), F64);
	assert_int_equal(gt_dtype_of(gt_floordiv(i, 2)), I32);
	assert_int_equal(gt_dtype_of(gt_sum(i)), I64);
	assert_int_equal(gt_dtype_of(gt_sum(b)), I64);
	assert_int_equal(gt_dtype_of(gt_max(b)), BOO);
	assert_int_equal(gt_dtype_of(gt_argmax(d)), I64);
	assert_int_equal(gt_dtype_of(gt_clamp(i, 0, 1.5)), F32);
	assert_int_equal(gt_dtype_of(gt_clamp(i, 0, 1)), I32);
	assert_int_equal(gt_dtype_of(gt_pow(i, 2.0)), F32);
	assert_int_equal(gt_dtype_of(gt_pow(b, 2)), I64);
	assert_int_equal(gt_dtype_of(gt_where(b, 1, 0)), I64);
	assert_int_equal(gt_dtype_of(gt_where(b, 1, 0.5)), F32);
	assert_int_equal(gt_dtype_of(gt_cat(((gt_tensor *[]){ i, b, d }), 3, 0)), F64);
	assert_int_equal(gt_dtype_of(gt_full_like(i, 2.5)), I32);
	assert_int_equal(gt_dtype_of(gt_zeros_like(d)), F64);
	FAILS(gt_add(i, INT64_C(1) << 40), GT_EINVAL, "is not an int32; cast the tensor");
	assert_int_equal(gt_dtype_of(gt_add(i, INT32_MIN)), I32);
	FAILS(gt_mean(i), GT_EDTYPE, "mean: takes float dtypes, not int32");
	FAILS(gt_softmax(i, 0), GT_EDTYPE, "softmax");
	FAILS(gt_var(i), GT_EDTYPE, "var");
	FAILS(gt_neg(b), GT_EDTYPE, "neg: takes int and float dtypes, not bool");
	FAILS(gt_sub(b, b), GT_EDTYPE, "sub");
	FAILS(gt_and(d, d), GT_EDTYPE, "and");
	FAILS(gt_matmul(i, d), GT_EDTYPE, "matmul");
	FAILS(gt_where(i, i, i), GT_EDTYPE, "where: the condition must be bool");
	FAILS(gt_cast(i, (gt_dtype)77), GT_EDTYPE, "cast");
	FAILS(gt_zeros(gt, GT_SHAPE(2), .dtype = (gt_dtype)77), GT_EDTYPE, "unknown dtype 77");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE(test_tensors), FAKE(test_numbers), FAKE(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
