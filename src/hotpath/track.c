/* track.c: what each op of a stream sets off: followers, candidates, looks at the coverage. */
#include "hotpath/track.h"

#include "base/mem.h"
#include "hotpath/mix.h"
#include "hotpath/token.h"

#define CHECK_FIRST   256u
#define CHECK_LAST    4096u
#define SHARE_ENOUGH  80u        /* per cent covered below which an alignment is tried */
#define SHARE_ALL     95u        /* of one loop alone, above: no longer period is waited for */
#define REPEATS       4u         /* a distance seen that often running is a candidate */
#define POSITION_BITS 40u

static void make_tables(track *t)
{
	mem_free(t->seen);
	mem_free(t->before);
	t->seen = mem_zero(t->h.room * sizeof(*t->seen));
	t->before = mem_zero(t->h.room * sizeof(*t->before));
}

static uint64_t power_of_two(uint64_t n)
{
	uint64_t p = 64;

	while (p < n && p < TRACK_WINDOW_MAX)
		p *= 2;
	return p;
}

void track_init(track *t, uint64_t threshold, uint64_t min_seq, uint64_t window)
{
	memset(t, 0, sizeof(*t));
	history_init(&t->h, power_of_two(window));
	build_init(&t->build);
	make_tables(t);
	t->threshold = threshold;
	t->min_seq = MAX(min_seq, 1);
	t->check_step = t->check_at = CHECK_FIRST;
}

void track_fini(track *t)
{
	history_fini(&t->h);
	if (t->job == JOB_GROW)
		history_fini(&t->larger);
	build_fini(&t->build);
	loop_fini(&t->young);
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		loop_fini(&t->loops[k]);
	mem_free(t->seen);
	mem_free(t->before);
	mem_free(t->bound);
}

/* ---- events --------------------------------------------------------------------------------- */

static void put_event(track *t, track_event e)
{
	t->events[t->events_in++ % COUNT(t->events)] = e;
}

bool track_next(track *t, track_event *e)
{
	if (t->events_out == t->events_in)
		return false;
	*e = t->events[t->events_out++ % COUNT(t->events)];
	return true;
}

static void replace(track *t, loop *l)
{
	if (l->n && l->hot && !l->replaced)
		put_event(t, (track_event){ TRACK_REPLACED, l });
	l->replaced = true;
}

/* A hot loop is what the program does: a quarter of the ops since it was last judged, half of them
 * if it is to take over from others, three fifths if it was made by an alignment, which may have
 * taken a foreign op for one of the loop's. What repeated twice by chance is not. */
static bool takes_enough(const track *t, const loop *l)
{
	const unsigned share = l->noisy ? 60 : l->inner ? 50 : 25;

	return (l->runs - l->since_runs) * l->n * 100 >= (t->ops - l->since) * share;
}

static void begin_judging(track *t, loop *l)
{
	l->since = t->ops;
	l->since_runs = l->runs;
}

static void evict(track *t, unsigned k)
{
	for (unsigned j = 0; j < TRACK_LOOPS; j++)
		t->loops[j].inner &= ~(1u << k);
	t->young.inner &= ~(1u << k);
	memset(t->refused, 0, sizeof(t->refused));
	loop_fini(&t->loops[k]);
}

/* A loop that becomes hot takes over from those it contains. */
static void check_hot(track *t, loop *l)
{
	l->last = t->ops;
	if (l->hot || l->replaced || l->runs < t->threshold)
		return;
	if (!takes_enough(t, l)) {
		if (l->runs - l->since_runs >= t->threshold && l->noisy)
			evict(t, (unsigned)(l - t->loops));      /* a better one may be found */
		else if (l->runs - l->since_runs >= t->threshold)
			begin_judging(t, l);
		return;
	}
	l->hot = true;
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if (l->inner >> k & 1)
			replace(t, &t->loops[k]);
	put_event(t, (track_event){ TRACK_HOT, l });
}

/* ---- loops ---------------------------------------------------------------------------------- */

loop *track_find(track *t, uint64_t signature)
{
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if (t->loops[k].n && t->loops[k].signature == signature)
			return &t->loops[k];
	return NULL;
}

/* A free place for a loop; there was one all along, or nobody is owed an event about who leaves. */
static loop *find_place(track *t)
{
	unsigned oldest = 0;

	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		if (!t->loops[k].n)
			return &t->loops[k];
		if (t->loops[k].last < t->loops[oldest].last)
			oldest = k;
	}
	evict(t, oldest);
	return &t->loops[oldest];
}

/* The same region was known: only its surroundings, and so its tokens, have changed. What was
 * replaced begins anew: nobody would look at it if the loop that contains it still ran. */
static void renew(loop *old, loop *young, uint64_t start)
{
	if (!old->replaced) {
		young->runs = old->runs + (old->last <= start ? young->runs : 0);
		young->hot = old->hot;
		young->inner = old->inner;
		young->since = old->since;
		young->since_runs = old->since_runs;
	}
	if (young->hot && !old->region) {        /* was given away already */
		region_free(young->region);
		young->region = NULL;
	}
	loop_fini(old);
}

void track_adopt(track *t)
{
	loop *to = track_find(t, t->young.signature);

	if (to)
		renew(to, &t->young, t->start);
	else
		to = find_place(t);
	*to = t->young;
	memset(&t->young, 0, sizeof(t->young));
	check_hot(t, to);
}

void track_refuse(track *t, uint64_t period)
{
	t->refused[t->refusals++ % COUNT(t->refused)] = period;
}

static bool is_refused(const track *t, uint64_t period)
{
	for (unsigned k = 0; k < COUNT(t->refused); k++)
		if (t->refused[k] == period)
			return true;
	return false;
}

static bool follow(track *t, uint64_t token, uint64_t desc)
{
	bool took = false;

	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		loop *l = &t->loops[k];
		const uint64_t runs = l->runs;

		if (!l->n || !loop_follow(l, token, desc))
			continue;
		took |= !l->replaced;
		if (l->runs != runs)
			check_hot(t, l);
	}
	return took;
}

/* ---- candidates ----------------------------------------------------------------------------- */

/* Whether a loop at least as long runs through the ops that made the candidate. */
static bool is_inside(const track *t, const candidate *c)
{
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if (t->loops[k].n >= c->period && t->loops[k].streak >= c->period)
			return true;
	return false;
}

static void look_at(track *t, candidate *c)
{
	c->due = c->run + c->period;
	if (t->h.next - t->h.first >= 2 * c->period && !is_inside(t, c) &&
			!is_refused(t, c->period))
		job_build(t, c);
}

static void step_candidates(track *t, uint64_t n, uint64_t token)
{
	for (unsigned k = 0; k < TRACK_CANDIDATES; k++) {
		candidate *c = &t->candidates[k];

		if (!c->period)
			continue;
		if (t->solid <= c->period || n - c->period < t->h.first ||
				history_token(&t->h, n - c->period) != token) {
			c->run = 0;
			c->due = c->period;
			continue;
		}
		c->last = n;
		if (++c->run >= c->due && !track_busy(t))
			look_at(t, c);
	}
}

/* Ops up to n that equal those a period earlier. */
static uint64_t count_back(const track *t, uint64_t n, uint64_t period)
{
	const uint64_t most = MIN(n - t->h.first, t->solid - 1);
	uint64_t run = 0;

	while (run < period && run + period <= most &&
			history_token(&t->h, n - run) == history_token(&t->h, n - run - period))
		run++;
	return run;
}

static void add_candidate(track *t, uint64_t n, uint64_t period)
{
	candidate *to = &t->candidates[0];

	for (unsigned k = 0; k < TRACK_CANDIDATES; k++) {
		candidate *c = &t->candidates[k];

		if (c->period == period)
			return;
		if (!to->period)
			continue;
		/* The one to go: free, else without a run, else silent for longest. */
		if (!c->period || (!c->run && (to->run || c->last < to->last)))
			to = c;
	}
	if (to->period && to->run)
		return;
	*to = (candidate){ .period = period, .run = count_back(t, n, period), .due = period,
		.last = n };
	if (to->run >= to->due && !track_busy(t))
		look_at(t, to);
}

/* What the last eight tokens say: which place of the table, and what to recognise them by. */
static uint64_t gram(const track *t, uint64_t n)
{
	uint64_t g = 0;

	for (uint64_t k = 0; k < BUILD_GRAM; k++)
		g = (g + history_token(&t->h, n - k)) * UINT64_C(0x9e3779b97f4a7c15);
	return g ^ g >> 32;
}

void track_learn(track *t, uint64_t n)
{
	const uint64_t mask = (UINT64_C(1) << POSITION_BITS) - 1;
	uint64_t g, *slot, at;

	t->before[n & (t->h.room - 1)] = 0;
	if (n < t->h.first + BUILD_GRAM - 1)
		return;
	g = gram(t, n);
	slot = &t->seen[g & (t->h.room - 1)];
	at = *slot & mask;
	if (at && *slot >> POSITION_BITS == g >> POSITION_BITS && at - 1 >= t->h.first)
		t->before[n & (t->h.room - 1)] = (uint32_t)(n - (at - 1));
	*slot = (g & ~mask) | (n + 1);
}

static void note_distance(track *t, uint64_t n)
{
	uint64_t d;

	track_learn(t, n);
	d = t->before[n & (t->h.room - 1)];
	t->repeated = d == t->distance ? t->repeated + 1 : 1;
	t->distance = d;
	if (t->repeated == REPEATS && d >= t->min_seq && d <= TRACK_PERIOD_MAX)
		add_candidate(t, n, d);
}

/* ---- coverage ------------------------------------------------------------------------------- */

/* Whether a long candidate is well on its way, or a loop runs right now: wait for it. */
static bool is_promising(const track *t)
{
	for (unsigned k = 0; k < TRACK_CANDIDATES; k++) {
		const candidate *c = &t->candidates[k];

		if (c->run >= 64 && c->run >= c->period / 8 && c->run < c->period)
			return true;
	}
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if (t->loops[k].n && t->loops[k].streak >= t->loops[k].n)
			return true;
	return false;
}

static void check_coverage(track *t)
{
	const uint64_t ops = t->ops - t->check_ops;
	uint64_t most = 0;

	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		most = MAX(most, t->loops[k].taken);
		t->loops[k].taken = 0;
	}
	t->single = (unsigned)(most * 100 / ops);
	t->share = (unsigned)((t->covered - t->check_covered) * 100 / ops);
	t->check_ops = t->ops;
	t->check_covered = t->covered;
	t->check_step = MIN(2 * t->check_step, CHECK_LAST);
	t->check_at = t->ops + t->check_step;
	if (t->share < SHARE_ENOUGH / 2)
		memset(t->refused, 0, sizeof(t->refused));
	if (t->share < SHARE_ENOUGH && !is_promising(t))
		job_align(t);
}

static bool wants_growth(const track *t)
{
	const uint64_t most = t->share < SHARE_ENOUGH ? TRACK_WINDOW_MAX :
		t->single < SHARE_ALL ? TRACK_WINDOW_MAX / 2 : 0;

	return t->h.next - t->h.first == t->h.room && t->h.room < most;
}

bool track_push(track *t, const record *r, uint64_t token)
{
	const uint64_t n = t->h.next;
	bool took;

	assert(!track_busy(t));
	history_push_op(&t->h, r, token);
	t->ops++;
	t->solid++;
	took = follow(t, token, token_desc(r));
	t->covered += took;
	step_candidates(t, n, token);
	if (t->solid >= BUILD_GRAM)
		note_distance(t, n);
	if (t->ops >= t->check_at && !track_busy(t))
		check_coverage(t);
	if (!track_busy(t) && UNLIKELY(wants_growth(t)))
		job_grow(t);
	return took;
}

void track_push_event(track *t, const record *r)
{
	history_push_event(&t->h, r);
}

void track_gap(track *t)
{
	t->solid = t->distance = t->repeated = 0;
	for (unsigned k = 0; k < TRACK_CANDIDATES; k++) {
		t->candidates[k].run = 0;
		t->candidates[k].due = t->candidates[k].period;
	}
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		loop_lose(&t->loops[k]);
}
