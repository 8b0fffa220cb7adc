/* trial.h: run one kernel of one engine on tensors in any layout, and compare results to the
 * bit. */
#ifndef TRIAL_H
#define TRIAL_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "check.h"
#include "base/base.h"
#include "base/mem.h"
#include "engine/rows.h"
#include "ir/op.h"

#define TRIAL __attribute__((unused)) static

/* ---- Tensors. ---- */

typedef enum layout { PLAIN, TRANSPOSED, STEPPED, FLIPPED, REPEATED, LAYOUTS } layout;

TRIAL const char *const layout_names[LAYOUTS] =
	{"plain", "transposed", "stepped", "flipped", "repeated"};

typedef struct tensor { view v; void *memory; } tensor;

TRIAL uint64_t trial_state = 88172645463325252u;

TRIAL uint64_t trial_random(void)   /* xorshift64 */
{
	trial_state ^= trial_state << 13;
	trial_state ^= trial_state >> 7;
	return trial_state ^= trial_state << 17;
}

/* From -1 to 1; about one in eight is a small integer, so that equal ones occur. */
TRIAL double trial_number(void)
{
	uint64_t r = trial_random();

	return r % 8 == 0 ? (double)(int64_t)(r >> 8 & 7) - 3
		: (double)(int64_t)(r >> 11) * 0x1p-52 - 1;
}

TRIAL void trial_set(void *p, gt_dtype dtype, int64_t at, double x)
{
	switch (dtype) {
	case GT_FLOAT32: ((float *)p)[at] = (float)x; break;
	case GT_FLOAT64: ((double *)p)[at] = x; break;
	case GT_INT32:   ((int32_t *)p)[at] = (int32_t)(x * 100); break;
	case GT_INT64:   ((int64_t *)p)[at] = (int64_t)(x * 100); break;
	default:         ((uint8_t *)p)[at] = x > -0.5; break;
	}
}

TRIAL void trial_close(tensor *t)
{
	mem_free(t->memory);
}

/* A tensor of that shape whose elements lie in memory as `how` says: TRANSPOSED reverses the order
 * of dims in memory, STEPPED leaves gaps along the last and the first dim, FLIPPED walks the last
 * one backwards, REPEATED has a step of 0 along the first one. Memory behind the last element
 * belongs to somebody else (to the sanitizer). */
TRIAL tensor trial_tensor(gt_dtype dtype, int rank, const int64_t *dims, layout how)
{
	tensor t = {.v = {.m = {.dtype = (uint8_t)dtype, .rank = (uint8_t)rank}}};
	int64_t count = 1, size = (int64_t)dtype_size(dtype), first = 0;

	for (int k = 0; k < rank; k++)
		t.v.m.dims[k] = dims[k];
	for (int n = 0; n < rank; n++) {
		int k = how == TRANSPOSED ? n : rank - 1 - n;
		int64_t room = dims[k];

		t.v.strides[k] = count;
		if (how == STEPPED && (k == 0 || k == rank - 1)) {
			t.v.strides[k] *= 3;
			room = room ? 3 * room - 2 : 0;
		} else if (how == REPEATED && k == 0) {
			t.v.strides[k] = 0;
			room = MIN(room, 1);
		} else if (how == FLIPPED && k == rank - 1) {
			t.v.strides[k] = -count;
			first = count * MAX(room - 1, 0);
		}
		count *= room;
	}
	t.memory = mem_alloc((size_t)(count * size));
	for (int64_t k = 0; k < count; k++)
		trial_set(t.memory, dtype, k, trial_number());
	t.v.data = (char *)t.memory + first * size;
	t.v.contiguous = shape_is_contiguous(&t.v.m, t.v.strides);
	return t;
}

/* Put x at a random element (of the memory, so it may be repeated). */
TRIAL void trial_plant(const tensor *t, double x)
{
	int64_t at = 0;

	if (meta_count(&t->v.m) == 0)
		return;
	for (int k = 0; k < t->v.m.rank; k++)
		at += (int64_t)(trial_random() % (uint64_t)t->v.m.dims[k]) * t->v.strides[k];
	trial_set(t->v.data, t->v.m.dtype, at, x);
}

/* ---- Engines. ---- */

/* The reference, or the fast rows of one instruction set. */
TRIAL engine *trial_engine(int level, int threads)
{
	engine *e;

	engine_backend backend = level < 0 ? ENGINE_REFERENCE : ENGINE_CPU;

	assert_int_equal(engine_open(backend, threads, (uint64_t)4 << 30, &e), GT_OK);
	if (level >= 0)
		engine_rows(e->kernels, (cpu_isa)level);
	return e;
}

/* What is compared: the reference, and the fast rows of every instruction set that this machine
 * has, with one thread and with three. */
TRIAL engine *trial_reference;
TRIAL struct { engine *e; char name[32]; } trial_fast[ISA_COUNT * 2];
TRIAL int trial_fast_count;

TRIAL int trial_open(void **state)
{
	static const char *const names[ISA_COUNT] = {"base", "avx2", "avx512"};

	(void)state;
	trial_reference = trial_engine(-1, 1);
	for (int level = 0; level <= (int)cpu_isa_level(); level++)
		for (int threads = 1; threads <= 3; threads += 2) {
			snprintf(trial_fast[trial_fast_count].name,
					sizeof trial_fast->name, "%s, %d threads",
					names[level], threads);
			trial_fast[trial_fast_count++].e = trial_engine(level, threads);
		}
	return 0;
}

TRIAL int trial_close_all(void **state)
{
	(void)state;
	engine_close(trial_reference);
	while (trial_fast_count > 0)
		engine_close(trial_fast[--trial_fast_count].e);
	return 0;
}

/* Run `i`, whose inputs are `in` (scalars stand in the instruction); gives a fresh contiguous
 * tensor. */
TRIAL tensor trial_run(const engine *e, const ins *i, const tensor *in)
{
	const meta *metas[INS_INPUTS_MAX] = {NULL};
	view scalars[INS_SCALARS_MAX];
	double memory[INS_SCALARS_MAX];
	tensor out = {0};
	kcall c = {.i = i, .out = &out.v, .engine = e};
	meta m;

	for (unsigned k = 0; k < i->nin; k++)
		if (!ins_kind(i, k))
			metas[k] = &in[k].v.m;
	if (shape_infer(i, metas, &m) != GT_OK)
		fail_msg("%s", gt_last_error());
	out.v.m = m;
	out.v.contiguous = true;
	shape_contiguous(&m, out.v.strides);
	out.v.data = out.memory = mem_alloc((size_t)meta_count(&m) * dtype_size(m.dtype));
	memset(out.memory, 0xa5, (size_t)meta_count(&m) * dtype_size(m.dtype));
	for (unsigned k = 0; k < i->nin; k++)
		if (ins_kind(i, k)) {
			scalars[k] = (view){.data = &memory[k], .contiguous = true,
				.m = {.dtype = (uint8_t)engine_scalar_dtype(i, (int)k, metas, &m)}};
			engine_scalar(ins_kind(i, k), (scalar){.bits = ins_in(i)[k]},
					scalars[k].m.dtype, &memory[k]);
			c.in[k] = &scalars[k];
		} else {
			c.in[k] = &in[k].v;
		}
	if (e->kernels[i->op](&c) != GT_OK)
		fail_msg("%s", gt_last_error());
	return out;
}

/* ---- Comparing. ---- */

TRIAL bool trial_is_nan(const tensor *t, int64_t at)
{
	if (t->v.m.dtype == GT_FLOAT32)
		return isnan(((float *)t->v.data)[at]);
	return t->v.m.dtype == GT_FLOAT64 && isnan(((double *)t->v.data)[at]);
}

TRIAL double trial_get(const tensor *t, int64_t at)
{
	switch (t->v.m.dtype) {
	case GT_FLOAT32: return (double)((float *)t->v.data)[at];
	case GT_FLOAT64: return ((double *)t->v.data)[at];
	case GT_INT32:   return ((int32_t *)t->v.data)[at];
	case GT_INT64:   return (double)((int64_t *)t->v.data)[at];
	default:         return ((uint8_t *)t->v.data)[at];
	}
}

/* Both contiguous, same shape: same bits, except that one NaN is as good as another. `what` says
 * what was run. */
TRIAL void trial_same(const tensor *expected, const tensor *got, const char *what)
{
	int64_t count = meta_count(&expected->v.m), size = (int64_t)dtype_size(expected->v.m.dtype);

	assert_int_equal(expected->v.m.dtype, got->v.m.dtype);
	for (int64_t k = 0; k < count; k++) {
		if (!memcmp((char *)expected->memory + k * size, (char *)got->memory + k * size,
				(size_t)size))
			continue;
		if (trial_is_nan(expected, k) && trial_is_nan(got, k))
			continue;
		fail_msg("%s: element %lld of %lld is %.17g, expected %.17g", what, (long long)k,
				(long long)count, trial_get(got, k), trial_get(expected, k));
	}
}

#endif
