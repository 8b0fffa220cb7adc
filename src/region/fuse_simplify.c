/* fuse_simplify.c: values that are others already.
 *
 * A rule may say that v is u only if every bit is the same for every input, zeros, infinities and
 * NaN (payloads excepted) included, and the strides too: products choose their kernel by strides.
 * Scalars of the program are data that may differ in the next run: only those of decompositions
 * are constants. Dead code needs no rule: what nothing needs gets no step.
 */
#include "region/fuse_graph.h"

#include "hotpath/mix.h"

static const ins *row_of(const fuse_graph *g, uint32_t v)
{
	return g->f->values.at[v].row;
}

static bool same_place(const fuse_value *a, const fuse_value *b)
{
	bool same = a->m.dtype == b->m.dtype && a->m.rank == b->m.rank;

	for (int k = 0; same && k < a->m.rank; k++)
		same = a->m.dims[k] == b->m.dims[k] && a->strides[k] == b->strides[k];
	return same;
}

static bool contiguous(const fuse_graph *g, uint32_t v)
{
	const fuse_value *o = &g->f->values.at[v];
	fuse_value plain = { .m = o->m };

	shape_contiguous(&o->m, plain.strides);
	return same_place(o, &plain);
}

/* A view which shows what a view on its way shows already: transposed twice, reshaped back. */
static uint32_t earlier_view(const fuse_graph *g, uint32_t v)
{
	const fuse_value *o = &g->f->values.at[v];
	uint32_t u = v;

	while (g->nodes[u].class == CLASS_VIEW && row_of(g, u)->op != OP_slice) {
		const fuse_value *in;

		u = fuse_input_of(row_of(g, u), 0);
		in = &g->f->values.at[u];
		if (same_place(o, in) && o->offset == in->offset)
			return u;
	}
	return v;
}

/* x / 1, x * 1 for a one that is part of a decomposition. */
static bool is_by_one(const fuse_graph *g, uint32_t v, const ins *row)
{
	const scalar s = { .bits = row->nin == 2 ? ins_in(row)[1] : 0 };

	return g->f->values.at[v].composed && (row->op == OP_div || row->op == OP_mul) &&
		!ins_kind(row, 0) && ins_kind(row, 1) == KIND_FLOAT && s.f == 1;
}

/* A reduction of one element a result combines it with the identity, which changes nothing. */
static bool is_of_one(const fuse_graph *g, uint32_t v, const ins *row)
{
	const fuse_value *in = &g->f->values.at[fuse_input_of(row, 0)];

	return g->nodes[v].class == CLASS_REDUCE && in->m.dtype == g->f->values.at[v].m.dtype &&
		row->op != OP_any && row->op != OP_all &&
		fuse_reduction_of(&in->m, row->attr.axes).reduced == 1;
}

static uint32_t undone(const fuse_graph *g, const ins *row)
{
	const uint32_t u = fuse_input_of(row, 0);
	const ins *before = row_of(g, u);

	if (row->op == OP_neg && before && before->op == OP_neg && g->nodes[u].class != CLASS_SAME)
		return fuse_input_of(before, 0);
	return FUSE_NONE;
}

static uint32_t identity(const fuse_graph *g, uint32_t v, const ins *row)
{
	uint32_t as = FUSE_NONE;

	if (!row->nin || ins_kind(row, 0))
		return v;
	if (g->nodes[v].class == CLASS_VIEW)
		return earlier_view(g, v);
	if (g->nodes[v].class == CLASS_COPY || is_by_one(g, v, row) || is_of_one(g, v, row))
		as = fuse_input_of(row, 0);
	else
		as = undone(g, row);
	if (as == FUSE_NONE || !contiguous(g, as) ||
		!same_place(&g->f->values.at[v], &g->f->values.at[as]))
		return v;
	return as;
}

/* ---- common subexpressions ---- */

/* Is another row like this one certain to make the same value, in this run and every later one that
 * fits? */
static bool repeatable(const fuse_graph *g, uint32_t v, const ins *row)
{
	const op_row *o = &op_rows[row->op];

	if (row->kinds && !g->f->values.at[v].composed)
		return false;
	switch (o->kind) {
	case KIND_ELEMENT:
	case KIND_REDUCE:
	case KIND_PRODUCT:
	case KIND_COMPOSITE:
		return true;
	case KIND_VIEW:
		return row->op != OP_slice;
	default:
		return false;
	}
}

static bool same_row(const ins *a, const ins *b)
{
	return a->op == b->op && a->words == b->words && a->kinds == b->kinds &&
		a->nin == b->nin && a->attr.bits == b->attr.bits &&
		!memcmp(a->tail, b->tail, (a->words - INS_HEAD_WORDS) * sizeof(uint64_t));
}

static uint64_t hash_row(const ins *i)
{
	uint64_t h = mix(i->op | (uint64_t)i->kinds << 16 | (uint64_t)i->words << 32, i->attr.bits);

	for (unsigned k = 0; k + INS_HEAD_WORDS < i->words; k++)
		h = mix(h, i->tail[k]);
	return h;
}

static uint32_t common(fuse_graph *g, uint32_t v, const ins *row)
{
	uint32_t at = (uint32_t)(hash_row(row) >> 32) & g->table_mask;

	for (; g->table[at]; at = (at + 1) & g->table_mask)
		if (same_row(row_of(g, g->table[at] - 1), row))
			return g->table[at] - 1;
	if (g->table_used < g->table_mask / 2) {
		g->table[at] = v + 1;
		g->table_used++;
	}
	return v;
}

uint32_t fuse_simplify(fuse_graph *g, uint32_t v, ins *row)
{
	const uint32_t as = identity(g, v, row);

	if (as != v || g->in->alone)
		return g->in->alone ? v : as;
	return repeatable(g, v, row) ? common(g, v, row) : v;
}
