/* build.c: the phases of building a region, see build.h. */
#include "hotpath/build.h"

#include "base/mem.h"

void build_init(build *b)
{
	memset(b, 0, sizeof(*b));
}

void build_fini(build *b)
{
	mem_free(b->pos);
	mem_free(b->index);
	mem_free(b->bytes);
	scratch_fini(&b->made);
	scratch_fini(&b->other);
	region_free(b->region);
}

uint64_t *build_room(build *b, uint32_t n)
{
	b->n = n;
	if (n > b->capacity) {
		b->capacity = n;
		b->pos = mem_grow(b->pos, 2 * (size_t)n * sizeof(*b->pos));
		b->index = mem_grow(b->index, 2 * (size_t)n * sizeof(*b->index));
		b->bytes = mem_grow(b->bytes, ((size_t)n + 1) * sizeof(*b->bytes));
	}
	return b->pos;
}

void build_begin(build *b, const history *h, bool noisy)
{
	assert(b->n);
	b->state = BUILD_BUSY;
	b->h = h;
	b->noisy = noisy;
	b->phase = 0;
	b->i = 0;
	region_free(b->region);
	b->region = NULL;
}

/* ---- is the period primitive? The failure function of Knuth, Morris and Pratt, in index. ---- */

static bool check_primitive(build *b)
{
	const uint32_t i = (uint32_t)b->i;
	uint32_t k = i ? b->index[i - 1] : 0;

	if (i) {
		while (k && build_token(b, k) != build_token(b, i))
			k = b->index[k - 1];
		k += build_token(b, k) == build_token(b, i);
	}
	b->index[i] = k;
	if (i + 1 < b->n)
		return false;
	if (k && b->n % (b->n - k) == 0)
		b->state = BUILD_REFUSED;
	return true;
}

/* ---- the canonical list ---- */

static void begin_alive(build *b)
{
	memset(b->bytes, 0, ((size_t)b->n + 1) * sizeof(*b->bytes));
	scratch_begin(&b->made, 2 * b->n);
}

static void begin_sum(build *b)
{
	scratch_begin(&b->other, b->n);
	b->region = mem_zero(sizeof(*b->region));
}

static void begin_list(build *b)
{
	region *r = b->region;

	r->n = b->n;
	r->noisy = b->noisy;
	r->ops = mem_zero(b->n * sizeof(*r->ops));
	b->inputs_room = b->live_ins_room = 0;
	scratch_begin(&b->other, b->n);
}

/* The op of the run that begins at `base` which made input k of the run's op i; REGION_NEVER if
 * none did, or if that run is not in the list. */
static uint32_t maker(const build *b, int64_t base, uint32_t i, unsigned k)
{
	const int64_t at = base + i;
	const record *r;
	uint32_t p;

	if (at < 0 || at >= 2 * (int64_t)b->n)
		return REGION_NEVER;
	r = history_op(b->h, b->pos[at]);
	p = k < r->nin && !record_scalar(r, k) ? scratch_get(&b->made, r->in[k]) : SCRATCH_NONE;
	if (p == SCRATCH_NONE || p < base || p >= at)
		return REGION_NEVER;
	return (uint32_t)(p - base);
}

/* The op of the previous run that made the live-in at input k of op i. */
static uint32_t carrier(const build *b, uint32_t i, unsigned k, uint64_t id)
{
	const uint32_t p = scratch_get(&b->made, id);
	const uint32_t later = b->cut + b->n + i;
	const record *r;
	uint32_t q;

	if (p != SCRATCH_NONE && p < b->cut)
		return p + b->n - b->cut;
	if (later >= 2 * b->n)
		return REGION_NEVER;
	r = history_op(b->h, b->pos[later]);
	q = k < r->nin && !record_scalar(r, k) ? scratch_get(&b->made, r->in[k]) : SCRATCH_NONE;
	return q != SCRATCH_NONE && q >= b->cut && q < b->cut + b->n ? q - b->cut : REGION_NEVER;
}

static int32_t live_in(build *b, uint32_t i, unsigned k, uint64_t id)
{
	region *r = b->region;
	uint32_t m = scratch_get(&b->other, id);

	if (m == SCRATCH_NONE) {
		VEC_ROOM(r->live_ins, r->live_ins_count, b->live_ins_room);
		m = r->live_ins_count++;
		r->live_ins[m] = (region_live_in){ i, carrier(b, i, k, id) };
		scratch_put(&b->other, id, m);
	}
	return (int32_t)~m;
}

/* Where input k comes from. A noisy loop's ops may have been fed by a foreign op in this run: then
 * the neighbouring run is asked. */
static int32_t input_of(build *b, uint32_t i, const record *from, unsigned k)
{
	const int64_t base = b->cut;
	uint32_t p;

	if (record_scalar(from, k))
		return REGION_SCALAR;
	p = maker(b, base, i, k);
	if (p == REGION_NEVER && b->noisy && scratch_get(&b->made, from->in[k]) == SCRATCH_NONE)
		p = maker(b, base + b->n + i < 2 * (int64_t)b->n ? base + b->n : base - b->n, i, k);
	if (p == REGION_NEVER)
		return live_in(b, i, k, from->in[k]);
	b->region->ops[p].last_use = i;
	return (int32_t)p;
}

static bool list_op(build *b)
{
	const uint32_t i = (uint32_t)b->i;
	const record *from = history_op(b->h, b->pos[b->cut + i]);
	region *r = b->region;
	region_op *o = &r->ops[i];

	*o = (region_op){ .op = from->op, .kinds = from->kinds, .nin = from->nin,
		.nopd = from->nopd, .site = from->site, .size = from->size,
		.first = r->inputs_count, .last_use = REGION_NEVER, .freed = REGION_NEVER,
		.attr = from->attr, .metas = from->metas,
		.token = build_token(b, b->cut + i) };
	for (unsigned k = 0; k < o->nin; k++) {
		const int32_t in = input_of(b, i, from, k);

		VEC_ROOM(r->inputs, r->inputs_count, b->inputs_room);
		r->inputs[r->inputs_count++] = in;
	}
	return i + 1 == b->n;
}

/* ---- what happens to the values afterwards ---- */

static region_op *op_that_made(const build *b, uint64_t id)
{
	const uint32_t p = scratch_get(&b->made, id);

	return p != SCRATCH_NONE && p >= b->cut && p < b->cut + b->n ?
		&b->region->ops[p - b->cut] : NULL;
}

/* The op that does in this run what the one that made `id` did in the run before: what happened to
 * that value will happen to this one's, though the history may end before. */
static region_op *op_like(const build *b, uint64_t id)
{
	const uint32_t p = scratch_get(&b->made, id);

	return p < b->cut ? &b->region->ops[p + b->n - b->cut] : NULL;
}

static void note_late_free(const build *b, uint64_t id, uint32_t behind)
{
	region_op *o = op_like(b, id);

	if (o && o->freed == REGION_NEVER)
		o->freed = behind + b->n;
}

static void note_event(build *b, const record *e, uint32_t behind)
{
	region_op *o = e->op == OP_fetch || e->op == OP_free ? op_that_made(b, e->out) : NULL;

	if (!o) {
		if (e->op == OP_free)
			note_late_free(b, e->out, behind);
		return;
	}
	if (e->op == OP_fetch)
		o->read = o->live_out = true;
	else
		o->freed = behind;
}

/* What the next run begins with is used behind the end, though the history may end before. */
static void begin_fates(build *b)
{
	region *r = b->region;

	for (uint32_t m = 0; m < r->live_ins_count; m++)
		if (r->live_ins[m].carried != REGION_NEVER)
			r->ops[r->live_ins[m].carried].live_out = true;
	b->i = b->pos[b->cut];
	b->index[0] = b->cut;    /* the next op of the list to come by */
}

/* One op of the history from the run's first on, foreign ones included. */
static bool note_fates(build *b)
{
	const record *r = history_op(b->h, b->i), *e;
	const bool listed = b->index[0] < 2 * b->n && b->pos[b->index[0]] == b->i;
	const bool inside = listed && b->index[0] < b->cut + b->n;

	for (unsigned k = 0; k < r->nin && !inside; k++) {
		region_op *o = record_scalar(r, k) ? NULL : op_that_made(b, r->in[k]);

		if (!o && !record_scalar(r, k))
			o = op_like(b, r->in[k]);
		if (o)
			o->live_out = true;
	}
	b->index[0] += listed;
	for (uint64_t w = history_events(b->h, b->i); (e = history_event(b->h, b->i, &w));)
		note_event(b, e, b->index[0] - 1 - b->cut);
	if (b->i + 1 < b->h->next)
		return false;
	b->region->signature = region_signature(b->region);
	return true;
}

static const struct phase {
	void (*begin)(build *b);
	bool (*step)(build *b);
} phases[] = {
	{ NULL, check_primitive },
	{ begin_alive, cut_alive },
	{ begin_sum, cut_sum },
	{ NULL, cut_choose },
	{ begin_list, list_op },
	{ begin_fates, note_fates },
};

bool build_step(build *b)
{
	if (b->state != BUILD_BUSY)
		return false;
	if (!phases[b->phase].step(b)) {
		b->i++;
		return true;
	}
	b->i = 0;
	if (b->state == BUILD_BUSY && ++b->phase == COUNT(phases))
		b->state = BUILD_DONE;
	if (b->state != BUILD_BUSY)
		return false;
	if (phases[b->phase].begin)
		phases[b->phase].begin(b);
	return true;
}

region *build_take(build *b)
{
	region *r = b->region;

	b->region = NULL;
	b->state = BUILD_IDLE;
	return r;
}
