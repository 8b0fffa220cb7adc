/* bench_fun.c: nanoseconds an element of every scalar function and of random numbers, for each
 * instruction set that this machine has; best of several runs over 4,096 elements in the cache. */
#include <stdio.h>
#include <time.h>

#include "base/base.h"
#include "base/cpu.h"
#include "engine/random.h"
#include "isa_fun.h"

enum { N = 4096, TIMES = 50, RUNS = 20 };

static const fun_table *const tables[] = { &fun_table_base, &fun_table_avx2, &fun_table_avx512 };
static const random_rows *const randoms[] = {
	&random_rows_base, &random_rows_avx2, &random_rows_avx512,
};

static float in[N], exponent[N], out[N];
static double in64[N], out64[N];
static int64_t whole[N];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* What is measured: body(isa, row) handles N elements. */
typedef void body(int isa, int row);

static double best(body *b, int isa, int row)
{
	double least = 1e30;

	for (int run = 0; run < RUNS; run++) {
		double start = now();

		for (int i = 0; i < TIMES; i++)
			b(isa, row);
		least = MIN(least, (now() - start) / TIMES / N);
	}
	return least;
}

static void line(const char *name, body *b, int row)
{
	printf("%-14s", name);
	for (int isa = 0; isa <= (int)cpu_isa_level(); isa++)
		printf("%10.3f", best(b, isa, row));
	putchar('\n');
	fflush(stdout);
}

static void run_map(int isa, int row) { tables[isa]->rows[row].map(out, in, N); }
static void run_map64(int isa, int row) { tables[isa]->rows[row].map64(out64, in64, N); }

static void run_pow(int isa, int row)
{
	(void)row;
	tables[isa]->pow(out, in, exponent, N);
}

static void run_randn(int isa, int row) { randoms[isa]->normal_f32(out, 0, N, 1, (uint64_t)row); }
static void run_rand(int isa, int row) { randoms[isa]->uniform_f32(out, 0, N, 1, (uint64_t)row); }

static void run_randn64(int isa, int row)
{
	randoms[isa]->normal_f64(out64, 0, N, 1, (uint64_t)row);
}

static void run_rand64(int isa, int row)
{
	randoms[isa]->uniform_f64(out64, 0, N, 1, (uint64_t)row);
}

static void run_randint(int isa, int row)
{
	randoms[isa]->integer_i64(whole, 0, N, 1, (uint64_t)row, -5, 1000);
}

int main(void)
{
	random_rows_base.uniform_f32(in, 0, N, 7, 0);
	random_rows_base.normal_f32(exponent, 0, N, 7, 1);
	for (int i = 0; i < N; i++) {
		in[i] = in[i] * 8 + 0x1p-10f;
		in64[i] = in[i];
	}
	printf("ns an element       base      avx2    avx512\n");
	line("randn", run_randn, 0);
	line("rand", run_rand, 0);
	line("randn f64", run_randn64, 0);
	line("rand f64", run_rand64, 0);
	line("randint i64", run_randint, 0);
	for (int row = 0; tables[0]->rows[row].name; row++)
		line(tables[0]->rows[row].name, run_map, row);
	line("pow", run_pow, 0);
	for (int row = 0; tables[0]->rows[row].name; row++) {
		char name[32];

		snprintf(name, sizeof name, "%s f64", tables[0]->rows[row].name);
		line(name, run_map64, row);
	}
	return 0;
}
