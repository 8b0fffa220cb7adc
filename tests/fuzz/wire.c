/* wire.c: any bytes as a wire stream: refused, or decoded to instructions that encode to the same
 * bytes. */
#include "stream.h"

#include "ir/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	reader r = { .data = data, .size = size };
	values v = { 0 };
	batch b = { 0 };
	buf again = { 0 };

	if (!wire_get_header(&r)) {
		wire_put_header(&again);
		while (r.pos < size && !wire_get_batch(&r, &b)) {
			for (const ins *i = NULL; (i = batch_next(&b, i)); )
				follow(&v, i);
			REQUIRE(!wire_put_batch(&again, &b));
			REQUIRE(again.size == r.pos && !memcmp(again.data, data, again.size));
			batch_reset(&b);
		}
		REQUIRE(!b.count);
	}
	batch_fini(&b);
	buf_fini(&again);
	values_fini(&v);
	return 0;
}
