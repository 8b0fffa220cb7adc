/* dump.h: a session's stream as a text file (GT_DUMP). */
#ifndef DISPATCHER_DUMP_H
#define DISPATCHER_DUMP_H

#include <stddef.h>
#include <stdint.h>

typedef struct dump dump;

/* <directory>/<pid>.<session>.gts; NULL, after one message, if it cannot be made. */
dump *dump_open(const char *directory, uint32_t session);
/* Append instructions. When the disk is full: one message, then nothing more is written. */
void  dump_put(dump *d, const uint64_t *records, size_t n);
void  dump_close(dump *d);                      /* NULL is fine */

#endif
