/* reference_index.c: reference kernels that move elements by computed indices. */
#include "engine/index.h"
#include "engine/reference.h"

#include "engine/arith.h"

static void move(const view *out, int64_t n, const void *from)
{
	memcpy(reference_out(out, n), from, dtype_size(out->m.dtype));
}

/* Results that start as a copy of the first input, if they do not lie in its memory. */
static void copy_base(const kcall *c)
{
	const int64_t count = c->in[0]->data != c->out->data ? meta_count(&c->out->m) : 0;

	for (int64_t n = 0; n < count; n++)
		move(c->out, n, reference_meets(c->in[0], &c->out->m, n));
}

/* *to += *from, integers wrapping. */
static void add_to(gt_dtype dtype, void *to, const void *from)
{
	switch (dtype) {
#define ADD(d, type, unused) \
	case GT_##d: *(type *)to = arith_add_##d(*(type *)to, *(const type *)from); break;
	EACH_NUMBER(ADD, )
	default:
		assert(!"TYPES lets numbers pass only");
	}
}

gt_err kernel_cat(const kcall *c)
{
	int axis = c->i->attr.axis, rank = c->out->m.rank;
	int64_t index[GT_RANK_MAX], count = meta_count(&c->out->m);

	for (int64_t n = 0; n < count; n++) {
		int k = 0;

		reference_index(&c->out->m, n, index);
		for (; index[axis] >= c->in[k]->m.dims[axis]; k++)
			index[axis] -= c->in[k]->m.dims[axis];
		move(c->out, n, reference_at(c->in[k], index, rank));
	}
	return GT_OK;
}

gt_err kernel_triangle(const kcall *c)
{
	int rank = c->out->m.rank;
	int64_t diagonal = ins_opd(c->i)[0], index[GT_RANK_MAX], count = meta_count(&c->out->m);
	static const char zero[sizeof(int64_t)];

	for (int64_t n = 0; n < count; n++) {
		int64_t column;

		reference_index(&c->out->m, n, index);
		column = index[rank - 1] - index[rank - 2];
		move(c->out, n, (c->i->op == OP_tril ? column <= diagonal : column >= diagonal) ?
			reference_at(c->in[0], index, rank) : zero);
	}
	return GT_OK;
}

gt_err kernel_slice_set(const kcall *c)
{
	const int64_t *opd = ins_opd(c->i);
	meta part = c->out->m;
	int64_t at[GT_RANK_MAX], to[GT_RANK_MAX], count;

	for (int k = 0; k < part.rank; k++)
		part.dims[k] = opd[3 * k + 1];
	count = meta_count(&part);
	copy_base(c);
	for (int64_t n = 0; n < count; n++) {
		reference_index(&part, n, at);
		for (int k = 0; k < part.rank; k++)
			to[k] = opd[3 * k] + at[k] * opd[3 * k + 2];
		memcpy(reference_at(c->out, to, part.rank), reference_at(c->in[1], at, part.rank),
			dtype_size(part.dtype));
	}
	return GT_OK;
}

/* Element n of an index tensor that index_check has passed. */
static int64_t place(const view *indices, int64_t n, int64_t size)
{
	return index_place(indices->m.dtype, reference_meets(indices, &indices->m, n), size);
}

gt_err kernel_gather(const kcall *c)
{
	int axis = c->i->attr.axis, rank = c->out->m.rank;
	int64_t index[GT_RANK_MAX], count = meta_count(&c->out->m);

	if (index_check(c, c->in[1], c->in[0]->m.dims[axis]))
		return GT_EINDEX;
	for (int64_t n = 0; n < count; n++) {
		reference_index(&c->out->m, n, index);
		index[axis] = place(c->in[1], n, c->in[0]->m.dims[axis]);
		move(c->out, n, reference_at(c->in[0], index, rank));
	}
	return GT_OK;
}

gt_err kernel_scatter_add(const kcall *c)
{
	const view *indices = c->in[1];
	int axis = c->i->attr.axis, rank = c->out->m.rank;
	int64_t from[GT_RANK_MAX], to[GT_RANK_MAX], count = meta_count(&indices->m);

	if (index_check(c, indices, c->out->m.dims[axis]))
		return GT_EINDEX;
	copy_base(c);
	for (int64_t n = 0; n < count; n++) {
		reference_index(&indices->m, n, from);
		memcpy(to, from, sizeof(to));
		to[axis] = place(indices, n, c->out->m.dims[axis]);
		add_to(c->out->m.dtype, reference_at(c->out, to, rank),
			reference_at(c->in[2], from, rank));
	}
	return GT_OK;
}

/* The dims of the index tensor stand in place of the axis. */
gt_err kernel_index_select(const kcall *c)
{
	const view *x = c->in[0], *indices = c->in[1];
	int axis = c->i->attr.axis, more = indices->m.rank - 1;
	int64_t index[GT_RANK_MAX], from[GT_RANK_MAX], count = meta_count(&c->out->m);

	if (index_check(c, indices, x->m.dims[axis]))
		return GT_EINDEX;
	for (int64_t n = 0; n < count; n++) {
		reference_index(&c->out->m, n, index);
		for (int k = 0; k < x->m.rank; k++)
			if (k != axis)
				from[k] = index[k < axis ? k : k + more];
		from[axis] = index_place(indices->m.dtype,
			reference_at(indices, index + axis, indices->m.rank), x->m.dims[axis]);
		move(c->out, n, reference_at(x, from, x->m.rank));
	}
	return GT_OK;
}

/* index_add and index_set: the third input has the length of the index, which has one dim, at the
 * axis. */
static gt_err put_slices(const kcall *c, bool add)
{
	const view *indices = c->in[1], *source = c->in[2];
	int axis = c->i->attr.axis, rank = c->out->m.rank;
	int64_t from[GT_RANK_MAX], to[GT_RANK_MAX], count = meta_count(&source->m);

	if (index_check(c, indices, c->out->m.dims[axis]))
		return GT_EINDEX;
	copy_base(c);
	for (int64_t n = 0; n < count; n++) {
		reference_index(&source->m, n, from);
		memcpy(to, from, sizeof(to));
		to[axis] = place(indices, from[axis], c->out->m.dims[axis]);
		if (add)
			add_to(c->out->m.dtype, reference_at(c->out, to, rank),
				reference_at(source, from, rank));
		else
			memcpy(reference_at(c->out, to, rank), reference_at(source, from, rank),
				dtype_size(c->out->m.dtype));
	}
	return GT_OK;
}

gt_err kernel_index_add(const kcall *c)
{
	return put_slices(c, true);
}

gt_err kernel_index_set(const kcall *c)
{
	return put_slices(c, false);
}

gt_err kernel_one_hot(const kcall *c)
{
	const view *indices = c->in[0];
	int64_t size = c->out->m.dims[c->out->m.rank - 1], count = meta_count(&indices->m);

	if (index_check(c, indices, size))
		return GT_EINDEX;
	memset(c->out->data, 0, (size_t)meta_count(&c->out->m) * sizeof(int64_t));
	for (int64_t n = 0; n < count; n++)
		((int64_t *)c->out->data)[n * size + place(indices, n, size)] = 1;
	return GT_OK;
}
