/* cgroup.h: what the control group of this process allows. */
#ifndef BASE_CGROUP_H
#define BASE_CGROUP_H

#include <stdint.h>

/* `root` is "" for the running system, a directory that holds proc/ and sys/ for tests. Versions 1
 * and 2; the tightest limit on the way up the hierarchy counts. */

/* Cores, quota divided by period, rounded up; 0 if there is no limit. */
int cgroup_cores(const char *root);
/* Bytes; UINT64_MAX if there is no limit. */
uint64_t cgroup_memory(const char *root);

#endif
