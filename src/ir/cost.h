/* cost.h: what an instruction roughly costs, in nanoseconds on one core.
 *
 * Decides when a batch is handed over and a worker is woken: an order of magnitude is enough, a few
 * nanoseconds is all it may take. In one place, because client and engine must not disagree.
 */
#ifndef IR_COST_H
#define IR_COST_H

#include "ir/op.h"

#define COST_CALL_NS 50

/* Nanoseconds 1,024 elements take, by kind of op. */
static const uint16_t cost_elements_ns[] = {
	[KIND_CREATE] = 500, [KIND_ELEMENT] = 300, [KIND_REDUCE] = 200, [KIND_INDEX] = 500,
	[KIND_COMPOSITE] = 2000, [KIND_PRODUCT] = 25,
};

/* `in`: the first input's meta, NULL if it has none or it is a scalar. */
static inline uint32_t cost_ns(unsigned code, const meta *in, const meta *out)
{
	const unsigned kind = op_rows[code].kind;
	uint64_t count, ns;

	if (kind == KIND_CONTROL || kind == KIND_VIEW)
		return COST_CALL_NS / 2;
	count = (uint64_t)meta_count(out);
	/* An element of a product is as long as the first input's rows. What is made element by
	 * element is no smaller than its inputs. */
	if (kind == KIND_PRODUCT && in && in->rank)
		count *= (uint64_t)MIN(in->dims[in->rank - 1], INT64_C(1) << 20);
	else if (kind != KIND_ELEMENT && in)
		count = MAX(count, (uint64_t)meta_count(in));
	count = MIN(count, UINT64_C(1) << 50);
	ns = COST_CALL_NS + count * cost_elements_ns[kind] / 1024;
	return ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
}

#endif
