/* machine.c: what cpuid says. Words that differ from core to core or from moment to moment are left
 * out. */
#include "cache/machine.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include "base/base.h"

typedef union leaf { struct { uint32_t a, b, c, d; }; uint32_t words[4]; } leaf;

static leaf ask(uint32_t number, uint32_t part)
{
	leaf l = { .words = { 0 } };

	__get_cpuid_count(number, part, &l.a, &l.b, &l.c, &l.d);
	return l;
}

void machine_name(char name[MACHINE_NAME_MAX])
{
	const leaf maker = ask(0, 0);
	const uint32_t a = ask(1, 0).a, family = a >> 8 & 15, model = a >> 4 & 15;
	char text[13] = { 0 };

	memcpy(text, &maker.b, 4);
	memcpy(text + 4, &maker.d, 4);
	memcpy(text + 8, &maker.c, 4);
	snprintf(name, MACHINE_NAME_MAX, "%s %u-%u-%u", text,
		family + (family == 15 ? a >> 20 & 255 : 0),
		model | (family == 6 || family == 15 ? (a >> 16 & 15) << 4 : 0), a & 15);
}

/* Which registers the system saves: what is not among them must not be used. */
static uint64_t saved_registers(void)
{
	uint32_t low, high;

	if (!(ask(1, 0).c & bit_OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (uint64_t)high << 32;
}

void machine_features(buf *to)
{
	static const struct { uint32_t leaf, part; uint8_t words; } asked[] = {
		{ 1, 0, 0xc },                   /* b is the core's number, a is in the name */
		{ 7, 0, 0xe }, { 7, 1, 0xf }, { 0xd, 1, 0x1 },
		{ 0x80000001, 0, 0xc },
	};

	for (size_t k = 0; k < COUNT(asked); k++) {
		const leaf l = ask(asked[k].leaf, asked[k].part);

		for (unsigned w = 0; w < 4; w++)
			if (asked[k].words >> w & 1)
				buf_put_u32(to, l.words[w]);
	}
	buf_put_u64(to, saved_registers());
}
