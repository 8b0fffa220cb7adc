/* test_fun.c: the scalar functions: how exact, the same bits everywhere, right at the edges.
 *
 * The float64 form is checked against long double; the float32 form against the float64 form, over
 * all exponents, and against the error that its row claims. FUN_SWEEP=<name> or all tries every
 * float (about a minute a function) and prints the largest error found: the number that belongs in
 * the row.
 */
#include "check.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/base.h"
#include "base/cpu.h"
#include "isa_fun.h"

enum { BLOCK = 1024, STEP = 3989 };

static const fun_table *const tables[] = { &fun_table_base, &fun_table_avx2, &fun_table_avx512 };

static const fun_table *widest(void) { return tables[cpu_isa_level()]; }

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	return *s ^= *s << 17;
}

static float random_float(uint64_t *s) { return fun_as_f((uint32_t)(next_random(s) >> 16)); }

/* Same bits, where all NaN are one. */
static bool same(float a, float b)
{
	return fun_as_i(a) == fun_as_i(b) || (isnan(a) && isnan(b));
}

/* ---- The float64 forms against long double. ---- */

static long double exact_neg(long double x) { return -x; }
static long double exact_sign(long double x) { return (x > 0) - (x < 0); }
static long double exact_relu(long double x) { return x > 0 ? x : 0; }
static long double exact_square(long double x) { return x * x; }
static long double exact_reciprocal(long double x) { return 1 / x; }
static long double exact_rsqrt(long double x) { return 1 / sqrtl(x); }
static long double exact_sigmoid(long double x) { return 1 / (1 + expl(-x)); }
static long double exact_silu(long double x) { return x / (1 + expl(-x)); }
static long double exact_gelu(long double x) { return x * erfcl(-x * sqrtl(0.5L)) / 2; }
static long double exact_softplus(long double x) { return x > 30 ? x + expl(-x) : log1pl(expl(x)); }

/* What every row means. A row that is not here fails its test. */
static const struct meaning { const char *name; long double (*exact)(long double); } meanings[] = {
	{ "neg", exact_neg }, { "abs", fabsl }, { "sign", exact_sign }, { "relu", exact_relu },
	{ "round", rintl }, { "floor", floorl }, { "ceil", ceill },
	{ "square", exact_square }, { "reciprocal", exact_reciprocal },
	{ "sqrt", sqrtl }, { "rsqrt", exact_rsqrt },
	{ "exp", expl }, { "expm1", expm1l }, { "log", logl }, { "log1p", log1pl },
	{ "tanh", tanhl }, { "sigmoid", exact_sigmoid }, { "silu", exact_silu },
	{ "gelu", exact_gelu }, { "softplus", exact_softplus },
	{ "sin", sinl }, { "cos", cosl }, { "erf", erfl }, { "erfc", erfcl },
};

static const struct meaning *meaning_of(const char *name)
{
	for (size_t i = 0; i < COUNT(meanings); i++)
		if (!strcmp(meanings[i].name, name))
			return &meanings[i];
	fail_msg("fun.def has %s, this test does not know what it means", name);
	return NULL;
}

/* -40 .. 40 with all magnitudes down to 2^-40: where no function leaves the range of double. */
static double moderate(uint64_t *s)
{
	double size = ldexp(40, -(int)(next_random(s) % 45));
	double x = size * (double)(int64_t)next_random(s) * 0x1p-63;

	return x == 0 ? 1 : x;
}

static void test_float64_against_long_double(void **state)
{
	uint64_t s = 1;

	(void)state;
	for (const fun_row *r = widest()->rows; r->name; r++) {
		const struct meaning *m = meaning_of(r->name);

		for (int i = 0; i < 20000; i++) {
			double x = moderate(&s), got;
			long double want = m->exact(x);

			r->map64(&got, &x, 1);
			if (isnan(got) && isnan(want))
				continue;
			if (!(fabsl(got - want) <= 0x1p-40L * fabsl(want) + 0x1p-1060L))
				fail_msg("%s(%a) is %a, want %La", r->name, x, got, want);
		}
	}
}

/* ---- float32 against float64. ---- */

/* Distance in units in the last place of a float of the size of `want`; a result of another kind
 * or sign is infinitely far. Infinity stands for everything from 2^128 on. */
static double ulps(float got, double want)
{
	int e = (int)(fun_as_l(want) >> 52 & 2047) - 1023;
	double scale = fun_as_d((uint64_t)(1023 + 23 - MIN(MAX(e, -126), 127)) << 52);

	if (isnan(want) || isnan(got))
		return isnan(want) && isnan(got) ? 0 : HUGE_VAL;
	if (isinf(want))
		return got == want ? 0 : HUGE_VAL;
	if (!signbit(got) != !signbit(want))
		return HUGE_VAL;
	if (isinf(got))
		return MAX(0x1p128 - fabs(want), 0) * 0x1p-104;
	return fabs((double)got - want) * scale;
}

typedef struct worst { double error; float at; } worst;

static void measure_block(const fun_row *r, const float *in, int n, worst *w)
{
	float out[BLOCK];
	double wide[BLOCK];

	for (int i = 0; i < n; i++)
		wide[i] = in[i];
	r->map(out, in, n);
	r->map64(wide, wide, n);
	for (int i = 0; i < n; i++) {
		double error = ulps(out[i], wide[i]);

		if (error > w->error)
			*w = (worst){ error, in[i] };
	}
}

static void measure_all(const fun_row *r, uint64_t step, worst *w)
{
	float in[BLOCK];

	for (uint64_t bits = 0; bits < 1ull << 32;) {
		int n = 0;

		for (; n < BLOCK && bits < 1ull << 32; bits += step)
			in[n++] = fun_as_f((uint32_t)bits);
		measure_block(r, in, n, w);
	}
}

/* Floats beside 0, infinity and every power of two, and beside halves and multiples of pi / 2. */
static void measure_edges(const fun_row *r, worst *w)
{
	float in[12 * 5];

	for (uint32_t e = 0; e < 256; e++) {
		float bases[12] = { fun_as_f(e << 23), (float)e / 2, (float)e * 0.01f,
			(float)(M_PI_2 * e), (float)(M_PI_2 * (83443 - e)),
			(float)(M_PI_2 * 0x1p100 * e) };
		int n = 0;

		for (int k = 0; k < 6; k++)
			bases[6 + k] = -bases[k];
		for (int k = 0; k < 12; k++)
			for (int d = -2; d <= 2; d++)
				in[n++] = fun_as_f(fun_as_i(bases[k]) + (uint32_t)d);
		measure_block(r, in, n, w);
	}
}

static void test_claimed_errors(void **state)
{
	const char *sweep = getenv("FUN_SWEEP");

	(void)state;
	for (const fun_row *r = widest()->rows; r->name; r++) {
		bool full = sweep && (!strcmp(sweep, "all") || !strcmp(sweep, r->name));
		worst w = { 0, 0 };

		measure_edges(r, &w);
		measure_all(r, full ? 1 : STEP, &w);
		if (full)
			printf("%-12s %.4f ulp at %a\n", r->name, w.error, w.at);
		if (!(w.error <= r->ulp))
			fail_msg("%s(%a) is %a: off by %.4f ulp, its row claims %g", r->name, w.at,
			         r->one(w.at), w.error, r->ulp);
		assert_true(r->ulp <= (strcmp(r->name, "silu") && strcmp(r->name, "gelu") ? 2 : 4));
	}
}

/* ---- The same bits on every instruction set, for any length and place. ---- */

static void compare_isas(int row, const float *in)
{
	float want[BLOCK], got[BLOCK];

	tables[0]->rows[row].map(want, in, BLOCK);
	for (int isa = 1; isa <= (int)cpu_isa_level(); isa++) {
		tables[isa]->rows[row].map(got, in, BLOCK);
		for (int i = 0; i < BLOCK; i++)
			if (!same(got[i], want[i]))
				fail_msg("%s(%a): %a by isa %d, %a by base",
				         tables[0]->rows[row].name, in[i], got[i], isa, want[i]);
	}
}

static void test_bits_do_not_depend_on_isa(void **state)
{
	float in[BLOCK];

	(void)state;
	for (int row = 0; tables[0]->rows[row].name; row++)
		for (uint64_t bits = 0; bits < 1ull << 32;) {
			for (int i = 0; i < BLOCK; i++, bits += 16 * STEP)
				in[i] = fun_as_f((uint32_t)bits);
			compare_isas(row, in);
		}
}

/* Every length from 0 on, in place and not, equals the scalar form and touches nothing else. */
static void test_bits_do_not_depend_on_length(void **state)
{
	enum { MOST = 70 };
	float in[MOST + 1], out[MOST + 1];
	uint64_t s = 2;

	(void)state;
	for (int isa = 0; isa <= (int)cpu_isa_level(); isa++)
		for (const fun_row *r = tables[isa]->rows; r->name; r++)
			for (int n = 0; n <= MOST; n++) {
				for (int i = 0; i <= MOST; i++)
					in[i] = n % 3 ? (float)moderate(&s) : random_float(&s);
				out[n] = 77;
				r->map(out, in, n);
				assert_true(out[n] == 77);
				for (int i = 0; i < n; i++)
					assert_true(same(out[i], r->one(in[i])));
				r->map(in, in, n);
				for (int i = 0; i < n; i++)
					assert_true(same(out[i], in[i]));
			}
}

/* Far arguments of sin and cos sit in a block with near ones. */
static void test_far_lanes(void **state)
{
	float in[BLOCK], s[BLOCK], c[BLOCK];
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < BLOCK; i++)
		in[i] = i % 100 == 42 ? (float)ldexp(moderate(&seed), 100) : (float)moderate(&seed);
	for (int isa = 0; isa <= (int)cpu_isa_level(); isa++)
		for (const fun_row *r = tables[isa]->rows; r->name; r++) {
			if (!strcmp(r->name, "sin"))
				r->map(s, in, BLOCK);
			if (!strcmp(r->name, "cos"))
				r->map(c, in, BLOCK);
		}
	for (int i = 0; i < BLOCK; i++) {
		assert_true(ulps(s[i], sin(in[i])) <= 2);
		assert_true(ulps(c[i], cos(in[i])) <= 2);
	}
}

/* ---- Edges, spelled out. ---- */

static void test_edges(void **state)
{
	static const struct { const char *name; float x, want; } cases[] = {
		{ "sqrt", -1, NAN }, { "sqrt", -0.f, -0.f }, { "rsqrt", 0, INFINITY },
		{ "rsqrt", -1, NAN }, { "rsqrt", INFINITY, 0 }, { "reciprocal", -0.f, -INFINITY },
		{ "exp", INFINITY, INFINITY }, { "exp", -INFINITY, 0 }, { "exp", -0.f, 1 },
		{ "exp", 89, INFINITY }, { "exp", -104, 0 }, { "exp", -103.9f, 0x1p-149f },
		{ "expm1", -INFINITY, -1 }, { "expm1", -0.f, -0.f },
		{ "expm1", INFINITY, INFINITY }, { "expm1", 0x1p-149f, 0x1p-149f },
		{ "log", 0, -INFINITY }, { "log", -0.f, -INFINITY }, { "log", -1, NAN },
		{ "log", 1, 0 }, { "log", INFINITY, INFINITY }, { "log", -INFINITY, NAN },
		{ "log1p", -1, -INFINITY }, { "log1p", -1.5f, NAN }, { "log1p", -0.f, -0.f },
		{ "log1p", INFINITY, INFINITY },
		{ "log1p", -0x1p-149f, -0x1p-149f },
		{ "tanh", -0.f, -0.f }, { "tanh", -INFINITY, -1 }, { "tanh", INFINITY, 1 },
		{ "sigmoid", -INFINITY, 0 }, { "sigmoid", INFINITY, 1 }, { "sigmoid", 0, 0.5f },
		{ "relu", -0.f, 0 }, { "relu", -INFINITY, 0 }, { "relu", 0x1p-149f, 0x1p-149f },
		{ "gelu", -INFINITY, -0.f }, { "gelu", INFINITY, INFINITY }, { "gelu", -0.f, -0.f },
		{ "silu", -INFINITY, -0.f }, { "silu", INFINITY, INFINITY }, { "silu", -0.f, -0.f },
		{ "erf", -INFINITY, -1 }, { "erf", -0.f, -0.f }, { "erfc", INFINITY, 0 },
		{ "erfc", -INFINITY, 2 }, { "sin", -0.f, -0.f }, { "sin", INFINITY, NAN },
		{ "cos", -INFINITY, NAN }, { "cos", 0, 1 }, { "sign", -0.f, 0 },
		{ "sign", -0x1p-149f, -1 }, { "neg", 0, -0.f }, { "abs", -0.f, 0 },
		{ "floor", -0.f, -0.f }, { "floor", -0.5f, -1 },
		{ "ceil", -0.5f, -0.f }, { "round", 2.5f, 2 }, { "round", -0.5f, -0.f },
		{ "round", 0x1.fffffep22f, 0x1p23f }, { "floor", 0x1.fffffep22f, 0x1.fffffcp22f },
		{ "softplus", -INFINITY, 0 }, { "softplus", INFINITY, INFINITY },
	};

	(void)state;
	for (int isa = 0; isa <= (int)cpu_isa_level(); isa++)
		for (const fun_row *r = tables[isa]->rows; r->name; r++) {
			assert_true(isnan(r->one(NAN)));
			assert_true(isnan(r->one(-NAN)));
			assert_true(isnan(r->one(fun_as_f(0x7fffffff))));
			for (size_t i = 0; i < COUNT(cases); i++) {
				float got = r->one(cases[i].x);

				if (!strcmp(cases[i].name, r->name) && !same(got, cases[i].want))
					fail_msg("%s(%a) is %a, want %a", r->name, cases[i].x, got,
					         cases[i].want);
			}
		}
}

/* ---- pow. ---- */

static void check_pow(float x, float y)
{
	float want, got;
	double wide = pow(x, y), error;

	widest()->pow(&got, &x, &y, 1);
	tables[0]->pow(&want, &x, &y, 1);
	error = ulps(got, wide);
	if (!same(got, want) || !(error <= widest()->pow_ulp))
		fail_msg("pow(%a, %a) is %a, by base %a, want %a (%.4f ulp)", x, y, got, want, wide,
		         error);
}

static void test_pow(void **state)
{
	static const float edges[] = {
		0, -0.f, 1, -1, 2, -2, 0.5f, -0.5f, 3, -3, 1.5f, -1.5f, INFINITY, -INFINITY, NAN,
		FLT_MAX, -FLT_MAX, FLT_MIN, 0x1p-149f, -0x1p-149f, 0x1.fffffep23f, -0x1.fffffep23f,
		0x1p24f, 0x1.000002p23f, 0x1.000002p0f, -0x1.000002p0f, 0x1.fffffep-1f,
		-0x1.fffffep-1f, 1e30f, -1e30f,
	};
	uint64_t s = 4;

	(void)state;
	for (size_t i = 0; i < COUNT(edges); i++)
		for (size_t k = 0; k < COUNT(edges); k++)
			check_pow(edges[i], edges[k]);
	for (int i = 0; i < 1000000; i++) {
		float x = random_float(&s);
		double room = 300 * ((double)(next_random(&s) >> 11) * 0x1p-53 - 0.5);

		check_pow(x, random_float(&s));
		check_pow(x, (float)(int)(next_random(&s) % 41) - 20);
		if (x > 0 && x != 1)
			check_pow(x, (float)(room / log2(x)));
	}
}

/* ---- Below the functions. ---- */

static void test_soft_fma(void **state)
{
	uint64_t s = 5;

	(void)state;
	for (int i = 0; i < 5000000; i++) {
		float a = random_float(&s), b = random_float(&s);
		float near = -a * b * (1 + (float)((int)(next_random(&s) % 64) - 32) * 0x1p-25f);
		float c = i % 2 ? random_float(&s) : near;
		float got = fun_fma_soft(a, b, c), want = fmaf(a, b, c);

		if (!same(got, want))
			fail_msg("%a * %a + %a is %a, want %a", a, b, c, got, want);
	}
}

/* Box and Muller: the same bits everywhere, and close to the exact transform of the same words. */
static void test_normal(void **state)
{
	fun_pair got[BLOCK], base[BLOCK];
	uint32_t x[BLOCK], y[BLOCK];
	uint64_t s = 6;

	(void)state;
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < BLOCK; i++) {
			x[i] = i < 4 ? (uint32_t)-(i & 2) : (uint32_t)(next_random(&s) >> 20);
			y[i] = i < 4 ? (uint32_t)-(i & 1) : (uint32_t)(next_random(&s) >> 20);
		}
		tables[0]->normal(base, x, y, BLOCK);
		for (int isa = 0; isa <= (int)cpu_isa_level(); isa++) {
			tables[isa]->normal(got, x, y, BLOCK);
			assert_memory_equal(got, base, sizeof got);
		}
		for (int i = 0; i < BLOCK; i++) {
			double u = fmaf((float)(x[i] >> 1), 0x1p-31f, 0x1p-32f);
			double angle = y[i] * (M_PI * 0x1p-31);
			double radius = sqrt(-2 * log(u)), near = 4e-7 * radius + 1e-9;

			assert_true(fabs(got[i].first - radius * cos(angle)) <= near);
			assert_true(fabs(got[i].second - radius * sin(angle)) <= near);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_float64_against_long_double),
		cmocka_unit_test(test_claimed_errors),
		cmocka_unit_test(test_bits_do_not_depend_on_isa),
		cmocka_unit_test(test_bits_do_not_depend_on_length),
		cmocka_unit_test(test_far_lanes),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_pow),
		cmocka_unit_test(test_soft_fma),
		cmocka_unit_test(test_normal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
