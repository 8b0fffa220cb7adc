/* dtype.h: facts about element types, and PyTorch's promotion rules. */
#ifndef IR_DTYPE_H
#define IR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <gt/dtype.h>

/* In promotion order; also the kinds of scalars. */
typedef enum dtype_kind { KIND_BOOL = 1, KIND_INT, KIND_FLOAT } dtype_kind;

extern const uint8_t dtype_size_table[GT_DTYPE_COUNT];
extern const uint8_t dtype_kind_table[GT_DTYPE_COUNT];

static inline size_t dtype_size(gt_dtype d) { return dtype_size_table[d]; }
static inline dtype_kind dtype_kind_of(gt_dtype d) { return (dtype_kind)dtype_kind_table[d]; }

const char *dtype_name(gt_dtype d);                 /* "float32"; "none" for GT_DTYPE_NONE */
gt_dtype    dtype_parse(const char *s, size_t n);   /* GT_DTYPE_NONE if unknown */

/* Result of combining two tensors that both have dims, or both have none. */
gt_dtype dtype_promote(gt_dtype a, gt_dtype b);
/* Result of combining a tensor that has dims with one of rank 0: the former's dtype unless the
 * latter's kind is higher. */
gt_dtype dtype_promote_0d(gt_dtype tensor, gt_dtype zero_dim);
/* Result of combining a tensor with a scalar of that kind: the tensor's dtype unless the kind is
 * higher, then the default of that kind (int64, float32). */
gt_dtype dtype_promote_scalar(gt_dtype tensor, dtype_kind scalar);
/* What a scalar becomes where nothing else decides: bool, int64, float32. */
gt_dtype dtype_of_scalar(dtype_kind scalar);

#endif
