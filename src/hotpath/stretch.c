/* stretch.c: ops become a list, ids its wiring. */
#include "hotpath/stretch.h"

#include "base/mem.h"

#define FIRST_ROOM 64u

void stretch_init(stretch *s)
{
	memset(s, 0, sizeof(*s));
	s->list = mem_zero(sizeof(*s->list));
}

void stretch_fini(stretch *s)
{
	region_free(s->list);
	scratch_fini(&s->made);
	scratch_fini(&s->bound);
}

void stretch_begin(stretch *s)
{
	s->list->n = s->list->inputs_count = s->list->live_ins_count = 0;
	scratch_begin(&s->made, FIRST_ROOM);
	scratch_begin(&s->bound, FIRST_ROOM);
}

static int32_t live_in(stretch *s, uint64_t id)
{
	region *r = s->list;
	uint32_t m = scratch_get(&s->bound, id);

	if (m == SCRATCH_NONE) {
		VEC_ROOM(r->live_ins, r->live_ins_count, s->live_ins_room);
		m = r->live_ins_count++;
		r->live_ins[m] = (region_live_in){ r->n, REGION_NEVER };
		scratch_put(&s->bound, id, m);
	}
	return (int32_t)~m;
}

static int32_t input_of(stretch *s, const record *from, unsigned k)
{
	uint32_t p;

	if (record_scalar(from, k))
		return REGION_SCALAR;
	p = scratch_get(&s->made, from->in[k]);
	if (p == SCRATCH_NONE)
		return live_in(s, from->in[k]);
	s->list->ops[p].last_use = s->list->n;
	return (int32_t)p;
}

void stretch_op(stretch *s, const record *from)
{
	region *r = s->list;
	region_op *o;

	VEC_ROOM(r->ops, r->n, s->ops_room);
	o = &r->ops[r->n];
	*o = (region_op){ .op = from->op, .kinds = from->kinds, .nin = from->nin,
		.nopd = from->nopd, .live_out = true, .site = from->site, .size = from->size,
		.first = r->inputs_count, .last_use = REGION_NEVER, .freed = REGION_NEVER,
		.attr = from->attr, .metas = from->metas };
	for (unsigned k = 0; k < from->nin; k++) {
		const int32_t in = input_of(s, from, k);

		VEC_ROOM(r->inputs, r->inputs_count, s->inputs_room);
		r->inputs[r->inputs_count++] = in;
	}
	scratch_put(&s->made, from->out, r->n++);
}

void stretch_free(stretch *s, uint64_t id)
{
	const uint32_t p = s->list->n ? scratch_get(&s->made, id) : SCRATCH_NONE;

	if (p == SCRATCH_NONE)
		return;
	s->list->ops[p].live_out = false;
	s->list->ops[p].freed = s->list->n - 1;
}

region *stretch_give(stretch *s, uint64_t signature, cut_why why)
{
	region *r = s->list;

	s->list = mem_zero(sizeof(*s->list));
	s->ops_room = s->inputs_room = s->live_ins_room = 0;
	r->signature = signature;
	r->cut_why = why;
	r->cut_unique = true;
	return r;
}
