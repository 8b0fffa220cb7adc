/* make_ops.c: statements that create, compute element by element, reduce. */
#include "differential/maker.h"

/* Indices of that shape into something of size `bound`; returns their register. */
int maker_indices(maker *mk, const type *shape, dim bound)
{
	type t = *shape;
	statement *s;

	t.dtype = GT_INT64;
	t.indices = true;
	t.bound = bound;
	s = maker_put(mk, OP_randint, t);
	maker_number(s, KIND_INT, 0);
	maker_number(s, KIND_INT, 1);
	s->attr.dtype = GT_INT64;
	s->steers = true;
	s->risky = mk->p->errs && dice_chance(&mk->d, 30);
	return maker_bind_own(mk, s);
}

bool make_create(maker *mk)
{
	static const uint16_t codes[] = { OP_randn, OP_rand, OP_full, OP_upload, OP_arange,
		OP_eye };
	const uint16_t code = codes[dice_range(&mk->d, 0, COUNT(codes) - 1)];
	type t = maker_type(mk, maker_float(mk));
	statement *s;

	if (dice_chance(&mk->d, 15)) {
		maker_indices(mk, &t, maker_symbol(mk));
		return true;
	}
	if (code == OP_arange)
		t.rank = 1;
	if (code == OP_eye)
		t.rank = 2;
	for (int k = 0; k < t.rank; k++)
		if (code == OP_arange || code == OP_eye)
			t.dims[k] = maker_symbol(mk);
	s = maker_put(mk, code, t);
	s->attr.dtype = t.dtype;
	if (code == OP_full || code == OP_arange)
		maker_any_number(mk, s, (gt_dtype)t.dtype);
	if (code == OP_arange) {         /* start and step are of one kind */
		maker_any_number(mk, s, (gt_dtype)t.dtype);
		s->numbers[0].flips = s->numbers[1].flips = false;
	}
	maker_bind_own(mk, s);
	return true;
}

static const uint16_t calm[] = { OP_tanh, OP_sigmoid, OP_sin, OP_cos, OP_relu, OP_erf, OP_neg,
	OP_abs, OP_gelu, OP_silu, OP_softplus, OP_clone, OP_sign, OP_floor };
static const uint16_t wild[] = { OP_square, OP_exp, OP_log, OP_sqrt, OP_rsqrt, OP_reciprocal,
	OP_expm1, OP_log1p, OP_ceil, OP_round };

uint16_t maker_calm(maker *mk)
{
	return calm[dice_range(&mk->d, 0, COUNT(calm) - 1)];
}

uint16_t maker_unary(maker *mk)
{
	return dice_chance(&mk->d, 80) ? maker_calm(mk)
		: wild[dice_range(&mk->d, 0, COUNT(wild) - 1)];
}

bool make_unary(maker *mk)
{
	const int a = maker_pick(mk, fits_float, NULL);
	statement *s;

	if (a < 0)
		return false;
	s = maker_put(mk, maker_unary(mk), mk->types[a]);
	maker_in(s, a);
	maker_bind_own(mk, s);
	return true;
}

bool make_binary(maker *mk)
{
	static const uint16_t codes[] = { OP_add, OP_sub, OP_mul, OP_add, OP_mul, OP_sub,
		OP_minimum, OP_maximum, OP_div, OP_pow };
	const unsigned how = (unsigned)dice_range(&mk->d, 0, 9);
	const int a = maker_pick(mk, fits_float, NULL);
	const int b = a < 0 ? -1 : maker_pick(mk, fits_broadcast, &mk->types[a]);
	statement *s;
	type t;

	if (a < 0)
		return false;
	type_broadcast(&mk->types[a], how < 3 ? &mk->types[a] : &mk->types[b], &t);
	s = maker_put(mk, codes[dice_range(&mk->d, 0, COUNT(codes) - 1)], t);
	if (how == 0)
		maker_any_number(mk, s, (gt_dtype)t.dtype);
	maker_in(s, a);
	if (how == 1)
		maker_any_number(mk, s, (gt_dtype)t.dtype);
	else if (how == 2)
		maker_in(s, a);
	else if (how)
		maker_in(s, b);
	maker_bind_own(mk, s);
	return true;
}

bool make_compare(maker *mk)
{
	static const uint16_t codes[] = { OP_eq, OP_ne, OP_lt, OP_le, OP_gt, OP_ge };
	const int a = maker_pick(mk, fits_number, NULL);
	statement *s;
	type t;
	int b;

	if (a < 0)
		return false;
	t = mk->types[a];
	b = dice_chance(&mk->d, 50) ? maker_pick(mk, fits_broadcast, &mk->types[a]) : -1;
	if (b >= 0)
		type_broadcast(&mk->types[a], &mk->types[b], &t);
	t.dtype = GT_BOOL;
	s = maker_put(mk, codes[dice_range(&mk->d, 0, COUNT(codes) - 1)], t);
	maker_in(s, a);
	if (b >= 0)
		maker_in(s, b);
	else
		maker_any_number(mk, s, (gt_dtype)mk->types[a].dtype);
	maker_bind_own(mk, s);
	return true;
}

bool make_where(maker *mk)
{
	const int a = maker_pick(mk, fits_float, NULL);
	type like;
	statement *s;
	int c;

	if (a < 0)
		return false;
	like = mk->types[a];
	like.dtype = GT_BOOL;
	if ((c = maker_pick(mk, fits_under, &like)) < 0)
		return false;
	s = maker_put(mk, OP_where, mk->types[a]);
	maker_in(s, c);
	maker_in(s, a);
	if (dice_chance(&mk->d, 50))
		maker_in(s, maker_pick(mk, fits_under, &mk->types[a]));
	else
		maker_any_number(mk, s, (gt_dtype)s->t.dtype);
	maker_bind_own(mk, s);
	return true;
}

bool make_clamp(maker *mk)
{
	const int a = maker_pick(mk, fits_float, NULL);
	statement *s;

	if (a < 0)
		return false;
	s = maker_put(mk, OP_clamp, mk->types[a]);
	maker_in(s, a);
	maker_number(s, KIND_FLOAT, -1.5);
	maker_number(s, KIND_FLOAT, 1.25);
	s->numbers[2].varies = dice_chance(&mk->d, 30);
	maker_bind_own(mk, s);
	return true;
}

static type reduced(const type *t, unsigned axes, bool keep)
{
	type out = *t;

	out.rank = 0;
	for (int k = 0; k < t->rank; k++) {
		if (axes >> k & 1 && !keep)
			continue;
		out.dims[out.rank++] = axes >> k & 1 ? 0 : t->dims[k];
	}
	out.indices = false;
	return out;
}

static bool reduces_nothing(const maker *mk, const type *t, unsigned axes)
{
	for (int k = 0; k < t->rank; k++)
		if (axes >> k & 1 && maker_empties(mk, t->dims[k]))
			return true;
	return false;
}

bool make_reduce(maker *mk)
{
	static const uint16_t codes[] = { OP_sum, OP_mean, OP_sum, OP_mean, OP_max, OP_min,
		OP_prod, OP_var, OP_logsumexp, OP_any, OP_all };
	const uint16_t code = codes[dice_range(&mk->d, 0, COUNT(codes) - 1)];
	const int a = maker_pick(mk, fits_float_ranked, NULL);
	unsigned axes, all;
	statement *s;
	type t;

	if (a < 0)
		return false;
	all = (1u << mk->types[a].rank) - 1;
	axes = dice_chance(&mk->d, 30) ? all : 1 + (unsigned)dice_range(&mk->d, 0, (int)all - 1);
	if ((code == OP_max || code == OP_min) && reduces_nothing(mk, &mk->types[a], axes))
		return false;
	s = maker_put(mk, code, (type){ 0 });
	s->attr.keepdims = dice_chance(&mk->d, 40);
	s->attr.axes = (uint8_t)axes;
	t = reduced(&mk->types[a], axes, s->attr.keepdims);
	if (code == OP_any || code == OP_all)
		t.dtype = GT_BOOL;
	s->t = t;
	maker_in(s, a);
	if (code == OP_var)
		maker_number(s, KIND_INT, 1);
	maker_bind_own(mk, s);
	return true;
}

bool make_argmax(maker *mk)
{
	const int a = maker_pick(mk, fits_float_ranked, NULL);
	int axis;
	statement *s;
	type t;

	if (a < 0)
		return false;
	axis = dice_range(&mk->d, 0, mk->types[a].rank - 1);
	if (maker_empties(mk, mk->types[a].dims[axis]))
		return false;
	s = maker_put(mk, dice_chance(&mk->d, 50) ? OP_argmax : OP_argmin, (type){ 0 });
	s->attr.axes = (uint8_t)(1u << axis);
	s->attr.keepdims = dice_chance(&mk->d, 30);
	t = reduced(&mk->types[a], 1u << axis, s->attr.keepdims);
	t.dtype = GT_INT64;
	t.indices = true;
	t.bound = mk->types[a].dims[axis];
	s->t = t;
	maker_in(s, a);
	maker_bind_own(mk, s);
	return true;
}

bool make_normal(maker *mk)
{
	static const uint16_t codes[] = { OP_softmax, OP_log_softmax, OP_layer_norm };
	const uint16_t code = codes[dice_range(&mk->d, 0, COUNT(codes) - 1)];
	const int a = maker_pick(mk, fits_float_ranked, NULL);
	statement *s;

	if (a < 0)
		return false;
	s = maker_put(mk, code, mk->types[a]);
	maker_in(s, a);
	if (code == OP_layer_norm) {
		s->attr.axes = (uint8_t)(1u << (s->t.rank - 1));
		maker_number(s, KIND_FLOAT, 1e-5);
	} else {
		s->attr.axis = (uint8_t)dice_range(&mk->d, 0, s->t.rank - 1);
	}
	maker_bind_own(mk, s);
	return true;
}
