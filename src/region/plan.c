/* plan.c: plans made from regions. */
#include "region/plan.h"

#include "base/mem.h"

/* Seeds, draw numbers and data come first among the operands, and no shape depends on them. */
static unsigned first_size(const op_row *row)
{
	unsigned k = 0;

	while (row->operands && (row->operands[k] == 'u' || row->operands[k] == 'b'))
		k++;
	return k;
}

static uint32_t make_step(plan_step *s, const region_op *o, uint32_t sizes, const engine *e)
{
	const unsigned first = MIN(first_size(&op_rows[o->op]), o->nopd);

	*s = (plan_step){ .stamp = PLAN_UNKNOWN, .run = e->kernels[o->op], .sizes = sizes,
		.first_size = (uint8_t)first, .size_count = (uint8_t)(o->nopd - first) };
	return s->size_count;
}

plan *plan_new(region *r, const engine *e)
{
	plan *p = mem_zero(sizeof *p);
	uint32_t sizes = 0;

	p->region = r;
	p->epoch = 1;
	pattern_init(&p->pattern, r);
	p->steps = mem_alloc(r->n * sizeof *p->steps);
	p->slots = mem_zero(p->pattern.slots * sizeof *p->slots);
	for (uint32_t k = 0; k < r->n; k++)
		sizes += make_step(&p->steps[k], &r->ops[k], sizes, e);
	p->operands = mem_zero((sizes + 1) * sizeof *p->operands);
	return p;
}

void plan_free(plan *p)
{
	if (!p)
		return;
	region_free(p->region);
	pattern_fini(&p->pattern);
	mem_free(p->steps);
	mem_free(p->slots);
	mem_free(p->operands);
	mem_free(p);
}

uint64_t plan_stamp(const plan *p, uint32_t at)
{
	const pattern_op *o = &p->pattern.ops[at];
	uint64_t stamp = 0;

	for (uint32_t k = 0; k < o->nin; k++) {
		const uint32_t in = p->pattern.inputs[o->first + k];

		if (in != MATCH_SCALAR)
			stamp += p->slots[in & ~MATCH_BIND].version;
	}
	return stamp;
}

void plan_learn(plan *p, uint32_t at, uint64_t stamp, const ins *i, const meta *out, uint32_t cost)
{
	plan_step *s = &p->steps[at];

	p->changes++;
	s->stamp = stamp;
	s->epoch = 0;
	memcpy(p->operands + s->sizes, ins_opd(i) + s->first_size,
		s->size_count * sizeof *p->operands);
	plan_bind(p, at, out);
	p->slots[at].cost = cost;
	p->slots[at].size = record_size(out);
}

/* Neither what was bound nor what was learnt is true of this run: no meta is like none. */
static void forget_slot(plan_slot *s)
{
	s->m = (meta){ .dtype = GT_DTYPE_NONE };
	s->version++;
}

void plan_forget(plan *p, uint32_t at)
{
	const uint32_t n = p->pattern.n;

	for (uint32_t k = 0; k < at; k++) {
		p->steps[k].stamp = PLAN_UNKNOWN;
		forget_slot(&p->slots[k]);
	}
	for (uint32_t k = n; k < p->pattern.slots; k++)
		forget_slot(&p->slots[k]);
	p->epoch++;
}
