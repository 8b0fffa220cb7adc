/* bench_replay.c: a program of the laboratory executed with hot paths: what plans replay of it.
 *
 * Mined in place (GT_COMPILE_SYNC) and op by op (T1), so the same comes out every time.
 */
#include "tools/tools.h"

#include "base/flags.h"
#include "tools/feed.h"

#define AT_ONCE 64               /* instructions handed over */

typedef struct drive {
	feed to;
	const uint64_t *marks;
	unsigned half;                   /* step from which on it counts */
	uint64_t ops, before, replayed;  /* ops sent; executed and replayed by that step */
} drive;

static hot_stats look(feed *to)
{
	worker_stats s = { 0 };

	feed_sync(to);
	if (!to->e)
		to->e = embed_stats(to->l, &s);
	return s.hot;
}

static void drive_ins(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	drive *d = ctx;

	(void)in;
	if (out && d->ops == d->marks[d->half]) {
		const hot_stats s = look(&d->to);

		d->before = s.ops;
		d->replayed = s.replayed;
	}
	d->ops += out != NULL;
	feed_ins(&d->to, i);
	if (d->to.b.count >= AT_ONCE)
		feed_hand_over(&d->to);
}

/* Answers that will not come are not waited for. */
static void close_drive(drive *d)
{
	for (size_t k = 0; k < d->to.count && !d->to.e; k++)
		d->to.e = d->to.l->ops->wait(d->to.l, d->to.reads[k], NULL);
	feed_drop_reads(&d->to);
	feed_close(&d->to);
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

	d.to.e = set_flags();
	if (d.to.e || (d.to.e = embed_open(&d.to.l)))
		return d.to.e;
	lab_run(p, &o, drive_ins, &d, NULL);
	end = look(&d.to);
	*percent = end.ops > d.before ? 100.0 * (double)(end.replayed - d.replayed) /
		(double)(end.ops - d.before) : 0;
	close_drive(&d);
	return d.to.e;
}
