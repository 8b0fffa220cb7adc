/* recipe.c: any bytes as a recipe: refused, or decoded to a region whose wires lead backwards and
 * to runs whose shapes infer; encoding it again gives the same bytes. */
#include "require.h"

#include <string.h>
#include "cache/recipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_wires(const region *r)
{
	uint32_t used = 0;

	REQUIRE(r->n && r->signature == region_signature(r));
	for (uint32_t i = 0; i < r->n; i++)
		for (unsigned k = 0; k < r->ops[i].nin; k++) {
			const int32_t in = r->inputs[r->ops[i].first + k];

			if (in == REGION_SCALAR)
				continue;
			REQUIRE(in >= 0 ? (uint32_t)in < i :
				REGION_LIVE_IN(in) < r->live_ins_count);
			if (in >= 0)
				REQUIRE(r->ops[in].last_use >= i && r->ops[in].last_use < r->n);
			else
				used += r->live_ins[REGION_LIVE_IN(in)].first_use == i;
		}
	REQUIRE(used >= r->live_ins_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	buf again = { 0 };
	recipe *r;

	if (recipe_decode(data, size, &r)) {
		REQUIRE(!r);
		return 0;
	}
	check_wires(r->region);
	recipe_encode(r->region, r->runs, r->count, &again);
	REQUIRE(again.size == size && !memcmp(again.data, data, size));
	buf_fini(&again);
	recipe_free(r);
	return 0;
}
