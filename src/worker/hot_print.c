/* hot_print.c: the lines that hot paths write on standard output. */
#include "worker/hot.h"

#include <stdarg.h>
#include <stdio.h>
#include "base/flags.h"

/* One call of stdio a line: lines of threads do not mix, and a pipe sees each at once. */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char text[512];
	va_list ap;

	if (flag_int(FLAG_GT_QUIET))
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	fputs(text, stdout);
	fflush(stdout);
}

void hot_say_enabled(const worker *w, uint64_t threshold)
{
	say("Worker worker_%d: Hot path detection enabled (threshold=%llu)\n", w->options.number,
		(unsigned long long)threshold);
}

void hot_say_detected(const proposal *p)
{
	char name[REGION_NAME_MAX];

	say("[HotPath] Detected hot sequence after %llu reps: %s\n", (unsigned long long)p->runs,
		region_name(p->signature, p->n, name));
}
