/* ins.h: the instruction, the one thing client, dispatcher and worker all speak.
 *
 * A fixed head of 32 bytes and a tail of 8-byte words: inputs, then operands. What decides which
 * code runs (op, attributes, scalar kinds) is in the head; what may change from run to run (ids,
 * scalar values, sizes, bounds, draw numbers) is in the tail. Values are named by 64-bit ids,
 * assigned once, counted per session, 0 is no value.
 */
#ifndef IR_INS_H
#define IR_INS_H

#include <gt/dtype.h>
#include <gt/error.h>
#include "base/base.h"
#include "ir/dtype.h"

#define INS_INPUTS_MAX   64     /* inputs of one instruction (cat) */
#define INS_OPERANDS_MAX 32
#define INS_NAME_MAX     127    /* bytes of a signal's name */

/* Static attributes; which fields an op uses is its row's ATTRS column. Unused bytes are 0. */
typedef union attr {
	uint64_t bits;
	uint8_t perm[GT_RANK_MAX];      /* permute: output dim k is input dim perm[k] */
	struct {
		uint8_t dtype;          /* gt_dtype: cast, creation */
		uint8_t axes;           /* bit k: dim k is reduced / normalised */
		uint8_t keepdims;       /* 0 or 1 */
		uint8_t axis;           /* one dim, normalised to 0 <= axis < rank */
	};
} attr;

/* Two bits an input in ins.kinds: 0 is a tensor id, else a scalar of that dtype_kind whose 8 bytes
 * (bool and int as int64, float as double) stand in the id's place. */
#define INS_KIND(kinds, k) (((kinds) >> (2 * (k))) & 3)   /* k < INS_SCALARS_MAX */
#define INS_SCALARS_MAX 8       /* inputs at and behind this position are always tensors */

typedef struct ins {
	uint16_t op;       /* enum op == wire code */
	uint16_t words;    /* whole record in 8-byte words */
	uint16_t kinds;
	uint8_t  nin, nopd;
	uint32_t site;     /* where in the user's program; 0 = unknown */
	uint32_t reserved; /* 0 */
	union attr attr;
	uint64_t out;      /* 0 for instructions without result */
	uint64_t tail[];
} ins;

#define INS_HEAD_WORDS 4
#define INS_WORDS_MAX (INS_HEAD_WORDS + INS_INPUTS_MAX + INS_OPERANDS_MAX)

static inline const uint64_t *ins_in(const ins *i) { return i->tail; }
static inline const int64_t *ins_opd(const ins *i) { return (const int64_t *)i->tail + i->nin; }

/* 0 if input k is a tensor, else the dtype_kind of the scalar. */
static inline unsigned ins_kind(const ins *i, unsigned k)
{
	return k < INS_SCALARS_MAX ? INS_KIND(i->kinds, k) : 0;
}

typedef union scalar { int64_t i; double f; uint64_t bits; } scalar;

/* Room for any instruction, and how one is made: init, then its inputs, then its operands, in
 * order. The words are kept up to date all along; what does not fit is a bug. Nobody has to use
 * these: the layout is the contract. */
typedef union ins_room {
	ins head;
	uint64_t words[INS_WORDS_MAX];
} ins_room;

ins *ins_init(ins_room *room, unsigned code, uint64_t out);
void ins_put_input(ins *i, uint64_t id);
void ins_put_scalar(ins *i, dtype_kind kind, scalar value);
void ins_put_operand(ins *i, int64_t value);
void ins_put_name(ins *i, const char *s, size_t n);   /* n <= INS_NAME_MAX */

/* The string of a row with operand `s`: NUL-terminated, padded with zeros to whole words. */
static inline const char *ins_name(const ins *i) { return (const char *)ins_opd(i); }

/* Check everything about `i` that the table alone decides: known op, numbers of inputs and
 * operands, which inputs may be scalars, attributes in range and unused bits zero, ids not 0, name
 * well formed. What this passes, the kernels may take for granted; shapes and dtypes are
 * shape_infer's. `words` is how many words there are at `i`. GT_EPROTO, the text without
 * position. */
gt_err ins_check(const ins *i, size_t words);

/* Bytes that travel with an instruction (upload). Reference counted: shared by client and worker of
 * one process. */
typedef struct blob {
	uint32_t refs;     /* atomic */
	size_t size;
	void *data;
	void (*release)(struct blob *b);   /* called with the last reference */
} blob;
blob *blob_new(size_t size);           /* NULL if there is no memory; data is 64-byte aligned */
void  blob_hold(blob *b);
void  blob_drop(blob *b);
blob *ins_blob(const ins *i);          /* that of an upload, else NULL */

/* Its words, to where there is room for them. A loop: they are seven or so, for which memcpy takes
 * longer. */
static inline void ins_copy(uint64_t *to, const ins *i)
{
	const uint64_t *from = (const uint64_t *)(const void *)i;

	for (unsigned k = 0; k < i->words; k++)
		to[k] = from[k];
}

/* A value's description: what shape inference works on. */
typedef struct meta {
	uint8_t dtype;     /* gt_dtype */
	uint8_t rank;
	int64_t dims[GT_RANK_MAX];   /* only the first `rank` are defined */
} meta;

static inline int64_t meta_count(const meta *m)
{
	int64_t n = 1;
	for (int k = 0; k < m->rank; k++)
		n *= m->dims[k];
	return n;
}

static inline void meta_copy(meta *to, const meta *from)
{
	to->dtype = from->dtype;
	to->rank = from->rank;
	for (int k = 0; k < from->rank; k++) {
		FEW_TURNS;
		to->dims[k] = from->dims[k];
	}
}

#endif
