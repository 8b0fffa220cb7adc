/* main.c: the differential tester of hot paths.
 *
 *	differential [--programs N] [--seconds S] [--seed FIRST] [--mode eager|sync|thread] [--dir D]
 *	differential --tier 2 ...       hot paths are fused, too, not only replayed
 *	differential --keep 1 ...       hot paths are kept, and every program is played once more with
 *	                                what is kept of it and of those before it
 *	differential --large 1 ...      few runs on large tensors: one thread eagerly, two with hot paths
 *	differential FILE.gts...        each file in all modes
 *	differential --show SEED        the stream of a seed, on standard output
 *	differential --sabotage 1 ...   whether it would notice: the second time tanh is sin
 *
 * Random programs run eagerly and with hot paths; whatever they read must be the same. A program
 * that goes wrong is cut down and written to D (default: the present folder) as a .gts file. At the
 * end stands how much was really replayed: a tester that never replays would prove nothing.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "differential/program.h"
#include "differential/shrink.h"

#define HANG_SECONDS 120         /* of one program */
#define PORTION 500              /* programs a child plays before it is made anew */

/* Shared between the process that watches and those that play. */
typedef struct totals {
	uint64_t seed;                   /* under way */
	uint64_t programs, ops;
	uint64_t replayed, leapt, matches, sides, passengers, exits;
	uint64_t warm;                   /* programs that replayed more with what was kept */
	uint64_t with_plans, with_matches, with_passengers, with_exits, failing;
	bool different;                  /* the one under way */
	char why[1024];
} totals;

typedef struct options {
	uint64_t programs, first;
	unsigned seconds;
	int mode;                        /* -1: by the seed */
	const char *dir;
	int tier;                        /* as GT_HOTPATH_TIER: 2 fuses, too */
	const char *cache;               /* directory of what is kept; NULL: nothing is */
	bool large, sabotage;
} options;

static mode mode_of(const options *o, uint64_t seed)
{
	return o->mode >= 0 ? (mode)o->mode : seed % 8 == 7 ? MODE_THREAD : MODE_SYNC;
}

static manner manner_of(const options *o, uint64_t seed)
{
	dice d = { seed ^ 0x5eed };

	return (manner){
		.seed = seed,
		.plain = dice_chance(&d, 50),
		.threaded = dice_chance(&d, 10),
		.vanishes = dice_chance(&d, 3),
		.threshold = (unsigned)dice_range(&d, 1, 4),
		.compiles = dice_chance(&d, 10),
		/* Code that goes wrong in its first runs is put aside, and only GT_CHECK tells. */
		.checks = dice_chance(&d, o->large ? 60 : 5),
		.fuses = o->tier > 1 && dice_chance(&d, 80),
		.threads = o->large ? 2 : 0,
		.machine = dice_chance(&d, o->large ? 100 : 2),
		.cache = o->cache,
		.sabotage = o->sabotage,
	};
}

/* ---- playing --------------------------------------------------------------------------------- */

static void count(totals *t, const duel_stats *s)
{
	t->programs++;
	t->ops += s->hot.ops;
	t->replayed += s->hot.replayed;
	t->leapt += s->hot.leapt;
	t->matches += s->hot.matches;
	t->sides += s->hot.sides;
	t->passengers += s->hot.passengers;
	t->exits += s->hot.exits;
	t->warm += s->warm;
	t->with_plans += s->hot.hot_paths != 0;
	t->with_matches += s->hot.matches != 0;
	t->with_passengers += s->hot.passengers != 0;
	t->with_exits += s->hot.exits != 0;
}

static stream stream_of(const options *o, uint64_t seed)
{
	static program p;

	program_invent(&p, seed, o->large);
	return program_perform(&p);
}

/* Every sixteenth program has another client beside it. */
static bool play_seed(const options *o, totals *t, uint64_t seed)
{
	const manner how = manner_of(o, seed);
	const bool pair = seed % 16 == 5;
	stream s, other = { .count = 0 };
	duel_stats stats;
	buf why = { 0 };
	bool same;

	t->seed = seed;
	t->different = false;
	s = stream_of(o, seed);
	if (pair)
		other = stream_of(o, seed + (UINT64_C(1) << 40));
	same = duel(&s, pair ? &other : NULL, &how, mode_of(o, seed), &stats, &why);
	if (same) {
		count(t, &stats);
	} else {
		t->different = true;
		snprintf(t->why, sizeof t->why, "%s", buf_text(&why));
	}
	buf_fini(&why);
	stream_fini(&s);
	stream_fini(&other);
	return same;
}

static bool is_past(const options *o, time_t end)
{
	return o->seconds && time(NULL) >= end;
}

/* Play seeds from..to-1 in this process. */
static _Noreturn void play_portion(const options *o, totals *t, uint64_t from, uint64_t to,
	time_t end)
{
	for (uint64_t seed = from; seed < to && !is_past(o, end); seed++) {
		alarm(HANG_SECONDS);
		if (!play_seed(o, t, seed))
			_exit(1);
	}
	exit(0);                 /* not _exit: leaks are looked for on the way out */
}

/* ---- what went wrong ------------------------------------------------------------------------- */

static void write_small(const options *o, uint64_t seed, const stream *small, const manner *how,
	mode m)
{
	char path[512];
	buf head = { 0 }, why = { 0 };

	shrink_try(small, how, m, &why);
	snprintf(path, sizeof path, "%s/differential-%" PRIu64 ".gts", o->dir, seed);
	buf_printf(&head, "# Seed %" PRIu64 ", threshold %u, %s: %s\n", seed, how->threshold,
		m == MODE_SYNC ? "GT_COMPILE_SYNC=1" : "in the background",
		why.size ? buf_text(&why) : "crashes");
	if (stream_write(small, path, buf_text(&head)))
		printf("  cut down to %zu instructions: %s\n", small->count, path);
	else
		printf("  %s could not be written: %s\n", path, strerror(errno));
	buf_fini(&head);
	buf_fini(&why);
}

/* Shrink as `gt run` would play it if it goes wrong so too. */
static void report(const options *o, uint64_t seed, const char *why)
{
	const mode m = mode_of(o, seed);
	manner how = manner_of(o, seed), plain = how;
	stream s = stream_of(o, seed), small;
	verdict v;

	printf("seed %" PRIu64 ": %s\n", seed, why);
	plain.plain = true;
	plain.threaded = plain.vanishes = false;
	if ((v = shrink_try(&s, &plain, m, NULL)))
		how = plain;
	else
		v = shrink_try(&s, &how, m, NULL);
	if (v) {
		small = shrink(&s, &how, m, v);
		write_small(o, seed, &small, &how, m);
		stream_fini(&small);
	} else {
		printf("  it does not happen again when tried alone\n");
	}
	stream_fini(&s);
	fflush(stdout);
}

/* ---- the watch ------------------------------------------------------------------------------- */

/* A portion in a child; returns where to go on. */
static uint64_t run_portion(const options *o, totals *t, uint64_t from, uint64_t to, time_t end)
{
	char why[1100] = "";
	int status;
	pid_t pid;

	t->seed = from;
	t->different = false;
	fflush(stdout);
	if ((pid = fork()) < 0)
		abort();
	if (!pid)
		play_portion(o, t, from, to, end);
	while (waitpid(pid, &status, 0) < 0)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return to;
	t->failing++;
	if (t->different)
		snprintf(why, sizeof why, "%s", t->why);
	else if (WIFSIGNALED(status))
		snprintf(why, sizeof why, "ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof why, "ended with status %d", WEXITSTATUS(status));
	report(o, t->seed, why);
	return t->seed + 1;
}

static unsigned percent(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)(100 * part / whole) : 0;
}

static void print_totals(const totals *t, double seconds)
{
	printf("%" PRIu64 " programs, %" PRIu64 " operations in %.1f s: %u %% of them found hot "
		"paths, %u %% replayed whole runs, %u %% had passengers, %u %% exits\n"
		"%u %% of the operations were replayed, %u %% in leaps: %" PRIu64 " runs, %" PRIu64
		" of side plans, %" PRIu64 " passengers, %" PRIu64 " exits; %" PRIu64 " programs went "
		"wrong\n",
		t->programs, t->ops, seconds, percent(t->with_plans, t->programs),
		percent(t->with_matches, t->programs), percent(t->with_passengers, t->programs),
		percent(t->with_exits, t->programs), percent(t->replayed, t->ops),
		percent(t->leapt, t->ops), t->matches, t->sides, t->passengers,
		t->exits, t->failing);
}

static void print_warm(const options *o, const totals *t)
{
	if (o->cache)
		printf("%u %% of the programs replayed more with what was kept\n",
			percent(t->warm, t->programs));
}

/* Whether enough of everything happened for the outcome to mean something. */
static bool is_meaningful(const options *o, const totals *t)
{
	if (o->mode == MODE_EAGER || t->programs < 200)
		return true;
	if (percent(t->with_matches, t->programs) >= 60 && percent(t->replayed, t->ops) >= 30 &&
	    percent(t->with_passengers, t->programs) >= 10 &&
	    percent(t->with_exits, t->programs) >= 10 && 8 * t->sides >= t->programs &&
	    percent(t->leapt, t->ops) >= 1 &&
	    (!o->cache || percent(t->warm, t->programs) >= 40))
		return true;
	printf("too little was replayed for this to mean anything\n");
	return false;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_seeds(const options *o)
{
	totals *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const time_t end = time(NULL) + o->seconds;
	const uint64_t last = o->seconds ? UINT64_MAX : o->first + o->programs;
	const double begin = now();

	printf("seeds from %" PRIu64 " on\n", o->first);
	for (uint64_t at = o->first; at < last && !is_past(o, end) && t->failing < 5; )
		at = run_portion(o, t, at, MIN(at + PORTION, last), end);
	print_totals(t, now() - begin);
	print_warm(o, t);
	return t->failing || !is_meaningful(o, t);
}

/* What is kept goes with the process. */
static int run_kept(options *o)
{
	char folder[] = "/tmp/gt-differential-XXXXXX", cache[64], command[64];
	int status;

	if (!mkdtemp(folder))
		abort();
	snprintf(cache, sizeof cache, "%s/gt", folder);
	o->cache = cache;
	status = run_seeds(o);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command) || status;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool run_file(const options *o, const char *path)
{
	stream s = { .count = 0 };
	bool same = true;

	if (stream_read(&s, path)) {
		printf("%s\n", gt_last_error());
		return false;
	}
	for (unsigned k = 0; k < 24 && same; k++) {
		const manner how = { .seed = k, .plain = k % 4 == 0, .threaded = k % 8 == 7,
			.threshold = 1 + k / 4 % 3, .compiles = k % 6 == 2,
			.fuses = o->tier > 1 && k / 2 % 2, .machine = k < 8 };
		buf why = { 0 };

		same = duel(&s, NULL, &how, k % 2 ? MODE_THREAD : MODE_SYNC, NULL, &why);
		if (!same)
			printf("%s: threshold %u, %s: %s\n", path, how.threshold,
				k % 2 ? "background" : "sync", buf_text(&why));
		buf_fini(&why);
	}
	stream_fini(&s);
	return same;
}

static int run_files(const options *o, int n, char **paths)
{
	int wrong = 0;

	for (int k = 0; k < n; k++)
		wrong += !run_file(o, paths[k]);
	printf("%d files, %d go wrong\n", n, wrong);
	return wrong != 0;
}

static int show(const options *o, uint64_t seed)
{
	stream s = stream_of(o, seed);
	const bool done = stream_write(&s, "/dev/stdout", "");

	stream_fini(&s);
	return !done;
}

/* ---- the command line ------------------------------------------------------------------------ */

static int usage(void)
{
	fprintf(stderr, "usage: differential [--programs N] [--seconds S] [--seed FIRST] "
		"[--mode eager|sync|thread] [--dir D] [--tier 1|2] [--keep 1] "
		"[--large 1] [--sabotage 1]\n"
		"       differential [--tier 1|2] FILE.gts...\n       differential --show SEED\n");
	return 2;
}

static int parse_mode(const char *name)
{
	static const char *const names[] = { "eager", "sync", "thread" };

	for (int k = 0; k < (int)COUNT(names); k++)
		if (!strcmp(name, names[k]))
			return k;
	return -2;
}

int main(int argc, char **argv)
{
	options o = { .programs = 10000, .first = 1, .mode = -1, .dir = ".", .tier = 1 };
	bool keeps = false;

	for (int k = 1; k < argc; k += 2) {
		if (argv[k][0] != '-')
			return run_files(&o, argc - k, argv + k);
		if (k + 1 == argc)
			return usage();
		if (!strcmp(argv[k], "--programs"))
			o.programs = strtoull(argv[k + 1], NULL, 0);
		else if (!strcmp(argv[k], "--seconds"))
			o.seconds = (unsigned)strtoul(argv[k + 1], NULL, 0);
		else if (!strcmp(argv[k], "--seed"))
			o.first = strtoull(argv[k + 1], NULL, 0);
		else if (!strcmp(argv[k], "--dir"))
			o.dir = argv[k + 1];
		else if (!strcmp(argv[k], "--tier"))
			o.tier = (int)strtoul(argv[k + 1], NULL, 0);
		else if (!strcmp(argv[k], "--keep"))
			keeps = strtoul(argv[k + 1], NULL, 0);
		else if (!strcmp(argv[k], "--large"))
			o.large = strtoul(argv[k + 1], NULL, 0);
		else if (!strcmp(argv[k], "--sabotage"))
			o.sabotage = strtoul(argv[k + 1], NULL, 0);
		else if (!strcmp(argv[k], "--show"))
			return show(&o, strtoull(argv[k + 1], NULL, 0));
		else if (strcmp(argv[k], "--mode") || (o.mode = parse_mode(argv[k + 1])) < 0)
			return usage();
	}
	return keeps ? run_kept(&o) : run_seeds(&o);
}
