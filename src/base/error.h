/* error.h: the calling thread's last error, and the one way to set it. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>
#include <gt/error.h>

#define ERROR_TEXT_MAX 1024

/* Set the thread's last error to `e` with a formatted text (cut at ERROR_TEXT_MAX) and return e.
 * Texts say: what was expected, what came, what to do. */
gt_err fail(gt_err e, const char *format, ...) __attribute__((format(printf, 2, 3), cold));
gt_err vfail(gt_err e, const char *format, va_list ap) __attribute__((format(printf, 2, 0), cold));

#endif
