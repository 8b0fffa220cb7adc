/* hot_warm.c: what the program's last process knew of its loops: kept, looked up, forgotten.
 *
 * All of it is the miner's side, but for a first look: a session begins by having the executor make
 * plans of what is kept, as much as takes about 2 ms, so that they are there for the first iteration
 * however late the miner's thread comes; the rest is the thread's. When a fused plan has been made, its region and the run that it
 * was made from are kept (cache/recipes.h), beside older runs of other shapes. A new tenant's
 * recipes become plans with fusions before its first loop is seen, as far as the code of all their
 * groups is at hand: LLVM is not loaded for it. They only propose. The stream is compared with
 * them op by op, code from the disk is proved beside eager kernels like any other, and times are
 * judged anew: a file is no evidence of anything.
 *
 * A region is forgotten when a loop around it takes its place, when the miner finds another one that
 * is nearly all there is, but not this one, though it ran (hot.c), when it was slower than its ops
 * one by one for good, and when its code was wrong.
 */
#include "worker/hot.h"

#include "base/mem.h"
#include "cache/recipes.h"

/* ---- whose ----------------------------------------------------------------------------------- */

static cache_bytes program(hot *h)
{
	if (!h->program.size)
		recipes_program(&h->program);
	return (cache_bytes){ h->program.data, h->program.size };
}

/* Only where loops are looked for, and taken so far that there is code. */
static bool is_on(const hot *h)
{
	return h->loops && h->tier >= HOT_COMPILED && cache_shared();
}

/* ---- looking up ------------------------------------------------------------------------------ */

/* One run of a recipe as a sample, as fused_note would have written it. */
static job *sample_of(const hot *h, const recipe *k, const recipe_run *run)
{
	job *j = job_new(k->region, h->tenant->worker->engine);

	for (uint32_t n = 0; n < k->region->n; n++)
		memcpy((void *)(uintptr_t)j->run[n], run->ops[n],
			run->ops[n]->words * sizeof(uint64_t));
	for (uint32_t m = 0; m < k->region->live_ins_count; m++) {
		view *v = &j->live_ins[m];

		v->m = run->live_ins[m];
		memcpy(v->strides, run->strides[m], v->m.rank * sizeof *v->strides);
		v->contiguous = shape_is_contiguous(&v->m, v->strides);
	}
	return j;
}

/* A plan, and what was fused for it; without any fusion it is no plan. The newest run's comes last
 * and is tried first. */
static void propose(hot *h, recipe *k)
{
	job *made[RECIPE_RUNS];
	unsigned count = 0;

	for (unsigned n = k->count; n--;) {
		job *j = sample_of(h, k, &k->runs[n]);

		if (compile_at_hand(j))
			made[count++] = j;
		else
			job_free(j);
	}
	if (!count)
		return;
	hot_post_kept(h, recipe_take(k));
	for (unsigned n = 0; n < count; n++) {
		if (n)
			made[n]->cause = mem_string("kept");
		compile_deliver(h, made[n]);
	}
}

/* What is left to look at. */
struct hot_shelf {
	recipes list;
	recipe *next;            /* NULL: nothing */
	unsigned left;
};

static void open_shelf(hot *h)
{
	h->shelf = mem_zero(sizeof *h->shelf);
	recipes_open(&h->shelf->list, cache_shared(), program(h));
	h->shelf->left = HOT_RUNS_MAX;
	h->shelf->next = recipes_next(&h->shelf->list);
}

static void close_shelf(hot *h)
{
	if (!h->shelf)
		return;
	recipe_free(h->shelf->next);
	recipes_close(&h->shelf->list);
	mem_free(h->shelf);
	h->shelf = NULL;
}

/* The next recipe becomes a plan; false if there was none, or it has more ops than that. */
static bool take_next(hot *h, uint32_t *ops)
{
	struct hot_shelf *s = h->shelf;
	const uint32_t n = s->next ? s->next->region->n * MAX(s->next->count, 1) : 0;

	if (!s->next || n > *ops)
		return false;
	*ops -= n;
	propose(h, s->next);
	recipe_free(s->next);
	s->next = --s->left ? recipes_next(&s->list) : NULL;
	return true;
}

void hot_warm(hot *h, uint32_t ops)
{
	if (!h->shelf && is_on(h))
		open_shelf(h);
	while (h->shelf && take_next(h, &ops))
		;
	h->warmed = !h->shelf || !h->shelf->next;
	if (h->warmed)
		close_shelf(h);
}

/* ---- keeping --------------------------------------------------------------------------------- */

static bool is_same_region(const region *a, const region *b)
{
	if (a->n != b->n || a->live_ins_count != b->live_ins_count ||
			a->inputs_count != b->inputs_count ||
			memcmp(a->inputs, b->inputs, a->inputs_count * sizeof *a->inputs))
		return false;
	for (uint32_t k = 0; k < a->n; k++) {
		const region_op *x = &a->ops[k], *y = &b->ops[k];

		if (x->op != y->op || x->kinds != y->kinds || x->nopd != y->nopd ||
				x->attr != y->attr || x->metas != y->metas)
			return false;
	}
	return true;
}

/* Seeds, draw numbers and data are none of a recipe's. */
static bool same_sizes(const ins *a, const ins *b)
{
	const char *kinds = op_rows[a->op].operands;

	for (unsigned k = 0; k < a->nopd; k++) {
		const bool counts = *kinds != 'u' && *kinds != 'b';

		if (counts && ins_opd(a)[k] != ins_opd(b)[k])
			return false;
		kinds += !counts || kinds[1];
	}
	return true;
}

/* One fusion does for both, or nearly always: scalars seldom matter to it. */
static bool is_same_run(const region *r, const recipe_run *a, const recipe_run *b)
{
	for (uint32_t m = 0; m < r->live_ins_count; m++)
		if (!plan_same_meta(&a->live_ins[m], &b->live_ins[m]) ||
				memcmp(a->strides[m], b->strides[m],
					a->live_ins[m].rank * sizeof **a->strides))
			return false;
	for (uint32_t k = 0; k < r->n; k++)
		if (!same_sizes(a->ops[k], b->ops[k]))
			return false;
	return true;
}

/* What is kept of the region so far: Gives it; NULL if that is nothing. */
static recipe *find_kept(hot *h, const region *r)
{
	recipes list;
	recipe *k;

	recipes_open(&list, cache_shared(), program(h));
	while ((k = recipes_next(&list)) && k->region->signature != r->signature)
		recipe_free(k);
	recipes_close(&list);
	if (k && !is_same_region(k->region, r)) {
		recipe_free(k);
		k = NULL;
	}
	return k;
}

/* The run of a job with the kept ones of other shapes behind it. */
static void keep_runs(hot *h, const region *r, const recipe_run *now)
{
	recipe_run all[RECIPE_RUNS] = { *now };
	recipe *old = find_kept(h, r);
	unsigned count = 1;

	for (unsigned k = 0; old && k < old->count && count < RECIPE_RUNS; k++)
		if (!is_same_run(r, now, &old->runs[k]))
			all[count++] = old->runs[k];
	recipes_keep(cache_shared(), program(h), r, all, count);
	recipe_free(old);
}

static bool is_barred(const hot *h, uint64_t signature)
{
	const hot_memo *n = h->barred;

	while (n && n->signature != signature)
		n = n->next;
	return n;
}

void hot_keep(hot *h, const job *j)
{
	const region *r = j->made ? j->made->r : NULL;
	int64_t (*strides)[GT_RANK_MAX];
	meta *metas;

	/* A side is nothing without its place. */
	if (!r || r->cut_why == CUT_SIDE || !is_on(h) || r->n > RECIPE_OPS || is_barred(h, r->signature))
		return;
	metas = mem_alloc((r->live_ins_count + 1) * sizeof *metas);
	strides = mem_alloc((r->live_ins_count + 1) * sizeof *strides);
	for (uint32_t m = 0; m < r->live_ins_count; m++) {
		metas[m] = j->live_ins[m].m;
		memcpy(strides[m], j->live_ins[m].strides, sizeof strides[m]);
	}
	keep_runs(h, r, &(recipe_run){ .ops = j->run, .live_ins = metas,
		.strides = (const int64_t (*)[GT_RANK_MAX])strides });
	mem_free(metas);
	mem_free(strides);
}

/* ---- forgetting ------------------------------------------------------------------------------ */

void hot_forget(hot *h, uint64_t signature)
{
	if (is_on(h))
		recipes_forget(cache_shared(), program(h), signature);
}

static void note(hot *h, uint64_t signature, bool bars)
{
	hot_memo *n = mem_alloc(sizeof *n);

	*n = (hot_memo){ atomic_load(&h->notes), signature, bars };
	while (!atomic_compare_exchange_weak(&h->notes, &n->next, n))
		;
}

void hot_bar_kept(hot *h, uint64_t signature)
{
	note(h, signature, true);
}

void hot_forget_kept(hot *h, uint64_t signature)
{
	note(h, signature, false);
}

void hot_read_notes(hot *h)
{
	hot_memo *n = LIKELY(!atomic_load_explicit(&h->notes, memory_order_relaxed)) ? NULL :
		atomic_exchange(&h->notes, NULL), *next;

	for (; n; n = next) {
		next = n->next;
		hot_forget(h, n->signature);
		if (n->bars) {
			n->next = h->barred;
			h->barred = n;
		} else {
			mem_free(n);
		}
	}
}

static void free_memos(hot_memo *n)
{
	for (hot_memo *next; n; n = next) {
		next = n->next;
		mem_free(n);
	}
}

void hot_warm_end(hot *h)
{
	hot_read_notes(h);
	close_shelf(h);
	free_memos(h->barred);
	free_memos(h->kept);
	buf_fini(&h->program);
}
