/* error.c: the last error of each thread. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

static _Thread_local struct {
	gt_err code;
	char text[ERROR_TEXT_MAX];
} last;

/* Formats beside the old text first: an argument may be gt_last_error() itself, which is how a
 * caller puts its own words around an inner error. */
gt_err vfail(gt_err e, const char *format, va_list ap)
{
	char text[ERROR_TEXT_MAX];

	vsnprintf(text, sizeof text, format, ap);
	memcpy(last.text, text, strlen(text) + 1);
	last.code = e;
	return e;
}

gt_err fail(gt_err e, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfail(e, format, ap);
	va_end(ap);
	return e;
}

const char *gt_last_error(void)
{
	return last.text;
}

gt_err gt_last_error_code(void)
{
	return last.code;
}

void gt_clear_error(void)
{
	last.code = GT_OK;
	last.text[0] = '\0';
}

const char *gt_error_name(gt_err e)
{
	switch (e) {
	case GT_OK:
		return "GT_OK";
#define NAME(name, n, py, text) case GT_##name: return "GT_" #name;
	GT_ERRORS(NAME)
#undef NAME
	}
	return "unknown error";
}
