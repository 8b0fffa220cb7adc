/* bench_codegen.c: compiled groups against the engine, one thread: the same ops as one kernel and
 * as one call an op (and, where there is one, as the engine's composite); what compiling costs by
 * number of ops and by group, in CPU milliseconds; what a call costs. Minima; the data is in the
 * cache where it fits.
 *
 *	bench_codegen [tail] [NAME]
 *
 * tail: rows that are no multiple of a vector end in a loop of their own. NAME: groups that begin
 * so, and no others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/group/group_make.h"
#include "base/base.h"
#include "base/clock.h"
#include "cache/image.h"
#include "cache/plugin.h"
#include "engine/rows.h"
#include "group/helpers.h"
#include "ir/tree.h"

enum { RUNS = 9, RUN_NS = 1000000 };

static const codegen *generator;
static codegen_rest rest;
static engine *eager;

/* ---- Groups. ---- */

static void make_add(group *g)
{
	int a = make_load(g, GT_FLOAT32, ACCESS_RUN), b = make_load(g, GT_FLOAT32, ACCESS_RUN);

	make_store(g, make_op(g, OP_add, a, b, 0), ACCESS_RUN);
}

/* Bias and gelu behind a product. */
static void make_bias_gelu(group *g)
{
	int a = make_load(g, GT_FLOAT32, ACCESS_RUN), b = make_load(g, GT_FLOAT32, ACCESS_RUN);

	g->args[b].fixed = true;
	make_store(g, make_op(g, OP_gelu, make_op(g, OP_add, a, b, 0), 0, 0), ACCESS_RUN);
}

/* Turns of mul, add, tanh, sub: `count` ops. */
static void make_chain(group *g, int count)
{
	static const op ops[] = { OP_mul, OP_add, OP_tanh, OP_sub };
	int a = make_load(g, GT_FLOAT32, ACCESS_RUN), b = make_load(g, GT_FLOAT32, ACCESS_RUN),
		x = a;

	for (int k = 0; k < count; k++)
		x = make_op(g, ops[k % 4], x, b, 0);
	make_store(g, x, ACCESS_RUN);
}

static void make_chain_12(group *g) { make_chain(g, 12); }

static void make_softmax(group *g)
{
	make_store(g, make_softmax_of(g, make_load(g, GT_FLOAT32, ACCESS_RUN)), ACCESS_RUN);
}

static void make_layer_norm(group *g)
{
	int x = make_load(g, GT_FLOAT32, ACCESS_RUN), n = make_scalar(g, GT_FLOAT32);
	int d = make_op(g, OP_sub, x, make_op(g, OP_div, make_reduce(g, OP_sum, x), n, 0), 0);
	int v = make_op(g, OP_div, make_reduce(g, OP_sum, make_op(g, OP_square, d, 0, 0)), n, 0);

	v = make_op(g, OP_sqrt, make_op(g, OP_add, v, make_scalar(g, GT_FLOAT32), 0), 0, 0);
	make_store(g, make_op(g, OP_div, d, v, 0), ACCESS_RUN);
}

/* Softmax of a layer norm with weight and bias. */
static int put_norm_softmax(group *g)
{
	int x = make_load(g, GT_FLOAT32, ACCESS_RUN), n = make_scalar(g, GT_FLOAT32), w, e;
	int d = make_op(g, OP_sub, x, make_op(g, OP_div, make_reduce(g, OP_sum, x), n, 0), 0);
	int v = make_op(g, OP_div, make_reduce(g, OP_sum, make_op(g, OP_square, d, 0, 0)), n, 0);

	v = make_op(g, OP_sqrt, make_op(g, OP_add, v, make_scalar(g, GT_FLOAT32), 0), 0, 0);
	d = make_op(g, OP_div, d, v, 0);
	for (int k = 0; k < 2; k++) {
		w = make_load(g, GT_FLOAT32, ACCESS_RUN);
		g->args[g->args_count - 1].fixed = true;
		d = make_op(g, k ? OP_add : OP_mul, d, w, 0);
	}
	e = make_op(g, OP_exp, make_op(g, OP_sub, d, make_reduce(g, OP_max, d), 0), 0, 0);
	return make_op(g, OP_div, e, make_reduce(g, OP_sum, e), 0);
}

static void make_norm_softmax(group *g) { make_store(g, put_norm_softmax(g), ACCESS_RUN); }

/* What bench/peers.py sums up. */
static void make_norm_softmax_square(group *g)
{
	make_store(g, make_op(g, OP_square, put_norm_softmax(g), 0, 0), ACCESS_RUN);
}

/* Twelve ops of which only the sum is wanted: what bench/peers.py does on 2^12 and 2^20. */
static void make_chain_sum(group *g)
{
	static const op ops[] = { OP_add, OP_mul, OP_relu, OP_sub, OP_mul, OP_add, OP_mul, OP_abs,
		OP_add, OP_sub, OP_mul, OP_add };
	int a = make_load(g, GT_FLOAT32, ACCESS_RUN), b = make_load(g, GT_FLOAT32, ACCESS_RUN);

	for (size_t k = 0; k < COUNT(ops); k++)
		a = make_op(g, ops[k], a, b, 0);
	make_store(g, make_reduce(g, OP_sum, a), ACCESS_SAME);
}

static void make_sum(group *g)
{
	make_store(g, make_reduce(g, OP_sum, make_load(g, GT_FLOAT32, ACCESS_RUN)), ACCESS_SAME);
}

static void make_squared_error(group *g)
{
	int a = make_load(g, GT_FLOAT32, ACCESS_RUN), b = make_load(g, GT_FLOAT32, ACCESS_RUN);
	int d = make_op(g, OP_square, make_op(g, OP_sub, a, b, 0), 0, 0);

	make_store(g, make_reduce(g, OP_sum, d), ACCESS_SAME);
}

/* A bias gradient behind a relu's mask. */
static void make_bias_gradient(group *g)
{
	int x = make_load(g, GT_FLOAT32, ACCESS_RUN), dy = make_load(g, GT_FLOAT32, ACCESS_RUN);
	int mask = make_cast(g, GT_FLOAT32, make_op(g, OP_gt, x, make_scalar(g, GT_FLOAT32), 0));
	int dx = make_op(g, OP_mul, dy, mask, 0);

	make_store(g, dx, ACCESS_RUN);
	make_store(g, make_reduce(g, OP_sum, dx), ACCESS_RUN);
	g->args[g->args_count - 1].fixed = true;
}

/* ---- A call on memory of its own. ---- */

typedef struct work {
	group g;
	int64_t rows, cols;
	kernel_arg args[GROUP_ARGS];
	uint64_t scalars[GROUP_SCALARS];
	codegen_rest rest;
	image code;
	uint64_t compile_ns;
} work;

static float *numbers(int64_t n)
{
	float *x = aligned_alloc(64, ALIGN_UP((size_t)MAX(n, 1) * sizeof *x, 64));

	for (int64_t k = 0; k < n; k++)
		x[k] = (float)rand() / (float)RAND_MAX - 0.5f;
	return x;
}

static uint64_t compile(const group *g, codegen_rest rows, image *to)
{
	codegen_options o = { .isa = cpu_isa_level(), .rest = rows };
	uint64_t start = clock_thread_cpu_ns();
	buf b = { 0 };

	if (generator->compile(g, &o, &b, NULL, NULL) || image_map(b.data, b.size, to)) {
		fprintf(stderr, "%s%s\n", generator->error(), gt_last_error());
		exit(1);
	}
	buf_fini(&b);
	return clock_thread_cpu_ns() - start;
}

/* A group of GROUP_ELEMENT without broadcasts runs as one row, as a launcher would have it. */
static void start_work(work *w)
{
	bool flat = w->g.mode == GROUP_ELEMENT;

	for (int k = 0; k < w->g.args_count; k++) {
		const group_arg *a = &w->g.args[k];
		int64_t row = a->fixed ? 0 : a->access == ACCESS_SAME ? 4 : 4 * w->cols;

		flat = flat && a->access == ACCESS_RUN && !a->fixed;
		w->args[k] = (kernel_arg){ numbers(w->rows * w->cols), row, 0 };
	}
	for (int k = 0; k < w->g.scalars_count; k++)
		memcpy(&w->scalars[k], &(float){ k ? 1e-5f : (float)w->cols }, 4);
	w->compile_ns = UINT64_MAX;
	for (int run = 0; run < 3; run++) {
		uint64_t ns;

		if (run)
			image_unmap(&w->code);
		ns = compile(&w->g, w->rest, &w->code);
		w->compile_ns = MIN(w->compile_ns, ns);
	}
	if (flat) {
		w->cols *= w->rows;
		w->rows = 1;
	}
}

static void end_work(work *w)
{
	for (int k = 0; k < w->g.args_count; k++)
		free(w->args[k].data);
	image_unmap(&w->code);
}

static void run_kernel(void *context)
{
	const work *w = context;
	kernel_call c = { w->rows, w->cols, w->args, w->scalars, helpers };

	w->code.run(&c);
}

/* ---- The same by the engine: a call for every node, results in memory made before. ---- */

typedef struct chain {
	int count;
	kcall calls[GROUP_NODES];
	ins_room rooms[GROUP_NODES];
	view views[GROUP_NODES];
	void *memory[GROUP_NODES];
} chain;

static view view_of(const work *w, const group_node *n)
{
	view v = { .m = { .dtype = n->dtype, .rank = 2 } };
	const group_arg *a = &w->g.args[n->at];

	v.m.dims[0] = w->rows;
	v.m.dims[1] = w->cols;
	if (n->what == NODE_SCALAR) {
		v.m.rank = 0;
		v.data = (void *)(uintptr_t)&w->scalars[n->at];
	} else {
		v.m.dims[0] = a->fixed ? 1 : w->rows;
		v.m.dims[1] = a->access == ACCESS_SAME ? 1 : w->cols;
		v.data = w->args[n->at].data;
	}
	shape_contiguous(&v.m, v.strides);
	v.contiguous = true;
	return v;
}

static void add_call(chain *c, const work *w, int at)
{
	const group_node *n = &w->g.nodes[at];
	kcall *k = &c->calls[c->count];
	ins *i = ins_init(&c->rooms[c->count++], n->op, 1);
	const meta *metas[3];
	view *v = &c->views[at];

	for (int j = 0; j < group_inputs(n); j++) {
		ins_put_input(i, 1);
		metas[j] = &c->views[n->in[j]].m;
		k->in[j] = &c->views[n->in[j]];
	}
	i->attr.dtype = n->dtype;
	if (n->what == NODE_REDUCE) {
		i->attr.dtype = 0;
		i->attr.axes = w->g.mode == GROUP_ROWS ? 2 : 1;
		i->attr.keepdims = 1;
	}
	if (!(op_rows[n->op].attrs & ATTR_DTYPE))
		i->attr.dtype = 0;
	if (shape_infer(i, metas, &v->m)) {
		fprintf(stderr, "%s\n", gt_last_error());
		exit(1);
	}
	shape_contiguous(&v->m, v->strides);
	v->contiguous = true;
	v->data = c->memory[at] = numbers(meta_count(&v->m));
	k->i = i;
	k->out = v;
	k->engine = eager;
}

static void start_chain(chain *c, const work *w)
{
	memset(c, 0, sizeof *c);
	for (int k = 0; k < w->g.nodes_count; k++) {
		const group_node *n = &w->g.nodes[k];

		if (n->what == NODE_LOAD || n->what == NODE_SCALAR)
			c->views[k] = view_of(w, n);
		else if (n->what != NODE_STORE)
			add_call(c, w, k);
	}
}

static void end_chain(chain *c)
{
	for (int k = 0; k < GROUP_NODES; k++)
		free(c->memory[k]);
}

static void run_chain(void *context)
{
	chain *c = context;

	for (int k = 0; k < c->count; k++)
		if (eager->kernels[c->calls[k].i->op](&c->calls[k])) {
			fprintf(stderr, "%s\n", gt_last_error());
			exit(1);
		}
}

/* The composite that does the same as the group, on its first argument. */
static void add_composite(chain *c, const work *w, op o)
{
	ins *i;
	kcall *k = &c->calls[0];

	memset(c, 0, sizeof *c);
	i = ins_init(&c->rooms[0], o, 1);
	ins_put_input(i, 1);
	c->views[0] = c->views[1] = view_of(w, &w->g.nodes[0]);
	c->views[1].data = c->memory[1] = numbers(w->rows * w->cols);
	k->in[0] = &c->views[0];
	if (o == OP_softmax) {
		i->attr.axis = 1;
	} else {
		i->attr.axes = 2;
		ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 1e-5 });
		c->views[2] = (view){ .data = (void *)(uintptr_t)&w->scalars[1],
			.m = { .dtype = GT_FLOAT32 }, .contiguous = true };
		k->in[1] = &c->views[2];
	}
	k->i = i;
	k->out = &c->views[1];
	k->engine = eager;
	c->count = 1;
}

/* ---- Measuring. ---- */

static double measure(void (*run)(void *), void *context)
{
	double best = 1e30;
	int64_t times = 1;

	for (int r = 0; r < RUNS; r++) {
		uint64_t start = clock_ns();
		double ns;

		for (int64_t t = 0; t < times; t++)
			run(context);
		ns = (double)(clock_ns() - start) / (double)times;
		best = MIN(best, ns);
		times = MAX(1, (int64_t)(RUN_NS / best));
	}
	return best;
}

typedef struct bench_case {
	const char *name;
	void (*make)(group *g);
	group_mode mode;
	int64_t rows, cols;
	op composite;
	bool brief;              /* code for short rows */
} bench_case;

static const bench_case cases[] = {
	{ "add", make_add, GROUP_ELEMENT, 1, 1 << 20, 0, false },
	{ "add", make_add, GROUP_ELEMENT, 64, 64, 0, false },
	{ "bias gelu", make_bias_gelu, GROUP_ELEMENT, 128, 10, 0, false },
	{ "bias gelu", make_bias_gelu, GROUP_ELEMENT, 128, 100, 0, false },
	{ "bias gelu", make_bias_gelu, GROUP_ELEMENT, 512, 1024, 0, false },
	{ "chain of 12", make_chain_12, GROUP_ELEMENT, 16, 32, 0, false },
	{ "chain of 12", make_chain_12, GROUP_ELEMENT, 64, 64, 0, false },
	{ "chain of 12", make_chain_12, GROUP_ELEMENT, 1, 1 << 20, 0, false },
	{ "softmax", make_softmax, GROUP_ROWS, 128, 10, OP_softmax, false },
	{ "softmax, short", make_softmax, GROUP_ROWS, 128, 10, OP_softmax, true },
	{ "softmax", make_softmax, GROUP_ROWS, 64, 64, OP_softmax, false },
	{ "softmax", make_softmax, GROUP_ROWS, 512, 1024, OP_softmax, false },
	{ "softmax", make_softmax, GROUP_ROWS, 16, 50000, OP_softmax, false },
	{ "norm, short", make_layer_norm, GROUP_ROWS, 128, 10, OP_layer_norm, true },
	{ "layer norm", make_layer_norm, GROUP_ROWS, 64, 64, OP_layer_norm, false },
	{ "layer norm", make_layer_norm, GROUP_ROWS, 512, 1024, OP_layer_norm, false },
	{ "norm, softmax", make_norm_softmax, GROUP_ROWS, 64, 64, 0, false },
	{ "norm, softmax", make_norm_softmax, GROUP_ROWS, 512, 1024, 0, false },
	{ ".. squared", make_norm_softmax_square, GROUP_ROWS, 512, 1024, 0, false },
	{ "12 and sum", make_chain_sum, GROUP_ROWS, 1, 1 << 12, 0, false },
	{ "12 and sum", make_chain_sum, GROUP_ROWS, 1, 1 << 20, 0, false },
	{ "sum of rows", make_sum, GROUP_ROWS, 512, 1024, 0, false },
	{ "sum of all", make_sum, GROUP_ROWS, 1, 1 << 14, 0, false },
	{ "sum of all", make_sum, GROUP_ROWS, 1, 1 << 20, 0, false },
	{ "squared error", make_squared_error, GROUP_ROWS, 1, 1280, 0, false },
	{ "squared error", make_squared_error, GROUP_ROWS, 1, 1 << 16, 0, false },
	{ "bias gradient", make_bias_gradient, GROUP_COLS, 32, 64, 0, false },
	{ "bias gradient", make_bias_gradient, GROUP_COLS, 128, 256, 0, false },
	{ "bias gradient", make_bias_gradient, GROUP_COLS, 512, 1024, 0, false },
	{ "bias gradient", make_bias_gradient, GROUP_COLS, 2048, 256, 0, false },
	{ "bias gradient", make_bias_gradient, GROUP_COLS, 10000, 10, 0, false },
};

/* What the worker would have made. */
static codegen_rest choose_rest(const bench_case *b, const group *g)
{
	if (b->brief)
		return REST_SHORT;
	return rest == REST_AUTO && b->mode == GROUP_ROWS && !group_splits(g) &&
		b->cols % CODEGEN_EVEN == 0 && b->cols <= TREE_BLOCK ? REST_EVEN : rest;
}

static void run_case(const bench_case *b)
{
	work *w = calloc(1, sizeof *w);
	chain *c = calloc(1, sizeof *c);
	double ns, alone, bytes;

	make_start(&w->g, b->mode);
	b->make(&w->g);
	w->rest = choose_rest(b, &w->g);
	w->rows = b->rows;
	w->cols = b->cols;
	start_work(w);
	ns = measure(run_kernel, w);
	start_chain(c, w);
	alone = measure(run_chain, c);
	end_chain(c);
	bytes = 4.0 * (double)(b->rows * b->cols) * (double)w->g.args_count;
	printf("%-14s %5lld x %-8lld %7.1f %11.0f %7.1f %11.0f %7.2f", b->name,
		(long long)b->rows, (long long)b->cols, (double)w->compile_ns / 1e6, ns, bytes / ns,
		alone, alone / ns);
	if (b->composite) {
		add_composite(c, w, b->composite);
		alone = measure(run_chain, c);
		printf(" %11.0f %7.2f", alone, alone / ns);
		end_chain(c);
	}
	putchar('\n');
	fflush(stdout);
	end_work(w);
	free(w);
	free(c);
}

static void bench_compile(void)
{
	static const int counts[] = { 1, 10, 30, 60, 100 };

	for (size_t k = 0; k < COUNT(counts); k++) {
		uint64_t best = UINT64_MAX;

		for (int run = 0; run < 5; run++) {
			group g;
			image m;
			uint64_t ns;

			make_start(&g, GROUP_ELEMENT);
			make_chain(&g, counts[k]);
			ns = compile(&g, rest, &m);
			best = MIN(best, ns);
			image_unmap(&m);
		}
		printf("compile %3d ops: %6.2f ms\n", counts[k], (double)best / 1e6);
	}
}

int main(int argc, char **argv)
{
	uint64_t start = clock_ns();
	const char *name = argc > 1 ? argv[argc - 1] : "";

	rest = argc > 1 && !strcmp(argv[1], "tail") ? REST_TAIL : REST_AUTO;
	if (argc == 2 && rest == REST_TAIL)
		name = "";
	if (plugin_open(&generator)) {
		fprintf(stderr, "%s\n", gt_last_error());
		return 77;
	}
	printf("LLVM %s loaded in %.1f ms\n", generator->llvm, (double)(clock_ns() - start) / 1e6);
	if (!*name)
		bench_compile();
	engine_open(ENGINE_CPU, 1, UINT64_MAX, &eager);
	printf("%-31s %7s %11s %7s %11s %7s %11s %7s\n", "", "compile", "kernel ns", "GB/s",
		"op by op", "times", "composite", "times");
	for (size_t k = 0; k < COUNT(cases); k++)
		if (!strncmp(cases[k].name, name, strlen(name)))
			run_case(&cases[k]);
	engine_close(eager);
	return 0;
}
