/* test_fuse_map.c: maps between shapes against what indices say. */
#include "check.h"

#include "base/base.h"
#include "ir/shape.h"
#include "region/fuse_map.h"

static uint64_t state = 88172645463325252u;

static int64_t below(int64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (int64_t)(state % (uint64_t)n);
}

/* The slow way: digit by digit. */
static int64_t place(const fuse_map *m, int64_t at)
{
	int64_t sum = 0;

	for (int k = 0; k < m->count; k++) {
		sum += at % m->seg[k].n * m->seg[k].step;
		at /= m->seg[k].n;
	}
	return sum;
}

static meta shape(int rank, const int64_t *dims)
{
	meta m = { .dtype = GT_FLOAT32, .rank = (uint8_t)rank };

	memcpy(m.dims, dims, (size_t)rank * sizeof(*dims));
	return m;
}
#define SHAPE(...) shape((int)COUNT(((int64_t[]){ __VA_ARGS__ })), (int64_t[]){ __VA_ARGS__ })

static void test_broadcast(void **state_)
{
	const meta out = SHAPE(4, 5, 6), bias = SHAPE(6), column = SHAPE(5, 1);
	const meta one = SHAPE(1, 1, 1);
	fuse_map m;

	(void)state_;
	fuse_map_broadcast(&out, &out, &m);
	assert_int_equal(m.count, 1);
	assert_int_equal(m.seg[0].n, 120);
	fuse_map_broadcast(&bias, &out, &m);
	assert_int_equal(m.count, 2);
	assert_int_equal(place(&m, 17), 5);
	fuse_map_broadcast(&column, &out, &m);
	assert_int_equal(m.count, 3);
	assert_int_equal(place(&m, 30 + 12), 2);
	assert_true(fuse_map_repeats(&m));
	fuse_map_broadcast(&one, &out, &m);
	assert_int_equal(m.count, 1);
	assert_int_equal(place(&m, 119), 0);
}

static void test_reduce(void **state_)
{
	const meta in = SHAPE(4, 5, 6);
	fuse_map m;

	(void)state_;
	fuse_map_reduce(&in, 2, &m);
	for (int64_t k = 0; k < 120; k++)
		assert_int_equal(place(&m, k), k / 30 * 6 + k % 6);
	fuse_map_reduce(&in, 7, &m);
	assert_int_equal(place(&m, 100), 0);
}

static meta random_shape(void)
{
	meta m = { .dtype = GT_FLOAT32, .rank = (uint8_t)below(5) };

	for (int k = 0; k < m.rank; k++)
		m.dims[k] = 1 + below(4);
	return m;
}

/* `in` with some dims of size 1 and some leading ones gone: it broadcasts to `out`. */
static meta random_part(const meta *out)
{
	const int cut = (int)below(out->rank + 1);
	meta m = { .dtype = GT_FLOAT32, .rank = (uint8_t)(out->rank - cut) };

	for (int k = 0; k < m.rank; k++)
		m.dims[k] = below(2) ? out->dims[k + cut] : 1;
	return m;
}

static void random_strides(const meta *m, fuse_map *to)
{
	int64_t own[GT_RANK_MAX], strides[GT_RANK_MAX], dims[GT_RANK_MAX];
	int order[GT_RANK_MAX];

	shape_contiguous(m, own);
	for (int k = 0; k < m->rank; k++) {
		const int other = (int)below(k + 1);

		order[k] = order[other];
		order[other] = k;
	}
	for (int k = 0; k < m->rank; k++) {
		dims[k] = m->dims[order[k]];
		strides[k] = below(5) ? own[order[k]] : -own[order[k]];
	}
	fuse_map_strides(m->rank, dims, strides, to);
}

/* What is composed is what comes of going one way after the other, or refused. Reshapes in
 * between, which need not fit, are what makes refusing necessary. */
static void test_compose(void **state_)
{
	int done = 0;

	(void)state_;
	for (int round = 0; round < 20000; round++) {
		const meta out = random_shape(), in = random_part(&out);
		fuse_map first, second, both, again;
		meta other = random_shape();

		if (below(2) || meta_count(&other) != meta_count(&in))
			other = in;
		fuse_map_broadcast(&in, &out, &first);
		random_strides(&other, &second);
		assert_int_equal(fuse_map_count(&first), meta_count(&out));
		if (!fuse_map_compose(&second, &first, &both))
			continue;
		done++;
		for (int64_t k = 0; k < meta_count(&out); k++)
			assert_int_equal(place(&both, k), place(&second, place(&first, k)));
		fuse_map_identity(meta_count(&out), &first);
		assert_true(fuse_map_compose(&both, &first, &again));
		assert_true(fuse_map_equal(&both, &again));
	}
	assert_true(done > 15000);
}

static void test_refused(void **state_)
{
	const meta rows = SHAPE(2, 3), bias = SHAPE(2);
	const meta again = SHAPE(3, 2);
	fuse_map add, other, m;
	fuse_cuts c = { 0 };

	(void)state_;
	fuse_map_broadcast(&bias, &again, &add);     /* (3, 2) + (2) of what is (2, 3) transposed */
	fuse_map_strides(2, rows.dims, (int64_t[]){ 1, 2 }, &other);
	fuse_map_identity(6, &m);
	assert_true(fuse_cuts_add_map(&c, &add));
	assert_false(fuse_cuts_add_map(&c, &other));
	assert_true(fuse_map_compose(&other, &m, &add));
	fuse_map_strides(2, again.dims, (int64_t[]){ 2, 1 }, &m);
	assert_int_equal(m.count, 1);
	fuse_map_strides(2, again.dims, (int64_t[]){ 2, 0 }, &m);
	assert_false(fuse_map_compose(&other, &m, &add));
}

static void test_cuts(void **state_)
{
	(void)state_;
	for (int round = 0; round < 5000; round++) {
		const meta out = random_shape();
		int64_t steps[2][FUSE_SEGS], size[FUSE_SEGS];
		fuse_cuts c = { 0 };
		fuse_map m[2];

		for (int k = 0; k < 2; k++) {
			const meta in = random_part(&out);

			fuse_map_broadcast(&in, &out, &m[k]);
			assert_true(fuse_cuts_add_map(&c, &m[k]));
		}
		for (int k = 0; k <= c.count; k++)
			size[k] = (k < c.count ? c.at[k] : meta_count(&out)) /
				(k ? c.at[k - 1] : 1);
		for (int k = 0; k < 2; k++) {
			fuse_cuts_steps(&c, &m[k], steps[k]);
			for (int64_t at = 0; at < meta_count(&out); at++) {
				int64_t sum = 0, rest = at;

				for (int d = 0; d <= c.count; d++) {
					sum += rest % size[d] * steps[k][d];
					rest /= size[d];
				}
				assert_int_equal(sum, place(&m[k], at));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broadcast), cmocka_unit_test(test_reduce),
		cmocka_unit_test(test_compose), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cuts),
	};

	return cmocka_run_group_tests_name("fuse_map", tests, NULL, NULL);
}
