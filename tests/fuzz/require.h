/* require.h: what a fuzz target insists on. */
#ifndef FUZZ_REQUIRE_H
#define FUZZ_REQUIRE_H

#include <stdio.h>
#include <stdlib.h>
#include "base/error.h"

#define REQUIRE(condition)                                                                       \
	do {                                                                                     \
		if (!(condition)) {                                                              \
			fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__,          \
				#condition, gt_last_error());                                    \
			abort();                                                                 \
		}                                                                                \
	} while (0)

#endif
