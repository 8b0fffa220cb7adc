/* exec.c: one instruction at a time.
 *
 * An instruction that computes takes the same way whatever it is: look its inputs up, infer the
 * result's shape (which also checks what was sent), give it memory or a view of its input's, call
 * the kernel, file the result. What goes wrong on the way becomes the result: a poisoned value,
 * which whoever uses it inherits.
 */
#include "worker/hot.h"

#include <inttypes.h>
#include "base/error.h"
#include "base/log.h"
#include "ir/cost.h"
#include "ir/text.h"

/* Takes `why`. */
static void poison(value *out, failure *why)
{
	if (out->s)
		storage_drop(out->s);
	out->s = NULL;
	out->why = why;
}

/* Look up the inputs; false if one of them does not exist, and *why tells why (Gives). */
static bool find_inputs(tenant *t, const ins *i, call *c, failure **why)
{
	for (unsigned k = 0; k < i->nin; k++) {
		value *v;

		c->metas[k] = NULL;
		if (ins_kind(i, k))
			continue;
		v = store_get(&t->store, ins_in(i)[k]);
		if (UNLIKELY(!v)) {
			fail(GT_EPROTO, "%s: input t%" PRIu64 " is unknown or was freed",
				op_rows[i->op].name, ins_in(i)[k]);
			*why = fault_new(t, i, NULL);
			return false;
		}
		if (UNLIKELY(v->why != NULL)) {
			failure_hold(*why = v->why);
			return false;
		}
		if (UNLIKELY(v->run != NULL) && op_rows[i->op].kind == KIND_VIEW)
			fused_move_out(v);
		call_put(c, k, v);
	}
	return true;
}

static void convert_scalars(const ins *i, call *c, const meta *out)
{
	for (unsigned k = 0; k < i->nin; k++) {
		unsigned kind = ins_kind(i, k);

		if (!kind)
			continue;
		call_number(&c->scalars[k], &c->words[k], kind, ins_in(i)[k],
			engine_scalar_dtype(i, (int)k, c->metas, out));
		c->k.in[k] = &c->scalars[k];
	}
}

/* Whether the stream frees `id` right behind the instruction at work. */
static bool is_freed_next(tenant *t, uint64_t id)
{
	uint64_t at = 0;
	const ins *i;

	while ((i = ring_after(&t->line.ring, &at)) && i->op == OP_free)
		if (ins_in(i)[0] == id)
			return true;
	return false;
}

/* A loop: for so few words the compilers' own copies and comparisons take longer. */
static bool same_dims(const meta *a, const meta *b)
{
	for (int k = 0; k < a->rank; k++)
		if (a->dims[k] != b->dims[k])
			return false;
	return true;
}

/* May the result lie where this input does? Yes if nobody else sees that memory, and the input
 * itself is not looked at again. */
static bool is_dying(tenant *t, uint64_t id, const value *in, const value *out)
{
	return in->v.contiguous && in->v.m.dtype == out->v.m.dtype && !in->s->release &&
		__atomic_load_n(&in->s->refs, __ATOMIC_ACQUIRE) == 1 &&
		in->v.m.rank == out->v.m.rank && same_dims(&in->v.m, &out->v.m) &&
		in->v.data == in->s->data && is_freed_next(t, id);
}

/* One more reference to what nobody else has one of: no other thread can change the count, so no
 * locked instruction is needed. */
static void hold_own(storage *s)
{
	assert(s->refs == 1);
	__atomic_store_n(&s->refs, 2, __ATOMIC_RELAXED);
}

/* An elementwise result takes over the memory of an input at its last use: half the traffic of a
 * long chain. */
static bool take_over(tenant *t, const ins *i, const call *c, value *out)
{
	if (op_rows[i->op].kind != KIND_ELEMENT || i->op == OP_clone)
		return false;
	for (unsigned k = 0; k < i->nin; k++) {
		const value *in = c->values[k];

		if (ins_kind(i, k) || !is_dying(t, ins_in(i)[k], in, out))
			continue;
		hold_own(out->s = in->s);
		out->v.data = in->v.data;
		for (int d = 0; d < in->v.m.rank; d++)
			out->v.strides[d] = in->v.strides[d];
		out->v.contiguous = true;
		return true;
	}
	return false;
}

/* Memory for a tensor of out's shape; false if there is none. */
static bool allocate(worker *w, value *out)
{
	size_t size = dtype_size((gt_dtype)out->v.m.dtype);
	int64_t count = 1;

	for (int k = out->v.m.rank; k--;) {
		out->v.strides[k] = count;
		count *= out->v.m.dims[k];
	}
	out->s = storage_new(w->engine->memory, (size_t)count * size);
	if (UNLIKELY(!out->s))
		return false;
	out->v.data = out->s->data;
	out->v.contiguous = true;
	return true;
}

static gt_err run_kernel(worker *w, const ins *i, call *c, kernel *f, value *out)
{
	if (UNLIKELY(!f))
		return fail(GT_EUNSUPPORTED, "%s: the %s engine cannot compute it",
			op_rows[i->op].name, w->engine->name);
	c->k.i = i;
	c->k.out = &out->v;
	c->k.engine = w->engine;
	c->k.after = NULL;
	return f(&c->k);
}

static void compute(tenant *t, const ins *i, call *c, kernel *run, value *out)
{
	worker *w = t->worker;

	if (i->kinds)
		convert_scalars(i, c, &out->v.m);
	if (UNLIKELY(!take_over(t, i, c, out) && !allocate(w, out)))
		poison(out, fault_memory(t, i, &out->v.m));
	else if (UNLIKELY(run_kernel(w, i, c, run, out)))
		poison(out, fault_new(t, i, c->metas));
}

/* The result as a view of the only input; false if it needs memory of its own. */
static bool make_view(const ins *i, const value *in, value *out)
{
	int64_t offset = 0;

	if (!shape_view(i, &in->v.m, in->v.strides, &out->v.m, out->v.strides, &offset))
		return false;
	storage_hold(out->s = in->s);
	out->v.data = (char *)in->v.data + offset * (int64_t)dtype_size((gt_dtype)in->v.m.dtype);
	out->v.contiguous = shape_is_contiguous(&out->v.m, out->v.strides);
	return true;
}

static void drop_blob(void *b)
{
	blob_drop(b);
}

/* The client's bytes become the tensor's memory. */
static void upload(tenant *t, const ins *i, value *out)
{
	blob *b = ins_blob(i);
	size_t size = (size_t)meta_count(&out->v.m) * dtype_size((gt_dtype)out->v.m.dtype);

	if (UNLIKELY(b->size != size)) {
		fail(GT_EPROTO, "upload: %zu bytes of data, expected %zu", b->size, size);
		poison(out, fault_new(t, i, NULL));
		return;
	}
	out->s = storage_wrap(t->worker->engine->memory, b->data, size, drop_blob, b);
	if (UNLIKELY(!out->s)) {
		poison(out, fault_memory(t, i, &out->v.m));
		return;
	}
	blob_hold(b);
	out->v.data = b->data;
	shape_contiguous(&out->v.m, out->v.strides);
	out->v.contiguous = true;
}

/* A value for the result, filed under its id; NULL if the id is in use, which poisons the value
 * that uses it. */
static value *file_result(tenant *t, const ins *i)
{
	value *v = store_taken(&t->store, i->out);

	if (UNLIKELY(i->out <= t->store.highest) && t->hot)
		hot_rebind(t->hot, i->out);
	if (UNLIKELY(v != NULL)) {
		if (v->why)
			return NULL;
		if (v->run)              /* whose run must not go on with it */
			fused_free(v);
		fail(GT_EPROTO, "%s: t%" PRIu64 " has a value already",
			op_rows[i->op].name, i->out);
		poison(v, fault_new(t, i, NULL));
		return NULL;
	}
	v = store_take(&t->store);
	v->op = i->op;
	store_put(&t->store, i->out, v);
	counter_add(&t->worker->values, 1);
	return v;
}

gt_err exec_check_count(tenant *t, const ins *i)
{
	if (LIKELY(store_count(&t->store) <= STORE_VALUES_MAX))
		return GT_OK;
	return fail(GT_ELIMIT, "%s: the client has %u tensors alive, which is the limit; drop some",
		op_rows[i->op].name, STORE_VALUES_MAX);
}

void exec_finish(tenant *t, const ins *i, call *c, kernel *run, value *out)
{
	if (i->op == OP_upload)
		upload(t, i, out);
	else if (op_rows[i->op].kind != KIND_VIEW || !make_view(i, c->values[0], out))
		compute(t, i, c, run, out);
}

static void make_value(tenant *t, const ins *i)
{
	value *out = file_result(t, i);
	failure *why;
	call c;

	if (UNLIKELY(!out) || (UNLIKELY(t->heard != NULL) && t->heard->count &&
			hot_replay(t, i, out)))
		return;
	if (UNLIKELY(!find_inputs(t, i, &c, &why))) {
		poison(out, why);
		return;
	}
	if (UNLIKELY(exec_check_count(t, i) || shape_infer(i, c.metas, &out->v.m))) {
		poison(out, fault_new(t, i, NULL));
		return;
	}
	if (UNLIKELY(t->heard != NULL))
		hot_note(t->heard, i, c.metas, &out->v.m);
	t->worker->spent += cost_ns(i->op, i->nin ? c.metas[0] : NULL, &out->v.m);
	exec_finish(t, i, &c, t->worker->engine->kernels[i->op], out);
}

/* ---- control --------------------------------------------------------------------------------- */

static void drop_storage(void *s)
{
	storage_drop(s);
}

/* Answers are contiguous: copy what is not. */
static void answer_copy(tenant *t, const ins *i, answer *a, const value *v)
{
	ins clone = { .op = OP_clone, .words = INS_HEAD_WORDS, .nin = 1 };
	value copy = { .v.m = v->v.m };
	call c;

	c.k.in[0] = &v->v;
	if (!allocate(t->worker, &copy)) {
		answer_fail(a, fault_memory(t, i, &copy.v.m));
	} else if (run_kernel(t->worker, &clone, &c,
			t->worker->engine->kernels[OP_clone], &copy)) {
		storage_drop(copy.s);
		answer_fail(a, fault_new(t, i, NULL));
	} else {
		answer_give(a, &copy.v.m, copy.v.data, copy.s, drop_storage);
	}
}

static void fetch(tenant *t, const ins *i)
{
	answer *a = (answer *)(uintptr_t)ins_opd(i)[0];
	const uint64_t id = ins_in(i)[0];
	value *v = LIKELY(id) ? store_find(&t->store, id) : NULL;

	if (UNLIKELY(v && store_pends(v)))
		v = fused_read(v);
	if (UNLIKELY(t->hot != NULL) && hot_check_answer(t->hot, a))
		return;
	if (UNLIKELY(!id)) {
		answer_give(a, &(meta){ 0 }, NULL, NULL, NULL);
	} else if (UNLIKELY(!v)) {
		fail(GT_EPROTO, "fetch: t%" PRIu64 " is unknown or was freed", id);
		answer_fail(a, fault_new(t, i, NULL));
	} else if (UNLIKELY(v->why != NULL)) {
		failure_hold(v->why);
		answer_fail(a, v->why);
	} else if (v->v.contiguous) {
		if (UNLIKELY(v->run != NULL))
			fused_move_out(v);
		storage_hold(v->s);
		answer_give(a, &v->v.m, v->v.data, v->s, drop_storage);
	} else {
		answer_copy(t, i, a, v);
	}
}

static void control(tenant *t, const ins *i)
{
	switch (i->op) {
	case OP_free:
		/* A hint: an unknown id is nothing to complain about. */
		if (store_drop(&t->store, ins_in(i)[0]))
			counter_add(&t->worker->values, (uint64_t)-1);
		break;
	case OP_fetch:
		fetch(t, i);
		break;
	case OP_enter:
		signals_enter(&t->signals, ins_name(i));
		break;
	case OP_leave:
		signals_leave(&t->signals);
		break;
	}
}

/* An upload without its data: nobody wants to read those here. */
static void print(const tenant *t, const ins *i)
{
	buf text = { 0 };

	if (i->op == OP_upload) {
		buf_printf(&text, "t%" PRIu64 " = upload of %zu bytes", i->out, ins_blob(i)->size);
	} else {
		text_put(&text, i, NULL);
		text.size -= text.size && text.data[text.size - 1] == '\n';
	}
	log_line("worker_%d c%u: %s", t->worker->options.number, t->session, buf_text(&text));
	buf_fini(&text);
}

void exec_end_upload(tenant *t, const ins *i)
{
	atomic_fetch_add(&t->line.consumed, ins_blob(i)->size);
	blob_drop(ins_blob(i));
}

void exec_ins(tenant *t, const ins *i)
{
	worker *w = t->worker;
	unsigned kind = op_rows[i->op].kind;

	if (UNLIKELY(w->options.prints))
		print(t, i);
	counter_add(&w->instructions, 1);
	if (kind == KIND_CONTROL) {
		if (UNLIKELY(i->op == OP_begin || i->op == OP_end)) {
			hot_scope(t, i);
			return;
		}
		if (UNLIKELY(t->heard != NULL))
			hot_note_control(t->heard, i);
		control(t, i);
		return;
	}
	counter_add(&w->operations, 1);
	if (kind == KIND_PRODUCT)
		counter_add(&w->products, 1);
	make_value(t, i);
	if (UNLIKELY(i->op == OP_upload))
		exec_end_upload(t, i);
}
