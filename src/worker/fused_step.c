/* fused_step.c: the steps of a fusion on a run's values. */
#include "worker/fused_step.h"

/* ---- memory for results ---------------------------------------------------------------------- */

static bool find_place(fused_run *f, const fused_step *st, uint32_t slot, fused_place *to)
{
	const fuse_value *o = &f->p->f->values.at[slot];

	if (!f->p->own[slot] && (f->course || fused_arena_serves(f, st->s->launch))) {
		*to = (fused_place){ (char *)f->arena->s->data + o->at, NULL, SLOT_ARENA };
		return true;
	}
	to->s = fused_spare_take(f->p, slot);
	if (!to->s)
		to->s = storage_new(f->tenant->worker->engine->memory, f->p->bytes[slot]);
	to->data = to->s ? to->s->data : NULL;
	to->how = 0;
	return to->s;
}

/* The memory of an operand, which the course drops behind this step and nobody else looks into: what
 * an optimiser replaces is written where it is read, half the way to memory and back. Not where the
 * ops stand in for the kernel: that is before the launch, which may still come to nothing. */
static bool take_over(const fused_run *f, const fused_step *st, uint32_t k, fused_place *to)
{
	const uint32_t from = st->takes ? st->takes[k] : FUSE_NONE;
	const uint32_t number = (uint32_t)(st - f->p->steps) + 1;
	storage *s;

	if (from == FUSE_NONE || st->replaced || !f->course || f->course->last[from] != number)
		return false;
	s = f->slots[from].s;
	if (!s || s->release || s->data != f->slots[from].data ||
			s->size != f->p->bytes[st->out[k]] ||
			__atomic_load_n(&s->refs, __ATOMIC_ACQUIRE) != 1)
		return false;
	storage_hold(s);
	counter_add(&f->tenant->hot->counts.reused, 1);
	*to = (fused_place){ s->data, s, 0 };
	return true;
}

void fused_places_drop(fused_place *all, uint32_t count)
{
	while (count--)
		if (all[count].s)
			storage_drop(all[count].s);
}

bool fused_places_find(fused_run *f, const fused_step *st, fused_place *all)
{
	for (uint32_t k = 0; k < st->out_count; k++)
		if (!take_over(f, st, k, &all[k]) && !find_place(f, st, st->out[k], &all[k])) {
			fused_places_drop(all, k);
			return false;
		}
	return true;
}

void fused_finish(fused_run *f, const fused_step *st, const fused_place *out, uint32_t count)
{
	for (uint32_t k = 0; k < count; k++)
		fused_present(f, st->out[k], out[k].data, out[k].s, out[k].how);
	for (uint32_t k = 0; k < st->in_count; k++)
		fused_unneed(f, st->in[k]);
}

/* ---- calls, products, views ------------------------------------------------------------------ */

void fused_set_inputs(const fused_run *f, const fused_step *st, const ins *i)
{
	unsigned tensors = 0;

	for (unsigned k = 0; k < i->nin; k++)
		if (ins_kind(i, k))
			engine_scalar((dtype_kind)ins_kind(i, k),
				(scalar){ .bits = ins_in(i)[k] },
				(gt_dtype)st->views[k].m.dtype, &st->words[k]);
		else
			st->views[k].data = f->slots[st->in[tensors++]].data;
}

bool fused_is_there(const fused_run *f, uint32_t slot)
{
	const fused_slot *s = &f->slots[slot];

	return s->state & SLOT_LATE && !s->late->why && s->late->v.contiguous;
}

static bool compute_call(fused_run *f, fused_step *st, fused_place *out)
{
	const uint32_t slot = st->s->value;
	const ins *i = fusion_row(f->p->f, slot, f->run);
	kernel *run = f->tenant->worker->engine->kernels[i->op];

	if (UNLIKELY(!run || !find_place(f, st, slot, out)))
		return false;
	fused_set_inputs(f, st, i);
	st->views[i->nin].data = out->data;
	st->call.i = i;
	if (LIKELY(!run(&st->call)))
		return true;
	fused_places_drop(out, 1);
	if (!f->course)
		fused_late(f, f->p->f->values.at[slot].op);      /* fails in the op's words */
	return false;
}

static bool launch_call(fused_run *f, fused_step *st)
{
	fused_place out;

	if (fused_is_there(f, st->s->value)) {
		for (uint32_t k = 0; k < st->in_count; k++)
			fused_unneed(f, st->in[k]);
		return true;
	}
	if (UNLIKELY(!compute_call(f, st, &out)))
		return false;
	fused_finish(f, st, &out, 1);
	return true;
}

/* ---- products and adding, with their kernels ---- */

static bool run_joined(fused_run *f, fused_step *st)
{
	const bool product = st->s->kind == STEP_PRODUCT;

	if (UNLIKELY(fused_is_barred(st)))
		return fused_replace(f, st, st->places);
	fused_kernel_prepare(f, st, st->places);
	if (UNLIKELY(!(product ? fused_product_run : fused_add_run)(f, st, st->places)))
		return false;
	if (UNLIKELY(fused_on_probation(f, st)))
		fused_prove(f, st, st->places);
	return true;
}

static bool compute_joined(fused_run *f, fused_step *st)
{
	if (UNLIKELY(!fused_places_find(f, st, st->places)))
		return false;
	if (LIKELY(run_joined(f, st)))
		return true;
	fused_places_drop(st->places, st->out_count);
	return false;
}

static bool launch_joined(fused_run *f, fused_step *st)
{
	if (UNLIKELY(!compute_joined(f, st)))
		return false;
	counter_add(&f->tenant->hot->counts.kernels, 1);
	fused_finish(f, st, st->places, st->out_count);
	return true;
}

/* ---- views ---- */

static void launch_view(fused_run *f, const fused_step *st)
{
	const uint32_t base = *st->in, slot = *st->out;
	const uint8_t how = f->slots[base].state & SLOT_ARENA;
	storage *s = how ? NULL : fused_storage(f, base);

	if (s)
		storage_hold(s);
	fused_present(f, slot, (char *)f->slots[base].data +
		fusion_offset(f->p->f, slot, f->run), s, how);
	fused_unneed(f, base);
}

/* ---- on a course ---------------------------------------------------------------------------- */

/* Results are in memory: one reference for all that lies in it (fused_course.h). */
static void keep(fused_run *f, const fused_step *st, const fused_place *out)
{
	for (uint32_t k = 0; k < st->out_count; k++) {
		f->slots[st->out[k]].data = out[k].data;
		f->slots[st->out[k]].s = out[k].s;
	}
}

static void follow_view(fused_run *f, const fused_step *st)
{
	f->slots[*st->out].data = (char *)f->slots[*st->in].data +
		fusion_offset(f->p->f, *st->out, f->run);
}

/* It need not be run beside anything. */
static bool is_sound(const fused_step *st)
{
	return !fused_is_barred(st) && atomic_load_explicit(&st->code->proved,
		memory_order_relaxed) >= CODE_TRUSTED;
}

static bool follow_kernels(fused_run *f, fused_step *st)
{
	const unsigned count = 1 + st->s->together;

	for (unsigned k = 0; k < count; k++)
		if (UNLIKELY(!is_sound(&st[k])))
			return false;
	if (UNLIKELY(!fused_kernels_compute(f, st, count)))
		return false;
	for (unsigned k = 0; k < count; k++)
		keep(f, &st[k], st[k].places);
	counter_add(&f->tenant->hot->counts.kernels, 1);
	return true;
}

static bool follow_joined(fused_run *f, fused_step *st)
{
	if (UNLIKELY(!is_sound(st) || !compute_joined(f, st)))
		return false;
	keep(f, st, st->places);
	counter_add(&f->tenant->hot->counts.kernels, 1);
	return true;
}

bool fused_follow(fused_run *f, fused_step *st)
{
	fused_place out;

	if (st->s->kind >= STEP_VIEW) {
		follow_view(f, st);
		return true;
	}
	if (UNLIKELY(!fused_arena_is_free(f, st->s->launch)))
		return false;
	if (st->s->kind == STEP_KERNEL)
		return follow_kernels(f, st);
	if (st->s->kind <= STEP_ADD)
		return follow_joined(f, st);
	if (f->p->f->values.at[st->s->value].row->op == OP_upload)
		return true;             /* it is there */
	if (UNLIKELY(!compute_call(f, st, &out)))
		return false;
	keep(f, st, &out);
	return true;
}

/* ---- all of an op's -------------------------------------------------------------------------- */

bool fused_launch(fused_run *f, uint32_t at)
{
	const uint32_t end = f->p->ops[at + 1].steps;

	for (; f->step < end; f->step++) {
		fused_step *st = &f->p->steps[f->step];
		bool done = true;

		if (st->s->kind == STEP_KERNEL)
			done = fused_kernels_launch(f, st, 1 + st->s->together);
		else if (st->s->kind <= STEP_ADD)
			done = launch_joined(f, st);
		else if (st->s->kind == STEP_CALL)
			done = launch_call(f, st);
		else
			launch_view(f, st);
		if (UNLIKELY(!done))
			return false;
		f->step += st->s->together;
	}
	return true;
}
