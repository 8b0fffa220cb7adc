/* bench_client.c: what a small operation costs the client: shape inference, handle, value, tape,
 * record in the batch. The link takes everything and does nothing, so that only the client is
 * measured. Median and best of several runs, in nanoseconds an operation.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client/client.h"

#define RUNS 201
#define STEPS 2000

/* ---- a link that forgets --------------------------------------------------------------------- */

static gt_err forget(struct link *l, const uint64_t *records, size_t words, size_t n, uint64_t cost)
{
	(void)l, (void)records, (void)words, (void)n, (void)cost;
	return GT_OK;
}

static gt_err do_nothing(struct link *l, const interrupt *in)
{
	(void)l, (void)in;
	return GT_OK;
}

static gt_err never_wait(struct link *l, answer *a, const interrupt *in)
{
	(void)l, (void)a, (void)in;
	return GT_OK;
}

static void stay(struct link *l) { (void)l; }

static const link_ops ops = { .flush = forget, .wait = never_wait, .sync = do_nothing,
		.close = stay,
	.free = stay };
static struct link null_link = { .ops = &ops, .refs = 1 };

/* ---- what is measured ------------------------------------------------------------------------ */

typedef struct setup {
	gt_client *gt;
	gt_tensor *a, *b, *row, *w, *one;
	gt_tensor *m;            /* of a manual client */
} setup;

typedef struct bench_case {
	const char *name;
	int ops;                 /* operations a step */
	void (*step)(setup *s);
} bench_case;

static void add(setup *s) { gt_add(s->a, s->b); }
static void relu(setup *s) { gt_relu(s->a); }
static void add_number(setup *s) { gt_add(s->a, 1.0); }
static void add_row(setup *s) { gt_add(s->a, s->row); }
static void add_taped(setup *s) { gt_add(s->a, s->w); }
static void mul_taped(setup *s) { gt_mul(s->a, s->w); }
static void matmul(setup *s) { gt_matmul(s->a, s->b); }
static void mean(setup *s) { gt_mean(s->a, .axis = 1); }
static void transpose(setup *s) { gt_transpose(s->a, 0, 1); }
static void index_row(setup *s) { gt_index(s->a, GT_AT(0)); }
static void randn(setup *s) { gt_randn(s->gt, GT_SHAPE(16, 16)); }
static void update(setup *s) { gt_update(s->one, "add", s->b); }

static void chain(setup *s)
{
	gt_tensor *x = s->w;

	for (int k = 0; k < 10; k++)
		x = gt_mul(gt_tanh(x), s->a);
	gt_sum(x);
}

static void chain_backward(setup *s)
{
	gt_tensor *x = s->w;

	for (int k = 0; k < 10; k++)
		x = gt_mul(x, s->a);
	gt_backward(gt_sum(x));
	gt_set_grad(s->w, NULL);
}

/* As other languages do it: the result is dropped by hand, on whatever thread. */
static void neg_manual(setup *s) { gt_drop(gt_neg(s->m)); }

static const bench_case cases[] = {
	{ "add", 1, add }, { "relu", 1, relu }, { "add number", 1, add_number },
	{ "add row", 1, add_row }, { "add, recorded", 1, add_taped },
	{ "mul, recorded", 1, mul_taped }, { "matmul", 1, matmul }, { "mean", 1, mean },
	{ "transpose", 1, transpose }, { "x[0]", 1, index_row }, { "randn", 1, randn },
	{ "update in place", 1, update }, { "21 recorded", 21, chain },
	{ "11 recorded and backward", 11, chain_backward }, { "neg, manual", 1, neg_manual },
};

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(setup *s, const bench_case *c)
{
	double ns[RUNS];

	for (int run = 0; run < RUNS; run++) {
		const int steps = STEPS / c->ops;
		const uint64_t begin = clock_ns();

		for (int k = 0; k < steps; k++) {
			gt_scope *scope = gt_scope_begin(s->gt);

			c->step(s);
			gt_scope_end(scope);
		}
		ns[run] = (double)(clock_ns() - begin) / (steps * c->ops);
	}
	qsort(ns, RUNS, sizeof *ns, by_size);
	printf("%-28s %7.1f %7.1f\n", c->name, ns[RUNS / 2], ns[0]);
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	setup s = { .gt = client_new(&null_link, NULL) };
	gt_client *manual = client_new(&null_link, &(gt_options){ .manual = 1 });

	s.m = gt_ones(manual, GT_SHAPE(16, 16));
	s.a = gt_ones(s.gt, GT_SHAPE(16, 16));
	s.b = gt_ones(s.gt, GT_SHAPE(16, 16));
	s.row = gt_ones(s.gt, GT_SHAPE(16));
	s.one = gt_ones(s.gt, GT_SHAPE(16, 16));
	s.w = gt_requires_grad(gt_ones(s.gt, GT_SHAPE(16, 16)));
	printf("client: ns an operation, scope and free included  median    best\n");
	for (size_t k = 0; k < COUNT(cases); k++)
		if (!only || strstr(cases[k].name, only))
			measure(&s, &cases[k]);
	gt_drop(s.m);
	gt_close(manual);
	gt_close(s.gt);
	return 0;
}
