/* clock.h: monotonic time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H
#include <stdint.h>
uint64_t clock_ns(void);          /* CLOCK_MONOTONIC, nanoseconds */
uint64_t clock_thread_cpu_ns(void); /* CPU time of the calling thread, nanoseconds */
#endif
