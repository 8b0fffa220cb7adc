/* log.c: lines on stderr. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/base.h"
#include "base/flags.h"

#define LINE_MAX_BYTES 2048
#define PREFIX "gt: "

/* Builds the whole line first: one write is what keeps the lines of threads apart. A text that does
 * not fit ends in dots. */
static void put_line(const char *format, va_list ap)
{
	char line[LINE_MAX_BYTES] = PREFIX;
	size_t n = sizeof PREFIX - 1, room = sizeof line - n - 1;
	int wanted = vsnprintf(line + n, room, format, ap);

	if (wanted < 0)
		return;
	if ((size_t)wanted >= room)
		memcpy(line + sizeof line - 5, "...", 4);
	n = strlen(line);
	line[n++] = '\n';
	/* A closed or full stderr is nothing that a library could report anywhere. */
	if (write(STDERR_FILENO, line, n) < 0)
		return;
}

void log_line(const char *format, ...)
{
	va_list ap;

	if (flag_int(FLAG_GT_QUIET))
		return;
	va_start(ap, format);
	put_line(format, ap);
	va_end(ap);
}

void log_verbose(const char *format, ...)
{
	va_list ap;

	if (!flag_int(FLAG_GT_VERBOSE) || flag_int(FLAG_GT_QUIET))
		return;
	va_start(ap, format);
	put_line(format, ap);
	va_end(ap);
}
