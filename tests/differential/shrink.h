/* shrink.h: the smallest stream that still goes wrong. */
#ifndef DIFFERENTIAL_SHRINK_H
#define DIFFERENTIAL_SHRINK_H

#include "differential/duel.h"

/* What a duel in a process of its own came to. */
typedef enum verdict { VERDICT_SAME, VERDICT_DIFFERENT, VERDICT_CRASH } verdict;
verdict shrink_try(const stream *s, const manner *how, mode m, buf *why);

/* Remove runs, statements, and single instructions of `s` as long as the verdict stays what it is.
 * Gives. */
stream shrink(const stream *s, const manner *how, mode m, verdict wanted);

#endif
