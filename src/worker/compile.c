/* compile.c: jobs: handed over, worked on piece by piece, sent back. */
#include "worker/compile.h"

#include <gt/gt.h>
#include "base/clock.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "ir/tree.h"
#include "worker/hot.h"

#define CREDIT_NS UINT64_C(200000000)
#define SHARE     10             /* of the time that has passed: one in so many */
#define SOONER_OPS 256           /* of a region for which reduce-overhead does not ask the budget */

/* ---- jobs ------------------------------------------------------------------------------------ */

static void *copy(const void *from, size_t size)
{
	void *to = mem_alloc(size + 1);

	return size ? memcpy(to, from, size) : to;
}

static region *copy_region(const region *r)
{
	region *to = copy(r, sizeof *r);

	to->ops = copy(r->ops, r->n * sizeof *r->ops);
	to->inputs = copy(r->inputs, r->inputs_count * sizeof *r->inputs);
	to->live_ins = copy(r->live_ins, r->live_ins_count * sizeof *r->live_ins);
	/* Somebody keeps it. */
	for (uint32_t k = 0; k < r->n; k++)
		to->ops[k].live_out |= r->ops[k].freed == REGION_NEVER;
	return to;
}

uint8_t job_mode(const region *r)
{
	return r->mode ? r->mode : (uint8_t)(GT_COMPILE_DEFAULT + flag_int(FLAG_GT_COMPILE_MODE));
}

job *job_new(const region *r, const engine *e)
{
	job *j = mem_zero(sizeof *j);
	size_t words = 0;

	j->signature = r->signature;
	j->mode = job_mode(r);
	j->sooner = j->mode == GT_COMPILE_REDUCE_OVERHEAD && r->n <= SOONER_OPS;
	j->r = copy_region(r);
	j->live_ins_count = r->live_ins_count;
	j->e = e;
	j->taste = j->mode == GT_COMPILE_REDUCE_OVERHEAD ? FUSE_FEWEST : FUSE_BALANCED;
	if (j->mode == GT_COMPILE_MAX_AUTOTUNE)
		j->held = mem_zero((r->live_ins_count + 1) * sizeof *j->held);
	else
		j->chosen = true;
	j->run = mem_alloc((r->n + 1) * sizeof *j->run);
	j->live_ins = mem_zero((r->live_ins_count + 1) * sizeof *j->live_ins);
	for (uint32_t k = 0; k < r->n; k++)
		words += INS_HEAD_WORDS + r->ops[k].nin + r->ops[k].nopd;
	j->words = mem_alloc((words + 1) * sizeof *j->words);
	words = 0;
	for (uint32_t k = 0; k < r->n; k++) {
		j->run[k] = (const ins *)(j->words + words);
		words += INS_HEAD_WORDS + r->ops[k].nin + r->ops[k].nopd;
	}
	return j;
}

void job_note(job *j, uint32_t m, const view *v, storage *s)
{
	view *to = &j->live_ins[m];

	to->m = v->m;
	memcpy(to->strides, v->strides, sizeof v->strides);
	to->contiguous = v->contiguous;
	if (LIKELY(!j->held) || j->held[m])
		return;
	storage_hold(j->held[m] = s);
	to->data = v->data;
}

static void let_go(job *j)
{
	for (uint32_t m = 0; j->held && m < j->live_ins_count; m++)
		if (j->held[m])
			storage_drop(j->held[m]);
	mem_free(j->held);
	j->held = NULL;
}

void job_free(job *j)
{
	if (!j)
		return;
	tune_end(j);
	let_go(j);
	mem_free(j->choice.codes);
	fused_plan_free(j->made);
	fusion_free(j->f);
	region_free(j->r);
	mem_free(j->words);
	mem_free(j->run);
	mem_free(j->live_ins);
	mem_free(j->cause);
	mem_free(j->error);
	mem_free(j->codes);
	mem_free(j);
}

void job_count(job *j, int from)
{
	j->found += from == 0;
	j->loaded += from == 1;
	j->compiled += from == 2;
}

/* ---- lists of them --------------------------------------------------------------------------- */

static void push(_Atomic(job *) *list, job *j)
{
	j->next = atomic_load(list);
	while (!atomic_compare_exchange_weak(list, &j->next, j))
		;
}

void compile_post(hot *h, job *j)
{
	push(&h->jobs, j);
	hot_miner_wake();
}

/* The oldest first: they lie newest first. */
static job *next_job(hot *h)
{
	job *all = atomic_exchange(&h->jobs, NULL), **last = &h->working;

	while (*last)
		last = &(*last)->next;
	while (all) {
		job *j = all;

		all = j->next;
		j->next = *last;
		*last = j;
	}
	return h->working;
}

static void free_all(job *j)
{
	for (job *next; j; j = next) {
		next = j->next;
		job_free(j);
	}
}

void compile_give_up(hot *h, job *j)
{
	if (j)
		push(&h->done, j);
}

void compile_bury(hot *h)
{
	if (UNLIKELY(atomic_load_explicit(&h->done, memory_order_relaxed) != NULL))
		free_all(atomic_exchange(&h->done, NULL));
}

void compile_cancel(hot *h)
{
	compile_bury(h);
	free_all(atomic_exchange(&h->jobs, NULL));
	free_all(atomic_exchange(&h->made, NULL));
	free_all(h->working);
	free_all(h->unsampled);
	h->working = h->unsampled = NULL;
}

bool compile_busy(const hot *h)
{
	return atomic_load(&h->jobs) || h->working;
}

/* ---- the work -------------------------------------------------------------------------------- */

static void give_up(job *j)
{
	j->error = mem_string(gt_last_error());
}

static void fuse(job *j)
{
	const fuse_input in = { .r = j->r, .run = j->run, .live_ins = j->live_ins,
		.small = FUSE_SMALL, .taste = j->taste };

	if (fuse_make(&in, &j->f)) {
		give_up(j);
		return;
	}
	if (j->weighed && fused_is_vain(j->r, j->f)) {
		j->vain = true;
		j->error = mem_string("one by one its operations take no longer");
		return;
	}
	j->groups = j->f->groups.count;
	j->codes = mem_zero((j->groups + 1) * sizeof *j->codes);
}

/* Are all of its rows such that they have code of their own? Columns are the width of a layer,
 * which stays: those of another batch do not need other code. What may be a sum of everything is
 * of any length. */
static const codegen_options *way_of_rows(const fusion *f, uint32_t which)
{
	static const codegen_options ways[] = { { .rest = REST_SHORT }, { .rest = REST_EVEN } };
	const group *g = f->groups.at[which].g;
	bool brief = g->mode == GROUP_ROWS, even = brief && !group_splits(g);

	for (uint32_t k = 0; k < f->steps.count; k++) {
		const fuse_step *s = &f->steps.at[k];

		if (s->kind > STEP_ADD || s->group != which)
			continue;
		brief = brief && s->cols <= CODEGEN_SHORT;
		even = even && s->cols % CODEGEN_EVEN == 0 && s->cols <= TREE_BLOCK;
	}
	return brief ? &ways[0] : even ? &ways[1] : NULL;
}

static const codegen_options *way_of(const job *j, uint32_t which, codegen_options *room)
{
	const codegen_options *way = tune_way(j, which, room);

	return way ? way : way_of_rows(j->f, which);
}

static void find_code(job *j)
{
	const fuse_group *g = &j->f->groups.at[j->done];
	codegen_options room;
	int from;
	fused_code *c = code_find(g->g, &g->key, way_of(j, j->done, &room), !j->at_hand, &from);

	if (!c) {
		give_up(j);
		return;
	}
	j->codes[j->done++] = c;
	job_count(j, from);
}

static void finish(job *j)
{
	j->made = fused_plan_new(j->r, j->f, j->codes, j->e);
	j->made->tried = j->choice.tried;
	j->made->usual_ns = j->choice.usual_ns;
	j->made->tuned_ns = j->choice.ns;
	j->r = NULL;
	j->f = NULL;
	if (*flag_text(FLAG_GT_DUMP) && !j->at_hand)
		compile_dump(j);
}

/* One piece. True when nothing is left to do. */
static bool work(job *j)
{
	if (!j->chosen && !j->tuning && !tune_begin(j))
		give_up(j);
	else if (!j->f)
		fuse(j);
	else if (j->done < j->groups)
		find_code(j);
	else if (j->tuning)
		tune_some(j);
	else
		finish(j);
	return j->made || j->error;
}

bool compile_at_hand(job *j)
{
	const uint64_t from = clock_thread_cpu_ns();

	j->at_hand = true;
	while (!work(j))
		;
	j->ns = clock_thread_cpu_ns() - from;
	return j->made;
}

void compile_deliver(hot *h, job *j)
{
	push(&h->made, j);
}

/* ---- the budget ------------------------------------------------------------------------------ */

static _Atomic uint64_t began, spent;    /* of the process, ns */

static bool may_spend(void)
{
	uint64_t now = clock_ns(), first = 0;

	if (atomic_compare_exchange_strong(&began, &first, now))
		first = now;
	return atomic_load(&spent) < CREDIT_NS + (now - first) / SHARE;
}

bool compile_some(hot *h, bool at_once)
{
	job *j = next_job(h);
	uint64_t from;

	if (!j || (!at_once && !j->sooner && !may_spend()))
		return false;
	j->weighed = !h->sync && !h->checks && !j->cause && !j->r->mode &&
		j->mode == GT_COMPILE_DEFAULT;
	from = clock_thread_cpu_ns();
	if (work(j)) {
		h->working = j->next;
		j->ns += clock_thread_cpu_ns() - from;
		hot_keep(h, j);
		push(&h->made, j);
	} else {
		j->ns += clock_thread_cpu_ns() - from;
	}
	atomic_fetch_add(&spent, clock_thread_cpu_ns() - from);
	return true;
}
