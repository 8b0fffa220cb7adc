/* number.h: numbers as the text form writes them, exactly and whatever the program's locale is. */
#ifndef IR_NUMBER_H
#define IR_NUMBER_H

#include <locale.h>
#include <gt/dtype.h>
#include "base/buf.h"
#include "ir/ins.h"

#define NUMBER_TEXT_MAX 64   /* longer words are no numbers */

/* Between enter and leave the calling thread prints and parses numbers as C does. The functions
 * below want it. */
locale_t number_enter(void);
void     number_leave(locale_t previous);

/* A scalar such that its kind shows: floats have a point, an exponent, or are inf or nan. */
void number_put_scalar(buf *to, dtype_kind kind, scalar value);
/* One element; its kind need not show. */
void number_put_element(buf *to, gt_dtype d, const void *p);

/* The other way. `word` is NUL-terminated. NULL if it is fine, else what was expected. Floats are
 * decimals of 6 (float64: 15) digits, or more if only more give the same bits; NaNs other than the
 * usual one are written nan:0x7fc00001. */
const char *number_get_scalar(const char *word, dtype_kind *kind, scalar *value);
const char *number_get_element(const char *word, gt_dtype d, void *p);
const char *number_get_int(const char *word, int64_t min, int64_t max, int64_t *value);
const char *number_get_unsigned(const char *word, uint64_t max, uint64_t *value);

#endif
