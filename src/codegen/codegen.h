/* codegen.h: what the code generator offers to those who load it. The only header of this room that
 * others include; LLVM stays inside.
 *
 * The generator is a shared object of its own, libgt_codegen.so, because LLVM takes longer to load
 * than many programs run: it is opened when the first group is compiled (cache/plugin.h), and
 * never by a process that finds its kernels in the cache.
 */
#ifndef CODEGEN_CODEGEN_H
#define CODEGEN_CODEGEN_H

#include "base/buf.h"
#include "base/cpu.h"
#include "base/error.h"
#include "group/group.h"

/* Raised whenever the same group would become other code; part of the cache's key. */
#define CODEGEN_VERSION 17

/* How rows that are no multiple of a vector end: all vectors are masked, or the last one by code of
 * its own. AUTO chooses by the length of the code and the instruction set. SHORT and EVEN are for
 * GROUP_ROWS and half as much code: for rows of 1 to CODEGEN_SHORT columns and no others; for rows
 * of a multiple of CODEGEN_EVEN columns, at least one and no more than a block of ir/tree.h. */
typedef enum codegen_rest { REST_AUTO, REST_MASK, REST_TAIL, REST_SHORT, REST_EVEN } codegen_rest;
#define CODEGEN_SHORT 16
#define CODEGEN_EVEN  16

typedef struct codegen_options {
	cpu_isa isa;             /* what the code may use: at most what its machine has */
	codegen_rest rest;
	int level;               /* effort of LLVM's code generator: 0 usual, 1 less, 2 more */
	uint8_t unroll;          /* vectors at a time, 1, 2 or 4: of elements, of columns, or with
	                            AVX-512 rows side by side; 0: as the length of the code suggests */
} codegen_options;

typedef struct codegen {
	uint32_t version;        /* CODEGEN_VERSION it was built with */
	const char *llvm;        /* LLVM's version: "19.1.7" */
	/* Make an image (cache/image.h) of a group that has passed group_check; appended to
	 * `image`. `ir` and `assembly` may be NULL: texts for people. Any thread, one at a time
	 * inside. On failure error() has the reason and nothing was appended to `image`. */
	gt_err (*compile)(const group *g, const codegen_options *o, buf *image, buf *ir,
		buf *assembly);
	const char *(*error)(void);
	/* The process exits: wait for whoever compiles, refuse whoever comes. LLVM's globals go. */
	void (*leave)(void);
} codegen;

/* The symbol that libgt_codegen.so exports. */
#define CODEGEN_SYMBOL "gt_codegen"

#endif
