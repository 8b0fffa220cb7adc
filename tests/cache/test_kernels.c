/* test_kernels.c: compiled groups through the cache, into another process too; `gt cache` (the
 * program is the first argument). */
#include "place.h"

#include "group/group_make.h"
#include "base/flags.h"
#include "cache/kernels.h"
#include "cache/recipes.h"

static const char *gt;

/* mov rax, [rdi]; inc rax; mov [rdi], rax; ret: adds a row to the call. */
static const uint8_t add_row[] = { 0x48, 0x8b, 0x07, 0x48, 0xff, 0xc0, 0x48, 0x89, 0x07, 0xc3 };
static const codegen_options plain = { .isa = ISA_BASE };

static cache_bytes bytes(const buf *b) { return (cache_bytes){ b->data, b->size }; }

/* x + c, c different ops apart: so many nodes, so many groups. */
static void make_group(buf *code, unsigned ops)
{
	group g;
	int x;

	make_start(&g, GROUP_ELEMENT);
	x = make_load(&g, GT_FLOAT32, ACCESS_RUN);
	for (unsigned k = 0; k < ops; k++)
		x = make_op(&g, OP_neg, x, 0, 0);
	make_store(&g, x, ACCESS_RUN);
	assert_int_equal(group_check(&g), GT_OK);
	group_encode(&g, code);
}

static bool runs(cache *c, const buf *code, const codegen_options *o)
{
	kernel_call call = { .rows = 41 };
	image m;

	if (!kernels_get(c, bytes(code), o, &m))
		return false;
	m.run(&call);
	assert_int_equal(call.rows, 42);
	image_unmap(&m);
	return true;
}

static void keep_code(cache *c, const buf *code)
{
	buf made = { 0 };

	image_put(&made, add_row, sizeof add_row, 0, ISA_BASE);
	assert_true(kernels_put(c, bytes(code), &plain, bytes(&made)));
	buf_fini(&made);
}

static void test_kernel(void **state)
{
	codegen_options other = plain;
	place *p = *state;
	buf code = { 0 }, longer = { 0 };
	pid_t child;

	make_group(&code, 1);
	make_group(&longer, 2);
	assert_false(runs(p->c, &code, &plain));
	keep_code(p->c, &code);
	assert_true(runs(p->c, &code, &plain));
	assert_false(runs(p->c, &longer, &plain));
	other.isa = ISA_AVX2;
	assert_false(runs(p->c, &code, &other));
	if (!(child = fork())) {
		reopen(p);
		_exit(runs(p->c, &code, &plain) ? 0 : 1);
	}
	assert_int_equal(wait_for(child), 0);
	assert_false(runs(NULL, &code, &plain));
	assert_false(kernels_put(NULL, bytes(&code), &plain, bytes(&code)));
	buf_fini(&code);
	buf_fini(&longer);
}

/* An entry that is whole, with a value that is no image: a miss as well. */
static void test_no_image(void **state)
{
	place *p = *state;
	buf code = { 0 };

	make_group(&code, 1);
	assert_true(kernels_put(p->c, bytes(&code), &plain, text("no image")));
	assert_false(runs(p->c, &code, &plain));
	keep_code(p->c, &code);
	assert_true(runs(p->c, &code, &plain));
	buf_fini(&code);
}

static void test_check(void **state)
{
	buf code = { 0 }, name = { 0 }, made = { 0 };

	(void)state;
	make_group(&code, 3);
	image_put(&made, add_row, sizeof add_row, 0, ISA_BASE);
	key_put(&name, bytes(&code), &plain);
	assert_true(key_is_ours(bytes(&name)));
	assert_null(kernels_check(bytes(&name), bytes(&made)));
	assert_non_null(kernels_check(bytes(&name), text("no image")));
	assert_non_null(kernels_check(text("no key"), bytes(&made)));
	name.data[10] ^= 1;       /* another build: what it kept is for it to judge */
	assert_false(key_is_ours(bytes(&name)));
	assert_null(kernels_check(bytes(&name), text("no image")));
	name.size = 0;
	key_put(&name, text("no group"), &plain);
	assert_non_null(kernels_check(bytes(&name), bytes(&made)));
	assert_false(key_is_ours(text("")));
	buf_fini(&code);
	buf_fini(&name);
	buf_fini(&made);
}

/* ---- gt cache ---- */

/* Runs `gt cache ...`; its output, standard error with it, and its exit status. */
static int tool(const place *p, const char *arguments, char out[4096])
{
	char command[1024];
	size_t n;
	FILE *f;
	int status;

	snprintf(command, sizeof command, "GT_CACHE_DIR='%s' '%s' cache %s 2>&1", p->path, gt,
		arguments);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(out, 1, 4095, f);
	out[n] = '\0';
	status = pclose(f);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void expect(const place *p, const char *arguments, int status, const char *part)
{
	char out[4096];
	const int got = tool(p, arguments, out);

	if (got != status || !strstr(out, part))
		fail_msg("gt cache %s: status %d, expected %d and '%s':\n%s", arguments, got,
			status, part, out);
}

static void test_tool(void **state)
{
	char file[ENTRY_NAME_MAX], command[80];
	place *p = *state;
	buf code = { 0 }, name = { 0 };

	expect(p, "ls", 0, "0 entries, 0 of at most 1073741824 bytes in ");
	expect(p, "verify", 0, "0 entries are sound");
	make_group(&code, 4);
	keep_code(p->c, &code);
	key_put(&name, bytes(&code), &plain);
	entry_name(CACHE_KERNEL, bytes(&name), file);
	assert_true(cache_put(p->c, CACHE_RECIPES, (cache_bytes){ "prog\0x.py", 10 },
		text("\x01")));
	expect(p, "ls", 0, file);
	expect(p, "ls", 0, "elements, 6 nodes; base, LLVM ");
	expect(p, "ls", 0, "0 loops of prog x.py");
	expect(p, "ls", 0, "\n2 entries, 8192 of at most ");
	expect(p, "verify", 0, "2 entries are sound");
	assert_true(cache_put(p->c, CACHE_RECIPES, text("z"), text("\x01no recipe")));
	assert_true(kernels_put(p->c, text("no group"), &plain, text("x")));
	expect(p, "verify", 1, "2 of 4 entries are damaged");
	snprintf(command, sizeof command, "rm %s", file);
	expect(p, command, 0, "");
	expect(p, command, 1, "No such file");
	expect(p, "ls", 0, "\n3 entries");
	expect(p, "rm ../x", 1, "not the name of an entry");
	expect(p, "rm --all", 0, "");
	expect(p, "ls", 0, "0 entries");
	expect(p, "", 2, "usage: gt cache");
	expect(p, "ls more", 2, "usage: gt cache");
	expect(p, "rm", 2, "usage: gt cache");
	expect(p, "rm --all more", 2, "usage: gt cache");
	expect(p, "verifi", 2, "(did you mean 'verify'?)");
	strcpy(p->path, "");
	expect(p, "ls", 1, "nothing is kept");
	strcpy(p->path, "/dev/null");
	expect(p, "ls", 1, "is no directory");
	buf_fini(&code);
	buf_fini(&name);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kernel), TEST(test_no_image), cmocka_unit_test(test_check),
		TEST(test_tool),
	};

	assert_int_equal(argc, 2);
	gt = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
