/* shape.c: shape_infer's frame: what every rule relies on, error texts, broadcasting.
 *
 * The rules themselves are in rule.c and rule_move.c, strides in view.c. Client and worker infer
 * every instruction, so the way to a rule is short and equal shapes are recognised first.
 */
#include "ir/shape.h"

#include <stdarg.h>
#include <stdio.h>
#include "ir/rule.h"

static rule *const rules[OP_CODES] = {
#define OP(name, code, kind, nin) [code] =
#define SHAPE(name) rule_##name
#define END ,
#include "ir/ops.def"
};

/* ---- texts ---- */

const char *shape_text(const meta *m, char *text, size_t size)
{
	size_t n = (size_t)snprintf(text, size, "(");

	for (int k = 0; k < m->rank && n < size; k++)
		n += (size_t)snprintf(
			text + n, size - n, k ? ", %lld" : "%lld", (long long)m->dims[k]);
	if (n < size)
		snprintf(text + n, size - n, m->rank == 1 ? ",)" : ")");
	return text;
}

const char *meta_text(const meta *m, char *text, size_t size)
{
	size_t n = (size_t)snprintf(text, size, "%s ", dtype_name((gt_dtype)m->dtype));

	if (n < size)
		shape_text(m, text + n, size - n);
	return text;
}

static size_t scalar_text(const ins *i, unsigned k, char *text, size_t size)
{
	const scalar s = { .bits = ins_in(i)[k] };

	if (ins_kind(i, k) == KIND_FLOAT)
		return (size_t)snprintf(text, size, "%g", s.f);
	if (ins_kind(i, k) == KIND_INT)
		return (size_t)snprintf(text, size, "%lld", (long long)s.i);
	return (size_t)snprintf(text, size, s.i ? "true" : "false");
}

/* All inputs, as far as they fit: a cat of 64 tensors is cut. */
static const char *inputs_text(const call *c, char *text, size_t size)
{
	size_t n = 0;

	*text = 0;
	for (unsigned k = 0; k < c->i->nin && n < size; k++) {
		char one[SHAPE_TEXT_MAX];

		if (c->in[k])
			meta_text(c->in[k], one, sizeof one);
		else
			scalar_text(c->i, k, one, sizeof one);
		n += (size_t)snprintf(text + n, size - n, "%s%s",
			!k ? "" : k + 1u < c->i->nin ? ", " : " and ", one);
	}
	return text;
}

gt_err call_refuse(const call *c, gt_err e, const char *format, ...)
{
	char why[384], inputs[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof why, format, ap);
	va_end(ap);
	if (!c->i->nin)
		return fail(e, "%s: %s", c->row->name, why);
	return fail(e, "%s: %s; input%s %s", c->row->name, why, c->i->nin > 1 ? "s" : "",
		inputs_text(c, inputs, sizeof inputs));
}

/* ---- what rules share ---- */

static const char *const kind_names[] = { "tensor", "bool", "int", "float" };

static const char *taken_text(const op_row *row)
{
	static const char *const texts[] = {
		"no",
		"bool",
		"int",
		"bool and int",
		"float",
		"bool and float",
		"int and float",
		"all",
	};

	return texts[row->kinds >> KIND_BOOL];
}

static inline gt_dtype result_of(const op_row *row, gt_dtype d)
{
	if (row->result == RESULT_same)
		return d;
	switch ((op_result)row->result) {
	case RESULT_bool:
		return GT_BOOL;
	case RESULT_float:
		return dtype_kind_of(d) == KIND_FLOAT ? d : GT_FLOAT32;
	case RESULT_index:
		return GT_INT64;
	case RESULT_sum:
		return dtype_kind_of(d) == KIND_FLOAT ? d : GT_INT64;
	default:
		return d;
	}
}

/* Results whose dtype is an attribute. The attribute itself may be anything: it comes from outside.
 */
static gt_err attr_dtype(const call *c)
{
	const gt_dtype d = (gt_dtype)c->i->attr.dtype;

	if (d == GT_DTYPE_NONE || d >= GT_DTYPE_COUNT)
		return call_refuse(c, GT_EDTYPE, "unknown dtype %u", d);
	if (c->row->result == RESULT_attr_float && dtype_kind_of(d) != KIND_FLOAT)
		return call_refuse(c, GT_EDTYPE, "makes float32 or float64, not %s", dtype_name(d));
	if (c->row->result == RESULT_attr_number && dtype_kind_of(d) == KIND_BOOL)
		return call_refuse(c, GT_EDTYPE, "makes ints or floats, not bool");
	c->out->dtype = (uint8_t)d;
	return GT_OK;
}

/* The dtype in which the inputs meet. */
static gt_err common_dtype(const call *c, unsigned first, unsigned n, gt_dtype *d)
{
	dtype_kind highest = (dtype_kind)0;

	*d = GT_DTYPE_NONE;
	for (unsigned k = first; k < first + n; k++) {
		if (!c->in[k])
			highest = MAX(highest, (dtype_kind)ins_kind(c->i, k));
		else if (*d && *d != c->in[k]->dtype)
			return call_refuse(c, GT_EDTYPE,
				"dtypes %s and %s differ; cast one of them", dtype_name(*d),
				dtype_name((gt_dtype)c->in[k]->dtype));
		else
			*d = (gt_dtype)c->in[k]->dtype;
	}
	if (!*d)
		*d = dtype_of_scalar(highest);
	else if (highest > dtype_kind_of(*d) && c->row->result < RESULT_attr)
		return call_refuse(c, GT_EDTYPE,
			"a %s scalar does not go with dtype %s; cast the tensor",
			kind_names[highest], dtype_name(*d));
	return GT_OK;
}

gt_err call_dtype(const call *c, unsigned first, unsigned n)
{
	gt_dtype d = GT_DTYPE_NONE;
	gt_err e;

	if (n && (e = common_dtype(c, first, n, &d)))
		return e;
	if (n && !op_takes(c->row, dtype_kind_of(d)))
		return call_refuse(c, GT_EDTYPE, "takes %s dtypes, not %s", taken_text(c->row),
			dtype_name(d));
	if (c->row->result >= RESULT_attr)
		return attr_dtype(c);
	c->out->dtype = (uint8_t)result_of(c->row, d);
	return GT_OK;
}

gt_err call_index_dtype(const call *c, unsigned k)
{
	if (c->in[k]->dtype != GT_INT64)
		return call_refuse(c, GT_EDTYPE, "the index is %s, expected int64",
			dtype_name((gt_dtype)c->in[k]->dtype));
	return GT_OK;
}

static gt_err limit(const char *name, const meta *m)
{
	int64_t count = 1;

	for (int k = 0; k < m->rank; k++)
		if (__builtin_mul_overflow(count, MAX(m->dims[k], 1), &count) ||
			count > SHAPE_ELEMENTS_MAX) {
			char text[SHAPE_TEXT_MAX];

			return fail(GT_ELIMIT,
				"%s: a result of shape %s has more than 2^40 elements, the limit "
				"of one tensor",
				name, shape_text(m, text, sizeof text));
		}
	return GT_OK;
}

gt_err call_limit(const call *c)
{
	return limit(c->row->name, c->out);
}

gt_err call_axis(const call *c)
{
	if (c->i->attr.axis >= c->in[0]->rank)
		return call_refuse(c, GT_ESHAPE, "axis %u is out of range for rank %u",
			c->i->attr.axis, c->in[0]->rank);
	return GT_OK;
}

gt_err call_sizes(const call *c, unsigned at, unsigned n)
{
	if (n > GT_RANK_MAX)
		return call_refuse(c, GT_ELIMIT, "rank %u, the limit is %d", n, GT_RANK_MAX);
	c->out->rank = (uint8_t)n;
	for (unsigned k = 0; k < n; k++) {
		c->out->dims[k] = ins_opd(c->i)[at + k];
		if (c->out->dims[k] < 0)
			return call_refuse(c, GT_ESHAPE, "dim %u has size %lld, expected 0 or more",
				k, (long long)c->out->dims[k]);
	}
	return call_limit(c);
}

/* ---- broadcasting ---- */

static gt_err no_broadcast(const char *name, const meta *a, const meta *b, int dim, int64_t da,
	int64_t db)
{
	char ta[SHAPE_TEXT_MAX], tb[SHAPE_TEXT_MAX];

	return fail(GT_ESHAPE, "%s: shapes %s and %s do not broadcast: dim %d is %lld and %lld",
		name, shape_text(a, ta, sizeof ta), shape_text(b, tb, sizeof tb), dim,
		(long long)da, (long long)db);
}

gt_err shape_broadcast(const char *name, const meta *a, const meta *b, meta *out)
{
	const int rank = MAX(a->rank, b->rank), ha = rank - a->rank, hb = rank - b->rank;

	for (int k = rank - 1; k >= 0; k--) {
		const int64_t da = k >= ha ? a->dims[k - ha] : 1;
		const int64_t db = k >= hb ? b->dims[k - hb] : 1;

		if (da != db && da != 1 && db != 1)
			return no_broadcast(name, a, b, k, da, db);
		out->dims[k] = da == 1 ? db : da;
	}
	out->rank = (uint8_t)rank;
	return limit(name, out);
}

/* ---- the one entry ---- */

static gt_err check_form(const ins *i, const op_row *row, const meta *const *in)
{
	bool tensors = !i->nin || op_input(row, 0) == 's';

	if (row->nin < 0 ? !i->nin || i->nin > INS_INPUTS_MAX : i->nin != row->nin)
		return fail(GT_EINVAL, "%s: %u inputs do not fit", row->name, i->nin);
	if (i->nopd > INS_OPERANDS_MAX || !op_operands_fit(row, i->nopd))
		return fail(GT_EINVAL, "%s: %u operands do not fit", row->name, i->nopd);
	for (unsigned k = 0; k < i->nin; k++) {
		if (!in[k] != !!ins_kind(i, k) || op_input(row, k) == (in[k] ? 's' : 't'))
			return fail(GT_EINVAL, "%s: input %u may not be a %s", row->name, k,
				in[k] ? "tensor" : "scalar");
		tensors |= in[k] != NULL;
	}
	return tensors ? GT_OK : fail(GT_EINVAL, "%s: no input is a tensor", row->name);
}

/* The result is as x, in the row's dtype, if the row takes x's. */
static inline bool as_input(const call *c, const meta *x)
{
	if (!op_takes(c->row, dtype_kind_of((gt_dtype)x->dtype)))
		return false;
	call_take_dims(c, x);
	c->out->dtype = (uint8_t)result_of(c->row, (gt_dtype)x->dtype);
	return true;
}

/* Two tensors of one dtype and shape, or one and a number of no higher kind, which is what most
 * instructions are: true if this is all there is to do. */
static inline bool easy_binary(const call *c)
{
	const meta *a = c->in[0], *b = c->in[1];
	const unsigned kinds = c->i->kinds;
	int64_t differs = 0;

	if (c->i->nopd)
		return false;
	if (kinds) {
		const unsigned at = kinds > 3, kind = kinds >> (2 * at);
		const meta *x = c->in[!at];

		return x && !c->in[at] && kinds == kind << (2 * at) && kind <= 3 &&
			kind <= (unsigned)dtype_kind_of((gt_dtype)x->dtype) && as_input(c, x);
	}
	if (!a || !b || a->dtype != b->dtype || a->rank != b->rank)
		return false;
	for (int k = 0; k < a->rank; k++)
		differs |= a->dims[k] ^ b->dims[k];
	return !differs && as_input(c, a);
}

/* The same of one tensor. */
static inline bool easy_unary(const call *c)
{
	return !c->i->kinds && !c->i->nopd && c->in[0] && c->row->result < RESULT_attr &&
		as_input(c, c->in[0]);
}

gt_err shape_infer(const ins *i, const meta *const *in, meta *out)
{
	const call c = { i, op_row_of(i->op), in, out };
	gt_err e;

	if (UNLIKELY(!c.row))
		return fail(GT_EINVAL, "unknown op code %u", i->op);
	if (rules[i->op] == rule_broadcast && i->nin == 2 && LIKELY(easy_binary(&c)))
		return GT_OK;
	if (rules[i->op] == rule_same && i->nin == 1 && LIKELY(easy_unary(&c)))
		return GT_OK;
	if (UNLIKELY(e = check_form(i, c.row, in)))
		return e;
	return rules[i->op](&c);
}
