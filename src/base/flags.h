/* flags.h: settings, read from the environment once per process. */
#ifndef BASE_FLAGS_H
#define BASE_FLAGS_H

#include <stdint.h>
#include <stdio.h>
#include <gt/error.h>

typedef enum flag_kind {
	FLAG_BOOL, FLAG_INT, FLAG_POSITIVE, FLAG_SIZE, FLAG_TEXT, FLAG_CHOICE
} flag_kind;

typedef enum flag {
#define FLAG(name, kind, most, preset, doc) FLAG_##name,
#include "base/flags.def"
	FLAG_COUNT
} flag;

/* Read all GT_* variables. Malformed values are errors (GT_EINVAL, the text names variable, value
 * and what is expected; the default stays in force); each unknown GT_* name prints one warning on
 * stderr with the nearest known name. Reads once; later calls return the first result. Thread
 * safe. */
gt_err flags_load(void);

int64_t     flag_int(flag f); /* BOOL, INT, POSITIVE, SIZE in bytes, CHOICE as index */
const char *flag_text(flag f); /* as written; valid until the next flag_set */

/* For tests and for the few settings a program may change before first use. Same checks as the
 * environment; on error nothing changes. Not while other threads read the same flag's text. */
gt_err flag_set(flag f, const char *value);

/* One line per flag: name, current value, meaning. */
void flags_print(FILE *out);

#endif
