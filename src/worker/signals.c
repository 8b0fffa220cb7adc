/* signals.c: one path that grows and shrinks at its end. */
#include "worker/signals.h"

static unsigned length(const signals *s, unsigned depth)
{
	return depth ? s->ends[depth - 1] : 0;
}

void signals_enter(signals *s, const char *name)
{
	unsigned at, n = (unsigned)strnlen(name, INS_NAME_MAX);

	if (s->depth++ >= SIGNALS_DEPTH_MAX)
		return;
	at = length(s, s->depth - 1);
	if (at)
		s->path[at++] = '/';
	memcpy(s->path + at, name, n);
	s->ends[s->depth - 1] = (uint16_t)(at + n);
	s->path[at + n] = '\0';
}

void signals_leave(signals *s)
{
	if (!s->depth || s->depth-- > SIGNALS_DEPTH_MAX)
		return;
	s->path[length(s, s->depth)] = '\0';
}

const char *signals_path(const signals *s)
{
	return s->path;
}
