/* copy.c: fast rows that move elements whose places depend on shapes only. */
#include "engine/isa/tiles.h"

#define SMALL_COPY 65536       /* bytes: memcpy at once, without asking the pool */

static int64_t element_size(const view *v)
{
	return (int64_t)dtype_size(v->m.dtype);
}

static void *element(const view *v, int64_t offset)
{
	return (char *)v->data + offset * element_size(v);
}

/* Copy all of `from` to contiguous memory. */
static void copy_to(void *to, const view *from, pool *p)
{
	tile_move m = { .rank = from->m.rank, .size = dtype_size(from->m.dtype),
		.to = to, .from = from->data };
	size_t bytes = (size_t)meta_count(&from->m) * m.size;

	if (from->contiguous && bytes <= SMALL_COPY) {
		memcpy(to, from->data, bytes);
		return;
	}
	memcpy(m.dims, from->m.dims, sizeof(m.dims));
	memcpy(m.from_strides, from->strides, sizeof(m.from_strides));
	shape_contiguous(&from->m, m.to_strides);
	ISA(walk_copy)(&m, p);
}

/* clone, and reshape where no view does it. */
static gt_err copy(const kcall *c)
{
	copy_to(c->out->data, c->in[0], c->engine->pool);
	return GT_OK;
}

static gt_err cat(const kcall *c)
{
	const view *out = c->out;
	int axis = c->i->attr.axis;
	tile_move m = { .rank = out->m.rank, .size = dtype_size(out->m.dtype), .to = out->data };

	shape_contiguous(&out->m, m.to_strides);
	for (int k = 0; k < c->i->nin; k++) {
		const view *x = c->in[k];

		m.from = x->data;
		memcpy(m.dims, x->m.dims, sizeof(m.dims));
		memcpy(m.from_strides, x->strides, sizeof(m.from_strides));
		ISA(walk_copy)(&m, c->engine->pool);
		m.to = (char *)m.to + x->m.dims[axis] * m.to_strides[axis] * (int64_t)m.size;
	}
	return GT_OK;
}

/* Copy everything, then zero the part of each row that the triangle leaves out. */
static gt_err triangle(const kcall *c)
{
	const meta *m = &c->out->m;
	int64_t rows = m->dims[m->rank - 2], cols = m->dims[m->rank - 1];
	int64_t diagonal = ins_opd(c->i)[0], count = meta_count(m);
	bool lower = c->i->op == OP_tril;

	copy_to(c->out->data, c->in[0], c->engine->pool);
	for (int64_t n = 0, row = 0; n < count; n += cols, row = (row + 1) % rows) {
		/* The columns that stay: up to and with row + diagonal, or from there on. The
		 * diagonal may be any number: clip it before adding. */
		int64_t clipped = MIN(MAX(diagonal, -rows), cols), edge = row + clipped + lower;
		int64_t border = MIN(MAX(edge, 0), cols);
		int64_t from = lower ? border : 0, end = lower ? cols : border;

		memset(element(c->out, n + from), 0, (size_t)(end - from) * dtype_size(m->dtype));
	}
	return GT_OK;
}

static gt_err slice_set(const kcall *c)
{
	const view *out = c->out, *source = c->in[1];
	const int64_t *opd = ins_opd(c->i);
	tile_move m = { .rank = out->m.rank, .size = dtype_size(out->m.dtype),
		.from = source->data };
	int64_t offset = 0;

	copy_to(out->data, c->in[0], c->engine->pool);
	shape_contiguous(&out->m, m.to_strides);
	for (int d = 0; d < m.rank; d++, opd += 3) {
		int of_source = d - (m.rank - source->m.rank);
		bool repeated = of_source < 0 || source->m.dims[of_source] == 1;

		if (!opd[1])
			return GT_OK;   /* an empty slice; its first index means nothing */
		m.dims[d] = opd[1];
		m.from_strides[d] = repeated ? 0 : source->strides[of_source];
		offset += opd[0] * m.to_strides[d];
		m.to_strides[d] *= opd[2];
	}
	m.to = element(out, offset);
	ISA(walk_copy)(&m, c->engine->pool);
	return GT_OK;
}

void ISA(copy_rows)(kernel **table)
{
	table[OP_clone] = table[OP_reshape] = copy;
	table[OP_cat] = cat;
	table[OP_tril] = table[OP_triu] = triangle;
	table[OP_slice_set] = slice_set;
}
