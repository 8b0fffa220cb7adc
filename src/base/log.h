/* log.h: what GT prints on its own account. Silent by default. */
#ifndef BASE_LOG_H
#define BASE_LOG_H
/* One line to stderr, "gt: ...", unless GT_QUIET. One write per line, so lines of threads do not
 * mix. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* As log_line, only under GT_VERBOSE. */
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
