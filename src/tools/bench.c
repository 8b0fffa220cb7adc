/* bench.c: `gt bench NAME`, the measurements that need nothing but the program itself. */
#include <string.h>
#include "base/base.h"
#include "tools/bench.h"
#include "tools/tools.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} benches[] = {
	{ "compile", bench_compile },
	{ "hotpath", bench_hotpath },
};

int bench_command(int argc, char **argv)
{
	const char *names[COUNT(benches)];

	if (argc < 2)
		return tool_usage(argv[0]);
	for (size_t k = 0; k < COUNT(benches); k++) {
		if (!strcmp(benches[k].name, argv[1]))
			return benches[k].run(argc - 1, argv + 1);
		names[k] = benches[k].name;
	}
	return tool_unknown("benchmark", argv[1], names, COUNT(names));
}
