/* transcript.h: pieces of a stream written down again as .gts that anybody can play (`gt run`).
 *
 * What is written runs several times over as a part that is compiled, so that
 * `GT_CHECK=1 GT_COMPILE_SYNC=1 gt run FILE` compiles it and compares.
 */
#ifndef WORKER_TRANSCRIPT_H
#define WORKER_TRANSCRIPT_H

#include "base/buf.h"
#include "worker/fused.h"

/* A region with a run's instructions; what comes from outside is made up, of the same shapes. */
void transcript_region(const region *r, const ins *const *run, const view *live_ins, buf *to);

/* The ops that a step of a run under way computes, none of which is in memory yet, from what is, to
 * the bit (random numbers instead where that is more than TRANSCRIPT_DATA_MAX bytes). */
#define TRANSCRIPT_DATA_MAX (4u << 20)
void transcript_step(const fused_run *f, const fused_step *st, buf *to);

/* The same kept in a file, in the folder of GT_DUMP or else that for temporary files. Gives its path
 * (mem_free); NULL, after one message: it could not be written. */
char *transcript_keep(const fused_run *f, const fused_step *st);

/* Write a text to <directory>/<name>.<ending>, or if there is such a file <name>.2.<ending> and so
 * on. Gives the path (mem_free); NULL, after one message that ends with `then`, if it cannot be
 * written. */
char *transcript_save(const char *directory, const char *name, const char *ending, const buf *text,
	const char *then);

#endif
