/* kernels.h: compiled groups in the cache. */
#ifndef CACHE_KERNELS_H
#define CACHE_KERNELS_H

#include "cache/cache.h"
#include "cache/image.h"
#include "cache/key.h"

/* The code of a group (as group_encode wrote it) from the cache, mapped, ready to run: Gives *to.
 * False: it has to be compiled. LLVM is not loaded. */
bool kernels_get(cache *c, cache_bytes code, const codegen_options *o, image *to);
/* Keep the image that the generator made of it. */
bool kernels_put(cache *c, cache_bytes code, const codegen_options *o, cache_bytes made);

/* What is wrong with an entry's parts beyond its bytes; NULL if nothing is. Code for wider
 * instructions than this machine has is not looked at. */
const char *kernels_check(cache_bytes key, cache_bytes value);

#endif
