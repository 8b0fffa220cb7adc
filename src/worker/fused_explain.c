/* fused_explain.c: what became of a region in tier T2, in words.
 *
 * The short form has a line a kernel, and a line for each reason why kernels end where they do. The
 * full one is fusion_print's. Kernels are called by the names that dumps and perf have for them.
 */
#include "worker/hot.h"

#include <gt/gt.h>
#include <inttypes.h>
#include "group/group.h"

#define KERNELS_SHOWN 16
#define OPS_SHOWN     12         /* of a kernel */
#define EDGES_SHOWN    6         /* of a reason */

/* Result of an op, live-in, part of a decomposition: as fusion_print has them. */
static void put_value(const fusion *f, uint32_t v, buf *to)
{
	if (fusion_visible(f, v))
		buf_printf(to, "%%%u", v);
	else if (v < f->ops + f->live_ins)
		buf_printf(to, "in%u", v - f->ops);
	else
		buf_printf(to, "+%u", v - f->ops - f->live_ins);
}

static void put_members(const fusion *f, const fuse_step *s, buf *to)
{
	unsigned shown = 0, left = 0;

	for (uint32_t k = 0; k < s->members_count; k++) {
		const uint32_t v = f->members.at[s->members + k];

		if (!fusion_visible(f, v))
			continue;
		if (shown++ < OPS_SHOWN)
			buf_printf(to, " %%%u", v);
		else
			left++;
	}
	if (left)
		buf_printf(to, " and %u more", left);
}

static void put_space(const fuse_step *s, buf *to)
{
	if (s->kind == STEP_PRODUCT)
		buf_printf(to, ", on each piece of product %%%u", s->value);
	else if (s->kind == STEP_ADD)
		buf_printf(to, ", each piece added at indices");
	buf_printf(to, ", over ");
	for (int d = 0; d < s->outer_count; d++)
		buf_printf(to, "%" PRId64 " x ", s->outer[d]);
	buf_printf(to, "%" PRId64 " x %" PRId64 "\n", s->rows, s->cols);
}

static void put_kernels(const fused_plan *p, buf *to)
{
	unsigned n = 0;

	for (uint32_t k = 0; k < p->f->steps.count; k++) {
		const fused_step *st = &p->steps[k];

		if (!st->code || n++ >= KERNELS_SHOWN)
			continue;
		buf_printf(to, "      %s:", st->code->name);
		put_members(p->f, st->s, to);
		put_space(st->s, to);
	}
	if (n > KERNELS_SHOWN)
		buf_printf(to, "      ... and %u more\n", n - KERNELS_SHOWN);
}

/* A line a reason: "%1 | %2, %7 | %9 and 3 more: made or used by ...". */
static void put_edges(const fusion *f, fuse_why why, buf *to)
{
	unsigned n = 0;

	for (uint32_t k = 0; k < f->edges.count; k++) {
		const fuse_edge *e = &f->edges.at[k];

		if (e->why != why || n++ >= EDGES_SHOWN)
			continue;
		buf_printf(to, n == 1 ? "      apart: " : ", ");
		put_value(f, e->value, to);
		buf_printf(to, " | ");
		put_value(f, e->user, to);
	}
	if (n > EDGES_SHOWN)
		buf_printf(to, " and %u more", n - EDGES_SHOWN);
	if (n)
		buf_printf(to, ": %s\n", fuse_why_text(why));
}

/* What the region's ops became that are no ops any more. */
static void put_removed(const fusion *f, buf *to)
{
	for (uint32_t v = 0; v < f->ops; v++) {
		const fuse_value *o = &f->values.at[v];

		if (o->where == FUSE_DEAD)
			buf_printf(to, "%%%u: nothing needs it\n", v);
		else if (o->where == FUSE_ALIAS) {
			buf_printf(to, "%%%u: is ", v);
			put_value(f, o->from, to);
			buf_printf(to, "\n");
		}
	}
}

void fused_print(const fused_plan *p, buf *to)
{
	put_removed(p->f, to);
	fusion_print(p->f, to);
	for (uint32_t k = 0; k < p->f->steps.count; k++)
		if (p->steps[k].code)
			buf_printf(to, "group %u is %s\n", p->f->steps.at[k].group,
				p->steps[k].code->name);
}

static void put_plan(const fused_plan *p, bool last, bool full, buf *to)
{
	uint32_t called = 0;

	for (uint32_t k = 0; k < p->f->steps.count; k++)
		called += p->f->steps.at[k].kind == STEP_CALL;
	buf_printf(to, "    %u ops -> %u kernels, %u calls; %u launches saved, %" PRIu64 " bytes not "
		"written; arena %" PRIu64 " bytes; %" PRIu64 " runs\n", p->n, p->kernels, called,
		p->launches_saved, p->bytes_saved, p->f->arena_size, p->completed);
	if (p->tried)
		buf_printf(to, "    tuned: of %u ways measured the best takes %.2f of the usual "
			"one's time\n", p->tried, (double)p->tuned_ns / (double)MAX(p->usual_ns, 1));
	if (full)
		fused_print(p, to);
	if (full || !last)
		return;
	put_kernels(p, to);
	for (unsigned why = 0; why < WHY_COUNT; why++)
		put_edges(p->f, (fuse_why)why, to);
}

const char *fused_kernel_of(const fused_plan *p, uint32_t at)
{
	for (uint32_t k = 0; k < p->f->steps.count; k++) {
		const fuse_step *s = p->steps[k].s;

		for (uint32_t m = 0; p->steps[k].code && m < s->members_count; m++)
			if (p->f->members.at[s->members + m] == at)
				return p->steps[k].code->name;
	}
	return NULL;
}

static void put_times(const hot_run *r, buf *to)
{
	const hot_times *times = r->fused.judge.times;
	const uint64_t one = hot_times_least(&times[0]), two = hot_times_least(&times[1]);

	if (!one || !two)
		return;
	buf_printf(to, "  a run of the executor: T1 ");
	hot_put_time(r, one, to);
	buf_printf(to, ", T2 ");
	hot_put_time(r, two, to);
	buf_printf(to, "\n");
}

/* How the region is compiled, where that is not as usual. */
static void put_mode(const hot_run *r, buf *to)
{
	static const char *const names[] = {
#define MODE(name, text) [GT_COMPILE_##name] = text,
		GT_COMPILE_MODES(MODE)
#undef MODE
	};
	const unsigned mode = job_mode(r->plan->region);

	if (mode != GT_COMPILE_DEFAULT)
		buf_printf(to, ", %s", names[mode]);
}

void fused_explain(const hot_run *r, bool full, buf *to)
{
	const fused *u = &r->fused;
	const fused_judge *j = &u->judge;

	if (!u->count && u->vain)
		buf_printf(to, "  not compiled: one by one its operations take no longer\n");
	if (!u->count && !u->failed)
		return;
	buf_printf(to, "  fused (T2");
	put_mode(r, to);
	buf_printf(to, "): %u plans for the shapes seen, %" PRIu64 " runs%s\n", u->count, u->runs,
		j->blacklisted ? "; off: no faster than T1" : j->off ?
		"; off for a while" : "");
	if (j->demotions)
		buf_printf(to, "  demoted %u times, at last for %.2fx of %s\n", j->demotions,
			j->ratio, j->by_eager ? "eager" : "T1");
	if (u->failed)
		buf_printf(to, "  could not be compiled %u times\n", u->failed);
	put_times(r, to);
	for (unsigned k = 0; k < u->count; k++)
		put_plan(u->plans[k], !k, full, to);
}
