/* test_cpu.c: limits read from made-up control groups, and the machine as it is. */
#include "check.h"

#include <fenv.h>
#include <float.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/base.h"
#include "base/cgroup.h"
#include "base/clock.h"
#include "base/cpu.h"
#include "base/flags.h"

static char root[] = "/tmp/gt-cgroup-XXXXXX";

/* Write `text` to root/path, making the directories on the way. */
static void put(const char *path, const char *text)
{
	char full[PATH_MAX];
	FILE *f;

	snprintf(full, sizeof full, "%s/%s", root, path);
	for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(full, 0700);
	}
	f = fopen(full, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

static int begin(void **state)
{
	(void)state;
	strcpy(root + sizeof root - 7, "XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int end(void **state)
{
	char command[PATH_MAX];

	(void)state;
	snprintf(command, sizeof command, "rm -rf '%s'", root);
	return system(command);
}

static void test_none(void **state)
{
	(void)state;
	assert_int_equal(cgroup_cores(root), 0);
	assert_true(cgroup_memory(root) == UINT64_MAX);
	put("proc/self/cgroup", "0::/\n");
	put("sys/fs/cgroup/cpu.max", "max 100000\n");
	put("sys/fs/cgroup/memory.max", "max\n");
	assert_int_equal(cgroup_cores(root), 0);
	assert_true(cgroup_memory(root) == UINT64_MAX);
}

static void test_v2(void **state)
{
	(void)state;
	put("proc/self/cgroup", "0::/a/b.slice/c\n");
	put("sys/fs/cgroup/a/b.slice/c/cpu.max", "250000 100000\n");
	put("sys/fs/cgroup/a/b.slice/c/memory.max", "4000000000\n");
	assert_int_equal(cgroup_cores(root), 3);
	assert_true(cgroup_memory(root) == 4000000000u);
	put("sys/fs/cgroup/a/cpu.max", "100000 100000\n");
	put("sys/fs/cgroup/a/memory.max", "3000000000\n");
	assert_int_equal(cgroup_cores(root), 1);
	assert_true(cgroup_memory(root) == 3000000000u);
}

/* In a container the path is the host's, and the mount's top is the container's own group. */
static void test_v2_container(void **state)
{
	(void)state;
	put("proc/self/cgroup", "0::/not/mounted/here\n");
	put("sys/fs/cgroup/cpu.max", "50000 100000\n");
	put("sys/fs/cgroup/memory.max", "1000000\n");
	assert_int_equal(cgroup_cores(root), 1);
	assert_true(cgroup_memory(root) == 1000000);
}

static void test_v1(void **state)
{
	(void)state;
	put("proc/self/cgroup", "7:cpuset:/x\n4:cpu,cpuacct:/job\n3:memory:/job\n1:name=s:/\n");
	put("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "400000\n");
	put("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
	put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2000000000\n");
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	assert_int_equal(cgroup_cores(root), 4);
	assert_true(cgroup_memory(root) == 2000000000);
	put("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
	put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "9223372036854771712\n");
	assert_int_equal(cgroup_cores(root), 0);
	assert_true(cgroup_memory(root) == UINT64_MAX);
}

static void test_nonsense(void **state)
{
	(void)state;
	put("proc/self/cgroup", "\n:\n::\n0:\nnothing\n0::/\n5:cpu:\n");
	put("sys/fs/cgroup/cpu.max", "-5 100000\n");
	put("sys/fs/cgroup/memory.max", "lots\n");
	assert_int_equal(cgroup_cores(root), 0);
	assert_true(cgroup_memory(root) == UINT64_MAX);
	put("sys/fs/cgroup/cpu.max", "100000 0\n");
	assert_int_equal(cgroup_cores(root), 0);
}

static void test_this_machine(void **state)
{
	uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);

	(void)state;
	assert_in_range(cpu_cores(), 1, sysconf(_SC_NPROCESSORS_CONF));
	assert_true(cpu_memory() >= 16 << 20);
	assert_true(cpu_memory() <= pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void test_affinity(void **state)
{
	cpu_set_t all, one;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
	CPU_ZERO(&one);
	for (int c = 0; c < CPU_SETSIZE && !CPU_COUNT(&one); c++)
		if (CPU_ISSET(c, &all))
			CPU_SET(c, &one);
	assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
	assert_int_equal(cpu_cores(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

static void test_isa_cap(void **state)
{
	cpu_isa widest;

	(void)state;
	assert_int_equal(flag_set(FLAG_GT_ISA, "auto"), GT_OK);
	widest = cpu_isa_level();
	assert_int_equal(flag_set(FLAG_GT_ISA, "avx512"), GT_OK);
	assert_int_equal(cpu_isa_level(), widest);
	assert_int_equal(flag_set(FLAG_GT_ISA, "avx2"), GT_OK);
	assert_int_equal(cpu_isa_level(), MIN(widest, ISA_AVX2));
	assert_int_equal(flag_set(FLAG_GT_ISA, "base"), GT_OK);
	assert_int_equal(cpu_isa_level(), ISA_BASE);
	assert_int_equal(flag_set(FLAG_GT_ISA, "auto"), GT_OK);
}

/* A user's thread may come with denormals flushed and another rounding: gone while we run, back
 * after. */
static void test_fp(void **state)
{
	volatile float smallest = FLT_MIN, half;
	uint32_t previous, user;

	(void)state;
	previous = cpu_fp_enter();
	cpu_fp_leave(previous | 0x8040);   /* flush to zero, denormals are zero */
	fesetround(FE_UPWARD);
	half = smallest / 2;
	assert_true(half == 0.0f);

	user = cpu_fp_enter();

	half = smallest / 2;
	assert_true(half != 0.0f);
	assert_int_equal(__builtin_ia32_stmxcsr() & 0x6000, 0);

	cpu_fp_flush(true);
	half = smallest / 2;
	assert_true(half == 0.0f);
	cpu_fp_flush(false);
	half = smallest / 2;
	assert_true(half != 0.0f);

	cpu_fp_leave(user);
	assert_int_equal(__builtin_ia32_stmxcsr() & 0xE040, user & 0xE040);
	assert_int_equal(user & 0xE040, 0xC040);
	fesetround(FE_TONEAREST);
	cpu_fp_leave(previous);
}

static void test_clock(void **state)
{
	uint64_t a = clock_ns(), cpu = clock_thread_cpu_ns(), b, used;

	(void)state;
	usleep(20000);
	b = clock_ns();
	used = clock_thread_cpu_ns() - cpu;
	assert_true(b - a >= 20000000);
	assert_true(used < b - a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, begin, end),
		cmocka_unit_test_setup_teardown(test_v2, begin, end),
		cmocka_unit_test_setup_teardown(test_v2_container, begin, end),
		cmocka_unit_test_setup_teardown(test_v1, begin, end),
		cmocka_unit_test_setup_teardown(test_nonsense, begin, end),
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_affinity),
		cmocka_unit_test(test_isa_cap),
		cmocka_unit_test(test_fp),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
