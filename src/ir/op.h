/* op.h: the op table as C: one enum, one row of facts an op. */
#ifndef IR_OP_H
#define IR_OP_H

#include "ir/ins.h"

typedef enum op {
#define OP(name, code, kind, nin) OP_##name = code,
#include "ir/ops.def"
	OP_CODES = 256           /* wire codes are below this */
} op;

/* What kind of instruction it is: decides who handles it. */
typedef enum op_kind {
	KIND_NONE,               /* no such op */
	KIND_CONTROL,            /* free, fetch, marks: no value computed */
	KIND_CREATE,             /* no tensor inputs */
	KIND_ELEMENT,            /* element by element, broadcasting */
	KIND_REDUCE,             /* over attr.axes */
	KIND_VIEW,               /* shares the input's storage whenever strides allow */
	KIND_PRODUCT,            /* matmul */
	KIND_INDEX,              /* moves elements by computed indices */
	KIND_COMPOSITE           /* a kernel and a decomposition into rows above */
} op_kind;

/* Which attr fields a row uses. */
enum { ATTR_DTYPE = 1, ATTR_AXES = 2, ATTR_KEEPDIMS = 4, ATTR_AXIS = 8, ATTR_PERM = 16 };

#define ATTR_COUNT 5
extern const char *const op_attr_names[ATTR_COUNT];   /* of bit 1 << k: "dtype", "axes", ... */

/* How the result's dtype follows from the inputs (ops.def, TYPES); 0 for rows without result. */
typedef enum op_result {
	RESULT_same = 1,         /* that of the inputs, indices and conditions aside */
	RESULT_bool,
	RESULT_float,            /* the same, but float32 for ints and bools */
	RESULT_index,            /* int64 */
	RESULT_sum,              /* the same, but int64 for ints and bools */
	RESULT_attr,             /* attr.dtype */
	RESULT_attr_float,       /* attr.dtype, which is a float */
	RESULT_attr_number       /* attr.dtype, which is not bool */
} op_result;

typedef struct meta_list { const meta *in[INS_INPUTS_MAX]; } meta_list;

/* The texts' letters:
 *
 *	inputs    one an input: t tensor, s scalar, a any of the two, but at least one input of the
 *	          instruction is a tensor; rows with nin = -1 take tensors
 *	operands  one an operand, `*` behind it: any number. d size, i integer, u unsigned 64 bit,
 *	          t ticket, b blob (data), s string (the rest of the tail, see ins_name)
 *	dtypes    input dtypes taken: subset of "bif" (bool, int, float), see shape.c
 */
typedef struct op_row {
	const char *name;        /* NULL: code not in use */
	uint8_t kind;            /* op_kind */
	int8_t  nin;             /* inputs; -1 = one or more */
	uint8_t attrs;           /* ATTR_ bits */
	uint8_t result;          /* op_result */
	uint8_t kinds;           /* bit 1 << dtype_kind: what `dtypes` says */
	const char *inputs;
	const char *operands;
	const char *fields;      /* names of the operands i, u; several for one i* take turns */
	const char *dtypes;
	const char *doc;
} op_row;

extern const op_row op_rows[OP_CODES];

static inline const op_row *op_row_of(unsigned code)
{
	return code < OP_CODES && op_rows[code].name ? &op_rows[code] : NULL;
}

static inline bool op_takes(const op_row *row, dtype_kind kind) { return row->kinds >> kind & 1; }

/* What input k of a row may be: 't', 's' or 'a'. */
static inline char op_input(const op_row *row, unsigned k)
{
	return row->nin < 0 ? 't' : row->inputs[k];
}

/* True if instructions of the row may have scalar inputs. */
static inline bool op_takes_scalars(const op_row *row)
{
	return row->nin > 0 && (row->inputs[0] != 't' || (row->nin > 1 && row->inputs[1] != 't'));
}

static inline bool op_has_result(const op_row *row) { return row->kind != KIND_CONTROL; }

/* Whether `n` operands fit the row's OPERANDS. */
bool op_operands_fit(const op_row *row, unsigned n);

/* The op of that name, or 0. */
op op_by_name(const char *name, size_t n);

#endif
