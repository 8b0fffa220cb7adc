/* buf.h: growing byte buffers and bounded readers. Little endian. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct buf { uint8_t *data; size_t size, capacity; } buf;

void buf_fini(buf *b);
void buf_put(buf *b, const void *p, size_t n);
void buf_put_u8(buf *b, uint8_t v);
void buf_put_u16(buf *b, uint16_t v);
void buf_put_u32(buf *b, uint32_t v);
void buf_put_u64(buf *b, uint64_t v);
void buf_printf(buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* NUL-terminated view of the contents; valid until the next put. */
const char *buf_text(buf *b);

/* Reading past the end yields 0 and sets `cut`: check once, at the end. */
typedef struct reader { const uint8_t *data; size_t size, pos; bool cut; } reader;

uint8_t  reader_u8(reader *r);
uint16_t reader_u16(reader *r);
uint32_t reader_u32(reader *r);
uint64_t reader_u64(reader *r);
const uint8_t *reader_bytes(reader *r, size_t n);   /* NULL (and cut) if fewer are left */

#endif
