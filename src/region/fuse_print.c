/* fuse_print.c: a fusion as text. */
#include "region/fuse.h"

#include <inttypes.h>

const char *fuse_why_text(fuse_why why)
{
	static const char *const texts[WHY_COUNT] = {
		[WHY_FUSED] = "fused",
		[WHY_LIVE_OUT] = "used behind the region's end",
		[WHY_READ] = "read by the program",
		[WHY_SMALL] = "small results are always stored",
		[WHY_CALL] = "made or used by an op that is a call of its own kernel",
		[WHY_VIEW] = "used through a slice or in another order",
		[WHY_SPACE] = "the shapes have no space in common",
		[WHY_MODE] = "reductions in different directions or of different lengths",
		[WHY_STEPS] = "an operand takes uneven steps through the space",
		[WHY_TWICE] = "it would be stored more than once",
		[WHY_LIMIT] = "the kernel would be too large",
		[WHY_BETWEEN] = "ops in between need its results",
		[WHY_LATE] = "what is read must not wait for later ops",
		[WHY_COST] = "one kernel would be slower than two",
		[WHY_WAIT] = "it would have to wait for too many ops",
		[WHY_BEHIND] = "the kernel behind it does not take its place",
		[WHY_PIECES] = "no piece of the product has all that the kernel needs",
		[WHY_PICKED] = "indices are looked at, and picked by, in memory",
		[WHY_ADDED] = "what is added at indices does not come in slices",
	};

	return texts[why];
}

/* "%3" is the result of op 3 of the region, "in0" a live-in, "+5" part of a decomposition. */
static void print_value(const fusion *f, uint32_t v, buf *to)
{
	if (fusion_visible(f, v))
		buf_printf(to, "%%%u", v);
	else if (v < f->ops + f->live_ins)
		buf_printf(to, "in%u", v - f->ops);
	else
		buf_printf(to, "+%u", v - f->ops - f->live_ins);
}

static void print_where(const fusion *f, uint32_t v, buf *to)
{
	static const char *const texts[] = {
		[FUSE_DEAD] = "dead", [FUSE_LIVE_IN] = "live-in", [FUSE_STORED] = "stored",
		[FUSE_ARENA] = "arena", [FUSE_FUSED] = "fused", [FUSE_VIEW] = "view of ",
		[FUSE_ALIAS] = "is ",
	};
	const fuse_value *o = &f->values.at[v];

	buf_printf(to, "    # %s", texts[o->where]);
	if (o->where == FUSE_ARENA)
		buf_printf(to, " %" PRIu64 ", until %%%u", o->at, o->until);
	if (o->where == FUSE_VIEW || o->where == FUSE_ALIAS)
		print_value(f, o->from, to);
	if (o->why)
		buf_printf(to, "; %s", fuse_why_text((fuse_why)o->why));
}

static void print_row(const fusion *f, uint32_t v, buf *to)
{
	const fuse_value *o = &f->values.at[v];
	char text[SHAPE_TEXT_MAX];

	buf_printf(to, "  ");
	print_value(f, v, to);
	buf_printf(to, " = %s", op_rows[o->row->op].name);
	for (unsigned k = 0; k < o->row->nin; k++) {
		buf_printf(to, k ? ", " : " ");
		if (ins_kind(o->row, k))
			buf_printf(to, "%s", o->composed ? "constant" : "scalar");
		else
			print_value(f, (uint32_t)(ins_in(o->row)[k] - 1), to);
	}
	buf_printf(to, " : %s", meta_text(&o->m, text, sizeof text));
	print_where(f, v, to);
	buf_printf(to, "\n");
}

static void print_step(const fusion *f, const fuse_step *s, buf *to)
{
	static const char *const kinds[] = { "kernel", "product", "adding", "call", "view",
		"alias" };
	static const char *const modes[] = { "elements", "rows", "columns" };

	buf_printf(to, "behind %%%u: %s", s->launch, kinds[s->kind]);
	if (s->kind > STEP_ADD) {
		buf_printf(to, "\n");
		print_row(f, s->value, to);
		return;
	}
	if (s->kind == STEP_PRODUCT)
		buf_printf(to, ", on each piece of it");
	else if (s->kind == STEP_ADD)
		buf_printf(to, " each piece of");
	buf_printf(to, " group %u (%s) over ", s->group, modes[f->groups.at[s->group].g->mode]);
	for (int k = 0; k < s->outer_count; k++)
		buf_printf(to, "%" PRId64 " x ", s->outer[k]);
	buf_printf(to, "%" PRId64 " x %" PRId64, s->rows, s->cols);
	if (s->together)
		buf_printf(to, ", in one launch with the next %u", s->together);
	buf_printf(to, "\n");
	if (s->kind == STEP_PRODUCT)
		print_row(f, s->value, to);
	for (uint32_t k = 0; k < s->members_count; k++)
		print_row(f, f->members.at[s->members + k], to);
}

void fusion_print(const fusion *f, buf *to)
{
	uint32_t counts[STEP_ALIAS + 1] = { 0 };

	for (uint32_t k = 0; k < f->steps.count; k++)
		counts[f->steps.at[k].kind]++;
	buf_printf(to, "%u ops, %u rows expanded, %u left; %u kernels of %u groups, %u behind "
		"products, %u calls, %u views, %u aliases\n", f->ops, f->rows_before,
		f->rows_after, counts[STEP_KERNEL] + counts[STEP_PRODUCT] + counts[STEP_ADD],
		f->groups.count,
		counts[STEP_PRODUCT], counts[STEP_CALL], counts[STEP_VIEW],
		counts[STEP_ALIAS]);
	buf_printf(to, "arena of %" PRIu64 " bytes; at most %" PRIu64 " bytes alive, op by op %"
		PRIu64 "\n", f->arena_size, f->bytes_max, f->eager_bytes_max);
	for (uint32_t k = 0; k < f->steps.count; k++)
		print_step(f, &f->steps.at[k], to);
	for (uint32_t k = 0; k < f->edges.count; k++) {
		const fuse_edge *e = &f->edges.at[k];

		print_value(f, e->value, to);
		buf_printf(to, " | ");
		print_value(f, e->user, to);
		buf_printf(to, ": %s\n", fuse_why_text((fuse_why)e->why));
	}
	for (uint32_t k = 0; k < f->groups.count; k++) {
		buf_printf(to, "group %u:\n", k);
		group_print(f->groups.at[k].g, to);
	}
}
