/* tenant.h: what the files of this room know of each other: a worker and its tenants from
 * inside. */
#ifndef WORKER_TENANT_H
#define WORKER_TENANT_H

#include <pthread.h>
#include "worker/signals.h"
#include "worker/store.h"
#include "worker/worker.h"

struct tenant {
	line line;
	worker *worker;
	uint32_t session;
	tenant *next;                        /* among the arriving */
	store store;
	signals signals;
	struct hot *hot;                     /* hot.h; NULL: hot paths are not looked for */
	struct hot *heard;                   /* the same, or NULL as long as it rests (hot_rest.c) */
};

/* Counters have one writer at a time, the holder of the role, and readers on any thread. */
typedef _Atomic uint64_t counter;
static inline void counter_add(counter *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
		memory_order_relaxed);
}

struct worker {
	role role;
	worker_options options;
	engine *engine;

	/* Of whoever holds the role. */
	tenant **tenants;
	size_t count, room;
	uint64_t spent;                      /* estimated ns since the slice began */
	_Atomic uint64_t looks;              /* for hot paths: the threshold; 0: not yet */
	hot_stats past;                      /* of tenants that are gone; `lock` of hot_miner.c */
	counter instructions, operations, products, faults, values;

	_Atomic(tenant *) arriving;          /* admitted, not yet among the tenants */

	pthread_t thread;
	pthread_mutex_t hiring;
	_Atomic bool stop;
};

/* exec.c: execute one instruction. */
void exec_ins(tenant *t, const ins *i);

/* Inputs and result of the instruction at work. */
typedef struct call {
	kcall k;
	const value *values[INS_INPUTS_MAX];
	const meta *metas[INS_INPUTS_MAX];      /* NULL for scalars */
	view scalars[INS_SCALARS_MAX];
	uint64_t words[INS_SCALARS_MAX];
} call;

static inline void call_put(call *c, unsigned k, const value *v)
{
	c->values[k] = v;
	c->metas[k] = &v->v.m;
	c->k.in[k] = &v->v;
}

/* A scalar operand as a view of `word`, where it is converted to. */
static inline void call_number(view *v, uint64_t *word, unsigned kind, uint64_t bits,
	gt_dtype dtype)
{
	v->data = word;
	v->m.dtype = (uint8_t)dtype;
	v->m.rank = 0;
	v->contiguous = true;
	engine_scalar((dtype_kind)kind, (scalar){ .bits = bits }, dtype, word);
}

/* exec.c lets a result take over the memory of an input that is freed next and that nobody else
 * holds. Not while the inputs are held once more: for those who compute an op out of its turn. */
static inline void call_hold(const ins *i, const call *c, bool on)
{
	for (unsigned k = 0; k < i->nin; k++)
		if (c->metas[k])
			on ? storage_hold(c->values[k]->s) : storage_drop(c->values[k]->s);
}

/* exec.c: GT_ELIMIT if the tenant has too many values. */
gt_err exec_check_count(tenant *t, const ins *i);
/* exec.c: compute `out`, whose meta is there, by `run` (NULL: by no kernel). */
void exec_finish(tenant *t, const ins *i, call *c, kernel *run, value *out);
/* exec.c: an upload was executed: its data counts as consumed, the stream needs it no more. */
void exec_end_upload(tenant *t, const ins *i);

/* fault.c: the failure of `i`, in the words of the thread's last error, with what it was given
 * (in[k] is NULL for scalars; `in` may be NULL) and where. */
failure *fault_new(tenant *t, const ins *i, const meta *const *in);
/* The failure of `i` for lack of memory for a tensor like `wanted`. */
failure *fault_memory(tenant *t, const ins *i, const meta *wanted);

#endif
