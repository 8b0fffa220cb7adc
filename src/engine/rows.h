/* rows.h: how faster kernels override the reference.
 *
 * An engine's table starts as engine_reference. A file with faster kernels exports one function
 * that writes its kernels over the rows it speeds up, <file>_rows(table); engine_open calls them
 * in the order of the lists below. Files in isa/ are compiled once per instruction set
 * (-DGT_ISA=base, avx2, avx512) and wrap every name that is visible outside the file in ISA(), so
 * elementwise.c exports elementwise_rows_base, elementwise_rows_avx2 and elementwise_rows_avx512;
 * the one that the machine runs is called.
 *
 * A kernel that cannot serve a case (a dtype, a layout) calls engine_reference[c->i->op] for it;
 * so does one that finds an error, because the reference words it.
 */
#ifndef ENGINE_ROWS_H
#define ENGINE_ROWS_H

#include "base/cpu.h"
#include "engine/engine.h"

/* Files in src/engine/ whose rows need no particular machine. */
#define ROWS_FILES(X)

/* Files in src/engine/isa/. */
#define ROWS_ISA_FILES(X) \
	X(elementwise) X(copy) X(create) X(index) X(product) X(reduce) X(arg) X(composite)

#define ROWS_DECLARE(file) void file##_rows(kernel **table);
ROWS_FILES(ROWS_DECLARE)
#undef ROWS_DECLARE

#define ROWS_DECLARE(file)                        \
	void file##_rows_base(kernel **table);    \
	void file##_rows_avx2(kernel **table);    \
	void file##_rows_avx512(kernel **table);
ROWS_ISA_FILES(ROWS_DECLARE)
#undef ROWS_DECLARE

/* The whole table for one instruction set, which the machine must have: engine_open's, and the
 * tests'. */
void engine_rows(kernel **table, cpu_isa level);

#ifdef GT_ISA
#define ISA(name) PASTE(PASTE(name, _), GT_ISA)
#endif

#endif
