/* gt/api.h: the mark of functions that libgt exports. Everything else is hidden. */
#ifndef GT_API_H
#define GT_API_H

#define GT_API __attribute__((visibility("default")))

#endif
