/* client.h: what a client is made of, and what the files of this room offer each other.
 *
 *	handle  gt_tensor: what users hold; has a value, perhaps a node, perhaps an alias group
 *	value   an id of the stream and its shape; immutable; the last strong reference queues
 *	        `free`
 *	node    one recorded instruction of the tape; holds the nodes of its inputs and the values
 *	        that its gradient needs, never handles
 *	group   handles that share storage: a base and the views of it (alias.c)
 *	frame   owns what a function of this room makes on the way to its result (tensor.c)
 *
 * stream.c collects instructions and hands them to the link, emit.c makes them, rows.c is the
 * public functions that come from the op table; grad.c and the grad_*.c run the tape backwards.
 * The rest is public functions by subject. Inside, a handle is "loose" when the holder of the
 * pointer owns its one reference, "owned" when a scope, a frame or the manual caller does.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <gt/gt.h>
#include "base/base.h"
#include "base/error.h"
#include "client/slab.h"
#include "ir/op.h"
#include "ir/shape.h"
#include "link/link.h"

/* An answer that a value remembers. */
typedef struct memo { answer *a; struct memo *prev, *next; } memo;

typedef struct value {
	uint64_t id;
	uint32_t strong;     /* the engine keeps the elements while there is one */
	uint32_t weak;       /* those who look at the shape only, and one for all strong ones */
	memo *memo;          /* answer to the last fetch, so that reading again issues nothing */
	bool viewed;         /* made by a view: its answer may be a copy of its own */
	meta m;
} value;

typedef struct node node;

/* An input of a node. */
typedef struct edge {
	node *from;          /* the input's node, NULL if no gradient flows there */
	union {
		value *v;        /* strong if node.saved says so, else weak */
		scalar s;        /* by node.kinds, as in an instruction */
	};
} edge;

#define NODE_LEAF 0          /* node.op of a leaf that requires a gradient: no op has this code */

enum {
	NODE_KEEPS_OUT = 1,      /* `out` is held */
	NODE_SPENT     = 2,      /* saved values were given up by a backward pass */
	NODE_WANTED    = 4,      /* on the way to an input of gt_gradients (valid for `mark`) */
	NODE_CAPTURED  = 8       /* is such an input */
};

struct node {
	uint64_t seq;            /* larger than that of all nodes it depends on */
	uint32_t refs;
	uint16_t op;
	uint16_t kinds;
	uint8_t nin, nopd, flags;
	uint8_t dtype;           /* of the result */
	uint32_t site;
	uint32_t signal;         /* under which the gradient runs, 0 = none */
	uint32_t mark;           /* of the pass that looked at it last */
	attr attr;
	uint64_t saved;          /* bit k: in[k].v is strong */
	union {
		value *out;          /* NODE_KEEPS_OUT */
		gt_tensor *owner;    /* leaf: its handle; NULL when that is gone */
	};
	union {
		gt_tensor *dy;       /* during a pass: the gradient so far (loose) */
		node *next;          /* while being freed */
	};
	edge in[];               /* then the operands */
};

static inline int64_t *node_opd(node *n) { return (int64_t *)(n->in + n->nin); }

/* One view instruction of a chain that leads from a base to a view. */
typedef struct hop {
	struct hop *inner;      /* the one before; NULL: this one views the base */
	uint32_t refs;
	bool tracked;            /* made while gradients were recorded */
	meta from;               /* what it views */
	int64_t strides[GT_RANK_MAX];   /* of the view, where PyTorch's base is contiguous */
	ins head;                /* the instruction without its input: in the tail are its operands;
	                          * op HOP_DETACH: none */
} hop;

#define HOP_DETACH 0

typedef struct group {
	uint32_t refs;
	uint32_t version;        /* counts writes */
	uint32_t tracked;        /* members that may ask for the base's node */
	value *base;             /* current content of the base */
	node *node;              /* its node; given up when no member may ask */
} group;

struct gt_tensor {
	gt_client *gt;
	value *v;
	node *node;              /* NULL: no gradient */
	group *group;            /* NULL: shares nothing */
	hop *hops;             /* from the group's base to here; NULL: is the base */
	gt_tensor *grad;
	gt_tensor *next;         /* in gt_client.dropped */
	uint32_t refs;           /* atomic */
	uint32_t version;        /* of the group when `v` was derived */
	int32_t slot;            /* in gt_client.owned, or one of: */
	bool tracked;            /* in a group: its content follows the base's node */
};

enum { SLOT_NONE = -1, SLOT_SEVERAL = -2 };

struct gt_scope {
	gt_client *gt;
	gt_scope *outer;
	size_t mark;             /* owned[mark ..] is this scope's */
};

/* Which place a number stands for; shared with fetches, which may outlive the client. */
typedef struct sites {
	uint32_t refs;           /* atomic */
	uint32_t n;
	const gt_site **blocks[24];   /* block k has 256 << k entries and never moves */
	struct site_slot *slots; /* hash by address */
	uint32_t capacity;
} sites;

typedef enum client_state { CLIENT_OPEN, CLIENT_BUSY, CLIENT_CLOSED } client_state;

#define BATCH_INS   64
#define BATCH_NS    20000
#define BATCH_WORDS 2048

struct gt_client {
	uint64_t *words;         /* the batch: whole records */
	size_t used;
	uint32_t count;
	uint32_t state;          /* client_state */
	uint64_t cost;
	uint64_t issued, told;   /* estimated ns since the last read, and what the link knows of */
	uint64_t habit;          /* issued before the last reads; 0: it was none that waits */
	uint64_t began, lead;    /* ns: when this one was first handed over; how long before the read, of
	                            the last ones; UINT64_MAX: not known */
	bool left;               /* something was handed over that the link knows no cost of */
	uint64_t next_id, next_seq;
	gt_tensor *dropped;      /* atomic: handles that gt_drop, on any thread, left for us */
	bool manual, recording, debug;
	bool pieces;             /* GT_COMPILE: a flush ends a piece of work */
	bool interrupted;        /* while it handed over what was freed */
	bool uploads;            /* there are some in the batch */
	uint32_t frames;         /* open ones: results are owned even if manual */
	gt_tensor **owned;
	size_t nowned, owned_room;
	const gt_site *site;     /* the last one asked for, and its number */
	uint32_t site_number;
	uint32_t backward;       /* signal under which gradients of what comes run */
	slab slab;
	size_t handles;          /* alive */
	uint32_t closed_handles; /* atomic: after the close, those not yet dropped */
	memo *memos;             /* all there are */
	struct link *link;
	sites *sites;
	gt_scope *scope;
	uint64_t seed, draw;
	uint32_t mark;           /* passes over the tape so far */
	uint32_t update;         /* op of the last gt_update; 0: none */
	uint32_t forks;          /* of the process, when the client was made */
	struct signals *signals;
};

/* ---- client.c -------------------------------------------------------------------------------- */

/* A client on `l` (takes). Never NULL. */
gt_client *client_new(struct link *l, const gt_options *o);

/* Take care of handles that other threads dropped. False with the error set if a wait on the way
 * was interrupted; the rest stays for the next time. */
bool client_drain(gt_client *gt);

/* So many handles of a closed client are gone; with the last one its memory goes. Any thread. */
void client_drop_closed(gt_client *gt, uint32_t handles);

/* In gt_client.dropped when nobody drains any more. */
#define CLIENT_NO_MORE ((gt_tensor *)-1)

/* Set the error that tells why a client may not be used now; returns false. */
bool client_refuse(const gt_client *gt);
static inline bool client_ready(gt_client *gt, const char *what);

/* GT_EFORK in a forked child. */
gt_err client_check_fork(const gt_client *gt);

/* ---- stream.c -------------------------------------------------------------------------------- */

gt_err stream_flush(gt_client *gt);
/* The same for a client that waits next, and for one that does not, but wants to see it done. */
gt_err stream_flush_awaited(gt_client *gt);
gt_err stream_flush_now(gt_client *gt);
/* Forget what was not handed over. */
void stream_discard(gt_client *gt);

/* Room for one record of any size at the end of the batch. Nothing else may be appended, and no
 * value given up, before stream_commit. */
static inline ins *stream_room(gt_client *gt)
{
	return (ins *)(gt->words + gt->used);
}

/* The record at stream_room is part of the stream. An error is the link's. */
static inline gt_err stream_commit(gt_client *gt, uint32_t cost)
{
	gt->used += ((const ins *)(gt->words + gt->used))->words;
	gt->cost += cost;
	if (LIKELY(++gt->count < BATCH_INS && gt->cost < BATCH_NS &&
	           gt->used <= BATCH_WORDS - INS_WORDS_MAX))
		return GT_OK;
	return stream_flush(gt);
}

#define FREE_NS 10   /* estimated work of a free */
void stream_free(gt_client *gt, uint64_t id);

/* The number of a place; 0 for NULL. */
uint32_t site_add(gt_client *gt, const gt_site *s);
static inline uint32_t site_number(gt_client *gt, const gt_site *s)
{
	return LIKELY(s == gt->site) ? gt->site_number : site_add(gt, s);
}
sites         *sites_new(void);
sites         *sites_hold(sites *s);
void           sites_drop(sites *s);
const gt_site *sites_get(const sites *s, uint32_t number);   /* NULL if unknown; any thread */

/* ---- values, handles, ownership: tensor.c ---------------------------------------------------- */

static inline value *value_hold(value *v)
{
	v->strong++;
	return v;
}

void value_free(gt_client *gt, value *v);    /* the last strong reference went */

static inline void value_drop(gt_client *gt, value *v)
{
	if (!--v->strong)
		value_free(gt, v);
}

static inline void value_drop_weak(gt_client *gt, value *v)
{
	if (!--v->weak)
		slab_put(&gt->slab, v, sizeof *v);
}

/* A loose handle on `v` (takes); no node. */
gt_tensor *tensor_new(gt_client *gt, value *v);

/* Another loose handle on x's value and node, in no alias group. NULL for NULL. */
gt_tensor *tensor_same(const gt_tensor *x);

static inline gt_tensor *tensor_hold(gt_tensor *x)
{
	__atomic_fetch_add(&x->refs, 1, __ATOMIC_RELAXED);
	return x;
}

/* On the client's thread. NULL is fine. */
void tensor_release(gt_tensor *x);
void tensor_free(gt_tensor *x);              /* whatever the count says */

/* Give a loose handle to whom results belong to. NULL gives NULL. */
gt_tensor *tensor_own(gt_tensor *x);

/* Out of its scope or frame into the caller's hands. */
void tensor_disown(gt_tensor *x);

/* x is a leaf that requires a gradient. */
static inline bool tensor_is_leaf(const gt_tensor *x)
{
	return x->node && x->node->op == NODE_LEAF && x->node->owner == x;
}

/* A NULL where `what` wants a tensor: the first error of a chain stays. Returns false. */
bool tensor_missing(const char *what);

/* True if x may be used now, with its value up to date; else the error is set. */
static inline bool tensor_ready(gt_tensor *x, const char *what);

/* What is made until frame_end belongs to the frame and goes with it, except the result. */
typedef struct frame { gt_client *gt; size_t mark; } frame;
frame      frame_begin(gt_client *gt);
/* result: the frame's, or older, or NULL; becomes the outer owner's. */
gt_tensor *frame_end(frame f, gt_tensor *result);
/* The same, but the result comes back loose. */
gt_tensor *frame_end_loose(frame f, gt_tensor *result);

/* ---- emit.c ---------------------------------------------------------------------------------- */

/* Append `o` with these inputs, infer its shape, record it on the tape. The result is loose; NULL
 * on error. Tensors among the inputs are ready, of this client, and in the dtypes that the row
 * wants. */
gt_tensor *emit(gt_client *gt, const gt_site *site, op o, attr a, const gt_arg *in, int nin,
		const int64_t *opd, int nopd);

/* As emit with one tensor input, owned. */
gt_tensor *emit1(const gt_site *site, op o, attr a, gt_tensor *x, const int64_t *opd, int nopd);

/* The client of the first tensor among args[n], when all that are tensors are ready and of one
 * client; else NULL. */
gt_client *emit_client(const char *what, const gt_arg *args, int n);

static inline dtype_kind arg_kind(gt_arg a) { return (dtype_kind)a.kind; }

/* ---- promote.c ------------------------------------------------------------------------------- */

/* The dtype in which args[n] meet, by PyTorch's rules. */
gt_dtype promote(const gt_arg *args, int n);

/* Cast the tensors among args[n] to d, for op o. Those that were cast are new, loose, and listed in
 * casts[]; returns how many, or -1 on error (nothing is left over). */
int promote_cast(op o, const gt_site *site, gt_arg *args, int n, gt_dtype d, gt_tensor **casts);
void promote_done(gt_tensor **casts, int n);

/* x in dtype d: x itself, held, or a loose cast. */
gt_tensor *promote_tensor(const gt_site *site, gt_tensor *x, gt_dtype d);

/* Whether a number (rounded towards zero) is one of dtype d; else false with an error. */
bool promote_fits(const char *what, gt_arg a, gt_dtype d);

/* A number as one of a kind that goes with dtype d. */
gt_arg promote_number(gt_arg a, gt_dtype d);

/* ---- rows.c ---------------------------------------------------------------------------------- */

/* Row o, which is a CALL(BINARY). Owned. */
gt_tensor *row_binary(op o, const gt_site *site, gt_arg a, gt_arg b);

/* ---- dims.c ---------------------------------------------------------------------------------- */

/* 0 <= result < rank; -1 with the error set. rank 0 counts as 1. */
int dims_axis(const char *what, int64_t axis, int rank);
/* Mask of the dims that r names; -1 on error. */
int dims_axes(const char *what, const gt_reduce *r, int rank);

/* Equal dims; whether `from` broadcasts to exactly `to`. */
bool dims_same(const meta *a, const meta *b);
bool dims_fits(const meta *from, const meta *to);

/* ---- alias.c --------------------------------------------------------------------------------- */

/* The loose handle `view` has x's value; make it share x's storage too, without gradients. */
void alias_detach(gt_tensor *view, gt_tensor *x);

/* A loose view of x, which is ready, by one view instruction. */
gt_tensor *alias_view(const gt_site *site, gt_tensor *x, op o, attr a, const int64_t *opd,
		int nopd);

/* Bring a member that missed a write up to date. */
bool alias_sync(gt_tensor *x);

void alias_leave(gt_tensor *x);

/* Whether x may be written to; needs_grad: the new elements do. */
gt_err alias_check_write(gt_tensor *x, const char *what, bool needs_grad);

/* Let x have the value (and, while recording, the node) of r, which has x's shape and dtype; and
 * its base and their views too. */
gt_err alias_write(const gt_site *site, gt_tensor *x, gt_tensor *r);

/* ---- tape.c ---------------------------------------------------------------------------------- */

/* Record instruction `i`, which made `out` from in[], as out's node, if a gradient flows. */
void tape_record(gt_tensor *out, const ins *i, const gt_arg *in);

node *node_leaf(gt_tensor *owner);
static inline node *node_hold(node *n)
{
	if (n)
		n->refs++;
	return n;
}
/* Free what hangs on it, however long the chain. NULL is fine. */
void node_drop(gt_client *gt, node *n);
/* Give up the saved values. */
void node_spend(gt_client *gt, node *n);

/* ---- signal.c -------------------------------------------------------------------------------- */

struct signals *signals_new(void);
void signals_free(struct signals *s);
/* Whether a part that is compiled begins with signal number s as it is configured now. */
bool signal_begins(const gt_client *gt, uint32_t s);
/* Issue enter, or leave, of a signal without counting; and begin or end of the compiled part. */
gt_err signal_issue_enter(gt_client *gt, uint32_t s);
gt_err signal_issue_leave(gt_client *gt, bool begun);
/* The program waits for what it issued: what is in no part that is marked ends here. */
gt_err signal_issue_pause(gt_client *gt);

/* ---- read.c ---------------------------------------------------------------------------------- */

/* Give up v's memo; those of all values. */
void read_forget(gt_client *gt, value *v);
void read_forget_all(gt_client *gt);

/* ---- shape helpers: view.c ------------------------------------------------------------------- */

/* Loose results. */
gt_tensor *view_reshape(const gt_site *site, gt_tensor *x, const int64_t *dims, int rank);
gt_tensor *view_permute(const gt_site *site, gt_tensor *x, const int *order);
gt_tensor *view_expand(const gt_site *site, gt_tensor *x, const int64_t *dims, int rank);

/* ---- move.c, inplace.c ----------------------------------------------------------------------- */

/* index_select, index_add or index_set, owned. */
gt_tensor *move_rows(const gt_site *site, op o, gt_tensor *x, gt_tensor *index, gt_tensor *source,
		int axis);

/* r, of x's shape and no higher kind of dtype, becomes x's content. */
gt_err inplace_write(const gt_site *site, gt_tensor *x, gt_tensor *r, const char *what);

/* ---- short cuts ------------------------------------------------------------------------------ */

static inline bool client_ready(gt_client *gt, const char *what)
{
	if (UNLIKELY(!gt))
		return tensor_missing(what);
	if (UNLIKELY(gt->state != CLIENT_OPEN))
		return client_refuse(gt);
	if (UNLIKELY(__atomic_load_n(&gt->dropped, __ATOMIC_RELAXED)))
		return client_drain(gt);
	return true;
}

static inline bool tensor_ready(gt_tensor *x, const char *what)
{
	if (UNLIKELY(!x))
		return tensor_missing(what);
	if (!client_ready(x->gt, what))
		return false;
	if (UNLIKELY(x->group) && UNLIKELY(x->version != x->group->version))
		return alias_sync(x);
	return true;
}

#endif
