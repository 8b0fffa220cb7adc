/* try.h: what the end-to-end tests of the client share: a client, reading, comparing. */
#ifndef TRY_H
#define TRY_H

#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <gt/gt.h>
#include "base/base.h"

#define TRY_MAX 4096

/* As float64; fails the test if x cannot be read. */
static inline int64_t try_read(gt_tensor *x, double *to)
{
	gt_tensor *wide = gt_cast(x, GT_FLOAT64);
	const int64_t n = gt_count(wide);

	if (!wide)
		fail_msg("no tensor: %s", gt_last_error());
	assert_true(n <= TRY_MAX);
	if (gt_read(wide, to, (size_t)n * sizeof *to))
		fail_msg("cannot read: %s", gt_last_error());
	return n;
}

/* x has these n elements, NaN equal to NaN. */
static inline void try_elements(gt_tensor *x, const double *want, int64_t n, double tolerance,
		const char *file, int line)
{
	static double got[TRY_MAX];
	const int64_t has = try_read(x, got);

	if (has != n)
		fail_msg("%s:%d: %d elements, expected %d", file, line, (int)has, (int)n);
	for (int64_t k = 0; k < n; k++)
		if (!(fabs(got[k] - want[k]) <= tolerance * (1 + fabs(want[k]))) &&
		    !(got[k] == want[k]) && !(isnan(got[k]) && isnan(want[k])))
			fail_msg("%s:%d: element %d is %.17g, expected %.17g", file, line, (int)k,
				got[k], want[k]);
}

#define TRY_LIST(...) (const double[]){ __VA_ARGS__ }, \
	(int64_t)(sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double))
#define SAME(x, ...) try_elements(x, TRY_LIST(__VA_ARGS__), 0, __FILE__, __LINE__)
#define NEAR(x, ...) try_elements(x, TRY_LIST(__VA_ARGS__), 1e-6, __FILE__, __LINE__)

static inline void try_shape(gt_tensor *x, gt_shape want, const char *file, int line)
{
	const gt_shape s = gt_shape_of(x);
	bool same = s.rank == want.rank;

	if (!x)
		fail_msg("%s:%d: no tensor: %s", file, line, gt_last_error());
	for (int k = 0; same && k < s.rank; k++)
		same = s.dims[k] == want.dims[k];
	if (!same)
		fail_msg("%s:%d: the shape has rank %d and begins with %lld", file, line, s.rank,
			(long long)s.dims[0]);
}
#define SHAPED(x, ...) try_shape(x, GT_SHAPE(__VA_ARGS__), __FILE__, __LINE__)

/* The call fails with this code, and its text contains `part`. */
static inline void try_error(bool failed, gt_err code, const char *part, const char *file, int line)
{
	if (!failed)
		fail_msg("%s:%d: no error, expected %s", file, line, gt_error_name(code));
	if (gt_last_error_code() != code || !strstr(gt_last_error(), part))
		fail_msg("%s:%d: %s '%s', expected %s with '%s'", file, line,
			gt_error_name(gt_last_error_code()), gt_last_error(), gt_error_name(code),
			part);
	gt_clear_error();
}
#define FAILS(call, code, part) try_error(!(call), code, part, __FILE__, __LINE__)
#define REFUSES(call, code, part) try_error((call) == (code), code, part, __FILE__, __LINE__)
#define WORKS(call)                                                                          \
	do {                                                                                 \
		if ((call) != GT_OK)                                                         \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, gt_last_error());          \
	} while (0)

/* float32 0, 1, 2, ... of that shape. */
static inline gt_tensor *try_count(gt_client *gt, gt_shape s)
{
	int64_t n = 1;

	for (int k = 0; k < s.rank; k++)
		n *= s.dims[k];
	return gt_reshape(gt_arange(gt, 0, n, 1, .dtype = GT_FLOAT32), s);
}

/* Each test has a client of its own. */
static inline int try_open(void **state)
{
	gt_client *gt = gt_open(NULL);

	if (!gt)
		fail_msg("%s", gt_last_error());
	*state = gt;
	return 0;
}

static inline int try_close(void **state)
{
	gt_close(*state);
	return 0;
}
#define TRY(test) cmocka_unit_test_setup_teardown(test, try_open, try_close)

#endif
