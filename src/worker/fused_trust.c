/* fused_trust.c: kernels beside what they stand for.
 *
 * A step's results are computed once more by the engine's kernels, row by row of the fusion, and the
 * bits are compared (payload and sign of NaNs aside). That is done for the first runs of each piece
 * of code, for the first run of each plan, and with GT_CHECK always. What differs is replaced before
 * anybody sees it, and the code is barred: from then on its steps run row by row.
 */
#include "worker/hot.h"

#include <inttypes.h>
#include <stdio.h>
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/transcript.h"

/* The rows' results, by number; each holds its storage twice, so that no row works in the memory of
 * another's. */
typedef struct proof {
	fused_run *f;
	value **made;            /* by slot; NULL: not made */
	uint32_t *rows;
	bool failed;
} proof;

static bool is_there(void *ctx, uint32_t slot)
{
	const proof *p = ctx;

	return p->made[slot] || p->f->slots[slot].state & SLOT_PRESENT;
}

static void free_row(proof *p, uint32_t slot)
{
	value *v = p->made[slot];

	if (v->s)
		storage_drop(v->s);
	store_return(&p->f->tenant->store, v);
	p->made[slot] = NULL;
}

/* Input k of a row: made just now, or of the run. False if it is neither. */
static bool find_input(const proof *p, uint32_t slot, value *room, const value **found)
{
	const fused_slot *s = &p->f->slots[slot];

	*found = p->made[slot];
	if (*found)
		return true;
	if (!(s->state & SLOT_PRESENT) || fused_failure(p->f, slot))
		return false;
	fused_view(p->f, slot, &room->v);
	room->s = fused_storage(p->f, slot);
	*found = room;
	return true;
}

static void run_row(proof *p, uint32_t slot)
{
	tenant *t = p->f->tenant;
	const ins *row = p->f->p->f->values.at[slot].row;
	const ins *i = fusion_row(p->f->p->f, slot, p->f->run);
	value in[INS_INPUTS_MAX], *out;
	const value *found;
	call c = { .metas = { NULL } };

	for (unsigned k = 0; k < row->nin; k++) {
		if (ins_kind(row, k))
			continue;
		if (!find_input(p, (uint32_t)(ins_in(row)[k] - 1), &in[k], &found)) {
			p->failed = true;
			return;
		}
		call_put(&c, k, found);
	}
	p->made[slot] = out = store_take(&t->store);
	meta_copy(&out->v.m, &p->f->p->f->values.at[slot].m);
	call_hold(i, &c, true);
	exec_finish(t, i, &c, t->worker->engine->kernels[i->op], out);
	call_hold(i, &c, false);
	p->failed |= out->why != NULL;
	if (out->s)
		storage_hold(out->s);
}

/* Compute what the step makes; false if that is not possible. */
static bool run_rows(proof *p, const fused_step *st)
{
	const uint64_t faults = atomic_load(&p->f->tenant->worker->faults);
	const fusion *f = p->f->p->f;

	p->made = mem_zero((f->values.count + 1) * sizeof *p->made);
	p->rows = mem_alloc((f->order.count + 1) * sizeof *p->rows);
	for (uint32_t k = 0; k < st->out_count; k++) {
		const uint32_t n = fusion_slice(f, st->out[k], is_there, p, p->rows);

		for (uint32_t j = 0; j < n && !p->failed; j++)
			run_row(p, p->rows[j]);
	}
	atomic_store(&p->f->tenant->worker->faults, faults);
	return !p->failed;
}

static void end(proof *p)
{
	for (uint32_t k = 0; k < p->f->p->f->values.count; k++)
		if (p->made[k])
			free_row(p, k);
	mem_free(p->made);
	mem_free(p->rows);
}

/* ---- what comes of it ------------------------------------------------------------------------ */

static void put(const value *right, void *to)
{
	memcpy(to, right->v.data, (size_t)meta_count(&right->v.m) *
		dtype_size((gt_dtype)right->v.m.dtype));
}

static const value *result(const proof *p, uint32_t slot, value *room)
{
	const value *v = NULL;

	return find_input(p, slot, room, &v) && v->v.contiguous ? v : NULL;
}

static void complain(fused_run *f, const fused_step *st, const value *got, const value *right,
	int64_t k)
{
	char name[REGION_NAME_MAX];
	hot *h = f->tenant->hot;
	char *kept = transcript_keep(f, st);
	buf text = { 0 };

	group_print(st->code->g, &text);
	fail(GT_ECHECK, "a kernel of %s: element %" PRId64 " is %.17g, eagerly %.17g",
		region_name(f->p->r->signature, f->p->n, name), k, hot_number(got, k),
		hot_number(right, k));
	log_line("WRONG CODE: %s; it is not used any more. Please report this%s%s%s:\n%s",
		gt_last_error(), kept ? ", with " : "", kept ? kept : "", kept ?
		", which holds the numbers that it was given" : "", buf_text(&text));
	mem_free(kept);
	if (h->checks && !h->wrong)
		h->wrong = fault_new(f->tenant, f->run[f->at - 1], NULL);
	buf_fini(&text);
}

static void compare(proof *p, const fused_step *st, uint32_t k, const fused_place *out)
{
	value got = { .s = NULL }, room;
	const value *right = result(p, st->out[k], &room);
	int64_t at;

	if (!right)
		return;
	fused_view_planned(p->f->p, st->out[k], &got.v);
	got.v.data = out->data;
	if ((at = hot_difference(&got, right)) < 0)
		return;
	if (!atomic_exchange(&st->code->barred, true))
		complain(p->f, st, &got, right, at);
	hot_bar_kept(p->f->tenant->hot, p->f->p->r->signature);
	put(right, out->data);
}

void fused_prove(fused_run *f, const fused_step *st, const fused_place *out)
{
	proof p = { .f = f };

	if (run_rows(&p, st)) {
		for (uint32_t k = 0; k < st->out_count; k++)
			compare(&p, st, k, &out[k]);
		atomic_fetch_add(&st->code->proved, 1);
	}
	end(&p);
}

bool fused_replace(fused_run *f, const fused_step *st, const fused_place *out)
{
	proof p = { .f = f };
	const bool done = run_rows(&p, st);
	value room;

	for (uint32_t k = 0; k < st->out_count && done; k++)
		if (result(&p, st->out[k], &room))
			put(result(&p, st->out[k], &room), out[k].data);
	end(&p);
	return done;
}
