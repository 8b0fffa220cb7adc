/* fuse_map.c: linear maps between shapes, see there. */
#include "region/fuse_map.h"

/* Put a digit outside of those there are. */
static bool push(fuse_map *m, int64_t n, int64_t step)
{
	fuse_seg *last = m->count ? &m->seg[m->count - 1] : NULL;

	if (n == 1)
		return true;
	if (last && step == last->n * last->step) {
		last->n *= n;
		return true;
	}
	if (m->count == FUSE_SEGS)
		return false;
	m->seg[m->count++] = (fuse_seg){ n, step };
	return true;
}

void fuse_map_identity(int64_t n, fuse_map *m)
{
	m->count = 0;
	push(m, n, 1);
}

void fuse_map_strides(int rank, const int64_t *dims, const int64_t *strides, fuse_map *m)
{
	m->count = 0;
	for (int k = rank - 1; k >= 0; k--)
		push(m, dims[k], strides[k]);
}

void fuse_map_broadcast(const meta *in, const meta *out, fuse_map *m)
{
	int64_t step = 1;

	m->count = 0;
	for (int k = out->rank - 1, i = in->rank - 1; k >= 0; k--, i--) {
		const bool there = i >= 0 && in->dims[i] != 1;

		push(m, out->dims[k], there ? step : 0);
		step *= there ? in->dims[i] : 1;
	}
}

void fuse_map_reduce(const meta *in, unsigned axes, fuse_map *m)
{
	int64_t step = 1;

	m->count = 0;
	for (int k = in->rank - 1; k >= 0; k--) {
		const bool kept = !(axes >> k & 1);

		push(m, in->dims[k], kept ? step : 0);
		step *= kept ? in->dims[k] : 1;
	}
}

/* The digit of `m` that counts in units of `at` or less; its unit in *unit. */
static const fuse_seg *digit_at(const fuse_map *m, int64_t at, int64_t *unit)
{
	*unit = 1;
	for (int k = 0; k < m->count; k++) {
		if (at < *unit * m->seg[k].n)
			return &m->seg[k];
		*unit *= m->seg[k].n;
	}
	return NULL;
}

/* n values of a digit that takes steps of `at` elements. Where it runs over several digits of
 * `second` it has to fill each of them to the end: then nothing is ever carried. */
static bool push_walk(const fuse_map *second, int64_t n, int64_t at, fuse_map *m)
{
	while (n > 1) {
		int64_t unit, q, room, take;
		const fuse_seg *s = digit_at(second, at, &unit);

		if (!s || at % unit)
			return false;
		q = at / unit;
		if (s->n % q)
			return false;
		room = s->n / q;
		take = MIN(n, room);
		if (n % take || !push(m, take, q * s->step))
			return false;
		n /= take;
		at *= take;
	}
	return true;
}

bool fuse_map_compose(const fuse_map *second, const fuse_map *first, fuse_map *m)
{
	m->count = 0;
	for (int k = 0; k < first->count; k++) {
		const fuse_seg *s = &first->seg[k];

		if (!s->step ? !push(m, s->n, 0) : !push_walk(second, s->n, s->step, m))
			return false;
	}
	return true;
}

bool fuse_map_equal(const fuse_map *a, const fuse_map *b)
{
	bool equal = a->count == b->count;

	for (int k = 0; equal && k < a->count; k++)
		equal = a->seg[k].n == b->seg[k].n && a->seg[k].step == b->seg[k].step;
	return equal;
}

int64_t fuse_map_count(const fuse_map *m)
{
	int64_t n = 1;

	for (int k = 0; k < m->count; k++)
		n *= m->seg[k].n;
	return n;
}

bool fuse_map_repeats(const fuse_map *m)
{
	int64_t next = 1;

	for (int k = 0; k < m->count; k++) {
		if (!m->seg[k].step)
			continue;
		if (m->seg[k].step != next)
			return false;
		next *= m->seg[k].n;
	}
	return true;
}

bool fuse_cuts_add(fuse_cuts *c, int64_t at)
{
	int k = 0;

	while (k < c->count && c->at[k] < at)
		k++;
	if (k < c->count && c->at[k] == at)
		return true;
	if (c->count == FUSE_SEGS - 1 || (k && at % c->at[k - 1]) ||
		(k < c->count && c->at[k] % at))
		return false;
	memmove(c->at + k + 1, c->at + k, (size_t)(c->count - k) * sizeof(*c->at));
	c->at[k] = at;
	c->count++;
	return true;
}

bool fuse_cuts_add_map(fuse_cuts *c, const fuse_map *m)
{
	int64_t at = 1;

	for (int k = 0; k + 1 < m->count; k++) {
		at *= m->seg[k].n;
		if (!fuse_cuts_add(c, at))
			return false;
	}
	return true;
}

void fuse_cuts_steps(const fuse_cuts *c, const fuse_map *m, int64_t *steps)
{
	for (int k = 0; k <= c->count; k++) {
		int64_t unit, at = k ? c->at[k - 1] : 1;
		const fuse_seg *s = digit_at(m, at, &unit);

		steps[k] = s ? at / unit * s->step : 0;
	}
}
