/* fuse_emit.h: a kernel's group while its nodes are being made: fuse_emit.c, fuse_place.c. */
#ifndef REGION_FUSE_EMIT_H
#define REGION_FUSE_EMIT_H

#include "region/fuse_kernel.h"

typedef struct emitter {
	fuse_graph *g;
	fuse_kernel *x;          /* of the unit at work */
	group *group;
	fuse_step *step;
	uint16_t nodes[FUSE_MEMBERS];    /* of members */
	uint16_t loads[GROUP_ARGS];      /* of operands; 0 and not yet: none */
	bool loaded[GROUP_ARGS];
	uint32_t *table;         /* of groups: number + 1 by key */
	uint32_t table_mask;
	fuse_step *steps;        /* one a unit */
	uint32_t *views;         /* per unit, live-ins last: the first view of its members */
	uint32_t *next_view;     /* per value */
	buf key;
} emitter;

/* Each appends a node and returns its number, a load if there is none yet. */
uint16_t fuse_emit_node(emitter *e, group_node n);
uint16_t fuse_emit_load(emitter *e, uint32_t operand);
/* Input k of a row of the graph, and a number that is the fusion's own, as a scalar of the call. */
uint16_t fuse_emit_scalar(emitter *e, uint32_t v, unsigned k, gt_dtype dtype);
uint16_t fuse_emit_constant(emitter *e, int64_t number);
/* A scalar of the call that no node names: which one. */
uint16_t fuse_emit_word(emitter *e, fuse_scalar s);

/* fuse_place.c: the nodes of a member of CLASS_PLACED; returns its value's. */
uint16_t fuse_place_emit(emitter *e, uint32_t slot);

#endif
