/* wire.c: instructions to bytes and back; wire.h has the format.
 *
 * The row decides what is written, so encoder and decoder walk it in the same order: each put_x has
 * its get_x. The decoder runs on past a mistake (everything it reads is bounded) and looks at `why`
 * and `cut` at the end of each instruction.
 */
#include "ir/wire.h"

#include "base/error.h"
#include "ir/shape.h"

static const char magic[4] = "GTS\n";

/* The largest instruction (cat of 64) must leave room for WIRE_BATCH_INS of its kind. */
#define VARINT_MAX 10
#define INS_BYTES_MAX (8 + VARINT_MAX * (3 + INS_INPUTS_MAX + INS_OPERANDS_MAX))
_Static_assert(WIRE_BATCH_INS * INS_BYTES_MAX <= WIRE_BATCH_BYTES,
	"a batch of the largest instructions fits");

static uint64_t zigzag(int64_t n)
{
	return (uint64_t)n << 1 ^ (uint64_t)(n >> 63);
}

static int64_t unzigzag(uint64_t n)
{
	return (int64_t)(n >> 1 ^ -(n & 1));
}

/* ---- encoding ---- */

/* One instruction's bytes: a call of the growing buffer for each would cost more than the rest. */
typedef struct piece {
	size_t size;
	uint8_t bytes[INS_BYTES_MAX];
} piece;

static inline void put_u8(piece *to, uint8_t v)
{
	to->bytes[to->size++] = v;
}

static void put(piece *to, const void *p, size_t n)
{
	memcpy(to->bytes + to->size, p, n);
	to->size += n;
}

static void put_varint(piece *to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_u8(to, (uint8_t)(v | 0x80));
	put_u8(to, (uint8_t)v);
}

static void put_attr(piece *to, const ins *i, unsigned attrs)
{
	if (attrs & ATTR_DTYPE)
		put_u8(to, i->attr.dtype);
	if (attrs & ATTR_AXES)
		put_u8(to, i->attr.axes);
	if (attrs & ATTR_KEEPDIMS)
		put_u8(to, i->attr.keepdims);
	if (attrs & ATTR_AXIS)
		put_u8(to, i->attr.axis);
	if (attrs & ATTR_PERM)
		put(to, i->attr.perm, GT_RANK_MAX);
}

static void put_input(piece *to, const ins *i, unsigned k)
{
	const uint64_t word = ins_in(i)[k];

	switch (ins_kind(i, k)) {
	case KIND_BOOL:
		put_u8(to, (uint8_t)word);
		break;
	case KIND_INT:
		put_varint(to, zigzag((int64_t)word));
		break;
	case KIND_FLOAT:
		put(to, &word, sizeof word);
		break;
	default:
		put_varint(to, word);
	}
}

static void put_operands(piece *to, const ins *i, const char *pattern)
{
	const int64_t *opd = ins_opd(i);
	unsigned left = i->nopd;

	for (; *pattern && *pattern != 's'; pattern++) {
		if (pattern[1] == '*')
			put_u8(to, (uint8_t)left);
		for (unsigned n = pattern[1] == '*' ? left : 1; n; n--, left--, opd++)
			if (*pattern != 'b')
				put_varint(to, *pattern == 'i' ? zigzag(*opd) : (uint64_t)*opd);
		pattern += pattern[1] == '*';
	}
	if (*pattern == 's') {
		put_u8(to, (uint8_t)strlen(ins_name(i)));
		put(to, ins_name(i), strlen(ins_name(i)));
	}
}

static void put_ins(piece *to, const ins *i)
{
	const op_row *row = op_row_of(i->op);

	assert(row);
	put_u8(to, (uint8_t)i->op);
	put_varint(to, i->site);
	if (row->nin < 0)
		put_u8(to, i->nin);
	if (op_takes_scalars(row))
		put_varint(to, i->kinds);
	put_attr(to, i, row->attrs);
	if (op_has_result(row))
		put_varint(to, i->out);
	for (unsigned k = 0; k < i->nin; k++)
		put_input(to, i, k);
	put_operands(to, i, row->operands);
}

void wire_put_header(buf *to)
{
	buf_put(to, magic, sizeof magic);
	buf_put_u16(to, WIRE_VERSION);
	buf_put_u16(to, 0);
}

gt_err wire_put_batch(buf *to, const batch *b)
{
	const size_t head = to->size;
	uint32_t bytes;
	uint64_t data;

	if (!b->count)
		return GT_OK;
	if (b->count > WIRE_BATCH_INS)
		return fail(GT_ELIMIT, "a batch of %zu instructions, the limit is %d; send several",
			b->count, WIRE_BATCH_INS);
	buf_put_u32(to, (uint32_t)b->count);
	buf_put_u32(to, 0);   /* the sizes are known when all is written */
	buf_put_u64(to, 0);
	for (const ins *i = NULL; (i = batch_next(b, i)); ) {
		piece p;

		p.size = 0;
		put_ins(&p, i);
		buf_put(to, p.bytes, p.size);
	}
	bytes = (uint32_t)(to->size - head - WIRE_BATCH_HEAD);
	for (const ins *i = NULL; (i = batch_next(b, i)); )
		if (ins_blob(i))
			buf_put(to, ins_blob(i)->data, ins_blob(i)->size);
	data = to->size - head - WIRE_BATCH_HEAD - bytes;
	memcpy(to->data + head + 4, &bytes, sizeof bytes);
	memcpy(to->data + head + 8, &data, sizeof data);
	return GT_OK;
}

/* ---- decoding ---- */

typedef struct decoder {
	reader r;          /* ends where the batch's instructions end */
	reader data;       /* the batch's data not yet used */
	const char *why;   /* first mistake that is not a cut */
} decoder;

static inline uint8_t get_u8(decoder *d)
{
	return LIKELY(!d->r.cut && d->r.pos < d->r.size) ? d->r.data[d->r.pos++] :
		reader_u8(&d->r);
}

static uint64_t get_varint(decoder *d)
{
	uint64_t v = 0;
	uint8_t byte;
	unsigned shift = 0;

	do {
		byte = get_u8(d);
		v |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80 && shift < 7 * VARINT_MAX);
	if (shift == 7 * VARINT_MAX && byte > 1)
		d->why = "a number of more than 64 bits";
	else if (!byte && shift > 7 && !d->r.cut)
		d->why = "a number in more bytes than it needs";
	return v;
}

static void get_attr(decoder *d, ins *i, unsigned attrs)
{
	if (attrs & ATTR_DTYPE)
		i->attr.dtype = get_u8(d);
	if (attrs & ATTR_AXES)
		i->attr.axes = get_u8(d);
	if (attrs & ATTR_KEEPDIMS)
		i->attr.keepdims = get_u8(d);
	if (attrs & ATTR_AXIS)
		i->attr.axis = get_u8(d);
	for (int k = 0; attrs & ATTR_PERM && k < GT_RANK_MAX; k++)
		i->attr.perm[k] = get_u8(d);
}

static uint64_t get_input(decoder *d, unsigned kind)
{
	switch (kind) {
	case KIND_BOOL:
		return get_u8(d);
	case KIND_INT:
		return (uint64_t)unzigzag(get_varint(d));
	case KIND_FLOAT:
		return reader_u64(&d->r);
	default:
		return get_varint(d);
	}
}

static unsigned get_count(decoder *d, unsigned max)
{
	const unsigned n = get_u8(d);

	if (n <= max)
		return n;
	d->why = "more inputs or operands than an instruction has";
	return 0;
}

static void get_name(decoder *d, ins *i)
{
	const size_t n = get_u8(d);
	const uint8_t *s = reader_bytes(&d->r, n);

	if (n > INS_NAME_MAX || (s && memchr(s, 0, n)))
		d->why = "a name that is too long or contains a zero";
	else if (s)
		ins_put_name(i, (const char *)s, n);
}

static void get_operands(decoder *d, ins *i, const char *pattern)
{
	for (; *pattern && *pattern != 's'; pattern++) {
		const bool open = pattern[1] == '*';

		for (unsigned n = open ? get_count(d, INS_OPERANDS_MAX - i->nopd) : 1; n; n--) {
			const uint64_t v = *pattern == 'b' ? 0 : get_varint(d);

			ins_put_operand(i, *pattern == 'i' ? unzigzag(v) : (int64_t)v);
		}
		pattern += open;
	}
	if (*pattern == 's')
		get_name(d, i);
}

static void get_fields(decoder *d, const op_row *row, ins *i)
{
	uint64_t site = get_varint(d), kinds = 0;
	unsigned nin = row->nin < 0 ? get_count(d, INS_INPUTS_MAX) : (unsigned)row->nin;

	if (op_takes_scalars(row))
		kinds = get_varint(d);
	if (site > UINT32_MAX || kinds > UINT16_MAX)
		d->why = "a site or scalar kinds out of range";
	i->site = (uint32_t)site;
	i->kinds = (uint16_t)kinds;
	get_attr(d, i, row->attrs);
	if (op_has_result(row))
		i->out = get_varint(d);
	for (unsigned k = 0; k < nin; k++)
		ins_put_input(i, get_input(d, ins_kind(i, k)));
	get_operands(d, i, row->operands);
}

/* An upload's bytes: as many as its shape says, if the batch has them. */
static gt_err get_data(decoder *d, ins *i)
{
	const uint8_t *p;
	blob *b;
	meta m;
	gt_err e;
	size_t size;

	if ((e = shape_infer(i, NULL, &m)))
		return e;
	size = (size_t)meta_count(&m) * dtype_size((gt_dtype)m.dtype);
	if (!(p = reader_bytes(&d->data, size)))
		return fail(GT_EPROTO, "upload: %zu bytes of data are missing", size);
	for (size_t k = 0; m.dtype == GT_BOOL && k < size; k++)
		if (p[k] > 1)
			return fail(GT_EPROTO, "upload: a bool that is neither 0 nor 1");
	if (!(b = blob_new(size)))
		return fail(GT_EMEMORY, "upload: no memory for %zu bytes", size);
	memcpy(b->data, p, size);
	i->tail[i->nin] = (uintptr_t)b;
	return GT_OK;
}

static gt_err get_ins(decoder *d, ins_room *room)
{
	const unsigned code = get_u8(d);
	const op_row *row = op_row_of(code);
	ins *i = ins_init(room, code, 0);
	gt_err e;

	if (!row)
		return fail(GT_EPROTO, d->r.cut ? "the batch ends early" :
			"unknown op code %u; is the sender newer?", code);
	get_fields(d, row, i);
	if (d->r.cut)
		return fail(GT_EPROTO, "%s: the batch ends early", row->name);
	if (d->why)
		return fail(GT_EPROTO, "%s: %s", row->name, d->why);
	if (*row->operands == 'b' && (e = get_data(d, i)))
		return e;
	if ((e = ins_check(i, INS_WORDS_MAX)) && ins_blob(i))
		blob_drop(ins_blob(i));
	return e;
}

gt_err wire_get_header(reader *r)
{
	const uint8_t *p = reader_bytes(r, sizeof magic);
	const unsigned version = reader_u16(r), flags = reader_u16(r);

	if (!p || r->cut || memcmp(p, magic, sizeof magic))
		return fail(GT_EPROTO, "not a GT stream: it must begin with 'GTS' and a newline");
	if (version != WIRE_VERSION || flags)
		return fail(GT_EPROTO, "a stream of version %u.%u, this GT speaks version %u.0",
			version, flags, WIRE_VERSION);
	return GT_OK;
}

typedef struct batch_head { uint32_t count, bytes; uint64_t data; } batch_head;

static gt_err get_head(reader *r, batch_head *h)
{
	*h = (batch_head){ .count = reader_u32(r) };
	h->bytes = reader_u32(r);
	h->data = reader_u64(r);
	if (r->cut)
		return fail(GT_EPROTO, "a batch's head is cut");
	if (!h->count || h->count > WIRE_BATCH_INS || h->bytes > WIRE_BATCH_BYTES)
		return fail(GT_EPROTO,
			"a batch of %u instructions in %u bytes, expected 1 to %d in at most %d",
			h->count, h->bytes, WIRE_BATCH_INS, WIRE_BATCH_BYTES);
	if (h->data > (uint64_t)INT64_MAX)
		return fail(GT_EPROTO,
			"a batch with %llu bytes of data", (unsigned long long)h->data);
	return GT_OK;
}

gt_err wire_batch_size(const uint8_t *head, uint64_t *size)
{
	reader r = { .data = head, .size = WIRE_BATCH_HEAD };
	batch_head h;
	const gt_err e = get_head(&r, &h);

	*size = e ? 0 : WIRE_BATCH_HEAD + h.bytes + h.data;
	return e;
}

static gt_err get_batch(reader *r, batch *b, size_t *at)
{
	decoder d = { 0 };
	ins_room room;
	batch_head h;
	gt_err e;

	if ((e = get_head(r, &h)))
		return e;
	if (h.bytes > r->size - r->pos || h.data > r->size - r->pos - h.bytes)
		return fail(GT_EPROTO, "a batch of %u + %llu bytes, %zu are left", h.bytes,
			(unsigned long long)h.data, r->size - r->pos);
	d.r = (reader){ .data = r->data, .size = r->pos + h.bytes, .pos = r->pos };
	d.data = (reader){ .data = r->data, .size = d.r.size + h.data, .pos = d.r.size };
	r->pos = d.data.size;
	for (uint32_t n = 0; n < h.count; n++) {
		*at = d.r.pos;
		if ((e = get_ins(&d, &room)))
			return e;
		batch_push(b, &room.head);
	}
	*at = d.r.pos;
	if (d.r.pos != d.r.size || d.data.pos != d.data.size)
		return fail(GT_EPROTO, "%zu bytes of instructions and %zu of data are left over",
			d.r.size - d.r.pos, d.data.size - d.data.pos);
	return GT_OK;
}

gt_err wire_get_batch(reader *r, batch *b)
{
	size_t at = r->pos;
	gt_err e;

	if (!(e = get_batch(r, b, &at)))
		return GT_OK;
	batch_reset(b);
	return fail(e == GT_EMEMORY ? e : GT_EPROTO, "at byte %zu: %s", at, gt_last_error());
}
