/* nn.h: what the files of this room share. */
#ifndef NN_H
#define NN_H

#include <gt/nn.h>
#include "base/error.h"
#include "base/mem.h"

/* The k-th part of a module, in the order they were added; NULL if it is none of that sort. */
gt_module *module_at(gt_module *m, size_t k);
gt_tensor *tensor_at(gt_module *m, size_t k);

#endif
