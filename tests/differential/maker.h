/* maker.h: making up the statements of a module.
 *
 * Every statement is well typed by symbols, so it is valid whatever they stand for. What exists at
 * a place of a module is its registers bound so far and the state; nothing else may be used.
 */
#ifndef DIFFERENTIAL_MAKER_H
#define DIFFERENTIAL_MAKER_H

#include "differential/program.h"

#define MODULE_REGS ((REGS - STATES_MAX) / MODULES_MAX)

typedef struct maker {
	dice d;
	program *p;
	module *m;
	bool bound[REGS];
	type types[REGS];
	int stamps[REGS], stamp;         /* when a register was bound: recent ones are preferred */
	int next_reg;
	unsigned noise, reads;           /* per cent of the statements followed by some */
	bool long_lived;                 /* most results have names, as in Python */
} maker;

/* ---- types ---- */

bool type_is_float(const type *t);
bool type_broadcast(const type *a, const type *b, type *out);   /* false: they do not */
bool type_broadcasts_to(const type *a, const type *to);
bool maker_has_room(const maker *mk, const type *t);    /* not too many elements */
bool maker_empties(const maker *mk, dim d);             /* its size may be 0 */

/* What a register's type must be, given another one. */
typedef bool fits(const maker *mk, const type *t, const type *like);
fits fits_any, fits_float, fits_number, fits_int, fits_ranked, fits_float_ranked, fits_matrix;
fits fits_same, fits_broadcast;
fits fits_index;                 /* indices, into something of like's bound if like is given */
fits fits_under;                 /* broadcasts to `like` */
fits fits_right_side, fits_transposed_side;     /* of a product with `like` */

/* ---- registers and statements ---- */

/* A register whose type fits, more likely one bound lately; -1: none. */
int  maker_pick(maker *mk, fits *f, const type *like);
bool maker_full(const maker *mk);

/* Append a statement; then its inputs, then what its result is bound to. */
statement *maker_put(maker *mk, unsigned code, type t);
void maker_in(statement *s, int reg);
void maker_number(statement *s, dtype_kind kind, double value);
void maker_any_number(maker *mk, statement *s, gt_dtype d);
void maker_bind(maker *mk, statement *s, int reg);
int  maker_bind_own(maker *mk, statement *s);   /* a register of the module's; which */
int  maker_own_reg(maker *mk);

dim      maker_symbol(maker *mk);
type     maker_type(maker *mk, gt_dtype d);
gt_dtype maker_float(maker *mk);
uint16_t maker_unary(maker *mk);
uint16_t maker_calm(maker *mk);                 /* a unary op whose results stay small */
/* Statements that others are made of; the register of the result. */
int maker_indices(maker *mk, const type *shape, dim bound);
int maker_matmul(maker *mk, int a, int b, int dst);     /* dst -1: one of the module's */

/* ---- one for each kind of statement; false: nothing is there to make it of ---- */

typedef bool make(maker *mk);
make make_create, make_unary, make_binary, make_compare, make_where, make_clamp, make_reduce;
make make_argmax, make_normal, make_matmul, make_view, make_slice_set, make_cat, make_triangle;
make make_index, make_cast, make_int, make_update, make_layers, make_alias;
void make_updates(maker *mk);    /* an optimizer: one formula over all states */
void make_read(maker *mk);
void make_noise(maker *mk);

#endif
