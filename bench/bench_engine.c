/* bench_engine.c: what the frame and the elementwise, copying and indexing kernels cost.
 *
 * Small calls in nanoseconds; large ones in GB/s, counting every byte read and written, beside
 * memcpy of as many bytes. Best of several runs, on one thread and on all. GT_ISA chooses the
 * instruction set.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "engine/engine.h"

#define RUNS 15
#define RUN_NS 2e6             /* length of a run */
#define ELEMENTS_MAX (1 << 22)

typedef struct bench_case {
	const char *name;
	op code;
	int64_t dims[2];
	enum { PLAIN, TRANSPOSED, BIAS, COLUMN, SINGLE } second;    /* layout of the last input */
	gt_dtype dtype;
} bench_case;

static const bench_case small[] = {
	{ "add 16", OP_add, { 1, 16 }, PLAIN, GT_FLOAT32 },
	{ "add 16 + scalar", OP_add, { 1, 16 }, SINGLE, GT_FLOAT32 },
	{ "relu 16", OP_relu, { 1, 16 }, PLAIN, GT_FLOAT32 },
	{ "exp 16", OP_exp, { 1, 16 }, PLAIN, GT_FLOAT32 },
	{ "clone 16", OP_clone, { 1, 16 }, PLAIN, GT_FLOAT32 },
	{ "add 16 x 32 + 32", OP_add, { 16, 32 }, BIAS, GT_FLOAT32 },
	{ "add 16 x 10 + 10", OP_add, { 16, 10 }, BIAS, GT_FLOAT32 },
	{ "mul 16 x 10 * 16 x 1", OP_mul, { 16, 10 }, COLUMN, GT_FLOAT32 },
	{ "add 32 x 32", OP_add, { 32, 32 }, PLAIN, GT_FLOAT32 },
	{ "add 64 x 64", OP_add, { 64, 64 }, PLAIN, GT_FLOAT32 },
	{ "tanh 64 x 64", OP_tanh, { 64, 64 }, PLAIN, GT_FLOAT32 },
	{ "clone 64 x 64 T", OP_clone, { 64, 64 }, TRANSPOSED, GT_FLOAT32 },
	{ "add 64 x 64 + T", OP_add, { 64, 64 }, TRANSPOSED, GT_FLOAT32 },
	{ "add 64 x 1024", OP_add, { 64, 1024 }, PLAIN, GT_FLOAT32 },
	{ "gt 64 x 1024", OP_gt, { 64, 1024 }, PLAIN, GT_FLOAT32 },
	{ "where 64 x 1024", OP_where, { 64, 1024 }, PLAIN, GT_FLOAT32 },
	{ "where 64 x 1024, scalar", OP_where, { 64, 1024 }, SINGLE, GT_FLOAT32 },
	{ "clamp 64 x 1024", OP_clamp, { 64, 1024 }, PLAIN, GT_FLOAT32 },
};

static const bench_case large[] = {
	{ "neg", OP_neg, { 1024, 1024 }, PLAIN, GT_FLOAT32 },
	{ "add", OP_add, { 1024, 1024 }, PLAIN, GT_FLOAT32 },
	{ "add scalar", OP_add, { 1024, 1024 }, SINGLE, GT_FLOAT32 },
	{ "add bias", OP_add, { 1024, 1024 }, BIAS, GT_FLOAT32 },
	{ "add 3 columns", OP_add, { 349525, 3 }, BIAS, GT_FLOAT32 },
	{ "add transposed", OP_add, { 1024, 1024 }, TRANSPOSED, GT_FLOAT32 },
	{ "clone", OP_clone, { 1024, 1024 }, PLAIN, GT_FLOAT32 },
	{ "transpose", OP_clone, { 1024, 1024 }, TRANSPOSED, GT_FLOAT32 },
	{ "transpose 1000", OP_clone, { 1000, 1000 }, TRANSPOSED, GT_FLOAT32 },
	{ "transpose 64 bit", OP_clone, { 1024, 1024 }, TRANSPOSED, GT_FLOAT64 },
	{ "exp", OP_exp, { 1024, 1024 }, PLAIN, GT_FLOAT32 },
	{ "gelu", OP_gelu, { 1024, 1024 }, PLAIN, GT_FLOAT32 },
	{ "lt", OP_lt, { 1024, 1024 }, PLAIN, GT_FLOAT32 },
	{ "to int64", OP_cast, { 1024, 1024 }, PLAIN, GT_FLOAT32 },
	{ "add int64", OP_add, { 1024, 1024 }, PLAIN, GT_INT64 },
	{ "mod", OP_mod, { 1024, 1024 }, PLAIN, GT_FLOAT32 },
	{ "pow", OP_pow, { 1024, 1024 }, PLAIN, GT_FLOAT32 },
};

/* ---- A call and its time. ---- */

static engine *engines[2];             /* one thread, all */
enum { INPUTS = 3, RESULT = INPUTS };
static char *memory[RESULT + 1];

typedef struct call {
	struct { ins head; uint64_t tail[4]; } i;
	view in[INPUTS], out;
	kcall c;
	kernel *k;
} call;

static view make_view(char *data, gt_dtype dtype, int64_t rows, int64_t cols)
{
	view v = { .data = data, .m = { .dtype = dtype, .rank = 2, .dims = { rows, cols } },
		.strides = { cols, 1 }, .contiguous = true };

	return v;
}

static view last_input(const bench_case *b, char *data)
{
	view v = make_view(data, b->dtype, b->dims[0], b->dims[1]);

	switch (b->second) {
	case PLAIN:
		break;
	case TRANSPOSED:
		v.strides[0] = 1;
		v.strides[1] = b->dims[0];
		v.contiguous = false;
		break;
	case BIAS:
		return make_view(data, b->dtype, 1, b->dims[1]);
	case COLUMN:
		return make_view(data, b->dtype, b->dims[0], 1);
	case SINGLE:
		v.m.rank = 0;
		break;
	}
	return v;
}

static gt_dtype input_dtype(const bench_case *b, int k)
{
	return b->code == OP_where && k == 0 ? GT_BOOL : b->dtype;
}

static gt_dtype result_dtype(const bench_case *b)
{
	if (b->code == OP_cast)
		return GT_INT64;
	return op_rows[b->code].result == RESULT_bool ? GT_BOOL : b->dtype;
}

static void prepare(call *x, const bench_case *b, const engine *e)
{
	int nin = op_rows[b->code].nin;

	*x = (call){ .i.head = { .op = (uint16_t)b->code, .nin = (uint8_t)nin } };
	x->out = make_view(memory[RESULT], result_dtype(b), b->dims[0], b->dims[1]);
	for (int k = 0; k < nin; k++) {
		x->in[k] = k == nin - 1 ? last_input(b, memory[k]) :
			make_view(memory[k], input_dtype(b, k), b->dims[0], b->dims[1]);
		x->c.in[k] = &x->in[k];
	}
	x->c.i = &x->i.head;
	x->c.out = &x->out;
	x->c.engine = e;
	x->k = e->kernels[b->code];
}

static void copy_memory(void *ctx)
{
	memcpy(memory[RESULT], memory[0], *(size_t *)ctx);
}

static void run_call(void *ctx)
{
	call *x = ctx;

	x->k(&x->c);
}

/* Best time of one call, in nanoseconds. */
static double measure(void (*body)(void *ctx), void *ctx)
{
	double best = 1e30;
	int64_t repeats = 1;

	for (int run = 0; run < RUNS; run++) {
		uint64_t start = clock_ns();
		double ns;

		for (int64_t n = 0; n < repeats; n++)
			body(ctx);
		ns = (double)(clock_ns() - start) / (double)repeats;
		best = MIN(best, ns);
		repeats = MAX((int64_t)(RUN_NS / best), 1);
	}
	return best;
}

/* ---- The lines. ---- */

static int64_t bytes_of(const view *v)
{
	return meta_count(&v->m) * (int64_t)dtype_size(v->m.dtype);
}

static void fill_inputs(gt_dtype dtype)
{
	for (int64_t n = 0; n < ELEMENTS_MAX; n++)
		for (int k = 0; k < INPUTS; k++)
			engine_scalar(KIND_FLOAT,
				(scalar){ .f = (double)((n * 7 + k * 5) % 23) / 4 + 1 },
				dtype, memory[k] + n * (int64_t)dtype_size(dtype));
}

static void print_small(void)
{
	printf("%-24s%12s\n", "small calls", "ns");
	fill_inputs(GT_FLOAT32);
	for (size_t n = 0; n < COUNT(small); n++) {
		call x;

		prepare(&x, &small[n], engines[0]);
		printf("%-24s%12.1f\n", small[n].name, measure(run_call, &x));
	}
}

static void print_large(void)
{
	printf("\n%-24s%12s%12s%12s%12s\n", "2^20 elements", "GB/s", "of memcpy", "all threads",
		"ns/element");
	for (size_t n = 0; n < COUNT(large); n++) {
		call x;
		double ns[2], bytes, copied;
		size_t half;

		fill_inputs(large[n].dtype);
		for (int t = 0; t < 2; t++) {
			prepare(&x, &large[n], engines[t]);
			ns[t] = measure(run_call, &x);
		}
		bytes = (double)bytes_of(&x.out);
		for (int k = 0; k < x.i.head.nin; k++)
			bytes += (double)bytes_of(&x.in[k]);
		half = (size_t)bytes / 2;
		copied = measure(copy_memory, &half);
		printf("%-24s%12.1f%12.2f%12.1f%12.3f\n", large[n].name, bytes / ns[0],
			copied / ns[0], bytes / ns[1], ns[0] / (double)meta_count(&x.out.m));
	}
}

static void allocate(void *ctx)
{
	storage_drop(storage_new(ctx, 4096));
}

static void nothing(void *ctx, int64_t k)
{
	(void)ctx, (void)k;
}

static void start_pool(void *ctx)
{
	pool_run(ctx, 2, nothing, NULL);
}

int main(void)
{
	if (engine_open(ENGINE_CPU, 1, UINT64_MAX, &engines[0]) ||
	    engine_open(ENGINE_CPU, MAX(cpu_cores(), 2), UINT64_MAX, &engines[1]))
		return 1;
	for (int k = 0; k <= RESULT; k++)
		memory[k] = storage_new(engines[0]->memory, ELEMENTS_MAX * sizeof(int64_t))->data;
	printf("%-24s%12.1f\n", "new and drop, ns", measure(allocate, engines[0]->memory));
	printf("%-24s%12.1f\n", "pool_run, awake, ns", measure(start_pool, engines[1]->pool));
	print_small();
	print_large();
	engine_close(engines[0]);
	engine_close(engines[1]);
	return 0;
}
