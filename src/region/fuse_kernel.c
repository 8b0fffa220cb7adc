/* fuse_kernel.c: members and their operands in one space, see there. */
#include "region/fuse_kernel.h"

#include "region/fuse_cost.h"

static const fuse_value *value_of(const fuse_kernel *x, uint32_t v)
{
	return &x->g->f->values.at[v];
}

bool fuse_kernel_has(const fuse_kernel *x, uint32_t v)
{
	const uint32_t unit = x->g->nodes[v].unit;

	return unit != FUSE_NONE && (unit == x->units[0] || unit == x->units[1]) &&
		x->g->units.at[unit].product != v && x->g->units.at[unit].adds != v;
}

/* ---- inputs ---- */

/* From the space to input u of v, which has the map `own`. */
static bool map_input(const fuse_graph *g, uint32_t v, const fuse_map *own, int64_t space,
	uint32_t u, fuse_map *m)
{
	fuse_map meets;

	switch (g->nodes[v].class) {
	case CLASS_REDUCE:       /* its input fills the space */
		fuse_map_identity(space, m);
		return true;
	case CLASS_COPY:
		*m = *own;
		return true;
	default:
		fuse_map_broadcast(&g->f->values.at[u].m, &g->f->values.at[v].m, &meets);
		return fuse_map_compose(&meets, own, m);
	}
}

static void map_permute(const ins *row, const meta *in, fuse_map *m)
{
	int64_t own[GT_RANK_MAX], strides[GT_RANK_MAX], dims[GT_RANK_MAX];

	shape_contiguous(in, own);
	for (int k = 0; k < in->rank; k++) {
		strides[k] = own[row->attr.perm[k]];
		dims[k] = in->dims[row->attr.perm[k]];
	}
	fuse_map_strides(in->rank, dims, strides, m);
}

/* Follow the views below u down to their root. */
static bool map_root(const fuse_graph *g, uint32_t u, fuse_map *m)
{
	while (g->nodes[u].class == CLASS_VIEW) {
		const fuse_value *o = &g->f->values.at[u];
		const meta *below = &g->f->values.at[fuse_input_of(o->row, 0)].m;
		const fuse_map before = *m;
		fuse_map shows;

		if (o->row->op == OP_slice)
			return false;
		if (o->row->op == OP_expand)
			fuse_map_broadcast(below, &o->m, &shows);
		else if (o->row->op == OP_permute)
			map_permute(o->row, below, &shows);
		if (o->row->op != OP_reshape && !fuse_map_compose(&shows, &before, m))
			return false;
		u = fuse_input_of(o->row, 0);
	}
	return true;
}

bool fuse_kernel_wire(const fuse_graph *g, uint32_t v, unsigned k, int64_t space, fuse_map *m)
{
	const uint32_t u = fuse_input_of(g->f->values.at[v].row, k);

	return map_input(g, v, &g->nodes[v].map, space, u, m) && map_root(g, u, m);
}

static bool same_memory(const fuse_value *a, const fuse_value *b, uint32_t av, uint32_t bv)
{
	return av == bv || (a->base == b->base && a->offset == b->offset && !a->slides &&
		!b->slides && a->m.dtype == b->m.dtype);
}

static bool same_operand(const fuse_kernel *x, const fuse_operand *a, const fuse_operand *b)
{
	if (a->out || b->out || a->counts != b->counts || a->picked != b->picked ||
		!fuse_map_equal(&a->map, &b->map))
		return false;
	return a->counts || same_memory(value_of(x, a->value), value_of(x, b->value), a->value,
		b->value);
}

fuse_why fuse_kernel_operand(fuse_kernel *x, const fuse_operand *what, uint32_t *at)
{
	for (uint32_t k = 0; k < x->args_count; k++)
		if (same_operand(x, what, &x->args[k])) {
			*at = k;
			return WHY_FUSED;
		}
	if (x->args_count == GROUP_ARGS)
		return WHY_LIMIT;
	x->args[x->args_count] = *what;
	*at = x->args_count++;
	return WHY_FUSED;
}

static fuse_why add_arg(fuse_kernel *x, uint32_t v, bool out, const fuse_map *m, uint32_t *at)
{
	return fuse_kernel_operand(x, &(fuse_operand){ .value = v, .out = out, .map = *m }, at);
}

fuse_why fuse_kernel_input(fuse_kernel *x, uint32_t slot, unsigned k, fuse_source *source,
	uint32_t *at)
{
	const ins *row = value_of(x, x->members[slot])->row;
	uint32_t u, root;
	fuse_map m, lies, memory;

	*source = SOURCE_SCALAR;
	if (ins_kind(row, k))
		return WHY_FUSED;
	u = fuse_input_of(row, k);
	root = x->g->nodes[u].root;
	*source = SOURCE_FULL;
	*at = root;
	if (x->g->nodes[root].class == CLASS_FULL)
		return WHY_FUSED;
	if (!map_input(x->g, x->members[slot], &x->maps[slot], x->space, u, &m))
		return WHY_STEPS;
	if (fuse_kernel_has(x, root)) {
		*source = SOURCE_MEMBER;
		*at = x->g->nodes[root].slot;
		if (!map_root(x->g, u, &m))
			return WHY_VIEW;
		return fuse_map_equal(&m, &x->maps[*at]) ? WHY_FUSED : WHY_SPACE;
	}
	*source = SOURCE_LOAD;
	fuse_map_strides(value_of(x, u)->m.rank, value_of(x, u)->m.dims, value_of(x, u)->strides,
		&lies);
	return fuse_map_compose(&lies, &m, &memory) ? add_arg(x, u, false, &memory, at) : WHY_STEPS;
}

bool fuse_kernel_stores(const fuse_kernel *x, uint32_t slot)
{
	const fuse_node *n = &x->g->nodes[x->members[slot]];

	if (n->pin)
		return true;
	for (uint32_t k = 0; k < n->users_count; k++)
		if (!fuse_kernel_has(x, x->g->users[n->users + k]))
			return true;
	return false;
}

/* ---- operands ---- */

enum { PLACED_EXTRA = 5 };       /* nodes of a member of CLASS_PLACED beside its own, at most */

static fuse_why find_inputs(fuse_kernel *x, uint32_t slot)
{
	const ins *row = value_of(x, x->members[slot])->row;
	fuse_why why = WHY_FUSED;
	uint32_t at, places[2];

	if (x->g->nodes[x->members[slot]].class == CLASS_PLACED) {
		x->scalars += fuse_place_scalars(row);
		x->extra += PLACED_EXTRA;
		return fuse_place_operands(x, slot, places);
	}
	for (unsigned k = 0; k < row->nin && !why; k++) {
		fuse_source source;

		why = fuse_kernel_input(x, slot, k, &source, &at);
		x->scalars += source == SOURCE_SCALAR || source == SOURCE_FULL;
	}
	return why;
}

static fuse_why find_operands(fuse_kernel *x)
{
	fuse_why why = WHY_FUSED;
	uint32_t at;

	x->args_count = x->scalars = x->reductions = x->weight = x->extra = 0;
	for (uint32_t s = 0; s < x->count; s++) {
		x->g->nodes[x->members[s]].slot = s;
		x->reductions += x->g->nodes[x->members[s]].class == CLASS_REDUCE;
		x->weight += fuse_cost_weight(value_of(x, x->members[s])->row->op);
	}
	if (x->weight > FUSE_WEIGHT && x->count > 1)
		return WHY_LIMIT;
	for (uint32_t s = 0; s < x->count && !why; s++)
		why = find_inputs(x, s);
	for (uint32_t s = 0; s < x->count && !why; s++)
		if (fuse_kernel_stores(x, s))
			why = add_arg(x, x->members[s], true, &x->maps[s], &at);
	if (!why && (x->scalars > GROUP_SCALARS || x->reductions > GROUP_REDUCTIONS ||
		x->count + x->extra + x->args_count + x->scalars > GROUP_NODES))
		why = WHY_LIMIT;
	return why;
}

/* ---- digits ---- */

static fuse_why cut_space(fuse_kernel *x)
{
	const fuse_reduction *r = &x->reduction;
	const int64_t forced[] = { r->mode == GROUP_COLS ? r->kept : 1,
		r->mode ? r->kept * r->reduced : 1, x->columns };

	x->cuts.count = 0;
	for (unsigned k = 0; k < COUNT(forced); k++)
		if (forced[k] > 1 && forced[k] < x->space && !fuse_cuts_add(&x->cuts, forced[k]))
			return WHY_STEPS;
	for (uint32_t k = 0; k < x->args_count; k++)
		if (!fuse_cuts_add_map(&x->cuts, &x->args[k].map))
			return WHY_STEPS;
	for (int k = 0; k <= x->cuts.count; k++)
		x->digits[k] = (k < x->cuts.count ? x->cuts.at[k] : x->space) /
			(k ? x->cuts.at[k - 1] : 1);
	for (uint32_t k = 0; k < x->args_count; k++)
		fuse_cuts_steps(&x->cuts, &x->args[k].map, x->args[k].steps);
	return WHY_FUSED;
}

/* Would the group be the same with rows along the other digit? */
static bool alike(const fuse_kernel *x, int one, int other)
{
	bool same = true;

	for (uint32_t k = 0; k < x->args_count; k++)
		same = same && !x->args[k].steps[one] == !x->args[k].steps[other];
	return same;
}

/* Rows are the digit next to the columns. Where another is longer (heads of attention come before
 * positions) fewer calls are made if they change places; rows do not depend on each other. But
 * sizes must not decide what the group is. */
static int pick_row(const fuse_kernel *x, int first, int count)
{
	int row = first;

	for (int d = first + 1; d < count; d++)
		if (x->digits[d] > x->digits[row] && alike(x, first, d))
			row = d;
	return row;
}

/* Give the digits their parts. Reductions want one digit for what they reduce, one for what they
 * keep. On pieces of a product rows have to follow one another. */
static fuse_why deal_digits(fuse_kernel *x)
{
	const fuse_reduction *r = &x->reduction;
	const int count = x->space > 1 ? x->cuts.count + 1 : 0;
	const int64_t cols = r->mode == GROUP_ROWS ? r->reduced :
		r->mode == GROUP_COLS ? r->kept : x->columns;
	int next = 0;

	x->col = x->row = -1;
	if (cols != 1 && next < count)
		x->col = next++;
	if (cols > 1 && fuse_kernel_size(x, x->col) != cols)
		return WHY_STEPS;
	if (r->mode == GROUP_COLS && r->reduced > 1 && next < count)
		x->row = next;
	else if (r->mode != GROUP_COLS && next < count)
		x->row = x->columns ? next : pick_row(x, next, count);
	if (r->mode == GROUP_COLS && fuse_kernel_size(x, x->row) != r->reduced)
		return WHY_STEPS;
	x->outer_count = 0;
	for (int d = next; d < count; d++) {
		if (d != x->row && x->outer_count == FUSE_OUTER)
			return WHY_STEPS;
		if (d != x->row)
			x->outer[x->outer_count++] = d;
	}
	return WHY_FUSED;
}

/* What is stored must vary from row to row, unless it is the result of a reduction over rows, and
 * from call to call: else it would be stored more than once. */
static fuse_why check_stores(const fuse_kernel *x)
{
	for (uint32_t k = 0; k < x->args_count; k++) {
		const fuse_operand *a = &x->args[k];

		if (!a->out)
			continue;
		for (int d = 0; d < x->outer_count; d++)
			if (!a->steps[x->outer[d]])
				return WHY_TWICE;
		if (x->row >= 0 && !a->steps[x->row] && x->reduction.mode != GROUP_COLS)
			return WHY_TWICE;
		if (x->reduction.mode == GROUP_COLS && !a->steps[x->col])
			return WHY_TWICE;
	}
	return WHY_FUSED;
}

/* ---- cost ---- */

/* Levels of reductions: how deep they depend on one another. */
static unsigned count_levels(fuse_kernel *x)
{
	uint8_t level[FUSE_MEMBERS];
	unsigned most = 0;

	for (uint32_t s = 0; s < x->count; s++) {
		const ins *row = value_of(x, x->members[s])->row;

		level[s] = 0;
		for (unsigned k = 0; k < row->nin; k++) {
			const uint32_t root = ins_kind(row, k) ? FUSE_NONE :
				x->g->nodes[fuse_input_of(row, k)].root;

			if (root != FUSE_NONE && fuse_kernel_has(x, root))
				level[s] = MAX(level[s], level[x->g->nodes[root].slot]);
		}
		level[s] += x->g->nodes[x->members[s]].class == CLASS_REDUCE;
		most = MAX(most, level[s]);
	}
	return most;
}

static uint64_t bytes_of(const fuse_kernel *x, const fuse_operand *a)
{
	uint64_t n = dtype_size((gt_dtype)value_of(x, a->value)->m.dtype);

	if (a->counts || a->picked)
		return a->counts ? 0 : n * (uint64_t)x->space;
	for (int d = 0; x->space > 1 && d <= x->cuts.count; d++)
		n *= a->steps[d] ? (uint64_t)x->digits[d] : 1;
	return n;
}

/* What a member costs is counted an element, a row, or a column. */
static unsigned *counter_of(const fuse_kernel *x, uint32_t slot, fuse_work *w)
{
	int64_t steps[FUSE_SEGS];

	if (x->g->nodes[x->members[slot]].class == CLASS_REDUCE)
		return &w->each;
	fuse_cuts_steps(&x->cuts, &x->maps[slot], steps);
	if (x->col < 0 || !steps[x->col])
		return &w->line;
	return x->reduction.mode == GROUP_COLS && x->row >= 0 && !steps[x->row] ? &w->column :
		&w->each;
}

uint64_t fuse_kernel_cost(const fuse_kernel *x, bool flat)
{
	const int64_t rows = fuse_kernel_size(x, x->row), cols = fuse_kernel_size(x, x->col);
	fuse_work w = { .calls = 1, .rows = flat ? 1 : rows, .cols = flat ? rows * cols : cols,
		.levels = x->levels };

	for (int d = 0; d < x->outer_count; d++)
		w.calls *= x->digits[x->outer[d]];
	for (uint32_t s = 0; s < x->count; s++)
		*counter_of(x, s, &w) += fuse_cost_weight(value_of(x, x->members[s])->row->op);
	for (uint32_t k = 0; k < x->args_count; k++) {
		w.bytes += bytes_of(x, &x->args[k]);
		if (x->col >= 0 && x->args[k].steps[x->col])
			w.each++;
		else
			w.line++;
	}
	return fuse_cost(&w);
}

fuse_why fuse_kernel_lay_out(fuse_kernel *x)
{
	fuse_why why = find_operands(x);

	if (!why)
		why = cut_space(x);
	if (!why)
		why = deal_digits(x);
	if (!why)
		why = check_stores(x);
	if (why)
		return why;
	x->levels = count_levels(x);
	x->cost = fuse_kernel_cost(x, false);
	return WHY_FUSED;
}

fuse_why fuse_kernel_of(fuse_kernel *x, uint32_t unit)
{
	const fuse_unit *u = &x->g->units.at[unit];

	x->units[0] = unit;
	x->units[1] = FUSE_NONE;
	x->count = 0;
	for (uint32_t v = u->members; v != FUSE_NONE; v = x->g->nodes[v].next) {
		x->maps[x->count] = x->g->nodes[v].map;
		x->members[x->count++] = v;
	}
	x->space = u->space;
	x->columns = u->product == FUSE_NONE ? 0 : fuse_columns(value_of(x, u->product));
	x->reduction = u->reduction;
	return fuse_kernel_lay_out(x);
}
