/* fuse.c: the passes in their order, and what can be asked of a fusion afterwards. */
#include "region/fuse.h"

#include "region/fuse_graph.h"

#define ATTEMPTS 8               /* the last one takes no composite apart */

/* ---- why values are in memory ---- */

static void find_edges(fuse_graph *g, uint32_t v)
{
	const fuse_node *n = &g->nodes[v];
	const ins *row = g->f->values.at[v].row;

	for (unsigned k = 0; k < row->nin && k < COUNT(n->refused); k++) {
		uint32_t from;

		if (ins_kind(row, k))
			continue;
		from = g->nodes[fuse_input_of(row, k)].root;
		if (!n->refused[k] || g->nodes[from].unit == n->unit)
			continue;
		FUSE_PUSH(&g->f->edges, ((fuse_edge){ from, v, n->refused[k] }));
		if (!g->f->values.at[from].why)
			g->f->values.at[from].why = n->refused[k];
	}
}

static void explain(fuse_graph *g)
{
	const fusion *f = g->f;

	for (uint32_t v = 0; v < f->values.count; v++)
		f->values.at[v].why = g->nodes[v].pin;
	for (uint32_t at = 0; at < f->order.count; at++)
		if (g->nodes[f->order.at[at]].unit != FUSE_NONE)
			find_edges(g, f->order.at[at]);
	for (uint32_t v = 0; v < f->values.count; v++) {
		fuse_value *o = &f->values.at[v];

		if (o->where != FUSE_STORED && o->where != FUSE_ARENA)
			o->why = WHY_FUSED;
		else if (!o->why && f->steps.at[o->step].kind == STEP_PRODUCT &&
			f->steps.at[o->step].value == v)
			o->why = WHY_BEHIND;
		else if (!o->why)        /* of calls with many inputs no edges are noted */
			o->why = WHY_CALL;
	}
}

/* ---- the passes ---- */

/* False: try again, with g->whole as it is now. */
static gt_err attempt(const fuse_input *in, bool *whole, fusion *f, bool *done)
{
	fuse_graph g = { .f = f, .in = in, .whole = whole };
	gt_err e = fuse_graph_make(&g);

	*done = e;
	if (!e) {
		fuse_graph_use(&g);
		*done = fuse_group_make(&g);
	}
	if (!e && *done) {
		fuse_emit(&g);
		if (!in->alone)
			fuse_gather(&g);
		fuse_memory_plan(&g);
		explain(&g);
	}
	fuse_graph_fini(&g);
	return e;
}

gt_err fuse_make(const fuse_input *in, fusion **out)
{
	bool *whole = mem_alloc(in->r->n + 1);
	fusion *f = NULL;
	bool done = false;
	gt_err e = GT_OK;

	memset(whole, in->alone, in->r->n + 1);
	for (int k = 1; !done; k++) {
		fusion_free(f);
		f = mem_zero(sizeof(*f));
		f->r = in->r;
		f->live_ins = in->r->live_ins_count;
		f->ops = in->r->n;
		if (k == ATTEMPTS)
			memset(whole, true, in->r->n + 1);
		e = attempt(in, whole, f, &done);
	}
	mem_free(whole);
	if (e) {
		fusion_free(f);
		f = NULL;
	}
	*out = f;
	return e;
}

void fusion_free(fusion *f)
{
	if (!f)
		return;
	for (uint32_t k = 0; k < f->groups.count; k++) {
		mem_free(f->groups.at[k].g);
		buf_fini(&f->groups.at[k].key);
	}
	mem_free(f->values.at);
	mem_free(f->order.at);
	mem_free(f->steps.at);
	mem_free(f->args.at);
	mem_free(f->scalars.at);
	mem_free(f->members.at);
	mem_free(f->groups.at);
	mem_free(f->edges.at);
	mem_free(f->checks.at);
	arena_fini(&f->memory);
	mem_free(f);
}

/* ---- questions ---- */

/* Does operand k decide about shapes, strides or a decomposition? */
static bool operand_counts(const ins *i, unsigned k)
{
	const char *text = op_rows[i->op].operands;
	const size_t last = strlen(text) - 1;

	if (shape_slice_begins(i, k))
		return false;
	if (text[last] == '*')
		return text[k < last ? k : last - 1] == 'd' || text[k < last ? k : last - 1] == 'i';
	return text[k] == 'd' || text[k] == 'i';
}

/* The eager kernel refuses empty ones; other kernels cannot. */
static bool is_range(const ins *i)
{
	int64_t limits[2];

	for (unsigned k = 0; k < COUNT(limits); k++)
		engine_scalar((dtype_kind)ins_kind(i, k), (scalar){ .bits = ins_in(i)[k] },
			GT_INT64, &limits[k]);
	return limits[0] < limits[1];
}

bool fusion_asks_numbers(const ins *i)
{
	return i->kinds && (i->op == OP_randint || op_rows[i->op].kind == KIND_COMPOSITE);
}

static const meta *input_meta(const fusion *f, uint32_t op_at)
{
	return &f->values.at[fuse_input_of(f->values.at[op_at].row, 0)].m;
}

bool fusion_fits(const fusion *f, uint32_t op_at, const ins *i)
{
	const ins *seen = f->seen[op_at];
	const bool composite = op_rows[seen->op].kind == KIND_COMPOSITE;

	if (i->op == OP_randint && !is_range(i))
		return false;
	if (i->op != seen->op || i->attr.bits != seen->attr.bits || i->kinds != seen->kinds ||
		i->nin != seen->nin || i->nopd != seen->nopd)
		return false;
	if (i->op == OP_slice && !shape_slice_inside(i, input_meta(f, op_at)))
		return false;
	for (unsigned k = 0; k < i->nin && composite; k++)
		if (ins_kind(i, k) && ins_in(i)[k] != ins_in(seen)[k])
			return false;
	for (unsigned k = 0; k < i->nopd; k++)
		if (operand_counts(i, k) && ins_opd(i)[k] != ins_opd(seen)[k])
			return false;
	return true;
}

int64_t fusion_offset(const fusion *f, uint32_t v, const ins *const *run)
{
	int64_t bytes = 0;

	while (f->values.at[v].slides) {
		const fuse_value *o = &f->values.at[v], *in = &f->values.at[o->from];

		if (o->row->op == OP_slice && meta_count(&o->m))
			for (int k = 0; k < o->m.rank; k++)
				bytes += in->strides[k] * ins_opd(run[o->op])[3 * k] *
					(int64_t)dtype_size((gt_dtype)o->m.dtype);
		v = o->from;
	}
	return bytes + f->values.at[v].offset;
}

typedef struct slicer {
	const fusion *f;
	bool (*there)(void *ctx, uint32_t value);
	void *ctx;
	uint8_t *seen;
	uint32_t *rows;
	uint32_t count;
} slicer;

/* Mark what is missing. A value is behind its inputs in `order`: one pass from the end does. */
static void mark_missing(slicer *s, uint32_t v)
{
	const fuse_value *o = &s->f->values.at[v];

	for (unsigned k = 0; k < o->row->nin; k++) {
		uint32_t u;

		if (ins_kind(o->row, k))
			continue;
		u = fuse_input_of(o->row, k);
		if (s->f->values.at[u].row && !s->there(s->ctx, u))
			s->seen[u] = 1;
	}
}

uint32_t fusion_slice(const fusion *f, uint32_t value,
	bool (*there)(void *ctx, uint32_t value), void *ctx, uint32_t *rows)
{
	slicer s = { f, there, ctx, mem_zero(f->values.count + 1), rows, 0 };

	s.seen[value] = f->values.at[value].row && !there(ctx, value);
	for (uint32_t at = f->order.count; at-- > 0;)
		if (s.seen[f->order.at[at]])
			mark_missing(&s, f->order.at[at]);
	for (uint32_t at = 0; at < f->order.count; at++)
		if (s.seen[f->order.at[at]])
			s.rows[s.count++] = f->order.at[at];
	mem_free(s.seen);
	return s.count;
}
