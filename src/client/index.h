/* index.h: what reading x[...] and writing x[...] = value share. The essay is in index.c. */
#ifndef CLIENT_INDEX_H
#define CLIENT_INDEX_H

#include "client/client.h"

#define DIMS_MAX (2 * GT_RANK_MAX)   /* with new dims and before the limit is checked */

/* An index tensor at dims [at, at + span) of the view; a mask has its rank as span. */
typedef struct pick { gt_tensor *t; int at, span; } pick;

typedef struct plan {
	const gt_site *site;
	gt_tensor *x;
	int64_t opd[3 * GT_RANK_MAX];    /* the slice, by dim of x */
	int64_t dims[DIMS_MAX];          /* of the view */
	int from[DIMS_MAX];              /* which dim of x that is; -1: new */
	int rank;
	bool whole;                      /* the slice takes everything */
	pick picks[GT_RANK_MAX];
	int npicks;
	gt_shape front;                  /* order that brought picks to the front; rank 0: none */
	gt_shape unmerged;               /* shape in that order */
} plan;

static inline bool index_is_mask(const gt_tensor *t) { return t->v->m.dtype == GT_BOOL; }

/* Read the subscripts list[n] of x, all ready, into *p, which is all zero. */
gt_err index_plan(plan *p, const gt_site *site, gt_tensor *x, const gt_index *list, int n);

/* Whether the view has the dims of the slice of x: none came or went. */
bool index_same_dims(const plan *p);

/* The view of x that the picks are indices into: owned, or x itself. */
gt_tensor *index_view(const plan *p);

/* v with all picks made into one: afterwards picks[0] is an index into dim picks[0].at of the
 * result. Waits for masks. */
gt_tensor *index_resolve(plan *p, gt_tensor *v);

#endif
