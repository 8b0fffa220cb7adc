/* make.h: instructions that programs of these tests are made of, in room that the caller has. */
#ifndef WORKER_MAKE_H
#define WORKER_MAKE_H

#include "base/mem.h"
#include "ir/ins.h"
#include "ir/op.h"

/* id = code(x, y); 0 for an input that it does not have. */
static inline ins *make_op(ins_room *r, unsigned code, uint64_t id, uint64_t x, uint64_t y)
{
	ins *i = ins_init(r, code, id);

	if (x)
		ins_put_input(i, x);
	if (y)
		ins_put_input(i, y);
	return i;
}

/* id = x * by */
static inline ins *make_scaled(ins_room *r, uint64_t id, uint64_t x, double by)
{
	ins *i = make_op(r, OP_mul, id, x, 0);

	ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = by });
	return i;
}

/* A matrix of float32 that nothing is written to yet; the caller drops its blob. */
static inline ins *make_upload(ins_room *r, uint64_t id, int64_t rows, int64_t cols)
{
	ins *i = ins_init(r, OP_upload, id);

	i->attr.dtype = GT_FLOAT32;
	ins_put_operand(i, (int64_t)(intptr_t)blob_new((size_t)(rows * cols) * sizeof(float)));
	ins_put_operand(i, rows);
	ins_put_operand(i, cols);
	return i;
}

static inline ins *make_free(ins_room *r, uint64_t x)
{
	return make_op(r, OP_free, 0, x, 0);
}

#endif
