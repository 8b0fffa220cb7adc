/* join.c: many tensors become one. */
#include "client/client.h"

#include "base/mem.h"

/* Take args[n] together, INS_INPUTS_MAX at a time, in place; returns how many are left. The new
 * ones belong to the frame. -1 on error. */
static int cat_round(gt_client *gt, const gt_site *site, gt_arg *args, int n, int axis)
{
	int made = 0;

	for (int k = 0; k < n; k += INS_INPUTS_MAX) {
		gt_tensor *x = tensor_own(emit(gt, site, OP_cat, (attr){ .axis = (uint8_t)axis },
			args + k, MIN(n - k, INS_INPUTS_MAX), NULL, 0));

		if (!x)
			return -1;
		args[made++] = gt_arg_tensor(x);
	}
	return made;
}

/* Own casts of those that are not in dtype d. */
static bool cast_all(const gt_site *site, gt_arg *args, int n, gt_dtype d)
{
	for (int k = 0; k < n; k++) {
		if (args[k].t->v->m.dtype == d)
			continue;
		args[k].t = gt_cast_at(site, args[k].t, d);
		if (!args[k].t)
			return false;
	}
	return true;
}

/* PyTorch's exception: a tensor of shape (0,) goes with everything and adds nothing. */
static int without_empty(gt_arg *args, int n)
{
	int kept = 0;

	for (int k = 0; k < n; k++)
		if (args[k].t->v->m.rank != 1 || args[k].t->v->m.dims[0])
			args[kept++] = args[k];
	return kept ? kept : 1;
}

static gt_tensor *cat_args(gt_client *gt, const gt_site *site, gt_arg *args, int n, int axis)
{
	const gt_dtype d = promote(args, n);
	frame f = frame_begin(gt);

	n = without_empty(args, n);
	if (!args[0].t->v->m.rank)
		fail(GT_ESHAPE, "cat: tensors of rank 0 have no dim to lie along; stack them");
	else if ((axis = dims_axis("cat", axis, args[0].t->v->m.rank)) >= 0 &&
	         cast_all(site, args, n, d)) {
		do
			n = cat_round(gt, site, args, n, axis);
		while (n > 1);
		if (n == 1)
			return frame_end(f, args[0].t);
	}
	return frame_end(f, NULL);
}

/* args[n] from list[n] and their client; NULL on error. */
static gt_client *collect(const char *what, gt_tensor *const *list, int n, gt_arg *args)
{
	for (int k = 0; k < n; k++)
		args[k] = gt_arg_tensor(list[k]);
	return emit_client(what, args, n);
}

static bool check_count(const char *what, int n)
{
	if (n > 0)
		return true;
	fail(GT_EINVAL, "%s: expected at least one tensor, got %d", what, n);
	return false;
}

gt_tensor *gt_cat_at(const gt_site *site, gt_tensor *const *list, int n, int axis)
{
	gt_tensor *result = NULL;
	gt_client *gt;
	gt_arg *args;

	if (!check_count("cat", n))
		return NULL;
	args = mem_alloc((size_t)n * sizeof *args);
	if ((gt = collect("cat", list, n, args)))
		result = cat_args(gt, site, args, n, axis);
	mem_free(args);
	return result;
}

static bool check_equal(const gt_arg *args, int n)
{
	const meta *first = &args[0].t->v->m;
	char ta[SHAPE_TEXT_MAX], tb[SHAPE_TEXT_MAX];

	for (int k = 1; k < n; k++) {
		const meta *m = &args[k].t->v->m;

		if (m->rank == first->rank &&
		    !memcmp(m->dims, first->dims, m->rank * sizeof *m->dims))
			continue;
		fail(GT_ESHAPE, "stack: tensor %d has shape %s, the first %s; expected equal "
			"shapes", k,
			shape_text(m, ta, sizeof ta), shape_text(first, tb, sizeof tb));
		return false;
	}
	return true;
}

gt_tensor *gt_stack_at(const gt_site *site, gt_tensor *const *list, int n, int axis)
{
	gt_tensor *result = NULL;
	gt_client *gt;
	gt_arg *args;
	frame f;

	if (!check_count("stack", n))
		return NULL;
	args = mem_alloc((size_t)n * sizeof *args);
	if ((gt = collect("stack", list, n, args)) && check_equal(args, n) &&
	    (axis = dims_axis("stack", axis, args[0].t->v->m.rank + 1)) >= 0) {
		bool fine = true;

		f = frame_begin(gt);
		for (int k = 0; k < n && fine; k++)
			fine = (args[k].t = gt_unsqueeze_at(site, args[k].t, axis)) != NULL;
		result = frame_end(f, fine ? cat_args(gt, site, args, n, axis) : NULL);
	}
	mem_free(args);
	return result;
}
