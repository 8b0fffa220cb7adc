/* wire.h: the packed form of instruction streams, for other processes and for files.
 *
 * Little endian. A varint holds 7 bits a byte, lowest first, in as few bytes as possible; a zigzag
 * is the varint of a signed number n as 2n or -2n - 1. There is exactly one encoding of a batch:
 * decoding and encoding again gives the same bytes.
 *
 *	stream       header, then batches until the end
 *	header       "GTS\n", u16 version, u16 0
 *	batch        u32 instructions (1 .. WIRE_BATCH_INS), u32 bytes of them (<= WIRE_BATCH_BYTES),
 *	             u64 bytes of data, the instructions, the data: what their uploads carry, in
 *	             order, without gaps
 *	instruction  u8 op, varint site,
 *	             u8 number of inputs                      if the row leaves it open
 *	             varint kinds                             if the row may have scalars
 *	             u8 dtype, axes, keepdims, axis, 8 perm   those the row has
 *	             varint result                            if the row has one
 *	             inputs: varint id, u8 bool, zigzag int, u64 float
 *	             operands by letter: d u t varint, i zigzag, s u8 length and bytes, b nothing;
 *	             u8 number of operands                    before those the row leaves open
 *
 * How much data an upload has follows from its shape. Data is not counted in the limit of a batch's
 * bytes, but its size is said before it comes (wire_batch_size), so a transport can refuse or chunk
 * it as it likes; the decoder wants the whole batch in memory and allocates no more than the batch
 * has bytes, times a small constant.
 */
#ifndef IR_WIRE_H
#define IR_WIRE_H

#include <gt/error.h>
#include "base/buf.h"
#include "ir/batch.h"

#define WIRE_VERSION      1
#define WIRE_HEADER_SIZE  8
#define WIRE_BATCH_HEAD   16
#define WIRE_BATCH_INS    1024
#define WIRE_BATCH_BYTES  (1 << 20)

void   wire_put_header(buf *to);
/* GT_EPROTO names both versions if they differ. */
gt_err wire_get_header(reader *r);

/* Append `b`, whose instructions are well formed (ins_check). GT_ELIMIT if they are more than
 * WIRE_BATCH_INS; that many always fit. An empty batch appends nothing. */
gt_err wire_put_batch(buf *to, const batch *b);

/* Decode the batch at r->pos into `b`, behind what is there. The instructions pass ins_check,
 * uploads carry blobs of the size that their shape asks for; bools are 0 or 1. On error `b` is
 * empty, and the stream has no next boundary. GT_EPROTO, GT_EMEMORY; the text has the offset.
 * Tickets of fetches are what the bytes said: numbers, never addresses. */
gt_err wire_get_batch(reader *r, batch *b);

/* Bytes of the whole batch whose first WIRE_BATCH_HEAD bytes are at `head`. Checks its counts. */
gt_err wire_batch_size(const uint8_t *head, uint64_t *size);

#endif
