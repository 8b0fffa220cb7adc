/* leaf.c: who requires a gradient, and who has one. */
#include "client/client.h"

/* Stale views learn about their node first. */
static bool current(const gt_tensor *x)
{
	return x && tensor_ready((gt_tensor *)x, "requires_grad");
}

bool gt_needs_grad(const gt_tensor *x)
{
	return current(x) && x->node;
}

bool gt_is_leaf(const gt_tensor *x)
{
	return current(x) && (!x->node || tensor_is_leaf(x));
}

const char *gt_grad_op(const gt_tensor *x)
{
	return current(x) && x->node && x->node->op != NODE_LEAF ? op_rows[x->node->op].name : NULL;
}

/* The base's node is its group's, too. */
static void set_node(gt_tensor *x, node *n)
{
	node *was = x->node;

	x->node = n;
	if (x->group && !x->hops) {
		node_drop(x->gt, x->group->node);
		x->group->node = node_hold(n);
	}
	node_drop(x->gt, was);
}

gt_err gt_set_requires_grad(gt_tensor *x, bool on)
{
	if (!tensor_ready(x, "requires_grad"))
		return gt_last_error_code();
	if (x->node && !tensor_is_leaf(x))
		return on ? GT_OK : fail(GT_EGRAD, "requires_grad: this tensor was computed from "
			"one that requires a gradient; detach it instead");
	if (on == (x->node != NULL))
		return GT_OK;
	if (!on) {
		x->node->owner = NULL;
		set_node(x, NULL);
		return GT_OK;
	}
	if (dtype_kind_of(gt_dtype_of(x)) != KIND_FLOAT)
		return fail(GT_EDTYPE, "requires_grad: only floats can have a gradient, not %s",
			dtype_name(gt_dtype_of(x)));
	set_node(x, node_leaf(x));
	return GT_OK;
}

gt_tensor *gt_requires_grad(gt_tensor *x)
{
	return gt_set_requires_grad(x, true) ? NULL : x;
}

gt_tensor *gt_grad(gt_tensor *x)
{
	return x && x->gt->state != CLIENT_CLOSED ? x->grad : NULL;
}

gt_err gt_set_grad(gt_tensor *x, gt_tensor *gradient)
{
	char tx[SHAPE_TEXT_MAX], tg[SHAPE_TEXT_MAX];
	gt_tensor *was;

	if (!tensor_ready(x, "grad") || (gradient && !tensor_ready(gradient, "grad")))
		return gt_last_error_code();
	if (gradient && gradient->gt != x->gt)
		return fail(GT_EINVAL, "grad: the tensors belong to different clients");
	if (gradient == x)
		return fail(GT_EINVAL, "grad: a tensor cannot be its own gradient");
	if (gradient && (!dims_same(&gradient->v->m, &x->v->m) ||
	                 gt_dtype_of(gradient) != gt_dtype_of(x)))
		return fail(GT_ESHAPE, "grad: a gradient of %s for a tensor of %s, expected the "
			"same",
			meta_text(&gradient->v->m, tg, sizeof tg),
			meta_text(&x->v->m, tx, sizeof tx));
	was = x->grad;
	x->grad = gradient ? tensor_hold(gradient) : NULL;
	tensor_release(was);
	return GT_OK;
}

bool gt_grad_mode(gt_client *gt, bool on)
{
	bool was;

	if (!gt)
		return false;
	was = gt->recording;
	gt->recording = on;
	return was;
}

bool gt_grad_enabled(const gt_client *gt)
{
	return gt && gt->recording;
}
