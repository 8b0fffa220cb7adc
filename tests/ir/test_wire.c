/* test_wire.c: the wire form against bytes that nobody should send. */
#include "check.h"

#include <stdlib.h>
#include "base/buf.h"
#include "base/mem.h"
#include "gen.h"
#include "ir/wire.h"

/* A stream of a few batches with everything in it. */
static buf sample(void)
{
	buf bytes = { 0 };
	batch b = { 0 };

	wire_put_header(&bytes);
	for (unsigned code = 0; code < OP_CODES; code++) {
		gen g = { .state = code };

		if (op_row_of(code))
			batch_push(&b, gen_ins(&g, code));
		if (b.count == 40) {
			assert_int_equal(wire_put_batch(&bytes, &b), GT_OK);
			batch_reset(&b);
		}
	}
	assert_int_equal(wire_put_batch(&bytes, &b), GT_OK);
	batch_fini(&b);
	return bytes;
}

/* Decode all; the first error. What was decoded must encode to the same bytes. */
static gt_err decode(const uint8_t *data, size_t size)
{
	reader r = { .data = data, .size = size };
	batch b = { 0 };
	buf again = { 0 };
	gt_err e = wire_get_header(&r);

	while (!e && r.pos < r.size) {
		const size_t begin = r.pos;

		if ((e = wire_get_batch(&r, &b)))
			break;
		again.size = 0;
		assert_int_equal(wire_put_batch(&again, &b), GT_OK);
		assert_int_equal(again.size, r.pos - begin);
		assert_memory_equal(again.data, data + begin, again.size);
		batch_reset(&b);
	}
	assert_int_equal(b.count, 0);
	batch_fini(&b);
	buf_fini(&again);
	return e;
}

/* Copies so that a read behind the end is one behind the allocation. */
static gt_err decode_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	gt_err e;

	memcpy(copy, data, size);
	e = decode(copy, size);
	free(copy);
	return e;
}

static void test_truncated(void **state)
{
	buf b = sample();
	reader r = { .data = b.data, .size = b.size };
	size_t next = WIRE_HEADER_SIZE;

	(void)state;
	assert_int_equal(decode_copy(b.data, b.size), GT_OK);
	for (size_t n = 0; n < b.size; n++) {
		uint64_t size;

		if (n == next) {   /* between batches a stream may end */
			assert_int_equal(decode_copy(b.data, n), GT_OK);
			assert_int_equal(wire_batch_size(r.data + n, &size), GT_OK);
			next += size;
		} else {
			assert_int_equal(decode_copy(b.data, n), GT_EPROTO);
		}
	}
	assert_int_equal(next, b.size);
	buf_fini(&b);
}

static void test_every_bit_flipped(void **state)
{
	buf b = sample();
	unsigned refused = 0;

	(void)state;
	for (size_t bit = 0; bit < b.size * 8; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		refused += decode(b.data, b.size) != GT_OK;
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_in_range(refused, b.size, b.size * 7);   /* ids, scalars and data may be anything */
	buf_fini(&b);
}

/* A batch around these instruction bytes and data. */
static buf batch_of(
	uint32_t count, const void *ins_bytes, size_t n, const void *data, size_t data_size)
{
	buf b = { 0 };

	buf_put_u32(&b, count);
	buf_put_u32(&b, (uint32_t)n);
	buf_put_u64(&b, data_size);
	buf_put(&b, ins_bytes, n);
	buf_put(&b, data, data_size);
	return b;
}

static void refuses(buf bytes, const char *why)
{
	reader r = { .data = bytes.data, .size = bytes.size };
	batch b = { 0 };

	assert_int_equal(wire_get_batch(&r, &b), GT_EPROTO);
	if (!strstr(gt_last_error(), why))
		fail_msg("expected '%s', got '%s'", why, gt_last_error());
	batch_fini(&b);
	buf_fini(&bytes);
}

#define REFUSES(count, ins_bytes, data, why) \
	refuses(batch_of(count, ins_bytes, sizeof(ins_bytes) - 1, data, sizeof(data) - 1), why)

static void test_errors(void **state)
{
	(void)state;
	/* 4 = leave, 1 = free, 60 = add, 3 = enter, 10 = upload, 135 = cat, 100 = sum, 130 =
	 * reshape */
	REFUSES(1, "\xff\x00", "", "at byte 16: unknown op code 255; is the sender newer?");
	REFUSES(2, "\x04\x00\xff\x00", "", "at byte 18: unknown op code 255");
	REFUSES(2, "\x04\x00", "", "at byte 18: the batch ends early");
	REFUSES(1, "\x04\x00\x04\x00", "", "2 bytes of instructions and 0 of data are left over");
	REFUSES(1, "\x04\x00", "x", "0 bytes of instructions and 1 of data are left over");
	REFUSES(0, "", "", "a batch of 0 instructions");
	REFUSES(1025, "", "", "a batch of 1025 instructions in 0 bytes, expected 1 to 1024");
	REFUSES(1, "\x01\x00\x00", "", "free: input 0 is 0, which is no value");
	REFUSES(1, "\x01\x00\x80\x00", "", "free: a number in more bytes than it needs");
	REFUSES(1, "\x01\x00\x81\x80\x80\x80\x80\x80\x80\x80\x80\x02", "",
		"free: a number of more than 64 bits");
	REFUSES(1, "\x01\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "",
		"free: a number of more than 64");
	REFUSES(1, "\x04\x80\x80\x80\x80\x10", "", "leave: a site or scalar kinds out of range");
	REFUSES(1, "\x3c\x00\x00\x05\x01\x05", "", "add: input 1 is the result itself");
	REFUSES(1, "\x3c\x00\x00\x00\x01\x02", "", "add: the result is 0, which is no value");
	REFUSES(1, "\x3c\x00\x10\x05\x01\x02", "", "add: scalar kinds of inputs that do not exist");
	REFUSES(1, "\x3c\x00\x05\x05\x01\x01", "", "add: no input is a tensor");
	REFUSES(1, "\x3c\x00\x01\x05\x02\x01", "",
		"add: input 0 is a bool that is neither 0 nor 1");
	REFUSES(1, "\x03\x00\x00", "", "enter: name of 0 bytes");
	REFUSES(1, "\x03\x00\x02\x61\x00", "", "enter: a name that is too long or contains a zero");
	REFUSES(1, "\x03\x00\xc8\x61", "", "enter: the batch ends early");
	REFUSES(1, "\x87\x00\x00\x00\x05", "", "cat: 0 inputs, expected 1 to 64");
	REFUSES(1, "\x87\x00\x41\x00\x05", "",
		"cat: more inputs or operands than an instruction has");
	REFUSES(1, "\x87\x00\x01\x09\x05\x01", "", "cat: axis 9, expected less than 8");
	REFUSES(1, "\x64\x00\x01\x02\x05\x01", "", "sum: keepdims is 2, expected 0 or 1");
	REFUSES(1, "\x82\x00\x05\x01\x21", "", "reshape: more inputs or operands");
	REFUSES(1, "\x0a\x00\x09\x05\x00", "", "upload: unknown dtype 9");
	REFUSES(1, "\x0a\x00\x05\x05\x01\x02", "\x00\x02",
		"upload: a bool that is neither 0 nor 1");
	REFUSES(1, "\x0a\x00\x01\x05\x01\x02", "1234567", "upload: 8 bytes of data are missing");
	REFUSES(1, "\x0a\x00\x01\x05\x01\x01", "12345",
		"0 bytes of instructions and 1 of data are left over");
	REFUSES(1, "\x0a\x00\x01\x05\x02\xff\xff\xff\xff\x0f\xff\xff\xff\xff\x0f", "",
		"more than 2^40 elements");
}

static void test_header(void **state)
{
	static const char *const bad[] = { "", "GTS", "GTS\n", "GTS\n\1\0", "gts\n\1\0\0\0" };
	uint8_t other[] = "GTS\n\2\0\0";
	reader r = { .data = other, .size = WIRE_HEADER_SIZE };

	(void)state;
	for (size_t k = 0; k < COUNT(bad); k++) {
		assert_int_equal(decode_copy((const uint8_t *)bad[k], strlen(bad[k])), GT_EPROTO);
		assert_non_null(strstr(gt_last_error(), "not a GT stream"));
	}
	assert_int_equal(wire_get_header(&r), GT_EPROTO);
	assert_string_equal(gt_last_error(), "a stream of version 2.0, this GT speaks version 1.0");
}

/* Sizes that promise more than there is must not be believed; no memory for what there is is an
 * error. */
static void test_memory(void **state)
{
	static const uint8_t upload[] = { 10, 0, GT_FLOAT64, 5, 1, 0x80, 0x80, 0x80, 0x80, 0x80,
		0x20 };
	buf bytes = batch_of(1, upload, sizeof upload, "12345678", 8), small;
	reader r = { .data = bytes.data, .size = bytes.size };
	uint64_t size = UINT64_C(1) << 43;
	batch b = { 0 };

	(void)state;
	assert_int_equal(wire_get_batch(&r, &b), GT_EPROTO);   /* 2^40 elements, 8 bytes of data */
	assert_non_null(strstr(gt_last_error(), "8796093022208 bytes of data are missing"));
	memcpy(bytes.data + 8, &size, sizeof size);
	r = (reader){ .data = bytes.data, .size = bytes.size };
	assert_int_equal(wire_get_batch(&r, &b), GT_EPROTO);
	assert_non_null(
		strstr(gt_last_error(), "a batch of 11 + 8796093022208 bytes, 19 are left"));
	assert_int_equal(wire_batch_size(bytes.data, &size), GT_OK);
	assert_int_equal(size, WIRE_BATCH_HEAD + 11 + (UINT64_C(1) << 43));
	small = batch_of(1, "\x0a\x00\x01\x05\x01\x02", 6, "12345678", 8);
	r = (reader){ .data = small.data, .size = small.size };
	mem_fail_nth(1);
	assert_int_equal(wire_get_batch(&r, &b), GT_EMEMORY);
	mem_fail_nth(0);
	r.pos = 0;
	assert_int_equal(wire_get_batch(&r, &b), GT_OK);
	assert_memory_equal(ins_blob(batch_next(&b, NULL))->data, "12345678", 8);
	batch_fini(&b);
	buf_fini(&bytes);
	buf_fini(&small);
}

/* The limit of a batch's instructions keeps the largest ones within its bytes. */
static void test_largest(void **state)
{
	ins_room room;
	batch b = { 0 };
	buf bytes = { 0 };
	ins *i = ins_init(&room, OP_cat, UINT64_MAX);

	(void)state;
	i->site = UINT32_MAX;
	for (int k = 0; k < INS_INPUTS_MAX; k++)
		ins_put_input(i, UINT64_MAX - 1);
	for (int k = 0; k < WIRE_BATCH_INS; k++)
		batch_push(&b, i);
	assert_int_equal(wire_put_batch(&bytes, &b), GT_OK);
	assert_in_range(bytes.size, 1, WIRE_BATCH_BYTES + WIRE_BATCH_HEAD);
	reader r = { .data = bytes.data, .size = bytes.size };

	batch_reset(&b);
	assert_int_equal(wire_get_batch(&r, &b), GT_OK);
	assert_int_equal(b.count, WIRE_BATCH_INS);
	batch_push(&b, i);
	bytes.size = 0;
	assert_int_equal(wire_put_batch(&bytes, &b), GT_ELIMIT);
	assert_int_equal(bytes.size, 0);
	batch_fini(&b);
	buf_fini(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_every_bit_flipped),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
