/* record.c: the ring between the executor and the miner, and what is rare on its way. */
#include "hotpath/record.h"

#include "base/mem.h"
#include "hotpath/mix.h"

void recorder_init(recorder *r, uint64_t room)
{
	assert(room >= 4 * RECORD_WORDS_MAX && !(room & (room - 1)));
	memset(r, 0, sizeof(*r));
	/* Not cleared: records are written before they are read, and a page that nobody has written
	 * costs nothing. Clearing the megabytes would be a pause at a program's first op. */
	r->words = mem_alloc(room * sizeof(uint64_t));
	r->room = room;
}

void recorder_fini(recorder *r)
{
	mem_free(r->words);
}

static record *fill_head(record *to, unsigned code, unsigned words)
{
	memset(to, 0, sizeof(*to));
	to->op = (uint16_t)code;
	to->words = (uint16_t)words;
	return to;
}

/* Words needed at `at` for a record of `words`, those that are skipped at the end included. */
static uint64_t needed(const recorder *r, uint64_t at, unsigned words)
{
	const uint64_t rest = r->room - (at & (r->room - 1));

	return rest < words ? rest + words : words;
}

/* Room for `words`, skipping the end of the ring where they would not fit in one piece. */
static record *make_room(recorder *r, unsigned words)
{
	uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
	const uint64_t all = needed(r, at, words);

	if (at + all - r->seen > r->room)
		return NULL;
	if (all > words) {
		/* A pad's first two bytes are all that is read of it: one word holds it. */
		r->words[at & (r->room - 1)] = RECORD_PAD;
		at += all - words;
		atomic_store_explicit(&r->written, at, memory_order_release);
	}
	return (record *)(r->words + (at & (r->room - 1)));
}

/* What was lost until now is told, if there is room. */
static void close_lost(recorder *r)
{
	record *to = make_room(r, RECORD_HEAD_WORDS);

	if (UNLIKELY(!to))
		return;
	fill_head(to, RECORD_GAP, RECORD_HEAD_WORDS)->out = r->lost;
	r->lost = 0;
	recorder_publish(r, RECORD_HEAD_WORDS);
}

record *recorder_room_slow(recorder *r, unsigned words)
{
	const uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
	record *to;

	/* Once records are lost it does not matter when the miner is looked after: now and then. */
	if (r->lost % RECORD_LOOK_EVERY == 0)
		r->seen = atomic_load_explicit(&r->read, memory_order_acquire);
	if (r->lost && at - r->seen <= r->room / 2)
		close_lost(r);
	to = r->lost ? NULL : make_room(r, words);
	r->lost += !to;
	return to;
}

static record *put_event(recorder *r, unsigned code)
{
	record *to = recorder_room(r, RECORD_HEAD_WORDS);

	return to ? fill_head(to, code, RECORD_HEAD_WORDS) : NULL;
}

static uint64_t hash_name(const ins *i)
{
	uint64_t h = i->nopd;

	for (unsigned k = 0; k < i->nopd; k++)
		h = mix(h, (uint64_t)ins_opd(i)[k]);
	return h;
}

void recorder_mark(recorder *r, unsigned code, uint64_t what, uint64_t out)
{
	record *to = put_event(r, code);

	if (!to)
		return;
	to->attr = what;
	to->out = out;
	recorder_publish(r, RECORD_HEAD_WORDS);
}

/* ---- scopes: told apart here, where nothing is ever lost ---- */

static void enter(recorder *r, scope_wish wish, uint64_t name)
{
	r->depth++;
	if (r->depth > SCOPE_DEPTH_MAX || r->excluded)
		return;
	if (wish == SCOPE_COMPILE && !r->compiled) {
		r->compiled = r->depth;
		r->name = name;
		recorder_mark(r, RECORD_BEGIN, name, 0);
	} else if (wish == SCOPE_EXCLUDE) {
		recorder_mark(r, r->compiled ? RECORD_END : RECORD_FLUSH, r->name, 0);
		r->excluded = r->depth;
		r->skipped = 0;
	}
}

static void leave(recorder *r)
{
	if (!r->depth)
		return;
	if (r->excluded == r->depth) {
		r->excluded = 0;
		recorder_mark(r, RECORD_SKIP, 0, r->skipped);
		if (r->compiled)
			recorder_mark(r, RECORD_BEGIN, r->name, 0);
	} else if (r->compiled == r->depth) {
		r->compiled = 0;
		recorder_mark(r, RECORD_END, r->name, 0);
	}
	r->depth--;
}

static void put_control(recorder *r, const ins *i, uint64_t name)
{
	record *to = put_event(r, i->op);

	if (!to)
		return;
	to->site = i->site;
	to->attr = name;
	if (i->nin)
		to->out = ins_in(i)[0];
	else if (i->op == OP_begin && !r->compiled && !r->excluded)
		to->out = (uint64_t)ins_opd(i)[0];
	recorder_publish(r, RECORD_HEAD_WORDS);
}

void recorder_enter(recorder *r, const ins *i, scope_wish wish)
{
	const uint64_t name = hash_name(i);

	put_control(r, i, name);
	enter(r, wish, name);
}

void recorder_control(recorder *r, const ins *i)
{
	if (i->op == OP_free) {
		recorder_free(r, ins_in(i)[0]);
		return;
	}
	if (i->op == OP_enter) {
		recorder_enter(r, i, SCOPE_PLAIN);
		return;
	}
	put_control(r, i, 0);
	if (i->op == OP_leave || i->op == OP_end)
		leave(r);
}

void recorder_flush(recorder *r)
{
	recorder_mark(r, RECORD_FLUSH, 0, 0);
}

void recorder_replay(recorder *r, uint64_t signature, uint64_t ops)
{
	recorder_mark(r, RECORD_REPLAY, signature, ops);
}

/* Whether there is anything at `read`. The executor's line of memory is left alone as long as what
 * was seen there last is not used up: it would have to fetch it back. */
static bool is_written(recorder *r, uint64_t read)
{
	if (read == r->until)
		r->until = atomic_load_explicit(&r->written, memory_order_acquire);
	return read != r->until;
}

const record *recorder_peek(recorder *r)
{
	uint64_t read = atomic_load_explicit(&r->read, memory_order_relaxed);
	const record *first;

	if (!is_written(r, read))
		return NULL;
	first = (const record *)(r->words + (read & (r->room - 1)));
	if (first->op != RECORD_PAD)
		return first;
	read = ALIGN_UP(read + 1, r->room);
	atomic_store_explicit(&r->read, read, memory_order_release);
	return is_written(r, read) ? (const record *)(r->words + (read & (r->room - 1))) : NULL;
}

void recorder_pop(recorder *r, const record *first)
{
	const uint64_t read = atomic_load_explicit(&r->read, memory_order_relaxed);

	atomic_store_explicit(&r->read, read + first->words, memory_order_release);
}
