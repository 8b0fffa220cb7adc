/* test_product_border.c: products read no memory but their operands': these end where a page ends
 * behind which there is none.
 */
#include "trial.h"

#include <unistd.h>
#include <sys/mman.h>

typedef struct mapping { char *from; size_t size; } mapping;

/* A copy of t, the elements of which are the last ones of the mapping but for a page that nobody may
 * touch. */
static tensor put_at_border(const tensor *t, mapping *m)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t bytes = (size_t)meta_count(&t->v.m) * dtype_size((gt_dtype)t->v.m.dtype);
	tensor copy = *t;

	m->size = ALIGN_UP(bytes, page) + page;
	m->from = mmap(NULL, m->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(m->from, MAP_FAILED);
	assert_int_equal(mprotect(m->from + m->size - page, page, PROT_NONE), 0);
	copy.v.data = m->from + m->size - page - bytes;
	memcpy(copy.v.data, t->v.data, bytes);
	return copy;
}

static void check(const tensor *in)
{
	ins_room room;
	ins *i = ins_init(&room, OP_matmul, 3);
	mapping maps[2];
	tensor at[2];

	ins_put_input(i, 1);
	ins_put_input(i, 2);
	for (int k = 0; k < 2; k++)
		at[k] = put_at_border(&in[k], &maps[k]);
	for (int f = 0; f < trial_fast_count; f++) {
		tensor expected = trial_run(trial_fast[f].e, i, in);
		tensor got = trial_run(trial_fast[f].e, i, at);

		trial_same(&expected, &got, trial_fast[f].name);
		trial_close(&expected);
		trial_close(&got);
	}
	for (int k = 0; k < 2; k++)
		assert_int_equal(munmap(maps[k].from, maps[k].size), 0);
}

/* Whole vectors and parts of them, strips that are packed by their first tile or before, or not at
 * all; both sides packed; rows, columns, dot products. */
static void test_borders(void **state)
{
	static const int64_t shapes[][3] = {   /* m, n, k */
		{5, 3, 7}, {64, 64, 64}, {16, 128, 17}, {97, 161, 300}, {13, 129, 512}, {300, 70, 300},
		{1, 300, 40}, {300, 1, 40}, {1, 1, 5001}, {130, 520, 500},
		{300, 10, 70}, {270, 3, 300}
	};

	(void)state;
	for (size_t s = 0; s < COUNT(shapes); s++)
		for (int flags = 0; flags < 4; flags++) {
			const int64_t *x = shapes[s];

			if (x[0] * x[1] * x[2] > 1 << 25 && flags % 2)
				continue;        /* without AVX they take long */

			tensor in[2] = {
				trial_tensor(GT_FLOAT32, 2, (int64_t[]){x[0], x[2]}, flags & 1),
				trial_tensor(GT_FLOAT32, 2, (int64_t[]){x[2], x[1]}, flags >> 1)};

			check(in);
			trial_close(&in[0]);
			trial_close(&in[1]);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_borders) };

	return cmocka_run_group_tests(tests, trial_open, trial_close_all);
}
