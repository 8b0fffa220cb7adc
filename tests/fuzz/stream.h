/* stream.h: what the decoders' fuzz targets do with instructions that a decoder let through. */
#ifndef FUZZ_STREAM_H
#define FUZZ_STREAM_H

#include <stdlib.h>
#include "base/map.h"
#include "ir/batch.h"
#include "ir/op.h"
#include "ir/shape.h"
#include "require.h"

/* Values that the stream made so far, by id. */
typedef struct values { idmap map; } values;

static void values_fini(values *v)
{
	for (size_t i = 0; (i = idmap_next(&v->map, i)); )
		free(v->map.slots[i - 1].value);
	idmap_fini(&v->map);
}

static bool meta_sound(const meta *m)
{
	int64_t count = 1;
	bool sound = m->dtype && m->dtype < GT_DTYPE_COUNT && m->rank <= GT_RANK_MAX;

	for (int k = 0; sound && k < m->rank; k++)
		sound = m->dims[k] >= 0 &&
			!__builtin_mul_overflow(count, MAX(m->dims[k], 1), &count);
	return sound && count <= SHAPE_ELEMENTS_MAX;
}

/* Strides of a view must stay within its input's elements. */
static void check_view(const ins *i, const meta *in, const meta *out)
{
	int64_t from[GT_RANK_MAX], strides[GT_RANK_MAX], offset = 0, low = 0, high = 0;

	shape_contiguous(in, from);
	if (!shape_view(i, in, from, out, strides, &offset)) {
		REQUIRE(i->op == OP_reshape);
		return;
	}
	if (!meta_count(out))
		return;
	for (int k = 0; k < out->rank; k++)
		*(strides[k] < 0 ? &low : &high) += strides[k] * (out->dims[k] - 1);
	REQUIRE(offset + low >= 0 && offset + high < meta_count(in));
}

/* A well-formed instruction: infer its shape from those before it and remember the result's. */
static void follow(values *v, const ins *i)
{
	const meta *in[INS_INPUTS_MAX];
	meta out, *kept;

	REQUIRE(!ins_check(i, i->words));
	for (unsigned k = 0; k < i->nin; k++) {
		in[k] = ins_kind(i, k) ? NULL : idmap_get(&v->map, ins_in(i)[k]);
		if (!ins_kind(i, k) && !in[k])
			return;   /* an id that nobody made: whoever runs the stream refuses it */
	}
	if (shape_infer(i, in, &out))
		return;
	REQUIRE(meta_sound(&out));
	if (op_row_of(i->op)->kind == KIND_VIEW)
		check_view(i, in[0], &out);
	if (!(kept = idmap_get(&v->map, i->out))) {
		kept = malloc(sizeof *kept);
		idmap_put(&v->map, i->out, kept);
	}
	*kept = out;
}

#endif
