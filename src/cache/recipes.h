/* recipes.h: the recipes of one program: what its last process knew about its loops.
 *
 * All recipes of a program are one entry of the cache, so that beginning is reading one file. Two
 * processes that write at once lose recipes of one of them, which are learned again.
 */
#ifndef CACHE_RECIPES_H
#define CACHE_RECIPES_H

#include "cache/cache.h"
#include "cache/recipe.h"

#define RECIPES_MAX   64                 /* of a program; the oldest go */
#define RECIPES_BYTES (8u << 20)

/* Append the name of the program that this process runs: its file, and the script if its first
 * argument, options left out, names one. Streams of equal names are expected to be alike; nothing
 * but that expectation depends on it. */
void recipes_program(buf *to);
/* From now on this process goes by the name of a program that is called so; ends with a NULL.
 * Before anybody asks for the name. */
void recipes_pretend(char *const *command);

/* Those of the program of that name, the newest first, one by one. Reads the disk once, at the
 * beginning; recipes_next decodes the next one (Gives it) or returns NULL when there are no more.
 * What cannot be decoded is left out. */
typedef struct recipes { buf file; reader at; unsigned left; } recipes;
void    recipes_open(recipes *r, cache *c, cache_bytes program);
void    recipes_read(recipes *r, cache_bytes value);     /* of an entry that is there; borrows it */
recipe *recipes_next(recipes *r);
void    recipes_close(recipes *r);

/* Keep a region of the program, in the place of an older recipe of the same region. False: it was
 * not kept. Writes the disk: not for an executor. */
bool recipes_keep(cache *c, cache_bytes program, const region *r, const recipe_run *runs,
	unsigned count);
/* Whether the value of an entry is a list, and all of it recipes. */
bool recipes_are_sound(cache_bytes value);
/* Forget a region of that signature: it was slower than the ops one by one, or wrong. */
bool recipes_forget(cache *c, cache_bytes program, uint64_t signature);

#endif
