/* miner_known.c: what a miner has found: loops, and how much of the stream they take. */
#include "hotpath/miner_parts.h"

#include <stdlib.h>

static const loop *hot_loop(const track *t)
{
	const loop *best = NULL;

	for (unsigned k = 0; k < TRACK_LOOPS; k++) {
		const loop *l = &t->loops[k];

		if (l->hot && !l->replaced && l->streak && (!best || l->n > best->n))
			best = l;
	}
	return best;
}

static int compare_loops(const void *a, const void *b)
{
	const miner_loop *x = a, *y = b;

	return x->n != y->n ? (x->n < y->n) - (x->n > y->n) :
		(x->signature > y->signature) - (x->signature < y->signature);
}

/* A region that several have found is one. */
static size_t list(miner_loop *to, size_t count, size_t room, miner_loop l)
{
	for (size_t k = 0; k < count; k++)
		if (to[k].signature == l.signature) {
			to[k].runs = MAX(to[k].runs, l.runs);
			to[k].hot |= l.hot;
			return count;
		}
	if (count < room)
		to[count++] = l;
	return count;
}

static size_t list_all(miner *m, miner_loop *to, size_t room)
{
	size_t count = 0;

	for (unsigned k = 0; k < TRACKS; k++)
		for (unsigned j = 0; track_at(m, k) && j < TRACK_LOOPS; j++) {
			const loop *l = &track_at(m, k)->loops[j];

			if (l->n && !l->replaced)
				count = list(to, count, room, (miner_loop){ l->signature, l->runs,
					l->n, l->hot });
		}
	for (unsigned k = 0; k < SCOPES_MAX; k++) {
		const scope *s = &m->scopes.known[k];

		if (s->told)
			count = list(to, count, room, (miner_loop){ s->signature, s->runs, s->n,
				true });
	}
	return count;
}

size_t miner_loops(miner *m, miner_loop *to, size_t room)
{
	const size_t count = list_all(m, to, room);

	qsort(to, count, sizeof(*to), compare_loops);
	return count;
}

void miner_stats_of(miner *m, miner_stats *s)
{
	miner_loop loops[TRACKS * TRACK_LOOPS + SCOPES_MAX];
	const size_t n = list_all(m, loops, COUNT(loops));

	*s = (miner_stats){ .ops = m->ops, .covered = m->covered,
		.hot_covered = m->hot_covered, .lost = m->lost,
		.skipped = m->skipped + (m->doze.asleep ? m->ops - m->doze.since : 0),
		.runs = m->past_runs, .hot_runs = m->past_hot_runs,
		.loops = n, .bytes = sizeof(*m) + m->tokens.capacity * sizeof(sig) };
	for (size_t k = 0; k < n; k++) {
		const uint64_t cold = scopes_told(&m->scopes, loops[k].signature) ? 1 :
			m->options.threshold;

		s->runs += loops[k].runs;
		s->hot_runs += loops[k].runs - MIN(loops[k].runs, cold);
		s->hot_loops += loops[k].hot;
	}
	for (unsigned k = 0; k < TRACKS; k++)
		if (track_at(m, k)) {
			s->bytes += track_bytes(track_at(m, k));
			s->runs += track_at(m, k)->past_runs;
			s->hot_runs += track_at(m, k)->past_hot_runs;
		}
}

bool miner_hot(miner *m, uint32_t *n)
{
	const loop *l = m->last ? hot_loop(m->last) : NULL;

	*n = l ? l->n : 0;
	return l != NULL;
}

uint64_t miner_hopes(miner *m)
{
	uint64_t most = 0;

	for (unsigned k = 0; k < TRACKS; k++)
		if (track_at(m, k))
			most = MAX(most, track_hopes(track_at(m, k)));
	return most;
}

bool miner_settles(miner *m)
{
	bool any = false;

	for (unsigned k = 0; k < TRACKS && !any; k++)
		any = track_at(m, k) && track_settles(track_at(m, k));
	return any;
}
