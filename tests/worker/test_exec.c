/* test_exec.c: what instructions do: values, views, poison, memory, signals. Written as streams. */
#include "check.h"
#include <math.h>
#include <immintrin.h>
#include "base/flags.h"
#include "base/mem.h"
#include "embed/embed.h"
#include "play.h"

static struct link *l;

static int open_link(void **state)
{
	(void)state;
	return embed_open(&l);
}

static int close_link(void **state)
{
	(void)state;
	l->ops->close(l);
	return 0;
}

static int open_small(void **state)
{
	return flag_set(FLAG_GT_MEMORY, "10M") || open_link(state);
}

static int close_small(void **state)
{
	return close_link(state) || flag_set(FLAG_GT_MEMORY, "80%");
}

static worker_stats stats(void)
{
	worker_stats s;

	assert_int_equal(l->ops->sync(l, NULL), GT_OK);
	assert_int_equal(embed_stats(l, &s), GT_OK);
	return s;
}

/* The text's only fetch reads n float32 like these. */
static void reads(const char *text, size_t n, const float *expected)
{
	play p = play_text(l, text);
	const answer *a = play_wait(&p, 0);

	if (atomic_load(&a->state) == ANSWER_FAILED)
		fail_msg("%s", a->why->text);
	assert_int_equal(a->m.dtype, GT_FLOAT32);
	assert_int_equal(meta_count(&a->m), n);
	assert_memory_equal(a->data, expected, n * sizeof *expected);
	play_end(&p);
}

#define READS(text, ...) \
	reads(text, sizeof((float[]){ __VA_ARGS__ }) / sizeof(float), (float[]){ __VA_ARGS__ })

static void fails(const char *text, gt_err code, uint32_t site, const char *expected)
{
	failure *f = play_failure(l, text);

	assert_non_null(f);
	assert_string_equal(f->text, expected);
	assert_int_equal(f->code, code);
	assert_int_equal(f->site, site);
	failure_drop(f);
}

static void test_values(void **state)
{
	(void)state;
	READS("t1 = upload float32 [3] {1, 2, 3}\n"
		"t2 = add t1, 3.0\n"
		"t3 = mul t2, t1\n"
		"fetch t3", 4, 10, 18);
	READS("t4 = sub 1.0, t1\nfetch t4", 0, -1, -2);
	READS("t5 = full float32 2 [2,2]\nt6 = matmul t5, t5\nfetch t6", 8, 8, 8, 8);
	READS("t7 = sum t5 axes=[0]\nfetch t7", 4, 4);
}

static void test_views_share_memory(void **state)
{
	uint64_t before;

	(void)state;
	READS("t1 = arange float32 0.0, 1.0 [6]\n"
		"t2 = reshape t1 [2,3]\n"
		"fetch t2", 0, 1, 2, 3, 4, 5);
	before = stats().bytes;
	play_text(l, "t3 = permute t2 perm=[1,0]\n"
		"t4 = slice t3 first=[2,0] count=[2,2] step=[-1,1]\n"
		"t5 = expand t4 [2,2,2]\n");
	assert_int_equal(stats().bytes, before);
	READS("fetch t3", 0, 3, 1, 4, 2, 5);
	READS("fetch t4", 2, 5, 1, 4);
	READS("fetch t5", 2, 5, 1, 4, 2, 5, 1, 4);
	assert_int_equal(stats().bytes, before);
	/* A reshape that no strides express copies. */
	READS("t6 = reshape t3 [6]\nfetch t6", 0, 3, 1, 4, 2, 5);
	assert_true(stats().bytes > before);
	/* The memory lives as long as a view of it. */
	READS("free t1\nfree t2\nfree t3\nfetch t4", 2, 5, 1, 4);
}

static void test_empty_tensors(void **state)
{
	(void)state;
	READS("t1 = full float32 1.0 [0,3]\nt2 = sum t1 axes=[0]\nfetch t2", 0, 0, 0);
	reads("t3 = add t1, t1\nfetch t3", 0, NULL);
	reads("t4 = permute t3 perm=[1,0]\nfetch t4", 0, NULL);
	reads("t5 = upload float32 [0] {}\nfetch t5", 0, NULL);
}

static void test_poison_is_inherited(void **state)
{
	const char *why = "index_select: index 12 at position 1 is out of range for size 10; "
		"inputs float32 (10, 4), int64 (2,); in signal 'forward/attention'";

	(void)state;
	fails("t1 = full float32 1.0 [10,4]\n"
		"t2 = upload int64 [2] {1, 12}\n"
		"enter \"forward\"\n"
		"enter \"attention\"\n"
		"t3 = index_select t1, t2 axis=0\n"
		"leave\n"
		"t4 = exp t3\n"
		"leave\n"
		"t5 = permute t4 perm=[1,0]\n"
		"t6 = sum t5 axes=[0,1]\n"
		"fetch t6", GT_EINDEX, 5, why);
	fails("t7 = add t6, 1.0\nfetch t7", GT_EINDEX, 5, why);
	/* Everything else goes on. */
	READS("t8 = sum t1 axes=[0,1]\nfetch t8", 40);
	assert_int_equal(stats().faults, 1);
}

static void test_first_poison_wins(void **state)
{
	(void)state;
	play_text(l, "t1 = full int64 1 [2]\nt2 = full int64 0 [2]\n"
		"t3 = floordiv t1, t2\n"
		"t4 = one_hot t1 [1]\n");
	failure *divide = play_failure(l, "fetch t3"), *index = play_failure(l, "fetch t4");
	failure *both = play_failure(l, "t5 = floordiv t3, t3\nt6 = floordiv t5, t4\nfetch t6");

	assert_ptr_equal(both, divide);
	assert_int_equal(divide->code, GT_EDIVIDE);
	assert_int_equal(index->code, GT_EINDEX);
	assert_non_null(strstr(divide->text, "; inputs int64 (2,), int64 (2,)"));
	failure_drop(divide);
	failure_drop(index);
	failure_drop(both);
}

/* What a client checks before it sends is checked here as well: bytes may be foreign. */
static void test_wrong_streams(void **state)
{
	(void)state;
	fails("t1 = add t99, 1.0\nfetch t1", GT_EPROTO, 1,
		"add: input t99 is unknown or was freed");
	fails("fetch t98", GT_EPROTO, 1, "fetch: t98 is unknown or was freed");
	fails("t2 = full float32 1.0 [2]\nt2 = full float32 2.0 [2]\nfetch t2", GT_EPROTO, 2,
		"full: t2 has a value already");
	play_text(l, "free t1\nfree t97\nfree t2\nfree t2\nleave\n");
}

static void test_shape_error_names_both(void **state)
{
	failure *f;

	(void)state;
	f = play_failure(l, "t1 = full float32 1.0 [2]\nt2 = full float32 1.0 [3]\n"
		"t3 = add t1, t2\nfetch t3");
	assert_int_equal(f->code, GT_ESHAPE);
	assert_non_null(strstr(f->text, "(2,)"));
	assert_non_null(strstr(f->text, "(3,)"));
	failure_drop(f);
}

static void test_out_of_memory(void **state)
{
	uint64_t before = stats().bytes;

	(void)state;
	fails("t1 = full float32 1.0 [1000,1000]\n"
		"t2 = full float32 1.0 [1000,1000]\n"
		"t3 = reshape t2 [1000000]\n"
		"t4 = full float64 1.0 [100]\n"
		"enter \"step\"\n"
		"t5 = add t1, t2\n"
		"fetch t5", GT_EMEMORY, 6,
		"add: no memory for float32 (1000, 1000) (3.8 MB): limit 10.0 MB (GT_MEMORY), "
		"7.6 MB in use; largest: full float32 (1000, 1000) 3.8 MB (client c0), "
		"full float32 (1000, 1000) 3.8 MB (client c0), "
		"full float64 (100,) 800 B (client c0); in signal 'step'");
	/* The next instruction works, and freeing makes room. */
	READS("leave\nt6 = full float32 7.0 [2]\nfetch t6", 7, 7);
	READS("free t5\nfree t1\nt7 = sum t2 axes=[0,1]\nt8 = add t2, t2\n"
		"t9 = sum t8 axes=[0,1]\nfetch t9", 2e6f);
	play_text(l, "free t2\nfree t3\nfree t4\nfree t6\nfree t7\nfree t8\nfree t9");
	assert_int_equal(stats().bytes, before);
}

/* A read of a view that needs a copy may lack memory too: only the read fails. */
static void test_no_memory_for_an_answer(void **state)
{
	(void)state;
	fails("t1 = full float32 1.0 [1000,1600]\n"
		"t2 = permute t1 perm=[1,0]\n"
		"fetch t2", GT_EMEMORY, 3,
		"fetch: no memory for float32 (1600, 1000) (6.1 MB): limit 10.0 MB (GT_MEMORY), "
		"6.1 MB in use; largest: full float32 (1000, 1600) 6.1 MB (client c0)");
	READS("t3 = sum t2 axes=[0,1]\nfetch t3", 1.6e6f);
}

/* Memory that a kernel needs for itself is missed in the same words. */
static void test_no_memory_inside_a_kernel(void **state)
{
	(void)state;
	READS("t1 = full float64 1.0 [500,1000]\n"
		"t2 = slice t1 first=[0,0] count=[500,500] step=[1,2]\n"
		"t3 = cast t2 dtype=float32\nt4 = sum t3 axes=[0,1]\nfetch t4", 250000);
	play_text(l, "free t3\nfree t4\nt5 = full float64 0.0 [400,1000]\n");
	fails("t6 = matmul t2, t2\nfetch t6", GT_EMEMORY, 1,
		"matmul: no memory for a contiguous copy of an operand (2000000 bytes): limit "
		"10.0 MB (GT_MEMORY), 8.8 MB in use; largest: full float64 (500, 1000) 3.8 MB "
		"(client c0), full float64 (400, 1000) 3.1 MB (client c0), matmul float64 "
		"(500, 500) 1.9 MB (client c0); inputs float64 (500, 500), float64 (500, 500)");
	play_text(l, "free t1\nfree t2\nfree t5\nfree t6");
}

/* Whichever allocation fails: one value is poisoned, and the same again works. */
static void test_every_allocation_fails(void **state)
{
	static const char *const program =
		"t1 = arange float32 1.0, 1.0 [6]\n"
		"t2 = reshape t1 [2,3]\n"
		"t3 = permute t2 perm=[1,0]\n"
		"t4 = matmul t2, t3\n"
		"t5 = reshape t3 [6]\n"
		"t6 = softmax t2 axis=1\n"
		"t7 = sum t4 axes=[0,1]\n"
		"fetch t7\nfetch t5\nfetch t3\nfetch t6\n"
		"free t1\nfree t2\nfree t3\nfree t4\nfree t5\nfree t6\nfree t7";
	unsigned failed = 0;

	(void)state;
	for (uint64_t n = 1; n <= 20; n++) {
		play p = { .l = l };
		bool any = false;

		mem_fail_nth(n);
		p = play_text(l, program);
		for (size_t k = 0; k < p.n; k++) {
			const answer *a = play_wait(&p, k);

			if (atomic_load(&a->state) != ANSWER_FAILED)
				continue;
			any = true;
			assert_int_equal(a->why->code, GT_EMEMORY);
			assert_non_null(strstr(a->why->text, ": no memory for float32 ("));
		}
		failed += any;
		mem_fail_nth(0);
		play_end(&p);
		assert_int_equal(stats().tensors, 0);
		assert_int_equal(stats().bytes, 0);
	}
	assert_true(failed >= 6);
	assert_true(failed < 20);
	assert_true(play_float(l, "t1 = full float32 3.0 [2]\nfetch t1\nfree t1") == 3);
}

static unsigned blobs;

static void release_blob(blob *b)
{
	blobs--;
	free(b);
}

static blob *new_blob(size_t size)
{
	blob *b = malloc(sizeof *b + size);

	*b = (blob){ .refs = 1, .size = size, .data = b + 1, .release = release_blob };
	memset(b->data, 0, size);
	blobs++;
	return b;
}

static gt_err flush_upload(uint64_t id, size_t size, int64_t dim)
{
	ins_room room;
	ins *i = ins_init(&room, OP_upload, id);

	i->attr.dtype = GT_FLOAT32;
	ins_put_operand(i, (int64_t)(intptr_t)new_blob(size));
	ins_put_operand(i, dim);
	return l->ops->flush(l, room.words, i->words, 1, 0);
}

static void test_uploads_are_given_back(void **state)
{
	play p;

	(void)state;
	assert_int_equal(flush_upload(1, 8, 2), GT_OK);
	p = play_text(l, "fetch t1\nfree t1");
	play_wait(&p, 0);
	stats();
	assert_int_equal(blobs, 1);              /* the answer is the upload, not a copy */
	play_end(&p);
	assert_int_equal(blobs, 0);
	/* Wrong in any way: given back at once. */
	flush_upload(2, 8, 3);
	fails("fetch t2", GT_EPROTO, 0, "upload: 8 bytes of data, expected 12");
	flush_upload(2, 8, 2);
	flush_upload(3, 8, -1);
	stats();
	assert_int_equal(blobs, 0);
}

static void test_no_memory_for_an_upload(void **state)
{
	(void)state;
	flush_upload(1, 11 << 20, (11 << 20) / 4);
	fails("fetch t1", GT_EMEMORY, 0, "upload: no memory for float32 (2883584,) (11.0 MB): "
		"limit 10.0 MB (GT_MEMORY), 0 B in use");
	assert_int_equal(blobs, 0);
	flush_upload(2, 9 << 20, (9 << 20) / 4);
	assert_int_equal(stats().bytes, 9 << 20);
	play_text(l, "free t2");
	assert_int_equal(stats().bytes, 0);
	assert_int_equal(blobs, 0);
}

static void test_too_many_tensors(void **state)
{
	batch b = { 0 };
	ins_room room;

	(void)state;
	for (uint64_t id = 1; id <= (1 << 20) + 1; id++) {
		ins *i = ins_init(&room, OP_full, id);

		i->attr.dtype = GT_BOOL;
		ins_put_scalar(i, KIND_BOOL, (scalar){ .i = 1 });
		batch_push(&b, i);
		if (b.count < 1024 && id <= 1 << 20)
			continue;
		assert_int_equal(l->ops->flush(l, b.words, b.used, b.count, 0), GT_OK);
		b.used = b.count = 0;
	}
	batch_fini(&b);
	fails("fetch t1048577", GT_ELIMIT, 0,
		"full: the client has 1048576 tensors alive, which is the limit; drop some");
	play_text(l, "free t1048577\nfree t1\nt2000000 = full float32 1.0 []");
	READS("fetch t2000000", 1);
}

/* The helper is a user's thread: its last error and its floating-point modes are its own. */
static void test_helper_keeps_its_manners(void **state)
{
	unsigned ours = _mm_getcsr() | 0x8040;   /* denormals off */
	failure *f;

	(void)state;
	fail(GT_EINVAL, "of the user");
	f = play_failure(l, "t1 = full int64 1 [1]\nt2 = floordiv t1, 0\nfetch t2");
	assert_non_null(f);
	assert_string_equal(gt_last_error(), "of the user");
	assert_int_equal(gt_last_error_code(), GT_EINVAL);
	failure_drop(f);
	gt_clear_error();
	f = play_failure(l, "t3 = floordiv t1, 0\nfetch t3");
	assert_int_equal(gt_last_error_code(), GT_OK);
	failure_drop(f);
	_mm_setcsr(ours);
	READS("t4 = full float32 1e-40 [1]\nt5 = mul t4, 2.0\nt6 = mul t5, 1e38\nfetch t6",
		1e-40f * 2.0f * 1e38f);
	assert_int_equal(_mm_getcsr() & 0x8040, 0x8040);
	_mm_setcsr(ours & ~0x8040u);
}

static void test_counts(void **state)
{
	worker_stats before = stats(), after;

	(void)state;
	play_text(l, "t1 = full float32 1.0 [16,16]\nt2 = matmul t1, t1\n"
		"t3 = matmul t2, t1\nfree t2\n");
	after = stats();
	assert_int_equal(after.instructions - before.instructions, 4);
	assert_int_equal(after.products - before.products, 2);
	assert_int_equal(after.tensors - before.tensors, 2);
	assert_int_equal(after.bytes - before.bytes, 2 * 16 * 16 * 4);
	assert_true(after.bytes_max >= 3 * 16 * 16 * 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_link, close_link)
#define TEST_SMALL(f) cmocka_unit_test_setup_teardown(f, open_small, close_small)

/* 6 MB at a limit of 10 MB: two of them do not fit side by side. */
static void test_a_dying_input_gives_its_memory(void **state)
{
	(void)state;
	READS("t1 = full float32 3.0 [1500,1000]\n"
		"t2 = mul t1, t1\nfree t1\n"
		"t3 = sub 1.0, t2\nfree t2\n"
		"t4 = slice t3 first=[1499,998] count=[1,2] step=[1,1]\nfetch t4", -8, -8);
	play_text(l, "free t3\nfree t4");
	/* Not if somebody else sees it: a view, or the client. */
	READS("t5 = arange float32 0.0, 1.0 [3]\nt6 = reshape t5 [3,1]\n"
		"t7 = neg t5\nfree t5\nfetch t6", 0, 1, 2);
	READS("t8 = neg t7\nfree t7\nt9 = add t8, t6\nfree t8\nfree t6\nfetch t9",
		0, 1, 2, 1, 2, 3, 2, 3, 4);
	READS("t10 = clone t9\nt11 = add t10, t9\nfree t9\nfree t10\nfetch t11",
		0, 2, 4, 2, 4, 6, 4, 6, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_views_share_memory),
		TEST(test_empty_tensors),
		TEST(test_poison_is_inherited),
		TEST(test_first_poison_wins),
		TEST(test_wrong_streams),
		TEST(test_shape_error_names_both),
		TEST_SMALL(test_out_of_memory),
		TEST_SMALL(test_a_dying_input_gives_its_memory),
		TEST_SMALL(test_no_memory_for_an_answer),
		TEST_SMALL(test_no_memory_inside_a_kernel),
		TEST(test_every_allocation_fails),
		TEST(test_uploads_are_given_back),
		TEST_SMALL(test_no_memory_for_an_upload),
		TEST(test_too_many_tensors),
		TEST(test_helper_keeps_its_manners),
		TEST(test_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
