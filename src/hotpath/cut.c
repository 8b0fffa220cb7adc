/* cut.c: where a loop begins. Any rotation is legal; the best hands over the fewest bytes.
 *
 * A value made at p and used last at u is alive across every cut in p + 1 .. u. A difference array
 * over the cuts of one period collects all of them in one sweep over two. Among the cuts within a
 * sixteenth of the minimum the one before fresh data arrives is preferred, then one behind a read:
 * there a program's own iteration begins. A cut must be recognisable: the first eight tokens behind
 * it occur once in the period, if any eight do. Ties go by content, never by position, so that the
 * same loop is cut at the same place wherever it was noticed.
 */
#include "hotpath/build.h"
#include "hotpath/mix.h"

/* Op b->i uses its inputs. */
static void note_uses(build *b, uint32_t i)
{
	const record *r = history_op(b->h, b->pos[i]);

	for (unsigned k = 0; k < r->nin; k++) {
		const uint32_t p = record_scalar(r, k) ? SCRATCH_NONE :
			scratch_get(&b->made, r->in[k]);

		if (p != SCRATCH_NONE)
			b->index[p] = i;
	}
	scratch_put(&b->made, r->out, i);
	b->index[i] = i;
}

/* Value of op p lives until its last use: add its bytes to all cuts between, around the period. */
static void add_life(build *b, uint32_t p)
{
	const int64_t size = history_op(b->h, b->pos[p])->size;
	const uint32_t length = b->index[p] - p, whole = length / b->n, rest = length % b->n;
	const uint32_t from = (p + 1) % b->n, to = from + rest;

	b->bytes[0] += size * whole;
	b->bytes[from] += size;
	b->bytes[MIN(to, b->n)] -= size;
	if (to > b->n) {
		b->bytes[0] += size;
		b->bytes[to - b->n] -= size;
	}
}

/* 2n steps of uses, then n of lives. */
bool cut_alive(build *b)
{
	if (b->i < 2 * b->n)
		note_uses(b, (uint32_t)b->i);
	else
		add_life(b, (uint32_t)b->i - 2 * b->n);
	return b->i + 1 == 3 * (uint64_t)b->n;
}

/* The tokens behind a cut, around the period if it is shorter than that. */
static uint64_t gram(const build *b, uint32_t c)
{
	uint64_t h = 0;

	for (uint32_t k = 0; k < BUILD_GRAM; k++)
		h = mix(h, build_token(b, (c + k) % b->n));
	return h;
}

/* Differences become sums; grams are collected, and index says which occurred before. */
bool cut_sum(build *b)
{
	const uint32_t c = (uint32_t)b->i;
	const uint64_t g = gram(b, c);
	const uint32_t before = scratch_get(&b->other, g);

	if (c)
		b->bytes[c] += b->bytes[c - 1];
	b->index[c] = before != SCRATCH_NONE;
	if (before != SCRATCH_NONE)
		b->index[before] = 1;
	else
		scratch_put(&b->other, g, c);
	return c + 1 == b->n;
}

static bool is_fresh(unsigned code)
{
	return code == OP_upload || code == OP_rand || code == OP_randn || code == OP_randint;
}

static bool is_behind_read(const build *b, uint32_t c)
{
	const uint64_t before = b->pos[c ? c - 1 : b->n - 1];
	const record *e;

	for (uint64_t w = history_events(b->h, before); (e = history_event(b->h, before, &w));)
		if (e->op == OP_fetch)
			return true;
	return false;
}

static cut_why why_of(const build *b, uint32_t c)
{
	if (is_fresh(history_op(b->h, b->pos[c])->op) &&
			!is_fresh(history_op(b->h, b->pos[c ? c - 1 : b->n - 1])->op))
		return CUT_FRESH;
	return is_behind_read(b, c) ? CUT_READ : CUT_BYTES;
}

/* Whether cut c is better than the region's present one. */
static bool is_better(const build *b, uint32_t c, cut_why why)
{
	if (why != b->region->cut_why)
		return why > b->region->cut_why;
	if (b->bytes[c] != b->bytes[b->cut])
		return b->bytes[c] < b->bytes[b->cut];
	return gram(b, c) < gram(b, b->cut);
}

/* n steps for the minimum among recognisable cuts (all of them, if there is none: bytes[n] counts
 * up from there), n more for the choice. */
bool cut_choose(build *b)
{
	const uint32_t c = (uint32_t)(b->i % b->n);
	const bool unique = !b->index[c];
	region *r = b->region;

	if (b->i < b->n) {
		if (unique > r->cut_unique || c == 0 ||
				(unique == r->cut_unique && b->bytes[c] < b->bytes[b->cut])) {
			r->cut_unique = unique;
			b->cut = c;
			b->bytes[b->n] = b->bytes[c] + b->bytes[c] / 16;
			r->cut_why = why_of(b, c);
		}
	} else if (unique == r->cut_unique && b->bytes[c] <= b->bytes[b->n]) {
		const cut_why why = why_of(b, c);

		if (is_better(b, c, why)) {
			b->cut = c;
			r->cut_why = why;
		}
	}
	r->cut_bytes = (uint64_t)b->bytes[b->cut] * RECORD_UNIT;
	return b->i + 1 == 2 * (uint64_t)b->n;
}
