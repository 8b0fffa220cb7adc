/* compose.c: decompositions of composite rows; compose.h says what and why it may not change. */
#include "ir/compose.h"

#include "ir/shape.h"

typedef struct draft {
	const ins *i;
	const meta *x;         /* input 0 */
	const composer *to;
	gt_err e;              /* of the first emit that failed; nothing is emitted after it */
	unsigned axes;
	bool last;             /* the next result is i->out */
} draft;

/* ---- one primitive each ---- */

static ins *begin(draft *d, ins_room *room, op code)
{
	const uint64_t out = d->last ? d->i->out : d->e ? 1 : d->to->fresh(d->to->ctx);
	ins *i = ins_init(room, code, out);

	i->site = d->i->site;
	return i;
}

static uint64_t emit(draft *d, const ins *i)
{
	if (!d->e)
		d->e = d->to->emit(d->to->ctx, i);
	return i->out;
}

static uint64_t unary(draft *d, op code, uint64_t x)
{
	ins_room room;
	ins *i = begin(d, &room, code);

	ins_put_input(i, x);
	return emit(d, i);
}

static uint64_t binary(draft *d, op code, uint64_t a, uint64_t b)
{
	ins_room room;
	ins *i = begin(d, &room, code);

	ins_put_input(i, a);
	ins_put_input(i, b);
	return emit(d, i);
}

static uint64_t with_scalar(draft *d, op code, uint64_t a, dtype_kind kind, scalar s)
{
	ins_room room;
	ins *i = begin(d, &room, code);

	ins_put_input(i, a);
	ins_put_scalar(i, kind, s);
	return emit(d, i);
}

static uint64_t divide(draft *d, uint64_t a, double by)
{
	return with_scalar(d, OP_div, a, KIND_FLOAT, (scalar){ .f = by });
}

static uint64_t reduce(draft *d, op code, uint64_t x, bool keepdims)
{
	ins_room room;
	ins *i = begin(d, &room, code);

	i->attr.axes = (uint8_t)d->axes;
	i->attr.keepdims = keepdims;
	ins_put_input(i, x);
	return emit(d, i);
}

static uint64_t sizes(draft *d, ins *i, const meta *m)
{
	for (int k = 0; k < m->rank; k++)
		ins_put_operand(i, m->dims[k]);
	return emit(d, i);
}

static uint64_t reshape(draft *d, uint64_t x, const meta *m)
{
	ins_room room;
	ins *i = begin(d, &room, OP_reshape);

	ins_put_input(i, x);
	return sizes(d, i, m);
}

static uint64_t full(draft *d, const meta *m, double value)
{
	ins_room room;
	ins *i = begin(d, &room, OP_full);

	i->attr.dtype = m->dtype;
	ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = value });
	return sizes(d, i, m);
}

static uint64_t finite_or_zero(draft *d, uint64_t x)
{
	const uint64_t is = unary(d, OP_isfinite, x);
	ins_room room;
	ins *i = begin(d, &room, OP_where);

	ins_put_input(i, is);
	ins_put_input(i, x);
	ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 0 });
	return emit(d, i);
}

/* ---- the rows ---- */

static int64_t reduced(const draft *d)
{
	int64_t n = 1;

	for (int k = 0; k < d->x->rank; k++)
		n *= d->axes >> k & 1 ? d->x->dims[k] : 1;
	return n;
}

/* x - mean(x), the mean with its dims kept. */
static uint64_t centre(draft *d, uint64_t x)
{
	const uint64_t m = divide(d, reduce(d, OP_sum, x, true), (double)reduced(d));

	return binary(d, OP_sub, x, m);
}

static void compose_mean(draft *d, uint64_t x)
{
	const uint64_t s = reduce(d, OP_sum, x, d->i->attr.keepdims);

	d->last = true;
	divide(d, s, (double)reduced(d));
}

static void compose_var(draft *d, uint64_t x)
{
	const scalar c = { .bits = ins_in(d->i)[1] };
	const double correction = ins_kind(d->i, 1) == KIND_FLOAT ? c.f : (double)c.i;
	const double divisor = (double)reduced(d) - correction;
	const uint64_t q = unary(d, OP_square, centre(d, x));
	const uint64_t s = reduce(d, OP_sum, q, d->i->attr.keepdims);

	d->last = true;
	divide(d, s, divisor < 0 ? 0 : divisor);
}

static void compose_logsumexp(draft *d, uint64_t x, const meta *out)
{
	const bool dims_go = out->rank != d->x->rank;
	uint64_t h, s;

	if (!reduced(d)) {
		d->last = true;
		full(d, out, -__builtin_inf());
		return;
	}
	h = finite_or_zero(d, reduce(d, OP_max, x, true));
	s = reduce(d, OP_sum, unary(d, OP_exp, binary(d, OP_sub, x, h)), true);
	s = unary(d, OP_log, s);
	d->last = !dims_go;
	s = binary(d, OP_add, s, h);
	d->last = true;
	if (dims_go)
		reshape(d, s, out);
}

static void compose_softmax(draft *d, uint64_t x)
{
	const uint64_t e = unary(d, OP_exp, binary(d, OP_sub, x, reduce(d, OP_max, x, true)));
	const uint64_t s = reduce(d, OP_sum, e, true);

	d->last = true;
	binary(d, OP_div, e, s);
}

static void compose_log_softmax(draft *d, uint64_t x)
{
	const uint64_t z = binary(d, OP_sub, x, reduce(d, OP_max, x, true));
	const uint64_t s = reduce(d, OP_sum, unary(d, OP_exp, z), true);
	const uint64_t l = unary(d, OP_log, s);

	d->last = true;
	binary(d, OP_sub, z, l);
}

static void compose_layer_norm(draft *d, uint64_t x)
{
	const scalar eps = { .bits = ins_in(d->i)[1] };
	const uint64_t c = centre(d, x);
	uint64_t v = reduce(d, OP_sum, unary(d, OP_square, c), true);

	v = divide(d, v, (double)reduced(d));
	v = with_scalar(d, OP_add, v, (dtype_kind)ins_kind(d->i, 1), eps);
	v = unary(d, OP_sqrt, v);
	d->last = true;
	binary(d, OP_div, c, v);
}

gt_err compose(const ins *i, const meta *const *in, const composer *to)
{
	const bool one_axis = op_rows[i->op].attrs & ATTR_AXIS;
	draft d = { .i = i, .x = in[0], .to = to };
	const uint64_t x = *ins_in(i);
	meta out;

	if ((d.e = shape_infer(i, in, &out)))
		return d.e;
	d.axes = one_axis ? 1u << i->attr.axis : i->attr.axes;
	switch (i->op) {
	case OP_mean:
		compose_mean(&d, x);
		break;
	case OP_var:
		compose_var(&d, x);
		break;
	case OP_logsumexp:
		compose_logsumexp(&d, x, &out);
		break;
	case OP_softmax:
	case OP_log_softmax:
		if (!meta_count(&out)) {   /* the maximum of no elements is an error */
			d.last = true;
			full(&d, &out, 0);
		} else if (i->op == OP_softmax) {
			compose_softmax(&d, x);
		} else {
			compose_log_softmax(&d, x);
		}
		break;
	case OP_layer_norm:
		compose_layer_norm(&d, x);
		break;
	default:
		assert(!"a composite row has a decomposition");
	}
	return d.e;
}
