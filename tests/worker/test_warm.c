/* test_warm.c: one process after another. What a process knew of its loops lets the next one run
 * compiled code from the first iteration, with the same bits, without LLVM; whatever is wrong with
 * what was kept, the next one is as the first. Each scene is played by a process of its own.
 */
#include "drive.h"
#include "make.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cache/plugin.h"
#include "cache/recipes.h"
#include "worker/hot.h"

#define DIM 24
#define OPS 9
#define STEPS 60
#define JUDGED 5                 /* runs of a plan before it takes turns with T1 */

/* A folder of its own for every test, and the cache in it. */
typedef struct place { char top[32], path[64]; } place;

typedef struct scene {
	const char *dir;         /* of the cache; "" is none */
	bool machine;            /* code is compiled; else interpreted */
	drive_mode mode;
	int64_t rows;            /* of the batch */
	bool other;              /* another program: sin for tanh */
	int tier;
	bool hurries;            /* never waits for anything; the loop is at the session's beginning */
	unsigned deep;           /* so many ops more a step */
} scene;

static unsigned ops_of(const scene *s) { return OPS + s->deep; }
/* More do not run compiled where a loop has to be found first. */
static unsigned cold_most(const scene *s) { return (STEPS - 5) * ops_of(s); }

typedef struct result {
	uint64_t hash;           /* of all that was read */
	hot_stats hot;
	cache_stats cache;
	bool llvm;               /* was loaded */
} result;

static int setup(void **state)
{
	place *p = mem_zero(sizeof *p);

	strcpy(p->top, "/tmp/gt-warm-XXXXXX");
	assert_non_null(mkdtemp(p->top));
	snprintf(p->path, sizeof p->path, "%s/gt", p->top);
	*state = p;
	return 0;
}

static void empty(const char *folder)
{
	char command[80];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

static int teardown(void **state)
{
	place *p = *state;

	empty(p->top);
	mem_free(p);
	return 0;
}

static int wait_for(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- a process ------------------------------------------------------------------------------- */

static uint64_t next_id;

static uint64_t put(drive *d, unsigned code, uint64_t x, uint64_t y)
{
	ins_room room;
	ins *i = make_op(&room, code, ++next_id, x, y);

	if (code == OP_permute)
		i->attr.perm[0] = 1;
	if (code == OP_sum)
		i->attr.axes = 3;
	if (code == OP_mul && !y)
		ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 0.001 });
	drive_ins(d, i);
	return next_id;
}

static uint64_t put_upload(drive *d, int64_t rows)
{
	ins_room room;
	ins *i = make_upload(&room, ++next_id, rows, DIM);

	drive_ins(d, i);
	blob_drop(ins_blob(i));
	return next_id;
}

static void put_free(drive *d, uint64_t x)
{
	ins_room room;

	drive_ins(d, make_free(&room, x));
}

/* In no order that repeats. */
static uint64_t put_many(drive *d, uint64_t x, unsigned n)
{
	static const unsigned codes[] = { OP_tanh, OP_sin, OP_neg, OP_square };

	for (uint64_t k = 1; k <= n; k++)
		x = put(d, codes[k * UINT64_C(0x9e3779b97f4a7c15) >> 62], x, 0);
	return x;
}

static uint64_t step(drive *d, const scene *s, uint64_t w)
{
	const uint64_t x = put_upload(d, s->rows);
	const uint64_t h = put(d, OP_matmul, x, w);
	const uint64_t a = put_many(d, put(d, s->other ? OP_sin : OP_tanh, h, 0), s->deep);
	const uint64_t loss = put(d, OP_sum, put(d, OP_mul, a, h), 0);
	const uint64_t g = put(d, OP_matmul, put(d, OP_permute, x, 0), a);
	const uint64_t made = put(d, OP_sub, w, put(d, OP_mul, g, 0));

	drive_read(d, loss);
	for (uint64_t id = x; id < made; id++)
		put_free(d, id);
	put_free(d, w);
	return made;
}

static uint64_t hash_reads(const drive *d)
{
	uint64_t hash = 1;

	for (size_t k = 0; k < d->f.count; k++) {
		const answer *a = d->f.reads[k];
		const uint8_t *bytes = a->data;
		const size_t n = (size_t)meta_count(&a->m) * sizeof(float);

		assert_int_equal(a->state, ANSWER_READY);
		for (size_t j = 0; j < n; j++)
			hash = (hash ^ bytes[j]) * UINT64_C(0x100000001b3);
	}
	return hash;
}

/* Whether LLVM is in this process's memory. */
static bool has_llvm(void)
{
	char text[4096];
	bool found = false;
	FILE *f = fopen("/proc/self/maps", "re");

	assert_non_null(f);
	while (fgets(text, sizeof text, f))
		found |= strstr(text, "LLVM") || strstr(text, "libgt_codegen");
	fclose(f);
	return found;
}

static _Noreturn void act(const scene *s, result *to)
{
	drive d = { .flush = 16 };
	uint64_t w;

	assert_int_equal(flag_set(FLAG_GT_CACHE_DIR, s->dir), GT_OK);
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_TIER, s->tier == 1 ? "1" : "2"), GT_OK);
	assert_int_equal(flag_set(FLAG_GT_HOTPATH_CODE, s->machine ? "compiled" : "interpreted"),
		GT_OK);
	drive_open(&d, s->mode);
	w = put_upload(&d, DIM);
	if (!s->hurries)
		drive_stats(&d); /* has the miner's side look at what is kept */
	for (unsigned k = 0; k < STEPS; k++) {
		w = step(&d, s, w);
		/* In the background as in place: the plan is there soon after the loop is. */
		if (k % 12 == 11 && s->mode == DRIVE_THREAD && !s->hurries) {
			drive_stats(&d);
			assert_int_equal(embed_compile_wait(d.f.l), GT_OK);
		}
	}
	drive_read(&d, w);
	to->hot = drive_stats(&d).hot;
	drive_close(&d);
	to->hash = hash_reads(&d);
	to->llvm = has_llvm();
	cache_stats_of(cache_shared(), &to->cache);
	drive_drop(&d);
	exit(0);
}

static pid_t start(const scene *s, result *to)
{
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		act(s, to);
	return pid;
}

static result *share(unsigned n)
{
	result *r = mmap(NULL, n * sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		-1, 0);

	assert_true(r != MAP_FAILED);
	return r;
}

static result perform(const scene *s)
{
	result *shared = share(1), r;

	assert_int_equal(wait_for(start(s, shared)), 0);
	r = *shared;
	munmap(shared, sizeof *shared);
	return r;
}

/* ---- what is expected ------------------------------------------------------------------------ */

static bool machine;             /* there is a code generator to test */

static uint64_t eager_hash(const scene *s)
{
	scene eager = *s;

	eager.mode = DRIVE_EAGER;
	return perform(&eager).hash;
}

/* The loop had to be found, and, if there is a compiler, compiled. */
static result perform_cold(const scene *s)
{
	const result r = perform(s);

	assert_int_equal(r.hash, eager_hash(s));
	assert_true(r.hot.compiled > 0 && r.hot.compiled < cold_most(s));
	assert_int_equal(r.hot.failures, 0);
	assert_int_equal(r.hot.compiles > 0, s->machine);
	assert_int_equal(r.llvm, s->machine);
	return r;
}

/* From iteration `first`, counted from 0, on it ran compiled, and nothing was compiled for it. */
static result perform_from(const scene *s, unsigned first)
{
	const result r = perform(s);

	assert_int_equal(r.hash, eager_hash(s));
	assert_true(r.hot.compiled >= (s->mode == DRIVE_THREAD ? JUDGED : STEPS - first) *
		ops_of(s));
	assert_int_equal(r.hot.matches, STEPS);
	assert_int_equal(r.hot.compiles, 0);
	assert_int_equal(r.hot.recompiles, 0);
	assert_int_equal(r.hot.loaded > 0, s->machine);
	assert_int_equal(r.cache.puts, 0);
	assert_false(r.llvm);
	return r;
}

static result perform_warm(const scene *s)
{
	return perform_from(s, 0);
}

static scene scene_of(const place *p, bool compiled, drive_mode mode)
{
	return (scene){ .dir = p->path, .machine = compiled, .mode = mode, .rows = DIM };
}

/* Change a byte in the middle of a file, or cut it there. */
static void spoil(const char *path, bool shorter)
{
	const int fd = open(path, O_RDWR | O_CLOEXEC);
	const off_t middle = lseek(fd, 0, SEEK_END) / 2;
	char c;

	assert_true(fd >= 0 && middle > 0);
	if (shorter) {
		assert_int_equal(ftruncate(fd, middle), 0);
	} else {
		assert_int_equal(pread(fd, &c, 1, middle), 1);
		c ^= 1;
		assert_int_equal(pwrite(fd, &c, 1, middle), 1);
	}
	close(fd);
}

/* All files of a kind. Returns how many there were. */
static unsigned damage(const place *p, const char *kind, bool shorter)
{
	DIR *d = opendir(p->path);
	char path[400];
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (!strstr(e->d_name, kind))
			continue;
		snprintf(path, sizeof path, "%s/%s", p->path, e->d_name);
		spoil(path, shorter);
		n++;
	}
	closedir(d);
	return n;
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void test_second_process(void **state)
{
	static const drive_mode modes[] = { DRIVE_SYNC, DRIVE_THREAD };
	const place *p = *state;
	result cold, warm;

	for (unsigned k = 0; k < (machine ? 4 : 2); k++) {
		const scene s = scene_of(p, k / 2, modes[k % 2]);

		cold = perform_cold(&s);
		warm = perform_warm(&s);
		assert_int_equal(warm.hot.loaded, cold.hot.compiles);
		perform_warm(&s);
		empty(p->path);
	}
}

/* The first iteration finds its plan although nobody waits for it. */
static void test_hurry(void **state)
{
	scene s = scene_of(*state, machine, DRIVE_SYNC);

	perform_cold(&s);
	s.mode = DRIVE_THREAD;
	s.hurries = true;
	for (unsigned k = 0; k < 3; k++)
		perform_warm(&s);
}

/* More than the executor looks up: the miner's side does. */
static void test_long(void **state)
{
	scene s = scene_of(*state, false, DRIVE_SYNC);
	result r;

	s.deep = HOT_WARM_OPS;
	perform_cold(&s);
	perform_warm(&s);
	s.mode = DRIVE_THREAD;
	r = perform(&s);
	assert_int_equal(r.hash, eager_hash(&s));
	assert_true(r.hot.compiled >= JUDGED * ops_of(&s));
}

/* Code from the disk is proved like any other, and with GT_CHECK always. */
static void test_checked(void **state)
{
	const scene s = scene_of(*state, machine, DRIVE_SYNC);

	perform_cold(&s);
	drive_set(FLAG_GT_CHECK, true);
	perform_warm(&s);
	drive_set(FLAG_GT_CHECK, false);
}

static void test_off(void **state)
{
	const place *p = *state;
	scene s = scene_of(p, machine, DRIVE_SYNC);

	s.dir = "";
	for (unsigned k = 0; k < 2; k++)
		perform_cold(&s);
	assert_int_not_equal(access(p->path, F_OK), 0);
	s = scene_of(p, machine, DRIVE_SYNC);
	perform_cold(&s);
	s.tier = 1;                      /* what is kept is of no use to the tier below */
	assert_int_equal(perform(&s).hot.compiled, 0);
	s.dir = "";
	s.tier = 2;
	perform_cold(&s);
}

static void test_damaged(void **state)
{
	static const char *const kinds[] = { ".recipes", ".kernel" };
	const place *p = *state;
	const scene s = scene_of(p, machine, DRIVE_SYNC);

	perform_cold(&s);
	for (unsigned k = 0; k < (machine ? 4 : 2); k++) {
		const unsigned n = damage(p, kinds[k / 2], k % 2);
		result r;

		assert_true(n > 0);
		r = perform(&s);
		assert_int_equal(r.hash, eager_hash(&s));
		assert_true(r.hot.compiled > 0 && r.hot.compiled < cold_most(&s));
		assert_int_equal(r.hot.compiles > 0, k / 2);
		assert_true(r.cache.damaged > 0);
		perform_warm(&s);
	}
}

/* The program has changed: what is kept does not come, and hurts nothing. When both are kept, the
 * first iteration may have to change over from one to the other. */
static void test_stale(void **state)
{
	const place *p = *state;
	scene s = scene_of(p, machine, DRIVE_SYNC), other = s;
	result r;

	other.other = true;
	perform_cold(&s);
	r = perform(&other);
	assert_int_equal(r.hash, eager_hash(&other));
	assert_true(r.hot.compiled > 0 && r.hot.compiled < cold_most(&other));
	perform_from(&other, 1);
	perform_from(&s, 1);
}

/* Other sizes: no plan fits, but the code does; from then on both are kept. */
static void test_sizes(void **state)
{
	scene s = scene_of(*state, machine, DRIVE_SYNC), larger = s;
	result r;

	larger.rows = 2 * DIM;
	perform_cold(&s);
	r = perform(&larger);
	assert_int_equal(r.hash, eager_hash(&larger));
	assert_int_equal(r.hot.compiles, 0);
	assert_int_equal(r.hot.matches, STEPS);
	assert_true(r.hot.compiled > 0);
	perform_warm(&larger);
	perform_warm(&s);
}

static void test_two_at_once(void **state)
{
	const scene s = scene_of(*state, machine, DRIVE_SYNC);
	const uint64_t hash = eager_hash(&s);
	result *shared = share(4);
	pid_t pids[4];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned k = 0; k < COUNT(pids); k++)
			pids[k] = start(&s, &shared[k]);
		for (unsigned k = 0; k < COUNT(pids); k++) {
			assert_int_equal(wait_for(pids[k]), 0);
			assert_int_equal(shared[k].hash, hash);
			assert_true(shared[k].hot.compiled > 0);
		}
	}
	munmap(shared, 4 * sizeof *shared);
	perform_warm(&s);
}

/* ---- forgetting ------------------------------------------------------------------------------ */

static recipe *first_kept(void)
{
	buf program = { 0 };
	recipes list;
	recipe *k;

	recipes_program(&program);
	recipes_open(&list, cache_shared(), (cache_bytes){ program.data, program.size });
	k = recipes_next(&list);
	recipes_close(&list);
	buf_fini(&program);
	return k;
}

/* A process that gives up the one region that is kept, as an executor does. */
static _Noreturn void give_up(const scene *s)
{
	hot *h = mem_lines(ALIGN_UP(sizeof *h, CACHE_LINE));
	recipe *k;

	assert_int_equal(flag_set(FLAG_GT_CACHE_DIR, s->dir), GT_OK);
	assert_non_null(k = first_kept());
	h->loops = true;
	h->tier = HOT_COMPILED;
	hot_bar_kept(h, k->region->signature);
	recipe_free(k);
	assert_non_null(k = first_kept());       /* not the executor: it has no time for disks */
	recipe_free(k);
	hot_read_notes(h);
	assert_null(first_kept());
	hot_warm_end(h);
	mem_free(h);
	exit(0);
}

static void test_given_up(void **state)
{
	const scene s = scene_of(*state, machine, DRIVE_SYNC);
	result r;
	pid_t pid;

	perform_cold(&s);
	perform_warm(&s);
	assert_true((pid = fork()) >= 0);
	if (!pid)
		give_up(&s);
	assert_int_equal(wait_for(pid), 0);
	r = perform(&s);
	assert_int_equal(r.hash, eager_hash(&s));
	assert_true(r.hot.compiled > 0 && r.hot.compiled < cold_most(&s));
	assert_int_equal(r.hot.compiles, 0);     /* the code is still there */
	perform_warm(&s);
}

/* Asked in a child: here it would be loaded. */
static bool has_generator(void)
{
	const pid_t pid = fork();
	const codegen *c;

	if (!pid)
		_exit(plugin_open(&c) ? 1 : 0);
	return wait_for(pid) == 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_second_process),
		TEST(test_hurry),
		TEST(test_long),
		TEST(test_checked),
		TEST(test_off),
		TEST(test_damaged),
		TEST(test_stale),
		TEST(test_sizes),
		TEST(test_two_at_once),
		TEST(test_given_up),
	};

	machine = has_generator();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
