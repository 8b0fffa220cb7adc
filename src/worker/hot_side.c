/* hot_side.c: side plans: where the stream goes on when runs leave their region at one place again
 * and again, up to where the region begins anew.
 *
 * A place is a run and the op expected next; 0 is the region's end, behind which its beginning did
 * not come. Once runs were left at a place, what comes behind it is *watched*: the miner is told
 * where such a stretch begins and ends, and proposes those that come often (hotpath/side.h). Their
 * plans are runs like any other, with three differences: they begin at their place only, the run
 * that they leave is over then, and behind their end the root's beginning is expected. A side may
 * be left as well, so sides have sides; all of them belong to one root and go with it.
 */
#include "worker/hot.h"

#define EXITS        1           /* at a place, before what comes behind it is watched */
#define WRONG_MOST   4           /* runs that were left for a beginning that was none, .. */
#define WRONG_ONE_IN 16          /* .. and one more for so many times that it was one */
#define LEAST        3           /* ops of a stretch that led to something */
#define VAIN_STEP    8           /* times in vain, in a row, behind which one watches half as often */
#define RETURNING    UINT64_MAX
#define SIDES_MOST   8           /* of a root */
#define IDLE_RUNS    4096        /* of the root without one of the side: it goes */

static hot_run *root_of(hot_run *r)
{
	return r->root ? r->root : r;
}

static unsigned index_of(const hot *h, const hot_run *r)
{
	unsigned k = 0;

	while (h->runs[k] != r)
		k++;
	return k;
}

static bool is_under_way(const hot *h, const hot_run *r)
{
	return h->under_way >> index_of(h, r) & 1;
}

/* ---- places ---------------------------------------------------------------------------------- */

/* The run that did not expect the op at hand, the first such one, or behind whose end it comes;
 * NULL: there is none. */
static hot_run *find_place(hot *h, uint32_t *at)
{
	hot_run *r = h->took_k == HOT_RUNS_MAX ? NULL : h->took;

	if (r && h->under_way >> h->took_k & 1) {
		*at = r->match.at;
		return r->match.foreign ? NULL : r;
	}
	r = h->again == HOT_RUNS_MAX ? NULL : h->runs[h->again];
	*at = 0;
	return r && r->completed + 1 == hot_ops(h) ? r : NULL;
}

/* Whether it was left there before. */
static bool was_left(const hot_run *r, uint32_t at)
{
	for (unsigned k = 0; k < HOT_PLACES; k++)
		if (r->places[k].at == at)
			return r->places[k].count >= EXITS;
	return false;
}

/* ---- watching what comes --------------------------------------------------------------------- */

void hot_side_drop(hot *h)
{
	h->watch.from->vain++;
	h->watch.from = NULL;
	recorder_mark(&h->recorder, RECORD_ASTRAY, 0, 0);
}

/* It went on where it was left, or so much has come that it is somewhere else. */
static bool is_stale(const hot *h, const hot_watch *w, uint64_t ops)
{
	return (is_under_way(h, w->from) && w->from->match.at != w->at) ||
		ops - w->ops > SIDE_OPS_MAX;
}

/* Another run whose ops are not recorded would leave holes in the stretch. */
static bool has_holes(const hot *h, const hot_run *from)
{
	for (uint32_t left = h->under_way; left; left &= left - 1) {
		const hot_run *r = h->runs[__builtin_ctz(left)];

		if (r != from && r->silent)
			return true;
	}
	return h->crowded;
}

/* Foreign ops that come at a place where runs were left, too, are not worth much. */
static bool is_worth_it(hot_run *r)
{
	return !(r->chances++ & ((1u << MIN(r->vain / VAIN_STEP, 12u)) - 1));
}

/* A stretch behind op `at` of r is to be watched. */
static bool is_wanted(const hot *h, hot_run *r, uint32_t at)
{
	r->strays += !at;
	return (h->watch.declined || ((at ? was_left(r, at) : r->strays > EXITS) &&
		is_worth_it(r))) && !has_holes(h, r);
}

void hot_side_miss(hot *h)
{
	hot_watch *w = &h->watch;
	const uint64_t ops = hot_ops(h);
	hot_run *r;
	uint32_t at;

	if (w->from && is_stale(h, w, ops))
		hot_side_drop(h);
	if (w->from || !(r = find_place(h, &at)) || !is_wanted(h, r, at))
		return;
	w->from = r;
	w->at = at;
	w->ops = ops;
	w->since = h->sync ? 0 : hot_busy(h);
	recorder_mark(&h->recorder, RECORD_LEFT, r->plan->region->signature, at);
}

/* Runs were left where this one stands, and what comes looks like the region's beginning. */
bool hot_side_returns(const hot *h, hot_run *r)
{
	const bool left = h->watch.from == r ? h->watch.at == r->match.at :
		!r->match.foreign && was_left(r, r->match.at);

	if (!left || !r->match.at || r->wrong > WRONG_MOST + r->returns / WRONG_ONE_IN)
		return false;
	r->returns++;
	r->returned = RETURNING;
	return true;
}

/* The run breaks off. If that is for the sake of a beginning, the next one will show whether it was
 * one; if it was begun like that, it was none. */
void hot_side_exit(hot_run *r)
{
	r->wrong += r->returned == r->runs + 1;
	r->returned = r->returned == RETURNING ? r->runs + 1 : 0;
}

/* What was under way on its side is over; and if what is watched leads here it is complete. */
void hot_side_enter(hot *h, hot_run *r)
{
	hot_watch *w = &h->watch;
	uint64_t ns;

	for (uint32_t left = r->family ? h->under_way : 0; left; left &= left - 1)
		if (h->runs[__builtin_ctz(left)]->root == r)
			hot_exit(h, (unsigned)__builtin_ctz(left));
	if (!w->from || root_of(w->from) != r)
		return;
	ns = h->sync ? 0 : hot_busy(h) - w->since;
	recorder_mark(&h->recorder, RECORD_BACK, 0, ns);
	w->from->vain = hot_ops(h) - w->ops < LEAST ? w->from->vain + 1 : 0;
	if (w->declined && w->declined->plan->region->n == hot_ops(h) - w->ops)
		hot_times_add(&w->declined->eager, ns);
	w->from = w->declined = NULL;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static bool is_skipped(hot_run *s)
{
	s->skips -= s->skips != 0;
	return s->skips;
}

uint32_t hot_side_find(hot *h, const ins *i)
{
	uint32_t at, all = 0;
	const hot_run *from = find_place(h, &at);

	if (!h->watch.from)
		h->watch.declined = NULL;
	if (!from || !from->sides)
		return 0;
	for (unsigned k = 0; k < h->count; k++) {
		hot_run *s = h->runs[k];

		if (s->from != from || s->place != at || h->under_way >> k & 1 ||
				!pattern_heads(s->plan->pattern.ops, i) || is_skipped(s) ||
				!hot_allowed(h, s))
			continue;
		if (s->declined)
			h->watch.declined = s;
		else
			all |= 1u << k;
		s->declined = false;
	}
	return all;
}

/* The run that it comes from is over, which is no exit; and it is no guess that it begins here. */
void hot_side_begin(hot *h, hot_run *r)
{
	r->since = h->sync ? 0 : hot_busy(h);
	r->completed = hot_ops(h) - 1;
	r->settled = r->root->settled;
	r->seen = r->root->runs;
	if (is_under_way(h, r->from))
		hot_stop(h, index_of(h, r->from));
}

void hot_side_complete(hot *h, hot_run *r)
{
	h->again = index_of(h, r->root);
	r->root->completed = r->moved;
	counter_add(&h->counts.sides, 1);
	if (!h->sync)
		hot_judge_side(h, r, hot_busy(h) - r->since);
}

/* ---- plans come and go ----------------------------------------------------------------------- */

/* Of too many the one goes that was not used for longest, of those that have no sides. */
static bool make_room(hot *h, const hot_run *root, const hot_run *from)
{
	hot_run *least = NULL;

	if (root->family < SIDES_MOST)
		return true;
	for (unsigned k = 0; k < h->count; k++) {
		hot_run *s = h->runs[k];

		if (s->root == root && !s->sides && s != from &&
				(!least || s->completed < least->completed))
			least = s;
	}
	if (least)
		hot_drop(h, least);
	return least != NULL;
}

bool hot_side_adopt(hot *h, hot_run *r)
{
	hot_run *from = hot_find_run(h, r->of);

	if (!from || !make_room(h, root_of(from), from)) {
		recorder_mark(&h->recorder, RECORD_UNUSED, r->plan->region->signature, 0);
		return false;
	}
	r->from = from;
	r->root = root_of(from);
	r->seen = r->root->runs;
	from->sides++;
	r->root->family++;
	return true;
}

/* The run goes, and all that begins in it. */
void hot_side_gone(hot *h, hot_run *r)
{
	if (h->watch.from == r)
		hot_side_drop(h);
	if (h->watch.declined == r)
		h->watch.declined = NULL;
	for (unsigned k = 0; r->sides && k < h->count;)
		if (h->runs[k]->from == r) {
			hot_drop(h, h->runs[k]);
			k = 0;
		} else {
			k++;
		}
	if (!r->from)
		return;
	r->from->sides--;
	r->root->family--;
	recorder_mark(&h->recorder, RECORD_UNUSED, r->plan->region->signature, 0);
}

/* A side that is not taken any more goes. */
void hot_side_sweep(hot *h)
{
	h->swept = hot_ops(h);
	for (unsigned k = 0; k < h->count;) {
		hot_run *s = h->runs[k++];

		if (!s->root || s->root->runs - s->seen <= IDLE_RUNS)
			continue;
		hot_drop(h, s);
		k = 0;
	}
}
