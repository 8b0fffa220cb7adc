/* nearest.h: the known name that a mistyped one was probably meant to be. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap neighbours; case does not count) that make `a` from `b`.
 * Looks at the first NEAREST_MAX bytes of each. */
#define NEAREST_MAX 64
unsigned nearest_edits(const char *a, const char *b);

/* The entry of names[n] with the fewest edits, the earlier one on a tie; NULL if n is 0. */
const char *nearest_name(const char *s, const char *const *names, size_t n);

/* As nearest_name, but NULL when fewer than half of the letters agree: such a proposal would
 * puzzle. */
const char *nearest_likely(const char *s, const char *const *names, size_t n);

#endif
