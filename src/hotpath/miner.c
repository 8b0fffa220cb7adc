/* miner.c: feeds the tracks, the whole stream's first, and the separate graphs' when that covers
 * too little; collects what they propose. */
#include "hotpath/miner_parts.h"

#include "base/mem.h"

#define GRAPHS_AFTER  4096u      /* ops badly covered before graphs are looked at */
#define GRAPHS_SHARE  80u        /* per cent of the stream that is enough */
#define LOOK          4096u      /* ops between two looks at who takes what */
#define REST_SHARE    95u        /* per cent that graphs take: the whole stream is left alone, .. */
#define REST_LOOKS    16u        /* .. but for one look in so many */

miner *miner_new(const miner_options *o)
{
	miner *m = mem_zero(sizeof(*m));

	m->options = *o;
	tokens_init(&m->tokens);
	track_init(&m->whole, o->threshold, o->min_seq, o->window);
	scopes_init(&m->scopes, o->everything);
	sides_init(&m->sides, o->threshold, o->min_seq);
	return m;
}

void miner_free(miner *m)
{
	if (!m)
		return;
	for (size_t k = m->taken; k < m->queued; k++)
		region_free(m->queue[k].region);
	mem_free(m->queue);
	graphs_stop(&m->graphs);
	track_fini(&m->whole);
	scopes_fini(&m->scopes);
	sides_fini(&m->sides);
	tokens_fini(&m->tokens);
	mem_free(m);
}

/* ---- proposals ------------------------------------------------------------------------------ */

static void queue(miner *m, const proposal *p)
{
	VEC_ROOM(m->queue, m->queued, m->room);
	m->queue[m->queued++] = *p;
}

static bool is_hot_in(track *t, uint64_t signature)
{
	const loop *l = track_find(t, signature);

	return l && l->hot && !l->replaced;
}

/* Whether a region still is a hot loop somewhere, or what a scope asked for. */
static bool is_wanted(miner *m, uint64_t signature)
{
	for (unsigned k = 0; k < TRACKS; k++)
		if (track_at(m, k) && is_hot_in(track_at(m, k), signature))
			return true;
	return scopes_told(&m->scopes, signature);
}

/* What somebody else wants stays, but who would have settled it is gone: it is recorded again. */
static void propose(miner *m, const track_event *e)
{
	const bool leaves = e->what == PROPOSAL_REPLACED || e->what == PROPOSAL_RETIRED;
	const proposal p = { .signature = e->signature, .n = e->n, .runs = e->runs, .at = m->ops,
		.what = leaves && is_wanted(m, e->signature) ? PROPOSAL_UNSETTLED : e->what,
		.region = e->region };

	queue(m, &p);
}

static void propose_scope(miner *m, scope_news news)
{
	const proposal gone = { .what = PROPOSAL_RETIRED, .signature = news.retired.signature,
		.n = news.retired.n, .runs = news.retired.runs, .at = m->ops, .scope = true };

	if (news.retired.n && !is_wanted(m, gone.signature))
		queue(m, &gone);
	if (news.region && m->in_scope)
		news.region->mode = m->mode;
	if (news.region)
		queue(m, &(proposal){ .what = PROPOSAL_HOT, .signature = news.region->signature,
			.n = news.region->n, .runs = news.runs, .at = m->ops, .scope = true,
			.region = news.region });
}

static void propose_side(miner *m, side_news news)
{
	if (news.region)
		queue(m, &(proposal){ .what = PROPOSAL_HOT, .signature = news.region->signature,
			.n = news.region->n, .runs = news.runs, .at = m->ops, .side = news.place,
			.eager = news.eager, .region = news.region });
}

static void collect(miner *m, track *t)
{
	track_event e;

	while (track_next(t, &e))
		propose(m, &e);
}

const proposal *miner_peek(const miner *m)
{
	return m->taken == m->queued ? NULL : &m->queue[m->taken];
}

bool miner_next(miner *m, proposal *p)
{
	if (m->taken == m->queued)
		return false;
	*p = m->queue[m->taken++];
	if (m->taken == m->queued)
		m->taken = m->queued = 0;
	return true;
}

/* ---- what goes to whom ---------------------------------------------------------------------- */

/* Whether the whole stream's track counts the region's runs, or a scope does. */
static bool is_known(miner *m, uint64_t signature)
{
	const loop *l = track_find(&m->whole, signature);

	return (l && !l->replaced) || scopes_told(&m->scopes, signature);
}

static void count_past(miner *m, const track *t)
{
	m->past_runs += t->past_runs;
	m->past_hot_runs += t->past_hot_runs;
	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		const loop *l = &t->loops[k];

		if (!l->n || l->replaced || is_known(m, l->signature))
			continue;
		m->past_runs += l->runs;
		m->past_hot_runs += l->runs - MIN(l->runs, m->options.threshold);
	}
}

/* What a graph's track has proposed is the whole stream's business again; what that has proposed as
 * well stays. */
static void retire_all(miner *m, const track *t)
{
	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		const loop *l = &t->loops[k];

		if (l->hot && !l->replaced && !is_hot_in(&m->whole, l->signature) &&
				!scopes_told(&m->scopes, l->signature))
			queue(m, &(proposal){ .what = PROPOSAL_RETIRED, .signature = l->signature,
				.n = l->n, .runs = l->runs, .at = m->ops });
	}
	count_past(m, t);
}

static void lose(void *m, const track *t)
{
	retire_all(m, t);
}

/* Graphs take nearly everything: the whole stream need not be mined, mostly. */
static bool rests(const miner *m)
{
	return m->looks % REST_LOOKS != 0;
}

static void choose_rest(miner *m)
{
	const uint64_t ops = m->ops - m->look_ops, covered = m->covered - m->look_covered;
	const bool enough = covered * 100 >= ops * REST_SHARE;

	m->look_ops = m->ops;
	m->look_covered = m->covered;
	m->looks = m->graphs.on && enough ? m->looks + 1 : 0;
	if (m->looks % REST_LOOKS == 1)          /* what comes then does not continue this */
		track_gap(&m->whole);
}

static bool is_far(const miner *m)
{
	return !m->graphs.on && !m->scopes.everything && !m->scopes.open &&
		m->whole.share >= GRAPHS_SHARE && track_is_far(&m->whole);
}

/* Separate graphs are looked at as long as the whole stream is covered badly. */
static void choose_graphs(miner *m)
{
	const miner_options *o = &m->options;

	if (m->ops % LOOK == 0) {
		choose_rest(m);
		m->doze.far = is_far(m) ? m->doze.far + 1 : 0;
	}
	if (m->whole.share >= GRAPHS_SHARE) {
		m->bad_since = m->ops;
		for (unsigned k = 1; k < TRACKS && m->graphs.on; k++)
			if (track_at(m, k))
				retire_all(m, track_at(m, k));
		graphs_stop(&m->graphs);
		m->looks = 0;
		m->last = NULL;
	} else if (!m->graphs.on && (company_is_woven(&m->company) ||
			m->ops - m->bad_since >= GRAPHS_AFTER)) {
		graphs_start(&m->graphs, &m->tokens, o->threshold, o->min_seq, o->window);
		m->graphs.lost = lose;
		m->graphs.lost_ctx = m;
	}
}

/* The ops that follow do not continue those before. */
static void break_off(miner *m)
{
	for (unsigned k = 0; k < TRACKS; k++)
		if (track_at(m, k))
			track_gap(track_at(m, k));
	m->last = NULL;
}

static void forget_all(miner *m)
{
	tokens_forget(&m->tokens);
	break_off(m);
}

static void fall_asleep(miner *m)
{
	const uint64_t ops = doze_begin(&m->doze, m->ops);

	forget_all(m);
	if (m->from)
		recorder_nap(m->from, ops);
}

static void wake(miner *m)
{
	const uint64_t ops = doze_end(&m->doze, m->ops);

	m->skipped += ops;
	forget_all(m);
	track_pass(&m->whole, ops);
	if (m->from)
		recorder_nap(m->from, 0);
}

/* True if the op is not to be looked at. */
static bool is_dozing(miner *m)
{
	if (m->doze.asleep && m->ops >= m->doze.until)
		wake(m);
	else if (!m->doze.asleep && doze_wants_nap(&m->doze, m->ops, m->ops - m->idle_since))
		fall_asleep(m);
	return m->doze.asleep;
}

/* The op is a scope's, or that of a stream that is compiled whole. */
static void list_op(miner *m, const record *r)
{
	scopes_op(&m->scopes, r);
	if (m->scopes.run.list->n < SCOPE_OPS_MAX)
		return;
	propose_scope(m, scopes_end(&m->scopes));
	scopes_begin(&m->scopes);
}

/* What ends a region that nobody has named, and no scope is at hand. */
static void end_unnamed(miner *m)
{
	if (m->scopes.everything && !m->in_scope)
		propose_scope(m, scopes_end(&m->scopes));
}

static track_took push_whole(miner *m, const record *r, uint64_t token)
{
	track_took took;

	m->last = NULL;
	if (rests(m))
		return TRACK_FOREIGN;
	took = track_push(&m->whole, r, token);
	collect(m, &m->whole);
	if (took == TRACK_HOT)
		m->last = &m->whole;
	company_note(&m->company, token, m->whole.distance != 0);
	return took;
}

static void feed_op(miner *m, const record *r)
{
	track_took took;
	track *part;
	sig *made;
	uint64_t token;

	m->ops++;
	if (m->scopes.open)
		list_op(m, r);
	if (m->sides.open)
		sides_op(&m->sides, r);
	if (m->options.scopes_only || is_dozing(m))
		return;
	token = tokens_op(&m->tokens, r, &made);
	part = m->graphs.on ? graphs_route(&m->graphs, &m->tokens, r, made) : NULL;
	took = push_whole(m, r, token);
	if (part) {
		const track_took took_part = track_push(part, r, token);

		collect(m, part);
		if (took_part == TRACK_HOT && !m->last)
			m->last = part;
		took = MAX(took, took_part);
	}
	m->covered += took != TRACK_FOREIGN;
	m->hot_covered += took == TRACK_HOT;
	if (took)
		m->idle_since = m->ops;
	if ((m->ops % LOOK == 0 || company_is_woven(&m->company)) && !track_busy(&m->whole) &&
			!(part && track_busy(part)))
		choose_graphs(m);
}

static void feed_event(miner *m, const record *r)
{
	if (r->op == OP_free) {
		scopes_free(&m->scopes, r->out);
		sides_free(&m->sides, r->out);
	}
	if (r->op == OP_fetch)
		end_unnamed(m);
	if (r->op == OP_begin && r->out)
		m->mode = (uint8_t)r->out;
	if (m->doze.asleep || m->options.scopes_only)
		return;
	for (unsigned k = rests(m); k < TRACKS; k++)
		if (track_at(m, k))
			track_push_event(track_at(m, k), r);
	if (r->op == OP_free)
		tokens_free(&m->tokens, r->out);
}

static void feed_replay(miner *m, const record *r)
{
	m->ops += r->out;
	m->covered += r->out;
	m->hot_covered += r->out;
	m->idle_since = m->ops;
	scopes_replay(&m->scopes, r->attr);
	scopes_spoil(&m->scopes);
	for (unsigned k = 0; k < TRACKS; k++) {
		track *t = track_at(m, k);
		loop *l = t ? track_find(t, r->attr) : NULL;

		if (l)
			track_replay(t, l);
		else if (t)
			track_gap(t);
		if (t)
			collect(m, t);
	}
}

/* What the executor says of stretches between runs of its plans. */
static void feed_side(miner *m, const record *r)
{
	switch (r->op) {
	case RECORD_LEFT:
		sides_begin(&m->sides, (side_place){ r->attr, (uint32_t)r->out });
		break;
	case RECORD_BACK:
		propose_side(m, sides_end(&m->sides, r->out));
		break;
	case RECORD_ASTRAY:
		sides_spoil(&m->sides);
		break;
	default:                 /* RECORD_UNUSED */
		sides_forget(&m->sides, r->attr);
	}
}

/* The executor may have seen the wish after the miner was awake again; or it has rested by itself. */
static void feed_nap(miner *m, uint64_t ops, bool stirs)
{
	m->ops += ops;
	scopes_spoil(&m->scopes);
	sides_spoil(&m->sides);
	if (m->doze.asleep && stirs) {
		wake(m);
		return;
	}
	forget_all(m);
	if (m->doze.asleep)
		return;
	m->skipped += ops;
	track_pass(&m->whole, ops);
}

static void feed_mark(miner *m, const record *r)
{
	switch (r->op) {
	case RECORD_LEFT:
	case RECORD_BACK:
	case RECORD_ASTRAY:
	case RECORD_UNUSED:
		feed_side(m, r);
		break;
	case RECORD_GAP:
		m->lost += r->out;
		scopes_spoil(&m->scopes);
		sides_spoil(&m->sides);
		m->in_scope = false;
		forget_all(m);
		break;
	case RECORD_SKIP:
		m->ops += r->out;
		scopes_spoil(&m->scopes);
		sides_spoil(&m->sides);
		break_off(m);
		break;
	case RECORD_NAP:
		feed_nap(m, r->out, r->attr);
		break;
	case RECORD_REPLAY:
		feed_replay(m, r);
		break;
	case RECORD_FLUSH:
		end_unnamed(m);
		break;
	default:                 /* RECORD_BEGIN, RECORD_END */
		propose_scope(m, scopes_end(&m->scopes));
		m->in_scope = r->op == RECORD_BEGIN;
		if (m->in_scope)
			scopes_begin(&m->scopes);
	}
}

/* No track is busy. */
static void feed(miner *m, const record *r)
{
	if (r->op >= RECORD_GAP)
		feed_mark(m, r);
	else if (op_has_result(&op_rows[r->op]))
		feed_op(m, r);
	else
		feed_event(m, r);
}

/* ---- work ----------------------------------------------------------------------------------- */

static track *find_busy(miner *m)
{
	for (unsigned k = 0; k < TRACKS; k++) {
		track *t = track_at(m, k);

		if (t && track_busy(t))
			return t;
	}
	return NULL;
}

bool miner_is_busy(miner *m)
{
	return find_busy(m);
}

/* A step of the work at hand; false if there is none. */
static bool work(miner *m)
{
	track *t = find_busy(m);

	if (!t)
		return false;
	track_step(t);
	collect(m, t);
	return true;
}

size_t miner_run(miner *m, recorder *r, size_t steps)
{
	m->from = r;
	for (size_t done = 0; done < steps; done++) {
		const record *first;

		if (work(m))
			continue;
		first = recorder_peek(r);
		if (!first)
			return done;
		feed(m, first);
		recorder_pop(r, first);
	}
	return steps;
}

void miner_feed(miner *m, const record *r)
{
	m->from = NULL;
	feed(m, r);
	while (work(m))
		;
}
