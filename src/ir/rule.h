/* rule.h: what the shape rules (rule.c, rule_move.c) and their caller (shape.c, all call_
 * functions) share.
 *
 * A rule sees an instruction whose op is known, whose counts of inputs and operands fit the row and
 * whose in[k] is NULL exactly where input k is a scalar that the row permits. It checks the rest
 * and fills `out`.
 */
#ifndef IR_RULE_H
#define IR_RULE_H

#include "base/error.h"
#include "ir/shape.h"

typedef struct call {
	const ins *i;
	const op_row *row;
	const meta *const *in;
	meta *out;
} call;

/* Every SHAPE(rule) of the table is a function rule_<rule>. */
typedef gt_err rule(const call *c);
#define SHAPE(name) rule rule_##name;
#include "ir/ops.def"

/* Fail with "op: <text>; input(s) <all inputs with dtypes>". */
gt_err call_refuse(const call *c, gt_err e, const char *format, ...)
	__attribute__((format(printf, 3, 4), cold));

/* The result's dtype from the value inputs first .. first + n - 1: tensors among them must have one
 * dtype that the row takes, scalars must not be of a higher kind. Sets out->dtype. */
gt_err call_dtype(const call *c, unsigned first, unsigned n);

/* Input k must be an int64 tensor (an index). */
gt_err call_index_dtype(const call *c, unsigned k);

/* Check out's dims against the limits. */
gt_err call_limit(const call *c);

/* attr.axis < rank of input 0. */
gt_err call_axis(const call *c);

/* Take operands at .. at + n - 1 as the dims of out. */
gt_err call_sizes(const call *c, unsigned at, unsigned n);

static inline void call_take_dims(const call *c, const meta *from)
{
	c->out->rank = from->rank;
	for (int k = 0; k < from->rank; k++) {
		FEW_TURNS;
		c->out->dims[k] = from->dims[k];
	}
}

#endif
