/* ops.c: `gt ops`, the op table for people. Reads ops.def itself for codes and words. */
#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "tools/tools.h"

static const struct row {
	const char *name;
	int code, inputs;
	const char *doc;
} rows[] = {
#define OP(name, code, kind, nin) { #name, code, nin,
#define DOC(text) text
#define END },
#include "ir/ops.def"
};

static void print_row(const struct row *r)
{
	char inputs[16];

	snprintf(inputs, sizeof inputs, r->inputs < 0 ? "1+" : "%d", r->inputs);
	printf("%-14s %3d  %-2s  %s\n", r->name, r->code, inputs, r->doc);
}

static int print_named(const char *name)
{
	const char *names[COUNT(rows)];

	for (size_t i = 0; i < COUNT(rows); i++) {
		if (!strcmp(rows[i].name, name)) {
			print_row(&rows[i]);
			return EXIT_DONE;
		}
		names[i] = rows[i].name;
	}
	return tool_unknown("operation", name, names, COUNT(names));
}

int ops_command(int argc, char **argv)
{
	int status = EXIT_DONE;

	for (int i = 1; i < argc; i++)
		if (print_named(argv[i]))
			status = EXIT_USAGE;
	for (size_t i = 0; argc == 1 && i < COUNT(rows); i++)
		print_row(&rows[i]);
	return status;
}
