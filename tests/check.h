/* check.h: cmocka with the headers it wants in front of it. */
#ifndef CHECK_H
#define CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* cmocka's macro is in the way of base/error.h's function; its fail_msg stands on it. */
#undef fail
#undef fail_msg
#define fail_msg(...)                        \
	do {                                 \
		print_error(__VA_ARGS__);    \
		print_error("\n");           \
		_fail(__FILE__, __LINE__);   \
	} while (0)

/* Long sweeps take all of their cases in a plain build and every n-th in a sanitized one, where a
 * case takes many times as long and what can be found depends less on numbers than on shapes. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#define SWEEP_TAKES(at, n) (!SANITIZED || (at) % (n) == 0)

#endif
