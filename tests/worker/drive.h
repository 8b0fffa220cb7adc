/* drive.h: programs of the laboratory executed by a worker, eagerly or with hot paths, and what
 * they read compared. */
#ifndef WORKER_DRIVE_H
#define WORKER_DRIVE_H

#include "check.h"
#include <string.h>
#include "base/flags.h"
#include "tools/feed.h"
#include "tools/lab.h"

typedef struct drive {
	feed f;
	unsigned flush;                  /* instructions handed over at a time */
	unsigned read_every;             /* every n-th result is read; 0: none */
	uint64_t ops;
} drive;

static inline void drive_read(drive *d, uint64_t id)
{
	feed_read(&d->f, id);
}

/* Numbers that differ from upload to upload and stay small. */
static inline void drive_fill(const ins *i)
{
	blob *b = ins_blob(i);
	float *x = b->data;
	uint64_t r = i->out * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t k = 0; k < b->size / sizeof *x; k++) {
		r = r * UINT64_C(6364136223846793005) + 1442695040888963407u;
		x[k] = (float)(int64_t)(r >> 40) / (1 << 24) - 0.5f;
	}
}

static inline void drive_ins(drive *d, const ins *i)
{
	if (i->op == OP_upload)
		drive_fill(i);
	feed_ins(&d->f, i);
	if (i->out && d->read_every && ++d->ops % d->read_every == 0)
		drive_read(d, i->out);
	if (d->f.b.count >= d->flush)
		feed_hand_over(&d->f);
}

static inline void drive_sink(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	(void)in;
	(void)out;
	drive_ins(ctx, i);
}

static inline void drive_set(flag f, bool on)
{
	gt_err e = flag_set(f, on ? "1" : "0");

	assert_int_equal(e, GT_OK);
}

typedef enum drive_mode { DRIVE_EAGER, DRIVE_SYNC, DRIVE_THREAD } drive_mode;

static inline void drive_open(drive *d, drive_mode mode)
{
	drive_set(FLAG_GT_QUIET, true);
	drive_set(FLAG_GT_AUTO_COMPILE, mode != DRIVE_EAGER);
	drive_set(FLAG_GT_COMPILE_SYNC, mode == DRIVE_SYNC);
	d->flush = d->flush ? d->flush : 64;
	assert_int_equal(embed_open(&d->f.l), GT_OK);
}

static inline void drive_sync(drive *d)
{
	feed_sync(&d->f);
	assert_int_equal(d->f.e, GT_OK);
}

static inline worker_stats drive_stats(drive *d)
{
	worker_stats s;

	drive_sync(d);
	assert_int_equal(embed_stats(d->f.l, &s), GT_OK);
	return s;
}

/* The answers stay. */
static inline void drive_close(drive *d)
{
	drive_sync(d);
	for (size_t k = 0; k < d->f.count; k++)
		assert_int_equal(d->f.l->ops->wait(d->f.l, d->f.reads[k], NULL), GT_OK);
	d->f.l->ops->close(d->f.l);
	batch_fini(&d->f.b);
}

static inline void drive_drop(drive *d)
{
	feed_drop_reads(&d->f);
	mem_free(d->f.reads);
}

static inline bool drive_same(const answer *a, const answer *b)
{
	if (a->state != b->state)
		return false;
	if (a->state == ANSWER_FAILED)
		return a->why->code == b->why->code && a->why->site == b->why->site &&
			!strcmp(a->why->text, b->why->text);
	return a->m.dtype == b->m.dtype && a->m.rank == b->m.rank &&
		!memcmp(a->m.dims, b->m.dims, a->m.rank * sizeof *a->m.dims) &&
		!memcmp(a->data, b->data,
			(size_t)meta_count(&a->m) * dtype_size((gt_dtype)a->m.dtype));
}

/* What both have read is the same, bit for bit. Drops the answers. */
static inline void drive_compare(drive *a, drive *b, const char *what)
{
	assert_int_equal(a->f.count, b->f.count);
	for (size_t k = 0; k < a->f.count; k++)
		if (!drive_same(a->f.reads[k], b->f.reads[k]))
			fail_msg("%s: read %zu of %zu differs", what, k, a->f.count);
	drive_drop(a);
	drive_drop(b);
}

#endif
