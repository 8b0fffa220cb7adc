/* test_recipe.c: regions of the laboratory's programs, with the shapes of their runs, through bytes
 * and back; lists of them; bytes that are no recipe. */
#include "place.h"

#include "cache/recipes.h"
#include "tools/lab.h"
#include "hotpath/match.h"
#include "hotpath/miner.h"
#include "ir/shape.h"

/* An op of a program, its input's metas and its result's. */
typedef struct seen { const ins *i; const meta *in[INS_INPUTS_MAX]; const meta *out; } seen;

/* A program that runs until the miner finds a loop; what it does then is kept, and one whole run of
 * the loop in it. */
typedef struct play {
	recorder ring;
	miner *miner;
	region *region;
	arena memory;
	seen *later;
	size_t count, room;
	const ins **ops;
	meta *live_ins;
	int64_t (*strides)[GT_RANK_MAX];
	meta *results;
} play;

static void look_for_loop(play *p, const ins *i, const meta *const *in, const meta *out)
{
	proposal found;

	if (op_has_result(&op_rows[i->op]))
		recorder_op(&p->ring, i, in, out);
	else
		recorder_control(&p->ring, i);
	miner_run(p->miner, &p->ring, 100000);
	while (miner_next(p->miner, &found))
		if (found.region && !p->region)
			p->region = found.region;
		else
			region_free(found.region);
}

static void *copy(play *p, const void *data, size_t size)
{
	return memcpy(arena_alloc(&p->memory, size), data, size);
}

static void keep_op(play *p, const ins *i, const meta *const *in, const meta *out)
{
	seen *to;

	VEC_ROOM(p->later, p->count, p->room);
	to = &p->later[p->count++];
	to->i = copy(p, i, i->words * sizeof(uint64_t));
	to->out = copy(p, out, sizeof *out);
	for (unsigned k = 0; k < i->nin; k++)
		to->in[k] = in[k] ? copy(p, in[k], sizeof *in[k]) : NULL;
}

static void sink(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	play *p = ctx;

	if (!p->region)
		look_for_loop(p, i, in, out);
	else if (op_has_result(&op_rows[i->op]))
		keep_op(p, i, in, out);
}

/* Whether the n ops from `at` on are a run. */
static bool is_run(const seen *at, match *m)
{
	bool last = false;

	match_leave(m);
	for (; !last; at++) {
		if (!match_wired(m, at->i) || !match_fits(m, record_metas(op_rows[at->i->op].kind,
				at->i->nin, at->in, at->out)))
			return false;
		last = match_take(m, at->i->out);
	}
	return true;
}

static const seen *find_run(const play *p)
{
	const seen *found = NULL;
	pattern all;
	match m;

	pattern_init(&all, p->region);
	match_init(&m, &all);
	for (size_t k = 0; k + p->region->n <= p->count && !found; k++)
		if (is_run(&p->later[k], &m))
			found = &p->later[k];
	match_fini(&m);
	pattern_fini(&all);
	return found;
}

static void take_run(play *p, const seen *at)
{
	const region *r = p->region;

	p->ops = arena_alloc(&p->memory, r->n * sizeof *p->ops);
	p->live_ins = arena_alloc(&p->memory, (r->live_ins_count + 1) * sizeof *p->live_ins);
	p->strides = arena_alloc(&p->memory, (r->live_ins_count + 1) * sizeof *p->strides);
	p->results = arena_alloc(&p->memory, r->n * sizeof *p->results);
	for (uint32_t i = 0; i < r->n; i++) {
		p->ops[i] = at[i].i;
		meta_copy(&p->results[i], at[i].out);
		for (unsigned k = 0; k < r->ops[i].nin; k++) {
			const int32_t in = r->inputs[r->ops[i].first + k];

			if (in >= 0)
				continue;
			meta_copy(&p->live_ins[REGION_LIVE_IN(in)], at[i].in[k]);
			shape_contiguous(at[i].in[k], p->strides[REGION_LIVE_IN(in)]);
		}
	}
}

static void play_program(play *p, const char *name, unsigned steps)
{
	const lab_options o = { .steps = steps, .seed = 1 };
	const miner_options m = MINER_OPTIONS;
	const seen *run;

	*p = (play){ .miner = miner_new(&m) };
	recorder_init(&p->ring, 1 << 16);
	lab_run(lab_find(name), &o, sink, p, NULL);
	assert_non_null(p->region);
	run = find_run(p);
	if (!run)
		fail_msg("%s: no whole run in %zu ops", name, p->count);
	take_run(p, run);
}

static void end_play(play *p)
{
	region_free(p->region);
	miner_free(p->miner);
	recorder_fini(&p->ring);
	mem_free(p->later);
	arena_fini(&p->memory);
}

static recipe_run run_of(const play *p)
{
	return (recipe_run){ p->ops, p->live_ins, (const int64_t (*)[GT_RANK_MAX])p->strides,
		p->results };
}

static cache_bytes bytes(const buf *b) { return (cache_bytes){ b->data, b->size }; }

/* ---- there and back ---- */

static void check_region(const region *a, const region *b)
{
	assert_int_equal(a->signature, b->signature);
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->inputs_count, b->inputs_count);
	assert_int_equal(a->live_ins_count, b->live_ins_count);
	assert_int_equal(a->cut_bytes, b->cut_bytes);
	assert_int_equal(a->cut_why, b->cut_why);
	assert_int_equal(a->cut_unique, b->cut_unique);
	assert_int_equal(a->noisy, b->noisy);
	assert_memory_equal(a->inputs, b->inputs, a->inputs_count * sizeof *a->inputs);
	for (uint32_t k = 0; k < a->live_ins_count; k++) {
		assert_int_equal(a->live_ins[k].first_use, b->live_ins[k].first_use);
		assert_int_equal(a->live_ins[k].carried, b->live_ins[k].carried);
	}
	for (uint32_t k = 0; k < a->n; k++) {
		const region_op *x = &a->ops[k], *y = &b->ops[k];

		assert_true(x->op == y->op && x->kinds == y->kinds && x->nin == y->nin &&
			x->nopd == y->nopd && x->attr == y->attr && x->metas == y->metas);
		assert_true(x->live_out == y->live_out && x->read == y->read &&
			x->size == y->size && x->first == y->first && x->token == y->token);
		assert_int_equal(x->last_use, y->last_use);
		assert_int_equal(x->freed, y->freed);
	}
}

static void check_run(const region *r, const recipe_run *a, const recipe_run *b)
{
	for (uint32_t m = 0; m < r->live_ins_count; m++) {
		const meta *x = &a->live_ins[m], *y = &b->live_ins[m];

		assert_true(x->dtype == y->dtype && x->rank == y->rank);
		assert_memory_equal(x->dims, y->dims, x->rank * sizeof *x->dims);
		assert_memory_equal(a->strides[m], b->strides[m], x->rank * sizeof **a->strides);
	}
	for (uint32_t i = 0; i < r->n; i++) {
		const ins *x = a->ops[i], *y = b->ops[i];
		const char *kinds = op_rows[x->op].operands;

		assert_int_equal(y->out, i + 1);
		assert_memory_equal(b->results[i].dims, a->results[i].dims,
			a->results[i].rank * sizeof *a->results[i].dims);
		assert_true(x->op == y->op && x->words == y->words && x->kinds == y->kinds &&
			x->attr.bits == y->attr.bits);
		for (unsigned k = 0; k < x->nin; k++)
			if (ins_kind(x, k))
				assert_int_equal(ins_in(x)[k], ins_in(y)[k]);
		for (unsigned k = 0; k < x->nopd; k++)
			assert_int_equal(ins_opd(y)[k], kinds[k] == 'u' || kinds[k] == 'b' ? 0 :
				ins_opd(x)[k]);
	}
}

static void check_program(const char *name, unsigned steps)
{
	buf first = { 0 }, again = { 0 };
	recipe_run runs[2];
	recipe *back;
	play p;

	play_program(&p, name, steps);
	runs[0] = runs[1] = run_of(&p);
	recipe_encode(p.region, runs, 2, &first);
	if (recipe_decode(first.data, first.size, &back))
		fail_msg("%s: %s", name, gt_last_error());
	check_region(p.region, back->region);
	assert_int_equal(back->count, 2);
	check_run(p.region, &runs[0], &back->runs[0]);
	check_run(p.region, &runs[1], &back->runs[1]);
	recipe_encode(back->region, back->runs, back->count, &again);
	assert_true(entry_same(bytes(&first), bytes(&again)));
	recipe_free(back);
	buf_fini(&first);
	buf_fini(&again);
	end_play(&p);
}

static void test_programs(void **state)
{
	static const char *const names[] = { "mlp", "deep", "transformer", "adam", "dropout",
		"recurrent", "gan", "accumulate", "evaluate", "stateless", "tiny", "batches",
		"growing" };

	(void)state;
	for (size_t k = 0; k < COUNT(names); k++)
		check_program(names[k], 40);
}

/* The region goes its own way; the runs stay. */
static void test_take(void **state)
{
	buf b = { 0 };
	recipe_run run;
	recipe *back;
	region *r;
	play p;

	(void)state;
	play_program(&p, "mlp", 40);
	run = run_of(&p);
	recipe_encode(p.region, &run, 1, &b);
	assert_int_equal(recipe_decode(b.data, b.size, &back), GT_OK);
	r = recipe_take(back);
	check_run(r, &run, &back->runs[0]);
	recipe_free(back);
	check_region(p.region, r);
	region_free(r);
	buf_fini(&b);
	end_play(&p);
	recipe_free(NULL);
}

/* ---- bytes that are none ---- */

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

/* Refused, or a recipe that has these bytes as its encoding. */
static bool try_bytes(const uint8_t *data, size_t size)
{
	buf again = { 0 };
	recipe *r;

	if (recipe_decode(data, size, &r)) {
		assert_null(r);
		assert_int_equal(gt_last_error_code() != GT_OK, 1);
		return false;
	}
	recipe_encode(r->region, r->runs, r->count, &again);
	assert_true(entry_same(bytes(&again), (cache_bytes){ data, size }));
	buf_fini(&again);
	recipe_free(r);
	return true;
}

static void test_damaged(void **state)
{
	uint64_t random = 88172645463325252u;
	unsigned taken = 0;
	recipe_run run;
	uint8_t *cut;
	buf b = { 0 };
	play p;

	(void)state;
	play_program(&p, "mlp", 40);
	run = run_of(&p);
	recipe_encode(p.region, &run, 1, &b);
	for (size_t n = 0; n < b.size; n++) {
		cut = mem_alloc(n + 1);          /* of its own, for the sanitizer */
		memcpy(cut, b.data, n);
		assert_false(try_bytes(cut, n));
		mem_free(cut);
	}
	for (size_t k = 0; k < b.size; k++) {
		const uint8_t old = b.data[k];

		b.data[k] = (uint8_t)next_random(&random);
		taken += try_bytes(b.data, b.size);
		b.data[k] = (uint8_t)(old ^ 0x80);
		try_bytes(b.data, b.size);
		b.data[k] = old;
	}
	assert_in_range(taken, 1, b.size - 1);   /* tokens may be anything, wires may not */
	assert_true(try_bytes(b.data, b.size));
	buf_put_u8(&b, 0);
	assert_false(try_bytes(b.data, b.size));
	buf_fini(&b);
	end_play(&p);
}

/* ---- lists ---- */

static unsigned count_recipes(cache *c, const char *program, uint64_t *signatures)
{
	unsigned n = 0;
	recipe *found;
	recipes r;

	recipes_open(&r, c, text(program));
	while ((found = recipes_next(&r))) {
		signatures[n++] = found->region->signature;
		recipe_free(found);
	}
	recipes_close(&r);
	return n;
}

static void test_list(void **state)
{
	place *at = *state;
	uint64_t found[RECIPES_MAX];
	recipe_run run;
	play mlp, tiny;

	play_program(&mlp, "mlp", 40);
	play_program(&tiny, "tiny", 40);
	assert_int_equal(count_recipes(at->c, "a", found), 0);
	run = run_of(&mlp);
	assert_true(recipes_keep(at->c, text("a"), mlp.region, &run, 1));
	run = run_of(&tiny);
	assert_true(recipes_keep(at->c, text("a"), tiny.region, &run, 1));
	assert_true(recipes_keep(at->c, text("b"), tiny.region, NULL, 0));
	reopen(at);
	assert_int_equal(count_recipes(at->c, "a", found), 2);
	assert_int_equal(found[0], tiny.region->signature);
	assert_int_equal(found[1], mlp.region->signature);
	assert_true(recipes_keep(at->c, text("a"), mlp.region, NULL, 0));
	assert_int_equal(count_recipes(at->c, "a", found), 2);
	assert_int_equal(found[0], mlp.region->signature);
	assert_int_equal(count_recipes(at->c, "b", found), 1);
	assert_true(recipes_forget(at->c, text("a"), mlp.region->signature));
	assert_false(recipes_forget(at->c, text("a"), mlp.region->signature));
	assert_int_equal(count_recipes(at->c, "a", found), 1);
	assert_int_equal(found[0], tiny.region->signature);
	assert_false(recipes_keep(NULL, text("a"), mlp.region, NULL, 0));
	assert_int_equal(count_recipes(NULL, "a", found), 0);
	end_play(&mlp);
	end_play(&tiny);
}

/* The oldest make room; a list that somebody else wrote in another way is no list. */
static void test_list_limits(void **state)
{
	place *at = *state;
	uint64_t found[RECIPES_MAX];
	play p;

	play_program(&p, "tiny", 40);
	for (unsigned k = 0; k < RECIPES_MAX + 10; k++) {
		p.region->signature = k;         /* as if it were another one */
		assert_true(recipes_keep(at->c, text("a"), p.region, NULL, 0));
	}
	assert_int_equal(count_recipes(at->c, "a", found), RECIPES_MAX);
	assert_true(recipes_forget(at->c, text("a"), RECIPES_MAX + 9));
	assert_false(recipes_forget(at->c, text("a"), 9));
	assert_true(recipes_forget(at->c, text("a"), 10));
	assert_true(cache_put(at->c, CACHE_RECIPES, text("a"), text("\x02garbage")));
	assert_int_equal(count_recipes(at->c, "a", found), 0);
	assert_true(cache_put(at->c, CACHE_RECIPES, text("a"), text("\x01garbage")));
	assert_int_equal(count_recipes(at->c, "a", found), 0);
	assert_true(cache_put(at->c, CACHE_RECIPES, text("a"), text("")));
	assert_int_equal(count_recipes(at->c, "a", found), 0);
	end_play(&p);
}

/* The name that a process of these arguments has; this program prints its own when it has any. */
static void name_of(const char *arguments, char name[1024])
{
	char command[600], exe[512] = "";
	FILE *f;
	size_t n;

	assert_true(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
	snprintf(command, sizeof command, "cd /tmp && exec %s %s", exe, arguments);
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(name, 1, 1023, f);
	name[n] = '\0';
	assert_int_equal(pclose(f), 0);
	assert_memory_equal(name, exe, strlen(exe));
}

static void test_program_name(void **state)
{
	char one[1024], other[1024];

	(void)state;
	name_of("train.py --lr 1", one);
	name_of("train.py --lr 2 more", other);
	assert_string_equal(one, other);
	name_of("eval.py --lr 1", other);
	assert_string_not_equal(one, other);
	name_of("-m train.py --lr 1", other);
	assert_string_not_equal(one, other);
	name_of("../etc/passwd", one);   /* a file by its full name */
	name_of("/etc/passwd", other);
	assert_string_equal(one, other);
	assert_non_null(strstr(one, " /etc/passwd "));
}

static int print_name(void)
{
	buf b = { 0 };

	recipes_program(&b);
	for (size_t k = 0; k < b.size; k++)
		putchar(b.data[k] ? b.data[k] : ' ');
	buf_fini(&b);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs), cmocka_unit_test(test_take),
		cmocka_unit_test(test_damaged), TEST(test_list), TEST(test_list_limits),
		cmocka_unit_test(test_program_name),
	};

	(void)argv;
	if (argc > 1)
		return print_name();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
