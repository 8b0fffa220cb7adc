/* composite.c: mean, var, logsumexp, softmax, log_softmax, layer_norm in a few passes over rows in
 * the cache, with the bits of their decomposition (ir/compose.h).
 *
 * Served here: float32 and float64 where the reduced dims are one run of contiguous elements and,
 * if the result has the input's shape, they are the last dims; mean in any layout. The rest runs as
 * its parts.
 */
#include "base/error.h"
#include "engine/axes.h"
#include "engine/isa/folds.h"
#include "engine/rows.h"
#include "ir/compose.h"

/* A piece is four rows, or as many as make PIECE_SMALL elements if they are short. */
#define PIECE_ELEMENTS (4 * TREE_BLOCK)
#define PIECE_SMALL 2048
#define PIECE_ROWS 512
#define LONG_ROW 64

/* Arithmetic counts: exp takes as long as reading ten times the bytes from memory. */
#define SHARED_ELEMENTS (16 * 1024)

typedef struct piece {
	const void *x;
	void *out;
	int64_t step, rows, n;     /* n elements a row, rows `step` apart in x */
	double number;             /* eps, or what var divides by */
} piece;

TREE_DEFINE(tree_sum_f32, float, -0.0f, arith_add_FLOAT32)
TREE_DEFINE(tree_max_f32, float, -INFINITY, arith_maximum_FLOAT32)
TREE_DEFINE(tree_sum_f64, double, -0.0, arith_add_FLOAT64)
TREE_DEFINE(tree_max_f64, double, -INFINITY, arith_maximum_FLOAT64)

/* ---- float: rows of any length without a scalar rest. ---- */

#define EACH_VECTOR(expr)                                                                    \
	do {                                                                                 \
		int64_t i = 0;                                                               \
		vf_mask part;                                                                \
		for (; i + VF <= n; i += VF) {                                               \
			vf v = vf_load(x + i);                                               \
			vf_store(out + i, expr);                                             \
		}                                                                            \
		if (i < n) {                                                                 \
			part = vf_first(n - i);                                              \
			vf v = vf_load_part(x + i, part);                                    \
			vf_store_part(out + i, expr, part);                                  \
		}                                                                            \
	} while (0)

static void sub_row_f32(float *out, const float *x, float a, int64_t n)
{
	vf by = vf_splat(a);
	EACH_VECTOR(v - by);
}

static void sub_twice_row_f32(float *out, const float *x, float a, float b, int64_t n)
{
	vf first = vf_splat(a), then = vf_splat(b);
	EACH_VECTOR((v - first) - then);
}

static void div_row_f32(float *out, const float *x, float a, int64_t n)
{
	vf by = vf_splat(a);
	EACH_VECTOR(v / by);
}

#if VF == 16
/* x / a for x in [0, 1] and a >= 1, correctly rounded, in half of the time that 512 bits of divider
 * take. By Markstein's theorem: y is 1 / a rounded; q = x * y is off by less than two units in the
 * last place, by less than one after one correction by the remainder; then the remainder is exact
 * and the second correction gives the nearest float. It needs remainders that do not underflow: x
 * >= 2^-60 (or 0) and a <= 2^40 see to that, anything else is divided. */
static void share_row_f32(float *out, const float *x, float a, int64_t n)
{
	vf by = vf_splat(a), y = vf_splat(1 / a);
	__m512i limit = _mm512_castps_si512(vf_splat(0x1p-60f));
	int64_t i = 0;

	for (; a <= 0x1p40f && i + VF <= n; i += VF) {
		vf v = vf_load(x + i), q = v * y;
		__m512i bits = _mm512_sub_epi32(_mm512_castps_si512(v), _mm512_set1_epi32(1));

		if (UNLIKELY(_mm512_cmplt_epu32_mask(bits, limit))) {      /* 0 - 1 is huge */
			q = v / by;
		} else {
			q = vf_fma(vf_fma(-by, q, v), y, q);
			q = vf_fma(vf_fma(-by, q, v), y, q);
		}
		vf_store(out + i, q);
	}
	div_row_f32(out + i, x + i, a, n - i);
}
#else
static void share_row_f32(float *out, const float *x, float a, int64_t n)
{
	div_row_f32(out, x, a, n);
}
#endif

static void normalise_row_f32(float *out, const float *x, float mean, float deviation, int64_t n)
{
	vf from = vf_splat(mean), by = vf_splat(deviation);
	EACH_VECTOR((v - from) / by);
}
#undef EACH_VECTOR

#define ROWS_ELSEWHERE
#define W float
#define DTYPE FLOAT32
#define TAG f32
#include "engine/isa/composite_rows.h"
#undef ROWS_ELSEWHERE
#undef W
#undef DTYPE
#undef TAG

#define W double
#define DTYPE FLOAT64
#define TAG f64
#include "engine/isa/composite_rows.h"
#undef W
#undef DTYPE
#undef TAG

/* ---- Cutting into pieces. ---- */

typedef struct job {
	void (*run)(const piece *p);
	piece all;
	int64_t rows;              /* of a piece */
	size_t size;
	int64_t out_step;          /* elements of the result a row */
} job;

static void run_piece(void *ctx, int64_t k)
{
	const job *j = ctx;
	piece p = j->all;
	int64_t first = k * j->rows;

	p.x = (const char *)p.x + first * p.step * (int64_t)j->size;
	p.out = (char *)p.out + first * j->out_step * (int64_t)j->size;
	p.rows = MIN(j->rows, p.rows - first);
	j->run(&p);
}

/* Rows of x whose elements are reduced together, as one piece. False if they are not as this file
 * wants them; `trailing`: they must be the last dims. */
static bool find_rows(const view *x, unsigned mask, bool trailing, piece *p)
{
	axes kept, reduced;

	axes_split(x, mask, &kept, &reduced);
	if (kept.rank > 1 || reduced.rank > 1 || kept.count == 0 || reduced.count == 0)
		return false;
	if (reduced.rank == 1 && reduced.steps[0] != 1)
		return false;
	for (int k = x->m.rank - 1, inside = 1; trailing && k >= 0; k--) {
		if (!(mask >> k & 1) && x->m.dims[k] > 1)
			inside = 0;
		else if (!inside && x->m.dims[k] > 1)
			return false;
	}
	*p = (piece){.x = x->data, .rows = kept.count, .n = reduced.count,
		.step = kept.rank ? kept.steps[0] : reduced.count};
	return true;
}

typedef struct both { void (*f32)(const piece *p), (*f64)(const piece *p); } both;

static gt_err run_rows(const kcall *c, const both *how, unsigned mask, bool same_shape,
		double number)
{
	const view *x = c->in[0];
	job j = {.run = x->m.dtype == GT_FLOAT32 ? how->f32 : how->f64,
			.size = dtype_size(x->m.dtype)};
	int64_t pieces;

	if (!find_rows(x, mask, same_shape, &j.all))
		return engine_reference[c->i->op](c);
	j.all.out = c->out->data;
	j.all.number = number;
	j.out_step = same_shape ? j.all.n : 1;
	j.rows = j.all.n > TREE_BLOCK ? 1 : MIN(PIECE_ROWS, MAX(4, PIECE_SMALL / j.all.n / 4 * 4));
	pieces = (j.all.rows + j.rows - 1) / j.rows;
	if (pieces > 1 && j.all.rows * j.all.n >= SHARED_ELEMENTS)
		pool_run(c->engine->pool, pieces, run_piece, &j);
	else
		for (int64_t k = 0; k < pieces; k++)
			run_piece(&j, k);
	return GT_OK;
}

/* ---- The rows of the op table. ---- */

/* The second input, a scalar that stands in the instruction. */
static double second(const kcall *c)
{
	scalar s = {.bits = ins_in(c->i)[1]};

	return ins_kind(c->i, 1) == KIND_FLOAT ? s.f : (double)s.i;
}

static gt_err softmax(const kcall *c)
{
	static const both how = {softmax_f32, softmax_f64};
	return run_rows(c, &how, 1u << c->i->attr.axis, true, 0);
}

static gt_err log_softmax(const kcall *c)
{
	static const both how = {log_softmax_f32, log_softmax_f64};
	return run_rows(c, &how, 1u << c->i->attr.axis, true, 0);
}

static gt_err layer_norm(const kcall *c)
{
	static const both how = {layer_norm_f32, layer_norm_f64};
	return run_rows(c, &how, c->i->attr.axes, true, second(c));
}

static gt_err logsumexp(const kcall *c)
{
	static const both how = {logsumexp_f32, logsumexp_f64};
	return run_rows(c, &how, c->i->attr.axes, false, 0);
}

static int64_t count_reduced(const kcall *c)
{
	const meta *m = &c->in[0]->m;
	int64_t n = 1;

	for (int k = 0; k < m->rank; k++)
		n *= c->i->attr.axes >> k & 1 ? m->dims[k] : 1;
	return n;
}

static gt_err var(const kcall *c)
{
	static const both how = {var_f32, var_f64};
	double by = (double)count_reduced(c) - second(c);

	return run_rows(c, &how, c->i->attr.axes, false, by < 0 ? 0 : by);
}

static void divide_f32(float *x, int64_t n, float by) { div_row_f32(x, x, by, n); }
static void divide_f64(double *x, int64_t n, double by) { div_row_f64(x, x, by, n); }

static gt_err mean(const kcall *c)
{
	ins_room room;
	ins *sum = ins_init(&room, OP_sum, c->i->out);
	kcall call = {.i = sum, .in = {c->in[0]}, .out = c->out, .engine = c->engine};
	int64_t count = meta_count(&c->out->m);
	gt_err e;

	sum->attr = c->i->attr;
	ins_put_input(sum, ins_in(c->i)[0]);
	e = c->engine->kernels[OP_sum](&call);
	if (e)
		return e;
	if (c->out->m.dtype == GT_FLOAT32)
		divide_f32(c->out->data, count, (float)(double)count_reduced(c));
	else
		divide_f64(c->out->data, count, (double)count_reduced(c));
	return GT_OK;
}

void ISA(composite_rows)(kernel **table)
{
	table[OP_mean] = mean;
	table[OP_var] = var;
	table[OP_logsumexp] = logsumexp;
	table[OP_softmax] = softmax;
	table[OP_log_softmax] = log_softmax;
	table[OP_layer_norm] = layer_norm;
}
