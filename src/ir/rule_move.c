/* rule_move.c: shape rules of ops that move elements: views, cat, slices, indexing. */
#include "ir/rule.h"

static gt_err value_dtype(const call *c)
{
	return call_dtype(c, 0, 1);
}

/* ---- views ---- */

gt_err rule_reshape(const call *c)
{
	char text[SHAPE_TEXT_MAX];
	gt_err e;

	if ((e = value_dtype(c)) || (e = call_sizes(c, 0, c->i->nopd)))
		return e;
	if (meta_count(c->out) != meta_count(c->in[0]))
		return call_refuse(c, GT_ESHAPE, "%lld elements do not fill shape %s",
			(long long)meta_count(c->in[0]), shape_text(c->out, text, sizeof text));
	return GT_OK;
}

gt_err rule_permute(const call *c)
{
	const meta *x = c->in[0];
	const uint8_t *perm = c->i->attr.perm;
	unsigned seen = 0;
	gt_err e;

	if ((e = value_dtype(c)))
		return e;
	c->out->rank = x->rank;
	for (unsigned k = 0; k < GT_RANK_MAX; k++) {
		if (k < x->rank ? perm[k] >= x->rank || seen >> perm[k] & 1 : perm[k])
			return call_refuse(c, GT_ESHAPE,
				"perm must hold each dim of rank %u once", x->rank);
		if (k < x->rank) {
			seen |= 1u << perm[k];
			c->out->dims[k] = x->dims[perm[k]];
		}
	}
	return GT_OK;
}

/* Whether `from` broadcasts to exactly `to`. */
static bool expands(const meta *from, const meta *to)
{
	const int head = to->rank - from->rank;
	bool fits = head >= 0;

	for (int k = 0; fits && k < from->rank; k++)
		fits = from->dims[k] == to->dims[k + head] || from->dims[k] == 1;
	return fits;
}

gt_err rule_expand(const call *c)
{
	char text[SHAPE_TEXT_MAX];
	gt_err e;

	if ((e = value_dtype(c)) || (e = call_sizes(c, 0, c->i->nopd)))
		return e;
	if (!expands(c->in[0], c->out))
		return call_refuse(c, GT_ESHAPE,
			"does not expand to shape %s: only dims of size 1 do",
			shape_text(c->out, text, sizeof text));
	return GT_OK;
}

/* Whether first, first + step, ... (count of them) are all in 0 .. size - 1. */
static bool range_fits(int64_t size, int64_t first, int64_t count, int64_t step)
{
	int64_t last;

	if (!count)
		return true;
	if (count > SHAPE_ELEMENTS_MAX || __builtin_mul_overflow(count - 1, step, &last) ||
	    __builtin_add_overflow(last, first, &last))
		return false;
	return first >= 0 && first < size && last >= 0 && last < size;
}

bool shape_slice_inside(const ins *i, const meta *in)
{
	const int64_t *opd = ins_opd(i);

	if (i->nopd != 3 * in->rank)
		return false;
	for (unsigned k = 0; k < in->rank; k++, opd += 3)
		if (!range_fits(in->dims[k], opd[0], opd[1], opd[2]))
			return false;
	return true;
}

/* Three operands a dim of input 0: first index (not looked at if there is none), count, step. */
static gt_err slice_dims(const call *c, meta *m)
{
	const meta *x = c->in[0];
	const int64_t *opd = ins_opd(c->i);

	if (c->i->nopd != 3 * x->rank)
		return call_refuse(c, GT_EINVAL,
			"%u operands, expected first, count and step for each of %u "
			"dims",
			c->i->nopd, x->rank);
	m->rank = x->rank;
	for (unsigned k = 0; k < x->rank; k++, opd += 3) {
		if (opd[1] < 0 || !opd[2])
			return call_refuse(c, GT_EINVAL,
				"dim %u has count %lld and step %lld, expected a count "
				"of 0 or more and a step other than 0",
				k, (long long)opd[1], (long long)opd[2]);
		if (!range_fits(x->dims[k], opd[0], opd[1], opd[2]))
			return call_refuse(c, GT_ESHAPE,
				"dim %u has size %lld: %lld elements from %lld by %lld "
				"leave it",
				k, (long long)x->dims[k], (long long)opd[1], (long long)opd[0],
				(long long)opd[2]);
		m->dims[k] = opd[1];
	}
	return GT_OK;
}

/* Cannot exceed the limit: a step is not 0, so no dim grows. */
gt_err rule_slice(const call *c)
{
	const gt_err e = value_dtype(c);

	return e ? e : slice_dims(c, c->out);
}

gt_err rule_slice_set(const call *c)
{
	char text[SHAPE_TEXT_MAX];
	meta hole;
	gt_err e;

	if ((e = call_dtype(c, 0, 2)) || (e = slice_dims(c, &hole)))
		return e;
	if (c->in[1] && !expands(c->in[1], &hole))
		return call_refuse(c, GT_ESHAPE,
			"the second input does not broadcast to the slice of shape %s",
			shape_text(&hole, text, sizeof text));
	meta_copy(c->out, c->in[0]);
	return GT_OK;
}

/* ---- several tensors, matrices ---- */

gt_err rule_cat(const call *c)
{
	const meta *x = c->in[0];
	const unsigned axis = c->i->attr.axis;
	gt_err e;

	if ((e = call_axis(c)) || (e = call_dtype(c, 0, c->i->nin)))
		return e;
	meta_copy(c->out, x);
	c->out->dims[axis] = 0;
	for (unsigned n = 0; n < c->i->nin; n++) {
		bool fits = c->in[n]->rank == x->rank;

		for (unsigned k = 0; fits && k < x->rank; k++)
			fits = k == axis || c->in[n]->dims[k] == x->dims[k];
		if (!fits)
			return call_refuse(c, GT_ESHAPE,
				"input %u differs from the first in more than dim %u", n, axis);
		c->out->dims[axis] += c->in[n]->dims[axis];
	}
	return call_limit(c);
}

gt_err rule_matrix(const call *c)
{
	if (c->in[0]->rank < 2)
		return call_refuse(c, GT_ESHAPE, "the input must have two dims or more");
	return rule_same(c);
}

/* ---- indexing ---- */

/* Every size of the index at most that of `x`, the one at the axis not counted unless
 * `also_axis`. */
static gt_err index_within(const call *c, const meta *x, const char *what, bool also_axis)
{
	const meta *index = c->in[1];

	if (index->rank != x->rank)
		return call_refuse(c, GT_ESHAPE, "the index has rank %u, the %s rank %u",
			index->rank, what, x->rank);
	for (unsigned k = 0; k < x->rank; k++)
		if (index->dims[k] > x->dims[k] && (also_axis || k != c->i->attr.axis))
			return call_refuse(c, GT_ESHAPE,
				"dim %u of the index is %lld, more than %lld of the %s", k,
				(long long)index->dims[k], (long long)x->dims[k], what);
	return GT_OK;
}

static gt_err begin_index(const call *c)
{
	gt_err e;

	return (e = call_axis(c)) || (e = call_index_dtype(c, 1)) ? e : value_dtype(c);
}

gt_err rule_gather(const call *c)
{
	gt_err e;

	if ((e = begin_index(c)) || (e = index_within(c, c->in[0], "first input", false)))
		return e;
	call_take_dims(c, c->in[1]);
	return call_limit(c);
}

static gt_err source_dtype(const call *c)
{
	if (c->in[2]->dtype != c->in[0]->dtype)
		return call_refuse(c, GT_EDTYPE,
			"first and third input must have one dtype; cast one of them");
	return GT_OK;
}

gt_err rule_scatter(const call *c)
{
	gt_err e;

	if ((e = begin_index(c)) || (e = source_dtype(c)) ||
	    (e = index_within(c, c->in[0], "first input", false)) ||
	    (e = index_within(c, c->in[2], "source", true)))
		return e;
	meta_copy(c->out, c->in[0]);
	return GT_OK;
}

gt_err rule_index_select(const call *c)
{
	const meta *x = c->in[0], *index = c->in[1];
	const unsigned axis = c->i->attr.axis;
	meta *out = c->out;
	gt_err e;

	if ((e = begin_index(c)))
		return e;
	if (x->rank + index->rank - 1 > GT_RANK_MAX)
		return call_refuse(c, GT_ELIMIT, "the result has rank %d, the limit is %d",
			x->rank + index->rank - 1, GT_RANK_MAX);
	out->rank = 0;
	for (unsigned k = 0; k < axis; k++)
		out->dims[out->rank++] = x->dims[k];
	for (unsigned k = 0; k < index->rank; k++)
		out->dims[out->rank++] = index->dims[k];
	for (unsigned k = axis + 1; k < x->rank; k++)
		out->dims[out->rank++] = x->dims[k];
	return call_limit(c);
}

gt_err rule_index_add(const call *c)
{
	const meta *x = c->in[0], *index = c->in[1], *source = c->in[2];
	gt_err e;

	if ((e = begin_index(c)) || (e = source_dtype(c)))
		return e;
	if (index->rank != 1)
		return call_refuse(c, GT_ESHAPE, "the index must have one dim");
	if (source->rank != x->rank)
		return call_refuse(c, GT_ESHAPE, "first and third input must have one rank");
	for (unsigned k = 0; k < x->rank; k++) {
		const int64_t want = k == c->i->attr.axis ? index->dims[0] : x->dims[k];

		if (source->dims[k] != want)
			return call_refuse(c, GT_ESHAPE,
				"dim %u of the third input is %lld, expected %lld", k,
				(long long)source->dims[k], (long long)want);
	}
	meta_copy(c->out, x);
	return GT_OK;
}

gt_err rule_one_hot(const call *c)
{
	const meta *x = c->in[0];
	const int64_t depth = *ins_opd(c->i);
	gt_err e;

	if ((e = value_dtype(c)))
		return e;
	if (x->rank == GT_RANK_MAX)
		return call_refuse(c, GT_ELIMIT, "the result has rank %d, the limit is %d",
			x->rank + 1, GT_RANK_MAX);
	if (depth < 0)
		return call_refuse(c, GT_EINVAL, "size %lld, expected 0 or more", (long long)depth);
	for (int k = 0; k < x->rank; k++)
		c->out->dims[k] = x->dims[k];
	c->out->rank = (uint8_t)(x->rank + 1);
	c->out->dims[x->rank] = depth;
	return call_limit(c);
}
