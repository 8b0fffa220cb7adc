/* group.c: any bytes as a group: refused, or decoded to one that is well formed, encodes to the
 * same bytes, and has the shapes that its check stands on. */
#include "require.h"

#include <string.h>
#include "group/group.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void follow(const group *g)
{
	group_shape shapes[GROUP_NODES];
	buf text = { 0 };

	group_shapes(g, shapes);
	for (int k = 0; k < g->nodes_count; k++) {
		REQUIRE(shapes[k].level <= GROUP_REDUCTIONS);
		for (int j = 0; j < group_inputs(&g->nodes[k]); j++)
			REQUIRE(shapes[g->nodes[k].in[j]].level <= shapes[k].level);
	}
	group_print(g, &text);
	REQUIRE(text.size > 0);
	buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static group g;
	buf again = { 0 };

	if (!group_decode(data, size, &g)) {
		REQUIRE(!group_check(&g));
		group_encode(&g, &again);
		REQUIRE(again.size == size && !memcmp(again.data, data, size));
		follow(&g);
	}
	buf_fini(&again);
	return 0;
}
