/* tuned.c: choices as bytes.
 *
 *	u8 version, u8 taste, u32 tried, u64 ns as usual, u64 ns as chosen, u32 kernels, each: u8
 *	rest, u8 unroll
 */
#include "cache/tuned.h"

#include "base/base.h"
#include "base/mem.h"
#include "cache/key.h"

#define TUNED_VERSION 1
#define UNROLL_MAX 4

void tuned_key(const region *r, const recipe_run *run, buf *to)
{
	const codegen_options o = { .isa = cpu_isa_level() };
	buf bytes = { 0 };

	recipe_encode(r, run, 1, &bytes);
	key_put(to, (cache_bytes){ bytes.data, bytes.size }, &o);
	buf_fini(&bytes);
}

static bool get(reader *r, tuned *t)
{
	const uint8_t version = reader_u8(r);

	t->taste = reader_u8(r);
	t->tried = reader_u32(r);
	t->usual_ns = reader_u64(r);
	t->ns = reader_u64(r);
	t->count = reader_u32(r);
	if (r->cut || version != TUNED_VERSION || t->count > TUNED_GROUPS ||
			r->size - r->pos != 2 * (size_t)t->count)
		return false;
	t->codes = mem_alloc((t->count + 1) * sizeof *t->codes);
	for (uint32_t k = 0; k < t->count; k++) {
		t->codes[k].rest = reader_u8(r);
		t->codes[k].unroll = reader_u8(r);
		if (t->codes[k].rest <= REST_TAIL && t->codes[k].unroll <= UNROLL_MAX)
			continue;
		mem_free(t->codes);
		return false;
	}
	return true;
}

bool tuned_get(cache *c, cache_bytes name, tuned *to)
{
	buf value = { 0 };
	bool found = cache_get(c, CACHE_TUNED, name, &value);
	reader r = { .data = value.data, .size = value.size };

	found = found && get(&r, to);
	buf_fini(&value);
	return found;
}

bool tuned_put(cache *c, cache_bytes name, const tuned *t)
{
	buf value = { 0 };
	bool kept;

	if (!c || t->count > TUNED_GROUPS)
		return false;
	buf_put_u8(&value, TUNED_VERSION);
	buf_put_u8(&value, t->taste);
	buf_put_u32(&value, t->tried);
	buf_put_u64(&value, t->usual_ns);
	buf_put_u64(&value, t->ns);
	buf_put_u32(&value, t->count);
	for (uint32_t k = 0; k < t->count; k++) {
		buf_put_u8(&value, t->codes[k].rest);
		buf_put_u8(&value, t->codes[k].unroll);
	}
	kept = cache_put(c, CACHE_TUNED, name, (cache_bytes){ value.data, value.size });
	buf_fini(&value);
	return kept;
}

bool tuned_is_sound(cache_bytes value)
{
	reader r = { .data = value.data, .size = value.size };
	tuned t;

	if (!get(&r, &t))
		return false;
	mem_free(t.codes);
	return true;
}
