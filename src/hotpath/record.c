/* record.c: the ring between the executor and the miner, and what is rare on its way. */
#include "hotpath/record.h"

#include "base/mem.h"
#include "hotpath/mix.h"

static uint64_t chunks(const recorder *r)
{
	return r->room / r->chunk;
}

void recorder_init(recorder *r, uint64_t room)
{
	static_assert(RECORD_WORDS_MAX <= RECORD_CHUNK_MIN, "a record lies in one chunk");
	assert(room >= 8 * RECORD_CHUNK_MIN && !(room & (room - 1)));
	memset(r, 0, sizeof(*r));
	/* Not cleared: records are written before they are read, and a page that nobody has written
	 * costs nothing. Clearing the megabytes would be a pause at a program's first op. */
	r->words = mem_alloc(room * sizeof(uint64_t));
	r->room = room;
	r->chunk = MAX(MIN(room / 8, RECORD_CHUNK_MAX), RECORD_CHUNK_MIN);
	r->places = mem_alloc(chunks(r) * sizeof(*r->places));
	r->spare = mem_alloc(chunks(r) * sizeof(*r->spare));
	while (r->spares < chunks(r)) {
		r->spare[r->spares] = (uint16_t)(chunks(r) - 1 - r->spares);
		r->spares++;
	}
}

void recorder_fini(recorder *r)
{
	mem_free(r->words);
	mem_free(r->places);
	mem_free(r->spare);
}

void recorder_make_ready(recorder *r)
{
	const uint64_t read = atomic_load_explicit(&r->read, memory_order_relaxed);
	const uint64_t behind = atomic_load_explicit(&r->written, memory_order_relaxed) - read;
	const uint64_t ready = atomic_load_explicit(&r->ready, memory_order_relaxed);
	const uint64_t more = MIN(RECORD_READY, r->room - ready);

	if (!more || ready > behind + RECORD_READY / 2)
		return;
	mem_provide(r->words + ready, more * sizeof *r->words);
	atomic_store_explicit(&r->ready, ready + more, memory_order_relaxed);
}

/* A chunk is used for the first time, in their order. Where the miner does not come by its pages are
 * had at once: one by one they would cost several times as much. */
static void begin_chunk(recorder *r, uint64_t at)
{
	if (at >= atomic_load_explicit(&r->ready, memory_order_relaxed))
		mem_provide(r->words + at, r->chunk * sizeof *r->words);
	r->begun = at + r->chunk;
}

static record *fill_head(record *to, unsigned code, unsigned words)
{
	memset(to, 0, sizeof(*to));
	to->op = (uint16_t)code;
	to->words = (uint16_t)words;
	return to;
}

/* The chunk that begins at position `at`. */
static uint16_t *place_of(const recorder *r, uint64_t at)
{
	return &r->places[at / r->chunk & (chunks(r) - 1)];
}

static uint64_t *chunk_of(const recorder *r, uint64_t at)
{
	return r->words + *place_of(r, at) * r->chunk;
}

/* Go on in another chunk, from `border` on; false if the miner is in all of them. */
static bool open_chunk(recorder *r, uint64_t border)
{
	const uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);

	for (; r->left < r->seen / r->chunk; r->left++)
		r->spare[r->spares++] = *place_of(r, r->left * r->chunk);
	if (!r->spares)
		return false;
	*place_of(r, border) = r->spare[--r->spares];
	if (UNLIKELY(r->spare[r->spares] * r->chunk >= r->begun))
		begin_chunk(r, r->spare[r->spares] * r->chunk);
	/* A pad's first two bytes are all that is read of it: one word holds it. */
	if (at < border)
		r->here[at & (r->chunk - 1)] = RECORD_PAD;
	r->here = chunk_of(r, border);
	atomic_store_explicit(&r->written, border, memory_order_release);
	return true;
}

/* Room for `words`, in the next chunk where they would not fit into this one. A chunk that was
 * begun is never empty: what is at a border is at the end of a full one. */
static record *make_room(recorder *r, unsigned words)
{
	uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
	const uint64_t border = ALIGN_UP(at, r->chunk);

	if (at + words > border && !open_chunk(r, border))
		return NULL;
	at = atomic_load_explicit(&r->written, memory_order_relaxed);
	r->end = ALIGN_UP(at + 1, r->chunk);
	return (record *)(r->here + (at & (r->chunk - 1)));
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

/* What comes is heard of again. */
static void end_nap(recorder *r, bool stirs)
{
	r->nap = 0;
	recorder_mark(r, RECORD_NAP, stirs, r->unseen);
	r->unseen = 0;
}

/* Between two chunks there is time to see to what the miner wishes. */
static void begin_nap(recorder *r)
{
	r->nap = atomic_exchange_explicit(&r->wish, 0, memory_order_relaxed);
	r->unseen = 0;
	r->end = 0;
}

record *recorder_room_slow(recorder *r, unsigned words)
{
	const uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);
	record *to;

	if (UNLIKELY(r->nap)) {
		if (r->unseen < r->nap)
			return NULL;
		end_nap(r, false);
		return recorder_room(r, words);
	}
	/* Once records are lost it does not matter when the miner is looked after: now and then. */
	if (r->lost % RECORD_LOOK_EVERY == 0)
		r->seen = atomic_load_explicit(&r->read, memory_order_acquire);
	if (r->lost && at - r->seen <= r->room / 2)
		close_lost(r);
	to = r->lost ? NULL : make_room(r, words);
	if (UNLIKELY(!to)) {
		r->lost++;
		r->end = at;
	} else if (UNLIKELY(atomic_load_explicit(&r->wish, memory_order_relaxed))) {
		begin_nap(r);            /* behind the record at hand */
	}
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

/* How far in the program is will not be known: scopes are told apart by who is inside of whom, so it
 * is enough to count from here. */
void recorder_rest(recorder *r)
{
	if (!r->compiled && !r->excluded)
		r->depth = 0;
}

void recorder_pass(recorder *r, uint64_t ops)
{
	if (r->excluded)
		r->skipped += ops;
	else if (r->nap)
		r->unseen += ops;
	else
		recorder_mark(r, RECORD_NAP, 0, ops);
}

void recorder_stir(recorder *r)
{
	atomic_store_explicit(&r->wish, 0, memory_order_relaxed);
	r->unseen = r->nap ? r->unseen : 0;
	end_nap(r, true);
}

/* ---- scopes: told apart here, where nothing is ever lost ---- */

/* A border of what is to be compiled: the miner hears of it also when it naps. */
static void mark_border(recorder *r, unsigned code)
{
	if (UNLIKELY(r->nap))
		end_nap(r, false);
	recorder_mark(r, code, r->name, 0);
}

static void enter(recorder *r, scope_wish wish, uint64_t name)
{
	r->depth++;
	if (r->depth > SCOPE_DEPTH_MAX || r->excluded)
		return;
	if (wish == SCOPE_COMPILE && !r->compiled) {
		r->compiled = r->depth;
		r->name = name;
		mark_border(r, RECORD_BEGIN);
	} else if (wish == SCOPE_EXCLUDE) {
		if (r->compiled)
			mark_border(r, RECORD_END);
		else
			recorder_mark(r, RECORD_FLUSH, r->name, 0);
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
			mark_border(r, RECORD_BEGIN);
	} else if (r->compiled == r->depth) {
		r->compiled = 0;
		mark_border(r, RECORD_END);
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

static const record *look(const recorder *r, uint64_t at)
{
	return (const record *)(chunk_of(r, at) + (at & (r->chunk - 1)));
}

const record *recorder_peek(recorder *r)
{
	uint64_t read = atomic_load_explicit(&r->read, memory_order_relaxed);
	const record *first;

	if (!is_written(r, read))
		return NULL;
	first = look(r, read);
	if (first->op != RECORD_PAD)
		return first;
	read = ALIGN_UP(read + 1, r->chunk);
	atomic_store_explicit(&r->read, read, memory_order_release);
	return is_written(r, read) ? look(r, read) : NULL;
}

void recorder_nap(recorder *r, uint64_t ops)
{
	atomic_store_explicit(&r->wish, ops, memory_order_relaxed);
}

void recorder_pop(recorder *r, const record *first)
{
	const uint64_t read = atomic_load_explicit(&r->read, memory_order_relaxed);

	atomic_store_explicit(&r->read, read + first->words, memory_order_release);
}
