/* make_moves.c: products, views, and statements that move elements by index. */
#include "differential/maker.h"

static int put_permute(maker *mk, int a, int first, int second)
{
	statement *s = maker_put(mk, OP_permute, mk->types[a]);

	for (uint8_t k = 0; k < s->t.rank; k++)
		s->attr.perm[k] = k;
	s->attr.perm[first] = (uint8_t)second;
	s->attr.perm[second] = (uint8_t)first;
	s->t.dims[first] = mk->types[a].dims[second];
	s->t.dims[second] = mk->types[a].dims[first];
	maker_in(s, a);
	return maker_bind_own(mk, s);
}

int maker_matmul(maker *mk, int a, int b, int dst)
{
	statement *s;
	type t = mk->types[a];

	t.dims[t.rank - 1] = mk->types[b].dims[1];
	s = maker_put(mk, OP_matmul, t);
	maker_in(s, a);
	maker_in(s, b);
	maker_bind(mk, s, dst >= 0 ? dst : maker_own_reg(mk));
	return s->dst;
}

bool make_matmul(maker *mk)
{
	const int a = maker_pick(mk, fits_matrix, NULL);
	int b;

	if (a < 0)
		return false;
	b = dice_chance(&mk->d, 70) ? maker_pick(mk, fits_right_side, &mk->types[a]) : -1;
	if (b < 0) {
		b = maker_pick(mk, fits_transposed_side, &mk->types[a]);
		if (b < 0)
			return false;
		b = put_permute(mk, b, 0, 1);
		/* The permuted register may have taken a's place. */
		if (!type_is_float(&mk->types[a]) || mk->types[a].rank < 2 ||
		    !fits_right_side(mk, &mk->types[b], &mk->types[a]))
			return true;
	}
	maker_matmul(mk, a, b, -1);
	return true;
}

bool make_reshape(maker *mk, int a)
{
	const type *x = &mk->types[a];
	type t = *x;
	statement *s;

	if (x->rank == TYPE_RANK_MAX || (x->rank == 2 && dice_chance(&mk->d, 50))) {
		t.dims[0] = dim_times(x->dims[0], x->dims[1]);
		if (t.dims[0] == DIM_NONE)
			return false;
		for (int k = 1; k + 1 < x->rank; k++)
			t.dims[k] = x->dims[k + 1];
		t.rank--;
	} else {
		t.dims[t.rank++] = 0;
	}
	s = maker_put(mk, OP_reshape, t);
	maker_in(s, a);
	maker_bind_own(mk, s);
	return true;
}

bool make_expand(maker *mk, int a)
{
	type t = mk->types[a];
	statement *s;

	if (t.rank == TYPE_RANK_MAX)
		return false;
	memmove(t.dims + 1, mk->types[a].dims, t.rank * sizeof *t.dims);
	t.dims[0] = maker_symbol(mk);
	t.rank++;
	for (int k = 1; k < t.rank; k++)
		if (!t.dims[k] && dice_chance(&mk->d, 50))
			t.dims[k] = maker_symbol(mk);
	if (!maker_has_room(mk, &t))
		return false;
	s = maker_put(mk, OP_expand, t);
	maker_in(s, a);
	maker_bind_own(mk, s);
	return true;
}

static cut any_cut(maker *mk, dim d)
{
	return maker_empties(mk, d) || dice_chance(&mk->d, 40) ? CUT_BACK : CUT_ONE;
}

bool make_slice(maker *mk, int a)
{
	statement *s = maker_put(mk, OP_slice, mk->types[a]);

	s->axis = (uint8_t)dice_range(&mk->d, 0, s->t.rank - 1);
	s->cut = any_cut(mk, s->t.dims[s->axis]);
	if (s->cut == CUT_ONE)
		s->t.dims[s->axis] = 0;
	maker_in(s, a);
	maker_bind_own(mk, s);
	return true;
}

bool make_view(maker *mk)
{
	const int a = maker_pick(mk, fits_ranked, NULL);

	if (a < 0)
		return false;
	switch (dice_range(&mk->d, 0, 3)) {
	case 0:
		return make_reshape(mk, a);
	case 1:
		return make_expand(mk, a);
	case 2:
		return make_slice(mk, a);
	default:
		put_permute(mk, a, 0, mk->types[a].rank - 1);
		return true;
	}
}

bool make_slice_set(maker *mk)
{
	const int a = maker_pick(mk, fits_float_ranked, NULL);
	statement *s;
	type part;
	int b;

	if (a < 0)
		return false;
	part = mk->types[a];
	s = maker_put(mk, OP_slice_set, part);
	s->axis = (uint8_t)dice_range(&mk->d, 0, part.rank - 1);
	s->cut = any_cut(mk, part.dims[s->axis]);
	if (s->cut == CUT_ONE)
		part.dims[s->axis] = 0;
	b = maker_pick(mk, fits_under, &part);
	maker_in(s, a);
	if (b >= 0)
		maker_in(s, b);
	else
		maker_any_number(mk, s, (gt_dtype)part.dtype);
	maker_bind_own(mk, s);
	return true;
}

bool make_cat(maker *mk)
{
	const int a = maker_pick(mk, fits_float_ranked, NULL);
	const int b = a < 0 ? -1 : maker_pick(mk, fits_same, &mk->types[a]);
	const int axis = a < 0 ? 0 : dice_range(&mk->d, 0, mk->types[a].rank - 1);
	statement *s;
	type t;

	if (a < 0)
		return false;
	t = mk->types[a];
	t.dims[axis] = dim_times(t.dims[axis], SYM_TWO);
	if (t.dims[axis] == DIM_NONE || !maker_has_room(mk, &t))
		return false;
	s = maker_put(mk, OP_cat, t);
	s->attr.axis = (uint8_t)axis;
	maker_in(s, a);
	maker_in(s, b);
	maker_bind_own(mk, s);
	return true;
}

bool make_triangle(maker *mk)
{
	const int a = maker_pick(mk, fits_matrix, NULL);
	statement *s;

	if (a < 0)
		return false;
	s = maker_put(mk, dice_chance(&mk->d, 50) ? OP_tril : OP_triu, mk->types[a]);
	maker_in(s, a);
	maker_bind_own(mk, s);
	return true;
}

bool make_select(maker *mk, int a)
{
	const int axis = dice_range(&mk->d, 0, mk->types[a].rank - 1);
	const type like = { .bound = mk->types[a].dims[axis] };
	type t = mk->types[a];
	const int x = maker_pick(mk, fits_index, &like);
	statement *s;

	if (x < 0 || t.rank - 1 + mk->types[x].rank > TYPE_RANK_MAX)
		return false;
	t.rank = 0;
	for (int k = 0; k < mk->types[a].rank; k++) {
		if (k != axis)
			t.dims[t.rank++] = mk->types[a].dims[k];
		for (int j = 0; k == axis && j < mk->types[x].rank; j++)
			t.dims[t.rank++] = mk->types[x].dims[j];
	}
	if (!maker_has_room(mk, &t))
		return false;
	s = maker_put(mk, OP_index_select, t);
	s->attr.axis = (uint8_t)axis;
	maker_in(s, a);
	maker_in(s, x);
	maker_bind_own(mk, s);
	return true;
}

/* gather, scatter_add, index_add, index_set, with indices made on the spot. */
bool make_by_index(maker *mk, int a)
{
	static const uint16_t codes[] = { OP_gather, OP_scatter_add, OP_index_add, OP_index_set };
	const uint16_t code = codes[dice_range(&mk->d, 0, COUNT(codes) - 1)];
	const type t = mk->types[a];
	const uint8_t axis = (uint8_t)dice_range(&mk->d, 0, t.rank - 1);
	type shape = t;
	statement *s;
	int x;

	if (code == OP_index_add || code == OP_index_set) {
		shape.rank = 1;
		shape.dims[0] = t.dims[axis];
	}
	x = maker_indices(mk, &shape, t.dims[axis]);
	if (x == a)
		return true;
	s = maker_put(mk, code, t);
	s->attr.axis = axis;
	maker_in(s, a);
	maker_in(s, x);
	if (code != OP_gather)
		maker_in(s, maker_pick(mk, fits_same, &t));
	maker_bind_own(mk, s);
	return true;
}

bool make_index(maker *mk)
{
	const int a = maker_pick(mk, fits_float_ranked, NULL);
	const int x = maker_pick(mk, fits_index, NULL);
	type t;
	statement *s;

	if (a < 0)
		return false;
	if (x >= 0 && mk->types[x].rank < TYPE_RANK_MAX &&
	    !maker_empties(mk, mk->types[x].bound) && dice_chance(&mk->d, 25)) {
		t = mk->types[x];
		t.indices = false;
		t.dims[t.rank++] = t.bound;
		if (!maker_has_room(mk, &t))
			return false;
		s = maker_put(mk, OP_one_hot, t);
		maker_in(s, x);
		maker_bind_own(mk, s);
		return true;
	}
	return dice_chance(&mk->d, 50) ? make_select(mk, a) : make_by_index(mk, a);
}

bool make_cast(maker *mk)
{
	static const gt_dtype to[] = { GT_FLOAT32, GT_FLOAT32, GT_INT64, GT_BOOL, GT_FLOAT64,
		GT_INT32 };
	const int a = maker_pick(mk, fits_any, NULL);
	statement *s;

	if (a < 0)
		return false;
	s = maker_put(mk, OP_cast, mk->types[a]);
	s->attr.dtype = s->t.dtype = (uint8_t)to[dice_range(&mk->d, 0, COUNT(to) - 1)];
	s->t.indices = false;
	maker_in(s, a);
	maker_bind_own(mk, s);
	return true;
}

bool make_int(maker *mk)
{
	static const uint16_t codes[] = { OP_floordiv, OP_mod, OP_add, OP_mul };
	const uint16_t code = codes[dice_range(&mk->d, 0, COUNT(codes) - 1)];
	const int a = maker_pick(mk, fits_int, NULL);
	statement *s;

	if (a < 0)
		return false;
	s = maker_put(mk, code, mk->types[a]);
	s->t.indices = false;
	maker_in(s, a);
	maker_number(s, KIND_INT, dice_range(&mk->d, 1, 5));
	s->risky = mk->p->errs && (code == OP_floordiv || code == OP_mod);
	maker_bind_own(mk, s);
	return true;
}
