/* inplace.c: writing to a handle: a new value, and all who share its storage see it (alias.c). */
#include "client/client.h"

/* A loose tensor of x's shape and dtype with the elements of a. */
static gt_tensor *fit(const gt_site *site, gt_tensor *x, gt_arg a, const char *what)
{
	const meta *m = &x->v->m;
	gt_tensor *as, *result;
	frame f;

	if (a.kind != GT_ARG_TENSOR)
		return promote_fits(what, a, (gt_dtype)m->dtype) ? emit(x->gt, site, OP_full,
			(attr){ .dtype = m->dtype }, &a, 1, m->dims, m->rank) : NULL;
	f = frame_begin(x->gt);
	if ((as = gt_cast_at(site, a.t, (gt_dtype)m->dtype)) && !dims_fits(&as->v->m, m)) {
		char ta[SHAPE_TEXT_MAX], tb[SHAPE_TEXT_MAX];

		fail(GT_ESHAPE, "%s: shape %s does not broadcast to %s, the shape written to", what,
			shape_text(&as->v->m, ta, sizeof ta), shape_text(m, tb, sizeof tb));
		as = NULL;
	}
	if (as && !dims_same(&as->v->m, m))
		as = gt_expand_at(site, as, gt_shape_of(x));
	/* A node of its own, so that gradients of x and of a are told apart. */
	if (as && as == a.t && as->node && x->gt->recording)
		as = gt_clone_at(site, as);
	result = tensor_same(as);
	frame_end(f, NULL);
	return result;
}

static bool needs_grad(gt_arg a)
{
	return a.kind == GT_ARG_TENSOR && a.t->node;
}

/* Both ready, of one client, x open to writing. */
static gt_err begin_write(gt_tensor *x, gt_arg a, const char *what)
{
	const gt_arg in[] = { gt_arg_tensor(x), a };

	if (!emit_client(what, in, 2))
		return gt_last_error_code();
	return alias_check_write(x, what, needs_grad(a));
}

/* r, recorded as written over all of x: x goes on to require a gradient, and what it came from gets
 * gradients of zero, as in PyTorch. Loose; r is given up. */
static gt_tensor *over(const gt_site *site, gt_tensor *x, gt_tensor *r)
{
	const gt_arg in[] = { gt_arg_tensor(x), gt_arg_tensor(r) };
	const int rank = x->v->m.rank;
	int64_t all[3 * GT_RANK_MAX];
	gt_tensor *result;

	for (int k = 0; k < rank; k++) {
		all[3 * k] = 0;
		all[3 * k + 1] = x->v->m.dims[k];
		all[3 * k + 2] = 1;
	}
	result = emit(x->gt, site, OP_slice_set, (attr){ 0 }, in, 2, all, 3 * rank);
	tensor_release(r);
	return result;
}

gt_err gt_copy_at(const gt_site *site, gt_tensor *x, gt_arg from)
{
	gt_err e = begin_write(x, from, "copy");
	gt_tensor *r;

	if (e)
		return e;
	r = fit(site, x, from, "copy");
	if (r && x->node && !r->node && x->gt->recording)
		r = over(site, x, r);
	if (!r)
		return gt_last_error_code();
	e = alias_write(site, x, r);
	tensor_release(r);
	return e;
}

/* Loose: r in x's dtype, if it may become that in place and has x's shape. */
static gt_tensor *settle(const gt_site *site, gt_tensor *x, gt_tensor *r, const char *what)
{
	const gt_dtype from = gt_dtype_of(r), to = gt_dtype_of(x);
	char ta[SHAPE_TEXT_MAX], tb[SHAPE_TEXT_MAX];

	if (!dims_same(&r->v->m, &x->v->m)) {
		fail(GT_ESHAPE, "%s in place: the result has shape %s, expected %s, the shape "
			"written to",
			what, shape_text(&r->v->m, ta, sizeof ta),
			shape_text(&x->v->m, tb, sizeof tb));
		return NULL;
	}
	if (dtype_kind_of(from) > dtype_kind_of(to)) {
		fail(GT_EDTYPE, "%s in place: the result is %s, which does not become %s by "
			"itself; cast first", what, dtype_name(from), dtype_name(to));
		return NULL;
	}
	return promote_tensor(site, r, to);
}

gt_err inplace_write(const gt_site *site, gt_tensor *x, gt_tensor *r, const char *what)
{
	gt_tensor *as = settle(site, x, r, what);
	gt_err e;

	if (!as)
		return gt_last_error_code();
	e = alias_write(site, x, as);
	tensor_release(as);
	return e;
}

/* Programs do the same update again and again. */
static op op_of(gt_client *gt, const char *name)
{
	if (!gt->update || strcmp(op_rows[gt->update].name, name) != 0)
		gt->update = op_by_name(name, strlen(name));
	return (op)gt->update;
}

gt_err gt_update_at(const gt_site *site, gt_tensor *x, const char *name, gt_arg by)
{
	const op o = !name ? (op)0 : x ? op_of(x->gt, name) : op_by_name(name, strlen(name));
	gt_tensor *r;
	gt_err e;
	frame f;

	if (!o || op_rows[o].kind != KIND_ELEMENT || op_rows[o].nin != 2)
		return fail(GT_EINVAL, "update: '%s' is not an operation with two inputs, expected "
			"one like \"add\"", name ? name : "NULL");
	if ((e = begin_write(x, by, op_rows[o].name)))
		return e;
	f = frame_begin(x->gt);
	r = row_binary(o, site, gt_arg_tensor(x), by);
	e = r ? inplace_write(site, x, r, op_rows[o].name) : gt_last_error_code();
	frame_end(f, NULL);
	return e;
}
