/* test_view.c: strides of views against elements counted one by one; a reshape is a view exactly
 * when strides can do it. */
#include "check.h"

#include "gen.h"

#define ELEMENTS_MAX 8192   /* 8 dims of up to 3, and a bit */

typedef struct strided { meta m; int64_t strides[GT_RANK_MAX], offset; } strided;

/* Where element number `flat` (row-major) lies. */
static int64_t place(const strided *s, int64_t flat)
{
	int64_t at = s->offset;

	for (int k = s->m.rank - 1; k >= 0; k--) {
		at += flat % s->m.dims[k] * s->strides[k];
		flat /= s->m.dims[k];
	}
	return at;
}

static strided contiguous(gen *g)
{
	strided s = { .m = gen_meta(g, GT_FLOAT32, 0, 5) };

	for (int k = 0; k < s.m.rank; k++)
		s.m.dims[k] += !s.m.dims[k] && gen_range(g, 0, 9);
	shape_contiguous(&s.m, s.strides);
	return s;
}

/* One view instruction applied to s; false if it is refused. */
static bool apply(const ins *i, const strided *s, strided *to)
{
	const meta *in[] = { &s->m };

	if (shape_infer(i, in, &to->m))
		fail_msg("%s", gt_last_error());
	to->offset = s->offset;
	return shape_view(i, &s->m, s->strides, &to->m, to->strides, &to->offset);
}

/* Elements of a permutation, expansion or slice of s, by definition. */
static int64_t source_of(const ins *i, const strided *s, const strided *to, int64_t flat)
{
	int64_t index[GT_RANK_MAX] = { 0 }, from[GT_RANK_MAX] = { 0 }, at = 0;
	const int head = to->m.rank - s->m.rank;

	for (int k = to->m.rank - 1; k >= 0; k--) {
		index[k] = flat % to->m.dims[k];
		flat /= to->m.dims[k];
	}
	for (int k = 0; k < s->m.rank; k++) {
		if (i->op == OP_permute)
			from[i->attr.perm[k]] = index[k];
		else if (i->op == OP_slice)
			from[k] = ins_opd(i)[3 * k] + index[k] * ins_opd(i)[3 * k + 2];
		else
			from[k] = s->m.dims[k] == 1 ? 0 : index[k + head];
	}
	for (int k = 0; k < s->m.rank; k++)
		at = at * s->m.dims[k] + from[k];
	return at;
}

static strided random_view(gen *g, const strided *s)
{
	static const op ops[] = { OP_permute, OP_expand, OP_slice };
	const op code = ops[gen_range(g, 0, 2)];
	ins *i = ins_init(&g->room, code, 2);
	strided to;

	ins_put_input(i, 1);
	for (int k = 0; k < s->m.rank; k++) {
		const int other = (int)gen_range(g, 0, k);

		if (code == OP_permute) {
			i->attr.perm[k] = i->attr.perm[other];
			i->attr.perm[other] = (uint8_t)k;
		}
	}
	if (code == OP_expand && s->m.rank < GT_RANK_MAX && gen_range(g, 0, 1))
		ins_put_operand(i, gen_range(g, 1, 3));
	for (int k = 0; code == OP_expand && k < s->m.rank; k++)
		ins_put_operand(i, s->m.dims[k] == 1 ? gen_range(g, 1, 3) : s->m.dims[k]);
	if (code == OP_slice)
		gen_slices(g, &s->m, &to.m);
	assert_true(apply(i, s, &to));
	for (int64_t n = 0; n < meta_count(&to.m); n++)
		assert_int_equal(place(&to, n), place(s, source_of(i, s, &to, n)));
	return to;
}

/* Strides that would show the elements of s in shape m, if there are any: every stride follows from
 * one element, and the other elements say whether it was right. */
static bool strides_exist(const strided *s, const meta *m)
{
	strided t = { .m = *m, .offset = place(s, 0) };
	int64_t step = 1;

	for (int k = m->rank - 1; k >= 0; k--) {
		t.strides[k] = m->dims[k] > 1 ? place(s, step) - t.offset : 0;
		step *= m->dims[k];
	}
	for (int64_t n = 0; n < meta_count(m); n++)
		if (place(&t, n) != place(s, n))
			return false;
	return true;
}

/* A random shape of `count` elements. */
static meta shape_of(gen *g, int64_t count)
{
	meta m = { .rank = 0 };

	while (m.rank < GT_RANK_MAX - 1 && gen_range(g, 0, 5)) {
		int64_t d = gen_range(g, 1, 6);

		if (count % d)
			d = 1;
		m.dims[m.rank++] = d;
		count /= d;
	}
	m.dims[m.rank++] = count;
	return m;
}

static void try_reshape(gen *g, const strided *s)
{
	const meta to = shape_of(g, meta_count(&s->m));
	ins *i = ins_init(&g->room, OP_reshape, 2);
	strided t;
	bool view;

	ins_put_input(i, 1);
	gen_sizes(g, &to);
	view = apply(i, s, &t);
	if (!meta_count(&s->m)) {
		assert_true(view);
		return;
	}
	assert_int_equal(view, strides_exist(s, &t.m));
	for (int64_t n = 0; view && n < meta_count(&t.m); n++)
		assert_int_equal(place(&t, n), place(s, n));
}

static void test_random_chains(void **state)
{
	int reshapes = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 30000; seed++) {
		gen g = { .state = seed };
		strided s = contiguous(&g);

		for (int n = (int)gen_range(&g, 0, 4); n && meta_count(&s.m) < ELEMENTS_MAX / 27;
			n--)
			s = random_view(&g, &s);
		for (int n = 0; n < 4 && meta_count(&s.m) < ELEMENTS_MAX; n++, reshapes++)
			try_reshape(&g, &s);
	}
	assert_true(reshapes > 100000);
}

static void test_contiguous(void **state)
{
	const meta m = { .rank = 4, .dims = { 2, 1, 3, 4 } };
	const meta none = { .rank = 2, .dims = { 3, 0 } };
	int64_t strides[GT_RANK_MAX];

	(void)state;
	shape_contiguous(&m, strides);
	assert_int_equal(strides[0], 12);
	assert_int_equal(strides[2], 4);
	assert_int_equal(strides[3], 1);
	strides[1] = 77;   /* a dim of size 1 */
	assert_true(shape_is_contiguous(&m, strides));
	strides[2] = 5;
	assert_false(shape_is_contiguous(&m, strides));
	assert_true(shape_is_contiguous(&none, strides));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_chains),
		cmocka_unit_test(test_contiguous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
