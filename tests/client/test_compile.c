/* test_compile.c: which parts are compiled: the marks that a client sends. */
#include "fake.h"
#include <gt/nn.h>
#include "base/flags.h"

static int open_fake(void **state)
{
	*state = fake_open(NULL);
	return *state == NULL;
}

static int close_fake(void **state)
{
	gt_close(*state);
	return 0;
}

static void test_parts(void **state)
{
	gt_client *gt = *state;
	gt_tensor *x = gt_ones(gt, GT_SHAPE());

	WORKS(gt_compile_begin(gt, GT_COMPILE_DEFAULT));
	x = gt_neg(x);
	WORKS(gt_compile_begin(gt, GT_COMPILE_OFF));
	x = gt_exp(x);
	WORKS(gt_compile_end(gt));
	WORKS(gt_compile_end(gt));
	WORKS(gt_compile_begin(gt, GT_COMPILE_MAX_AUTOTUNE));
	WORKS(gt_compile_end(gt));
	SENDS(gt, "t1 = full float32 1.0 []\nbegin mode=1\nt2 = neg t1\nbegin mode=0\n"
		"t3 = exp t2\nend\nend\nbegin mode=3\nend\n");
	REFUSES(gt_compile_end(gt), GT_ESTATE, "end without a begin");
	REFUSES(gt_compile_begin(gt, (gt_compile_mode)4), GT_EINVAL, "there is no mode 4; there are 0 (not "
		"compiled), GT_COMPILE_DEFAULT (default), GT_COMPILE_REDUCE_OVERHEAD");
	for (int k = 0; k < 64; k++)
		WORKS(gt_compile_begin(gt, GT_COMPILE_DEFAULT));
	REFUSES(gt_compile_begin(gt, GT_COMPILE_DEFAULT), GT_ELIMIT, "nested deeper than 64");
	for (int k = 0; k < 64; k++)
		WORKS(gt_compile_end(gt));
}

static void test_signals(void **state)
{
	gt_client *gt = *state;
	gt_tensor *w = gt_requires_grad(gt_ones(gt, GT_SHAPE())), *y;

	WORKS(gt_signal_compile(gt, "forward", GT_COMPILE_DEFAULT));
	WORKS(gt_signal_compile(gt, "back", GT_COMPILE_REDUCE_OVERHEAD));
	WORKS(gt_enter_with(gt, "forward", "back"));
	/* What changes meanwhile is for the next one. */
	WORKS(gt_signal_forget(gt, "forward"));
	y = gt_mul(w, 2);
	WORKS(gt_leave(gt));
	WORKS(gt_enter(gt, "forward"));
	WORKS(gt_leave(gt));
	WORKS(gt_backward(y));
	SENDS(gt, "t1 = full float32 1.0 []\nenter \"forward\"\nbegin mode=1\nt2 = mul t1, 2\n"
		"end\nleave\nenter \"forward\"\nleave\nt3 = full float32 1.0 []\n"
		"enter \"back\"\nbegin mode=2\nt4 = mul t3, 2\nfree t3\nend\nleave\n");
	REFUSES(gt_signal_compile(gt, "", GT_COMPILE_OFF), GT_EINVAL, "expected a name");
	REFUSES(gt_signal_compile(gt, "x", (gt_compile_mode)-1), GT_EINVAL, "no mode -1");
}

static gt_tensor *twice(const gt_site *site, gt_module *m, gt_tensor *x)
{
	(void)m;
	return gt_add_at(site, gt_arg_tensor(x), gt_arg_tensor(x));
}

static void test_modules(void **state)
{
	gt_client *gt = *state;
	gt_module *m = gt_module_new(gt, "twice", twice, 0);
	gt_tensor *x = gt_ones(gt, GT_SHAPE());

	WORKS(gt_compile(m, GT_COMPILE_DEFAULT));
	gt_forward(m, x);
	WORKS(gt_compile(m, GT_COMPILE_OFF));
	gt_forward(m, x);
	SENDS(gt, "t1 = full float32 1.0 []\nbegin mode=1\nt2 = add t1, t1\nend\n"
		"begin mode=0\nt3 = add t1, t1\nend\n");
	REFUSES(gt_compile(m, (gt_compile_mode)9), GT_EINVAL, "there is no mode 9");
	gt_clear_error();
	REFUSES(gt_compile(NULL, GT_COMPILE_DEFAULT), GT_EINVAL, "expected a module");
	gt_module_free(m);
}

/* GT_COMPILE: what is in no part ends where the program waits. */
static void test_pieces(void **state)
{
	gt_client *gt;

	(void)state;
	WORKS(flag_set(FLAG_GT_COMPILE, "1"));
	gt = fake_open(NULL);
	WORKS(flag_set(FLAG_GT_COMPILE, "0"));
	gt_ones(gt, GT_SHAPE());
	WORKS(gt_flush(gt));
	WORKS(gt_compile_begin(gt, GT_COMPILE_DEFAULT));
	WORKS(gt_flush(gt));
	WORKS(gt_compile_end(gt));
	WORKS(gt_sync(gt));
	/* The last one is of the flush that SENDS makes. */
	SENDS(gt, "t1 = full float32 1.0 []\nend\nbegin mode=1\nend\nend\nend\n");
	gt_close(gt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_parts, open_fake, close_fake),
		cmocka_unit_test_setup_teardown(test_signals, open_fake, close_fake),
		cmocka_unit_test_setup_teardown(test_modules, open_fake, close_fake),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
