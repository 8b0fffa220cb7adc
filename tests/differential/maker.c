/* maker.c: types, registers and statements of a module that is being made up. */
#include "differential/maker.h"

#define ELEMENTS_MAX   8000
#define ELEMENTS_LARGE 300000

/* ---- types ----------------------------------------------------------------------------------- */

dim dim_times(dim a, dim b)
{
	unsigned counts[16] = { 0 }, n = 0;
	dim out = 0;

	for (; a; a >>= 4)
		counts[a & 15]++;
	for (; b; b >>= 4)
		counts[b & 15]++;
	for (unsigned s = 15; s; s--)
		for (; counts[s]; counts[s]--, n++)
			out = (dim)(out << 4 | s);
	return n <= 3 ? out : DIM_NONE;
}

bool dim_has(dim a, unsigned symbol)
{
	for (; a; a >>= 4)
		if ((a & 15) == symbol)
			return true;
	return false;
}

/* What a size is at most. */
static int64_t most_of(const maker *mk, unsigned symbol)
{
	const program *p = mk->p;
	const int more = p->batches == BATCH_GROWS ? BATCH_GROWTH - 1 : 4;

	return p->sizes[symbol] + (symbol == SYM_BATCH ? more : 0);
}

bool maker_has_room(const maker *mk, const type *t)
{
	int64_t n = 1;

	for (int k = 0; k < t->rank; k++)
		for (dim d = t->dims[k]; d; d >>= 4)
			n *= most_of(mk, d & 15);
	return n <= (mk->p->large ? ELEMENTS_LARGE : ELEMENTS_MAX);
}

bool maker_empties(const maker *mk, dim d)
{
	return mk->p->batches == BATCH_EMPTY && dim_has(d, SYM_BATCH);
}

bool type_is_float(const type *t)
{
	return dtype_kind_of((gt_dtype)t->dtype) == KIND_FLOAT;
}

bool type_broadcast(const type *a, const type *b, type *out)
{
	const type *wide = a->rank >= b->rank ? a : b, *thin = wide == a ? b : a;
	const int head = wide->rank - thin->rank;

	*out = *wide;
	out->indices = false;
	for (int k = 0; k < thin->rank; k++) {
		const dim x = wide->dims[k + head], y = thin->dims[k];

		if (x != y && x && y)
			return false;
		out->dims[k + head] = x ? x : y;
	}
	return true;
}

bool type_broadcasts_to(const type *a, const type *to)
{
	type out;

	return a->dtype == to->dtype && a->rank <= to->rank && type_broadcast(a, to, &out) &&
		type_equal(&out, to);
}

/* ---- registers and statements ---------------------------------------------------------------- */

int maker_pick(maker *mk, fits *f, const type *like)
{
	int found[REGS], n = 0, newest = -1;

	for (int r = 0; r < REGS; r++) {
		if (!mk->bound[r] || !f(mk, &mk->types[r], like))
			continue;
		found[n++] = r;
		if (newest < 0 || mk->stamps[r] > mk->stamps[newest])
			newest = r;
	}
	if (!n)
		return -1;
	return dice_chance(&mk->d, 45) ? newest : found[dice_range(&mk->d, 0, n - 1)];
}

bool fits_any(const maker *mk, const type *t, const type *like)
{
	(void)mk, (void)t, (void)like;
	return true;
}

bool fits_float(const maker *mk, const type *t, const type *like)
{
	(void)mk, (void)like;
	return type_is_float(t);
}

bool fits_number(const maker *mk, const type *t, const type *like)
{
	(void)mk, (void)like;
	return t->dtype != GT_BOOL;
}

bool fits_int(const maker *mk, const type *t, const type *like)
{
	(void)mk, (void)like;
	return dtype_kind_of((gt_dtype)t->dtype) == KIND_INT;
}

bool fits_index(const maker *mk, const type *t, const type *like)
{
	(void)mk;
	return t->indices && (!like || t->bound == like->bound);
}

bool fits_ranked(const maker *mk, const type *t, const type *like)
{
	(void)mk, (void)like;
	return t->rank > 0;
}

bool fits_float_ranked(const maker *mk, const type *t, const type *like)
{
	return type_is_float(t) && fits_ranked(mk, t, like);
}

bool fits_matrix(const maker *mk, const type *t, const type *like)
{
	(void)mk, (void)like;
	return type_is_float(t) && t->rank >= 2;
}

bool fits_same(const maker *mk, const type *t, const type *like)
{
	(void)mk;
	return type_equal(t, like);
}

bool fits_broadcast(const maker *mk, const type *t, const type *like)
{
	type out;

	return t->dtype == like->dtype && type_broadcast(t, like, &out) && maker_has_room(mk, &out);
}

bool fits_under(const maker *mk, const type *t, const type *like)
{
	(void)mk;
	return type_broadcasts_to(t, like);
}

bool fits_right_side(const maker *mk, const type *t, const type *like)
{
	type out = *like;

	if (t->rank != 2 || t->dtype != like->dtype || t->dims[0] != like->dims[like->rank - 1])
		return false;
	out.dims[out.rank - 1] = t->dims[1];
	return maker_has_room(mk, &out);
}

bool fits_transposed_side(const maker *mk, const type *t, const type *like)
{
	type turned = *t;

	if (t->rank != 2)
		return false;
	turned.dims[0] = t->dims[1];
	turned.dims[1] = t->dims[0];
	return fits_right_side(mk, &turned, like);
}

bool maker_full(const maker *mk)
{
	return mk->m->count >= STATEMENTS_MAX - 1;
}

/* A register of the module's own: mostly one that is new. */
int maker_own_reg(maker *mk)
{
	const int first = mk->m->first_reg;

	if (mk->next_reg < first + MODULE_REGS &&
	    (mk->next_reg == first || !dice_chance(&mk->d, 15)))
		return mk->next_reg++;
	return dice_range(&mk->d, first, mk->next_reg - 1);
}

static life any_life(maker *mk)
{
	if (mk->long_lived)
		return dice_chance(&mk->d, 70) ? LIFE_NAME : LIFE_USE;
	return (life)dice_range(&mk->d, 0, 2);
}

statement *maker_put(maker *mk, unsigned code, type t)
{
	statement *s = &mk->m->list[mk->m->count++];

	*s = (statement){ .op = (uint16_t)code, .dst = -1, .t = t, .life = any_life(mk) };
	s->t.indices = t.indices && t.dtype == GT_INT64;
	return s;
}

void maker_in(statement *s, int reg)
{
	s->in[s->nin++] = (int16_t)reg;
}

void maker_number(statement *s, dtype_kind kind, double value)
{
	s->numbers[s->nin] = (number){ .kind = kind, .base = value };
	maker_in(s, REG_SCALAR);
}

void maker_bind(maker *mk, statement *s, int reg)
{
	s->dst = (int16_t)reg;
	mk->types[reg] = s->t;
	mk->bound[reg] = true;
	mk->stamps[reg] = ++mk->stamp;
	if (reg < STATES_MAX)
		s->life = LIFE_NAME;
}

int maker_bind_own(maker *mk, statement *s)
{
	maker_bind(mk, s, maker_own_reg(mk));
	return s->dst;
}

/* A number for an elementwise op: some vary, few change their kind. */
void maker_any_number(maker *mk, statement *s, gt_dtype d)
{
	static const double values[] = { 0.5, 2, -1, 0.1, 3, 0.01, -0.25, 1 };
	const dtype_kind kind = dtype_kind_of(d);
	number *n = &s->numbers[s->nin];
	const double v = values[dice_range(&mk->d, 0, COUNT(values) - 1)];

	maker_number(s, kind, kind == KIND_FLOAT ? v : kind == KIND_INT ? (int)(v * 4) : v > 0);
	n->varies = dice_chance(&mk->d, 30);
	n->flips = kind == KIND_FLOAT && dice_chance(&mk->d, 4);
}

/* ---- choosing -------------------------------------------------------------------------------- */

dim maker_symbol(maker *mk)
{
	return (dim)dice_range(&mk->d, 0, SYM_F);
}

type maker_type(maker *mk, gt_dtype d)
{
	type t;

	do {
		t = (type){ .dtype = (uint8_t)d };
		t.rank = (uint8_t)dice_range(&mk->d, 0, TYPE_RANK_MAX);
		for (int k = 0; k < t.rank; k++)
			t.dims[k] = maker_symbol(mk);
	} while (!maker_has_room(mk, &t));
	return t;
}

gt_dtype maker_float(maker *mk)
{
	return dice_chance(&mk->d, 92) ? GT_FLOAT32 : GT_FLOAT64;
}
