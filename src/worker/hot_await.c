/* hot_await.c: what is worth waiting for before a stream is judged as it is now (hot_rest.c).
 *
 * Plans grow up: what is done once is done, trials end, a fused one comes, a long loop is
 * settled. Loops are found: one that goes on will be hot, a program that makes more than it frees
 * is inside of one, the miner has records yet to read. Each of these claims so many ops; who waited
 * for the dearest of them waits no more, nor longer in all than PATIENCE.
 */
#include "worker/hot.h"

#define PATIENCE    (3u << 16)   /* ops that trials are put off for at most */
#define HOPED_TIMES 2u           /* so many times what makes a loop hot it is waited for */
#define YOUNG_RUNS  64u          /* of a plan, .. */
#define YOUNG_OPS   32u          /* .. each of as many ops at least, and it is no longer young */
#define SETTLE_OPS  81920u       /* in which a loop is settled: 65,536 and what the miner takes */
#define LONG        1024u        /* a plan: a trial takes longer than that */
#define LONG_AHEAD  256u         /* one that is far ahead: it would cost more than it could say */
#define BALANCE     16u          /* ops, of which one may make what stays */
#define BEHIND      4096u        /* words that the miner has yet to read, .. */
#define UNREAD_OPS  16384u       /* .. which is waited for so long */

static bool is_patient(const hot_rest *o, uint64_t ops)
{
	return o->waited + ops <= MIN(o->claim, PATIENCE);
}

bool hot_await(hot *h, uint64_t ops)
{
	hot_rest *o = &h->rest;

	if (!is_patient(o, ops))
		return false;
	o->waited += ops;
	o->due = MAX(o->due, hot_ops(h) + ops);
	return true;
}

/* A step further, for something that claims so many ops; 0: there is nothing. */
static bool await_step(hot *h, uint64_t claim)
{
	h->rest.claim = MAX(h->rest.claim, claim);
	return claim && hot_await(h, HOT_STEP_OPS);
}

/* ---- plans ----------------------------------------------------------------------------------- */

/* Those that are on trial would be measured in all of their ways, those that are young with all
 * that is done once. */
static uint64_t claim_of(const hot *h, const hot_run *r)
{
	return h->trial == r || hot_judge_settles(h, r) ?
		YOUNG_RUNS * MAX((uint64_t)r->plan->region->n, YOUNG_OPS) : 0;
}

static bool is_long(const hot_run *r)
{
	return r->plan->region->n >= (r->clear ? LONG_AHEAD : LONG);
}

bool hot_await_plans(hot *h)
{
	uint64_t most = 0;

	for (unsigned k = 0; k < h->count; k++) {
		most = MAX(most, claim_of(h, h->runs[k]));
		if (hot_settles(h) && is_long(h->runs[k]))
			most = MAX(most, SETTLE_OPS);
	}
	return await_step(h, most);
}

/* ---- loops ----------------------------------------------------------------------------------- */

static uint64_t hopes(const hot *h)
{
	return atomic_load_explicit(&h->hopes, memory_order_relaxed);
}

/* In a forward pass, or where a program sets up what it works with. */
static bool is_inside(const hot *h)
{
	const uint64_t ops = hot_ops(h) - h->rest.heard, live = store_count(&h->tenant->store);

	return ops < HOT_IDLE_OPS && (live - MIN(live, h->rest.live)) * BALANCE > ops;
}

static bool is_behind(hot *h)
{
	return recorder_is_behind(&h->recorder, BEHIND);
}

/* What loops claim that are yet to be found. */
static uint64_t claim_of_loops(hot *h)
{
	uint64_t most = HOPED_TIMES * hopes(h);

	if (is_inside(h))
		most = MAX(most, HOT_IDLE_OPS);
	if (is_behind(h))
		most = MAX(most, UNREAD_OPS);
	return most;
}

bool hot_await_more(hot *h)
{
	const uint64_t claim = claim_of_loops(h);

	h->rest.claim = MAX(h->rest.claim, claim);
	return claim && is_patient(&h->rest, HOT_STEP_OPS);
}

/* What is waited for the executor does itself, rather than be without it for long. */
bool hot_await_loops(hot *h)
{
	hot_rest *o = &h->rest;

	if (!o->planned && hot_ops(h) - o->heard < HOT_IDLE_OPS) {
		o->due = o->heard + HOT_IDLE_OPS;
		return true;
	}
	if (!await_step(h, claim_of_loops(h)))
		return false;
	if (is_behind(h))
		hot_help(h);
	return true;
}
