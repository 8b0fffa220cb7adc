/* test_image.c: images run, are refused when they are damaged, and are never writable once they may
 * run. */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "cache/image.h"
#include "cache/plugin.h"
#include "group/helpers.h"

/* mov rax, [rdi]; inc rax; mov [rdi], rax; ret: adds a row to the call. */
static const uint8_t add_row[] = { 0x90, 0x90, 0x48, 0x8b, 0x07, 0x48, 0xff, 0xc0, 0x48, 0x89, 0x07,
	0xc3 };

static void make(buf *to)
{
	image_put(to, add_row, sizeof add_row, 2, ISA_BASE);
}

static void test_run(void **state)
{
	kernel_call c = { .rows = 41 };
	buf b = { 0 };
	image m;

	(void)state;
	make(&b);
	assert_int_equal(image_map(b.data, b.size, &m), GT_OK);
	m.run(&c);
	assert_int_equal(c.rows, 42);
	image_unmap(&m);
	image_unmap(&m);
	buf_fini(&b);
}

static void test_refused(void **state)
{
	buf b = { 0 };
	image m = { 0 };
	image_head *h;

	(void)state;
	make(&b);
	h = (image_head *)b.data;
	for (size_t n = 0; n < b.size; n++)
		assert_int_equal(image_map(b.data, n, &m), GT_EPROTO);
#define REFUSED(field, value)                                                    \
	do {                                                                     \
		image_head was = *h;                                             \
		h->field = (value);                                              \
		assert_int_equal(image_map(b.data, b.size, &m), GT_EPROTO);      \
		*h = was;                                                        \
	} while (0)
	REFUSED(magic, 0);
	REFUSED(version, IMAGE_VERSION + 1);
	REFUSED(isa, ISA_COUNT);
	REFUSED(helpers, HELPER_COUNT + 1);
	REFUSED(entry, (uint32_t)sizeof add_row);
	REFUSED(size, (uint32_t)sizeof add_row + 1);
	assert_null(m.pages);
	buf_fini(&b);
}

/* The rights of the page at p, as /proc/self/maps writes them: "r-xp". */
static void rights_of(const void *p, char rights[5])
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[4096];
	unsigned long from, to;

	assert_non_null(f);
	strcpy(rights, "none");
	while (fgets(line, sizeof line, f))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && (uintptr_t)p >= from &&
			(uintptr_t)p < to && sscanf(line, "%*s %4s", rights) != 1)
			strcpy(rights, "none");
	fclose(f);
}

static void test_rights(void **state)
{
	char rights[5];
	buf b = { 0 };
	image m;

	(void)state;
	make(&b);
	assert_int_equal(image_map(b.data, b.size, &m), GT_OK);
	rights_of(m.pages, rights);
	assert_string_equal(rights, "r-xp");
	image_unmap(&m);
	buf_fini(&b);
}

/* The one answer of a process: the generator, or why there is none. */
static void test_plugin(void **state)
{
	const codegen *a = NULL, *b = NULL;
	gt_err e = plugin_open(&a);

	(void)state;
	assert_int_equal(plugin_open(&b), e);
	assert_ptr_equal(a, b);
	if (e)
		assert_non_null(strstr(gt_last_error(), "no code generator"));
	else
		assert_int_equal(a->version, CODEGEN_VERSION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_plugin),
	};

	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
