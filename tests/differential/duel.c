/* duel.c: play a stream in two ways and compare what its fetches read.
 *
 * Answers are looked at when they are waited for; some are kept until the end and looked at again,
 * because what a client holds must never change. NaNs are alike whatever their payload.
 */
#include "differential/duel.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "differential/program.h"
#include "embed/embed.h"
#include "ir/op.h"
#include "ir/shape.h"

#define PLAIN_CHUNK 256
#define TIMES 3                  /* a stream is played at most: eagerly, cold, warm */
#define AWAKE_NS 1000000         /* cost of a chunk that wakes the worker's thread */

static const interrupt never = { NULL, NULL };

typedef struct outcome {
	uint64_t id;
	answer *a;               /* until it is dropped */
	uint64_t hash;           /* of the bytes */
	uint32_t state, site;
	gt_err code;
	char *text;
	meta m;
	bool waited, changed;
} outcome;

typedef struct player {
	const stream *s;
	struct link *link;
	dice d;
	bool sabotage;
	size_t done;             /* instructions handed over */
	const ins *at;
	outcome *out;
	size_t count, room, next;   /* next: the first that was not waited for */
} player;

/* ---- outcomes -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t hash_answer(const answer *a)
{
	const int64_t n = meta_count(&a->m);
	uint64_t hash = 1;

	for (int64_t k = 0; k < n; k++) {
		uint64_t word = 0;
		bool nan = false;

		switch (dtype_size((gt_dtype)a->m.dtype)) {
		case 1:
			word = ((const uint8_t *)a->data)[k];
			break;
		case 4:
			word = ((const uint32_t *)a->data)[k];
			nan = a->m.dtype == GT_FLOAT32 && isnan(((const float *)a->data)[k]);
			break;
		default:
			word = ((const uint64_t *)a->data)[k];
			nan = a->m.dtype == GT_FLOAT64 && isnan(((const double *)a->data)[k]);
		}
		hash = mix(hash, nan ? 0x7ff : word);
	}
	return hash;
}

static void look(outcome *o)
{
	const answer *a = o->a;

	o->waited = true;
	o->state = atomic_load(&a->state);
	if (o->state == ANSWER_READY) {
		o->m = a->m;
		o->hash = hash_answer(a);
	} else if (o->state == ANSWER_FAILED) {
		o->site = a->why->site;
		o->code = a->why->code;
		o->text = mem_string(a->why->text);
	}
}

static void wait_for(player *p, size_t upto)
{
	for (; p->next < upto; p->next++) {
		outcome *o = &p->out[p->next];

		if (p->link->ops->wait(p->link, o->a, &never))
			abort();
		look(o);
		if (!dice_chance(&p->d, 30)) {
			answer_drop(o->a);
			o->a = NULL;
		}
	}
}

/* What was kept must still be what it was. */
static void look_again(player *p)
{
	for (size_t k = 0; k < p->count; k++) {
		outcome *o = &p->out[k];

		if (!o->a)
			continue;
		if (o->waited && o->state == ANSWER_READY)
			o->changed = hash_answer(o->a) != o->hash;
		answer_drop(o->a);
		o->a = NULL;
	}
}

static void player_fini(player *p)
{
	for (size_t k = 0; k < p->count; k++)
		mem_free(p->out[k].text);
	mem_free(p->out);
}

/* ---- playing --------------------------------------------------------------------------------- */

static size_t chunk_size(player *p, const manner *how)
{
	if (how->plain)
		return PLAIN_CHUNK;
	return dice_chance(&p->d, 20) ? 1 : (size_t)dice_range(&p->d, 1, 100);
}

/* A copy of the next instructions with references of its own. */
static void collect(player *p, batch *b, size_t n)
{
	ins_room room;

	for (; n && (p->at = batch_next(&p->s->code, p->at)); n--, p->done++) {
		memcpy(&room, p->at, p->at->words * sizeof(uint64_t));
		if (room.head.op == OP_fetch) {
			outcome o = { .id = ins_in(p->at)[0], .a = answer_new() };

			VEC_ROOM(p->out, p->count, p->room);
			p->out[p->count++] = o;
			room.words[INS_HEAD_WORDS + room.head.nin] = (uint64_t)(uintptr_t)o.a;
		}
		if (p->sabotage && room.head.op == OP_tanh)
			room.head.op = OP_sin;
		if (ins_blob(&room.head))
			blob_hold(ins_blob(&room.head));
		batch_push(b, &room.head);
	}
}

/* Hand over one chunk; false if that was the last. */
static bool advance(player *p, const manner *how, mode m)
{
	const bool catch_up = dice_chance(&p->d, 30);    /* thrown in every mode */
	batch b = { 0 };
	bool more;

	collect(p, &b, chunk_size(p, how));
	more = p->done < p->s->count;
	if (p->link->ops->flush(p->link, b.words, b.used, b.count, how->threaded ? AWAKE_NS : 0))
		abort();
	b.used = b.count = 0;            /* the link has the references */
	batch_fini(&b);
	if (how->plain || dice_chance(&p->d, 60))
		wait_for(p, p->count);
	if (m == MODE_THREAD && catch_up) {
		worker_stats s;

		p->link->ops->sync(p->link, &never);
		embed_stats(p->link, &s);        /* which lets the miner catch up */
	}
	return more;
}

static void set(flag f, const char *value)
{
	if (flag_set(f, value))
		abort();
}

static void set_mode(mode m, const manner *how)
{
	char threshold[16], threads[16];

	snprintf(threshold, sizeof threshold, "%u", how->threshold);
	snprintf(threads, sizeof threads, "%u", m == MODE_EAGER ? 1 : how->threads);
	if (how->threads)
		set(FLAG_GT_THREADS, threads);
	set(FLAG_GT_AUTO_COMPILE, m == MODE_EAGER ? "0" : "1");
	set(FLAG_GT_COMPILE_SYNC, m == MODE_SYNC ? "1" : "0");
	set(FLAG_GT_HOTPATH_THRESHOLD, threshold);
	set(FLAG_GT_COMPILE, m != MODE_EAGER && how->compiles ? "1" : "0");
	set(FLAG_GT_CHECK, m != MODE_EAGER && how->checks ? "1" : "0");
	set(FLAG_GT_HOTPATH_TIER, how->fuses ? "2" : "1");
	set(FLAG_GT_HOTPATH_CODE, how->machine ? "compiled" : "interpreted");
	/* What the user keeps is none of ours. */
	set(FLAG_GT_CACHE_DIR, how->cache ? how->cache : "");
	set(FLAG_GT_QUIET, "1");
}

static void begin(player *p, const stream *s, const manner *how, mode m)
{
	*p = (player){ .s = s, .d = { how->seed ^ s->count },
		.sabotage = how->sabotage && m != MODE_EAGER };
	if (embed_open(&p->link)) {
		fprintf(stderr, "%s\n", gt_last_error());
		abort();
	}
}

static void play(player *p, unsigned n, const manner *how, mode m, duel_stats *stats)
{
	const size_t stop = how->vanishes ? (size_t)(how->seed % p->s->count) : SIZE_MAX;
	bool more = true;
	worker_stats s;

	while (more && p->done < stop) {
		more = false;
		for (unsigned k = 0; k < n; k++)
			if (p[k].done < p[k].s->count)
				more |= advance(&p[k], how, m);
	}
	for (unsigned k = 0; k < n && !how->vanishes; k++) {
		wait_for(&p[k], p[k].count);
		p[k].link->ops->sync(p[k].link, &never);
	}
	if (embed_stats(p->link, &s))
		abort();
	*stats = (duel_stats){ .hot = s.hot, .tensors = how->vanishes ? 0 : s.tensors };
	for (unsigned k = 0; k < n; k++)
		look_again(&p[k]);
	for (unsigned k = 0; k < n; k++)
		p[k].link->ops->close(p[k].link);
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void put_outcome(buf *to, const outcome *o)
{
	char text[SHAPE_TEXT_MAX];

	if (o->state == ANSWER_FAILED)
		buf_printf(to, "failed (site %u): %s", o->site, o->text);
	else if (o->state == ANSWER_READY)
		buf_printf(to, "%s with hash %016" PRIx64 "%s", meta_text(&o->m, text, sizeof text),
			o->hash, o->changed ? ", changed later" : "");
	else
		buf_printf(to, "not answered");
}

static bool is_same(const outcome *a, const outcome *b)
{
	if (!a->waited || !b->waited)    /* a client that vanished */
		return true;
	if (a->state != b->state || a->changed || b->changed)
		return false;
	if (a->state == ANSWER_FAILED)
		return a->code == b->code && a->site == b->site && !strcmp(a->text, b->text);
	return a->state != ANSWER_READY || (a->hash == b->hash && a->m.dtype == b->m.dtype &&
		a->m.rank == b->m.rank &&
		!memcmp(a->m.dims, b->m.dims, a->m.rank * sizeof *a->m.dims));
}

static bool compare(const player *a, const player *b, buf *why)
{
	for (size_t k = 0; k < a->count; k++) {
		if (is_same(&a->out[k], &b->out[k]))
			continue;
		buf_printf(why, "fetch %zu, of t%" PRIu64 ": eager ", k, a->out[k].id);
		put_outcome(why, &a->out[k]);
		buf_printf(why, "; with hot paths ");
		put_outcome(why, &b->out[k]);
		return false;
	}
	return true;
}

static bool compare_rest(const duel_stats *eager, const duel_stats *hot, buf *why)
{
	if (eager->tensors == hot->tensors)
		return true;
	buf_printf(why, "eager %" PRIu64 " values are left at the end, with hot paths %" PRIu64,
		eager->tensors, hot->tensors);
	return false;
}

bool duel(const stream *s, const stream *other, const manner *how, mode m, duel_stats *stats,
	buf *why)
{
	const stream *const streams[2] = { s, other };
	const unsigned n = other ? 2 : 1, times = how->cache ? TIMES : TIMES - 1;
	player players[TIMES][2];
	duel_stats last[TIMES];
	bool same = true;

	for (unsigned time = 0; time < times; time++) {
		const mode now = time ? m : MODE_EAGER;

		set_mode(now, how);
		for (unsigned k = 0; k < n; k++)
			begin(&players[time][k], streams[k], how, now);
		play(players[time], n, how, now, &last[time]);
	}
	for (unsigned time = 1; time < times; time++) {
		for (unsigned k = 0; k < n; k++)
			same = same && compare(&players[0][k], &players[time][k], why);
		same = same && compare_rest(&last[0], &last[time], why);
	}
	for (unsigned k = 0; k < times * n; k++)
		player_fini(&players[k / n][k % n]);
	last[times - 1].warm = times == TIMES && last[2].hot.replayed > last[1].hot.replayed;
	if (stats)
		*stats = last[times - 1];
	return same;
}
