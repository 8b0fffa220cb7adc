/* recipe.h: a region and the shapes seen in it, as bytes: what lets a new process replay a loop
 * from its first iteration.
 *
 * A recipe proposes, as the miner does: a stream is compared with it op by op, so one that is out
 * of date costs a miss. Of a run it holds what a plan is made of: metas and strides of live-ins,
 * operands and scalars of the instructions. No data, no seeds, no places in anybody's program.
 */
#ifndef CACHE_RECIPE_H
#define CACHE_RECIPE_H

#include "base/mem.h"
#include "hotpath/region.h"

#define RECIPE_RUNS 8            /* of a region; a variant of its shapes each */
#define RECIPE_OPS  (1u << 17)

/* One run as seen. Strides are in elements, as many as live-in m has dims. Of the instructions op,
 * attributes, scalars and operands are kept; on the way out of a file their ids are slots
 * (hotpath/match.h: results, then live-ins) + 1, seeds, draw numbers and sites are 0, and uploads
 * have no data. */
typedef struct recipe_run {
	const ins *const *ops;
	const meta *live_ins;
	const int64_t (*strides)[GT_RANK_MAX];
	const meta *results;     /* inferred on the way out; not looked at on the way in */
} recipe_run;

typedef struct recipe {
	region *region;
	unsigned count;
	recipe_run runs[RECIPE_RUNS];
	arena memory;            /* of the runs */
} recipe;

/* Append. At most RECIPE_OPS ops and RECIPE_RUNS runs. */
void recipe_encode(const region *r, const recipe_run *runs, unsigned count, buf *to);
/* Gives *out. GT_EPROTO: not what recipe_encode writes; every run's shapes infer, with the metas of
 * the region. There is one encoding of a recipe: encoding again gives the same bytes. */
gt_err recipe_decode(const void *data, size_t size, recipe **out);
void   recipe_free(recipe *r);           /* NULL is fine */
/* Gives the region, to whoever makes a plan of it; the runs stay. */
region *recipe_take(recipe *r);

#endif
