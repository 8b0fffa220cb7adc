/* move.c: elements by position and by index. */
#include "client/client.h"

/* ---- by position ----------------------------------------------------------------------------- */

gt_tensor *gt_flip_at(const gt_site *site, gt_tensor *x, gt_shape axes)
{
	int64_t opd[3 * GT_RANK_MAX];
	const meta *m;
	int mask = 0;

	if (!tensor_ready(x, "flip"))
		return NULL;
	m = &x->v->m;
	if (axes.rank < 0 || axes.rank > GT_RANK_MAX) {
		fail(GT_EINVAL, "flip: %d axes, expected at most %d", axes.rank, GT_RANK_MAX);
		return NULL;
	}
	for (int n = 0; n < axes.rank; n++) {
		const int axis = dims_axis("flip", axes.dims[n], m->rank);

		if (axis < 0)
			return NULL;
		mask |= 1 << axis;
	}
	for (int k = 0; k < m->rank; k++) {
		opd[3 * k] = mask >> k & 1 ? MAX(m->dims[k] - 1, 0) : 0;
		opd[3 * k + 1] = m->dims[k];
		opd[3 * k + 2] = mask >> k & 1 ? -1 : 1;
	}
	return emit1(site, OP_slice, (attr){ 0 }, x, opd, 3 * m->rank);
}

gt_tensor *gt_tril_at(const gt_site *site, gt_tensor *x, int64_t diagonal)
{
	return emit1(site, OP_tril, (attr){ 0 }, x, &diagonal, 1);
}

gt_tensor *gt_triu_at(const gt_site *site, gt_tensor *x, int64_t diagonal)
{
	return emit1(site, OP_triu, (attr){ 0 }, x, &diagonal, 1);
}

/* ---- by index -------------------------------------------------------------------------------- */

/* Emit o on x, an index (as int64) and perhaps a source. Owned. */
static gt_tensor *by_index(const gt_site *site, op o, gt_tensor *x, gt_tensor *index,
		gt_tensor *source, int axis)
{
	gt_arg in[] = { gt_arg_tensor(x), gt_arg_tensor(index), gt_arg_tensor(source) };
	const int n = source ? 3 : 2;
	gt_client *gt = emit_client(op_rows[o].name, in, n);
	gt_tensor *wide, *result;

	if (!gt || (axis = dims_axis(op_rows[o].name, axis, x->v->m.rank)) < 0)
		return NULL;
	/* Other dtypes are left for shape_infer to refuse. */
	if (!(wide = index->v->m.dtype == GT_INT32 ? promote_tensor(site, index, GT_INT64)
	                                           : tensor_hold(index)))
		return NULL;
	in[1].t = wide;
	result = emit(gt, site, o, (attr){ .axis = (uint8_t)axis }, in, n, NULL, 0);
	tensor_release(wide);
	return tensor_own(result);
}

gt_tensor *gt_gather_at(const gt_site *site, gt_tensor *x, gt_tensor *index, int axis)
{
	return by_index(site, OP_gather, x, index, NULL, axis);
}

gt_tensor *gt_scatter_add_at(const gt_site *site, gt_tensor *x, gt_tensor *index, gt_tensor *source,
		int axis)
{
	if (!source) {
		tensor_missing("scatter_add");
		return NULL;
	}
	return by_index(site, OP_scatter_add, x, index, source, axis);
}

gt_tensor *gt_index_select_at(const gt_site *site, gt_tensor *x, gt_tensor *index, int axis)
{
	return by_index(site, OP_index_select, x, index, NULL, axis);
}

gt_tensor *gt_embedding_at(const gt_site *site, gt_tensor *weight, gt_tensor *index)
{
	return by_index(site, OP_index_select, weight, index, NULL, 0);
}

gt_tensor *move_rows(const gt_site *site, op o, gt_tensor *x, gt_tensor *index, gt_tensor *source,
		int axis)
{
	return by_index(site, o, x, index, source, axis);
}

gt_tensor *gt_one_hot_at(const gt_site *site, gt_tensor *index, int64_t classes)
{
	return emit1(site, OP_one_hot, (attr){ 0 }, index, &classes, 1);
}
