/* compile_tune.c: max-autotune: several ways to compile a region, measured on what its sample was
 * computed from; the fastest is kept, also for the next process.
 *
 * First the ways to group (fuse_taste): each is compiled as usual and run whole. Then, for each
 * kernel of the fastest one that takes a part of the time worth the trouble, other ways to emit its
 * code. All of it is the compiler's thread's, on memory of its own and one thread; every way gives
 * the same bits, so only time is at stake. A way is preferred to the usual one if it is clearly
 * faster. Where nothing can be measured (the interpreter runs kernels, an op fails on data that are
 * made up, a run is too large) the region is compiled as usual.
 */
#include "worker/compile.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "region/fuse_time.h"
#include "worker/fused.h"

#define CLEAR      98            /* per cent of the usual way's time that a better one takes */
#define WORTH      50            /* a kernel that takes less than one part in so many stays */
#define BYTES_MAX (UINT64_C(1) << 30)    /* of a run's results */
#define SPENT_MAX  UINT64_C(3000000000)  /* ns of measuring a region; then it is enough */

static const codegen_options ways[] = {
	{ .rest = REST_MASK }, { .rest = REST_TAIL }, { .unroll = 1 }, { .unroll = 2 },
	{ .unroll = 4 },
};

/* A way to group, with its code and what it takes. */
typedef struct trial {
	fusion *f;
	fused_code **codes;
	fuse_timer *timer;
	uint64_t ns, *steps;             /* of all, of each step */
} trial;

struct tuning {
	buf key;
	trial best;
	bool grouped;                    /* the ways to group are compared */
	uint32_t which, way;             /* the next one to try */
	uint64_t spent;
	engine own;
	void **live_ins, **made_up;      /* element 0; memory of those that are made up */
	blob **blobs;                    /* in the place of uploads, by op */
};

/* ---- what is measured on --------------------------------------------------------------------- */

/* Small numbers that are no exception for any op; indices that every table has. */
static void fill(void *data, size_t bytes, gt_dtype d)
{
	const size_t n = bytes / dtype_size(d);

	memset(data, 0, bytes);
	for (size_t k = 0; k < n && d == GT_FLOAT32; k++)
		((float *)data)[k] = 0.25f + (float)(k % 7) / 8;
	for (size_t k = 0; k < n && d == GT_FLOAT64; k++)
		((double *)data)[k] = 0.25 + (double)(k % 7) / 8;
}

/* As if it had been given: any strides. */
static void *make_up(const view *v, void **memory)
{
	const size_t size = dtype_size((gt_dtype)v->m.dtype);
	int64_t low = 0, high = 0;

	for (int d = 0; d < v->m.rank; d++) {
		const int64_t far = (MAX(v->m.dims[d], 1) - 1) * v->strides[d];

		low += MIN(far, 0);
		high += MAX(far, 0);
	}
	*memory = mem_alloc((size_t)(high - low + 1) * size);
	fill(*memory, (size_t)(high - low + 1) * size, (gt_dtype)v->m.dtype);
	return (char *)*memory - low * (int64_t)size;
}

static void find_data(job *j, struct tuning *t)
{
	t->live_ins = mem_zero((j->live_ins_count + 1) * sizeof *t->live_ins);
	t->made_up = mem_zero((j->live_ins_count + 1) * sizeof *t->made_up);
	for (uint32_t m = 0; m < j->live_ins_count; m++)
		t->live_ins[m] = j->held[m] ? j->live_ins[m].data :
			make_up(&j->live_ins[m], &t->made_up[m]);
}

/* The client's bytes are gone. */
static void find_uploads(job *j, struct tuning *t)
{
	t->blobs = mem_zero((j->r->n + 1) * sizeof *t->blobs);
	for (uint32_t k = 0; k < j->r->n; k++) {
		ins *i = (ins *)(uintptr_t)j->run[k];
		meta m = { .dtype = i->attr.dtype };

		if (i->op != OP_upload)
			continue;
		for (unsigned d = 1; d < i->nopd; d++)
			m.dims[m.rank++] = ins_opd(i)[d];
		t->blobs[k] = blob_new((size_t)meta_count(&m) * dtype_size((gt_dtype)m.dtype));
		if (t->blobs[k])
			fill(t->blobs[k]->data, t->blobs[k]->size, (gt_dtype)m.dtype);
		i->tail[i->nin] = (uint64_t)(uintptr_t)t->blobs[k];
	}
}

/* ---- beginning and end ----------------------------------------------------------------------- */

/* Scalars are others in every run and no part of the question. */
static void make_key(const job *j, buf *to)
{
	meta *metas = mem_alloc((j->live_ins_count + 1) * sizeof *metas);
	int64_t (*strides)[GT_RANK_MAX] = mem_alloc((j->live_ins_count + 1) * sizeof *strides);
	const ins **run = mem_alloc((j->r->n + 1) * sizeof *run);
	arena memory = { 0 };

	for (uint32_t m = 0; m < j->live_ins_count; m++) {
		metas[m] = j->live_ins[m].m;
		memcpy(strides[m], j->live_ins[m].strides, sizeof strides[m]);
	}
	for (uint32_t k = 0; k < j->r->n; k++) {
		const size_t size = j->run[k]->words * sizeof(uint64_t);
		ins *i = memcpy(arena_alloc(&memory, size), j->run[k], size);

		for (unsigned n = 0; n < i->nin; n++)
			if (ins_kind(i, n))
				i->tail[n] = 0;
		run[k] = i;
	}
	tuned_key(j->r, &(recipe_run){ .ops = run, .live_ins = metas,
		.strides = (const int64_t (*)[GT_RANK_MAX])strides }, to);
	arena_fini(&memory);
	mem_free(run);
	mem_free(strides);
	mem_free(metas);
}

bool tune_begin(job *j)
{
	struct tuning *t;
	buf key = { 0 };

	j->chosen = true;
	/* Interpreted, or too long to be kept. */
	if (flag_int(FLAG_GT_HOTPATH_CODE) || j->r->n > RECIPE_OPS)
		return true;
	make_key(j, &key);
	if (tuned_get(cache_shared(), (cache_bytes){ key.data, key.size }, &j->choice) &&
			j->choice.taste < FUSE_TASTES) {
		j->taste = j->choice.taste;
		j->remembered = true;
		buf_fini(&key);
		return true;
	}
	if (j->at_hand) {
		buf_fini(&key);
		fail(GT_ESTATE, "which way to compile it was not measured yet");
		return false;
	}
	j->chosen = false;
	j->tuning = t = mem_zero(sizeof *t);
	t->key = key;
	t->own = *j->e;
	t->own.pool = pool_new(1);
	t->own.memory = allocator_new(BYTES_MAX);
	find_data(j, t);
	find_uploads(j, t);
	return true;
}

static void free_trial(trial *b)
{
	fuse_timer_close(b->timer);
	fusion_free(b->f);
	mem_free(b->codes);
	mem_free(b->steps);
	*b = (trial){ 0 };
}

void tune_end(job *j)
{
	struct tuning *t = j->tuning;

	if (!t)
		return;
	if (j->f && j->f == t->best.f) {
		j->f = NULL;
		j->codes = NULL;
	}
	free_trial(&t->best);
	for (uint32_t m = 0; m < j->live_ins_count; m++)
		mem_free(t->made_up[m]);
	for (uint32_t k = 0; j->r && k < j->r->n; k++)
		if (t->blobs[k])
			blob_drop(t->blobs[k]);
	mem_free(t->made_up);
	mem_free(t->live_ins);
	mem_free(t->blobs);
	pool_free(t->own.pool);
	allocator_free(t->own.memory);
	buf_fini(&t->key);
	mem_free(t);
	j->tuning = NULL;
	j->chosen = true;
}

/* ---- the ways to group ----------------------------------------------------------------------- */

static uint64_t bytes_of(const fusion *f)
{
	uint64_t all = f->arena_size;

	for (uint32_t v = 0; v < f->ops; v++)
		all += (uint64_t)meta_count(&f->values.at[v].m) *
			dtype_size((gt_dtype)f->values.at[v].m.dtype);
	return all;
}

static bool has_code(const trial *b, uint32_t step)
{
	return b->f->steps.at[step].kind <= STEP_ADD;
}

static kernel_fn *code_of(const trial *b, uint32_t step)
{
	return has_code(b, step) ? b->codes[b->f->steps.at[step].group]->run : NULL;
}

static gt_err measure(const job *j, trial *b)
{
	gt_err e = bytes_of(b->f) > BYTES_MAX ? fail(GT_ELIMIT, "too large to be measured") : GT_OK;

	if (e)
		return e;
	b->timer = fuse_timer_open(b->f, &j->tuning->own, j->run, j->tuning->live_ins);
	b->steps = mem_zero((b->f->steps.count + 1) * sizeof *b->steps);
	for (uint32_t k = 0; k < b->f->steps.count && !e; k++) {
		if (has_code(b, k) && !code_of(b, k))
			e = fail(GT_EUNSUPPORTED, "a kernel that is interpreted says nothing");
		else
			e = fuse_timer_step(b->timer, k, code_of(b, k), &b->steps[k]);
		b->ns += b->steps[k];
	}
	return e;
}

static void take_fusion(job *j, trial *b)
{
	j->f = b->f;
	j->codes = b->codes;
	j->groups = j->done = b->f->groups.count;
	b->f = NULL;
	b->codes = NULL;
}

/* The fastest way to group is known: its kernels come next. */
static void begin_codes(job *j)
{
	struct tuning *t = j->tuning;
	trial *b = &t->best;

	t->grouped = true;
	j->choice.count = b->f->groups.count;
	j->choice.codes = mem_zero((j->choice.count + 1) * sizeof *j->choice.codes);
	j->f = b->f;             /* borrowed until tuning is over */
	j->codes = b->codes;
	j->groups = j->done = b->f->groups.count;
}

/* Nothing can be measured: as it stands it will do. */
static void settle_for(job *j, trial *now)
{
	take_fusion(j, now);
	free_trial(now);
	tune_end(j);
}

static void compare_groups(job *j)
{
	struct tuning *t = j->tuning;
	trial now = { .f = j->f, .codes = j->codes };
	const gt_err e = measure(j, &now);

	if (e && !t->best.f) {
		settle_for(j, &now);
		return;
	}
	j->choice.tried++;
	if (!t->best.f) {
		j->choice.usual_ns = now.ns;
		t->best = now;
	} else if (!e && now.ns * 100 < t->best.ns * CLEAR) {
		j->choice.taste = j->taste;
		free_trial(&t->best);
		t->best = now;
	} else {
		free_trial(&now);
	}
	j->f = NULL;
	j->codes = NULL;
	j->groups = j->done = 0;
	if (++j->taste < FUSE_TASTES)
		return;
	j->taste = j->choice.taste;
	begin_codes(j);
}

/* ---- the ways to emit code ------------------------------------------------------------------- */

static uint64_t time_of(const trial *b, uint32_t which)
{
	uint64_t ns = 0;

	for (uint32_t k = 0; k < b->f->steps.count; k++)
		if (code_of(b, k) && b->f->steps.at[k].group == which)
			ns += b->steps[k];
	return ns;
}

static gt_err measure_code(const trial *b, uint32_t which, kernel_fn *code, uint64_t *steps)
{
	gt_err e = GT_OK;

	for (uint32_t k = 0; k < b->f->steps.count && !e; k++)
		if (code_of(b, k) && b->f->steps.at[k].group == which)
			e = fuse_timer_step(b->timer, k, code, &steps[k]);
	return e;
}

static void take_code(job *j, uint32_t which, const codegen_options *way, fused_code *c,
	const uint64_t *steps)
{
	trial *b = &j->tuning->best;

	for (uint32_t k = 0; k < b->f->steps.count; k++) {
		if (!code_of(b, k) || b->f->steps.at[k].group != which)
			continue;
		b->ns = b->ns - b->steps[k] + steps[k];
		b->steps[k] = steps[k];
	}
	b->codes[which] = c;
	j->choice.codes[which] = (tuned_code){ (uint8_t)way->rest, way->unroll };
}

static void try_code(job *j, uint32_t which, const codegen_options *way)
{
	const fuse_group *g = &j->f->groups.at[which];
	trial *b = &j->tuning->best;
	uint64_t *steps, before = time_of(b, which), after = 0;
	int from;
	fused_code *c = code_find(g->g, &g->key, way, true, &from);

	if (!c || !c->run)
		return;
	job_count(j, from);
	j->choice.tried++;
	steps = mem_zero((b->f->steps.count + 1) * sizeof *steps);
	if (!measure_code(b, which, c->run, steps)) {
		for (uint32_t k = 0; k < b->f->steps.count; k++)
			after += steps[k];
		if (after * 100 < before * CLEAR)
			take_code(j, which, way, c, steps);
	}
	mem_free(steps);
}

static bool is_worth(const trial *b, uint32_t which)
{
	return time_of(b, which) * WORTH >= b->ns;
}

static void finish(job *j)
{
	struct tuning *t = j->tuning;

	j->choice.ns = t->best.ns;
	tuned_put(cache_shared(), (cache_bytes){ t->key.data, t->key.size }, &j->choice);
	take_fusion(j, &t->best);
	tune_end(j);
}

void tune_some(job *j)
{
	struct tuning *t = j->tuning;
	const uint64_t from = clock_thread_cpu_ns();

	if (!t->grouped) {
		compare_groups(j);
	} else if (t->which == j->groups || t->spent > SPENT_MAX) {
		finish(j);
	} else if (t->way == COUNT(ways) || !is_worth(&t->best, t->which)) {
		t->which++;
		t->way = 0;
	} else {
		try_code(j, t->which, &ways[t->way]);
		t->way++;
	}
	if (j->tuning)
		t->spent += clock_thread_cpu_ns() - from;
}

const codegen_options *tune_way(const job *j, uint32_t k, codegen_options *room)
{
	const tuned *c = &j->choice;

	if (j->tuning || !c->codes || c->count != j->groups)
		return NULL;
	if (!c->codes[k].rest && !c->codes[k].unroll)
		return NULL;
	*room = (codegen_options){ .rest = (codegen_rest)c->codes[k].rest,
		.unroll = c->codes[k].unroll };
	return room;
}
