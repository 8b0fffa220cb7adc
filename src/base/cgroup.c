/* cgroup.c: limits of the control group, versions 1 and 2.
 *
 * /proc/self/cgroup names the group, one line per hierarchy: "0::/path" for version 2,
 * "n:controller,...:/path" for version 1. Limits stand in files of the group's directory and of
 * each directory above it. In a container the path may name a directory that is not mounted: then
 * only the ones above it are found, of which the mount's top is the container's own.
 */
#include "base/cgroup.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include "base/base.h"

/* A limit that one directory may hold; `tightest` is what was found so far. */
typedef void (*read_limit)(const char *directory, uint64_t *tightest);

/* Scan a small file; the number of fields read, 0 if it is not there. */
static int scan(const char *directory, const char *name, const char *format, void *a, void *b)
{
	char path[PATH_MAX];
	FILE *f;
	int n;

	if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
		return 0;
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fscanf(f, format, a, b);
	fclose(f);
	return MAX(n, 0);
}

static void tighten_cores(uint64_t *cores, int64_t quota, int64_t period)
{
	if (quota > 0 && period > 0)
		*cores = MIN(*cores, (uint64_t)((quota - 1) / period + 1));
}

/* "max 100000" does not scan as a number: no limit. */
static void cores_v2(const char *directory, uint64_t *cores)
{
	int64_t quota, period;

	if (scan(directory, "cpu.max", "%" SCNd64 " %" SCNd64, &quota, &period) == 2)
		tighten_cores(cores, quota, period);
}

static void cores_v1(const char *directory, uint64_t *cores)
{
	int64_t quota, period;

	if (scan(directory, "cpu.cfs_quota_us", "%" SCNd64, &quota, NULL) == 1 &&
	    scan(directory, "cpu.cfs_period_us", "%" SCNd64, &period, NULL) == 1)
		tighten_cores(cores, quota, period);
}

static void memory_v2(const char *directory, uint64_t *bytes)
{
	uint64_t limit;

	if (scan(directory, "memory.max", "%" SCNu64, &limit, NULL) == 1)
		*bytes = MIN(*bytes, limit);
}

/* Version 1 says "none" with a number near 2^63. */
static void memory_v1(const char *directory, uint64_t *bytes)
{
	uint64_t limit;

	if (scan(directory, "memory.limit_in_bytes", "%" SCNu64, &limit, NULL) == 1 &&
	    limit < UINT64_C(1) << 62)
		*bytes = MIN(*bytes, limit);
}

/* Apply `read` to mount/group and every directory above it, the mount included. */
static void climb(const char *mount, const char *group, read_limit read, uint64_t *tightest)
{
	char path[PATH_MAX], *slash = path;

	if (snprintf(path, sizeof path, "%s%s", mount, group) >= (int)sizeof path)
		return;
	while (slash) {
		read(path, tightest);
		slash = strrchr(path + strlen(mount), '/');
		if (slash)
			*slash = '\0';
	}
}

static bool lists(const char *controllers, const char *controller)
{
	size_t n = strlen(controller);

	for (const char *p = controllers; (p = strstr(p, controller)); p += n)
		if ((p == controllers || p[-1] == ',') && (p[n] == ',' || p[n] == '\0'))
			return true;
	return false;
}

/* One line of /proc/self/cgroup, taken apart in place. */
static void visit(char *line, const char *root, const char *controller, read_limit v1,
	read_limit v2, uint64_t *tightest)
{
	char mount[PATH_MAX], *controllers = strchr(line, ':'), *group;

	line[strcspn(line, "\n")] = '\0';
	group = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!group)
		return;
	controllers++;
	*group++ = '\0';
	if (!*controllers) {
		snprintf(mount, sizeof mount, "%s/sys/fs/cgroup", root);
		climb(mount, group, v2, tightest);
	} else if (lists(controllers, controller)) {
		snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/%s", root, controller);
		climb(mount, group, v1, tightest);
	}
}

static uint64_t tightest_limit(const char *root, const char *controller, read_limit v1,
	read_limit v2)
{
	char path[PATH_MAX], line[PATH_MAX + 256];
	uint64_t tightest = UINT64_MAX;
	FILE *f;

	snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
	f = fopen(path, "re");
	if (!f)
		return tightest;
	while (fgets(line, sizeof line, f))
		visit(line, root, controller, v1, v2, &tightest);
	fclose(f);
	return tightest;
}

int cgroup_cores(const char *root)
{
	uint64_t cores = tightest_limit(root, "cpu", cores_v1, cores_v2);

	return cores > INT_MAX ? 0 : (int)cores;
}

uint64_t cgroup_memory(const char *root)
{
	return tightest_limit(root, "memory", memory_v1, memory_v2);
}
