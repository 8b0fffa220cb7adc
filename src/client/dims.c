/* dims.c: dims as users name them (negative ones count from the end, several at once), and
 * comparing shapes.
 */
#include "client/client.h"

bool dims_same(const meta *a, const meta *b)
{
	bool same = a->rank == b->rank;

	for (int k = 0; same && k < a->rank; k++)
		same = a->dims[k] == b->dims[k];
	return same;
}

bool dims_fits(const meta *from, const meta *to)
{
	const int head = to->rank - from->rank;
	bool fits = head >= 0;

	for (int k = 0; fits && k < from->rank; k++)
		fits = from->dims[k] == to->dims[k + head] || from->dims[k] == 1;
	return fits;
}

int dims_axis(const char *what, int64_t axis, int rank)
{
	const int dims = rank ? rank : 1;

	if (axis >= -dims && axis < dims)
		return (int)(axis < 0 ? axis + dims : axis);
	fail(GT_EINVAL, "%s: axis %lld is out of range for rank %d, expected %d to %d", what,
		(long long)axis, rank, -dims, dims - 1);
	return -1;
}

int dims_axes(const char *what, const gt_reduce *r, int rank)
{
	int mask = 0;

	if (!r->naxes && r->axis == GT_ALL_AXES)
		return (1 << rank) - 1;
	if (r->naxes < 0 || r->naxes > GT_RANK_MAX) {
		fail(GT_EINVAL, "%s: %d axes, expected at most %d", what, r->naxes, GT_RANK_MAX);
		return -1;
	}
	for (int n = 0; n < MAX(r->naxes, 1); n++) {
		const int axis = dims_axis(what, r->naxes ? r->axes[n] : r->axis, rank);

		if (axis < 0)
			return -1;
		if (mask >> axis & 1) {
			fail(GT_EINVAL, "%s: axis %d is named twice", what, axis);
			return -1;
		}
		mask |= 1 << axis;
	}
	return rank ? mask : 0;
}
