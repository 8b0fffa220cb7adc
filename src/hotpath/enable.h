/* enable.h: whether this process looks for hot paths: the environment's wish or the program's. */
#ifndef HOTPATH_ENABLE_H
#define HOTPATH_ENABLE_H

#include <stdint.h>

/* The threshold that gt_hotpath_enable was given last, UINT64_MAX if it left the choice to the
 * setting; 0 if it was never called. Any thread; costs a plain load. */
uint64_t hotpath_enabled(void);

#endif
