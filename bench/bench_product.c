/* bench_product.c: the matmul row against one call of OpenBLAS, or of another library that has
 * cblas_sgemm, on the whole product, one thread each, for all four combinations of transposed
 * operands; then two threads. Best of several runs, in GFLOP/s.
 *
 *   bench_product [M N K]...     the sizes below, or only these
 *   BLAS=libblis.so.4 bench_product
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"
#include "base/clock.h"
#include "engine/product.h"
#include "engine/rows.h"

enum { RUNS = 12, RUN_NS = 3000000 };

static const int64_t sizes[][3] = {   /* m, n, k */
	{16, 16, 16}, {32, 32, 32}, {48, 48, 48}, {64, 64, 64}, {96, 96, 96}, {128, 128, 128},
		{256, 256, 256}, {320, 320, 320},
	{512, 512, 512}, {1024, 1024, 1024}, {512, 4096, 1024}, {512, 1024, 4096},
		{4096, 1024, 512}, {1024, 4096, 512}, {1024, 128, 1024},
	/* a small network, batch 16; then 784-256-10, batch 128 */
	{16, 64, 32}, {16, 32, 64}, {16, 10, 32}, {32, 10, 16}, {64, 10, 128},
	{128, 256, 784}, {784, 256, 128}, {128, 10, 256}, {256, 10, 128}, {128, 256, 10},
	{1, 64, 64}, {64, 1, 64}, {1, 1024, 1024}, {1024, 1, 1024}, {1, 1, 4096}, {8, 1024, 1024},
		{64, 1024, 1024},
	{200, 1024, 1024}, {1024, 64, 1024}, {64, 64, 8192},
};

static float *make(int64_t n)
{
	float *x = aligned_alloc(64, ALIGN_UP((size_t)n * sizeof(float), 64));

	for (int64_t k = 0; k < n; k++)
		x[k] = (float)rand() / (float)RAND_MAX - 0.5f;
	return x;
}

static view make_view(float *data, int64_t rows, int64_t columns, bool transposed)
{
	view v = {.data = data, .m = {.dtype = GT_FLOAT32, .rank = 2, .dims = {rows, columns}},
		.strides = {transposed ? 1 : columns, transposed ? rows : 1},
				.contiguous = !transposed};
	return v;
}

typedef struct call { const engine *e; kcall c; const int64_t *size; bool ta, tb; } call;

static void run_row(const call *x)
{
	if (x->e->kernels[OP_matmul](&x->c) != GT_OK) {
		fprintf(stderr, "%s\n", gt_last_error());
		exit(1);
	}
}

/* From the C interface of BLAS. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111 };

static void (*sgemm)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a,
		int lda, const float *b, int ldb, float beta, float *c, int ldc);

static void load_blas(void)
{
	const char *name = getenv("BLAS");
	void *library;

	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	library = dlopen(name ? name : "libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	if (library)
		sgemm = (__typeof__(sgemm))dlsym(library, "cblas_sgemm");
	if (!sgemm) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
}

static void run_blas(const call *x)
{
	int m = (int)x->size[0], n = (int)x->size[1], k = (int)x->size[2];

	sgemm(ROW_MAJOR, NO_TRANSPOSE + x->ta, NO_TRANSPOSE + x->tb, m, n, k, 1,
			x->c.in[0]->data, x->ta ? m : k, x->c.in[1]->data, x->tb ? k : n, 0,
			x->c.out->data, n);
}

static double measure(void (*run)(const call *x), const call *x)
{
	double best = 1e30;
	int64_t times = 1;

	for (int r = 0; r < RUNS; r++) {
		uint64_t start = clock_ns();
		double ns;

		for (int64_t t = 0; t < times; t++)
			run(x);
		ns = (double)(clock_ns() - start) / (double)times;
		best = MIN(best, ns);
		times = MAX(1, (int64_t)(RUN_NS / best));
	}
	return best;
}

static void run_size(const int64_t *size, const engine *one, const engine *two)
{
	int64_t m = size[0], n = size[1], k = size[2];
	double flops = 2.0 * (double)m * (double)n * (double)k;
	float *a = make(m * k), *b = make(k * n), *out = make(m * n);
	ins_room room;
	ins *i = ins_init(&room, OP_matmul, 3);

	ins_put_input(i, 1);
	ins_put_input(i, 2);
	printf("%5lld %5lld %5lld", (long long)m, (long long)n, (long long)k);
	for (int flags = 0; flags < 4; flags++) {
		bool ta = flags & 1, tb = flags >> 1;
		view va = make_view(a, m, k, ta), vb = make_view(b, k, n, tb);
		view vo = make_view(out, m, n, false);
		call x = {.e = one, .c = {.i = i, .in = {&va, &vb}, .out = &vo, .engine = one},
			.size = size, .ta = ta, .tb = tb};
		double row = measure(run_row, &x), blas = measure(run_blas, &x), shared;

		x.e = x.c.engine = two;
		shared = measure(run_row, &x);
		printf(" | %c%c %9.0f ns %4.0f, blas %4.0f, two %4.0f", ta ? 'T' : 'N',
				tb ? 'T' : 'N', row, flops / row, flops / blas, flops / shared);
	}
	putchar('\n');
	fflush(stdout);
	free(a);
	free(b);
	free(out);
}

int main(int argc, char **argv)
{
	engine *one, *two;

	load_blas();
	engine_open(ENGINE_CPU, 1, UINT64_MAX, &one);
	engine_open(ENGINE_CPU, 2, UINT64_MAX, &two);
	printf("    m     n     k | flags, time; GFLOP/s: row, BLAS, row on two threads\n");
	for (int k = 1; k + 2 < argc; k += 3)
		run_size((int64_t[]){atoll(argv[k]), atoll(argv[k + 1]), atoll(argv[k + 2])}, one,
				two);
	for (size_t s = 0; argc < 4 && s < COUNT(sizes); s++)
		run_size(sizes[s], one, two);
	engine_close(one);
	engine_close(two);
	return 0;
}
