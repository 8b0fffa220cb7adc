/* fuse_graph.h: what the passes of fuse_make know of each value while they work. */
#ifndef REGION_FUSE_GRAPH_H
#define REGION_FUSE_GRAPH_H

#include "ir/compose.h"
#include "region/fuse.h"
#include "region/fuse_map.h"

typedef enum fuse_class {
	CLASS_LIVE_IN,
	CLASS_SAME,              /* values[].base, to the bit and to the stride */
	CLASS_VIEW,
	CLASS_FULL,              /* one scalar repeated: in kernels no memory at all */
	CLASS_COPY,              /* the elements of its input in the same order, contiguous */
	CLASS_ELEMENT,
	CLASS_PLACED,            /* elements made from where they are: fuse_place.c */
	CLASS_REDUCE,            /* in a direction that kernels reduce in */
	CLASS_CALL               /* anything else */
} fuse_class;

/* Which elements a reduction takes together: all but the last `kept` and those before. */
typedef struct fuse_reduction {
	uint8_t mode;            /* group_mode; GROUP_ELEMENT: in no direction that kernels know */
	int64_t reduced, kept;   /* elements in one result; neighbours that are not reduced */
} fuse_reduction;
fuse_reduction fuse_reduction_of(const meta *in, unsigned axes);

typedef struct fuse_node {
	uint8_t class;           /* fuse_class */
	bool needed;
	uint8_t pin;             /* fuse_why it must be in memory whoever uses it, or WHY_FUSED */
	bool used;               /* in memory, by a step: under this name */
	bool given;              /* it is made of nothing but numbers that come with the run */
	uint8_t refused[3];      /* fuse_why: per input that could not be fused */
	uint32_t root;           /* the first value up its chain of views that is none */
	uint32_t unit;           /* FUSE_NONE: no step */
	uint32_t next;           /* member of the unit; FUSE_NONE */
	uint32_t position;       /* in fusion.order */
	uint32_t slot;           /* in the kernel that is being tried */
	uint32_t deadline;       /* it is read behind that op */
	uint32_t users, users_count;   /* in graph.users; computed values, views skipped */
	fuse_map map;            /* from the unit's space to its elements */
} fuse_node;

typedef struct fuse_unit {
	bool alive, call;        /* call: of its only member's eager kernel */
	fuse_reduction reduction;        /* mode GROUP_ELEMENT: none yet */
	uint32_t first, last;    /* positions of its first and last member */
	uint32_t origin;         /* the last op of the region among its members'; runs behind it */
	uint32_t deadline;       /* the first of its members' */
	uint32_t members;        /* list by node.next */
	uint32_t count;
	int64_t space;           /* elements */
	uint64_t cost;           /* picoseconds, fuse_cost.h */
	uint32_t product;        /* whose pieces it runs on, no member; FUSE_NONE */
	uint32_t adds, source;   /* the sum, no member, that the member `source` is added to; FUSE_NONE */
} fuse_unit;

typedef struct fuse_graph {
	fusion *f;
	const fuse_input *in;
	fuse_node *nodes;        /* one a value */
	uint32_t nodes_room;
	uint32_t *table;         /* of common subexpressions: values + 1 */
	uint32_t table_mask, table_used;
	uint32_t *users;
	FUSE_LIST(fuse_unit) units;
	struct fuse_kernel *trial;       /* fuse_kernel.h */
	bool *whole;             /* per op: a composite that is not taken apart */
	uint32_t op;             /* being taken */
} fuse_graph;

/* Make f->values and f->order and graph->nodes from the region. */
gt_err fuse_graph_make(fuse_graph *g);
/* Mark what is needed, pinned, and by when; list users. */
void   fuse_graph_use(fuse_graph *g);
void   fuse_graph_fini(fuse_graph *g);

/* Value number of input k, a tensor. */
static inline uint32_t fuse_input_of(const ins *row, unsigned k)
{
	return (uint32_t)(ins_in(row)[k] - 1);
}

static inline fuse_value *fuse_value_at(const fuse_graph *g, uint32_t v)
{
	return &g->f->values.at[v];
}

static inline uint64_t fuse_bytes(const fuse_value *o)
{
	return (uint64_t)meta_count(&o->m) * dtype_size((gt_dtype)o->m.dtype);
}

static inline bool fuse_computed(const fuse_node *n)
{
	return n->class >= CLASS_COPY;
}

/* fuse_simplify.c: the value that `row`, the row of v, computes as well, to the bit and to the
 * stride; v if there is none. v's meta, and its strides if it is a view, are known. */
uint32_t fuse_simplify(fuse_graph *g, uint32_t v, ins *row);

/* fuse_place.c: is a row of CLASS_PLACED? Its indices are listed in fusion.checks then. */
bool fuse_place_takes(fuse_graph *g, const ins *row, const meta *const *in, const meta *out);
/* What is looked at is in memory, in time. */
void fuse_place_need(fuse_graph *g);
/* Units are what they are: leave those checks that no call makes. */
void fuse_place_check(fuse_graph *g);

/* fuse_index.c: is op `i` of the region a scatter_add that comparisons can do? Then
 * fuse_index_compose emits them; what it needs of `in` it looks at before the first one. Its
 * indices are listed as well. */
bool   fuse_index_compares(fuse_graph *g, const ins *i, const meta *const *in);
gt_err fuse_index_compose(const ins *i, const meta *const *in, const composer *to);

/* fuse_cat.c: is op `i` a cat of what was only copied for it? Then fuse_cat_compose emits the cat of
 * what was there before, and a view of it. */
bool   fuse_cat_unfolds(const fuse_graph *g, const ins *i, const meta *const *in);
gt_err fuse_cat_compose(const fuse_graph *g, const ins *i, const meta *const *in,
	const composer *to);

/* fuse_group.c: deal the computed values out to units. False: some composites do not become
 * kernels, which is now said in g->whole; begin anew. */
bool fuse_group_make(fuse_graph *g);
/* fuse_product.c: let kernels run on the pieces of products that they read. */
void fuse_product_join(fuse_graph *g);
/* fuse_add.c: of a row that is a call: list its indices in fusion.checks if they are added at. */
void fuse_add_check(fuse_graph *g, const ins *row, const meta *const *in, const meta *out);
/* Let kernels be one step with adding at indices what they make. */
void fuse_add_join(fuse_graph *g);
/* fuse_emit.c: units to steps. */
void fuse_emit(fuse_graph *g);
/* fuse_gather.c: steps that are one launch. */
void fuse_gather(fuse_graph *g);
/* fuse_memory.c: what is stored where, until when. */
void fuse_memory_plan(fuse_graph *g);
/* fuse_arena.c: places for values that are FUSE_STORED and need not be; `until` is known. */
void fuse_arena_fill(fuse_graph *g);

#define FUSE_PUSH(list, value)                                           \
	do {                                                             \
		VEC_ROOM((list)->at, (list)->count, (list)->room);       \
		(list)->at[(list)->count++] = (value);                   \
	} while (0)

#endif
