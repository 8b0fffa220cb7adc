/* ins.c: making instructions, checking their form, and the blobs that uploads carry. */
#include "ir/ins.h"

#include <stdlib.h>
#include "base/error.h"
#include "base/mem.h"
#include "ir/op.h"

#define WORDS(i) (INS_HEAD_WORDS + (i)->nin + (i)->nopd)

ins *ins_init(ins_room *room, unsigned code, uint64_t out)
{
	room->head = (ins){ .op = (uint16_t)code, .words = INS_HEAD_WORDS, .out = out };
	return &room->head;
}

void ins_put_input(ins *i, uint64_t id)
{
	assert(!i->nopd && i->nin < INS_INPUTS_MAX);
	i->tail[i->nin++] = id;
	i->words++;
}

void ins_put_scalar(ins *i, dtype_kind kind, scalar value)
{
	assert(i->nin < INS_SCALARS_MAX);
	i->kinds |= (uint16_t)(kind << (2 * i->nin));
	ins_put_input(i, value.bits);
}

void ins_put_operand(ins *i, int64_t value)
{
	assert(i->nopd < INS_OPERANDS_MAX);
	i->tail[i->nin + i->nopd++] = (uint64_t)value;
	i->words++;
}

void ins_put_name(ins *i, const char *s, size_t n)
{
	uint64_t words[INS_NAME_MAX / 8 + 1] = { 0 };

	assert(n <= INS_NAME_MAX);
	memcpy(words, s, n);
	for (size_t k = 0; k <= n / 8; k++)
		ins_put_operand(i, (int64_t)words[k]);
}

/* ---- form ---- */

static gt_err check_counts(const ins *i, const op_row *row, size_t words)
{
	if (i->nin > INS_INPUTS_MAX || (row->nin < 0 ? !i->nin : i->nin != row->nin))
		return fail(GT_EPROTO, row->nin < 0 ? "%s: %u inputs, expected 1 to %d" :
			"%s: %u inputs, expected %d", row->name, i->nin,
			row->nin < 0 ? INS_INPUTS_MAX : row->nin);
	if (i->nopd > INS_OPERANDS_MAX || !op_operands_fit(row, i->nopd))
		return fail(GT_EPROTO, "%s: %u operands do not fit the pattern '%s' (at most %d)",
			row->name, i->nopd, row->operands, INS_OPERANDS_MAX);
	if (i->words != WORDS(i) || i->words > words)
		return fail(GT_EPROTO, "%s: record of %u words, expected %u, present %zu",
			row->name, i->words, (unsigned)WORDS(i), words);
	return GT_OK;
}

static gt_err check_scalar(const ins *i, const op_row *row, unsigned k)
{
	if (op_input(row, k) == 't')
		return fail(GT_EPROTO, "%s: input %u is a scalar, expected a tensor", row->name, k);
	if (ins_kind(i, k) == KIND_BOOL && ins_in(i)[k] > 1)
		return fail(GT_EPROTO,
			"%s: input %u is a bool that is neither 0 nor 1", row->name, k);
	return GT_OK;
}

/* A fetch of no value waits for all that is before it. */
static gt_err check_id(const ins *i, const op_row *row, unsigned k)
{
	if (op_input(row, k) == 's')
		return fail(GT_EPROTO, "%s: input %u is a tensor, expected a scalar", row->name, k);
	if (ins_in(i)[k] ? ins_in(i)[k] == i->out : i->op != OP_fetch)
		return fail(GT_EPROTO, "%s: input %u is %s", row->name, k,
			ins_in(i)[k] ? "the result itself" : "0, which is no value");
	return GT_OK;
}

static gt_err check_inputs(const ins *i, const op_row *row)
{
	unsigned tensors = 0;
	gt_err e = GT_OK;

	for (unsigned k = 0; k < i->nin && !e; k++) {
		e = ins_kind(i, k) ? check_scalar(i, row, k) : check_id(i, row, k);
		tensors += !ins_kind(i, k);
	}
	if (e)
		return e;
	if (i->nin < INS_SCALARS_MAX && i->kinds >> (2 * i->nin))
		return fail(GT_EPROTO, "%s: scalar kinds of inputs that do not exist", row->name);
	if (i->nin && !tensors && op_input(row, 0) != 's')
		return fail(GT_EPROTO, "%s: no input is a tensor", row->name);
	return GT_OK;
}

static gt_err check_perm(const ins *i, const op_row *row)
{
	unsigned seen = 0, rank = 1;

	for (unsigned k = 0; k < GT_RANK_MAX; k++)
		if (i->attr.perm[k] >= rank)
			rank = i->attr.perm[k] + 1u;
	for (unsigned k = 0; k < rank && k < GT_RANK_MAX; k++)
		seen |= 1u << (i->attr.perm[k] & 31);
	for (unsigned k = rank; k < GT_RANK_MAX; k++)
		if (i->attr.perm[k])
			rank = GT_RANK_MAX + 1;
	if (rank > GT_RANK_MAX || seen != (1u << rank) - 1)
		return fail(GT_EPROTO, "%s: attribute perm is not a permutation", row->name);
	return GT_OK;
}

static gt_err check_attr(const ins *i, const op_row *row)
{
	attr rest = i->attr;

	if (row->attrs & ATTR_PERM)
		return check_perm(i, row);
	if (row->attrs & ATTR_DTYPE && (!rest.dtype || rest.dtype >= GT_DTYPE_COUNT))
		return fail(GT_EPROTO, "%s: unknown dtype %u", row->name, rest.dtype);
	if (row->attrs & ATTR_KEEPDIMS && rest.keepdims > 1)
		return fail(GT_EPROTO,
			"%s: keepdims is %u, expected 0 or 1", row->name, rest.keepdims);
	if (row->attrs & ATTR_AXIS && rest.axis >= GT_RANK_MAX)
		return fail(GT_EPROTO, "%s: axis %u, expected less than %d", row->name, rest.axis,
			GT_RANK_MAX);
	rest.dtype = row->attrs & ATTR_DTYPE ? 0 : rest.dtype;
	rest.axes = row->attrs & ATTR_AXES ? 0 : rest.axes;
	rest.keepdims = row->attrs & ATTR_KEEPDIMS ? 0 : rest.keepdims;
	rest.axis = row->attrs & ATTR_AXIS ? 0 : rest.axis;
	if (rest.bits)
		return fail(GT_EPROTO, "%s: an attribute it does not have is set", row->name);
	return GT_OK;
}

static gt_err check_name(const ins *i, const op_row *row)
{
	const char *s = ins_name(i);
	size_t room = (size_t)i->nopd * 8, n = strnlen(s, room);

	if (!n || n > INS_NAME_MAX)
		return fail(GT_EPROTO, "%s: name of %zu bytes, expected 1 to %d", row->name, n,
			INS_NAME_MAX);
	if (n / 8 + 1 != i->nopd)
		return fail(GT_EPROTO, "%s: name of %zu bytes in %u words", row->name, n, i->nopd);
	for (size_t k = n; k < room; k++)
		if (s[k])
			return fail(GT_EPROTO, "%s: bytes behind the end of the name", row->name);
	return GT_OK;
}

gt_err ins_check(const ins *i, size_t words)
{
	const op_row *row;
	gt_err e;

	if (words < INS_HEAD_WORDS)
		return fail(GT_EPROTO, "instruction of %zu words, expected at least %d", words,
			INS_HEAD_WORDS);
	if (!(row = op_row_of(i->op)))
		return fail(GT_EPROTO, "unknown op code %u; is the sender newer?", i->op);
	if ((e = check_counts(i, row, words)) || (e = check_inputs(i, row)) ||
		(e = check_attr(i, row)))
		return e;
	if (i->reserved)
		return fail(GT_EPROTO, "%s: reserved bits are set", row->name);
	if (!i->out == op_has_result(row))
		return fail(GT_EPROTO, i->out ? "%s: has a result, expected none" :
			"%s: the result is 0, which is no value", row->name);
	if (*row->operands == 's')
		return check_name(i, row);
	if (*row->operands == 'b' && !ins_blob(i))
		return fail(GT_EPROTO, "%s: carries no data", row->name);
	return GT_OK;
}

/* ---- blobs ---- */

#define BLOB_ALIGN 64

static void release_blob(blob *b)
{
	free(b);
}

blob *blob_new(size_t size)
{
	size_t head = ALIGN_UP(sizeof(blob), (size_t)BLOB_ALIGN);
	blob *b = NULL;

	if (size <= PTRDIFF_MAX - head - BLOB_ALIGN && !mem_fails())
		b = aligned_alloc(BLOB_ALIGN, ALIGN_UP(head + size, (size_t)BLOB_ALIGN));
	if (b)
		*b = (blob){
			.refs = 1, .size = size, .data = (char *)b + head, .release = release_blob
		};
	return b;
}

void blob_hold(blob *b)
{
	__atomic_fetch_add(&b->refs, 1, __ATOMIC_RELAXED);
}

void blob_drop(blob *b)
{
	if (__atomic_fetch_sub(&b->refs, 1, __ATOMIC_ACQ_REL) == 1)
		b->release(b);
}

blob *ins_blob(const ins *i)
{
	return *op_rows[i->op].operands == 'b' ? (blob *)(uintptr_t)*ins_opd(i) : NULL;
}
