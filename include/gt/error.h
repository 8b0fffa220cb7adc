/* gt/error.h: what can go wrong, by name.
 *
 * Functions that can fail return NULL or a negative gt_err; gt_last_error() gives the text: what
 * was expected, what came, what to do. The rows below generate the enum, the names and the
 * descriptions.
 */
#ifndef GT_ERROR_H
#define GT_ERROR_H

#include <gt/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name, number (part of the wire: never reuse one), Python exception class, description */
#define GT_ERRORS(X)                                                                             \
	X(EINVAL,      1, "ValueError",        "an argument is not acceptable")                  \
	X(ESHAPE,      2, "ShapeError",        "shapes do not fit together")                     \
	X(EDTYPE,      3, "DtypeError",        "an operation does not take this dtype")          \
	X(EINDEX,      4, "IndexError",        "an index is out of range")                       \
	X(EMEMORY,     5, "OutOfMemory",       "no memory left within the limit")                \
	X(EPROTO,      6, "ProtocolError",     "malformed data from outside")                    \
	X(ESYNTAX,     7, "SyntaxError",       "a text stream cannot be parsed")                 \
	X(EIO,         8, "IOError",           "a file or a device failed")                      \
	X(ELIMIT,      9, "LimitError",        "a documented limit was reached")                 \
	X(EDIVIDE,    10, "ZeroDivisionError", "integer division by zero")                       \
	X(ECLOSED,    11, "ClosedError",       "the client is closed")                           \
	X(EFORK,      12, "ForkError",         "used in a forked child of the process that opened it") \
	X(EINTERRUPT, 13, "KeyboardInterrupt", "interrupted while waiting")                      \
	X(EGRAD,      14, "GradError",         "no gradient can be computed")                    \
	X(ESTATE,     15, "StateError",        "not possible in this state")                     \
	X(EUNSUPPORTED,16,"UnsupportedError",  "not supported")                                  \
	X(EINTERNAL,  17, "InternalError",     "a bug in GT")                                    \
	X(ECHECK,     18, "CheckError",        "eager and compiled results differ")

typedef enum gt_err {
	GT_OK = 0,
#define GT_ERROR_ENUM(name, n, py, text) GT_##name = -(n),
	GT_ERRORS(GT_ERROR_ENUM)
#undef GT_ERROR_ENUM
} gt_err;

/* "GT_ESHAPE" for GT_ESHAPE; never NULL. */
GT_API const char *gt_error_name(gt_err e);

/* Text of the last error of the calling thread; "" if there was none. Valid until the next gt
 * call. */
GT_API const char *gt_last_error(void);

/* Code of the last error of the calling thread; GT_OK if there was none. */
GT_API gt_err gt_last_error_code(void);

/* Forget the last error of the calling thread. */
GT_API void gt_clear_error(void);

#ifdef __cplusplus
}
#endif
#endif
