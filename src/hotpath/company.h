/* company.h: loops that are woven into each other at random show by this: ops come again and again,
 * never in the same company. Then there is nothing to wait for: their graphs are told apart at once.
 */
#ifndef HOTPATH_COMPANY_H
#define HOTPATH_COMPANY_H

#include "base/base.h"

#define COMPANY_BITS   (1u << 14)        /* tokens that came before, told by a hash */
#define COMPANY_WINDOW 32u       /* ops of which nearly all were seen before, .. */
#define COMPANY_KNOWN  31u
#define COMPANY_GRAMS  8u        /* .. but so few of their grams: they are woven, .. */
#define COMPANY_ENOUGH 3u        /* .. if so many windows in a row say so */

typedef struct company {
	uint64_t familiar[COMPANY_BITS / 64];
	unsigned ops, known, grams;      /* of the window at hand; tokens, grams that came before */
	unsigned woven;                  /* windows in a row */
} company;

static inline bool company_is_woven(const company *c) { return c->woven >= COMPANY_ENOUGH; }

/* The next op; whether the gram that ends with it came before. */
static inline void company_note(company *c, uint64_t token, bool again)
{
	uint64_t *word = &c->familiar[token % COMPANY_BITS / 64];
	const uint64_t bit = UINT64_C(1) << (token & 63);

	c->known += (*word & bit) != 0;
	*word |= bit;
	c->grams += again;
	if (++c->ops < COMPANY_WINDOW)
		return;
	c->woven = c->known >= COMPANY_KNOWN && c->grams <= COMPANY_GRAMS ? c->woven + 1 : 0;
	c->ops = c->known = c->grams = 0;
}

#endif
