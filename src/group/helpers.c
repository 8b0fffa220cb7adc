/* helpers.c: loops around functions of fun.def and arith.def, for kernels to call. */
#include "group/helpers.h"

#include "engine/arith.h"

#define DEFINE_1(name, dtype, type, call)                                                        \
	static void name##_##dtype(void *out, const void *a, const void *b, int64_t lanes)       \
	{                                                                                        \
		const type *x = a;                                                               \
		type *y = out;                                                                   \
                                                                                                 \
		(void)b;                                                                         \
		for (int64_t k = 0; k < lanes; k++)                                              \
			y[k] = call(x[k]);                                                       \
	}
#define DEFINE_2(name, dtype, type)                                                              \
	static void name##_##dtype(void *out, const void *a, const void *b, int64_t lanes)       \
	{                                                                                        \
		const type *x = a, *y = b;                                                       \
		type *z = out;                                                                   \
                                                                                                 \
		for (int64_t k = 0; k < lanes; k++)                                              \
			z[k] = arith_##name##_##dtype(x[k], y[k]);                               \
	}

#define FUN1(name, ulp, f64) DEFINE_1(name, FLOAT64, double, fun64_##name)
#define FUN1_IN(name, ulp, limit, f64) \
	DEFINE_1(name, FLOAT64, double, fun64_##name) \
	DEFINE_1(far_##name, FLOAT32, float, fun_far_##name)
#include "ir/fun.def"
#define FUN2(name, ulp, f64) DEFINE_2(name, FLOAT64, double)
#include "ir/fun.def"
HELPERS_BINARY(DEFINE_2)

kernel_helper *const helpers[HELPER_COUNT] = {
#define FUN1(name, ulp, f64) [HELPER_##name##_FLOAT64] = name##_FLOAT64,
#define FUN1_IN(name, ulp, limit, f64) [HELPER_##name##_FLOAT64] = name##_FLOAT64, \
	[HELPER_far_##name##_FLOAT32] = far_##name##_FLOAT32,
#define FUN2(name, ulp, f64) [HELPER_##name##_FLOAT64] = name##_FLOAT64,
#include "ir/fun.def"
#define HELPER_ROW(name, dtype, type) [HELPER_##name##_##dtype] = name##_##dtype,
	HELPERS_BINARY(HELPER_ROW)
};
