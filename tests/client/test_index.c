/* test_index.c: x[...] and x[...] = value against a slow model that visits elements one by one,
 * for all kinds of subscripts and their combinations; and what is refused.
 */
#include "try.h"

#define SUBSCRIPTS_MAX 5
#define ELEMENTS 512

/* A subscript as text: "2", "1:4:2", "...", "None", "t" (a tensor of the list below). */
typedef struct index_case { const char *text; int64_t tensors[2][4]; int lengths[2]; } index_case;

static const index_case cases[] = {
	{ .text = "" }, { .text = "1" }, { .text = "-1" }, { .text = "0,2" },
		{ .text = "1,-1,3,0" },
	{ .text = ":" }, { .text = "1:" }, { .text = ":1" }, { .text = "::-1" },
	{ .text = ":,1:3" },
	{ .text = ":,::-2" }, { .text = ":,:,3:0:-1" }, { .text = ":,:,-3:-1" },
	{ .text = ":,5:9" }, { .text = "...,0" }, { .text = "0,...,1" }, { .text = "...,None" },
	{ .text = "None,1,None,:,2" }, { .text = ":,2:1" }, { .text = "1,...,None,0:2" },
	{ .text = "t", { { 1, 0, 1 } }, { 3 } },
	{ .text = ":,t", { { 2, -1, 0, 0 } }, { 4 } },
	{ .text = "...,t", { { -4, 3 } }, { 2 } },
	{ .text = "1,t", { { 2, 1 } }, { 2 } },
	{ .text = "t,t", { { 0, 1 }, { 2, -1 } }, { 2, 2 } },
	{ .text = ":,t,t", { { 0, 1, 2 }, { 3, -1, 0 } }, { 3, 3 } },
	{ .text = "t,:,t", { { 0, 1 }, { 3, 0 } }, { 2, 2 } },
	{ .text = "t,1,t", { { 0, 1 }, { 3, 0 } }, { 2, 2 } },
	{ .text = "t,::-1,t", { { 0, 1 }, { 3 } }, { 2, 1 } },
	{ .text = "None,t,0:2", { { 1 } }, { 1 } },
	{ .text = "t,None,t", { { 1, 0 }, { 2, 2 } }, { 2, 2 } },
};

/* ---- reading the text ------------------------------------------------------------------------ */

static int64_t bound(const char **at)
{
	char *end;
	const int64_t n = strtoll(*at, &end, 10);
	const bool absent = end == *at;

	*at = end;
	return absent ? GT_NO_BOUND : n;
}

static gt_index parse_one(const char **at)
{
	gt_index s = { .kind = GT_INDEX_SLICE, .step = 1 };

	if (**at == '.' || **at == 'N') {
		s.kind = **at == '.' ? GT_INDEX_ELLIPSIS : GT_INDEX_NEW;
		*at += **at == '.' ? 3 : 4;
		return s;
	}
	s.start = s.i = bound(at);
	if (**at != ':')
		return (gt_index){ .kind = GT_INDEX_INT, .i = s.i };
	++*at;
	s.stop = bound(at);
	if (**at == ':') {
		++*at;
		s.step = bound(at);
	}
	return s;
}

static int parse(gt_client *gt, const index_case *c, gt_index *list)
{
	int n = 0, tensors = 0;

	for (const char *at = c->text; *at; at += *at == ',') {
		if (*at == 't') {
			const int k = tensors++;

			list[n++] = (gt_index)GT_BY(gt_from(gt, GT_INT64, GT_SHAPE(c->lengths[k]),
				c->tensors[k]));
			at++;
		} else {
			list[n++] = parse_one(&at);
		}
	}
	return n;
}

/* ---- the model: for each element of the result, which one of x ------------------------------- */

typedef struct model {
	gt_shape x;
	int64_t at[ELEMENTS];    /* numbers of elements of x, in the result's order */
	int64_t n;
	gt_shape shape;
} model;

/* One dim of the result before tensors: where its elements lie in x. */
typedef struct way { int64_t offset[8]; int64_t n; int tensor; } way;

typedef struct ways { way list[16]; int n; int64_t base; int tensors; } ways;

static void add_slice(ways *w, const gt_index *s, int64_t size, int64_t stride)
{
	const int64_t by = s->step;
	int64_t i = s->start, stop = s->stop;
	way *d = &w->list[w->n++];

	*d = (way){ .tensor = -1 };
	if (i == GT_NO_BOUND)
		i = by < 0 ? size - 1 : 0;
	else
		i = i < 0 ? i + size : i;
	if (stop == GT_NO_BOUND)
		stop = by < 0 ? -1 : size;
	else
		stop = stop < 0 ? stop + size : stop;
	for (; by > 0 ? i < stop && i < size : i > stop && i >= 0; i += by)
		if (i >= 0 && i < size)
			d->offset[d->n++] = i * stride;
}

static void add_tensor(ways *w, const index_case *c, int64_t size, int64_t stride)
{
	const int k = w->tensors++;
	way *d = &w->list[w->n++];

	*d = (way){ .n = c->lengths[k], .tensor = k };
	for (int e = 0; e < d->n; e++) {
		const int64_t i = c->tensors[k][e];

		d->offset[e] = (i < 0 ? i + size : i) * stride;
	}
}

static ways walk(const index_case *c, const gt_index *list, int n, gt_shape x)
{
	static const gt_index all = { .kind = GT_INDEX_SLICE, .start = GT_NO_BOUND,
		.stop = GT_NO_BOUND, .step = 1 };
	int64_t stride[8];
	int named = 0, dim = 0;
	ways w = { 0 };

	for (int k = x.rank - 1, s = 1; k >= 0; s *= (int)x.dims[k--])
		stride[k] = s;
	for (int k = 0; k < n; k++)
		named += list[k].kind != GT_INDEX_NEW && list[k].kind != GT_INDEX_ELLIPSIS;
	for (int k = 0; k <= n; k++) {
		if (k == n || list[k].kind == GT_INDEX_ELLIPSIS) {
			for (; dim < x.rank && named < x.rank; dim++, named++)
				add_slice(&w, &all, x.dims[dim], stride[dim]);
		} else if (list[k].kind == GT_INDEX_NEW) {
			w.list[w.n++] = (way){ .n = 1, .tensor = -1 };
		} else if (list[k].kind == GT_INDEX_INT) {
			const int64_t i = list[k].i;

			w.base += (i < 0 ? i + x.dims[dim] : i) * stride[dim];
			dim++;
		} else if (list[k].kind == GT_INDEX_SLICE) {
			add_slice(&w, &list[k], x.dims[dim], stride[dim]);
			dim++;
		} else {
			add_tensor(&w, c, x.dims[dim], stride[dim]);
			dim++;
		}
	}
	return w;
}

/* Let the tensors be one dim: where the first stands, or in front if something is between them. */
static void join_tensors(ways *w)
{
	int first = -1, last = -1, count = 0, to = 0;
	way joined = { .n = 1, .tensor = -1 };
	way rest[16];

	for (int k = 0; k < w->n; k++)
		if (w->list[k].tensor >= 0) {
			first = first < 0 ? k : first;
			last = k;
			count++;
			joined.n = MAX(joined.n, w->list[k].n);
		}
	if (!count)
		return;
	for (int k = 0; k < w->n; k++)
		for (int64_t e = 0; w->list[k].tensor >= 0 && e < joined.n; e++)
			joined.offset[e] += w->list[k].offset[w->list[k].n == 1 ? 0 : e];
	if (last - first + 1 != count)
		first = 0;
	for (int k = 0; k < w->n; k++)
		if (w->list[k].tensor < 0)
			rest[to++] = w->list[k];
	memcpy(w->list, rest, (size_t)first * sizeof *rest);
	w->list[first] = joined;
	memcpy(w->list + first + 1, rest + first, (size_t)(to - first) * sizeof *rest);
	w->n = to + 1;
}

static void visit(model *m, const ways *w, int dim, int64_t at)
{
	if (dim == w->n)
		m->at[m->n++] = at;
	else
		for (int64_t e = 0; e < w->list[dim].n; e++)
			visit(m, w, dim + 1, at + w->list[dim].offset[e]);
}

static model model_of(const index_case *c, const gt_index *list, int n, gt_shape x)
{
	ways w = walk(c, list, n, x);
	model m = { .x = x };

	join_tensors(&w);
	m.shape.rank = w.n;
	for (int k = 0; k < w.n; k++)
		m.shape.dims[k] = w.list[k].n;
	visit(&m, &w, 0, w.base);
	return m;
}

/* ---- the comparisons ------------------------------------------------------------------------- */

static const gt_shape shapes[] = { { 4, { 2, 3, 5, 4 } }, { 3, { 2, 3, 5 } } };

static void compare_get(gt_client *gt, const index_case *c, gt_shape shape)
{
	gt_tensor *x = try_count(gt, shape), *y;
	gt_index list[SUBSCRIPTS_MAX];
	const int n = parse(gt, c, list);
	const model m = model_of(c, list, n, shape);
	double want[ELEMENTS];

	y = gt_index_at(NULL, x, list, n);
	if (!y)
		fail_msg("x[%s]: %s", c->text, gt_last_error());
	try_shape(y, m.shape, c->text, shape.rank);
	for (int64_t k = 0; k < m.n; k++)
		want[k] = (double)m.at[k];
	try_elements(y, want, m.n, 0, c->text, shape.rank);
}

/* Write 1000, 1001, ... (or one number), and look at all of x. */
static void compare_set(gt_client *gt, const index_case *c, gt_shape shape, bool number)
{
	gt_tensor *x = try_count(gt, shape), *view = gt_flatten(x), *values;
	gt_index list[SUBSCRIPTS_MAX];
	const int n = parse(gt, c, list);
	const model m = model_of(c, list, n, shape);
	const int64_t count = gt_count(x);
	double want[ELEMENTS];
	gt_err e;

	values = gt_reshape(gt_add(gt_arange(gt, 0, m.n, 1), 1000), m.shape);
	e = gt_index_set_at(NULL, x, list, n, number ? gt_arg_int(7) : gt_arg_tensor(values));
	if (e)
		fail_msg("x[%s] = ...: %s", c->text, gt_last_error());
	for (int64_t k = 0; k < count; k++)
		want[k] = (double)k;
	for (int64_t k = 0; k < m.n; k++)
		want[m.at[k]] = number ? 7 : (double)(1000 + k);
	try_elements(x, want, count, 0, c->text, shape.rank);
	try_elements(view, want, count, 0, c->text, shape.rank);
}

static bool fits(const index_case *c, gt_shape s)
{
	return s.rank == 4 || strcmp(c->text, "1,-1,3,0");
}

static void test_against_model(void **state)
{
	gt_client *gt = *state;

	for (size_t k = 0; k < COUNT(cases); k++)
		for (size_t s = 0; s < COUNT(shapes); s++) {
			gt_scope *scope = gt_scope_begin(gt);

			if (fits(&cases[k], shapes[s])) {
				compare_get(gt, &cases[k], shapes[s]);
				compare_set(gt, &cases[k], shapes[s], true);
				compare_set(gt, &cases[k], shapes[s], false);
			}
			gt_scope_end(scope);
		}
}

/* ---- masks ----------------------------------------------------------------------------------- */

static void test_masks(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(3, 4)), *odd = gt_eq(gt_mod(x, 2), 1);
	gt_tensor *rows = gt_gt(gt_index(x, GT_ALL, GT_AT(0)), 0), *y;

	SAME(gt_index(x, GT_BY(odd)), 1, 3, 5, 7, 9, 11);
	y = gt_index(x, GT_BY(rows));
	SHAPED(y, 2, 4);
	SAME(y, 4, 5, 6, 7, 8, 9, 10, 11);
	y = gt_index(x, GT_BY(rows), GT_FROM(1, 3));
	SAME(y, 5, 6, 9, 10);
	SAME(gt_index(x, GT_BY(rows), GT_BY(gt_from(gt, GT_INT32, GT_SHAPE(2), (const int[]){ 3,
		-4 }))),
		7, 8);
	SHAPED(gt_index(x, GT_BY(gt_gt(x, 100))), 0);
	WORKS(gt_index_set(x, 0, GT_BY(odd)));
	SAME(x, 0, 0, 2, 0, 4, 0, 6, 0, 8, 0, 10, 0);
	WORKS(gt_index_set(x, gt_from(gt, GT_FLOAT32, GT_SHAPE(2), (const float[]){ -1, -2 }),
		GT_BY(gt_gt(x, 7))));
	SAME(x, 0, 0, 2, 0, 4, 0, 6, 0, -1, 0, -2, 0);
	WORKS(gt_index_set(x, 5, GT_BY(rows), GT_AT(1)));
	SAME(gt_index(x, GT_ALL, GT_AT(1)), 0, 5, 5);
	WORKS(gt_index_set(x, gt_ones(gt, GT_SHAPE(4)), GT_BY(rows)));
	SAME(x, 0, 0, 2, 0, 1, 1, 1, 1, 1, 1, 1, 1);
	/* A mask of rank 0 is a new dim of size 1 or 0. */
	SHAPED(gt_index(x, GT_BY(gt_full(gt, GT_SHAPE(), (bool)true))), 1, 3, 4);
	SHAPED(gt_index(x, GT_BY(gt_full(gt, GT_SHAPE(), (bool)false))), 0, 3, 4);
}

static void test_index_shapes(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(3, 4)), *y;
	gt_tensor *i = gt_reshape(gt_arange(gt, 0, 2, 1), GT_SHAPE(2, 1)), *j = gt_arange(gt, 1, 4,
		1);

	y = gt_index(x, GT_BY(i), GT_BY(j));
	SHAPED(y, 2, 3);
	SAME(y, 1, 2, 3, 5, 6, 7);
	SHAPED(gt_index(x, GT_BY(gt_full(gt, GT_SHAPE(), 1))), 4);
	SHAPED(gt_index(x, GT_BY(gt_zeros(gt, GT_SHAPE(0, 2), .dtype = GT_INT64))), 0, 2, 4);
	WORKS(gt_index_set(x, gt_ones(gt, GT_SHAPE(2, 1)), GT_BY(i), GT_BY(j)));
	SAME(x, 0, 1, 1, 1, 4, 1, 1, 1, 8, 9, 10, 11);
	/* The last of equal indices wins. */
	WORKS(gt_index_set(x, gt_arange(gt, 0, 4, 1), GT_AT(0),
		GT_BY(gt_zeros(gt, GT_SHAPE(4), .dtype = GT_INT64))));
	SAME(gt_index(x, GT_AT(0)), 3, 1, 1, 1);
}

static void test_zero_sizes(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_zeros(gt, GT_SHAPE(0, 3)), *n = gt_ones(gt, GT_SHAPE());

	SHAPED(gt_index(x, GT_ALL, GT_AT(1)), 0);
	SHAPED(gt_index(x, GT_STEP(GT_NO_BOUND, GT_NO_BOUND, -1)), 0, 3);
	WORKS(gt_index_set(x, 1, GT_ALL));
	SHAPED(gt_index(n, GT_ELLIPSIS), );
	SHAPED(gt_index(n, GT_NEW, GT_NEW), 1, 1);
	WORKS(gt_index_set(n, 5, GT_ELLIPSIS));
	SAME(n, 5);
}

static void test_refused(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = try_count(gt, GT_SHAPE(2, 3)), *i = gt_zeros(gt, GT_SHAPE(2),
		.dtype = GT_INT64);

	gt_clear_error();
	FAILS(gt_index(x, GT_AT(2)), GT_EINDEX, "index: 2 is out of range for dim 0 of size 2");
	FAILS(gt_index(x, GT_AT(0), GT_AT(-4)), GT_EINDEX, "-4 is out of range for dim 1 of size "
		"3");
	FAILS(gt_index(x, GT_AT(0), GT_AT(0), GT_AT(0)), GT_EINDEX,
		"3 subscripts for a tensor of rank 2");
	FAILS(gt_index(x, GT_ELLIPSIS, GT_ELLIPSIS), GT_EINDEX, "more than one ellipsis");
	FAILS(gt_index(x, GT_STEP(0, 2, 0)), GT_EINVAL, "a slice with step 0");
	FAILS(gt_index(x, GT_BY(x)), GT_EDTYPE, "an index tensor is float32");
	FAILS(gt_index(x, GT_BY(gt_ones(gt, GT_SHAPE(3), .dtype = GT_BOOL))), GT_ESHAPE,
		"a mask of shape (3,) does not fit shape (2, 3) at dim 0");
	FAILS(gt_index(x, GT_NEW, GT_NEW, GT_NEW, GT_NEW, GT_NEW, GT_NEW, GT_NEW), GT_ELIMIT,
		"rank 9");
	FAILS(gt_index(x, GT_BY(NULL)), GT_EINVAL, "index: expected a tensor");
	REFUSES(gt_index_set(x, gt_ones(gt, GT_SHAPE(2)), GT_AT(0)), GT_ESHAPE,
		"shape (2,) does not broadcast to (3,)");
	REFUSES(gt_index_set(x, gt_ones(gt, GT_SHAPE(5)), GT_BY(i), GT_BY(i)), GT_ESHAPE,
		"does not broadcast to (2,)");
	/* Out of range inside a tensor: the engine finds out, of the dim that it was. */
	assert_true(isnan(gt_item(gt_sum(gt_index(x, GT_BY(i), GT_BY(gt_full(gt, GT_SHAPE(2),
		3)))))));
	REFUSES(gt_last_error_code(), GT_EINDEX, "index 3 at position 0 is out of range for size "
		"3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRY(test_against_model), TRY(test_masks), TRY(test_index_shapes),
		TRY(test_zero_sizes), TRY(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
