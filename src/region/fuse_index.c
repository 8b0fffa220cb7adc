/* fuse_index.c: one number added to each row at an index, as a comparison.
 *
 * The gradient of picking one element of each row (cross-entropy does that with the logarithms of
 * probabilities) is zeros with one number a row: a scatter_add. As rows that kernels know it is
 *
 *	j   = cast(where(lt(index, 0), add(index, n), index), int32)
 *	out = where(eq(j, arange(n)), add(base, source), base)
 *
 * which fuses with what made the base and the source, and with what follows. The bits are those of
 * the eager kernel, since no place is added to more than once. But comparing refuses no index. So
 * it is done only behind a call that has looked at the same indices along an axis of the same
 * length: the gather that this is the gradient of. That call is made even if nobody wants what it
 * picks, and where it fails the run is over.
 *
 * The picking stays a call: it reads one element of a row, a kernel would compare all of them.
 */
#include "region/fuse_graph.h"

typedef struct rows {
	const ins *i;
	const composer *to;
	uint64_t index, base, source;
	int64_t n;
	int rank, axis;
	gt_err e;                /* of the first row that failed; nothing is emitted after it */
} rows;

void fuse_index_note(fuse_graph *g, uint32_t v)
{
	const ins *row = g->f->values.at[v].row;

	if (!row->kinds && (row->op == OP_gather || row->op == OP_index_select))
		g->nodes[fuse_input_of(row, 1)].looked_at = v;
}

/* The call that has looked at the indices along an axis of n; FUSE_NONE. */
static uint32_t find_call(const fuse_graph *g, uint32_t index, int64_t n)
{
	const uint32_t v = g->nodes[index].looked_at;
	const ins *row;

	if (v == FUSE_NONE)
		return v;
	row = g->f->values.at[v].row;
	return g->f->values.at[fuse_input_of(row, 0)].m.dims[row->attr.axis] == n ? v : FUSE_NONE;
}

/* An index and a number for each row of the base. */
static bool is_one_a_row(const ins *i, const meta *base, const meta *index, const meta *source)
{
	bool is = index->rank == base->rank && source->rank == base->rank && meta_count(base) &&
		base->dims[i->attr.axis] <= INT32_MAX;

	for (int k = 0; is && k < base->rank; k++) {
		const int64_t want = k == i->attr.axis ? 1 : base->dims[k];

		is = index->dims[k] == want && source->dims[k] == want;
	}
	return is;
}

bool fuse_index_compares(fuse_graph *g, const ins *i, const meta *const *in)
{
	uint32_t v;

	if (i->op != OP_scatter_add || i->kinds || g->whole[g->op] ||
		!is_one_a_row(i, in[0], in[1], in[2]))
		return false;
	v = find_call(g, fuse_input_of(g->f->seen[g->op], 1), in[0]->dims[i->attr.axis]);
	if (v != FUSE_NONE)
		g->nodes[v].refuses = true;
	return v != FUSE_NONE;
}

/* ---- the rows ---- */

static ins *begin_as(const rows *r, ins_room *room, op code, uint64_t out)
{
	ins *i = ins_init(room, code, out);

	i->site = r->i->site;
	return i;
}

static ins *begin(const rows *r, ins_room *room, op code)
{
	return begin_as(r, room, code, r->to->fresh(r->to->ctx));
}

static uint64_t emit(rows *r, const ins *i)
{
	if (!r->e)
		r->e = r->to->emit(r->to->ctx, i);
	return i->out;
}

static uint64_t binary(rows *r, op code, uint64_t a, uint64_t b)
{
	ins_room room;
	ins *i = begin(r, &room, code);

	ins_put_input(i, a);
	ins_put_input(i, b);
	return emit(r, i);
}

static uint64_t with_int(rows *r, op code, uint64_t a, int64_t b)
{
	ins_room room;
	ins *i = begin(r, &room, code);

	ins_put_input(i, a);
	ins_put_scalar(i, KIND_INT, (scalar){ .i = b });
	return emit(r, i);
}

static uint64_t choose(rows *r, uint64_t where, uint64_t a, uint64_t b, bool last)
{
	ins_room room;
	ins *i = last ? begin_as(r, &room, OP_where, r->i->out) : begin(r, &room, OP_where);

	ins_put_input(i, where);
	ins_put_input(i, a);
	ins_put_input(i, b);
	return emit(r, i);
}

static uint64_t narrow(rows *r, uint64_t a)
{
	ins_room room;
	ins *i = begin(r, &room, OP_cast);

	i->attr.dtype = GT_INT32;
	ins_put_input(i, a);
	return emit(r, i);
}

/* 0 .. n-1 along the axis. */
static uint64_t positions(rows *r)
{
	ins_room room;
	ins *i = begin(r, &room, OP_arange);
	uint64_t all;

	i->attr.dtype = GT_INT32;
	ins_put_scalar(i, KIND_INT, (scalar){ .i = 0 });
	ins_put_scalar(i, KIND_INT, (scalar){ .i = 1 });
	ins_put_operand(i, r->n);
	all = emit(r, i);
	if (r->axis == r->rank - 1)
		return all;
	i = begin(r, &room, OP_reshape);
	ins_put_input(i, all);
	for (int k = r->axis; k < r->rank; k++)
		ins_put_operand(i, k == r->axis ? r->n : 1);
	return emit(r, i);
}

gt_err fuse_index_compose(const ins *i, const meta *const *in, const composer *to)
{
	rows r = { .i = i, .to = to, .base = ins_in(i)[0], .index = ins_in(i)[1],
		.source = ins_in(i)[2], .n = in[0]->dims[i->attr.axis], .rank = in[0]->rank,
		.axis = i->attr.axis };
	uint64_t low = with_int(&r, OP_lt, r.index, 0), at, hit;

	at = narrow(&r, choose(&r, low, with_int(&r, OP_add, r.index, r.n), r.index, false));
	hit = binary(&r, OP_eq, at, positions(&r));
	choose(&r, hit, binary(&r, OP_add, r.base, r.source), r.base, true);
	return r.e;
}
