/* object.c: the ELF object that LLVM wrote made an image: text and constants in one piece, the
 * references between them resolved. Reads what it needs of the format and checks it; anything that
 * an image cannot have (data, other programs' symbols, absolute addresses) is a failed compile. */
#include "codegen/object.h"

#include <elf.h>
#include <string.h>
#include "base/base.h"
#include "base/mem.h"
#include "cache/image.h"

typedef struct object {
	const uint8_t *data;
	size_t size;
	const Elf64_Shdr *sections;
	unsigned count;
	const char *names;
	size_t names_size;
	int64_t *place;          /* of every section in the image; -1: not in it */
	uint8_t *code;
	uint64_t code_size;
} object;

/* Of a file that need not be well formed: NULL where it has no such part. */
static const void *part_of(const object *o, uint64_t from, uint64_t size)
{
	return from <= o->size && size <= o->size - from ? o->data + from : NULL;
}

static gt_err broken(const char *what)
{
	return fail(GT_EINTERNAL, "code generator: object file: %s", what);
}

static const char *name_of(const object *o, const Elf64_Shdr *s)
{
	return s->sh_name < o->names_size ? o->names + s->sh_name : "";
}

static gt_err open_object(object *o)
{
	const Elf64_Ehdr *h = part_of(o, 0, sizeof *h);
	const Elf64_Shdr *s;

	if (!h || memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_machine != EM_X86_64 ||
		h->e_type != ET_REL || h->e_shentsize != sizeof *s)
		return broken("not a relocatable ELF file of x86-64");
	o->count = h->e_shnum;
	o->sections = part_of(o, h->e_shoff, (uint64_t)h->e_shnum * sizeof *s);
	if (!o->sections || h->e_shoff % 8 || h->e_shstrndx >= o->count)
		return broken("no sections");
	s = &o->sections[h->e_shstrndx];
	o->names = part_of(o, s->sh_offset, s->sh_size);
	o->names_size = s->sh_size;
	if (!o->names || !o->names_size || o->names[o->names_size - 1])
		return broken("no names of sections");
	return GT_OK;
}

/* ---- Layout. ---- */

/* Unwinding tables describe code to debuggers; nothing throws through a kernel. */
static bool is_wanted(const object *o, const Elf64_Shdr *s)
{
	return s->sh_flags & SHF_ALLOC && s->sh_size && strcmp(name_of(o, s), ".eh_frame");
}

static gt_err lay_out_one(object *o, unsigned k)
{
	const Elf64_Shdr *s = &o->sections[k];
	uint64_t align = s->sh_addralign ? s->sh_addralign : 1;

	if (s->sh_type != SHT_PROGBITS || s->sh_flags & SHF_WRITE || align > 4096 ||
		!part_of(o, s->sh_offset, s->sh_size))
		return fail(GT_EINTERNAL, "code generator: section %s cannot be in an image",
			name_of(o, s));
	o->code_size = ALIGN_UP(o->code_size, align);
	o->place[k] = (int64_t)o->code_size;
	o->code_size += s->sh_size;
	return o->code_size <= IMAGE_MAX ? GT_OK : broken("too big for an image");
}

static gt_err lay_out(object *o)
{
	gt_err e = GT_OK;

	o->place = mem_alloc(o->count * sizeof *o->place);
	for (unsigned k = 0; k < o->count; k++)
		o->place[k] = -1;
	for (int text = 1; text >= 0; text--)   /* text first */
		for (unsigned k = 0; !e && k < o->count; k++)
			if (is_wanted(o, &o->sections[k]) &&
				!!(o->sections[k].sh_flags & SHF_EXECINSTR) == text)
				e = lay_out_one(o, k);
	if (e)
		return e;
	o->code = mem_zero(o->code_size + 1);
	for (unsigned k = 0; k < o->count; k++)
		if (o->place[k] >= 0)
			memcpy(o->code + o->place[k], o->data + o->sections[k].sh_offset,
				o->sections[k].sh_size);
	return GT_OK;
}

/* ---- References. ---- */

static const Elf64_Sym *symbol_of(const object *o, const Elf64_Shdr *table, uint64_t number)
{
	const Elf64_Sym *all = part_of(o, table->sh_offset, table->sh_size);

	return all && table->sh_offset % 8 == 0 && number < table->sh_size / sizeof *all
		? all + number : NULL;
}

static const char *symbol_name(const object *o, const Elf64_Shdr *table, const Elf64_Sym *s)
{
	const Elf64_Shdr *strings = table->sh_link < o->count ? &o->sections[table->sh_link] : NULL;
	const char *all = strings ? part_of(o, strings->sh_offset, strings->sh_size) : NULL;

	return all && strings->sh_size && !all[strings->sh_size - 1] &&
		s->st_name < strings->sh_size
		? all + s->st_name : "?";
}

static gt_err resolve_one(object *o, const Elf64_Shdr *symbols, unsigned target,
	const Elf64_Rela *r)
{
	const Elf64_Sym *s = symbol_of(o, symbols, ELF64_R_SYM(r->r_info));
	unsigned kind = ELF64_R_TYPE(r->r_info);
	int64_t value;
	int32_t narrow;

	if (!s)
		return broken("reference to no symbol");
	if (s->st_shndx >= o->count || o->place[s->st_shndx] < 0)
		return fail(GT_EINTERNAL,
			"code generator: the code calls %s, which images cannot reach",
			symbol_name(o, symbols, s));
	if (kind != R_X86_64_PC32 && kind != R_X86_64_PLT32)
		return fail(GT_EINTERNAL,
			"code generator: reference of kind %u, expected one relative "
			"to the code", kind);
	if (o->sections[target].sh_size < 4 || r->r_offset > o->sections[target].sh_size - 4)
		return broken("reference outside of its section");
	value = (int64_t)((uint64_t)o->place[s->st_shndx] + s->st_value + (uint64_t)r->r_addend -
		((uint64_t)o->place[target] + r->r_offset));
	narrow = (int32_t)value;
	if (narrow != value)
		return broken("reference too far");
	memcpy(o->code + o->place[target] + r->r_offset, &narrow, sizeof narrow);
	return GT_OK;
}

static gt_err resolve_section(object *o, const Elf64_Shdr *s)
{
	const Elf64_Rela *all = part_of(o, s->sh_offset, s->sh_size);
	gt_err e = GT_OK;

	if (s->sh_info >= o->count || o->place[s->sh_info] < 0)
		return GT_OK;
	if (s->sh_type == SHT_REL || !all || s->sh_link >= o->count || s->sh_offset % 8)
		return broken("references of an unknown form");
	for (uint64_t k = 0; !e && k < s->sh_size / sizeof *all; k++)
		e = resolve_one(o, &o->sections[s->sh_link], s->sh_info, &all[k]);
	return e;
}

static gt_err resolve(object *o)
{
	gt_err e = GT_OK;

	for (unsigned k = 0; !e && k < o->count; k++)
		if (o->sections[k].sh_type == SHT_RELA || o->sections[k].sh_type == SHT_REL)
			e = resolve_section(o, &o->sections[k]);
	return e;
}

static gt_err find_entry(const object *o, uint32_t *entry)
{
	for (unsigned k = 0; k < o->count; k++) {
		const Elf64_Shdr *t = &o->sections[k];
		const Elf64_Sym *s;

		for (uint64_t n = 0; t->sh_type == SHT_SYMTAB && (s = symbol_of(o, t, n)); n++)
			if (!strcmp(symbol_name(o, t, s), OBJECT_ENTRY) && s->st_shndx < o->count &&
				o->place[s->st_shndx] >= 0) {
				*entry = (uint32_t)((uint64_t)o->place[s->st_shndx] + s->st_value);
				return *entry < o->code_size ? GT_OK
					: broken("entry outside of the code");
			}
	}
	return broken("no entry");
}

gt_err object_image(const void *data, size_t size, cpu_isa isa, buf *to)
{
	object o = { .data = data, .size = size };
	uint32_t entry = 0;
	gt_err e = open_object(&o);

	if (!e)
		e = lay_out(&o);
	if (!e)
		e = resolve(&o);
	if (!e)
		e = find_entry(&o, &entry);
	if (!e)
		image_put(to, o.code, (uint32_t)o.code_size, entry, isa);
	mem_free(o.place);
	mem_free(o.code);
	return e;
}
