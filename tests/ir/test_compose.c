/* test_compose.c: decompositions are well-formed instructions of primitive rows and compute what
 * the row says, shown by a small interpreter in double. That kernels give the same bits is the
 * engine's test. */
#include "check.h"

#include <math.h>
#include <stdlib.h>
#include "ir/compose.h"
#include "ir/shape.h"

#define VALUES_MAX 32
#define ELEMENTS_MAX 64

typedef struct value { uint64_t id; meta m; double data[ELEMENTS_MAX]; } value;

typedef struct machine {
	value values[VALUES_MAX];
	int count;
	uint64_t next;
	int emits_left;   /* then emit fails */
} machine;

static value *find(machine *x, uint64_t id)
{
	for (int k = 0; k < x->count; k++)
		if (x->values[k].id == id)
			return &x->values[k];
	return NULL;
}

static uint64_t fresh(void *ctx)
{
	return ((machine *)ctx)->next++;
}

static double apply(op code, double a, double b, double c)
{
	switch (code) {
	case OP_add: return a + b;
	case OP_sub: return a - b;
	case OP_div: return a / b;
	case OP_square: return a * a;
	case OP_sqrt: return sqrt(a);
	case OP_exp: return exp(a);
	case OP_log: return log(a);
	case OP_isfinite: return isfinite(a);
	case OP_where: return a != 0 ? b : c;
	default: fail_msg("%s is not expected in a decomposition", op_rows[code].name);
	}
	return 0;
}

/* Element of input k that belongs to element `flat` of a result of shape m. */
static double element(machine *x, const ins *i, unsigned k, const meta *m, int64_t flat)
{
	const scalar s = { .bits = ins_in(i)[k] };
	int64_t at = 0, step = 1;
	value *v;

	if (k >= i->nin)
		return 0;
	if (ins_kind(i, k))
		return ins_kind(i, k) == KIND_FLOAT ? s.f : (double)s.i;
	v = find(x, s.bits);
	for (int d = m->rank - 1, e = v->m.rank - 1; e >= 0; flat /= m->dims[d--], e--) {
		at += v->m.dims[e] == 1 ? 0 : flat % m->dims[d] * step;
		step *= v->m.dims[e];
	}
	return v->data[at];
}

/* Element `flat` of an instruction's result. */
static double compute(machine *x, const ins *i, const meta *m, int64_t flat)
{
	if (i->op == OP_reshape)
		return find(x, *ins_in(i))->data[flat];
	if (i->op == OP_full)
		return ((scalar){ .bits = *ins_in(i) }).f;
	return apply((op)i->op, element(x, i, 0, m, flat), element(x, i, 1, m, flat),
		element(x, i, 2, m, flat));
}

static void reduce(const ins *i, const value *x, value *to)
{
	meta kept = x->m;

	for (int64_t k = 0; k < meta_count(&to->m); k++)
		to->data[k] = i->op == OP_sum ? 0 : -INFINITY;
	for (int64_t n = 0; n < meta_count(&kept); n++) {
		int64_t flat = n, at = 0, step = 1;

		for (int d = kept.rank - 1; d >= 0; flat /= kept.dims[d--])
			if (!(i->attr.axes >> d & 1)) {
				at += flat % kept.dims[d] * step;
				step *= kept.dims[d];
			}
		if (i->op == OP_sum)
			to->data[at] += x->data[n];
		else if (!(x->data[n] <= to->data[at]))
			to->data[at] = x->data[n];
	}
}

static gt_err emit(void *ctx, const ins *i)
{
	machine *x = ctx;
	const meta *in[INS_INPUTS_MAX];
	value *to = &x->values[x->count];

	if (!x->emits_left--)
		return GT_ECLOSED;
	if (ins_check(i, i->words))
		fail_msg("%s", gt_last_error());
	assert_int_not_equal(op_row_of(i->op)->kind, KIND_COMPOSITE);
	assert_int_equal(i->site, 77);
	assert_null(find(x, i->out));
	for (unsigned k = 0; k < i->nin; k++) {
		in[k] = ins_kind(i, k) ? NULL : &find(x, ins_in(i)[k])->m;
		assert_true(ins_kind(i, k) || find(x, ins_in(i)[k]));
	}
	if (shape_infer(i, in, &to->m))
		fail_msg("%s", gt_last_error());
	assert_in_range(meta_count(&to->m), 0, ELEMENTS_MAX);
	if (op_row_of(i->op)->kind == KIND_REDUCE)
		reduce(i, find(x, *ins_in(i)), to);
	else
		for (int64_t n = 0; n < meta_count(&to->m); n++)
			to->data[n] = compute(x, i, &to->m, n);
	to->id = i->out;
	x->count++;
	return GT_OK;
}

#define X   1
#define OUT 99

/* Decompose and run `code` on a tensor of these dims; the result, whose meta must be the
 * composite's. */
static const value *run(machine *x, op code, meta m, const double *data, unsigned axes,
	bool keepdims)
{
	const composer to = { fresh, emit, x };
	const meta *in[] = { &m, NULL };
	ins_room room;
	ins *i = ins_init(&room, code, OUT);
	meta out;

	x->count = 1;
	x->next = 1000;
	x->emits_left = VALUES_MAX;
	x->values[0] = (value){ .id = X, .m = m };
	for (int64_t n = 0; n < meta_count(&m); n++)
		x->values[0].data[n] = data[n];
	i->site = 77;
	if (op_rows[code].attrs & ATTR_AXIS) {
		i->attr.axis = (uint8_t)__builtin_ctz(axes);
	} else {
		i->attr.axes = (uint8_t)axes;
		i->attr.keepdims = keepdims;
	}
	ins_put_input(i, X);
	if (op_rows[code].nin == 2)
		ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = code == OP_var ? 1 : 0.5 });
	assert_int_equal(shape_infer(i, in, &out), GT_OK);
	if (compose(i, in, &to))
		fail_msg("%s", gt_last_error());
	const value *v = &x->values[x->count - 1];

	assert_int_equal(v->id, OUT);
	assert_int_equal(v->m.rank, out.rank);
	assert_int_equal(v->m.dtype, out.dtype);
	for (int k = 0; k < out.rank; k++)
		assert_int_equal(v->m.dims[k], out.dims[k]);
	return v;
}

static meta shape(int rank, int64_t a, int64_t b)
{
	return (meta){ .dtype = GT_FLOAT64, .rank = (uint8_t)rank, .dims = { a, b } };
}

static void near(const value *v, int64_t k, double wanted)
{
	const double got = v->data[k];

	if (isnan(wanted) ? !isnan(got) : got != wanted && !(fabs(got - wanted) < 1e-12))
		fail_msg("element %lld is %.17g, expected %.17g", (long long)k, got, wanted);
}

static const double rows[] = { 1, 2, 3, 6, -1, -1, -1, 9 };   /* means 3, 1.5; variances 14/3, 25 */

static void test_statistics(void **state)
{
	static machine x;
	const value *v;

	(void)state;
	for (int keepdims = 0; keepdims < 2; keepdims++) {
		v = run(&x, OP_mean, shape(2, 2, 4), rows, 2, keepdims);
		near(v, 0, 3);
		near(v, 1, 1.5);
		v = run(&x, OP_var, shape(2, 2, 4), rows, 2, keepdims);
		near(v, 0, 14.0 / 3);
		near(v, 1, 25);
		v = run(&x, OP_logsumexp, shape(2, 2, 4), rows, 2, keepdims);
		near(v, 0, log(exp(1) + exp(2) + exp(3) + exp(6)));
		near(v, 1, log(3 * exp(-1) + exp(9)));
	}
	near(run(&x, OP_mean, shape(2, 2, 4), rows, 3, false), 0, 2.25);
	v = run(&x, OP_layer_norm, shape(2, 2, 4), rows, 2, false);
	near(v, 0, (1 - 3) / sqrt(14.0 / 4 + 0.5));
	near(v, 7, (9 - 1.5) / sqrt(75.0 / 4 + 0.5));
}

static void test_softmax(void **state)
{
	static machine x;
	const value *v = run(&x, OP_softmax, shape(2, 2, 4), rows, 2, false);
	const double sum = exp(1) + exp(2) + exp(3) + exp(6);

	(void)state;
	near(v, 0, exp(1) / sum);
	near(v, 3, exp(6) / sum);
	v = run(&x, OP_log_softmax, shape(2, 2, 4), rows, 2, false);
	near(v, 1, 2 - log(sum));
	v = run(&x, OP_softmax, shape(2, 2, 4), rows, 1, false);
	near(v, 4, exp(-1) / (exp(1) + exp(-1)));
}

/* The promises at the head of compose.h about infinities and nothing. */
static void test_edges(void **state)
{
	static const double none[] = { -INFINITY, -INFINITY };
	static const double one[] = { INFINITY, 0 }, nan2[] = { NAN, 0 };
	static machine x;

	(void)state;
	near(run(&x, OP_logsumexp, shape(1, 2, 0), none, 1, false), 0, -INFINITY);
	near(run(&x, OP_logsumexp, shape(1, 2, 0), one, 1, false), 0, INFINITY);
	near(run(&x, OP_logsumexp, shape(1, 2, 0), nan2, 1, false), 0, NAN);
	near(run(&x, OP_softmax, shape(1, 2, 0), none, 1, false), 0, NAN);
	near(run(&x, OP_logsumexp, shape(2, 2, 0), none, 2, true), 1, -INFINITY);
	near(run(&x, OP_logsumexp, shape(0, 0, 0), rows, 0, false), 0, 1);
	near(run(&x, OP_mean, shape(1, 0, 0), none, 1, false), 0, NAN);
	near(run(&x, OP_var, shape(1, 0, 0), none, 1, false), 0, NAN);
	near(run(&x, OP_var, shape(1, 1, 0), rows, 1, false), 0, NAN);
	assert_int_equal(meta_count(&run(&x, OP_softmax, shape(2, 3, 0), none, 2, false)->m), 0);
	assert_int_equal(
		meta_count(&run(&x, OP_log_softmax, shape(2, 0, 3), none, 2, false)->m), 0);
	assert_int_equal(meta_count(&run(&x, OP_layer_norm, shape(2, 3, 0), none, 2, false)->m), 0);
	assert_int_equal(meta_count(&run(&x, OP_logsumexp, shape(2, 0, 3), none, 2, false)->m), 0);
}

/* Every composite row has a decomposition, and each stops at the first emit that fails. */
static void test_every_row(void **state)
{
	const meta m = shape(2, 2, 4), *in[] = { &m, NULL };
	static machine x;
	const composer to = { fresh, emit, &x };

	(void)state;
	for (unsigned code = 0; code < OP_CODES; code++) {
		int all;

		if (!op_row_of(code) || op_row_of(code)->kind != KIND_COMPOSITE)
			continue;
		run(&x, (op)code, m, rows, 2, false);
		all = x.count - 1;
		for (int n = 0; n < all; n++) {
			ins_room room;
			ins *i = ins_init(&room, code, OUT);

			x.count = 1;
			x.emits_left = n;
			i->site = 77;
			i->attr.axis = op_rows[code].attrs & ATTR_AXIS ? 1 : 0;
			i->attr.axes = op_rows[code].attrs & ATTR_AXES ? 2 : 0;
			ins_put_input(i, X);
			if (op_rows[code].nin == 2)
				ins_put_scalar(i, KIND_INT, (scalar){ .i = 0 });
			assert_int_equal(compose(i, in, &to), GT_ECLOSED);
			assert_int_equal(x.count, n + 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statistics),
		cmocka_unit_test(test_softmax),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
