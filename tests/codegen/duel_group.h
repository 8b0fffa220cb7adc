/* duel_group.h: one group, compiled and interpreted, on the same data: bit against bit. NaNs are
 * equal to each other. */
#ifndef TESTS_DUEL_GROUP_H
#define TESTS_DUEL_GROUP_H

#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "group/group_make.h"
#include "base/base.h"
#include "base/cpu.h"
#include "cache/image.h"
#include "cache/plugin.h"
#include "group/helpers.h"
#include "group/reference.h"
#include "ir/tree.h"

#define DUEL __attribute__((unused)) static

static uint64_t duel_state = 88172645463325252u;

DUEL uint64_t duel_random(uint64_t below)
{
	duel_state ^= duel_state << 13;
	duel_state ^= duel_state >> 7;
	duel_state ^= duel_state << 17;
	return duel_state % below;
}

DUEL double duel_float(void)
{
	static const double special[] = { 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 1e-40, -1e-42,
		3e38, -3e38, 131072, 131073, 1e6, -1e30, 1e300, 5e-324, INFINITY, -INFINITY, NAN };

	if (!duel_random(8))
		return special[duel_random(COUNT(special))];
	return ((double)duel_random(2000001) - 1000000) / (duel_random(2) ? 250000 : 20000);
}

DUEL int64_t duel_int(void)
{
	static const int64_t special[] = { 0, 1, -1, 2, INT32_MAX, INT32_MIN, INT64_MAX,
		INT64_MIN };

	return duel_random(4) ? (int64_t)duel_random(41) - 20
		: special[duel_random(COUNT(special))];
}

DUEL void duel_put(gt_dtype d, void *to)
{
	switch (d) {
	case GT_FLOAT32: *(float *)to = (float)duel_float(); break;
	case GT_FLOAT64: *(double *)to = duel_float(); break;
	case GT_INT32:   *(int32_t *)to = (int32_t)duel_int(); break;
	case GT_INT64:   *(int64_t *)to = duel_int(); break;
	default:         *(uint8_t *)to = (uint8_t)duel_random(2); break;
	}
}

DUEL bool duel_same(gt_dtype d, const void *a, const void *b)
{
	if (d == GT_FLOAT32 && isnan(*(const float *)a) && isnan(*(const float *)b))
		return true;
	if (d == GT_FLOAT64 && isnan(*(const double *)a) && isnan(*(const double *)b))
		return true;
	return !memcmp(a, b, dtype_size(d));
}

/* Memory of one argument, with room before, behind and between rows that nobody may touch. */
typedef struct duel_arg {
	char *memory, *expected;
	size_t size;
	kernel_arg a;
	gt_dtype dtype;
} duel_arg;

typedef struct duel {
	const group *g;
	int64_t rows, cols;
	bool dense;              /* no gaps between elements and rows */
	duel_arg args[GROUP_ARGS];
	uint64_t scalars[GROUP_SCALARS];
} duel;

enum { DUEL_MARGIN = 256 };

enum { DUEL_PICKS = 50 };        /* places that are picked from */

/* Bytes of an element that lies behind others as the argument says; 0: it says no such thing. */
DUEL int64_t duel_offset_size(const group *g, int arg)
{
	for (int k = 0; k < g->nodes_count; k++) {
		const group_node *n = &g->nodes[k], *from = &g->nodes[n->in[0]];

		if (n->what == NODE_PICK && from->what == NODE_LOAD && from->at == arg)
			return (int64_t)dtype_size((gt_dtype)n->dtype);
	}
	return 0;
}

/* Numbers: there is no memory. */
DUEL void duel_count_make(duel *d, int k)
{
	const group_arg *ga = &d->g->args[k];
	const int64_t step = ga->access == ACCESS_SAME ? 0 : ga->access == ACCESS_RUN ? 8 : 24;
	const int64_t far = duel_random(4) ? 0 : INT64_C(1) << 34;

	d->args[k] = (duel_arg){ .dtype = GT_INT64 };
	d->args[k].a = (kernel_arg){
		.data = (char *)KERNEL_NUMBERS + 8 * (far + (int64_t)duel_random(9)),
		.row = ga->fixed ? 0 : d->cols * MAX(step, 8) + 8 * (int64_t)duel_random(4),
		.col = step };
}

DUEL void duel_arg_fill(const duel *d, int k)
{
	const duel_arg *a = &d->args[k];
	const size_t size = dtype_size(a->dtype);
	const int64_t each = duel_offset_size(d->g, k);

	for (size_t at = 0; at + size <= a->size; at += size) {
		duel_put(a->dtype, a->memory + at);
		if (each)
			*(int64_t *)(a->memory + at) = (int64_t)duel_random(DUEL_PICKS) * each;
	}
	memcpy(a->expected, a->memory, a->size);
}

DUEL void duel_arg_make(duel *d, int k)
{
	const group_arg *ga = &d->g->args[k];
	duel_arg *a = &d->args[k];
	int64_t size = (int64_t)dtype_size((gt_dtype)ga->dtype), gap = d->dense ? 0 : size;
	int64_t step = ga->access == ACCESS_RUN ? size : ga->access == ACCESS_SAME ? 0 : 3 * size;
	int64_t row = MAX(d->cols, 1) * MAX(step, size) + 3 * gap;
	bool back = ga->access == ACCESS_STEP && !d->dense && duel_random(2);

	if (ga->counts) {
		duel_count_make(d, k);
		return;
	}
	a->dtype = (gt_dtype)ga->dtype;
	a->size = (size_t)(row * MAX(d->rows, 1)) + 2 * DUEL_MARGIN +
		(ga->picked ? DUEL_PICKS * (size_t)size : 0);
	a->memory = malloc(a->size);
	a->expected = malloc(a->size);
	duel_arg_fill(d, k);
	a->a = (kernel_arg){ .data = a->memory + DUEL_MARGIN, .row = ga->fixed ? 0 : row,
		.col = step };
	if (!ga->out && !ga->fixed && !d->dense && !duel_random(4))
		a->a.row = 0;                   /* rows broadcast */
	if (back) {
		a->a.data = (char *)a->a.data + (MAX(d->cols, 1) - 1) * step;
		a->a.col = -step;
	}
}

DUEL void duel_make(duel *d, const group *g, int64_t rows, int64_t cols, bool dense)
{
	*d = (duel){ .g = g, .rows = rows, .cols = cols, .dense = dense };
	for (int k = 0; k < g->args_count; k++)
		duel_arg_make(d, k);
	for (int k = 0; k < g->nodes_count; k++)
		if (g->nodes[k].what == NODE_SCALAR)
			duel_put((gt_dtype)g->nodes[k].dtype, &d->scalars[g->nodes[k].at]);
		else if (g->nodes[k].what == NODE_DRAW)
			for (int s = 0; s < group_draw_scalars(&g->nodes[k]); s++)
				d->scalars[g->nodes[k].at + s] = duel_random(UINT64_MAX) *
					UINT64_C(0x9e3779b97f4a7c15);
}

DUEL void duel_free(duel *d)
{
	for (int k = 0; k < d->g->args_count; k++) {
		free(d->args[k].memory);
		free(d->args[k].expected);
	}
}

/* Let the interpreter write to `expected`. */
DUEL void duel_expect(duel *d)
{
	kernel_arg args[GROUP_ARGS];
	kernel_call c = { d->rows, d->cols, args, d->scalars, NULL };

	for (int k = 0; k < d->g->args_count; k++) {
		args[k] = d->args[k].a;
		if (!d->g->args[k].counts)
			args[k].data = d->args[k].expected +
				((char *)args[k].data - d->args[k].memory);
	}
	group_run(d->g, &c);
}

DUEL void duel_report(const duel *d, int k, size_t at, const char *how)
{
	buf text = { 0 };
	const duel_arg *a = &d->args[k];
	uint64_t got = 0, want = 0;

	memcpy(&got, a->memory + at, dtype_size(a->dtype));
	memcpy(&want, a->expected + at, dtype_size(a->dtype));
	group_print(d->g, &text);
	fail_msg("%s, %lld x %lld: argument %d, byte %lld: got %#llx, expected %#llx\n%s", how,
		(long long)d->rows, (long long)d->cols, k, (long long)at - DUEL_MARGIN,
		(unsigned long long)got, (unsigned long long)want, buf_text(&text));
}

/* Run a kernel and compare all memory; then put the memory back. */
DUEL void duel_fight(duel *d, kernel_fn *run, const char *how)
{
	kernel_arg args[GROUP_ARGS];
	kernel_call c = { d->rows, d->cols, args, d->scalars, helpers };
	char *saved[GROUP_ARGS];

	for (int k = 0; k < d->g->args_count; k++) {
		args[k] = d->args[k].a;
		saved[k] = malloc(d->args[k].size + 1);
		if (d->args[k].size)
			memcpy(saved[k], d->args[k].memory, d->args[k].size);
	}
	run(&c);
	for (int k = 0; k < d->g->args_count; k++) {
		duel_arg *a = &d->args[k];
		size_t size = dtype_size(a->dtype);

		for (size_t at = 0; at + size <= a->size; at += size)
			if (!duel_same(a->dtype, a->memory + at, a->expected + at))
				duel_report(d, k, at, how);
		if (a->size)
			memcpy(a->memory, saved[k], a->size);
		free(saved[k]);
	}
}

/* ---- Compiled. ---- */

typedef struct duel_code { image m[ISA_COUNT][REST_EVEN + 1]; } duel_code;

static const char *const duel_names[ISA_COUNT][REST_EVEN + 1] = {
	{ NULL, "base, masks", "base, tail", "base, short", "base, even" },
	{ NULL, "avx2, masks", "avx2, tail", "avx2, short", "avx2, even" },
	{ NULL, "avx512, masks", "avx512, tail", "avx512, short", "avx512, even" },
};

static const codegen *duel_codegen;

/* How many vectors go side by side; 0: as the generator likes. */
static uint8_t duel_unroll;

DUEL void duel_compile_for(const group *g, duel_code *code, cpu_isa isa, codegen_rest rest)
{
	codegen_options o = { .isa = isa, .rest = rest, .unroll = duel_unroll };
	buf b = { 0 };

	if (duel_codegen->compile(g, &o, &b, NULL, NULL)) {
		buf text = { 0 };
		group_print(g, &text);
		fail_msg("%s: %s\n%s", duel_names[isa][rest], duel_codegen->error(),
			buf_text(&text));
	}
	if (image_map(b.data, b.size, &code->m[isa][rest]))
		fail_msg("%s", gt_last_error());
	buf_fini(&b);
}

DUEL void duel_compile(const group *g, duel_code *code)
{
	memset(code, 0, sizeof *code);
	for (cpu_isa isa = ISA_BASE; isa <= cpu_isa_level(); isa++) {
		for (codegen_rest rest = REST_MASK; rest <= REST_TAIL; rest++)
			duel_compile_for(g, code, isa, rest);
		if (g->mode == GROUP_ROWS && !duel_unroll)
			for (codegen_rest rest = REST_SHORT; rest <= REST_EVEN; rest++)
				duel_compile_for(g, code, isa, rest);
	}
}

DUEL void duel_drop(duel_code *code)
{
	for (int isa = 0; isa < ISA_COUNT; isa++)
		for (int rest = 0; rest <= REST_EVEN; rest++)
			image_unmap(&code->m[isa][rest]);
}

/* Is it a length of rows that the code is for? */
DUEL bool duel_is_for(codegen_rest rest, int64_t cols)
{
	switch (rest) {
	case REST_SHORT: return cols > 0 && cols <= CODEGEN_SHORT;
	case REST_EVEN:  return cols > 0 && cols % CODEGEN_EVEN == 0 && cols <= TREE_BLOCK;
	default:         return true;
	}
}

DUEL void duel_run(const group *g, const duel_code *code, int64_t rows, int64_t cols, bool dense)
{
	duel d;

	duel_make(&d, g, rows, cols, dense);
	duel_expect(&d);
	for (int isa = 0; isa < ISA_COUNT; isa++)
		for (int rest = 0; rest <= REST_EVEN; rest++)
			if (code->m[isa][rest].run && duel_is_for(rest, cols))
				duel_fight(&d, code->m[isa][rest].run, duel_names[isa][rest]);
	duel_free(&d);
}

/* 77 stands for "skipped". */
DUEL void duel_open(void)
{
	if (plugin_open(&duel_codegen)) {
		fprintf(stderr, "%s\n", gt_last_error());
		exit(77);
	}
}

#endif
