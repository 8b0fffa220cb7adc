/* bench_never.c: never slower? Each program of the stream laboratory executed eagerly and with hot
 * paths, in processes of their own that take turns. A step is handed over as a whole and waited
 * for; behind the first ones the compiler is waited for. What a step takes is the median of the
 * steps, the least of the rounds: soon, in the first sixth of them but for sixty, while plans are
 * proved, tried and chosen; and later, in the second half.
 *
 *	bench_never [PROGRAM]...
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/flags.h"
#include "tools/feed.h"
#include "tools/lab.h"

enum { ROUNDS = 5, WAIT_AFTER = 20, SETTLE = 60, STEPS_MAX = 60000, STEPS_MIN = 120,
	OPS = 600000, LONGEST_NS = 500000000 };

/* Of a step, ns. */
typedef struct times { uint64_t soon, later, steps; } times;

typedef struct drive {
	feed to;
	const uint64_t *marks;
	unsigned step, steps;
	uint64_t ops;
	uint64_t *times, until;
} drive;

static void end_step(drive *d)
{
	const uint64_t begin = clock_ns();

	feed_sync(&d->to);
	d->times[d->step++] = clock_ns() - begin;
	feed_drop_reads(&d->to);
	if (!d->to.e && d->step == WAIT_AFTER)
		d->to.e = embed_compile_wait(d->to.l);
}

/* A step is handed over as a whole. */
static void drive_ins(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	drive *d = ctx;

	(void)in;
	if (out && d->step + 1 < d->steps && d->ops == d->marks[d->step + 1]) {
		end_step(d);
		if (clock_ns() > d->until && d->step >= STEPS_MIN)
			d->steps = d->step;      /* enough is enough */
	}
	if (d->step == d->steps)
		return;
	d->ops += out != NULL;
	feed_ins(&d->to, i);
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* ---- a process ------------------------------------------------------------------------------- */

static void set(flag f, const char *to)
{
	if (flag_set(f, to))
		_exit(EXIT_FAILURE);
}

static uint64_t median(uint64_t *ns, unsigned n)
{
	qsort(ns, n, sizeof *ns, by_size);
	return ns[n / 2];
}

/* No longer than `until`, nor fewer than a few steps. False: something failed. */
static bool run(const lab_program *p, unsigned steps, const uint64_t *marks, const char *compiles,
	uint64_t until, times *to)
{
	const lab_options o = { .steps = steps, .seed = 1 };
	drive d = { .marks = marks, .steps = steps,
		.until = until, .times = mem_zero(steps * sizeof(uint64_t)) };

	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_CACHE_DIR, "");
	set(FLAG_GT_AUTO_COMPILE, compiles);
	if (embed_open(&d.to.l))
		return false;
	lab_run(p, &o, drive_ins, &d, NULL);
	if (d.step < d.steps)
		end_step(&d);
	feed_close(&d.to);
	to->steps = d.step;
	to->later = median(d.times + d.step / 2, d.step - d.step / 2);
	to->soon = median(d.times + SETTLE, MAX(d.step / 6, 2 * SETTLE) - SETTLE);
	return !d.to.e;
}

/* Zeros if it failed. */
static times run_apart(const lab_program *p, unsigned steps, const uint64_t *marks,
	const char *compiles, uint64_t until)
{
	times ns = { 0 };
	int ends[2];
	pid_t child;

	if (pipe(ends) || (child = fork()) < 0)
		return ns;
	if (!child)
		_exit(!run(p, steps, marks, compiles, until, &ns) ||
			write(ends[1], &ns, sizeof ns) != sizeof ns);
	close(ends[1]);
	if (read(ends[0], &ns, sizeof ns) != sizeof ns)
		ns = (times){ 0 };
	close(ends[0]);
	waitpid(child, NULL, 0);
	return ns;
}

/* ---- a program ------------------------------------------------------------------------------- */

static void count(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	(void)i;
	(void)in;
	*(uint64_t *)ctx += out != NULL;
}

static void measure(const lab_program *p)
{
	times least[2] = { { UINT64_MAX, UINT64_MAX, 0 }, { UINT64_MAX, UINT64_MAX, 0 } };
	uint64_t first[3], ops = 0, *marks;
	const lab_options few = { .steps = 3, .seed = 1 };
	lab_options o = { .seed = 1 };

	lab_run(p, &few, count, &ops, first);
	o.steps = (unsigned)MAX(MIN(OPS / (first[2] - first[1]), STEPS_MAX), STEPS_MIN);
	marks = mem_zero(o.steps * sizeof *marks);
	lab_run(p, &o, count, &ops, marks);
	o.steps = (unsigned)run_apart(p, o.steps, marks, "0", clock_ns() + LONGEST_NS).steps;
	for (unsigned k = 0; k < 2 * ROUNDS; k++) {
		const times ns = run_apart(p, o.steps, marks, k % 2 ? "1" : "0",
			UINT64_MAX);

		least[k % 2].soon = MIN(least[k % 2].soon, ns.soon);
		least[k % 2].later = MIN(least[k % 2].later, ns.later);
	}
	printf("%-12s %6u %10.2f %10.2f %8.2f %8.2f\n", p->name, (unsigned)(first[2] - first[1]),
		(double)least[0].later / 1000, (double)least[1].later / 1000,
		(double)least[0].later / (double)least[1].later,
		(double)least[0].soon / (double)least[1].soon);
	fflush(stdout);
	mem_free(marks);
}

int main(int argc, char **argv)
{
	printf("%-12s %6s %10s %10s %8s %8s\n", "program", "ops", "eager, us", "hot, us", "times",
		"soon");
	for (int k = 1; k < argc; k++)
		if (lab_find(argv[k]))
			measure(lab_find(argv[k]));
	/* Steps of thousands of ops that compute next to nothing take minutes and say no more. */
	for (unsigned k = 0; argc == 1 && k < lab_program_count; k++)
		if (!lab_programs[k].heavy)
			measure(&lab_programs[k]);
	return EXIT_SUCCESS;
}
