/* reference.h: what a group means, slowly. */
#ifndef GROUP_REFERENCE_H
#define GROUP_REFERENCE_H

#include "group/group.h"
#include "group/kernel.h"

/* Do what a kernel made of `g` does, element by element, node by node, with the engine's
 * arithmetic; c->helpers is not used. `g` has passed group_check. */
void group_run(const group *g, const kernel_call *c);

#endif
