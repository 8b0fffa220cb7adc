/* fuse_map.h: linear maps from the elements of one shape to those of another.
 *
 * The elements of a space are numbered row-major, and a map says which element of a value (or which
 * place in memory) each of them meets: number = the digits of a mixed radix system, place = the sum
 * of digit × step. Broadcasting is a step of 0; reshapes are no matter at all. Normalised maps are
 * equal exactly if they are the same function.
 */
#ifndef REGION_FUSE_MAP_H
#define REGION_FUSE_MAP_H

#include "ir/op.h"

#define FUSE_SEGS 12

typedef struct fuse_seg { int64_t n, step; } fuse_seg;

/* Innermost digit first, each of at least two values; a space of one element has none. Neighbours
 * that one step can walk are one. */
typedef struct fuse_map {
	int count;
	fuse_seg seg[FUSE_SEGS];
} fuse_map;

void fuse_map_identity(int64_t n, fuse_map *m);
/* Strides over dims, whose sizes are at least 1. */
void fuse_map_strides(int rank, const int64_t *dims, const int64_t *strides, fuse_map *m);
/* Which element of an input of shape `in` meets an element of shape `out`, to which it
 * broadcasts. */
void fuse_map_broadcast(const meta *in, const meta *out, fuse_map *m);
/* Which element of the result meets an element of `in`, dims in `axes` being reduced. */
void fuse_map_reduce(const meta *in, unsigned axes, fuse_map *m);

/* first, then second: *m may be neither. False if that is no such map. `first` is one of the maps
 * made above but the second (steps 0 or those of whole runs). */
bool fuse_map_compose(const fuse_map *second, const fuse_map *first, fuse_map *m);
bool fuse_map_equal(const fuse_map *a, const fuse_map *b);
int64_t fuse_map_count(const fuse_map *m);
/* Repeats elements at most: what is left without the digits of step 0 is the identity. */
bool fuse_map_repeats(const fuse_map *m);

/* The sizes of digits that a set of maps of one space has in common. */
typedef struct fuse_cuts {
	int count;
	int64_t at[FUSE_SEGS];           /* products of all inner digits, ascending, above 1 and
	                                    below the number of elements */
} fuse_cuts;

/* A cut between the digits below and above `at`. False if digits would overlap, or be too many. */
bool fuse_cuts_add(fuse_cuts *c, int64_t at);
bool fuse_cuts_add_map(fuse_cuts *c, const fuse_map *m);
/* The step of `m` in each of c->count + 1 digits; `m` has been added. */
void fuse_cuts_steps(const fuse_cuts *c, const fuse_map *m, int64_t *steps);

#endif
