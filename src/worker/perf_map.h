/* perf_map.h: /tmp/perf-PID.map, in which `perf` looks for the names of code that is in no file. */
#ifndef WORKER_PERF_MAP_H
#define WORKER_PERF_MAP_H

#include <stddef.h>

/* `size` bytes of code at `at` are called so; under GT_PERF_MAP. Any thread, one at a time. What
 * goes wrong is said once. */
void perf_map_put(const void *at, size_t size, const char *name);

#endif
