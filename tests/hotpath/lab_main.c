/* lab_main.c: `lab NAME [-n STEPS] [-s SEED] [-e EVERY]` prints a program's stream as .gts; without
 * a name, the programs. -e: foreign ops in every so-manieth step. */
#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "tools/lab.h"
#include "ir/text.h"

static void print(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	buf *text = ctx;

	(void)in;
	(void)out;
	text->size = 0;
	text_put(text, i, NULL);
	fwrite(text->data, 1, text->size, stdout);
}

static int list(void)
{
	for (unsigned k = 0; k < lab_program_count; k++)
		printf("%-12s %s\n", lab_programs[k].name, lab_programs[k].doc);
	return 0;
}

int main(int argc, char **argv)
{
	lab_options o = { .steps = 100, .seed = 1, .noise_place = 3 };
	const lab_program *p = argc > 1 ? lab_find(argv[1]) : NULL;
	buf text = { 0 };

	if (argc == 1)
		return list();
	for (int k = 2; k + 1 < argc; k += 2) {
		const unsigned value = (unsigned)strtoul(argv[k + 1], NULL, 10);

		o.steps = strcmp(argv[k], "-n") ? o.steps : value;
		o.seed = strcmp(argv[k], "-s") ? o.seed : value;
		o.noise_every = strcmp(argv[k], "-e") ? o.noise_every : value;
	}
	if (!p) {
		fprintf(stderr, "lab: no program '%s'\n", argv[1]);
		return 2;
	}
	lab_run(p, &o, print, &text, NULL);
	buf_fini(&text);
	return 0;
}
