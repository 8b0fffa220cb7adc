/* stretch.h: a stretch of the stream as a region: its ops as they came, no counting, no cutting.
 * Where it begins and ends is somebody else's business. What was not freed by its end counts as
 * used outside.
 */
#ifndef HOTPATH_STRETCH_H
#define HOTPATH_STRETCH_H

#include "hotpath/region.h"
#include "hotpath/scratch.h"

typedef struct stretch {
	region *list;            /* ops so far; its signature is not there yet */
	uint32_t ops_room, inputs_room, live_ins_room;
	scratch made, bound;     /* value -> op of the list; value -> live-in */
} stretch;

void stretch_init(stretch *s);
void stretch_fini(stretch *s);
void stretch_begin(stretch *s);          /* empty again */
void stretch_op(stretch *s, const record *r);
void stretch_free(stretch *s, uint64_t id);
/* The list, of that signature; there has to be a new beginning. Gives. */
region *stretch_give(stretch *s, uint64_t signature, cut_why why);

#endif
