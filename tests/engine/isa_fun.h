/* isa_fun.h: the functions of fun.def as rows, one table an instruction set: for tests and
 * benchmarks. */
#ifndef TESTS_ISA_FUN_H
#define TESTS_ISA_FUN_H

#include <stdint.h>

#include "engine/fun.h"

typedef struct fun_row {
	const char *name;
	double ulp;              /* claimed largest error */
	void (*map)(float *out, const float *in, int64_t n);
	void (*map64)(double *out, const double *in, int64_t n);
	float (*one)(float x);
} fun_row;

typedef struct fun_table {
	const fun_row *rows;     /* ends with name = NULL */
	void (*pow)(float *out, const float *a, const float *b, int64_t n);
	void (*pow64)(double *out, const double *a, const double *b, int64_t n);
	void (*normal)(fun_pair *out, const uint32_t *x, const uint32_t *y, int64_t n);
	double pow_ulp;
} fun_table;

extern const fun_table fun_table_base, fun_table_avx2, fun_table_avx512;

#endif
