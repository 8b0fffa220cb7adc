/* perf_map.c: one line a kernel: address, size, name. */
#include "worker/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/flags.h"
#include "base/log.h"

/* The name is perf's, the folder everybody's: what somebody else has put there is not followed, and
 * what a process of the same number left behind goes. */
static int open_map(void)
{
	char path[64];
	int fd;

	snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		log_line("cannot create %s: %s; perf will not know the names of kernels", path,
			strerror(errno));
	return fd;
}

void perf_map_put(const void *at, size_t size, const char *name)
{
	static pid_t owner;
	static int fd = -1;
	char line[256];
	int n;

	if (!flag_int(FLAG_GT_PERF_MAP))
		return;
	if (owner != getpid()) {
		owner = getpid();
		fd = open_map();
	}
	n = snprintf(line, sizeof line, "%" PRIxPTR " %zx gt_%s\n", (uintptr_t)at, size, name);
	if (fd >= 0 && write(fd, line, (size_t)n) != n) {
		log_line("cannot write /tmp/perf-%d.map; perf will know no more kernels",
			(int)getpid());
		close(fd);
		fd = -1;
	}
}
