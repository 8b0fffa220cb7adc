/* op.c: the op table, made of the columns of ops.def. */
#include "ir/op.h"

/* Rows name only what differs from their kind, so some fields are initialised twice. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"

#define HAS(text, letter) (__builtin_strchr(text, letter) != NULL)

#define INPUTS_CONTROL   "t"
#define INPUTS_CREATE    "ss"
#define INPUTS_ELEMENT   "aaa"
#define INPUTS_REDUCE    "t"
#define INPUTS_VIEW      "t"
#define INPUTS_PRODUCT   "tt"
#define INPUTS_INDEX     "ttt"
#define INPUTS_COMPOSITE "t"

const op_row op_rows[OP_CODES] = {
#define OP(op_name, code, op_kind, op_nin) \
	[code] = { .name = #op_name, .kind = KIND_##op_kind, .nin = op_nin, \
		.inputs = INPUTS_##op_kind, .operands = "", .fields = "", .dtypes = "", .doc = "",
#define TYPES(in, out) .dtypes = in, .result = RESULT_##out, \
	.kinds = HAS(in, 'b') << KIND_BOOL | HAS(in, 'i') << KIND_INT | HAS(in, 'f') << KIND_FLOAT,
#define ATTRS(bits) .attrs = bits,
#define OPERANDS(text) .operands = text,
#define FIELDS(text) .fields = text,
#define INPUTS(text) .inputs = text,
#define DOC(text) .doc = text,
#define END },
#include "ir/ops.def"
};

#pragma GCC diagnostic pop

const char *const op_attr_names[ATTR_COUNT] = { "dtype", "axes", "keepdims", "axis", "perm" };

bool op_operands_fit(const op_row *row, unsigned n)
{
	const char *p = row->operands;

	for (; *p && p[1] != '*' && *p != 's'; p++, n--)
		if (!n)
			return false;
	return *p == 's' ? n > 0 : *p || !n;
}

op op_by_name(const char *name, size_t n)
{
	for (unsigned code = 0; code < OP_CODES; code++) {
		const char *row = op_rows[code].name;

		if (row && *row == *name && strlen(row) == n && !memcmp(row, name, n))
			return (op)code;
	}
	return (op)0;
}
