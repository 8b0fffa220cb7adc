/* gt/dtype.h: element types. One row each: name, number (wire), C type, text (Python's name), kind,
 * bytes. */
#ifndef GT_DTYPE_H
#define GT_DTYPE_H

#include <stdint.h>

#define GT_DTYPES(X)                                       \
	X(FLOAT32, 1, float,    "float32", FLOAT, 4)       \
	X(FLOAT64, 2, double,   "float64", FLOAT, 8)       \
	X(INT32,   3, int32_t,  "int32",   INT,   4)       \
	X(INT64,   4, int64_t,  "int64",   INT,   8)       \
	X(BOOL,    5, uint8_t,  "bool",    BOOL,  1)

typedef enum gt_dtype {
	GT_DTYPE_NONE = 0,   /* "choose for me" in options */
#define GT_DTYPE_ENUM(name, n, type, text, kind, bytes) GT_##name = n,
	GT_DTYPES(GT_DTYPE_ENUM)
#undef GT_DTYPE_ENUM
	GT_DTYPE_COUNT
} gt_dtype;

#define GT_RANK_MAX 8

#endif
