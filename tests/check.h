/* check.h: cmocka with the headers it wants in front of it. */
#ifndef CHECK_H
#define CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* cmocka's macro, in the way of base/error.h's function. fail_msg does the same. */
#undef fail

#endif
