/* region.c: what can be said about a region once it is built (build.c). */
#include "hotpath/region.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/mem.h"
#include "hotpath/mix.h"

void region_free(region *r)
{
	if (!r)
		return;
	mem_free(r->ops);
	mem_free(r->inputs);
	mem_free(r->live_ins);
	mem_free(r);
}

uint64_t region_signature(const region *r)
{
	uint64_t h = r->n;

	for (uint32_t i = 0; i < r->n; i++) {
		const region_op *o = &r->ops[i];

		h = mix(h, o->op | (uint64_t)o->kinds << 16 | (uint64_t)o->nin << 32 |
			(uint64_t)o->nopd << 40);
		h = mix(mix(h, o->attr), o->metas);
		for (unsigned k = 0; k < o->nin; k++)
			h = mix(h, (uint32_t)r->inputs[o->first + k]);
	}
	return h >> 16;
}

bool region_same_desc(const region_op *a, const record *b)
{
	return a->op == b->op && a->kinds == b->kinds && a->nin == b->nin && a->nopd == b->nopd &&
		a->attr == b->attr && a->metas == b->metas;
}

/* Who makes the value that mostly comes there does not see any more who uses it. */
void region_share(region *r, uint32_t at, uint32_t m)
{
	const int32_t in = r->inputs[at];

	assert(in != REGION_SCALAR && m < r->live_ins_count);
	if (in >= 0)
		r->ops[in].live_out = true;
	r->inputs[at] = (int32_t)~m;
}

uint32_t region_widen(region *r, uint32_t at)
{
	const uint32_t m = r->live_ins_count++;

	r->live_ins = mem_grow(r->live_ins, r->live_ins_count * sizeof(*r->live_ins));
	r->live_ins[m] = (region_live_in){ REGION_NEVER, REGION_NEVER };
	region_share(r, at, m);
	return m;
}

/* Input `in` of op i, with live-ins counted anew: number[] is what they are called now. */
static int32_t renumber(region *r, uint32_t i, int32_t in, uint32_t *number,
	region_live_in *live_ins, uint32_t *count)
{
	uint32_t m;

	if (in == REGION_SCALAR)
		return in;
	if (in >= 0) {
		r->ops[in].last_use = i;
		return in;
	}
	m = REGION_LIVE_IN(in);
	if (number[m] == REGION_NEVER) {
		number[m] = (*count)++;
		live_ins[number[m]] = (region_live_in){ i, r->live_ins[m].carried };
	}
	return (int32_t)~number[m];
}

void region_widened(region *r)
{
	uint32_t *number = mem_alloc((r->live_ins_count + 1) * sizeof(*number)), count = 0;
	region_live_in *live_ins = mem_alloc((r->live_ins_count + 1) * sizeof(*live_ins));

	memset(number, 0xff, (r->live_ins_count + 1) * sizeof(*number));
	for (uint32_t i = 0; i < r->n; i++)
		r->ops[i].last_use = REGION_NEVER;
	for (uint32_t i = 0; i < r->n; i++)
		for (uint32_t k = r->ops[i].first; k < r->ops[i].first + r->ops[i].nin; k++)
			r->inputs[k] = renumber(r, i, r->inputs[k], number, live_ins, &count);
	mem_free(number);
	mem_free(r->live_ins);
	r->live_ins = live_ins;
	r->live_ins_count = count;
	r->signature = region_signature(r);
}

const char *cut_why_text(cut_why why)
{
	static const char *const texts[] = {
		[CUT_BYTES] = "fewest bytes alive",
		[CUT_READ] = "fewest bytes alive, behind a read",
		[CUT_FRESH] = "fewest bytes alive, before fresh data",
		[CUT_SCOPE] = "beginning of a scope",
		[CUT_SIDE] = "place where runs leave another region",
	};

	return texts[why];
}

const char *region_name(uint64_t signature, uint32_t n, char *text)
{
	snprintf(text, REGION_NAME_MAX, "Stream(%012" PRIx64 ":%uops)", signature, n);
	return text;
}

static void print_input(const region *r, const region_op *o, unsigned k, buf *to)
{
	const int32_t in = r->inputs[o->first + k];

	buf_printf(to, k ? ", " : " ");
	if (in == REGION_SCALAR)
		buf_printf(to, "%s", INS_KIND(o->kinds, k) == KIND_FLOAT ? "float" :
			INS_KIND(o->kinds, k) == KIND_INT ? "int" : "bool");
	else if (in >= 0)
		buf_printf(to, "%%%d", in);
	else
		buf_printf(to, "in%u", REGION_LIVE_IN(in));
}

static void print_fate(const region *r, const region_op *o, buf *to)
{
	buf_printf(to, "    # %s", o->read ? "read" : o->live_out ? "live-out" : "inside");
	if (o->freed != REGION_NEVER && o->freed < r->n)
		buf_printf(to, ", freed behind %%%u", o->freed);
	else if (o->freed != REGION_NEVER)
		buf_printf(to, ", freed in the next run behind %%%u", o->freed - r->n);
}

void region_print_op(const region *r, uint32_t i, buf *to)
{
	const region_op *o = &r->ops[i];

	buf_printf(to, "%%%u = %s", i, op_rows[o->op].name);
	for (unsigned k = 0; k < o->nin; k++)
		print_input(r, o, k, to);
	print_fate(r, o, to);
}

void region_print(const region *r, buf *to)
{
	for (uint32_t i = 0; i < r->n; i++) {
		region_print_op(r, i, to);
		buf_printf(to, "\n");
	}
}
