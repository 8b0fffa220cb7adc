/* fuse_run.c: a fusion run the slow way, on memory from malloc: what fast ways are compared with.
 */
#include "region/fuse.h"

#include "base/clock.h"
#include "base/error.h"
#include "engine/index.h"
#include "group/helpers.h"
#include "group/reference.h"
#include "region/fuse_time.h"

typedef struct machine {
	const fusion *f;
	const engine *e;
	kernel_fn *const *kernels;
	const ins *const *run;
	fuse_memory *memory;
} machine;

static const fuse_value *value_of(const machine *m, uint32_t v)
{
	return &m->f->values.at[v];
}

static void make_room(const machine *m, uint32_t v)
{
	const fuse_value *o = value_of(m, v);
	const size_t size = (size_t)meta_count(&o->m) * dtype_size((gt_dtype)o->m.dtype);

	if (m->memory->own[v])           /* the step is run once more */
		m->memory->data[v] = m->memory->own[v];
	else if (o->where == FUSE_ARENA)
		m->memory->data[v] = (char *)m->memory->arena + o->at;
	else
		m->memory->data[v] = m->memory->own[v] = mem_alloc(size);
}

static void show(const machine *m, uint32_t v)
{
	char *base = m->memory->data[value_of(m, v)->base];

	m->memory->data[v] = base + fusion_offset(m->f, v, m->run);
}

/* ---- calls ---- */

static view view_of(const machine *m, uint32_t v)
{
	const fuse_value *o = value_of(m, v);
	view to = { .data = m->memory->data[v], .m = o->m };

	memcpy(to.strides, o->strides, sizeof to.strides);
	to.contiguous = shape_is_contiguous(&o->m, o->strides);
	return to;
}

static gt_err upload(const machine *m, uint32_t v)
{
	const blob *b = ins_blob(m->run[value_of(m, v)->op]);

	memcpy(m->memory->data[v], b->data, b->size);
	return GT_OK;
}

/* There is memory for the result. */
static gt_err run_call(const machine *m, uint32_t v)
{
	const fuse_value *o = value_of(m, v);
	const ins *i = fusion_row(m->f, v, m->run);
	view in[INS_INPUTS_MAX], out;
	const meta *metas[INS_INPUTS_MAX];
	uint64_t words[INS_SCALARS_MAX];
	kcall c = { .i = i, .out = &out, .engine = m->e };

	if (i->op == OP_upload)
		return upload(m, v);
	out = view_of(m, v);
	for (unsigned k = 0; k < i->nin; k++)
		metas[k] = ins_kind(i, k) ? NULL :
			&value_of(m, (uint32_t)(ins_in(o->row)[k] - 1))->m;
	for (unsigned k = 0; k < i->nin; k++) {
		c.in[k] = &in[k];
		if (!ins_kind(i, k)) {
			in[k] = view_of(m, (uint32_t)(ins_in(o->row)[k] - 1));
			continue;
		}
		in[k] = (view){ .data = &words[k], .contiguous = true };
		in[k].m.dtype = (uint8_t)engine_scalar_dtype(i, (int)k, metas, &o->m);
		engine_scalar((dtype_kind)ins_kind(i, k), (scalar){ .bits = ins_in(i)[k] },
			(gt_dtype)in[k].m.dtype, &words[k]);
	}
	return m->e->kernels[i->op](&c);
}

/* ---- kernels ---- */

static void convert_scalars(const machine *m, const fuse_step *s, unsigned count, uint64_t *to)
{
	for (unsigned k = 0; k < count; k++) {
		const fuse_scalar *from = &m->f->scalars.at[s->scalars + k];
		const uint64_t bits = from->op == REGION_NEVER ? from->bits :
			ins_in(m->run[from->op])[from->input];

		to[k] = 0;
		engine_scalar((dtype_kind)from->kind, (scalar){ .bits = bits },
			(gt_dtype)from->dtype, &to[k]);
	}
}

static void run_kernel(const machine *m, const fuse_step *s)
{
	const group *g = m->f->groups.at[s->group].g;
	uint64_t scalars[GROUP_SCALARS];
	kernel_arg args[GROUP_ARGS];
	int64_t calls = 1;
	kernel_call call;

	convert_scalars(m, s, g->scalars_count, scalars);
	for (int k = 0; k < s->outer_count; k++)
		calls *= s->outer[k];
	for (int64_t at = 0; at < calls; at++) {
		for (unsigned k = 0; k < g->args_count; k++) {
			const fuse_arg *a = &m->f->args.at[s->args + k];
			char *data = g->args[k].counts ? KERNEL_NUMBERS :
				m->memory->data[a->value != FUSE_NONE ? a->value : s->source];
			int64_t rest = at;

			for (int d = s->outer_count - 1; d >= 0; d--) {
				data += rest % s->outer[d] * a->outer[d];
				rest /= s->outer[d];
			}
			args[k] = (kernel_arg){ data, a->row, a->col };
		}
		call = (kernel_call){ s->rows, s->cols, args, scalars, helpers };
		if (m->kernels && m->kernels[s->group])
			m->kernels[s->group](&call);
		else
			group_run(g, &call);
	}
}

/* Of the ops that the step is made of: are all indices in range? */
static gt_err look_at_indices(const machine *m, const fuse_step *s)
{
	for (uint32_t n = 0; n < m->f->checks.count; n++) {
		const fuse_check *c = &m->f->checks.at[n];
		const kcall call = { .i = m->run[c->op] };
		const view indices = view_of(m, c->value);
		gt_err e = GT_OK;

		for (uint32_t k = 0; k < s->members_count && !e; k++)
			if (value_of(m, m->f->members.at[s->members + k])->op == c->op)
				e = index_check(&call, &indices, c->size);
		if (e)
			return e;
	}
	return GT_OK;
}

static void make_rooms(const machine *m, const fuse_step *s)
{
	const group *g = m->f->groups.at[s->group].g;

	for (unsigned k = 0; k < g->args_count; k++)
		if (g->args[k].out && m->f->args.at[s->args + k].value != FUSE_NONE)
			make_room(m, m->f->args.at[s->args + k].value);
}

/* The whole product, then the kernel on all of it. */
static gt_err run_product(const machine *m, const fuse_step *s)
{
	gt_err e;

	make_rooms(m, s);
	if (s->onto == s->value)
		make_room(m, s->value);
	else
		m->memory->data[s->value] = m->memory->data[s->onto];
	e = run_call(m, s->value);
	if (!e)
		run_kernel(m, s);
	if (s->onto != s->value)
		m->memory->data[s->value] = NULL;
	return e;
}

static uint32_t input_of(const machine *m, const fuse_step *s, unsigned k)
{
	return (uint32_t)(ins_in(value_of(m, s->value)->row)[k] - 1);
}

/* All of the source, then the op that adds it. */
static gt_err run_add(const machine *m, const fuse_step *s)
{
	const uint32_t base = input_of(m, s, 0), root = fusion_root(m->f, base);
	gt_err e = GT_OK;

	make_rooms(m, s);
	make_room(m, s->value);
	if (value_of(m, s->source)->where == FUSE_FUSED)
		make_room(m, s->source);
	run_kernel(m, s);
	if (fusion_adds_to_full(m->f, s)) {
		make_room(m, root);
		e = run_call(m, root);
		m->memory->data[base] = m->memory->data[root];
	}
	m->memory->data[input_of(m, s, 2)] = m->memory->data[s->source];
	e = e ? e : run_call(m, s->value);
	if (value_of(m, s->source)->where == FUSE_FUSED)
		m->memory->data[input_of(m, s, 2)] = m->memory->data[s->source] = NULL;
	if (fusion_adds_to_full(m->f, s) && value_of(m, root)->where == FUSE_FUSED)
		m->memory->data[base] = m->memory->data[root] = NULL;
	return e;
}

static gt_err run_step(const machine *m, const fuse_step *s)
{
	gt_err e;

	switch (s->kind) {
	case STEP_KERNEL:
		if ((e = look_at_indices(m, s)))
			return e;
		make_rooms(m, s);
		run_kernel(m, s);
		return GT_OK;
	case STEP_PRODUCT:
		e = look_at_indices(m, s);
		return e ? e : run_product(m, s);
	case STEP_ADD:
		e = look_at_indices(m, s);
		return e ? e : run_add(m, s);
	case STEP_CALL:
		make_room(m, s->value);
		return run_call(m, s->value);
	default:
		show(m, s->value);
		return GT_OK;
	}
}

/* ---- a run ---- */

static void open_memory(const fusion *f, void *const *live_ins, fuse_memory *memory)
{
	memory->count = f->values.count;
	memory->data = mem_zero((f->values.count + 1) * sizeof(void *));
	memory->own = mem_zero((f->values.count + 1) * sizeof(void *));
	memory->arena = mem_alloc(f->arena_size);
	for (uint32_t k = 0; k < f->live_ins; k++)
		memory->data[f->ops + k] = live_ins[k];
}

gt_err fusion_run_reference(const fusion *f, const engine *e, kernel_fn *const *kernels,
	const ins *const *run, void *const *live_ins, uint32_t last, fuse_memory *memory)
{
	const machine m = { f, e, kernels, run, memory };
	gt_err err = GT_OK;

	open_memory(f, live_ins, memory);
	for (uint32_t k = 0; k < f->steps.count && !err; k++) {
		const fuse_step *s = &f->steps.at[k];

		if (s->launch > last)
			break;
		err = run_step(&m, s);
	}
	return err;
}

void fuse_memory_free(fuse_memory *memory)
{
	for (uint32_t k = 0; k < memory->count; k++)
		mem_free(memory->own[k]);
	mem_free(memory->own);
	mem_free(memory->data);
	mem_free(memory->arena);
}

/* ---- times ---- */

#define ROUNDS   5               /* of which the least counts */
#define ROUND_NS 30000           /* a round is so long at least: the clock is no part of it */

struct fuse_timer {
	machine m;
	fuse_memory memory;
	kernel_fn **kernels;
};

fuse_timer *fuse_timer_open(const fusion *f, const engine *e, const ins *const *run,
	void *const *live_ins)
{
	fuse_timer *t = mem_zero(sizeof *t);

	t->kernels = mem_zero((f->groups.count + 1) * sizeof *t->kernels);
	t->m = (machine){ f, e, t->kernels, run, &t->memory };
	open_memory(f, live_ins, &t->memory);
	return t;
}

void fuse_timer_close(fuse_timer *t)
{
	if (!t)
		return;
	fuse_memory_free(&t->memory);
	mem_free(t->kernels);
	mem_free(t);
}

static gt_err run_round(const fuse_timer *t, const fuse_step *s, uint64_t times, uint64_t *ns)
{
	const uint64_t from = clock_thread_cpu_ns();
	gt_err e = GT_OK;

	for (uint64_t k = 0; k < times && !e; k++)
		e = run_step(&t->m, s);
	*ns = (clock_thread_cpu_ns() - from) / times;
	return e;
}

gt_err fuse_timer_step(fuse_timer *t, uint32_t step, kernel_fn *code, uint64_t *ns)
{
	const fuse_step *s = &t->m.f->steps.at[step];
	uint64_t times, now;
	gt_err e;

	if (s->kind <= STEP_ADD)
		t->kernels[s->group] = code;
	*ns = 0;
	if ((e = run_round(t, s, 1, ns)) || s->kind == STEP_VIEW || s->kind == STEP_ALIAS)
		return e;
	times = 1 + ROUND_NS / (*ns + 1);
	for (int k = 0; k < ROUNDS && !e; k++) {
		e = run_round(t, s, times, &now);
		*ns = MIN(*ns, now);
	}
	return e;
}
