/* program.h: random programs that look like training.
 *
 * A program has state (parameters, averages) and one to three *modules*: straight-line lists of
 * statements over registers, run again and again on a schedule (one after the other, alternating,
 * nested, interleaved, ...). Registers behave as names in Python do: what one was bound to is freed
 * when the next run binds it again, unless something else still holds it.
 *
 * Sizes are symbols: a type says "(batch, width)", and what the symbols stand for may change from
 * run to run, so one list of statements serves every batch size.
 */
#ifndef DIFFERENTIAL_PROGRAM_H
#define DIFFERENTIAL_PROGRAM_H

#include "differential/stream.h"
#include "ir/dtype.h"
#include "ir/op.h"

/* ---- random numbers: splitmix64 -------------------------------------------------------------- */

typedef struct dice { uint64_t state; } dice;

static inline uint64_t dice_bits(dice *d)
{
	uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline int dice_range(dice *d, int low, int high)   /* both included */
{
	return low + (int)(dice_bits(d) % (uint64_t)(high - low + 1));
}

static inline bool dice_chance(dice *d, unsigned percent)
{
	return dice_bits(d) % 100 < percent;
}

/* ---- types ----------------------------------------------------------------------------------- */

/* A size: the product of up to three symbols, four bits each, ascending; 0 is 1. */
typedef uint16_t dim;
enum { SYM_BATCH = 1, SYM_D, SYM_E, SYM_F, SYM_TWO, SYM_COUNT };
dim  dim_times(dim a, dim b);            /* DIM_NONE if it has too many symbols */
#define DIM_NONE UINT16_MAX
bool dim_has(dim a, unsigned symbol);

#define TYPE_RANK_MAX 3
typedef struct type {
	uint8_t dtype, rank;
	bool indices;            /* int64 within 0 .. bound - 1 */
	dim dims[TYPE_RANK_MAX], bound;
} type;

static inline bool type_equal(const type *a, const type *b)
{
	return a->dtype == b->dtype && a->rank == b->rank &&
		!memcmp(a->dims, b->dims, a->rank * sizeof *a->dims);
}

/* ---- statements ------------------------------------------------------------------------------ */

/* What a statement does, besides the codes of the op table. */
enum { DO_KEEP = OP_CODES, DO_CLEAR, DO_INNER };

/* When its result goes, if nothing else holds it. */
typedef enum life { LIFE_USE, LIFE_STEP, LIFE_NAME } life;

/* When a statement is done at all. Statements that are not done always have no result that others
 * rely on. */
typedef enum when { WHEN_ALWAYS, WHEN_EVERY, WHEN_CHANCE, WHEN_LAST } when;

/* What the operands of slices are. */
typedef enum cut { CUT_ALL, CUT_ONE, CUT_BACK } cut;

typedef struct number {
	dtype_kind kind;
	double base;
	bool varies;             /* from run to run, as a learning rate does */
	bool flips;              /* sometimes it is of another kind */
} number;

#define REGS 96
#define REG_SCALAR (-1)
typedef struct statement {
	uint16_t op;
	uint8_t nin;
	int16_t in[4], dst;      /* registers; in: or REG_SCALAR */
	number numbers[4];
	type t;                  /* of the result */
	attr attr;
	uint8_t axis;
	cut cut;
	bool steers;             /* the last number of randint is a size, in t.bound */
	bool risky;              /* indices or divisors that are wrong in some runs */
	life life;
	when when;
	uint16_t every, phase;
	int last_use;            /* the statement that uses the result last; -1: none */
} statement;

#define STATEMENTS_MAX 160
typedef struct module {
	statement list[STATEMENTS_MAX];
	int count;
	int first_reg;           /* registers of its own are from there */
	bool signals;            /* inside "forward" */
	int marks;               /* each run is a marked part: 1 + its mode; 0: it is not */
} module;

typedef enum schedule {
	RUN_ONE, RUN_ALTERNATE, RUN_BRANCH, RUN_NESTED, RUN_EVALUATE, RUN_SEQUENCE, RUN_WOVEN,
	RUN_DETOUR,              /* now and then module 1 takes the place of the end of module 0 */
	SCHEDULES
} schedule;
typedef enum batches { BATCH_FIXED, BATCH_PARTIAL, BATCH_RANDOM, BATCH_GROWS, BATCH_EMPTY,
	BATCH_MODES } batches;
#define BATCH_GROWTH 24          /* sizes; then it is as at first */

#define MODULES_MAX 3
#define STATES_MAX 12
typedef struct program {
	uint64_t seed;
	bool large;                      /* threads share the work on some tensors */
	module modules[MODULES_MAX];
	int count;
	type states[STATES_MAX];         /* registers 0 .. */
	int state_count, state_count_max;
	schedule schedule;
	batches batches;
	int runs, inner, every;
	int fork;                        /* RUN_DETOUR: the statement where the ways part */
	bool inner_varies, ends_early, errs;
	int64_t sizes[SYM_COUNT];
	unsigned id_step;
} program;

/* The program of a seed, and its stream (Gives). */
void   program_invent(program *p, uint64_t seed, bool large);
stream program_perform(const program *p);

#endif
