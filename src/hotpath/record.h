/* record.h: what the executor notes down about each instruction, and the ring it notes it in.
 *
 * A record is the head of an instruction, its input words and eight bytes about the inputs' metas:
 * all that tokens, regions and cuts are made of. The executor writes (one thread at a time), the
 * miner reads (one thread at a time). A full ring never makes the executor wait: records are lost
 * until half of the ring is free again, which is looked after every RECORD_LOOK_EVERY records; then
 * one of op RECORD_GAP says how many.
 *
 * The ring consists of chunks, and the next one is always that which the miner left last: where it
 * keeps up a few of them go round and stay in the cache, of however many there is room for. One
 * chunk behind the other, megabytes would be touched for the first time at a page fault for every
 * fifty ops, and then pass through the cache at the expense of the program's own data.
 */
#ifndef HOTPATH_RECORD_H
#define HOTPATH_RECORD_H

#include <stdatomic.h>
#include "ir/op.h"

/* Besides the codes of the op table. */
enum {
	RECORD_PAD = 0,          /* the rest of the chunk is unused */
	RECORD_GAP = OP_CODES,   /* `out` records were lost here */
	RECORD_REPLAY,           /* the region of signature `attr` ran: `out` ops, not recorded */
	RECORD_SKIP,             /* `out` ops of an excluded scope were not recorded */
	RECORD_BEGIN,            /* a scope to be compiled begins; `attr` as that of its enter */
	RECORD_END,              /* it ends */
	RECORD_FLUSH,            /* the client waits, or has nothing more to say just now */
	RECORD_LEFT,             /* the region of signature `attr` is left where its op `out` was
	                            expected: what follows is a stretch of its own (side.h), .. */
	RECORD_BACK,             /* .. up to here, where the region begins anew: `out` ns, .. */
	RECORD_ASTRAY,           /* .. or it is none */
	RECORD_NAP,              /* the miner wished not to hear of `out` ops; `attr`: and it is to be
	                            awake now */
	RECORD_UNUSED            /* the plan of such a stretch, `attr`, is gone */
};

#define RECORD_UNIT 16           /* bytes that record.size counts in */

typedef struct record {
	uint16_t op, words, kinds;
	uint8_t  nin, nopd;
	uint64_t out;            /* free, fetch: the value. A free has no more than that. begin, of an
	                            outermost scope: its mode */
	uint32_t site, size;     /* size of the result in RECORD_UNITs, saturating */
	uint64_t attr;           /* enter: hash of the name */
	uint64_t metas;          /* record_metas */
	uint64_t in[];           /* as the instruction's */
} record;

#define RECORD_LOOK_EVERY 16u
#define RECORD_FREE_WORDS 2
#define RECORD_HEAD_WORDS 5
#define RECORD_WORDS_MAX (RECORD_HEAD_WORDS + INS_INPUTS_MAX)

typedef union record_room {
	record head;
	uint64_t words[RECORD_WORDS_MAX];
} record_room;

static inline bool record_scalar(const record *r, unsigned k)
{
	return k < INS_SCALARS_MAX && INS_KIND(r->kinds, k);
}

/* Bit d: dim d is repeated. Mostly all are equal, which is one comparison each. */
static inline unsigned record_repeated(const meta *m, const meta *out)
{
	const int64_t *to = out->dims + (out->rank - m->rank);
	unsigned mask = 0;

	for (int d = 0; d < m->rank; d++)
		if (UNLIKELY(m->dims[d] != to[d]) && m->dims[d] == 1)
			mask |= 1u << d;
	return mask;
}

/* 16 bits for each of the first four tensor inputs: dtype, rank, and which of its dims are repeated
 * to give the result's (elementwise rows and the leading dims of products). Exact: rows with more
 * inputs (cat) take equal dtypes and ranks only. in[k] is NULL for scalars. */
static inline uint64_t record_metas(unsigned kind, unsigned nin, const meta *const *in,
	const meta *out)
{
	const bool repeats = nin > 1 && (kind == KIND_ELEMENT || kind == KIND_PRODUCT);
	const unsigned n = nin < 4 ? nin : 4;
	uint64_t all = 0;

	for (unsigned k = 0; k < n; k++) {
		const meta *m = in[k];

		if (!m)
			continue;
		all |= (uint64_t)(m->dtype | (unsigned)m->rank << 4) << (16 * k);
		if (repeats && m->rank <= out->rank)
			all |= (uint64_t)record_repeated(m, out) << (16 * k + 8);
	}
	return all;
}

/* What is wanted of a signal's scope. */
typedef enum scope_wish { SCOPE_PLAIN, SCOPE_COMPILE, SCOPE_EXCLUDE } scope_wish;
#define SCOPE_DEPTH_MAX 64       /* scopes further in are plain */

/* `written` and `read` count all words that ever were; position / chunk, modulo the number of
 * chunks, is where `places` says which chunk of memory that is. */
typedef struct recorder {
	uint64_t *words;
	uint64_t room, chunk;                                 /* words, powers of two */
	uint16_t *places;                                /* the executor's, read behind `written` */
	_Alignas(CACHE_LINE) _Atomic uint64_t written;        /* the executor's */
	uint64_t end;                                         /* of the chunk; while records are
	                                                         lost `written` */
	uint64_t *here;                                       /* the chunk */
	uint64_t seen;                                        /* `read` as last looked up */
	uint64_t left;                                        /* chunks left by the miner, .. */
	uint16_t *spare;                                      /* .. that are here: the last one is */
	unsigned spares;                                      /* .. taken first */
	uint64_t begun;                                       /* words, chunks of which were used */
	uint64_t nap, unseen;                                 /* ops of a nap; those so far */
	uint64_t lost;                                        /* records of the present gap */
	uint64_t skipped;                                     /* ops since the scope was excluded */
	unsigned depth, compiled, excluded;      /* the scope at hand; 1 + that of the outermost ones */
	uint64_t name;                                        /* of the compiled one */
	_Alignas(CACHE_LINE) _Atomic uint64_t read;           /* the miner's */
	uint64_t until;                                       /* `written` as last looked up */
	_Atomic uint64_t ready;                               /* words that the system provides */
	_Atomic uint64_t wish;                                /* for a nap of so many ops */
} recorder;

/* `room` in words, a power of two, from 8 * RECORD_CHUNK_MIN to 2^16 * RECORD_CHUNK_MAX. */
#define RECORD_CHUNK_MIN 128u
#define RECORD_CHUNK_MAX 4096u
void recorder_init(recorder *r, uint64_t room);
void recorder_fini(recorder *r);

/* ---- the executor's side ---- */

/* Slow part of recorder_room: the end of the chunk is near, or a gap is open. NULL: the record is
 * lost. */
record *recorder_room_slow(recorder *r, unsigned words);

/* Room for a record of that many words, to be filled and then published; NULL: lose it. */
static inline record *recorder_room(recorder *r, unsigned words)
{
	const uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);

	if (UNLIKELY(at + words > r->end))
		return recorder_room_slow(r, words);
	return (record *)(r->here + (at & (r->chunk - 1)));
}

static inline void recorder_publish(recorder *r, unsigned words)
{
	const uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);

	atomic_store_explicit(&r->written, at + words, memory_order_release);
}

/* What record.size says of a tensor. */
static inline uint32_t record_size(const meta *m)
{
	const uint64_t size = ((uint64_t)meta_count(m) * dtype_size((gt_dtype)m->dtype) +
		RECORD_UNIT - 1) / RECORD_UNIT;

	return size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

/* Note an instruction that has a result, in no excluded scope: `metas` are record_metas, `size` is
 * record_size of the result. */
static inline void recorder_put(recorder *r, const ins *i, uint64_t metas, uint32_t size)
{
	const unsigned words = RECORD_HEAD_WORDS + i->nin;
	record *to = recorder_room(r, words);

	if (UNLIKELY(!to)) {
		r->unseen++;
		return;
	}
	to->op = i->op;
	to->words = (uint16_t)words;
	to->kinds = i->kinds;
	to->nin = i->nin;
	to->nopd = i->nopd;
	to->out = i->out;
	to->site = i->site;
	to->size = size;
	to->attr = i->attr.bits;
	to->metas = metas;
	for (unsigned k = 0; k < i->nin; k++)
		to->in[k] = ins_in(i)[k];
	recorder_publish(r, words);
}

/* Note an instruction that has a result, which was inferred to be `out`. */
static inline void recorder_op(recorder *r, const ins *i, const meta *const *in, const meta *out)
{
	if (UNLIKELY(r->excluded))
		r->skipped++;
	else if (UNLIKELY(r->unseen < r->nap))
		r->unseen++;
	else
		recorder_put(r, i, record_metas(op_rows[i->op].kind, i->nin, in, out),
			record_size(out));
}

static inline void recorder_free(recorder *r, uint64_t id)
{
	record *to;

	if (UNLIKELY(r->nap) || UNLIKELY(!(to = recorder_room(r, RECORD_FREE_WORDS))))
		return;
	to->op = OP_free;
	to->words = RECORD_FREE_WORDS;
	to->kinds = 0;
	to->nin = to->nopd = 0;
	to->out = id;
	recorder_publish(r, RECORD_FREE_WORDS);
}

/* Note an instruction without result: free, fetch, enter, leave. */
void recorder_control(recorder *r, const ins *i);
/* The same for `enter` of a signal of which more is wanted. The outermost scope to be compiled is a
 * region; ops of an excluded one, and of all scopes in it, are not recorded. */
void recorder_enter(recorder *r, const ins *i, scope_wish wish);
/* The client waits for what was sent so far: where nobody names scopes, a region ends here. */
void recorder_flush(recorder *r);
/* Note that a plan ran `ops` instructions that were not recorded one by one. */
void recorder_replay(recorder *r, uint64_t signature, uint64_t ops);
/* Note one of RECORD_LEFT .. RECORD_UNUSED, `what` for its attr. */
void recorder_mark(recorder *r, unsigned code, uint64_t what, uint64_t out);

/* From here on nothing is noted, outside of what is to be compiled or left alone; then recorder_pass:
 * so many ops ran meanwhile. It is as if the miner had wished to nap. */
void recorder_rest(recorder *r);
void recorder_pass(recorder *r, uint64_t ops);
/* The program has changed: a nap is over, also the miner's. */
void recorder_stir(recorder *r);
/* Ops of the miner's nap that are still to come. */
static inline uint64_t recorder_naps(const recorder *r)
{
	return r->nap > r->unseen ? r->nap - r->unseen : 0;
}

/* Whether the miner has yet to read more than so many words. Where it has come to is looked up only
 * if what was seen last does not say: its line of memory is on its way from there to here. */
static inline bool recorder_is_behind(recorder *r, uint64_t words)
{
	const uint64_t at = atomic_load_explicit(&r->written, memory_order_relaxed);

	if (LIKELY(at - r->seen <= words))
		return false;
	r->seen = atomic_load_explicit(&r->read, memory_order_acquire);
	return at - r->seen > words;
}

/* Whether the miner has read everything. */
static inline bool recorder_is_empty(const recorder *r)
{
	return atomic_load_explicit(&r->read, memory_order_relaxed) ==
		atomic_load_explicit(&r->written, memory_order_relaxed);
}

/* ---- the miner's side ---- */

/* Have the system provide the memory of the chunks that are used next, or the executor's writing does,
 * at a page fault each 4 KiB: so much ahead of what is in the ring. Cheap where there is nothing to do. */
#define RECORD_READY (UINT64_C(1) << 16)                      /* words */
void recorder_make_ready(recorder *r);

/* The oldest record, NULL if there is none; it stays until recorder_pop. */
const record *recorder_peek(recorder *r);
void recorder_pop(recorder *r, const record *first);
/* Wish not to hear of the next so many ops, nor of what belongs to them: nothing that comes will be
 * looked at. The executor sees it soon, and ends it early where a scope is to be compiled. */
void recorder_nap(recorder *r, uint64_t ops);

#endif
