/* align.c: a greedy difference of two op sequences by desc.
 *
 * Pairs are taken as long as descs agree. Behind a difference the nearest place is sought where
 * ALIGN_RESYNC in a row agree again, skipping as few ops as possible; two are enough where that is
 * one or two, or what stands between two foreign ops would be lost. Descs, not tokens: a foreign
 * op in the dataflow changes the tokens behind it. Linear, since a region with more breaks than one
 * in sixteen ops could not reach the share in common anyway.
 */
#include "hotpath/align.h"

#include "hotpath/token.h"

#define ALIGN_RESYNC 4
#define ALIGN_NEAR   2           /* ops skipped behind which so many in a row will do */
#define ALIGN_SKIP   48          /* ops skipped at most at one place, both sides together */

void align_begin(align *x, const history *h, uint64_t from, uint64_t middle, uint64_t end,
	uint64_t *first, uint64_t *second)
{
	*x = (align){ .h = h, .from = from, .middle = middle, .end = end, .a = from, .b = middle,
		.first = first, .second = second, .room = (uint32_t)(middle - from) };
}

static bool same(const align *x, uint64_t a, uint64_t b)
{
	const record *p = history_op(x->h, a), *q = history_op(x->h, b);

	return p->op == q->op && p->kinds == q->kinds && p->nin == q->nin && p->nopd == q->nopd &&
		p->attr == q->attr && p->metas == q->metas;
}

/* Whether so many in a row agree from there on, as far as the periods go. */
static bool in_step(const align *x, uint64_t a, uint64_t b, unsigned many)
{
	for (unsigned k = 0; k < many; k++, a++, b++) {
		if (a == x->middle || b == x->end)
			return k > 0;
		if (!same(x, a, b))
			return false;
	}
	return true;
}

static bool resync(align *x)
{
	for (uint64_t skip = 1; skip <= ALIGN_SKIP; skip++) {
		const unsigned many = skip <= ALIGN_NEAR ? ALIGN_NEAR : ALIGN_RESYNC;

		for (uint64_t da = 0; da <= skip; da++) {
			const uint64_t a = x->a + da, b = x->b + skip - da;

			if (a < x->middle && b < x->end && in_step(x, a, b, many)) {
				x->a = a;
				x->b = b;
				return true;
			}
		}
	}
	return false;
}

static bool end(align *x)
{
	const uint64_t least = MAX(x->middle - x->from, x->end - x->middle);

	x->state = x->n * UINT64_C(100) >= least * ALIGN_COMMON ? ALIGN_FOUND : ALIGN_FAILED;
	return false;
}

bool align_step(align *x)
{
	if (x->state != ALIGN_BUSY)
		return false;
	if (x->a == x->middle || x->b == x->end)
		return end(x);
	if (same(x, x->a, x->b)) {
		x->first[x->n] = x->a++;
		x->second[x->n++] = x->b++;
		return true;
	}
	if (++x->breaks > 2 + x->room / 16 || !resync(x))
		return end(x);
	return true;
}
