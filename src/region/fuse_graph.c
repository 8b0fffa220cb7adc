/* fuse_graph.c: the region as a graph of primitive rows: composites taken apart, each value with
 * its shape, strides and class; then what is needed of it. */
#include "region/fuse_graph.h"

#include "base/error.h"

/* ---- classes ---- */

fuse_reduction fuse_reduction_of(const meta *in, unsigned axes)
{
	fuse_reduction r = { .reduced = 1, .kept = 1 };
	int state = 0;           /* from the last dim: kept, then reduced, then kept again */

	for (int k = in->rank - 1; k >= 0; k--) {
		const bool reduced = axes >> k & 1;

		if (in->dims[k] == 1)
			continue;
		if (reduced ? state == 2 : state == 1)
			state++;
		if (reduced && state == 3)
			return (fuse_reduction){ GROUP_ELEMENT, 0, 0 };
		if (reduced && !state)
			state = 1;
		if (reduced)
			r.reduced *= in->dims[k];
		else if (!state)
			r.kept *= in->dims[k];
	}
	r.mode = r.kept == 1 ? GROUP_ROWS : GROUP_COLS;
	return r;
}

static bool is_reduction(unsigned code)
{
	return code == OP_sum || code == OP_prod || code == OP_max || code == OP_min ||
		code == OP_any || code == OP_all;
}

static bool is_fallible(const ins *i, const meta *out)
{
	return (i->op == OP_floordiv || i->op == OP_mod) &&
		dtype_kind_of((gt_dtype)out->dtype) == KIND_INT;
}

static fuse_class class_of(const ins *i, const meta *in, const meta *out)
{
	const unsigned kind = op_rows[i->op].kind;

	if (kind == KIND_VIEW)
		return CLASS_VIEW;
	if (!meta_count(out) || (in && !meta_count(in)))
		return CLASS_CALL;
	if (i->op == OP_full)
		return CLASS_FULL;
	if (i->op == OP_clone || (i->op == OP_cast && in->dtype == out->dtype))
		return CLASS_COPY;
	if (kind == KIND_ELEMENT)
		return is_fallible(i, out) ? CLASS_CALL : CLASS_ELEMENT;
	if (is_reduction(i->op) && fuse_reduction_of(in, i->attr.axes).mode)
		return CLASS_REDUCE;
	return CLASS_CALL;
}

/* ---- rows ---- */

static uint32_t new_value(fuse_graph *g)
{
	fusion *f = g->f;
	const uint32_t v = f->values.count;

	VEC_ROOM(g->nodes, v, g->nodes_room);
	FUSE_PUSH(&f->values, ((fuse_value){ .op = REGION_NEVER, .base = v, .from = v,
		.step = FUSE_NONE }));
	g->nodes[v] = (fuse_node){ .root = v, .unit = FUSE_NONE, .next = FUSE_NONE,
		.deadline = REGION_NEVER };
	return v;
}

/* A copy whose inputs are value numbers + 1, of what they are the same as. */
static ins *copy_row(fuse_graph *g, const ins *i, uint32_t v)
{
	ins *row = arena_alloc(&g->f->memory, i->words * sizeof(uint64_t));

	memcpy(row, i, i->words * sizeof(uint64_t));
	row->out = v + 1;
	for (unsigned k = 0; k < i->nin; k++) {
		uint32_t u;

		if (ins_kind(i, k))
			continue;
		u = fuse_input_of(row, k);
		if (g->nodes[u].class == CLASS_SAME)
			row->tail[k] = g->f->values.at[u].from + 1;
	}
	return row;
}

/* Where the elements of v lie. A view that strides cannot express is a copy. */
static void lay_out(fuse_graph *g, uint32_t v, const ins *row)
{
	fuse_value *o = &g->f->values.at[v], *in;
	fuse_node *n = &g->nodes[v];
	int64_t offset = 0;

	shape_contiguous(&o->m, o->strides);
	if (n->class != CLASS_VIEW)
		return;
	in = &g->f->values.at[fuse_input_of(row, 0)];
	if (!shape_view(row, &in->m, in->strides, &o->m, o->strides, &offset)) {
		shape_contiguous(&o->m, o->strides);
		n->class = CLASS_COPY;
		return;
	}
	o->from = fuse_input_of(row, 0);
	o->base = in->base;
	o->offset = in->offset + offset * (int64_t)dtype_size((gt_dtype)o->m.dtype);
	o->slides = in->slides || row->op == OP_slice;
	n->root = g->nodes[fuse_input_of(row, 0)].root;
}

static void become_same(fuse_graph *g, uint32_t v, uint32_t as)
{
	fuse_value *o = &g->f->values.at[v];
	const fuse_value *to = &g->f->values.at[as];

	g->nodes[v].class = CLASS_SAME;
	g->nodes[v].root = g->nodes[as].root;
	o->from = as;
	o->base = to->base;
	o->offset = to->offset;
	o->slides = to->slides;
	memcpy(o->strides, to->strides, sizeof o->strides);
}

static void metas_of(const fuse_graph *g, const ins *i, const meta **in)
{
	for (unsigned k = 0; k < i->nin; k++)
		in[k] = ins_kind(i, k) ? NULL : &g->f->values.at[fuse_input_of(i, k)].m;
}

/* Of decompositions only what needs nothing: looking at indices is for the op to do. */
static bool is_placed(fuse_graph *g, const ins *row, const meta *const *in, const meta *out,
	bool composed)
{
	const bool creates = op_rows[row->op].kind == KIND_CREATE;

	return meta_count(out) && (creates || (!composed && in[0] && meta_count(in[0]))) &&
		fuse_place_takes(g, row, in, out);
}

/* One value, or one for all of its elements. */
static bool is_given(const fuse_graph *g, uint32_t v, const ins *row)
{
	const uint8_t class = g->nodes[v].class;
	bool given = class == CLASS_FULL || class == CLASS_ELEMENT || class == CLASS_COPY;

	for (unsigned k = 0; k < row->nin && given; k++)
		given = ins_kind(row, k) || g->nodes[g->nodes[fuse_input_of(row, k)].root].given;
	return given;
}

static gt_err take_row(fuse_graph *g, uint32_t v, const ins *i, bool composed)
{
	const meta *in[INS_INPUTS_MAX];
	ins *row = copy_row(g, i, v);
	fuse_value *o = &g->f->values.at[v];
	uint32_t as;
	gt_err e;

	metas_of(g, row, in);
	if ((e = shape_infer(row, in, &o->m)))
		return e;
	o->row = row;
	o->op = g->op;
	o->composed = composed;
	g->nodes[v].class = (uint8_t)class_of(row, row->nin ? in[0] : NULL, &o->m);
	if (g->nodes[v].class == CLASS_CALL && is_placed(g, row, in, &o->m, composed))
		g->nodes[v].class = CLASS_PLACED;
	else if (g->nodes[v].class == CLASS_CALL && !composed)
		fuse_add_check(g, row, in, &o->m);
	lay_out(g, v, row);
	g->nodes[v].given = is_given(g, v, row);
	g->f->rows_before++;
	as = fuse_simplify(g, v, row);
	if (as != v)
		become_same(g, v, as);
	g->nodes[v].position = g->f->order.count;
	FUSE_PUSH(&g->f->order, v);
	return GT_OK;
}

/* ---- composites ---- */

static uint64_t fresh(void *ctx)
{
	return new_value(ctx) + 1;
}

static gt_err emit(void *ctx, const ins *i)
{
	return take_row(ctx, (uint32_t)(i->out - 1), i, true);
}

/* Does it reduce in a direction in which its rows can be one kernel? */
static bool comes_apart(const fuse_graph *g, const ins *i, const meta *in)
{
	const bool one_axis = op_rows[i->op].attrs & ATTR_AXIS;
	const unsigned axes = one_axis ? 1u << i->attr.axis : i->attr.axes;

	return op_rows[i->op].kind == KIND_COMPOSITE && !g->whole[g->op] && meta_count(in) &&
		fuse_reduction_of(in, axes).mode;
}

/* ---- the region ---- */

/* Op `at` of the region as an instruction whose inputs are value numbers + 1. */
static ins *wire(fuse_graph *g, uint32_t at, ins_room *room)
{
	const region *r = g->f->r;
	const region_op *o = &r->ops[at];
	ins *i = &room->head;

	memcpy(i, g->in->run[at], g->in->run[at]->words * sizeof(uint64_t));
	i->out = at + 1;
	for (unsigned k = 0; k < i->nin; k++) {
		const int32_t in = r->inputs[o->first + k];

		if (in != REGION_SCALAR)
			i->tail[k] = in >= 0 ? (uint32_t)in + 1 : r->n + REGION_LIVE_IN(in) + 1;
	}
	return i;
}

static gt_err check_like(const region_op *o, const ins *i)
{
	if (i->op == o->op && i->kinds == o->kinds && i->nin == o->nin && i->nopd == o->nopd &&
		i->attr.bits == o->attr)
		return GT_OK;
	return fail(GT_EINVAL, "the run's instruction is %s, the region's %s",
		op_rows[i->op].name, op_rows[o->op].name);
}

static gt_err take_op(fuse_graph *g, uint32_t at)
{
	const composer to = { fresh, emit, g };
	const meta *in[INS_INPUTS_MAX];
	ins_room room;
	ins *i;
	gt_err e = check_like(&g->f->r->ops[at], g->in->run[at]);

	if (e)
		return e;
	g->op = at;
	i = wire(g, at, &room);
	g->f->seen[at] = copy_row(g, i, at);
	metas_of(g, i, in);
	if (i->nin && in[0] && comes_apart(g, i, in[0])) {
		meta own;        /* values move in memory as they get more */

		meta_copy(&own, in[0]);
		in[0] = &own;
		return compose(i, in, &to);
	}
	if (fuse_cat_unfolds(g, i, in))
		return fuse_cat_compose(g, i, in, &to);
	if (fuse_index_compares(g, i, in))
		return fuse_index_compose(i, in, &to);
	return take_row(g, at, i, false);
}

static void number_values(fuse_graph *g)
{
	for (uint32_t k = 0; k < g->f->ops; k++)
		new_value(g);
	for (uint32_t m = 0; m < g->f->live_ins; m++) {
		const uint32_t v = new_value(g);
		fuse_value *o = &g->f->values.at[v];

		o->m = g->in->live_ins[m].m;
		memcpy(o->strides, g->in->live_ins[m].strides, sizeof o->strides);
		g->nodes[v].class = CLASS_LIVE_IN;
	}
}

gt_err fuse_graph_make(fuse_graph *g)
{
	fusion *f = g->f;
	uint32_t room = 64;
	gt_err e = GT_OK;

	while (room < 4 * f->ops)
		room *= 2;
	g->table = mem_zero(room * sizeof(*g->table));
	g->table_mask = room - 1;
	f->seen = arena_alloc(&f->memory, (f->ops + 1) * sizeof(*f->seen));
	number_values(g);
	for (uint32_t k = 0; k < f->ops && !e; k++)
		e = take_op(g, k);
	return e;
}

void fuse_graph_fini(fuse_graph *g)
{
	mem_free(g->nodes);
	mem_free(g->table);
	mem_free(g->users);
	mem_free(g->units.at);
	mem_free(g->trial);
}

/* ---- what is needed ---- */

/* Small results are always stored: who asks for one need not wait, and one that is given is not
 * worth it. A kernel down columns could not, which has no row of its own for them. */
static bool is_stored_anyway(const fuse_graph *g, uint32_t v)
{
	const meta *m = &g->f->values.at[v].m;

	return fuse_computed(&g->nodes[v]) && !g->nodes[v].given &&
		(uint64_t)meta_count(m) * dtype_size((gt_dtype)m->dtype) <= g->in->small;
}

static fuse_why pinned(const fuse_graph *g, uint32_t v)
{
	const fuse_value *o = &g->f->values.at[v];
	const region_op *from = &g->f->r->ops[o->op];

	if (!fusion_visible(g->f, v))
		return WHY_FUSED;
	if (from->read)
		return WHY_READ;
	if (from->live_out)
		return WHY_LIVE_OUT;
	if (o->row->op == OP_upload)
		return WHY_CALL;
	return is_stored_anyway(g, v) ? WHY_SMALL : WHY_FUSED;
}

/* Who looks at v looks at `at`, too. */
static void look_through(fuse_graph *g, uint32_t v, uint32_t at)
{
	const fuse_node *n = &g->nodes[v];
	fuse_node *to = &g->nodes[at];

	if (!n->pin)
		return;
	to->pin = to->pin ? to->pin : n->pin;
	to->deadline = MIN(to->deadline, n->deadline);
}

static void need_inputs(fuse_graph *g, uint32_t v)
{
	const fuse_value *o = &g->f->values.at[v];
	fuse_node *n = &g->nodes[v];

	if (n->root != v)
		look_through(g, v, n->root);
	if (n->class == CLASS_SAME) {
		g->nodes[o->from].needed = true;
		look_through(g, v, o->from);
		return;
	}
	for (unsigned k = 0; k < o->row->nin; k++)
		if (!ins_kind(o->row, k))
			g->nodes[fuse_input_of(o->row, k)].needed = true;
}

static void list_users(fuse_graph *g, bool count)
{
	for (uint32_t at = 0; at < g->f->order.count; at++) {
		const uint32_t v = g->f->order.at[at];
		const ins *row = g->f->values.at[v].row;

		if (!g->nodes[v].needed || !fuse_computed(&g->nodes[v]))
			continue;
		for (unsigned k = 0; k < row->nin; k++) {
			fuse_node *n;

			if (ins_kind(row, k))
				continue;
			n = &g->nodes[g->nodes[fuse_input_of(row, k)].root];
			if (!count)
				g->users[n->users + n->users_count] = v;
			n->users_count++;
		}
	}
}

static void make_room_for_users(fuse_graph *g)
{
	uint32_t total = 0;

	for (uint32_t v = 0; v < g->f->values.count; v++) {
		fuse_node *n = &g->nodes[v];

		n->users = total;
		total += n->users_count;
		n->users_count = 0;
	}
	g->users = mem_alloc((total + 1) * sizeof(*g->users));
}

void fuse_graph_use(fuse_graph *g)
{
	const fusion *f = g->f;

	fuse_place_need(g);
	for (uint32_t at = f->order.count; at-- > 0;) {
		const uint32_t v = f->order.at[at];
		fuse_node *n = &g->nodes[v];
		const fuse_why why = pinned(g, v);

		if (why) {
			n->needed = true;
			n->pin = (uint8_t)why;
		}
		if (why == WHY_READ)
			n->deadline = MIN(n->deadline, f->values.at[v].op);
		if (n->needed) {
			g->f->rows_after += n->class != CLASS_SAME;
			need_inputs(g, v);
		}
	}
	list_users(g, true);
	make_room_for_users(g);
	list_users(g, false);
}
