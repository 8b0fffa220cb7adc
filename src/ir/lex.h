/* lex.h: what text_get.c reads lines with.
 *
 * A word that is refused is in t->word with its position, so every error says where, what was
 * expected and what came: "3:14: expected a dtype, got 'flaot32'".
 */
#ifndef IR_LEX_H
#define IR_LEX_H

#include "ir/text.h"

#define LEX_END (-1)

int lex_peek(text_reader *t);   /* the next character, or LEX_END */
int lex_next(text_reader *t);   /* takes it */

/* On to something that counts, and peek: blanks and comments do not count, nor, if `lines`, ends of
 * lines. */
int lex_skip(text_reader *t, bool lines);

/* The next word into t->word; empty if there is none. Too long ones are cut and end in ~,
 * which nothing accepts. */
void lex_word(text_reader *t);

/* A quoted string of at most `max` bytes into t->word. */
gt_err lex_string(text_reader *t, size_t max);

/* Fail at the word last read, or, if it is empty, at what stands in its place. */
gt_err lex_expected(text_reader *t, const char *what);
gt_err lex_expected_here(text_reader *t, const char *what);   /* reads that word first */
gt_err lex_refuse(text_reader *t, const char *why);           /* NULL: GT_OK */

/* Take the character c, which `what` describes. */
gt_err lex_take(text_reader *t, int c, const char *what);
bool   lex_take_if(text_reader *t, int c);

gt_err lex_int(text_reader *t, int64_t min, int64_t max, int64_t *v);
gt_err lex_unsigned(text_reader *t, uint64_t max, uint64_t *v);
/* [1, 2, 3]: at most `room` integers into list[*n]. */
gt_err lex_list(text_reader *t, int64_t min, int64_t max, int64_t *list, int room, int *n);

#endif
