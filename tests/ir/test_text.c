/* test_text.c: the text form's tolerance and its errors: where, what was expected, what came. */
#include "check.h"

#include "base/buf.h"
#include "base/mem.h"
#include "ir/number.h"
#include "ir/op.h"
#include "ir/text.h"

static text_reader reader_;

static gt_err parse(const char *text, ins_room *room, bool *end)
{
	text_open_string(&reader_, text, strlen(text), NULL);
	return text_get(&reader_, room, end);
}

static void drop(const ins *i)
{
	if (ins_blob(i))
		blob_drop(ins_blob(i));
}

/* What people may write, and how it is printed. */
static void test_forms(void **state)
{
	static const char *const forms[][2] = {
		{ "t1=add t2,t3", "t1 = add t2, t3\n" },
		{ "\n\n# nothing\n  t1 =\tadd t2 , 1.50# why\n", "t1 = add t2, 1.5\n" },
		{ "t1 = add t2, t3\r\n", "t1 = add t2, t3\n" },
		{ "t1 = add 1e2, t3", "t1 = add 100.0, t3\n" },
		{ "t1 = add .5, t3", "t1 = add 0.5, t3\n" },
		{ "t1 = add 0x1.8p+1, t3", "t1 = add 3.0, t3\n" },
		{ "t1 = add +inf, t3", "t1 = add inf, t3\n" },
		{ "t1 = add -inf, t3", "t1 = add -inf, t3\n" },
		{ "t1 = add nan, t3", "t1 = add nan, t3\n" },
		{ "t1 = add nan:0xfff8000000000001, t3", "t1 = add nan:0xfff8000000000001, t3\n" },
		{ "t1 = add -0.0, t3", "t1 = add -0.0, t3\n" },
		{ "t1 = add +5, t3", "t1 = add 5, t3\n" },
		{ "t1 = add -9223372036854775808, t3", "t1 = add -9223372036854775808, t3\n" },
		{ "t1 = add 1e300, t3", "t1 = add 1e+300, t3\n" },
		{ "t1 = add false, t3", "t1 = add false, t3\n" },
		{ "t1 = sum t2 keepdims axes=[1,0,1]", "t1 = sum t2 axes=[0,1] keepdims\n" },
		{ "t1 = sum t2 axes = [ 1 , 0 ] @7", "t1 = sum t2 axes=[0,1] @ 7\n" },
		{ "t1 = rand float32 draw=1 [2] seed=18446744073709551615",
			"t1 = rand float32 [2] seed=18446744073709551615 draw=1\n" },
		{ "t1 = slice t2 step=[1] count=[2] first=[0]",
			"t1 = slice t2 first=[0] count=[2] step=[1]\n" },
		{ "t1 = upload int32 [2,2] {\n  1, 2, # one\n  3,\n-4 }",
			"t1 = upload int32 [2,2] {1, 2, 3, -4}\n" },
		{ "t1 = upload float32 [0,3] {}", "t1 = upload float32 [0,3] {}\n" },
		{ "t1 = upload bool [] { true }", "t1 = upload bool [] {true}\n" },
		{ "t1 = upload float32 [3] {0.1,1e-45,3.4028235e38}",
			"t1 = upload float32 [3] {0.1, 1.4013e-45, 3.4028235e+38}\n" },
		{ "t1 = permute t2 perm=[0,1,2]", "t1 = permute t2 perm=[0,1,2]\n" },
		{ "t1 = permute t2 perm=[]", "t1 = permute t2 perm=[0]\n" },
		{ "fetch t9", "fetch t9\n" },
		{ "enter \"a b\\\"\\\\\\x0a\"", "enter \"a b\\\"\\\\\\x0a\"\n" },
		{ "leave", "leave\n" },
	};

	(void)state;
	for (size_t k = 0; k < COUNT(forms); k++) {
		ins_room room;
		buf out = { 0 };
		bool end;

		if (parse(forms[k][0], &room, &end))
			fail_msg("%s: %s", forms[k][0], gt_last_error());
		assert_false(end);
		text_put(&out, &room.head, NULL);
		assert_string_equal(buf_text(&out), forms[k][1]);
		drop(&room.head);
		buf_fini(&out);
		assert_int_equal(text_get(&reader_, &room, &end), GT_OK);
		assert_true(end);
	}
}

static void test_errors(void **state)
{
	static const char *const errors[][2] = {
		{ "t1 = ad t2, t3", "1:6: expected an op, got 'ad'" },
		{ "t1 = ", "1:6: expected an op, got the end of the stream" },
		{ "\n  = add t1, t2", "2:3: expected an op, got '='" },
		{ "add t1, t2", "1:1: expected a result before the op, such as t1 =, got 'add'" },
		{ "t1 = fetch t2", "1:6: expected an op that has a result, got 'fetch'" },
		{ "t0 = add t1, t2", "1:1: expected a tensor such as t1, got 't0'" },
		{ "t99999999999999999999 = add t1, t2", "1:1: expected a tensor such as t1" },
		{ "t1 add t1, t2", "1:4: expected '=' and an op, got 'add'" },
		{ "t1 = add t2 t3", "1:13: expected ',' and another input, got 't3'" },
		{ "t1 = add t2\n",
			"1:12: expected ',' and another input, got the end of the line" },
		{ "t1 = add t2,",
			"1:13: expected a tensor, a number, true or false, got the end of the "
			"stream" },
		{ "t1 = add t2, x", "1:14: expected a tensor, a number, true or false, got 'x'" },
		{ "t1 = add t2, 1e999", "1:14: expected a tensor, a number" },
		{ "t1 = add t2, 9223372036854775808", "1:14: expected a tensor, a number" },
		{ "t1 = add t2, nan:0x7ff0000000000000", "1:14: expected a tensor, a number" },
		{ "t1 = add t2, infinity", "1:14: expected a tensor, a number" },
		{ "t1 = add t2, 1.2.3", "1:14: expected a tensor, a number" },
		{ "t1 = add t2, "
		  "1.0000000000000000000000000000000000000000000000000000000000000000000000",
			"1:14: expected a tensor, a number" },
		{ "t1 = add t2, t3, t4",
			"1:16: expected an operand or attribute of the op, or the end of the line, "
			"got ','" },
		{ "t1 = matmul t2, 1", "1:17: expected a tensor such as t1, got '1'" },
		{ "t1 = add 1, 2", "1:1: add: no input is a tensor" },
		{ "t1 = exp t1", "1:1: exp: input 0 is the result itself" },
		{ "t1 = full t2 [2]", "1:11: expected a dtype, got 't2'" },
		{ "t1 = full float32 t2 [2]", "1:19: expected a number, true or false, got 't2'" },
		{ "t1 = full flaot32 1.0 [2]", "1:11: expected a dtype, got 'flaot32'" },
		{ "t1 = full float32 1.0", "1:1: expected all operands of full: sizes" },
		{ "t1 = full float32 1.0 [2,-1]",
			"1:26: expected an integer within its range, got '-1'" },
		{ "t1 = full float32 1.0 [2,",
			"1:26: expected an integer, got the end of the stream" },
		{ "t1 = full float32 1.0 [2 3]", "1:26: expected ',' or ']', got '3'" },
		{ "t1 = full float32 1.0 [2] [3]", "1:27: expected an operand or attribute" },
		{ "t1 = full float32 1.0 "
		  "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
			"1:88: expected a shorter list, got '1'" },
		{ "t1 = sum t2", "1:1: expected every attribute of sum" },
		{ "t1 = sum t2 axes=[8]", "1:19: expected an integer within its range, got '8'" },
		{ "t1 = sum t2 axes=1", "1:18: expected a list such as [2,3], got '1'" },
		{ "t1 = sum t2 axes=[1] axes=[1]",
			"1:22: expected each attribute once, got 'axes'" },
		{ "t1 = sum t2 axis=1", "1:13: expected an operand or attribute of the op" },
		{ "t1 = softmax t2 axis", "1:21: expected '=', got the end of the stream" },
		{ "t1 = cast t2 dtype=f32", "1:20: expected a dtype, got 'f32'" },
		{ "t1 = permute t2 perm=[1,1]",
			"1:1: permute: attribute perm is not a permutation" },
		{ "t1 = permute t2 perm=[2,0]",
			"1:1: permute: attribute perm is not a permutation" },
		{ "t1 = rand float32 [2] seed=-1 draw=0",
			"1:28: expected an integer that is not negative, got '-1'" },
		{ "t1 = rand float32 [2] seed=1",
			"1:1: expected all operands of rand: sizes seed draw" },
		{ "t1 = rand float32 [2] seed=1 seed=2",
			"1:30: expected each operand once, got 'seed'" },
		{ "t1 = slice t2 first=[0] count=[1,2] step=[1]",
			"1:1: expected all operands of slice" },
		{ "t1 = slice t2 first=[0] count=[1]",
			"1:1: expected all operands of slice: first count step" },
		{ "t1 = upload float32 {1}", "1:21: expected the sizes before the data, got '{'" },
		{ "t1 = upload float32 [2]", "1:1: expected all operands of upload: sizes data" },
		{ "t1 = upload float32 [2] {1}",
			"1:27: expected ',' and another element: the shape asks for more, got "
			"'}'" },
		{ "t1 = upload float32 [2] {1,2,3}", "1:29: expected '}' behind the last element" },
		{ "t1 = upload float32 [2] {1,,3}", "1:28: expected a float, got ','" },
		{ "t1 = upload float32 [2] {1,1e39}",
			"1:28: expected a float that float32 can hold, got '1e39'" },
		{ "t1 = upload float32 [2] {1,nan:0x7f800000}", "1:28: expected a float" },
		{ "t1 = upload int32 [1] {2147483648}",
			"1:24: expected an integer within its range" },
		{ "t1 = upload int64 [1] {1.0}", "1:24: expected an integer, got '1.0'" },
		{ "t1 = upload bool [1] {1}", "1:23: expected true or false, got '1'" },
		{ "t1 = upload int64 [1099511627776,2] {1}", "1:1: upload: a result of shape" },
		{ "t1 = upload int64 [1099511627776] {1}",
			"1:37: expected ',' and another element" },
		{ "t1 = upload float32 [1] {1} {1}", "1:29: expected an operand or attribute" },
		{ "enter", "1:1: expected all operands of enter: name" },
		{ "enter \"\"", "1:1: enter: name of 0 bytes" },
		{ "enter \"a",
			"1:9: expected a quote that ends the string (it may be too long), got the "
			"end" },
		{ "enter \"a\n\"", "1:9: expected a quote that ends the string" },
		{ "enter \"\\n\"", "expected \\\", \\\\ or \\xNN in the string" },
		{ "enter \"\\x00\"", "expected \\\", \\\\ or \\xNN in the string" },
		{ "enter "
		  "\"012345678901234567890123456789012345678901234567890123456789012345678901234567"
		  "8901234567890123456"
		  "7890123456789012345678901234567\"",
			"expected a quote that ends the string (it may be too long)" },
		{ "leave @",
			"1:8: expected an integer that is not negative, got the end of the "
			"stream" },
		{ "leave @ 4294967296", "1:9: expected an integer within its range" },
		{ "leave @ \"a.py\"", "1:15: expected ':' and a line, got the end of the stream" },
		{ "leave @ 1 @ 2", "1:11: expected an operand or attribute" },
		{ "leave ~",
			"1:7: expected an operand or attribute of the op, or the end of the line, "
			"got '~'" },
		{ "fetch t9 ticket=3", "1:10: expected an operand or attribute of the op" },
		{ "\x01", "1:1: expected an op, got byte 0x01" },
	};

	(void)state;
	for (size_t k = 0; k < COUNT(errors); k++) {
		ins_room room;
		bool end;

		assert_int_equal(parse(errors[k][0], &room, &end), GT_ESYNTAX);
		if (!strstr(gt_last_error(), errors[k][1]))
			fail_msg("%s:\n  expected %s\n  got %s", errors[k][0], errors[k][1],
				gt_last_error());
	}
}

/* Sites by name, where somebody knows them. */
static const char *place(void *ctx, uint32_t site, uint32_t *line)
{
	*line = site + 100;
	return site == 3 ? ctx : NULL;
}

static uint32_t number(void *ctx, const char *file, size_t n, uint32_t line)
{
	assert_int_equal(strlen(ctx), n);
	assert_memory_equal(ctx, file, n);
	return line - 100;
}

static void test_sites(void **state)
{
	char file[] = "a \"b\".py";
	const text_sites sites = { place, number, file };
	ins_room room;
	buf out = { 0 };
	bool end;

	(void)state;
	ins_init(&room, OP_leave, 0)->site = 3;
	text_put(&out, &room.head, &sites);
	assert_string_equal(buf_text(&out), "leave @ \"a \\\"b\\\".py\":103\n");
	text_open_string(&reader_, (char *)out.data, out.size, &sites);
	assert_int_equal(text_get(&reader_, &room, &end), GT_OK);
	assert_int_equal(room.head.site, 3);
	assert_int_equal(parse((char *)out.data, &room, &end), GT_OK);
	assert_int_equal(room.head.site, 0);
	out.size = 0;
	room.head.site = 4;
	text_put(&out, &room.head, &sites);
	assert_string_equal(buf_text(&out), "leave @ 4\n");
	buf_fini(&out);
}

/* Numbers are C's while the text is read or written, and the program's locale is its own again
 * behind that. */
static void test_locale(void **state)
{
	locale_t previous;

	(void)state;
	previous = number_enter();
	assert_ptr_equal(previous, LC_GLOBAL_LOCALE);
	assert_ptr_not_equal(uselocale((locale_t)0), LC_GLOBAL_LOCALE);
	number_leave(previous);
	assert_ptr_equal(uselocale((locale_t)0), LC_GLOBAL_LOCALE);
}

/* No memory for an upload is an error of that line, not the end. */
static void test_no_memory(void **state)
{
	ins_room room;
	bool end;

	(void)state;
	mem_fail_nth(1);
	assert_int_equal(parse("t1 = upload int32 [2] {1,2}", &room, &end), GT_EMEMORY);
	assert_string_equal(gt_last_error(), "1:1: no memory for 8 bytes");
	mem_fail_nth(0);
}

/* Every float32 whose bits end so, and random doubles, come back bit for bit. */
static void test_numbers_are_exact(void **state)
{
	uint64_t random = 1;
	ins_room room;
	buf text = { 0 };
	bool end;

	(void)state;
	for (unsigned n = 0; n < 200; n++) {
		const int64_t count = 500;
		blob *f32 = blob_new((size_t)count * 4), *f64 = blob_new((size_t)count * 8);
		blob *blobs[] = { f32, f64 };

		for (int64_t k = 0; k < count; k++) {
			random = random * UINT64_C(6364136223846793005) +
				UINT64_C(1442695040888963407);
			((uint32_t *)f32->data)[k] = (uint32_t)(random >> 32);
			((uint64_t *)f64->data)[k] = random ^ random << 32;
		}
		for (int d = 0; d < 2; d++) {
			ins *i = ins_init(&room, OP_upload, 1);

			i->attr.dtype = d ? GT_FLOAT64 : GT_FLOAT32;
			ins_put_operand(i, (int64_t)(uintptr_t)blobs[d]);
			ins_put_operand(i, count);
			text.size = 0;
			text_put(&text, i, NULL);
			assert_int_equal(parse(buf_text(&text), &room, &end), GT_OK);
			assert_memory_equal(
				ins_blob(&room.head)->data, blobs[d]->data, blobs[d]->size);
			blob_drop(ins_blob(&room.head));
			blob_drop(blobs[d]);
		}
	}
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_sites),
		cmocka_unit_test(test_locale),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_numbers_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
