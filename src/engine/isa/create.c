/* create.c: fast rows that make tensors from nothing: constants, ranges, random numbers.
 *
 * A result is made in pieces, which the pool shares out when there are enough; what an element
 * becomes depends on its number only.
 */
#include "engine/isa/tiles.h"

#include "engine/arith.h"
#include "engine/random.h"

#define PIECE 16384            /* elements */

typedef struct making {
	void *out;
	gt_dtype dtype;
	int64_t count;
	/* Write n elements to `out`, the first of which is number `first` of the tensor. */
	void (*make)(const struct making *m, void *out, int64_t first, int64_t n);
	const void *start, *step;          /* full, arange */
	uint64_t seed, draw;
	int64_t low, high;                 /* randint */
} making;

static void make_piece(void *ctx, int64_t k)
{
	const making *m = ctx;
	int64_t first = k * PIECE, n = MIN((int64_t)PIECE, m->count - first);

	m->make(m, (char *)m->out + first * (int64_t)dtype_size(m->dtype), first, n);
}

/* `weight`: time for an element in units of what it takes to write it. */
static void run(const kcall *c, making *m, int weight)
{
	m->out = c->out->data;
	m->dtype = (gt_dtype)c->out->m.dtype;
	m->count = meta_count(&c->out->m);
	if (pool_worth(c->engine->pool, m->count * (int64_t)dtype_size(m->dtype) * weight))
		pool_run(c->engine->pool, (m->count + PIECE - 1) / PIECE, make_piece, m);
	else
		m->make(m, m->out, 0, m->count);
}

/* ---- Constants and ranges. ---- */

#define CASE_FULL(d, type, unused)                                                       \
	case GT_##d: {                                                                   \
		type *restrict to = out, value = *(const type *)m->start;                \
                                                                                         \
		for (int64_t k = 0; k < n; k++)                                          \
			to[k] = value;                                                   \
		break;                                                                   \
	}

static void make_full(const making *m, void *out, int64_t first, int64_t n)
{
	(void)first;
	switch (m->dtype) {
	EACH_DTYPE(CASE_FULL, )
	default:
		assert(!"a tensor has a dtype");
	}
}

static gt_err full(const kcall *c)
{
	making m = { .make = make_full, .start = c->in[0]->data };

	run(c, &m, 1);
	return GT_OK;
}

#define CASE_FLOATS(d, type, unused)                                                     \
	case GT_##d: {                                                                   \
		type *restrict to = out;                                                 \
                                                                                         \
		for (int64_t k = 0; k < n; k++)                                          \
			to[k] = arith_cast_FLOAT64_##d(start + (double)(first + k) * step); \
		break;                                                                   \
	}

static void make_floats(const making *m, void *out, int64_t first, int64_t n)
{
	double start = *(const double *)m->start, step = *(const double *)m->step;

	switch (m->dtype) {
	EACH_DTYPE(CASE_FLOATS, )
	default:
		assert(!"a tensor has a dtype");
	}
}

#define CASE_INTS(d, type, unused)                                                       \
	case GT_##d: {                                                                   \
		type *restrict to = out;                                                 \
                                                                                         \
		for (int64_t k = 0; k < n; k++)                                          \
			to[k] = arith_cast_INT64_##d(arith_add_INT64(start,              \
				arith_mul_INT64(first + k, step)));                      \
		break;                                                                   \
	}

static void make_ints(const making *m, void *out, int64_t first, int64_t n)
{
	int64_t start = *(const int64_t *)m->start, step = *(const int64_t *)m->step;

	switch (m->dtype) {
	EACH_DTYPE(CASE_INTS, )
	default:
		assert(!"a tensor has a dtype");
	}
}

static gt_err arange(const kcall *c)
{
	making m = { .start = c->in[0]->data, .step = c->in[1]->data,
		.make = c->in[0]->m.dtype == GT_FLOAT64 ? make_floats : make_ints };

	run(c, &m, 1);
	return GT_OK;
}

static gt_err eye(const kcall *c)
{
	const meta *m = &c->out->m;
	int64_t rows = m->dims[0], cols = m->dims[1], size = (int64_t)dtype_size(m->dtype);

	memset(c->out->data, 0, (size_t)(rows * cols * size));
	for (int64_t k = 0; k < rows && k < cols; k++)
		engine_scalar(KIND_INT, (scalar){ .i = 1 }, (gt_dtype)m->dtype,
			(char *)c->out->data + k * (cols + 1) * size);
	return GT_OK;
}

/* ---- Random numbers. ---- */

/* Against writing, about what they take on one core with AVX2. */
#define UNIFORM_WEIGHT 8
#define NORMAL_WEIGHT 16

static void make_uniform(const making *m, void *out, int64_t first, int64_t n)
{
	if (m->dtype == GT_FLOAT32)
		ISA(random_rows).uniform_f32(out, (uint64_t)first, n, m->seed, m->draw);
	else
		ISA(random_rows).uniform_f64(out, (uint64_t)first, n, m->seed, m->draw);
}

static void make_normal(const making *m, void *out, int64_t first, int64_t n)
{
	if (m->dtype == GT_FLOAT32)
		ISA(random_rows).normal_f32(out, (uint64_t)first, n, m->seed, m->draw);
	else
		ISA(random_rows).normal_f64(out, (uint64_t)first, n, m->seed, m->draw);
}

static void make_integers(const making *m, void *out, int64_t first, int64_t n)
{
	if (m->dtype == GT_INT32)
		ISA(random_rows).integer_i32(out, (uint64_t)first, n, m->seed, m->draw,
			m->low, m->high);
	else
		ISA(random_rows).integer_i64(out, (uint64_t)first, n, m->seed, m->draw,
			m->low, m->high);
}

static making random_making(const kcall *c)
{
	return (making){ .seed = (uint64_t)ins_opd(c->i)[0], .draw = (uint64_t)ins_opd(c->i)[1] };
}

static gt_err random_uniform(const kcall *c)
{
	making m = random_making(c);

	m.make = make_uniform;
	run(c, &m, UNIFORM_WEIGHT);
	return GT_OK;
}

static gt_err random_normal(const kcall *c)
{
	making m = random_making(c);

	m.make = make_normal;
	run(c, &m, NORMAL_WEIGHT);
	return GT_OK;
}

static bool is_int32(int64_t x)
{
	return x == (int32_t)x;
}

/* Empty ranges are the reference's to refuse; floats, and limits beyond int32, are rare enough to
 * be its as well. */
static gt_err randint(const kcall *c)
{
	making m = random_making(c);
	bool narrow = c->out->m.dtype == GT_INT32;

	m.make = make_integers;
	m.low = *(const int64_t *)c->in[0]->data;
	m.high = *(const int64_t *)c->in[1]->data;
	if (m.low >= m.high || (!narrow && c->out->m.dtype != GT_INT64) ||
	    (narrow && (!is_int32(m.low) || !is_int32(m.high))))
		return engine_reference[c->i->op](c);
	run(c, &m, UNIFORM_WEIGHT);
	return GT_OK;
}

void ISA(create_rows)(kernel **table)
{
	table[OP_full] = full;
	table[OP_arange] = arange;
	table[OP_eye] = eye;
	table[OP_rand] = random_uniform;
	table[OP_randn] = random_normal;
	table[OP_randint] = randint;
}
