/* stream.c: the batch on its way to the link, and the numbers of places. */
#include "client/client.h"

#include <stdio.h>
#include "base/clock.h"
#include "base/mem.h"
#include "ir/text.h"

/* A reader had better run by itself so much estimated work .. */
#define LITTLE_NS 100000   /* .. in any case, .. */
#define MUCH_NS   4000000  /* .. and if somebody else would have .. */
#define WAKE_NS   60000    /* .. a lead of no more than it takes to be woken and to wake in turn */

/* ---- handing over ---------------------------------------------------------------------------- */

static const char *place(void *ctx, uint32_t number, uint32_t *line)
{
	const gt_site *s = sites_get(ctx, number);

	if (!s)
		return NULL;
	*line = (uint32_t)s->line;
	return s->file;
}

/* GT_DEBUG_CLIENT */
static void print(gt_client *gt)
{
	const text_sites known = { .place = place, .ctx = gt->sites };
	buf b = { 0 };

	for (size_t at = 0; at < gt->used; ) {
		const ins *i = (const ins *)(gt->words + at);

		text_put(&b, i, &known);
		at += i->words;
	}
	fwrite(b.data, 1, b.size, stderr);
	buf_fini(&b);
}

void stream_discard(gt_client *gt)
{
	for (size_t at = 0; at < gt->used; ) {
		const ins *i = (const ins *)(gt->words + at);
		blob *b = ins_blob(i);

		at += i->words;
		if (b)
			blob_drop(b);
	}
	gt->used = gt->count = 0;
	gt->cost = 0;
}

typedef enum manner { PASSING, AWAITED, NOW } manner;   /* who wants it done? */

/* For how long somebody else could have been at work since the last read. */
static uint64_t lead(gt_client *gt)
{
	const uint64_t now = clock_ns();

	if (!gt->began)
		gt->began = now;
	return now - gt->began;
}

/* Is what was issued since the last read better left for the reader? The worker's thread would have
 * to be woken, and would be about to begin when the reader comes: that took steps of 20 us up to
 * twice as long, and some of 300 us a tenth. What it can save is no more than its lead. */
static bool is_readers(gt_client *gt)
{
	const bool little = gt->habit <= LITTLE_NS;
	const uint64_t ahead = little ? 0 : MAX(lead(gt), gt->lead);

	return gt->issued <= 2 * gt->habit && (little || (gt->habit <= MUCH_NS && ahead <= WAKE_NS));
}

/* What the link is told: what it has not heard of, unless it is the reader's to run. */
static uint64_t tell(gt_client *gt, manner how)
{
	const uint64_t rest = gt->issued - gt->told;

	if (how == AWAITED || (how == PASSING && is_readers(gt))) {
		gt->left |= rest > 0;
		return 0;
	}
	gt->told = gt->issued;
	gt->left = false;
	return how == NOW ? MAX(rest, (uint64_t)LINK_URGENT_NS) : rest;
}

/* The larger of both, so that a read which follows another one at once changes little. */
static uint64_t used_to(uint64_t before, uint64_t now)
{
	return MAX(now, before - before / 8);
}

/* The client waits next. Of little the lead does not matter, and is not known: nobody has looked at
 * the clock. */
static void begin_anew(gt_client *gt)
{
	if (gt->habit <= LITTLE_NS)
		gt->lead = UINT64_MAX;
	else
		gt->lead = gt->lead == UINT64_MAX ? lead(gt) : used_to(gt->lead, lead(gt));
	gt->habit = used_to(gt->habit, gt->issued);
	gt->issued = gt->told = gt->began = 0;
}

static gt_err hand_over(gt_client *gt, manner how)
{
	const size_t words = gt->used, n = gt->count;
	uint64_t cost;
	gt_err e;

	gt->issued += gt->cost;
	cost = tell(gt, how);
	gt->link->light = !gt->uploads;
	gt->used = gt->count = 0;
	gt->cost = 0;
	gt->uploads = false;
	/* The interrupt callback may run anything; nothing of it may come back here. */
	gt->state = CLIENT_BUSY;
	e = gt->link->ops->flush(gt->link, gt->words, words, n, cost);
	gt->state = CLIENT_OPEN;
	return e;
}

static gt_err flush(gt_client *gt, manner how)
{
	gt_err e;

	if ((e = client_check_fork(gt))) {
		stream_discard(gt);
		return e;
	}
	if (!gt->count && (how != NOW || !gt->left))
		return GT_OK;
	if (UNLIKELY(gt->debug))
		print(gt);
	return hand_over(gt, how);
}

gt_err stream_flush(gt_client *gt)
{
	return flush(gt, PASSING);
}

gt_err stream_flush_awaited(gt_client *gt)
{
	const gt_err e = flush(gt, AWAITED);

	begin_anew(gt);
	return e;
}

gt_err stream_flush_now(gt_client *gt)
{
	gt->habit = 0;
	return flush(gt, NOW);
}

void stream_free(gt_client *gt, uint64_t id)
{
	ins *i = stream_room(gt);

	if (UNLIKELY(gt->state == CLIENT_CLOSED))
		return;
	*i = (ins){ .op = OP_free, .words = INS_HEAD_WORDS + 1, .nin = 1 };
	i->tail[0] = id;
	/* It is a hint: what comes of handing it over shows at the next call that has a result. An
	 * interrupt would not show again. */
	if (UNLIKELY(stream_commit(gt, FREE_NS) == GT_EINTERRUPT))
		gt->interrupted = true;
}

/* ---- places ---------------------------------------------------------------------------------- */

#define BLOCK_FIRST 8   /* the first block has 1 << 8 entries */

static const gt_site **entry(const sites *s, uint32_t number)
{
	const uint32_t n = number + (1u << BLOCK_FIRST) - 1,
		block = 31 - (uint32_t)__builtin_clz(n);

	return &s->blocks[block - BLOCK_FIRST][n - (1u << block)];
}

typedef struct site_slot { const gt_site *site; uint32_t number; } site_slot;   /* NULL: empty */

static uint32_t hash(const gt_site *site)
{
	return (uint32_t)((uintptr_t)site * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* Where `site` is or belongs. */
static site_slot *slot_of(const sites *s, const gt_site *site)
{
	uint32_t k = hash(site) & (s->capacity - 1);

	while (s->slots[k].site && s->slots[k].site != site)
		k = (k + 1) & (s->capacity - 1);
	return &s->slots[k];
}

static void grow(sites *s)
{
	mem_free(s->slots);
	s->capacity *= 2;
	s->slots = mem_zero(s->capacity * sizeof *s->slots);
	for (uint32_t k = 1; k <= s->n; k++)
		*slot_of(s, *entry(s, k)) = (site_slot){ *entry(s, k), k };
}

static uint32_t add(sites *s, site_slot *slot, const gt_site *site)
{
	const uint32_t number = ++s->n, n = number + (1u << BLOCK_FIRST) - 1;
	const uint32_t block = 31 - (uint32_t)__builtin_clz(n) - BLOCK_FIRST;

	assert(block < COUNT(s->blocks));
	if (!s->blocks[block])
		s->blocks[block] = mem_zero((sizeof **s->blocks << BLOCK_FIRST) << block);
	*entry(s, number) = site;
	*slot = (site_slot){ site, number };
	if (s->n * 2 > s->capacity)
		grow(s);
	return number;
}

uint32_t site_add(gt_client *gt, const gt_site *site)
{
	site_slot *slot;

	if (!site)
		return 0;
	slot = slot_of(gt->sites, site);
	gt->site_number = LIKELY(slot->number) ? slot->number : add(gt->sites, slot, site);
	gt->site = site;
	return gt->site_number;
}

sites *sites_new(void)
{
	sites *s = mem_zero(sizeof *s);

	s->refs = 1;
	s->capacity = 256;
	s->slots = mem_zero(s->capacity * sizeof *s->slots);
	return s;
}

sites *sites_hold(sites *s)
{
	__atomic_fetch_add(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void sites_drop(sites *s)
{
	if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (size_t k = 0; k < COUNT(s->blocks); k++)
		mem_free(s->blocks[k]);
	mem_free(s->slots);
	mem_free(s);
}

/* A number reaches another thread through an instruction's failure, which orders what is read here
 * behind what add wrote. */
const gt_site *sites_get(const sites *s, uint32_t number)
{
	const uint32_t n = number + (1u << BLOCK_FIRST) - 1;
	const uint32_t block = 31 - (uint32_t)__builtin_clz(n) - BLOCK_FIRST;

	return number && block < COUNT(s->blocks) && s->blocks[block] ? *entry(s, number) : NULL;
}
