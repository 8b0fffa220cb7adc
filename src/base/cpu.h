/* cpu.h: how many cores and how much memory this process may use, and what the cores can do. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Cores: the smaller of sched_getaffinity and the cgroup's quota (v1 and v2, rounded up), at least
 * 1. */
int cpu_cores(void);
/* Bytes: the smaller of physical memory and the cgroup's limit. */
uint64_t cpu_memory(void);

typedef enum cpu_isa { ISA_BASE, ISA_AVX2, ISA_AVX512, ISA_COUNT } cpu_isa;
/* Widest level this machine has (AVX2 means AVX2+FMA+BMI2+F16C; AVX512 means F, BW, DQ, VL on top),
 * capped by GT_ISA. */
cpu_isa cpu_isa_level(void);

/* Floating-point control: denormals on, round to nearest, no traps. Returns the previous register
 * for restore. */
uint32_t cpu_fp_enter(void);
void     cpu_fp_leave(uint32_t previous);
/* Between the two: denormals off (as operands they count as 0, and results become 0 of their sign),
 * or on again. Some 4 cycles, since it does not ask what was before. */
void     cpu_fp_flush(bool on);

#endif
