/* job.c: the work that is more than a look at one op, cut into steps that are not.
 *
 *	GROW     history and tables move to twice the room
 *	ALIGN    two approximate periods are compared; then BUILD
 *	BUILD    a region is made (build.c)
 *	RELATE   which known loops does it contain? One that is all of it makes it a super-period
 *	CREDIT   its runs in the history before it was noticed, compared exactly, newest first
 *	FOLLOW   its follower catches up with the stream
 *	COMPARE  a loop's last run is compared exactly: some must equal it before it is handed out.
 *	         An input of a noisy loop that is another value in this run, as it is where a
 *	         foreign op came between, becomes a live-in: any value will do
 */
#include "hotpath/track.h"

#include "base/mem.h"
#include "hotpath/token.h"

/* ---- grow ----------------------------------------------------------------------------------- */

/* A pause of milliseconds if it were done at once: megabytes are cleared and given back a slice at
 * a step. */
enum { GROW_COPY, GROW_CLEAR, GROW_GIVE_BACK, GROW_LEARN };
#define CLEARED 1024u            /* entries of the tables, in a step */

void job_grow(track *t)
{
	history_init(&t->larger, 2 * t->h.room);
	t->larger.first = t->larger.next = t->i = t->h.first;
	t->k = GROW_COPY;
	t->job = JOB_GROW;
}

static void finish_copy(track *t)
{
	const history old = t->h;

	t->h = t->larger;
	t->larger = old;
	mem_free(t->seen);
	mem_free(t->before);
	t->seen = mem_alloc(t->h.room * sizeof(*t->seen));
	t->before = mem_alloc(t->h.room * sizeof(*t->before));
	t->i = 0;
	t->k = GROW_CLEAR;
}

static void clear_some(track *t)
{
	const uint64_t n = MIN(CLEARED, t->h.room - t->i);

	memset(t->seen + t->i, 0, n * sizeof(*t->seen));
	memset(t->before + t->i, 0, n * sizeof(*t->before));
	t->i += n;
	if (t->i < t->h.room)
		return;
	t->i = 0;
	t->k = GROW_GIVE_BACK;
}

static void give_some_back(track *t)
{
	if (history_give_back(&t->larger, t->i++))
		return;
	history_fini(&t->larger);
	t->larger = (history){ 0 };
	t->i = t->h.first;
	t->k = GROW_LEARN;
}

static void step_grow(track *t)
{
	switch (t->k) {
	case GROW_COPY:
		history_copy(&t->larger, &t->h, t->i);
		if (++t->i == t->h.next)
			finish_copy(t);
		break;
	case GROW_CLEAR:
		clear_some(t);
		break;
	case GROW_GIVE_BACK:
		give_some_back(t);
		break;
	case GROW_LEARN:
		track_learn(t, t->i);
		if (++t->i == t->h.next)
			t->job = JOB_NONE;
	}
}

/* ---- align ---------------------------------------------------------------------------------- */

#define ANCHORS    4096u         /* ops whose grams are asked for approximate periods */
#define BUCKETS    (18u * 8)     /* of distances: eight to the octave */
#define ANCHOR_MIN 4u            /* that a bucket must hold */

typedef struct bucket { uint32_t count, distance; uint64_t anchor; } bucket;

static unsigned bucket_of(uint64_t d)
{
	const unsigned octave = 63 - (unsigned)__builtin_clzll(d | 8);

	return (octave - 3) * 8 + (unsigned)(d >> (octave - 3) & 7);
}

/* The gram at `a` occurred before at two similar distances: an approximate period. */
static uint64_t distance_at(const track *t, uint64_t a)
{
	const uint64_t mask = t->h.room - 1, d = t->before[a & mask];
	uint64_t e, apart;

	if (d < MAX(t->min_seq, BUILD_GRAM) || a - d < t->h.first || d > REGION_PERIOD_MAX)
		return 0;
	e = t->before[(a - d) & mask];
	apart = d > e ? d - e : e - d;
	return e && a - d - e >= t->h.first && apart <= MAX(d / 8, 8) ? d : 0;
}

/* Whether most anchors at that distance are explained by a half, a third, a quarter of it. */
static bool is_multiple(const bucket *buckets, const bucket *b)
{
	for (uint32_t part = 2; part <= 4; part++) {
		const unsigned k = bucket_of(b->distance / part);
		uint32_t count = buckets[k].count;

		count += k ? buckets[k - 1].count : 0;
		count += k + 1 < BUCKETS ? buckets[k + 1].count : 0;
		if (count >= b->count)
			return true;
	}
	return false;
}

/* The bucket that holds most, together with its neighbours. */
static unsigned fullest(const bucket *buckets)
{
	uint32_t most = 0;
	unsigned best = 1;

	for (unsigned k = 1; k + 1 < BUCKETS; k++) {
		const uint32_t count = buckets[k - 1].count + buckets[k].count +
			buckets[k + 1].count;

		if (buckets[k].count && count > most) {
			most = count;
			best = k;
		}
	}
	return best;
}

/* Whether grams come again at that distance all the time, lately: then it is the period, and what
 * comes again later only is a foreign op in its company. The layers of a step come again as well,
 * but not while other layers do. */
static bool is_everywhere(const track *t, unsigned full, uint64_t least)
{
	const uint64_t most = 2 * (UINT64_C(1) << (full / 8 + 3));     /* one or two distances */
	uint64_t last = t->h.next;

	least += (last - least) / 2;
	for (uint64_t a = last; a-- > least && last - a <= most;) {
		const uint64_t d = distance_at(t, a);

		if (d && bucket_of(d) + 1 >= full && bucket_of(d) <= full + 1)
			last = a;
	}
	return last <= least + most;
}

static void find_anchors(track *t)
{
	bucket buckets[BUCKETS] = { 0 };
	const uint64_t least = t->h.next - MIN(t->h.next - t->h.first, ANCHORS);
	unsigned end = BUCKETS, full;

	for (uint64_t a = t->h.next; a-- > least;) {
		const uint64_t d = distance_at(t, a);
		bucket *b = d ? &buckets[bucket_of(d)] : NULL;

		if (b && !b->count++) {
			b->distance = (uint32_t)d;
			b->anchor = a;
		}
	}
	full = fullest(buckets);
	if (buckets[full].count >= ANCHOR_MIN && is_everywhere(t, full, least))
		end = full + 2;
	t->tries_count = 0;
	for (unsigned k = end; k-- && t->tries_count < COUNT(t->tries);)
		if (buckets[k].count >= ANCHOR_MIN && !is_multiple(buckets, &buckets[k]))
			t->tries[t->tries_count++] = buckets[k].anchor;
}

static void try_next(track *t)
{
	const uint64_t mask = t->h.room - 1;
	uint64_t a, d, e, *pos;

	t->job = JOB_NONE;
	if (!t->tries_count)
		return;
	a = t->tries[0];
	t->tries_count--;
	memmove(t->tries, t->tries + 1, t->tries_count * sizeof(*t->tries));
	d = t->before[a & mask];
	e = t->before[(a - d) & mask];
	pos = build_room(&t->build, (uint32_t)e);
	align_begin(&t->align, &t->h, a - d - e, a - d, a, pos, pos + e);
	t->period = d;
	t->proven = false;
	t->job = JOB_ALIGN;
}

void job_align(track *t)
{
	find_anchors(t);
	try_next(t);
}

static void step_align(track *t)
{
	const align *x = &t->align;

	if (align_step(&t->align))
		return;
	if (x->state == ALIGN_FAILED || x->n < t->min_seq) {
		try_next(t);
		return;
	}
	memmove(x->first + x->n, x->second, x->n * sizeof(*x->second));
	t->build.n = x->n;
	build_begin(&t->build, &t->h,
		x->n != x->middle - x->from || x->n != x->end - x->middle);
	t->job = JOB_BUILD;
}

/* ---- build ---------------------------------------------------------------------------------- */

void job_build(track *t, candidate *c)
{
	uint64_t *pos = build_room(&t->build, (uint32_t)c->period);

	for (uint64_t k = 0; k < 2 * c->period; k++)
		pos[k] = t->h.next - 2 * c->period + k;
	build_begin(&t->build, &t->h, false);
	t->period = c->period;
	t->proven = c->run >= 3 * c->period;
	t->tries_count = 0;
	t->job = JOB_BUILD;
}

static void begin_relate(track *t)
{
	t->job = JOB_RELATE;
	t->k = 0;
	t->i = 0;
}

static void begin_run(track *t)
{
	t->i = 0;
	memset(t->bound, 0, t->subject->region->live_ins_count * sizeof(*t->bound));
}

/* Live-ins of a run of loop l are going to be bound. */
static void make_subject(track *t, loop *l)
{
	t->subject = l;
	if (l->region->live_ins_count >= t->bound_room) {
		t->bound_room = l->region->live_ins_count + 1;
		t->bound = mem_grow(t->bound, t->bound_room * sizeof(*t->bound));
	}
}

static void begin_follow(track *t)
{
	const loop *old = track_find(t, t->young.signature);

	t->counted = old && !old->replaced ? old->done_at : 0;
	t->i = t->start;
	t->young.since = t->start - t->young.runs * t->young.n;
	t->job = JOB_FOLLOW;
}

static void begin_credit(track *t)
{
	const region *r = t->young.region;

	if (r->noisy || t->start - t->h.first < r->n) {
		begin_follow(t);
		return;
	}
	make_subject(t, &t->young);
	t->base = t->start - r->n;
	t->job = JOB_CREDIT;
	begin_run(t);
}

static void step_build(track *t)
{
	if (build_step(&t->build))
		return;
	if (t->build.state == BUILD_REFUSED) {
		track_refuse(t, t->period);
		try_next(t);
		return;
	}
	t->start = t->build.pos[t->build.cut];
	loop_init(&t->young, build_take(&t->build));
	t->young.made_at = t->start;
	t->young.asked = (unsigned)MAX(MIN(t->young.asked, t->threshold), LOOP_EXACT);
	if (track_find(t, t->young.signature))
		begin_follow(t);
	else
		begin_relate(t);
}

/* ---- relate --------------------------------------------------------------------------------- */

/* A loop that makes up the new one makes it a super-period. Unless fresh data comes in between, as
 * it does for a step that is mostly layers. */
static bool is_super_period(const loop *y, const loop *l, uint64_t contained)
{
	return loop_makes_up(l, contained, y->n) && (l->fresh || !y->fresh);
}

/* A noisy loop in which foreign ops happened to repeat. Not if it goes on like that. */
static bool is_variant(const track *t, const loop *l)
{
	return l->noisy && !l->replaced && t->young.n < 2 * l->n && !t->proven;
}

static void drop_young(track *t, bool refuse)
{
	loop_fini(&t->young);
	if (refuse)
		track_refuse(t, t->period);
	try_next(t);
}

static void next_relation(track *t)
{
	t->i = 0;
	if (++t->k == TRACK_LOOPS)
		begin_credit(t);
}

/* The shorter one of loop k and the new one was completed that often, going twice around the
 * longer one. */
static void note_relation(track *t, uint64_t times)
{
	const loop *l = &t->loops[t->k], *y = &t->young;

	if (y->n > l->n && is_super_period(y, l, times * l->n)) {
		drop_young(t, true);
	} else if (y->n > l->n && is_variant(t, l)) {
		drop_young(t, false);
	} else {
		t->young.inner |= 1u << t->k;
		t->young.times[t->k] = y->n > l->n ? (uint32_t)times : 0;
		next_relation(t);
	}
}

/* Whether the new loop and loop k may have to do with each other: the shorter one is looked for in
 * the longer one. A longer one matters if the new one is what it and others have in common. */
static bool may_relate(const loop *y, const loop *l)
{
	return l->n && (l->n < y->n || (y->noisy && l->n > y->n && l->n < 2 * y->n));
}

/* Follow by descs, nothing foreign in between. */
static void follow_strictly(loop *probe, uint64_t desc)
{
	if (probe->descs[probe->at] != desc)
		probe->at = 0;
	if (probe->descs[probe->at] == desc && ++probe->at == probe->n) {
		probe->at = 0;
		probe->runs++;
	}
}

/* One op of the longer loop: two laps by tokens as in the stream, then two by descs for loops that
 * were found in other surroundings. What is completed in the second lap counts. */
static void step_relate(track *t)
{
	const loop *l = &t->loops[t->k], *y = &t->young;
	const loop *shorter = l->n < y->n ? l : y, *longer = l->n < y->n ? y : l;
	uint32_t at;

	if (!may_relate(y, l)) {
		next_relation(t);
		return;
	}
	at = (uint32_t)(t->i % longer->n);
	if (at == 0 && t->i / longer->n % 2 == 0) {
		t->probe = *shorter;
		t->probe.pos = NULL;
		loop_lose(&t->probe);
	}
	if (at == 0)
		t->probe.runs = 0;
	if (t->i / longer->n < 2)
		loop_follow(&t->probe, 0, longer->tokens[at], longer->descs[at]);
	else
		follow_strictly(&t->probe, longer->descs[at]);
	t->i++;
	if (t->i % (2 * (uint64_t)longer->n) == 0 && t->probe.runs)
		note_relation(t, t->probe.runs);
	else if (t->i == 4 * (uint64_t)longer->n)
		next_relation(t);
}

/* ---- credit --------------------------------------------------------------------------------- */

/* Op i of the run that is compared. */
static const record *run_op(const track *t, uint64_t i)
{
	return history_op(&t->h, t->job == JOB_COMPARE ? t->subject->pos[i] : t->base + i);
}

/* Input k of the run's op i is what the region says; binds live-ins on first sight. */
static bool input_fits(track *t, const region_op *o, const record *r, unsigned k)
{
	const int32_t in = t->subject->region->inputs[o->first + k];
	uint64_t *bound;

	if (in == REGION_SCALAR)
		return true;             /* same desc: same kinds */
	if (in >= 0)
		return run_op(t, (uint64_t)in)->out == r->in[k];
	bound = &t->bound[REGION_LIVE_IN(in)];
	if (!*bound)
		*bound = r->in[k];
	return *bound == r->in[k];
}

static bool op_fits(track *t)
{
	const region_op *o = &t->subject->region->ops[t->i];
	const record *r = run_op(t, t->i);

	if (!region_same_desc(o, r))
		return false;
	for (unsigned k = 0; k < o->nin; k++)
		if (!input_fits(t, o, r, k))
			return false;
	return true;
}

static void step_credit(track *t)
{
	const uint32_t n = t->young.n;

	if (!op_fits(t)) {
		begin_follow(t);
	} else if (++t->i == n) {
		t->young.runs++;
		t->young.exact++;
		if (t->base - t->h.first < n) {
			begin_follow(t);
			return;
		}
		t->base -= n;
		begin_run(t);
	}
}

static void step_follow(track *t)
{
	const uint64_t runs = t->young.runs;

	loop_follow(&t->young, t->i, history_token(&t->h, t->i),
		token_desc(history_op(&t->h, t->i)));
	if (t->i <= t->counted)
		t->young.runs = runs;
	if (++t->i < t->h.next)
		return;
	t->job = JOB_NONE;
	track_adopt(t);
}

/* ---- compare -------------------------------------------------------------------------------- */

#define INEXACT_MOST 32u         /* runs that differ before the loop is given up */

/* Its ops may have left the history; and the run it was made from counts once only. */
void job_compare(track *t, loop *l)
{
	if (l->pos[0] < t->h.first || (!l->noisy && l->pos[0] <= l->made_at))
		return;
	make_subject(t, l);
	t->added = l->region->live_ins_count;
	t->job = JOB_COMPARE;
	begin_run(t);
}

/* A loop that is nothing but exceptions is none. */
static bool may_widen(const loop *l)
{
	return l->noisy && l->widened < 4 + l->n / 8;
}

/* Live-ins were added in this run: is the value one of theirs? */
static uint32_t find_added(const track *t, uint64_t id)
{
	const region *r = t->subject->region;

	for (uint32_t m = t->added; m < r->live_ins_count; m++)
		if (t->bound[m] == id)
			return m;
	return REGION_NEVER;
}

/* Input k of the op at hand shall be whatever comes there. Ops that all get the same value instead
 * of the one expected go on sharing it. */
static void widen(track *t, const region_op *o, unsigned k, uint64_t id)
{
	loop *l = t->subject;
	const uint32_t at = o->first + k;
	uint32_t m = find_added(t, id);

	if (m == REGION_NEVER) {
		m = region_widen(l->region, at);
		make_subject(t, l);
		t->bound[m] = id;
		l->widened++;
	} else {
		region_share(l->region, at, m);
	}
}

/* As op_fits; inputs that are others than expected are widened if they may. */
static bool op_is_made_to_fit(track *t)
{
	const region_op *o = &t->subject->region->ops[t->i];
	const record *r = run_op(t, t->i);

	if (!region_same_desc(o, r))
		return false;
	for (unsigned k = 0; k < o->nin; k++) {
		if (input_fits(t, o, r, k))
			continue;
		if (!may_widen(t->subject))
			return false;
		widen(t, o, k, r->in[k]);
	}
	return true;
}

/* The region is another one now: it has to show that it is what repeats. It may be known. */
static bool rename_widened(track *t, loop *l)
{
	region_widened(l->region);
	l->exact = 0;
	if (track_find(t, l->region->signature)) {
		track_evict(t, l);
		return false;
	}
	l->signature = l->region->signature;
	return true;
}

static void step_compare(track *t)
{
	loop *l = t->subject;
	bool fits = op_is_made_to_fit(t);       /* as far as it may be */

	if (fits && ++t->i < l->n)
		return;
	t->job = JOB_NONE;
	if (l->region->live_ins_count > t->added) {
		fits = false;
		if (!rename_widened(t, l))
			return;
	}
	l->exact += fits;
	loop_proved(l);
	l->inexact += !fits;
	if (l->inexact == INEXACT_MOST)
		track_evict(t, l);
	else
		track_check_hot(t, l);
}

void track_step(track *t)
{
	static void (*const steps[])(track *t) = {
		[JOB_GROW] = step_grow, [JOB_ALIGN] = step_align, [JOB_BUILD] = step_build,
		[JOB_RELATE] = step_relate, [JOB_CREDIT] = step_credit, [JOB_FOLLOW] = step_follow,
		[JOB_COMPARE] = step_compare,
	};

	assert(track_busy(t));
	steps[t->job](t);
}
