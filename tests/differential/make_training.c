/* make_training.c: what training is made of: updates, layers, names for what was; and what happens
 * now and then: reads and noise. */
#include "differential/maker.h"

/* ---- what training is made of ---------------------------------------------------------------- */

/* reg = code(a, b or a number); its register */
static int put_two(maker *mk, unsigned code, int a, int b, double value, int dst)
{
	statement *s = maker_put(mk, code, mk->types[a]);

	s->t.indices = false;
	maker_in(s, a);
	if (b >= 0) {
		maker_in(s, b);
	} else {
		maker_number(s, KIND_FLOAT, value);
		s->numbers[1].varies = dice_chance(&mk->d, 40);
	}
	if (dst < 0)
		s->life = dice_chance(&mk->d, 70) ? LIFE_USE : LIFE_NAME;
	maker_bind(mk, s, dst >= 0 ? dst : maker_own_reg(mk));
	return s->dst;
}

/* The same formula for a state and something that resembles its gradient. */
static void put_update(maker *mk, int w, unsigned formula)
{
	const type t = mk->types[w];
	int g = maker_pick(mk, fits_under, &t), x;

	switch (formula) {
	case 0:                  /* w -= lr * g */
		x = put_two(mk, OP_mul, g, -1, 0.05, -1);
		x = put_two(mk, OP_sub, w, x, 0, w);
		break;
	case 1:                  /* a moving average */
		x = put_two(mk, OP_mul, g, -1, 0.1, -1);
		g = put_two(mk, OP_mul, w, -1, 0.9, -1);
		if (g == x)
			return;
		x = put_two(mk, OP_add, g, x, 0, w);
		break;
	case 2:
		x = put_two(mk, OP_add, w, g, 0, w);
		break;
	default:
		x = put_two(mk, OP_mul, w, -1, 0.95, w);
		break;
	}
	if (dice_chance(&mk->d, 80)) {
		statement *s = maker_put(mk, OP_tanh, t);

		maker_in(s, x);
		maker_bind(mk, s, w);
	}
}

bool make_update(maker *mk)
{
	/* One after the other: compilers roll two dice of a call in orders of their own. */
	const unsigned how = (unsigned)dice_range(&mk->d, 0, 3);

	put_update(mk, dice_range(&mk->d, 0, mk->p->state_count - 1), how);
	return true;
}

/* An optimizer: one formula over all states. */
void make_updates(maker *mk)
{
	const unsigned formula = (unsigned)dice_range(&mk->d, 0, 3);

	for (int w = 0; w < mk->p->state_count && mk->m->count < STATEMENTS_MAX - 8; w++)
		put_update(mk, w, formula);
}

bool fits_layer(const maker *mk, const type *t, const type *like)
{
	(void)mk;
	return t->rank >= 2 && t->dtype == like->dtype &&
		t->dims[t->rank - 1] == like->dims[1];
}

/* The same few ops several times over, each time with another parameter or always with one: what
 * tells the layers apart is the wiring alone. */
bool make_layers(maker *mk)
{
	const int times = dice_range(&mk->d, 2, 5), length = dice_range(&mk->d, 1, 3);
	const bool shared = dice_chance(&mk->d, 30);
	uint16_t codes[3];
	int h = maker_pick(mk, fits_layer, &mk->p->states[0]), w = 0;

	if (h < 0 || mk->m->count + times * (length + 1) >= STATEMENTS_MAX - 1)
		return false;
	for (int k = 0; k < length; k++)
		codes[k] = maker_calm(mk);
	for (int n = 0; n < times; n++) {
		if (!shared)
			w = maker_pick(mk, fits_same, &mk->p->states[0]);
		h = maker_matmul(mk, h, w, n && dice_chance(&mk->d, 60) && h >= STATES_MAX ? h : -1);
		for (int k = 0; k < length; k++) {
			statement *s = maker_put(mk, codes[k], mk->types[h]);

			maker_in(s, h);
			h = maker_bind_own(mk, s);
		}
	}
	return true;
}

/* Another name for the same value: old = w.detach(), a target network. */
bool make_alias(maker *mk)
{
	const int a = maker_pick(mk, fits_any, NULL);
	statement *s = maker_put(mk, DO_KEEP, mk->types[a]);

	maker_in(s, a);
	if (dice_chance(&mk->d, 50)) {
		s->life = LIFE_NAME;
		maker_bind_own(mk, s);
	}
	if (dice_chance(&mk->d, 10))
		maker_put(mk, DO_CLEAR, (type){ 0 });
	return true;
}

/* ---- what happens now and then --------------------------------------------------------------- */

static void set_when(maker *mk, statement *s)
{
	s->when = dice_chance(&mk->d, 40) ? WHEN_CHANCE :
		dice_chance(&mk->d, 10) ? WHEN_LAST : WHEN_EVERY;
	s->every = (uint16_t)dice_range(&mk->d, 1, 10);
	s->phase = (uint16_t)dice_range(&mk->d, 0, s->every - 1);
}

void make_read(maker *mk)
{
	const int a = maker_pick(mk, fits_any, NULL);
	statement *s;

	if (a < 0)
		return;
	s = maker_put(mk, OP_fetch, (type){ 0 });
	maker_in(s, a);
	set_when(mk, s);
}

/* Ops that are not part of the program proper: of their own, of one of its values, or between one
 * of its values and what uses it. */
void make_noise(maker *mk)
{
	const int kind = dice_range(&mk->d, 0, 2);
	const int a = kind ? maker_pick(mk, fits_float, NULL) : -1;
	const int count = mk->m->count;
	const bool through = kind == 2 && a >= 0;
	bool *bound;
	statement *s;

	if (a < 0) {
		type t = maker_type(mk, GT_FLOAT32);

		s = maker_put(mk, OP_randn, t);
		s->attr.dtype = t.dtype;
	} else {
		s = maker_put(mk, maker_unary(mk), mk->types[a]);
		maker_in(s, a);
	}
	set_when(mk, s);
	if (through) {
		maker_bind(mk, s, a);
		return;
	}
	/* Nobody else may count on it. */
	if (mk->next_reg >= mk->m->first_reg + MODULE_REGS) {
		mk->m->count = count;
		return;
	}
	maker_bind(mk, s, mk->next_reg++);
	bound = &mk->bound[s->dst];
	if (dice_chance(&mk->d, 40)) {
		statement *read = maker_put(mk, OP_fetch, (type){ 0 });

		maker_in(read, s->dst);
		read->when = s->when;
		read->every = s->every;
		read->phase = s->phase;
	}
	*bound = false;
}
