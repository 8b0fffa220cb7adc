/* helpers.h: the functions that compiled kernels call because no straight-line vector code computes
 * them: HELPER_<function>_<dtype>. The numbers are part of what an image means.
 *
 * They are the eager kernels' functions, from the same tables: a function of fun.def on float64,
 * the far part of one on float32, powers of integers, division of floats that rounds down, random
 * numbers of elements that are no neighbours.
 */
#ifndef GROUP_HELPERS_H
#define GROUP_HELPERS_H

#include "group/kernel.h"

/* The rest of the list, beside fun.def: ops of two inputs. */
#define HELPERS_BINARY(X)                                                      \
	X(floordiv, FLOAT32, float) X(floordiv, FLOAT64, double)               \
	X(mod, FLOAT32, float) X(mod, FLOAT64, double)                         \
	X(pow, INT32, int32_t) X(pow, INT64, int64_t)

/* Elements a[k] of what a draw makes, of which b are the scalars (NODE_DRAW): rand and randn;
 * randint's words are the 64 random bits that its number is made of. Those of run_<name> follow
 * a[0], the only one there is. */
#define HELPERS_DRAW(X)                                                        \
	X(rand, FLOAT32, float) X(rand, FLOAT64, double)                       \
	X(randn, FLOAT32, float) X(randn, FLOAT64, double)                     \
	X(words, INT64, uint64_t)

typedef enum helper {
#define FUN1(name, ulp, f64) HELPER_##name##_FLOAT64,
#define FUN1_IN(name, ulp, limit, f64) HELPER_##name##_FLOAT64, HELPER_far_##name##_FLOAT32,
#define FUN2(name, ulp, f64) HELPER_##name##_FLOAT64,
#include "ir/fun.def"
#define HELPER_ENUM(name, dtype, type) HELPER_##name##_##dtype,
	HELPERS_BINARY(HELPER_ENUM)
	HELPERS_DRAW(HELPER_ENUM)
#define HELPER_RUN(name, dtype, type) HELPER_run_##name##_##dtype,
	HELPERS_DRAW(HELPER_RUN)
#undef HELPER_RUN
#undef HELPER_ENUM
	HELPER_COUNT
} helper;

extern kernel_helper *const helpers[HELPER_COUNT];

#endif
