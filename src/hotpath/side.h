/* side.h: where runs leave a region, again and again at one place, the way goes on to where the
 * region begins anew: an evaluation every tenth step, a branch taken now and then, gradients that
 * are clipped. The executor says where such a stretch begins and ends (recorder_mark: it knows
 * exactly what it left, and where). One that has come often enough is a region, whose plan is
 * entered where the runs leave.
 *
 * A stretch is known by what it leaves, where, its ops and their wiring. What its ops take from the
 * run that was left are live-ins like any other.
 */
#ifndef HOTPATH_SIDE_H
#define HOTPATH_SIDE_H

#include "hotpath/stretch.h"

#define SIDES_MAX     64         /* stretches known at a time; the one not seen for longest goes */
#define SIDES_RUNS    4          /* of a stretch, or the threshold, if that is less: enough */

typedef struct side {
	uint64_t signature;      /* of its region: of place, ops and wiring; 0: free */
	uint64_t runs, last;
	uint64_t eager;          /* ns, the least that a run took; UINT64_MAX: unknown */
	bool told;               /* handed out */
} side;

typedef struct sides {
	side known[SIDES_MAX];
	uint64_t clock;          /* completions so far */
	uint64_t enough, min_seq;
	bool open;               /* ops are listed */
	side_place place;
	stretch run;             /* the one at hand */
} sides;

typedef struct side_news {
	region *region;          /* Gives; NULL: nothing new */
	side_place place;
	uint64_t runs, eager;
} side_news;

void sides_init(sides *s, uint64_t threshold, uint64_t min_seq);
void sides_fini(sides *s);

void sides_begin(sides *s, side_place where);
void sides_op(sides *s, const record *r);
void sides_free(sides *s, uint64_t id);
/* The region begins anew; the stretch took so many ns (0: unknown). */
side_news sides_end(sides *s, uint64_t ns);
void sides_spoil(sides *s);              /* it is none */
/* The plan of that region is gone: it may be handed out again. */
void sides_forget(sides *s, uint64_t signature);

#endif
