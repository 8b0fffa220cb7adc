/* cache.c: `gt cache`, what is kept for the next process: list it, check it, remove
 * it, learn it in advance. */
#include "cache/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/base.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "cache/kernels.h"
#include "cache/plugin.h"
#include "cache/recipes.h"
#include "cache/tuned.h"
#include "tools/tools.h"

typedef struct sight {
	uint64_t entries, wrong, bytes;
	char **names;            /* of all, when they are asked for */
	uint64_t room;
	bool list;
} sight;

/* ---- what an entry is ----------------------------------------------------------------------- */

static void print_kernel(const cache_file *f)
{
	static const char *const modes[] = { [GROUP_ELEMENT] = "elements", [GROUP_ROWS] = "rows",
		[GROUP_COLS] = "columns" };
	static const char *const isas[ISA_COUNT] = { "base", "avx2", "avx512" };
	group g;
	key k;

	if (!key_get(f->key, &k) || group_decode(k.group.data, k.group.size, &g)) {
		printf("of another version");
		return;
	}
	printf("%s, %u nodes; %s, LLVM %s%s%s", modes[g.mode], g.nodes_count,
		k.isa < ISA_COUNT ? isas[k.isa] : "?", k.llvm,
		key_is_ours(f->key) ? "" : "; another build or machine: ",
		key_is_ours(f->key) ? "" : k.machine);
}

static unsigned count_recipes(cache_bytes value)
{
	recipe *found;
	unsigned n = 0;
	recipes r;

	recipes_read(&r, value);
	for (; (found = recipes_next(&r)); n++)
		recipe_free(found);
	recipes_close(&r);
	return n;
}

static void print_recipes(const cache_file *f)
{
	const unsigned n = count_recipes(f->value);

	printf("%u loop%s of ", n, n == 1 ? "" : "s");
	for (size_t k = 0; k + 1 < f->key.size; k++) {
		const char c = ((const char *)f->key.data)[k];

		putchar(!c ? ' ' : c < ' ' ? '?' : c);
	}
}

static void print_entry(const cache_file *f)
{
	char when[32] = "?";
	const time_t used = (time_t)f->used;
	struct tm t;

	if (localtime_r(&used, &t))
		strftime(when, sizeof when, "%Y-%m-%d %H:%M", &t);
	printf("%-40s  %8" PRIu64 "  %s  ", f->name, f->size, when);
	if (f->wrong)
		printf("damaged: %s", f->wrong);
	else if (f->kind == CACHE_KERNEL)
		print_kernel(f);
	else if (f->kind == CACHE_TUNED)
		printf("what max-autotune chose for a loop");
	else
		print_recipes(f);
	putchar('\n');
}

static void see(void *ctx, const cache_file *f)
{
	sight *s = ctx;

	if (s->list)
		print_entry(f);
	VEC_ROOM(s->names, s->entries, s->room);
	s->names[s->entries++] = mem_string(f->name);
	s->bytes += f->size;
	s->wrong += f->wrong != NULL;
}

static int look(cache *c, sight *s)
{
	return cache_each(c, see, s) ? tool_fail(EXIT_WRONG, "%s", gt_last_error()) : EXIT_DONE;
}

static void forget(sight *s)
{
	for (uint64_t k = 0; k < s->entries; k++)
		mem_free(s->names[k]);
	mem_free(s->names);
}

/* ---- the commands --------------------------------------------------------------------------- */

static int ls(cache *c, int argc, char **argv)
{
	sight s = { .list = true };
	int status;

	(void)argv;
	if (argc)
		return tool_usage("cache");
	status = look(c, &s);
	if (!status)
		printf("%" PRIu64 " entries, %" PRIu64 " of at most %" PRId64 " bytes in %s\n",
			s.entries, s.bytes, flag_int(FLAG_GT_CACHE_SIZE), cache_directory(c));
	forget(&s);
	return status;
}

static int remove_names(cache *c, int n, char **names)
{
	int status = EXIT_DONE;

	for (int k = 0; k < n; k++)
		if (cache_remove(c, names[k]))
			status = tool_fail(EXIT_WRONG, "%s", gt_last_error());
	return status;
}

static int rm(cache *c, int argc, char **argv)
{
	sight s = { 0 };
	int status;

	if (!argc || (argc > 1 && !strcmp(argv[0], "--all")))
		return tool_usage("cache");
	if (strcmp(argv[0], "--all"))
		return remove_names(c, argc, argv);
	status = look(c, &s);
	if (!status)
		status = remove_names(c, (int)s.entries, s.names);
	forget(&s);
	return status;
}

static void verify_entry(void *ctx, const cache_file *f)
{
	const char *wrong = f->wrong;
	sight *s = ctx;

	if (!wrong && f->kind == CACHE_KERNEL)
		wrong = kernels_check(f->key, f->value);
	else if (!wrong && f->kind == CACHE_TUNED)
		wrong = tuned_is_sound(f->value) ? NULL : "a choice cannot be read";
	else if (!wrong && !recipes_are_sound(f->value))
		wrong = "a recipe cannot be read";
	if (wrong)
		printf("%s: %s\n", f->name, wrong);
	s->wrong += wrong != NULL;
	s->entries++;
}

static int verify(cache *c, int argc, char **argv)
{
	sight s = { 0 };

	(void)argv;
	if (argc)
		return tool_usage("cache");
	if (cache_each(c, verify_entry, &s))
		return tool_fail(EXIT_WRONG, "%s", gt_last_error());
	if (s.wrong)
		return tool_fail(EXIT_WRONG, "%" PRIu64 " of %" PRIu64 " entries are damaged; they "
			"are not used, and replaced when they are needed", s.wrong, s.entries);
	printf("%" PRIu64 " entries are sound\n", s.entries);
	return EXIT_DONE;
}

/* ---- in advance ----------------------------------------------------------------------------- */

static gt_err compile_all(void)
{
	gt_err e = run_hot();

	if (!e)
		e = flag_set(FLAG_GT_HOTPATH_TIER, "2");
	return e ? e : flag_set(FLAG_GT_HOTPATH_CODE, "compiled");
}

static unsigned count_own(cache *c)
{
	buf program = { 0 }, value = { 0 };
	unsigned n;

	recipes_program(&program);
	n = cache_get(c, CACHE_RECIPES, (cache_bytes){ program.data, program.size }, &value) ?
		count_recipes((cache_bytes){ value.data, value.size }) : 0;
	buf_fini(&program);
	buf_fini(&value);
	return n;
}

static int prewarm(cache *c, int argc, char **argv)
{
	char *run[] = { "/proc/self/exe", "run", NULL };
	const codegen *generator;
	cache_stats s;
	unsigned loops;
	int status;

	if (!argc)
		return tool_usage("cache");
	if (argc > 1 && access(argv[1], X_OK))
		return tool_fail(EXIT_WRONG, "%s: %s", argv[1], strerror(errno));
	if (plugin_open(&generator) || compile_all())
		return tool_fail(EXIT_WRONG, "%s", gt_last_error());
	recipes_pretend(argc > 1 ? argv + 1 : run);
	status = run_file(argv[0], false);
	cache_stats_of(c, &s);
	if (s.lost)
		status = tool_fail(EXIT_WRONG, "%" PRIu64 " entries could not be written", s.lost);
	loops = count_own(c);
	printf("%u loop%s kept of the program; %" PRIu64 " file%s written\n", loops,
		loops == 1 ? " is" : "s are", s.puts, s.puts == 1 ? " was" : "s were");
	return status;
}

static const struct {
	const char *name;
	int (*run)(cache *c, int argc, char **argv);
} actions[] = { { "ls", ls }, { "rm", rm }, { "verify", verify },
	{ "prewarm", prewarm } };

int cache_command(int argc, char **argv)
{
	const char *names[COUNT(actions)];
	cache *c;

	if (argc < 2)
		return tool_usage(argv[0]);
	if (flags_load())
		return tool_fail(EXIT_WRONG, "%s", gt_last_error());
	if (!(c = cache_shared()))
		return tool_fail(EXIT_WRONG, "GT_CACHE_DIR is empty or there is no home directory: "
			"nothing is kept");
	for (size_t k = 0; k < COUNT(actions); k++) {
		if (!strcmp(argv[1], actions[k].name))
			return actions[k].run(c, argc - 2, argv + 2);
		names[k] = actions[k].name;
	}
	return tool_unknown("action", argv[1], names, COUNT(names));
}
