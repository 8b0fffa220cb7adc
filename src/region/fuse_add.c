/* fuse_add.c: kernels whose results are added at indices, piece by piece, as they are made.
 *
 * index_add and scatter_add add numbers that may meet in one place, in the order of the index. No
 * kernel could: its order is that of its space. But whoever makes the numbers may be one step with
 * adding them. The kernel makes some slices along their first dim, those are added while they are in
 * the cache, by the engine's own kernel, then come the next ones. The order of additions, hence the
 * sum's bits, is that of the index. Unless somebody else wants them, too, all numbers together are
 * nowhere in memory, and where the sum begins as one number everywhere, as gradients do, there is no
 * tensor of that either.
 *
 * Indices are looked at when the op arrives, as those of fuse_place.c: what is out of range is left
 * to the eager kernel.
 */
#include "region/fuse_kernel.h"

/* ---- which ops? ---- */

/* Elements in a slice along the first dim. */
static int64_t slice_of(const meta *m)
{
	return meta_count(m) / m->dims[0];
}

/* Slices of the source are those of the index, or the index is the same for all of them. */
static bool is_sliced(const ins *i, const meta *index, const meta *source)
{
	bool same = i->op == OP_scatter_add;

	for (int k = 0; same && k < source->rank; k++)
		same = index->dims[k] == source->dims[k];
	return same || i->op == OP_index_add;
}

void fuse_add_check(fuse_graph *g, const ins *row, const meta *const *in, const meta *out)
{
	if ((row->op != OP_index_add && row->op != OP_scatter_add) || row->kinds ||
		!out->rank || !meta_count(out) || !meta_count(in[2]) ||
		!is_sliced(row, in[1], in[2]) ||
		g->nodes[g->nodes[fuse_input_of(row, 1)].root].class == CLASS_FULL)
		return;
	FUSE_PUSH(&g->f->checks, ((fuse_check){ .op = g->op, .value = fuse_input_of(row, 1),
		.size = out->dims[row->attr.axis] }));
}

static bool is_checked(const fuse_graph *g, uint32_t v)
{
	const fusion *f = g->f;

	for (uint32_t k = 0; k < f->checks.count; k++)
		if (f->checks.at[k].op == f->values.at[v].op)
			return g->nodes[v].class == CLASS_CALL &&
				f->checks.at[k].value == fuse_input_of(f->values.at[v].row, 1);
	return false;
}

/* ---- may they? ---- */

/* Somebody outside wants a result of the kernel before the numbers are added: runs by then. */
static bool is_wanted(const fuse_kernel *x, uint32_t sum)
{
	const fuse_graph *g = x->g;

	for (uint32_t s = 0; s < x->count; s++) {
		const fuse_node *n = &g->nodes[x->members[s]];

		for (uint32_t k = 0; k < n->users_count; k++) {
			const uint32_t unit = g->nodes[g->users[n->users + k]].unit;

			if (g->users[n->users + k] != sum && unit != x->units[0] &&
				g->units.at[unit].origin < g->f->values.at[sum].op)
				return true;
		}
	}
	return false;
}

/* Does the sum read a result of the kernel otherwise than as its source? */
static bool reads_more(const fuse_kernel *x, const ins *row)
{
	return fuse_kernel_has(x, x->g->nodes[fuse_input_of(row, 0)].root) ||
		fuse_kernel_has(x, x->g->nodes[fuse_input_of(row, 1)].root);
}

/* All elements of the source in its own order, as the root lies in memory. */
static bool is_whole(const fuse_graph *g, uint32_t v, uint32_t root)
{
	const fuse_value *o = &g->f->values.at[v], *r = &g->f->values.at[root];

	return !o->slides && o->offset == r->offset && meta_count(&o->m) == meta_count(&r->m) &&
		shape_is_contiguous(&o->m, o->strides) && shape_is_contiguous(&r->m, r->strides);
}

/* The kernel's rows or columns one behind the other are the source, and slices end where rows do;
 * of an only row, where nothing is reduced along it. */
static bool comes_in_slices(const fuse_kernel *x, uint32_t source, int64_t slice)
{
	const int64_t cols = fuse_kernel_size(x, x->col), rows = fuse_kernel_size(x, x->row);
	fuse_map all, own;

	fuse_map_identity(x->space, &all);
	own = x->maps[x->g->nodes[source].slot];
	if (x->outer_count || x->reduction.mode == GROUP_COLS || !fuse_map_equal(&all, &own))
		return false;
	return slice % cols == 0 || (rows == 1 && !x->reduction.mode);
}

static fuse_why look(const fuse_kernel *x, uint32_t sum, uint32_t source)
{
	const fuse_graph *g = x->g;
	const fuse_value *o = &g->f->values.at[sum];
	const fuse_unit *u = &g->units.at[x->units[0]];
	const uint32_t in = fuse_input_of(o->row, 2);

	if (u->product != FUSE_NONE || reads_more(x, o->row))
		return WHY_CALL;
	if (u->origin > o->op || o->op - u->origin > FUSE_WAIT)
		return WHY_WAIT;
	if (u->deadline < o->op)
		return WHY_LATE;
	if (is_wanted(x, sum))
		return WHY_BETWEEN;
	return is_whole(g, in, source) &&
		comes_in_slices(x, source, slice_of(&g->f->values.at[in].m)) ? WHY_FUSED : WHY_ADDED;
}

/* ---- become one ---- */

static void become_one(fuse_graph *g, uint32_t unit, uint32_t sum, uint32_t source)
{
	fuse_unit *u = &g->units.at[unit];
	fuse_node *n = &g->nodes[sum];

	g->units.at[n->unit].alive = false;
	n->unit = unit;
	u->adds = sum;
	u->source = source;
	u->last = MAX(u->last, n->position);
	u->origin = g->f->values.at[sum].op;
	u->deadline = MIN(u->deadline, n->deadline);
}

static void join(fuse_graph *g, uint32_t sum)
{
	const uint32_t source = g->nodes[fuse_input_of(g->f->values.at[sum].row, 2)].root;
	const uint32_t unit = g->nodes[source].unit;
	fuse_why why;

	if (unit == FUSE_NONE || g->units.at[unit].call || g->units.at[unit].adds != FUSE_NONE)
		return;
	why = fuse_kernel_of(g->trial, unit);
	assert(!why);
	why = look(g->trial, sum, source);
	g->nodes[sum].refused[2] = (uint8_t)why;
	if (!why)
		become_one(g, unit, sum, source);
}

void fuse_add_join(fuse_graph *g)
{
	for (uint32_t at = 0; at < g->f->order.count; at++) {
		const uint32_t v = g->f->order.at[at];

		if (!g->in->alone && g->nodes[v].needed && g->nodes[v].unit != FUSE_NONE &&
			is_checked(g, v))
			join(g, v);
	}
}
