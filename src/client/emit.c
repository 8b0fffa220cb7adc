/* emit.c: one instruction: its record in the batch, its result's shape, value, handle and node.
 *
 * The only way into the stream for everything that has a result. The record is written where it
 * will stay; until it is committed an error leaves no trace.
 */
#include "client/client.h"

#include "ir/cost.h"

_Static_assert((int)GT_ARG_BOOL == KIND_BOOL && (int)GT_ARG_INT == KIND_INT &&
	(int)GT_ARG_FLOAT == KIND_FLOAT, "kinds of numbers are the scalar kinds");

bool tensor_missing(const char *what)
{
	/* The first error of a chain stays; without one, this is the first. */
	if (!gt_last_error_code())
		fail(GT_EINVAL, "%s: expected a tensor, got NULL", what);
	return false;
}

gt_client *emit_client(const char *what, const gt_arg *args, int n)
{
	gt_client *gt = NULL;

	if (LIKELY(n == 1 && args->kind == GT_ARG_TENSOR))
		return tensor_ready(args->t, what) ? args->t->gt : NULL;
	for (int k = 0; k < n; k++) {
		if (args[k].kind != GT_ARG_TENSOR)
			continue;
		if (!tensor_ready(args[k].t, what))
			return NULL;
		if (gt && args[k].t->gt != gt) {
			fail(GT_EINVAL, "%s: the inputs belong to different clients", what);
			return NULL;
		}
		gt = args[k].t->gt;
	}
	if (!gt)
		fail(GT_EINVAL, "%s: expected at least one tensor, got numbers only", what);
	return gt;
}

static void put_inputs(ins *i, const gt_arg *in, int nin, const meta **metas)
{
	for (int k = 0; k < nin; k++) {
		metas[k] = NULL;
		if (LIKELY(in[k].kind == GT_ARG_TENSOR)) {
			i->tail[k] = in[k].t->v->id;
			metas[k] = &in[k].t->v->m;
		} else {
			i->tail[k] = (uint64_t)in[k].i;   /* or the bits of in[k].f */
			i->kinds |= (uint16_t)(in[k].kind << (2 * k));
		}
	}
}

static value *make_value(gt_client *gt)
{
	value *v = slab_get(&gt->slab, sizeof *v);

	v->strong = v->weak = 1;
	v->memo = NULL;
	v->viewed = false;
	return v;
}

/* The record at stream_room has made v: number it, record it, append it. */
static gt_tensor *finish(gt_client *gt, const gt_arg *in, value *v, const meta *first)
{
	ins *i = stream_room(gt);
	gt_tensor *x = tensor_new(gt, v);

	i->out = v->id = gt->next_id++;
	if (gt->recording)
		tape_record(x, i, in);
	if (UNLIKELY(stream_commit(gt, cost_ns(i->op, first, &v->m)))) {
		tensor_release(x);
		return NULL;
	}
	return x;
}

gt_tensor *emit(gt_client *gt, const gt_site *site, op o, attr a, const gt_arg *in, int nin,
		const int64_t *opd, int nopd)
{
	const meta *metas[INS_INPUTS_MAX];
	ins *i = stream_room(gt);
	value *v;

	*i = (ins){ .op = (uint16_t)o, .words = (uint16_t)(INS_HEAD_WORDS + nin + nopd),
		.nin = (uint8_t)nin, .nopd = (uint8_t)nopd, .site = site_number(gt, site),
		.attr = a };
	put_inputs(i, in, nin, metas);
	for (int k = 0; k < nopd; k++)
		i->tail[nin + k] = (uint64_t)opd[k];
	v = make_value(gt);
	if (UNLIKELY(shape_infer(i, metas, &v->m))) {
		slab_put(&gt->slab, v, sizeof *v);
		return NULL;
	}
	v->viewed = op_rows[o].kind == KIND_VIEW;
	return finish(gt, in, v, nin ? metas[0] : NULL);
}

gt_tensor *emit1(const gt_site *site, op o, attr a, gt_tensor *x, const int64_t *opd, int nopd)
{
	const gt_arg in = gt_arg_tensor(x);

	if (!tensor_ready(x, op_rows[o].name))
		return NULL;
	return tensor_own(emit(x->gt, site, o, a, &in, 1, opd, nopd));
}
