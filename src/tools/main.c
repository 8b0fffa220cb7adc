/* main.c: the `gt` command. Finds the row of commands.def and runs it. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "base/flags.h"
#include "base/nearest.h"
#include "tools/tools.h"

const tool tools[] = {
#define COMMAND(name, arguments, doc, more) { #name, arguments, doc, more, name##_command },
#include "tools/commands.def"
};
const size_t tool_count = COUNT(tools);

int tool_fail(int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("gt: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return status;
}

int tool_unknown(const char *what, const char *name, const char *const *names, size_t n)
{
	const char *likely = nearest_likely(name, names, n);

	if (likely)
		return tool_fail(EXIT_USAGE, "unknown %s '%s' (did you mean '%s'?)", what, name,
			likely);
	return tool_fail(EXIT_USAGE, "unknown %s '%s'", what, name);
}

static const tool *find(const char *name)
{
	const char *names[COUNT(tools)];

	for (size_t i = 0; i < COUNT(tools); i++) {
		if (!strcmp(tools[i].name, name))
			return &tools[i];
		names[i] = tools[i].name;
	}
	tool_unknown("command", name, names, COUNT(names));
	fputs("gt: `gt help` lists the commands\n", stderr);
	return NULL;
}

static void print_usage(FILE *out, const tool *t)
{
	fprintf(out, "usage: gt %s%s%s\n", t->name, *t->arguments ? " " : "", t->arguments);
}

int tool_usage(const char *command)
{
	print_usage(stderr, find(command));
	return EXIT_USAGE;
}

static void print_list(FILE *out)
{
	fputs("usage: gt COMMAND [ARGUMENTS]\n\n", out);
	for (size_t i = 0; i < COUNT(tools); i++)
		fprintf(out, "  %-10s %s\n", tools[i].name, tools[i].doc);
	fputs("\n`gt help COMMAND` says more about one.\n", out);
}

static int print_help(const char *name)
{
	const tool *t = find(name);

	if (!t)
		return EXIT_USAGE;
	print_usage(stdout, t);
	printf("\nTo %s.\n%s\n", t->doc, t->more);
	return EXIT_DONE;
}

int help_command(int argc, char **argv)
{
	if (argc > 2)
		return tool_usage(argv[0]);
	if (argc == 2)
		return print_help(argv[1]);
	print_list(stdout);
	return EXIT_DONE;
}

int version_command(int argc, char **argv)
{
	if (argc > 1)
		return tool_usage(argv[0]);
	puts("gt " GT_VERSION);
	return EXIT_DONE;
}

int flags_command(int argc, char **argv)
{
	gt_err e;

	if (argc > 1)
		return tool_usage(argv[0]);
	e = flags_load();
	flags_print(stdout);
	return e ? tool_fail(EXIT_WRONG, "%s", gt_last_error()) : EXIT_DONE;
}

static bool is_any(const char *s, const char *a, const char *b)
{
	return !strcmp(s, a) || !strcmp(s, b);
}

static int dispatch(int argc, char **argv)
{
	const tool *t;

	if (is_any(argv[0], "--help", "-h"))
		return help_command(1, argv);
	if (is_any(argv[0], "--version", "-V"))
		return version_command(1, argv);
	t = find(argv[0]);
	if (!t)
		return EXIT_USAGE;
	if (argc == 2 && is_any(argv[1], "--help", "-h"))
		return print_help(t->name);
	return t->run(argc, argv);
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 2) {
		print_list(stderr);
		return EXIT_USAGE;
	}
	status = dispatch(argc - 1, argv + 1);
	/* A full disk or a closed pipe shows here and nowhere else. */
	if ((fflush(stdout) || ferror(stdout)) && status == EXIT_DONE)
		status = tool_fail(EXIT_WRONG, "standard output: %s", strerror(errno));
	return status;
}
