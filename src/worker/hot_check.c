/* hot_check.c: GT_CHECK: each op that a plan runs is run eagerly, too, and the bits are compared.
 *
 * The eager run comes first and from the instruction alone: its inputs by their ids, its shape
 * inferred, the engine's kernel. A difference is kept and raised by the session's next read; the
 * program goes on with what is right. NaNs are alike whatever their payload.
 */
#include "worker/hot.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include "base/error.h"

#define NUMBER_TEXT 40

/* ---- comparing ------------------------------------------------------------------------------- */

static const void *element(const value *v, int64_t k)
{
	return (const char *)v->v.data + (size_t)k * dtype_size((gt_dtype)v->v.m.dtype);
}

double hot_number(const value *v, int64_t k)
{
	const void *p = element(v, k);

	switch (v->v.m.dtype) {
#define CASE(name, n, c_type, text, kind, bytes) case n: return (double)*(const c_type *)p;
	GT_DTYPES(CASE)
#undef CASE
	}
	return 0;
}

int64_t hot_difference(const value *a, const value *b)
{
	const size_t size = dtype_size((gt_dtype)a->v.m.dtype);
	const int64_t n = meta_count(&a->v.m);

	if (LIKELY(!memcmp(a->v.data, b->v.data, (size_t)n * size)))
		return -1;
	for (int64_t k = 0; k < n; k++)
		if (memcmp(element(a, k), element(b, k), size) &&
		    !(isnan(hot_number(a, k)) && isnan(hot_number(b, k))))
			return k;
	return -1;
}

/* Views are the same if they look at the same memory in the same way. */
static bool is_same_view(const view *a, const view *b)
{
	for (int k = 0; k < a->m.rank; k++)
		if (a->strides[k] != b->strides[k])
			return false;
	return a->data == b->data;
}

/* What is wrong with `got`, as a thread error; GT_OK: nothing. */
static gt_err compare(const value *got, const value *expected)
{
	char a[SHAPE_TEXT_MAX], b[SHAPE_TEXT_MAX];
	int64_t k;

	if (!got->why != !expected->why)
		return fail(GT_ECHECK, "%s, eagerly: %s", got->why ? got->why->text : "a value",
			expected->why ? expected->why->text : "a value");
	if (got->why)
		return strcmp(got->why->text, expected->why->text) ? fail(GT_ECHECK,
			"%s, eagerly: %s", got->why->text, expected->why->text) : GT_OK;
	if (!plan_same_meta(&got->v.m, &expected->v.m))
		return fail(GT_ECHECK, "%s, eagerly %s", meta_text(&got->v.m, a, sizeof a),
			meta_text(&expected->v.m, b, sizeof b));
	if (!got->v.contiguous || !expected->v.contiguous)
		return is_same_view(&got->v, &expected->v) ? GT_OK :
			fail(GT_ECHECK, "another view than eagerly");
	if ((k = hot_difference(got, expected)) < 0)
		return GT_OK;
	return fail(GT_ECHECK, "element %" PRId64 " is %.17g, eagerly %.17g", k, hot_number(got, k),
		hot_number(expected, k));
}

/* ---- running --------------------------------------------------------------------------------- */

/* With the inputs held nobody takes over their memory, so the plan finds them as they are now. */
static bool run_eagerly(tenant *t, const ins *i, value *out)
{
	worker *w = t->worker;
	const uint64_t faults = atomic_load(&w->faults);
	call c = { .metas = { NULL } };

	for (unsigned k = 0; k < i->nin; k++) {
		value *v = ins_kind(i, k) ? NULL : store_get(&t->store, ins_in(i)[k]);

		if (v && v->why)
			return false;
		if (v)
			call_put(&c, k, v);
	}
	if (shape_infer(i, c.metas, &out->v.m))
		return false;
	call_hold(i, &c, true);
	exec_finish(t, i, &c, w->engine->kernels[i->op], out);
	call_hold(i, &c, false);
	atomic_store(&w->faults, faults);
	return true;
}

static void complain(tenant *t, const hot_run *r, const ins *i, const call *c)
{
	char name[REGION_NAME_MAX], text[ERROR_TEXT_MAX];

	if (t->hot->wrong)
		return;
	snprintf(text, sizeof text, "%s", gt_last_error());
	fail(GT_ECHECK, "GT_CHECK: op %u (%s) of %s: %s", r->match.at, op_rows[i->op].name,
		region_name(r->plan->region->signature, r->plan->region->n, name), text);
	t->hot->wrong = fault_new(t, i, c->metas);
}

void hot_check(tenant *t, hot_run *r, const ins *i, call *c, value *out)
{
	kernel *run = r->plan->steps[r->match.at].run;
	value eager = { .s = NULL };
	const bool known = i->op != OP_upload && run_eagerly(t, i, &eager);

	exec_finish(t, i, c, run, out);
	if (known && compare(out, &eager)) {
		value kept = *out;

		complain(t, r, i, c);
		out->v = eager.v;
		out->s = eager.s;
		out->why = eager.why;
		eager = kept;
	}
	if (eager.s)
		storage_drop(eager.s);
	if (eager.why)
		failure_drop(eager.why);
}

bool hot_check_answer(hot *h, answer *a)
{
	if (LIKELY(!h->wrong))
		return false;
	answer_fail(a, h->wrong);
	h->wrong = NULL;
	return true;
}
