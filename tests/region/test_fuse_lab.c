/* test_fuse_lab.c: regions that the miner finds in the laboratory's streams, as fusions: the same
 * bits as op by op. What becomes of them is printed: ops, kernels, time to make the fusion.
 *
 * FUSE_LAB=name tries that program only, FUSE_FILE=file.gts a recorded stream (GT_DUMP) instead;
 * FUSE_SHOW=1 prints the fusions.
 */
#include "region/fuse_program.h"

#include "base/clock.h"
#include "base/map.h"
#include "hotpath/match.h"
#include "hotpath/miner.h"
#include "ir/text.h"
#include "tools/lab.h"

#define STEPS 14

/* A stream computed op by op, all values kept; the largest region that is hot at its end. */
typedef struct stream {
	recorder r;
	miner *m;
	region *hot;
	const engine *e;
	bool data;               /* uploads have some */
	ins **ops;
	tensor *results;         /* of ops */
	uint32_t count, room, results_room;
	idmap ids;               /* id -> number of the op + 1 */
	arena memory;
	const char *name;
} stream;

static void mine(stream *s)
{
	proposal p;

	while (miner_run(s->m, &s->r, 1000) == 1000)
		;
	while (miner_next(s->m, &p))
		if (p.what == PROPOSAL_HOT && (!s->hot || p.n >= s->hot->n)) {
			region_free(s->hot);
			s->hot = p.region;
		} else {
			region_free(p.region);
		}
}

static const tensor *value(const stream *s, uint64_t id)
{
	return &s->results[(uintptr_t)idmap_get(&s->ids, id) - 1];
}

static void compute(stream *s, const ins *i, tensor *out)
{
	tensor in[INS_INPUTS_MAX];
	meta m;

	for (unsigned k = 0; k < i->nin; k++)
		if (!ins_kind(i, k))
			in[k] = *value(s, ins_in(i)[k]);
	if (i->op == OP_upload) {
		assert_int_equal(shape_infer(i, NULL, &m), GT_OK);
		*out = trial_tensor((gt_dtype)m.dtype, m.rank, m.dims, PLAIN);
		blob_hold(ins_blob(i));
		if (s->data)
			memcpy(out->memory, ins_blob(i)->data, ins_blob(i)->size);
		else
			memcpy(ins_blob(i)->data, out->memory, ins_blob(i)->size);
		return;
	}
	program_compute(&(program){ .e = s->e, .what = s->name }, i, in, out);
}

static void sink(void *ctx, const ins *i, const meta *const *in, const meta *out)
{
	stream *s = ctx;

	if (!out) {
		recorder_control(&s->r, i);
		mine(s);
		return;
	}
	recorder_op(&s->r, i, in, out);
	mine(s);
	VEC_ROOM(s->ops, s->count, s->room);
	VEC_ROOM(s->results, s->count, s->results_room);
	s->ops[s->count] = arena_alloc(&s->memory, i->words * sizeof(uint64_t));
	memcpy(s->ops[s->count], i, i->words * sizeof(uint64_t));
	compute(s, i, &s->results[s->count]);
	idmap_put(&s->ids, i->out, (void *)(uintptr_t)++s->count);
}

/* ---- recorded streams ---- */

#define FILE_MAX 40000           /* instructions */

static size_t read_file(void *ctx, char *to, size_t n)
{
	return fread(to, 1, n, ctx);
}

static void feed(stream *s, const ins *i)
{
	const meta *in[INS_INPUTS_MAX];
	meta out;

	if (op_rows[i->op].kind == KIND_CONTROL) {
		sink(s, i, NULL, NULL);
		return;
	}
	for (unsigned k = 0; k < i->nin; k++)
		in[k] = ins_kind(i, k) ? NULL : &value(s, ins_in(i)[k])->v.m;
	if (shape_infer(i, in, &out))
		fail_msg("%s: %s", s->name, gt_last_error());
	sink(s, i, in, &out);
	if (i->op == OP_upload)
		blob_drop(ins_blob(i));
}

static void feed_file(stream *s)
{
	text_reader *t = mem_alloc(sizeof(*t));
	FILE *file = fopen(s->name, "r");
	bool end = false;
	ins_room words;

	assert_non_null(file);
	s->data = true;
	text_open(t, read_file, file, NULL);
	for (int k = 0; k < FILE_MAX && !end; k++) {
		if (text_get(t, &words, &end))
			fail_msg("%s: %s", s->name, gt_last_error());
		if (!end)
			feed(s, &words.head);
	}
	fclose(file);
	mem_free(t);
}

/* ---- one run of the region ---- */

/* The last place where the region lies in the stream, op by op. */
static uint32_t find_run(const stream *s, uint64_t *ids)
{
	pattern p;
	uint32_t at;

	pattern_init(&p, s->hot);
	for (at = s->count - s->hot->n; at; at--) {
		match m;
		uint32_t k = 0;

		match_init(&m, &p);
		while (k < p.n && match_wired(&m, s->ops[at + k])) {
			match_take(&m, s->ops[at + k]->out);
			k++;
		}
		memcpy(ids, m.ids, p.slots * sizeof(*ids));
		match_fini(&m);
		if (k == p.n)
			break;
	}
	pattern_fini(&p);
	assert_true(at > 0);
	return at;
}

/* The run as a program whose tensors belong to the stream. */
static program *program_of(stream *s)
{
	program *p = mem_zero(sizeof(*p));
	uint64_t *ids = mem_alloc((s->hot->n + s->hot->live_ins_count) * sizeof(*ids));
	const uint32_t at = find_run(s, ids);

	p->e = s->e;
	p->what = s->name;
	p->n = s->hot->n;
	p->r = *s->hot;
	p->ops = s->hot->ops;
	p->run = (const ins **)(s->ops + at);
	p->results = s->results + at;
	p->live_count = s->hot->live_ins_count;
	p->small = FUSE_SMALL;
	p->live = arena_alloc(&s->memory, (p->live_count + 1) * sizeof(*p->live));
	p->views = arena_alloc(&s->memory, (p->live_count + 1) * sizeof(*p->views));
	for (uint32_t k = 0; k < p->live_count; k++) {
		p->live[k] = *value(s, ids[p->n + k]);
		p->views[k] = p->live[k].v;
	}
	mem_free(ids);
	return p;
}

static uint64_t best_time(program *p)
{
	uint64_t best = UINT64_MAX;

	for (int k = 0; k < 5; k++) {
		const uint64_t start = clock_ns();

		fusion_free(program_fuse(p, false));
		best = MIN(best, clock_ns() - start);
	}
	return best;
}

static void report(const program *p, const fusion *f, uint64_t ns)
{
	uint32_t kernels = 0, behind = 0, calls = 0, fused = 0, launches = 0;

	for (uint32_t k = 0; k < f->steps.count; k++) {
		kernels += f->steps.at[k].kind <= STEP_PRODUCT;
		behind += f->steps.at[k].kind == STEP_PRODUCT;
		calls += f->steps.at[k].kind == STEP_CALL;
		launches += (f->steps.at[k].kind <= STEP_CALL) - f->steps.at[k].together;
		fused += f->steps.at[k].members_count;
	}
	print_message("%-12s %5u ops: %4u kernels (%u ops) of %u groups, %u of them behind products, "
		"%u calls, %u launches; arena %llu, op by op %llu; made in %llu us\n", p->what,
		p->n, kernels, fused, f->groups.count, behind, calls, launches, (unsigned long long)f->arena_size,
		(unsigned long long)f->eager_bytes_max, (unsigned long long)ns / 1000);
}

static void check(const char *name)
{
	static const miner_options options = MINER_OPTIONS;
	const lab_options o = { .steps = STEPS, .seed = 3 };
	stream *s = mem_lines(ALIGN_UP(sizeof(*s), CACHE_LINE));
	program *p;
	fusion *f;

	s->e = lab_find(name) ? trial_reference : trial_fast[trial_fast_count - 2].e;
	s->name = name;
	recorder_init(&s->r, 1 << 14);
	s->m = miner_new(&options);
	if (lab_find(name))
		lab_run(lab_find(name), &o, sink, s, NULL);
	else
		feed_file(s);
	mine(s);
	assert_non_null(s->hot);
	p = program_of(s);
	f = program_fuse(p, false);
	if (getenv("FUSE_SHOW"))
		program_show(f);
	program_check(p, f);
	program_leave(p, f, p->n / 2);
	for (uint32_t m = 0; m < f->live_ins; m++)       /* the next run begins with it */
		if (f->r->live_ins[m].carried != REGION_NEVER)
			assert_true(f->r->ops[f->r->live_ins[m].carried].live_out);
	assert_true(f->arena_size);      /* frees are known, also those that come in the next run */
	if (!plugin_open(&program_generator))
		program_check(p, f);
	program_generator = NULL;
	report(p, f, best_time(p));
	fusion_free(f);
	for (uint32_t k = 0; k < s->count; k++) {
		if (s->ops[k]->op == OP_upload)
			blob_drop(ins_blob(s->ops[k]));
		trial_close(&s->results[k]);
	}
	mem_free(p);
	region_free(s->hot);
	miner_free(s->m);
	recorder_fini(&s->r);
	idmap_fini(&s->ids);
	arena_fini(&s->memory);
	mem_free(s->ops);
	mem_free(s->results);
	mem_free(s);
}

static void test_programs(void **state)
{
	static const char *const names[] = { "mlp", "transformer", "adam", "dropout", "recurrent",
		"gan", "accumulate", "stateless", "batches", "deep", "huge" };

	(void)state;
	if (getenv("FUSE_FILE")) {
		check(getenv("FUSE_FILE"));
		return;
	}
	for (unsigned k = 0; k < COUNT(names); k++)
		if (!getenv("FUSE_LAB") || !strcmp(getenv("FUSE_LAB"), names[k]))
			check(names[k]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_programs) };

	int failed = cmocka_run_group_tests_name("fuse_lab", tests, trial_open, trial_close_all);

	program_codes_free();
	return failed;
}
