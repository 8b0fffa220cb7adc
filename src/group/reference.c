/* reference.c: the interpreter of groups. Walks the space once a level: the first walk finishes the
 * reductions of plain values, the next one those that need them, and so on; the last one stores. An
 * element's value is computed anew in every walk. */
#include "group/reference.h"

#include <math.h>
#include "base/base.h"
#include "base/mem.h"
#include "engine/arith.h"
#include "engine/engine.h"
#include "engine/random.h"
#include "engine/reference.h"
#include "ir/tree.h"

typedef union value { uint8_t bytes[8]; float f; double d; int64_t i; int32_t w; uint8_t b; } value;

/* ---- One reduction. ---- */

/* Reductions are done on float, double or int64_t, as the engine's reference does them. */
#define TREES(X)                                                                               \
	X(sum_float, float, -0.0f, arith_add_FLOAT32)                                          \
	X(sum_double, double, -0.0, arith_add_FLOAT64)                                         \
	X(sum_int, int64_t, 0, arith_add_INT64)                                                \
	X(prod_float, float, 1, arith_mul_FLOAT32) X(prod_double, double, 1, arith_mul_FLOAT64) \
	X(prod_int, int64_t, 1, arith_mul_INT64)                                               \
	X(max_float, float, -INFINITY, arith_maximum_FLOAT32)                                  \
	X(max_double, double, -INFINITY, arith_maximum_FLOAT64)                                \
	X(max_int, int64_t, INT64_MIN, arith_maximum_INT64)                                    \
	X(min_float, float, INFINITY, arith_minimum_FLOAT32)                                   \
	X(min_double, double, INFINITY, arith_minimum_FLOAT64)                                 \
	X(min_int, int64_t, INT64_MAX, arith_minimum_INT64)

/* name(x, n, nothing): the result of n elements of the type. */
#define DEFINE_TREE(name, type, identity, combine)                                             \
	TREE_DEFINE(name##_tree, type, identity, combine)                                      \
	static type name(const void *x, int64_t n, type nothing)                               \
	{                                                                                      \
		return name##_tree_all(x, n, nothing);                                         \
	}
TREES(DEFINE_TREE)

static float reduce_float(op o, const void *x, int64_t n)
{
	switch (o) {
	case OP_sum:  return sum_float(x, n, 0);
	case OP_prod: return prod_float(x, n, 1);
	case OP_max:  return max_float(x, n, 0);
	default:      return min_float(x, n, 0);
	}
}

static double reduce_double(op o, const void *x, int64_t n)
{
	switch (o) {
	case OP_sum:  return sum_double(x, n, 0);
	case OP_prod: return prod_double(x, n, 1);
	case OP_max:  return max_double(x, n, 0);
	default:      return min_double(x, n, 0);
	}
}

static int64_t reduce_int(op o, const void *x, int64_t n)
{
	switch (o) {
	case OP_sum:  return sum_int(x, n, 0);
	case OP_prod: return prod_int(x, n, 1);
	case OP_max:
	case OP_any:  return max_int(x, n, 0);
	case OP_min:  return min_int(x, n, 0);
	default:      return min_int(x, n, 1);
	}
}

static int64_t as_int(gt_dtype d, const value *v)
{
	switch (d) {
	case GT_INT32: return v->w;
	case GT_INT64: return v->i;
	default:       return v->b;
	}
}

static void set_int(gt_dtype d, int64_t i, value *v)
{
	switch (d) {
	case GT_INT32: v->w = (int32_t)i; break;
	case GT_INT64: v->i = i; break;
	default:       v->b = (uint8_t)i; break;
	}
}

/* ---- One call. ---- */

typedef struct run {
	const group *g;
	const kernel_call *call;
	group_shape shapes[GROUP_NODES];
	int level;                       /* reductions of lower levels are known */
	int64_t line, length;            /* which row (GROUP_COLS: column), of how many elements */
	value values[GROUP_NODES];       /* of one element; of reductions: of the line */
	value *inputs[GROUP_NODES];      /* of reductions: `length` values of the tree's type */
} run;

static char *element(const run *r, int arg, int64_t row, int64_t col)
{
	const kernel_arg *a = &r->call->args[arg];
	int64_t steps[] = {
		[ACCESS_RUN] = (int64_t)dtype_size(r->g->args[arg].dtype),
		[ACCESS_SAME] = 0,
		[ACCESS_STEP] = a->col,
	};

	return (char *)a->data + row * a->row + col * steps[r->g->args[arg].access];
}

static void compute(run *r, const group_node *n, value *to)
{
	const void *x[3] = { 0 };

	for (int k = 0; k < group_inputs(n); k++)
		x[k] = &r->values[n->in[k]];
	reference_element(n->op, r->g->nodes[n->in[n->op == OP_where]].dtype, n->dtype, to, x);
}

static void draw(const run *r, const group_node *n, value *to)
{
	const random_rows *rows = &random_rows_base;
	const uint64_t *s = r->call->scalars + n->at, at = (uint64_t)r->values[n->in[0]].i;
	const bool narrow = n->dtype == GT_FLOAT32;
	scalar i;

	if (n->op == OP_randint) {
		rows->integer_i64(&i.i, at, 1, s[0], s[1], (int64_t)s[2], (int64_t)s[3]);
		engine_scalar(KIND_INT, i, (gt_dtype)n->dtype, to);
	} else if (n->op == OP_rand) {
		if (narrow)
			rows->uniform_f32(&to->f, at, 1, s[0], s[1]);
		else
			rows->uniform_f64(&to->d, at, 1, s[0], s[1]);
	} else if (narrow) {
		rows->normal_f32(&to->f, at, 1, s[0], s[1]);
	} else {
		rows->normal_f64(&to->d, at, 1, s[0], s[1]);
	}
}

static void load(const run *r, const group_node *n, int64_t row, int64_t col, value *to)
{
	const char *at = element(r, n->at, row, col);

	if (r->g->args[n->at].counts)
		to->i = KERNEL_NUMBER(at);
	else
		memcpy(to, at + (n->what == NODE_PICK ? r->values[n->in[0]].i : 0),
			dtype_size((gt_dtype)n->dtype));
}

/* All values of an element that are known by now. Without `cols` those which are one for the line
 * in GROUP_ROWS, without `rows` those in GROUP_COLS. */
static void evaluate(run *r, int64_t row, int64_t col, bool rows, bool cols)
{
	for (int k = 0; k < r->g->nodes_count; k++) {
		const group_node *n = &r->g->nodes[k];
		const group_shape *s = &r->shapes[k];

		if (s->level > r->level || (s->rows && !rows) || (s->cols && !cols))
			continue;
		if (n->what == NODE_LOAD || n->what == NODE_PICK)
			load(r, n, row, col, &r->values[k]);
		else if (n->what == NODE_DRAW)
			draw(r, n, &r->values[k]);
		else if (n->what == NODE_SCALAR)
			memcpy(&r->values[k], &r->call->scalars[n->at], sizeof(value));
		else if (n->what == NODE_OP)
			compute(r, n, &r->values[k]);
	}
}

/* After all loads of the element: what is written may lie where something is read. */
static void store(run *r, int64_t row, int64_t col, bool rows, bool cols)
{
	for (int k = 0; k < r->g->nodes_count; k++) {
		const group_node *n = &r->g->nodes[k];

		if (n->what == NODE_STORE && r->shapes[k].rows == rows && r->shapes[k].cols == cols)
			memcpy(element(r, n->at, row, col), &r->values[n->in[0]],
				dtype_size(n->dtype));
	}
}

/* Keep element `at` of the line for the reductions of this level, packed in the tree's type. */
static void collect(run *r, int64_t at)
{
	for (int k = 0; k < r->g->nodes_count; k++) {
		const group_node *n = &r->g->nodes[k];
		gt_dtype d = n->what == NODE_REDUCE ? r->g->nodes[n->in[0]].dtype : GT_DTYPE_NONE;
		const value *v = &r->values[n->in[0]];

		if (n->what != NODE_REDUCE || r->shapes[k].level != r->level + 1)
			continue;
		if (n->op == OP_any || n->op == OP_all)
			r->inputs[k][at].i = d == GT_FLOAT32 ? v->f != 0 :
				d == GT_FLOAT64 ? v->d != 0 : as_int(d, v) != 0;
		else if (d == GT_FLOAT32)
			((float *)r->inputs[k])[at] = v->f;
		else if (d == GT_FLOAT64)
			r->inputs[k][at].d = v->d;
		else
			r->inputs[k][at].i = as_int(d, v);
	}
}

static void reduce(run *r)
{
	for (int k = 0; k < r->g->nodes_count; k++) {
		const group_node *n = &r->g->nodes[k];

		if (n->what != NODE_REDUCE || r->shapes[k].level != r->level + 1)
			continue;
		if (n->dtype == GT_FLOAT32)
			r->values[k].f = reduce_float(n->op, r->inputs[k], r->length);
		else if (n->dtype == GT_FLOAT64)
			r->values[k].d = reduce_double(n->op, r->inputs[k], r->length);
		else
			set_int(n->dtype, reduce_int(n->op, r->inputs[k], r->length),
				&r->values[k]);
	}
}

/* Of a piece of a row the results are left, for what is left of it they are taken. */
static void exchange(run *r)
{
	uint64_t *at = r->call->args[r->g->args_count].data;

	for (int k = 0; k < r->g->nodes_count; k++)
		if (r->g->nodes[k].what == NODE_REDUCE) {
			void *const to = r->length ? (void *)at : &r->values[k];

			memcpy(to, r->length ? (void *)&r->values[k] : at, sizeof *at);
			at++;
		}
}

static void walk(run *r, bool last)
{
	bool cols = r->g->mode == GROUP_COLS;

	for (int64_t i = 0; i < r->length; i++) {
		int64_t row = cols ? i : r->line, col = cols ? r->line : i;

		evaluate(r, row, col, true, true);
		if (last)
			store(r, row, col, true, true);
		else
			collect(r, i);
	}
	if (!last)
		reduce(r);
	if (!last && r->call->rows == KERNEL_PART)
		exchange(r);
}

/* A row, or in GROUP_COLS a column: what there is one of in it comes after its elements, and also
 * where it has none. In GROUP_COLS a row's own values are computed for each of its elements. */
static void run_line(run *r, int levels)
{
	bool cols = r->g->mode == GROUP_COLS;

	for (r->level = 0; r->level <= levels; r->level++)
		walk(r, r->level == levels);
	r->level = levels;
	evaluate(r, cols ? 0 : r->line, cols ? r->line : 0, !cols, cols);
	store(r, cols ? 0 : r->line, cols ? r->line : 0, !cols, cols);
}

void group_run(const group *g, const kernel_call *c)
{
	run *r = mem_zero(sizeof *r);
	int64_t lines = g->mode == GROUP_COLS ? c->cols : c->rows == KERNEL_PART ? 1 : c->rows;
	int levels = 0;

	r->g = g;
	r->call = c;
	r->length = g->mode == GROUP_COLS ? c->rows : c->cols;
	group_shapes(g, r->shapes);
	for (int k = 0; k < g->nodes_count; k++) {
		levels = MAX(levels, r->shapes[k].level);
		if (g->nodes[k].what == NODE_REDUCE)
			r->inputs[k] = mem_alloc((size_t)MAX(r->length, 1) * sizeof(value));
	}
	for (r->line = 0; r->line < lines; r->line++)
		run_line(r, levels);
	for (int k = 0; k < g->nodes_count; k++)
		mem_free(r->inputs[k]);
	mem_free(r);
}
