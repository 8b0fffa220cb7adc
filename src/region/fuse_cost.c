/* fuse_cost.c: the cost model of kernels, see there. */
#include "region/fuse_cost.h"

#include "ir/op.h"

/* fun.def's functions: those that one instruction rounds correctly have an error of at most half a
 * unit; the others are polynomials. A function that is no operation has code 0. */
enum { OP_erfc = 0 };
enum { WEIGHT_ONE = 1, WEIGHT_DIVISION = 6, WEIGHT_POLYNOMIAL = 20, WEIGHT_POWER = 60,
	WEIGHT_HELPER = 150 };
/* Ten rounds of the generator, for a quarter of the numbers each; polynomials, too, make normal ones.
 * Elements that lie somewhere else are fetched one by one. */
enum { WEIGHT_DRAW = 30, WEIGHT_NORMAL = 60, WEIGHT_PICK = 12, WEIGHT_FEW = 5 };

static const uint8_t functions[OP_CODES] = {
#define FUN1(name, ulp, f64) [OP_##name] = (ulp) > 0.5 ? WEIGHT_POLYNOMIAL : WEIGHT_ONE,
#include "ir/fun.def"
};

unsigned fuse_cost_weight(unsigned code)
{
	switch (code) {
	case OP_div:
	case OP_reciprocal:
	case OP_sqrt:
	case OP_rsqrt:
		return WEIGHT_DIVISION;
	case OP_pow:
		return WEIGHT_POWER;
	case OP_mod:
	case OP_floordiv:
		return WEIGHT_HELPER;        /* lane by lane */
	case OP_rand:
		return WEIGHT_DRAW;
	case OP_randn:
	case OP_randint:             /* twice as many words, and products of them */
		return WEIGHT_NORMAL;
	case OP_gather:
	case OP_index_select:
		return WEIGHT_PICK;
	case OP_one_hot:
	case OP_arange:
		return WEIGHT_FEW;
	default:
		return functions[code] ? functions[code] : WEIGHT_ONE;
	}
}

uint64_t fuse_cost(const fuse_work *w)
{
	const uint64_t rows = (uint64_t)(w->calls * w->rows);
	const uint64_t vectors = ((uint64_t)w->cols + COST_LANES - 1) / COST_LANES;
	const uint64_t instructions = vectors * (w->each + w->levels) + w->line;
	const uint64_t arithmetic = (rows * instructions +
		(uint64_t)w->calls * vectors * w->column) * COST_VECTOR;

	return COST_LAUNCH + (uint64_t)(w->calls - 1) * COST_CALL +
		rows * COST_ROW * (w->levels + 1) + MAX(arithmetic, w->bytes * COST_BYTE);
}
