/* detector.c: gt/hotpath.h, marked iterations counted by hash and a miner for what is not marked.
 *
 * Names become numbers; a name that is bound again names a new value, and the old one is freed, so
 * the miner sees values that are assigned once. What an instruction is called takes the place of an
 * op's attributes.
 */
#include <gt/hotpath.h>

#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"
#include "hotpath/miner.h"
#include "hotpath/mix.h"
#include "hotpath/scratch.h"

struct gt_hotpath {
	uint64_t threshold;
	bool shape_agnostic;
	miner *miner;
	interner *names;
	uint64_t *values;                /* what each name is bound to; 0: nothing yet */
	size_t values_room;
	uint64_t last_value;

	/* The iteration at hand. */
	bool open, hot;
	uint64_t hash;
	uint32_t wires;                  /* values seen in it so far */
	scratch wiring;                  /* value -> its number in order of first sight */

	idmap seen;                      /* iterations: hash -> how often */
	uint64_t iterations, hot_iterations, hot_patterns, operations;
};

gt_hotpath *gt_hotpath_new(uint64_t threshold, int shape_agnostic)
{
	miner_options options = MINER_OPTIONS;
	gt_hotpath *h;

	if (!threshold) {
		fail(GT_EINVAL, "gt_hotpath_new: the threshold is 0; it must be at least 1");
		return NULL;
	}
	options.threshold = threshold;
	h = mem_zero(sizeof(*h));
	h->threshold = threshold;
	h->shape_agnostic = shape_agnostic != 0;
	h->miner = miner_new(&options);
	h->names = interner_new();
	return h;
}

void gt_hotpath_free(gt_hotpath *h)
{
	if (!h)
		return;
	miner_free(h->miner);
	interner_free(h->names);
	mem_free(h->values);
	scratch_fini(&h->wiring);
	idmap_fini(&h->seen);
	mem_free(h);
}

static uint64_t hash_text(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = mix(h, (unsigned char)*s);
	return mix(h, 256);
}

/* ---- marked iterations ---------------------------------------------------------------------- */

void gt_hotpath_begin(gt_hotpath *h)
{
	h->open = true;
	h->hash = h->wires = 0;
	scratch_begin(&h->wiring, 64);
}

void gt_hotpath_operation(gt_hotpath *h, const char *name, const int64_t *dims, int rank)
{
	if (!h->open)
		gt_hotpath_begin(h);
	h->operations++;
	h->hash = hash_text(h->hash, name);
	if (h->shape_agnostic)
		return;
	h->hash = mix(h->hash, (uint64_t)(rank + 1));
	for (int k = 0; k < rank; k++)
		h->hash = mix(h->hash, (uint64_t)dims[k]);
}

/* Keys are not 0, counts begin at 1. */
int gt_hotpath_end(gt_hotpath *h)
{
	const uint64_t key = h->hash | 1;
	uintptr_t count;

	h->hot = false;
	if (!h->open)
		return 0;
	h->open = false;
	count = (uintptr_t)idmap_get(&h->seen, key) + 1;
	idmap_put(&h->seen, key, (void *)count);
	h->iterations++;
	h->hot_iterations += count > h->threshold;
	h->hot_patterns += count == h->threshold;
	h->hot = count >= h->threshold;
	return h->hot;
}

int gt_hotpath_should_compile(const gt_hotpath *h)
{
	return h->hot;
}

/* ---- instructions --------------------------------------------------------------------------- */

/* The place that holds what a name is bound to. */
static uint64_t *binding(gt_hotpath *h, const char *name)
{
	const size_t number = interner_put(h->names, name, strlen(name));
	const size_t room = h->values_room;

	if (number >= room) {
		h->values_room = MAX(2 * room, number + 64);
		h->values = mem_grow(h->values, h->values_room * sizeof(*h->values));
		memset(h->values + room, 0, (h->values_room - room) * sizeof(*h->values));
	}
	return &h->values[number];
}

static uint64_t value_of(gt_hotpath *h, const char *name)
{
	uint64_t *value = binding(h, name);

	if (!*value)
		*value = ++h->last_value;
	return *value;
}

static void bind_new(gt_hotpath *h, const char *name, uint64_t value)
{
	uint64_t *bound = binding(h, name);
	const record gone = { .op = OP_free, .words = RECORD_HEAD_WORDS, .out = *bound };

	if (*bound)
		miner_feed(h->miner, &gone);
	*bound = value;
}

static uint32_t wire(gt_hotpath *h, uint64_t value)
{
	uint32_t number = scratch_get(&h->wiring, value);

	if (number == SCRATCH_NONE)
		scratch_put(&h->wiring, value, number = h->wires++);
	return number;
}

/* The instruction as part of the marked iteration: what it is and how it is wired. */
static void add_to_iteration(gt_hotpath *h, const record *r)
{
	h->hash = mix(mix(h->hash, r->attr), r->nin);
	for (unsigned k = 0; k < r->nin; k++)
		h->hash = mix(h->hash, wire(h, r->in[k]));
	wire(h, r->out);
}

gt_err gt_hotpath_instruction(gt_hotpath *h, const char *type, const char *name,
	const char *result, const char *const *inputs, size_t n, int *hot, size_t *length)
{
	record_room room = { .head = { .op = OP_cat } };
	record *r = &room.head;
	proposal p;
	uint32_t of = 0;
	bool is;

	if (n > INS_INPUTS_MAX)
		return fail(GT_ELIMIT, "%s: %zu inputs, at most %d", name, n, INS_INPUTS_MAX);
	r->words = (uint16_t)(RECORD_HEAD_WORDS + n);
	r->nin = (uint8_t)n;
	r->attr = hash_text(hash_text(0, type), name);
	for (size_t k = 0; k < n; k++)
		r->in[k] = value_of(h, inputs[k]);
	r->out = ++h->last_value;
	miner_feed(h->miner, r);
	is = miner_hot(h->miner, &of);
	while (miner_next(h->miner, &p))
		region_free(p.region);
	if (h->open)
		add_to_iteration(h, r);
	bind_new(h, result, r->out);
	if (hot)
		*hot = is;
	if (length)
		*length = of;
	return GT_OK;
}

void gt_hotpath_count(gt_hotpath *h, gt_hotpath_counts *to)
{
	miner_stats s;

	miner_stats_of(h->miner, &s);
	*to = (gt_hotpath_counts){ .total_batches = h->iterations + s.runs,
		.hot_batches_executed = h->hot_iterations + s.hot_runs,
		.unique_patterns = h->seen.count + s.loops,
		.hot_paths = h->hot_patterns + s.hot_loops,
		.hot_threshold = h->threshold, .total_instructions = h->operations + s.ops };
}
