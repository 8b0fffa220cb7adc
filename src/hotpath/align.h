/* align.h: what two approximate periods have in common, where foreign ops come between. */
#ifndef HOTPATH_ALIGN_H
#define HOTPATH_ALIGN_H

#include "hotpath/history.h"

#define ALIGN_COMMON 80          /* per cent of both periods that must be in common */

typedef enum align_state { ALIGN_BUSY, ALIGN_FOUND, ALIGN_FAILED } align_state;

/* The ops [from, middle) and [middle, end) of a history. The pairs found stand in first[] and
 * second[], which are the caller's, with room for middle - from. */
typedef struct align {
	align_state state;
	const history *h;
	uint64_t from, middle, end, a, b;
	uint64_t *first, *second;
	uint32_t n, room, breaks;
} align;

void align_begin(align *x, const history *h, uint64_t from, uint64_t middle, uint64_t end,
	uint64_t *first, uint64_t *second);
/* One step: a pair, or the search behind a difference. False when there is none left. */
bool align_step(align *x);

#endif
