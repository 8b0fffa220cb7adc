/* text.c: instructions to text; text.h has the form, text_get.c the other direction. */
#include "ir/text.h"

#include "ir/number.h"
#include "ir/op.h"

static void put_text(buf *to, const char *s)
{
	buf_put(to, s, strlen(s));
}

/* Every `step`-th of n integers. */
static void put_list(buf *to, const int64_t *v, unsigned n, unsigned step)
{
	put_text(to, "[");
	for (unsigned k = 0; k < n; k += step)
		buf_printf(to, k ? ",%lld" : "%lld", (long long)v[k]);
	put_text(to, "]");
}

static void put_string(buf *to, const char *s)
{
	put_text(to, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_printf(to, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || *s == 0x7f)
			buf_printf(to, "\\x%02x", *s);
		else
			buf_put_u8(to, (uint8_t)*s);
	}
	put_text(to, "\"");
}

static void put_inputs(buf *to, const ins *i)
{
	for (unsigned k = 0; k < i->nin; k++) {
		const scalar word = { .bits = ins_in(i)[k] };

		put_text(to, k ? ", " : " ");
		if (ins_kind(i, k))
			number_put_scalar(to, (dtype_kind)ins_kind(i, k), word);
		else
			buf_printf(to, "t%llu", (unsigned long long)word.bits);
	}
}

/* The next of the names in `*fields`, which moves on. */
static void put_field(buf *to, const char **fields)
{
	const size_t n = strcspn(*fields, " ");

	put_text(to, " ");
	buf_put(to, *fields, n);
	put_text(to, "=");
	*fields += n + ((*fields)[n] == ' ');
}

static unsigned count_words(const char *s)
{
	unsigned n = 1;

	for (; *s; s++)
		n += *s == ' ';
	return n;
}

static void put_sizes(buf *to, const ins *i, const char *pattern)
{
	const unsigned before = (unsigned)strcspn(pattern, "d");

	if (pattern[before]) {
		put_text(to, " ");
		put_list(to, ins_opd(i) + before, i->nopd - before, 1);
	}
}

/* Operands that are not sizes. */
static void put_fields(buf *to, const ins *i, const op_row *row)
{
	const int64_t *opd = ins_opd(i);
	const char *fields = row->fields;
	unsigned left = i->nopd;

	for (const char *p = row->operands; *p && *p != 'd'; p++, opd++, left--) {
		if (*p == 'i' && p[1] == '*') {
			const unsigned step = count_words(fields);

			for (unsigned k = 0; k < step; k++) {
				put_field(to, &fields);
				put_list(to, opd + k, left > k ? left - k : 0, step);
			}
			return;
		}
		if (*p == 'i' || *p == 'u') {
			put_field(to, &fields);
			buf_printf(to, *p == 'i' ? "%lld" : "%llu", (long long)*opd);
		} else if (*p == 's') {
			put_text(to, " ");
			put_string(to, ins_name(i));
			return;
		}
	}
}

static void put_attr(buf *to, const ins *i, unsigned k)
{
	int64_t list[GT_RANK_MAX];
	unsigned n = 0;

	if (1u << k == ATTR_KEEPDIMS) {
		if (i->attr.keepdims)
			buf_printf(to, " %s", op_attr_names[k]);
		return;
	}
	buf_printf(to, " %s=", op_attr_names[k]);
	switch (1u << k) {
	case ATTR_DTYPE:
		put_text(to, dtype_name((gt_dtype)i->attr.dtype));
		break;
	case ATTR_AXIS:
		buf_printf(to, "%u", i->attr.axis);
		break;
	case ATTR_AXES:
		for (unsigned d = 0; d < GT_RANK_MAX; d++)
			if (i->attr.axes >> d & 1)
				list[n++] = d;
		put_list(to, list, n, 1);
		break;
	case ATTR_PERM:   /* the rank is that of the largest dim: the bytes behind are 0 */
		for (unsigned d = 0; d < GT_RANK_MAX; d++) {
			list[d] = i->attr.perm[d];
			n = MAX(n, i->attr.perm[d] + 1u);
		}
		put_list(to, list, n, 1);
		break;
	}
}

static void put_data(buf *to, const ins *i, const blob *b)
{
	const gt_dtype d = (gt_dtype)i->attr.dtype;
	const size_t step = dtype_size(d);

	put_text(to, " {");
	for (size_t at = 0; at < b->size; at += step) {
		if (at)
			put_text(to, ", ");
		number_put_element(to, d, (const char *)b->data + at);
	}
	put_text(to, "}");
}

static void put_site(buf *to, const ins *i, const text_sites *sites)
{
	uint32_t line = 0;
	const char *file = sites && sites->place ? sites->place(sites->ctx, i->site, &line) : NULL;

	if (file) {
		put_text(to, " @ ");
		put_string(to, file);
		buf_printf(to, ":%u", line);
	} else {
		buf_printf(to, " @ %u", i->site);
	}
}

static void put_all(buf *to, const ins *i, const op_row *row, const text_sites *sites)
{
	const bool created = row->kind == KIND_CREATE && row->attrs & ATTR_DTYPE;

	if (op_has_result(row))
		buf_printf(to, "t%llu = ", (unsigned long long)i->out);
	put_text(to, row->name);
	if (created)
		buf_printf(to, " %s", dtype_name((gt_dtype)i->attr.dtype));
	put_inputs(to, i);
	put_sizes(to, i, row->operands);
	put_fields(to, i, row);
	for (unsigned k = 0; k < ATTR_COUNT; k++)
		if (row->attrs >> k & 1 && !(created && 1u << k == ATTR_DTYPE))
			put_attr(to, i, k);
	if (ins_blob(i))
		put_data(to, i, ins_blob(i));
	if (i->site)
		put_site(to, i, sites);
	put_text(to, "\n");
}

void text_put(buf *to, const ins *i, const text_sites *sites)
{
	const locale_t previous = number_enter();
	const op_row *row = op_row_of(i->op);

	assert(row);
	put_all(to, i, row, sites);
	number_leave(previous);
}
