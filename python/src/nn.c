/* nn.c: functions that networks are made of: linear, norms, losses, attention, embedding. */
#include "gtpy.h"

/* Tensors among the arguments; lists and arrays are made some, None stays none. */
typedef struct inputs { int n; PyObject *held[4]; gt_tensor *t[4]; } inputs;

static void end(inputs *in)
{
	while (in->n > 0)
		Py_XDECREF(in->held[--in->n]);
}

static bool take(inputs *in, PyObject *o, bool optional)
{
	int k = in->n++;

	in->held[k] = NULL;
	in->t[k] = NULL;
	if (!o || o == Py_None) {
		if (!optional)
			PyErr_SetString(PyExc_TypeError, "a tensor was expected, not None");
		return optional;
	}
	in->held[k] = tensor_from(o, GT_DTYPE_NONE);
	in->t[k] = in->held[k] ? tensor_get(in->held[k]) : NULL;
	return in->t[k];
}

/* ---- layers --------------------------------------------------------------------------------- */

static gt_tensor *linear(gt_tensor *x, gt_tensor *weight, gt_tensor *bias)
{
	const gt_site *here = site_here();
	gt_tensor *w = gt_rank(weight) == 2 ? gt_transpose_at(here, weight, 0, 1) : gt_keep(weight);
	gt_tensor *y = gt_matmul_at(here, x, w), *out = y;

	gt_drop_here(w);
	if (y && bias) {
		out = gt_add_at(here, gt_arg_tensor(y), gt_arg_tensor(bias));
		gt_drop_here(y);
	}
	return out;
}

PyObject *function_linear(PyObject **a)
{
	inputs in = { 0 };
	PyObject *out = NULL;

	if (take(&in, a[0], false) && take(&in, a[1], false) && take(&in, a[2], true))
		out = tensor_wrap(linear(in.t[0], in.t[1], in.t[2]));
	end(&in);
	return out;
}

/* The number of trailing dims, which have to be those of x; -1 with an exception. */
static int trailing(gt_tensor *x, PyObject *o)
{
	gt_shape s, of = gt_shape_of(x);
	bool same;

	if (!operand_shape(o, &s))
		return -1;
	same = s.rank > 0 && s.rank <= of.rank;
	for (int k = 0; same && k < s.rank; k++)
		same = s.dims[k] == of.dims[of.rank - s.rank + k];
	if (same)
		return s.rank;
	PyObject *have = read_shape(&of);
	error_set(GT_ESHAPE, "layer_norm: %R are not the trailing dims of %R", o,
			have ? have : Py_None);
	Py_XDECREF(have);
	return -1;
}

PyObject *function_layer_norm(PyObject **a)
{
	inputs in = { 0 };
	PyObject *out = NULL;
	double eps;
	int n;

	if (take(&in, a[0], false) && take(&in, a[2], true) && take(&in, a[3], true) &&
			(n = trailing(in.t[0], a[1])) > 0 && operand_double(a[4], 1e-5, &eps))
		out = tensor_wrap(gt_layer_norm_at(site_here(), in.t[0], n, in.t[1], in.t[2], eps));
	end(&in);
	return out;
}

PyObject *function_dropout(PyObject **a)
{
	inputs in = { 0 };
	PyObject *out = NULL;
	bool training;
	double p;

	if (take(&in, a[0], false) && operand_double(a[1], 0.5, &p) &&
			operand_bool(a[2], true, &training))
		out = tensor_wrap(gt_dropout_at(site_here(), in.t[0], p, training));
	end(&in);
	return out;
}

PyObject *function_embedding(PyObject **a)
{
	inputs in = { 0 };
	PyObject *out = NULL;

	if (take(&in, a[0], false) && take(&in, a[1], false))
		out = tensor_wrap(gt_embedding_at(site_here(), in.t[1], in.t[0]));
	end(&in);
	return out;
}

/* One more than the largest index: a read. */
static bool count_classes(gt_tensor *index, int64_t *n)
{
	PyObject *x, *value;
	bool ok;

	if (gt_count(index) == 0) {
		error_set(GT_EINVAL, "one_hot: the number of classes cannot be read from no "
				"indices: give classes=");
		return false;
	}
	x = tensor_wrap(gt_max_at(site_here(), index, (gt_reduce){ .axis = GT_ALL_AXES }));
	value = x ? read_item(x) : NULL;
	ok = value && operand_int(value, n);
	*n += 1;
	Py_XDECREF(x);
	Py_XDECREF(value);
	return ok;
}

PyObject *function_one_hot(PyObject **a)
{
	inputs in = { 0 };
	PyObject *out = NULL;
	int64_t n = -1;

	if (take(&in, a[0], false) && (!a[1] || operand_int(a[1], &n)) &&
			(n != -1 || count_classes(in.t[0], &n)))
		out = tensor_wrap(gt_one_hot_at(site_here(), in.t[0], n));
	end(&in);
	return out;
}

/* ---- losses --------------------------------------------------------------------------------- */

typedef gt_tensor *loss_at(const gt_site *, gt_tensor *, gt_tensor *, gt_reduction);

static PyObject *loss(PyObject **a, loss_at *f)
{
	inputs in = { 0 };
	PyObject *out = NULL;
	gt_reduction r;

	if (take(&in, a[0], false) && take(&in, a[1], false) && operand_reduction(a[2], &r))
		out = tensor_wrap(f(site_here(), in.t[0], in.t[1], r));
	end(&in);
	return out;
}

typedef gt_tensor *class_loss_at(const gt_site *, gt_tensor *, gt_tensor *, gt_class_loss);

static PyObject *class_loss(PyObject **a, class_loss_at *f)
{
	inputs in = { 0 };
	PyObject *out = NULL;
	gt_class_loss o = GT_CLASS_LOSS();

	if (take(&in, a[0], false) && take(&in, a[1], false) &&
			operand_reduction(a[2], &o.reduction) &&
			(!a[3] || operand_int(a[3], &o.ignore_index)))
		out = tensor_wrap(f(site_here(), in.t[0], in.t[1], o));
	end(&in);
	return out;
}

PyObject *function_cross_entropy(PyObject **a) { return class_loss(a, gt_cross_entropy_at); }
PyObject *function_nll_loss(PyObject **a) { return class_loss(a, gt_nll_loss_at); }

#define LOSS(name) \
PyObject *function_##name(PyObject **a) { return loss(a, gt_##name##_at); }
LOSS(mse_loss)
LOSS(binary_cross_entropy)
LOSS(binary_cross_entropy_with_logits)

/* ---- attention ------------------------------------------------------------------------------ */

PyObject *function_scaled_dot_product_attention(PyObject **a)
{
	inputs in = { 0 };
	PyObject *out = NULL;
	double dropout, scale;
	bool causal;

	if (take(&in, a[0], false) && take(&in, a[1], false) && take(&in, a[2], false) &&
			take(&in, a[3], true) && operand_double(a[4], 0, &dropout) &&
			operand_bool(a[5], false, &causal) &&
			operand_double(a[6] == Py_None ? NULL : a[6], NAN, &scale))
		out = tensor_wrap(gt_scaled_dot_product_attention_at(site_here(), in.t[0], in.t[1],
				in.t[2], in.t[3], dropout, causal, scale));
	end(&in);
	return out;
}
