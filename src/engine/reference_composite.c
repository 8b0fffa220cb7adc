/* reference_composite.c: composite rows run as their decomposition (ir/compose.h), one primitive
 * after the other, each by the kernel that the engine has for it.
 *
 * On the reference engine this is the slow right version. On other engines it serves the cases that
 * their own composite kernels leave out, at the cost of temporaries.
 */
#include "base/error.h"
#include "engine/reference.h"
#include "ir/compose.h"

#define FRESH_ID ((uint64_t)1 << 63)   /* no client counts that far */
#define VALUES_MAX 16                  /* longest decomposition: 8 */

typedef struct value {
	view v;
	storage *memory;
} value;

typedef struct run {
	const kcall *c;
	value values[VALUES_MAX];      /* number k has id FRESH_ID + k */
	int count;
} run;

static uint64_t fresh_id(void *ctx)
{
	run *r = ctx;

	assert(r->count < VALUES_MAX);
	return FRESH_ID + (uint64_t)r->count++;
}

static const view *find_value(run *r, uint64_t id)
{
	return id >= FRESH_ID ? &r->values[id - FRESH_ID].v : r->c->in[0];
}

static gt_err allocate(run *r, value *to, const meta *m)
{
	size_t size = (size_t)meta_count(m) * dtype_size(m->dtype);

	to->memory = storage_new(r->c->engine->memory, size);
	if (!to->memory)
		return fail(GT_EMEMORY, "%s: no memory for %zu bytes of a temporary",
				op_rows[r->c->i->op].name, size);
	to->v = (view){.data = to->memory->data, .m = *m, .contiguous = true};
	shape_contiguous(m, to->v.strides);
	return GT_OK;
}

/* Input number k, a scalar: converted to what the kernel computes in. */
static void put_scalar(const ins *i, int k, const meta *const *in, const meta *out, view *v,
		double *memory)
{
	scalar s = {.bits = ins_in(i)[k]};

	*v = (view){.data = memory, .contiguous = true};
	v->m.dtype = (uint8_t)engine_scalar_dtype(i, k, in, out);
	engine_scalar(ins_kind(i, (unsigned)k), s, v->m.dtype, memory);
}

static gt_err execute(void *ctx, const ins *i)
{
	run *r = ctx;
	const meta *in[3] = {NULL};
	meta out;
	view scalars[3];
	double memory[3];
	kcall call = {.i = i, .out = r->c->out, .engine = r->c->engine};
	gt_err e;

	for (int k = 0; k < i->nin; k++)
		if (!ins_kind(i, (unsigned)k)) {
			call.in[k] = find_value(r, ins_in(i)[k]);
			in[k] = &call.in[k]->m;
		}
	e = shape_infer(i, in, &out);
	if (e)
		return e;
	for (int k = 0; k < i->nin; k++)
		if (!in[k]) {
			put_scalar(i, k, in, &out, &scalars[k], &memory[k]);
			call.in[k] = &scalars[k];
		}
	if (i->out >= FRESH_ID) {
		value *to = &r->values[i->out - FRESH_ID];
		e = allocate(r, to, &out);
		if (e)
			return e;
		call.out = &to->v;
	}
	return r->c->engine->kernels[i->op](&call);
}

static gt_err run_parts(const kcall *c)
{
	run r = {.c = c};
	const meta *in[INS_INPUTS_MAX] = {&c->in[0]->m};   /* others are scalars */
	composer to = {.fresh = fresh_id, .emit = execute, .ctx = &r};
	gt_err e = compose(c->i, in, &to);

	for (int k = 0; k < r.count; k++)
		if (r.values[k].memory)
			storage_drop(r.values[k].memory);
	return e;
}

gt_err kernel_mean(const kcall *c) { return run_parts(c); }
gt_err kernel_var(const kcall *c) { return run_parts(c); }
gt_err kernel_logsumexp(const kcall *c) { return run_parts(c); }
gt_err kernel_softmax(const kcall *c) { return run_parts(c); }
gt_err kernel_log_softmax(const kcall *c) { return run_parts(c); }
gt_err kernel_layer_norm(const kcall *c) { return run_parts(c); }
