/* rows.c: the public functions that are made from the op table.
 *
 * A row with CALL(BINARY) is the function gt_<name>_at, and so on: bring the inputs to the dtype in
 * which they meet, emit. What a row takes and makes is for shape_infer to say.
 */
#include "client/client.h"

#define OPERANDS_MAX 3

/* The dtype that the inputs of row o are computed in. */
static gt_dtype compute_dtype(op o, const gt_arg *args, int n)
{
	const gt_dtype d = promote(args, n);

	return op_rows[o].result == RESULT_float && dtype_kind_of(d) != KIND_FLOAT ? GT_FLOAT32 : d;
}

/* Floats of one dtype, and numbers: there is nothing to promote, and every number will do. */
static inline bool settled(const gt_arg *args, int n)
{
	unsigned d = GT_DTYPE_NONE;

	for (int k = 0; k < n; k++) {
		if (args[k].kind != GT_ARG_TENSOR)
			continue;
		if (d && d != args[k].t->v->m.dtype)
			return false;
		d = args[k].t->v->m.dtype;
	}
	return d && dtype_kind_of((gt_dtype)d) == KIND_FLOAT;
}

/* Inputs first .. n - 1 meet in one dtype; those before are what they are. */
static gt_tensor *call(op o, const gt_site *site, gt_arg *args, int n, int first)
{
	gt_client *gt = emit_client(op_rows[o].name, args, n);
	gt_tensor *casts[OPERANDS_MAX], *result;
	gt_dtype d;
	int made;

	if (!gt)
		return NULL;
	if (LIKELY(settled(args + first, n - first)))
		return tensor_own(emit(gt, site, o, (attr){ 0 }, args, n, NULL, 0));
	d = compute_dtype(o, args + first, n - first);
	made = promote_cast(o, site, args + first, n - first, d, casts);
	if (made < 0)
		return NULL;
	result = emit(gt, site, o, (attr){ 0 }, args, n, NULL, 0);
	promote_done(casts, made);
	return tensor_own(result);
}

static gt_tensor *row_unary(op o, const gt_site *site, gt_tensor *x)
{
	gt_arg args[] = { gt_arg_tensor(x) };

	return call(o, site, args, 1, 0);
}

/* ---- powers by a number ---------------------------------------------------------------------- */

static double number(gt_arg a)
{
	return a.kind == GT_ARG_FLOAT ? a.f : (double)a.i;
}

/* The cheaper row that does the same as pow with this exponent on floats, or pow itself. */
static op power(double exponent, dtype_kind kind)
{
	if (exponent == 2)
		return OP_square;
	if (exponent == 1)
		return OP_clone;
	if (kind == KIND_FLOAT && exponent == 0.5)
		return OP_sqrt;
	if (kind == KIND_FLOAT && exponent == -1)
		return OP_reciprocal;
	return OP_pow;
}

static gt_tensor *pow_number(const gt_site *site, gt_tensor *x, gt_arg exponent)
{
	gt_arg args[] = { gt_arg_tensor(x), exponent };
	const double e = number(exponent);
	gt_tensor *as, *result;
	gt_dtype d;
	op o;

	if (!tensor_ready(x, "pow"))
		return NULL;
	d = promote(args, 2);
	if (dtype_kind_of(d) == KIND_INT && e < 0) {
		fail(GT_EINVAL, "pow: integers to the negative power %lld; cast the base to "
			"float32",
			(long long)exponent.i);
		return NULL;
	}
	if (e == 0 && dtype_kind_of(d) != KIND_BOOL && !x->node)
		return gt_full_like_at(site, x, gt_arg_int(1), (gt_make){ d });
	o = dtype_kind_of(d) == KIND_BOOL ? OP_pow : power(e, dtype_kind_of(d));
	if (o == OP_pow)
		return call(OP_pow, site, args, 2, 0);
	if (!(as = promote_tensor(site, x, d)))
		return NULL;
	args[0].t = as;
	result = emit(x->gt, site, o, (attr){ 0 }, args, 1, NULL, 0);
	tensor_release(as);
	return tensor_own(result);
}

gt_tensor *row_binary(op o, const gt_site *site, gt_arg a, gt_arg b)
{
	gt_arg args[] = { a, b };

	if (UNLIKELY(o == OP_pow) && a.kind == GT_ARG_TENSOR && b.kind != GT_ARG_TENSOR)
		return pow_number(site, a.t, b);
	return call(o, site, args, 2, 0);
}

static gt_tensor *row_ternary(op o, const gt_site *site, gt_arg a, gt_arg b, gt_arg c)
{
	gt_arg args[] = { a, b, c };

	return call(o, site, args, 3, o == OP_where);
}

/* ---- reductions ------------------------------------------------------------------------------ */

static gt_tensor *row_reduce(op o, const gt_site *site, gt_tensor *x, gt_reduce r)
{
	int mask;

	if (!tensor_ready(x, op_rows[o].name))
		return NULL;
	if ((mask = dims_axes(op_rows[o].name, &r, x->v->m.rank)) < 0)
		return NULL;
	return emit1(site, o, (attr){ .axes = (uint8_t)mask, .keepdims = r.keepdims }, x, NULL, 0);
}

/* A number is a row of length 1. */
static gt_tensor *along_number(op o, const gt_site *site, gt_tensor *x)
{
	frame f = frame_begin(x->gt);
	gt_tensor *row = gt_reshape_at(site, x, (gt_shape){ 1, { 1 } });

	return frame_end(f, gt_reshape_at(site, emit1(site, o, (attr){ 0 }, row, NULL, 0),
		(gt_shape){ 0, { 0 } }));
}

static gt_tensor *row_axis(op o, const gt_site *site, gt_tensor *x, int axis)
{
	int k;

	if (!tensor_ready(x, op_rows[o].name))
		return NULL;
	if ((k = dims_axis(op_rows[o].name, axis, x->v->m.rank)) < 0)
		return NULL;
	if (!x->v->m.rank)
		return along_number(o, site, x);
	return emit1(site, o, (attr){ .axis = (uint8_t)k }, x, NULL, 0);
}

/* ---- the functions --------------------------------------------------------------------------- */

#define PARAMETERS_UNARY   gt_tensor *x
#define PARAMETERS_BINARY  gt_arg a, gt_arg b
#define PARAMETERS_TERNARY gt_arg a, gt_arg b, gt_arg c
#define PARAMETERS_REDUCE  gt_tensor *x, gt_reduce options
#define PARAMETERS_AXIS    gt_tensor *x, int axis
#define BODY_UNARY(o)   return row_unary(o, site, x);
#define BODY_BINARY(o)  return row_binary(o, site, a, b);
#define BODY_TERNARY(o) return row_ternary(o, site, a, b, c);
#define BODY_REDUCE(o)  return row_reduce(o, site, x, options);
#define BODY_AXIS(o)    return row_axis(o, site, x, axis);

#define FUNCTION(name, form)                                                                 \
	gt_tensor *gt_##name##_at(const gt_site *site, PARAMETERS_##form)                    \
	{                                                                                    \
		BODY_##form(OP_##name)                                                       \
	}
GT_OPS(FUNCTION)
