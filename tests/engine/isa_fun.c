/* isa_fun.c: see isa_fun.h; compiled once per instruction set, as src/engine/isa is. */
#include "base/base.h"
#include "isa_fun.h"

#define FUN1(name, ulp, f64) static float one_##name(float x) { return fun_##name(x); }
#include "ir/fun.def"

static const fun_row rows[] = {
#define FUN1(name, ulp, f64) { #name, ulp, map_##name, map64_##name, one_##name },
#include "ir/fun.def"
	{ 0 },
};

static void map_normal(fun_pair *out, const uint32_t *x, const uint32_t *y, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = fun_normal(x[i], y[i]);
}

const fun_table PASTE(fun_table_, GT_ISA) = {
	.rows = rows, .pow = map_pow, .pow64 = map64_pow, .normal = map_normal,
#define FUN2(name, ulp, f64) .name##_ulp = ulp,
#include "ir/fun.def"
};
