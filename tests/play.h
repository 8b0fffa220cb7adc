/* play.h: feed a piece of .gts text to a link and look at what its fetches read. */
#ifndef PLAY_H
#define PLAY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "ir/batch.h"
#include "ir/op.h"
#include "ir/text.h"
#include "link/link.h"

#define PLAY_FETCHES 256

/* The answers of the fetches of one play, in order; each holds the client's reference. */
typedef struct play {
	struct link *l;
	answer *answers[PLAY_FETCHES];
	size_t n;
	gt_err e;                        /* of the flush */
} play;

static inline void play_parse(play *p, batch *b, const char *text)
{
	text_reader *t = malloc(sizeof *t);
	ins_room room;
	bool end = false;

	text_open_string(t, text, strlen(text), NULL);
	while (!text_get(t, &room, &end) && !end) {
		if (room.head.op == OP_fetch) {
			answer *a = p->answers[p->n++] = answer_new();

			room.words[INS_HEAD_WORDS + room.head.nin] = (uint64_t)(uintptr_t)a;
		}
		if (!room.head.site)
			room.head.site = t->word_line;
		batch_push(b, &room.head);
	}
	if (!end)
		fprintf(stderr, "play: %s\n", gt_last_error());
	assert(end);
	free(t);
}

/* Flush the text's instructions; `cost` decides whether the worker's thread is woken. */
static inline play play_cost(struct link *l, const char *text, uint64_t cost)
{
	play p = { .l = l };
	batch b = { 0 };

	play_parse(&p, &b, text);
	p.e = l->ops->flush(l, b.words, b.used, b.count, cost);
	b.used = b.count = 0;            /* the link has the references */
	batch_fini(&b);
	return p;
}

static inline play play_text(struct link *l, const char *text)
{
	return play_cost(l, text, 0);
}

/* Wait for the k-th answer; borrowed. */
static inline answer *play_wait(play *p, size_t k)
{
	gt_err e = p->l->ops->wait(p->l, p->answers[k], NULL);

	assert(!e && !answer_pending(p->answers[k]));
	(void)e;
	return p->answers[k];
}

static inline void play_end(play *p)
{
	for (size_t k = 0; k < p->n; k++)
		answer_drop(p->answers[k]);
	p->n = 0;
}

/* The first float32 that a text's only fetch reads; NaN if it failed. */
static inline float play_float(struct link *l, const char *text)
{
	play p = play_text(l, text);
	answer *a = play_wait(&p, 0);
	bool ready = atomic_load(&a->state) == ANSWER_READY;
	float x = ready ? *(const float *)a->data : __builtin_nanf("");

	play_end(&p);
	return x;
}

/* Why a text's only fetch failed: its failure, held; NULL if it did not. */
static inline failure *play_failure(struct link *l, const char *text)
{
	play p = play_text(l, text);
	answer *a = play_wait(&p, 0);
	failure *f = atomic_load(&a->state) == ANSWER_FAILED ? a->why : NULL;

	if (f)
		failure_hold(f);
	play_end(&p);
	return f;
}

#endif
