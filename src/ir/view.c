/* view.c: strides of contiguous tensors and of views. */
#include "ir/shape.h"

void shape_contiguous(const meta *m, int64_t *strides)
{
	int64_t step = 1;

	for (int k = m->rank - 1; k >= 0; k--) {
		strides[k] = step;
		step *= MAX(m->dims[k], 1);
	}
}

/* Dims of size 1 have no say; a tensor without elements is contiguous whatever its strides are. */
bool shape_is_contiguous(const meta *m, const int64_t *strides)
{
	int64_t step = 1;
	bool is = true;

	for (int k = m->rank - 1; k >= 0; k--) {
		if (!m->dims[k])
			return true;
		is = is && (m->dims[k] == 1 || strides[k] == step);
		step *= m->dims[k];
	}
	return is;
}

/* Reshape. Input dims (those of size 1 left out) fall into runs that strides walk like one long
 * dim; the view exists exactly if output dims can be dealt out such that each run's elements become
 * whole output dims. So: from the last dim, collect a run, then cut output dims from it until its
 * elements are used up. */
static bool regroup(const meta *in, const int64_t *in_strides, const meta *out, int64_t *strides)
{
	int k = in->rank - 1, o = out->rank - 1;

	while (k >= 0) {
		int64_t elements = in->dims[k], step = in_strides[k], taken = 1;

		if (in->dims[k] == 1) {
			k--;
			continue;
		}
		for (k--; k >= 0 && (in->dims[k] == 1 || in_strides[k] == step * elements); k--)
			elements *= in->dims[k];
		while (o >= 0 && taken < elements) {
			strides[o] = step * taken;
			taken *= out->dims[o--];
		}
		if (taken != elements)
			return false;
	}
	for (; o >= 0; o--)   /* sizes of 1 that are left: any stride will do */
		strides[o] = o + 1 < out->rank ? strides[o + 1] * out->dims[o + 1] : 1;
	return true;
}

static void expand(const meta *in, const int64_t *in_strides, const meta *out, int64_t *strides)
{
	const int head = out->rank - in->rank;

	for (int k = 0; k < out->rank; k++) {
		const bool repeated = k < head || in->dims[k - head] != out->dims[k];

		strides[k] = repeated ? 0 : in_strides[k - head];
	}
}

static void slice(const ins *i, const meta *out, const int64_t *in_strides, int64_t *strides,
	int64_t *offset)
{
	const int64_t *opd = ins_opd(i);
	const bool some = meta_count(out) > 0;

	for (int k = 0; k < out->rank; k++, opd += 3) {
		strides[k] = out->dims[k] > 1 ? in_strides[k] * opd[2] : in_strides[k];
		if (some)   /* a slice without elements may begin anywhere */
			*offset += in_strides[k] * opd[0];
	}
}

bool shape_view(const ins *i, const meta *in, const int64_t *in_strides,
		const meta *out, int64_t *out_strides, int64_t *offset)
{
	switch (i->op) {
	case OP_reshape:
		if (!meta_count(in)) {
			shape_contiguous(out, out_strides);
			return true;
		}
		return regroup(in, in_strides, out, out_strides);
	case OP_permute:
		for (int k = 0; k < out->rank; k++)
			out_strides[k] = in_strides[i->attr.perm[k]];
		return true;
	case OP_expand:
		expand(in, in_strides, out, out_strides);
		return true;
	case OP_slice:
		slice(i, out, in_strides, out_strides, offset);
		return true;
	default:
		return false;
	}
}
