/* test_object.c: the reader of object files, on one made by hand: laid out, resolved, refused where
 * an image could not hold what it says; and never astray, whatever the bytes are. */
#include "check.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include "cache/image.h"
#include "codegen/object.h"

enum { NONE, TEXT, RODATA, FRAME, RELA, SYMBOLS, NAMES, SECTIONS };

/* A file of fixed layout: every part has 256 bytes. */
typedef struct file {
	Elf64_Ehdr head;
	Elf64_Shdr s[SECTIONS];
	_Alignas(64) uint8_t text[256];
	uint8_t rodata[256];
	Elf64_Rela rela[2];
	Elf64_Sym symbols[4];
	char names[256];
} file;

static uint32_t add_name(file *f, const char *name)
{
	char *at = f->names + 1;

	while (*at)
		at += strlen(at) + 1;
	strcpy(at, name);
	return (uint32_t)(at - f->names);
}

static void set_section(file *f, int k, const char *name, uint32_t kind, uint64_t flags,
	const void *part, uint64_t size)
{
	f->s[k] = (Elf64_Shdr){ .sh_name = add_name(f, name), .sh_type = kind, .sh_flags = flags,
		.sh_offset = (uint64_t)((const uint8_t *)part - (const uint8_t *)f),
		.sh_size = size,
		.sh_addralign = 16 };
}

/* nop; lea rax, [rip + number]; mov eax, [rax]; mov [rdi], rax; ret: rows = the number. */
static void make(file *f)
{
	static const uint8_t code[] = { 0x90, 0x48, 0x8d, 0x05, 0, 0, 0, 0, 0x8b, 0x00, 0x48, 0x89,
		0x07, 0xc3 };

	memset(f, 0, sizeof *f);
	memcpy(f->head.e_ident, ELFMAG, SELFMAG);
	f->head.e_type = ET_REL;
	f->head.e_machine = EM_X86_64;
	f->head.e_shoff = offsetof(file, s);
	f->head.e_shentsize = sizeof(Elf64_Shdr);
	f->head.e_shnum = SECTIONS;
	f->head.e_shstrndx = NAMES;
	memcpy(f->text, code, sizeof code);
	f->rodata[16] = 77;
	set_section(f, TEXT, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, f->text,
		sizeof code);
	set_section(f, RODATA, ".rodata", SHT_PROGBITS, SHF_ALLOC, f->rodata, 32);
	set_section(f, FRAME, ".eh_frame", SHT_PROGBITS, SHF_ALLOC, f->rodata, 32);
	set_section(f, RELA, ".rela.text", SHT_RELA, 0, f->rela, sizeof f->rela[0]);
	set_section(f, SYMBOLS, ".symtab", SHT_SYMTAB, 0, f->symbols, sizeof f->symbols);
	set_section(f, NAMES, ".strtab", SHT_STRTAB, 0, f->names, sizeof f->names);
	f->s[RELA].sh_info = TEXT;
	f->s[RELA].sh_link = SYMBOLS;
	f->s[SYMBOLS].sh_link = NAMES;
	f->symbols[1] = (Elf64_Sym){ .st_name = add_name(f, OBJECT_ENTRY), .st_shndx = TEXT,
		.st_value = 1 };
	f->symbols[2] = (Elf64_Sym){ .st_shndx = RODATA };
	f->symbols[3] = (Elf64_Sym){ .st_name = add_name(f, "memcpy"), .st_shndx = SHN_UNDEF };
	f->rela[0] = (Elf64_Rela){ .r_offset = 4, .r_info = ELF64_R_INFO(2, R_X86_64_PC32),
		.r_addend = 16 - 4 };
}

static gt_err convert(const file *f, buf *to)
{
	return object_image(f, sizeof *f, ISA_BASE, to);
}

static void test_run(void **state)
{
	kernel_call c = { 0 };
	image m;
	buf b = { 0 };
	file f;

	(void)state;
	make(&f);
	assert_int_equal(convert(&f, &b), GT_OK);
	assert_int_equal(image_map(b.data, b.size, &m), GT_OK);
	m.run(&c);
	assert_int_equal(c.rows, 77);
	image_unmap(&m);
	buf_fini(&b);
}

static void test_refused(void **state)
{
	buf b = { 0 };
	file f;

	(void)state;
#define REFUSED(change, word)                                                    \
	do {                                                                     \
		make(&f);                                                        \
		change;                                                          \
		assert_int_equal(convert(&f, &b), GT_EINTERNAL);                 \
		if (!strstr(gt_last_error(), word))                              \
			fail_msg("'%s' lacks '%s'", gt_last_error(), word);      \
		assert_int_equal(b.size, 0);                                     \
	} while (0)
	REFUSED(f.head.e_machine = EM_386, "not a relocatable");
	REFUSED(f.head.e_type = ET_EXEC, "not a relocatable");
	REFUSED(f.head.e_shoff = sizeof f, "no sections");
	REFUSED(f.head.e_shstrndx = SECTIONS, "no sections");
	REFUSED(f.s[NAMES].sh_size = sizeof f, "no names");
	REFUSED(f.s[RODATA].sh_flags |= SHF_WRITE, ".rodata");
	REFUSED(f.s[RODATA].sh_type = SHT_NOBITS, ".rodata");
	REFUSED(f.s[RODATA].sh_size = 1ull << 40, ".rodata");
	REFUSED(f.s[RODATA].sh_addralign = 1 << 20, ".rodata");
	REFUSED(f.rela[0].r_info = ELF64_R_INFO(3, R_X86_64_PLT32), "memcpy");
	REFUSED(f.rela[0].r_info = ELF64_R_INFO(2, R_X86_64_64), "relative");
	REFUSED(f.rela[0].r_info = ELF64_R_INFO(9, R_X86_64_PC32), "no symbol");
	REFUSED(f.rela[0].r_offset = 11, "outside");
	REFUSED(f.rela[0].r_addend = 1ll << 40, "too far");
	REFUSED(f.s[RELA].sh_type = SHT_REL, "unknown form");
	REFUSED(f.symbols[1].st_name = 0, "no entry");
	REFUSED(f.symbols[1].st_value = 4096, "outside");
	buf_fini(&b);
}

static void test_cut(void **state)
{
	buf b = { 0 };
	file f;

	(void)state;
	make(&f);
	for (size_t n = 0; n < sizeof f; n += 8) {
		void *part = aligned_alloc(8, n + 8);

		memcpy(part, &f, n);
		object_image(part, n, ISA_BASE, &b);
		free(part);
	}
	buf_fini(&b);
}

/* Refused or not, but within its bounds: for the sanitizers. */
static void test_damaged(void **state)
{
	uint64_t r = 88172645463325252u;
	file f;

	(void)state;
	for (int k = 0; k < 20000; k++) {
		buf b = { 0 };

		make(&f);
		for (int n = 0; n < 1 + k % 4; n++) {
			r ^= r << 13;
			r ^= r >> 7;
			r ^= r << 17;
			((uint8_t *)&f)[r % sizeof f] ^= (uint8_t)(1u << (r >> 32) % 8);
		}
		convert(&f, &b);
		buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests_name("object", tests, NULL, NULL);
}
