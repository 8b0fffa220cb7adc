/* bench_replay.c: a program of the laboratory executed with hot paths: what plans replay of it.
 *
 * Mined in place (GT_COMPILE_SYNC) and op by op (T1), so the same comes out every time.
 */
#include "tools/tools.h"

#include "base/flags.h"
#include "base/mem.h"
#include "embed/embed.h"
#include "ir/batch.h"

#define AT_ONCE 64               /* instructions handed over */

/* The stream on its way to a worker. */
typedef struct drive {
	struct link *l;
	batch b;
	const uint64_t *marks;
	unsigned half;                   /* step from which on it counts */
	uint64_t ops, before, replayed;  /* ops sent; executed and replayed by that step */
	answer **reads;
	size_t count, room;
	gt_err e;                        /* the first that came; nothing is sent any more */
} drive;

static void hand_over(drive *d)
{
	if (!d->e)
		d->e = d->l->ops->flush(d->l, d->b.words, d->b.used, d->b.count, 0);
	d->b.used = d->b.count = 0;      /* the link has the references */
}

static hot_stats look(drive *d)
{
	worker_stats s = { 0 };

	hand_over(d);
	if (!d->e)
		d->e = d->l->ops->sync(d->l, NULL);
	if (!d->e)
		d->e = embed_stats(d->l, &s);
	return s.hot;
}

static void read_value(drive *d, uint64_t id)
{
	ins_room room;
	ins *i = ins_init(&room, OP_fetch, 0);

	VEC_ROOM(d->reads, d->count, d->room);
	d->reads[d->count++] = answer_new();
	ins_put_input(i, id);
	ins_put_operand(i, (int64_t)(intptr_t)d->reads[d->count - 1]);
	batch_push(&d->b, i);
}

static void drive_ins(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	drive *d = ctx;

	(void)in;
	if (out && d->ops == d->marks[d->half]) {
		const hot_stats s = look(d);

		d->before = s.ops;
		d->replayed = s.replayed;
	}
	d->ops += out != NULL;
	if (i->op == OP_fetch) {
		read_value(d, ins_in(i)[0]);
	} else {
		if (i->op == OP_upload)
			blob_hold(ins_blob(i));
		batch_push(&d->b, i);
	}
	if (d->b.count >= AT_ONCE)
		hand_over(d);
}

/* Answers that will not come are not waited for. */
static void close_drive(drive *d)
{
	for (size_t k = 0; k < d->count; k++) {
		if (!d->e)
			d->e = d->l->ops->wait(d->l, d->reads[k], NULL);
		answer_drop(d->reads[k]);
	}
	d->l->ops->close(d->l);
	batch_fini(&d->b);
	mem_free(d->reads);
}

static gt_err set_flags(void)
{
	static const struct { flag f; const char *to; } wanted[] = {
		{ FLAG_GT_QUIET, "1" }, { FLAG_GT_AUTO_COMPILE, "1" },
		{ FLAG_GT_COMPILE_SYNC, "1" }, { FLAG_GT_HOTPATH_TIER, "1" },
	};
	gt_err e = GT_OK;

	for (size_t k = 0; k < COUNT(wanted) && !e; k++)
		e = flag_set(wanted[k].f, wanted[k].to);
	return e;
}

gt_err bench_replay(const lab_program *p, unsigned steps, const uint64_t *marks, double *percent)
{
	const lab_options o = { .steps = steps, .seed = 1 };
	drive d = { .marks = marks, .half = steps / 2 };
	hot_stats end;

	d.e = set_flags();
	if (d.e || (d.e = embed_open(&d.l)))
		return d.e;
	lab_run(p, &o, drive_ins, &d, NULL);
	end = look(&d);
	*percent = end.ops > d.before ? 100.0 * (double)(end.replayed - d.replayed) /
		(double)(end.ops - d.before) : 0;
	close_drive(&d);
	return d.e;
}
