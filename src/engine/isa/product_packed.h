/* product_packed.h: products whose left side is made contiguous, too. */
#ifndef ENGINE_ISA_PRODUCT_PACKED_H
#define ENGINE_ISA_PRODUCT_PACKED_H

#include "engine/product.h"
#include "engine/rows.h"

/* All of p, to the same bits as product.c computes it; PRODUCT_SCRATCH floats at p->scratch are
 * written over. */
void ISA(product_packed)(const product *p);

#endif
