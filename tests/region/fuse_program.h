/* fuse_program.h: little programs as regions, run op by op and as a fusion, and compared.
 *
 * A program is a list of instructions on values by number: live-ins first, as they are made, and
 * results. program_end makes a region of it; what becomes of the values is said in `fates`.
 */
#ifndef TESTS_REGION_FUSE_PROGRAM_H
#define TESTS_REGION_FUSE_PROGRAM_H

#include "engine/trial.h"
#include "base/error.h"
#include "cache/image.h"
#include "cache/plugin.h"
#include "region/fuse.h"

#define PROGRAM_OPS  256
#define PROGRAM_LIVE 64

/* A value's number: live-in m is -1 - m, the result of op k is k. */
typedef int32_t val;

typedef struct program {
	uint32_t n, live_count, inputs_count;
	const ins **run;
	view *views;                     /* live-ins, as the fusion is told of them */
	tensor *live;
	tensor *results;                 /* op by op; memory NULL: a view of another */
	region_op *ops;
	int32_t *inputs;
	region_live_in *live_ins;
	region r;
	const engine *e;
	arena memory;
	uint32_t small;
	fuse_taste taste;
	const char *what;
} program;

TRIAL program *program_new(const engine *e, const char *what)
{
	program *p = mem_zero(sizeof(*p));

	p->e = e;
	p->what = what;
	p->run = arena_alloc(&p->memory, PROGRAM_OPS * sizeof(*p->run));
	p->results = arena_alloc(&p->memory, PROGRAM_OPS * sizeof(*p->results));
	p->ops = arena_alloc(&p->memory, PROGRAM_OPS * sizeof(*p->ops));
	p->inputs = arena_alloc(&p->memory, 4 * PROGRAM_OPS * sizeof(*p->inputs));
	p->views = arena_alloc(&p->memory, PROGRAM_LIVE * sizeof(*p->views));
	p->live = arena_alloc(&p->memory, PROGRAM_LIVE * sizeof(*p->live));
	p->live_ins = arena_alloc(&p->memory, PROGRAM_LIVE * sizeof(*p->live_ins));
	return p;
}

TRIAL void program_free(program *p)
{
	for (uint32_t k = 0; k < p->live_count; k++)
		trial_close(&p->live[k]);
	for (uint32_t k = 0; k < p->n; k++)
		trial_close(&p->results[k]);
	arena_fini(&p->memory);
	mem_free(p);
}

TRIAL const view *program_view(const program *p, val v)
{
	return v < 0 ? &p->live[-1 - v].v : &p->results[v].v;
}

TRIAL val program_live(program *p, gt_dtype dtype, int rank, const int64_t *dims, layout how)
{
	assert_true(p->live_count < PROGRAM_LIVE);
	p->live[p->live_count] = trial_tensor(dtype, rank, dims, how);
	p->live_ins[p->live_count] = (region_live_in){ p->n, REGION_NEVER };
	return -1 - (val)p->live_count++;
}

/* ---- instructions ---- */

typedef struct room { ins *i; val in[INS_INPUTS_MAX]; ins_room words; } room;

TRIAL void program_begin(room *r, unsigned code)
{
	r->i = ins_init(&r->words, code, 1);
}

TRIAL void program_in(room *r, val v)
{
	r->in[r->i->nin] = v;
	ins_put_input(r->i, 1);
}

TRIAL void program_scalar(room *r, double x)
{
	r->in[r->i->nin] = REGION_SCALAR;
	ins_put_scalar(r->i, KIND_FLOAT, (scalar){ .f = x });
}

TRIAL void program_int(room *r, int64_t x)
{
	r->in[r->i->nin] = REGION_SCALAR;
	ins_put_scalar(r->i, KIND_INT, (scalar){ .i = x });
}

/* The result as a view of the input, or by the engine's kernel. */
TRIAL void program_compute(const program *p, const ins *i, const tensor *in, tensor *out)
{
	const meta *metas[INS_INPUTS_MAX] = { NULL };
	int64_t offset = 0;

	for (unsigned k = 0; k < i->nin; k++)
		metas[k] = ins_kind(i, k) ? NULL : &in[k].v.m;
	*out = (tensor){ 0 };
	if (shape_infer(i, metas, &out->v.m))
		fail_msg("%s: %s", p->what, gt_last_error());
	if (op_rows[i->op].kind == KIND_VIEW &&
		shape_view(i, &in[0].v.m, in[0].v.strides, &out->v.m, out->v.strides, &offset)) {
		out->v.data = (char *)in[0].v.data +
			offset * (int64_t)dtype_size((gt_dtype)out->v.m.dtype);
		out->v.contiguous = shape_is_contiguous(&out->v.m, out->v.strides);
		return;
	}
	*out = trial_run(p->e, i, in);
}

TRIAL val program_put(program *p, const room *r)
{
	ins *i = arena_alloc(&p->memory, r->i->words * sizeof(uint64_t));
	tensor in[INS_INPUTS_MAX];
	region_op *o = &p->ops[p->n];

	assert_true(p->n < PROGRAM_OPS);
	memcpy(i, r->i, r->i->words * sizeof(uint64_t));
	p->run[p->n] = i;
	*o = (region_op){ .op = i->op, .kinds = i->kinds, .nin = i->nin, .nopd = i->nopd,
		.first = p->inputs_count, .last_use = REGION_NEVER, .freed = REGION_NEVER,
		.attr = i->attr.bits };
	for (unsigned k = 0; k < i->nin; k++) {
		p->inputs[p->inputs_count++] = r->in[k];
		if (r->in[k] == REGION_SCALAR)
			continue;
		in[k] = (tensor){ .v = *program_view(p, r->in[k]) };
		if (r->in[k] >= 0)
			p->ops[r->in[k]].last_use = p->n;
	}
	program_compute(p, i, in, &p->results[p->n]);
	return (val)p->n++;
}

TRIAL val op1(program *p, unsigned code, val a)
{
	room r;

	program_begin(&r, code);
	program_in(&r, a);
	return program_put(p, &r);
}

TRIAL val op2(program *p, unsigned code, val a, val b)
{
	room r;

	program_begin(&r, code);
	program_in(&r, a);
	program_in(&r, b);
	return program_put(p, &r);
}

TRIAL val op3(program *p, unsigned code, val a, val b, val c)
{
	room r;

	program_begin(&r, code);
	program_in(&r, a);
	program_in(&r, b);
	program_in(&r, c);
	return program_put(p, &r);
}

TRIAL val ops(program *p, unsigned code, val a, double s)
{
	room r;

	program_begin(&r, code);
	program_in(&r, a);
	program_scalar(&r, s);
	return program_put(p, &r);
}

TRIAL val reduce(program *p, unsigned code, val a, unsigned axes, bool keep)
{
	room r;

	program_begin(&r, code);
	r.i->attr.axes = (uint8_t)axes;
	r.i->attr.keepdims = keep;
	program_in(&r, a);
	if (code == OP_var)
		program_scalar(&r, 1);
	return program_put(p, &r);
}

TRIAL val along(program *p, unsigned code, val a, unsigned axis)
{
	room r;

	program_begin(&r, code);
	r.i->attr.axis = (uint8_t)axis;
	program_in(&r, a);
	return program_put(p, &r);
}

TRIAL val normalize(program *p, val a, unsigned axes)
{
	room r;

	program_begin(&r, OP_layer_norm);
	r.i->attr.axes = (uint8_t)axes;
	program_in(&r, a);
	program_scalar(&r, 1e-5);
	return program_put(p, &r);
}

TRIAL val cast(program *p, val a, gt_dtype d)
{
	room r;

	program_begin(&r, OP_cast);
	r.i->attr.dtype = (uint8_t)d;
	program_in(&r, a);
	return program_put(p, &r);
}

TRIAL val shaped(program *p, unsigned code, val a, int rank, const int64_t *dims)
{
	room r;

	program_begin(&r, code);
	program_in(&r, a);
	for (int k = 0; k < rank; k++)
		ins_put_operand(r.i, dims[k]);
	return program_put(p, &r);
}

TRIAL val permute(program *p, val a, int rank, const int *perm)
{
	room r;

	program_begin(&r, OP_permute);
	for (int k = 0; k < rank; k++)
		r.i->attr.perm[k] = (uint8_t)perm[k];
	program_in(&r, a);
	return program_put(p, &r);
}

TRIAL val transpose(program *p, val a)   /* of the last two dims */
{
	const int rank = program_view(p, a)->m.rank;
	int perm[GT_RANK_MAX];

	for (int k = 0; k < rank; k++)
		perm[k] = k;
	perm[rank - 1] = rank - 2;
	perm[rank - 2] = rank - 1;
	return permute(p, a, rank, perm);
}

TRIAL val full(program *p, gt_dtype d, double x, int rank, const int64_t *dims)
{
	room r;

	program_begin(&r, OP_full);
	r.i->attr.dtype = (uint8_t)d;
	program_scalar(&r, x);
	for (int k = 0; k < rank; k++)
		ins_put_operand(r.i, dims[k]);
	return program_put(p, &r);
}

/* ---- the region ---- */

TRIAL void program_end(program *p)
{
	p->r = (region){ .n = p->n, .inputs_count = p->inputs_count,
		.live_ins_count = p->live_count, .ops = p->ops, .inputs = p->inputs,
		.live_ins = p->live_ins };
	for (uint32_t k = 0; k < p->live_count; k++)
		p->views[k] = p->live[k].v;
	for (uint32_t k = 0; k < p->n; k++)
		p->ops[k].size = 1;
}

/* All other values are freed after their last use. */
TRIAL void program_keep(program *p, const val *kept, int count)
{
	for (uint32_t k = 0; k < p->n; k++)
		p->ops[k].freed = p->ops[k].last_use == REGION_NEVER ? k : p->ops[k].last_use;
	for (int k = 0; k < count; k++) {
		p->ops[kept[k]].live_out = true;
		p->ops[kept[k]].freed = REGION_NEVER;
	}
}

TRIAL fusion *program_fuse(program *p, bool alone)
{
	const fuse_input in = { .r = &p->r, .run = p->run, .live_ins = p->views,
		.small = p->small, .alone = alone, .taste = p->taste };
	fusion *f;

	if (fuse_make(&in, &f))
		fail_msg("%s: %s", p->what, gt_last_error());
	for (uint32_t k = 0; k < f->groups.count; k++)
		if (group_check(f->groups.at[k].g))
			fail_msg("%s: group %u: %s", p->what, k, gt_last_error());
	return f;
}

TRIAL void program_show(const fusion *f)
{
	buf text = { 0 };

	fusion_print(f, &text);
	fprintf(stderr, "%s", buf_text(&text));
	buf_fini(&text);
}

TRIAL void program_same(const program *p, const fusion *f, uint32_t v, const view *got)
{
	const tensor *expected = &p->results[v];
	room r;
	char what[160];
	tensor a, b;

	program_begin(&r, OP_clone);
	program_in(&r, 0);
	a = trial_run(p->e, r.i, &(tensor){ .v = expected->v });
	b = trial_run(p->e, r.i, &(tensor){ .v = *got });
	snprintf(what, sizeof what, "%s: %%%u (%s)", p->what, v,
		op_rows[p->run[v]->op].name);
	for (int64_t k = 0; k < meta_count(&a.v.m); k++) {
		const size_t size = dtype_size((gt_dtype)a.v.m.dtype);

		if (memcmp((char *)a.v.data + k * (int64_t)size,
			(char *)b.v.data + k * (int64_t)size, size) &&
			!(trial_is_nan(&a, k) && trial_is_nan(&b, k))) {
			program_show(f);
			break;
		}
	}
	trial_same(&a, &b, what);
	trial_close(&a);
	trial_close(&b);
}

/* Another run of the same program: other scalars, slice bounds and draw numbers, where a fusion
 * may not have looked at them. */
TRIAL void program_vary(program *p)
{
	for (uint32_t k = 0; k < p->n; k++) {
		ins *i = (ins *)p->run[k];
		int64_t *opd = (int64_t *)i->tail + i->nin;
		tensor in[INS_INPUTS_MAX];

		for (unsigned n = 0; n < i->nin; n++)
			if (p->inputs[p->ops[k].first + n] != REGION_SCALAR)
				in[n].v = *program_view(p, p->inputs[p->ops[k].first + n]);
			else if (op_rows[i->op].kind != KIND_COMPOSITE)
				i->tail[n] = ins_kind(i, n) == KIND_FLOAT ?
					(scalar){ .f = trial_number() }.bits : trial_random() % 2;
		for (int d = 0; i->op == OP_slice && d < in[0].v.m.rank; d++, opd += 3)
			if (opd[1] && opd[2] > 0)
				opd[0] = (int64_t)(trial_random() % (uint64_t)
					(in[0].v.m.dims[d] - (opd[1] - 1) * opd[2]));
		if (i->op == OP_rand || i->op == OP_randn || i->op == OP_randint)
			opd[1] = (int64_t)(trial_random() % 1000);
		if (i->op == OP_randint)         /* it refuses empty ranges */
			i->tail[1] = i->tail[0] + 1 + trial_random() % 50;
		trial_close(&p->results[k]);
		program_compute(p, i, in, &p->results[k]);
	}
}

TRIAL view program_got(const fusion *f, const fuse_memory *m, uint32_t v)
{
	const fuse_value *o = &f->values.at[v];
	view to = { .data = m->data[v], .m = o->m };

	memcpy(to.strides, o->strides, sizeof to.strides);
	to.contiguous = shape_is_contiguous(&o->m, o->strides);
	return to;
}

/* What is there when the run is left behind op `last`. */
typedef struct moment { const fusion *f; const fuse_memory *m; uint32_t last; } moment;

TRIAL bool program_there(void *ctx, uint32_t v)
{
	const moment *now = ctx;
	const fuse_value *o = &now->f->values.at[v];

	return now->m->data[v] && o->until >= now->last && now->f->values.at[o->base].until >=
		now->last;
}

/* Compute a value that is nowhere from what is there, by eager kernels. */
TRIAL void program_recompute(const program *p, const moment *now, uint32_t v)
{
	const fusion *f = now->f;
	uint32_t *rows = mem_alloc((f->order.count + 1) * sizeof(*rows));
	tensor *made = mem_zero(f->values.count * sizeof(*made));
	const uint32_t count = fusion_slice(f, v, program_there, (void *)now, rows);

	for (uint32_t at = 0; at < count; at++) {
		const fuse_value *o = &f->values.at[rows[at]];
		tensor in[INS_INPUTS_MAX];

		for (unsigned k = 0; k < o->row->nin; k++) {
			const uint32_t u = (uint32_t)(ins_in(o->row)[k] - 1);

			if (ins_kind(o->row, k))
				continue;
			if (!made[u].v.data && !program_there((void *)now, u)) {
				program_show(f);
				fail_msg("%s: behind op %u there is nothing to compute %%%u from: "
					"value %u is missing", p->what, now->last,
					v, u);
			}
			in[k] = made[u].v.data ? made[u] :
				(tensor){ .v = program_got(f, now->m, u) };
		}
		program_compute(p, fusion_row(f, rows[at], p->run), in, &made[rows[at]]);
	}
	program_same(p, f, v, &made[v].v);
	for (uint32_t k = 0; k < f->values.count; k++)
		trial_close(&made[k]);
	mem_free(made);
	mem_free(rows);
}

/* ---- compiled ---- */

/* With a generator, groups are compiled; each once. */
TRIAL const codegen *program_generator;
TRIAL struct { buf key; image code; } program_codes[4096];
TRIAL int program_codes_count;

TRIAL kernel_fn *program_code(const fuse_group *g)
{
	const codegen_options o = { .isa = cpu_isa_level() };
	buf bytes = { 0 };
	int k = 0;

	while (k < program_codes_count && (program_codes[k].key.size != g->key.size ||
		memcmp(program_codes[k].key.data, g->key.data, g->key.size)))
		k++;
	if (k < program_codes_count)
		return program_codes[k].code.run;
	assert_true(k < (int)COUNT(program_codes));
	if (program_generator->compile(g->g, &o, &bytes, NULL, NULL))
		fail_msg("a group does not compile: %s", program_generator->error());
	assert_int_equal(image_map(bytes.data, bytes.size, &program_codes[k].code), GT_OK);
	buf_put(&program_codes[k].key, g->key.data, g->key.size);
	buf_fini(&bytes);
	program_codes_count++;
	return program_codes[k].code.run;
}

TRIAL void program_codes_free(void)
{
	print_message("%d groups compiled\n", program_codes_count);
	while (program_codes_count) {
		image_unmap(&program_codes[--program_codes_count].code);
		buf_fini(&program_codes[program_codes_count].key);
	}
}

TRIAL kernel_fn **program_kernels(const fusion *f)
{
	kernel_fn **to;

	if (!program_generator)
		return NULL;
	to = mem_alloc((f->groups.count + 1) * sizeof(*to));
	for (uint32_t k = 0; k < f->groups.count; k++)
		to[k] = program_code(&f->groups.at[k]);
	return to;
}

/* Leave the run behind op `last`: everything that is not freed by then is there or can be had. */
TRIAL void program_leave(const program *p, const fusion *f, uint32_t last)
{
	void **live = mem_alloc((p->live_count + 1) * sizeof(*live));
	kernel_fn **kernels = program_kernels(f);
	fuse_memory m;
	moment now = { f, &m, last };

	for (uint32_t k = 0; k < p->live_count; k++)
		live[k] = p->live[k].v.data;
	if (fusion_run_reference(f, p->e, kernels, p->run, live, last, &m))
		fail_msg("%s: %s", p->what, gt_last_error());
	for (uint32_t k = 0; k <= last && k < p->n; k++) {
		if (p->ops[k].freed < last)
			continue;
		if (program_there(&now, k)) {
			const view got = program_got(f, &m, k);

			program_same(p, f, k, &got);
		} else {
			program_recompute(p, &now, k);
		}
	}
	fuse_memory_free(&m);
	mem_free(kernels);
	mem_free(live);
}

/* Live-outs, what is read and small results have memory of their own at the end. */
TRIAL void program_check(const program *p, const fusion *f)
{
	for (uint32_t k = 0; k < p->n; k++) {
		const fuse_value *o = &f->values.at[k];

		if (!p->ops[k].live_out && !p->ops[k].read)
			continue;
		assert_int_not_equal(o->where, FUSE_DEAD);
		assert_int_not_equal(o->where, FUSE_FUSED);
		assert_int_not_equal(o->where, FUSE_ARENA);
		assert_int_not_equal(f->values.at[o->base].where, FUSE_ARENA);
		if (p->ops[k].read && f->steps.at[o->step].launch > k) {
			program_show(f);
			fail_msg("%s: %%%u is read, but made behind %%%u", p->what, k,
				f->steps.at[o->step].launch);
		}
	}
	program_leave(p, f, p->n - 1);
}

TRIAL unsigned count_steps(const fusion *f, fuse_kind kind)
{
	unsigned n = 0;

	for (uint32_t k = 0; k < f->steps.count; k++)
		n += f->steps.at[k].kind == kind;
	return n;
}

/* The program as a fusion of which `kept` are wanted. */
TRIAL fusion *program_fuse_kept(program *p, const val *kept, int count)
{
	program_end(p);
	program_keep(p, kept, count);
	return program_fuse(p, false);
}

/* Interpreted, left anywhere, compiled if there is a compiler, and both with other numbers, for which
 * it is still good. */
TRIAL void program_check_all(program *p, fusion *f)
{
	program_check(p, f);
	for (uint32_t last = 0; last < p->n; last++)
		program_leave(p, f, last);
	if (!plugin_open(&program_generator))
		program_check(p, f);
	program_vary(p);
	for (uint32_t k = 0; k < p->n; k++)
		assert_true(fusion_fits(f, k, p->run[k]));
	program_check(p, f);
	program_generator = NULL;
	program_check(p, f);
}

#endif
