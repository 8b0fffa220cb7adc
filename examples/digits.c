/* digits.c: an MLP learns handwritten digits, in C: network, data and schedule as in digits.py.
 *
 *	cc digits.c $(pkg-config --cflags --libs gt) -o digits && ./digits data/digits.csv.gz [STEPS]
 *
 * Every fifth row is held out. Ends with status 1 unless 95 % of those are recognised.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <gt/nn.h>

enum { PIXELS = 64, CLASSES = 10, ROWS_MAX = 2000, BATCH = 32, STEPS = 40000, REPORTS = 10 };

typedef struct digits {
	int n;
	float pixels[ROWS_MAX * PIXELS];
	int64_t classes[ROWS_MAX];
} digits;

static digits train, test;

/* One line: 64 grey values from 0 to 16, then the class. */
static int read_row(FILE *in, digits *d)
{
	float *row = d->pixels + d->n * PIXELS;
	int v;

	for (int k = 0; k < PIXELS; k++) {
		if (fscanf(in, "%d,", &v) != 1)
			return 0;
		row[k] = (float)v / 16;
	}
	if (fscanf(in, "%d", &v) != 1)
		return 0;
	d->classes[d->n++] = v;
	return 1;
}

static int read_digits(const char *path)
{
	char command[4200];
	FILE *in;
	int n = 0;

	if (strchr(path, '\'') || strlen(path) > 4000)
		return 0;
	snprintf(command, sizeof command, "gzip -dc '%s'", path);
	if (!(in = popen(command, "r")))
		return 0;
	while (n < ROWS_MAX && read_row(in, n % 5 == 0 ? &test : &train))
		n++;
	return pclose(in) == 0 && n > 0;
}

static void show(int step, int steps, double loss)
{
	if (isatty(1))
		printf("\r%3d %%  loss %.4f ", step * 100 / steps, loss);
	else
		printf("step %5d  loss %.4f\n", step, loss);
	fflush(stdout);
}

/* Rows that fit `classes`, as a part of all. */
static double accuracy(gt_module *net, gt_tensor *x, gt_tensor *classes)
{
	gt_tensor *right = gt_eq(gt_argmax(gt_forward(net, x), .axis = 1), classes);

	return gt_item(gt_mean(gt_cast(right, GT_FLOAT32)));
}

static gt_tensor *loss_of(gt_module *net, gt_tensor *x, gt_tensor *y, gt_tensor *rows)
{
	gt_tensor *guess = gt_forward(net, gt_index_select(x, rows, 0));

	return gt_cross_entropy(guess, gt_index_select(y, rows, 0));
}

static double learn(gt_client *gt, int steps)
{
	gt_tensor *x = gt_from(gt, GT_FLOAT32, GT_SHAPE(train.n, PIXELS), train.pixels);
	gt_tensor *y = gt_from(gt, GT_INT64, GT_SHAPE(train.n), train.classes);
	gt_module *net = gt_sequential(gt, gt_linear(gt, PIXELS, 128), gt_relu_layer(gt),
		gt_linear(gt, 128, CLASSES));
	gt_optim *opt = gt_sgd(net, .lr = 0.05, .momentum = 0.9);
	double right;

	for (int step = 1; step <= steps && net; step++) {
		gt_scope *s = gt_scope_begin(gt);
		gt_tensor *loss = loss_of(net, x, y, gt_randint(gt, 0, train.n, GT_SHAPE(BATCH)));

		gt_zero_grad(opt);
		gt_backward(loss);
		gt_step(opt);
		if (step % (steps / REPORTS) == 0)
			show(step, steps, gt_item(loss));
		gt_scope_end(s);
	}
	right = accuracy(net, gt_from(gt, GT_FLOAT32, GT_SHAPE(test.n, PIXELS), test.pixels),
		gt_from(gt, GT_INT64, GT_SHAPE(test.n), test.classes));
	gt_optim_free(opt);
	gt_module_free(net);
	return right;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "examples/data/digits.csv.gz";
	int steps = argc > 2 ? atoi(argv[2]) : STEPS;
	gt_client *gt;
	double right;

	if (steps < REPORTS) {
		fprintf(stderr, "digits: expected at least %d steps, got '%s'\n", REPORTS, argv[2]);
		return 2;
	}
	if (!read_digits(path)) {
		fprintf(stderr, "digits: cannot read %s; give the path of digits.csv.gz\n", path);
		return 2;
	}
	if (!(gt = gt_open(NULL))) {
		fprintf(stderr, "digits: %s\n", gt_last_error());
		return 1;
	}
	right = learn(gt, steps);
	if (gt_last_error_code())
		fprintf(stderr, "\ndigits: %s\n", gt_last_error());
	else
		printf("%s%.1f %% of %d held-out digits recognised\n", isatty(1) ? "\n" : "",
			right * 100, test.n);
	gt_close(gt);
	return right >= 0.95 ? 0 : 1;
}
