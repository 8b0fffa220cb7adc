/* bench_reduce.c: time of reductions and composites, for each instruction set and for one and two
 * threads; best of several runs, inputs in the cache where they fit.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"
#include "base/clock.h"
#include "engine/rows.h"

enum { RUNS = 15, RUN_NS = 2000000 };

typedef struct row {
	op code;
	int rank;
	int64_t dims[3];
	unsigned axes;       /* for softmax and log_softmax, one bit: the axis */
	bool transposed;     /* the last two dims, in memory */
} row;

#define RANK(...) COUNT(((int64_t[]){__VA_ARGS__}))
#define ROW(code, axes, ...) {OP_##code, RANK(__VA_ARGS__), {__VA_ARGS__}, axes, false}
#define TURNED(code, axes, ...) {OP_##code, RANK(__VA_ARGS__), {__VA_ARGS__}, axes, true}
static const row rows[] = {
	ROW(sum, 1, 16), ROW(sum, 3, 64, 64), ROW(sum, 2, 64, 64), ROW(sum, 1, 64, 64),
	ROW(sum, 1, 16, 10), TURNED(sum, 3, 64, 64), ROW(sum, 3, 32, 32),
	ROW(sum, 1, 1 << 20), ROW(sum, 1, 1 << 24),
	ROW(sum, 2, 1024, 1024), ROW(sum, 1, 1024, 1024), TURNED(sum, 2, 1024, 1024),
	ROW(sum, 5, 32, 100, 320), ROW(sum, 2, 32, 100, 320), ROW(sum, 1, 100000, 8),
	ROW(max, 2, 64, 64), ROW(max, 2, 512, 1024), ROW(argmax, 2, 128, 10),
	ROW(argmax, 2, 512, 1024), ROW(argmax, 1, 1024, 512),
	ROW(mean, 3, 16, 10), ROW(mean, 3, 64, 64), ROW(mean, 2, 512, 1024),
	ROW(var, 2, 512, 1024), ROW(var, 1, 512, 1024), ROW(logsumexp, 2, 16, 10),
	ROW(logsumexp, 2, 512, 1024), ROW(softmax, 2, 16, 10), ROW(softmax, 2, 64, 64),
	ROW(softmax, 2, 512, 1024), ROW(softmax, 1, 512, 1024), ROW(softmax, 2, 64, 50000),
	ROW(log_softmax, 2, 16, 10), ROW(log_softmax, 2, 128, 10), ROW(log_softmax, 2, 512, 1024),
	ROW(layer_norm, 2, 64, 64), ROW(layer_norm, 2, 512, 1024),
};

static view make_view(const row *r)
{
	view v = {.m = {.dtype = GT_FLOAT32, .rank = (uint8_t)r->rank}};
	int64_t n;
	float *x;

	memcpy(v.m.dims, r->dims, sizeof r->dims);
	shape_contiguous(&v.m, v.strides);
	if (r->transposed) {
		v.strides[r->rank - 1] = r->dims[r->rank - 2];
		v.strides[r->rank - 2] = 1;
	}
	v.contiguous = !r->transposed;
	n = meta_count(&v.m);
	v.data = x = aligned_alloc(64, ALIGN_UP((size_t)n * sizeof(float), 64));
	for (int64_t k = 0; k < n; k++)
		x[k] = (float)rand() / (float)RAND_MAX - 0.5f;
	return v;
}

static ins *make_ins(const row *r, ins_room *room)
{
	ins *i = ins_init(room, r->code, 2);

	if (op_rows[r->code].attrs & ATTR_AXIS)
		i->attr.axis = (uint8_t)__builtin_ctz(r->axes);
	else
		i->attr.axes = (uint8_t)r->axes;
	ins_put_input(i, 1);
	if (op_rows[r->code].nin == 2)
		ins_put_scalar(i, KIND_FLOAT, (scalar){.f = r->code == OP_var ? 1 : 1e-5});
	return i;
}

static double measure(const engine *e, const kcall *c)
{
	kernel *k = e->kernels[c->i->op];
	double best = 1e30;
	int64_t times = 1;

	for (int run = 0; run < RUNS; run++) {
		uint64_t start = clock_ns();
		double ns;

		for (int64_t t = 0; t < times; t++)
			if (k(c) != GT_OK) {
				fprintf(stderr, "%s\n", gt_last_error());
				exit(1);
			}
		ns = (double)(clock_ns() - start) / (double)times;
		best = MIN(best, ns);
		times = MAX(1, (int64_t)(RUN_NS / best));
	}
	return best;
}

static void run_row(const row *r, engine *const *engines, int count)
{
	ins_room room;
	view x = make_view(r), out = {.contiguous = true}, second = {.contiguous = true};
	float number = r->code == OP_var ? 1 : 1e-5f;
	const meta *metas[2] = {&x.m, NULL};
	kcall c = {.i = make_ins(r, &room), .in = {&x, &second}, .out = &out};
	char text[64];

	if (shape_infer(c.i, metas, &out.m) != GT_OK)
		exit(1);
	second.data = &number;
	second.m.dtype = GT_FLOAT32;
	shape_contiguous(&out.m, out.strides);
	out.data = aligned_alloc(64, ALIGN_UP((size_t)meta_count(&out.m) * 8, 64));
	printf("%-12s %-22s%s axes %x ", op_rows[r->code].name, meta_text(&x.m, text, sizeof text),
			r->transposed ? ".T" : "  ", r->axes);
	for (int k = 0; k < count; k++) {
		c.engine = engines[k];
		printf("%13.0f", measure(engines[k], &c));
	}
	putchar('\n');
	fflush(stdout);
	free(x.data);
	free(out.data);
}

int main(void)
{
	static const char *const names[] = {"base", "avx2", "avx512"};
	engine *engines[ISA_COUNT + 1];
	int count = 0;

	printf("%-44s", "ns a call");
	for (int level = 0; level <= (int)cpu_isa_level(); level++) {
		engine_open(ENGINE_CPU, 1, UINT64_MAX, &engines[count]);
		engine_rows(engines[count++]->kernels, (cpu_isa)level);
		printf("%13s", names[level]);
	}
	engine_open(ENGINE_CPU, 2, UINT64_MAX, &engines[count++]);
	printf("%13s\n", "two threads");
	for (size_t k = 0; k < COUNT(rows); k++)
		run_row(&rows[k], engines, count);
	while (count > 0)
		engine_close(engines[--count]);
	return 0;
}
