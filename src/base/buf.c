/* buf.c: growing byte buffers and bounded readers. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "base/mem.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "numbers are copied as they lie in memory: this file needs a little-endian machine"
#endif

#define BUF_FIRST 256

/* Make room for n more bytes and return where they go. */
static uint8_t *room(buf *b, size_t n)
{
	if (UNLIKELY(n > b->capacity - b->size)) {
		size_t want = b->size + n, doubled = b->capacity ? b->capacity * 2 : BUF_FIRST;

		if (want < n)
			mem_die(n);
		b->capacity = MAX(want, doubled);
		b->data = mem_grow(b->data, b->capacity);
	}
	return b->data + b->size;
}

void buf_fini(buf *b)
{
	mem_free(b->data);
	*b = (buf){ 0 };
}

void buf_put(buf *b, const void *p, size_t n)
{
	if (!n)
		return;
	memcpy(room(b, n), p, n);
	b->size += n;
}

void buf_put_u8(buf *b, uint8_t v)
{
	buf_put(b, &v, sizeof v);
}

void buf_put_u16(buf *b, uint16_t v)
{
	buf_put(b, &v, sizeof v);
}

void buf_put_u32(buf *b, uint32_t v)
{
	buf_put(b, &v, sizeof v);
}

void buf_put_u64(buf *b, uint64_t v)
{
	buf_put(b, &v, sizeof v);
}

void buf_printf(buf *b, const char *format, ...)
{
	va_list ap, again;
	size_t space = b->capacity - b->size;
	int n;

	va_start(ap, format);
	va_copy(again, ap);
	n = vsnprintf(space ? (char *)b->data + b->size : NULL, space, format, ap);
	assert(n >= 0);
	if ((size_t)n >= space)
		vsnprintf((char *)room(b, (size_t)n + 1), (size_t)n + 1, format, again);
	b->size += (size_t)n;
	va_end(again);
	va_end(ap);
}

const char *buf_text(buf *b)
{
	*room(b, 1) = '\0';
	return (const char *)b->data;
}

const uint8_t *reader_bytes(reader *r, size_t n)
{
	const uint8_t *p = r->data + r->pos;

	/* Once cut, always cut: what follows a missing field has no meaning. */
	if (r->cut || n > r->size - r->pos) {
		r->cut = true;
		return NULL;
	}
	r->pos += n;
	return p;
}

static uint64_t number(reader *r, size_t n)
{
	const uint8_t *p = reader_bytes(r, n);
	uint64_t v = 0;

	if (p)
		memcpy(&v, p, n);
	return v;
}

uint8_t reader_u8(reader *r)
{
	return (uint8_t)number(r, 1);
}

uint16_t reader_u16(reader *r)
{
	return (uint16_t)number(r, 2);
}

uint32_t reader_u32(reader *r)
{
	return (uint32_t)number(r, 4);
}

uint64_t reader_u64(reader *r)
{
	return number(r, 8);
}
