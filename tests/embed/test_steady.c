/* test_steady.c: training that goes on for long takes no more memory than at its beginning, and
 * nothing is compiled again for a learning rate that is another one in every step. */
#include "check.h"
#include <gt/nn.h>
#include <gt/stats.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "base/base.h"
#include "base/flags.h"
#include "cache/plugin.h"

#define ROWS  32
#define COLS  64
#define SLACK (512 << 10)        /* bytes that may come later: what malloc keeps moves a little */

/* Compiled, checked and compared with being replayed; the rings of what was executed have been
 * filled once. */
#define BEGINNING 5000           /* steps */

/* A sanitizer's malloc keeps what was freed, and takes its time. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define STEPS   10000
#define WATCHED false
#else
#define STEPS   100000
#define WATCHED true
#endif

typedef struct model { gt_tensor *w, *velocity, *x; gt_module *net; gt_optim *by; } model;

static int64_t resident(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*s %ld", &pages), 1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static double rate_of(int number)
{
	return 0.01 / (1 + number * 1e-4);
}

/* Descent with momentum, written down, on what a chain of functions makes of the parameters. */
static gt_tensor *step_chain(gt_client *gt, model *m, int number)
{
	gt_tensor *y = gt_tanh(gt_mul(m->w, m->x)), *loss = gt_mean(gt_square(gt_sub(y, 0.25)));

	gt_backward(loss);
	gt_grad_mode(gt, false);
	gt_update(m->velocity, "mul", 0.9);
	gt_update(m->velocity, "add", gt_grad(m->w));
	gt_update(m->w, "sub", gt_mul(m->velocity, rate_of(number)));
	gt_set_grad(m->w, NULL);
	gt_grad_mode(gt, true);
	return loss;
}

static gt_tensor *step_net(gt_client *gt, model *m, int number)
{
	gt_tensor *guess = gt_forward(m->net, gt_randn(gt, GT_SHAPE(8, COLS)));
	gt_tensor *loss = gt_mean(gt_square(gt_sub(guess, 1)));

	gt_optim_set_lr(m->by, rate_of(number));
	gt_zero_grad(m->by);
	gt_backward(loss);
	gt_step(m->by);
	return loss;
}

static gt_worker_stats stats(gt_client *gt)
{
	gt_worker_stats s;

	assert_int_equal(gt_sync(gt), GT_OK);
	assert_int_equal(gt_stats(gt, &s), GT_OK);
	return s;
}

typedef gt_tensor *make_step(gt_client *gt, model *m, int number);

/* What was resident after the beginning, and the most that ever was behind it. */
static void train(gt_client *gt, model *m, make_step *step, int64_t *memory, int64_t *most)
{
	gt_worker_stats before = { 0 }, after;

	for (int k = 0; k < STEPS; k++) {
		gt_scope *s = gt_scope_begin(gt);
		gt_tensor *loss = step(gt, m, k);

		if (k % 10 == 0)
			assert_true(isfinite(gt_item(loss)));
		gt_scope_end(s);
		if (k == BEGINNING)
			before = stats(gt);
		if (k >= BEGINNING && k % 1000 == 0)
			*most = MAX(*most, resident());
		if (k == BEGINNING)
			*memory = *most;
	}
	after = stats(gt);
	assert_true(after.compilation.compiles == before.compilation.compiles);
	assert_true(after.compilation.recompiles == before.compilation.recompiles);
	assert_true(after.compilation.cache_size == before.compilation.cache_size);
	assert_true(after.tensors == before.tensors);
	assert_true(after.operations.compiled > 0);
}

static void stay_flat(gt_client *gt, model *m, make_step *step)
{
	int64_t memory = 0, most = 0;

	train(gt, m, step, &memory, &most);
	if (WATCHED && most > memory + SLACK)
		fail_msg("%lld KiB after %d steps, up to %lld KiB later", (long long)memory / 1024,
			BEGINNING, (long long)most / 1024);
}

static void test_chain(void **state)
{
	gt_client *gt = gt_open(NULL);
	model m = { .w = gt_requires_grad(gt_keep(gt_randn(gt, GT_SHAPE(ROWS, COLS)))),
		.velocity = gt_keep(gt_zeros(gt, GT_SHAPE(ROWS, COLS))),
		.x = gt_keep(gt_randn(gt, GT_SHAPE(ROWS, COLS))) };

	(void)state;
	stay_flat(gt, &m, step_chain);
	gt_close(gt);
}

static void test_net(void **state)
{
	gt_client *gt = gt_open(NULL);
	model m = { .net = gt_sequential(gt, gt_linear(gt, COLS, ROWS), gt_tanh_layer(gt),
		gt_layer_norm_layer(gt, ROWS, 1e-5), gt_linear(gt, ROWS, 1)) };

	(void)state;
	m.by = gt_adam(m.net, .lr = 0.01);
	stay_flat(gt, &m, step_net);
	gt_optim_free(m.by);
	gt_module_free(m.net);
	gt_close(gt);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_net),
	};
	const codegen *generator;

	if (plugin_open(&generator)) {
		print_message("built without LLVM: nothing is compiled\n");
		return 0;
	}
	if (flag_set(FLAG_GT_AUTO_COMPILE, "1") || flag_set(FLAG_GT_COMPILE_SYNC, "1") ||
		flag_set(FLAG_GT_QUIET, "1"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
