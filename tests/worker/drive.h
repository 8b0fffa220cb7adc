/* drive.h: programs of the laboratory executed by a worker, eagerly or with hot paths, and what
 * they read compared. */
#ifndef WORKER_DRIVE_H
#define WORKER_DRIVE_H

#include "check.h"
#include <string.h>
#include "base/flags.h"
#include "base/mem.h"
#include "embed/embed.h"
#include "tools/lab.h"
#include "ir/batch.h"

typedef struct drive {
	struct link *l;
	batch b;
	unsigned flush;                  /* instructions handed over at a time */
	unsigned read_every;             /* every n-th result is read; 0: none */
	uint64_t ops;
	answer **answers;
	size_t n, room;
} drive;

static inline void drive_flush(drive *d)
{
	gt_err e = d->l->ops->flush(d->l, d->b.words, d->b.used, d->b.count, 0);

	assert_int_equal(e, GT_OK);
	d->b.used = d->b.count = 0;      /* the link has the references */
}

static inline void drive_read(drive *d, uint64_t id)
{
	ins_room room;
	ins *i = ins_init(&room, OP_fetch, 0);

	VEC_ROOM(d->answers, d->n, d->room);
	d->answers[d->n++] = answer_new();
	ins_put_input(i, id);
	ins_put_operand(i, (int64_t)(intptr_t)d->answers[d->n - 1]);
	batch_push(&d->b, i);
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
	if (i->op == OP_fetch) {
		drive_read(d, ins_in(i)[0]);
	} else {
		if (i->op == OP_upload) {
			drive_fill(i);
			blob_hold(ins_blob(i));
		}
		batch_push(&d->b, i);
	}
	if (i->out && d->read_every && ++d->ops % d->read_every == 0)
		drive_read(d, i->out);
	if (d->b.count >= d->flush)
		drive_flush(d);
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
	assert_int_equal(embed_open(&d->l), GT_OK);
}

static inline worker_stats drive_stats(drive *d)
{
	worker_stats s;

	drive_flush(d);
	assert_int_equal(d->l->ops->sync(d->l, NULL), GT_OK);
	assert_int_equal(embed_stats(d->l, &s), GT_OK);
	return s;
}

/* The answers stay. */
static inline void drive_close(drive *d)
{
	for (size_t k = 0; k < d->n; k++)
		assert_int_equal(d->l->ops->wait(d->l, d->answers[k], NULL), GT_OK);
	d->l->ops->close(d->l);
	batch_fini(&d->b);
}

static inline void drive_drop(drive *d)
{
	for (size_t k = 0; k < d->n; k++)
		answer_drop(d->answers[k]);
	mem_free(d->answers);
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
	assert_int_equal(a->n, b->n);
	for (size_t k = 0; k < a->n; k++)
		if (!drive_same(a->answers[k], b->answers[k]))
			fail_msg("%s: read %zu of %zu differs", what, k, a->n);
	drive_drop(a);
	drive_drop(b);
}

#endif
