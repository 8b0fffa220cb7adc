/* fuse_index.c: one number added to each row at an index, as a comparison.
 *
 * The gradient of picking one element of each row (cross-entropy does that with the logarithms of
 * probabilities) is zeros with one number a row: a scatter_add. As rows that kernels know it is
 *
 *	j   = cast(where(lt(index, 0), add(index, n), index), int32)
 *	out = where(eq(j, arange(n)), add(base, source), base)
 *
 * which fuses with what made the base and the source, and with what follows. The bits are those of
 * the eager kernel, since no place is added to more than once. But comparing refuses no index: they
 * are looked at when the op arrives (fusion.checks), as those of fuse_place.c.
 *
 * Where several numbers may meet in one place, or whole slices are added, scatter_add and index_add
 * stay calls: they are added in the order of the index, which no space of a kernel has.
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
	const uint32_t index = i->nin > 1 ? fuse_input_of(g->f->seen[g->op], 1) : 0;

	if (i->op != OP_scatter_add || i->kinds || g->whole[g->op] ||
		!is_one_a_row(i, in[0], in[1], in[2]) ||
		g->nodes[g->nodes[index].root].class == CLASS_FULL)
		return false;
	FUSE_PUSH(&g->f->checks, ((fuse_check){ .op = g->op, .value = index,
		.size = in[0]->dims[i->attr.axis] }));
	return true;
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
