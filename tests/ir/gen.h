/* gen.h: random valid instructions for every row of the op table, for property tests.
 *
 * A row's SHAPE rule chooses the generator, by name: a new rule without one does not compile. The
 * rest (counts, dtypes, which inputs may be scalars, attributes) follows from the row's other
 * columns.
 */
#ifndef TESTS_IR_GEN_H
#define TESTS_IR_GEN_H

#include <stdlib.h>
#include "ir/op.h"
#include "ir/shape.h"

typedef struct gen {
	uint64_t state;
	const op_row *row;
	meta metas[INS_INPUTS_MAX];
	const meta *in[INS_INPUTS_MAX];
	ins_room room;   /* last: what ins_room ends with has no fixed size */
} gen;

/* splitmix64 */
static uint64_t gen_u64(gen *g)
{
	uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int64_t gen_range(gen *g, int64_t low, int64_t high)   /* both included */
{
	return low + (int64_t)(gen_u64(g) % (uint64_t)(high - low + 1));
}

/* 64 random bits, often few of them, and the edges. */
static uint64_t gen_bits(gen *g)
{
	static const uint64_t edges[] = { 0, 1, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX };
	const uint64_t v = gen_u64(g) >> gen_range(g, 0, 63);

	return gen_range(g, 0, 9) ? v : edges[gen_range(g, 0, 4)];
}

static gt_dtype gen_dtype(gen *g, const char *kinds)
{
	gt_dtype d;

	do
		d = (gt_dtype)gen_range(g, 1, GT_DTYPE_COUNT - 1);
	while (!strchr(kinds, "?bif"[dtype_kind_of(d)]));
	return d;
}

static meta gen_meta(gen *g, gt_dtype d, int rank_min, int rank_max)
{
	meta m = { .dtype = (uint8_t)d, .rank = (uint8_t)gen_range(g, rank_min, rank_max) };

	for (int k = 0; k < m.rank; k++)
		m.dims[k] = gen_range(g, 0, 4);
	return m;
}

static uint64_t gen_id(gen *g)
{
	uint64_t id;

	do
		id = gen_bits(g);
	while (!id || id == g->room.head.out);
	return id;
}

static void gen_tensor(gen *g, meta m)
{
	const int k = g->room.head.nin;

	ins_put_input(&g->room.head, gen_id(g));
	g->metas[k] = m;
	g->in[k] = &g->metas[k];
}

static void gen_scalar(gen *g, dtype_kind highest)
{
	const dtype_kind kind = (dtype_kind)gen_range(g, KIND_BOOL, highest);
	const uint64_t bits = gen_bits(g);

	g->in[g->room.head.nin] = NULL;
	ins_put_scalar(
		&g->room.head, kind, (scalar){ .bits = kind == KIND_BOOL ? bits & 1 : bits });
}

static void gen_sizes(gen *g, const meta *m)
{
	for (int k = 0; k < m->rank; k++)
		ins_put_operand(&g->room.head, m->dims[k]);
}

/* Inputs from the next position on: tensors of that meta or of shapes that broadcast to it, some of
 * them scalars where the row permits; the one at `whole` is a tensor of exactly m. */
static void gen_values(gen *g, meta m, int whole)
{
	for (int k = g->room.head.nin; k < g->row->nin; k++) {
		meta part = m;
		const char may = op_input(g->row, (unsigned)k);

		if (may == 's' || (may == 'a' && k != whole && !gen_range(g, 0, 3))) {
			gen_scalar(g, dtype_kind_of((gt_dtype)m.dtype));
			continue;
		}
		if (k != whole && g->row->kind == KIND_ELEMENT) {
			const int cut = (int)gen_range(g, 0, m.rank);

			part.rank = (uint8_t)(m.rank - cut);
			for (int d = 0; d < part.rank; d++)
				part.dims[d] = gen_range(g, 0, 2) ? m.dims[d + cut] : 1;
		}
		gen_tensor(g, part);
	}
}

/* ---- one generator a rule ---- */

static void make_none(gen *g)
{
	if (g->row->nin)
		gen_tensor(g, gen_meta(g, GT_FLOAT32, 0, 3));
	if (*g->row->operands == 't' || *g->row->operands == 'u')
		ins_put_operand(&g->room.head, (int64_t)gen_bits(g));
	if (*g->row->operands == 's') {
		char name[INS_NAME_MAX + 1];
		const size_t n = (size_t)gen_range(g, 1, INS_NAME_MAX);

		for (size_t k = 0; k < n; k++)
			name[k] = (char)gen_range(g, 1, 255);
		ins_put_name(&g->room.head, name, n);
	}
}

static void make_create(gen *g)
{
	const char *attr_kinds = g->row->result == RESULT_attr ? "bif" :
		g->row->result == RESULT_attr_float ? "f" : "if";
	const gt_dtype d = gen_dtype(g, attr_kinds);
	const char *sizes = strchr(g->row->operands, 'd');
	meta m = gen_meta(g, d, 0, 4);
	dtype_kind kind = (dtype_kind)0;

	g->room.head.attr.dtype = (uint8_t)d;
	if (sizes[1] != '*')
		m = gen_meta(g, d, (int)strlen(sizes), (int)strlen(sizes));
	for (int k = 0; k < g->row->nin; k++) {   /* of one kind that the row takes */
		const uint64_t bits = gen_bits(g);

		if (!kind)
			kind = dtype_kind_of(gen_dtype(g, g->row->dtypes));
		g->in[k] = NULL;
		ins_put_scalar(&g->room.head, kind,
			(scalar){ .bits = kind == KIND_BOOL ? bits & 1 : bits });
	}
	for (const char *p = g->row->operands; p < sizes; p++) {
		int64_t v = (int64_t)gen_bits(g);

		if (*p == 'b') {
			blob *b = blob_new((size_t)meta_count(&m) * dtype_size(d));
			uint8_t *bytes = b->data;

			for (size_t k = 0; k < b->size; k++)
				bytes[k] = (uint8_t)(gen_u64(g) & (d == GT_BOOL ? 1 : 255));
			v = (int64_t)(uintptr_t)b;
		}
		ins_put_operand(&g->room.head, v);
	}
	gen_sizes(g, &m);
}

static void make_plain(gen *g)
{
	const meta m = gen_meta(g, gen_dtype(g, g->row->dtypes), 1, 4);

	if (g->row->attrs & ATTR_DTYPE)
		g->room.head.attr.dtype = (uint8_t)gen_dtype(g, "bif");
	if (g->row->attrs & ATTR_AXIS)
		g->room.head.attr.axis = (uint8_t)gen_range(g, 0, m.rank - 1);
	gen_values(g, m, (int)gen_range(g, 0, g->row->nin - 1));
}

static void make_same_axes(gen *g)
{
	const meta m = gen_meta(g, gen_dtype(g, g->row->dtypes), 1, 4);
	const int64_t first = gen_range(g, 0, m.rank - 1);

	g->room.head.attr.axes = (uint8_t)((1 << m.rank) - (1 << first));
	gen_values(g, m, 0);
}

static void make_where(gen *g)
{
	meta m = gen_meta(g, GT_BOOL, 0, 4);

	if (gen_range(g, 0, 3))
		gen_tensor(g, m);
	else
		gen_scalar(g, KIND_BOOL);
	m.dtype = (uint8_t)gen_dtype(g, g->row->dtypes);
	gen_values(g, m, g->in[0] ? -1 : 1);
}

static void make_reduce(gen *g)
{
	meta m = gen_meta(g, gen_dtype(g, g->row->dtypes), 0, 4);
	const int all = (1 << m.rank) - 1;

	g->room.head.attr.axes = (uint8_t)gen_range(g, 0, all);
	g->room.head.attr.keepdims = (uint8_t)gen_range(g, 0, 1);
	if (g->row->result == RESULT_index)
		g->room.head.attr.axes = (uint8_t)(m.rank && gen_range(g, 0, 1) ?
			1 << gen_range(g, 0, m.rank - 1) : all);
	gen_values(g, m, 0);
}

static void make_reduce_nonempty(gen *g)
{
	make_reduce(g);
	for (int k = 0; k < g->metas[0].rank; k++)
		g->metas[0].dims[k] += g->metas[0].dims[k] == 0;
}

static void make_matmul(gen *g)
{
	meta a = gen_meta(g, gen_dtype(g, g->row->dtypes), 2, 5), b = a;

	b.dims[b.rank - 2] = a.dims[a.rank - 1];
	b.dims[b.rank - 1] = gen_range(g, 0, 4);
	for (int k = 0; k < a.rank - 2; k++)
		if (!gen_range(g, 0, 2))
			(gen_range(g, 0, 1) ? &a : &b)->dims[k] = 1;
	gen_tensor(g, a);
	gen_tensor(g, b);
}

static void make_reshape(gen *g)
{
	const meta m = gen_meta(g, gen_dtype(g, g->row->dtypes), 0, 4);
	meta to = { .rank = 1, .dims = { meta_count(&m) } };

	gen_tensor(g, m);
	for (int k = 0; k < m.rank && gen_range(g, 0, 3); k++)
		to.dims[to.rank++] = 1;
	gen_sizes(g, &to);
}

static void make_permute(gen *g)
{
	const meta m = gen_meta(g, gen_dtype(g, g->row->dtypes), 0, 8);
	uint8_t *perm = g->room.head.attr.perm;

	for (int k = 0; k < m.rank; k++) {
		const int other = (int)gen_range(g, 0, k);

		perm[k] = perm[other];
		perm[other] = (uint8_t)k;
	}
	gen_tensor(g, m);
}

static void make_expand(gen *g)
{
	meta m = gen_meta(g, gen_dtype(g, g->row->dtypes), 0, 4), to = m;

	for (int k = 0; k < m.rank; k++)
		if (gen_range(g, 0, 1))
			m.dims[k] = 1;
	for (int k = m.rank; k > 0; k--)
		to.dims[k] = to.dims[k - 1];
	to.rank = (uint8_t)(m.rank + 1);
	to.dims[0] = gen_range(g, 0, 4);
	gen_tensor(g, m);
	gen_sizes(g, &to);
}

/* first, count, step of dim sizes in m; counts into *hole. */
static void gen_slices(gen *g, const meta *m, meta *hole)
{
	*hole = *m;
	for (int k = 0; k < m->rank; k++) {
		const int64_t step = gen_range(g, 1, 3), room = (m->dims[k] + step - 1) / step;
		const int64_t count = gen_range(g, 0, room), last = (count - 1) * step;
		const bool back = gen_range(g, 0, 1);

		ins_put_operand(&g->room.head, back && count ? last : 0);
		ins_put_operand(&g->room.head, count);
		ins_put_operand(&g->room.head, back ? -step : step);
		hole->dims[k] = count;
	}
}

static void make_slice(gen *g)
{
	const meta m = gen_meta(g, gen_dtype(g, g->row->dtypes), 0, 4);
	meta hole;

	gen_tensor(g, m);
	gen_slices(g, &m, &hole);
}

static void make_slice_set(gen *g)
{
	const meta m = gen_meta(g, gen_dtype(g, g->row->dtypes), 0, 4);
	meta hole;

	gen_tensor(g, m);
	if (gen_range(g, 0, 1)) {
		gen_scalar(g, dtype_kind_of((gt_dtype)m.dtype));
		gen_slices(g, &m, &hole);
		return;
	}
	gen_tensor(g, m);
	gen_slices(g, &m, &hole);
	for (int k = 0; k < hole.rank; k++)
		hole.dims[k] = gen_range(g, 0, 2) ? hole.dims[k] : 1;
	g->metas[1] = hole;
}

static void make_cat(gen *g)
{
	const int64_t n = gen_range(g, 0, 9) ? gen_range(g, 1, 5) : INS_INPUTS_MAX;
	meta m = gen_meta(g, gen_dtype(g, g->row->dtypes), 1, 4);
	const int64_t axis = gen_range(g, 0, m.rank - 1);

	g->room.head.attr.axis = (uint8_t)axis;
	for (int64_t k = 0; k < n; k++) {
		m.dims[axis] = gen_range(g, 0, 4);
		gen_tensor(g, m);
	}
}

static void make_matrix(gen *g)
{
	gen_tensor(g, gen_meta(g, gen_dtype(g, g->row->dtypes), 2, 4));
	ins_put_operand(&g->room.head, (int64_t)gen_bits(g));
}

static meta gen_index_of(gen *g, const meta *x)
{
	meta index = *x;

	index.dtype = GT_INT64;
	for (int k = 0; k < x->rank; k++)
		index.dims[k] = gen_range(g, 0, x->dims[k]);
	return index;
}

static void make_gather(gen *g)
{
	const meta x = gen_meta(g, gen_dtype(g, g->row->dtypes), 1, 4);
	meta index = gen_index_of(g, &x);
	const int64_t axis = gen_range(g, 0, x.rank - 1);

	g->room.head.attr.axis = (uint8_t)axis;
	index.dims[axis] = gen_range(g, 0, 9);
	gen_tensor(g, x);
	gen_tensor(g, index);
}

static void make_scatter(gen *g)
{
	meta source;

	make_gather(g);
	source = g->metas[1];
	source.dtype = g->metas[0].dtype;
	for (int k = 0; k < source.rank; k++)
		source.dims[k] += gen_range(g, 0, 2);
	gen_tensor(g, source);
}

static void make_index_select(gen *g)
{
	const meta x = gen_meta(g, gen_dtype(g, g->row->dtypes), 1, 4);

	g->room.head.attr.axis = (uint8_t)gen_range(g, 0, x.rank - 1);
	gen_tensor(g, x);
	gen_tensor(g, gen_meta(g, GT_INT64, 0, 4));
}

static void make_index_add(gen *g)
{
	meta x = gen_meta(g, gen_dtype(g, g->row->dtypes), 1, 4);
	const meta index = gen_meta(g, GT_INT64, 1, 1);

	g->room.head.attr.axis = (uint8_t)gen_range(g, 0, x.rank - 1);
	gen_tensor(g, x);
	gen_tensor(g, index);
	x.dims[g->room.head.attr.axis] = index.dims[0];
	gen_tensor(g, x);
}

static void make_one_hot(gen *g)
{
	gen_tensor(g, gen_meta(g, gen_dtype(g, g->row->dtypes), 0, 7));
	ins_put_operand(&g->room.head, gen_range(g, 0, 9));
}

#define make_sizes      make_create
#define make_random     make_create
#define make_same       make_plain
#define make_same_axis  make_plain
#define make_broadcast  make_plain
#define make_broadcast3 make_plain

static void (*const gen_rules[OP_CODES])(gen *g) = {
#define OP(name, code, kind, nin) [code] =
#define SHAPE(rule) make_##rule
#define END ,
#include "ir/ops.def"
};

/* Make an instruction of that op in g->room, with its inputs' metas in g->in. */
static inline const ins *gen_ins(gen *g, unsigned code)
{
	g->row = op_row_of(code);
	ins_init(&g->room, code, op_has_result(g->row) ? gen_id(g) : 0);
	g->room.head.site = gen_range(g, 0, 1) ? (uint32_t)gen_bits(g) : 0;
	gen_rules[code](g);
	return &g->room.head;
}

/* Drop the blob of an instruction that nobody took. */
static inline void gen_drop(const ins *i)
{
	if (ins_blob(i))
		blob_drop(ins_blob(i));
}

/* Whether two records are the same; the blobs of uploads by content. */
static inline bool gen_same_ins(const ins *a, const ins *b)
{
	ins_room x, y;
	const blob *ba = ins_blob(a), *bb = ins_blob(b);

	if (a->words != b->words)
		return false;
	memcpy(&x, a, a->words * 8u);
	memcpy(&y, b, b->words * 8u);
	if (ba && bb) {
		if (ba->size != bb->size || memcmp(ba->data, bb->data, ba->size))
			return false;
		x.head.tail[a->nin] = y.head.tail[b->nin] = 0;
	}
	return !memcmp(&x, &y, a->words * 8u);
}

#endif
