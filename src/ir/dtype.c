/* dtype.c: tables made of the rows of gt/dtype.h. */
#include "ir/dtype.h"

#include <string.h>

#define SIZE(name, n, type, text, kind, bytes) [n] = bytes,
#define KIND(name, n, type, text, kind, bytes) [n] = KIND_##kind,
#define NAME(name, n, type, text, kind, bytes) [n] = text,

const uint8_t dtype_size_table[GT_DTYPE_COUNT] = { GT_DTYPES(SIZE) };
const uint8_t dtype_kind_table[GT_DTYPE_COUNT] = { GT_DTYPES(KIND) };
static const char *const names[GT_DTYPE_COUNT] = { "none", GT_DTYPES(NAME) };

const char *dtype_name(gt_dtype d)
{
	return (unsigned)d < GT_DTYPE_COUNT ? names[d] : "unknown";
}

gt_dtype dtype_parse(const char *s, size_t n)
{
	for (int d = 1; d < GT_DTYPE_COUNT; d++)
		if (strlen(names[d]) == n && !memcmp(names[d], s, n))
			return (gt_dtype)d;
	return GT_DTYPE_NONE;
}

gt_dtype dtype_promote(gt_dtype a, gt_dtype b)
{
	if (dtype_kind_of(a) != dtype_kind_of(b))
		return dtype_kind_of(a) > dtype_kind_of(b) ? a : b;
	return dtype_size(a) >= dtype_size(b) ? a : b;
}

gt_dtype dtype_promote_0d(gt_dtype tensor, gt_dtype zero_dim)
{
	return dtype_kind_of(zero_dim) > dtype_kind_of(tensor) ? zero_dim : tensor;
}

gt_dtype dtype_of_scalar(dtype_kind scalar)
{
	static const uint8_t preset[] = {
		[KIND_BOOL] = GT_BOOL, [KIND_INT] = GT_INT64, [KIND_FLOAT] = GT_FLOAT32,
	};

	return (gt_dtype)preset[scalar];
}

gt_dtype dtype_promote_scalar(gt_dtype tensor, dtype_kind scalar)
{
	return scalar > dtype_kind_of(tensor) ? dtype_of_scalar(scalar) : tensor;
}
