/* fuse_gather.c: kernels that run together: the updates of many parameters as one launch.
 *
 * What nobody in the region reads can wait a little. In a row of such kernels, as an optimiser
 * makes them, parameter after parameter, all run behind the op of the last one. Nothing else may be
 * launched in between, so only their own operands live longer, and not for long. They need not be
 * of one group: none reads what another one makes, and that is all it takes.
 */
#include "region/fuse_graph.h"

static const fuse_unit *unit_of(const fuse_graph *g, const fuse_step *s)
{
	return &g->units.at[g->nodes[g->f->members.at[s->members]].unit];
}

/* Does nobody in the region read what it makes? */
static bool is_final(const fuse_graph *g, const fuse_step *s)
{
	for (uint32_t k = 0; k < s->members_count; k++) {
		const fuse_node *n = &g->nodes[g->f->members.at[s->members + k]];

		for (uint32_t j = 0; j < n->users_count; j++)
			if (g->nodes[g->users[n->users + j]].unit != n->unit)
				return false;
	}
	return true;
}

/* Where the row that begins with step `first` ends: behind its last kernel. There may be views in
 * it. */
static uint32_t find_end(const fuse_graph *g, uint32_t first, uint32_t *kernels)
{
	const fusion *f = g->f;
	uint32_t end = first, deadline = REGION_NEVER;

	*kernels = 0;
	for (uint32_t at = first; at < f->steps.count && *kernels < FUSE_TOGETHER; at++) {
		const fuse_step *s = &f->steps.at[at];

		if (s->kind == STEP_VIEW || s->kind == STEP_ALIAS)
			continue;
		if (s->kind != STEP_KERNEL || !is_final(g, s) || s->launch > deadline)
			break;
		deadline = MIN(deadline, unit_of(g, s)->deadline);
		++*kernels;
		end = at + 1;
	}
	return end;
}

/* Is it a view of what a kernel between `first` and `at` makes? */
static bool shows_row(const fuse_graph *g, uint32_t first, uint32_t at)
{
	const fuse_step *steps = g->f->steps.at;
	const uint32_t unit = g->nodes[g->nodes[steps[at].value].root].unit;

	while (unit != FUSE_NONE && at-- > first)
		if (steps[at].kind == STEP_KERNEL && unit_of(g, &steps[at]) == &g->units.at[unit])
			return true;
	return false;
}

/* 0: views of what was there before, 1: kernels, 2: views of what they make. */
static int part_of(const fuse_graph *g, uint32_t first, uint32_t at)
{
	return g->f->steps.at[at].kind == STEP_KERNEL ? 1 : shows_row(g, first, at) ? 2 : 0;
}

/* The steps of a row, by parts; kernels run behind the last one's op. */
static void arrange(fuse_graph *g, uint32_t first, uint32_t end, uint32_t kernels, fuse_step *room)
{
	fuse_step *steps = g->f->steps.at;
	const uint32_t launch = steps[end - 1].launch;
	uint32_t count = 0, gathered = 0;

	for (int part = 0; part < 3; part++)
		for (uint32_t at = first; at < end; at++) {
			if (part_of(g, first, at) != part)
				continue;
			room[count] = steps[at];
			if (part)
				room[count].launch = launch;
			if (part == 1 && !gathered++)
				room[count].together = kernels - 1;
			count++;
		}
	memcpy(steps + first, room, count * sizeof *room);
}

void fuse_gather(fuse_graph *g)
{
	const uint32_t count = g->f->steps.count;
	fuse_step *room = mem_alloc((count + 1) * sizeof *room);
	uint32_t kernels, end;

	for (uint32_t at = 0; at < count; at = MAX(end, at + 1)) {
		end = find_end(g, at, &kernels);
		if (kernels > 1)
			arrange(g, at, end, kernels, room);
	}
	mem_free(room);
}
