/* bench_behind.c: kernels behind products, on each piece of them, against the product and then the
 * kernel, by one thread and by two. Minima of rounds that take turns, in microseconds.
 *
 *	product     alone
 *	apart       product, then kernel
 *	behind      on its pieces, to memory of its own
 *	in place    the same to the product's memory, where the kernel may
 *	whole rows  on pieces of whole rows
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/group/group_make.h"
#include "base/base.h"
#include "base/clock.h"
#include "cache/image.h"
#include "cache/plugin.h"
#include "engine/product.h"
#include "group/helpers.h"

enum { ROUNDS = 15, ROUND_NS = 1500000, ARGS = 8, CHUNK_BYTES = POOL_GRAIN_BYTES };

static const codegen *generator;

/* ---- Groups: argument 0 is the product. ---- */

static void make_relu(group *g)
{
	make_store(g, make_op(g, OP_relu, make_load(g, GT_FLOAT32, ACCESS_RUN), 0, 0), ACCESS_RUN);
}

static int add_bias(group *g)
{
	int x = make_load(g, GT_FLOAT32, ACCESS_RUN), b = make_load(g, GT_FLOAT32, ACCESS_RUN);

	g->args[b].fixed = true;
	return make_op(g, OP_add, x, b, 0);
}

static void make_bias_relu(group *g)
{
	make_store(g, make_op(g, OP_relu, add_bias(g), 0, 0), ACCESS_RUN);
}

static void make_bias_gelu(group *g)
{
	make_store(g, make_op(g, OP_gelu, add_bias(g), 0, 0), ACCESS_RUN);
}

static void make_mask(group *g)
{
	int dy = make_load(g, GT_FLOAT32, ACCESS_RUN), x = make_load(g, GT_FLOAT32, ACCESS_RUN);
	int mask = make_cast(g, GT_FLOAT32, make_op(g, OP_gt, x, make_scalar(g, GT_FLOAT32), 0));

	make_store(g, make_op(g, OP_mul, dy, mask, 0), ACCESS_RUN);
}

/* And the bias gradient. */
static void make_mask_sum(group *g)
{
	int dy = make_load(g, GT_FLOAT32, ACCESS_RUN), x = make_load(g, GT_FLOAT32, ACCESS_RUN);
	int mask = make_cast(g, GT_FLOAT32, make_op(g, OP_gt, x, make_scalar(g, GT_FLOAT32), 0));
	int dx = make_op(g, OP_mul, dy, mask, 0);

	make_store(g, dx, ACCESS_RUN);
	make_store(g, make_reduce(g, OP_sum, dx), ACCESS_RUN);
	g->args[g->args_count - 1].fixed = true;
}

static void make_softmax(group *g)
{
	make_store(g, make_softmax_of(g, make_load(g, GT_FLOAT32, ACCESS_RUN)), ACCESS_RUN);
}

/* ---- A product and a kernel. ---- */

typedef struct work {
	group g;
	image code;
	engine *e;
	int64_t m, n, k;
	bool flat;
	view a, b, p;
	kernel_arg args[ARGS];
	float *own[ARGS];
	uint64_t scalars[GROUP_SCALARS];
	int64_t size;                    /* rows or columns of a piece of the kernel alone */
	int64_t each;
	ins_room room;                   /* the last: it has no end of its own */
} work;

static float *numbers(int64_t n)
{
	float *x = aligned_alloc(64, ALIGN_UP((size_t)n * sizeof *x, 64));

	for (int64_t k = 0; k < n; k++)
		x[k] = (float)rand() / (float)RAND_MAX - 0.5f;
	return x;
}

static void on_piece(void *ctx, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
	const work *w = ctx;
	const bool flat = w->flat && columns == w->n;
	kernel_arg args[ARGS];
	kernel_call c = { flat ? 1 : rows, flat ? rows * columns : columns, args, w->scalars,
		helpers };

	for (int k = 0; k < w->g.args_count; k++) {
		args[k] = w->args[k];
		args[k].data = (char *)args[k].data + row * args[k].row + column * 4;
	}
	w->code.run(&c);
}

static void on_share(void *ctx, int64_t k)
{
	const work *w = ctx;
	const int64_t from = k * w->size;

	if (w->g.mode == GROUP_COLS)
		on_piece(ctx, 0, w->m, from, MIN(w->size, w->n - from));
	else
		on_piece(ctx, from, MIN(w->size, w->m - from), 0, w->n);
}

static void run(work *w, const product_after *after)
{
	kcall c = { .i = &w->room.head, .in = { &w->a, &w->b }, .out = &w->p, .engine = w->e,
		.after = after };

	if (product_run(&c)) {
		fprintf(stderr, "%s\n", gt_last_error());
		exit(1);
	}
}

static void run_product(work *w) { run(w, NULL); }

/* As a launch of the kernel alone would have it. */
static void run_apart(work *w)
{
	int64_t bytes = 4 * w->m * w->n * w->g.args_count;
	int64_t length = w->g.mode == GROUP_COLS ? w->n : w->m, pieces = 1;

	run(w, NULL);
	if (pool_worth(w->e->pool, bytes))
		pieces = (bytes + CHUNK_BYTES - 1) / CHUNK_BYTES;
	w->size = (length + pieces - 1) / pieces;
	if (w->g.mode == GROUP_COLS)
		w->size = ALIGN_UP(w->size, 64);
	pool_run(w->e->pool, (length + w->size - 1) / w->size, on_share, w);
}

static void run_behind(work *w)
{
	run(w, &(product_after){ on_piece, w, w->g.mode == GROUP_ROWS, w->g.mode == GROUP_COLS,
		w->each });
}

static void run_in_place(work *w)
{
	void *out = w->args[w->g.args_count - 1].data;

	w->args[w->g.args_count - 1].data = w->p.data;
	run_behind(w);
	w->args[w->g.args_count - 1].data = out;
}

static void run_rows(work *w)
{
	run(w, &(product_after){ on_piece, w, true, false, w->each });
}

/* ---- Measuring. ---- */

static void (*const ways[])(work *w) = { run_product, run_apart, run_behind, run_in_place,
	run_rows };
enum { WAYS = COUNT(ways) };

static void measure(work *w, double *best)
{
	int64_t times[WAYS];

	for (int k = 0; k < WAYS; k++) {
		times[k] = 1;
		best[k] = 1e30;
	}
	for (int r = 0; r < ROUNDS; r++)
		for (int k = 0; k < WAYS; k++) {
			uint64_t start = clock_ns();
			double ns;

			if ((k == 3 && w->g.mode) || (k == 4 && w->g.mode == GROUP_COLS))
				continue;
			for (int64_t t = 0; t < times[k]; t++)
				ways[k](w);
			ns = (double)(clock_ns() - start) / (double)times[k];
			best[k] = MIN(best[k], ns);
			times[k] = MAX(1, (int64_t)(ROUND_NS / best[k]));
		}
}

static view matrix(int64_t rows, int64_t columns)
{
	view v = { .data = numbers(rows * columns), .contiguous = true,
		.m = { .dtype = GT_FLOAT32, .rank = 2, .dims = { rows, columns } } };

	shape_contiguous(&v.m, v.strides);
	return v;
}

static void start(work *w, void (*make)(group *g), group_mode mode)
{
	codegen_options o = { .isa = cpu_isa_level() };
	buf b = { 0 };
	ins *i = ins_init(&w->room, OP_matmul, 3);

	ins_put_input(i, 1);
	ins_put_input(i, 2);
	make_start(&w->g, mode);
	make(&w->g);
	w->a = matrix(w->m, w->k);
	w->b = matrix(w->k, w->n);
	w->p = matrix(w->m, w->n);
	w->flat = mode == GROUP_ELEMENT;
	for (int k = 0; k < w->g.args_count; k++) {
		w->own[k] = k ? numbers(w->m * w->n) : NULL;
		w->args[k] = (kernel_arg){ k ? w->own[k] : w->p.data,
			w->g.args[k].fixed ? 0 : 4 * w->n, 0 };
		w->flat = w->flat && !w->g.args[k].fixed;
	}
	if (generator->compile(&w->g, &o, &b, NULL, NULL) || image_map(b.data, b.size, &w->code)) {
		fprintf(stderr, "%s%s\n", generator->error(), gt_last_error());
		exit(1);
	}
	buf_fini(&b);
}

typedef struct bench_case {
	const char *name;
	void (*make)(group *g);
	group_mode mode;
	int64_t each;            /* see product_after */
	int64_t m, n, k;
} bench_case;

static const bench_case cases[] = {
	{ "relu", make_relu, GROUP_ELEMENT, 5, 256, 256, 256 },
	{ "bias relu", make_bias_relu, GROUP_ELEMENT, 9, 128, 256, 784 },
	{ "mask", make_mask, GROUP_ELEMENT, 11, 128, 256, 10 },
	{ "mask and sum", make_mask_sum, GROUP_COLS, 13, 128, 256, 10 },
	{ "bias relu", make_bias_relu, GROUP_ELEMENT, 9, 512, 4096, 1024 },
	{ "mask", make_mask, GROUP_ELEMENT, 11, 512, 4096, 1024 },
	{ "mask and sum", make_mask_sum, GROUP_COLS, 13, 512, 4096, 1024 },
	{ "bias gelu", make_bias_gelu, GROUP_ELEMENT, 43, 256, 512, 128 },
	{ "bias relu", make_bias_relu, GROUP_ELEMENT, 9, 256, 128, 512 },
	{ "bias relu", make_bias_relu, GROUP_ELEMENT, 9, 16, 64, 32 },
	{ "bias relu", make_bias_relu, GROUP_ELEMENT, 9, 64, 32, 64 },
	{ "softmax", make_softmax, GROUP_ROWS, 56, 1024, 64, 32 },
	{ "softmax", make_softmax, GROUP_ROWS, 56, 256, 128, 128 },
	{ "softmax", make_softmax, GROUP_ROWS, 56, 256, 256, 256 },
	{ "softmax", make_softmax, GROUP_ROWS, 56, 256, 480, 256 },
	{ "softmax", make_softmax, GROUP_ROWS, 56, 128, 10, 256 },
};

static void run_case(const bench_case *c, engine *e)
{
	work *w = calloc(1, sizeof *w);
	double best[WAYS];

	w->each = c->each;
	w->m = c->m;
	w->n = c->n;
	w->k = c->k;
	w->e = e;
	start(w, c->make, c->mode);
	measure(w, best);
	printf("%d %-13s %4lld x %4lld x %4lld", pool_threads(e->pool), c->name,
		(long long)c->m, (long long)c->n, (long long)c->k);
	for (int k = 0; k < WAYS; k++)
		if (best[k] < 1e29)
			printf(" %9.2f", best[k] / 1e3);
		else
			printf(" %9s", "");
	printf("   %.3f\n", MIN(best[2], best[3]) / best[1]);
	fflush(stdout);
	for (int k = 0; k < ARGS; k++)
		free(w->own[k]);
	free(w->a.data);
	free(w->b.data);
	free(w->p.data);
	image_unmap(&w->code);
	free(w);
}

int main(void)
{
	engine *e[2];

	if (plugin_open(&generator)) {
		fprintf(stderr, "%s\n", gt_last_error());
		return 77;
	}
	engine_open(ENGINE_CPU, 1, UINT64_MAX, &e[0]);
	engine_open(ENGINE_CPU, 2, UINT64_MAX, &e[1]);
	printf("%-34s %9s %9s %9s %9s %9s   behind/apart\n", "threads, kernel, m x n x k", "product",
		"apart", "behind", "in place", "rows");
	for (int t = 0; t < 2; t++)
		for (size_t k = 0; k < COUNT(cases); k++)
			run_case(&cases[k], e[t]);
	engine_close(e[0]);
	engine_close(e[1]);
	return 0;
}
