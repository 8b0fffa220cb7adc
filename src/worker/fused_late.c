/* fused_late.c: pending values computed op by op, as if nothing had been fused: by the ops'
 * instructions and the eager kernels, from what the run still holds.
 */
#include "worker/fused.h"

#include "base/error.h"

storage *fused_storage(const fused_run *f, uint32_t slot)
{
	const fused_slot *s = &f->slots[slot];

	return s->state & SLOT_LATE ? s->late->s : s->state & SLOT_ARENA ? f->arena->s : s->s;
}

/* The inputs, as values for a call; false if one of them has failed, and *why is why (Gives). */
static bool list_inputs(const fused_run *f, uint32_t slot, value *in, call *c, failure **why)
{
	for (unsigned k = 0; k < f->run[slot]->nin; k++) {
		const uint32_t from = fused_input(f->p, slot, k);

		c->metas[k] = NULL;
		if (from == FUSE_NONE)
			continue;
		if ((*why = fused_failure(f, from))) {
			failure_hold(*why);
			return false;
		}
		fused_view(f, from, &in[k].v);
		in[k].s = fused_storage(f, from);
		call_put(c, k, &in[k]);
	}
	return true;
}

/* One op whose inputs are all in memory. */
static void run_op(fused_run *f, uint32_t slot)
{
	tenant *t = f->tenant;
	const ins *i = f->run[slot];
	value in[INS_INPUTS_MAX], *out = store_take(&t->store);
	call c;

	out->op = i->op;
	if (list_inputs(f, slot, in, &c, &out->why)) {
		call_hold(i, &c, true);
		if (shape_infer(i, c.metas, &out->v.m))
			out->why = fault_new(t, i, NULL);
		else
			exec_finish(t, i, &c, t->worker->engine->kernels[i->op], out);
		call_hold(i, &c, false);
	}
	fused_present(f, slot, out->v.data, out, SLOT_LATE);
}

/* Mark which inputs have to come first. Returns the lowest op that is marked. */
static uint32_t want_inputs(fused_run *f, uint32_t slot, uint32_t lowest)
{
	for (unsigned k = 0; k < f->run[slot]->nin; k++) {
		const uint32_t from = fused_input(f->p, slot, k);

		if (from >= f->p->n || f->slots[from].state & SLOT_PRESENT)
			continue;
		f->slots[from].state |= SLOT_WANTED;
		lowest = MIN(lowest, from);
	}
	return lowest;
}

/* Inputs are earlier ops: down the list what is wanted, up again it is computed. */
void fused_late(fused_run *f, uint32_t slot)
{
	uint32_t lowest = slot;
	const bool held = f->held;

	if (f->slots[slot].state & SLOT_PRESENT)
		return;
	f->held = true;
	f->slots[slot].state |= SLOT_WANTED;
	for (uint32_t k = slot + 1; k-- > lowest;)
		if (f->slots[k].state & SLOT_WANTED)
			lowest = want_inputs(f, k, lowest);
	for (uint32_t k = lowest; k <= slot; k++) {
		if (!(f->slots[k].state & SLOT_WANTED))
			continue;
		f->slots[k].state &= (uint8_t)~SLOT_WANTED;
		run_op(f, k);
	}
	f->held = held;
}
