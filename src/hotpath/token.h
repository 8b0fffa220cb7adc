/* token.h: tokens, 64-bit words that propose "the same kind of op in the same surroundings".
 *
 * The desc of an op is what decides which code runs: op, attributes, scalar kinds, numbers of
 * inputs and operands, dtype, rank and broadcasting of each input. Ids, sizes, scalar values, sites
 * and positions have no part in it. On it stand, for each value,
 *
 *	s0 = H(desc, which inputs are the same tensor)
 *	s1 = H(s0, s0 of each input in order)
 *
 * and the token of an op is H(s0, s1 of each input in order): what it is made of, two ops deep. Not
 * deeper: in a training loop the weights depend on all that happened before, so a whole history
 * never repeats. Values nobody saw being made have one class signature.
 */
#ifndef HOTPATH_TOKEN_H
#define HOTPATH_TOKEN_H

#include "hotpath/record.h"

/* Signatures of the values alive. Bounded: frees remove, and where more than TOKEN_VALUES_MAX are
 * alive (or frees got lost) everything is forgotten and learnt again within two iterations. */
#define TOKEN_VALUES_MAX (1u << 18)

typedef struct sig {
	uint64_t id;             /* 0: the slot is empty */
	uint64_t s0, s1;
	uint32_t graph;          /* graphs.h; 0: none yet, or a leaf */
	uint32_t leaf;           /* made of no value, or of a single leaf */
} sig;

typedef struct tokens {
	sig *slots;
	uint32_t count, capacity;
	unsigned shift;
} tokens;

void tokens_init(tokens *t);
void tokens_fini(tokens *t);

uint64_t token_desc(const record *r);

/* The token of an op with a result, which becomes known. *made is valid until the next call. */
uint64_t tokens_op(tokens *t, const record *r, sig **made);
/* What is known of a value; NULL if nothing. */
sig *tokens_find(const tokens *t, uint64_t id);
void tokens_free(tokens *t, uint64_t id);
void tokens_forget(tokens *t);           /* all of them */

#endif
