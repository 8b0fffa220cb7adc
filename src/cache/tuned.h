/* tuned.h: what max-autotune chose for a region and its shapes, in the cache. */
#ifndef CACHE_TUNED_H
#define CACHE_TUNED_H

#include "cache/cache.h"
#include "cache/recipe.h"
#include "codegen/codegen.h"

#define TUNED_GROUPS 4096        /* kernels of a region; of larger ones nothing is kept */

/* How the code of a kernel is emitted: codegen_options without the instruction set. */
typedef struct tuned_code { uint8_t rest, unroll; } tuned_code;

typedef struct tuned {
	uint8_t taste;                   /* how it was grouped: whatever the keeper means */
	uint32_t tried;                  /* candidates that were measured */
	uint64_t usual_ns, ns;           /* a run as usual, and as chosen */
	uint32_t count;
	tuned_code *codes;               /* one a group, in the fusion's order; mem_free */
} tuned;

/* Append the key of a region and a run of it, on this machine with this build of GT. */
void tuned_key(const region *r, const recipe_run *run, buf *to);
/* Gives *to; false: there is no choice under that key. */
bool tuned_get(cache *c, cache_bytes name, tuned *to);
bool tuned_put(cache *c, cache_bytes name, const tuned *t);
/* Whether the value of an entry is a choice. */
bool tuned_is_sound(cache_bytes value);

#endif
