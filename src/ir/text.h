/* text.h: the readable form of instruction streams: .gts files, dumps, tests, bug reports.
 *
 * One instruction a line, `#` begins a comment:
 *
 *	enter "forward"
 *	t1 = upload float32 [2,3] {1, -0, 2.5, inf, nan, 1e-45}
 *	t2 = randn float32 [3,4] seed=0 draw=7
 *	t3 = matmul t1, t2                          @ "train.py":12
 *	t4 = maximum t3, 0.0
 *	t5 = sum t4 axes=[0,1] keepdims
 *	t6 = slice t4 first=[0,3] count=[2,2] step=[1,-2]
 *	t7 = cast t6 dtype=int64
 *	leave
 *	fetch t7
 *	free t7
 *
 * In order: the result, the op, the dtype of a creation, inputs (t with an id, or a scalar whose
 * kind shows: 2.0, 2, true), the sizes, then in any order operands and attributes by name, the data
 * of an upload (which may go on over several lines), the site: a number, or file and line where
 * somebody knows them. Numbers are exact: records written and read again are the same bit for bit.
 * The exception is the ticket of a fetch: it means something only to who sent it, in one process it
 * is even an address; it is not written, and read as 0.
 */
#ifndef IR_TEXT_H
#define IR_TEXT_H

#include <gt/error.h>
#include "base/buf.h"
#include "ir/ins.h"

/* What the sites of a stream mean; each may be NULL. Pointers borrow. */
typedef struct text_sites {
	/* The site's file; NULL if unknown. */
	const char *(*place)(void *ctx, uint32_t site, uint32_t *line);
	uint32_t (*number)(void *ctx, const char *file, size_t n, uint32_t line);
	void *ctx;
} text_sites;

/* Append `i`, which is well formed (ins_check), as one line. */
void text_put(buf *to, const ins *i, const text_sites *sites);

#define TEXT_STRING_MAX 1023
#define TEXT_WORD_MAX   63

/* Where a stream is read from. Owns nothing. */
typedef struct text_reader {
	size_t (*read)(void *ctx, char *to, size_t n);   /* 0 is the end */
	void *ctx;
	const text_sites *sites;
	const char *data;            /* what was read and not yet used */
	size_t size, pos;
	unsigned line, col;          /* of the next character, from 1 */
	unsigned word_line, word_col;
	size_t length;               /* of the word or string last read */
	char word[TEXT_STRING_MAX + 1];
	char buffer[4096];
} text_reader;

void text_open(text_reader *t, size_t (*read)(void *ctx, char *to, size_t n), void *ctx,
	const text_sites *sites);
void text_open_string(text_reader *t, const char *s, size_t n, const text_sites *sites);

/* Read the next instruction; *end if there is none. It passes ins_check, and an upload has data of
 * the right size in a blob which is the caller's (Gives). Memory beyond the reader is bounded by
 * the length of one upload. GT_ESYNTAX: "3:14: expected a dtype, got 'flaot32'"; the reader is then
 * of no more use. */
gt_err text_get(text_reader *t, ins_room *room, bool *end);

#endif
