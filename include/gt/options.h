/* gt/options.h: optional arguments of the gt_* macros, written by name: gt_mean(x, .axis = 1).
 *
 * Options are small structs that the macros fill. Where "not named" is not the same as zero, the
 * struct is preset first and what the user names overrides it. Naming a member twice is what gcc's
 * -Woverride-init (in -Wextra) and clang's -Winitializer-overrides warn about; here it is meant, so
 * GT_PRESET turns that one warning off for its own initialiser, in the user's file.
 */
#ifndef GT_OPTIONS_H
#define GT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <gt/dtype.h>

/* GT_PRESET(type, (.a = 1, .b = 2), .b = 3): a `type` with a 1 and b 3. */
#define GT_PRESET(type, presets, ...) (__extension__({                                       \
	_Pragma("GCC diagnostic push")                                                       \
	_Pragma("GCC diagnostic ignored \"-Woverride-init\"")                                \
	const type gt_preset_ = { GT_UNWRAP_ presets, ##__VA_ARGS__ };                       \
	_Pragma("GCC diagnostic pop")                                                        \
	gt_preset_; }))
#define GT_UNWRAP_(...) __VA_ARGS__

/* Which dims an operation works over.
 *
 *	gt_sum(x)                                             all dims, result has rank 0
 *	gt_sum(x, .axis = 1)                                  one dim; negative counts from the end
 *	gt_sum(x, .naxes = 2, .axes = { 0, 1 })               several; `axis` is then not looked at
 *	gt_sum(x, .axis = -1, .keepdims = true)               reduced dims stay, with size 1
 */
#define GT_ALL_AXES INT32_MIN
typedef struct gt_reduce {
	int axis;
	int naxes;
	int axes[GT_RANK_MAX];
	bool keepdims;
} gt_reduce;
#define GT_REDUCE(...) GT_PRESET(gt_reduce, (.axis = GT_ALL_AXES), ##__VA_ARGS__)

/* Variance and standard deviation: the same, and what is taken from n in the divisor: 1 unless
 * named. gt_var(x, .axis = 0, .correction = 0). */
typedef struct gt_spread {
	union {
		gt_reduce reduce;
		struct {
			int axis;
			int naxes;
			int axes[GT_RANK_MAX];
			bool keepdims;
		};
	};
	double correction;
} gt_spread;
#define GT_SPREAD(...) \
	GT_PRESET(gt_spread, (.axis = GT_ALL_AXES, .correction = 1), ##__VA_ARGS__)

/* Creation: GT_DTYPE_NONE is float32 (gt_full, gt_arange: by the values; gt_..._like: as the
 * model; gt_randint: int64). */
typedef struct gt_make { gt_dtype dtype; } gt_make;

/* How a loss becomes one number: GT_NONE leaves one loss an element. */
typedef enum gt_reduction { GT_MEAN, GT_SUM, GT_NONE } gt_reduction;
typedef struct gt_loss { gt_reduction reduction; } gt_loss;

/* Losses by class: targets that equal ignore_index (-100 unless named) do not count. */
typedef struct gt_class_loss { int64_t ignore_index; gt_reduction reduction; } gt_class_loss;
#define GT_CLASS_LOSS(...) GT_PRESET(gt_class_loss, (.ignore_index = -100), ##__VA_ARGS__)

typedef struct gt_range { int first, last; } gt_range;
typedef struct gt_diagonal { int64_t diagonal; } gt_diagonal;

/* Start-up options of a client. */
typedef struct gt_options {
	int manual;      /* 1: results belong to the caller (gt_drop), not to scopes */
} gt_options;

#endif
