/* text.c: any bytes as a text stream: refused, or parsed to instructions that print to a text which
 * parses to the same instructions and prints the same. */
#include "stream.h"

#include "base/buf.h"
#include "ir/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Parse `s`, print what came into `to`, and follow it if `v`. */
static gt_err parse(const void *s, size_t n, buf *to, values *v)
{
	static text_reader t;
	ins_room room;
	bool end;
	gt_err e;

	text_open_string(&t, s, n, NULL);
	while (!(e = text_get(&t, &room, &end)) && !end) {
		REQUIRE(!ins_check(&room.head, INS_WORDS_MAX));
		text_put(to, &room.head, NULL);
		if (v)
			follow(v, &room.head);
		if (ins_blob(&room.head))
			blob_drop(ins_blob(&room.head));
	}
	return e;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	buf once = { 0 }, twice = { 0 };
	values v = { 0 };

	parse(data, size, &once, &v);
	REQUIRE(!parse(once.data, once.size, &twice, NULL));
	REQUIRE(once.size == twice.size &&
		(!once.size || !memcmp(once.data, twice.data, once.size)));
	buf_fini(&once);
	buf_fini(&twice);
	values_fini(&v);
	return 0;
}
