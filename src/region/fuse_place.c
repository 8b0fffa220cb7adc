/* fuse_place.c: rows whose elements are made from where they are: random numbers, ranges, what is
 * picked at indices, one-hot vectors.
 *
 * Such a row has an operand that counts (group.h): the number of each element, or of its column, or
 * the index that stands there. It has steps through the kernel's space as any operand in memory, so
 * numbers are right wherever a kernel begins and however it is cut; that is all it takes for the
 * eager kernel's bits.
 *
 *	rand, randn, randint    a draw by the element's number; seed and draw number are the run's
 *	arange                  start + number * step, in the dtype in which the eager kernel computes
 *	one_hot                 the index, counted from the end if negative, = the column's number
 *	gather, index_select    what lies index * step behind where the element of index 0 lies
 *
 * Indices may be out of range, and a kernel cannot fail. So they are no members: they are in memory
 * before the op that they are given to arrives, and looked at then (fusion.checks). Nor is what is
 * picked from: any of it may be wanted by any element.
 */
#include "region/fuse_emit.h"

static const fuse_value *value_of(const fuse_graph *g, uint32_t v)
{
	return &g->f->values.at[v];
}

/* ---- which rows ---- */

/* The input that holds indices, and how many places they choose from. -1: none. */
static int index_input(const ins *i, const meta *const *in, const meta *out, int64_t *size)
{
	switch (i->op) {
	case OP_gather:
	case OP_index_select:
		*size = in[0]->dims[i->attr.axis];
		return 1;
	case OP_one_hot:
		*size = out->dims[out->rank - 1];
		return 0;
	default:
		return -1;
	}
}

static bool is_in_memory(const fuse_graph *g, const ins *row, unsigned k)
{
	return g->nodes[g->nodes[fuse_input_of(row, k)].root].class != CLASS_FULL;
}

bool fuse_place_takes(fuse_graph *g, const ins *row, const meta *const *in, const meta *out)
{
	int64_t size = 0;
	int index;

	switch (row->op) {
	case OP_rand:
	case OP_randn:
	case OP_randint:
	case OP_arange:
		return true;
	}
	index = index_input(row, in, out, &size);
	if (index < 0 || row->kinds)
		return false;
	for (unsigned k = 0; k < row->nin; k++)
		if (!is_in_memory(g, row, k))
			return false;
	FUSE_PUSH(&g->f->checks, ((fuse_check){ .op = g->op, .size = size,
		.value = fuse_input_of(row, (unsigned)index) }));
	return true;
}

/* In memory before the op arrives: its own rows (fuse_index.c) must not be what computes it. */
void fuse_place_need(fuse_graph *g)
{
	for (uint32_t k = 0; k < g->f->checks.count; k++) {
		const fuse_check *c = &g->f->checks.at[k];
		fuse_node *n = &g->nodes[c->value];

		n->pin = n->pin ? n->pin : WHY_PICKED;
		n->deadline = MIN(n->deadline, c->op ? c->op - 1 : 0);
	}
}

/* What nobody needs is not computed, and calls look for themselves. */
void fuse_place_check(fuse_graph *g)
{
	const fusion *f = g->f;
	uint32_t kept = 0;

	for (uint32_t k = 0; k < f->checks.count; k++) {
		const fuse_check c = f->checks.at[k];
		const uint32_t unit = g->nodes[c.op].unit;

		if (unit != FUSE_NONE && !g->units.at[unit].call)
			f->checks.at[kept++] = c;
	}
	g->f->checks.count = kept;
}

/* ---- operands ---- */

/* `lies`: from the elements of the member at `slot` to places in the memory of v, or to numbers. */
static fuse_why add(fuse_kernel *x, uint32_t slot, const fuse_map *lies, fuse_operand what,
	uint32_t *at)
{
	return fuse_map_compose(lies, &x->maps[slot], &what.map) ?
		fuse_kernel_operand(x, &what, at) : WHY_STEPS;
}

/* Input k, of which element 0 .. 0 of the dims that `strides` leaves out is meant. */
static fuse_why add_input(fuse_kernel *x, uint32_t slot, unsigned k, const int64_t *strides,
	bool picked, uint32_t *at)
{
	const fuse_value *o = value_of(x->g, x->members[slot]);
	const uint32_t u = fuse_input_of(o->row, k);
	fuse_map lies;

	if (fuse_kernel_has(x, x->g->nodes[u].root))
		return WHY_PICKED;
	fuse_map_strides(o->m.rank, o->m.dims, strides, &lies);
	return add(x, slot, &lies, (fuse_operand){ .value = u, .picked = picked }, at);
}

/* The number of the element (all dims count) or of its column. */
static fuse_why add_numbers(fuse_kernel *x, uint32_t slot, bool column, uint32_t *at)
{
	const fuse_value *o = value_of(x->g, x->members[slot]);
	int64_t strides[GT_RANK_MAX] = { 0 };
	fuse_map lies;

	if (column)
		strides[o->m.rank - 1] = 1;
	else
		shape_contiguous(&o->m, strides);
	fuse_map_strides(o->m.rank, o->m.dims, strides, &lies);
	return add(x, slot, &lies, (fuse_operand){ .value = x->members[slot], .counts = true }, at);
}

/* Strides over the result's dims: of the indices, and of what is picked from. */
static void spread(const fuse_graph *g, const ins *row, int64_t *index, int64_t *from)
{
	const fuse_value *x = value_of(g, fuse_input_of(row, 0)),
		*at = value_of(g, fuse_input_of(row, 1));
	const int axis = row->attr.axis, more = row->op == OP_gather ? 0 : at->m.rank - 1;

	for (int k = 0; k < x->m.rank + more; k++) {
		const bool inside = row->op == OP_gather || (k >= axis && k <= axis + more);
		const bool picks = row->op == OP_gather ? k == axis : inside;

		index[k] = !inside ? 0 : at->strides[row->op == OP_gather ? k : k - axis];
		from[k] = picks ? 0 : x->strides[k < axis ? k : k - more];
	}
}

static fuse_why add_picked(fuse_kernel *x, uint32_t slot, uint32_t *at)
{
	int64_t index[GT_RANK_MAX] = { 0 }, from[GT_RANK_MAX] = { 0 };
	fuse_why why;

	spread(x->g, value_of(x->g, x->members[slot])->row, index, from);
	why = add_input(x, slot, 1, index, false, &at[0]);
	return why ? why : add_input(x, slot, 0, from, true, &at[1]);
}

/* The indices have all dims but the last one. */
static fuse_why add_hot(fuse_kernel *x, uint32_t slot, uint32_t *at)
{
	const ins *row = value_of(x->g, x->members[slot])->row;
	const fuse_value *from = value_of(x->g, fuse_input_of(row, 0));
	int64_t index[GT_RANK_MAX] = { 0 };
	fuse_why why;

	for (int k = 0; k < from->m.rank; k++)
		index[k] = from->strides[k];
	why = add_input(x, slot, 0, index, false, &at[0]);
	return why ? why : add_numbers(x, slot, true, &at[1]);
}

fuse_why fuse_place_operands(fuse_kernel *x, uint32_t slot, uint32_t at[2])
{
	switch (value_of(x->g, x->members[slot])->row->op) {
	case OP_gather:
	case OP_index_select:
		return add_picked(x, slot, at);
	case OP_one_hot:
		return add_hot(x, slot, at);
	default:
		return add_numbers(x, slot, false, at);
	}
}

unsigned fuse_place_scalars(const ins *row)
{
	switch (row->op) {
	case OP_randint: return 4;
	case OP_gather:
	case OP_index_select: return 3;
	default: return 2;
	}
}

/* ---- nodes ---- */

static uint16_t op_node(emitter *e, op code, gt_dtype d, uint16_t a, uint16_t b, uint16_t c)
{
	return fuse_emit_node(e, (group_node){ .what = NODE_OP, .op = code, .dtype = (uint8_t)d,
		.in = { a, b, c } });
}

static uint16_t cast(emitter *e, uint16_t from, gt_dtype to)
{
	return e->group->nodes[from].dtype == to ? from :
		op_node(e, OP_cast, to, from, 0, 0);
}

static uint16_t emit_draw(emitter *e, uint32_t v, uint16_t element)
{
	const fuse_value *o = value_of(e->g, v);
	group_node n = { .what = NODE_DRAW, .op = o->row->op, .dtype = o->m.dtype,
		.in = { element } };
	const unsigned nin = o->row->nin;

	/* Operands lie behind the inputs. */
	for (unsigned k = 0; k < 2 + nin; k++) {
		const unsigned from = (k + nin) % (2 + nin);
		const uint16_t at = fuse_emit_word(e, (fuse_scalar){ .op = o->op,
			.input = (uint8_t)from, .dtype = GT_INT64,
			.kind = from < nin ? (uint8_t)ins_kind(o->row, from) : KIND_INT });

		n.at = k ? n.at : at;
	}
	return fuse_emit_node(e, n);
}

static uint16_t emit_range(emitter *e, uint32_t v, uint16_t number)
{
	const fuse_value *o = value_of(e->g, v);
	const meta *in[INS_SCALARS_MAX] = { NULL };
	const gt_dtype d = engine_scalar_dtype(o->row, 0, in, &o->m);
	const uint16_t at = op_node(e, OP_mul, d, cast(e, number, d), fuse_emit_scalar(e, v, 1, d),
		0);

	return cast(e, op_node(e, OP_add, d, fuse_emit_scalar(e, v, 0, d), at, 0),
		(gt_dtype)o->m.dtype);
}

/* Of an index that is in range: where it points, from 0 on. */
static uint16_t emit_place(emitter *e, uint16_t index, int64_t size)
{
	const uint16_t at = cast(e, index, GT_INT64);
	const uint16_t low = op_node(e, OP_lt, GT_BOOL, at, fuse_emit_constant(e, 0), 0);
	const uint16_t up = op_node(e, OP_add, GT_INT64, at, fuse_emit_constant(e, size), 0);

	return op_node(e, OP_where, GT_INT64, low, up, at);
}

static uint16_t emit_hot(emitter *e, uint32_t v, const uint32_t *at)
{
	const meta *m = &value_of(e->g, v)->m;
	const uint16_t place = emit_place(e, fuse_emit_load(e, at[0]), m->dims[m->rank - 1]);

	return cast(e, op_node(e, OP_eq, GT_BOOL, place, fuse_emit_load(e, at[1]), 0), GT_INT64);
}

static uint16_t emit_picked(emitter *e, uint32_t v, const uint32_t *at)
{
	const fuse_value *o = value_of(e->g, v);
	const fuse_value *from = value_of(e->g, fuse_input_of(o->row, 0));
	const int axis = o->row->attr.axis;
	const uint16_t place = emit_place(e, fuse_emit_load(e, at[0]), from->m.dims[axis]);
	const uint16_t step = fuse_emit_constant(e,
		from->strides[axis] * (int64_t)dtype_size((gt_dtype)o->m.dtype));

	return fuse_emit_node(e, (group_node){ .what = NODE_PICK, .dtype = o->m.dtype,
		.in = { op_node(e, OP_mul, GT_INT64, place, step, 0) }, .at = (uint16_t)at[1] });
}

uint16_t fuse_place_emit(emitter *e, uint32_t slot)
{
	const uint32_t v = e->x->members[slot];
	uint32_t at[2];
	const fuse_why why = fuse_place_operands(e->x, slot, at);

	assert(!why);
	(void)why;
	switch (value_of(e->g, v)->row->op) {
	case OP_gather:
	case OP_index_select:
		return emit_picked(e, v, at);
	case OP_one_hot:
		return emit_hot(e, v, at);
	case OP_arange:
		return emit_range(e, v, fuse_emit_load(e, at[0]));
	default:
		return emit_draw(e, v, fuse_emit_load(e, at[0]));
	}
}
