/* test_buf.c: what is put is read back, and a reader never leaves its bytes. */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "base/buf.h"
#include "base/mem.h"

static void test_round_trip(void **state)
{
	buf b = { 0 };
	reader r;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		buf_put_u8(&b, (uint8_t)i);
		buf_put_u16(&b, (uint16_t)(i * 77));
		buf_put_u32(&b, i * 123456789u);
		buf_put_u64(&b, i * UINT64_C(0x123456789ABCDEF));
	}
	assert_int_equal(b.size, 15000);
	r = (reader){ .data = b.data, .size = b.size };
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(reader_u8(&r), (uint8_t)i);
		assert_int_equal(reader_u16(&r), (uint16_t)(i * 77));
		assert_int_equal(reader_u32(&r), i * 123456789u);
		assert_int_equal(reader_u64(&r), i * UINT64_C(0x123456789ABCDEF));
	}
	assert_false(r.cut);
	assert_int_equal(r.pos, r.size);
	buf_fini(&b);
	assert_null(b.data);
}

static void test_little_endian(void **state)
{
	static const uint8_t wanted[] = { 0x04, 0x03, 0x02, 0x01 };
	buf b = { 0 };

	(void)state;
	buf_put_u32(&b, 0x01020304);
	assert_memory_equal(b.data, wanted, sizeof wanted);
	buf_fini(&b);
}

/* Every width, cut at every place: 0, `cut`, and not one byte consumed. The bytes lie in a block of
 * their own so that the address sanitizer sees a step too far. */
static void test_cut(void **state)
{
	(void)state;
	for (size_t size = 0; size < 8; size++) {
		uint8_t *bytes = memset(mem_alloc(size), 0xFF, size);

		for (int width = 0; width < 4; width++) {
			reader r = { .data = bytes, .size = size };
			uint64_t v = width == 0 ? reader_u8(&r) : width == 1 ? reader_u16(&r)
				: width == 2 ? reader_u32(&r) : reader_u64(&r);
			size_t need = (size_t)1 << width;

			assert_int_equal(r.cut, need > size);
			assert_int_equal(r.pos, need > size ? 0 : need);
			assert_int_equal(v, need > size ? 0 : UINT64_MAX >> (64 - 8 * need));
		}
		mem_free(bytes);
	}
}

static void test_cut_stays(void **state)
{
	uint8_t bytes[] = { 1, 2, 3, 4 };
	reader r = { .data = bytes, .size = sizeof bytes };

	(void)state;
	assert_ptr_equal(reader_bytes(&r, 2), bytes);
	assert_null(reader_bytes(&r, 3));
	assert_true(r.cut);
	assert_int_equal(reader_u8(&r), 0);
	assert_null(reader_bytes(&r, 0));
}

static void test_huge_length(void **state)
{
	uint8_t bytes[4] = { 0 };
	reader r = { .data = bytes, .size = sizeof bytes, .pos = 2 };

	(void)state;
	assert_null(reader_bytes(&r, SIZE_MAX));
	assert_null(reader_bytes(&r, SIZE_MAX - 1));
	assert_true(r.cut);
}

static void test_empty(void **state)
{
	buf b = { 0 };
	reader r = { 0 };

	(void)state;
	buf_put(&b, NULL, 0);
	assert_int_equal(b.size, 0);
	assert_string_equal(buf_text(&b), "");
	assert_int_equal(b.size, 0);
	assert_int_equal(reader_u8(&r), 0);
	assert_true(r.cut);
	buf_fini(&b);
}

/* Lengths around every growth: the text is complete whether or not it fitted at first. */
static void test_printf(void **state)
{
	buf b = { 0 };
	char wanted[8192] = "";
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 700; i++) {
		buf_printf(&b, "%d,%s ", i, i % 3 ? "x" : "");
		n += (size_t)snprintf(wanted + n, sizeof wanted - n, "%d,%s ", i, i % 3 ? "x" : "");
		assert_string_equal(buf_text(&b), wanted);
	}
	assert_int_equal(b.size, n);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_little_endian),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_stays),
		cmocka_unit_test(test_huge_length),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_printf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
