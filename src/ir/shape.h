/* shape.h: shape and dtype inference, the one function that client, dispatcher and worker call. */
#ifndef IR_SHAPE_H
#define IR_SHAPE_H

#include <gt/error.h>
#include "ir/op.h"

/* Elements of one tensor; sizes of 0 count as 1, so strides never overflow. */
#define SHAPE_ELEMENTS_MAX ((int64_t)1 << 40)
#define SHAPE_TEXT_MAX 192   /* room for what meta_text and shape_text write */

/* Infer the result of `i` given its tensor inputs' metas (in[k] is NULL for scalar inputs). Errors
 * (GT_ESHAPE, GT_EDTYPE, GT_ELIMIT, GT_EINVAL) name the op and all input shapes: "add: shapes
 * (2, 3) and (4,) do not broadcast: dim 1 is 3 and 4". Does not allocate. The instruction may come
 * from anywhere: everything used of it is checked. `out` is undefined after an error. */
gt_err shape_infer(const ins *i, const meta *const *in, meta *out);

/* Broadcast two shapes (dtype untouched). `out` is neither a nor b. */
gt_err shape_broadcast(const char *op, const meta *a, const meta *b, meta *out);

/* "float32 (2, 3)" into text[size]; returns text. shape_text leaves the dtype out. */
const char *meta_text(const meta *m, char *text, size_t size);
const char *shape_text(const meta *m, char *text, size_t size);

/* Strides of a contiguous tensor, in elements. */
void shape_contiguous(const meta *m, int64_t *strides);
bool shape_is_contiguous(const meta *m, const int64_t *strides);

/* Operand k says where a slice begins along a dim: no shape depends on it. */
static inline bool shape_slice_begins(const ins *i, unsigned k)
{
	return i->op == OP_slice && k % 3 == 0;
}

/* Whether a slice shows elements of its input only. */
bool shape_slice_inside(const ins *i, const meta *in);

/* Strides (and offset in elements, added to *offset) of a KIND_VIEW instruction's result, given the
 * input's. False if no strides express it (a reshape that needs a copy). A pure function of the
 * shapes and strides. */
bool shape_view(const ins *i, const meta *in, const int64_t *in_strides,
		const meta *out, int64_t *out_strides, int64_t *offset);

#endif
