/* feed.h: a stream of the laboratory on its way to a worker of this process, and what it reads. */
#ifndef TOOLS_FEED_H
#define TOOLS_FEED_H

#include "base/mem.h"
#include "embed/embed.h"
#include "ir/batch.h"

typedef struct feed {
	struct link *l;
	batch b;                         /* not handed over yet */
	answer **reads;
	size_t count, room;
	gt_err e;                        /* the first that came; nothing is sent any more */
} feed;

static inline void feed_read(feed *f, uint64_t id)
{
	ins_room room;
	ins *i = ins_init(&room, OP_fetch, 0);

	VEC_ROOM(f->reads, f->count, f->room);
	f->reads[f->count++] = answer_new();
	ins_put_input(i, id);
	ins_put_operand(i, (int64_t)(intptr_t)f->reads[f->count - 1]);
	batch_push(&f->b, i);
}

static inline void feed_ins(feed *f, const ins *i)
{
	if (i->op == OP_fetch) {
		feed_read(f, ins_in(i)[0]);
		return;
	}
	if (i->op == OP_upload)
		blob_hold(ins_blob(i));
	batch_push(&f->b, i);
}

static inline void feed_hand_over(feed *f)
{
	if (!f->e)
		f->e = f->l->ops->flush(f->l, f->b.words, f->b.used, f->b.count, 0);
	f->b.used = f->b.count = 0;      /* the link has the references */
}

/* Until everything has run. */
static inline void feed_sync(feed *f)
{
	feed_hand_over(f);
	if (!f->e)
		f->e = f->l->ops->sync(f->l, NULL);
}

static inline void feed_drop_reads(feed *f)
{
	while (f->count)
		answer_drop(f->reads[--f->count]);
}

static inline void feed_close(feed *f)
{
	f->l->ops->close(f->l);
	batch_fini(&f->b);
	mem_free(f->reads);
}

#endif
