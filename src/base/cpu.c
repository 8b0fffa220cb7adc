/* cpu.c: cores, memory, vector instructions and the floating-point control register. */
#include "base/cpu.h"

#include <cpuid.h>
#include <errno.h>
#include <immintrin.h>
#include <sched.h>
#include <unistd.h>
#include "base/base.h"
#include "base/cgroup.h"
#include "base/flags.h"

#define CPUS_FIRST 1024
#define CPUS_LAST (1 << 20)

/* Every exception masked, round to nearest, denormals honoured going in and coming out. */
#define FP_DEFAULT 0x1F80u
#define FP_FLUSH 0x8040u           /* none coming out, none going in */

/* The kernel refuses a mask smaller than its own with EINVAL: then try a larger one. */
static int affinity_cores(void)
{
	for (int cpus = CPUS_FIRST; cpus <= CPUS_LAST; cpus *= 2) {
		size_t size = CPU_ALLOC_SIZE(cpus);
		cpu_set_t *set = CPU_ALLOC(cpus);
		int e = set ? sched_getaffinity(0, size, set) : -1;
		int n = e ? 0 : CPU_COUNT_S(size, set);

		CPU_FREE(set);
		if (!e)
			return n;
		if (errno != EINVAL)
			break;
	}
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int cpu_cores(void)
{
	int cores = affinity_cores(), limit = cgroup_cores("");

	return MAX(limit ? MIN(cores, limit) : cores, 1);
}

uint64_t cpu_memory(void)
{
	uint64_t physical = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	return MIN(physical, cgroup_memory(""));
}

static bool has_f16c(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}

/* __builtin_cpu_supports also asks whether the operating system saves the wide registers. */
static cpu_isa widest(void)
{
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
	    !__builtin_cpu_supports("bmi2") || !has_f16c())
		return ISA_BASE;
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
	    !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
		return ISA_AVX2;
	return ISA_AVX512;
}

cpu_isa cpu_isa_level(void)
{
	static _Atomic int known = -1;         /* asking takes 10 us and more in a virtual machine */
	int64_t cap = flag_int(FLAG_GT_ISA);   /* 0 is "auto", the levels follow in order */
	cpu_isa level = (cpu_isa)known;

	if (level == (cpu_isa)-1)
		known = (int)(level = widest());
	return cap ? MIN(level, (cpu_isa)(cap - 1)) : level;
}

uint32_t cpu_fp_enter(void)
{
	uint32_t previous = _mm_getcsr();

	_mm_setcsr(FP_DEFAULT);
	return previous;
}

void cpu_fp_leave(uint32_t previous)
{
	_mm_setcsr(previous);
}

void cpu_fp_flush(bool on)
{
	_mm_setcsr(on ? FP_DEFAULT | FP_FLUSH : FP_DEFAULT);
}
