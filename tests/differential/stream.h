/* stream.h: an instruction stream in memory that can be run again and again, cut down, written to a
 * .gts file and read from one. */
#ifndef DIFFERENTIAL_STREAM_H
#define DIFFERENTIAL_STREAM_H

#include <gt/error.h>
#include "ir/batch.h"

/* Where an instruction comes from: what shrinking removes together. */
typedef struct tag { uint32_t statement, run; } tag;

typedef struct stream {
	batch code;
	tag *tags;
	size_t count, room;
} stream;

/* Takes the reference to an upload's blob. */
void stream_add(stream *s, const ins *i, tag t);
/* What is left when the instructions with drop[k] go, and with them those whose inputs nobody makes
 * any more. Gives. */
stream stream_without(const stream *s, const bool *drop);
void stream_fini(stream *s);

/* False, and errno says why. */
bool stream_write(const stream *s, const char *path, const char *head);
/* The statement of an instruction is then its line. */
gt_err stream_read(stream *s, const char *path);

#endif
