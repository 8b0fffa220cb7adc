/* hot_walk.c: the way of one instruction through the plans: is it the next op of a run under way,
 * or the first of a region, or nobody's?
 */
#include "worker/hot.h"

#include "ir/cost.h"

/* On the way of every op of a loop. */
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define DOUBTS 8                 /* wrong beginnings in a row before one in two is tried */
#define STALE 4096               /* ops, taken by others, after which a run is given up */

/* ---- is it the op expected? ------------------------------------------------------------------ */

/* Whether the op is the one expected, its wiring included, and all its inputs are there. One pass:
 * in a run that goes on nearly everything is where it was. */
static ALWAYS_INLINE bool gather(tenant *t, hot_run *r, const ins *i, call *c)
{
	match *m = &r->match;
	const pattern_op *o = &m->ops[m->at];
	const uint32_t *in = pattern_inputs(m->p, o);
	uint64_t fresh = 0;

	if (!pattern_heads(o, i))
		return false;
	for (unsigned k = 0; k < i->nin; k++) {
		const uint32_t slot = in[k] & ~MATCH_BIND;
		const uint64_t id = ins_in(i)[k];
		value *v;

		if (UNLIKELY(in[k] == MATCH_SCALAR)) {
			c->metas[k] = NULL;
			continue;
		}
		if (in[k] & MATCH_BIND) {
			m->ids[slot] = id;
			fresh |= UINT64_C(1) << k;
		} else if (m->ids[slot] != id) {
			return false;
		}
		v = r->values[slot];
		/* What has memory is neither poisoned nor pending. */
		if (UNLIKELY(!v || v->id != id || !v->s) &&
				!(v = hot_find(t, r, slot, id, in[k] & MATCH_BIND)))
			return false;
		call_put(c, k, v);
	}
	for (; fresh; fresh &= fresh - 1) {
		const unsigned k = (unsigned)__builtin_ctzll(fresh);

		plan_bind(r->plan, in[k] & ~MATCH_BIND, c->metas[k]);
	}
	return true;
}

/* The result's meta where the inputs' or the sizes are others than before; false if the op is
 * another one than the plan's. */
static __attribute__((noinline)) bool learn(hot_run *r, const ins *i, const call *c,
	meta *out)
{
	const uint32_t at = r->match.at;
	plan *p = r->plan;
	const uint64_t stamp = plan_stamp(p, at);

	if (plan_knows(p, at, stamp, i)) {
		meta_copy(out, &p->slots[at].m);
		return true;
	}
	if (shape_infer(i, c->metas, out) ||
			!match_fits(&r->match, record_metas(op_rows[i->op].kind, i->nin,
				c->metas, out)))
		return false;
	plan_learn(p, at, stamp, i, out, cost_ns(i->op, i->nin ? c->metas[0] : NULL, out));
	return true;
}

static ALWAYS_INLINE bool infer(tenant *t, hot_run *r, const ins *i, const call *c, meta *out)
{
	const uint32_t at = r->match.at;

	if (UNLIKELY(store_count(&t->store) > STORE_VALUES_MAX))
		return false;
	if (UNLIKELY(!plan_rests(r->plan, at, i)))
		return learn(r, i, c, out);
	meta_copy(out, &r->plan->slots[at].m);
	return true;
}

static ALWAYS_INLINE bool accept(tenant *t, hot_run *r, const ins *i, call *c, value *out)
{
	r->fused.chosen = NULL;
	if (fused_wanted(&r->fused, r->match.at)) {
		if (!match_wired(&r->match, i) || !fused_accept(t, r, i))
			return false;
		if (r->fused.chosen)
			return true;
	}
	return gather(t, r, i, c) && infer(t, r, i, c, &out->v.m);
}

/* ---- then run it ----------------------------------------------------------------------------- */

void hot_unlearn(hot *h)
{
	script_give_up(&h->learner->script);
	h->learner = NULL;
}

void hot_learn_control(hot *h, const ins *i)
{
	if (!script_note(&h->learner->script, i, SCRIPT_NEVER))
		h->learner = NULL;
}

/* An op that r has taken. */
static void listen_to(hot *h, hot_run *r, const ins *i, uint32_t at)
{
	if (h->learner != r)
		hot_unlearn(h);
	else if (!script_note(&r->script, i, at))
		h->learner = NULL;
}

/* A run that follows one that was noted all through ends that one's script. */
static void listen(hot *h, hot_run *r)
{
	const bool follows = h->learner == r && !r->match.at;

	if (UNLIKELY(h->learner && !follows))
		hot_unlearn(h);
	r->noting = false;
	if (LIKELY(script_ready(&r->script))) {
		r->noting = !r->match.at && !r->fused.chosen && !calls_ready(&r->calls) &&
			calls_begin(&r->calls, r->plan);
		return;
	}
	h->learner = !r->match.at && script_begin(&r->script, follows) ? r : NULL;
	h->leaps |= script_ready(&r->script);
}

/* The first op of a run, or that where it parts from another one's. */
void hot_enter(hot *h, unsigned k)
{
	hot_run *r = h->runs[k];

	if (UNLIKELY(h->watch.from != NULL || r->family))
		hot_side_enter(h, r);
	h->under_way |= 1u << k;
	r->stumbles = 0;
	/* A loop around this one would not be found in what gets lost either; a side would. */
	r->silent = (r->settled || h->crowded) && !h->watch.from;
	h->silent |= r->silent;
	if (!r->fused.chosen && h->tier >= HOT_COMPILED)
		fused_enter(h, r);
	listen(h, r);
	if (UNLIKELY(h->talks) && !r->runs && !r->doubt)
		hot_say_starting(r);
}

static void check_silence(hot *h)
{
	h->silent = false;
	for (uint32_t left = h->under_way; left; left &= left - 1)
		h->silent |= h->runs[__builtin_ctz(left)]->silent;
}

void hot_complete(hot *h, unsigned k)
{
	hot_run *r = h->runs[k];

	h->under_way &= ~(1u << k);
	if (r->silent) {
		recorder_replay(&h->recorder, r->plan->region->signature, r->plan->region->n);
		h->rest.told += r->clear ? r->plan->region->n : 0;
		check_silence(h);
	}
	r->runs++;
	r->doubt = 0;
	if (UNLIKELY(r->noting)) {
		calls_end(&r->calls, r->plan, &r->script);
		r->noting = false;
		if (calls_ready(&r->calls))
			fused_judge_leaps(&r->fused.judge);
	}
	r->completed = r->moved;
	counter_add(&h->counts.runs, 1);
	fused_complete(h, r);
	if (UNLIKELY(h->watch.from != NULL))
		hot_side_drop(h);
	h->again = k;
	if (UNLIKELY(r->root != NULL))
		hot_side_complete(h, r);
	else
		hot_judge_run(h, r);
}

/* Tier T1: at once. */
static ALWAYS_INLINE void replay(tenant *t, hot_run *r, const ins *i, call *c, value *out)
{
	hot *h = t->hot;
	const uint32_t at = r->match.at;

	if (!r->silent)
		recorder_put(&h->recorder, i, r->plan->pattern.ops[at].metas,
			r->plan->slots[at].size);
	if (UNLIKELY(r->fused.sample != NULL))
		fused_note(r, i, c);
	t->worker->spent += r->plan->slots[at].cost;
	if (UNLIKELY(h->checks))
		hot_check(t, r, i, c, out);
	else
		exec_finish(t, i, c, r->plan->steps[at].run, out);
	if (UNLIKELY(r->noting))
		r->noting = calls_note(&r->calls, r->plan, &r->script,
			at ? r->match.ids[0] : i->out, at, i, c, out);
}

static ALWAYS_INLINE void execute(tenant *t, hot_run *r, unsigned k, const ins *i, call *c,
	value *out)
{
	hot *h = t->hot;
	const uint32_t at = r->match.at;

	h->again = HOT_RUNS_MAX;
	if (!at) {
		leap_file_all(t);
		hot_enter(h, k);
	}
	if (UNLIKELY(h->learner != NULL))
		listen_to(h, r, i, at);
	past_put(&h->past, i);           /* it may turn out to be another loop's */
	if (r->fused.chosen)
		fused_take(t, r, i, out);
	else
		replay(t, r, i, c, out);
	r->values[at] = out;
	h->took = r;
	h->took_k = k;
	r->moved = hot_ops(h);
	counter_add(&h->counts.ops, 1);
	counter_add(&h->counts.replayed, 1);
	if (UNLIKELY(match_take(&r->match, i->out)))
		hot_complete(h, k);
}

static bool offer(tenant *t, unsigned k, const ins *i, call *c, value *out)
{
	hot_run *r = t->hot->runs[k];

	if (!accept(t, r, i, c, out))
		return false;
	execute(t, r, k, i, c, out);
	return true;
}

/* ---- leaving --------------------------------------------------------------------------------- */

/* A run that did not follow a whole one may have begun at the wrong op, one that only looks like
 * the region's first. */
static bool is_guess(const hot_run *r)
{
	return (r->kept && !r->runs) || r->completed + r->match.at + r->match.foreign < r->moved;
}

static bool is_entering(const hot_run *r)
{
	return r->match.at < MIN(MATCH_ENTERING, r->plan->pattern.n) && is_guess(r);
}

/* In a region without foreign ops the first miss says that the guess was wrong, however far it
 * came: waiting for the op that is missed, the run would let the region's beginning pass. */
static bool is_wrong_guess(const hot_run *r)
{
	return is_guess(r) && (is_entering(r) || !r->plan->region->noisy);
}

static void count_exit(hot *h, hot_run *r, uint32_t at)
{
	hot_place *least = r->places;

	r->exits++;
	hot_rest_exit(h, r);
	counter_add(&h->counts.exits, 1);
	for (unsigned k = 0; k < HOT_PLACES; k++) {
		if (r->places[k].at == at || !r->places[k].count)
			least = &r->places[k];
		if (r->places[k].at == at)
			break;
		if (r->places[k].count < least->count)
			least = &r->places[k];
	}
	if (least->at != at)
		*least = (hot_place){ .at = at };
	least->count++;
}

void hot_stop(hot *h, unsigned k)
{
	hot_run *r = h->runs[k];
	const uint32_t at = r->match.at;

	if (!(h->under_way >> k & 1))
		return;
	h->under_way &= ~(1u << k);
	h->quiet = false;
	match_leave(&r->match);
	r->noting = false;
	if (h->learner == r)
		hot_unlearn(h);
	fused_stop(h, r);
	hot_judge_exit(r);
	if (!r->silent)
		return;
	recorder_replay(&h->recorder, 0, at);    /* of no region: these ops were, and are gone */
	check_silence(h);
}

void hot_exit(hot *h, unsigned k)
{
	hot_run *r = h->runs[k];

	hot_side_exit(r);
	if (is_entering(r))
		r->doubt++;
	else
		count_exit(h, r, r->match.at);
	hot_stop(h, k);
}

void hot_rebind(hot *h, uint64_t id)
{
	for (uint32_t left = h->under_way; left; left &= left - 1)
		if (match_knows(&h->runs[__builtin_ctz(left)]->match, id))
			hot_exit(h, (unsigned)__builtin_ctz(left));
}

/* ---- whose op is it? ------------------------------------------------------------------------- */

/* A plan that begins as the run under way did expects this op where that one does not: they part
 * here, and the stream goes on with the other. */
static bool change_over(tenant *t, unsigned from, const ins *i, call *c, value *out)
{
	hot *h = t->hot;
	hot_run *r = h->runs[from];
	const uint32_t at = r->match.at;

	for (unsigned k = 0; k < h->count; k++) {
		hot_run *s = h->runs[k];
		const pattern *p = &s->plan->pattern;

		if ((h->under_way >> k & 1) || s->from != r->from || s->place != r->place ||
				at >= p->n || !pattern_heads(&p->ops[at], i) ||
				pattern_common(p, r->match.p) < at || !hot_allowed(h, s))
			continue;
		match_follow(&s->match, &r->match);
		plan_forget(s->plan, at);
		if (!accept(t, s, i, c, out)) {
			match_leave(&s->match);
			continue;
		}
		hot_enter(h, k);
		s->silent = r->silent;
		r->silent = false;
		check_silence(h);
		hot_exit(h, from);
		execute(t, s, k, i, c, out);
		return true;
	}
	return false;
}

/* The longest runs under way come first. One that had hardly begun begins again if the op could be
 * the region's first. */
static bool go_on(tenant *t, const ins *i, call *c, value *out)
{
	hot *h = t->hot;

	for (uint32_t left = h->under_way; left; left &= left - 1) {
		const unsigned k = (unsigned)__builtin_ctz(left);
		hot_run *r = h->took;

		if (UNLIKELY(k != h->took_k))
			r = h->runs[k];
		if (LIKELY(accept(t, r, i, c, out))) {
			execute(t, r, k, i, c, out);
			return true;
		}
		if (h->count > 1 && change_over(t, k, i, c, out))
			return true;
		if (!pattern_heads(r->plan->pattern.ops, i))
			continue;
		if (!is_wrong_guess(r) && LIKELY(!hot_side_returns(h, r)))
			continue;
		r->doubt += is_wrong_guess(r) && !is_entering(r);
		if (UNLIKELY(h->talks) && !is_entering(r))
			hot_say_missing(h, r, i);
		hot_exit(h, k);
	}
	return false;
}

/* Plans that begin alike are told apart by where in the program their first op comes from. It may
 * be unknown, and after too many wrong guesses nothing is given on it. */
static bool is_elsewhere(const hot_run *r, const ins *i)
{
	const uint32_t site = r->plan->region->ops[0].site;

	return site && i->site && (site != i->site || r->doubt >= DOUBTS);
}

/* The end of a run points at its own beginning. */
static bool begin_again(tenant *t, const ins *i, call *c, value *out)
{
	hot *h = t->hot;
	const unsigned k = h->again;

	return k != HOT_RUNS_MAX && !(h->under_way & ((1u << k) - 1)) &&
		(h->count == 1 || !is_elsewhere(h->runs[k], i)) &&
		hot_allowed(h, h->runs[k]) && offer(t, k, i, c, out);
}

/* Guesses that were wrong several times running may be so for ever, each of them covering the
 * region's beginning where the next one ends: every other one is not made, by chance. */
static bool is_doubtful(const hot *h, const hot_run *r)
{
	return r->doubt >= DOUBTS &&
		atomic_load_explicit(&h->counts.ops, memory_order_relaxed) *
		UINT64_C(0x9e3779b97f4a7c15) >> 63;
}

/* The plans not under way that may begin with this op. */
static uint32_t find_beginnings(hot *h, const ins *i)
{
	uint32_t all = 0;

	for (unsigned k = 0; k < h->count; k++) {
		hot_run *r = h->runs[k];

		if (!(h->under_way >> k & 1) && !r->root &&
				pattern_heads(r->plan->pattern.ops, i) && hot_allowed(h, r) &&
				!is_doubtful(h, r))
			all |= 1u << k;
	}
	return all;
}

static bool is_likelier(const hot_run *a, const hot_run *b, const ins *i)
{
	const bool elsewhere = is_elsewhere(a, i);

	return elsewhere == is_elsewhere(b, i) ? a->doubt < b->doubt : !elsewhere;
}

/* Of those from here the ones that began in vain least often come first, the longest of them. */
static bool begin(tenant *t, const ins *i, call *c, value *out)
{
	hot *h = t->hot;

	for (uint32_t all = find_beginnings(h, i); all;) {
		unsigned best = (unsigned)__builtin_ctz(all);

		for (uint32_t left = all & (all - 1); left; left &= left - 1)
			if (is_likelier(h->runs[__builtin_ctz(left)], h->runs[best], i))
				best = (unsigned)__builtin_ctz(left);
		if (offer(t, best, i, c, out))
			return true;
		all &= ~(1u << best);
	}
	return false;
}

/* A plan for what comes where a run is left. */
static bool begin_aside(tenant *t, const ins *i, call *c, value *out)
{
	hot *h = t->hot;

	for (uint32_t all = hot_side_find(h, i); all; all &= all - 1) {
		const unsigned k = (unsigned)__builtin_ctz(all);
		hot_run *r = h->runs[k];

		if (!accept(t, r, i, c, out))
			continue;
		hot_side_begin(h, r);
		execute(t, r, k, i, c, out);
		return true;
	}
	return false;
}

/* Nobody's op. It is foreign to all runs under way. What other runs took is not, but a run that is
 * not heard of for long has come to its end. */
static void pass(hot *h, const ins *i)
{
	hot_side_miss(h);
	if (!h->under_way)
		return;
	counter_add(&h->counts.passengers, 1);
	for (uint32_t left = h->under_way; left; left &= left - 1) {
		const unsigned k = (unsigned)__builtin_ctz(left);
		hot_run *r = h->runs[k];

		if (match_miss(&r->match) == MATCH_PASSENGER && hot_ops(h) - r->moved <= STALE)
			continue;
		if (UNLIKELY(h->talks) && !is_entering(r))
			hot_say_missing(h, r, i);
		hot_exit(h, k);
	}
}

bool hot_replay(tenant *t, const ins *i, value *out)
{
	hot *h = t->hot;
	call c;

	if (UNLIKELY(h->recorder.excluded) || UNLIKELY(hot_is_over(h)))
		return false;
	if (UNLIKELY(h->trial != NULL)) {
		hot_judge_eager(h);
		if (h->trial)
			return false;
	}
	if (!begin_again(t, i, &c, out) && !go_on(t, i, &c, out) &&
			!begin_aside(t, i, &c, out) && !begin(t, i, &c, out)) {
		pass(h, i);
		return false;
	}
	if (UNLIKELY(h->sync))
		hot_mine_in_place(h);
	return true;
}
