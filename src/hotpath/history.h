/* history.h: the last ops of a stream with their tokens and records, and the events between them.
 *
 * Ops are counted from 0; those in [first, next) can be looked at. Two rings: tokens by op, records
 * by word; the oldest ops go when either is full.
 */
#ifndef HOTPATH_HISTORY_H
#define HOTPATH_HISTORY_H

#include "hotpath/record.h"

#define HISTORY_WORDS 16         /* words of records that there is room for, per op */

typedef struct history {
	uint64_t first, next;
	uint64_t room;           /* ops, a power of two */
	uint64_t *token;
	uint64_t *at;            /* op's record: word counted from the beginning of the stream */
	uint64_t *words;
	uint64_t end;            /* words written, counted likewise */
} history;

void history_init(history *h, uint64_t room);
void history_fini(history *h);
/* Before history_fini of a large one, which would take long: give slice n of its memory back to the
 * system; the history is good for nothing else then. False: there is no such slice. */
bool history_give_back(history *h, uint64_t n);
/* Append what `from` has of op n: record, token, events. How a history moves to a larger one. */
void history_copy(history *h, const history *from, uint64_t n);

void history_push_op(history *h, const record *r, uint64_t token);
void history_push_event(history *h, const record *r);

static inline uint64_t history_token(const history *h, uint64_t n)
{
	return h->token[n & (h->room - 1)];
}

static inline const record *history_record(const history *h, uint64_t word)
{
	return (const record *)(h->words + (word & (h->room * HISTORY_WORDS - 1)));
}

static inline const record *history_op(const history *h, uint64_t n)
{
	return history_record(h, h->at[n & (h->room - 1)]);
}

/* The events that came after op n and before the next one:
 * for (uint64_t w = history_events(h, n); (r = history_event(h, n, &w)); ) */
static inline uint64_t history_events(const history *h, uint64_t n)
{
	return h->at[n & (h->room - 1)] + history_op(h, n)->words;
}
const record *history_event(const history *h, uint64_t n, uint64_t *word);

#endif
