/* track.c: what each op of a stream sets off: followers, candidates. */
#include "hotpath/track.h"

#include "base/mem.h"
#include "hotpath/mix.h"
#include "hotpath/token.h"

#define SHARE_EXTRA   4u         /* per cent that a small loop adds to what the hot ones take */
#define PAUSE_AFTER   3u         /* doubts; a pause takes .. */
#define PAUSE_TIMES   3u         /* .. so many times as long as the last one */
#define REPEATS       4u         /* a distance seen that often running is a candidate */
#define GROW_EVERY    64u        /* ops between two questions whether the history shall grow */
#define CANDIDATE_LIFE 8192u     /* ops, besides two periods, without one that holds */
#define COUNTED_OPS   4096u      /* ops in which a loop that is followed completes a run */
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
	t->align_step = ALIGN_FIRST;
}

void track_fini(track *t)
{
	for (track_event e; track_next(t, &e);)
		region_free(e.region);
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

void track_tell(track *t, proposal_what what, loop *l)
{
	track_event e = { what, l->n, l->signature, l->runs, NULL };

	if (what == PROPOSAL_HOT) {
		e.region = l->region;
		l->region = NULL;
	}
	assert(t->events_in - t->events_out < COUNT(t->events));
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
		track_tell(t, PROPOSAL_REPLACED, l);
	l->replaced = true;
	loop_lose(l);
	follow_list(t);
}

/* Whether the inner loop runs inside of l, and hardly outside: two branches in changing order are
 * not replaced by their combinations. */
static bool runs_inside(const track *t, const loop *l, unsigned k)
{
	const uint64_t all = t->loops[k].runs - l->before[k];
	const uint64_t inside = (l->runs - l->since_runs) * l->times[k];

	return !l->times[k] || !t->loops[k].hot || t->loops[k].replaced || inside * 5 >= all * 4 ||
		all < inside + 2 * l->times[k];
}

static bool contains_inner(const track *t, const loop *l)
{
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if ((l->inner >> k & 1) && !runs_inside(t, l, k))
			return false;
	return true;
}

/* A hot loop is what the program does: a quarter of the ops since it was last judged, half of them
 * if it is to take over from others; more if it was made by an alignment, which may have taken a
 * foreign op for one of the loop's. */
static bool takes_enough(const track *t, const loop *l)
{
	const uint64_t ops = t->ops - l->since, took = (l->runs - l->since_runs) * l->n;
	const unsigned share = l->widened ? 50 : l->noisy ? (l->inner ? 80 : 60) : l->inner ? 50 : 25;

	return took * 100 >= ops * share && contains_inner(t, l);
}

/* A step may come in many variants, each of them poor: once it was doubted, little is enough that
 * no other one takes. */
static bool adds_enough(const track *t, const loop *l)
{
	return l->doubts && !l->noisy && !l->inner && l->runs - l->since_runs >= t->threshold &&
		l->extra * 100 >= (t->ops - l->since) * SHARE_EXTRA;
}

void track_judge(track *t, loop *l)
{
	l->since = t->ops;
	l->since_runs = l->runs;
	l->extra = 0;
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		l->before[k] = t->loops[k].runs;
}

void track_evict(track *t, loop *l)
{
	const uint32_t bit = 1u << (l - t->loops);

	if (l->hot && !l->replaced) {
		track_tell(t, PROPOSAL_RETIRED, l);
		t->past_runs += l->runs;
		t->past_hot_runs += l->runs - MIN(l->runs, t->threshold);
	}
	for (unsigned j = 0; j < TRACK_LOOPS; j++)
		t->loops[j].inner &= ~bit;
	t->young.inner &= ~bit;
	memset(t->refused, 0, sizeof(t->refused));
	loop_fini(l);
	follow_list(t);
}

/* Runs by which a loop is judged: as many as make it hot, twice as many after each doubt, so that
 * luck does not help. */
static uint64_t runs_asked(const track *t, const loop *l)
{
	return t->threshold << MIN(l->doubts, 10u);
}

void track_try_another(track *t, loop *l)
{
	track_evict(t, l);
	t->align_at = MIN(t->align_at, t->ops + ALIGN_FIRST);
}

/* It does not take enough: it has to show that once more. */
static void doubt(track *t, loop *l)
{
	if (l->runs - l->since_runs < runs_asked(t, l))
		return;
	if (l->noisy) {
		track_try_another(t, l);
		return;
	}
	if (++l->doubts >= PAUSE_AFTER)
		follow_pause(t, l, PAUSE_TIMES * (t->ops - l->since));
	else
		track_judge(t, l);
}

/* A loop that becomes hot takes over from those it contains. */
void track_check_hot(track *t, loop *l)
{
	l->last = t->ops;
	if (l->hot || l->replaced || l->runs < t->threshold || !loop_proven(l))
		return;
	if (l->doubts && l->runs - l->since_runs < runs_asked(t, l) && !adds_enough(t, l))
		return;
	if (!takes_enough(t, l) && !adds_enough(t, l)) {
		doubt(t, l);
		return;
	}
	l->hot = true;
	t->align_step = ALIGN_FIRST;
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if (l->inner >> k & 1)
			replace(t, &t->loops[k]);
	track_tell(t, PROPOSAL_HOT, l);
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
	track_evict(t, &t->loops[oldest]);
	return &t->loops[oldest];
}

/* The same region was known: only its surroundings, and so its tokens, have changed. What was
 * replaced begins anew: nobody would look at it if the loop that contains it still ran. The young
 * one has counted the runs that the old one did not. */
static void renew(loop *old, loop *young)
{
	if (!old->replaced) {
		young->runs += old->runs;
		young->hot = old->hot;
		young->inner = old->inner;
		memcpy(young->times, old->times, sizeof(old->times));
		memcpy(young->before, old->before, sizeof(old->before));
		young->since = old->since;
		young->since_runs = old->since_runs;
		young->extra = old->extra;
		young->doubts = old->doubts;
		young->exact = MAX(young->exact, old->exact);
		young->asked = MIN(young->asked, old->asked);
		young->settled = old->settled;
		young->partial = old->partial;
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

	if (!to || to->replaced)
		track_judge(t, &t->young);
	if (to)
		renew(to, &t->young);
	else
		to = find_place(t);
	*to = t->young;
	loop_proved(to);
	memset(&t->young, 0, sizeof(t->young));
	follow_list(t);
	track_check_hot(t, to);
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

/* ---- candidates ----------------------------------------------------------------------------- */

/* Whether a loop at least as long runs through the ops that made the candidate. */
static bool is_inside(const track *t, const candidate *c)
{
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		if (t->loops[k].n >= c->period && t->loops[k].streak >= c->period)
			return true;
	return false;
}

/* It would be refused when it is built: a loop that brings its own fresh data makes it up. */
static bool is_made_up(const track *t, const candidate *c)
{
	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		const loop *l = &t->loops[k];

		if (l->n && !l->replaced && l->fresh && loop_made_up(l, t->h.next - 1, c->period))
			return true;
	}
	return false;
}

/* A loop of that length that was counted often enough completed a run lately, or pauses: most likely
 * it is that one, and it is told by its tokens as they are. It is another one if it went on for two
 * periods in which that one completed none. */
static bool is_counted(const track *t, const candidate *c)
{
	const uint64_t ops = c->run < 2 * c->period ? MAX(2 * c->period, COUNTED_OPS) : c->run;
	const uint64_t lately = t->h.next - MIN(t->h.next, ops);

	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		const loop *l = &t->loops[k];

		if (l->n == c->period && !l->replaced && l->runs >= t->threshold &&
				(l->paused || loop_last_end(l) > lately))
			return true;
	}
	return false;
}

static void look_at(track *t, candidate *c)
{
	c->due = c->run + c->period;
	if (t->h.next - t->h.first >= 2 * c->period && !is_inside(t, c) &&
			!is_refused(t, c->period) && !is_made_up(t, c) && !is_counted(t, c))
		job_build(t, c);
}

static void step_candidates(track *t, uint64_t n, uint64_t token)
{
	const uint64_t most = MIN(n - t->h.first, t->solid - 1), mask = t->h.room - 1;
	const uint64_t *all = t->h.token;

	for (unsigned k = 0; k < TRACK_CANDIDATES; k++) {
		candidate *c = &t->candidates[k];

		if (!c->period)
			continue;
		if (c->period > most || all[(n - c->period) & mask] != token) {
			c->run = 0;
			c->due = c->period;
			if (n - c->last > CANDIDATE_LIFE + 2 * c->period)
				c->period = 0;
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

/* The hash of the last eight tokens rolls: a new one comes in, the one before the eighth leaves. */
#define ROLL   UINT64_C(0x9e3779b97f4a7c15)
#define ROLL_2 (ROLL * ROLL)
#define ROLL_8 (ROLL_2 * ROLL_2 * ROLL_2 * ROLL_2)
_Static_assert(BUILD_GRAM == 8, "ROLL_8 takes the token out that leaves");

/* Which place of the table, and what to recognise the tokens by. */
static uint64_t gram(uint64_t rolled)
{
	return rolled ^ rolled >> 32;
}

static uint64_t rolled_at(const track *t, uint64_t n)
{
	uint64_t rolled = 0;

	for (uint64_t k = BUILD_GRAM; k--;)
		rolled = rolled * ROLL + history_token(&t->h, n - k);
	return rolled;
}

/* Op n has come, the history may have lost more than one for it. */
static void roll(track *t, uint64_t n)
{
	uint64_t leaves;

	if (UNLIKELY(n < t->h.first + BUILD_GRAM)) {
		t->roll = n < t->h.first + BUILD_GRAM - 1 ? 0 : rolled_at(t, n);
		return;
	}
	leaves = history_token(&t->h, n - BUILD_GRAM);
	t->roll = t->roll * ROLL + history_token(&t->h, n) - leaves * ROLL_8;
}

static void learn(track *t, uint64_t n, uint64_t g)
{
	const uint64_t mask = (UINT64_C(1) << POSITION_BITS) - 1;
	uint64_t *slot, at;

	t->before[n & (t->h.room - 1)] = 0;
	slot = &t->seen[g & (t->h.room - 1)];
	at = *slot & mask;
	if (at && *slot >> POSITION_BITS == g >> POSITION_BITS && at - 1 >= t->h.first)
		t->before[n & (t->h.room - 1)] = (uint32_t)(n - (at - 1));
	*slot = (g & ~mask) | (n + 1);
}

void track_learn(track *t, uint64_t n)
{
	if (n >= t->h.first + BUILD_GRAM - 1)
		learn(t, n, gram(rolled_at(t, n)));
}

static void note_distance(track *t, uint64_t n)
{
	uint64_t d;

	learn(t, n, gram(t->roll));
	d = t->before[n & (t->h.room - 1)];
	t->repeated = d == t->distance ? t->repeated + 1 : 1;
	t->distance = d;
	if (t->repeated == REPEATS && d >= t->min_seq && d <= REGION_PERIOD_MAX)
		add_candidate(t, n, d);
}

/* ---- ops ------------------------------------------------------------------------------------- */

track_took track_push(track *t, const record *r, uint64_t token)
{
	const uint64_t n = t->h.next;
	track_took took;

	assert(!track_busy(t));
	history_push_op(&t->h, r, token);
	roll(t, n);
	__builtin_prefetch(&t->seen[gram(t->roll) & (t->h.room - 1)], 1);
	t->ops++;
	t->solid++;
	took = follow_op(t, n, token, token_desc(r));
	t->covered += took != TRACK_FOREIGN;
	step_candidates(t, n, token);
	if (t->solid >= BUILD_GRAM)
		note_distance(t, n);
	if (t->ops >= t->check_at && !track_busy(t))
		cover_check(t);
	if (n % GROW_EVERY == 0 && t->h.next - t->h.first == t->h.room && !track_busy(t) &&
			cover_wants_growth(t))
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

size_t track_bytes(const track *t)
{
	size_t bytes = t->h.room * (HISTORY_WORDS + 3) * sizeof(uint64_t) + t->h.room * 4;

	bytes += t->build.capacity * (2 * 8 + 2 * 4 + 8) +
		(t->build.made.capacity + t->build.other.capacity) * sizeof(scratch_slot);
	for (unsigned k = 0; k < TRACK_LOOPS; k++)
		bytes += t->loops[k].n * (3 * sizeof(uint64_t) + sizeof(region_op));
	return bytes;
}

void track_pass(track *t, uint64_t ops)
{
	t->ops += ops;
	t->covered += ops;
	t->check_ops += ops;
	t->check_covered += ops;
	t->check_at += ops;
	t->align_at += ops;
	t->solo_since += ops;
	t->passed = t->ops;
}

void track_replay(track *t, loop *l)
{
	track_gap(t);
	l->runs++;
	l->taken += l->n;
	l->alone += l->n;
	t->ops += l->n;
	t->covered += l->n;
	track_check_hot(t, l);
}
