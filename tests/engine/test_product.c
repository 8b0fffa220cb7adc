/* test_product.c: products against the reference by tolerance, float32 tiles against their
 * definition to the bit, everything to the bit across threads, and across instruction sets where
 * tiles compute it.
 */
#include "trial.h"

#include <float.h>
#include <pthread.h>
#include "engine/product.h"

static ins *make(ins_room *room)
{
	ins *i = ins_init(room, OP_matmul, 3);

	ins_put_input(i, 1);
	ins_put_input(i, 2);
	return i;
}

static int64_t size_of(const tensor *t, int from_end)
{
	return t->v.m.dims[t->v.m.rank - from_end];
}

/* Every element within k * eps of the sum of the products' magnitudes, which the reference gives
 * for |a| and |b|. */
static void check_near(const tensor *expected, const tensor *bound, const tensor *got, double eps,
		const char *what)
{
	for (int64_t e = 0; e < meta_count(&expected->v.m); e++) {
		double x = trial_get(expected, e), y = trial_get(got, e);
		if (isnan(x) ? !isnan(y) : !(x == y || fabs(x - y) <= eps * trial_get(bound, e)))
			fail_msg("%s: element %lld is %.9g, expected %.9g", what, (long long)e, y,
					x);
	}
}

/* Magnitudes, contiguous. */
static tensor magnitudes(const tensor *t)
{
	ins_room room;
	ins *i = ins_init(&room, OP_abs, 2);

	ins_put_input(i, 1);
	return trial_run(trial_reference, i, t);
}

static void compare(const tensor *in, const char *layouts)
{
	ins_room room;
	ins *i = make(&room);
	gt_dtype dtype = in[0].v.m.dtype;
	double eps = dtype == GT_FLOAT32 ? 0x1p-23 : dtype == GT_FLOAT64 ? 0x1p-52 : 0;
	tensor expected = trial_run(trial_reference, i, in);
	tensor sizes[2] = {magnitudes(&in[0]), magnitudes(&in[1])};
	tensor bound = trial_run(trial_reference, i, sizes), first = {0};
	bool tiled = dtype == GT_FLOAT32;
	char what[200], a[64], b[64];

	for (int f = 0; f < trial_fast_count; f++) {
		tensor got = trial_run(trial_fast[f].e, i, in);

		snprintf(what, sizeof what, "%s x %s, %s, %s", meta_text(&in[0].v.m, a, sizeof a),
				meta_text(&in[1].v.m, b, sizeof b), layouts, trial_fast[f].name);
		check_near(&expected, &bound, &got, eps * (double)(1 + size_of(&in[0], 1)), what);
		/* Engines come in pairs: one thread, then three. Tiles give the same bits on all of
		 * them. */
		if (f > 0 && (tiled || f % 2))
			trial_same(&first, &got, what);
		if (f % 2 == 0) {
			trial_close(&first);
			first = got;
		} else {
			trial_close(&got);
		}
	}
	trial_close(&first);
	trial_close(&expected);
	trial_close(&bound);
	trial_close(&sizes[0]);
	trial_close(&sizes[1]);
}

static void compare_layouts(gt_dtype dtype, int rank_a, const int64_t *a, int rank_b,
		const int64_t *b, layout how_a, layout how_b)
{
	tensor in[2] = {trial_tensor(dtype, rank_a, a, how_a),
		trial_tensor(dtype, rank_b, b, how_b)};
	char layouts[64];

	snprintf(layouts, sizeof layouts, "%s by %s", layout_names[how_a], layout_names[how_b]);
	compare(in, layouts);
	trial_close(&in[0]);
	trial_close(&in[1]);
}

static void test_layouts(void **state)
{
	static const int64_t shapes[][3] = {   /* m, n, k */
		{1, 1, 1}, {2, 2, 2}, {5, 3, 7}, {1, 17, 40}, {17, 1, 40}, {1, 1, 5000},
		{16, 16, 16}, {33, 35, 60}, {13, 129, 40}, {64, 10, 128}, {26, 65, 513},
		{0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {130, 5, 9}, {7, 40, 1}
	};

	(void)state;
	for (gt_dtype d = GT_FLOAT32; d <= GT_INT64; d++)
		for (size_t s = 0; s < COUNT(shapes); s++)
			for (layout how_a = PLAIN; how_a < LAYOUTS; how_a++)
				for (layout how_b = PLAIN; how_b < LAYOUTS; how_b++) {
					const int64_t *p = shapes[s];

					if (!SWEEP_TAKES(s + how_a + how_b, 4))
						continue;
					const int64_t a[] = {p[0], p[2]}, b[] = {p[2], p[1]};
					compare_layouts(d, 2, a, 2, b, how_a, how_b);
				}
}

/* Large enough to pack the left side, float64 for BLAS with all four flags, and with operands that
 * have to be copied. */
static void test_large(void **state)
{
	static const int64_t shapes[][3] = {
		{260, 400, 330}, {600, 200, 300}, {1000, 64, 530}
	};

	(void)state;
	for (size_t s = 0; s < COUNT(shapes); s++)
		for (layout how_a = PLAIN; how_a < LAYOUTS; how_a++)
			for (layout how_b = PLAIN; how_b < LAYOUTS; how_b++) {
				const int64_t *p = shapes[s];
				const int64_t a[] = {p[0], p[2]}, b[] = {p[2], p[1]};
				bool flags = how_a <= TRANSPOSED && how_b <= TRANSPOSED;
				if (SWEEP_TAKES(s + how_a + how_b, 2) &&
					(s == 0 ? flags || how_b == how_a : flags && how_a == how_b))
					compare_layouts(GT_FLOAT32, 2, a, 2, b, how_a, how_b);
			}
	for (layout how_a = PLAIN; how_a < LAYOUTS; how_a++)
		for (layout how_b = PLAIN; how_b < LAYOUTS; how_b++)
			compare_layouts(GT_FLOAT64, 2, (int64_t[]){520, 100}, 2,
					(int64_t[]){100, 90}, how_a, how_b);
}

static void test_batches(void **state)
{
	static const struct { int ra, rb; int64_t a[5], b[5]; } shapes[] = {
		{3, 3, {4, 5, 6}, {4, 6, 7}}, {3, 2, {4, 5, 6}, {6, 7}},
		{2, 3, {5, 6}, {4, 6, 7}}, {4, 3, {2, 1, 5, 6}, {3, 6, 7}},
		{4, 4, {2, 3, 16, 8}, {2, 3, 8, 16}}, {3, 3, {1, 5, 6}, {4, 6, 7}},
		{3, 3, {4, 1, 6}, {1, 6, 7}}, {3, 2, {9, 1, 30}, {30, 1}},
		{3, 3, {9, 1, 30}, {9, 30, 1}}, {3, 3, {0, 2, 3}, {0, 3, 2}},
		{3, 3, {64, 32, 40}, {64, 40, 33}}, {5, 2, {2, 1, 3, 4, 5}, {5, 6}},
		{3, 2, {20, 20, 100}, {100, 300}}, {3, 3, {2, 260, 330}, {2, 330, 400}},
		{3, 2, {4, 1, 300}, {300, 1}}
	};

	(void)state;
	for (gt_dtype d = GT_FLOAT32; d <= GT_INT64; d++)
		for (size_t s = 0; s < COUNT(shapes); s++)
			for (layout how = PLAIN; how < LAYOUTS; how++) {
				bool large = s + 2 == COUNT(shapes);
				if (large && (d != GT_FLOAT32 || how > TRANSPOSED))
					continue;
				compare_layouts(d, shapes[s].ra, shapes[s].a, shapes[s].rb,
						shapes[s].b, how, PLAIN);
				compare_layouts(d, shapes[s].ra, shapes[s].a, shapes[s].rb,
						shapes[s].b, how, how);
				if (!large)
					compare_layouts(d, shapes[s].ra, shapes[s].a,
							shapes[s].rb, shapes[s].b, PLAIN, how);
			}
}

static float flush(float x)
{
	return fabsf(x) < FLT_MIN ? copysignf(0, x) : x;
}

/* Chains of 256 fused multiply-adds, added up in order, denormals flushed: isa/product.c. */
static float chain(const float *a, int64_t a_step, const float *b, int64_t b_step, int64_t n)
{
	float sum = 0;

	for (int64_t at = 0; at < n; at += 256) {
		float part = 0;
		for (int64_t k = at; k < MIN(n, at + 256); k++)
			part = flush(fmaf(flush(a[k * a_step]), flush(b[k * b_step]), part));
		sum = at == 0 ? part : flush(sum + part);
	}
	return sum;
}

/* For the sanitizers' slow chains; borders are tested with fewer, too. */
static bool is_too_long(const int64_t *shape)
{
	return SANITIZED && shape[0] * shape[1] * shape[2] > 1 << 23;
}

/* a[m,k] * b[k,n] by the definition and by all engines. */
static void check_chains(const tensor *in)
{
	int64_t m = in[0].v.m.dims[0], n = in[1].v.m.dims[1], k = in[1].v.m.dims[0];
	const int64_t *as = in[0].v.strides, *bs = in[1].v.strides;
	tensor expected = trial_tensor(GT_FLOAT32, 2, (int64_t[]){m, n}, PLAIN);
	ins_room room;

	for (int64_t e = 0; e < m * n; e++) {
		const float *row = (float *)in[0].v.data + e / n * as[0];
		const float *column = (float *)in[1].v.data + e % n * bs[1];
		((float *)expected.v.data)[e] = chain(row, as[1], column, bs[0], k);
	}
	for (int f = 0; f < trial_fast_count; f++) {
		tensor got = trial_run(trial_fast[f].e, make(&room), in);
		trial_same(&expected, &got, trial_fast[f].name);
		trial_close(&got);
	}
	trial_close(&expected);
}

static void test_tiles(void **state)
{
	static const int64_t shapes[][3] = {
		{2, 3, 5}, {64, 64, 64}, {31, 97, 255}, {50, 33, 256}, {12, 100, 600},
		{240, 40, 300}, {1, 300, 400}, {300, 1, 400},
		/* strips are packed by their first tile, or before: borders of chains, halves of
		 * chains under several blocks of rows */
		{64, 192, 257}, {97, 161, 300}, {13, 129, 512}, {300, 70, 300}, {530, 67, 129},
		/* few columns, which turn: borders of blocks, vectors, chains */
		{17, 3, 40}, {16, 15, 32}, {300, 10, 130}, {257, 2, 33}, {530, 4, 20}, {40, 7, 290},
		/* with the left side packed: borders of tiles and strips, of blocks */
		{97, 161, 2200}, {300, 520, 440}, {1030, 290, 259}
	};

	(void)state;
	for (size_t s = 0; s < COUNT(shapes); s++)
		for (int flags = 0; flags < 4; flags++) {
			int64_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
			int64_t a[] = {m, k}, b[] = {k, n};

			if (m * n * k > 1 << 26 && flags != (m > n))
				continue;   /* without AVX such a product takes a second */
			if (is_too_long(shapes[s]))
				continue;   /* test_large has such ones, without chains */

			tensor in[2] = {trial_tensor(GT_FLOAT32, 2, a, flags & 1),
				trial_tensor(GT_FLOAT32, 2, b, flags >> 1)};

			check_chains(in);
			trial_close(&in[0]);
			trial_close(&in[1]);
		}
}

/* The same number along the dims of a mask: what an expanded tensor looks like. */
static tensor repeated(int64_t rows, int64_t columns, unsigned mask)
{
	tensor t = trial_tensor(GT_FLOAT32, 2, (int64_t[]){rows, columns}, PLAIN);

	for (unsigned k = 0; k < 2; k++)
		if (mask >> k & 1)
			t.v.strides[k] = 0;
	t.v.contiguous = t.v.contiguous && !mask;
	return t;
}

/* Equal rows and columns, which are computed once, are what each would be; also of products that
 * would be packed, and that are cut for threads. */
static void test_equal(void **state)
{
	static const int64_t shapes[][3] = {{2, 2, 3}, {64, 64, 64}, {31, 97, 255}, {600, 17, 300},
		{1, 40, 300}, {300, 1, 40}, {97, 161, 300}, {530, 300, 270}};

	(void)state;
	for (size_t s = 0; s < COUNT(shapes); s++)
		for (unsigned masks = 1; masks < 16 && !is_too_long(shapes[s]); masks++) {
			const int64_t *x = shapes[s];
			tensor in[2] = {repeated(x[0], x[2], masks & 3),
				repeated(x[2], x[1], masks >> 2)};

			check_chains(in);
			trial_close(&in[0]);
			trial_close(&in[1]);
		}
}

/* Every fifth element becomes denormal, and others so small that their products are. */
static void make_small(tensor *t)
{
	float *x = t->v.data;

	for (int64_t e = 0; e < meta_count(&t->v.m); e++)
		x[e] *= e % 5 == 0 ? 0x1p-130f : e % 3 == 0 ? 0x1p-64f : 1;
}

static void test_denormals(void **state)
{
	static const int64_t shapes[][3] = {{2, 3, 5}, {64, 64, 64}, {12, 100, 600}, {1, 300, 40},
		{97, 161, 300}, {300, 330, 350}};
	static const layout layouts[] = {PLAIN, TRANSPOSED};

	for (unsigned s = 0; s < COUNT(shapes) * COUNT(layouts); s++) {
		const int64_t *x = shapes[s / COUNT(layouts)];
		layout how = layouts[s % COUNT(layouts)];

		if (is_too_long(x))
			continue;
		tensor in[2] = {trial_tensor(GT_FLOAT32, 2, (int64_t[]){x[0], x[2]}, how),
			trial_tensor(GT_FLOAT32, 2, (int64_t[]){x[2], x[1]}, how)};

		make_small(&in[0]);
		make_small(&in[1]);
		check_chains(in);
		for (int k = 0; k < 2; k++)   /* also where all sums come out small */
			for (int64_t e = 0; e < meta_count(&in[k].v.m); e++)
				((float *)in[k].v.data)[e] *= 0x1p-63f;
		check_chains(in);
		trial_close(&in[0]);
		trial_close(&in[1]);
	}
	(void)state;
}

/* A NaN or an infinity in one factor reaches its row of the result, zeros in the other factor or
 * not. */
static void check_special(int64_t n, double x)
{
	int64_t square[] = {n, n};
	tensor in[2] = {trial_tensor(GT_FLOAT32, 2, square, PLAIN),
		trial_tensor(GT_FLOAT32, 2, square, PLAIN)};
	ins_room room;

	memset(in[1].memory, 0, (size_t)(n * n) * sizeof(float));
	trial_set(in[0].v.data, GT_FLOAT32, n + 1, x);
	for (int f = 0; f < trial_fast_count; f++) {
		tensor got = trial_run(trial_fast[f].e, make(&room), in);
		for (int64_t j = 0; j < n; j++) {
			assert_true(isnan(trial_get(&got, n + j)));
			assert_true(trial_get(&got, j) == 0);
		}
		trial_close(&got);
	}
	trial_close(&in[0]);
	trial_close(&in[1]);
}

static void test_specials(void **state)
{
	(void)state;
	check_special(8, NAN);
	check_special(8, INFINITY);
	check_special(400, NAN);
	check_special(400, INFINITY);
}

/* Blocks are never narrow, and the last one is not much smaller than the others. */
static void check_blocks(int64_t n, int64_t block)
{
	int64_t blocks = (n + block - 1) / block, last = n - (blocks - 1) * block;

	assert_true(block >= 1 && block <= n && block < 2048 + 16);
	assert_true(block == n || block >= 256);
	assert_true(last > block - 16 * blocks);
}

static void test_grid(void **state)
{
	(void)state;
	for (int64_t m = 1; m < 5000; m += 7)
		for (int64_t n = 1; n < 5000; n += 7) {
			int64_t rows, columns;

			product_grid(m, n, 500, &rows, &columns);
			if (m * n * 500 < 1 << 20) {
				assert_true(rows == m && columns == n);
				continue;
			}
			check_blocks(m, rows);
			check_blocks(n, columns);
			/* Enough for two threads as soon as there is something to cut. */
			assert_true(rows < m || columns < n || (m < 512 && n < 512));
		}
}

/* Two engines at once in one process, each with a pool of its own: BLAS is shared. */
typedef struct user { const tensor *in, *expected; bool same; } user;

static void *use_blas(void *arg)
{
	user *u = arg;
	engine *e = trial_engine((int)cpu_isa_level(), 2);
	ins_room room;

	u->same = true;
	for (int times = 0; times < 20; times++) {
		tensor got = trial_run(e, make(&room), u->in);
		u->same &= !memcmp(got.memory, u->expected->memory, 300 * 310 * sizeof(double));
		trial_close(&got);
	}
	engine_close(e);
	return NULL;
}

static void test_concurrent(void **state)
{
	tensor in[2] = {trial_tensor(GT_FLOAT64, 2, (int64_t[]){300, 100}, PLAIN),
		trial_tensor(GT_FLOAT64, 2, (int64_t[]){100, 310}, TRANSPOSED)};
	ins_room room;
	tensor expected = trial_run(trial_fast[0].e, make(&room), in);
	user users[3];
	pthread_t threads[3];

	(void)state;
	for (int k = 0; k < 3; k++) {
		users[k] = (user){.in = in, .expected = &expected};
		assert_int_equal(pthread_create(&threads[k], NULL, use_blas, &users[k]), 0);
	}
	for (int k = 0; k < 3; k++) {
		pthread_join(threads[k], NULL);
		assert_true(users[k].same);
	}
	trial_close(&in[0]);
	trial_close(&in[1]);
	trial_close(&expected);
}

/* ---- What follows a product. ---- */

typedef struct follower {
	const tensor *out;
	char *copy;                /* of each piece, when it was there */
	uint8_t *times;            /* per element */
	int64_t rows, columns;
	bool whole_rows, whole_columns;
} follower;

/* Everywhere but in products. */
static void check_denormals_kept(void)
{
	volatile float least = FLT_MIN, half = least / 2;

	assert_true(half > 0);
}

static void on_piece(void *ctx, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
	follower *f = ctx;
	int64_t size = (int64_t)dtype_size(f->out->v.m.dtype);

	check_denormals_kept();
	assert_true(rows > 0 && columns > 0);
	assert_true(!f->whole_rows || columns == f->columns);
	assert_true(!f->whole_columns || rows == f->rows);
	for (int64_t i = row; i < row + rows; i++)
		for (int64_t at = i * f->columns + column, k = 0; k < columns; k++, at++) {
			memcpy(f->copy + at * size, (char *)f->out->v.data + at * size,
					(size_t)size);
			f->times[at]++;
		}
}

/* Every element is in one piece, when it is what it would be without pieces. */
static void check_follower(const engine *e, const ins *i, const tensor *in, int need)
{
	tensor out = trial_run(e, i, in), expected = trial_run(e, i, in);
	int64_t count = meta_count(&out.v.m);
	size_t size = (size_t)count * dtype_size(out.v.m.dtype);
	follower f = {.out = &out, .copy = mem_zero(size + 1), .times = mem_zero((size_t)count + 1),
		.columns = size_of(&out, 1), .whole_rows = need == 1, .whole_columns = need == 2};
	product_after after = {on_piece, &f, need == 1, need == 2, need * 7};
	kcall c = {.i = i, .in = {&in[0].v, &in[1].v}, .out = &out.v, .engine = e, .after = &after};

	f.rows = f.columns ? count / f.columns : 0;
	memset(out.memory, 0xa5, size);
	assert_int_equal(product_run(&c), GT_OK);
	check_denormals_kept();
	trial_same(&expected, &out, "product that is followed");
	assert_memory_equal(f.copy, out.memory, size);
	for (int64_t k = 0; k < count; k++)
		assert_int_equal(f.times[k], 1);
	trial_close(&out);
	trial_close(&expected);
	mem_free(f.copy);
	mem_free(f.times);
}

/* By the widest engines, of one thread and of several. */
static void check_followers(const ins *i, const tensor *in)
{
	for (int need = 0; need < 3; need++)
		for (int f = MAX(0, trial_fast_count - 2); f < trial_fast_count; f++)
			check_follower(trial_fast[f].e, i, in, need);
}

/* m, n, k at the borders of pieces and of BLAS; 0 for nothing. */
static void test_followed(void **state)
{
	static const int64_t sizes[][3] = {{0, 5, 5}, {5, 0, 5}, {5, 5, 0}, {1, 1, 1}, {1, 40, 9},
		{40, 1, 9}, {15, 16, 17}, {127, 65, 300}, {130, 255, 70}, {130, 256, 70},
		{200, 500, 40}, {600, 90, 40}, {300, 530, 300}, {600, 530, 300}, {700, 300, 300},
		{2100, 40, 20}, {256, 2100, 70}};
	static const gt_dtype dtypes[] = {GT_FLOAT32, GT_FLOAT64, GT_INT32};
	ins_room room;
	ins *i = make(&room);

	for (unsigned k = 0; k < COUNT(sizes) * COUNT(dtypes); k++) {
		const int64_t *s = sizes[k / COUNT(dtypes)];
		gt_dtype dtype = dtypes[k % COUNT(dtypes)];
		tensor in[2] = {trial_tensor(dtype, 2, (int64_t[]){s[0], s[2]}, PLAIN),
			trial_tensor(dtype, 2, (int64_t[]){s[2], s[1]}, k % 2 ? TRANSPOSED : PLAIN)};

		for (int need = 0; need < 3; need++)
			if (!SANITIZED || s[0] * s[1] * s[2] < 1 << 22)
				check_follower(trial_reference, i, in, need);
		check_followers(i, in);
		trial_close(&in[0]);
		trial_close(&in[1]);
	}
	(void)state;
}

/* Packed, with a last piece of a few columns, which does not turn: nobody would be told of it. */
static void test_followed_narrow_piece(void **state)
{
	tensor in[2] = {trial_tensor(GT_FLOAT32, 2, (int64_t[]){64, 8}, TRANSPOSED),
		trial_tensor(GT_FLOAT32, 2, (int64_t[]){8, 66566}, PLAIN)};
	ins_room room;

	(void)state;
	check_followers(make(&room), in);
	trial_close(&in[0]);
	trial_close(&in[1]);
}

/* Of equal rows, then of equal columns, in one piece and in several. */
static void test_followed_equal(void **state)
{
	static const int64_t sizes[][3] = {{64, 64, 64}, {130, 256, 70}, {600, 90, 40},
		{300, 530, 300}};
	ins_room room;
	ins *i = make(&room);

	for (unsigned k = 0; k < 2 * COUNT(sizes); k++) {
		const int64_t *s = sizes[k / 2];
		tensor in[2] = {repeated(s[0], s[2], k % 2 ? 0 : 1),
			repeated(s[2], s[1], k % 2 ? 2 : 0)};

		check_followers(i, in);
		trial_close(&in[0]);
		trial_close(&in[1]);
	}
	(void)state;
}

/* Rows of stacked matrices follow one another; chunks have several. */
static void test_followed_stacks(void **state)
{
	static const int64_t sizes[][4] = {{3, 20, 30, 7}, {50, 64, 64, 32}, {3, 130, 300, 70},
		{0, 4, 4, 4}};
	ins_room room;
	ins *i = make(&room);

	for (unsigned k = 0; k < COUNT(sizes); k++) {
		const int64_t *s = sizes[k];
		tensor in[2] = {trial_tensor(GT_FLOAT32, 3, (int64_t[]){s[0], s[1], s[3]}, PLAIN),
			trial_tensor(GT_FLOAT32, 3, (int64_t[]){s[0], s[3], s[2]}, PLAIN)};

		check_followers(i, in);
		trial_close(&in[0]);
		trial_close(&in[1]);
	}
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_tiles),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_denormals),
		cmocka_unit_test(test_specials),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_followed),
		cmocka_unit_test(test_followed_narrow_piece),
		cmocka_unit_test(test_followed_equal),
		cmocka_unit_test(test_followed_stacks),
		cmocka_unit_test(test_concurrent),
	};
	return cmocka_run_group_tests(tests, trial_open, trial_close_all);
}
