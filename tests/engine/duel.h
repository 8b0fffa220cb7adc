/* duel.h: one call by the reference and by every fast table, bit against bit.
 *
 * A duel holds an instruction, its inputs and the result by the reference; duel_check runs the
 * call with every instruction set of this machine, on one thread and on two. Errors must agree
 * word for word. NaNs are equal to each other: their sign and payload are not promised.
 */
#ifndef TESTS_DUEL_H
#define TESTS_DUEL_H

#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/cpu.h"
#include "base/error.h"
#include "engine/engine.h"
#include "engine/rows.h"

#define DUEL __attribute__((unused)) static

/* ---- Repeatable random values. ---- */

DUEL uint64_t duel_random(uint64_t below)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

DUEL double duel_float(void)
{
	static const double special[] = { 0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 1e-40, -1e-42,
		3e38, -3e38, 1e300, 5e-324, __builtin_inf(), -__builtin_inf(), __builtin_nan("") };

	if (!duel_random(6))
		return special[duel_random(COUNT(special))];
	return ((double)duel_random(2000001) - 1000000) / (duel_random(2) ? 250000 : 20000);
}

DUEL int64_t duel_int(gt_dtype dtype)
{
	switch (duel_random(12)) {
	case 0: return dtype == GT_INT32 ? INT32_MIN : INT64_MIN;
	case 1: return dtype == GT_INT32 ? INT32_MAX : INT64_MAX;
	case 2: return (int64_t)duel_random(UINT64_MAX);
	default: return (int64_t)duel_random(23) - 11;
	}
}

DUEL void duel_value(gt_dtype dtype, void *to)
{
	if (dtype == GT_BOOL)
		*(uint8_t *)to = (uint8_t)duel_random(2);
	else if (dtype_kind_of(dtype) == KIND_INT)
		engine_scalar(KIND_INT, (scalar){ .i = duel_int(dtype) }, dtype, to);
	else
		engine_scalar(KIND_FLOAT, (scalar){ .f = duel_float() }, dtype, to);
}

/* ---- Inputs. ---- */

typedef enum duel_layout {
	PLAIN, SHIFTED,          /* contiguous; the second not aligned beyond its element */
	TRANSPOSED, ROTATED,     /* dims in reverse order in memory; the last dim outermost */
	STEPPED, REVERSED,       /* every second element; every dim backwards */
	MIXED,                   /* reversed order, steps and signs at random */
	REPEATED,                /* the outermost dim of stride 0 */
	ONES, DROPPED,           /* a dim of size 1; the first dim missing */
	SINGLE,                  /* one value of rank 0 */
	DUEL_LAYOUTS
} duel_layout;

typedef struct duel_input {
	view v;
	char *memory;
	int64_t count;           /* elements of memory */
} duel_input;

DUEL bool duel_flips(duel_layout layout)
{
	return layout == REVERSED || (layout == MIXED && duel_random(2));
}

DUEL int64_t duel_stretch(duel_layout layout)
{
	return layout == STEPPED || (layout == MIXED && duel_random(2)) ? 2 : 1;
}

/* The dim that comes n-th from inside in memory. */
DUEL int duel_order(duel_layout layout, int rank, int n)
{
	if (layout == TRANSPOSED || layout == MIXED)
		return n;
	if (layout == ROTATED)
		return n == rank - 1 ? rank - 1 : rank - 2 - n;
	return rank - 1 - n;
}

DUEL void duel_shrink(meta *m, duel_layout layout)
{
	int drop = layout == SINGLE ? m->rank : layout == DROPPED && m->rank ? 1 : 0;

	m->rank = (uint8_t)(m->rank - drop);
	memmove(m->dims, m->dims + drop, sizeof(*m->dims) * (size_t)m->rank);
	if (layout == ONES && m->rank)
		m->dims[duel_random(m->rank)] = 1;
}

/* Strides of the layout; gives the number of elements of memory, and where element 0 is. */
DUEL int64_t duel_lay_out(view *v, duel_layout layout, int64_t *first)
{
	int64_t stride = 1;

	*first = layout == SHIFTED;
	for (int n = 0; n < v->m.rank; n++) {
		int d = duel_order(layout, v->m.rank, n);
		bool flipped = duel_flips(layout);

		if (layout == REPEATED && n == v->m.rank - 1)
			continue;
		stride *= duel_stretch(layout);
		v->strides[d] = flipped ? -stride : stride;
		if (flipped && v->m.dims[d])
			*first += (v->m.dims[d] - 1) * stride;
		stride *= v->m.dims[d];
	}
	return MAX(stride, 1) + (layout == SHIFTED);
}

/* An input that broadcasts to `shape`, filled with values. */
DUEL duel_input duel_input_new(const meta *shape, gt_dtype dtype, duel_layout layout)
{
	duel_input t = { .v.m = *shape };
	int64_t size = (int64_t)dtype_size(dtype), first;

	t.v.m.dtype = dtype;
	duel_shrink(&t.v.m, layout);
	t.count = duel_lay_out(&t.v, layout, &first);
	t.memory = malloc((size_t)(t.count * size));
	for (int64_t n = 0; n < t.count; n++)
		duel_value(dtype, t.memory + n * size);
	t.v.data = t.memory + first * size;
	t.v.contiguous = shape_is_contiguous(&t.v.m, t.v.strides);
	return t;
}

DUEL void duel_input_free(duel_input *t)
{
	free(t->memory);
}

/* ---- Engines. ---- */

DUEL engine duel_engines[ISA_COUNT][3];

DUEL const engine *duel_engine(cpu_isa level, int threads)
{
	engine *e = &duel_engines[level][threads];

	if (!e->pool) {
		engine_rows(e->kernels, level);
		e->pool = pool_new(threads);
		e->memory = allocator_new(UINT64_MAX);
	}
	return e;
}

/* A group's teardown, so that leak checks and the thread sanitizer see a clean exit. */
DUEL int duel_engines_free(void **state)
{
	(void)state;
	for (int level = 0; level < ISA_COUNT; level++)
		for (int threads = 1; threads <= 2; threads++) {
			engine *e = &duel_engines[level][threads];

			pool_free(e->pool);
			allocator_free(e->memory);
			*e = (engine){ .name = NULL };
		}
	return 0;
}

/* ---- Duels. ---- */

typedef struct duel {
	ins_room room;           /* ids are not looked at */
	view in[INS_INPUTS_MAX];
	view out;                /* by the reference */
	gt_err error;
	char text[256];
} duel;

#define DUEL_GUARD 0xA5

DUEL void *duel_result(const meta *m)
{
	size_t bytes = (size_t)meta_count(m) * dtype_size(m->dtype);
	char *p = malloc(bytes + CACHE_LINE);

	memset(p, DUEL_GUARD, bytes + CACHE_LINE);
	return p;
}

DUEL gt_err duel_call(const duel *t, kernel *k, const engine *e, const view *out)
{
	kcall c = { .i = &t->room.head, .out = out, .engine = e };

	for (int n = 0; n < t->room.head.nin; n++)
		c.in[n] = &t->in[n];
	return k(&c);
}

/* Infer the result's shape and compute it by the reference. Takes t->room and t->in as they are. */
DUEL void duel_begin(duel *t)
{
	const meta *metas[INS_INPUTS_MAX];

	for (unsigned n = 0; n < t->room.head.nin; n++)
		metas[n] = ins_kind(&t->room.head, n) ? NULL : &t->in[n].m;
	if (shape_infer(&t->room.head, metas, &t->out.m))
		fail_msg("shapes of a duel: %s", gt_last_error());
	shape_contiguous(&t->out.m, t->out.strides);
	t->out.contiguous = true;
	t->out.data = duel_result(&t->out.m);
	t->error = duel_call(t, engine_reference[t->room.head.op], duel_engine(ISA_BASE, 1),
		&t->out);
	snprintf(t->text, sizeof(t->text), "%s", t->error ? gt_last_error() : "");
}

DUEL void duel_end(duel *t)
{
	free(t->out.data);
}

DUEL bool duel_is_nan(gt_dtype dtype, const void *p)
{
	if (dtype == GT_FLOAT32)
		return *(const float *)p != *(const float *)p;
	return dtype == GT_FLOAT64 && *(const double *)p != *(const double *)p;
}

DUEL bool duel_same(gt_dtype dtype, const void *a, const void *b)
{
	return !memcmp(a, b, dtype_size(dtype)) || (duel_is_nan(dtype, a) && duel_is_nan(dtype, b));
}

DUEL double duel_number(gt_dtype dtype, const void *p)
{
	switch (dtype) {
	case GT_FLOAT32: return *(const float *)p;
	case GT_FLOAT64: return *(const double *)p;
	case GT_INT32: return *(const int32_t *)p;
	case GT_INT64: return (double)*(const int64_t *)p;
	default: return *(const uint8_t *)p;
	}
}

DUEL void duel_compare(const duel *t, const char *got, const char *by)
{
	const char *name = op_rows[t->room.head.op].name, *want = t->out.data;
	gt_dtype dtype = (gt_dtype)t->out.m.dtype;
	size_t size = dtype_size(dtype), count = (size_t)meta_count(&t->out.m);
	char text[128];

	for (size_t n = 0; n < count * size; n += size)
		if (!duel_same(dtype, want + n, got + n))
			fail_msg("%s to %s by %s: element %zu is %.17g, reference %.17g", name,
				meta_text(&t->out.m, text, sizeof(text)), by, n / size,
				duel_number(dtype, got + n), duel_number(dtype, want + n));
	for (size_t n = count * size; n < count * size + CACHE_LINE; n++)
		if ((uint8_t)got[n] != DUEL_GUARD)
			fail_msg("%s by %s writes behind its result", name, by);
}

/* Results with fewer elements never go to the pool: one thread will do. */
#define DUEL_ALONE 1000

/* The same call by all fast tables. */
DUEL void duel_check(const duel *t)
{
	static const char *const names[ISA_COUNT] = { "base", "avx2", "avx512" };
	int threads_max = meta_count(&t->out.m) < DUEL_ALONE ? 1 : 2;

	for (cpu_isa level = ISA_BASE; level <= cpu_isa_level(); level++)
		for (int threads = 1; threads <= threads_max; threads++) {
			const engine *e = duel_engine(level, threads);
			view out = t->out;
			gt_err error;

			out.data = duel_result(&out.m);
			error = duel_call(t, e->kernels[t->room.head.op], e, &out);
			assert_int_equal(error, t->error);
			if (error)
				assert_string_equal(gt_last_error(), t->text);
			else
				duel_compare(t, out.data, names[level]);
			free(out.data);
		}
}

DUEL void duel_run(duel *t)
{
	duel_begin(t);
	duel_check(t);
	duel_end(t);
}

#endif
