/* machine.c: what cpuid says. Words that differ from core to core or from moment to moment are left
 * out. */
#include "cache/machine.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include "base/base.h"

#define EXTENDED 0x80000000u

typedef union leaf { struct { uint32_t a, b, c, d; }; uint32_t words[4]; } leaf;

/* `most` is the last leaf of its range that there is; those behind it are not asked for, as what
 * they would say has nothing to do with it. */
static leaf ask(uint32_t number, uint32_t part, uint32_t most)
{
	leaf l = { .words = { 0 } };

	if (number <= most)
		__cpuid_count(number, part, l.a, l.b, l.c, l.d);
	return l;
}

static void put_name(char name[MACHINE_NAME_MAX], const leaf *maker, uint32_t version)
{
	const uint32_t family = version >> 8 & 15, model = version >> 4 & 15;
	char text[13] = { 0 };

	memcpy(text, &maker->b, 4);
	memcpy(text + 4, &maker->d, 4);
	memcpy(text + 8, &maker->c, 4);
	snprintf(name, MACHINE_NAME_MAX, "%s %u-%u-%u", text,
		family + (family == 15 ? version >> 20 & 255 : 0),
		model | (family == 6 || family == 15 ? (version >> 16 & 15) << 4 : 0),
		version & 15);
}

/* Which registers the system saves: what is not among them must not be used. */
static uint64_t saved_registers(const leaf *first)
{
	uint32_t low, high;

	if (!(first->c & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (uint64_t)high << 32;
}

static void put_words(buf *to, const leaf *l, unsigned which)
{
	for (unsigned w = 0; w < COUNT(l->words); w++)
		if (which >> w & 1)
			buf_put_u32(to, l->words[w]);
}

void machine_describe(char name[MACHINE_NAME_MAX], buf *features)
{
	static const struct { uint32_t leaf, part; unsigned words; } asked[] = {
		{ 7, 0, 0xe }, { 7, 1, 0xf }, { 0xd, 1, 0x1 }, { EXTENDED + 1, 0, 0xc },
	};
	const leaf maker = ask(0, 0, 0), first = ask(1, 0, maker.a);
	const uint32_t most = ask(EXTENDED, 0, EXTENDED).a;

	put_name(name, &maker, first.a);
	put_words(features, &first, 0xc);        /* b has the core's number, a is in the name */
	for (size_t k = 0; k < COUNT(asked); k++) {
		const leaf l = ask(asked[k].leaf, asked[k].part,
			asked[k].leaf < EXTENDED ? maker.a : most);

		put_words(features, &l, asked[k].words);
	}
	buf_put_u64(features, saved_registers(&first));
}
