/* bench_cache.c: what it costs to keep compiled code and recipes, and to find them in a new
 * process. Files are in the page cache: what a disk adds is the disk's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/base.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cache/kernels.h"
#include "cache/recipes.h"

#define KERNELS 200
#define CODE_BYTES 840           /* of a kernel of 30 vector operations */
#define LIMIT (UINT64_C(1) << 30)

static const codegen_options plain = { .isa = ISA_BASE };
static char directory[] = "/tmp/gt-bench-XXXXXX", path[64];

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, uint64_t *ns, size_t n)
{
	qsort(ns, n, sizeof *ns, compare);
	printf("%-52s %9.1f us median %9.1f us least\n", what, (double)ns[n / 2] / 1e3,
		(double)ns[0] / 1e3);
	fflush(stdout);
}

/* As long as the code of a group of 30 ops; different ones by number. */
static cache_bytes code_of(unsigned k)
{
	static char code[300];

	memset(code, 'g', sizeof code);
	memcpy(code, &k, sizeof k);
	return (cache_bytes){ code, sizeof code };
}

static void keep_kernels(void)
{
	static uint8_t machine_code[CODE_BYTES] = { 0xc3 };
	cache *c = cache_open(path, LIMIT);
	uint64_t ns[KERNELS];
	buf made = { 0 };

	image_put(&made, machine_code, CODE_BYTES, 0, ISA_BASE);
	for (unsigned k = 0; k < KERNELS; k++) {
		const uint64_t begin = clock_ns();

		kernels_put(c, code_of(k), &plain, (cache_bytes){ made.data, made.size });
		ns[k] = clock_ns() - begin;
	}
	print("a kernel kept", ns, KERNELS);
	buf_fini(&made);
	cache_close(c);
}

/* The first one pays for opening the directory and for asking the processor its name. */
static void find_kernels(void)
{
	uint64_t ns[KERNELS], begin = clock_ns();
	cache *c = cache_open(path, LIMIT);
	image m;

	for (unsigned k = 0; k < KERNELS; k++) {
		if (!kernels_get(c, code_of(k), &plain, &m))
			abort();
		ns[k] = clock_ns() - begin;
		image_unmap(&m);
		begin = clock_ns();
	}
	print("the first kernel of a process, directory and all", ns, 1);
	print("a kernel found and mapped", ns, KERNELS);
	for (unsigned k = 0; k < KERNELS; k++) {
		begin = clock_ns();
		if (kernels_get(c, code_of(k + KERNELS), &plain, &m))
			abort();
		ns[k] = clock_ns() - begin;
	}
	print("a kernel that is not there", ns, KERNELS);
	cache_close(c);
}

/* n times -x, each of the one before, on 64 x 64. */
static region *make_region(uint32_t n)
{
	const meta m = { .dtype = GT_FLOAT32, .rank = 2, .dims = { 64, 64 } };
	const meta *in[] = { &m };
	region *r = mem_zero(sizeof *r);

	r->n = r->inputs_count = n;
	r->live_ins_count = 1;
	r->ops = mem_zero(n * sizeof *r->ops);
	r->inputs = mem_zero(n * sizeof *r->inputs);
	r->live_ins = mem_zero(sizeof *r->live_ins);
	for (uint32_t k = 0; k < n; k++) {
		r->ops[k] = (region_op){ .op = OP_neg, .nin = 1, .first = k, .freed = REGION_NEVER,
			.metas = record_metas(KIND_ELEMENT, 1, in, &m) };
		r->inputs[k] = (int32_t)k - 1;           /* ~0 is live-in 0 */
	}
	r->signature = region_signature(r);
	return r;
}

static void keep_recipes(uint32_t n)
{
	const meta live_in = { .dtype = GT_FLOAT32, .rank = 2, .dims = { 64, 64 } };
	static const int64_t strides[1][GT_RANK_MAX] = { { 64, 1 } };
	const ins **ops = mem_zero(n * sizeof *ops);
	const recipe_run run = { .ops = ops, .live_ins = &live_in, .strides = strides };
	cache *c = cache_open(path, LIMIT);
	region *r = make_region(n);
	ins_room room;
	uint64_t begin, ns;
	char what[64];

	ins_init(&room, OP_neg, 1);
	ins_put_input(&room.head, 2);
	for (uint32_t k = 0; k < n; k++)
		ops[k] = &room.head;
	begin = clock_ns();
	if (!recipes_keep(c, (cache_bytes){ &n, sizeof n }, r, &run, 1))
		abort();
	ns = clock_ns() - begin;
	snprintf(what, sizeof what, "a recipe of %u ops kept", n);
	print(what, &ns, 1);
	region_free(r);
	mem_free(ops);
	cache_close(c);
}

static void find_recipes(uint32_t n)
{
	uint64_t ns[9];
	char what[64];

	for (size_t k = 0; k < COUNT(ns); k++) {
		const uint64_t begin = clock_ns();
		cache *c = cache_open(path, LIMIT);
		recipe *found;
		recipes r;

		recipes_open(&r, c, (cache_bytes){ &n, sizeof n });
		found = recipes_next(&r);
		ns[k] = clock_ns() - begin;
		if (!found || found->region->n != n)
			abort();
		recipe_free(found);
		recipes_close(&r);
		cache_close(c);
	}
	snprintf(what, sizeof what, "a recipe of %u ops found, checked, shapes inferred", n);
	print(what, ns, COUNT(ns));
}

/* Each part in a process of its own: nothing is known from the part before. */
static void in_process(void (*part)(void))
{
	const pid_t child = fork();
	int status;

	if (!child) {
		part();
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		abort();
}

static void recipes_part(void)
{
	static const uint32_t sizes[] = { 50, 3000, 14000 };

	for (size_t k = 0; k < COUNT(sizes); k++) {
		keep_recipes(sizes[k]);
		find_recipes(sizes[k]);
	}
}

int main(void)
{
	char command[64];

	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof path, "%s/gt", directory);
	in_process(keep_kernels);
	in_process(find_kernels);
	in_process(recipes_part);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	return system(command) != 0;
}
