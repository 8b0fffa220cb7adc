/* script.h: what a stream says in a run of a region, word by word, frees included.
 *
 * From run to run of a loop the words of its instructions hardly change: the ids that it makes move
 * on by as many as a run has, other ids stay, scalars and data may be anything. A script is learnt
 * from two runs right behind each other, both of them matched op by op: the first is copied down,
 * the second says which words move and which stay. What of a later run lies in the ring and is
 * as the script says is that run, ops and wiring: script_same is all the matching it takes.
 *
 * Ids are compared as distances from the first result of their run. A word of an instruction is
 * therefore one of three: it is the same always; it moves with the run; or anything will do: scalars,
 * data, and where the slice of a batch begins, if that was not the same in both runs. A part
 * (an instruction) that is none of that, or that is not for those who run scripts, is *loose*: it
 * is the same as nothing, and the walk (hot_walk.c) takes it as ever.
 */
#ifndef WORKER_SCRIPT_H
#define WORKER_SCRIPT_H

#include "ir/op.h"

#define SCRIPT_NEVER UINT32_MAX

typedef enum part_kind {
	PART_OP,                 /* of the region */
	PART_FREE,
	PART_SIGNAL,             /* a scope's beginning or end */
	PART_LOOSE
} part_kind;

typedef struct script_part {
	uint32_t at;             /* its first word */
	uint32_t op;             /* its number in the region; of a free: the op whose result
	                            goes, if that is one of this run; SCRIPT_NEVER */
	uint32_t freed;          /* of an op: the part that frees its result; SCRIPT_NEVER */
	uint8_t kind;            /* part_kind */
	bool product;
	bool slides;             /* a slice that begins anywhere: whoever runs it looks where */
} script_part;

typedef enum script_state { SCRIPT_IDLE, SCRIPT_DRAFT, SCRIPT_TEST, SCRIPT_READY } script_state;

typedef struct script {
	script_state state;
	uint32_t words, count;   /* of what is known; parts[count] is the end */
	uint64_t *then, *moves, *keep;   /* by word: as it was; all bits set if it moves; .. if it
	                                    matters at all */
	uint8_t *marks;          /* the same by eight words: those that move, those that matter */
	script_part *parts;
	uint32_t *ops;           /* their parts; behind the last one `count` */
	uint64_t *results;       /* of the ops, from the first one on */
	uint32_t n;              /* ops of the region */
	uint32_t next;           /* of them, while it is learnt */
	uint64_t learnt;         /* so many times; which one this is, while it is READY */
	uint32_t tries;          /* in vain */
	uint64_t patience;       /* runs before the next */

	/* While it is learnt: the first run as it was, then where the second one is in it. */
	uint64_t *draft;
	uint32_t draft_words, draft_room, draft_parts;
	uint64_t first, draft_first;     /* their first results */
} script;

void script_init(script *s, uint32_t n);
void script_fini(script *s);

static inline bool script_ready(const script *s) { return s->state == SCRIPT_READY; }

/* A run begins, right behind another one (`follows`) or not. True: script_note is to be told of all
 * of it. */
bool script_begin(script *s, bool follows);
/* The next instruction of the run: op `at` of the region, or SCRIPT_NEVER. False: it will not be
 * learnt this time. */
bool script_note(script *s, const ins *i, uint32_t at);
/* The run is not the plain run that can be learnt. */
void script_give_up(script *s);
/* What was learnt is of no use any more. */
void script_forget(script *s);

/* How many of the n words at `now` are those of the script from word `from` on, in a run whose
 * first result is `base`. */
uint32_t script_same(const script *s, uint32_t from, uint32_t n, const uint64_t *now,
	uint64_t base);
/* Whether `i` is part `part` of it, in such a run. */
bool script_is(const script *s, uint32_t part, const ins *i, uint64_t base);
/* The part that word `at` belongs to; `count` at the end. */
uint32_t script_part_of(const script *s, uint32_t at);

#endif
