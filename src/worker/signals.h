/* signals.h: the named scopes a session is in, for the texts of failures: "forward/attention". */
#ifndef WORKER_SIGNALS_H
#define WORKER_SIGNALS_H

#include "ir/ins.h"

#define SIGNALS_DEPTH_MAX 64

typedef struct signals {
	unsigned depth;                         /* those beyond the limit have no name here */
	uint16_t ends[SIGNALS_DEPTH_MAX];       /* length of the path up to each scope */
	char path[SIGNALS_DEPTH_MAX * (INS_NAME_MAX + 1)];
} signals;

void signals_enter(signals *s, const char *name);
void signals_leave(signals *s);             /* without a matching enter: nothing */
const char *signals_path(const signals *s); /* "" outside of all */

#endif
