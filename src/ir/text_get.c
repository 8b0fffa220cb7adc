/* text_get.c: text to instructions, one at a time from a stream read in pieces.
 *
 * What a line may contain follows from the op's row; sizes, named operands and attributes are
 * collected in a `line` and put in the row's order at its end.
 */
#include "ir/text.h"

#include "base/error.h"
#include "ir/lex.h"
#include "ir/number.h"
#include "ir/shape.h"

#define FIELDS_MAX 4

typedef struct line {
	const op_row *row;
	ins *i;
	int64_t sizes[INS_OPERANDS_MAX];
	int64_t fields[FIELDS_MAX][INS_OPERANDS_MAX];
	int n_sizes, n_fields[FIELDS_MAX];   /* -1: not given */
	unsigned attrs;                      /* given */
	bool named, site;
	blob *data;
} line;

/* ---- parts of a line ---- */

static bool is_id(const char *word)
{
	return word[0] == 't' && word[1] >= '0' && word[1] <= '9';
}

static gt_err get_id(text_reader *t, uint64_t *id)
{
	if (!is_id(t->word) || number_get_unsigned(t->word + 1, UINT64_MAX, id) || !*id)
		return lex_expected(t, "a tensor such as t1");
	return GT_OK;
}

static gt_err get_input(text_reader *t, line *l, unsigned k)
{
	const char may = op_input(l->row, k);
	dtype_kind kind;
	uint64_t id = 0;
	scalar value;
	gt_err e;

	lex_word(t);
	if (may == 't' || (may == 'a' && is_id(t->word))) {
		if (!(e = get_id(t, &id)))
			ins_put_input(l->i, id);
		return e;
	}
	if (number_get_scalar(t->word, &kind, &value))
		return lex_expected(t, may == 's' ? "a number, true or false" :
			"a tensor, a number, true or false");
	ins_put_scalar(l->i, kind, value);
	return GT_OK;
}

static gt_err get_inputs(text_reader *t, line *l)
{
	const unsigned max = l->row->nin < 0 ? INS_INPUTS_MAX : (unsigned)l->row->nin;
	gt_err e = GT_OK;

	for (unsigned k = 0; k < max && !e; k++) {
		if (k && l->row->nin < 0 && lex_skip(t, false) != ',')
			return GT_OK;
		if (k)
			e = lex_take(t, ',', "',' and another input");
		if (!e)
			e = get_input(t, l, k);
	}
	return e;
}

static gt_err get_dtype(text_reader *t, line *l)
{
	lex_word(t);
	l->i->attr.dtype = (uint8_t)dtype_parse(t->word, t->length);
	l->attrs |= ATTR_DTYPE;
	return l->i->attr.dtype ? GT_OK : lex_expected(t, "a dtype");
}

static gt_err get_axes(text_reader *t, line *l)
{
	int64_t list[GT_RANK_MAX];
	gt_err e;
	int n;

	if ((e = lex_list(t, 0, GT_RANK_MAX - 1, list, GT_RANK_MAX, &n)))
		return e;
	for (int k = 0; k < n; k++)
		l->i->attr.axes |= (uint8_t)(1u << list[k]);
	return GT_OK;
}

static gt_err get_perm(text_reader *t, line *l)
{
	int64_t list[GT_RANK_MAX];
	gt_err e;
	int n;

	if ((e = lex_list(t, 0, GT_RANK_MAX - 1, list, GT_RANK_MAX, &n)))
		return e;
	for (int k = 0; k < n; k++)
		l->i->attr.perm[k] = (uint8_t)list[k];
	return GT_OK;
}

/* The attribute of bit 1 << k, whose name was read. */
static gt_err get_attr(text_reader *t, line *l, unsigned k)
{
	int64_t axis = 0;
	gt_err e;

	if (l->attrs >> k & 1)
		return lex_expected(t, "each attribute once");
	l->attrs |= 1u << k;
	if (1u << k == ATTR_KEEPDIMS) {
		l->i->attr.keepdims = 1;
		return GT_OK;
	}
	if ((e = lex_take(t, '=', "'='")))
		return e;
	switch (1u << k) {
	case ATTR_DTYPE:
		return get_dtype(t, l);
	case ATTR_AXES:
		return get_axes(t, l);
	case ATTR_PERM:
		return get_perm(t, l);
	default:
		e = lex_int(t, 0, GT_RANK_MAX - 1, &axis);
		l->i->attr.axis = (uint8_t)axis;
		return e;
	}
}

/* Which letter of OPERANDS field f is; a repeated letter serves all the rest. */
static const char *field_letter(const op_row *row, unsigned f)
{
	const char *p = row->operands + strcspn(row->operands, "iu");

	return p[1] == '*' ? p : p + f;
}

static gt_err get_field(text_reader *t, line *l, unsigned f)
{
	const char *letter = field_letter(l->row, f);
	uint64_t v = 0;
	gt_err e;

	if (l->n_fields[f] >= 0)
		return lex_expected(t, "each operand once");
	if ((e = lex_take(t, '=', "'='")))
		return e;
	if (letter[1] == '*')
		return lex_list(t, INT64_MIN,
			INT64_MAX, l->fields[f], INS_OPERANDS_MAX, &l->n_fields[f]);
	l->n_fields[f] = 1;
	if (*letter == 'i')
		return lex_int(t, INT64_MIN, INT64_MAX, l->fields[f]);
	e = lex_unsigned(t, UINT64_MAX, &v);
	l->fields[f][0] = (int64_t)v;
	return e;
}

/* Number of `word` among the names in `fields`, or -1; number of the names if word is "". */
static int find_field(const char *fields, const char *word)
{
	int f = 0;

	for (const char *p = fields; *p; f++) {
		const size_t n = strcspn(p, " ");

		if (strlen(word) == n && !memcmp(p, word, n))
			return f;
		p += n + (p[n] == ' ');
	}
	return *word ? -1 : f;
}

static gt_err get_named(text_reader *t, line *l)
{
	int f;

	lex_word(t);
	if (t->length && (f = find_field(l->row->fields, t->word)) >= 0)
		return get_field(t, l, (unsigned)f);
	for (unsigned k = 0; k < ATTR_COUNT; k++)
		if (l->row->attrs >> k & 1 && !strcmp(op_attr_names[k], t->word))
			return get_attr(t, l, k);
	return lex_expected(t, "an operand or attribute of the op, or the end of the line");
}

static gt_err get_site(text_reader *t, line *l)
{
	uint64_t v = 0;
	gt_err e;

	l->site = true;
	if (lex_skip(t, false) != '"') {
		e = lex_unsigned(t, UINT32_MAX, &v);
		l->i->site = (uint32_t)v;
		return e;
	}
	if ((e = lex_string(t, TEXT_STRING_MAX)))
		return e;

	char file[TEXT_STRING_MAX + 1];
	const size_t n = t->length;

	memcpy(file, t->word, n + 1);
	if ((e = lex_take(t, ':', "':' and a line")) || (e = lex_unsigned(t, UINT32_MAX, &v)))
		return e;
	if (t->sites && t->sites->number)
		l->i->site = t->sites->number(t->sites->ctx, file, n, (uint32_t)v);
	return GT_OK;
}

/* ---- uploads ---- */

static gt_err fail_line(unsigned row, gt_err e)
{
	return fail(e == GT_EMEMORY ? e : GT_ESYNTAX, "%u:1: %s", row, gt_last_error());
}

/* The elements between braces, `count` of them. Stops reading at the first too many. */
static gt_err get_elements(text_reader *t, gt_dtype d, int64_t count, buf *to)
{
	gt_err e;

	for (int64_t k = 0; k < count; k++) {
		union { uint64_t words; char bytes[8]; } element;

		if (k && lex_skip(t, true) != ',')
			return lex_expected_here(t,
				"',' and another element: the shape asks for more");
		if (k)
			lex_next(t);
		lex_skip(t, true);
		lex_word(t);
		if ((e = lex_refuse(t, number_get_element(t->word, d, element.bytes))))
			return e;
		buf_put(to, element.bytes, dtype_size(d));
	}
	lex_skip(t, true);
	return lex_take(t, '}', "'}' behind the last element that the shape asks for");
}

static gt_err get_data(text_reader *t, line *l)
{
	const unsigned begin = t->line;
	ins_room room;
	buf bytes = { 0 };
	gt_err e;
	meta m;

	if (l->n_sizes < 0)
		return lex_expected_here(t, "the sizes before the data");
	ins_init(&room, l->i->op, l->i->out)->attr = l->i->attr;
	ins_put_operand(&room.head, 0);
	for (int k = 0; k < l->n_sizes; k++)
		ins_put_operand(&room.head, l->sizes[k]);
	if ((e = shape_infer(&room.head, NULL, &m)))
		return fail_line(begin, e);
	lex_next(t);
	e = get_elements(t, (gt_dtype)m.dtype, meta_count(&m), &bytes);
	if (!e && !(l->data = blob_new(bytes.size)))
		e = fail_line(begin, fail(GT_EMEMORY, "no memory for %zu bytes", bytes.size));
	if (!e && bytes.size)
		memcpy(l->data->data, bytes.data, bytes.size);
	buf_fini(&bytes);
	return e;
}

/* ---- lines ---- */

static gt_err get_rest(text_reader *t, line *l)
{
	const char *operands = l->row->operands;
	gt_err e = GT_OK;
	int c;

	while (!e && (c = lex_skip(t, false)) != '\n' && c != LEX_END) {
		if (c == '@' && !l->site) {
			lex_next(t);
			e = get_site(t, l);
		} else if (c == '[' && l->n_sizes < 0 && strchr(operands, 'd')) {
			e = lex_list(t, 0, INT64_MAX, l->sizes, INS_OPERANDS_MAX, &l->n_sizes);
		} else if (c == '{' && !l->data && *operands == 'b') {
			e = get_data(t, l);
		} else if (c == '"' && !l->named && *operands == 's') {
			l->named = true;
			if (!(e = lex_string(t, INS_NAME_MAX)))
				ins_put_name(l->i, t->word, t->length);
		} else {
			e = get_named(t, l);
		}
	}
	lex_next(t);
	return e;
}

/* Operands that take turns: first of dim 0, count of dim 0, ... */
static bool put_turns(line *l, int f)
{
	const int names = find_field(l->row->fields, "");

	for (int k = f + 1; k < names; k++)
		if (l->n_fields[k] != l->n_fields[f])
			return false;
	if (l->n_fields[f] < 0 || (names - f) * l->n_fields[f] > INS_OPERANDS_MAX - l->i->nopd)
		return false;
	for (int n = 0; n < l->n_fields[f]; n++)
		for (int k = f; k < names; k++)
			ins_put_operand(l->i, l->fields[k][n]);
	return true;
}

/* One letter of OPERANDS; false if what it stands for was not given. */
static bool put_operand(line *l, const char *letter, int *f)
{
	switch (*letter) {
	case 'b':
		ins_put_operand(l->i, (int64_t)(uintptr_t)l->data);
		return l->data;
	case 't':
		ins_put_operand(l->i, 0);
		return true;
	case 'i':
	case 'u':
		if (letter[1] == '*')
			return put_turns(l, *f);
		ins_put_operand(l->i, l->fields[*f][0]);
		return l->n_fields[(*f)++] == 1;
	default:
		return false;
	}
}

static bool put_operands(line *l)
{
	int f = 0;
	const char *p = l->row->operands;

	if (*p == 's')
		return l->named;
	for (; *p && *p != 'd'; p++) {
		if (!put_operand(l, p, &f))
			return false;
		p += p[1] == '*';
	}
	if (*p && l->n_sizes > INS_OPERANDS_MAX - l->i->nopd)
		return false;
	for (int k = 0; *p && k < l->n_sizes; k++)
		ins_put_operand(l->i, l->sizes[k]);
	return !*p || l->n_sizes >= 0;
}

static gt_err finish(line *l, unsigned begin)
{
	const char *operands = l->row->operands, *fields = l->row->fields;
	gt_err e;

	if (!put_operands(l))
		return fail(GT_ESYNTAX, "%u:1: expected all operands of %s:%s%s%s%s%s", begin,
			l->row->name, strchr(operands, 'd') ? " sizes" : "",
			*operands == 'b' ? " data" : "", *operands == 's' ? " name" : "",
			*fields ? " " : "", fields);
	if ((l->attrs | ATTR_KEEPDIMS) != (l->row->attrs | ATTR_KEEPDIMS))
		return fail(GT_ESYNTAX,
			"%u:1: expected every attribute of %s", begin, l->row->name);
	return (e = ins_check(l->i, INS_WORDS_MAX)) ? fail_line(begin, e) : GT_OK;
}

/* [tN =] op */
static gt_err get_head(text_reader *t, line *l, ins_room *room)
{
	uint64_t out = 0;
	gt_err e;
	op code;

	lex_word(t);
	if (is_id(t->word)) {
		if ((e = get_id(t, &out)) || (e = lex_take(t, '=', "'=' and an op")))
			return e;
		lex_word(t);
	}
	if (!(code = op_by_name(t->word, t->length)))
		return lex_expected(t, "an op");
	l->row = op_row_of(code);
	l->i = ins_init(room, code, out);
	if (op_has_result(l->row) != !!out)
		return lex_expected(t,
			out ? "an op that has a result" : "a result before the op, such as t1 =");
	return GT_OK;
}

static gt_err get_line(text_reader *t, ins_room *room)
{
	const unsigned begin = t->line;
	line l = { .n_sizes = -1 };
	gt_err e;

	for (int f = 0; f < FIELDS_MAX; f++)
		l.n_fields[f] = -1;
	if ((e = get_head(t, &l, room)))
		return e;
	if (l.row->kind == KIND_CREATE && l.row->attrs & ATTR_DTYPE)
		e = get_dtype(t, &l);
	if (!e)
		e = get_inputs(t, &l);
	if (!e)
		e = get_rest(t, &l);
	if (!e)
		e = finish(&l, begin);
	if (e && l.data)
		blob_drop(l.data);
	return e;
}

void text_open(text_reader *t, size_t (*read)(void *ctx, char *to, size_t n), void *ctx,
	const text_sites *sites)
{
	*t = (text_reader){ .read = read, .ctx = ctx, .sites = sites, .line = 1, .col = 1 };
}

void text_open_string(text_reader *t, const char *s, size_t n, const text_sites *sites)
{
	text_open(t, NULL, NULL, sites);
	t->data = s;
	t->size = n;
}

gt_err text_get(text_reader *t, ins_room *room, bool *end)
{
	const locale_t previous = number_enter();
	gt_err e = GT_OK;

	*end = lex_skip(t, true) == LEX_END;
	if (!*end)
		e = get_line(t, room);
	number_leave(previous);
	return e;
}
