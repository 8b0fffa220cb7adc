/* rows.h: what rows.c and turns.c share. */
#ifndef CODEGEN_ROWS_H
#define CODEGEN_ROWS_H

#include "codegen/emit.h"

/* What belongs to one of the rows that take a turn together. */
typedef struct own {
	val line[GROUP_ARGS], value[GROUP_NODES], inverse[GROUP_NODES];
} own;

typedef struct pass {
	int number;
	int count, nodes[GROUP_REDUCTIONS];   /* reductions */
	val levels[GROUP_REDUCTIONS];
	int together;                    /* rows that take turns: so many at a time */
	own rows[EMIT_LINES];
} pass;

/* ---- rows.c ---- */

/* Is it stored by this pass? Kept by it, somewhere else than where it is stored anyway? */
bool rows_stored_now(const emit *e, int node);
bool rows_kept_now(const emit *e, int node);
/* For a vector: every value, every reduction taken on in `carry`; then what is stored. */
void rows_values(emit *e, const pass *p, val *carry);
void rows_stores(emit *e);
/* The pass over the rows that e->line has; results are in e->value. */
void rows_do(emit *e, pass *p);
val  rows_line(emit *e, int arg, val row);

/* ---- turns.c ---- */

/* The pass over a batch of rows from `row` on. */
void turns_take(emit *e, pass *p, val row);
/* A vector of each of p->rows. */
void turns_vector(emit *e, const pass *p, val *carry);

#endif
