/* plan.h: a region ready to run: a list of steps.
 *
 * In tier T1 a step is one op: its kernel is called as soon as the op has arrived, so nothing is
 * ever withheld and leaving a run costs nothing. What the plan saves is asking again what the last
 * run already knew: the result's shape and cost, as long as the shapes of the inputs and the sizes
 * among the operands are what they were.
 *
 * A slot (hotpath/match.h) has a version, which grows when the meta bound to it changes. The sum of
 * the versions of a step's inputs is the step's stamp: versions only grow, so equal stamps mean
 * that not one of them has changed, whatever runs were left half-way in between. The plan's epoch grows
 * with any version: as long as it is that of the step's last run, the stamp need not even be summed.
 *
 * A plan belongs to one stream; whoever executes that stream changes it.
 */
#ifndef REGION_PLAN_H
#define REGION_PLAN_H

#include "engine/engine.h"
#include "hotpath/match.h"

#define PLAN_UNKNOWN UINT64_MAX          /* stamp of a step that has not run */

typedef struct plan_slot {
	uint32_t version;
	uint32_t cost;           /* of the step that makes it, ns (ir/cost.h) */
	uint32_t size;           /* of its result: record_size */
	meta m;
} plan_slot;

typedef struct plan_step {
	uint64_t stamp, epoch;   /* of its last run */
	kernel *run;             /* NULL: a view or an upload, or not computed by this engine */
	uint32_t sizes;          /* operands[sizes ..]: those that shapes depend on, as seen last */
	uint8_t first_size, size_count;
} plan_step;

typedef struct plan {
	region *region;
	pattern pattern;
	plan_step *steps;
	plan_slot *slots;        /* results, then live-ins, as the pattern's */
	int64_t *operands;
	uint64_t epoch;          /* versions that have come so far, and 1 */
	uint64_t changes;        /* steps learnt */
} plan;

/* Takes r. */
plan *plan_new(region *r, const engine *e);
void  plan_free(plan *p);                /* NULL is fine */

static inline bool plan_same_meta(const meta *a, const meta *b)
{
	if (a->dtype != b->dtype || a->rank != b->rank)
		return false;
	for (int k = 0; k < a->rank; k++)
		if (a->dims[k] != b->dims[k])
			return false;
	return true;
}

/* The slot is bound to a value like `m`. Returns its version. */
static inline uint32_t plan_bind(plan *p, uint32_t slot, const meta *m)
{
	plan_slot *s = &p->slots[slot];

	if (LIKELY(plan_same_meta(&s->m, m)))
		return s->version;
	meta_copy(&s->m, m);
	p->epoch++;
	return ++s->version;
}

/* Whether the sizes among i's operands are those that step `at` had. */
static inline bool plan_same_sizes(const plan *p, uint32_t at, const ins *i)
{
	const plan_step *s = &p->steps[at];
	const int64_t *now = ins_opd(i) + s->first_size, *then = p->operands + s->sizes;

	for (unsigned k = 0; k < s->size_count; k++)
		if (now[k] != then[k])
			return false;
	return true;
}

/* Whether `i`, step `at`, with its inputs bound, has the result that is in the slot, because no
 * slot has changed since. If it says no, plan_knows may still say yes. */
static inline bool plan_rests(const plan *p, uint32_t at, const ins *i)
{
	return p->steps[at].epoch == p->epoch && plan_same_sizes(p, at, i);
}

/* The sum of the versions of step at's inputs. */
uint64_t plan_stamp(const plan *p, uint32_t at);
/* Whether `i`, step `at`, with inputs of that stamp, has the result that is in the slot. */
static inline bool plan_knows(plan *p, uint32_t at, uint64_t stamp, const ins *i)
{
	if (p->steps[at].stamp != stamp || !plan_same_sizes(p, at, i))
		return false;
	p->steps[at].epoch = p->epoch;
	return true;
}

/* Forget what is known of the steps before `at` and of the live-ins: this run began elsewhere. */
void plan_forget(plan *p, uint32_t at);
/* What plan_knows will know: `i` has a result like `out`. */
void plan_learn(plan *p, uint32_t at, uint64_t stamp, const ins *i, const meta *out, uint32_t cost);

#endif
