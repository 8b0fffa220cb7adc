/* reference_reduce.c: reductions by the tree of ir/tree.h, one element of the result after the
 * other. */
#include "base/base.h"
#include "engine/arith.h"
#include "engine/reference.h"
#include "ir/tree.h"

/* The elements that one element of the result is made of: element i of the tree is found by
 * dividing i through the reduced dims, last one first. */
typedef struct source {
	const char *first;       /* all reduced indices 0 */
	gt_dtype dtype;
	int rank;                /* reduced dims */
	int64_t dims[GT_RANK_MAX], strides[GT_RANK_MAX];
} source;

static const void *element(const source *s, int64_t i)
{
	int64_t offset = 0;

	for (int k = s->rank - 1; k >= 0; k--) {
		offset += i % s->dims[k] * s->strides[k];
		i /= s->dims[k];
	}
	return s->first + offset * (int64_t)dtype_size(s->dtype);
}

static float get_float(const void *s, int64_t i) { return *(const float *)element(s, i); }
static double get_double(const void *s, int64_t i) { return *(const double *)element(s, i); }

static int64_t get_int(const void *s, int64_t i)
{
	const void *x = element(s, i);

	switch (((const source *)s)->dtype) {
	case GT_INT32: return *(const int32_t *)x;
	case GT_INT64: return *(const int64_t *)x;
	default:       return *(const uint8_t *)x;
	}
}

static int64_t get_truth(const void *s, int64_t i)
{
	switch (((const source *)s)->dtype) {
	case GT_FLOAT32: return get_float(s, i) != 0;
	case GT_FLOAT64: return get_double(s, i) != 0;
	default:         return get_int(s, i) != 0;
	}
}

/* <name>(s, n, nothing): n elements of s by the tree. */
#define REDUCE(name, type, get, identity, combine)                                               \
	TREE_DEFINE(name##_tree, type, identity, combine)                                        \
	static type name(const source *s, int64_t n, type nothing)                               \
	{                                                                                        \
		name##_tree t = {0};                                                             \
		type block[TREE_BLOCK];                                                          \
                                                                                                 \
		for (int64_t at = 0; at < n; at += TREE_BLOCK) {                                 \
			int64_t size = MIN(n - at, TREE_BLOCK);                                  \
			for (int64_t k = 0; k < size; k++)                                       \
				block[k] = get(s, at + k);                                       \
			name##_tree_push(&t, name##_tree_block(block, size));                    \
		}                                                                                \
		return n ? name##_tree_result(&t) : nothing;                                     \
	}
REDUCE(sum_float, float, get_float, -0.0f, arith_add_FLOAT32)
REDUCE(sum_double, double, get_double, -0.0, arith_add_FLOAT64)
REDUCE(sum_int, int64_t, get_int, 0, arith_add_INT64)
REDUCE(prod_float, float, get_float, 1, arith_mul_FLOAT32)
REDUCE(prod_double, double, get_double, 1, arith_mul_FLOAT64)
REDUCE(prod_int, int64_t, get_int, 1, arith_mul_INT64)
REDUCE(max_float, float, get_float, -INFINITY, arith_maximum_FLOAT32)
REDUCE(max_double, double, get_double, -INFINITY, arith_maximum_FLOAT64)
REDUCE(max_int, int64_t, get_int, INT64_MIN, arith_maximum_INT64)
REDUCE(min_float, float, get_float, INFINITY, arith_minimum_FLOAT32)
REDUCE(min_double, double, get_double, INFINITY, arith_minimum_FLOAT64)
REDUCE(min_int, int64_t, get_int, INT64_MAX, arith_minimum_INT64)
REDUCE(any, int64_t, get_truth, 0, arith_maximum_INT64)
REDUCE(all, int64_t, get_truth, 1, arith_minimum_INT64)

static float reduce_float(op o, const source *s, int64_t n)
{
	switch (o) {
	case OP_sum:  return sum_float(s, n, 0);
	case OP_prod: return prod_float(s, n, 1);
	case OP_max:  return max_float(s, n, 0);
	default:      return min_float(s, n, 0);
	}
}

static double reduce_double(op o, const source *s, int64_t n)
{
	switch (o) {
	case OP_sum:  return sum_double(s, n, 0);
	case OP_prod: return prod_double(s, n, 1);
	case OP_max:  return max_double(s, n, 0);
	default:      return min_double(s, n, 0);
	}
}

static int64_t reduce_int(op o, const source *s, int64_t n)
{
	switch (o) {
	case OP_sum:  return sum_int(s, n, 0);
	case OP_prod: return prod_int(s, n, 1);
	case OP_max:  return max_int(s, n, 0);
	case OP_min:  return min_int(s, n, 0);
	case OP_any:  return any(s, n, 0);
	default:      return all(s, n, 1);
	}
}

/* Is candidate i a better extreme than number `best`? Equal ones are not; NaN is better than
 * anything else. */
static bool is_better(op o, const source *s, int64_t i, int64_t best)
{
	if (dtype_kind_of(s->dtype) != KIND_FLOAT) {
		int64_t x = get_int(s, i), y = get_int(s, best);
		return o == OP_argmax ? x > y : x < y;
	} else {
		double x = s->dtype == GT_FLOAT32 ? (double)get_float(s, i) : get_double(s, i);
		double y = s->dtype == GT_FLOAT32 ? (double)get_float(s, best) : get_double(s,
				best);
		return (o == OP_argmax ? x > y : x < y) || (isnan(x) && !isnan(y));
	}
}

static int64_t find_extreme(op o, const source *s, int64_t n)
{
	int64_t best = 0;

	for (int64_t i = 1; i < n; i++)
		if (is_better(o, s, i, best))
			best = i;
	return best;
}

static void put_int(const view *out, int64_t at, int64_t x)
{
	switch (out->m.dtype) {
	case GT_INT32: ((int32_t *)out->data)[at] = (int32_t)x; break;
	case GT_INT64: ((int64_t *)out->data)[at] = x; break;
	default:       ((uint8_t *)out->data)[at] = (uint8_t)x; break;
	}
}

static void reduce_one(op o, const source *s, int64_t n, const view *out, int64_t at)
{
	if (o == OP_argmax || o == OP_argmin)
		put_int(out, at, find_extreme(o, s, n));
	else if (o == OP_any || o == OP_all)
		put_int(out, at, reduce_int(o, s, n));
	else if (s->dtype == GT_FLOAT32)
		((float *)out->data)[at] = reduce_float(o, s, n);
	else if (s->dtype == GT_FLOAT64)
		((double *)out->data)[at] = reduce_double(o, s, n);
	else
		put_int(out, at, reduce_int(o, s, n));
}

gt_err kernel_reduce(const kcall *c)
{
	const view *x = c->in[0];
	meta kept = {.rank = 0};
	int64_t steps[GT_RANK_MAX], index[GT_RANK_MAX], n = 1, outs = meta_count(&c->out->m);
	source s = {.dtype = x->m.dtype};

	for (int k = 0; k < x->m.rank; k++)
		if (c->i->attr.axes >> k & 1) {
			s.dims[s.rank] = x->m.dims[k];
			s.strides[s.rank++] = x->strides[k];
			n *= x->m.dims[k];
		} else {
			steps[kept.rank] = x->strides[k];
			kept.dims[kept.rank++] = x->m.dims[k];
		}
	for (int64_t at = 0; at < outs; at++) {
		int64_t offset = 0;

		reference_index(&kept, at, index);
		for (int k = 0; k < kept.rank; k++)
			offset += index[k] * steps[k];
		s.first = (const char *)x->data + offset * (int64_t)dtype_size(s.dtype);
		reduce_one(c->i->op, &s, n, c->out, at);
	}
	return GT_OK;
}
