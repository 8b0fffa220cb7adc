/* lex.c: characters, words, strings and numbers of the text form. Looks one character ahead. */
#include "ir/lex.h"

#include <stdio.h>
#include "base/error.h"
#include "ir/number.h"

int lex_peek(text_reader *t)
{
	if (t->pos == t->size) {
		t->size = t->read ? t->read(t->ctx, t->buffer, sizeof t->buffer) : 0;
		t->data = t->buffer;
		t->pos = 0;
		if (!t->size)
			return LEX_END;
	}
	return (unsigned char)t->data[t->pos];
}

int lex_next(text_reader *t)
{
	const int c = lex_peek(t);

	if (c == LEX_END)
		return LEX_END;
	t->pos++;
	t->col++;
	if (c == '\n') {
		t->line++;
		t->col = 1;
	}
	return c;
}

int lex_skip(text_reader *t, bool lines)
{
	int c;

	while ((c = lex_peek(t)) == ' ' || c == '\t' || c == '\r' || c == '#' ||
		(lines && c == '\n')) {
		if (c == '#')
			while (lex_peek(t) != '\n' && lex_peek(t) != LEX_END)
				lex_next(t);
		else
			lex_next(t);
	}
	return c;
}

static bool in_word(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '.' || c == '+' || c == '-' || c == ':';
}

static void mark(text_reader *t)
{
	t->word_line = t->line;
	t->word_col = t->col;
	t->length = 0;
	t->word[0] = 0;
}

void lex_word(text_reader *t)
{
	lex_skip(t, false);
	mark(t);
	for (; in_word(lex_peek(t)); lex_next(t)) {
		if (t->length < TEXT_WORD_MAX)
			t->word[t->length++] = (char)lex_peek(t);
		else
			t->word[TEXT_WORD_MAX - 1] = '~';
	}
	t->word[t->length] = 0;
}

gt_err lex_expected(text_reader *t, const char *what)
{
	const int c = lex_peek(t);
	char got[TEXT_WORD_MAX + 8];

	if (t->length)
		snprintf(got, sizeof got, "'%.*s'", TEXT_WORD_MAX, t->word);
	else if (c == LEX_END)
		snprintf(got, sizeof got, "the end of the stream");
	else if (c == '\n')
		snprintf(got, sizeof got, "the end of the line");
	else if (c < ' ' || c > '~')
		snprintf(got, sizeof got, "byte 0x%02x", (unsigned)c);
	else
		snprintf(got, sizeof got, "'%c'", c);
	return fail(GT_ESYNTAX, "%u:%u: expected %s, got %s", t->word_line, t->word_col, what, got);
}

gt_err lex_expected_here(text_reader *t, const char *what)
{
	lex_word(t);
	return lex_expected(t, what);
}

gt_err lex_take(text_reader *t, int c, const char *what)
{
	if (lex_skip(t, false) != c)
		return lex_expected_here(t, what);
	lex_next(t);
	return GT_OK;
}

bool lex_take_if(text_reader *t, int c)
{
	if (lex_skip(t, false) != c)
		return false;
	lex_next(t);
	return true;
}

static int hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : LEX_END;
}

/* What a backslash stands for: itself, a quote, xNN. LEX_END if neither. */
static int get_escape(text_reader *t)
{
	const int c = lex_next(t);
	int high, low;

	if (c == '"' || c == '\\')
		return c;
	if (c != 'x' || (high = hex(lex_next(t))) < 0 || (low = hex(lex_next(t))) < 0 ||
		!(high | low))
		return LEX_END;
	return high << 4 | low;
}

gt_err lex_string(text_reader *t, size_t max)
{
	gt_err e = lex_take(t, '"', "a quoted string");
	int c;

	if (e)
		return e;
	mark(t);
	while ((c = lex_peek(t)) != '"') {
		if (c == LEX_END || c == '\n' || c == 0 || t->length == max) {
			t->length = 0;
			mark(t);
			return lex_expected(t, "a quote that ends the string (it may be too long)");
		}
		lex_next(t);
		if (c == '\\' && (c = get_escape(t)) == LEX_END) {
			t->length = 0;
			return lex_expected(t, "\\\", \\\\ or \\xNN in the string");
		}
		t->word[t->length++] = (char)c;
	}
	t->word[t->length] = 0;
	lex_next(t);
	return GT_OK;
}

/* ---- numbers ---- */

gt_err lex_refuse(text_reader *t, const char *why)
{
	return why ? lex_expected(t, why) : GT_OK;
}

gt_err lex_int(text_reader *t, int64_t min, int64_t max, int64_t *v)
{
	lex_word(t);
	return lex_refuse(t, number_get_int(t->word, min, max, v));
}

gt_err lex_unsigned(text_reader *t, uint64_t max, uint64_t *v)
{
	lex_word(t);
	return lex_refuse(t, number_get_unsigned(t->word, max, v));
}

gt_err lex_list(text_reader *t, int64_t min, int64_t max, int64_t *list, int room, int *n)
{
	gt_err e;

	*n = 0;
	if ((e = lex_take(t, '[', "a list such as [2,3]")) || lex_take_if(t, ']'))
		return e;
	do {
		int64_t v;

		if ((e = lex_int(t, min, max, &v)))
			return e;
		if (*n == room)
			return lex_expected(t, "a shorter list");
		list[(*n)++] = v;
	} while (lex_take_if(t, ','));
	return lex_take(t, ']', "',' or ']'");
}
