/* tools.h: the commands of `gt` and what they share. */
#ifndef TOOLS_TOOLS_H
#define TOOLS_TOOLS_H

#include <stddef.h>
#include "hotpath/region.h"
#include "tools/lab.h"

/* Exit statuses: done; it went wrong; the command line was wrong. */
enum { EXIT_DONE = 0, EXIT_WRONG = 1, EXIT_USAGE = 2 };

typedef struct tool {
	const char *name, *arguments, *doc, *more;
	/* argv[0] is the command's name; returns an exit status. */
	int (*run)(int argc, char **argv);
} tool;

/* The rows of commands.def. */
extern const tool tools[];
extern const size_t tool_count;

#define COMMAND(name, arguments, doc, more) int name##_command(int argc, char **argv);
#include "tools/commands.def"

/* bench_hotpath.c: `gt bench hotpath`; argv[0] is its name. */
int bench_hotpath(int argc, char **argv);
/* bench_replay.c: execute so many steps of a program (marks: lab_run's of the same, seed 1) with
 * hot paths; of the ops of their second half, per cent that plans replayed. */
gt_err bench_replay(const lab_program *p, unsigned steps, const uint64_t *marks, double *percent);

/* run.c: execute a text stream ("-": standard input), print what it reads; returns an exit
 * status. */
int run_file(const char *path, bool prints);

/* From now on loops are found and compiled in place, and nothing is said of it. */
gt_err run_hot(void);

/* draw.c: a region as SVG on standard output; returns an exit status. */
int draw_region(const region *r);

/* Print "gt: ..." on stderr and return `status`. */
int tool_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Complain about an unknown name, with the likely one of names[n]; returns EXIT_USAGE. */
int tool_unknown(const char *what, const char *name, const char *const *names, size_t n);
/* The usage line of a command on stderr; returns EXIT_USAGE. */
int tool_usage(const char *command);

#endif
